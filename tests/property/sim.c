/* SPDX-License-Identifier: MIT */
/*
 * Random simulated hosts: what trace and account make of a host's records is what the host says itself, to the cycle.
 * Where records were lost, what is said to be known is true, and what is unknown lies inside the gaps.
 *
 * Each host is read twice: as it runs, in prompt order, and from a file, in strict order.
 *
 * usage: sim [HOSTS]       as many, from a seed of the time
 * Environment: XM_SEED=N   begins with this one (default 1), XM_COUNT=N so many (default 60; 1 with XM_SEED)
 */
#include <stdlib.h>
#include <string.h>

#include "sim_host.h"

/* What a vCPU's time was, by the machine's own account. */
struct truth {
    uint64_t state[4];
    uint64_t waited[XM_TRUTH_CAUSES];
    uint64_t executions, migrations;
};

struct verdict {
    const struct sh_host *host;
    const struct sh_reading *reading;
    const char *order;
    bool loud;
    bool loss;           /* records were lost, or the live reader doubts that none were */
    unsigned wrong;
    uint32_t first_word; /* the first vCPU that differs */
};

static void differs(struct verdict *v, const char *what, uint32_t word, uint64_t is, uint64_t should)
{
    if (v->wrong++ == 0)
        v->first_word = word;
    if (v->loud && v->wrong <= 12)
        xt_note("  %s: %s of d%uv%u is %llu, and should be %s%llu (%+lld)", v->order, what, word >> 16, word & 0xffffu,
                (unsigned long long)is, v->loss ? "at most " : "", (unsigned long long)should,
                (long long)(is - should));
}

/* Equal; where records were lost, not more. */
static void check(struct verdict *v, const char *what, uint32_t word, uint64_t is, uint64_t should)
{
    if (v->loss ? is > should : is != should)
        differs(v, what, word, is, should);
}

/* ---- The truth over the window of the account: from the first record to the last. */

static struct truth truth_of(const struct sh_host *h, const struct sh_domain *d, uint32_t number)
{
    const struct xm_sim_vcpu *v = &d->d->vcpu[number];
    const struct sh_vcpu *g = &d->vcpu[number];
    struct xm_truth_vcpu t = xm_truth_of(h->m, v);
    struct xm_truth_vcpu before = g->before;
    uint64_t tail = xm_machine_end(h->m).v - h->last;
    uint64_t head = h->first - h->began;
    struct truth truth = {.executions = t.executions, .migrations = t.migrations - before.migrations};
    t.in_state[v->state] -= tail;
    before.in_state[g->state_before] += head;
    if (v->state == XM_RUNNABLE)
        t.waited[v->cause] -= tail;
    if (g->state_before == XM_RUNNABLE)
        before.waited[XM_TRUTH_OTHER] += head;
    for (unsigned i = 0; i < 4; i++)
        truth.state[i] = t.in_state[i] - before.in_state[i];
    for (unsigned i = 0; i < XM_TRUTH_CAUSES; i++)
        truth.waited[i] = t.waited[i] - before.waited[i];
    return truth;
}

static struct xm_truth_cpu truth_of_cpu(const struct sh_host *h, uint32_t cpu)
{
    const struct sh_cpu *c = &h->cpu[cpu];
    struct xm_truth_cpu t = xm_truth_of_cpu(h->m, cpu);
    uint64_t tail = xm_machine_end(h->m).v - h->last;
    uint64_t head = h->first - h->began;
    *(xm_machine_current(h->m, cpu) ? &t.busy : &t.idle) -= tail;
    *(c->idle_before ? &t.idle : &t.busy) -= head;
    t.busy -= c->before.busy;
    t.idle -= c->before.idle;
    t.switching -= c->before.switching;
    return t;
}

static struct xm_truth_io difference(struct xm_truth_io a, struct xm_truth_io b)
{
    return (struct xm_truth_io){a.transfers - b.transfers, a.maps - b.maps, a.unmaps - b.unmaps, a.copies - b.copies};
}

static struct xm_truth_io sum(struct xm_truth_io a, struct xm_truth_io b)
{
    return (struct xm_truth_io){a.transfers + b.transfers, a.maps + b.maps, a.unmaps + b.unmaps, a.copies + b.copies};
}

/* ---- Comparing, where a row of the account is one of the machine's. */

static uint32_t word_of(const struct sh_domain *d, uint32_t number)
{
    return (uint32_t)d->d->domid << 16 | number;
}

