/* SPDX-License-Identifier: MIT */
/*
 * Credit2, Xen's default since 4.12 (xen/common/sched/credit2.c), with one run queue for the whole host.
 *
 * Credits are nanoseconds that a vCPU of the highest weight may run; others burn them faster.  The queue is
 * in the order of credits, and who has most runs; when the best has run out all get 10 ms more.  Who wakes
 * up preempts whoever has least and less than itself, unless that one has run for less than the rate limit.
 * A slice lasts until the credits are as few as those of the next in the queue.  A domain with a cap has a
 * budget for each 10 ms, from which its vCPUs draw what they run on; where there is none left they are
 * parked.
 *
 * Not modelled: several run queues and the balance between them, soft affinity, hyperthreads, yield.  On
 * purpose not as there: resistance to migration does not keep a pCPU idle, an idle pCPU is sent for whoever
 * is left waiting, and a vCPU that is parked while it waits goes offline as one that runs does.
 */
#include <stdlib.h>

#include "sim/cpus.h"
#include "sim/machine.h"
#include "sim/queue.h"

#define CREDIT_INIT          INT64_C(10000000)
#define CREDIT_MIN           (-CREDIT_INIT)
#define CREDIT_IDLE          (CREDIT_MIN - 1)
#define CARRYOVER_MAX        INT64_C(500000)
#define MIN_TIMER_NS         INT64_C(500000)
#define MAX_TIMER_NS         CREDIT_INIT
#define MIGRATE_RESIST       INT64_C(500000)
#define MIGRATE_COMPENSATION INT64_C(50000)
#define RATELIMIT_NS         INT64_C(1000000)
#define TICKLE_TOLERANCE_NS  INT64_C(50000) /* of the rate limit, looking at others */
#define BUDGET_PERIOD_NS     INT64_C(10000000)
#define WEIGHT               256u

struct credit2_vcpu {
    struct xm_link link;   /* in the queue, */
    struct xm_link parked; /* or among the parked ones of its domain */
    struct xm_link all;
    int64_t credit;
    int64_t weight, residue; /* burnt credits are a quotient; what is left of the division */
    uint64_t burnt_ns;       /* has paid up to then */
    int64_t budget_ns;       /* drawn from its domain's, where that has a cap */
    uint32_t tickled;        /* the pCPU that was sent for it; XM_SIM_CPUS: none */
};

struct credit2_domain {
    struct credit2 *credit2;
    int64_t period_budget_ns; /* 0: no cap */
    int64_t budget_ns;
    struct xm_link parked;
    struct xm_alarm replenish;
};

struct credit2 {
    struct xm_machine *machine;
    int64_t ratelimit_ns;
    int64_t max_weight;
    uint64_t idle, tickled; /* pCPUs; idle: see sim/cpus.h */
    struct xm_link queue, all;
};

static struct credit2_vcpu *of(const struct xm_sim_vcpu *v)
{
    return v->sched;
}

static struct credit2_domain *of_domain(const struct xm_sim_vcpu *v)
{
    return v->domain->sched;
}

static int64_t now_of(const struct credit2 *c)
{
    return (int64_t)xm_machine_now(c->machine);
}

static bool has_cap(const struct xm_sim_vcpu *v)
{
    return of_domain(v)->period_budget_ns > 0;
}

static int64_t ran_for(const struct credit2 *c, const struct xm_sim_vcpu *v)
{
    return now_of(c) - (int64_t)v->entered_ns;
}

/* ---- Credits. */

static void burn(const struct credit2 *c, const struct xm_sim_vcpu *v)
{
    struct credit2_vcpu *cv = of(v);
    int64_t ran = now_of(c) - (int64_t)cv->burnt_ns;
    int64_t burnt = ran * c->max_weight + cv->residue;
    cv->residue = burnt % cv->weight;
    cv->credit -= burnt / cv->weight;
    if (cv->credit < CREDIT_MIN)
        cv->credit = CREDIT_MIN;
    if (has_cap(v))
        cv->budget_ns -= ran;
    cv->burnt_ns += (uint64_t)ran;
}

/* How long it can run on these credits. */
static int64_t time_of(const struct credit2 *c, const struct xm_sim_vcpu *v, int64_t credit)
{
    return credit > 0 ? credit * of(v)->weight / c->max_weight : 0;
}

static void tickle_cpu(struct credit2 *c, uint32_t cpu)
{
    c->tickled |= xm_cpu_bit(cpu);
    xm_machine_tickle(c->machine, cpu);
}

static bool runs(const struct credit2 *c, const struct xm_sim_vcpu *v)
{
    return xm_machine_current(c->machine, v->cpu) == v;
}

