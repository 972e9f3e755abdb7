/* SPDX-License-Identifier: MIT */
/*
 * The objects of the API, schema "xenmon/1": what a snapshot and its windows look like in JSON.
 * src/export/openapi.json describes them, doc/api.md explains them; XML-RPC hands out the same.
 *
 * Every function returns a new reference, NULL when out of memory.
 */
#ifndef XM_EXPORT_SHAPES_H
#define XM_EXPORT_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "export/fields.h"
#include "export/host.h"

#define XM_SHAPE_WINDOWS   3u
#define XM_SHAPE_DOMID_MAX 32767u

/* A window under the name that it was asked for by. */
struct xm_shape_window {
    char name[24];
    struct xm_window window;
    bool last;   /* the last execution: `window` is any */
    bool coarse; /* as in struct xm_usage_of */
    bool no_peaks; /* as there; of pCPUs the fill of their buffers */
    int waits; /* enum xm_host_window, whose percentiles are known; -1: none */
};

/* What an answer is made of.  Borrows the snapshot. */
struct xm_shape {
    struct xm_fields fields;
    const struct xm_host_snapshot *snapshot; /* with data, where it is not only for xm_shape_document() */
    const char *hostname;                    /* "" where not known */
    struct xm_shape_window window[XM_SHAPE_WINDOWS];
    size_t windows;
};

/* Takes the snapshot, no window yet. */
void xm_shape_init(struct xm_shape *shape, const struct xm_host_snapshot *snapshot, const char *hostname);

/* Adds a window that the snapshot has: "exec", "1s" or "10s"; false: it is none of these. */
bool xm_shape_add_window(struct xm_shape *shape, const char *name);

/* {"schema","time","state"}: what every answer begins with. */
json_t *xm_shape_document(const struct xm_shape *shape);

/* What it is, and how it stands with its trace. */
json_t *xm_shape_host(const struct xm_shape *shape);

/* How far the numbers of the last window added can be trusted; without a window those since the trace began.
 */
json_t *xm_shape_quality(const struct xm_shape *shape);

/* All pCPUs together, by window; a last execution has none. */
json_t *xm_shape_host_windows(const struct xm_shape *shape);

/* In the order of their numbers.  Cost: O(rows x windows), some 70 allocations each. */
json_t *xm_shape_cpus(const struct xm_shape *shape);
json_t *xm_shape_domains(const struct xm_shape *shape);
json_t *xm_shape_vcpus(const struct xm_shape *shape, uint32_t domain_slot);

/* One domain; `detail`: with its distributions since the trace began. */
json_t *xm_shape_domain(const struct xm_shape *shape, uint32_t slot, bool detail);

/* The slot of the domain with that id that lives, else of the last one that ended and is still shown; false:
 * none. */
bool xm_shape_find(const struct xm_shape *shape, uint32_t domid, uint32_t *slot);

/* Puts `value` into `object`; a NULL of either makes the result false.  The reference of `value` is taken. */
bool xm_json_put(json_t *object, const char *key, json_t *value);

#endif
