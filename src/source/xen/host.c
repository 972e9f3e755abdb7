/* SPDX-License-Identifier: MIT */
#include "source/xen/host.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/account.h"
#include "region/plan.h"
#include "source/cpu_time.h"
#include "source/xen/live.h"
#include "xenmon/units.h"

#define REFRESH_NS XM_NS_PER_S

/*
 * The instant of a sample is known by the newest record's age (src/source/loop.c), which a host that wakes xenbaked ten
 * times a second keeps far below this.
 */
#define CLOCK_SLACK_NS UINT64_C(100000000)

/*
 * cpu_time is as of a list, samples of the slow series are what is kept for long: so the host is asked right
 * before one of these is due, which may be waited for.  What is published then is that sample or, by a rounding,
 * the next.
 */
#define AHEAD_NS UINT64_C(150000000) /* more than there is between two samples */
#define PATIENCE_NS UINT64_C(600000000)

#define NEWCOMERS 1024u /* more are introduced a second later */
#define ABSENT 1024u    /* and more end one later */

/* A vCPU that the host lists and no record has named. */
struct newcomer {
    uint16_t domid;
    uint16_t vcpu;
    enum xm_runstate state;
};

/* A domain that has a row and is not in the host's list. */
struct absent {
    uint64_t id;
    uint32_t slot;
    bool again; /* nor was it in the list before */
};

/* What a domain's row was last filled with, which stays after its end, and what its devices had carried before. */
struct filled {
    uint64_t id;
    bool based;
    struct xm_facts_devices base, devices;
};

/* CPU time that a domain had used when the run began. */
struct used {
    uint16_t domid;
    uint8_t handle[16];
    uint64_t ns;
};

