/* SPDX-License-Identifier: MIT */
/* Scenarios as files: what is good, each way to be wrong, and bytes that are anything. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD "[domain Domain-0]\nid = 0\nrole = driver\n"

static struct xm_scenario read_good(const char *text)
{
    return scenario_of(text);
}

/* Parses what is wrong: its line, and words that the message must have. */
static void assert_wrong(const char *text, unsigned line, const char *words)
{
    static struct xm_scenario s;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_scenario_parse(text, "dir/bad.ini", &s, &err), XM_INVALID);
    if (err.offset != line || !strstr(err.text, words))
        xt_die("line %u: '%s' wanted, not '%s' at %u", line, words, err.text, (unsigned)err.offset);
    char place[64];
    snprintf(place, sizeof place, "dir/bad.ini:%u: ", line);
    assert_memory_equal(err.text, place, strlen(place));
}

static void everything_can_be_given(void **state)
{
    struct xm_scenario s = read_good(
        "\xef\xbb\xbf; a comment\n[host]\ncpus = 8\nhz = 2.5GHz\nseed = 0x10\nduration = 2m\nscheduler = rr\nslice = 1.5ms\n"
        "ratelimit = 0\nctx_allow=1ms\nmcu=100us\nfix_slip = yes\npages = 7\nevents = 0x21000\nswitch = 250ns ; inline\n"
        "poll = 10ms\nbatch_transfers = on\nnetwork = copy\n[costs]\nring = 64\nrequest_sigma = 500\ndriver_entry = 5us\n"
        HEAD "[domain a.b-c_1]\n  id = 7\n\tvcpus = 3\nrole = web\ncpus = 0-2,7\nweight = 512\ncap = 150\nmcu_advance = 20\n"
        "period = 20ms\nslice = 15ms\nextratime = no\nrate = 12.5\nfrom = 1s\nto = 3s\n"
        "[domain n]\nid = 8\nrole = nap\nwork = 1ms\npause = 2ms");
    assert_int_equal(s.cpus, 8);
    assert_true(s.hz == UINT64_C(2500000000) && s.seed == 16 && s.duration_ns == UINT64_C(120000000000));
    assert_string_equal(s.sched->name, "rr");
    assert_true(s.params.slice_ns == 1500000 && s.params.ctx_allow_ns == 1000000 && s.params.mcu_ns == 100000);
    assert_true(s.params.fix_slip && s.batch_transfers && s.copies);
    assert_true(s.pages == 7 && s.events == 0x21000 && s.switch_ns == 250 && s.poll_ns == 10000000);
    assert_true(s.costs.ring == 64 && s.costs.request_sigma == 500 && s.costs.driver_entry == 5000);
    assert_int_equal(s.domains, 3);
    const struct xm_scenario_domain *d = &s.domain[1];
    assert_string_equal(d->name, "a.b-c_1");
    assert_true(d->domid == 7 && d->vcpus == 3 && d->role == XM_ROLE_WEB && d->allowed == 0x87 && d->rate == 12.5);
    assert_true(d->share.weight == 512 && d->share.cap == 150 && d->share.mcu_advance == 20 && !d->share.extratime);
    assert_true(d->share.period_ns == 20000000 && d->share.slice_ns == 15000000);
    assert_true(d->from_ns == UINT64_C(1000000000) && d->to_ns == UINT64_C(3000000000));
    assert_true(s.domain[2].work_ns == 1000000 && s.domain[2].pause_ns == 2000000);
    assert_string_equal(s.name, "test");
}

static void values_are_wrong(void **state)
{
    assert_wrong("[host]\ncpus = 0\n" HEAD, 2, "[host] cpus: a whole number from 1 to 64 is right, not '0'");
    assert_wrong("[host]\ncpus = 65\n" HEAD, 2, "64");
    assert_wrong("[host]\ncpus = 1x\n" HEAD, 2, "'1x'");
    assert_wrong("[host]\ncpus =\n" HEAD, 2, "not ''");
    assert_wrong("[host]\ncpus = 18446744073709551616\n" HEAD, 2, "whole number");
    assert_wrong("[host]\ncpus = 1.5\n" HEAD, 2, "whole number");
    assert_wrong("[host]\nduration = 5\n" HEAD, 2, "a time from 1ms to 168h");
    assert_wrong("[host]\nduration = 9999999999999h\n" HEAD, 2, "a time");
    assert_wrong("[host]\npoll = -1s\n" HEAD, 2, "a time");
    assert_wrong("[host]\nhz = 5\n" HEAD, 2, "2.8GHz");
    assert_wrong("[host]\nscheduler = cfs\n" HEAD, 2, "bvt");
    assert_wrong("[host]\nnetwork = zero\n" HEAD, 2, "flip, copy");
    assert_wrong("[host]\nfix_slip = maybe\n" HEAD, 2, "yes or no");
    assert_wrong("[host]\nevents = 0x1000\n" HEAD, 5, "class");
    assert_wrong("[costs]\nring = 3\n" HEAD, 2, "4 to 4096");
    assert_wrong("[costs]\nring = 8us\n" HEAD, 2, "whole number");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = king\n", 6, "driver, web, hog, nap, reader");
    assert_wrong(HEAD "[domain a]\nid = 70000\nrole = hog\n", 5, "[domain a] id");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\ncpus = 3-1\n", 7, "0-3,7");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\ncpus = 64\n", 7, "0-3,7");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = web\nrate = 1e9\n", 7, "0 to 1000000");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = web\nrate = \x1b[2J\n", 7, "'?[2J'");
}

