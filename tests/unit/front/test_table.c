/* SPDX-License-Identifier: MIT */
/* Tables: order, filter, cursor, columns; any choice on any grid. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include <cmocka.h>

#include "crowd.h"
#include "fake.h"
#include "front/screen/choice_int.h"
#include "front/screen/fold.h"
#include "front/screen/screen.h"
#include "front/screen/table_int.h"
#include "support.h"

#define MS UINT64_C(1000000)

struct here {
    struct fake fake;
    struct xm_choice choice;
    struct xm_grid grid;
    char text[4096];
};

static int make(void **state)
{
    struct here *h = calloc(1, sizeof *h);
    if (!h)
        return -1;
    setlocale(LC_CTYPE, "C.UTF-8");
    fake_make(&h->fake);
    xm_choice_init(&h->choice);
    h->grid.utf8 = true;
    *state = h;
    return 0;
}

static int drop(void **state)
{
    struct here *h = *state;
    fake_free(&h->fake);
    xm_grid_fini(&h->grid);
    free(h);
    return 0;
}

static void build(struct here *h, unsigned width, unsigned height)
{
    assert_int_equal(xm_grid_resize(&h->grid, width, height), XM_OK);
    xm_screen_build(&h->fake.model, &h->choice, true, &h->grid);
}

static const char *line(struct here *h, unsigned y)
{
    return fake_line(&h->grid, y, h->text);
}

static bool has(struct here *h, const char *what)
{
    for (unsigned y = 0; y < h->grid.height; y++)
        if (strstr(line(h, y), what))
            return true;
    return false;
}

static unsigned column_of(const struct xm_table *table, const char *id)
{
    for (unsigned i = 0; i < table->count; i++)
        if (strcmp(table->columns[i].id, id) == 0)
            return i;
    fail_msg("no column %s", id);
    return 0;
}

static void sort_by(struct xm_choice *c, const struct xm_table *table, const char *id, bool descending)
{
    struct xm_choice_table t = xm_table_choice(table, c);
    t.sort = (uint8_t)column_of(table, id);
    t.descending = descending;
    t.chosen = true;
    c->table[table->view] = t;
}

/* The lines' names in order, "web Domain-0 ...", vCPUs as "v0". */
static const char *order(const struct xm_model *m, const struct xm_choice *c, char *text, size_t size)
{
    const struct xm_table *table = xm_table_of(c->view);
    struct xm_grid grid = {.utf8 = true};
    struct xm_painter p = {.grid = &grid, .model = m, .choice = c};
    uint32_t count;
    struct xm_table_line *lines = xm_table_lines(table, &p, &count);
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < count && used < size; i++) {
        struct xm_table_cell cell = {.known = false};
        table->columns[0].cell(&p, &lines[i], &cell);
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "|" : "", cell.text);
    }
    free(lines);
    return text;
}

static void assert_order(struct here *h, const char *expected)
{
    assert_string_equal(order(&h->fake.model, &h->choice, h->text, sizeof h->text), expected);
}

static void test_order(void **state)
{
    static const struct {
        const char *id;
        bool descending;
        const char *order;
    } orders[] = {
        {"run", true, "web|Domain-0|dom 7"},
        {"run", false, "dom 7|Domain-0|web"},
        {"wait", true, "dom 7|web|Domain-0"},
        {"block", true, "Domain-0|web|dom 7"},
        {"name", false, "Domain-0|dom 7|web"},
        {"name", true, "web|dom 7|Domain-0"},
        {"domid", false, "Domain-0|web|dom 7"},
        {"vcpus", true, "Domain-0|web|dom 7"}, /* equals: as they were */
        {"weight", true, "Domain-0|web|dom 7"},
        {"weight", false, "Domain-0|web|dom 7"}, /* nothing is known */
        {"executions_per_s", true, "Domain-0|web|dom 7"},
        {"running_per_execution_ns", true, "web|Domain-0|dom 7"},
        {"running_per_execution_ns", false, "Domain-0|web|dom 7"}, /* what is not known is last, either way */
    };
    struct here *h = *state;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        sort_by(&h->choice, &xm_domains_table, orders[i].id, orders[i].descending);
        assert_order(h, orders[i].order);
    }
    h->choice.pin_dom0 = true;
    sort_by(&h->choice, &xm_domains_table, "run", true);
    assert_order(h, "Domain-0|web|dom 7");
    sort_by(&h->choice, &xm_domains_table, "wait", false);
    assert_order(h, "Domain-0|web|dom 7");
    /* vCPUs stay under their domain, and are sorted there by the same column. */
    h->choice.pin_dom0 = false;
    h->choice.expand_all = true;
    sort_by(&h->choice, &xm_domains_table, "run", true);
    assert_order(h, "web|v0|Domain-0|v0|v1|dom 7|v0");
    sort_by(&h->choice, &xm_domains_table, "run", false);
    assert_order(h, "dom 7|v0|Domain-0|v1|v0|web|v0");
    sort_by(&h->choice, &xm_domains_table, "name", true);
    assert_order(h, "web|v0|dom 7|v0|Domain-0|v1|v0");
    h->choice.view = XM_VIEW_VCPUS;
    sort_by(&h->choice, &xm_vcpus_table, "name", false);
    assert_order(h, "Domain-0 v0|Domain-0 v1|dom 7 v0|web v0");
    sort_by(&h->choice, &xm_vcpus_table, "cpu", true);
    assert_order(h, "web v0|Domain-0 v0|Domain-0 v1|dom 7 v0");
}

