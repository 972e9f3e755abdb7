/* SPDX-License-Identifier: MIT */
/* The paper's screen: for every domain the same rows, for every window the same columns side by side. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/table_int.h"
#include "view/format.h"

/*
 * ---- Columns: three windows, in each what a row has to say; beside them what went through the domain's
 * devices.
 */

enum window { LAST, ONE, TEN, WINDOWS };
enum field { TOTAL, PERCENT, AVERAGE, BYTES_IN, BYTES_OUT, OPS_IN, OPS_OUT };

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
    {ONE, BYTES_IN, {"in/s", "dev in/s", 17, 8}},
    {ONE, BYTES_OUT, {"out/s", "out/s", 9, 9}},
    {ONE, OPS_IN, {"ops in", "ops in", 8, 10}},
    {ONE, OPS_OUT, {"ops out", "ops out", 8, 11}},
    {TEN, BYTES_IN, {"in/s", "in/s", 11, 12}},
    {TEN, BYTES_OUT, {"out/s", "out/s", 9, 13}},
    {TEN, OPS_IN, {"ops in", "ops in", 8, 14}},
    {TEN, OPS_OUT, {"ops out", "ops out", 8, 15}},
};

/* The first column of the devices has their names in it too. */
#define DEVICE_COLUMNS_FROM 8
#define DEVICE_NAME_WIDTH   9

#define COLUMNS (sizeof columns / sizeof columns[0])

/* Whether anybody asked dom0's kernel and found a device: a trace that is replayed has no such columns. */
static bool have_devices(const struct xm_painter *p)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    for (uint32_t i = 0; i < s->used.domains; i++)
        if (s->domain[i].id && (s->domain[i].vifs || s->domain[i].vbds))
            return true;
    return false;
}

static unsigned column_count(const struct xm_painter *p)
{
    return p->choice->rows[XM_ROWS_IO] && have_devices(p) ? COLUMNS : DEVICE_COLUMNS_FROM;
}

static struct xm_screen_fit fit_columns(const struct xm_painter *p, unsigned label,
                                        struct xm_screen_column plain[COLUMNS])
{
    unsigned count = column_count(p);
    for (size_t i = 0; i < count; i++)
        plain[i] = columns[i].column;
    return xm_screen_fit(plain, count, label, p->grid->width);
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
    u->there[LAST] = !m->coarse && xm_usage_last_domain(&m->window[XM_SPAN_1S], slot, &u->window[LAST]) &&
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
    bool of_cpu = p->choice->units == XM_UNITS_OF_ONE || (p->choice->one_cpu && row->group != XM_ROWS_BLOCKED);
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
    if (u && xm_table_is_known_in(p->model->coarse, true, u, id))
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
    /* The slow series has no pairs: nothing is known of one pCPU. */
    bool there = !(p->choice->one_cpu && row->on_cpu && p->model->coarse);
    xm_grid_print(p->grid, 0, y, XM_MEANING_LABEL, "%s%s", wide ? row->long_label : row->label,
                  anywhere ? "*" : "");
    for (size_t i = 0; i < DEVICE_COLUMNS_FROM; i++) {
        enum window w = columns[i].window;
        enum field f = columns[i].field;
        const struct xm_usage *u = there && us->there[w] ? &us->window[w] : NULL;
        unsigned end = fit->end[i];
        if (!end)
            continue;
        const char *id = figure_id(row, w, f, anywhere, percentage);
        if (id)
            put_figure(p, end, y, row, id, u);
        else if (row->group == XM_ROWS_ALLOCATED && f == PERCENT && w != LAST && fit->end[i - 1])
            put_range(p, end, y, row, u);
    }
}

/* ---- The devices: beside the last two rows, as the domain sees them. */

static const struct device {
    const char *name;
    const char *ids[4]; /* BYTES_IN to OPS_OUT */
} devices[] = {
    {"net",
     {"net_received_bytes_per_s", "net_sent_bytes_per_s", "net_received_packets_per_s",
      "net_sent_packets_per_s"}},
    {"disk", {"disk_read_bytes_per_s", "disk_write_bytes_per_s", "disk_reads_per_s", "disk_writes_per_s"}},
};

