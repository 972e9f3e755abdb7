/* SPDX-License-Identifier: MIT */
/* Writer and reader, through a file: what goes in comes out, or the outcome says why not. */
#include "xenmon/region.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "account/account.h"
#include "common.h"
#include "region/writer.h"
#include "xenmon/trace.h"

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    place_make(p);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place_remove(*state);
    free(*state);
    return 0;
}

static struct xm_region *open_region(const char *path)
{
    struct xm_region *region;
    struct xm_error err = {0};
    if (xm_region_open(path, &region, &err) != XM_OK)
        fail_msg("%s", err.text);
    return region;
}

static struct xm_sample sample_for(struct xm_capacity capacity)
{
    struct xm_sample s;
    assert_int_equal(xm_sample_init(&s, capacity), XM_OK);
    return s;
}

static void publish(struct xm_writer *w, enum xm_series series, struct xm_sample *s, struct xm_capacity room,
                    uint64_t n)
{
    xm_sample_clear(s);
    stamp_fill(s, room, n);
    assert_int_equal(xm_writer_publish(w, series, s), XM_OK);
}

static void assert_stamp(struct xm_region *r, enum xm_series series, uint64_t index, struct xm_sample *s,
                         struct xm_capacity room, uint64_t n)
{
    assert_int_equal(xm_region_sample(r, series, index, s), XM_REGION_OK);
    const char *wrong = stamp_check(s, room, series, n);
    if (wrong)
        fail_msg("series %d, sample %llu: %s", (int)series, (unsigned long long)index, wrong);
}

static const struct xm_capacity room = {7, 23, 5};
static const struct xm_region_settings wide = {
    .capacity = {7, 23, 5}, .fast_s = 1, .slow_s = 9, .limit_bytes = 1};

/* Every metric of every row, in both series, into a sample as large as the region and into a larger one. */
static void test_round_trip(void **state)
{
    struct place *p = *state;
    uint64_t seed = test_seed();
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample in = sample_for(room);
    struct xm_sample same = sample_for(room);
    struct xm_sample larger = sample_for((struct xm_capacity){9, 31, 8});
    for (int i = 0; i < 300; i++) {
        enum xm_series series = (enum xm_series)(next_random(&seed) % 2);
        uint64_t n = next_random(&seed) >> 12;
        uint64_t index = xm_writer_next(w, series);
        publish(w, series, &in, room, n);
        assert_stamp(r, series, index, &same, room, n);
        assert_stamp(r, series, index, &larger, room, n);
    }
    xm_sample_fini(&in);
    xm_sample_fini(&same);
    xm_sample_fini(&larger);
    xm_region_close(r);
    xm_writer_close(w, true);
}

