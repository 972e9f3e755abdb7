/* SPDX-License-Identifier: MIT */
/*
 * The log as JSON Lines: an object of the schema "xenmon.log/1" for each interval, which xenmon(1) describes.
 */
#include "front/print/json.h"
#include "front/log/log_int.h"

#define STATES 5u

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static void put_maybe(struct xm_json *json, const char *key, bool known, uint64_t value)
{
    if (known)
        xm_json_u64(json, key, value);
    else
        xm_json_null(json, key);
}

static void put_metrics(struct xm_json *json, const struct xm_log_interval *i, const struct xm_log_row *row,
                        bool of_vcpu)
{
    const struct xm_selection *s = &i->config->selection;
    for (size_t m = 0; m < s->metrics; m++) {
        struct xm_cell cell;
        if (of_vcpu && s->metric[m].of_domain)
            continue;
        xm_log_cell(&s->metric[m], row, &cell);
        if (cell.type == XM_COL_NS || cell.type == XM_COL_COUNT)
            put_maybe(json, s->metric[m].id, cell.known, cell.exact);
        else if (cell.known)
            xm_json_real(json, s->metric[m].id, cell.value);
        else
            xm_json_null(json, s->metric[m].id);
    }
}

static void put_vcpu(struct xm_json *json, const struct xm_log_interval *i, uint32_t slot)
{
    static const char *const states[STATES] = {"running", "runnable", "blocked", "offline", "unknown"};
    struct xm_log_row row;
    xm_log_vcpu_row(i, slot, &row);
    xm_json_object(json, NULL, false);
    xm_json_u64(json, "vcpu", xm_row_vcpu(row.usage.id));
    xm_json_text(json, "state", (row.usage.state & 15) < STATES ? states[row.usage.state & 15] : "unknown");
    put_maybe(json, "cpu", row.usage.pcpu != 0, (uint64_t)row.usage.pcpu - 1);
    put_metrics(json, i, &row, true);
    xm_json_close(json);
}

static void put_domain(struct xm_json *json, const struct xm_log_interval *i, const struct xm_log_domain *d)
{
    struct xm_log_row row;
    xm_log_domain_row(i, d, &row);
    xm_json_object(json, NULL, false);
    xm_json_u64(json, "domid", xm_row_domid(row.usage.id));
    xm_json_u64(json, "instance", xm_row_instance(row.usage.id));
    xm_json_text(json, "name", text_or_null(d->name->name));
    xm_json_text(json, "uuid", text_or_null(d->name->uuid));
    xm_json_bool(json, "ended", row.usage.ended);
    xm_json_u64(json, "vcpus_seen", row.usage.vcpus);
    xm_json_u64(json, "span_ns", row.usage.span_ns);
    put_metrics(json, i, &row, false);
    if (i->config->per == XM_LOG_PER_VCPU) {
        xm_json_array(json, "vcpus", false);
        for (size_t v = 0; v < d->vcpu_count; v++)
            put_vcpu(json, i, d->vcpus[v].slot);
        xm_json_close(json);
    }
    xm_json_close(json);
}

static void put_domains(struct xm_json *json, const struct xm_log_interval *i)
{
    struct xm_log_walk walk;
    struct xm_log_domain domain;
    xm_log_walk_init(&walk, i);
    xm_json_array(json, "domains", false);
    while (xm_log_walk_next(&walk, &domain))
        put_domain(json, i, &domain);
    xm_json_close(json);
}

static void put_cpus(struct xm_json *json, const struct xm_log_interval *i)
{
    size_t count = xm_order_pcpus(i->window.to, i->vcpus); /* has room for pCPUs too */
    xm_json_array(json, "cpus", false);
    for (size_t p = 0; p < count; p++) {
        struct xm_pcpu_usage u;
        if (!xm_usage_pcpu(&i->window, i->vcpus[p].slot, &u))
            continue;
        xm_json_object(json, NULL, false);
        xm_json_u64(json, "cpu", u.pcpu);
        xm_json_u64(json, "window_ns", u.window_ns);
        xm_json_u64(json, "busy_ns", u.busy_ns);
        xm_json_u64(json, "idle_ns", u.idle_ns);
        xm_json_u64(json, "switching_ns", u.switching_ns);
        xm_json_u64(json, "unknown_ns", u.unknown_ns);
        xm_json_u64(json, "gap_ns", u.gap_ns);
        xm_json_u64(json, "executions", u.executions);
        xm_json_u64(json, "lost_records", u.lost_records);
        put_maybe(json, "buffer_fill_permille", u.buffer_fill.known, u.buffer_fill.count);
        xm_json_close(json);
    }
    xm_json_close(json);
}

