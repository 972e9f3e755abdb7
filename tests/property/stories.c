/* SPDX-License-Identifier: MIT */
/*
 * Events that no Xen would write, straight into the account: any kind, any words, times that go back, and a host's list
 * of domains that has nothing to do with them.  The account
 * checks conservation in every sample (it traps); published counters must never go back, and what is known stays
 * within what there is.
 *
 * usage: stories [ROUNDS]
 */
#include <stdlib.h>
#include <string.h>

#include "baked.h"

#define SLOTS 48u

/* Half of the events are of these kinds: by themselves they lead to rare places. */
struct mix {
    bool no_runstates; /* where states come from stays undecided for long */
    uint8_t kinds;
    uint8_t kind[8];
};
static const struct mix mixes[] = {
    {false, 1, {XM_EV_RUNSTATE}},
    {false, 1, {XM_EV_RUNSTATE}},
    {true, 8, {XM_EV_SWITCH, XM_EV_WAKE, XM_EV_SLEEP, XM_EV_BLOCK, XM_EV_YIELD, XM_EV_INFNEXT, XM_EV_DOM_ADD,
               XM_EV_DOM_REM}},
    {true, 6, {XM_EV_SWITCH, XM_EV_SWITCH, XM_EV_WAKE, XM_EV_SLEEP, XM_EV_BLOCK, XM_EV_GAP_OPEN}},
    {false, 5, {XM_EV_GAP_OPEN, XM_EV_GAP_CLOSE, XM_EV_RUNSTATE, XM_EV_CONTINUE, XM_EV_GAP_CLOSE}},
    {false, 5, {XM_EV_DOM_ADD, XM_EV_DOM_REM, XM_EV_SCHED_ADD, XM_EV_SCHED_REM, XM_EV_RUNSTATE}},
};

struct story {
    struct xm_account *a;
    struct xm_sample s, before;
    struct xt_rng r;
    uint64_t now;
    unsigned domids, cpus, vcpus; /* how many different ones the story tells of */
    bool sane;                    /* times mostly go on, kinds exist */
    bool listed;                  /* a live host */
    bool reaped;                  /* domains have gone with their pairs */
    const struct mix *mix;        /* which kinds come oftener */
    const char *wrong;
};

static uint32_t a_domid(struct story *t)
{
    static const uint32_t odd[] = {XM_DOMID_IDLE, 0x7ff0, 0xffff, 0x10000, UINT32_MAX, 32766};
    if (xt_below(&t->r, 10) == 0)
        return odd[xt_below(&t->r, sizeof odd / sizeof odd[0])];
    return (uint32_t)xt_below(&t->r, t->domids);
}

static uint32_t a_vcpu(struct story *t)
{
    return xt_below(&t->r, 200) == 0 ? (uint32_t)xt_random(&t->r) : (uint32_t)xt_below(&t->r, t->vcpus);
}

static uint64_t a_time(struct story *t)
{
    /* Some years of cycles: sums over the vCPUs of a domain stay below 2^64. */
    switch (xt_below(&t->r, t->sane ? 400 : 20)) {
    case 0:
        return t->now - xt_below(&t->r, t->now);
    case 1:
        return t->now + (xt_random(&t->r) >> (22 + xt_below(&t->r, 40)));
    case 2:
        return xt_random(&t->r) >> (10 + xt_below(&t->r, 50));
    default:
        return t->now + xt_below(&t->r, 5000);
    }
}