#define DEVICES (sizeof devices / sizeof devices[0])

static void format_traffic(const struct xm_painter *p, const struct xm_usage *u, const char *id, bool bytes,
                           char *text, size_t size)
{
    struct xm_cell cell = {.known = false};
    if (u && p->model->info.tsc_hz)
        xm_column_find(id)->get(u, &cell);
    if (!cell.known)
        snprintf(text, size, "-");
    else if (bytes)
        xm_format_bytes(cell.value, text, size);
    else
        snprintf(text, size, "%.*f", cell.value < 99.95 ? 1 : 0, cell.value);
}

static void paint_device(const struct xm_painter *p, unsigned y, const struct device *device,
                         const struct usages *us, const struct xm_screen_fit *fit)
{
    for (size_t i = DEVICE_COLUMNS_FROM; i < column_count(p); i++) {
        enum window w = columns[i].window;
        enum field f = columns[i].field;
        char text[24];
        if (!fit->end[i])
            continue;
        if (i == DEVICE_COLUMNS_FROM)
            xm_grid_print(p->grid, fit->end[i] - DEVICE_NAME_WIDTH - 5, y, XM_MEANING_LABEL, "%s%s",
                          device->name, p->choice->one_cpu ? "*" : "");
        const char *id = device->ids[f - BYTES_IN];
        const struct xm_usage *u = us->there[w] ? &us->window[w] : NULL;
        bool known = u && xm_table_is_known_in(p->model->coarse, true, u, id);
        format_traffic(p, known ? u : NULL, id, f < OPS_IN, text, sizeof text);
        xm_grid_put_right(p->grid, fit->end[i], y, text[0] == '-' ? XM_MEANING_FAINT : XM_MEANING_NORMAL,
                          text);
    }
}

/* ---- The line that names the domain. */

/* How many of the domain's vCPUs are in each state, unknown the last; returns how many there are. */
static unsigned count_states(const struct xm_sample *s, uint32_t slot, unsigned counts[5])
{
    unsigned all = 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        unsigned state = s->vcpu[i].state & 7;
        if (s->vcpu[i].id == 0 || s->vcpu_domain[i] != slot)
            continue;
        counts[state < 4 ? state : 4]++;
        all++;
    }
    return all;
}

/* "2 vCPUs: 1 running, 1 blocked"; "1 vCPU, 2 online: 1 running" where others have not been seen. */
static void describe_vcpus(const struct xm_painter *p, uint32_t slot, char *text, size_t size)
{
    static const char *const states[] = {"running", "waiting", "blocked", "offline", "unknown"};
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    unsigned counts[5] = {0};
    unsigned all = count_states(s, slot, counts);
    uint64_t online = s->domain[slot].online;
    int used = snprintf(text, size, "%u vCPU%s", all, all == 1 ? "" : "s");
    if (all == 0)
        used = snprintf(text, size, "no record yet");
    if (online && online != all && used > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, ", %" PRIu64 " online", online);
    for (unsigned i = 0; i < 5 && used > 0 && (size_t)used < size; i++)
        if (counts[i])
            used += snprintf(text + used, size - (size_t)used, "%s%u %s", strchr(text, ':') ? ", " : ": ",
                             counts[i], states[i]);
}

/* "weight 256, cap 50%": what the scheduler was told. */
static void describe_shares(const struct xm_domain_row *row, char *text, size_t size)
{
    text[0] = '\0';
    if (row->weight && row->cap)
        snprintf(text, size, "  weight %" PRIu64 ", cap %" PRIu64 "%%", row->weight, row->cap);
    else if (row->weight)
        snprintf(text, size, "  weight %" PRIu64, row->weight);
    else if (row->cap)
        snprintf(text, size, "  cap %" PRIu64 "%%", row->cap);
}

static double share(uint64_t part, const struct xm_usage *u)
{
    double whole = (double)u->window_ns * u->vcpus;
    return whole > 0 ? 100 * (double)part / whole : 0;
}

