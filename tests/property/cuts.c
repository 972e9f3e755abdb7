/* SPDX-License-Identifier: MIT */
/*
 * Law 5, against captures whose truth is known: runs of records are taken out of a clean capture and a LOST_RECORDS
 * put in, as Xen would have written it.  What is then said to be known must be true, and what is unknown must lie
 * inside the gaps.
 *
 * usage: cuts [ROUNDS a capture [THE ONLY ROUND]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baked.h"
#include "trace/format.h"

#define INTERVAL_NS UINT64_C(10000000)
#define MAX_CUTS 4

struct cut {
    uint32_t cpu;
    size_t first, count; /* in the list of the CPU's records */
};

struct clean {
    const char *name;
    struct xt_bytes bytes;
    struct xt_trace trace;
    struct xt_baked baked;
    size_t *list[8]; /* [cpu]: its records in order */
    size_t listed[8];
};

struct plan {
    struct cut cut[MAX_CUTS];
    unsigned cuts;
    bool keep_empty;       /* windows of which nothing is left stay, with size 0 */
    /* What came of it. */
    uint64_t lost;         /* records */
    uint64_t opened[MAX_CUTS], closed[MAX_CUTS];
};

/* ---- The clean side. */

static struct clean load(const char *name)
{
    struct clean c = {.name = name, .bytes = xt_capture(name)};
    c.trace = xt_take_apart(&c.bytes);
    c.baked = xt_bake(c.bytes.data, c.bytes.size, INTERVAL_NS, XM_NS_PER_S, 0);
    for (uint32_t cpu = 0; cpu < c.trace.cpus; cpu++)
        c.list[cpu] = malloc(c.trace.records * sizeof **c.list);
    for (size_t i = 0; i < c.trace.records; i++) {
        uint32_t cpu = c.trace.window[c.trace.record[i].window].cpu;
        c.list[cpu][c.listed[cpu]++] = i;
    }
    return c;
}

static void unload(struct clean *c)
{
    for (uint32_t cpu = 0; cpu < c->trace.cpus; cpu++)
        free(c->list[cpu]);
    xt_baked_free(&c->baked);
    xt_trace_free(&c->trace);
    xt_free(&c->bytes);
}

/* ---- Cutting. */

static bool is_runstate(const struct xt_record *r)
{
    return (r->event & 0xff00fu) == XM_TRC_RUNSTATE;
}

/*
 * Whose number LOST_RECORDS gives when it is written before record `at` of a CPU: who was dispatched last, prev until
 * after its own departing record (doc/trace-format.md 1.3).
 */
static uint32_t current_at(const struct clean *c, uint32_t cpu, size_t at)
{
    const struct xt_trace *t = &c->trace;
    for (size_t i = at; i-- > 0;) {
        const struct xt_record *r = &t->record[c->list[cpu][i]];
        if ((is_runstate(r) && (r->event >> 4 & 3u) == XM_RUNNING) || r->event == XM_TRC_CONTINUE)
            return xt_word(t, r, 0);
    }
    for (size_t i = at; i < c->listed[cpu]; i++) {
        const struct xt_record *r = &t->record[c->list[cpu][i]];
        if ((is_runstate(r) && (r->event >> 8 & 3u) == XM_RUNNING) || r->event == XM_TRC_CONTINUE)
            return xt_word(t, r, 0);
    }
    return XM_DOMID_IDLE << 16 | cpu;
}

struct edit {
    unsigned char *removed;       /* [record] */
    unsigned char *lost_before;   /* [record]: cut number + 1 */
};

static void write_lost(const struct clean *c, struct plan *p, unsigned number, struct xt_bytes *out)
{
    const struct cut *cut = &p->cut[number];
    const size_t *list = c->list[cut->cpu];
    uint32_t dropped = 0;
    for (size_t i = cut->first; i < cut->first + cut->count; i++)
        dropped += c->trace.record[list[i]].event != XM_TRC_WRAP;
    uint32_t who = current_at(c, cut->cpu, cut->first + cut->count);
    p->opened[number] = c->trace.record[list[cut->first]].tsc;
    p->closed[number] = c->trace.record[list[cut->first + cut->count]].tsc;
    p->lost += dropped;
    xt_lost(out, p->closed[number], dropped, who >> 16, who & 0xffffu, p->opened[number]);
}

