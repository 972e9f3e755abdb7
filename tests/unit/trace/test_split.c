/* SPDX-License-Identifier: MIT */
/* However the bytes of a trace are cut into pushes, the same comes out: events, counts, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

#define BYTES (256u * 1024)

struct capture {
    const char *name;
    struct xt_bytes bytes;
};

static struct capture captures[16]; /* of this test program only */

static int load(void **state)
{
    for (unsigned i = 0; xt_captures[i]; i++) {
        captures[i] = (struct capture){xt_captures[i], xt_capture(xt_captures[i])};
        if (captures[i].bytes.size > BYTES)
            captures[i].bytes.size = BYTES;
    }
    return 0;
}

static int unload(void **state)
{
    for (unsigned i = 0; captures[i].name; i++)
        xt_free(&captures[i].bytes);
    return 0;
}

static void same(const struct xt_events *a, const struct xt_events *b, const char *name, const char *how, unsigned n)
{
    size_t at = xt_first_difference(a, b);
    if (at < a->count || at < b->count)
        fail_msg("%s, %s %u: event %zu of %zu and %zu differs; %llu damages \"%s\" and %llu \"%s\"", name, how, n, at,
                 a->count, b->count, (unsigned long long)a->stats.damages, a->error.text,
                 (unsigned long long)b->stats.damages, b->error.text);
    if (memcmp(&a->stats, &b->stats, sizeof a->stats) != 0)
        fail_msg("%s, %s %u: the counts differ", name, how, n);
    if (a->ended != b->ended || a->error.status != b->error.status || a->error.offset != b->error.offset ||
        strcmp(a->error.text, b->error.text) != 0)
        fail_msg("%s, %s %u: ended %d \"%s\" and %d \"%s\"", name, how, n, a->ended, a->error.text, b->ended,
                 b->error.text);
}

static size_t fixed_pieces(void *user, size_t left)
{
    (void)left;
    return *(const size_t *)user;
}

static size_t random_pieces(void *user, size_t left)
{
    (void)left;
    return 1 + (size_t)(xt_random(user) >> (20 + xt_below(user, 40))) % 70000;
}

static void test_pieces_of_one_size(void **state)
{
    for (unsigned i = 0; captures[i].name; i++) {
        const struct xt_bytes *b = &captures[i].bytes;
        struct xt_events whole = xt_run(b->data, b->size, NULL, NULL, NULL, XT_DRAIN_AT_END);
        assert_true(whole.count > 100);
        for (size_t piece = 1; piece <= 64; piece++) {
            struct xt_events e = xt_run(b->data, b->size, NULL, fixed_pieces, &piece, XT_DRAIN_ALWAYS);
            same(&whole, &e, captures[i].name, "pieces of", (unsigned)piece);
            xt_events_free(&e);
        }
        xt_events_free(&whole);
    }
}

static void test_random_pieces(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 1);
    for (unsigned i = 0; captures[i].name; i++) {
        const struct xt_bytes *b = &captures[i].bytes;
        struct xt_events whole = xt_run(b->data, b->size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        for (unsigned k = 0; k < 30; k++) {
            struct xt_events e = xt_run(b->data, b->size, NULL, random_pieces, &r, k & 1 ? XT_DRAIN_ALWAYS : XT_DRAIN_AT_END);
            same(&whole, &e, captures[i].name, "random", k);
            xt_events_free(&e);
        }
        xt_events_free(&whole);
    }
}

/* Damage too is the same wherever a push ends, also in the middle of it.  Drained at the end, so that nothing is released early. */
static void test_damaged(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 2);
    for (unsigned i = 0; captures[i].name; i++)
        for (unsigned k = 0; k < 60; k++) {
            struct xt_bytes b = {0};
            xt_put(&b, captures[i].bytes.data, 32768);
            for (unsigned n = 0; n < 1 + k / 8; n++) {
                size_t at = (size_t)xt_below(&r, b.size / 4) * 4;
                switch (xt_below(&r, 3)) {
                case 0:
                    b.data[at + xt_below(&r, 4)] ^= (unsigned char)(1u << xt_below(&r, 8));
                    break;
                case 1:
                    memmove(b.data + at, b.data + at + 4, b.size - at - 4);
                    b.size -= 4;
                    break;
                default:
                    memset(b.data + at, (int)xt_random(&r), 4);
                }
            }
            struct xt_events whole = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_AT_END);
            for (unsigned n = 0; n < 4; n++) {
                size_t piece = n == 0 ? 1 : 2 + (size_t)xt_below(&r, 60);
                struct xt_events e = xt_run(b.data, b.size, NULL, fixed_pieces, &piece, XT_DRAIN_AT_END);
                same(&whole, &e, captures[i].name, "damaged, pieces of", (unsigned)piece);
                xt_events_free(&e);
            }
            xt_events_free(&whole);
            xt_free(&b);
        }
}

/* A clean capture shows every record once, in order, with its own time. */
static void test_events_are_the_records(void **state)
{
    for (unsigned i = 0; captures[i].name; i++) {
        struct xt_bytes b = xt_capture(captures[i].name);
        struct xt_trace t = xt_take_apart(&b);
        struct xt_events e = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        uint64_t runstates = 0, seen = 0, records = 0, first = UINT64_MAX, last = 0;
        for (size_t k = 0; k < t.records; k++) {
            const struct xt_record *r = &t.record[k];
            runstates += (r->event & 0xff00fu) == 0x21001u;
            records += r->event != 0x1f002;
            first = r->has_tsc && r->event != 0x1f002 && r->tsc < first ? r->tsc : first;
            last = r->tsc > last ? r->tsc : last;
        }
        for (size_t k = 0; k < e.count; k++) {
            seen += e.event[k].kind == XM_EV_RUNSTATE;
            if (k > 0 && (e.event[k].tsc.v < e.event[k - 1].tsc.v ||
                          (e.event[k].tsc.v == e.event[k - 1].tsc.v && e.event[k].cpu < e.event[k - 1].cpu)))
                fail_msg("%s: event %zu is out of order", captures[i].name, k);
        }
        assert_int_equal(e.ended, XM_OK);
        assert_int_equal(seen, runstates);
        assert_int_equal(e.stats.records, records);
        assert_int_equal(e.stats.bytes, b.size);
        assert_int_equal(e.stats.first_tsc.v, first);
        assert_int_equal(e.stats.last_tsc.v, last);
        assert_int_equal(e.stats.damages + e.stats.damaged_bytes + e.stats.backwards + e.stats.stragglers, 0);
        xt_events_free(&e);
        xt_trace_free(&t);
        xt_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_one_size),
        cmocka_unit_test(test_random_pieces),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_events_are_the_records),
    };
    return cmocka_run_group_tests_name("split", tests, load, unload);
}