static void paint_subject(const struct xm_painter *p, unsigned y, uint32_t slot, const struct usages *us)
{
    const struct xm_usage *ten = &us->window[TEN];
    const struct xm_domain_row *row = &p->model->window[XM_SPAN_1S].to->domain[slot];
    char name[96];
    char text[128];
    char percent[16];
    xm_screen_domain_name(p->model, slot, name, sizeof name);
    unsigned x = xm_grid_put(p->grid, 0, y, XM_MEANING_SUBJECT, name);
    if (row->ended)
        x = xm_grid_put(p->grid, x, y, XM_MEANING_WARNING, "  ended");
    else if (row->paused)
        x = xm_grid_put(p->grid, x, y, XM_MEANING_WARNING, "  paused");
    describe_vcpus(p, slot, text, sizeof text);
    x = xm_grid_print(p->grid, x, y, XM_MEANING_LABEL, "  %s", text);
    if (us->there[TEN] && ten->offline_ns)
        x = xm_grid_print(p->grid, x, y, XM_MEANING_LABEL, "  offline %s",
                          xm_format_percent(share(ten->offline_ns, ten), percent, sizeof percent));
    if (us->there[TEN] && ten->unknown_ns)
        x = xm_grid_print(p->grid, x, y, XM_MEANING_WARNING, "  unknown %s",
                          xm_format_percent(share(ten->unknown_ns, ten), percent, sizeof percent));
    if (us->there[TEN] && (ten->offline_ns || ten->unknown_ns))
        x = xm_grid_print(p->grid, x, y, XM_MEANING_FAINT, " of %s",
                          xm_screen_span_name(p->model, XM_SPAN_10S, text, sizeof text));
    describe_shares(row, text, sizeof text);
    if (x + strlen(text) <= p->grid->width)
        xm_grid_put(p->grid, x, y, XM_MEANING_LABEL, text);
}

/* ---- The parts. */

void xm_screen_paper_header(const struct xm_painter *p, unsigned y, unsigned header_rows)
{
    struct xm_screen_column plain[COLUMNS];
    struct xm_screen_fit fit = fit_columns(p, label_width(p->grid->width), plain);
    unsigned count = column_count(p);
    if (header_rows > 1) {
        xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_HEADER);
        for (unsigned w = 0; w < WINDOWS; w++) {
            char name[32];
            snprintf(name, sizeof name, p->choice->one_cpu ? "last, any CPU" : "last execution");
            if (w != LAST)
                xm_screen_span_name(p->model, (enum xm_span)(w - ONE), name, sizeof name);
            bool group[COLUMNS];
            for (size_t i = 0; i < count; i++)
                group[i] = columns[i].window == w && i < DEVICE_COLUMNS_FROM;
            xm_screen_group(p->grid, y, plain, count, &fit, group, name);
            char devices_name[48];
            snprintf(devices_name, sizeof devices_name, "devices %s", name);
            for (size_t i = 0; i < count; i++)
                group[i] = columns[i].window == w && i >= DEVICE_COLUMNS_FROM;
            xm_screen_group(p->grid, y, plain, count, &fit, group, devices_name);
        }
        y++;
    }
    xm_screen_titles(p->grid, y, plain, count, &fit, header_rows < 2);
}

/* Rows of each domain but for the one that names it. */
static unsigned count_rows(const struct xm_painter *p)
{
    unsigned shown = 0;
    for (size_t i = 0; i < ROWS; i++)
        shown += p->choice->rows[rows[i].group];
    return shown;
}

/* One domain: the line that names it and its rows. */
static void paint_domain(struct xm_painter *p, uint32_t slot, const struct xm_screen_fit *fit)
{
    struct usages us;
    bool have = false;
    unsigned y;
    unsigned left = count_rows(p);
    /* Usages cost time; a domain out of sight needs none. */
    for (unsigned i = 0; i <= ROWS; i++) {
        const struct row *row = i ? &rows[i - 1] : NULL;
        if (row && !p->choice->rows[row->group])
            continue;
        left -= row != NULL;
        if (!xm_painter_line(p, &y))
            continue;
        if (!have)
            get_usages(p, slot, &us);
        have = true;
        if (row)
            paint_row(p, y, row, &us, fit);
        else
            paint_subject(p, y, slot, &us);
        if (row && left < DEVICES)
            paint_device(p, y, &devices[DEVICES - 1 - left], &us, fit);
    }
}

