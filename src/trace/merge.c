/* SPDX-License-Identifier: MIT */
#include "trace/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static const struct xm_event *head_of(const struct xm_merge *m, uint32_t cpu)
{
    return &m->cpu[cpu].queue[m->cpu[cpu].head];
}

/* Order of two CPUs' heads: TSC, ties by CPU number. */
static bool before(const struct xm_merge *m, uint32_t a, uint32_t b)
{
    uint64_t ta = head_of(m, a)->tsc.v;
    uint64_t tb = head_of(m, b)->tsc.v;
    return ta < tb || (ta == tb && a < b);
}

static void sift_down(struct xm_merge *m, uint32_t at)
{
    uint32_t *heap = m->heap;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= m->heap_size)
            return;
        if (child + 1 < m->heap_size && before(m, heap[child + 1], heap[child]))
            child++;
        if (!before(m, heap[child], heap[at]))
            return;
        uint32_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
        at = child;
    }
}

static void heap_push(struct xm_merge *m, uint32_t cpu)
{
    uint32_t at = m->heap_size++;
    m->heap[at] = cpu;
    while (at > 0 && before(m, m->heap[at], m->heap[(at - 1) / 2])) {
        uint32_t parent = (at - 1) / 2;
        uint32_t t = m->heap[at];
        m->heap[at] = m->heap[parent];
        m->heap[parent] = t;
        at = parent;
    }
}

static enum xm_status add_cpus(struct xm_merge *m, uint32_t cpus)
{
    if (cpus > m->room) {
        uint32_t room = m->room ? m->room : 8;
        while (room < cpus)
            room *= 2;
        struct xm_cpu *cpu = realloc(m->cpu, room * sizeof *cpu);
        if (!cpu)
            return XM_NOMEM;
        m->cpu = cpu;
        uint32_t *heap = realloc(m->heap, room * sizeof *heap);
        if (!heap)
            return XM_NOMEM;
        m->heap = heap;
        m->room = room;
    }
    memset(&m->cpu[m->cpus], 0, (cpus - m->cpus) * sizeof *m->cpu);
    m->cpus = cpus;
    return XM_OK;
}

enum xm_status xm_merge_reserve(struct xm_merge *m, uint32_t cpu, size_t events)
{
    if (cpu >= m->cpus) {
        enum xm_status status = add_cpus(m, cpu + 1);
        if (status != XM_OK)
            return status;
    }
    struct xm_cpu *c = &m->cpu[cpu];
    if (c->tail + events <= c->room)
        return XM_OK;
    /* What has been handed out makes room, where that is worth the move. */
    size_t waiting = c->tail - c->head;
    if (c->head >= waiting && waiting + events <= c->room) {
        memmove(c->queue, c->queue + c->head, waiting * sizeof *c->queue);
        c->head = 0;
        c->tail = waiting;
        return XM_OK;
    }
    size_t room = c->room ? c->room : 1024;
    while (room < c->tail + events)
        room *= 2;
    struct xm_event *queue = realloc(c->queue, room * sizeof *queue);
    if (!queue)
        return XM_NOMEM;
    c->queue = queue;
    c->room = room;
    return XM_OK;
}

void xm_merge_commit(struct xm_merge *m, uint32_t cpu, size_t count)
{
    struct xm_cpu *c = &m->cpu[cpu];
    bool was_empty = c->head == c->tail;
    c->tail += count;
    m->held += count;
    if (was_empty && count > 0)
        heap_push(m, cpu);
}

void xm_merge_append(struct xm_merge *m, const struct xm_event *event)
{
    struct xm_cpu *c = &m->cpu[event->cpu];
    XM_ASSERT(c->tail < c->room);
    c->queue[c->tail] = *event;
    xm_merge_commit(m, event->cpu, 1);
}

/*
 * A CPU that may be losing records has been silent for too long: what comes of others is released, and as it may have lost
 * something before that, it has a gap until its next record.  Without memory for that it is waited for.
 */
static void give_up(struct xm_merge *m, uint32_t cpu)
{
    struct xm_cpu *c = &m->cpu[cpu];
    if (c->gap || !c->seen || m->order == XM_ORDER_STRICT) { /* strict order waits for its next record anyway */
        c->full = 0;
        return;
    }
    if (xm_merge_reserve(m, cpu, 1) != XM_OK)
        return;
    const struct xm_event open = {.tsc = {c->last}, .cpu = (uint16_t)cpu, .kind = XM_EV_GAP_OPEN};
    xm_merge_append(m, &open);
    m->cpu[cpu].full = 0;
    m->cpu[cpu].gap = true;
}

