/* SPDX-License-Identifier: MIT */
/* The source: files, pipes and packed bytes in, the same bytes out, whatever is wrong with them. */
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#ifdef XM_HAVE_ZSTD
#include <zstd.h>
#endif

#define PLAIN_BYTES (1u << 20)

struct fixture {
    char directory[64];
    char path[96];
    unsigned char *plain; /* PLAIN_BYTES of something that packs, but not to nothing */
    uint64_t seed;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *seed = getenv("XM_SEED");
    f->seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    f->seed |= 1;
    print_message("# XM_SEED=%llu\n", (unsigned long long)f->seed);
    strcpy(f->directory, "/tmp/xm-source-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/input", f->directory);
    f->plain = malloc(PLAIN_BYTES);
    for (size_t i = 0; i < PLAIN_BYTES; i += 4) {
        uint32_t word = i % 16 == 0 ? (uint32_t)next_random(&f->seed) : 0x2001f003u + (uint32_t)(i >> 10);
        memcpy(f->plain + i, &word, 4);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    rmdir(f->directory);
    free(f->plain);
    free(f);
    return 0;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* Reads all there is and compares it with `want`; returns how it ended, *got: number of bytes that came. */
static enum xm_status read_all(struct xm_source *s, const unsigned char *want, size_t size, size_t *got,
                               struct xm_error *err)
{
    *got = 0;
    xm_error_clear(err);
    for (;;) {
        const void *bytes;
        size_t n;
        enum xm_status status = xm_source_next(s, 5000, &bytes, &n, err);
        if (status != XM_OK)
            return status;
        assert_in_range(n, 1, 65536);
        assert_true(*got + n <= size);
        assert_memory_equal(bytes, want + *got, n);
        *got += n;
    }
}

static void test_file(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {1, 3, 4, 5, 65535, 65536, 65537, PLAIN_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct xm_source *s;
        struct xm_error err;
        size_t got;
        write_file(f->path, f->plain, sizes[i]);
        xm_error_clear(&err);
        assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
        assert_true(xm_source_is_file(s));
        assert_string_equal(xm_source_name(s), "input");
        for (int pass = 0; pass < 2; pass++) {
            assert_int_equal(read_all(s, f->plain, sizes[i], &got, &err), XM_END);
            assert_int_equal(got, sizes[i]);
            assert_int_equal(xm_source_rewind(s), XM_OK);
        }
        xm_source_close(s);
    }
}

static void refused(const char *path, enum xm_status want, const char *words)
{
    struct xm_source *s;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_source_open(path, &s, &err), want);
    assert_null(s);
    assert_int_equal(err.status, want);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    refused(f->path, XM_IO, "No such file or directory");
    refused(f->directory, XM_IO, "Is a directory");
    write_file(f->path, "", 0);
    refused(f->path, XM_DAMAGED, "is empty");
    write_file(f->path, "\x1f\x8b\x08\x00\x00", 5);
    refused(f->path, XM_UNSUPPORTED, "gzip");
    write_file(f->path, "BZh91AY", 7);
    refused(f->path, XM_UNSUPPORTED, "bzip2");
    write_file(f->path, "\xfd" "7zXZ", 5);
    refused(f->path, XM_UNSUPPORTED, "xz");
    write_file(f->path, "\x04\x22\x4d\x18", 4);
    refused(f->path, XM_UNSUPPORTED, "lz4");
    if (geteuid() != 0) {
        write_file(f->path, "abcd", 4);
        chmod(f->path, 0);
        refused(f->path, XM_IO, "Permission denied");
    }
}

static void test_name_is_sanitised(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct xm_source *s;
    snprintf(path, sizeof path, "%s/a\x1b[2Jb\n", f->directory);
    write_file(path, "abcdefgh", 8);
    assert_int_equal(xm_source_open(path, &s, NULL), XM_OK);
    assert_string_equal(xm_source_name(s), "a?[2Jb?");
    xm_source_close(s);
    unlink(path);
}

/* The file is cut while it is read: it just ends. */
static void test_shrinking_file(void **state)
{
    struct fixture *f = *state;
    struct xm_source *s;
    struct xm_error err;
    const void *bytes;
    size_t n, got;
    write_file(f->path, f->plain, PLAIN_BYTES);
    xm_error_clear(&err);
    assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
    assert_int_equal(xm_source_next(s, 0, &bytes, &n, &err), XM_OK);
    assert_int_equal(truncate(f->path, 10), 0);
    assert_int_equal(read_all(s, f->plain + n, PLAIN_BYTES - n, &got, &err), XM_END);
    assert_int_equal(got, 0);
    xm_source_close(s);
}

/* ---- Pipes.  A child writes; the parent's standard input or a FIFO is the reading end. */

struct writer {
    const void *bytes;
    size_t size;
    size_t step;     /* bytes a write(2) */
    useconds_t wait; /* before each */
};

static void write_slowly(int fd, const struct writer *w)
{
    const char *bytes = w->bytes;
    for (size_t at = 0; at < w->size;) {
        size_t n = w->size - at < w->step ? w->size - at : w->step;
        if (w->wait)
            usleep(w->wait);
        ssize_t done = write(fd, bytes + at, n);
        if (done <= 0)
            _exit(1);
        at += (size_t)done;
    }
}

static pid_t start_pipe(const struct writer *w, int *saved_stdin)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        write_slowly(ends[1], w);
        _exit(0);
    }
    close(ends[1]);
    *saved_stdin = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    return pid;
}

