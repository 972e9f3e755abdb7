/* SPDX-License-Identifier: MIT */
/*
 * What a client makes of the bytes of export/mirror_format.h.  Nothing in them is believed: every length,
 * count, slot and index is looked at before use, whoever sent it.
 *
 * Pure: no I/O, no allocation.  Threads: any, each with structures of its own.
 */
#ifndef XM_MIRROR_READ_H
#define XM_MIRROR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/mirror_format.h"
#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"

#define XM_MIRROR_FIELDS 256u /* metrics known here */

/* Where a value of a row on the wire goes. */
struct xm_mirror_field {
    uint32_t from, to; /* offsets in the wire's row and in struct xm_*_row */
    uint16_t values;
    uint16_t bytes; /* of one value */
};

/* How the rows of one scope in one series are to be understood. */
struct xm_mirror_rows {
    uint32_t bytes; /* of a row on the wire */
    uint32_t fields;
    struct xm_mirror_field field[XM_MIRROR_FIELDS];
};

struct xm_mirror_head {
    uint64_t schema, creation_id, lineage_id;
    enum xm_writer_state state;
    bool gone;          /* the writer is dead */
    uint64_t silent_ns; /* since its last sign of life */
    uint64_t newest[XM_SERIES_COUNT];
    uint32_t writer_pid;
};

/* What a region's answer says.  facts: borrowed from the answer. */
struct xm_mirror_region {
    struct xm_mirror_head head;
    struct xm_region_info info; /* as a reader there has it; heartbeat_ns and bytes are 0 */
    struct xm_mirror_rows rows[XM_SERIES_COUNT][XM_SCOPES];
    uint32_t domains;
    const unsigned char *facts;
};

/*
 * Reads the answer of /api/v1/region.  XM_OK; XM_DAMAGED: no such answer, the position and the cause in
 * `err`; XM_UNSUPPORTED: of a later version.
 */
enum xm_status xm_mirror_read_region(const void *data, size_t bytes, struct xm_mirror_region *region,
                                     struct xm_error *err) XM_MUST_CHECK;

/* The facts of number i, below region->domains; slots are below the capacity, texts are as they came. */
void xm_mirror_domain(const struct xm_mirror_region *region, uint32_t i, uint32_t *slot,
                      struct xm_region_domain *domain);

/* A walk over the samples, or the histograms, of one answer.  Borrows both. */
struct xm_mirror_walk {
    const struct xm_mirror_region *region;
    struct xm_mirror_head head;
    const unsigned char *data;
    size_t at, bytes;
    uint32_t left;
    enum xm_series series;
    uint64_t index; /* of the sample before; ~0 at first */
    uint32_t next;  /* histograms: the slot to ask for next */
};

/*
 * Begins a walk over an answer of /api/v1/region/samples.  XM_OK; XM_AGAIN: it is of another description, or
 * of another region, than `region`: ask for that again; XM_DAMAGED, XM_UNSUPPORTED as above.
 */
enum xm_status xm_mirror_samples(const void *data, size_t bytes, const struct xm_mirror_region *region,
                                 enum xm_series series, struct xm_mirror_walk *walk,
                                 struct xm_error *err) XM_MUST_CHECK;

/*
 * The next sample, into one of the region's capacity.  XM_OK; XM_END: there is no more; XM_DAMAGED.  Each
 * sample's index is one more than that of the one before.
 */
enum xm_status xm_mirror_next_sample(struct xm_mirror_walk *walk, struct xm_sample *sample, uint64_t *index,
                                     struct xm_error *err) XM_MUST_CHECK;

/* The same for /api/v1/region/histograms. */
enum xm_status xm_mirror_histograms(const void *data, size_t bytes, const struct xm_mirror_region *region,
                                    struct xm_mirror_walk *walk, struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_mirror_next_histogram(struct xm_mirror_walk *walk, uint32_t *slot, uint64_t *id,
                                        uint64_t counts[XM_HISTS][XM_HIST_BUCKETS],
                                        struct xm_error *err) XM_MUST_CHECK;

#endif
