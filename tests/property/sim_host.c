/* SPDX-License-Identifier: MIT */
#include "sim_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine_int.h"
#include "trace/format.h"

static uint64_t draw(struct sh_host *h, uint64_t low, uint64_t high)
{
    return xm_rng_range(&h->rng, low, high);
}

static bool chance(struct sh_host *h, unsigned percent)
{
    return xm_rng_below(&h->rng, 100) < percent;
}

/* Any magnitude is as likely as any other. */
static uint64_t draw_scale(struct sh_host *h, uint64_t low, uint64_t high)
{
    uint64_t top = low;
    while (top < high && chance(h, 70))
        top *= 2;
    return draw(h, low, top < high ? top : high);
}

static bool is_live(const struct sh_domain *d)
{
    return !d->d->ended;
}

/* Any domain that lives; NULL: there is none. */
static struct sh_domain *a_domain(struct sh_host *h)
{
    unsigned live = 0;
    for (unsigned i = 0; i < h->domains; i++)
        live += is_live(&h->domain[i]);
    uint64_t which = live ? xm_rng_below(&h->rng, live) : 0;
    for (unsigned i = 0; i < h->domains; i++)
        if (is_live(&h->domain[i]) && which-- == 0)
            return &h->domain[i];
    return NULL;
}

static struct xm_sim_vcpu *a_vcpu(struct sh_host *h, const struct sh_domain *d)
{
    return &d->d->vcpu[xm_rng_below(&h->rng, d->d->vcpus)];
}

static void interrupt_somewhere(struct sh_host *h)
{
    xm_machine_interrupt(h->m, (uint32_t)xm_rng_below(&h->rng, h->plan.machine.cpus));
}

/* ---- Guests. */

static void nap_is_over(void *vcpu)
{
    struct sh_vcpu *g = vcpu;
    struct sh_host *h = g->domain->host;
    interrupt_somewhere(h);
    xm_machine_notify(h->m, &g->domain->d->vcpu[g - g->domain->vcpu]);
}

static uint64_t work(void *guest, struct xm_sim_vcpu *v)
{
    struct sh_domain *d = guest;
    struct sh_host *h = d->host;
    struct sh_vcpu *g = &d->vcpu[v->number];
    if (!g->sleepy)
        return 1 + xm_rng_exponential(&h->rng, g->work_ns);
    g->sleepy = false;
    if (g->nap_ns)
        xm_alarm_set(xm_machine_engine(h->m), &g->alarm,
                     xm_machine_now(h->m) + xm_rng_exponential(&h->rng, g->nap_ns));
    return 0;
}

static void exchange(struct sh_host *h, struct xm_sim_domain *other)
{
    uint32_t pages = (uint32_t)draw_scale(h, 1, 100);
    switch (xm_rng_below(&h->rng, 4)) {
    case 0:
        xm_machine_transfer(h->m, other, pages);
        break;
    case 1:
        xm_machine_map(h->m, other, pages);
        break;
    case 2:
        xm_machine_unmap(h->m, other, pages);
        break;
    default:
        xm_machine_copy(h->m, pages);
    }
}

static void done(void *guest, struct xm_sim_vcpu *v)
{
    struct sh_domain *d = guest;
    struct sh_host *h = d->host;
    struct sh_vcpu *g = &d->vcpu[v->number];
    if (chance(h, g->exchanges))
        exchange(h, a_domain(h)->d);
    while (chance(h, g->notifies))
        xm_machine_notify(h->m, a_vcpu(h, a_domain(h)));
    g->sleepy = chance(h, g->naps);
}

static const struct xm_guest_ops guest_ops = {.work = work, .done = done};

