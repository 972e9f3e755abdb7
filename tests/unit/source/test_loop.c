/* SPDX-License-Identifier: MIT */
/* The paced loop, with made-up time: what comes out of the region is what goes into it, when it is due. */
#include "source/loop.h"
#include "source/preview.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "region/writer.h"
#include "xenmon/region.h"

#define HZ UINT64_C(2793439000)
#define START_NS UINT64_C(5000000000)
#define REAL_NS UINT64_C(1700000000000000000)

static const char *captures; /* directory */

/* ---- Allocations are counted by the linker's --wrap. */

static size_t allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

/* ---- One replay into a region of its own. */

struct rig {
    char directory[64];
    char region[96];
    struct xm_source *source;
    struct xm_writer *writer;
    struct xm_loop *replay;
    uint64_t now_ns;
};

static void capture_path(char path[512], const char *name)
{
    snprintf(path, 512, "%s/xen417-%s.trace.zst", captures, name);
}

static void open_rig(struct rig *g, const char *input, struct xm_capacity capacity, struct xm_loop_config config)
{
    struct xm_error err;
    xm_error_clear(&err);
    *g = (struct rig){.now_ns = START_NS};
    strcpy(g->directory, "/tmp/xm-replay-XXXXXX");
    assert_non_null(mkdtemp(g->directory));
    snprintf(g->region, sizeof g->region, "%s/shm", g->directory);
    if (xm_source_open(input, &g->source, &err) != XM_OK)
        fail_msg("%s", err.text);
    struct xm_writer_config w = {.path = g->region, .settings = {.capacity = capacity}, .source_name = "test"};
    if (xm_writer_create(&w, &g->writer, &err) != XM_OK)
        fail_msg("%s", err.text);
    config.source = g->source;
    config.writer = g->writer;
    if (!config.hz) {
        config.hz = HZ;
        config.hz_from = "option";
    }
    if (xm_loop_create(&config, &g->replay, &err) != XM_OK)
        fail_msg("%s", err.text);
}

static void close_rig(struct rig *g)
{
    char lock[112];
    xm_loop_destroy(g->replay);
    xm_writer_close(g->writer, true);
    xm_source_close(g->source);
    snprintf(lock, sizeof lock, "%s.lock", g->region);
    unlink(lock);
    rmdir(g->directory);
}

/* One step; a wait is slept through in no time. */
static enum xm_status step(struct rig *g, int wait_ms, struct xm_error *err)
{
    uint64_t wake_ns;
    struct xm_moment now = {g->now_ns, REAL_NS + g->now_ns};
    enum xm_status status = xm_loop_step(g->replay, now, wait_ms, &wake_ns, err);
    if (status == XM_AGAIN && wake_ns) {
        assert_true(wake_ns > g->now_ns);
        g->now_ns = wake_ns;
    }
    return status;
}

static enum xm_status run_out(struct rig *g, struct xm_error *err)
{
    enum xm_status status;
    xm_error_clear(err);
    while ((status = step(g, 5000, err)) == XM_OK || status == XM_AGAIN)
        ;
    return status;
}

/* The newest sample of a series, with room for any. */
static void newest(const char *path, enum xm_series series, struct xm_sample *sample, struct xm_region_info *info)
{
    struct xm_region *region;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_region_open(path, &region, &err) != XM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(xm_region_info(region, info), XM_REGION_OK);
    assert_int_equal(xm_sample_init(sample, info->capacity), XM_OK);
    assert_int_equal(xm_region_sample(region, series, info->series[series].newest, sample), XM_REGION_OK);
    xm_region_close(region);
}

/* ---- The truth: the same bytes into a bake that has room for all and no region. */

struct truth {
    struct xm_bake *bake;
    struct xm_sample sample;
};

static enum xm_status keep_last(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct truth *t = user;
    xm_bake_sample(bake, now, true, &t->sample);
    return XM_OK;
}

static void find_truth(struct truth *t, const char *name)
{
    char path[512];
    struct xm_source *source;
    struct xm_error err;
    const void *bytes;
    size_t size, used;
    struct xm_bake_config config = {.hz = HZ, .interval_ns = UINT64_C(1) << 60, .due = keep_last, .user = t};
    xm_error_clear(&err);
    *t = (struct truth){0};
    t->bake = xm_bake_create(&config);
    assert_non_null(t->bake);
    assert_int_equal(xm_sample_init(&t->sample, (struct xm_capacity){32, 100, 8}), XM_OK);
    capture_path(path, name);
    if (xm_source_open(path, &source, &err) != XM_OK)
        fail_msg("%s", err.text);
    while (xm_source_next(source, -1, &bytes, &size, &err) == XM_OK)
        for (size_t at = 0; at < size; at += used)
            assert_int_equal(xm_bake_run(t->bake, (const char *)bytes + at, size - at, &used), XM_OK);
    assert_int_equal(xm_bake_finish(t->bake), XM_OK);
    xm_source_close(source);
    xm_account_total(&t->sample);
}

