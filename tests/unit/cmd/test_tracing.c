/* SPDX-License-Identifier: MIT */
/* Event masks and sets of CPUs as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracing.h"

static void test_events(void **state)
{
    static const struct {
        const char *text;
        uint32_t mask; /* 0: refused */
    } cases[] = {
        {"0x169000", 0x169000},
        {"1478656", 0x169000},
        {"runstates,slices,grants,domains", 0x169000},
        {"runstates,slices,grants,domains,copies", 0x36b000},
        {"runstates", 0x21000},
        {"all", 0x0ffff000},
        {"sched,MEM", 0x0012f000},
        {"0x20000,0x1000", 0x21000},
        {"dom0op,0x21000", 0x0006f000},
        {"", 0},
        {",", 0},
        {"runstates,", 0},
        {"runstate", 0},
        {"0x", 0},
        {"0x1000", 0},     /* a subclass of nothing */
        {"0x20000", 0},    /* a class without a subclass lets nothing through */
        {"0x100021000", 0},
        {"-1", 0},
        {" 0x21000", 0},
        {"0x21000 ", 0},
        {"0x21000,nonsense", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t mask = 7;
        if (xm_read_events(cases[i].text, &mask) != (cases[i].mask != 0) || mask != (cases[i].mask ? cases[i].mask : 7))
            fail_msg("'%s': 0x%x", cases[i].text, mask);
    }
}

static void test_every_name_is_read(void **state)
{
    uint32_t mask, read;
    unsigned i = 0;
    for (const char *name; (name = xm_events_name(i, &mask)); i++) {
        assert_true(xm_read_events(name, &read));
        assert_int_equal(read, mask);
    }
    assert_true(i > 10);
}

static void test_events_in_words(void **state)
{
    char text[160];
    xm_events_text(0x169000, text, sizeof text);
    assert_string_equal(text, "runstates, slices, grants, domains");
    xm_events_text(0x21000, text, sizeof text);
    assert_string_equal(text, "runstates");
    xm_events_text(0x1000, text, sizeof text);
    assert_string_equal(text, "");
    char small[16];
    xm_events_text(0x0ffff000, small, sizeof small);
    assert_true(strlen(small) < sizeof small);
}

static bool has(const struct xm_cpu_set *set, unsigned cpu)
{
    return set->bitmap[cpu / 8] >> cpu % 8 & 1;
}

static unsigned count(const struct xm_cpu_set *set)
{
    unsigned n = 0;
    for (unsigned cpu = 0; cpu < XM_CPU_SET_BITS; cpu++)
        n += has(set, cpu);
    return n;
}

static void test_cpus(void **state)
{
    struct xm_cpu_set set = {.given = false};
    assert_true(xm_read_cpus("0-3,7", &set));
    assert_true(set.given && has(&set, 0) && has(&set, 3) && has(&set, 7));
    assert_int_equal(count(&set), 5);
    assert_true(xm_read_cpus("4090-", &set));
    assert_int_equal(count(&set), 6);
    assert_true(xm_read_cpus("0x8001", &set));
    assert_true(has(&set, 0) && has(&set, 15));
    assert_int_equal(count(&set), 2);
    assert_true(xm_read_cpus("0x10000000000000000", &set)); /* CPU 64 */
    assert_true(has(&set, 64));
    assert_int_equal(count(&set), 1);
    assert_true(xm_read_cpus("all", &set));
    assert_false(set.given);
}

static void test_wrong_cpus(void **state)
{
    static const char *const wrong[] = {"",    ",",     "3-1",  "0,",      "0-3,",  "a",    "0x", "0x0",
                                        "-1",  "4096",  "0-4096", "0xfg",  "1 ",    "0--3", "0-3-5",
                                        "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct xm_cpu_set set = {.given = false, .bitmap = {5}};
        if (xm_read_cpus(wrong[i], &set) || set.given || set.bitmap[0] != 5)
            fail_msg("'%s' was read", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events), cmocka_unit_test(test_every_name_is_read), cmocka_unit_test(test_events_in_words),
        cmocka_unit_test(test_cpus),   cmocka_unit_test(test_wrong_cpus),
    };
    return cmocka_run_group_tests_name("tracing", tests, NULL, NULL);
}