/* Part of a sample: what was asked for is as in the whole, what was not is left alone. */
static void test_rows(void **state)
{
    struct place *p = *state;
    uint64_t seed = test_seed();
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample in = sample_for(room);
    struct xm_sample whole = sample_for(room);
    for (unsigned scopes = 0; scopes < 1u << XM_SCOPES; scopes++) {
        enum xm_series series = (enum xm_series)(scopes % 2);
        struct xm_sample part = sample_for(room);
        uint64_t index = xm_writer_next(w, series);
        publish(w, series, &in, room, next_random(&seed) >> 12);
        assert_int_equal(xm_region_sample(r, series, index, &whole), XM_REGION_OK);
        memset(part.vcpu, 0xa5, room.vcpus * sizeof *part.vcpu);
        memset(part.pcpu, 0xa5, room.pcpus * sizeof *part.pcpu);
        assert_int_equal(xm_region_rows(r, series, index, scopes, &part), XM_REGION_OK);
        assert_memory_equal(&part.host, &whole.host, sizeof whole.host);
        assert_memory_equal(&part.used, &whole.used, sizeof whole.used);
        assert_int_equal(memcmp(part.vcpu, whole.vcpu, whole.used.vcpus * sizeof *whole.vcpu) == 0,
                         (scopes >> XM_SCOPE_VCPU & 1) || whole.used.vcpus == 0);
        assert_int_equal(memcmp(part.pcpu, whole.pcpu, whole.used.pcpus * sizeof *whole.pcpu) == 0,
                         (scopes >> XM_SCOPE_PCPU & 1) || whole.used.pcpus == 0);
        if (scopes >> XM_SCOPE_DOMAIN & 1)
            assert_memory_equal(part.domain, whole.domain, room.domains * sizeof *whole.domain);
        if (scopes >> XM_SCOPE_PAIR & 1)
            assert_memory_equal(part.pair, whole.pair, (size_t)room.domains * room.pcpus * sizeof *whole.pair);
        xm_sample_fini(&part);
    }
    xm_sample_fini(&in);
    xm_sample_fini(&whole);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static void test_outcomes(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample s = sample_for(room);
    struct xm_sample small = sample_for((struct xm_capacity){7, 22, 5});
    struct xm_host_row host;
    uint64_t slots = xm_writer_plan(w)->ring[XM_SERIES_FAST].slots;
    uint64_t index;

    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, 0, &s), XM_REGION_RETRY);
    assert_int_equal(xm_region_find(r, XM_SERIES_FAST, 1, &index), XM_REGION_RETRY);
    for (uint64_t i = 0; i < slots + 5; i++)
        publish(w, XM_SERIES_FAST, &s, room, i);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, slots + 5, &s), XM_REGION_RETRY);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, 4, &s), XM_REGION_OVERRUN);
    assert_int_equal(xm_region_host(r, XM_SERIES_FAST, 0, &host), XM_REGION_OVERRUN);
    for (uint64_t i = 5; i < slots + 5; i++)
        assert_stamp(r, XM_SERIES_FAST, i, &s, room, i);
    assert_int_equal(xm_region_host(r, XM_SERIES_FAST, 5, &host), XM_REGION_OK);
    assert_int_equal(host.window, stamp_window(5));
    assert_int_equal(xm_region_sample(r, XM_SERIES_SLOW, 0, &s), XM_REGION_RETRY);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, 5, &small), XM_REGION_INCOMPATIBLE);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, UINT64_MAX, &s), XM_REGION_INCOMPATIBLE);

    /* More rows than there is room for are refused, and nothing happens. */
    struct xm_sample large = sample_for((struct xm_capacity){8, 23, 5});
    large.used = (struct xm_capacity){8, 1, 1};
    assert_int_equal(xm_writer_publish(w, XM_SERIES_FAST, &large), XM_LIMIT);
    assert_int_equal(xm_writer_next(w, XM_SERIES_FAST), slots + 5);
    for (enum xm_region_outcome o = XM_REGION_OK; o <= XM_REGION_INCOMPATIBLE; o++)
        assert_string_not_equal(xm_region_outcome_name(o), "unknown");
    xm_sample_fini(&s);
    xm_sample_fini(&small);
    xm_sample_fini(&large);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static void test_find(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample s = sample_for(room);
    uint64_t slots = xm_writer_plan(w)->ring[XM_SERIES_FAST].slots;
    uint64_t index;
    for (uint64_t total = 1; total <= 3 * slots; total++) {
        publish(w, XM_SERIES_FAST, &s, room, total - 1);
        uint64_t oldest = total > slots ? total - slots : 0;
        for (uint64_t i = oldest; i < total; i++) {
            assert_int_equal(xm_region_find(r, XM_SERIES_FAST, stamp_window(i), &index), XM_REGION_OK);
            assert_int_equal(index, i);
            assert_int_equal(xm_region_find(r, XM_SERIES_FAST, stamp_window(i) + 999, &index), XM_REGION_OK);
            assert_int_equal(index, i);
        }
        assert_int_equal(xm_region_find(r, XM_SERIES_FAST, stamp_window(oldest) - 1, &index),
                         XM_REGION_OVERRUN);
        assert_int_equal(index, oldest);
        assert_int_equal(xm_region_find(r, XM_SERIES_FAST, UINT64_MAX, &index), XM_REGION_OK);
        assert_int_equal(index, total - 1);
    }
    xm_sample_fini(&s);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static void test_facts(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_region_info info;
    uint64_t classes[XM_CLASSES];
    uint64_t anomaly[8];
    assert_int_equal(xm_region_info(r, &info), XM_REGION_OK);
    assert_int_equal(info.state, XM_WRITER_STARTING);
    assert_int_equal(info.tsc_hz, 0);
    assert_string_equal(info.source_name, "stamps");
    assert_int_equal(info.series[0].newest, UINT64_MAX);
    assert_string_equal(info.hypervisor, "");
    assert_string_equal(info.scheduler, "");
    assert_int_equal(info.events | info.buffer_bytes | info.host_cpus, 0);

    for (unsigned i = 0; i < XM_CLASSES; i++)
        classes[i] = 100 + i;
    for (unsigned i = 0; i < 8; i++)
        anomaly[i] = 200 + i;
    xm_writer_facts(w, &(struct xm_writer_facts){.tsc_hz = 2793439000,
                                                 .tsc_hz_from = "trace",
                                                 .states_from = "runstate",
                                                 .io_seen = XM_IO_SEEN_GRANTS,
                                                 .classes = classes,
                                                 .anomaly = anomaly,
                                                 .hypervisor = "Xen 4.17.7\033[2J",
                                                 .scheduler = "credit2\nand more than 15 bytes",
                                                 .events = 0x00169000,
                                                 .buffer_bytes = 131072,
                                                 .host_cpus = 512});
    xm_writer_heartbeat(w, 42);
    xm_writer_state(w, XM_WRITER_RUNNING);
    assert_int_equal(xm_region_info(r, &info), XM_REGION_OK);
    assert_int_equal(info.version, 1u << 16 | 1);
    assert_int_equal(info.state, XM_WRITER_RUNNING);
    assert_int_equal(info.source, XM_SOURCE_REPLAY);
    assert_int_equal(info.writer_pid, getpid());
    assert_int_equal(info.creation_id, info.lineage_id);
    assert_int_equal(info.heartbeat_ns, 42);
    assert_int_equal(info.tsc_hz, 2793439000);
    assert_string_equal(info.tsc_hz_from, "trace");
    assert_string_equal(info.states_from, "runstate");
    assert_string_equal(info.source_name, "stamps");
    assert_int_equal(info.io_seen, XM_IO_SEEN_GRANTS);
    assert_string_equal(info.hypervisor, "Xen 4.17.7?[2J");
    assert_string_equal(info.scheduler, "credit2?and mor");
    assert_int_equal(info.events, 0x00169000);
    assert_int_equal(info.buffer_bytes, 131072);
    assert_int_equal(info.host_cpus, 512);
    assert_memory_equal(&info.capacity, &room, sizeof room);
    assert_int_equal(info.series[0].slots, 12);
    assert_int_equal(info.series[1].slots, 11);
    assert_int_equal(info.series[0].interval_ns, 100000000);
    assert_int_equal(info.series[1].interval_ns, 1000000000);
    assert_memory_equal(info.classes, classes, sizeof classes);
    assert_memory_equal(info.anomaly, anomaly, sizeof anomaly);
    assert_int_equal(info.bytes, xm_writer_plan(w)->bytes);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static void test_domains(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_region_domain d;
    struct xm_region_domain got;
    assert_int_equal(xm_region_domain(r, 3, &got), XM_REGION_OK);
    assert_int_equal(got.id, 0);
    d = (struct xm_region_domain){.id = XM_ROW_USED | 5,
                                  .created_tsc = 7,
                                  .ended_tsc = 9,
                                  .name = "web\033[2J",
                                  .uuid = "7d1f3a52-0000-4000-8000-123456789abc"};
    assert_int_equal(xm_writer_domain(w, 3, &d), XM_OK);
    assert_int_equal(xm_region_domain(r, 3, &got), XM_REGION_OK);
    assert_int_equal(got.id, d.id);
    assert_int_equal(got.created_tsc, 7);
    assert_int_equal(got.ended_tsc, 9);
    assert_string_equal(got.name, "web?[2J");
    assert_string_equal(got.uuid, d.uuid);
    assert_int_equal(xm_writer_domain(w, 7, &d), XM_LIMIT);
    assert_int_equal(xm_region_domain(r, 7, &got), XM_REGION_INCOMPATIBLE);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static void put_histograms(struct xm_writer *w, uint32_t slot, uint64_t n)
{
    static uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
    const uint64_t *pointers[XM_HISTS];
    for (unsigned k = 0; k < XM_HISTS; k++) {
        stamp_histogram(n, (enum xm_hist_kind)k, counts[k]);
        pointers[k] = counts[k];
    }
    assert_int_equal(xm_writer_histograms(w, slot, XM_ROW_USED | n, pointers), XM_OK);
}

static void assert_histograms(struct xm_region *r, uint32_t slot, uint64_t n)
{
    static uint64_t got[XM_HIST_BUCKETS];
    static uint64_t want[XM_HIST_BUCKETS];
    uint64_t id;
    for (unsigned k = 0; k < XM_HISTS; k++) {
        assert_int_equal(xm_region_histogram(r, slot, (enum xm_hist_kind)k, got, &id), XM_REGION_OK);
        stamp_histogram(n, (enum xm_hist_kind)k, want);
        assert_int_equal(id, XM_ROW_USED | n);
        assert_memory_equal(got, want, sizeof want);
    }
    static uint64_t all[XM_HISTS][XM_HIST_BUCKETS];
    assert_int_equal(xm_region_histograms(r, slot, all, &id), XM_REGION_OK);
    assert_int_equal(id, XM_ROW_USED | n);
    for (unsigned k = 0; k < XM_HISTS; k++) {
        stamp_histogram(n, (enum xm_hist_kind)k, want);
        assert_memory_equal(all[k], want, sizeof want);
    }
    assert_int_equal(xm_region_histograms(r, UINT32_MAX, all, &id), XM_REGION_INCOMPATIBLE);
}

static void test_histograms(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    uint64_t counts[XM_HIST_BUCKETS];
    uint64_t id;
    for (uint64_t n = 0; n < 50; n++) {
        put_histograms(w, n % 23, n);
        assert_histograms(r, n % 23, n);
    }
    assert_histograms(r, 22, 45);
    assert_int_equal(xm_writer_histograms(w, 22, 0, NULL), XM_OK);
    assert_int_equal(xm_region_histogram(r, 22, XM_HIST_WAIT, counts, &id), XM_REGION_OK);
    assert_int_equal(id, 0);
    assert_int_equal(xm_region_histogram(r, 23, XM_HIST_WAIT, counts, &id), XM_REGION_INCOMPATIBLE);
    assert_int_equal(xm_region_histogram(r, 0, XM_HISTS, counts, &id), XM_REGION_INCOMPATIBLE);
    assert_int_equal(xm_writer_histograms(w, 23, 1, NULL), XM_LIMIT);
    xm_region_close(r);
    xm_writer_close(w, true);
}

/* A larger region takes the name: nothing is lost, indices go on, readers are told. */
static void test_growth(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_region *late = open_region(p->path);
    struct xm_sample s = sample_for((struct xm_capacity){20, 40, 9});
    struct xm_region_info before;
    struct xm_region_info after;
    struct xm_region_domain d = {.id = XM_ROW_USED | 2, .name = "db"};
    struct xm_error err = {0};
    for (uint64_t i = 0; i < 30; i++)
        publish(w, XM_SERIES_FAST, &s, room, i);
    for (uint64_t i = 0; i < 5; i++)
        publish(w, XM_SERIES_SLOW, &s, room, 1000 + i);
    put_histograms(w, 22, 9);
    assert_int_equal(xm_writer_domain(w, 6, &d), XM_OK);
    xm_writer_facts(w, &(struct xm_writer_facts){.tsc_hz = 123, .tsc_hz_from = "option", .scheduler = "credit"});
    xm_writer_state(w, XM_WRITER_RUNNING);
    assert_int_equal(xm_region_info(r, &before), XM_REGION_OK);
    assert_int_equal(xm_region_check(r), XM_REGION_OK);

    if (xm_writer_grow(w, (struct xm_capacity){20, 10, 9}, &err) != XM_OK)
        fail_msg("%s", err.text);
    /* The old one still reads, and says that it is superseded. */
    assert_int_equal(xm_region_info(r, &after), XM_REGION_OK);
    assert_int_equal(after.state, XM_WRITER_SUPERSEDED);
    assert_stamp(r, XM_SERIES_FAST, 29, &s, room, 29);
    assert_int_equal(xm_region_check(r), XM_REGION_RESTARTED);
    assert_int_equal(xm_region_check(r), XM_REGION_OK);
    assert_int_equal(xm_region_info(r, &after), XM_REGION_OK);
    assert_int_equal(after.state, XM_WRITER_RUNNING);
    assert_int_equal(after.lineage_id, before.lineage_id);
    assert_int_not_equal(after.creation_id, before.creation_id);
    assert_int_equal(after.capacity.domains, 20);
    assert_int_equal(after.capacity.vcpus, 23); /* never less than it had */
    assert_int_equal(after.capacity.pcpus, 9);
    assert_int_equal(after.tsc_hz, 123);
    assert_string_equal(after.tsc_hz_from, "option");
    assert_string_equal(after.scheduler, "credit");
    assert_string_equal(after.source_name, "stamps");
    assert_int_equal(after.series[XM_SERIES_FAST].newest, 29);
    for (uint64_t i = 18; i < 30; i++)
        assert_stamp(r, XM_SERIES_FAST, i, &s, room, i);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, 17, &s), XM_REGION_OVERRUN);
    for (uint64_t i = 0; i < 5; i++)
        assert_stamp(r, XM_SERIES_SLOW, i, &s, room, 1000 + i);
    assert_histograms(r, 22, 9);
    assert_int_equal(xm_region_domain(r, 6, &d), XM_REGION_OK);
    assert_string_equal(d.name, "db");

    struct xm_capacity grown = {20, 23, 9};
    publish(w, XM_SERIES_FAST, &s, grown, 30);
    assert_stamp(r, XM_SERIES_FAST, 30, &s, grown, 30);
    /* Twice more, and a reader that slept through it all follows in one step. */
    for (uint32_t i = 1; i <= 2; i++)
        assert_int_equal(xm_writer_grow(w, (struct xm_capacity){20, 23 + 5 * i, 9}, NULL), XM_OK);
    assert_int_equal(xm_region_check(late), XM_REGION_RESTARTED);
    assert_stamp(late, XM_SERIES_FAST, 30, &s, grown, 30);
    assert_stamp(late, XM_SERIES_FAST, 19, &s, room, 19);
    xm_sample_fini(&s);
    xm_region_close(r);
    xm_region_close(late);
    xm_writer_close(w, true);
}

/* Where memory is short the newer part of the history is carried, and find says where it begins. */
static void test_growth_shrinks_history(void **state)
{
    struct place *p = *state;
    struct xm_region_settings s = {.capacity = {2, 2, 2}, .fast_s = 60, .slow_s = 60, .limit_bytes = 1 << 20};
    struct xm_writer *w = writer_make(p->path, &s);
    struct xm_region *r = open_region(p->path);
    struct xm_capacity small = {2, 2, 2};
    struct xm_sample sample = sample_for((struct xm_capacity){30, 60, 16});
    uint64_t index;
    uint64_t had = xm_writer_plan(w)->ring[XM_SERIES_FAST].slots;
    for (uint64_t i = 0; i < had; i++)
        publish(w, XM_SERIES_FAST, &sample, small, i);
    assert_int_equal(xm_writer_grow(w, (struct xm_capacity){30, 60, 16}, NULL), XM_OK);
    uint64_t slots = xm_writer_plan(w)->ring[XM_SERIES_FAST].slots;
    assert_true(slots < had);
    assert_int_equal(xm_region_check(r), XM_REGION_RESTARTED);
    assert_int_equal(xm_region_find(r, XM_SERIES_FAST, 0, &index), XM_REGION_OVERRUN);
    assert_int_equal(index, had - slots);
    for (uint64_t i = had - slots; i < had; i++)
        assert_stamp(r, XM_SERIES_FAST, i, &sample, small, i);
    /* Growing again into a longer ring: what was left behind stays left behind. */
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, had - slots - 1, &sample), XM_REGION_OVERRUN);
    xm_sample_fini(&sample);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static void test_restart(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample s = sample_for(room);
    struct xm_region_info first;
    struct xm_region_info second;
    publish(w, XM_SERIES_FAST, &s, room, 1);
    assert_int_equal(xm_region_info(r, &first), XM_REGION_OK);
    xm_writer_close(w, false);
    assert_int_equal(xm_region_info(r, &second), XM_REGION_OK);
    assert_int_equal(second.state, XM_WRITER_ENDED);
    assert_int_equal(xm_region_check(r), XM_REGION_OK); /* ended, by a process that lives */
    assert_stamp(r, XM_SERIES_FAST, 0, &s, room, 1);

    w = writer_make(p->path, &wide);
    publish(w, XM_SERIES_FAST, &s, room, 2);
    assert_stamp(r, XM_SERIES_FAST, 0, &s, room, 1); /* until it looks, it reads the old one */
    assert_int_equal(xm_region_check(r), XM_REGION_RESTARTED);
    assert_stamp(r, XM_SERIES_FAST, 0, &s, room, 2);
    assert_int_equal(xm_region_info(r, &second), XM_REGION_OK);
    assert_int_not_equal(second.lineage_id, first.lineage_id);

    xm_writer_close(w, true);
    assert_int_equal(access(p->path, F_OK), -1);
    assert_int_equal(xm_region_check(r), XM_REGION_GONE); /* ended, and its name is gone */
    assert_stamp(r, XM_SERIES_FAST, 0, &s, room, 2);
    xm_sample_fini(&s);
    xm_region_close(r);
}