/* The account counts only domains that a record named. */
static uint32_t instance_of(const struct sh_host *h, const struct sh_domain *d)
{
    uint32_t before = 0;
    for (const struct sh_domain *e = h->domain; e < d; e++)
        before += e->named && e->d->domid == d->d->domid;
    return before;
}

static void compare_row(struct verdict *v, uint32_t word, const struct xm_vcpu_row *row, const struct truth *t)
{
    check(v, "running", word, row->running, t->state[XM_RUNNING]);
    check(v, "runnable", word, row->runnable, t->state[XM_RUNNABLE]);
    check(v, "blocked", word, row->blocked, t->state[XM_BLOCKED]);
    check(v, "waiting after a wake-up", word, row->wait_wake, t->waited[XM_TRUTH_WAKE]);
    check(v, "waiting after a preemption", word, row->wait_preempt, t->waited[XM_TRUTH_PREEMPT]);
    check(v, "executions", word, row->executions, t->executions);
}

static void compare_vcpus(struct verdict *v)
{
    const struct sh_host *h = v->host;
    unsigned seen = 0, rows = 0;
    for (const struct sh_domain *d = h->domain; d < h->domain + h->domains; d++)
        for (uint32_t i = 0; i < d->d->vcpus; i++) {
            const struct xm_vcpu_row *row =
                xt_vcpu(&v->reading->sample, xt_vcpu_id(instance_of(h, d), d->d->domid, i));
            if (!d->d->vcpu[i].truth.seen || d->over)
                continue;
            seen++;
            if (!row) {
                differs(v, "existence", word_of(d, i), 0, 1);
                continue;
            }
            const struct truth t = truth_of(h, d, i);
            compare_row(v, word_of(d, i), row, &t);
            check(v, "migrations", word_of(d, i), row->migrations, t.migrations);
            check(v, "offline", word_of(d, i), row->offline, t.state[XM_OFFLINE]);
            check(v, "other waiting", word_of(d, i), row->wait_other, t.waited[XM_TRUTH_OTHER]);
            check(v, "unknown", word_of(d, i), row->unknown, 0);
        }
    for (uint32_t i = 0; i < v->reading->sample.used.vcpus; i++)
        rows += v->reading->sample.vcpu[i].id != 0;
    if (rows != seen)
        differs(v, "number of vCPUs", 0, rows, seen);
}

/* ---- Comparing where records were lost, creations and ends too: what had the same id is taken together. */

static bool first_of_its_id(const struct sh_host *h, const struct sh_domain *d)
{
    for (const struct sh_domain *e = h->domain; e < d; e++)
        if (e->d->domid == d->d->domid)
            return false;
    return true;
}

/* Number of the machine's instances. */
static unsigned truth_of_id(const struct sh_host *h, uint32_t word, struct truth *all)
{
    unsigned count = 0;
    *all = (struct truth){.executions = 0};
    for (const struct sh_domain *d = h->domain; d < h->domain + h->domains; d++) {
        uint32_t number = word & 0xffffu;
        if (d->d->domid != word >> 16 || number >= d->d->vcpus || d->over)
            continue;
        const struct truth t = truth_of(h, d, number);
        for (unsigned i = 0; i < 4; i++)
            all->state[i] += t.state[i];
        for (unsigned i = 0; i < XM_TRUTH_CAUSES; i++)
            all->waited[i] += t.waited[i];
        all->executions += t.executions;
        all->migrations += t.migrations;
        count++;
    }
    return count;
}

/* Number of the account's. */
static unsigned rows_of_id(const struct xm_sample *s, uint32_t word, struct xm_vcpu_row *all)
{
    unsigned count = 0;
    *all = (struct xm_vcpu_row){.id = 0};
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *row = &s->vcpu[i];
        if (!row->id || xm_row_domid(row->id) != word >> 16 || xm_row_vcpu(row->id) != (word & 0xffffu))
            continue;
        all->running += row->running;
        all->runnable += row->runnable;
        all->blocked += row->blocked;
        all->offline += row->offline;
        all->wait_wake += row->wait_wake;
        all->wait_preempt += row->wait_preempt;
        all->executions += row->executions;
        all->migrations += row->migrations;
        count++;
    }
    return count;
}

