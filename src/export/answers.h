/* SPDX-License-Identifier: MIT */
/*
 * The answers of the API, whoever carries them: HTTP (export/api.h) and XML-RPC (export/rpc.h) ask the same
 * questions in the same words.
 *
 * Every function returns a new reference; NULL: the refusal says why.  All texts may be NULL, for what is
 * taken when nothing is said.
 */
#ifndef XM_EXPORT_ANSWERS_H
#define XM_EXPORT_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "export/host.h"

/* Who asks, and of what.  Borrowed. */
struct xm_ask {
    const struct xm_host_snapshot *snapshot;
    const char *path;     /* of the region, for what the snapshot does not hold */
    const char *hostname; /* "" where not known */
    const char *version;  /* of this program */
    const char *history;  /* directory of the durable history; NULL: none */
    /*
     * Asked before a dear answer is made, which is refused where it says false; NULL: none is. turn_user is
     * for it.  put_off (NULL where turn is): whether all that is made now is dropped, as the same will be
     * asked again with its turn.
     */
    bool (*turn)(void *user);
    bool (*put_off)(void *user);
    void *turn_user;
    /*
     * CLOCK_MONOTONIC: no dear answer is begun later; 0: that is no matter.  For calls that ask for several:
     * together they must not take as long as a thread that hangs.
     */
    uint64_t until_ns;
};

struct xm_refusal {
    unsigned status;  /* of HTTP: 400, 404, 503, 500 */
    const char *code; /* snake_case, static */
    char text[240];
};

/*
 * windows: up to three of "exec", "1s", "10s" and one duration of 100ms to 1d, with commas: "exec,1s,5m".
 * NULL: "exec, 1s,10s", for xm_answer_windows() "1s".  domid: a number as text. Refusals: no_data (503),
 * bad_window, bad_domid (400), no_such_domain (404), out_of_memory (500).
 */
json_t *xm_answer_host(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal);
json_t *xm_answer_domains(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal);
json_t *xm_answer_cpus(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal);
json_t *xm_answer_windows(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal);
json_t *xm_answer_domain(const struct xm_ask *ask, const char *domid, const char *windows,
                         struct xm_refusal *refusal);
json_t *xm_answer_vcpus(const struct xm_ask *ask, const char *domid, const char *windows,
                        struct xm_refusal *refusal);

/* What these need no data for. */
json_t *xm_answer_version(const struct xm_ask *ask, struct xm_refusal *refusal);
json_t *xm_answer_metrics(const struct xm_ask *ask, struct xm_refusal *refusal);

/*
 * Values over time.  domain: an id, or a name or UUID that becomes one (called.h), NULL: all; metric: one to
 * eight of xm_fields with commas, NULL: the shares of the five states; from, to: as xm_query_time(), NULL:
 * the last five minutes; step: a duration;
 * top: a count, of the domains those that ran longest.  What is older than the region comes from the durable
 * history, also while there is no region.  Refusals besides: bad_top, bad_metric, bad_time, bad_step,
 * bad_range, too_much (400), no_data, busy (503).
 */
struct xm_history_words {
    const char *domain, *metric, *from, *to, *step, *top;
};
json_t *xm_answer_history(const struct xm_ask *ask, const struct xm_history_words *words,
                          struct xm_refusal *refusal);

/*
 * What there is to ask for: the region's two series, and the durable history.  A series that cannot be read
 * says why.  Refusals: busy (503), out_of_memory (500).
 */
json_t *xm_answer_ranges(const struct xm_ask *ask, struct xm_refusal *refusal);

#endif
