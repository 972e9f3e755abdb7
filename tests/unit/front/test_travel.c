/* SPDX-License-Identifier: MIT */
/* What a choice asks of time, against a region: freeze, steps, jumps, playing, the end, a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/screen/travel.h"
#include "region/writer.h"

#define STEP  (XM_NS_PER_S / 10)
#define EPOCH (UINT64_C(1700000000) * XM_NS_PER_S)

struct scene {
    char directory[64], path[96];
    struct xm_writer *writer;
    struct xm_feed *feed;
    struct xm_choice choice;
    struct xm_travel travel;
    struct xm_sample sample;
    uint64_t published;
    uint64_t now_ns; /* a clock of our own */
};

static int make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    snprintf(s->directory, sizeof s->directory, "/tmp/xm-travel-XXXXXX");
    if (!mkdtemp(s->directory))
        return -1;
    snprintf(s->path, sizeof s->path, "%s/shm", s->directory);
    s->feed = xm_feed_create(s->path);
    xm_choice_init(&s->choice);
    s->now_ns = 1000 * XM_NS_PER_S;
    *state = s;
    return s->feed && xm_sample_init(&s->sample, (struct xm_capacity){8, 16, 4}) == XM_OK ? 0 : -1;
}

static int drop(void **state)
{
    static const char *const suffixes[] = {"", ".lock", ".new"};
    struct scene *s = *state;
    char name[128];
    xm_feed_destroy(s->feed);
    xm_writer_close(s->writer, true);
    xm_sample_fini(&s->sample);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", s->path, suffixes[i]);
        unlink(name);
    }
    rmdir(s->directory);
    free(s);
    return 0;
}

static void open_writer(struct scene *s)
{
    struct xm_writer_config config = {
        .path = s->path,
        .settings = {.capacity = {4, 8, 2}, .interval_ns = STEP, .fast_s = 30, .slow_s = 60},
        .source = XM_SOURCE_REPLAY,
    };
    struct xm_error err = {0};
    struct xm_writer_facts facts = {.tsc_hz = 2 * XM_NS_PER_S, .tsc_hz_from = "trace"};
    if (xm_writer_create(&config, &s->writer, &err) != XM_OK)
        fail_msg("%s", err.text);
    xm_writer_facts(s->writer, &facts);
    s->published = 0;
}

/* Two cycles a ns. */
#define CYCLES(samples) ((uint64_t)(samples)*STEP * 2)

static void publish(struct scene *s, unsigned count)
{
    while (count--) {
        uint64_t n = s->published++;
        xm_sample_clear(&s->sample);
        s->sample.used = (struct xm_capacity){1, 1, 1};
        s->sample.host.window = CYCLES(n);
        s->sample.host.real = EPOCH + n * STEP;
        s->sample.domain[0] = (struct xm_domain_row){.id = XM_ROW_USED | 5, .vcpus = 1, .running = CYCLES(n)};
        assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, &s->sample), XM_OK);
        if (n % 10 == 0)
            assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_SLOW, &s->sample), XM_OK);
    }
}

/* So much later by the clock; the sample on show. */
static uint64_t after(struct scene *s, uint64_t ns)
{
    const struct xm_model *m = xm_feed_model(s->feed);
    s->now_ns += ns;
    xm_travel_update(&s->travel, s->feed, &s->choice, s->now_ns);
    assert_true(m->data);
    return m->window[XM_SPAN_1S].to->host.window / CYCLES(1);
}

static uint64_t jump(struct scene *s, enum xm_jump_kind kind, int64_t value)
{
    s->choice.jump = (struct xm_jump){kind, value};
    s->choice.frozen = true; /* as the choice does */
    s->choice.said[0] = '\0';
    uint64_t at = after(s, 0);
    assert_int_equal(s->choice.jump.kind, XM_JUMP_NONE);
    assert_true(s->choice.travelling);
    assert_int_equal(s->choice.position, CYCLES(at));
    return at;
}

static void test_freeze(void **state)
{
    struct scene *s = *state;
    open_writer(s);
    publish(s, 101);
    assert_int_equal(after(s, 0), 100);
    publish(s, 5);
    assert_int_equal(after(s, XM_NS_PER_S), 105);
    s->choice.frozen = true;
    publish(s, 7);
    assert_int_equal(after(s, XM_NS_PER_S), 105);
    assert_true(s->choice.travelling);
    publish(s, 1000);
    assert_int_equal(after(s, 100 * XM_NS_PER_S), 105);
    s->choice.frozen = s->choice.travelling = false;
    assert_int_equal(after(s, 0), 1112);
}

