/* SPDX-License-Identifier: MIT */
/* The fixed records of Xen 3.0 and 3.1: 36 bytes from a 32-bit Xen, 60 from a 64-bit one (doc/trace-format.md 1.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "trace/format.h"

struct fixed {
    uint32_t cpu;
    uint64_t tsc;
    uint32_t event;
    uint32_t word[5];
};

/* What a 64-bit Xen leaves between and above the words is whatever was there. */
static void put(struct xt_bytes *b, unsigned bits, const struct fixed *r)
{
    xt_put32(b, r->cpu);
    xt_put64(b, r->tsc);
    xt_put32(b, r->event);
    if (bits == 64)
        xt_put32(b, 0xdeadbeef);
    for (unsigned i = 0; i < 5; i++)
        if (bits == 64)
            xt_put64(b, r->word[i]);
        else
            xt_put32(b, r->word[i]);
}

#define SWITCH(cpu, tsc, d, v, e, w) {cpu, tsc, 0x2f00a, {d, v, e, w, 77}}

static const struct fixed sample[] = {
    SWITCH(0, 1000, 32767, 0, 1, 0),
    {0, 1010, 0x2f004, {2, 0, 0, 0, 0}},
    {1, 1005, 0x2f006, {3, 1, 0, 0, 0}},
    SWITCH(1, 1006, 3, 1, 32767, 1),
    {0, 2000, 0x2f00e, {1, 990, 0, 0, 0}},
    {0, 2001, 0x2f00f, {2, 5, 30000000, 0, 0}},
    SWITCH(0, 2002, 1, 0, 2, 0),
    {0, 2010, 0x10f003, {2, 0, 0, 0, 0}},
    {0, 2020, 0xaf001, {2, 0, 0, 0, 0}},
    {0, 2021, 0xaf002, {2, 0, 0, 0, 0}},
    {0, 2022, 0xaf003, {4, 0, 0, 0, 0}},
    {1, 2030, 0x81001, {9, 9, 9, 9, 9}}, /* of no interest */
};
#define SAMPLES (sizeof sample / sizeof sample[0])

static const struct {
    unsigned kind, words;
    uint64_t tsc;
} expected[] = {
    {XM_EV_SWITCH, 4, 1000},  {XM_EV_BLOCK, 2, 1005},     {XM_EV_SWITCH, 4, 1006}, {XM_EV_WAKE, 2, 1010},
    {XM_EV_INFPREV, 2, 2000}, {XM_EV_INFNEXT, 3, 2001},   {XM_EV_SWITCH, 4, 2002}, {XM_EV_TRANSFER, 1, 2010},
    {XM_EV_GRANT_MAP, 1, 2020}, {XM_EV_GRANT_UNMAP, 1, 2021}, {XM_EV_TRANSFER, 1, 2022},
};

static struct xt_bytes written(unsigned bits)
{
    struct xt_bytes b = {0};
    for (size_t i = 0; i < SAMPLES; i++)
        put(&b, bits, &sample[i]);
    return b;
}

static size_t pieces(void *user, size_t left)
{
    (void)left;
    return *(const size_t *)user;
}

static void test_both_sizes(void **state)
{
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        struct xt_bytes b = written(bits);
        for (size_t piece = 1; piece <= 130; piece++) {
            struct xt_events e = xt_run(b.data, b.size, NULL, pieces, &piece, XT_DRAIN_ALWAYS);
            assert_int_equal(e.ended, XM_OK);
            assert_true(e.stats.fixed_format);
            assert_int_equal(e.stats.records, SAMPLES);
            assert_int_equal(e.stats.cpus, 2);
            assert_int_equal(e.stats.bytes, b.size);
            assert_int_equal(e.stats.first_tsc.v, 1000);
            assert_int_equal(e.stats.last_tsc.v, 2030);
            assert_true(e.stats.seen_mem);
            assert_false(e.stats.seen_pv);
            assert_int_equal(e.count, sizeof expected / sizeof expected[0]);
            for (size_t i = 0; i < e.count; i++) {
                assert_int_equal(e.event[i].kind, expected[i].kind);
                assert_int_equal(e.event[i].words, expected[i].words);
                assert_int_equal(e.event[i].tsc.v, expected[i].tsc);
                assert_int_equal(e.event[i].legacy, 1);
            }
            assert_int_equal(e.event[2].word[2], 32767);
            assert_int_equal(e.event[5].word[2], 30000000);
            assert_int_equal(e.event[10].word[0], 4);
            xt_events_free(&e);
        }
        xt_free(&b);
    }
}

/* Fewer records than the first look at a file would like to see. */
static void test_short_files(void **state)
{
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        size_t size = bits == 32 ? 36 : 60;
        struct xt_bytes b = written(bits);
        for (size_t records = 1; records <= 6; records++) {
            struct xt_events e = xt_run(b.data, records * size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
            assert_int_equal(e.ended, XM_OK);
            assert_int_equal(e.stats.records, records);
            assert_int_equal(e.count, records);
            xt_events_free(&e);
        }
        xt_free(&b);
    }
}

