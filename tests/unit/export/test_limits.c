/* SPDX-License-Identifier: MIT */
/* Connections and requests by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "export/limits.h"
#include "xenmon/units.h"

#define S XM_NS_PER_S

static struct sockaddr_storage from(const char *text)
{
    struct sockaddr_storage a = {0};
    if (strchr(text, ':')) {
        a.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)(void *)&a)->sin6_addr), 1);
    } else {
        a.ss_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &((struct sockaddr_in *)(void *)&a)->sin_addr), 1);
    }
    return a;
}

static bool take(struct xm_limits *l, const char *address, unsigned cost, uint64_t now_ns, unsigned *wait_s)
{
    struct sockaddr_storage a = from(address);
    return xm_limits_take(l, (const struct sockaddr *)&a, XM_LIMITS_STRANGER, cost, now_ns, wait_s);
}

/* With no rate that counts: when does not matter. */
static bool admits(struct xm_limits *l, const struct sockaddr *address)
{
    return xm_limits_admits(l, address, S) == XM_LIMITS_YES;
}

static void a_bucket_fills_and_empties(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){4, 2, 10, 5});
    unsigned wait_s = 0;
    for (int i = 0; i < 5; i++)
        assert_true(take(l, "192.0.2.1", 1, 100 * S, &wait_s));
    assert_false(take(l, "192.0.2.1", 1, 100 * S, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_true(take(l, "192.0.2.2", 1, 100 * S, &wait_s)); /* somebody else's is full */
    assert_false(take(l, "192.0.2.1", 1, 100 * S + S / 10 - 1, &wait_s));
    assert_true(take(l, "192.0.2.1", 1, 100 * S + S / 10, &wait_s));
    assert_false(take(l, "192.0.2.1", 1, 100 * S + S / 10, &wait_s));
    /* It never holds more than a burst, however long nobody came. */
    for (int i = 0; i < 5; i++)
        assert_true(take(l, "192.0.2.1", 1, 100000 * S, &wait_s));
    assert_false(take(l, "192.0.2.1", 1, 100000 * S, &wait_s));
    xm_limits_destroy(l);
}

static void many_small_steps_lose_nothing(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){4, 2, 10, 5});
    unsigned wait_s;
    unsigned done = 0;
    for (uint64_t ms = 0; ms < 10000; ms++)
        done += take(l, "192.0.2.1", 1, S + ms * S / 1000, &wait_s);
    assert_in_range(done, 104, 105); /* the burst of 5, and 10 a second for 10 seconds */
    xm_limits_destroy(l);
}

static void a_charge_is_a_debt_with_an_end(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){4, 2, 10, 5});
    struct sockaddr_storage a = from("192.0.2.1");
    unsigned wait_s;
    for (int i = 0; i < 100; i++)
        xm_limits_charge(l, (const struct sockaddr *)&a, XM_LIMITS_STRANGER, 10, S);
    assert_false(take(l, "192.0.2.1", 1, S, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_false(take(l, "192.0.2.1", 1, S + S / 2, &wait_s));
    assert_true(take(l, "192.0.2.1", 1, S + 6 * S / 10,
                     &wait_s)); /* a burst of debt is 0.5 s, and one request 0.1 s */
    xm_limits_destroy(l);
}

static void who_is_known_does_not_pay_for_strangers(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){4, 2, 10, 5});
    struct sockaddr_storage a = from("192.0.2.1");
    const struct sockaddr *one = (const struct sockaddr *)&a;
    unsigned wait_s;
    xm_limits_charge(l, one, XM_LIMITS_STRANGER, 10, S);
    assert_false(take(l, "192.0.2.1", 1, S, &wait_s));
    for (int i = 0; i < 5; i++)
        assert_true(xm_limits_take(l, one, XM_LIMITS_KNOWN, 1, S, &wait_s));
    assert_false(xm_limits_take(l, one, XM_LIMITS_KNOWN, 1, S, &wait_s)); /* it has a bound all the same */
    assert_true(take(l, "192.0.2.1", 1, 3 * S, &wait_s));
    xm_limits_destroy(l);
}

