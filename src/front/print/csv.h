/* SPDX-License-Identifier: MIT */
/*
 * A CSV writer (RFC 4180 quoting, lines end in LF).  Write errors stay in the FILE (ferror).
 */
#ifndef XM_CSV_H
#define XM_CSV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct xm_csv {
    FILE *out;  /* borrowed */
    bool begun; /* the line has a field */
};

/*
 * One field.  A text with a comma, quote or line break in it is quoted; NULL and what is not known is
 * empty.
 */
void xm_csv_text(struct xm_csv *csv, const char *text);
void xm_csv_u64(struct xm_csv *csv, uint64_t value);
void xm_csv_maybe(struct xm_csv *csv, bool known, uint64_t value);
void xm_csv_real(struct xm_csv *csv, bool known, double value); /* 9 digits; empty too where it is not finite */

/* The line is complete. */
void xm_csv_end(struct xm_csv *csv);

#endif