static void forget_truth(struct truth *t)
{
    xm_bake_destroy(t->bake);
    xm_sample_fini(&t->sample);
}

static const struct xm_vcpu_row *find_vcpu(const struct xm_sample *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++)
        if (s->vcpu[i].id == id)
            return &s->vcpu[i];
    fail_msg("no vCPU %#llx", (unsigned long long)id);
    return NULL;
}

/* Every counter of every row of the truth is in the region's newest sample; `late` is summed up first. */
static void compare(const struct truth *t, const char *region)
{
    struct xm_sample got;
    struct xm_region_info info;
    unsigned vcpus = 0;
    newest(region, XM_SERIES_FAST, &got, &info);
    xm_account_total(&got);
    assert_int_equal(got.host.window, t->sample.host.window);
    assert_int_equal(got.host.records, t->sample.host.records);
    assert_int_equal(got.host.lost_records, t->sample.host.lost_records);
    assert_int_equal(got.host.anomalies, t->sample.host.anomalies);
    for (uint32_t i = 0; i < t->sample.used.vcpus; i++) {
        const struct xm_vcpu_row *want = &t->sample.vcpu[i];
        if (!want->id)
            continue;
        vcpus++;
        const struct xm_vcpu_row *row = find_vcpu(&got, want->id);
        assert_int_equal(row->running, want->running);
        assert_int_equal(row->runnable, want->runnable);
        assert_int_equal(row->blocked, want->blocked);
        assert_int_equal(row->offline, want->offline);
        assert_int_equal(row->unknown, want->unknown);
        assert_int_equal(row->wait_wake, want->wait_wake);
        assert_int_equal(row->wait_preempt, want->wait_preempt);
        assert_int_equal(row->executions, want->executions);
        assert_int_equal(row->migrations, want->migrations);
        assert_int_equal(row->slice_sum, want->slice_sum);
    }
    assert_in_range(vcpus, 2, 100);
    xm_sample_fini(&got);
}

static void test_totals(void **state)
{
    static const char *const names[] = {"credit2-idle", "credit2-lifecycle", "credit-lost"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct rig g;
        struct truth t;
        struct xm_error err;
        char path[512];
        capture_path(path, names[i]);
        find_truth(&t, names[i]);
        open_rig(&g, path, (struct xm_capacity){0}, (struct xm_loop_config){.passes = 1});
        assert_int_equal(run_out(&g, &err), XM_END);
        assert_int_equal(g.now_ns, START_NS); /* never waited */
        compare(&t, g.region);
        close_rig(&g);
        forget_truth(&t);
    }
}

/* From one row of each kind: the region grows, and nothing is lost on the way. */
static void test_growth(void **state)
{
    struct rig g;
    struct truth t;
    struct xm_error err;
    struct xm_sample sample;
    struct xm_region_info info;
    char path[512];
    capture_path(path, "credit2-lifecycle");
    find_truth(&t, "credit2-lifecycle");
    open_rig(&g, path, (struct xm_capacity){1, 1, 1}, (struct xm_loop_config){.passes = 1});
    assert_int_equal(run_out(&g, &err), XM_END);
    compare(&t, g.region);
    newest(g.region, XM_SERIES_SLOW, &sample, &info);
    assert_int_equal(sample.host.window, t.sample.host.window);
    assert_in_range(info.capacity.domains, 4, 16);
    assert_int_equal(sample.host.refused, 0);
    xm_sample_fini(&sample);
    close_rig(&g);
    forget_truth(&t);
}

