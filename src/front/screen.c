/* SPDX-License-Identifier: MIT */
#include "front/screen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen_int.h"
#include "view/format.h"

static const struct {
    const char *title;
    void (*header)(const struct xm_painter *p, unsigned y, unsigned rows);
    void (*body)(struct xm_painter *p);
    uint32_t (*hidden)(const struct xm_painter *p,
                       unsigned *hidden); /* starved ones out of sight; may be NULL */
    unsigned header_rows;                 /* at most */
    bool figures;                         /* with a line that says what they are, and one of totals */
} views[] = {
    [XM_VIEW_PAPER] = {"Domains", xm_screen_paper_header, xm_screen_paper_body,
                         xm_screen_paper_hidden, 2, true},
    [XM_VIEW_VCPUS] = {"vCPUs", xm_screen_vcpus_header, xm_screen_vcpus_body, xm_screen_vcpus_hidden, 2,
                       true},
    [XM_VIEW_HELP] = {"Help", xm_screen_help_header, xm_screen_help_body, NULL, 1, false},
};

/* ---- What the parts share. */

bool xm_painter_line(struct xm_painter *p, unsigned *y)
{
    unsigned line = p->line++;
    if (line < p->first || line - p->first >= p->rows)
        return false;
    *y = p->top + line - p->first;
    return true;
}

struct xm_screen_fit xm_screen_fit(const struct xm_screen_column *columns, unsigned count, unsigned left,
                                   unsigned width)
{
    struct xm_screen_fit fit = {.shown = 0};
    bool shown[XM_SCREEN_MAX_COLUMNS] = {false};
    unsigned used = left;
    for (unsigned rank = 0; rank < count; rank++) {
        unsigned i = 0;
        while (i < count && columns[i].rank != rank)
            i++;
        /* A narrower one further down does not slip in: which columns there are should be easy to foresee. */
        if (i == count || used + columns[i].width > width)
            break;
        shown[i] = true;
        used += columns[i].width;
        fit.shown++;
    }
    fit.dropped = count - fit.shown;
    for (unsigned i = 0; i < count; i++) {
        if (shown[i]) {
            left += columns[i].width;
            fit.end[i] = left;
        }
    }
    return fit;
}

void xm_screen_titles(struct xm_grid *grid, unsigned y, const struct xm_screen_column *columns,
                      unsigned count, const struct xm_screen_fit *fit, bool alone)
{
    unsigned last = 0;
    xm_grid_mark(grid, 0, grid->width, y, XM_MEANING_HEADER);
    for (unsigned i = 0; i < count; i++) {
        if (!fit->end[i])
            continue;
        xm_grid_put_right(grid, fit->end[i], y, XM_MEANING_HEADER,
                          alone ? columns[i].alone : columns[i].title);
        last = fit->end[i];
    }
    char text[16];
    snprintf(text, sizeof text, "+%u", fit->dropped);
    if (fit->dropped && last + strlen(text) < grid->width)
        xm_grid_put_right(grid, grid->width, y, XM_MEANING_HEADER, text);
    else if (fit->dropped)
        xm_grid_put(grid, 0, y, XM_MEANING_HEADER, text);
}

void xm_screen_group(struct xm_grid *grid, unsigned y, const struct xm_screen_column *columns, unsigned count,
                     const struct xm_screen_fit *fit, const bool *group, const char *name)
{
    unsigned from = 0;
    unsigned to = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!group[i] || !fit->end[i])
            continue;
        from = to ? from : fit->end[i] - columns[i].width + 1;
        to = fit->end[i];
    }
    unsigned length = xm_grid_columns(grid, name);
    if (to > from)
        xm_grid_put_within(grid, from + (to - from > length ? (to - from - length + 1) / 2 : 0), to, y,
                           XM_MEANING_HEADER, name);
}

const char *xm_screen_domain_name(const struct xm_model *model, uint32_t domain_slot, char *text, size_t size)
{
    uint64_t id = model->window[XM_SPAN_1S].to->domain[domain_slot].id;
    const struct xm_region_domain *fact = &model->fact[domain_slot];
    char name[80];
    char number[40];
    snprintf(number, sizeof number, xm_row_instance(id) ? "dom %u#%u" : "dom %u", xm_row_domid(id),
             xm_row_instance(id));
    if (fact->id == id && fact->name[0])
        snprintf(text, size, "%s (%s)", xm_format_name(fact->name, sizeof fact->name, name, sizeof name),
                 number);
    else
        snprintf(text, size, "%s", number);
    return text;
}

