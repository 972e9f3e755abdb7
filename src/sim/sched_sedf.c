/* SPDX-License-Identifier: MIT */
/*
 * SEDF, Xen's default in October 2005 (xen/common/sched_sedf.c of then, as it was configured there:
 * UNBLOCK_EXTRA_SUPPORT and EXTRA_BLOCK_WEIGHT).
 *
 * A vCPU gets its slice in each of its periods, who has the earliest deadline first.  What is left is extra
 * time, half a millisecond at a time: first for those who lost some of their slice because they blocked
 * (penalty), then for all who want it, by weight (utility).  A vCPU that has no slice lives on extra time
 * alone; that is a domain's default, and was that of every domain but Dom0, which had 15 ms in 20.
 *
 * The running vCPU stays in its queues.  vCPUs stay on their pCPU.  Left out: the latency hint, and weights
 * of real time.
 */
#include <stdlib.h>

#include "sim/cpus.h"
#include "sim/machine.h"
#include "sim/queue.h"

#define QUANTUM_NS       INT64_C(500000)    /* of extra time */
#define WEIGHT_PERIOD_NS INT64_C(100000000) /* of those who have no period */
#define PERIOD_MIN_NS    UINT64_C(10000)
#define PERIOD_MAX_NS    UINT64_C(10000000000)
#define IDLE_NS          INT64_C(1000000000)
/* Scores, what a quantum of extra time costs: 10 bits of fraction, 1 where a slice fills its period. */
#define SCORE_ONE   INT64_C(1024)
#define SCORE_EXTRA (128 * SCORE_ONE) /* of extra time alone at the usual weight */
#define WEIGHT      256u

enum extra { PENALTY, UTILITY, EXTRAS, NO_EXTRA = EXTRAS };

struct sedf_vcpu {
    struct xm_link link; /* runnable queue, or waiting for its period to begin */
    struct xm_link extra[EXTRAS];
    uint32_t home;   /* the pCPU that these are of */
    uint8_t runs_as; /* enum extra, where it runs */
    bool wants_penalty;
    int64_t deadline_ns; /* 0: has never run */
    int64_t used_ns;     /* of its slice */
    int64_t began_ns;    /* the last pass that chose it */
    int64_t blocked_ns;  /* when it blocked last, 0: never */
    int64_t lost_ns;     /* of its slice by blocking */
    int64_t score[EXTRAS];
};

struct sedf_cpu {
    struct xm_link runnable;      /* by deadline */
    struct xm_link waiting;       /* by the begin of their periods */
    struct xm_link extra[EXTRAS]; /* by score */
    int64_t expires_ns;           /* the slice */
};

struct sedf {
    struct xm_machine *machine;
    struct sedf_cpu cpu[XM_SIM_CPUS];
    uint32_t vcpus[XM_SIM_CPUS]; /* that are at home there */
};

static struct sedf_vcpu *of(const struct xm_sim_vcpu *v)
{
    return v->sched;
}

static int64_t now_of(const struct sedf *s)
{
    return (int64_t)xm_machine_now(s->machine);
}

/* ---- What a vCPU is to get. */

static int64_t period_of(const struct xm_sim_vcpu *v)
{
    uint64_t ns = v->domain->share.period_ns;
    if (ns == 0)
        return WEIGHT_PERIOD_NS;
    return (int64_t)(ns < PERIOD_MIN_NS ? PERIOD_MIN_NS : ns > PERIOD_MAX_NS ? PERIOD_MAX_NS : ns);
}

static int64_t slice_of(const struct xm_sim_vcpu *v)
{
    uint64_t ns = v->domain->share.period_ns ? v->domain->share.slice_ns : 0;
    return ns < (uint64_t)period_of(v) ? (int64_t)ns : period_of(v);
}

static bool wants_extra(const struct xm_sim_vcpu *v)
{
    return v->domain->share.extratime || slice_of(v) == 0;
}

static int64_t begin_of(const struct xm_sim_vcpu *v)
{
    return of(v)->deadline_ns - period_of(v);
}

