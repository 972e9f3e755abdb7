/* SPDX-License-Identifier: MIT */
/*
 * The keeper: follows a region and keeps its samples in the database, for as long as there is one.
 *
 * A reader of the region like any other.  It holds nothing in memory that is not in the region: at every
 * transaction it reads what has come since the last one that was committed.  So a transaction that fails for
 * want of room is simply tried again, and what the region still has by then is caught up.
 *
 * The caller runs the loop; it reads no clock and does not sleep.  Threads: one keeper, one thread.
 */
#ifndef XM_HISTORY_KEEP_H
#define XM_HISTORY_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "history/thin.h"
#include "xenmon/status.h"

struct xm_keeper_config {
    const char *region;    /* path; need not exist yet */
    const char *directory; /* of the database; must exist */
    uint64_t step_ns;      /* between samples: the slow series from its interval on, else the fast one */
    uint64_t sync_ns;      /* between transactions; less where the region's history is short */
    struct xm_retention retention;
    /*
     * What the user should know, once; one line without a line break.  bad: a trouble, else that it is
     * over.
     */
    void (*say)(void *user, bool bad, const char *text);
    void *user;
};

struct xm_keeper;

/*
 * Opens the database.  config and what it points to are borrowed.  On failure *keeper is NULL: the statuses
 * of
 * xm_store_open(); XM_INVALID: a rule of retention that is none.
 */
enum xm_status xm_keeper_create(const struct xm_keeper_config *config, struct xm_keeper **keeper,
                                struct xm_error *err) XM_MUST_CHECK;
void xm_keeper_destroy(struct xm_keeper *keeper); /* what was read is committed; NULL is fine */

/*
 * Does what is due.  now_ns: CLOCK_MONOTONIC.  last: this is the last step, take what is left of the region.
 * XM_AGAIN: come back at *wake_ns.  XM_OK: at once.  XM_END: the region's writer has ended and all of it is
 * kept; another one may come (XM_AGAIN from then on).  XM_DAMAGED: the database; XM_NOMEM.  A disk without
 * room and
 * the like are no end: they are said, and tried again.
 */
enum xm_status xm_keeper_step(struct xm_keeper *keeper, uint64_t now_ns, bool last, uint64_t *wake_ns,
                              struct xm_error *err) XM_MUST_CHECK;

/* Samples that were committed. */
uint64_t xm_keeper_samples(const struct xm_keeper *keeper);

#endif
