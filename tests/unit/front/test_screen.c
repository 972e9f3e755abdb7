/* SPDX-License-Identifier: MIT */
/* The screen as text, at the sizes people have. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include <cmocka.h>

#include "fake.h"
#include "front/screen/screen.h"

struct screen {
    struct fake fake;
    struct xm_choice choice;
    struct xm_grid grid;
    char text[4096];
};

/* Most of what follows looks at the paper's view, which has every figure. */
static void choose_paper(struct screen *s)
{
    xm_choice_init(&s->choice);
    s->choice.view = XM_VIEW_PAPER;
}

static int make(void **state)
{
    struct screen *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    setlocale(LC_CTYPE, "C.UTF-8");
    fake_make(&s->fake);
    choose_paper(s);
    s->grid.utf8 = true;
    *state = s;
    return 0;
}

static int drop(void **state)
{
    struct screen *s = *state;
    fake_free(&s->fake);
    xm_grid_fini(&s->grid);
    free(s);
    return 0;
}

static void build(struct screen *s, unsigned width, unsigned height)
{
    assert_int_equal(xm_grid_resize(&s->grid, width, height), XM_OK);
    xm_screen_build(&s->fake.model, &s->choice, true, &s->grid);
}

static const char *line(struct screen *s, unsigned y)
{
    return fake_line(&s->grid, y, s->text);
}

static bool has(struct screen *s, const char *what)
{
    char text[4096];
    for (unsigned y = 0; y < s->grid.height; y++)
        if (strstr(fake_line(&s->grid, y, text), what))
            return true;
    return false;
}

/* The meaning of the first character of `what` in row y. */
static enum xm_meaning meaning(struct screen *s, unsigned y, const char *what)
{
    const char *found = strstr(line(s, y), what);
    assert_non_null(found);
    return (enum xm_meaning)s->grid.cells[y * s->grid.width + (size_t)(found - s->text)].meaning;
}

/* Everything at once: what is where at 80x24. */
static void test_80x24(void **state)
{
    struct screen *s = *state;
    build(s, 80, 24);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0  some.trace  4321 rec/s  1.000 GHz");
    assert_string_equal(line(s, 1), " 1 Domains  2 vCPUs  3 pCPUs  4 Depth  5 Latency [6 Paper] ? Help");
    assert_int_equal(meaning(s, 1, "[6 Paper]"), XM_MEANING_TAB_HERE);
    assert_string_equal(line(s, 2), "Host [\u2588\u258b  ] 40.0% busy of 2 pCPUs  1.35 vCPUs waiting  some 100.0% of the time");
    assert_string_equal(line(s, 3), "Trace 10 s  0 lost  0.0% unknown");
    assert_string_equal(line(s, 4), "Paper on all CPUs (2)  % of the vCPUs' time  every 1 s starved: dom 7 1-14 of 24");
    assert_string_equal(line(s, 5), "            last execution             1 s                       10 s");
    assert_string_equal(line(s, 6), "              total      %      total      %    /exec      total      %    /exec");
    assert_string_equal(line(s, 7), "Domain-0 (dom 0)  2 vCPUs: 2 blocked");
    assert_string_equal(line(s, 8), "Gotten            -      -   300.0 ms  15.0% 1.500 ms    3.000 s  15.0% 1.500 ms");
    assert_string_equal(line(s, 9), "Allocated         -                 1..10 ms 5.000 ms          1..10 ms 5.000 ms");
    assert_string_equal(line(s, 10), "Waited            -      -   100.0 ms   5.0% 500.0 us    1.000 s   5.0% 500.0 us");
    assert_string_equal(line(s, 11), "Blocked           -      -    1.600 s  80.0% 8.000 ms    16.00 s  80.0% 8.000 ms");
    assert_string_equal(line(s, 12), " per I/O          -                          32.00 ms                   32.00 ms");
    assert_string_equal(line(s, 13), "Executions                        200  200/s                2000  200/s");
    assert_string_equal(line(s, 14), "I/O count         -                50 50.0/s    0.250        500 50.0/s    0.250");
    assert_string_equal(line(s, 15), "web (dom 1)  1 vCPU: 1 running");
    assert_string_equal(line(s, 16), "Gotten     2.000 ms  50.0%   500.0 ms  50.0% 5.000 ms    5.000 s  50.0% 5.000 ms");
    assert_string_equal(line(s, 17), "Allocated  5.000 ms                 1..10 ms 5.000 ms          1..10 ms 5.000 ms");
    assert_string_equal(line(s, 21), "All   1 s  running  20.0%  waiting  33.8%  blocked  46.2%  CPUs idle  60.0%");
    assert_string_equal(line(s, 22), "All  10 s  running  20.0%  waiting  33.8%  blocked  46.2%  CPUs idle  60.0%");
    assert_string_equal(line(s, 23), "q quit  ? help  Tab view  j scroll  b rows  c CPU  u units  z freeze  t time");
}

/* A domain that got no CPU is on the screen, and says that it waited. */
static void test_starved(void **state)
{
    struct screen *s = *state;
    s->choice.scroll = 1000;
    build(s, 80, 24);
    assert_int_equal(s->choice.scroll, 24 - 14);
    unsigned y = fake_find(&s->grid, 4, "dom 7  1 vCPU: 1 waiting");
    assert_string_equal(line(s, y + 1), "Gotten            -      -       0 ns   0.0%        -       0 ns   0.0%        -");
    assert_string_equal(line(s, y + 3), "Waited            -      -    1.000 s 100.0%        -    10.00 s 100.0%        -");
    assert_string_equal(line(s, y + 2), "Allocated         -                        -        -                 -        -");
}

