/* SPDX-License-Identifier: MIT */
/*
 * Numbers and names as people read them.  Every function writes a terminated text of at most `size` bytes
 * (24 are enough for every number) and returns `text`, so that it can stand in an argument list.
 */
#ifndef XM_FORMAT_H
#define XM_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "view/view.h"

/*
 * Four digits and a unit, at most 8 cells: "0 ns", "999 ns", "12.35 us", "1.234 ms", "123.5 s", "12345 s";
 * past 11 days "1.8e+10 s".
 */
const char *xm_format_ns(uint64_t ns, char *text, size_t size);

/*
 * The number where it fits into `width` (at least 5) cells, else cut to "12.3k", "456M", "18.4E" (powers of
 * 1000).
 */
const char *xm_format_count(uint64_t count, int width, char *text, size_t size);

/* Three digits and a unit (powers of 1000), at most 7 cells: "0 B", "999 B", "1.25 MB", "12.5 kB", "123 GB". */
const char *xm_format_bytes(double bytes, char *text, size_t size);

/* "12.3%", "100.0%"; above 0 never "0.0%" but "<0.1%". */
const char *xm_format_percent(double percent, char *text, size_t size);

/* A rate or an average that is no duration: "0.031", "1.234", "123.4", "12345"; at most 8 cells. */
const char *xm_format_number(double value, char *text, size_t size);

/*
 * A cell as its type asks, averages as durations where `column`'s id ends in _ns; "-" where it is not
 * known.  At most 8 cells wide but for percentages past 9999.
 */
const char *xm_format_cell(const struct xm_column *column, const struct xm_cell *cell, char *text, size_t size);

/*
 * A name from outside made fit for a terminal, a log or JSON: valid UTF-8, control, bidirectional and
 * invisible characters replaced by '?'.  `name` ends at its NUL or after `length` bytes.  A long name is
 * cut at a whole character.
 */
const char *xm_format_name(const char *name, size_t length, char *text, size_t size);

#endif
