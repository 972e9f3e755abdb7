/* SPDX-License-Identifier: MIT */
#include "source/replay.h"

#include <stdlib.h>
#include <string.h>

/*
 * A pipe silent for so long has delivered its pass over the CPUs (xentrace makes one every 100 ms).  Less could be a
 * writer that was interrupted within a pass, and to go on in time then would make what is still to come look late.
 */
#define QUIET_NS UINT64_C(250000000)

/* What the region has been told of the domain in a slot. */
struct told {
    uint64_t id;
    uint64_t ended;
};

struct xm_replay {
    struct xm_replay_config config;
    struct xm_bake *bake;
    struct xm_sample sample;
    struct told *told; /* [sample.capacity.domains] */
    struct xm_scale scale;
    struct xm_moment now;
    struct xm_moment start;    /* when the trace's first TSC is played; mono_ns 0: not yet */
    uint64_t wake_ns;          /* when the sample that waits is due */
    const unsigned char *rest; /* borrowed from the source and not yet taken by the bake */
    size_t rest_size;
    uint64_t heard_ns;         /* when the source last had something, CLOCK_MONOTONIC */
    bool source_ended;
    bool ended;
    struct xm_error error;     /* what ended it before its time; the first cause */
    struct xm_error cramped;   /* why the region is smaller than the account */
    uint64_t next_slow_ns;     /* trace time from which on a sample goes into the slow series too */
    uint64_t slow_tsc;         /* of the newest sample there */
    uint64_t published_ns;     /* when the newest sample of all was, CLOCK_MONOTONIC */
    uint64_t samples, passes;
};

/* Trace time since the start; 0 without a rate. */
static uint64_t trace_ns(const struct xm_replay *r, uint64_t tsc)
{
    uint64_t start = xm_bake_start(r->bake).v;
    return tsc > start ? xm_scale_to_ns(&r->scale, xm_cycles_of(tsc - start)).v : 0;
}

/* ---- Into the region. */

static void tell_facts(struct xm_replay *r)
{
    const struct xm_account *account = xm_bake_account(r->bake);
    const struct xm_stream_stats stats = xm_bake_stats(r->bake);
    uint64_t anomaly[XM_ANOMALIES];
    struct xm_writer_facts facts = {.io_seen = xm_bake_io_seen(r->bake), .anomaly = anomaly};
    facts.tsc_hz = xm_bake_hz(r->bake, &facts.tsc_hz_from);
    if (r->config.hz_from)
        facts.tsc_hz_from = r->config.hz_from;
    facts.states_from = xm_account_from_switch(account) ? "switch" : "runstate";
    facts.classes = stats.by_class;
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        anomaly[i] = xm_account_anomalies(account, i);
    xm_writer_facts(r->config.writer, &facts);
}

static void tell_domains(struct xm_replay *r, uint32_t room)
{
    for (uint32_t slot = 0; slot < r->sample.capacity.domains && slot < room; slot++) {
        struct xm_account_domain d = xm_account_domain(xm_bake_account(r->bake), slot);
        if (d.id == r->told[slot].id && d.ended.v == r->told[slot].ended)
            continue;
        struct xm_region_domain facts = {.id = d.id, .created_tsc = d.created.v, .ended_tsc = d.ended.v};
        /* A trace has no names; this one is the same on every host. */
        if (d.id && xm_row_domid(d.id) == 0)
            memcpy(facts.name, "Domain-0", sizeof "Domain-0");
        if (xm_writer_domain(r->config.writer, slot, &facts) == XM_OK)
            r->told[slot] = (struct told){d.id, d.ended.v};
    }
}

static enum xm_status tell_histograms(struct xm_replay *r)
{
    const struct xm_account *account = xm_bake_account(r->bake);
    enum xm_status status = XM_OK;
    for (uint32_t slot = 0; slot < r->sample.used.vcpus && status == XM_OK; slot++) {
        const uint64_t *counts[XM_HISTS];
        for (unsigned kind = 0; kind < XM_HISTS; kind++)
            counts[kind] = xm_account_histogram(account, slot, kind);
        status = xm_writer_histograms(r->config.writer, slot, r->sample.vcpu[slot].id, counts);
    }
    return status;
}

