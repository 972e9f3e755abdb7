/* SPDX-License-Identifier: MIT */
/*
 * The credit scheduler, Xen's default from 3.0.3 to 4.11 (xen/common/sched/credit.c).
 *
 * Every 30 ms the credits of all pCPUs, one for each 100 us, are shared out among active vCPUs by their
 * domains' weights; running burns them.  A vCPU with credits is UNDER, one without is OVER, and one that
 * wakes up UNDER is BOOSTed until a tick of 10 ms finds it running.  Each pCPU has a queue by priority, in
 * order of arrival within one; a pCPU whose next is OVER, or which has nobody, looks for somebody better
 * with the others.  A domain with a cap earns no more than that, and its vCPUs are parked while they owe.
 *
 * Not modelled: soft affinity, topology, the migration delay (0 by default in Xen too), yield.  On purpose
 * not as there: a pCPU that would idle steals without a limit to how often, and an idle pCPU is sent for
 * whoever is left waiting, so that none idles needlessly; fractions of a credit are burnt once.
 */
#include <stdlib.h>

#include "sim/cpus.h"
#include "sim/machine.h"
#include "sim/queue.h"

#define SLICE_NS        UINT64_C(30000000)
#define TICKS_PER_SLICE 3u
#define CREDIT_NS       UINT64_C(100000) /* what one credit buys */
#define RATELIMIT_NS    UINT64_C(1000000)
#define MIN_TIMER_NS    UINT64_C(100000)  /* no slice is shorter */
#define BALANCE_NS      UINT64_C(1000000) /* between two looks for better work than one's own */
#define WEIGHT          256u

enum priority { IDLE = -64, OVER = -2, UNDER = -1, BOOST = 0 };

struct credit_vcpu {
    struct xm_link link; /* in the queue of its home */
    uint32_t home;       /* a pCPU */
    int8_t priority;
    bool active; /* has a share of the credits */
    bool moves;  /* is to make room for one that may run here alone */
    int64_t credit;
    uint64_t burnt_ns;   /* has paid up to then, */
    uint64_t residue_ns; /* but for this */
    uint64_t slept_ns;   /* when it was last taken from its queue */
};

struct credit_domain {
    struct xm_link active; /* its first vCPU stands for it */
    uint32_t vcpus;        /* active ones */
    uint32_t weight;       /* as it is counted in */
};

struct credit_cpu {
    struct credit *credit;
    uint32_t number;
    struct xm_link queue;
    struct xm_alarm tick;
    uint32_t sorted; /* after which accounting */
    uint64_t balanced_ns;
};

struct credit {
    struct xm_machine *machine;
    uint64_t slice_ns, tick_ns, ratelimit_ns;
    int64_t per_slice; /* credits of one pCPU */
    uint64_t idle;     /* pCPUs, see sim/cpus.h */
    uint32_t queued;
    uint32_t next_home, next_peer;
    struct xm_link active;   /* domains */
    int64_t weight, balance; /* of all that are active */
    uint32_t accountings;
    struct xm_alarm account;
    struct credit_cpu cpu[XM_SIM_CPUS];
};

static struct credit_vcpu *of(const struct xm_sim_vcpu *v)
{
    return v->sched;
}

static struct credit_domain *of_domain(const struct xm_sim_domain *d)
{
    return d->sched;
}

static int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* ---- Queues. */

static void insert(struct credit *c, struct xm_sim_vcpu *v)
{
    struct xm_link *queue = &c->cpu[of(v)->home].queue, *l = queue->next;
    while (l != queue && of(l->vcpu)->priority >= of(v)->priority)
        l = l->next;
    xm_link_put(&of(v)->link, l);
    c->queued++;
}

static void take(struct credit *c, struct xm_sim_vcpu *v)
{
    if (!xm_link_is_queued(&of(v)->link))
        return;
    xm_link_take(&of(v)->link);
    c->queued--;
}

static void find_home(struct credit *c, struct xm_sim_vcpu *v)
{
    uint64_t idle = c->idle & v->allowed;
    of(v)->home = xm_cpu_cycle(idle ? idle : v->allowed, c->next_home);
    c->next_home = (of(v)->home + 1) % xm_machine_cpus(c->machine);
}

/* Somebody new in a queue: an idle pCPU comes for it, or its own leaves one of lower priority. */
static void tickle(struct credit *c, const struct xm_sim_vcpu *v)
{
    if (xm_idle_offer(c->machine, &c->idle, v, of(v)->home))
        return;
    const struct xm_sim_vcpu *current = xm_machine_current(c->machine, of(v)->home);
    if (current && of(current)->priority >= of(v)->priority)
        return;
    if (current && (c->idle & current->allowed))
        of(current)->moves = true;
    xm_machine_tickle(c->machine, of(v)->home);
}

