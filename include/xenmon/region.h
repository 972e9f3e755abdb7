/* SPDX-License-Identifier: MIT */
/*
 * The reader of XenMon's shared memory.
 *
 * xenbaked keeps a region: cumulative counters of every vCPU, domain and pCPU, sampled some times a
 * second (the fast series) and once a second (the slow series), each in a ring.  A reader opens it
 * read-only, takes no lock and can neither slow nor hurt the writer.  What a reader may hold is a copy:
 * every call copies what it returns and verifies that the writer did not touch it meanwhile.
 *
 * The bytes are described in xenmon-region(5); the region carries a table of its metrics, so that a
 * program in any language can read it.  This reader finds metrics by name as well: one written by a
 * newer or older xenbaked reads with what both know, the rest is 0.
 *
 * Nothing in a region is trusted: every number is checked before use, whoever wrote it.
 *
 * Threads: a struct xm_region is used by one thread at a time; any number of them may read one region.
 */
#ifndef XENMON_REGION_H
#define XENMON_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/units.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a call on a region ended. */
enum xm_region_outcome {
    XM_REGION_OK,
    XM_REGION_RETRY,       /* not there (yet), or being written all the time: try again later */
    XM_REGION_OVERRUN,     /* the sample asked for has been overwritten: it is too old */
    XM_REGION_GONE,        /* the writer is dead or has ended; what it left can still be read */
    XM_REGION_RESTARTED,   /* there is another region of this name: the handle now reads that one */
    XM_REGION_INCOMPATIBLE /* not a region, damaged, or of a major version this reader does not know */
};
const char *xm_region_outcome_name(enum xm_region_outcome outcome);

enum xm_series { XM_SERIES_FAST, XM_SERIES_SLOW, XM_SERIES_COUNT };

enum xm_source_kind { XM_SOURCE_LIVE, XM_SOURCE_REPLAY, XM_SOURCE_PIPE };
enum xm_writer_state {
    XM_WRITER_STARTING,
    XM_WRITER_RUNNING,
    XM_WRITER_ENDED,     /* the source has ended: the newest sample is the last */
    XM_WRITER_SUPERSEDED /* grown: a larger region has taken the name, follow it */
};

/* What does not change from sample to sample, or rarely does.  A copy. */
struct xm_region_info {
    uint64_t creation_id; /* of this region; another one after a restart or growth */
    uint64_t lineage_id;  /* of the writer's run: the same after growth, whose counters go on */
    uint32_t writer_pid;
    uint32_t version;     /* major << 16 | minor */
    enum xm_writer_state state;
    enum xm_source_kind source;
    uint64_t heartbeat_ns; /* CLOCK_MONOTONIC of the writer's last sign of life */
    uint64_t tsc_hz;       /* 0: not known yet */
    char tsc_hz_from[16];  /* "trace", "option", "host", or "" */
    char states_from[16];  /* "runstate" or "switch" */
    char source_name[128]; /* the file's name, or what else records come from; UTF-8, sanitised */
    char hypervisor[32];   /* "Xen 4.17.7", or "" */
    char scheduler[16];    /* "credit2", or "" */
    uint64_t events;       /* event mask that the hypervisor traces by; 0: not known */
    uint64_t buffer_bytes; /* of one pCPU's trace buffer; 0: not known */
    uint64_t host_cpus;    /* pCPUs that the host has; 0: not known */
    uint32_t io_seen;      /* XM_IO_SEEN_*: components whose records would have been seen */
    struct xm_capacity capacity;
    struct {
        uint32_t slots;       /* samples the ring holds */
        uint64_t interval_ns; /* between samples */
        uint64_t newest;      /* index of the newest sample; ~0: none yet */
    } series[XM_SERIES_COUNT];
    uint64_t bytes;        /* of the mapping */
    uint64_t classes[12];  /* records by class, in the order of xm_class_name() */
    uint64_t anomaly[16];  /* by kind, in the order of xm_region_anomaly_name() */
};

#define XM_IO_SEEN_TRANSFERS 1u
#define XM_IO_SEEN_GRANTS 2u
#define XM_IO_SEEN_COPIES 4u

/* A domain's name and other facts that are no counters.  A copy. */
struct xm_region_domain {
    uint64_t id;     /* as in its rows; 0: the slot is free */
    char name[64];   /* sanitised UTF-8, "" where not known */
    char uuid[40];   /* "" where not known */
    uint64_t created_tsc; /* 0: before the trace */
    uint64_t ended_tsc;   /* 0: alive */
};

struct xm_region;

