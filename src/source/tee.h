/* SPDX-License-Identifier: MIT */
/*
 * The raw stream for others: whoever connects to a local socket gets what the source delivers, while it is being baked.
 * One consumer of the trace buffers, any number of listeners (source/listener.h is the other end).
 *
 * The socket speaks lines first: a client sends "record\n", and nothing after it, and is answered
 * "ok HYPERVISOR\tHZ\tEVENTS\n" (text, decimal, 0x hex) or "error TEXT\n" and the end.  After ok come frames: a u32
 * little-endian count of bytes, then so many bytes, which are one pass over the buffers as xentrace would have written
 * it.  Frames begin with the first pass that begins after the answer.  Nothing is read after the request; closing ends it.
 *
 * A listener that is too slow never holds up anything: it has a backlog of at most `backlog_bytes`.  Passes that do not
 * fit are left out, and before the next one that does, or the end, comes a frame whose count has XM_TEE_MARKS set: a window
 * with one LOST_RECORDS for each CPU that lost some (source/pass.h has what it says).
 *
 * A client that asks for nothing, or for something else, is dropped; while it waits it takes a place of the
 * XM_TEE_LISTENERS, but gives it up to whoever comes next.
 *
 * Threads: one.
 */
#ifndef XM_TEE_H
#define XM_TEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct xm_tee;

#define XM_TEE_LISTENERS 8u
#define XM_TEE_BACKLOG (UINT64_C(64) << 20)
#define XM_TEE_FRAME_BYTES 64u            /* of the backlog, for what a frame takes besides its bytes */
#define XM_TEE_REQUEST "record\n"
#define XM_TEE_COUNT_BYTES 4u
#define XM_TEE_MARKS UINT32_C(0x80000000) /* in a frame's count */
#define XM_TEE_PATIENCE_PASSES 100u       /* so many passes a client may take to say what it wants */

struct xm_tee_config {
    const char *path;       /* of the socket, mode 0660, of group xenmon where there is one; copied */
    const char *hypervisor; /* copied, at most 63 bytes, without control characters */
    uint64_t hz;
    uint32_t events;
    uint64_t backlog_bytes; /* for each listener, which is the memory it can cost; 0: XM_TEE_BACKLOG */
};

/*
 * Where the socket of the xenbaked that writes this region is: beside it.  False where that does not fit, into `size` bytes
 * or into a socket's address, which is a good deal shorter than a path may be.
 */
bool xm_tee_path(const char *region, char *path, size_t size);

/*
 * XM_OK; XM_IO: err says why there is no socket (a name too long for one, something else of that name); XM_DENIED: the
 * same, for want of a permission; XM_NOMEM.  A stale socket of that name is replaced; that nobody is behind it any more is for the caller to know.
 */
enum xm_status xm_tee_open(const struct xm_tee_config *config, struct xm_tee **tee, struct xm_error *err) XM_MUST_CHECK;

/* What is in the backlogs, and what was left out, is sent as far as it goes at once.  NULL is fine. */
void xm_tee_close(struct xm_tee *tee);

/*
 * Bytes of the pass that is under way, in any split.  Cost: one comparison where nobody listens; else they are copied
 * once for all listeners, and backlogs move, each by a few MiB at most.  Never blocks, and out of memory is a pass left out.
 */
void xm_tee_bytes(struct xm_tee *tee, const void *bytes, size_t size);

/* The pass is over: it goes out, backlogs move, new listeners come in.  Never blocks.  A system call where nobody listens. */
void xm_tee_pass(struct xm_tee *tee);

struct xm_tee_status {
    unsigned listeners;
    uint64_t passes_dropped; /* over all listeners, ever */
};
struct xm_tee_status xm_tee_status(const struct xm_tee *tee);

#endif
