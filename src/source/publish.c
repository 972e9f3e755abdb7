/* SPDX-License-Identifier: MIT */
#include "source/publish.h"

#include <stdlib.h>
#include <string.h>

struct xm_publisher {
    struct xm_publish_config config;
    struct xm_sample sample;
    struct xm_region_domain *told; /* [sample.capacity.domains]: what the region says of each slot */
    struct xm_scale scale;         /* for keep_ns */
    uint64_t next_slow_ns;         /* trace time from which on a sample goes into the slow series too */
    uint64_t slow_tsc;             /* of the newest sample there */
    uint64_t samples;
    struct xm_error cramped;       /* why the region is smaller than the account */
};

static void tell_facts(struct xm_publisher *p)
{
    struct xm_bake *bake = p->config.bake;
    const struct xm_account *account = xm_bake_account(bake);
    const struct xm_stream_stats stats = xm_bake_stats(bake);
    uint64_t anomaly[XM_ANOMALIES];
    struct xm_writer_facts facts = p->config.facts;
    facts.io_seen |= xm_bake_io_seen(bake);
    facts.anomaly = anomaly;
    facts.tsc_hz = xm_bake_hz(bake, &facts.tsc_hz_from);
    if (p->config.hz_from)
        facts.tsc_hz_from = p->config.hz_from;
    facts.states_from = xm_account_from_switch(account) ? "switch" : "runstate";
    facts.classes = stats.by_class;
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        anomaly[i] = xm_account_anomalies(account, i);
    xm_writer_facts(p->config.writer, &facts);
}

static struct xm_region_domain facts_of(struct xm_publisher *p, uint32_t slot)
{
    const struct xm_surroundings *around = &p->config.around;
    struct xm_account_domain d = xm_account_domain(xm_bake_account(p->config.bake), slot);
    struct xm_region_domain facts = {.id = d.id, .created_tsc = d.created.v, .ended_tsc = d.ended.v};
    if (!d.id)
        return facts;
    if (!d.ended.v && around->name)
        around->name(around->user, xm_row_domid(d.id), facts.name, facts.uuid);
    /* One that has ended is listed no more, and its id may be another's: it keeps its name. */
    const struct xm_region_domain *told = &p->told[slot];
    if (!facts.name[0] && told->id == d.id)
        memcpy(facts.name, told->name, sizeof facts.name);
    if (!facts.uuid[0] && told->id == d.id)
        memcpy(facts.uuid, told->uuid, sizeof facts.uuid);
    /* A trace has no names; this one is the same on every host. */
    if (!facts.name[0] && xm_row_domid(d.id) == 0)
        memcpy(facts.name, "Domain-0", sizeof "Domain-0");
    return facts;
}

static void tell_domains(struct xm_publisher *p, uint32_t room)
{
    for (uint32_t slot = 0; slot < p->sample.capacity.domains && slot < room; slot++) {
        const struct xm_region_domain facts = facts_of(p, slot);
        if (memcmp(&facts, &p->told[slot], sizeof facts) == 0)
            continue;
        if (xm_writer_domain(p->config.writer, slot, &facts) == XM_OK)
            p->told[slot] = facts;
    }
}

static enum xm_status tell_histograms(struct xm_publisher *p)
{
    const struct xm_account *account = xm_bake_account(p->config.bake);
    enum xm_status status = XM_OK;
    for (uint32_t slot = 0; slot < p->sample.used.vcpus && status == XM_OK; slot++) {
        const uint64_t *counts[XM_HISTS];
        for (unsigned kind = 0; kind < XM_HISTS; kind++)
            counts[kind] = xm_account_histogram(account, slot, kind);
        status = xm_writer_histograms(p->config.writer, slot, p->sample.vcpu[slot].id, counts);
    }
    return status;
}

/* Leaves out what the region has no room for, and counts it. */
static void squeeze(struct xm_sample *s, struct xm_capacity room)
{
    uint32_t refused = 0;
    for (uint32_t i = room.domains; i < s->used.domains; i++)
        refused += s->domain[i].id != 0;
    for (uint32_t i = room.pcpus; i < s->used.pcpus; i++)
        refused += s->pcpu[i].id != 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        if (i < room.vcpus && s->vcpu_domain[i] < room.domains)
            continue;
        refused += s->vcpu[i].id != 0;
        s->vcpu[i].id = 0;
        s->vcpu_domain[i] = 0;
    }
    s->used.domains = s->used.domains < room.domains ? s->used.domains : room.domains;
    s->used.vcpus = s->used.vcpus < room.vcpus ? s->used.vcpus : room.vcpus;
    s->used.pcpus = s->used.pcpus < room.pcpus ? s->used.pcpus : room.pcpus;
    s->host.refused += refused;
}

static void grow_region(struct xm_publisher *p)
{
    xm_error_clear(&p->cramped);
    if (xm_writer_grow(p->config.writer, p->sample.capacity, &p->cramped) == XM_OK)
        xm_error_clear(&p->cramped);
}

