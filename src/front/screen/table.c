/* SPDX-License-Identifier: MIT */
/* What every table on the screen can do. */
#include "front/screen/table.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/fold.h"
#include "front/screen/table_int.h"

const struct xm_table *xm_table_of(enum xm_screen_view view)
{
    static const struct xm_table *const tables[XM_VIEWS] = {
        [XM_VIEW_DOMAINS] = &xm_domains_table,
        [XM_VIEW_VCPUS] = &xm_vcpus_table,
        [XM_VIEW_PCPUS] = &xm_pcpus_table,
        [XM_VIEW_LATENCY] = &xm_latency_table,
    };
    return (unsigned)view < XM_VIEWS ? tables[view] : NULL;
}

/* ---- Columns. */

const char *xm_table_title(const struct xm_table_column *column)
{
    const struct xm_column *number = column->title ? NULL : xm_column_find(column->id);
    return column->title ? column->title : number ? number->title : column->id;
}

const char *xm_table_help(const struct xm_table_column *column)
{
    const struct xm_column *number = column->help ? NULL : xm_column_find(column->id);
    return column->help ? column->help : number ? number->help : "";
}

unsigned xm_table_width(const struct xm_table_column *column)
{
    return column->width ? column->width : 11;
}

struct xm_choice_table xm_table_choice(const struct xm_table *table, const struct xm_choice *choice)
{
    const struct xm_choice_table *chosen = &choice->table[table->view];
    struct xm_choice_table t = {.sort = (uint8_t)table->sort, .chosen = chosen->chosen};
    bool taken[XM_TABLE_MAX_COLUMNS] = {true};
    if (chosen->chosen) {
        t.sort = chosen->sort < table->count ? chosen->sort : (uint8_t)table->sort;
        t.descending = chosen->descending;
    } else {
        t.descending = !table->columns[table->sort].ascending;
    }
    unsigned count = chosen->chosen ? chosen->columns : table->count;
    for (unsigned i = 0; i < count && i < XM_TABLE_MAX_COLUMNS; i++) {
        unsigned column = chosen->chosen ? chosen->column[i] : i;
        if (column >= table->count || taken[column] || (!chosen->chosen && !table->columns[column].shown))
            continue;
        taken[column] = true;
        t.column[t.columns++] = (uint8_t)column;
    }
    return t;
}

static void get_cell(const struct xm_painter *p, const struct xm_table_column *column,
                     const struct xm_column *number, const struct xm_table_line *line,
                     struct xm_table_cell *cell)
{
    if (column->cell)
        column->cell(p, line, cell);
    else
        xm_table_view_cell(p, number, line, cell);
}

/* ---- Sorting: domains by their cells, and within each its vCPUs by theirs. */

