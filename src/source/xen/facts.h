/* SPDX-License-Identifier: MIT */
/*
 * What stands around the numbers of a live host: which domains there are, their names and UUIDs (xenstore), vCPUs, weight
 * and cap (the hypervisor), and what the devices that dom0's kernel serves them have carried (sysfs).
 *
 * Everything here can be missing, and nothing else suffers: without libxenstore or its daemon names are "", without
 * back ends in this domain there are no devices.  Names are chosen by guests' owners and come as they are, cut to their
 * room at a whole UTF-8 character: whoever shows them sanitises (the region's writer does).
 *
 * Threads: one.
 */
#ifndef XM_FACTS_H
#define XM_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/xen/control.h"
#include "xenmon/status.h"

struct xm_facts;

struct xm_facts_config {
    struct xm_control *control; /* borrowed; NULL: domains are those that xenstore lists */
    const char *sys;            /* "/sys"; borrowed */
    const char *const *libraries; /* of xenstore, NULL-terminated, the first that loads; NULL: libxenstore.so.4, .so.3.0 */
};

/* Counters of devices as the domain sees them: received is what came to it.  They never go back while it lives. */
struct xm_facts_devices {
    uint32_t vifs, vbds; /* there now */
    uint64_t received_bytes, received_packets, sent_bytes, sent_packets;
    uint64_t reads, writes, read_bytes, write_bytes; /* reads and writes: requests */
};

struct xm_facts_domain {
    struct xm_control_domain domain;
    uint32_t seen;      /* refreshes in a row that have listed it, at least 1 */
    char name[64];
    char uuid[40];
    struct xm_facts_devices devices;
};

/* A missing xenstore is no error; *said (may be NULL) says then in one line why names are missing, else is empty. */
enum xm_status xm_facts_open(const struct xm_facts_config *config, struct xm_facts **facts,
                             struct xm_error *said) XM_MUST_CHECK;
void xm_facts_close(struct xm_facts *facts);

/*
 * Reads all anew; due about once a second.  Cost: a few hypercalls a domain, a directory of devices, a file for each of
 * a device's counters; names are read when a domain is new and every tenth time.  A xenstore that has gone is tried
 * again now and then.  XM_OK; XM_NOMEM: as it was before.
 */
enum xm_status xm_facts_refresh(struct xm_facts *facts) XM_MUST_CHECK;

/* Domains by ascending id; valid until the next refresh. */
const struct xm_facts_domain *xm_facts_domains(const struct xm_facts *facts, size_t *count);
const struct xm_facts_domain *xm_facts_find(const struct xm_facts *facts, uint32_t domid); /* NULL: there is none */

#endif