static void put_host(struct xm_json *json, const struct xm_log_interval *i)
{
    static const struct xm_host_row none;
    const struct xm_host_row *now = &i->window.to->host;
    const struct xm_host_row *then = i->window.from ? &i->window.from->host : &none;
    struct xm_reading r;
    xm_reading(&i->window, &r);
    xm_json_object(json, "host", false);
    xm_json_text(json, "source", text_or_null(i->info->source_name));
    xm_json_text(json, "hypervisor", text_or_null(i->info->hypervisor));
    xm_json_text(json, "scheduler", text_or_null(i->info->scheduler));
    put_maybe(json, "cpus", i->info->host_cpus != 0, i->info->host_cpus);
    xm_json_u64(json, "tsc_hz", i->window.scale->hz);
    xm_json_text(json, "states_from", text_or_null(i->info->states_from));
    xm_json_u64(json, "records", xm_counted(now->records, then->records));
    put_maybe(json, "own_cpu_ns", r.known, r.own_cpu_ns);
    xm_json_close(json);
}

/*
 * How far the figures can be trusted: of all domains, selected or not.  Those that had ended before have
 * nothing unknown, and would make the loss look smaller than it is.
 */
static void put_quality(struct xm_json *json, const struct xm_log_interval *i)
{
    static const struct xm_host_row none;
    const struct xm_host_row *now = &i->window.to->host;
    const struct xm_host_row *then = i->window.from ? &i->window.from->host : &none;
    uint64_t unknown_ns = 0;
    uint64_t span_ns = 0;
    for (uint32_t slot = 0; slot < i->window.to->used.domains; slot++) {
        struct xm_usage u;
        if (xm_window_was_over(&i->window, slot) || !xm_usage_domain(&i->window, slot, &u))
            continue;
        unknown_ns += u.unknown_ns;
        span_ns += u.span_ns;
    }
    xm_json_object(json, "quality", false);
    xm_json_u64(json, "lost_records", xm_counted(now->lost_records, then->lost_records));
    xm_json_u64(json, "unknown_ns", unknown_ns);
    if (span_ns)
        xm_json_real(json, "coverage_ratio", 1 - (double)unknown_ns / (double)span_ns);
    else
        xm_json_null(json, "coverage_ratio");
    xm_json_u64(json, "gap_ns", xm_scale_to_ns(i->window.scale, xm_cycles_of(xm_counted(now->gap, then->gap))).v);
    xm_json_u64(json, "anomalies", xm_counted(now->anomalies, then->anomalies));
    xm_json_u64(json, "damaged_bytes", xm_counted(now->damaged_bytes, then->damaged_bytes));
    xm_json_close(json);
}

void xm_log_print_jsonl(const struct xm_log_interval *i, FILE *out)
{
    const struct xm_sample *to = i->window.to;
    const struct xm_sample *from = i->window.from;
    uint64_t end_ns = xm_scale_to_ns(i->window.scale, xm_cycles_of(to->host.window)).v;
    uint64_t cycles = xm_counted(to->host.window, from ? from->host.window : 0);
    uint64_t span_ns = xm_scale_to_ns(i->window.scale, xm_cycles_of(cycles)).v;
    uint64_t begun = from ? from->host.real : xm_counted(to->host.real, span_ns);
    struct xm_json json;
    char text[48];
    xm_json_init_line(&json, out);
    xm_json_object(&json, NULL, false);
    xm_json_text(&json, "schema", "xenmon.log/1");
    xm_json_text(&json, "time", xm_log_time(to->host.real, 9, text));
    xm_json_text(&json, "from", xm_log_time(begun, 9, text));
    xm_json_u64(&json, "span_ns", span_ns);
    xm_json_u64(&json, "trace_ns", end_ns);
    put_host(&json, i);
    put_quality(&json, i);
    put_domains(&json, i);
    put_cpus(&json, i);
    xm_json_close(&json);
}
