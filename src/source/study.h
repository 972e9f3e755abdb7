/* SPDX-License-Identifier: MIT */
/*
 * The study of HPL-2005-187 done again: four weightings of the driver domain under a rising load, and what lies beyond the
 * paper, each as a series of experiments (source/experiment.h) that are repeated with other seeds.
 *
 *     plan --> run --> text, JSON, figures (front/study/study.h)
 *
 * What a run's samples say is for who runs it: a window is not this room's to read.
 *
 * Threads: a study belongs to one thread; running it uses others inside.
 */
#ifndef XM_SOURCE_STUDY_H
#define XM_SOURCE_STUDY_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/costs.h"
#include "sim/scenario.h"
#include "source/experiment.h"
#include "xenmon/status.h"

#define XM_STUDY_REPETITIONS    30u /* at most */
#define XM_STUDY_RATES          9u
#define XM_STUDY_CONFIGURATIONS 4u

/*
 * What is measured of a run; NaN where that is nothing, such as the response where nothing was answered.  Those from
 * XM_STUDY_GOTTEN on are of a domain: xm_study_of().
 */
enum xm_study_measure {
    XM_STUDY_THROUGHPUT, /* requests answered a second */
    XM_STUDY_RESPONSE,   /* ms from a client's first packet to its last */
    XM_STUDY_RECORDS,    /* trace records a second */
    XM_STUDY_OWN_NS,     /* CPU time from buffer to account, ns a record, on this machine */
    XM_STUDY_GOTTEN,     /* percent of the time running, */
    XM_STUDY_WAITED,     /* runnable, */
    XM_STUDY_BLOCKED,    /* blocked */
    XM_STUDY_EXECUTIONS, /* a second */
    XM_STUDY_LENGTH,     /* us an execution */
    XM_STUDY_IO,         /* pages exchanged a second: done by Dom0, of its own pages by Dom1 */
    XM_STUDY_IO_EACH,    /* and an execution */
    XM_STUDY_DOMAIN_END
};
#define XM_STUDY_OF_DOMAIN (XM_STUDY_DOMAIN_END - XM_STUDY_GOTTEN)
#define XM_STUDY_MEASURES  (XM_STUDY_GOTTEN + 2 * XM_STUDY_OF_DOMAIN)

/* The index of a measure of Dom0 or Dom1. */
static inline unsigned xm_study_of(unsigned domain, enum xm_study_measure measure)
{
    return measure + domain * XM_STUDY_OF_DOMAIN;
}

/* ---- Statistics (study_stats.c). */

/* A mean, and half the width of its 95 % confidence interval by Student's t; half is NaN where there is one value. */
struct xm_estimate {
    double mean, half;
    unsigned count;
};

/* Of `count` values; count 0, or a value that is NaN: the mean is NaN too. */
struct xm_estimate xm_estimate_of(const double *values, unsigned count);

/* The two-sided 95 % quantile of Student's t, degrees > 0: within 0.001. */
double xm_student_95(unsigned degrees);

/* ---- What is run (study_plan.c). */

enum xm_study_group {
    XM_STUDY_PAPER, /* the paper's four configurations over all rates */
    XM_STUDY_EXACT, /* BVT that charges exactly what was used */
    XM_STUDY_ALLOW, /* BVT with a context switch allowance of 1 ms */
    XM_STUDY_SLIP,  /* BVT without the slip of units */
    XM_STUDY_SEDF,
    XM_STUDY_CREDIT,
    XM_STUDY_CREDIT2,
    XM_STUDY_RR,
    XM_STUDY_COPY,  /* grant copies instead of page flips */
    XM_STUDY_BATCH, /* a record for a batch of page flips */
    XM_STUDY_GROUPS
};
const char *xm_study_group_name(enum xm_study_group group); /* "paper", "exact-charging", ... */
const char *xm_study_group_text(enum xm_study_group group); /* what it is, in a few words */

struct xm_study_config {
    uint64_t seed;
    unsigned repetitions;           /* 1 to XM_STUDY_REPETITIONS */
    uint64_t warm_up_ns, length_ns; /* of each run, simulated */
    unsigned jobs;                  /* runs at a time, at least 1 */
    bool paper_only;                /* nothing beyond the paper */
    struct xm_costs costs;
};

struct xm_study_point {
    double rate; /* requests offered a second */
    double value[XM_STUDY_MEASURES][XM_STUDY_REPETITIONS];
    struct xm_estimate estimate[XM_STUDY_MEASURES];
};

/* One configuration in one group. */
struct xm_study_series {
    enum xm_study_group group;
    unsigned configuration; /* 0 to 3: Conf_0.5, Conf_Equal, Conf_2, Conf_10 */
    struct xm_scenario *scenario;
    unsigned points;              /* in rising rate */
    struct xm_study_point *point; /* [points] */
};
const char *xm_study_configuration(unsigned index); /* "Conf_0.5", ... */

struct xm_study {
    struct xm_study_config config;
    unsigned count;
    struct xm_study_series *series;    /* the paper's four are the first */
    uint64_t records, lost, anomalies; /* over all runs */
    double wall_s;                     /* how long it took */
};

/* Sets the study up; nothing is run.  XM_OK; XM_INVALID: a configuration out of range; XM_NOMEM. */
enum xm_status xm_study_plan(const struct xm_study_config *config, struct xm_study *study,
                             struct xm_error *err) XM_MUST_CHECK;
void xm_study_free(struct xm_study *study); /* zeroed is fine */

/* NULL: there is none in this study. */
const struct xm_study_series *xm_study_find(const struct xm_study *study, enum xm_study_group group,
                                            unsigned configuration);

/* The mean of a measure at the last point, which is saturation; and its most at all points, of those where it is not NaN. */
double xm_study_last(const struct xm_study_series *series, unsigned measure);
double xm_study_most(const struct xm_study_series *series, unsigned measure);

/* ---- Running (study_run.c). */

/* Called from the thread that runs the study, a few times a second and at the end. */
typedef void xm_study_progress(void *user, unsigned done, unsigned all);

/* Makes a run's measures of what came out of it, NaN where there is none; called from many threads at a time. */
typedef void xm_study_reader(const struct xm_outcome *outcome, double value[XM_STUDY_MEASURES]);

/* XM_OK; XM_NOMEM, XM_INVALID, XM_DAMAGED: of the first run that failed.  Blocks for all of it. */
enum xm_status xm_study_run(struct xm_study *study, xm_study_reader *reader, xm_study_progress *progress, void *user,
                            struct xm_error *err) XM_MUST_CHECK;

#endif
