/* SPDX-License-Identifier: MIT */
#include "source/bake.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "xenmon/region.h"

/* Until the trace shows its own rate, samples are taken as if it were this. */
#define PROVISIONAL_HZ UINT64_C(2400000000)
/* Between the last record of one replay and the first of the next. */
#define SEAM_NS UINT64_C(1000000)

/*
 * Events held back when a trace is read again.  All of Xen's trace buffers together hold 2^28 bytes
 * (doc/trace-format.md 1.1: the table that lists their pages), so a pass 2^24 events of 16 bytes; two
 * passes may be held.
 */
#define HINDSIGHT_HELD (UINT32_C(1) << 25)

/* A domain on a pCPU has a row: 100 MB of them, 8192 domains on 512 pCPUs.  No more, however hostile the input. */
#define MOST_PAIRS (UINT64_C(1) << 22)

/* Samples taken in a row without an event in between: an hour of them at ten a second. */
#define MOST_BEHIND UINT64_C(36000)

struct xm_bake {
    struct xm_bake_config config;
    struct xm_stream *stream;
    struct xm_account *account;
    struct xm_stream_stats before; /* of the streams before this one: xm_bake_again() */
    const struct xm_event *run;    /* not yet in the account */
    size_t run_left;
    bool begun;
    bool refusing;    /* the next event's newcomers are left out */
    bool narrowed;    /* the stream has been told what is of no use */
    bool finishing;   /* the stream has been finished, */
    bool accounted;   /* and the account too */
    enum xm_status damage;
    uint64_t start;
    uint64_t now;
    uint64_t next_due;
    uint64_t hz;           /* the trace's own, as of `hz_records` */
    uint64_t hz_records;
};

struct xm_bake *xm_bake_create(const struct xm_bake_config *config)
{
    static const struct xm_capacity initial = {32, 100, 8};
    static const struct xm_capacity limit = {8192, 16384, 4096};
    struct xm_bake *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->config = *config;
    struct xm_capacity *c = &b->config.capacity;
    struct xm_capacity *l = &b->config.limit;
    c->domains = c->domains ? c->domains : initial.domains;
    c->vcpus = c->vcpus ? c->vcpus : initial.vcpus;
    c->pcpus = c->pcpus ? c->pcpus : initial.pcpus;
    l->domains = l->domains ? l->domains : limit.domains;
    l->vcpus = l->vcpus ? l->vcpus : limit.vcpus;
    l->pcpus = l->pcpus ? l->pcpus : limit.pcpus;
    b->stream = xm_stream_create(&b->config.stream);
    b->account = xm_account_create(*c);
    if (b->stream && b->account)
        return b;
    xm_bake_destroy(b);
    return NULL;
}

void xm_bake_destroy(struct xm_bake *b)
{
    if (!b)
        return;
    xm_stream_destroy(b->stream);
    xm_account_destroy(b->account);
    free(b);
}

/* ---- Time. */

uint64_t xm_bake_hz(struct xm_bake *b, const char **from)
{
    if (b->config.hz) {
        *from = "option";
        return b->config.hz;
    }
    /* The estimate sorts its samples, so it is made anew only when there is a good deal more to go by. */
    uint64_t records = b->before.records + xm_stream_stats(b->stream)->records;
    if (records > b->hz_records + b->hz_records / 4 || (b->accounted && records > b->hz_records)) {
        b->hz = xm_account_calibrate(b->account);
        b->hz_records = records;
    }
    *from = b->hz ? "trace" : "";
    return b->hz;
}

static uint64_t cycles_of(struct xm_bake *b, uint64_t ns)
{
    const char *from;
    struct xm_scale scale;
    uint64_t hz = xm_bake_hz(b, &from);
    if (!xm_scale_init(&scale, hz ? hz : PROVISIONAL_HZ))
        (void)xm_scale_init(&scale, PROVISIONAL_HZ);
    return xm_scale_to_cycles(&scale, xm_ns_of(ns)).v;
}

static void schedule(struct xm_bake *b)
{
    uint64_t cycles = b->config.interval_ns ? cycles_of(b, b->config.interval_ns) : 0;
    b->next_due = cycles && b->next_due < UINT64_MAX - cycles ? b->next_due + cycles : UINT64_MAX;
}

/* The clock has jumped: of the samples that would fall into the jump only the last ones are taken. */
static void catch_up(struct xm_bake *b, uint64_t now)
{
    uint64_t cycles = b->config.interval_ns ? cycles_of(b, b->config.interval_ns) : 0;
    if (cycles && b->next_due < now && (now - b->next_due) / cycles > MOST_BEHIND)
        b->next_due = now - MOST_BEHIND * cycles;
}

