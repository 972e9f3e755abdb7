/* SPDX-License-Identifier: MIT */
/*
 * Streaming zstd in bounded memory.
 *
 * The decoder is fed no further than the end of one block at a time.  The library forgets what it wrote in a call
 * that fails; fed like this, a call that fails has written nothing, so every block before the damage comes out and
 * the damage is known to the block.
 *
 * Threads: one unpacker, one thread.
 */
#ifndef XM_UNPACK_H
#define XM_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

/* A frame that wants a larger window than 2^27 (128 MiB, what zstd itself unpacks unasked) is refused. */
#define XM_UNPACK_WINDOW_LOG 27

struct xm_unpack;

/* XM_UNSUPPORTED: this build has no zstd; XM_NOMEM. */
enum xm_status xm_unpack_create(struct xm_unpack **unpack, struct xm_error *err) XM_MUST_CHECK;
void xm_unpack_destroy(struct xm_unpack *unpack); /* NULL is fine */

/* Forgets everything: the next byte is the first of a file.  Keeps its memory. */
void xm_unpack_reset(struct xm_unpack *unpack);

/*
 * Unpacks from packed[0 .. size-1] into out; *used and *made say how far it came, in bytes.
 * XM_OK: progress was made; XM_AGAIN: all is used up and out, bring more; XM_DAMAGED: err.offset is the packed byte
 * where the block (or header, or checksum) begins that makes no sense; XM_UNSUPPORTED: the window is too large; XM_NOMEM.
 * Cost: no allocation but at a frame's beginning, up to its window.
 */
enum xm_status xm_unpack_run(struct xm_unpack *unpack, const void *packed, size_t size, size_t *used, void *out,
                             size_t out_size, size_t *made, struct xm_error *err) XM_MUST_CHECK;

/* No more packed bytes: XM_END, or XM_DAMAGED where a frame is not complete. */
enum xm_status xm_unpack_finish(const struct xm_unpack *unpack, struct xm_error *err) XM_MUST_CHECK;

#endif
