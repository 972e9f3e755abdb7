/* SPDX-License-Identifier: MIT */
/*
 * What a study (source/study.h) comes to: measures of its runs, text, JSON and figures.
 *
 * Every figure is XenMon's own measurement of a trace, but throughput and response, which the clients count as the paper's
 * did; the paper's figures are in study_paper.c, for comparison only.
 *
 * Threads: as a study.
 */
#ifndef XM_STUDY_H
#define XM_STUDY_H

#include <stdio.h>

#include "source/study.h"
#include "xenmon/status.h"

/* A run's measures, by the rows of its window (study_measure.c): an xm_study_reader. */
void xm_study_read(const struct xm_outcome *outcome, double value[XM_STUDY_MEASURES]);

/* For people, and for programs ({"schema":"xenmon.study/1", ...}).  Errors stay in the FILE. */
void xm_study_text(const struct xm_study *study, FILE *out);
void xm_study_json(const struct xm_study *study, FILE *out);

/*
 * Data files, gnuplot scripts, the SVG that gnuplot makes of them, and index.html with all of it, in a directory that is
 * made where it is missing.  XM_OK; XM_UNSUPPORTED: all but the pictures is there, err says why; XM_IO.
 */
enum xm_status xm_study_write(const struct xm_study *study, const char *directory,
                              struct xm_error *err) XM_MUST_CHECK;

#endif
