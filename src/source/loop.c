/* SPDX-License-Identifier: MIT */
#include "source/loop.h"

#include <stdlib.h>
#include <string.h>

/*
 * A pipe silent for so long has delivered its pass over the CPUs (xentrace makes one every 100 ms).  Less could be a
 * writer that was interrupted within a pass, and to go on in time then would make what is still to come look late.
 */
#define QUIET_NS UINT64_C(250000000)

/* The host's clocks may part from the trace's by so much: one part in 8192, 122 us a second. */
#define DRIFT_SHIFT 13

struct xm_loop {
    struct xm_loop_config config;
    struct xm_bake *bake;
    struct xm_publisher *publisher;
    struct xm_scale scale;
    struct xm_moment now;
    struct xm_moment start;    /* when the trace's first TSC is played; mono_ns 0: not yet */
    uint64_t wake_ns;          /* when the sample that waits is due */
    const unsigned char *rest; /* borrowed from the source and not yet taken by the bake */
    size_t rest_size;
    uint64_t heard_ns;         /* when the source last had something, CLOCK_MONOTONIC */
    uint64_t anchor_tsc;       /* a live trace's clock and ours: this TSC was at */
    uint64_t anchor_mono;      /* this time; 0: not yet known */
    uint64_t real_offset;      /* CLOCK_REALTIME - CLOCK_MONOTONIC, modulo 2^64 */
    bool source_ended;
    bool ended;
    struct xm_error error;     /* what ended it before its time; the first cause */
    uint64_t published_ns;     /* when the newest sample of all was, CLOCK_MONOTONIC */
    uint64_t passes;
};

/* Trace time since the start; 0 without a rate. */
static uint64_t trace_ns(const struct xm_loop *r, uint64_t tsc)
{
    uint64_t start = xm_bake_start(r->bake).v;
    return tsc > start ? xm_scale_to_ns(&r->scale, xm_cycles_of(tsc - start)).v : 0;
}

static uint64_t ns_between(const struct xm_loop *r, uint64_t from, uint64_t to)
{
    return to > from ? xm_scale_to_ns(&r->scale, xm_cycles_of(to - from)).v : 0;
}

/*
 * The end of a live pass: the newest record is older than now, by an unknown time that is never below 0.  So the clocks
 * are matched by the youngest that has been seen, and else follow each other no faster than clocks drift.
 */
static void anchor(struct xm_loop *r)
{
    uint64_t newest = xm_bake_stats(r->bake).last_tsc.v;
    if (newest <= r->anchor_tsc)
        return;
    uint64_t mono = r->now.mono_ns;
    if (r->anchor_mono) {
        uint64_t passed = ns_between(r, r->anchor_tsc, newest);
        uint64_t least = r->anchor_mono + passed;
        if (mono > least)
            mono = mono - least < passed >> DRIFT_SHIFT ? mono : least + (passed >> DRIFT_SHIFT);
    }
    r->anchor_tsc = newest;
    r->anchor_mono = mono;
    r->real_offset = r->now.real_ns - r->now.mono_ns;
}

/* When trace time `tsc` was. */
static struct xm_moment moment_of(const struct xm_loop *r, uint64_t tsc, uint64_t at_ns)
{
    if (!xm_source_is_live(r->config.source))
        return (struct xm_moment){at_ns, r->start.real_ns + at_ns};
    uint64_t mono = r->anchor_mono ? r->anchor_mono : r->now.mono_ns;
    mono = tsc < r->anchor_tsc ? mono - ns_between(r, tsc, r->anchor_tsc) : mono + ns_between(r, r->anchor_tsc, tsc);
    uint64_t before = xm_publish_status(r->publisher).newest_mono;
    if (mono <= before)
        mono = before + 1;
    return (struct xm_moment){mono, mono + r->real_offset};
}

static enum xm_status publish(struct xm_loop *r, xm_cycles now)
{
    uint64_t at_ns = trace_ns(r, now.v);
    enum xm_status status = xm_publish(r->publisher, now, at_ns, moment_of(r, now.v, at_ns), &r->error);
    if (status == XM_OK)
        r->published_ns = r->now.mono_ns;
    return status;
}

/* ---- Called by the bake. */

static void begin(struct xm_loop *r)
{
    const char *from;
    if (!r->scale.hz)
        (void)xm_scale_init(&r->scale, xm_bake_hz(r->bake, &from));
    if (!r->start.mono_ns)
        r->start = r->now;
}

