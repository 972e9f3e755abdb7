/* SPDX-License-Identifier: MIT */
/* A machine with guests that spin, nap or follow a script, and what holds of any machine at any time. */
#ifndef XM_TEST_SIM_HOST_H
#define XM_TEST_SIM_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/machine.h"
#include "trace/format.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)
/* As assert_true(), and fast: these are many. */
#define HOLDS(x)    ((x) ? (void)0 : _assert_true(0, #x, __FILE__, __LINE__))
#define DEFAULTS    (struct xm_sched_params){.ratelimit_ns = XM_SCHED_OWN}
#define GUESTS      400u
#define GUEST_VCPUS 4u

/*
 * What it does: works for work_ns, then blocks for pause_ns (0: goes on working); a script does steps of
 * both.
 */
struct guest {
    struct xm_machine *m;
    struct xm_sim_domain *d;
    uint64_t work_ns, pause_ns;
    bool random;                 /* these are averages */
    const uint64_t (*script)[2]; /* {work, pause}, ended by {0, 0}: it blocks for good */
    struct xm_rng rng;
    struct nap {
        struct guest *g;
        struct xm_sim_vcpu *v;
        struct xm_alarm alarm;
        unsigned step;
        bool due;
    } nap[GUEST_VCPUS];
};

/* Of each vCPU, from its records: of guest `g`, vCPU 0. */
struct seen {
    uint64_t since, shortest_preempted, longest_wait, waits, waited, last_wait, preempted;
};

struct host {
    struct xm_machine *m;
    uint32_t guests;
    struct guest guest[GUESTS];
    uint64_t last[XM_SIM_CPUS]; /* TSC of its last record */
    struct seen seen[GUESTS];   /* by domain id */
    bool conserves;             /* no pCPU may idle while somebody waits who may run there */
    bool instant; /* switches take no time, so what is to be done is done at the end of a step */
};

static inline uint64_t drawn(struct guest *g, uint64_t ns)
{
    return g->random ? 1 + xm_rng_exponential(&g->rng, ns) : ns;
}

static inline uint64_t guest_work(void *guest, struct xm_sim_vcpu *v)
{
    struct guest *g = guest;
    struct nap *n = &g->nap[v->number];
    if (!g->script && !g->pause_ns)
        return g->work_ns;
    if (!n->due)
        return 0;
    return g->script ? g->script[n->step][0] : drawn(g, g->work_ns);
}

static inline void guest_done(void *guest, struct xm_sim_vcpu *v)
{
    struct guest *g = guest;
    struct nap *n = &g->nap[v->number];
    uint64_t pause = g->script ? g->script[n->step++][1] : g->pause_ns ? drawn(g, g->pause_ns) : 0;
    if (!g->script && !g->pause_ns)
        return;
    n->due = false;
    xm_alarm_set(xm_machine_engine(g->m), &n->alarm, xm_machine_now(g->m) + pause);
}

static inline void guest_wakes(void *nap)
{
    struct nap *n = nap;
    n->due = true;
    xm_machine_notify(n->g->m, n->v);
}

static inline const struct xm_guest_ops *guest_ops(void)
{
    static const struct xm_guest_ops ops = {guest_work, guest_done};
    return &ops;
}

static inline void runstate_seen(struct seen *s, const struct xm_record *r)
{
    unsigned old = r->event >> 8 & 3, new = r->event >> 4 & 3;
    uint64_t span = r->tsc.v - s->since;
    if (old == XM_RUNNABLE) {
        s->last_wait = span;
        s->waits++;
        s->waited += span;
        s->longest_wait = span > s->longest_wait ? span : s->longest_wait;
    }
    if (old == XM_RUNNING && new == XM_RUNNABLE) {
        s->preempted++;
        s->shortest_preempted = span < s->shortest_preempted ? span : s->shortest_preempted;
    }
    s->since = r->tsc.v;
}

static inline void record_put(void *user, uint32_t cpu, const struct xm_record *r, xm_cycles now,
                              uint32_t current)
{
    struct host *h = user;
    uint32_t domid = r->word[0] >> 16;
    HOLDS(r->has_tsc && r->tsc.v == now.v && now.v >= h->last[cpu]);
    h->last[cpu] = now.v;
    if ((r->event & ~0xff0u) == XM_TRC_RUNSTATE && domid < GUESTS && (r->word[0] & 0xffff) == 0)
        runstate_seen(&h->seen[domid], r);
}

static inline struct host *host_begin_slow(const char *sched, uint32_t cpus, struct xm_sched_params params,
                                           uint64_t switch_ns)
{
    struct host *h = calloc(1, sizeof *h);
    assert_non_null(h);
    struct xm_machine_config config = {.cpus = cpus,
                                       .hz = S,
                                       .events = 0x0ffff000u,
                                       .sched = xm_sched_named(sched),
                                       .params = params,
                                       .switch_ns = switch_ns,
                                       .sink = {record_put, h}};
    assert_non_null(config.sched);
    assert_int_equal(xm_machine_create(&config, &h->m, NULL), XM_OK);
    h->instant = switch_ns == 0;
    h->conserves = h->instant && (strncmp(sched, "credit", 6) == 0 || strcmp(sched, "rr") == 0);
    for (uint32_t i = 0; i < GUESTS; i++)
        h->seen[i] = (struct seen){.since = XM_SIM_TSC_START, .shortest_preempted = UINT64_MAX};
    return h;
}

