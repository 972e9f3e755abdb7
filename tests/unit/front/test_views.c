/* SPDX-License-Identifier: MIT */
/* The views of pCPUs, of one domain in depth, and of latency, at the sizes people have. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "fake.h"
#include "front/feed/digest.h"
#include "front/screen/screen_frame.h"
#include "front/screen/screen_int.h"
#include "front/screen/table.h"
#include "xenmon/trace.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

struct views {
    struct fake fake;
    struct xm_choice choice;
    struct xm_grid grid;
    struct xm_spread spread[FAKE_DOMAINS];
    unsigned asked; /* for distributions */
    struct xm_trail trail;
    struct xm_trail_step steps[FAKE_DOMAINS][XM_TRAIL_STEPS];
    unsigned scroll, lines;
};

static const struct xm_spread *get_spread(void *user, uint32_t slot, enum xm_spread_since since)
{
    struct views *v = user;
    v->asked++;
    if (slot == FAKE_DOM0 || since != v->choice.since)
        return NULL;
    return &v->spread[slot];
}

static void count(struct xm_spread *spread, enum xm_hist_kind kind, uint64_t ns, uint64_t n)
{
    spread->counts[kind][xm_hist_index(ns)] += n;
    spread->total[kind] += n;
}

static void make_trail(struct views *v)
{
    v->trail.domains = FAKE_DOMAINS;
    v->trail.domain = (const struct xm_trail_step(*)[XM_TRAIL_STEPS])v->steps;
    for (unsigned i = 30; i < XM_TRAIL_STEPS; i++) {
        v->trail.step_ns[i] = XM_NS_PER_S;
        v->steps[FAKE_WEB][i] = (struct xm_trail_step){true, 500, 250, 250, 0, 0};
        v->steps[FAKE_STARVED][i] = (struct xm_trail_step){true, 0, 1000, 0, 0, 0};
    }
    v->fake.model.trail = &v->trail;
}

static int make(void **state)
{
    struct views *v = calloc(1, sizeof *v);
    if (!v)
        return -1;
    setlocale(LC_CTYPE, "C.UTF-8");
    fake_make(&v->fake);
    xm_choice_init(&v->choice);
    v->grid.utf8 = true;
    v->fake.model.chosen = v->fake.model.window[XM_SPAN_1S];
    v->fake.model.spread = get_spread;
    v->fake.model.spread_user = v;
    v->choice.domain = XM_ROW_USED | 1;
    count(&v->spread[FAKE_WEB], XM_HIST_WAIT, 20 * US, 60);
    count(&v->spread[FAKE_WEB], XM_HIST_WAIT, 2 * MS, 35);
    count(&v->spread[FAKE_WEB], XM_HIST_WAIT, 40 * MS, 5);
    count(&v->spread[FAKE_WEB], XM_HIST_EXECUTION, 5 * MS, 100);
    v->spread[FAKE_WEB].since_ns = 20 * XM_NS_PER_S;
    v->fake.to.pcpu[0].current = XM_ROW_USED | XM_DOMID_IDLE;
    v->fake.to.pcpu[1].current = XM_ROW_USED | 1; /* web v0 */
    make_trail(v);
    *state = v;
    return 0;
}

static int drop(void **state)
{
    struct views *v = *state;
    fake_free(&v->fake);
    xm_grid_fini(&v->grid);
    free(v);
    return 0;
}

static void build(struct views *v, enum xm_screen_view view, unsigned width, unsigned height)
{
    const struct xm_table *table = xm_table_of(view);
    assert_int_equal(xm_grid_resize(&v->grid, width, height), XM_OK);
    xm_grid_clear(&v->grid);
    v->choice.view = view;
    struct xm_painter p = {.grid = &v->grid,
                           .model = &v->fake.model,
                           .choice = &v->choice,
                           .top = 1,
                           .rows = height - 1,
                           .first = v->scroll,
                           .cursor = UINT32_MAX};
    if (table) {
        xm_table_header(table, &p, 0);
        xm_table_body(table, &p);
    } else {
        xm_screen_domain_header(&p, 0, 1);
        xm_screen_domain_body(&p);
    }
    v->lines = p.line;
}

static const char *line(struct views *v, unsigned y)
{
    static char text[4096];
    return fake_line(&v->grid, y, text);
}

