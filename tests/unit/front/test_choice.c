/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fake.h"
#include "front/screen/choice_int.h"
#include "front/screen/screen.h"
#include "front/terminal/theme.h"

static void press(struct xm_choice *c, const struct fake *f, const char *keys)
{
    for (; *keys; keys++)
        assert_true(xm_choice_key(c, &f->model, *keys));
}

static void press_key(struct xm_choice *c, const struct fake *f, int key)
{
    assert_true(xm_choice_key(c, &f->model, key));
}

static void test_start(void **state)
{
    struct xm_choice c;
    xm_choice_init(&c);
    assert_int_equal(c.view, XM_VIEW_DOMAINS);
    assert_int_equal(c.window, XM_WINDOW_1S);
    assert_true(c.speed > 0.99 && c.speed < 1.01);
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
    /* Esc: all of them again, in a view that is of the one. */
    press(&c, &f, "3");
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_true(c.one_cpu);
    press(&c, &f, "1");
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_false(c.one_cpu);
    assert_string_equal(c.said, "all CPUs again");
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
    for (int i = 0; i < XM_VIEW_HELP; i++) {
        const char key[2] = {(char)('1' + i), '\0'};
        press(&c, &f, key);
        assert_int_equal(c.view, i);
    }
    /* The help is no station on the way round. */
    press_key(&c, &f, XM_KEY_TAB);
    assert_int_equal(c.view, XM_VIEW_DOMAINS);
    press_key(&c, &f, XM_KEY_BACK_TAB);
    assert_int_equal(c.view, XM_VIEW_PAPER);
    /* Each view keeps its scroll. */
    c.scroll = 5;
    press(&c, &f, "4");
    assert_int_equal(c.scroll, 0);
    press(&c, &f, "6");
    assert_int_equal(c.scroll, 5);
    press(&c, &f, "2?");
    assert_int_equal(c.view, XM_VIEW_HELP);
    assert_int_equal(c.before_help, XM_VIEW_VCPUS);
    press(&c, &f, "h");
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    press_key(&c, &f, XM_KEY_F1);
    assert_int_equal(c.view, XM_VIEW_HELP);
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    press(&c, &f, "?");
    press_key(&c, &f, XM_KEY_TAB);
    assert_int_equal(c.view, XM_VIEW_PCPUS);
    fake_free(&f);
}

/* Into a pCPU, one of its vCPUs, and back the same way. */
static void test_drill(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press(&c, &f, "3j");
    assert_int_equal(c.cursor[XM_VIEW_PCPUS].kind, XM_ITEM_PCPU);
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    assert_true(c.one_cpu && c.cpu == 2);
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.view, XM_VIEW_DOMAIN);
    assert_true(c.domain == f.to.domain[FAKE_WEB].id);
    press_key(&c, &f, XM_KEY_BACKSPACE);
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    assert_true(c.one_cpu);
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_int_equal(c.view, XM_VIEW_PCPUS);
    assert_false(c.one_cpu);
    press_key(&c, &f, XM_KEY_BACKSPACE);
    assert_int_equal(c.view, XM_VIEW_PCPUS);
    /* In depth the arrows go from domain to domain, in the order of their numbers. */
    press(&c, &f, "1");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_true(c.domain == f.to.domain[FAKE_WEB].id);
    press_key(&c, &f, XM_KEY_LEFT);
    assert_true(c.domain == f.to.domain[FAKE_DOM0].id);
    press_key(&c, &f, XM_KEY_RIGHT);
    press(&c, &f, ">");
    assert_true(c.domain == f.to.domain[FAKE_STARVED].id);
    /* The key of the view goes where Enter does; from a view without domains it stays with the one before. */
    press(&c, &f, "1ggj4");
    assert_int_equal(c.view, XM_VIEW_DOMAIN);
    assert_true(c.domain == c.cursor[XM_VIEW_DOMAINS].id);
    press(&c, &f, "1j4");
    assert_true(c.domain == c.cursor[XM_VIEW_DOMAINS].id);
    press(&c, &f, "34");
    assert_true(c.domain == c.cursor[XM_VIEW_DOMAINS].id);
    press(&c, &f, "1g4");
    assert_true(c.domain == f.to.domain[FAKE_WEB].id);
    /* Deeper than the way back is long. */
    for (unsigned i = 0; i < 3 * XM_CHOICE_DEPTH; i++)
        xm_choice_drill(&c, i % 2 ? XM_VIEW_VCPUS : XM_VIEW_DOMAIN);
    assert_int_equal(c.came_count, XM_CHOICE_DEPTH);
    /* Nothing there: nothing happens. */
    f.model.data = false;
    press(&c, &f, "1");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.view, XM_VIEW_DOMAINS);
    fake_free(&f);
}

