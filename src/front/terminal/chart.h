/* SPDX-License-Identifier: MIT */
/*
 * Bars, strips and histograms of characters.
 *
 * Each state of time has a glyph of its own, so that a chart is read without colour too: running is a full
 * block (ASCII: #), waiting a grey one (w), blocked a dot (.), offline a blank (-), unknown a question mark.
 * What is not 0 is seen, however small; what is not there is not.
 *
 * Pure.  Nothing allocates.  Text goes to `text`, at most `size` bytes, terminated, cut at a whole character:
 * 3 bytes a cell suffice, and the terminator.
 */
#ifndef XM_CHART_H
#define XM_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/terminal/grid.h"
#include "xenmon/sample.h"
#include "xenmon/units.h"

/* From the left, or the bottom, of a chart on. */
enum xm_chart_state {
    XM_CHART_RUNNING,
    XM_CHART_WAITING,
    XM_CHART_BLOCKED,
    XM_CHART_OFFLINE,
    XM_CHART_UNKNOWN,
    XM_CHART_STATES
};

/* How a state is drawn, and what it means. */
const char *xm_chart_glyph(enum xm_chart_state state, bool utf8);
enum xm_meaning xm_chart_meaning(enum xm_chart_state state);

/*
 * Shares `cells` out among `count` (at most 16) parts by the largest remainder: they add up to `cells`,
 * unless all parts are 0.  A part that is not 0 gets a cell at least, where there are as many cells as such
 * parts.
 */
void xm_chart_share(const uint64_t *part, unsigned count, unsigned cells, unsigned *share);

/*
 * A bar of `part` in `whole` over `width` cells, in eighths of a cell; the rest is blanks, `part` is cut at
 * `whole`.  At least an eighth (ASCII: a cell) where part is not 0; not quite full where it is not all.
 */
const char *xm_chart_bar(bool utf8, unsigned width, uint64_t part, uint64_t whole, char *text, size_t size);

/* The states of a time side by side in columns [x, end) of row y. */
void xm_chart_states(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                     const uint64_t part[XM_CHART_STATES]);

/* A character that stands for `value` in `top`: a blank for 0, one of eight levels (ASCII: seven) else. */
const char *xm_chart_level(bool utf8, uint64_t value, uint64_t top);

/* A column of a strip: shares of one moment, in thousandths; known: false draws nothing. */
struct xm_chart_moment {
    bool known;
    uint16_t part[XM_CHART_STATES];
};

/*
 * The last moments of `count`, the newest at the right, as columns [x, end) of rows [y, y + rows).  Running
 * stands at the bottom in eighths of a cell, waiting is on top of it: in whole cells, a light one where it is
 * less than half of one, and in two rows or more none only where nothing waited.  The other states take what
 * is left, by their size.
 */
void xm_chart_strip(struct xm_grid *grid, unsigned x, unsigned end, unsigned y, unsigned rows,
                    const struct xm_chart_moment *moment, unsigned count);

/* ---- Distributions of durations. */

#define XM_CHART_BINS 24u

/* Bins that follow each other: bin i holds durations from low_ns[i] up to low_ns[i + 1]; the last is open. */
struct xm_chart_bins {
    unsigned count;
    uint64_t low_ns[XM_CHART_BINS];
    uint64_t n[XM_CHART_BINS];
    uint64_t total;
};

/*
 * Bins of 1-2-5 (fine), or of a decade, from 1 us to 10 s; the first holds all that is shorter.  counts:
 * XM_HIST_BUCKETS of cycles, each of which counts where its middle is (as in xm_percentile()).
 */
void xm_chart_bins(const uint64_t *counts, const struct xm_scale *scale, bool fine,
                   struct xm_chart_bins *bins);

/* The bin that holds a duration. */
unsigned xm_chart_bin_of(const struct xm_chart_bins *bins, uint64_t ns);

/* "<1 us", "1 us", "500 ms", ">=10 s": where the bin begins; at most 6 cells. */
const char *xm_chart_bin_name(const struct xm_chart_bins *bins, unsigned bin, char *text, size_t size);

struct xm_chart_marks {
    uint64_t p50_ns, p95_ns, p99_ns;
};

/*
 * One line of a histogram in columns [x, end): the bin's name, a bar (the fullest bin's is the longest), its
 * count, its share of all, and which percentiles are in it: "p50", "p95,99".  Where there is little room the
 * count goes first, then the percentiles, then the bar.
 */
void xm_chart_histogram_line(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                             enum xm_meaning meaning, const struct xm_chart_bins *bins, unsigned bin,
                             const struct xm_chart_marks *marks);

#endif
