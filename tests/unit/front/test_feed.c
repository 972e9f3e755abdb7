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

#include "front/feed/feed.h"
#include "front/screen/screen.h"
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
        .source = XM_SOURCE_PIPE,
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

/* ---- The past. */

/* As publish(), a sample a second into the slow series too, as xenbaked does. */
static void publish_both(struct scene *s, unsigned count)
{
    while (count--) {
        bool slow = s->published % 10 == 0;
        publish(s, 1);
        if (slow)
            assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_SLOW, &s->sample), XM_OK);
    }
}

static const struct xm_model *seek(struct scene *s, uint64_t cycles)
{
    xm_feed_seek(s->feed, cycles);
    return update(s);
}

static uint64_t shown(const struct xm_model *m)
{
    assert_true(m->data);
    assert_int_equal(m->window[XM_SPAN_10S].to->host.window, m->window[XM_SPAN_1S].to->host.window);
    assert_int_equal(m->chosen.to->host.window, m->window[XM_SPAN_1S].to->host.window);
    return m->window[XM_SPAN_1S].to->host.window;
}

/* A window of any length: of fast samples as far as they reach, then of slow ones. */
static void test_chosen(void **state)
{
    struct scene *s = *state;
    struct xm_usage u;
    open_writer(s, 4);
    publish_both(s, 401);
    const uint64_t lengths_ms[] = {100, 300, 1000, 2500, 10000, 11000};
    for (size_t i = 0; i < sizeof lengths_ms / sizeof lengths_ms[0]; i++) {
        xm_feed_set_window(s->feed, lengths_ms[i] * MS);
        const struct xm_model *m = update(s);
        assert_int_equal(m->chosen_ns, lengths_ms[i] * MS);
        assert_false(m->chosen_coarse);
        assert_true(xm_usage_domain(&m->chosen, 0, &u));
        assert_int_equal(u.window_ns, lengths_ms[i] * MS);
        assert_int_equal(u.running_ns, lengths_ms[i] * MS / 100 * 30);
        assert_int_equal(u.slices, lengths_ms[i] / 100);
        assert_int_equal(u.wait_max_ns, 400);
        assert_int_equal(u.slice_min_ns, 5 * MS - 400);
        check_window(m, XM_SPAN_1S, XM_NS_PER_S, 400);
    }
    /* Past the fast history: what only the fast series carries is not known, and no false number. */
    xm_feed_set_window(s->feed, 30 * XM_NS_PER_S);
    const struct xm_model *m = update(s);
    assert_true(m->chosen_coarse);
    assert_false(m->coarse);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 30 * XM_NS_PER_S);
    assert_int_equal(u.running_ns, 9 * XM_NS_PER_S);
    assert_int_equal(u.slices, 0);
    assert_true(u.no_peaks);
    assert_int_equal(u.wait_max_ns, 0);
    assert_true(xm_usage_vcpu(&m->chosen, 0, &u));
    assert_int_equal(u.executions, 0);
    check_window(m, XM_SPAN_10S, 10 * XM_NS_PER_S, 400);
    /* Since the trace began, where the window is longer than that. */
    xm_feed_set_window(s->feed, 3600 * XM_NS_PER_S);
    m = update(s);
    assert_null(m->chosen.from);
    assert_false(m->chosen_coarse);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 40 * XM_NS_PER_S);
    assert_int_equal(u.slices, 400);
    /* The fast history is shorter than that: the longest wait of its 12 s is not that of 40. */
    assert_true(u.no_peaks);
    assert_int_equal(u.wait_max_ns, 0);
    assert_int_equal(u.slice_max_ns, 0);
    struct xm_cell cell = {.known = true};
    xm_column_find("wait_max_ns")->get(&u, &cell);
    assert_false(cell.known);
    cell.known = true;
    xm_column_find("allocated_max_ns")->get(&u, &cell);
    assert_false(cell.known);
    /* More than the slow history holds: as long as it is. */
    publish_both(s, 1000);
    xm_feed_set_window(s->feed, 100 * XM_NS_PER_S);
    m = update(s);
    assert_true(m->chosen_coarse);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_in_range(u.window_ns, 55 * XM_NS_PER_S, 62 * XM_NS_PER_S);
    assert_int_equal(u.running_ns, u.window_ns / 100 * 30);
}

