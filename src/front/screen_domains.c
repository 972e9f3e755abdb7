/* SPDX-License-Identifier: MIT */
/* The paper's screen: for every domain the same rows, for every window the same columns side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen_int.h"
#include "view/format.h"

/* ---- Columns: three windows, in each what a row has to say. */

enum window { LAST, ONE, TEN, WINDOWS };
enum field { TOTAL, PERCENT, AVERAGE, FIELDS };

static const struct {
    enum window window;
    enum field field;
    struct xm_screen_column column;
} columns[] = {
    {LAST, TOTAL, {"total", "last", 9, 6}},
    {LAST, PERCENT, {"%", "%", 7, 7}},
    {ONE, TOTAL, {"total", "1 s", 11, 1}},
    {ONE, PERCENT, {"%", "1 s %", 7, 0}},
    {ONE, AVERAGE, {"/exec", "/exec", 9, 2}},
    {TEN, TOTAL, {"total", "10 s", 11, 4}},
    {TEN, PERCENT, {"%", "10 s %", 7, 3}},
    {TEN, AVERAGE, {"/exec", "/exec", 9, 5}},
};

#define COLUMNS (sizeof columns / sizeof columns[0])

static struct xm_screen_fit fit_columns(unsigned width, unsigned label,
                                        struct xm_screen_column plain[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        plain[i] = columns[i].column;
    return xm_screen_fit(plain, COLUMNS, label, width);
}

/* ---- Rows: what each column shows, by the ids of the one table of columns (view/view.h). */

static const struct row {
    enum xm_screen_rows group;
    enum xm_meaning meaning;
    const char *label, *long_label;
    const char *total;
    const char *of_vcpus, *of_one_cpu; /* the percentage, for either choice of what it is of */
    const char *average;
    bool on_cpu; /* known for one pCPU; else it is the domain's own in that view too */
} rows[] = {
    {XM_ROWS_GOTTEN, XM_MEANING_RUNNING, "Gotten", "Gotten", "running_ns", "running_of_vcpus_pct",
     "running_pct", "running_per_execution_ns", true},
    {XM_ROWS_ALLOCATED, XM_MEANING_NORMAL, "Allocated", "Allocated", NULL, NULL, NULL, "allocated_avg_ns",
     false},
    {XM_ROWS_WAITED, XM_MEANING_WAITING, "Waited", "Waited", "runnable_ns", "runnable_of_vcpus_pct",
     "runnable_pct", "runnable_per_execution_ns", true},
    {XM_ROWS_BLOCKED, XM_MEANING_BLOCKED, "Blocked", "Blocked", "blocked_ns", "blocked_of_vcpus_pct",
     "blocked_pct", "blocked_per_execution_ns", false},
    {XM_ROWS_BLOCKED, XM_MEANING_BLOCKED, " per I/O", "  per I/O", NULL, NULL, NULL, "blocked_per_io_ns",
     false},
    {XM_ROWS_EXECUTIONS, XM_MEANING_NORMAL, "Executions", "Execution count", "executions", "executions_per_s",
     "executions_per_s", NULL, true},
    {XM_ROWS_IO, XM_MEANING_NORMAL, "I/O count", "I/O count", "io_count", "io_per_s", "io_per_s",
     "io_per_execution", false},
};

#define ROWS (sizeof rows / sizeof rows[0])

static unsigned label_width(unsigned width)
{
    return width >= 86 ? 16 : 10;
}

/* ---- Usages of one domain in the three windows. */

struct usages {
    bool there[WINDOWS];
    struct xm_usage window[WINDOWS];
};

static void get_usages(const struct xm_painter *p, uint32_t slot, struct usages *u)
{
    const struct xm_model *m = p->model;
    uint32_t cpu_slot;
    bool cpu = xm_screen_cpu_slot(m, p->choice, &cpu_slot);
    u->there[LAST] = xm_usage_last_domain(&m->window[XM_SPAN_1S], slot, &u->window[LAST]) &&
                     u->window[LAST].executions > 0;
    for (unsigned i = 0; i < XM_SPANS; i++) {
        struct xm_usage *window = &u->window[ONE + i];
        if (p->choice->one_cpu)
            u->there[ONE + i] = cpu && xm_usage_pair(&m->window[i], slot, cpu_slot, window);
        else
            u->there[ONE + i] = xm_usage_domain(&m->window[i], slot, window);
    }
}

/* ---- One figure. */

static const char *percentage_id(const struct xm_painter *p, const struct row *row)
{
    /* What a domain had of one pCPU is of that pCPU's time; what it slept it slept elsewhere too. */
    bool of_cpu = p->choice->of_one_cpu || (p->choice->one_cpu && row->group != XM_ROWS_BLOCKED);
    return of_cpu ? row->of_one_cpu : row->of_vcpus;
}

static void format_rate(double per_second, char *text, size_t size)
{
    if (per_second < 99.95)
        snprintf(text, size, "%.1f/s", per_second);
    else if (per_second < 9999.5)
        snprintf(text, size, "%.0f/s", per_second);
    else
        snprintf(text, size, "%.0fk/s", per_second / 1000);
}

/* The cell of a column in the table, as text; durations cannot be told without a rate. */
static void format_figure(const struct xm_painter *p, const char *id, const struct xm_usage *u, char *text,
                          size_t size)
{
    const struct xm_column *column = xm_column_find(id);
    struct xm_cell cell = {.known = false};
    if (column)
        column->get(u, &cell);
    bool timed = cell.type == XM_COL_NS || cell.type == XM_COL_RATE || strstr(id, "_ns");
    if (!column || (timed && p->model->info.tsc_hz == 0))
        snprintf(text, size, "-");
    else if (cell.known && cell.type == XM_COL_RATE)
        format_rate(cell.value, text, size);
    else
        xm_format_cell(column, &cell, text, size);
}

static void put_figure(const struct xm_painter *p, unsigned end, unsigned y, const struct row *row,
                       const char *id, const struct xm_usage *u)
{
    char text[24] = "-";
    if (u)
        format_figure(p, id, u, text, sizeof text);
    xm_grid_put_right(p->grid, end, y, text[0] == '-' ? XM_MEANING_FAINT : row->meaning, text);
}

static void format_in(double value, char *text, size_t size)
{
    /* Three decimals, and none of them that are zeros at the end. */
    snprintf(text, size, value < 10 ? "%.3f" : value < 100 ? "%.2f" : "%.1f", value);
    size_t length = strlen(text);
    while (text[length - 1] == '0')
        text[--length] = '\0';
    if (text[length - 1] == '.')
        text[--length] = '\0';
}

/* Smallest and largest slice, in the larger one's unit: "0.5..10 ms". */
static void put_range(const struct xm_painter *p, unsigned end, unsigned y, const struct row *row,
                      const struct xm_usage *u)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    unsigned i = 0;
    char low[24];
    char high[24];
    if (!u || u->slices == 0 || u->slice_max_ns == 0) {
        xm_grid_put_right(p->grid, end, y, XM_MEANING_FAINT, "-");
        return;
    }
    while (i < 3 && (double)u->slice_max_ns < units[i].ns)
        i++;
    format_in((double)u->slice_min_ns / units[i].ns, low, sizeof low);
    format_in((double)u->slice_max_ns / units[i].ns, high, sizeof high);
    char text[64];
    bool one = strcmp(low, high) == 0;
    snprintf(text, sizeof text, "%s%s%s %s", one ? "" : low, one ? "" : "..", high, units[i].name);
    xm_grid_put_right(p->grid, end, y, row->meaning, text);
}

