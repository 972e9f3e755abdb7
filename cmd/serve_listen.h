/* SPDX-License-Identifier: MIT */
/* Where xenmon serve listens: addresses, Unix sockets, and what systemd hands over. */
#ifndef XM_CMD_SERVE_LISTEN_H
#define XM_CMD_SERVE_LISTEN_H

#include <limits.h>

#include "export/http.h"
#include "serve_config.h"

/* What root has without --listen: made where it is not there. */
#define XM_SERVE_FOLDER "/run/xenmon-serve"
#define XM_SERVE_SOCKET XM_SERVE_FOLDER "/http.sock"

struct xm_serve_sockets {
    struct xm_http_listener listener[XM_HTTP_LISTENERS];
    unsigned count;
    /* For people: as it was asked for, or, where that was any port (0) or systemd's, as it is bound. */
    char name[XM_HTTP_LISTENERS][PATH_MAX];
    char made[XM_HTTP_LISTENERS][PATH_MAX]; /* Unix sockets to be removed at the end; "" else */
    bool activated;                         /* by systemd */
};

/*
 * Opens all that the configuration asks for: sockets of systemd ($LISTEN_FDS) if there are any, else
 * --listen, else the defaults, of which those that cannot be had are said and left out.
 * An address that others can reach is refused without TLS and authentication.
 * XM_OK; XM_INVALID: the configuration does not do; XM_IO: the system says no; err has the cause, nothing is
 * open.
 */
enum xm_status xm_serve_listen(const struct xm_serve_config *config, struct xm_serve_sockets *sockets,
                               struct xm_error *err) XM_MUST_CHECK;

/* Removes the Unix sockets that were made. */
void xm_serve_unlink(const struct xm_serve_sockets *sockets);

#endif