static void test_filter(void **state)
{
    static const struct {
        const char *filter, *order;
    } filters[] = {
        {"", "web|v0|Domain-0|v0|v1|dom 7|v0"},
        {"WEB", "web|v0"},
        {"omain", "Domain-0|v0|v1"},
        {"dom 7", "dom 7|v0"},
        {"0v1", "Domain-0|v1"},
        {"d1v0", "web|v0"},
        {"4000-8000", "web|v0"},
        {"waiting", "dom 7|v0"},
        {"paused", ""},
        {"\xff", ""},
    };
    struct here *h = *state;
    h->choice.expand_all = true;
    snprintf(h->fake.fact[FAKE_WEB].uuid, sizeof h->fake.fact[FAKE_WEB].uuid, "%s",
             "00000000-0000-4000-8000-000000000001");
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        snprintf(h->choice.filter, sizeof h->choice.filter, "%s", filters[i].filter);
        assert_order(h, filters[i].order);
    }
    snprintf(h->choice.filter, sizeof h->choice.filter, "nobody");
    build(h, 80, 24);
    assert_true(has(h, "no line has \"nobody\""));
    assert_true(has(h, "filter \"nobody\""));
    /* Idle is who neither ran nor waited: the second vCPU of Domain-0. */
    h->choice.filter[0] = '\0';
    h->choice.hide_idle = true;
    assert_order(h, "web|v0|Domain-0|v0|dom 7|v0");
}

/* What was found is marked where it stands in the name. */
static void test_found(void **state)
{
    struct here *h = *state;
    snprintf(h->choice.search, sizeof h->choice.search, "MAIN");
    build(h, 80, 24);
    unsigned y = fake_find(&h->grid, 0, "Domain-0");
    for (unsigned x = 3; x < 11; x++)
        assert_int_equal(h->grid.cells[y * 80 + x].meaning,
                         x >= 5 && x < 9 ? XM_MEANING_FOUND : XM_MEANING_SUBJECT);
}

static void give_name(struct here *h, unsigned slot, const char *name)
{
    memset(h->fake.fact[slot].name, 0, sizeof h->fake.fact[slot].name);
    memcpy(h->fake.fact[slot].name, name, strlen(name));
}

/* A build without libutf8proc folds ASCII alone. */
static void needs_utf8proc(void)
{
#ifndef XM_HAVE_UTF8PROC
    skip();
#endif
}

