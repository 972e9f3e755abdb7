/* SPDX-License-Identifier: MIT */
/* How a domain's time went: states, the last minute, executions, waits, and how long each was. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "front/screen/depth_int.h"
#include "view/format.h"

/* ---- States. */

static const uint64_t *state_ns(const struct xm_usage *u, enum xm_chart_state state)
{
    const uint64_t *const ns[XM_CHART_STATES] = {
        [XM_CHART_RUNNING] = &u->running_ns, [XM_CHART_WAITING] = &u->runnable_ns,
        [XM_CHART_BLOCKED] = &u->blocked_ns, [XM_CHART_OFFLINE] = &u->offline_ns,
        [XM_CHART_UNKNOWN] = &u->unknown_ns,
    };
    return ns[state];
}

void xm_depth_time(const struct xm_depth *d, struct xm_sheet *sheet)
{
    static const char *const names[] = {"running", "waiting", "blocked", "offline", "unknown"};
    const struct xm_usage *u = &d->usage;
    uint64_t part[XM_CHART_STATES];
    struct xm_flow flow;
    char text[64];
    xm_flow_begin(&flow, sheet, "Time");
    if (!d->there) {
        xm_flow_add(&flow, "", XM_MEANING_FAINT,
                    d->last ? "no execution has ended yet" : "not in this window");
        xm_flow_end(&flow);
        return;
    }
    for (unsigned state = 0; state < XM_CHART_STATES; state++) {
        char word[24];
        part[state] = *state_ns(u, (enum xm_chart_state)state);
        if (state >= XM_CHART_OFFLINE && part[state] == 0)
            continue;
        const char *glyph = xm_chart_glyph((enum xm_chart_state)state, sheet->grid.utf8);
        snprintf(word, sizeof word, "%s%s%s", glyph[0] == ' ' ? "" : glyph, glyph[0] == ' ' ? "" : " ",
                 names[state]);
        xm_depth_share(d, part[state], u->span_ns, text, sizeof text);
        xm_flow_add(&flow, word, xm_chart_meaning((enum xm_chart_state)state), text);
    }
    if (!d->last && u->vcpus > 1)
        xm_flow_add(&flow, "any vCPU waiting", XM_MEANING_WAITING,
                    xm_depth_share(d, u->wait_any_ns, u->window_ns, text, sizeof text));
    xm_flow_end(&flow);
    xm_chart_states(&sheet->grid, XM_SHEET_LABEL, sheet->grid.width, sheet->line, part);
    sheet->line++;
}

/* ---- The last minute. */

static bool make_moments(const struct xm_depth *d, struct xm_chart_moment *moment)
{
    const struct xm_trail *trail = d->p->model->trail;
    bool any = false;
    if (!trail || d->slot >= trail->domains)
        return false;
    for (unsigned i = 0; i < XM_TRAIL_STEPS; i++) {
        const struct xm_trail_step *step = &trail->domain[d->slot][i];
        moment[i] = (struct xm_chart_moment){.known = step->known && trail->step_ns[i],
                                             .part = {[XM_CHART_RUNNING] = step->running,
                                                      [XM_CHART_WAITING] = step->runnable,
                                                      [XM_CHART_BLOCKED] = step->blocked,
                                                      [XM_CHART_OFFLINE] = step->offline,
                                                      [XM_CHART_UNKNOWN] = step->unknown}};
        any = any || moment[i].known;
    }
    return any;
}

/* Seconds before the newest step's end that the step in column `at` of `shown` began. */
static unsigned seconds_ago(const struct xm_trail *trail, unsigned at, unsigned shown)
{
    uint64_t ns = 0;
    for (unsigned i = XM_TRAIL_STEPS - shown + at; i < XM_TRAIL_STEPS; i++)
        ns += trail->step_ns[i];
    return (unsigned)((ns + XM_NS_PER_S / 2) / XM_NS_PER_S);
}