/* Rows of domains that ended long ago make room once 3 of 4 are taken, rather than that the region grows. */
static void reap(struct xm_publisher *p, uint64_t tsc)
{
    const struct xm_sample *s = &p->sample;
    const char *from;
    bool scarce = s->used.domains >= s->capacity.domains - s->capacity.domains / 4 ||
                  s->used.vcpus >= s->capacity.vcpus - s->capacity.vcpus / 4;
    if (!p->scale.hz)
        (void)xm_scale_init(&p->scale, xm_bake_hz(p->config.bake, &from));
    uint64_t keep = xm_scale_to_cycles(&p->scale, xm_ns_of(p->config.keep_ns)).v;
    if (p->config.keep_ns && scarce && keep && tsc > keep)
        xm_account_reap(xm_bake_account(p->config.bake), xm_cycles_of(tsc - keep));
}

/* The sample in hand into the slow series, with all that changes at its pace. */
static enum xm_status publish_slow(struct xm_publisher *p, uint64_t at_ns)
{
    uint64_t interval = xm_writer_plan(p->config.writer)->interval_ns[XM_SERIES_SLOW];
    enum xm_status status = tell_histograms(p);
    tell_facts(p);
    p->next_slow_ns = (at_ns / interval + 1) * interval;
    p->slow_tsc = p->sample.host.tsc;
    return status == XM_OK ? xm_writer_publish(p->config.writer, XM_SERIES_SLOW, &p->sample) : status;
}

enum xm_status xm_publish(struct xm_publisher *p, xm_cycles now, uint64_t at_ns, struct xm_moment moment,
                          struct xm_error *err)
{
    const struct xm_surroundings *around = &p->config.around;
    enum xm_status status = around->before ? around->before(around->user, p->config.bake, now, moment) : XM_OK;
    if (status != XM_OK)
        return status;
    bool slow = p->samples == 0 || at_ns >= p->next_slow_ns;
    if (slow && p->cramped.status != XM_OK)
        grow_region(p);
    struct xm_capacity room = xm_writer_plan(p->config.writer)->capacity;
    xm_bake_sample(p->config.bake, now, true, &p->sample);
    p->sample.host.mono = moment.mono_ns;
    p->sample.host.real = moment.real_ns;
    if (around->fill)
        around->fill(around->user, &p->sample);
    squeeze(&p->sample, room);
    /* All else before the fast sample: who sees that one finds its rate, and the names of its domains. */
    tell_domains(p, room.domains);
    if (slow)
        status = publish_slow(p, at_ns);
    if (status == XM_OK)
        status = xm_writer_publish(p->config.writer, XM_SERIES_FAST, &p->sample);
    if (status != XM_OK)
        return xm_fail(err, status, XM_NO_OFFSET, "a sample does not fit into the region");
    if (p->samples++ == 0)
        xm_writer_state(p->config.writer, XM_WRITER_RUNNING);
    if (slow)
        reap(p, now.v);
    return XM_OK;
}

enum xm_status xm_publish_end(struct xm_publisher *p, uint64_t at_ns)
{
    if (p->samples && p->slow_tsc != p->sample.host.tsc)
        return publish_slow(p, at_ns);
    tell_facts(p);
    return XM_OK;
}

static enum xm_status make_room(struct xm_publisher *p, struct xm_capacity capacity, struct xm_error *err)
{
    struct xm_sample sample;
    enum xm_status status = xm_sample_init(&sample, capacity);
    if (status != XM_OK)
        return xm_fail(err, status, XM_NO_OFFSET, "no memory for %u domains, %u vCPUs and %u pCPUs",
                       capacity.domains, capacity.vcpus, capacity.pcpus);
    struct xm_region_domain *told = calloc(capacity.domains, sizeof *told);
    if (!told) {
        xm_sample_fini(&sample);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    if (p->told)
        memcpy(told, p->told, p->sample.capacity.domains * sizeof *told);
    /* What the last sample said stays known: the newest one's instant is asked for. */
    sample.host = p->sample.host;
    xm_sample_fini(&p->sample);
    free(p->told);
    p->sample = sample;
    p->told = told;
    return XM_OK;
}

enum xm_status xm_publish_grow(struct xm_publisher *p, struct xm_capacity capacity, struct xm_error *err)
{
    enum xm_status status = make_room(p, capacity, err);
    if (status == XM_OK)
        grow_region(p);
    return status;
}

enum xm_status xm_publisher_create(const struct xm_publish_config *config, struct xm_publisher **publisher,
                                   struct xm_error *err)
{
    struct xm_publisher *p = calloc(1, sizeof *p);
    *publisher = NULL;
    if (!p)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    p->config = *config;
    xm_error_clear(&p->cramped);
    enum xm_status status = make_room(p, xm_account_capacity(xm_bake_account(config->bake)), err);
    if (status != XM_OK) {
        xm_publisher_destroy(p);
        return status;
    }
    *publisher = p;
    return XM_OK;
}

void xm_publisher_destroy(struct xm_publisher *p)
{
    if (!p)
        return;
    xm_sample_fini(&p->sample);
    free(p->told);
    free(p);
}

struct xm_publish_status xm_publish_status(const struct xm_publisher *p)
{
    return (struct xm_publish_status){.samples = p->samples,
                                      .newest_tsc = p->samples ? p->sample.host.tsc : 0,
                                      .newest_mono = p->sample.host.mono,
                                      .wanted = p->sample.capacity,
                                      .cramped = &p->cramped};
}
