/* SPDX-License-Identifier: MIT */
/* A feed against a region that is written, ended, grown, exchanged and broken under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/feed.h"
#include "front/screen.h"
#include "region/writer.h"

#define MS UINT64_C(1000000)
#define STEP (100 * MS)

struct scene {
    char directory[64], path[96];
    struct xm_writer *writer;
    struct xm_feed *feed;
    struct xm_sample sample;
    uint64_t published; /* samples */
    uint64_t start_ns;  /* the feed's clock */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void remove_files(const struct scene *s)
{
    static const char *const suffixes[] = {"", ".lock", ".new"};
    char name[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", s->path, suffixes[i]);
        unlink(name);
    }
}

static int make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    snprintf(s->directory, sizeof s->directory, "/dev/shm/xm-feed-XXXXXX");
    if (!mkdtemp(s->directory)) {
        snprintf(s->directory, sizeof s->directory, "/tmp/xm-feed-XXXXXX");
        if (!mkdtemp(s->directory))
            return -1;
    }
    snprintf(s->path, sizeof s->path, "%s/shm", s->directory);
    s->feed = xm_feed_create(s->path);
    s->start_ns = now_ns();
    *state = s;
    return s->feed && xm_sample_init(&s->sample, (struct xm_capacity){8, 16, 4}) == XM_OK ? 0 : -1;
}

static int drop(void **state)
{
    struct scene *s = *state;
    xm_feed_destroy(s->feed);
    xm_writer_close(s->writer, true);
    xm_sample_fini(&s->sample);
    remove_files(s);
    rmdir(s->directory);
    free(s);
    return 0;
}

static void open_writer(struct scene *s, uint32_t domains)
{
    struct xm_writer_config config = {
        .path = s->path,
        .settings = {.capacity = {domains, 8, 2}, .interval_ns = STEP, .fast_s = 12, .slow_s = 60},
        .source = XM_SOURCE_REPLAY,
        .source_name = "some.trace",
    };
    struct xm_error err = {0};
    struct xm_writer_facts facts = {.tsc_hz = XM_NS_PER_S, .tsc_hz_from = "trace", .io_seen = XM_IO_SEEN_GRANTS};
    if (xm_writer_create(&config, &s->writer, &err) != XM_OK)
        fail_msg("%s", err.text);
    xm_writer_facts(s->writer, &facts);
    xm_writer_heartbeat(s->writer, now_ns());
    s->published = 0;
}

/* One domain with one vCPU, of each 100 ms 30 running; the longest wait of sample n is n, its slice 5 ms + n. */
static void publish(struct scene *s, unsigned count)
{
    while (count--) {
        uint64_t n = s->published++;
        struct xm_sample *x = &s->sample;
        xm_sample_clear(x);
        x->used = (struct xm_capacity){1, 1, 1};
        x->host.window = n * STEP;
        x->host.tsc = 1000 + n * STEP;
        x->host.records = n * 10;
        x->domain[0] = (struct xm_domain_row){.id = XM_ROW_USED | 5, .vcpus = 1, .running = n * 30 * MS,
            .blocked = n * 70 * MS, .wait_max = n, .slices = n, .slice_min = 5 * MS - n, .slice_max = 5 * MS + n};
        x->vcpu[0] = (struct xm_vcpu_row){.id = XM_ROW_USED | 5, .running = n * 30 * MS, .blocked = n * 70 * MS,
            .wait_max = n, .slices = n, .slice_min = 5 * MS - n, .slice_max = 5 * MS + n};
        x->pcpu[0].id = XM_ROW_USED;
        x->pcpu[0].idle = n * STEP;
        assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, x), XM_OK);
    }
}

static const struct xm_model *update(struct scene *s)
{
    xm_writer_heartbeat(s->writer, now_ns());
    xm_feed_update(s->feed, now_ns());
    return xm_feed_model(s->feed);
}

static const struct xm_model *look(struct scene *s)
{
    xm_feed_update(s->feed, now_ns());
    return xm_feed_model(s->feed);
}