/* ---- A row over all columns. */

/* The column that stands in a field; NULL: none. */
static const char *figure_id(const struct row *row, enum window w, enum field f, bool anywhere,
                             const char *percentage)
{
    /* What happened anywhere is not divided by the executions on one pCPU. */
    if (anywhere && f == AVERAGE && row->total)
        return NULL;
    /* Of one execution there is no count, and the average is the total. */
    if (w == LAST && row->group == XM_ROWS_EXECUTIONS)
        return NULL;
    if (w == LAST && f == PERCENT && row->group == XM_ROWS_IO)
        return NULL;
    if (f == TOTAL)
        return row->total || w != LAST ? row->total : row->average;
    return f == PERCENT ? percentage : row->average;
}

static void paint_row(const struct xm_painter *p, unsigned y, const struct row *row, const struct usages *us,
                      const struct xm_screen_fit *fit)
{
    bool wide = label_width(p->grid->width) > 10;
    const char *percentage = percentage_id(p, row);
    bool anywhere = p->choice->one_cpu && !row->on_cpu;
    xm_grid_print(p->grid, 0, y, XM_MEANING_LABEL, "%s%s", wide ? row->long_label : row->label,
                  anywhere ? "*" : "");
    for (size_t i = 0; i < COLUMNS; i++) {
        enum window w = columns[i].window;
        enum field f = columns[i].field;
        const struct xm_usage *u = us->there[w] ? &us->window[w] : NULL;
        unsigned end = fit->end[i];
        if (!end)
            continue;
        const char *id = figure_id(row, w, f, anywhere, percentage);
        if (id)
            put_figure(p, end, y, row, id, u);
        else if (row->group == XM_ROWS_ALLOCATED && f == PERCENT && i > 0 && fit->end[i - 1] && w != LAST)
            put_range(p, end, y, row, u);
    }
}

