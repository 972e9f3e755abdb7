/* SPDX-License-Identifier: MIT */
/* Names that others chose come out as something that any screen can show. */
#include "region/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"

static const struct {
    const char *from;
    const char *to;
} cases[] = {
    {"web-1", "web-1"},
    {"", ""},
    {"D\xc3\xbcsseldorf \xe6\xbc\xa2 \xf0\x9f\x90\xa7", "D\xc3\xbcsseldorf \xe6\xbc\xa2 \xf0\x9f\x90\xa7"},
    {"a\033[2Jb", "a?[2Jb"},
    {"a\tb\nc\x7f", "a?b?c?"},
    {"a\xe2\x80\xae"
     "b",
     "a???b"}, /* right-to-left override */
    {"a\xe2\x80\x8b"
     "b",
     "a???b"}, /* zero width space */
    {"a\xef\xbb\xbf"
     "b",
     "a???b"},                    /* byte order mark */
    {"\xc2\x85", "??"},           /* a C1 control */
    {"\xe2\x81\xa6", "???"},      /* left-to-right isolate */
    {"\xe2\xa0\x80", "???"},      /* a braille pattern without dots */
    {"\xf0\x9d\x85\xb3", "????"}, /* begins a beam, and draws nothing */
    {"\xef\xb7\x90", "???"},      /* no character */
    {"\xf0\x9f\xbf\xbf", "????"}, /* no character */
    {"\xc0\xaf", "??"},           /* overlong */
    {"\xe0\x80\xaf", "???"},      /* overlong */
    {"\xf0\x80\x80\xaf", "????"}, /* overlong */
    {"\xed\xa0\x80", "???"},      /* surrogate */
    {"\xf4\x90\x80\x80", "????"}, /* past the last code point */
    {"\xf8\x88\x80\x80\x80", "?????"},
    {"\xff\xfe", "??"},
    {"a\xc3", "a?"}, /* cut */
    {"a\xe6\xbc", "a??"},
};

static void test_cases(void **state)
{
    (void)state;
    char to[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(to, 'x', sizeof to);
        xm_text_clean(to, sizeof to, cases[i].from, strlen(cases[i].from));
        assert_string_equal(to, cases[i].to);
        for (size_t k = strlen(to); k < sizeof to; k++)
            assert_int_equal(to[k], 0);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    char to[5];
    xm_text_clean(to, sizeof to, "abcdef", 6);
    assert_string_equal(to, "abcd");
    xm_text_clean(to, sizeof to, "abc\xc3\xbc", 5);
    assert_string_equal(to, "abc"); /* no half character */
    xm_text_clean(to, sizeof to, "ab", 1);
    assert_string_equal(to, "a");
    xm_text_clean(to, 1, "ab", 2);
    assert_string_equal(to, "");
}

/* Cleaning what is clean changes nothing, whatever the bytes were. */
static void test_random(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < 100000; i++) {
        char from[24];
        char once[32];
        char twice[32];
        for (size_t k = 0; k < sizeof from; k += 8) {
            uint64_t word = next_random(&seed);
            memcpy(from + k, &word, 8);
        }
        xm_text_clean(once, sizeof once, from, sizeof from);
        xm_text_clean(twice, sizeof twice, once, sizeof once);
        assert_string_equal(once, twice);
        assert_int_equal(strlen(once), strnlen(from, sizeof from));
        for (const char *c = once; *c; c++)
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
