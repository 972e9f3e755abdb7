/* SPDX-License-Identifier: MIT */
/* From a connection of libmicrohttpd to a route, and back. */
#include "export/http.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/http_int.h"
#include "xenmon/units.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define REFUSED_COST   10u /* a wrong token costs as much as so many requests */
#define STREAM_BLOCK   16384u
#define DRAIN_NS       (2 * XM_NS_PER_S)
#define CPU_OF_ONE_NS  (XM_NS_PER_S / 100) /* an answer that took more counts as several requests */

/* ---- Handing an answer over. */

struct running {
    struct xm_http_connection *connection;
    struct xm_http_request *request; /* it ends after the last call of next, and maybe before that of end */
    struct xm_http_stream stream;
};

/* Tokens and users were read again since this was let in: who still may asks again. */
static bool is_outdated(const struct xm_http_request *request)
{
    struct xm_auth *auth = request->http->config.auth;
    return auth && !request->connection->listener->trusted && xm_auth_generation(auth) != request->generation;
}

static ssize_t stream_next(void *user, uint64_t position, char *buffer, size_t bytes)
{
    struct running *r = user;
    struct xm_http *http = r->connection->http;
    pthread_mutex_lock(&http->lock);
    bool stop = http->stop || http->draining;
    pthread_mutex_unlock(&http->lock);
    stop = stop || is_outdated(r->request);
    long n = stop ? XM_HTTP_STREAM_END : r->stream.next(r->stream.state, buffer, bytes);
    if (n > 0) {
        r->request->answer_bytes += (uint64_t)n;
        pthread_mutex_lock(&http->lock);
        http->counts.sent_bytes += (uint64_t)n;
        pthread_mutex_unlock(&http->lock);
        xm_http_set_moving(r->connection, true);
        return n;
    }
    xm_http_set_moving(r->connection, false); /* all of it has gone out */
    if (n < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    /* A resumption that comes between the two calls is taken for one of this suspension. */
    pthread_mutex_lock(&http->lock);
    if (!http->stop) {
        r->connection->suspended = true;
        MHD_suspend_connection(r->connection->mhd);
    }
    pthread_mutex_unlock(&http->lock);
    return 0;
}

static void finish_stream(const struct xm_http_connection *c, const struct xm_http_stream *stream)
{
    struct xm_http *http = c->http;
    if (stream->end)
        stream->end(stream->state);
    xm_limits_close_stream(http->limits, (const struct sockaddr *)&c->address);
    pthread_mutex_lock(&http->lock);
    http->streams--;
    pthread_mutex_unlock(&http->lock);
}

static void stream_end(void *user)
{
    struct running *r = user;
    finish_stream(r->connection, &r->stream);
    free(r);
}

static void put_buffer(void *user)
{
    xm_http_buffer_put(user);
}

static struct MHD_Response *make_stream(struct xm_http_request *request, struct xm_http_response *response)
{
    struct running *r = calloc(1, sizeof *r);
    struct MHD_Response *made = NULL;
    if (r) {
        *r = (struct running){request->connection, request, response->stream};
        request->streaming = true;
        xm_http_mind_deafness(request->connection);
        made = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_next, r, stream_end);
    }
    if (!made) {
        free(r);
        finish_stream(request->connection, &response->stream);
    }
    return made;
}

static struct MHD_Response *make(struct xm_http_request *request, struct xm_http_response *response)
{
    if (response->streaming)
        return make_stream(request, response);
    if (response->fixed) {
        request->answer_bytes = response->fixed_bytes;
        return MHD_create_response_from_buffer(response->fixed_bytes, (void *)(uintptr_t)response->fixed,
                                               MHD_RESPMEM_PERSISTENT);
    }
    if (!response->body)
        return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    request->answer_bytes = response->body->used;
    struct MHD_Response *made = MHD_create_response_from_buffer_with_free_callback_cls(
        response->body->used, response->body->data ? response->body->data : (void *)(uintptr_t) "",
        put_buffer, response->body);
    if (made)
        response->body = NULL; /* the response's own now */
    return made;
}

