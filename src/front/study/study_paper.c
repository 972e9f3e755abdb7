/* SPDX-License-Identifier: MIT */
/* HPL-2005-187, sections 5 to 8: the numbers that its text gives.  Its figures are pictures without numbers. */
#include <math.h>
#include <stddef.h>

#include "front/study/study_int.h"

static const double best[XM_STUDY_CONFIGURATIONS] = {1380, 1200, 980, 700};

double xm_paper_best(unsigned configuration)
{
    return best[configuration];
}

static const struct xm_mark marks[] = {
    {0, -1, XM_STUDY_THROUGHPUT, 1800, 1380, 1380},
    {1, -1, XM_STUDY_THROUGHPUT, 1800, 1200, 1200},
    {2, -1, XM_STUDY_THROUGHPUT, 1800, 980, 980},
    {3, -1, XM_STUDY_THROUGHPUT, 1800, 700, 700},
    {0, 0, XM_STUDY_GOTTEN, 1800, 30, 30},
    {0, 1, XM_STUDY_GOTTEN, 1800, 68, 68},
    {3, 0, XM_STUDY_GOTTEN, 1800, 45, 45},
    {3, 1, XM_STUDY_GOTTEN, 1800, 55, 55},
    {3, 1, XM_STUDY_BLOCKED, 1800, 0, 0},
    {3, 0, XM_STUDY_WAITED, 1800, 2, 2},
    {3, 1, XM_STUDY_WAITED, 1800, 40, 40},
    {0, 0, XM_STUDY_IO_EACH, 1800, 100, 100},
    {3, 0, XM_STUDY_IO_EACH, 1800, 1.4, 1.4},
    {0, 0, XM_STUDY_EXECUTIONS, 800, 7000, 8000},
    {0, 1, XM_STUDY_EXECUTIONS, 800, 7000, 8000},
    {0, 0, XM_STUDY_EXECUTIONS, 1800, 400, 400},
    {0, 1, XM_STUDY_EXECUTIONS, 1800, 400, 400},
    {2, 0, XM_STUDY_EXECUTIONS, 1800, 10000, 12000},
    {2, 1, XM_STUDY_EXECUTIONS, 1800, 10000, 12000},
    {3, 0, XM_STUDY_EXECUTIONS, 1800, 10000, 12000},
    {3, 1, XM_STUDY_EXECUTIONS, 1800, 10000, 12000},
    {0, 0, XM_STUDY_LENGTH, 800, 60, 60},
    {0, 1, XM_STUDY_LENGTH, 800, 60, 60},
    {0, 0, XM_STUDY_LENGTH, 1800, 1000, 1000},
    {0, 1, XM_STUDY_LENGTH, 1800, 2000, 2000},
    {2, 0, XM_STUDY_LENGTH, 1800, 35, 50},
    {2, 1, XM_STUDY_LENGTH, 1800, 35, 50},
    {3, 0, XM_STUDY_LENGTH, 1800, 35, 50},
    {3, 1, XM_STUDY_LENGTH, 1800, 35, 50},
};

const struct xm_mark *xm_mark_at(unsigned index)
{
    return index < sizeof marks / sizeof marks[0] ? &marks[index] : NULL;
}

double xm_study_at(const struct xm_study *study, unsigned configuration, int domain, enum xm_study_measure measure,
                   double rate)
{
    const struct xm_study_series *s = xm_study_find(study, XM_STUDY_PAPER, configuration);
    unsigned index = domain < 0 ? measure : xm_study_of((unsigned)domain, measure);
    for (unsigned i = 0; s && i < s->points; i++)
        if (fabs(s->point[i].rate - rate) < 0.5)
            return s->point[i].estimate[index].mean;
    return NAN;
}

double xm_study_own_pct(const struct xm_study_series *s)
{
    return xm_study_last(s, XM_STUDY_RECORDS) * xm_study_last(s, XM_STUDY_OWN_NS) / 1e7;
}
