/* SPDX-License-Identifier: MIT */
/* Which family of /metrics each metric of the region is in. */
#include "export/metrics_int.h"
#include "xenmon/region.h"

static bool reads_live(const struct xm_host_snapshot *s, const void *row)
{
    return s->window[0].to->host.passes != 0;
}

/*
 * Whether the peaks in that window are of all of the time that the help speaks of, or of all since the trace
 * began: a region with a short memory has a shorter window, and the longest wait of that is no longest wait.
 */
static bool has_peaks(const struct xm_host_snapshot *s, enum xm_host_window window, uint64_t span_ns)
{
    const struct xm_window *w = &s->window[window];
    return !w->no_peaks &&
           (!w->from || s->window_ns[window] + s->info.series[XM_SERIES_FAST].interval_ns >= span_ns);
}

static bool has_longest(const struct xm_host_snapshot *s, const void *row)
{
    return has_peaks(s, XM_HOST_10S, 10 * XM_NS_PER_S);
}

static bool has_fill(const struct xm_host_snapshot *s, const void *row)
{
    return reads_live(s, row) && has_peaks(s, XM_HOST_1S, XM_NS_PER_S);
}

static bool sees_transfers(const struct xm_host_snapshot *s, const void *row)
{
    return (s->info.io_seen & XM_IO_SEEN_TRANSFERS) != 0;
}

static bool sees_grants(const struct xm_host_snapshot *s, const void *row)
{
    return (s->info.io_seen & XM_IO_SEEN_GRANTS) != 0;
}

static bool sees_copies(const struct xm_host_snapshot *s, const void *row)
{
    return (s->info.io_seen & XM_IO_SEEN_COPIES) != 0;
}

static bool has_vifs(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->vifs != 0;
}

static bool has_vbds(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->vbds != 0;
}

static bool has_weight(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->weight != 0;
}

static bool has_cap(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->cap != 0;
}

static bool is_online(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->online != 0;
}

static bool is_not_told(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->online == 0;
}

static bool says_paused(const struct xm_host_snapshot *s, const void *row)
{
    return is_online(s, row) || ((const struct xm_domain_row *)row)->paused != 0;
}

static bool counts_cpu(const struct xm_host_snapshot *s, const void *row)
{
    return ((const struct xm_domain_row *)row)->cpu_time != 0;
}

#define STATES                                                                                                         \
    {                                                                                                                  \
        {"running", "state=\"running\"", NULL}, {"runnable", "state=\"runnable\"", NULL},                              \
            {"blocked", "state=\"blocked\"", NULL}, {"offline", "state=\"offline\"", NULL},                            \
            {"unknown", "state=\"unknown\"", NULL},                                                                    \
    }
#define LATE                                                                                                           \
    {                                                                                                                  \
        {"late_running", "state=\"running\"", NULL}, {"late_runnable", "state=\"runnable\"", NULL},                    \
            {"late_blocked", "state=\"blocked\"", NULL}, {"late_offline", "state=\"offline\"", NULL},                  \
    }
#define CAUSES                                                                                                         \
    {                                                                                                                  \
        {"wait_wake", "cause=\"wake\"", NULL}, {"wait_preempt", "cause=\"preempt\"", NULL},                            \
            {"wait_other", "cause=\"other\"", NULL},                                                                   \
    }
#define BY                                                                                                             \
    {                                                                                                                  \
        {"yields", "by=\"self\"", NULL}, {"preemptions", "by=\"other\"", NULL},                                        \
    }
#define ONE(metric)        \
    {                      \
        {metric, "", NULL} \
    }
#define ONE_IF(metric, known) \
    {                         \
        {metric, "", known}   \
    }
