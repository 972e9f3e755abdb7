/* SPDX-License-Identifier: MIT */
/*
 * As in a live host (source/xen/live.c) a pass looks at all buffers before it delivers the first byte: what is written
 * later belongs to the next one, and a buffer that was full is told by the size of its window.
 */
#include "source/sim.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/account.h"
#include "source/cpu_time.h"
#include "source/source_int.h"
#include "trace/format.h"
#include "trace/ring.h"
#include "xenmon/sample.h"
#include "xenmon/units.h"

#define PIECE_BYTES 65536u
#define NS_PER_MS UINT64_C(1000000)
#define SLICE_NS UINT64_C(1000000)    /* of simulated time between two looks at the clock, */
#define PATIENCE_NS UINT64_C(50000000) /* for whoever calls has other things to do */
#define HURRY_NS UINT64_C(500000000) /* as far as this behind real time is caught up with, further is given up */

struct sim_cpu {
    struct xm_ring ring;
    struct xm_ring_window window;
    uint32_t permille; /* highest fill since it was asked for */
};

/* What every domain has run up to the end of a pass, by ascending id. */
struct sim_list {
    uint64_t tsc;
    struct sim_ran {
        uint16_t domid;
        uint64_t ns;
    } *ran;
    size_t count, room;
};
#define LISTS 4u /* samples are at most two passes late */

struct sim_source {
    struct xm_source base;
    struct xm_sim_source_config config;
    struct xm_sim_source_status status;
    uint64_t begun_ns; /* CLOCK_MONOTONIC of simulated time 0; 0: not begun */
    uint64_t next_ns;  /* simulated time of the next pass */
    uint32_t cpus, at;
    uint32_t given;    /* bytes of the window */
    uint64_t simulated_ns; /* CPU time that went into the simulation: no cost of who reads a trace, */
    uint64_t own_ns;   /* and what remained of the process's, as last told */
    uint64_t lost;     /* records, as of the last look for domains whose end nobody saw */
    bool delivering, announced, ended;
    bool last, over;   /* this pass is the last; and what was lost by then has been told in one more */
    uint32_t header[3];
    struct sim_list list[LISTS]; /* of pass n: n % LISTS */
    uint64_t taken;              /* TSC of the list that the samples' cpu_time is of */
    struct xm_cpu_times times;
    struct xm_scale scale;       /* of the TSC */
    struct sim_cpu cpu[XM_SIM_CPUS];
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- Waiting. */

static uint64_t due_ns(struct sim_source *s, uint64_t now)
{
    if (!s->begun_ns)
        s->begun_ns = now ? now : 1;
    uint64_t due = s->begun_ns + (uint64_t)((unsigned __int128)s->next_ns * XM_SIM_SPEED_ONE / s->config.speed);
    if (due + HURRY_NS < now) {
        s->status.late_ns += now - due;
        s->begun_ns += now - due;
        due = now;
    }
    return due;
}

/* True once a pass is due; false: the timeout, a signal or the caller's business came first. */
static bool wait(struct sim_source *s, int timeout_ms)
{
    if (s->config.speed == XM_SIM_SPEED_MAX)
        return true;
    uint64_t now = now_ns(), due = due_ns(s, now);
    if (due <= now)
        return true;
    uint64_t left = due - now;
    if (timeout_ms >= 0 && left > (uint64_t)timeout_ms * NS_PER_MS)
        left = (uint64_t)timeout_ms * NS_PER_MS;
    struct pollfd p = {.fd = s->config.wake_fd, .events = POLLIN};
    const struct timespec t = {(time_t)(left / XM_NS_PER_S), (long)(left % XM_NS_PER_S)};
    if (ppoll(&p, 1, &t, NULL) != 0)
        return false;
    return now_ns() >= due;
}

/* ---- A pass. */

/* XM_AGAIN: in real time a host that is too much work for this machine must not keep the caller. */
static enum xm_status simulate(struct sim_source *s, uint64_t until, struct xm_error *err)
{
    const bool paced = s->config.speed != XM_SIM_SPEED_MAX;
    const uint64_t begun = paced ? now_ns() : 0;
    struct xm_machine *m = xm_simhost_machine(s->config.host);
    while (xm_machine_now(m) < until) {
        uint64_t left = until - xm_machine_now(m);
        if (xm_simhost_run(s->config.host, paced && left > SLICE_NS ? xm_machine_now(m) + SLICE_NS : until) != XM_OK)
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        if (paced && xm_machine_now(m) < until && now_ns() - begun > PATIENCE_NS)
            return XM_AGAIN;
    }
    return XM_OK;
}

static int compare_domids(const void *a, const void *b)
{
    return (int)((const struct sim_ran *)a)->domid - (int)((const struct sim_ran *)b)->domid;
}

static uint64_t ran_cycles(const struct xm_machine *m, const struct xm_sim_domain *d)
{
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < d->vcpus; i++)
        cycles += xm_truth_of(m, &d->vcpu[i]).in_state[XM_RUNNING];
    return cycles;
}

