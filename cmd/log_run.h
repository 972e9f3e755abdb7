/* SPDX-License-Identifier: MIT */
/*
 * What xenmon log and xenmon batch share: options that both have, and the run from there to the exit code.
 *
 * Threads: for the main thread only; it sets handlers of signals.
 */
#ifndef XM_CMD_LOG_RUN_H
#define XM_CMD_LOG_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/log/log.h"
#include "options.h"

#define XM_LOG_WORDS 64u
#define XM_LOG_UNSET UINT64_MAX
#define XM_LOG_MS UINT64_C(1000000)
#define XM_LOG_MAX_TIME_NS (UINT64_C(100) * 366 * 86400 * XM_NS_PER_S / 10) /* ten years, which 64 bits can hold */

/* What an option that can be repeated was given; borrowed from argv. */
struct xm_words {
    const char *word[XM_LOG_WORDS];
    size_t count;
};
xm_option_set xm_set_word; /* struct xm_words */

enum { XM_LOG_PER_UNSET, XM_LOG_PER_GIVEN_DOMAIN, XM_LOG_PER_GIVEN_VCPU };

struct xm_log_run {
    const char *program; /* for messages */
    const char *region, *prefix, *output;
    uint64_t duration_ns, interval_ns, count, hz;
    int64_t cpu;
    unsigned format; /* enum xm_log_format */
    unsigned per;    /* one of the three above */
    unsigned table;  /* XM_LOG_TABLE_* */
    bool from_start, exit_at_end, keep_going, append, list_metrics, help;
    struct xm_words domains, metrics;
    struct xm_max_loss max_loss;
};

/* Rows of an option table whose configuration has a struct xm_log_run as its member `run`. */
#define XM_LOG_AT(type, member) offsetof(type, run.member)
#define XM_LOG_OPTIONS_WHAT(type) \
    {"domain", 0, XM_ARG_NEEDED, xm_set_word, XM_LOG_AT(type, domains), "DOMAIN", "only this one: number, name, UUID or pattern such as 'web*'; can be repeated", 0, 0, 0}, \
    {"metric", 0, XM_ARG_NEEDED, xm_set_word, XM_LOG_AT(type, metrics), "ID,...", "only these, in this order; can be repeated", 0, 0, 0}, \
    {"list-metrics", 0, XM_ARG_NONE, xm_set_flag, XM_LOG_AT(type, list_metrics), NULL, "print the metrics there are, and exit", 0, 0, 0}
#define XM_LOG_OPTIONS_WHERE(type) \
    {"append", 0, XM_ARG_NONE, xm_set_flag, XM_LOG_AT(type, append), NULL, "go on in files that exist, do not begin them anew", 0, 0, 0}, \
    {"keep-going", 0, XM_ARG_NONE, xm_set_flag, XM_LOG_AT(type, keep_going), NULL, "when a disk is full: go on, and try again at the next interval", 0, 0, 0}
#define XM_LOG_OPTIONS_WHEN(type) \
    {"from-start", 0, XM_ARG_NONE, xm_set_flag, XM_LOG_AT(type, from_start), NULL, "begin with the trace, or with what the region still holds of it", 0, 0, 0}, \
    {"exit-at-end", 0, XM_ARG_NONE, xm_set_flag, XM_LOG_AT(type, exit_at_end), NULL, "end when xenbaked does; with a replayed trace that is so anyway", 0, 0, 0}
#define XM_LOG_OPTIONS_FROM(type) \
    {"region", 0, XM_ARG_NEEDED, xm_set_text, XM_LOG_AT(type, region), "PATH", "the region to read; by default that of the system's, or the user's, xenbaked", 0, 0, 0}, \
    {"cpu-hz", 0, XM_ARG_NEEDED, xm_set_hz, XM_LOG_AT(type, hz), "HZ", "rate of the trace's clock, where xenbaked does not know it", 0, 0, 0}, \
    {"max-loss", 0, XM_ARG_NEEDED, xm_set_loss, XM_LOG_AT(type, max_loss), "N|N%|none", "exit with 4 if more records were lost meanwhile (none)", 0, 0, 0}, \
    {"help", 'h', XM_ARG_NONE, xm_set_flag, XM_LOG_AT(type, help), NULL, "print this and exit", 0, 0, 0}

/*
 * Does what the configuration asks for, and returns what to exit with; what went wrong has been said.
 * duration_ns XM_LOG_UNSET is `default_ns`, or no limit where there is a count.
 */
int xm_log_run(struct xm_log_run *run, uint64_t default_ns);

#endif