/* The region's directory is gone when it has to grow: what fits goes on, the rest is counted. */
static void test_no_room_to_grow(void **state)
{
    struct rig g;
    struct xm_error err;
    char path[512], lock[112];
    capture_path(path, "credit2-lifecycle");
    open_rig(&g, path, (struct xm_capacity){1, 1, 1}, (struct xm_loop_config){.passes = 1});
    struct xm_region *region;
    assert_int_equal(xm_region_open(g.region, &region, NULL), XM_OK);
    snprintf(lock, sizeof lock, "%s.lock", g.region);
    assert_int_equal(unlink(g.region), 0);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(g.directory), 0);
    assert_int_equal(run_out(&g, &err), XM_END);
    struct xm_loop_status status = xm_loop_status(g.replay);
    assert_int_equal(status.cramped->status, XM_IO);
    assert_non_null(strstr(status.cramped->text, "No such file"));
    assert_in_range(status.wanted.domains, 4, 16);

    struct xm_region_info info;
    struct xm_sample sample;
    assert_int_equal(xm_region_info(region, &info), XM_REGION_OK);
    assert_int_equal(info.capacity.domains, 1);
    assert_int_equal(xm_sample_init(&sample, info.capacity), XM_OK);
    assert_int_equal(xm_region_sample(region, XM_SERIES_FAST, info.series[0].newest, &sample), XM_REGION_OK);
    assert_in_range(sample.host.refused, 5, 20);
    assert_int_equal(sample.used.domains, 1);
    assert_int_equal(sample.vcpu_domain[0], 0);
    xm_sample_fini(&sample);
    xm_region_close(region);
    close_rig(&g);
}

/* Samples come when their time has come, to the nanosecond of made-up time. */
static void test_pace(void **state)
{
    static const uint64_t speeds[] = {XM_SPEED_ONE, 4 * XM_SPEED_ONE, XM_SPEED_ONE / 2};
    char path[512];
    struct truth t;
    struct xm_scale scale;
    capture_path(path, "credit2-idle");
    find_truth(&t, "credit2-idle");
    assert_true(xm_scale_init(&scale, HZ));
    uint64_t duration = xm_scale_to_ns(&scale, xm_cycles_of(t.sample.host.window)).v;
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        struct rig g;
        struct xm_error err;
        open_rig(&g, path, (struct xm_capacity){0}, (struct xm_loop_config){.passes = 1, .speed = speeds[i]});
        xm_error_clear(&err);
        uint64_t samples = 0;
        enum xm_status status;
        do {
            status = step(&g, 0, &err);
            struct xm_loop_status s = xm_loop_status(g.replay);
            assert_true(s.samples - samples <= 1 || status == XM_END);
            samples = s.samples;
            /* never early: so much of the trace is over in this time */
            assert_true(s.trace_ns <= (g.now_ns - START_NS) * speeds[i] / XM_SPEED_ONE + 100000001);
        } while (status == XM_OK || status == XM_AGAIN);
        assert_int_equal(status, XM_END);
        assert_in_range((g.now_ns - START_NS) * speeds[i] / XM_SPEED_ONE, duration - 10, duration + 10);
        assert_in_range(samples, duration / 100000000, duration / 100000000 + 1);
        compare(&t, g.region);

        struct xm_sample sample;
        struct xm_region_info info;
        newest(g.region, XM_SERIES_FAST, &sample, &info);
        assert_in_range(sample.host.mono, duration, duration); /* the trace's time, whatever the speed */
        assert_in_range(sample.host.real, REAL_NS + START_NS + duration, REAL_NS + START_NS + duration);
        assert_int_equal(info.tsc_hz, HZ);
        assert_string_equal(info.tsc_hz_from, "option");
        assert_string_equal(info.states_from, "runstate");
        xm_sample_fini(&sample);
        close_rig(&g);
    }
    forget_truth(&t);
}

static void test_names(void **state)
{
    struct rig g;
    struct xm_error err;
    struct xm_region *region;
    struct xm_region_domain domain;
    char path[512];
    unsigned zero = 0, others = 0;
    capture_path(path, "credit2-idle");
    open_rig(&g, path, (struct xm_capacity){0}, (struct xm_loop_config){.passes = 1});
    assert_int_equal(run_out(&g, &err), XM_END);
    assert_int_equal(xm_region_open(g.region, &region, NULL), XM_OK);
    for (uint32_t slot = 0; slot < 32; slot++) {
        assert_int_equal(xm_region_domain(region, slot, &domain), XM_REGION_OK);
        if (!domain.id)
            continue;
        if (xm_row_domid(domain.id) == 0)
            zero++;
        else
            others++;
        assert_string_equal(domain.name, xm_row_domid(domain.id) == 0 ? "Domain-0" : "");
    }
    assert_int_equal(zero, 1);
    assert_in_range(others, 1, 3);
    xm_region_close(region);
    close_rig(&g);
}