static int64_t utility_score(const struct xm_sim_vcpu *v)
{
    uint32_t weight = v->domain->share.weight ? v->domain->share.weight : WEIGHT;
    int64_t slice = slice_of(v);
    return slice > 0 ? period_of(v) * SCORE_ONE / slice : SCORE_EXTRA * WEIGHT / weight;
}

/* ---- Queues. */

static void put_waiting(struct sedf *s, struct xm_sim_vcpu *v)
{
    struct xm_link *queue = &s->cpu[of(v)->home].waiting, *l = queue->next;
    while (l != queue && begin_of(l->vcpu) <= begin_of(v))
        l = l->next;
    xm_link_put(&of(v)->link, l);
}

static void put_runnable(struct sedf *s, struct xm_sim_vcpu *v)
{
    struct xm_link *queue = &s->cpu[of(v)->home].runnable, *l = queue->next;
    while (l != queue && of(l->vcpu)->deadline_ns <= of(v)->deadline_ns)
        l = l->next;
    xm_link_put(&of(v)->link, l);
}

static void put_either(struct sedf *s, struct xm_sim_vcpu *v)
{
    if (begin_of(v) > now_of(s))
        put_waiting(s, v);
    else
        put_runnable(s, v);
}

/* By score; those of all others come down by what its last turn cost. */
static void put_extra(struct sedf *s, struct xm_sim_vcpu *v, enum extra extra, int64_t cost)
{
    struct xm_link *queue = &s->cpu[of(v)->home].extra[extra], *place = queue;
    for (struct xm_link *l = queue->next; l != queue; l = l->next) {
        of(l->vcpu)->score[extra] -= cost;
        if (place == queue && of(v)->score[extra] < of(l->vcpu)->score[extra])
            place = l;
    }
    xm_link_put(&of(v)->extra[extra], place);
}

/* From all queues. */
static void sleep_vcpu(void *self, struct xm_sim_vcpu *v)
{
    (void)self;
    xm_link_take(&of(v)->link);
    xm_link_take(&of(v)->extra[PENALTY]);
    xm_link_take(&of(v)->extra[UTILITY]);
}

static void enter(struct sedf *s, struct xm_sim_vcpu *v, bool penalty)
{
    if (penalty)
        put_extra(s, v, PENALTY, 0);
    if (wants_extra(v))
        put_extra(s, v, UTILITY, 0);
    put_either(s, v);
}

static void settle_down(struct sedf *s, struct xm_sim_vcpu *v)
{
    of(v)->home = xm_cpu_fewest(v->allowed, s->vcpus);
    s->vcpus[of(v)->home]++;
}

/* ---- Waking up. */

/* Whether a vCPU that is new in the queues is a reason for a pass at once. */
static bool is_urgent(const struct sedf *s, const struct xm_sim_vcpu *v)
{
    const struct xm_sim_vcpu *current = xm_machine_current(s->machine, of(v)->home);
    if (!current || begin_of(v) < s->cpu[of(v)->home].expires_ns)
        return true;
    if (of(current)->runs_as == PENALTY)
        return of(v)->wants_penalty && of(v)->score[PENALTY] < of(current)->score[PENALTY];
    return of(current)->runs_as == UTILITY && of(v)->wants_penalty;
}

/*
 * It wakes up within the period that it blocked in: what it has not used of its slice is a claim on extra
 * time.
 */
static bool claim_penalty(struct xm_sim_vcpu *v)
{
    struct sedf_vcpu *sv = of(v);
    int64_t lost = slice_of(v) - sv->used_ns;
    if (!sv->blocked_ns || lost <= 0)
        return false;
    sv->lost_ns = lost;
    sv->score[PENALTY] = period_of(v) * SCORE_ONE / lost;
    sv->wants_penalty = true;
    return true;
}

