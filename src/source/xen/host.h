/* SPDX-License-Identifier: MIT */
/*
 * A live host's surroundings for the loop: what facts.h and live.h know goes into samples and names, and domains that
 * have left no record are introduced to the account.
 *
 * Threads: one, the loop's.
 */
#ifndef XM_HOST_H
#define XM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "source/publish.h"
#include "source/source.h"
#include "source/tee.h"
#include "source/xen/facts.h"
#include "xenmon/status.h"

struct xm_host;

struct xm_host_config {
    struct xm_source *source;     /* live; borrowed, as all of these */
    struct xm_control *control;
    struct xm_facts *facts;
    const struct xm_tee *tee;     /* NULL: none */
    uint32_t cpus;                /* pCPUs that were online when tracing began; 0: not known */
    bool all_traced;              /* every pCPU has a buffer and is in the CPU mask: no record is a statement too */
};

/*
 * To be called right after tracing was taken over: CPU time that the hypervisor counts is counted from here on.  config
 * is copied.  XM_OK, XM_NOMEM.  Cost: a refresh of the facts.
 */
enum xm_status xm_host_create(const struct xm_host_config *config, struct xm_host **host,
                              struct xm_error *err) XM_MUST_CHECK;
void xm_host_destroy(struct xm_host *host); /* NULL is fine */

/* For struct xm_loop_config; good as long as the host is. */
struct xm_surroundings xm_host_surroundings(struct xm_host *host);

/*
 * Looks after what others may have changed; due once a second, also while nothing is published.  True, the first time
 * that it finds more pCPUs online than before: they may have no trace buffer, and silence proves nothing from here on.
 * Cost: three hypercalls, and what xm_live_look_after() sets right.
 */
bool xm_host_look_after(struct xm_host *host);

#endif