static struct xm_item domain_item(const struct fake *f, unsigned slot)
{
    return (struct xm_item){XM_ITEM_DOMAIN, f->to.domain[slot].id};
}

static void assert_cursor(const struct xm_choice *c, struct xm_item item)
{
    assert_int_equal(c->cursor[c->view].kind, item.kind);
    assert_true(c->cursor[c->view].id == item.id);
}

/* By running: web, Domain-0, dom 7. */
static void test_cursor(void **state)
{
    static const int down[] = {'j', XM_KEY_DOWN};
    static const int up[] = {'k', XM_KEY_UP};
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    for (unsigned i = 0; i < 2; i++) {
        xm_choice_init(&c);
        c.page = 3;
        press_key(&c, &f, down[i]);
        assert_cursor(&c, domain_item(&f, FAKE_DOM0));
        press_key(&c, &f, down[i]);
        press_key(&c, &f, down[i]);
        assert_cursor(&c, domain_item(&f, FAKE_STARVED));
        press_key(&c, &f, up[i]);
        assert_cursor(&c, domain_item(&f, FAKE_DOM0));
    }
    static const struct {
        int key;
        unsigned slot;
    } far[] = {{XM_KEY_LAST, FAKE_STARVED}, {XM_KEY_PAGE_UP, FAKE_WEB}, {XM_KEY_PAGE_DOWN, FAKE_STARVED},
               {2, FAKE_WEB}, {6, FAKE_STARVED}, {XM_KEY_WHEEL_UP, FAKE_WEB}, {XM_KEY_WHEEL_DOWN, FAKE_STARVED},
               {'k', FAKE_DOM0}, {'G', FAKE_STARVED}};
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        press_key(&c, &f, far[i].key);
        assert_cursor(&c, domain_item(&f, far[i].slot));
    }
    /* At the top, whatever gets there. */
    press(&c, &f, "g");
    assert_int_equal(c.cursor[c.view].kind, XM_ITEM_NONE);
    press(&c, &f, "G");
    press_key(&c, &f, XM_KEY_HOME);
    assert_int_equal(c.cursor[c.view].kind, XM_ITEM_NONE);
    fake_free(&f);
}

static void test_expand(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press(&c, &f, "j ");
    assert_true(xm_choice_is_expanded(&c, f.to.domain[FAKE_DOM0].id));
    assert_false(xm_choice_is_expanded(&c, f.to.domain[FAKE_WEB].id));
    press(&c, &f, "jj");
    assert_int_equal(c.cursor[c.view].kind, XM_ITEM_VCPU);
    /* From a vCPU its domain closes, and the cursor goes there. */
    press(&c, &f, "e");
    assert_false(xm_choice_is_expanded(&c, f.to.domain[FAKE_DOM0].id));
    assert_cursor(&c, domain_item(&f, FAKE_DOM0));
    press(&c, &f, "v");
    for (unsigned i = 0; i < FAKE_DOMAINS; i++)
        assert_true(xm_choice_is_expanded(&c, f.to.domain[i].id));
    press(&c, &f, "e");
    assert_false(xm_choice_is_expanded(&c, f.to.domain[FAKE_DOM0].id));
    assert_true(xm_choice_is_expanded(&c, f.to.domain[FAKE_WEB].id));
    press(&c, &f, "v");
    assert_false(xm_choice_is_expanded(&c, f.to.domain[FAKE_WEB].id));
    press(&c, &f, "2v");
    assert_int_equal(c.view, XM_VIEW_DOMAINS);
    assert_true(c.expand_all);
    /* More than there is room for: the newest are kept. */
    xm_choice_init(&c);
    for (uint64_t id = 1; id <= XM_CHOICE_EXPANDED + 10; id++)
        xm_choice_toggle_expanded(&c, id);
    assert_int_equal(c.expanded_count, XM_CHOICE_EXPANDED);
    assert_false(xm_choice_is_expanded(&c, 10));
    assert_true(xm_choice_is_expanded(&c, 11) && xm_choice_is_expanded(&c, XM_CHOICE_EXPANDED + 10));
    xm_choice_toggle_expanded(&c, 100);
    assert_false(xm_choice_is_expanded(&c, 100));
    assert_int_equal(c.expanded_count, XM_CHOICE_EXPANDED - 1);
    fake_free(&f);
}