struct sort_key {
    double key;
    const char *text;
    uint32_t line;          /* in the natural order */
    uint32_t children : 29; /* lines under it */
    uint32_t known : 1, by_text : 1, first : 1;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a;
    const struct sort_key *y = b;
    if (x->first != y->first)
        return x->first ? -1 : 1;
    if (x->known != y->known)
        return x->known ? -1 : 1;
    int order = x->by_text ? strcmp(x->text, y->text) : (x->key > y->key) - (x->key < y->key);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int compare_keys_down(const void *a, const void *b)
{
    const struct sort_key *x = a;
    const struct sort_key *y = b;
    /* What is first or not known stays where it is, and equals keep their natural order. */
    if (x->first != y->first || x->known != y->known || !x->known)
        return compare_keys(a, b);
    int order = x->by_text ? strcmp(y->text, x->text) : (x->key < y->key) - (x->key > y->key);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

#define KEY_TEXT 64u /* bytes of a text that count, its end included */

/* One block of memory for all that sorting needs: blocks of this size that come and go would be torn from the system. */
struct sorting {
    const struct xm_table *table;
    const struct xm_painter *p;
    struct xm_choice_table choice;
    struct sort_key *keys, *heads;
    struct xm_table_line *sorted;
    char (*texts)[KEY_TEXT]; /* where lines are sorted by them */
    uint32_t lines;
};

static bool is_dom0(const struct xm_table_line *line)
{
    return line->item.kind == XM_ITEM_DOMAIN && xm_row_domid(line->item.id) == 0;
}

/* The cell that a line is sorted by; most of a cell is its text, which is left alone where it is of no use. */
static void key_cell(const struct sorting *s, const struct xm_column *number,
                     const struct xm_table_line *line, struct xm_table_cell *cell)
{
    cell->text[0] = '\0';
    cell->meaning = XM_MEANING_NORMAL;
    cell->known = false;
    cell->key = 0;
    cell->by_text = false;
    cell->key_only = true;
    get_cell(s->p, &s->table->columns[s->choice.sort], number, line, cell);
}

static void make_keys(struct sorting *s, const struct xm_table_line *lines)
{
    const struct xm_table_column *column = &s->table->columns[s->choice.sort];
    const struct xm_column *number = column->cell ? NULL : xm_column_find(column->id);
    struct xm_table_cell cell;
    for (uint32_t i = 0; i < s->lines; i++) {
        struct sort_key *key = &s->keys[i];
        key_cell(s, number, &lines[i], &cell);
        *key = (struct sort_key){
            .known = cell.known, .by_text = cell.by_text && s->texts, .key = cell.key, .line = i};
        key->first = s->p->choice->pin_dom0 && is_dom0(&lines[i]);
        if (!(key->key == key->key)) /* not a number: nothing to sort by */
            key->known = false;
        key->text = "";
        if (!key->by_text)
            continue;
        snprintf(s->texts[i], KEY_TEXT, "%s", cell.text);
        key->text = s->texts[i];
    }
}

/* Sorts the keys of the lines [from, to), all of one depth once the heads are gathered. */
static void sort_keys(const struct sorting *s, struct sort_key *keys, uint32_t count)
{
    if (count > 1)
        qsort(keys, count, sizeof *keys, s->choice.descending ? compare_keys_down : compare_keys);
}

/* Where the lines under line `i` end. */
static uint32_t end_of(const struct xm_table_line *lines, uint32_t count, uint32_t i)
{
    uint32_t next = i + 1;
    while (next < count && lines[next].depth > lines[i].depth)
        next++;
    return next;
}

/* Puts the lines into s->sorted in the order of their keys, each with those under it in theirs. */
static void gather(struct sorting *s, const struct xm_table_line *lines)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->lines;) {
        uint32_t next = end_of(lines, s->lines, i);
        s->heads[count] = s->keys[i];
        s->heads[count++].children = (next - i - 1) & 0x1fffffff;
        sort_keys(s, &s->keys[i + 1], next - i - 1);
        i = next;
    }
    sort_keys(s, s->heads, count);
    uint32_t out = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct sort_key *head = &s->heads[i];
        s->sorted[out++] = lines[head->line];
        for (uint32_t c = 1; c <= head->children; c++)
            s->sorted[out++] = lines[s->keys[head->line + c].line];
    }
}

static void gather_flat(struct sorting *s, const struct xm_table_line *lines)
{
    sort_keys(s, s->keys, s->lines);
    for (uint32_t i = 0; i < s->lines; i++)
        s->sorted[i] = lines[s->keys[i].line];
}

/* In place.  Where there is no memory to sort them they keep their natural order. */
static void sort_lines(const struct xm_table *table, const struct xm_painter *p, struct xm_table_line *lines,
                       uint32_t count)
{
    struct sorting s = {.table = table, .p = p, .choice = xm_table_choice(table, p->choice), .lines = count};
    const struct xm_table_column *column = &table->columns[s.choice.sort];
    struct xm_table_cell cell;
    key_cell(&s, column->cell ? NULL : xm_column_find(column->id), &lines[0], &cell);
    size_t texts = cell.by_text ? (size_t)count * KEY_TEXT : 0;
    uint32_t heads = 0;
    for (uint32_t i = 0; i < count; i = end_of(lines, count, i))
        heads++;
    /* Where nothing is under anything the keys themselves are sorted. */
    heads = heads == count ? 0 : heads;
    unsigned char *block = malloc((count + heads) * sizeof *s.keys + count * sizeof *s.sorted + texts);
    if (!block)
        return;
    s.keys = (void *)block;
    s.heads = s.keys + count;
    s.sorted = (void *)(s.heads + heads);
    s.texts = texts ? (void *)(s.sorted + count) : NULL;
    make_keys(&s, lines);
    if (heads)
        gather(&s, lines);
    else
        gather_flat(&s, lines);
    memcpy(lines, s.sorted, count * sizeof *lines);
    free(block);
}