/* Names in any script, in either case, whatever the locale and the screen; and what only looks alike is not found. */
static void test_any_script(void **state)
{
    needs_utf8proc();
    static const struct {
        const char *name, *filter;
        bool found;
    } names[] = {
        {"W\u00e9bserver", "w\u00c9BS", true},
        {"W\u00c9BSERVER", "w\u00e9bserver", true},
        {"W\u00e9bserver", "webserver", false},
        {"\u0411\u0430\u0437\u0430-1", "\u0431\u0410\u0417\u0410-1", true},
        {"\u0451\u0436", "\u0401\u0416", true},
        {"\u039f\u0394\u038c\u03a3", "\u03bf\u03b4\u03cc\u03c2", true},
        {"stra\u00dfe", "STRA\u00dfE", true},
        {"stra\u00dfe", "STRA\u1e9eE", true},
        {"stra\u00dfe", "strasse", false},
        {"\u0141\u00f3d\u017a", "\u0142\u00d3D\u0179", true},
        {"\u1ec6", "\u1ec7", true},
        {"\u00d7", "\u00f7", false},
        {"a\xff\xc3", "A?", true},
        {"a\xff\xc3", "\xc3", false}, /* on the screen they are question marks */
        {"a\xff\xc3", "?", true},
        {"\u00e9", "\xa9", false},
    };
    struct here *h = *state;
    static const char *const locales[] = {"C.UTF-8", "C"};
    for (unsigned l = 0; l < 2; l++) {
        setlocale(LC_CTYPE, locales[l]);
        h->grid.utf8 = l == 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            give_name(h, FAKE_WEB, names[i].name);
            snprintf(h->choice.filter, sizeof h->choice.filter, "%s", names[i].filter);
            build(h, 80, 24);
            if (has(h, "no line has") == names[i].found)
                fail_msg("%s: \"%s\" and \"%s\"", locales[l], names[i].name, names[i].filter);
        }
    }
    setlocale(LC_CTYPE, "C.UTF-8");
}

/* The mark is as long as what was found, not as what was searched. */
static void test_found_folded(void **state)
{
    needs_utf8proc();
    struct here *h = *state;
    give_name(h, FAKE_DOM0, "ab\u00dfc");
    snprintf(h->choice.search, sizeof h->choice.search, "B\u1e9e");
    build(h, 80, 24);
    unsigned y = fake_find(&h->grid, 0, "ab\u00dfc");
    for (unsigned x = 3; x < 7; x++)
        assert_int_equal(h->grid.cells[y * 80 + x].meaning,
                         x >= 4 && x < 6 ? XM_MEANING_FOUND : XM_MEANING_SUBJECT);
}

/* A text of one character. */
static const char *utf8_of(uint32_t c, char text[5])
{
    int size = c < 0x800 ? 2 : 3;
    memset(text, 0, 5);
    for (int i = size - 1; i > 0; i--, c >>= 6)
        text[i] = (char)(0x80 | (c & 0x3f));
    text[0] = (char)((size == 2 ? 0xc0 : 0xe0) | c);
    return text;
}

/* Every letter of these scripts is found by its capital as the C library has it. */
static void test_folding(void **state)
{
    needs_utf8proc();
    static const uint32_t scripts[][2] = {{0xc0, 0x17f},   {0x1cd, 0x1db},   {0x1de, 0x1ef},   {0x1f8, 0x21f},
                                          {0x222, 0x233},  {0x386, 0x3ce},   {0x400, 0x52f},   {0x531, 0x586},
                                          {0x1e00, 0x1eff}, {0xff21, 0xff5a}};
    unsigned pairs = 0;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        for (uint32_t c = scripts[i][0]; c <= scripts[i][1]; c++) {
            uint32_t small = (uint32_t)towlower((wint_t)c);
            char a[5];
            char b[5];
            size_t bytes = 0;
            if (small == c || small < 0x80)
                continue;
            utf8_of(c, a);
            utf8_of(small, b);
            assert_ptr_equal(xm_fold_find(a, b, &bytes), a);
            assert_int_equal(bytes, strlen(a));
            assert_ptr_equal(xm_fold_find(b, a, &bytes), b);
            assert_int_equal(bytes, strlen(b));
            pairs++;
        }
    assert_true(pairs > 500);
    /* Letters one by one: none is another's. */
    for (uint32_t c = 0xc0; c < 0x587; c++)
        for (uint32_t d = c + 1; d < c + 3; d++) {
            char a[5];
            char b[5];
            bool same = towlower(towupper((wint_t)c)) == towlower(towupper((wint_t)d));
            if (!same)
                assert_null(xm_fold_find(utf8_of(c, a), utf8_of(d, b), NULL));
        }
    assert_null(xm_fold_find("abc", "", NULL));
    assert_null(xm_fold_find("", "a", NULL));
    assert_null(xm_fold_find("\xe2\x82", "\xe2\x82\xac", NULL));
    assert_non_null(xm_fold_find("x\xe2\x82", "X\xe2", NULL));
}