static struct xt_bytes apply(const struct clean *c, struct plan *p)
{
    const struct xt_trace *t = &c->trace;
    struct xt_bytes out = {0};
    struct edit e = {calloc(t->records, 1), calloc(t->records, 1)};
    p->lost = 0;
    for (unsigned k = 0; k < p->cuts; k++) {
        const size_t *list = c->list[p->cut[k].cpu] + p->cut[k].first;
        for (size_t i = 0; i < p->cut[k].count; i++)
            e.removed[list[i]] = 1;
        e.lost_before[list[p->cut[k].count]] = (unsigned char)(k + 1);
    }
    for (size_t w = 0; w < t->windows; w++) {
        size_t begun = xt_window_begin(&out, t->window[w].cpu);
        for (size_t i = t->window[w].first; i < t->window[w].first + t->window[w].count; i++) {
            if (e.lost_before[i])
                write_lost(c, p, e.lost_before[i] - 1u, &out);
            if (!e.removed[i])
                xt_put(&out, t->data + t->record[i].at, t->record[i].size);
        }
        if (out.size == begun + 12 && !p->keep_empty && t->window[w].count)
            out.size = begun;
        else
            xt_window_end(&out, begun);
    }
    free(e.removed);
    free(e.lost_before);
    return out;
}

/* ---- Comparing. */

struct verdict {
    unsigned wrong;
    const struct clean *clean;
    const struct plan *plan;
    uint64_t round;
};

static void wrong(struct verdict *v, const char *what, uint64_t id, uint64_t cut, uint64_t clean)
{
    if (v->wrong++ == 0) {
        xt_note("%s, round %llu:", v->clean->name, (unsigned long long)v->round);
        for (unsigned k = 0; k < v->plan->cuts; k++)
            xt_note("  cut of CPU %u, %zu records from its number %zu, %llu .. %llu", v->plan->cut[k].cpu,
                    v->plan->cut[k].count, v->plan->cut[k].first, (unsigned long long)v->plan->opened[k],
                    (unsigned long long)v->plan->closed[k]);
    }
    if (v->wrong <= 12)
        xt_note("  %s of d%uv%u (%#llx): %llu, the truth allows %llu", what, xm_row_domid(id), xm_row_vcpu(id),
                (unsigned long long)id, (unsigned long long)cut, (unsigned long long)clean);
}