static void begin(struct xm_bake *b)
{
    if (b->begun || xm_stream_stats(b->stream)->records == 0)
        return;
    b->start = b->now = b->next_due = xm_stream_stats(b->stream)->first_tsc.v;
    xm_account_begin(b->account, xm_cycles_of(b->start));
    b->begun = true;
    schedule(b);
}

static enum xm_status samples_upto(struct xm_bake *b, uint64_t now)
{
    catch_up(b, now);
    while (b->next_due <= now && b->next_due != UINT64_MAX) {
        b->now = b->next_due;
        if (b->config.due) {
            enum xm_status status = b->config.due(b->config.user, b, xm_cycles_of(b->next_due));
            if (status != XM_OK)
                return status;
        }
        schedule(b);
    }
    if (now > b->now)
        b->now = now;
    return XM_OK;
}

/* ---- Events into the account. */

static uint32_t grown_to(uint32_t is, uint32_t want, uint32_t limit)
{
    if (want <= is)
        return is;
    uint32_t to = is < want / 2 ? want : 2 * is;
    return to < limit ? to : limit;
}

static enum xm_status grow(struct xm_bake *b, struct xm_capacity want)
{
    struct xm_capacity is = xm_account_capacity(b->account);
    struct xm_capacity to = {grown_to(is.domains, want.domains, b->config.limit.domains),
                             grown_to(is.vcpus, want.vcpus, b->config.limit.vcpus),
                             grown_to(is.pcpus, want.pcpus, b->config.limit.pcpus)};
    if ((uint64_t)to.domains * to.pcpus > MOST_PAIRS) {
        to.domains = is.domains;
        to.pcpus = is.pcpus;
    }
    if (to.domains <= is.domains && to.vcpus <= is.vcpus && to.pcpus <= is.pcpus) {
        xm_account_refuse(b->account, true);
        b->refusing = true;
        return XM_OK;
    }
    enum xm_status status = xm_account_grow(b->account, to);
    if (status == XM_OK && b->config.grown)
        status = b->config.grown(b->config.user, b, to);
    return status;
}

