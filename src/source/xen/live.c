/* SPDX-License-Identifier: MIT */
/*
 * Passes over the trace buffers.
 *
 * A pass looks at all buffers before it delivers the first byte: whatever is written later belongs to the next one,
 * which is what the order of a live stream stands on (doc/trace-format.md 1.7).  For the same reason a CPU's
 * LOST_RECORDS goes out in a window of its own, and what its buffer holds by then is thrown away: it lies in the gap
 * anyway, a second window of the CPU would look like another pass, and one record more in its window
 * would hide from the stream that the buffer was full.
 */
#include "source/xen/live.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "region/process.h"
#include "source/xen/live_int.h"
#include "source/xen/rivals.h"
#include "trace/format.h"

#define PIECE_BYTES 65536u
#define NS_PER_MS UINT64_C(1000000)

/* Our own waiting makes the scheduler write; no record in so long, and in so many passes, means that tracing is off. */
#define SILENCE_NS UINT64_C(2000000000)
#define SILENT_PASSES 3u

/* Event bits that a mask must have for anything to be seen of the scheduler: class and subclass of SCHED_MIN. */
#define MASK_SCHEDULER 0x00021000u
/* Minor numbers in a mask mean nothing. */
#define MASK_BITS 0x0ffff000u

void xm_live_say(const struct xm_live *s, bool warning, const char *format, ...)
{
    char text[400];
    va_list args;
    if (!s->config.say)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->config.say(s->config.user, warning, text);
}

/* ---- What others did. */

static uint32_t cons_of(const struct xm_live_cpu *c)
{
    return atomic_load_explicit(&c->ring.index->cons, memory_order_relaxed);
}

void xm_live_drop(struct xm_live_cpu *c)
{
    /*
     * prod is the hypervisor's, but where it makes no sense somebody has written over it, and the hypervisor itself
     * gives up on the buffer for good: only from here can it be repaired.
     */
    if (!xm_ring_resync(&c->ring))
        atomic_store_explicit(&c->ring.index->prod, 0, memory_order_release);
    c->cons = cons_of(c);
    c->window.size = 0;
    c->robbed = false;
}

/* Records of this CPU are missing from the last one delivered on. */
static void lose(struct xm_live_cpu *c)
{
    xm_live_drop(c);
    c->lost = true;
}

static void tell_failure(struct xm_live *s, const struct xm_error *err)
{
    if (!s->said_failure)
        xm_live_say(s, true, "%s", err->text);
    s->said_failure = true;
}

/* Off and on again: between the two nothing is written, and the hypervisor forgets what it had counted as lost. */
static void start_over(struct xm_live *s)
{
    struct xm_error err;
    xm_error_clear(&err);
    bool failed = xm_control_enable(s->config.control, false, &err) != XM_OK;
    for (uint32_t i = 0; i < s->cpus; i++)
        lose(&s->cpu[i]);
    failed |= xm_control_enable(s->config.control, true, &err) != XM_OK;
    if (failed)
        tell_failure(s, &err);
    else
        s->said_failure = false;
}

static void tell_rival(struct xm_live *s)
{
    struct xm_rival rival;
    if (s->said_rival)
        return;
    s->said_rival = true;
    if (xm_rivals_find(s->config.proc, &rival))
        xm_live_say(s, true, "%s (pid %d) reads the trace buffers too: stop it, what it takes is missing here",
                    rival.name, rival.pid);
    else
        xm_live_say(s, true, "another program reads the trace buffers too (xentrace or another xenbaked, perhaps in "
                             "another domain): stop it, what it takes is missing here");
}

static void stolen(struct xm_live *s, struct xm_live_cpu *c)
{
    s->status.stolen++;
    lose(c);
    tell_rival(s);
}

/* ---- The beginning of a pass. */

/* What a buffer holds.  False: its indices make no sense, and the hypervisor has stopped tracing or will. */
static bool look_at(struct xm_live *s, struct xm_live_cpu *c)
{
    enum xm_status status = xm_ring_peek(&c->ring, &c->window);
    if (cons_of(c) != c->cons) {
        stolen(s, c);
    } else if (c->lost) {
        lose(c); /* what came since it was found out */
    }
    if (status == XM_DAMAGED)
        s->status.bogus++;
    return status != XM_DAMAGED;
}

static uint32_t note_fill(struct xm_live_cpu *c)
{
    uint32_t permille = (uint32_t)((uint64_t)c->window.size * 1000 / c->ring.bytes);
    if (permille > c->permille)
        c->permille = permille;
    return permille;
}