static struct xm_event an_event(struct story *t)
{
    struct xm_event e = {.tsc = {a_time(t)},
                         .cpu = (uint16_t)(xt_below(&t->r, 300) ? xt_below(&t->r, t->cpus) : xt_random(&t->r)),
                         .kind = (uint8_t)xt_below(&t->r, t->sane ? XM_EV_KINDS : 256),
                         .words = (uint8_t)xt_below(&t->r, 8),
                         .from_to = (uint8_t)xt_below(&t->r, t->sane ? 16 : 256),
                         .legacy = !t->mix->no_runstates && xt_below(&t->r, 3) == 0};
    if (xt_below(&t->r, 2))
        e.kind = t->mix->kind[xt_below(&t->r, t->mix->kinds)];
    /* Once in a while they come after all. */
    if (t->mix->no_runstates && (e.kind == XM_EV_RUNSTATE || e.kind == XM_EV_CONTINUE) && xt_below(&t->r, 60))
        e.kind = XM_EV_WAKE;
    if (e.kind == XM_EV_RUNSTATE || e.kind == XM_EV_CONTINUE) {
        e.word[0] = (a_vcpu(t) & 0xffff) | a_domid(t) << 16;
    } else if (e.kind == XM_EV_GAP_CLOSE) {
        e.word[0] = (uint32_t)xt_random(&t->r);
        e.word[1] = a_domid(t);
        e.word[2] = a_vcpu(t);
    } else {
        e.word[0] = a_domid(t);
        e.word[1] = a_vcpu(t);
        e.word[2] = xt_below(&t->r, 2) ? a_domid(t) : (uint32_t)xt_random(&t->r);
        e.word[3] = xt_below(&t->r, 2) ? a_vcpu(t) : (uint32_t)xt_random(&t->r);
    }
    return e;
}

/* A row's counters never go back: all members of a kind, by the table of metrics. */
static bool went_back(enum xm_scope scope, const void *before, const void *now)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        uint64_t a, b;
        if (m[i].scope != scope || m[i].kind != XM_KIND_COUNTER || m[i].bytes != 8)
            continue;
        memcpy(&a, (const char *)before + m[i].offset, 8);
        memcpy(&b, (const char *)now + m[i].offset, 8);
        if (b < a) {
            xt_note("%s of the next story went from %llu to %llu", m[i].name, (unsigned long long)a, (unsigned long long)b);
            return true;
        }
    }
    return false;
}

static void compare(struct story *t)
{
    const struct xm_sample *s = &t->s, *b = &t->before;
    for (uint32_t i = 0; i < s->used.vcpus; i++)
        if (s->vcpu[i].id && i < b->used.vcpus && b->vcpu[i].id == s->vcpu[i].id &&
            went_back(XM_SCOPE_VCPU, &b->vcpu[i], &s->vcpu[i]))
            t->wrong = "a vCPU's counter went back";
    for (uint32_t i = 0; i < s->used.domains; i++)
        if (s->domain[i].id && i < b->used.domains && b->domain[i].id == s->domain[i].id) {
            if (went_back(XM_SCOPE_DOMAIN, &b->domain[i], &s->domain[i]))
                t->wrong = "a domain's counter went back";
            for (uint32_t p = 0; p < b->used.pcpus; p++)
                if (went_back(XM_SCOPE_PAIR, &b->pair[i * SLOTS + p], &s->pair[i * SLOTS + p]))
                    t->wrong = "a pair's counter went back";
        }
    for (uint32_t i = 0; i < b->used.pcpus; i++)
        if (went_back(XM_SCOPE_PCPU, &b->pcpu[i], &s->pcpu[i]))
            t->wrong = "a pCPU's counter went back";
    for (uint32_t i = 0; i < s->used.domains; i++)
        if (s->domain[i].wait_any > s->host.window)
            t->wrong = "waiting longer than the window";
    if (s->host.gap > s->host.window)
        t->wrong = "a gap longer than the window";
    if (s->host.window < b->host.window || s->host.gap < b->host.gap || s->host.anomalies < b->host.anomalies)
        t->wrong = "the host's counters went back";
}

