/* SPDX-License-Identifier: MIT */
/* One line a vCPU: where it is, how its time went, what it waited for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen_int.h"
#include "view/format.h"

enum field { STATE, CPU, RUNNING, WAITING, BLOCKED, OFFLINE, UNKNOWN, RATE, WAKE, PREEMPT, OTHER, LONGEST };

static const struct {
    enum field field;
    enum xm_span span;
    enum xm_meaning meaning;
    struct xm_screen_column column;
} columns[] = {
    {STATE, XM_SPAN_1S, XM_MEANING_NORMAL, {"state", "state", 9, 1}},
    {CPU, XM_SPAN_1S, XM_MEANING_NORMAL, {"CPU", "CPU", 4, 3}},
    {RUNNING, XM_SPAN_1S, XM_MEANING_RUNNING, {"run%", "run%", 6, 0}},
    {WAITING, XM_SPAN_1S, XM_MEANING_WAITING, {"wait%", "wait%", 6, 2}},
    {BLOCKED, XM_SPAN_1S, XM_MEANING_BLOCKED, {"block", "block", 6, 4}},
    {OFFLINE, XM_SPAN_1S, XM_MEANING_NORMAL, {"off%", "off%", 6, 9}},
    {UNKNOWN, XM_SPAN_1S, XM_MEANING_WARNING, {"unkn%", "unkn%", 6, 10}},
    {RATE, XM_SPAN_1S, XM_MEANING_NORMAL, {"exec/s", "exec/s", 7, 6}},
    {WAKE, XM_SPAN_1S, XM_MEANING_WAITING, {"wake%", "wake%", 6, 7}},
    {PREEMPT, XM_SPAN_1S, XM_MEANING_WAITING, {"pree%", "pree%", 6, 8}},
    {OTHER, XM_SPAN_1S, XM_MEANING_WAITING, {"other", "other", 6, 11}},
    {LONGEST, XM_SPAN_1S, XM_MEANING_WAITING, {"max wait", "max wait", 9, 5}},
    {RUNNING, XM_SPAN_10S, XM_MEANING_RUNNING, {"run%", "run%", 9, 12}},
    {WAITING, XM_SPAN_10S, XM_MEANING_WAITING, {"wait%", "wait%", 6, 13}},
    {BLOCKED, XM_SPAN_10S, XM_MEANING_BLOCKED, {"block", "block", 6, 14}},
    {OFFLINE, XM_SPAN_10S, XM_MEANING_NORMAL, {"off%", "off%", 6, 17}},
    {UNKNOWN, XM_SPAN_10S, XM_MEANING_WARNING, {"unkn%", "unkn%", 6, 18}},
    {RATE, XM_SPAN_10S, XM_MEANING_NORMAL, {"exec/s", "exec/s", 7, 16}},
    {WAKE, XM_SPAN_10S, XM_MEANING_WAITING, {"wake%", "wake%", 6, 19}},
    {PREEMPT, XM_SPAN_10S, XM_MEANING_WAITING, {"pree%", "pree%", 6, 20}},
    {OTHER, XM_SPAN_10S, XM_MEANING_WAITING, {"other", "other", 6, 21}},
    {LONGEST, XM_SPAN_10S, XM_MEANING_WAITING, {"max wait", "max wait", 9, 15}},
};

#define COLUMNS (sizeof columns / sizeof columns[0])

static unsigned name_width(unsigned width)
{
    return width >= 120 ? 24 : width >= 60 ? 12 : 11;
}

static struct xm_screen_fit fit_columns(unsigned width, struct xm_screen_column plain[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        plain[i] = columns[i].column;
    return xm_screen_fit(plain, COLUMNS, name_width(width), width);
}

/* A state that is only a guess is marked so. */
static const char *state_name(const struct xm_usage *u, bool paused, char *text, size_t size)
{
    static const char *const states[] = {"running", "waiting", "blocked", "offline", "unknown"};
    unsigned state = u->state & 7;
    if (paused && state >= 3)
        snprintf(text, size, "paused");
    else if (state >= 4 && u->state & 16)
        snprintf(text, size, "%s?", states[u->state >> 8 & 3]);
    else
        snprintf(text, size, "%s", states[state < 4 ? state : 4]);
    return text;
}

