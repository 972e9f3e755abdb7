/* SPDX-License-Identifier: MIT */
/* Rows as text, CSV or JSON Lines, from one description: what xenmon history prints. */
#ifndef XM_CMD_HISTORY_OUT_H
#define XM_CMD_HISTORY_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "front/print/csv.h"
#include "front/print/json.h"

enum xm_out_format { XM_OUT_TEXT, XM_OUT_CSV, XM_OUT_JSONL };
#define XM_OUT_FORMATS "text|csv|jsonl"

struct xm_out {
    FILE *out;       /* borrowed */
    unsigned format; /* enum xm_out_format */
    bool heading;    /* the fields that come are the first line's: titles or keys, no values */
    bool begun;      /* the line has a field */
    struct xm_csv csv;
    struct xm_json json;
};

/* Starts output on `file`, borrowed.  format: enum xm_out_format. */
void xm_out_init(struct xm_out *out, FILE *file, unsigned format);

/* Begins a line: the heading (nothing in JSON Lines: false, and the fields are to be left out), or a row. */
bool xm_out_heading(struct xm_out *out);
void xm_out_row(struct xm_out *out);
void xm_out_end(struct xm_out *out);

/*
 * Fields.  key: in JSON and CSV; title and `shown`: on paper, in `width` cells (shown NULL: not on paper). 
 * What is not
 * known is "-", null or empty; so is a text of NULL.
 */
void xm_out_text(struct xm_out *out, const char *key, const char *title, int width, const char *text);
void xm_out_u64(struct xm_out *out, const char *key, const char *title, int width, bool known, uint64_t value,
                const char *shown);
void xm_out_real(struct xm_out *out, const char *key, const char *title, int width, bool known, double value,
                 const char *shown);

/* A line that is no row: on paper only.  False: this is not paper. */
bool xm_out_note(struct xm_out *out, const char *text);

#endif