/* The name leads to something that is no region: said, and the old one stays readable. */
static void test_replaced_by_rubbish(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample s = sample_for(room);
    publish(w, XM_SERIES_FAST, &s, room, 1);
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(xm_region_check(r), XM_REGION_OK); /* it still writes */
    FILE *f = fopen(p->path, "w");
    assert_non_null(f);
    fputs("no region at all\n", f);
    fclose(f);
    assert_int_equal(xm_region_check(r), XM_REGION_INCOMPATIBLE);
    assert_stamp(r, XM_SERIES_FAST, 0, &s, room, 1);
    xm_writer_close(w, true);
    assert_int_equal(access(p->path, F_OK), 0); /* not its file */
    xm_sample_fini(&s);
    xm_region_close(r);
}

static void test_second_writer(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_writer_config config = {.path = p->path, .settings = wide};
    struct xm_writer *second;
    struct xm_error err = {0};
    char pid[32];
    assert_int_equal(xm_writer_create(&config, &second, &err), XM_LIMIT);
    assert_null(second);
    snprintf(pid, sizeof pid, "process %ld ", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_int_equal(xm_region_check(r), XM_REGION_OK); /* the first one's region is as it was */

    /* Also from another process, and no longer once the first has gone. */
    pid_t child = fork();
    if (child == 0)
        _exit(xm_writer_create(&config, &second, NULL) == XM_LIMIT ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    xm_writer_close(w, false);
    assert_int_equal(xm_writer_create(&config, &second, &err), XM_OK);
    assert_int_equal(xm_region_check(r), XM_REGION_RESTARTED);
    xm_writer_close(second, true);
    xm_region_close(r);
}

static void test_file(void **state)
{
    struct place *p = *state;
    char name[128];
    struct stat st;
    mode_t mask = umask(077);
    /* A file that a killed writer left is in nobody's way. */
    snprintf(name, sizeof name, "%s.new", p->path);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    struct xm_writer *w = writer_make(p->path, &wide);
    umask(mask);
    assert_int_equal(access(name, F_OK), -1);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, xm_writer_plan(w)->bytes);
    assert_true((uint64_t)st.st_blocks * 512 >= xm_writer_plan(w)->bytes);
    struct group *group = getgrnam("xenmon");
    if (group && geteuid() == 0)
        assert_int_equal(st.st_gid, group->gr_gid);
    xm_writer_close(w, true);
}

/* No room for the file is a message, not a signal later on, and leaves nothing behind. */
static void test_no_room(void **state)
{
    struct place *p = *state;
    char name[128];
    struct xm_writer_config config = {.path = p->path, .settings = wide};
    struct xm_writer *w;
    struct xm_error err = {0};
    struct rlimit old;
    struct rlimit low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = (struct rlimit){.rlim_cur = 65536, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum xm_status status = xm_writer_create(&config, &w, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, XM_IO);
    assert_null(w);
    assert_non_null(strstr(err.text, "no room for"));
    snprintf(name, sizeof name, "%s.new", p->path);
    assert_int_equal(access(name, F_OK), -1);
    assert_int_equal(access(p->path, F_OK), -1);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* In a process that may do nothing but read, write and exit. */
static void publish_everything(struct xm_writer *w, const struct xm_sample *s)
{
    static const uint64_t counts[XM_HIST_BUCKETS];
    const uint64_t *pointers[XM_HISTS] = {counts, counts, counts};
    bool good = true;
#ifndef SANITIZED
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        _exit(2);
#endif
    for (uint32_t i = 0; i < 1000; i++) {
        good = good && xm_writer_publish(w, XM_SERIES_FAST, s) == XM_OK;
        good = good && xm_writer_publish(w, XM_SERIES_SLOW, s) == XM_OK;
        good = good && xm_writer_histograms(w, i % 23, 1, pointers) == XM_OK;
        good = good && xm_writer_domain(w, i % 7, &(struct xm_region_domain){.id = 1, .name = "x"}) == XM_OK;
        xm_writer_facts(w, &(struct xm_writer_facts){.tsc_hz = i, .tsc_hz_from = "trace"});
        xm_writer_heartbeat(w, i);
        xm_writer_state(w, XM_WRITER_RUNNING);
    }
#ifdef SANITIZED
    _exit(good ? 0 : 1); /* all threads: the sanitizer may have one of its own */
#else
    syscall(SYS_exit, good ? 0 : 1); /* _exit() is another call than the one that is allowed */
#endif
}

static void test_no_system_call(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_sample s = sample_for(room);
    int status;
    stamp_fill(&s, room, 3);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        publish_everything(w, &s);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0); /* SIGKILL: it called the system */
    xm_sample_fini(&s);
    xm_writer_close(w, true);
}

static void test_growth_without_room(void **state)
{
    struct place *p = *state;
    struct xm_writer *w = writer_make(p->path, &wide);
    struct xm_region *r = open_region(p->path);
    struct xm_sample s = sample_for(room);
    struct xm_error err = {0};
    publish(w, XM_SERIES_FAST, &s, room, 1);
    assert_int_equal(xm_writer_grow(w, (struct xm_capacity){1u << 20, 1u << 20, 1u << 20}, &err), XM_LIMIT);
    assert_true(strlen(err.text) > 10);
    publish(w, XM_SERIES_FAST, &s, room, 2);
    assert_int_equal(xm_region_check(r), XM_REGION_OK);
    assert_stamp(r, XM_SERIES_FAST, 1, &s, room, 2);
    xm_sample_fini(&s);
    xm_region_close(r);
    xm_writer_close(w, true);
}

static enum xm_status try_create(const char *path, struct xm_error *err)
{
    struct xm_writer *w;
    struct xm_writer_config config = {.path = path, .settings = tiny_settings()};
    xm_error_clear(err);
    enum xm_status status = xm_writer_create(&config, &w, err);
    xm_writer_close(w, true);
    return status;
}

static void test_directories(void **state)
{
    struct place *p = *state;
    char directory[128];
    char path[140];
    char lock[160];
    struct stat st;
    struct xm_error err;
    snprintf(directory, sizeof directory, "%s/run", p->directory);
    snprintf(path, sizeof path, "%s/shm", directory);
    snprintf(lock, sizeof lock, "%s.lock", path);
    mode_t mask = umask(022);
    assert_int_equal(try_create(path, &err), XM_OK); /* made, one level */
    umask(mask);
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, geteuid() == 0 ? 0755 : 0700);

    assert_int_equal(chmod(directory, 0777), 0);
    assert_int_equal(try_create(path, &err), XM_IO);
    assert_non_null(strstr(err.text, "others may write"));
    assert_int_equal(chmod(directory, 01777), 0); /* as /tmp */
    assert_int_equal(try_create(path, &err), XM_OK);
    if (geteuid() == 0) {
        assert_int_equal(chown(directory, 12345, 12345), 0);
        assert_int_equal(try_create(path, &err), XM_IO);
        assert_non_null(strstr(err.text, "another user"));
        assert_int_equal(chown(directory, 0, 0), 0);
    }
    /* The lock's name is somebody's link. */
    unlink(lock);
    assert_int_equal(symlink("/etc/passwd", lock), 0);
    assert_int_equal(try_create(path, &err), XM_IO);
    unlink(lock);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
    snprintf(path, sizeof path, "%s/no/such/shm", p->directory);
    assert_int_equal(try_create(path, &err), XM_IO);
    assert_int_equal(try_create("/proc/version/shm", &err), XM_IO);
}

/* What a permission is missing for is told from all else by the status. */
static void test_denied(void **state)
{
    struct place *p = *state;
    char directory[128];
    char path[140];
    struct xm_error err;
    uid_t self = geteuid();
    snprintf(directory, sizeof directory, "%s/closed", p->directory);
    snprintf(path, sizeof path, "%s/shm", directory);
    assert_int_equal(mkdir(directory, 0555), 0);
    assert_int_equal(chmod(p->directory, 0755), 0);
    if (self == 0)
        assert_int_equal(seteuid(12345), 0);
    enum xm_status lock = try_create(path, &err);
    bool said = strstr(err.text, "Permission denied") != NULL;
    snprintf(path, sizeof path, "%s/new/shm", directory);
    enum xm_status made = try_create(path, &err);
    if (self == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(lock, XM_DENIED);
    assert_true(said);
    assert_int_equal(made, XM_DENIED);
}

static void test_default_path(void **state)
{
    (void)state;
    char path[256];
    char want[64];
    setenv("XENMON_REGION", "/a/b", 1);
    assert_true(xm_region_default_path(path, sizeof path));
    assert_string_equal(path, "/a/b");
    assert_false(xm_region_default_path(path, 4));
    unsetenv("XENMON_REGION");
    /* What follows depends on who runs it: as a child, as nobody. */
    if (geteuid() == 0) {
        assert_true(xm_region_default_path(path, sizeof path));
        assert_string_equal(path, "/run/xenmon/shm");
        assert_int_equal(seteuid(65534), 0);
    }
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    bool first = xm_region_default_path(path, sizeof path) && strcmp(path, "/run/user/7/xenmon/shm") == 0;
    unsetenv("XDG_RUNTIME_DIR");
    snprintf(want, sizeof want, "/dev/shm/xenmon-%lu/shm", (unsigned long)geteuid());
    bool second = xm_region_default_path(path, sizeof path) && strcmp(path, want) == 0;
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_true(first);
    assert_true(second);
}

/* The region's own copies of names are those of the rooms that own them. */
static void test_names(void **state)
{
    (void)state;
    size_t count;
    const struct xm_field *f = xm_layout_fields(&count);
    unsigned classes = 0;
    unsigned anomalies = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(f[i].name, "records_", 8) == 0)
            assert_string_equal(f[i].name + 8, xm_class_name(classes++));
        if (strncmp(f[i].name, "anomaly_", 8) == 0)
            assert_string_equal(f[i].name + 8, xm_anomaly_name(anomalies++));
    }
    assert_int_equal(classes, XM_CLASSES);
    assert_int_equal(anomalies, XM_ANOMALIES);
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        assert_string_equal(xm_region_anomaly_name(i), xm_anomaly_name(i));
    assert_null(xm_region_anomaly_name(XM_ANOMALIES));
}

