/* SPDX-License-Identifier: MIT */
#include "front/screen/screen.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "front/screen/choice_int.h"
#include "front/screen/screen_frame.h"
#include "front/screen/table_int.h"

struct xm_frame_view xm_frame_view(enum xm_screen_view view)
{
    static const struct xm_frame_view views[XM_VIEWS] = {
        [XM_VIEW_DOMAINS] = {"Domains", NULL, NULL, NULL, 1, true},
        [XM_VIEW_VCPUS] = {"vCPUs", NULL, NULL, NULL, 1, true},
        [XM_VIEW_PCPUS] = {"pCPUs", NULL, NULL, NULL, 1, false},
        [XM_VIEW_DOMAIN] = {"Depth", NULL, xm_screen_domain_header, xm_screen_domain_body, 1, false},
        [XM_VIEW_LATENCY] = {"Latency", NULL, NULL, NULL, 1, false},
        [XM_VIEW_PAPER] = {"Paper", NULL, xm_screen_paper_header, xm_screen_paper_body, 2, true},
        [XM_VIEW_HELP] = {"Help", NULL, xm_screen_help_header, xm_screen_help_body, 1, false},
    };
    struct xm_frame_view v = views[(unsigned)view < XM_VIEWS ? view : XM_VIEW_DOMAINS];
    v.table = xm_table_of(view);
    return v;
}

/* ---- The layout. */

struct layout {
    bool title, tabs, status, warning, bottom;
    unsigned host, header, totals; /* rows */
    unsigned body;
};

/* With so many lines of body there is room for everything around it. */
#define ROOMY_BODY 8u

struct wishes {
    bool warning, status, totals, host, bottom, prompt;
    unsigned header;
};

/* Takes `rows` for something around the body if that leaves the body `least`. */
static bool take_rows(struct layout *l, unsigned rows, unsigned least)
{
    if (l->body < rows + least)
        return false;
    l->body -= rows;
    return true;
}

/* Gives rows to what surrounds the body, most important first, as long as the body keeps enough. */
static struct layout lay_out(unsigned height, const struct wishes *w)
{
    struct layout l = {.body = height};
    l.title = take_rows(&l, 1, 1);
    l.warning = w->warning && take_rows(&l, 1, 3);
    l.header = w->header && take_rows(&l, 1, 2);
    /* What is typed has to be seen. */
    l.bottom = w->bottom && take_rows(&l, 1, w->prompt ? 1 : 4);
    l.status = w->status && take_rows(&l, 1, 4);
    l.tabs = w->bottom && take_rows(&l, 1, 6);
    l.host = w->host && take_rows(&l, 1, 7);
    if (w->header > 1 && take_rows(&l, 1, ROOMY_BODY))
        l.header++;
    if (w->totals && take_rows(&l, 2, ROOMY_BODY))
        l.totals = 2;
    if (l.host && take_rows(&l, 1, ROOMY_BODY))
        l.host++;
    return l;
}

static struct layout lay_out_view(const struct xm_model *m, const struct xm_choice *c, bool warning,
                                  bool keys, unsigned height)
{
    struct xm_frame_view v = xm_frame_view(c->view);
    bool help = c->view == XM_VIEW_HELP;
    struct wishes w = {
        .warning = warning,
        .status = !help,
        .totals = m->data && v.totals,
        .host = m->data && !help,
        .bottom = keys,
        .prompt = c->prompt.kind != XM_PROMPT_NONE,
        .header = m->data || help ? v.header_rows : 0,
    };
    return lay_out(height, &w);
}

static unsigned body_top(const struct layout *l)
{
    return l->title + l->tabs + l->host + l->status + l->warning + l->header;
}

/* ---- A frame: the painter, and what it borrows while the frame is built. */

struct frame {
    struct xm_painter p;
    struct xm_usage_cache cache;
    struct xm_table_line *lines; /* of a table */
    struct xm_screen_warnings warnings;
    struct layout layout;
    unsigned body_lines; /* shown or not */
};

static void paint_body(struct xm_painter *p)
{
    struct xm_frame_view v = xm_frame_view(p->choice->view);
    if (!p->model->data && p->choice->view != XM_VIEW_HELP)
        xm_screen_empty_body(p);
    else if (v.table)
        xm_table_body(v.table, p);
    else if (v.body)
        v.body(p);
}

/* Counts the lines of the body, makes those of a table. */
static void begin_frame(struct frame *f, const struct xm_model *model, const struct xm_choice *choice,
                        struct xm_grid *grid)
{
    const struct xm_table *table = xm_table_of(choice->view);
    f->cache = (struct xm_usage_cache){.there = false};
    f->p = (struct xm_painter){
        .grid = grid, .model = model, .choice = choice, .cursor = UINT_MAX, .cache = &f->cache};
    f->lines = NULL;
    if (table && model->data) {
        f->lines = xm_table_lines(table, &f->p, &f->p.line_count);
        f->p.lines = f->lines;
        f->body_lines = f->lines ? f->p.line_count : 1;
    } else {
        struct xm_painter counting = f->p;
        paint_body(&counting);
        f->body_lines = counting.line;
    }
}

