/* SPDX-License-Identifier: MIT */
/*
 * Whether a history holds what it promises: SQLite's own check of the file, conservation in every row,
 * counters
 * that never go back within a run.
 *
 * Threads: one.
 */
#ifndef XM_HISTORY_CHECK_H
#define XM_HISTORY_CHECK_H

#include <stdint.h>

#include "history/query.h"
#include "xenmon/status.h"

struct xm_history_findings {
    uint64_t samples, rows; /* that were looked at */
    uint64_t faults;
};

/*
 * fault: told of each fault in one line, with its position.  XM_OK: it could be checked, findings say what
 * came out;
 * else why not.  Cost: reads all of the database; memory for two samples of the largest run.
 */
enum xm_status xm_history_check(struct xm_history *history, void (*fault)(void *user, const char *text),
                                void *user, struct xm_history_findings *findings,
                                struct xm_error *err) XM_MUST_CHECK;

#endif