static void test_jumps(void **state)
{
    struct scene *s = *state;
    const int64_t second = (int64_t)XM_NS_PER_S;
    /* Before there is anything nothing is frozen. */
    s->choice.jump = (struct xm_jump){XM_JUMP_STEPS, -1};
    s->choice.frozen = true;
    xm_travel_update(&s->travel, s->feed, &s->choice, s->now_ns);
    assert_int_equal(s->choice.jump.kind, XM_JUMP_NONE);
    assert_false(s->choice.frozen);
    assert_true(s->choice.said[0] != '\0');
    open_writer(s);
    publish(s, 201);
    after(s, 0);
    assert_int_equal(jump(s, XM_JUMP_STEPS, -1), 199);
    assert_int_equal(jump(s, XM_JUMP_STEPS, -9), 190);
    assert_int_equal(jump(s, XM_JUMP_STEPS, 3), 193);
    assert_int_equal(jump(s, XM_JUMP_STEPS, INT64_MAX), 200);
    assert_int_equal(jump(s, XM_JUMP_STEPS, INT64_MIN), 0);
    assert_int_equal(jump(s, XM_JUMP_BY, 5 * second), 50);
    assert_string_equal(s->choice.said, "");
    assert_int_equal(jump(s, XM_JUMP_BY, -second / 2), 45);
    assert_int_equal(jump(s, XM_JUMP_BY, INT64_MIN), 0);
    assert_non_null(strstr(s->choice.said, "oldest"));
    assert_int_equal(jump(s, XM_JUMP_BY, INT64_MAX), 200);
    assert_non_null(strstr(s->choice.said, "newest"));
    assert_int_equal(jump(s, XM_JUMP_REAL, (int64_t)EPOCH + 7 * second), 70);
    assert_string_equal(s->choice.said, "");
    assert_int_equal(jump(s, XM_JUMP_AT, 7 * second), 70);
    assert_int_equal(jump(s, XM_JUMP_AT, 0), 0);
    assert_string_equal(s->choice.said, "");
    assert_int_equal(jump(s, XM_JUMP_AT, 30 * second), 200);
    assert_non_null(strstr(s->choice.said, "newest"));
    assert_int_equal(jump(s, XM_JUMP_AT, INT64_MAX), 200);
    assert_int_equal(jump(s, XM_JUMP_REAL, (int64_t)EPOCH - second), 0);
    assert_non_null(strstr(s->choice.said, "oldest"));
    assert_int_equal(jump(s, XM_JUMP_REAL, -1), 0);
    assert_int_equal(jump(s, XM_JUMP_REAL, INT64_MAX), 200);
    assert_non_null(strstr(s->choice.said, "newest"));
}

static void test_playing(void **state)
{
    struct scene *s = *state;
    open_writer(s);
    publish(s, 201);
    after(s, 0);
    assert_int_equal(jump(s, XM_JUMP_BY, -15 * (int64_t)XM_NS_PER_S), 50);
    s->choice.frozen = false;
    assert_int_equal(after(s, XM_NS_PER_S), 50); /* it begins now */
    assert_int_equal(after(s, XM_NS_PER_S), 60);
    s->choice.speed = 2;
    assert_int_equal(after(s, XM_NS_PER_S), 80);
    s->choice.speed = 0.25;
    assert_int_equal(after(s, XM_NS_PER_S), 82);
    assert_int_equal(after(s, XM_NS_PER_S), 85);
    /* Slowly and often adds up as well. */
    s->choice.speed = 1.0 / 64;
    uint64_t at = 0;
    for (unsigned i = 0; i < 6400; i++)
        at = after(s, XM_NS_PER_S / 1000);
    assert_in_range(at, 85, 86);
    for (unsigned i = 0; i < 6500; i++)
        at = after(s, XM_NS_PER_S / 100);
    assert_in_range(at, 95, 97);
    /* A pause takes no time. */
    s->choice.frozen = true;
    uint64_t paused = after(s, XM_NS_PER_S);
    assert_int_equal(after(s, 100 * XM_NS_PER_S), paused);
    s->choice.frozen = false;
    s->choice.speed = 1;
    assert_int_equal(after(s, XM_NS_PER_S), paused);
    /* At the newest it is live again. */
    assert_int_equal(after(s, 100 * XM_NS_PER_S), 200);
    assert_false(s->choice.travelling);
    publish(s, 3);
    assert_int_equal(after(s, XM_NS_PER_S), 203);
    /* Speeds that make no sense are 1. */
    jump(s, XM_JUMP_BY, -10 * (int64_t)XM_NS_PER_S);
    s->choice.frozen = false;
    s->choice.speed = -3;
    after(s, 0);
    assert_int_equal(after(s, XM_NS_PER_S), 113);
}

static void test_end(void **state)
{
    struct scene *s = *state;
    open_writer(s);
    publish(s, 201);
    after(s, 0);
    jump(s, XM_JUMP_STEPS, -10);
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    s->choice.frozen = false;
    after(s, 0);
    assert_int_equal(after(s, 10 * XM_NS_PER_S), 200);
    assert_true(s->choice.travelling);
    assert_true(s->choice.frozen);
    assert_non_null(strstr(s->choice.said, "end"));
}

