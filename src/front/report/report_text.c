/* SPDX-License-Identifier: MIT */
/* The report for people: 80 columns, what cannot be trusted first. */
#include "front/report/report_int.h"

#include <inttypes.h>
#include <string.h>

#include "view/format.h"

#define LABEL_WIDTH     10
#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

struct text_column {
    const char *id; /* in the view's table */
    const char *title;
    int width;
};

/* "d5", "d5#1" for the second domain that had id 5; with its number for a vCPU: "d5#1v0". */
static const char *label(uint64_t id, bool vcpu, char *text, size_t size)
{
    char instance[16] = "";
    char number[16] = "";
    if (xm_row_instance(id))
        snprintf(instance, sizeof instance, "#%" PRIu32, xm_row_instance(id));
    if (vcpu)
        snprintf(number, sizeof number, "v%" PRIu32, xm_row_vcpu(id));
    snprintf(text, size, "d%" PRIu32 "%s%s", xm_row_domid(id), instance, number);
    return text;
}

static void put_cell(const struct xm_usage *u, const char *id, int width, FILE *out)
{
    char text[32];
    struct xm_cell cell;
    const struct xm_column *column = xm_column_find(id);
    column->get(u, &cell);
    fprintf(out, "%*s", width, xm_format_cell(column, &cell, text, sizeof text));
}

static void put_ns(uint64_t ns, int width, FILE *out)
{
    char text[32];
    fprintf(out, "%*s", width, xm_format_ns(ns, text, sizeof text));
}

/* At most 5 cells: all of it is "100%". */
static const char *percent(uint64_t part, uint64_t whole, char *text, size_t size)
{
    xm_format_percent(whole ? 100.0 * (double)part / (double)whole : 0, text, size);
    if (strcmp(text, "100.0%") == 0)
        snprintf(text, size, "100%%");
    return text;
}

static void put_percent(uint64_t part, uint64_t whole, int width, FILE *out)
{
    char text[32];
    fprintf(out, "%*s", width, percent(part, whole, text, sizeof text));
}

/* ---- What the trace is, and how far it can be trusted. */

static void put_loss(const struct xm_report_rows *rows, FILE *out)
{
    const struct xm_host_row *host = &rows->report->totals->host;
    char text[32];
    if (host->lost_records == 0 && host->gap == 0) {
        fputs("lost         none\n", out);
        return;
    }
    uint64_t gap = xm_scale_to_ns(rows->report->scale, xm_cycles_of(host->gap)).v;
    if (host->lost_records)
        fprintf(out, "LOST         %" PRIu64 " records; some were missing", host->lost_records);
    else
        fputs("LOST         nobody knows how many records: some were missing", out);
    fprintf(out, " for %s,", xm_format_ns(gap, text, sizeof text));
    fprintf(out, " %s of the trace\n", percent(host->gap, host->window, text, sizeof text));
    for (size_t i = 0; i < rows->pcpu_count; i++) {
        struct xm_pcpu_usage u;
        xm_usage_pcpu(&rows->window, rows->pcpus[i].slot, &u);
        if (u.lost_records || u.gap_ns)
            fprintf(out, "             on pCPU %" PRIu32 ": %" PRIu64 " records in %s\n", u.pcpu,
                    u.lost_records, xm_format_ns(u.gap_ns, text, sizeof text));
    }
}

static void put_anomalies(const struct xm_report *r, FILE *out)
{
    uint64_t total = r->totals->host.anomalies;
    if (total == 0) {
        fputs("anomalies    none\n", out);
        return;
    }
    fprintf(out, "ANOMALIES    %" PRIu64, total);
    const char *separator = ": ";
    for (unsigned i = 0; r->anomalies && r->anomaly_name(i); i++) {
        if (r->anomalies[i] == 0)
            continue;
        fprintf(out, "%s%" PRIu64 " %s", separator, r->anomalies[i], r->anomaly_name(i));
        separator = ", ";
    }
    fputc('\n', out);
}

static void put_damage(const struct xm_report *r, FILE *out)
{
    char text[sizeof r->damage->text];
    uint64_t bytes = r->totals->host.damaged_bytes;
    bool named = r->damage && r->damage->status != XM_OK;
    if (bytes == 0 && !named) {
        fputs("damage       none\n", out);
        return;
    }
    fprintf(out, "DAMAGE       %" PRIu64 " bytes made no sense\n", bytes);
    if (named)
        fprintf(out, "             %s\n", xm_format_name(r->damage->text, sizeof text, text, sizeof text));
}

