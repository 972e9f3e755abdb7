/* SPDX-License-Identifier: MIT */
#include "source/sim_control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "source/sim_command.h"

#define SUFFIX ".sim"

struct client {
    int fd; /* -1: free */
    uint64_t heard; /* when it was heard of last, in serves */
    char line[XM_SIM_COMMAND_BYTES];
    size_t length;
    char *answer; /* of XM_SIM_ANSWER_BYTES; [sent .. told-1] is still to go */
    size_t sent, told;
};

struct xm_sim_control {
    struct xm_simhost *host;
    int fd, epoll;
    bool bound;
    uint64_t serves;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct client client[XM_SIM_CLIENTS];
};

bool xm_sim_control_path(const char *region, char *path, size_t size)
{
    int n = snprintf(path, size, "%s" SUFFIX, region);
    return n >= 0 && (size_t)n < size && (size_t)n < sizeof(((struct sockaddr_un *)0)->sun_path);
}

/* ---- Clients. */

static void drop(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd); /* and out of the epoll with it */
    free(client->answer);
    *client = (struct client){.fd = -1};
}

/* What is waited for of it: its lines, or that it takes the answer. */
static bool watch(struct xm_sim_control *c, struct client *client, int how)
{
    struct epoll_event event = {.events = client->told > client->sent ? EPOLLOUT : EPOLLIN, .data.ptr = client};
    return epoll_ctl(c->epoll, how, client->fd, &event) == 0;
}

static void admit(struct xm_sim_control *c)
{
    int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *place = &c->client[0];
    if (fd < 0)
        return;
    for (unsigned i = 0; i < XM_SIM_CLIENTS; i++) {
        struct client *other = &c->client[i];
        if (place->fd >= 0 && (other->fd < 0 || other->heard < place->heard))
            place = other;
    }
    drop(place);
    *place = (struct client){.fd = fd, .heard = c->serves, .answer = malloc(XM_SIM_ANSWER_BYTES)};
    if (!place->answer || !watch(c, place, EPOLL_CTL_ADD))
        drop(place);
}

/* False: it is gone. */
static bool answer(struct client *client)
{
    while (client->sent < client->told) {
        ssize_t n = send(client->fd, client->answer + client->sent, client->told - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        client->sent += (size_t)n;
    }
    client->sent = client->told = 0;
    return true;
}

static bool is_too_long(const struct client *client)
{
    static const char text[] = "error: the line is too long\n";
    if (client->length < sizeof client->line)
        return false;
    (void)!send(client->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return true;
}

/* Lines that have come whole, a buffer of them at most, as long as their answers are taken.  False: it is gone. */
static bool obey(struct xm_sim_control *c, struct client *client)
{
    while (client->told == 0) {
        char *end = memchr(client->line, '\n', client->length);
        if (!end)
            return !is_too_long(client);
        *end = '\0';
        xm_sim_command(c->host, client->line, client->answer);
        client->told = strlen(client->answer);
        size_t used = (size_t)(end - client->line) + 1;
        memmove(client->line, client->line + used, client->length - used);
        client->length -= used;
        if (!answer(client))
            return false;
    }
    return true;
}

/* False: it is gone. */
static bool attend(struct xm_sim_control *c, struct client *client)
{
    client->heard = c->serves;
    if (!answer(client))
        return false;
    if (client->told)
        return true;
    if (client->length < sizeof client->line) {
        ssize_t n = recv(client->fd, client->line + client->length, sizeof client->line - client->length, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        client->length += n > 0 ? (size_t)n : 0;
    }
    return obey(c, client);
}

void xm_sim_control_serve(struct xm_sim_control *c)
{
    struct epoll_event event[XM_SIM_CLIENTS + 1];
    int count = epoll_wait(c->epoll, event, XM_SIM_CLIENTS + 1, 0);
    bool admits = false;
    c->serves++;
    for (int i = 0; i < count; i++) {
        struct client *client = event[i].data.ptr;
        if (!client)
            admits = true;
        else if (!attend(c, client) || !watch(c, client, EPOLL_CTL_MOD))
            drop(client);
    }
    if (admits) /* last, as it may drop one of these */
        admit(c);
}

/* ---- The socket. */

static enum xm_status listen_there(struct xm_sim_control *c, struct xm_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    struct stat st;
    memcpy(address.sun_path, c->path, sizeof address.sun_path);
    if (lstat(c->path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: it is there already, and is no socket", c->path);
    (void)unlink(c->path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->fd < 0 || c->epoll < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", c->path, strerror(errno));
    /* Before it listens nobody can connect, whatever its mode is until then. */
    if (bind(c->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", c->path, strerror(errno));
    c->bound = true;
    if (chmod(c->path, 0600) != 0 || listen(c->fd, XM_SIM_CLIENTS) != 0 ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", c->path, strerror(errno));
    return XM_OK;
}

enum xm_status xm_sim_control_open(const char *path, struct xm_simhost *host, struct xm_sim_control **control,
                                   struct xm_error *err)
{
    struct xm_sim_control *c = calloc(1, sizeof *c);
    *control = NULL;
    if (!c)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    c->host = host;
    c->fd = c->epoll = -1;
    for (unsigned i = 0; i < XM_SIM_CLIENTS; i++)
        c->client[i].fd = -1;
    int n = snprintf(c->path, sizeof c->path, "%s", path);
    enum xm_status status = n < 0 || (size_t)n >= sizeof c->path
                                ? xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: too long a name for a socket", path)
                                : listen_there(c, err);
    if (status != XM_OK) {
        xm_sim_control_close(c);
        return status;
    }
    *control = c;
    return XM_OK;
}

void xm_sim_control_close(struct xm_sim_control *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < XM_SIM_CLIENTS; i++)
        drop(&c->client[i]);
    if (c->bound)
        (void)unlink(c->path);
    if (c->fd >= 0)
        close(c->fd);
    if (c->epoll >= 0)
        close(c->epoll);
    free(c);
}

int xm_sim_control_fd(const struct xm_sim_control *c)
{
    return c->epoll;
}
