/* SPDX-License-Identifier: MIT */
#include "source/listener.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "source/pass.h"
#include "source/tee.h"

#define FIRST_ROOM (256u << 10)
#define LINE_BYTES 256u /* no answer is longer */

struct xm_listener {
    int fd;
    bool greeted;
    struct xm_listener_greeting greeting;
    unsigned char *bytes; /* [begin .. end-1] came and was not handed out */
    size_t begin, end, room;
};

static enum xm_status no_connection(const char *path, int error, struct xm_error *err)
{
    enum xm_status status = error == EACCES || error == EPERM                               ? XM_DENIED
                            : error == ENOENT || error == ECONNREFUSED || error == EAGAIN ? XM_AGAIN
                                                                                            : XM_IO;
    return xm_fail(err, status, XM_NO_OFFSET, "%s: %s", path, strerror(error));
}

static enum xm_status ask(struct xm_listener *l, const char *path, struct xm_error *err)
{
    static const char request[] = XM_TEE_REQUEST;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: too long a name for a socket", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || connect(l->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return no_connection(path, errno, err);
    ssize_t n = send(l->fd, request, sizeof request - 1, MSG_NOSIGNAL);
    if (n != (ssize_t)sizeof request - 1)
        return no_connection(path, n < 0 && errno != EPIPE ? errno : ECONNREFUSED, err);
    return XM_OK;
}

enum xm_status xm_listener_open(const char *path, struct xm_listener **listener, struct xm_error *err)
{
    struct xm_listener *l = calloc(1, sizeof *l);
    *listener = NULL;
    if (!l)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    l->fd = -1;
    enum xm_status status = ask(l, path, err);
    if (status != XM_OK) {
        xm_listener_close(l);
        return status;
    }
    *listener = l;
    return XM_OK;
}

void xm_listener_close(struct xm_listener *listener)
{
    if (!listener)
        return;
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener->bytes);
    free(listener);
}

const struct xm_listener_greeting *xm_listener_greeting(const struct xm_listener *listener)
{
    return listener->greeted ? &listener->greeting : NULL;
}

/* ---- What comes. */

static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

/* "NAME\tHZ\tEVENTS" */
static bool read_greeting(char *text, struct xm_listener_greeting *g)
{
    char *hz = strchr(text, '\t');
    char *events = hz ? strchr(hz + 1, '\t') : NULL;
    char *end;
    if (!events || hz[1] < '0' || hz[1] > '9' || strncmp(events + 1, "0x", 2) != 0)
        return false;
    *hz++ = *events++ = '\0';
    errno = 0;
    g->hz = strtoull(hz, &end, 10);
    if (*end || errno)
        return false;
    unsigned long long mask = strtoull(events, &end, 16);
    if (*end || errno || mask > UINT32_MAX)
        return false;
    g->events = (uint32_t)mask;
    make_printable(text);
    snprintf(g->hypervisor, sizeof g->hypervisor, "%.63s", text);
    return true;
}

/* The answer to the request.  XM_AGAIN: its line is not whole yet. */
static enum xm_status greet(struct xm_listener *l, struct xm_error *err)
{
    char line[LINE_BYTES];
    size_t have = l->end - l->begin;
    unsigned char *newline = have ? memchr(l->bytes + l->begin, '\n', have < sizeof line ? have : sizeof line) : NULL;
    if (!newline && have < sizeof line)
        return XM_AGAIN;
    if (!newline)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "what answers is no xenbaked: no line in %zu bytes", have);
    size_t length = (size_t)(newline - (l->bytes + l->begin));
    memcpy(line, l->bytes + l->begin, length);
    line[length] = '\0';
    l->begin += length + 1;
    if (strncmp(line, "ok ", 3) == 0 && strlen(line) == length && read_greeting(line + 3, &l->greeting)) {
        l->greeted = true;
        return XM_OK;
    }
    make_printable(line);
    if (strncmp(line, "error ", 6) == 0)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "%s", line + 6);
    line[60 < length ? 60 : length] = '\0';
    return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "what answers is no xenbaked: '%s'", line);
}

/* A whole frame, if it is there. */
static enum xm_status take_frame(struct xm_listener *l, struct xm_listener_pass *pass, struct xm_error *err)
{
    if (l->end - l->begin < XM_TEE_COUNT_BYTES)
        return XM_AGAIN;
    uint32_t count = xm_load32(l->bytes + l->begin);
    size_t size = count & ~XM_TEE_MARKS;
    if (size > XM_PASS_MAX_BYTES || size % 4)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "it announces a pass of %zu bytes, which none can have", size);
    if (l->end - l->begin - XM_TEE_COUNT_BYTES < size)
        return XM_AGAIN;
    *pass = (struct xm_listener_pass){l->bytes + l->begin + XM_TEE_COUNT_BYTES, size, (count & XM_TEE_MARKS) != 0};
    l->begin += XM_TEE_COUNT_BYTES + size;
    return XM_OK;
}

/* Room behind what is there; grows by what came, not by what is announced. */
static bool make_room(struct xm_listener *l)
{
    if (l->begin > 0) {
        memmove(l->bytes, l->bytes + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;
    }
    if (l->end < l->room)
        return true;
    size_t room = l->room ? 2 * l->room : FIRST_ROOM;
    unsigned char *grown = realloc(l->bytes, room);
    if (!grown)
        return false;
    l->bytes = grown;
    l->room = room;
    return true;
}

static enum xm_status receive(struct xm_listener *l, int timeout_ms, struct xm_error *err)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    int ready = poll(&p, 1, timeout_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR))
        return XM_AGAIN;
    if (ready < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s", strerror(errno));
    if (!make_room(l))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    ssize_t n = recv(l->fd, l->bytes + l->end, l->room - l->end, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return XM_AGAIN;
    if (n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE)))
        return XM_END;
    if (n < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s", strerror(errno));
    l->end += (size_t)n;
    return XM_OK;
}

enum xm_status xm_listener_next(struct xm_listener *listener, int timeout_ms, struct xm_listener_pass *pass,
                                struct xm_error *err)
{
    for (;;) {
        enum xm_status status = listener->greeted ? XM_OK : greet(listener, err);
        if (status == XM_OK)
            status = take_frame(listener, pass, err);
        if (status != XM_AGAIN)
            return status;
        status = receive(listener, timeout_ms, err);
        if (status != XM_OK)
            return status;
        timeout_ms = 0; /* one wait a call: what trickles in is gone on with in the next */
    }
}