static enum xm_status on_due(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct xm_loop *r = user;
    begin(r);
    if (r->config.speed != XM_SPEED_MAX) {
        unsigned __int128 wait = (unsigned __int128)trace_ns(r, now.v) * XM_SPEED_ONE / r->config.speed;
        uint64_t due_ns = r->start.mono_ns + (uint64_t)wait;
        if (due_ns > r->now.mono_ns) {
            r->wake_ns = due_ns;
            return XM_AGAIN;
        }
    }
    return publish(r, now);
}

static enum xm_status on_grown(void *user, struct xm_bake *bake, struct xm_capacity capacity)
{
    struct xm_loop *r = user;
    return xm_publish_grow(r->publisher, capacity, &r->error);
}

/* ---- The loop's body. */

/* Of a live host it is known how much a trace buffer holds: two words of it are its indices. */
static struct xm_stream_config stream_of(const struct xm_loop_config *config)
{
    struct xm_stream_config stream = config->stream;
    if (config->facts.buffer_bytes > 2 * sizeof(uint32_t) && config->facts.buffer_bytes <= UINT32_MAX)
        stream.buffer_bytes = (uint32_t)(config->facts.buffer_bytes - 2 * sizeof(uint32_t));
    return stream;
}

static enum xm_status make_parts(struct xm_loop *r, struct xm_error *err)
{
    const struct xm_loop_config *config = &r->config;
    const struct xm_region_plan *plan = xm_writer_plan(config->writer);
    const struct xm_bake_config bake = {
        .stream = stream_of(config),
        .capacity = plan->capacity,
        .interval_ns = plan->interval_ns[XM_SERIES_FAST],
        .hz = config->hz,
        .due = on_due,
        .grown = on_grown,
        .user = r,
    };
    r->bake = xm_bake_create(&bake);
    if (!r->bake || (config->hindsight && xm_bake_expect(r->bake, config->hindsight) != XM_OK))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    const struct xm_publish_config publish = {
        .bake = r->bake,
        .writer = config->writer,
        .keep_ns = config->keep_ns,
        .hz_from = config->hz_from,
        .facts = config->facts,
        .around = config->around,
    };
    return xm_publisher_create(&publish, &r->publisher, err);
}

enum xm_status xm_loop_create(const struct xm_loop_config *config, struct xm_loop **loop, struct xm_error *err)
{
    *loop = NULL;
    if (config->passes != 1 && !xm_source_is_file(config->source))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s can be read only once", xm_source_name(config->source));
    struct xm_loop *r = calloc(1, sizeof *r);
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    r->config = *config;
    xm_error_clear(&r->error);
    (void)xm_scale_init(&r->scale, config->hz);
    enum xm_status status = make_parts(r, err);
    if (status != XM_OK) {
        xm_loop_destroy(r);
        return status;
    }
    r->config.hindsight = NULL;
    *loop = r;
    return XM_OK;
}

void xm_loop_destroy(struct xm_loop *r)
{
    if (!r)
        return;
    xm_publisher_destroy(r->publisher);
    xm_bake_destroy(r->bake);
    free(r);
}

/* XM_OK: there are bytes, or the source has ended; XM_AGAIN: nothing came in time. */
static enum xm_status fetch(struct xm_loop *r, int wait_ms)
{
    const void *bytes;
    enum xm_status status = xm_source_next(r->config.source, wait_ms, &bytes, &r->rest_size, &r->error);
    r->rest = bytes;
    if (r->rest_size || !r->heard_ns)
        r->heard_ns = r->now.mono_ns;
    if (r->rest_size && r->config.tee)
        xm_tee_bytes(r->config.tee, r->rest, r->rest_size);
    r->source_ended = status == XM_END || status < 0;
    return status == XM_AGAIN ? XM_AGAIN : XM_OK;
}

/* What is in hand is all there is up to now. */
static enum xm_status complete_pass(struct xm_loop *r)
{
    size_t used;
    xm_bake_pass_end(r->bake);
    return xm_bake_run(r->bake, "", 0, &used);
}

static enum xm_status live_pass(struct xm_loop *r)
{
    anchor(r);
    if (r->config.tee)
        xm_tee_pass(r->config.tee);
    return complete_pass(r);
}

/*
 * Nothing comes any more for the moment.  A sample off the beat tells readers how far it went; where nothing is new, the
 * heartbeat is all they get.
 *
 * A live source says itself when it has been over all buffers: that it is silent until then says only that nobody has
 * looked, and what lies there unread may be older than what has been read of others.
 */
