/* SPDX-License-Identifier: MIT */
/*
 * The Xen trace decoder: bytes as xentrace writes them in, events in one time order out.
 *
 *     struct xm_stream *s = xm_stream_create(&(struct xm_stream_config){0});
 *     while (more bytes) {
 *         size_t used;
 *         xm_stream_push(s, bytes, n, &used);           // any split, also one byte at a time
 *         while (xm_stream_run(s, &events, &count) == XM_OK)
 *             ...                                        // events[0 .. count-1], oldest first
 *     }
 *     xm_stream_finish(s);                               // then run until XM_END
 *
 * The decoder does no I/O and reads no clock.  It understands the variable record format of Xen 3.2
 * to today and the fixed formats of Xen 3.0 and 3.1 (32 and 64 bit), told apart by their first bytes
 * (reference: the Xen trace ABI, xen/include/public/trace.h; doc/trace-format.md, sections 1.2 to 1.7).
 *
 * Order.  Every CPU's records are in TSC order; across CPUs nothing is.  Events are released sorted by
 * (TSC, CPU) once no CPU can still deliver an older one: see enum xm_order.  A record whose TSC is
 * behind its CPU's last one, or behind what was already released, is clamped to it and counted.
 *
 * Damage.  Bytes that contradict the format are skipped up to the next place that makes sense, counted,
 * and described by xm_stream_error() with the offset of the first.  What was lost with them is an
 * XM_EV_GAP_OPEN / XM_EV_GAP_CLOSE pair on the CPUs concerned, as if Xen itself had lost records there.
 *
 * Threads: one stream is used by one thread at a time; streams are independent of each other.
 */
#ifndef XENMON_TRACE_H
#define XENMON_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"
#include "xenmon/units.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Domain ids are 16 bits; 32767 is the idle domain, whose vCPU number is its pCPU's. */
#define XM_DOMID_IDLE 32767u
#define XM_DOMID_FIRST_RESERVED 0x7ff0u

enum xm_runstate { XM_RUNNING, XM_RUNNABLE, XM_BLOCKED, XM_OFFLINE };

/*
 * What an event means, in the words of today's Xen whatever the trace's age.  The payload is word[0] to
 * word[words - 1]; where older versions of Xen wrote no vCPU, `words` tells (see xm_event_vcpu()).
 */
enum xm_event_kind {
    XM_EV_NONE = 0,
    XM_EV_RUNSTATE,     /* vcpu | dom << 16; the states are in from_to: old << 2 | new */
    XM_EV_CONTINUE,     /* vcpu | dom << 16: the scheduler ran and kept it */
    XM_EV_SWITCH,       /* prev dom, prev vcpu, next dom, next vcpu */
    XM_EV_INFPREV,      /* dom, [vcpu,] ran for ns (low 32 bits) */
    XM_EV_INFNEXT,      /* dom, [vcpu,] waited ns (wrong since Xen 4.13: do not use), slice ns (~0: none) */
    XM_EV_WAKE,         /* dom, vcpu: asked to wake */
    XM_EV_SLEEP,        /* dom, vcpu: asked to sleep (pause) */
    XM_EV_BLOCK,        /* dom, vcpu: about to block */
    XM_EV_YIELD,        /* dom, vcpu */
    XM_EV_SCHED_ADD,    /* dom [, vcpu: before Xen 4.7 one a vCPU] */
    XM_EV_SCHED_REM,    /* dom [, vcpu] */
    XM_EV_DOM_ADD,      /* dom: DOM0_DOM_ADD */
    XM_EV_DOM_REM,      /* dom: DOM0_DOM_REM */
    XM_EV_GRANT_MAP,    /* granting dom */
    XM_EV_GRANT_UNMAP,  /* granting dom */
    XM_EV_TRANSFER,     /* receiving dom [, pages: where a batch of them is one record] */
    XM_EV_GRANT_COPIES, /* copies in a grant_table_op hypercall, or in one of a multicall, of the vCPU that was
                           running there */
    XM_EV_GAP_OPEN,     /* from here on records of this CPU are missing */
    XM_EV_GAP_CLOSE,    /* they are back: number lost (0: damage, not known), dom, vcpu that was current there
                           (XM_NO_DOM where that is not known) */
    XM_EV_KINDS
};

