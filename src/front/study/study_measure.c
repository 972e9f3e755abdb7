/* SPDX-License-Identifier: MIT */
/* The measures of a run, off its two samples and its clients. */
#include <math.h>

#include "front/study/study.h"
#include "source/experiment.h"
#include "view/view.h"

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

static void measure_domain(const struct xm_usage *u, const struct xm_io *io, double *value)
{
    double s = (double)u->window_ns / 1e9, executions = (double)u->executions;
    struct xm_maybe pages = xm_io_exchanges(io);
    value[XM_STUDY_GOTTEN] = ratio(100.0 * (double)u->running_ns, (double)u->span_ns);
    value[XM_STUDY_WAITED] = ratio(100.0 * (double)u->runnable_ns, (double)u->span_ns);
    value[XM_STUDY_BLOCKED] = ratio(100.0 * (double)u->blocked_ns, (double)u->span_ns);
    value[XM_STUDY_EXECUTIONS] = ratio(executions, s);
    value[XM_STUDY_LENGTH] = ratio((double)u->running_ns / 1e3, executions);
    value[XM_STUDY_IO] = ratio((double)pages.count, s);
    value[XM_STUDY_IO_EACH] = ratio((double)pages.count, executions);
}

/* The driver domain's I/O is what was done while it was on the pCPU, the server's what was done with its pages. */
void xm_study_read(const struct xm_outcome *o, double value[XM_STUDY_MEASURES])
{
    const struct xm_window w = {.from = &o->from, .to = &o->to, .scale = &o->scale, .io_seen = o->io_seen};
    double s = 0;
    for (unsigned i = 0; i < XM_STUDY_MEASURES; i++)
        value[i] = NAN;
    for (uint32_t i = 0; i < o->to.used.domains; i++) {
        struct xm_usage u;
        uint32_t domid = xm_row_domid(o->to.domain[i].id);
        if (!xm_usage_domain(&w, i, &u) || domid > 1)
            continue;
        measure_domain(&u, domid == 0 ? &u.io_done : &u.io, value + domid * XM_STUDY_OF_DOMAIN);
        s = (double)u.window_ns / 1e9;
    }
    value[XM_STUDY_THROUGHPUT] = ratio((double)o->served.answered, s);
    value[XM_STUDY_RESPONSE] = ratio((double)o->served.response_ns / 1e6, (double)o->served.answered);
    value[XM_STUDY_RECORDS] = ratio((double)o->records, s);
    value[XM_STUDY_OWN_NS] = ratio((double)o->own_ns, (double)o->records);
}