static const char *sorted_by(const struct xm_choice *c)
{
    const struct xm_table *table = xm_table_of(c->view);
    return table->columns[xm_table_choice(table, c).sort].id;
}

static bool descends(const struct xm_choice *c)
{
    return xm_table_choice(xm_table_of(c->view), c).descending;
}

static void test_order(void **state)
{
    static const struct {
        char key[2];
        const char *column;
    } keys[] = {{"W", "wait"}, {"B", "block"}, {"N", "name"}, {"P", "run"}};
    static const int reverse[] = {'S', 'r', 'I'};
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    assert_string_equal(sorted_by(&c), "run");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        press(&c, &f, keys[i].key);
        assert_string_equal(sorted_by(&c), keys[i].column);
        assert_int_equal(descends(&c), keys[i].key[0] != 'N');
        for (unsigned k = 0; k < 3; k++) {
            bool before = descends(&c);
            press_key(&c, &f, reverse[k]);
            assert_int_equal(descends(&c), !before);
        }
    }
    press_key(&c, &f, XM_KEY_RIGHT);
    assert_string_equal(sorted_by(&c), "wait");
    press(&c, &f, "<<<");
    assert_string_equal(sorted_by(&c), "state");
    press_key(&c, &f, XM_KEY_LEFT);
    assert_string_equal(sorted_by(&c), "name");
    press(&c, &f, "><<");
    press(&c, &f, ">");
    assert_string_equal(sorted_by(&c), "name");
    /* Every view has its own order. */
    press(&c, &f, "2B");
    assert_string_equal(sorted_by(&c), "block");
    press(&c, &f, "1");
    assert_string_equal(sorted_by(&c), "name");
    /* The same measures where they are called otherwise. */
    press(&c, &f, "3W");
    assert_string_equal(sorted_by(&c), "queue");
    press(&c, &f, "P");
    assert_string_equal(sorted_by(&c), "busy");
    press(&c, &f, "B");
    assert_string_equal(sorted_by(&c), "busy");
    assert_non_null(strstr(c.said, "no such column"));
    press(&c, &f, "5P");
    assert_string_equal(sorted_by(&c), "run_p99_ns");
    press(&c, &f, "W");
    assert_string_equal(sorted_by(&c), "wait_p99_ns");
    press(&c, &f, "B1");
    /* The menu. */
    press(&c, &f, "s");
    assert_int_equal(c.popup.kind, XM_POPUP_SORT);
    press_key(&c, &f, XM_KEY_DOWN);
    press(&c, &f, "j");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.popup.kind, XM_POPUP_NONE);
    assert_string_equal(sorted_by(&c), "states");
    press_key(&c, &f, XM_KEY_F6);
    press_key(&c, &f, XM_KEY_LAST);
    assert_int_equal(c.popup.line, xm_domains_table.count - 1);
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_string_equal(sorted_by(&c), "states");
    fake_free(&f);
}

static void test_columns(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    struct xm_choice_table before = xm_table_choice(&xm_domains_table, &c);
    press(&c, &f, "f");
    assert_int_equal(c.popup.kind, XM_POPUP_COLUMNS);
    press(&c, &f, " ");
    struct xm_choice_table after = xm_table_choice(&xm_domains_table, &c);
    assert_int_equal(after.columns, before.columns - 1);
    assert_int_equal(after.column[0], before.column[1]);
    /* It stays where it is in the chooser: the same key brings it back to its place, the next line is its neighbour. */
    press(&c, &f, " ");
    after = xm_table_choice(&xm_domains_table, &c);
    assert_memory_equal(after.column, before.column, sizeof after.column);
    press(&c, &f, " j ");
    after = xm_table_choice(&xm_domains_table, &c);
    assert_int_equal(after.columns, before.columns - 2);
    assert_int_equal(after.column[0], before.column[2]);
    press(&c, &f, " k ");
    /* Moved: past its neighbours, and not past either end. */
    press(&c, &f, "]");
    press_key(&c, &f, XM_KEY_RIGHT);
    after = xm_table_choice(&xm_domains_table, &c);
    assert_int_equal(after.column[2], before.column[0]);
    press(&c, &f, "[");
    press_key(&c, &f, XM_KEY_LEFT);
    press_key(&c, &f, XM_KEY_LEFT);
    after = xm_table_choice(&xm_domains_table, &c);
    assert_memory_equal(after.column, before.column, sizeof after.column);
    press_key(&c, &f, XM_KEY_LAST);
    press(&c, &f, " ]");
    after = xm_table_choice(&xm_domains_table, &c);
    assert_int_equal(after.columns, before.columns + 1);
    press(&c, &f, "r");
    after = xm_table_choice(&xm_domains_table, &c);
    assert_memory_equal(after.column, before.column, sizeof after.column);
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.popup.kind, XM_POPUP_NONE);
    /* None at all, and all of them. */
    press(&c, &f, "f");
    for (unsigned i = 0; i < before.columns; i++)
        press(&c, &f, " j");
    assert_int_equal(xm_table_choice(&xm_domains_table, &c).columns, 0);
    press_key(&c, &f, XM_KEY_HOME);
    for (unsigned i = 1; i < xm_domains_table.count; i++)
        press(&c, &f, " j");
    assert_int_equal(xm_table_choice(&xm_domains_table, &c).columns, xm_domains_table.count - 1);
    fake_free(&f);
}

