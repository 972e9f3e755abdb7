/* SPDX-License-Identifier: MIT */
#include "view/view.h"

#include "xenmon/region.h"
#include "xenmon/trace.h"

enum { RUNNING, RUNNABLE, BLOCKED, OFFLINE, UNKNOWN, STATES };

/* What vCPU and domain rows have in common, as differences in cycles, ns (slices) and counts. */
struct counters {
    uint64_t state[STATES];
    uint64_t wake, preempt;
    uint64_t executions, migrations, preemptions, yields;
    uint64_t slices, slice_sum_ns;
};

static const struct xm_vcpu_row no_vcpu;
static const struct xm_domain_row no_domain;
static const struct xm_pcpu_row no_pcpu;
static const struct xm_pair_row no_pair;

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#define DIFF(member) xm_counted(now->member, then->member)
#define COUNTERS                                                                                             \
    (struct counters)                                                                                        \
    {                                                                                                        \
        .state = {DIFF(running), DIFF(runnable), DIFF(blocked), DIFF(offline), DIFF(unknown)},               \
        .wake = DIFF(wait_wake), .preempt = DIFF(wait_preempt), .executions = DIFF(executions),              \
        .migrations = DIFF(migrations), .preemptions = DIFF(preemptions), .yields = DIFF(yields),            \
        .slices = DIFF(slices), .slice_sum_ns = DIFF(slice_sum)                                              \
    }

static uint64_t from_cycles(const struct xm_window *w)
{
    return w->from ? w->from->host.window : 0;
}

static uint64_t window_cycles(const struct xm_window *w)
{
    return xm_counted(w->to->host.window, from_cycles(w));
}

static uint64_t to_ns(const struct xm_window *w, uint64_t cycles)
{
    return xm_scale_to_ns(w->scale, xm_cycles_of(cycles)).v;
}

/*
 * A row that is not in `from` counts since the trace began, so the time up to `from` must come off again.
 * Nothing was known of it then: it did not exist (offline), or it had not been seen (unknown).  Offline can
 * only hold all of that time where it did not exist; what neither holds comes off wherever it is.
 */
static void take_off(uint64_t state[STATES], uint64_t cycles)
{
    static const unsigned order[] = {UNKNOWN, OFFLINE, BLOCKED, RUNNABLE, RUNNING};
    if (state[OFFLINE] >= cycles) {
        state[OFFLINE] -= cycles;
        return;
    }
    for (unsigned i = 0; i < STATES && cycles; i++) {
        uint64_t part = least(state[order[i]], cycles);
        state[order[i]] -= part;
        cycles -= part;
    }
}

static struct counters vcpu_counters(const struct xm_window *w, uint32_t slot)
{
    const struct xm_vcpu_row *now = &w->to->vcpu[slot];
    const struct xm_vcpu_row *then = &no_vcpu;
    bool before = w->from && slot < w->from->used.vcpus && w->from->vcpu[slot].id == now->id;
    if (before)
        then = &w->from->vcpu[slot];
    struct counters c = COUNTERS;
    if (!before)
        take_off(c.state, from_cycles(w));
    return c;
}

/* The sums over the vCPUs, where some of them began within the window. */
static void sum_vcpu_states(const struct xm_window *w, uint32_t domain_slot, uint64_t state[STATES])
{
    for (unsigned i = 0; i < STATES; i++)
        state[i] = 0;
    for (uint32_t slot = 0; slot < w->to->used.vcpus; slot++) {
        if (w->to->vcpu[slot].id == 0 || w->to->vcpu_domain[slot] != domain_slot)
            continue;
        struct counters c = vcpu_counters(w, slot);
        for (unsigned i = 0; i < STATES; i++)
            state[i] += c.state[i];
    }
}

static const struct xm_domain_row *domain_before(const struct xm_window *w, uint32_t slot)
{
    if (w->from && slot < w->from->used.domains && w->from->domain[slot].id == w->to->domain[slot].id)
        return &w->from->domain[slot];
    return &no_domain;
}

static struct counters domain_counters(const struct xm_window *w, uint32_t slot)
{
    const struct xm_domain_row *now = &w->to->domain[slot];
    const struct xm_domain_row *then = domain_before(w, slot);
    struct counters c = COUNTERS;
    if (w->from && now->vcpus != then->vcpus)
        sum_vcpu_states(w, slot, c.state);
    return c;
}