/* Playing on from the end begins again; L stays there, and says that it is the end. */
static void test_again(void **state)
{
    struct scene *s = *state;
    s->choice.replay = true;
    open_writer(s);
    publish(s, 201);
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    after(s, 0);
    after(s, 0);
    assert_int_equal(after(s, XM_NS_PER_S), 10);
    assert_int_equal(after(s, 100 * XM_NS_PER_S), 200);
    assert_true(s->choice.frozen);
    s->choice.frozen = false;
    assert_int_equal(after(s, XM_NS_PER_S), 0);
    assert_non_null(strstr(s->choice.said, "again"));
    assert_int_equal(after(s, XM_NS_PER_S), 10);
    assert_true(xm_choice_key(&s->choice, xm_feed_model(s->feed), 'L'));
    assert_int_equal(after(s, 0), 200);
    assert_int_equal(after(s, XM_NS_PER_S), 200);
    assert_string_equal(s->choice.said, "this is the end");
    assert_true(s->choice.frozen);
    s->choice.said[0] = '\0';
    assert_true(xm_choice_key(&s->choice, xm_feed_model(s->feed), 'L'));
    assert_int_equal(after(s, XM_NS_PER_S), 200);
    assert_string_equal(s->choice.said, "this is the end");
    assert_true(xm_choice_key(&s->choice, xm_feed_model(s->feed), 'z'));
    assert_int_equal(after(s, XM_NS_PER_S), 0);
    /* A file has no time of day, whatever its samples say of the replay. */
    assert_int_equal(xm_feed_model(s->feed)->real_ns, 0);
}

/* A replay begins where it is to, waits for what is not baked yet, and has nothing live to go to. */
static void test_replay(void **state)
{
    struct scene *s = *state;
    s->choice.replay = true;
    s->choice.start_ns = 5 * XM_NS_PER_S;
    open_writer(s);
    publish(s, 11);
    assert_int_equal(after(s, 0), 10);
    assert_int_equal(after(s, 10 * XM_NS_PER_S), 10);
    publish(s, 91);
    assert_int_equal(after(s, 10 * XM_NS_PER_S), 50);
    assert_int_equal(after(s, XM_NS_PER_S), 60);
    publish(s, 50);
    assert_int_equal(after(s, XM_NS_PER_S), 70);
    s->choice.frozen = s->choice.travelling = false; /* z, L */
    assert_int_equal(after(s, XM_NS_PER_S), 80);
    assert_true(s->choice.travelling);
    /* At what is baked so far it waits. */
    assert_int_equal(after(s, 100 * XM_NS_PER_S), 151);
    assert_true(s->choice.travelling);
    assert_false(s->choice.frozen);
    publish(s, 50);
    after(s, 0);
    assert_int_equal(after(s, XM_NS_PER_S), 161);
    assert_int_equal(jump(s, XM_JUMP_BY, -10 * (int64_t)XM_NS_PER_S), 61);
}

static void test_paused(void **state)
{
    struct scene *s = *state;
    s->choice.replay = s->choice.frozen = true;
    s->choice.start_ns = 3 * XM_NS_PER_S;
    open_writer(s);
    publish(s, 11);
    assert_int_equal(after(s, 0), 10);
    publish(s, 91);
    assert_int_equal(after(s, 10 * XM_NS_PER_S), 30);
    assert_int_equal(after(s, 10 * XM_NS_PER_S), 30);
    assert_int_equal(jump(s, XM_JUMP_STEPS, 1), 31);
}

static void test_restart(void **state)
{
    struct scene *s = *state;
    open_writer(s);
    publish(s, 101);
    after(s, 0);
    jump(s, XM_JUMP_STEPS, -20);
    xm_writer_close(s->writer, true);
    open_writer(s);
    publish(s, 11);
    assert_int_equal(after(s, XM_NS_PER_S), 10);
    assert_false(s->choice.travelling);
    assert_false(s->choice.frozen);
    publish(s, 1);
    assert_int_equal(after(s, XM_NS_PER_S), 11);
}

static void test_window(void **state)
{
    struct scene *s = *state;
    const struct xm_model *m = xm_feed_model(s->feed);
    struct xm_usage u;
    open_writer(s);
    publish(s, 201);
    s->choice.window = XM_WINDOW_FREE;
    s->choice.free_ns = 7 * XM_NS_PER_S;
    after(s, 0);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 7 * XM_NS_PER_S);
    jump(s, XM_JUMP_STEPS, -50);
    s->choice.window = XM_WINDOW_10S;
    assert_int_equal(after(s, 0), 150);
    assert_true(xm_usage_domain(&m->chosen, 0, &u));
    assert_int_equal(u.window_ns, 10 * XM_NS_PER_S);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_freeze), TEST(test_jumps),  TEST(test_playing), TEST(test_end),
        TEST(test_again), TEST(test_replay), TEST(test_paused), TEST(test_restart), TEST(test_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
