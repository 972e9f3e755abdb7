/* SPDX-License-Identifier: MIT */
#include "xenmon/sample.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ROWS (1u << 20)

#define ROW_VCPU struct xm_vcpu_row
#define ROW_DOMAIN struct xm_domain_row
#define ROW_PCPU struct xm_pcpu_row
#define ROW_PAIR struct xm_pair_row
#define ROW_HOST struct xm_host_row
#define SLOW_FAST false
#define SLOW_BOTH true

static const struct xm_metric table[] = {
#define XM_METRIC(scope, name, kind, unit, series, help)                                                     \
    {XM_SCOPE_##scope, XM_KIND_##kind, XM_UNIT_##unit, SLOW_##series, offsetof(ROW_##scope, name), 1, 8, #name, help},
#include "xenmon/metrics.def"
    {XM_SCOPE_DOMAIN, XM_KIND_COUNTER, XM_UNIT_COUNT, true, offsetof(struct xm_domain_row, wait_coarse),
     XM_COARSE_BUCKETS, 4, "wait_coarse",
     "waits that ended, by length: bucket i below 2^(11 + 2i) cycles, the last open; modulo 2^32; 1 s series only"},
};

const struct xm_metric *xm_metrics(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

size_t xm_row_bytes(enum xm_scope scope)
{
    static const size_t bytes[XM_SCOPES] = {
        sizeof(struct xm_vcpu_row), sizeof(struct xm_domain_row), sizeof(struct xm_pcpu_row),
        sizeof(struct xm_pair_row), sizeof(struct xm_host_row)};
    return bytes[scope];
}

const char *xm_scope_name(enum xm_scope scope)
{
    static const char *const names[XM_SCOPES] = {"vcpu", "domain", "pcpu", "pair", "host"};
    return names[scope];
}

const char *xm_kind_name(enum xm_kind kind)
{
    static const char *const names[] = {"id", "counter", "gauge", "peak", "trough"};
    return names[kind];
}

const char *xm_unit_name(enum xm_unit unit)
{
    static const char *const names[] = {"", "cycles", "ns", "count", "bytes"};
    return names[unit];
}

enum xm_status xm_sample_init(struct xm_sample *sample, struct xm_capacity capacity)
{
    *sample = (struct xm_sample){.capacity = capacity};
    if (capacity.domains == 0 || capacity.vcpus == 0 || capacity.pcpus == 0 || capacity.domains > MAX_ROWS ||
        capacity.vcpus > MAX_ROWS || capacity.pcpus > MAX_ROWS)
        return XM_LIMIT;
    sample->vcpu = calloc(capacity.vcpus, sizeof *sample->vcpu);
    sample->domain = calloc(capacity.domains, sizeof *sample->domain);
    sample->pcpu = calloc(capacity.pcpus, sizeof *sample->pcpu);
    sample->pair = calloc((size_t)capacity.domains * capacity.pcpus, sizeof *sample->pair);
    sample->vcpu_domain = calloc(capacity.vcpus, sizeof *sample->vcpu_domain);
    if (sample->vcpu && sample->domain && sample->pcpu && sample->pair && sample->vcpu_domain)
        return XM_OK;
    xm_sample_fini(sample);
    return XM_NOMEM;
}

void xm_sample_fini(struct xm_sample *sample)
{
    free(sample->vcpu);
    free(sample->domain);
    free(sample->pcpu);
    free(sample->pair);
    free(sample->vcpu_domain);
    *sample = (struct xm_sample){0};
}

void xm_sample_clear(struct xm_sample *sample)
{
    struct xm_capacity c = sample->capacity;
    sample->used = (struct xm_capacity){0};
    memset(&sample->host, 0, sizeof sample->host);
    memset(sample->vcpu, 0, c.vcpus * sizeof *sample->vcpu);
    memset(sample->domain, 0, c.domains * sizeof *sample->domain);
    memset(sample->pcpu, 0, c.pcpus * sizeof *sample->pcpu);
    memset(sample->pair, 0, (size_t)c.domains * c.pcpus * sizeof *sample->pair);
    memset(sample->vcpu_domain, 0, c.vcpus * sizeof *sample->vcpu_domain);
}
