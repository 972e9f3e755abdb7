/* SPDX-License-Identifier: MIT */
/* What the parts of the screen share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/screen.h"
#include "front/screen/screen_int.h"
#include "view/format.h"

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

static uint64_t pair_running(const struct xm_sample *s, uint32_t domain, uint32_t pcpu)
{
    bool there = domain < s->used.domains && pcpu < s->used.pcpus;
    return there ? s->pair[(size_t)domain * s->capacity.pcpus + pcpu].running : 0;
}

uint64_t xm_screen_pair_running(const struct xm_window *w, uint32_t domain, uint32_t pcpu)
{
    const struct xm_sample *from = w->from;
    uint64_t now = pair_running(w->to, domain, pcpu);
    uint64_t then = 0;
    /* All of it is the window's where the domain, or the pCPU, was not there before. */
    if (now && from && domain < from->used.domains && pcpu < from->used.pcpus &&
        from->domain[domain].id == w->to->domain[domain].id && from->pcpu[pcpu].id == w->to->pcpu[pcpu].id)
        then = pair_running(from, domain, pcpu);
    return xm_counted(now, then);
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

bool xm_screen_one_cpu(const struct xm_choice *choice)
{
    return choice->one_cpu && (choice->view == XM_VIEW_DOMAINS || choice->view == XM_VIEW_VCPUS ||
                               choice->view == XM_VIEW_PAPER);
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