static void draw_guest(struct sh_host *h, struct sh_domain *d, struct sh_vcpu *g)
{
    enum { SPINS, NAPS, NOTIFIES, EXCHANGES, KINDS } kind = (unsigned)xm_rng_below(&h->rng, KINDS);
    *g = (struct sh_vcpu){.domain = d, .state_before = XM_OFFLINE};
    g->before.in_state[XM_OFFLINE] = h->began - XM_SIM_TSC_START;
    g->work_ns = draw_scale(h, 500, 5000000);
    g->nap_ns = draw_scale(h, 1000, 20000000);
    if (kind != SPINS)
        g->naps = (unsigned)draw(h, 1, 100);
    if (kind == NOTIFIES || kind == EXCHANGES) {
        g->notifies = (unsigned)draw(h, 1, 60);
        g->nap_ns = chance(h, 20) ? 0 : g->nap_ns;
    }
    if (kind == EXCHANGES)
        g->exchanges = (unsigned)draw(h, 10, 100);
    xm_alarm_init(&g->alarm, XM_ALARM_GUEST, nap_is_over, g);
}

/* ---- Where the records go. */

static void show(const struct sh_host *h, uint32_t cpu, const struct xm_record *r, const char *how)
{
    bool vcpu = (r->event & 0xff00fu) == XM_TRC_RUNSTATE || r->event == XM_TRC_CONTINUE;
    bool domain = (r->event & ~3u) == (XM_TRC_DOM_ADD & ~3u);
    if (r->tsc.v < h->show_from || !(vcpu || domain) || r->word[0] != (vcpu ? h->show_word : h->show_word >> 16))
        return;
    xt_note("    %llu on CPU %u: %s%s", (unsigned long long)r->tsc.v, cpu,
            domain ? r->event == XM_TRC_DOM_ADD ? "created" : "destroyed"
            : r->event == XM_TRC_CONTINUE ? "continues" : "", how);
    if (vcpu && r->event != XM_TRC_CONTINUE)
        xt_note("        %u -> %u", r->event >> 8 & 3u, r->event >> 4 & 3u);
}

static struct sh_domain *domain_of(struct sh_host *h, uint32_t domid)
{
    for (unsigned i = h->domains; i-- > 0;)
        if (h->domain[i].d->domid == domid && is_live(&h->domain[i]))
            return &h->domain[i];
    return NULL;
}

static void exchanged(struct sh_host *h, uint32_t cpu, const struct xm_record *r)
{
    const struct xm_sim_vcpu *current = xm_machine_current(h->m, cpu);
    uint32_t pages = r->event == XM_TRC_PV_HYPERCALL ? r->word[2] : r->words >= 2 ? r->word[1] : 1;
    if (h->cpu[cpu].occupant_seen || !current)
        return;
    struct xm_truth_io *io = &domain_of(h, current->domain->domid)->nobody;
    *(r->event == XM_TRC_PV_HYPERCALL ? &io->copies : r->event == XM_TRC_GRANT_MAP ? &io->maps
      : r->event == XM_TRC_GRANT_UNMAP ? &io->unmaps : &io->transfers) += pages;
}

/* What the account will learn from this record, if it gets it. */
static void note(struct sh_host *h, uint32_t cpu, const struct xm_record *r)
{
    bool change = (r->event & 0xff00fu) == XM_TRC_RUNSTATE;
    bool vcpu = change || r->event == XM_TRC_CONTINUE;
    bool page = r->event == XM_TRC_GRANT_MAP || r->event == XM_TRC_GRANT_UNMAP || r->event == XM_TRC_GRANT_TRANSFER;
    struct sh_domain *d = vcpu || page ? domain_of(h, vcpu ? r->word[0] >> 16 : r->word[0]) : NULL;
    if (d)
        d->named = true;
    if (page || r->event == XM_TRC_PV_HYPERCALL)
        exchanged(h, cpu, r);
    if (vcpu && (!change || (r->event >> 8 & 3u) == XM_RUNNING || (r->event >> 4 & 3u) == XM_RUNNING))
        h->cpu[cpu].occupant_seen = true;
}

/* Room for one more of `count` elements, which are of `bytes` each. */
static void *with_room(void *array, size_t bytes, size_t count, size_t *room)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 256;
    array = realloc(array, *room * bytes);
    if (!array)
        xt_die("out of memory");
    return array;
}

