/* SPDX-License-Identifier: MIT */
/*
 * One line a domain: how long its waits, executions and blocked times were.  Percentiles are of whole
 * distributions, since the start or since they were watched; only the longest wait is of the window.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/terminal/chart.h"
#include "front/feed/digest.h"
#include "front/screen/table_int.h"
#include "view/format.h"

static bool digest_of(const struct xm_painter *p, const struct xm_table_line *line, struct xm_digest *digest)
{
    return xm_digest_get(p->model, line->domain, p->choice->since, digest);
}

static void cell_name(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell)
{
    const struct xm_domain_row *row = &p->model->window[XM_SPAN_1S].to->domain[line->domain];
    char name[96];
    if (p->grid->width < 120)
        xm_screen_short_name(p->model, p->grid, line->domain, (unsigned)sizeof name, name, sizeof name);
    else
        xm_screen_domain_name(p->model, line->domain, name, sizeof name);
    cell->known = true;
    cell->by_text = true;
    cell->meaning = row->ended ? XM_MEANING_FAINT : XM_MEANING_SUBJECT;
    snprintf(cell->text, sizeof cell->text, "%s%.80s", row->ended && !cell->key_only ? "ended: " : "", name);
}

/* ---- One figure of one kind of duration. */

static void put_duration(const struct xm_painter *p, const struct xm_table_line *line, enum xm_hist_kind kind,
                         size_t member, enum xm_meaning meaning, struct xm_table_cell *cell)
{
    struct xm_digest digest;
    uint64_t ns;
    if (!digest_of(p, line, &digest) || digest.of[kind].count == 0) {
        xm_table_put_unknown(cell);
        return;
    }
    memcpy(&ns, (const char *)&digest.of[kind] + member, sizeof ns);
    cell->known = true;
    cell->key = (double)ns;
    cell->meaning = meaning;
    if (!cell->key_only)
        xm_format_ns(ns, cell->text, sizeof cell->text);
}

#define DURATION(name, kind, member, meaning)                                                                \
    static void name(const struct xm_painter *p, const struct xm_table_line *line,                           \
                     struct xm_table_cell *cell)                                                             \
    {                                                                                                        \
        put_duration(p, line, kind, offsetof(struct xm_digest_of, member), meaning, cell);                   \
    }

DURATION(cell_wait_p50, XM_HIST_WAIT, p50_ns, XM_MEANING_WAITING)
DURATION(cell_wait_p95, XM_HIST_WAIT, p95_ns, XM_MEANING_WAITING)
DURATION(cell_wait_p99, XM_HIST_WAIT, p99_ns, XM_MEANING_WAITING)
DURATION(cell_wait_longest, XM_HIST_WAIT, longest_ns, XM_MEANING_WAITING)
DURATION(cell_run_p50, XM_HIST_EXECUTION, p50_ns, XM_MEANING_RUNNING)
DURATION(cell_run_p95, XM_HIST_EXECUTION, p95_ns, XM_MEANING_RUNNING)
DURATION(cell_run_p99, XM_HIST_EXECUTION, p99_ns, XM_MEANING_RUNNING)
DURATION(cell_blocked_p50, XM_HIST_BLOCKED, p50_ns, XM_MEANING_BLOCKED)
DURATION(cell_blocked_p95, XM_HIST_BLOCKED, p95_ns, XM_MEANING_BLOCKED)
DURATION(cell_blocked_p99, XM_HIST_BLOCKED, p99_ns, XM_MEANING_BLOCKED)

static void put_count(const struct xm_painter *p, const struct xm_table_line *line, enum xm_hist_kind kind,
                      struct xm_table_cell *cell)
{
    struct xm_digest digest;
    if (!digest_of(p, line, &digest)) {
        xm_table_put_unknown(cell);
        return;
    }
    uint64_t count = digest.of[kind].count;
    cell->known = true;
    cell->key = (double)count;
    cell->meaning = count ? XM_MEANING_NORMAL : XM_MEANING_FAINT;
    if (!cell->key_only)
        xm_format_count(count, 7, cell->text, sizeof cell->text);
}

static void cell_waits(const struct xm_painter *p, const struct xm_table_line *line,
                       struct xm_table_cell *cell)
{
    put_count(p, line, XM_HIST_WAIT, cell);
}

