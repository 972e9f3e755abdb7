/* SPDX-License-Identifier: MIT */
/* What a region says of its host in one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/hosts/hosts.h"
#include "view/format.h"
#include "view/view.h"
#include "xenmon/region.h"

#define SHARE_LEAST  0.0005 /* waited less: nobody's worst */
#define LOST_SPAN_NS (60 * XM_NS_PER_S)

struct xm_hosts_reader {
    char *path; /* owned */
    struct xm_region *region;
    struct xm_sample from, to; /* of one capacity */
};

struct xm_hosts_reader *xm_hosts_reader_create(const char *path)
{
    struct xm_hosts_reader *r = calloc(1, sizeof *r);
    if (r)
        r->path = strdup(path);
    if (r && r->path)
        return r;
    free(r);
    return NULL;
}

static void forget(struct xm_hosts_reader *r)
{
    xm_region_close(r->region);
    r->region = NULL;
}

void xm_hosts_reader_destroy(struct xm_hosts_reader *reader)
{
    if (!reader)
        return;
    forget(reader);
    xm_sample_fini(&reader->from);
    xm_sample_fini(&reader->to);
    free(reader->path);
    free(reader);
}

static bool fits(struct xm_hosts_reader *r, struct xm_capacity want)
{
    struct xm_capacity have = r->to.capacity;
    if (have.domains == want.domains && have.vcpus == want.vcpus && have.pcpus == want.pcpus)
        return true;
    xm_sample_fini(&r->from);
    xm_sample_fini(&r->to);
    r->from = r->to = (struct xm_sample){0};
    if (xm_sample_init(&r->from, want) == XM_OK && xm_sample_init(&r->to, want) == XM_OK)
        return true;
    xm_sample_fini(&r->from);
    xm_sample_fini(&r->to);
    r->from = r->to = (struct xm_sample){0};
    return false;
}

/* The sample that is a second (or what there is) before `to`, into `from`.  False: there is none. */
static bool read_from(struct xm_hosts_reader *r, const struct xm_scale *scale, uint64_t newest)
{
    uint64_t span = xm_scale_to_cycles(scale, xm_ns_of(XM_NS_PER_S)).v;
    uint64_t index;
    uint64_t wanted = r->to.host.window > span ? r->to.host.window - span : 0;
    enum xm_region_outcome found = xm_region_find(r->region, XM_SERIES_FAST, wanted, &index);
    if ((found != XM_REGION_OK && found != XM_REGION_OVERRUN) || index >= newest)
        return false;
    return xm_region_sample(r->region, XM_SERIES_FAST, index, &r->from) == XM_REGION_OK &&
           r->from.host.window < r->to.host.window;
}

static uint64_t lost_of_late(struct xm_hosts_reader *r, const struct xm_scale *scale)
{
    struct xm_host_row before = {0};
    uint64_t span = xm_scale_to_cycles(scale, xm_ns_of(LOST_SPAN_NS)).v;
    uint64_t wanted = r->to.host.window > span ? r->to.host.window - span : 0;
    uint64_t index;
    enum xm_region_outcome found = xm_region_find(r->region, XM_SERIES_FAST, wanted, &index);
    if ((found != XM_REGION_OK && found != XM_REGION_OVERRUN) ||
        xm_region_host(r->region, XM_SERIES_FAST, index, &before) != XM_REGION_OK)
        return 0;
    return r->to.host.lost_records > before.lost_records ? r->to.host.lost_records - before.lost_records : 0;
}

static void name_domain(struct xm_hosts_reader *r, uint32_t slot, uint64_t id, char *text, size_t size)
{
    struct xm_region_domain fact;
    bool known = xm_region_domain(r->region, slot, &fact) == XM_REGION_OK && fact.id == id && fact.name[0];
    if (known)
        xm_format_name(fact.name, sizeof fact.name, text, size);
    else
        snprintf(text, size, "%u", (unsigned)xm_row_domid(id));
}

static void read_domains(struct xm_hosts_reader *r, const struct xm_window *w, struct xm_hosts_row *row)
{
    double worst = SHARE_LEAST;
    uint64_t waited_ns = 0;
    for (uint32_t slot = 0; slot < r->to.used.domains; slot++) {
        struct xm_usage u;
        if (!xm_usage_domain(w, slot, &u) || u.ended)
            continue;
        row->domains++;
        row->vcpus += u.vcpus;
        waited_ns += u.runnable_ns;
        double share = u.span_ns ? (double)u.runnable_ns / (double)u.span_ns : 0;
        if (row->rates && share > worst) {
            worst = share;
            row->worst_wait = share;
            name_domain(r, slot, u.id, row->worst, sizeof row->worst);
        }
    }
    uint64_t cycles = r->to.host.window - (w->from ? w->from->host.window : 0);
    uint64_t window_ns = xm_scale_to_ns(w->scale, xm_cycles_of(cycles)).v;
    row->waiting = window_ns ? (double)waited_ns / (double)window_ns : 0;
}

static void read_pcpus(const struct xm_hosts_reader *r, const struct xm_window *w, struct xm_hosts_row *row)
{
    uint64_t busy_ns = 0;
    uint64_t window_ns = 0;
    for (uint32_t slot = 0; slot < r->to.used.pcpus; slot++) {
        struct xm_pcpu_usage u;
        if (!xm_usage_pcpu(w, slot, &u))
            continue;
        row->pcpus++;
        busy_ns += u.busy_ns;
        window_ns += u.window_ns;
    }
    row->busy = window_ns ? (double)busy_ns / (double)window_ns : 0;
}

static bool attach(struct xm_hosts_reader *r, struct xm_region_info *info)
{
    if (!r->region && xm_region_open(r->path, &r->region, NULL) != XM_OK)
        return false;
    enum xm_region_outcome outcome = xm_region_check(r->region);
    if (outcome != XM_REGION_INCOMPATIBLE)
        outcome = xm_region_info(r->region, info);
    if (outcome == XM_REGION_INCOMPATIBLE)
        forget(r);
    return outcome == XM_REGION_OK;
}

void xm_hosts_read(struct xm_hosts_reader *reader, struct xm_hosts_row *row)
{
    struct xm_hosts_reader *r = reader;
    struct xm_region_info info;
    struct xm_scale scale = {0};
    row->data = row->rates = false;
    row->domains = row->vcpus = row->pcpus = 0;
    row->worst[0] = '\0';
    row->worst_wait = 0;
    if (!attach(r, &info) || !fits(r, info.capacity))
        return;
    uint64_t newest = info.series[XM_SERIES_FAST].newest;
    if (newest == UINT64_MAX || xm_region_sample(r->region, XM_SERIES_FAST, newest, &r->to) != XM_REGION_OK)
        return;
    row->rates = xm_scale_init(&scale, info.tsc_hz) && read_from(r, &scale, newest);
    const struct xm_window w = {
        .from = row->rates ? &r->from : NULL, .to = &r->to, .scale = &scale, .io_seen = info.io_seen};
    row->data = true;
    row->lost = scale.hz ? lost_of_late(r, &scale) : r->to.host.lost_records;
    read_domains(r, &w, row);
    read_pcpus(r, &w, row);
}