/* The host, and what reading its trace buffers took; nothing where a trace is reported on. */
static void put_host(const struct xm_report_rows *rows, FILE *out)
{
    const struct xm_region_info *info = rows->report->region;
    struct xm_reading r;
    char text[64];
    if (info && info->hypervisor[0]) {
        fprintf(out, "host         %s",
                xm_format_name(info->hypervisor, sizeof info->hypervisor, text, sizeof text));
        if (info->scheduler[0])
            fprintf(out, ", scheduler %s",
                    xm_format_name(info->scheduler, sizeof info->scheduler, text, sizeof text));
        fputc('\n', out);
    }
    xm_reading(&rows->window, &r);
    if (!r.known)
        return;
    fprintf(out, "read         in %" PRIu64 " passes, %" PRIu64 " wake-ups, %s of CPU time", r.passes,
            r.wakeups, xm_format_ns(r.own_cpu_ns, text, sizeof text));
    if (r.fill.known)
        fprintf(out, "; buffers %.1f%% full at most", (double)r.fill.count / 10);
    fputc('\n', out);
    if (r.stolen || r.repaired || r.bogus)
        fprintf(out,
                "MEDDLING     others took records %" PRIu64 " times and changed the tracing %" PRIu64
                " times;\n"
                "             a buffer's indices made no sense %" PRIu64 " times\n",
                r.stolen, r.repaired, r.bogus);
}

static void put_facts(const struct xm_report_rows *rows, FILE *out)
{
    static const struct {
        const char *from, *words;
    } sources[] = {
        {"trace", "as the trace reveals"}, {"option", "as given"}, {"host", "as the host reports"}};
    const struct xm_report *r = rows->report;
    const struct xm_host_row *host = &r->totals->host;
    char text[128];
    const char *from = r->hz_from;
    for (size_t i = 0; i < ELEMENTS(sources); i++)
        if (strcmp(from, sources[i].from) == 0)
            from = sources[i].words;
    fprintf(out, "XenMon report on %s\n\n", xm_format_name(r->source, SIZE_MAX, text, sizeof text));
    put_host(rows, out);
    fprintf(out, "trace        %s, %" PRIu64 " records\n",
            xm_format_ns(xm_scale_to_ns(r->scale, xm_cycles_of(host->window)).v, text, sizeof text),
            host->records);
    fprintf(out, "TSC          %" PRIu64 ".%03" PRIu64 " MHz, %s\n", r->scale->hz / 1000000,
            r->scale->hz / 1000 % 1000, from);
    fprintf(out, "states       from %s records\n", r->states_from);
    put_loss(rows, out);
    put_anomalies(r, out);
    put_damage(r, out);
    if (host->refused)
        fprintf(out, "REFUSED      %" PRIu64 " vCPUs, domains or pCPUs: a capacity was reached\n",
                host->refused);
    if (!r->peaks_complete)
        fputs("extremes     longest waits and smallest and largest slices are of the samples kept\n", out);
}

/* ---- Tables. */

static void put_pcpus(const struct xm_report_rows *rows, FILE *out)
{
    fprintf(out, "\npCPUs (%% of the trace)\n%-*s%16s%16s%16s%16s\n", LABEL_WIDTH, "", "busy", "idle",
            "switching", "unknown");
    for (size_t i = 0; i < rows->pcpu_count; i++) {
        struct xm_pcpu_usage u;
        xm_usage_pcpu(&rows->window, rows->pcpus[i].slot, &u);
        const uint64_t parts[] = {u.busy_ns, u.idle_ns, u.switching_ns, u.unknown_ns};
        fprintf(out, "cpu %-*" PRIu32, LABEL_WIDTH - 4, u.pcpu);
        for (size_t j = 0; j < ELEMENTS(parts); j++) {
            put_ns(parts[j], 9, out);
            put_percent(parts[j], u.window_ns, 7, out);
        }
        fputc('\n', out);
    }
}

