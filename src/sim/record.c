/* SPDX-License-Identifier: MIT */
/* Records as Xen writes them, and the truth that they are held to. */
#include "sim/machine_int.h"

#include "trace/format.h"

#define TRC_TRANSFER_BATCHED_WORDS 2u

/* ---- Time. */

xm_cycles xm_machine_tsc(const struct xm_machine *m, uint64_t ns)
{
    return xm_cycles_of(XM_SIM_TSC_START + (uint64_t)((unsigned __int128)ns * m->hz / XM_NS_PER_S));
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When a record of this pCPU is written now. */
static uint64_t stamp_of(const struct xm_machine *m, uint32_t cpu)
{
    return later(xm_machine_tsc(m, xm_engine_now(m->engine)).v, m->cpu[cpu].stamp);
}

void xm_sim_after(struct xm_machine *m, uint32_t cpu, uint64_t stamp)
{
    m->cpu[cpu].stamp = later(m->cpu[cpu].stamp, stamp + 1);
}

xm_cycles xm_machine_end(const struct xm_machine *m)
{
    uint64_t end = xm_machine_tsc(m, xm_engine_now(m->engine)).v;
    for (uint32_t i = 0; i < m->cpus; i++)
        end = later(end, m->cpu[i].stamp);
    return xm_cycles_of(end);
}

/* ---- Records. */

/* Xen's own filter: class bits and subclass bits independently (doc/trace-format.md 1.5). */
static bool passes(uint32_t mask, uint32_t event)
{
    return (mask & event & 0x0fff0000u) && (mask & event & 0x0000f000u);
}

static uint32_t who(const struct xm_sim_vcpu *v)
{
    return v->number | (uint32_t)v->domain->domid << 16;
}

static void put(struct xm_machine *m, uint32_t cpu, uint64_t stamp, struct xm_record *record)
{
    const struct xm_sim_vcpu *current = m->cpu[cpu].current;
    m->cpu[cpu].stamp = stamp;
    if (!passes(m->events, record->event))
        return;
    record->has_tsc = true;
    record->tsc = xm_cycles_of(stamp);
    m->records++;
    /* In LOST_RECORDS the halves are the other way round. */
    m->sink.put(m->sink.user, cpu, record, record->tsc, current->domain->domid | (uint32_t)current->number << 16);
}

void xm_sim_record(struct xm_machine *m, uint32_t cpu, uint32_t event, uint32_t words, const uint32_t *word)
{
    struct xm_record record = {.event = event, .words = (uint8_t)words};
    for (uint32_t i = 0; i < words; i++)
        record.word[i] = word[i];
    put(m, cpu, stamp_of(m, cpu), &record);
}

void xm_sim_record_vcpu(struct xm_machine *m, uint32_t cpu, uint32_t event, const struct xm_sim_vcpu *v)
{
    struct xm_record record = {.event = event, .words = 2, .word = {v->domain->domid, v->number}};
    if (event == XM_TRC_CONTINUE) {
        record.words = 1;
        record.word[0] = who(v);
    }
    xm_sim_after(m, cpu, v->stamp);
    put(m, cpu, stamp_of(m, cpu), &record);
}

static void settle(struct xm_truth_vcpu *t, enum xm_runstate state, uint64_t stamp)
{
    t->in_state[state] += stamp - t->since;
    t->since = stamp;
}

uint64_t xm_sim_runstate(struct xm_machine *m, uint32_t cpu, struct xm_sim_vcpu *v, enum xm_runstate state)
{
    struct xm_truth_vcpu *t = &v->truth;
    enum xm_runstate old = (enum xm_runstate)v->state;
    uint64_t stamp = later(stamp_of(m, cpu), v->stamp + 1);
    if (state == XM_RUNNING)
        stamp = later(stamp, m->cpu[cpu].stamp + m->switch_cycles);
    if (old == XM_RUNNABLE)
        t->waited[v->cause] += stamp - t->since;
    settle(t, old, stamp);
    v->cause = old == XM_BLOCKED ? XM_TRUTH_WAKE : old == XM_RUNNING ? XM_TRUTH_PREEMPT : XM_TRUTH_OTHER;
    v->state = (uint8_t)state;
    v->stamp = stamp;
    t->seen |= passes(m->events, XM_TRC_RUNSTATE);
    struct xm_record record = {.event = XM_TRC_RUNSTATE | (uint32_t)old << 8 | (uint32_t)state << 4, .words = 1,
                               .word = {who(v)}};
    put(m, cpu, stamp, &record);
    return stamp;
}

void xm_sim_switched(struct xm_sim_cpu *c, bool was_idle, uint64_t left, uint64_t came)
{
    *(was_idle ? &c->truth.idle : &c->truth.busy) += left - c->truth.since;
    c->truth.switching += came - left;
    c->truth.since = came;
}

/* ---- I/O. */

static struct xm_truth_io *doer(struct xm_machine *m)
{
    return &m->cpu[m->at].current->domain->io_done;
}

void xm_machine_transfer(struct xm_machine *m, struct xm_sim_domain *to, uint32_t pages)
{
    const uint32_t word[] = {to->domid, pages};
    xm_sim_after(m, m->at, to->born);
    to->io.transfers += pages;
    doer(m)->transfers += pages;
    if (m->batch_transfers && pages) {
        xm_sim_record(m, m->at, XM_TRC_GRANT_TRANSFER, TRC_TRANSFER_BATCHED_WORDS, word);
        return;
    }
    for (uint32_t i = 0; i < pages; i++)
        xm_sim_record(m, m->at, XM_TRC_GRANT_TRANSFER, 1, word);
}

void xm_machine_map(struct xm_machine *m, struct xm_sim_domain *of, uint32_t pages)
{
    const uint32_t word = of->domid;
    xm_sim_after(m, m->at, of->born);
    of->io.maps += pages;
    doer(m)->maps += pages;
    for (uint32_t i = 0; i < pages; i++)
        xm_sim_record(m, m->at, XM_TRC_GRANT_MAP, 1, &word);
}

void xm_machine_unmap(struct xm_machine *m, struct xm_sim_domain *of, uint32_t pages)
{
    const uint32_t word = of->domid;
    xm_sim_after(m, m->at, of->born);
    of->io.unmaps += pages;
    doer(m)->unmaps += pages;
    for (uint32_t i = 0; i < pages; i++)
        xm_sim_record(m, m->at, XM_TRC_GRANT_UNMAP, 1, &word);
}

void xm_machine_copy(struct xm_machine *m, uint32_t pages)
{
    /* grant_table_op (20) with two 32-bit arguments: GNTTABOP_copy (5) and how many. */
    const uint32_t word[] = {20u | 1u << 20 | 1u << 24 | 0u << 22, 5, pages};
    doer(m)->copies += pages;
    xm_sim_record(m, m->at, XM_TRC_PV_HYPERCALL, 3, word);
}

/* ---- The truth. */

struct xm_truth_vcpu xm_truth_of(const struct xm_machine *m, const struct xm_sim_vcpu *v)
{
    struct xm_truth_vcpu t = v->truth;
    uint64_t end = xm_machine_end(m).v;
    if (v->state == XM_RUNNABLE)
        t.waited[v->cause] += end - t.since;
    settle(&t, (enum xm_runstate)v->state, end);
    return t;
}

struct xm_truth_cpu xm_truth_of_cpu(const struct xm_machine *m, uint32_t cpu)
{
    struct xm_sim_cpu c = m->cpu[cpu];
    uint64_t end = xm_machine_end(m).v;
    xm_sim_switched(&c, xm_sim_is_idle(c.current), end, end);
    return c.truth;
}