/* A mark every 20 steps, as many seconds ago as they really are. */
static void paint_axis(const struct xm_depth *d, struct xm_sheet *sheet, unsigned x, unsigned shown)
{
    const struct xm_trail *trail = d->p->model->trail;
    const char *tick = sheet->grid.utf8 ? "\u2514" : "|";
    unsigned y = sheet->line++;
    unsigned next = 0;
    for (unsigned at = shown % 20; at + 8 <= shown; at += 20) {
        if (trail->step_ns[XM_TRAIL_STEPS - shown + at] == 0 || at < next)
            continue;
        next = xm_grid_print(&sheet->grid, x + at, y, XM_MEANING_FAINT, "%s-%u s", tick,
                             seconds_ago(trail, at, shown)) -
               x;
    }
    const char *end = d->p->model->past ? "shown" : "now";
    if (next + strlen(end) < shown)
        xm_grid_put_right(&sheet->grid, x + shown, y, XM_MEANING_FAINT, end);
}

void xm_depth_strip(const struct xm_depth *d, struct xm_sheet *sheet)
{
    struct xm_chart_moment moment[XM_TRAIL_STEPS];
    unsigned rows = d->p->rows >= 40 ? 8 : d->p->rows >= 16 ? 4 : 2;
    unsigned width = sheet->grid.width;
    unsigned shown = width > XM_SHEET_LABEL ? width - XM_SHEET_LABEL : 0;
    shown = shown < XM_TRAIL_STEPS ? shown : XM_TRAIL_STEPS;
    if (!make_moments(d, moment) || shown < 4) {
        struct xm_flow flow;
        xm_flow_begin(&flow, sheet, "Minute");
        xm_flow_add(&flow, "", XM_MEANING_FAINT, "no seconds of it yet");
        xm_flow_end(&flow);
        return;
    }
    unsigned y = sheet->line;
    xm_grid_put(&sheet->grid, 0, y, XM_MEANING_LABEL, "100%");
    xm_grid_put(&sheet->grid, 0, y + rows - 1, XM_MEANING_LABEL, "0");
    xm_chart_strip(&sheet->grid, XM_SHEET_LABEL, XM_SHEET_LABEL + shown, y, rows, moment, XM_TRAIL_STEPS);
    sheet->line += rows;
    paint_axis(d, sheet, XM_SHEET_LABEL, shown);
}

/* ---- Waits and executions. */

static void add_wait(const struct xm_depth *d, struct xm_flow *flow, const char *word, const char *id,
                     uint64_t ns)
{
    char share[32];
    char time[24];
    char text[64] = "-";
    bool timed = d->p->model->info.tsc_hz != 0;
    if (d->there && !d->last && xm_table_is_known(d->p, &d->line, &d->usage, id)) {
        xm_depth_share(d, ns, d->usage.span_ns, share, sizeof share);
        snprintf(text, sizeof text, "%s%s%s%s", share, timed ? " (" : "",
                 timed ? xm_format_ns(ns, time, sizeof time) : "", timed ? ")" : "");
    }
    xm_flow_add(flow, word, ns ? XM_MEANING_WAITING : XM_MEANING_FAINT, text);
}

void xm_depth_waits(const struct xm_depth *d, struct xm_sheet *sheet)
{
    const struct xm_usage *u = &d->usage;
    struct xm_flow flow;
    char text[64];
    xm_flow_begin(&flow, sheet, "Waits");
    if (d->there && !d->last && d->coarse)
        xm_flow_add(&flow, "all", XM_MEANING_WAITING, xm_depth_number(d, "runnable_ns", text, sizeof text));
    if (d->last)
        xm_flow_add(&flow, "before it", XM_MEANING_WAITING,
                    xm_depth_number(d, "runnable_ns", text, sizeof text));
    if (!d->last) {
        add_wait(d, &flow, "after wake-up", "wait_after_wake_ns", u->wait_wake_ns);
        add_wait(d, &flow, "after preemption", "wait_after_preemption_ns", u->wait_preempt_ns);
        add_wait(d, &flow, "other", "wait_other_ns", u->wait_other_ns);
        xm_depth_number(d, "wait_max_ns", text, sizeof text);
        xm_flow_add(&flow, "longest", XM_MEANING_WAITING, u->wait_max_ns ? text : "-");
    }
    xm_flow_end(&flow);
}