static void compare_vcpus_of_ids(struct verdict *v)
{
    const struct sh_host *h = v->host;
    uint64_t window = h->last - h->first;
    for (const struct sh_domain *d = h->domain; d < h->domain + h->domains; d++)
        for (uint32_t i = 0; i < SH_VCPUS && first_of_its_id(h, d); i++) {
            struct truth t;
            struct xm_vcpu_row row;
            unsigned instances = truth_of_id(h, word_of(d, i), &t);
            unsigned rows = rows_of_id(&v->reading->sample, word_of(d, i), &row);
            if (rows == 0)
                continue;
            if (instances == 0) {
                differs(v, "existence", word_of(d, i), rows, 0);
                continue;
            }
            compare_row(v, word_of(d, i), &row, &t);
            /* One of which nothing was seen is none, or the same as the one before it. */
            if (rows < instances)
                continue;
            check(v, "migrations", word_of(d, i), row.migrations, t.migrations);
            /* Known to be offline in all of its rows at a time, at the least; and truly so in all instances. */
            uint64_t offline = row.offline > (rows - 1) * window ? row.offline - (rows - 1) * window : 0;
            check(v, "offline", word_of(d, i), offline, t.state[XM_OFFLINE] - (instances - 1) * window);
        }
}

/* ---- I/O. */

static void compare_io(struct verdict *v, const char *whose, uint32_t domid, struct xm_truth_io is, struct xm_truth_io t)
{
    uint32_t events = v->host->plan.machine.events;
    unsigned wrong = v->wrong;
    if ((events & 0x100000u) == 0)
        t.transfers = t.maps = t.unmaps = 0;
    if ((events & 0x200000u) == 0)
        t.copies = 0;
    check(v, "page transfers", domid << 16, is.transfers, t.transfers);
    check(v, "grant maps", domid << 16, is.maps, t.maps);
    check(v, "grant unmaps", domid << 16, is.unmaps, t.unmaps);
    check(v, "grant copies", domid << 16, is.copies, t.copies);
    if (v->loud && v->wrong > wrong)
        xt_note("  (pages by their %s)", whose);
}

static struct xm_truth_io io_of(const struct xm_domain_row *row)
{
    return (struct xm_truth_io){row->page_transfers, row->grant_maps, row->grant_unmaps, 0};
}

static struct xm_truth_io done_of(const struct xm_domain_row *row)
{
    return (struct xm_truth_io){row->done_transfers, row->done_maps, row->done_unmaps, row->done_copies};
}

static void compare_domains(struct verdict *v)
{
    const struct sh_host *h = v->host;
    unsigned named = 0, rows = 0;
    for (const struct sh_domain *d = h->domain; d < h->domain + h->domains; d++) {
        uint64_t id = XM_ROW_USED | (uint64_t)instance_of(h, d) << 32 | d->d->domid;
        const struct xm_domain_row *row = xt_domain(&v->reading->sample, id);
        if (!d->named)
            continue;
        named++;
        if (!row) {
            differs(v, "existence as a domain", word_of(d, 0), 0, 1);
            continue;
        }
        struct xm_truth_io done = difference(difference(d->d->io_done, d->done_before), d->nobody);
        compare_io(v, "owner", d->d->domid, io_of(row), difference(d->d->io, d->io_before));
        compare_io(v, "doer", d->d->domid, done_of(row), done);
        if (row->ended != (d->d->ended && h->plan.tells_ends))
            differs(v, "end", word_of(d, 0), row->ended, d->d->ended);
    }
    for (uint32_t i = 0; i < v->reading->sample.used.domains; i++)
        rows += v->reading->sample.domain[i].id != 0;
    if (rows != named)
        differs(v, "number of domains", 0, rows, named);
}

static void compare_domains_of_ids(struct verdict *v)
{
    const struct sh_host *h = v->host;
    for (const struct sh_domain *d = h->domain; d < h->domain + h->domains; d++) {
        struct xm_truth_io io = {0}, done = {0}, row_io = {0}, row_done = {0};
        if (!first_of_its_id(h, d))
            continue;
        for (const struct sh_domain *e = d; e < h->domain + h->domains; e++)
            if (e->d->domid == d->d->domid && !e->over) {
                io = sum(io, difference(e->d->io, e->io_before));
                done = sum(done, difference(e->d->io_done, e->done_before));
            }
        for (uint32_t i = 0; i < v->reading->sample.used.domains; i++) {
            const struct xm_domain_row *row = &v->reading->sample.domain[i];
            if (row->id && xm_row_domid(row->id) == d->d->domid) {
                row_io = sum(row_io, io_of(row));
                row_done = sum(row_done, done_of(row));
            }
        }
        compare_io(v, "owner", d->d->domid, row_io, io);
        compare_io(v, "doer", d->d->domid, row_done, done);
    }
}

/* ---- pCPUs. */

