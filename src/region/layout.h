/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a region, version 1: fixed-width little-endian words and offsets from the region's first
 * byte, no pointers.  xenmon-region(5) says the same for readers in other languages.
 *
 *     header          1024 bytes: struct xm_layout_header
 *     section table   where every array is: struct xm_layout_section each
 *     metric table    what the words in an array's elements mean: struct xm_layout_metric each
 *     domains         facts of the domain in each slot: struct xm_layout_domain
 *     histograms      of the vCPU in each slot: struct xm_layout_histogram
 *     fast            ring of slots, one sample each: struct xm_layout_slot, then its rows
 *     slow            the same with fewer metrics
 *
 * What never changes within a major version: the members of the structures below keep their offsets, names
 * and meanings; new ones take reserved space or come after the last (strides stand in the region).  Rows
 * have no fixed layout at all: a metric is found by its name.
 *
 * Three ways in which a writer and its readers share words:
 *   - written before the region gets its name and never again: everything not mentioned below;
 *   - single words, each good by itself: the header's state, heartbeat and the newest indices;
 *   - sequenced: the words after a `seq`.  See src/region/words.h.
 */
#ifndef XM_LAYOUT_H
#define XM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "xenmon/region.h"
#include "xenmon/sample.h"

#define XM_LAYOUT_MAGIC "XENMONRG" /* 8 bytes, no terminator */
#define XM_LAYOUT_MAJOR 1u
#define XM_LAYOUT_MINOR 1u
#define XM_LAYOUT_VERSION (XM_LAYOUT_MAJOR << 16 | XM_LAYOUT_MINOR)
#define XM_LAYOUT_ORDER 0x01020304u
#define XM_LAYOUT_ALIGN 64u
#define XM_LAYOUT_NONE UINT64_MAX   /* newest index: no sample yet */
#define XM_LAYOUT_TOP UINT32_MAX    /* parent of a section that lies in no other */
#define XM_LAYOUT_CLASSES 16        /* of which 12 are in use */
#define XM_LAYOUT_ANOMALIES 16      /* of which 8 are in use */
#define XM_LAYOUT_STALE_NS (3 * UINT64_C(1000000000)) /* a writer gives a sign of life every second */

struct xm_layout_header {
    char magic[8];
    uint32_t version;    /* major << 16 | minor */
    uint32_t byte_order; /* reads as 0x01020304 where the reader's byte order is the region's */
    uint64_t header_bytes;
    uint64_t region_bytes;
    uint64_t section_offset;
    uint32_t section_count;
    uint32_t section_stride;
    uint64_t metric_offset;
    uint32_t metric_count;
    uint32_t metric_stride;
    uint64_t creation_id;
    uint64_t lineage_id;
    uint64_t writer_pid;
    uint64_t writer_start; /* tells a recycled pid: starttime of /proc/PID/stat; 0: not known */
    uint64_t created_ns;   /* CLOCK_REALTIME */
    uint64_t domains;
    uint64_t vcpus;
    uint64_t pcpus;
    uint64_t interval_ns[XM_SERIES_COUNT];
    uint64_t first[XM_SERIES_COUNT]; /* index of the first sample that was ever in this region */
    uint64_t hist_sub_bits;
    uint64_t hist_top_bits;
    uint64_t coarse_first_bits;
    uint64_t coarse_step_bits;
    /* Single words. */
    uint64_t state;
    uint64_t heartbeat_ns;
    uint64_t newest[XM_SERIES_COUNT];
    uint64_t reserved_live[4];
    /* Sequenced. */
    uint64_t facts_seq;
    uint64_t source;
    uint64_t tsc_hz;
    uint64_t io_seen;
    char tsc_hz_from[16];
    char states_from[16];
    char source_name[128];
    uint64_t records[XM_LAYOUT_CLASSES];
    uint64_t anomaly[XM_LAYOUT_ANOMALIES];
    /* Since 1.1; reserved, so 0, before. */
    char hypervisor[32];
    char scheduler[16];
    uint64_t events;
    uint64_t buffer_bytes;
    uint64_t host_cpus;
    uint64_t reserved[31];
};