static void add_headers(struct MHD_Response *made, const struct xm_http_response *response)
{
    static const struct {
        const char *name, *value;
    } always[] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    };
    if (response->type[0])
        MHD_add_response_header(made, "Content-Type", response->type);
    for (unsigned i = 0; i < response->headers; i++)
        MHD_add_response_header(made, response->header[i].name, response->header[i].value);
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (!xm_http_has_header(response, always[i].name))
            MHD_add_response_header(made, always[i].name, always[i].value);
}

/* Makes of a response one of libmicrohttpd's; NULL: out of memory. */
static struct MHD_Response *finish(struct xm_http_request *request, struct xm_http_response *response)
{
    if (response->overflow)
        xm_http_fail(response, 500, "answer_too_large",
                     "the answer is larger than %zu bytes, or there is no memory for it",
                     request->http->config.limits.answer_bytes);
    xm_http_settle_tag(request, response);
    xm_http_pack(request, response);
    request->status = response->status;
    struct MHD_Response *made = make(request, response);
    if (strcmp(request->method, "HEAD") == 0)
        request->answer_bytes = 0;
    if (made)
        add_headers(made, response);
    xm_http_buffer_put(response->body);
    response->body = NULL;
    return made;
}

/* Takes the reference; NULL: the connection is closed. */
static enum MHD_Result hand_over(struct xm_http_request *request, struct MHD_Response *made)
{
    if (!made)
        return MHD_NO;
    xm_http_set_phase(request->connection, request->streaming ? XM_HTTP_STREAMING : XM_HTTP_ANSWERING,
                      request->answer_bytes);
    enum MHD_Result result = MHD_queue_response(request->mhd, request->status, made);
    MHD_destroy_response(made);
    return result;
}

/* ---- What must be right before a handler is called. */

