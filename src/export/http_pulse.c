/* SPDX-License-Identifier: MIT */
/*
 * Whether the threads that answer still do.
 *
 * libmicrohttpd runs its threads by itself, and one that hangs looks like one with nothing to do.  So each
 * gets a connection of our own from time to time, one end of a pair of sockets, and marks it when it takes
 * it up: that comes from its own loop, whether the gate speaks TLS or not, and before anything is read.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/http_int.h"

#define TRIES 8

/* The peer's address of such a connection; nothing that comes by way of a listener has that family. */
struct mark {
    sa_family_t family; /* AF_UNSPEC */
    uint16_t thread;
};

bool xm_http_is_pulse(const struct sockaddr *address, socklen_t bytes)
{
    return address && bytes >= (socklen_t)sizeof(struct mark) && address->sa_family == AF_UNSPEC;
}

/*
 * libmicrohttpd gives a connection to the thread whose number is the remainder of the socket's: a copy of
 * the socket that has it.  Were that to change, a pulse would reach another thread, and some would be asked
 * twice.
 */
static int aim(int fd, unsigned thread)
{
    for (int i = 0; fd >= 0 && i < TRIES && (unsigned)fd % XM_HTTP_THREADS != thread; i++) {
        int other = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
        close(fd);
        fd = other;
    }
    return fd;
}

/* Without sockets or room for a connection there is no pulse, and no harm. */
static void send_pulse(struct xm_http_gate *gate, unsigned thread, uint64_t now_ns)
{
    struct xm_http_pulse *pulse = &gate->pulse[thread];
    struct sockaddr_storage address = {0};
    struct mark mark = {AF_UNSPEC, (uint16_t)thread};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return;
    pair[1] = aim(pair[1], thread);
    if (pair[1] < 0) {
        close(pair[0]);
        return;
    }
    memcpy(&address, &mark, sizeof mark);
    pthread_mutex_lock(&gate->http->lock);
    pulse->fd = pair[0];
    pulse->sent_ns = now_ns;
    pulse->waits = true;
    pthread_mutex_unlock(&gate->http->lock);
    if (MHD_add_connection(gate->daemon, pair[1], (const struct sockaddr *)&address, sizeof mark) != MHD_YES)
        xm_http_take_pulse(gate, (const struct sockaddr *)&address);
}

void xm_http_take_pulse(struct xm_http_gate *gate, const struct sockaddr *address)
{
    struct mark mark;
    memcpy(&mark, address, sizeof mark);
    if (mark.thread >= XM_HTTP_THREADS)
        return;
    struct xm_http_pulse *pulse = &gate->pulse[mark.thread];
    pthread_mutex_lock(&gate->http->lock);
    if (pulse->waits)
        close(pulse->fd); /* libmicrohttpd's end sees that, and goes too */
    pulse->waits = false;
    pthread_mutex_unlock(&gate->http->lock);
}

bool xm_http_answers(struct xm_http *http, uint64_t patience_ns)
{
    uint64_t now_ns = xm_clock_ns();
    bool all = true;
    for (unsigned g = 0; g < http->gates; g++)
        for (unsigned t = 0; t < XM_HTTP_THREADS; t++) {
            const struct xm_http_pulse *pulse = &http->gate[g].pulse[t];
            pthread_mutex_lock(&http->lock);
            bool waits = pulse->waits;
            uint64_t sent_ns = pulse->sent_ns;
            pthread_mutex_unlock(&http->lock);
            if (waits)
                all = all && now_ns - sent_ns <= patience_ns;
            else if (sent_ns == 0 || now_ns - sent_ns >= patience_ns / 4)
                send_pulse(&http->gate[g], t, now_ns);
        }
    return xm_http_works(http, now_ns, patience_ns) && all;
}
