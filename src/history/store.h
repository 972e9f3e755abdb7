/* SPDX-License-Identifier: MIT */
/*
 * The writer's half of the durable history: samples into the database, one transaction at a time.
 *
 * A run is one life of xenbaked, known by its lineage.  What a transaction put is there as a whole or not at
 * all: when xm_store_commit() fails nothing of it is, and the caller reads the same samples again.
 *
 * Threads: one store, one thread; one store a directory, which a lock sees to.
 */
#ifndef XM_HISTORY_STORE_H
#define XM_HISTORY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"

struct sqlite3;
struct xm_store;

/*
 * Takes the directory's lock and opens the database, making it where there is none.  The directory must
 * exist.
 * On failure *store is NULL: XM_LIMIT another process writes there (err names its pid); the statuses of
 * xm_history_open_writer().
 */
enum xm_status xm_store_open(const char *directory, struct xm_store **store,
                             struct xm_error *err) XM_MUST_CHECK;

/* What was not committed is not there.  NULL is fine. */
void xm_store_close(struct xm_store *store);

/* For retention; borrowed. */
struct sqlite3 *xm_store_database(struct xm_store *store);

/*
 * Begins a transaction for the run of `info`, which is made where its lineage is new; its facts are brought
 * up to
 * date.  origin: the run's first sample is the first of its region, so that time before it is known as well.
 * *window: host.window of the last sample that is stored of it; UINT64_MAX: none is.
 */
enum xm_status xm_store_begin(struct xm_store *store, const struct xm_region_info *info, bool origin,
                              uint64_t *window, struct xm_error *err) XM_MUST_CHECK;

/*
 * Puts one sample.  fact: the facts of the domains by slot, sample->used.domains of them.  detail: the
 * sample is of
 * the fast series; else what only that has is stored as not known.  Samples come in the order of time.
 */
enum xm_status xm_store_put(struct xm_store *store, const struct xm_sample *sample,
                            const struct xm_region_domain *fact, bool detail,
                            struct xm_error *err) XM_MUST_CHECK;

/* ended: the run will have no more samples.  On failure the transaction is rolled back. */
enum xm_status xm_store_commit(struct xm_store *store, bool ended, struct xm_error *err) XM_MUST_CHECK;

/* Nothing of the transaction happened. */
void xm_store_rollback(struct xm_store *store);

#endif
