/* SPDX-License-Identifier: MIT */
/*
 * Streaming zstd, the other way: one frame a file, whose bytes so far can be unpacked whenever it has been flushed.
 *
 * Threads: one packer, one thread.
 */
#ifndef XM_PACK_H
#define XM_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

/*
 * Ends a frame that was cut off behind a flush: an empty last block (RFC 8878, 3.1.1.2), for frames without a checksum,
 * as these are.
 */
#define XM_PACK_END_BYTES 3u
extern const unsigned char xm_pack_end[XM_PACK_END_BYTES];

struct xm_pack;

/* Takes packed bytes; anything but XM_OK is handed through. */
typedef enum xm_status (*xm_pack_sink)(void *user, const void *bytes, size_t size, struct xm_error *err);

/* level: as zstd has it.  XM_UNSUPPORTED: this build has no zstd; XM_INVALID: no such level; XM_NOMEM. */
enum xm_status xm_pack_create(int level, xm_pack_sink sink, void *user, struct xm_pack **pack,
                              struct xm_error *err) XM_MUST_CHECK;
void xm_pack_destroy(struct xm_pack *pack); /* what was not flushed is dropped; NULL is fine */

enum xm_pack_step {
    XM_PACK_GO_ON, /* the packer keeps what it likes */
    XM_PACK_FLUSH, /* all that was given so far can be unpacked from what went to the sink */
    XM_PACK_END    /* and the frame is complete; the next byte begins another */
};

/* Packs `size` bytes (0 is fine).  XM_OK; what the sink said; XM_NOMEM. */
enum xm_status xm_pack_run(struct xm_pack *pack, const void *bytes, size_t size, enum xm_pack_step step,
                           struct xm_error *err) XM_MUST_CHECK;

/* What so many bytes can become at most, a flush and the end of the frame included. */
uint64_t xm_pack_bound(uint64_t bytes);

#endif
