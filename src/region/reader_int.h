/* SPDX-License-Identifier: MIT */
/* What the parts of the reader share, and what tests need of it. */
#ifndef XM_READER_INT_H
#define XM_READER_INT_H

#include <stdint.h>
#include <sys/types.h>

#include "region/attach.h"
#include "xenmon/region.h"

struct xm_region {
    char *path; /* owned; NULL: memory */
    dev_t device;
    ino_t inode;
    struct xm_attach a;
    unsigned char *scratch; /* owned: a.largest bytes, one element as the region has it */
};

/* The header's single words. */
struct xm_live {
    uint64_t state;
    uint64_t heartbeat_ns;
    uint64_t newest[XM_SERIES_COUNT];
};

/* Reads them; false when the region is not there any more. */
bool xm_region_live(const struct xm_region *region, struct xm_live *live);

/*
 * A reader of a region in memory: 8-byte aligned, borrowed until close, may be written meanwhile by a
 * struct xm_writer of this process.  Contract as xm_region_open(); xm_region_check() looks at the writer
 * only.
 */
enum xm_status xm_region_open_memory(const void *memory, uint64_t size, struct xm_region **region,
                                     struct xm_error *err) XM_MUST_CHECK;

#endif
