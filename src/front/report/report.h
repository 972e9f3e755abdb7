/* SPDX-License-Identifier: MIT */
/*
 * The report: all of a trace, or all that a running xenbaked has counted, in one go.
 *
 * Writes to the FILE it is given and nowhere else.
 */
#ifndef XM_REPORT_H
#define XM_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "view/view.h"
#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/trace.h"
#include "xenmon/units.h"

/* What is known of a domain besides its counters.  Borrowed until the next call; "" where not known. */
struct xm_report_domain {
    const char *name;
};

/* What is reported on.  Everything is borrowed for the time of the call. */
struct xm_report {
    const char *source;               /* file name or the like, as it is shown */
    const struct xm_sample *totals;   /* since the trace began, late already added (xm_account_total) */
    const struct xm_scale *scale;     /* with a rate */
    const char *hz_from;              /* "trace", "option" or "host" */
    const char *states_from;          /* "runstate" or "switch" */
    uint32_t io_seen;                 /* XM_IO_SEEN_* */
    const uint64_t *classes;          /* [XM_CLASSES] records by class, or NULL */
    const uint64_t *anomalies;        /* by kind, or NULL */
    const char *(*anomaly_name)(unsigned kind); /* NULL past the last */
    const struct xm_stream_stats *stats; /* NULL where the report is not on a trace */
    const struct xm_error *damage;    /* the first damage, status XM_OK for none; NULL: not known */
    const struct xm_region_info *region; /* what a region says of its host; NULL: the report is on a trace */
    uint64_t ends;                    /* domains whose end was seen */
    bool peaks_complete;              /* slice minima and maxima and the longest wait cover everything */

    /*
     * The cumulative histogram of a vCPU's waits, XM_HIST_BUCKETS counts, borrowed until the next call; NULL:
     * not known.
     */
    const uint64_t *(*waits)(void *user, uint32_t vcpu_slot);
    struct xm_report_domain (*domain)(void *user, uint32_t domain_slot); /* may be NULL */
    void *user;
};

enum xm_report_format { XM_REPORT_TEXT, XM_REPORT_JSON, XM_REPORT_CSV, XM_REPORT_FORMATS };

/*
 * Writes the report.  XM_OK; XM_NOMEM; XM_IO: `out` takes no more, errno is set.  Allocates in proportion
 * to the rows.
 */
enum xm_status xm_report_print(const struct xm_report *report, enum xm_report_format format, FILE *out) XM_MUST_CHECK;

#endif