static void test_torn_end(void **state)
{
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        size_t size = bits == 32 ? 36 : 60;
        struct xt_bytes b = written(bits);
        for (size_t cut = size; cut < b.size; cut++) {
            if (bits == 32 && cut == 60)
                continue; /* looks like one whole record of a 64-bit Xen */
            struct xt_events e = xt_run(b.data, cut, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
            assert_int_equal(e.stats.records, cut / size);
            assert_int_equal(e.ended, cut % size ? XM_DAMAGED : XM_OK);
            if (cut % size) {
                assert_int_equal(e.error.offset, cut);
                assert_non_null(strstr(e.error.text, "record"));
            }
            xt_events_free(&e);
        }
        xt_free(&b);
    }
}

/* LOST_RECORDS of 3.0.3 to 3.1: the count alone; the gap is from the CPU's last record to this one. */
static void test_lost(void **state)
{
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        static const struct fixed records[] = {
            SWITCH(0, 1000, 32767, 0, 1, 0), SWITCH(1, 1001, 32767, 1, 2, 0),
            {0, 3000, 0x1f001, {25, 0, 0, 0, 0}}, SWITCH(0, 3001, 1, 0, 32767, 0),
            SWITCH(1, 3002, 2, 0, 32767, 1),
        };
        struct xt_bytes b = {0};
        for (size_t i = 0; i < 5; i++)
            put(&b, bits, &records[i]);
        struct xt_events e = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        assert_int_equal(e.count, 6);
        assert_int_equal(e.event[1].kind, XM_EV_GAP_OPEN);
        assert_int_equal(e.event[1].tsc.v, 1000);
        assert_int_equal(e.event[1].cpu, 0);
        assert_int_equal(e.event[3].kind, XM_EV_GAP_CLOSE);
        assert_int_equal(e.event[3].tsc.v, 3000);
        assert_int_equal(e.event[3].word[0], 25);
        assert_true(e.event[3].word[1] == XM_NO_DOM);
        assert_int_equal(e.stats.lost_records, 25);
        assert_int_equal(e.stats.records, 5);
        xt_events_free(&e);
        xt_free(&b);
    }
}

/* One record of nonsense: left out, and what it may have hidden is a gap on every CPU. */
static void test_nonsense_record(void **state)
{
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        size_t size = bits == 32 ? 36 : 60;
        struct xt_bytes b = {0};
        for (unsigned i = 0; i < 12; i++) {
            struct fixed r = SWITCH(i % 2, 1000 + i, 32767, i % 2, 1, 0);
            if (i == 8)
                r.event = 0xffffffff;
            put(&b, bits, &r);
        }
        struct xt_events e = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        assert_int_equal(e.ended, XM_DAMAGED);
        assert_int_equal(e.error.offset, 8 * size);
        assert_int_equal(e.stats.damaged_bytes, size);
        assert_int_equal(e.stats.damages, 1);
        assert_int_equal(e.stats.records, 11);
        unsigned open = 0, closed = 0;
        for (size_t i = 0; i < e.count; i++) {
            open += e.event[i].kind == XM_EV_GAP_OPEN;
            closed += e.event[i].kind == XM_EV_GAP_CLOSE;
        }
        assert_int_equal(open, 2);
        assert_int_equal(closed, 2);
        assert_int_equal(e.count, 11 + 4);
        xt_events_free(&e);
        xt_free(&b);
    }
}

static void test_times(void **state)
{
    const struct xm_stream_config config = {.max_jump = {10000}, .shift = {500}};
    struct xt_bytes b = {0};
    static const uint64_t tsc[] = {1000, 1100, 1050, 900000, 1200, 1300, 800000, 800100};
    for (unsigned i = 0; i < 8; i++) {
        struct fixed r = SWITCH(0, tsc[i], 32767, 0, 1, 0);
        put(&b, 32, &r);
    }
    struct xt_events e = xt_run(b.data, b.size, &config, NULL, NULL, XT_DRAIN_ALWAYS);
    static const uint64_t want[] = {1500, 1600, 1600, 1600, 1700, 1700, 1800, 1800, 800600, 800600};
    assert_int_equal(e.count, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(e.event[i].tsc.v, want[i]);
    assert_int_equal(e.stats.backwards, 1);
    assert_int_equal(e.stats.damages, 2);
    assert_int_equal(e.error.offset, 3 * 36);
    xt_events_free(&e);
    xt_free(&b);
}

/* With one CPU nothing marks a pass; long runs of one CPU must be released all the same. */
static void test_bounded(void **state)
{
    const struct xm_stream_config config = {.max_held = 100000};
    struct xm_stream *s = xm_stream_create(&config);
    uint64_t tsc = 1000;
    size_t out = 0, in = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct xt_bytes b = {0};
        const struct xm_event *event;
        size_t used, count;
        for (unsigned k = 0; k < 500; k++, in++) {
            struct fixed r = SWITCH(0, tsc++, 32767, 0, 1, 0);
            put(&b, 32, &r);
        }
        assert_int_equal(xm_stream_push(s, b.data, b.size, &used), XM_OK);
        assert_int_equal(used, b.size);
        while (xm_stream_run(s, &event, &count) == XM_OK)
            out += count;
        xt_free(&b);
    }
    assert_true(in - out < 3 * 4096 + 500);
    xm_stream_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sizes), cmocka_unit_test(test_short_files),     cmocka_unit_test(test_torn_end),
        cmocka_unit_test(test_lost),       cmocka_unit_test(test_nonsense_record), cmocka_unit_test(test_times),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests_name("fixed", tests, NULL, NULL);
}
