/* SPDX-License-Identifier: MIT */
/*
 * Windows of wall time over the samples of a run.
 *
 * A grid has its lines where a clock on the wall has them: hours begin at :00, days at midnight.  Samples lie
 * where they lie, so a window goes from the sample nearest to one line to the sample nearest to the next, and
 * says so; windows follow each other without a seam, so that their parts add up exactly.
 *
 * Days and times without a zone are those of TZ, which is read from the environment.
 * Pure but for that.  Threads: localtime_r's.
 */
#ifndef XM_HISTORY_GRID_H
#define XM_HISTORY_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/query.h"
#include "xenmon/status.h"

enum xm_grid_kind { XM_GRID_WHOLE, XM_GRID_STEP, XM_GRID_DAY, XM_GRID_MONTH, XM_GRID_EVEN };
struct xm_grid {
    enum xm_grid_kind kind;
    uint64_t step_ns;   /* XM_GRID_STEP: a day must be a multiple of it; XM_GRID_EVEN: any */
    uint64_t origin_ns; /* XM_GRID_EVEN: the first line, whatever a clock on the wall has there */
};

/* Whether lines so far apart meet midnight every day. */
bool xm_grid_step_fits(uint64_t step_ns);

/*
 * The line at or before an instant (CLOCK_REALTIME, ns), and the first one behind it.  WHOLE: 0 and
 * UINT64_MAX.
 */
uint64_t xm_grid_floor(const struct xm_grid *grid, uint64_t real_ns);
uint64_t xm_grid_next(const struct xm_grid *grid, uint64_t real_ns);

/*
 * A time as people write it: RFC 3339, "2026-11-26 10:00", "2026-11-26", "10:00" (of the day of `now_ns`),
 * "now", and
 * "-2h" or "10m" for so long before now (units ms, s, m, h, d, w).  False: none of these.
 */
bool xm_grid_read_time(const char *text, uint64_t now_ns, uint64_t *real_ns);

/* RFC 3339 with the zone of TZ, to the millisecond; at least 32 bytes.  Returns text. */
const char *xm_grid_write_time(uint64_t real_ns, char *text, size_t size);

/*
 * For people: local time to the nearest second without its zone, "2026-11-26 10:00:00" (20 bytes); and what
 * the zone is called, "CET/CEST" where summer has another one.  In the hour that a clock is set back the first
 * cannot tell which.  Both return text.  Thread: as tzset().
 */
const char *xm_grid_write_short(uint64_t real_ns, char *text, size_t size);
const char *xm_grid_zone(char *text, size_t size);

/* A window between two instants of a run. */
struct xm_history_window {
    size_t from, to;               /* indices of the instants whose samples bound it */
    uint64_t line_ns, end_line_ns; /* the stretch of wall time that it stands for */
    uint64_t from_ns, to_ns;       /* the wall time of its bounds */
    bool stepped;                  /* the wall clock was set within it */
};

/*
 * Cuts a run's instants into windows within [from_ns, to_ns].  The first and the last may be shorter than
 * what they stand
 * for.  *window is freed by the caller.  XM_OK, XM_NOMEM.
 * Where the wall clock was set, by more than a quarter of a second, a window ends: times before and after
 * are each
 * right by the clock of then.
 */
enum xm_status xm_history_windows(const struct xm_history_instant *instant, size_t count,
                                  const struct xm_grid *grid, uint64_t from_ns, uint64_t to_ns,
                                  struct xm_history_window **window, size_t *windows,
                                  struct xm_error *err) XM_MUST_CHECK;

#endif