#define XM_NO_VCPU UINT32_MAX
#define XM_NO_DOM UINT32_MAX

/* One event, 32 bytes.  word[] past `words` is unspecified. */
struct xm_event {
    xm_cycles tsc;   /* never less than that of the event before it */
    uint16_t cpu;    /* the buffer it was found in; for a wake-up that is the waker's pCPU */
    uint8_t kind;    /* enum xm_event_kind */
    uint8_t words;   /* payload words of the record, 0..7; the first four are below */
    uint8_t from_to; /* XM_EV_RUNSTATE: old runstate << 2 | new runstate */
    uint8_t legacy;  /* 1: from a Xen older than 3.4, which had no runstate records */
    uint16_t reserved;
    uint32_t word[4];
};

enum xm_order {
    /* Nothing is released before every CPU seen so far has delivered something newer: exact for any
     * file, whatever was lost where.  A CPU that falls silent holds the others back until
     * config.max_held events wait; from there on it is no longer waited for until it speaks. */
    XM_ORDER_STRICT,
    /* Released as soon as the pass of the reader in which a CPU could have delivered something older is
     * complete (watermark rule, doc/trace-format.md 1.7): at most two polls late.  A CPU whose buffer has
     * been full since its last window, so that it may be losing records, is waited for as in strict order.  For a
     * live stream. */
    XM_ORDER_PROMPT
};

struct xm_stream_config {
    enum xm_order order;
    uint32_t max_cpus;        /* highest CPU number + 1 that is believed; 0: 4096; at most 65536 */
    uint32_t max_held;        /* events held back for ordering; 0: 2^21 (64 MiB); at least 4096 */
    uint32_t kinds;           /* bits 1 << enum xm_event_kind: what is wanted; 0: all.  Gaps always come */
    xm_cycles shift;          /* added to every TSC: a trace that is replayed again goes on in time */
    uint32_t buffer_bytes;    /* what a CPU's trace buffer holds, for XM_ORDER_PROMPT; 0: any number of pages */
    xm_cycles max_jump;       /* a TSC further ahead than this is damage; 0: 1 h at 2.4 GHz; at most 2^50 */
};

/* Classes of event number, in the order of their bits 16 to 27 (trace.h: TRC_GEN .. TRC_GUEST). */
#define XM_CLASSES 12
const char *xm_class_name(unsigned index); /* "gen", "sched", ... ; NULL beyond the last */

/* What a stream has seen so far.  Plain values. */
struct xm_stream_stats {
    uint64_t bytes;          /* pushed and accepted */
    uint64_t records;        /* all but fillers and CPU_CHANGE */
    uint64_t lost_records;   /* sum over LOST_RECORDS */
    uint64_t damaged_bytes;  /* skipped because they made no sense; a torn record at the end */
    uint64_t damages;        /* places where that happened */
    uint64_t short_records;  /* payload shorter than their event needs; ignored */
    uint64_t backwards;      /* TSC behind its CPU's last one: clamped */
    uint64_t stragglers;     /* TSC behind what was already released: clamped */
    uint64_t late_gaps;      /* gaps that turned out to have begun before what was already released */
    uint64_t by_class[XM_CLASSES];
    xm_cycles first_tsc;     /* smallest and largest TSC of any record; 0, 0 before the first */
    xm_cycles last_tsc;
    uint32_t cpus;           /* highest CPU number seen + 1 */
    bool fixed_format;       /* written by Xen 3.0 or 3.1 */
    bool seen_mem;           /* any record of class MEM: grant events would have been seen */
    bool seen_pv;            /* any record of class PV: hypercalls would have been seen */
};