static void enqueue(struct credit *c, struct xm_sim_vcpu *v)
{
    if (!xm_vcpu_may_run(v, of(v)->home))
        find_home(c, v);
    insert(c, v);
    tickle(c, v);
}

static void wake(void *self, struct xm_sim_vcpu *v)
{
    struct credit *c = self;
    /* One that has only been moved, which its hypervisor does within the instant, has not earned it. */
    bool moved = of(v)->slept_ns && of(v)->slept_ns == xm_machine_now(c->machine);
    if (of(v)->priority == UNDER && !moved)
        of(v)->priority = BOOST;
    enqueue(c, v);
}

static void sleep_vcpu(void *self, struct xm_sim_vcpu *v)
{
    struct credit *c = self;
    of(v)->slept_ns = xm_machine_now(c->machine);
    take(c, v);
}

/* ---- Credits. */

static void burn(const struct credit *c, const struct xm_sim_vcpu *v)
{
    uint64_t now = xm_machine_now(c->machine);
    uint64_t ns = now - of(v)->burnt_ns + of(v)->residue_ns;
    of(v)->credit -= (int64_t)(ns / CREDIT_NS);
    of(v)->residue_ns = ns % CREDIT_NS;
    of(v)->burnt_ns = now;
}

static void activate(struct credit *c, struct xm_sim_vcpu *v)
{
    struct credit_domain *d = of_domain(v->domain);
    of(v)->active = true;
    c->weight += d->weight;
    if (d->vcpus++ == 0)
        xm_link_put(&d->active, c->active.next);
}

static void deactivate(struct credit *c, struct xm_sim_vcpu *v)
{
    struct credit_domain *d = of_domain(v->domain);
    of(v)->active = false;
    c->weight -= d->weight;
    if (--d->vcpus == 0)
        xm_link_take(&d->active);
}

static void park(struct credit *c, struct xm_sim_vcpu *v)
{
    take(c, v);
    if (v->state == XM_RUNNING)
        xm_machine_tickle(c->machine, v->cpu);
    xm_machine_park(c->machine, v);
}

static void pay(struct credit *c, struct xm_sim_vcpu *v, int64_t fair, int64_t cap)
{
    struct credit_vcpu *cv = of(v);
    cv->credit += fair;
    if (cv->credit < 0) {
        cv->priority = OVER;
        if (cap > 0 && cv->credit < -cap && !v->parked)
            park(c, v);
        if (cv->credit < -c->per_slice)
            cv->credit = -c->per_slice;
    } else {
        cv->priority = UNDER;
        if (v->parked && xm_machine_unpark(c->machine, v))
            enqueue(c, v);
        if (cv->credit > c->per_slice) {
            /* It does not use them: no more, and half of them for a start when it does. */
            deactivate(c, v);
            cv->credit /= 2;
        }
    }
    c->balance += cv->credit;
}

/* What a domain may earn at most.  More than its vCPUs could use only where all are behind. */
static int64_t peak_of(const struct credit *c, const struct xm_sim_domain *d, int64_t weight, int64_t balance,
                       int64_t *cap)
{
    int64_t vcpus = of_domain(d)->vcpus, peak = vcpus * c->per_slice;
    if (balance < 0)
        peak += div_up(-balance * of_domain(d)->weight * vcpus, weight);
    *cap = div_up(d->share.cap * c->per_slice, 100);
    if (*cap > 0 && *cap < peak)
        peak = *cap;
    *cap = div_up(*cap, vcpus);
    return peak;
}

static void pay_all(struct credit *c, struct xm_sim_domain *d, int64_t fair, int64_t cap)
{
    fair = div_up(fair, of_domain(d)->vcpus);
    for (uint32_t i = 0; i < d->vcpus; i++)
        if (of(&d->vcpu[i])->active)
            pay(c, &d->vcpu[i], fair, cap);
}

static void account(void *self)
{
    struct credit *c = self;
    const int64_t weight = c->weight, balance = c->balance;
    int64_t left = weight, total = c->per_slice * xm_machine_cpus(c->machine) - (balance < 0 ? balance : 0),
            cap;
    bool short_of = false; /* somebody before could have done with more */
    c->balance = 0;
    xm_machine_interrupt(c->machine, 0);
    for (struct xm_link *l = c->active.next, *next; l != &c->active; l = next) {
        struct xm_sim_domain *d = l->vcpu->domain;
        int64_t share = (int64_t)of_domain(d)->weight * of_domain(d)->vcpus;
        int64_t fair = div_up(total * share, weight), peak = peak_of(c, d, weight, balance, &cap);
        next = l->next;
        left -= share;
        if (fair < peak) {
            short_of = true;
        } else {
            total += left ? div_up((fair - peak) * weight, left) : 0;
            fair = peak;
            if (short_of) { /* those who leave some come first next time */
                xm_link_take(l);
                xm_link_put(l, c->active.next);
            }
        }
        pay_all(c, d, fair, cap);
    }
    c->accountings += weight > 0;
    xm_alarm_set(xm_machine_engine(c->machine), &c->account, xm_machine_now(c->machine) + c->slice_ns);
}

