/* SPDX-License-Identifier: MIT */
/*
 * The paced loop: source -> bake -> region, at the speed of the trace or any other.
 *
 * A file: a sample due at trace time T waits until start + (T - T0) / speed; the bytes behind it wait with it.  The loop is
 * the caller's: xm_loop_step() does one bounded piece of work and says when it wants to go on, so that signals,
 * heartbeats and log lines are looked after in between.  It reads no clock: the caller says what time it is.
 *
 * A live source is now: nothing is paced, a pass over its buffers tells what is complete, and a sample of time T says
 * when that was by the clocks.  Its bytes are handed on to whoever records.
 *
 * Nothing is allocated once all rows are there, but where a zstd frame or another pass begins.
 *
 * Threads: one loop, one thread.
 */
#ifndef XM_LOOP_H
#define XM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "region/writer.h"
#include "source/bake.h"
#include "source/publish.h"
#include "source/source.h"
#include "source/tee.h"
#include "xenmon/status.h"

#define XM_SPEED_ONE UINT64_C(1000000)   /* real time; a speed is in millionths of it */
#define XM_SPEED_MAX 0                   /* no waiting */

struct xm_loop_config {
    const struct xm_bake *hindsight;  /* borrowed while creating; NULL: see xm_preview() */
    struct xm_source *source;         /* borrowed */
    struct xm_writer *writer;         /* borrowed; its plan says how many rows and which intervals */
    struct xm_stream_config stream;
    uint64_t keep_ns;    /* rows of domains that ended longer ago are given up where room is scarce; 0: never */
    uint64_t hz;         /* to count with; 0: the trace's own */
    const char *hz_from; /* "option", "trace": where hz is from; static */
    uint64_t speed;      /* in millionths, or XM_SPEED_MAX */
    uint64_t passes;     /* how often the file is replayed; 0: for ever */
    struct xm_tee *tee;  /* of a live source: borrowed; NULL: none */
    struct xm_writer_facts facts;  /* as in struct xm_publish_config */
    struct xm_surroundings around; /* likewise */
};

struct xm_loop;

/* XM_OK; XM_NOMEM; XM_INVALID: more than one pass of what cannot be rewound.  config is copied. */
enum xm_status xm_loop_create(const struct xm_loop_config *config, struct xm_loop **loop,
                                struct xm_error *err) XM_MUST_CHECK;
void xm_loop_destroy(struct xm_loop *loop); /* NULL is fine */

/*
 * One piece of work, at most 64 KiB of trace or one sample.  Waits for a pipe at most until wait_ms have passed.
 * XM_OK: go on; XM_AGAIN: nothing to do before *wake_ns (CLOCK_MONOTONIC; 0: try again at once, a pipe has been waited
 * for); XM_END: the last sample is published; negative: nothing more can come, what came before is published, err
 * says why (XM_DAMAGED: the trace or its packing; XM_IO: the source; XM_NOMEM).
 *
 * Where there is no room for a larger region, the rows that do not fit are left out and counted as refused, and
 * the growth is tried again every slow interval: see xm_loop_status.cramped.
 */
enum xm_status xm_loop_step(struct xm_loop *loop, struct xm_moment now, int wait_ms, uint64_t *wake_ns,
                              struct xm_error *err) XM_MUST_CHECK;

struct xm_loop_status {
    uint64_t records, lost_records, damaged_bytes, anomalies;
    uint64_t samples; /* published to the fast series */
    uint64_t passes;  /* completed */
    uint64_t trace_ns; /* trace time since the start; 0 without a rate */
    uint64_t hz;
    struct xm_capacity wanted;     /* rows that there ought to be room for */
    const struct xm_error *cramped; /* why the region has less; status XM_OK: it has not.  Borrowed */
};
struct xm_loop_status xm_loop_status(struct xm_loop *loop);

#endif
