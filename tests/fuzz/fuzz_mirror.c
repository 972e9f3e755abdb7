/* SPDX-License-Identifier: MIT */
/*
 * Two answers of a server that lies: a region's description, and samples or histograms to be read by it.
 *
 *     flags, u16 bytes of the description, the description, the other answer
 *
 * Flag 1: lengths and identities are made to fit before they are read, so that what is behind the heads is
 * reached; 2: the slow series.
 */
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/mirror_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LENGTH_AT   16u /* in a head */
#define IDENTITY_AT 24u
#define IDENTITY    24u
#define HEAD_BYTES  88u
#define MOST_ROWS   256u /* of a kind: larger ones are read as far as the description */

struct answer {
    unsigned char *data; /* exactly as long: a sanitizer sees one byte too far */
    size_t bytes;
};

static void demand(bool good)
{
    if (!good)
        abort();
}

static struct answer copy_of(const uint8_t *data, size_t bytes)
{
    struct answer a = {.data = malloc(bytes ? bytes : 1), .bytes = bytes};
    demand(a.data != NULL);
    memcpy(a.data, data, bytes);
    return a;
}

static void mend(struct answer *first, struct answer *second)
{
    uint64_t length;
    struct answer *const both[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->bytes < HEAD_BYTES)
            continue;
        length = htole64(both[i]->bytes);
        memcpy(both[i]->data + LENGTH_AT, &length, sizeof length);
    }
    if (first->bytes >= HEAD_BYTES && second->bytes >= HEAD_BYTES)
        memcpy(second->data + IDENTITY_AT, first->data + IDENTITY_AT, IDENTITY);
}

/* Whatever ends badly says why, in a line, and where. */
static enum xm_status judged(enum xm_status status, const struct xm_error *err, size_t bytes)
{
    if (status < 0)
        demand(err->text[0] && !strchr(err->text, '\n') && err->offset <= bytes);
    return status;
}

static void look_at_domains(const struct xm_mirror_region *region)
{
    for (uint32_t i = 0; i < region->domains; i++) {
        struct xm_region_domain domain;
        uint32_t slot;
        xm_mirror_domain(region, i, &slot, &domain);
        demand(slot < region->info.capacity.domains);
        demand(memchr(domain.name, 0, sizeof domain.name) && memchr(domain.uuid, 0, sizeof domain.uuid));
    }
}

static void walk_samples(const struct xm_mirror_region *region, const struct answer *a, enum xm_series series)
{
    struct xm_error err;
    struct xm_mirror_walk walk;
    struct xm_sample sample = {0};
    uint64_t index = 0;
    uint64_t before = UINT64_MAX;
    xm_error_clear(&err);
    demand(xm_sample_init(&sample, region->info.capacity) == XM_OK);
    enum xm_status status = xm_mirror_samples(a->data, a->bytes, region, series, &walk, &err);
    while (judged(status, &err, a->bytes) == XM_OK) {
        status = xm_mirror_next_sample(&walk, &sample, &index, &err);
        if (status != XM_OK)
            continue;
        demand(sample.used.domains <= sample.capacity.domains && sample.used.vcpus <= sample.capacity.vcpus &&
               sample.used.pcpus <= sample.capacity.pcpus);
        for (uint32_t v = 0; v < sample.used.vcpus; v++)
            demand(sample.vcpu_domain[v] < sample.capacity.domains);
        demand(before == UINT64_MAX || index == before + 1);
        before = index;
    }
    xm_sample_fini(&sample);
}

static void walk_histograms(const struct xm_mirror_region *region, const struct answer *a)
{
    struct xm_error err;
    struct xm_mirror_walk walk;
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
    uint32_t slot = 0;
    uint64_t id;
    xm_error_clear(&err);
    enum xm_status status = xm_mirror_histograms(a->data, a->bytes, region, &walk, &err);
    while (judged(status, &err, a->bytes) == XM_OK) {
        status = xm_mirror_next_histogram(&walk, &slot, &id, counts, &err);
        demand(status != XM_OK || slot < region->info.capacity.vcpus);
    }
}

static void read_both(const struct answer *first, const struct answer *second, enum xm_series series)
{
    static struct xm_mirror_region region; /* 60 kB */
    struct xm_error err;
    xm_error_clear(&err);
    if (judged(xm_mirror_read_region(first->data, first->bytes, &region, &err), &err, first->bytes) != XM_OK)
        return;
    const struct xm_capacity *c = &region.info.capacity;
    look_at_domains(&region);
    if (c->domains > MOST_ROWS || c->vcpus > MOST_ROWS || c->pcpus > MOST_ROWS)
        return;
    walk_samples(&region, second, series);
    walk_histograms(&region, second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    size_t split = (size_t)data[1] | (size_t)data[2] << 8;
    if (split > size - 3)
        split = size - 3;
    struct answer first = copy_of(data + 3, split);
    struct answer second = copy_of(data + 3 + split, size - 3 - split);
    if (data[0] & 1)
        mend(&first, &second);
    read_both(&first, &second, data[0] & 2 ? XM_SERIES_SLOW : XM_SERIES_FAST);
    free(first.data);
    free(second.data);
    return 0;
}
