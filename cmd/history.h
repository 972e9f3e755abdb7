/* SPDX-License-Identifier: MIT */
/* xenmon-history: what its subcommands share. */
#ifndef XM_CMD_HISTORY_H
#define XM_CMD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/grid.h"
#include "history/query.h"
#include "options.h"

#define XM_HISTORY_DIRECTORY "/var/lib/xenmon"
#define XM_HISTORY_LIST      64

/* The subcommands; argv[0] is the subcommand's own name. */
int xenmon_history_query_main(int argc, char **argv);
int xenmon_history_report_main(int argc, char **argv);
int xenmon_history_runs_main(int argc, char **argv);
int xenmon_history_check_main(int argc, char **argv);
int xenmon_history_show_main(int argc, char **argv);
int xenmon_history_keep_main(int argc, char **argv);

/* An option that can be given several times. */
struct xm_list {
    const char *item[XM_HISTORY_LIST]; /* borrowed */
    size_t count;
};
xm_option_set xm_set_list;

/* From when to when: as given, and as CLOCK_REALTIME. */
struct xm_range {
    const char *from, *to;
    uint64_t from_ns, to_ns; /* 0 and UINT64_MAX: not given */
};
/*
 * The directory: the operand, $XENMON_HISTORY, or the system's.  Borrowed.
 * *directory NULL: more than one operand, and it has been said.
 */
const char *xm_history_directory(const char *program, int operands, char **argv);

/*
 * What reading begins with: settles the directory and the range (as it is given there; NULL: there is none), and
 * opens the history.  XM_EXIT_DONE: to be ended with xm_history_end(); else what to exit with, and it has been
 * said why.
 */
int xm_history_begin(const char *program, int operands, char **argv, struct xm_range *range,
                     struct xm_history *history);

/* Says what is wrong and returns the code for it. */
int xm_history_complain(const char *program, const struct xm_error *err);

/* Whether a domain is selected: by name, by number, by uuid; all are where nothing is. */
bool xm_history_selects(const struct xm_list *domains, const struct xm_history_domain *domain);

/*
 * Ends output: XM_EXIT_DONE, or XM_EXIT_FAILED where it could not be written (a reader that went away is
 * none).
 */
int xm_history_flush(const char *program, int code);

/*
 * The windows of one run, one after the other: opens what is needed, and gives each window to `each` with
 * the samples that bound
 * it.
 */
struct xm_history_view {
    const struct xm_history_run *run;
    const struct xm_history_stretch *stretch;
    const struct xm_history_window *bounds;
    struct xm_window window;
    bool detail; /* both samples have what only the fast series carries */
};
enum xm_status xm_history_each_window(struct xm_history *history, const struct xm_history_run *run,
                                      const struct xm_grid *grid, const struct xm_range *range,
                                      enum xm_status (*each)(void *user, const struct xm_history_view *view,
                                                             struct xm_error *err),
                                      void *user, struct xm_error *err) XM_MUST_CHECK;

#endif