/* Again and again: time goes on, the sums hold, and a seam is no contradiction. */
static void test_repeat(void **state)
{
    enum { PASSES = 4 };
    struct rig g;
    struct truth t;
    struct xm_error err;
    struct xm_sample sample;
    struct xm_region_info info;
    char path[512];
    capture_path(path, "credit2-lifecycle");
    find_truth(&t, "credit2-lifecycle");
    open_rig(&g, path, (struct xm_capacity){0},
             (struct xm_loop_config){.passes = PASSES, .keep_ns = 60 * XM_NS_PER_S});
    assert_int_equal(run_out(&g, &err), XM_END);
    assert_int_equal(xm_loop_status(g.replay).passes, PASSES);
    newest(g.region, XM_SERIES_FAST, &sample, &info);
    uint64_t span = t.sample.host.window;
    assert_int_equal(sample.host.records, PASSES * t.sample.host.records);
    assert_in_range(sample.host.window, PASSES * span, PASSES * span + (PASSES - 1) * HZ / 1000 + PASSES);
    assert_int_equal(sample.host.anomalies, PASSES * t.sample.host.anomalies);
    for (uint32_t i = 0; i < sample.used.vcpus; i++) {
        const struct xm_vcpu_row *v = &sample.vcpu[i];
        if (v->id)
            assert_int_equal(v->running + v->runnable + v->blocked + v->offline + v->unknown, sample.host.window);
    }
    xm_sample_fini(&sample);
    close_rig(&g);
    forget_truth(&t);
}

/* Once the queues have their size: none.  The packed source is left out, its library allocates for itself. */
static void test_no_allocation(void **state)
{
    struct rig g;
    struct xm_error err;
    char path[512], plain[128];
    struct xm_source *source;
    const void *bytes;
    size_t size;
    capture_path(path, "credit2-lifecycle");
    snprintf(plain, sizeof plain, "/tmp/xm-replay-%d.trace", (int)getpid());
    FILE *out = fopen(plain, "wb");
    assert_non_null(out);
    assert_int_equal(xm_source_open(path, &source, NULL), XM_OK);
    while (xm_source_next(source, -1, &bytes, &size, NULL) == XM_OK)
        assert_int_equal(fwrite(bytes, 1, size, out), size);
    xm_source_close(source);
    assert_int_equal(fclose(out), 0);

    open_rig(&g, plain, (struct xm_capacity){0}, (struct xm_loop_config){.passes = 1});
    xm_error_clear(&err);
    enum xm_status status = XM_OK;
    while (xm_loop_status(g.replay).trace_ns < 20 * XM_NS_PER_S && status == XM_OK)
        status = step(&g, 0, &err);
    assert_int_equal(status, XM_OK);
    assert_in_range(allocations, 10, 10000); /* the counter works */
    uint64_t samples = xm_loop_status(g.replay).samples;
    allocations = 0;
    while (xm_loop_status(g.replay).trace_ns < 39 * XM_NS_PER_S && status == XM_OK)
        status = step(&g, 0, &err);
    assert_int_equal(status, XM_OK);
    assert_int_equal(allocations, 0);
    assert_in_range(xm_loop_status(g.replay).samples - samples, 150, 250);
    close_rig(&g);
    unlink(plain);
}

/* As much of the trace as ends with a whole window; returns its length. */
static size_t whole_windows(const unsigned char *bytes, size_t size)
{
    size_t at = 0;
    for (;;) {
        uint32_t header[3];
        if (size - at < sizeof header)
            return at;
        memcpy(header, bytes + at, sizeof header);
        assert_int_equal(header[0], 0x2001f003);
        if (header[2] > size - at - sizeof header)
            return at;
        at += sizeof header + header[2];
    }
}

