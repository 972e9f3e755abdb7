/* SPDX-License-Identifier: MIT */
/* Turns: one at a time, and who was sent away goes before who was not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

/* Its insides: when somebody waits is not to be seen from without. */
#include "../../../src/export/turns.c"

struct asker {
    struct xm_turns *turns;
    uint8_t key[XM_TURNS_KEY];
    pthread_t thread;
    bool got;
};

static void *ask(void *user)
{
    struct asker *a = user;
    a->got = xm_turns_take(a->turns, a->key);
    return NULL;
}

/* Returns once it waits; false: it did not within some seconds. */
static bool begin_to_wait(struct asker *a, struct xm_turns *turns, uint8_t name)
{
    *a = (struct asker){.turns = turns, .key = {name}};
    pthread_mutex_lock(&turns->lock);
    uint64_t before = turns->waiting ? turns->waiter : 0;
    pthread_mutex_unlock(&turns->lock);
    if (pthread_create(&a->thread, NULL, ask, a) != 0)
        return false;
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&turns->lock);
        bool waits = turns->waiting && turns->waiter != before;
        pthread_mutex_unlock(&turns->lock);
        if (waits)
            return true;
        usleep(1000);
    }
    return false;
}

static bool ended_with(struct asker *a)
{
    pthread_join(a->thread, NULL);
    return a->got;
}

static bool takes(struct xm_turns *turns, uint8_t name)
{
    uint8_t key[XM_TURNS_KEY] = {name};
    return xm_turns_take(turns, key);
}

static void one_has_it_and_one_waits(void **state)
{
    struct asker b;
    struct xm_turns *turns = xm_turns_create();
    assert_non_null(turns);
    assert_true(takes(turns, 'a'));
    xm_turns_give_back(turns);
    assert_true(takes(turns, 'a'));
    assert_true(begin_to_wait(&b, turns, 'b'));
    assert_false(takes(turns, 'c'));
    assert_false(takes(turns, 'a'));
    assert_false(takes(turns, 'b'));
    xm_turns_give_back(turns);
    assert_true(ended_with(&b));
    xm_turns_give_back(turns);
    xm_turns_destroy(turns);
    xm_turns_destroy(NULL);
}

static void who_was_sent_away_goes_first(void **state)
{
    struct asker a, b, c, d;
    struct xm_turns *turns = xm_turns_create();
    assert_true(takes(turns, 'a'));
    assert_true(begin_to_wait(&b, turns, 'b'));
    assert_false(takes(turns, 'c'));
    assert_false(takes(turns, 'd'));
    xm_turns_give_back(turns);
    assert_true(ended_with(&b));
    assert_true(begin_to_wait(&a, turns, 'a')); /* it had a turn, and is new again */
    assert_true(begin_to_wait(&d, turns, 'd'));
    assert_false(ended_with(&a));
    assert_true(begin_to_wait(&c, turns, 'c')); /* sent away before d was */
    assert_false(ended_with(&d));
    assert_false(takes(turns, 'd'));
    assert_false(takes(turns, 'a'));
    xm_turns_give_back(turns);
    assert_true(ended_with(&c));
    xm_turns_give_back(turns);
    xm_turns_destroy(turns);
}

/* One address with many connections keeps no other out, not even at its first try. */
static void who_has_the_turn_comes_last(void **state)
{
    struct asker again, b;
    struct xm_turns *turns = xm_turns_create();
    assert_true(takes(turns, 'a'));
    assert_true(begin_to_wait(&again, turns, 'a'));
    assert_false(takes(turns, 'a'));
    assert_true(begin_to_wait(&b, turns, 'b'));
    assert_false(ended_with(&again));
    xm_turns_give_back(turns);
    assert_true(ended_with(&b));
    xm_turns_give_back(turns);
    xm_turns_destroy(turns);
}

/* However many are sent away, a few of them can be known; the turn goes on. */
static void a_crowd_is_sent_away(void **state)
{
    struct asker b;
    struct xm_turns *turns = xm_turns_create();
    assert_true(takes(turns, 'a'));
    assert_true(begin_to_wait(&b, turns, 'b'));
    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t key[XM_TURNS_KEY] = {'x', (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16)};
        assert_false(xm_turns_take(turns, key));
    }
    xm_turns_give_back(turns);
    assert_true(ended_with(&b));
    xm_turns_give_back(turns);
    assert_true(takes(turns, 'c'));
    xm_turns_give_back(turns);
    xm_turns_destroy(turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_has_it_and_one_waits),
        cmocka_unit_test(who_was_sent_away_goes_first),
        cmocka_unit_test(who_has_the_turn_comes_last),
        cmocka_unit_test(a_crowd_is_sent_away),
    };
    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