static void test_meanings(void **state)
{
    struct screen *s = *state;
    build(s, 80, 24);
    assert_int_equal(meaning(s, 16, "500.0 ms"), XM_MEANING_RUNNING);
    assert_int_equal(meaning(s, 18, "250.0 ms"), XM_MEANING_WAITING);
    assert_int_equal(meaning(s, 19, "250.0 ms"), XM_MEANING_BLOCKED);
    assert_int_equal(meaning(s, 5, "10 s"), XM_MEANING_HEADER);
    assert_int_equal(meaning(s, 15, "web"), XM_MEANING_SUBJECT);
    assert_int_equal(meaning(s, 23, "q"), XM_MEANING_KEY);
    assert_int_equal(meaning(s, 8, "-"), XM_MEANING_FAINT);
}

/* What no record could have shown is "-", never 0. */
static void test_io_not_seen(void **state)
{
    struct screen *s = *state;
    for (unsigned i = 0; i < XM_SPANS; i++)
        s->fake.model.window[i].io_seen = 0;
    build(s, 80, 30);
    assert_string_equal(line(s, fake_find(&s->grid, 0, "I/O count")),
                        "I/O count         -                 -      -        -          -      -        -");
    assert_string_equal(line(s, fake_find(&s->grid, 0, " per I/O")),
                        " per I/O          -                                 -                          -");
}

/* Slices in the larger one's unit; all of one length need no range. */
static void test_slices(void **state)
{
    static const struct {
        uint64_t min_ns, max_ns;
        const char *text;
    } slices[] = {{1000000, 10000000, " 1..10 ms "},      {30000000, 30000000, "  30 ms "},
                  {500000, 9876543, " 0.5..9.877 ms "},   {250, 812, " 250..812 ns "},
                  {1234567, 29999999, " 1.235..30 ms "},  {100, 2500000000, " 0..2.5 s "}};
    struct screen *s = *state;
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        s->fake.to.domain[FAKE_WEB].slice_min = slices[i].min_ns;
        s->fake.to.domain[FAKE_WEB].slice_max = slices[i].max_ns;
        build(s, 80, 24);
        assert_non_null(strstr(line(s, 17), slices[i].text));
    }
}

static void test_one_cpu_units(void **state)
{
    struct screen *s = *state;
    s->choice.units = XM_UNITS_OF_ONE;
    build(s, 80, 24);
    assert_true(has(s, "% of one CPU's time"));
    assert_string_equal(line(s, 8), "Gotten            -      -   300.0 ms  30.0% 1.500 ms    3.000 s  30.0% 1.500 ms");
    assert_string_equal(line(s, 11), "Blocked           -      -    1.600 s 160.0% 8.000 ms    16.00 s 160.0% 8.000 ms");
    assert_string_equal(line(s, 21), "All   1 s  running  80.0%  waiting 135.0%  blocked 185.0%  CPUs idle 120.0%");
}

/* One pCPU: what was had there, waits that ended there, and blocked the domain's own. */
static void test_one_cpu(void **state)
{
    struct screen *s = *state;
    s->choice.one_cpu = true;
    s->choice.cpu = 0;
    build(s, 80, 24);
    build(s, 120, 24);
    assert_true(has(s, "Paper on CPU 0  % of its time; waits that ended here; * on any CPU"));
    build(s, 80, 34);
    unsigned y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 1), "Gotten     2.000 ms  50.0%   200.0 ms  20.0% 3.333 ms    2.000 s  20.0% 3.333 ms");
    assert_string_equal(line(s, y + 3), "Waited     1.000 ms  25.0%   250.0 ms  25.0% 4.167 ms    2.500 s  25.0% 4.167 ms");
    assert_string_equal(line(s, y + 4), "Blocked*   1.000 ms  25.0%   250.0 ms  25.0%             2.500 s  25.0%");
    assert_string_equal(line(s, y + 5), " per I/O*         -                          5.000 ms                   5.000 ms");
    assert_string_equal(line(s, y + 6), "Executions                         60 60.0/s                 600 60.0/s");
    assert_string_equal(line(s, y + 7), "I/O count*        0                50 50.0/s                 500 50.0/s");
    assert_string_equal(line(s, 31), "All   1 s  running  50.0%  waiting  35.0%  blocked*  46.2%  CPU idle  50.0%");
    s->choice.cpu = 2;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, fake_find(&s->grid, 0, "web (dom 1)") + 1), "300.0 ms  30.0% 7.500 ms"));
    s->choice.cpu = 1;
    build(s, 80, 24);
    assert_true(has(s, "CPU 1 (not seen)"));
    assert_string_equal(line(s, 8), "Gotten            -      -          -      -        -          -      -        -");
}

/* Who had ended before a window began is in no sum over it: not among the totals, not in what is unknown. */
static void test_ended_totals(void **state)
{
    struct screen *s = *state;
    struct xm_domain_row *row = &s->fake.to.domain[FAKE_STARVED];
    row->unknown = s->fake.to.domain[FAKE_STARVED].runnable;
    row->runnable = 0;
    for (unsigned i = 0; i < XM_SPANS; i++)
        s->fake.from[i].domain[FAKE_STARVED].runnable = 0;
    row->ended = 1;
    s->fake.from[XM_SPAN_1S].domain[FAKE_STARVED].ended = 1;
    build(s, 120, 40);
    /* Over 1 s the other three vCPUs only; over 10 s it was there. */
    assert_true(has(s, "All   1 s  running  26.7%  waiting  11.7%  blocked  61.7%"));
    assert_true(has(s, "All  10 s  running  20.0%  waiting   8.8%  blocked  46.2%"));
    assert_true(has(s, "of the time unknown (10 s)"));
    s->fake.from[XM_SPAN_10S].domain[FAKE_STARVED].ended = 1;
    build(s, 120, 40);
    assert_true(has(s, "All  10 s  running  26.7%  waiting  11.7%  blocked  61.7%"));
    assert_false(has(s, "of the time unknown (10 s)"));
}