struct xm_layout_section {
    char name[24];
    uint32_t parent; /* index of the section in each of whose elements this one lies; ~0: in the region itself */
    uint32_t reserved;
    uint64_t offset; /* from the first byte of the region, or of the parent's element */
    uint64_t stride; /* from element to element */
    uint64_t count;  /* elements */
    uint64_t reserved_2;
};

struct xm_layout_metric {
    uint32_t section; /* index of the section whose elements have it */
    uint32_t offset;  /* within the element */
    uint32_t count;   /* values, one after another */
    uint32_t bytes;   /* of one value */
    char type[8];     /* "u64", "u32", "char" */
    char kind[8];     /* xm_kind_name(); "fact" for what is no metric */
    char unit[8];     /* xm_unit_name() */
    char name[32];
    char help[120];
};

/*
 * Each slot of a ring begins with this, and the sample of index i lies in slot i modulo the number of
 * slots. The sequence word is a function of the index: 2i + 1 while sample i is being written, 2i + 2
 * once it is complete; 0 in a slot never used.  So a reader knows which one it wants to see.
 */
struct xm_layout_slot {
    uint64_t seq;
    uint64_t index;
    uint64_t used_domains; /* rows from the front that were written with this sample */
    uint64_t used_vcpus;
    uint64_t used_pcpus;
    uint64_t reserved[3];
};

/* The sequences of these and of the header's facts are odd while being written and even otherwise. */
struct xm_layout_domain {
    uint64_t seq;
    uint64_t id;
    uint64_t created_tsc;
    uint64_t ended_tsc;
    char name[64];
    char uuid[40];
    uint64_t reserved[7];
};

struct xm_layout_histogram {
    uint64_t seq;
    uint64_t id;
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
};

