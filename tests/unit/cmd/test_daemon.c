/* SPDX-License-Identifier: MIT */
/* The pid file, in a directory that may belong to somebody with fewer rights; and the log that is opened again. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char directory[64], path[96], target[96];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/xm-daemon-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/pid", f->directory);
    snprintf(f->target, sizeof f->target, "%s/target", f->directory);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    unlink(f->target);
    rmdir(f->directory);
    free(f);
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static const char *get(const char *path, char text[64])
{
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    if (!fgets(text, 64, in))
        text[0] = '\0';
    fclose(in);
    return text;
}

static void the_pid_is_written(void **state)
{
    struct fixture *f = *state;
    struct xm_error err;
    char text[64];
    char expected[32];
    xm_error_clear(&err);
    snprintf(expected, sizeof expected, "%d\n", (int)getpid());
    put(f->path, "what one that was killed has left, and longer than a pid");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(xm_pid_file(f->path, &err), XM_OK);
        assert_string_equal(get(f->path, text), expected);
        unlink(f->path);
    }
}

static void a_link_is_not_followed(void **state)
{
    struct fixture *f = *state;
    struct xm_error err;
    char text[64];
    put(f->target, "dear\n");
    assert_int_equal(symlink(f->target, f->path), 0);
    xm_error_clear(&err);
    assert_int_equal(xm_pid_file(f->path, &err), XM_IO);
    assert_non_null(strstr(err.text, f->path));
    assert_non_null(strstr(err.text, strerror(ELOOP)));
    assert_string_equal(get(f->target, text), "dear\n");
}

static void a_log_begins_anew(void **state)
{
    struct fixture *f = *state;
    struct xm_log log;
    struct xm_error err;
    char text[64];
    xm_error_clear(&err);
    assert_int_equal(xm_log_open(&log, "test", f->path, XM_LOG_INFO, &err), XM_OK);
    xm_log_write(&log, XM_LOG_INFO, "before");
    assert_int_equal(rename(f->path, f->target), 0);
    xm_log_reopen(&log);
    xm_log_write(&log, XM_LOG_INFO, "after");
    assert_non_null(strstr(get(f->target, text), "before"));
    assert_non_null(strstr(get(f->path, text), "after"));
    xm_log_close(&log);
}

/* As when a daemon that has given up root's rights may make no file there. */
static void a_log_that_cannot_goes_on(void **state)
{
    struct fixture *f = *state;
    struct xm_log log;
    struct xm_error err;
    char text[512] = "";
    xm_error_clear(&err);
    assert_int_equal(xm_log_open(&log, "test", f->path, XM_LOG_INFO, &err), XM_OK);
    assert_int_equal(rename(f->path, f->target), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    xm_log_reopen(&log);
    xm_log_write(&log, XM_LOG_INFO, "goes on");
    xm_log_close(&log);
    assert_int_equal(rmdir(f->path), 0);
    FILE *in = fopen(f->target, "re");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof text - 1, in) > 0);
    fclose(in);
    assert_non_null(strstr(text, "cannot be opened again: Is a directory\n"));
    assert_non_null(strstr(text, "goes on\n"));
    xm_log_reopen(&log); /* none is open */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_pid_is_written),
        TEST(a_link_is_not_followed),
        TEST(a_log_begins_anew),
        TEST(a_log_that_cannot_goes_on),
    };
    return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
