/* SPDX-License-Identifier: MIT */
/* A snapshot, family by family. */
#include "export/metrics.h"

#include <stdio.h>

#include "export/http_int.h"
#include "export/metrics_int.h"
#include "xenmon/trace.h"

#define LABELS    224u /* bytes of a row's labels: an escaped name is 126 of them */
/* Those of metrics_host.c, and of metrics_self.c, at most. */
#define HOST_SERIES 43u
#define SELF_SERIES 24u
/* Of a line of them, on the average, at least: with more the buffer would grow past what it needs. */
#define SERIES_BYTES 64u
#define OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A row of the snapshot that is shown, and its labels. */
struct shown {
    uint32_t slot, domain;
    uint32_t label_bytes;
    char labels[LABELS];
};

struct page {
    const struct xm_metrics_config *config;
    const struct xm_host_snapshot *s;
    struct xm_metrics_out out;
    struct shown *domain, *vcpu, *pcpu;
    size_t domains, vcpus, pcpus;
    uint64_t left_out; /* domains over the bound */
};

/* ---- What is shown. */

static void label_domain(const struct xm_host_snapshot *s, uint32_t slot, struct shown *d)
{
    const struct xm_domain_row *row = &s->window[0].to->domain[slot];
    const char *known = s->domain[slot].fact.id == row->id ? s->domain[slot].fact.name : "";
    char name[160];
    char incarnation[40] = "";
    if (*known)
        xm_metrics_escape(known, name, sizeof name);
    else
        snprintf(name, sizeof name, "dom%u", (unsigned)xm_row_domid(row->id));
    if (xm_row_instance(row->id))
        snprintf(incarnation, sizeof incarnation, ",incarnation=\"%u\"", (unsigned)xm_row_instance(row->id));
    int n = snprintf(d->labels, sizeof d->labels, "domain=\"%s\",domid=\"%u\"%s", name,
                     (unsigned)xm_row_domid(row->id), incarnation);
    d->label_bytes = n > 0 ? (uint32_t)n : 0;
    d->slot = d->domain = slot;
}

static void choose_domains(struct page *p)
{
    const struct xm_sample *now = p->s->window[0].to;
    for (uint32_t slot = 0; slot < now->used.domains; slot++) {
        uint64_t id = now->domain[slot].id;
        if (id == 0 || xm_row_domid(id) == XM_DOMID_IDLE || p->s->domain[slot].expired)
            continue;
        if (p->domains < p->config->domains)
            label_domain(p->s, slot, &p->domain[p->domains++]);
        else
            p->left_out++;
    }
}