static enum xm_meaning state_meaning(const struct xm_usage *u)
{
    static const enum xm_meaning meanings[] = {XM_MEANING_RUNNING, XM_MEANING_WAITING, XM_MEANING_BLOCKED,
                                               XM_MEANING_FAINT};
    unsigned state = u->state & 7;
    return state < 4 ? meanings[state] : XM_MEANING_WARNING;
}

/* Nanoseconds that a column shares out; NULL for a column that shows something else. */
static const uint64_t *shared_ns(enum field field, const struct xm_usage *u)
{
    const uint64_t *const ns[] = {
        [RUNNING] = &u->running_ns,  [WAITING] = &u->runnable_ns,     [BLOCKED] = &u->blocked_ns,
        [OFFLINE] = &u->offline_ns,  [UNKNOWN] = &u->unknown_ns,      [WAKE] = &u->wait_wake_ns,
        [OTHER] = &u->wait_other_ns, [PREEMPT] = &u->wait_preempt_ns, [LONGEST] = NULL,
    };
    return ns[field];
}

/* Of one that left no record nothing is known but that; its other times are no zeros. */
static bool is_unknown(enum field field, const struct xm_usage *u)
{
    bool silent = u->unknown_ns == u->window_ns && u->executions == 0;
    return silent && field != STATE && field != CPU && field != UNKNOWN;
}

static void format_rate(double per_second, char *text, size_t size)
{
    snprintf(text, size, "%.*f", per_second < 99.95 ? 1 : 0, per_second);
}

static void format_field(const struct xm_painter *p, enum field field, const struct xm_usage *u, bool paused,
                         char *text, size_t size)
{
    const uint64_t *ns = shared_ns(field, u);
    bool timed = p->model->info.tsc_hz != 0;
    double s = (double)u->window_ns / (double)XM_NS_PER_S;
    snprintf(text, size, "-");
    if (is_unknown(field, u))
        return;
    if (ns && u->window_ns) {
        xm_format_percent(100 * (double)*ns / (double)u->window_ns, text, size);
        text[strcspn(text, "%")] = '\0'; /* the header has it */
    } else if (field == STATE)
        state_name(u, paused, text, size);
    else if (field == CPU && u->pcpu)
        snprintf(text, size, "%u", u->pcpu - 1);
    else if (field == RATE && timed && s > 0)
        format_rate((double)u->executions / s, text, size);
    else if (field == LONGEST && timed && u->wait_max_ns)
        xm_format_ns(u->wait_max_ns, text, size);
}

static void paint_name(const struct xm_painter *p, unsigned y, uint32_t slot)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint64_t id = s->vcpu[slot].id;
    unsigned width = name_width(p->grid->width);
    char name[96];
    char vcpu[16];
    xm_screen_domain_name(p->model, s->vcpu_domain[slot], name, sizeof name);
    char *number = strrchr(name, '(');
    if (number && number > name && p->grid->width < 120)
        number[-1] = '\0'; /* the name says enough where there is little room */
    snprintf(vcpu, sizeof vcpu, " v%u", xm_row_vcpu(id));
    unsigned end =
        xm_grid_put_within(p->grid, 0, width - (unsigned)strlen(vcpu), y, XM_MEANING_SUBJECT, name);
    xm_grid_put(p->grid, end, y, XM_MEANING_SUBJECT, vcpu);
}

static void paint_vcpu(const struct xm_painter *p, unsigned y, uint32_t slot, const struct xm_screen_fit *fit)
{
    struct xm_usage u[XM_SPANS];
    bool there[XM_SPANS];
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    bool paused = s->domain[s->vcpu_domain[slot]].paused != 0;
    paint_name(p, y, slot);
    for (unsigned i = 0; i < XM_SPANS; i++)
        there[i] = xm_usage_vcpu(&p->model->window[i], slot, &u[i]);
    for (size_t i = 0; i < COLUMNS; i++) {
        char text[24] = "-";
        const struct xm_usage *usage = &u[columns[i].span];
        enum xm_meaning meaning = columns[i].field == STATE ? state_meaning(usage) : columns[i].meaning;
        if (!fit->end[i])
            continue;
        if (there[columns[i].span])
            format_field(p, columns[i].field, usage, paused, text, sizeof text);
        bool nothing = strcmp(text, "-") == 0 || strcmp(text, "0.0") == 0;
        xm_grid_put_right(p->grid, fit->end[i], y, nothing ? XM_MEANING_FAINT : meaning, text);
    }
}

