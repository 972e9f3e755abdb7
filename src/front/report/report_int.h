/* SPDX-License-Identifier: MIT */
/* What the formats of the report share. */
#ifndef XM_REPORT_INT_H
#define XM_REPORT_INT_H

#include "front/report/report.h"

/* The sample's rows in order. */
struct xm_report_rows {
    const struct xm_report *report;
    struct xm_window window;
    struct xm_place *vcpus, *domains, *pcpus;
    size_t vcpu_count, domain_count, pcpu_count;
};

/* A vCPU's usage and what is only reported. */
struct xm_report_vcpu {
    struct xm_usage usage;
    uint64_t wait_p50_ns, wait_p95_ns, wait_p99_ns;
    const char *assumed_state; /* NULL: its state is known, or nothing is */
};

/* The vCPU in a slot that is used. */
void xm_report_vcpu(const struct xm_report_rows *rows, uint32_t slot, struct xm_report_vcpu *vcpu);

/* "" where not known; borrowed until the next call. */
const char *xm_report_name(const struct xm_report_rows *rows, uint32_t domain_slot);

/*
 * The vCPUs of one domain are next to each other in rows->vcpus, in the order of rows->domains: sets *first
 * to the first one of `domain` at or after *next, moves *next behind the last one and returns how many
 * there are.
 */
size_t xm_report_vcpus_of(const struct xm_report_rows *rows, const struct xm_place *domain, size_t *next,
                          const struct xm_place **first);

/* The formats. */
void xm_report_json(const struct xm_report_rows *rows, FILE *out);
void xm_report_csv(const struct xm_report_rows *rows, FILE *out);
void xm_report_text(const struct xm_report_rows *rows, FILE *out);

#endif