#define COUNTER(name, unit, scope, collector, parts, help) \
    {name, unit, XM_FAMILY_COUNTER, XM_SCOPE_##scope, XM_COLLECT_##collector, 0, parts, help}
#define GAUGE(name, unit, scope, collector, divisor, parts, help) \
    {name, unit, XM_FAMILY_GAUGE, XM_SCOPE_##scope, XM_COLLECT_##collector, divisor, parts, help}
#define P(...) __VA_ARGS__

/* clang-format off */
static const struct xm_metrics_family families[] = {
    COUNTER("xen_vcpu_state_seconds", "seconds", VCPU, VCPU, P(STATES), "Time of a vCPU by state; all states of a vCPU add up to the time since the trace began."),
    COUNTER("xen_vcpu_wait_seconds", "seconds", VCPU, VCPU, P(CAUSES), "Time that a vCPU was runnable and had no pCPU, by what made it wait."),
    COUNTER("xen_vcpu_executions", "", VCPU, VCPU, P(ONE("executions")), "Dispatches of a vCPU onto a pCPU."),
    COUNTER("xen_vcpu_allocated_seconds", "seconds", VCPU, VCPU, P(ONE("slice_sum")), "Sum of the time slices allocated at dispatch."),
    COUNTER("xen_vcpu_slices", "", VCPU, VCPU, P(ONE("slices")), "Time slices allocated at dispatch."),
    COUNTER("xen_vcpu_migrations", "", VCPU, VCPU, P(ONE("migrations")), "Dispatches on another pCPU than the one before."),
    COUNTER("xen_vcpu_preemptions", "", VCPU, VCPU, P(BY), "Executions that ended with the vCPU still runnable: by itself (a yield), or by others."),

    COUNTER("xen_domain_state_seconds", "seconds", DOMAIN, DOMAIN, P(STATES), "Time by state, all vCPUs of a domain together."),
    COUNTER("xen_domain_hypervisor_cpu_seconds", "seconds", DOMAIN, DOMAIN, P(ONE_IF("cpu_time", counts_cpu)), "CPU time of a domain as the hypervisor itself counts it, to compare with running."),
    COUNTER("xen_domain_late_seconds", "seconds", DOMAIN, DOMAIN, P(LATE), "Part of the unknown time whose state was found out later."),
    COUNTER("xen_domain_wait_seconds", "seconds", DOMAIN, DOMAIN, P(CAUSES), "Time runnable without a pCPU by cause, all vCPUs of a domain together."),
    COUNTER("xen_domain_wait_any_seconds", "seconds", DOMAIN, DOMAIN, P(ONE("wait_any")), "Time during which at least one vCPU of a domain was runnable without a pCPU."),
    COUNTER("xen_domain_wait_sum_seconds", "seconds", DOMAIN, DOMAIN, P(ONE("runnable")), "Time runnable without a pCPU, all vCPUs of a domain together."),
    COUNTER("xen_domain_executions", "", DOMAIN, DOMAIN, P(ONE("executions")), "Dispatches of a domain's vCPUs."),
    COUNTER("xen_domain_allocated_seconds", "seconds", DOMAIN, DOMAIN, P(ONE("slice_sum")), "Sum of the time slices allocated to a domain's vCPUs."),
    COUNTER("xen_domain_slices", "", DOMAIN, DOMAIN, P(ONE("slices")), "Time slices allocated to a domain's vCPUs."),
    COUNTER("xen_domain_migrations", "", DOMAIN, DOMAIN, P(ONE("migrations")), "Dispatches of a domain's vCPUs on another pCPU than the one before."),
    COUNTER("xen_domain_preemptions", "", DOMAIN, DOMAIN, P(BY), "Executions of a domain's vCPUs that ended with the vCPU still runnable."),
    GAUGE("xen_domain_wait_max_seconds", "seconds", DOMAIN, DOMAIN, 0, P(ONE_IF("wait_max", has_longest)), "Longest wait of a vCPU that ended in the last ten seconds; absent where not all of them are known."),
    GAUGE("xen_domain_vcpus", "", DOMAIN, DOMAIN, 0, P({{"online", "", is_online}, {"vcpus", "", is_not_told}}), "vCPUs of a domain that are online; where the toolstack was not asked, that were seen."),
    GAUGE("xen_domain_paused", "", DOMAIN, DOMAIN, 0, P(ONE_IF("paused", says_paused)), "1 while the toolstack has paused a domain."),
    GAUGE("xen_domain_weight", "", DOMAIN, DOMAIN, 0, P(ONE_IF("weight", has_weight)), "A domain's weight as the scheduler is told."),
    GAUGE("xen_domain_cap_ratio", "ratio", DOMAIN, DOMAIN, 100, P(ONE_IF("cap", has_cap)), "Most that a domain may use, in pCPUs; absent where it has no cap."),

    COUNTER("xen_domain_io_operations", "", DOMAIN, IO, P({{"page_transfers", "kind=\"page_transfer\"", sees_transfers}, {"grant_maps", "kind=\"grant_map\"", sees_grants}, {"grant_unmaps", "kind=\"grant_unmap\"", sees_grants}, {"done_copies", "kind=\"grant_copy\"", sees_copies}}), "Exchanges of a domain's own pages with back ends; grant_copy: issued by the domain."),
    COUNTER("xen_domain_io_done_operations", "", DOMAIN, IO, P({{"done_transfers", "kind=\"page_transfer\"", sees_transfers}, {"done_maps", "kind=\"grant_map\"", sees_grants}, {"done_unmaps", "kind=\"grant_unmap\"", sees_grants}}), "Exchanges of pages done by a domain's vCPUs: the driver domain's side."),

    GAUGE("xen_domain_vifs", "", DOMAIN, DEVICE, 0, P(ONE_IF("vifs", has_vifs)), "Network interfaces of a domain served by the control domain's kernel."),
    COUNTER("xen_domain_network_bytes", "bytes", DOMAIN, DEVICE, P({{"received_bytes", "direction=\"receive\"", has_vifs}, {"sent_bytes", "direction=\"transmit\"", has_vifs}}), "Bytes that a domain received and sent."),
    COUNTER("xen_domain_network_packets", "", DOMAIN, DEVICE, P({{"received_packets", "direction=\"receive\"", has_vifs}, {"sent_packets", "direction=\"transmit\"", has_vifs}}), "Packets that a domain received and sent."),
    GAUGE("xen_domain_vbds", "", DOMAIN, DEVICE, 0, P(ONE_IF("vbds", has_vbds)), "Disks of a domain served by the control domain's kernel."),
    COUNTER("xen_domain_disk_operations", "", DOMAIN, DEVICE, P({{"disk_reads", "direction=\"read\"", has_vbds}, {"disk_writes", "direction=\"write\"", has_vbds}}), "Requests of a domain to its disks."),
    COUNTER("xen_domain_disk_bytes", "bytes", DOMAIN, DEVICE, P({{"disk_read_bytes", "direction=\"read\"", has_vbds}, {"disk_write_bytes", "direction=\"write\"", has_vbds}}), "Bytes that a domain read from and wrote to its disks."),

    COUNTER("xen_cpu_seconds", "seconds", PCPU, CPU, P({{"busy", "mode=\"guest\"", NULL}, {"idle", "mode=\"idle\"", NULL}, {"switching", "mode=\"switching\"", NULL}, {"unknown", "mode=\"unknown\"", NULL}}), "Time of a pCPU by what was on it; all modes add up to the time since the trace began."),
    COUNTER("xen_cpu_late_seconds", "seconds", PCPU, CPU, P({{"late_busy", "mode=\"guest\"", NULL}, {"late_idle", "mode=\"idle\"", NULL}, {"late_switching", "mode=\"switching\"", NULL}}), "Part of a pCPU's unknown time that was found out later."),
    COUNTER("xen_cpu_switches", "", PCPU, CPU, P(ONE("executions")), "Dispatches of vCPUs on a pCPU, the idle ones not counted."),
    COUNTER("xenmon_trace_lost_records", "", PCPU, CPU, P(ONE("lost_records")), "Trace records that a pCPU's buffer had no room for."),
    COUNTER("xenmon_trace_lost_seconds", "seconds", PCPU, CPU, P(ONE("gap")), "Time during which records of a pCPU were being lost."),
    GAUGE("xenmon_trace_buffer_fill_ratio", "ratio", PCPU, CPU, 1000, P(ONE_IF("buffer_fill", has_fill)), "Highest fill of a pCPU's trace buffer in the last second; absent where not all of it is known."),

    COUNTER("xen_cpu_domain_seconds", "seconds", PAIR, CPU_DOMAIN, P(ONE("running")), "Time that a domain had on a pCPU."),
    COUNTER("xen_cpu_domain_wait_seconds", "seconds", PAIR, CPU_DOMAIN, P(ONE("waited")), "Waits of a domain that ended by a dispatch on a pCPU."),
    COUNTER("xen_cpu_domain_executions", "", PAIR, CPU_DOMAIN, P(ONE("executions")), "Dispatches of a domain on a pCPU."),

    COUNTER("xenmon_trace_seconds", "seconds", HOST, SELF, P(ONE("window")), "Time since the trace began: what every row's states add up to."),
    COUNTER("xenmon_trace_gap_seconds", "seconds", HOST, SELF, P(ONE("gap")), "Time during which records of any pCPU were missing."),
    COUNTER("xenmon_trace_damaged_bytes", "bytes", HOST, SELF, P(ONE("damaged_bytes")), "Bytes of the trace that made no sense."),
    COUNTER("xenmon_baked_refused_rows", "", HOST, SELF, P(ONE("refused")), "vCPUs, domains and pCPUs that a capacity had no room for."),
    COUNTER("xenmon_baked_passes", "", HOST, SELF, P(ONE_IF("passes", reads_live)), "Times that xenbaked read the trace buffers."),
    COUNTER("xenmon_baked_wakeups", "", HOST, SELF, P(ONE_IF("wakeups", reads_live)), "Times that xenbaked woke up."),
    COUNTER("xenmon_baked_cpu_seconds", "seconds", HOST, SELF, P(ONE_IF("own_cpu", reads_live)), "CPU time of xenbaked."),
    COUNTER("xenmon_baked_virqs", "", HOST, SELF, P(ONE_IF("virqs", reads_live)), "Notices by the hypervisor that a buffer was half full."),
    COUNTER("xenmon_baked_interference", "", HOST, SELF, P({{"bogus", "kind=\"bogus\"", reads_live}, {"stolen", "kind=\"stolen\"", reads_live}, {"repaired", "kind=\"repaired\"", reads_live}}), "Times that others meddled with tracing: indices that made no sense, records taken, tracing switched off or masked."),
    COUNTER("xenmon_baked_dropped_passes", "", HOST, SELF, P(ONE_IF("dropped", reads_live)), "Passes that a slow recorder did not get."),
};
/* clang-format on */

/* What is in no family, and why. */
static const struct {
    enum xm_scope scope;
    const char *name, *why;
} left_out[] = {
    {XM_SCOPE_VCPU, "late_running", "given for each domain"},
    {XM_SCOPE_VCPU, "late_runnable", "given for each domain"},
    {XM_SCOPE_VCPU, "late_blocked", "given for each domain"},
    {XM_SCOPE_VCPU, "late_offline", "given for each domain"},
    {XM_SCOPE_VCPU, "slice_min", "of one sample's interval: a scrape would miss most of them"},
    {XM_SCOPE_VCPU, "slice_max", "of one sample's interval: a scrape would miss most of them"},
    {XM_SCOPE_VCPU, "wait_max", "given for each domain"},
    {XM_SCOPE_VCPU, "state", "of one instant: the counters by state say more"},
    {XM_SCOPE_VCPU, "pcpu", "of one instant"},
    {XM_SCOPE_DOMAIN, "slice_min", "of one sample's interval: a scrape would miss most of them"},
    {XM_SCOPE_DOMAIN, "slice_max", "of one sample's interval: a scrape would miss most of them"},
    {XM_SCOPE_DOMAIN, "ended", "xen_domain_state says it"},
    {XM_SCOPE_PCPU, "current", "of one instant"},
    {XM_SCOPE_HOST, "tsc", "xenmon_last_sample_timestamp_seconds says when the sample was made"},
    {XM_SCOPE_HOST, "mono", "xenmon_last_sample_timestamp_seconds says when the sample was made"},
    {XM_SCOPE_HOST, "real", "xenmon_last_sample_timestamp_seconds is it"},
    {XM_SCOPE_HOST, "records", "xenmon_trace_records_total has it by class"},
    {XM_SCOPE_HOST, "lost_records", "xenmon_trace_lost_records_total has it by pCPU"},
    {XM_SCOPE_HOST, "anomalies", "xenmon_decode_errors_total has it by reason"},
};

const struct xm_metrics_family *xm_metrics_families(size_t *count)
{
    *count = sizeof families / sizeof families[0];
    return families;
}

const struct xm_metric *xm_metrics_find(enum xm_scope scope, const char *name)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (metrics[i].scope == scope && strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

static bool in_family(enum xm_scope scope, const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        for (unsigned p = 0; p < XM_METRICS_PARTS && families[i].part[p].metric; p++)
            if (families[i].scope == scope && strcmp(families[i].part[p].metric, name) == 0)
                return true;
    return false;
}

const char *xm_metrics_left_out(enum xm_scope scope, const char *name)
{
    if (in_family(scope, name))
        return NULL;
    if (strncmp(name, "last_", 5) == 0)
        return "of the last execution: an event, and no series";
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (left_out[i].scope == scope && strcmp(left_out[i].name, name) == 0)
            return left_out[i].why;
    return "not known to this version";
}

const char *xm_collector_name(unsigned bit)
{
    static const char *const names[XM_COLLECTORS] = {"domain",         "histogram", "io",         "device", "vcpu",
                                                     "vcpu-histogram", "cpu",       "cpu-domain", "self"};
    return bit < XM_COLLECTORS ? names[bit] : "";
}