/* The window ends with sample `last`, whose wait is the longest and whose slices are the extremes. */
static void check_window(const struct xm_model *m, enum xm_span span, uint64_t window_ns, uint64_t last)
{
    struct xm_usage u;
    assert_true(m->data);
    assert_true(xm_usage_domain(&m->window[span], 0, &u));
    assert_int_equal(u.window_ns, window_ns);
    assert_int_equal(u.running_ns, window_ns / 100 * 30);
    assert_int_equal(u.blocked_ns, window_ns / 100 * 70);
    assert_int_equal(u.wait_max_ns, last);
    assert_int_equal(u.slice_max_ns, 5 * MS + last);
    assert_int_equal(u.slice_min_ns, 5 * MS - last);
    assert_true(xm_usage_vcpu(&m->window[span], 0, &u));
    assert_int_equal(u.wait_max_ns, last);
}

static void test_appears(void **state)
{
    struct scene *s = *state;
    const struct xm_model *m = look(s);
    assert_int_equal(m->link, XM_LINK_ABSENT);
    assert_non_null(strstr(m->reason, "No such file"));
    open_writer(s, 4);
    m = update(s);
    assert_int_equal(m->link, XM_LINK_EMPTY);
    assert_false(m->data);
    assert_int_equal(m->info.writer_pid, getpid());
    publish(s, 1);
    m = update(s);
    assert_int_equal(m->link, XM_LINK_LIVE);
    assert_int_equal(m->beat, 1);
    m = update(s);
    assert_int_equal(m->beat, 1);
    publish(s, 3);
    m = update(s);
    assert_int_equal(m->beat, 2);
    assert_null(m->window[XM_SPAN_1S].from);
    check_window(m, XM_SPAN_1S, 3 * STEP, 3);
    assert_int_equal(m->window[XM_SPAN_1S].io_seen, XM_IO_SEEN_GRANTS);
}

static void test_windows(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish(s, 51);
    const struct xm_model *m = update(s);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 50);
    check_window(m, XM_SPAN_10S, 5 * XM_NS_PER_S, 50);
    for (unsigned i = 0; i < 200; i++) {
        publish(s, 1 + i % 7);
        m = update(s);
        uint64_t last = s->published - 1;
        check_window(m, XM_SPAN_1S, XM_NS_PER_S, last);
        if (last >= 100)
            check_window(m, XM_SPAN_10S, 10 * XM_NS_PER_S, last);
    }
}

/* A peak is in the window for as long as the sample that brought it, and no longer. */
static void test_peaks(void **state)
{
    struct scene *s = *state;
    struct xm_usage u;
    open_writer(s, 4);
    publish(s, 20);
    /* Sample 20 is what publish() makes, with one wait longer than all others. */
    publish(s, 1);
    s->sample.host.window = s->published++ * STEP;
    s->sample.vcpu[0].wait_max = 12345;
    s->sample.domain[0].wait_max = 12345;
    s->sample.domain[0].slice_min = 77;
    assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, &s->sample), XM_OK);
    uint64_t spike = s->published - 1;
    for (unsigned i = 0; i < 120; i++) {
        publish(s, 1);
        const struct xm_model *m = update(s);
        uint64_t age = s->published - 1 - spike;
        assert_true(xm_usage_domain(&m->window[XM_SPAN_1S], 0, &u));
        assert_int_equal(u.wait_max_ns == 12345, age < 10);
        assert_int_equal(u.slice_min_ns == 77, age < 10);
        assert_true(xm_usage_vcpu(&m->window[XM_SPAN_10S], 0, &u));
        assert_int_equal(u.wait_max_ns == 12345, age < 100);
    }
}

/* A reader that comes late, or sleeps until the ring has gone round, has what the ring has. */
static void test_late(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish(s, 1000);
    const struct xm_model *m = update(s);
    check_window(m, XM_SPAN_10S, 10 * XM_NS_PER_S, 999);
    publish(s, 1000);
    m = update(s);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 1999);
    check_window(m, XM_SPAN_10S, 10 * XM_NS_PER_S, 1999);
    assert_int_equal(m->beat, 2);
}

