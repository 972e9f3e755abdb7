/* SPDX-License-Identifier: MIT */
/*
 * What it takes to have a whole trace in a region at once, so that one can go back and forth in it: how
 * long it is, how many rows it has, and from that the time between samples.
 */
#ifndef XM_CMD_REPLAY_H
#define XM_CMD_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define XM_REPLAY_OPTIONS 12

/* How a xenbaked of our own is to bake it. */
struct xm_replay {
    uint64_t duration_ns, interval_ns, bytes;
    bool cut; /* not all of the history fits: only the trace's end is there in full */
    char text[XM_REPLAY_OPTIONS][40];
    const char *options[XM_REPLAY_OPTIONS + 1]; /* for struct xm_own_config; NULL-terminated */
};

/*
 * Reads the trace at `path` to its end.  interval_ns: between samples, 0: as fine as 512 MiB and 20 000
 * samples allow, 10 ms at the finest.  False where it cannot be had whole: no regular file, no trace, or
 * one that does not show its clock's rate; xenbaked is to say what is wrong with it.
 * Cost: that of xenmon report.  Not for two threads.
 */
bool xm_replay_plan(const char *path, uint64_t interval_ns, struct xm_replay *replay);

/* "12.3 s of trace, a sample every 10 ms, 5.1 MiB"; 96 bytes suffice. */
void xm_replay_describe(const struct xm_replay *replay, char *text, unsigned size);

#endif