/* The cursor stays with what it is on; when that dies, where it was. */
static void test_cursor(void **state)
{
    struct here *h = *state;
    struct xm_sample *to = &h->fake.to;
    h->choice.cursor[XM_VIEW_DOMAINS] = (struct xm_item){XM_ITEM_DOMAIN, to->domain[FAKE_DOM0].id};
    build(h, 80, 24);
    assert_non_null(strstr(line(h, 7), ">\xe2\x96\xb8 Domain-0"));
    sort_by(&h->choice, &xm_domains_table, "block", true);
    build(h, 80, 24);
    assert_non_null(strstr(line(h, 6), ">\xe2\x96\xb8 Domain-0"));
    sort_by(&h->choice, &xm_domains_table, "run", true);
    build(h, 80, 24);
    to->domain[FAKE_DOM0].id = 0;
    build(h, 80, 24);
    assert_non_null(strstr(line(h, 7), ">\xe2\x96\xb8 dom 7"));
    assert_true(h->choice.cursor[XM_VIEW_DOMAINS].id == to->domain[FAKE_STARVED].id);
    to->domain[FAKE_STARVED].id = 0;
    build(h, 80, 24);
    assert_non_null(strstr(line(h, 6), ">\xe2\x96\xb8 web"));
    to->domain[FAKE_WEB].id = 0;
    build(h, 80, 24);
    assert_true(has(h, "no domain seen yet"));
    /* In plain text there is no cursor. */
    fake_free(&h->fake);
    fake_make(&h->fake);
    xm_screen_build(&h->fake.model, &h->choice, false, &h->grid);
    for (unsigned y = 0; y < 24; y++)
        assert_int_not_equal(line(h, y)[0], '>');
}

/* A table scrolls with its cursor. */
static void test_scroll(void **state)
{
    struct here *h = *state;
    struct crowd crowd;
    assert_true(crowd_make(&crowd, 100, 2, 4));
    assert_int_equal(xm_grid_resize(&h->grid, 80, 24), XM_OK);
    h->choice.table[XM_VIEW_DOMAINS].chosen = false;
    sort_by(&h->choice, &xm_domains_table, "domid", false);
    xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
    unsigned page = h->choice.page;
    assert_int_equal(page, 15);
    for (unsigned i = 0; i < 99; i++) {
        char name[32];
        assert_true(xm_choice_key(&h->choice, &crowd.model, 'j'));
        xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
        snprintf(name, sizeof name, ">\xe2\x96\xb8 guest-%u ", i + 1);
        unsigned y = fake_find(&h->grid, 0, name);
        assert_true(y >= 6 && y < 6 + page);
    }
    assert_int_equal(h->choice.scroll, 100 - page);
    assert_true(has(h, "86-100 of 100"));
    assert_true(xm_choice_key(&h->choice, &crowd.model, XM_KEY_PAGE_UP));
    xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
    assert_int_equal(h->choice.scroll, 100 - page - (page - 1));
    assert_true(xm_choice_key(&h->choice, &crowd.model, 'g'));
    xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
    assert_int_equal(h->choice.scroll, 0);
    assert_true(has(h, "starved: guest-49 (dom 49), +1"));
    assert_true(xm_choice_key(&h->choice, &crowd.model, XM_KEY_LAST));
    xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
    assert_non_null(strstr(line(h, 20), ">\xe2\x96\xb8 guest-99"));
    crowd_free(&crowd);
}

static void test_units(void **state)
{
    struct here *h = *state;
    build(h, 80, 24);
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "Domain-0")), "15.0   5.0   80.0  10.0"));
    h->choice.units = XM_UNITS_OF_ONE;
    build(h, 80, 24);
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "Domain-0")), "30.0  10.0  160.0  10.0"));
    assert_true(has(h, "% of one CPU's time"));
    h->choice.units = XM_UNITS_MS_PER_S;
    build(h, 80, 24);
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "Domain-0")), "300.0 100.0   1600 100.0"));
    assert_true(has(h, "ms of each second"));
    assert_false(has(h, "run%"));
}