static bool has(struct views *v, const char *what)
{
    for (unsigned y = 0; y < v->grid.height; y++)
        if (strstr(line(v, y), what))
            return true;
    return false;
}

/* ---- pCPUs. */

static void test_pcpus(void **state)
{
    struct views *v = *state;
    build(v, XM_VIEW_PCPUS, 200, 8);
    unsigned y = fake_find(&v->grid, 1, "CPU 0");
    assert_non_null(strstr(line(v, y), "50.0     0 idle "));
    assert_non_null(strstr(line(v, y), "Domain-0 30%, web 20%"));
    y = fake_find(&v->grid, 1, "CPU 2");
    assert_non_null(strstr(line(v, y), "30.0     0 web v0"));
    assert_non_null(strstr(line(v, y), "\u2588\u2588\u2588\u2588\u00b7\u00b7\u00b7"));
    assert_non_null(strstr(line(v, y), "70.0    0.0 web 30%"));
    /* What has been on no pCPU is said, and is in no other line. */
    y = fake_find(&v->grid, 1, "nowhere yet");
    assert_non_null(strstr(line(v, y), "-     1 -                   dom 7 v0"));
    assert_int_equal(v->lines, 3);
}

/* Who waits and was last there: as many as there is room for, and how many more. */
static void test_pcpus_queue(void **state)
{
    struct views *v = *state;
    struct xm_sample *s = &v->fake.to;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        s->vcpu[i].state = 1;
        s->vcpu[i].pcpu = 3;
    }
    build(v, XM_VIEW_PCPUS, 200, 8);
    unsigned y = fake_find(&v->grid, 1, "CPU 2");
    assert_non_null(strstr(line(v, y), "30.0     4 web v0"));
    assert_non_null(strstr(line(v, y), "web v0, Domain-0 v0, +2"));
    assert_non_null(strstr(line(v, fake_find(&v->grid, 1, "CPU 0")), "50.0     0 idle "));
    assert_false(has(v, "nowhere yet"));
    s->vcpu[1].state = 4 | 16 | 1 << 8; /* a guess is no knowledge */
    build(v, XM_VIEW_PCPUS, 200, 8);
    assert_non_null(strstr(line(v, fake_find(&v->grid, 1, "CPU 2")), "30.0     3 web v0"));
    snprintf(v->fake.fact[FAKE_WEB].name, sizeof v->fake.fact[FAKE_WEB].name, "a-very-long-name-of-a-domain");
    build(v, XM_VIEW_PCPUS, 200, 8);
    assert_non_null(strstr(line(v, fake_find(&v->grid, 1, "CPU 2")), "a-very-long-nam~ v0, +2"));
}

static void test_pcpus_unknown(void **state)
{
    struct views *v = *state;
    v->fake.to.pcpu[1].current = 0;
    v->fake.to.pcpu[0].current = XM_ROW_USED | 3u << 16 | 99; /* a domain that is not in the sample */
    build(v, XM_VIEW_PCPUS, 200, 8);
    assert_non_null(strstr(line(v, fake_find(&v->grid, 1, "CPU 2")), "0 unknown"));
    assert_non_null(strstr(line(v, fake_find(&v->grid, 1, "CPU 0")), "0 dom 99 v3"));
    /* The slow series has no queues, executions and pairs: they are not known, not 0. */
    v->fake.model.coarse = true;
    build(v, XM_VIEW_PCPUS, 200, 8);
    const char *cpu = strstr(line(v, fake_find(&v->grid, 1, "CPU 0")), "CPU 0");
    assert_non_null(strstr(cpu, "50.0     - "));
    assert_non_null(strstr(cpu, "50.0      - - "));
    assert_false(has(v, "web 20%"));
    struct xm_screen_warnings warnings;
    xm_screen_warnings(&v->fake.model, &warnings);
    assert_non_null(strstr(warnings.text, "a sample a second so long ago: no states"));
    /* A long window is coarse, and the present is not: pairs of the last 10 s stand in, and say so. */
    v->fake.model.coarse = false;
    v->fake.model.chosen_coarse = true;
    v->choice.window = XM_WINDOW_1MIN;
    build(v, XM_VIEW_PCPUS, 200, 8);
    assert_true(has(v, "Domain-0 30%, web 20% (10 s)"));
    xm_screen_warnings(&v->fake.model, &warnings);
    assert_null(strstr(warnings.text, "a sample a second"));
}

