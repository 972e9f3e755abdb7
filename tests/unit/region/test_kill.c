/* SPDX-License-Identifier: MIT */
/* A writer killed at any moment: readers say so, return nothing torn, and follow the next one. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "common.h"
#include "region/process.h"
#include "region/reader_int.h"
#include "region/writer.h"

#define ROUNDS 60
#define STAMPS 61 /* samples prepared beforehand, so that the child does nothing but publish */

static const struct xm_region_settings settings = {
    .capacity = {6, 30, 4}, .fast_s = 1, .slow_s = 5, .limit_bytes = 1};
static const struct xm_capacity room = {6, 30, 4};

/* Publishes until it is killed.  Its heartbeat is old from the start: who is dead is so at once. */
static void write_forever(const char *path)
{
    static struct xm_sample s[STAMPS];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct xm_writer *w = writer_make(path, &settings);
    for (uint64_t n = 0; n < STAMPS; n++) {
        if (xm_sample_init(&s[n], room) != XM_OK)
            _exit(1);
        stamp_fill(&s[n], room, n);
    }
    xm_writer_heartbeat(w, xm_clock_ns() - 10 * XM_LAYOUT_STALE_NS);
    xm_writer_state(w, XM_WRITER_RUNNING);
    for (;;)
        for (unsigned series = 0; series < XM_SERIES_COUNT; series++) {
            uint64_t n = xm_writer_next(w, (enum xm_series)series) % STAMPS;
            if (xm_writer_publish(w, (enum xm_series)series, &s[n]) != XM_OK)
                _exit(1);
        }
}

static void pause_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

/* Reads one sample and holds it against its stamp; counts what came out. */
static void read_one(struct xm_region *r, enum xm_series series, uint64_t index, struct xm_sample *s,
                     uint64_t *good)
{
    enum xm_region_outcome outcome = xm_region_sample(r, series, index, s);
    assert_true(outcome == XM_REGION_OK || outcome == XM_REGION_OVERRUN || outcome == XM_REGION_RETRY);
    if (outcome != XM_REGION_OK)
        return;
    const char *wrong = stamp_check(s, room, series, index % STAMPS);
    if (wrong)
        fail_msg("torn: series %d, sample %llu: %s", (int)series, (unsigned long long)index, wrong);
    ++*good;
}

/* The child's region, not the one of the round before. */
static void wait_for_region(const char *path, struct xm_region **r, pid_t child)
{
    for (int i = 0; i < 20000; i++, pause_us(500)) {
        struct xm_region_info info;
        if (!*r && xm_region_open(path, r, NULL) != XM_OK)
            continue;
        enum xm_region_outcome outcome = xm_region_check(*r);
        assert_int_not_equal(outcome, XM_REGION_INCOMPATIBLE);
        if (xm_region_info(*r, &info) == XM_REGION_OK && info.writer_pid == (uint32_t)child &&
            info.series[0].newest != UINT64_MAX && info.series[1].newest != UINT64_MAX)
            return;
    }
    fail_msg("no region within 10 s");
}

/* Whether the slot that would come next was being written. */
static bool half_written(struct xm_region *r, enum xm_series series, uint64_t newest)
{
    const struct xm_plan_ring *ring = &r->a.ring[series];
    uint64_t seq;
    assert_true(
        xm_bytes_read(&r->a.bytes, ring->offset + (newest + 1) % ring->slots * ring->stride, &seq, 8));
    assert_true(seq <= 2 * newest + 4);
    return seq == 2 * newest + 3;
}

