/* SPDX-License-Identifier: MIT */
/* A file, a zstd-packed file, a pipe, standard input. */
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "source/source_int.h"
#include "source/unpack.h"

#define CHUNK_BYTES 65536
#define MAGIC_BYTES 4

enum packing { PACKING_UNDECIDED, PACKING_NONE, PACKING_ZSTD };

struct file {
    struct xm_source base;
    int fd;
    bool owns_fd;
    bool ended;             /* read(2) has said so */
    enum packing packing;
    off_t start;            /* where the trace begins in a regular file: not 0 if a shell handed it over half read */
    uint64_t offset;        /* bytes read so far */
    struct xm_unpack *unpack;
    size_t begin, end;      /* raw[begin .. end-1] has been read and not handed out */
    struct xm_error failed; /* set: this is what every further call says */
    unsigned char raw[CHUNK_BYTES];
    unsigned char plain[CHUNK_BYTES];
};

/* Other packers' first bytes; none of them can begin a trace (they would name a CPU above 16384). */
static const struct {
    unsigned char magic[MAGIC_BYTES];
    unsigned char bytes;
    const char *name, *unpacker;
} foreign[] = {
    {{0x1f, 0x8b}, 2, "gzip", "gzip -dc"},
    {{'B', 'Z', 'h'}, 3, "bzip2", "bzip2 -dc"},
    {{0xfd, '7', 'z', 'X'}, 4, "xz", "xz -dc"},
    {{0x04, 0x22, 0x4d, 0x18}, 4, "lz4", "lz4 -dc"},
};

static bool is_zstd(const unsigned char *magic)
{
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char skippable[] = {0x2a, 0x4d, 0x18}; /* its lowest byte is 0x50 to 0x5f */
    return memcmp(magic, frame, sizeof frame) == 0 ||
           ((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, skippable, sizeof skippable) == 0);
}

/* A name goes into messages and onto screens: no control characters. */
static void set_name(struct file *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = strcmp(path, "-") == 0 ? "standard input" : slash && slash[1] ? slash + 1 : path;
    snprintf(s->base.name, sizeof s->base.name, "%s", base);
    for (char *c = s->base.name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

static enum xm_status open_fd(struct file *s, const char *path, struct xm_error *err)
{
    if (strcmp(path, "-") == 0) {
        s->fd = STDIN_FILENO;
        return XM_OK;
    }
    /* Not blocking, so that a FIFO whose writer is late makes xm_source_next() wait, which can time out. */
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    s->owns_fd = s->fd >= 0;
    return s->owns_fd ? XM_OK : xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
}

static enum xm_status look_at_fd(struct file *s, const char *path, struct xm_error *err)
{
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(EISDIR));
    if (isatty(s->fd))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s is a terminal, not a trace", s->base.name);
    s->base.regular = S_ISREG(st.st_mode);
    if (!s->base.regular)
        return XM_OK;
    s->start = s->owns_fd ? 0 : lseek(s->fd, 0, SEEK_CUR);
    if (st.st_size <= s->start)
        return xm_fail(err, XM_DAMAGED, 0, "%s is empty", s->base.name);
    posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return XM_OK;
}

static enum xm_status keep(struct file *s, enum xm_status status, struct xm_error *err)
{
    if (err && err->status == XM_OK)
        *err = s->failed;
    return status;
}

/* Tells packed from plain by the first bytes; fewer than MAGIC_BYTES only at the end of the input. */
static enum xm_status decide(struct file *s)
{
    const unsigned char *magic = s->raw + s->begin;
    size_t have = s->end - s->begin;
    s->packing = PACKING_NONE;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (have >= foreign[i].bytes && memcmp(magic, foreign[i].magic, foreign[i].bytes) == 0)
            return xm_fail(&s->failed, XM_UNSUPPORTED, 0, "packed with %s: unpack it first (%s)", foreign[i].name,
                           foreign[i].unpacker);
    if (have < MAGIC_BYTES || !is_zstd(magic))
        return XM_OK;
    s->packing = PACKING_ZSTD;
    return s->unpack ? XM_OK : xm_unpack_create(&s->unpack, &s->failed);
}

/* Waits until read(2) would not block.  XM_OK, XM_AGAIN, XM_IO. */
static enum xm_status wait_readable(struct file *s, int timeout_ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);
    if (n > 0)
        return XM_OK; /* POLLHUP and POLLERR too: read(2) says what it is */
    if (n == 0 || errno == EINTR)
        return XM_AGAIN;
    return xm_fail(&s->failed, XM_IO, s->offset, "%s", strerror(errno));
}