static void test_pcpus_lost(void **state)
{
    struct views *v = *state;
    v->fake.to.pcpu[1].lost_records = 77;
    v->fake.to.pcpu[1].buffer_fill = 1000;
    v->fake.to.host.passes = 100;
    build(v, XM_VIEW_PCPUS, 220, 8);
    unsigned y = fake_find(&v->grid, 1, "CPU 2");
    assert_non_null(strstr(line(v, y), "77"));
    assert_non_null(strstr(line(v, y), "100.0%"));
}

/* Who has been on no pCPU and starves is in one line only: it is said where that is out of sight. */
static void test_pcpus_starved(void **state)
{
    struct views *v = *state;
    unsigned hidden;
    uint32_t count;
    assert_int_equal(xm_grid_resize(&v->grid, 80, 3), XM_OK);
    v->choice.view = XM_VIEW_PCPUS;
    struct xm_painter p = {.grid = &v->grid,
                           .model = &v->fake.model,
                           .choice = &v->choice,
                           .top = 1,
                           .rows = 2,
                           .cursor = UINT32_MAX};
    struct xm_table_line *lines = xm_table_lines(&xm_pcpus_table, &p, &count);
    assert_int_equal(count, 3);
    p.lines = lines;
    p.line_count = count;
    assert_int_equal(xm_table_hidden(&xm_pcpus_table, &p, &hidden), FAKE_STARVED);
    assert_int_equal(hidden, 1);
    p.first = 1;
    xm_table_hidden(&xm_pcpus_table, &p, &hidden);
    assert_int_equal(hidden, 0);
    free(lines);
}

/* What is left out as idle neither had anybody on it, nor waits for somebody, nor hides something unknown. */
static void test_pcpus_idle(void **state)
{
    struct views *v = *state;
    v->choice.hide_idle = true;
    v->fake.to.pcpu[1].busy = v->fake.from[XM_SPAN_1S].pcpu[1].busy;
    build(v, XM_VIEW_PCPUS, 80, 8);
    assert_true(has(v, "CPU 0"));
    assert_false(has(v, "CPU 2"));
    assert_true(has(v, "nowhere yet"));
    v->fake.to.vcpu[1].state = 1;
    v->fake.to.vcpu[1].pcpu = 3;
    build(v, XM_VIEW_PCPUS, 80, 8);
    assert_true(has(v, "CPU 2"));
}

/* ---- Latency. */

static void test_latency(void **state)
{
    struct views *v = *state;
    build(v, XM_VIEW_LATENCY, 200, 8);
    unsigned y = fake_find(&v->grid, 1, "web (dom 1)");
    /* The middles of the buckets that the 50th, 95th and 99th of 100 values are in. */
    assert_non_null(strstr(line(v, y), "20.22 us 2.015 ms 40.37 ms"));
    assert_non_null(strstr(line(v, y), "40.0%     \u2585   \u2583  \u2581      5.0%"));
    assert_non_null(strstr(line(v, y), "5.046 ms 5.046 ms 5.046 ms"));
    y = fake_find(&v->grid, 1, "Domain-0");
    assert_null(strpbrk(line(v, y) + strlen(" Domain-0 (dom 0)"), "0123456789"));
    /* Had, and none: a count of 0, no percentiles. */
    y = fake_find(&v->grid, 1, "dom 7");
    assert_non_null(strstr(line(v, y), "-        0 "));
    v->grid.utf8 = false;
    build(v, XM_VIEW_LATENCY, 200, 8);
    assert_non_null(strstr(line(v, fake_find(&v->grid, 1, "web (dom 1)")), "+   -  ."));
    v->fake.model.spread = NULL;
    build(v, XM_VIEW_LATENCY, 200, 8);
    assert_false(has(v, "20.22 us"));
    assert_true(has(v, "web (dom 1)"));
    assert_int_equal(v->lines, 3);
}

static void test_latency_ended(void **state)
{
    struct views *v = *state;
    v->fake.to.domain[FAKE_WEB].ended = 1;
    build(v, XM_VIEW_LATENCY, 200, 8);
    unsigned y = fake_find(&v->grid, 1, "ended: web (dom 1)");
    assert_non_null(strstr(line(v, y), "20.22 us"));
}

