/* SPDX-License-Identifier: MIT */
/*
 * A file as xentrace writes it: passes over the CPUs in ascending order, one CPU_CHANGE record and the raw
 * records of that CPU behind it (doc/trace-format.md 1.6).  Where the bytes go is the caller's business.
 *
 * Two ways: whole windows as they lie in a trace buffer (recording), or record by record (making a trace).
 *
 * Threads: one writer, one thread.
 */
#ifndef XM_TRACE_WRITER_H
#define XM_TRACE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"
#include "xenmon/trace.h"

struct xm_trace_writer;

/* Takes `size` bytes; anything but XM_OK is handed through to the caller of the writer. */
typedef enum xm_status (*xm_trace_writer_sink)(void *user, const void *bytes, size_t size);

/* NULL when out of memory. */
struct xm_trace_writer *xm_trace_writer_create(xm_trace_writer_sink sink, void *user);
void xm_trace_writer_destroy(struct xm_trace_writer *w); /* what was not flushed is dropped; NULL is fine */

/*
 * One window, at once: its header and `count` pieces of memory (a ring's has two).  XM_INVALID: not whole words, or
 * longer than any window can be.
 */
struct xm_trace_writer_piece {
    const void *bytes;
    size_t size;
};
enum xm_status xm_trace_writer_window(struct xm_trace_writer *w, uint32_t cpu,
                                      const struct xm_trace_writer_piece *pieces, unsigned count) XM_MUST_CHECK;

/*
 * One record, kept for the next pass.  Records of one CPU must come in time order; allocates as the CPU's buffer
 * grows.  XM_NOMEM, XM_LIMIT: the pass is longer than a window can be, flush first; XM_INVALID: cpu over 65535.
 */
enum xm_status xm_trace_writer_put(struct xm_trace_writer *w, uint32_t cpu,
                                   const struct xm_record *record) XM_MUST_CHECK;

/* Writes what was put: a window of each CPU that has anything, in ascending order. */
enum xm_status xm_trace_writer_pass(struct xm_trace_writer *w) XM_MUST_CHECK;

#endif
