/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include <stdlib.h>

#include "base/check.h"

struct xm_engine {
    uint64_t now_ns;
    uint64_t sequence;
    struct xm_alarm **heap; /* [1 .. count] */
    size_t count, room;
    enum xm_status status;
};

struct xm_engine *xm_engine_create(void)
{
    return calloc(1, sizeof(struct xm_engine));
}

void xm_engine_destroy(struct xm_engine *engine)
{
    if (!engine)
        return;
    for (size_t i = 1; i <= engine->count; i++)
        engine->heap[i]->place = 0;
    free(engine->heap);
    free(engine);
}

void xm_alarm_init(struct xm_alarm *alarm, enum xm_alarm_priority priority, void (*ring)(void *user), void *user)
{
    *alarm = (struct xm_alarm){.ring = ring, .user = user, .priority = (uint8_t)priority};
}

static bool before(const struct xm_alarm *a, const struct xm_alarm *b)
{
    if (a->when_ns != b->when_ns)
        return a->when_ns < b->when_ns;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->sequence < b->sequence;
}

static void put(struct xm_engine *e, size_t place, struct xm_alarm *alarm)
{
    e->heap[place] = alarm;
    alarm->place = place;
}

static void up(struct xm_engine *e, size_t place)
{
    struct xm_alarm *alarm = e->heap[place];
    for (; place > 1 && before(alarm, e->heap[place / 2]); place /= 2)
        put(e, place, e->heap[place / 2]);
    put(e, place, alarm);
}

static void down(struct xm_engine *e, size_t place)
{
    struct xm_alarm *alarm = e->heap[place];
    for (size_t child; (child = 2 * place) <= e->count; place = child) {
        if (child < e->count && before(e->heap[child + 1], e->heap[child]))
            child++;
        if (!before(e->heap[child], alarm))
            break;
        put(e, place, e->heap[child]);
    }
    put(e, place, alarm);
}

void xm_alarm_cancel(struct xm_engine *e, struct xm_alarm *alarm)
{
    size_t place = alarm->place;
    if (place == 0)
        return;
    alarm->place = 0;
    struct xm_alarm *last = e->heap[e->count--];
    if (last == alarm)
        return;
    put(e, place, last);
    up(e, place);
    down(e, last->place);
}

static bool has_room(struct xm_engine *e)
{
    if (e->count + 1 < e->room)
        return true;
    size_t room = e->room ? 2 * e->room : 64;
    struct xm_alarm **heap = realloc(e->heap, room * sizeof(struct xm_alarm *));
    if (!heap) {
        e->status = XM_NOMEM;
        return false;
    }
    e->heap = heap;
    e->room = room;
    return true;
}

void xm_alarm_set(struct xm_engine *e, struct xm_alarm *alarm, uint64_t when_ns)
{
    if (when_ns == XM_SIM_NEVER) {
        xm_alarm_cancel(e, alarm);
        return;
    }
    XM_ASSERT(when_ns >= e->now_ns);
    alarm->when_ns = when_ns;
    alarm->sequence = ++e->sequence;
    if (alarm->place) {
        up(e, alarm->place);
        down(e, alarm->place);
    } else if (has_room(e)) {
        put(e, ++e->count, alarm);
        up(e, e->count);
    }
}

uint64_t xm_engine_now(const struct xm_engine *e)
{
    return e->now_ns;
}

uint64_t xm_engine_next(const struct xm_engine *e)
{
    return e->count ? e->heap[1]->when_ns : XM_SIM_NEVER;
}

enum xm_status xm_engine_status(const struct xm_engine *e)
{
    return e->status;
}

bool xm_engine_step(struct xm_engine *e, uint64_t until_ns)
{
    if (e->count == 0 || e->heap[1]->when_ns > until_ns) {
        e->now_ns = until_ns > e->now_ns ? until_ns : e->now_ns;
        return false;
    }
    struct xm_alarm *alarm = e->heap[1];
    xm_alarm_cancel(e, alarm);
    e->now_ns = alarm->when_ns;
    alarm->ring(alarm->user);
    return true;
}
