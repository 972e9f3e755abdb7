/* SPDX-License-Identifier: MIT */
/*
 * Retention: old samples are thinned by deleting some of them, which leaves the others as exact as they were.
 *
 * The first and the last sample of every run and of every domain's life stay until their time is over
 * altogether; the newest ten minutes are never touched.
 *
 * Threads: one.
 */
#ifndef XM_HISTORY_THIN_H
#define XM_HISTORY_THIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct sqlite3;

#define XM_RETENTION_RULES 8

/* Samples `step_ns` apart are kept until they are `age_ns` older than the newest one. */
struct xm_retention_rule {
    uint64_t step_ns, age_ns;
};

/* Rules by rising step and age.  max_bytes: of the database; 0: no limit. */
struct xm_retention {
    struct xm_retention_rule rule[XM_RETENTION_RULES];
    size_t rules;
    uint64_t max_bytes;
};

/* 1 s for a day, 1 min for 31 days, 1 h for 2 years; 1 GiB. */
struct xm_retention xm_retention_default(void);

/* NULL: the rules are good; else what is wrong with them. */
const char *xm_retention_fault(const struct xm_retention *retention);

/*
 * Does a piece of what there is to do, in a transaction of its own.  Where the database is larger than it
 * may be,
 * ages are halved until it is not: the oldest is thinned first, and only when all is as coarse as it gets
 * the oldest is given up.  *more: there is more to do.
 * Cost: at most some thousand rows are looked at or deleted.
 */
enum xm_status xm_history_thin(struct sqlite3 *db, const struct xm_retention *retention, bool *more,
                               struct xm_error *err) XM_MUST_CHECK;

#endif
