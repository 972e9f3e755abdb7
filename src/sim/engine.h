/* SPDX-License-Identifier: MIT */
/*
 * Simulated time: alarms that ring in one total order, by (time, priority, the order in which they were set).
 *
 * An alarm lies in the structure of whoever waits for it, so that setting one allocates nothing once the heap has
 * grown.  Time is whole nanoseconds from 0.
 *
 * Threads: one engine, one thread.  No state but in the engine.
 */
#ifndef XM_SIM_ENGINE_H
#define XM_SIM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

#define XM_SIM_NEVER UINT64_MAX

/* Of alarms for the same nanosecond the lower priority rings first. */
enum xm_alarm_priority {
    XM_ALARM_DEVICE, /* the world outside: packets, disks, users */
    XM_ALARM_GUEST,  /* work that is done, guests' timers */
    XM_ALARM_XEN     /* the hypervisor's own timers: what has arrived by then is seen */
};

struct xm_alarm {
    uint64_t when_ns;
    uint64_t sequence;
    void (*ring)(void *user); /* the alarm is not set any more when it is called */
    void *user;
    size_t place;             /* in the heap, from 1; 0: not set */
    uint8_t priority;
};

struct xm_engine;

struct xm_engine *xm_engine_create(void); /* NULL when out of memory */
void xm_engine_destroy(struct xm_engine *engine); /* alarms that are set are forgotten; NULL is fine */

/* Before its first use; ring: called with `user` when its time has come. */
void xm_alarm_init(struct xm_alarm *alarm, enum xm_alarm_priority priority, void (*ring)(void *user), void *user);

/*
 * Sets or moves an alarm; when_ns: not before now; XM_SIM_NEVER cancels it.  Cost: O(log n).
 * Out of memory: it is not set, and the engine says so: xm_engine_status().
 */
void xm_alarm_set(struct xm_engine *engine, struct xm_alarm *alarm, uint64_t when_ns);
void xm_alarm_cancel(struct xm_engine *engine, struct xm_alarm *alarm);

static inline bool xm_alarm_is_set(const struct xm_alarm *alarm)
{
    return alarm->place != 0;
}

uint64_t xm_engine_now(const struct xm_engine *engine);
uint64_t xm_engine_next(const struct xm_engine *engine); /* when the next alarm rings; XM_SIM_NEVER: none is set */
enum xm_status xm_engine_status(const struct xm_engine *engine); /* XM_OK, XM_NOMEM */

/* Rings the next alarm, if one is due at or before until_ns; else it becomes until_ns.  True: one rang. */
bool xm_engine_step(struct xm_engine *engine, uint64_t until_ns);

#endif
