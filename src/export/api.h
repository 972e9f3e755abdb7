/* SPDX-License-Identifier: MIT */
/*
 * The routes of the JSON API, of XML-RPC and of the web page: what hands the answers to the HTTP server.
 */
#ifndef XM_EXPORT_API_H
#define XM_EXPORT_API_H

#include <stddef.h>

#include "export/http.h"
#include "xenmon/status.h"

struct xm_api_config {
    struct xm_host *host; /* borrowed until destroy, as the texts are */
    const char *hostname; /* shown as the host's name; "" where not known */
    const char *version;  /* of the program */
    const char *history;  /* directory of the durable history, read when it is asked for; NULL: none */
    size_t stream_bytes;  /* of events kept for clients that come back */
};

struct xm_api;

/* XM_OK; XM_NOMEM.  Call it before there are threads (see export/rpc.h). */
enum xm_status xm_api_create(const struct xm_api_config *config, struct xm_api **api,
                             struct xm_error *err) XM_MUST_CHECK;
/* NULL is fine; the server must have stopped. */
void xm_api_destroy(struct xm_api *api);

/* All its routes, for the server's configuration. */
struct xm_http_table xm_api_table(struct xm_api *api);

/*
 * Whether the durable history that it was told of can be read now.  XM_OK, also where it was told of none;
 * XM_AGAIN: it cannot, err says why; XM_NOMEM.  Cost: opens the database; nobody is waited for.
 */
enum xm_status xm_api_try_history(const struct xm_api *api, struct xm_error *err) XM_MUST_CHECK;

/* There is a new snapshot: for whoever is told by the host (see export/stream.h).  Any thread. */
void xm_api_made(struct xm_api *api);

#endif
