/* SPDX-License-Identifier: MIT */
/*
 * The writer of a region: one process, one thread, one struct xm_writer.
 *
 * Publishing allocates nothing, makes no system call and waits for nobody: its cost is a store per word
 * in use. Only create, grow and close talk to the file system.
 */
#ifndef XM_WRITER_H
#define XM_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "region/plan.h"
#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"

struct xm_writer;

struct xm_writer_config {
    const char *path; /* the region's name; its directory is made if it is missing (one level) */
    struct xm_region_settings settings;
    enum xm_source_kind source;
    const char *source_name; /* any bytes; shown sanitised.  May be NULL */
    /* For a copy of another host's region, whose run and indices it goes on with; zeros: a run of its own. */
    uint64_t lineage_id;
    uint64_t first[XM_SERIES_COUNT]; /* index of the first sample of each series */
};

/*
 * Makes a region under config->path, in place of one that a dead writer left there; readers of that one
 * follow. config and its strings are copied.  The writer's state is XM_WRITER_STARTING.
 * XM_OK; XM_LIMIT: another process writes it (`err` names it), or the settings need more than 2^40
 * bytes; XM_INVALID: a setting out of range; XM_DENIED: no permission; XM_IO: no room, a directory that others can
 * write to; XM_NOMEM; XM_UNSUPPORTED on a big-endian machine.  On failure *writer is NULL and a region
 * of that name is as it was.
 */
enum xm_status xm_writer_create(const struct xm_writer_config *config, struct xm_writer **writer,
                                struct xm_error *err) XM_MUST_CHECK;

/* The layout in use; borrowed until grow or close. */
const struct xm_region_plan *xm_writer_plan(const struct xm_writer *writer);

/* Index of the next sample of a series. */
uint64_t xm_writer_next(const struct xm_writer *writer, enum xm_series series);

/*
 * Publishes the rows in use of `sample` as the next one of the series.  Metrics that the series does not
 * carry are left out.  XM_OK; XM_LIMIT: more rows than the region has: grow first, nothing was
 * published.  O(rows in use).
 */
enum xm_status xm_writer_publish(struct xm_writer *writer, enum xm_series series,
                                 const struct xm_sample *sample) XM_MUST_CHECK;

/*
 * Publishes the histograms of the vCPU in `slot`, whose row has this id (0: the slot is free, counts are
 * not read). counts: XM_HISTS arrays of XM_HIST_BUCKETS.  XM_OK, XM_LIMIT: no such slot.
 */
enum xm_status xm_writer_histograms(struct xm_writer *writer, uint32_t slot, uint64_t id,
                                    const uint64_t *const counts[XM_HISTS]) XM_MUST_CHECK;

/* Publishes the facts of the domain in `slot`; names are sanitised.  XM_OK, XM_LIMIT: no such slot. */
enum xm_status xm_writer_domain(struct xm_writer *writer, uint32_t slot,
                                const struct xm_region_domain *domain) XM_MUST_CHECK;

/* What is true of the whole region and changes now and then. */
struct xm_writer_facts {
    uint64_t tsc_hz;          /* 0: not known */
    const char *tsc_hz_from;  /* "trace", "option", "host", "" (NULL is that too); at most 15 bytes */
    const char *states_from;  /* "runstate", "switch" */
    uint32_t io_seen;         /* XM_IO_SEEN_* */
    const uint64_t *classes;  /* XM_CLASSES counts, in the order of xm_class_name(); NULL: zeros */
    const uint64_t *anomaly;  /* XM_ANOMALIES counts; NULL: zeros */
    const char *hypervisor;   /* "Xen 4.17.7"; NULL or "": not known; at most 31 bytes, shown sanitised */
    const char *scheduler;    /* "credit2"; NULL or "": not known; at most 15 bytes, shown sanitised */
    uint64_t events;          /* event mask that the hypervisor traces by; 0: not known */
    uint64_t buffer_bytes;    /* of one pCPU's trace buffer; 0: not known */
    uint64_t host_cpus;       /* pCPUs that the host has; 0: not known */
};
void xm_writer_facts(struct xm_writer *writer, const struct xm_writer_facts *facts);

/* A sign of life, due at least once a second: now_ns is CLOCK_MONOTONIC. */
void xm_writer_heartbeat(struct xm_writer *writer, uint64_t now_ns);

/* XM_WRITER_RUNNING, or XM_WRITER_ENDED: the newest sample is the last. */
void xm_writer_state(struct xm_writer *writer, enum xm_writer_state state);

/*
 * Moves to a region of at least this capacity (never less than it has) under the same name: history,
 * histograms and facts are carried over as far as the new history reaches, indices go on, the old region
 * is marked superseded.
 * XM_OK; XM_LIMIT, XM_INVALID, XM_DENIED, XM_IO, XM_NOMEM as in create: the writer goes on in the region it has.
 * Cost: a copy of the history, some tens of milliseconds; both regions need room for that long.
 */
enum xm_status xm_writer_grow(struct xm_writer *writer, struct xm_capacity capacity,
                              struct xm_error *err) XM_MUST_CHECK;

/* Ends the region (XM_WRITER_ENDED), removes its name if `remove`, and gives the lock back.  NULL is fine. */
void xm_writer_close(struct xm_writer *writer, bool remove);

/* The mapping and its length, for readers in this process (tests). */
const void *xm_writer_memory(const struct xm_writer *writer, uint64_t *bytes);

#endif
