/* SPDX-License-Identifier: MIT */
/* The options of xenmon serve. */
#ifndef XM_CMD_SERVE_CONFIG_H
#define XM_CMD_SERVE_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "export/http.h"
#include "export/metrics.h"

#define XM_SERVE_PROGRAM "xenmon serve"
/* No service of the system's list has it (services(5)), and it is outside the range that clients' own ports
 * are from. */
#define XM_SERVE_PORT "8436"

struct xm_serve_config {
    const char *region;
    char region_path[PATH_MAX];
    const char *history;           /* directory of the durable history; NULL: none */
    char history_path[PATH_MAX];
    const char *listen[XM_HTTP_LISTENERS]; /* as given */
    unsigned listens;
    const char *tls_cert, *tls_key, *token_file, *users;
    const char *access_log; /* NULL: none; "-": standard error */
    const char *user;       /* whom root becomes */
    bool no_fence;          /* it may open what it was not told */
    uint64_t interval_ns, linger_ns, stale_ns;
    uint64_t connections, per_address, streams, rate, burst;
    uint64_t header_bytes, body_bytes, answer_bytes, gzip_level;
    uint64_t timeout_ns, request_ns;
    uint64_t domains;
    unsigned collectors;
    bool created;
    const char *file; /* --config */
    bool show, version, help;
};

/* Command line and, where one is named, the file.  XM_OK; XM_INVALID: it has been said what is wrong. */
enum xm_status xm_serve_configure(struct xm_serve_config *config, int argc, char **argv) XM_MUST_CHECK;

/* What --help and --show-config print; the exit status. */
int xm_serve_help(void);
int xm_serve_show(const struct xm_serve_config *config);

/* Seconds of a duration, 1 at least. */
unsigned xm_serve_seconds(uint64_t ns);

#endif