/* Cycles into ns, as prefix sums: the states add up to the span, the causes to runnable. */
static void scale_states(const struct xm_window *w, const struct counters *c, struct xm_usage *u)
{
    uint64_t ns[STATES];
    uint64_t wake = least(c->wake, c->state[RUNNABLE]);
    uint64_t preempt = least(c->preempt, c->state[RUNNABLE] - wake);
    const uint64_t parts[4] = {c->state[RUNNING], wake, preempt, c->state[RUNNABLE] - wake - preempt};
    uint64_t parts_ns[4];

    xm_scale_parts(w->scale, c->state, ns, STATES);
    u->running_ns = ns[RUNNING];
    u->runnable_ns = ns[RUNNABLE];
    u->blocked_ns = ns[BLOCKED];
    u->offline_ns = ns[OFFLINE];
    u->unknown_ns = ns[UNKNOWN];
    u->span_ns = ns[RUNNING] + ns[RUNNABLE] + ns[BLOCKED] + ns[OFFLINE] + ns[UNKNOWN];

    xm_scale_parts(w->scale, parts, parts_ns, 4);
    u->wait_wake_ns = parts_ns[1];
    u->wait_preempt_ns = parts_ns[2];
    u->wait_other_ns = parts_ns[3];
}

static void set_counters(const struct xm_window *w, const struct counters *c, struct xm_usage *u)
{
    u->window_ns = to_ns(w, window_cycles(w));
    scale_states(w, c, u);
    u->executions = c->executions;
    u->migrations = c->migrations;
    u->preemptions = c->preemptions;
    u->yields = c->yields;
    u->slices = c->slices;
    u->slice_sum_ns = c->slice_sum_ns;
}

/* A peak of an interval in which nothing happened says nothing about the window. */
static void set_peaks(const struct xm_window *w, uint64_t slice_min, uint64_t slice_max, uint64_t wait_max,
                      struct xm_usage *u)
{
    u->no_peaks = w->no_peaks;
    if (w->no_peaks)
        return;
    u->wait_max_ns = to_ns(w, wait_max);
    if (u->slices && slice_min <= slice_max) {
        u->slice_min_ns = slice_min;
        u->slice_max_ns = slice_max;
    }
}

static struct xm_maybe maybe(const struct xm_window *w, uint32_t seen, uint64_t count)
{
    bool known = (w->io_seen & seen) != 0;
    return (struct xm_maybe){known, known ? count : 0};
}

static struct xm_maybe known_if(bool known, uint64_t count)
{
    return (struct xm_maybe){known, known ? count : 0};
}

/* A device's counters are known where it is: the number of devices says so. */
static void set_told(const struct xm_domain_row *now, const struct xm_domain_row *then, struct xm_told *t)
{
    bool net = now->vifs != 0;
    bool disk = now->vbds != 0;
    t->online = known_if(now->online != 0, now->online);
    t->paused = known_if(now->online != 0 || now->paused != 0, now->paused != 0);
    t->weight = known_if(now->weight != 0, now->weight);
    t->cap = known_if(now->weight != 0 || now->cap != 0, now->cap);
    t->received_bytes = known_if(net, DIFF(received_bytes));
    t->received_packets = known_if(net, DIFF(received_packets));
    t->sent_bytes = known_if(net, DIFF(sent_bytes));
    t->sent_packets = known_if(net, DIFF(sent_packets));
    t->disk_reads = known_if(disk, DIFF(disk_reads));
    t->disk_writes = known_if(disk, DIFF(disk_writes));
    t->disk_read_bytes = known_if(disk, DIFF(disk_read_bytes));
    t->disk_write_bytes = known_if(disk, DIFF(disk_write_bytes));
    t->cpu_time_ns = known_if(now->cpu_time != 0, DIFF(cpu_time));
}

bool xm_usage_vcpu(const struct xm_window *w, uint32_t slot, struct xm_usage *u)
{
    *u = (struct xm_usage){0};
    if (slot >= w->to->used.vcpus || w->to->vcpu[slot].id == 0)
        return false;
    const struct xm_vcpu_row *now = &w->to->vcpu[slot];
    struct counters c = vcpu_counters(w, slot);
    u->id = now->id;
    u->vcpus = 1;
    set_counters(w, &c, u);
    set_peaks(w, now->slice_min, now->slice_max, now->wait_max, u);
    u->wait_any_ns = u->runnable_ns;
    u->state = (uint32_t)now->state;
    u->pcpu = (uint32_t)now->pcpu;
    return true;
}

