/* SPDX-License-Identifier: MIT */
/* Fixed edges out of log-linear buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "base/rng.h"
#include "export/host_int.h"

#define VALUES 20000u

static void set_edges(const struct xm_scale *scale, uint64_t edges[XM_HOST_EDGES])
{
    for (unsigned i = 0; i < XM_HOST_EDGES; i++)
        edges[i] = xm_scale_to_cycles(scale, xm_ns_of(xm_host_edge_ns[i])).v;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Against the values themselves: exact in all, and at each edge within what its one bucket holds. */
static void against_the_values(void **state)
{
    static uint64_t value[VALUES];
    static uint64_t counts[XM_HIST_BUCKETS];
    const char *text = getenv("XM_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 20260101;
    struct xm_rng rng;
    struct xm_scale scale;
    uint64_t edges[XM_HOST_EDGES];
    xm_rng_seed(&rng, seed, 0);
    print_message("# seed %" PRIu64 "\n", seed);
    assert_true(xm_scale_init(&scale, 2400000000u));
    set_edges(&scale, edges);
    uint64_t sum = 0;
    for (unsigned i = 0; i < VALUES; i++) {
        value[i] = xm_rng_next(&rng) >> (30 + xm_rng_next(&rng) % 30);
        counts[xm_hist_index(value[i])]++;
        sum += value[i];
    }
    qsort(value, VALUES, sizeof value[0], compare);
    struct xm_host_distribution d = {0};
    xm_host_distribution_of(counts, edges, &scale, &d);
    assert_int_equal(d.at_most[XM_HOST_EDGES], VALUES);
    for (unsigned e = 0; e < XM_HOST_EDGES; e++) {
        uint64_t exact = 0;
        while (exact < VALUES && value[exact] <= edges[e])
            exact++;
        uint64_t in_bucket = counts[xm_hist_index(edges[e])];
        assert_in_range(d.at_most[e], exact > in_bucket ? exact - in_bucket : 0, exact + in_bucket);
        if (e)
            assert_true(d.at_most[e] >= d.at_most[e - 1]);
    }
    double ns = (double)sum / 2.4;
    assert_true((double)d.sum_ns > ns * (1 - 1.0 / 64) && (double)d.sum_ns < ns * (1 + 1.0 / 64));
}

static void values_at_an_edge_are_at_most_it(void **state)
{
    static uint64_t counts[XM_HIST_BUCKETS];
    struct xm_scale scale;
    uint64_t edges[XM_HOST_EDGES];
    assert_true(xm_scale_init(&scale, 1000000000u));
    set_edges(&scale, edges);
    struct xm_host_distribution none = {0};
    xm_host_distribution_of(counts, edges, &scale, &none);
    assert_int_equal(none.at_most[XM_HOST_EDGES], 0);
    assert_int_equal(none.sum_ns, 0);
    counts[0] = 7;                   /* of length 0 */
    counts[XM_HIST_BUCKETS - 1] = 5; /* longer than all edges */
    struct xm_host_distribution d = {0};
    xm_host_distribution_of(counts, edges, &scale, &d);
    for (unsigned e = 0; e < XM_HOST_EDGES; e++)
        assert_int_equal(d.at_most[e], 7);
    assert_int_equal(d.at_most[XM_HOST_EDGES], 12);
}

/* A slow clock puts several edges into one bucket, a fast one all above: none may be forgotten. */
static void every_rate_has_all_edges(void **state)
{
    static const uint64_t rates[] = {1, 1000, 100000, 1000000, 2400000000u, UINT64_C(1) << 40};
    static uint64_t counts[XM_HIST_BUCKETS];
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
        counts[i] = 1000;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct xm_scale scale;
        uint64_t edges[XM_HOST_EDGES];
        struct xm_host_distribution d = {0};
        assert_true(xm_scale_init(&scale, rates[i]));
        set_edges(&scale, edges);
        xm_host_distribution_of(counts, edges, &scale, &d);
        assert_int_equal(d.at_most[XM_HOST_EDGES], 1000u * XM_HIST_BUCKETS);
        for (unsigned e = 0; e < XM_HOST_EDGES; e++) {
            assert_true(d.at_most[e] > 0 && d.at_most[e] <= d.at_most[e + 1]);
        }
    }
}

/* More of anything never makes a figure smaller. */
static void it_never_goes_back(void **state)
{
    static uint64_t counts[XM_HIST_BUCKETS];
    struct xm_rng rng;
    struct xm_scale scale;
    uint64_t edges[XM_HOST_EDGES];
    struct xm_host_distribution before = {0};
    xm_rng_seed(&rng, 4711, 0);
    assert_true(xm_scale_init(&scale, 2000000001u));
    set_edges(&scale, edges);
    for (unsigned i = 0; i < 2000; i++) {
        struct xm_host_distribution d = {0};
        counts[xm_rng_next(&rng) % XM_HIST_BUCKETS] += xm_rng_next(&rng) % 5;
        xm_host_distribution_of(counts, edges, &scale, &d);
        for (unsigned e = 0; e <= XM_HOST_EDGES; e++)
            assert_true(d.at_most[e] >= before.at_most[e]);
        assert_true(d.sum_ns >= before.sum_ns);
        before = d;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_the_values),
        cmocka_unit_test(values_at_an_edge_are_at_most_it),
        cmocka_unit_test(every_rate_has_all_edges),
        cmocka_unit_test(it_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
