/* SPDX-License-Identifier: MIT */
/* The top of the frame: the program's line, the bar of views, the host. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "front/terminal/chart.h"
#include "front/screen/screen_frame.h"
#include "front/screen/table_int.h"
#include "view/format.h"

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
unsigned xm_screen_put_parts(struct xm_grid *grid, unsigned x, unsigned end, unsigned y, enum xm_meaning meaning,
                             const char *const *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned gap = i ? 2 : 0;
        if (!parts[i][0])
            continue;
        if (i && x + gap + xm_grid_columns(grid, parts[i]) > end)
            break;
        x = xm_grid_put(grid, x + gap, y, meaning, parts[i]);
    }
    return x;
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
    return length && length < sizeof info->source_name &&
           memcmp(info->source_name, info->hypervisor, length) == 0;
}

void xm_screen_title(const struct xm_painter *p, unsigned y)
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
    xm_screen_put_parts(p->grid, x, p->grid->width, y, XM_MEANING_TITLE, parts, 6);
}

/* ---- The bar of views. */

/* In full where all of them have room, else the number of those that are not on show. */
static unsigned tab_text(const struct xm_painter *p, enum xm_screen_view view, bool full, char *text,
                         size_t size)
{
    bool here = view == p->choice->view;
    char key = view == XM_VIEW_HELP ? '?' : (char)('1' + (int)view);
    if (full || here)
        snprintf(text, size, here ? "[%c %s]" : " %c %s ", key, xm_frame_view(view).title);
    else
        snprintf(text, size, " %c ", key);
    return (unsigned)strlen(text);
}

static bool tabs_fit(const struct xm_painter *p)
{
    unsigned width = 0;
    char text[32];
    for (unsigned view = 0; view < XM_VIEWS; view++)
        width += tab_text(p, (enum xm_screen_view)view, true, text, sizeof text);
    return width <= p->grid->width;
}

void xm_screen_tabs(const struct xm_painter *p, unsigned y)
{
    bool full = tabs_fit(p);
    unsigned x = 0;
    char text[32];
    xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_TAB);
    for (unsigned view = 0; view < XM_VIEWS; view++) {
        tab_text(p, (enum xm_screen_view)view, full, text, sizeof text);
        x = xm_grid_put(p->grid, x, y,
                        view == (unsigned)p->choice->view ? XM_MEANING_TAB_HERE : XM_MEANING_TAB, text);
    }
}

bool xm_screen_tab_at(const struct xm_painter *p, unsigned x, enum xm_screen_view *view)
{
    bool full = tabs_fit(p);
    unsigned end = 0;
    char text[32];
    for (unsigned i = 0; i < XM_VIEWS; i++) {
        end += tab_text(p, (enum xm_screen_view)i, full, text, sizeof text);
        *view = (enum xm_screen_view)i;
        if (x < end)
            return true;
    }
    return false;
}

/* ---- The host. */

struct host {
    uint32_t pcpus;
    uint64_t busy_ns, of_ns;
    uint64_t waited_ns, window_ns; /* of all vCPUs together */
    uint64_t any_least_ns;         /* the domain's in which some vCPU waited longest: the host's is no less */
};

static void sum_host(const struct xm_painter *p, struct host *h)
{
    const struct xm_window *w = &p->model->window[XM_SPAN_1S];
    *h = (struct host){.pcpus = 0};
    for (uint32_t i = 0; i < w->to->used.pcpus; i++) {
        struct xm_pcpu_usage u;
        if (!xm_usage_pcpu(w, i, &u))
            continue;
        h->pcpus++;
        h->busy_ns += u.busy_ns;
        h->of_ns += u.window_ns;
        h->window_ns = u.window_ns;
    }
    /* Only what waited matters here, and most of a large host does not. */
    for (uint32_t i = 0; i < w->to->used.domains; i++) {
        const struct xm_domain_row *now = &w->to->domain[i];
        bool before = w->from && i < w->from->used.domains && w->from->domain[i].id == now->id;
        uint64_t waited = xm_counted(now->runnable, before ? w->from->domain[i].runnable : 0);
        uint64_t any = xm_counted(now->wait_any, before ? w->from->domain[i].wait_any : 0);
        uint64_t any_ns = now->id ? xm_scale_to_ns(w->scale, xm_cycles_of(any)).v : 0;
        h->waited_ns += now->id ? xm_scale_to_ns(w->scale, xm_cycles_of(waited)).v : 0;
        h->any_least_ns = any_ns > h->any_least_ns ? any_ns : h->any_least_ns;
    }
}

#define HOST_BAR        10u
#define HOST_BAR_NARROW 4u

