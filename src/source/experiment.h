/* SPDX-License-Identifier: MIT */
/*
 * An experiment: a simulated host runs for a while, and is measured as a real one would be.
 *
 * Its trace buffers are read as xenbaked reads Xen's, the records go through stream and account, and what comes out are
 * the two samples between which the measurement lies, and what the clients counted meanwhile: a trace does not know of
 * requests.  The simulator's own account of its vCPUs is not looked at.
 *
 * Threads: one experiment, one thread; any number at a time.
 */
#ifndef XM_EXPERIMENT_H
#define XM_EXPERIMENT_H

#include <stdint.h>

#include "sim/net.h"
#include "sim/scenario.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/units.h"

struct xm_experiment {
    const struct xm_scenario *scenario;
    uint16_t server;     /* the domain whose clients are counted */
    uint64_t warm_up_ns; /* simulated time that is not measured, at least 1 ms */
    uint64_t length_ns;  /* and time that is, at least 1 ms */
};

/* What was measured.  Zeroed is empty. */
struct xm_outcome {
    struct xm_sample from, to; /* what is in between is the window */
    struct xm_scale scale;
    uint32_t io_seen;        /* XM_IO_SEEN_* */
    struct xm_served served; /* in the window, as the clients themselves see it */
    uint64_t records, lost;  /* in the window */
    uint64_t anomalies;      /* from the beginning */
    uint64_t own_ns; /* CPU time that the window's records took from buffer to account, on this machine */
};

/*
 * Runs it to its end.  XM_OK: *outcome is the caller's to free; XM_INVALID: a time is too short, or the scenario cannot
 * be, in words; XM_DAMAGED: the trace made no sense, which is a bug of the simulated host; XM_NOMEM.
 * Cost: some 100 ns of CPU time a record, half of it the simulation.
 */
enum xm_status xm_experiment_run(const struct xm_experiment *experiment, struct xm_outcome *outcome,
                                 struct xm_error *err) XM_MUST_CHECK;
void xm_outcome_free(struct xm_outcome *outcome);

#endif
