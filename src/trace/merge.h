/* SPDX-License-Identifier: MIT */
/*
 * Many CPUs' events into one time order.
 *
 * Each CPU has a queue in its own order; a heap of CPUs keyed by (TSC of the head, CPU) gives the next run.
 * What may be released is bounded by what could still arrive: see enum xm_order in xenmon/trace.h, and our
 * notes 1.7 for why the end of pass k makes everything up to the largest TSC of pass k-1 complete.
 *
 * Invariants: a queue's events never go back in TSC; nothing is appended at or before `released`.
 */
#ifndef XM_TRACE_MERGE_H
#define XM_TRACE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "xenmon/trace.h"

/* How many passes a CPU that may be losing records is waited for before it is taken to be idle. */
#define XM_FULL_PASSES 100

struct xm_cpu {
    bool seen;    /* has had a record with a TSC */
    bool expected; /* in strict order: is waited for before its first record, too */
    bool quiet;   /* silent for so long that nobody waits for it any more */
    uint8_t full; /* its buffer has been full since its last window, records may be missing behind it: passes to wait */
    bool gap;     /* a GAP_OPEN is queued, its GAP_CLOSE not yet */
    uint32_t gap_lost;      /* how many the pending gap lost, 0: damage */
    uint64_t last;          /* largest TSC so far, clamping included */
    uint64_t last_recorded; /* the same without clamping to `released` */
    uint64_t leap;          /* TSC of a record that leapt ahead, 0 none */
    uint64_t window_end;    /* last when its newest window ended */
    uint64_t window_pass;   /* the pass in which that window came, */
    uint32_t window_bytes;  /* and its size */
    struct xm_event *queue;
    size_t head, tail, room;
};

struct xm_merge {
    enum xm_order order;
    struct xm_cpu *cpu;  /* [cpus] */
    uint32_t cpus;       /* highest seen + 1 */
    uint32_t room;       /* allocated */
    uint32_t *heap;      /* CPUs with a non-empty queue */
    uint32_t heap_size;
    size_t held;         /* events queued */
    size_t max_held;
    uint64_t passes;     /* complete so far */
    uint64_t pass_max;   /* largest TSC of the current pass, */
    uint64_t pass_before;/* of the one before, */
    uint64_t complete;   /* and up to where passes say that everything is in hand */
    uint64_t released;   /* every event up to here is out */
    uint64_t upto;       /* cached safe_upto(), */
    bool stale;          /* unless something arrived since */
    bool finished;
};

/* Makes CPU `cpu` exist, with room for `events` more in its queue.  XM_NOMEM leaves all as it was. */
enum xm_status xm_merge_reserve(struct xm_merge *m, uint32_t cpu, size_t events) XM_MUST_CHECK;

/* Events were written at queue[tail ..]: takes `count` of them in. */
void xm_merge_commit(struct xm_merge *m, uint32_t cpu, size_t count);

/* One event; room must have been reserved. */
void xm_merge_append(struct xm_merge *m, const struct xm_event *event);

/* CPUs' last TSCs, passes or `finished` have changed: what may be released is worked out anew. */
void xm_merge_changed(struct xm_merge *m);

/* A pass over all CPUs is complete. */
void xm_merge_pass(struct xm_merge *m);

/* The next run, as xm_stream_run(). */
enum xm_status xm_merge_run(struct xm_merge *m, const struct xm_event **events, size_t *count) XM_MUST_CHECK;

/* Frees what the queues hold; a zeroed merge is fine. */
void xm_merge_fini(struct xm_merge *m);

#endif
