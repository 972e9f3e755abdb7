/* SPDX-License-Identifier: MIT */
/*
 * The values that a query of the API can have.  Each function reads the whole of `text`; on false the result
 * is left alone.  Pure.
 */
#ifndef XM_EXPORT_QUERY_H
#define XM_EXPORT_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A plain decimal number, at most `max`. */
bool xm_query_count(const char *text, uint64_t max, uint64_t *count);

/* "100ms", "1s", "1.5s", "10m", "2h", "1d"; a number alone is in seconds.  Up to 100 years. */
bool xm_query_duration(const char *text, uint64_t *ns);

/*
 * An instant, in ns since 1970 (CLOCK_REALTIME): RFC 3339 ("2026-01-02T03:04:05.25Z", "...+01:00"), seconds
 * since 1970
 * ("1767323045.25"), "now", or a time before now ("-5m").
 */
bool xm_query_time(const char *text, uint64_t now_ns, uint64_t *ns);

/*
 * The next of the names between commas in *rest, which moves on: written to `name`; false: there is none
 * left.  A name that does not fit is cut, and so is none that anybody knows.
 */
bool xm_query_next(const char **rest, char *name, size_t size);

#endif
