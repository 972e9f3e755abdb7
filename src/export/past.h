/* SPDX-License-Identifier: MIT */
/*
 * The past: windows of any length and values over time that the region still has, and, where it is kept, what
 * the durable history has of the time before.
 *
 * A handle of its own on the region, opened for one answer and closed after it: what is held is bounded by
 * the region's capacities, and by the limits below.
 *
 * Threads: one handle, one thread; any number of handles.
 */
#ifndef XM_EXPORT_PAST_H
#define XM_EXPORT_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "export/host.h"
#include "export/shapes.h"
#include "xenmon/status.h"

#define XM_PAST_METRICS       8u       /* in one question */
#define XM_PAST_POINTS        1000u    /* of one series */
#define XM_PAST_VALUES        200000u  /* in one answer */
#define XM_PAST_ROWS          2000000u /* read for one answer */
#define XM_PAST_READ_NS       UINT64_C(4000000000) /* the durable history, for one question to it */
#define XM_PAST_STEP_MIN_NS   UINT64_C(100000000)
#define XM_PAST_WINDOW_MIN_NS UINT64_C(100000000)
#define XM_PAST_WINDOW_MAX_NS (UINT64_C(86400) * 1000000000u)

struct xm_past;

/*
 * Opens the region at `path` for the run of xenbaked that the snapshot (with data, borrowed until close) is
 * of. XM_OK; XM_AGAIN: it cannot be read now, or is of another run already: err->text says why; XM_NOMEM.
 */
enum xm_status xm_past_open(const struct xm_host_snapshot *snapshot, const char *path, struct xm_past **past,
                            struct xm_error *err) XM_MUST_CHECK;
void xm_past_close(struct xm_past *past); /* NULL is fine */

/*
 * The window of that length that ends at the newest sample; shorter where the trace is younger, or the region
 * does not have it any more.  Sets window, coarse, no_peaks and waits of `w`; its samples are valid until
 * close.  Once a handle. XM_OK; XM_AGAIN.  Cost: copies two samples, or all of the fast series within the
 * window where that is cheap.
 */
enum xm_status xm_past_window(struct xm_past *past, uint64_t ns, struct xm_shape_window *w,
                              struct xm_error *err) XM_MUST_CHECK;

struct xm_past_question {
    bool all;       /* every domain, else those that had the id `domid` */
    uint32_t domid;
    size_t top;                     /* of them those that ran longest; 0: as many as there are */
    size_t metric[XM_PAST_METRICS]; /* indices of xm_fields */
    size_t metrics;                 /* at least 1 */
    uint64_t from_ns, to_ns;        /* CLOCK_REALTIME */
    uint64_t step_ns;               /* 0: what makes at most 300 points */
};

/*
 * Adds "from", "to", "step_s", "series", "durable_steps", "metrics", "times_s", "coarse", "cpus" and
 * "domains" to `document`.  past (NULL: there is no region that can be read) has what the region reaches; what
 * is older comes from the durable history in `directory` (NULL: there is none).  Steps that neither has
 * anything of are null. XM_OK; XM_END: no such domain; XM_INVALID: the question makes no sense; XM_LIMIT: it asks for too
 * much; XM_AGAIN: one of the two was needed and cannot be read; XM_NOMEM.  err->text says what and how much.
 * Cost: at most XM_PAST_ROWS rows of the region, or 600 000 of the durable history, which is read
 * for four seconds at most; one that another process has locked is waited for, for five seconds.
 */
enum xm_status xm_past_history(struct xm_past *past, const char *directory, const struct xm_shape *shape,
                               const struct xm_past_question *question, json_t *document,
                               struct xm_error *err) XM_MUST_CHECK;

/* What a series has.  All 0: nothing. */
struct xm_past_range {
    uint64_t from_ns, to_ns; /* CLOCK_REALTIME */
    uint64_t step_ns;        /* between samples; of the durable history the newest run's average */
    uint64_t samples;
    uint64_t known_ns; /* of the time from `from` to `to` */
};

/* Of the region.  XM_OK; XM_AGAIN: it cannot be read now. */
enum xm_status xm_past_region_range(struct xm_past *past, enum xm_series series, struct xm_past_range *range,
                                    struct xm_error *err) XM_MUST_CHECK;

/*
 * Of the durable history in `directory`; `runs` gets an object for each run of xenbaked.  known_ns is the
 * time in which one ran and was kept.  XM_OK; XM_AGAIN: it cannot be read, err says why; XM_NOMEM.
 */
enum xm_status xm_past_durable_range(const char *directory, struct xm_past_range *range, json_t *runs,
                                     struct xm_error *err) XM_MUST_CHECK;

/* Whether there is one to be read, with the same outcomes; nothing of it is, and nobody is waited for. */
enum xm_status xm_past_durable_try(const char *directory, struct xm_error *err) XM_MUST_CHECK;

#endif