/* A sample of the slow series has neither pairs nor what drivers did: that is not 0. */
static void test_coarse(void **state)
{
    struct screen *s = *state;
    s->fake.model.coarse = true;
    s->choice.one_cpu = true;
    s->choice.cpu = 0;
    build(s, 80, 40);
    unsigned y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 1), "Gotten            -      -          -      -        -          -      -        -");
    assert_string_equal(line(s, y + 3), "Waited            -      -          -      -        -          -      -        -");
    assert_string_equal(line(s, y + 4), "Blocked*          -      -   250.0 ms  25.0%             2.500 s  25.0%");
    assert_string_equal(line(s, y + 6), "Executions                          -      -                   -      -");
    assert_string_equal(line(s, y + 7), "I/O count*        -                 -      -                   -      -");
    assert_true(has(s, "All   1 s  running      -  waiting      -  blocked"));
    assert_true(has(s, "CPU idle  50.0%"));
    s->choice.one_cpu = false;
    build(s, 80, 40);
    y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_non_null(strstr(line(s, y + 1), "-      -   500.0 ms  50.0%"));
    assert_non_null(strstr(line(s, y + 7), "-                 -      -        -"));
    assert_true(has(s, "All   1 s  running  20.0%  waiting  33.8%"));
    /* Nor is anything known of a pCPU that has not been seen. */
    s->fake.model.coarse = false;
    s->choice.one_cpu = true;
    s->choice.cpu = 1;
    s->choice.units = XM_UNITS_OF_ONE;
    build(s, 80, 40);
    assert_true(has(s, "All   1 s  running      -  waiting      -  blocked"));
    assert_true(has(s, "CPU idle      -"));
}

static void test_rows_off(void **state)
{
    static const struct {
        enum xm_screen_rows rows;
        const char *label;
    } groups[] = {{XM_ROWS_ALLOCATED, "Allocated"}, {XM_ROWS_WAITED, "Waited"}, {XM_ROWS_BLOCKED, "per I/O"},
                  {XM_ROWS_EXECUTIONS, "Executions"}, {XM_ROWS_IO, "I/O count"}};
    struct screen *s = *state;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        choose_paper(s);
        build(s, 80, 40);
        assert_true(has(s, groups[i].label));
        s->choice.rows[groups[i].rows] = false;
        build(s, 80, 40);
        assert_false(has(s, groups[i].label));
        assert_true(has(s, "Gotten"));
    }
}

static void test_40x10(void **state)
{
    struct screen *s = *state;
    build(s, 40, 10);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0  some.trace");
    assert_string_equal(line(s, 1), "Paper  % of vCPUs    1 starved 1-6 of 24");
    assert_string_equal(line(s, 2), "                  1 s  1 s %    /exec +5");
    assert_string_equal(line(s, 3), "Domain-0 (dom 0)  2 vCPUs: 2 blocked");
    assert_string_equal(line(s, 4), "Gotten       300.0 ms  15.0% 1.500 ms");
    assert_string_equal(line(s, 5), "Allocated           1..10 ms 5.000 ms");
    assert_string_equal(line(s, 9), "q quit  ? help  Tab view  j scroll");
}

static void test_20x5(void **state)
{
    struct screen *s = *state;
    build(s, 20, 5);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0");
    assert_string_equal(line(s, 1), "            1 s % +7");
    assert_string_equal(line(s, 2), "Domain-0 (dom 0)  2");
    assert_string_equal(line(s, 3), "Gotten      15.0%");
    assert_int_equal(s->choice.page, 3);
    s->fake.to.host.lost_records = 5;
    build(s, 20, 5);
    assert_string_equal(line(s, 1), "5 records lost (5 i>");
    assert_int_equal(s->choice.page, 2);
}

static void test_200x60(void **state)
{
    struct screen *s = *state;
    build(s, 200, 60);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0  some.trace  4321 rec/s  1.000 GHz  (replay, TSC rate from the trace)");
    assert_non_null(strstr(line(s, 5), "last execution"));
    unsigned y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 1), "Gotten           2.000 ms  50.0%   500.0 ms  50.0% 5.000 ms    5.000 s  50.0% 5.000 ms");
    assert_non_null(strstr(line(s, y + 6), "Execution count"));
    assert_true(has(s, "dom 7"));
    assert_false(has(s, " of 24"));
    assert_true(has(s, "busy  40.0%"));
}

/* Whatever the size: nothing is written outside, and there is something to read. */
static void test_all_sizes(void **state)
{
    struct screen *s = *state;
    s->fake.to.host.lost_records = 5;
    for (unsigned view = 0; view < 3; view++) {
        s->choice.view = (enum xm_screen_view)view;
        for (unsigned width = 1; width < 130; width += width < 24 ? 1 : 7) {
            for (unsigned height = 1; height < 50; height += height < 24 ? 1 : 5) {
                build(s, width, height);
                assert_true(line(s, 0)[0] != '\0');
                assert_true(s->choice.page >= 1 && s->choice.page <= height);
                if (width < XM_SCREEN_MIN_WIDTH && width > 6)
                    assert_true(strncmp(line(s, 0), "1", 1) == 0 || strstr(line(s, 0), "x"));
                if (width >= XM_SCREEN_MIN_WIDTH && height >= XM_SCREEN_MIN_HEIGHT)
                    assert_true(strncmp(line(s, 0), "xenmon |", 8) == 0);
            }
        }
    }
    build(s, 12, 3);
    assert_string_equal(line(s, 0), "12x3 is too");
}

