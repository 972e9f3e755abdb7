/* SPDX-License-Identifier: MIT */
/* The variable format, by traces written by hand: what each oddity of it becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "trace/format.h"

static struct xt_events run(const struct xt_bytes *b)
{
    return xt_run(b->data, b->size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
}

struct expected {
    unsigned kind;
    uint64_t tsc;
    unsigned cpu;
};

static void expect(const struct xt_events *e, const struct expected *want, size_t count)
{
    for (size_t i = 0; i < e->count && i < count; i++)
        if (e->event[i].kind != want[i].kind || e->event[i].tsc.v != want[i].tsc || e->event[i].cpu != want[i].cpu)
            fail_msg("event %zu: kind %u at %llu on %u, not %u at %llu on %u", i, e->event[i].kind,
                     (unsigned long long)e->event[i].tsc.v, e->event[i].cpu, want[i].kind,
                     (unsigned long long)want[i].tsc, want[i].cpu);
    assert_int_equal(e->count, count);
}
#define EXPECT(e, ...)                                                                                                 \
    do {                                                                                                               \
        const struct expected want_[] = {__VA_ARGS__};                                                                 \
        expect(e, want_, sizeof want_ / sizeof want_[0]);                                                              \
    } while (0)
#define RUNSTATE(tsc, cpu) {XM_EV_RUNSTATE, tsc, cpu}
#define OPEN(tsc, cpu) {XM_EV_GAP_OPEN, tsc, cpu}
#define CLOSE(tsc, cpu) {XM_EV_GAP_CLOSE, tsc, cpu}

/* Any change will do where only times and places matter. */
static void change(struct xt_bytes *b, uint64_t tsc)
{
    xt_runstate(b, tsc, 1, 0, XM_RUNNING, XM_BLOCKED);
}

/* A window of one CPU with a change at each of the times, the last of which is 0. */
static void window(struct xt_bytes *b, uint32_t cpu, const uint64_t *tsc)
{
    size_t begun = xt_window_begin(b, cpu);
    for (; *tsc; tsc++)
        change(b, *tsc);
    xt_window_end(b, begun);
}
#define WINDOW(b, cpu, ...) window(b, cpu, (const uint64_t[]){__VA_ARGS__, 0})

static void test_payload(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 3);
    xt_runstate(&b, 10, 7, 5, XM_BLOCKED, XM_RUNNABLE);
    xt_record(&b, 0x2800f, 11, 4, (const uint32_t[]){7, 5, 1000, 2000});
    xt_record(&b, 0x2800e, 12, 2, (const uint32_t[]){7, 300});
    xt_record(&b, 0x2f00a, 13, 4, (const uint32_t[]){7, 5, 8, 6});
    xt_record(&b, XM_TRC_RUNSTATE | XM_RUNNING << 8 | XM_OFFLINE << 4, 14, 5, (const uint32_t[]){9, 1, 2, 3, 4});
    xt_record(&b, 0x20100d, 15, 3, (const uint32_t[]){0x01100014, 5, 9});
    xt_record(&b, 0x20100d, 16, 3, (const uint32_t[]){0x01100014, 1, 9});
    xt_window_end(&b, w);
    struct xt_events e = run(&b);
    EXPECT(&e, {XM_EV_RUNSTATE, 10, 3}, {XM_EV_INFNEXT, 11, 3}, {XM_EV_INFPREV, 12, 3}, {XM_EV_SWITCH, 13, 3},
           {XM_EV_RUNSTATE, 14, 3}, {XM_EV_GRANT_COPIES, 15, 3});
    assert_int_equal(e.event[0].from_to, XM_BLOCKED << 2 | XM_RUNNABLE);
    assert_int_equal(e.event[0].word[0], 5 | 7 << 16);
    assert_int_equal(e.event[0].words, 1);
    assert_int_equal(e.event[1].words, 4);
    assert_int_equal(e.event[1].word[3], 2000);
    assert_int_equal(e.event[1].legacy, 0);
    assert_int_equal(e.event[2].words, 2);
    assert_int_equal(e.event[3].legacy, 1);
    assert_int_equal(e.event[4].from_to, XM_RUNNING << 2 | XM_OFFLINE);
    assert_int_equal(e.event[5].words, 1);
    assert_int_equal(e.event[5].word[0], 9);
    assert_int_equal(e.stats.cpus, 4);
    assert_int_equal(e.stats.records, 7);
    assert_int_equal(e.stats.first_tsc.v, 10);
    assert_int_equal(e.stats.last_tsc.v, 16);
    assert_true(e.stats.seen_pv);
    assert_false(e.stats.seen_mem);
    xt_events_free(&e);
    xt_free(&b);
}

/*
 * A record for a batch of page flips has a second word.  Of batches in hypercalls only copies are taken, those of a
 * multicall's entries too: a map, an unmap or a flip has records of its own.
 */
static void test_batches(void **state)
{
    const uint32_t op = 0x01100014;
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    xt_record(&b, 0x10f003, 10, 1, (const uint32_t[]){7});
    xt_record(&b, 0x10f003, 11, 2, (const uint32_t[]){7, 64});
    for (uint32_t command = 0; command <= 12; command++) {
        xt_record(&b, 0x20100d, 20 + 2 * command, 3, (const uint32_t[]){op, command, 30 + command});
        xt_record(&b, 0x20200e, 21 + 2 * command, 3, (const uint32_t[]){op, command, 50 + command});
    }
    xt_record(&b, 0x20100d, 60, 2, (const uint32_t[]){13 | 1u << 22, 2}); /* a multicall; its entries follow */
    xt_record(&b, 0x20200e, 61, 3, (const uint32_t[]){op, 5, 3});
    xt_record(&b, 0x20200e, 62, 3, (const uint32_t[]){op, 5, 4});
    xt_window_end(&b, w);
    struct xt_events e = run(&b);
    EXPECT(&e, {XM_EV_TRANSFER, 10, 0}, {XM_EV_TRANSFER, 11, 0}, {XM_EV_GRANT_COPIES, 30, 0}, {XM_EV_GRANT_COPIES, 31, 0},
           {XM_EV_GRANT_COPIES, 61, 0}, {XM_EV_GRANT_COPIES, 62, 0});
    static const uint32_t copies[] = {35, 55, 3, 4};
    assert_int_equal(e.event[0].words, 1);
    assert_int_equal(e.event[1].words, 2);
    assert_int_equal(e.event[1].word[1], 64);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(e.event[2 + i].word[0], copies[i]);
    xt_events_free(&e);
    xt_free(&b);
}

