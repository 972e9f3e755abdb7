/* SPDX-License-Identifier: MIT */
/*
 * Where a front end's numbers come from: the region of a running xenbaked, or a xenbaked of its own, which it starts and
 * stops at exit.  Several front ends can share one: whoever started it stops it.
 *
 * Says what is wrong on stderr and returns exit codes.  Threads: for the main thread only.
 */
#ifndef XM_CMD_OWN_H
#define XM_CMD_OWN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XM_OWN_OPTIONS 16

struct xm_own_config {
    const char *program; /* for messages; borrowed, as all here */
    const char *replay;  /* a trace that a xenbaked of its own shall replay, in a region nobody else sees; "-": on standard input, which is its own then; NULL: none */
    const char *region;  /* the user's choice of a region, which need not exist yet; NULL: the default one */
    uint64_t ms_per_sample_ns; /* for a xenbaked of its own; 0: as it likes */
    const char *const *options; /* more for it, at most XM_OWN_OPTIONS and a NULL; NULL: none */
    const char *hint;    /* what to do on a machine that is no dom0, after a colon */
};

/*
 * Settles which region to read, *region: borrowed from `config`, `buffer` or here.  Where none is named and nobody
 * writes the default one it starts a xenbaked in dom0, and waits until the region is there.
 * XM_EXIT_DONE; else what to exit with, and it has been said why.
 */
int xm_own_find(const struct xm_own_config *config, char buffer[PATH_MAX], const char **region);

/* The xenbaked that would be started: that of this build or installation, else as the shell would find it. */
void xm_own_program(char path[PATH_MAX]);

/* Whether a xenbaked of our own runs; false too once it has ended. */
bool xm_own_runs(void);

/* Whether somebody writes this region from a running Xen, or is about to: recorders can get the trace from there. */
bool xm_own_is_live(const char *region);

/*
 * Whether a xenbaked of our own said anything but that a trace has ended: its last words, cut to `size`.  Where it has
 * ended before its time they say why.
 */
bool xm_own_says(char *line, size_t size);

/* Stops it, if there is one, and removes what it left.  Safe in a signal handler, and to be called twice. */
void xm_own_stop(void);

#endif