static inline struct host *host_begin(const char *sched, uint32_t cpus, struct xm_sched_params params)
{
    return host_begin_slow(sched, cpus, params, 0);
}

static inline void host_end(struct host *h)
{
    xm_machine_destroy(h->m);
    free(h);
}

/* The guests' number is the domain's id, unless another is given. */
static inline struct guest *guest_add_as(struct host *h, uint16_t domid, uint32_t vcpus, uint64_t allowed,
                                         struct xm_sched_share share, struct guest what)
{
    assert_true(h->guests < GUESTS && vcpus <= GUEST_VCPUS);
    struct guest *g = &h->guest[h->guests++];
    *g = what;
    g->m = h->m;
    xm_rng_seed(&g->rng, h->guests, 'g');
    for (uint32_t i = 0; i < vcpus; i++) {
        g->nap[i] = (struct nap){.g = g, .due = true};
        xm_alarm_init(&g->nap[i].alarm, XM_ALARM_GUEST, guest_wakes, &g->nap[i]);
    }
    struct xm_domain_config config = {.domid = domid,
                                      .vcpus = vcpus,
                                      .allowed = allowed,
                                      .share = share,
                                      .ops = guest_ops(),
                                      .guest = g,
                                      .paused = true};
    assert_int_equal(xm_machine_add(h->m, &config, &g->d, NULL), XM_OK);
    for (uint32_t i = 0; i < vcpus; i++)
        g->nap[i].v = &g->d->vcpu[i];
    xm_machine_pause(h->m, g->d, false);
    return g;
}

static inline struct guest *guest_add(struct host *h, uint32_t vcpus, uint64_t allowed,
                                      struct xm_sched_share share, struct guest what)
{
    return guest_add_as(h, (uint16_t)h->guests, vcpus, allowed, share, what);
}

/* ---- What holds after each step. */

static inline void check_vcpu(const struct host *h, const struct xm_sim_vcpu *v, uint64_t idle)
{
    uint64_t sum = 0, span = xm_machine_end(h->m).v - XM_SIM_TSC_START;
    struct xm_truth_vcpu t = xm_truth_of(h->m, v);
    for (unsigned i = 0; i < 4; i++)
        sum += t.in_state[i];
    HOLDS(sum == span);
    HOLDS(t.waited[0] + t.waited[1] + t.waited[2] == t.in_state[XM_RUNNABLE]);
    if (v->state == XM_RUNNING)
        HOLDS(xm_machine_current(h->m, v->cpu) == v && !v->domain->ended);
    if (v->state == XM_RUNNING && h->instant)
        HOLDS(xm_vcpu_may_run(v, v->cpu) && xm_vcpu_goes_on(v));
    if (v->state == XM_RUNNABLE)
        HOLDS(!v->domain->ended && !v->domain->paused && !v->unplugged && !v->parked);
    if (v->state == XM_RUNNABLE && h->conserves)
        HOLDS(!(idle & v->allowed));
}

static inline void check_host(const struct host *h)
{
    uint64_t idle = 0, running = 0, span = xm_machine_end(h->m).v - XM_SIM_TSC_START, ran = 0, busy = 0;
    for (uint32_t i = 0; i < xm_machine_cpus(h->m); i++) {
        const struct xm_sim_vcpu *v = xm_machine_current(h->m, i);
        struct xm_truth_cpu t = xm_truth_of_cpu(h->m, i);
        HOLDS(t.busy + t.idle + t.switching == span);
        busy += t.busy;
        idle |= v ? 0 : UINT64_C(1) << i;
        running += v != NULL;
        HOLDS(!v || v->state == XM_RUNNING);
    }
    for (const struct xm_sim_domain *d = xm_machine_domains(h->m); d; d = d->next)
        for (uint32_t i = 0; i < d->vcpus; i++) {
            check_vcpu(h, &d->vcpu[i], idle);
            running -= d->vcpu[i].state == XM_RUNNING;
            ran += xm_truth_of(h->m, &d->vcpu[i]).in_state[XM_RUNNING];
        }
    HOLDS(running == 0 && ran == busy);
}

static inline void host_run(struct host *h, uint64_t until_ns)
{
    for (;;) {
        uint64_t next = xm_engine_next(xm_machine_engine(h->m));
        bool last = next > until_ns;
        assert_int_equal(xm_machine_run(h->m, last ? until_ns : next), XM_OK);
        check_host(h);
        if (last)
            return;
    }
}

static inline uint64_t ran(const struct guest *g)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < g->d->vcpus; i++)
        sum += xm_truth_of(g->m, &g->d->vcpu[i]).in_state[XM_RUNNING];
    return sum;
}

static inline struct guest spins(void)
{
    return (struct guest){.work_ns = 10 * S};
}

static inline struct guest naps(uint64_t work_ns, uint64_t pause_ns)
{
    return (struct guest){.work_ns = work_ns, .pause_ns = pause_ns, .random = true};
}

#endif
