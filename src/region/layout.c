/* SPDX-License-Identifier: MIT */
#include "region/layout.h"

const char *xm_section_name(enum xm_section section)
{
    static const char *const names[XM_SECTIONS] = {
        [XM_SECTION_HEADER] = "header",
        [XM_SECTION_DOMAINS] = "domains",
        [XM_SECTION_HISTOGRAMS] = "histograms",
        [XM_SECTION_FAST] = "fast",
        [XM_SECTION_FAST_HOST] = "fast_host",
        [XM_SECTION_FAST_VCPU] = "fast_vcpu",
        [XM_SECTION_FAST_VCPU_DOMAIN] = "fast_vcpu_domain",
        [XM_SECTION_FAST_DOMAIN] = "fast_domain",
        [XM_SECTION_FAST_PCPU] = "fast_pcpu",
        [XM_SECTION_FAST_PAIR] = "fast_pair",
        [XM_SECTION_SLOW] = "slow",
        [XM_SECTION_SLOW_HOST] = "slow_host",
        [XM_SECTION_SLOW_VCPU] = "slow_vcpu",
        [XM_SECTION_SLOW_VCPU_DOMAIN] = "slow_vcpu_domain",
        [XM_SECTION_SLOW_DOMAIN] = "slow_domain",
        [XM_SECTION_SLOW_PCPU] = "slow_pcpu",
    };
    return names[section];
}

enum xm_section xm_section_series(enum xm_series series)
{
    return series == XM_SERIES_FAST ? XM_SECTION_FAST : XM_SECTION_SLOW;
}

enum xm_section xm_section_rows(enum xm_series series, enum xm_scope scope)
{
    static const enum xm_section sections[XM_SERIES_COUNT][XM_SCOPES] = {
        {[XM_SCOPE_HOST] = XM_SECTION_FAST_HOST,
         [XM_SCOPE_VCPU] = XM_SECTION_FAST_VCPU,
         [XM_SCOPE_DOMAIN] = XM_SECTION_FAST_DOMAIN,
         [XM_SCOPE_PCPU] = XM_SECTION_FAST_PCPU,
         [XM_SCOPE_PAIR] = XM_SECTION_FAST_PAIR},
        {[XM_SCOPE_HOST] = XM_SECTION_SLOW_HOST,
         [XM_SCOPE_VCPU] = XM_SECTION_SLOW_VCPU,
         [XM_SCOPE_DOMAIN] = XM_SECTION_SLOW_DOMAIN,
         [XM_SCOPE_PCPU] = XM_SECTION_SLOW_PCPU,
         [XM_SCOPE_PAIR] = XM_SECTIONS},
    };
    return sections[series][scope];
}

enum xm_section xm_section_vcpu_domain(enum xm_series series)
{
    return series == XM_SERIES_FAST ? XM_SECTION_FAST_VCPU_DOMAIN : XM_SECTION_SLOW_VCPU_DOMAIN;
}

#define SIZE(structure, member) sizeof(((struct structure *)0)->member)