static void test_search(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press_key(&c, &f, XM_KEY_F3);
    assert_non_null(strstr(c.said, "nothing is searched"));
    press(&c, &f, "/dOm");
    assert_string_equal(c.search, "dOm");
    press(&c, &f, "ain");
    assert_cursor(&c, domain_item(&f, FAKE_DOM0));
    press(&c, &f, "x");
    assert_string_equal(c.prompt.error, "no line has it");
    assert_cursor(&c, domain_item(&f, FAKE_DOM0));
    press_key(&c, &f, XM_KEY_CLEAR);
    press(&c, &f, "dom");
    press_key(&c, &f, XM_KEY_F3);
    assert_cursor(&c, domain_item(&f, FAKE_STARVED));
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.prompt.kind, XM_PROMPT_NONE);
    press_key(&c, &f, 14);
    assert_cursor(&c, domain_item(&f, FAKE_WEB));
    /* Esc: first the search, then nothing more. */
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_string_equal(c.search, "");
    /* One that no line has is not kept: Esc then goes back at once. */
    press(&c, &f, "3");
    press_key(&c, &f, XM_KEY_ENTER);
    press(&c, &f, "/zzz");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_string_equal(c.search, "");
    assert_string_equal(c.said, "no line has \"zzz\"");
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_int_equal(c.view, XM_VIEW_PCPUS);
    press(&c, &f, "1");
    press(&c, &f, "/v");
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_int_equal(c.prompt.kind, XM_PROMPT_NONE);
    assert_string_equal(c.search, "");
    fake_free(&f);
}

/* What is typed or pasted: whole characters, no control characters, no more than there is room for. */
static void test_filter(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press(&c, &f, "\\web");
    assert_string_equal(c.filter, "web");
    press_key(&c, &f, XM_KEY_BACKSPACE);
    assert_string_equal(c.filter, "we");
    press_key(&c, &f, 0xe4);
    press_key(&c, &f, 0x4e2d);
    press_key(&c, &f, 0x1f469);
    assert_string_equal(c.filter, "we\xc3\xa4\xe4\xb8\xad\xf0\x9f\x91\xa9");
    press_key(&c, &f, 0x202e); /* right to left: not taken */
    press_key(&c, &f, XM_KEY_BACKSPACE);
    press_key(&c, &f, XM_KEY_BACKSPACE);
    assert_string_equal(c.filter, "we\xc3\xa4");
    assert_false(xm_choice_key(&c, &f.model, 1));
    assert_false(xm_choice_key(&c, &f.model, XM_KEY_LEFT));
    press_key(&c, &f, XM_KEY_ENTER);
    assert_string_equal(c.filter, "we\xc3\xa4");
    press_key(&c, &f, XM_KEY_F4);
    assert_string_equal(c.prompt.text, "we\xc3\xa4");
    for (unsigned i = 0; i < 300; i++)
        press(&c, &f, "a");
    assert_int_equal(strlen(c.filter), sizeof c.filter - 1);
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_string_equal(c.filter, "");
    for (unsigned i = 0; i < 5; i++)
        assert_true(!xm_choice_key(&c, &f.model, XM_KEY_DELETE));
    press(&c, &f, "\\x");
    press_key(&c, &f, XM_KEY_ENTER);
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_string_equal(c.filter, "");
    fake_free(&f);
}