static void compare_cpus(struct verdict *v)
{
    const struct sh_host *h = v->host;
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++) {
        const struct xm_pcpu_row *row = xt_pcpu(&v->reading->sample, XM_ROW_USED | cpu);
        const struct xm_truth_cpu t = truth_of_cpu(h, cpu);
        uint32_t word = XM_DOMID_IDLE << 16 | cpu;
        bool known = h->cpu[cpu].occupant_seen;
        if (!row) {
            if (known && !v->loss)
                differs(v, "existence of the pCPU", word, 0, 1);
            continue;
        }
        check(v, "busy time", word, row->busy, known ? t.busy : 0);
        check(v, "idle time", word, row->idle, known ? t.idle : 0);
        check(v, "switching time", word, row->switching, known ? t.switching : 0);
        if (!v->loss)
            check(v, "unknown time", word, row->unknown, known ? 0 : h->last - h->first);
        if (row->lost_records != h->cpu[cpu].lost)
            differs(v, "number of lost records", word, row->lost_records, h->cpu[cpu].lost);
    }
}

/* ---- Gaps. */

static int by_start(const void *a, const void *b)
{
    const struct sh_gap *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Gaps of one pCPU, or with UINT32_MAX of all, joined where they touch.  Returns how many are left, freed by the caller. */
static size_t join_gaps(const struct sh_host *h, uint32_t cpu, struct sh_gap **joined)
{
    size_t count = 0, left = 0;
    struct sh_gap *g = malloc((h->gaps + 1) * sizeof *g);
    if (!g)
        xt_die("out of memory");
    for (size_t i = 0; i < h->gaps; i++)
        if (cpu == UINT32_MAX || h->gap[i].cpu == cpu)
            g[count++] = h->gap[i];
    qsort(g, count, sizeof *g, by_start);
    for (size_t i = 0; i < count; i++)
        if (left && g[i].from <= g[left - 1].to)
            g[left - 1].to = g[i].to > g[left - 1].to ? g[i].to : g[left - 1].to;
        else
            g[left++] = g[i];
    *joined = g;
    return left;
}

static uint64_t length_of(const struct sh_gap *g, size_t count)
{
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += g[i].to - g[i].from;
    return length;
}

/* Whether a record tells of this vCPU in every stretch between the gaps, so that nothing outside them can be unknown. */
static bool told_throughout(const struct sh_host *h, uint32_t word, const struct sh_gap *g, size_t count)
{
    size_t told = 0;
    bool *stretch = calloc(count + 1, sizeof *stretch);
    if (!stretch)
        xt_die("out of memory");
    for (size_t i = 0; i < h->tolds; i++) {
        size_t low = 0, high = count;
        while (low < high && h->told[i].word == word) {
            size_t middle = (low + high) / 2;
            if (g[middle].to <= h->told[i].tsc)
                low = middle + 1;
            else
                high = middle;
        }
        bool inside = low < count && h->told[i].tsc >= g[low].from;
        if (h->told[i].word == word && !inside && !stretch[low]) {
            stretch[low] = true;
            told++;
        }
    }
    free(stretch);
    return told == count + 1;
}

static void compare_gaps(struct verdict *v)
{
    const struct sh_host *h = v->host;
    const struct xm_sample *s = &v->reading->sample;
    struct sh_gap *g;
    size_t count = join_gaps(h, UINT32_MAX, &g);
    uint64_t all = length_of(g, count);
    /* A live reader waits only so long for a pCPU that may be losing records, and then takes it that it is. */
    bool live = v->reading == &h->live;
    if (live ? s->host.gap < all : s->host.gap != all)
        differs(v, "gaps in all", 0, s->host.gap, all);
    for (uint32_t i = 0; i < s->used.vcpus && !live; i++) {
        const struct xm_vcpu_row *row = &s->vcpu[i];
        uint32_t word = xm_row_domid(row->id) << 16 | xm_row_vcpu(row->id);
        struct truth t;
        if (row->id && row->unknown > all && truth_of_id(h, word, &t) == 1 && told_throughout(h, word, g, count))
            differs(v, "unknown time", word, row->unknown, all);
    }
    free(g);
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++) {
        const struct xm_pcpu_row *row = xt_pcpu(s, XM_ROW_USED | cpu);
        count = join_gaps(h, cpu, &g);
        uint64_t own = length_of(g, count);
        if (row && (live ? row->gap < own : row->gap != own))
            differs(v, "gaps of the pCPU", XM_DOMID_IDLE << 16 | cpu, row->gap, own);
        free(g);
    }
}

/* ---- One host. */

