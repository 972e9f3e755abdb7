/* SPDX-License-Identifier: MIT */
#include "source/pack.h"

#include <stdlib.h>

/* Last block, raw, of 0 bytes. */
const unsigned char xm_pack_end[XM_PACK_END_BYTES] = {0x01, 0x00, 0x00};

#ifdef XM_HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

/* A frame's header, an empty last block, and a block header for what a flush cuts short. */
#define FRAME_BYTES 32u

struct xm_pack {
    ZSTD_CCtx *context;
    xm_pack_sink sink;
    void *user;
    size_t room;
    unsigned char out[];
};

enum xm_status xm_pack_create(int level, xm_pack_sink sink, void *user, struct xm_pack **pack, struct xm_error *err)
{
    size_t room = ZSTD_CStreamOutSize();
    struct xm_pack *p = malloc(sizeof *p + room);
    *pack = NULL;
    if (!p || !(p->context = ZSTD_createCCtx())) {
        free(p);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    p->sink = sink;
    p->user = user;
    p->room = room;
    if (ZSTD_isError(ZSTD_CCtx_setParameter(p->context, ZSTD_c_compressionLevel, level))) {
        xm_pack_destroy(p);
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "zstd has no level %d", level);
    }
    *pack = p;
    return XM_OK;
}

void xm_pack_destroy(struct xm_pack *pack)
{
    if (!pack)
        return;
    ZSTD_freeCCtx(pack->context);
    free(pack);
}

enum xm_status xm_pack_run(struct xm_pack *pack, const void *bytes, size_t size, enum xm_pack_step step,
                           struct xm_error *err)
{
    static const ZSTD_EndDirective directives[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    ZSTD_inBuffer in = {bytes, size, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {pack->out, pack->room, 0};
        left = ZSTD_compressStream2(pack->context, &out, &in, directives[step]);
        if (ZSTD_isError(left))
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "zstd: %s", ZSTD_getErrorName(left));
        enum xm_status status = out.pos ? pack->sink(pack->user, pack->out, out.pos, err) : XM_OK;
        if (status != XM_OK)
            return status;
    } while (in.pos < in.size || (step != XM_PACK_GO_ON && left > 0));
    return XM_OK;
}

uint64_t xm_pack_bound(uint64_t bytes)
{
    return ZSTD_compressBound((size_t)bytes) + FRAME_BYTES;
}

#else

enum xm_status xm_pack_create(int level, xm_pack_sink sink, void *user, struct xm_pack **pack, struct xm_error *err)
{
    *pack = NULL;
    return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "zstd was left out of this build: record to a name without .zst");
}

void xm_pack_destroy(struct xm_pack *pack)
{
}

enum xm_status xm_pack_run(struct xm_pack *pack, const void *bytes, size_t size, enum xm_pack_step step,
                           struct xm_error *err)
{
    return XM_UNSUPPORTED;
}

uint64_t xm_pack_bound(uint64_t bytes)
{
    return bytes;
}

#endif
