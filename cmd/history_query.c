/* SPDX-License-Identifier: MIT */
/*
 * xenmon history: what domains did, window by window, out of the durable history.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "history_out.h"
#include "view/format.h"

#define PROGRAM "xenmon history"
#define CELL    24

struct config {
    struct xm_list domains, metrics;
    struct xm_range range;
    struct xm_grid grid;
    unsigned format;
    bool vcpus, list_metrics, help;
};

static const char *set_step(const struct xm_option *option, const char *text, void *where)
{
    struct xm_grid *grid = where;
    uint64_t ns;
    if (strcmp(text, "day") == 0 || strcmp(text, "1d") == 0)
        *grid = (struct xm_grid){.kind = XM_GRID_DAY};
    else if (strcmp(text, "month") == 0)
        *grid = (struct xm_grid){.kind = XM_GRID_MONTH};
    else if (xm_read_duration(text, 0, &ns) && xm_grid_step_fits(ns))
        *grid = (struct xm_grid){.kind = XM_GRID_STEP, .step_ns = ns};
    else
        return "a duration that divides a day, such as 1s, 5m or 1h, or day, or month";
    return NULL;
}

static const char *set_metric(const struct xm_option *option, const char *text, void *where)
{
    if (!xm_column_find(text))
        return "a metric (--list-metrics has their names)";
    if (xm_history_need(text, false) == XM_NEED_LOST)
        return "one that the history keeps (--list-metrics has their names)";
    return xm_set_list(option, text, where);
}

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {.help = "What is shown:"},
    {"domain", 'd', XM_ARG_NEEDED, xm_set_list, AT(domains), "NAME|ID|UUID",
     "this domain alone; can be given again", 0, 0, 0},
    {"vcpu", 0, XM_ARG_NONE, xm_set_flag, AT(vcpus), NULL, "a row for each vCPU, not for each domain", 0, 0,
     0},
    {"metric", 'm', XM_ARG_NEEDED, set_metric, AT(metrics), "NAME", "this column; can be given again", 0, 0,
     0},
    {"list-metrics", 0, XM_ARG_NONE, xm_set_flag, AT(list_metrics), NULL,
     "print the names that there are, and exit", 0, 0, 0},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, AT(format), XM_OUT_FORMATS,
     "text (the default), comma-separated, or a JSON object a line", 0, 0, 0},
    {.help = "When:"},
    {"from", 'b', XM_ARG_NEEDED, xm_set_text, AT(range.from), "TIME",
     "2026-11-26T10:00:00Z, \"2026-11-26 10:00\", 10:00, or -2h (the beginning)", 0, 0, 0},
    {"to", 'e', XM_ARG_NEEDED, xm_set_text, AT(range.to), "TIME", "likewise (the end)", 0, 0, 0},
    {"step", 's', XM_ARG_NEEDED, set_step, AT(grid), "TIME",
     "a row for each 1s, 5m, 1h, day or month of the clock; without it one for all of it", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] [DIR]\n"
           "       " PROGRAM " report|runs|check|show|keep [options] [DIR]\n"
           "What domains did in days past, out of what 'xenbaked --history=DIR' keeps\n"
           "(DIR: $XENMON_HISTORY, or " XM_HISTORY_DIRECTORY ").\n\n"
           "  report  time and traffic by domain and hour, to account for\n"
           "  runs    when xenbaked ran\n"
           "  check   whether all that is kept holds together\n"
           "  show    the live screen over a stretch of the past\n"
           "  keep    writes the history of a running xenbaked\n");
    xm_options_print(options, OPTIONS, stdout);
    return xm_history_flush(PROGRAM, XM_EXIT_DONE);
}

static int list_metrics(void)
{
    size_t count;
    const struct xm_column *column = xm_columns(&count);
    for (size_t i = 0; i < count; i++)
        if (xm_history_need(column[i].id, false) != XM_NEED_LOST)
            printf("%-28s%s\n", column[i].id, column[i].help);
    return xm_history_flush(PROGRAM, XM_EXIT_DONE);
}

/* ---- Rows. */

struct printing {
    const struct config *c;
    struct xm_history *history;
    struct xm_out out;
    struct xm_place *place;
    uint64_t
        known_to_ns; /* wall time up to which rows have told, or it has been said that nothing is known */
    bool begun;
    const char *stays[XM_HISTORY_LIST + 8]; /* on paper, and NULL */
};

/* The time that a row's numbers are known for, of the time that it stands for; at most all of it. */
static double coverage(const struct xm_history_view *v, const struct xm_usage *u)
{
    double asked = (double)(v->bounds->end_line_ns - v->bounds->line_ns);
    double known = u->vcpus ? (double)(u->span_ns - u->unknown_ns) / u->vcpus : (double)u->window_ns;
    return asked > 0 && known < asked ? known / asked : known > 0;
}