static void test_windows(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press(&c, &f, "w");
    assert_int_equal(xm_choice_window_ns(&c), 10 * XM_NS_PER_S);
    press(&c, &f, "w");
    assert_int_equal(xm_choice_window_ns(&c), 60 * XM_NS_PER_S);
    press(&c, &f, "w"); /* none of one's own yet */
    assert_int_equal(c.window, XM_WINDOW_LAST);
    press(&c, &f, "M5m");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.window, XM_WINDOW_FREE);
    assert_int_equal(xm_choice_window_ns(&c), 300 * XM_NS_PER_S);
    press(&c, &f, "M8d");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.prompt.kind, XM_PROMPT_WINDOW);
    assert_non_null(strstr(c.prompt.error, "7d"));
    press_key(&c, &f, XM_KEY_ESCAPE);
    assert_int_equal(xm_choice_window_ns(&c), 300 * XM_NS_PER_S);
    press(&c, &f, "d0.25");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.interval_ns, XM_NS_PER_S / 4);
    press(&c, &f, "d0.01");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.prompt.kind, XM_PROMPT_DELAY);
    press_key(&c, &f, XM_KEY_CLEAR);
    press_key(&c, &f, XM_KEY_ENTER);
    assert_int_equal(c.prompt.kind, XM_PROMPT_NONE);
    assert_int_equal(c.interval_ns, XM_NS_PER_S / 4);
    press(&c, &f, "uu");
    assert_int_equal(c.units, XM_UNITS_MS_PER_S);
    press(&c, &f, "u");
    assert_int_equal(c.units, XM_UNITS_OF_VCPUS);
    fake_free(&f);
}

static void test_time(void **state)
{
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    xm_choice_init(&c);
    press(&c, &f, "z");
    assert_true(c.frozen && c.travelling);
    assert_true(c.position == f.to.host.window);
    press(&c, &f, "[[]");
    assert_int_equal(c.jump.kind, XM_JUMP_STEPS);
    assert_int_equal(c.jump.value, -1);
    press(&c, &f, "{{");
    assert_int_equal(c.jump.kind, XM_JUMP_BY);
    assert_int_equal(c.jump.value, -120 * (int64_t)XM_NS_PER_S);
    press(&c, &f, "}");
    assert_int_equal(c.jump.value, -60 * (int64_t)XM_NS_PER_S);
    press(&c, &f, "y");
    assert_true(!c.frozen && c.travelling);
    press(&c, &f, "))(");
    assert_true(c.speed > 1.99 && c.speed < 2.01);
    press_key(&c, &f, 16);
    assert_true(c.frozen);
    press(&c, &f, "L");
    assert_true(!c.frozen && !c.travelling && c.jump.kind == XM_JUMP_NONE);
    assert_true(c.speed < 1.01);
    for (unsigned i = 0; i < 100; i++)
        press(&c, &f, ")");
    assert_true(c.speed < 1025);
    press(&c, &f, "zz");
    assert_true(!c.frozen && !c.travelling);
    press(&c, &f, "t-5m");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_true(c.frozen && c.jump.kind == XM_JUMP_BY && c.jump.value == -300 * (int64_t)XM_NS_PER_S);
    press(&c, &f, "t2026-11-26 10:42");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_non_null(strstr(c.prompt.error, "no time of day"));
    press_key(&c, &f, XM_KEY_ESCAPE);
    fake_free(&f);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"1", 1000000000}, {"0.5", 500000000}, {" 2s ", 2000000000}, {"500ms", 500000000}, {"5m", 300000000000},
                {"1h", 3600000000000}, {"2 d", 172800000000000}, {"1.5min", 90000000000}, {"7us", 7000}};
    static const char *const bad[] = {"", " ", "x", "-1", "+1", "1x", "1 2", "inf", "nan", "0", "0x10", "1e400s", "1e30", ".",
                                      "99999999999999999999999999d", "1s1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t ns = 0;
        assert_true(xm_choice_parse_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t ns = 42;
        if (xm_choice_parse_duration(bad[i], &ns))
            fail_msg("\"%s\" is a duration", bad[i]);
        assert_int_equal(ns, 42);
    }
}