static void stop_pipe(pid_t pid, int saved_stdin)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (saved_stdin >= 0)
        dup2(saved_stdin, STDIN_FILENO);
    else
        close(STDIN_FILENO);
    if (saved_stdin >= 0)
        close(saved_stdin);
}

static void test_pipe(void **state)
{
    struct fixture *f = *state;
    struct writer w = {f->plain, 300001, 4097, 0};
    struct xm_source *s;
    struct xm_error err;
    size_t got;
    int saved;
    pid_t pid = start_pipe(&w, &saved);
    xm_error_clear(&err);
    assert_int_equal(xm_source_open("-", &s, &err), XM_OK);
    assert_false(xm_source_is_file(s));
    assert_string_equal(xm_source_name(s), "standard input");
    assert_int_equal(xm_source_rewind(s), XM_UNSUPPORTED);
    assert_int_equal(read_all(s, f->plain, w.size, &got, &err), XM_END);
    assert_int_equal(got, w.size);
    xm_source_close(s);
    stop_pipe(pid, saved);
}

/* One byte every 20 ms: timeouts come in between, also before the fourth byte decides what it is. */
static void test_slow_pipe(void **state)
{
    struct fixture *f = *state;
    struct writer w = {f->plain, 12, 1, 20000};
    struct xm_source *s;
    struct xm_error err;
    const void *bytes;
    size_t n, got = 0, waits = 0;
    int saved;
    enum xm_status status;
    pid_t pid = start_pipe(&w, &saved);
    xm_error_clear(&err);
    assert_int_equal(xm_source_open("-", &s, &err), XM_OK);
    while ((status = xm_source_next(s, 3, &bytes, &n, &err)) >= 0 && status != XM_END) {
        if (status == XM_AGAIN) {
            waits++;
            continue;
        }
        assert_memory_equal(bytes, f->plain + got, n);
        got += n;
    }
    assert_int_equal(status, XM_END);
    assert_int_equal(got, w.size);
    assert_in_range(waits, 12, 1000);
    xm_source_close(s);
    stop_pipe(pid, saved);
}

static void on_alarm(int signo)
{
}

static void test_signal_ends_the_wait(void **state)
{
    struct sigaction act = {.sa_handler = on_alarm}, old;
    struct itimerval in = {.it_value = {.tv_usec = 30000}};
    struct xm_source *s;
    struct xm_error err;
    const void *bytes;
    size_t n;
    int ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    xm_error_clear(&err);
    assert_int_equal(xm_source_open("-", &s, &err), XM_OK);
    sigaction(SIGALRM, &act, &old);
    setitimer(ITIMER_REAL, &in, NULL);
    assert_int_equal(xm_source_next(s, -1, &bytes, &n, &err), XM_AGAIN);
    sigaction(SIGALRM, &old, NULL);
    xm_source_close(s);
    if (saved >= 0)
        dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

/* Opening does not wait for the FIFO's writer, waiting does; a writer that dies is the end. */
static void test_fifo(void **state)
{
    struct fixture *f = *state;
    struct xm_source *s;
    struct xm_error err;
    const void *bytes;
    size_t n, got;
    int wait_status;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    xm_error_clear(&err);
    assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
    assert_int_equal(xm_source_next(s, 0, &bytes, &n, &err), XM_AGAIN);
    assert_int_equal(xm_source_next(s, 20, &bytes, &n, &err), XM_AGAIN);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(f->path, O_WRONLY);
        struct writer w = {f->plain, 100003, 1000, 0};
        write_slowly(fd, &w);
        raise(SIGKILL);
    }
    assert_int_equal(read_all(s, f->plain, 100003, &got, &err), XM_END);
    assert_int_equal(got, 100003);
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    assert_true(WIFSIGNALED(wait_status));
    assert_int_equal(xm_source_next(s, 0, &bytes, &n, &err), XM_END);
    xm_source_close(s);
}