const char *xm_screen_span_name(const struct xm_model *model, enum xm_span span, char *text, size_t size)
{
    static const double nominal_s[XM_SPANS] = {1, 10};
    const struct xm_window *w = &model->window[span];
    uint64_t since = w->from ? w->from->host.window : 0;
    double s =
        (double)xm_scale_to_ns(w->scale, xm_cycles_of(w->to->host.window - since)).v / (double)XM_NS_PER_S;
    bool exact = s > nominal_s[span] * 0.98 && s < nominal_s[span] * 1.02;
    if (model->info.tsc_hz == 0)
        snprintf(text, size, "time");
    else
        snprintf(text, size, "%.*f s", exact ? 0 : s < 10 ? 2 : 1, s);
    return text;
}

static int compare_ordered(const void *a, const void *b)
{
    const struct xm_screen_ordered *x = a;
    const struct xm_screen_ordered *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

void xm_screen_sort(struct xm_screen_ordered *list, uint32_t count)
{
    if (count > 1)
        qsort(list, count, sizeof *list, compare_ordered);
}

static bool is_long_gone(const struct xm_model *model, uint32_t slot)
{
    const struct xm_window *w = &model->window[XM_SPAN_1S];
    uint64_t ended = model->fact[slot].ended_tsc;
    uint64_t now = w->to->host.tsc;
    if (!w->to->domain[slot].ended || model->fact[slot].id != w->to->domain[slot].id || ended == 0 ||
        now <= ended)
        return false;
    return xm_scale_to_ns(w->scale, xm_cycles_of(now - ended)).v > XM_SCREEN_ENDED_NS;
}

uint32_t *xm_screen_domains(const struct xm_model *model, uint32_t *count)
{
    const struct xm_sample *s = model->window[XM_SPAN_1S].to;
    struct xm_screen_ordered *list = malloc((s->used.domains + 1u) * sizeof *list);
    uint32_t *slots = malloc((s->used.domains + 1u) * sizeof *slots);
    *count = 0;
    for (uint32_t i = 0; list && i < s->used.domains; i++) {
        uint64_t id = s->domain[i].id;
        if (id == 0 || is_long_gone(model, i))
            continue;
        list[*count].key = (uint64_t)xm_row_domid(id) << 32 | xm_row_instance(id);
        list[(*count)++].slot = i;
    }
    xm_screen_sort(list, *count);
    for (uint32_t i = 0; slots && i < *count; i++)
        slots[i] = list[i].slot;
    if (!slots)
        *count = 0;
    free(list);
    return slots;
}

bool xm_screen_cpu_slot(const struct xm_model *model, const struct xm_choice *choice, uint32_t *slot)
{
    const struct xm_sample *s = model->window[XM_SPAN_1S].to;
    for (uint32_t i = 0; choice->one_cpu && i < s->used.pcpus; i++) {
        if (s->pcpu[i].id == (XM_ROW_USED | choice->cpu)) {
            *slot = i;
            return true;
        }
    }
    return false;
}

void xm_screen_wrap(struct xm_painter *p, unsigned indent, enum xm_meaning meaning, const char *text)
{
    unsigned room = p->grid->width > indent ? p->grid->width - indent : 1;
    while (*text) {
        size_t length = strlen(text);
        size_t cut = length;
        if (length > room) {
            cut = room;
            while (cut > 0 && text[cut] != ' ')
                cut--;
            if (cut == 0)
                cut = room;
        }
        unsigned y;
        if (xm_painter_line(p, &y))
            xm_grid_print(p->grid, indent, y, meaning, "%.*s", (int)cut, text);
        text += cut;
        while (*text == ' ')
            text++;
    }
}

/* ---- The title. */

static const char *trace_time(const struct xm_model *m, char *text, size_t size)
{
    const struct xm_window *w = &m->window[XM_SPAN_1S];
    uint64_t ns = xm_scale_to_ns(w->scale, xm_cycles_of(w->to->host.window)).v;
    uint64_t s = ns / XM_NS_PER_S;
    unsigned tenth = (unsigned)(ns % XM_NS_PER_S / (XM_NS_PER_S / 10));
    snprintf(text, size, "%02" PRIu64 ":%02u:%02u.%u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60),
             tenth);
    return text;
}

/* Over the longer window: a file is read in the pieces that it was written in. */
static double records_per_second(const struct xm_model *m)
{
    const struct xm_window *w = &m->window[XM_SPAN_10S];
    uint64_t before = w->from ? w->from->host.records : 0;
    uint64_t cycles = w->to->host.window - (w->from ? w->from->host.window : 0);
    uint64_t ns = xm_scale_to_ns(w->scale, xm_cycles_of(cycles)).v;
    uint64_t records = w->to->host.records > before ? w->to->host.records - before : 0;
    return ns ? (double)records * (double)XM_NS_PER_S / (double)ns : 0;
}

/* Parts of a line, most important first: those that end before column `end` are written, no others. */
static void put_parts(struct xm_grid *grid, unsigned x, unsigned end, unsigned y, enum xm_meaning meaning,
                      const char *const *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned gap = i ? 2 : 0;
        if (!parts[i][0])
            continue;
        if (i && x + gap + xm_grid_columns(grid, parts[i]) > end)
            return;
        x = xm_grid_put(grid, x + gap, y, meaning, parts[i]);
    }
}

