/* SPDX-License-Identifier: MIT */
/* The trace buffer at both ends, alone and between two threads, and the table of buffers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/format.h"
#include "trace/ring.h"

#define PAGES 2u
#define CURRENT (3u | 7u << 16)

struct buffer {
    _Alignas(4096) unsigned char bytes[PAGES * XM_RING_PAGE_BYTES];
};

static struct xm_record record_of(uint64_t tsc, unsigned words, uint32_t value)
{
    struct xm_record r = {.event = 0x00022001u, .has_tsc = true, .words = (uint8_t)words, .tsc = {tsc}};
    for (unsigned i = 0; i < words; i++)
        r.word[i] = value + i;
    return r;
}

/* Takes one record at `at` of a window; the parts are not joined, no record straddles them. */
static size_t read_at(const struct xm_ring_window *w, size_t at, struct xm_record *r)
{
    unsigned part = at >= w->part[0].size;
    size_t inside = at - (part ? w->part[0].size : 0);
    size_t used;
    assert_int_equal(xm_record_read(w->part[part].bytes + inside, w->part[part].size - inside, r, &used), XM_OK);
    return used;
}

static void empty_and_limits(void **state)
{
    (void)state;
    struct buffer b = {{0}};
    struct xm_ring ring;
    struct xm_ring_window w;
    assert_int_equal(xm_ring_attach(&ring, b.bytes, 0), XM_INVALID);
    assert_int_equal(xm_ring_attach(&ring, b.bytes, 65536), XM_INVALID);
    assert_int_equal(xm_ring_attach(&ring, b.bytes, PAGES), XM_OK);
    assert_int_equal(ring.bytes, PAGES * 4096 - 8);
    assert_int_equal(xm_ring_peek(&ring, &w), XM_AGAIN);
    assert_int_equal(xm_ring_fill_permille(&ring), 0);
}

/* Many laps with records of every length: what goes in comes out, fillers apart, in order, nothing lost. */
static void laps(void **state)
{
    (void)state;
    struct buffer b;
    struct xm_ring_producer in;
    struct xm_ring out;
    struct xm_ring_window w;
    uint64_t next_in = 1, next_out = 1;
    unsigned fillers = 0;
    assert_int_equal(xm_ring_produce(&in, b.bytes, PAGES), XM_OK);
    assert_int_equal(xm_ring_attach(&out, b.bytes, PAGES), XM_OK);
    for (unsigned lap = 0; lap < 2000; lap++) {
        for (unsigned i = 0; i < 1 + lap % 97; i++, next_in++) {
            struct xm_record r = record_of(next_in, (unsigned)(next_in * 7 % 8), (uint32_t)next_in);
            enum xm_ring_put put = xm_ring_put(&in, &r, r.tsc, CURRENT);
            assert_true(put == XM_RING_PUT || put == XM_RING_HIGH_WATER);
        }
        assert_int_equal(xm_ring_peek(&out, &w), XM_OK);
        for (size_t at = 0; at < w.size;) {
            struct xm_record r;
            at += read_at(&w, at, &r);
            if (r.event == XM_TRC_WRAP) {
                fillers++;
                continue;
            }
            assert_int_equal(r.tsc.v, next_out);
            assert_int_equal(r.words, next_out * 7 % 8);
            for (unsigned i = 0; i < r.words; i++)
                assert_int_equal(r.word[i], (uint32_t)next_out + i);
            next_out++;
        }
        xm_ring_consume(&out, w.size);
    }
    assert_int_equal(next_in, next_out);
    assert_int_equal(in.lost_total, 0);
    assert_true(fillers > 10);
}

/* A full buffer drops, and says so with count, first time and who was current before the next that fits. */
static void loss(void **state)
{
    (void)state;
    struct buffer b;
    struct xm_ring_producer in;
    struct xm_ring out;
    struct xm_ring_window w;
    assert_int_equal(xm_ring_produce(&in, b.bytes, PAGES), XM_OK);
    assert_int_equal(xm_ring_attach(&out, b.bytes, PAGES), XM_OK);
    uint64_t tsc = 1;
    struct xm_record r = record_of(tsc, 4, 0);
    while (xm_ring_put(&in, &r, r.tsc, CURRENT) != XM_RING_LOST)
        r = record_of(++tsc, 4, 0);
    uint64_t first_lost = tsc;
    for (unsigned i = 0; i < 41; i++) {
        r = record_of(++tsc, 4, 0);
        assert_int_equal(xm_ring_put(&in, &r, r.tsc, CURRENT), XM_RING_LOST);
    }
    assert_true(xm_ring_fill_permille(&out) > 990);
    assert_int_equal(xm_ring_peek(&out, &w), XM_OK);
    xm_ring_consume(&out, w.size);
    r = record_of(++tsc, 4, 99);
    assert_int_equal(xm_ring_put(&in, &r, r.tsc, CURRENT), XM_RING_PUT);
    assert_int_equal(xm_ring_peek(&out, &w), XM_OK);
    struct xm_record got;
    size_t at = read_at(&w, 0, &got);
    if (got.event == XM_TRC_WRAP)
        at += read_at(&w, at, &got);
    assert_int_equal(got.event, XM_TRC_LOST);
    assert_int_equal(got.tsc.v, tsc);
    assert_int_equal(got.word[0], 42);
    assert_int_equal(got.word[1], CURRENT);
    assert_int_equal(got.word[2] | (uint64_t)got.word[3] << 32, first_lost);
    at += read_at(&w, at, &got);
    if (got.event == XM_TRC_WRAP)
        at += read_at(&w, at, &got);
    assert_int_equal(got.word[0], 99);
    assert_int_equal(at, w.size);
    assert_int_equal(in.lost_total, 42);
}

