/* SPDX-License-Identifier: MIT */
/*
 * Dear answers, off libmicrohttpd's threads: each of these has many connections, and while it makes an
 * answer none of them is heard.  So a request whose answer has a turn is suspended, one of as many threads of
 * our own as there are turns asks its handler again, and the request is resumed with what came of it.
 *
 * Whose it is: from xm_http_put_aside() until it is resumed the request, its connection and its headers are
 * the worker's alone.  libmicrohttpd ends nothing that is suspended, so they are there until then, wherever
 * the client is; one that has gone is noticed when its answer is sent.
 */
#include "export/http_int.h"

#include <string.h>

#include "base/clock.h"

bool xm_http_put_aside(struct xm_http_request *request)
{
    struct xm_http *http = request->http;
    struct xm_http_request **end = &http->aside;
    pthread_mutex_lock(&http->lock);
    bool room = !http->stop; /* nobody would resume it */
    if (room) {
        request->aside = true;
        request->next = NULL;
        while (*end) /* of those that have a turn: a few */
            end = &(*end)->next;
        *end = request;
        MHD_suspend_connection(request->mhd);
        pthread_cond_signal(&http->work);
    }
    pthread_mutex_unlock(&http->lock);
    return room;
}

/* The request that has waited for longest; NULL: there are none, and will be none. */
static struct xm_http_request *next_of(struct xm_http_worker *worker)
{
    struct xm_http *http = worker->http;
    pthread_mutex_lock(&http->lock);
    worker->since_ns = 0;
    while (!http->aside && !http->stop)
        pthread_cond_wait(&http->work, &http->lock);
    struct xm_http_request *request = http->aside;
    if (request) {
        http->aside = request->next;
        worker->since_ns = xm_clock_ns();
    }
    pthread_mutex_unlock(&http->lock);
    return request;
}

static void *work(void *user)
{
    struct xm_http_request *request;
    while ((request = next_of(user))) {
        xm_http_make_aside(request);
        MHD_resume_connection(request->mhd); /* libmicrohttpd's again, and maybe gone */
    }
    return NULL;
}

enum xm_status xm_http_hire(struct xm_http *http, struct xm_error *err)
{
    for (; http->workers < XM_HTTP_TURNS; http->workers++) {
        struct xm_http_worker *worker = &http->worker[http->workers];
        worker->http = http;
        int failed = pthread_create(&worker->thread, NULL, work, worker);
        if (failed)
            return xm_fail(err, XM_IO, XM_NO_OFFSET, "no thread for the server: %s", strerror(failed));
    }
    return XM_OK;
}

void xm_http_dismiss(struct xm_http *http)
{
    for (; http->workers; http->workers--)
        pthread_join(http->worker[http->workers - 1].thread, NULL);
}

bool xm_http_works(struct xm_http *http, uint64_t now_ns, uint64_t patience_ns)
{
    bool all = true;
    pthread_mutex_lock(&http->lock);
    for (unsigned i = 0; i < http->workers; i++) {
        uint64_t since_ns = http->worker[i].since_ns;
        all = all && (!since_ns || now_ns <= since_ns + patience_ns);
    }
    pthread_mutex_unlock(&http->lock);
    return all;
}