/* "Xen 4.17.7 credit2", as far as it is known. */
static const char *host_name(const struct xm_region_info *info, char *text, size_t size)
{
    char hypervisor[sizeof info->hypervisor];
    char scheduler[sizeof info->scheduler];
    xm_format_name(info->hypervisor, sizeof info->hypervisor, hypervisor, sizeof hypervisor);
    xm_format_name(info->scheduler, sizeof info->scheduler, scheduler, sizeof scheduler);
    snprintf(text, size, "%s%s%s", hypervisor, hypervisor[0] && scheduler[0] ? " " : "", scheduler);
    return text;
}

/* The source's name begins with the hypervisor's: there is nothing in it that the host's has not. */
static bool names_host(const struct xm_region_info *info)
{
    size_t length = strnlen(info->hypervisor, sizeof info->hypervisor);
    return length && length < sizeof info->source_name && memcmp(info->source_name, info->hypervisor, length) == 0;
}

static void paint_title(const struct xm_painter *p, unsigned y)
{
    static const char beats[] = "|/-\\";
    static const char *const kinds[] = {"live", "replay", "pipe"};
    const struct xm_model *m = p->model;
    char when[32] = "";
    char source[160] = "";
    char rate[32] = "";
    char kind[64] = "";
    char records[32] = "";
    char host[64];
    unsigned x = xm_grid_put(p->grid, 0, y, XM_MEANING_TITLE, "xenmon ");
    x = xm_grid_print(p->grid, x, y, XM_MEANING_TITLE, "%c ", m->data ? beats[m->beat % 4] : ' ');
    if (m->info.creation_id) {
        if (!names_host(&m->info))
            xm_format_name(m->info.source_name, sizeof m->info.source_name, source, sizeof source);
        snprintf(kind, sizeof kind, "(%s%s%.16s)", (unsigned)m->info.source < 3 ? kinds[m->info.source] : "?",
                 m->info.tsc_hz_from[0] ? ", TSC rate from the " : "", m->info.tsc_hz_from);
    }
    if (m->data) {
        trace_time(m, when, sizeof when);
        snprintf(records, sizeof records, "%.0f rec/s", records_per_second(m));
    }
    if (m->data && m->info.tsc_hz)
        snprintf(rate, sizeof rate, "%.3f GHz", (double)m->info.tsc_hz / 1e9);
    host_name(&m->info, host, sizeof host);
    const char *const parts[] = {when, host, source, records, rate, kind};
    put_parts(p->grid, x, p->grid->width, y, XM_MEANING_TITLE, parts, 6);
}

/* ---- The line under it: what is shown, and what the percentages are of. */