static void high_water(void **state)
{
    (void)state;
    struct buffer b;
    struct xm_ring_producer in;
    struct xm_ring out;
    struct xm_ring_window w;
    assert_int_equal(xm_ring_produce(&in, b.bytes, PAGES), XM_OK);
    assert_int_equal(xm_ring_attach(&out, b.bytes, PAGES), XM_OK);
    for (unsigned round = 0; round < 5; round++) {
        unsigned raised = 0, at_permille = 0;
        enum xm_ring_put put;
        uint64_t tsc = 1;
        do {
            struct xm_record r = record_of(tsc++, 5, 0);
            put = xm_ring_put(&in, &r, r.tsc, CURRENT);
            if (put == XM_RING_HIGH_WATER) {
                raised++;
                at_permille = xm_ring_fill_permille(&out);
            }
        } while (put != XM_RING_LOST);
        assert_int_equal(raised, 1);
        assert_in_range(at_permille, 499, 510);
        assert_int_equal(xm_ring_peek(&out, &w), XM_OK);
        xm_ring_consume(&out, w.size);
        in.lost = 0;
    }
}

static void bogus(void **state)
{
    (void)state;
    static const uint32_t bad[][2] = {{0, 2}, {1, 0}, {0, 2 * (PAGES * 4096 - 8)}, {4, 0}, {0, PAGES * 4096 - 4}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buffer b = {{0}};
        struct xm_ring ring;
        struct xm_ring_window w;
        assert_int_equal(xm_ring_attach(&ring, b.bytes, PAGES), XM_OK);
        atomic_store(&ring.index->cons, bad[i][0]);
        atomic_store(&ring.index->prod, bad[i][1]);
        assert_int_equal(xm_ring_peek(&ring, &w), XM_DAMAGED);
        assert_int_equal(ring.bogus, 1);
        (void)xm_ring_resync(&ring);
        atomic_store(&ring.index->prod, atomic_load(&ring.index->cons));
        assert_int_equal(xm_ring_peek(&ring, &w), XM_AGAIN);
    }
    struct buffer b;
    struct xm_ring_producer in;
    assert_int_equal(xm_ring_produce(&in, b.bytes, PAGES), XM_OK);
    atomic_store(&in.index->cons, 3);
    struct xm_record r = record_of(1, 1, 0);
    assert_int_equal(xm_ring_put(&in, &r, r.tsc, CURRENT), XM_RING_BOGUS);
}

/* Producer and consumer at once; the consumer goes through a stream, as a live source does. */
#define THREAD_RECORDS 200000u

struct pair {
    struct buffer buffer;
    struct xm_ring_producer in;
    _Atomic bool done;
};

static void *produce(void *argument)
{
    struct pair *p = argument;
    for (uint32_t i = 1; i <= THREAD_RECORDS; i++) {
        struct xm_record r = {.event = XM_TRC_CONTINUE, .has_tsc = true, .words = 1, .tsc = {i}, .word = {i}};
        (void)xm_ring_put(&p->in, &r, r.tsc, CURRENT);
    }
    atomic_store(&p->done, true);
    return NULL;
}

static uint64_t check_events(struct xm_stream *s, uint64_t *last)
{
    const struct xm_event *e;
    size_t count;
    uint64_t seen = 0;
    while (xm_stream_run(s, &e, &count) == XM_OK) {
        for (size_t i = 0; i < count; i++) {
            if (e[i].kind != XM_EV_CONTINUE)
                continue;
            assert_int_equal(e[i].word[0], e[i].tsc.v);
            assert_true(e[i].tsc.v > *last);
            *last = e[i].tsc.v;
            seen++;
        }
    }
    return seen;
}

