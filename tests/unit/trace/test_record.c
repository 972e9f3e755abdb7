/* SPDX-License-Identifier: MIT */
/* One record, the table of event numbers, and what a hypercall record says of grant copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "trace/format.h"

/* Every shape a record can have, written and read again; what is behind it is left alone. */
static void test_round_trip(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 1);
    for (unsigned words = 0; words <= 7; words++)
        for (unsigned tsc = 0; tsc < 2; tsc++)
            for (unsigned k = 0; k < 200; k++) {
                struct xm_record in = {.event = (uint32_t)xt_random(&r) & 0x0fffffffu, .has_tsc = tsc,
                                       .words = (uint8_t)words, .tsc = {tsc ? xt_random(&r) : 0}};
                unsigned char bytes[64];
                struct xm_record out;
                size_t used;
                size_t length = 4 + 8 * tsc + 4 * words;
                for (unsigned i = 0; i < words; i++)
                    in.word[i] = (uint32_t)xt_random(&r);
                memset(bytes, 0xa5, sizeof bytes);
                for (size_t room = 0; room < length; room++)
                    assert_int_equal(xm_record_write(&in, bytes, room), 0);
                assert_int_equal(xm_record_write(&in, bytes, length), length);
                for (size_t i = length; i < sizeof bytes; i++)
                    assert_int_equal(bytes[i], 0xa5);
                for (size_t have = 0; have < length; have++) {
                    used = 77;
                    assert_int_equal(xm_record_read(bytes, have, &out, &used), XM_AGAIN);
                    assert_int_equal(used, 77);
                }
                assert_int_equal(xm_record_read(bytes, sizeof bytes, &out, &used), XM_OK);
                assert_int_equal(used, length);
                assert_int_equal(out.event, in.event);
                assert_int_equal(out.has_tsc, in.has_tsc);
                assert_int_equal(out.words, in.words);
                assert_int_equal(out.tsc.v, in.tsc.v);
                assert_memory_equal(out.word, in.word, sizeof in.word);
            }
}

static void test_write_refuses(void **state)
{
    unsigned char bytes[64];
    struct xm_record r = {.event = 0x21011, .words = 8};
    assert_int_equal(xm_record_write(&r, bytes, sizeof bytes), 0);
    r.words = 7;
    r.has_tsc = true;
    assert_int_equal(xm_record_write(&r, bytes, sizeof bytes), XM_RECORD_MAX_BYTES);
    /* Bits above the event number are the header's own. */
    r = (struct xm_record){.event = 0xf0021011u};
    assert_int_equal(xm_record_write(&r, bytes, sizeof bytes), 4);
    assert_int_equal(xm_load32(bytes), 0x21011);
}

/* Words that are known from elsewhere: doc/trace-format.md 1.3. */
static void test_header_words(void **state)
{
    struct xt_bytes b = {0};
    xt_runstate(&b, 1, 1, 0, XM_RUNNING, XM_BLOCKED);
    assert_int_equal(xm_load32(b.data), 0x90021021u);
    assert_int_equal(xm_load32(b.data + 12), 0x00010000u);
    b.size = 0;
    xt_lost(&b, 2, 5, 0x7fff, 3, 1);
    assert_int_equal(xm_load32(b.data), 0xc001f001u);
    assert_int_equal(xm_load32(b.data + 16), 0x00037fffu);
    assert_int_equal(b.size, 28);
    assert_int_equal(XM_WINDOW_HEADER, 0x2001f003u);
    assert_int_equal(XM_HEADER(XM_TRC_GRANT_MAP, 1, 1), 0x9010f001u);
    assert_int_equal(XM_HEADER(XM_TRC_DOM_REM, 1, 1), 0x90041002u);
    assert_int_equal(XM_HEADER(XM_TRC_SWITCH_INFNEXT, 4, 1), 0xc002800fu);
    assert_int_equal(XM_HEADER(XM_TRC_CONTINUE, 1, 1), 0x90021002u);
    xt_free(&b);
}