static const char *header_of(const struct xm_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

static void fail_busy(struct xm_http_request *request, struct xm_http_response *response, unsigned wait_s)
{
    char seconds[16];
    struct xm_http *http = request->http;
    pthread_mutex_lock(&http->lock);
    http->counts.refused_rate++;
    pthread_mutex_unlock(&http->lock);
    snprintf(seconds, sizeof seconds, "%u", wait_s);
    xm_http_add_header(response, "Retry-After", seconds);
    xm_http_fail(response, 429, "too_many_requests",
                 "more than %u requests a second came from this address, or too many that were refused",
                 http->config.limits.requests_per_second);
}

/* A wrong password costs an address an eighth of its burst: guessing keeps a core busy. */
static unsigned price_of(const struct xm_http *http, const char *authorization)
{
    unsigned price = http->config.limits.burst / 8;
    if (!authorization)
        return 0;
    return strncasecmp(authorization, "Basic", 5) == 0 && price > REFUSED_COST ? price : REFUSED_COST;
}

static bool authenticate(struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_http *http = request->http;
    const char *authorization = header_of(request, "Authorization");
    /* A hash, or waiting for one, keeps this thread: its other clients cannot be heard meanwhile. */
    xm_http_set_phase(request->connection, XM_HTTP_CHECKING, 0);
    enum xm_auth_verdict verdict =
        xm_auth_check(http->config.auth, (const struct sockaddr *)&request->connection->address, authorization,
                      request->user, sizeof request->user);
    xm_http_set_phase(request->connection, XM_HTTP_READING, 0);
    if (verdict == XM_AUTH_YES)
        return true;
    if (verdict == XM_AUTH_BUSY) {
        xm_http_add_header(response, "Retry-After", "1");
        xm_http_fail(response, 503, "busy", "another password is being checked: try again");
        return false;
    }
    xm_limits_charge(http->limits, (const struct sockaddr *)&request->connection->address, request->who,
                     price_of(http, authorization), xm_clock_ns());
    pthread_mutex_lock(&http->lock);
    http->counts.refused_authentication++;
    pthread_mutex_unlock(&http->lock);
    xm_http_add_header(response, "WWW-Authenticate", xm_auth_challenge(http->config.auth));
    xm_http_fail(response, 401, "unauthorized", "this needs a token or a password, and a right one");
    return false;
}

/* Who it is, as far as that is cheap; rate; host; who it is. */
static bool admit(struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_http *http = request->http;
    const struct xm_http_connection *c = request->connection;
    const struct sockaddr *address = (const struct sockaddr *)&c->address;
    uint64_t now_ns = xm_clock_ns();
    unsigned wait_s;
    bool asks = http->config.auth && !c->listener->trusted;
    request->generation = asks ? xm_auth_generation(http->config.auth) : 0;
    /*
     * Before anything is counted, so that nobody's wrong tokens shut out a right one of the same address.  Not
     * so with passwords: these can be guessed, and must not be tried as fast as one can.
     */
    if (asks && xm_auth_has_token(http->config.auth, header_of(request, "Authorization")))
        request->who = XM_LIMITS_KNOWN;
    if (!xm_limits_take(http->limits, address, request->who, 1, now_ns, &wait_s)) {
        fail_busy(request, response, wait_s);
        return false;
    }
    if (c->listener->trusted)
        return true;
    if (!http->config.auth) {
        /* A page from elsewhere must not read this through a name that it has made to point here. */
        const char *host = header_of(request, "Host");
        if (!host || xm_http_host_is_plain(host))
            return true;
        xm_http_fail(
            response, 421, "foreign_host",
            "without authentication only localhost and addresses are answered, and Host is another name");
        return false;
    }
    return authenticate(request, response);
}

static bool fail_method(struct xm_http_response *response, unsigned allowed)
{
    xm_http_add_header(response, "Allow",
                       allowed == XM_HTTP_POST  ? "POST"
                       : allowed == XM_HTTP_GET ? "GET, HEAD"
                                                : "GET, HEAD, POST");
    xm_http_fail(response, 405, "method_not_allowed", "this path does not have that method");
    return false;
}

static bool find(struct xm_http_request *request, struct xm_http_response *response, const char *url)
{
    unsigned method = 0;
    unsigned allowed;
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
        method = XM_HTTP_GET;
    else if (strcmp(request->method, "POST") == 0)
        method = XM_HTTP_POST;
    request->post = method == XM_HTTP_POST;
    request->path = xm_http_decode(request, url);
    if (!request->path) {
        xm_http_fail(response, 400, "bad_path", "the path is not UTF-8 in percent-encoding, or is too long");
        return false;
    }
    if (!xm_http_find_route(request, request->http->config.table, request->http->config.tables, method,
                            &allowed)) {
        xm_http_fail(response, 404, "not_found",
                     "there is nothing at this path: /api/v1/openapi.json has those of the API");
        return false;
    }
    return request->route ? true : fail_method(response, allowed);
}

struct query {
    struct xm_http_request *request;
    struct xm_http_response *response;
    bool good;
};

static bool wanted(const struct xm_http_route *route, const char *key)
{
    for (unsigned i = 0; route->query && route->query[i]; i++)
        if (strcmp(route->query[i], key) == 0)
            return true;
    return false;
}

static enum MHD_Result take_query(void *user, enum MHD_ValueKind kind, const char *raw_key,
                                  const char *raw_value)
{
    struct query *q = user;
    struct xm_http_request *request = q->request;
    const char *key = xm_http_decode(request, raw_key ? raw_key : "");
    const char *value = key ? xm_http_decode(request, raw_value ? raw_value : "") : NULL;
    q->good = false;
    if (!value)
        xm_http_fail(q->response, 400, "bad_query",
                     "the query is not UTF-8 in percent-encoding, or is too long");
    else if (!wanted(request->route, key))
        xm_http_fail(q->response, 400, "unknown_query_key", "there is no query key '%.64s' here", key);
    else if (xm_http_query(request, key))
        xm_http_fail(q->response, 400, "repeated_query_key", "the query key '%.64s' is there twice", key);
    else if (request->queries == XM_HTTP_QUERY)
        xm_http_fail(q->response, 400, "bad_query", "there are more than %u query keys", XM_HTTP_QUERY);
    else {
        request->query[request->queries].key = key;
        request->query[request->queries++].value = value;
        q->good = true;
    }
    return q->good ? MHD_YES : MHD_NO;
}

static bool read_query(struct xm_http_request *request, struct xm_http_response *response)
{
    struct query q = {request, response, true};
    MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, take_query, &q);
    return q.good;
}

static bool same_media_type(const char *header, const char *type)
{
    size_t bytes = strlen(type);
    return header && strncasecmp(header, type, bytes) == 0 && strchr("; \t", header[bytes]) != NULL;
}

