/* SPDX-License-Identifier: MIT */
/*
 * Connections: who has one, and how long each may take.
 *
 * libmicrohttpd's own time limit is for connections on which nothing moves.  A client that sends a byte now
 * and then is within it for ever, so each phase has an end of its own here.  The janitor cuts the socket,
 * libmicrohttpd does the rest.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "export/http_int.h"
#include "xenmon/units.h"

#define BEAT_NS (XM_NS_PER_S / 2)
/* An answer has a minute, and a second more for every 64 KiB. */
#define ANSWER_NS          (60 * XM_NS_PER_S)
#define ANSWER_BYTES_PER_S 65536u

enum MHD_Result xm_http_admits(void *user, const struct sockaddr *address, socklen_t bytes)
{
    struct xm_http_gate *gate = user;
    struct xm_http *http = gate->http;
    bool admitted = xm_limits_admits(http->limits, bytes ? address : NULL);
    pthread_mutex_lock(&http->lock);
    admitted = admitted && !http->draining;
    http->counts.refused_connections += !admitted;
    pthread_mutex_unlock(&http->lock);
    return admitted ? MHD_YES : MHD_NO;
}

/* ---- Begin and end. */

static void copy_address(struct xm_http_connection *c, const struct sockaddr *address)
{
    size_t bytes = 0;
    if (address && address->sa_family == AF_INET)
        bytes = sizeof(struct sockaddr_in);
    else if (address && address->sa_family == AF_INET6)
        bytes = sizeof(struct sockaddr_in6);
    c->address.ss_family = AF_UNIX;
    if (bytes)
        memcpy(&c->address, address, bytes);
}

static void begin(struct xm_http_gate *gate, struct MHD_Connection *mhd, void **context)
{
    struct xm_http *http = gate->http;
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct xm_http_connection *c = calloc(1, sizeof *c);
    *context = c;
    if (!c) /* its requests are refused */
        return;
    c->http = http;
    c->listener = &gate->listener;
    c->mhd = mhd;
    c->fd = fd ? fd->connect_fd : -1;
    copy_address(c, address ? address->client_addr : NULL);
    c->counted = xm_limits_open(http->limits, (const struct sockaddr *)&c->address);
    c->deadline_ns = xm_clock_ns() + http->config.limits.request_s * XM_NS_PER_S;
    pthread_mutex_lock(&http->lock);
    c->next = http->connections;
    if (c->next)
        c->next->previous = c;
    http->connections = c;
    http->counts.connections++;
    pthread_cond_signal(&http->changed);
    pthread_mutex_unlock(&http->lock);
}

static void end(struct xm_http_connection *c)
{
    struct xm_http *http = c->http;
    pthread_mutex_lock(&http->lock);
    if (c->previous)
        c->previous->next = c->next;
    else
        http->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    http->counts.connections--;
    pthread_cond_signal(&http->changed);
    pthread_mutex_unlock(&http->lock);
    if (c->counted)
        xm_limits_close(http->limits, (const struct sockaddr *)&c->address);
    free(c);
}

void xm_http_connection_notice(void *user, struct MHD_Connection *mhd, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        begin(user, mhd, context);
    else if (*context) {
        end(*context);
        *context = NULL;
    }
}

void xm_http_set_phase(struct xm_http_connection *c, enum xm_http_phase phase, uint64_t bytes)
{
    const struct xm_http_limits *limits = &c->http->config.limits;
    uint64_t now_ns = xm_clock_ns();
    pthread_mutex_lock(&c->http->lock);
    c->phase = phase;
    if (phase == XM_HTTP_WAITING) /* the next request may be as long in coming as a connection may be quiet */
        c->deadline_ns = now_ns + limits->timeout_s * XM_NS_PER_S;
    else if (phase == XM_HTTP_READING)
        c->deadline_ns = now_ns + limits->request_s * XM_NS_PER_S;
    else if (phase == XM_HTTP_ANSWERING)
        c->deadline_ns = now_ns + ANSWER_NS + bytes / ANSWER_BYTES_PER_S * XM_NS_PER_S;
    else /* what is ours to do, or has no end, is no fault of the client's */
        c->deadline_ns = 0;
    pthread_mutex_unlock(&c->http->lock);
}

/* ---- The janitor. */

static void cut_slow(struct xm_http *http, uint64_t now_ns)
{
    /* A connection leaves the list before its socket is closed, so this is its socket and no other. */
    for (struct xm_http_connection *c = http->connections; c; c = c->next)
        if (c->deadline_ns && now_ns > c->deadline_ns && c->fd >= 0) {
            shutdown(c->fd, SHUT_RDWR);
            c->deadline_ns = 0;
        }
}

static void resume_all(struct xm_http *http)
{
    for (struct xm_http_connection *c = http->connections; c; c = c->next)
        if (c->suspended) {
            c->suspended = false;
            MHD_resume_connection(c->mhd);
        }
}

void xm_http_wake(struct xm_http *http)
{
    pthread_mutex_lock(&http->lock);
    resume_all(http);
    pthread_mutex_unlock(&http->lock);
}

void *xm_http_janitor(void *user)
{
    struct xm_http *http = user;
    pthread_mutex_lock(&http->lock);
    while (!http->stop) {
        if (!http->connections) { /* nobody there: no need to wake up */
            pthread_cond_wait(&http->changed, &http->lock);
            continue;
        }
        struct timespec due;
        uint64_t due_ns = xm_clock_ns() + BEAT_NS;
        due.tv_sec = (time_t)(due_ns / XM_NS_PER_S);
        due.tv_nsec = (long)(due_ns % XM_NS_PER_S);
        while (!http->stop && xm_clock_ns() < due_ns)
            pthread_cond_timedwait(&http->changed, &http->lock, &due);
        cut_slow(http, xm_clock_ns());
        resume_all(http);
    }
    /* libmicrohttpd ends no connection that is suspended. */
    resume_all(http);
    pthread_mutex_unlock(&http->lock);
    return NULL;
}
