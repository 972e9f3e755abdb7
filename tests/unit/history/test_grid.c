/* SPDX-License-Identifier: MIT */
/* Times as people write them, lines of a clock on the wall, and windows between samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "history/grid.h"

#define S    XM_NS_PER_S
#define NOON (UINT64_C(1795694400) * S) /* 2026-11-26T12:00:00Z */

static void zone(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"now", NOON},
        {"2026-11-26T12:00:00Z", NOON},
        {"2026-11-26 12:00", NOON},
        {"2026-11-26T13:00:00+01:00", NOON},
        {"2026-11-26T06:30:00-0530", NOON},
        {"12:00", NOON},
        {"12:00:01.5", NOON + S * 3 / 2},
        {"-2h", NOON - 7200 * S},
        {"10m", NOON - 600 * S},
        {"1.5s", NOON - S * 3 / 2},
        {"2026-11-26", NOON - 43200 * S},
        {"1d", NOON - 86400 * S},
        {"250ms", NOON - S / 4},
        {"1970-01-01T00:00:00Z", 0},
        {"5000w", 0},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "x",
                                      "12",
                                      "25:00",
                                      "12:61",
                                      "2026-02-31",
                                      "2026-13-01",
                                      "2026-11-26T",
                                      "-2x",
                                      "2h3",
                                      "2026-11-26 12:00 ",
                                      "1:2",
                                      "12:00:00.",
                                      "2026-11-26T12:00:00+1",
                                      "1e300h",
                                      "nan",
                                      "infs",
                                      "9999999-01-01",
                                      "1969-12-31T00:00:00Z",
                                      "2026-11-26T12:00:00Zx",
                                      "-now"};
    uint64_t ns;
    zone("UTC");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!xm_grid_read_time(good[i].text, NOON, &ns) || ns != good[i].ns)
            fail_msg("%s: %llu, not %llu", good[i].text, (unsigned long long)ns,
                     (unsigned long long)good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (xm_grid_read_time(bad[i], NOON, &ns))
            fail_msg("'%s' is a time: %llu", bad[i], (unsigned long long)ns);
}

static void times_are_written(void **state)
{
    char text[40];
    uint64_t back;
    zone("UTC");
    assert_string_equal(xm_grid_write_time(NOON + 12345678, text, sizeof text), "2026-11-26T12:00:00.012Z");
    zone("Europe/Berlin");
    assert_string_equal(xm_grid_write_time(NOON, text, sizeof text), "2026-11-26T13:00:00.000+01:00");
    assert_true(xm_grid_read_time(text, 0, &back) && back == NOON);
    zone("XXX5:30"); /* west of Greenwich */
    assert_string_equal(xm_grid_write_time(NOON, text, sizeof text), "2026-11-26T06:30:00.000-05:30");
    assert_true(xm_grid_read_time(text, 0, &back) && back == NOON);
}

/* For people: to the nearest second, as a sample at 11:59:59.998 is the one of noon; the zone by its name. */
static void times_for_people(void **state)
{
    char text[40];
    zone("UTC");
    assert_string_equal(xm_grid_write_short(NOON - 2000000, text, sizeof text), "2026-11-26 12:00:00");
    assert_string_equal(xm_grid_write_short(NOON + 499999999, text, sizeof text), "2026-11-26 12:00:00");
    assert_string_equal(xm_grid_write_short(NOON + 500000000, text, sizeof text), "2026-11-26 12:00:01");
    assert_string_equal(xm_grid_zone(text, sizeof text), "UTC");
    zone("Europe/Berlin");
    assert_string_equal(xm_grid_write_short(NOON, text, sizeof text), "2026-11-26 13:00:00");
    assert_string_equal(xm_grid_zone(text, sizeof text), "CET/CEST");
    zone("XXX5:30");
    assert_string_equal(xm_grid_write_short(NOON, text, sizeof text), "2026-11-26 06:30:00");
    assert_string_equal(xm_grid_zone(text, sizeof text), "XXX");
    assert_memory_equal(xm_grid_write_short(UINT64_MAX, text, sizeof text), "2255-", 5); /* as far as it goes */
}