static void compare(struct verdict *v)
{
    const struct sh_reading *r = v->reading;
    const struct sh_host *h = v->host;
    if (r->broken) {
        v->wrong++;
        if (v->loud)
            xt_note("  %s: %s", v->order, r->broken);
    }
    if (h->first == UINT64_MAX)
        return; /* nothing happened */
    if (r->stats.first_tsc.v != h->first || r->stats.last_tsc.v != h->last || r->stats.lost_records != h->lost)
        differs(v, "first or last record, or number of lost ones", 0, r->stats.lost_records, h->lost);
    if (r->stats.stragglers || r->stats.late_gaps)
        differs(v, "number of stragglers and of late gaps", 0, r->stats.stragglers + r->stats.late_gaps, 0);
    v->loss = h->lost || r->sample.host.gap;
    compare_cpus(v);
    if (v->loss) {
        compare_vcpus_of_ids(v);
        compare_domains_of_ids(v);
        compare_gaps(v);
        return;
    }
    compare_vcpus(v);
    compare_domains(v);
    if (r->anomalies)
        differs(v, r->contradiction, 0, r->anomalies, 0);
}

struct tally {
    uint64_t records, lossy, doubted;
};

/* What went wrong with a host of which only so many steps are taken. */
static struct verdict judge(uint64_t seed, unsigned steps, bool loud, uint32_t word, uint64_t from, uint64_t *last,
                            struct tally *tally)
{
    struct sh_host *h = sh_run(seed, steps, word, from);
    struct verdict v = {.host = h, .loud = loud};
    struct sh_reading file = h->file.size ? sh_read_file(h) : (struct sh_reading){.broken = h->live.broken};
    if (loud)
        sh_describe(h);
    if (h->wrong && v.wrong++ == 0 && loud)
        xt_note("  %s", h->wrong);
    v.order = "file";
    v.reading = &file;
    if (h->file.size)
        compare(&v);
    v.order = "live";
    v.reading = &h->live;
    if (h->file.size)
        compare(&v);
    if (tally) {
        tally->records += xm_machine_records(h->m);
        tally->lossy += h->lost != 0;
        tally->doubted += !h->lost && h->live.sample.host.gap;
    }
    *last = h->last;
    sh_reading_free(&file);
    sh_free(h);
    v.host = NULL;
    v.reading = NULL;
    return v;
}

/* How few steps of it go wrong, and what was recorded of the vCPU in the last of them. */
static void explain(uint64_t seed)
{
    unsigned good = 0, bad = 1024;
    uint64_t last, upto = 0;
    while (bad - good > 1) {
        unsigned middle = (good + bad) / 2;
        bool wrong = judge(seed, middle, false, 0, UINT64_MAX, &last, NULL).wrong;
        *(wrong ? &bad : &good) = middle;
        upto = wrong ? upto : last;
    }
    struct verdict v = judge(seed, bad, false, 0, UINT64_MAX, &last, NULL);
    xt_note("  goes wrong in step %u; up to TSC %llu all was well.  What is recorded of d%uv%u from there on:", bad,
            (unsigned long long)upto, v.first_word >> 16, v.first_word & 0xffffu);
    (void)judge(seed, bad, true, v.first_word, upto, &last, NULL);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    struct xt_tap tap = {0};
    struct tally tally = {0};
    bool given = getenv("XM_SEED") != NULL;
    uint64_t count = from_environment("XM_COUNT", given ? 1 : 60);
    uint64_t seed = from_environment("XM_SEED", 1);
    unsigned failed = 0;
    if (argc > 1) {
        count = strtoull(argv[1], NULL, 0);
        seed = xt_seed();
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t last;
        if (judge(seed + i, UINT32_MAX, false, 0, UINT64_MAX, &last, &tally).wrong == 0)
            continue;
        if (failed++ >= 5)
            continue;
        xt_note("XM_SEED=%llu repeats this one:", (unsigned long long)(seed + i));
        (void)judge(seed + i, UINT32_MAX, true, 0, UINT64_MAX, &last, NULL);
        explain(seed + i);
    }
    xt_note("%llu records; %llu hosts lost some, of %llu that did not the live reader was not sure",
            (unsigned long long)tally.records, (unsigned long long)tally.lossy, (unsigned long long)tally.doubted);
    xt_ok(&tap, failed == 0, "%llu simulated hosts from seed %llu on (%u differ)", (unsigned long long)count,
          (unsigned long long)seed, failed);
    xt_ok(&tap, count < 60 || (tally.lossy > count / 10 && tally.lossy < count && tally.doubted < count / 20 &&
              tally.records > 1000 * count),
          "they did something, some with losses and some without");
    return xt_done(&tap);
}
