/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server: routes in, answers out.  Nothing else in the program knows libmicrohttpd.
 *
 * What is the server's: listening, TLS, authentication, limits, methods (405 with Allow), paths (404),
 * unknown or repeated query keys (400), bodies that are too large (413) or of another type (415), HEAD, the
 * access log, errors as {"error":{"code":"...","message":"..."}}.  What is a route's: its answer.
 *
 * Threads: each listening address has some; handlers are called by any of them, several at once, and must
 * not block: an answer in the making keeps the other clients of that thread waiting.  A dear one takes a turn
 * (xm_http_take_turn), and is made by a thread that has no clients.
 */
#ifndef XM_HTTP_H
#define XM_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/host.h"
#include "xenmon/status.h"

#define XM_HTTP_GET  1u /* HEAD too: handlers answer it as a GET, the server leaves the body out */
#define XM_HTTP_POST 2u

#define XM_HTTP_SEGMENTS 4u  /* {variables} in a path */
#define XM_HTTP_QUERY    16u /* keys in a query */

struct xm_http_request;
struct xm_http_response;

/*
 * One route.  Tables of them are constant and outlive the server.
 *   path     "/api/v1/domains/{domid}/vcpus": a segment in braces stands for any one that is not empty
 *   query    the keys that a query may have, NULL at the end; NULL: none.  Others, and the same key twice,
 *            are answered with 400
 *   accepts  media type of a POST's body, without parameters ("text/xml"); NULL: any
 */
struct xm_http_route {
    unsigned methods;
    const char *path;
    const char *const *query;
    const char *accepts;
    void (*handle)(void *user, const struct xm_http_request *request, struct xm_http_response *response);
};

/* ---- The request.  All texts are UTF-8 without NUL, decoded, borrowed for the call. */

/* The snapshot that this answer is to be made from; the same one for the whole call. */
const struct xm_host_snapshot *xm_http_snapshot(const struct xm_http_request *request);
const char *xm_http_path(const struct xm_http_request *request);
/* What stands for the n-th {variable} of the path, from 0. */
const char *xm_http_segment(const struct xm_http_request *request, unsigned n);
/* The value of a query key; NULL: not given, "" : given without a value. */
const char *xm_http_query(const struct xm_http_request *request, const char *key);
/* A header, its name in any case; NULL: not sent. */
const char *xm_http_header(const struct xm_http_request *request, const char *name);
const void *xm_http_body(const struct xm_http_request *request, size_t *bytes);

/*
 * Which of `types` (media types, best first, NULL at the end, at most 8) the Accept header likes best, by RFC
 * 9110: its index; 0 where there is no header; -1: none of them.
 */
int xm_http_negotiate(const struct xm_http_request *request, const char *const *types);

/* ---- The response.  Without a call it is 200 with an empty body. */

void xm_http_set_status(struct xm_http_response *response, unsigned status);
/* Content-Type; `type` is copied. */
void xm_http_set_type(struct xm_http_response *response, const char *type);
/* A header more; both are copied, at most 16 in all, longer ones than 2000 bytes and ones with control
 * characters are left out. */
void xm_http_add_header(struct xm_http_response *response, const char *name, const char *value);

/*
 * Appends to the body.  The buffer is the server's, is used again for other answers, and has a bound: an
 * answer that is larger becomes a 500.  False once that has happened: go on or stop, as is easier.
 */
bool xm_http_write(struct xm_http_response *response, const void *data, size_t bytes);
bool xm_http_printf(struct xm_http_response *response, const char *format, ...) XM_PRINTF(2, 3);

/* The body is this, which outlives the server: files that are built in. */
void xm_http_set_static(struct xm_http_response *response, const void *data, size_t bytes);

/* Error `status` with {"error":{"code","message"}} as its body; what was written before is dropped.  `code`
 * in snake_case.  A 503 says Retry-After: 1 where no other has been set. */
void xm_http_fail(struct xm_http_response *response, unsigned status, const char *code, const char *format,
                  ...) XM_PRINTF(4, 5);

/*
 * The answer's ETag, without quotes, copied, of at most 63 bytes.  Only an answer of status 200 gets it: it
 * becomes a 304 without a body where If-None-Match says that the client has it already.
 */
void xm_http_set_tag(struct xm_http_response *response, const char *tag);

/*
 * The answer is a dear one, which takes seconds or much memory: at most XM_HTTP_TURNS of them are made at
 * once, for all clients together, each by a thread that has nothing else to do.  True: this one is among them
 * and that thread is the caller, until the handler returns (again for the same answer: it is still).  False:
 * the handler refuses it with 503 before it does any work.  That is the answer where too many are being made,
 * others that were sent away go first (places.h), or the server ends.  Else it is dropped: the handler is
 * called for the same request once more by such a thread, and is told true.  It changes nothing, then, but
 * its response, and opens no stream.
 */