/* Domains are in the order of their slots. */
static const struct shown *shown_domain(const struct page *p, uint32_t slot)
{
    size_t low = 0;
    size_t high = p->domains;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->domain[middle].slot == slot)
            return &p->domain[middle];
        if (p->domain[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void choose_vcpus(struct page *p)
{
    const struct xm_sample *now = p->s->window[0].to;
    for (uint32_t slot = 0; slot < now->used.vcpus; slot++) {
        if (now->vcpu[slot].id == 0)
            continue;
        const struct shown *d = shown_domain(p, now->vcpu_domain[slot]);
        if (!d || xm_row_domid(now->vcpu[slot].id) == XM_DOMID_IDLE)
            continue;
        struct shown *v = &p->vcpu[p->vcpus++];
        int n = snprintf(v->labels, sizeof v->labels, "%s,vcpu=\"%u\"", d->labels,
                         (unsigned)xm_row_vcpu(now->vcpu[slot].id));
        v->label_bytes = n > 0 && n < (int)sizeof v->labels ? (uint32_t)n : 0;
        v->slot = slot;
        v->domain = d->slot;
    }
}

static void choose_pcpus(struct page *p)
{
    const struct xm_sample *now = p->s->window[0].to;
    for (uint32_t slot = 0; slot < now->used.pcpus; slot++) {
        if (now->pcpu[slot].id == 0)
            continue;
        struct shown *c = &p->pcpu[p->pcpus++];
        int n = snprintf(c->labels, sizeof c->labels, "cpu=\"%llu\"",
                         (unsigned long long)(now->pcpu[slot].id & ~XM_ROW_USED));
        c->label_bytes = n > 0 ? (uint32_t)n : 0;
        c->slot = slot;
    }
}

/* Room for the labels is a buffer of the server's, so that it is used again. */
static struct xm_http_buffer *choose(struct page *p, struct xm_http *http)
{
    const struct xm_capacity used = p->s->window[0].to->used;
    size_t rows = (size_t)used.domains + used.vcpus + used.pcpus;
    struct xm_http_buffer *buffer = xm_http_buffer_get(http);
    if (!buffer || !xm_metrics_reserve(buffer, (rows + 1) * sizeof(struct shown), SIZE_MAX / 2)) {
        xm_http_buffer_put(buffer);
        return NULL;
    }
    p->domain = (struct shown *)(void *)buffer->data;
    p->vcpu = p->domain + used.domains;
    p->pcpu = p->vcpu + used.vcpus;
    choose_domains(p);
    choose_vcpus(p);
    choose_pcpus(p);
    return buffer;
}

/* ---- Families from the table. */

struct part {
    const struct xm_metric *metric;
    xm_metrics_known *known;
    enum xm_number kind;
    struct xm_metrics_lead lead, created;
};

static uint64_t in_ns(const struct page *p, const struct xm_metric *m, uint64_t value)
{
    return m->unit == XM_UNIT_CYCLES ? xm_scale_to_ns(&p->s->scale, xm_cycles_of(value)).v : value;
}

static uint64_t at(const void *row, const struct xm_metric *m)
{
    return *(const uint64_t *)(const void *)((const char *)row + m->offset);
}

/* When this row's counters began, in ns of CLOCK_REALTIME. */
static uint64_t began_ns(const struct page *p, const struct shown *row)
{
    const struct xm_host_snapshot *s = p->s;
    uint64_t created = row ? s->domain[row->domain].fact.created_tsc : 0;
    const struct xm_host_row *now = &s->window[0].to->host;
    if (created == 0 || created > now->tsc)
        return s->began_real_ns;
    uint64_t ago_ns = xm_scale_to_ns(&s->scale, xm_cycles_of(now->tsc - created)).v;
    return now->real > ago_ns ? now->real - ago_ns : 0;
}

static bool wants_created(const struct page *p)
{
    return p->config->created && p->out.open;
}

static void put_row(struct page *p, const struct xm_metrics_family *f, const struct part *parts,
                    unsigned count, const void *row, const char *labels, size_t bytes, const struct shown *of)
{
    bool created = f->type == XM_FAMILY_COUNTER && wants_created(p);
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].known && !parts[i].known(p->s, row))
            continue;
        uint64_t value = in_ns(p, parts[i].metric, at(row, parts[i].metric));
        xm_lead_series(&p->out, &parts[i].lead, labels, bytes, parts[i].kind, value);
        if (created)
            xm_lead_series(&p->out, &parts[i].created, labels, bytes, XM_NUMBER_NS, began_ns(p, of));
    }
}

static enum xm_number kind_of(const struct xm_metrics_family *f, const struct xm_metric *m)
{
    if (m->unit == XM_UNIT_CYCLES || m->unit == XM_UNIT_NS)
        return XM_NUMBER_NS;
    return f->divisor > 1 ? (enum xm_number)f->divisor : XM_NUMBER_WHOLE;
}

static unsigned find_parts(const struct xm_metrics_family *f, struct part parts[XM_METRICS_PARTS])
{
    bool labels = f->scope != XM_SCOPE_HOST;
    unsigned count = 0;
    for (unsigned i = 0; i < XM_METRICS_PARTS && f->part[i].metric; i++) {
        const struct xm_metric *m = xm_metrics_find(f->scope, f->part[i].metric);
        if (!m)
            continue;
        struct part *part = &parts[count++];
        part->metric = m;
        part->known = f->part[i].known;
        part->kind = kind_of(f, m);
        xm_lead_init(&part->lead, f->name, f->type == XM_FAMILY_COUNTER ? "_total" : "", labels,
                     f->part[i].label);
        xm_lead_init(&part->created, f->name, "_created", labels, f->part[i].label);
    }
    return count;
}