static void describe_cpus(const struct xm_painter *p, char *text, size_t size)
{
    const struct xm_model *m = p->model;
    uint32_t slot;
    uint32_t cpus = 0;
    for (uint32_t i = 0; m->data && i < m->window[0].to->used.pcpus; i++)
        cpus += m->window[0].to->pcpu[i].id != 0;
    if (!p->choice->one_cpu)
        snprintf(text, size, m->data ? "all CPUs (%u)" : "all CPUs", cpus);
    else if (m->data && xm_screen_cpu_slot(m, p->choice, &slot))
        snprintf(text, size, "CPU %u", p->choice->cpu);
    else
        snprintf(text, size, "CPU %u (not seen)", p->choice->cpu);
}

/*
 * Who is starved and out of sight; it ends before column `end`, and names him where that leaves `keep` columns.
 * Returns the column that it begins in.
 */
static unsigned paint_starved(const struct xm_painter *p, unsigned y, unsigned keep, unsigned end)
{
    char name[96];
    char text[160];
    unsigned hidden = 0;
    if (!p->model->data || !views[p->choice->view].hidden)
        return end;
    uint32_t slot = views[p->choice->view].hidden(p, &hidden);
    if (hidden == 0)
        return end;
    xm_screen_domain_name(p->model, slot, name, sizeof name);
    snprintf(text, sizeof text, hidden > 1 ? " starved: %s, +%u" : " starved: %s", name, hidden - 1);
    if (xm_grid_columns(p->grid, text) + keep > end)
        snprintf(text, sizeof text, " %u starved", hidden);
    unsigned length = xm_grid_columns(p->grid, text);
    if (length >= end)
        return end;
    xm_grid_put(p->grid, end - length, y, XM_MEANING_WARNING, text);
    return end - length;
}

/*
 * "3-18 of 40" where something is out of sight, and who is starved there.  keep: columns of the line that are
 * taken.  Returns the column that it begins in.
 */
static unsigned paint_position(const struct xm_painter *p, unsigned y, enum xm_meaning meaning, unsigned keep,
                               unsigned lines)
{
    char text[48];
    if (lines <= p->rows)
        return p->grid->width;
    int length = snprintf(text, sizeof text, " %u-%u of %u", p->first + 1, p->first + p->rows, lines);
    if ((unsigned)length + 12 >= p->grid->width)
        return p->grid->width;
    xm_grid_put_right(p->grid, p->grid->width, y, meaning, text);
    return paint_starved(p, y, keep, p->grid->width - (unsigned)length);
}

static void paint_status(const struct xm_painter *p, unsigned y, unsigned lines)
{
    const struct xm_choice *c = p->choice;
    const char *base = "% of the vCPUs' time";
    char view[64];
    char cpus[48];
    char every[32];
    describe_cpus(p, cpus, sizeof cpus);
    snprintf(view, sizeof view, "%s on %s", views[c->view].title, cpus);
    snprintf(every, sizeof every, "every %g s", (double)c->interval_ns / (double)XM_NS_PER_S);
    if (c->units == XM_UNITS_OF_ONE)
        base = "% of one CPU's time";
    if (c->one_cpu && c->view == XM_VIEW_PAPER)
        base = "% of its time; waits that ended here; * on any CPU";
    if (c->view == XM_VIEW_VCPUS)
        base = c->one_cpu ? "last there, or nowhere yet; % of each one's time" : "% of each one's time";
    unsigned end = paint_position(p, y, XM_MEANING_FAINT, xm_grid_columns(p->grid, view), lines);
    unsigned x = xm_grid_put_within(p->grid, 0, end, y, XM_MEANING_LABEL, view);
    const char *const parts[] = {"", base, every};
    put_parts(p->grid, x, end, y, XM_MEANING_LABEL, parts, 3);
}

/* ---- Warnings. */

struct warnings {
    char text[512];
    size_t used;
};

static void warn(struct warnings *w, const char *format, ...) XM_PRINTF(2, 3);
static void warn(struct warnings *w, const char *format, ...)
{
    va_list args;
    if (w->used + 1 >= sizeof w->text)
        return;
    if (w->used)
        w->used += (size_t)snprintf(w->text + w->used, sizeof w->text - w->used, "; ");
    if (w->used + 1 >= sizeof w->text)
        return;
    va_start(args, format);
    int length = vsnprintf(w->text + w->used, sizeof w->text - w->used, format, args);
    va_end(args);
    size_t left = sizeof w->text - w->used - 1;
    w->used += length < 0 ? 0 : (size_t)length < left ? (size_t)length : left;
}