/* As a hypervisor lists its domains: from its own account, and those that live. */
static enum xm_status list_domains(struct sim_source *s, struct xm_error *err)
{
    const struct xm_machine *m = xm_simhost_machine(s->config.host);
    struct sim_list *list = &s->list[s->status.passes % LISTS];
    list->tsc = xm_machine_end(m).v;
    list->count = 0;
    for (const struct xm_sim_domain *d = xm_machine_domains(m); d; d = d->next) {
        if (d->ended)
            continue;
        if (list->count == list->room) {
            size_t room = list->room ? 2 * list->room : 32;
            struct sim_ran *ran = realloc(list->ran, room * sizeof *ran);
            if (!ran)
                return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
            list->ran = ran;
            list->room = room;
        }
        uint64_t ns = xm_scale_to_ns(&s->scale, xm_cycles_of(ran_cycles(m, d))).v;
        list->ran[list->count++] = (struct sim_ran){.domid = d->domid, .ns = ns};
    }
    if (list->count)
        qsort(list->ran, list->count, sizeof *list->ran, compare_domids);
    return XM_OK;
}

static enum xm_status begin_pass(struct sim_source *s, struct xm_error *err)
{
    uint64_t until = s->next_ns;
    if (s->config.until_ns && until > s->config.until_ns)
        until = s->config.until_ns;
    const uint64_t begun = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    enum xm_status status = s->over ? XM_OK : simulate(s, until, err);
    s->simulated_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
    if (status != XM_OK)
        return status;
    status = list_domains(s, err);
    if (status != XM_OK)
        return status;
    s->last = s->over || until == s->config.until_ns;
    for (uint32_t i = 0; i < s->cpus; i++) {
        struct sim_cpu *c = &s->cpu[i];
        if (xm_ring_peek(&c->ring, &c->window) != XM_OK)
            c->window.size = 0; /* nothing there; nobody but the host and this writes indices */
        uint32_t permille = (uint32_t)((uint64_t)c->window.size * 1000 / c->ring.bytes);
        c->permille = permille > c->permille ? permille : c->permille;
        s->status.bytes += c->window.size;
    }
    s->next_ns += s->config.poll_ns;
    s->status.passes++;
    s->delivering = true;
    s->announced = false;
    s->at = s->given = 0;
    return XM_OK;
}

static size_t announce(struct sim_source *s, const struct sim_cpu *c, const void **bytes)
{
    s->announced = true;
    s->header[0] = XM_WINDOW_HEADER;
    s->header[1] = s->at;
    s->header[2] = c->window.size;
    *bytes = s->header;
    return sizeof s->header;
}

/* The next bytes of a window, in place in the buffer. */
static size_t hand_out(struct sim_source *s, const struct sim_cpu *c, const void **bytes)
{
    unsigned which = s->given < c->window.part[0].size ? 0 : 1;
    uint32_t from = which ? s->given - c->window.part[0].size : s->given;
    uint32_t size = c->window.part[which].size - from;
    size = size < PIECE_BYTES ? size : PIECE_BYTES;
    *bytes = c->window.part[which].bytes + from;
    s->given += size;
    return size;
}

/* 0: the pass is over.  Windows are given back whole, once the caller is done with their last piece. */
static size_t deliver(struct sim_source *s, const void **bytes)
{
    for (; s->at < s->cpus; s->at++) {
        struct sim_cpu *c = &s->cpu[s->at];
        if (!s->announced && c->window.size)
            return announce(s, c, bytes);
        if (s->given < c->window.size)
            return hand_out(s, c, bytes);
        if (c->window.size)
            xm_ring_consume(&c->ring, c->window.size);
        s->announced = false;
        s->given = 0;
    }
    return 0;
}

static enum xm_status next(struct xm_source *source, int timeout_ms, const void **bytes, size_t *size, struct xm_error *err)
{
    struct sim_source *s = (struct sim_source *)source;
    s->ended = false;
    if (!s->delivering) {
        if (s->last && (s->over || !xm_simhost_end(s->config.host)))
            return XM_END;
        s->over = s->last;
        if (!wait(s, timeout_ms))
            return XM_AGAIN;
        enum xm_status status = begin_pass(s, err);
        if (status != XM_OK)
            return status;
    }
    *size = deliver(s, bytes);
    if (*size)
        return XM_OK;
    s->delivering = false;
    s->ended = true;
    return XM_AGAIN;
}

static bool pass_ended(struct xm_source *source)
{
    struct sim_source *s = (struct sim_source *)source;
    bool ended = s->ended;
    s->ended = false;
    return ended;
}

static void close_sim(struct xm_source *source)
{
    struct sim_source *s = (struct sim_source *)source;
    xm_cpu_times_fini(&s->times);
    for (unsigned i = 0; i < LISTS; i++)
        free(s->list[i].ran);
    free(s);
}

static const struct xm_source_ops ops = {.next = next, .pass_ended = pass_ended, .close = close_sim};

