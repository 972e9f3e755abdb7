/* SPDX-License-Identifier: MIT */
/*
 * One writer that never rests and four readers: two through the file, two through the writer's own
 * mapping, where ThreadSanitizer sees both sides.  Every word of everything follows from a number, so a
 * torn copy cannot pass.
 *
 *     stress READS [SECONDS]    reads in total that must succeed; not more than SECONDS (0, the default:
 *     no limit)
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "common.h"
#include "region/process.h"
#include "region/reader_int.h"
#include "region/writer.h"
#include "xenmon/trace.h"

#define STAMPS  251
#define READERS 4

static const struct xm_capacity room = {3, 5, 2};

struct shared {
    struct xm_writer *writer;
    const char *path;
    uint64_t reads_wanted;
    _Atomic uint64_t reads;
    _Atomic uint64_t overruns;
    _Atomic uint64_t retries;
    _Atomic uint64_t written;
    _Atomic bool stop;
    _Atomic bool torn;
};

struct reader {
    struct shared *shared;
    unsigned number;
    bool mapped;
    uint64_t seed;
};

/* ---- The writer. */

static void write_domain(struct xm_writer *w, uint64_t n)
{
    struct xm_region_domain d = {.id = n, .created_tsc = n * 3, .ended_tsc = n * 5};
    snprintf(d.name, sizeof d.name, "domain-%llu", (unsigned long long)n);
    snprintf(d.uuid, sizeof d.uuid, "%llu", (unsigned long long)(n * 7));
    (void)!xm_writer_domain(w, (uint32_t)(n % room.domains), &d);
}

static void write_facts(struct xm_writer *w, uint64_t n)
{
    uint64_t classes[XM_CLASSES];
    uint64_t anomaly[8];
    char from[16];
    for (unsigned i = 0; i < XM_CLASSES; i++)
        classes[i] = n + i;
    for (unsigned i = 0; i < 8; i++)
        anomaly[i] = n * 2 + i;
    snprintf(from, sizeof from, "%llu", (unsigned long long)(n % 1000000));
    xm_writer_facts(w, &(struct xm_writer_facts){
                           .tsc_hz = n, .tsc_hz_from = from, .classes = classes, .anomaly = anomaly});
}

static void *write_all(void *user)
{
    struct shared *sh = user;
    static struct xm_sample s[STAMPS];
    static uint64_t counts[STAMPS][XM_HISTS][XM_HIST_BUCKETS];
    for (uint64_t n = 0; n < STAMPS; n++) {
        if (xm_sample_init(&s[n], room) != XM_OK)
            exit(99);
        stamp_fill(&s[n], room, n);
        for (unsigned k = 0; k < XM_HISTS; k++)
            stamp_histogram(n, (enum xm_hist_kind)k, counts[n][k]);
    }
    for (uint64_t n = 0; !atomic_load(&sh->stop); n++) {
        const uint64_t *pointers[XM_HISTS] = {counts[n % STAMPS][0], counts[n % STAMPS][1],
                                              counts[n % STAMPS][2]};
        (void)!xm_writer_publish(sh->writer, XM_SERIES_FAST, &s[n % STAMPS]);
        (void)!xm_writer_publish(sh->writer, XM_SERIES_SLOW, &s[n % STAMPS]);
        if (n % 16 == 0) {
            uint64_t id = n / 16;
            pointers[0] = counts[id % STAMPS][0];
            pointers[1] = counts[id % STAMPS][1];
            pointers[2] = counts[id % STAMPS][2];
            (void)!xm_writer_histograms(sh->writer, (uint32_t)(id % room.vcpus), XM_ROW_USED | id, pointers);
            write_domain(sh->writer, id);
            write_facts(sh->writer, id);
        }
        atomic_store(&sh->written, n + 1);
    }
    for (uint64_t n = 0; n < STAMPS; n++)
        xm_sample_fini(&s[n]);
    return NULL;
}

/* ---- The readers.  Each check returns NULL, or what was torn. */

static const char *check_sample(struct xm_region *r, uint64_t *seed, struct xm_sample *s,
                                enum xm_region_outcome *outcome)
{
    struct xm_live live;
    enum xm_series series = (enum xm_series)(next_random(seed) % 2);
    *outcome = XM_REGION_RETRY;
    if (!xm_region_live(r, &live) || live.newest[series] == UINT64_MAX)
        return NULL;
    uint64_t back = next_random(seed) % 3;
    uint64_t index = live.newest[series] > back ? live.newest[series] - back : 0;
    *outcome = xm_region_sample(r, series, index, s);
    return *outcome == XM_REGION_OK ? stamp_check(s, room, series, index % STAMPS) : NULL;
}

static const char *check_histogram(struct xm_region *r, uint64_t *seed, enum xm_region_outcome *outcome)
{
    uint64_t got[XM_HIST_BUCKETS];
    uint64_t want[XM_HIST_BUCKETS];
    uint64_t id;
    uint32_t slot = (uint32_t)(next_random(seed) % room.vcpus);
    enum xm_hist_kind kind = (enum xm_hist_kind)(next_random(seed) % XM_HISTS);
    *outcome = xm_region_histogram(r, slot, kind, got, &id);
    if (*outcome != XM_REGION_OK || id == 0)
        return NULL;
    id &= ~XM_ROW_USED;
    stamp_histogram(id % STAMPS, kind, want);
    return id % room.vcpus == slot && memcmp(got, want, sizeof want) == 0 ? NULL : "histogram";
}