struct xm_stream;

/*
 * Makes a stream; config may be NULL (all defaults, strict order).  NULL when out of memory or a value
 * is out of range.  Memory: a few KiB, 32 bytes per event held back, never more than
 * max_held * 32 bytes plus one push (64 KiB at most is taken at a time).
 */
struct xm_stream *xm_stream_create(const struct xm_stream_config *config);
void xm_stream_destroy(struct xm_stream *s); /* NULL is fine */

/*
 * Takes bytes.  *used is set to how many were taken, which may be fewer than `size`: then drain with
 * xm_stream_run() and push the rest.  The bytes are not referred to afterwards.
 * XM_OK; XM_DAMAGED when reading cannot go on at all (not a trace; no sense in 16 MiB; xm_stream_error()
 * says where), and from then on for every push; XM_NOMEM.
 * Cost: about 5 ns a record on today's machines, no allocation once the queues have grown.
 */
enum xm_status xm_stream_push(struct xm_stream *s, const void *bytes, size_t size, size_t *used) XM_MUST_CHECK;

/*
 * No more bytes will come: everything held is released.  Returns XM_OK, or XM_DAMAGED when the input
 * had damage anywhere or ended in the middle of something.
 */
enum xm_status xm_stream_finish(struct xm_stream *s) XM_MUST_CHECK;

/*
 * The reader of a live source finished a pass over all CPUs, or waited in vain: completes the pass for
 * XM_ORDER_PROMPT without waiting for the next window.  Does nothing in the middle of a window.
 */
void xm_stream_pass_end(struct xm_stream *s);

/*
 * This CPU will have records: in strict order nothing is released before its first one is there.  Without it a CPU
 * whose first window comes late may have lost records at a time that was thought complete (stats.late_gaps).
 */
enum xm_status xm_stream_expect(struct xm_stream *s, uint32_t cpu) XM_MUST_CHECK;
bool xm_stream_seen(const struct xm_stream *s, uint32_t cpu); /* it has had a record with a TSC */

/* From the next push on only these kinds come, as config.kinds: a reader that has seen enough of one saves its cost. */
void xm_stream_want(struct xm_stream *s, uint32_t kinds);

/*
 * The next run of events in order.  *events stays valid until the next call with this stream.
 * XM_OK: 1 or more events; XM_AGAIN: nothing can be released yet; XM_END: after finish, all is out.
 */
enum xm_status xm_stream_run(struct xm_stream *s, const struct xm_event **events, size_t *count) XM_MUST_CHECK;

/* The time up to which every event has been handed out; 0 at the start, last_tsc at the end. */
xm_cycles xm_stream_watermark(const struct xm_stream *s);

/* Counts up to now: never NULL, borrowed, valid as long as the stream and brought up to date by every call. */
const struct xm_stream_stats *xm_stream_stats(const struct xm_stream *s);

/* The first damage (status XM_OK if there was none).  Valid as long as the stream. */
const struct xm_error *xm_stream_error(const struct xm_stream *s);

/*
 * ---- One record, for those who want no stream.
 *
 * Header word: bits 27..0 event, 30..28 number of extra words, 31 TSC present (variable format).
 */
struct xm_record {
    uint32_t event;    /* class, subclass and minor: bits 27..0 */
    bool has_tsc;
    uint8_t words;     /* 0..7 */
    xm_cycles tsc;     /* 0 without has_tsc */
    uint32_t word[7];
};

#define XM_RECORD_MAX_BYTES 40

/*
 * Reads one record from at most `size` bytes.  *used: its length, 4 to 40, a multiple of 4.
 * XM_OK; XM_AGAIN: the bytes end before the record does.
 */
enum xm_status xm_record_read(const void *bytes, size_t size, struct xm_record *record, size_t *used) XM_MUST_CHECK;

/* Writes one record; returns its length, or 0 when `size` is too small or words > 7. */
size_t xm_record_write(const struct xm_record *record, void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