static void tell(struct sh_host *h, const struct xm_record *r)
{
    if ((r->event & 0xff00fu) != XM_TRC_RUNSTATE && r->event != XM_TRC_CONTINUE)
        return;
    h->told = with_room(h->told, sizeof *h->told, h->tolds, &h->told_room);
    h->told[h->tolds++] = (struct sh_told){r->tsc.v, r->word[0]};
}

static void was_lost(struct sh_host *h, uint32_t cpu, uint64_t now)
{
    struct sh_cpu *c = &h->cpu[cpu];
    h->lost++;
    c->lost++;
    if (c->losing)
        return;
    c->losing = true;
    c->losing_gap = h->gaps;
    h->gap = with_room(h->gap, sizeof *h->gap, h->gaps, &h->gap_room);
    h->gap[h->gaps++] = (struct sh_gap){cpu, now, 0};
}

static void put(void *user, uint32_t cpu, const struct xm_record *r, xm_cycles now, uint32_t current)
{
    struct sh_host *h = user;
    struct sh_cpu *c = &h->cpu[cpu];
    if (!h->tracing)
        return;
    if (r->tsc.v < h->began)
        h->wrong = "a record from before tracing began";
    c->records++;
    note(h, cpu, r);
    enum xm_ring_put result = xm_ring_put(&c->producer, r, now, current);
    show(h, cpu, r, result == XM_RING_LOST ? " (lost)" : "");
    if (result == XM_RING_LOST) {
        was_lost(h, cpu, now.v);
        return;
    }
    if (c->losing)
        h->gap[c->losing_gap].to = now.v;
    c->losing = false;
    tell(h, r);
    h->first = r->tsc.v < h->first ? r->tsc.v : h->first;
    h->last = r->tsc.v > h->last ? r->tsc.v : h->last;
}

/* ---- Reading. */

static enum xm_status due(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct sh_reading *r = user;
    xm_bake_sample(bake, now, true, &r->sample);
    const char *broken = xt_broken_sum(&r->sample);
    r->broken = broken ? broken : r->broken;
    return XM_OK;
}

static enum xm_status grown(void *user, struct xm_bake *bake, struct xm_capacity capacity)
{
    struct sh_reading *r = user;
    (void)bake;
    xm_sample_fini(&r->sample);
    return xm_sample_init(&r->sample, capacity);
}

/* Small at first, so that it has to grow. */
static const struct xm_capacity small = {2, 3, 1};

static struct xm_bake_config config_of(const struct sh_host *h, struct sh_reading *r, enum xm_order order)
{
    return (struct xm_bake_config){.stream = {.order = order}, .capacity = small, .hz = h->plan.machine.hz, .due = due,
                                   .interval_ns = h->plan.interval_ns, .grown = grown, .user = r};
}

static void begin_reading(struct sh_reading *r, const struct xm_bake_config *config)
{
    xm_sample_fini(&r->sample);
    r->bake = xm_bake_create(config);
    if (!r->bake || xm_sample_init(&r->sample, small) != XM_OK)
        xt_die("out of memory");
}

static void push(struct sh_reading *r, const void *bytes, size_t size)
{
    for (size_t at = 0, used; at < size && !r->broken; at += used)
        if (xm_bake_run(r->bake, (const char *)bytes + at, size - at, &used) != XM_OK)
            r->broken = "bytes are not taken";
}

static void end_reading(struct sh_reading *r)
{
    enum xm_status status = xm_bake_finish(r->bake);
    if (status != XM_OK)
        r->broken = "the trace is said to be damaged";
    xm_bake_sample(r->bake, xm_bake_now(r->bake), false, &r->sample);
    xm_account_total(&r->sample);
    const char *broken = xt_broken_sum(&r->sample);
    r->broken = broken ? broken : r->broken;
    r->stats = xm_bake_stats(r->bake);
    r->anomalies = r->stats.backwards + r->stats.short_records;
    r->contradiction = "number of records out of order";
    for (unsigned i = 0; i < XM_ANOMALIES; i++) {
        uint64_t count = xm_account_anomalies(xm_bake_account(r->bake), (enum xm_anomaly)i);
        r->contradiction = count ? xm_anomaly_name(i) : r->contradiction;
        r->anomalies += count;
    }
}