/* Peaks of a long window, folded in blocks, against what they are by definition: any length, any instant. */
static void test_peaks_long(void **state)
{
    struct scene *s = *state;
    struct xm_usage u;
    static uint64_t wait[4000];
    const char *given = getenv("XM_SEED");
    uint64_t random = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    struct xm_writer_config config = {
        .path = s->path,
        .settings = {.capacity = {4, 8, 2}, .interval_ns = STEP, .fast_s = 300, .slow_s = 60},
        .source = XM_SOURCE_REPLAY,
    };
    struct xm_writer_facts facts = {.tsc_hz = XM_NS_PER_S, .tsc_hz_from = "trace"};
    struct xm_error err = {0};
    print_message("# XM_SEED=%llu\n", (unsigned long long)random);
    assert_int_equal(xm_writer_create(&config, &s->writer, &err), XM_OK);
    xm_writer_facts(s->writer, &facts);
    s->published = 0;
    for (unsigned round = 0; round < 400; round++) {
        unsigned more = round ? (unsigned)(next_random(&random) % 12) : 2500;
        for (unsigned i = 0; i < more; i++) {
            uint64_t n = s->published++;
            xm_sample_clear(&s->sample);
            s->sample.used = (struct xm_capacity){1, 1, 1};
            s->sample.host.window = n * STEP;
            wait[n % 4000] = next_random(&random) % 1000000;
            s->sample.domain[0] = (struct xm_domain_row){.id = XM_ROW_USED | 5, .vcpus = 1, .running = n * STEP,
                .wait_max = wait[n % 4000], .slice_min = ~UINT64_C(0)};
            assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, &s->sample), XM_OK);
        }
        uint64_t samples = 1 + next_random(&random) % 2400;
        uint64_t end = s->published - 1 - (round % 3 ? 0 : next_random(&random) % 100);
        xm_feed_set_window(s->feed, samples * STEP);
        if (round % 3)
            xm_feed_follow(s->feed);
        else
            xm_feed_seek(s->feed, end * STEP);
        const struct xm_model *m = update(s);
        assert_true(m->data);
        assert_true(xm_usage_domain(&m->chosen, 0, &u));
        assert_int_equal(u.window_ns, samples * STEP);
        uint64_t longest = 0;
        for (uint64_t n = end - samples + 1; n <= end; n++)
            longest = wait[n % 4000] > longest ? wait[n % 4000] : longest;
        assert_int_equal(u.wait_max_ns, longest);
    }
}

static void test_seek(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish_both(s, 501);
    const struct xm_model *m = update(s);
    assert_false(m->past);
    assert_int_equal(m->newest, 500 * STEP);
    assert_int_equal(m->oldest, 0);
    /* Every fast sample that is there with ten seconds before it. */
    for (uint64_t n = 495; n > 485; n--) {
        m = seek(s, n * STEP + STEP / 3);
        assert_true(m->past);
        assert_false(m->coarse);
        assert_int_equal(shown(m), n * STEP);
        check_window(m, XM_SPAN_1S, XM_NS_PER_S, n);
    }
    check_window(seek(s, 499 * STEP), XM_SPAN_10S, 10 * XM_NS_PER_S, 499);
    /* Beyond, the slow ones: their windows are made of slow samples. */
    struct xm_usage u;
    m = seek(s, 205 * STEP);
    assert_true(m->past);
    assert_true(m->coarse);
    assert_true(m->chosen_coarse);
    assert_int_equal(shown(m), 200 * STEP);
    assert_true(xm_usage_vcpu(&m->window[XM_SPAN_1S], 0, &u));
    assert_int_equal(u.window_ns, XM_NS_PER_S);
    assert_int_equal(u.running_ns, 300 * MS);
    assert_int_equal(u.state & 15, 4);
    assert_int_equal(u.wait_max_ns, 0);
    assert_true(xm_usage_domain(&m->window[XM_SPAN_10S], 0, &u));
    assert_int_equal(u.window_ns, 10 * XM_NS_PER_S);
    assert_int_equal(u.running_ns, 3 * XM_NS_PER_S);
    /* What was asked for is held, however much comes. */
    unsigned beat = m->beat;
    publish_both(s, 7);
    m = update(s);
    assert_int_equal(shown(m), 200 * STEP);
    assert_int_equal(m->newest, 507 * STEP);
    assert_int_equal(m->beat, beat + 1);
    /* Another window at the same place. */
    xm_feed_set_window(s->feed, 5 * XM_NS_PER_S);
    m = update(s);
    assert_int_equal(shown(m), 200 * STEP);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 5 * XM_NS_PER_S);
    /* The newest, and whatever is newer. */
    m = seek(s, UINT64_MAX);
    assert_false(m->past);
    assert_int_equal(shown(m), 507 * STEP);
    publish_both(s, 3);
    assert_int_equal(shown(update(s)), 510 * STEP);
    m = seek(s, 510 * STEP);
    publish_both(s, 3);
    m = update(s);
    assert_true(m->past);
    assert_int_equal(shown(m), 510 * STEP);
    xm_feed_follow(s->feed);
    m = update(s);
    assert_false(m->past);
    assert_int_equal(shown(m), 513 * STEP);
}