static void test_facts(void **state)
{
    struct scene *s = *state;
    struct xm_region_domain fact = {.id = XM_ROW_USED | 5, .name = "web"};
    open_writer(s, 4);
    assert_int_equal(xm_writer_domain(s->writer, 0, &fact), XM_OK);
    publish(s, 2);
    const struct xm_model *m = update(s);
    assert_string_equal(m->fact[0].name, "web");
    assert_int_equal(m->fact[0].id, fact.id);
}

static void test_ended_and_gone(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish(s, 30);
    update(s);
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    const struct xm_model *m = update(s);
    assert_int_equal(m->link, XM_LINK_ENDED);
    assert_true(m->data);
    xm_writer_close(s->writer, true);
    s->writer = NULL;
    m = look(s);
    assert_int_equal(m->link, XM_LINK_GONE);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 29);
}

static void test_restart(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish(s, 200);
    update(s);
    xm_writer_close(s->writer, true);
    s->writer = NULL;
    look(s);
    open_writer(s, 5);
    const struct xm_model *m = update(s);
    assert_int_equal(m->link, XM_LINK_EMPTY);
    assert_false(m->data);
    assert_non_null(strstr(m->notice, "restarted"));
    publish(s, 12);
    m = update(s);
    assert_int_equal(m->link, XM_LINK_LIVE);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 11);
    check_window(m, XM_SPAN_10S, 11 * STEP, 11);
    /* The notice does not stay. */
    xm_feed_update(s->feed, now_ns() + 60 * XM_NS_PER_S);
    assert_string_equal(xm_feed_model(s->feed)->notice, "");
}

/* Growth is no restart: the windows go on across it. */
static void test_growth(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    open_writer(s, 2);
    publish(s, 150);
    update(s);
    assert_int_equal(xm_writer_grow(s->writer, (struct xm_capacity){6, 12, 3}, &err), XM_OK);
    const struct xm_model *m = update(s);
    assert_non_null(strstr(m->notice, "grown"));
    publish(s, 3);
    m = update(s);
    assert_int_equal(m->link, XM_LINK_LIVE);
    assert_int_equal(m->info.capacity.domains, 6);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 152);
    check_window(m, XM_SPAN_10S, 10 * XM_NS_PER_S, 152);
}

/* The writer dies without a word; another one comes. */
static void test_killed(void **state)
{
    struct scene *s = *state;
    pid_t child = fork();
    if (child == 0) {
        open_writer(s, 4);
        publish(s, 40);
        xm_writer_heartbeat(s->writer, now_ns() - 20 * XM_NS_PER_S);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    const struct xm_model *m = look(s);
    assert_int_equal(m->link, XM_LINK_GONE);
    assert_int_equal(m->info.writer_pid, child);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 39);
    open_writer(s, 4);
    publish(s, 5);
    m = update(s);
    assert_int_equal(m->link, XM_LINK_LIVE);
    assert_non_null(strstr(m->notice, "restarted"));
    check_window(m, XM_SPAN_10S, 4 * STEP, 4);
}

static void test_stale(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish(s, 5);
    update(s);
    xm_feed_update(s->feed, now_ns() + 8 * XM_NS_PER_S);
    const struct xm_model *m = xm_feed_model(s->feed);
    assert_int_equal(m->link, XM_LINK_STALE);
    assert_in_range(m->silent_ns, 7 * XM_NS_PER_S, 9 * XM_NS_PER_S);
    assert_in_range(m->quiet_ns, 7 * XM_NS_PER_S, 9 * XM_NS_PER_S);
}

