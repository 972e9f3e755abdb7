/* SPDX-License-Identifier: MIT */
/* Recordings: the same bytes in whatever files, limits that hold, and what is left after a crash or a full disk. */
#include "source/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "passes.h"
#include "source/pass.h"
#include "source/source.h"

#define S UINT64_C(1000000000)

static int sync_error; /* of a disk that fails */

/* Takes the place of the system's. */
int fdatasync(int fd)
{
    errno = sync_error;
    return sync_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

struct fixture {
    char directory[64];
    struct xt_bytes capture;
    uint64_t now;
    struct xt_rng rng;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/xm-rec-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    f->capture = xt_capture("credit2-contend");
    f->now = 1000 * S;
    f->rng = xt_rng(xt_seed(), 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    snprintf(command, sizeof command, "%s", f->directory);
    const char *const arguments[] = {"rm", "-rf", command, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execvp("rm", (char *const *)(uintptr_t)arguments);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    xt_free(&f->capture);
    free(f);
    return 0;
}

static const char *in(const struct fixture *f, const char *name)
{
    static char path[2][128];
    static unsigned turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", f->directory, name);
    return path[turn];
}

static struct xm_recording_config plain(const char *path)
{
    return (struct xm_recording_config){.path = path, .fd = -1, .level = XM_RECORDING_LEVEL};
}

static struct xm_recording_config packed(const char *path)
{
    struct xm_recording_config config = plain(path);
    config.packed = true;
    return config;
}

static struct xm_recording *begin(struct fixture *f, const struct xm_recording_config *config)
{
    struct xm_recording *r;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_recording_open(config, f->now, &r, &err) != XM_OK)
        fail_msg("%s", err.text);
    return r;
}

static struct xm_recording_status end(struct xm_recording *r)
{
    struct xm_recording_status status;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_recording_close(r, &status, &err) != XM_OK)
        fail_msg("%s", err.text);
    return status;
}

/*
 * Writes passes of the capture from offset *at on, ten a second of the test's clock, at most `passes`.  Returns what
 * stopped it; *at is behind the last pass that was taken.
 */
static enum xm_status put(struct fixture *f, struct xm_recording *r, size_t *at, size_t passes, struct xm_error *err)
{
    size_t size;
    xm_error_clear(err);
    for (; passes > 0 && (size = xt_pass_bytes(&f->capture, *at)) > 0; passes--) {
        enum xm_status status = xm_recording_pass(r, f->capture.data + *at, size, false, f->now, err);
        if (status != XM_OK)
            return status;
        *at += size;
        f->now += S / 10;
    }
    return XM_OK;
}

/* What a reader gets out of a file, and how it ended. */
static struct xt_bytes get(const char *path, enum xm_status *ended)
{
    struct xt_bytes b = {0};
    struct xm_source *source;
    struct xm_error err;
    const void *bytes;
    size_t size;
    xm_error_clear(&err);
    *ended = xm_source_open(path, &source, &err);
    if (*ended != XM_OK)
        return b;
    while ((*ended = xm_source_next(source, 0, &bytes, &size, &err)) == XM_OK)
        xt_put(&b, bytes, size);
    xm_source_close(source);
    return b;
}

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? (uint64_t)st.st_size : UINT64_MAX;
}

static bool exists(const char *path)
{
    return file_bytes(path) != UINT64_MAX;
}

/* The capture's first bytes, as a file that ended well. */
static void holds(struct fixture *f, const char *path, size_t from, size_t size)
{
    enum xm_status ended;
    struct xt_bytes b = get(path, &ended);
    assert_int_equal(ended, XM_END);
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, f->capture.data + from, size);
    xt_free(&b);
}

/* ---- */