/* Leaves out what the region has no room for, and counts it. */
static void squeeze(struct xm_sample *s, struct xm_capacity room)
{
    uint32_t refused = 0;
    for (uint32_t i = room.domains; i < s->used.domains; i++)
        refused += s->domain[i].id != 0;
    for (uint32_t i = room.pcpus; i < s->used.pcpus; i++)
        refused += s->pcpu[i].id != 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        if (i < room.vcpus && s->vcpu_domain[i] < room.domains)
            continue;
        refused += s->vcpu[i].id != 0;
        s->vcpu[i].id = 0;
        s->vcpu_domain[i] = 0;
    }
    s->used.domains = s->used.domains < room.domains ? s->used.domains : room.domains;
    s->used.vcpus = s->used.vcpus < room.vcpus ? s->used.vcpus : room.vcpus;
    s->used.pcpus = s->used.pcpus < room.pcpus ? s->used.pcpus : room.pcpus;
    s->host.refused += refused;
}

static void grow_region(struct xm_replay *r)
{
    xm_error_clear(&r->cramped);
    if (xm_writer_grow(r->config.writer, r->sample.capacity, &r->cramped) == XM_OK)
        xm_error_clear(&r->cramped);
}

/* Rows of domains that ended long ago make room once 3 of 4 are taken, rather than that the region grows. */
static void reap(struct xm_replay *r, uint64_t tsc)
{
    const struct xm_sample *s = &r->sample;
    bool scarce = s->used.domains >= s->capacity.domains - s->capacity.domains / 4 ||
                  s->used.vcpus >= s->capacity.vcpus - s->capacity.vcpus / 4;
    uint64_t keep = xm_scale_to_cycles(&r->scale, xm_ns_of(r->config.keep_ns)).v;
    if (r->config.keep_ns && scarce && keep && tsc > keep)
        xm_account_reap(xm_bake_account(r->bake), xm_cycles_of(tsc - keep));
}

/* The sample in hand into the slow series, with all that changes at its pace. */
static enum xm_status publish_slow(struct xm_replay *r, uint64_t at_ns)
{
    uint64_t interval = xm_writer_plan(r->config.writer)->interval_ns[XM_SERIES_SLOW];
    enum xm_status status = tell_histograms(r);
    tell_facts(r);
    r->next_slow_ns = (at_ns / interval + 1) * interval;
    r->slow_tsc = r->sample.host.tsc;
    return status == XM_OK ? xm_writer_publish(r->config.writer, XM_SERIES_SLOW, &r->sample) : status;
}

static enum xm_status publish(struct xm_replay *r, xm_cycles now)
{
    uint64_t at_ns = trace_ns(r, now.v);
    bool slow = r->samples == 0 || at_ns >= r->next_slow_ns;
    if (slow && r->cramped.status != XM_OK)
        grow_region(r);
    struct xm_capacity room = xm_writer_plan(r->config.writer)->capacity;
    xm_bake_sample(r->bake, now, true, &r->sample);
    r->sample.host.mono = at_ns;
    r->sample.host.real = r->start.real_ns + at_ns;
    squeeze(&r->sample, room);
    /* All else before the fast sample: who sees that one finds its rate, and the names of its domains. */
    tell_domains(r, room.domains);
    enum xm_status status = slow ? publish_slow(r, at_ns) : XM_OK;
    if (status == XM_OK)
        status = xm_writer_publish(r->config.writer, XM_SERIES_FAST, &r->sample);
    if (status != XM_OK)
        return xm_fail(&r->error, status, XM_NO_OFFSET, "a sample does not fit into the region");
    if (r->samples++ == 0)
        xm_writer_state(r->config.writer, XM_WRITER_RUNNING);
    if (slow)
        reap(r, now.v);
    r->published_ns = r->now.mono_ns;
    return XM_OK;
}

/* ---- Called by the bake. */

static void begin(struct xm_replay *r)
{
    const char *from;
    if (!r->scale.hz)
        (void)xm_scale_init(&r->scale, xm_bake_hz(r->bake, &from));
    if (!r->start.mono_ns)
        r->start = r->now;
}