static void names_are_wrong(void **state)
{
    assert_wrong("[host]\ncolour = red\n" HEAD, 2, "a host has no 'colour'; it has cpus, hz");
    assert_wrong("[costs]\nlunch = 1\n" HEAD, 2, "there is no cost 'lunch'");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\nmood = good\n", 7, "a domain has no 'mood'");
    assert_wrong("cpus = 1\n" HEAD, 1, "a section comes first");
    assert_wrong("[guest x]\n" HEAD, 1, "no such section");
    assert_wrong("[guest x]\ncpus = 1\n" HEAD, 1, "no such section");
    assert_wrong("[domain]\nid = 1\n", 1, "no such section");
    assert_wrong("[domain a/b]\nid = 1\n", 1, "1 to 31 letters");
    assert_wrong("[domain aaaaaaaaaabbbbbbbbbbccccccccccdd]\nid = 1\n", 1, "1 to 31 letters");
    assert_wrong("[host\ncpus = 1\n" HEAD, 1, "ends in ]");
    assert_wrong("[domain aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee]\nid = 1\n", 1, "46 bytes");
    assert_wrong("[host]\ncpus 1\n" HEAD, 2, "neither [section] nor name = value");
    assert_wrong("[host]\ncpus = 1\ncpus = 2\n" HEAD, 3, "on line 2 already");
    assert_wrong("[costs]\nring = 8\n[host]\n[costs]\nring = 9\n" HEAD, 5, "on line 2 already");
    assert_wrong(HEAD "[domain Domain-0]\nid = 1\nrole = hog\n", 4, "on line 1 already");
    char longer[400];
    memset(longer, ' ', sizeof longer);
    memcpy(longer, "[host]\ncpus = 1", 15);
    memcpy(longer + sizeof longer - 3, "x\n", 3);
    assert_wrong(longer, 2, "a line of at most");
}

static void what_does_not_go_together(void **state)
{
    assert_wrong("", 1, "there is no domain");
    assert_wrong("[host]\ncpus = 1\n", 2, "there is no domain");
    assert_wrong("[domain a]\nrole = hog\n", 1, "[domain a] id: it needs one");
    assert_wrong("[domain a]\nid = 1\n[host]\n", 1, "role: it needs one");
    assert_wrong("[domain a]\nid = 1\nrole = hog\nrate = 5\n", 4, "rate: it is not for the role hog");
    assert_wrong("[domain a]\nid = 1\npause = 5ms\nrole = hog\n", 3, "pause: it is not for the role hog");
    assert_wrong("[domain a]\nid = 1\nrole = web\n", 1, "the role driver is needed");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = driver\n", 4, "one driver domain");
    assert_wrong(HEAD "[domain a]\nid = 0\nrole = hog\n", 4, "Domain-0 has 0 at the same time");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\nto = 2s\n[domain b]\nid = 1\nrole = hog\nfrom = 1s\n", 8, "a has 1");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\nfrom = 2s\nto = 1s\n", 4, "end before it begins");
    assert_wrong(HEAD "from = 1s\n", 1, "always there");
    assert_wrong("[host]\ncpus = 2\n" HEAD "[domain a]\nid = 1\nrole = hog\ncpus = 2-5\n", 6, "the host has none");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\ncap = 101\n", 4, "cap");
    assert_wrong(HEAD "[domain a]\nid = 1\nrole = hog\nperiod = 10ms\nslice = 11ms\n", 4, "longer than the period");
    (void)read_good(HEAD "[domain a]\nid = 1\nrole = hog\nto = 1s\n[domain b]\nid = 1\nrole = hog\nfrom = 1s\n");
}

static void one_value_is_changed(void **state)
{
    static struct xm_scenario s;
    struct xm_error err;
    s = scenario_of(HEAD "[domain a.b]\nid = 1\nrole = web\nrate = 5\n");
    assert_int_equal(xm_scenario_set(&s, "host.seed=9", NULL), XM_OK);
    assert_int_equal(xm_scenario_set(&s, "costs.batch=2", NULL), XM_OK);
    assert_int_equal(xm_scenario_set(&s, "a.b.rate=7", NULL), XM_OK);
    assert_true(s.seed == 9 && s.costs.batch == 2 && s.domain[1].rate == 7);
    static const char *const bad[] = {"", "=", "host", "host.seed", "host.seed=", "host.x=1", "c.rate=1", ".=", "a.b.rate=x", "rate=1"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        xm_error_clear(&err);
        assert_int_equal(xm_scenario_set(&s, bad[i], &err), XM_INVALID);
        assert_true(err.text[0]);
    }
    assert_int_equal(xm_scenario_set(&s, "host.cpus=1", NULL), XM_OK);
    assert_int_equal(xm_scenario_set(&s, "a.b.cpus=5", NULL), XM_OK);
    assert_int_equal(xm_scenario_check(&s, NULL), XM_INVALID);
}

