/* SPDX-License-Identifier: MIT */
/* Numbers and names as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view/format.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void durations(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {1000, "1.000 us"},
        {9999, "9.999 us"},
        {12345, "12.35 us"},
        {99999, "100.0 us"},
        {123456, "123.5 us"},
        {999949, "999.9 us"},
        {999950, "1.000 ms"},
        {1234567, "1.235 ms"},
        {999949999, "999.9 ms"},
        {999950000, "1.000 s"},
        {UINT64_C(13946150920), "13.95 s"},
        {UINT64_C(999949999999), "999.9 s"},
        {UINT64_C(1234567890123), "1235 s"},
        {UINT64_C(86400000000000), "86400 s"},
        {UINT64_MAX, "1.8e+10 s"},
    };
    char text[24];
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_string_equal(xm_format_ns(cases[i].ns, text, sizeof text), cases[i].text);
    for (uint64_t ns = 1; ns < UINT64_C(999998000000000); ns += ns / 7 + 1)
        assert_in_range(strlen(xm_format_ns(ns, text, sizeof text)), 4, 8);
}

static void counts(void **state)
{
    static const struct {
        uint64_t count;
        int width;
        const char *text;
    } cases[] = {
        {0, 5, "0"},
        {99999, 5, "99999"},
        {100000, 5, "100k"},
        {123456, 6, "123456"},
        {1234567, 5, "1.23M"},
        {12345678, 5, "12.3M"},
        {123456789, 5, "123M"},
        {999999999, 5, "999M"},
        {UINT64_MAX, 5, "18.4E"},
        {UINT64_MAX, 9, "18.44E"},
        {UINT64_MAX, 20, "18446744073709551615"},
        {1009999, 5, "1.00M"},
        {12045678, 6, "12.04M"},
    };
    char text[24];
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_string_equal(xm_format_count(cases[i].count, cases[i].width, text, sizeof text),
                            cases[i].text);
    for (uint64_t n = 1; n < UINT64_MAX / 2; n += n / 3 + 1)
        for (int width = 5; width < 12; width++)
            assert_true((int)strlen(xm_format_count(n, width, text, sizeof text)) <= width);
}

static void others(void **state)
{
    char text[24];
    assert_string_equal(xm_format_percent(0, text, sizeof text), "0.0%");
    assert_string_equal(xm_format_percent(0.0001, text, sizeof text), "<0.1%");
    assert_string_equal(xm_format_percent(12.345, text, sizeof text), "12.3%");
    assert_string_equal(xm_format_percent(200, text, sizeof text), "200.0%");
    assert_string_equal(xm_format_number(0.0314, text, sizeof text), "0.031");
    assert_string_equal(xm_format_number(9.9999, text, sizeof text), "10.00");
    assert_string_equal(xm_format_number(123.44, text, sizeof text), "123.4");
    assert_string_equal(xm_format_number(12345.4, text, sizeof text), "12345");
    assert_string_equal(xm_format_number(1e300 * 1e300, text, sizeof text), "-");
    assert_string_equal(xm_format_number(0, text, sizeof text), "0.000");
}

static void bytes(void **state)
{
    static const struct {
        double bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},         {999, "999 B"},       {999.4, "999 B"},    {999.6, "1.00 kB"}, {1250, "1.25 kB"},
        {9994, "9.99 kB"},  {9996, "10.0 kB"},    {99960, "100 kB"},   {1.25e6, "1.25 MB"}, {999499, "999 kB"},
        {123.4e9, "123 GB"}, {18446744073709551615.0, "18.4 EB"}, {-1, "-"}, {1e300 * 1e300, "-"},
    };
    char text[24];
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_string_equal(xm_format_bytes(cases[i].bytes, text, sizeof text), cases[i].text);
    for (double b = 1; b < 1.8e19; b *= 1.0371)
        assert_in_range(strlen(xm_format_bytes(b, text, sizeof text)), 3, 7);
}

static void cells(void **state)
{
    char text[24];
    struct xm_usage u = {
        .vcpus = 1, .window_ns = 2000000000, .running_ns = 500000000, .executions = 1000, .slices = 0};
    static const struct {
        const char *id, *text;
    } cases[] = {
        {"running_ns", "500.0 ms"}, {"running_pct", "25.0%"},      {"running_per_execution_ns", "500.0 us"},
        {"executions", "1000"},     {"executions_per_s", "500.0"}, {"allocated_avg_ns", "-"},
        {"io_count", "-"},          {"io_per_execution", "-"},     {"unknown_ns", "0 ns"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct xm_cell cell;
        const struct xm_column *column = xm_column_find(cases[i].id);
        column->get(&u, &cell);
        assert_string_equal(xm_format_cell(column, &cell, text, sizeof text), cases[i].text);
    }
}

static void names(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"web-1", "web-1"},
        {"", ""},
        {"a\nb\tc\x1b[31m", "a?b?c?[31m"},
        {"k\xc3\xa4se", "k\xc3\xa4se"},
        {"\xe2\x80\xae"
         "evil",
         "?evil"}, /* right-to-left override */
        {"a\xe2\x80\x8b"
         "b",
         "a?b"}, /* zero width space */
        {"\xc2\x9b"
         "31m",
         "?31m"}, /* C1 */
        {"\xff\xfe", "??"},
        {"\xe2\xa0\x80", "?"},     /* a braille pattern without dots */
        {"\xf0\x9d\x85\xb3", "?"}, /* begins a beam, and draws nothing */
        {"\xef\xb7\x90", "?"},     /* no character */
        {"\xf0\x9f\xbf\xbf", "?"}, /* no character */
        {"\xc0\xaf", "??"}, /* overlong */
        {"\xe0\x80\xaf", "???"},
        {"\xed\xa0\x80", "???"},      /* surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* past the last plane */
        {"cut\xe2\x82", "cut??"},
        {"\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7"},
    };
    char text[64];
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_string_equal(xm_format_name(cases[i].name, SIZE_MAX, text, sizeof text), cases[i].text);
    assert_string_equal(xm_format_name("abcdef", 3, text, sizeof text), "abc");
    assert_string_equal(xm_format_name("abc\xc3\xa4", SIZE_MAX, text, 5),
                        "abc"); /* cut at a whole character */
    assert_string_equal(xm_format_name("abc\xc3\xa4", SIZE_MAX, text, 6), "abc\xc3\xa4");
    text[0] = 'x';
    xm_format_name("abc", SIZE_MAX, text, 0);
    assert_int_equal(text[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations), cmocka_unit_test(counts), cmocka_unit_test(others),
        cmocka_unit_test(cells),     cmocka_unit_test(names),  cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