/* ---- What is left out. */

static bool has_text(const char *text, const char *what)
{
    return xm_fold_find(text, what, NULL) != NULL;
}

/* Its domain's name, number and uuid. */
static bool find_domain(const struct xm_painter *p, uint32_t domain, const char *what)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    char text[96];
    if (domain >= s->used.domains)
        return false;
    if (has_text(xm_screen_domain_name(p->model, domain, text, sizeof text), what))
        return true;
    const struct xm_region_domain *fact = &p->model->fact[domain];
    if (fact->id != s->domain[domain].id)
        return false;
    memcpy(text, fact->uuid, sizeof fact->uuid);
    text[sizeof fact->uuid] = '\0';
    return has_text(text, what);
}

/* vCPUs follow their domain and each other: their domain is looked at once. */
static bool domain_matches(const struct xm_painter *p, const struct xm_table_line *line, const char *what)
{
    struct xm_usage_cache *cache = p->cache;
    if (!cache)
        return find_domain(p, line->domain, what);
    if (cache->text != what || cache->text_domain != line->domain) {
        cache->text = what;
        cache->text_domain = line->domain;
        cache->text_found = find_domain(p, line->domain, what);
    }
    return cache->text_found;
}

bool xm_table_matches(const struct xm_table *table, const struct xm_painter *p,
                      const struct xm_table_line *line, const char *text)
{
    struct xm_table_cell cell = {.known = false};
    char name[64];
    bool vcpu = line->item.kind == XM_ITEM_VCPU;
    if (!text[0])
        return true;
    if ((vcpu || line->item.kind == XM_ITEM_DOMAIN) && domain_matches(p, line, text))
        return true;
    if (has_text(xm_table_state_words(p, line, name, sizeof name), text))
        return true;
    if (vcpu)
        snprintf(name, sizeof name, "d%uv%u", xm_row_domid(line->item.id), xm_row_vcpu(line->item.id));
    if (vcpu && has_text(name, text))
        return true;
    get_cell(p, &table->columns[0], NULL, line, &cell);
    return has_text(cell.text, text);
}

/* Marks the lines to keep; a domain stays where one of its vCPUs does. */
static void mark_kept(const struct xm_table *table, const struct xm_painter *p,
                      const struct xm_table_line *lines, uint32_t count, bool *keep)
{
    const struct xm_choice *c = p->choice;
    uint32_t head = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (lines[i].depth == 0)
            head = i;
        keep[i] = !(c->hide_idle && table->idle && table->idle(p, &lines[i])) &&
                  xm_table_matches(table, p, &lines[i], c->filter);
        if (keep[i])
            keep[head] = true;
    }
}

/* Leaves out in place what is filtered or idle; returns how many stay. */
static uint32_t filter_lines(const struct xm_table *table, const struct xm_painter *p,
                             struct xm_table_line *lines, uint32_t count)
{
    uint32_t kept = 0;
    if (!p->choice->filter[0] && !(p->choice->hide_idle && table->idle))
        return count;
    bool *keep = malloc(count * sizeof *keep);
    if (!keep)
        return count;
    mark_kept(table, p, lines, count, keep);
    for (uint32_t i = 0; i < count; i++)
        if (keep[i])
            lines[kept++] = lines[i];
    free(keep);
    return kept;
}

struct xm_table_line *xm_table_lines(const struct xm_table *table, const struct xm_painter *p,
                                     uint32_t *count)
{
    struct xm_table_line *lines = table->lines(p, count);
    if (!lines)
        *count = 0;
    uint32_t kept = *count ? filter_lines(table, p, lines, *count) : 0;
    *count = kept;
    if (kept == 0) {
        free(lines);
        return NULL;
    }
    sort_lines(table, p, lines, kept);
    return lines;
}