static void end_frame(struct frame *f)
{
    free(f->lines);
    free(f->cache.states);
}

/* Where the cursor's item is among the lines; where it has gone the line that took its place. */
static unsigned find_cursor(const struct frame *f, const struct xm_choice *choice)
{
    const struct xm_item *item = &choice->cursor[choice->view];
    if (item->kind == XM_ITEM_NONE)
        return 0;
    for (unsigned i = 0; i < f->p.line_count; i++)
        if (f->lines[i].item.kind == item->kind && f->lines[i].item.id == item->id)
            return i;
    unsigned before = choice->cursor_line[choice->view];
    return before < f->p.line_count ? before : f->p.line_count - 1;
}

static void place_cursor(struct frame *f, struct xm_choice *choice)
{
    unsigned rows = f->layout.body ? f->layout.body : 1;
    if (!f->lines || f->p.line_count == 0)
        return;
    unsigned line = find_cursor(f, choice);
    if (choice->cursor[choice->view].kind != XM_ITEM_NONE)
        choice->cursor[choice->view] = f->lines[line].item;
    choice->cursor_line[choice->view] = line;
    if (line < choice->scroll)
        choice->scroll = line;
    if (line - choice->scroll >= rows)
        choice->scroll = line - rows + 1;
    f->p.cursor = line;
}

static void scroll_frame(struct frame *f, struct xm_choice *choice, bool keys)
{
    unsigned most = f->body_lines > f->layout.body ? f->body_lines - f->layout.body : 0;
    if (choice->scroll > most)
        choice->scroll = most;
    choice->page = f->layout.body;
    if (keys)
        place_cursor(f, choice);
    f->p.top = body_top(&f->layout);
    f->p.rows = f->layout.body;
    f->p.first = choice->scroll;
}

static void paint_header(const struct frame *f, unsigned y)
{
    struct xm_frame_view v = xm_frame_view(f->p.choice->view);
    if (v.table)
        xm_table_header(v.table, &f->p, y);
    else if (v.header)
        v.header(&f->p, y, f->layout.header);
    if (!f->layout.status)
        xm_screen_position(&f->p, y, XM_MEANING_HEADER, 0, f->body_lines);
}

static void paint_parts(struct frame *f)
{
    const struct layout *l = &f->layout;
    struct xm_painter *p = &f->p;
    unsigned y = 0;
    if (l->title)
        xm_screen_title(p, y++);
    if (l->tabs)
        xm_screen_tabs(p, y++);
    if (l->host)
        xm_screen_host(p, y++);
    if (l->host > 1)
        xm_screen_quality(p, y++, &f->warnings);
    if (l->status)
        xm_screen_status(p, y++, f->body_lines);
    if (l->warning)
        xm_screen_paint_warnings(p, y++, &f->warnings);
    if (l->header)
        paint_header(f, y);
    y += l->header + l->body;
    paint_body(p);
    for (unsigned i = 0; i < l->totals; i++)
        xm_screen_totals(p, y++, (enum xm_span)i);
    if (l->bottom && p->choice->prompt.kind != XM_PROMPT_NONE)
        xm_screen_prompt(p, y);
    else if (l->bottom)
        xm_screen_keys(p, y);
    xm_screen_popup(p);
}

static bool is_too_small(const struct xm_grid *grid)
{
    return grid->width < XM_SCREEN_MIN_WIDTH || grid->height < XM_SCREEN_MIN_HEIGHT;
}

void xm_screen_build(const struct xm_model *model, struct xm_choice *choice, bool keys, struct xm_grid *grid)
{
    struct frame f = {.body_lines = 0};
    xm_grid_clear(grid);
    if (is_too_small(grid)) {
        xm_grid_print(grid, 0, 0, XM_MEANING_WARNING, "%ux%u is too small", grid->width, grid->height);
        xm_grid_print(grid, 0, 1, XM_MEANING_NORMAL, "for xenmon: %ux%u", XM_SCREEN_MIN_WIDTH,
                      XM_SCREEN_MIN_HEIGHT);
        choice->page = 1;
        return;
    }
    xm_screen_warnings(model, &f.warnings);
    f.layout = lay_out_view(model, choice, f.warnings.used > 0, keys, grid->height);
    begin_frame(&f, model, choice, grid);
    scroll_frame(&f, choice, keys);
    paint_parts(&f);
    end_frame(&f);
}

