/* SPDX-License-Identifier: MIT */
/* What every source begins with, and the calls that differ from one to the other. */
#ifndef XM_SOURCE_INT_H
#define XM_SOURCE_INT_H

#include "source/source.h"

struct xm_source_ops {
    /* As xm_source_next(); *bytes and *size are NULL and 0 before. */
    enum xm_status (*next)(struct xm_source *source, int timeout_ms, const void **bytes, size_t *size,
                           struct xm_error *err);
    enum xm_status (*rewind)(struct xm_source *source); /* NULL: cannot */
    bool (*pass_ended)(struct xm_source *source);       /* NULL: passes are not known */
    void (*close)(struct xm_source *source);
};

/* The first member of every source's own structure. */
struct xm_source {
    const struct xm_source_ops *ops;
    bool regular;
    bool live;
    char name[128];
};

#endif