static void begin_pass(struct xm_live *s, uint64_t now)
{
    bool good = true;
    uint32_t fullest = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < s->cpus; i++)
        good &= look_at(s, &s->cpu[i]);
    if (!good) {
        if (!s->said_bogus)
            xm_live_say(s, true, "the indices of a trace buffer made no sense: tracing is begun anew");
        s->said_bogus = true;
        start_over(s);
    }
    for (uint32_t i = 0; i < s->cpus; i++) {
        uint32_t permille = note_fill(&s->cpu[i]);
        fullest = permille > fullest ? permille : fullest;
        bytes += s->cpu[i].window.size;
    }
    if (bytes) {
        s->heard_ns = now;
        s->silent = 0;
        s->said_silence = false;
    } else {
        s->silent++;
    }
    s->due_ns = now + xm_poll_pass(&s->poll, fullest, now - s->looked_ns, s->urgent);
    s->looked_ns = now;
    s->urgent = false;
    s->status.passes++;
    s->delivering = true;
    s->at = 0;
    s->announced = false;
    s->given = 0;
    s->held = false;
}

/* ---- Delivery. */

/* The caller is done with what the last call gave it. */
static void consume(struct xm_live *s)
{
    struct xm_live_cpu *c = &s->cpu[s->at];
    if (!s->held)
        return;
    s->held = false;
    c->robbed |= cons_of(c) != c->cons;
    /*
     * Windows are given back whole: whether the buffer ran full in the meantime can then be told from the sizes of two
     * of them (trace/stream.c).  Added to an index that is not ours, this could make one that stops tracing for all.
     */
    if (c->robbed || s->given < c->window.size)
        return;
    xm_ring_consume(&c->ring, c->window.size);
    c->cons = (c->cons + c->window.size) % (2 * c->ring.bytes);
}

static size_t announce(struct xm_live *s, struct xm_live_cpu *c)
{
    s->announced = true;
    s->header[0] = XM_WINDOW_HEADER;
    s->header[1] = c->id;
    if (!c->lost) {
        s->header[2] = c->window.size;
        return 3 * sizeof s->header[0];
    }
    c->lost = false;
    s->header[2] = XM_LIVE_MARK_WORDS * (uint32_t)sizeof s->header[0];
    s->header[3] = XM_HEADER(XM_TRC_LOST, 1, 0);
    s->header[4] = 1; /* at least; how many nobody knows */
    return sizeof s->header;
}

/* The next bytes of a window; they are in place in the buffer. */
static size_t hand_out(struct xm_live *s, const struct xm_live_cpu *c, const void **bytes)
{
    unsigned which = s->given < c->window.part[0].size ? 0 : 1;
    uint32_t from = which ? s->given - c->window.part[0].size : s->given;
    uint32_t size = c->window.part[which].size - from;
    size = size < PIECE_BYTES ? size : PIECE_BYTES;
    *bytes = c->window.part[which].bytes + from;
    s->given += size;
    s->held = true;
    return size;
}

/* 0: the pass is over. */
static size_t deliver(struct xm_live *s, const void **bytes)
{
    for (; s->at < s->cpus; s->at++) {
        struct xm_live_cpu *c = &s->cpu[s->at];
        consume(s);
        if (!s->announced && (c->window.size || c->lost)) {
            *bytes = s->header;
            return announce(s, c);
        }
        if (s->given < c->window.size)
            return hand_out(s, c, bytes);
        if (c->robbed)
            stolen(s, c); /* the stream is told in the next pass */
        s->announced = false;
        s->given = 0;
    }
    return 0;
}

/* ---- Between passes. */

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / XM_NS_PER_S), .tv_nsec = (long)(ns % XM_NS_PER_S)};
}

static void take_virq(struct xm_live *s, short revents)
{
    if (revents & POLLIN) {
        s->config.hyper->ops->take(s->config.hyper->self);
        s->status.virqs++;
        s->urgent = true;
        return;
    }
    s->virq = -1;
    xm_live_say(s, true, "VIRQ_TBUF cannot be waited for any more: the trace buffers are looked at by time alone");
}

/* True once a pass is due; false: the timeout or a signal came first. */
static bool wait(struct xm_live *s, int timeout_ms)
{
    uint64_t now = xm_clock_ns();
    if (now >= s->due_ns)
        return true;
    uint64_t left = s->due_ns - now;
    if (timeout_ms >= 0 && left > (uint64_t)timeout_ms * NS_PER_MS)
        left = (uint64_t)timeout_ms * NS_PER_MS;
    struct pollfd p = {.fd = s->virq, .events = POLLIN};
    const struct timespec t = timespec_of(left);
    int n = ppoll(&p, 1, &t, NULL);
    s->status.wakeups += left > 0 || n > 0;
    if (n > 0)
        take_virq(s, p.revents);
    return s->urgent || xm_clock_ns() >= s->due_ns;
}

