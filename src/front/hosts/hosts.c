/* SPDX-License-Identifier: MIT */
#include "front/hosts/hosts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "front/terminal/keys.h"
#include "view/format.h"
#include "xenmon/units.h"

#define TOP_LINES    2u /* the title, and the header */
#define BOTTOM_LINES 1u
#define NAME_LEAST   14u
#define NAME_ENOUGH  24u
#define NAME_MOST    40u
#define GAP          2u

static const char *link_name(enum xm_hosts_link link)
{
    static const char *const names[XM_HOSTS_LINKS] = {
        [XM_HOSTS_CONNECTING] = "connecting", [XM_HOSTS_LIVE] = "live", [XM_HOSTS_STALE] = "stale",
        [XM_HOSTS_ENDED] = "ended",           [XM_HOSTS_GONE] = "gone", [XM_HOSTS_LOST] = "lost",
        [XM_HOSTS_REFUSED] = "refused",       [XM_HOSTS_BAD] = "bad",
    };
    return (unsigned)link < XM_HOSTS_LINKS ? names[link] : "?";
}

/* ---- Cells. */

static const char *share(bool known, double value, char *text, size_t size)
{
    if (!known)
        snprintf(text, size, "-");
    else
        xm_format_percent(100 * value, text, size);
    return text;
}

static const char *count(bool known, uint64_t value, char *text, size_t size)
{
    if (!known)
        snprintf(text, size, "-");
    else
        xm_format_count(value, 6, text, size);
    return text;
}

static void cell_name(const struct xm_hosts_row *row, char *text, size_t size)
{
    snprintf(text, size, "%s", row->name);
}

static void cell_link(const struct xm_hosts_row *row, char *text, size_t size)
{
    snprintf(text, size, "%s", link_name(row->link));
}

static void cell_busy(const struct xm_hosts_row *row, char *text, size_t size)
{
    share(row->rates, row->busy, text, size);
}

static void cell_waiting(const struct xm_hosts_row *row, char *text, size_t size)
{
    if (row->rates)
        snprintf(text, size, "%.2f", row->waiting);
    else
        snprintf(text, size, "-");
}

static void cell_domains(const struct xm_hosts_row *row, char *text, size_t size)
{
    count(row->data, row->domains, text, size);
}

static void cell_vcpus(const struct xm_hosts_row *row, char *text, size_t size)
{
    count(row->data, row->vcpus, text, size);
}

static void cell_lost(const struct xm_hosts_row *row, char *text, size_t size)
{
    count(row->data, row->lost, text, size);
}

static void cell_age(const struct xm_hosts_row *row, char *text, size_t size)
{
    if (!row->data)
        snprintf(text, size, "-");
    else if (row->age_ns < 100 * XM_NS_PER_S)
        snprintf(text, size, "%.1f s", (double)row->age_ns / 1e9);
    else
        snprintf(text, size, "%.0f s", (double)row->age_ns / 1e9);
}

static void cell_worst(const struct xm_hosts_row *row, char *text, size_t size)
{
    char number[24];
    if (!row->rates || !row->worst[0])
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%s %s", share(true, row->worst_wait, number, sizeof number), row->worst);
}

/* What a column sorts by: the larger the higher up.  A host without it comes last. */
static double key_of(const struct xm_hosts_row *row, enum xm_hosts_column column)
{
    bool known = column == XM_HOSTS_BUSY || column == XM_HOSTS_WAITING || column == XM_HOSTS_WORST
                     ? row->rates
                     : row->data;
    if (column == XM_HOSTS_LINK)
        return row->link;
    if (!known)
        return -1;
    switch (column) {
    case XM_HOSTS_BUSY:
        return row->busy;
    case XM_HOSTS_WAITING:
        return row->waiting;
    case XM_HOSTS_WORST:
        return row->worst_wait;
    case XM_HOSTS_DOMAINS:
        return row->domains;
    case XM_HOSTS_VCPUS:
        return row->vcpus;
    case XM_HOSTS_LOST_RECORDS:
        return (double)row->lost;
    case XM_HOSTS_AGE:
        return (double)row->age_ns;
    default:
        return 0;
    }
}

struct column {
    const char *title;
    unsigned width; /* without the gap */
    bool left;
    char key; /* sorts by it */
    void (*cell)(const struct xm_hosts_row *row, char *text, size_t size);
};

