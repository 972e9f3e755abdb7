/* SPDX-License-Identifier: MIT */
/* Metrics, among themselves: families, and the writing of numbers. */
#ifndef XM_METRICS_INT_H
#define XM_METRICS_INT_H

#include <string.h>

#include "export/metrics.h"

/* ---- Families that are rows of the region's table. */

enum xm_family_type { XM_FAMILY_COUNTER, XM_FAMILY_GAUGE };

/* Whether a value is known at all: never a false zero. */
typedef bool xm_metrics_known(const struct xm_host_snapshot *snapshot, const void *row);

struct xm_metrics_part {
    const char *metric;      /* name in metrics.def */
    const char *label;       /* label="value" as it is written; "": the family has one part */
    xm_metrics_known *known; /* NULL: always */
};

#define XM_METRICS_PARTS 5u

struct xm_metrics_family {
    const char *name; /* without _total */
    const char *unit; /* "seconds", "bytes", "ratio", or "" */
    enum xm_family_type type;
    enum xm_scope scope;
    unsigned collector;
    unsigned divisor; /* of a number without unit: 1000 for thousandths; 0: 1 */
    struct xm_metrics_part part[XM_METRICS_PARTS];
    const char *help;
};
const struct xm_metrics_family *xm_metrics_families(size_t *count);

/* The metric of a part, by name; NULL: there is none of that name. */
const struct xm_metric *xm_metrics_find(enum xm_scope scope, const char *name);

/* ---- Writing. */

struct xm_http_buffer; /* export/http_int.h */

struct xm_metrics_out {
    struct xm_http_response *response;
    char *at, *end; /* room in the answer that is reserved */
    bool open;      /* OpenMetrics */
    bool full;      /* the answer has no more room: the rest is dropped, and the server says so */
    bool begun;     /* the family's head was written */
    const char *name, *unit, *type, *help;
};

/* Makes room for `bytes`; false: there is none. */
bool xm_metrics_room(struct xm_metrics_out *out, size_t bytes);

/*
 * So much more will be written, more or less: where the answer may become as large, its buffer grows once,
 * and not as it is filled.  Costs no memory before that is written to.
 */
void xm_metrics_expect(struct xm_metrics_out *out, size_t bytes);

/*
 * Room for `bytes` more in a buffer of the server's, as xm_http_buffer_reserve(), with the pages that lie
 * there: many at a time, where the first write to each would have to wait for its own.
 */
bool xm_metrics_reserve(struct xm_http_buffer *buffer, size_t bytes, size_t most);

#define XM_NUMBER_BYTES 32u /* no number is longer */
static inline bool xm_has_room(struct xm_metrics_out *out, size_t bytes)
{
    return (out->at && (size_t)(out->end - out->at) >= bytes) || xm_metrics_room(out, bytes);
}

static inline void xm_put(struct xm_metrics_out *out, const char *text, size_t bytes)
{
    if (bytes == 0 || !xm_has_room(out, bytes))
        return;
    memcpy(out->at, text, bytes);
    out->at += bytes;
}

static inline void xm_puts(struct xm_metrics_out *out, const char *text)
{
    xm_put(out, text, strlen(text));
}

/* ns as seconds, exactly: "12.000000034". */
void xm_put_ns(struct xm_metrics_out *out, uint64_t ns);
/* A label's value: \, " and line breaks escaped. */
size_t xm_metrics_escape(const char *text, char *to, size_t size);

/*
 * A family begins: nothing is written before its first series.  type: "counter", "gauge", "histogram",
 * "info".
 */
void xm_family(struct xm_metrics_out *out, const char *name, const char *type, const char *unit,
               const char *help);
/*
 * Begins a series: NAME SUFFIX {labels, more}; both may be "".  What follows is a value and xm_end(). 
 * labels: already escaped.
 */
void xm_series(struct xm_metrics_out *out, const char *suffix, const char *labels, size_t label_bytes,
               const char *more);
static inline void xm_end(struct xm_metrics_out *out)
{
    xm_put(out, "\n", 1);
}
/* A whole series of the family, with a whole number. */
void xm_series_u64(struct xm_metrics_out *out, const char *suffix, const char *labels, uint64_t value);

/*
 * What all series of one part of a family have in common: NAME SUFFIX { and , MORE }.  labels: whether each
 * has labels of its own. Made once, so that a series is three copies and a number.
 */
struct xm_metrics_lead {
    char head[96], tail[96];
    uint32_t head_bytes, tail_bytes;
};
/* How a value is written: a whole number, ns as seconds, or divided by this many. */
enum xm_number {
    XM_NUMBER_WHOLE = 0,
    XM_NUMBER_NS = 1,
    XM_NUMBER_HUNDREDTHS = 100,
    XM_NUMBER_THOUSANDTHS = 1000
};
void xm_lead_init(struct xm_metrics_lead *lead, const char *name, const char *suffix, bool labels,
                  const char *more);
void xm_lead_series(struct xm_metrics_out *out, const struct xm_metrics_lead *lead, const char *labels,
                    size_t bytes, enum xm_number kind, uint64_t value);

/* Families of the server and its process (metrics_self.c). */
void xm_metrics_self(struct xm_metrics_out *out, const struct xm_metrics_config *config,
                     const struct xm_host_snapshot *snapshot);
/* Families of the host and of xenbaked (metrics_host.c); up: there is data that moves. */
void xm_metrics_host(struct xm_metrics_out *out, const struct xm_metrics_config *config,
                     const struct xm_host_snapshot *snapshot);

#endif
