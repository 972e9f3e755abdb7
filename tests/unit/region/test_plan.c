/* SPDX-License-Identifier: MIT */
/* The plan: how much memory, how much history, and that nothing overlaps. */
#include "region/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"

#define MIB (UINT64_C(1) << 20)

static struct xm_region_plan plan_of(struct xm_region_settings s)
{
    struct xm_region_plan plan;
    struct xm_error err = {0};
    if (xm_region_plan(&s, &plan, &err) != XM_OK)
        fail_msg("%s", err.text);
    return plan;
}

static void test_default(void **state)
{
    (void)state;
    struct xm_region_plan plan = plan_of((struct xm_region_settings){0});
    print_message("# default: %llu bytes, a fast sample %llu, a slow one %llu\n",
                  (unsigned long long)plan.bytes, (unsigned long long)plan.ring[XM_SERIES_FAST].stride,
                  (unsigned long long)plan.ring[XM_SERIES_SLOW].stride);
    assert_int_equal(plan.capacity.domains, 32);
    assert_int_equal(plan.capacity.vcpus, 100);
    assert_int_equal(plan.capacity.pcpus, 8);
    assert_true(plan.bytes <= 64 * MIB);
    assert_false(plan.shrunk);
    assert_int_equal(xm_plan_history_ns(&plan, XM_SERIES_FAST), UINT64_C(60000000000));
    assert_int_equal(xm_plan_history_ns(&plan, XM_SERIES_SLOW), UINT64_C(3600000000000));
    assert_int_equal(plan.interval_ns[XM_SERIES_FAST], 100000000);
}

static void test_shrinks_slow_first(void **state)
{
    (void)state;
    uint64_t all = plan_of((struct xm_region_settings){0}).bytes;
    /* A little less than everything costs slow history only. */
    struct xm_region_plan plan = plan_of((struct xm_region_settings){.limit_bytes = all - 1});
    assert_true(plan.shrunk);
    assert_true(plan.bytes < all);
    assert_int_equal(xm_plan_history_ns(&plan, XM_SERIES_FAST), UINT64_C(60000000000));
    assert_int_equal(xm_plan_history_ns(&plan, XM_SERIES_SLOW), UINT64_C(3599000000000));
    /* 24 MiB: slow is at its least (but for what is too little for a fast sample), fast has given way. */
    plan = plan_of((struct xm_region_settings){.limit_bytes = 24 * MIB});
    assert_true(plan.bytes <= 24 * MIB);
    assert_true(xm_plan_history_ns(&plan, XM_SERIES_SLOW) >= UINT64_C(60000000000));
    assert_true(xm_plan_history_ns(&plan, XM_SERIES_SLOW) <= UINT64_C(63000000000));
    assert_true(xm_plan_history_ns(&plan, XM_SERIES_FAST) < UINT64_C(60000000000));
    assert_true(xm_plan_history_ns(&plan, XM_SERIES_FAST) > UINT64_C(10000000000));
    /* No room at all: the least histories, and as much memory as they need. */
    plan = plan_of((struct xm_region_settings){.limit_bytes = 1});
    assert_int_equal(xm_plan_history_ns(&plan, XM_SERIES_SLOW), UINT64_C(60000000000));
    assert_int_equal(xm_plan_history_ns(&plan, XM_SERIES_FAST), UINT64_C(10000000000));
}

static void test_large_capacities(void **state)
{
    (void)state;
    struct xm_region_plan plan = plan_of((struct xm_region_settings){.capacity = {300, 1500, 64}});
    assert_true(plan.shrunk);
    assert_true(xm_plan_history_ns(&plan, XM_SERIES_FAST) >= UINT64_C(10000000000));
    assert_true(xm_plan_history_ns(&plan, XM_SERIES_SLOW) >= UINT64_C(60000000000));
    print_message("# 300 domains, 1500 vCPUs, 64 pCPUs: %llu MiB\n", (unsigned long long)(plan.bytes / MIB));
    struct xm_region_settings s = {.capacity = {1u << 20, 1u << 20, 1u << 20}};
    assert_int_equal(xm_region_plan(&s, &plan, NULL), XM_LIMIT);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct xm_region_settings bad[] = {
        {.capacity = {(1u << 20) + 1, 1, 1}},
        {.capacity = {1, (1u << 20) + 1, 1}},
        {.capacity = {1, 1, (1u << 20) + 1}},
        {.interval_ns = 999999},
        {.interval_ns = UINT64_C(60000000001)},
        {.fast_s = 86401},
        {.slow_s = 604801},
        {.interval_ns = 1000000, .fast_s = 86400},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct xm_region_plan plan;
        struct xm_error err = {0};
        assert_int_equal(xm_region_plan(&bad[i], &plan, &err), XM_INVALID);
        assert_true(strlen(err.text) > 10);
    }
}

