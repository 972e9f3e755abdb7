/* SPDX-License-Identifier: MIT */
/*
 * A region that lies.  The first byte of the input says how it is made:
 *
 *   even   the rest is the region
 *   odd    the rest are patches on a good one, 13 bytes each: flags, offset, value.  Flag 1: applied
 *   after the region was
 *          opened; 2: 4 bytes of the value only; 4: the offset lies anywhere, and not in the header and
 *          tables
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/region/exercise.h"
#include "region/plan.h"
#include "region/reader_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATCH_BYTES 13

struct patch {
    uint8_t flags;
    uint32_t offset;
    uint64_t value;
};

static struct patch patch_at(const uint8_t *data)
{
    struct patch p = {.flags = data[0]};
    memcpy(&p.offset, data + 1, sizeof p.offset);
    memcpy(&p.value, data + 5, sizeof p.value);
    return p;
}

/* A full ring of samples with one row of each kind in use. */
static void fill_ring(unsigned char *base, const struct xm_region_plan *plan, enum xm_series series)
{
    const struct xm_plan_ring *ring = &plan->ring[series];
    struct xm_layout_header *h = (void *)base;
    for (uint64_t i = 0; i < ring->slots; i++) {
        struct xm_layout_slot head = {
            .seq = 2 * i + 2, .index = i, .used_domains = 1, .used_vcpus = 1, .used_pcpus = 1};
        memcpy(base + ring->offset + i * ring->stride, &head, sizeof head);
    }
    h->newest[series] = ring->slots - 1;
}

static unsigned char *good_region(struct xm_region_plan *plan)
{
    struct xm_region_settings settings = {
        .capacity = {2, 2, 2}, .interval_ns = 1000000000, .fast_s = 1, .slow_s = 1, .limit_bytes = 1};
    exercise_expect(xm_region_plan(&settings, plan, NULL) == XM_OK);
    unsigned char *base = calloc(1, plan->bytes);
    exercise_expect(base != NULL);
    xm_plan_describe(plan, base);
    for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++)
        fill_ring(base, plan, s);
    return base;
}

static void apply(unsigned char *base, const struct xm_region_plan *plan, const uint8_t *data, size_t size,
                  bool after)
{
    uint64_t tables = plan->metric_offset + plan->metric_count * sizeof(struct xm_layout_metric);
    for (; size >= PATCH_BYTES; size -= PATCH_BYTES, data += PATCH_BYTES) {
        struct patch p = patch_at(data);
        uint64_t at = p.offset % (p.flags & 4 ? plan->bytes : tables);
        size_t bytes = p.flags & 2 ? 4 : 8;
        if (((p.flags & 1) != 0) == after && at + bytes <= plan->bytes)
            memcpy(base + at, &p.value, bytes);
    }
}

static void run_patched(const uint8_t *data, size_t size)
{
    struct xm_region_plan plan;
    struct xm_region *region;
    unsigned char *base = good_region(&plan);
    apply(base, &plan, data, size, false);
    if (xm_region_open_memory(base, plan.bytes, &region, NULL) == XM_OK) {
        exercise(region);
        apply(base, &plan, data, size, true);
        exercise(region);
        xm_region_close(region);
    }
    free(base);
}

static void run_raw(const uint8_t *data, size_t size)
{
    struct xm_region *region;
    unsigned char *base = malloc(size ? size : 1); /* aligned, and exactly as long */
    exercise_expect(base != NULL);
    memcpy(base, data, size);
    if (xm_region_open_memory(base, size, &region, NULL) == XM_OK) {
        exercise(region);
        xm_region_close(region);
    }
    free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        run_patched(data + 1, size - 1);
    else
        run_raw(data + 1, size - 1);
    return 0;
}