static void lines_are_those_of_the_wall(void **state)
{
    const struct xm_grid hour = {XM_GRID_STEP, 3600 * S, 0}, day = {XM_GRID_DAY, 0, 0}, month = {XM_GRID_MONTH, 0, 0};
    zone("XXX-5:45"); /* Kathmandu's */
    assert_int_equal(xm_grid_floor(&hour, NOON), NOON - 45 * 60 * S);
    assert_int_equal(xm_grid_next(&hour, NOON), NOON + 15 * 60 * S);
    assert_int_equal(xm_grid_floor(&day, NOON), NOON - (17 * 3600 + 45 * 60) * S);
    zone("Europe/Berlin");
    /* The day on which clocks are put back has 25 hours. */
    uint64_t night = UINT64_C(1792879200) * S; /* 2026-10-25T00:00:00+02:00 */
    assert_int_equal(xm_grid_floor(&day, night + S), night);
    assert_int_equal(xm_grid_next(&day, night), night + 25 * 3600 * S);
    assert_int_equal(xm_grid_next(&month, night), night + (25 + 6 * 24) * UINT64_C(3600) * S);
    uint64_t at = night;
    for (int i = 0; i < 60; i++) { /* lines go on, each behind the one before, through the night */
        uint64_t next = xm_grid_next(&hour, at);
        assert_true(next > at && next - at <= 2 * 3600 * S);
        at = next;
    }
    assert_true(xm_grid_step_fits(S) && xm_grid_step_fits(3600 * S) && xm_grid_step_fits(86400 * S));
    assert_false(xm_grid_step_fits(0) || xm_grid_step_fits(7 * S) || xm_grid_step_fits(86401 * S));
}

/* Samples `gap` apart, the first at `at`. */
static size_t fill(struct xm_history_instant *i, size_t count, uint64_t at, uint64_t gap)
{
    for (size_t k = 0; k < count; k++)
        i[k] = (struct xm_history_instant){.sample = (int64_t)k + 1,
                                           .mono_ns = 5 * S + k * gap,
                                           .real_ns = at + k * gap,
                                           .window = (k + 1) * gap,
                                           .detail = true};
    return count;
}

static struct xm_history_window *cut(const struct xm_history_instant *i, size_t n, struct xm_grid grid,
                                     uint64_t from, uint64_t to, size_t *count)
{
    struct xm_history_window *w;
    assert_int_equal(xm_history_windows(i, n, &grid, from, to, &w, count, NULL), XM_OK);
    return w;
}

static void windows_follow_each_other(void **state)
{
    static struct xm_history_instant i[4000];
    size_t count, n = fill(i, 4000, NOON + 700 * S + 400000000, S);
    zone("UTC");
    struct xm_history_window *w = cut(i, n, (struct xm_grid){XM_GRID_STEP, 600 * S, 0}, 0, UINT64_MAX, &count);
    assert_int_equal(count, 7);
    assert_int_equal(w[0].from, 0);
    assert_int_equal(w[0].line_ns, NOON + 600 * S);
    assert_int_equal(w[6].to, n - 1);
    assert_int_equal(w[6].end_line_ns, NOON + 4800 * S);
    for (size_t k = 1; k < count; k++) {
        assert_int_equal(w[k].from, w[k - 1].to);
        assert_int_equal(w[k].line_ns, NOON + (600 + 600 * k) * S);
        /* The nearest sample is never half a second off. */
        assert_true(w[k].from_ns + S / 2 >= w[k].line_ns && w[k].from_ns <= w[k].line_ns + S / 2);
    }
    free(w);
    w = cut(i, n, (struct xm_grid){XM_GRID_WHOLE, 0, 0}, 0, UINT64_MAX, &count);
    assert_true(count == 1 && w[0].from == 0 && w[0].to == n - 1);
    free(w);
    w = cut(i, n, (struct xm_grid){XM_GRID_WHOLE, 0, 0}, NOON + 800 * S, NOON + 900 * S, &count);
    assert_true(count == 1 && w[0].to - w[0].from == 100 && w[0].line_ns == NOON + 800 * S);
    free(w);
    static const uint64_t nowhere[][2] = {{0, NOON}, {NOON + 5000 * S, UINT64_MAX}};
    for (size_t k = 0; k < 2; k++) {
        w = cut(i, n, (struct xm_grid){XM_GRID_STEP, S, 0}, nowhere[k][0], nowhere[k][1], &count);
        assert_int_equal(count, 0);
        free(w);
    }
    w = cut(i, 1, (struct xm_grid){XM_GRID_STEP, S, 0}, 0, UINT64_MAX, &count);
    assert_int_equal(count, 0);
    free(w);
    w = cut(i, 0, (struct xm_grid){XM_GRID_STEP, S, 0}, 0, UINT64_MAX, &count);
    assert_int_equal(count, 0);
    free(w);
}

