/* SPDX-License-Identifier: MIT */
/*
 * A private directory for regions that only one process and its children read: on tmpfs where there is one, named
 * xenmon.PID.XXXXXX, mode 0700, locked as long as its maker lives.
 */
#ifndef XM_CMD_SCRATCH_H
#define XM_CMD_SCRATCH_H

#include <stdbool.h>

struct xm_scratch {
    char path[64]; /* without a slash at its end; "": there is none */
    int lock;      /* a descriptor that no child inherits over exec */
};

/*
 * Makes one, and first removes those of this user whose makers are gone: one that was killed could not, and a copy of
 * a host is large.  False: errno says why; `scratch` is empty then.  Costs a pass over the roots' names.
 */
bool xm_scratch_make(struct xm_scratch *scratch);

/*
 * Removes the directory, from which the caller has removed the files, and empties `scratch`.  Nothing happens where there is
 * none.  Safe in a signal handler.
 */
void xm_scratch_remove(struct xm_scratch *scratch);

#endif
