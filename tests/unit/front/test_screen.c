/* SPDX-License-Identifier: MIT */
/* The screen as text, at the sizes people have. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake.h"
#include "front/screen.h"

struct screen {
    struct fake fake;
    struct xm_choice choice;
    struct xm_grid grid;
    char text[4096];
};

static int make(void **state)
{
    struct screen *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    setlocale(LC_CTYPE, "C.UTF-8");
    fake_make(&s->fake);
    xm_choice_init(&s->choice);
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
    assert_string_equal(line(s, 1), "Domains on all CPUs (2)  % of the vCPUs' time  every 1 s              1-17 of 24");
    assert_string_equal(line(s, 2), "            last execution             1 s                       10 s");
    assert_string_equal(line(s, 3), "              total      %      total      %    /exec      total      %    /exec");
    assert_string_equal(line(s, 4), "Domain-0 (dom 0)  2 vCPUs: 2 blocked");
    assert_string_equal(line(s, 5), "Gotten            -      -   300.0 ms  15.0% 1.500 ms    3.000 s  15.0% 1.500 ms");
    assert_string_equal(line(s, 6), "Allocated         -                 1..10 ms 5.000 ms          1..10 ms 5.000 ms");
    assert_string_equal(line(s, 7), "Waited            -      -   100.0 ms   5.0% 500.0 us    1.000 s   5.0% 500.0 us");
    assert_string_equal(line(s, 8), "Blocked           -      -    1.600 s  80.0% 8.000 ms    16.00 s  80.0% 8.000 ms");
    assert_string_equal(line(s, 9), " per I/O          -                          32.00 ms                   32.00 ms");
    assert_string_equal(line(s, 10), "Executions                        200  200/s                2000  200/s");
    assert_string_equal(line(s, 11), "I/O count         -                50 50.0/s    0.250        500 50.0/s    0.250");
    assert_string_equal(line(s, 12), "web (dom 1)  1 vCPU: 1 running");
    assert_string_equal(line(s, 13), "Gotten     2.000 ms  50.0%   500.0 ms  50.0% 5.000 ms    5.000 s  50.0% 5.000 ms");
    assert_string_equal(line(s, 14), "Allocated  5.000 ms                 1..10 ms 5.000 ms          1..10 ms 5.000 ms");
    assert_string_equal(line(s, 20), "dom 7  1 vCPU: 1 waiting");
    assert_string_equal(line(s, 21), "All   1 s  running  20.0%  waiting  33.8%  blocked  46.2%  CPUs idle  60.0%");
    assert_string_equal(line(s, 22), "All  10 s  running  20.0%  waiting  33.8%  blocked  46.2%  CPUs idle  60.0%");
    assert_string_equal(line(s, 23), "q quit  ? help  c CPU  v vCPUs  u units  +- refresh  awbxi rows  jk scroll");
}

/* A domain that got no CPU is on the screen, and says that it waited. */
static void test_starved(void **state)
{
    struct screen *s = *state;
    s->choice.scroll = 1000;
    build(s, 80, 24);
    assert_int_equal(s->choice.scroll, 24 - 17);
    unsigned y = fake_find(&s->grid, 4, "dom 7  1 vCPU: 1 waiting");
    assert_string_equal(line(s, y + 1), "Gotten            -      -       0 ns   0.0%        -       0 ns   0.0%        -");
    assert_string_equal(line(s, y + 3), "Waited            -      -    1.000 s 100.0%        -    10.00 s 100.0%        -");
    assert_string_equal(line(s, y + 2), "Allocated         -                        -        -                 -        -");
}

static void test_meanings(void **state)
{
    struct screen *s = *state;
    build(s, 80, 24);
    assert_int_equal(meaning(s, 13, "500.0 ms"), XM_MEANING_RUNNING);
    assert_int_equal(meaning(s, 15, "250.0 ms"), XM_MEANING_WAITING);
    assert_int_equal(meaning(s, 16, "250.0 ms"), XM_MEANING_BLOCKED);
    assert_int_equal(meaning(s, 2, "10 s"), XM_MEANING_HEADER);
    assert_int_equal(meaning(s, 12, "web"), XM_MEANING_SUBJECT);
    assert_int_equal(meaning(s, 23, "q"), XM_MEANING_KEY);
    assert_int_equal(meaning(s, 5, "-"), XM_MEANING_FAINT);
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
        assert_non_null(strstr(line(s, 14), slices[i].text));
    }
}