#define XM_LAYOUT_AT(structure, member, at)                                                                  \
    _Static_assert(offsetof(struct structure, member) == (at), #structure "." #member)
XM_LAYOUT_AT(xm_layout_header, version, 0x8);
XM_LAYOUT_AT(xm_layout_header, byte_order, 0xc);
XM_LAYOUT_AT(xm_layout_header, header_bytes, 0x10);
XM_LAYOUT_AT(xm_layout_header, region_bytes, 0x18);
XM_LAYOUT_AT(xm_layout_header, section_offset, 0x20);
XM_LAYOUT_AT(xm_layout_header, section_count, 0x28);
XM_LAYOUT_AT(xm_layout_header, section_stride, 0x2c);
XM_LAYOUT_AT(xm_layout_header, metric_offset, 0x30);
XM_LAYOUT_AT(xm_layout_header, metric_count, 0x38);
XM_LAYOUT_AT(xm_layout_header, metric_stride, 0x3c);
XM_LAYOUT_AT(xm_layout_header, creation_id, 0x40);
XM_LAYOUT_AT(xm_layout_header, lineage_id, 0x48);
XM_LAYOUT_AT(xm_layout_header, writer_pid, 0x50);
XM_LAYOUT_AT(xm_layout_header, writer_start, 0x58);
XM_LAYOUT_AT(xm_layout_header, created_ns, 0x60);
XM_LAYOUT_AT(xm_layout_header, domains, 0x68);
XM_LAYOUT_AT(xm_layout_header, vcpus, 0x70);
XM_LAYOUT_AT(xm_layout_header, pcpus, 0x78);
XM_LAYOUT_AT(xm_layout_header, interval_ns, 0x80);
XM_LAYOUT_AT(xm_layout_header, first, 0x90);
XM_LAYOUT_AT(xm_layout_header, hist_sub_bits, 0xa0);
XM_LAYOUT_AT(xm_layout_header, coarse_step_bits, 0xb8);
XM_LAYOUT_AT(xm_layout_header, state, 0xc0);
XM_LAYOUT_AT(xm_layout_header, heartbeat_ns, 0xc8);
XM_LAYOUT_AT(xm_layout_header, newest, 0xd0);
XM_LAYOUT_AT(xm_layout_header, facts_seq, 0x100);
XM_LAYOUT_AT(xm_layout_header, source, 0x108);
XM_LAYOUT_AT(xm_layout_header, tsc_hz, 0x110);
XM_LAYOUT_AT(xm_layout_header, io_seen, 0x118);
XM_LAYOUT_AT(xm_layout_header, tsc_hz_from, 0x120);
XM_LAYOUT_AT(xm_layout_header, states_from, 0x130);
XM_LAYOUT_AT(xm_layout_header, source_name, 0x140);
XM_LAYOUT_AT(xm_layout_header, records, 0x1c0);
XM_LAYOUT_AT(xm_layout_header, anomaly, 0x240);
XM_LAYOUT_AT(xm_layout_header, hypervisor, 0x2c0);
XM_LAYOUT_AT(xm_layout_header, scheduler, 0x2e0);
XM_LAYOUT_AT(xm_layout_header, events, 0x2f0);
XM_LAYOUT_AT(xm_layout_header, buffer_bytes, 0x2f8);
XM_LAYOUT_AT(xm_layout_header, host_cpus, 0x300);
XM_LAYOUT_AT(xm_layout_header, reserved, 0x308);
XM_LAYOUT_AT(xm_layout_section, parent, 24);
XM_LAYOUT_AT(xm_layout_section, offset, 32);
XM_LAYOUT_AT(xm_layout_section, stride, 40);
XM_LAYOUT_AT(xm_layout_section, count, 48);
XM_LAYOUT_AT(xm_layout_metric, type, 16);
XM_LAYOUT_AT(xm_layout_metric, kind, 24);
XM_LAYOUT_AT(xm_layout_metric, unit, 32);
XM_LAYOUT_AT(xm_layout_metric, name, 40);
XM_LAYOUT_AT(xm_layout_metric, help, 72);
XM_LAYOUT_AT(xm_layout_slot, index, 8);
XM_LAYOUT_AT(xm_layout_slot, used_domains, 16);
XM_LAYOUT_AT(xm_layout_slot, used_pcpus, 32);
XM_LAYOUT_AT(xm_layout_domain, name, 32);
XM_LAYOUT_AT(xm_layout_domain, uuid, 96);
XM_LAYOUT_AT(xm_layout_histogram, counts, 16);
_Static_assert(sizeof(struct xm_layout_header) == 1024, "header");
_Static_assert(sizeof(struct xm_layout_section) == 64, "section entry");
_Static_assert(sizeof(struct xm_layout_metric) == 192, "metric entry");
_Static_assert(sizeof(struct xm_layout_slot) == 64, "slot header");
_Static_assert(sizeof(struct xm_layout_domain) == 192, "domain facts");
_Static_assert(XM_HIST_BUCKETS == 1280, "histogram buckets");

/* Sections in the order of the table. */
enum xm_section {
    XM_SECTION_HEADER,
    XM_SECTION_DOMAINS,
    XM_SECTION_HISTOGRAMS,
    XM_SECTION_FAST,
    XM_SECTION_FAST_HOST,
    XM_SECTION_FAST_VCPU,
    XM_SECTION_FAST_VCPU_DOMAIN,
    XM_SECTION_FAST_DOMAIN,
    XM_SECTION_FAST_PCPU,
    XM_SECTION_FAST_PAIR,
    XM_SECTION_SLOW,
    XM_SECTION_SLOW_HOST,
    XM_SECTION_SLOW_VCPU,
    XM_SECTION_SLOW_VCPU_DOMAIN,
    XM_SECTION_SLOW_DOMAIN,
    XM_SECTION_SLOW_PCPU,
    XM_SECTIONS
};
const char *xm_section_name(enum xm_section section); /* "header", "fast_vcpu", ... */

/* The section that holds a series' ring. */
enum xm_section xm_section_series(enum xm_series series);

/* The section of a series' rows of one kind; XM_SECTIONS where the series has none. */
enum xm_section xm_section_rows(enum xm_series series, enum xm_scope scope);

/* The section of the series' map from vCPU slot to domain slot. */
enum xm_section xm_section_vcpu_domain(enum xm_series series);

/*
 * What stands at fixed places, as data: the metric table's entries of the sections that hold no rows,
 * and the lists in the manual.  Static storage, in the order of their offsets within each section.
 */
struct xm_field {
    enum xm_section section;
    uint32_t offset;
    uint32_t count;
    uint32_t bytes;
    const char *type;
    enum xm_unit unit;
    const char *name;
    const char *help;
};
const struct xm_field *xm_layout_fields(size_t *count);

#endif