/* Lines from any moment on, so far apart: what no clock on the wall has. */
static void even_lines(void **state)
{
    static struct xm_history_instant i[100];
    const struct xm_grid grid = {XM_GRID_EVEN, 7 * S, NOON + 3 * S};
    size_t count, n = fill(i, 100, NOON, S);
    zone("Europe/Berlin");
    assert_int_equal(xm_grid_floor(&grid, NOON + 2 * S), 0);
    assert_int_equal(xm_grid_next(&grid, NOON + 2 * S), NOON + 3 * S);
    assert_int_equal(xm_grid_floor(&grid, NOON + 3 * S), NOON + 3 * S);
    assert_int_equal(xm_grid_floor(&grid, NOON + 17 * S - 1), NOON + 10 * S);
    assert_int_equal(xm_grid_next(&grid, NOON + 10 * S), NOON + 17 * S);
    struct xm_history_window *w = cut(i, n, grid, NOON + 3 * S, NOON + 33 * S, &count);
    assert_int_equal(count, 5);
    for (size_t k = 0; k < 4; k++)
        assert_true(w[k].line_ns == NOON + (3 + 7 * k) * S && w[k].to - w[k].from == 7);
    assert_true(w[4].end_line_ns == NOON + 33 * S && w[4].to - w[4].from == 2);
    free(w);
}

/* Where samples are further apart than lines, a window stands for all the lines that it spans. */
static void thinned_samples(void **state)
{
    static struct xm_history_instant i[100];
    size_t count, n = fill(i, 100, NOON, 3600 * S);
    zone("UTC");
    struct xm_history_window *w = cut(i, n, (struct xm_grid){XM_GRID_STEP, S, 0}, 0, UINT64_MAX, &count);
    assert_int_equal(count, 99);
    for (size_t k = 0; k < count; k++) {
        assert_true(w[k].from == k && w[k].to == k + 1);
        assert_int_equal(w[k].end_line_ns - w[k].line_ns, 3600 * S);
        assert_int_equal(w[k].line_ns, NOON + k * 3600 * S);
    }
    free(w);
}

/*
 * The wall clock is set back by half an hour, and later forward: no window is negative, none is lost, none
 * is counted twice.
 */
static void a_clock_that_is_set(void **state)
{
    static struct xm_history_instant i[7200];
    size_t count, n = fill(i, 7200, NOON, S);
    zone("UTC");
    for (size_t k = 3000; k < n; k++)
        i[k].real_ns -= 1800 * S;
    for (size_t k = 5000; k < n; k++)
        i[k].real_ns += 7200 * S;
    struct xm_history_window *w = cut(i, n, (struct xm_grid){XM_GRID_STEP, 600 * S, 0}, 0, UINT64_MAX, &count);
    uint64_t sum = 0;
    unsigned stepped = 0;
    for (size_t k = 0; k < count; k++) {
        assert_true(w[k].to > w[k].from && w[k].to_ns > w[k].from_ns && w[k].end_line_ns > w[k].line_ns);
        assert_int_equal(w[k].from, k ? w[k - 1].to : 0);
        sum += i[w[k].to].mono_ns - i[w[k].from].mono_ns;
        stepped += w[k].stepped;
    }
    assert_int_equal(sum, i[n - 1].mono_ns - i[0].mono_ns);
    assert_int_equal(stepped, 2);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(times_are_written), cmocka_unit_test(times_for_people),
        cmocka_unit_test(lines_are_those_of_the_wall),
        cmocka_unit_test(windows_follow_each_other),
        cmocka_unit_test(even_lines), cmocka_unit_test(thinned_samples),
        cmocka_unit_test(a_clock_that_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
