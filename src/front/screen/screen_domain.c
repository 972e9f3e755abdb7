/* SPDX-License-Identifier: MIT */
/*
 * One domain in depth: its parts are drawn on sheets as high as they need to be, one, or two side by side
 * where there is room, and what of them is scrolled into sight is copied.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/depth_int.h"
#include "view/format.h"

#define TWO_COLUMNS 120u /* cells from which on there are two */
#define GAP         2u

/* ---- Which domain. */

bool xm_screen_depth_slot(const struct xm_model *model, const struct xm_choice *choice, uint32_t *slot)
{
    *slot = 0;
    if (!model->data)
        return false;
    const struct xm_sample *s = model->window[XM_SPAN_1S].to;
    for (uint32_t i = 0; choice->domain && i < s->used.domains; i++) {
        if (s->domain[i].id == choice->domain) {
            *slot = i;
            return true;
        }
    }
    if (choice->domain)
        return false;
    uint32_t count;
    uint32_t *slots = xm_screen_domains(model, &count);
    if (count)
        *slot = slots[0];
    free(slots);
    return count != 0;
}

/* Where the domain in depth is in the order of ids; `count` where it is not. */
static uint32_t place_of(const struct xm_model *model, const struct xm_choice *choice, const uint32_t *slots,
                         uint32_t count)
{
    uint32_t slot;
    uint32_t place = 0;
    if (!xm_screen_depth_slot(model, choice, &slot))
        return count;
    while (place < count && slots[place] != slot)
        place++;
    return place;
}

uint64_t xm_screen_depth_step(const struct xm_model *model, const struct xm_choice *choice, int steps)
{
    uint32_t count = 0;
    uint64_t id = choice->domain;
    uint32_t *slots = model->data ? xm_screen_domains(model, &count) : NULL;
    if (count) {
        int64_t place = place_of(model, choice, slots, count);
        if (place == count) /* it is gone: begin with the first */
            place = 0;
        else
            place += steps;
        place = place < 0 ? 0 : place >= count ? count - 1 : place;
        id = model->window[XM_SPAN_1S].to->domain[slots[place]].id;
    }
    free(slots);
    return id;
}

/* ---- Sheets. */

void xm_flow_begin(struct xm_flow *flow, struct xm_sheet *sheet, const char *label)
{
    *flow = (struct xm_flow){sheet, XM_SHEET_LABEL};
    xm_grid_put_within(&sheet->grid, 0, XM_SHEET_LABEL, sheet->line, XM_MEANING_LABEL, label);
}

void xm_flow_add(struct xm_flow *flow, const char *word, enum xm_meaning meaning, const char *value)
{
    struct xm_grid *grid = &flow->sheet->grid;
    unsigned gap = word[0] && value[0] ? 1 : 0;
    unsigned need = xm_grid_columns(grid, word) + gap + xm_grid_columns(grid, value);
    if (flow->x > XM_SHEET_LABEL && flow->x + need > grid->width) {
        flow->sheet->line++;
        flow->x = XM_SHEET_LABEL;
    }
    unsigned y = flow->sheet->line;
    unsigned x = xm_grid_put_within(grid, flow->x, grid->width, y, XM_MEANING_LABEL, word);
    x = xm_grid_put_within(grid, x + gap, grid->width, y, strcmp(value, "-") ? meaning : XM_MEANING_FAINT,
                           value);
    flow->x = x + 2;
}

void xm_flow_end(struct xm_flow *flow)
{
    flow->sheet->line++;
}

const char *xm_depth_number(const struct xm_depth *d, const char *id, char *text, size_t size)
{
    const struct xm_column *column = xm_column_find(id);
    struct xm_table_cell cell = {.known = false};
    bool timed = column && (column->type == XM_COL_NS || column->type == XM_COL_RATE || strstr(id, "_ns"));
    snprintf(text, size, "-");
    if (!column || !d->there || !xm_table_is_known(d->p, &d->line, &d->usage, id) ||
        (timed && d->p->model->info.tsc_hz == 0))
        return text;
    xm_table_number(column, &d->usage, &cell);
    if (!cell.known)
        return text;
    if (strstr(id, "_bytes"))
        xm_format_bytes(cell.key, cell.text, sizeof cell.text);
    snprintf(text, size, "%s%s", cell.text, column->type == XM_COL_RATE ? "/s" : "");
    return text;
}

const char *xm_depth_share(const struct xm_depth *d, uint64_t part_ns, uint64_t of_ns, char *text,
                           size_t size)
{
    struct xm_table_cell cell = {.known = false};
    xm_table_share(d->p, part_ns, of_ns, d->usage.window_ns, XM_MEANING_NORMAL, &cell);
    const char *unit = !cell.known ? "" : d->p->choice->units == XM_UNITS_MS_PER_S ? " ms/s" : "%";
    snprintf(text, size, "%s%s", cell.text, unit);
    return text;
}

/* ---- The view. */