static void what_goes_in_comes_out(void **state)
{
    struct fixture *f = *state;
    for (unsigned zst = 0; zst < 2; zst++) {
        const char *path = in(f, zst ? "a.zst" : "a");
        const struct xm_recording_config config = zst ? packed(path) : plain(path);
        struct xm_error err;
        struct stat st;
        size_t at = 0;
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, SIZE_MAX, &err), XM_OK);
        struct xm_recording_status status = end(r);
        holds(f, path, 0, f->capture.size);
        assert_int_equal(status.bytes, file_bytes(path));
        assert_int_equal(status.files, 1);
        assert_int_equal(status.passes, 48);
        assert_int_equal(status.lost + status.dropped + status.gaps, 0);
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    assert_true(file_bytes(in(f, "a.zst")) < file_bytes(in(f, "a")) / 2);
}

static void a_limit_of_size_holds(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 24; round++) {
        bool zst = round % 2;
        char name[24];
        snprintf(name, sizeof name, "b%u%s", round, zst ? ".zst" : "");
        const char *path = in(f, name);
        struct xm_recording_config config = zst ? packed(path) : plain(path);
        struct xm_error err;
        size_t at = 0;
        config.max_bytes = 150000 + xt_below(&f->rng, 600000);
        config.rotate_bytes = round % 3 ? 0 : 150000;
        struct xm_recording *r = begin(f, &config);
        enum xm_status stopped = put(f, r, &at, SIZE_MAX, &err);
        size_t next = xt_pass_bytes(&f->capture, at);
        struct xm_recording_status status = end(r);
        assert_int_equal(stopped, XM_END);
        assert_true(status.bytes <= config.max_bytes);
        /* Not one pass less than would have fitted: as it lies there, or in the worst case of packing. */
        assert_true(status.bytes + next + (zst ? next / 64 + 2048 : 0) > config.max_bytes);
        if (!config.rotate_bytes)
            holds(f, path, 0, at);
    }
}

static void rotation_by_size(void **state)
{
    struct fixture *f = *state;
    for (unsigned zst = 0; zst < 2; zst++) {
        const char *first = zst ? "c.zst" : "c";
        char path[128];
        snprintf(path, sizeof path, "%s", in(f, first));
        struct xm_recording_config config = zst ? packed(path) : plain(path);
        struct xm_error err;
        struct xt_bytes all = {0};
        size_t at = 0;
        config.rotate_bytes = zst ? 150000 : 400000;
        /* A number that is taken is left out. */
        int fd = open(in(f, zst ? "c.2.zst" : "c.2"), O_CREAT | O_WRONLY, 0600);
        close(fd);
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, SIZE_MAX, &err), XM_OK);
        struct xm_recording_status status = end(r);
        assert_true(status.files > 4);
        uint64_t bytes = 0;
        for (unsigned number = 0; number <= status.files; number++) {
            char name[32];
            enum xm_status ended;
            snprintf(name, sizeof name, "c.%u%s", number, zst ? ".zst" : "");
            if (number == 2)
                continue;
            struct xt_bytes b = get(number ? in(f, name) : path, &ended);
            assert_int_equal(ended, XM_END);
            assert_true(b.size > 0);
            /* Each file is whole passes and nothing else. */
            struct xm_pass pass = {0};
            assert_int_equal(xm_pass_add(&pass, b.data, b.size, NULL), XM_OK);
            assert_int_equal(xm_pass_end(&pass, NULL), XM_OK);
            xm_pass_free(&pass);
            uint64_t size = file_bytes(number ? in(f, name) : path);
            assert_true(size <= config.rotate_bytes);
            bytes += size;
            xt_put(&all, b.data, b.size);
            xt_free(&b);
        }
        assert_int_equal(file_bytes(in(f, zst ? "c.2.zst" : "c.2")), 0);
        assert_int_equal(status.bytes, bytes);
        assert_int_equal(all.size, f->capture.size);
        assert_memory_equal(all.data, f->capture.data, all.size);
        xt_free(&all);
    }
}

