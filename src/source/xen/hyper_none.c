/* SPDX-License-Identifier: MIT */
/* Where the build had no libxencall, libxenforeignmemory or libxenevtchn. */
#include "source/xen/hyper.h"

#include <string.h>

enum xm_status xm_hyper_open(struct xm_hyper *hyper, struct xm_error *err)
{
    memset(hyper, 0, sizeof *hyper);
    return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                   "built without libxencall, libxenforeignmemory and libxenevtchn: a running Xen cannot be "
                   "read");
}

void xm_hyper_close(struct xm_hyper *hyper)
{
    if (hyper->ops)
        hyper->ops->close(hyper->self);
    memset(hyper, 0, sizeof *hyper);
}
