/* SPDX-License-Identifier: MIT */
/*
 * What XenMon asks of a hypervisor and its kernel, as a table of calls: the real one stands on libxencall,
 * libxenforeignmemory and libxenevtchn, whose interfaces are the same from Xen 4.7 on; tests bring their own.
 * What the calls mean is control.h's business; here is only how they are made.
 *
 * Threads: one.
 */
#ifndef XM_HYPER_H
#define XM_HYPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct xm_hyper_ops {
    /* Memory that hypercalls may read and write, zeroed, 8-byte aligned; NULL: none. */
    void *(*alloc)(void *self, size_t bytes);
    void (*release)(void *self, void *memory, size_t bytes);

    /* The hypercalls; structures lie in memory of alloc.  At least 0, or -errno. */
    int (*sysctl)(void *self, void *sysctl);
    int (*domctl)(void *self, void *domctl);
    int (*version)(void *self, unsigned command, void *buffer); /* NULL where the command needs none */

    /*
     * Maps frames of DOMID_XEN one after another; NULL and *error = errno where any of them cannot be had.
     * writable: with PROT_WRITE.
     */
    void *(*map)(void *self, bool writable, const uint64_t *frames, size_t count, int *error);
    void (*unmap)(void *self, void *memory, size_t pages);

    /* VIRQ_TBUF.  0 or -errno: -EEXIST, another consumer has it. */
    int (*bind)(void *self);
    int (*fd)(void *self);     /* readable once the event came; -1 where nothing is bound */
    void (*take)(void *self);  /* acknowledges it, never blocks */

    void (*close)(void *self);
};

struct xm_hyper {
    const struct xm_hyper_ops *ops;
    void *self;
};

/*
 * The hypervisor that this machine runs on.  XM_DENIED, and err says in one line what is missing and what to
 * do: no Xen here, not dom0, no permission, no /dev/xen/privcmd; XM_UNSUPPORTED: built without libxencall and
 * its companions; XM_IO, XM_NOMEM.  VIRQ_TBUF is not bound yet.
 */
enum xm_status xm_hyper_open(struct xm_hyper *hyper, struct xm_error *err) XM_MUST_CHECK;
void xm_hyper_close(struct xm_hyper *hyper); /* a zeroed one is fine */

#endif