#define NOT_MORE(v, row, truth, member)                                                                                \
    do {                                                                                                               \
        if ((row)->member > (truth)->member)                                                                           \
            wrong(v, #member, (row)->id, (row)->member, (truth)->member);                                              \
    } while (0)

static void compare_vcpus(struct verdict *v, const struct xm_sample *cut, const struct xm_sample *clean)
{
    for (uint32_t i = 0; i < cut->used.vcpus; i++) {
        const struct xm_vcpu_row *row = &cut->vcpu[i];
        const struct xm_vcpu_row *truth = row->id ? xt_vcpu(clean, row->id) : NULL;
        if (!row->id)
            continue;
        if (!truth) {
            wrong(v, "existence", row->id, 1, 0);
            continue;
        }
        NOT_MORE(v, row, truth, running);
        NOT_MORE(v, row, truth, runnable);
        NOT_MORE(v, row, truth, blocked);
        NOT_MORE(v, row, truth, offline);
        NOT_MORE(v, row, truth, wait_wake);
        NOT_MORE(v, row, truth, wait_preempt);
        NOT_MORE(v, row, truth, executions);
        NOT_MORE(v, row, truth, migrations);
        NOT_MORE(v, row, truth, preemptions);
        NOT_MORE(v, row, truth, yields);
        NOT_MORE(v, row, truth, slices);
        NOT_MORE(v, row, truth, slice_sum);
    }
}

static void compare_domains(struct verdict *v, const struct xm_sample *cut, const struct xm_sample *clean)
{
    for (uint32_t i = 0; i < cut->used.domains; i++) {
        const struct xm_domain_row *row = &cut->domain[i];
        const struct xm_domain_row *truth = row->id ? xt_domain(clean, row->id) : NULL;
        if (!row->id || !truth)
            continue;
        NOT_MORE(v, row, truth, wait_any);
        NOT_MORE(v, row, truth, page_transfers);
        NOT_MORE(v, row, truth, grant_maps);
        NOT_MORE(v, row, truth, grant_unmaps);
        NOT_MORE(v, row, truth, done_maps);
        NOT_MORE(v, row, truth, done_unmaps);
        NOT_MORE(v, row, truth, done_copies);
        for (uint32_t p = 0; p < cut->used.pcpus; p++) {
            const struct xm_pair_row *pair = xt_pair(cut, row->id, cut->pcpu[p].id);
            const struct xm_pair_row *was = xt_pair(clean, row->id, cut->pcpu[p].id);
            if (pair->executions > was->executions)
                wrong(v, "executions on a pCPU", row->id, pair->executions, was->executions);
            if (pair->running > was->running)
                wrong(v, "running on a pCPU", row->id, pair->running, was->running);
            if (pair->waited > was->waited)
                wrong(v, "waited for a pCPU", row->id, pair->waited, was->waited);
        }
    }
}

static void compare_pcpus(struct verdict *v, const struct xm_sample *cut, const struct xm_sample *clean)
{
    for (uint32_t i = 0; i < cut->used.pcpus; i++) {
        const struct xm_pcpu_row *row = &cut->pcpu[i];
        const struct xm_pcpu_row *truth = xt_pcpu(clean, row->id);
        if (!truth) {
            wrong(v, "existence of pCPU", row->id, 1, 0);
            continue;
        }
        NOT_MORE(v, row, truth, busy);
        NOT_MORE(v, row, truth, idle);
        NOT_MORE(v, row, truth, switching);
        NOT_MORE(v, row, truth, executions);
    }
}

static void compare_point(struct verdict *v, const struct xt_point *now, const struct xt_point *before,
                          const struct xt_point *truth, const struct xt_point *truth_before)
{
    static const char *const names[] = {"interval's running", "interval's runnable", "interval's blocked",
                                        "interval's offline"};
    for (unsigned k = 0; k < 4; k++) {
        uint64_t is = now->state[k] - (before ? before->state[k] : 0);
        uint64_t was = truth->state[k] - (truth_before ? truth_before->state[k] : 0);
        if (before && now->state[k] < before->state[k])
            wrong(v, "going back", now->id, now->state[k], before->state[k]);
        else if (is > was)
            wrong(v, names[k], now->id, is, was);
    }
}

/* Counters of one interval, so that what is wrong in one cannot hide in another. */
static void compare_intervals(struct verdict *v, const struct xt_baked *cut, const struct xt_baked *clean)
{
    size_t count = cut->samples < clean->samples ? cut->samples : clean->samples;
    for (size_t s = 0; s < count; s++)
        for (uint32_t i = 0; i < XT_VCPUS; i++) {
            const struct xt_point *now = &cut->point[s * XT_VCPUS + i];
            const struct xt_point *truth = now->id ? xt_point(clean, s, now->id) : NULL;
            if (truth) /* else it is said already */
                compare_point(v, now, s ? xt_point(cut, s - 1, now->id) : NULL, truth,
                              s ? xt_point(clean, s - 1, now->id) : NULL);
        }
}

/* The gaps' union, and where each of them lies. */
static uint64_t union_of(const struct plan *p, uint32_t cpu, uint64_t from)
{
    uint64_t sum = 0, upto = from;
    bool done[MAX_CUTS] = {false};
    for (unsigned n = 0; n < p->cuts; n++) {
        unsigned next = MAX_CUTS;
        for (unsigned k = 0; k < p->cuts; k++)
            if (!done[k] && (next == MAX_CUTS || p->opened[k] < p->opened[next]))
                next = k;
        done[next] = true;
        if (cpu != UINT32_MAX && p->cut[next].cpu != cpu)
            continue;
        uint64_t open = p->opened[next] > upto ? p->opened[next] : upto;
        if (p->closed[next] > open) {
            sum += p->closed[next] - open;
            upto = p->closed[next];
        }
    }
    return sum;
}

/* Whose record?  Of a vCPU (`word`: vcpu | dom << 16), or one that says who is on a CPU. */
struct whose {
    bool of_cpu;
    uint32_t cpu, word;
};

static bool tells(const struct xt_trace *t, const struct xt_record *r, struct whose whose)
{
    bool change = is_runstate(r);
    if (!change && r->event != XM_TRC_CONTINUE)
        return false;
    if (!whose.of_cpu)
        return xt_word(t, r, 0) == whose.word;
    bool of_occupant = !change || (r->event >> 8 & 3u) == XM_RUNNING || (r->event >> 4 & 3u) == XM_RUNNING;
    return of_occupant && t->window[r->window].cpu == whose.cpu;
}

static bool has_record(const struct xt_trace *t, struct whose whose, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < t->records; i++)
        if (t->record[i].tsc >= from && t->record[i].tsc < to && tells(t, &t->record[i], whose))
            return true;
    return false;
}