/* ---- Ticks. */

/* Accounting has changed priorities: who has credits comes before who has none, each in their order. */
static void sort(struct credit *c, struct credit_cpu *cpu)
{
    if (cpu->sorted == c->accountings)
        return;
    cpu->sorted = c->accountings;
    struct xm_link *under = &cpu->queue;
    for (struct xm_link *l = cpu->queue.next, *next; l != &cpu->queue; l = next) {
        next = l->next;
        if (of(l->vcpu)->priority < UNDER)
            continue;
        if (l->prev != under) {
            xm_link_take(l);
            xm_link_put(l, under->next);
        }
        under = l;
    }
}

static void tick(void *user)
{
    struct credit_cpu *cpu = user;
    struct credit *c = cpu->credit;
    struct xm_sim_vcpu *v = xm_machine_current(c->machine, cpu->number);
    if (!v)
        return;
    burn(c, v);
    if (of(v)->priority == BOOST)
        of(v)->priority = UNDER;
    if (!of(v)->active) {
        activate(c, v);
    } else if (!xm_queue_is_empty(&cpu->queue) && (c->idle & v->allowed)) {
        of(v)->moves = true;
        xm_machine_tickle(c->machine, cpu->number);
    }
    sort(c, cpu);
    xm_alarm_set(xm_machine_engine(c->machine), &cpu->tick, xm_machine_now(c->machine) + c->tick_ns);
}

/* Ticks are at multiples of their period, and none while idle. */
static void mind_tick(struct credit *c, uint32_t cpu, bool idle)
{
    struct xm_alarm *alarm = &c->cpu[cpu].tick;
    uint64_t now = xm_machine_now(c->machine);
    if (idle)
        xm_alarm_cancel(xm_machine_engine(c->machine), alarm);
    else if (!xm_alarm_is_set(alarm))
        xm_alarm_set(xm_machine_engine(c->machine), alarm, now + c->tick_ns - now % c->tick_ns);
}

/* ---- Passes. */

/* For how long who runs goes on in any case; 0: not. */
static uint64_t protected_ns(const struct credit *c, const struct xm_sim_vcpu *v, uint32_t cpu)
{
    uint64_t ran = xm_machine_now(c->machine) - v->entered_ns;
    if (!xm_vcpu_goes_on(v) || !xm_vcpu_may_run(v, cpu) || of(v)->moves || ran >= c->ratelimit_ns)
        return 0;
    return c->ratelimit_ns - ran > MIN_TIMER_NS ? c->ratelimit_ns - ran : MIN_TIMER_NS;
}

static void put_back(struct credit *c, struct xm_sim_vcpu *v, uint32_t cpu)
{
    bool moves = of(v)->moves && (c->idle & v->allowed);
    of(v)->moves = false;
    if (!xm_vcpu_goes_on(v))
        return;
    if (moves || !xm_vcpu_may_run(v, cpu))
        find_home(c, v);
    insert(c, v);
    if (of(v)->home != cpu)
        tickle(c, v);
}

/* Somebody of a higher priority from another pCPU's queue; NULL: there is nobody. */
static struct xm_sim_vcpu *steal(struct credit *c, uint32_t cpu, int priority)
{
    uint32_t cpus = xm_machine_cpus(c->machine);
    for (uint32_t i = 0; i < cpus && c->queued; i++) {
        uint32_t peer = (c->next_peer + i) % cpus;
        const struct xm_link *queue = &c->cpu[peer].queue;
        if (peer == cpu || !xm_machine_current(c->machine, peer))
            continue; /* who is queued on an idle one is about to be picked up there */
        for (struct xm_link *l = queue->next; l != queue && of(l->vcpu)->priority > priority; l = l->next)
            if (xm_vcpu_may_run(l->vcpu, cpu)) {
                c->next_peer = peer;
                return l->vcpu;
            }
    }
    return NULL;
}

