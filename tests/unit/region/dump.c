/* SPDX-License-Identifier: MIT */
/*
 * Makes a region with something in everything, and prints what the C reader reads from it: a line a
 * value, for a reader in another language to be held against.
 *
 *     dump PATH FIRST       FIRST: number of the first stamp
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "region/writer.h"
#include "xenmon/trace.h"

#define SAMPLES 14

static const struct xm_capacity room = {4, 9, 3};

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "dump: %s\n", what);
        exit(99);
    }
}

static void make(struct xm_writer *w, uint64_t first)
{
    struct xm_sample s;
    need(xm_sample_init(&s, room) == XM_OK, "memory");
    for (uint64_t n = first; n < first + SAMPLES; n++) {
        stamp_fill(&s, room, n);
        need(xm_writer_publish(w, XM_SERIES_FAST, &s) == XM_OK, "fast");
        need(xm_writer_publish(w, XM_SERIES_SLOW, &s) == XM_OK, "slow");
    }
    xm_sample_fini(&s);
    static uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
    const uint64_t *pointers[XM_HISTS] = {counts[0], counts[1], counts[2]};
    for (uint32_t slot = 0; slot < room.vcpus; slot += 2) {
        for (unsigned k = 0; k < XM_HISTS; k++)
            stamp_histogram(first + slot, (enum xm_hist_kind)k, counts[k]);
        need(xm_writer_histograms(w, slot, XM_ROW_USED | slot, pointers) == XM_OK, "histograms");
    }
    for (uint32_t slot = 0; slot < room.domains; slot += 2) {
        struct xm_region_domain d = {XM_ROW_USED | slot, "", "0badcafe-0000-4000-8000-000000000000",
                                     first + 3, first + 4};
        snprintf(d.name, sizeof d.name, "g\xc3\xa4st-%" PRIu32, slot);
        need(xm_writer_domain(w, slot, &d) == XM_OK, "domain");
    }
    uint64_t classes[XM_CLASSES];
    uint64_t anomaly[8];
    for (unsigned i = 0; i < XM_CLASSES; i++)
        classes[i] = first * 3 + i;
    for (unsigned i = 0; i < 8; i++)
        anomaly[i] = first * 5 + i;
    xm_writer_facts(w, &(struct xm_writer_facts){.tsc_hz = 1000000 + first,
                                                 .tsc_hz_from = "host",
                                                 .states_from = "runstate",
                                                 .io_seen = 5,
                                                 .classes = classes,
                                                 .anomaly = anomaly,
                                                 .hypervisor = "Xen 4.17.7",
                                                 .scheduler = "credit2",
                                                 .events = 0x00169000 + first,
                                                 .buffer_bytes = 131072 + first,
                                                 .host_cpus = 2 + first});
    xm_writer_heartbeat(w, first + 17);
    xm_writer_state(w, XM_WRITER_RUNNING);
}

static void print_row(const char *series, uint64_t index, enum xm_scope scope, uint64_t row,
                      const void *bytes, bool slow)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        if (m[i].scope != scope || !xm_series_carries(slow ? XM_SERIES_SLOW : XM_SERIES_FAST, &m[i]))
            continue;
        printf("%s %" PRIu64 " %s %" PRIu64 " %s %s", series, index, xm_scope_name(scope), row, m[i].name,
               xm_kind_name(m[i].kind));
        for (unsigned k = 0; k < m[i].count; k++) {
            uint64_t word = 0;
            memcpy(&word, (const char *)bytes + m[i].offset + k * m[i].bytes, m[i].bytes);
            printf(" %" PRIu64, word);
        }
        printf("\n");
    }
}

static void print_sample(struct xm_region *r, enum xm_series series, uint64_t index)
{
    const char *name = series == XM_SERIES_FAST ? "fast" : "slow";
    bool slow = series == XM_SERIES_SLOW;
    struct xm_sample s;
    need(xm_sample_init(&s, room) == XM_OK, "memory");
    need(xm_region_sample(r, series, index, &s) == XM_REGION_OK, "sample");
    print_row(name, index, XM_SCOPE_HOST, 0, &s.host, slow);
    for (uint32_t i = 0; i < s.used.vcpus; i++) {
        print_row(name, index, XM_SCOPE_VCPU, i, &s.vcpu[i], slow);
        printf("%s %" PRIu64 " vcpu_domain %" PRIu32 " %" PRIu32 "\n", name, index, i, s.vcpu_domain[i]);
    }
    for (uint32_t i = 0; i < s.used.domains; i++)
        print_row(name, index, XM_SCOPE_DOMAIN, i, &s.domain[i], slow);
    for (uint32_t i = 0; i < s.used.pcpus; i++)
        print_row(name, index, XM_SCOPE_PCPU, i, &s.pcpu[i], slow);
    for (uint32_t d = 0; d < s.used.domains && !slow; d++)
        for (uint32_t p = 0; p < s.used.pcpus; p++)
            print_row(name, index, XM_SCOPE_PAIR, (uint64_t)d * 1000 + p, &s.pair[d * s.capacity.pcpus + p],
                      slow);
    xm_sample_fini(&s);
}

static void print_info(struct xm_region *r)
{
    struct xm_region_info i;
    need(xm_region_info(r, &i) == XM_REGION_OK, "info");
    printf("info creation_id %" PRIu64 "\ninfo lineage_id %" PRIu64 "\ninfo writer_pid %" PRIu32 "\n",
           i.creation_id, i.lineage_id, i.writer_pid);
    printf("info version %" PRIu32 "\ninfo state %d\ninfo source %d\ninfo heartbeat_ns %" PRIu64 "\n",
           i.version, (int)i.state, (int)i.source, i.heartbeat_ns);
    printf("info tsc_hz %" PRIu64 "\ninfo tsc_hz_from %s\ninfo states_from %s\ninfo source_name %s\n",
           i.tsc_hz, i.tsc_hz_from, i.states_from, i.source_name);
    printf("info io_seen %" PRIu32 "\ninfo domains %" PRIu32 "\ninfo vcpus %" PRIu32 "\ninfo pcpus %" PRIu32
           "\n",
           i.io_seen, i.capacity.domains, i.capacity.vcpus, i.capacity.pcpus);
    printf("info fast_interval_ns %" PRIu64 "\ninfo slow_interval_ns %" PRIu64 "\n", i.series[0].interval_ns,
           i.series[1].interval_ns);
    printf("info fast_newest %" PRIu64 "\ninfo slow_newest %" PRIu64 "\ninfo region_bytes %" PRIu64 "\n",
           i.series[0].newest, i.series[1].newest, i.bytes);
    printf("info hypervisor %s\ninfo scheduler %s\ninfo events %" PRIu64 "\ninfo buffer_bytes %" PRIu64
           "\ninfo host_cpus %" PRIu64 "\n",
           i.hypervisor, i.scheduler, i.events, i.buffer_bytes, i.host_cpus);
    for (unsigned k = 0; k < XM_CLASSES; k++)
        printf("class %u %" PRIu64 "\n", k, i.classes[k]);
    for (unsigned k = 0; xm_region_anomaly_name(k); k++)
        printf("anomaly %s %" PRIu64 "\n", xm_region_anomaly_name(k), i.anomaly[k]);
}

static void print_slots(struct xm_region *r)
{
    static const char *const kinds[XM_HISTS] = {"execution", "wait", "blocked"};
    for (uint32_t slot = 0; slot < room.domains; slot++) {
        struct xm_region_domain d;
        need(xm_region_domain(r, slot, &d) == XM_REGION_OK, "domain");
        printf("domain %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s\n", slot, d.id, d.created_tsc,
               d.ended_tsc, d.name, d.uuid);
    }
    for (uint32_t slot = 0; slot < room.vcpus; slot++)
        for (unsigned k = 0; k < XM_HISTS; k++) {
            uint64_t counts[XM_HIST_BUCKETS];
            uint64_t id;
            need(xm_region_histogram(r, slot, (enum xm_hist_kind)k, counts, &id) == XM_REGION_OK,
                 "histogram");
            printf("histogram %" PRIu32 " %" PRIu64 " %s", slot, id, kinds[k]);
            for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
                printf(" %" PRIu64, counts[i]);
            printf("\n");
        }
}

int main(int argc, char **argv)
{
    struct xm_region *r;
    if (argc != 3)
        return 99;
    struct xm_region_settings settings = {.capacity = room, .fast_s = 1, .slow_s = 8, .limit_bytes = 1};
    struct xm_writer *w = writer_make(argv[1], &settings);
    make(w, strtoull(argv[2], NULL, 10));
    need(xm_region_open(argv[1], &r, NULL) == XM_OK, "open");
    print_info(r);
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++) {
        uint64_t slots = xm_writer_plan(w)->ring[series].slots;
        for (uint64_t index = SAMPLES > slots ? SAMPLES - slots : 0; index < SAMPLES; index++)
            print_sample(r, series, index);
    }
    print_slots(r);
    xm_region_close(r);
    /* Not closed: whoever reads it finds a writer that died. */
    fflush(stdout);
    _Exit(0);
}
