/* SPDX-License-Identifier: MIT */
/* What is shown, in words, and what is wrong. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "front/screen/screen_frame.h"
#include "front/screen/table_int.h"
#include "view/format.h"

/* ---- Where in time. */

static void describe_time(const struct xm_model *m, char *text, size_t size)
{
    const struct xm_window *w = &m->window[XM_SPAN_1S];
    time_t t = (time_t)(m->real_ns / XM_NS_PER_S);
    struct tm tm;
    uint64_t behind = m->newest > w->to->host.window ? m->newest - w->to->host.window : 0;
    double s = (double)xm_scale_to_ns(w->scale, xm_cycles_of(behind)).v / (double)XM_NS_PER_S;
    int used = 0;
    text[0] = '\0';
    if (m->past && s < 99.95)
        used = snprintf(text, size, " -%.1f s", s);
    else if (m->past)
        used = snprintf(text, size, " -%" PRIu64 ":%02u:%02u", (uint64_t)s / 3600,
                        (unsigned)((uint64_t)s / 60 % 60), (unsigned)((uint64_t)s % 60));
    if (m->real_ns && localtime_r(&t, &tm) && used >= 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, "%s %02d:%02d:%02d", used ? "," : "", tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
}

/* "FROZEN", "PAST -12.3 s, 10:42:05", "PLAYING x2 ..."; "" where now is shown. */
static void describe_position(const struct xm_painter *p, char *text, size_t size)
{
    const struct xm_choice *c = p->choice;
    char when[64] = "";
    text[0] = '\0';
    if (p->model->data)
        describe_time(p->model, when, sizeof when);
    if (c->travelling && !c->frozen)
        snprintf(text, size, "PLAYING x%g%s", c->speed, when);
    else if (c->frozen)
        snprintf(text, size, "FROZEN%s", when);
    else if (p->model->past)
        snprintf(text, size, "PAST%s", when);
}

/* ---- What is shown. */

static void describe_cpus(const struct xm_painter *p, char *text, size_t size)
{
    const struct xm_model *m = p->model;
    uint32_t slot;
    uint32_t cpus = 0;
    bool one = xm_screen_one_cpu(p->choice);
    for (uint32_t i = 0; m->data && i < m->window[0].to->used.pcpus; i++)
        cpus += m->window[0].to->pcpu[i].id != 0;
    if (!one)
        snprintf(text, size, m->data ? "all CPUs (%u)" : "all CPUs", cpus);
    else if (m->data && xm_screen_cpu_slot(m, p->choice, &slot))
        snprintf(text, size, "CPU %u", p->choice->cpu);
    else
        snprintf(text, size, "CPU %u (not seen)", p->choice->cpu);
}

static void format_length(uint64_t ns, char *text, size_t size)
{
    double s = (double)ns / (double)XM_NS_PER_S;
    if (s >= 120 && ns % (60 * XM_NS_PER_S) == 0)
        snprintf(text, size, "%g min", s / 60);
    else if (s >= 0.9995)
        snprintf(text, size, "%.*f s", s < 99.5 && s - (double)(uint64_t)(s + 0.005) > 0.005 ? 1 : 0, s);
    else
        snprintf(text, size, "%.3g ms", s * 1000);
}

/* The window of tables; where it is not as long as was asked for, its real length. */
static uint64_t real_length(const struct xm_window *w)
{
    uint64_t since = w->from ? w->from->host.window : 0;
    return xm_scale_to_ns(w->scale, xm_cycles_of(w->to->host.window - since)).v;
}

static void describe_window(const struct xm_painter *p, char *text, size_t size)
{
    const struct xm_choice *c = p->choice;
    const struct xm_model *m = p->model;
    char length[32] = "";
    /* A pCPU has no last execution: the shortest window stands for it. */
    bool second = c->window == XM_WINDOW_1S || (c->window == XM_WINDOW_LAST && c->view == XM_VIEW_PCPUS);
    bool spans = second || c->window == XM_WINDOW_10S;
    if (c->window == XM_WINDOW_LAST && !second) {
        snprintf(text, size, "last execution");
        return;
    }
    if (spans && m->data) {
        xm_screen_span_name(m, second ? XM_SPAN_1S : XM_SPAN_10S, length, sizeof length);
        snprintf(text, size, "%s window", length);
        return;
    }
    format_length(xm_choice_window_ns(c), length, sizeof length);
    snprintf(text, size, "%s window", length);
    if (spans || !m->data || !m->chosen.to || m->info.tsc_hz == 0)
        return;
    uint64_t real = real_length(&m->chosen);
    uint64_t asked = xm_choice_window_ns(c);
    if (real < asked - asked / 50 || real > asked + asked / 50) {
        format_length(real, length, sizeof length);
        snprintf(text, size, "%s window (there are only so many)", length);
    }
}

/* What figures are of, and the same in less room. */
struct base {
    const char *full, *brief;
};

/* In the view of one pCPU.  Columns with a star are of all pCPUs, and may be of another time. */
static struct base describe_base_of_cpu(const struct xm_choice *c)
{
    static const struct base vcpus[XM_UNITS] = {
        {"last there, or nowhere yet; * on any CPU, % of each one's time", "last there; * % of each's, any CPU"},
        {"last there, or nowhere yet; * on any CPU, % of one CPU's time", "last there; * % of a CPU, any CPU"},
        {"last there, or nowhere yet; * on any CPU, ms of each second", "last there; * ms/s, any CPU"}};
    static const struct base domains[XM_UNITS] = {
        {"% of its time; * on any CPU, of the vCPUs' time", "% of it; * of the vCPUs"},
        {"% of one CPU's time; * on any CPU", "% of a CPU; * any CPU"},
        {"ms of each second; * on any CPU", "ms/s; * any CPU"}};
    unsigned units = (unsigned)c->units < XM_UNITS ? c->units : XM_UNITS_OF_VCPUS;
    if (c->view == XM_VIEW_PAPER)
        return (struct base){"% of its time; waits that ended here; * on any CPU", "% of it; * any CPU"};
    return c->view == XM_VIEW_VCPUS ? vcpus[units] : domains[units];
}

/* Distributions are of another span than the window; they are always those of now. */
static struct base describe_lengths(const struct xm_painter *p)
{
    static const struct base bases[2][2] = {
        {{"lengths since the start (D: from now on), max wait of the window", "since the start; max of window"},
         {"lengths since the start, up to now; max wait of the window", "start to now; max of window"}},
        {{"lengths since watched (D: since the start), max wait of the window", "since watched; max of window"},
         {"lengths since watched, up to now; max wait of the window", "watched to now; max of window"}}};
    return bases[p->choice->since == XM_SPREAD_WATCHED][p->model->past];
}

static struct base describe_base(const struct xm_painter *p)
{
    const struct xm_choice *c = p->choice;
    if (xm_screen_one_cpu(c))
        return describe_base_of_cpu(c);
    if (c->view == XM_VIEW_LATENCY)
        return describe_lengths(p);
    if (c->units == XM_UNITS_OF_ONE)
        return (struct base){"% of one CPU's time", "% of a CPU"};
    if (c->units == XM_UNITS_MS_PER_S && c->view != XM_VIEW_PAPER)
        return (struct base){"ms of each second", "ms/s"};
    if (c->view == XM_VIEW_VCPUS || c->view == XM_VIEW_PCPUS)
        return (struct base){"% of each one's time", "% of each"};
    return (struct base){"% of the vCPUs' time", "% of vCPUs"};
}

static void describe_order(const struct xm_painter *p, char *text, size_t size)
{
    const struct xm_table *table = xm_table_of(p->choice->view);
    text[0] = '\0';
    if (!table || table->count == 0)
        return;
    struct xm_choice_table t = xm_table_choice(table, p->choice);
    char title[48];
    xm_table_heading(p, &table->columns[t.sort], title, sizeof title);
    snprintf(text, size, "by %s%s", title, t.descending ? "" : " upwards");
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
    const struct xm_table *table = xm_table_of(p->choice->view);
    if (!p->model->data || (!table && p->choice->view != XM_VIEW_PAPER))
        return end;
    uint32_t slot = table ? xm_table_hidden(table, p, &hidden) : xm_screen_paper_hidden(p, &hidden);
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

unsigned xm_screen_position(const struct xm_painter *p, unsigned y, enum xm_meaning meaning, unsigned keep,
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

/* What the line says in any case: where in time, which view, over which window, in which units, of which lines. */
struct saying {
    char position[96], view[64], window[64];
    const char *base;
    char filter[160];
};

static unsigned columns_of(const struct xm_painter *p, const struct saying *s)
{
    const char *const parts[] = {s->position, s->view, s->window, s->base, s->filter};
    unsigned columns = 0;
    for (unsigned i = 0; i < 5; i++)
        columns += parts[i][0] ? xm_grid_columns(p->grid, parts[i]) + (columns ? 2 : 0) : 0;
    return columns;
}

static void describe_filter(const struct xm_choice *c, char *text, size_t size)
{
    text[0] = '\0';
    if (c->filter[0] && xm_table_of(c->view))
        snprintf(text, size, "filter \"%s\"%s", c->filter, c->hide_idle ? ", not idle" : "");
    else if (c->hide_idle && xm_table_of(c->view))
        snprintf(text, size, "not idle");
}

/* In full if that fits, else the units in less room, then the view: all its pCPUs go without saying. */
static void describe(const struct xm_painter *p, unsigned width, struct saying *s)
{
    const char *title = xm_frame_view(p->choice->view).title;
    struct base base = describe_base(p);
    char cpus[48];
    describe_position(p, s->position, sizeof s->position);
    describe_cpus(p, cpus, sizeof cpus);
    snprintf(s->view, sizeof s->view, "%s on %s", title, cpus);
    describe_filter(p->choice, s->filter, sizeof s->filter);
    s->window[0] = '\0';
    if (p->choice->view != XM_VIEW_PAPER)
        describe_window(p, s->window, sizeof s->window);
    s->base = base.full;
    if (columns_of(p, s) > width)
        s->base = base.brief;
    if (columns_of(p, s) > width && !xm_screen_one_cpu(p->choice))
        snprintf(s->view, sizeof s->view, "%s", title);
}

void xm_screen_status(const struct xm_painter *p, unsigned y, unsigned lines)
{
    const struct xm_choice *c = p->choice;
    bool one = xm_screen_one_cpu(c);
    struct saying s;
    char every[32];
    char order[64];
    describe(p, 0, &s);
    unsigned end = xm_screen_position(p, y, XM_MEANING_FAINT, columns_of(p, &s), lines);
    describe(p, end, &s);
    describe_order(p, order, sizeof order);
    snprintf(every, sizeof every, "every %g s", (double)c->interval_ns / (double)XM_NS_PER_S);
    unsigned x = 0;
    if (s.position[0])
        x = xm_grid_put_within(p->grid, x, end, y, XM_MEANING_WARNING, s.position);
    /* One pCPU is a filter too. */
    x = xm_grid_put_within(p->grid, x ? x + 2 : 0, end, y, one ? XM_MEANING_FOUND : XM_MEANING_LABEL, s.view);
    const char *const first[] = {"", s.window, s.base};
    x = xm_screen_put_parts(p->grid, x, end, y, XM_MEANING_LABEL, first, 3);
    if (s.filter[0])
        x = xm_grid_put_within(p->grid, x + 2, end, y, XM_MEANING_FOUND, s.filter);
    const char *const rest[] = {"", order, every};
    xm_screen_put_parts(p->grid, x, end, y, XM_MEANING_LABEL, rest, 3);
}

/* ---- Warnings. */

static void warn(struct xm_screen_warnings *w, const char *format, ...) XM_PRINTF(2, 3);
static void warn(struct xm_screen_warnings *w, const char *format, ...)
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

/*
 * Nothing more comes.  `xenmon history show` calls its source so; of a copy of another host's region the writer
 * is no xenbaked.
 */
static void warn_end(const struct xm_model *m, struct xm_screen_warnings *w)
{
    static const char history[] = "history of ";
    bool kept = m->info.source == XM_SOURCE_REPLAY &&
                strncmp(m->info.source_name, history, sizeof history - 1) == 0;
    if (kept)
        warn(w, "from the history: the end of this stretch");
    else if (m->copied)
        warn(w, "xenbaked of that host has ended or is gone: its last numbers");
    else if (m->link == XM_LINK_ENDED)
        warn(w, "the source has ended: its last numbers");
    else
        warn(w, "xenbaked (pid %u) is gone: its last numbers; waiting for another", m->info.writer_pid);
}

static void warn_link(const struct xm_model *m, struct xm_screen_warnings *w)
{
    unsigned long long silent_s = m->silent_ns / XM_NS_PER_S;
    unsigned long long quiet_s = m->quiet_ns / XM_NS_PER_S;
    if (m->notice[0])
        warn(w, "%s", m->notice);
    if (m->link == XM_LINK_STALE && m->copied)
        warn(w, "stale: xenbaked of that host silent for %llu s", silent_s);
    else if (m->link == XM_LINK_STALE)
        warn(w, "stale: xenbaked (pid %u) silent for %llu s", m->info.writer_pid, silent_s);
    else if (m->link == XM_LINK_GONE || (m->link == XM_LINK_ENDED && !m->past))
        warn_end(m, w);
    else if (m->link == XM_LINK_BROKEN && m->data)
        warn(w, "%s", m->reason);
    else if (m->link == XM_LINK_LIVE && m->quiet_ns > 3 * XM_NS_PER_S)
        warn(w, "no new sample for %llu s", quiet_s);
}

static void warn_lost(const struct xm_model *m, struct xm_screen_warnings *w)
{
    const struct xm_window *ten = &m->window[XM_SPAN_10S];
    const struct xm_host_row *host = &ten->to->host;
    uint64_t before = ten->from ? ten->from->host.lost_records : 0;
    w->lost_10s = host->lost_records > before ? host->lost_records - before : 0;
    if (host->lost_records)
        warn(w, "%" PRIu64 " records lost (%" PRIu64 " in the last 10 s)", host->lost_records, w->lost_10s);
    if (host->damaged_bytes)
        warn(w, "%" PRIu64 " damaged bytes", host->damaged_bytes);
    if (host->anomalies)
        warn(w, "%" PRIu64 " anomal%s", host->anomalies, host->anomalies == 1 ? "y" : "ies");
    if (host->refused)
        warn(w, "%" PRIu64 " left out for want of room", host->refused);
}

/* What others did to the trace buffers.  Counted since the trace began: it does not happen by itself. */
static void warn_meddling(const struct xm_model *m, struct xm_screen_warnings *w)
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

/* Mostly there is none, and that is quickly seen: the same vCPUs, and what was unknown has not grown. */
static bool some_unknown(const struct xm_window *w)
{
    for (uint32_t i = 0; i < w->to->used.domains; i++) {
        const struct xm_domain_row *now = &w->to->domain[i];
        const struct xm_domain_row *then = w->from && i < w->from->used.domains ? &w->from->domain[i] : NULL;
        if (now->id &&
            (!then || then->id != now->id || then->vcpus != now->vcpus || then->unknown != now->unknown))
            return true;
    }
    return false;
}

/* Time that nobody knows, of all vCPUs over 10 s. */
static void warn_unknown(const struct xm_model *m, struct xm_screen_warnings *w)
{
    const struct xm_window *ten = &m->window[XM_SPAN_10S];
    double unknown = 0;
    double span = 0;
    char text[16];
    if (!some_unknown(ten))
        return;
    for (uint32_t i = 0; i < ten->to->used.domains; i++) {
        struct xm_usage u;
        if (xm_window_was_over(ten, i) || !xm_usage_domain(ten, i, &u))
            continue;
        unknown += (double)u.unknown_ns;
        span += (double)u.span_ns;
    }
    w->unknown = span > 0 ? 100 * unknown / span : 0;
    if (unknown > 0)
        warn(w, "%s of the time unknown (10 s)", xm_format_percent(100 * unknown / span, text, sizeof text));
}

void xm_screen_warnings(const struct xm_model *m, struct xm_screen_warnings *w)
{
    *w = (struct xm_screen_warnings){.used = 0};
    warn_link(m, w);
    if (!m->data)
        return;
    if (m->info.tsc_hz == 0)
        warn(w, "the TSC's rate is not known yet: no times, only shares");
    if (m->coarse)
        warn(w, "a sample a second so long ago: no states, longest waits, slices");
    warn_lost(m, w);
    warn_meddling(m, w);
    warn_unknown(m, w);
}

void xm_screen_paint_warnings(const struct xm_painter *p, unsigned y, const struct xm_screen_warnings *w)
{
    unsigned width = p->grid->width;
    unsigned end = xm_grid_put(p->grid, 0, y, XM_MEANING_WARNING, w->text);
    if (end > width && width > 0)
        xm_grid_put(p->grid, width - 1, y, XM_MEANING_WARNING, ">");
}
