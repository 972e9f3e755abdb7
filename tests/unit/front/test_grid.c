/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "front/terminal/grid.h"

static int make(void **state)
{
    struct xm_grid *grid = calloc(1, sizeof *grid);
    if (!grid || !setlocale(LC_CTYPE, "C.UTF-8"))
        return -1;
    grid->utf8 = true;
    *state = grid;
    return xm_grid_resize(grid, 10, 3) == XM_OK ? 0 : -1;
}

static int drop(void **state)
{
    xm_grid_fini(*state);
    free(*state);
    return 0;
}

static const char *line(const struct xm_grid *grid, unsigned y)
{
    static char text[256];
    xm_grid_line(grid, y, text, sizeof text);
    return text;
}

static void test_put(void **state)
{
    struct xm_grid *grid = *state;
    assert_int_equal(xm_grid_put(grid, 2, 1, XM_MEANING_RUNNING, "abc"), 5);
    assert_string_equal(line(grid, 0), "");
    assert_string_equal(line(grid, 1), "  abc");
    assert_int_equal(grid->cells[10 + 2].meaning, XM_MEANING_RUNNING);
    assert_int_equal(grid->cells[10 + 1].meaning, XM_MEANING_NORMAL);
}

static void test_put_beyond(void **state)
{
    struct xm_grid *grid = *state;
    assert_int_equal(xm_grid_put(grid, 8, 0, XM_MEANING_NORMAL, "abcd"), 12);
    assert_string_equal(line(grid, 0), "        ab");
    assert_string_equal(line(grid, 1), "");
    xm_grid_put(grid, 0, 3, XM_MEANING_NORMAL, "below");
    xm_grid_put(grid, 4000000000u, 0, XM_MEANING_NORMAL, "far");
    assert_string_equal(line(grid, 2), "");
    assert_string_equal(line(grid, 3), "");
}

static void test_right(void **state)
{
    struct xm_grid *grid = *state;
    xm_grid_put_right(grid, 10, 0, XM_MEANING_NORMAL, "12.3%");
    assert_string_equal(line(grid, 0), "     12.3%");
    xm_grid_put_right(grid, 3, 1, XM_MEANING_NORMAL, "12345");
    assert_string_equal(line(grid, 1), "345");
}

static void test_within(void **state)
{
    struct xm_grid *grid = *state;
    assert_int_equal(xm_grid_put_within(grid, 0, 5, 0, XM_MEANING_NORMAL, "abcde"), 5);
    assert_string_equal(line(grid, 0), "abcde");
    assert_int_equal(xm_grid_put_within(grid, 0, 5, 1, XM_MEANING_NORMAL, "abcdef"), 5);
    assert_string_equal(line(grid, 1), "abcd~");
    assert_int_equal(xm_grid_put_within(grid, 5, 5, 2, XM_MEANING_NORMAL, "x"), 5);
    assert_string_equal(line(grid, 2), "");
}

/* A character two columns wide, cut at the edge, and overwritten by half. */
static void test_wide(void **state)
{
    struct xm_grid *grid = *state;
    assert_int_equal(xm_grid_put(grid, 0, 0, XM_MEANING_NORMAL, "\xe4\xb8\xad\xe6\x96\x87z"), 5);
    assert_string_equal(line(grid, 0), "\xe4\xb8\xad\xe6\x96\x87z");
    assert_int_equal(xm_grid_columns(grid, "\xe4\xb8\xad\xe6\x96\x87z"), 5);
    xm_grid_put(grid, 1, 0, XM_MEANING_NORMAL, "x");
    assert_string_equal(line(grid, 0), " x\xe6\x96\x87z");
    xm_grid_put(grid, 2, 0, XM_MEANING_NORMAL, "y");
    assert_string_equal(line(grid, 0), " xy z");
    xm_grid_put(grid, 9, 1, XM_MEANING_NORMAL, "\xe4\xb8\xad");
    assert_string_equal(line(grid, 1), "");
}

static void test_combining(void **state)
{
    struct xm_grid *grid = *state;
    char many[64] = {'a'};
    assert_int_equal(xm_grid_put(grid, 0, 0, XM_MEANING_NORMAL, "e\xcc\x81q"), 2);
    assert_string_equal(line(grid, 0), "e\xcc\x81q");
    for (int i = 0; i < 20; i++)
        memcpy(many + 1 + 2 * i, "\xcc\x81", 2);
    assert_int_equal(xm_grid_put(grid, 0, 1, XM_MEANING_NORMAL, many), 1);
    assert_true(strlen(line(grid, 1)) < 15);
    /* Nothing to combine with: it is left out. */
    xm_grid_put(grid, 0, 2, XM_MEANING_NORMAL, "\xcc\x81z");
    assert_string_equal(line(grid, 2), "z");
}

static void test_not_printable(void **state)
{
    struct xm_grid *grid = *state;
    xm_grid_put(grid, 0, 0, XM_MEANING_NORMAL, "a\x1b[1m\x7f\xff");
    assert_string_equal(line(grid, 0), "a?[1m??");
    xm_grid_put(grid, 0, 1, XM_MEANING_NORMAL, "\xc0\xafx\xed\xa0\x80");
    assert_string_equal(line(grid, 1), "??x???");
    grid->utf8 = false;
    xm_grid_put(grid, 0, 2, XM_MEANING_NORMAL, "\xc3\xa4z");
    assert_string_equal(line(grid, 2), "?z");
}

static void test_resize(void **state)
{
    struct xm_grid *grid = *state;
    xm_grid_put(grid, 0, 0, XM_MEANING_NORMAL, "gone");
    assert_int_equal(xm_grid_resize(grid, 0, 0), XM_OK);
    xm_grid_put(grid, 0, 0, XM_MEANING_NORMAL, "x");
    xm_grid_mark(grid, 0, 9, 0, XM_MEANING_HEADER);
    assert_string_equal(line(grid, 0), "");
    assert_int_equal(xm_grid_resize(grid, 1000000, 2), XM_OK);
    assert_int_equal(grid->width, XM_GRID_MAX);
    assert_string_equal(line(grid, 0), "");
}

static void test_write(void **state)
{
    struct xm_grid *grid = *state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    xm_grid_put(grid, 1, 0, XM_MEANING_NORMAL, "one");
    xm_grid_print(grid, 0, 2, XM_MEANING_NORMAL, "%d", 3);
    assert_true(xm_grid_write(grid, out));
    fclose(out);
    assert_string_equal(text, " one\n\n3\n");
    free(text);
    out = fopen("/dev/full", "w");
    assert_non_null(out);
    setvbuf(out, NULL, _IONBF, 0);
    assert_false(xm_grid_write(grid, out));
    fclose(out);
}

static void test_short_buffer(void **state)
{
    struct xm_grid *grid = *state;
    char text[4];
    xm_grid_put(grid, 0, 0, XM_MEANING_NORMAL, "abcdef");
    assert_int_equal(xm_grid_line(grid, 0, text, sizeof text), 3);
    assert_string_equal(text, "abc");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_put),       TEST(test_put_beyond),    TEST(test_right),  TEST(test_within),
        TEST(test_wide),      TEST(test_combining),     TEST(test_not_printable),
        TEST(test_resize),    TEST(test_write),         TEST(test_short_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
