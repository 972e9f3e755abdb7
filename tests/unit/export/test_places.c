/* SPDX-License-Identifier: MIT */
/* Few places for what is dear, by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "export/places.h"
#include "xenmon/units.h"

#define S    XM_NS_PER_S
#define MOST 2u

static bool take(struct xm_places *places, unsigned who, uint64_t now_ns)
{
    uint8_t key[XM_PLACES_KEY] = {0};
    memcpy(key, &who, sizeof who);
    return xm_places_take(places, MOST, key, now_ns);
}

static void nobody_else_no_waiting(void **state)
{
    struct xm_places places = {0};
    assert_true(take(&places, 1, S));
    assert_true(take(&places, 1, S));
    assert_false(take(&places, 1, S));
    xm_places_give_back(&places);
    assert_true(take(&places, 1, S)); /* it was sent away itself, and nobody was before it */
}

static void two_that_never_pause_do_not_keep_a_third_out(void **state)
{
    struct xm_places places = {0};
    assert_true(take(&places, 1, S));
    assert_true(take(&places, 2, S));
    assert_false(take(&places, 3, S));
    xm_places_give_back(&places);
    assert_false(take(&places, 1, S + 1)); /* at once, but the third one was first */
    assert_true(take(&places, 3, 2 * S));
    assert_false(take(&places, 2, 2 * S));
    xm_places_give_back(&places); /* 2's */
    assert_false(take(&places, 2, 2 * S + 1));
    assert_true(take(&places, 1, 2 * S + 2)); /* sent away before 2 was */
    xm_places_give_back(&places);
    assert_true(take(&places, 2, 2 * S + 3));
}

static void of_two_free_places_one_is_kept(void **state)
{
    struct xm_places places = {0};
    assert_true(take(&places, 1, S));
    assert_true(take(&places, 1, S));
    assert_false(take(&places, 3, S));
    xm_places_give_back(&places);
    xm_places_give_back(&places);
    assert_true(take(&places, 1, S));
    assert_false(take(&places, 1, S));
    assert_true(take(&places, 3, S));
}

static void who_does_not_come_again_keeps_nothing(void **state)
{
    struct xm_places places = {0};
    assert_true(take(&places, 1, S));
    assert_true(take(&places, 1, S));
    assert_false(take(&places, 3, S));
    assert_false(take(&places, 3, 2 * S));
    xm_places_give_back(&places);
    assert_false(take(&places, 1, 2 * S + XM_PLACES_WAIT_NS));
    assert_true(take(&places, 1, 2 * S + XM_PLACES_WAIT_NS + 1));
}

static void a_crowd_has_its_bound(void **state)
{
    struct xm_places places = {0};
    assert_true(take(&places, 1, S));
    assert_true(take(&places, 2, S));
    for (unsigned who = 3; who < 1000; who++)
        assert_false(take(&places, who, S));
    xm_places_give_back(&places);
    unsigned got = 0;
    for (unsigned who = 3; who < 1000; who++)
        got += take(&places, who, S + 1);
    assert_in_range(got, 0, 1);
    unsigned again = 0; /* when all have given up */
    for (unsigned who = 3; who < 1000; who++)
        again += take(&places, who, 10 * S);
    assert_int_equal(got + again, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_else_no_waiting),
        cmocka_unit_test(two_that_never_pause_do_not_keep_a_third_out),
        cmocka_unit_test(of_two_free_places_one_is_kept),
        cmocka_unit_test(who_does_not_come_again_keeps_nothing),
        cmocka_unit_test(a_crowd_has_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