static void put_metric(struct printing *p, const struct xm_history_view *v, const struct xm_column *column,
                       const struct xm_usage *u)
{
    struct xm_cell cell = {.known = false};
    char text[CELL];
    if (u) {
        column->get(u, &cell);
        if (!v->detail && xm_history_need(column->id, p->c->vcpus) == XM_NEED_DETAIL)
            cell.known = false;
        xm_format_cell(column, &cell, text, sizeof text);
    }
    if (column->type == XM_COL_NS || column->type == XM_COL_COUNT)
        xm_out_u64(&p->out, column->id, column->title, 8, cell.known, cell.exact, text);
    else
        xm_out_real(&p->out, column->id, column->title, 6, cell.known, cell.value, text);
}

static const char *const on_paper[] = {"window_ns",        "running_pct",  "runnable_pct",
                                       "blocked_pct",      "offline_pct",  "unknown_pct",
                                       "executions_per_s", "wait_any_pct", "io_per_s"};
static const char *const exact[] = {"window_ns",  "running_ns", "runnable_ns", "blocked_ns",
                                    "offline_ns", "unknown_ns", "executions",  "io_count"};

static void put_metrics(struct printing *p, const struct xm_history_view *v, const struct xm_usage *u)
{
    const struct xm_list *asked = &p->c->metrics;
    bool paper = p->c->format == XM_OUT_TEXT;
    const char *const *name = asked->count ? asked->item : paper ? on_paper : exact;
    size_t count = asked->count ? asked->count
                   : paper      ? sizeof on_paper / sizeof on_paper[0]
                                : sizeof exact / sizeof exact[0];
    for (size_t i = 0; i < count; i++)
        put_metric(p, v, xm_column_find(name[i]), u);
}

/* v NULL: the heading. */
static void put_row(struct printing *p, const struct xm_history_view *v, const struct xm_history_domain *d,
                    const struct xm_usage *u)
{
    char domid[CELL] = "", vcpu[CELL] = "", share[CELL] = "", name[64] = "";
    uint64_t id = u ? u->id : 0;
    double part = v ? coverage(v, u) : 0;
    if (v) {
        xm_format_name(d->name, sizeof d->name, name, sizeof name);
        snprintf(domid, sizeof domid, "%u", xm_row_domid(id));
        snprintf(vcpu, sizeof vcpu, "%u", xm_row_vcpu(id));
        snprintf(share, sizeof share, "%.1f%%", part * 100);
    }
    xm_out_time(&p->out, "time", NULL, v ? v->bounds->line_ns : 0);
    xm_out_time(&p->out, "from", "From", v ? v->bounds->from_ns : 0);
    xm_out_time(&p->out, "to", "To", v ? v->bounds->to_ns : 0);
    xm_out_u64(&p->out, "run", NULL, 0, true, v ? (uint64_t)v->run->id : 0, NULL);
    xm_out_u64(&p->out, "domid", "Id", 5, true, xm_row_domid(id), domid);
    xm_out_u64(&p->out, "instance", NULL, 0, true, xm_row_instance(id), NULL);
    xm_out_text(&p->out, "name", "Name", -12, d && d->name[0] ? name : NULL);
    xm_out_text(&p->out, "uuid", NULL, 0, d && d->uuid[0] ? d->uuid : NULL);
    if (p->c->vcpus)
        xm_out_u64(&p->out, "vcpu", "vCPU", 4, true, xm_row_vcpu(id), vcpu);
    xm_out_real(&p->out, "coverage", "Known", 6, true, part, share);
    xm_out_u64(&p->out, "clock_set", NULL, 0, true, v ? v->bounds->stepped : 0, NULL);
    put_metrics(p, v, u);
    xm_out_end(&p->out);
}

static void begin_row(struct printing *p)
{
    if (!p->begun && xm_out_heading(&p->out))
        put_row(p, NULL, NULL, NULL);
    p->begun = true;
    xm_out_row(&p->out);
}

