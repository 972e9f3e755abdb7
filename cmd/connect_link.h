/* SPDX-License-Identifier: MIT */
/*
 * A link to one remote host: a thread that keeps a copy of its region here, for the same front ends that read
 * a local one.
 *
 * The copy has the host's own lineage, indices, cycles and clocks, so that a restart or growth over there
 * shows as one here; times are never compared with ours, but for the writer's last sign of life, which comes
 * as an age.  What a link holds is bounded, whatever the server sends.
 *
 * Threads: each link has its own, with all signals blocked; the functions are for the main thread.
 */
#ifndef XM_CMD_CONNECT_LINK_H
#define XM_CMD_CONNECT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "connect_fetch.h"
#include "front/hosts/hosts.h"
#include "xenmon/status.h"

struct xm_link_config {
    const char *url;    /* borrowed until stop, as all here */
    const char *region; /* where the copy goes: a path in a directory of our own */
    const struct xm_fetch_credentials *credentials;
    uint64_t history_ns;  /* of the past that is fetched at first */
    uint64_t limit_bytes; /* of the copy, as far as its history can shrink */
    uint64_t most_bytes;  /* of the copy: a host that needs more is refused */
};

struct xm_link_state {
    enum xm_hosts_link link;
    enum xm_status status; /* of the last exchange; XM_AGAIN before there was one */
    char said[240];        /* why it is not live, "" else */
    bool heard;            /* there was an exchange, good or bad */
    bool data;             /* there is a copy, with a sample in it */
    uint64_t newest_ns;    /* when the newest sample came, CLOCK_MONOTONIC */
};

struct xm_link;

/* Starts a link.  XM_OK; XM_INVALID: the URL; XM_NOMEM; XM_IO: no thread. */
enum xm_status xm_link_start(const struct xm_link_config *config, struct xm_link **link,
                             struct xm_error *err) XM_MUST_CHECK;

/* What the host is called: host and port, or the socket's path.  Borrowed. */
const char *xm_link_name(const struct xm_link *link);

/* How the link stands now; a copy.  O(1), never waits for the server. */
void xm_link_look(struct xm_link *link, struct xm_link_state *state);

/* Ends what is under way, waits for the thread, and removes the copy.  NULL is fine. */
void xm_link_stop(struct xm_link *link);

#endif
