/* SPDX-License-Identifier: MIT */
/* Characters of texts from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/text.h"

/* As RFC 3629 has it, without a look at whether the code may be written at all. */
static unsigned encode(uint32_t code, unsigned size, char *text)
{
    for (unsigned i = size - 1; i > 0; i--, code >>= 6)
        text[i] = (char)(0x80 | (code & 0x3f));
    text[0] = (char)(size == 1 ? code : (0xf00u >> size & 0xff) | code);
    text[size] = '\0';
    return size;
}

static unsigned size_of(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static void every_code_point_in_its_shortest_form(void **state)
{
    char text[8];
    for (uint32_t code = 0; code < 0x200000; code++) {
        bool may = code < 0xd800 || (code > 0xdfff && code < 0x110000);
        uint32_t found = UINT32_MAX;
        unsigned size = encode(code, size_of(code), text);
        assert_int_equal(xm_text_decode(text, 4, &found), may ? size : 0);
        if (may)
            assert_int_equal(found, code);
    }
}

static void no_other_form(void **state)
{
    char text[8];
    uint32_t found;
    for (uint32_t code = 0; code < 0x10000; code++)
        for (unsigned size = size_of(code) + 1; size <= 4; size++) {
            encode(code, size, text);
            assert_int_equal(xm_text_decode(text, 4, &found), 0);
        }
}

static void what_is_cut_is_no_character(void **state)
{
    static const uint32_t codes[] = {0xe4, 0x20ac, 0x1f600};
    char text[8];
    uint32_t found;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        unsigned size = encode(codes[i], size_of(codes[i]), text);
        for (unsigned left = 1; left < size; left++)
            assert_int_equal(xm_text_decode(text, left, &found), 0);
        for (unsigned at = 1; at < size; at++) {
            char cut[8];
            memcpy(cut, text, sizeof cut);
            cut[at] = '\0';
            assert_int_equal(xm_text_decode(cut, 4, &found), 0);
            cut[at] = 'a';
            assert_int_equal(xm_text_decode(cut, 4, &found), 0);
            cut[at] = (char)0xc3;
            assert_int_equal(xm_text_decode(cut, 4, &found), 0);
        }
    }
}

static void bytes_that_begin_nothing(void **state)
{
    uint32_t found;
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        const char text[] = {(char)lead, 'a', 'a', 'a', '\0'};
        assert_int_equal(xm_text_decode(text, 4, &found), 0);
    }
    for (unsigned lead = 0xf5; lead < 0x100; lead++) {
        const char text[] = {(char)lead, (char)0x80, (char)0x80, (char)0x80, (char)0x80, (char)0x80, '\0'};
        assert_int_equal(xm_text_decode(text, 6, &found), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_in_its_shortest_form),
        cmocka_unit_test(no_other_form),
        cmocka_unit_test(what_is_cut_is_no_character),
        cmocka_unit_test(bytes_that_begin_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