static void test_one_cpu_units(void **state)
{
    struct screen *s = *state;
    s->choice.of_one_cpu = true;
    build(s, 80, 24);
    assert_true(has(s, "% of one CPU's time"));
    assert_string_equal(line(s, 5), "Gotten            -      -   300.0 ms  30.0% 1.500 ms    3.000 s  30.0% 1.500 ms");
    assert_string_equal(line(s, 8), "Blocked           -      -    1.600 s 160.0% 8.000 ms    16.00 s 160.0% 8.000 ms");
    assert_string_equal(line(s, 21), "All   1 s  running  80.0%  waiting 135.0%  blocked 185.0%  CPUs idle 120.0%");
}

/* One pCPU: what was had there, waits that ended there, and blocked the domain's own. */
static void test_one_cpu(void **state)
{
    struct screen *s = *state;
    s->choice.one_cpu = true;
    s->choice.cpu = 0;
    build(s, 80, 24);
    assert_true(has(s, "Domains on CPU 0  % of its time; waits that ended here; * on any CPU"));
    unsigned y = fake_find(&s->grid, 0, "web (dom 1)");
    assert_string_equal(line(s, y + 1), "Gotten     2.000 ms  50.0%   200.0 ms  20.0% 3.333 ms    2.000 s  20.0% 3.333 ms");
    assert_string_equal(line(s, y + 3), "Waited     1.000 ms  25.0%   250.0 ms  25.0% 4.167 ms    2.500 s  25.0% 4.167 ms");
    assert_string_equal(line(s, y + 4), "Blocked*   1.000 ms  25.0%   250.0 ms  25.0%             2.500 s  25.0%");
    assert_string_equal(line(s, y + 5), " per I/O*         -                          5.000 ms                   5.000 ms");
    assert_string_equal(line(s, y + 6), "Executions                         60 60.0/s                 600 60.0/s");
    assert_string_equal(line(s, y + 7), "I/O count*        0                50 50.0/s                 500 50.0/s");
    assert_string_equal(line(s, 21), "All   1 s  running  50.0%  waiting  35.0%  blocked  46.2%  CPU idle  50.0%");
    s->choice.cpu = 2;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, fake_find(&s->grid, 0, "web (dom 1)") + 1), "300.0 ms  30.0% 7.500 ms"));
    s->choice.cpu = 1;
    build(s, 80, 24);
    assert_true(has(s, "CPU 1 (not seen)"));
    assert_string_equal(line(s, 5), "Gotten            -      -          -      -        -          -      -        -");
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
        xm_choice_init(&s->choice);
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
    assert_string_equal(line(s, 1), "Domains on all CPUs (2)        1-6 of 24");
    assert_string_equal(line(s, 2), "                  1 s  1 s %    /exec +5");
    assert_string_equal(line(s, 3), "Domain-0 (dom 0)  2 vCPUs: 2 blocked");
    assert_string_equal(line(s, 4), "Gotten       300.0 ms  15.0% 1.500 ms");
    assert_string_equal(line(s, 5), "Allocated           1..10 ms 5.000 ms");
    assert_string_equal(line(s, 9), "q quit  ? help  c CPU  v vCPUs  u units");
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
    assert_non_null(strstr(line(s, 2), "last execution"));
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
    assert_string_equal(line(s, 3), "+12             state CPU  run% wait% block  off% exec/s wake% pree% max wait");
    assert_string_equal(line(s, 4), "Domain-0 v0   blocked   0  30.0  10.0  60.0   0.0    200   8.0   2.0 40.00 ms");
    assert_string_equal(line(s, 5), "Domain-0 v1   blocked   0   0.0   0.0 100.0   0.0    0.0   0.0   0.0        -");
    assert_string_equal(line(s, 6), "web v0        running   2  50.0  25.0  25.0   0.0    100  20.0   5.0 40.00 ms");
    assert_string_equal(line(s, 7), "dom 7 v0      waiting   -   0.0 100.0   0.0   0.0    0.0  80.0  20.0        -");
    assert_int_equal(meaning(s, 6, "running"), XM_MEANING_RUNNING);
    assert_int_equal(meaning(s, 7, "waiting"), XM_MEANING_WAITING);
    s->choice.one_cpu = true;
    s->choice.cpu = 2;
    build(s, 80, 24);
    assert_string_equal(line(s, 4), "web v0        running   2  50.0  25.0  25.0   0.0    100  20.0   5.0 40.00 ms");
    assert_string_equal(line(s, 5), "");
}