bool xm_usage_domain(const struct xm_window *w, uint32_t slot, struct xm_usage *u)
{
    *u = (struct xm_usage){0};
    if (slot >= w->to->used.domains || w->to->domain[slot].id == 0)
        return false;
    const struct xm_domain_row *now = &w->to->domain[slot];
    const struct xm_domain_row *then = domain_before(w, slot);
    struct counters c = domain_counters(w, slot);
    u->id = now->id;
    u->vcpus = (uint32_t)now->vcpus;
    set_counters(w, &c, u);
    set_peaks(w, now->slice_min, now->slice_max, now->wait_max, u);
    u->wait_any_ns = to_ns(w, DIFF(wait_any));
    u->io.transfers = maybe(w, XM_IO_SEEN_TRANSFERS, DIFF(page_transfers));
    u->io.maps = maybe(w, XM_IO_SEEN_GRANTS, DIFF(grant_maps));
    u->io.unmaps = maybe(w, XM_IO_SEEN_GRANTS, DIFF(grant_unmaps));
    u->io.copies = maybe(w, XM_IO_SEEN_COPIES, DIFF(done_copies));
    u->io_done.transfers = maybe(w, XM_IO_SEEN_TRANSFERS, DIFF(done_transfers));
    u->io_done.maps = maybe(w, XM_IO_SEEN_GRANTS, DIFF(done_maps));
    u->io_done.unmaps = maybe(w, XM_IO_SEEN_GRANTS, DIFF(done_unmaps));
    u->io_done.copies = u->io.copies;
    set_told(now, then, &u->told);
    u->state = UNKNOWN;
    u->ended = now->ended != 0;
    return true;
}

bool xm_window_has_pairs(const struct xm_window *w, uint32_t domain_slot)
{
    if (domain_slot >= w->to->used.domains || w->to->domain[domain_slot].running == 0)
        return true;
    const struct xm_pair_row *pair = &w->to->pair[(size_t)domain_slot * w->to->capacity.pcpus];
    for (uint32_t p = 0; p < w->to->used.pcpus; p++)
        if (pair[p].running)
            return true;
    return false;
}

bool xm_usage_pair(const struct xm_window *w, uint32_t domain_slot, uint32_t pcpu_slot, struct xm_usage *u)
{
    *u = (struct xm_usage){0};
    if (pcpu_slot >= w->to->used.pcpus || w->to->pcpu[pcpu_slot].id == 0 ||
        !xm_window_has_pairs(w, domain_slot) || !xm_usage_domain(w, domain_slot, u))
        return false;
    const struct xm_pair_row *now = &w->to->pair[(size_t)domain_slot * w->to->capacity.pcpus + pcpu_slot];
    const struct xm_pair_row *then = &no_pair;
    if (domain_before(w, domain_slot) != &no_domain && pcpu_slot < w->from->used.pcpus &&
        w->from->pcpu[pcpu_slot].id == w->to->pcpu[pcpu_slot].id)
        then = &w->from->pair[(size_t)domain_slot * w->from->capacity.pcpus + pcpu_slot];
    u->running_ns = to_ns(w, DIFF(running));
    u->runnable_ns = to_ns(w, DIFF(waited));
    u->wait_wake_ns = 0;
    u->wait_preempt_ns = 0;
    u->wait_other_ns = u->runnable_ns;
    u->executions = DIFF(executions);
    u->pcpu = xm_row_domid(w->to->pcpu[pcpu_slot].id) + 1;
    return true;
}

/* The period of the last execution: blocked, then waiting, then running. */
static void set_last(const struct xm_window *w, const uint64_t parts[3], uint64_t slice, uint64_t io,
                     struct xm_usage *u)
{
    struct counters c = {.state = {[RUNNING] = parts[0], [RUNNABLE] = parts[1], [BLOCKED] = parts[2]}};
    scale_states(w, &c, u);
    u->window_ns = u->span_ns;
    u->vcpus = 1;
    u->executions = parts[0] || parts[1] || parts[2] || slice;
    u->wait_any_ns = u->runnable_ns;
    u->wait_max_ns = u->runnable_ns;
    u->slices = slice != 0;
    u->slice_sum_ns = u->slice_min_ns = u->slice_max_ns = slice;
    u->io_done.transfers = maybe(w, XM_IO_SEEN_TRANSFERS | XM_IO_SEEN_GRANTS, io);
}

