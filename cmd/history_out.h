/* SPDX-License-Identifier: MIT */
/*
 * Rows as text, CSV or JSON Lines, from one description: what xenmon history prints.
 *
 * On paper the heading comes first and settles the columns: those that do not fit are left out of it and of
 * all rows, which have the same fields, and "+3" behind the titles says how many.
 */
#ifndef XM_CMD_HISTORY_OUT_H
#define XM_CMD_HISTORY_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "front/print/csv.h"
#include "front/print/json.h"

enum xm_out_format { XM_OUT_TEXT, XM_OUT_CSV, XM_OUT_JSONL };
#define XM_OUT_FORMATS "text|csv|jsonl"

#define XM_OUT_COLUMNS 96u
#define XM_OUT_TIMES   2u

struct xm_out_column {
    const char *key, *title; /* borrowed */
    int width;
    bool shown;
};

struct xm_out {
    FILE *out;       /* borrowed */
    unsigned format; /* enum xm_out_format */
    bool heading;    /* the fields that come are the first line's: titles or keys, no values */
    bool begun;      /* the line has a field */
    unsigned room;   /* cells of a line on paper */
    const char *const *first, *const *last; /* see xm_out_fit(); borrowed, may be NULL */
    struct xm_out_column column[XM_OUT_COLUMNS]; /* on paper */
    size_t columns, at;                          /* at: of the next field */
    char time_title[XM_OUT_TIMES][48];           /* with their zone */
    size_t times;
    struct xm_csv csv;
    struct xm_json json;
};

/*
 * Starts output on `file`, borrowed.  format: enum xm_out_format.  A line on paper has as many cells as
 * $COLUMNS says, or the terminal that `file` is; 80 where neither does.
 */
void xm_out_init(struct xm_out *out, FILE *file, unsigned format);

/*
 * What goes where lines do not fit: the columns with the keys `first`, in that order, then the others from
 * the right, but never those in `last`.  Both end with NULL and are borrowed; NULL: none.  Before the heading.
 */
void xm_out_fit(struct xm_out *out, const char *const *first, const char *const *last);

/* Begins a line: the heading (nothing in JSON Lines: false, and the fields are to be left out), or a row. */
bool xm_out_heading(struct xm_out *out);
void xm_out_row(struct xm_out *out);
void xm_out_end(struct xm_out *out);

/*
 * Fields.  key: in JSON and CSV; title and `shown`: on paper, in `width` cells or what the title needs (shown
 * NULL: not known; title NULL: not on paper).  A negative width: to the left, and a longer text loses its
 * middle; the column "name" gets what the line has left.  What is not known is "-", null or empty; so is a text
 * of NULL.  Keys and titles must outlive the output.
 */
void xm_out_text(struct xm_out *out, const char *key, const char *title, int width, const char *text);
void xm_out_u64(struct xm_out *out, const char *key, const char *title, int width, bool known, uint64_t value,
                const char *shown);
void xm_out_real(struct xm_out *out, const char *key, const char *title, int width, bool known, double value,
                 const char *shown);

/* A moment of CLOCK_REALTIME; 0: not known.  On paper local time, 19 cells, the zone behind the title. */
void xm_out_time(struct xm_out *out, const char *key, const char *title, uint64_t real_ns);

/* A line that is no row: on paper only.  False: this is not paper. */
bool xm_out_note(struct xm_out *out, const char *text);

#endif