/* In the view of one pCPU what is of all of them is marked, and the units are said of both. */
static void test_one_cpu(void **state)
{
    struct here *h = *state;
    h->choice.one_cpu = true;
    h->choice.cpu = 0;
    h->choice.expand_all = true;
    build(h, 120, 24);
    assert_true(has(h, "Domains on CPU 0  1 s window  % of its time; * on any CPU, of the vCPUs' time"));
    assert_true(has(h, "states* \u25bcrun% wait% block* any%* exec/s maxwait* I/O/s*"));
    unsigned y = fake_find(&h->grid, 0, "web");
    assert_non_null(strstr(line(h, y), "20.0  25.0   25.0  25.0   60.0"));
    /* Of a vCPU there is no figure for each pCPU. */
    y = fake_find(&h->grid, 0, "   v0");
    assert_non_null(strstr(line(h, y), "30.0* 10.0*   60.0"));
    assert_true(has(h, "blocked*  46.2%"));
    /* The causes of waits are known on all pCPUs only, and are no zeros. */
    build(h, 300, 24);
    assert_true(has(h, "wake%* pree%* other%*") || has(h, "wake* pree* other*"));
    y = fake_find(&h->grid, 0, "web");
    assert_non_null(strstr(line(h, y), "  20.0   5.0"));
    h->choice.window = XM_WINDOW_LAST;
    build(h, 120, 24);
    assert_true(has(h, "run%* wait* block*"));
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "web")), "50.0  25.0   25.0"));
    h->choice.window = XM_WINDOW_1S;
    h->choice.view = XM_VIEW_VCPUS;
    build(h, 80, 24);
    assert_true(has(h, "vCPUs on CPU 0  1 s window  last there; * % of each's, any CPU"));
    assert_true(has(h, "run%* wait* block*"));
    /* Elsewhere all is of all pCPUs, and nothing is marked. */
    h->choice.view = XM_VIEW_LATENCY;
    build(h, 120, 24);
    assert_true(has(h, "on all CPUs (2)"));
    assert_false(has(h, "wait*"));
    assert_true(has(h, "max wait of the window"));
}

static void test_windows(void **state)
{
    struct here *h = *state;
    h->choice.window = XM_WINDOW_LAST;
    build(h, 80, 24);
    /* Only web has had one: of its 4 ms it ran 2, waited 1 and slept 1. */
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "web")), "50.0  25.0   25.0"));
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "Domain-0")), "-     -      -     -"));
    assert_true(has(h, "last execution"));
    h->choice.view = XM_VIEW_PCPUS; /* there the figures are of a second */
    build(h, 80, 24);
    assert_true(has(h, "pCPUs on all CPUs (2)  1 s window"));
    h->choice.view = XM_VIEW_DOMAINS;
    h->choice.window = XM_WINDOW_10S;
    build(h, 80, 24);
    assert_true(has(h, "10 s window"));
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "Domain-0")), "15.0   5.0   80.0  10.0    200"));
    h->choice.window = XM_WINDOW_1MIN;
    build(h, 80, 24); /* there is none */
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "web")), "-     -      -     -      -"));
    h->fake.model.chosen = h->fake.model.window[XM_SPAN_10S];
    build(h, 80, 24);
    assert_true(has(h, "10 s window (there are only so many)"));
    assert_non_null(strstr(line(h, fake_find(&h->grid, 0, "web")), "50.0  25.0   25.0  25.0    100"));
    /* From the slow series: what it has not is not 0. */
    h->fake.model.chosen_coarse = true;
    h->choice.expand_all = true;
    h->fake.to.domain[FAKE_WEB].wait_max = 40 * MS;
    build(h, 200, 24);
    unsigned y = fake_find(&h->grid, 0, "web");
    assert_non_null(strstr(line(h, y), "50.0  25.0   25.0  25.0    100        -"));
    assert_non_null(strstr(line(h, y + 1), "50.0  25.0   25.0  25.0      -        -"));
}

/* Numbers of the table are those of the one table of columns. */
static void test_numbers(void **state)
{
    struct here *h = *state;
    struct xm_grid grid = {.utf8 = true};
    struct xm_painter p = {.grid = &grid, .model = &h->fake.model, .choice = &h->choice};
    const struct xm_table *table = &xm_domains_table;
    size_t count;
    const struct xm_column *columns = xm_columns(&count);
    for (size_t i = 0; i < count; i++) {
        unsigned at = column_of(table, columns[i].id); /* each is there */
        const struct xm_table_column *c = &table->columns[at];
        assert_non_null(xm_table_title(c));
        for (uint32_t slot = 0; slot < FAKE_DOMAINS; slot++) {
            struct xm_table_line l = {
                .item = {XM_ITEM_DOMAIN, h->fake.to.domain[slot].id}, .slot = slot, .domain = slot};
            struct xm_table_cell cell = {.known = false};
            struct xm_cell truth = {.known = false};
            struct xm_usage u;
            assert_true(xm_usage_domain(&h->fake.model.window[XM_SPAN_1S], slot, &u));
            columns[i].get(&u, &truth);
            if (c->cell)
                c->cell(&p, &l, &cell);
            else
                xm_table_view_cell(&p, &columns[i], &l, &cell);
            bool longest = strcmp(columns[i].id, "wait_max_ns") == 0; /* none is not 0 ns */
            assert_int_equal(cell.known, truth.known && !(longest && u.wait_max_ns == 0));
            if (cell.known)
                assert_true(cell.key == truth.value);
        }
    }
}