static void put_time_row(const char *name, const struct xm_usage *u, FILE *out)
{
    const uint64_t parts[] = {u->running_ns, u->runnable_ns, u->blocked_ns, u->offline_ns, u->unknown_ns};
    fprintf(out, "%-5s", name);
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        put_ns(parts[i], 9, out);
        put_percent(parts[i], u->span_ns, 6, out);
    }
    fputc('\n', out);
}

static void put_domain_heading(const struct xm_report_rows *rows, uint32_t slot, const struct xm_usage *u,
                               FILE *out)
{
    char text[128];
    fprintf(out, "%s", label(u->id, false, text, sizeof text));
    if (*xm_report_name(rows, slot))
        fprintf(out, " %s", xm_format_name(xm_report_name(rows, slot), SIZE_MAX, text, sizeof text));
    if (u->vcpus == 0) {
        fprintf(out, ", no vCPU seen%s\n", u->ended ? ", ended" : "");
        return;
    }
    fprintf(out, ", %" PRIu32 " vCPU%s%s: some vCPU waited for %s,", u->vcpus, u->vcpus == 1 ? "" : "s",
            u->ended ? ", ended" : "", xm_format_ns(u->wait_any_ns, text, sizeof text));
    fprintf(out, " %s of the trace\n", percent(u->wait_any_ns, u->window_ns, text, sizeof text));
}

static void put_times(const struct xm_report_rows *rows, FILE *out)
{
    size_t next = 0;
    fprintf(out, "\nTime (%% of the trace; all: of vCPUs x trace)\n%-5s%15s%15s%15s%15s%15s\n", "", "gotten",
            "waited", "blocked", "offline", "unknown");
    for (size_t i = 0; i < rows->domain_count; i++) {
        struct xm_usage u;
        const struct xm_place *vcpu;
        xm_usage_domain(&rows->window, rows->domains[i].slot, &u);
        put_domain_heading(rows, rows->domains[i].slot, &u, out);
        size_t n = xm_report_vcpus_of(rows, &rows->domains[i], &next, &vcpu);
        if (n > 1)
            put_time_row("all", &u, out);
        for (; n; n--, vcpu++) {
            struct xm_report_vcpu v;
            char name[16];
            xm_report_vcpu(rows, vcpu->slot, &v);
            snprintf(name, sizeof name, "v%" PRIu32, xm_row_vcpu(v.usage.id));
            put_time_row(name, &v.usage, out);
            if (v.assumed_state)
                fprintf(out, "     (its state at the end is not known, probably %s)\n", v.assumed_state);
        }
    }
}

static void put_header(const char *title, const struct text_column *columns, size_t count, FILE *out)
{
    fprintf(out, "\n%s\n%*s", title, LABEL_WIDTH, "");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%*s", columns[i].width, columns[i].title);
    fputc('\n', out);
}

static void put_row(const struct xm_usage *u, bool vcpu, const struct text_column *columns, size_t count,
                    FILE *out)
{
    char text[48];
    fprintf(out, "%-*s", LABEL_WIDTH, label(u->id, vcpu, text, sizeof text));
    for (size_t i = 0; i < count; i++)
        put_cell(u, columns[i].id, columns[i].width, out);
}

static void put_executions(const struct xm_report_rows *rows, FILE *out)
{
    static const struct text_column columns[] = {
        {"executions", "executions", 11},
        {"executions_per_s", "a second", 9},
        {"running_per_execution_ns", "gotten/ex", 10},
        {"runnable_per_execution_ns", "waited/ex", 10},
        {"blocked_per_execution_ns", "blocked/ex", 11},
        {"migrations", "migrated", 9},
        {"preemptions", "preempted", 10},
    };
    put_header("Executions", columns, ELEMENTS(columns), out);
    for (size_t i = 0; i < rows->vcpu_count; i++) {
        struct xm_report_vcpu v;
        xm_report_vcpu(rows, rows->vcpus[i].slot, &v);
        put_row(&v.usage, true, columns, ELEMENTS(columns), out);
        fputc('\n', out);
    }
}