static void test_device(void **state)
{
    struct xm_source *s;
    struct xm_error err;
    const void *bytes;
    size_t n;
    xm_error_clear(&err);
    assert_int_equal(xm_source_open("/dev/null", &s, &err), XM_OK);
    assert_int_equal(xm_source_next(s, -1, &bytes, &n, &err), XM_END);
    xm_source_close(s);
    assert_int_equal(xm_source_open("/dev/zero", &s, &err), XM_OK);
    assert_int_equal(xm_source_next(s, -1, &bytes, &n, &err), XM_OK);
    assert_in_range(n, 1, 65536);
    xm_source_close(s);
}

#ifdef XM_HAVE_ZSTD

/* Packs in several frames, with a skippable one between them.  Frames end at plain bytes frame_ends[]. */
struct packed {
    unsigned char *bytes;
    size_t size;
    size_t frame_ends[8]; /* packed offsets at which a frame is complete */
    size_t frames;
};

static struct packed pack(const unsigned char *plain, size_t size, size_t frames, bool checksum)
{
    struct packed p = {malloc(ZSTD_compressBound(size) + 1024), 0, {0}, 0};
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, checksum);
    for (size_t i = 0; i < frames; i++) {
        size_t from = size / frames * i, to = i + 1 == frames ? size : size / frames * (i + 1);
        size_t n = ZSTD_compress2(c, p.bytes + p.size, ZSTD_compressBound(to - from), plain + from, to - from);
        assert_false(ZSTD_isError(n));
        p.size += n;
        p.frame_ends[p.frames++] = p.size;
        if (i == 0) {
            static const unsigned char skip[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
            memcpy(p.bytes + p.size, skip, sizeof skip);
            p.size += sizeof skip;
            p.frame_ends[p.frames++] = p.size;
        }
    }
    ZSTD_freeCCtx(c);
    return p;
}

static void test_packed(void **state)
{
    struct fixture *f = *state;
    for (size_t frames = 1; frames <= 4; frames++) {
        struct packed p = pack(f->plain, PLAIN_BYTES, frames, frames & 1);
        struct xm_source *s;
        struct xm_error err;
        size_t got;
        write_file(f->path, p.bytes, p.size);
        xm_error_clear(&err);
        assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
        for (int pass = 0; pass < 2; pass++) {
            assert_int_equal(read_all(s, f->plain, PLAIN_BYTES, &got, &err), XM_END);
            assert_int_equal(got, PLAIN_BYTES);
            assert_int_equal(xm_source_rewind(s), XM_OK);
        }
        xm_source_close(s);
        free(p.bytes);
    }
}

static void test_packed_pipe(void **state)
{
    struct fixture *f = *state;
    struct packed p = pack(f->plain, PLAIN_BYTES, 2, true);
    static const size_t steps[] = {7, 5000, 65536};
    for (size_t i = 0; i < 3; i++) {
        struct writer w = {p.bytes, p.size, steps[i], 0};
        struct xm_source *s;
        struct xm_error err;
        size_t got;
        int saved;
        pid_t pid = start_pipe(&w, &saved);
        xm_error_clear(&err);
        assert_int_equal(xm_source_open("-", &s, &err), XM_OK);
        assert_int_equal(read_all(s, f->plain, PLAIN_BYTES, &got, &err), XM_END);
        assert_int_equal(got, PLAIN_BYTES);
        xm_source_close(s);
        stop_pipe(pid, saved);
    }
    free(p.bytes);
}

/* Plain bytes that the library itself gets out of the first `size` packed ones when they come one at a time. */
static size_t recoverable(const unsigned char *packed, size_t size, unsigned char *plain, bool *complete)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_outBuffer out = {plain, PLAIN_BYTES, 0};
    size_t code = 0;
    for (size_t i = 0; i < size; i++) {
        ZSTD_inBuffer in = {packed + i, 1, 0};
        while (in.pos < in.size && !ZSTD_isError(code))
            code = ZSTD_decompressStream(d, &out, &in);
        if (ZSTD_isError(code))
            break;
    }
    ZSTD_freeDCtx(d);
    *complete = code == 0;
    return out.pos;
}

