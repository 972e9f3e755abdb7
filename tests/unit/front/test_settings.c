/* SPDX-License-Identifier: MIT */
/* What of a choice is kept: every setting comes back, what is wrong is said, and what others wrote stays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/screen/settings.h"
#include "front/screen/table.h"
#include "front/terminal/theme.h"

static char directory[64], path[80], said[4096];

static void say(void *user, const char *text)
{
    size_t length = strlen(said);
    assert_memory_equal(text, path, strlen(path));
    snprintf(said + length, sizeof said - length, "%s\n", text + strlen(path));
}

static void put(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void get(char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void read_over(struct xm_choice *choice)
{
    struct xm_error err;
    xm_error_clear(&err);
    said[0] = '\0';
    assert_int_equal(xm_settings_read(path, choice, say, NULL, &err), XM_OK);
}

static void save(const struct xm_choice *choice)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_settings_write(path, choice, &err) != XM_OK)
        fail_msg("%s", err.text);
}

static void set(struct xm_choice *choice, const char *name, const char *value)
{
    char cause[200] = "";
    if (!xm_settings_set(choice, name, value, cause, sizeof cause))
        fail_msg("%s = %s: %s", name, value, cause);
}

static void cannot(const char *name, const char *value, const char *cause_wanted)
{
    struct xm_choice choice;
    char cause[200] = "";
    xm_choice_init(&choice);
    struct xm_choice before = choice;
    assert_false(xm_settings_set(&choice, name, value, cause, sizeof cause));
    assert_memory_equal(&choice, &before, sizeof choice);
    assert_string_equal(cause, cause_wanted);
}

/* The id of a column in another place than the first. */
static const char *column(enum xm_screen_view view, unsigned index)
{
    const struct xm_table *table = xm_table_of(view);
    assert_true(index < table->count);
    return table->columns[index].id;
}

static void test_round_trip(void **state)
{
    char list[100];
    struct xm_choice choice;
    struct xm_choice back;
    xm_choice_init(&choice);
    set(&choice, "view", "latency");
    set(&choice, "interval", "2.5s");
    set(&choice, "window", "30s");
    set(&choice, "units", "ms");
    set(&choice, "theme", "colour-blind");
    set(&choice, "distributions", "watched");
    set(&choice, "hide-idle", "yes");
    set(&choice, "pin-domain0", "on");
    set(&choice, "expand", "true");
    set(&choice, "rows", "waited, io");
    snprintf(list, sizeof list, "%s,%s", column(XM_VIEW_DOMAINS, 3), column(XM_VIEW_DOMAINS, 1));
    set(&choice, "columns.domains", list);
    snprintf(list, sizeof list, "-%s", column(XM_VIEW_VCPUS, 2));
    set(&choice, "sort.vcpus", list);
    assert_int_equal(choice.table[XM_VIEW_DOMAINS].columns, 2);
    assert_int_equal(choice.table[XM_VIEW_DOMAINS].column[0], 3);
    assert_int_equal(choice.table[XM_VIEW_VCPUS].sort, 2);
    assert_true(choice.table[XM_VIEW_VCPUS].descending);
    save(&choice);
    xm_choice_init(&back);
    read_over(&back);
    assert_string_equal(said, "");
    assert_memory_equal(&back, &choice, sizeof back);
    /* And once more: nothing piles up. */
    char once[4096];
    char twice[4096];
    get(once, sizeof once);
    save(&back);
    get(twice, sizeof twice);
    assert_string_equal(once, twice);
}

/* Every view with a table, all columns in it: more than fits a line. */
static void test_all_columns(void **state)
{
    for (unsigned v = 0; v < XM_VIEWS; v++) {
        const struct xm_table *table = xm_table_of((enum xm_screen_view)v);
        struct xm_choice choice;
        struct xm_choice back;
        if (!table)
            continue;
        xm_choice_init(&choice);
        struct xm_choice_table *shown = &choice.table[v];
        shown->chosen = true;
        for (unsigned i = table->count - 1; i > 0; i--)
            shown->column[shown->columns++] = (uint8_t)i;
        shown->sort = (uint8_t)(table->count - 1);
        save(&choice);
        xm_choice_init(&back);
        read_over(&back);
        assert_string_equal(said, "");
        assert_memory_equal(&back.table[v], shown, sizeof *shown);
        shown->columns = 0;
        memset(shown->column, 0, sizeof shown->column);
        save(&choice);
        read_over(&back);
        assert_int_equal(back.table[v].columns, 0);
    }
}

