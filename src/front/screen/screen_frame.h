/* SPDX-License-Identifier: MIT */
/* The frame around the body: what stands above and below it, from top to bottom. */
#ifndef XM_SCREEN_FRAME_H
#define XM_SCREEN_FRAME_H

#include "front/screen/screen_int.h"

/* How a view is called, and where its parts are; `table` for a view that is one, else header and body. */
struct xm_frame_view {
    const char *title;
    const struct xm_table *table;
    void (*header)(const struct xm_painter *p, unsigned y, unsigned rows);
    void (*body)(struct xm_painter *p);
    unsigned header_rows; /* at most */
    bool totals;          /* the sums of all domains stand under it */
};
struct xm_frame_view xm_frame_view(enum xm_screen_view view);

/* What is wrong, in words, "" and 0 where nothing is. */
struct xm_screen_warnings {
    char text[512];
    size_t used;
    uint64_t lost_10s; /* records lost in the last 10 s */
    double unknown;    /* percent of all vCPUs' time in them */
};

/* Parts of a line, most important first: those that end before column `end` are written, no others.  Returns where they end. */
unsigned xm_screen_put_parts(struct xm_grid *grid, unsigned x, unsigned end, unsigned y, enum xm_meaning meaning,
                             const char *const *parts, unsigned count);

/* The program's own line. */
void xm_screen_title(const struct xm_painter *p, unsigned y);

/* The bar of views, the one on show in brackets. */
void xm_screen_tabs(const struct xm_painter *p, unsigned y);
/* The view whose name is at column x; false: none. */
bool xm_screen_tab_at(const struct xm_painter *p, unsigned x, enum xm_screen_view *view);

/* The host in one line: how busy its pCPUs are, who waits, what is lost. */
void xm_screen_host(const struct xm_painter *p, unsigned y);
/* And how well the trace buffers are read, and what that costs: over the longer window. */
void xm_screen_quality(const struct xm_painter *p, unsigned y, const struct xm_screen_warnings *w);

/* What is shown: position in time, window, units, filter, order.  lines: of the body, shown or not. */
void xm_screen_status(const struct xm_painter *p, unsigned y, unsigned lines);

/* Collects them: O(domains).  Paints them in one line, ">" where there are more. */
void xm_screen_warnings(const struct xm_model *m, struct xm_screen_warnings *w);
void xm_screen_paint_warnings(const struct xm_painter *p, unsigned y, const struct xm_screen_warnings *w);

/*
 * "3-18 of 40" where something is out of sight, and who is starved there.  keep: columns of the line that are
 * taken.  Returns the column that it begins in.
 */
unsigned xm_screen_position(const struct xm_painter *p, unsigned y, enum xm_meaning meaning, unsigned keep,
                            unsigned lines);

/*
 * The keys that are of use here; until the next key what the last one's answer was (choice.said).  key_at: the one at
 * column x, XM_KEY_NONE: there is none.
 */
void xm_screen_keys(const struct xm_painter *p, unsigned y);
int xm_screen_key_at(const struct xm_painter *p, unsigned x);

/* What is asked for, and the answer so far. */
void xm_screen_prompt(const struct xm_painter *p, unsigned y);

/* What lies over the view, within the body. */
void xm_screen_popup(const struct xm_painter *p);
/* The line of it that is at column x of row y; false: none. */
bool xm_screen_popup_at(const struct xm_painter *p, unsigned x, unsigned y, unsigned *line);

#endif
