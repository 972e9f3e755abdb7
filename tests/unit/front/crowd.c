/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

/* Milliseconds of each second; they add up to 1000. */
static void shares(uint32_t domain, uint32_t vcpu, uint64_t ms[3])
{
    uint64_t seed = (uint64_t)domain * 2654435761u + vcpu * 40503u;
    ms[0] = seed % 613;
    ms[1] = seed / 613 % 307;
    if (domain % 17 == 16)
        ms[0] = ms[1] = 0;
    if (domain % 50 == 49) {
        ms[0] = 0;
        ms[1] = 1000;
    }
    ms[2] = 1000 - ms[0] - ms[1];
}

static void fill_vcpu(struct xm_sample *s, uint32_t slot, uint32_t domain, uint32_t vcpu, uint64_t seconds,
                      uint32_t pcpus)
{
    struct xm_vcpu_row *v = &s->vcpu[slot];
    struct xm_domain_row *d = &s->domain[domain];
    uint64_t ms[3];
    shares(domain, vcpu, ms);
    s->vcpu_domain[slot] = domain;
    v->id = XM_ROW_USED | (uint64_t)vcpu << 16 | domain;
    v->running = seconds * ms[0] * MS;
    v->runnable = seconds * ms[1] * MS;
    v->blocked = seconds * ms[2] * MS;
    v->wait_wake = v->runnable / 2;
    v->wait_preempt = v->runnable - v->wait_wake;
    v->executions = ms[0] ? seconds * (ms[0] + 10) : 0;
    v->wait_max = ms[1] * MS / 10;
    v->state = ms[1] == 1000 ? 1 : (domain + vcpu) % 3;
    v->pcpu = ms[0] ? (domain + vcpu) % pcpus + 1 : 0;
    d->id = XM_ROW_USED | domain;
    d->vcpus++;
    d->running += v->running;
    d->runnable += v->runnable;
    d->wait_any = v->runnable;
    d->blocked += v->blocked;
    d->wait_wake += v->wait_wake;
    d->wait_preempt += v->wait_preempt;
    d->executions += v->executions;
    d->wait_max = v->wait_max;
    d->weight = 256;
}

static void fill(struct xm_sample *s, uint32_t domains, uint32_t vcpus, uint32_t pcpus, uint64_t seconds)
{
    s->used = s->capacity;
    s->host.tsc = 1000 + seconds * 1000 * MS;
    s->host.window = seconds * 1000 * MS;
    s->host.records = seconds * 100000;
    for (uint32_t d = 0; d < domains; d++)
        for (uint32_t v = 0; v < vcpus; v++)
            fill_vcpu(s, d * vcpus + v, d, v, seconds, pcpus);
    for (uint32_t i = 0; i < pcpus; i++) {
        s->pcpu[i].id = XM_ROW_USED | i;
        s->pcpu[i].busy = seconds * 700 * MS;
        s->pcpu[i].idle = seconds * 300 * MS;
    }
}

static void name(struct crowd *c, uint32_t domains)
{
    for (uint32_t i = 0; i < domains; i++) {
        c->fact[i].id = XM_ROW_USED | i;
        snprintf(c->fact[i].name, sizeof c->fact[i].name, i ? "guest-%u" : "Domain-%u", i);
        snprintf(c->fact[i].uuid, sizeof c->fact[i].uuid, "00000000-0000-4000-8000-%012x", 0xabc000 + i);
        for (uint32_t t = 0; t < XM_TRAIL_STEPS; t++)
            c->trails[i][t] =
                (struct xm_trail_step){.known = t > 3,
                                       .running = t > 3 ? (uint16_t)((i * 7 + t * 13) % 700) : 0,
                                       .runnable = t > 3 ? (uint16_t)(t * 5) : 0};
    }
}

bool crowd_make(struct crowd *c, uint32_t domains, uint32_t vcpus, uint32_t pcpus)
{
    const struct xm_capacity capacity = {.domains = domains, .vcpus = domains * vcpus, .pcpus = pcpus};
    static const uint64_t since_s[XM_SPANS] = {19, 10};
    memset(c, 0, sizeof *c);
    c->fact = calloc(domains, sizeof *c->fact);
    c->trails = calloc(domains, sizeof *c->trails);
    if (!c->fact || !c->trails || !xm_scale_init(&c->scale, XM_NS_PER_S) ||
        xm_sample_init(&c->to, capacity) != XM_OK)
        return false;
    fill(&c->to, domains, vcpus, pcpus, 20);
    for (unsigned i = 0; i < XM_SPANS; i++) {
        if (xm_sample_init(&c->from[i], capacity) != XM_OK)
            return false;
        fill(&c->from[i], domains, vcpus, pcpus, since_s[i]);
        c->model.window[i] = (struct xm_window){.from = &c->from[i], .to = &c->to,
            .scale = &c->scale, .io_seen = XM_IO_SEEN_GRANTS};
    }
    name(c, domains);
    c->trail.domains = domains;
    c->trail.domain = (const struct xm_trail_step(*)[XM_TRAIL_STEPS])c->trails;
    for (uint32_t t = 0; t < XM_TRAIL_STEPS; t++)
        c->trail.host[t] = (struct xm_trail_step){.known = true, .running = (uint16_t)(t * 16)};
    c->model.chosen = c->model.window[XM_SPAN_10S];
    c->model.chosen_ns = 10 * XM_NS_PER_S;
    c->model.trail = &c->trail;
    c->model.link = XM_LINK_LIVE;
    c->model.path = "/run/xenmon/shm";
    c->model.reason = "";
    c->model.notice = "";
    c->model.data = true;
    c->model.fact = c->fact;
    c->model.newest = c->to.host.window;
    c->model.info = (struct xm_region_info){.creation_id = 1,
                                            .writer_pid = 4711,
                                            .tsc_hz = XM_NS_PER_S,
                                            .source = XM_SOURCE_REPLAY,
                                            .source_name = "made up",
                                            .io_seen = XM_IO_SEEN_GRANTS};
    return true;
}

void crowd_free(struct crowd *c)
{
    xm_sample_fini(&c->to);
    for (unsigned i = 0; i < XM_SPANS; i++)
        xm_sample_fini(&c->from[i]);
    free(c->fact);
    free(c->trails);
}