/* A body that is announced: only a POST has one, within its bound, of the type that the route reads. */
static bool check_body(struct xm_http_request *request, struct xm_http_response *response)
{
    const char *length = header_of(request, "Content-Length");
    const char *encoding = header_of(request, "Transfer-Encoding");
    const char *accepts = request->route->accepts;
    uint64_t bytes = length ? strtoull(length, NULL, 10) : 0;
    if (!request->post && (bytes || encoding)) {
        xm_http_fail(response, 400, "unexpected_body", "this method has no body");
        return false;
    }
    if (bytes > request->http->config.limits.body_bytes) {
        xm_http_fail(response, 413, "body_too_large", "a body has at most %zu bytes",
                     request->http->config.limits.body_bytes);
        return false;
    }
    if (request->post && accepts && !same_media_type(header_of(request, "Content-Type"), accepts)) {
        xm_http_fail(response, 415, "unsupported_type", "the body must be %s", accepts);
        return false;
    }
    return true;
}

/* ---- A request. */

static void *begin_request(void *user, const char *uri, struct MHD_Connection *mhd)
{
    struct xm_http_gate *gate = user;
    struct xm_http_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->http = gate->http;
    request->mhd = mhd;
    snprintf(request->target, sizeof request->target, "%s", uri);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info && info->socket_context)
        xm_http_set_phase(info->socket_context, XM_HTTP_READING, 0);
    return request;
}

static enum MHD_Result refuse(struct xm_http_request *request, struct xm_http_response *response)
{
    request->refused = true;
    return hand_over(request, finish(request, response));
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * What a handler leaves behind: a debt of the client's, and, after a dear one, memory that is free but
 * still ours.
 */
static void settle(struct xm_http_request *request, const struct xm_http_response *response,
                   uint64_t spent_ns)
{
    struct xm_http *http = request->http;
    uint64_t cost = spent_ns / CPU_OF_ONE_NS;
    if (cost)
        xm_limits_charge(http->limits, (const struct sockaddr *)&request->connection->address, request->who,
                         cost < UINT16_MAX ? (unsigned)cost : UINT16_MAX, xm_clock_ns());
    if (!response->turn)
        return;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    pthread_mutex_lock(&http->lock);
    xm_places_give_back(&http->turns);
    pthread_mutex_unlock(&http->lock);
}

static struct xm_http_response empty_for(const struct xm_http_request *request)
{
    return (struct xm_http_response){.http = request->http,
                                     .status = 200,
                                     .address = (const struct sockaddr *)&request->connection->address};
}

/* The handler's answer; NULL: out of memory, or it is put off, and what there is of it is dropped. */
static struct MHD_Response *ask_handler(struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_host *host = request->http->config.host;
    struct MHD_Response *made = NULL;
    uint64_t begun_ns = cpu_ns();
    request->snapshot = xm_host_take(host);
    request->route->handle(request->route_user, request, response);
    if (response->put_off)
        xm_http_buffer_put(response->body);
    else
        made = finish(request, response); /* packing is a part of the work */
    xm_host_give_back(host, request->snapshot);
    request->snapshot = NULL;
    settle(request, response, cpu_ns() - begun_ns);
    return made;
}

static enum MHD_Result run_handler(struct xm_http_request *request)
{
    struct xm_http_response response = empty_for(request);
    xm_http_set_phase(request->connection, XM_HTTP_WORKING, 0);
    struct MHD_Response *made = ask_handler(request, &response);
    if (!response.put_off)
        return hand_over(request, made);
    xm_http_set_phase(request->connection, XM_HTTP_ASIDE, 0);
    return xm_http_put_aside(request) ? MHD_YES : MHD_NO;
}

void xm_http_make_aside(struct xm_http_request *request)
{
    struct xm_http_response response = empty_for(request);
    response.turn = true;
    request->made = ask_handler(request, &response);
}

static enum MHD_Result take_from_worker(struct xm_http_request *request)
{
    struct MHD_Response *made = request->made;
    request->made = NULL;
    return hand_over(request, made);
}

static enum MHD_Result take_body(struct xm_http_request *request, const char *data, size_t *bytes)
{
    struct xm_http *http = request->http;
    if (request->refused) {
        *bytes = 0;
        return MHD_YES;
    }
    if (!request->body)
        request->body = xm_http_buffer_get(http);
    if (!request->body || !xm_http_buffer_reserve(request->body, *bytes, http->config.limits.body_bytes))
        return MHD_NO; /* it grew past its bound while it came, in chunks: cut off */
    memcpy(request->body->data + request->body->used, data, *bytes);
    request->body->used += *bytes;
    *bytes = 0;
    return MHD_YES;
}

static enum MHD_Result handle(void *user, struct MHD_Connection *mhd, const char *url, const char *method,
                              const char *version, const char *data, size_t *bytes, void **context)
{
    struct xm_http_request *request = *context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!request || !info || !info->socket_context)
        return MHD_NO;
    if (request->aside)
        return take_from_worker(request);
    if (request->begun)
        return *bytes ? take_body(request, data, bytes) : request->refused ? MHD_YES : run_handler(request);
    request->begun = true;
    request->connection = info->socket_context;
    snprintf(request->method, sizeof request->method, "%s", method);
    snprintf(request->version, sizeof request->version, "%s", version);
    struct xm_http_response response = {.http = request->http, .status = 200};
    if (admit(request, &response) && find(request, &response, url) && read_query(request, &response) &&
        check_body(request, &response))
        return MHD_YES;
    return refuse(request, &response);
}