/* What is known late was published as unknown. */
static const char *late_broken(const struct xm_sample *s)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *v = &s->vcpu[i];
        if (v->id && v->late_running + v->late_runnable + v->late_blocked + v->late_offline > v->unknown)
            return "a vCPU has more late than unknown";
    }
    for (uint32_t i = 0; i < s->used.domains; i++) {
        const struct xm_domain_row *d = &s->domain[i];
        if (d->id && d->late_running + d->late_runnable + d->late_blocked + d->late_offline > d->unknown)
            return "a domain has more late than unknown";
        if (d->id && d->wait_any > d->runnable + d->late_runnable)
            return "a domain waits longer than all of its vCPUs";
    }
    for (uint32_t i = 0; i < s->used.pcpus; i++) {
        const struct xm_pcpu_row *p = &s->pcpu[i];
        if (p->late_busy + p->late_idle + p->late_switching > p->unknown)
            return "a pCPU has more late than unknown";
    }
    return NULL;
}

/* Domains' times on a pCPU, as long as all are still there, are its busy time. */
static const char *pairs_broken(const struct xm_sample *s, bool all_there)
{
    for (uint32_t p = 0; p < s->used.pcpus; p++) {
        uint64_t running = 0, executions = 0;
        for (uint32_t d = 0; d < s->used.domains; d++)
            if (s->domain[d].id) {
                running += s->pair[d * SLOTS + p].running;
                executions += s->pair[d * SLOTS + p].executions;
            }
        if (running > s->pcpu[p].busy + s->pcpu[p].late_busy || executions > s->pcpu[p].executions)
            return "more on a pCPU than it did";
        if (all_there && (running < s->pcpu[p].busy || executions < s->pcpu[p].executions))
            return "a pCPU did more than was on it";
    }
    return NULL;
}

/* Nobody is there twice, and who is dead rests. */
static const char *identity_broken(const struct xm_sample *s)
{
    for (uint32_t i = 0; i < s->used.domains; i++)
        for (uint32_t k = 0; k < i && s->domain[i].id; k++) {
            if (s->domain[k].id == s->domain[i].id)
                return "an instance is there twice";
            if (xm_row_domid(s->domain[k].id) == xm_row_domid(s->domain[i].id) && !s->domain[k].ended &&
                !s->domain[i].ended)
                return "a number has two domains that live";
        }
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *v = &s->vcpu[i];
        if (!v->id)
            continue;
        for (uint32_t k = 0; k < i; k++)
            if (s->vcpu[k].id == v->id)
                return "a vCPU is there twice";
        const struct xm_domain_row *d = &s->domain[s->vcpu_domain[i]];
        if (s->vcpu_domain[i] >= s->used.domains || !d->id || (d->id ^ v->id) & ~UINT64_C(0xffff0000))
            return "a vCPU of another domain";
        if (d->ended && v->state != XM_OFFLINE)
            return "a dead domain's vCPU is not offline";
    }
    return NULL;
}

/* vCPUs and pCPUs agree about who runs where. */
static const char *places_broken(const struct xm_sample *s)
{
    unsigned running = 0, occupied = 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *v = &s->vcpu[i];
        if (!v->id || v->state != XM_RUNNING)
            continue;
        running++;
        bool there = false;
        for (uint32_t p = 0; p < s->used.pcpus; p++)
            there |= v->pcpu == xm_row_domid(s->pcpu[p].id) + 1 &&
                     s->pcpu[p].current == ((v->id & 0xffffffffu) | XM_ROW_USED);
        if (!there)
            return "a vCPU runs where another is";
    }
    for (uint32_t p = 0; p < s->used.pcpus; p++)
        occupied += s->pcpu[p].current && (s->pcpu[p].current & 0xffff) != XM_DOMID_IDLE;
    return running == occupied ? NULL : "a pCPU is occupied by one that does not run";
}