/*
 * Opens the region at `path` (a file, by default on tmpfs).  On failure *region is NULL and `err`
 * (may be NULL) says why: XM_IO (no such file, no permission), XM_UNSUPPORTED (other major version),
 * XM_DAMAGED (not a region).  Allocates; may block on the file system, never on the writer.
 */
enum xm_status xm_region_open(const char *path, struct xm_region **region, struct xm_error *err) XM_MUST_CHECK;
void xm_region_close(struct xm_region *region); /* NULL is fine */

/*
 * Looks whether the writer lives, and follows a restart or growth.
 * OK; GONE (dead pid and stale heartbeat, or state XM_WRITER_ENDED with a dead writer); RESTARTED: the
 * handle was moved to the new region of this name, earlier copies of samples stay valid but belong to the
 * old one unless info.lineage_id is unchanged; INCOMPATIBLE.
 * Cost: a stat(2) and a kill(pid, 0).
 */
enum xm_region_outcome xm_region_check(struct xm_region *region) XM_MUST_CHECK;

/*
 * Copies what the region says of itself as a whole.  OK; RETRY (the writer keeps changing it); INCOMPATIBLE.
 * Never allocates.
 */
enum xm_region_outcome xm_region_info(struct xm_region *region, struct xm_region_info *info) XM_MUST_CHECK;

/*
 * Copies one sample.  index: 0 is the first of the writer's life; the newest is info.series[].newest.
 * `sample` must have been made by xm_sample_init() with at least the region's capacity, else
 * INCOMPATIBLE.  Rows and metrics that a series does not carry are 0.
 * OK; RETRY (index newer than the newest); OVERRUN; INCOMPATIBLE (also for a damaged region).
 * Cost: O(rows) words copied; never allocates; gives up after 100 collisions with the writer (RETRY).
 */
enum xm_region_outcome xm_region_sample(struct xm_region *region, enum xm_series series, uint64_t index,
                                        struct xm_sample *sample) XM_MUST_CHECK;

/*
 * As xm_region_sample(), for a part of it: the host's row, and the rows of those kinds whose bit is in `scopes`
 * (1u << XM_SCOPE_VCPU, ...).  sample->used counts all; what was not asked for is left as it is.  Use one sample for
 * one set of kinds: xm_region_sample() clears only what the last call said was in use.
 * Cost: O(those rows).
 */
enum xm_region_outcome xm_region_rows(struct xm_region *region, enum xm_series series, uint64_t index,
                                      unsigned scopes, struct xm_sample *sample) XM_MUST_CHECK;

/* Only the host row of a sample: for searching by time without copying the rest. */
enum xm_region_outcome xm_region_host(struct xm_region *region, enum xm_series series, uint64_t index,
                                      struct xm_host_row *host) XM_MUST_CHECK;

/*
 * Index of the newest sample in the series whose host.window is at most `window` cycles; the oldest one
 * there is if all are newer (outcome OVERRUN then, *index still set).  O(log slots).
 */
enum xm_region_outcome xm_region_find(struct xm_region *region, enum xm_series series, uint64_t window,
                                      uint64_t *index) XM_MUST_CHECK;

/* Facts of the domain in `slot` (below capacity.domains). */
enum xm_region_outcome xm_region_domain(struct xm_region *region, uint32_t slot,
                                        struct xm_region_domain *domain) XM_MUST_CHECK;

/*
 * The cumulative histogram of the vCPU in `slot`: XM_HIST_BUCKETS counts.  *id: the vCPU it belongs to, as
 * in its rows.
 */
enum xm_region_outcome xm_region_histogram(struct xm_region *region, uint32_t slot, enum xm_hist_kind kind,
                                           uint64_t counts[XM_HIST_BUCKETS], uint64_t *id) XM_MUST_CHECK;

/* All of a vCPU's at once, as of one instant. */
enum xm_region_outcome xm_region_histograms(struct xm_region *region, uint32_t slot,
                                            uint64_t counts[XM_HISTS][XM_HIST_BUCKETS], uint64_t *id) XM_MUST_CHECK;

/* Names of info.anomaly[], NULL past the last. */
const char *xm_region_anomaly_name(unsigned index);

/*
 * Where a region is when nobody says otherwise: $XENMON_REGION, else /run/xenmon/shm for root, else
 * $XDG_RUNTIME_DIR/xenmon/shm, else /dev/shm/xenmon-UID/shm.  Writes at most `size` bytes; false if
 * that is too small.
 */
bool xm_region_default_path(char *path, size_t size);

#ifdef __cplusplus
}
#endif
#endif
