/* SPDX-License-Identifier: MIT */
/* The last minute of domains and host, a step for each sample of the slow series. */
#include <stdlib.h>
#include <string.h>

#include "front/feed/feed_int.h"

#define STEPS  XM_TRAIL_STEPS
#define NEWEST (STEPS - 1)
#define ROWS   (1u << XM_SCOPE_DOMAIN | 1u << XM_SCOPE_PCPU)

enum { RUNNING, RUNNABLE, BLOCKED, OFFLINE, UNKNOWN, STATES };

void xm_feed_trail_drop(struct xm_feed *feed)
{
    struct xm_feed_trail *t = &feed->trail;
    xm_sample_fini(&t->sample[0]);
    xm_sample_fini(&t->sample[1]);
    free(t->domain);
    free(t->id);
    *t = (struct xm_feed_trail){.newest = XM_FEED_NONE};
    feed->model.trail = NULL;
}

static bool same(struct xm_capacity a, struct xm_capacity b)
{
    return a.domains == b.domains && a.vcpus == b.vcpus && a.pcpus == b.pcpus;
}

static enum xm_status make_room(struct xm_feed *feed)
{
    struct xm_feed_trail *t = &feed->trail;
    struct xm_capacity capacity = feed->model.info.capacity;
    if (t->domain && same(t->sample[0].capacity, capacity))
        return XM_OK;
    xm_feed_trail_drop(feed);
    enum xm_status status = xm_sample_init(&t->sample[0], capacity);
    if (status == XM_OK)
        status = xm_sample_init(&t->sample[1], capacity);
    t->domain = calloc(capacity.domains, sizeof *t->domain);
    t->id = calloc(capacity.domains, sizeof *t->id);
    if (status != XM_OK || !t->domain || !t->id) {
        xm_feed_trail_drop(feed);
        return XM_NOMEM;
    }
    return XM_OK;
}

/* ---- A step. */

static uint16_t share(uint64_t part, uint64_t whole)
{
    while (whole > UINT64_MAX / 2048) {
        part >>= 1;
        whole >>= 1;
    }
    if (part >= whole)
        return whole ? 1000 : 0;
    return (uint16_t)((part * 1000 + whole / 2) / whole);
}

static struct xm_trail_step step_of(const uint64_t state[STATES])
{
    uint64_t whole = 0;
    for (unsigned i = 0; i < STATES; i++)
        whole += state[i] < UINT64_MAX / 8 ? state[i] : UINT64_MAX / 8;
    return (struct xm_trail_step){
        .known = whole > 0,
        .running = share(state[RUNNING], whole),
        .runnable = share(state[RUNNABLE], whole),
        .blocked = share(state[BLOCKED], whole),
        .offline = share(state[OFFLINE], whole),
        .unknown = share(state[UNKNOWN], whole),
    };
}

/*
 * A vCPU that was first seen within the step brings the time since the trace began: what is before it comes
 * off.
 */
static void take_off(uint64_t state[STATES], uint64_t cycles)
{
    static const unsigned order[] = {UNKNOWN, OFFLINE};
    if (state[OFFLINE] >= cycles) {
        state[OFFLINE] -= cycles;
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t part = cycles < state[order[i]] ? cycles : state[order[i]];
        state[order[i]] -= part;
        cycles -= part;
    }
}

static struct xm_trail_step domain_step(const struct xm_domain_row *now, const struct xm_domain_row *then,
                                        uint64_t before)
{
    uint64_t state[STATES] = {xm_counted(now->running, then->running), xm_counted(now->runnable, then->runnable),
                              xm_counted(now->blocked, then->blocked), xm_counted(now->offline, then->offline),
                              xm_counted(now->unknown, then->unknown)};
    uint64_t fresh = xm_counted(now->vcpus, then->vcpus);
    if (fresh && before < UINT64_MAX / fresh)
        take_off(state, fresh * before);
    return step_of(state);
}

/* Busy, waited for, idle, switching, unknown; waited for: as long as the domain was that waited longest. */
static struct xm_trail_step host_step(const struct xm_sample *now, const struct xm_sample *then)
{
    uint64_t state[STATES] = {0};
    uint64_t waiting = 0;
    uint64_t length = xm_counted(now->host.window, then->host.window);
    for (uint32_t i = 0; i < now->used.pcpus && i < then->used.pcpus; i++) {
        const struct xm_pcpu_row *a = &now->pcpu[i];
        const struct xm_pcpu_row *b = &then->pcpu[i];
        if (a->id == 0 || a->id != b->id)
            continue;
        state[RUNNING] += xm_counted(a->busy, b->busy);
        state[BLOCKED] += xm_counted(a->idle, b->idle);
        state[OFFLINE] += xm_counted(a->switching, b->switching);
        state[UNKNOWN] += xm_counted(a->unknown, b->unknown);
    }
    struct xm_trail_step step = step_of(state);
    for (uint32_t i = 0; i < now->used.domains && i < then->used.domains; i++)
        if (now->domain[i].id && now->domain[i].id == then->domain[i].id) {
            uint64_t any = xm_counted(now->domain[i].wait_any, then->domain[i].wait_any);
            waiting = any > waiting ? any : waiting;
        }
    step.runnable = share(waiting, length);
    return step;
}

