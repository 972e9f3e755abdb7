/* SPDX-License-Identifier: MIT */
/*
 * The clock that only goes forward, in ns.  For those who run loops: view, account and what a screen is built from
 * are told what time it is.
 *
 * Threads: any.
 */
#ifndef XM_CLOCK_H
#define XM_CLOCK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "xenmon/units.h"

/* CLOCK_MONOTONIC. */
static inline uint64_t xm_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * Sleeps until CLOCK_MONOTONIC is `ns`; a signal that is caught ends it early.  Returns whether it did: who has to
 * sleep on calls again.
 */
static inline bool xm_clock_sleep_until(uint64_t ns)
{
    const struct timespec t = {.tv_sec = (time_t)(ns / XM_NS_PER_S), .tv_nsec = (long)(ns % XM_NS_PER_S)};
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR;
}

#endif
