/* SPDX-License-Identifier: MIT */
/*
 * A trace buffer and a table of buffers whose every byte is hostile.  The first byte chooses: even, the rest is a
 * t_info; odd, it is a buffer, whose indices and records are what the bytes say.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void table(const uint8_t *data, size_t size)
{
    struct xm_tinfo info;
    unsigned char *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    if (xm_tinfo_read(&info, exact, size, NULL) == XM_OK)
        for (uint32_t cpu = 0; cpu < info.cpus + 2; cpu++) {
            uint32_t frame;
            (void)xm_tinfo_frame(&info, cpu, 0, &frame);
            (void)xm_tinfo_frame(&info, cpu, info.pages - 1, &frame);
            (void)xm_tinfo_frame(&info, cpu, info.pages, &frame);
        }
    free(exact);
}

static void buffer(const uint8_t *data, size_t size)
{
    uint32_t pages = (uint32_t)(size / XM_RING_PAGE_BYTES + 1);
    unsigned char *bytes = calloc(pages, XM_RING_PAGE_BYTES);
    struct xm_ring ring;
    const struct xm_event *events;
    size_t count;
    memcpy(bytes, data, size);
    struct xm_stream *stream = xm_stream_create(NULL);
    if (xm_ring_attach(&ring, bytes, pages) != XM_OK)
        abort();
    for (unsigned i = 0; i < 4; i++) {
        uint32_t taken;
        enum xm_status status = xm_ring_drain(&ring, i % 2, stream, &taken);
        while (xm_stream_run(stream, &events, &count) == XM_OK)
            ;
        if (status == XM_DAMAGED && !xm_ring_resync(&ring))
            break;
        if (xm_ring_fill_permille(&ring) > 1000)
            abort();
    }
    (void)!xm_stream_finish(stream);
    while (xm_stream_run(stream, &events, &count) == XM_OK)
        ;
    xm_stream_destroy(stream);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536)
        return 0;
    if (data[0] % 2 == 0)
        table(data + 1, size - 1);
    else
        buffer(data + 1, size - 1);
    return 0;
}