static void warn_link(const struct xm_model *m, struct warnings *w)
{
    unsigned long long silent_s = m->silent_ns / XM_NS_PER_S;
    unsigned long long quiet_s = m->quiet_ns / XM_NS_PER_S;
    if (m->notice[0])
        warn(w, "%s", m->notice);
    if (m->link == XM_LINK_STALE)
        warn(w, "stale: xenbaked (pid %u) silent for %llu s", m->info.writer_pid, silent_s);
    else if (m->link == XM_LINK_GONE)
        warn(w, "xenbaked (pid %u) is gone: its last numbers; waiting for another", m->info.writer_pid);
    else if (m->link == XM_LINK_ENDED)
        warn(w, "the source has ended: its last numbers");
    else if (m->link == XM_LINK_BROKEN && m->data)
        warn(w, "%s", m->reason);
    else if (m->link == XM_LINK_LIVE && m->quiet_ns > 3 * XM_NS_PER_S)
        warn(w, "no new sample for %llu s", quiet_s);
}

static void warn_lost(const struct xm_model *m, struct warnings *w)
{
    const struct xm_window *ten = &m->window[XM_SPAN_10S];
    const struct xm_host_row *host = &ten->to->host;
    uint64_t before = ten->from ? ten->from->host.lost_records : 0;
    if (host->lost_records)
        warn(w, "%" PRIu64 " records lost (%" PRIu64 " in the last 10 s)", host->lost_records,
             host->lost_records > before ? host->lost_records - before : 0);
    if (host->damaged_bytes)
        warn(w, "%" PRIu64 " damaged bytes", host->damaged_bytes);
    if (host->anomalies)
        warn(w, "%" PRIu64 " anomal%s", host->anomalies, host->anomalies == 1 ? "y" : "ies");
    if (host->refused)
        warn(w, "%" PRIu64 " left out for want of room", host->refused);
}

/* What others did to the trace buffers.  Counted since the trace began: it does not happen by itself. */
static void warn_meddling(const struct xm_model *m, struct warnings *w)
{
    const struct xm_host_row *host = &m->window[XM_SPAN_10S].to->host;
    const struct {
        uint64_t count;
        const char *what;
    } events[] = {
        {host->stolen, "another consumer took records"},
        {host->repaired, "others switched tracing off or masked it"},
        {host->bogus, "a trace buffer's indices made no sense"},
        {host->dropped, "a recorder was too slow and missed a pass"},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i].count == 1)
            warn(w, "%s once", events[i].what);
        else if (events[i].count)
            warn(w, "%s %" PRIu64 " times", events[i].what, events[i].count);
    }
}

/* Time that nobody knows, of all vCPUs over 10 s. */
static void warn_unknown(const struct xm_model *m, struct warnings *w)
{
    const struct xm_window *ten = &m->window[XM_SPAN_10S];
    double unknown = 0;
    double span = 0;
    char text[16];
    for (uint32_t i = 0; i < ten->to->used.domains; i++) {
        struct xm_usage u;
        if (!xm_usage_domain(ten, i, &u))
            continue;
        unknown += (double)u.unknown_ns;
        span += (double)u.span_ns;
    }
    if (unknown > 0)
        warn(w, "%s of the time unknown (10 s)", xm_format_percent(100 * unknown / span, text, sizeof text));
}

static void collect_warnings(const struct xm_model *m, struct warnings *w)
{
    *w = (struct warnings){.used = 0};
    warn_link(m, w);
    if (!m->data)
        return;
    if (m->info.tsc_hz == 0)
        warn(w, "the TSC's rate is not known yet: no times, only shares");
    warn_lost(m, w);
    warn_meddling(m, w);
    warn_unknown(m, w);
}

