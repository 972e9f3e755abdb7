/* SPDX-License-Identifier: MIT */
/* Private directories: made, removed, swept when their maker was killed, and only then. */
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void put_file(const char *directory, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* A process that has one with two files in it, and waits; its pid. */
static pid_t maker(char path[64])
{
    int words[2];
    assert_int_equal(pipe(words), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct xm_scratch scratch;
        if (!xm_scratch_make(&scratch))
            _exit(1);
        put_file(scratch.path, "shm");
        put_file(scratch.path, "shm.lock");
        if (write(words[1], scratch.path, 64) != 64)
            _exit(1);
        for (;;)
            pause();
    }
    close(words[1]);
    assert_int_equal(read(words[0], path, 64), 64);
    close(words[0]);
    return pid;
}

static void end_of(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void made_and_removed(void **state)
{
    (void)state;
    struct xm_scratch scratch;
    struct stat st;
    char path[64];
    char prefix[64];
    assert_true(xm_scratch_make(&scratch));
    strcpy(path, scratch.path);
    snprintf(prefix, sizeof prefix, "/xenmon.%ld.", (long)getpid());
    assert_non_null(strstr(path, prefix));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    xm_scratch_remove(&scratch);
    assert_false(is_there(path));
    assert_string_equal(scratch.path, "");
    xm_scratch_remove(&scratch); /* nothing there: nothing happens */
}

static void a_killed_one_is_swept_a_living_one_not(void **state)
{
    (void)state;
    char dead[64], alive[64];
    pid_t first = maker(dead);
    pid_t second = maker(alive);
    assert_true(is_there(dead) && is_there(alive));
    end_of(first);
    struct xm_scratch scratch;
    assert_true(xm_scratch_make(&scratch));
    assert_false(is_there(dead));
    assert_true(is_there(alive));
    end_of(second);
    xm_scratch_remove(&scratch);
    assert_true(xm_scratch_make(&scratch));
    assert_false(is_there(alive));
    xm_scratch_remove(&scratch);
}

/* Names that are like ours and are not, and a link to somewhere else. */
static void others_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"/tmp/xenmon.1x.abcdef", "/tmp/xenmon.77.abcde", "/tmp/xenmon-77.abcdef",
                                        "/tmp/xenmon..abcdef"};
    char elsewhere[] = "/tmp/xm-scratch-XXXXXX";
    const char *link = "/tmp/xenmon.77.abcdeg";
    struct xm_scratch scratch;
    assert_non_null(mkdtemp(elsewhere));
    put_file(elsewhere, "kept");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(mkdir(names[i], 0700), 0);
    assert_int_equal(symlink(elsewhere, link), 0);
    assert_true(xm_scratch_make(&scratch));
    char path[64];
    snprintf(path, sizeof path, "%s/kept", elsewhere);
    assert_true(is_there(path));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_true(is_there(names[i]));
        rmdir(names[i]);
    }
    unlink(link);
    unlink(path);
    rmdir(elsewhere);
    xm_scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_and_removed),
        cmocka_unit_test(a_killed_one_is_swept_a_living_one_not),
        cmocka_unit_test(others_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
