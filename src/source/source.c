/* SPDX-License-Identifier: MIT */
#include "source/source.h"

#include "source/source_int.h"

void xm_source_close(struct xm_source *source)
{
    if (source)
        source->ops->close(source);
}

enum xm_status xm_source_next(struct xm_source *source, int timeout_ms, const void **bytes, size_t *size,
                              struct xm_error *err)
{
    *bytes = NULL;
    *size = 0;
    return source->ops->next(source, timeout_ms, bytes, size, err);
}

bool xm_source_pass_ended(struct xm_source *source)
{
    return source->ops->pass_ended && source->ops->pass_ended(source);
}

enum xm_status xm_source_rewind(struct xm_source *source)
{
    return source->ops->rewind ? source->ops->rewind(source) : XM_UNSUPPORTED;
}

bool xm_source_is_file(const struct xm_source *source)
{
    return source->regular;
}

bool xm_source_is_live(const struct xm_source *source)
{
    return source->live;
}

const char *xm_source_name(const struct xm_source *source)
{
    return source->name;
}