static void cell_runs(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell)
{
    put_count(p, line, XM_HIST_EXECUTION, cell);
}

static void cell_blocks(const struct xm_painter *p, const struct xm_table_line *line,
                        struct xm_table_cell *cell)
{
    put_count(p, line, XM_HIST_BLOCKED, cell);
}

/* ---- How many of the waits were long. */

static void put_over(const struct xm_painter *p, const struct xm_table_line *line, bool ten,
                     struct xm_table_cell *cell)
{
    struct xm_digest digest;
    if (!digest_of(p, line, &digest) || digest.of[XM_HIST_WAIT].count == 0) {
        xm_table_put_unknown(cell);
        return;
    }
    const struct xm_digest_of *of = &digest.of[XM_HIST_WAIT];
    uint64_t over = ten ? of->over_10ms : of->over_1ms;
    cell->known = true;
    cell->key = (double)over / (double)of->count;
    cell->meaning = over ? XM_MEANING_WAITING : XM_MEANING_FAINT;
    if (!cell->key_only)
        xm_format_percent(100 * cell->key, cell->text, sizeof cell->text);
}

static void cell_over_1ms(const struct xm_painter *p, const struct xm_table_line *line,
                          struct xm_table_cell *cell)
{
    put_over(p, line, false, cell);
}

static void cell_over_10ms(const struct xm_painter *p, const struct xm_table_line *line,
                           struct xm_table_cell *cell)
{
    put_over(p, line, true, cell);
}

/* ---- The distributions as strips. */

static void put_strip(const struct xm_painter *p, const struct xm_table_line *line, enum xm_hist_kind kind,
                      enum xm_meaning meaning, struct xm_table_cell *cell)
{
    struct xm_digest digest;
    if (!digest_of(p, line, &digest) || digest.of[kind].count == 0) {
        xm_table_put_unknown(cell);
        return;
    }
    const struct xm_digest_of *of = &digest.of[kind];
    size_t used = 0;
    cell->known = true;
    cell->key = (double)of->p50_ns;
    cell->meaning = meaning;
    for (unsigned i = 0; i < XM_DIGEST_CELLS && !cell->key_only; i++) {
        const char *level = xm_chart_level(p->grid->utf8, of->cell[i], of->count);
        size_t length = strlen(level);
        memcpy(cell->text + used, level, length + 1);
        used += length;
    }
}
_Static_assert(XM_DIGEST_CELLS * 3 < sizeof((struct xm_table_cell *)0)->text,
               "a strip fits into a cell's text");

static void cell_wait_strip(const struct xm_painter *p, const struct xm_table_line *line,
                            struct xm_table_cell *cell)
{
    put_strip(p, line, XM_HIST_WAIT, XM_MEANING_WAITING, cell);
}

static void cell_run_strip(const struct xm_painter *p, const struct xm_table_line *line,
                           struct xm_table_cell *cell)
{
    put_strip(p, line, XM_HIST_EXECUTION, XM_MEANING_RUNNING, cell);
}

static void cell_blocked_strip(const struct xm_painter *p, const struct xm_table_line *line,
                               struct xm_table_cell *cell)
{
    put_strip(p, line, XM_HIST_BLOCKED, XM_MEANING_BLOCKED, cell);
}

/* ---- Lines. */

static struct xm_table_line *latency_lines(const struct xm_painter *p, uint32_t *count)
{
    uint32_t *slots = xm_screen_domains(p->model, count);
    struct xm_table_line *lines = slots && *count ? calloc(*count, sizeof *lines) : NULL;
    if (!lines)
        *count = 0;
    for (uint32_t i = 0; i < *count; i++) {
        uint64_t id = p->model->window[XM_SPAN_1S].to->domain[slots[i]].id;
        lines[i] = (struct xm_table_line){.item = {XM_ITEM_DOMAIN, id}, .slot = slots[i], .domain = slots[i]};
    }
    free(slots);
    return lines;
}

#define SINCE " since the start, or since it was watched (key D)"
#define STRIP_HELP                                                                                           \
    " by length, two cells a decade from 1 us (u) by 1 ms (m) to 1 s (s) and more; the higher, the more of " \
    "them;"                                                                                                  \
    " sorts by the median"

