/* SPDX-License-Identifier: MIT */
/*
 * The access log: a line for each request, in the Common Log Format.
 *
 *     ADDRESS - USER [02/Jan/2026:03:04:05 +0000] "GET /metrics?x=1 HTTP/1.1" 200 1234
 *
 * What came from outside cannot end a line or forge a field: what is not printable ASCII, and " and \, is
 * written as \xHH.  A request that was cut off has the status 499, whatever the answer was to be, and "-" for
 * bytes that are not known.
 *
 * Threads: any; each line is one write.
 */
#ifndef XM_ACCESS_LOG_H
#define XM_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "xenmon/status.h"

struct xm_access_log;

/*
 * path: a file to append to, made with mode 0640; "-": standard error.  XM_OK; XM_IO; XM_NOMEM.
 */
enum xm_status xm_access_log_open(const char *path, struct xm_access_log **log,
                                  struct xm_error *err) XM_MUST_CHECK;
void xm_access_log_close(struct xm_access_log *log); /* NULL is fine */

/* Opens the file anew: after it was rotated.  On failure the old one goes on. */
enum xm_status xm_access_log_reopen(struct xm_access_log *log, struct xm_error *err) XM_MUST_CHECK;

#define XM_ACCESS_CUT     499u
#define XM_ACCESS_UNKNOWN UINT64_MAX

struct xm_access {
    const struct sockaddr *address;        /* NULL or of a Unix socket: "unix" */
    const char *user;                      /* "": none */
    const char *method, *target, *version; /* as sent */
    unsigned status;                       /* 0: none, it was cut off before */
    uint64_t bytes;                        /* of the body, or XM_ACCESS_UNKNOWN */
    uint64_t real_ns;                      /* CLOCK_REALTIME */
    bool cut;                              /* the answer did not get to its end */
};

/* Writes a line; one that cannot be written is lost.  log NULL: nothing. */
void xm_access_log_write(struct xm_access_log *log, const struct xm_access *access);

/* The line as text, with its line break; returns its length, below `size`.  Pure. */
size_t xm_access_format(const struct xm_access *access, char *line, size_t size);

#endif