static void put_pairs(struct page *p, const struct xm_metrics_family *f, const struct part *parts,
                      unsigned count)
{
    const struct xm_sample *now = p->s->window[0].to;
    char labels[2 * LABELS];
    for (size_t i = 0; i < p->domains; i++)
        for (size_t j = 0; j < p->pcpus; j++) {
            const struct xm_pair_row *row =
                &now->pair[(size_t)p->domain[i].slot * now->capacity.pcpus + p->pcpu[j].slot];
            if (row->executions == 0 && row->running == 0) /* it was never there: most are so */
                continue;
            int n = snprintf(labels, sizeof labels, "%s,%s", p->pcpu[j].labels, p->domain[i].labels);
            put_row(p, f, parts, count, row, labels, n > 0 ? (size_t)n : 0, &p->domain[i]);
        }
}

static void put_family(struct page *p, const struct xm_metrics_family *f)
{
    const struct xm_sample *now = p->s->window[0].to;
    struct part parts[XM_METRICS_PARTS];
    unsigned count = find_parts(f, parts);
    xm_family(&p->out, f->name, f->type == XM_FAMILY_COUNTER ? "counter" : "gauge", f->unit, f->help);
    /* A peak of ten seconds for domains, of one for buffers: as their helps say. */
    const struct xm_sample *longest = p->s->window[XM_HOST_10S].to;
    if (f->scope == XM_SCOPE_VCPU)
        for (size_t i = 0; i < p->vcpus; i++)
            put_row(p, f, parts, count, &now->vcpu[p->vcpu[i].slot], p->vcpu[i].labels,
                    p->vcpu[i].label_bytes, &p->vcpu[i]);
    else if (f->scope == XM_SCOPE_DOMAIN)
        for (size_t i = 0; i < p->domains; i++)
            put_row(p, f, parts, count, &longest->domain[p->domain[i].slot], p->domain[i].labels,
                    p->domain[i].label_bytes, &p->domain[i]);
    else if (f->scope == XM_SCOPE_PCPU)
        for (size_t i = 0; i < p->pcpus; i++)
            put_row(p, f, parts, count, &now->pcpu[p->pcpu[i].slot], p->pcpu[i].labels,
                    p->pcpu[i].label_bytes, NULL);
    else if (f->scope == XM_SCOPE_PAIR)
        put_pairs(p, f, parts, count);
    else
        put_row(p, f, parts, count, &now->host, "", 0, NULL);
}

/* ---- Distributions. */

static const char *const edge_labels[XM_HOST_EDGES + 1] = {
    "le=\"1e-05\"",  "le=\"2.5e-05\"", "le=\"5e-05\"",  "le=\"0.0001\"", "le=\"0.00025\"",
    "le=\"0.0005\"", "le=\"0.001\"",   "le=\"0.0025\"", "le=\"0.005\"",  "le=\"0.01\"",
    "le=\"0.03\"",   "le=\"0.1\"",     "le=\"0.3\"",    "le=\"1.0\"",    "le=\"+Inf\"",
};

static const struct {
    const char *domain, *vcpu, *help;
} distributions[XM_HISTS] = {
    [XM_HIST_EXECUTION] = {"xen_domain_execution_duration_seconds", "xen_vcpu_execution_duration_seconds",
                           "How long executions lasted, from dispatch to leaving the pCPU."},
    [XM_HIST_WAIT] = {"xen_domain_runqueue_latency_seconds", "xen_vcpu_runqueue_latency_seconds",
                      "How long vCPUs were runnable before they got a pCPU."},
    [XM_HIST_BLOCKED] = {"xen_domain_blocked_duration_seconds", "xen_vcpu_blocked_duration_seconds",
                         "How long vCPUs were blocked before they were woken."},
};

/* What the series of a distribution begin and end with. */
struct leads {
    struct xm_metrics_lead bucket[XM_HOST_EDGES + 1], count, sum, created;
};