static enum xm_status on_due(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct xm_replay *r = user;
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

static enum xm_status make_room(struct xm_replay *r, struct xm_capacity capacity)
{
    struct xm_sample sample;
    enum xm_status status = xm_sample_init(&sample, capacity);
    if (status != XM_OK)
        return xm_fail(&r->error, status, XM_NO_OFFSET, "no memory for %u domains, %u vCPUs and %u pCPUs",
                       capacity.domains, capacity.vcpus, capacity.pcpus);
    struct told *told = calloc(capacity.domains, sizeof *told);
    if (!told) {
        xm_sample_fini(&sample);
        return xm_fail(&r->error, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    if (r->told)
        memcpy(told, r->told, r->sample.capacity.domains * sizeof *told);
    xm_sample_fini(&r->sample);
    free(r->told);
    r->sample = sample;
    r->told = told;
    return XM_OK;
}

static enum xm_status on_grown(void *user, struct xm_bake *bake, struct xm_capacity capacity)
{
    struct xm_replay *r = user;
    enum xm_status status = make_room(r, capacity);
    if (status == XM_OK)
        grow_region(r);
    return status;
}

/* ---- The loop's body. */

enum xm_status xm_replay_create(const struct xm_replay_config *config, struct xm_replay **replay,
                                struct xm_error *err)
{
    *replay = NULL;
    if (config->passes != 1 && !xm_source_is_file(config->source))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s can be read only once", xm_source_name(config->source));
    struct xm_replay *r = calloc(1, sizeof *r);
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    r->config = *config;
    xm_error_clear(&r->error);
    xm_error_clear(&r->cramped);
    (void)xm_scale_init(&r->scale, config->hz);
    const struct xm_bake_config bake = {
        .stream = config->stream,
        .capacity = xm_writer_plan(config->writer)->capacity,
        .interval_ns = xm_writer_plan(config->writer)->interval_ns[XM_SERIES_FAST],
        .hz = config->hz,
        .due = on_due,
        .grown = on_grown,
        .user = r,
    };
    r->bake = xm_bake_create(&bake);
    if (!r->bake || make_room(r, bake.capacity) != XM_OK ||
        (config->hindsight && xm_bake_expect(r->bake, config->hindsight) != XM_OK)) {
        xm_replay_destroy(r);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    r->config.hindsight = NULL;
    *replay = r;
    return XM_OK;
}

void xm_replay_destroy(struct xm_replay *r)
{
    if (!r)
        return;
    xm_bake_destroy(r->bake);
    xm_sample_fini(&r->sample);
    free(r->told);
    free(r);
}

/* XM_OK: there are bytes, or the source has ended; XM_AGAIN: nothing came in time. */
static enum xm_status fetch(struct xm_replay *r, int wait_ms)
{
    const void *bytes;
    enum xm_status status = xm_source_next(r->config.source, wait_ms, &bytes, &r->rest_size, &r->error);
    r->rest = bytes;
    if (r->rest_size || !r->heard_ns)
        r->heard_ns = r->now.mono_ns;
    r->source_ended = status == XM_END || status < 0;
    return status == XM_AGAIN ? XM_AGAIN : XM_OK;
}

/*
 * Nothing comes any more for the moment: what is in hand is all there is up to now.  A sample off the beat tells
 * readers so; where nothing is new, the heartbeat is all they get.
 */
static enum xm_status idle(struct xm_replay *r)
{
    size_t used;
    if (r->now.mono_ns - r->heard_ns < QUIET_NS)
        return XM_AGAIN;
    xm_bake_pass_end(r->bake);
    enum xm_status status = xm_bake_run(r->bake, "", 0, &used);
    if (status != XM_OK)
        return status;
    xm_cycles now = xm_bake_now(r->bake);
    uint64_t interval = xm_writer_plan(r->config.writer)->interval_ns[XM_SERIES_FAST];
    if (now.v <= r->sample.host.tsc || r->now.mono_ns - r->published_ns < interval)
        return XM_AGAIN;
    begin(r);
    status = publish(r, now);
    return status == XM_OK ? XM_AGAIN : status;
}

static enum xm_status bake_rest(struct xm_replay *r)
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
static enum xm_status end(struct xm_replay *r)
{
    enum xm_status status = XM_OK;
    r->ended = true;
    if (r->samples && r->slow_tsc != r->sample.host.tsc)
        status = publish_slow(r, trace_ns(r, r->sample.host.tsc));
    else
        tell_facts(r);
    if (status != XM_OK)
        return status;
    return r->error.status == XM_OK ? XM_END : r->error.status;
}

static enum xm_status finish_pass(struct xm_replay *r)
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

enum xm_status xm_replay_step(struct xm_replay *r, struct xm_moment now, int wait_ms, uint64_t *wake_ns,
                              struct xm_error *err)
{
    enum xm_status status = XM_OK;
    *wake_ns = 0;
    r->now = now;
    r->wake_ns = 0;
    if (r->ended)
        status = r->error.status == XM_OK ? XM_END : r->error.status;
    else if (!r->rest_size && !r->source_ended)
        status = fetch(r, wait_ms);
    if (status == XM_AGAIN)
        status = idle(r);
    else if (status == XM_OK && r->rest_size)
        status = bake_rest(r);
    else if (status == XM_OK && r->source_ended)
        status = finish_pass(r);
    *wake_ns = r->wake_ns;
    if (status < 0) {
        r->ended = true;
        xm_fail(&r->error, status, XM_NO_OFFSET, "out of memory");
        if (err && err->status == XM_OK)
            *err = r->error;
    }
    return status;
}

struct xm_replay_status xm_replay_status(struct xm_replay *r)
{
    const struct xm_stream_stats stats = xm_bake_stats(r->bake);
    const char *from;
    struct xm_replay_status status = {
        .records = stats.records,
        .lost_records = stats.lost_records,
        .damaged_bytes = stats.damaged_bytes,
        .samples = r->samples,
        .passes = r->passes,
        .trace_ns = trace_ns(r, xm_bake_now(r->bake).v),
        .hz = xm_bake_hz(r->bake, &from),
        .wanted = r->sample.capacity,
        .cramped = &r->cramped,
    };
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        status.anomalies += xm_account_anomalies(xm_bake_account(r->bake), i);
    return status;
}

/* ---- Beforehand. */

static enum xm_status never_due(void *user, struct xm_bake *bake, xm_cycles now)
{
    return XM_OK;
}

static enum xm_status run_through(struct xm_source *source, struct xm_bake *bake, bool (*stop)(void *), void *user,
                                  struct xm_error *err)
{
    for (;;) {
        const unsigned char *bytes;
        const void *chunk;
        size_t size, used;
        enum xm_status status = xm_source_next(source, -1, &chunk, &size, err);
        if (status == XM_AGAIN)
            continue;
        if (status != XM_OK)
            return status;
        for (bytes = chunk; size > 0; bytes += used, size -= used) {
            status = xm_bake_run(bake, bytes, size, &used);
            if (status != XM_OK)
                return status;
        }
        if (stop && stop(user))
            return XM_AGAIN;
    }
}

enum xm_status xm_replay_preview(struct xm_source *source, const struct xm_stream_config *stream,
                                 bool (*stop)(void *), void *user, struct xm_replay_preview *preview,
                                 struct xm_error *err)
{
    const struct xm_bake_config config = {.stream = *stream, .due = never_due};
    struct xm_bake *bake = xm_bake_create(&config);
    const char *from;
    *preview = (struct xm_replay_preview){0};
    if (!bake)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    struct xm_error trouble;
    xm_error_clear(&trouble);
    enum xm_status status = run_through(source, bake, stop, user, &trouble);
    if (status == XM_END || status == XM_DAMAGED || status == XM_UNSUPPORTED)
        status = xm_bake_finish(bake) == XM_NOMEM ? XM_NOMEM : XM_OK;
    preview->hz = xm_bake_hz(bake, &from);
    preview->records = xm_bake_stats(bake).records;
    preview->damage = *xm_stream_error(xm_bake_stream(bake));
    if (status == XM_OK && xm_bake_hindsight(bake))
        preview->hindsight = bake;
    else
        xm_bake_destroy(bake);
    if (status < 0)
        return xm_fail(err, status, XM_NO_OFFSET, "%s", status == XM_IO ? trouble.text : "out of memory");
    if (status == XM_OK && xm_source_rewind(source) != XM_OK) {
        xm_bake_destroy(preview->hindsight);
        preview->hindsight = NULL;
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "it cannot be read again");
    }
    return status;
}