static void test_vcpus(void **state)
{
    struct screen *s = *state;
    s->choice.view = XM_VIEW_VCPUS;
    build(s, 80, 24);
    assert_string_equal(line(s, 4), "vCPUs on all CPUs (2)  1 s window  % of each one's time  by run%  every 1 s");
    assert_string_equal(line(s, 5), " vCPU          +7 state    CPU states  \u25bcrun% wait% block% exec/s max wait wake%");
    assert_string_equal(line(s, 6), ">web v0           running    2 \u2588\u2588\u2588\u2592\u2592\u00b7\u00b7  50.0  25.0   25.0    100 40.00 ms  20.0");
    assert_string_equal(line(s, 7), " Domain-0 v0      blocked    0 \u2588\u2588\u2592\u00b7\u00b7\u00b7\u00b7  30.0  10.0   60.0    200 40.00 ms   8.0");
    assert_string_equal(line(s, 8), " Domain-0 v1      blocked    0 \u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7   0.0   0.0  100.0    0.0        -   0.0");
    assert_string_equal(line(s, 9), " dom 7 v0         waiting    - \u2592\u2592\u2592\u2592\u2592\u2592\u2592   0.0 100.0    0.0    0.0        -  80.0");
    assert_int_equal(meaning(s, 6, ">"), XM_MEANING_CURSOR);
    assert_int_equal(meaning(s, 7, "blocked"), XM_MEANING_BLOCKED);
    assert_int_equal(meaning(s, 9, "waiting"), XM_MEANING_WAITING);
    s->choice.one_cpu = true;
    s->choice.cpu = 2;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, 6), "web v0           running    2 "));
    /* What never ran was last on no CPU: it is starved on each of them. */
    assert_non_null(strstr(line(s, 7), "dom 7 v0         waiting    - "));
    assert_string_equal(line(s, 8), "");
}

static void test_vcpu_guess(void **state)
{
    struct screen *s = *state;
    s->choice.view = XM_VIEW_VCPUS;
    s->fake.to.vcpu[0].state = 4 | 16 | 1 << 8;
    s->fake.to.vcpu[1].state = 4;
    build(s, 80, 24);
    s->choice.cursor[XM_VIEW_VCPUS] = (struct xm_item){XM_ITEM_VCPU, s->fake.to.vcpu[3].id};
    build(s, 80, 24);
    unsigned y = fake_find(&s->grid, 0, "web v0           waiting?");
    assert_int_equal(meaning(s, y, "waiting?"), XM_MEANING_UNKNOWN);
    assert_true(has(s, "Domain-0 v0      unknown"));
}

/* A guest's owner chooses its name: it may be long, wide, and not meant well. */
static void test_names(void **state)
{
    struct screen *s = *state;
    snprintf(s->fake.fact[FAKE_WEB].name, sizeof s->fake.fact[FAKE_WEB].name, "a\x1b[31mred\nline");
    build(s, 80, 24);
    assert_true(has(s, "a?[31mred?line (dom 1)"));
    snprintf(s->fake.fact[FAKE_WEB].name, sizeof s->fake.fact[FAKE_WEB].name, "%s", "\xe4\xb8\xad\xe6\x96\x87-a-very-long-name");
    s->choice.view = XM_VIEW_VCPUS;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, 6), ">\xe4\xb8\xad\xe6\x96\x87-a-very-l~ v0 running    2 "));
    /* Facts of another domain that had the slot before are not this one's. */
    s->fake.fact[FAKE_WEB].id ^= 1;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, 6), "dom 1 v0"));
}

static void test_reused_id(void **state)
{
    struct screen *s = *state;
    s->fake.to.domain[FAKE_STARVED].id |= UINT64_C(2) << 32;
    build(s, 80, 40);
    assert_true(has(s, "dom 7#2"));
}

static void test_ended(void **state)
{
    struct screen *s = *state;
    struct xm_sample *to = &s->fake.to;
    s->fake.fact[FAKE_WEB].ended_tsc = to->host.tsc - 9 * XM_NS_PER_S;
    to->domain[FAKE_WEB].ended = 1;
    build(s, 80, 40);
    assert_true(has(s, "web (dom 1)  ended"));
    s->fake.fact[FAKE_WEB].ended_tsc = to->host.tsc - 11 * XM_NS_PER_S;
    build(s, 80, 40);
    assert_false(has(s, "web"));
    assert_true(has(s, "dom 7"));
}

static void test_warnings(void **state)
{
    struct screen *s = *state;
    struct xm_host_row *host = &s->fake.to.host;
    build(s, 80, 24);
    assert_false(has(s, "records lost"));
    s->fake.from[XM_SPAN_10S].host.lost_records = 1000;
    host->lost_records = 1320;
    host->anomalies = 1;
    host->damaged_bytes = 12;
    build(s, 80, 24);
    assert_string_equal(line(s, 5), "1320 records lost (320 in the last 10 s); 12 damaged bytes; 1 anomaly");
    assert_int_equal(meaning(s, 5, "1320"), XM_MEANING_WARNING);
    host->refused = 3;
    host->anomalies = 2;
    build(s, 80, 24);
    assert_string_equal(line(s, 5), "1320 records lost (320 in the last 10 s); 12 damaged bytes; 2 anomalies; 3 left>");
}

/* Time that nobody knows is shown wherever it is. */
static void test_unknown(void **state)
{
    struct screen *s = *state;
    for (unsigned i = 0; i < 1; i++) {
        s->fake.to.domain[FAKE_WEB].unknown = XM_NS_PER_S;
        s->fake.to.vcpu[0].unknown = XM_NS_PER_S;
        s->fake.to.domain[FAKE_WEB].blocked -= XM_NS_PER_S;
        s->fake.to.vcpu[0].blocked -= XM_NS_PER_S;
    }
    build(s, 80, 24);
    assert_true(has(s, "2.5% of the time unknown (10 s)"));
    assert_true(has(s, "web (dom 1)  1 vCPU: 1 running  unknown 10.0% of 10 s"));
    s->fake.to.domain[FAKE_DOM0].offline = 4 * XM_NS_PER_S;
    s->fake.to.domain[FAKE_DOM0].blocked -= 4 * XM_NS_PER_S;
    build(s, 80, 24);
    assert_true(has(s, "Domain-0 (dom 0)  2 vCPUs: 2 blocked  offline 20.0% of 10 s"));
}

