/* SPDX-License-Identifier: MIT */
/*
 * Answers of one server, over HTTP, HTTPS or HTTP on a Unix socket.
 *
 * A server is not trusted: an answer has a bound in size and in time, a redirect is refused, and credentials
 * go to the host that was named, in clear only to this machine.
 *
 * Threads: one struct xm_fetch, one thread; xm_fetch_begin() before there are any.
 */
#ifndef XM_CMD_CONNECT_FETCH_H
#define XM_CMD_CONNECT_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "xenmon/status.h"

#define XM_FETCH_TIMEOUT_MS 20000L /* of an answer, to its last byte */
#define XM_FETCH_CONNECT_MS 5000L

/* Borrowed until the last fetch with it is destroyed.  Texts are NULL where there is none. */
struct xm_fetch_credentials {
    const char *token; /* bearer */
    const char *user, *password;
    const char *ca_file; /* PEM */
    const char *netrc;   /* a file; "" for ~/.netrc */
};

struct xm_fetch;

/* Once for the process. */
enum xm_status xm_fetch_begin(struct xm_error *err) XM_MUST_CHECK;
void xm_fetch_end(void);

/* Whether this is a URL of those that can be fetched from: "http://", "https://", "http+unix://". */
bool xm_fetch_is_url(const char *text);

/*
 * Prepares to ask the server at `url`: scheme, host and port, nothing more; http+unix://PATH, also with %2F.
 * *stop: set by another thread to end what is under way.  XM_OK; XM_INVALID: the URL, or that credentials
 * would go in clear to another machine; XM_NOMEM.
 */
enum xm_status xm_fetch_create(const char *url, const struct xm_fetch_credentials *credentials,
                               atomic_bool *stop, struct xm_fetch **fetch,
                               struct xm_error *err) XM_MUST_CHECK;
void xm_fetch_destroy(struct xm_fetch *fetch); /* NULL is fine */

/* What the server is called: host and port, or the socket's path.  Borrowed. */
const char *xm_fetch_name(const struct xm_fetch *fetch);

/*
 * The answer to GET `path`, unpacked: *data is borrowed until the next call.  At most `most` bytes.
 * XM_OK; XM_DENIED: the server wants other credentials, or is not who it should be; XM_AGAIN: nobody answers
 * there, or it has nothing to read now (503), or asks for patience (429); XM_UNSUPPORTED: it has no such
 * path; XM_IO: it did not answer in time, or broke off; XM_DAMAGED: it answered something else, or too much;
 * XM_NOMEM.  `err` says it.
 */
enum xm_status xm_fetch_get(struct xm_fetch *fetch, const char *path, size_t most, const void **data,
                            size_t *bytes, struct xm_error *err) XM_MUST_CHECK;

#endif