void xm_screen_host(const struct xm_painter *p, unsigned y)
{
    struct host h;
    char percent[16];
    char bar[HOST_BAR * 4 + 1];
    char busy[48];
    char waiting[64];
    char any[64];
    sum_host(p, &h);
    double window_ns = h.window_ns ? (double)h.window_ns : 1;
    xm_format_percent(h.of_ns ? 100 * (double)h.busy_ns / (double)h.of_ns : 0, percent, sizeof percent);
    unsigned x = xm_grid_put(p->grid, 0, y, XM_MEANING_SUBJECT, "Host ");
    bool wide = p->grid->width >= 100;
    unsigned length = wide ? HOST_BAR : HOST_BAR_NARROW;
    if (p->grid->width >= 60) {
        x = xm_grid_put(p->grid, x, y, XM_MEANING_LABEL, "[");
        xm_chart_bar(p->grid->utf8, length, h.busy_ns, h.of_ns, bar, sizeof bar);
        xm_grid_put(p->grid, x, y, XM_MEANING_RUNNING, bar);
        x = xm_grid_put(p->grid, x + length, y, XM_MEANING_LABEL, "] ");
    }
    snprintf(busy, sizeof busy, "%s busy of %" PRIu32 " pCPU%s", percent, h.pcpus, h.pcpus == 1 ? "" : "s");
    snprintf(waiting, sizeof waiting, "%.2f vCPUs waiting", (double)h.waited_ns / window_ns);
    bool exact = h.any_least_ns == h.waited_ns || h.any_least_ns >= h.window_ns;
    xm_format_percent(100 * (double)h.any_least_ns / window_ns, percent, sizeof percent);
    snprintf(any, sizeof any, "%s %s%s of the time", wide ? "some vCPU waiting" : "some", exact ? "" : ">=",
             percent);
    const char *const parts[] = {busy, waiting, any};
    xm_screen_put_parts(p->grid, x, p->grid->width, y, XM_MEANING_LABEL, parts, 3);
    /* The last minute takes what is left at the right. */
    unsigned taken = x + (unsigned)(strlen(busy) + strlen(waiting) + strlen(any)) + 6;
    if (!p->model->trail || taken + 20 > p->grid->width)
        return;
    unsigned from = p->grid->width - taken > XM_TRAIL_STEPS + 8 ? p->grid->width - XM_TRAIL_STEPS - 8 : taken;
    x = xm_grid_put(p->grid, from, y, XM_MEANING_LABEL, "1 min [");
    xm_table_sparkline(p->grid, x, p->grid->width - 1, y, p->model->trail->host, false);
    xm_grid_put(p->grid, p->grid->width - 1, y, XM_MEANING_LABEL, "]");
}

/* ---- How well the trace buffers are read, and what that costs: over the longer window. */

/* The buffers' fill: the fullest one's, or the chosen pCPU's. */
static void describe_fill(const struct xm_painter *p, const struct xm_reading *r, char *text, size_t size)
{
    uint32_t slot;
    struct xm_pcpu_usage u;
    const struct xm_window *w = &p->model->window[XM_SPAN_10S];
    text[0] = '\0';
    bool one = xm_screen_one_cpu(p->choice);
    if (one && xm_screen_cpu_slot(p->model, p->choice, &slot) && xm_usage_pcpu(w, slot, &u) &&
        u.buffer_fill.known)
        snprintf(text, size, "its buffer %.1f%% full at most", (double)u.buffer_fill.count / 10);
    else if (!one && r->fill.known)
        snprintf(text, size, "buffers %.1f%% full at most (CPU %u)", (double)r->fill.count / 10,
                 r->fill_pcpu);
}

void xm_screen_quality(const struct xm_painter *p, unsigned y, const struct xm_screen_warnings *w)
{
    char fill[64];
    char passes[32] = "";
    char wakeups[32] = "";
    char cpu[48] = "";
    char percent[16];
    char span[32];
    char lost[48];
    char unknown[48];
    struct xm_reading r;
    xm_reading(&p->model->window[XM_SPAN_10S], &r);
    double s = (double)r.window_ns / (double)XM_NS_PER_S;
    describe_fill(p, &r, fill, sizeof fill);
    snprintf(lost, sizeof lost, "%" PRIu64 " lost", w->lost_10s);
    snprintf(unknown, sizeof unknown, "%s unknown", xm_format_percent(w->unknown, percent, sizeof percent));
    if (s > 0 && p->model->info.tsc_hz && p->model->window[XM_SPAN_10S].to->host.passes) {
        snprintf(passes, sizeof passes, "%.1f passes/s", (double)r.passes / s);
        snprintf(wakeups, sizeof wakeups, "%.1f wake-ups/s", (double)r.wakeups / s);
        xm_format_percent(100 * (double)r.own_cpu_ns / (double)r.window_ns, percent, sizeof percent);
        snprintf(cpu, sizeof cpu, "xenbaked %s of a CPU", percent);
    }
    xm_screen_span_name(p->model, XM_SPAN_10S, span, sizeof span);
    unsigned x = xm_grid_print(p->grid, 0, y, XM_MEANING_SUBJECT, "Trace %s  ", span);
    const char *const parts[] = {lost, unknown, fill, cpu, wakeups, passes};
    xm_screen_put_parts(p->grid, x, p->grid->width, y, XM_MEANING_LABEL, parts, 6);
}
