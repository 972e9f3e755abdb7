/* SPDX-License-Identifier: MIT */
/* How an interval is written: the rows that all formats are made of, and the formats. */
#ifndef XM_LOG_INT_H
#define XM_LOG_INT_H

#include "front/log/log.h"
#include "front/print/sink.h"
#include "view/view.h"
#include "xenmon/region.h"

#define XM_LOG_DOMIDS 65536u
#define XM_LOG_LATE   4u /* running, runnable, blocked, offline */

/* What a domain is called; "" where that is not known. */
struct xm_log_name {
    uint64_t id; /* of the row that it belongs to */
    char name[64], uuid[40];
};

struct xm_log_interval {
    const struct xm_log_config *config;
    const struct xm_region_info *info;
    struct xm_window window;          /* its `to` has the interval's peaks */
    uint64_t passed_ns;               /* since logging began */
    struct xm_place *vcpus, *domains; /* room for all rows of the kind, and one */
    const struct xm_log_name *names;  /* [domain slot of window.to] */
    struct xm_sink *sink;             /* XM_LOG_XENMON: what its files are written through */
    uint8_t *begun; /* [XM_LOG_DOMIDS / 8] a bit for each domid whose file has been begun; idle's is 32767 */
};

/* ---- Rows. */

/*
 * What one vCPU or domain did.  A row that was not in the earlier sample is counted since the trace began,
 * and its window says so; the states of a domain are the sums of its vCPUs' rows, to the nanosecond.  That is
 * right for what is added up.  What is divided by a window or by executions is of the interval alone.
 */
struct xm_log_row {
    struct xm_usage usage;
    struct xm_usage within; /* the interval: no time before it, also of a row that began in it */
    uint64_t late_ns[XM_LOG_LATE];
};

struct xm_log_domain {
    uint32_t slot;
    const struct xm_log_name *name;
    const struct xm_place *vcpus; /* its vCPUs, in order */
    size_t vcpu_count;
};

/* Goes over the selected domains by domid and instance. */
struct xm_log_walk {
    const struct xm_log_interval *interval;
    size_t domain, domain_count; /* next, and how many */
    size_t vcpu, vcpu_count;
};
void xm_log_walk_init(struct xm_log_walk *walk, const struct xm_log_interval *interval); /* O(n log n) */
bool xm_log_walk_next(struct xm_log_walk *walk, struct xm_log_domain *domain); /* false: that was all */

/* What the vCPU in `slot`, which is in use, did.  O(1). */
void xm_log_vcpu_row(const struct xm_log_interval *interval, uint32_t slot, struct xm_log_row *row);
/* What one domain did, vCPUs added up.  Cost: O(its vCPUs). */
void xm_log_domain_row(const struct xm_log_interval *interval, const struct xm_log_domain *domain,
                       struct xm_log_row *row);

/* The value of a metric: percentages, rates and averages of the interval alone; row NULL: not known. */
void xm_log_cell(const struct xm_log_metric *metric, const struct xm_log_row *row, struct xm_cell *cell);

/* A moment of CLOCK_REALTIME as RFC 3339 has it, with `digits` (0 to 9) behind the second.  Returns text. */
const char *xm_log_time(uint64_t real_ns, unsigned digits, char text[48]);

/* ---- Formats.  What stands at the beginning of a stream, and one interval; errors stay in the FILE. */
void xm_log_head_csv(const struct xm_log_config *config, FILE *out);
void xm_log_print_csv(const struct xm_log_interval *interval, FILE *out);
void xm_log_print_jsonl(const struct xm_log_interval *interval, FILE *out);
void xm_log_print_table(const struct xm_log_interval *interval, FILE *out);

/*
 * Upstream's files, written here.  XM_OK, XM_NOMEM, or XM_IO: errno says why, `err` which file.  With
 * config->keep_going all files are tried, and the first that failed is told.
 */
enum xm_status xm_log_print_xenmon(const struct xm_log_interval *interval,
                                   struct xm_error *err) XM_MUST_CHECK;

#endif
