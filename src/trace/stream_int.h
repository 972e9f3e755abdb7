/* SPDX-License-Identifier: MIT */
/* What the two formats of a stream share.  See xenmon/trace.h for the contract. */
#ifndef XM_TRACE_STREAM_INT_H
#define XM_TRACE_STREAM_INT_H

#include "trace/format.h"
#include "trace/merge.h"

enum xm_stream_state {
    XM_AT_START,  /* nothing read: which format? */
    XM_AT_WINDOW, /* a CPU_CHANGE record is due */
    XM_IN_WINDOW, /* records of `cpu`, `left` bytes of them */
    XM_SKIPPING,  /* the rest of a damaged window */
    XM_SCANNING,  /* looking for a CPU_CHANGE record that makes sense */
    XM_IN_FIXED,  /* records of Xen 3.0 or 3.1 */
    XM_DEAD       /* reading cannot go on */
};

/* A window or fixed record header, a record that straddles two pushes, the first bytes of the file. */
#define XM_CARRY_BYTES 512u

struct xm_stream {
    enum xm_stream_state state;
    uint32_t cpu;         /* of the window or record being read */
    uint32_t last_window; /* CPU of the window before, ~0: none yet */
    uint32_t left;        /* bytes of the window not yet read */
    uint64_t offset;      /* of the next byte to be interpreted */
    uint64_t scanned;     /* bytes looked through in vain since the last good one */
    uint32_t buffer_bytes; /* what a buffer holds; 0: not known */
    uint32_t max_window;  /* largest window so far */
    bool losing;          /* behind the current window records may have been dropped */
    uint32_t fixed_bytes; /* size of a fixed record: 36 or 60 */
    bool finished;
    uint32_t max_cpus;
    uint64_t max_jump;
    uint64_t shift;
    size_t carried;       /* bytes in carry; their offset is `offset` */
    unsigned char carry[XM_CARRY_BYTES];
    struct xm_merge merge;
    struct xm_stream_stats stats;
    uint64_t by_class[4096]; /* records by event bits 27..16 */
    struct xm_error error;
    struct xm_wanted_table wanted;
};

/* ---- track.c: each CPU's clock, its gaps, and damage. */

/* Counts `bytes` as damage at `offset`; the first one's words are kept. */
void xm_stream_damage(struct xm_stream *s, uint64_t offset, uint64_t bytes, const char *format, ...) XM_PRINTF(4, 5);

/* From its last record to its next one, records of this CPU are missing: `lost` of them, 0 for damage. */
enum xm_status xm_stream_gap(struct xm_stream *s, uint32_t cpu, uint32_t lost) XM_MUST_CHECK;
enum xm_status xm_stream_gap_everywhere(struct xm_stream *s) XM_MUST_CHECK;

/* Some CPU's clock has come this far. */
static inline void xm_stream_note_time(struct xm_stream *s, uint64_t tsc)
{
    if (tsc > s->stats.last_tsc.v)
        s->stats.last_tsc.v = tsc;
    if (tsc > s->merge.pass_max)
        s->merge.pass_max = tsc;
}

/* A LOST_RECORDS of the CPU at hand.  XM_DAMAGED: its time is not believable. */
enum xm_status xm_stream_lost(struct xm_stream *s, const struct xm_record *r) XM_MUST_CHECK;

enum xm_tsc_verdict { XM_TSC_GOOD, XM_TSC_LEAPT };

/*
 * Judges a record's TSC by its CPU's last one and what is already released: clamps what is behind, closes a
 * gap that waits for it, refuses a leap.  On XM_TSC_GOOD the CPU's `last` is the time to use.  Room for
 * two events must have been reserved.
 */
enum xm_tsc_verdict xm_stream_tsc(struct xm_stream *s, uint32_t cpu, uint64_t tsc);

/* ---- decode.c: records in a window. */

/* What max_jump is cut to: 4096 records of a piece cannot take a clock from below 2^63 past 2^64. */
#define XM_MOST_JUMP (UINT64_C(1) << 50)

/* A payload is copied as 16 bytes whatever its length, so so many behind a piece must be readable. */
#define XM_PAYLOAD_BYTES 16u

/* A CPU_CHANGE record that can be true: 12 bytes. */
bool xm_window_plausible(const struct xm_stream *s, const unsigned char *header);

/*
 * Decodes what is whole in [bytes, bytes + size), of which XM_PAYLOAD_BYTES more can be read.  *used: bytes that
 * are done with.
 */
enum xm_status xm_decode_piece(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used) XM_MUST_CHECK;

/* ---- fixed.c: records of Xen 3.0 and 3.1. */

/*
 * Takes bytes of the fixed format; *used < size where a record's end is still to come or enough is
 * queued.  How many bytes of a start decide on the format, and the record size that they show (0: none).
 */
enum xm_status xm_fixed_push(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used) XM_MUST_CHECK;
#define XM_FIXED_PROBE_BYTES 240u
uint32_t xm_fixed_probe(const unsigned char *bytes, size_t size, uint32_t max_cpus);

#endif