#define XM_HTTP_TURNS 2u
bool xm_http_take_turn(struct xm_http_response *response) XM_MUST_CHECK;
/* Whether the handler will be called again so, and need not go on with what is dropped. */
bool xm_http_is_put_off(const struct xm_http_response *response);

/*
 * The body comes bit by bit, as long as the client listens.  `next` writes up to `bytes` bytes and returns
 * how many; 0: nothing now, ask again after the next snapshot or in a second at the latest;
 * XM_HTTP_STREAM_END: that was all.  It is called by one thread at a time, must not block, and `end` is
 * called once at last, whatever happened.  False: too many streams already, the answer is 503 (`end` is not
 * called then).
 */
#define XM_HTTP_STREAM_END (-1)
struct xm_http_stream {
    long (*next)(void *state, char *buffer, size_t bytes);
    void (*end)(void *state);
    void *state;
};
bool xm_http_set_stream(const struct xm_http_request *request, struct xm_http_response *response,
                        const struct xm_http_stream *stream) XM_MUST_CHECK;

/* ---- The server. */

struct xm_auth;
struct xm_access_log;

#define XM_HTTP_ROUTE_TABLES 8u
#define XM_HTTP_LISTENERS    8u

/* A socket that listens already: the server takes it over. */
struct xm_http_listener {
    int fd;
    bool tls;     /* with the certificate of the configuration */
    bool trusted; /* a Unix socket: who may open it needs no further authentication */
};

struct xm_http_limits {
    unsigned connections;         /* in all; see limits.h for what is kept for whom */
    unsigned per_address;         /* of them from one address (an IPv6 /64 counts as one); a Unix socket is
                                     one too */
    unsigned streams;             /* answers without an end, in all; a quarter of them, and two at
                                     least, for one address */
    size_t header_bytes;          /* of request line and headers */
    size_t body_bytes;            /* of a request */
    size_t answer_bytes;          /* of an answer */
    unsigned requests_per_second; /* from one address, as a long-term rate; 0: any.  New connections may be
                                     four times as many; an answer counts once more for each 10 ms of
                                     CPU that it took */
    unsigned burst;               /* that may come at once */
    unsigned timeout_s;           /* a connection on which nothing moves; of a later request's first line */
    unsigned request_s;           /* from a request's first line to its last byte, and from connecting to that
                                     line: who sends byte by byte is cut off */
};

/* Routes of one kind; the first that fits wins. */
struct xm_http_table {
    const struct xm_http_route *route;
    size_t count;
    void *user; /* for its handlers */
};

struct xm_http_config {
    struct xm_host *host;
    struct xm_http_listener listener[XM_HTTP_LISTENERS];
    unsigned listeners;
    struct xm_http_limits limits;
    struct xm_http_table table[XM_HTTP_ROUTE_TABLES];
    unsigned tables;
    struct xm_auth *auth;          /* NULL: none is asked for */
    struct xm_access_log *log;     /* NULL: none */
    unsigned gzip_level;           /* 1 to 9: answers are packed for who accepts that; 0: never */
    const char *certificate, *key; /* PEM files; NULL where no listener has TLS */
};

/* What the server did, for its own metrics. */
struct xm_http_counts {
    uint64_t requests[6]; /* by the first digit of the status; [0]: cut off before an answer */
    uint64_t refused_connections, refused_rate, refused_authentication; /* the first: or cut off for others */
    uint64_t connections, streams; /* now */
    uint64_t sent_bytes;           /* of bodies */
};

struct xm_http;

/*
 * Starts the server.  XM_OK; XM_INVALID (certificate or key: which, and why); XM_IO; XM_NOMEM.  On failure
 * the listeners are closed.
 */
enum xm_status xm_http_start(const struct xm_http_config *config, struct xm_http **http,
                             struct xm_error *err) XM_MUST_CHECK;
/* Reads certificate and key again; on failure the old ones stay. */
enum xm_status xm_http_reload(struct xm_http *http, struct xm_error *err) XM_MUST_CHECK;
/* There is a new snapshot: streams that had nothing to send are asked again.  Any thread. */
void xm_http_wake(struct xm_http *http);
void xm_http_counts(struct xm_http *http, struct xm_http_counts *counts);
/*
 * Whether all threads that answer have shown within patience_ns that they do: none that is making one
 * answer for longer, dear or not, or hangs.  It asks them meanwhile, so call it several times in that time,
 * from one thread.  Cost: a pair of sockets for each of them, four times within patience_ns.
 */
bool xm_http_answers(struct xm_http *http, uint64_t patience_ns);
/*
 * Ends all connections and waits for its threads, some seconds for answers that are under way.  NULL is fine.
 * It does not come back where a handler does not.
 */
void xm_http_stop(struct xm_http *http);

#endif