/* One word or several of one type at a member, or at an element of a member that is an array. */
#define WORD(section, structure, member, unit, name, help)                                                   \
    {XM_SECTION_##section, offsetof(struct structure, member), 1, 8, "u64", XM_UNIT_##unit, name, help}
#define HALF(section, structure, member, unit, name, help)                                                   \
    {XM_SECTION_##section, offsetof(struct structure, member), 1, 4, "u32", XM_UNIT_##unit, name, help}
#define TEXT(section, structure, member, name, help)                                                         \
    {XM_SECTION_##section, offsetof(struct structure, member), SIZE(structure, member), 1, "char",           \
     XM_UNIT_NONE, name, help}
#define HIST(kind, name, help)                                                                               \
    {XM_SECTION_HISTOGRAMS, offsetof(struct xm_layout_histogram, counts[kind]), XM_HIST_BUCKETS, 8, "u64",   \
     XM_UNIT_COUNT, name, help}
#define H(member, unit, name, help) WORD(HEADER, xm_layout_header, member, unit, name, help)
#define RECORDS(index, name, what) H(records[index], COUNT, "records_" name, "trace records of class " what)
#define ANOMALY(index, name, what) H(anomaly[index], COUNT, "anomaly_" name, what)
#define SLOT_WORD(section, member, unit, help) WORD(section, xm_layout_slot, member, unit, #member, help)
#define SLOT(section)                                                                                        \
    SLOT_WORD(section, seq, NONE, "2 * index + 1 while being written, 2 * index + 2 complete, 0 never used"), \
        SLOT_WORD(section, index, NONE, "the sample's number, 0 for the first of the writer's life"),        \
        SLOT_WORD(section, used_domains, COUNT, "domain rows from the front that belong to the sample"),     \
        SLOT_WORD(section, used_vcpus, COUNT, "vCPU rows from the front that belong to the sample"),         \
        SLOT_WORD(section, used_pcpus, COUNT, "pCPU rows from the front that belong to the sample")
#define VCPU_DOMAIN(section)                                                                                 \
    {section, 0, 1, 4, "u32", XM_UNIT_NONE, "domain_slot", "the domain row of the vCPU in this row"}

static const struct xm_field fields[] = {
    TEXT(HEADER, xm_layout_header, magic, "magic", "XENMONRG"),
    HALF(HEADER, xm_layout_header, version, NONE, "version", "major << 16 | minor; this page is about major 1"),
    HALF(HEADER, xm_layout_header, byte_order, NONE, "byte_order", "0x01020304"),
    H(header_bytes, NONE, "header_bytes", "length of the header; the tables follow it"),
    H(region_bytes, NONE, "region_bytes", "length of the region"),
    H(section_offset, NONE, "section_offset", "where the section table begins"),
    HALF(HEADER, xm_layout_header, section_count, COUNT, "section_count", "entries in it"),
    HALF(HEADER, xm_layout_header, section_stride, NONE, "section_stride", "bytes from entry to entry"),
    H(metric_offset, NONE, "metric_offset", "where the metric table begins"),
    HALF(HEADER, xm_layout_header, metric_count, COUNT, "metric_count", "entries in it"),
    HALF(HEADER, xm_layout_header, metric_stride, NONE, "metric_stride", "bytes from entry to entry"),
    H(creation_id, NONE, "creation_id", "random; another one in every region"),
    H(lineage_id, NONE, "lineage_id", "random; kept when the region grows, so that counters can be subtracted"),
    H(writer_pid, NONE, "writer_pid", "process id of the writer"),
    H(writer_start, NONE, "writer_start", "start time of that process as in /proc/PID/stat; 0: not known"),
    H(created_ns, NS, "created_ns", "CLOCK_REALTIME when the region was made"),
    H(domains, COUNT, "domains", "capacity: domain rows"),
    H(vcpus, COUNT, "vcpus", "capacity: vCPU rows"),
    H(pcpus, COUNT, "pcpus", "capacity: pCPU rows"),
    H(interval_ns[XM_SERIES_FAST], NS, "fast_interval_ns", "between two samples of the fast series"),
    H(interval_ns[XM_SERIES_SLOW], NS, "slow_interval_ns", "between two samples of the slow series"),
    H(first[XM_SERIES_FAST], NONE, "fast_first", "index of the first fast sample that was in this region"),
    H(first[XM_SERIES_SLOW], NONE, "slow_first", "index of the first slow sample that was in this region"),
    H(hist_sub_bits, NONE, "hist_sub_bits", "an octave of a histogram has 2^this buckets"),
    H(hist_top_bits, NONE, "hist_top_bits", "values of 2^this and more share the last bucket"),
    H(coarse_first_bits, NONE, "coarse_first_bits", "bucket 0 of wait_coarse holds waits below 2^this cycles"),
    H(coarse_step_bits, NONE, "coarse_step_bits", "each further bucket's bound is 2^this times the one before"),
    H(state, NONE, "state", "0 starting, 1 running, 2 ended, 3 superseded by a larger region of the same name"),
    H(heartbeat_ns, NS, "heartbeat_ns", "CLOCK_MONOTONIC of the writer's last sign of life"),
    H(newest[XM_SERIES_FAST], NONE, "fast_newest", "index of the newest complete fast sample; ~0: none yet"),
    H(newest[XM_SERIES_SLOW], NONE, "slow_newest", "index of the newest complete slow sample; ~0: none yet"),
    H(facts_seq, NONE, "facts_seq", "odd while the words from here to the header's end are being written"),
    H(source, NONE, "source", "0 a live Xen, 1 a file replayed, 2 a pipe"),
    H(tsc_hz, NONE, "tsc_hz", "cycles a second; 0: not known yet"),
    H(io_seen, NONE, "io_seen", "1 page transfers, 2 grant maps and unmaps, 4 grant copies: would have been seen"),
    TEXT(HEADER, xm_layout_header, tsc_hz_from, "tsc_hz_from", "trace, option, host, or empty"),
    TEXT(HEADER, xm_layout_header, states_from, "states_from", "runstate or switch"),
    TEXT(HEADER, xm_layout_header, source_name, "source_name", "what records come from, UTF-8"),
    RECORDS(0, "gen", "GEN"),
    RECORDS(1, "sched", "SCHED"),
    RECORDS(2, "dom0op", "DOM0OP"),
    RECORDS(3, "hvm", "HVM"),
    RECORDS(4, "mem", "MEM"),
    RECORDS(5, "pv", "PV"),
    RECORDS(6, "shadow", "SHADOW"),
    RECORDS(7, "hw", "HW"),
    RECORDS(8, "8", "bit 24, which Xen does not use"),
    RECORDS(9, "9", "bit 25, which Xen does not use"),
    RECORDS(10, "10", "bit 26, which Xen does not use"),
    RECORDS(11, "guest", "GUEST"),
    ANOMALY(0, "state", "records whose old state was not the tracked one"),
    ANOMALY(1, "skew", "the same, explained by two records of a vCPU that came in the wrong order"),
    ANOMALY(2, "evicted", "dispatches on a pCPU that still had an occupant"),
    ANOMALY(3, "twice", "dispatches of a vCPU that was running elsewhere"),
    ANOMALY(4, "foreign", "departures found in another pCPU's buffer"),
    ANOMALY(5, "reused", "domains created with an id that was still alive"),
    ANOMALY(6, "reserved", "records of a domain or vCPU number that cannot exist"),
    ANOMALY(7, "time", "records older than the one before them"),
    TEXT(HEADER, xm_layout_header, hypervisor, "hypervisor", "its name and version, or empty; since 1.1"),
    TEXT(HEADER, xm_layout_header, scheduler, "scheduler", "the scheduler's name, or empty; since 1.1"),
    H(events, NONE, "events", "event mask that the hypervisor traces by; 0: not known; since 1.1"),
    H(buffer_bytes, BYTES, "buffer_bytes", "length of one pCPU's trace buffer; 0: not known; since 1.1"),
    H(host_cpus, COUNT, "host_cpus", "pCPUs that the host has; 0: not known; since 1.1"),

    WORD(DOMAINS, xm_layout_domain, seq, NONE, "seq", "odd while being written"),
    WORD(DOMAINS, xm_layout_domain, id, NONE, "id", "as in the domain's rows; 0: the slot is free"),
    WORD(DOMAINS, xm_layout_domain, created_tsc, CYCLES, "created_tsc", "when it was created; 0: before the trace"),
    WORD(DOMAINS, xm_layout_domain, ended_tsc, CYCLES, "ended_tsc", "when it ended; 0: it is alive"),
    TEXT(DOMAINS, xm_layout_domain, name, "name", "UTF-8, empty where not known"),
    TEXT(DOMAINS, xm_layout_domain, uuid, "uuid", "empty where not known"),

    WORD(HISTOGRAMS, xm_layout_histogram, seq, NONE, "seq", "odd while being written"),
    WORD(HISTOGRAMS, xm_layout_histogram, id, NONE, "id", "as in the vCPU's rows; 0: the slot is free"),
    HIST(XM_HIST_EXECUTION, "execution", "executions that ended, by length in cycles"),
    HIST(XM_HIST_WAIT, "wait", "waits that ended, by length in cycles"),
    HIST(XM_HIST_BLOCKED, "blocked", "blocked times that ended, by length in cycles"),

    SLOT(FAST),
    VCPU_DOMAIN(XM_SECTION_FAST_VCPU_DOMAIN),
    SLOT(SLOW),
    VCPU_DOMAIN(XM_SECTION_SLOW_VCPU_DOMAIN),
};

const struct xm_field *xm_layout_fields(size_t *count)
{
    *count = sizeof fields / sizeof fields[0];
    return fields;
}