static void put_waits(const struct xm_report_rows *rows, FILE *out)
{
    static const struct text_column columns[] = {
        {"wait_after_wake_ns", "woken", 10},
        {"wait_after_preemption_ns", "preempted", 10},
        {"wait_other_ns", "other", 10},
    };
    static const struct text_column header[] = {
        {NULL, "woken", 10}, {NULL, "preempted", 10}, {NULL, "other", 10},   {NULL, "50% below", 10},
        {NULL, "95%", 10},   {NULL, "99%", 10},       {NULL, "longest", 10},
    };
    put_header("Waits: time by cause; lengths of the waits that ended", header, ELEMENTS(header), out);
    for (size_t i = 0; i < rows->vcpu_count; i++) {
        struct xm_report_vcpu v;
        xm_report_vcpu(rows, rows->vcpus[i].slot, &v);
        put_row(&v.usage, true, columns, ELEMENTS(columns), out);
        const uint64_t lengths[] = {v.wait_p50_ns, v.wait_p95_ns, v.wait_p99_ns, v.usage.wait_max_ns};
        for (size_t j = 0; j < ELEMENTS(lengths); j++) {
            if (v.usage.wait_max_ns)
                put_ns(lengths[j], 10, out);
            else
                fprintf(out, "%10s", "-");
        }
        fputc('\n', out);
    }
}

static void put_slices(const struct xm_report_rows *rows, FILE *out)
{
    static const struct text_column columns[] = {
        {"allocated_count", "slices", 11},
        {"allocated_avg_ns", "average", 10},
        {"allocated_min_ns", "smallest", 10},
        {"allocated_max_ns", "largest", 10},
        {"running_per_execution_ns", "gotten/ex", 11},
    };
    put_header("Allocated: time slices given at dispatch", columns, ELEMENTS(columns), out);
    for (size_t i = 0; i < rows->vcpu_count; i++) {
        struct xm_report_vcpu v;
        xm_report_vcpu(rows, rows->vcpus[i].slot, &v);
        put_row(&v.usage, true, columns, ELEMENTS(columns), out);
        fputc('\n', out);
    }
}

static void put_io(const struct xm_report_rows *rows, FILE *out)
{
    static const struct text_column columns[] = {
        {"page_transfers", "flips", 9},       {"grant_maps", "maps", 9},
        {"grant_unmaps", "unmaps", 9},        {"done_page_transfers", "flips", 9},
        {"done_grant_maps", "maps", 9},       {"done_grant_unmaps", "unmaps", 9},
        {"grant_copies_issued", "copies", 9}, {"io_per_execution", "I/O/ex", 7},
    };
    put_header("I/O in pages: the domain's own       handled for others (- not in the trace)", columns,
               ELEMENTS(columns), out);
    for (size_t i = 0; i < rows->domain_count; i++) {
        struct xm_usage u;
        xm_usage_domain(&rows->window, rows->domains[i].slot, &u);
        put_row(&u, false, columns, ELEMENTS(columns), out);
        fputc('\n', out);
    }
}

/* What went through the devices that dom0's kernel serves; nothing where it serves none. */
static void put_devices(const struct xm_report_rows *rows, FILE *out)
{
    static const struct text_column columns[] = {
        {"net_received_bytes", "bytes in", 9},
        {"net_sent_bytes", "out", 9},
        {"net_received_packets", "packets", 9},
        {"net_sent_packets", "out", 9},
        {"disk_read_bytes", "read", 9},
        {"disk_write_bytes", "written", 9},
        {"disk_reads", "reads", 8},
        {"disk_writes", "writes", 8},
    };
    bool any = false;
    for (size_t i = 0; i < rows->domain_count; i++) {
        const struct xm_domain_row *row = &rows->report->totals->domain[rows->domains[i].slot];
        any |= row->vifs || row->vbds;
    }
    if (!any)
        return;
    put_header("Network and disk, as the domain sees them (- not served by dom0's kernel)", columns,
               ELEMENTS(columns), out);
    for (size_t i = 0; i < rows->domain_count; i++) {
        struct xm_usage u;
        xm_usage_domain(&rows->window, rows->domains[i].slot, &u);
        put_row(&u, false, columns, ELEMENTS(columns), out);
        fputc('\n', out);
    }
}

void xm_report_text(const struct xm_report_rows *rows, FILE *out)
{
    put_facts(rows, out);
    put_pcpus(rows, out);
    put_times(rows, out);
    put_executions(rows, out);
    put_waits(rows, out);
    put_slices(rows, out);
    put_io(rows, out);
    put_devices(rows, out);
}