static void no_rate_is_no_limit(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){4, 2, 0, 1});
    unsigned wait_s;
    for (int i = 0; i < 1000; i++)
        assert_true(take(l, "192.0.2.1", 1, S, &wait_s));
    xm_limits_destroy(l);
}

static void connections_have_bounds(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){3, 2, 0, 1});
    struct sockaddr_storage a = from("192.0.2.1");
    struct sockaddr_storage b = from("192.0.2.2");
    const struct sockaddr *one = (const struct sockaddr *)&a;
    const struct sockaddr *two = (const struct sockaddr *)&b;
    assert_true(admits(l, one));
    assert_true(xm_limits_open(l, one));
    assert_true(xm_limits_open(l, one));
    assert_false(admits(l, one));
    assert_true(admits(l, two));
    assert_true(xm_limits_open(l, two));
    assert_false(admits(l, two)); /* three in all */
    assert_false(admits(l, NULL));
    xm_limits_close(l, one);
    assert_true(admits(l, NULL)); /* a Unix socket */
    assert_int_equal(xm_limits_connections(l), 2);
    xm_limits_destroy(l);
}

static void a_crowd_leaves_this_machine_its_places(void **state)
{
    static const char *const here[] = {"127.0.0.1", "::1", "::ffff:127.0.0.9"};
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){16, 4, 0, 1});
    char text[32];
    unsigned opened = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "192.0.2.%d", 1 + i % 10);
        struct sockaddr_storage a = from(text);
        if (admits(l, (const struct sockaddr *)&a))
            opened += xm_limits_open(l, (const struct sockaddr *)&a);
    }
    assert_int_equal(opened, 12);
    for (unsigned i = 0; i < 3; i++) {
        struct sockaddr_storage a = from(here[i]);
        assert_int_equal(xm_limits_admits(l, (const struct sockaddr *)&a, S),
                         i < 2 ? XM_LIMITS_YES : XM_LIMITS_FULL);
        if (i < 2)
            assert_true(xm_limits_open(l, (const struct sockaddr *)&a));
    }
    for (int i = 0; i < 2; i++) {
        assert_true(admits(l, NULL));
        assert_true(xm_limits_open(l, NULL));
    }
    assert_false(admits(l, NULL)); /* the whole is full */
    struct sockaddr_storage a = from("192.0.2.1");
    xm_limits_close(l, NULL);
    assert_false(admits(l, (const struct sockaddr *)&a));
    assert_true(admits(l, NULL));
    xm_limits_close(l, (const struct sockaddr *)&a);
    assert_true(admits(l, (const struct sockaddr *)&a));
    xm_limits_destroy(l);
}

static void streams_of_an_address_have_a_bound(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){16, 4, 0, 1});
    struct sockaddr_storage a = from("192.0.2.1");
    struct sockaddr_storage b = from("192.0.2.2");
    const struct sockaddr *one = (const struct sockaddr *)&a;
    for (int i = 0; i < 2; i++)
        assert_true(xm_limits_open_stream(l, one, 2));
    assert_false(xm_limits_open_stream(l, one, 2));
    assert_true(xm_limits_open_stream(l, (const struct sockaddr *)&b, 2));
    xm_limits_close_stream(l, one);
    assert_true(xm_limits_open_stream(l, one, 2));
    assert_false(xm_limits_open_stream(l, one, 2));
    for (int i = 0; i < 10; i++)
        assert_true(xm_limits_open_stream(l, NULL, 2));
    xm_limits_destroy(l);
}

static void what_is_here_is_told_from_what_is_not(void **state)
{
    static const struct {
        const char *address;
        enum xm_limits_origin origin;
    } cases[] = {{"127.0.0.1", XM_LIMITS_LOOPBACK},       {"127.255.1.2", XM_LIMITS_LOOPBACK},
                 {"128.0.0.1", XM_LIMITS_FOREIGN},        {"::1", XM_LIMITS_LOOPBACK},
                 {"::ffff:127.0.0.1", XM_LIMITS_LOOPBACK}, {"::ffff:10.0.0.1", XM_LIMITS_FOREIGN},
                 {"::2", XM_LIMITS_FOREIGN},              {"7f00::1", XM_LIMITS_FOREIGN}};
    struct sockaddr unix_one = {.sa_family = AF_UNIX};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage a = from(cases[i].address);
        assert_int_equal(xm_limits_origin((const struct sockaddr *)&a), cases[i].origin);
    }
    assert_int_equal(xm_limits_origin(NULL), XM_LIMITS_UNIX);
    assert_int_equal(xm_limits_origin(&unix_one), XM_LIMITS_UNIX);
}

