/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

static void press(struct xm_choice *c, const struct fake *f, const char *keys)
{
    for (; *keys; keys++)
        assert_true(xm_choice_key(c, &f->model, *keys));
}

static void test_start(void **state)
{
    struct xm_choice c;
    xm_choice_init(&c);
    assert_int_equal(c.view, XM_VIEW_PAPER);
    assert_false(c.one_cpu);
    assert_int_equal(c.interval_ns, XM_NS_PER_S);
    for (int i = 0; i < XM_ROWS_COUNT; i++)
        assert_true(c.rows[i]);
}

/* pCPUs 0 and 2: there is no 1. */
static void test_cpus(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    static const struct {
        char key[2];
        bool one;
        uint32_t cpu;
    } steps[] = {{"c", true, 0}, {"c", true, 2}, {"c", false, 0}, {"n", true, 0}, {"p", false, 0},
                 {"p", true, 2}, {"p", true, 0}, {"n", true, 2}, {"n", false, 0}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        press(&c, &f, steps[i].key);
        assert_int_equal(c.one_cpu, steps[i].one);
        if (c.one_cpu)
            assert_int_equal(c.cpu, steps[i].cpu);
    }
    /* One that was asked for and is not there: the keys lead back to those that are. */
    c.one_cpu = true;
    c.cpu = 1;
    press(&c, &f, "n");
    assert_int_equal(c.cpu, 2);
    c.cpu = 1;
    press(&c, &f, "p");
    assert_int_equal(c.cpu, 0);
    f.model.data = false;
    press(&c, &f, "n");
    assert_false(c.one_cpu);
    fake_free(&f);
}

static void test_views(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    c.scroll = 5;
    press(&c, &f, "v");
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    assert_int_equal(c.scroll, 0);
    press(&c, &f, "?");
    assert_int_equal(c.view, XM_VIEW_HELP);
    press(&c, &f, "h");
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    press(&c, &f, "1");
    assert_int_equal(c.view, XM_VIEW_PAPER);
    press(&c, &f, "2");
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    press(&c, &f, "v");
    assert_int_equal(c.view, XM_VIEW_PAPER);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_ESCAPE));
    assert_int_equal(c.view, XM_VIEW_PAPER);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_F1));
    assert_int_equal(c.view, XM_VIEW_HELP);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_ESCAPE));
    assert_int_equal(c.view, XM_VIEW_PAPER);
    fake_free(&f);
}

static void test_rows(void **state)
{
    static const struct {
        char key[2];
        enum xm_screen_rows rows;
    } keys[] = {{"a", XM_ROWS_ALLOCATED}, {"w", XM_ROWS_WAITED}, {"b", XM_ROWS_BLOCKED},
                {"x", XM_ROWS_EXECUTIONS}, {"i", XM_ROWS_IO}, {"o", XM_ROWS_IO}};
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        xm_choice_init(&c);
        press(&c, &f, keys[i].key);
        for (unsigned r = 0; r < XM_ROWS_COUNT; r++)
            assert_int_equal(c.rows[r], r != (unsigned)keys[i].rows);
        press(&c, &f, keys[i].key);
        assert_true(c.rows[keys[i].rows]);
    }
    fake_free(&f);
}

static void test_scroll(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    c.page = 10;
    press(&c, &f, "k");
    assert_int_equal(c.scroll, 0);
    press(&c, &f, "jj ");
    assert_int_equal(c.scroll, 2 + 9);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_UP));
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_PAGE_UP));
    assert_int_equal(c.scroll, 1);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_PAGE_UP));
    assert_int_equal(c.scroll, 0);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_LAST));
    assert_true(c.scroll > 1000000);
    assert_true(xm_choice_key(&c, &f.model, XM_KEY_HOME));
    assert_int_equal(c.scroll, 0);
    fake_free(&f);
}

static void test_interval(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press(&c, &f, "+");
    assert_int_equal(c.interval_ns, 2 * XM_NS_PER_S);
    press(&c, &f, "--");
    assert_int_equal(c.interval_ns, XM_NS_PER_S / 2);
    press(&c, &f, "----------");
    assert_int_equal(c.interval_ns, XM_CHOICE_MIN_INTERVAL_NS);
    press(&c, &f, "++++++++++++");
    assert_int_equal(c.interval_ns, XM_CHOICE_MAX_INTERVAL_NS);
    c.interval_ns = 700 * UINT64_C(1000000); /* from the command line, between two steps */
    press(&c, &f, "+");
    assert_int_equal(c.interval_ns, XM_NS_PER_S);
    fake_free(&f);
}

static void test_others(void **state)
{
    static const int quits[] = {'q', XM_KEY_F10, XM_KEY_END};
    static const int redraws[] = {'r', XM_KEY_REDRAW, XM_KEY_RESIZE};
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    for (unsigned i = 0; i < 3; i++) {
        xm_choice_init(&c);
        assert_true(xm_choice_key(&c, &f.model, quits[i]));
        assert_true(c.quit);
        xm_choice_init(&c);
        assert_true(xm_choice_key(&c, &f.model, redraws[i]));
        assert_true(c.redraw && !c.quit);
    }
    press(&c, &f, "u");
    assert_int_equal(c.units, XM_UNITS_OF_ONE);
    for (int key = -1; key < 256; key++) {
        xm_choice_init(&c);
        if (!xm_choice_key(&c, &f.model, key))
            assert_false(c.quit);
    }
    assert_false(xm_choice_key(&c, &f.model, XM_KEY_NONE));
    assert_false(xm_choice_key(&c, &f.model, 0));
    assert_false(xm_choice_key(&c, &f.model, 'Z'));
    fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),  cmocka_unit_test(test_cpus),     cmocka_unit_test(test_views),
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_scroll),   cmocka_unit_test(test_interval),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
