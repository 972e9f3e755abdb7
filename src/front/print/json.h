/* SPDX-License-Identifier: MIT */
/*
 * A JSON writer that streams: members in the order they are written, integers exact over all of 64 bits,
 * nothing allocated.  (A JSON library keeps integers in 63 bits, or in doubles.)
 *
 * `key` is NULL for the elements of an array and for the outermost value.  Write errors stay in the FILE
 * (ferror).
 */
#ifndef XM_JSON_H
#define XM_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define XM_JSON_DEPTH 16

struct xm_json {
    FILE *out; /* borrowed */
    unsigned depth;
    bool compact; /* no blanks between what is on one line */
    struct {
        char close;
        bool lines; /* a line for each member */
        bool begun;
    } level[XM_JSON_DEPTH];
};

/* Starts a document on `out`. */
void xm_json_init(struct xm_json *json, FILE *out);

/* The same for a document that is one line without blanks, if nothing in it is asked to stand on lines: JSON Lines. */
void xm_json_init_line(struct xm_json *json, FILE *out);

/*
 * Objects and arrays; `lines` lays their members out one a line.  At most XM_JSON_DEPTH inside each other.
 * xm_json_close() ends the innermost; the outermost ends with a line break.
 */
void xm_json_object(struct xm_json *json, const char *key, bool lines);
void xm_json_array(struct xm_json *json, const char *key, bool lines);
void xm_json_close(struct xm_json *json);

/* One value.  Texts: NULL is null; made fit as xm_format_name() does, cut at 1000 bytes. */
void xm_json_u64(struct xm_json *json, const char *key, uint64_t value);
void xm_json_real(struct xm_json *json, const char *key, double value); /* 9 digits; null where it is not finite */
void xm_json_bool(struct xm_json *json, const char *key, bool value);
void xm_json_null(struct xm_json *json, const char *key);
void xm_json_text(struct xm_json *json, const char *key, const char *text);

#endif
