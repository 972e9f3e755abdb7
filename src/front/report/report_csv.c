/* SPDX-License-Identifier: MIT */
/*
 * The report as a table, one row a vCPU.  What only a domain has is repeated on its vCPUs' rows and says so
 * in its name.
 */
#include "front/print/csv.h"
#include "front/report/report_int.h"
#include "view/format.h"

static const char *const vcpu_columns[] = {
    "window_ns",     "running_ns",  "runnable_ns",        "blocked_ns",
    "offline_ns",    "unknown_ns",  "executions",         "migrations",
    "preemptions",   "yields",      "wait_after_wake_ns", "wait_after_preemption_ns",
    "wait_other_ns", "wait_max_ns",
};
static const char *const percentiles[] = {"wait_p50_ns", "wait_p95_ns", "wait_p99_ns"};
static const char *const slice_columns[] = {"allocated_count", "allocated_sum_ns", "allocated_min_ns",
                                            "allocated_max_ns"};
static const char *const domain_columns[] = {
    "wait_any_ns",         "page_transfers",      "grant_maps",      "grant_unmaps",
    "grant_copies_issued", "done_page_transfers", "done_grant_maps", "done_grant_unmaps",
};
/* What the toolstack and dom0's kernel say: behind all that older versions had. */
static const char *const told_columns[] = {
    "online_vcpus",         "paused",           "weight",           "cap_pct",    "net_received_bytes",
    "net_received_packets", "net_sent_bytes",   "net_sent_packets", "disk_reads", "disk_writes",
    "disk_read_bytes",      "disk_write_bytes",
};

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void put_columns(struct xm_csv *csv, const struct xm_usage *u, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct xm_cell cell;
        xm_column_find(ids[i])->get(u, &cell);
        xm_csv_maybe(csv, cell.known, cell.exact);
    }
}

static void put_names(struct xm_csv *csv, const char *prefix, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", prefix, ids[i]);
        xm_csv_text(csv, name);
    }
}

static void put_header(struct xm_csv *csv)
{
    static const char *const first[] = {"domid", "instance", "name", "vcpu", "assumed_state"};
    put_names(csv, "", first, ELEMENTS(first));
    put_names(csv, "", vcpu_columns, ELEMENTS(vcpu_columns));
    put_names(csv, "", percentiles, ELEMENTS(percentiles));
    put_names(csv, "", slice_columns, ELEMENTS(slice_columns));
    put_names(csv, "domain_", domain_columns, ELEMENTS(domain_columns));
    put_names(csv, "domain_", told_columns, ELEMENTS(told_columns));
    xm_csv_end(csv);
}

static void put_vcpu(struct xm_csv *csv, const struct xm_report_rows *rows, uint32_t slot,
                     const struct xm_usage *domain, const char *name)
{
    struct xm_report_vcpu v;
    xm_report_vcpu(rows, slot, &v);
    xm_csv_u64(csv, xm_row_domid(v.usage.id));
    xm_csv_u64(csv, xm_row_instance(v.usage.id));
    xm_csv_text(csv, name);
    xm_csv_u64(csv, xm_row_vcpu(v.usage.id));
    xm_csv_text(csv, v.assumed_state);
    put_columns(csv, &v.usage, vcpu_columns, ELEMENTS(vcpu_columns));
    xm_csv_u64(csv, v.wait_p50_ns);
    xm_csv_u64(csv, v.wait_p95_ns);
    xm_csv_u64(csv, v.wait_p99_ns);
    put_columns(csv, &v.usage, slice_columns, ELEMENTS(slice_columns));
    put_columns(csv, domain, domain_columns, ELEMENTS(domain_columns));
    put_columns(csv, domain, told_columns, ELEMENTS(told_columns));
    xm_csv_end(csv);
}

void xm_report_csv(const struct xm_report_rows *rows, FILE *out)
{
    struct xm_csv csv = {.out = out};
    size_t next = 0;
    put_header(&csv);
    for (size_t i = 0; i < rows->domain_count; i++) {
        struct xm_usage domain;
        const struct xm_place *vcpu;
        char name[128];
        xm_format_name(xm_report_name(rows, rows->domains[i].slot), SIZE_MAX, name, sizeof name);
        xm_usage_domain(&rows->window, rows->domains[i].slot, &domain);
        for (size_t n = xm_report_vcpus_of(rows, &rows->domains[i], &next, &vcpu); n; n--)
            put_vcpu(&csv, rows, vcpu++->slot, &domain, name);
    }
}
