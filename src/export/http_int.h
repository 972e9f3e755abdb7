/* SPDX-License-Identifier: MIT */
/* The server's parts among themselves. */
#ifndef XM_HTTP_INT_H
#define XM_HTTP_INT_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "export/access_log.h"
#include "export/auth.h"
#include "export/http.h"
#include "export/limits.h"
#include "export/places.h"

/* ---- Buffers: bodies of answers and requests, used again. */

#define XM_HTTP_BUFFERS_KEPT 4u
/*
 * In all of them; more is given back to the system.  An answer of 1 000 domains needs 16 MiB, and 2 MiB for
 * labels: where either was not kept, each scrape took ten times the CPU, for pages that are new.
 */
#define XM_HTTP_BYTES_KEPT (24u << 20)

struct xm_http_buffer {
    struct xm_http_buffer *next;
    struct xm_http *http;
    char *data;
    size_t used, size;
};

/* One from the shelf, empty; NULL: no memory. */
struct xm_http_buffer *xm_http_buffer_get(struct xm_http *http);
void xm_http_buffer_put(struct xm_http_buffer *buffer); /* NULL is fine */
/* Makes room for `bytes` more, `most` in all.  False: that is over it, or there is no memory. */
bool xm_http_buffer_reserve(struct xm_http_buffer *buffer, size_t bytes, size_t most);

/* ---- Requests. */

#define XM_HTTP_TARGET 320u
#define XM_HTTP_TEXTS  4096u /* of decoded path and query */

struct xm_http_request {
    struct xm_http *http;
    struct xm_http_connection *connection; /* NULL until the handler is called */
    struct MHD_Connection *mhd;
    bool begun, refused, streaming;
    enum xm_limits_who who; /* whose requests this one counts among */
    unsigned generation; /* of what is known of tokens and users, when it was let in */
    char target[XM_HTTP_TARGET], method[16], version[16], user[72];
    char texts[XM_HTTP_TEXTS];
    size_t texts_used;
    const char *path;
    const struct xm_http_route *route;
    void *route_user;
    const char *segment[XM_HTTP_SEGMENTS];
    struct {
        const char *key, *value;
    } query[XM_HTTP_QUERY];
    unsigned queries;
    bool post;
    struct xm_http_buffer *body;
    const struct xm_host_snapshot *snapshot;
    unsigned status;
    uint64_t answer_bytes;
    bool aside;                   /* its answer was left to a worker */
    struct xm_http_request *next; /* of those that wait for one */
    struct MHD_Response *made;    /* by it, until it is handed over; NULL: out of memory */
};

/* ---- Responses. */

#define XM_HTTP_HEADERS      16u
#define XM_HTTP_HEADER_TEXTS 6144u

struct xm_http_response {
    struct xm_http *http;
    unsigned status;
    char type[128], tag[64];
    struct {
        const char *name, *value;
    } header[XM_HTTP_HEADERS];
    unsigned headers;
    char texts[XM_HTTP_HEADER_TEXTS];
    size_t texts_used;
    struct xm_http_buffer *body;
    bool overflow;
    const void *fixed;
    size_t fixed_bytes;
    bool streaming;
    struct xm_http_stream stream;
    const struct sockaddr *address; /* of the client */
    bool turn;                      /* it is one of the dear ones */
    bool put_off; /* its turn is kept, and its handler is asked again by a worker */
};

/* Adds the ETag of an answer that may have one, and makes it a 304 where the client has it. */
void xm_http_settle_tag(const struct xm_http_request *request, struct xm_http_response *response);

/* Whether the handler has set a header of that name, in any case. */
bool xm_http_has_header(const struct xm_http_response *response, const char *name);

/* ---- Packed answers (http_gzip.c). */

/* Whether an Accept-Encoding header (NULL: there is none) would rather have gzip than plain bytes.  Pure. */
bool xm_http_wants_gzip(const char *accepted);

/*
 * Packs the body with gzip where that is allowed, wanted and worth it, and says so in the headers; the tag
 * then ends in "-gz".  Else the body stays as it is.  Cost: at level 1 some 1.2 ms of CPU for a megabyte; a
 * buffer of at most the body's size, and 205 kB meanwhile, 670 kB at higher levels.
 */
void xm_http_pack(const struct xm_http_request *request, struct xm_http_response *response);

/*
 * Whether If-None-Match (`known`) has the tag `quoted` of an answer, plain, or packed where this client gets
 * it so: the response's ETag, set before, is that one then.
 */
bool xm_http_has_tag(const struct xm_http_request *request, struct xm_http_response *response,
                     const char *known, const char *quoted);

/* ---- What a path and a query say (http_route.c). */

/* Decodes %XX of `text` into the request's texts.  NULL: no UTF-8, a NUL, or too long. */
const char *xm_http_decode(struct xm_http_request *request, const char *text);

/*
 * Finds the route of request->path and fills route and segments.  *allowed: methods of all routes of that
 * path. True: there is one of this path, and request->route is set where its methods have `method`.
 */
bool xm_http_find_route(struct xm_http_request *request, const struct xm_http_table *tables, unsigned count,
                        unsigned method, unsigned *allowed);

/* The q of the media type `type` in an Accept header, in thousandths; 0: not wanted.  Pure. */
unsigned xm_http_quality(const char *accept, const char *type);

/* Whether a Host header names this machine by an address or as localhost: no name that another could have. */
bool xm_http_host_is_plain(const char *host);

/* ---- Connections (http_connection.c). */

/*
 * What a connection is at: waiting for a request, reading it, finding out about a password, making its
 * answer, having that made by a worker while its own thread is free, sending it, a stream.
 */
