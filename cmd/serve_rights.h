/* SPDX-License-Identifier: MIT */
/* Whom the server becomes once all is open, and what it can do from then on. */
#ifndef XM_CMD_SERVE_RIGHTS_H
#define XM_CMD_SERVE_RIGHTS_H

#include "serve_config.h"
#include "serve_listen.h"
#include "xenmon/status.h"

/*
 * Root becomes the configuration's user: the one that was named, else xenmon, else nobody; with the name
 * "none" it stays root.  Sockets that were made and the access log are that user's then.  Who is not root
 * stays who it is. Says on standard error what will not work later: a region that the user cannot read, a log
 * whose directory it cannot write to.
 *
 * XM_OK; XM_INVALID: there is no such user; XM_DENIED: there is nobody to become, or the user cannot read a
 * file that is read again later (tokens, users, certificate, key); XM_IO: the system refuses.  The process
 * must not go on then.
 */
enum xm_status xm_serve_step_down(const struct xm_serve_config *config,
                                  const struct xm_serve_sockets *sockets, struct xm_error *err) XM_MUST_CHECK;

/*
 * Lets the kernel hold the server to the files that it was told: it reads what lies beneath the directories
 * of the region and of the durable history and beneath the directory above each, but never all of "/", so
 * that these may be made anew; what is read again later and what lies beside that; and /proc.  It writes to
 * the directory of the access log, and removes the sockets that it made.  Before any thread begins, after
 * xm_confine().  Where the kernel has no such thing, or the configuration forbids it, nothing happens; where
 * it refuses, or where a directory is missing and will stay shut, a line on standard error says so.  True: it
 * stands.
 */
bool xm_serve_fence(const struct xm_serve_config *config, const struct xm_serve_sockets *sockets);

/* What is read again, or opened anew, together. */
enum xm_serve_part { XM_SERVE_SECRETS, XM_SERVE_CERTIFICATE, XM_SERVE_LOG, XM_SERVE_REGION };

/*
 * Behind a fence that stands, where that part could not be opened and `said` names the path that was tried:
 * whether the fence is why, and then to `text` a clause for people that names the option, the path, and where
 * that leads; else "".
 */
bool xm_serve_shut(const struct xm_serve_config *config, enum xm_serve_part part, const char *said,
                   char *text, size_t size);

#endif