static void test_links(void **state)
{
    static const struct {
        enum xm_link link;
        bool data;
        const char *what;
    } links[] = {
        {XM_LINK_ABSENT, false, "No region yet: no such file"},
        {XM_LINK_BROKEN, false, "What is there cannot be read: no such file"},
        {XM_LINK_EMPTY, false, "xenbaked (pid 4711) is there; waiting for its first sample."},
        {XM_LINK_GONE, false, "xenbaked (pid 4711) is gone, and left no sample."},
        {XM_LINK_STALE, true, "stale: xenbaked (pid 4711) silent for 7 s"},
        {XM_LINK_GONE, true, "xenbaked (pid 4711) is gone: its last numbers; waiting for another"},
        {XM_LINK_ENDED, true, "the source has ended: its last numbers"},
    };
    struct screen *s = *state;
    struct xm_model *m = &s->fake.model;
    m->silent_ns = 7 * XM_NS_PER_S;
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        m->link = links[i].link;
        m->data = links[i].data;
        m->reason = links[i].data ? "" : "no such file";
        build(s, 80, 24);
        assert_true(has(s, links[i].what));
        assert_int_equal(has(s, "Gotten"), links[i].data);
        build(s, 20, 5);
        build(s, 3, 1);
    }
    m->copied = true;
    build(s, 80, 24);
    assert_true(has(s, "xenbaked of that host has ended or is gone: its last numbers"));
    m->link = XM_LINK_STALE;
    build(s, 80, 24);
    assert_true(has(s, "stale: xenbaked of that host silent for 7 s"));
    assert_false(has(s, "4711"));
    m->link = XM_LINK_ENDED;
    m->info.source = XM_SOURCE_REPLAY;
    snprintf(m->info.source_name, sizeof m->info.source_name, "history of live");
    build(s, 80, 24);
    assert_true(has(s, "from the history: the end of this stretch"));
    assert_false(has(s, "has ended"));
    m->copied = false;
    m->info.source = XM_SOURCE_LIVE;
    m->link = XM_LINK_LIVE;
    build(s, 80, 24);
    assert_false(has(s, "stale"));
    m->quiet_ns = 5 * XM_NS_PER_S;
    m->notice = "the region has grown";
    build(s, 80, 24);
    assert_true(has(s, "the region has grown; no new sample for 5 s"));
}

static bool begins(struct screen *s, unsigned y, const char *text)
{
    return strncmp(line(s, y), text, strlen(text)) == 0;
}

/* Where in time, before all else that the line says. */
static void test_position(void **state)
{
    struct screen *s = *state;
    struct xm_model *m = &s->fake.model;
    setenv("TZ", "UTC", 1);
    tzset();
    m->newest = s->fake.to.host.window;
    build(s, 120, 24);
    assert_true(begins(s, 4, "Paper on"));
    s->choice.frozen = true;
    build(s, 120, 24);
    assert_true(begins(s, 4, "FROZEN  Paper on"));
    assert_int_equal(meaning(s, 4, "FROZEN"), XM_MEANING_WARNING);
    m->past = true;
    m->newest += 12300 * UINT64_C(1000000);
    m->real_ns = (1795694400 + 42 * 60 + 5) * XM_NS_PER_S;
    s->choice.travelling = true;
    build(s, 120, 24);
    assert_true(begins(s, 4, "FROZEN -12.3 s, 12:42:05  Paper on"));
    s->choice.frozen = false;
    s->choice.speed = 2;
    m->newest = s->fake.to.host.window + 3725 * XM_NS_PER_S;
    snprintf(s->choice.said, sizeof s->choice.said, "the oldest that there is");
    build(s, 120, 24);
    assert_true(begins(s, 4, "PLAYING x2 -1:02:05, 12:42:05  Paper on all CPUs (2)  % of the vCPUs' time  every 1 s"));
    /* What a key had to say takes the place of the keys, until the next one. */
    assert_string_equal(line(s, 23), "the oldest that there is");
    s->choice.said[0] = '\0';
    build(s, 120, 24);
    assert_true(begins(s, 23, "q quit"));
    /* View, window and units stay where there is less room, in fewer words. */
    s->choice.view = XM_VIEW_DOMAINS;
    snprintf(s->choice.filter, sizeof s->choice.filter, "o");
    build(s, 80, 24);
    assert_string_equal(line(s, 4), "PLAYING x2 -1:02:05, 12:42:05  Domains  1 s window  % of vCPUs  filter \"o\"");
    s->choice.view = XM_VIEW_PAPER;
    s->choice.filter[0] = '\0';
    /* Where there is little room it is what stays. */
    build(s, 40, 10);
    assert_true(begins(s, 1, "PLAYING x2 -1:02:0"));
}

/* The host: what its pCPUs do, and how many wait; at least one of them for as long as is certain. */
static void test_host(void **state)
{
    struct screen *s = *state;
    static struct xm_trail trail;
    for (unsigned i = 0; i < XM_TRAIL_STEPS; i++)
        trail.host[i] = (struct xm_trail_step){.known = i >= 30, .running = i >= 30 ? 1000 : 0};
    s->fake.model.trail = &trail;
    /* dom 7 no longer waits throughout: web did for 250 ms, Domain-0 for 100. */
    s->fake.to.domain[FAKE_STARVED].wait_any = s->fake.from[XM_SPAN_1S].domain[FAKE_STARVED].wait_any;
    s->fake.to.domain[FAKE_STARVED].runnable = s->fake.from[XM_SPAN_1S].domain[FAKE_STARVED].runnable;
    build(s, 150, 30);
    assert_non_null(strstr(line(s, 2), "40.0% busy of 2 pCPUs  0.35 vCPUs waiting  some vCPU waiting >=25.0% of the time  "));
    const char *strip = strstr(line(s, 2), "1 min [");
    assert_non_null(strip);
    assert_non_null(strstr(strip, "\u2588\u2588\u2588\u2588\u2588\u2588]"));
    s->grid.utf8 = false;
    build(s, 150, 30);
    assert_null(strchr(line(s, 2), '?'));
    build(s, 40, 30);
    assert_string_equal(line(s, 2), "Host 40.0% busy of 2 pCPUs");
    /* A counter that goes back, in a damaged region: nothing passed. */
    s->fake.to.domain[FAKE_WEB].runnable = s->fake.to.domain[FAKE_WEB].wait_any = 0;
    build(s, 150, 30);
    assert_non_null(strstr(line(s, 2), " 0.10 vCPUs waiting"));
    s->fake.to.used.pcpus = 0;
    build(s, 80, 30);
    assert_non_null(strstr(line(s, 2), "of 0 pCPUs"));
}

