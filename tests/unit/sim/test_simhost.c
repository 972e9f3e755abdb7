/* SPDX-License-Identifier: MIT */
/* The simulated host and its source: what it writes is what it did. */
#include "world.h"

#define MS UINT64_C(1000000)

static const char mixed[] = "[host]\ncpus = 3\nscheduler = rr\nslice = 3ms\nseed = 7\npages = 128\n"
                            "[domain Domain-0]\nid = 0\nrole = driver\nvcpus = 2\n"
                            "[domain web]\nid = 1\nrole = web\nrate = 400\n"
                            "[domain disk]\nid = 2\nrole = reader\n"
                            "[domain hog]\nid = 3\nrole = hog\nvcpus = 2\n"
                            "[domain nap]\nid = 4\nrole = nap\nvcpus = 2\ncpus = 1-2\nwork = 300us\npause = 2ms\n"
                            "[domain late]\nid = 5\nrole = web\nrate = 100\nfrom = 300ms\nto = 900ms\n"
                            "[domain again]\nid = 5\nrole = hog\nfrom = 900ms\n"
                            "[domain early]\nid = 6\nrole = nap\nto = 500ms\n";

static const char one_cpu[] = "[host]\nscheduler = bvt\npages = 64\n"
                              "[domain Domain-0]\nid = 0\nrole = driver\nmcu_advance = 20\n"
                              "[domain web]\nid = 1\nrole = web\nrate = 700\n";

static void run_and_compare(const char *text, uint64_t until_ns)
{
    struct xm_scenario s = scenario_of(text);
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, until_ns);
    unsigned passes = 0;
    struct xt_bytes bytes = bytes_of(source, &passes);
    struct xt_baked b = xt_bake(bytes.data, bytes.size, 10 * MS, s.hz, 0);
    assert_int_equal(passes, (until_ns + s.poll_ns - 1) / s.poll_ns);
    assert_int_equal(xm_simhost_lost(host), 0);
    assert_no_anomaly(&b);
    assert_null(xt_broken_sum(&b.end));
    assert_true(b.stats.records > 1000);
    assert_int_equal(b.stats.records, xm_machine_records(xm_simhost_machine(host)));
    assert_truth(host, &b, b.end.host.tsc - b.end.host.window);
    xt_baked_free(&b);
    xt_free(&bytes);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

static void what_it_writes_is_what_it_did(void **state)
{
    run_and_compare(mixed, 2000 * MS);
    run_and_compare(one_cpu, 1500 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_is_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