static void test_latency_no_rate(void **state)
{
    struct views *v = *state;
    v->fake.model.info.tsc_hz = 0;
    build(v, XM_VIEW_LATENCY, 200, 8);
    assert_true(has(v, "web (dom 1)"));
    for (unsigned y = 1; y < 4; y++)
        assert_null(strstr(line(v, y), "us ") ? "a duration" : strstr(line(v, y), "ms "));
}

/* A domain's histograms are read once for each sample, and not at all where nothing of them is shown. */
static void test_digests(void **state)
{
    struct views *v = *state;
    struct xm_digest digest;
    v->fake.model.digests = xm_digests_create();
    assert_non_null(v->fake.model.digests);
    build(v, XM_VIEW_LATENCY, 200, 8);
    assert_int_equal(v->asked, 3);
    build(v, XM_VIEW_LATENCY, 200, 8);
    assert_int_equal(v->asked, 3);
    v->fake.model.beat++;
    build(v, XM_VIEW_LATENCY, 200, 3); /* room for two lines */
    assert_int_equal(v->asked, 5);
    assert_true(xm_digest_get(&v->fake.model, FAKE_WEB, XM_SPREAD_START, &digest));
    assert_int_equal(v->asked, 5);
    const double p[] = {0.50, 0.95, 0.99};
    const uint64_t ns[] = {digest.of[XM_HIST_WAIT].p50_ns, digest.of[XM_HIST_WAIT].p95_ns,
                           digest.of[XM_HIST_WAIT].p99_ns};
    for (unsigned i = 0; i < 3; i++) /* what the report prints: src/front/report/report.c */
        assert_int_equal(ns[i], xm_percentile(v->spread[FAKE_WEB].counts[XM_HIST_WAIT], NULL, p[i]));
    uint64_t sum = 0;
    for (unsigned i = 0; i < XM_DIGEST_CELLS; i++)
        sum += digest.of[XM_HIST_WAIT].cell[i];
    assert_int_equal(sum, 100);
    assert_int_equal(digest.of[XM_HIST_WAIT].over_1ms, 40);
    assert_int_equal(digest.of[XM_HIST_WAIT].over_10ms, 5);
    assert_false(xm_digest_get(&v->fake.model, FAKE_WEB, XM_SPREAD_WATCHED, &digest)); /* the fake has none */
    assert_int_equal(digest.of[XM_HIST_WAIT].count, 0);
    xm_digests_forget(v->fake.model.digests);
    assert_true(xm_digest_get(&v->fake.model, FAKE_WEB, XM_SPREAD_START, &digest));
    assert_int_equal(v->asked, 7);
    v->fake.to.domain[FAKE_WEB].id |= UINT64_C(1) << 32; /* another domain in the slot */
    assert_true(xm_digest_get(&v->fake.model, FAKE_WEB, XM_SPREAD_START, &digest));
    assert_int_equal(v->asked, 8);
    assert_false(xm_digest_get(&v->fake.model, 1000, XM_SPREAD_START, &digest));
    /* Of many vCPUs each domain is read again after three beats, not at every one. */
    uint32_t used = v->fake.to.used.vcpus;
    v->fake.to.used.vcpus = 1200;
    v->asked = 0;
    for (unsigned beat = 0; beat < 30; beat++, v->fake.model.beat++)
        for (uint32_t slot = 0; slot < FAKE_DOMAINS; slot++)
            (void)xm_digest_get(&v->fake.model, slot, XM_SPREAD_START, &digest);
    assert_in_range(v->asked, 3 * 30 / 3, 3 * 30 / 3 + 6);
    v->fake.to.used.vcpus = used;
    xm_digests_destroy(v->fake.model.digests);
    v->fake.model.digests = NULL;
    xm_digests_forget(NULL);
    xm_digests_destroy(NULL);
}

/* ---- One domain in depth. */

