/* SPDX-License-Identifier: MIT */
/*
 * The log: what happened, interval by interval, from the region of a running xenbaked.
 *
 * An interval is the difference of two samples that are at least its length apart, so intervals follow each
 * other without a seam: what a slow reader misses makes an interval longer, it is never left out.  A row
 * that was not in the earlier sample is, as CSV, counted from the trace's beginning, and its window says
 * so: sums over all rows since the beginning are the newest counters.  Percentages, rates and averages are of
 * the interval alone in every row.  Cycles whose rate is not known yet wait in the region until it is.
 *
 * An interval is written as a whole or not at all; a pipe or terminal that failed in the middle of one, and so
 * has half of it for good, ends the log.  Where a stream takes no more and the log keeps going, the
 * next interval that is written begins where the last one that was written ended: time is never left
 * out.  Upstream's files, which are many, go without.
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

#include "front/log/log_select.h"
#include "xenmon/status.h"

enum xm_log_format {
    XM_LOG_XENMON, /* upstream's 16 columns, a file for each domain and one for idle */
    XM_LOG_CSV,    /* one stream, a row for each vCPU, or domain, and interval */
    XM_LOG_JSONL,  /* one stream, an object and line for each interval */
    XM_LOG_TABLE   /* one stream, a table for each interval, as xentop -b prints */
};

#define XM_LOG_ALL_CPUS (-1)  /* a row for each domain */
#define XM_LOG_EACH_CPU (-2)  /* a row for each domain and pCPU that it ran or waited on */

enum xm_log_per { XM_LOG_PER_VCPU, XM_LOG_PER_DOMAIN };

/* What a table has beyond a line for each domain. */
#define XM_LOG_TABLE_FULL_NAMES 1u
#define XM_LOG_TABLE_REPEAT_HEADER 2u /* before each domain */
#define XM_LOG_TABLE_NETWORKS 4u
#define XM_LOG_TABLE_DISKS 8u

struct xm_log_config {
    const char *path;          /* of the region */
    enum xm_log_format format;
    enum xm_log_per per;       /* CSV: rows; JSONL and TABLE: vCPUs beneath each domain, or not */
    unsigned table;            /* XM_LOG_TABLE: XM_LOG_TABLE_* */
    struct xm_selection selection; /* CSV and JSONL: with its metrics; XENMON: of domains only; TABLE: either */
    uint64_t interval_ns;      /* at least so long; 0: every sample */
    uint64_t duration_ns;      /* of real time; 0: for ever */
    uint64_t count;            /* of intervals; 0: any number */
    uint64_t hz;               /* rate to count with; 0: the region's */
    int64_t cpu;               /* XM_LOG_XENMON: XM_LOG_ALL_CPUS, XM_LOG_EACH_CPU or a pCPU's number */
    bool from_start;           /* from the trace's beginning, or what the region still has of it; else from now on */
    bool exit_at_end;          /* end when the source does; what is replayed ends there in any case */
    bool keep_going;           /* when a file takes no more: go on, and try again at the next interval */

    /*
     * Opens the file called `name` ("dom5", "idle"; NULL: the stream), anew the first time, `again` to
     * append.
     * Returns a descriptor, which is the log's; -1: cannot, errno says why.
     */
    int (*open)(void *user, const char *name, bool again);
    /* Writes the path of that file, for messages. */
    void (*path_of)(void *user, const char *name, char *text, size_t size);
    /* Whether to end now: asked when a signal interrupts a write.  May be NULL: never. */
    bool (*enough)(void *user);
    /* What the user should know about the region or the files; one line, no line break.  May be NULL. */
    void (*say)(void *user, const char *text);
    void *user;
};

/*
 * Prints what every stream of this configuration begins with, so that it can be told whether a file is one:
 * the csv's header, the first letters of the others.
 */
void xm_log_beginning(const struct xm_log_config *config, FILE *out);

struct xm_log;

/*
 * Attaches to the region and opens the stream.  config is copied, what it points to must outlive the log.  On
 * failure *log is NULL and err says why: XM_IO (no region, no permission; or the stream cannot be opened),
 * XM_UNSUPPORTED, XM_DAMAGED (not a region), XM_NOMEM.
 */
enum xm_status xm_log_create(const struct xm_log_config *config, struct xm_log **log, struct xm_error *err) XM_MUST_CHECK;
void xm_log_destroy(struct xm_log *log); /* NULL is fine */

/*
 * Writes the intervals that are complete.  now_ns: CLOCK_MONOTONIC, never going back.
 * XM_AGAIN: nothing to do before *wake_ns; XM_END: the source has ended, or the time or the count is up, all
 * is written; XM_IO: a file takes no more (errno; err names it), or exit_at_end and xenbaked died (errno 0);
 * XM_UNSUPPORTED: no rate is known and none will be, or the region became one that cannot be read; XM_NOMEM.
 * Cost: the new samples are copied; O(rows) for each interval.  Allocates only when the region has grown.
 */
enum xm_status xm_log_step(struct xm_log *log, uint64_t now_ns, uint64_t *wake_ns, struct xm_error *err) XM_MUST_CHECK;

/*
 * The user wants no more: writes the interval that has begun, and closes the stream.  XM_OK or XM_IO, as
 * above.  To be called after XM_END too, when only closing is left to do.
 */
enum xm_status xm_log_finish(struct xm_log *log, struct xm_error *err) XM_MUST_CHECK;

/*
 * The stream's file may have been renamed: closes it, and opens the one that has its name now.  Nothing to do
 * for upstream's files, which are opened at every interval.  XM_OK; XM_IO: cannot be opened, err says why.
 */
enum xm_status xm_log_reopen(struct xm_log *log, struct xm_error *err) XM_MUST_CHECK;

/* Records that there were, and records lost, in the intervals that have been written. */
void xm_log_loss(const struct xm_log *log, uint64_t *lost, uint64_t *records);

#endif