/* What is held stays when the history goes on without it; what is asked for and gone is the oldest there is. */
static void test_held_long(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish_both(s, 301);
    check_window(seek(s, 290 * STEP), XM_SPAN_1S, XM_NS_PER_S, 290);
    for (unsigned i = 0; i < 100; i++) {
        publish_both(s, 20);
        const struct xm_model *m = update(s);
        assert_int_equal(shown(m), 290 * STEP);
        check_window(m, XM_SPAN_1S, XM_NS_PER_S, 290);
    }
    const struct xm_model *m = seek(s, 250 * STEP);
    assert_true(m->past);
    assert_true(m->coarse);
    assert_int_equal(shown(m), m->oldest);
    assert_in_range(m->oldest, 1690 * STEP, 1740 * STEP);
    for (unsigned i = 0; i < 100; i++) {
        publish_both(s, 10);
        m = update(s);
        assert_true(m->data);
        assert_in_range(shown(m), m->oldest, m->oldest + 20 * STEP);
    }
}

/* Another window, when the fast series no longer has what is held: the sample stays, and so does what it shows. */
static void test_held_window(void **state)
{
    struct scene *s = *state;
    struct xm_usage u;
    open_writer(s, 4);
    publish_both(s, 301);
    xm_feed_set_window(s->feed, 3 * XM_NS_PER_S);
    seek(s, 290 * STEP);
    publish_both(s, 200);
    update(s);
    /* From a sample of the slow series: no peaks. */
    xm_feed_set_window(s->feed, 5 * XM_NS_PER_S);
    const struct xm_model *m = update(s);
    assert_int_equal(shown(m), 290 * STEP);
    assert_true(m->chosen_coarse);
    assert_false(m->coarse);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 5 * XM_NS_PER_S);
    assert_int_equal(u.running_ns, 1500 * MS);
    assert_true(u.no_peaks);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 290);
    check_window(m, XM_SPAN_10S, 10 * XM_NS_PER_S, 290);
    /* The windows that are kept can be chosen at any time. */
    xm_feed_set_window(s->feed, 10 * XM_NS_PER_S);
    m = update(s);
    assert_false(m->chosen_coarse);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.wait_max_ns, 290);
    xm_feed_set_window(s->feed, 5 * XM_NS_PER_S);
    update(s);
    assert_string_equal(m->notice, "");
    /* Nothing has it any more. */
    publish_both(s, 1000);
    xm_feed_set_window(s->feed, 7 * XM_NS_PER_S);
    m = update(s);
    assert_int_equal(shown(m), 290 * STEP);
    assert_non_null(strstr(m->notice, "no longer"));
    assert_int_equal(m->chosen_ns, 5 * XM_NS_PER_S);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 5 * XM_NS_PER_S);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 290);
    /* Elsewhere it is what was asked for. */
    m = seek(s, 1490 * STEP);
    assert_int_equal(m->chosen_ns, 7 * XM_NS_PER_S);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 7 * XM_NS_PER_S);
    assert_int_equal(u.wait_max_ns, 1490);
}

