/* SPDX-License-Identifier: MIT */
/* A xenbaked of our own, played by a script: what it said when it ends. */
#include "own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"

struct fixture {
    char directory[64], script[96], path[PATH_MAX];
};

/* Beside this program lies no xenbaked: it is looked for as a shell would. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/xm-own-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    snprintf(f->script, sizeof f->script, "%s/xenbaked", f->directory);
    snprintf(f->path, sizeof f->path, "%s:%s", f->directory, getenv("PATH"));
    setenv("PATH", f->path, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    xm_own_stop();
    unlink(f->script);
    rmdir(f->directory);
    free(f);
    return 0;
}

/* $3 is the region. */
static int start(const struct fixture *f, const char *lines)
{
    char buffer[PATH_MAX];
    const char *region;
    const struct xm_own_config config = {.program = "test", .replay = "a trace", .hint = ""};
    FILE *out = fopen(f->script, "we");
    assert_non_null(out);
    fprintf(out, "#!/bin/sh\n%s\n", lines);
    fclose(out);
    assert_int_equal(chmod(f->script, 0700), 0);
    return xm_own_find(&config, buffer, &region);
}

static void wait_for_its_end(void)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (unsigned i = 0; i < 1000 && xm_own_runs(); i++)
        nanosleep(&pause, NULL);
    assert_false(xm_own_runs());
}

static void its_last_words_say_why(void **state)
{
    char line[300] = "";
    assert_int_equal(start(*state, "echo 'xenbaked: Xen 4.17: 4 pCPUs' >&2; : >$3\n"
                                   "sleep 0.1; echo 'xenbaked: the buffers are gone' >&2; exit 1"),
                     XM_EXIT_DONE);
    wait_for_its_end();
    assert_true(xm_own_says(line, sizeof line));
    assert_string_equal(line, "xenbaked: the buffers are gone");
    assert_true(xm_own_says(line, 9));
    assert_string_equal(line, "xenbaked");
}

static void that_a_trace_has_ended_is_no_reason(void **state)
{
    char line[300] = "";
    assert_int_equal(start(*state, ": >$3; echo 'xenbaked: x: damaged' >&2\n"
                                   "echo 'xenbaked: the trace has ended: 1 s' >&2"),
                     XM_EXIT_DONE);
    wait_for_its_end();
    assert_true(xm_own_says(line, sizeof line));
    assert_string_equal(line, "xenbaked: x: damaged");
    xm_own_stop();
    assert_int_equal(start(*state, ": >$3; echo 'xenbaked: the trace has ended: 1 s' >&2"), XM_EXIT_DONE);
    wait_for_its_end();
    assert_false(xm_own_says(line, sizeof line));
}

static void one_that_does_not_start_gives_its_code(void **state)
{
    char line[300];
    assert_int_equal(start(*state, "echo why >&2; exit 3"), XM_EXIT_ACCESS);
    assert_false(xm_own_runs());
    assert_false(xm_own_says(line, sizeof line));
}

/* As a xenbaked does that finds no trace in the file: its region was there for a moment. */
static void a_region_that_goes_again_was_none(void **state)
{
    char line[300];
    assert_int_equal(start(*state, ": >$3; sleep 0.15; rm $3; echo 'xenbaked: x: no trace' >&2; exit 1"),
                     XM_EXIT_FAILED);
    assert_false(xm_own_runs());
    assert_false(xm_own_says(line, sizeof line));
}

/* A region that nobody writes, or none. */
static void what_is_not_there_is_not_live(void **state)
{
    struct fixture *f = *state;
    assert_false(xm_own_is_live(f->script));
    FILE *out = fopen(f->script, "we");
    assert_non_null(out);
    fclose(out);
    assert_false(xm_own_is_live(f->script));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(its_last_words_say_why),
        TEST(that_a_trace_has_ended_is_no_reason),
        TEST(one_that_does_not_start_gives_its_code),
        TEST(a_region_that_goes_again_was_none),
        TEST(what_is_not_there_is_not_live),
    };
    return cmocka_run_group_tests_name("own", tests, NULL, NULL);
}
