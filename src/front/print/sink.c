/* SPDX-License-Identifier: MIT */
#include "front/print/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 200 /* for a reader, before `enough` is asked again */

enum xm_status xm_sink_init(struct xm_sink *sink)
{
    *sink = (struct xm_sink){.fd = -1};
    sink->text = open_memstream(&sink->data, &sink->room);
    return sink->text ? XM_OK : XM_NOMEM;
}

void xm_sink_fini(struct xm_sink *sink)
{
    if (!sink->text)
        return;
    xm_sink_attach(sink, -1);
    fclose(sink->text);
    free(sink->data);
    *sink = (struct xm_sink){.fd = -1};
}

void xm_sink_attach(struct xm_sink *sink, int fd)
{
    struct stat facts;
    if (sink->fd >= 0)
        close(sink->fd);
    sink->fd = fd;
    sink->used = false;
    sink->torn = false;
    sink->regular = fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

static bool appends(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_APPEND);
}

/* Where the next byte of a regular file goes; -1: cannot be told. */
static off_t position(const struct xm_sink *sink)
{
    struct stat facts;
    if (!sink->regular || fstat(sink->fd, &facts) != 0)
        return -1;
    if (appends(sink->fd))
        return facts.st_size;
    off_t at = lseek(sink->fd, 0, SEEK_CUR);
    /* Somebody has cut the file short: no hole up to where it ended before. */
    return at > facts.st_size ? lseek(sink->fd, 0, SEEK_END) : at;
}

FILE *xm_sink_begin(struct xm_sink *sink, bool *empty)
{
    *empty = sink->regular ? position(sink) == 0 : !sink->used;
    clearerr(sink->text);
    rewind(sink->text);
    return sink->text;
}

/* Nothing of the piece stays behind.  False: some of it does. */
static bool take_back(const struct xm_sink *sink, off_t start)
{
    struct stat facts;
    if (start < 0 || fstat(sink->fd, &facts) != 0)
        return false;
    if (facts.st_size <= start)
        return true;
    return ftruncate(sink->fd, start) == 0 && (appends(sink->fd) || lseek(sink->fd, start, SEEK_SET) == start);
}

/* The write failed, and errno says how.  Try again?  False: errno says why not. */
static bool goes_on(const struct xm_sink *sink, bool (*enough)(void *user), void *user)
{
    struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
    if (errno != EINTR && errno != EAGAIN)
        return false;
    if (errno == EAGAIN)
        (void)poll(&room, 1, WAIT_MS);
    errno = EINTR;
    return !(enough && enough(user));
}

enum xm_status xm_sink_commit(struct xm_sink *sink, bool (*enough)(void *user), void *user)
{
    off_t length = ftello(sink->text);
    if (fflush(sink->text) != 0 || ferror(sink->text) || length < 0)
        return XM_NOMEM;
    errno = EIO;
    if (sink->torn)
        return XM_IO;
    off_t start = position(sink);
    const char *at = sink->data;
    const char *end = sink->data + length;
    while (at < end) {
        ssize_t n = write(sink->fd, at, (size_t)(end - at));
        if (n < 0 && goes_on(sink, enough, user))
            continue;
        if (n == 0)
            errno = ENOSPC; /* what takes nothing is full */
        if (n <= 0) {
            int why = errno;
            sink->torn = at > sink->data && !take_back(sink, start);
            errno = why;
            return XM_IO;
        }
        at += n;
    }
    sink->used = sink->used || length > 0;
    return XM_OK;
}

enum xm_status xm_sink_close(struct xm_sink *sink)
{
    int fd = sink->fd;
    sink->fd = -1;
    return fd < 0 || close(fd) == 0 || errno == EINTR ? XM_OK : XM_IO;
}