void xm_screen_paper_body(struct xm_painter *p)
{
    struct xm_screen_column plain[COLUMNS];
    struct xm_screen_fit fit = fit_columns(p, label_width(p->grid->width), plain);
    uint32_t count;
    uint32_t *slots = xm_screen_domains(p->model, &count);
    for (uint32_t d = 0; d < count; d++)
        paint_domain(p, slots[d], &fit);
    unsigned y;
    if (count == 0 && xm_painter_line(p, &y))
        xm_grid_put(p->grid, 0, y, XM_MEANING_FAINT, "no domain seen yet");
    free(slots);
}

uint32_t xm_screen_paper_hidden(const struct xm_painter *p, unsigned *hidden)
{
    uint32_t count;
    uint32_t first = 0;
    uint32_t *slots = xm_screen_domains(p->model, &count);
    unsigned lines = 1 + count_rows(p);
    *hidden = 0;
    for (uint32_t d = 0; d < count; d++) {
        struct xm_usage u;
        bool in_sight = d * lines >= p->first && d * lines < p->first + p->rows;
        if (in_sight || !xm_usage_domain(&p->model->window[XM_SPAN_10S], slots[d], &u) ||
            !xm_usage_starved(&u))
            continue;
        if ((*hidden)++ == 0)
            first = slots[d];
    }
    free(slots);
    return first;
}

/* ---- The line of totals. */

struct totals {
    double running, runnable, blocked, offline, unknown, span, window;
    double busy, idle, switching, cpus_unknown, cpus;
    bool parts_known; /* running, runnable: not of a pCPU not seen, nor where samples have no pairs */
};

static void sum_domains(const struct xm_painter *p, const struct xm_window *w, struct totals *t)
{
    uint32_t cpu_slot = 0;
    bool cpu = xm_screen_cpu_slot(p->model, p->choice, &cpu_slot);
    t->parts_known = !p->choice->one_cpu || (cpu && !p->model->coarse);
    for (uint32_t i = 0; i < w->to->used.domains; i++) {
        struct xm_usage u;
        bool pair = cpu && xm_usage_pair(w, i, cpu_slot, &u);
        if (xm_window_was_over(w, i) || (!pair && !xm_usage_domain(w, i, &u)))
            continue;
        t->parts_known = t->parts_known && pair == cpu;
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
    bool of_one = p->choice->units == XM_UNITS_OF_ONE;
    double base = !t.parts_known ? 0 : of_one || p->choice->one_cpu ? t.window : t.span;
    double blocked_base = of_one ? t.window : t.span;
    double cpu_base = of_one && t.cpus > 0 ? t.window : t.cpus;
    xm_screen_span_name(p->model, span, name, sizeof name);
    unsigned x = xm_grid_print(p->grid, 0, y, XM_MEANING_SUBJECT, "All %5s  ", name);
    x = put_share(p, x, y, XM_MEANING_RUNNING, "running", t.running, base);
    x = put_share(p, x, y, XM_MEANING_WAITING, "waiting", t.runnable, base);
    bool one = p->choice->one_cpu;
    x = put_share(p, x, y, XM_MEANING_BLOCKED, one ? "blocked*" : "blocked", t.blocked, blocked_base);
    x = put_share(p, x, y, XM_MEANING_NORMAL, one ? "CPU idle" : "CPUs idle", t.idle,
                  cpu_base);
    x = put_share(p, x, y, XM_MEANING_NORMAL, "busy", t.busy, cpu_base);
    x = put_share(p, x, y, XM_MEANING_NORMAL, "switching", t.switching, cpu_base);
    if (t.offline > 0)
        x = put_share(p, x, y, XM_MEANING_NORMAL, one ? "offline*" : "offline", t.offline, blocked_base);
    if (t.unknown > 0)
        put_share(p, x, y, XM_MEANING_WARNING, one ? "unknown*" : "unknown", t.unknown, blocked_base);
}