static void test_beat(void **state)
{
    struct screen *s = *state;
    char seen[8] = "";
    for (unsigned i = 0; i < 4; i++) {
        s->fake.model.beat = i;
        build(s, 80, 24);
        seen[i] = line(s, 0)[7];
        assert_null(memchr(seen, seen[i], i));
    }
}

static void test_no_rate(void **state)
{
    struct screen *s = *state;
    s->fake.model.info.tsc_hz = 0;
    build(s, 80, 24);
    assert_true(has(s, "the TSC's rate is not known yet: no times, only shares"));
    unsigned y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 1), "Gotten            -  50.0%          -  50.0%        -          -  50.0%        -");
    s->choice.view = XM_VIEW_VCPUS;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, fake_find(&s->grid, 0, "web v0")), "50.0  25.0   25.0      -        -"));
}

/* Windows that are shorter than they should be say how long they are. */
static void test_short_window(void **state)
{
    struct screen *s = *state;
    s->fake.model.window[XM_SPAN_10S].from = NULL;
    s->fake.to.host.window = 4420 * UINT64_C(1000000);
    s->fake.from[XM_SPAN_1S].host.window = 3980 * UINT64_C(1000000);
    build(s, 80, 24);
    assert_non_null(strstr(line(s, 5), "0.44 s"));
    assert_non_null(strstr(line(s, 5), "4.42 s"));
    assert_true(has(s, "All 4.42 s"));
}

static void test_help(void **state)
{
    struct screen *s = *state;
    s->choice.view = XM_VIEW_HELP;
    build(s, 80, 400);
    static const char *const terms[] = {"Gotten", "Allocated", "Waited", "Blocked", "Execution count", "I/O count",
                                        "last execution", "PgUp", "one pCPU (key c)", "anomalies", "net, disk", "starved",
                                        "another consumer"};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        assert_true(has(s, terms[i]));
    build(s, 30, 10);
    assert_true(has(s, "A line for each domain"));
    assert_non_null(strstr(line(s, 2), "1-6 of "));
    s->choice.scroll = 100000;
    build(s, 30, 10);
    assert_true(has(s, "the figures are old."));
    s->fake.model.data = false;
    s->choice.scroll = 0;
    build(s, 80, 24);
    assert_true(has(s, "A line for each domain"));
}

/* A frame of text is as high as it must be: all domains, the totals, and no keys. */
static void test_frame(void **state)
{
    struct screen *s = *state;
    unsigned height = xm_screen_height(&s->fake.model, &s->choice, false, 80);
    assert_int_equal(height, 6 + 24 + 2);
    assert_int_equal(xm_grid_resize(&s->grid, 80, height), XM_OK);
    xm_screen_build(&s->fake.model, &s->choice, false, &s->grid);
    assert_true(has(s, "dom 7"));
    assert_false(has(s, "q quit"));
    assert_non_null(strstr(line(s, height - 1), "All  10 s"));
    s->choice.view = XM_VIEW_VCPUS;
    height = xm_screen_height(&s->fake.model, &s->choice, false, 80);
    assert_int_equal(xm_grid_resize(&s->grid, 80, height), XM_OK);
    xm_screen_build(&s->fake.model, &s->choice, false, &s->grid);
    assert_true(has(s, "dom 7 v0"));
    assert_non_null(strstr(line(s, height - 1), "All  10 s"));
}

/* ---- A live host. */

/* web with devices and a weight, Domain-0 without; the buffers read 10 times a second. */
static void make_live(struct screen *s)
{
    struct xm_sample *samples[] = {&s->fake.from[XM_SPAN_1S], &s->fake.from[XM_SPAN_10S], &s->fake.to};
    static const uint64_t seconds[] = {19, 10, 20};
    for (unsigned i = 0; i < 3; i++) {
        struct xm_domain_row *web = &samples[i]->domain[FAKE_WEB];
        struct xm_host_row *host = &samples[i]->host;
        uint64_t t = seconds[i];
        web->online = 1;
        web->weight = 256;
        web->vifs = 1;
        web->vbds = 1;
        web->received_bytes = t * 1250000;
        web->sent_bytes = t * 64;
        web->received_packets = t * 850;
        web->sent_packets = t * 2;
        web->disk_read_bytes = t * 40960;
        web->disk_reads = t * 10;
        host->passes = t * 10;
        host->wakeups = t * 12;
        host->own_cpu = t * XM_NS_PER_S / 400;
    }
    s->fake.to.pcpu[0].buffer_fill = 42;
    s->fake.to.pcpu[1].buffer_fill = 317;
    struct xm_region_info *info = &s->fake.model.info;
    info->source = XM_SOURCE_LIVE;
    snprintf(info->hypervisor, sizeof info->hypervisor, "Xen 4.17.7");
    snprintf(info->scheduler, sizeof info->scheduler, "credit2");
    snprintf(info->source_name, sizeof info->source_name, "Xen 4.17.7 (credit2)");
    snprintf(info->tsc_hz_from, sizeof info->tsc_hz_from, "host");
}