/* Where xenbaked did not run nothing is known, and that is said. */
static void say_gap(struct printing *p, uint64_t from_ns, uint64_t to_ns)
{
    char from[40], to[40], text[160];
    if (to_ns <= from_ns || to_ns - from_ns < XM_NS_PER_S)
        return;
    xm_grid_write_time(from_ns, from, sizeof from);
    xm_grid_write_time(to_ns, to, sizeof to);
    if (p->c->format == XM_OUT_JSONL) {
        xm_out_row(&p->out);
        xm_out_text(&p->out, "from", NULL, 0, from);
        xm_out_text(&p->out, "to", NULL, 0, to);
        xm_json_bool(&p->out.json, "known", false);
        xm_out_end(&p->out);
        return;
    }
    snprintf(text, sizeof text, "nothing is known from %s to %s: xenbaked did not run, or was not kept", from,
             to);
    if (!xm_out_note(&p->out, text)) {
        fflush(p->out.out);
        xm_complain(PROGRAM, "%s", text);
    }
}

static enum xm_status put_window(void *user, const struct xm_history_view *v, struct xm_error *err)
{
    struct printing *p = user;
    const struct xm_sample *to = v->window.to;
    uint32_t rows = p->c->vcpus ? to->used.vcpus : to->used.domains;
    struct xm_place *place = realloc(p->place, (rows + (size_t)1) * sizeof *place);
    if (!place)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    p->place = place;
    if (p->known_to_ns && v->bounds->from_ns > p->known_to_ns)
        say_gap(p, p->known_to_ns, v->bounds->from_ns);
    p->known_to_ns = v->bounds->to_ns;
    size_t count = p->c->vcpus ? xm_order_vcpus(to, place) : xm_order_domains(to, place);
    for (size_t i = 0; i < count; i++) {
        struct xm_usage u;
        uint32_t slot = p->c->vcpus ? to->vcpu_domain[place[i].slot] : place[i].slot;
        const struct xm_history_domain *d = &p->history->domain[v->stretch->domain[slot]];
        bool there = p->c->vcpus ? xm_usage_vcpu(&v->window, place[i].slot, &u)
                                 : xm_usage_domain(&v->window, slot, &u);
        if (!there || !xm_history_selects(&p->c->domains, d))
            continue;
        begin_row(p);
        put_row(p, v, d, &u);
    }
    return ferror(p->out.out) ? XM_END : XM_OK;
}

/* Who asks for columns gets them, however narrow the paper is. */
static void fit(struct printing *p)
{
    static const char *const always[] = {"from", "domid", "name", "vcpu", "coverage"};
    static const char *const first[] = {"to", NULL};
    size_t count = 0;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        p->stays[count++] = always[i];
    for (size_t i = 0; i < p->c->metrics.count; i++)
        p->stays[count++] = p->c->metrics.item[i];
    p->stays[count] = NULL;
    xm_out_fit(&p->out, first, p->stays);
}

static int print_rows(const struct config *c, struct xm_history *history)
{
    struct xm_error err;
    struct printing p = {.c = c, .history = history, .known_to_ns = c->range.from_ns};
    enum xm_status status = XM_OK;
    xm_error_clear(&err);
    xm_out_init(&p.out, stdout, c->format);
    fit(&p);
    for (size_t i = 0; i < history->runs && status == XM_OK; i++)
        status = xm_history_each_window(history, &history->run[i], &c->grid, &c->range, put_window, &p, &err);
    if (status == XM_OK && c->range.to_ns != UINT64_MAX)
        say_gap(&p, p.known_to_ns, c->range.to_ns);
    if (!p.begun && status == XM_OK && c->format == XM_OUT_CSV && xm_out_heading(&p.out))
        put_row(&p, NULL, NULL, NULL);
    free(p.place);
    int code = status < 0 ? xm_history_complain(PROGRAM, &err) : XM_EXIT_DONE;
    return xm_history_flush(PROGRAM, code);
}

/* A domain that nobody has heard of is a slip of the pen. */
static int check_domains(const struct config *c, const struct xm_history *history)
{
    for (size_t i = 0; i < c->domains.count; i++) {
        const struct xm_list one = {.item = {c->domains.item[i]}, .count = 1};
        bool found = false;
        for (size_t d = 0; d < history->domains && !found; d++)
            found = xm_history_selects(&one, &history->domain[d]);
        if (found)
            continue;
        xm_complain(PROGRAM, "--domain=%s: the history has no such domain", c->domains.item[i]);
        return XM_EXIT_FAILED;
    }
    return XM_EXIT_DONE;
}

int xenmon_history_query_main(int argc, char **argv)
{
    struct config c = {.grid = {.kind = XM_GRID_WHOLE}};
    struct xm_history history;
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.help)
        return print_help();
    if (c.list_metrics)
        return list_metrics();
    int code = xm_history_begin(PROGRAM, operands, argv, &c.range, &history);
    if (code != XM_EXIT_DONE)
        return code;
    code = check_domains(&c, &history);
    if (code == XM_EXIT_DONE)
        code = print_rows(&c, &history);
    xm_history_end(&history);
    return code;
}