static void test_depth(void **state)
{
    struct views *v = *state;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_string_equal(line(v, 0),
                        "web (dom 1)                                                           < 2 of 3 >");
    assert_string_equal(line(v, 1),
                        "Time    \u2588 running 50.0%  \u2592 waiting 25.0%  \u00b7 blocked 25.0%");
    assert_true(has(v, "after wake-up 20.0% (200.0 ms)  after preemption 5.0% (50.00 ms)"));
    assert_true(has(v, "executions 100.0/s  average 5.000 ms"));
    assert_true(has(v, "slices 1.000 ms  to 10.00 ms  average 5.000 ms"));
    assert_true(has(v, " waits   20.22 us 2.015 ms 40.37 ms 40.37 ms      100"));
    assert_true(has(v, " runs    5.046 ms 5.046 ms 5.046 ms 5.046 ms      100"));
    assert_true(has(v, " blocked        -        -        -        -        0"));
    assert_true(has(v, "since the start, 20.00 s (D: from now on)"));
    assert_true(has(v, " v0     running    2   50.0   25.0   25.0 40.00 ms     100      0"));
    assert_true(has(v, "0 2, of their time:  itself 25.0%  Domain-0 15.0%"));
    assert_true(has(v, "pages 50.00/s  per execution 0.500"));
    assert_true(has(v, "own    flipped -  mapped 50  unmapped 0")); /* transfers were not seen */
    assert_true(has(v, "Waits: how long"));
    assert_true(has(v, "60.0% p50"));
    assert_true(has(v, "100.0% p50-99"));
    assert_false(has(v, "any vCPU waiting")); /* there is one */
    /* The strip ends at the right, 30 s of it known. */
    assert_true(has(v, "\u2514-20 s           now"));
    v->fake.model.past = true;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "up to the newest sample"));
    assert_true(has(v, "shown"));
}

static void test_depth_two_columns(void **state)
{
    struct views *v = *state;
    build(v, XM_VIEW_DOMAIN, 200, 60);
    assert_true(v->lines < 59); /* all of it */
    unsigned y = fake_find(&v->grid, 1, "Time ");
    assert_non_null(strstr(line(v, y), "Lengths"));
    assert_true(has(v, "Disk "));
    assert_true(has(v, "Domain  number 1"));
    assert_true(has(v, "Blocked times: how long (none)"));
}

static void test_depth_which(void **state)
{
    struct views *v = *state;
    uint32_t slot;
    v->choice.domain = 0;
    assert_true(xm_screen_depth_slot(&v->fake.model, &v->choice, &slot));
    assert_int_equal(slot, FAKE_DOM0);
    build(v, XM_VIEW_DOMAIN, 80, 24);
    assert_non_null(strstr(line(v, 0), "Domain-0 (dom 0)"));
    assert_true(has(v, "any vCPU waiting 10.0%"));
    assert_true(has(v, "no distributions to be had"));
    assert_true(has(v, "no seconds of it yet"));
    v->choice.domain = xm_screen_depth_step(&v->fake.model, &v->choice, 1);
    assert_int_equal(v->choice.domain, XM_ROW_USED | 1);
    v->choice.domain = xm_screen_depth_step(&v->fake.model, &v->choice, 5);
    assert_int_equal(v->choice.domain, XM_ROW_USED | 7);
    assert_int_equal(xm_screen_depth_step(&v->fake.model, &v->choice, 1), XM_ROW_USED | 7);
    assert_int_equal(xm_screen_depth_step(&v->fake.model, &v->choice, INT32_MIN), XM_ROW_USED);
    build(v, XM_VIEW_DOMAIN, 80, 24);
    assert_true(has(v, "waiting 100.0%"));
    v->choice.domain = XM_ROW_USED | 1234; /* gone */
    build(v, XM_VIEW_DOMAIN, 80, 24);
    assert_string_equal(line(v, 0), "no domain");
    assert_true(has(v, "the domain is no longer there"));
    assert_int_equal(xm_screen_depth_step(&v->fake.model, &v->choice, 1), XM_ROW_USED);
    v->fake.model.data = false;
    assert_false(xm_screen_depth_slot(&v->fake.model, &v->choice, &slot));
    assert_int_equal(xm_screen_depth_step(&v->fake.model, &v->choice, 1), v->choice.domain);
}

static void test_depth_facts(void **state)
{
    struct views *v = *state;
    struct xm_domain_row *row = &v->fake.to.domain[FAKE_WEB];
    struct xm_region_domain *fact = &v->fake.fact[FAKE_WEB];
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "Domain  number 1  weight -  cap -"));
    row->weight = 256;
    row->online = 1;
    row->vifs = 1;
    row->received_bytes = 5000000;
    row->ended = 1;
    fact->created_tsc = 1000 + 5 * XM_NS_PER_S;
    fact->ended_tsc = 1000 + 15 * XM_NS_PER_S;
    snprintf(fact->uuid, sizeof fact->uuid, "6f3c9a52-0000-4444-8888-0123456789ab");
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "weight 256  cap none"));
    assert_true(has(v, "created at 00:00:05.0"));
    assert_true(has(v, "ended at 00:00:15.0"));
    assert_true(has(v, "uuid 6f3c9a52-0000-4444-8888-0123456789ab"));
    assert_true(has(v, "in 5.00 MB/s  out 0 B/s"));
    fact->id ^= 1; /* facts of another that had the slot before */
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_false(has(v, "uuid"));
}

