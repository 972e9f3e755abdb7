/* SPDX-License-Identifier: MIT */
/* The bottom of the frame, and what lies over the view: keys, prompts, the sort menu, the chooser of columns. */
#include <stdio.h>
#include <string.h>

#include "front/screen/choice_int.h"
#include "front/screen/screen_frame.h"
#include "front/screen/table.h"

/* ---- The line of keys. */

/* The next binding for the line from *i on that has its place before the right edge: columns [*x, end). */
static const struct xm_binding *next_key(const struct xm_painter *p, size_t *i, unsigned x, unsigned *end)
{
    size_t count;
    const struct xm_binding *bindings = xm_bindings(&count);
    for (; *i < count; (*i)++) {
        const struct xm_binding *b = &bindings[*i];
        if (!b->brief || !b->name || !(b->views & XM_IN(p->choice->view)))
            continue;
        *end = x + (unsigned)(strlen(b->name) + strlen(b->brief)) + 1;
        if (*end > p->grid->width)
            return NULL;
        (*i)++;
        return b;
    }
    return NULL;
}

void xm_screen_keys(const struct xm_painter *p, unsigned y)
{
    const struct xm_binding *b;
    unsigned x = 0;
    unsigned end;
    size_t i = 0;
    if (p->choice->said[0]) {
        xm_grid_put_within(p->grid, 0, p->grid->width, y, XM_MEANING_PROMPT, p->choice->said);
        return;
    }
    while ((b = next_key(p, &i, x, &end)) != NULL) {
        x = xm_grid_put(p->grid, x, y, XM_MEANING_KEY, b->name);
        xm_grid_print(p->grid, x, y, XM_MEANING_LABEL, " %s", b->brief);
        x = end + 2;
    }
}

int xm_screen_key_at(const struct xm_painter *p, unsigned at)
{
    const struct xm_binding *b;
    unsigned x = 0;
    unsigned end;
    size_t i = 0;
    while ((b = next_key(p, &i, x, &end)) != NULL) {
        if (at >= x && at < end && !p->choice->said[0])
            return b->key;
        x = end + 2;
    }
    return XM_KEY_NONE;
}

/* ---- The prompt. */

void xm_screen_prompt(const struct xm_painter *p, unsigned y)
{
    static const struct {
        const char *question, *hint;
    } prompts[] = {
        [XM_PROMPT_NONE] = {"", ""},
        [XM_PROMPT_SEARCH] = {"Search: ", "Enter: there  F3: next  Esc: none"},
        [XM_PROMPT_FILTER] = {"Filter: ", "Enter: keep  Esc: all lines"},
        [XM_PROMPT_TIME] = {"Time: ", "10:42:05  2026-11-26 10:42  -5m  +30s"},
        [XM_PROMPT_WINDOW] = {"Window: ", "500ms  30s  5m"},
        [XM_PROMPT_DELAY] = {"Refresh every: ", "0.5  2s"},
    };
    const struct xm_prompt *prompt = &p->choice->prompt;
    unsigned width = p->grid->width;
    unsigned x = xm_grid_put(p->grid, 0, y, XM_MEANING_PROMPT, prompts[prompt->kind].question);
    unsigned length = xm_grid_columns(p->grid, prompt->text);
    const char *aside = prompt->error[0] ? prompt->error : prompts[prompt->kind].hint;
    enum xm_meaning meaning = prompt->error[0] ? XM_MEANING_WARNING : XM_MEANING_FAINT;
    if (x + length + 1 <= width) {
        x = xm_grid_put(p->grid, x, y, XM_MEANING_PROMPT, prompt->text);
        x = xm_grid_put(p->grid, x, y, XM_MEANING_PROMPT, "_");
        if (x + 2 + xm_grid_columns(p->grid, aside) <= width || prompt->error[0])
            xm_grid_put_within(p->grid, x + 2, width, y, meaning, aside);
        return;
    }
    /* The end of it is where one types. */
    xm_grid_put_right(p->grid, width > 1 ? width - 1 : 0, y, XM_MEANING_PROMPT, prompt->text);
    if (width)
        xm_grid_put(p->grid, width - 1, y, XM_MEANING_PROMPT, "_");
}

/* ---- Pop-ups: a box at the right of the body. */

struct box {
    unsigned x, end, y, rows; /* of the whole; the first row is its title */
    unsigned lines, first;    /* there are so many; the one in the second row */
};

