/* SPDX-License-Identifier: MIT */
/*
 * What stands around the numbers of a live host: which domains there are, their names and UUIDs (xenstore),
 * vCPUs, weight and cap (the hypervisor), and what the devices that dom0's kernel serves them have carried
 * (sysfs; devices.h says which).
 *
 * Everything here can be missing, and nothing else suffers: without libxenstore names are "", without its
 * daemon they are what was known last, without back ends in this domain there are no devices.  Names are
 * chosen by guests' owners and come as they are, cut to their room at a whole UTF-8 character: whoever shows
 * them sanitises (the region's writer does).
 *
 * xenstored is never waited for but at the start and at the end: names.h says how, and what that asks of the
 * process (open after forking, with root's rights; set what SIGPIPE does before).
 *
 * Threads: one, besides the one that xm_facts_open() starts for xenstore.
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
    /* Of xenstore, NULL-terminated, the first that loads; borrowed.  NULL: libxenstore.so.4, .so.3.0. */
    const char *const *libraries;
};

/*
 * Counters of devices as the domain sees them: received is what came to it.  They never go back while it
 * lives.
 */
struct xm_facts_devices {
    uint32_t vifs, vbds; /* there now; of disks those that have counters */
    uint64_t received_bytes, received_packets, sent_bytes, sent_packets;
    uint64_t reads, writes, read_bytes, write_bytes; /* reads and writes: requests */
};

/* Where domains come from xenstore, of `domain` only domid, vcpus and online are known. */
struct xm_facts_domain {
    struct xm_control_domain domain; /* its cpu_ns: 0 where the hypervisor does not list domains */
    uint32_t seen;      /* refreshes in a row that have listed it, at least 1 */
    char name[64];
    char uuid[40];      /* 36 characters, or ""; the hypervisor's, else xenstore's */
    struct xm_facts_devices devices;
};

/*
 * XM_OK, also where there is no xenstore: *said (may be NULL) says then in one line why names are missing,
 * else is empty.  XM_NOMEM.  Takes up to a second where xenstored is silent.
 */
enum xm_status xm_facts_open(const struct xm_facts_config *config, struct xm_facts **facts,
                             struct xm_error *said) XM_MUST_CHECK;
/* Takes up to half a second where xenstored is silent.  NULL is fine. */
void xm_facts_close(struct xm_facts *facts);

/*
 * Reads all anew; due about once a second.  What xenstore says is one refresh older: names come with the one
 * after that which lists the domain first, at the earliest.  They are asked for until they are there, for ten
 * refreshes, and every tenth time.  A xenstore that has gone is tried again every tenth time.  A list that
 * cannot be had (the hypervisor's, xenstore's, a directory) is what it was before.  XM_OK; XM_NOMEM: all is as
 * it was before.  Cost: a few hypercalls a domain, two directories, a file for each of a device's counters.
 * Never waits for xenstored.
 */
enum xm_status xm_facts_refresh(struct xm_facts *facts) XM_MUST_CHECK;

/*
 * Whether the last refresh has had the list of domains anew: one that is missing was not there then, or, where xenstore
 * is who lists them, a refresh before.
 */
bool xm_facts_listed(const struct xm_facts *facts);

/* Domains by ascending id; valid until the next refresh. */
const struct xm_facts_domain *xm_facts_domains(const struct xm_facts *facts, size_t *count);
/* NULL: there is none. */
const struct xm_facts_domain *xm_facts_find(const struct xm_facts *facts, uint32_t domid);

#endif
