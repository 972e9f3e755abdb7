/* SPDX-License-Identifier: MIT */
/* The cursor of tables, their order, what is drilled into and expanded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/choice_int.h"

/* The lines of the view on show. */
struct lines {
    const struct xm_table *table;
    struct xm_table_line *line;
    uint32_t count;
    uint32_t cursor;
};

static uint32_t find_cursor(const struct xm_choice *choice, const struct lines *l)
{
    const struct xm_item *item = &choice->cursor[choice->view];
    if (item->kind == XM_ITEM_NONE || l->count == 0)
        return 0;
    for (uint32_t i = 0; i < l->count; i++)
        if (l->line[i].item.kind == item->kind && l->line[i].item.id == item->id)
            return i;
    uint32_t before = choice->cursor_line[choice->view];
    return before < l->count ? before : l->count - 1;
}

/* False: there are none.  The caller frees l->line. */
static bool get_lines(const struct xm_choice *choice, const struct xm_model *model, struct lines *l)
{
    struct xm_grid grid = {.utf8 = false};
    struct xm_usage_cache cache = {.there = false};
    struct xm_painter p = {.grid = &grid, .model = model, .choice = choice, .cache = &cache};
    *l = (struct lines){.table = xm_table_of(choice->view)};
    if (!l->table || !model->data)
        return false;
    l->line = xm_table_lines(l->table, &p, &l->count);
    free(cache.states);
    l->cursor = find_cursor(choice, l);
    return l->count > 0;
}

static void put_cursor(struct xm_choice *choice, const struct lines *l, uint32_t line)
{
    choice->cursor[choice->view] = l->line[line].item;
    choice->cursor_line[choice->view] = line;
}

void xm_choice_move(struct xm_choice *choice, const struct xm_model *model, int lines)
{
    struct lines l;
    if (get_lines(choice, model, &l)) {
        int64_t line = (int64_t)l.cursor + lines;
        put_cursor(choice, &l, line < 0 ? 0 : line < l.count ? (uint32_t)line : l.count - 1);
    }
    free(l.line);
}

void xm_choice_move_page(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    int lines = choice->page > 1 ? (int)choice->page - 1 : 1;
    /* The page moves with the cursor, so that it stays where it was on it. */
    if (direction > 0)
        choice->scroll += (unsigned)lines;
    else
        choice->scroll -= choice->scroll < (unsigned)lines ? choice->scroll : (unsigned)lines;
    xm_choice_move(choice, model, direction * lines);
}

void xm_choice_move_end(struct xm_choice *choice, const struct xm_model *model, int last)
{
    struct lines l;
    /* On no line in particular the cursor stays at the top, whatever gets there. */
    if (get_lines(choice, model, &l) && last)
        put_cursor(choice, &l, l.count - 1);
    if (!last) {
        choice->cursor[choice->view] = (struct xm_item){XM_ITEM_NONE, 0};
        choice->scroll = 0;
    }
    free(l.line);
}

bool xm_choice_find(struct xm_choice *choice, const struct xm_model *model, bool next)
{
    struct xm_grid grid = {.utf8 = false};
    struct xm_usage_cache cache = {.there = false};
    struct xm_painter p = {.grid = &grid, .model = model, .choice = choice, .cache = &cache};
    struct lines l;
    bool found = false;
    if (get_lines(choice, model, &l) && choice->search[0]) {
        for (uint32_t i = 0; i < l.count && !found; i++) {
            uint32_t line = (uint32_t)(((uint64_t)l.cursor + i + next) % l.count);
            found = xm_table_matches(l.table, &p, &l.line[line], choice->search);
            if (found)
                put_cursor(choice, &l, line);
        }
    }
    free(cache.states);
    free(l.line);
    return found;
}

void xm_choice_find_next(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (!choice->search[0])
        xm_choice_say(choice, "nothing is searched yet: /");
    else if (!xm_choice_find(choice, model, true))
        xm_choice_say(choice, "no line has \"%.60s\"", choice->search);
}

/* ---- Into something, and under it. */

static uint64_t domain_id(const struct xm_model *model, const struct xm_table_line *line)
{
    const struct xm_sample *s = model->window[XM_SPAN_1S].to;
    return line->domain < s->used.domains ? s->domain[line->domain].id : 0;
}