enum xm_status xm_sim_source_open(const struct xm_sim_source_config *config, struct xm_source **source, struct xm_error *err)
{
    struct sim_source *s = calloc(1, sizeof *s);
    *source = NULL;
    if (!s)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    s->base.ops = &ops;
    s->base.live = true;
    snprintf(s->base.name, sizeof s->base.name, "%s", config->name);
    s->config = *config;
    s->next_ns = xm_machine_now(xm_simhost_machine(config->host)) + config->poll_ns;
    s->cpus = xm_machine_cpus(xm_simhost_machine(config->host));
    (void)xm_scale_init(&s->scale, xm_simhost_scenario(config->host)->hz);
    for (uint32_t i = 0; i < s->cpus; i++) {
        enum xm_status status =
            xm_ring_attach(&s->cpu[i].ring, xm_simhost_buffer(config->host, i), xm_simhost_pages(config->host));
        if (status != XM_OK) {
            free(s);
            return xm_fail(err, status, XM_NO_OFFSET, "no such trace buffer");
        }
    }
    *source = &s->base;
    return XM_OK;
}

void xm_sim_source_stop(struct xm_source *source)
{
    ((struct sim_source *)source)->last = true;
}

struct xm_sim_source_status xm_sim_source_status(const struct xm_source *source)
{
    return ((const struct sim_source *)source)->status;
}

/* ---- What is known of the host beside its trace. */

/* xm_cpu_time_of */
static uint64_t cpu_time(void *user, uint32_t domid)
{
    const struct sim_list *list = user;
    const struct sim_ran key = {.domid = (uint16_t)domid};
    const struct sim_ran *ran =
        list->count ? bsearch(&key, list->ran, list->count, sizeof key, compare_domids) : NULL;
    return ran ? ran->ns : 0;
}

/* The newest list that the account has come to. */
static enum xm_status take_list(struct sim_source *s, const struct xm_account *account, xm_cycles now)
{
    struct sim_list *best = NULL;
    for (unsigned i = 0; i < LISTS; i++)
        if (s->list[i].tsc <= now.v && s->list[i].tsc > (best ? best->tsc : s->taken))
            best = &s->list[i];
    if (!best)
        return XM_OK;
    s->taken = best->tsc;
    return xm_cpu_times_take(&s->times, account, xm_cycles_of(best->tsc), cpu_time, best);
}

/*
 * Where records have been lost, that of a domain's end may be among them: the account has come beyond that time, and
 * nobody lives under that id.
 */
static enum xm_status before(void *user, struct xm_bake *bake, xm_cycles now, struct xm_moment moment)
{
    struct sim_source *s = user;
    const struct xm_account *account = xm_bake_account(bake);
    uint64_t lost = xm_simhost_lost(s->config.host);
    uint32_t slots = lost > s->lost ? xm_account_capacity(account).domains : 0;
    bool later = false;
    (void)moment;
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct xm_account_domain row = xm_account_domain(account, slot);
        uint32_t domid = xm_row_domid(row.id);
        uint64_t ended = xm_simhost_ended(s->config.host, (uint16_t)domid).v;
        if (!row.id || row.ended.v || !ended)
            continue;
        if (ended < now.v)
            xm_bake_gone(bake, domid);
        else
            later = true;
    }
    if (!later && slots)
        s->lost = lost;
    return take_list(s, account, now);
}

static void fill_domain(struct sim_source *s, struct xm_domain_row *row)
{
    const struct xm_sim_domain *d = row->ended ? NULL : xm_simhost_domain(s->config.host, (uint16_t)(row->id & UINT16_MAX));
    if (!d)
        return;
    row->online = d->vcpus;
    row->paused = d->paused;
    row->weight = d->share.weight;
    row->cap = d->share.cap;
}

/* What the process has used less the simulation, which on a real host the hypervisor and its guests would be; never less. */
static uint64_t own_cpu(struct sim_source *s)
{
    uint64_t all = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t own = all > s->simulated_ns ? all - s->simulated_ns : 0;
    s->own_ns = own > s->own_ns ? own : s->own_ns;
    return s->own_ns;
}

static void fill(void *user, struct xm_sample *sample)
{
    struct sim_source *s = user;
    sample->host.passes = s->status.passes;
    sample->host.own_cpu = own_cpu(s);
    xm_cpu_times_fill(&s->times, sample);
    for (uint32_t i = 0; i < sample->used.domains; i++)
        if (sample->domain[i].id)
            fill_domain(s, &sample->domain[i]);
    for (uint32_t i = 0; i < sample->used.pcpus; i++) {
        struct xm_pcpu_row *row = &sample->pcpu[i];
        uint32_t cpu = (uint32_t)(row->id & UINT16_MAX);
        if (!row->id || cpu >= s->cpus)
            continue;
        row->buffer_fill = s->cpu[cpu].permille;
        s->cpu[cpu].permille = 0;
    }
}

static void name(void *user, uint32_t domid, char text[64], char uuid[40])
{
    const struct sim_source *s = user;
    const char *known = domid <= UINT16_MAX ? xm_simhost_name(s->config.host, (uint16_t)domid) : NULL;
    (void)uuid;
    if (known)
        snprintf(text, 64, "%s", known);
}

struct xm_surroundings xm_sim_source_surroundings(struct xm_source *source)
{
    return (struct xm_surroundings){.before = before, .fill = fill, .name = name, .user = source};
}
