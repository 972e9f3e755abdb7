/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the screen share: a painter that knows which body lines are on the grid, columns that go
 * by importance, and how names and percentages are written.
 */
#ifndef XM_SCREEN_INT_H
#define XM_SCREEN_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/screen/choice.h"
#include "front/terminal/grid.h"
#include "front/feed/model.h"
#include "view/view.h"

struct xm_table_line;

/* What the cells of a frame ask for again and again.  Whoever builds the frame frees `states`. */
struct xm_usage_cache {
    struct xm_item item; /* whose usage it is; none: empty */
    bool there;
    struct xm_usage usage;
    uint8_t *states;  /* by domain slot, which states its vCPUs are in; NULL: not made yet */
    const char *text; /* what was looked for last, in which domain, and whether it was there */
    uint32_t text_domain;
    bool text_found;
};

struct xm_painter {
    struct xm_grid *grid;
    const struct xm_model *model;
    const struct xm_choice *choice;
    unsigned top, rows; /* the grid's rows that the body has */
    unsigned first;     /* body line shown at the top */
    unsigned line;      /* body lines painted so far, shown or not */

    const struct xm_table_line *lines; /* of a view that is a table, filtered and sorted; NULL: not made yet */
    uint32_t line_count;
    unsigned cursor;              /* the one that the cursor is on; UINT_MAX: none is marked */
    struct xm_usage_cache *cache; /* may be NULL */
};

/* Takes the next body line.  True: it is shown, in row *y; false: it is counted only, paint nothing. */
bool xm_painter_line(struct xm_painter *p, unsigned *y);

/* ---- Columns. */

struct xm_screen_column {
    const char *title; /* under a header line that names the window */
    const char *alone; /* where there is one header line only */
    unsigned width;    /* the gap before it included */
    unsigned rank;     /* 0 is the last to go */
};

#define XM_SCREEN_MAX_COLUMNS 32u

/* Which of up to XM_SCREEN_MAX_COLUMNS columns fit, and where each ends. */
struct xm_screen_fit {
    unsigned end[XM_SCREEN_MAX_COLUMNS]; /* 0: left out */
    unsigned shown, dropped;
};

/* Gives room by rank until the next one does not fit; the first column begins at `left`. */
struct xm_screen_fit xm_screen_fit(const struct xm_screen_column *columns, unsigned count, unsigned left,
                                   unsigned width);

/* Writes the titles, right-aligned, and "+N" for those left out. */
void xm_screen_titles(struct xm_grid *grid, unsigned y, const struct xm_screen_column *columns,
                      unsigned count, const struct xm_screen_fit *fit, bool alone);

/* Names a group of columns (group[i]: column i is of it) in the middle above those of them that are shown. */
void xm_screen_group(struct xm_grid *grid, unsigned y, const struct xm_screen_column *columns, unsigned count,
                     const struct xm_screen_fit *fit, const bool *group, const char *name);

/* ---- Text. */

/* "web (dom 1)", "dom 3"; `size` of 96 suffices. */
const char *xm_screen_domain_name(const struct xm_model *model, uint32_t domain_slot, char *text,
                                  size_t size);

/* Without its number where it has a name, cut to `columns` (at least 2) with "~": "web", "dom 3". */
const char *xm_screen_short_name(const struct xm_model *model, const struct xm_grid *grid, uint32_t domain_slot,
                                 unsigned columns, char *text, size_t size);

/* The window's name: "1 s", or its real length where that is not what it should be: "0.42 s". */
const char *xm_screen_span_name(const struct xm_model *model, enum xm_span span, char *text, size_t size);

/*
 * Slots of domains in the order of their ids, without those long gone.  *count of them; the caller frees.
 * NULL (and 0) when out of memory.
 */
uint32_t *xm_screen_domains(const struct xm_model *model, uint32_t *count);

/* Cycles that the domain ran on the pCPU in the window; slots that are not in it: 0. */
uint64_t xm_screen_pair_running(const struct xm_window *w, uint32_t domain, uint32_t pcpu);

/* A slot and what it is sorted by. */
struct xm_screen_ordered {
    uint64_t key;
    uint32_t slot;
};
void xm_screen_sort(struct xm_screen_ordered *list, uint32_t count);

/* Whether the view on show is of the chosen pCPU: the others are of all of them, whatever was chosen. */
bool xm_screen_one_cpu(const struct xm_choice *choice);

/* The slot of the chosen pCPU; false where it has not been seen (or all are shown). */
bool xm_screen_cpu_slot(const struct xm_model *model, const struct xm_choice *choice, uint32_t *slot);

/* ---- The parts.  header: y is the first of `rows` (1 or 2) lines.  body: through xm_painter_line(). */

void xm_screen_paper_header(const struct xm_painter *p, unsigned y, unsigned rows);
void xm_screen_paper_body(struct xm_painter *p);
void xm_screen_help_header(const struct xm_painter *p, unsigned y, unsigned rows);
void xm_screen_help_body(struct xm_painter *p);
/* One domain in depth.  One header line suffices; the body scrolls by lines. */
void xm_screen_domain_header(const struct xm_painter *p, unsigned y, unsigned rows);
void xm_screen_domain_body(struct xm_painter *p);
void xm_screen_empty_body(struct xm_painter *p); /* why there are no numbers */
void xm_screen_totals(const struct xm_painter *p, unsigned y, enum xm_span span);

/*
 * Starved domains (xm_usage_starved(), over the longer window) whose line is not on the grid: *hidden of them,
 * and the slot of the first (any slot where there is none).  O(domains).
 */
uint32_t xm_screen_paper_hidden(const struct xm_painter *p, unsigned *hidden);

/* The slot of the domain shown in depth: choice->domain, else the first one; false where there is none. */
bool xm_screen_depth_slot(const struct xm_model *model, const struct xm_choice *choice, uint32_t *slot);

/*
 * For choice->domain: the id of the domain `steps` after (before: negative) the one shown in depth, in the order
 * of ids and stopping at both ends; choice->domain where there is none.  O(domains log domains).
 */
uint64_t xm_screen_depth_step(const struct xm_model *model, const struct xm_choice *choice, int steps);

/* Breaks text between words into lines of the painter's width, each from column `indent` on. */
void xm_screen_wrap(struct xm_painter *p, unsigned indent, enum xm_meaning meaning, const char *text);

#endif