/* The best has run out: more for everybody, so that the order stays as it is. */
static void reset(struct credit2 *c, const struct xm_sim_vcpu *next)
{
    int64_t more = of(next)->credit == CREDIT_MIN ? 2 * CREDIT_INIT : CREDIT_INIT;
    for (const struct xm_link *l = c->all.next; l != &c->all; l = l->next) {
        struct xm_sim_vcpu *v = l->vcpu;
        if (runs(c, v)) {
            burn(c, v);
            if (has_cap(v) && of(v)->budget_ns <= 0)
                tickle_cpu(c, v->cpu);
        }
        of(v)->credit += more;
        if (of(v)->credit > CREDIT_INIT + CARRYOVER_MAX)
            of(v)->credit = CREDIT_INIT + CARRYOVER_MAX;
    }
}

/* ---- The queue, and who is sent for somebody in it. */

static void insert(struct credit2 *c, struct xm_sim_vcpu *v)
{
    struct xm_link *l = c->queue.next;
    while (l != &c->queue && of(l->vcpu)->credit >= of(v)->credit)
        l = l->next;
    xm_link_put(&of(v)->link, l);
}

/* By how much a waiting vCPU is better than who is on a pCPU; 0: it is not. */
static int64_t score(const struct credit2 *c, const struct xm_sim_vcpu *v, uint32_t cpu)
{
    const struct xm_sim_vcpu *current = xm_machine_current(c->machine, cpu);
    if (!current || (c->ratelimit_ns > TICKLE_TOLERANCE_NS &&
                     ran_for(c, current) <= c->ratelimit_ns - TICKLE_TOLERANCE_NS))
        return 0;
    burn(c, current);
    int64_t better = of(v)->credit - of(current)->credit - (v->cpu == cpu ? 0 : MIGRATE_RESIST);
    return better > 0 ? better : 0;
}

/* but: pCPUs that are in a pass already. */
static void tickle(struct credit2 *c, struct xm_sim_vcpu *v, uint64_t but)
{
    uint64_t idle = c->idle;
    if (xm_idle_offer(c->machine, &c->idle, v, v->cpu)) {
        of(v)->tickled = (uint32_t)__builtin_ctzll(idle ^ c->idle);
        c->tickled |= idle ^ c->idle;
        return;
    }
    uint64_t cpus = v->allowed & ~c->tickled & ~but;
    uint32_t best = XM_SIM_CPUS;
    int64_t most = cpus >> v->cpu & 1 ? score(c, v, v->cpu) : 0;
    if (most > 0) {
        best = v->cpu;
    } else {
        for (; cpus; cpus &= cpus - 1) {
            uint32_t cpu = (uint32_t)__builtin_ctzll(cpus);
            int64_t better = score(c, v, cpu);
            best = better > most ? cpu : best;
            most = better > most ? better : most;
        }
    }
    if (best == XM_SIM_CPUS)
        return;
    tickle_cpu(c, best);
    of(v)->tickled = best;
}

static void enqueue(struct credit2 *c, struct xm_sim_vcpu *v, uint64_t but)
{
    insert(c, v);
    tickle(c, v, but);
}

static void wake(void *self, struct xm_sim_vcpu *v)
{
    enqueue(self, v, 0);
}

static void sleep_vcpu(void *self, struct xm_sim_vcpu *v)
{
    (void)self;
    xm_link_take(&of(v)->link);
}

/* ---- Budgets. */

static void park(struct credit2 *c, struct xm_sim_vcpu *v)
{
    xm_link_take(&of(v)->link);
    xm_link_put(&of(v)->parked, &of_domain(v)->parked);
    xm_machine_park(c->machine, v);
}

static void unpark_all(struct credit2 *c, struct credit2_domain *d, uint64_t but)
{
    while (!xm_queue_is_empty(&d->parked)) {
        struct xm_sim_vcpu *v = d->parked.next->vcpu;
        xm_link_take(&of(v)->parked);
        if (xm_machine_unpark(c->machine, v))
            enqueue(c, v, but);
    }
}

/*
 * Whether there is budget for it to run on; otherwise it is parked.  What it has run too long is paid
 * first.
 */
static bool draw(struct credit2 *c, struct xm_sim_vcpu *v)
{
    struct credit2_domain *d = of_domain(v);
    if (!has_cap(v) || of(v)->budget_ns > 0)
        return true;
    int64_t quota = d->period_budget_ns / v->domain->vcpus;
    quota = quota > MIN_TIMER_NS ? quota : MIN_TIMER_NS;
    d->budget_ns += of(v)->budget_ns;
    of(v)->budget_ns = 0;
    if (d->budget_ns <= 0) {
        park(c, v);
        return false;
    }
    of(v)->budget_ns = d->budget_ns < quota ? d->budget_ns : quota;
    d->budget_ns -= of(v)->budget_ns;
    return true;
}