static void rotation_by_time_keeps_the_newest(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s", in(f, "d"));
    struct xm_recording_config config = plain(path);
    struct xm_error err;
    size_t at = 0, begins[5] = {0};
    config.rotate_ns = S;
    config.keep = 2;
    struct xm_recording *r = begin(f, &config);
    for (unsigned i = 0; i < 5; i++) {
        begins[i] = at;
        assert_int_equal(put(f, r, &at, i < 4 ? 10 : SIZE_MAX, &err), XM_OK);
    }
    struct xm_recording_status status = end(r);
    assert_int_equal(status.files, 5);
    assert_int_equal(status.bytes, f->capture.size);
    assert_false(exists(path));
    assert_false(exists(in(f, "d.1")));
    assert_false(exists(in(f, "d.2")));
    holds(f, in(f, "d.3"), begins[3], begins[4] - begins[3]);
    holds(f, in(f, "d.4"), begins[4], f->capture.size - begins[4]);
}

static void what_exists_is_not_replaced_unasked(void **state)
{
    struct fixture *f = *state;
    struct xm_recording *r;
    struct xm_error err;
    char path[128], target[128];
    size_t at = 0;
    snprintf(path, sizeof path, "%s", in(f, "e"));
    snprintf(target, sizeof target, "%s", in(f, "target"));
    struct xm_recording_config config = plain(path);
    end(begin(f, &config));
    xm_error_clear(&err);
    assert_int_equal(xm_recording_open(&config, 0, &r, &err), XM_INVALID);
    assert_non_null(strstr(err.text, "exists already"));
    config.force = true;
    r = begin(f, &config);
    assert_int_equal(put(f, r, &at, 2, &err), XM_OK);
    end(r);
    holds(f, path, 0, at);
    /* A link is not followed, whether it leads somewhere or not. */
    unlink(path);
    for (unsigned there = 0; there < 2; there++) {
        assert_int_equal(symlink(target, path), 0);
        for (unsigned force = 0; force < 2; force++) {
            config.force = force;
            xm_error_clear(&err);
            assert_int_equal(xm_recording_open(&config, 0, &r, &err), XM_INVALID);
            assert_int_equal(exists(target), there);
        }
        unlink(path);
        close(open(target, O_CREAT | O_WRONLY, 0600));
    }
    assert_int_equal(file_bytes(target), 0);
    config.path = in(f, "no/such/directory");
    xm_error_clear(&err);
    assert_int_equal(xm_recording_open(&config, 0, &r, &err), XM_IO);
    assert_non_null(strstr(err.text, strerror(ENOENT)));
}

/* A writer that is killed between two passes, at any of them. */
static void a_killed_writer_leaves_what_it_wrote(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 12; round++) {
        bool zst = round % 2;
        const char *path = in(f, zst ? "f.zst" : "f");
        size_t passes = 1 + (size_t)xt_below(&f->rng, 47);
        struct xm_error err;
        enum xm_status ended;
        size_t at = 0, flushed = 0;
        pid_t pid = fork();
        if (pid == 0) {
            struct xm_recording_config config = zst ? packed(path) : plain(path);
            config.force = true;
            config.sync_ns = S;
            struct xm_recording *r = begin(f, &config);
            if (put(f, r, &at, passes, &err) == XM_OK)
                kill(getpid(), SIGKILL);
            _exit(1);
        }
        int wait_status;
        assert_int_equal(waitpid(pid, &wait_status, 0), pid);
        assert_true(WIFSIGNALED(wait_status));
        /* Ten passes a second, and packed bytes are out after each tenth and the one with which the second is over. */
        for (size_t i = 0; i < passes; i++) {
            at += xt_pass_bytes(&f->capture, at);
            if (i && i % 10 == 0)
                flushed = at;
        }
        struct xt_bytes b = get(path, &ended);
        if (!zst) {
            assert_int_equal(ended, XM_END);
            assert_int_equal(b.size, at);
        } else {
            /* Before the first second is over there may be nothing but the beginning of a frame, or not even that. */
            assert_int_equal(ended, XM_DAMAGED);
            assert_true(b.size >= flushed && b.size <= at);
        }
        assert_true(b.size == 0 || memcmp(b.data, f->capture.data, b.size) == 0);
        xt_free(&b);
    }
}

