/* SPDX-License-Identifier: MIT */
/* Whether the process that wrote a region is still there. */
#ifndef XM_PROCESS_H
#define XM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Start time of a process in clock ticks since the boot, from /proc; 0 where that cannot be known. */
uint64_t xm_process_start(uint64_t pid);

/*
 * Whether there is no process `pid` any more, or only one that began at another time than `start` (0:
 * not known), or a dead one that waits for its parent.  A process that lives in another pid namespace
 * looks dead too.
 */
bool xm_process_dead(uint64_t pid, uint64_t start);

#endif
