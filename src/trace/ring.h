/* SPDX-License-Identifier: MIT */
/*
 * The trace buffer of one pCPU as Xen shares it (struct t_buf), and the table that says where the buffers are
 * (struct t_info): doc/trace-format.md 1.1.  Both ends: the consumer stands in front of a live Xen, the producer
 * behaves as Xen does and is what a simulated host and the tests write with.
 *
 * A buffer of N pages begins with two u32 indices, cons and prod; the data area behind them is
 * X = 4096 N - 8 bytes.  The indices run modulo 2X, so that equal means empty and X apart means full; data lies at
 * index mod X.  Records never straddle the area's end: a filler takes the rest.
 *
 * The producer stores prod with release after the record's bytes; the consumer loads it with acquire before it
 * reads them, and stores cons with release after; the producer loads that with acquire before it writes again.
 *
 * Nothing here allocates.  Threads: one producer and one consumer per buffer.
 */
#ifndef XM_TRACE_RING_H
#define XM_TRACE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"
#include "xenmon/trace.h"

#define XM_RING_PAGE_BYTES 4096u

/* The first eight bytes of a buffer. */
struct xm_ring_indices {
    _Atomic uint32_t cons;
    _Atomic uint32_t prod;
};

/* ---- Consumer. */

struct xm_ring {
    struct xm_ring_indices *index; /* borrowed, shared with the producer */
    const unsigned char *data;
    uint32_t bytes;                /* X */
    uint64_t bogus;                /* times the indices made no sense */
    uint32_t draining;             /* bytes of the window that xm_ring_drain() has begun, 0: none, */
    uint32_t drained;              /* and how many of them the stream has */
};

/*
 * Attaches to a mapped buffer.  buffer: 4-byte aligned, `pages` pages, borrowed as long as the ring is used.
 * XM_INVALID: no pages, or more than 65535.
 */
enum xm_status xm_ring_attach(struct xm_ring *ring, void *buffer, uint32_t pages) XM_MUST_CHECK;

/* What waits to be read: `part[0]`, and `part[1]` behind the wrap (0 bytes where there is none). */
struct xm_ring_window {
    struct {
        const unsigned char *bytes; /* in place; valid until consumed */
        uint32_t size;
    } part[2];
    uint32_t size; /* of both */
};

/*
 * Looks at the buffer.  XM_OK: window->size > 0; XM_AGAIN: it is empty; XM_DAMAGED: an index is no multiple of 4, not
 * below 2X, or they are more than X apart (counted in ring->bogus; xm_ring_resync() gets out of it).
 */
enum xm_status xm_ring_peek(struct xm_ring *ring, struct xm_ring_window *window) XM_MUST_CHECK;

/* Gives `size` bytes of the window back to the producer: a multiple of 4, at most window.size. */
void xm_ring_consume(struct xm_ring *ring, uint32_t size);

/* Throws away what is there: cons becomes prod, or 0 where prod itself is impossible.  False in the latter case. */
bool xm_ring_resync(struct xm_ring *ring);

/* How full the buffer is, 0 to 1000; 0 where the indices make no sense. */
unsigned xm_ring_fill_permille(const struct xm_ring *ring);

/*
 * Reads the whole window into the stream, as the window of `cpu`, and consumes it.  XM_OK; XM_AGAIN: nothing there;
 * XM_FULL: the stream holds as much as it may: xm_stream_run(), then call again to go on; XM_DAMAGED: bogus indices;
 * what the stream returns.  *taken: bytes consumed.
 */
enum xm_status xm_ring_drain(struct xm_ring *ring, uint32_t cpu, struct xm_stream *stream, uint32_t *taken) XM_MUST_CHECK;

/* ---- Producer. */

struct xm_ring_producer {
    struct xm_ring_indices *index;
    unsigned char *data;
    uint32_t bytes;          /* X */
    uint32_t lost;           /* records dropped since the last one that fitted */
    xm_cycles first_lost;    /* when the first of them was */
    uint64_t lost_total;
};

/* Takes an empty buffer of `pages` pages; both indices are set to 0.  XM_INVALID as above. */
enum xm_status xm_ring_produce(struct xm_ring_producer *ring, void *buffer, uint32_t pages) XM_MUST_CHECK;

enum xm_ring_put {
    XM_RING_PUT,        /* written */
    XM_RING_HIGH_WATER, /* written, and with it the buffer became more than half full: Xen raises VIRQ_TBUF */
    XM_RING_LOST,       /* no room: counted, to be told by a LOST_RECORDS before the next one that fits */
    XM_RING_BOGUS       /* the consumer's index makes no sense: nothing was written (Xen stops tracing then) */
};

/*
 * Writes a record as Xen does: a LOST_RECORDS first where some were dropped (naming `current`, vcpu << 16 | dom as in
 * its payload; Xen's vCPU that is current when it is written), fillers where the area's end is near.  now: the time
 * of writing, for records without a TSC of their own too.
 */
enum xm_ring_put xm_ring_put(struct xm_ring_producer *ring, const struct xm_record *record, xm_cycles now,
                             uint32_t current);

/* ---- t_info: where the buffers are. */

struct xm_tinfo {
    const unsigned char *bytes; /* borrowed */
    size_t size;
    uint32_t pages;             /* of each buffer */
    uint32_t cpus;              /* slots in the table; CPUs at or behind it have no buffer */
};

/*
 * Reads a mapped t_info of `size` bytes.  XM_AGAIN: no buffers have been allocated (no pages, or no CPU has any);
 * XM_DAMAGED: a list lies outside.
 */
enum xm_status xm_tinfo_read(struct xm_tinfo *info, const void *bytes, size_t size, struct xm_error *err) XM_MUST_CHECK;

/* Frame number of page `page` of the buffer of `cpu`; false where that CPU has no buffer. */
bool xm_tinfo_frame(const struct xm_tinfo *info, uint32_t cpu, uint32_t page, uint32_t *frame);

/*
 * Writes a t_info for CPUs 0 .. cpus - 1 whose buffers' pages are frames[cpu * pages ..]; present[cpu] false: that CPU
 * has none.  Returns the bytes needed; writes nothing where `size` is less.  See doc/trace-format.md 1.1.
 */
size_t xm_tinfo_write(void *bytes, size_t size, uint32_t cpus, uint32_t pages, const bool *present,
                      const uint32_t *frames);

#endif