/* The last takes what is left of the line. */
static const struct column columns[XM_HOSTS_COLUMNS] = {
    [XM_HOSTS_NAME] = {"HOST", 0, true, 'n', cell_name},
    [XM_HOSTS_LINK] = {"LINK", 10, true, 'k', cell_link},
    [XM_HOSTS_BUSY] = {"pCPU%", 6, false, 'b', cell_busy},
    [XM_HOSTS_WAITING] = {"WAITING", 7, false, 'w', cell_waiting},
    [XM_HOSTS_DOMAINS] = {"DOMS", 5, false, 'd', cell_domains},
    [XM_HOSTS_VCPUS] = {"vCPUs", 5, false, 'v', cell_vcpus},
    [XM_HOSTS_LOST_RECORDS] = {"LOST", 6, false, 'l', cell_lost},
    [XM_HOSTS_AGE] = {"AGE", 7, false, 'a', cell_age},
    [XM_HOSTS_WORST] = {"WAITS MOST", 12, true, 'm', cell_worst},
};

/* ---- Order. */

static bool contains(const char *text, const char *what)
{
    size_t length = strlen(what);
    for (; strlen(text) >= length; text++)
        if (strncasecmp(text, what, length) == 0)
            return true;
    return false;
}

static bool passes(const struct xm_hosts_row *row, const char *filter)
{
    return !filter[0] || contains(row->name, filter) || contains(link_name(row->link), filter) ||
           contains(row->worst, filter);
}

/* Whether `a` goes before `b`. */
static bool before(const struct xm_hosts_row *a, const struct xm_hosts_row *b,
                   const struct xm_hosts_choice *choice)
{
    if (choice->sort == XM_HOSTS_NAME) {
        int order = strcasecmp(a->name, b->name);
        return choice->reverse ? order > 0 : order < 0;
    }
    double left = key_of(a, choice->sort);
    double right = key_of(b, choice->sort);
    if (left < 0 || right < 0) /* not known: last in either direction */
        return left > right;
    return choice->reverse ? left < right : left > right;
}