enum xm_http_phase {
    XM_HTTP_WAITING,
    XM_HTTP_READING,
    XM_HTTP_CHECKING,
    XM_HTTP_WORKING,
    XM_HTTP_ASIDE,
    XM_HTTP_ANSWERING,
    XM_HTTP_STREAMING
};

struct xm_http_connection {
    struct xm_http_connection *previous, *next;
    struct xm_http *http;
    const struct xm_http_listener *listener;
    struct MHD_Connection *mhd;
    pthread_t thread; /* of libmicrohttpd, to which it belongs */
    int fd;
    struct sockaddr_storage address;
    bool counted; /* in the limits */
    bool asked;   /* a request has begun on it */
    bool cut;     /* by us: its socket is shut down, the rest is libmicrohttpd's */
    enum xm_http_phase phase;
    uint64_t since_ns;    /* when the phase began; CLOCK_MONOTONIC, as the next */
    uint64_t deadline_ns; /* 0: none */
    bool suspended;       /* a stream that had nothing to send */
};

/* Threads of a listener: one answer in the making does not keep all others waiting. */
#define XM_HTTP_THREADS 3u

/* The last question to a thread whether it answers (http_pulse.c); under http->lock. */
struct xm_http_pulse {
    bool waits; /* it has not been taken up yet */
    int fd;     /* our end, while it waits */
    uint64_t sent_ns;
};

struct xm_http_gate {
    struct xm_http *http;
    struct xm_http_listener listener;
    struct MHD_Daemon *daemon;
    struct xm_http_pulse pulse[XM_HTTP_THREADS];
};

/* A thread that makes dear answers (http_worker.c); since_ns is under http->lock. */
struct xm_http_worker {
    struct xm_http *http;
    pthread_t thread;
    uint64_t since_ns; /* when it took up what it is at; 0: it rests */
};

struct xm_http {
    struct xm_http_config config;
    struct xm_http_gate gate[XM_HTTP_LISTENERS];
    unsigned gates;
    struct xm_limits *limits;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct xm_http_connection *connections;
    struct xm_http_buffer *shelf;
    unsigned shelved;
    size_t shelved_bytes;
    struct xm_http_counts counts;
    unsigned streams;
    struct xm_places turns;        /* dear answers in the making */
    struct xm_http_request *aside; /* that wait for a worker, who came first at the front */
    pthread_cond_t work;           /* there is one, or all are to end */
    struct xm_http_worker worker[XM_HTTP_TURNS];
    unsigned workers;
    bool stop, draining;
    bool has_janitor;
    pthread_t janitor;

    pthread_mutex_t tls_lock;
    gnutls_datum_t certificate, key; /* PEM */
};

/* libmicrohttpd's calls when a connection is asked for, begins and ends. */
enum MHD_Result xm_http_admits(void *user, const struct sockaddr *address, socklen_t bytes);
void xm_http_connection_notice(void *user, struct MHD_Connection *mhd, void **context,
                               enum MHD_ConnectionNotificationCode code);
/* Begins a phase and its time limit; bytes: of the answer, where the phase is to send one. */
void xm_http_set_phase(struct xm_http_connection *c, enum xm_http_phase phase, uint64_t bytes);
/*
 * What a stream has handed out must be on its way within seconds, or it is cut off; false: it has nothing
 * now.
 */
void xm_http_set_moving(struct xm_http_connection *c, bool moving);
/* Whether it was us who ended it. */
bool xm_http_was_cut(struct xm_http_connection *c);
/* The kernel, too, gives a stream up whose client does not read. */
void xm_http_mind_deafness(const struct xm_http_connection *c);
/* Cuts off who is too slow, and asks streams again.  Runs until http->stop. */
void *xm_http_janitor(void *user);

/* ---- Dear answers (http_worker.c). */

/*
 * Suspends a request whose handler has been promised its turn, and leaves it to a worker.  Called by
 * libmicrohttpd's thread within its handler, which then returns at once.  False: the server ends.
 */
bool xm_http_put_aside(struct xm_http_request *request);
/* What a worker does (http.c): asks the handler again, fills request->made, and gives the turn back. */
void xm_http_make_aside(struct xm_http_request *request);
/* Begins the workers, after http->work.  XM_OK; XM_IO: no thread; those that began are there. */
enum xm_status xm_http_hire(struct xm_http *http, struct xm_error *err) XM_MUST_CHECK;
/*
 * Waits until all of them have ended, after http->stop was set and signalled: each makes what it is at and
 * what waits, and resumes it.  Before libmicrohttpd is stopped, which must have nothing suspended.
 */
void xm_http_dismiss(struct xm_http *http);
/* Whether none of them has been at one answer for longer than patience_ns. */
bool xm_http_works(struct xm_http *http, uint64_t now_ns, uint64_t patience_ns);

/* ---- Pulses (http_pulse.c). */

/* Whether that is the address of a connection that only asks whether its thread answers. */
bool xm_http_is_pulse(const struct sockaddr *address, socklen_t bytes);
/* The thread has taken that connection up: it answers. */
void xm_http_take_pulse(struct xm_http_gate *gate, const struct sockaddr *address);

/* ---- Certificates (http_tls.c). */

/* Reads and checks both files, and takes them for what comes.  On failure what there was stays. */
enum xm_status xm_http_tls_load(struct xm_http *http, struct xm_error *err) XM_MUST_CHECK;
void xm_http_tls_fini(struct xm_http *http);
/* gnutls_certificate_retrieve_function3: gives a handshake copies that are its own. */
int xm_http_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                         gnutls_pcert_st **certs, unsigned *count, gnutls_ocsp_data_st **ocsp,
                         unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags);

#endif
