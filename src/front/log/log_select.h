/* SPDX-License-Identifier: MIT */
/*
 * What of all there is gets into a log: which domains, which metrics.
 *
 * Metrics are the columns of view's one table, and four that only a log has: what part of a row's unknown
 * time was later found to be what (late_running_ns and so on).
 */
#ifndef XM_LOG_SELECT_H
#define XM_LOG_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "view/view.h"
#include "xenmon/status.h"

#define XM_LOG_METRICS_MAX 128u

struct xm_log_metric {
    const char *id;                 /* key in JSON, header in CSV */
    const char *help;               /* one sentence */
    const struct xm_column *column; /* NULL: one of the late ones */
    unsigned late;                  /* column NULL: 0 running, 1 runnable, 2 blocked, 3 offline */
    bool of_domain;                 /* no vCPU has it: I/O, devices, what the toolstack says */
};

struct xm_selection {
    const char *const *domains; /* patterns, borrowed: see xm_selection_has() */
    size_t domain_count;        /* 0: all */
    struct xm_log_metric metric[XM_LOG_METRICS_MAX];
    size_t metrics; /* 0: none chosen yet */
};

/* The metric number `index` of all there are, in their order; false: there are no more. */
bool xm_log_metric(size_t index, struct xm_log_metric *metric);

/* What it counts in: "ns", "%", "count", "1/s", "ratio". */
const char *xm_log_metric_unit(const struct xm_log_metric *metric);

/*
 * Adds the metrics of `list`, ids between commas, in their order; one that is there already is not added
 * again.
 * XM_OK; XM_INVALID: `err` names the one that does not exist, and the nearest that does.
 */
enum xm_status xm_selection_add(struct xm_selection *selection, const char *list,
                                struct xm_error *err) XM_MUST_CHECK;

/*
 * All that is exact: durations and counts.  For a log of domains also what they alone have beside their
 * vCPUs' sums.
 */
void xm_selection_add_exact(struct xm_selection *selection, bool for_domains);

/*
 * Whether a domain is one of those asked for.  A pattern is its number, its name, its UUID (letters in any
 * case), or a shell pattern of its name ("web*").  name, uuid: "" where not known.
 */
bool xm_selection_has(const struct xm_selection *selection, uint32_t domid, const char *name,
                      const char *uuid);

/*
 * The word of `count` words that is nearest to `text`, by letters to be changed; NULL: none is near.  word(i)
 * gives the words.
 */
const char *xm_nearest(const char *text, const char *(*word)(size_t index), size_t count);

#endif