uint32_t xm_hosts_order(const struct xm_hosts_row *rows, uint32_t hosts, const struct xm_hosts_choice *choice,
                        uint32_t *order)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < hosts; i++) {
        if (!passes(&rows[i], choice->filter))
            continue;
        uint32_t at = shown++;
        for (; at > 0 && before(&rows[i], &rows[order[at - 1]], choice); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return shown;
}

/* ---- Keys. */

static void move(struct xm_hosts_choice *choice, const struct xm_hosts_row *rows, uint32_t hosts, long by)
{
    uint32_t order[XM_HOSTS_MOST];
    uint32_t shown = xm_hosts_order(rows, hosts, choice, order);
    long at = 0;
    if (shown == 0)
        return;
    for (uint32_t i = 0; i < shown; i++)
        if (order[i] == choice->cursor)
            at = (long)i;
    at += by;
    if (at < 0)
        at = 0;
    if (at >= (long)shown)
        at = (long)shown - 1;
    choice->cursor = order[at];
}

static bool type(struct xm_hosts_choice *choice, int key)
{
    size_t length = strlen(choice->filter);
    if (key == XM_KEY_ENTER || key == XM_KEY_ESCAPE)
        choice->typing = false;
    if (key == XM_KEY_ESCAPE || key == XM_KEY_CLEAR)
        choice->filter[0] = '\0';
    else if (key == XM_KEY_BACKSPACE && length)
        choice->filter[length - 1] = '\0';
    else if (key >= ' ' && key < 127 && length + 1 < sizeof choice->filter)
        snprintf(choice->filter + length, sizeof choice->filter - length, "%c", key);
    return key != XM_KEY_NONE;
}

static bool sort_by(struct xm_hosts_choice *choice, int key)
{
    for (unsigned i = 0; i < XM_HOSTS_COLUMNS; i++)
        if (columns[i].key == key) {
            choice->reverse = choice->sort == (enum xm_hosts_column)i && !choice->reverse;
            choice->sort = (enum xm_hosts_column)i;
            return true;
        }
    return false;
}

static bool step_sort(struct xm_hosts_choice *choice, unsigned by)
{
    choice->sort = (enum xm_hosts_column)(((unsigned)choice->sort + by) % XM_HOSTS_COLUMNS);
    choice->reverse = false;
    return true;
}

/* How far a key moves the cursor; 0: it does not. */
static long steps(int key)
{
    static const struct {
        int key;
        long by;
    } moves[] = {{XM_KEY_UP, -1},         {XM_KEY_DOWN, 1},      {XM_KEY_WHEEL_UP, -3},
                 {XM_KEY_WHEEL_DOWN, 3},  {XM_KEY_PAGE_UP, -10}, {XM_KEY_PAGE_DOWN, 10},
                 {XM_KEY_HOME, -1000000}, {XM_KEY_LAST, 1000000}};
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (moves[i].key == key)
            return moves[i].by;
    return 0;
}

bool xm_hosts_key(struct xm_hosts_choice *choice, const struct xm_hosts_row *rows, uint32_t hosts, int key)
{
    uint32_t order[XM_HOSTS_MOST];
    if (choice->typing)
        return type(choice, key);
    if (choice->help && key != XM_KEY_NONE) {
        choice->help = false;
        return true;
    }
    if (steps(key)) {
        move(choice, rows, hosts, steps(key));
        return true;
    }
    switch (key) {
    case 'q':
    case XM_KEY_F10:
    case 3: /* Ctrl-C */
        choice->quit = true;
        return true;
    case XM_KEY_ENTER:
    case XM_KEY_RIGHT:
        move(choice, rows, hosts, 0); /* on what is shown */
        choice->enter = xm_hosts_order(rows, hosts, choice, order) > 0;
        return true;
    case '/':
    case '\\':
        choice->typing = true;
        return true;
    case XM_KEY_ESCAPE:
        choice->filter[0] = '\0';
        return true;
    case 'r':
        choice->reverse = !choice->reverse;
        return true;
    case '>':
    case 's':
        return step_sort(choice, 1);
    case '<':
        return step_sort(choice, XM_HOSTS_COLUMNS - 1);
    case '?':
    case 'h':
    case XM_KEY_F1:
        choice->help = true;
        return true;
    default:
        return sort_by(choice, key);
    }
}

/* ---- Drawing. */

static enum xm_meaning link_meaning(enum xm_hosts_link link)
{
    if (link == XM_HOSTS_LIVE)
        return XM_MEANING_RUNNING;
    return link == XM_HOSTS_CONNECTING || link == XM_HOSTS_ENDED ? XM_MEANING_FAINT : XM_MEANING_WARNING;
}

/* Columns that the name gets: what the others leave, within reason. */
static unsigned name_width(const struct xm_grid *grid, const struct xm_hosts_row *rows, uint32_t hosts)
{
    unsigned widest = NAME_LEAST;
    unsigned others = 0;
    for (uint32_t i = 0; i < hosts; i++)
        if (xm_grid_columns(grid, rows[i].name) > widest)
            widest = xm_grid_columns(grid, rows[i].name);
    for (unsigned i = 1; i < XM_HOSTS_COLUMNS; i++)
        others += columns[i].width + GAP;
    /* On a narrow screen who it is goes before how it is. */
    unsigned most = grid->width > others + NAME_ENOUGH ? grid->width - others : NAME_ENOUGH;
    most = most < NAME_MOST ? most : NAME_MOST;
    return widest < most ? widest : most;
}

static unsigned column_width(unsigned column, unsigned name)
{
    return column == XM_HOSTS_NAME ? name : columns[column].width;
}

/* The last column goes to the edge. */
static void put(struct xm_grid *grid, unsigned column, unsigned x, unsigned width, unsigned y,
                enum xm_meaning meaning, const char *text)
{
    if (column + 1 == XM_HOSTS_COLUMNS)
        xm_grid_put_within(grid, x, grid->width, y, meaning, text);
    else if (columns[column].left)
        xm_grid_put_within(grid, x, x + width, y, meaning, text);
    else
        xm_grid_put_right(grid, x + width, y, meaning, text);
}

static void draw_header(struct xm_grid *grid, const struct xm_hosts_choice *choice, unsigned name)
{
    unsigned x = 0;
    for (unsigned i = 0; i < XM_HOSTS_COLUMNS && x < grid->width; i++) {
        unsigned width = column_width(i, name);
        enum xm_meaning meaning =
            choice->sort == (enum xm_hosts_column)i ? XM_MEANING_SORTED : XM_MEANING_HEADER;
        put(grid, i, x, width, TOP_LINES - 1, meaning, columns[i].title);
        x += width + GAP;
    }
}

static bool on_show(const struct xm_hosts_row *row)
{
    return row->link == XM_HOSTS_LIVE || row->link == XM_HOSTS_CONNECTING;
}

static void draw_row(struct xm_grid *grid, const struct xm_hosts_row *row, unsigned name, unsigned y)
{
    char text[160];
    unsigned x = 0;
    for (unsigned i = 0; i < XM_HOSTS_COLUMNS && x < grid->width; i++) {
        unsigned width = column_width(i, name);
        enum xm_meaning meaning = i == XM_HOSTS_LINK           ? link_meaning(row->link)
                                  : row->link == XM_HOSTS_LIVE ? XM_MEANING_NORMAL
                                                               : XM_MEANING_FAINT;
        if (i == XM_HOSTS_LOST_RECORDS && row->data && row->lost)
            meaning = XM_MEANING_WARNING;
        columns[i].cell(row, text, sizeof text);
        /* Why there is nothing to see is worth more than who waited when there was. */
        if (i == XM_HOSTS_WORST && !on_show(row) && row->said[0])
            put(grid, i, x, width, y, XM_MEANING_WARNING, row->said);
        else
            put(grid, i, x, width, y, meaning, text);
        x += width + GAP;
    }
}

static void draw_title(struct xm_grid *grid, const struct xm_hosts_row *rows, uint32_t hosts)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < hosts; i++)
        live += rows[i].link == XM_HOSTS_LIVE;
    xm_grid_print(grid, 0, 0, XM_MEANING_TITLE, "XenMon  %u hosts, %u live", (unsigned)hosts, (unsigned)live);
}