/* ---- The line that names the domain. */

/* "2 vCPUs: 1 running, 1 blocked" */
static void describe_vcpus(const struct xm_painter *p, uint32_t slot, char *text, size_t size)
{
    static const char *const states[] = {"running", "waiting", "blocked", "offline", "unknown"};
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    unsigned counts[5] = {0};
    unsigned all = 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        unsigned state = s->vcpu[i].state & 7;
        if (s->vcpu[i].id == 0 || s->vcpu_domain[i] != slot)
            continue;
        counts[state < 4 ? state : 4]++;
        all++;
    }
    int used = snprintf(text, size, "%u vCPU%s", all, all == 1 ? "" : "s");
    for (unsigned i = 0; i < 5 && used > 0 && (size_t)used < size; i++)
        if (counts[i])
            used += snprintf(text + used, size - (size_t)used, "%s%u %s", strchr(text, ':') ? ", " : ": ",
                             counts[i], states[i]);
}

static double share(uint64_t part, const struct xm_usage *u)
{
    double whole = (double)u->window_ns * u->vcpus;
    return whole > 0 ? 100 * (double)part / whole : 0;
}

static void paint_subject(const struct xm_painter *p, unsigned y, uint32_t slot, const struct usages *us)
{
    const struct xm_usage *ten = &us->window[TEN];
    char name[96];
    char text[128];
    char percent[16];
    xm_screen_domain_name(p->model, slot, name, sizeof name);
    unsigned x = xm_grid_put(p->grid, 0, y, XM_MEANING_SUBJECT, name);
    if (p->model->window[XM_SPAN_1S].to->domain[slot].ended)
        x = xm_grid_put(p->grid, x, y, XM_MEANING_WARNING, "  ended");
    describe_vcpus(p, slot, text, sizeof text);
    x = xm_grid_print(p->grid, x, y, XM_MEANING_LABEL, "  %s", text);
    if (us->there[TEN] && ten->offline_ns)
        x = xm_grid_print(p->grid, x, y, XM_MEANING_LABEL, "  offline %s",
                          xm_format_percent(share(ten->offline_ns, ten), percent, sizeof percent));
    if (us->there[TEN] && ten->unknown_ns)
        x = xm_grid_print(p->grid, x, y, XM_MEANING_WARNING, "  unknown %s",
                          xm_format_percent(share(ten->unknown_ns, ten), percent, sizeof percent));
    if (us->there[TEN] && (ten->offline_ns || ten->unknown_ns))
        xm_grid_print(p->grid, x, y, XM_MEANING_FAINT, " of %s",
                      xm_screen_span_name(p->model, XM_SPAN_10S, text, sizeof text));
}

/* ---- The parts. */

void xm_screen_domains_header(const struct xm_painter *p, unsigned y, unsigned header_rows)
{
    struct xm_screen_column plain[COLUMNS];
    struct xm_screen_fit fit = fit_columns(p->grid->width, label_width(p->grid->width), plain);
    if (header_rows > 1) {
        xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_HEADER);
        for (unsigned w = 0; w < WINDOWS; w++) {
            char name[32];
            snprintf(name, sizeof name, p->choice->one_cpu ? "last, any CPU" : "last execution");
            if (w != LAST)
                xm_screen_span_name(p->model, (enum xm_span)(w - ONE), name, sizeof name);
            bool group[COLUMNS];
            for (size_t i = 0; i < COLUMNS; i++)
                group[i] = columns[i].window == w;
            xm_screen_group(p->grid, y, plain, COLUMNS, &fit, group, name);
        }
        y++;
    }
    xm_screen_titles(p->grid, y, plain, COLUMNS, &fit, header_rows < 2);
}

