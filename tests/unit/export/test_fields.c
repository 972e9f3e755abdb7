/* SPDX-License-Identifier: MIT */
/* What the API calls the values of a window, and what is null in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/fields.h"

static const struct xm_usage usage = {
    .id = XM_ROW_USED | 1,
    .vcpus = 2,
    .window_ns = 1000000000,
    .span_ns = 2000000000,
    .running_ns = 500000000,
    .runnable_ns = 300000000,
    .blocked_ns = 900000000,
    .offline_ns = 200000000,
    .unknown_ns = 100000000,
    .wait_wake_ns = 100000000,
    .wait_preempt_ns = 150000000,
    .wait_other_ns = 50000000,
    .wait_any_ns = 250000000,
    .wait_max_ns = 7000000,
    .executions = 100,
    .io = {.maps = {true, 40}},
};

static double number(json_t *object, const char *group, const char *key)
{
    json_t *home = group ? json_object_get(object, group) : object;
    json_t *value = json_object_get(home, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static bool is_null(json_t *object, const char *group, const char *key)
{
    json_t *value = json_object_get(group ? json_object_get(object, group) : object, key);
    assert_non_null(value);
    return json_is_null(value);
}

static json_t *object_of(bool vcpu, bool coarse, bool no_peaks)
{
    struct xm_fields fields;
    struct xm_usage_of of = {&usage, vcpu, coarse, no_peaks};
    xm_fields_init(&fields);
    json_t *object = xm_fields_object(&fields, &of);
    assert_non_null(object);
    return object;
}

static void seconds_and_shares(void **state)
{
    json_t *o = object_of(false, false, false);
    assert_float_equal(number(o, NULL, "span_s"), 1, 1e-12);
    assert_float_equal(number(o, NULL, "running_s"), 0.5, 1e-12);
    assert_float_equal(number(o, NULL, "wait_s"), 0.3, 1e-12);
    assert_float_equal(number(o, NULL, "running_ratio"), 0.25, 1e-12);
    assert_float_equal(number(o, NULL, "wait_ratio"), 0.15, 1e-12);
    assert_float_equal(number(o, NULL, "blocked_ratio"), 0.45, 1e-12);
    assert_float_equal(number(o, NULL, "offline_ratio"), 0.1, 1e-12);
    assert_float_equal(number(o, NULL, "unknown_ratio"), 0.05, 1e-12);
    assert_float_equal(number(o, NULL, "wait_any_ratio"), 0.25, 1e-12);
    assert_float_equal(number(o, "wait_by_cause_s", "preemption"), 0.15, 1e-12);
    assert_float_equal(number(o, NULL, "run_per_exec_s"), 0.005, 1e-12);
    assert_int_equal(json_integer_value(json_object_get(o, "executions")), 100);
    assert_true(json_is_integer(json_object_get(json_object_get(o, "io"), "grant_maps")));
    json_decref(o);
}

static void not_known_is_null(void **state)
{
    json_t *o = object_of(false, false, false);
    assert_true(is_null(o, "io", "page_transfers"));
    assert_true(is_null(o, "net", "received_bytes"));
    assert_true(is_null(o, "alloc_s", "avg"));
    assert_false(is_null(o, NULL, "wait_max_s"));
    json_decref(o);
}

static void the_slow_series_knows_less(void **state)
{
    json_t *domain = object_of(false, true, true);
    assert_true(json_is_true(json_object_get(domain, "coarse")));
    assert_false(is_null(domain, NULL, "running_s"));
    assert_false(is_null(domain, NULL, "executions"));
    assert_true(is_null(domain, NULL, "wait_max_s"));
    assert_true(is_null(domain, NULL, "migrations"));
    assert_true(is_null(domain, "wait_by_cause_s", "wake"));
    json_decref(domain);
    json_t *vcpu = object_of(true, true, true);
    assert_false(is_null(vcpu, NULL, "running_s"));
    assert_true(is_null(vcpu, NULL, "executions"));
    assert_null(json_object_get(vcpu, "io"));
    assert_null(json_object_get(vcpu, "wait_any_s"));
    json_decref(vcpu);
    json_t *unread = object_of(false, false, true);
    assert_true(is_null(unread, NULL, "wait_max_s"));
    assert_false(is_null(unread, NULL, "migrations"));
    json_decref(unread);
}

/* Every field has a name of its own, a unit and a help, and is found by its name. */
static void the_table_is_sound(void **state)
{
    static const char *const units[] = {"seconds",    "ratio", "count",
                                        "per_second", "bytes", "bytes_per_second"};
    struct xm_fields fields;
    xm_fields_init(&fields);
    for (size_t i = 0; i < fields.count; i++) {
        size_t unit = 0;
        assert_int_equal(xm_fields_find(&fields, fields.field[i].id), i);
        while (unit < 6 && strcmp(units[unit], xm_field_unit(&fields, i)) != 0)
            unit++;
        assert_true(unit < 6);
        assert_true(strlen(xm_field_help(&fields, i)) > 5);
        /* Where the unit is a time or a share, the name says so. */
        const char *id = fields.field[i].id;
        const char *end = id + strlen(id);
        assert_int_equal(unit == 0, end[-2] == '_' && end[-1] == 's' && strncmp(end - 6, "_per_s", 6) != 0);
        assert_int_equal(unit == 1, strcmp(end - 6, "_ratio") == 0);
    }
    assert_int_equal(xm_fields_find(&fields, ""), fields.count);
    assert_int_equal(xm_fields_find(&fields, "running_ns"), fields.count);
}

/* One value is what the object has. */
static void a_value_alone(void **state)
{
    struct xm_fields fields;
    struct xm_usage_of of = {&usage, false, false, false};
    double value;
    xm_fields_init(&fields);
    assert_true(xm_field_value(&fields, xm_fields_find(&fields, "wait_ratio"), &of, &value));
    assert_float_equal(value, 0.15, 1e-12);
    assert_false(xm_field_value(&fields, xm_fields_find(&fields, "net_sent_bytes"), &of, &value));
    assert_float_equal(value, 0, 0);
    of.coarse = true;
    assert_false(xm_field_value(&fields, xm_fields_find(&fields, "migrations"), &of, &value));
}

static void names_and_times(void **state)
{
    json_t *name = xm_json_name("a\x01<b>\xe2\x80\xae");
    assert_string_equal(json_string_value(name), "a?<b>?");
    json_decref(name);
    json_t *broken = xm_json_name("\xff\xfe");
    assert_true(json_is_string(broken));
    json_decref(broken);
    assert_true(json_is_null(xm_json_name("")));
    assert_true(json_is_null(xm_json_time(0)));
    json_t *time = xm_json_time(UINT64_C(1767323045250999999));
    assert_string_equal(json_string_value(time), "2026-01-02T03:04:05.250Z");
    json_decref(time);
    json_t *late = xm_json_time(UINT64_MAX);
    assert_true(json_is_string(late));
    json_decref(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_and_shares),
        cmocka_unit_test(not_known_is_null),
        cmocka_unit_test(the_slow_series_knows_less),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(a_value_alone),
        cmocka_unit_test(names_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