static void begin_distributions(struct page *p, unsigned kind, const char *name, struct leads *leads)
{
    xm_family(&p->out, name, "histogram", "seconds", distributions[kind].help);
    for (unsigned i = 0; i <= XM_HOST_EDGES; i++)
        xm_lead_init(&leads->bucket[i], name, "_bucket", true, edge_labels[i]);
    xm_lead_init(&leads->count, name, "_count", true, "");
    xm_lead_init(&leads->sum, name, "_sum", true, "");
    xm_lead_init(&leads->created, name, "_created", true, "");
}

static void put_distribution(struct page *p, const struct leads *leads, const struct xm_host_distribution *d,
                             const struct shown *row)
{
    for (unsigned i = 0; i <= XM_HOST_EDGES; i++)
        xm_lead_series(&p->out, &leads->bucket[i], row->labels, row->label_bytes, XM_NUMBER_WHOLE,
                       d->at_most[i]);
    xm_lead_series(&p->out, &leads->count, row->labels, row->label_bytes, XM_NUMBER_WHOLE,
                   d->at_most[XM_HOST_EDGES]);
    xm_lead_series(&p->out, &leads->sum, row->labels, row->label_bytes, XM_NUMBER_NS, d->sum_ns);
    if (wants_created(p))
        xm_lead_series(&p->out, &leads->created, row->labels, row->label_bytes, XM_NUMBER_NS,
                       began_ns(p, row));
}

static void put_distributions(struct page *p)
{
    struct leads leads;
    for (unsigned kind = 0; kind < XM_HISTS; kind++) {
        if (p->config->collectors & XM_COLLECT_HISTOGRAM) {
            begin_distributions(p, kind, distributions[kind].domain, &leads);
            for (size_t i = 0; i < p->domains; i++)
                put_distribution(p, &leads, &p->s->domain[p->domain[i].slot].of[kind], &p->domain[i]);
        }
        if (p->config->collectors & XM_COLLECT_VCPU_HISTOGRAM) {
            begin_distributions(p, kind, distributions[kind].vcpu, &leads);
            for (size_t i = 0; i < p->vcpus; i++)
                put_distribution(p, &leads, &p->s->vcpu[p->vcpu[i].slot].of[kind], &p->vcpu[i]);
        }
    }
}

/* ---- Facts. */

static void put_infos(struct page *p)
{
    char more[160];
    xm_family(&p->out, "xen_domain", "info", "", "What is known of a domain beside its numbers.");
    for (size_t i = 0; i < p->domains; i++) {
        const struct shown *d = &p->domain[i];
        const struct xm_region_domain *fact = &p->s->domain[d->slot].fact;
        char uuid[88];
        xm_metrics_escape(fact->uuid, uuid, sizeof uuid);
        snprintf(more, sizeof more, "uuid=\"%s\",control_domain=\"%s\"", uuid,
                 xm_row_domid(p->s->window[0].to->domain[d->slot].id) == 0 ? "true" : "false");
        xm_series(&p->out, "_info", d->labels, d->label_bytes, more);
        xm_puts(&p->out, "1\n");
    }
}

static void put_states(struct page *p)
{
    static const char *const states[] = {"state=\"active\"", "state=\"paused\"", "state=\"ended\""};
    xm_family(&p->out, "xen_domain_state", "gauge", "", "1 for the state that a domain is in.");
    for (size_t i = 0; i < p->domains; i++) {
        const struct xm_domain_row *row = &p->s->window[0].to->domain[p->domain[i].slot];
        unsigned state = row->ended ? 2 : row->paused ? 1 : 0;
        for (unsigned k = 0; k < 3; k++) {
            xm_series(&p->out, "", p->domain[i].labels, p->domain[i].label_bytes, states[k]);
            xm_puts(&p->out, k == state ? "1\n" : "0\n");
        }
    }
    xm_family(&p->out, "xen_domain_start_time_seconds", "gauge", "seconds",
              "When a domain's counters began, since the epoch: its creation, or the trace's beginning.");
    for (size_t i = 0; i < p->domains; i++) {
        xm_series(&p->out, "", p->domain[i].labels, p->domain[i].label_bytes, "");
        xm_put_ns(&p->out, began_ns(p, &p->domain[i]));
        xm_end(&p->out);
    }
}