static void test_steps(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    assert_int_equal(xm_feed_step(s->feed, -1), 0);
    publish_both(s, 301);
    const struct xm_model *m = update(s);
    for (uint64_t n = 299; n > 270; n--) {
        m = seek(s, xm_feed_step(s->feed, -1));
        assert_int_equal(shown(m), n * STEP);
    }
    m = seek(s, xm_feed_step(s->feed, 5));
    assert_int_equal(shown(m), 276 * STEP);
    m = seek(s, xm_feed_step(s->feed, 1000));
    assert_int_equal(shown(m), 300 * STEP);
    /* Out of the fast history, a second at a time; to the beginning, and no further. */
    uint64_t before = 300 * STEP;
    unsigned steps = 0;
    for (; steps < 1000 && shown(m) > 0; steps++) {
        m = seek(s, xm_feed_step(s->feed, -1));
        uint64_t length = before - shown(m);
        assert_in_range(length, 1, 10 * STEP);
        assert_true(m->coarse || length == STEP);
        before = shown(m);
    }
    assert_in_range(steps, 110, 160);
    m = seek(s, xm_feed_step(s->feed, -3));
    assert_int_equal(shown(m), 0);
    /* And all the way back. */
    unsigned forth = 0;
    for (; forth < 1000 && shown(m) < 300 * STEP; forth++) {
        m = seek(s, xm_feed_step(s->feed, 1));
        assert_in_range(shown(m), before + 1, before + 10 * STEP);
        before = shown(m);
    }
    assert_int_equal(forth, steps);
    /* All at once is the same. */
    m = seek(s, xm_feed_step(s->feed, -(int)steps));
    assert_int_equal(shown(m), 0);
    m = seek(s, xm_feed_step(s->feed, (int)forth));
    assert_int_equal(shown(m), 300 * STEP);
}

static void test_position(void **state)
{
    struct scene *s = *state;
    uint64_t cycles = 1;
    const uint64_t epoch = UINT64_C(1700000000) * XM_NS_PER_S;
    open_writer(s, 4);
    assert_false(xm_feed_position(s->feed, epoch, &cycles));
    for (unsigned i = 0; i < 301; i++) {
        publish(s, 1);
        s->sample.host.window = (s->published - 1) * STEP;
    }
    xm_writer_close(s->writer, true);
    open_writer(s, 4);
    for (unsigned n = 0; n < 301; n++) {
        xm_sample_clear(&s->sample);
        s->sample.used = (struct xm_capacity){1, 1, 1};
        s->sample.domain[0].id = XM_ROW_USED | 5;
        s->sample.host.window = n * STEP;
        s->sample.host.real = epoch + n * STEP;
        assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, &s->sample), XM_OK);
        if (n % 10 == 0)
            assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_SLOW, &s->sample), XM_OK);
    }
    assert_int_equal(update(s)->real_ns, epoch + 300 * STEP);
    assert_true(xm_feed_position(s->feed, epoch + 250 * STEP, &cycles));
    assert_int_equal(cycles, 250 * STEP);
    assert_true(xm_feed_position(s->feed, epoch + 251 * STEP - 1, &cycles));
    assert_int_equal(cycles, 250 * STEP);
    assert_true(xm_feed_position(s->feed, epoch + 57 * STEP, &cycles));
    assert_int_equal(cycles, 50 * STEP);
    assert_false(xm_feed_position(s->feed, epoch - 1, &cycles));
    assert_int_equal(cycles, 0);
    assert_false(xm_feed_position(s->feed, epoch + 301 * STEP, &cycles));
    assert_int_equal(cycles, 300 * STEP);
    assert_int_equal(seek(s, 200 * STEP)->real_ns, epoch + 200 * STEP);
}

/* A restart has another time: nothing is held.  Growth has the same. */
static void test_seek_restart(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    open_writer(s, 2);
    publish_both(s, 150);
    check_window(seek(s, 120 * STEP), XM_SPAN_1S, XM_NS_PER_S, 120);
    assert_int_equal(xm_writer_grow(s->writer, (struct xm_capacity){6, 12, 3}, &err), XM_OK);
    publish_both(s, 3);
    const struct xm_model *m = update(s);
    assert_true(m->past);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 120);
    m = seek(s, 119 * STEP);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 119);
    assert_non_null(m->trail);
    xm_writer_close(s->writer, true);
    s->writer = NULL;
    m = look(s); /* dead: one can still look about */
    assert_int_equal(m->link, XM_LINK_GONE);
    xm_feed_seek(s->feed, 118 * STEP);
    m = look(s);
    check_window(m, XM_SPAN_1S, XM_NS_PER_S, 118);
    open_writer(s, 4);
    publish_both(s, 40);
    m = update(s);
    assert_false(m->past);
    assert_int_equal(shown(m), 39 * STEP);
}

/* ---- The last minute. */

