/* SPDX-License-Identifier: MIT */
/* The pid file, in a directory that may belong to somebody with fewer rights. */
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_pid_is_written),
        TEST(a_link_is_not_followed),
    };
    return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