static void end_request(void *user, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode code)
{
    struct xm_http_request *request = *context;
    struct timespec now;
    if (!request)
        return;
    struct xm_http *http = request->http;
    bool whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (request->begun) {
        /* A stream ends when its client goes, and that is a good end. */
        whole = whole || (request->streaming && !xm_http_was_cut(request->connection));
        clock_gettime(CLOCK_REALTIME, &now);
        struct xm_access access = {
            .address = (const struct sockaddr *)&request->connection->address,
            .user = request->user,
            .method = request->method,
            .target = request->target,
            .version = request->version,
            .status = request->status,
            .cut = !whole,
            .bytes = whole || request->streaming ? request->answer_bytes : XM_ACCESS_UNKNOWN,
            .real_ns = (uint64_t)now.tv_sec * XM_NS_PER_S + (uint64_t)now.tv_nsec,
        };
        xm_access_log_write(http->config.log, &access);
        xm_http_set_phase(request->connection, XM_HTTP_WAITING, 0);
    }
    pthread_mutex_lock(&http->lock);
    http->counts.requests[request->status / 100 < 6 ? request->status / 100 : 0]++;
    if (!request->streaming && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) /* streams count as they go */
        http->counts.sent_bytes += request->answer_bytes;
    pthread_mutex_unlock(&http->lock);
    xm_http_buffer_put(request->body);
    if (request->made) /* by a worker, for a client who had gone */
        MHD_destroy_response(request->made);
    free(request);
    *context = NULL;
}

/* ---- Start and stop. */

/* Paths and queries are decoded here, strictly. */
static size_t leave_escaped(void *user, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static enum xm_status open_gate(struct xm_http *http, struct xm_http_gate *gate, struct xm_error *err)
{
    const struct xm_http_limits *limits = &http->config.limits;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)xm_http_tls_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    /* Our own limits refuse first; the library's are the second wall. */
    gate->daemon = MHD_start_daemon(
        flags | (gate->listener.tls ? MHD_USE_TLS : 0u), 0, xm_http_admits, gate, handle, gate,
        MHD_OPTION_LISTEN_SOCKET, gate->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
        (limits->connections + 1) * XM_HTTP_THREADS, MHD_OPTION_THREAD_POOL_SIZE, XM_HTTP_THREADS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->header_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        limits->timeout_s, MHD_OPTION_NOTIFY_COMPLETED, end_request, gate, MHD_OPTION_NOTIFY_CONNECTION,
        xm_http_connection_notice, gate, MHD_OPTION_URI_LOG_CALLBACK, begin_request, gate,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, gate, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, gate->listener.tls ? tls : none,
        MHD_OPTION_END);
    if (!gate->daemon)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "libmicrohttpd does not start: %s", strerror(errno));
    return XM_OK;
}

static enum xm_status open_gates(struct xm_http *http, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    for (unsigned i = 0; i < http->config.listeners && status == XM_OK; i++) {
        struct xm_http_gate *gate = &http->gate[i];
        gate->http = http;
        gate->listener = http->config.listener[i];
        status = open_gate(http, gate, err);
        if (status == XM_OK)
            http->gates = i + 1;
    }
    return status;
}