/* Since 3.4 a LOST_RECORDS says when the first drop was, how many there were, and who is there now. */
static void test_lost(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 1);
    change(&b, 100);
    xt_lost(&b, 300, 42, 0x7fff, 1, 250);
    change(&b, 301);
    xt_lost(&b, 400, 8, 5, 2, 350);
    xt_window_end(&b, w);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 1), OPEN(250, 1), CLOSE(300, 1), RUNSTATE(301, 1), OPEN(350, 1), CLOSE(400, 1));
    assert_int_equal(e.event[2].words, 3);
    assert_int_equal(e.event[2].word[0], 42);
    assert_int_equal(e.event[2].word[1], 0x7fff);
    assert_int_equal(e.event[2].word[2], 1);
    assert_int_equal(e.event[5].word[1], 5);
    assert_int_equal(e.event[5].word[2], 2);
    assert_int_equal(e.stats.lost_records, 50);
    assert_int_equal(e.stats.records, 4);
    assert_int_equal(e.stats.last_tsc.v, 400);
    assert_int_equal(e.ended, XM_OK);
    xt_events_free(&e);
    xt_free(&b);
}

/* Before, it had neither: the gap is from the CPU's last record to its next. */
static void test_lost_short_form(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_record(&b, XM_TRC_LOST, XT_NO_TSC, 1, (const uint32_t[]){17});
    xt_record(&b, XM_TRC_LOST, XT_NO_TSC, 1, (const uint32_t[]){3});
    change(&b, 300);
    xt_window_end(&b, w);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), CLOSE(300, 0), RUNSTATE(300, 0));
    assert_int_equal(e.event[2].word[0], 20);
    assert_true(e.event[2].word[1] == XM_NO_DOM && e.event[2].word[2] == XM_NO_VCPU);
    assert_int_equal(e.stats.lost_records, 20);
    assert_int_equal(e.stats.records, 4);
    xt_events_free(&e);
    xt_free(&b);
}

/* At the end nothing closes it. */
static void test_lost_at_the_end(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_record(&b, XM_TRC_LOST, XT_NO_TSC, 1, (const uint32_t[]){17});
    xt_window_end(&b, w);
    WINDOW(&b, 1, 50, 500);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(50, 1), RUNSTATE(100, 0), OPEN(100, 0), RUNSTATE(500, 1));
    assert_int_equal(e.stats.lost_records, 17);
    xt_events_free(&e);
    xt_free(&b);
}

/* A first drop that cannot be: later than the writing, or before what the CPU did write (cut to 32 bits by a 32-bit Xen). */
static void test_lost_first_drop(void **state)
{
    static const struct {
        uint64_t first, open;
    } cases[] = {{999, 100}, {300, 300}, {100, 100}, {99, 100}, {0, 100}, {UINT64_MAX, 100}, {101, 101}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xt_bytes b = {0};
        size_t w = xt_window_begin(&b, 0);
        change(&b, 100);
        xt_lost(&b, 300, 1, 1, 0, cases[i].first);
        xt_window_end(&b, w);
        struct xt_events e = run(&b);
        EXPECT(&e, RUNSTATE(100, 0), OPEN(cases[i].open, 0), CLOSE(300, 0));
        xt_events_free(&e);
        xt_free(&b);
    }
}

/* Its own time behind the CPU's last record: time stands still, it does not go back. */
static void test_lost_backwards(void **state)
{
    static const uint64_t firsts[] = {0, 800, 899, 950, 1000, 2000};
    for (unsigned i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct xt_bytes b = {0};
        size_t w = xt_window_begin(&b, 0);
        change(&b, 1000);
        xt_lost(&b, 900, 1, 1, 0, firsts[i]);
        change(&b, 1100);
        xt_window_end(&b, w);
        struct xt_events e = run(&b);
        EXPECT(&e, RUNSTATE(1000, 0), OPEN(1000, 0), CLOSE(1000, 0), RUNSTATE(1100, 0));
        assert_int_equal(e.stats.backwards, 1);
        xt_events_free(&e);
        xt_free(&b);
    }
}

/* The very first record of a CPU: its gap may have begun before anything else was written. */
static void test_lost_first_of_all(void **state)
{
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 500);
    size_t w = xt_window_begin(&b, 1);
    xt_lost(&b, 300, 9, 2, 1, 60);
    change(&b, 310);
    xt_window_end(&b, w);
    struct xt_events e = run(&b);
    EXPECT(&e, OPEN(60, 1), RUNSTATE(100, 0), CLOSE(300, 1), RUNSTATE(310, 1), RUNSTATE(500, 0));
    assert_int_equal(e.stats.first_tsc.v, 100);
    xt_events_free(&e);
    xt_free(&b);
}

