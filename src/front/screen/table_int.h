/* SPDX-License-Identifier: MIT */
/* What the table's own files share. */
#ifndef XM_TABLE_INT_H
#define XM_TABLE_INT_H

#include "front/screen/table.h"

/* On grids so wide a domain's number stands beside its name. */
#define XM_TABLE_NUMBERS_FROM 120u

/* The column (of table->columns) whose title is at x; false: none is. */
bool xm_table_title_at(const struct xm_table *table, const struct xm_painter *p, unsigned x,
                       unsigned *column);

/*
 * The title as it stands over the column: without its "%" where the units are none, with a star where its figures are
 * of all pCPUs in the view of one (xm_table_anywhere()); `size` of 48 suffices.
 */
const char *xm_table_heading(const struct xm_painter *p, const struct xm_table_column *column, char *text,
                             size_t size);

/* What is not known: "-". */
void xm_table_put_unknown(struct xm_table_cell *cell);

/*
 * In the view of one pCPU: whether the column with this id (the table's or view's) is of all pCPUs nevertheless.  Of one
 * are only a domain's running, waiting and executions, and of no last execution.  What is no figure of a window is of none.
 */
bool xm_table_anywhere(const struct xm_choice *choice, const char *id);

/* The other columns with figures of a window: they are of the one pCPU, or would be. */
bool xm_table_of_pairs(const struct xm_choice *choice, const char *id);

/* The usage that the column with this id is of: xm_table_usage(), or that on all pCPUs. */
bool xm_table_usage_for(const struct xm_painter *p, const struct xm_table_line *line, const char *id,
                        struct xm_usage *usage);

/* A cell of a column that is view's. */
void xm_table_view_cell(const struct xm_painter *p, const struct xm_column *column,
                        const struct xm_table_line *line, struct xm_table_cell *cell);

/*
 * Whether the column with this id can be known of the usage: the slow series has not everything, and of what left no
 * record nothing is known but what others say of it.
 */
bool xm_table_is_known(const struct xm_painter *p, const struct xm_table_line *line,
                       const struct xm_usage *usage, const char *id);

/* The same of a window that is coarse, or not, whatever was chosen; domain: the usage is one's, else a vCPU's. */
bool xm_table_is_known_in(bool coarse, bool domain, const struct xm_usage *usage, const char *id);

/* The states that the vCPUs of the domain in `slot` are in: 1 << state, 16 unknown.  O(vCPUs) once in a frame. */
unsigned xm_table_domain_states(const struct xm_painter *p, uint32_t slot);

/* The states that a line is in, in words: "running paused"; of a domain those of all its vCPUs.  O(vCPUs) then. */
const char *xm_table_state_words(const struct xm_painter *p, const struct xm_table_line *line, char *text,
                                 size_t size);

/* The chosen window; false: there is none.  coarse: it lacks what the slow series lacks.  last: the last execution. */
bool xm_table_window(const struct xm_painter *p, struct xm_window *w, bool *coarse, bool *last);

/* A line's mark, and the blanks about it, end before this column. */
#define XM_TABLE_MARK_END 3u

/* How a vCPU's state is called, a guess with a question mark. */
const char *xm_table_vcpu_state(const struct xm_painter *p, uint32_t slot, char *text, size_t size,
                                enum xm_meaning *meaning);

/* ---- What the tables of domains and vCPUs are made of (table_domains.c). */

/* Cells, as struct xm_table_column has them: shares of the window in the chosen units, each state's; in which at least
 * one vCPU waited; and parts of the waiting, by its cause. */
void xm_table_running(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);
void xm_table_waiting(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);
void xm_table_blocked(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);
void xm_table_offline(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);
void xm_table_unknown(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);
void xm_table_any(const struct xm_painter *p, const struct xm_table_line *line,
                  struct xm_table_cell *cell);
void xm_table_wake(const struct xm_painter *p, const struct xm_table_line *line,
                   struct xm_table_cell *cell);
void xm_table_preempt(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);
void xm_table_other(const struct xm_painter *p, const struct xm_table_line *line,
                    struct xm_table_cell *cell);

/* Cells: dispatches and pages exchanged per second, the longest wait. */
void xm_table_executions(const struct xm_painter *p, const struct xm_table_line *line,
                         struct xm_table_cell *cell);
void xm_table_io(const struct xm_painter *p, const struct xm_table_line *line,
                 struct xm_table_cell *cell);
void xm_table_longest(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell);

/* Cells: numbers of the domain and the vCPU, how many vCPUs, on which pCPU; what state; what it is called. */
void xm_table_domid(const struct xm_painter *p, const struct xm_table_line *line,
                    struct xm_table_cell *cell);
void xm_table_vcpu_number(const struct xm_painter *p, const struct xm_table_line *line,
                          struct xm_table_cell *cell);
void xm_table_vcpus(const struct xm_painter *p, const struct xm_table_line *line,
                    struct xm_table_cell *cell);
void xm_table_pcpu(const struct xm_painter *p, const struct xm_table_line *line,
                   struct xm_table_cell *cell);
void xm_table_state(const struct xm_painter *p, const struct xm_table_line *line,
                    struct xm_table_cell *cell);
void xm_table_name_cell(const struct xm_painter *p, const struct xm_table_line *line,
                        struct xm_table_cell *cell);

/* Painted: the name, with room for a vCPU's number; the states as a bar; the last minute. */
void xm_table_name_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                         unsigned end, unsigned y);
void xm_table_states_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                           unsigned end, unsigned y);
void xm_table_spark_run_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                              unsigned end, unsigned y);
void xm_table_spark_wait_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                               unsigned end, unsigned y);

/* As struct xm_table has them: starved over the longer window; neither ran nor waited in the chosen one. */
bool xm_table_starved(const struct xm_painter *p, const struct xm_table_line *line);
bool xm_table_idle(const struct xm_painter *p, const struct xm_table_line *line);

/* The lines of domains, with their vCPUs where expanded; those of vCPUs.  As struct xm_table has them. */
struct xm_table_line *xm_table_domain_lines(const struct xm_painter *p, uint32_t *count);
struct xm_table_line *xm_table_vcpu_lines(const struct xm_painter *p, uint32_t *count);

/* The last minute in columns [x, end) of row y, at most XM_TRAIL_STEPS of them: running or busy, or waiting. */
void xm_table_sparkline(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                        const struct xm_trail_step *steps, bool waiting);

#endif