static void paint_warnings(const struct xm_painter *p, unsigned y, const struct warnings *w)
{
    unsigned width = p->grid->width;
    unsigned end = xm_grid_put(p->grid, 0, y, XM_MEANING_WARNING, w->text);
    if (end > width && width > 0)
        xm_grid_put(p->grid, width - 1, y, XM_MEANING_WARNING, ">");
}

/* ---- How well the trace buffers are read, and what that costs: over the longer window. */

/* The buffers' fill: the fullest one's, or the chosen pCPU's. */
static void describe_fill(const struct xm_painter *p, const struct xm_reading *r, char *text, size_t size)
{
    uint32_t slot;
    struct xm_pcpu_usage u;
    const struct xm_window *w = &p->model->window[XM_SPAN_10S];
    text[0] = '\0';
    if (p->choice->one_cpu && xm_screen_cpu_slot(p->model, p->choice, &slot) && xm_usage_pcpu(w, slot, &u) &&
        u.buffer_fill.known)
        snprintf(text, size, "its buffer %.1f%% full at most", (double)u.buffer_fill.count / 10);
    else if (!p->choice->one_cpu && r->fill.known)
        snprintf(text, size, "buffers %.1f%% full at most (CPU %u)", (double)r->fill.count / 10,
                 r->fill_pcpu);
}

static void paint_quality(const struct xm_painter *p, unsigned y)
{
    char fill[64];
    char passes[32] = "";
    char wakeups[32] = "";
    char cpu[48] = "";
    char percent[16];
    char span[32];
    struct xm_reading r;
    xm_reading(&p->model->window[XM_SPAN_10S], &r);
    double s = (double)r.window_ns / (double)XM_NS_PER_S;
    describe_fill(p, &r, fill, sizeof fill);
    if (s > 0 && p->model->info.tsc_hz) {
        snprintf(passes, sizeof passes, "%.1f passes/s", (double)r.passes / s);
        snprintf(wakeups, sizeof wakeups, "%.1f wake-ups/s", (double)r.wakeups / s);
        xm_format_percent(100 * (double)r.own_cpu_ns / (double)r.window_ns, percent, sizeof percent);
        snprintf(cpu, sizeof cpu, "xenbaked %s of a CPU", percent);
    }
    xm_screen_span_name(p->model, XM_SPAN_10S, span, sizeof span);
    unsigned x = xm_grid_print(p->grid, 0, y, XM_MEANING_SUBJECT, "Trace %s  ", span);
    const char *const parts[] = {fill, cpu, wakeups, passes};
    put_parts(p->grid, x, p->grid->width, y, XM_MEANING_LABEL, parts, 4);
}

/* ---- Keys. */

static void paint_keys(const struct xm_painter *p, unsigned y)
{
    static const struct {
        const char *key, *what;
    } keys[] = {{"q", "quit"},  {"?", "help"},     {"c", "CPU"},      {"v", "vCPUs"},
                {"u", "units"}, {"+-", "refresh"}, {"awbxi", "rows"}, {"jk", "scroll"}};
    unsigned x = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *what =
            p->choice->view == XM_VIEW_VCPUS && keys[i].key[0] == 'v' ? "domains" : keys[i].what;
        unsigned end = x + (unsigned)(strlen(keys[i].key) + strlen(what)) + 1;
        if (end > p->grid->width)
            return;
        x = xm_grid_put(p->grid, x, y, XM_MEANING_KEY, keys[i].key);
        xm_grid_print(p->grid, x, y, XM_MEANING_LABEL, " %s", what);
        x = end + 2;
    }
}

/* ---- The whole. */

struct layout {
    bool title, status, warning, quality, keys;
    unsigned header, totals; /* rows */
    unsigned body;
};

/* With so many lines of body there is room for everything around it. */
#define ROOMY_BODY 8u

/* Takes `rows` for something around the body if that leaves the body `least`. */
static bool take_rows(struct layout *l, unsigned rows, unsigned least)
{
    if (l->body < rows + least)
        return false;
    l->body -= rows;
    return true;
}