/* On show: 2026-11-26 12:00:00 UTC; the newest sample is ten seconds later. */
static void test_moments(void **state)
{
    const int64_t noon_s = 1795694400;
    static const struct {
        const char *text;
        enum xm_jump_kind kind;
        int64_t from_noon_s;
    } good[] = {
        {"10:42", XM_JUMP_REAL, -(3600 + 18 * 60)},
        {" 10:42:05 ", XM_JUMP_REAL, -(3600 + 18 * 60) + 5},
        {"12:00:05", XM_JUMP_REAL, 5},
        {"12:01", XM_JUMP_REAL, 60 - 86400}, /* not yet: yesterday's */
        {"2026-11-26 12:01", XM_JUMP_REAL, 60},
        {"2026-11-25T12:00:00", XM_JUMP_REAL, -86400},
        {"2026-12-01 0:00", XM_JUMP_REAL, 5 * 86400 - 43200},
    };
    static const char *const bad[] = {"", "x", "25:00", "10:60", "10:42:61", "10:42:", "10", "10:42x", "2026-13-01 10:00",
                                      "2026-02-30 10:00", "2026-11-26", "-", "-x", "+5x", "2026-11-26 10:42 11", "-0",
                                      "99999999999:10", "10:42:0x5"};
    char error[96];
    struct xm_jump jump;
    uint64_t real_ns = (uint64_t)noon_s * XM_NS_PER_S;
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!xm_choice_parse_time(good[i].text, real_ns, real_ns + 10 * XM_NS_PER_S, &jump, error, sizeof error))
            fail_msg("\"%s\": %s", good[i].text, error);
        assert_int_equal(jump.kind, good[i].kind);
        assert_int_equal(jump.value / (int64_t)XM_NS_PER_S, noon_s + good[i].from_noon_s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error[0] = '\0';
        if (xm_choice_parse_time(bad[i], real_ns, real_ns, &jump, error, sizeof error))
            fail_msg("\"%s\" is a time", bad[i]);
        assert_true(error[0] != '\0');
    }
    assert_true(xm_choice_parse_time("+30s", 0, 0, &jump, error, sizeof error));
    assert_int_equal(jump.kind, XM_JUMP_BY);
    assert_int_equal(jump.value, 30 * (int64_t)XM_NS_PER_S);
}

/* In a trace of no time of day: since its beginning, as the title writes it. */
static void test_places(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"00:00:20", 20000}, {"0:20", 20000}, {"1:02:05.5", 3725500}, {"12s", 12000}, {"0", 0}, {" 0 ", 0},
                {"1.5", 1500},       {"90:00", 5400000}, {"0:0", 0},          {"2m", 120000}, {"00:00:20.0 ", 20000}};
    static const char *const bad[] = {"",        " ",      ":",        "0:",       "0:60", "1:2:3:4", "x", "0x", "1:2x",
                                      "1:-2",    "0:0:0:0", "99999:00", "2026-11-26 10:42", "."};
    char error[96];
    struct xm_jump jump;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!xm_choice_parse_time(good[i].text, 0, 0, &jump, error, sizeof error))
            fail_msg("\"%s\": %s", good[i].text, error);
        assert_int_equal(jump.kind, XM_JUMP_AT);
        assert_int_equal(jump.value, good[i].ms * 1000000);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error[0] = '\0';
        if (xm_choice_parse_time(bad[i], 0, 0, &jump, error, sizeof error))
            fail_msg("\"%s\" is a place", bad[i]);
        assert_true(error[0] != '\0');
    }
}

/* Every key has a name and, itself or the first of its group, a help; no key is bound twice in a view. */
static void test_bindings(void **state)
{
    size_t count;
    const struct xm_binding *b = xm_bindings(&count);
    assert_non_null(b[0].help);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(b[i].action);
        assert_true(b[i].views != 0 && (b[i].views & ~XM_IN_ALL) == 0);
        if (b[i].help || b[i].brief)
            assert_non_null(b[i].name);
        bool named = b[i].name || b[i].key == XM_KEY_RESIZE || b[i].key == XM_KEY_WHEEL_DOWN;
        for (size_t k = 0; k < count; k++) {
            named = named || (b[k].key == b[i].key && b[k].name);
            if (k != i && b[k].key == b[i].key && (b[k].views & b[i].views))
                fail_msg("%s is bound twice in a view", b[i].name ? b[i].name : "a key");
        }
        assert_true(named);
    }
}

