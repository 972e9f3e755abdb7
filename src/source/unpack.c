/* SPDX-License-Identifier: MIT */
#include "source/unpack.h"

#include <stdbool.h>
#include <stdlib.h>

#ifdef XM_HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

/* What the library adds to its wish for a block so as to see the next one's header early (RFC 8878, 3.1.1.2). */
#define BLOCK_HEADER_BYTES 3

struct xm_unpack {
    ZSTD_DCtx *context;
    uint64_t offset; /* packed bytes taken so far */
    uint64_t part;   /* where the header, block or checksum begins that is being taken */
    size_t wish;     /* packed bytes that the library would like, the next block's header included */
    bool in_frame;   /* a frame has begun and not ended */
    bool pending;    /* the last call filled `out`: there may be more without more input */
};

enum xm_status xm_unpack_create(struct xm_unpack **unpack, struct xm_error *err)
{
    struct xm_unpack *u = calloc(1, sizeof *u);
    *unpack = NULL;
    if (!u || !(u->context = ZSTD_createDCtx())) {
        free(u);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    ZSTD_DCtx_setParameter(u->context, ZSTD_d_windowLogMax, XM_UNPACK_WINDOW_LOG);
    xm_unpack_reset(u);
    *unpack = u;
    return XM_OK;
}

void xm_unpack_destroy(struct xm_unpack *unpack)
{
    if (!unpack)
        return;
    ZSTD_freeDCtx(unpack->context);
    free(unpack);
}

void xm_unpack_reset(struct xm_unpack *unpack)
{
    ZSTD_DCtx_reset(unpack->context, ZSTD_reset_session_only);
    unpack->offset = unpack->part = 0;
    unpack->wish = BLOCK_HEADER_BYTES;
    unpack->in_frame = false;
    unpack->pending = false;
}

static enum xm_status explain(const struct xm_unpack *u, size_t code, struct xm_error *err)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation:
        return xm_fail(err, XM_NOMEM, u->part, "out of memory while unpacking");
    case ZSTD_error_frameParameter_windowTooLarge:
        return xm_fail(err, XM_UNSUPPORTED, u->part,
                       "packed with a window of more than %u MiB: unpack it first (zstd -d --long=31)",
                       1u << (XM_UNPACK_WINDOW_LOG - 20));
    default:
        return xm_fail(err, XM_DAMAGED, u->part, "packed byte %llu: the zstd data is damaged: %s",
                       (unsigned long long)u->part, ZSTD_getErrorName(code));
    }
}

enum xm_status xm_unpack_run(struct xm_unpack *u, const void *packed, size_t size, size_t *used, void *out,
                             size_t out_size, size_t *made, struct xm_error *err)
{
    size_t part = u->wish > BLOCK_HEADER_BYTES ? u->wish - BLOCK_HEADER_BYTES : u->wish;
    size_t share = part < size ? part : size;
    if (u->pending)
        share = 0; /* what is ready goes out first, so that an error cannot take it along */
    *used = *made = 0;
    if (share == 0 && !u->pending)
        return XM_AGAIN;

    ZSTD_inBuffer in = {packed, share, 0};
    ZSTD_outBuffer to = {out, out_size, 0};
    size_t code = ZSTD_decompressStream(u->context, &to, &in);
    if (ZSTD_isError(code))
        return explain(u, code, err);
    u->offset += in.pos;
    if (in.pos == part)
        u->part = u->offset;
    u->in_frame = code != 0;
    u->wish = code ? code : BLOCK_HEADER_BYTES;
    u->pending = code != 0 && to.pos == to.size;
    *used = in.pos;
    *made = to.pos;
    return XM_OK;
}

enum xm_status xm_unpack_finish(const struct xm_unpack *u, struct xm_error *err)
{
    if (!u->in_frame)
        return XM_END;
    return xm_fail(err, XM_DAMAGED, u->offset, "packed byte %llu: the zstd data ends in the middle of a frame",
                   (unsigned long long)u->offset);
}

#else

enum xm_status xm_unpack_create(struct xm_unpack **unpack, struct xm_error *err)
{
    *unpack = NULL;
    return xm_fail(err, XM_UNSUPPORTED, 0, "packed with zstd, which was left out of this build: unpack it first (zstd -d)");
}

void xm_unpack_destroy(struct xm_unpack *unpack)
{
}

void xm_unpack_reset(struct xm_unpack *unpack)
{
}

enum xm_status xm_unpack_run(struct xm_unpack *u, const void *packed, size_t size, size_t *used, void *out,
                             size_t out_size, size_t *made, struct xm_error *err)
{
    *used = *made = 0;
    return XM_UNSUPPORTED;
}

enum xm_status xm_unpack_finish(const struct xm_unpack *u, struct xm_error *err)
{
    return XM_END;
}

#endif
