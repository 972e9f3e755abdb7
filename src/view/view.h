/* SPDX-License-Identifier: MIT */
/*
 * Windows and derived values: what every front end prints from.
 *
 * A window is the difference of two samples of one lineage.  A usage is what one subject (a vCPU, a
 * domain, a domain on one pCPU, a pCPU) did in it, in ns whose parts add up exactly: cycles are
 * subtracted first and scaled then, as prefix sums (doc/accounting.md).
 *
 * Pure: no I/O, no allocation.
 */
#ifndef XM_VIEW_H
#define XM_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/sample.h"
#include "xenmon/units.h"

/* Two samples, `from` may be NULL: since the trace began.  Borrowed. */
struct xm_window {
    const struct xm_sample *from;
    const struct xm_sample *to;
    const struct xm_scale *scale;
    uint32_t io_seen; /* XM_IO_SEEN_* of the region or the trace */
    bool no_peaks;    /* `to` has not the peaks of the whole window: usages have none */
};

/* What a counter counted between two samples.  It never goes back; where a damaged region says so, nothing passed. */
static inline uint64_t xm_counted(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

/* Whether the domain in `slot` had ended before the window began: it has no part in its sums. */
bool xm_window_was_over(const struct xm_window *w, uint32_t slot);

/* A count that may not be known: law 7, "never a false zero". */
struct xm_maybe {
    bool known;
    uint64_t count;
};

struct xm_io {
    struct xm_maybe transfers, maps, unmaps, copies;
};

/*
 * What the toolstack and dom0's kernel say of a domain.  Traffic is in the domain's own direction, and what
 * was counted within the window; known where dom0's kernel serves the devices.
 */
struct xm_told {
    struct xm_maybe online;      /* vCPUs not unplugged */
    struct xm_maybe paused;      /* 1: by the toolstack */
    struct xm_maybe weight, cap; /* cap: percent of one pCPU, 0: none; known where the weight is */
    struct xm_maybe received_bytes, received_packets, sent_bytes, sent_packets;
    struct xm_maybe disk_reads, disk_writes, disk_read_bytes, disk_write_bytes;
    /*
     * CPU time by the hypervisor's own account, ns: what running_ns is to be held against.  Each bound is as of the
     * last list before the sample (doc/history.md says how old that is).
     */
    struct xm_maybe cpu_time_ns;
};

/*
 * What one subject did.  A row that is not in `from` was first seen within the window; from the window's
 * beginning to then it counts as offline where it is known not to have existed, as unknown else.  So the
 * states of every vCPU add up to the window, always.
 */
struct xm_usage {
    uint64_t id;        /* as in the row of `to` */
    uint32_t vcpus;     /* 1 for a vCPU; online or not, all that were seen */
    uint64_t window_ns; /* length of the window */
    uint64_t span_ns;   /* what the five states add up to: window x vCPUs */
    uint64_t running_ns, runnable_ns, blocked_ns, offline_ns, unknown_ns;
    uint64_t wait_wake_ns, wait_preempt_ns, wait_other_ns; /* add up to runnable_ns (slow series: all other) */
    uint64_t wait_any_ns;  /* domains; for a vCPU its runnable_ns */
    bool no_peaks;         /* not known: wait_max_ns, slice_min_ns and slice_max_ns are 0 then */
    uint64_t wait_max_ns;  /* longest wait that ended in the window (see xm_window_peaks) */
    uint64_t executions, migrations, preemptions, yields;
    uint64_t slices, slice_sum_ns;
    uint64_t slice_min_ns, slice_max_ns; /* 0 where slices == 0 */
    struct xm_io io;      /* with the domain's own pages; copies: those it issued, whosever pages; domains only */
    struct xm_io io_done; /* by its vCPUs; domains only */
    struct xm_told told;  /* domains, also on one pCPU; of a last execution nothing */
    uint32_t state;       /* & 15: enum xm_runstate, 4 unknown; & 16: >> 8 is the best guess; vCPUs only */
    uint32_t pcpu;        /* vCPUs: current or last pCPU + 1, 0 none; pairs: the pCPU + 1 */
    bool ended;
};

/* The paper's I/O count: page exchanges = transfers + grant maps.  Known where either is. */
struct xm_maybe xm_io_exchanges(const struct xm_io *io);

/*
 * False, and *u all 0, when the row of `slot` in `to` is unused.  Cost: O(1); a domain some of whose vCPUs
 * are not in `from` takes a walk over the vCPUs.
 */
bool xm_usage_vcpu(const struct xm_window *w, uint32_t slot, struct xm_usage *u);
bool xm_usage_domain(const struct xm_window *w, uint32_t slot, struct xm_usage *u);

/*
 * Whether what the domain did is kept by pCPU too: samples of the slow series, and those that come from the durable
 * history, have no pairs, and their zeros say nothing.  O(pCPUs).
 */
bool xm_window_has_pairs(const struct xm_window *w, uint32_t domain_slot);

/*
 * A domain on one pCPU: running, waits that ended there and executions are the pair's; blocked and the rest
 * are the domain's own, so that the states do not add up to anything.  Causes of waits are not kept by
 * pCPU: all are other.  False too where there are no pairs.
 */
bool xm_usage_pair(const struct xm_window *w, uint32_t domain_slot, uint32_t pcpu_slot, struct xm_usage *u);

/*
 * The last execution that ended of a vCPU, or of any vCPU of a domain: executions is 1, or 0 if there was
 * none.  The window is its period: blocked, waiting and running since the execution before.
 * io_done.transfers is all that it exchanged (transfers, maps and unmaps: they are not kept apart), the
 * other I/O components are not known; the cause of its wait is not kept: other.
 */
bool xm_usage_last_vcpu(const struct xm_window *w, uint32_t slot, struct xm_usage *u);
bool xm_usage_last_domain(const struct xm_window *w, uint32_t slot, struct xm_usage *u);

struct xm_pcpu_usage {
    uint32_t pcpu;
    uint64_t window_ns; /* busy + idle + switching + unknown */
    uint64_t busy_ns, idle_ns, switching_ns, unknown_ns, gap_ns;
    uint64_t executions, lost_records;
    struct xm_maybe buffer_fill; /* the highest of its trace buffer in the window, thousandths */
    uint64_t current;            /* as in the row */
};
bool xm_usage_pcpu(const struct xm_window *w, uint32_t slot, struct xm_pcpu_usage *u);

/* What reading the trace buffers took and met in the window; known: false where no live host was read. */
struct xm_reading {
    bool known;
    uint64_t window_ns;
    uint64_t passes, wakeups, own_cpu_ns, virqs;
    uint64_t bogus, stolen, repaired, dropped;
    struct xm_maybe fill; /* the highest of any buffer, thousandths */
    uint32_t fill_pcpu;   /* whose that was */
};
void xm_reading(const struct xm_window *w, struct xm_reading *r);

/*
 * Whether some vCPU of the domain was ready to run for nearly all of the window and none ever ran: what
 * must not get out of sight.
 */
bool xm_usage_starved(const struct xm_usage *u);

/*
 * PEAK and TROUGH metrics cover one sample interval each; a window's are those of all its samples.  Folds
 * `sample` (between from and to) into the peaks of `into`, which is a copy of `to` that the caller owns.
 * Rows are matched by slot and id.
 */
void xm_window_peaks(struct xm_sample *into, const struct xm_sample *sample);

/*
 * Percentile of a log-linear histogram: the middle of the bucket that holds the ceil(p * n)-th value, at most
 * 1/64 off; 0 when empty.  p: 0 < p <= 1.  after - before (before may be NULL) gives a window's.
 */
uint64_t xm_percentile(const uint64_t *after, const uint64_t *before, double p);

/* ---- The order of rows on paper: by domid, instance, vCPU number. */

struct xm_place {
    uint64_t key; /* what is sorted by */
    uint32_t slot;
};

/*
 * The used slots of a sample in order.  places: room for sample->used.vcpus (domains, pcpus) elements.
 * Returns how many there are.  O(n log n).
 */
size_t xm_order_vcpus(const struct xm_sample *sample, struct xm_place *places);
size_t xm_order_domains(const struct xm_sample *sample, struct xm_place *places);
size_t xm_order_pcpus(const struct xm_sample *sample, struct xm_place *places);

/* ---- The one table of columns. */

enum xm_column_type {
    XM_COL_TEXT,
    XM_COL_NS,      /* a duration: exact ns */
    XM_COL_PERCENT, /* of what its help says; 0 to 100 (x vCPUs) */
    XM_COL_COUNT,
    XM_COL_RATE,    /* per second */
    XM_COL_AVERAGE  /* ns or a count per execution, per I/O ... */
};

struct xm_cell {
    enum xm_column_type type;
    bool known;      /* false: print "-" (text), null (JSON), nothing (CSV) */
    uint64_t exact;  /* NS and COUNT */
    double value;    /* the others; also set for NS and COUNT */
};

struct xm_column {
    const char *id;    /* snake_case with its unit: "running_ns"; key in JSON and CSV header */
    const char *title; /* on screens, at most 10 cells wide */
    enum xm_column_type type;
    const char *help;  /* one sentence, says what a percentage is of */
    void (*get)(const struct xm_usage *u, struct xm_cell *cell);
};

const struct xm_column *xm_columns(size_t *count);
const struct xm_column *xm_column_find(const char *id); /* NULL: no such column */

#endif