static void test_open_fails(void **state)
{
    struct place *p = *state;
    struct xm_region *r;
    struct xm_error err = {0};
    assert_int_equal(xm_region_open(p->path, &r, &err), XM_IO);
    assert_null(r);
    assert_non_null(strstr(err.text, p->path));
    xm_error_clear(&err);
    assert_int_equal(xm_region_open(p->directory, &r, &err), XM_DAMAGED);
    assert_int_equal(xm_region_open("/dev/zero", &r, NULL), XM_DAMAGED);
    assert_int_equal(mkfifo(p->path, 0600), 0);
    assert_int_equal(xm_region_open(p->path, &r, NULL), XM_DAMAGED); /* and does not wait */
    unlink(p->path);
    int fd = open(p->path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(xm_region_open(p->path, &r, NULL), XM_DAMAGED);
    xm_region_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_rows),
        TEST(test_outcomes),
        TEST(test_find),
        TEST(test_facts),
        TEST(test_domains),
        TEST(test_histograms),
        TEST(test_growth),
        TEST(test_growth_shrinks_history),
        TEST(test_restart),
        TEST(test_replaced_by_rubbish),
        TEST(test_second_writer),
        TEST(test_file),
        TEST(test_no_room),
        TEST(test_no_system_call),
        TEST(test_growth_without_room),
        TEST(test_directories),
        TEST(test_denied),
        TEST(test_default_path),
        TEST(test_names),
        TEST(test_open_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