/* Fillers: no record, no time, whatever is in them. */
static void test_fillers(void **state)
{
    static const uint32_t garbage[7] = {0x2001f003, 1, 2, 3, ~0u, ~0u, 7};
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    xt_record(&b, XM_TRC_WRAP, XT_NO_TSC, 3, garbage);
    change(&b, 100);
    for (unsigned words = 0; words <= 7; words++) {
        xt_record(&b, XM_TRC_WRAP, XT_NO_TSC, words, garbage);
        xt_record(&b, XM_TRC_WRAP, UINT64_MAX - 5, words, garbage);
        xt_record(&b, XM_TRC_WRAP, 1, words, garbage);
    }
    change(&b, 200);
    xt_window_end(&b, w);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(200, 0));
    assert_int_equal(e.stats.records, 2);
    assert_int_equal(e.stats.by_class[0], 0);
    assert_int_equal(e.stats.backwards + e.stats.damages, 0);
    xt_events_free(&e);
    xt_free(&b);
}

static void test_windows(void **state)
{
    struct xt_bytes b = {0};
    for (unsigned pass = 0; pass < 3; pass++) {
        xt_window_end(&b, xt_window_begin(&b, 0));
        WINDOW(&b, 2, 100 + 10 * pass);
        xt_window_end(&b, xt_window_begin(&b, 9));
    }
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 2), RUNSTATE(110, 2), RUNSTATE(120, 2));
    assert_int_equal(e.stats.cpus, 10);
    assert_int_equal(e.ended, XM_OK);
    xt_events_free(&e);
    xt_free(&b);
}

static void test_without_tsc(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    xt_record(&b, 0x10f001, XT_NO_TSC, 1, (const uint32_t[]){4}); /* before any time is known: counted, no event */
    change(&b, 100);
    xt_record(&b, 0x10f001, XT_NO_TSC, 1, (const uint32_t[]){5});
    change(&b, 120);
    xt_record(&b, 0x10f002, XT_NO_TSC, 1, (const uint32_t[]){6});
    xt_window_end(&b, w);
    WINDOW(&b, 1, 110);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), {XM_EV_GRANT_MAP, 100, 0}, RUNSTATE(110, 1), RUNSTATE(120, 0),
           {XM_EV_GRANT_UNMAP, 120, 0});
    assert_int_equal(e.event[1].word[0], 5);
    assert_int_equal(e.stats.records, 6);
    assert_true(e.stats.seen_mem);
    xt_events_free(&e);
    xt_free(&b);
}

static void test_backwards(void **state)
{
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 90, 95, 99, 100, 101);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(100, 0), RUNSTATE(100, 0), RUNSTATE(100, 0), RUNSTATE(100, 0),
           RUNSTATE(101, 0));
    assert_int_equal(e.stats.backwards, 3);
    assert_int_equal(e.stats.stragglers, 0);
    assert_int_equal(e.stats.damages, 0);
    assert_int_equal(e.stats.last_tsc.v, 101);
    xt_events_free(&e);
    xt_free(&b);
}

/* What comes after later things were handed out is late, not wrong: it gets the time that it is. */
static void test_stragglers(void **state)
{
    const struct xm_stream_config prompt = {.order = XM_ORDER_PROMPT};
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 200);
    WINDOW(&b, 0, 300);
    WINDOW(&b, 0, 400);
    WINDOW(&b, 1, 150, 160, 350);
    size_t piece = 1;
    struct xt_events e = xt_run(b.data, b.size, &prompt, NULL, NULL, XT_DRAIN_AT_END);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(150, 1), RUNSTATE(160, 1), RUNSTATE(200, 0), RUNSTATE(300, 0),
           RUNSTATE(350, 1), RUNSTATE(400, 0));
    assert_int_equal(e.stats.stragglers, 0);
    xt_events_free(&e);
    /* The third window begins the pass that shows 200 to be complete. */
    struct xm_stream *s = xm_stream_create(&prompt);
    const struct xm_event *event;
    size_t used, count, at = 0, released = 0;
    uint64_t last = 0;
    while (at < b.size) {
        assert_int_equal(xm_stream_push(s, b.data + at, piece, &used), XM_OK);
        at += used;
        while (xm_stream_run(s, &event, &count) == XM_OK)
            for (size_t i = 0; i < count; i++) {
                assert_true(event[i].tsc.v >= last);
                last = event[i].tsc.v;
                released++;
            }
        if (at < b.size - 3 * 16)
            assert_true(last <= 200);
    }
    assert_int_equal(xm_stream_finish(s), XM_OK);
    assert_true(released >= 2);
    assert_int_equal(xm_stream_stats(s)->stragglers, 2);
    assert_int_equal(xm_stream_stats(s)->backwards, 0);
    xm_stream_destroy(s);
    xt_free(&b);
}

/* One record whose time leaps is damage, and so is what its CPU did from then to the next good one. */
static void test_leap(void **state)
{
    const struct xm_stream_config config = {.max_jump = {1000}};
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 200, 5000, 300, 400);
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(200, 0), OPEN(200, 0), CLOSE(300, 0), RUNSTATE(300, 0), RUNSTATE(400, 0));
    assert_int_equal(e.ended, XM_DAMAGED);
    assert_int_equal(e.error.offset, 12 + 2 * 16);
    assert_int_equal(e.stats.damages, 1);
    assert_int_equal(e.stats.damaged_bytes, 16);
    assert_int_equal(e.stats.records, 4);
    assert_int_equal(e.stats.last_tsc.v, 400);
    xt_events_free(&e);
    xt_free(&b);
}

/* Two that agree are a clock that jumped. */
static void test_jump_of_the_clock(void **state)
{
    const struct xm_stream_config config = {.max_jump = {1000}};
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 200, 1200, 5000, 5100, 5200);
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(200, 0), RUNSTATE(1200, 0), OPEN(1200, 0), CLOSE(5100, 0), RUNSTATE(5100, 0),
           RUNSTATE(5200, 0));
    assert_int_equal(e.stats.damages, 1);
    assert_int_equal(e.stats.last_tsc.v, 5200);
    xt_events_free(&e);
    xt_free(&b);
}

