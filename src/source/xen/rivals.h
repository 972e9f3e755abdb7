/* SPDX-License-Identifier: MIT */
/*
 * Who else may be reading the trace buffers: a look at the processes of this machine, for messages.  A consumer in
 * another domain or another pid namespace is not found.
 *
 * Threads: any.
 */
#ifndef XM_RIVALS_H
#define XM_RIVALS_H

#include <stdbool.h>

enum xm_rival_by {
    XM_RIVAL_BY_DEVICE = 1, /* it has /dev/xen/evtchn open and is none of the daemons known to */
    XM_RIVAL_BY_NAME,       /* it is called like a program that reads trace buffers */
    XM_RIVAL_BY_BOTH
};

struct xm_rival {
    enum xm_rival_by by;
    int pid;
    char name[16]; /* as the process calls itself, sanitised */
};

/*
 * The likeliest one but this process itself; of equals any.  proc: "/proc".  False: none was found.
 * Cost: a few system calls a process; where fd directories cannot be read only names count.
 */
bool xm_rivals_find(const char *proc, struct xm_rival *rival);

#endif
