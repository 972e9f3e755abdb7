/* SPDX-License-Identifier: MIT */
/* The values that a query of the API can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/query.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define S               UINT64_C(1000000000)
#define UNTOUCHED       UINT64_C(77)
#define NOW             (UINT64_C(1000) * S)

static void counts(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t count;
    } cases[] = {
        {"0", 10, true, 0},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"007", 10, true, 7},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999999", UINT64_MAX, false, 0},
        {"9", 8, false, 0},
        {"", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"+1", 10, false, 0},
        {"-1", 10, false, 0},
        {"0x1", 10, false, 0},
        {"1.0", 10, false, 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t count = UNTOUCHED;
        assert_int_equal(xm_query_count(cases[i].text, cases[i].max, &count), cases[i].good);
        assert_int_equal(count, cases[i].good ? cases[i].count : UNTOUCHED);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns; /* 0 with another text than "0...": refused */
    } cases[] = {
        {"1", S},
        {"1s", S},
        {"100ms", S / 10},
        {"1.5s", S + S / 2},
        {"0.000000001s", 1},
        {"250us", 250000},
        {"1.5ms", 1500000},
        {"2m", 120 * S},
        {"1.5h", 5400 * S},
        {"1d", 86400 * S},
        {"36600d", UINT64_C(36600) * 86400 * S},
        {"36601d", 0},
        {"99999999999999999999d", 0},
        {"18446744073709551615s", 0},
        {"", 0},
        {"s", 0},
        {".5s", 0},
        {"1.s", 0},
        {"1 s", 0},
        {"-1s", 0},
        {"1ns", 0},
        {"1S", 0},
        {"1s ", 0},
        {"1e3", 0},
        {"1.5.5s", 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t ns = UNTOUCHED;
        assert_int_equal(xm_query_duration(cases[i].text, &ns), cases[i].ns != 0);
        assert_int_equal(ns, cases[i].ns ? cases[i].ns : UNTOUCHED);
    }
    uint64_t zero = UNTOUCHED;
    assert_true(xm_query_duration("0", &zero));
    assert_int_equal(zero, 0);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"now", NOW},
        {"-1s", NOW - S},
        {"-1.5m", NOW - 90 * S},
        {"-2000s", 0},
        {"0", 0},
        {"1767323045", 1767323045 * S},
        {"1767323045.25", 1767323045 * S + S / 4},
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-02T03:04:05Z", 1767323045 * S},
        {"2026-01-02t03:04:05.25z", 1767323045 * S + S / 4},
        {"2026-01-02 03:04:05Z", 1767323045 * S},
        {"2026-01-02T04:04:05+01:00", 1767323045 * S},
        {"2026-01-02T04:04:05 01:00", 1767323045 * S},
        {"2026-01-01T21:34:05-05:30", 1767323045 * S},
        {"2024-02-29T00:00:00Z", 1709164800 * S},
        {"2016-12-31T23:59:60Z", 1483228799 * S},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t ns = UNTOUCHED;
        assert_true(xm_query_time(cases[i].text, NOW, &ns));
        assert_int_equal(ns, cases[i].ns);
    }
}

static void no_times(void **state)
{
    static const char *const cases[] = {
        "",
        "Now",
        "now ",
        "-",
        "--1s",
        "-now",
        "+1s",
        "1e9",
        "99999999999999999999",
        "18000000001",
        "2026-01-02",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05",
        "2026-00-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-32T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2026-04-31T23:59:60Z",
        "2026-01-02T24:04:05Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05Zx",
        "2026-01-02T03:04:05+1:00",
        "2026-01-02T03:04:05+24:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59Z",
        "2026-1-02T03:04:05Z",
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t ns = UNTOUCHED;
        assert_false(xm_query_time(cases[i], NOW, &ns));
        assert_int_equal(ns, UNTOUCHED);
    }
}

/* However a text ends, no byte behind it is read: the sanitizers watch the copy's end. */
static void cut_anywhere(void **state)
{
    static const char *const texts[] = {"2026-01-02T04:04:05.123+01:00", "18446744073709551615", "-1.5m",
                                        "100ms"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        for (size_t length = 0; length <= strlen(texts[i]); length++) {
            char *copy = malloc(length + 1);
            uint64_t ns;
            assert_non_null(copy);
            memcpy(copy, texts[i], length);
            copy[length] = '\0';
            (void)xm_query_time(copy, NOW, &ns);
            (void)xm_query_duration(copy, &ns);
            (void)xm_query_count(copy, UINT64_MAX, &ns);
            free(copy);
        }
    }
}

static void names_between_commas(void **state)
{
    char name[6];
    const char *rest = "a,bc,,toolong,";
    static const char *const wanted[] = {"a", "bc", "", "toolo", ""};
    for (size_t i = 0; i < ELEMENTS(wanted); i++) {
        assert_true(xm_query_next(&rest, name, sizeof name));
        assert_string_equal(name, wanted[i]);
    }
    assert_false(xm_query_next(&rest, name, sizeof name));
    rest = "";
    assert_true(xm_query_next(&rest, name, sizeof name));
    assert_string_equal(name, "");
    assert_false(xm_query_next(&rest, name, sizeof name));
    rest = NULL;
    assert_false(xm_query_next(&rest, name, sizeof name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),   cmocka_unit_test(durations),    cmocka_unit_test(times),
        cmocka_unit_test(no_times), cmocka_unit_test(cut_anywhere), cmocka_unit_test(names_between_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
