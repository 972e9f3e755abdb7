/* SPDX-License-Identifier: MIT */
#include "baked.h"

#include <stdlib.h>
#include <string.h>

static const struct xm_capacity room = {32, XT_VCPUS, 8};

static enum xm_status keep(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct xt_baked *b = user;
    if (b->samples == b->sample_room) {
        b->sample_room = b->sample_room ? 2 * b->sample_room : 64;
        b->point = realloc(b->point, b->sample_room * XT_VCPUS * sizeof *b->point);
        if (!b->point)
            xt_die("out of memory");
    }
    xm_bake_sample(bake, now, true, &b->scratch);
    struct xt_point *at = &b->point[b->samples++ * XT_VCPUS];
    for (uint32_t i = 0; i < XT_VCPUS; i++) {
        at[i].id = i < b->scratch.used.vcpus ? b->scratch.vcpu[i].id : 0;
        memcpy(at[i].state, &b->scratch.vcpu[i].running, sizeof at[i].state);
    }
    return XM_OK;
}

static enum xm_status run_all(struct xm_bake *bake, const char *bytes, size_t size, size_t piece)
{
    enum xm_status status = XM_OK;
    for (size_t at = 0, used; at < size && status == XM_OK; at += used) {
        size_t n = piece && piece < size - at ? piece : size - at;
        status = xm_bake_run(bake, bytes + at, n, &used);
    }
    if (status != XM_OK && status != XM_DAMAGED)
        xt_die("bake says %d", status);
    enum xm_status finished = xm_bake_finish(bake);
    return status != XM_OK ? status : finished;
}

/* A second reading knows what the first one found out too late, as in the report. */
static struct xm_bake *read_again(struct xm_bake *first, const struct xm_bake_config *config)
{
    struct xm_bake *again = xm_bake_create(config);
    if (!again || xm_bake_expect(again, first) != XM_OK)
        xt_die("no second bake");
    xm_bake_destroy(first);
    return again;
}

static struct xt_baked bake_as(struct xm_bake_config config, const void *bytes, size_t size, size_t piece)
{
    struct xt_baked b = {0};
    config.capacity = config.limit = room;
    config.due = keep;
    config.user = &b;
    struct xm_bake *bake = xm_bake_create(&config);
    const char *from;
    if (!bake || xm_sample_init(&b.end, room) != XM_OK || xm_sample_init(&b.scratch, room) != XM_OK)
        xt_die("no bake");
    b.ended = run_all(bake, bytes, size, piece);
    if (xm_bake_hindsight(bake)) {
        bake = read_again(bake, &config);
        b.samples = 0;
        b.ended = run_all(bake, bytes, size, piece);
    }
    xm_bake_sample(bake, xm_bake_now(bake), false, &b.end);
    xm_account_total(&b.end);
    b.stats = xm_bake_stats(bake);
    b.error = *xm_stream_error(xm_bake_stream(bake));
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        b.anomaly[i] = xm_account_anomalies(xm_bake_account(bake), (enum xm_anomaly)i);
    b.hz = xm_bake_hz(bake, &from);
    b.from_switch = xm_account_from_switch(xm_bake_account(bake));
    xm_bake_destroy(bake);
    return b;
}

struct xt_baked xt_bake(const void *bytes, size_t size, uint64_t interval_ns, uint64_t hz, size_t piece)
{
    return bake_as((struct xm_bake_config){.interval_ns = interval_ns, .hz = hz}, bytes, size, piece);
}

struct xt_baked xt_bake_prompt(const void *bytes, size_t size, size_t piece)
{
    return bake_as((struct xm_bake_config){.hz = XM_NS_PER_S, .stream = {.order = XM_ORDER_PROMPT}}, bytes, size, piece);
}

void xt_baked_free(struct xt_baked *b)
{
    free(b->point);
    xm_sample_fini(&b->scratch);
    xm_sample_fini(&b->end);
    *b = (struct xt_baked){0};
}

const struct xm_vcpu_row *xt_vcpu(const struct xm_sample *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++)
        if (s->vcpu[i].id == id)
            return &s->vcpu[i];
    return NULL;
}

const struct xt_point *xt_point(const struct xt_baked *b, size_t sample, uint64_t id)
{
    const struct xt_point *at = &b->point[sample * XT_VCPUS];
    for (uint32_t i = 0; i < XT_VCPUS; i++)
        if (at[i].id == id)
            return &at[i];
    return NULL;
}

const struct xm_domain_row *xt_domain(const struct xm_sample *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->used.domains; i++)
        if (s->domain[i].id == id)
            return &s->domain[i];
    return NULL;
}

const struct xm_pcpu_row *xt_pcpu(const struct xm_sample *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->used.pcpus; i++)
        if (s->pcpu[i].id == id)
            return &s->pcpu[i];
    return NULL;
}

const struct xm_pair_row *xt_pair(const struct xm_sample *s, uint64_t domain_id, uint64_t pcpu_id)
{
    const struct xm_domain_row *d = xt_domain(s, domain_id);
    const struct xm_pcpu_row *p = xt_pcpu(s, pcpu_id);
    return d && p ? &s->pair[(size_t)(d - s->domain) * s->capacity.pcpus + (size_t)(p - s->pcpu)] : NULL;
}

static const char *broken_domain(const struct xm_sample *s, uint32_t slot)
{
    const struct xm_domain_row *d = &s->domain[slot];
    uint64_t running = 0, runnable = 0, pairs = 0, executions = 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++)
        if (s->vcpu[i].id && s->vcpu_domain[i] == slot) {
            running += s->vcpu[i].running;
            runnable += s->vcpu[i].runnable;
            executions += s->vcpu[i].executions;
        }
    for (uint32_t p = 0; p < s->used.pcpus; p++)
        pairs += s->pair[(size_t)slot * s->capacity.pcpus + p].executions;
    if (running != d->running || runnable != d->runnable || executions != d->executions)
        return "a domain is not the sum of its vCPUs";
    if (pairs != executions)
        return "a domain's executions are not the sum over pCPUs";
    return d->running + d->runnable + d->blocked + d->offline + d->unknown == d->vcpus * s->host.window
               ? NULL
               : "a domain's states do not add up";
}

const char *xt_broken_sum(const struct xm_sample *s)
{
    const char *broken = NULL;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *v = &s->vcpu[i];
        if (!v->id)
            continue;
        if (v->running + v->runnable + v->blocked + v->offline + v->unknown != s->host.window)
            broken = "a vCPU's states do not add up to the window";
        if (v->wait_wake + v->wait_preempt + v->wait_other != v->runnable)
            broken = "waits by cause do not add up to runnable";
    }
    for (uint32_t i = 0; i < s->used.pcpus; i++) {
        const struct xm_pcpu_row *p = &s->pcpu[i];
        if (p->id && p->busy + p->idle + p->switching + p->unknown != s->host.window)
            broken = "a pCPU's time does not add up to the window";
    }
    for (uint32_t i = 0; i < s->used.domains && !broken; i++)
        if (s->domain[i].id)
            broken = broken_domain(s, i);
    return broken;
}
