/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include <zstd.h>

const char *const xt_captures[] = {"credit2-idle",      "credit2-web-c1",  "credit2-web-c16",  "credit2-web-rate",
                                   "credit2-web-c16-all", "credit2-contend", "credit2-lifecycle", "credit-mix",
                                   "credit-lost",       NULL};
const char *const xt_lost_capture = "credit-lost";

static struct xt_bytes read_file(const char *path)
{
    struct xt_bytes b = {0};
    unsigned char piece[65536];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        xt_die("%s cannot be read", path);
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        xt_put(&b, piece, got);
    fclose(file);
    return b;
}

struct xt_bytes xt_capture(const char *name)
{
    char path[4096];
    const char *directory = getenv("XM_TRACES");
    snprintf(path, sizeof path, "%s/xen417-%s.trace.zst", directory ? directory : "tests/data/traces", name);
    struct xt_bytes packed = read_file(path);
    struct xt_bytes plain = {0};
    static unsigned char piece[131072];
    ZSTD_DStream *d = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    while (in.pos < in.size) {
        ZSTD_outBuffer out = {piece, sizeof piece, 0};
        if (ZSTD_isError(ZSTD_decompressStream(d, &out, &in)))
            xt_die("%s cannot be unpacked", path);
        xt_put(&plain, piece, out.pos);
    }
    for (;;) {
        ZSTD_outBuffer out = {piece, sizeof piece, 0};
        size_t more = ZSTD_decompressStream(d, &out, &in);
        xt_put(&plain, piece, out.pos);
        if (out.pos == 0 || ZSTD_isError(more))
            break;
    }
    ZSTD_freeDStream(d);
    xt_free(&packed);
    if (plain.size == 0)
        xt_die("%s is empty", path);
    return plain;
}
