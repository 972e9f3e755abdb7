/* SPDX-License-Identifier: MIT */
/*
 * /metrics: a snapshot as OpenMetrics 1.0 or as Prometheus' text format 0.0.4.
 *
 * Values are counters of seconds, bytes and events since the trace began, from the region's own table of
 * metrics; a second table says which family, and which label value, each of them is.  doc/metrics.md is the
 * list for people.
 *
 * A domain whose id was used before has a label `incarnation` (1, 2, ...), so that its series are not those
 * of the one before.
 */
#ifndef XM_METRICS_H
#define XM_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/host.h"
#include "export/http.h"

/* What can be left out or added: bits. */
enum xm_collector {
    XM_COLLECT_DOMAIN = 1u << 0,         /* sums of each domain */
    XM_COLLECT_HISTOGRAM = 1u << 1,      /* distributions of each domain */
    XM_COLLECT_IO = 1u << 2,             /* grants and page transfers */
    XM_COLLECT_DEVICE = 1u << 3,         /* network and disk of each domain */
    XM_COLLECT_VCPU = 1u << 4,           /* each vCPU */
    XM_COLLECT_VCPU_HISTOGRAM = 1u << 5, /* distributions of each vCPU */
    XM_COLLECT_CPU = 1u << 6,            /* each pCPU */
    XM_COLLECT_CPU_DOMAIN = 1u << 7,     /* each domain on each pCPU */
    XM_COLLECT_SELF = 1u << 8            /* of what this server and its process do */
};
#define XM_COLLECTORS 9u
#define XM_COLLECT_DEFAULT                                                                                   \
    (XM_COLLECT_DOMAIN | XM_COLLECT_HISTOGRAM | XM_COLLECT_IO | XM_COLLECT_DEVICE | XM_COLLECT_VCPU |        \
     XM_COLLECT_CPU | XM_COLLECT_SELF)
/* "domain", "histogram", ...; bit: 0 to XM_COLLECTORS - 1. */
const char *xm_collector_name(unsigned bit);

struct xm_metrics_config {
    unsigned collectors;  /* XM_COLLECT_* */
    unsigned domains;     /* most domains shown, those in the first slots; 0: none */
    bool created;         /* _created of counters and histograms (OpenMetrics only) */
    const char *version;  /* of this program */
    struct xm_http *http; /* for its counts; the route has its own server's.  NULL: none */
};

/*
 * Writes all families into the body.  open: OpenMetrics, else 0.0.4.  Cost: about 100 ns a series; allocates
 * nothing but the answer's buffer.
 */
void xm_metrics_write(const struct xm_metrics_config *config, const struct xm_host_snapshot *snapshot,
                      bool open, struct xm_http_response *response);

/* The route; user: struct xm_metrics_config. */
extern const struct xm_http_route xm_metrics_routes[1];

/* Series that a host of this size has at most, for --show-config. */
uint64_t xm_metrics_series(const struct xm_metrics_config *config, uint64_t domains, uint64_t vcpus,
                           uint64_t pcpus);

/*
 * Why a metric of metrics.def is in no family, NULL where it is in one.  scope and name as in struct
 * xm_metric.
 */
const char *xm_metrics_left_out(enum xm_scope scope, const char *name);

#endif
