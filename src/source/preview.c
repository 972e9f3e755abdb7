/* SPDX-License-Identifier: MIT */
#include "source/preview.h"

static enum xm_status never_due(void *user, struct xm_bake *bake, xm_cycles now)
{
    return XM_OK;
}

static enum xm_status run_through(struct xm_source *source, struct xm_bake *bake, bool (*stop)(void *), void *user,
                                  struct xm_error *err)
{
    for (;;) {
        const unsigned char *bytes;
        const void *chunk;
        size_t size, used;
        enum xm_status status = xm_source_next(source, -1, &chunk, &size, err);
        if (status == XM_AGAIN)
            continue;
        if (status != XM_OK)
            return status;
        for (bytes = chunk; size > 0; bytes += used, size -= used) {
            status = xm_bake_run(bake, bytes, size, &used);
            if (status != XM_OK)
                return status;
        }
        if (stop && stop(user))
            return XM_AGAIN;
    }
}

enum xm_status xm_preview(struct xm_source *source, const struct xm_stream_config *stream, bool (*stop)(void *),
                          void *user, struct xm_preview *preview, struct xm_error *err)
{
    const struct xm_bake_config config = {.stream = *stream, .due = never_due};
    struct xm_bake *bake = xm_bake_create(&config);
    const char *from;
    *preview = (struct xm_preview){0};
    if (!bake)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    struct xm_error trouble;
    xm_error_clear(&trouble);
    enum xm_status status = run_through(source, bake, stop, user, &trouble);
    if (status == XM_END || status == XM_DAMAGED || status == XM_UNSUPPORTED)
        status = xm_bake_finish(bake) == XM_NOMEM ? XM_NOMEM : XM_OK;
    preview->hz = xm_bake_hz(bake, &from);
    preview->records = xm_bake_stats(bake).records;
    preview->damage = *xm_stream_error(xm_bake_stream(bake));
    if (status == XM_OK && xm_bake_hindsight(bake))
        preview->hindsight = bake;
    else
        xm_bake_destroy(bake);
    if (status < 0)
        return xm_fail(err, status, XM_NO_OFFSET, "%s", status == XM_IO ? trouble.text : "out of memory");
    if (status == XM_OK && xm_source_rewind(source) != XM_OK) {
        xm_bake_destroy(preview->hindsight);
        preview->hindsight = NULL;
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "it cannot be read again");
    }
    return status;
}