/* A file may not grow beyond a limit: to the writer that is as if the disk were full. */
static void a_full_disk_leaves_a_whole_file(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    for (unsigned round = 0; round < 12; round++) {
        bool zst = round % 2;
        const char *path = in(f, zst ? "g.zst" : "g");
        struct xm_recording_config config = zst ? packed(path) : plain(path);
        struct xm_recording_status status;
        struct xm_error err;
        size_t at = 0;
        config.force = true;
        limit = before;
        limit.rlim_cur = 1000 + (rlim_t)xt_below(&f->rng, zst ? 800000 : 2000000);
        struct xm_recording *r = begin(f, &config);
        setrlimit(RLIMIT_FSIZE, &limit);
        enum xm_status stopped = put(f, r, &at, SIZE_MAX, &err);
        if (stopped == XM_OK) {
            /* It was all in the packer still. */
            assert_true(zst);
            stopped = xm_recording_close(r, &status, &err);
        } else {
            assert_int_equal(xm_recording_close(r, &status, NULL), XM_OK);
        }
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(stopped, XM_IO);
        assert_non_null(strstr(err.text, strerror(EFBIG)));
        assert_int_equal(status.bytes, file_bytes(path));
        size_t whole = 0;
        for (uint64_t i = 0; i < status.passes; i++)
            whole += xt_pass_bytes(&f->capture, whole);
        assert_true(zst ? whole <= at : whole == at);
        if (whole > 0)
            holds(f, path, 0, whole);
        else
            assert_int_equal(file_bytes(path), 0);
    }
}

/* The frame had its end already, and a second one is no frame. */
static void a_disk_that_fails_leaves_a_whole_file(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 4; round++) {
        bool rotates = round < 2;
        const char *path = in(f, round % 2 ? "k.zst" : "k");
        struct xm_recording_config config = round % 2 ? packed(path) : plain(path);
        struct xm_recording_status status;
        struct xm_error err;
        size_t at = 0;
        config.force = true;
        config.rotate_ns = rotates ? S : 0;
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, 8, &err), XM_OK);
        sync_error = EIO;
        enum xm_status stopped = rotates ? put(f, r, &at, 8, &err) : xm_recording_close(r, &status, &err);
        if (rotates)
            assert_int_equal(xm_recording_close(r, &status, NULL), XM_OK);
        sync_error = 0;
        assert_int_equal(stopped, XM_IO);
        assert_non_null(strstr(err.text, strerror(EIO)));
        assert_int_equal(status.bytes, file_bytes(path));
        holds(f, path, 0, at);
    }
}

/* What ended it was not the disk, which is full only when the file is completed. */
static void a_disk_that_is_full_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    for (unsigned sized = 0; sized < 2; sized++) {
        const char *path = in(f, sized ? "l1.zst" : "l0.zst");
        struct xm_recording_config config = packed(path);
        struct xm_recording_status status;
        struct xm_error err;
        size_t at = 0, whole = 0;
        config.max_bytes = sized ? 300000 : 0;
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, sized ? SIZE_MAX : 8, &err), sized ? XM_END : XM_OK);
        if (!sized)
            assert_int_equal(xm_recording_pass(r, "no pass at all", 12, false, f->now, &err), XM_DAMAGED);
        limit = before;
        limit.rlim_cur = file_bytes(path) + 1;
        setrlimit(RLIMIT_FSIZE, &limit);
        enum xm_status stopped = xm_recording_close(r, &status, &err);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(stopped, XM_IO);
        for (uint64_t i = 0; i < status.passes; i++)
            whole += xt_pass_bytes(&f->capture, whole);
        assert_true(sized ? whole == at : whole < at);
        if (!sized) {
            assert_int_equal(file_bytes(path), 0);
            continue;
        }
        /* Not even the frame's end has room: all is there, as after a crash. */
        enum xm_status ended;
        struct xt_bytes b = get(path, &ended);
        assert_int_equal(file_bytes(path), limit.rlim_cur - 1);
        assert_int_equal(status.bytes, file_bytes(path));
        assert_int_equal(b.size, whole);
        xt_free(&b);
    }
}

