/* SPDX-License-Identifier: MIT */
/* The table of hosts: order, filter, keys, and what stands on the grid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "front/hosts/hosts.h"
#include "front/terminal/keys.h"

#define ROWS 4

static const struct xm_hosts_row rows[ROWS] = {
    {.name = "alpha:8436", .link = XM_HOSTS_LIVE, .data = true, .rates = true, .busy = 0.25, .waiting = 0.5,
     .pcpus = 4, .domains = 3, .vcpus = 8, .worst = "db", .worst_wait = 0.12, .age_ns = 300000000},
    {.name = "Beta:8436", .link = XM_HOSTS_LOST, .said = "nobody answers"},
    {.name = "gamma:8436", .link = XM_HOSTS_LIVE, .data = true, .rates = true, .busy = 0.99, .waiting = 3.25,
     .pcpus = 4, .domains = 12, .vcpus = 40, .lost = 1234, .worst = "web", .worst_wait = 0.4, .age_ns = 1},
    {.name = "delta:8436", .link = XM_HOSTS_LIVE, .data = true, .domains = 1, .vcpus = 1, .age_ns = UINT64_C(500000000000)},
};

static void expect_order(const struct xm_hosts_choice *choice, const char *wanted)
{
    uint32_t order[XM_HOSTS_MOST];
    char text[XM_HOSTS_MOST + 1] = "";
    uint32_t shown = xm_hosts_order(rows, ROWS, choice, order);
    for (uint32_t i = 0; i < shown; i++)
        snprintf(text + i, sizeof text - i, "%c", "abgd"[order[i]]);
    assert_string_equal(text, wanted);
}

static void rows_are_sorted(void **state)
{
    struct xm_hosts_choice choice = {0};
    (void)state;
    expect_order(&choice, "abdg");
    choice.reverse = true;
    expect_order(&choice, "gdba");
    choice.sort = XM_HOSTS_BUSY;
    expect_order(&choice, "agbd"); /* what is not known is last in either direction */
    choice.reverse = false;
    expect_order(&choice, "gabd");
    choice.sort = XM_HOSTS_DOMAINS;
    expect_order(&choice, "gadb");
    choice.sort = XM_HOSTS_LINK;
    expect_order(&choice, "bagd");
}

static void rows_are_filtered(void **state)
{
    struct xm_hosts_choice choice = {.filter = "BETA"};
    (void)state;
    expect_order(&choice, "b");
    snprintf(choice.filter, sizeof choice.filter, "live");
    expect_order(&choice, "adg");
    snprintf(choice.filter, sizeof choice.filter, "db");
    expect_order(&choice, "a");
    snprintf(choice.filter, sizeof choice.filter, "nowhere");
    expect_order(&choice, "");
}

static void press(struct xm_hosts_choice *choice, const int *keys)
{
    for (; *keys != XM_KEY_NONE; keys++)
        (void)xm_hosts_key(choice, rows, ROWS, *keys);
}

static void keys_move_and_choose(void **state)
{
    struct xm_hosts_choice choice = {0};
    (void)state;
    press(&choice, (const int[]){XM_KEY_DOWN, XM_KEY_DOWN, XM_KEY_NONE});
    assert_int_equal(choice.cursor, 3); /* in the order on the screen */
    press(&choice, (const int[]){XM_KEY_LAST, XM_KEY_DOWN, XM_KEY_NONE});
    assert_int_equal(choice.cursor, 2);
    press(&choice, (const int[]){XM_KEY_HOME, XM_KEY_UP, XM_KEY_NONE});
    assert_int_equal(choice.cursor, 0);
    press(&choice, (const int[]){'b', XM_KEY_NONE});
    assert_int_equal(choice.sort, XM_HOSTS_BUSY);
    assert_false(choice.reverse);
    press(&choice, (const int[]){'b', XM_KEY_NONE});
    assert_true(choice.reverse);
    press(&choice, (const int[]){'/', 'g', 'a', 'q', XM_KEY_BACKSPACE, XM_KEY_ENTER, XM_KEY_NONE});
    assert_string_equal(choice.filter, "ga");
    assert_false(choice.quit || choice.enter || choice.typing);
    press(&choice, (const int[]){XM_KEY_ENTER, XM_KEY_NONE});
    assert_true(choice.enter);
    assert_int_equal(choice.cursor, 2); /* what is on show, though the cursor was elsewhere */
    choice.enter = false;
    press(&choice, (const int[]){'/', 'z', XM_KEY_ENTER, XM_KEY_ENTER, XM_KEY_NONE});
    assert_false(choice.enter); /* there is none to enter */
    press(&choice, (const int[]){XM_KEY_ESCAPE, '?', 'q', XM_KEY_NONE});
    assert_string_equal(choice.filter, "");
    assert_false(choice.quit || choice.help);
    press(&choice, (const int[]){'q', XM_KEY_NONE});
    assert_true(choice.quit);
}

static void expect_line(const struct xm_grid *grid, unsigned y, const char *wanted)
{
    char line[4096];
    xm_grid_line(grid, y, line, sizeof line);
    assert_string_equal(line, wanted);
}

static void the_grid_has_it_all(void **state)
{
    struct xm_hosts_choice choice = {0};
    struct xm_grid grid = {0};
    (void)state;
    assert_int_equal(xm_grid_resize(&grid, 110, xm_hosts_height(ROWS)), XM_OK);
    xm_hosts_draw(rows, ROWS, &choice, false, &grid);
    expect_line(&grid, 0, "XenMon  4 hosts, 3 live");
    expect_line(&grid, 1, "HOST            LINK         pCPU%  WAITING   DOMS  vCPUs    LOST      AGE  WAITS MOST");
    expect_line(&grid, 2, "alpha:8436      live         25.0%     0.50      3      8       0    0.3 s  12.0% db");
    expect_line(&grid, 3, "Beta:8436       lost             -        -      -      -       -        -  nobody answers");
    expect_line(&grid, 4, "delta:8436      live             -        -      1      1       0    500 s  -");
    expect_line(&grid, 5, "gamma:8436      live         99.0%     3.25     12     40    1234    0.0 s  40.0% web");
    xm_grid_fini(&grid);
}

/* Any size, any state: nothing outside, and the cursor on the screen. */
static void every_size_is_survived(void **state)
{
    struct xm_grid grid = {0};
    (void)state;
    for (unsigned width = 0; width < 130; width += 7)
        for (unsigned height = 0; height < 12; height++)
            for (unsigned mode = 0; mode < 4; mode++) {
                struct xm_hosts_choice choice = {.cursor = 2, .help = mode == 1, .typing = mode == 2, .top = 100};
                assert_int_equal(xm_grid_resize(&grid, width, height), XM_OK);
                xm_hosts_draw(rows, ROWS, &choice, mode != 3, &grid);
                assert_true(mode == 1 || choice.top <= 3 || height == 0);
            }
    xm_grid_fini(&grid);
}

static void a_region_that_is_not_there_is_no_data(void **state)
{
    struct xm_hosts_row row = {.data = true, .worst = "x"};
    struct xm_hosts_reader *reader = xm_hosts_reader_create("/nonexistent/region");
    (void)state;
    assert_non_null(reader);
    xm_hosts_read(reader, &row);
    assert_false(row.data || row.rates);
    assert_string_equal(row.worst, "");
    xm_hosts_reader_destroy(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted),        cmocka_unit_test(rows_are_filtered),
        cmocka_unit_test(keys_move_and_choose),   cmocka_unit_test(the_grid_has_it_all),
        cmocka_unit_test(every_size_is_survived), cmocka_unit_test(a_region_that_is_not_there_is_no_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