/* Columns are named once, have a title and a help; the defaults are among them. */
static void test_tables(void **state)
{
    for (unsigned view = 0; view < XM_VIEWS; view++) {
        const struct xm_table *table = xm_table_of((enum xm_screen_view)view);
        if (!table)
            continue;
        assert_int_equal(table->view, view);
        assert_true(table->count > 1 && table->count <= XM_TABLE_MAX_COLUMNS);
        assert_true(table->sort < table->count);
        for (unsigned i = 0; i < table->count; i++) {
            const struct xm_table_column *c = &table->columns[i];
            assert_int_equal(column_of(table, c->id), i);
            assert_true(xm_table_title(c)[0] && strlen(xm_table_help(c)) > 4);
            assert_true(c->cell || xm_column_find(c->id));
            if (!c->left && i)
                assert_true(xm_table_width(c) > strlen(xm_table_title(c)));
        }
    }
    assert_null(xm_table_of(XM_VIEW_PAPER));
    assert_null(xm_table_of(XM_VIEWS));
}

/* A choice from a settings file of another version: what is not there is left out. */
static void test_bad_choice(void **state)
{
    struct here *h = *state;
    struct xm_choice_table *t = &h->choice.table[XM_VIEW_DOMAINS];
    *t =
        (struct xm_choice_table){.column = {200, 3, 3, 0, 5, 255}, .columns = 6, .sort = 250, .chosen = true};
    struct xm_choice_table clean = xm_table_choice(&xm_domains_table, &h->choice);
    assert_int_equal(clean.columns, 2);
    assert_int_equal(clean.column[0], 3);
    assert_int_equal(clean.column[1], 5);
    assert_int_equal(clean.sort, xm_domains_table.sort);
    t->columns = 255;
    build(h, 80, 24);
    assert_true(has(h, "web"));
}

/* On a narrow grid bars go first; who chooses few columns has them there too. */
static void test_narrow(void **state)
{
    struct here *h = *state;
    build(h, 60, 24);
    assert_false(has(h, "states"));
    assert_true(has(h, "run%"));
    build(h, 20, 10);
    assert_false(has(h, "state"));
    assert_true(has(h, "run%"));
    h->choice.table[XM_VIEW_DOMAINS] =
        (struct xm_choice_table){.column = {(uint8_t)column_of(&xm_domains_table, "run_trail"), 3},
                                 .columns = 2,
                                 .sort = 3,
                                 .descending = true,
                                 .chosen = true};
    build(h, 60, 24);
    assert_true(has(h, "run, 1 min"));
    build(h, 34, 24);
    assert_false(has(h, "run, 1 min"));
    assert_true(has(h, "run%") && has(h, "+1"));
}

static void test_thousand(void **state)
{
    struct here *h = *state;
    struct crowd crowd;
    char text[64];
    assert_true(crowd_make(&crowd, 1000, 4, 16));
    assert_int_equal(xm_grid_resize(&h->grid, 120, 40), XM_OK);
    h->choice.expand_all = true;
    sort_by(&h->choice, &xm_domains_table, "run", true);
    xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
    assert_true(has(h, " of 5000"));
    /* The first line is the domain with the largest share of its vCPUs' time. */
    uint64_t most = 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t ran = crowd.to.domain[i].running - crowd.from[XM_SPAN_1S].domain[i].running;
        if (ran > most) {
            most = ran;
            best = i;
        }
    }
    snprintf(text, sizeof text, "guest-%u (dom %u)", best, best);
    assert_non_null(strstr(line(h, 6), text));
    snprintf(text, sizeof text, "%.1f", (double)most / (40 * (double)MS));
    assert_non_null(strstr(line(h, 6), text));
    snprintf(h->choice.filter, sizeof h->choice.filter, "guest-999");
    xm_screen_build(&crowd.model, &h->choice, true, &h->grid);
    assert_non_null(strstr(line(h, 6), "guest-999"));
    assert_string_equal(line(h, 11), "");
    crowd_free(&crowd);
}

/* ---- Anything: random models, choices, sizes and keys. */

static uint64_t next_random(struct xt_rng *seed)
{
    return xt_random(seed);
}