static void draw_keys(struct xm_grid *grid, const struct xm_hosts_choice *choice)
{
    unsigned y = grid->height - 1;
    if (choice->typing)
        xm_grid_print(grid, 0, y, XM_MEANING_PROMPT, "filter: %s_", choice->filter);
    else if (choice->filter[0])
        xm_grid_print(grid, 0, y, XM_MEANING_FOUND, "only hosts with '%s' (Esc: all)", choice->filter);
    else
        xm_grid_put_within(grid, 0, grid->width, y, XM_MEANING_KEY,
                           "Enter look at it  / filter  s sort  r reverse  ? help  q quit");
}

static void draw_help(struct xm_grid *grid)
{
    static const char *const lines[] = {
        "Keys",
        "  Up Down PgUp PgDn Home End   move the cursor",
        "  Enter                        look at the host; q there comes back here",
        "  /                            only hosts with a text in name, link or worst domain",
        "  n k b w d v l a m            sort by a column, again: the other way round",
        "  s > <                        sort by the next column, the one before; r: reverse",
        "  q                            quit",
        "",
        "Columns",
        "  LINK        live; stale: its xenbaked is silent; gone: there is none, or it died;",
        "              lost: the server does not answer; refused: other credentials are due;",
        "              bad: the answer makes no sense; ended: what it read has ended",
        "  pCPU%       of the pCPUs' time in the last second, domains ran",
        "  WAITING     vCPUs that were ready and had no pCPU, on average over that second",
        "  DOMS vCPUs  that exist",
        "  LOST        trace records that the host lost in the last minute",
        "  AGE         since the newest sample came here",
        "  WAITS MOST  the domain that waited for most of its vCPUs' time, and how much",
    };
    xm_grid_clear(grid);
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        xm_grid_put_within(grid, 0, grid->width, i,
                           lines[i][0] == ' ' ? XM_MEANING_NORMAL : XM_MEANING_SUBJECT, lines[i]);
}

/* Which line the cursor is on; the top is moved so that it is on the screen. */
static uint32_t scroll(struct xm_hosts_choice *choice, const uint32_t *order, uint32_t shown, unsigned lines)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < shown; i++)
        if (order[i] == choice->cursor)
            at = i;
    if (choice->top > at)
        choice->top = at;
    if (lines && at >= choice->top + lines)
        choice->top = at - lines + 1;
    return at;
}

void xm_hosts_draw(const struct xm_hosts_row *rows, uint32_t hosts, struct xm_hosts_choice *choice, bool live,
                   struct xm_grid *grid)
{
    uint32_t order[XM_HOSTS_MOST];
    uint32_t shown = xm_hosts_order(rows, hosts, choice, order);
    xm_grid_clear(grid);
    if (grid->height == 0)
        return;
    if (live && choice->help) {
        draw_help(grid);
        return;
    }
    unsigned used = TOP_LINES + (live ? BOTTOM_LINES : 0);
    unsigned lines = grid->height > used ? grid->height - used : 0;
    uint32_t at = scroll(choice, order, shown, lines);
    unsigned name = name_width(grid, rows, hosts);
    draw_title(grid, rows, hosts);
    draw_header(grid, choice, name);
    for (unsigned i = 0; i < lines && choice->top + i < shown; i++) {
        draw_row(grid, &rows[order[choice->top + i]], name, TOP_LINES + i);
        if (live && choice->top + i == at)
            xm_grid_mark(grid, 0, grid->width, TOP_LINES + i, XM_MEANING_CURSOR);
    }
    if (live)
        draw_keys(grid, choice);
}

unsigned xm_hosts_height(uint32_t hosts)
{
    return TOP_LINES + hosts;
}