/* Who stops running gives back what it has left: others may have been parked for it. */
static void give_back(struct credit2 *c, const struct xm_sim_vcpu *v, uint64_t but)
{
    struct credit2_domain *d = of_domain(v);
    d->budget_ns += of(v)->budget_ns;
    of(v)->budget_ns = 0;
    if (d->budget_ns > 0)
        unpark_all(c, d, but);
}

static void replenish(void *user)
{
    struct credit2_domain *d = user;
    struct credit2 *c = d->credit2;
    xm_machine_interrupt(c->machine, 0);
    d->budget_ns += d->period_budget_ns;
    if (d->budget_ns > d->period_budget_ns)
        d->budget_ns = d->period_budget_ns;
    if (d->budget_ns > 0)
        unpark_all(c, d, 0);
    xm_alarm_set(xm_machine_engine(c->machine), &d->replenish, xm_machine_now(c->machine) + BUDGET_PERIOD_NS);
}

static void set_cap(struct credit2 *c, struct xm_sim_domain *domain)
{
    struct credit2_domain *d = domain->sched;
    bool had = d->period_budget_ns > 0;
    d->period_budget_ns = BUDGET_PERIOD_NS * domain->share.cap / 100;
    if (had == (d->period_budget_ns > 0))
        return;
    d->budget_ns = d->period_budget_ns;
    for (uint32_t i = 0; i < domain->vcpus; i++) {
        struct xm_sim_vcpu *v = &domain->vcpu[i];
        of(v)->budget_ns = 0;
        if (runs(c, v)) /* has to get budget */
            tickle_cpu(c, v->cpu);
    }
    if (had) {
        unpark_all(c, d, 0);
        xm_alarm_cancel(xm_machine_engine(c->machine), &d->replenish);
    } else {
        xm_alarm_set(xm_machine_engine(c->machine), &d->replenish,
                     xm_machine_now(c->machine) + BUDGET_PERIOD_NS);
    }
}

/* ---- Passes. */

/* Whether one that waits is for this pCPU, on which `best` is the best so far; NULL: nobody. */
static bool is_for(const struct credit2 *c, const struct xm_sim_vcpu *v, const struct xm_sim_vcpu *best,
                   uint32_t cpu)
{
    uint32_t sent = of(v)->tickled;
    if (!xm_vcpu_may_run(v, cpu))
        return false;
    if (sent != XM_SIM_CPUS && sent != cpu && (c->tickled >> sent & 1))
        return false; /* is about to be picked up there */
    return !best || v->cpu == cpu || of(v)->credit >= of(best)->credit + MIGRATE_RESIST;
}

static struct xm_sim_vcpu *choose(struct credit2 *c, struct xm_sim_vcpu *prev, uint32_t cpu)
{
    struct xm_sim_vcpu *best = prev && xm_vcpu_goes_on(prev) && xm_vcpu_may_run(prev, cpu) ? prev : NULL;
    if (best && ran_for(c, best) < c->ratelimit_ns)
        return best;
    for (struct xm_link *l = c->queue.next, *next; l != &c->queue; l = next) {
        struct xm_sim_vcpu *v = l->vcpu;
        next = l->next; /* v may be parked */
        if (of(v)->credit <= (best ? of(best)->credit : CREDIT_IDLE))
            break;
        if (is_for(c, v, best, cpu) && draw(c, v))
            return v;
    }
    return best;
}

/* Until its credits are gone, or as few as those of who waits; not beyond its budget. */
static uint64_t slice_of(const struct credit2 *c, const struct xm_sim_vcpu *v)
{
    const struct xm_sim_vcpu *waits = c->queue.next->vcpu; /* NULL at the queue's end */
    int64_t least = runs(c, v) ? c->ratelimit_ns - ran_for(c, v) : c->ratelimit_ns;
    int64_t than = waits && of(waits)->credit > 0 ? of(waits)->credit : 0;
    int64_t ns = time_of(c, v, of(v)->credit - than);
    if (has_cap(v) && ns > of(v)->budget_ns)
        ns = of(v)->budget_ns;
    least = least > MIN_TIMER_NS ? least : MIN_TIMER_NS;
    ns = ns > MAX_TIMER_NS ? MAX_TIMER_NS : ns;
    return (uint64_t)(ns > least ? ns : least);
}

/* An epoch is over when neither who runs next nor the first who waits has credits. */
static void mind_epoch(struct credit2 *c, const struct xm_sim_vcpu *next)
{
    const struct xm_sim_vcpu *waits = c->queue.next->vcpu;
    if (of(next)->credit <= 0 && (!waits || of(waits)->credit <= 0))
        reset(c, next);
}