void xm_choice_point(struct xm_choice *choice, const struct xm_model *model)
{
    struct lines l;
    if (choice->view == XM_VIEW_PCPUS)
        return;
    bool there = get_lines(choice, model, &l);
    uint64_t id = there ? domain_id(model, &l.line[l.cursor]) : 0;
    if (id && id != choice->domain) {
        choice->domain = id;
        choice->scrolled[XM_VIEW_DOMAIN] = 0;
    }
    free(l.line);
}

void xm_choice_enter(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    struct lines l;
    if (!get_lines(choice, model, &l)) {
        free(l.line);
        return;
    }
    const struct xm_table_line *line = &l.line[l.cursor];
    put_cursor(choice, &l, l.cursor);
    if (line->item.kind == XM_ITEM_PCPU) {
        xm_choice_drill(choice, XM_VIEW_VCPUS);
        choice->one_cpu = line->item.id != 0; /* 0: who has been on none is in all of them */
        choice->cpu = (uint32_t)(line->item.id & ~XM_ROW_USED);
    } else if (domain_id(model, line)) {
        choice->domain = domain_id(model, line);
        xm_choice_drill(choice, XM_VIEW_DOMAIN);
        choice->scroll = 0;
    }
    free(l.line);
}

void xm_choice_expand(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    struct lines l;
    if (get_lines(choice, model, &l)) {
        uint64_t id = domain_id(model, &l.line[l.cursor]);
        xm_choice_toggle_expanded(choice, id);
        /* From a vCPU that goes, to its domain. */
        if (id) {
            choice->cursor[choice->view] = (struct xm_item){XM_ITEM_DOMAIN, id};
            while (l.cursor > 0 && l.line[l.cursor].depth > 0)
                l.cursor--;
            choice->cursor_line[choice->view] = l.cursor;
        }
    }
    free(l.line);
}

void xm_choice_expand_all(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    bool here = choice->view == XM_VIEW_DOMAINS;
    choice->expand_all = !here || !(choice->expand_all || choice->expanded_count);
    choice->expanded_count = 0;
    xm_choice_show(choice, XM_VIEW_DOMAINS);
}

/* ---- The order. */

static void sort_by(struct xm_choice *choice, const struct xm_table *table, unsigned column)
{
    struct xm_choice_table t = xm_table_choice(table, choice);
    /* The same once more: the other way round. */
    t.descending = t.sort == column ? !t.descending : !table->columns[column].ascending;
    t.sort = (uint8_t)column;
    t.chosen = true;
    choice->table[table->view] = t;
}

void xm_choice_sort_step(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    const struct xm_table *table = xm_table_of(choice->view);
    struct xm_choice_table t = xm_table_choice(table, choice);
    int at = t.sort == 0 ? 0 : -1;
    for (int i = 0; i < t.columns; i++)
        if (t.column[i] == t.sort)
            at = i + 1;
    /* The name is before the first; from a column that is not shown it begins at either end. */
    int count = t.columns + 1;
    at = at < 0 ? (direction > 0 ? 0 : count - 1) : at + direction;
    at = at < 0 ? count - 1 : at >= count ? 0 : at;
    sort_by(choice, table, at == 0 ? 0 : t.column[at - 1]);
}

void xm_choice_sort_by(struct xm_choice *choice, const struct xm_model *model, int key)
{
    const struct xm_table *table = xm_table_of(choice->view);
    /* The same measures are called differently in the tables that have them. */
    static const struct {
        int key;
        const char *ids[4];
    } measures[] = {{'P', {"run", "busy", "run_p99_ns", NULL}},
                    {'W', {"wait", "queue", "wait_p99_ns", NULL}},
                    {'B', {"block", "blocked_p99_ns", NULL}}};
    if (key == 'N') {
        sort_by(choice, table, 0);
        return;
    }
    for (size_t m = 0; m < sizeof measures / sizeof measures[0]; m++)
        for (size_t i = 0; measures[m].key == key && i < 4 && measures[m].ids[i]; i++)
            for (unsigned c = 0; c < table->count; c++)
                if (strcmp(table->columns[c].id, measures[m].ids[i]) == 0) {
                    sort_by(choice, table, c);
                    return;
                }
    xm_choice_say(choice, "there is no such column here");
}

void xm_choice_sort_column(struct xm_choice *choice, unsigned column)
{
    const struct xm_table *table = xm_table_of(choice->view);
    if (table && column < table->count)
        sort_by(choice, table, column);
}

void xm_choice_reverse(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    const struct xm_table *table = xm_table_of(choice->view);
    sort_by(choice, table, xm_table_choice(table, choice).sort);
}
