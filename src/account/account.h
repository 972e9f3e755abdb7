/* SPDX-License-Identifier: MIT */
/*
 * What the events mean: where every vCPU's and every pCPU's time went (doc/accounting.md).
 *
 * Events go in, in time order; samples come out.  Pure: no I/O, no clock, no allocation but in
 * create and grow.  The account is driven by whoever runs the loop (src/source/bake.h).
 *
 * Conservation holds by construction: a row's time is only ever moved forward by settling it up to an
 * instant, which adds the whole elapsed span to exactly one of its states.
 *
 * Published counters never go back.  While a vCPU's state is not known (at the start, after a gap) its
 * time goes into `unknown`; what a later record reveals about it is added to `late_*`, a subset of
 * unknown.  Totals are counters plus late: xm_account_total() turns a sample into them.
 *
 * Threads: one account, one thread.
 */
#ifndef XM_ACCOUNT_H
#define XM_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/trace.h"
#include "xenmon/units.h"

/* Kinds of contradiction; each is counted, none is fatal (law 4). */
enum xm_anomaly {
    XM_ANOMALY_STATE,      /* the record's old state is not the tracked one */
    XM_ANOMALY_SKEW,       /* the same, explained: two records of a vCPU came in the wrong order */
    XM_ANOMALY_EVICTED,    /* a dispatch on a pCPU that still had an occupant */
    XM_ANOMALY_TWICE,      /* a dispatch of a vCPU that was running elsewhere */
    XM_ANOMALY_FOREIGN,    /* a departure found in another pCPU's buffer (core scheduling, skew) */
    XM_ANOMALY_REUSED,     /* a domain was created whose id was still alive: its end was not seen */
    XM_ANOMALY_RESERVED,   /* a record of a domain or vCPU number that cannot exist */
    XM_ANOMALY_TIME,       /* an event older than the one before it */
    XM_ANOMALIES
};
const char *xm_anomaly_name(unsigned kind); /* "state", "skew", ...; NULL past the last */

/* Number of a vCPU within its domain that is still believed. */
#define XM_MAX_VCPU_NUMBER 8192u

struct xm_account;

/*
 * capacity: rows of each kind there is room for, each 1 to 2^20.  NULL when out of memory or range.
 * Memory: xm_account_bytes().
 */
struct xm_account *xm_account_create(struct xm_capacity capacity);
void xm_account_destroy(struct xm_account *a); /* NULL is fine */
size_t xm_account_bytes(struct xm_capacity capacity);

/* Makes room; never shrinks.  Slots keep their numbers.  XM_NOMEM leaves the account as it was. */
enum xm_status xm_account_grow(struct xm_account *a, struct xm_capacity capacity) XM_MUST_CHECK;
struct xm_capacity xm_account_capacity(const struct xm_account *a);

/* Past its capacity the account either stops with XM_FULL (false, the default) or leaves the newcomer out and counts it. */
void xm_account_refuse(struct xm_account *a, bool refuse);

/* The instant at which the window begins: the trace's first TSC.  Before the first event. */
void xm_account_begin(struct xm_account *a, xm_cycles start);

/*
 * Takes events, oldest first.  *used: how many were taken.
 * XM_OK: all; XM_FULL: the next one needs a larger capacity (*want says which): grow and go on from there.
 * Cost: some 20 ns an event that changes a state, independent of how many rows there are, but a gap's
 * beginning and end, which touch every vCPU.
 */
enum xm_status xm_account_events(struct xm_account *a, const struct xm_event *events, size_t count, size_t *used,
                                 struct xm_capacity *want) XM_MUST_CHECK;

/*
 * Tells that this vCPU exists, though no record has named it so far: a live host's own list.  One that is known is left
 * alone.  state: what the host said it was in, at `told` or later, but not after `now`; told 0: that cannot be relied on.
 * Every event up to now has been taken, and where every pCPU is traced it has been in that state since the window began or
 * the last gap closed: a change would have left a record (law 3).  Where a gap closed after `told`, before the
 * first runstate record, and for one that runs, the state is a best guess and its time unknown.
 * `now` becomes the account's: an event that is older is taken as of then, and is an anomaly.
 * XM_OK, also for numbers that cannot be; XM_FULL as in xm_account_events().
 */
enum xm_status xm_account_introduce(struct xm_account *a, uint32_t domid, uint32_t vcpu, enum xm_runstate state,
                                    xm_cycles told, xm_cycles now, struct xm_capacity *want) XM_MUST_CHECK;

/* Whether a vCPU of that number has a row, of a domain that lives. */
bool xm_account_knows(const struct xm_account *a, uint32_t domid, uint32_t vcpu);

/* The domain is no more, as of `now`, as above: for a trace that does not tell ends.  Nothing where there is none. */
void xm_account_gone(struct xm_account *a, uint32_t domid, xm_cycles now);

/*
 * Fills `sample` with everything as of `now` (not before the last event): what is running at that
 * moment counts as running up to it.  PEAK and TROUGH metrics cover the time since the last call with
 * `end_interval` set and begin anew.  The host row's tsc and window are set, its other members left alone
 * except anomalies, gap and refused.  `sample` needs at least the account's capacity.  O(rows).
 */
void xm_account_sample(struct xm_account *a, xm_cycles now, bool end_interval, struct xm_sample *sample);

/*
 * The trace has ended at `now`: settles what only the end can tell (a vCPU that LOST_RECORDS named as
 * current and that has no later record was running).  After this only sample and the getters are called.
 */
void xm_account_finish(struct xm_account *a, xm_cycles now);

/* Adds late to the counters and takes it from unknown, in every row of the sample. */
void xm_account_total(struct xm_sample *sample);

/* Full histograms of one vCPU, in cycles: XM_HIST_BUCKETS counts, borrowed until grow or destroy. */
const uint64_t *xm_account_histogram(const struct xm_account *a, uint32_t vcpu_slot, enum xm_hist_kind kind);

/* How often that kind of contradiction was met; 0 for a kind that does not exist. */
uint64_t xm_account_anomalies(const struct xm_account *a, enum xm_anomaly kind);

/* States come from runstate records, or, where there are none, from SWITCH, WAKE, BLOCK and SLEEP. */
bool xm_account_from_switch(const struct xm_account *a);
bool xm_account_from_runstate(const struct xm_account *a); /* both false: neither kind of record so far */

/* Facts of the domain in a slot (id 0: free). */
struct xm_account_domain {
    uint64_t id;
    xm_cycles created; /* 0: before the trace */
    xm_cycles ended;   /* 0: alive */
};
struct xm_account_domain xm_account_domain(const struct xm_account *a, uint32_t slot);

/* Number of domains whose end was seen. */
uint64_t xm_account_ends(const struct xm_account *a);

/* Frees the slots of domains that ended before `before`; they are in no later sample. */
void xm_account_reap(struct xm_account *a, xm_cycles before);

/*
 * The TSC rate that the trace itself reveals (doc/accounting.md), 0 while there are too few executions.
 * Sorts a bounded reservoir of samples: call it now and then, not per event.
 */
uint64_t xm_account_calibrate(const struct xm_account *a);

#endif
