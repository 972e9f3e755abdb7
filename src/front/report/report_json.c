/* SPDX-License-Identifier: MIT */
/* The report as one JSON object, schema xenmon.report/1: names and meanings stay, members may be added. */
#include "front/print/json.h"
#include "front/report/report_int.h"

/*
 * Members of a vCPU that are columns of the view's table, up to where its percentiles stand, and behind
 * them.
 */
static const char *const vcpu_columns[] = {
    "running_ns",    "runnable_ns",        "blocked_ns",
    "offline_ns",    "unknown_ns",         "executions",
    "migrations",    "wait_after_wake_ns", "wait_after_preemption_ns",
    "wait_other_ns", "wait_max_ns",
};
static const char *const vcpu_more_columns[] = {"preemptions", "yields"};

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void put_columns(struct xm_json *json, const struct xm_usage *u, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct xm_cell cell;
        xm_column_find(ids[i])->get(u, &cell);
        xm_json_u64(json, ids[i], cell.exact);
    }
}

static void put_maybe(struct xm_json *json, const char *key, struct xm_maybe m)
{
    if (m.known)
        xm_json_u64(json, key, m.count);
    else
        xm_json_null(json, key);
}

static void put_classes(struct xm_json *json, const struct xm_report *r)
{
    if (!r->classes)
        return;
    xm_json_object(json, "records_by_class", false);
    for (unsigned i = 0; i < XM_CLASSES; i++)
        xm_json_u64(json, xm_class_name(i), r->classes[i]);
    xm_json_close(json);
}

static void put_anomalies(struct xm_json *json, const struct xm_report *r)
{
    if (!r->anomalies)
        return;
    xm_json_object(json, "anomalies_by_kind", false);
    for (unsigned i = 0; r->anomaly_name(i); i++)
        xm_json_u64(json, r->anomaly_name(i), r->anomalies[i]);
    xm_json_close(json);
}

static void put_damage(struct xm_json *json, const struct xm_report *r)
{
    if (!r->damage || r->damage->status == XM_OK) {
        xm_json_null(json, "damage");
        return;
    }
    xm_json_object(json, "damage", false);
    if (r->damage->offset == XM_NO_OFFSET)
        xm_json_null(json, "offset_bytes");
    else
        xm_json_u64(json, "offset_bytes", r->damage->offset);
    xm_json_text(json, "text", r->damage->text);
    xm_json_close(json);
}

/* The host that a region is of, and what reading its trace buffers took: null where that is not known. */
static void put_host(struct xm_json *json, const struct xm_report_rows *rows)
{
    static const struct xm_region_info none;
    const struct xm_region_info *info = rows->report->region ? rows->report->region : &none;
    struct xm_reading r;
    xm_reading(&rows->window, &r);
    const struct {
        const char *key;
        struct xm_maybe value;
    } members[] = {
        {"events", {info->events != 0, info->events}},
        {"buffer_bytes", {info->buffer_bytes != 0, info->buffer_bytes}},
        {"host_cpus", {info->host_cpus != 0, info->host_cpus}},
        {"passes", {r.known, r.passes}},
        {"wakeups", {r.known, r.wakeups}},
        {"own_cpu_ns", {r.known, r.own_cpu_ns}},
        {"virqs", {r.known, r.virqs}},
        {"bogus", {r.known, r.bogus}},
        {"stolen", {r.known, r.stolen}},
        {"repaired", {r.known, r.repaired}},
        {"dropped", {r.known, r.dropped}},
    };
    xm_json_object(json, "host", true);
    xm_json_text(json, "hypervisor", info->hypervisor[0] ? info->hypervisor : NULL);
    xm_json_text(json, "scheduler", info->scheduler[0] ? info->scheduler : NULL);
    for (size_t i = 0; i < ELEMENTS(members); i++)
        put_maybe(json, members[i].key, members[i].value);
    xm_json_close(json);
}

static void put_trace(struct xm_json *json, const struct xm_report_rows *rows)
{
    const struct xm_report *r = rows->report;
    const struct xm_host_row *host = &r->totals->host;
    xm_json_object(json, "trace", true);
    xm_json_u64(json, "records", host->records);
    xm_json_u64(json, "lost_records", host->lost_records);
    xm_json_u64(json, "anomalies", host->anomalies);
    xm_json_u64(json, "damaged_bytes", host->damaged_bytes);
    xm_json_u64(json, "duration_ns", xm_scale_to_ns(r->scale, xm_cycles_of(host->window)).v);
    xm_json_u64(json, "tsc_hz", r->scale->hz);
    xm_json_text(json, "tsc_hz_from", r->hz_from);
    xm_json_text(json, "states_from", r->states_from);
    xm_json_text(json, "source", r->source);
    xm_json_u64(json, "first_tsc", host->tsc - host->window);
    xm_json_u64(json, "last_tsc", host->tsc);
    xm_json_u64(json, "gap_ns", xm_scale_to_ns(r->scale, xm_cycles_of(host->gap)).v);
    xm_json_u64(json, "ends", r->ends);
    xm_json_u64(json, "refused", host->refused);
    put_damage(json, r);
    put_anomalies(json, r);
    put_classes(json, r);
    if (r->stats) {
        xm_json_u64(json, "short_records", r->stats->short_records);
        xm_json_u64(json, "backwards", r->stats->backwards);
        xm_json_u64(json, "stragglers", r->stats->stragglers);
    }
    xm_json_bool(json, "peaks_complete", r->peaks_complete);
    xm_json_close(json);
}