/* A CPU whose first record of all leaps ahead of the others is no better. */
static void test_leap_of_a_newcomer(void **state)
{
    const struct xm_stream_config config = {.max_jump = {1000}};
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 200);
    WINDOW(&b, 1, 900000, 150, 210);
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(150, 1), RUNSTATE(200, 0), RUNSTATE(210, 1));
    assert_int_equal(e.stats.damages, 1);
    assert_int_equal(e.error.offset, 12 + 2 * 16 + 12);
    xt_events_free(&e);
    xt_free(&b);
}

static void test_leap_of_lost_records(void **state)
{
    const struct xm_stream_config config = {.max_jump = {1000}};
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_lost(&b, 90000, 5, 1, 0, 80000);
    change(&b, 200);
    xt_window_end(&b, w);
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), CLOSE(200, 0), RUNSTATE(200, 0));
    assert_int_equal(e.stats.records, 2);
    assert_int_equal(e.stats.lost_records, 0); /* a record that is not believed is not believed in part */
    assert_int_equal(e.stats.damaged_bytes, 28);
    xt_events_free(&e);
    xt_free(&b);
}

/* Payloads shorter than their event needs, on both ways through the decoder. */
static void test_short_records(void **state)
{
    static const struct {
        uint32_t event;
        unsigned needs;
    } cases[] = {{0x21011, 1}, {0x21002, 1}, {0x28003, 2}, {0x28004, 2}, {0x28005, 2}, {0x28006, 2},
                 {0x2800a, 4}, {0x2800e, 2}, {0x2800f, 3}, {0x28001, 1}, {0x41001, 1}, {0x41002, 1},
                 {0x10f001, 1}, {0x10f003, 1}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned words = 0; words <= 7; words++) {
            static const uint32_t word[7] = {1, 1, 1, 1, 1, 1, 1};
            struct xt_bytes b = {0};
            size_t w = xt_window_begin(&b, 0);
            xt_record(&b, cases[i].event, 100, words, word);
            xt_record(&b, cases[i].event, 200, words, word);
            xt_window_end(&b, w);
            struct xt_events e = run(&b);
            assert_int_equal(e.count, words >= cases[i].needs ? 2 : 0);
            assert_int_equal(e.stats.short_records, words >= cases[i].needs ? 0 : 2);
            assert_int_equal(e.stats.records, 2);
            assert_int_equal(e.ended, XM_OK);
            xt_events_free(&e);
            xt_free(&b);
        }
}

/* A window that begins inside another: some of the outer one is missing, the inner one is all there. */
static void test_window_inside(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_put(&b, "01234567890123456789", 20);
    xt_window_end(&b, w);
    b.size -= 20;
    WINDOW(&b, 1, 110, 120);
    WINDOW(&b, 0, 130);
    WINDOW(&b, 1, 140);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), RUNSTATE(110, 1), RUNSTATE(120, 1), CLOSE(130, 0), RUNSTATE(130, 0),
           RUNSTATE(140, 1));
    assert_int_equal(e.ended, XM_DAMAGED);
    assert_int_equal(e.error.offset, 28);
    assert_int_equal(e.stats.damages, 1);
    xt_events_free(&e);
    xt_free(&b);
}

static void test_overrun(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_put32(&b, XM_HEADER(0x2800f, 4, 1));
    xt_put32(&b, 120);
    xt_window_end(&b, w);
    WINDOW(&b, 1, 110);
    WINDOW(&b, 0, 130);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), RUNSTATE(110, 1), CLOSE(130, 0), RUNSTATE(130, 0));
    assert_int_equal(e.error.offset, 28);
    assert_int_equal(e.stats.damaged_bytes, 8);
    assert_int_equal(e.stats.damages, 1);
    xt_events_free(&e);
    xt_free(&b);
}

static void test_impossible_event(void **state)
{
    static const uint32_t events[] = {0, 0x1001, 0x31001, 0x20011, 0xffff001};
    for (unsigned i = 0; i < sizeof events / sizeof events[0]; i++)
        for (unsigned first = 0; first < 2; first++) {
            struct xt_bytes b = {0};
            size_t w = xt_window_begin(&b, 0);
            if (!first)
                change(&b, 100);
            xt_record(&b, events[i], 101, 2, (const uint32_t[]){1, 2});
            change(&b, 102);
            xt_window_end(&b, w);
            WINDOW(&b, 0, 130);
            struct xt_events e = run(&b);
            if (first)
                EXPECT(&e, RUNSTATE(130, 0));
            else
                EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), CLOSE(130, 0), RUNSTATE(130, 0));
            assert_int_equal(e.error.offset, first ? 12 : 28);
            assert_int_equal(e.stats.damaged_bytes, 20 + 16);
            assert_int_equal(e.ended, XM_DAMAGED);
            xt_events_free(&e);
            xt_free(&b);
        }
}

/* Nonsense where a window must begin: from all CPUs something is missing, up to their next records. */
static void test_header_damage(void **state)
{
    for (size_t junk = 1; junk < 40; junk++) {
        struct xt_bytes b = {0};
        WINDOW(&b, 0, 100);
        WINDOW(&b, 1, 110);
        for (size_t i = 0; i < junk; i++)
            xt_put(&b, "j", 1);
        WINDOW(&b, 0, 120);
        WINDOW(&b, 1, 130);
        struct xt_events e = run(&b);
        EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), RUNSTATE(110, 1), OPEN(110, 1), CLOSE(120, 0), RUNSTATE(120, 0),
               CLOSE(130, 1), RUNSTATE(130, 1));
        assert_int_equal(e.ended, XM_DAMAGED);
        assert_int_equal(e.error.offset, 56);
        assert_non_null(strstr(e.error.text, "byte 56"));
        assert_int_equal(e.stats.damaged_bytes, junk);
        assert_int_equal(e.stats.damages, 1);
        xt_events_free(&e);
        xt_free(&b);
    }
}

