/* SPDX-License-Identifier: MIT */
/* A simulated host run through its source and the whole of bake, and held to its own truth. */
#ifndef XM_TEST_SIM_WORLD_H
#define XM_TEST_SIM_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "baked.h"
#include "sim/host.h"
#include "source/sim.h"

static inline struct xm_scenario scenario_of(const char *text)
{
    struct xm_scenario s;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_scenario_parse(text, "test.ini", &s, &err) != XM_OK)
        xt_die("%s", err.text);
    return s;
}

static inline struct xm_simhost *host_of(const struct xm_scenario *s)
{
    struct xm_simhost *host;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_simhost_create(s, &host, &err) != XM_OK)
        xt_die("%s", err.text);
    return host;
}

static inline struct xm_source *source_of(struct xm_simhost *host, const struct xm_scenario *s, uint64_t until_ns)
{
    struct xm_source *source;
    const struct xm_sim_source_config config = {.host = host, .name = "test", .poll_ns = s->poll_ns, .until_ns = until_ns,
                                                .wake_fd = -1};
    assert_int_equal(xm_sim_source_open(&config, &source, NULL), XM_OK);
    return source;
}

/* Everything up to that time, as a file would have it; *passes: how many ended. */
static inline struct xt_bytes bytes_of(struct xm_source *source, unsigned *passes)
{
    struct xt_bytes all = {0};
    struct xm_error err;
    enum xm_status status;
    xm_error_clear(&err);
    do {
        const void *bytes = NULL;
        size_t size = 0;
        status = xm_source_next(source, 0, &bytes, &size, &err);
        if (status == XM_OK)
            xt_put(&all, bytes, size);
        else if (status == XM_AGAIN && xm_source_pass_ended(source))
            ++*passes;
    } while (status >= 0 && status != XM_END);
    assert_int_equal(status, XM_END);
    return all;
}

/*
 * The account's window is from the first record to the last, the truth's from the machine's beginning to its end: what a
 * vCPU was in at either side is known.
 */
static inline void assert_truth(struct xm_simhost *host, const struct xt_baked *b, uint64_t first)
{
    struct xm_machine *m = xm_simhost_machine(host);
    const uint64_t end = xm_machine_end(m).v, last = b->end.host.tsc;
    for (const struct xm_sim_domain *d = xm_machine_domains(m); d; d = d->next)
        for (uint32_t i = 0; i < d->vcpus; i++) {
            const struct xm_sim_vcpu *v = &d->vcpu[i];
            struct xm_truth_vcpu t = xm_truth_of(m, v);
            const struct xm_vcpu_row *row = xt_vcpu(&b->end, xt_vcpu_id((uint32_t)d->instance, d->domid, i));
            assert_non_null(row);
            t.in_state[XM_OFFLINE] -= first - XM_SIM_TSC_START;
            t.in_state[v->state] -= end - last;
            if (v->state == XM_RUNNABLE)
                t.waited[v->cause] -= end - last;
            assert_int_equal(row->running, t.in_state[XM_RUNNING]);
            assert_int_equal(row->runnable, t.in_state[XM_RUNNABLE]);
            assert_int_equal(row->blocked, t.in_state[XM_BLOCKED]);
            assert_int_equal(row->offline, t.in_state[XM_OFFLINE]);
            assert_int_equal(row->unknown, 0);
            assert_int_equal(row->executions, t.executions);
            assert_int_equal(row->wait_wake, t.waited[XM_TRUTH_WAKE]);
            assert_int_equal(row->wait_preempt, t.waited[XM_TRUTH_PREEMPT]);
        }
}

static inline void assert_no_anomaly(const struct xt_baked *b)
{
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        assert_int_equal(b->anomaly[i], 0);
    assert_int_equal(b->stats.damaged_bytes, 0);
}

#endif