static void put_pcpus(struct xm_json *json, const struct xm_report_rows *rows)
{
    xm_json_array(json, "cpus", true);
    for (size_t i = 0; i < rows->pcpu_count; i++) {
        struct xm_pcpu_usage u;
        xm_usage_pcpu(&rows->window, rows->pcpus[i].slot, &u);
        xm_json_object(json, NULL, false);
        xm_json_u64(json, "cpu", u.pcpu);
        xm_json_u64(json, "idle_ns", u.idle_ns);
        xm_json_u64(json, "busy_ns", u.busy_ns);
        xm_json_u64(json, "switching_ns", u.switching_ns);
        xm_json_u64(json, "unknown_ns", u.unknown_ns);
        xm_json_u64(json, "executions", u.executions);
        xm_json_u64(json, "lost_records", u.lost_records);
        xm_json_u64(json, "gap_ns", u.gap_ns);
        put_maybe(json, "buffer_fill_permille", u.buffer_fill);
        xm_json_close(json);
    }
    xm_json_close(json);
}

static void put_vcpu(struct xm_json *json, const struct xm_report_rows *rows, uint32_t slot)
{
    struct xm_report_vcpu v;
    const struct xm_usage *u = &v.usage;
    xm_report_vcpu(rows, slot, &v);
    xm_json_object(json, NULL, false);
    xm_json_u64(json, "vcpu", xm_row_vcpu(u->id));
    xm_json_text(json, "assumed_state", v.assumed_state);
    put_columns(json, u, vcpu_columns, ELEMENTS(vcpu_columns));
    xm_json_u64(json, "wait_p50_ns", v.wait_p50_ns);
    xm_json_u64(json, "wait_p95_ns", v.wait_p95_ns);
    xm_json_u64(json, "wait_p99_ns", v.wait_p99_ns);
    xm_json_object(json, "allocated", false);
    xm_json_u64(json, "count", u->slices);
    xm_json_u64(json, "sum_ns", u->slice_sum_ns);
    xm_json_u64(json, "min_ns", u->slice_min_ns);
    xm_json_u64(json, "max_ns", u->slice_max_ns);
    xm_json_close(json);
    put_columns(json, u, vcpu_more_columns, ELEMENTS(vcpu_more_columns));
    xm_json_close(json);
}

static void put_io(struct xm_json *json, const char *key, const struct xm_io *io)
{
    xm_json_object(json, key, false);
    put_maybe(json, "page_transfers", io->transfers);
    put_maybe(json, "grant_maps", io->maps);
    put_maybe(json, "grant_unmaps", io->unmaps);
    put_maybe(json, "grant_copies_issued", io->copies);
    xm_json_close(json);
}

/* What the toolstack and dom0's kernel say of the domain. */
static void put_told(struct xm_json *json, const struct xm_told *t)
{
    put_maybe(json, "online_vcpus", t->online);
    if (t->paused.known)
        xm_json_bool(json, "paused", t->paused.count != 0);
    else
        xm_json_null(json, "paused");
    put_maybe(json, "weight", t->weight);
    put_maybe(json, "cap_pct", t->cap);
    xm_json_object(json, "net", false);
    put_maybe(json, "received_bytes", t->received_bytes);
    put_maybe(json, "received_packets", t->received_packets);
    put_maybe(json, "sent_bytes", t->sent_bytes);
    put_maybe(json, "sent_packets", t->sent_packets);
    xm_json_close(json);
    xm_json_object(json, "disk", false);
    put_maybe(json, "reads", t->disk_reads);
    put_maybe(json, "writes", t->disk_writes);
    put_maybe(json, "read_bytes", t->disk_read_bytes);
    put_maybe(json, "write_bytes", t->disk_write_bytes);
    xm_json_close(json);
}

static void put_domains(struct xm_json *json, const struct xm_report_rows *rows)
{
    size_t next = 0;
    xm_json_array(json, "domains", true);
    for (size_t i = 0; i < rows->domain_count; i++) {
        struct xm_usage u;
        const struct xm_place *vcpu;
        const char *name = xm_report_name(rows, rows->domains[i].slot);
        xm_usage_domain(&rows->window, rows->domains[i].slot, &u);
        xm_json_object(json, NULL, true);
        xm_json_u64(json, "domid", xm_row_domid(u.id));
        xm_json_u64(json, "instance", xm_row_instance(u.id));
        xm_json_text(json, "name", *name ? name : NULL);
        xm_json_bool(json, "ended", u.ended);
        xm_json_u64(json, "any_waiting_ns", u.wait_any_ns);
        xm_json_array(json, "vcpus", true);
        for (size_t n = xm_report_vcpus_of(rows, &rows->domains[i], &next, &vcpu); n; n--)
            put_vcpu(json, rows, vcpu++->slot);
        xm_json_close(json);
        put_io(json, "io", &u.io);
        put_io(json, "io_done", &u.io_done);
        put_told(json, &u.told);
        xm_json_close(json);
    }
    xm_json_close(json);
}

void xm_report_json(const struct xm_report_rows *rows, FILE *out)
{
    struct xm_json json;
    xm_json_init(&json, out);
    xm_json_object(&json, NULL, true);
    xm_json_text(&json, "schema", "xenmon.report/1");
    put_trace(&json, rows);
    put_host(&json, rows);
    put_pcpus(&json, rows);
    put_domains(&json, rows);
    xm_json_close(&json);
}
