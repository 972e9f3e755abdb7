/* SPDX-License-Identifier: MIT */
/*
 * A table on the screen: lines that stand for domains, vCPUs or pCPUs, and columns that can be chosen, ordered and
 * sorted by.  A view describes itself with a struct xm_table; what every table can do (columns by importance,
 * sorting, filter, search, cursor, expansion, scrolling, what is starved and out of sight) is here.
 *
 * Pure, like the rest of the screen.  Allocates while it builds, and frees again.
 * Cost: O(lines log lines) in a frame; cells are made for the lines on the grid, and for the column sorted by.
 */
#ifndef XM_TABLE_H
#define XM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/screen/choice.h"
#include "front/screen/screen_int.h"
#include "view/view.h"

/* A line. */
struct xm_table_line {
    struct xm_item item;
    uint32_t slot;   /* in window[].to of what the item is */
    uint32_t domain; /* slot of the domain that it is of; domains and vCPUs */
    unsigned depth;  /* 1: under the line of its domain */
    uint32_t waiting; /* pCPUs: how many vCPUs wait there now */
    char mark;       /* before its name: '+' there is more under it, '-' that is on show, ' ' there is not; 0: none */
};

/* What a line shows in a column. */
struct xm_table_cell {
    char text[96]; /* UTF-8; "-" where it is not known */
    enum xm_meaning meaning;
    bool known;    /* false: sorted after all that are known */
    double key;    /* numbers are sorted by it; cells without one (`by_text`) by their text */
    bool by_text;
    bool key_only; /* in: only `known` and the key (or, by_text, the text) are wanted; the rest may be left alone */
};

struct xm_table_column {
    const char *id;     /* saved in settings; where `cell` is NULL what the column in view is called: "running_ns" */
    const char *title;  /* as in the header, a "%" at its end where it goes by choice.units; NULL: as in view */
    unsigned width;     /* the gap before it included; 0: 11 */
    bool left;          /* aligned; else right */
    bool shown;         /* by default */
    bool ascending;     /* its order when it is chosen to sort by: names and numbers of things; else the largest first */
    const char *help;   /* a sentence; says what a percentage is of; NULL: as in view */
    /*
     * `p` has the model and the choice (window, units).  Fills what it does not leave at 0.  NULL: the number of view's
     * table of columns that has this id.
     */
    void (*cell)(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell);
    /* Where text of one meaning does not do (bars): paints columns [x, end) of row y.  NULL: the cell's text. */
    void (*paint)(const struct xm_painter *p, const struct xm_table_line *line, unsigned x, unsigned end, unsigned y);
    unsigned from_width; /* of the grid: on a narrower one it goes before all others, unless all fit */
};

/* Title, help and width of a column, whether its own or view's. */
const char *xm_table_title(const struct xm_table_column *column);
const char *xm_table_help(const struct xm_table_column *column);
unsigned xm_table_width(const struct xm_table_column *column);

struct xm_table {
    enum xm_screen_view view;
    const struct xm_table_column *columns; /* the first is the name of the line, and always shown, at the left */
    unsigned count;                        /* at most XM_TABLE_MAX_COLUMNS */
    unsigned sort;                         /* by default */
    const char *nothing;                   /* what stands there where there is no line */
    /*
     * All lines in their natural order, without filter: *count of them, to be freed; NULL when out of memory or
     * none.  Lines of depth 1 follow the line that they belong to, and are there only where it is expanded.
     */
    struct xm_table_line *(*lines)(const struct xm_painter *p, uint32_t *count);
    /* Whether a line must not get out of sight (starved over the longer window); may be NULL. */
    bool (*starved)(const struct xm_painter *p, const struct xm_table_line *line);
    /* Whether nothing happened there in the window: left out by choice.hide_idle; may be NULL. */
    bool (*idle)(const struct xm_painter *p, const struct xm_table_line *line);
};

/* The table of a view; NULL for a view that is none. */
const struct xm_table *xm_table_of(enum xm_screen_view view);

/* The parts of a view that is a table (front/screen/screen_int.h). */
void xm_table_header(const struct xm_table *table, const struct xm_painter *p, unsigned y);
void xm_table_body(const struct xm_table *table, struct xm_painter *p);
/* Starved lines that are not on the grid: *hidden of them; the domain slot of the first. */
uint32_t xm_table_hidden(const struct xm_table *table, const struct xm_painter *p, unsigned *hidden);

/*
 * Lines as they stand on the screen: filtered and sorted.  *count of them, to be freed; NULL as in `lines`.
 * What moves the cursor and searches uses it.
 */
struct xm_table_line *xm_table_lines(const struct xm_table *table, const struct xm_painter *p, uint32_t *count);

/* Whether the line has `text` in its name, number, uuid or state; letters in either case (front/screen/fold.h). */
bool xm_table_matches(const struct xm_table *table, const struct xm_painter *p, const struct xm_table_line *line,
                      const char *text);

/*
 * How the view's table is shown: what was chosen, or the defaults.  Its columns are there and not the first, which
 * needs no choice; each is in it once.
 */
struct xm_choice_table xm_table_choice(const struct xm_table *table, const struct xm_choice *choice);

/* ---- Cells that several views have. */

/* Usage of a domain or vCPU in the chosen window (or its last execution); false: it is not in it. */
bool xm_table_usage(const struct xm_painter *p, const struct xm_table_line *line, struct xm_usage *usage);

/* A share of time in the chosen units: "12.3", "123", "0.0", "<0.1"; `of_ns` is 100 % in XM_UNITS_OF_VCPUS. */
void xm_table_share(const struct xm_painter *p, uint64_t part_ns, uint64_t of_ns, uint64_t window_ns,
                    enum xm_meaning meaning, struct xm_table_cell *cell);
/* A number of view's table of columns (xm_columns()), by its id. */
void xm_table_number(const struct xm_column *column, const struct xm_usage *usage, struct xm_table_cell *cell);
/* A duration; a rate; a count.  known as in the cell. */
void xm_table_duration(bool known, uint64_t ns, struct xm_table_cell *cell);

/* ---- The views' tables. */
extern const struct xm_table xm_domains_table;
extern const struct xm_table xm_vcpus_table;
extern const struct xm_table xm_pcpus_table;
extern const struct xm_table xm_latency_table;

#endif