static void look_at(struct sh_host *h, uint32_t cpu)
{
    struct xm_ring_window w;
    struct sh_cpu *c = &h->cpu[cpu];
    if (xm_ring_peek(&c->reader, &w) != XM_OK)
        return;
    const uint32_t header[] = {XM_WINDOW_HEADER, cpu, w.size};
    push(&h->live, header, sizeof header);
    push(&h->live, w.part[0].bytes, w.part[0].size);
    push(&h->live, w.part[1].bytes, w.part[1].size);
    xt_put(&h->file, header, sizeof header);
    xt_put(&h->file, w.part[0].bytes, w.part[0].size);
    xt_put(&h->file, w.part[1].bytes, w.part[1].size);
    xm_ring_consume(&c->reader, w.size);
}

static void go_on(struct sh_host *h, uint64_t until_ns)
{
    if (xm_machine_run(h->m, until_ns) != XM_OK)
        xt_die("out of memory");
}

/*
 * Nobody reads a record before the time that it bears has come.  The machine's are written at the decision, some of
 * them with the time at which it will be carried out.
 */
static void let_time_come(struct sh_host *h, uint32_t cpu)
{
    for (unsigned i = 0; i < 10000 && h->m->cpu[cpu].stamp > xm_machine_tsc(h->m, xm_machine_now(h->m)).v; i++)
        go_on(h, xm_machine_now(h->m) + 100);
}

/* A pass over the buffers; the host does not stand still for it. */
static void look(struct sh_host *h)
{
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++) {
        let_time_come(h, cpu);
        look_at(h, cpu);
        if (chance(h, 20))
            go_on(h, xm_machine_now(h->m) + draw(h, 1, 3000));
    }
    if (h->plan.whole_passes)
        xm_bake_pass_end(h->live.bake);
}

/* Up to this time, looking at the buffers meanwhile. */
static void go_on_looking(struct sh_host *h, uint64_t until_ns)
{
    while (h->tracing && h->next_look_ns <= until_ns) {
        if (xm_machine_now(h->m) < h->next_look_ns)
            go_on(h, h->next_look_ns);
        look(h);
        h->next_look_ns = xm_machine_now(h->m) + 1000 + xm_rng_exponential(&h->rng, h->plan.look_ns);
    }
    if (xm_machine_now(h->m) < until_ns)
        go_on(h, until_ns);
}

/* ---- What the toolstack does. */

static struct xm_sched_share draw_share(struct sh_host *h)
{
    uint64_t period = draw_scale(h, 1000000, 100000000);
    return (struct xm_sched_share){.mcu_advance = (uint32_t)draw_scale(h, 1, 200),
                                   .weight = (uint32_t)draw_scale(h, 16, 4096),
                                   .cap = chance(h, 30) ? (uint32_t)draw(h, 5, 200) : 0,
                                   .period_ns = period,
                                   .slice_ns = draw(h, period / 20, period),
                                   .extratime = chance(h, 60)};
}

static uint64_t draw_affinity(struct sh_host *h)
{
    return chance(h, 50) ? 0 : xm_rng_below(&h->rng, UINT64_C(1) << h->plan.machine.cpus);
}

/* Ids are few, so that they are used again. */
static bool free_id(struct sh_host *h, uint16_t *domid)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        *domid = (uint16_t)xm_rng_below(&h->rng, h->plan.tells_ends ? 16 : SH_EVER);
        bool used = false;
        for (unsigned i = 0; i < h->domains; i++)
            used |= h->domain[i].d->domid == *domid && (is_live(&h->domain[i]) || !h->plan.tells_ends);
        if (!used)
            return true;
    }
    return false;
}