/* A record in every stretch between the gaps that concern it, so that all of it can be known. */
static bool seen_throughout(const struct xt_trace *t, const struct plan *p, struct whose whose)
{
    uint64_t from = 0;
    for (;;) {
        uint64_t to = UINT64_MAX;
        for (bool moved = true; moved;) {
            moved = false;
            for (unsigned k = 0; k < p->cuts; k++)
                if (!(whose.of_cpu && p->cut[k].cpu != whose.cpu) && p->opened[k] <= from && p->closed[k] > from) {
                    from = p->closed[k];
                    moved = true;
                }
        }
        for (unsigned k = 0; k < p->cuts; k++)
            if (!(whose.of_cpu && p->cut[k].cpu != whose.cpu) && p->opened[k] > from && p->opened[k] < to)
                to = p->opened[k];
        if (!has_record(t, whose, from, to))
            return false;
        if (to == UINT64_MAX)
            return true;
        from = to;
    }
}

static void compare_unknown(struct verdict *v, const struct xt_baked *cut, const struct xt_trace *t)
{
    uint64_t start = cut->stats.first_tsc.v;
    uint64_t all = union_of(v->plan, UINT32_MAX, start);
    if (cut->end.host.gap != all)
        wrong(v, "gap", 0, cut->end.host.gap, all);
    for (uint32_t i = 0; i < cut->end.used.vcpus; i++) {
        const struct xm_vcpu_row *row = &cut->end.vcpu[i];
        struct whose whose = {.word = xm_row_vcpu(row->id) | xm_row_domid(row->id) << 16};
        if (row->id && row->unknown > all && seen_throughout(t, v->plan, whose))
            wrong(v, "unknown", row->id, row->unknown, all);
    }
    for (uint32_t i = 0; i < cut->end.used.pcpus; i++) {
        const struct xm_pcpu_row *p = &cut->end.pcpu[i];
        struct whose whose = {.of_cpu = true, .cpu = xm_row_domid(p->id)};
        uint64_t own = union_of(v->plan, whose.cpu, start);
        if (p->gap != own)
            wrong(v, "gap of pCPU", p->id, p->gap, own);
        if (p->unknown > own && seen_throughout(t, v->plan, whose))
            wrong(v, "unknown of pCPU", p->id, p->unknown, own);
    }
}

