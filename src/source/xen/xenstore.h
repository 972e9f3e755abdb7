/* SPDX-License-Identifier: MIT */
/*
 * xenstore through libxenstore, which is loaded when the program runs: a host without it lacks names, nothing
 * else.
 *
 * Every call can block for as long as xenstored is silent, and libxenstore has no way to end one: whoever
 * must not stall asks in a thread of its own (names.h).  While a call lasts, libxenstore ignores SIGPIPE in
 * the whole process and sets back then what it found.
 *
 * Threads: one at a time.
 */
#ifndef XM_XENSTORE_H
#define XM_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "xenmon/status.h"

struct xm_xenstore;

/*
 * Loads the first of `libraries` (NULL-terminated; NULL: libxenstore.so.4, .so.3.0) that has what is needed;
 * connects to nothing.  XM_UNSUPPORTED, err in one line: none does; XM_NOMEM.
 */
enum xm_status xm_xenstore_load(const char *const *libraries, struct xm_xenstore **store,
                                struct xm_error *err) XM_MUST_CHECK;
void xm_xenstore_unload(struct xm_xenstore *store); /* disconnects; NULL is fine */

/* Connects where that is not done yet.  XM_OK; XM_IO, err in one line.  May block. */
enum xm_status xm_xenstore_connect(struct xm_xenstore *store, struct xm_error *err) XM_MUST_CHECK;

/*
 * The value at `path` as a string: any bytes but NUL, up to its first NUL, cut to room - 1 bytes (room at
 * least 1) at a whole UTF-8 character.  XM_OK; XM_END: there is no such value; XM_AGAIN: xenstored will not
 * say now, or not to us; XM_IO: not connected, or no more.  All but XM_OK leave "".  May block.
 */
enum xm_status xm_xenstore_read(struct xm_xenstore *store, const char *path, char *value,
                                size_t room) XM_MUST_CHECK;

/* Calls `visit` with each name in the directory `path`, in no order.  Returns as xm_xenstore_read() does. */
enum xm_status xm_xenstore_list(struct xm_xenstore *store, const char *path,
                                void (*visit)(void *user, const char *name), void *user) XM_MUST_CHECK;

#endif