static void one_round(const char *path, struct xm_region **r, struct xm_sample *s, uint64_t *seed,
                      uint64_t counts[3])
{
    struct xm_region_info info;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_forever(path);
    wait_for_region(path, r, child);
    uint64_t until = xm_clock_ns() + next_random(seed) % 15000000;
    do {
        enum xm_series series = (enum xm_series)(next_random(seed) % 2);
        assert_int_equal(xm_region_info(*r, &info), XM_REGION_OK);
        uint64_t newest = info.series[series].newest;
        uint64_t back = next_random(seed) % 3;
        read_one(*r, series, newest > back ? newest - back : 0, s, &counts[0]);
    } while (xm_clock_ns() < until);
    assert_int_equal(xm_region_check(*r), XM_REGION_OK);
    assert_int_equal(kill(child, SIGKILL), 0);
    /* A dead process that nobody has waited for is dead too. */
    siginfo_t dead;
    assert_int_equal(waitid(P_PID, (id_t)child, &dead, WEXITED | WNOWAIT), 0);
    assert_int_equal(xm_region_check(*r), XM_REGION_GONE);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(xm_region_check(*r), XM_REGION_GONE);

    assert_int_equal(xm_region_info(*r, &info), XM_REGION_OK);
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++) {
        uint64_t newest = info.series[series].newest;
        uint64_t before = counts[1];
        read_one(*r, series, newest, s, &counts[1]);
        assert_int_equal(counts[1], before + 1); /* the newest is always whole */
        for (uint64_t back = 1; back < info.series[series].slots && back <= newest; back++)
            read_one(*r, series, newest - back, s, &counts[1]);
        counts[2] += half_written(*r, series, newest);
    }
}

static void test_kill(void **state)
{
    (void)state;
    struct place p;
    struct xm_region *r = NULL;
    struct xm_sample s;
    uint64_t seed = test_seed();
    uint64_t counts[3] = {0};
    place_make(&p);
    assert_int_equal(xm_sample_init(&s, room), XM_OK);
    for (int i = 0; i < ROUNDS; i++)
        one_round(p.path, &r, &s, &seed, counts);
    print_message("# %d writers killed, %llu of them in mid-write; %llu samples read from living, %llu from "
                  "dead ones\n",
                  ROUNDS, (unsigned long long)counts[2], (unsigned long long)counts[0],
                  (unsigned long long)counts[1]);
    assert_true(counts[0] > 0);
    assert_true(counts[2] > 0); /* or the test tried nothing */
    xm_sample_fini(&s);
    xm_region_close(r);
    place_remove(&p);
}

/* With a fresh heartbeat a dead pid alone is not believed: the writer may live in another pid namespace. */
static void test_heartbeat(void **state)
{
    (void)state;
    struct place p;
    struct xm_region *r;
    place_make(&p);
    struct xm_writer *w = writer_make(p.path, &settings);
    xm_writer_state(w, XM_WRITER_RUNNING);
    uint64_t bytes;
    struct xm_layout_header *h = (void *)(uintptr_t)xm_writer_memory(w, &bytes);
    uint64_t now = xm_clock_ns();
    h->writer_pid = 0x7fffffff;
    assert_int_equal(xm_region_open(p.path, &r, NULL), XM_OK);
    xm_writer_heartbeat(w, now);
    assert_int_equal(xm_region_check(r), XM_REGION_OK);
    xm_writer_heartbeat(w, now - 2 * XM_LAYOUT_STALE_NS);
    assert_int_equal(xm_region_check(r), XM_REGION_GONE);
    xm_writer_heartbeat(w, now + 100 * XM_LAYOUT_STALE_NS); /* before the last boot */
    assert_int_equal(xm_region_check(r), XM_REGION_GONE);
    xm_region_close(r);

    /* A living process of that pid that is another one. */
    h->writer_pid = (uint64_t)getpid();
    h->writer_start = xm_process_start((uint64_t)getpid()) + 1;
    xm_writer_heartbeat(w, now - 2 * XM_LAYOUT_STALE_NS);
    assert_int_equal(xm_region_open(p.path, &r, NULL), XM_OK);
    assert_int_equal(xm_region_check(r), XM_REGION_GONE);
    xm_region_close(r);
    h->writer_start--;
    assert_int_equal(xm_region_open(p.path, &r, NULL), XM_OK);
    assert_int_equal(xm_region_check(r), XM_REGION_OK); /* alive and silent: stopped, not gone */
    xm_region_close(r);
    xm_writer_close(w, true);
    place_remove(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill), cmocka_unit_test(test_heartbeat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