static void a_file_that_cannot_be_removed_ends_it(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s", in(f, "m"));
    struct xm_recording_config config = plain(path);
    for (unsigned gone = 0; gone < 2; gone++) {
        struct xm_error err;
        size_t at = 0;
        config.rotate_ns = S;
        config.keep = 1;
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, 10, &err), XM_OK);
        unlink(path);
        if (!gone)
            assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(put(f, r, &at, 10, &err), gone ? XM_OK : XM_IO);
        if (!gone)
            assert_non_null(strstr(err.text, path));
        end(r);
        rmdir(path);
        unlink(in(f, "m.1"));
    }
}

/* ---- A pipe. */

static bool patience_is_over;

static bool is_over(void *user)
{
    return patience_is_over;
}

/* Whoever made standard output may have made it non-blocking: it is waited for all the same. */
static void a_pipe_that_does_not_block(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    struct xm_recording_config config = plain("pipe");
    struct xm_error err;
    size_t at = 0;
    config.fd = ends[1];
    config.stop = is_over;
    pid_t pid = fork();
    if (pid == 0) { /* reads all of it, and not at once */
        unsigned char piece[65536];
        size_t got = 0;
        bool same = true;
        ssize_t n;
        close(ends[1]);
        usleep(300000);
        for (; (n = read(ends[0], piece, sizeof piece)) > 0; got += (size_t)n)
            same &= got + (size_t)n <= f->capture.size && memcmp(piece, f->capture.data + got, (size_t)n) == 0;
        _exit(same && got == f->capture.size ? 0 : 1);
    }
    struct xm_recording *r = begin(f, &config);
    enum xm_status stopped = put(f, r, &at, SIZE_MAX, &err);
    end(r);
    close(ends[1]);
    int wait_status;
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    assert_int_equal(stopped, XM_OK);
    assert_true(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0);
    close(ends[0]);
    /* Nobody reads: it ends when it is told to. */
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    config.fd = ends[1];
    patience_is_over = true;
    at = 0;
    r = begin(f, &config);
    assert_int_equal(put(f, r, &at, SIZE_MAX, &err), XM_END);
    end(r);
    close(ends[0]);
    close(ends[1]);
}

/* ---- A source that was gone for a while. */

static uint64_t records_in(const struct xt_bytes *capture, size_t from, size_t to)
{
    struct xm_pass pass = {0};
    assert_int_equal(xm_pass_add(&pass, capture->data + from, to - from, NULL), XM_OK);
    uint64_t records = xm_pass_records(&pass);
    xm_pass_free(&pass);
    return records;
}

static void after_a_gap_nothing_is_claimed(void **state)
{
    struct fixture *f = *state;
    /* How many passes the next source goes back: it may deliver again what the one before had not given back. */
    for (unsigned back = 0; back < 3; back++) {
        char name[8];
        snprintf(name, sizeof name, "h%u", back);
        const char *path = in(f, name);
        struct xm_recording_config config = plain(path);
        struct xm_error err;
        size_t at = 0, again = 0;
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, 20, &err), XM_OK);
        size_t left = at;
        xm_recording_gap(r);
        for (unsigned i = 0; i < (back ? 20 - back : 25); i++)
            again += xt_pass_bytes(&f->capture, again);
        at = again;
        assert_int_equal(put(f, r, &at, SIZE_MAX, &err), XM_OK);
        struct xm_recording_status status = end(r);
        assert_int_equal(status.gaps, 1);
        enum xm_status ended;
        struct xt_bytes b = get(path, &ended);
        struct xm_stream_config strict = {.order = XM_ORDER_STRICT};
        struct xt_events e = xt_run(b.data, b.size, &strict, NULL, NULL, XT_DRAIN_AT_END);
        if (e.ended != XM_OK)
            fail_msg("%s", e.error.text);
        assert_int_equal(e.stats.backwards + e.stats.stragglers + e.stats.damages, 0);
        unsigned gaps[8] = {0};
        uint64_t marks = 0;
        for (size_t i = 0; i < e.count; i++)
            gaps[e.event[i].cpu] += e.event[i].kind == XM_EV_GAP_OPEN;
        struct xt_trace parts = xt_take_apart(&f->capture);
        for (uint32_t cpu = 0; cpu < 8; cpu++) {
            assert_int_equal(gaps[cpu], cpu < parts.cpus);
            marks += gaps[cpu];
        }
        assert_int_equal(e.stats.lost_records, marks);
        uint64_t missing = back ? 0 : records_in(&f->capture, left, again);
        assert_int_equal(e.stats.records, records_in(&f->capture, 0, f->capture.size) - missing + marks);
        xt_trace_free(&parts);
        xt_events_free(&e);
        xt_free(&b);
    }
}