/* Headers that cannot be: a CPU too many, a window too long or of odd length. */
static void test_headers_that_cannot_be(void **state)
{
    static const uint32_t bad[][2] = {{4096, 16}, {0, 17}, {0, 65535u * 4096 + 4}, {UINT32_MAX, 0}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct xt_bytes b = {0};
        WINDOW(&b, 0, 100);
        xt_put32(&b, XM_WINDOW_HEADER);
        xt_put(&b, bad[i], 8);
        WINDOW(&b, 0, 120);
        struct xt_events e = run(&b);
        EXPECT(&e, RUNSTATE(100, 0), OPEN(100, 0), CLOSE(120, 0), RUNSTATE(120, 0));
        assert_int_equal(e.error.offset, 28);
        assert_int_equal(e.stats.damaged_bytes, 12);
        xt_events_free(&e);
        xt_free(&b);
    }
}

static void test_gives_up(void **state)
{
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 200);
    size_t good = b.size;
    unsigned char *junk = calloc(1, 17 << 20);
    xt_put(&b, junk, 17 << 20);
    WINDOW(&b, 0, 300);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(200, 0), OPEN(200, 0));
    assert_int_equal(e.ended, XM_DAMAGED);
    assert_int_equal(e.error.offset, good);
    assert_int_equal(e.stats.damaged_bytes, 16 << 20);
    assert_true(e.stats.bytes >= (16u << 20) && e.stats.bytes < (16u << 20) + 65536 + good + 12);
    xt_events_free(&e);
    /* One byte less and it would have gone on. */
    b.size = good;
    xt_put(&b, junk, (16 << 20) - 1);
    WINDOW(&b, 0, 300);
    e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(200, 0), OPEN(200, 0), CLOSE(300, 0), RUNSTATE(300, 0));
    xt_events_free(&e);
    free(junk);
    xt_free(&b);
}