/* Every byte belongs to at most one section, and all of them to the region. */
static void check_sections(const struct xm_region_plan *plan)
{
    for (unsigned i = 0; i < XM_SECTIONS; i++) {
        const struct xm_layout_section *a = &plan->section[i];
        uint64_t end = a->offset + a->stride * a->count;
        uint64_t room = a->parent == XM_LAYOUT_TOP ? plan->bytes : plan->section[a->parent].stride;
        assert_true(end <= room);
        assert_true(a->offset % 64 == 0);
        for (unsigned k = 0; k < i; k++) {
            const struct xm_layout_section *b = &plan->section[k];
            if (a->parent == b->parent)
                assert_true(end <= b->offset || b->offset + b->stride * b->count <= a->offset);
        }
    }
    uint64_t tables = plan->metric_offset + plan->metric_count * sizeof(struct xm_layout_metric);
    assert_true(plan->section[XM_SECTION_DOMAINS].offset >= tables);
    assert_true(plan->metric_offset >= sizeof(struct xm_layout_header) + sizeof plan->section);
}

static void test_random_settings(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < 20000; i++) {
        struct xm_region_settings s = {.capacity = {1 + (uint32_t)(next_random(&seed) % 200),
                                                    1 + (uint32_t)(next_random(&seed) % 800),
                                                    1 + (uint32_t)(next_random(&seed) % 64)},
                                       .interval_ns = 1000000 + next_random(&seed) % 1000000000,
                                       .fast_s = 1 + (uint32_t)(next_random(&seed) % 120),
                                       .slow_s = 1 + (uint32_t)(next_random(&seed) % 4000),
                                       .limit_bytes = 1 + next_random(&seed) % (100 * MIB)};
        struct xm_region_plan plan = plan_of(s);
        check_sections(&plan);
        /* The limit holds, or the histories are the least there are. */
        uint64_t fast_least = (s.fast_s < 10 ? s.fast_s : 10) * UINT64_C(1000000000);
        uint64_t slow_least = (s.slow_s < 60 ? s.slow_s : 60) * UINT64_C(1000000000);
        uint64_t fast = xm_plan_history_ns(&plan, XM_SERIES_FAST);
        uint64_t slow = xm_plan_history_ns(&plan, XM_SERIES_SLOW);
        assert_true(fast >= fast_least && slow >= slow_least);
        if (plan.bytes > s.limit_bytes)
            assert_true(fast < fast_least + s.interval_ns && slow == slow_least);
        /* Slow gives way first: it keeps more than its least only where fast has all, or could not use it. */
        uint64_t more = (slow - slow_least) / XM_PLAN_SLOW_INTERVAL_NS * plan.ring[XM_SERIES_SLOW].stride;
        if (more >= plan.ring[XM_SERIES_FAST].stride)
            assert_true(fast >= s.fast_s * UINT64_C(1000000000));
    }
}

/* What the region says about itself fits into its fields, unabridged, and nothing is said twice. */
static void test_description(void **state)
{
    (void)state;
    struct xm_region_plan plan = plan_of(tiny_settings());
    unsigned char *base = calloc(1, plan.bytes);
    size_t metrics;
    size_t fields;
    const struct xm_metric *m = xm_metrics(&metrics);
    const struct xm_field *f = xm_layout_fields(&fields);
    assert_non_null(base);
    xm_plan_describe(&plan, base);
    for (size_t i = 0; i < metrics; i++)
        assert_true(strlen(m[i].name) < 32 && strlen(m[i].help) < 120);
    for (size_t i = 0; i < fields; i++)
        assert_true(strlen(f[i].name) < 32 && strlen(f[i].help) < 120);
    const struct xm_layout_metric *e = (const void *)(base + plan.metric_offset);
    for (uint32_t i = 0; i < plan.metric_count; i++) {
        const struct xm_layout_section *s = &plan.section[e[i].section];
        assert_true(e[i].section < XM_SECTIONS);
        assert_true((uint64_t)e[i].offset + (uint64_t)e[i].count * e[i].bytes <= s->stride);
        assert_true(e[i].name[0] && e[i].help[0] && e[i].kind[0] && e[i].type[0]);
        for (uint32_t k = 0; k < i; k++)
            if (e[i].section == e[k].section) {
                assert_string_not_equal(e[i].name, e[k].name);
                assert_true(e[i].offset >= e[k].offset + e[k].count * e[k].bytes ||
                            e[k].offset >= e[i].offset + e[i].count * e[i].bytes);
            }
    }
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),          cmocka_unit_test(test_shrinks_slow_first),
        cmocka_unit_test(test_large_capacities), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_random_settings),  cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
