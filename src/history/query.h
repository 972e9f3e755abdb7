/* SPDX-License-Identifier: MIT */
/*
 * The reader's half of the durable history: runs, domains, and samples as view wants them.
 *
 * All of it as of one moment: a reader sees nothing of what is written meanwhile.  Nothing in a database is
 * trusted: numbers that make no sense are a fault, not a crash.
 *
 * Threads: one handle, one thread.
 */
#ifndef XM_HISTORY_QUERY_H
#define XM_HISTORY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "view/view.h"
#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/units.h"

struct sqlite3;

/* One life of xenbaked. */
struct xm_history_run {
    int64_t id;
    uint64_t lineage;
    enum xm_source_kind source;
    char source_name[128], hypervisor[32], scheduler[16], states_from[16], tsc_hz_from[16];
    uint64_t tsc_hz; /* 0: not known */
    uint32_t io_seen;
    uint64_t host_cpus;
    bool origin; /* it is known from its very beginning */
    bool ended;  /* its last sample is there */
    struct xm_scale scale;
    uint64_t samples; /* stored ones */
    uint64_t lost_records;
    uint64_t first_real_ns,
        last_real_ns; /* CLOCK_REALTIME of the first (with origin: of the beginning) and last sample */
    uint64_t span_ns; /* from the one to the other, by the counters */
};

/* A life of a domain within a run. */
struct xm_history_domain {
    int64_t id;
    int64_t run;
    uint64_t row; /* as in rows, with XM_ROW_USED */
    char name[64], uuid[40];
    uint64_t created_tsc, ended_tsc; /* 0: before the run; alive at its end */
    int64_t first_sample, last_sample;
    size_t
        /* index of the same life in the run before, which xenbaked's restart cut in two; itself: none */
        before;
};

/* A sample's time.  sample 0 is the run's beginning, where all counters were 0. */
struct xm_history_instant {
    int64_t sample;
    uint64_t mono_ns, real_ns;
    uint64_t window; /* cycles since the run began */
    uint64_t tsc;
    bool detail; /* the metrics of the fast series are there */
};

struct xm_history {
    struct sqlite3 *db;
    struct xm_history_run *run;
    size_t runs; /* in the order of time */
    struct xm_history_domain *domain;
    size_t domains; /* by run, then by id */
};

/* Opens DIR/history.db, reads runs and domains.  Statuses of xm_history_open_reader(). */
enum xm_status xm_history_open(const char *directory, struct xm_history *history,
                               struct xm_error *err) XM_MUST_CHECK;
void xm_history_end(struct xm_history *history); /* a zeroed one is fine */

/* Until when the database is read (CLOCK_MONOTONIC, as xm_clock_ns()); passed: it was, and reading failed. */
struct xm_history_deadline {
    uint64_t mono_ns;
    bool passed;
};

/*
 * The same, and whatever reads the database through this handle fails once the deadline has passed, within
 * some milliseconds; only a database that another process has locked is waited for as long as else.
 * deadline: lives as long as the handle; NULL: there is none.
 */
enum xm_status xm_history_open_until(const char *directory, struct xm_history_deadline *deadline,
                                     struct xm_history *history, struct xm_error *err) XM_MUST_CHECK;

/*
 * All instants of a run, in order, with its beginning where that is known.  *instant is freed by the
 * caller.
 */
enum xm_status xm_history_instants(struct xm_history *history, const struct xm_history_run *run,
                                   struct xm_history_instant **instant, size_t *count,
                                   struct xm_error *err) XM_MUST_CHECK;

/*
 * Samples of one run between two instants, with slots that stay the same all the time: made for a stretch,
 * asked
 * for instants within it.
 */
struct xm_history_part { /* what is read of each sample */
    bool all;            /* every domain, else those that had the id `domid` */
    uint32_t domid;
    bool vcpus; /* vCPUs too, else only those of domains that are gone; see xm_history_vcpus() */
};

struct xm_history_stretch {
    struct xm_history *history; /* borrowed */
    const struct xm_history_run *run;
    struct xm_history_part part;
    struct xm_capacity capacity;
    size_t *domain;       /* [domain slot] -> index in history->domain */
    uint32_t *first_vcpu; /* [domain slot] -> vCPU slot of its vCPU 0; one more at the end */
    uint64_t *pcpu;       /* [pcpu slot] -> its number */
    struct sqlite3_stmt *stmt[XM_SCOPES];
};

/*
 * Domains that have rows after `from` and up to `to`.  XM_LIMIT: more than 2^20 rows; XM_DAMAGED; XM_NOMEM.
 * On failure
 * there is nothing to free.
 */
enum xm_status xm_history_stretch(struct xm_history *history, const struct xm_history_run *run, int64_t from,
                                  int64_t to, struct xm_history_stretch *stretch,
                                  struct xm_error *err) XM_MUST_CHECK;
/* The same of a part of each sample alone: what is not in it is not read, and has no slots. */
enum xm_status xm_history_stretch_of(struct xm_history *history, const struct xm_history_run *run,
                                     int64_t from, int64_t to, struct xm_history_part part,
                                     struct xm_history_stretch *stretch, struct xm_error *err) XM_MUST_CHECK;
void xm_history_stretch_end(struct xm_history_stretch *stretch);

/*
 * Reads the sample of an instant into `sample`, made by xm_sample_init() with the stretch's capacity.  A
 * domain
 * whose rows ended after `from` but before this instant has what its last row says, and since then it is
 * offline (unknown, where its end was not seen).  from: the instant where the window begins; an instant at
 * or before `from` has no such rows.
 * XM_END: there is no such sample.
 */
enum xm_status xm_history_sample(struct xm_history_stretch *stretch, const struct xm_history_instant *instant,
                                 int64_t from, struct xm_sample *sample, struct xm_error *err) XM_MUST_CHECK;

/*
 * The vCPUs of the domain in that slot, into a sample that xm_history_sample() read for the same instant
 * without them; nothing where they are there already.  For windows over which their number changes: a
 * domain's own row does not tell what each did.
 */
enum xm_status xm_history_vcpus(struct xm_history_stretch *stretch, const struct xm_history_instant *instant,
                                uint32_t slot, struct xm_sample *sample, struct xm_error *err) XM_MUST_CHECK;

/*
 * Every sample of a run from one time (CLOCK_REALTIME, ns) to another, in order: for whoever replays it.
 * each: gets the sample, the facts of its domains by slot (sample->used.domains of them) and the instant,
 * all borrowed for the
 * call; anything but XM_OK ends the walk and is returned.  capacity (may be NULL): told first.
 */
struct xm_history_walk {
    enum xm_status (*begin)(void *user, struct xm_capacity capacity, size_t samples, struct xm_error *err);
    enum xm_status (*each)(void *user, const struct xm_sample *sample, const struct xm_region_domain *fact,
                           const struct xm_history_instant *instant, struct xm_error *err);
    void *user;
};
enum xm_status xm_history_walk(struct xm_history *history, const struct xm_history_run *run, uint64_t from_ns,
                               uint64_t to_ns, const struct xm_history_walk *walk,
                               struct xm_error *err) XM_MUST_CHECK;

/*
 * Whether a column of view can be had: kept at all, and known without the metrics of the fast series for a
 * domain or a
 * vCPU.
 */
enum xm_history_need { XM_NEED_NOTHING, XM_NEED_DETAIL, XM_NEED_LOST };
enum xm_history_need xm_history_need(const char *column, bool vcpu);

#endif
