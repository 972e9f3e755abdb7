/* SPDX-License-Identifier: MIT */
/* Alarms ring by (time, priority, order of setting), whatever has been moved and cancelled before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/engine.h"
#include "support.h"

#define ALARMS     300u
#define OPERATIONS 100000u

/* What is known of an alarm beside the engine. */
struct bell {
    struct xm_alarm alarm;
    struct tower *tower;
    bool set;
    uint64_t when, order;
    unsigned priority;
};

struct tower {
    struct xm_engine *e;
    struct bell bell[ALARMS];
    struct bell *rang[ALARMS];
    unsigned count;
    uint64_t order;
};

static void ring(void *user)
{
    struct bell *b = user;
    assert_false(xm_alarm_is_set(&b->alarm));
    assert_int_equal(xm_engine_now(b->tower->e), b->when);
    if (b->tower->count < ALARMS)
        b->tower->rang[b->tower->count++] = b;
    b->set = false;
}

static void begin(struct tower *t)
{
    memset(t, 0, sizeof *t);
    t->e = xm_engine_create();
    assert_non_null(t->e);
    for (unsigned i = 0; i < ALARMS; i++) {
        t->bell[i].tower = t;
        t->bell[i].priority = i % 3;
        xm_alarm_init(&t->bell[i].alarm, (enum xm_alarm_priority)(i % 3), ring, &t->bell[i]);
    }
}

static void set(struct tower *t, unsigned i, uint64_t when)
{
    struct bell *b = &t->bell[i];
    b->set = when != XM_SIM_NEVER;
    b->when = when;
    b->order = ++t->order;
    xm_alarm_set(t->e, &b->alarm, when);
    assert_int_equal(xm_alarm_is_set(&b->alarm), b->set);
}

static bool sooner(const struct bell *a, const struct bell *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    return a->priority != b->priority ? a->priority < b->priority : a->order < b->order;
}

static struct bell *first(struct tower *t)
{
    struct bell *best = NULL;
    for (unsigned i = 0; i < ALARMS; i++)
        if (t->bell[i].set && (!best || sooner(&t->bell[i], best)))
            best = &t->bell[i];
    return best;
}

/* At one instant: the lower priority first, then who was set first; setting one again puts it last. */
static void test_ties(void **state)
{
    struct tower t;
    begin(&t);
    const unsigned order[] = {5, 2, 4, 1, 3, 0, 1};
    for (unsigned i = 0; i < 7; i++)
        set(&t, order[i], 1000);
    assert_int_equal(xm_engine_next(t.e), 1000);
    assert_false(xm_engine_step(t.e, 999));
    assert_int_equal(xm_engine_now(t.e), 999);
    while (xm_engine_step(t.e, 1000))
        ;
    const unsigned rings[] = {3, 0, 4, 1, 5, 2};
    assert_int_equal(t.count, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_ptr_equal(t.rang[i], &t.bell[rings[i]]);
    assert_int_equal(xm_engine_next(t.e), XM_SIM_NEVER);
    xm_engine_destroy(t.e);
}

static void test_cancel(void **state)
{
    struct tower t;
    begin(&t);
    set(&t, 0, 10);
    set(&t, 1, 20);
    xm_alarm_cancel(t.e, &t.bell[0].alarm);
    xm_alarm_cancel(t.e, &t.bell[0].alarm);
    set(&t, 1, XM_SIM_NEVER);
    assert_int_equal(xm_engine_next(t.e), XM_SIM_NEVER);
    assert_false(xm_engine_step(t.e, 100));
    assert_int_equal(t.count, 0);
    assert_int_equal(xm_engine_status(t.e), XM_OK);
    set(&t, 2, 200);
    xm_engine_destroy(t.e);
    assert_false(xm_alarm_is_set(&t.bell[2].alarm)); /* forgotten */
}

static void step(struct tower *t, uint64_t until)
{
    struct bell *due = first(t);
    assert_int_equal(xm_engine_next(t->e), due ? due->when : XM_SIM_NEVER);
    t->count = 0;
    bool rang = xm_engine_step(t->e, until);
    assert_int_equal(rang, due && due->when <= until);
    if (rang)
        assert_ptr_equal(t->rang[0], due);
    else
        assert_int_equal(xm_engine_now(t->e), until);
}

static void test_random(void **state)
{
    static struct tower t;
    struct xm_rng rng;
    xm_rng_seed(&rng, xt_seed(), 'e');
    begin(&t);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t now = xm_engine_now(t.e);
        unsigned which = (unsigned)xm_rng_below(&rng, ALARMS);
        switch (xm_rng_below(&rng, 8)) {
        case 0:
            t.bell[which].set = false;
            xm_alarm_cancel(t.e, &t.bell[which].alarm);
            break;
        case 1:
        case 2:
        case 3:
            step(&t, now + xm_rng_below(&rng, 4));
            break;
        default: /* near, so that there are many ties */
            set(&t, which, now + xm_rng_below(&rng, 1 + 30 * xm_rng_below(&rng, 2)));
        }
    }
    xm_engine_destroy(t.e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ties), cmocka_unit_test(test_cancel),
                                       cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("sim engine", tests, NULL, NULL);
}