static void two_threads(void **state)
{
    (void)state;
    struct pair *p = aligned_alloc(4096, (sizeof *p + 4095) / 4096 * 4096);
    assert_non_null(p);
    atomic_init(&p->done, false);
    struct xm_ring out;
    assert_int_equal(xm_ring_produce(&p->in, p->buffer.bytes, PAGES), XM_OK);
    assert_int_equal(xm_ring_attach(&out, p->buffer.bytes, PAGES), XM_OK);
    const struct xm_stream_config config = {.order = XM_ORDER_PROMPT};
    struct xm_stream *s = xm_stream_create(&config);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, p), 0);
    uint64_t seen = 0, last = 0;
    for (bool done = false; !done;) {
        uint32_t taken;
        done = atomic_load(&p->done);
        enum xm_status status;
        do {
            status = xm_ring_drain(&out, 5, s, &taken);
            seen += check_events(s, &last);
        } while (status == XM_OK);
        assert_int_equal(status, XM_AGAIN);
        xm_stream_pass_end(s);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* What was dropped at the very end is told only by a next record. */
    uint32_t untold = p->in.lost;
    assert_int_equal(xm_stream_finish(s), XM_OK);
    seen += check_events(s, &last);
    assert_int_equal(out.bogus, 0);
    assert_int_equal(xm_stream_stats(s)->lost_records + untold, p->in.lost_total);
    assert_int_equal(seen + p->in.lost_total, THREAD_RECORDS);
    print_message("# %u records, %lu of them dropped by a full buffer\n", THREAD_RECORDS,
                  (unsigned long)p->in.lost_total);
    xm_stream_destroy(s);
    free(p);
}

/* More in the buffer than the stream may hold: the drain goes on where it stopped. */
static void drain_goes_on(void **state)
{
    (void)state;
    enum { BIG = 64 };
    unsigned char *buffer = aligned_alloc(4096, BIG * 4096);
    struct xm_ring_producer in;
    struct xm_ring out;
    const struct xm_stream_config config = {.max_held = 4096};
    struct xm_stream *s = xm_stream_create(&config);
    assert_non_null(buffer);
    assert_int_equal(xm_ring_produce(&in, buffer, BIG), XM_OK);
    assert_int_equal(xm_ring_attach(&out, buffer, BIG), XM_OK);
    uint32_t put = 0;
    for (;;) {
        struct xm_record r = {.event = XM_TRC_CONTINUE, .has_tsc = true, .words = 1, .tsc = {put + 1}, .word = {put + 1}};
        if (xm_ring_put(&in, &r, r.tsc, CURRENT) == XM_RING_LOST)
            break;
        put++;
    }
    uint64_t seen = 0, last = 0;
    uint32_t taken;
    unsigned stops = 0;
    enum xm_status status;
    while ((status = xm_ring_drain(&out, 0, s, &taken)) == XM_FULL) {
        seen += check_events(s, &last);
        assert_true(++stops < 1000);
    }
    assert_int_equal(status, XM_OK);
    assert_true(stops > 0);
    assert_int_equal(xm_stream_finish(s), XM_OK);
    seen += check_events(s, &last);
    assert_int_equal(seen, put);
    xm_stream_destroy(s);
    free(buffer);
}

static void tinfo(void **state)
{
    (void)state;
    enum { CPUS = 9, LIST = 3 };
    bool present[CPUS];
    uint32_t frames[CPUS * LIST];
    uint32_t words[64];
    for (uint32_t i = 0; i < CPUS; i++)
        present[i] = i % 4 != 1;
    for (uint32_t i = 0; i < CPUS * LIST; i++)
        frames[i] = 0x100000u + i;
    size_t size = xm_tinfo_write(NULL, 0, CPUS, LIST, present, frames);
    assert_true(size <= sizeof words);
    assert_int_equal(xm_tinfo_write(words, sizeof words, CPUS, LIST, present, frames), size);
    struct xm_tinfo info;
    struct xm_error err = {0};
    assert_int_equal(xm_tinfo_read(&info, words, size, &err), XM_OK);
    assert_int_equal(info.pages, LIST);
    for (uint32_t cpu = 0; cpu < CPUS + 3; cpu++)
        for (uint32_t page = 0; page <= LIST; page++) {
            uint32_t frame = 0;
            bool there = cpu < CPUS && page < LIST && present[cpu];
            assert_int_equal(xm_tinfo_frame(&info, cpu, page, &frame), there);
            if (there)
                assert_int_equal(frame, frames[cpu * LIST + page]);
        }
    /* Cut anywhere: an error or fewer CPUs, never a list outside. */
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *copy = malloc(cut + 1);
        memcpy(copy, words, cut);
        xm_error_clear(&err);
        if (xm_tinfo_read(&info, copy, cut, &err) == XM_OK)
            for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
                uint32_t frame;
                (void)xm_tinfo_frame(&info, cpu, LIST - 1, &frame);
            }
        free(copy);
    }
    memset(words, 0, sizeof words);
    assert_int_equal(xm_tinfo_read(&info, words, sizeof words, &err), XM_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_and_limits), cmocka_unit_test(laps),  cmocka_unit_test(loss),
        cmocka_unit_test(high_water),       cmocka_unit_test(bogus), cmocka_unit_test(two_threads),
        cmocka_unit_test(drain_goes_on),    cmocka_unit_test(tinfo),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
