/* SPDX-License-Identifier: MIT */
/* Bars, strips and histograms: widths and sums are exact, and what is not 0 is seen. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake.h"
#include "front/terminal/chart.h"
#include "front/feed/digest.h"

#define MS UINT64_C(1000000)

static int make(void **state)
{
    struct xm_grid *grid = calloc(1, sizeof *grid);
    if (!grid)
        return -1;
    setlocale(LC_CTYPE, "C.UTF-8");
    grid->utf8 = true;
    *state = grid;
    return xm_grid_resize(grid, 100, 12) == XM_OK ? 0 : -1;
}

static int drop(void **state)
{
    struct xm_grid *grid = *state;
    xm_grid_fini(grid);
    free(grid);
    return 0;
}

/* ---- Shares. */

static void test_share(void **state)
{
    static const struct {
        uint64_t part[5];
        unsigned cells;
        unsigned share[5];
    } cases[] = {
        {{50, 25, 25, 0, 0}, 20, {10, 5, 5, 0, 0}},   {{1, 1, 1, 0, 0}, 10, {4, 3, 3, 0, 0}},
        {{1000000, 1, 1, 0, 1}, 10, {7, 1, 1, 0, 1}}, {{0, 0, 0, 0, 0}, 10, {0, 0, 0, 0, 0}},
        {{5, 0, 0, 0, 0}, 10, {10, 0, 0, 0, 0}},      {{UINT64_MAX, UINT64_MAX, 0, 0, 0}, 8, {4, 4, 0, 0, 0}},
        {{60, 30, 10, 0, 0}, 2, {1, 1, 0, 0, 0}}, /* not room for all: the largest */
        {{7, 3, 0, 0, 0}, 0, {0, 0, 0, 0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned share[5];
        xm_chart_share(cases[i].part, 5, cases[i].cells, share);
        for (unsigned k = 0; k < 5; k++)
            assert_int_equal(share[k], cases[i].share[k]);
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Whatever the parts: a full bar is full, nothing that is there is unseen, and nothing is off by more than it
 * must. */
static void test_share_property(void **state)
{
    uint64_t seed = 20261126;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t part[5];
        unsigned share[5];
        uint64_t sum = 0;
        unsigned total = 0;
        unsigned there = 0;
        unsigned cells = (unsigned)(next(&seed) % 120);
        for (unsigned i = 0; i < 5; i++) {
            part[i] = next(&seed) % 3 ? next(&seed) >> next(&seed) % 31 : 0;
            sum += part[i];
            there += part[i] != 0;
        }
        xm_chart_share(part, 5, cells, share);
        for (unsigned i = 0; i < 5; i++) {
            total += share[i];
            assert_true(part[i] || share[i] == 0);
            if (there <= cells && part[i])
                assert_true(share[i] >= 1);
            if (there <= cells && sum)
                assert_true((double)share[i] > (double)part[i] / (double)sum * cells - 5);
        }
        assert_int_equal(total, sum ? cells : 0);
    }
}

/* ---- Bars. */

static void test_bar(void **state)
{
    static const struct {
        uint64_t part, whole;
        const char *utf8, *ascii;
    } bars[] = {
        {0, 100, "    ", "    "},
        {100, 100, "\u2588\u2588\u2588\u2588", "####"},
        {50, 100, "\u2588\u2588  ", "##  "},
        {1, 1000000, "\u258f   ", "#   "},                     /* tiny, and seen */
        {999999, 1000000, "\u2588\u2588\u2588\u2589", "### "}, /* nearly all is not all */
        {200, 100, "\u2588\u2588\u2588\u2588", "####"},
        {3, 32, "\u258d   ", "#   "},
        {7, 0, "    ", "    "},
        {UINT64_MAX / 2, UINT64_MAX, "\u2588\u2588  ", "##  "},
    };
    const struct xm_grid *grid = *state;
    for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
        char text[64];
        assert_string_equal(xm_chart_bar(true, 4, bars[i].part, bars[i].whole, text, sizeof text),
                            bars[i].utf8);
        assert_int_equal(xm_grid_columns(grid, text), 4);
        assert_string_equal(xm_chart_bar(false, 4, bars[i].part, bars[i].whole, text, sizeof text),
                            bars[i].ascii);
    }
    /* Too small a buffer gets whole characters. */
    char little[8];
    assert_string_equal(xm_chart_bar(true, 4, 1, 1, little, sizeof little), "\u2588\u2588");
    assert_string_equal(xm_chart_bar(true, 4, 1, 1, little, 1), "");
}

static void test_level(void **state)
{
    (void)state;
    assert_string_equal(xm_chart_level(true, 0, 100), " ");
    assert_string_equal(xm_chart_level(true, 1, 100000), "\u2581");
    assert_string_equal(xm_chart_level(true, 50, 100), "\u2584");
    assert_string_equal(xm_chart_level(true, 100, 100), "\u2588");
    assert_string_equal(xm_chart_level(true, 300, 100), "\u2588");
    assert_string_equal(xm_chart_level(true, 3, 0), " ");
    const char *before = " ";
    for (uint64_t value = 1; value <= 7; value++) {
        const char *level = xm_chart_level(false, value, 7);
        assert_int_equal(strlen(level), 1);
        assert_true(strcmp(level, before) != 0);
        before = level;
    }
    assert_string_equal(before, "#");
}

/* ---- States. */

static const char *row(const struct xm_grid *grid, unsigned y)
{
    static char text[4096];
    return fake_line(grid, y, text);
}

static void test_states(void **state)
{
    struct xm_grid *grid = *state;
    const uint64_t part[XM_CHART_STATES] = {[XM_CHART_RUNNING] = 40,
                                            [XM_CHART_WAITING] = 30,
                                            [XM_CHART_BLOCKED] = 20,
                                            [XM_CHART_OFFLINE] = 5,
                                            [XM_CHART_UNKNOWN] = 5};
    xm_chart_states(grid, 2, 22, 0, part);
    assert_string_equal(
        row(grid, 0), "  \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2592\u2592\u2592\u2592\u2592\u2592"
                      "\u00b7\u00b7\u00b7\u00b7 ?");
    assert_int_equal(grid->cells[2].meaning, XM_MEANING_RUNNING);
    assert_int_equal(grid->cells[10].meaning, XM_MEANING_WAITING);
    assert_int_equal(grid->cells[16].meaning, XM_MEANING_BLOCKED);
    assert_int_equal(grid->cells[21].meaning, XM_MEANING_UNKNOWN);
    grid->utf8 = false;
    xm_chart_states(grid, 0, 20, 1, part);
    assert_string_equal(row(grid, 1), "########wwwwww....-?");
    xm_chart_states(grid, 90, 140, 2, part); /* past the edge */
    xm_chart_states(grid, 30, 20, 3, part);
    assert_string_equal(row(grid, 3), "");
}

/* Each state has a glyph of its own, in both. */
static void test_glyphs(void **state)
{
    (void)state;
    for (unsigned utf8 = 0; utf8 < 2; utf8++)
        for (unsigned a = 0; a < XM_CHART_STATES; a++)
            for (unsigned b = a + 1; b < XM_CHART_STATES; b++)
                assert_string_not_equal(xm_chart_glyph((enum xm_chart_state)a, utf8),
                                        xm_chart_glyph((enum xm_chart_state)b, utf8));
}

static void test_strip(void **state)
{
    struct xm_grid *grid = *state;
    const struct xm_chart_moment moment[] = {
        {false, {0}},
        {true, {1000, 0, 0, 0, 0}},
        {true, {500, 250, 250, 0, 0}},
        {true, {999, 1, 0, 0, 0}}, /* a moment's wait is seen */
        {true, {1, 0, 999, 0, 0}}, /* and so is a moment's run */
        {true, {0, 0, 0, 0, 1000}},
        {true, {0, 1000, 0, 0, 0}},
        {true, {0, 0, 0, 0, 0}},
    };
    xm_chart_strip(grid, 0, 8, 0, 4, moment, 8);
    assert_string_equal(row(grid, 0), " \u2588\u00b7\u2591\u00b7?\u2592");
    assert_string_equal(row(grid, 1), " \u2588\u2592\u2588\u00b7?\u2592");
    assert_string_equal(row(grid, 2), " \u2588\u2588\u2588\u00b7?\u2592");
    assert_string_equal(row(grid, 3), " \u2588\u2588\u2588\u2581?\u2592");
    grid->utf8 = false;
    xm_chart_strip(grid, 10, 18, 0, 4, moment, 8);
    assert_string_equal(row(grid, 0) + strlen(row(grid, 0)) - 6, "#.w.?w");
    assert_string_equal(row(grid, 3) + strlen(row(grid, 3)) - 6, "####?w");
    /* The newest is at the right, however few there are. */
    xm_grid_clear(grid);
    xm_chart_strip(grid, 0, 3, 0, 1, moment, 7);
    assert_string_equal(row(grid, 0), "#?w");
    xm_grid_clear(grid);
    xm_chart_strip(grid, 0, 12, 0, 1, moment, 7);
    assert_string_equal(row(grid, 0), "      ####?w");
}

/* A strip stays within its rows and columns, and fills a known column up. */
static void test_strip_property(void **state)
{
    struct xm_grid *grid = *state;
    uint64_t seed = 7;
    for (unsigned round = 0; round < 4000; round++) {
        struct xm_chart_moment moment[60];
        unsigned rows = 1 + (unsigned)(next(&seed) % 8);
        for (unsigned i = 0; i < 60; i++) {
            unsigned left = 1000;
            moment[i] = (struct xm_chart_moment){.known = next(&seed) % 4 != 0};
            for (unsigned k = 0; k + 1 < XM_CHART_STATES; k++) {
                unsigned part = next(&seed) % 2 ? (unsigned)(next(&seed) % (left + 1)) : 0;
                moment[i].part[k] = (uint16_t)part;
                left -= part;
            }
            moment[i].part[XM_CHART_BLOCKED] = (uint16_t)(moment[i].part[XM_CHART_BLOCKED] + left);
            moment[i].part[XM_CHART_OFFLINE] = 0;
        }
        grid->utf8 = round % 2;
        xm_grid_clear(grid);
        xm_chart_strip(grid, 20, 80, 2, rows, moment, 60);
        for (unsigned y = 0; y < grid->height; y++) {
            for (unsigned x = 0; x < grid->width; x++) {
                bool inside = x >= 20 && x < 80 && y >= 2 && y < 2 + rows && moment[x - 20].known;
                const char *text = grid->cells[y * grid->width + x].text;
                uint16_t sum = 0;
                for (unsigned k = 0; inside && k < XM_CHART_STATES; k++)
                    sum = (uint16_t)(sum + moment[x - 20].part[k]);
                assert_int_equal(strcmp(text, " ") != 0, inside && sum);
            }
        }
        for (unsigned x = 20; x < 80; x++) {
            bool waits = false;
            for (unsigned y = 2; y < 2 + rows; y++)
                waits = waits || grid->cells[y * grid->width + x].meaning == XM_MEANING_WAITING;
            if (moment[x - 20].known && rows > 1)
                assert_int_equal(waits, moment[x - 20].part[XM_CHART_WAITING] != 0);
        }
    }
}

/* ---- Distributions. */

static unsigned index_of(uint64_t value)
{
    unsigned e = 63u - (unsigned)__builtin_clzll(value | 32);
    return ((e - 5) << 5) + (unsigned)(value >> (e - 5));
}

static void fill(uint64_t counts[XM_HIST_BUCKETS])
{
    memset(counts, 0, XM_HIST_BUCKETS * sizeof counts[0]);
    counts[index_of(500)] = 10;       /* 0.5 us */
    counts[index_of(30 * 1000)] = 50; /* 30 us */
    counts[index_of(3 * MS)] = 39;    /* 3 ms */
    counts[index_of(40000 * MS)] = 1; /* 40 s */
}

static void test_bins(void **state)
{
    uint64_t counts[XM_HIST_BUCKETS];
    struct xm_scale scale;
    struct xm_chart_bins bins;
    char text[24];
    (void)state;
    assert_true(xm_scale_init(&scale, XM_NS_PER_S));
    fill(counts);
    for (unsigned fine = 0; fine < 2; fine++) {
        uint64_t sum = 0;
        xm_chart_bins(counts, &scale, fine, &bins);
        assert_int_equal(bins.count, fine ? 23 : 9);
        assert_int_equal(bins.total, 100);
        for (unsigned i = 0; i < bins.count; i++)
            sum += bins.n[i];
        assert_int_equal(sum, 100);
        assert_int_equal(bins.n[0], 10);
        assert_int_equal(bins.n[xm_chart_bin_of(&bins, 30000)], 50);
        assert_int_equal(bins.n[xm_chart_bin_of(&bins, 3 * MS)], 39);
        assert_int_equal(bins.n[bins.count - 1], 1);
        assert_string_equal(xm_chart_bin_name(&bins, 0, text, sizeof text), "<1 us");
        assert_string_equal(xm_chart_bin_name(&bins, bins.count - 1, text, sizeof text), ">=10 s");
        for (unsigned i = 1; i < bins.count; i++) {
            assert_true(bins.low_ns[i] > bins.low_ns[i - 1]);
            assert_true(strlen(xm_chart_bin_name(&bins, i, text, sizeof text)) <= 6);
        }
    }
    assert_string_equal(xm_chart_bin_name(&bins, xm_chart_bin_of(&bins, 499 * MS), text, sizeof text),
                        "200 ms");
    assert_string_equal(xm_chart_bin_name(&bins, xm_chart_bin_of(&bins, 500 * MS), text, sizeof text),
                        "500 ms");
}

static void test_histogram_lines(void **state)
{
    struct xm_grid *grid = *state;
    uint64_t counts[XM_HIST_BUCKETS];
    struct xm_scale scale;
    struct xm_chart_bins bins;
    assert_true(xm_scale_init(&scale, XM_NS_PER_S));
    fill(counts);
    xm_chart_bins(counts, &scale, false, &bins);
    const struct xm_chart_marks marks = {30000, 3 * MS, 3 * MS};
    for (unsigned i = 0; i < bins.count; i++)
        xm_chart_histogram_line(grid, 0, 44, i, XM_MEANING_WAITING, &bins, i, &marks);
    assert_string_equal(row(grid, 0), " <1 us \u2588\u2588\u2588\u258e                 10  10.0%");
    assert_string_equal(row(grid, 1), "  1 us                       0   0.0%");
    assert_string_equal(
        row(grid, 2),
        " 10 us "
        "\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588"
        "     50  50.0% p50");
    assert_string_equal(
        row(grid, 4),
        "  1 ms \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u258c        "
        "39  39.0% p95,99");
    assert_string_equal(row(grid, 8), ">=10 s \u258d                     1   1.0%");
    grid->utf8 = false;
    xm_grid_clear(grid);
    xm_chart_histogram_line(grid, 0, 30, 0, XM_MEANING_WAITING, &bins, 2, &marks);
    assert_string_equal(row(grid, 0), " 10 us #########  50.0% p50");
    xm_chart_histogram_line(grid, 0, 20, 1, XM_MEANING_WAITING, &bins, 2, &marks);
    assert_string_equal(row(grid, 1), " 10 us ######  50.0%");
    xm_chart_histogram_line(grid, 0, 14, 2, XM_MEANING_WAITING, &bins, 2, &marks);
    assert_string_equal(row(grid, 2), " 10 us   50.0%");
    const struct xm_chart_marks same = {30000, 30000, 30000};
    xm_chart_histogram_line(grid, 0, 44, 3, XM_MEANING_WAITING, &bins, 2, &same);
    assert_non_null(strstr(row(grid, 3), "p50-99"));
    for (unsigned width = 0; width < 100; width++) { /* never outside its columns */
        xm_grid_clear(grid);
        xm_chart_histogram_line(grid, 3, 3 + width, 0, XM_MEANING_WAITING, &bins, 4, &marks);
        assert_true(strlen(row(grid, 0)) <= 3 + width);
        xm_chart_histogram_line(grid, 3, 3 + width, 0, XM_MEANING_WAITING, &bins, 99, &marks);
    }
}

static void test_digest_cells(void **state)
{
    (void)state;
    assert_int_equal(xm_digest_cell(0), 0);
    assert_int_equal(xm_digest_cell(999), 0);
    assert_int_equal(xm_digest_cell(1000), 1);
    assert_int_equal(xm_digest_cell(999999), 6);
    assert_int_equal(xm_digest_cell(MS), 7);
    assert_int_equal(xm_digest_cell(XM_NS_PER_S - 1), 12);
    assert_int_equal(xm_digest_cell(XM_NS_PER_S), 13);
    assert_int_equal(xm_digest_cell(UINT64_MAX), XM_DIGEST_CELLS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_share_property),
        cmocka_unit_test_setup_teardown(test_bar, make, drop),
        cmocka_unit_test(test_level),
        cmocka_unit_test_setup_teardown(test_states, make, drop),
        cmocka_unit_test(test_glyphs),
        cmocka_unit_test_setup_teardown(test_strip, make, drop),
        cmocka_unit_test_setup_teardown(test_strip_property, make, drop),
        cmocka_unit_test(test_bins),
        cmocka_unit_test_setup_teardown(test_histogram_lines, make, drop),
        cmocka_unit_test(test_digest_cells),
    };
    return cmocka_run_group_tests_name("front chart", tests, NULL, NULL);
}