static const struct {
    uint32_t event;
    unsigned kind, words, from_to, legacy;
} known[] = {
    {0x21002, XM_EV_CONTINUE, 1, 0, 0},     {0x21011, XM_EV_RUNSTATE, 1, 1, 0},   {0x21021, XM_EV_RUNSTATE, 1, 2, 0},
    {0x21031, XM_EV_RUNSTATE, 1, 3, 0},     {0x21101, XM_EV_RUNSTATE, 1, 4, 0},   {0x21121, XM_EV_RUNSTATE, 1, 6, 0},
    {0x21131, XM_EV_RUNSTATE, 1, 7, 0},     {0x21201, XM_EV_RUNSTATE, 1, 8, 0},   {0x21211, XM_EV_RUNSTATE, 1, 9, 0},
    {0x21231, XM_EV_RUNSTATE, 1, 11, 0},    {0x21301, XM_EV_RUNSTATE, 1, 12, 0},  {0x21311, XM_EV_RUNSTATE, 1, 13, 0},
    {0x21321, XM_EV_RUNSTATE, 1, 14, 0},    {0x28001, XM_EV_SCHED_ADD, 1, 0, 0},  {0x28002, XM_EV_SCHED_REM, 1, 0, 0},
    {0x28003, XM_EV_SLEEP, 2, 0, 0},        {0x28004, XM_EV_WAKE, 2, 0, 0},       {0x28005, XM_EV_YIELD, 2, 0, 0},
    {0x28006, XM_EV_BLOCK, 2, 0, 0},        {0x2800a, XM_EV_SWITCH, 4, 0, 0},     {0x2800e, XM_EV_INFPREV, 2, 0, 0},
    {0x2800f, XM_EV_INFNEXT, 3, 0, 0},      {0x2f001, XM_EV_SCHED_ADD, 1, 0, 1},  {0x2f002, XM_EV_SCHED_REM, 1, 0, 1},
    {0x2f003, XM_EV_SLEEP, 2, 0, 1},        {0x2f004, XM_EV_WAKE, 2, 0, 1},       {0x2f005, XM_EV_YIELD, 2, 0, 1},
    {0x2f006, XM_EV_BLOCK, 2, 0, 1},        {0x2f00a, XM_EV_SWITCH, 4, 0, 1},     {0x2f00e, XM_EV_INFPREV, 2, 0, 1},
    {0x2f00f, XM_EV_INFNEXT, 3, 0, 1},      {0x41001, XM_EV_DOM_ADD, 1, 0, 0},    {0x41002, XM_EV_DOM_REM, 1, 0, 0},
    {0x10f001, XM_EV_GRANT_MAP, 1, 0, 0},   {0x10f002, XM_EV_GRANT_UNMAP, 1, 0, 0}, {0x10f003, XM_EV_TRANSFER, 1, 0, 0},
    {0x20100d, XM_EV_GRANT_COPIES, 0, 0, 0}, {0x20200e, XM_EV_GRANT_COPIES, 0, 0, 0},
};
#define KNOWN (sizeof known / sizeof known[0])

/* All of 28 bits: what is known, and nothing else. */
static void test_wanted_table(void **state)
{
    struct xm_wanted_table table;
    unsigned found = 0;
    xm_wanted_fill(&table, UINT32_MAX);
    for (uint32_t event = 0; event < 1u << 28; event++) {
        const struct xm_wanted *w = &table.entry[xm_wanted_index(event)];
        if (w->event != event)
            continue;
        found++;
        unsigned i = 0;
        while (i < KNOWN && known[i].event != event)
            i++;
        if (i == KNOWN)
            fail_msg("%#x is known", event);
        assert_int_equal(w->meta, xm_event_meta(known[i].kind, known[i].from_to, known[i].legacy));
        if (known[i].kind != XM_EV_GRANT_COPIES) /* those are looked at more closely */
            assert_int_equal(w->words, known[i].words);
    }
    assert_int_equal(found, KNOWN);
}

/* What is not wanted is not in the table; a hypercall is wanted for its copies. */
static void test_wanted_kinds(void **state)
{
    for (unsigned kind = 1; kind < XM_EV_KINDS; kind++) {
        struct xm_wanted_table table;
        unsigned found = 0, expected = 0;
        xm_wanted_fill(&table, 1u << kind);
        for (unsigned i = 0; i < 1u << XM_WANTED_BITS; i++)
            found += table.entry[i].event != UINT32_MAX;
        for (unsigned i = 0; i < KNOWN; i++)
            expected += known[i].kind == kind;
        assert_int_equal(found, expected);
    }
}

