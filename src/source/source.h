/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a trace come from: a file, a zstd-packed file, a pipe, standard input; source/xen/live.h opens the
 * running hypervisor.
 *
 * Bytes are borrowed chunk by chunk; what they mean is src/trace's business.  A file that shrinks or a
 * disk that fails while it is read ends in XM_IO, never in a signal.
 */
#ifndef XM_SOURCE_H
#define XM_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct xm_source;

/*
 * path: a file (zstd-packed is told by its first bytes), a FIFO or device, "-" for standard input.  Never blocks: a
 * FIFO without a writer is one where nothing comes yet.
 * XM_IO: cannot be opened, is a directory or a terminal; XM_DAMAGED: an empty file; XM_UNSUPPORTED: packed with
 * something else than zstd, or zstd was left out of this build; XM_NOMEM.  *source is NULL then, err->text names
 * the path.
 */
enum xm_status xm_source_open(const char *path, struct xm_source **source, struct xm_error *err) XM_MUST_CHECK;
void xm_source_close(struct xm_source *source);

/*
 * The next bytes, at most 64 KiB: *bytes is valid until the next call.  Waits at most `timeout_ms` (-1: as long as
 * it takes; 0: not at all) where the source is a pipe.
 * XM_OK: *size > 0; XM_AGAIN: timeout or a signal; XM_END; XM_IO, XM_DAMAGED (zstd; err.offset counts packed bytes),
 * XM_UNSUPPORTED (a pipe's packing is known only now), XM_NOMEM: err says what and where (not the name), what
 * came before it is good, and every later call ends the same.
 * Cost: one read(2), for pipes one poll(2) before it; allocates only where a zstd frame begins.
 */
enum xm_status xm_source_next(struct xm_source *source, int timeout_ms, const void **bytes, size_t *size,
                              struct xm_error *err) XM_MUST_CHECK;

/*
 * Asked after XM_AGAIN: true once where a pass over the CPUs has just been delivered whole, so that whatever it left
 * is older than the next one (src/trace's xm_stream_pass_end()).  Never for files and pipes, whose passes are not known.
 */
bool xm_source_pass_ended(struct xm_source *source);

/* Back to the first byte.  XM_UNSUPPORTED where the source cannot seek. */
enum xm_status xm_source_rewind(struct xm_source *source) XM_MUST_CHECK;

bool xm_source_is_file(const struct xm_source *source); /* regular: can be rewound, has an end */
bool xm_source_is_live(const struct xm_source *source); /* its clock is now, it ends when it is told to */
const char *xm_source_name(const struct xm_source *source); /* for messages: base name, or "standard input" */

#endif
