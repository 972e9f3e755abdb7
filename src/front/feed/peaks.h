/* SPDX-License-Identifier: MIT */
/*
 * Peaks and troughs of the windows that a feed shows: those of every fast sample within, folded.
 *
 * Samples are read when they are needed first, and of each only the peaks are kept; folds of 16, 256 and 4096
 * samples are kept beside them, so that a minute of a large host is some tens of folds and no six hundred.
 *
 * Threads: one.
 */
#ifndef XM_PEAKS_H
#define XM_PEAKS_H

#include <stdbool.h>
#include <stdint.h>

#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"

struct xm_peaks;

/* NULL when out of memory. */
struct xm_peaks *xm_peaks_create(void);
void xm_peaks_destroy(struct xm_peaks *peaks); /* NULL is fine */

/* Another region's samples have other peaks; a grown one's go on. */
void xm_peaks_forget(struct xm_peaks *peaks);

/* A new round: what may be read in it is counted from here. */
void xm_peaks_begin(struct xm_peaks *peaks);

/*
 * Folds fast samples `first` to `last` into the peaks of `into`; rows are matched by slot and id.  scratch:
 * of the region's capacity, overwritten.  XM_OK; XM_AGAIN: not all of it could be read in this round (see
 * below), or there was no memory: *into has the newest part, and another round gets further; XM_END: the
 * region no longer has all of it.  Cost: some tens of folds of 3 words a row.  Samples not seen before are
 * read: a million rows a round, and 128 samples at least.
 */
enum xm_status xm_peaks_fold(struct xm_peaks *peaks, struct xm_region *region, uint64_t first, uint64_t last,
                   struct xm_sample *scratch, struct xm_sample *into) XM_MUST_CHECK;

#endif