/* Cut anywhere: all that came before comes out, then the damage, named with the place where the bytes end. */
static void test_torn_packed(void **state)
{
    struct fixture *f = *state;
    struct packed p = pack(f->plain, PLAIN_BYTES, 3, true);
    unsigned char *plain = malloc(PLAIN_BYTES);
    for (int i = 0; i < 120; i++) {
        size_t cut = i < 40 ? 4 + (size_t)i : 1 + next_random(&f->seed) % (p.size - 1);
        if (i >= 110) /* and right at, before and behind a frame's end */
            cut = p.frame_ends[i % 3] + (size_t)(i % 4) - 1;
        struct xm_source *s;
        struct xm_error err;
        bool complete;
        size_t got, want = recoverable(p.bytes, cut, plain, &complete);
        write_file(f->path, p.bytes, cut);
        xm_error_clear(&err);
        assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
        if (cut < 4) {
            xm_source_close(s);
            continue;
        }
        enum xm_status status = read_all(s, f->plain, PLAIN_BYTES, &got, &err);
        if (got != want || status != (complete ? XM_END : XM_DAMAGED) || (!complete && err.offset != cut))
            fail_msg("cut %zu: %zu bytes for %zu, status %d at %llu", cut, got, want, status,
                     (unsigned long long)err.offset);
        if (!complete) { /* and it stays so */
            const void *bytes;
            size_t n;
            assert_int_equal(xm_source_next(s, 0, &bytes, &n, &err), XM_DAMAGED);
        }
        xm_source_close(s);
    }
    free(plain);
    free(p.bytes);
}

/* A byte is wrong: no crash, never other bytes than the library's, which come before the damage. */
static void test_corrupt_packed(void **state)
{
    struct fixture *f = *state;
    struct packed p = pack(f->plain, PLAIN_BYTES / 4, 2, true);
    unsigned char *plain = malloc(PLAIN_BYTES);
    unsigned named = 0;
    for (int i = 0; i < 300; i++) {
        size_t at = 4 + next_random(&f->seed) % (p.size - 4);
        unsigned char flip = (unsigned char)(1u << (next_random(&f->seed) & 7));
        struct xm_source *s;
        struct xm_error err;
        bool complete;
        size_t got = 0, want;
        p.bytes[at] ^= flip;
        want = recoverable(p.bytes, p.size, plain, &complete);
        write_file(f->path, p.bytes, p.size);
        xm_error_clear(&err);
        assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
        enum xm_status status = read_all(s, plain, want, &got, &err);
        if (got != want || (complete ? status != XM_END : status != XM_DAMAGED && status != XM_UNSUPPORTED))
            fail_msg("byte %zu ^ %#x: %zu bytes for %zu, status %d", at, flip, got, want, status);
        if (status == XM_DAMAGED)
            named += err.offset <= p.size;
        xm_source_close(s);
        p.bytes[at] ^= flip;
    }
    assert_in_range(named, 100, 300);
    free(plain);
    free(p.bytes);
}

/* A frame of nine bytes that wants 2 GiB does not get it. */
static void test_huge_window(void **state)
{
    struct fixture *f = *state;
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00};
    struct xm_source *s;
    struct xm_error err;
    size_t got;
    write_file(f->path, frame, sizeof frame);
    xm_error_clear(&err);
    assert_int_equal(xm_source_open(f->path, &s, &err), XM_OK);
    assert_int_equal(read_all(s, f->plain, 0, &got, &err), XM_UNSUPPORTED);
    assert_non_null(strstr(err.text, "128 MiB"));
    xm_source_close(s);
}

#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file),
        TEST(test_refusals),
        TEST(test_name_is_sanitised),
        TEST(test_shrinking_file),
        TEST(test_pipe),
        TEST(test_slow_pipe),
        TEST(test_signal_ends_the_wait),
        TEST(test_fifo),
        TEST(test_device),
#ifdef XM_HAVE_ZSTD
        TEST(test_packed),
        TEST(test_packed_pipe),
        TEST(test_torn_packed),
        TEST(test_corrupt_packed),
        TEST(test_huge_window),
#endif
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