static void test_no_trace(void **state)
{
    static const unsigned char jpeg[64] = {0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 'J', 'F', 'I', 'F', 0, 1};
    static const char text[] = "CPU0  0 (+       0)  unknown (0x0000000000000000)  [ 0x00000000 0x00000000 0x00000000 ]\n"
                               "CPU0  0 (+       0)  unknown (0x0000000000000000)  [ 0x00000000 0x00000000 0x00000000 ]\n"
                               "CPU0  0 (+       0)  unknown (0x0000000000000000)  [ 0x00000000 0x00000000 0x00000000 ]\n";
    static const unsigned char zeros[4096];
    const struct {
        const void *bytes;
        size_t size;
        const char *words;
    } cases[] = {{"", 0, "empty"},          {"x", 1, "no Xen trace"}, {"\x03\xf0\x01", 3, "no Xen trace"},
                 {jpeg, sizeof jpeg, "no Xen trace"}, {text, sizeof text, "no Xen trace"},
                 {zeros, sizeof zeros, "no Xen trace"}, {zeros, 7, "no Xen trace"}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xt_events e = xt_run(cases[i].bytes, cases[i].size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        assert_int_equal(e.count, 0);
        assert_int_equal(e.ended, XM_DAMAGED);
        assert_int_equal(e.error.offset, 0);
        assert_non_null(strstr(e.error.text, cases[i].words));
        assert_int_equal(e.stats.records, 0);
        xt_events_free(&e);
    }
    /* And it stays dead. */
    struct xm_stream *s = xm_stream_create(NULL);
    size_t used;
    assert_int_equal(xm_stream_push(s, text, sizeof text, &used), XM_DAMAGED);
    assert_int_equal(xm_stream_push(s, text, sizeof text, &used), XM_DAMAGED);
    assert_int_equal(used, 0);
    xm_stream_destroy(s);
}

/* Windows without a record in them are a trace in which nothing was recorded: said, not shown as zeros. */
static void test_no_record(void **state)
{
    struct xt_bytes b = {0};
    xt_window_end(&b, xt_window_begin(&b, 0));
    struct xt_events e = run(&b);
    assert_int_equal(e.ended, XM_DAMAGED);
    assert_non_null(strstr(e.error.text, "no record"));
    xt_events_free(&e);
    xt_free(&b);
}

/* The end in the middle of something: all that was whole comes out. */
static void test_torn_end(void **state)
{
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 120);
    WINDOW(&b, 1, 110, 130);
    for (size_t cut = 1; cut < b.size; cut++) {
        struct xt_events e = xt_run(b.data, cut, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        size_t whole = cut < 28 ? 0 : cut < 44 ? 1 : cut < 44 + 28 ? 2 : cut < b.size ? 3 : 4;
        size_t runstates = 0;
        for (size_t i = 0; i < e.count; i++)
            runstates += e.event[i].kind == XM_EV_RUNSTATE;
        assert_int_equal(runstates, whole);
        assert_int_equal(e.stats.records, whole);
        assert_int_equal(e.ended, cut == 44 ? XM_OK : XM_DAMAGED);
        if (e.ended != XM_OK)
            assert_int_equal(e.error.offset, cut < 4 ? 0 : cut);
        xt_events_free(&e);
    }
    xt_free(&b);
}

static size_t release(struct xm_stream *s, uint64_t *last)
{
    const struct xm_event *event;
    size_t count, sum = 0;
    while (xm_stream_run(s, &event, &count) == XM_OK) {
        sum += count;
        *last = event[count - 1].tsc.v;
    }
    return sum;
}

static void push(struct xm_stream *s, struct xt_bytes *b)
{
    size_t used;
    assert_int_equal(xm_stream_push(s, b->data, b->size, &used), XM_OK);
    assert_int_equal(used, b->size);
    b->size = 0;
}

/* The first drop bears the time of the last record that was written, as with a slow clock it can: too late is too late. */
static void test_lost_at_the_last_record(void **state)
{
    const struct xm_stream_config prompt = {.order = XM_ORDER_PROMPT};
    struct xm_stream *s = xm_stream_create(&prompt);
    struct xt_bytes b = {0};
    uint64_t last = 0;
    WINDOW(&b, 0, 100);
    WINDOW(&b, 1, 200, 300);
    push(s, &b);
    xm_stream_pass_end(s);
    xm_stream_pass_end(s);
    assert_int_equal(release(s, &last), 3);
    size_t w = xt_window_begin(&b, 0);
    xt_lost(&b, 400, 5, 1, 0, 100);
    xt_window_end(&b, w);
    push(s, &b);
    assert_int_equal(xm_stream_finish(s), XM_OK);
    assert_int_equal(release(s, &last), 2);
    assert_int_equal(xm_stream_stats(s)->late_gaps, 1);
    xm_stream_destroy(s);
    xt_free(&b);
}

/* CPU 0's buffer of one page is full: `records` from 1000 on, in prompt order; and CPU 1 goes on. */
static struct xm_stream *full_of_records(struct xt_bytes *b, uint32_t buffer_bytes, unsigned records)
{
    const struct xm_stream_config prompt = {.order = XM_ORDER_PROMPT, .buffer_bytes = buffer_bytes};
    struct xm_stream *s = xm_stream_create(&prompt);
    size_t w = xt_window_begin(b, 0);
    for (unsigned i = 0; i < records; i++)
        change(b, 1000 + i);
    xt_window_end(b, w);
    WINDOW(b, 1, 5000);
    push(s, b);
    xm_stream_pass_end(s);
    xm_stream_pass_end(s);
    return s;
}

/* The header of the next window may come alone: what was lost before it may be said in it. */
static void test_prompt_waits_for_the_window(void **state)
{
    struct xt_bytes b = {0};
    uint64_t last = 0;
    struct xm_stream *s = full_of_records(&b, 0, 254);
    assert_int_equal(release(s, &last), 253);
    const struct xm_event *event;
    size_t count, w = xt_window_begin(&b, 0);
    xt_lost(&b, 6000, 5, 1, 0, 1260);
    xt_window_end(&b, w);
    size_t used;
    assert_int_equal(xm_stream_push(s, b.data, 12, &used), XM_OK);
    assert_int_equal(xm_stream_run(s, &event, &count), XM_AGAIN);
    assert_int_equal(xm_stream_push(s, b.data + 12, b.size - 12, &used), XM_OK);
    xm_stream_pass_end(s);
    xm_stream_pass_end(s);
    release(s, &last);
    assert_int_equal(xm_stream_stats(s)->late_gaps, 0);
    xm_stream_destroy(s);
    xt_free(&b);
}

/* A CPU that is waited for no longer, or whose stream ends, has a gap: something may have been lost and was not told. */
static void test_prompt_gives_up(void **state)
{
    for (unsigned ends = 0; ends < 2; ends++) {
        struct xt_bytes b = {0};
        uint64_t last = 0;
        struct xm_stream *s = full_of_records(&b, 0, 254);
        assert_int_equal(release(s, &last), 253);
        for (unsigned i = 0; !ends && i < 200; i++)
            xm_stream_pass_end(s);
        if (ends)
            assert_int_equal(xm_stream_finish(s), XM_OK);
        const struct xm_event *event;
        size_t count;
        assert_int_equal(xm_stream_run(s, &event, &count), XM_OK);
        assert_int_equal(count, 2); /* the last record of CPU 0, and behind it */
        assert_int_equal(event[1].kind, XM_EV_GAP_OPEN);
        assert_int_equal(event[1].tsc.v, 1253);
        assert_int_equal(xm_stream_run(s, &event, &count), XM_OK);
        assert_int_equal(event[0].tsc.v, 5000);
        WINDOW(&b, 0, 6000);
        if (!ends) {
            push(s, &b);
            assert_int_equal(xm_stream_finish(s), XM_OK);
            assert_int_equal(xm_stream_run(s, &event, &count), XM_OK);
            assert_int_equal(event[0].kind, XM_EV_GAP_CLOSE);
            assert_int_equal(event[0].tsc.v, 6000);
        }
        xm_stream_destroy(s);
        xt_free(&b);
    }
}

/* A file is taken at its word: who waits for every CPU anyway has nothing to doubt. */
static void test_strict_does_not_doubt(void **state)
{
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    for (unsigned i = 0; i < 254; i++) /* 4064 of 4088 bytes */
        change(&b, 1000 + i);
    xt_window_end(&b, w);
    for (unsigned i = 0; i < 200; i++)
        WINDOW(&b, 1, 5000 + i);
    WINDOW(&b, 0, 9000);
    struct xt_events e = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
    assert_int_equal(e.count, 254 + 200 + 1);
    for (size_t i = 0; i < e.count; i++)
        assert_int_equal(e.event[i].kind, XM_EV_RUNSTATE);
    xt_events_free(&e);
    xt_free(&b);
}

/* Where it is known how much a buffer holds, a page more or less is no reason to wait. */
static void test_prompt_knows_the_buffer(void **state)
{
    static const struct {
        uint32_t buffer_bytes;
        unsigned records;
        uint64_t last;
    } way[] = {{8184, 254, 5000}, {4088, 254, 1252}, {4088, 240, 5000}};
    for (unsigned i = 0; i < sizeof way / sizeof way[0]; i++) {
        struct xt_bytes b = {0};
        uint64_t last = 0;
        struct xm_stream *s = full_of_records(&b, way[i].buffer_bytes, way[i].records);
        release(s, &last);
        assert_int_equal(last, way[i].last);
        xm_stream_destroy(s);
        xt_free(&b);
    }
}

/* Strict waits for the CPU that is behind, prompt for passes only. */
static void test_orders(void **state)
{
    for (unsigned prompt = 0; prompt < 2; prompt++) {
        const struct xm_stream_config config = {.order = prompt ? XM_ORDER_PROMPT : XM_ORDER_STRICT};
        struct xm_stream *s = xm_stream_create(&config);
        struct xt_bytes b = {0};
        uint64_t last = 0;
        assert_int_equal(xm_stream_watermark(s).v, 0);
        WINDOW(&b, 0, 100, 190);
        WINDOW(&b, 1, 110);
        push(s, &b);
        assert_int_equal(release(s, &last), 0);
        WINDOW(&b, 0, 200, 300); /* ends the first pass */
        push(s, &b);
        assert_int_equal(release(s, &last), 0);
        WINDOW(&b, 0, 310); /* and the second: all up to 190 is in hand */
        push(s, &b);
        assert_int_equal(release(s, &last), prompt ? 3 : 1);
        assert_int_equal(last, prompt ? 190 : 100);
        assert_int_equal(xm_stream_watermark(s).v, prompt ? 190 : 109);
        WINDOW(&b, 1, 320);
        WINDOW(&b, 0, 400);
        push(s, &b);
        assert_int_equal(release(s, &last), prompt ? 2 : 4);
        assert_int_equal(last, 300);
        assert_int_equal(xm_stream_watermark(s).v, 300);
        if (prompt) {
            xm_stream_pass_end(s);
            assert_int_equal(release(s, &last), 2);
            xm_stream_pass_end(s);
            assert_int_equal(release(s, &last), 1);
            assert_int_equal(last, 400);
        }
        assert_int_equal(xm_stream_finish(s), XM_OK);
        assert_int_equal(release(s, &last), prompt ? 0 : 3);
        assert_int_equal(xm_stream_watermark(s).v, 400);
        xm_stream_destroy(s);
        xt_free(&b);
    }
}

/* In prompt order a CPU whose buffer was full may be losing records that belong before what others have. */
static void test_prompt_waits_for_the_full(void **state)
{
    const struct xm_stream_config prompt = {.order = XM_ORDER_PROMPT};
    enum { NOT, AT_ONCE, IN_TWO_PASSES }; /* ran full after the first window had been looked at, before it was given back */
    for (unsigned full = NOT; full <= IN_TWO_PASSES; full++) {
        struct xm_stream *s = xm_stream_create(&prompt);
        struct xt_bytes b = {0};
        uint64_t last = 0;
        size_t count, w = xt_window_begin(&b, 0);
        for (unsigned i = 0; i < (full ? 254u : 100u); i++) { /* 4064 of 4088 bytes */
            if (full == IN_TWO_PASSES && i == 150) {
                xt_window_end(&b, w);
                w = xt_window_begin(&b, 0);
            }
            change(&b, 1000 + i);
        }
        xt_window_end(&b, w);
        WINDOW(&b, 1, 1500, 1600);
        WINDOW(&b, 1, 1700);
        WINDOW(&b, 1, 1800);
        WINDOW(&b, 1, 1900);
        push(s, &b);
        count = release(s, &last);
        assert_int_equal(last, full ? 1000 + 252 : 1700);
        assert_int_equal(count, full ? 253 : 103);
        w = xt_window_begin(&b, 0);
        xt_lost(&b, 1750, 5, 1, 0, 1260);
        xt_window_end(&b, w);
        WINDOW(&b, 1, 2000);
        WINDOW(&b, 1, 2100);
        push(s, &b);
        release(s, &last);
        assert_int_equal(xm_stream_stats(s)->stragglers, 0);
        assert_int_equal(xm_stream_finish(s), XM_OK);
        xm_stream_destroy(s);
        xt_free(&b);
    }
}

static void test_ties(void **state)
{
    struct xt_bytes b = {0};
    WINDOW(&b, 0, 100, 200, 200);
    WINDOW(&b, 2, 100, 100, 200);
    WINDOW(&b, 5, 100, 200);
    WINDOW(&b, 1, 100, 150, 200);
    struct xt_events e = run(&b);
    EXPECT(&e, RUNSTATE(100, 0), RUNSTATE(100, 1), RUNSTATE(100, 2), RUNSTATE(100, 2), RUNSTATE(100, 5),
           RUNSTATE(150, 1), RUNSTATE(200, 0), RUNSTATE(200, 0), RUNSTATE(200, 1), RUNSTATE(200, 2), RUNSTATE(200, 5));
    xt_events_free(&e);
    xt_free(&b);
}

/* A CPU may still have more of the very time that its last record bears: the others of that time wait for it. */
static void test_ties_to_come(void **state)
{
    struct xm_stream *s = xm_stream_create(NULL);
    struct xt_bytes b = {0};
    uint64_t last = 0;
    WINDOW(&b, 0, 100, 190);
    WINDOW(&b, 1, 190);
    WINDOW(&b, 1, 250);
    WINDOW(&b, 1, 260);
    push(s, &b);
    assert_int_equal(release(s, &last), 1);
    assert_int_equal(last, 100);
    WINDOW(&b, 0, 190, 300);
    push(s, &b);
    assert_int_equal(xm_stream_finish(s), XM_OK);
    const struct xm_event *event;
    size_t count;
    assert_int_equal(xm_stream_run(s, &event, &count), XM_OK);
    assert_int_equal(count, 2); /* both of CPU 0 */
    assert_int_equal(event[0].cpu + event[1].cpu, 0);
    assert_int_equal(event[1].tsc.v, 190);
    assert_int_equal(release(s, &last), 4);
    xm_stream_destroy(s);
    xt_free(&b);
}

/* A silent CPU cannot make the rest pile up without end. */
static void test_max_held(void **state)
{
    const struct xm_stream_config config = {.max_held = 4096};
    struct xm_stream *s = xm_stream_create(&config);
    struct xt_bytes b = {0};
    uint64_t last = 0, tsc = 1000;
    size_t held = 0, most = 0;
    WINDOW(&b, 0, 900);
    WINDOW(&b, 1, 901);
    push(s, &b);
    for (unsigned i = 0; i < 200; i++) {
        size_t w = xt_window_begin(&b, 0);
        for (unsigned k = 0; k < 200; k++)
            change(&b, tsc++);
        xt_window_end(&b, w);
        size_t used = 0;
        for (size_t at = 0; at < b.size; at += used) {
            assert_int_equal(xm_stream_push(s, b.data + at, b.size - at, &used), XM_OK);
            held += used / 16;
            most = held > most ? held : most;
            held -= release(s, &last);
        }
        b.size = 0;
    }
    assert_true(most < 4096 + 4096 + 500);
    assert_true(last > 1000 + 200 * 200 - 5000);
    /* It speaks again: what it says of the past is late, and from here on it is waited for. */
    WINDOW(&b, 1, 1100, tsc);
    WINDOW(&b, 0, tsc + 10);
    WINDOW(&b, 0, tsc + 20);
    push(s, &b);
    release(s, &last);
    assert_true(last < tsc + 10);
    assert_int_equal(xm_stream_stats(s)->stragglers, 1);
    assert_int_equal(xm_stream_finish(s), XM_OK);
    xm_stream_destroy(s);
    xt_free(&b);
}

static void test_shift(void **state)
{
    const struct xm_stream_config config = {.shift = {1000000}};
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_lost(&b, 300, 1, 1, 0, 250);
    change(&b, 400);
    xt_window_end(&b, w);
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    EXPECT(&e, RUNSTATE(1000100, 0), OPEN(1000250, 0), CLOSE(1000300, 0), RUNSTATE(1000400, 0));
    assert_int_equal(e.stats.first_tsc.v, 1000100);
    assert_int_equal(e.stats.last_tsc.v, 1000400);
    xt_events_free(&e);
    xt_free(&b);
}

/* Only what is wanted comes, and gaps, which always do. */
static void test_kinds(void **state)
{
    const struct xm_stream_config config = {.kinds = 1u << XM_EV_WAKE};
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    change(&b, 100);
    xt_record(&b, 0x28004, 110, 2, (const uint32_t[]){1, 0});
    xt_lost(&b, 300, 1, 1, 0, 250);
    change(&b, 400);
    xt_window_end(&b, w);
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    EXPECT(&e, {XM_EV_WAKE, 110, 0}, OPEN(250, 0), CLOSE(300, 0));
    assert_int_equal(e.stats.records, 4);
    xt_events_free(&e);
    struct xm_stream *s = xm_stream_create(&config);
    uint64_t last;
    xm_stream_want(s, 1u << XM_EV_RUNSTATE);
    push(s, &b);
    assert_int_equal(xm_stream_finish(s), XM_OK);
    assert_int_equal(release(s, &last), 4);
    assert_int_equal(last, 400);
    xm_stream_destroy(s);
    xt_free(&b);
}

static void test_limits(void **state)
{
    assert_null(xm_stream_create(&(struct xm_stream_config){.max_cpus = 65537}));
    assert_null(xm_stream_create(&(struct xm_stream_config){.max_held = 4095}));
    struct xm_stream *s = xm_stream_create(&(struct xm_stream_config){.max_cpus = 65536, .max_held = 4096});
    size_t used;
    assert_non_null(s);
    struct xt_bytes b = {0};
    WINDOW(&b, 65535, 100);
    push(s, &b);
    assert_int_equal(xm_stream_finish(s), XM_OK);
    assert_int_equal(xm_stream_stats(s)->cpus, 65536);
    assert_int_equal(xm_stream_push(s, "x", 1, &used), XM_INVALID);
    assert_int_equal(used, 0);
    assert_int_equal(xm_stream_finish(s), XM_OK); /* twice is harmless */
    xm_stream_destroy(s);
    xm_stream_destroy(NULL);
    xt_free(&b);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_payload), TEST(test_batches), TEST(test_lost), TEST(test_lost_short_form), TEST(test_lost_at_the_end),
        TEST(test_lost_first_drop), TEST(test_lost_backwards), TEST(test_lost_first_of_all), TEST(test_fillers),
        TEST(test_lost_at_the_last_record),
        TEST(test_windows), TEST(test_without_tsc), TEST(test_backwards), TEST(test_stragglers), TEST(test_leap),
        TEST(test_jump_of_the_clock), TEST(test_leap_of_a_newcomer), TEST(test_leap_of_lost_records),
        TEST(test_short_records), TEST(test_window_inside), TEST(test_overrun), TEST(test_impossible_event),
        TEST(test_header_damage), TEST(test_headers_that_cannot_be), TEST(test_gives_up), TEST(test_no_trace),
        TEST(test_no_record), TEST(test_torn_end), TEST(test_orders), TEST(test_prompt_waits_for_the_full),
        TEST(test_prompt_waits_for_the_window), TEST(test_prompt_gives_up), TEST(test_strict_does_not_doubt),
        TEST(test_prompt_knows_the_buffer),
        TEST(test_ties), TEST(test_ties_to_come), TEST(test_max_held), TEST(test_shift), TEST(test_kinds), TEST(test_limits),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