/* What is not in the window's samples is not known; units and the last execution are followed. */
static void test_depth_windows(void **state)
{
    struct views *v = *state;
    v->choice.units = XM_UNITS_MS_PER_S;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "running 500.0 ms/s"));
    v->choice.units = XM_UNITS_OF_VCPUS;
    v->choice.window = XM_WINDOW_LAST;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "running 50.0%"));
    assert_true(has(v, "before it 1.000 ms"));
    assert_true(has(v, "for 2.000 ms  slice 5.000 ms"));
    assert_true(has(v, "On CPUs 0 2, last 1 s:  itself 25.0%"));
    v->choice.domain = XM_ROW_USED | 7;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "no execution has ended yet"));
    v->choice.domain = XM_ROW_USED | 1;
    v->choice.window = XM_WINDOW_1MIN;
    v->fake.model.chosen_coarse = true;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_true(has(v, "all 250.0 ms  after wake-up -  after preemption -  other -"));
    assert_true(has(v, "0 2, last 10 s:  itself 25.0%"));
    v->fake.model.coarse = true;
    build(v, XM_VIEW_DOMAIN, 80, 60);
    assert_non_null(strstr(line(v, fake_find(&v->grid, 0, "On CPUs")), "On CPUs -"));
}

/* 40x10: how the time went is in sight, and the rest is reached by scrolling. */
static void test_depth_40x10(void **state)
{
    struct views *v = *state;
    build(v, XM_VIEW_DOMAIN, 40, 10);
    assert_string_equal(line(v, 0), "web (dom 1)                   < 2 of 3 >");
    assert_string_equal(line(v, 1), "Time    \u2588 running 50.0%  \u2592 waiting 25.0%");
    assert_true(has(v, "after wake-up 20.0% (200.0 ms)"));
    assert_true(v->lines > 20);
    v->scroll = v->lines - 9;
    build(v, XM_VIEW_DOMAIN, 40, 10);
    assert_true(has(v, "Blocked times"));
}

/* ---- Whatever comes. */

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 31;
}

static void scramble(uint64_t *words, size_t count, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++)
        if (next(seed) % 8 == 0)
            words[i] = next(seed) % 3 ? next(seed) >> next(seed) % 33 : ~(next(seed) & 7);
}

/* Rows as a damaged region could have them; ids and what the reader checks stay. */
static void scramble_model(struct views *v, uint64_t *seed)
{
    struct xm_sample *s = next(seed) % 4 ? &v->fake.to : &v->fake.from[next(seed) % XM_SPANS];
    struct xm_vcpu_row *vcpu = &s->vcpu[next(seed) % s->capacity.vcpus];
    struct xm_domain_row *domain = &s->domain[next(seed) % s->capacity.domains];
    struct xm_pcpu_row *pcpu = &s->pcpu[next(seed) % s->capacity.pcpus];
    scramble((uint64_t *)(void *)vcpu + 1, sizeof *vcpu / 8 - 1, seed);
    scramble((uint64_t *)(void *)domain + 1, offsetof(struct xm_domain_row, wait_coarse) / 8 - 1, seed);
    scramble((uint64_t *)(void *)pcpu + 1, sizeof *pcpu / 8 - 1, seed);
    scramble((uint64_t *)(void *)s->pair, (size_t)s->capacity.domains * s->capacity.pcpus * 3, seed);
    for (unsigned i = 0; i < 3; i++)
        scramble(v->spread[next(seed) % FAKE_DOMAINS].counts[i], XM_HIST_BUCKETS, seed);
    for (unsigned i = 0; i < XM_TRAIL_STEPS; i++) {
        v->steps[FAKE_WEB][i].known = next(seed) % 2;
        v->steps[FAKE_WEB][i].running = (uint16_t)next(seed);
        v->steps[FAKE_WEB][i].runnable = (uint16_t)next(seed);
    }
    for (size_t i = 0; i + 1 < sizeof v->fake.fact[0].name && next(seed) % 2; i++)
        v->fake.fact[FAKE_WEB].name[i] = (char)next(seed);
}