/* *fed: how many are in the account, also where it ends early. */
static enum xm_status feed(struct xm_bake *b, const struct xm_event *events, size_t count, size_t *fed)
{
    *fed = 0;
    while (*fed < count) {
        size_t used;
        struct xm_capacity want;
        /* What found no room is refused by itself: the other tables may still grow. */
        size_t most = b->refusing ? 1 : count - *fed;
        enum xm_status status = xm_account_events(b->account, events + *fed, most, &used, &want);
        *fed += used;
        if (b->refusing)
            xm_account_refuse(b->account, false);
        b->refusing = false;
        if (status == XM_FULL)
            status = grow(b, want);
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

/* As much of the run as belongs before the next sample. */
static enum xm_status feed_run(struct xm_bake *b)
{
    while (b->run_left > 0) {
        size_t count = b->run_left;
        if (b->run[count - 1].tsc.v > b->next_due) {
            count = 0;
            while (b->run[count].tsc.v <= b->next_due)
                count++;
        }
        size_t fed;
        enum xm_status status = feed(b, b->run, count, &fed);
        b->run += fed;
        b->run_left -= fed;
        if (status != XM_OK)
            return status;
        if (b->run_left > 0) {
            status = samples_upto(b, b->run[0].tsc.v - 1);
            if (status != XM_OK)
                return status;
        }
    }
    return XM_OK;
}

/* Where runstate records tell the states, what SWITCH, WAKE, BLOCK and SLEEP say is not looked at any more. */
static void narrow(struct xm_bake *b)
{
    uint32_t without = 1u << XM_EV_SWITCH | 1u << XM_EV_WAKE | 1u << XM_EV_SLEEP | 1u << XM_EV_BLOCK;
    if (b->narrowed || !xm_account_from_runstate(b->account))
        return;
    if (b->config.hz)
        without |= 1u << XM_EV_INFPREV;
    b->config.stream.kinds = ~without;
    xm_stream_want(b->stream, ~without);
    b->narrowed = true;
}

static enum xm_status drain(struct xm_bake *b)
{
    narrow(b);
    for (;;) {
        enum xm_status status = feed_run(b);
        if (status != XM_OK)
            return status;
        status = xm_stream_run(b->stream, &b->run, &b->run_left);
        if (status != XM_OK)
            break;
        /* Only now is the first TSC settled: nothing older can come than what is released. */
        begin(b);
    }
    b->run_left = 0;
    if (!b->begun)
        return XM_OK;
    return samples_upto(b, xm_stream_watermark(b->stream).v);
}

enum xm_status xm_bake_run(struct xm_bake *b, const void *bytes, size_t size, size_t *used)
{
    *used = 0;
    enum xm_status status = drain(b);
    while (status == XM_OK && *used < size) {
        size_t took;
        enum xm_status pushed = xm_stream_push(b->stream, (const char *)bytes + *used, size - *used, &took);
        *used += took;
        status = drain(b);
        if (pushed != XM_OK)
            return status == XM_OK ? pushed : status;
    }
    return status;
}

bool xm_bake_hindsight(const struct xm_bake *b)
{
    const struct xm_stream_stats *stats = xm_stream_stats(b->stream);
    return b->config.stream.order == XM_ORDER_STRICT && (stats->late_gaps || stats->stragglers);
}

/* In strict order a stream that is told of these waits for their first records. */
static enum xm_status expect_seen(struct xm_stream *stream, const struct xm_stream *before)
{
    uint32_t cpus = xm_stream_stats(before)->cpus;
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        if (!xm_stream_seen(before, cpu))
            continue;
        enum xm_status status = xm_stream_expect(stream, cpu);
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

enum xm_status xm_bake_expect(struct xm_bake *b, const struct xm_bake *before)
{
    b->config.stream.max_held = HINDSIGHT_HELD;
    struct xm_stream *patient = xm_stream_create(&b->config.stream);
    if (!patient)
        return XM_NOMEM;
    xm_stream_destroy(b->stream);
    b->stream = patient;
    return expect_seen(b->stream, before->stream);
}

enum xm_status xm_bake_introduce(struct xm_bake *b, uint32_t domid, uint32_t vcpu, enum xm_runstate state,
                                 xm_cycles told)
{
    for (;;) {
        struct xm_capacity want;
        enum xm_status status =
            xm_account_introduce(b->account, domid, vcpu, state, told, xm_cycles_of(b->now), &want);
        if (b->refusing)
            xm_account_refuse(b->account, false);
        b->refusing = false;
        if (status == XM_FULL)
            status = grow(b, want);
        else
            return status;
        if (status != XM_OK)
            return status;
    }
}

void xm_bake_gone(struct xm_bake *b, uint32_t domid)
{
    xm_account_gone(b->account, domid, xm_cycles_of(b->now));
}

void xm_bake_pass_end(struct xm_bake *b)
{
    xm_stream_pass_end(b->stream);
}

static enum xm_status finish_stream(struct xm_bake *b)
{
    if (!b->finishing) {
        enum xm_status status = xm_stream_finish(b->stream);
        if (status == XM_NOMEM)
            return status;
        if (status != XM_OK)
            b->damage = status;
        b->finishing = true;
    }
    return drain(b);
}

enum xm_status xm_bake_finish(struct xm_bake *b)
{
    enum xm_status status = finish_stream(b);
    if (status != XM_OK)
        return status;
    if (!b->accounted) {
        begin(b);
        xm_account_finish(b->account, xm_cycles_of(b->now));
        b->accounted = true;
    }
    if (b->config.due && b->config.interval_ns && b->begun) {
        status = b->config.due(b->config.user, b, xm_cycles_of(b->now));
        if (status != XM_OK)
            return status;
    }
    return b->damage;
}

/* ---- The same trace once more. */

static enum xm_status feed_one(struct xm_bake *b, uint64_t cpu, uint8_t kind, uint64_t tsc, uint32_t dom)
{
    const struct xm_event event = {.tsc = {tsc}, .cpu = (uint16_t)cpu, .kind = kind, .words = 3,
                                   .word = {kind == XM_EV_SCHED_REM ? dom : 0, XM_NO_DOM, XM_NO_VCPU}};
    size_t fed;
    return feed(b, &event, 1, &fed);
}

static enum xm_status gaps(struct xm_bake *b, const struct xm_sample *rows, uint8_t kind, uint64_t tsc)
{
    enum xm_status status = XM_OK;
    for (uint32_t i = 0; i < rows->used.pcpus && status == XM_OK; i++)
        if (rows->pcpu[i].id)
            status = feed_one(b, rows->pcpu[i].id & UINT16_MAX, kind, tsc, 0);
    return status;
}

/* A domain that the trace creates will be created again, so it must have ended. */
static enum xm_status end_created(struct xm_bake *b, const struct xm_sample *rows)
{
    enum xm_status status = XM_OK;
    for (uint32_t i = 0; i < rows->used.domains && status == XM_OK; i++) {
        struct xm_account_domain d = xm_account_domain(b->account, i);
        if (d.id && d.created.v && !d.ended.v)
            status = feed_one(b, rows->pcpu[0].id & UINT16_MAX, XM_EV_SCHED_REM, b->now, xm_row_domid(d.id));
    }
    return status;
}

/* Nobody knows what happens at the seam; from its end on everything is learned from the next records. */
static enum xm_status seam(struct xm_bake *b, uint64_t resume)
{
    struct xm_sample rows;
    enum xm_status status = xm_sample_init(&rows, xm_account_capacity(b->account));
    if (status != XM_OK)
        return status;
    xm_account_sample(b->account, xm_cycles_of(b->now), false, &rows);
    status = gaps(b, &rows, XM_EV_GAP_OPEN, b->now);
    if (status == XM_OK)
        status = end_created(b, &rows);
    if (status == XM_OK)
        status = gaps(b, &rows, XM_EV_GAP_CLOSE, resume);
    xm_sample_fini(&rows);
    return status;
}

static void add_stats(struct xm_stream_stats *sum, const struct xm_stream_stats *s)
{
    sum->bytes += s->bytes;
    sum->records += s->records;
    sum->lost_records += s->lost_records;
    sum->damaged_bytes += s->damaged_bytes;
    sum->damages += s->damages;
    sum->short_records += s->short_records;
    sum->backwards += s->backwards;
    sum->stragglers += s->stragglers;
    sum->late_gaps += s->late_gaps;
    for (unsigned i = 0; i < XM_CLASSES; i++)
        sum->by_class[i] += s->by_class[i];
    sum->cpus = sum->cpus > s->cpus ? sum->cpus : s->cpus;
    if (sum->first_tsc.v == 0)
        sum->first_tsc = s->first_tsc;
    sum->last_tsc = s->last_tsc;
    sum->fixed_format |= s->fixed_format;
    sum->seen_mem |= s->seen_mem;
    sum->seen_pv |= s->seen_pv;
}

enum xm_status xm_bake_again(struct xm_bake *b)
{
    enum xm_status status = finish_stream(b);
    if (status != XM_OK)
        return status;
    if (!b->begun)
        return b->damage ? b->damage : XM_DAMAGED;
    struct xm_stream_stats stats = *xm_stream_stats(b->stream);
    uint64_t resume = b->now + cycles_of(b, SEAM_NS);
    struct xm_stream_config config = b->config.stream;
    config.shift.v = b->config.stream.shift.v + (resume - stats.first_tsc.v);
    struct xm_stream *next = xm_stream_create(&config);
    if (!next)
        return XM_NOMEM;
    if (expect_seen(next, b->stream) != XM_OK) {
        xm_stream_destroy(next);
        return XM_NOMEM;
    }
    status = seam(b, resume);
    add_stats(&b->before, &stats);
    xm_stream_destroy(b->stream);
    b->stream = next;
    b->config.stream = config;
    b->finishing = false;
    return status;
}

/* ---- What came out. */

struct xm_stream_stats xm_bake_stats(const struct xm_bake *b)
{
    struct xm_stream_stats sum = b->before;
    add_stats(&sum, xm_stream_stats(b->stream));
    if (sum.last_tsc.v == 0)
        sum.last_tsc = b->before.last_tsc;
    return sum;
}

void xm_bake_sample(struct xm_bake *b, xm_cycles now, bool end_interval, struct xm_sample *sample)
{
    struct xm_stream_stats stats = xm_bake_stats(b);
    xm_account_sample(b->account, now, end_interval, sample);
    sample->host.records = stats.records;
    sample->host.lost_records = stats.lost_records;
    sample->host.anomalies += stats.backwards + stats.stragglers + stats.short_records;
    sample->host.damaged_bytes = stats.damaged_bytes;
}

struct xm_account *xm_bake_account(struct xm_bake *b)
{
    return b->account;
}

struct xm_stream *xm_bake_stream(struct xm_bake *b)
{
    return b->stream;
}

xm_cycles xm_bake_start(const struct xm_bake *b)
{
    return xm_cycles_of(b->start);
}

xm_cycles xm_bake_now(const struct xm_bake *b)
{
    return xm_cycles_of(b->now);
}

uint32_t xm_bake_io_seen(const struct xm_bake *b)
{
    struct xm_stream_stats stats = xm_bake_stats(b);
    return (stats.seen_mem ? XM_IO_SEEN_TRANSFERS | XM_IO_SEEN_GRANTS : 0) | (stats.seen_pv ? XM_IO_SEEN_COPIES : 0);
}