/* ---- Which columns fit. */

/* From left to right. */
struct layout {
    struct xm_choice_table choice;      /* without those that are only for wider grids */
    unsigned dropped;                   /* columns that do not fit */
    unsigned name;                      /* the names' room: columns [0, name) */
    unsigned shown;                     /* so many of choice.column[] */
    unsigned end[XM_TABLE_MAX_COLUMNS]; /* where each ends */
};

/* Room that the names have in any case; what the columns leave goes to them, as far as they need it. */
static unsigned least_name(unsigned width)
{
    return width >= 160 ? 24 : width >= 100 ? 20 : width >= 60 ? 17 : 14;
}

/* The longest name of a domain, with what stands around it on a line. */
static unsigned longest_name(const struct xm_table *table, const struct xm_painter *p)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    size_t longest = 0;
    if (table->columns[0].width)
        return table->columns[0].width;
    for (uint32_t i = 0; i < s->used.domains; i++) {
        size_t length = p->model->fact[i].id == s->domain[i].id && s->domain[i].id
                            ? strnlen(p->model->fact[i].name, sizeof p->model->fact[i].name)
                            : 0;
        longest = length > longest ? length : longest;
    }
    /* Cursor and mark before it, its number or a vCPU's after it. */
    return (unsigned)longest + (p->grid->width >= XM_TABLE_NUMBERS_FROM ? 18 : 8);
}

static void lay_out(const struct xm_table *table, const struct xm_painter *p, struct layout *l)
{
    unsigned width = p->grid->width;
    unsigned fixed = table->columns[0].width;
    unsigned used = least_name(width);
    struct xm_choice_table all = xm_table_choice(table, p->choice);
    l->shown = 0;
    if (fixed && fixed < used)
        used = fixed;
    l->choice = all;
    l->choice.columns = 0;
    unsigned whole = used;
    for (unsigned i = 0; i < all.columns; i++)
        whole += xm_table_width(&table->columns[all.column[i]]);
    /* Where not all of them fit, those go first that others say in less room. */
    for (unsigned i = 0; i < all.columns; i++)
        if (whole <= width || table->columns[all.column[i]].from_width <= width)
            l->choice.column[l->choice.columns++] = all.column[i];
    l->dropped = all.columns - l->choice.columns;
    unsigned least = used;
    /* From the left until one does not fit: which columns there are should be easy to foresee. */
    while (l->shown < l->choice.columns) {
        unsigned need = xm_table_width(&table->columns[l->choice.column[l->shown]]);
        if (used + need > width)
            break;
        used += need;
        l->shown++;
    }
    l->dropped += l->choice.columns - l->shown;
    unsigned most = longest_name(table, p);
    l->name = least + (width > used ? width - used : 0);
    if (l->name > most)
        l->name = most > least ? most : least;
    if (l->name > width)
        l->name = width;
    unsigned end = l->name;
    for (unsigned i = 0; i < l->shown; i++) {
        end += xm_table_width(&table->columns[l->choice.column[i]]);
        l->end[i] = end;
    }
}

/* ---- The header. */

const char *xm_table_heading(const struct xm_painter *p, const struct xm_table_column *column, char *text,
                             size_t size)
{
    snprintf(text, size, "%s", xm_table_title(column));
    size_t length = strlen(text);
    /* Milliseconds of a second are no percentage. */
    if (column->cell && p->choice->units == XM_UNITS_MS_PER_S && length && text[length - 1] == '%')
        text[length - 1] = '\0';
    if (!xm_table_anywhere(p->choice, column->id))
        return text;
    /* As the paper's view has it.  Where the star leaves no gap, the "%" makes room for it, or a blank. */
    length = strlen(text);
    char *blank = strrchr(text, ' ');
    bool fits = xm_grid_columns(p->grid, text) + 1 < xm_table_width(column);
    if (!fits && blank)
        memmove(blank, blank + 1, strlen(blank));
    length -= !fits && (blank || (length && text[length - 1] == '%'));
    snprintf(text + length, size - length, "*");
    return text;
}