/* What a file may not say, an assignment may not either, in whatever order. */
static void what_a_role_has_no_use_for(void **state)
{
    static const char *const sets[][2] = {{"h.rate=77", NULL}, {"w.work=5ms", NULL}, {"h.pause=5ms", NULL}, {"w.role=hog", NULL},
                                          {"h.work=5ms", "h.role=web"}};
    static struct xm_scenario s;
    struct xm_error err;
    for (unsigned i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        s = scenario_of(HEAD "[domain w]\nid = 1\nrole = web\nrate = 5\n[domain h]\nid = 2\nrole = hog\n");
        for (unsigned k = 0; k < 2 && sets[i][k]; k++)
            assert_int_equal(xm_scenario_set(&s, sets[i][k], NULL), XM_OK);
        xm_error_clear(&err);
        assert_int_equal(xm_scenario_check(&s, &err), XM_INVALID);
        assert_non_null(strstr(err.text, "it is not for the role"));
    }
    s = scenario_of(HEAD "[domain h]\nid = 2\nrole = hog\n");
    assert_int_equal(xm_scenario_set(&s, "h.rate=77", NULL), XM_OK);
    assert_int_equal(xm_scenario_set(&s, "h.role=web", NULL), XM_OK);
    assert_int_equal(xm_scenario_check(&s, NULL), XM_OK);
}

/* Whatever the bytes, it is read or there is a message with a line; a host of what was read can be made. */
static void bytes_are_anything(void **state)
{
    static const char good[] = "[host]\ncpus = 2\nscheduler = bvt\npages = 2\n[costs]\nring = 64\n" HEAD
                               "[domain web]\nid = 1\nrole = web\nrate = 100\n[domain hog]\nid = 2\nrole = hog\nvcpus = 2\nto = 5ms\n";
    static const char pieces[] = "[]=\n;# \t\r.0123456789xsmunhogwebid-,:\x80\xff";
    static struct xm_scenario s;
    struct xt_rng rng = xt_rng(xt_seed(), 1);
    unsigned read = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char text[sizeof good + 64];
        struct xm_error err;
        memcpy(text, good, sizeof good);
        for (uint64_t n = 1 + xt_below(&rng, 4); n > 0; n--)
            text[xt_below(&rng, sizeof good - 1)] = pieces[xt_below(&rng, sizeof pieces - 1)];
        if (xt_below(&rng, 8) == 0)
            text[xt_below(&rng, sizeof good)] = '\0';
        xm_error_clear(&err);
        enum xm_status status = xm_scenario_parse(text, "x", &s, &err);
        assert_true(status == XM_OK || (status == XM_INVALID && err.offset >= 1 && err.offset <= 30));
        if (status != XM_OK || round % 50)
            continue;
        struct xm_simhost *host = host_of(&s);
        assert_int_equal(xm_simhost_run(host, 10000000), XM_OK);
        xm_simhost_destroy(host);
        read++;
    }
    assert_true(read > 0);
}

static void files(void **state)
{
    static struct xm_scenario s;
    struct xm_error err;
    char path[] = "/tmp/xenmon-scenario.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, HEAD, sizeof HEAD - 1), sizeof HEAD - 1);
    assert_int_equal(xm_scenario_read(path, &s, NULL), XM_OK);
    assert_int_equal(write(fd, "\0", 1), 1);
    xm_error_clear(&err);
    assert_int_equal(xm_scenario_read(path, &s, &err), XM_INVALID);
    assert_non_null(strstr(err.text, "zero bytes"));
    assert_int_equal(ftruncate(fd, 2 << 20), 0);
    assert_int_equal(xm_scenario_read(path, &s, NULL), XM_INVALID);
    close(fd);
    unlink(path);
    assert_int_equal(xm_scenario_read(path, &s, NULL), XM_IO);
    assert_int_equal(xm_scenario_read("/", &s, NULL), XM_IO);
    assert_int_equal(xm_scenario_read("/dev/zero", &s, NULL), XM_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_can_be_given), cmocka_unit_test(values_are_wrong), cmocka_unit_test(names_are_wrong),
        cmocka_unit_test(what_does_not_go_together), cmocka_unit_test(one_value_is_changed), cmocka_unit_test(what_a_role_has_no_use_for), cmocka_unit_test(bytes_are_anything),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