static void put_data(struct page *p)
{
    size_t count;
    const struct xm_metrics_family *families = xm_metrics_families(&count);
    if (p->config->collectors & XM_COLLECT_DOMAIN) {
        put_infos(p);
        put_states(p);
    }
    for (size_t i = 0; i < count; i++)
        if (p->config->collectors & families[i].collector)
            put_family(p, &families[i]);
    put_distributions(p);
    xm_family(&p->out, "xenmon_export_domains_left_out", "gauge", "",
              "Domains that the bound of this server leaves out.");
    xm_series_u64(&p->out, "", "", p->left_out);
}

/* Of a dead xenbaked nothing is shown: its series go stale as they should. */
static bool is_shown(const struct xm_host_snapshot *s)
{
    return s->data && s->state != XM_HOST_DEAD && s->state != XM_HOST_BROKEN && s->state != XM_HOST_ABSENT;
}

/* What the answer will come to, from below; not beyond what is kept for the next one. */
static size_t expected_bytes(const struct page *p)
{
    uint64_t bytes = SERIES_BYTES * xm_metrics_series(p->config, p->domains, p->vcpus, p->pcpus);
    return bytes < XM_HTTP_BYTES_KEPT / 2 ? (size_t)bytes : XM_HTTP_BYTES_KEPT / 2;
}

void xm_metrics_write(const struct xm_metrics_config *config, const struct xm_host_snapshot *snapshot,
                      bool open, struct xm_http_response *response)
{
    struct page p = {.config = config, .s = snapshot, .out = {.response = response, .open = open}};
    if (!xm_metrics_room(&p.out, 1))
        return;
    xm_metrics_host(&p.out, config, snapshot);
    if (is_shown(snapshot)) {
        struct xm_http_buffer *labels = choose(&p, response->http);
        if (labels) {
            xm_metrics_expect(&p.out, expected_bytes(&p));
            put_data(&p);
        } else
            response->overflow = true;
        xm_http_buffer_put(labels);
    }
    if (config->collectors & XM_COLLECT_SELF)
        xm_metrics_self(&p.out, config, snapshot);
    if (open)
        xm_puts(&p.out, "# EOF\n");
    if (!p.out.full)
        (void)xm_metrics_room(&p.out, 0);
}

static void handle(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    static const char *const types[] = {"text/plain", "application/openmetrics-text", NULL};
    struct xm_metrics_config config = *(const struct xm_metrics_config *)user;
    int type = xm_http_negotiate(request, types);
    if (type < 0) {
        xm_http_fail(response, 406, "not_acceptable", "there is text/plain and application/openmetrics-text");
        return;
    }
    xm_http_add_header(response, "Vary", "Accept");
    xm_http_set_type(response, type == 1 ? OPEN_TYPE : TEXT_TYPE);
    config.http = request->http;
    xm_metrics_write(&config, xm_http_snapshot(request), type == 1, response);
}

const struct xm_http_route xm_metrics_routes[1] = {{XM_HTTP_GET, "/metrics", NULL, NULL, handle}};

uint64_t xm_metrics_series(const struct xm_metrics_config *config, uint64_t domains, uint64_t vcpus,
                           uint64_t pcpus)
{
    size_t count;
    const struct xm_metrics_family *families = xm_metrics_families(&count);
    const uint64_t rows[XM_SCOPES] = {vcpus, domains, pcpus, domains * pcpus, 1};
    const uint64_t buckets = XM_HISTS * (XM_HOST_EDGES + 3);
    uint64_t series = HOST_SERIES + (config->collectors & XM_COLLECT_SELF ? SELF_SERIES : 0);
    for (size_t i = 0; i < count; i++)
        for (unsigned p = 0; p < XM_METRICS_PARTS && families[i].part[p].metric; p++)
            if (config->collectors & families[i].collector)
                series += rows[families[i].scope];
    if (config->collectors & XM_COLLECT_DOMAIN)
        series += 4 * domains; /* info, states, start; xen_domain_vcpus is one of its two */
    if (config->collectors & XM_COLLECT_HISTOGRAM)
        series += buckets * domains;
    if (config->collectors & XM_COLLECT_VCPU_HISTOGRAM)
        series += buckets * vcpus;
    return series;
}
