/* SPDX-License-Identifier: MIT */
/* Data files and gnuplot scripts of the study's figures; what to do with them is study_write.c's. */
#ifndef XM_STUDY_FIGURES_H
#define XM_STUDY_FIGURES_H

#include <stdio.h>

#include "front/study/study_int.h"

/* A row for each point: rate, then mean and half width of every measure.  The script reads it as CONFIGURATION.dat. */
void xm_study_data(const struct xm_study_series *series, FILE *out);

/* Scripts: of one panel, and of the four panels of one of the paper's figures, the first of which is given. */
void xm_study_panel_script(const struct xm_figure *figure, FILE *out);
void xm_study_sheet_script(const struct xm_figure *figure, FILE *out);

/* Throughput at saturation as bars: of the paper's configurations and, beside them, of the groups first .. end - 1. */
void xm_study_bars_data(const struct xm_study *study, unsigned first, unsigned end, FILE *out);
void xm_study_bars_script(const char *name, const char *title, FILE *out);

/* Those that there are. */
struct xm_bars {
    const char *name, *title;
    unsigned first, end; /* groups */
};
const struct xm_bars *xm_bars_at(unsigned index); /* NULL past the last */

#endif