/* A pipe falls silent: after a quarter of a second what is in hand is all there is, and a sample tells so. */
static void test_pipe_falls_silent(void **state)
{
    static unsigned char trace[1 << 20];
    struct rig g;
    struct xm_error err;
    char path[512], fifo[128];
    struct xm_source *source;
    const void *bytes;
    size_t size, total = 0;
    capture_path(path, "credit2-idle");
    assert_int_equal(xm_source_open(path, &source, NULL), XM_OK);
    for (; xm_source_next(source, -1, &bytes, &size, NULL) == XM_OK; total += size)
        memcpy(trace + total, bytes, size);
    xm_source_close(source);
    snprintf(fifo, sizeof fifo, "/tmp/xm-replay-%d.fifo", (int)getpid());
    assert_int_equal(mkfifo(fifo, 0600), 0);
    open_rig(&g, fifo, (struct xm_capacity){0},
             (struct xm_loop_config){.passes = 1, .stream = {.order = XM_ORDER_PROMPT}});
    xm_error_clear(&err);
    assert_int_equal(step(&g, 0, &err), XM_AGAIN); /* nobody writes yet */
    int fd = open(fifo, O_WRONLY | O_NONBLOCK);
    assert_true(fd >= 0);

    size = whole_windows(trace, 60000);
    assert_int_equal(write(fd, trace, size), (ssize_t)size);
    while (step(&g, 0, &err) == XM_OK)
        ;
    uint64_t before = xm_loop_status(g.replay).samples;
    uint64_t before_ns = xm_loop_status(g.replay).trace_ns;
    g.now_ns += 200000000; /* too soon */
    assert_int_equal(step(&g, 0, &err), XM_AGAIN);
    assert_int_equal(xm_loop_status(g.replay).samples, before);
    g.now_ns += 60000000;
    for (int i = 0; i < 5; i++, g.now_ns += 50000000)
        assert_int_equal(step(&g, 0, &err), XM_AGAIN);
    struct xm_sample sample;
    struct xm_region_info info;
    newest(g.region, XM_SERIES_FAST, &sample, &info);
    assert_true(xm_loop_status(g.replay).trace_ns > before_ns);
    assert_in_range(sample.host.mono, xm_loop_status(g.replay).trace_ns, xm_loop_status(g.replay).trace_ns);
    assert_in_range(xm_loop_status(g.replay).trace_ns % 100000000, 1000, 99999000); /* off the beat */
    xm_sample_fini(&sample);
    before = xm_loop_status(g.replay).samples;
    for (int i = 0; i < 10; i++) { /* nothing new: no sample, the heartbeat is enough */
        g.now_ns += 100000000;
        assert_int_equal(step(&g, 0, &err), XM_AGAIN);
    }
    assert_int_equal(xm_loop_status(g.replay).samples, before);

    while (size < total) {
        ssize_t n = write(fd, trace + size, total - size);
        if (n > 0)
            size += (size_t)n;
        assert_true(step(&g, 0, &err) >= 0);
    }
    close(fd);
    assert_int_equal(run_out(&g, &err), XM_END);
    struct truth t;
    find_truth(&t, "credit2-idle");
    compare(&t, g.region);
    forget_truth(&t);
    close_rig(&g);
    unlink(fifo);
}

/* A trace that breaks off: what came before is in the region, the damage has its place. */
static void test_damage(void **state)
{
    struct rig g;
    struct xm_error err;
    struct xm_sample sample;
    struct xm_region_info info;
    char path[512], torn[128];
    capture_path(path, "credit2-idle");
    snprintf(torn, sizeof torn, "/tmp/xm-replay-%d.trace", (int)getpid());
    struct xm_source *source;
    const void *bytes;
    size_t size;
    FILE *out = fopen(torn, "wb");
    assert_non_null(out);
    assert_int_equal(xm_source_open(path, &source, NULL), XM_OK);
    assert_int_equal(xm_source_next(source, -1, &bytes, &size, NULL), XM_OK);
    assert_int_equal(fwrite(bytes, 1, size - 2, out), size - 2);
    xm_source_close(source);
    assert_int_equal(fclose(out), 0);
    open_rig(&g, torn, (struct xm_capacity){0}, (struct xm_loop_config){.passes = 1});
    assert_int_equal(run_out(&g, &err), XM_DAMAGED);
    assert_int_equal(err.status, XM_DAMAGED);
    assert_in_range(err.offset, size - 42, size - 2);
    newest(g.region, XM_SERIES_FAST, &sample, &info);
    assert_in_range(sample.host.records, 100, 10000);
    xm_sample_fini(&sample);
    close_rig(&g);
    unlink(torn);
}

static bool stop_at_once(void *user)
{
    ++*(int *)user;
    return true;
}

static void test_preview(void **state)
{
    char path[512];
    struct xm_source *source;
    struct xm_stream_config stream = {0};
    struct xm_preview preview;
    struct xm_error err;
    int asked = 0;
    xm_error_clear(&err);
    capture_path(path, "credit2-web-rate");
    assert_int_equal(xm_source_open(path, &source, &err), XM_OK);
    assert_int_equal(xm_preview(source, &stream, NULL, NULL, &preview, &err), XM_OK);
    assert_in_range(preview.hz, HZ - HZ / 500, HZ + HZ / 500);
    assert_int_equal(preview.records, 73860);
    assert_int_equal(xm_preview(source, &stream, stop_at_once, &asked, &preview, &err), XM_AGAIN);
    assert_int_equal(asked, 1);
    xm_source_close(source);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_totals),        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_no_room_to_grow), cmocka_unit_test(test_pace),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_pipe_falls_silent),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_preview),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_replay DIRECTORY-OF-CAPTURES\n");
        return 2;
    }
    captures = argv[1];
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