static const char *check_domain(struct xm_region *r, uint64_t *seed, enum xm_region_outcome *outcome)
{
    struct xm_region_domain d;
    char name[64];
    uint32_t slot = (uint32_t)(next_random(seed) % room.domains);
    *outcome = xm_region_domain(r, slot, &d);
    if (*outcome != XM_REGION_OK || d.id == 0)
        return NULL;
    snprintf(name, sizeof name, "domain-%llu", (unsigned long long)d.id);
    bool whole = d.id % room.domains == slot && d.created_tsc == d.id * 3 && d.ended_tsc == d.id * 5 &&
                 strcmp(d.name, name) == 0 && strtoull(d.uuid, NULL, 10) == d.id * 7;
    return whole ? NULL : "domain";
}

static const char *check_facts(struct xm_region *r, enum xm_region_outcome *outcome)
{
    struct xm_region_info info;
    *outcome = xm_region_info(r, &info);
    if (*outcome != XM_REGION_OK || info.tsc_hz == 0)
        return NULL;
    bool whole = strtoull(info.tsc_hz_from, NULL, 10) == info.tsc_hz % 1000000;
    for (unsigned i = 0; i < XM_CLASSES; i++)
        whole = whole && info.classes[i] == info.tsc_hz + i;
    for (unsigned i = 0; i < 8; i++)
        whole = whole && info.anomaly[i] == info.tsc_hz * 2 + i;
    return whole ? NULL : "facts";
}

static const char *check_find(struct xm_region *r, uint64_t *seed, enum xm_region_outcome *outcome)
{
    uint64_t index;
    *outcome = xm_region_find(r, XM_SERIES_FAST, stamp_window(next_random(seed) % STAMPS), &index);
    /* Stamps come round, so their windows are not in order: whatever is found must have been there. */
    if (*outcome == XM_REGION_OVERRUN)
        *outcome = XM_REGION_OK;
    return NULL;
}

static const char *check_any(struct xm_region *r, uint64_t *seed, struct xm_sample *s,
                             enum xm_region_outcome *outcome)
{
    switch (next_random(seed) % 32) {
    case 0:
        return check_histogram(r, seed, outcome);
    case 1:
        return check_domain(r, seed, outcome);
    case 2:
        return check_facts(r, outcome);
    case 3:
        return check_find(r, seed, outcome);
    default:
        return check_sample(r, seed, s, outcome);
    }
}

static enum xm_status open_as(const struct reader *me, struct xm_region **r)
{
    uint64_t bytes;
    const void *memory = xm_writer_memory(me->shared->writer, &bytes);
    return me->mapped ? xm_region_open_memory(memory, bytes, r, NULL)
                      : xm_region_open(me->shared->path, r, NULL);
}

static void *read_all(void *user)
{
    struct reader *me = user;
    struct shared *sh = me->shared;
    struct xm_region *r;
    struct xm_sample s;
    if (open_as(me, &r) != XM_OK || xm_sample_init(&s, room) != XM_OK)
        exit(99);
    while (!atomic_load_explicit(&sh->stop, memory_order_relaxed)) {
        enum xm_region_outcome outcome;
        const char *torn = check_any(r, &me->seed, &s, &outcome);
        if (torn || outcome == XM_REGION_INCOMPATIBLE) {
            printf("# reader %u: %s\n", me->number, torn ? torn : "incompatible");
            atomic_store(&sh->torn, true);
            atomic_store(&sh->stop, true);
        }
        atomic_fetch_add_explicit(&sh->overruns, outcome == XM_REGION_OVERRUN, memory_order_relaxed);
        atomic_fetch_add_explicit(&sh->retries, outcome == XM_REGION_RETRY, memory_order_relaxed);
        if (outcome == XM_REGION_OK && atomic_fetch_add(&sh->reads, 1) + 1 >= sh->reads_wanted)
            atomic_store(&sh->stop, true);
    }
    xm_sample_fini(&s);
    xm_region_close(r);
    return NULL;
}

static void wait_for(struct shared *sh, uint64_t seconds)
{
    uint64_t end = xm_clock_ns() + seconds * UINT64_C(1000000000);
    while (seconds && !atomic_load(&sh->stop)) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        if (xm_clock_ns() > end)
            atomic_store(&sh->stop, true);
    }
}

int main(int argc, char **argv)
{
    struct place p;
    struct shared sh = {.reads_wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000};
    struct reader readers[READERS];
    pthread_t threads[READERS + 1];
    uint64_t seed = test_seed();
    struct xm_region_settings settings = {
        .capacity = room, .interval_ns = 1000000000, .fast_s = 1, .slow_s = 1, .limit_bytes = 1};
    place_make(&p);
    sh.path = p.path;
    sh.writer = writer_make(p.path, &settings);
    printf("1..1\n# %llu fast and %llu slow slots\n",
           (unsigned long long)xm_writer_plan(sh.writer)->ring[XM_SERIES_FAST].slots,
           (unsigned long long)xm_writer_plan(sh.writer)->ring[XM_SERIES_SLOW].slots);
    pthread_create(&threads[READERS], NULL, write_all, &sh);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){&sh, i, i % 2 == 1, next_random(&seed)};
        pthread_create(&threads[i], NULL, read_all, &readers[i]);
    }
    wait_for(&sh, argc > 2 ? strtoull(argv[2], NULL, 10) : 0);
    for (unsigned i = 0; i <= READERS; i++)
        pthread_join(threads[i], NULL);
    uint64_t reads = atomic_load(&sh.reads);
    bool good = !atomic_load(&sh.torn) && reads >= sh.reads_wanted;
    printf("# %llu good reads, %llu overrun, %llu to retry, %llu samples written a series\n%s 1 - no torn "
           "read\n",
           (unsigned long long)reads, (unsigned long long)atomic_load(&sh.overruns),
           (unsigned long long)atomic_load(&sh.retries), (unsigned long long)atomic_load(&sh.written),
           good ? "ok" : "not ok");
    xm_writer_close(sh.writer, true);
    place_remove(&p);
    return good ? 0 : 1;
}