void xm_depth_runs(const struct xm_depth *d, struct xm_sheet *sheet)
{
    static const struct {
        const char *word, *id;
    } numbers[] = {{"executions", "executions_per_s"}, {"average", "running_per_execution_ns"},
                   {"preempted", "preemptions"},       {"yields", "yields"},
                   {"changed pCPU", "migrations"},     {"slices", "allocated_min_ns"},
                   {"to", "allocated_max_ns"},         {"average", "allocated_avg_ns"}};
    struct xm_flow flow;
    xm_flow_begin(&flow, sheet, "Runs");
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[64];
        if (d->last && i != 1 && i != 5)
            continue;
        xm_depth_number(d, numbers[i].id, text, sizeof text);
        xm_flow_add(&flow, d->last ? i == 1 ? "for" : "slice" : numbers[i].word,
                    i < 2 ? XM_MEANING_RUNNING : XM_MEANING_NORMAL, text);
    }
    xm_flow_end(&flow);
}

/* ---- How long each was. */

static const struct {
    enum xm_hist_kind kind;
    const char *name, *title;
    enum xm_meaning meaning;
} kinds[] = {{XM_HIST_WAIT, "waits", "Waits", XM_MEANING_WAITING},
             {XM_HIST_EXECUTION, "runs", "Executions", XM_MEANING_RUNNING},
             {XM_HIST_BLOCKED, "blocked", "Blocked times", XM_MEANING_BLOCKED}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static const char *since_words(const struct xm_depth *d, char *text, size_t size)
{
    char time[24] = "";
    bool watched = d->p->choice->since == XM_SPREAD_WATCHED;
    if (d->digest.since_ns)
        xm_format_ns(d->digest.since_ns, time, sizeof time);
    snprintf(text, size, "since %s%s%s%s (D: %s)", watched ? "watched" : "the start", time[0] ? ", " : "",
             time, d->p->model->past ? ", up to the newest sample" : "",
             watched ? "since the start" : "from now on");
    return text;
}

#define LENGTH_WIDTH 9u
#define LENGTHS      5u

/* Where the column ends; 0: there is no room for it. */
static unsigned length_end(const struct xm_sheet *sheet, unsigned column)
{
    unsigned end = XM_SHEET_LABEL + LENGTH_WIDTH * (column + 1);
    return end <= sheet->grid.width ? end : 0;
}

static void paint_lengths(const struct xm_depth *d, struct xm_sheet *sheet, unsigned kind)
{
    const struct xm_digest_of *of = &d->digest.of[kinds[kind].kind];
    const uint64_t ns[LENGTHS - 1] = {of->p50_ns, of->p95_ns, of->p99_ns, of->longest_ns};
    enum xm_meaning meaning = of->count ? kinds[kind].meaning : XM_MEANING_FAINT;
    char text[24];
    unsigned y = sheet->line++;
    xm_grid_put(&sheet->grid, 1, y, XM_MEANING_LABEL, kinds[kind].name);
    for (unsigned i = 0; i + 1 < LENGTHS && length_end(sheet, i); i++)
        xm_grid_put_right(&sheet->grid, length_end(sheet, i), y, meaning,
                          of->count ? xm_format_ns(ns[i], text, sizeof text) : "-");
    if (length_end(sheet, LENGTHS - 1))
        xm_grid_put_right(&sheet->grid, length_end(sheet, LENGTHS - 1), y, XM_MEANING_NORMAL,
                          xm_format_count(of->count, 8, text, sizeof text));
}

void xm_depth_lengths(const struct xm_depth *d, struct xm_sheet *sheet)
{
    static const char *const titles[LENGTHS] = {"p50", "p95", "p99", "longest", "number"};
    struct xm_grid *grid = &sheet->grid;
    struct xm_flow flow;
    char since[128];
    if (!d->digested) {
        xm_flow_begin(&flow, sheet, "Lengths");
        xm_flow_add(&flow, "", XM_MEANING_FAINT, "no distributions to be had");
        xm_flow_end(&flow);
        return;
    }
    unsigned y = sheet->line++;
    unsigned last = 0;
    xm_grid_put(grid, 0, y, XM_MEANING_LABEL, "Lengths");
    for (unsigned i = 0; i < LENGTHS && length_end(sheet, i); i++) {
        last = length_end(sheet, i);
        xm_grid_put_right(grid, last, y, XM_MEANING_LABEL, titles[i]);
    }
    since_words(d, since, sizeof since);
    bool behind = last + 2 + strlen(since) <= grid->width;
    if (behind)
        xm_grid_put(grid, last + 2, y, XM_MEANING_FAINT, since);
    for (unsigned k = 0; k < KINDS; k++)
        paint_lengths(d, sheet, k);
    if (!behind) {
        xm_flow_begin(&flow, sheet, "");
        xm_flow_add(&flow, "", XM_MEANING_FAINT, since);
        xm_flow_end(&flow);
    }
}

/* The bins that any of `count` histograms has something in; false: none has. */
static bool common_range(const struct xm_chart_bins *bins, unsigned count, unsigned *first, unsigned *last)
{
    bool any = false;
    for (unsigned i = 0; i < bins[0].count; i++) {
        bool here = false;
        for (unsigned k = 0; k < count; k++)
            here = here || bins[k].n[i];
        if (!here)
            continue;
        *first = any ? *first : i;
        *last = i;
        any = true;
    }
    return any;
}

/* `count` of them from kind `from` on, side by side with lines that agree. */
static void paint_histograms(const struct xm_depth *d, struct xm_sheet *sheet, unsigned from, unsigned count)
{
    struct xm_chart_bins bins[KINDS] = {{.count = 0}};
    unsigned width = sheet->grid.width / count;
    unsigned first = 0;
    unsigned last = 0;
    for (unsigned k = 0; k < count; k++)
        xm_chart_bins(d->spread->counts[kinds[from + k].kind], d->p->model->window[XM_SPAN_1S].scale,
                      d->p->rows >= 40, &bins[k]);
    bool any = common_range(bins, count, &first, &last);
    for (unsigned k = 0; k < count; k++)
        xm_grid_print(&sheet->grid, k * width, sheet->line, XM_MEANING_LABEL, "%s: how long%s",
                      kinds[from + k].title, bins[k].total ? "" : " (none)");
    sheet->line++;
    for (unsigned i = first; any && i <= last; i++, sheet->line++) {
        for (unsigned k = 0; k < count; k++) {
            const struct xm_digest_of *of = &d->digest.of[kinds[from + k].kind];
            const struct xm_chart_marks marks = {of->p50_ns, of->p95_ns, of->p99_ns};
            unsigned gap = k + 1 < count ? 2 : 0;
            xm_chart_histogram_line(&sheet->grid, k * width, (k + 1) * width - gap, sheet->line,
                                    kinds[from + k].meaning, &bins[k], i, &marks);
        }
    }
}

void xm_depth_histograms(const struct xm_depth *d, struct xm_sheet *sheet)
{
    if (!d->spread)
        return;
    unsigned width = sheet->grid.width;
    unsigned beside = width >= 90 ? 3 : width >= 56 ? 2 : 1;
    for (unsigned from = 0; from < KINDS; from += beside) {
        unsigned count = KINDS - from < beside ? (unsigned)KINDS - from : beside;
        paint_histograms(d, sheet, from, count);
    }
}