/* With nothing happening each row's state alone goes on, and somebody waits where a vCPU does. */
static const char *rest_broken(const struct xm_sample *before, const struct xm_sample *s, uint64_t span)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *v = &s->vcpu[i], *b = &before->vcpu[i];
        unsigned state = v->state & 15u;
        if (v->id && (v->id != b->id || (&v->running)[state] - (&b->running)[state] != span))
            return "at rest a vCPU's state does not go on";
    }
    for (uint32_t d = 0; d < s->used.domains; d++) {
        bool waits = false;
        for (uint32_t i = 0; i < s->used.vcpus; i++)
            waits |= s->vcpu[i].id && s->vcpu_domain[i] == d && s->vcpu[i].state == XM_RUNNABLE;
        if (s->domain[d].id && s->domain[d].wait_any - before->domain[d].wait_any != (waits ? span : 0))
            return "at rest waiting is not what runnable vCPUs make of it";
    }
    return NULL;
}

/* Of totals a pCPU's busy time is more than that of pairs, which have no late. */
static void check(struct story *t, const struct xm_sample *s, bool totals)
{
    const char *broken = xt_broken_sum(s);
    broken = broken ? broken : late_broken(s);
    broken = broken ? broken : pairs_broken(s, !t->reaped && !totals);
    broken = broken ? broken : identity_broken(s);
    broken = broken ? broken : places_broken(s);
    t->wrong = broken ? broken : t->wrong;
}

static void take(struct story *t)
{
    struct xm_sample spare = t->before;
    t->before = t->s;
    t->s = spare;
    xm_account_sample(t->a, xm_cycles_of(t->now), xt_below(&t->r, 2), &t->s);
    check(t, &t->s, false);
    compare(t);
}

/* Totals of one and the same moment, into the older sample; the newer one takes its place again. */
static void total(struct story *t)
{
    xm_account_sample(t->a, xm_cycles_of(t->now), false, &t->before);
    xm_account_total(&t->before);
    check(t, &t->before, true);
    for (uint32_t i = 0; i < t->s.used.vcpus; i++) {
        const struct xm_vcpu_row *v = &t->s.vcpu[i], *sum = &t->before.vcpu[i];
        if (v->id && (sum->running != v->running + v->late_running || sum->unknown > v->unknown))
            t->wrong = "a total is not counters plus late";
    }
    xm_account_sample(t->a, xm_cycles_of(t->now), false, &t->before);
}

static void sample(struct story *t)
{
    take(t);
    if (xt_below(&t->r, 4) == 0)
        total(t);
    if (xt_below(&t->r, 4) == 0) {
        uint64_t span = 1 + xt_below(&t->r, 100);
        t->now += span;
        take(t);
        const char *broken = rest_broken(&t->before, &t->s, t->s.host.window - t->before.host.window);
        t->wrong = broken ? broken : t->wrong;
    }
}

/* A full table: sometimes it grows, sometimes newcomers are refused. */
static void make_room(struct story *t, struct xm_capacity want)
{
    if (want.domains > SLOTS || want.vcpus > SLOTS || want.pcpus > SLOTS || xt_below(&t->r, 10) == 0)
        xm_account_refuse(t->a, true);
    else if (xm_account_grow(t->a, want) != XM_OK)
        t->wrong = "it does not grow";
}

static void tell(struct story *t, const struct xm_event *events, size_t count)
{
    for (size_t at = 0, used; at < count && !t->wrong; at += used) {
        struct xm_capacity want;
        enum xm_status status = xm_account_events(t->a, events + at, count - at, &used, &want);
        if (status == XM_FULL)
            make_room(t, want);
        else if (status != XM_OK || used != count - at)
            t->wrong = "events are not taken";
    }
    for (size_t i = 0; i < count; i++)
        t->now = events[i].tsc.v > t->now ? events[i].tsc.v : t->now;
}

