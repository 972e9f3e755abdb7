/* SPDX-License-Identifier: MIT */
/* What the formats of the study share: the paper's figures, what became of its statements, and the conclusion. */
#ifndef XM_STUDY_INT_H
#define XM_STUDY_INT_H

#include "front/study/study.h"

/* ---- The paper's values (study_paper.c), for comparison only: nothing here goes into the model. */

/* A value that the paper's text gives, of a configuration at an offered rate; a range where low < high. */
struct xm_mark {
    unsigned configuration;
    int domain; /* -1: of neither */
    enum xm_study_measure measure;
    double rate, low, high;
};
const struct xm_mark *xm_mark_at(unsigned index); /* NULL past the last */

#define XM_PAPER_OWN_PCT 2.0                  /* what XenMon cost in the paper, percent of the CPU */
double xm_paper_best(unsigned configuration); /* best throughput, requests a second */

/* ---- Looking things up in a study. */

/* A mean of the paper's configuration at a rate; NaN where that was not run.  domain -1: of neither. */
double xm_study_at(const struct xm_study *study, unsigned configuration, int domain,
                   enum xm_study_measure measure, double rate);

/* ---- What became of the paper's statements (study_judge.c). */

struct xm_statement {
    const char *figure;  /* "3a", ... */
    const char *subject; /* what it is about */
    bool holds;
    char paper[160]; /* what the paper says */
    char measured[240];
    char reason[480]; /* in the cost model, where it does not hold or holds just so; "" else */
};
#define XM_STATEMENTS 40u

/* Fills list[XM_STATEMENTS]; returns how many there are.  The study has been run. */
unsigned xm_study_judge(const struct xm_study *study, struct xm_statement *list);

/* ---- In words (study_words.c). */

#define XM_PARAGRAPHS 12u
struct xm_words {
    unsigned count;
    char paragraph[XM_PARAGRAPHS][1200];
};

/* The paper's conclusion, and what lies beyond it, drawn from the measured numbers. */
void xm_study_conclude(const struct xm_study *study, struct xm_words *words);

/* False where a number in this text, which printf wrote, is none: "nan" or "inf" stands there as a word. */
bool xm_study_says(const char *text);

/* What XenMon itself cost, in percent of a CPU, at this series' saturation: records a second times CPU time a record. */
double xm_study_own_pct(const struct xm_study_series *series);

/* ---- index.html (study_html.c): svg says whether the pictures are there. */
void xm_study_html(const struct xm_study *study, const char *directory, FILE *out);

/* Figures (study_figures.c), one a letter: "3a", "3b", "4a" ... "9d", "10". */
struct xm_figure {
    const char *name;   /* of the file: fig4a.svg */
    const char *number; /* of the paper: "4 a)" */
    const char *title;
    enum xm_study_measure measure;
    int configuration; /* -1: all four of `domain` in one */
    int domain;
    const char *axis; /* of y */
    bool logarithmic;
};
const struct xm_figure *xm_figure_at(unsigned index); /* NULL past the last */

#endif