static enum xm_status begin(struct xm_http *http, struct xm_error *err)
{
    const struct xm_http_limits *l = &http->config.limits;
    struct xm_limits_config limits = {l->connections, l->per_address, l->requests_per_second, l->burst};
    pthread_condattr_t attributes;
    pthread_mutex_init(&http->lock, NULL);
    pthread_mutex_init(&http->tls_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&http->changed, &attributes);
    pthread_cond_init(&http->work, NULL);
    pthread_condattr_destroy(&attributes);
    http->limits = xm_limits_create(&limits);
    if (!http->limits)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    enum xm_status status = http->config.certificate ? xm_http_tls_load(http, err) : XM_OK;
    if (status != XM_OK)
        return status;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the thread that waits for them */
    int failed = pthread_create(&http->janitor, NULL, xm_http_janitor, http);
    http->has_janitor = failed == 0;
    status = failed ? xm_fail(err, XM_IO, XM_NO_OFFSET, "no thread for the server: %s", strerror(failed))
                    : xm_http_hire(http, err);
    if (status == XM_OK)
        status = open_gates(http, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum xm_status xm_http_start(const struct xm_http_config *config, struct xm_http **http, struct xm_error *err)
{
    struct xm_http *h = calloc(1, sizeof *h);
    enum xm_status status = XM_NOMEM;
    *http = NULL;
    if (h) {
        h->config = *config;
        status = begin(h, err);
    }
    if (status != XM_OK) {
        for (unsigned i = h ? h->gates : 0; i < config->listeners; i++)
            close(config->listener[i].fd);
        xm_http_stop(h);
        return xm_fail(err, status, XM_NO_OFFSET, "out of memory");
    }
    *http = h;
    return XM_OK;
}

enum xm_status xm_http_reload(struct xm_http *http, struct xm_error *err)
{
    return http->config.certificate ? xm_http_tls_load(http, err) : XM_OK;
}

void xm_http_counts(struct xm_http *http, struct xm_http_counts *counts)
{
    pthread_mutex_lock(&http->lock);
    *counts = http->counts;
    counts->streams = http->streams;
    pthread_mutex_unlock(&http->lock);
}

/* Answers that are on their way get some time to arrive. */
static void drain(struct xm_http *http)
{
    struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    uint64_t until_ns = xm_clock_ns() + DRAIN_NS;
    bool busy = true;
    pthread_mutex_lock(&http->lock);
    http->draining = true;
    pthread_mutex_unlock(&http->lock);
    while (busy && xm_clock_ns() < until_ns) {
        busy = false;
        pthread_mutex_lock(&http->lock);
        for (struct xm_http_connection *c = http->connections; c; c = c->next)
            busy = busy || c->phase == XM_HTTP_WORKING || c->phase == XM_HTTP_ASIDE ||
                   c->phase == XM_HTTP_ANSWERING;
        pthread_mutex_unlock(&http->lock);
        if (busy)
            nanosleep(&pause, NULL);
    }
}

static void close_gate(struct xm_http_gate *gate)
{
    MHD_stop_daemon(gate->daemon);
    for (unsigned i = 0; i < XM_HTTP_THREADS; i++)
        if (gate->pulse[i].waits)
            close(gate->pulse[i].fd);
}

void xm_http_stop(struct xm_http *http)
{
    if (!http)
        return;
    drain(http);
    pthread_mutex_lock(&http->lock);
    http->stop = true;
    pthread_cond_signal(&http->changed);
    pthread_cond_broadcast(&http->work);
    pthread_mutex_unlock(&http->lock);
    if (http->has_janitor)
        pthread_join(http->janitor, NULL);
    xm_http_dismiss(http);
    for (unsigned i = 0; i < http->gates; i++)
        close_gate(&http->gate[i]);
    while (http->shelf) {
        struct xm_http_buffer *buffer = http->shelf;
        http->shelf = buffer->next;
        free(buffer->data);
        free(buffer);
    }
    xm_limits_destroy(http->limits);
    xm_http_tls_fini(http);
    pthread_mutex_destroy(&http->lock);
    pthread_mutex_destroy(&http->tls_lock);
    pthread_cond_destroy(&http->changed);
    pthread_cond_destroy(&http->work);
    free(http);
}
