/* SPDX-License-Identifier: MIT */
/*
 * The client's end of a tee (source/tee.h): connects, asks, and hands out whole passes.  Nothing the other end sends is
 * believed without a check.
 *
 * Threads: one.
 */
#ifndef XM_LISTENER_H
#define XM_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct xm_listener;

/*
 * Connects and asks for the stream, without waiting.  XM_OK; XM_AGAIN: nobody is there (no such socket, nobody behind
 * it, or it is busy); XM_DENIED: no permission; XM_IO: anything else; XM_NOMEM.  err says what, with the path.
 */
enum xm_status xm_listener_open(const char *path, struct xm_listener **listener, struct xm_error *err) XM_MUST_CHECK;
void xm_listener_close(struct xm_listener *listener); /* NULL is fine */

struct xm_listener_pass {
    const unsigned char *bytes; /* borrowed until the next call */
    size_t size;                /* may be 0 */
    bool marks;                 /* says what this listener was too slow for, and nothing else */
};

/*
 * The next whole pass; waits for it `timeout_ms` at most.  XM_OK; XM_AGAIN: not yet, or a signal; XM_END: the other end
 * is gone (what it had begun to send is no whole pass and is not handed out); XM_DENIED: it refuses, err has its
 * words; XM_DAMAGED: it does not speak as it should; XM_IO, XM_NOMEM.
 * Cost: the bytes are copied once; memory is that of the largest pass that really came.
 */
enum xm_status xm_listener_next(struct xm_listener *listener, int timeout_ms, struct xm_listener_pass *pass,
                                struct xm_error *err) XM_MUST_CHECK;

/* What the other end said of itself; NULL: nothing yet. */
struct xm_listener_greeting {
    char hypervisor[64]; /* printable */
    uint64_t hz;         /* of the TSC; 0: not known */
    uint32_t events;     /* event mask */
};
const struct xm_listener_greeting *xm_listener_greeting(const struct xm_listener *listener);

#endif
