/* SPDX-License-Identifier: MIT */
/*
 * What the JSON API calls the values of a window: one table, over view's columns.  Times in seconds, shares
 * from 0 to 1, null where a value is not known.
 *
 * Pure: no I/O, no state.
 */
#ifndef XM_EXPORT_FIELDS_H
#define XM_EXPORT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "view/view.h"

/* Which samples know it. */
enum xm_field_series {
    XM_FIELD_PEAK,        /* the longest and the shortest: only where the samples in between were read too */
    XM_FIELD_FAST,        /* those of the fast series */
    XM_FIELD_SLOW_DOMAIN, /* those of the slow one too, for domains */
    XM_FIELD_SLOW         /* and for vCPUs */
};

struct xm_field {
    const char *id;     /* as a metric: "io_per_s" */
    const char *group;  /* the object within the window's that holds it; NULL: the window's own */
    const char *key;    /* within that: "per_s" */
    const char *column; /* of view's table; NULL: `get` has it */
    void (*get)(const struct xm_usage *u, struct xm_cell *cell);
    const char *help; /* NULL: the column's */
    enum xm_field_series series;
    bool of_domain; /* a vCPU has none */
};

#define XM_FIELDS 60u /* room for pointers to the columns of all fields */

/* The table with its columns looked up; make one for a request, not one for a row. */
struct xm_fields {
    size_t count;
    const struct xm_field *field;
    const struct xm_column *column[XM_FIELDS];
};
void xm_fields_init(struct xm_fields *fields);

/* The index of the metric; fields->count: there is none of that name. */
size_t xm_fields_find(const struct xm_fields *fields, const char *id);

/* "seconds", "ratio", "count", "per_second", "bytes", "bytes_per_second". */
const char *xm_field_unit(const struct xm_fields *fields, size_t index);
const char *xm_field_help(const struct xm_fields *fields, size_t index);

/* Whose usage it is, and of which series: what only the fast one has is not known in a coarse one. */
struct xm_usage_of {
    const struct xm_usage *usage;
    bool vcpu;
    bool coarse;
    bool no_peaks; /* the samples between the window's ends were not read */
};

/* The value of one field, in the field's unit; false, and *value 0: not known. */
bool xm_field_value(const struct xm_fields *fields, size_t index, const struct xm_usage_of *of,
                    double *value);

/*
 * The window's object: "span_s", "coarse", and every field; a vCPU's leaves out what only domains have.  A
 * new reference; NULL when out of memory.  Cost: about 70 small allocations.
 */
json_t *xm_fields_object(const struct xm_fields *fields, const struct xm_usage_of *of);

/* Seconds as the API writes them. */
json_t *xm_json_seconds(uint64_t ns);

/* A count, or null. */
json_t *xm_json_maybe(struct xm_maybe maybe);

/*
 * A name or another text from outside: made fit as xm_format_name() does, so that it can be shown as it is.
 * "" is null.
 */
json_t *xm_json_name(const char *text);

/* RFC 3339 in UTC with milliseconds; null for 0. */
json_t *xm_json_time(uint64_t real_ns);

#endif