static void create(struct sh_host *h)
{
    unsigned live = 0;
    struct xm_error err;
    uint16_t domid;
    for (unsigned i = 0; i < h->domains; i++)
        live += is_live(&h->domain[i]);
    if (h->domains == SH_EVER || live == SH_LIVE || !free_id(h, &domid))
        return;
    struct sh_domain *d = &h->domain[h->domains];
    *d = (struct sh_domain){.host = h};
    for (unsigned i = 0; i < SH_VCPUS; i++)
        draw_guest(h, d, &d->vcpu[i]);
    const struct xm_domain_config config = {
        .domid = domid, .vcpus = (uint32_t)draw(h, 1, SH_VCPUS), .allowed = draw_affinity(h), .share = draw_share(h),
        .entry_ns = chance(h, 50) ? draw_scale(h, 100, 50000) : 0, .ops = &guest_ops, .guest = d, .paused = true,
        .before = !h->tracing};
    if (xm_machine_add(h->m, &config, &d->d, &err) != XM_OK)
        xt_die("%s", err.text);
    d->named = h->tracing && h->plan.tells_ends;
    h->domains++;
    if (chance(h, 90))
        xm_machine_pause(h->m, d->d, false);
}

static void destroy(struct sh_host *h, struct sh_domain *d)
{
    if (h->tracing && !h->plan.tells_ends)
        return;
    for (unsigned i = 0; i < SH_VCPUS; i++)
        xm_alarm_cancel(xm_machine_engine(h->m), &d->vcpu[i].alarm);
    xm_machine_remove(h->m, d->d);
    if (chance(h, 30)) {
        interrupt_somewhere(h);
        create(h);
    }
}

static void meddle(struct sh_host *h)
{
    struct sh_domain *d = a_domain(h);
    interrupt_somewhere(h);
    uint64_t what = xm_rng_below(&h->rng, 16);
    if (!d || what == 0) {
        create(h);
    } else if (what == 1) {
        destroy(h, d);
    } else if (what < 5) {
        xm_machine_pause(h->m, d->d, !d->d->paused);
    } else if (what < 8) {
        struct xm_sim_vcpu *v = a_vcpu(h, d);
        xm_machine_plug(h->m, v, v->unplugged);
    } else if (what < 11) {
        xm_machine_pin(h->m, a_vcpu(h, d), draw_affinity(h));
    } else if (what < 13) {
        struct xm_sched_share share = draw_share(h);
        xm_machine_adjust(h->m, d->d, &share);
    } else {
        xm_machine_notify(h->m, a_vcpu(h, d));
    }
}

/* ---- The whole. */

static void draw_sched(struct sh_host *h)
{
    const char *at[16];
    unsigned count = 0;
    for (const char *name = xm_sched_names(); name && count < 16; name = strchr(name, ',')) {
        name += strspn(name, ", ");
        at[count++] = name;
    }
    const char *name = at[xm_rng_below(&h->rng, count)];
    snprintf(h->plan.sched, sizeof h->plan.sched, "%.*s", (int)strcspn(name, ","), name);
    h->plan.machine.sched = xm_sched_named(h->plan.sched);
    if (!h->plan.machine.sched)
        xt_die("there is no scheduler %s, but it is among the names", h->plan.sched);
    struct xm_sched_params *p = &h->plan.machine.params;
    p->slice_ns = chance(h, 50) ? draw_scale(h, 50000, 30000000) : 0;
    p->ratelimit_ns = chance(h, 50) ? draw_scale(h, 1000, 5000000) : chance(h, 80) ? XM_SCHED_OWN : 0;
    p->ctx_allow_ns = chance(h, 50) ? draw_scale(h, 50000, 10000000) : 0;
    p->mcu_ns = chance(h, 30) ? draw(h, 1, 1000000) : 0;
    p->fix_slip = chance(h, 50);
}