static const char *const hostile[] = {
    "\x1b]0;title\x07\x1b[2J",
    "\xe2\x80\xae"
    "0 niamoD",
    "\xcc\x81\xcc\x81\xcc\x81",
    "\xff\xfe\xc0\x80",
    "%s%n%x",
    "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8"
    "\xad\xe6\x96\x87",
    "(",
    "",
    "0123456789012345678901234567890123456789012345678901234567890123",
    "a (dom 1)\r\nAll   1 s",
};

static void choose_anything(struct xm_choice *c, const struct crowd *crowd, struct xt_rng *seed)
{
    xm_choice_init(c);
    c->view = (enum xm_screen_view)(next_random(seed) % XM_VIEWS);
    c->before_help = (enum xm_screen_view)(next_random(seed) % XM_VIEWS);
    c->window = (enum xm_choice_window)(next_random(seed) % XM_WINDOWS);
    c->units = (enum xm_choice_units)(next_random(seed) % XM_UNITS);
    c->expand_all = next_random(seed) % 2;
    c->hide_idle = next_random(seed) % 4 == 0;
    c->pin_dom0 = next_random(seed) % 2;
    c->one_cpu = next_random(seed) % 4 == 0;
    c->cpu = (uint32_t)(next_random(seed) % 6);
    c->scroll = next_random(seed) % 3 ? 0 : (unsigned)next_random(seed);
    c->domain = next_random(seed) % 2 ? crowd->to.domain[next_random(seed) % crowd->to.used.domains].id : 0;
    c->popup.kind = (enum xm_popup_kind)(next_random(seed) % 6 < 3 ? next_random(seed) % 3 : 0);
    c->popup.line = (unsigned)(next_random(seed) % 120);
    c->prompt.kind = (enum xm_prompt_kind)(next_random(seed) % 4 ? 0 : next_random(seed) % 6);
    for (unsigned v = 0; v < XM_VIEWS; v++) {
        c->cursor[v] = (struct xm_item){(enum xm_item_kind)(next_random(seed) % 4),
                                        XM_ROW_USED | next_random(seed) % 30};
        c->cursor_line[v] = (unsigned)(next_random(seed) % 200);
        c->table[v].chosen = next_random(seed) % 2;
        c->table[v].columns = (uint8_t)next_random(seed);
        c->table[v].sort = (uint8_t)(next_random(seed) % 100);
        c->table[v].descending = next_random(seed) % 2;
        for (unsigned i = 0; i < XM_TABLE_MAX_COLUMNS; i++)
            c->table[v].column[i] = (uint8_t)(next_random(seed) % 100);
    }
    const char *text = hostile[next_random(seed) % (sizeof hostile / sizeof hostile[0])];
    snprintf(c->filter, sizeof c->filter, "%s", next_random(seed) % 4 ? "" : text);
    snprintf(c->search, sizeof c->search, "%s", next_random(seed) % 2 ? "" : text);
    snprintf(c->said, sizeof c->said, "%s",
             next_random(seed) % 2 ? "" : "saved to a place with a rather long name, in a folder");
    snprintf(c->prompt.text, sizeof c->prompt.text, "%s", text);
    c->frozen = next_random(seed) % 2;
    c->travelling = next_random(seed) % 2;
}

static void spoil(struct crowd *crowd, struct xt_rng *seed)
{
    struct xm_sample *to = &crowd->to;
    crowd->model.coarse = next_random(seed) % 3 == 0;
    crowd->model.past = next_random(seed) % 2;
    crowd->model.real_ns = next_random(seed) % 2 ? next_random(seed) : 0;
    crowd->model.newest = next_random(seed) % 2 ? next_random(seed) : 0;
    crowd->model.data = next_random(seed) % 8 != 0;
    crowd->model.link = (enum xm_link)(next_random(seed) % 7);
    crowd->model.trail = next_random(seed) % 2 ? &crowd->trail : NULL;
    crowd->model.info.tsc_hz = next_random(seed) % 4 ? XM_NS_PER_S : 0;
    crowd->model.window[XM_SPAN_10S].from = next_random(seed) % 4 ? &crowd->from[XM_SPAN_10S] : NULL;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t domain = (uint32_t)(next_random(seed) % to->used.domains);
        uint32_t vcpu = (uint32_t)(next_random(seed) % to->used.vcpus);
        const char *name = hostile[next_random(seed) % (sizeof hostile / sizeof hostile[0])];
        memset(crowd->fact[domain].name, 0, sizeof crowd->fact[domain].name);
        memcpy(crowd->fact[domain].name, name, strnlen(name, sizeof crowd->fact[domain].name));
        to->domain[domain].paused = next_random(seed) % 2;
        to->domain[domain].running = next_random(seed);
        to->domain[domain].vcpus = next_random(seed) % 5;
        to->vcpu[vcpu].state = next_random(seed);
        to->vcpu[vcpu].pcpu = next_random(seed) % 9;
        to->vcpu[vcpu].unknown = next_random(seed) % (20 * XM_NS_PER_S);
        if (next_random(seed) % 4 == 0)
            to->vcpu[vcpu].id = 0;
        if (next_random(seed) % 8 == 0)
            to->domain[domain].id = 0;
    }
}