static void test_classes(void **state)
{
    static const struct {
        uint32_t event;
        const char *name;
    } cases[] = {{0x1f004, "gen"},    {0x22011, "sched"},  {0x41001, "dom0op"},  {0x81001, "hvm"},
                 {0x10f001, "mem"},   {0x20100d, "pv"},    {0x401001, "shadow"}, {0x801002, "hw"},
                 {0x8001001, "guest"}, {0x1001001, "8"}};
    /* Both ways through the decoder: the first record of a CPU goes the slow one. */
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xt_bytes b = {0};
        size_t window = xt_window_begin(&b, 0);
        for (unsigned k = 0; k < 3; k++)
            xt_record(&b, cases[i].event, 100 + k, 0, NULL);
        xt_window_end(&b, window);
        struct xt_events e = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_ALWAYS);
        for (unsigned k = 0; k < XM_CLASSES; k++)
            assert_int_equal(e.stats.by_class[k], strcmp(xm_class_name(k), cases[i].name) == 0 ? 3 : 0);
        assert_int_equal(e.stats.records, 3);
        assert_int_equal(e.ended, XM_OK);
        xt_events_free(&e);
        xt_free(&b);
    }
    for (unsigned i = 0; i < XM_CLASSES; i++)
        assert_non_null(xm_class_name(i));
    assert_null(xm_class_name(XM_CLASSES));
    assert_null(xm_class_name(UINT32_MAX));
}

static void test_plausible(void **state)
{
    assert_true(xm_event_plausible(0x21011));
    assert_true(xm_event_plausible(0x8001001));
    assert_false(xm_event_plausible(0));
    assert_false(xm_event_plausible(0x1001));   /* no class */
    assert_false(xm_event_plausible(0x31001));  /* two */
    assert_false(xm_event_plausible(0x20011));  /* no subclass */
}

/* Our notes, 3.1: the number in bits 19..0, two bits for each of the arguments, those that are there follow. */
static void test_hypercall_copies(void **state)
{
    static const struct {
        uint32_t word[6];
        unsigned words;
        uint32_t copies;
    } cases[] = {
        {{0x01100014, 5, 9}, 3, 9},                               /* grant_table_op, 32-bit arguments 0 and 2 */
        {{20 | 2u << 20 | 2u << 24, 5, 0, 9, 0}, 5, 9},           /* both 64-bit */
        {{20 | 2u << 20 | 1u << 24, 5, 0, 7}, 4, 7},              /* mixed */
        {{20 | 1u << 20 | 2u << 24, 5, 3, 0}, 4, 3},
        {{20 | 1u << 20 | 1u << 22 | 1u << 24, 5, 99, 4}, 4, 4},  /* argument 1 too */
        {{20 | 1u << 20 | 2u << 22 | 1u << 24, 5, 99, 0, 4}, 5, 4},
        {{0x01100014, 0, 9}, 3, 0},                               /* map */
        {{0x01100014, 1, 9}, 3, 0},                               /* unmap */
        {{29 | 1u << 20 | 1u << 24, 5, 9}, 3, 0},                 /* another hypercall */
        {{0x01100014, 5}, 2, 0},                                  /* cut short */
        {{0x01100014}, 1, 0},
        {{20}, 1, 0},                                             /* no arguments at all */
        {{20 | 1u << 24, 9}, 2, 0},                               /* no command */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (xm_hypercall_copies(cases[i].word, cases[i].words) != cases[i].copies)
            fail_msg("case %u: %u", i, xm_hypercall_copies(cases[i].word, cases[i].words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_write_refuses), cmocka_unit_test(test_header_words),
        cmocka_unit_test(test_wanted_table), cmocka_unit_test(test_wanted_kinds),  cmocka_unit_test(test_classes),
        cmocka_unit_test(test_plausible),    cmocka_unit_test(test_hypercall_copies),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
