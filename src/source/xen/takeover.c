/* SPDX-License-Identifier: MIT */
/*
 * Taking over tracing, and giving it back.
 *
 * The order is that of harm: what only looks comes first, with VIRQ_TBUF, which nobody else can want; what changes
 * anything comes once there is a note of what it was.  Buffers alone cannot be given back.
 */
#include "source/xen/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "region/process.h"
#include "source/xen/live_int.h"
#include "source/xen/rivals.h"

#define NS_PER_MS 1000000L

/* A consumer that polls ten times a second, as xentrace does, shows within this time. */
#define WATCH_STEP_MS 10u
#define WATCH_STEPS 15u
/* Our own sleeping makes the scheduler write where tracing is on. */
#define PROBE_STEP_MS 5u
#define PROBE_STEPS 20u

static void sleep_ms(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * NS_PER_MS};
    (void)nanosleep(&t, NULL);
}

/* ---- The buffers. */

static enum xm_status map_failed(const char *what, int error, struct xm_error *err)
{
    bool denied = error == EPERM || error == EACCES;
    return xm_fail(err, denied ? XM_DENIED : XM_IO, XM_NO_OFFSET, "%s cannot be mapped: %s", what, strerror(error));
}

/* A copy of t_info: what it says is checked once and cannot change afterwards. */
static enum xm_status copy_table(const struct xm_live *s, const struct xm_control_tbuf *tbuf, void **table,
                                 struct xm_error *err)
{
    const struct xm_hyper *hyper = s->config.hyper;
    size_t pages = (tbuf->info_bytes + XM_RING_PAGE_BYTES - 1) / XM_RING_PAGE_BYTES;
    uint64_t *frame = calloc(pages, sizeof *frame);
    *table = malloc(tbuf->info_bytes);
    if (!frame || !*table) {
        free(frame);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    for (size_t i = 0; i < pages; i++)
        frame[i] = tbuf->info_frame + i;
    int error = 0;
    void *mapped = hyper->ops->map(hyper->self, false, frame, pages, &error);
    free(frame);
    if (!mapped)
        return map_failed("the table of trace buffers", error, err);
    memcpy(*table, mapped, tbuf->info_bytes);
    hyper->ops->unmap(hyper->self, mapped, pages);
    return XM_OK;
}

static enum xm_status map_cpu(struct xm_live *s, const struct xm_tinfo *info, uint32_t id, uint64_t *frames,
                              struct xm_error *err)
{
    const struct xm_hyper *hyper = s->config.hyper;
    struct xm_live_cpu *c = &s->cpu[s->cpus];
    uint32_t frame;
    int error = 0;
    for (uint32_t page = 0; page < info->pages; page++) {
        if (!xm_tinfo_frame(info, id, page, &frame))
            return XM_OK; /* this CPU has none */
        frames[page] = frame;
    }
    c->id = id;
    c->memory = hyper->ops->map(hyper->self, true, frames, info->pages, &error);
    if (!c->memory)
        return map_failed("a trace buffer", error, err);
    s->cpus++;
    return xm_ring_attach(&c->ring, c->memory, info->pages);
}

static enum xm_status map_cpus(struct xm_live *s, const struct xm_tinfo *info, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    uint64_t *frames = calloc(info->pages, sizeof *frames);
    s->cpu = calloc(info->cpus, sizeof *s->cpu);
    s->pages = info->pages;
    if (!frames || !s->cpu) {
        free(frames);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    for (uint32_t id = 0; id < info->cpus && status == XM_OK; id++)
        status = map_cpu(s, info, id, frames, err);
    free(frames);
    return status;
}

static enum xm_status map_buffers(struct xm_live *s, const struct xm_control_tbuf *tbuf, struct xm_error *err)
{
    struct xm_tinfo info;
    void *table = NULL;
    enum xm_status status = copy_table(s, tbuf, &table, err);
    if (status == XM_OK) {
        status = xm_tinfo_read(&info, table, tbuf->info_bytes, err);
        if (status == XM_OK)
            status = map_cpus(s, &info, err);
        else if (status == XM_AGAIN)
            status = xm_fail(err, XM_IO, XM_NO_OFFSET, "the hypervisor's table of trace buffers lists none");
        else
            status = XM_IO;
    }
    if (err && err->status != XM_OK)
        err->status = status;
    free(table);
    return status;
}

/* Allocates buffers, which stay until the next boot whatever comes after.  Xen begins to trace by that. */
static enum xm_status make_buffers(struct xm_live *s, struct xm_control_tbuf *tbuf, struct xm_error *err)
{
    enum xm_status status = xm_control_allocate(s->config.control, s->config.pages, err);
    if (status == XM_OK || status == XM_FULL)
        status = xm_control_tbuf(s->config.control, tbuf, err);
    if (status != XM_OK)
        return status;
    if (tbuf->info_bytes == 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "the hypervisor has allocated no trace buffers");
    return map_buffers(s, tbuf, err);
}

static void unmap_all(struct xm_live *s)
{
    const struct xm_hyper *hyper = s->config.hyper;
    for (uint32_t i = 0; i < s->cpus; i++)
        hyper->ops->unmap(hyper->self, s->cpu[i].memory, s->pages);
    free(s->cpu);
    s->cpu = NULL;
    s->cpus = 0;
}

/* ---- Who else is there? */

static enum xm_status refuse(const struct xm_live *s, const char *why, struct xm_error *err)
{
    struct xm_rival rival;
    if (!xm_rivals_find(s->config.proc, &rival))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "another program %s, and only one can: stop it first (xentrace or another xenbaked, perhaps in "
                       "another domain)",
                       why);
    return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "%s%s (pid %d) %s, and only one can: stop it first",
                   rival.by == XM_RIVAL_BY_DEVICE ? "another program, perhaps " : "", rival.name, rival.pid, why);
}