static void test_trail(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish_both(s, 1);
    const struct xm_model *m = update(s);
    assert_non_null(m->trail);
    assert_false(m->trail->host[XM_TRAIL_STEPS - 1].known);
    for (unsigned n = 0; n < 30; n++) {
        publish_both(s, 10);
        m = update(s);
        unsigned known = 0;
        for (unsigned i = 0; i < XM_TRAIL_STEPS; i++) {
            const struct xm_trail_step *d = &m->trail->domain[0][i];
            assert_int_equal(d->known, m->trail->host[i].known);
            assert_int_equal(m->trail->step_ns[i], d->known ? XM_NS_PER_S : 0);
            known += d->known;
            assert_int_equal(d->running, d->known ? 300 : 0);
            assert_int_equal(d->blocked, d->known ? 700 : 0);
            assert_int_equal(m->trail->host[i].blocked, d->known ? 1000 : 0); /* idle */
        }
        assert_int_equal(known, n + 1);
        assert_true(m->trail->domain[0][XM_TRAIL_STEPS - 1].known);
    }
    /* In the past it ends there; and a feed that comes late sees the same. */
    m = seek(s, 255 * STEP);
    unsigned known = 0;
    for (unsigned i = 0; i < XM_TRAIL_STEPS; i++)
        known += m->trail->domain[0][i].known;
    assert_int_equal(known, 25);
    struct xm_feed *late = xm_feed_create(s->path);
    xm_feed_seek(late, 255 * STEP);
    xm_feed_update(late, now_ns());
    assert_memory_equal(xm_feed_model(late)->trail->host, m->trail->host, sizeof m->trail->host);
    assert_memory_equal(xm_feed_model(late)->trail->domain[0], m->trail->domain[0], sizeof m->trail->domain[0]);
    xm_feed_destroy(late);
}

/* Another domain in the slot has no past; a vCPU that is plugged in brings none of the time before it. */
static void test_trail_rows(void **state)
{
    struct scene *s = *state;
    open_writer(s, 4);
    publish_both(s, 101);
    update(s);
    struct xm_sample *x = &s->sample;
    for (unsigned n = 0; n < 2; n++) {
        x->host.window += XM_NS_PER_S;
        x->used = (struct xm_capacity){2, 3, 1};
        /* The second vCPU of dom 5 counts as offline since the trace began; dom 7 took no slot of another's. */
        x->domain[0].vcpus = 2;
        x->domain[0].running += 500 * MS + (n ? 500 * MS : 0);
        x->domain[0].blocked += 500 * MS;
        x->domain[0].offline += (n ? 0 : x->host.window - XM_NS_PER_S) + (n ? 500 * MS : XM_NS_PER_S);
        x->domain[1] = (struct xm_domain_row){.id = XM_ROW_USED | UINT64_C(1) << 32 | 7, .vcpus = 1,
            .running = 0, .offline = x->host.window - n * XM_NS_PER_S, .blocked = n * XM_NS_PER_S};
        s->published += 10;
        assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_SLOW, x), XM_OK);
        assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, x), XM_OK);
        const struct xm_model *m = update(s);
        const struct xm_trail_step *d = &m->trail->domain[0][XM_TRAIL_STEPS - 1];
        assert_true(d->known);
        assert_int_equal(d->running, n ? 500 : 250);
        assert_int_equal(d->offline, n ? 250 : 500);
        assert_int_equal(d->unknown, 0);
        assert_int_equal(m->trail->domain[1][XM_TRAIL_STEPS - 1].known, n == 1);
        assert_int_equal(m->trail->domain[1][XM_TRAIL_STEPS - 1].blocked, n == 1 ? 1000 : 0);
    }
    /* Slot 0 is taken by another domain. */
    x->host.window += XM_NS_PER_S;
    x->domain[0].id = XM_ROW_USED | UINT64_C(1) << 32 | 5;
    assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, x), XM_OK);
    const struct xm_model *m = update(s);
    for (unsigned i = 0; i < XM_TRAIL_STEPS; i++)
        assert_false(m->trail->domain[0][i].known);
}

/* ---- Distributions. */

static void publish_histogram(struct scene *s, uint32_t slot, uint64_t id, uint64_t n)
{
    static uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
    const uint64_t *all[XM_HISTS];
    for (unsigned kind = 0; kind < XM_HISTS; kind++) {
        memset(counts[kind], 0, sizeof counts[kind]);
        counts[kind][10 + kind] = n;
        all[kind] = counts[kind];
    }
    assert_int_equal(xm_writer_histograms(s->writer, slot, id, all), XM_OK);
}