#define BOX_WIDTH 44u

static unsigned count_lines(const struct xm_painter *p)
{
    const struct xm_table *table = xm_table_of(p->choice->view);
    uint8_t order[XM_TABLE_MAX_COLUMNS];
    if (!table)
        return 0;
    return p->choice->popup.kind == XM_POPUP_SORT ? table->count
                                                  : xm_choice_column_order(table, p->choice, order);
}

static bool place(const struct xm_painter *p, struct box *b)
{
    unsigned width = p->grid->width;
    unsigned line = p->choice->popup.line;
    *b = (struct box){
        .x = width > BOX_WIDTH ? width - BOX_WIDTH : 0, .end = width, .y = p->top, .rows = p->rows};
    b->lines = count_lines(p);
    if (b->rows > b->lines + 2)
        b->rows = b->lines + 2;
    if (b->rows < 2 || b->lines == 0)
        return false;
    unsigned shown = b->rows - 1;
    /* The chosen line in the middle, but no blanks at the end. */
    b->first = line > shown / 2 ? line - shown / 2 : 0;
    if (b->first + shown > b->lines)
        b->first = b->lines > shown ? b->lines - shown : 0;
    return true;
}

static void blank(const struct xm_painter *p, const struct box *b, unsigned y)
{
    for (unsigned x = b->x; x < b->end; x++)
        xm_grid_put(p->grid, x, y, XM_MEANING_POPUP, " ");
    xm_grid_put(p->grid, b->x, y, XM_MEANING_POPUP, "|");
}

static void paint_line(const struct xm_painter *p, const struct box *b, unsigned y, unsigned line,
                       unsigned column, bool on)
{
    const struct xm_table *table = xm_table_of(p->choice->view);
    bool here = line == p->choice->popup.line;
    bool sort = p->choice->popup.kind == XM_POPUP_SORT;
    enum xm_meaning meaning = here ? XM_MEANING_CURSOR : XM_MEANING_POPUP;
    const struct xm_table_column *c = &table->columns[column];
    unsigned x = b->x + 1;
    blank(p, b, y);
    xm_grid_mark(p->grid, b->x + 1, b->end, y, meaning);
    x = xm_grid_put_within(p->grid, x, b->end, y, meaning, here ? ">" : " ");
    x = xm_grid_put_within(p->grid, x, b->end, y, meaning, sort ? (on ? "* " : "  ") : on ? "[x] " : "[ ] ");
    unsigned after = xm_grid_put_within(p->grid, x, b->end, y, meaning, xm_table_title(c));
    x = after < x + 12 ? x + 12 : after + 1;
    if (x < b->end)
        xm_grid_put_within(p->grid, x, b->end, y, meaning, xm_table_help(c));
}

void xm_screen_popup(const struct xm_painter *p)
{
    const struct xm_table *table = xm_table_of(p->choice->view);
    bool sort = p->choice->popup.kind == XM_POPUP_SORT;
    uint8_t order[XM_TABLE_MAX_COLUMNS];
    struct box b;
    if (p->choice->popup.kind == XM_POPUP_NONE || !table || !place(p, &b))
        return;
    struct xm_choice_table t = xm_table_choice(table, p->choice);
    bool shown[XM_TABLE_MAX_COLUMNS] = {false};
    for (unsigned i = 0; i < t.columns; i++)
        shown[t.column[i]] = true;
    xm_choice_column_order(table, p->choice, order);
    blank(p, &b, b.y);
    xm_grid_put_within(p->grid, b.x + 1, b.end, b.y, XM_MEANING_POPUP,
                       sort ? " Sort by (Enter, Esc)" : " Columns (Space  [ ] move  r reset  Enter)");
    for (unsigned i = 0; i + 1 < b.rows; i++) {
        unsigned line = b.first + i;
        if (line >= b.lines) {
            blank(p, &b, b.y + 1 + i);
            continue;
        }
        unsigned column = sort ? line : order[line];
        paint_line(p, &b, b.y + 1 + i, line, column, sort ? column == t.sort : shown[column]);
    }
}

bool xm_screen_popup_at(const struct xm_painter *p, unsigned x, unsigned y, unsigned *line)
{
    struct box b;
    if (!place(p, &b) || x < b.x || y <= b.y || y >= b.y + b.rows)
        return false;
    *line = b.first + y - b.y - 1;
    return *line < b.lines;
}
