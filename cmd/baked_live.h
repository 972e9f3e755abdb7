/* SPDX-License-Identifier: MIT */
/* xenbaked on a running Xen: what is opened for it, in order, and given up again. */
#ifndef XM_CMD_BAKED_LIVE_H
#define XM_CMD_BAKED_LIVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon.h"
#include "source/loop.h"
#include "source/tee.h"
#include "source/xen/control.h"
#include "source/xen/facts.h"
#include "source/xen/host.h"
#include "source/xen/live.h"
#include "tracing.h"

/* What the command line says of it. */
struct xm_live_choice {
    uint32_t events;
    struct xm_cpu_set cpus;
    uint64_t pages;
    uint64_t poll_ns;
    bool poll_fixed;
    bool no_record;   /* no socket for recorders */
    const char *user; /* whom to become; NULL: xenmon where there is one; "none": stay */
};

struct xm_baked_live {
    struct xm_log *log; /* borrowed */
    const struct xm_live_choice *choice;
    char note[PATH_MAX], socket[PATH_MAX];
    char title[80]; /* "Xen 4.17.7 (credit2)" */
    struct xm_hyper hyper;
    struct xm_control *control;
    struct xm_control_host host;
    struct xm_source *source;
    struct xm_facts *facts;
    struct xm_tee *tee;
    struct xm_host *around;
    struct xm_live_status shown; /* of what the log has told */
};

/*
 * The first half: the hypervisor and its controls, nothing is changed.  region: where the region will be; what belongs to
 * it lies beside.  XM_OK; XM_INVALID: too long a path for that; XM_DENIED and others, err in one line.  Ended by
 * xm_baked_live_close() in any case.
 */
enum xm_status xm_baked_live_open(struct xm_baked_live *live, struct xm_log *log, const struct xm_live_choice *choice,
                                  const char *region, struct xm_error *err) XM_MUST_CHECK;

/*
 * The second half: tracing is taken over, names and devices are read, recorders may come, and privileges are given up.  hz: the
 * rate to use.  others: more files of ours (NULL-terminated).
 */
enum xm_status xm_baked_live_start(struct xm_baked_live *live, uint64_t hz, const char *region, const char *const *others,
                                   struct xm_error *err) XM_MUST_CHECK;

/* Fills in what the loop needs to know of it. */
void xm_baked_live_loop(const struct xm_baked_live *live, struct xm_loop_config *loop);

/* Due once a second. */
void xm_baked_live_look_after(struct xm_baked_live *live);

/* Which components of the I/O count a mask lets through: XM_IO_SEEN_*. */
uint32_t xm_baked_io_seen(uint32_t events);

/* Tracing is put back as it was.  A zeroed one is fine. */
void xm_baked_live_close(struct xm_baked_live *live);

#endif