void xm_screen_domains_body(struct xm_painter *p)
{
    struct xm_screen_column plain[COLUMNS];
    struct xm_screen_fit fit = fit_columns(p->grid->width, label_width(p->grid->width), plain);
    uint32_t count;
    uint32_t *slots = xm_screen_domains(p->model, &count);
    for (uint32_t d = 0; d < count; d++) {
        struct usages us;
        bool have = false;
        unsigned y;
        /* Usages cost time; a domain out of sight needs none. */
        for (unsigned i = 0; i <= ROWS; i++) {
            const struct row *row = i ? &rows[i - 1] : NULL;
            if (row && !p->choice->rows[row->group])
                continue;
            if (!xm_painter_line(p, &y))
                continue;
            if (!have)
                get_usages(p, slots[d], &us);
            have = true;
            if (row)
                paint_row(p, y, row, &us, &fit);
            else
                paint_subject(p, y, slots[d], &us);
        }
    }
    unsigned y;
    if (count == 0 && xm_painter_line(p, &y))
        xm_grid_put(p->grid, 0, y, XM_MEANING_FAINT, "no domain seen yet");
    free(slots);
}

/* ---- The line of totals. */

struct totals {
    double running, runnable, blocked, offline, unknown, span, window;
    double busy, idle, switching, cpus_unknown, cpus;
};

static void sum_domains(const struct xm_painter *p, const struct xm_window *w, struct totals *t)
{
    uint32_t cpu_slot = 0;
    bool cpu = xm_screen_cpu_slot(p->model, p->choice, &cpu_slot);
    for (uint32_t i = 0; i < w->to->used.domains; i++) {
        struct xm_usage u;
        if (!(cpu ? xm_usage_pair(w, i, cpu_slot, &u) : xm_usage_domain(w, i, &u)))
            continue;
        t->running += (double)u.running_ns;
        t->runnable += (double)u.runnable_ns;
        t->blocked += (double)u.blocked_ns;
        t->offline += (double)u.offline_ns;
        t->unknown += (double)u.unknown_ns;
        t->span += (double)u.window_ns * u.vcpus;
        t->window = (double)u.window_ns;
    }
}

static void sum_cpus(const struct xm_painter *p, const struct xm_window *w, struct totals *t)
{
    for (uint32_t i = 0; i < w->to->used.pcpus; i++) {
        struct xm_pcpu_usage u;
        if (!xm_usage_pcpu(w, i, &u) || (p->choice->one_cpu && u.pcpu != p->choice->cpu))
            continue;
        t->busy += (double)u.busy_ns;
        t->idle += (double)u.idle_ns;
        t->switching += (double)u.switching_ns;
        t->cpus_unknown += (double)u.unknown_ns;
        t->cpus += (double)u.window_ns;
    }
}

static unsigned put_share(const struct xm_painter *p, unsigned x, unsigned y, enum xm_meaning meaning,
                          const char *what, double part, double whole)
{
    char text[16] = "-";
    if (x + strlen(what) + 9 > p->grid->width)
        return p->grid->width; /* nothing after it either */
    if (whole > 0)
        xm_format_percent(100 * part / whole, text, sizeof text);
    x = xm_grid_put(p->grid, x, y, XM_MEANING_LABEL, what);
    return xm_grid_print(p->grid, x, y, meaning, "%7s  ", text);
}

void xm_screen_totals(const struct xm_painter *p, unsigned y, enum xm_span span)
{
    const struct xm_window *w = &p->model->window[span];
    struct totals t = {0};
    char name[32];
    sum_domains(p, w, &t);
    sum_cpus(p, w, &t);
    double base = p->choice->of_one_cpu || p->choice->one_cpu ? t.window : t.span;
    double blocked_base = p->choice->of_one_cpu ? t.window : t.span;
    double cpu_base = p->choice->of_one_cpu ? t.window : t.cpus;
    xm_screen_span_name(p->model, span, name, sizeof name);
    unsigned x = xm_grid_print(p->grid, 0, y, XM_MEANING_SUBJECT, "All %5s  ", name);
    x = put_share(p, x, y, XM_MEANING_RUNNING, "running", t.running, base);
    x = put_share(p, x, y, XM_MEANING_WAITING, "waiting", t.runnable, base);
    x = put_share(p, x, y, XM_MEANING_BLOCKED, "blocked", t.blocked, blocked_base);
    x = put_share(p, x, y, XM_MEANING_NORMAL, p->choice->one_cpu ? "CPU idle" : "CPUs idle", t.idle,
                  cpu_base);
    x = put_share(p, x, y, XM_MEANING_NORMAL, "busy", t.busy, cpu_base);
    x = put_share(p, x, y, XM_MEANING_NORMAL, "switching", t.switching, cpu_base);
    if (t.offline > 0)
        x = put_share(p, x, y, XM_MEANING_NORMAL, "offline", t.offline, blocked_base);
    if (t.unknown > 0)
        put_share(p, x, y, XM_MEANING_WARNING, "unknown", t.unknown, blocked_base);
}