static struct xm_sim_vcpu *choose(struct credit *c, uint32_t cpu)
{
    struct credit_cpu *own = &c->cpu[cpu];
    uint64_t now = xm_machine_now(c->machine);
    struct xm_sim_vcpu *next = own->queue.next->vcpu, *better = NULL; /* NULL at the queue's end */
    if (!next || (of(next)->priority <= OVER && now - own->balanced_ns > BALANCE_NS)) {
        own->balanced_ns = now;
        better = steal(c, cpu, next ? of(next)->priority : IDLE);
    }
    return better ? better : next;
}

static struct xm_sched_choice schedule(void *self, uint32_t cpu)
{
    struct credit *c = self;
    struct xm_sim_vcpu *prev = xm_machine_current(c->machine, cpu);
    c->idle &= ~xm_cpu_bit(cpu);
    if (prev) {
        burn(c, prev);
        uint64_t protected = protected_ns(c, prev, cpu);
        if (protected)
            return (struct xm_sched_choice){prev, protected};
        put_back(c, prev, cpu);
    }
    struct xm_sim_vcpu *next = choose(c, cpu);
    mind_tick(c, cpu, !next);
    if (!next) {
        c->idle |= xm_cpu_bit(cpu);
        return (struct xm_sched_choice){NULL, XM_SIM_NEVER};
    }
    take(c, next);
    of(next)->home = cpu;
    of(next)->burnt_ns = xm_machine_now(c->machine);
    for (uint32_t i = 0; i < xm_machine_cpus(c->machine) && c->idle && c->queued; i++)
        xm_idle_offer_queue(c->machine, &c->idle, &c->cpu[i].queue);
    return (struct xm_sched_choice){next, c->slice_ns};
}

/* ---- Coming and going. */

static enum xm_status create(struct xm_machine *m, const struct xm_sched_params *params, void **self,
                             struct xm_error *err)
{
    struct credit *c = calloc(1, sizeof *c);
    if (!c)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    c->machine = m;
    c->slice_ns = params->slice_ns > CREDIT_NS ? params->slice_ns : params->slice_ns ? CREDIT_NS : SLICE_NS;
    c->tick_ns = c->slice_ns / TICKS_PER_SLICE;
    c->ratelimit_ns = params->ratelimit_ns == XM_SCHED_OWN ? RATELIMIT_NS : params->ratelimit_ns;
    c->per_slice = (int64_t)(c->slice_ns / CREDIT_NS);
    c->idle = UINT64_MAX >> (XM_SIM_CPUS - xm_machine_cpus(m));
    xm_queue_init(&c->active);
    xm_alarm_init(&c->account, XM_ALARM_XEN, account, c);
    xm_alarm_set(xm_machine_engine(m), &c->account, c->slice_ns);
    for (uint32_t i = 0; i < xm_machine_cpus(m); i++) {
        c->cpu[i] = (struct credit_cpu){.credit = c, .number = i};
        xm_queue_init(&c->cpu[i].queue);
        xm_alarm_init(&c->cpu[i].tick, XM_ALARM_XEN, tick, &c->cpu[i]);
    }
    *self = c;
    return XM_OK;
}

static void destroy(void *self)
{
    struct credit *c = self;
    xm_alarm_cancel(xm_machine_engine(c->machine), &c->account);
    for (uint32_t i = 0; i < xm_machine_cpus(c->machine); i++)
        xm_alarm_cancel(xm_machine_engine(c->machine), &c->cpu[i].tick);
    free(c);
}

static void adjust(void *self, struct xm_sim_domain *d)
{
    struct credit *c = self;
    int64_t weight = d->share.weight ? d->share.weight : WEIGHT;
    c->weight += (weight - of_domain(d)->weight) * of_domain(d)->vcpus;
    of_domain(d)->weight = (uint32_t)weight;
}

static void add(void *self, struct xm_sim_vcpu *v)
{
    struct credit *c = self;
    of(v)->link.vcpu = v;
    of(v)->priority = UNDER;
    of_domain(v->domain)->active.vcpu = &v->domain->vcpu[0];
    adjust(c, v->domain);
    find_home(c, v);
    v->cpu = of(v)->home;
}

static void remove_vcpu(void *self, struct xm_sim_vcpu *v)
{
    struct credit *c = self;
    take(c, v);
    if (of(v)->active)
        deactivate(c, v);
}

const struct xm_sched_ops xm_sched_credit = {.name = "credit",
                                             .vcpu_bytes = sizeof(struct credit_vcpu),
                                             .domain_bytes = sizeof(struct credit_domain),
                                             .create = create,
                                             .destroy = destroy,
                                             .add = add,
                                             .remove = remove_vcpu,
                                             .wake = wake,
                                             .sleep = sleep_vcpu,
                                             .adjust = adjust,
                                             .schedule = schedule};