static void draw_plan(struct sh_host *h)
{
    /* The default; no creation and end of domains; both without I/O; copies. */
    static const uint32_t masks[] = {0x169000, 0x21000, 0x29000, 0x61000, 0x36b000};
    static const uint64_t clocks[] = {1000000000, 2100000000, 2399999999, 3300000000, 24000000};
    struct sh_plan *p = &h->plan;
    struct xm_machine_config *c = &p->machine;
    c->cpus = (uint32_t)draw(h, 1, SH_CPUS);
    c->hz = clocks[xm_rng_below(&h->rng, 5)];
    c->events = masks[xm_rng_below(&h->rng, 5)];
    c->switch_ns = chance(h, 30) ? 0 : draw_scale(h, 1, 5000);
    c->batch_transfers = chance(h, 50);
    c->sink = (struct xm_sim_sink){put, h};
    p->tells_ends = c->events != 0x21000;
    draw_sched(h);
    bool lossy = chance(h, 40);
    p->pages = lossy ? (uint32_t)draw(h, 1, 3) : (uint32_t)draw(h, 64, 256);
    p->look_ns = lossy ? draw_scale(h, 100000, 50000000) : draw_scale(h, 20000, 2000000);
    p->step_ns = draw_scale(h, 20000, 2000000);
    p->steps = (unsigned)draw(h, 20, 300);
    p->warm_up = chance(h, 40) ? (unsigned)draw(h, 1, 50) : 0;
    p->interval_ns = chance(h, 70) ? draw_scale(h, 100000, 100000000) : 0;
    p->whole_passes = chance(h, 50);
}

/*
 * Tracing begins, at an instant that every record so far is before: all that comes is after it.  Waits that go on have
 * the cause other, and nobody knows where anybody ran before.
 */
static void begin_tracing(struct sh_host *h)
{
    while (xm_machine_end(h->m).v != xm_machine_tsc(h->m, xm_machine_now(h->m)).v)
        go_on(h, xm_machine_now(h->m) + 1);
    h->tracing = true;
    h->began = xm_machine_end(h->m).v;
    for (unsigned i = 0; i < h->domains; i++) {
        struct sh_domain *d = &h->domain[i];
        d->over = !is_live(d);
        d->io_before = d->d->io;
        d->done_before = d->d->io_done;
        for (unsigned k = 0; k < d->d->vcpus; k++) {
            struct xm_sim_vcpu *v = &d->d->vcpu[k];
            v->cause = XM_TRUTH_OTHER;
            v->truth.executions = 0;
            v->truth.seen = false;
            d->vcpu[k].before = xm_truth_of(h->m, v);
            d->vcpu[k].state_before = v->state;
        }
    }
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++) {
        h->cpu[cpu].before = xm_truth_of_cpu(h->m, cpu);
        h->cpu[cpu].idle_before = !xm_machine_current(h->m, cpu);
    }
    h->next_look_ns = xm_machine_now(h->m) + xm_rng_exponential(&h->rng, h->plan.look_ns);
}

/* Where records were lost last, one more fits, so that the loss is told. */
static void end_tracing(struct sh_host *h)
{
    uint64_t end = xm_machine_end(h->m).v;
    look(h);
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++) {
        end = xm_machine_end(h->m).v;
        const struct xm_record of_no_interest = {.event = 0x00081001u, .has_tsc = true, .tsc = {end}};
        const struct xm_sim_vcpu *v = xm_machine_current(h->m, cpu);
        uint32_t current = v ? v->domain->domid | (uint32_t)v->number << 16 : XM_DOMID_IDLE | cpu << 16;
        if (h->cpu[cpu].losing)
            put(h, cpu, &of_no_interest, xm_cycles_of(end), current);
    }
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++)
        look_at(h, cpu);
    h->tracing = false;
}