/* Reads once behind raw[end - 1].  XM_OK (also at the end: `ended`), XM_AGAIN, XM_IO. */
static enum xm_status fill(struct file *s, int timeout_ms)
{
    if (s->begin == s->end)
        s->begin = s->end = 0;
    if (!s->base.regular) {
        enum xm_status status = wait_readable(s, timeout_ms);
        if (status != XM_OK)
            return status;
    }
    ssize_t n = read(s->fd, s->raw + s->end, sizeof s->raw - s->end);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return XM_AGAIN;
    if (n < 0)
        return xm_fail(&s->failed, XM_IO, s->offset, "byte %llu: %s", (unsigned long long)s->offset,
                       strerror(errno));
    s->ended = n == 0;
    s->end += (size_t)n;
    s->offset += (uint64_t)n;
    return XM_OK;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The first bytes decide, and may come one by one. */
static enum xm_status sniff(struct file *s, int timeout_ms)
{
    int64_t until = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
    while (s->packing == PACKING_UNDECIDED) {
        if (s->ended || s->end - s->begin >= MAGIC_BYTES)
            return decide(s);
        enum xm_status status = fill(s, timeout_ms);
        if (status != XM_OK)
            return status;
        if (timeout_ms > 0) {
            int64_t left = until - now_ms();
            timeout_ms = left > 0 ? (int)left : 0;
        }
    }
    return XM_OK;
}

static enum xm_status next_plain(struct file *s, int timeout_ms, const void **bytes, size_t *size)
{
    if (s->begin == s->end && !s->ended) {
        enum xm_status status = fill(s, timeout_ms);
        if (status != XM_OK)
            return status;
    }
    if (s->begin == s->end)
        return XM_END;
    *bytes = s->raw + s->begin;
    *size = s->end - s->begin;
    s->begin = s->end;
    return XM_OK;
}

static enum xm_status next_packed(struct file *s, int timeout_ms, const void **bytes, size_t *size)
{
    for (size_t made = 0;;) {
        size_t used, more;
        enum xm_status status = xm_unpack_run(s->unpack, s->raw + s->begin, s->end - s->begin, &used, s->plain + made,
                                              sizeof s->plain - made, &more, &s->failed);
        s->begin += used;
        made += more;
        *bytes = s->plain;
        *size = made;
        if (status == XM_OK && made < sizeof s->plain)
            continue;
        if (made > 0) /* an error keeps in s->failed until all before it is out */
            return XM_OK;
        if (status != XM_AGAIN)
            return status;
        if (s->ended)
            return xm_unpack_finish(s->unpack, &s->failed);
        status = fill(s, timeout_ms);
        if (status != XM_OK)
            return status;
    }
}

static enum xm_status next_bytes(struct xm_source *source, int timeout_ms, const void **bytes, size_t *size,
                                 struct xm_error *err)
{
    struct file *s = (struct file *)source;
    if (s->failed.status != XM_OK)
        return keep(s, s->failed.status, err);
    enum xm_status status = sniff(s, timeout_ms);
    if (status == XM_OK)
        status = s->packing == PACKING_ZSTD ? next_packed(s, timeout_ms, bytes, size)
                                            : next_plain(s, timeout_ms, bytes, size);
    return status < 0 ? keep(s, status, err) : status;
}

static void close_file(struct xm_source *source)
{
    struct file *s = (struct file *)source;
    xm_unpack_destroy(s->unpack);
    if (s->owns_fd)
        close(s->fd);
    free(s);
}

static enum xm_status rewind_file(struct xm_source *source)
{
    struct file *s = (struct file *)source;
    if (!s->base.regular)
        return XM_UNSUPPORTED;
    if (lseek(s->fd, s->start, SEEK_SET) < 0)
        return XM_IO;
    s->begin = s->end = 0;
    s->offset = 0;
    s->ended = false;
    s->packing = PACKING_UNDECIDED;
    s->failed = (struct xm_error){0};
    if (s->unpack)
        xm_unpack_reset(s->unpack);
    return XM_OK;
}

static const struct xm_source_ops file_ops = {.next = next_bytes, .rewind = rewind_file, .close = close_file};

enum xm_status xm_source_open(const char *path, struct xm_source **source, struct xm_error *err)
{
    struct file *s = calloc(1, sizeof *s);
    *source = NULL;
    if (!s)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    s->base.ops = &file_ops;
    set_name(s, path);
    enum xm_status status = open_fd(s, path, err);
    if (status == XM_OK)
        status = look_at_fd(s, path, err);
    if (status == XM_OK && s->base.regular && (status = sniff(s, 0)) < 0)
        xm_fail(err, status, s->failed.offset, "%s: %s", path, s->failed.text);
    if (status < 0) {
        close_file(&s->base);
        return status;
    }
    *source = &s->base;
    return XM_OK;
}