static void paint_title(const struct xm_painter *p, unsigned y, const struct xm_table_column *column,
                        unsigned from, unsigned end, const char *order)
{
    char text[48];
    enum xm_meaning meaning = order ? XM_MEANING_SORTED : XM_MEANING_HEADER;
    xm_table_heading(p, column, text, sizeof text);
    unsigned columns = xm_grid_columns(p->grid, text);
    unsigned x = column->left ? from + 1 : end > columns ? end - columns : 0;
    xm_grid_put_within(p->grid, x, end, y, meaning, text);
    if (order && column->left)
        xm_grid_put_within(p->grid, x + columns, end, y, meaning, order);
    else if (order && x > 0)
        xm_grid_put(p->grid, x - 1, y, meaning, order);
}

void xm_table_header(const struct xm_table *table, const struct xm_painter *p, unsigned y)
{
    struct layout l;
    struct xm_grid *grid = p->grid;
    lay_out(table, p, &l);
    bool down = l.choice.descending;
    const char *order = !grid->utf8 ? "*" : down ? "\xe2\x96\xbc" : "\xe2\x96\xb2";
    xm_grid_mark(grid, 0, grid->width, y, XM_MEANING_HEADER);
    paint_title(p, y, &table->columns[0], 0, l.name, l.choice.sort == 0 ? order : NULL);
    unsigned last = l.name;
    for (unsigned i = 0; i < l.shown; i++) {
        unsigned column = l.choice.column[i];
        paint_title(p, y, &table->columns[column], last, l.end[i], l.choice.sort == column ? order : NULL);
        last = l.end[i];
    }
    char text[16];
    snprintf(text, sizeof text, "+%u", l.dropped);
    if (l.dropped && last + strlen(text) < grid->width)
        xm_grid_put_right(grid, grid->width, y, XM_MEANING_HEADER, text);
    else if (l.dropped && l.name > strlen(text) + 6)
        xm_grid_put_right(grid, l.name, y, XM_MEANING_HEADER, text);
}

bool xm_table_title_at(const struct xm_table *table, const struct xm_painter *p, unsigned x, unsigned *column)
{
    struct layout l;
    lay_out(table, p, &l);
    *column = 0;
    if (x < l.name)
        return true;
    for (unsigned i = 0; i < l.shown; i++) {
        *column = l.choice.column[i];
        if (x < l.end[i])
            return true;
    }
    return false;
}

/* ---- The body. */

/* What was searched or filtered is marked in the name where it stands in it. */
static void mark_found(const struct xm_painter *p, unsigned x, unsigned end, unsigned y, const char *name)
{
    const char *const wanted[] = {p->choice->search, p->choice->filter};
    for (unsigned i = 0; i < 2; i++) {
        size_t bytes = 0;
        const char *found = xm_fold_find(name, wanted[i], &bytes);
        char before[sizeof((struct xm_table_cell *)0)->text];
        if (!found)
            continue;
        snprintf(before, sizeof before, "%.*s", (int)(found - name), name);
        unsigned from = x + xm_grid_columns(p->grid, before);
        snprintf(before, sizeof before, "%.*s", (int)bytes, found);
        unsigned to = from + xm_grid_columns(p->grid, before);
        xm_grid_mark(p->grid, from, to < end ? to : end, y, XM_MEANING_FOUND);
    }
}

static void paint_name(const struct xm_table *table, const struct xm_painter *p,
                       const struct xm_table_line *line, unsigned y, unsigned end)
{
    struct xm_table_cell cell = {.known = false};
    unsigned x = 1;
    if (line->mark) {
        const char *mark = line->mark == '+'   ? p->grid->utf8 ? "\xe2\x96\xb8" : "+"
                           : line->mark == '-' ? p->grid->utf8 ? "\xe2\x96\xbe" : "-"
                                               : " ";
        xm_grid_put_within(p->grid, x, end, y, XM_MEANING_LABEL, mark);
        x = XM_TABLE_MARK_END;
    }
    x += 4 * line->depth;
    get_cell(p, &table->columns[0], NULL, line, &cell);
    if (table->columns[0].paint)
        table->columns[0].paint(p, line, x, end, y);
    else
        xm_grid_put_within(p->grid, x, end, y, cell.meaning, cell.text);
    mark_found(p, x, end, y, cell.text);
}

