/* SPDX-License-Identifier: MIT */
/*
 * How a reader gets at a region's bytes.
 *
 * A file is read with pread(2) and not mapped.  Loads from a mapping would save the calls, but whoever may
 * write the file may truncate it, and a load from a mapping that has lost its pages is SIGBUS: no check before
 * the load closes that window, and a library has no business with its caller's signal handlers.  pread sees the
 * same pages, returns a short count where they end, and takes no lock that a writer through a mapping could
 * feel.  It costs about half a microsecond a call, a dozen calls a sample, some dozen samples a second.
 *
 * Memory is read word by word: what tests and fuzzing use, and where ThreadSanitizer can see both sides.
 */
#ifndef XM_BYTES_H
#define XM_BYTES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xm_bytes {
    int fd;                         /* -1: memory */
    const _Atomic uint64_t *memory; /* borrowed */
    uint64_t size;                  /* as it was when opened */
};

/*
 * Copies `bytes` bytes from `offset`, a multiple of 8.  False when they are not there (any more); `to`
 * is then unspecified.  No order with other reads is implied: see words.h.
 */
bool xm_bytes_read(const struct xm_bytes *b, uint64_t offset, void *to, size_t bytes);

#endif