static enum xm_status bind_virq(struct xm_live *s, struct xm_error *err)
{
    const struct xm_hyper *hyper = s->config.hyper;
    s->virq = hyper->ops->fd(hyper->self);
    if (s->virq >= 0)
        return XM_OK; /* since an earlier source on the same hypervisor */
    int error = -hyper->ops->bind(hyper->self);
    if (error == EEXIST)
        return refuse(s, "reads the trace buffers (it has VIRQ_TBUF)", err);
    if (error)
        xm_live_say(s, true, "VIRQ_TBUF cannot be bound (%s): the trace buffers are looked at by time alone",
                    strerror(error));
    else
        s->virq = hyper->ops->fd(hyper->self);
    return XM_OK;
}

/* Remembers the indices as they are: cons in the CPU itself, prod where nothing else uses it yet. */
static void remember(struct xm_live *s)
{
    for (uint32_t i = 0; i < s->cpus; i++) {
        struct xm_live_cpu *c = &s->cpu[i];
        c->cons = atomic_load_explicit(&c->ring.index->cons, memory_order_relaxed);
        c->window.size = atomic_load_explicit(&c->ring.index->prod, memory_order_relaxed);
    }
}

static void moved(const struct xm_live *s, bool *cons, bool *prod)
{
    for (uint32_t i = 0; i < s->cpus; i++) {
        const struct xm_live_cpu *c = &s->cpu[i];
        *cons |= c->cons != atomic_load_explicit(&c->ring.index->cons, memory_order_relaxed);
        *prod |= c->window.size != atomic_load_explicit(&c->ring.index->prod, memory_order_relaxed);
    }
}

/* Buffers that were there before may have a consumer that did without VIRQ_TBUF. */
static enum xm_status watch(struct xm_live *s, struct xm_error *err)
{
    bool cons = false, prod = false;
    remember(s);
    for (unsigned i = 0; i < WATCH_STEPS && !cons; i++) {
        sleep_ms(WATCH_STEP_MS);
        moved(s, &cons, &prod);
    }
    if (cons)
        return refuse(s, "reads the trace buffers (their indices move)", err);
    if (prod && s->before.tracing == XM_NOTE_UNKNOWN)
        s->before.tracing = XM_NOTE_ON;
    return XM_OK;
}

/* ---- How it was. */

/* What a writer that was killed had found counts, not what it left. */
static enum xm_status read_note(struct xm_live *s, bool *orphan, struct xm_error *err)
{
    struct xm_note note;
    struct xm_error bad;
    *orphan = false;
    xm_error_clear(&bad);
    if (!s->config.state_path)
        return XM_OK;
    enum xm_status status = xm_note_read(s->config.state_path, s->config.proc, &note, &bad);
    if (status < 0)
        xm_live_say(s, true, "%s: it is ignored", bad.text);
    if (status != XM_OK)
        return XM_OK;
    if (xm_note_alive(&note))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "xenbaked (pid %llu) reads the trace buffers already, and only one can: stop it first",
                       (unsigned long long)note.pid);
    s->before = note;
    *orphan = true;
    xm_live_say(s, false, "xenbaked (pid %llu) ended without putting tracing back: that is done at the end now",
                (unsigned long long)note.pid);
    return XM_OK;
}

static enum xm_status write_note(struct xm_live *s, struct xm_error *err)
{
    if (!s->config.state_path)
        return XM_OK;
    enum xm_status status = xm_note_write(s->config.state_path, s->config.proc, &s->before, err);
    s->noted |= status == XM_OK;
    return status;
}

static void drop_all(struct xm_live *s)
{
    for (uint32_t i = 0; i < s->cpus; i++)
        xm_live_drop(&s->cpu[i]);
}