static void test_property(void **state)
{
    struct views *v = *state;
    uint64_t seed = getenv("XM_SEED") ? strtoull(getenv("XM_SEED"), NULL, 10) : 20261126;
    print_message("# XM_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned round = 0; round < 600; round++) {
        unsigned width = 20 + (unsigned)(next(&seed) % 281);
        unsigned height = 5 + (unsigned)(next(&seed) % 96);
        struct xm_model *m = &v->fake.model;
        scramble_model(v, &seed);
        v->grid.utf8 = next(&seed) % 2;
        m->coarse = next(&seed) % 6 == 0;
        m->chosen_coarse = next(&seed) % 3 == 0;
        m->past = next(&seed) % 4 == 0;
        m->spread = next(&seed) % 4 ? get_spread : NULL;
        m->trail = next(&seed) % 4 ? &v->trail : NULL;
        m->info.tsc_hz = next(&seed) % 8 ? XM_NS_PER_S : 0;
        m->chosen.from = next(&seed) % 4 ? &v->fake.from[next(&seed) % XM_SPANS] : NULL;
        v->choice.window = (enum xm_choice_window)(next(&seed) % XM_WINDOWS);
        v->choice.units = (enum xm_choice_units)(next(&seed) % XM_UNITS);
        v->choice.one_cpu = next(&seed) % 4 == 0;
        v->choice.cpu = (uint32_t)(next(&seed) % 4);
        v->choice.since = (enum xm_spread_since)(next(&seed) % 2);
        v->choice.hide_idle = next(&seed) % 4 == 0;
        v->choice.domain =
            next(&seed) % 4 ? v->fake.to.domain[next(&seed) % FAKE_DOMAINS].id : next(&seed) % 2;
        v->scroll = (unsigned)(next(&seed) % 20);
        for (enum xm_screen_view view = XM_VIEW_PCPUS; view <= XM_VIEW_LATENCY; view++) {
            const struct xm_table *table = xm_table_of(view);
            struct xm_choice_table *t = &v->choice.table[view];
            *t = (struct xm_choice_table){.chosen = table && next(&seed) % 2};
            for (unsigned i = 1; t->chosen && i < table->count; i++)
                if (next(&seed) % 2)
                    t->column[t->columns++] = (uint8_t)(table->count - i);
            t->sort = (uint8_t)(table ? next(&seed) % table->count : 0);
            t->descending = next(&seed) % 2;
            build(v, view, width, height);
            assert_true(line(v, 0)[0] != '\0');
            for (size_t i = 0; i < (size_t)width * height; i++) /* no cell that a terminal would obey */
                assert_true(v->grid.cells[i].text[0] == '\0' ||
                            (unsigned char)v->grid.cells[i].text[0] >= 0x20);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pcpus, make, drop),
        cmocka_unit_test_setup_teardown(test_pcpus_queue, make, drop),
        cmocka_unit_test_setup_teardown(test_pcpus_unknown, make, drop),
        cmocka_unit_test_setup_teardown(test_pcpus_lost, make, drop),
        cmocka_unit_test_setup_teardown(test_pcpus_starved, make, drop),
        cmocka_unit_test_setup_teardown(test_pcpus_idle, make, drop),
        cmocka_unit_test_setup_teardown(test_latency, make, drop),
        cmocka_unit_test_setup_teardown(test_latency_ended, make, drop),
        cmocka_unit_test_setup_teardown(test_latency_no_rate, make, drop),
        cmocka_unit_test_setup_teardown(test_digests, make, drop),
        cmocka_unit_test_setup_teardown(test_depth, make, drop),
        cmocka_unit_test_setup_teardown(test_depth_two_columns, make, drop),
        cmocka_unit_test_setup_teardown(test_depth_which, make, drop),
        cmocka_unit_test_setup_teardown(test_depth_facts, make, drop),
        cmocka_unit_test_setup_teardown(test_depth_windows, make, drop),
        cmocka_unit_test_setup_teardown(test_depth_40x10, make, drop),
        cmocka_unit_test_setup_teardown(test_property, make, drop),
    };
    return cmocka_run_group_tests_name("front views", tests, NULL, NULL);
}