static void compare(struct verdict *v, const struct xt_bytes *bytes)
{
    const struct clean *c = v->clean;
    struct xt_baked cut = xt_bake(bytes->data, bytes->size, INTERVAL_NS, XM_NS_PER_S, 0);
    struct xt_trace t = xt_take_apart(bytes);
    const char *broken = xt_broken_sum(&cut.end);
    if (broken)
        wrong(v, broken, 0, 0, 0);
    if (cut.ended != XM_OK || cut.stats.damages)
        wrong(v, "damage", 0, cut.stats.damages, 0);
    if (cut.stats.lost_records != v->plan->lost)
        wrong(v, "lost records", 0, cut.stats.lost_records, v->plan->lost);
    if (cut.stats.records != c->baked.stats.records - v->plan->lost + v->plan->cuts)
        wrong(v, "records", 0, cut.stats.records, c->baked.stats.records - v->plan->lost + v->plan->cuts);
    for (unsigned k = 0; k < XM_ANOMALIES; k++)
        if (cut.anomaly[k] > c->baked.anomaly[k])
            wrong(v, xm_anomaly_name(k), 0, cut.anomaly[k], c->baked.anomaly[k]);
    compare_vcpus(v, &cut.end, &c->baked.end);
    compare_domains(v, &cut.end, &c->baked.end);
    compare_pcpus(v, &cut.end, &c->baked.end);
    if (cut.stats.first_tsc.v == c->baked.stats.first_tsc.v)
        compare_intervals(v, &cut, &c->baked);
    compare_unknown(v, &cut, &t);
    xt_trace_free(&t);
    xt_baked_free(&cut);
}

/* ---- Choosing. */

static bool overlap(const struct cut *a, const struct cut *b)
{
    return a->cpu == b->cpu && a->first <= b->first + b->count && b->first <= a->first + a->count;
}

/* Lengths from one record to all of them, each order of magnitude as often as the next. */
static bool choose(const struct clean *c, struct xt_rng *r, struct plan *p)
{
    struct cut cut = {.cpu = (uint32_t)xt_below(r, c->trace.cpus)};
    size_t have = c->listed[cut.cpu];
    if (have < 3)
        return false;
    uint64_t most = UINT64_C(1) << xt_below(r, 64u - (unsigned)__builtin_clzll(have));
    cut.count = 1 + (size_t)xt_below(r, most < have - 1 ? most : have - 1);
    switch (xt_below(r, 10)) {
    case 0:
        cut.first = 0;
        break;
    case 1:
        cut.first = have - 1 - cut.count;
        break;
    default:
        cut.first = (size_t)xt_below(r, have - cut.count);
    }
    for (unsigned k = 0; k < p->cuts; k++)
        if (overlap(&cut, &p->cut[k]))
            return false;
    p->cut[p->cuts++] = cut;
    return true;
}

static unsigned round_of(const struct clean *c, uint64_t seed, uint64_t round)
{
    struct xt_rng r = xt_rng(seed, round);
    struct plan p = {.keep_empty = xt_below(&r, 2)};
    unsigned want = 1 + (unsigned)xt_below(&r, xt_below(&r, 3) ? 2 : MAX_CUTS);
    for (unsigned tries = 0; (tries < 20 && p.cuts < want) || p.cuts == 0; tries++)
        choose(c, &r, &p);
    struct verdict v = {.clean = c, .plan = &p, .round = round};
    struct xt_bytes bytes = apply(c, &p);
    compare(&v, &bytes);
    xt_free(&bytes);
    return v.wrong;
}

int main(int argc, char **argv)
{
    struct xt_tap tap = {0};
    uint64_t seed = xt_seed();
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 25;
    uint64_t only = argc > 2 ? strtoull(argv[2], NULL, 0) : UINT64_MAX;
    for (unsigned i = 0; xt_captures[i]; i++) {
        if (strcmp(xt_captures[i], xt_lost_capture) == 0)
            continue;
        struct clean c = load(xt_captures[i]);
        unsigned failed = 0;
        for (uint64_t round = 0; round < rounds; round++)
            if (only == UINT64_MAX || only == round)
                failed += round_of(&c, seed, round) != 0;
        xt_ok(&tap, failed == 0, "%s, cut %llu times: known is true, unknown is in the gaps (%u not)", c.name,
              (unsigned long long)rounds, failed);
        unload(&c);
    }
    return xt_done(&tap);
}