bool xm_usage_last_vcpu(const struct xm_window *w, uint32_t slot, struct xm_usage *u)
{
    *u = (struct xm_usage){0};
    if (slot >= w->to->used.vcpus || w->to->vcpu[slot].id == 0)
        return false;
    const struct xm_vcpu_row *now = &w->to->vcpu[slot];
    const uint64_t parts[3] = {now->last_run, now->last_wait, now->last_blocked};
    u->id = now->id;
    u->state = (uint32_t)now->state;
    u->pcpu = (uint32_t)now->pcpu;
    set_last(w, parts, now->last_slice, now->last_io, u);
    return true;
}

bool xm_usage_last_domain(const struct xm_window *w, uint32_t slot, struct xm_usage *u)
{
    *u = (struct xm_usage){0};
    if (slot >= w->to->used.domains || w->to->domain[slot].id == 0)
        return false;
    const struct xm_domain_row *now = &w->to->domain[slot];
    const uint64_t parts[3] = {now->last_run, now->last_wait, now->last_blocked};
    u->id = now->id;
    u->state = UNKNOWN;
    u->ended = now->ended != 0;
    set_last(w, parts, now->last_slice, now->last_io, u);
    return true;
}

bool xm_usage_pcpu(const struct xm_window *w, uint32_t slot, struct xm_pcpu_usage *u)
{
    *u = (struct xm_pcpu_usage){0};
    if (slot >= w->to->used.pcpus || w->to->pcpu[slot].id == 0)
        return false;
    const struct xm_pcpu_row *now = &w->to->pcpu[slot];
    const struct xm_pcpu_row *then = &no_pcpu;
    bool before = w->from && slot < w->from->used.pcpus && w->from->pcpu[slot].id == now->id;
    if (before)
        then = &w->from->pcpu[slot];
    uint64_t parts[4] = {DIFF(busy), DIFF(idle), DIFF(switching), DIFF(unknown)};
    uint64_t ns[4];
    if (!before) /* it was not known before: that time is in unknown */
        parts[3] = xm_counted(parts[3], from_cycles(w));
    xm_scale_parts(w->scale, parts, ns, 4);
    *u = (struct xm_pcpu_usage){
        .pcpu = (uint32_t)(now->id & ~XM_ROW_USED),
        .window_ns = ns[0] + ns[1] + ns[2] + ns[3],
        .busy_ns = ns[0],
        .idle_ns = ns[1],
        .switching_ns = ns[2],
        .unknown_ns = ns[3],
        .gap_ns = to_ns(w, DIFF(gap)),
        .executions = DIFF(executions),
        .lost_records = DIFF(lost_records),
        .buffer_fill = known_if(w->to->host.passes != 0, now->buffer_fill),
        .current = now->current,
    };
    return true;
}

static void set_fill(const struct xm_window *w, struct xm_reading *r)
{
    for (uint32_t i = 0; i < w->to->used.pcpus; i++) {
        const struct xm_pcpu_row *row = &w->to->pcpu[i];
        if (row->id == 0 || (r->fill.known && row->buffer_fill <= r->fill.count))
            continue;
        r->fill = (struct xm_maybe){true, row->buffer_fill};
        r->fill_pcpu = (uint32_t)(row->id & ~XM_ROW_USED);
    }
}

void xm_reading(const struct xm_window *w, struct xm_reading *r)
{
    static const struct xm_host_row no_host;
    const struct xm_host_row *now = &w->to->host;
    const struct xm_host_row *then = w->from ? &w->from->host : &no_host;
    *r = (struct xm_reading){.known = now->passes != 0};
    if (!r->known)
        return;
    r->window_ns = to_ns(w, window_cycles(w));
    r->passes = DIFF(passes);
    r->wakeups = DIFF(wakeups);
    r->own_cpu_ns = DIFF(own_cpu);
    r->virqs = DIFF(virqs);
    r->bogus = DIFF(bogus);
    r->stolen = DIFF(stolen);
    r->repaired = DIFF(repaired);
    r->dropped = DIFF(dropped);
    set_fill(w, r);
}

bool xm_usage_starved(const struct xm_usage *u)
{
    return u->running_ns == 0 && u->executions == 0 && u->wait_any_ns > u->window_ns / 10 * 9;
}

struct xm_maybe xm_io_exchanges(const struct xm_io *io)
{
    return (struct xm_maybe){io->transfers.known || io->maps.known, io->transfers.count + io->maps.count};
}