struct xm_host {
    struct xm_host_config config;
    uint64_t refreshed_ns;    /* CLOCK_MONOTONIC; 0: never */
    uint64_t told;            /* a TSC that was past when the host was last asked, */
    uint64_t listed_ns;       /* a time by which it had listed its domains, */
    uint64_t settled_ns;      /* and one by which it had answered, with what a sample's instant can be off */
    bool counted;             /* the list's CPU times wait for the account to come to that time */
    struct used *used;        /* by ascending id; NULL: not known yet */
    size_t useds;
    struct xm_cpu_times times;
    struct xm_scale scale;
    bool pending;             /* the answer waits for the account to come to that time */
    struct newcomer newcomer[NEWCOMERS];
    size_t newcomers;
    uint64_t ends;            /* that the account had seen when the host was last asked */
    struct absent absent[ABSENT];
    size_t absents;
    uint32_t fewest;          /* pCPUs that have been online at once; 0: not known */
    bool said_cpus;           /* that more have come */
    bool all_traced;          /* as configured, until pCPUs come that nobody knows this of */
    struct filled *filled;    /* by domain slot */
    uint32_t room;
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- CPU time by the hypervisor's account. */

/* Once, and again where there was no list: who comes later begins at 0. */
static void note_used(struct xm_host *h)
{
    size_t count;
    const struct xm_facts_domain *f = xm_facts_domains(h->config.facts, &count);
    if (h->used || !count || !xm_facts_listed(h->config.facts))
        return;
    h->used = calloc(count, sizeof *h->used);
    for (size_t i = 0; h->used && i < count; i++) {
        struct used *u = &h->used[h->useds++];
        *u = (struct used){.domid = f[i].domain.domid, .ns = f[i].domain.cpu_ns};
        memcpy(u->handle, f[i].domain.handle, sizeof u->handle);
    }
}

static int compare_domids(const void *a, const void *b)
{
    return (int)((const struct used *)a)->domid - (int)((const struct used *)b)->domid;
}

/* xm_cpu_time_of */
static uint64_t cpu_time(void *user, uint32_t domid)
{
    const struct xm_host *h = user;
    const struct xm_facts_domain *f = xm_facts_find(h->config.facts, domid);
    if (!f)
        return 0;
    const struct used key = {.domid = f->domain.domid};
    const struct used *u = bsearch(&key, h->used, h->useds, sizeof key, compare_domids);
    /* Another domain of the same id began at 0 as well. */
    bool same = u && memcmp(u->handle, f->domain.handle, sizeof u->handle) == 0 && u->ns <= f->domain.cpu_ns;
    return f->domain.cpu_ns - (same ? u->ns : 0);
}

enum xm_status xm_host_create(const struct xm_host_config *config, struct xm_host **host, struct xm_error *err)
{
    *host = calloc(1, sizeof **host);
    if (!*host)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    (*host)->config = *config;
    (*host)->all_traced = config->all_traced;
    (*host)->fewest = config->cpus;
    /* Before the first record is read: what has been used up to here is no part of the run. */
    if (xm_facts_refresh(config->facts) == XM_OK)
        note_used(*host);
    return XM_OK;
}

void xm_host_destroy(struct xm_host *h)
{
    if (!h)
        return;
    xm_cpu_times_fini(&h->times);
    free(h->used);
    free(h->filled);
    free(h);
}

/* ---- Asking the host. */

/* As Xen's runstates have it: what was blocked stays so while the domain is paused, and is offline once it is woken. */
static enum xm_runstate state_of(const struct xm_control_domain *domain, const struct xm_control_vcpu *vcpu)
{
    if (vcpu->running)
        return XM_RUNNING;
    if (vcpu->blocked)
        return XM_BLOCKED;
    return domain->paused || domain->shut_down || !vcpu->online ? XM_OFFLINE : XM_RUNNABLE;
}

static void note_newcomers(struct xm_host *h, const struct xm_account *account, const struct xm_control_domain *domain)
{
    struct xm_control_vcpu info;
    for (uint32_t n = 0; n < domain->vcpus && n < XM_MAX_VCPU_NUMBER && h->newcomers < NEWCOMERS; n++) {
        if (xm_account_knows(account, domain->domid, n))
            continue;
        if (xm_control_vcpu(h->config.control, domain->domid, n, &info) == XM_OK)
            h->newcomer[h->newcomers++] =
                (struct newcomer){domain->domid, (uint16_t)n, state_of(domain, &info)};
    }
}

static bool was_absent(const struct xm_host *h, size_t before, uint64_t id)
{
    for (size_t i = 0; i < before; i++)
        if (h->absent[i].id == id)
            return true;
    return false;
}

/*
 * The account is behind the list, so that every domain that it has was there before.  Yet the record of a domain's
 * creation is written before the host lists it: absent from one list may mean that it is about to come, only from two a
 * second apart that it has gone.  This is asked whatever the trace tells of ends, for such a record can be lost.
 */
static void note_absent(struct xm_host *h, const struct xm_account *account)
{
    struct absent now[ABSENT];
    size_t count = 0;
    uint32_t slots = xm_account_capacity(account).domains;
    for (uint32_t slot = 0; slot < slots && count < ABSENT; slot++) {
        struct xm_account_domain d = xm_account_domain(account, slot);
        if (d.id && !d.ended.v && !xm_facts_find(h->config.facts, xm_row_domid(d.id)))
            now[count++] = (struct absent){d.id, slot, was_absent(h, h->absents, d.id)};
    }
    memcpy(h->absent, now, count * sizeof now[0]);
    h->absents = count;
}

static void ask(struct xm_host *h, struct xm_bake *bake)
{
    size_t count;
    const struct xm_account *account = xm_bake_account(bake);
    h->told = xm_bake_stats(bake).last_tsc.v;
    h->ends = xm_account_ends(account);
    h->newcomers = 0;
    h->refreshed_ns = clock_ns(CLOCK_MONOTONIC);
    if (xm_facts_refresh(h->config.facts) != XM_OK)
        return;
    h->listed_ns = clock_ns(CLOCK_MONOTONIC);
    note_used(h);
    h->counted = h->used && xm_facts_listed(h->config.facts);
    const struct xm_facts_domain *domains = xm_facts_domains(h->config.facts, &count);
    for (size_t i = 0; i < count; i++)
        if (!domains[i].domain.dying)
            note_newcomers(h, account, &domains[i].domain);
    if (count && xm_facts_listed(h->config.facts))
        note_absent(h, account);
    h->settled_ns = clock_ns(CLOCK_MONOTONIC) + CLOCK_SLACK_NS;
    h->pending = true;
}

/*
 * A domain that has ended since they were noted may be theirs, and they would open a row that nothing ends: they are
 * dropped, and asked for again.
 */
static enum xm_status introduce(struct xm_host *h, struct xm_bake *bake)
{
    enum xm_status status = XM_OK;
    uint64_t told = h->all_traced ? h->told : 0;
    if (xm_account_ends(xm_bake_account(bake)) != h->ends)
        return XM_OK;
    for (size_t i = 0; i < h->newcomers && status == XM_OK; i++) {
        const struct newcomer *n = &h->newcomer[i];
        status = xm_bake_introduce(bake, n->domid, n->vcpu, n->state, xm_cycles_of(told));
    }
    return status;
}

/* The account has come to the time of the answer. */
static enum xm_status tell(struct xm_host *h, struct xm_bake *bake)
{
    enum xm_status status = introduce(h, bake);
    const struct xm_account *account = xm_bake_account(bake);
    h->pending = false;
    for (size_t i = 0; i < h->absents; i++) {
        const struct absent *gone = &h->absent[i];
        const struct xm_account_domain d = xm_account_domain(account, gone->slot);
        /* Where it has ended meanwhile, its number may be that of another. */
        if (gone->again && d.id == gone->id && !d.ended.v)
            xm_bake_gone(bake, xm_row_domid(gone->id));
    }
    return status;
}

/* Trace time from a sample to the next one of the slow series: source/publish.c. */
static uint64_t until_slow_ns(struct xm_host *h, struct xm_bake *bake, xm_cycles now)
{
    const char *from;
    uint64_t start = xm_bake_start(bake).v;
    if (!h->scale.hz)
        (void)xm_scale_init(&h->scale, xm_bake_hz(bake, &from));
    uint64_t at = now.v > start ? xm_scale_to_ns(&h->scale, xm_cycles_of(now.v - start)).v : 0;
    return XM_PLAN_SLOW_INTERVAL_NS - at % XM_PLAN_SLOW_INTERVAL_NS;
}

/* A sample is told of a while after it was, so that the one which the answer is for need not be the next. */
static bool is_due(struct xm_host *h, struct xm_bake *bake, xm_cycles now, struct xm_moment moment)
{
    uint64_t clock = clock_ns(CLOCK_MONOTONIC), since = clock - h->refreshed_ns;
    uint64_t slow = moment.mono_ns + until_slow_ns(h, bake, now);
    uint64_t left = slow > clock ? slow - clock : UINT64_MAX;
    if (!h->refreshed_ns)
        return true;
    if (left <= AHEAD_NS)
        return since > AHEAD_NS;
    return since >= REFRESH_NS && left > PATIENCE_NS;
}

static enum xm_status before(void *user, struct xm_bake *bake, xm_cycles now, struct xm_moment moment)
{
    struct xm_host *h = user;
    enum xm_status status = XM_OK;
    /* Without memory the next sample may have more luck. */
    if (h->counted && moment.mono_ns >= h->listed_ns)
        h->counted = xm_cpu_times_take(&h->times, xm_bake_account(bake), xm_cycles_of(h->told), cpu_time,
                                       h) != XM_OK;
    if (h->pending && moment.mono_ns >= h->settled_ns)
        status = tell(h, bake);
    if (!h->pending && is_due(h, bake, now, moment))
        ask(h, bake);
    return status;
}

/* ---- Into the sample. */

static bool make_room(struct xm_host *h, uint32_t domains)
{
    if (domains <= h->room)
        return true;
    struct filled *filled = realloc(h->filled, domains * sizeof *filled);
    if (!filled)
        return false;
    memset(filled + h->room, 0, (domains - h->room) * sizeof *filled);
    h->filled = filled;
    h->room = domains;
    return true;
}

static void fill_domain(struct xm_host *h, struct xm_domain_row *row, struct filled *filled)
{
    const struct xm_facts_domain *f = row->ended ? NULL : xm_facts_find(h->config.facts, xm_row_domid(row->id));
    if (filled->id != row->id)
        *filled = (struct filled){.id = row->id};
    if (f) {
        if (!filled->based)
            filled->base = f->devices;
        filled->based = true;
        filled->devices = f->devices;
        row->online = f->domain.online;
        row->paused = f->domain.paused;
        row->weight = f->domain.weight;
        row->cap = f->domain.cap;
    }
    const struct xm_facts_devices *d = &filled->devices;
    const struct xm_facts_devices *base = &filled->base;
    row->vifs = d->vifs;
    row->vbds = d->vbds;
    row->received_bytes = d->received_bytes - base->received_bytes;
    row->received_packets = d->received_packets - base->received_packets;
    row->sent_bytes = d->sent_bytes - base->sent_bytes;
    row->sent_packets = d->sent_packets - base->sent_packets;
    row->disk_reads = d->reads - base->reads;
    row->disk_writes = d->writes - base->writes;
    row->disk_read_bytes = d->read_bytes - base->read_bytes;
    row->disk_write_bytes = d->write_bytes - base->write_bytes;
}

static void fill_pcpu(struct xm_host *h, struct xm_pcpu_row *row)
{
    uint32_t permille;
    if (row->id && xm_live_fill(h->config.source, (uint32_t)(row->id & UINT16_MAX), &permille))
        row->buffer_fill = permille;
}

static void fill(void *user, struct xm_sample *sample)
{
    struct xm_host *h = user;
    const struct xm_live_status live = xm_live_status(h->config.source);
    sample->host.passes = live.passes;
    sample->host.wakeups = live.wakeups;
    sample->host.virqs = live.virqs;
    sample->host.bogus = live.bogus;
    sample->host.stolen = live.stolen;
    sample->host.repaired = live.repaired;
    sample->host.own_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sample->host.dropped = h->config.tee ? xm_tee_status(h->config.tee).passes_dropped : 0;
    for (uint32_t i = 0; i < sample->used.pcpus; i++)
        fill_pcpu(h, &sample->pcpu[i]);
    xm_cpu_times_fill(&h->times, sample);
    if (!make_room(h, sample->capacity.domains))
        return; /* the next sample may have more luck */
    for (uint32_t i = 0; i < sample->used.domains; i++)
        if (sample->domain[i].id)
            fill_domain(h, &sample->domain[i], &h->filled[i]);
}

static void name(void *user, uint32_t domid, char text[64], char uuid[40])
{
    const struct xm_host *h = user;
    const struct xm_facts_domain *f = xm_facts_find(h->config.facts, domid);
    if (!f)
        return;
    memcpy(text, f->name, sizeof f->name);
    memcpy(uuid, f->uuid, sizeof f->uuid);
}

struct xm_surroundings xm_host_surroundings(struct xm_host *h)
{
    return (struct xm_surroundings){.before = before, .fill = fill, .name = name, .user = h};
}

/*
 * What goes offline takes its buffer with it, and what comes online gets none: it runs vCPUs and writes nothing, which
 * counts as lost nowhere.
 */
static bool cpus_have_come(struct xm_host *h)
{
    struct xm_control_host now;
    xm_control_host(h->config.control, &now);
    if (!now.cpus)
        return false; /* not to be had */
    bool come = h->fewest && now.cpus > h->fewest;
    if (!h->fewest || now.cpus < h->fewest)
        h->fewest = now.cpus;
    return come;
}

bool xm_host_look_after(struct xm_host *h)
{
    xm_live_look_after(h->config.source);
    if (h->said_cpus || !cpus_have_come(h))
        return false;
    h->all_traced = false;
    return h->said_cpus = true;
}