static void test_spread(void **state)
{
    struct scene *s = *state;
    struct xm_sample *x = &s->sample;
    open_writer(s, 4);
    publish_both(s, 21);
    const struct xm_model *m = update(s);
    const struct xm_spread *d;
    assert_null(m->spread(m->spread_user, 0, XM_SPREAD_START)); /* no histogram of that vCPU yet */
    assert_null(m->spread(m->spread_user, 1, XM_SPREAD_START));
    assert_null(m->spread(m->spread_user, 12345, XM_SPREAD_START));
    /* Two vCPUs, and one of another domain. */
    x->used = (struct xm_capacity){2, 3, 1};
    x->host.window += XM_NS_PER_S;
    x->vcpu[1] = (struct xm_vcpu_row){.id = XM_ROW_USED | 1 << 16 | 5};
    x->vcpu[2] = (struct xm_vcpu_row){.id = XM_ROW_USED | 7};
    x->vcpu_domain[2] = 1;
    x->domain[1] = (struct xm_domain_row){.id = XM_ROW_USED | 7, .vcpus = 1};
    publish_histogram(s, 0, x->vcpu[0].id, 100);
    publish_histogram(s, 1, x->vcpu[1].id, 10);
    publish_histogram(s, 2, x->vcpu[2].id, 1);
    assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, x), XM_OK);
    m = update(s);
    d = m->spread(m->spread_user, 0, XM_SPREAD_START);
    assert_non_null(d);
    for (unsigned kind = 0; kind < XM_HISTS; kind++) {
        assert_int_equal(d->counts[kind][10 + kind], 110);
        assert_int_equal(d->total[kind], 110);
    }
    assert_int_equal(d->since_ns, 3 * XM_NS_PER_S);
    d = m->spread(m->spread_user, 1, XM_SPREAD_START);
    assert_int_equal(d->total[XM_HIST_WAIT], 1);
    /* Watched from now on. */
    d = m->spread(m->spread_user, 0, XM_SPREAD_WATCHED);
    assert_non_null(d);
    assert_int_equal(d->total[XM_HIST_WAIT], 0);
    publish_histogram(s, 0, x->vcpu[0].id, 140);
    x->host.window += 2 * XM_NS_PER_S;
    assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, x), XM_OK);
    m = update(s);
    d = m->spread(m->spread_user, 0, XM_SPREAD_WATCHED);
    assert_int_equal(d->total[XM_HIST_BLOCKED], 40);
    assert_int_equal(d->counts[XM_HIST_BLOCKED][10 + XM_HIST_BLOCKED], 40);
    assert_int_equal(d->since_ns, 2 * XM_NS_PER_S);
    assert_int_equal(m->spread(m->spread_user, 0, XM_SPREAD_START)->total[XM_HIST_BLOCKED], 150);
    xm_feed_watch_anew(s->feed);
    assert_int_equal(m->spread(m->spread_user, 0, XM_SPREAD_WATCHED)->total[XM_HIST_WAIT], 0);
    /* A histogram of another vCPU in that slot is not this one's. */
    publish_histogram(s, 1, XM_ROW_USED | 9, 1000);
    assert_int_equal(m->spread(m->spread_user, 0, XM_SPREAD_START)->total[XM_HIST_WAIT], 140);
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
    publish_both(s, 120);
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
        publish_both(s, 1);
        if (i % 3 == 0)
            xm_feed_follow(s->feed);
        else if (i % 3 == 1)
            xm_feed_seek(s->feed, next_random(&random) % 14 * XM_NS_PER_S);
        else
            xm_feed_seek(s->feed, xm_feed_step(s->feed, (int)(next_random(&random) % 7) - 3));
        xm_feed_set_window(s->feed, next_random(&random) % 40 * XM_NS_PER_S);
        (void)xm_feed_position(s->feed, next_random(&random), &word);
        xm_feed_update(s->feed, now_ns());
        for (unsigned view = 0; view < XM_VIEWS; view++) {
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
        publish_both(s, 12);
        xm_feed_follow(s->feed);
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
        TEST(test_chosen),  TEST(test_peaks_long), TEST(test_seek), TEST(test_held_long),
        TEST(test_held_window), TEST(test_steps),
        TEST(test_position), TEST(test_seek_restart), TEST(test_trail), TEST(test_trail_rows), TEST(test_spread),
        TEST(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
