/* SPDX-License-Identifier: MIT */
/*
 * What the library costs inside one process, as JSON on stdout.
 *
 *     inner speed TRACE REGION              decode; decode and account; ring to region
 *     inner history TRACE REGION SECONDS    ring to region, with so much history kept
 *     inner memory                          bytes of account and region by capacity
 *
 * The trace is in memory before a clock is looked at.  CPU time of this process, of five runs the median.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "account/account.h"
#include "region/plan.h"
#include "region/writer.h"
#include "source/bake.h"
#include "trace/ring.h"
#include "xenmon/trace.h"

#define RUNS 5
#define PIECE ((size_t)64 << 10)
#define HZ UINT64_C(2793439000)
#define RING_PAGES 256u
#define RINGS 64u
#define CPU_CHANGE 0x0001f003u

struct trace {
    unsigned char *at;
    size_t size;
};

struct result {
    double seconds;
    uint64_t records;
};

static void fail(const char *what)
{
    fprintf(stderr, "inner: %s\n", what);
    exit(1);
}

static void must(enum xm_status status, const char *what)
{
    if (status != XM_OK)
        fail(what);
}

static double cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct trace read_trace(const char *path)
{
    struct trace trace = {0};
    struct stat facts;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &facts))
        fail(path);
    trace.size = (size_t)facts.st_size;
    trace.at = malloc(trace.size + 1);
    if (!trace.at || fread(trace.at, 1, trace.size, file) != trace.size)
        fail(path);
    fclose(file);
    return trace;
}

/* ---- Decoding alone: events are looked at, nothing more. */

static uint64_t drain(struct xm_stream *stream)
{
    const struct xm_event *events;
    size_t count;
    uint64_t sum = 0;
    while (xm_stream_run(stream, &events, &count) == XM_OK)
        sum += events[0].tsc.v + events[count - 1].tsc.v;
    return sum;
}

static struct result decode(const struct trace *trace)
{
    struct result result;
    double start = cpu_now();
    struct xm_stream *stream = xm_stream_create(NULL);
    uint64_t sum = 0;
    for (size_t at = 0, used; at < trace->size; at += used) {
        size_t piece = trace->size - at < PIECE ? trace->size - at : PIECE;
        must(xm_stream_push(stream, trace->at + at, piece, &used), "decode");
        sum += drain(stream);
    }
    must(xm_stream_finish(stream), "decode");
    sum += drain(stream);
    result.seconds = cpu_now() - start;
    result.records = xm_stream_stats(stream)->records + (sum == 1); /* nothing of it may be optimised away */
    xm_stream_destroy(stream);
    return result;
}

/* ---- Decoding and accounting, as a report does it. */

static struct result account(const struct trace *trace)
{
    const struct xm_bake_config config = {.hz = HZ};
    struct result result;
    double start = cpu_now();
    struct xm_bake *bake = xm_bake_create(&config);
    for (size_t at = 0, used; at < trace->size; at += used) {
        size_t piece = trace->size - at < PIECE ? trace->size - at : PIECE;
        must(xm_bake_run(bake, trace->at + at, piece, &used), "account");
    }
    must(xm_bake_finish(bake), "account");
    result.seconds = cpu_now() - start;
    result.records = xm_stream_stats(xm_bake_stream(bake))->records;
    xm_bake_destroy(bake);
    return result;
}

/* ---- From trace rings, as Xen fills them, to a region, as xenbaked keeps it. */

struct host {
    struct xm_ring_producer producer[RINGS];
    struct xm_ring ring[RINGS];
    void *buffer[RINGS];
    bool used[RINGS];
    struct xm_bake *bake;
    struct xm_writer *writer;
    struct xm_sample sample;
    unsigned samples;
    double seconds; /* of the consumer */
};

static enum xm_status publish(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct host *host = user;
    xm_bake_sample(bake, now, true, &host->sample);
    if (host->samples++ % 10 == 0) {
        for (uint32_t slot = 0; slot < host->sample.used.vcpus; slot++) {
            const uint64_t *counts[XM_HISTS];
            for (unsigned kind = 0; kind < XM_HISTS; kind++)
                counts[kind] = xm_account_histogram(xm_bake_account(bake), slot, kind);
            must(xm_writer_histograms(host->writer, slot, host->sample.vcpu[slot].id, counts), "histograms");
        }
        must(xm_writer_publish(host->writer, XM_SERIES_SLOW, &host->sample), "slow sample");
    }
    return xm_writer_publish(host->writer, XM_SERIES_FAST, &host->sample);
}

static void host_open(struct host *host, const char *region, uint32_t history_s)
{
    const struct xm_writer_config writer = {
        .path = region, .source_name = "bench", .settings = {.fast_s = history_s, .limit_bytes = UINT64_C(1) << 33}};
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_writer_create(&writer, &host->writer, &err) != XM_OK)
        fail(err.text);
    const struct xm_bake_config bake = {.stream = {.order = XM_ORDER_PROMPT},
                                        .capacity = xm_writer_plan(host->writer)->capacity,
                                        .interval_ns = XM_PLAN_INTERVAL_NS,
                                        .hz = HZ,
                                        .due = publish,
                                        .user = host};
    host->bake = xm_bake_create(&bake);
    must(xm_sample_init(&host->sample, bake.capacity), "memory");
}

static void host_close(struct host *host)
{
    xm_writer_close(host->writer, true);
    xm_bake_destroy(host->bake);
    xm_sample_fini(&host->sample);
    for (unsigned cpu = 0; cpu < RINGS; cpu++)
        free(host->buffer[cpu]);
}