static void wake(void *self, struct xm_sim_vcpu *v)
{
    struct sedf *s = self;
    struct sedf_vcpu *sv = of(v);
    int64_t now = now_of(s);
    bool penalty = false;
    if (!xm_vcpu_may_run(v, sv->home)) {
        s->vcpus[sv->home]--;
        settle_down(s, v);
    }
    if (sv->deadline_ns == 0)
        sv->deadline_ns = now + slice_of(v);
    if (now < begin_of(v)) {
        penalty = sv->wants_penalty; /* it blocked while it was compensated */
    } else if (now < sv->deadline_ns) {
        penalty = claim_penalty(v);
        sv->deadline_ns += period_of(v);
        sv->used_ns = 0;
    } else {
        sv->deadline_ns = now + period_of(v);
        sv->used_ns = 0;
    }
    enter(s, v, penalty);
    if (is_urgent(s, v))
        xm_machine_tickle(s->machine, sv->home);
}

/* ---- Passes. */

/* Who has run in its own time goes on until its slice is used up, and then waits for the next period. */
static void leave_slice(struct sedf *s, struct xm_sim_vcpu *v, bool goes_on)
{
    struct sedf_vcpu *sv = of(v);
    sv->used_ns += now_of(s) - sv->began_ns;
    if (sv->used_ns < slice_of(v) && goes_on)
        return;
    if (sv->used_ns >= slice_of(v)) {
        sv->used_ns -= slice_of(v);
        sv->deadline_ns += period_of(v);
    }
    if (!goes_on) {
        sleep_vcpu(s, v);
        return;
    }
    xm_link_take(&sv->link);
    put_waiting(s, v);
}

static void leave_extra(struct sedf *s, struct xm_sim_vcpu *v, bool goes_on)
{
    struct sedf_vcpu *sv = of(v);
    enum extra as = (enum extra)sv->runs_as;
    int64_t cost = as == UTILITY ? sv->score[UTILITY] : 0;
    sv->used_ns = 0;
    xm_link_take(&sv->extra[as]);
    if (as == UTILITY) {
        sv->score[UTILITY] = utility_score(v);
    } else {
        sv->lost_ns -= now_of(s) - sv->began_ns;
        sv->wants_penalty = sv->lost_ns > 0;
        if (sv->wants_penalty)
            sv->score[PENALTY] = period_of(v) * SCORE_ONE / sv->lost_ns;
    }
    if (!goes_on)
        sleep_vcpu(s, v);
    else if (as == UTILITY ? wants_extra(v) : sv->wants_penalty)
        put_extra(s, v, as, cost);
}

static void leave(struct sedf *s, struct xm_sim_vcpu *v, uint32_t cpu)
{
    bool goes_on = xm_vcpu_goes_on(v);
    if (!goes_on)
        of(v)->blocked_ns = now_of(s);
    if (of(v)->runs_as == NO_EXTRA)
        leave_slice(s, v, goes_on);
    else
        leave_extra(s, v, goes_on);
    of(v)->runs_as = NO_EXTRA;
    if (goes_on && !xm_vcpu_may_run(v, cpu)) {
        sleep_vcpu(s, v);
        s->vcpus[cpu]--;
        settle_down(s, v);
        enter(s, v, of(v)->wants_penalty);
        if (is_urgent(s, v))
            xm_machine_tickle(s->machine, of(v)->home);
    }
}

/* To the first period that begins, or for `ends` whose deadline comes, after now. */
static void skip_periods(struct xm_sim_vcpu *v, int64_t now, bool ends)
{
    int64_t period = period_of(v);
    of(v)->deadline_ns += period;
    int64_t behind = now - (ends ? of(v)->deadline_ns : begin_of(v));
    if (behind >= 0)
        of(v)->deadline_ns += (behind / period + 1) * period;
}

/*
 * Periods begin, and those are put off who have no slice, have missed their deadline or have used up what
 * they had.
 */
static void update_queues(struct sedf *s, struct sedf_cpu *c)
{
    int64_t now = now_of(s);
    struct xm_sim_vcpu *v;
    while ((v = c->waiting.next->vcpu) && begin_of(v) <= now) {
        xm_link_take(&of(v)->link);
        put_runnable(s, v);
    }
    while ((v = c->runnable.next->vcpu)) {
        if (slice_of(v) == 0)
            skip_periods(v, now, false);
        else if (of(v)->deadline_ns < now || of(v)->used_ns >= slice_of(v))
            skip_periods(v, now, true);
        else
            return;
        of(v)->used_ns = 0;
        xm_link_take(&of(v)->link);
        put_either(s, v);
    }
}