/* The keys of the table that binds them (reference: the issue), in the views they are for. */
static void test_every_key(void **state)
{
    static const char all[] = "q?h123456+=-dTO";
    static const char numbers[] = "vcnpuz[]{}tLy()";
    static const char tables[] = "jkgG<>sSrIPWBN/\\fHV0wM";
    static const char paper[] = "awbxio jkgG";
    static const int keys[] = {XM_KEY_F1, XM_KEY_F10, XM_KEY_F2, XM_KEY_TAB, XM_KEY_BACK_TAB, XM_KEY_ESCAPE,
                               XM_KEY_BACKSPACE, XM_KEY_REDRAW, XM_KEY_RESIZE, XM_KEY_END, XM_KEY_UP, XM_KEY_DOWN,
                               XM_KEY_PAGE_UP, XM_KEY_PAGE_DOWN, XM_KEY_HOME, XM_KEY_LAST, 2, 6};
    struct fake f;
    struct xm_choice c;
    fake_make(&f);
    for (unsigned view = 0; view < XM_VIEWS; view++) {
        bool table = xm_table_of((enum xm_screen_view)view) != NULL;
        const char *const lists[] = {all, view == XM_VIEW_HELP ? "" : numbers, table ? tables : "",
                                     view == XM_VIEW_PAPER ? paper : ""};
        for (unsigned i = 0; i < 4; i++)
            for (const char *key = lists[i]; *key; key++) {
                xm_choice_init(&c);
                c.view = (enum xm_screen_view)view;
                if (!xm_choice_key(&c, &f.model, *key))
                    fail_msg("key %c means nothing in view %u", *key, view);
            }
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            xm_choice_init(&c);
            c.view = (enum xm_screen_view)view;
            if (!xm_choice_key(&c, &f.model, keys[i]))
                fail_msg("key number %zu means nothing in view %u", i, view);
        }
    }
    fake_free(&f);
}

