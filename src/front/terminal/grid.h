/* SPDX-License-Identifier: MIT */
/*
 * A grid of character cells, each with a meaning: what a screen says before anybody draws it.
 *
 * The meaning is what a colour or an attribute will stand for; the text alone must already tell
 * everything, so that a screen without colour, a plain-text frame and a test see the same.
 *
 * Pure: no terminal, no I/O but xm_grid_write().  Threads: one grid, one thread.
 */
#ifndef XM_GRID_H
#define XM_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "xenmon/status.h"

enum xm_meaning {
    XM_MEANING_NORMAL,
    XM_MEANING_TITLE,   /* the program's own line */
    XM_MEANING_HEADER,  /* of columns */
    XM_MEANING_SUBJECT, /* the line that names a domain */
    XM_MEANING_LABEL,   /* of rows and fields */
    XM_MEANING_FAINT,   /* what is not known, markers of what does not fit */
    XM_MEANING_RUNNING,
    XM_MEANING_WAITING,
    XM_MEANING_BLOCKED,
    XM_MEANING_WARNING,
    XM_MEANING_KEY, /* a key one can press */
    XM_MEANING_OFFLINE,
    XM_MEANING_UNKNOWN, /* time that nobody knows */
    XM_MEANING_TAB,     /* a view that one could go to; the one on show is a subject in reverse: XM_MEANING_TAB_HERE */
    XM_MEANING_TAB_HERE,
    XM_MEANING_CURSOR,  /* the line that the cursor is on */
    XM_MEANING_FOUND,   /* what a search found, or a filter let through */
    XM_MEANING_SORTED,  /* the title of the column sorted by */
    XM_MEANING_POPUP,   /* what lies over the view */
    XM_MEANING_PROMPT,  /* what is asked for, and the answer */
    XM_MEANINGS
};

/* One column of one row.  A character two columns wide is followed by a cell with an empty text. */
struct xm_grid_cell {
    char text[15]; /* UTF-8, terminated: one character and what combines with it */
    uint8_t meaning;
};

struct xm_grid {
    unsigned width, height;     /* columns and rows */
    bool utf8;                  /* false: what is not ASCII becomes '?' */
    struct xm_grid_cell *cells; /* width * height, row by row */
};

#define XM_GRID_MAX 4096u /* columns, and rows */

/*
 * Makes or remakes the grid: width x height blanks (both are cut at XM_GRID_MAX).  `grid` is zeroed or in
 * use; `utf8` is left as it is.  XM_OK; XM_NOMEM: the grid is empty (0 x 0) and stays usable.
 */
enum xm_status xm_grid_resize(struct xm_grid *grid, unsigned width, unsigned height) XM_MUST_CHECK;

/* Frees the cells.  A zeroed grid is fine. */
void xm_grid_fini(struct xm_grid *grid);

/* Blanks every cell. */
void xm_grid_clear(struct xm_grid *grid);

/*
 * Writes UTF-8 text from column x of row y on, cut at the right edge; outside the grid nothing happens.
 * What is not printable or not UTF-8 becomes '?'.  Widths of characters are those of the C locale in force.
 * Returns the column after the last one written (x + columns, even where cut off).
 */
unsigned xm_grid_put(struct xm_grid *grid, unsigned x, unsigned y, enum xm_meaning meaning, const char *text);

/* The same, but not beyond column `end`: what does not fit is cut, and its last column says so with "~". */
unsigned xm_grid_put_within(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                            enum xm_meaning meaning, const char *text);

/* As xm_grid_put(), right-aligned so that it ends before column `end`; too wide a text is cut on its left. */
void xm_grid_put_right(struct xm_grid *grid, unsigned end, unsigned y, enum xm_meaning meaning,
                       const char *text);

/* The same as xm_grid_put() with a format; at most 255 bytes. */
unsigned xm_grid_print(struct xm_grid *grid, unsigned x, unsigned y, enum xm_meaning meaning,
                       const char *format, ...) XM_PRINTF(5, 6);

/* Gives every cell of columns [from, to) of row y this meaning; the text stays. */
void xm_grid_mark(struct xm_grid *grid, unsigned from, unsigned to, unsigned y, enum xm_meaning meaning);

/* Columns that the text takes when put into this grid. */
unsigned xm_grid_columns(const struct xm_grid *grid, const char *text);

/*
 * Row y as UTF-8 without trailing blanks, terminated, cut at `size` bytes (width * 15 + 1 always suffice).
 * Returns its length in bytes; 0 for a row outside.
 */
size_t xm_grid_line(const struct xm_grid *grid, unsigned y, char *line, size_t size);

/* Writes all rows, each with a newline, trailing blanks left out.  False where the stream failed. */
bool xm_grid_write(const struct xm_grid *grid, FILE *out);

#endif