/* The host's own list: somebody is there that no record told of, or gone. */
static void a_list(struct story *t)
{
    struct xm_capacity want;
    uint32_t domid = a_domid(t), vcpu = a_vcpu(t);
    uint64_t now = t->now + xt_below(&t->r, 3000);
    if (xt_below(&t->r, 4) == 0) {
        xm_account_gone(t->a, domid, xm_cycles_of(now));
    } else {
        enum xm_runstate state = (enum xm_runstate)xt_below(&t->r, 4);
        uint64_t told = xt_below(&t->r, 3) ? t->now - xt_below(&t->r, 20000) : 0;
        enum xm_status status = XM_FULL;
        for (int i = 0; i < 4 && status == XM_FULL && !t->wrong; i++) {
            status = xm_account_introduce(t->a, domid, vcpu, state, xm_cycles_of(told), xm_cycles_of(now), &want);
            if (status == XM_FULL)
                make_room(t, want);
        }
        if (status != XM_OK)
            t->wrong = "an introduction is not taken";
    }
}

static void tell_all(struct story *t, unsigned steps)
{
    for (unsigned i = 0; i < steps && !t->wrong; i++) {
        struct xm_event events[32];
        size_t count = 1 + (size_t)xt_below(&t->r, 32);
        for (size_t k = 0; k < count; k++)
            events[k] = an_event(t);
        tell(t, events, count);
        if (t->listed && xt_below(&t->r, 10) == 0)
            a_list(t);
        if (xt_below(&t->r, 4) == 0)
            sample(t);
        if (xt_below(&t->r, 20) == 0) {
            /* Some as soon as they have ended. */
            uint64_t before = xt_below(&t->r, 3) ? t->now - xt_below(&t->r, 20000) : t->now + 1;
            xm_account_reap(t->a, xm_cycles_of(before));
            t->reaped = true;
        }
        if (xt_below(&t->r, 50) == 0)
            (void)xm_account_calibrate(t->a);
    }
    xm_account_finish(t->a, xm_cycles_of(t->now));
    sample(t);
    total(t);
}

static const char *story(uint64_t seed, uint64_t round)
{
    struct story t = {.r = xt_rng(seed, round)};
    static const struct xm_capacity room = {SLOTS, SLOTS, SLOTS};
    t.now = 1 + (xt_random(&t.r) >> 30);
    t.sane = xt_below(&t.r, 2);
    t.listed = xt_below(&t.r, 2);
    t.mix = &mixes[xt_below(&t.r, sizeof mixes / sizeof mixes[0])];
    t.domids = 1 + (unsigned)xt_below(&t.r, 12);
    t.cpus = 1 + (unsigned)xt_below(&t.r, 6);
    t.vcpus = 1 + (unsigned)xt_below(&t.r, 5);
    uint32_t n = 1 + (uint32_t)xt_below(&t.r, xt_below(&t.r, 3) ? SLOTS : 2);
    t.a = xm_account_create((struct xm_capacity){n, n, n});
    if (!t.a || xm_sample_init(&t.s, room) != XM_OK || xm_sample_init(&t.before, room) != XM_OK)
        xt_die("out of memory");
    xm_account_begin(t.a, xm_cycles_of(t.now));
    tell_all(&t, 60);
    if (xm_account_capacity(t.a).vcpus > SLOTS)
        t.wrong = "grown past what was allowed";
    xm_account_destroy(t.a);
    xm_sample_fini(&t.s);
    xm_sample_fini(&t.before);
    return t.wrong;
}

int main(int argc, char **argv)
{
    struct xt_tap tap = {0};
    uint64_t seed = xt_seed();
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 1500;
    uint64_t only = argc > 2 ? strtoull(argv[2], NULL, 0) : UINT64_MAX;
    unsigned failed = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        const char *wrong = only == UINT64_MAX || only == round ? story(seed, round) : NULL;
        if (wrong && failed++ < 10)
            xt_note("story %llu: %s", (unsigned long long)round, wrong);
    }
    xt_ok(&tap, failed == 0, "%llu stories that cannot be (%u not)", (unsigned long long)rounds, failed);
    return xt_done(&tap);
}