/* Nothing says whether tracing is on but what it does.  With room in the buffers and all CPUs in, it writes. */
static enum xm_status probe(struct xm_live *s, struct xm_error *err)
{
    if (s->before.tracing != XM_NOTE_UNKNOWN)
        return XM_OK;
    enum xm_status status = xm_control_events(s->config.control, s->config.events | XM_LIVE_EVENTS_MINIMAL, err);
    if (status == XM_OK)
        status = xm_control_cpus(s->config.control, NULL, 0, err);
    if (status != XM_OK)
        return status;
    bool cons = false, prod = false;
    drop_all(s);
    remember(s);
    for (unsigned i = 0; i < PROBE_STEPS && !prod; i++) {
        sleep_ms(PROBE_STEP_MS);
        moved(s, &cons, &prod);
    }
    s->before.tracing = prod ? XM_NOTE_ON : XM_NOTE_OFF;
    return write_note(s, err);
}

/*
 * Off first, where it was on: the hypervisor forgets then what it had counted as lost and writes nothing any more, so
 * that what is thrown away is all from before, and the first record is one of ours.
 */
static enum xm_status begin(struct xm_live *s, struct xm_error *err)
{
    struct xm_control *control = s->config.control;
    enum xm_status status = xm_control_enable(control, false, err);
    if (status == XM_OK)
        status = xm_control_events(control, s->config.events, err);
    if (status == XM_OK)
        status = xm_control_cpus(control, s->config.cpus, s->config.cpus_bits, err);
    if (status != XM_OK)
        return status;
    drop_all(s);
    s->looked_ns = s->heard_ns = xm_clock_ns();
    s->due_ns = s->looked_ns + s->poll.ns;
    return xm_control_enable(control, true, err);
}

/* Errors have nowhere to go, and each of the settings is worth trying. */
static void put_back(struct xm_live *s)
{
    struct xm_control *control = s->config.control;
    struct xm_error err;
    xm_error_clear(&err);
    bool on = s->before.tracing == XM_NOTE_ON;
    bool failed = s->before.tracing == XM_NOTE_OFF && xm_control_enable(control, false, &err) != XM_OK;
    failed |= xm_control_events(control, s->before.events, &err) != XM_OK;
    failed |= xm_control_cpus(control, NULL, 0, &err) != XM_OK;
    failed |= on && xm_control_enable(control, true, &err) != XM_OK;
    if (failed)
        xm_live_say(s, true, "tracing is not as it was before: %s", err.text);
}

void xm_live_give_back(struct xm_live *s)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (s->touched)
        put_back(s);
    unmap_all(s);
    if (s->noted && xm_note_remove(s->config.state_path, &err) != XM_OK)
        xm_live_say(s, true, "%s", err.text);
    free(s);
}

/* ---- All of it. */

static bool valid(const struct xm_live_config *config)
{
    return config->pages >= 1 && config->pages <= 65535 && config->events != 0 &&
           config->poll_ns >= XM_POLL_LEAST_NS && config->poll_ns <= XM_POLL_MOST_NS &&
           config->cpus_bits <= XM_LIVE_CPUS;
}

static enum xm_status take_over(struct xm_live *s, struct xm_error *err)
{
    struct xm_control_tbuf tbuf;
    bool orphan;
    enum xm_status status = read_note(s, &orphan, err);
    if (status == XM_OK)
        status = xm_control_tbuf(s->config.control, &tbuf, err);
    if (status != XM_OK)
        return status;
    bool existed = tbuf.info_bytes != 0;
    if (!orphan)
        s->before = (struct xm_note){.events = tbuf.events, .tracing = existed ? XM_NOTE_UNKNOWN : XM_NOTE_OFF};
    status = bind_virq(s, err);
    if (status == XM_OK && existed)
        status = map_buffers(s, &tbuf, err);
    if (status == XM_OK && existed)
        status = watch(s, err);
    if (status == XM_OK)
        status = write_note(s, err);
    if (status != XM_OK)
        return status;
    s->touched = true;
    status = existed ? XM_OK : make_buffers(s, &tbuf, err);
    if (status == XM_OK)
        status = probe(s, err);
    return status == XM_OK ? begin(s, err) : status;
}

static void fill_status(struct xm_live *s)
{
    s->status.pages = s->pages;
    s->status.cpus = s->cpus;
    s->status.max_cpu = s->cpus ? s->cpu[s->cpus - 1].id : 0;
    s->status.buffer_bytes = (uint64_t)s->cpus * s->pages * XM_RING_PAGE_BYTES;
}

enum xm_status xm_live_open(const struct xm_live_config *config, struct xm_source **source, struct xm_error *err)
{
    *source = NULL;
    if (!valid(config))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a setting of the live source is out of range");
    struct xm_live *s = calloc(1, sizeof *s);
    if (!s)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    s->base = (struct xm_source){.ops = &xm_live_ops, .live = true, .name = "the hypervisor"};
    s->config = *config;
    s->virq = -1;
    xm_poll_init(&s->poll, config->poll_ns, config->poll_fixed);
    enum xm_status status = take_over(s, err);
    if (status != XM_OK) {
        xm_live_give_back(s);
        return status;
    }
    fill_status(s);
    *source = &s->base;
    return XM_OK;
}