/* Gives rows to what surrounds the body, most important first, as long as the body keeps enough. */
static struct layout lay_out(unsigned height, unsigned header, bool warning, bool status, bool totals,
                             bool quality, bool keys)
{
    struct layout l = {.body = height};
    l.title = take_rows(&l, 1, 1);
    l.warning = warning && take_rows(&l, 1, 3);
    l.header = header && take_rows(&l, 1, 2);
    l.keys = keys && take_rows(&l, 1, 4);
    l.status = status && take_rows(&l, 1, 4);
    if (header > 1 && take_rows(&l, 1, ROOMY_BODY))
        l.header++;
    if (totals && take_rows(&l, 2, ROOMY_BODY))
        l.totals = 2;
    l.quality = quality && take_rows(&l, 1, ROOMY_BODY);
    return l;
}

/* Lines that the body would have, shown or not. */
static unsigned count_lines(const struct xm_model *model, const struct xm_choice *choice,
                            struct xm_grid *grid)
{
    struct xm_painter p = {.grid = grid, .model = model, .choice = choice};
    if (!model->data && choice->view != XM_VIEW_HELP)
        xm_screen_empty_body(&p);
    else
        views[choice->view].body(&p);
    return p.line;
}

static void paint_parts(struct xm_painter *p, const struct layout *l, const struct warnings *w,
                        unsigned lines)
{
    bool numbers = p->model->data || p->choice->view == XM_VIEW_HELP;
    unsigned y = 0;
    if (l->title)
        paint_title(p, y++);
    if (l->status)
        paint_status(p, y++, lines);
    if (l->warning)
        paint_warnings(p, y++, w);
    if (l->header)
        views[p->choice->view].header(p, y, l->header);
    if (l->header && !views[p->choice->view].figures)
        paint_position(p, y, XM_MEANING_HEADER, 0, lines);
    y += l->header + l->body;
    if (numbers)
        views[p->choice->view].body(p);
    else
        xm_screen_empty_body(p);
    for (unsigned i = 0; i < l->totals; i++)
        xm_screen_totals(p, y++, (enum xm_span)i);
    if (l->quality)
        paint_quality(p, y++);
    if (l->keys)
        paint_keys(p, y);
}

static struct layout lay_out_view(const struct xm_model *m, const struct xm_choice *c, bool warning,
                                  bool keys, unsigned height)
{
    bool numbers = m->data || c->view == XM_VIEW_HELP;
    bool figures = views[c->view].figures;
    bool read = m->data && figures && m->window[XM_SPAN_10S].to->host.passes;
    return lay_out(height, numbers ? views[c->view].header_rows : 0, warning, figures, m->data && figures,
                   read, keys);
}

void xm_screen_build(const struct xm_model *model, struct xm_choice *choice, bool keys, struct xm_grid *grid)
{
    struct warnings w;
    xm_grid_clear(grid);
    if (grid->width < XM_SCREEN_MIN_WIDTH || grid->height < XM_SCREEN_MIN_HEIGHT) {
        xm_grid_print(grid, 0, 0, XM_MEANING_WARNING, "%ux%u is too small", grid->width, grid->height);
        xm_grid_print(grid, 0, 1, XM_MEANING_NORMAL, "for xenmon: %ux%u", XM_SCREEN_MIN_WIDTH,
                      XM_SCREEN_MIN_HEIGHT);
        choice->page = 1;
        return;
    }
    collect_warnings(model, &w);
    struct layout l = lay_out_view(model, choice, w.used > 0, keys, grid->height);
    unsigned lines = count_lines(model, choice, grid);
    unsigned most = lines > l.body ? lines - l.body : 0;
    if (choice->scroll > most)
        choice->scroll = most;
    choice->page = l.body;
    struct xm_painter p = {
        .grid = grid,
        .model = model,
        .choice = choice,
        .top = l.title + l.status + l.warning + l.header,
        .rows = l.body,
        .first = choice->scroll,
    };
    paint_parts(&p, &l, &w, lines);
}

unsigned xm_screen_height(const struct xm_model *model, const struct xm_choice *choice, bool keys,
                          unsigned width)
{
    struct warnings w;
    struct xm_grid grid = {.width = width};
    collect_warnings(model, &w);
    struct layout l = lay_out_view(model, choice, w.used > 0, keys, XM_GRID_MAX);
    unsigned lines = count_lines(model, choice, &grid);
    return XM_GRID_MAX - l.body + (lines > ROOMY_BODY ? lines : ROOMY_BODY);
}
