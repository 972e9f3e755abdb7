/* SPDX-License-Identifier: MIT */
/* In steady state nothing is allocated: malloc and its kin are counted (the linker puts these in their place). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "source/bake.h"
#include "support.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

static size_t allocations;

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

void *__wrap_realloc(void *p, size_t size)
{
    allocations++;
    return __real_realloc(p, size);
}

static enum xm_status take_sample(void *user, struct xm_bake *bake, xm_cycles now)
{
    xm_bake_sample(bake, now, true, user);
    return XM_OK;
}

static size_t feed(struct xm_bake *bake, const struct xt_bytes *b)
{
    size_t before = allocations;
    for (size_t at = 0, used; at < b->size; at += used)
        assert_int_equal(xm_bake_run(bake, b->data + at, b->size - at < 65536 ? b->size - at : 65536, &used), XM_OK);
    return allocations - before;
}

/* The counter counts. */
static void test_counter(void **state)
{
    size_t before = allocations;
    struct xm_stream *s = xm_stream_create(NULL);
    assert_true(allocations > before);
    xm_stream_destroy(s);
}

/* A capture and, as if it had gone on, the same again: by then everything has the size that it needs. */
static void test_one_long_trace(void **state)
{
    for (unsigned i = 0; xt_captures[i]; i++) {
        struct xm_sample sample;
        /* The rate is left to the trace: finding it must not allocate either. */
        const struct xm_bake_config config = {.interval_ns = 100000000, .due = take_sample, .user = &sample,
                                              .capacity = {32, 100, 8}};
        struct xm_bake *bake = xm_bake_create(&config);
        struct xt_bytes b = xt_capture(xt_captures[i]);
        struct xt_trace t = xt_take_apart(&b);
        uint64_t first = UINT64_MAX, last = 0;
        for (size_t k = 0; k < t.records; k++)
            if (t.record[k].has_tsc && t.record[k].event != 0x1f002) {
                first = t.record[k].tsc < first ? t.record[k].tsc : first;
                last = t.record[k].tsc > last ? t.record[k].tsc : last;
            }
        assert_int_equal(xm_sample_init(&sample, config.capacity), XM_OK);
        assert_true(feed(bake, &b) > 0);
        /* What is held back for ordering depends on where a push ends, so it takes more than one round to have met all. */
        for (unsigned round = 0; round < 4; round++) {
            for (size_t k = 0; k < t.records; k++)
                if (t.record[k].has_tsc) {
                    uint64_t tsc;
                    memcpy(&tsc, b.data + t.record[k].at + 4, 8);
                    tsc += last - first + 2793439;
                    memcpy(b.data + t.record[k].at + 4, &tsc, 8);
                }
            size_t count = feed(bake, &b);
            if (round >= 2 && count)
                fail_msg("%s: %zu allocations in round %u", xt_captures[i], count, round);
        }
        xm_bake_destroy(bake);
        xm_sample_fini(&sample);
        xt_trace_free(&t);
        xt_free(&b);
    }
}

/* A replay that begins again makes a new stream, which grows again: a few allocations each time, never more. */
static void test_again(void **state)
{
    struct xm_sample sample;
    const struct xm_bake_config config = {.interval_ns = 100000000, .hz = 2793439000, .due = take_sample,
                                          .user = &sample, .capacity = {32, 100, 8}};
    struct xm_bake *bake = xm_bake_create(&config);
    struct xt_bytes b = xt_capture("credit-mix");
    size_t rounds[6];
    assert_int_equal(xm_sample_init(&sample, config.capacity), XM_OK);
    for (unsigned i = 0; i < 6; i++) {
        size_t before = allocations;
        feed(bake, &b);
        assert_int_equal(xm_bake_again(bake), XM_OK);
        rounds[i] = allocations - before;
    }
    for (unsigned i = 1; i < 6; i++) {
        assert_true(rounds[i] <= rounds[1]);
        assert_true(rounds[i] < 40);
    }
    xm_bake_destroy(bake);
    xm_sample_fini(&sample);
    xt_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter),
        cmocka_unit_test(test_one_long_trace),
        cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