/* Clicks: on views, titles, lines, keys; beside all of them nothing happens. */
static void test_clicks(void **state)
{
    struct fake f;
    struct xm_choice c;
    struct xm_grid grid = {.utf8 = true};
    char text[4096];
    fake_make(&f);
    xm_choice_init(&c);
    assert_int_equal(xm_grid_resize(&grid, 80, 24), XM_OK);
    xm_screen_build(&f.model, &c, true, &grid);
    assert_true(xm_screen_click(&f.model, &c, &grid, 12, 1, false));
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    xm_screen_build(&f.model, &c, true, &grid);
    assert_true(xm_screen_click(&f.model, &c, &grid, 2, 1, false));
    assert_int_equal(c.view, XM_VIEW_DOMAINS);
    xm_screen_build(&f.model, &c, true, &grid);
    unsigned wait = (unsigned)(strstr(fake_line(&grid, 5, text), "wait%") - text);
    assert_true(xm_screen_click(&f.model, &c, &grid, wait, 5, false));
    assert_string_equal(sorted_by(&c), "wait");
    assert_true(descends(&c));
    assert_true(xm_screen_click(&f.model, &c, &grid, wait, 5, false));
    assert_false(descends(&c));
    xm_screen_build(&f.model, &c, true, &grid);
    assert_true(xm_screen_click(&f.model, &c, &grid, 30, 7, false));
    assert_cursor(&c, domain_item(&f, FAKE_WEB));
    /* On the triangle: the domain's vCPUs come and go, however fast. */
    uint64_t web = f.to.domain[FAKE_WEB].id;
    assert_false(xm_choice_is_expanded(&c, web));
    assert_true(xm_screen_click(&f.model, &c, &grid, 1, 7, false));
    assert_true(xm_choice_is_expanded(&c, web));
    assert_true(xm_screen_click(&f.model, &c, &grid, 2, 7, true));
    assert_false(xm_choice_is_expanded(&c, web));
    assert_int_equal(c.view, XM_VIEW_DOMAINS);
    assert_true(xm_screen_click(&f.model, &c, &grid, 3, 7, false));
    assert_false(xm_choice_is_expanded(&c, web));
    assert_false(xm_screen_click(&f.model, &c, &grid, 30, 12, false));
    assert_false(xm_screen_click(&f.model, &c, &grid, 30, 21, false));
    assert_false(xm_screen_click(&f.model, &c, &grid, 80, 7, false));
    assert_false(xm_screen_click(&f.model, &c, &grid, 79, 23, false));
    assert_true(xm_screen_click(&f.model, &c, &grid, 30, 6, true));
    assert_int_equal(c.view, XM_VIEW_DOMAIN);
    assert_true(c.domain == f.to.domain[FAKE_DOM0].id);
    xm_screen_build(&f.model, &c, true, &grid);
    assert_true(xm_screen_click(&f.model, &c, &grid, 8, 23, false)); /* ? */
    assert_int_equal(c.view, XM_VIEW_HELP);
    /* In a pop-up: its lines; beside it closes it. */
    press(&c, &f, "1s");
    xm_screen_build(&f.model, &c, true, &grid);
    unsigned y = fake_find(&grid, 0, "exec/s      dispatches");
    assert_true(xm_screen_click(&f.model, &c, &grid, 50, y, false));
    assert_int_equal(c.popup.kind, XM_POPUP_SORT);
    assert_true(xm_screen_click(&f.model, &c, &grid, 50, fake_find(&grid, 0, "exec/s      dispatches"), true));
    assert_int_equal(c.popup.kind, XM_POPUP_NONE);
    press(&c, &f, "f");
    assert_true(xm_screen_click(&f.model, &c, &grid, 3, 12, false));
    assert_int_equal(c.popup.kind, XM_POPUP_NONE);
    /* With a prompt open: a click is no key that is typed into it, and what is filtered stays so. */
    press(&c, &f, "\\do");
    xm_screen_build(&f.model, &c, true, &grid);
    assert_false(xm_screen_click(&f.model, &c, &grid, 3, 23, false));
    assert_int_equal(c.prompt.kind, XM_PROMPT_FILTER);
    assert_true(xm_screen_click(&f.model, &c, &grid, 12, 1, false));
    assert_int_equal(c.view, XM_VIEW_VCPUS);
    assert_int_equal(c.prompt.kind, XM_PROMPT_NONE);
    assert_string_equal(c.filter, "do");
    press(&c, &f, "1/");
    xm_screen_build(&f.model, &c, true, &grid);
    assert_true(xm_screen_click(&f.model, &c, &grid, 30, 6, true));
    assert_int_equal(c.view, XM_VIEW_DOMAIN);
    assert_int_equal(c.prompt.kind, XM_PROMPT_NONE);
    /* On an answer, which lies over the keys: it goes, and no key is pressed. */
    snprintf(c.said, sizeof c.said, "said");
    assert_true(xm_screen_click(&f.model, &c, &grid, 0, 23, false));
    assert_string_equal(c.said, "");
    assert_false(c.quit);
    xm_grid_fini(&grid);
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
        c.view = XM_VIEW_PAPER;
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
    c.view = XM_VIEW_PAPER;
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
    assert_string_equal(c.said, "refreshed every 2 s");
    press(&c, &f, "--");
    assert_int_equal(c.interval_ns, XM_NS_PER_S / 2);
    assert_string_equal(c.said, "refreshed every 0.5 s");
    press(&c, &f, "d5");
    press_key(&c, &f, XM_KEY_ENTER);
    assert_string_equal(c.said, "refreshed every 5 s");
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
        c.view = XM_VIEW_PAPER;
        assert_true(xm_choice_key(&c, &f.model, redraws[i]));
        assert_true(c.redraw && !c.quit);
    }
    for (int key = -1; key < 256; key++) {
        xm_choice_init(&c);
        if (!xm_choice_key(&c, &f.model, key))
            assert_false(c.quit);
    }
    xm_choice_init(&c);
    press(&c, &f, "H0");
    assert_true(c.hide_idle && c.pin_dom0 && c.said[0]);
    press(&c, &f, "V0");
    assert_false(c.hide_idle || c.pin_dom0);
    press(&c, &f, "j");
    assert_string_equal(c.said, "");
    press(&c, &f, "5D");
    assert_true(c.since == XM_SPREAD_WATCHED && c.watch_anew);
    press(&c, &f, "D");
    assert_true(c.since == XM_SPREAD_START && !c.watch_anew);
    unsigned themes = 0;
    do {
        press(&c, &f, "T");
        themes++;
        assert_non_null(strstr(c.said, xm_theme_name(c.theme)));
    } while (c.theme != 0);
    assert_null(xm_theme_name(themes));
    press(&c, &f, "O");
    assert_true(c.save);
    /* A signal ends it whatever is open. */
    press(&c, &f, "1/abc");
    press_key(&c, &f, XM_KEY_END);
    assert_true(c.quit);
    assert_false(xm_choice_key(&c, &f.model, XM_KEY_NONE));
    xm_choice_init(&c);
    assert_false(xm_choice_key(&c, &f.model, 0));
    assert_false(xm_choice_key(&c, &f.model, 'Z'));
    fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),     cmocka_unit_test(test_cpus),      cmocka_unit_test(test_views),
        cmocka_unit_test(test_drill),     cmocka_unit_test(test_cursor),    cmocka_unit_test(test_expand),
        cmocka_unit_test(test_order),     cmocka_unit_test(test_columns),   cmocka_unit_test(test_search),
        cmocka_unit_test(test_filter),    cmocka_unit_test(test_windows),   cmocka_unit_test(test_time),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_moments), cmocka_unit_test(test_places),   cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_every_key), cmocka_unit_test(test_clicks),    cmocka_unit_test(test_rows),
        cmocka_unit_test(test_scroll),    cmocka_unit_test(test_interval),  cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
