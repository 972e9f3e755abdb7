/* SPDX-License-Identifier: MIT */
#include "export/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES   5u
#define PERMILLE 1000.0

bool xm_json_put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0; /* takes the reference, and a NULL, in every case */
}

static json_t *put_all(json_t *object, bool good)
{
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *count_of(uint64_t count)
{
    return xm_json_maybe((struct xm_maybe){true, count});
}

static json_t *quotient(double part, double whole)
{
    return whole > 0 ? json_real(part / whole) : json_null();
}

static uint64_t scaled(const struct xm_window *w, uint64_t cycles)
{
    return xm_scale_to_ns(w->scale, xm_cycles_of(cycles)).v;
}

void xm_shape_init(struct xm_shape *shape, const struct xm_host_snapshot *snapshot, const char *hostname)
{
    *shape = (struct xm_shape){.snapshot = snapshot, .hostname = hostname};
    xm_fields_init(&shape->fields);
}

bool xm_shape_add_window(struct xm_shape *shape, const char *name)
{
    static const char *const names[XM_HOST_WINDOWS] = {"1s", "10s"};
    struct xm_shape_window *w = &shape->window[shape->windows];
    if (shape->windows == XM_SHAPE_WINDOWS)
        return false;
    *w = (struct xm_shape_window){.waits = -1, .last = strcmp(name, "exec") == 0};
    for (int i = 0; i < (int)XM_HOST_WINDOWS; i++)
        if (strcmp(name, names[i]) == 0)
            w->waits = i;
    if (!w->last && w->waits < 0)
        return false;
    w->window = shape->snapshot->window[w->last ? 0 : w->waits];
    w->no_peaks = !w->last && w->window.no_peaks;
    snprintf(w->name, sizeof w->name, "%s", name);
    shape->windows++;
    return true;
}

json_t *xm_shape_document(const struct xm_shape *shape)
{
    const struct xm_host_snapshot *s = shape->snapshot;
    json_t *document = json_object();
    bool good = xm_json_put(document, "schema", json_string("xenmon/1"));
    good &= xm_json_put(document, "time", xm_json_time(s->data ? s->window[0].to->host.real : 0));
    good &= xm_json_put(document, "state", json_string(xm_host_state_name(s->state)));
    return put_all(document, good);
}

/* ---- The host. */

/* "Xen 4.17.7" -> "4.17.7". */
static json_t *xen_version(const char *hypervisor)
{
    return xm_json_name(strncmp(hypervisor, "Xen ", 4) == 0 ? hypervisor + 4 : "");
}

static uint64_t pcpus_of(const struct xm_sample *sample)
{
    uint64_t count = 0;
    for (uint32_t slot = 0; slot < sample->used.pcpus; slot++)
        count += sample->pcpu[slot].id != 0;
    return count;
}

json_t *xm_shape_host(const struct xm_shape *shape)
{
    static const char *const kinds[] = {"live", "replay", "pipe"};
    const struct xm_host_snapshot *s = shape->snapshot;
    const struct xm_region_info *info = &s->info;
    const struct xm_sample *now = s->window[0].to;
    unsigned kind = (unsigned)info->source;
    json_t *host = json_object();
    bool good = xm_json_put(host, "name", xm_json_name(shape->hostname));
    good &= xm_json_put(host, "hypervisor", xm_json_name(info->hypervisor));
    good &= xm_json_put(host, "xen_version", xen_version(info->hypervisor));
    good &= xm_json_put(host, "scheduler", xm_json_name(info->scheduler));
    good &= xm_json_put(host, "cpus", count_of(info->host_cpus ? info->host_cpus : pcpus_of(now)));
    good &= xm_json_put(host, "source", xm_json_name(info->source_name));
    good &= xm_json_put(host, "source_kind", kind < 3 ? json_string(kinds[kind]) : json_null());
    good &= xm_json_put(host, "tsc_hz", s->scale.hz ? count_of(s->scale.hz) : json_null());
    good &= xm_json_put(host, "tsc_hz_from", xm_json_name(info->tsc_hz_from));
    good &= xm_json_put(host, "states_from", xm_json_name(info->states_from));
    good &= xm_json_put(host, "reason", xm_json_name(s->reason));
    good &= xm_json_put(host, "began", xm_json_time(s->began_real_ns));
    good &= xm_json_put(host, "trace_s", xm_json_seconds(scaled(&s->window[0], now->host.window)));
    good &= xm_json_put(host, "age_s", xm_json_seconds(s->age_ns));
    return put_all(host, good);
}

json_t *xm_shape_quality(const struct xm_shape *shape)
{
    static const struct xm_host_row none;
    struct xm_window w = shape->snapshot->window[0];
    w.from = NULL;
    for (size_t i = 0; i < shape->windows; i++)
        if (!shape->window[i].last)
            w = shape->window[i].window;
    const struct xm_host_row *now = &w.to->host;
    const struct xm_host_row *then = w.from ? &w.from->host : &none;
    uint64_t unknown_ns = 0, span_ns = 0;
    for (uint32_t slot = 0; slot < w.to->used.domains; slot++) {
        struct xm_usage u;
        if (!xm_usage_domain(&w, slot, &u))
            continue;
        unknown_ns += u.unknown_ns;
        span_ns += u.span_ns;
    }
    json_t *quality = json_object();
    bool good = xm_json_put(quality, "span_s", xm_json_seconds(scaled(&w, xm_counted(now->window, then->window))));
    good &= xm_json_put(quality, "records", count_of(xm_counted(now->records, then->records)));
    good &= xm_json_put(quality, "lost_records", count_of(xm_counted(now->lost_records, then->lost_records)));
    good &= xm_json_put(quality, "coverage_ratio", quotient((double)(span_ns - unknown_ns), (double)span_ns));
    good &= xm_json_put(quality, "gap_s", xm_json_seconds(scaled(&w, xm_counted(now->gap, then->gap))));
    good &= xm_json_put(quality, "anomalies", count_of(xm_counted(now->anomalies, then->anomalies)));
    good &= xm_json_put(quality, "damaged_bytes", count_of(xm_counted(now->damaged_bytes, then->damaged_bytes)));
    return put_all(quality, good);
}

/* ---- pCPUs. */

/* What one pCPU did, or all: coarse leaves out what the slow series does not keep. */
static json_t *pcpu_window(const struct xm_shape_window *w, const struct xm_pcpu_usage *u, uint64_t span_ns)
{
    bool coarse = w->coarse;
    double span = (double)span_ns;
    struct xm_maybe none = {0};
    struct xm_maybe executions = coarse ? none : (struct xm_maybe){true, u->executions};
    struct xm_maybe lost = coarse ? none : (struct xm_maybe){true, u->lost_records};
    json_t *object = json_object();
    bool good = xm_json_put(object, "span_s", xm_json_seconds(u->window_ns));
    good &= xm_json_put(object, "busy_s", xm_json_seconds(u->busy_ns));
    good &= xm_json_put(object, "idle_s", xm_json_seconds(u->idle_ns));
    good &= xm_json_put(object, "switching_s", xm_json_seconds(u->switching_ns));
    good &= xm_json_put(object, "unknown_s", xm_json_seconds(u->unknown_ns));
    good &= xm_json_put(object, "busy_ratio", quotient((double)u->busy_ns, span));
    good &= xm_json_put(object, "idle_ratio", quotient((double)u->idle_ns, span));
    good &= xm_json_put(object, "switching_ratio", quotient((double)u->switching_ns, span));
    good &= xm_json_put(object, "unknown_ratio", quotient((double)u->unknown_ns, span));
    good &= xm_json_put(object, "executions", xm_json_maybe(executions));
    good &= xm_json_put(object, "executions_per_s",
                        coarse ? json_null() : quotient((double)u->executions * 1e9, (double)u->window_ns));
    good &= xm_json_put(object, "lost_records", xm_json_maybe(lost));
    bool fill = !coarse && !w->no_peaks && u->buffer_fill.known;
    good &= xm_json_put(object, "buffer_fill_ratio",
                        fill ? json_real((double)u->buffer_fill.count / PERMILLE) : json_null());
    return put_all(object, good);
}

json_t *xm_shape_host_windows(const struct xm_shape *shape)
{
    json_t *windows = json_object();
    bool good = windows != NULL;
    for (size_t i = 0; i < shape->windows && good; i++) {
        const struct xm_shape_window *w = &shape->window[i];
        struct xm_pcpu_usage sum = {0}, u;
        uint64_t span_ns = 0;
        if (w->last)
            continue;
        for (uint32_t slot = 0; slot < w->window.to->used.pcpus; slot++) {
            if (!xm_usage_pcpu(&w->window, slot, &u))
                continue;
            span_ns += u.window_ns;
            sum.window_ns = u.window_ns;
            sum.busy_ns += u.busy_ns;
            sum.idle_ns += u.idle_ns;
            sum.switching_ns += u.switching_ns;
            sum.unknown_ns += u.unknown_ns;
            sum.executions += u.executions;
            sum.lost_records += u.lost_records;
            sum.buffer_fill.known |= u.buffer_fill.known;
            if (u.buffer_fill.count > sum.buffer_fill.count)
                sum.buffer_fill.count = u.buffer_fill.count;
        }
        good = xm_json_put(windows, w->name, pcpu_window(w, &sum, span_ns));
    }
    return put_all(windows, good);
}

/* The row with that id in another sample: mostly in the same slot. */
static bool slot_in(const struct xm_sample *sample, enum xm_scope scope, uint64_t id, uint32_t hint,
                    uint32_t *slot)
{
    uint32_t used = scope == XM_SCOPE_PCPU     ? sample->used.pcpus
                    : scope == XM_SCOPE_DOMAIN ? sample->used.domains
                                               : sample->used.vcpus;
    for (uint32_t i = 0; i <= used; i++) {
        uint32_t at = i == 0 ? hint : i - 1;
        if (at >= used)
            continue;
        uint64_t found = scope == XM_SCOPE_PCPU     ? sample->pcpu[at].id
                         : scope == XM_SCOPE_DOMAIN ? sample->domain[at].id
                                                    : sample->vcpu[at].id;
        if (found == id) {
            *slot = at;
            return true;
        }
    }
    return false;
}

/* vCPU << 16 | domid as a region has it. */
static json_t *current_json(uint64_t current)
{
    if (!(current & XM_ROW_USED) || xm_row_domid(current) == XM_SHAPE_DOMID_MAX)
        return json_null();
    json_t *object = json_object();
    bool good = xm_json_put(object, "domid", json_integer(xm_row_domid(current)));
    good &= xm_json_put(object, "vcpu", json_integer(xm_row_vcpu(current)));
    return put_all(object, good);
}

static json_t *cpu_json(const struct xm_shape *shape, uint32_t slot)
{
    const struct xm_sample *now = shape->snapshot->window[0].to;
    struct xm_pcpu_usage u;
    json_t *cpu = json_object();
    json_t *windows = json_object();
    bool good = xm_usage_pcpu(&shape->snapshot->window[0], slot, &u);
    good &= xm_json_put(cpu, "cpu", json_integer(u.pcpu));
    good &= xm_json_put(cpu, "current", current_json(u.current));
    good &= xm_json_put(cpu, "windows", windows);
    for (size_t i = 0; i < shape->windows && good; i++) {
        const struct xm_shape_window *w = &shape->window[i];
        uint32_t at;
        if (w->last)
            continue;
        if (!slot_in(w->window.to, XM_SCOPE_PCPU, now->pcpu[slot].id, slot, &at) ||
            !xm_usage_pcpu(&w->window, at, &u))
            good = xm_json_put(windows, w->name, json_null());
        else
            good = xm_json_put(windows, w->name, pcpu_window(w, &u, u.window_ns));
    }
    return put_all(cpu, good);
}

/* Room for the order of any kind of row. */
static struct xm_place *places_for(const struct xm_sample *sample)
{
    size_t most = sample->used.vcpus;
    most = sample->used.domains > most ? sample->used.domains : most;
    most = sample->used.pcpus > most ? sample->used.pcpus : most;
    return calloc(most + 1, sizeof(struct xm_place));
}

json_t *xm_shape_cpus(const struct xm_shape *shape)
{
    const struct xm_sample *now = shape->snapshot->window[0].to;
    struct xm_place *places = places_for(now);
    json_t *array = json_array();
    bool good = array && places;
    size_t count = good ? xm_order_pcpus(now, places) : 0;
    for (size_t i = 0; i < count && good; i++)
        good = json_array_append_new(array, cpu_json(shape, places[i].slot)) == 0;
    free(places);
    return put_all(array, good);
}

/* ---- Domains and vCPUs. */

static json_t *seconds_or_null(bool known, uint64_t ns)
{
    return known ? xm_json_seconds(ns) : json_null();
}

static json_t *wait_percentiles(const struct xm_host_waits *waits, bool peaks, uint64_t max_ns)
{
    bool known = waits && waits->known;
    bool any = known && waits->count;
    json_t *object = json_object();
    bool good = xm_json_put(object, "count", known ? count_of(waits->count) : json_null());
    good &= xm_json_put(object, "50", seconds_or_null(any, any ? waits->p50_ns : 0));
    good &= xm_json_put(object, "95", seconds_or_null(any, any ? waits->p95_ns : 0));
    good &= xm_json_put(object, "99", seconds_or_null(any, any ? waits->p99_ns : 0));
    good &= xm_json_put(object, "max", seconds_or_null(peaks, max_ns));
    return put_all(object, good);
}

static json_t *domain_window(const struct xm_shape *shape, const struct xm_shape_window *w, uint32_t slot)
{
    const struct xm_host_snapshot *s = shape->snapshot;
    struct xm_usage u;
    uint32_t at;
    if (!slot_in(w->window.to, XM_SCOPE_DOMAIN, s->window[0].to->domain[slot].id, slot, &at))
        return json_null();
    bool there = w->last ? xm_usage_last_domain(&w->window, at, &u) : xm_usage_domain(&w->window, at, &u);
    if (!there || (w->last && u.executions == 0))
        return json_null();
    struct xm_usage_of of = {&u, .vcpu = false, .coarse = w->coarse, .no_peaks = w->no_peaks};
    const struct xm_host_waits *waits = w->waits >= 0 && s->domain ? &s->domain[slot].waits[w->waits] : NULL;
    json_t *object = xm_fields_object(&shape->fields, &of);
    return put_all(object, xm_json_put(object, "wait_p",
                                       wait_percentiles(waits, !w->coarse && !w->no_peaks, u.wait_max_ns)));
}

static json_t *vcpu_window(const struct xm_shape *shape, const struct xm_shape_window *w, uint32_t slot)
{
    struct xm_usage u;
    uint32_t at;
    if (!slot_in(w->window.to, XM_SCOPE_VCPU, shape->snapshot->window[0].to->vcpu[slot].id, slot, &at))
        return json_null();
    bool there = w->last ? xm_usage_last_vcpu(&w->window, at, &u) : xm_usage_vcpu(&w->window, at, &u);
    if (!there || (w->last && u.executions == 0))
        return json_null();
    return xm_fields_object(&shape->fields, &(struct xm_usage_of){&u, true, w->coarse, w->no_peaks});
}

static json_t *state_json(uint32_t state)
{
    static const char *const names[STATES] = {"running", "runnable", "blocked", "offline", "unknown"};
    return json_string(names[state < STATES ? state : STATES - 1]);
}

static json_t *vcpu_json(const struct xm_shape *shape, uint32_t slot)
{
    struct xm_usage u;
    if (!xm_usage_vcpu(&shape->snapshot->window[0], slot, &u))
        return NULL;
    json_t *vcpu = json_object();
    json_t *windows = json_object();
    bool good = xm_json_put(vcpu, "vcpu", json_integer(xm_row_vcpu(u.id)));
    good &= xm_json_put(vcpu, "state", state_json(u.state & 15));
    good &= xm_json_put(vcpu, "assumed_state", u.state & 16 ? state_json(u.state >> 8 & 15) : json_null());
    good &= xm_json_put(vcpu, "cpu", u.pcpu ? json_integer((json_int_t)u.pcpu - 1) : json_null());
    good &= xm_json_put(vcpu, "windows", windows);
    for (size_t i = 0; i < shape->windows && good; i++)
        good = xm_json_put(windows, shape->window[i].name, vcpu_window(shape, &shape->window[i], slot));
    return put_all(vcpu, good);
}

json_t *xm_shape_vcpus(const struct xm_shape *shape, uint32_t domain_slot)
{
    const struct xm_sample *now = shape->snapshot->window[0].to;
    struct xm_place *places = places_for(now);
    json_t *array = json_array();
    bool good = array && places;
    size_t count = good ? xm_order_vcpus(now, places) : 0;
    for (size_t i = 0; i < count && good; i++)
        if (now->vcpu_domain[places[i].slot] == domain_slot)
            good = json_array_append_new(array, vcpu_json(shape, places[i].slot)) == 0;
    free(places);
    return put_all(array, good);
}

static json_t *distribution_json(const struct xm_host_distribution *d)
{
    json_t *object = json_object();
    json_t *edges = json_array();
    json_t *counts = json_array();
    bool good = xm_json_put(object, "count", count_of(d->at_most[XM_HOST_EDGES]));
    good &= xm_json_put(object, "sum_s", xm_json_seconds(d->sum_ns));
    good &= xm_json_put(object, "edges_s", edges);
    good &= xm_json_put(object, "at_most", counts);
    for (unsigned i = 0; i < XM_HOST_EDGES && good; i++) {
        good = json_array_append_new(edges, xm_json_seconds(xm_host_edge_ns[i])) == 0;
        good &= json_array_append_new(counts, count_of(d->at_most[i])) == 0;
    }
    return put_all(object, good);
}

static json_t *distributions_json(const struct xm_host_domain *domain)
{
    json_t *object = json_object();
    bool good = xm_json_put(object, "wait", distribution_json(&domain->of[XM_HIST_WAIT]));
    good &= xm_json_put(object, "execution", distribution_json(&domain->of[XM_HIST_EXECUTION]));
    good &= xm_json_put(object, "blocked", distribution_json(&domain->of[XM_HIST_BLOCKED]));
    return put_all(object, good);
}

json_t *xm_shape_domain(const struct xm_shape *shape, uint32_t slot, bool detail)
{
    const struct xm_host_snapshot *s = shape->snapshot;
    const struct xm_host_domain *beside = &s->domain[slot];
    const struct xm_region_domain *fact = &beside->fact;
    struct xm_usage u;
    if (!xm_usage_domain(&s->window[0], slot, &u))
        return NULL;
    bool known = fact->id == u.id;
    bool capped = u.told.cap.known && u.told.cap.count;
    json_t *domain = json_object();
    json_t *windows = json_object();
    bool good = xm_json_put(domain, "domid", json_integer(xm_row_domid(u.id)));
    good &= xm_json_put(domain, "instance", json_integer(xm_row_instance(u.id)));
    good &= xm_json_put(domain, "name", xm_json_name(known ? fact->name : ""));
    good &= xm_json_put(domain, "uuid", xm_json_name(known ? fact->uuid : ""));
    good &= xm_json_put(domain, "ended", json_boolean(u.ended));
    good &= xm_json_put(domain, "vcpus_seen", json_integer(u.vcpus));
    good &= xm_json_put(domain, "vcpus_online", xm_json_maybe(u.told.online));
    good &=
        xm_json_put(domain, "paused", u.told.paused.known ? json_boolean(u.told.paused.count) : json_null());
    good &= xm_json_put(domain, "weight", xm_json_maybe(u.told.weight));
    good &=
        xm_json_put(domain, "cap_ratio", capped ? json_real((double)u.told.cap.count / 100) : json_null());
    if (detail)
        good &= xm_json_put(domain, "distributions", distributions_json(beside));
    good &= xm_json_put(domain, "windows", windows);
    for (size_t i = 0; i < shape->windows && good; i++)
        good = xm_json_put(windows, shape->window[i].name, domain_window(shape, &shape->window[i], slot));
    return put_all(domain, good);
}

json_t *xm_shape_domains(const struct xm_shape *shape)
{
    const struct xm_host_snapshot *s = shape->snapshot;
    struct xm_place *places = places_for(s->window[0].to);
    json_t *array = json_array();
    bool good = array && places;
    size_t count = good ? xm_order_domains(s->window[0].to, places) : 0;
    for (size_t i = 0; i < count && good; i++)
        if (!s->domain[places[i].slot].expired)
            good = json_array_append_new(array, xm_shape_domain(shape, places[i].slot, false)) == 0;
    free(places);
    return put_all(array, good);
}

bool xm_shape_find(const struct xm_shape *shape, uint32_t domid, uint32_t *slot)
{
    const struct xm_sample *now = shape->snapshot->window[0].to;
    uint64_t best = 0;
    for (uint32_t at = 0; at < now->used.domains; at++) {
        const struct xm_domain_row *row = &now->domain[at];
        if (!row->id || xm_row_domid(row->id) != domid || shape->snapshot->domain[at].expired)
            continue;
        uint64_t rank = ((uint64_t)(row->ended == 0) << 32 | xm_row_instance(row->id)) + 1;
        if (rank > best) {
            best = rank;
            *slot = at;
        }
    }
    return best != 0;
}