static void write_file(const struct scene *s, const char *text)
{
    FILE *f = fopen(s->path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_broken(void **state)
{
    struct scene *s = *state;
    write_file(s, "this is no region");
    const struct xm_model *m = look(s);
    assert_int_equal(m->link, XM_LINK_BROKEN);
    assert_true(m->reason[0] != '\0');
    assert_false(m->data);
    /* A writer replaces nothing but a region: somebody has to take the file away. */
    assert_int_equal(unlink(s->path), 0);
    open_writer(s, 4);
    publish(s, 5);
    m = update(s);
    assert_int_equal(m->link, XM_LINK_LIVE);
    /* And the other way round: what was good is exchanged for what is not. */
    xm_writer_close(s->writer, true);
    s->writer = NULL;
    write_file(s, "this is no region either");
    m = look(s);
    assert_int_equal(m->link, XM_LINK_BROKEN);
    assert_false(m->data);
}

static void test_no_rate(void **state)
{
    struct scene *s = *state;
    struct xm_writer_facts facts = {.tsc_hz = 0};
    open_writer(s, 4);
    xm_writer_facts(s->writer, &facts);
    publish(s, 5);
    const struct xm_model *m = update(s);
    assert_true(m->data);
    assert_int_equal(m->info.tsc_hz, 0);
    struct xm_usage u;
    assert_true(xm_usage_domain(&m->window[XM_SPAN_1S], 0, &u));
    assert_int_equal(100 * u.running_ns / u.window_ns, 30);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Nothing in a region is trusted: whatever is written over it, there is a screen, and what is left is found again. */
static void test_hostile(void **state)
{
    struct scene *s = *state;
    struct xm_grid grid = {.utf8 = true};
    const char *given = getenv("XM_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    uint64_t bytes;
    unsigned shown = 0;
    print_message("# XM_SEED=%llu\n", (unsigned long long)seed);
    uint64_t random = seed ? seed : 1;
    open_writer(s, 4);
    publish(s, 120);
    update(s);
    xm_writer_memory(s->writer, &bytes);
    FILE *f = fopen(s->path, "r+");
    assert_non_null(f);
    assert_int_equal(xm_grid_resize(&grid, 80, 24), XM_OK);
    for (unsigned i = 0; i < 3000; i++) {
        const struct xm_plan_ring *ring = &xm_writer_plan(s->writer)->ring[XM_SERIES_FAST];
        uint64_t in_ring = ring->offset + next_random(&random) % ring->slots * ring->stride;
        const uint64_t places[] = {next_random(&random) % 512, next_random(&random) % (bytes / 8),
                                   in_ring / 8 + next_random(&random) % (ring->stride / 8)};
        uint64_t at = places[i % 3] * 8;
        uint64_t word = next_random(&random) >> next_random(&random) % 64;
        assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
        assert_int_equal(fwrite(&word, sizeof word, 1, f), 1);
        fflush(f);
        publish(s, 1);
        xm_feed_update(s->feed, now_ns());
        for (unsigned view = 0; view < 2; view++) {
            struct xm_choice choice;
            xm_choice_init(&choice);
            choice.view = (enum xm_screen_view)view;
            choice.one_cpu = i & 1;
            xm_screen_build(xm_feed_model(s->feed), &choice, true, &grid);
            assert_memory_equal(grid.cells[0].text, "x", 2);
        }
        shown += xm_feed_model(s->feed)->data;
        if (i % 4 != 3) /* some damage stays for a while, so that it adds up */
            continue;
        xm_writer_close(s->writer, true);
        fclose(f);
        open_writer(s, 4);
        publish(s, 12);
        check_window(update(s), XM_SPAN_1S, XM_NS_PER_S, 11);
        xm_writer_memory(s->writer, &bytes);
        f = fopen(s->path, "r+");
        assert_non_null(f);
    }
    fclose(f);
    xm_grid_fini(&grid);
    assert_true(shown > 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_appears), TEST(test_windows), TEST(test_peaks),  TEST(test_late),
        TEST(test_facts),   TEST(test_ended_and_gone), TEST(test_restart), TEST(test_growth),
        TEST(test_killed),  TEST(test_stale),   TEST(test_broken), TEST(test_no_rate),
        TEST(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