/* In the view of one pCPU: of a vCPU under its domain there is no figure for each pCPU, whatever the title says. */
static void put_star(const struct xm_painter *p, const struct xm_table_column *column,
                     const struct xm_table_line *line, struct xm_table_cell *cell)
{
    size_t length = strlen(cell->text);
    if (line->depth && cell->known && xm_table_of_pairs(p->choice, column->id))
        snprintf(cell->text + length, sizeof cell->text - length, "*");
}

static void paint_cell(const struct xm_painter *p, const struct xm_table_column *column,
                       const struct xm_table_line *line, unsigned from, unsigned end, unsigned y)
{
    struct xm_table_cell cell = {.known = false};
    if (column->paint) {
        column->paint(p, line, from + 1, end, y);
        return;
    }
    get_cell(p, column, column->cell ? NULL : xm_column_find(column->id), line, &cell);
    put_star(p, column, line, &cell);
    enum xm_meaning meaning = cell.known ? cell.meaning : XM_MEANING_FAINT;
    if (column->left)
        xm_grid_put_within(p->grid, from + 1, end, y, meaning, cell.text);
    else if (xm_grid_columns(p->grid, cell.text) < end - from)
        xm_grid_put_right(p->grid, end, y, meaning, cell.text);
    else
        xm_grid_put_within(p->grid, from + 1, end, y, meaning, cell.text);
}

static void paint_line(const struct xm_table *table, const struct xm_painter *p,
                       const struct xm_table_line *line, const struct layout *l, unsigned y)
{
    unsigned from = l->name;
    paint_name(table, p, line, y, l->name);
    for (unsigned i = 0; i < l->shown; i++) {
        paint_cell(p, &table->columns[l->choice.column[i]], line, from, l->end[i], y);
        from = l->end[i];
    }
}

static void paint_lines(const struct xm_table *table, struct xm_painter *p)
{
    struct layout l;
    lay_out(table, p, &l);
    for (unsigned i = 0; i < p->rows && p->first + i < p->line_count; i++) {
        unsigned y = p->top + i;
        paint_line(table, p, &p->lines[p->first + i], &l, y);
        if (p->first + i != p->cursor)
            continue;
        xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_CURSOR);
        xm_grid_put(p->grid, 0, y, XM_MEANING_CURSOR, ">");
    }
    p->line += p->line_count;
}

/* Why there is no line. */
static void paint_nothing(const struct xm_table *table, const struct xm_painter *p, unsigned y)
{
    const struct xm_choice *c = p->choice;
    if (c->filter[0])
        xm_grid_print(p->grid, 0, y, XM_MEANING_FAINT, "no line has \"%s\" (Esc: without this filter)",
                      c->filter);
    else
        xm_grid_put(p->grid, 0, y, XM_MEANING_FAINT,
                    c->hide_idle && table->idle ? "nothing, or all is idle and left out (H)"
                                                : table->nothing);
}

void xm_table_body(const struct xm_table *table, struct xm_painter *p)
{
    struct xm_table_line *own = NULL;
    unsigned y;
    if (!p->lines) {
        own = xm_table_lines(table, p, &p->line_count);
        p->lines = own;
    }
    if (p->line_count)
        paint_lines(table, p);
    else if (xm_painter_line(p, &y))
        paint_nothing(table, p, y);
    if (own)
        p->lines = NULL;
    free(own);
}

uint32_t xm_table_hidden(const struct xm_table *table, const struct xm_painter *p, unsigned *hidden)
{
    uint32_t first = 0;
    *hidden = 0;
    for (uint32_t i = 0; table->starved && p->lines && i < p->line_count; i++) {
        if ((i >= p->first && i - p->first < p->rows) || !table->starved(p, &p->lines[i]))
            continue;
        if ((*hidden)++ == 0)
            first = p->lines[i].domain;
    }
    return first;
}