static void attach(struct host *host, uint32_t cpu)
{
    if (cpu >= RINGS)
        fail("more pCPUs than rings");
    if (host->used[cpu])
        return;
    host->buffer[cpu] = calloc(RING_PAGES, XM_RING_PAGE_BYTES);
    if (!host->buffer[cpu])
        fail("memory");
    must(xm_ring_produce(&host->producer[cpu], host->buffer[cpu], RING_PAGES), "ring");
    must(xm_ring_attach(&host->ring[cpu], host->buffer[cpu], RING_PAGES), "ring");
    host->used[cpu] = true;
}

static void feed(struct host *host, const void *bytes, size_t size)
{
    for (size_t at = 0, used; at < size; at += used)
        must(xm_bake_run(host->bake, (const char *)bytes + at, size - at, &used), "bake");
}

/* One pass over all rings: what is measured. */
static void consume(struct host *host)
{
    double start = cpu_now();
    for (uint32_t cpu = 0; cpu < RINGS; cpu++) {
        struct xm_ring_window window;
        if (!host->used[cpu] || xm_ring_peek(&host->ring[cpu], &window) != XM_OK)
            continue;
        const uint32_t change[3] = {2u << 28 | CPU_CHANGE, cpu, window.size};
        feed(host, change, sizeof change);
        feed(host, window.part[0].bytes, window.part[0].size);
        feed(host, window.part[1].bytes, window.part[1].size);
        xm_ring_consume(&host->ring[cpu], window.size);
    }
    xm_bake_pass_end(host->bake);
    feed(host, "", 0);
    host->seconds += cpu_now() - start;
}

static struct result ring_to_region(const struct trace *trace, const char *region, uint32_t history_s)
{
    static struct host host;
    struct xm_record record;
    uint32_t cpu = 0;
    bool first = true;
    host = (struct host){0};
    host_open(&host, region, history_s);
    for (size_t at = 0, used; at < trace->size; at += used) {
        must(xm_record_read(trace->at + at, trace->size - at, &record, &used), "record");
        if (record.event == CPU_CHANGE) {
            if (!first && record.word[0] <= cpu)
                consume(&host);
            first = false;
            cpu = record.word[0];
            attach(&host, cpu);
            continue;
        }
        enum xm_ring_put put = xm_ring_put(&host.producer[cpu], &record, record.tsc, 0);
        if (put != XM_RING_PUT && put != XM_RING_HIGH_WATER)
            fail("a ring is too small for this trace");
    }
    consume(&host);
    struct result result = {host.seconds, xm_stream_stats(xm_bake_stream(host.bake))->records};
    host_close(&host);
    return result;
}

/* ---- Output. */

enum step { DECODE, ACCOUNT, RING };

static struct result run(enum step step, const struct trace *trace, const char *region, uint32_t history_s)
{
    switch (step) {
    case DECODE:
        return decode(trace);
    case ACCOUNT:
        return account(trace);
    default:
        return ring_to_region(trace, region, history_s);
    }
}

static int by_seconds(const void *a, const void *b)
{
    double x = ((const struct result *)a)->seconds, y = ((const struct result *)b)->seconds;
    return (x > y) - (x < y);
}

static void print_step(enum step step, const char *name, const struct trace *trace, const char *region,
                       uint32_t history_s, const char *end)
{
    struct result results[RUNS];
    for (unsigned i = 0; i < RUNS; i++)
        results[i] = run(step, trace, region, history_s);
    qsort(results, RUNS, sizeof results[0], by_seconds);
    printf("{\"name\":\"%s\",\"cpu_s\":%.6f,\"records\":%llu}%s", name, results[RUNS / 2].seconds,
           (unsigned long long)results[RUNS / 2].records, end);
}

static void print_memory(void)
{
    static const struct xm_capacity sizes[] = {{32, 100, 8}, {128, 400, 32}, {512, 2000, 64}, {2048, 8000, 128}};
    const unsigned count = sizeof sizes / sizeof sizes[0];
    printf("{\"sizes\":[");
    for (unsigned i = 0; i < count; i++) {
        const struct xm_region_settings settings = {.capacity = sizes[i]};
        struct xm_region_plan plan;
        must(xm_region_plan(&settings, &plan, NULL), "plan");
        printf("{\"domains\":%u,\"vcpus\":%u,\"pcpus\":%u,\"account_bytes\":%zu,\"region_bytes\":%llu,"
               "\"fast_history_s\":%.1f}%s",
               sizes[i].domains, sizes[i].vcpus, sizes[i].pcpus, xm_account_bytes(sizes[i]),
               (unsigned long long)plan.bytes, (double)xm_plan_history_ns(&plan, XM_SERIES_FAST) * 1e-9,
               i + 1 < count ? "," : "]}\n");
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "memory")) {
        print_memory();
        return 0;
    }
    bool speed = argc == 4 && !strcmp(argv[1], "speed"), history = argc == 5 && !strcmp(argv[1], "history");
    if (!speed && !history) {
        fprintf(stderr, "usage: inner speed TRACE REGION | inner history TRACE REGION SECONDS | inner memory\n");
        return 2;
    }
    struct trace trace = read_trace(argv[2]);
    printf("{\"steps\":[");
    if (speed) {
        print_step(DECODE, "decode into one time order", &trace, argv[3], 60, ",");
        print_step(ACCOUNT, "decode and account", &trace, argv[3], 60, ",");
        print_step(RING, "ring to region", &trace, argv[3], 60, "]}\n");
    } else {
        uint32_t seconds = (uint32_t)strtoul(argv[4], NULL, 10);
        char name[64];
        snprintf(name, sizeof name, "%u s of history", seconds);
        print_step(RING, name, &trace, argv[3], seconds, "]}\n");
    }
    free(trace.at);
    return 0;
}