static void look_after(struct xm_live *s, uint64_t now);

static enum xm_status next(struct xm_source *source, int timeout_ms, const void **bytes, size_t *size,
                           struct xm_error *err)
{
    struct xm_live *s = (struct xm_live *)source;
    s->ended = false;
    if (!s->delivering) {
        if (!wait(s, timeout_ms))
            return XM_AGAIN;
        begin_pass(s, xm_clock_ns());
    }
    *size = deliver(s, bytes);
    if (*size)
        return XM_OK;
    s->delivering = false;
    s->ended = true;
    if (s->look_after)
        look_after(s, xm_clock_ns());
    return XM_AGAIN;
}

static bool pass_ended(struct xm_source *source)
{
    struct xm_live *s = (struct xm_live *)source;
    bool ended = s->ended;
    s->ended = false;
    return ended;
}

/* ---- Looking after what others may have changed. */

/* True where a mask lets all through that ours does: then nothing was missed. */
static bool lets_through(uint32_t mask, uint32_t ours)
{
    return (ours & ~mask & MASK_BITS) == 0;
}

static void look_after_mask(struct xm_live *s)
{
    struct xm_control_tbuf tbuf;
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = xm_control_tbuf(s->config.control, &tbuf, &err);
    if (status == XM_OK && tbuf.events == s->config.events)
        return;
    if (status == XM_OK)
        status = xm_control_events(s->config.control, s->config.events, &err);
    if (status != XM_OK) {
        tell_failure(s, &err);
        return;
    }
    s->status.repaired++;
    if (!s->said_mask)
        xm_live_say(s, true, "another program had set the event mask to 0x%08x: it is 0x%08x again", tbuf.events,
                    s->config.events);
    s->said_mask = true;
    if (lets_through(tbuf.events, s->config.events))
        return;
    start_over(s);
    s->due_ns = 0;
}

/*
 * The hypervisor does not say which CPUs it traces, and those that are left write on, so that there is no silence to
 * notice: `xentrace -c 0` has set its mask before it finds that it may not read.  To set ours again changes nothing
 * where it is still set.
 */
static void look_after_cpus(struct xm_live *s)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_control_cpus(s->config.control, s->config.cpus, s->config.cpus_bits, &err) != XM_OK)
        tell_failure(s, &err);
}

/*
 * Where CPUs are left out, or the scheduler's events, silence may be true.  Tracing that was off is begun anew then
 * without a word, as that does no harm where it was on.
 */
static void look_after_silence(struct xm_live *s, uint64_t now)
{
    if (s->silent < SILENT_PASSES || now - s->heard_ns < SILENCE_NS)
        return;
    s->heard_ns = now;
    s->silent = 0;
    if (s->config.cpus || !lets_through(s->config.events, MASK_SCHEDULER)) {
        struct xm_error err;
        xm_error_clear(&err);
        if (xm_control_enable(s->config.control, true, &err) != XM_OK)
            tell_failure(s, &err);
        return;
    }
    if (!s->said_silence)
        xm_live_say(s, true, "the hypervisor has written nothing for 2 s: tracing is switched on again");
    s->said_silence = true;
    s->status.repaired++;
    start_over(s);
    s->due_ns = 0;
}

static void look_after(struct xm_live *s, uint64_t now)
{
    s->look_after = false;
    look_after_cpus(s);
    look_after_mask(s);
    look_after_silence(s, now);
}

void xm_live_look_after(struct xm_source *source)
{
    struct xm_live *s = (struct xm_live *)source;
    if (s->delivering)
        s->look_after = true; /* windows that have been announced are delivered first */
    else
        look_after(s, xm_clock_ns());
}

/* ---- What it knows about itself. */

struct xm_live_status xm_live_status(const struct xm_source *source)
{
    const struct xm_live *s = (const struct xm_live *)source;
    struct xm_live_status status = s->status;
    status.poll_ns = s->poll.ns;
    return status;
}

bool xm_live_fill(struct xm_source *source, uint32_t cpu, uint32_t *permille)
{
    struct xm_live *s = (struct xm_live *)source;
    uint32_t low = 0, high = s->cpus;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->cpu[middle].id < cpu)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == s->cpus || s->cpu[low].id != cpu)
        return false;
    *permille = s->cpu[low].permille;
    s->cpu[low].permille = 0;
    return true;
}

static void close_live(struct xm_source *source)
{
    xm_live_give_back((struct xm_live *)source);
}

const struct xm_source_ops xm_live_ops = {.next = next, .pass_ended = pass_ended, .close = close_live};