static void what_is_no_pass_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s", in(f, "i"));
    struct xm_recording_config config = plain(path);
    config.force = true;
    for (unsigned i = 0; i < 3; i++) {
        struct xm_error err;
        size_t at = 0;
        struct xm_recording *r = begin(f, &config);
        assert_int_equal(put(f, r, &at, 3, &err), XM_OK);
        size_t size = xt_pass_bytes(&f->capture, at);
        if (i == 0)
            assert_int_equal(xm_recording_pass(r, f->capture.data + at + 4, size - 4, false, f->now, &err), XM_DAMAGED);
        if (i == 1)
            assert_int_equal(xm_recording_pass(r, f->capture.data + at, size - 4, false, f->now, &err), XM_DAMAGED);
        if (i == 2) {
            xm_recording_gap(r);
            unsigned char early[XM_PASS_MARK_BYTES];
            xm_pass_mark(early, 0, 1, 1000, XM_PASS_NOBODY, 1000);
            assert_int_equal(xm_recording_pass(r, early, sizeof early, false, f->now, &err), XM_DAMAGED);
            assert_non_null(strstr(err.text, "clock"));
        }
        end(r);
        holds(f, path, 0, at);
    }
}

static void marks_are_counted_apart(void **state)
{
    struct fixture *f = *state;
    const struct xm_recording_config config = plain(in(f, "j"));
    unsigned char mark[XM_PASS_MARK_BYTES];
    struct xm_error err;
    xm_error_clear(&err);
    struct xm_recording *r = begin(f, &config);
    xm_pass_mark(mark, 0, 5, 100, XM_PASS_NOBODY, 90);
    assert_int_equal(xm_recording_pass(r, mark, sizeof mark, true, f->now, &err), XM_OK);
    xm_pass_mark(mark, 0, 7, 200, XM_PASS_NOBODY, 190);
    assert_int_equal(xm_recording_pass(r, mark, sizeof mark, false, f->now, &err), XM_OK);
    assert_int_equal(xm_recording_pass(r, mark, 0, false, f->now, &err), XM_OK);
    struct xm_recording_status status = end(r);
    assert_int_equal(status.dropped, 5);
    assert_int_equal(status.lost, 7);
    assert_int_equal(status.passes, 1);
    assert_int_equal(status.bytes, 2 * sizeof mark);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_goes_in_comes_out),
        TEST(a_limit_of_size_holds),
        TEST(rotation_by_size),
        TEST(rotation_by_time_keeps_the_newest),
        TEST(what_exists_is_not_replaced_unasked),
        TEST(a_killed_writer_leaves_what_it_wrote),
        TEST(a_full_disk_leaves_a_whole_file),
        TEST(a_disk_that_fails_leaves_a_whole_file),
        TEST(a_disk_that_is_full_at_the_end),
        TEST(a_file_that_cannot_be_removed_ends_it),
        TEST(a_pipe_that_does_not_block),
        TEST(after_a_gap_nothing_is_claimed),
        TEST(what_is_no_pass_is_refused),
        TEST(marks_are_counted_apart),
    };
    return cmocka_run_group_tests_name("recording", tests, NULL, NULL);
}