static void test_live_title(void **state)
{
    struct screen *s = *state;
    make_live(s);
    build(s, 120, 24);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0  Xen 4.17.7 credit2  4321 rec/s  1.000 GHz  "
                                    "(live, TSC rate from the host)");
    build(s, 40, 10);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0  Xen 4.17.7 credit2");
    s->fake.model.info.scheduler[0] = '\0';
    snprintf(s->fake.model.info.hypervisor, sizeof s->fake.model.info.hypervisor, "Xen\x1b[2J");
    build(s, 40, 10);
    assert_string_equal(line(s, 0), "xenmon | 00:00:20.0  Xen?[2J");
}

/* Devices stand beside the last rows, as far as the width allows; what nobody serves is "-". */
static void test_devices(void **state)
{
    struct screen *s = *state;
    make_live(s);
    build(s, 200, 60);
    unsigned y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, 6), "                    total      %      total      %    /exec      total      %    /exec"
                                    "             in/s    out/s  ops in ops out       in/s    out/s  ops in ops out");
    assert_non_null(strstr(line(s, 5), "devices 1 s"));
    assert_non_null(strstr(line(s, 5), "devices 10 s"));
    assert_string_equal(line(s, y + 6), "Execution count                         100  100/s                1000  100/s"
                                        "            net    1.25 MB     64 B     850     2.0    1.25 MB     64 B     850     2.0");
    assert_string_equal(line(s, y + 7), "I/O count               0                50 50.0/s    0.500        500 50.0/s    0.500"
                                        "   disk   41.0 kB      0 B    10.0     0.0    41.0 kB      0 B    10.0     0.0");
    y = fake_find(&s->grid, 0, "Domain-0");
    assert_non_null(strstr(line(s, y + 6), "   net          -        -       -       -          -        -       -       -"));
    /* Fewer columns the narrower it is: 10 s before 1 s, requests before bytes, all of it before the paper's. */
    build(s, 120, 60);
    y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 6), "Execution count                         100  100/s                1000  100/s"
                                        "            net    1.25 MB     64 B     850");
    assert_non_null(strstr(line(s, 6), "+5"));
    build(s, 80, 60);
    y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 6), "Executions                        100  100/s                1000  100/s");
    assert_non_null(strstr(line(s, 6), "+8"));
    /* They go with the row of I/O, and move up where others are hidden. */
    build(s, 200, 60);
    s->choice.rows[XM_ROWS_IO] = false;
    build(s, 200, 60);
    assert_false(has(s, "1.25 MB") || has(s, "devices"));
    choose_paper(s);
    for (unsigned i = XM_ROWS_ALLOCATED; i < XM_ROWS_IO; i++)
        s->choice.rows[i] = false;
    build(s, 200, 60);
    y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_non_null(strstr(line(s, y + 1), "net    1.25 MB"));
    assert_non_null(strstr(line(s, y + 2), "disk   41.0 kB"));
    s->choice.one_cpu = true;
    build(s, 200, 60);
    assert_non_null(strstr(line(s, y + 1), "net*   1.25 MB"));
}

/* What the toolstack says of a domain stands where it is named. */
static void test_toolstack(void **state)
{
    struct screen *s = *state;
    struct xm_domain_row *web = &s->fake.to.domain[FAKE_WEB];
    make_live(s);
    build(s, 80, 40);
    assert_true(has(s, "web (dom 1)  1 vCPU: 1 running  weight 256"));
    web->cap = 50;
    web->online = 2;
    web->paused = 1;
    s->fake.to.vcpu[0].state = 3;
    build(s, 80, 40);
    assert_true(has(s, "web (dom 1)  paused  1 vCPU, 2 online: 1 offline  weight 256, cap 50%"));
    build(s, 60, 40);
    assert_string_equal(line(s, fake_find(&s->grid, 0, "web (dom 1)")), "web (dom 1)  paused  1 vCPU, 2 online: 1 offline");
    s->choice.view = XM_VIEW_VCPUS;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, fake_find(&s->grid, 0, "web v0")), "web v0           paused     2"));
    /* A guest may be paused while it sleeps: it goes on sleeping. */
    s->fake.to.vcpu[0].state = 2;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, fake_find(&s->grid, 0, "web v0")), "blocked"));
}

/* A domain that the toolstack knows and no record has named: it is there, and nothing is 0. */
static void test_no_record(void **state)
{
    struct screen *s = *state;
    struct xm_sample *to = &s->fake.to;
    make_live(s);
    to->used.domains = FAKE_DOMAINS + 1;
    to->domain[FAKE_DOMAINS] = (struct xm_domain_row){.id = XM_ROW_USED | 9, .online = 2, .weight = 512};
    build(s, 80, 60);
    unsigned y = fake_find(&s->grid, 0, "dom 9");
    assert_string_equal(line(s, y), "dom 9  no record yet, 2 online  weight 512");
    assert_string_equal(line(s, y + 1), "Gotten            -      -          -      -        -          -      -        -");
    assert_string_equal(line(s, y + 3), "Waited            -      -          -      -        -          -      -        -");
    assert_string_equal(line(s, y + 6), "Executions                          -      -                   -      -");
    /* The same once the host has told of its vCPUs, whose time is unknown. */
    to->used.vcpus++;
    to->vcpu[4] = (struct xm_vcpu_row){.id = XM_ROW_USED | 9, .unknown = to->host.window, .state = 4};
    to->vcpu_domain[4] = FAKE_DOMAINS;
    to->domain[FAKE_DOMAINS].vcpus = 1;
    to->domain[FAKE_DOMAINS].unknown = to->host.window;
    build(s, 80, 60);
    y = fake_find(&s->grid, 0, "dom 9");
    assert_string_equal(line(s, y), "dom 9  1 vCPU, 2 online: 1 unknown  unknown 100.0% of 10 s  weight 512");
    assert_string_equal(line(s, y + 1), "Gotten            -      -          -      -        -          -      -        -");
    s->choice.view = XM_VIEW_VCPUS;
    build(s, 80, 24);
    assert_string_equal(line(s, fake_find(&s->grid, 0, "dom 9 v0")),
                        " dom 9 v0         unknown    - ???????     -     -      -      -        -     -");
}