static const struct xm_table_column columns[] = {
    {.id = "name",
     .title = "domain",
     .width = 0,
     .left = true,
     .shown = true,
     .ascending = true,
     .help = "the domain's name and number",
     .cell = cell_name},
    {.id = "wait_p50_ns",
     .title = "wait p50",
     .width = 9,
     .shown = true,
     .help = "half of the waits were no longer;" SINCE,
     .cell = cell_wait_p50},
    {.id = "wait_p95_ns",
     .title = "wait p95",
     .width = 9,
     .shown = true,
     .help = "95 of 100 waits were no longer;" SINCE,
     .cell = cell_wait_p95},
    {.id = "wait_p99_ns",
     .title = "wait p99",
     .width = 9,
     .shown = true,
     .help = "99 of 100 waits were no longer;" SINCE,
     .cell = cell_wait_p99},
    {.id = "wait_max_ns",
     .title = "max wait",
     .width = 9,
     .shown = true,
     .help = "the longest wait that ended in the chosen window",
     .cell = xm_table_longest},
    {.id = "over_1ms",
     .title = ">1 ms",
     .width = 7,
     .shown = true,
     .help = "share of the waits that were longer than 1 ms, of their number;" SINCE,
     .cell = cell_over_1ms},
    {.id = "wait_strip",
     .title = " us    ms    s",
     .width = 16,
     .shown = true,
     .help = "waits" STRIP_HELP,
     .cell = cell_wait_strip},
    {.id = "over_10ms",
     .title = ">10 ms",
     .width = 7,
     .shown = true,
     .help = "share of the waits that were longer than 10 ms, of their number;" SINCE,
     .cell = cell_over_10ms},
    {.id = "waits",
     .title = "waits",
     .width = 9,
     .shown = true,
     .help = "waits that ended;" SINCE,
     .cell = cell_waits},
    {.id = "run_p50_ns",
     .title = "run p50",
     .width = 9,
     .shown = true,
     .help = "half of the executions were no longer;" SINCE,
     .cell = cell_run_p50},
    {.id = "run_p95_ns",
     .title = "run p95",
     .width = 9,
     .shown = true,
     .help = "95 of 100 executions were no longer;" SINCE,
     .cell = cell_run_p95},
    {.id = "run_p99_ns",
     .title = "run p99",
     .width = 9,
     .shown = true,
     .help = "99 of 100 executions were no longer;" SINCE,
     .cell = cell_run_p99},
    {.id = "blocked_p50_ns",
     .title = "block p50",
     .width = 10,
     .shown = true,
     .help = "half of the blocked times were no longer;" SINCE,
     .cell = cell_blocked_p50},
    {.id = "blocked_p95_ns",
     .title = "block p95",
     .width = 10,
     .shown = true,
     .help = "95 of 100 blocked times were no longer;" SINCE,
     .cell = cell_blocked_p95},
    {.id = "blocked_p99_ns",
     .title = "block p99",
     .width = 10,
     .shown = true,
     .help = "99 of 100 blocked times were no longer;" SINCE,
     .cell = cell_blocked_p99},
    {.id = "wait_longest_ns",
     .title = "longest",
     .width = 9,
     .help = "the longest wait of all, to 1 part in 64;" SINCE,
     .cell = cell_wait_longest},
    {.id = "runs", .title = "runs", .width = 9, .help = "executions that ended;" SINCE, .cell = cell_runs},
    {.id = "blocks",
     .title = "blocks",
     .width = 9,
     .help = "blocked times that ended;" SINCE,
     .cell = cell_blocks},
    {.id = "run_strip",
     .title = " us    ms    s",
     .width = 16,
     .help = "executions" STRIP_HELP,
     .cell = cell_run_strip},
    {.id = "blocked_strip",
     .title = " us    ms    s",
     .width = 16,
     .help = "blocked times" STRIP_HELP,
     .cell = cell_blocked_strip},
};

const struct xm_table xm_latency_table = {
    .view = XM_VIEW_LATENCY,
    .columns = columns,
    .count = sizeof columns / sizeof columns[0],
    .sort = 4, /* wait_max_ns: the others cost a look into every histogram */
    .nothing = "no domain seen yet",
    .lines = latency_lines,
    .starved = xm_table_starved,
    .idle = xm_table_idle,
};