static void begin(struct sh_host *h)
{
    struct xm_error err;
    if (xm_machine_create(&h->plan.machine, &h->m, &err) != XM_OK)
        xt_die("%s", err.text);
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++) {
        struct sh_cpu *c = &h->cpu[cpu];
        c->buffer = calloc(h->plan.pages, XM_RING_PAGE_BYTES);
        if (!c->buffer || xm_ring_produce(&c->producer, c->buffer, h->plan.pages) != XM_OK ||
            xm_ring_attach(&c->reader, c->buffer, h->plan.pages) != XM_OK)
            xt_die("no trace buffer");
    }
    const struct xm_bake_config config = config_of(h, &h->live, XM_ORDER_PROMPT);
    begin_reading(&h->live, &config);
}

struct sh_host *sh_run(uint64_t seed, unsigned most_steps, uint32_t show_word, uint64_t show_from)
{
    struct sh_host *h = calloc(1, sizeof *h);
    if (!h)
        xt_die("out of memory");
    h->seed = seed;
    h->first = UINT64_MAX;
    h->began = XM_SIM_TSC_START;
    h->show_word = show_word;
    h->show_from = show_from;
    xm_rng_seed(&h->rng, seed, 'h');
    draw_plan(h);
    begin(h);
    if (h->plan.warm_up == 0 && chance(h, 50))
        begin_tracing(h);
    uint64_t domains = draw(h, 1, SH_LIVE);
    while (domains-- > 0)
        create(h);
    for (unsigned step = 0; step < h->plan.steps && step < most_steps; step++) {
        if (!h->tracing && step >= h->plan.warm_up)
            begin_tracing(h);
        go_on_looking(h, xm_machine_now(h->m) + xm_rng_exponential(&h->rng, h->plan.step_ns));
        if (chance(h, 70))
            meddle(h);
    }
    if (!h->tracing)
        begin_tracing(h);
    end_tracing(h);
    end_reading(&h->live);
    return h;
}

void sh_free(struct sh_host *h)
{
    xm_machine_destroy(h->m);
    for (uint32_t cpu = 0; cpu < h->plan.machine.cpus; cpu++)
        free(h->cpu[cpu].buffer);
    sh_reading_free(&h->live);
    xt_free(&h->file);
    free(h->told);
    free(h->gap);
    free(h);
}

struct sh_reading sh_read_file(const struct sh_host *h)
{
    struct sh_reading r = {0};
    struct xm_bake_config config = config_of(h, &r, XM_ORDER_STRICT);
    begin_reading(&r, &config);
    push(&r, h->file.data, h->file.size);
    end_reading(&r);
    if (xm_bake_hindsight(r.bake)) {
        struct xm_bake *first = r.bake;
        r.broken = NULL;
        begin_reading(&r, &config);
        if (xm_bake_expect(r.bake, first) != XM_OK)
            xt_die("out of memory");
        xm_bake_destroy(first);
        push(&r, h->file.data, h->file.size);
        end_reading(&r);
    }
    xm_bake_destroy(r.bake); /* its user is this very structure, which moves */
    r.bake = NULL;
    return r;
}

void sh_reading_free(struct sh_reading *r)
{
    xm_bake_destroy(r->bake);
    xm_sample_fini(&r->sample);
}

void sh_describe(const struct sh_host *h)
{
    const struct xm_machine_config *c = &h->plan.machine;
    xt_note("host %llu: %s, %u pCPUs, %llu Hz, events %#x, switch %llu ns%s; %u domains in all; buffers of %u pages, "
            "looked at every %llu ns; tracing from %llu, records from %llu to %llu, %llu lost",
            (unsigned long long)h->seed, h->plan.sched, c->cpus, (unsigned long long)c->hz, c->events,
            (unsigned long long)c->switch_ns, c->batch_transfers ? ", batches" : "", h->domains, h->plan.pages,
            (unsigned long long)h->plan.look_ns, (unsigned long long)h->began, (unsigned long long)h->first,
            (unsigned long long)h->last, (unsigned long long)h->lost);
}