static void shift(struct xm_feed_trail *t, uint32_t domains)
{
    const struct xm_trail_step none = {0};
    for (uint32_t i = 0; i < domains; i++) {
        memmove(&t->domain[i][0], &t->domain[i][1], NEWEST * sizeof t->domain[i][0]);
        t->domain[i][NEWEST] = none;
    }
    memmove(&t->shown.host[0], &t->shown.host[1], NEWEST * sizeof t->shown.host[0]);
    memmove(&t->shown.step_ns[0], &t->shown.step_ns[1], NEWEST * sizeof t->shown.step_ns[0]);
    t->shown.host[NEWEST] = none;
    t->shown.step_ns[NEWEST] = 0;
}

static void forget_domain(struct xm_feed_trail *t, uint32_t slot)
{
    memset(t->domain[slot], 0, sizeof t->domain[slot]);
    t->id[slot] = 0;
}

/*
 * Sample `index` is the end of the newest step; where it is gone, the step is not known, nor is the one
 * after it.
 */
static void add_step(struct xm_feed *feed, uint64_t index)
{
    struct xm_feed_trail *t = &feed->trail;
    struct xm_sample *then = &t->sample[t->turn];
    struct xm_sample *now = &t->sample[!t->turn];
    bool begun = t->begun;
    t->newest = index;
    t->begun = xm_region_rows(feed->region, XM_SERIES_SLOW, index, ROWS, now) == XM_REGION_OK;
    if (!t->begun) {
        shift(t, t->shown.domains);
        return;
    }
    uint32_t used = now->used.domains > t->shown.domains ? now->used.domains : t->shown.domains;
    t->shown.domains = used;
    t->turn = !t->turn;
    shift(t, used);
    for (uint32_t i = 0; i < used; i++) {
        uint64_t id = i < now->used.domains ? now->domain[i].id : 0;
        if (id != t->id[i])
            forget_domain(t, i);
        t->id[i] = id;
        if (begun && id && i < then->used.domains && then->domain[i].id == id)
            t->domain[i][NEWEST] = domain_step(&now->domain[i], &then->domain[i], then->host.window);
    }
    if (!begun || now->host.window <= then->host.window)
        return;
    t->shown.host[NEWEST] = host_step(now, then);
    t->shown.step_ns[NEWEST] =
        xm_scale_to_ns(&feed->scale, xm_cycles_of(now->host.window - then->host.window)).v;
}

/* ---- Keeping up. */

/* The newest slow sample that is not after the one on show; false: none. */
static bool find_end(struct xm_feed *feed, uint64_t *index)
{
    return xm_region_find(feed->region, XM_SERIES_SLOW, feed->shown.window, index) == XM_REGION_OK;
}

/* What was found for slots that belong to others by now is nobody's. */
static void match_rows(struct xm_feed *feed)
{
    struct xm_feed_trail *t = &feed->trail;
    for (uint32_t i = 0; i < t->shown.domains; i++)
        if (t->id[i] && (i >= feed->sample.used.domains || feed->sample.domain[i].id != t->id[i]))
            forget_domain(t, i);
    for (; t->shown.domains < feed->sample.used.domains; t->shown.domains++)
        forget_domain(t, t->shown.domains);
}

enum xm_status xm_feed_trail_update(struct xm_feed *feed)
{
    struct xm_feed_trail *t = &feed->trail;
    uint64_t end;
    enum xm_status status = make_room(feed);
    if (status != XM_OK)
        return status;
    if (!find_end(feed, &end)) {
        feed->model.trail = NULL;
        return XM_OK;
    }
    bool onward = t->newest != XM_FEED_NONE && end >= t->newest && end - t->newest <= STEPS;
    if (!onward) {
        /* Rows past those are 0 still: a region may have room for far more. */
        memset(t->domain, 0, t->shown.domains * sizeof *t->domain);
        memset(t->id, 0, t->shown.domains * sizeof *t->id);
        memset(&t->shown, 0, sizeof t->shown);
        t->begun = false;
        t->newest = XM_FEED_NONE;
    }
    uint64_t first = onward ? t->newest + 1 : end >= STEPS ? end - STEPS : 0;
    for (uint64_t i = first; i <= end; i++)
        add_step(feed, i);
    match_rows(feed);
    t->shown.domain = (const struct xm_trail_step(*)[STEPS])t->domain;
    feed->model.trail = &t->shown;
    return XM_OK;
}