void xm_merge_pass(struct xm_merge *m)
{
    if (m->pass_before > m->complete)
        m->complete = m->pass_before;
    if (m->pass_max > m->pass_before)
        m->pass_before = m->pass_max;
    m->passes++;
    for (uint32_t i = 0; i < m->cpus; i++)
        if (m->cpu[i].full > 1)
            m->cpu[i].full--;
        else if (m->cpu[i].full)
            give_up(m, i);
    m->stale = true;
}

/* Events up to and including this TSC cannot be preceded by any that is still to come. */
static uint64_t safe_upto(const struct xm_merge *m)
{
    if (m->finished)
        return UINT64_MAX;
    uint64_t upto = m->complete;
    for (uint32_t i = 0; i < m->cpus; i++) {
        const struct xm_cpu *c = &m->cpu[i];
        bool waited_for = m->order == XM_ORDER_STRICT ? !c->quiet : c->full > 0;
        if (!c->seen && c->expected && waited_for)
            return 0;
        /* More records with the very TSC of the last one may follow, hence one less. */
        if (c->seen && waited_for && c->last <= upto)
            upto = c->last ? c->last - 1 : 0;
    }
    return upto;
}

/* Too much waits: gives up on the CPUs that hold it back, and on passes. */
static uint64_t force(struct xm_merge *m)
{
    for (uint32_t i = 0; i < m->cpus; i++) {
        struct xm_cpu *c = &m->cpu[i];
        if (c->head == c->tail) {
            c->quiet = true;
            if (c->full)
                give_up(m, i);
        }
    }
    uint64_t upto = safe_upto(m);
    m->stale = true;
    const struct xm_event *first = head_of(m, m->heap[0]);
    return upto > first->tsc.v ? upto : first->tsc.v;
}

void xm_merge_changed(struct xm_merge *m)
{
    m->stale = true;
}

enum xm_status xm_merge_run(struct xm_merge *m, const struct xm_event **events, size_t *count)
{
    if (m->stale) {
        m->upto = safe_upto(m);
        m->stale = false;
    }
    uint64_t upto = m->upto;
    bool complete = m->finished || upto > 0; /* 0 is before everything, also before what bears that time */
    if (m->heap_size > 0 && (!complete || head_of(m, m->heap[0])->tsc.v > upto) && m->held >= m->max_held) {
        upto = force(m);
        complete = true;
    }
    if (m->heap_size == 0 || !complete || head_of(m, m->heap[0])->tsc.v > upto) {
        if (!m->finished && upto > m->released)
            m->released = upto;
        return m->finished ? XM_END : XM_AGAIN;
    }
    uint32_t cpu = m->heap[0];
    struct xm_cpu *c = &m->cpu[cpu];
    /* The run ends where another CPU's head comes first; the smaller child of the root is that CPU. */
    uint64_t limit = upto;
    bool tie_is_ours = true;
    if (m->heap_size > 1) {
        uint32_t next = m->heap[1];
        if (m->heap_size > 2 && before(m, m->heap[2], next))
            next = m->heap[2];
        uint64_t t = head_of(m, next)->tsc.v;
        if (t <= upto) {
            limit = t;
            tie_is_ours = cpu < next;
        }
    }
    size_t at = c->head;
    if (tie_is_ours)
        while (at < c->tail && c->queue[at].tsc.v <= limit)
            at++;
    else
        while (at < c->tail && c->queue[at].tsc.v < limit)
            at++;
    *events = &c->queue[c->head];
    *count = at - c->head;
    m->held -= *count;
    m->released = c->queue[at - 1].tsc.v;
    c->head = at;
    if (c->head == c->tail) {
        c->head = c->tail = 0;
        m->heap[0] = m->heap[--m->heap_size];
    }
    sift_down(m, 0);
    return XM_OK;
}

void xm_merge_fini(struct xm_merge *m)
{
    for (uint32_t i = 0; i < m->cpus; i++)
        free(m->cpu[i].queue);
    free(m->cpu);
    free(m->heap);
    *m = (struct xm_merge){0};
}
