/* SPDX-License-Identifier: MIT */
/* What gets into a log: lists of metrics, patterns of domains, and what was probably meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "front/log/log_select.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void every_metric(void **state)
{
    struct xm_selection all = {0};
    struct xm_log_metric metric;
    struct xm_error err = {0};
    size_t count = 0;
    size_t columns;
    xm_columns(&columns);
    for (; xm_log_metric(count, &metric); count++) {
        assert_int_equal(xm_selection_add(&all, metric.id, &err), XM_OK);
        assert_string_equal(all.metric[count].id, metric.id); /* none twice, none left out for want of room */
        assert_true(*metric.help && *xm_log_metric_unit(&metric));
    }
    assert_int_equal(count, columns + 4);
    assert_int_equal(all.metrics, count);
    xm_selection_add_exact(&all, true); /* has them all already */
    assert_int_equal(all.metrics, count);
}

static void whose_metric_it_is(void **state)
{
    static const struct {
        const char *id;
        bool of_domain;
        const char *unit;
    } known[] = {
        {"running_ns", false, "ns"},
        {"running_of_vcpus_pct", false, "%"},
        {"allocated_min_ns", false, "ns"},
        {"blocked_per_execution_ns", false, "ns"},
        {"executions_per_s", false, "1/s"},
        {"wait_any_ns", false, "ns"},
        {"late_blocked_ns", false, "ns"},
        {"io_count", true, "count"},
        {"blocked_per_io_ns", true, "ns"},
        {"io_per_execution", true, "ratio"},
        {"grant_copies_issued", true, "count"},
        {"weight", true, "count"},
        {"paused", true, "count"},
        {"disk_read_bytes_per_s", true, "1/s"},
    };
    for (size_t i = 0; i < ELEMENTS(known); i++) {
        struct xm_selection s = {0};
        struct xm_error err = {0};
        assert_int_equal(xm_selection_add(&s, known[i].id, &err), XM_OK);
        assert_int_equal(s.metric[0].of_domain, known[i].of_domain);
        assert_string_equal(xm_log_metric_unit(&s.metric[0]), known[i].unit);
    }
}

static void lists(void **state)
{
    struct xm_selection s = {0};
    struct xm_error err = {0};
    assert_int_equal(xm_selection_add(&s, "blocked_ns,running_ns,blocked_ns", &err), XM_OK);
    assert_int_equal(xm_selection_add(&s, "executions,running_ns", &err), XM_OK);
    assert_int_equal(s.metrics, 3);
    assert_string_equal(s.metric[0].id, "blocked_ns");
    assert_string_equal(s.metric[1].id, "running_ns");
    assert_string_equal(s.metric[2].id, "executions");
    struct xm_selection exact = {0};
    xm_selection_add_exact(&exact, false);
    for (size_t i = 0; i < exact.metrics; i++)
        assert_true(strcmp(exact.metric[i].id, "wait_any_ns") != 0);
    assert_int_equal(exact.metrics, 41);
    xm_selection_add_exact(&exact, true);
    assert_int_equal(exact.metrics, 42);
}

static void wrong_lists(void **state)
{
    static char endless[5000];
    static const struct {
        const char *list, *says;
    } wrong[] = {
        {"", "empty"},
        {",", "empty"},
        {"running_ns,", "empty"},
        {",running_ns", "empty"},
        {"running_n", "did you mean 'running_ns'"},
        {"Running_ns", "did you mean 'running_ns'"},
        {"executionz", "did you mean 'executions'"},
        {"wait_max", "did you mean 'wait_max_ns'"},
        {"running_ns,migrtions", "no metric 'migrtions'; did you mean 'migrations'"},
        {"qqqqqqqq", "--list-metrics"},
        {"running_ns executions", "no metric 'running_ns executions'"},
        {"x", "--list-metrics"},
        {"%s%n", "no metric '%s%n'"},
        {endless, "--list-metrics"},
    };
    memset(endless, 'r', sizeof endless - 1);
    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct xm_selection s = {0};
        struct xm_error err = {0};
        assert_int_equal(xm_selection_add(&s, wrong[i].list, &err), XM_INVALID);
        if (!strstr(err.text, wrong[i].says))
            fail_msg("'%s' says '%s', not '%s'", wrong[i].list, err.text, wrong[i].says);
        assert_null(strchr(err.text, '\n'));
    }
}

static void patterns(void **state)
{
    static const char uuid[] = "0f6f4b1c-11aa-4bb2-8e0f-0123456789ab";
    static const struct {
        const char *pattern;
        uint32_t domid;
        const char *name, *uuid;
        bool has;
    } cases[] = {
        {"5", 5, "web", "", true},
        {"5", 15, "web", "", false},
        {"05", 5, "web", "", false},
        {"5", 9, "5", "", true},
        {"web", 5, "web", "", true},
        {"web", 5, "web2", "", false},
        {"WEB", 5, "web", "", false},
        {"web*", 5, "web2", "", true},
        {"*", 5, "web", "", true},
        {"*", 5, "", "", false},
        {"w[ab]b", 5, "wab", "", true},
        {"[", 5, "[", "", true},
        {"[", 5, "x", "", false},
        {"a*", 5, "", uuid, false},
        {"0F6F4B1C-11AA-4BB2-8E0F-0123456789AB", 5, "web", uuid, true},
        {"0f6f4b1c", 5, "web", uuid, false},
        {"", 5, "", "", false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct xm_selection s = {.domains = &cases[i].pattern, .domain_count = 1};
        if (xm_selection_has(&s, cases[i].domid, cases[i].name, cases[i].uuid) != cases[i].has)
            fail_msg("'%s' and %u '%s'", cases[i].pattern, cases[i].domid, cases[i].name);
    }
    const struct xm_selection all = {0};
    assert_true(xm_selection_has(&all, 77, "", ""));
    static const char *const two[] = {"9", "db?"};
    const struct xm_selection s = {.domains = two, .domain_count = 2};
    assert_true(xm_selection_has(&s, 1, "db1", ""));
    assert_true(xm_selection_has(&s, 9, "", ""));
    assert_false(xm_selection_has(&s, 1, "db12", ""));
}

static const char *const words[] = {"alpha", "beta", "alphabet", NULL};

static const char *word(size_t index)
{
    return words[index];
}

static void nearest(void **state)
{
    assert_string_equal(xm_nearest("alpa", word, 4), "alpha");
    assert_string_equal(xm_nearest("alphabt", word, 4), "alphabet");
    assert_string_equal(xm_nearest("bta", word, 4), "beta");
    assert_null(xm_nearest("gamma-ray", word, 4));
    assert_null(xm_nearest("", word, 4));
    assert_null(xm_nearest("alpha", word, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric), cmocka_unit_test(whose_metric_it_is), cmocka_unit_test(lists),
        cmocka_unit_test(wrong_lists),  cmocka_unit_test(patterns),           cmocka_unit_test(nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
