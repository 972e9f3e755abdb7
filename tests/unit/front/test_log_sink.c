/* SPDX-License-Identifier: MIT */
/* A sink takes whole pieces: into files, pipes and what is full. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/print/sink.h"

struct scene {
    struct xm_sink sink;
    char path[64];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(s->path, sizeof s->path, "/tmp/xenmon-test-XXXXXX");
    int fd = mkstemp(s->path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(xm_sink_init(&s->sink), XM_OK);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    xm_sink_fini(&s->sink);
    unlink(s->path);
    free(s);
    return 0;
}

static enum xm_status put(struct scene *s, const char *text, bool expect_empty)
{
    bool empty;
    FILE *out = xm_sink_begin(&s->sink, &empty);
    assert_int_equal(empty, expect_empty);
    fputs(text, out);
    return xm_sink_commit(&s->sink, NULL, NULL);
}

static void check_file(const struct scene *s, const char *should)
{
    char text[8192] = "";
    FILE *f = fopen(s->path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, should);
}

static void pieces(void **state)
{
    struct scene *s = *state;
    xm_sink_attach(&s->sink, open(s->path, O_WRONLY | O_APPEND | O_CLOEXEC));
    assert_int_equal(put(s, "a long first piece\n", true), XM_OK);
    assert_int_equal(put(s, "two\n", false), XM_OK); /* nothing of the longer one before */
    assert_int_equal(put(s, "", false), XM_OK);
    check_file(s, "a long first piece\ntwo\n");
    assert_int_equal(truncate(s->path, 0), 0); /* as copytruncate does */
    assert_int_equal(put(s, "three\n", true), XM_OK);
    check_file(s, "three\n");
    assert_int_equal(xm_sink_close(&s->sink), XM_OK);
    assert_int_equal(xm_sink_close(&s->sink), XM_OK);
    /* One that holds something already is not empty. */
    xm_sink_attach(&s->sink, open(s->path, O_WRONLY | O_APPEND | O_CLOEXEC));
    assert_int_equal(put(s, "four\n", false), XM_OK);
    check_file(s, "three\nfour\n");
}

/* As a shell's ">" opens it: what was cut short in between leaves no hole. */
static void not_appending(void **state)
{
    struct scene *s = *state;
    xm_sink_attach(&s->sink, open(s->path, O_WRONLY | O_CLOEXEC));
    assert_int_equal(put(s, "one\n", true), XM_OK);
    assert_int_equal(put(s, "two\n", false), XM_OK);
    assert_int_equal(truncate(s->path, 0), 0);
    assert_int_equal(put(s, "three\n", true), XM_OK);
    check_file(s, "three\n");
}

/* A write that the system takes half of, and then no more, is taken back. */
static void half_a_write(struct scene *s, int flags)
{
    struct rlimit before;
    char piece[1001];
    memset(piece, 'x', 1000);
    piece[1000] = '\0';
    assert_int_equal(truncate(s->path, 0), 0);
    xm_sink_attach(&s->sink, open(s->path, O_WRONLY | O_CLOEXEC | flags));
    assert_int_equal(put(s, "whole\n", true), XM_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){500, before.rlim_max}), 0);
    assert_int_equal(put(s, piece, false), XM_IO);
    int why = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(why, EFBIG);
    check_file(s, "whole\n");
    assert_int_equal(put(s, "again\n", false), XM_OK);
    check_file(s, "whole\nagain\n");
}

static void taken_back(void **state)
{
    half_a_write(*state, O_APPEND);
    half_a_write(*state, 0);
}

