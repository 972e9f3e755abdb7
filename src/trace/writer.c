/* SPDX-License-Identifier: MIT */
#include "trace/writer.h"

#include <stdlib.h>
#include <string.h>

#include "trace/format.h"

struct buffer {
    unsigned char *bytes;
    size_t size, room;
};

struct xm_trace_writer {
    xm_trace_writer_sink sink;
    void *user;
    struct buffer *cpu;
    uint32_t cpus;
};

struct xm_trace_writer *xm_trace_writer_create(xm_trace_writer_sink sink, void *user)
{
    struct xm_trace_writer *w = calloc(1, sizeof *w);
    if (w) {
        w->sink = sink;
        w->user = user;
    }
    return w;
}

void xm_trace_writer_destroy(struct xm_trace_writer *w)
{
    if (!w)
        return;
    for (uint32_t i = 0; i < w->cpus; i++)
        free(w->cpu[i].bytes);
    free(w->cpu);
    free(w);
}

enum xm_status xm_trace_writer_window(struct xm_trace_writer *w, uint32_t cpu,
                                      const struct xm_trace_writer_piece *pieces, unsigned count)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += pieces[i].size;
    if (size % 4 || size > XM_WINDOW_MAX_BYTES)
        return XM_INVALID;
    const uint32_t header[3] = {XM_WINDOW_HEADER, cpu, (uint32_t)size};
    enum xm_status status = w->sink(w->user, header, sizeof header);
    for (unsigned i = 0; i < count && status == XM_OK; i++)
        if (pieces[i].size)
            status = w->sink(w->user, pieces[i].bytes, pieces[i].size);
    return status;
}

static enum xm_status reserve(struct xm_trace_writer *w, uint32_t cpu)
{
    if (cpu >= w->cpus) {
        struct buffer *grown = realloc(w->cpu, (cpu + 1) * sizeof *grown);
        if (!grown)
            return XM_NOMEM;
        memset(grown + w->cpus, 0, (cpu + 1 - w->cpus) * sizeof *grown);
        w->cpu = grown;
        w->cpus = cpu + 1;
    }
    struct buffer *b = &w->cpu[cpu];
    if (b->size + XM_RECORD_MAX_BYTES <= b->room)
        return XM_OK;
    if (b->size + XM_RECORD_MAX_BYTES > XM_WINDOW_MAX_BYTES)
        return XM_LIMIT;
    size_t room = b->room ? 2 * b->room : 4096;
    unsigned char *bytes = realloc(b->bytes, room);
    if (!bytes)
        return XM_NOMEM;
    b->bytes = bytes;
    b->room = room;
    return XM_OK;
}

enum xm_status xm_trace_writer_put(struct xm_trace_writer *w, uint32_t cpu, const struct xm_record *record)
{
    if (cpu > 65535 || record->words > 7)
        return XM_INVALID;
    enum xm_status status = reserve(w, cpu);
    if (status != XM_OK)
        return status;
    struct buffer *b = &w->cpu[cpu];
    b->size += xm_record_write(record, b->bytes + b->size, b->room - b->size);
    return XM_OK;
}

enum xm_status xm_trace_writer_pass(struct xm_trace_writer *w)
{
    for (uint32_t i = 0; i < w->cpus; i++) {
        struct buffer *b = &w->cpu[i];
        if (b->size == 0)
            continue;
        const struct xm_trace_writer_piece piece = {b->bytes, b->size};
        enum xm_status status = xm_trace_writer_window(w, i, &piece, 1);
        if (status != XM_OK)
            return status;
        b->size = 0;
    }
    return XM_OK;
}