static void assert_clean(const struct xm_grid *grid)
{
    char text[8192];
    wchar_t wide[8192];
    for (unsigned y = 0; y < grid->height; y++) {
        xm_grid_line(grid, y, text, sizeof text);
        size_t length = mbstowcs(wide, text, 8192);
        assert_true(length < 8192);
        int columns = wcswidth(wide, length);
        if (columns < 0 || (unsigned)columns > grid->width)
            fail_msg("%d columns on a grid of %u: %s", columns, grid->width, text);
        for (const char *c = text; !grid->utf8 && *c; c++)
            assert_true(*c >= ' ' && *c < 0x7f);
    }
}

static void press_anything(struct xm_choice *c, const struct crowd *crowd, struct xm_grid *grid,
                           struct xt_rng *seed)
{
    static const char typed[] = "123456?hvezfsjkgGwaux0HV/\\t[]{}<>SPWBN (),.+-=dTMDLy\t5m\x0e\x10\x02\x06";
    unsigned keys = (unsigned)(next_random(seed) % 12);
    for (unsigned i = 0; i < keys; i++) {
        int key = next_random(seed) % 2
                      ? typed[next_random(seed) % (sizeof typed - 1)]
                      : XM_KEY_FIRST + 1 + (int)(next_random(seed) % (XM_KEY_END - XM_KEY_FIRST - 1));
        if (next_random(seed) % 8 == 0)
            key = XM_KEY_ENTER;
        xm_choice_key(c, &crowd->model, key);
        if (next_random(seed) % 4 == 0)
            xm_screen_click(&crowd->model, c, grid, (unsigned)(next_random(seed) % 310),
                            (unsigned)(next_random(seed) % 110), next_random(seed) % 2);
        if (c->view >= XM_VIEWS)
            fail_msg("key %d led nowhere", key);
    }
}

static void test_anything(void **state)
{
    struct here *h = *state;
    struct xt_rng seed = xt_rng(xt_seed(), 0);
    for (unsigned round = 0; round < 400; round++) {
        struct crowd crowd;
        struct xm_choice c;
        assert_true(crowd_make(&crowd, 1 + (uint32_t)(next_random(&seed) % 30),
                               1 + (uint32_t)(next_random(&seed) % 4), 4));
        spoil(&crowd, &seed);
        choose_anything(&c, &crowd, &seed);
        unsigned width = 1 + (unsigned)(next_random(&seed) % (next_random(&seed) % 4 ? 130 : 300));
        unsigned height = 1 + (unsigned)(next_random(&seed) % (next_random(&seed) % 4 ? 40 : 100));
        h->grid.utf8 = next_random(&seed) % 2;
        assert_int_equal(xm_grid_resize(&h->grid, width, height), XM_OK);
        bool keys = next_random(&seed) % 4;
        xm_screen_build(&crowd.model, &c, keys, &h->grid);
        assert_clean(&h->grid);
        assert_true(xm_screen_height(&crowd.model, &c, keys, width) > 0);
        press_anything(&c, &crowd, &h->grid, &seed);
        xm_screen_build(&crowd.model, &c, true, &h->grid);
        assert_clean(&h->grid);
        crowd_free(&crowd);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),  TEST(test_filter),   TEST(test_found),    TEST(test_cursor), TEST(test_scroll),
        TEST(test_any_script), TEST(test_found_folded), TEST(test_folding),
        TEST(test_units), TEST(test_one_cpu),  TEST(test_windows),  TEST(test_numbers),  TEST(test_tables), TEST(test_bad_choice),
        TEST(test_narrow), TEST(test_thousand), TEST(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