/* Someone starved is named where his line is out of sight, and only then. */
static void test_starved_out_of_sight(void **state)
{
    struct screen *s = *state;
    build(s, 80, 40);
    assert_false(has(s, "starved"));
    build(s, 80, 16);
    assert_string_equal(line(s, 4), "Paper on all CPUs (2)  % of the vCPUs' time  every 1 s  starved: dom 7 1-8 of 24");
    assert_int_equal(meaning(s, 4, "starved"), XM_MEANING_WARNING);
    s->choice.scroll = 1000;
    build(s, 80, 16);
    assert_false(has(s, "starved"));
    s->choice.scroll = 0;
    /* It is the last of the vCPUs that the table has, by what they ran. */
    s->choice.view = XM_VIEW_VCPUS;
    s->fake.to.used.vcpus = 5;
    s->fake.to.vcpu[4] = (struct xm_vcpu_row){.id = s->fake.to.vcpu[1].id | 2 << 16, .running = 1,
                                              .blocked = s->fake.to.host.window - 1};
    s->fake.to.vcpu_domain[4] = FAKE_DOM0;
    build(s, 80, 8);
    assert_true(has(s, "starved: dom 7 1-4 of 5"));
    build(s, 80, 24);
    assert_false(has(s, "starved"));
    s->choice.cursor[XM_VIEW_VCPUS] = (struct xm_item){XM_ITEM_VCPU, s->fake.to.vcpu[3].id};
    build(s, 80, 8);
    assert_false(has(s, "starved"));
    /* It got the CPU once: not starved. */
    s->choice.view = XM_VIEW_PAPER;
    s->fake.to.domain[FAKE_STARVED].executions = 1;
    build(s, 80, 16);
    assert_false(has(s, "starved"));
}

static void test_quality(void **state)
{
    struct screen *s = *state;
    struct xm_host_row *host = &s->fake.to.host;
    build(s, 100, 30);
    assert_false(has(s, "wake-ups"));
    make_live(s);
    build(s, 140, 30);
    assert_string_equal(line(s, 3), "Trace 10 s  0 lost  0.0% unknown  buffers 31.7% full at most (CPU 2)  "
                                    "xenbaked 0.2% of a CPU  12.0 wake-ups/s  10.0 passes/s");
    build(s, 70, 30);
    assert_string_equal(line(s, 3), "Trace 10 s  0 lost  0.0% unknown  buffers 31.7% full at most (CPU 2)");
    s->choice.one_cpu = true;
    build(s, 80, 30);
    assert_non_null(strstr(line(s, 3), "its buffer 4.2% full at most"));
    assert_false(has(s, "consumer"));
    host->stolen = 2;
    host->repaired = 1;
    host->bogus = 3;
    build(s, 200, 30);
    assert_string_equal(line(s, 5), "another consumer took records 2 times; others switched tracing off or masked it once; "
                                    "a trace buffer's indices made no sense 3 times");
}

/* No name gets a control character, or more columns than there are, onto the screen. */
static void test_hostile_names(void **state)
{
    static const char *const names[] = {
        "\x1b]0;title\x07\x1b[2J\x1b[H",
        "\xe2\x80\xae" "0 niamoD",             /* right to left */
        "\xe2\x81\xa7" "a" "\xe2\x80\x8b" "b",  /* isolate, zero width */
        "\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
        "z\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86\xcc\x87\xcc\x88\xcc\x89\xcc\x8a\xcc\x8b\xcc\x8c",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", /* joined emoji */
        "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87",
        "\xff\xfe\xc0\x80\xed\xa0\x80\xf8\x88\x80",
        "%s%n%x",
        "a\r\nAll   1 s  running 100%",
    };
    struct screen *s = *state;
    struct xm_region_domain *fact = &s->fake.fact[FAKE_WEB];
    make_live(s);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        memset(fact->name, 0, sizeof fact->name);
        memcpy(fact->name, names[i], strlen(names[i]));
        for (unsigned width = XM_SCREEN_MIN_WIDTH; width < 210; width += 13) {
            s->choice.view = width % 2 ? XM_VIEW_PAPER : XM_VIEW_VCPUS;
            build(s, width, 40);
            for (unsigned y = 0; y < 40; y++) {
                wchar_t wide[4096];
                const char *text = line(s, y);
                size_t length = mbstowcs(wide, text, 4096);
                assert_true(length < 4096); /* valid UTF-8 */
                int columns = wcswidth(wide, length);
                if (columns < 0 || (unsigned)columns > width)
                    fail_msg("name %zu at %u columns, line %u takes %d: %s", i, width, y, columns, text);
            }
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_80x24),       TEST(test_starved),   TEST(test_meanings),     TEST(test_io_not_seen),
        TEST(test_one_cpu_units), TEST(test_one_cpu), TEST(test_rows_off),     TEST(test_40x10),
        TEST(test_20x5),        TEST(test_200x60),    TEST(test_all_sizes),    TEST(test_vcpus),
        TEST(test_vcpu_guess),  TEST(test_names),     TEST(test_reused_id),    TEST(test_ended),
        TEST(test_warnings),    TEST(test_unknown),   TEST(test_links),        TEST(test_beat),
        TEST(test_position), TEST(test_host),
        TEST(test_no_rate),     TEST(test_short_window), TEST(test_help),
        TEST(test_frame),       TEST(test_slices),    TEST(test_live_title),   TEST(test_devices),
        TEST(test_toolstack),   TEST(test_no_record), TEST(test_quality),      TEST(test_starved_out_of_sight),
        TEST(test_hostile_names), TEST(test_coarse), TEST(test_ended_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