void xm_screen_domain_header(const struct xm_painter *p, unsigned y, unsigned rows)
{
    char name[96];
    char text[64];
    uint32_t slot;
    uint32_t count = 0;
    (void)rows;
    xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_HEADER);
    if (!xm_screen_depth_slot(p->model, p->choice, &slot)) {
        xm_grid_put(p->grid, 0, y, XM_MEANING_HEADER, "no domain");
        return;
    }
    uint32_t *slots = xm_screen_domains(p->model, &count);
    uint32_t place = place_of(p->model, p->choice, slots, count);
    free(slots);
    xm_screen_domain_name(p->model, slot, name, sizeof name);
    if (place < count)
        snprintf(text, sizeof text, "< %u of %u >", (unsigned)place + 1, (unsigned)count);
    else
        snprintf(text, sizeof text, "ended");
    unsigned width = p->grid->width;
    unsigned length = xm_grid_columns(p->grid, text);
    bool both = width > length + 12;
    xm_grid_put_within(p->grid, 0, both ? width - length - 1 : width, y, XM_MEANING_HEADER, name);
    if (both)
        xm_grid_put_right(p->grid, width, y, XM_MEANING_HEADER, text);
}

/* Everything that the parts draw from; digests first, as a spread is borrowed until the next one is asked
 * for. */
static void look(const struct xm_painter *p, uint32_t slot, struct xm_depth *d)
{
    const struct xm_model *m = p->model;
    *d = (struct xm_depth){.p = p, .slot = slot};
    uint64_t id = m->window[XM_SPAN_1S].to->domain[slot].id;
    d->line = (struct xm_table_line){.item = {XM_ITEM_DOMAIN, id}, .slot = slot, .domain = slot};
    if (xm_table_window(p, &d->window, &d->coarse, &d->last)) {
        if (d->last)
            d->there = !d->coarse && xm_usage_last_domain(&d->window, slot, &d->usage) && d->usage.executions;
        else
            d->there = xm_usage_domain(&d->window, slot, &d->usage);
    }
    struct xm_usage now;
    if (!m->coarse && xm_usage_domain(&m->window[XM_SPAN_1S], slot, &now))
        d->told = now.told;
    d->there = d->there && d->usage.id == id && d->usage.window_ns;
    d->digested = xm_digest_get(m, slot, p->choice->since, &d->digest);
    if (d->digested)
        d->spread = m->spread(m->spread_user, slot, p->choice->since);
}

static void draw(const struct xm_depth *d, struct xm_sheet *left, struct xm_sheet *right)
{
    static void (*const first[])(const struct xm_depth *, struct xm_sheet *) = {
        xm_depth_time, xm_depth_strip, xm_depth_waits, xm_depth_runs};
    static void (*const aside[])(const struct xm_depth *, struct xm_sheet *) = {xm_depth_lengths,
                                                                                xm_depth_histograms};
    static void (*const rest[])(const struct xm_depth *, struct xm_sheet *) = {
        xm_depth_vcpus, xm_depth_neighbours, xm_depth_io, xm_depth_facts};
    struct xm_sheet *two = right ? right : left;
    for (unsigned i = 0; i < sizeof first / sizeof first[0]; i++)
        first[i](d, left);
    aside[0](d, two);
    if (right)
        aside[1](d, right);
    for (unsigned i = 0; i < sizeof rest / sizeof rest[0]; i++)
        rest[i](d, left);
    if (!right)
        aside[1](d, left);
}

static void copy_row(struct xm_grid *to, unsigned x, unsigned y, const struct xm_sheet *sheet, unsigned line)
{
    const struct xm_grid *from = &sheet->grid;
    if (line >= sheet->line || line >= from->height || y >= to->height)
        return;
    for (unsigned i = 0; i < from->width && x + i < to->width; i++)
        to->cells[(size_t)y * to->width + x + i] = from->cells[(size_t)line * from->width + i];
}

/* Lines that suffice: what no domain exceeds, and one for each vCPU. */
static unsigned height_of(const struct xm_model *m, uint32_t slot)
{
    uint64_t vcpus = m->window[XM_SPAN_1S].to->domain[slot].vcpus;
    return 200 + (unsigned)(vcpus < 2000 ? vcpus : 2000);
}

void xm_screen_domain_body(struct xm_painter *p)
{
    struct xm_depth d;
    struct xm_sheet sheet[2] = {{.grid.utf8 = p->grid->utf8}, {.grid.utf8 = p->grid->utf8}};
    uint32_t slot;
    unsigned y;
    if (!xm_screen_depth_slot(p->model, p->choice, &slot)) {
        if (xm_painter_line(p, &y))
            xm_grid_put(p->grid, 0, y, XM_MEANING_FAINT,
                        p->choice->domain ? "the domain is no longer there" : "no domain seen yet");
        return;
    }
    unsigned width = p->grid->width;
    bool two = width >= TWO_COLUMNS;
    unsigned left = two ? (width - GAP) / 2 : width;
    if (xm_grid_resize(&sheet[0].grid, left, height_of(p->model, slot)) != XM_OK ||
        (two && xm_grid_resize(&sheet[1].grid, width - GAP - left, height_of(p->model, slot)) != XM_OK)) {
        if (xm_painter_line(p, &y))
            xm_grid_put(p->grid, 0, y, XM_MEANING_WARNING, "out of memory");
    } else {
        look(p, slot, &d);
        draw(&d, &sheet[0], two ? &sheet[1] : NULL);
    }
    for (unsigned i = 0; i < sheet[0].line || i < sheet[1].line; i++) {
        if (!xm_painter_line(p, &y))
            continue;
        copy_row(p->grid, 0, y, &sheet[0], i);
        if (two)
            copy_row(p->grid, left + GAP, y, &sheet[1], i);
    }
    xm_grid_fini(&sheet[0].grid);
    xm_grid_fini(&sheet[1].grid);
}