static void test_vcpu_guess(void **state)
{
    struct screen *s = *state;
    s->choice.view = XM_VIEW_VCPUS;
    s->fake.to.vcpu[0].state = 4 | 16 | 1 << 8;
    s->fake.to.vcpu[1].state = 4;
    build(s, 80, 24);
    assert_non_null(strstr(line(s, 6), "web v0       waiting?"));
    assert_int_equal(meaning(s, 6, "waiting?"), XM_MEANING_WARNING);
    assert_non_null(strstr(line(s, 4), "Domain-0 v0   unknown"));
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
    assert_string_equal(line(s, 6), "\xe4\xb8\xad\xe6\x96\x87-a-v~ v0  running   2  50.0  25.0  25.0   0.0    100  20.0   5.0 40.00 ms");
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
    assert_false(has(s, "lost"));
    s->fake.from[XM_SPAN_10S].host.lost_records = 1000;
    host->lost_records = 1320;
    host->anomalies = 1;
    host->damaged_bytes = 12;
    build(s, 80, 24);
    assert_string_equal(line(s, 2), "1320 records lost (320 in the last 10 s); 12 damaged bytes; 1 anomaly");
    assert_int_equal(meaning(s, 2, "1320"), XM_MEANING_WARNING);
    host->refused = 3;
    host->anomalies = 2;
    build(s, 80, 24);
    assert_string_equal(line(s, 2), "1320 records lost (320 in the last 10 s); 12 damaged bytes; 2 anomalies; 3 left>");
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
    m->link = XM_LINK_LIVE;
    build(s, 80, 24);
    assert_false(has(s, "stale"));
    m->quiet_ns = 5 * XM_NS_PER_S;
    m->notice = "the region has grown";
    build(s, 80, 24);
    assert_true(has(s, "the region has grown; no new sample for 5 s"));
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
    assert_non_null(strstr(line(s, fake_find(&s->grid, 0, "web v0")), "50.0  25.0  25.0   0.0      -"));
}

/* Windows that are shorter than they should be say how long they are. */
static void test_short_window(void **state)
{
    struct screen *s = *state;
    s->fake.model.window[XM_SPAN_10S].from = NULL;
    s->fake.to.host.window = 4420 * UINT64_C(1000000);
    s->fake.from[XM_SPAN_1S].host.window = 3980 * UINT64_C(1000000);
    build(s, 80, 24);
    assert_non_null(strstr(line(s, 2), "0.44 s"));
    assert_non_null(strstr(line(s, 2), "4.42 s"));
    assert_true(has(s, "All 4.42 s"));
}

static void test_help(void **state)
{
    struct screen *s = *state;
    s->choice.view = XM_VIEW_HELP;
    build(s, 80, 100);
    static const char *const terms[] = {"Gotten", "Allocated", "Waited", "Blocked", "Execution count", "I/O count",
                                        "last execution", "PgUp", "one pCPU (key c)", "anomalies"};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        assert_true(has(s, terms[i]));
    build(s, 30, 10);
    assert_true(has(s, "Keys"));
    assert_non_null(strstr(line(s, 1), "1-7 of "));
    s->choice.scroll = 100000;
    build(s, 30, 10);
    assert_true(has(s, "the figures are old."));
    s->fake.model.data = false;
    s->choice.scroll = 0;
    build(s, 80, 24);
    assert_true(has(s, "Keys"));
}

/* A frame of text is as high as it must be: all domains, the totals, and no keys. */
static void test_frame(void **state)
{
    struct screen *s = *state;
    unsigned height = xm_screen_height(&s->fake.model, &s->choice, false, 80);
    assert_int_equal(height, 4 + 24 + 2);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_80x24),       TEST(test_starved),   TEST(test_meanings),     TEST(test_io_not_seen),
        TEST(test_one_cpu_units), TEST(test_one_cpu), TEST(test_rows_off),     TEST(test_40x10),
        TEST(test_20x5),        TEST(test_200x60),    TEST(test_all_sizes),    TEST(test_vcpus),
        TEST(test_vcpu_guess),  TEST(test_names),     TEST(test_reused_id),    TEST(test_ended),
        TEST(test_warnings),    TEST(test_unknown),   TEST(test_links),        TEST(test_beat),
        TEST(test_no_rate),     TEST(test_short_window), TEST(test_help),
        TEST(test_frame),       TEST(test_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
