/* SPDX-License-Identifier: MIT */
/*
 * The durable history beside xenbaked: xenmon-history keep as a child without privileges, started again
 * when it dies.
 *
 * Whatever befalls it, xenbaked goes on.  Threads: for the main thread only.
 */
#ifndef XM_CMD_KEEPER_H
#define XM_CMD_KEEPER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon.h"

#define XM_KEEPER_PATHS 5

struct xm_keeper_process {
    struct xm_log *log;    /* borrowed, as all here */
    const char *directory; /* NULL: no history is kept */
    const char *region, *log_to;
    const char *step, *sync, *keep, *max_size; /* as on the command line; NULL: as it likes */
    pid_t pid; /* 0: does not run */
    uint64_t started_ns, again_ns, pause_ns;
    bool said; /* that it died */
};

/* Makes the directory where it is missing, while we still may.  Says what is wrong; that ends nothing. */
void xm_keeper_prepare(struct xm_keeper_process *k);

/*
 * What the child has to own: files of an earlier run, then the directory (which, given away, could not be
 * looked into any more).  Returns how many paths; their text holds until the next call.
 */
size_t xm_keeper_paths(const struct xm_keeper_process *k, const char *paths[XM_KEEPER_PATHS]);

/*
 * Starts it, or again where it has died and its time has come.  Due once a second.  now_ns:
 * CLOCK_MONOTONIC.
 */
void xm_keeper_look_after(struct xm_keeper_process *k, uint64_t now_ns);

/* The log file was moved away: it opens it anew. */
void xm_keeper_reload(const struct xm_keeper_process *k);

/*
 * The region has ended and is still there: waits, up to five seconds, until the rest is written.
 */
void xm_keeper_stop(struct xm_keeper_process *k);

#endif
