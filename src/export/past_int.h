/* SPDX-License-Identifier: MIT */
/*
 * Values over time while they are put together: a table of domains and steps that the region and the durable
 * history both fill.
 */
#ifndef XM_EXPORT_PAST_INT_H
#define XM_EXPORT_PAST_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/past.h"
#include "view/view.h"
#include "xenmon/region.h"

#define XM_PAST_CELLS 4000000u /* values of one table, shown or not: 32 MB */

struct xm_past {
    const struct xm_host_snapshot *snapshot; /* borrowed */
    struct xm_region *region;
    struct xm_region_info info;
    struct xm_sample sample[3]; /* two ends, and what lies between */
};

/* What a region's outcome that is not XM_REGION_OK is: XM_AGAIN, and its name. */
enum xm_status xm_past_not_now(enum xm_region_outcome outcome, struct xm_error *err);

/*
 * So long before `window`, as host.window counts; 0: before the trace.  Samples do not come to the
 * microsecond: half of their interval more makes it the nearest one that is found.
 */
uint64_t xm_past_back_by(const struct xm_past *past, enum xm_series series, uint64_t window, uint64_t ns);

/* What pCPUs did, all together. */
enum { XM_PAST_BUSY, XM_PAST_SWITCHING, XM_PAST_IDLE, XM_PAST_UNKNOWN, XM_PAST_CPU };

/* What is known of one step so far: several windows may be in it, of several runs of xenbaked. */
struct xm_past_step {
    bool begun;
    size_t at, steps; /* which, and over how many it goes: samples may lie further apart */
    bool coarse, no_peaks;
    bool no_sums;      /* they are in another step */
    uint64_t known_ns; /* of the time that the steps stand for */
    struct xm_usage usage;
};

/* A domain. */
struct xm_past_line {
    uint64_t lineage; /* the run of xenbaked that `row` is of */
    uint64_t row;     /* its id in samples: domid and instance */
    char name[64];    /* "": not known; any bytes */
    uint32_t slot;    /* in the region's newest sample; UINT32_MAX: it is not there */
    double *value;    /* [metric][point], then its coverage; NAN: not known */
    uint64_t running_ns;
    struct xm_past_step step;
};

struct xm_past_table {
    const struct xm_fields *fields;          /* borrowed */
    const struct xm_past_question *question; /* borrowed */
    uint64_t step_ns;
    size_t points;
    struct xm_past_line *line;
    size_t lines, room;
    double *cpu[XM_PAST_CPU]; /* [point]; NAN: not known */
    bool *coarse;             /* [point]; what is known is of a longer stretch than this step */
    size_t cpu_at;            /* the step that is being added up: */
    size_t cpu_steps;
    uint64_t cpu_ns[XM_PAST_CPU];
    size_t durable; /* leading steps that the durable history answered */
};

/* The number of a run of xenbaked as /api/v1/version has it. */
json_t *xm_json_run(uint64_t lineage);

/* From when to when a step goes, of CLOCK_REALTIME. */
uint64_t xm_past_begin(const struct xm_past_table *table, size_t point);
uint64_t xm_past_end(const struct xm_past_table *table, size_t point);

/*
 * Another domain, of which nothing is known yet.  *line: its index.  XM_OK; XM_LIMIT: more values than a
 * table has; XM_NOMEM.
 */
enum xm_status xm_past_add_line(struct xm_past_table *table, const struct xm_past_line *like, size_t *line,
                                struct xm_error *err) XM_MUST_CHECK;

/*
 * What a domain did in a window that stands for `steps` steps from `at` on.  Windows of one step come one
 * after the other and add up.  coarse, no_peaks: as in struct xm_usage_of.
 */
void xm_past_put(struct xm_past_table *table, size_t line, size_t at, size_t steps,
                 const struct xm_usage *usage, bool coarse, bool no_peaks);

/* The same of all pCPUs. */
void xm_past_put_cpus(struct xm_past_table *table, size_t at, size_t steps, const struct xm_window *window);

/* What was put is settled: values are there.  After the last window, and before a window of another source. */
void xm_past_settle(struct xm_past_table *table);

/*
 * Fills the first `steps` steps from the durable history; finds its domains among the lines of the region
 * (whose run is `lineage`), names those that have no name, and adds those that are not there any more.  XM_OK, also where it has nothing of
 * that time; XM_AGAIN: it cannot be read: err says why; XM_LIMIT; XM_NOMEM; XM_UNSUPPORTED: this program has
 * none.  Cost: rows of domains and pCPUs of all samples that bound a step, some 5 us each.
 */
enum xm_status xm_past_durable(const char *directory, struct xm_past_table *table, size_t steps,
                               uint64_t lineage, struct xm_error *err) XM_MUST_CHECK;

#endif
