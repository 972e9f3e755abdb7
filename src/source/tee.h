/* SPDX-License-Identifier: MIT */
/*
 * The raw stream for others: whoever connects to a local socket gets what the source delivers, while it is being baked.
 * One consumer of the trace buffers, any number of listeners.
 *
 * The socket speaks lines first: a client sends "record\n" and is answered "ok HYPERVISOR\tHZ\tEVENTS\n" (text, decimal, 0x hex) or
 * "error TEXT\n".  After ok come frames: a u32 little-endian count of bytes, then so many bytes, which are one pass over
 * the buffers as xentrace would have written it.  Frames begin with the first whole pass.  Nothing is read after the
 * request; closing ends it.
 *
 * A listener that is too slow never holds up anything: it has a backlog of at most `backlog_bytes`; passes that do not
 * fit are left out, and before the next one that does come LOST_RECORDS records that say how many on which CPU.
 *
 * Threads: one.
 */
#ifndef XM_TEE_H
#define XM_TEE_H

#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct xm_tee;

#define XM_TEE_LISTENERS 8u
#define XM_TEE_BACKLOG (UINT64_C(64) << 20)

struct xm_tee_config {
    const char *path;       /* of the socket, mode 0660, of group xenmon where there is one; copied */
    const char *hypervisor; /* copied */
    uint64_t hz;
    uint32_t events;
    uint64_t backlog_bytes;
};

/* XM_OK; XM_IO: err says why there is no socket; XM_NOMEM.  A stale socket of that name is replaced. */
enum xm_status xm_tee_open(const struct xm_tee_config *config, struct xm_tee **tee, struct xm_error *err) XM_MUST_CHECK;
void xm_tee_close(struct xm_tee *tee); /* what is in the backlogs is sent as far as it goes at once; NULL is fine */

/* Bytes of the pass that is under way; one comparison where nobody listens. */
void xm_tee_bytes(struct xm_tee *tee, const void *bytes, size_t size);

/* The pass is over: it goes out, backlogs move, new listeners come in.  Never blocks. */
void xm_tee_pass(struct xm_tee *tee);

struct xm_tee_status {
    unsigned listeners;
    uint64_t passes_dropped; /* over all listeners, ever */
};
struct xm_tee_status xm_tee_status(const struct xm_tee *tee);

#endif