static void full_and_closed(void **state)
{
    struct scene *s = *state;
    int ends[2];
    xm_sink_attach(&s->sink, open("/dev/full", O_WRONLY | O_CLOEXEC));
    assert_int_equal(put(s, "text\n", true), XM_IO);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(put(s, "text\n", true), XM_IO); /* still nothing there */
    assert_int_equal(pipe(ends), 0);
    xm_sink_attach(&s->sink, ends[1]);
    assert_int_equal(put(s, "text\n", true), XM_OK);
    assert_int_equal(put(s, "text\n", false), XM_OK);
    close(ends[0]);
    assert_int_equal(put(s, "text\n", false), XM_IO);
    assert_int_equal(errno, EPIPE);
    xm_sink_attach(&s->sink, -1);
    assert_int_equal(put(s, "text\n", true), XM_IO);
    assert_int_equal(errno, EBADF);
}

static void on_alarm(int number)
{
}

static bool third_time(void *user)
{
    return ++*(unsigned *)user == 3;
}

/* Nobody reads: signals wake the write, and it goes on waiting until it is told that it is enough. */
static void interrupted(void **state)
{
    struct scene *s = *state;
    static char much[1 << 20];
    unsigned asked = 0;
    int ends[2];
    bool empty;
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval often = {{0, 20000}, {0, 20000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    memset(much, 'x', sizeof much - 1);
    assert_int_equal(pipe(ends), 0);
    xm_sink_attach(&s->sink, ends[1]);
    fputs(much, xm_sink_begin(&s->sink, &empty));
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(xm_sink_commit(&s->sink, third_time, &asked), XM_IO);
    int why = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(why, EINTR);
    assert_int_equal(asked, 3);
    close(ends[0]);
}

/* A child reads `size` bytes slowly, and exits 0 if all of them are `letter`. */
static pid_t slow_reader(const int ends[2], size_t size, char letter)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0) {
        close(ends[0]);
        return child;
    }
    close(ends[1]);
    size_t seen = 0;
    bool good = true;
    static char text[1 << 16];
    for (ssize_t n; usleep(10000), (n = read(ends[0], text, sizeof text)) > 0; seen += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            good &= text[i] == letter;
    _exit(!good || seen != size);
}

/* Standard output can be set not to wait, by whoever shares it: the sink waits all the same. */
static void not_blocking(void **state)
{
    struct scene *s = *state;
    static char much[1 << 20];
    int ends[2];
    int status;
    bool empty;
    memset(much, 'x', sizeof much - 1);
    assert_int_equal(pipe(ends), 0);
    pid_t child = slow_reader(ends, sizeof much - 1, 'x');
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    xm_sink_attach(&s->sink, ends[1]);
    fputs(much, xm_sink_begin(&s->sink, &empty));
    assert_int_equal(xm_sink_commit(&s->sink, NULL, NULL), XM_OK);
    assert_false(s->sink.torn);
    assert_int_equal(xm_sink_close(&s->sink), XM_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Half a piece in a pipe stays there: no other is put behind it. */
static void torn(void **state)
{
    struct scene *s = *state;
    static char much[1 << 20];
    unsigned asked = 0;
    int ends[2];
    bool empty;
    memset(much, 'x', sizeof much - 1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    xm_sink_attach(&s->sink, ends[1]);
    fputs(much, xm_sink_begin(&s->sink, &empty));
    assert_int_equal(xm_sink_commit(&s->sink, third_time, &asked), XM_IO); /* nobody reads: asked all the same */
    assert_int_equal(errno, EINTR);
    assert_int_equal(asked, 3);
    assert_true(s->sink.torn);
    assert_true(read(ends[0], much, sizeof much) > 0); /* there is room again */
    assert_int_equal(put(s, "next\n", true), XM_IO);
    assert_int_equal(errno, EIO);
    close(ends[0]);
    xm_sink_attach(&s->sink, open(s->path, O_WRONLY | O_APPEND | O_CLOEXEC));
    assert_false(s->sink.torn);
    assert_int_equal(put(s, "whole\n", true), XM_OK);
    check_file(s, "whole\n");
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(pieces),          SCENE_TEST(not_appending), SCENE_TEST(taken_back),
        SCENE_TEST(full_and_closed), SCENE_TEST(interrupted),   SCENE_TEST(not_blocking),
        SCENE_TEST(torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