static struct xm_sched_choice choose_extra(const struct sedf_cpu *c, int64_t left_ns)
{
    struct xm_sim_vcpu *v = NULL;
    if (left_ns >= QUANTUM_NS)
        for (unsigned i = 0; i < EXTRAS && !v; i++)
            if ((v = c->extra[i].next->vcpu))
                of(v)->runs_as = (uint8_t)i;
    return (struct xm_sched_choice){v, (uint64_t)(v ? QUANTUM_NS : left_ns)};
}

static struct xm_sched_choice schedule(void *self, uint32_t cpu)
{
    struct sedf *s = self;
    struct sedf_cpu *c = &s->cpu[cpu];
    int64_t now = now_of(s);
    struct xm_sim_vcpu *prev = xm_machine_current(s->machine, cpu);
    struct xm_sched_choice choice = {NULL, (uint64_t)IDLE_NS};
    if (prev)
        leave(s, prev, cpu);
    update_queues(s, c);
    const struct xm_sim_vcpu *waits = c->waiting.next->vcpu; /* NULL at the queue's end */
    if (!xm_queue_is_empty(&c->runnable)) {
        choice.next = c->runnable.next->vcpu;
        int64_t left = slice_of(choice.next) - of(choice.next)->used_ns;
        choice.slice_ns = (uint64_t)(waits && begin_of(waits) - now < left ? begin_of(waits) - now : left);
    } else if (waits) {
        choice = choose_extra(c, begin_of(waits) - now);
    }
    if (choice.next)
        of(choice.next)->began_ns = now;
    c->expires_ns = now + (int64_t)choice.slice_ns;
    return choice;
}

/* ---- Coming and going. */

static enum xm_status create(struct xm_machine *m, const struct xm_sched_params *params, void **self,
                             struct xm_error *err)
{
    (void)params;
    struct sedf *s = calloc(1, sizeof *s);
    if (!s)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    s->machine = m;
    for (uint32_t i = 0; i < xm_machine_cpus(m); i++) {
        xm_queue_init(&s->cpu[i].runnable);
        xm_queue_init(&s->cpu[i].waiting);
        xm_queue_init(&s->cpu[i].extra[PENALTY]);
        xm_queue_init(&s->cpu[i].extra[UTILITY]);
    }
    *self = s;
    return XM_OK;
}

static void add(void *self, struct xm_sim_vcpu *v)
{
    struct sedf *s = self;
    of(v)->link.vcpu = of(v)->extra[PENALTY].vcpu = of(v)->extra[UTILITY].vcpu = v;
    of(v)->runs_as = NO_EXTRA;
    settle_down(s, v);
    v->cpu = of(v)->home;
}

static void remove_vcpu(void *self, struct xm_sim_vcpu *v)
{
    struct sedf *s = self;
    sleep_vcpu(s, v);
    s->vcpus[of(v)->home]--;
}

/* Where another period or slice puts it; extra time that it wants now, or does not want any more. */
static void adjust(void *self, struct xm_sim_domain *d)
{
    struct sedf *s = self;
    for (uint32_t i = 0; i < d->vcpus; i++) {
        struct xm_sim_vcpu *v = &d->vcpu[i];
        if (!xm_link_is_queued(&of(v)->link))
            continue;
        xm_link_take(&of(v)->link);
        put_either(s, v);
        if (wants_extra(v) && !xm_link_is_queued(&of(v)->extra[UTILITY]))
            put_extra(s, v, UTILITY, 0);
        else if (!wants_extra(v) && of(v)->runs_as != UTILITY)
            xm_link_take(&of(v)->extra[UTILITY]);
        xm_machine_tickle(s->machine, of(v)->home);
    }
}

const struct xm_sched_ops xm_sched_sedf = {.name = "sedf",
                                           .vcpu_bytes = sizeof(struct sedf_vcpu),
                                           .create = create,
                                           .destroy = free,
                                           .add = add,
                                           .remove = remove_vcpu,
                                           .wake = wake,
                                           .sleep = sleep_vcpu,
                                           .adjust = adjust,
                                           .schedule = schedule};