static void leave(struct credit2 *c, struct xm_sim_vcpu *prev, uint32_t cpu)
{
    if (has_cap(prev))
        give_back(c, prev, xm_cpu_bit(cpu));
    if (xm_vcpu_goes_on(prev))
        enqueue(c, prev, xm_cpu_bit(cpu));
}

static struct xm_sched_choice schedule(void *self, uint32_t cpu)
{
    struct credit2 *c = self;
    struct xm_sim_vcpu *prev = xm_machine_current(c->machine, cpu);
    c->tickled &= ~xm_cpu_bit(cpu);
    c->idle &= ~xm_cpu_bit(cpu);
    if (prev) {
        burn(c, prev);
        if (xm_vcpu_goes_on(prev))
            (void)draw(c, prev);
    }
    struct xm_sim_vcpu *next = choose(c, prev, cpu);
    if (next && next != prev) {
        xm_link_take(&of(next)->link);
        of(next)->burnt_ns = xm_machine_now(c->machine);
        of(next)->credit += next->cpu == cpu ? 0 : MIGRATE_COMPENSATION;
    }
    if (next) {
        mind_epoch(c, next);
        of(next)->tickled = XM_SIM_CPUS;
    }
    if (!next)
        c->idle |= xm_cpu_bit(cpu); /* before somebody is unparked: it may be for this pCPU */
    if (prev && next != prev)
        leave(c, prev, cpu);
    if (!next)
        return (struct xm_sched_choice){NULL, XM_SIM_NEVER};
    xm_idle_offer_queue(c->machine, &c->idle, &c->queue);
    return (struct xm_sched_choice){next, slice_of(c, next)};
}

/* ---- Coming and going. */

static enum xm_status create(struct xm_machine *m, const struct xm_sched_params *params, void **self,
                             struct xm_error *err)
{
    struct credit2 *c = calloc(1, sizeof *c);
    if (!c)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    c->machine = m;
    c->ratelimit_ns = params->ratelimit_ns == XM_SCHED_OWN ? RATELIMIT_NS : (int64_t)params->ratelimit_ns;
    c->idle = UINT64_MAX >> (XM_SIM_CPUS - xm_machine_cpus(m));
    xm_queue_init(&c->queue);
    xm_queue_init(&c->all);
    *self = c;
    return XM_OK;
}

static void weigh(struct credit2 *c)
{
    c->max_weight = 1;
    for (const struct xm_link *l = c->all.next; l != &c->all; l = l->next)
        if (of(l->vcpu)->weight > c->max_weight)
            c->max_weight = of(l->vcpu)->weight;
}

static void set_weight(struct credit2_vcpu *cv, const struct xm_sched_share *share)
{
    cv->weight = share->weight ? share->weight : WEIGHT;
    cv->residue = 0;
}

static void adjust(void *self, struct xm_sim_domain *d)
{
    struct credit2 *c = self;
    for (uint32_t i = 0; i < d->vcpus; i++) {
        if (runs(c, &d->vcpu[i]))
            burn(c, &d->vcpu[i]);
        set_weight(of(&d->vcpu[i]), &d->share);
    }
    weigh(c);
    set_cap(c, d);
}

static void add(void *self, struct xm_sim_vcpu *v)
{
    struct credit2 *c = self;
    of(v)->link.vcpu = of(v)->parked.vcpu = of(v)->all.vcpu = v;
    of(v)->credit = CREDIT_INIT;
    of(v)->tickled = XM_SIM_CPUS;
    set_weight(of(v), &v->domain->share);
    v->cpu = xm_cpu_cycle(v->allowed, (uint32_t)(v->domain->domid + v->number) % xm_machine_cpus(c->machine));
    if (v->number == 0) {
        of_domain(v)->credit2 = c;
        xm_queue_init(&of_domain(v)->parked);
        xm_alarm_init(&of_domain(v)->replenish, XM_ALARM_XEN, replenish, of_domain(v));
        set_cap(c, v->domain);
    }
    xm_link_put(&of(v)->all, &c->all);
    weigh(c);
}

static void remove_vcpu(void *self, struct xm_sim_vcpu *v)
{
    struct credit2 *c = self;
    xm_link_take(&of(v)->link);
    xm_link_take(&of(v)->parked);
    xm_link_take(&of(v)->all);
    xm_alarm_cancel(xm_machine_engine(c->machine), &of_domain(v)->replenish);
    weigh(c);
}

const struct xm_sched_ops xm_sched_credit2 = {.name = "credit2",
                                              .vcpu_bytes = sizeof(struct credit2_vcpu),
                                              .domain_bytes = sizeof(struct credit2_domain),
                                              .create = create,
                                              .destroy = free,
                                              .add = add,
                                              .remove = remove_vcpu,
                                              .wake = wake,
                                              .sleep = sleep_vcpu,
                                              .adjust = adjust,
                                              .schedule = schedule};
