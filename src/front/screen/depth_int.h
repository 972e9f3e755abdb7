/* SPDX-License-Identifier: MIT */
/* What the parts of the view of one domain in depth share: what it is drawn from, and sheets to draw on. */
#ifndef XM_DEPTH_INT_H
#define XM_DEPTH_INT_H

#include "front/terminal/chart.h"
#include "front/feed/digest.h"
#include "front/screen/table_int.h"

/* The domain, and what is known of it.  Borrowed, for one frame. */
struct xm_depth {
    const struct xm_painter *p;
    uint32_t slot;
    struct xm_table_line line; /* as tables have it */
    struct xm_window window;   /* the chosen one */
    bool coarse, last;         /* as xm_table_window() has them */
    bool there;                /* `usage` is of it: on all pCPUs, whatever the choice */
    struct xm_usage usage;
    struct xm_told told; /* in the last second: no other window changes what it says */
    bool digested;
    struct xm_digest digest;
    const struct xm_spread *spread; /* NULL: not to be had */
};

/* A column of the view, as high as it needs to be: parts are drawn one under the other. */
struct xm_sheet {
    struct xm_grid grid;
    unsigned line; /* the next free one */
};

#define XM_SHEET_LABEL 8u /* cells that the label of a line takes */

/*
 * Values that follow each other behind a label, on as many lines as they need.  begin: label may be "".
 * add: a word and its value, either may be ""; end: goes to the next line.
 */
struct xm_flow {
    struct xm_sheet *sheet;
    unsigned x;
};
void xm_flow_begin(struct xm_flow *flow, struct xm_sheet *sheet, const char *label);
void xm_flow_add(struct xm_flow *flow, const char *word, enum xm_meaning meaning, const char *value);
void xm_flow_end(struct xm_flow *flow);

/* The number of view's table of columns with this id, with its unit where its type has one; "-": not known.
 */
const char *xm_depth_number(const struct xm_depth *d, const char *id, char *text, size_t size);

/* A share of the domain's time in the chosen units, with its unit. */
const char *xm_depth_share(const struct xm_depth *d, uint64_t part_ns, uint64_t of_ns, char *text,
                           size_t size);

/* ---- The parts. */
void xm_depth_time(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_strip(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_waits(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_runs(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_lengths(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_histograms(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_facts(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_vcpus(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_neighbours(const struct xm_depth *d, struct xm_sheet *sheet);
void xm_depth_io(const struct xm_depth *d, struct xm_sheet *sheet);

#endif
