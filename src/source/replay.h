/* SPDX-License-Identifier: MIT */
/*
 * The paced loop: source -> bake -> region, at the speed of the trace or any other.
 *
 * A sample due at trace time T waits until start + (T - T0) / speed; the bytes behind it wait with it.  The loop is
 * the caller's: xm_replay_step() does one bounded piece of work and says when it wants to go on, so that signals,
 * heartbeats and log lines are looked after in between.  It reads no clock: the caller says what time it is.
 *
 * Nothing is allocated once all rows are there, but where a zstd frame or another pass begins.
 *
 * Threads: one replay, one thread.
 */
#ifndef XM_REPLAY_H
#define XM_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "region/writer.h"
#include "source/bake.h"
#include "source/source.h"
#include "xenmon/status.h"

#define XM_SPEED_ONE UINT64_C(1000000)   /* real time; a speed is in millionths of it */
#define XM_SPEED_MAX 0                   /* no waiting */

struct xm_replay_config {
    const struct xm_bake *hindsight;  /* borrowed while creating; NULL: see xm_replay_preview() */
    struct xm_source *source;         /* borrowed */
    struct xm_writer *writer;         /* borrowed; its plan says how many rows and which intervals */
    struct xm_stream_config stream;
    uint64_t keep_ns;    /* rows of domains that ended longer ago are given up where room is scarce; 0: never */
    uint64_t hz;         /* to count with; 0: the trace's own */
    const char *hz_from; /* "option", "trace": where hz is from; static */
    uint64_t speed;      /* in millionths, or XM_SPEED_MAX */
    uint64_t passes;     /* how often the file is replayed; 0: for ever */
};

/* What time it is: CLOCK_MONOTONIC and CLOCK_REALTIME. */
struct xm_moment {
    uint64_t mono_ns;
    uint64_t real_ns;
};

struct xm_replay;

/* XM_OK; XM_NOMEM; XM_INVALID: more than one pass of what cannot be rewound.  config is copied. */
enum xm_status xm_replay_create(const struct xm_replay_config *config, struct xm_replay **replay,
                                struct xm_error *err) XM_MUST_CHECK;
void xm_replay_destroy(struct xm_replay *replay); /* NULL is fine */

/*
 * One piece of work, at most 64 KiB of trace or one sample.  Waits for a pipe at most until wait_ms have passed.
 * XM_OK: go on; XM_AGAIN: nothing to do before *wake_ns (CLOCK_MONOTONIC; 0: try again at once, a pipe has been waited
 * for); XM_END: the last sample is published; negative: nothing more can come, what came before is published, err
 * says why (XM_DAMAGED: the trace or its packing; XM_IO: the source; XM_NOMEM).
 *
 * Where there is no room for a larger region, the rows that do not fit are left out and counted as refused, and
 * the growth is tried again every slow interval: see xm_replay_status.cramped.
 */
enum xm_status xm_replay_step(struct xm_replay *replay, struct xm_moment now, int wait_ms, uint64_t *wake_ns,
                              struct xm_error *err) XM_MUST_CHECK;

struct xm_replay_status {
    uint64_t records, lost_records, damaged_bytes, anomalies;
    uint64_t samples; /* published to the fast series */
    uint64_t passes;  /* completed */
    uint64_t trace_ns; /* trace time since the start; 0 without a rate */
    uint64_t hz;
    struct xm_capacity wanted;     /* rows that there ought to be room for */
    const struct xm_error *cramped; /* why the region has less; status XM_OK: it has not.  Borrowed */
};
struct xm_replay_status xm_replay_status(struct xm_replay *replay);

/*
 * What a pass through a whole file reveals before it is played; the source is rewound.  stop (may be NULL) is asked
 * after every 64 KiB whether to give up.
 * XM_OK: preview->hz is 0 where the trace does not show its rate, preview->records where it is no trace; XM_AGAIN: given
 * up; XM_IO, XM_NOMEM.  Damage is no error here: what came before it counts, and playing it will say so.
 */
struct xm_replay_preview {
    uint64_t hz;
    uint64_t records;
    struct xm_error damage;    /* the first; status XM_OK: none */
    struct xm_bake *hindsight; /* owned: where the CPUs ought to be known beforehand, a bake that saw them; else NULL */
};
enum xm_status xm_replay_preview(struct xm_source *source, const struct xm_stream_config *stream,
                                 bool (*stop)(void *), void *user, struct xm_replay_preview *preview,
                                 struct xm_error *err) XM_MUST_CHECK;

#endif