static enum xm_status idle(struct xm_loop *r)
{
    bool quiet = r->now.mono_ns - r->heard_ns >= QUIET_NS;
    enum xm_status status = XM_OK;
    if (xm_source_pass_ended(r->config.source))
        status = live_pass(r);
    else if (quiet && !xm_source_is_live(r->config.source))
        status = complete_pass(r);
    if (status != XM_OK || !quiet)
        return status == XM_OK ? XM_AGAIN : status;
    xm_cycles now = xm_bake_now(r->bake);
    uint64_t interval = xm_writer_plan(r->config.writer)->interval_ns[XM_SERIES_FAST];
    if (now.v <= xm_publish_status(r->publisher).newest_tsc || r->now.mono_ns - r->published_ns < interval)
        return XM_AGAIN;
    begin(r);
    status = publish(r, now);
    return status == XM_OK ? XM_AGAIN : status;
}

static enum xm_status bake_rest(struct xm_loop *r)
{
    size_t used = 0;
    enum xm_status status = xm_bake_run(r->bake, r->rest, r->rest_size, &used);
    r->rest += used;
    r->rest_size -= used;
    if (status == XM_DAMAGED) { /* beyond repair; finishing tells what it was */
        r->rest_size = 0;
        r->source_ended = true;
        return XM_OK;
    }
    return status;
}

/* The bake has called for the last sample; here it gets to where only each tenth does. */
static enum xm_status end(struct xm_loop *r)
{
    r->ended = true;
    enum xm_status status = xm_publish_end(r->publisher, trace_ns(r, xm_publish_status(r->publisher).newest_tsc));
    if (status != XM_OK)
        return status;
    return r->error.status == XM_OK ? XM_END : r->error.status;
}

static enum xm_status finish_pass(struct xm_loop *r)
{
    bool more = r->error.status == XM_OK && r->passes + 1 != r->config.passes;
    enum xm_status status = more ? xm_bake_again(r->bake) : xm_bake_finish(r->bake);
    if (status == XM_AGAIN || status == XM_NOMEM)
        return status;
    r->passes++;
    if (status != XM_OK && r->error.status == XM_OK)
        r->error = *xm_stream_error(xm_bake_stream(r->bake));
    if (!more || r->error.status != XM_OK)
        return end(r);
    if (xm_source_rewind(r->config.source) != XM_OK)
        return xm_fail(&r->error, XM_IO, XM_NO_OFFSET, "it cannot be read again");
    r->source_ended = false;
    return XM_OK;
}

static enum xm_status work(struct xm_loop *r, int wait_ms)
{
    if (r->ended)
        return r->error.status == XM_OK ? XM_END : r->error.status;
    if (!r->rest_size && !r->source_ended) {
        if (fetch(r, wait_ms) == XM_AGAIN)
            return idle(r);
        /* A live source was waited for within that call: what time it is now, the next step knows. */
        if (r->rest_size && xm_source_is_live(r->config.source))
            return XM_OK;
    }
    if (r->rest_size)
        return bake_rest(r);
    return r->source_ended ? finish_pass(r) : XM_OK;
}

enum xm_status xm_loop_step(struct xm_loop *r, struct xm_moment now, int wait_ms, uint64_t *wake_ns,
                            struct xm_error *err)
{
    *wake_ns = 0;
    r->now = now;
    r->wake_ns = 0;
    enum xm_status status = work(r, wait_ms);
    *wake_ns = r->wake_ns;
    if (status < 0) {
        r->ended = true;
        xm_fail(&r->error, status, XM_NO_OFFSET, "out of memory");
        if (err && err->status == XM_OK)
            *err = r->error;
    }
    return status;
}

struct xm_loop_status xm_loop_status(struct xm_loop *r)
{
    const struct xm_stream_stats stats = xm_bake_stats(r->bake);
    const struct xm_publish_status published = xm_publish_status(r->publisher);
    const char *from;
    struct xm_loop_status status = {
        .records = stats.records,
        .lost_records = stats.lost_records,
        .damaged_bytes = stats.damaged_bytes,
        .samples = published.samples,
        .passes = r->passes,
        .trace_ns = trace_ns(r, xm_bake_now(r->bake).v),
        .hz = xm_bake_hz(r->bake, &from),
        .wanted = published.wanted,
        .cramped = published.cramped,
    };
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        status.anomalies += xm_account_anomalies(xm_bake_account(r->bake), i);
    return status;
}
