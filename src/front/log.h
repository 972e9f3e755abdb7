/* SPDX-License-Identifier: MIT */
/*
 * The log: what happened, interval by interval, from the region of a running xenbaked.
 *
 * An interval is the difference of two samples that are at least its length apart, so intervals follow each
 * other without a seam: what a slow reader misses makes an interval longer, it is never left out.  A row
 * that was not in the earlier sample is, as CSV, counted from the trace's beginning, and its window says
 * so: sums over all rows since the beginning are the newest counters.
 *
 * The caller runs the loop: xm_log_step() does what there is to do and says when it wants to go on.  It
 * reads no clock and does not sleep.
 *
 * Threads: one log, one thread.
 */
#ifndef XM_LOG_H
#define XM_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "xenmon/status.h"

enum xm_log_format {
    XM_LOG_XENMON, /* upstream's 16 columns, a file for each domain and one for idle */
    XM_LOG_CSV     /* one stream, a row for each vCPU and interval */
};

#define XM_LOG_ALL_CPUS (-1)  /* a row for each domain */
#define XM_LOG_EACH_CPU (-2)  /* a row for each domain and pCPU that it ran or waited on */

struct xm_log_config {
    const char *path;          /* of the region */
    enum xm_log_format format;
    uint64_t interval_ns;      /* at least so long; 0: every sample */
    uint64_t duration_ns;      /* of real time; 0: for ever */
    uint64_t hz;               /* rate to count with; 0: the region's */
    int64_t cpu;               /* XM_LOG_XENMON: XM_LOG_ALL_CPUS, XM_LOG_EACH_CPU or a pCPU's number */
    bool from_start;           /* from the trace's beginning, or what the region still has of it; else from now on */
    bool exit_at_end;          /* end when the source does; what is replayed ends there in any case */
    FILE *out;                 /* XM_LOG_CSV: borrowed */

    /*
     * XM_LOG_XENMON: opens the file called `name` ("dom5", "idle"), anew the first time, to append else.
     * NULL: cannot, errno says why.  The log closes it.
     */
    FILE *(*open)(void *user, const char *name, bool append);
    /* What the user should know about the region; one line, no line break.  May be NULL. */
    void (*say)(void *user, const char *text);
    void *user;
};

struct xm_log;

/*
 * Attaches to the region.  config is copied.  On failure *log is NULL and err says why: XM_IO (no region,
 * no permission), XM_UNSUPPORTED, XM_DAMAGED (not a region), XM_NOMEM.
 */
enum xm_status xm_log_create(const struct xm_log_config *config, struct xm_log **log, struct xm_error *err) XM_MUST_CHECK;
void xm_log_destroy(struct xm_log *log); /* NULL is fine */

/*
 * Writes the intervals that are complete.  now_ns: CLOCK_MONOTONIC, never going back.
 * XM_AGAIN: nothing to do before *wake_ns; XM_END: the source has ended or the time is up, all is written;
 * XM_IO: a file takes no more (errno), or --exit-at-end and xenbaked died (errno 0); XM_UNSUPPORTED: no rate
 * is known and none will be, or the region became one that cannot be read; XM_NOMEM.
 * Cost: the new samples are copied; O(rows) for each interval.  Allocates only when the region has grown.
 */
enum xm_status xm_log_step(struct xm_log *log, uint64_t now_ns, uint64_t *wake_ns, struct xm_error *err) XM_MUST_CHECK;

/* The user wants no more: writes the interval that has begun.  XM_OK or XM_IO. */
enum xm_status xm_log_finish(struct xm_log *log, struct xm_error *err) XM_MUST_CHECK;

#endif