static void new_connections_have_a_rate(void **state)
{ /* of four times as many as requests */
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){100, 3, 10, 5});
    struct sockaddr_storage a = from("192.0.2.1");
    struct sockaddr_storage b = from("192.0.2.2");
    const struct sockaddr *one = (const struct sockaddr *)&a;
    unsigned wait_s;
    for (int i = 0; i < 20; i++)
        assert_int_equal(xm_limits_admits(l, one, S), XM_LIMITS_YES);
    assert_int_equal(xm_limits_admits(l, one, S), XM_LIMITS_FAST);
    assert_int_equal(xm_limits_admits(l, (const struct sockaddr *)&b, S), XM_LIMITS_YES);
    assert_true(take(l, "192.0.2.1", 5, S, &wait_s)); /* requests have one of their own */
    assert_int_equal(xm_limits_admits(l, one, S + S / 40), XM_LIMITS_YES);
    assert_int_equal(xm_limits_admits(l, one, S + S / 40), XM_LIMITS_FAST);
    /* Those that are turned away for another reason count too. */
    for (int i = 0; i < 3; i++)
        assert_true(xm_limits_open(l, one));
    assert_int_equal(xm_limits_held(l, one), 3);
    assert_int_equal(xm_limits_held(l, (const struct sockaddr *)&b), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(xm_limits_admits(l, one, 10 * S), XM_LIMITS_MANY);
    assert_int_equal(xm_limits_admits(l, one, 10 * S), XM_LIMITS_FAST);
    xm_limits_destroy(l);
}

static void addresses_of_one_network_are_one(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){9, 1, 0, 1});
    struct sockaddr_storage a = from("2001:db8:1:2::1");
    struct sockaddr_storage b = from("2001:db8:1:2:ffff::9");
    struct sockaddr_storage c = from("2001:db8:1:3::1");
    struct sockaddr_storage mapped = from("::ffff:192.0.2.1");
    struct sockaddr_storage plain = from("192.0.2.1");
    assert_true(xm_limits_open(l, (const struct sockaddr *)&a));
    assert_false(admits(l, (const struct sockaddr *)&b));
    assert_true(admits(l, (const struct sockaddr *)&c));
    assert_true(xm_limits_open(l, (const struct sockaddr *)&mapped));
    assert_false(admits(l, (const struct sockaddr *)&plain));
    xm_limits_destroy(l);
}

/* More addresses than places: whoever has a connection keeps its place, and is still counted right. */
static void a_flood_of_addresses_pushes_nobody_out(void **state)
{
    struct xm_limits *l = xm_limits_create(&(struct xm_limits_config){100, 2, 10, 5});
    struct sockaddr_storage a = from("192.0.2.1");
    unsigned wait_s;
    assert_true(xm_limits_open(l, (const struct sockaddr *)&a));
    for (unsigned i = 0; i < 20000; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_true(take(l, text, 1, S + i, &wait_s));
    }
    assert_int_equal(xm_limits_connections(l), 1);
    xm_limits_close(l, (const struct sockaddr *)&a);
    assert_int_equal(xm_limits_connections(l), 0);
    xm_limits_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_fills_and_empties),
        cmocka_unit_test(many_small_steps_lose_nothing),
        cmocka_unit_test(a_charge_is_a_debt_with_an_end),
        cmocka_unit_test(who_is_known_does_not_pay_for_strangers),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(connections_have_bounds),
        cmocka_unit_test(a_crowd_leaves_this_machine_its_places),
        cmocka_unit_test(what_is_here_is_told_from_what_is_not),
        cmocka_unit_test(new_connections_have_a_rate),
        cmocka_unit_test(streams_of_an_address_have_a_bound),
        cmocka_unit_test(addresses_of_one_network_are_one),
        cmocka_unit_test(a_flood_of_addresses_pushes_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