void xm_screen_vcpus_header(const struct xm_painter *p, unsigned y, unsigned header_rows)
{
    struct xm_screen_column plain[COLUMNS];
    struct xm_screen_fit fit = fit_columns(p->grid->width, plain);
    if (header_rows > 1) {
        xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_HEADER);
        for (unsigned span = 0; span < XM_SPANS; span++) {
            char name[32];
            xm_screen_span_name(p->model, (enum xm_span)span, name, sizeof name);
            bool group[COLUMNS];
            for (size_t i = 0; i < COLUMNS; i++)
                group[i] = columns[i].span == span && columns[i].field != STATE && columns[i].field != CPU;
            xm_screen_group(p->grid, y, plain, COLUMNS, &fit, group, name);
        }
        y++;
    }
    xm_screen_titles(p->grid, y, plain, COLUMNS, &fit, header_rows < 2);
}

/* vCPU slots of the domains on show, in the order of domain and vCPU. */
static struct xm_screen_ordered *order_vcpus(const struct xm_painter *p, uint32_t *count)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint32_t domains;
    uint32_t *slots = xm_screen_domains(p->model, &domains);
    uint32_t *rank = calloc(s->used.domains + 1u, sizeof *rank);
    struct xm_screen_ordered *list = malloc((s->used.vcpus + 1u) * sizeof *list);
    *count = 0;
    for (uint32_t i = 0; rank && i < domains; i++)
        rank[slots[i]] = i + 1;
    for (uint32_t i = 0; rank && list && i < s->used.vcpus; i++) {
        uint32_t domain = s->vcpu_domain[i];
        if (s->vcpu[i].id == 0 || domain >= s->used.domains || !rank[domain])
            continue;
        /* One that never ran was last on no pCPU: it must not be out of sight in each one's view. */
        if (p->choice->one_cpu && s->vcpu[i].pcpu && s->vcpu[i].pcpu != (uint64_t)p->choice->cpu + 1)
            continue;
        list[*count].key = (uint64_t)rank[domain] << 32 | xm_row_vcpu(s->vcpu[i].id);
        list[(*count)++].slot = i;
    }
    xm_screen_sort(list, *count);
    free(rank);
    free(slots);
    return list;
}

uint32_t xm_screen_vcpus_hidden(const struct xm_painter *p, unsigned *hidden)
{
    uint32_t count;
    uint32_t first = 0;
    struct xm_screen_ordered *list = order_vcpus(p, &count);
    *hidden = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct xm_usage u;
        bool in_sight = i >= p->first && i < p->first + p->rows;
        if (in_sight || !xm_usage_vcpu(&p->model->window[XM_SPAN_10S], list[i].slot, &u) ||
            !xm_usage_starved(&u))
            continue;
        if ((*hidden)++ == 0)
            first = p->model->window[XM_SPAN_1S].to->vcpu_domain[list[i].slot];
    }
    free(list);
    return first;
}

void xm_screen_vcpus_body(struct xm_painter *p)
{
    struct xm_screen_column plain[COLUMNS];
    struct xm_screen_fit fit = fit_columns(p->grid->width, plain);
    uint32_t count;
    struct xm_screen_ordered *list = order_vcpus(p, &count);
    unsigned y;
    for (uint32_t i = 0; i < count; i++)
        if (xm_painter_line(p, &y))
            paint_vcpu(p, y, list[i].slot, &fit);
    if (count == 0 && xm_painter_line(p, &y))
        xm_grid_put(p->grid, 0, y, XM_MEANING_FAINT,
                    p->choice->one_cpu ? "no vCPU was last on this CPU" : "no vCPU seen yet");
    free(list);
}