unsigned xm_screen_height(const struct xm_model *model, const struct xm_choice *choice, bool keys,
                          unsigned width)
{
    struct frame f;
    struct xm_grid grid = {.width = width};
    xm_screen_warnings(model, &f.warnings);
    struct layout l = lay_out_view(model, choice, f.warnings.used > 0, keys, XM_GRID_MAX);
    begin_frame(&f, model, choice, &grid);
    unsigned lines = f.body_lines;
    end_frame(&f);
    return XM_GRID_MAX - l.body + (lines > ROOMY_BODY ? lines : ROOMY_BODY);
}

/* ---- Clicks. */

static bool click_popup(const struct frame *f, const struct xm_model *model, struct xm_choice *choice,
                        unsigned x, unsigned y, bool twice)
{
    unsigned line;
    if (!xm_screen_popup_at(&f->p, x, y, &line)) {
        choice->popup.kind = XM_POPUP_NONE; /* beside it: closes it */
        return true;
    }
    bool again = twice || line == choice->popup.line;
    choice->popup.line = line;
    if (again)
        return xm_choice_key(choice, model, choice->popup.kind == XM_POPUP_SORT ? XM_KEY_ENTER : ' ');
    return true;
}

static bool click_tab(const struct frame *f, const struct xm_model *model, struct xm_choice *choice,
                      unsigned x)
{
    enum xm_screen_view view;
    if (!xm_screen_tab_at(&f->p, x, &view))
        return false;
    return xm_choice_key(choice, model, view == XM_VIEW_HELP ? '?' : '1' + (int)view);
}

static bool click_body(const struct frame *f, const struct xm_model *model, struct xm_choice *choice,
                       unsigned x, unsigned y, bool twice)
{
    unsigned line = f->p.first + y - f->p.top;
    if (!f->lines || line >= f->p.line_count)
        return false;
    choice->cursor[choice->view] = f->lines[line].item;
    choice->cursor_line[choice->view] = line;
    char mark = f->lines[line].mark;
    if ((mark == '+' || mark == '-') && x < XM_TABLE_MARK_END)
        return xm_choice_key(choice, model, ' '); /* each click, however soon after another */
    return !twice || xm_choice_key(choice, model, XM_KEY_ENTER);
}

static bool click_title(const struct frame *f, const struct xm_model *model, struct xm_choice *choice,
                        unsigned x)
{
    const struct xm_table *table = xm_table_of(choice->view);
    unsigned column;
    if (!table || !model->data || !xm_table_title_at(table, &f->p, x, &column))
        return false;
    xm_choice_sort_column(choice, column);
    return true;
}

/* The line of keys; the last one's answer, which lies over them, goes first. */
static bool click_keys(const struct frame *f, const struct xm_model *model, struct xm_choice *choice,
                       unsigned x)
{
    if (choice->prompt.kind != XM_PROMPT_NONE)
        return false;
    if (!choice->said[0])
        return xm_choice_key(choice, model, xm_screen_key_at(&f->p, x));
    choice->said[0] = '\0';
    return true;
}

static bool click_part(const struct frame *f, const struct xm_model *model, struct xm_choice *choice,
                       unsigned x, unsigned y, bool twice)
{
    const struct layout *l = &f->layout;
    unsigned bottom = f->p.top + f->p.rows + l->totals;
    if (choice->popup.kind != XM_POPUP_NONE)
        return click_popup(f, model, choice, x, y, twice);
    if (l->bottom && y == bottom)
        return click_keys(f, model, choice, x);
    /* A prompt takes keys, and a click stands for some; what was typed into a filter stays in force. */
    bool asked = choice->prompt.kind != XM_PROMPT_NONE;
    choice->prompt.kind = XM_PROMPT_NONE;
    if (l->tabs && y == l->title)
        return click_tab(f, model, choice, x);
    if (l->header && y + 1 == f->p.top)
        return click_title(f, model, choice, x);
    if (y >= f->p.top && y < f->p.top + f->p.rows)
        return click_body(f, model, choice, x, y, twice);
    return asked;
}

bool xm_screen_click(const struct xm_model *model, struct xm_choice *choice, const struct xm_grid *grid,
                     unsigned x, unsigned y, bool twice)
{
    /* Nothing is painted: the grid lends its size and its characters. */
    struct xm_grid plain = {.width = grid->width, .height = grid->height, .utf8 = grid->utf8};
    struct frame f = {.body_lines = 0};
    if (is_too_small(grid) || x >= grid->width || y >= grid->height)
        return false;
    xm_screen_warnings(model, &f.warnings);
    f.layout = lay_out_view(model, choice, f.warnings.used > 0, true, grid->height);
    begin_frame(&f, model, choice, &plain);
    scroll_frame(&f, choice, true);
    bool hit = click_part(&f, model, choice, x, y, twice);
    end_frame(&f);
    return hit;
}