static void test_every_value(void **state)
{
    static const char *const views[] = {"domains", "vcpus", "pcpus", "domain", "latency", "paper"};
    static const char *const windows[] = {"last", "1s", "10s", "1min"};
    static const char *const units[] = {"vcpus", "cpu", "ms"};
    struct xm_choice choice;
    xm_choice_init(&choice);
    for (unsigned i = 0; i < 6; i++) {
        set(&choice, "view", views[i]);
        assert_int_equal(choice.view, i);
        assert_string_equal(xm_settings_view_name((enum xm_screen_view)i), views[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        set(&choice, "window", windows[i]);
        assert_int_equal(choice.window, i);
    }
    for (unsigned i = 0; i < 3; i++) {
        set(&choice, "units", units[i]);
        assert_int_equal(choice.units, i);
    }
    for (unsigned i = 0; xm_theme_name(i); i++) {
        set(&choice, "theme", xm_theme_name(i));
        assert_int_equal(choice.theme, i);
    }
    set(&choice, "rows", "none");
    assert_false(choice.rows[XM_ROWS_ALLOCATED]);
    assert_true(choice.rows[XM_ROWS_GOTTEN]);
    /* A column in its own order: names from the first, numbers from the largest. */
    set(&choice, "sort.domains", column(XM_VIEW_DOMAINS, 0));
    assert_false(choice.table[XM_VIEW_DOMAINS].descending);
}

static void test_wrong_values(void **state)
{
    cannot("view", "help", "'help' is not one of domains, vcpus, pcpus, domain, latency, paper");
    cannot("view", "", "'' is not one of domains, vcpus, pcpus, domain, latency, paper");
    cannot("interval", "0.01", "'0.01' is not a time such as 500ms or 2s, 100ms to 60s");
    cannot("interval", "nan", "'nan' is not a time such as 500ms or 2s, 100ms to 60s");
    cannot("interval", "1e99", "'1e99' is not a time such as 500ms or 2s, 100ms to 60s");
    cannot("window", "0", "'0' is not last, 1s, 10s, 1min, or a time such as 30s");
    cannot("window", "8d", "'8d' is not last, 1s, 10s, 1min, or a time such as 30s");
    cannot("units", "furlongs", "'furlongs' is not one of vcpus, cpu, ms");
    cannot("theme", "pink", "'pink' is not one of dark, light, high-contrast, colour-blind, mono");
    cannot("hide-idle", "perhaps", "'perhaps' is not yes or no");
    cannot("rows", "waited, nothing",
           "'nothing' is not none, or some of allocated, waited, blocked, executions, io");
    cannot("columns.domains", "nope", "the view domains has no column 'nope'");
    cannot("sort.vcpus", "-nope", "the view vcpus has no column 'nope'");
    cannot("sort.vcpus", "", "the view vcpus has no column ''");
    cannot("sort.paper", "x", "there is no such setting");
    cannot("sort.", "x", "there is no such setting");
    cannot("sort", "x", "there is no such setting");
    cannot("views", "x", "there is no such setting");
}

static void test_wrong_lines(void **state)
{
    struct xm_choice choice;
    xm_choice_init(&choice);
    put("[screen]\nview = vcpus\ntheme = pink\nspeed = 3\nunits ms\n[sreen]\nunits = ms\n[live]\nunits = x\n"
        "[xenbaked]\nfoo = bar\n[screen]\nunits = cpu\n");
    read_over(&choice);
    assert_string_equal(
        said,
        ":3: [screen] theme: 'pink' is not one of dark, light, high-contrast, colour-blind, mono\n"
        ":4: [screen] speed: there is no such setting\n"
        ":5: neither [section] nor name = value\n"
        ":7: [sreen] units: there is no such section: [screen], [live], [xenbaked] and [serve] are right\n");
    assert_int_equal(choice.view, XM_VIEW_VCPUS); /* the rest holds */
    assert_int_equal(choice.units, XM_UNITS_OF_ONE);
}

static void test_not_read(void **state)
{
    struct xm_choice choice;
    struct xm_error err;
    xm_choice_init(&choice);
    struct xm_choice before = choice;
    xm_error_clear(&err);
    unlink(path);
    assert_int_equal(xm_settings_read(path, &choice, say, NULL, &err), XM_IO);
    assert_int_equal(errno, ENOENT);
    assert_memory_equal(&choice, &before, sizeof choice);
}

static void test_others_stay(void **state)
{
    char text[4096];
    struct xm_choice choice;
    xm_choice_init(&choice);
    put("# mine\n[live]\nmouse = no\n\n[screen]\n# why\nview = vcpus\nfuture-thing = 7\n sort.domains = "
        "x\n\n[xenbaked]\n"
        "history = 5m\n[screen]\nunits = ms\n; end");
    save(&choice);
    get(text, sizeof text);
    assert_memory_equal(text, "# mine\n[live]\nmouse = no\n\n[screen]\nview = ", 41);
    assert_non_null(strstr(text, "\n# why\nfuture-thing = 7\n[xenbaked]\nhistory = 5m\n"));
    assert_null(strstr(text, "vcpus\nfuture"));
    assert_null(strstr(text, "sort.domains = x"));
    assert_null(strstr(text, "units = ms"));
    assert_string_equal(text + strlen(text) - 6, "; end\n");
    const char *first = strstr(text, "[screen]");
    assert_null(strstr(first + 1, "[screen]"));
    read_over(&choice);
    assert_string_equal(said, ":17: [screen] future-thing: there is no such setting\n");
}

/* Some editors put a byte order mark before the first title: it is a title all the same. */
static void test_byte_order_mark(void **state)
{
    char text[4096];
    struct xm_choice choice;
    struct xm_choice again;
    xm_choice_init(&choice);
    xm_choice_init(&again);
    put("\xef\xbb\xbf[screen]\nview = vcpus\ncolumns.domains = none\n");
    read_over(&choice);
    assert_string_equal(said, "");
    save(&choice);
    get(text, sizeof text);
    assert_memory_equal(text, "\xef\xbb\xbf[screen]\nview = vcpus\n", 25);
    assert_null(strstr(strstr(text, "[screen]") + 1, "[screen]"));
    read_over(&again);
    assert_int_equal(again.view, XM_VIEW_VCPUS);
    assert_int_equal(again.table[XM_VIEW_DOMAINS].columns, choice.table[XM_VIEW_DOMAINS].columns);
}

static void test_exact_times(void **state)
{
    static const char *const times[] = {"1.5ms", "1ms", "999999us", "1.000001s", "90s", "7d", "604799.999999999s"};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct xm_choice choice;
        struct xm_choice again;
        xm_choice_init(&choice);
        xm_choice_init(&again);
        set(&choice, "window", times[i]);
        put("");
        save(&choice);
        read_over(&again);
        assert_string_equal(said, "");
        assert_int_equal(again.window, XM_WINDOW_FREE);
        assert_int_equal(again.free_ns, choice.free_ns);
    }
}

static void test_file_kept(void **state)
{
    char elsewhere[100];
    struct stat st;
    struct xm_choice choice;
    xm_choice_init(&choice);
    /* A link stays one, and a mode what it was. */
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", directory);
    put("");
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(chmod(elsewhere, 0604), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    save(&choice);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(elsewhere, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    assert_true(st.st_size > 0);
    unlink(path);
    unlink(elsewhere);
    /* A new one is its owner's. */
    save(&choice);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* What is no settings file is not replaced by one. */
static void test_not_written(void **state)
{
    static char large[(1 << 20) + 2];
    struct xm_choice choice;
    struct xm_error err;
    struct stat st;
    xm_choice_init(&choice);
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    xm_error_clear(&err);
    assert_int_equal(xm_settings_write(path, &choice, &err), XM_IO);
    assert_non_null(strstr(err.text, "no regular file"));
    rmdir(path);
    memset(large, '\n', sizeof large - 1);
    put(large);
    xm_error_clear(&err);
    assert_int_equal(xm_settings_write(path, &choice, &err), XM_LIMIT);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, sizeof large - 1);
    xm_error_clear(&err);
    assert_int_equal(xm_settings_write("/proc/xenmon/config", &choice, &err), XM_IO);
    assert_non_null(strstr(err.text, "/proc/xenmon"));
}

static void test_makes_directories(void **state)
{
    char deep[120];
    struct xm_choice choice;
    struct xm_error err;
    struct stat st;
    xm_choice_init(&choice);
    xm_error_clear(&err);
    snprintf(deep, sizeof deep, "%s/a/b/config", directory);
    assert_int_equal(xm_settings_write(deep, &choice, &err), XM_OK);
    unlink(deep);
    *strrchr(deep, '/') = '\0';
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    rmdir(deep);
    *strrchr(deep, '/') = '\0';
    rmdir(deep);
}

static int set_up(void **state)
{
    umask(022);
    snprintf(directory, sizeof directory, "/tmp/xm-settings-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/config", directory);
    return 0;
}

static int tear_down(void **state)
{
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_all_columns),
        cmocka_unit_test(test_every_value), cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_lines), cmocka_unit_test(test_not_read),
        cmocka_unit_test(test_others_stay), cmocka_unit_test(test_file_kept),
        cmocka_unit_test(test_byte_order_mark), cmocka_unit_test(test_exact_times),
        cmocka_unit_test(test_not_written), cmocka_unit_test(test_makes_directories),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
