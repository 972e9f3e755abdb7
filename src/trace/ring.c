/* SPDX-License-Identifier: MIT */
#include "trace/ring.h"

#include <string.h>

#include "base/check.h"
#include "trace/format.h"

#define INDEX_BYTES 8u
#define MAX_PAGES 65535u

_Static_assert(sizeof(struct xm_ring_indices) == INDEX_BYTES, "two u32 indices begin a buffer");

static bool index_valid(uint32_t index, uint32_t bytes)
{
    return index % 4 == 0 && index < 2 * bytes;
}

/* Bytes between the indices; more than `bytes` where they cannot be right. */
static uint32_t waiting(uint32_t cons, uint32_t prod, uint32_t bytes)
{
    return prod >= cons ? prod - cons : prod + 2 * bytes - cons;
}

static uint32_t advance(uint32_t index, uint32_t by, uint32_t bytes)
{
    index += by;
    return index >= 2 * bytes ? index - 2 * bytes : index;
}

static uint32_t position(uint32_t index, uint32_t bytes)
{
    return index >= bytes ? index - bytes : index;
}

/* ---- Consumer. */

enum xm_status xm_ring_attach(struct xm_ring *ring, void *buffer, uint32_t pages)
{
    if (pages == 0 || pages > MAX_PAGES)
        return XM_INVALID;
    *ring = (struct xm_ring){.index = buffer,
                             .data = (const unsigned char *)buffer + INDEX_BYTES,
                             .bytes = pages * XM_RING_PAGE_BYTES - INDEX_BYTES};
    return XM_OK;
}

enum xm_status xm_ring_peek(struct xm_ring *ring, struct xm_ring_window *window)
{
    /* Partner: the producer's release store of prod in commit(); cons is our own. */
    uint32_t prod = atomic_load_explicit(&ring->index->prod, memory_order_acquire);
    uint32_t cons = atomic_load_explicit(&ring->index->cons, memory_order_relaxed);
    uint32_t size = waiting(cons, prod, ring->bytes);
    *window = (struct xm_ring_window){.size = 0};
    if (!index_valid(prod, ring->bytes) || !index_valid(cons, ring->bytes) || size > ring->bytes) {
        ring->bogus++;
        return XM_DAMAGED;
    }
    if (size == 0)
        return XM_AGAIN;
    uint32_t at = position(cons, ring->bytes);
    uint32_t first = size < ring->bytes - at ? size : ring->bytes - at;
    window->part[0].bytes = ring->data + at;
    window->part[0].size = first;
    window->part[1].bytes = ring->data;
    window->part[1].size = size - first;
    window->size = size;
    return XM_OK;
}

void xm_ring_consume(struct xm_ring *ring, uint32_t size)
{
    uint32_t cons = atomic_load_explicit(&ring->index->cons, memory_order_relaxed);
    XM_ASSERT(size % 4 == 0 && size <= ring->bytes);
    /* Partner: the producer's acquire load of cons in xm_ring_put(): it may write over these bytes now. */
    atomic_store_explicit(&ring->index->cons, advance(cons, size, ring->bytes), memory_order_release);
}

bool xm_ring_resync(struct xm_ring *ring)
{
    uint32_t prod = atomic_load_explicit(&ring->index->prod, memory_order_acquire);
    bool good = index_valid(prod, ring->bytes);
    atomic_store_explicit(&ring->index->cons, good ? prod : 0, memory_order_release);
    return good;
}

unsigned xm_ring_fill_permille(const struct xm_ring *ring)
{
    uint32_t prod = atomic_load_explicit(&ring->index->prod, memory_order_relaxed);
    uint32_t cons = atomic_load_explicit(&ring->index->cons, memory_order_relaxed);
    if (!index_valid(prod, ring->bytes) || !index_valid(cons, ring->bytes))
        return 0;
    uint64_t size = waiting(cons, prod, ring->bytes);
    return size > ring->bytes ? 0 : (unsigned)(size * 1000 / ring->bytes);
}

/* Pushes what the stream does not have yet of one piece that begins `at` bytes into the window. */
static enum xm_status push_piece(struct xm_ring *ring, struct xm_stream *stream, const unsigned char *bytes,
                                 uint32_t size, uint32_t at)
{
    while (ring->drained < at + size) {
        size_t used;
        uint32_t done = ring->drained - at;
        enum xm_status status = xm_stream_push(stream, bytes + done, size - done, &used);
        if (status != XM_OK)
            return status;
        if (used == 0)
            return XM_FULL;
        ring->drained += (uint32_t)used;
    }
    return XM_OK;
}

enum xm_status xm_ring_drain(struct xm_ring *ring, uint32_t cpu, struct xm_stream *stream, uint32_t *taken)
{
    struct xm_ring_window window;
    *taken = 0;
    enum xm_status status = xm_ring_peek(ring, &window);
    if (status != XM_OK)
        return status;
    /* One that was begun goes on as it was announced, whatever has been written since. */
    if (ring->draining == 0)
        ring->draining = window.size;
    uint32_t size = ring->draining;
    uint32_t first = window.part[0].size < size ? window.part[0].size : size;
    const uint32_t header[3] = {XM_WINDOW_HEADER, cpu, size};
    status = push_piece(ring, stream, (const unsigned char *)header, sizeof header, 0);
    if (status == XM_OK)
        status = push_piece(ring, stream, window.part[0].bytes, first, sizeof header);
    if (status == XM_OK)
        status = push_piece(ring, stream, window.part[1].bytes, size - first, (uint32_t)sizeof header + first);
    if (status == XM_FULL)
        return status;
    ring->draining = ring->drained = 0;
    if (status != XM_OK)
        return status;
    xm_ring_consume(ring, size);
    *taken = size;
    return XM_OK;
}

/* ---- Producer. */

enum xm_status xm_ring_produce(struct xm_ring_producer *ring, void *buffer, uint32_t pages)
{
    if (pages == 0 || pages > MAX_PAGES)
        return XM_INVALID;
    *ring = (struct xm_ring_producer){.index = buffer,
                                      .data = (unsigned char *)buffer + INDEX_BYTES,
                                      .bytes = pages * XM_RING_PAGE_BYTES - INDEX_BYTES};
    atomic_store_explicit(&ring->index->cons, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->index->prod, 0, memory_order_release);
    return XM_OK;
}

#define LOST_BYTES 28u

static uint32_t to_end(uint32_t at, uint32_t bytes)
{
    return bytes - position(at, bytes);
}

/* Space that a record of `size` takes at `*at`, the filler before it included; moves *at behind it. */
static uint32_t claim(uint32_t *at, uint32_t size, uint32_t bytes)
{
    uint32_t left = to_end(*at, bytes);
    uint32_t total = size > left ? left + size : size;
    *at = advance(*at, total, bytes);
    return total;
}

/* Writes the filler, where one is needed, and gives the place for a record of `size`. */
static unsigned char *place(struct xm_ring_producer *ring, uint32_t *at, uint32_t size)
{
    uint32_t left = to_end(*at, ring->bytes);
    if (size > left) {
        uint32_t words = left / 4 - 1;
        bool tsc = words > 7;
        uint32_t header = XM_HEADER(XM_TRC_WRAP, tsc ? words - 2 : words, tsc);
        memcpy(ring->data + position(*at, ring->bytes), &header, 4);
        *at = advance(*at, left, ring->bytes);
    }
    unsigned char *here = ring->data + position(*at, ring->bytes);
    *at = advance(*at, size, ring->bytes);
    return here;
}

enum xm_ring_put xm_ring_put(struct xm_ring_producer *ring, const struct xm_record *record, xm_cycles now,
                             uint32_t current)
{
    uint32_t size = 4u + (record->has_tsc ? 8u : 0u) + 4u * record->words;
    XM_ASSERT(record->words <= 7);
    /* Partner: the consumer's release store of cons in xm_ring_consume(). */
    uint32_t cons = atomic_load_explicit(&ring->index->cons, memory_order_acquire);
    uint32_t prod = atomic_load_explicit(&ring->index->prod, memory_order_relaxed);
    uint32_t used = waiting(cons, prod, ring->bytes);
    if (!index_valid(cons, ring->bytes) || used > ring->bytes)
        return XM_RING_BOGUS;
    uint32_t end = prod;
    uint32_t need = (ring->lost ? claim(&end, LOST_BYTES, ring->bytes) : 0) + claim(&end, size, ring->bytes);
    if (need > ring->bytes - used) {
        if (ring->lost++ == 0)
            ring->first_lost = now;
        ring->lost_total++;
        return XM_RING_LOST;
    }
    uint32_t at = prod;
    if (ring->lost) {
        const struct xm_record lost = {.event = XM_TRC_LOST, .has_tsc = true, .words = 4, .tsc = now,
                                       .word = {ring->lost, current, (uint32_t)ring->first_lost.v,
                                                (uint32_t)(ring->first_lost.v >> 32)}};
        (void)xm_record_write(&lost, place(ring, &at, LOST_BYTES), LOST_BYTES);
        ring->lost = 0;
    }
    (void)xm_record_write(record, place(ring, &at, size), size);
    XM_ASSERT(at == end);
    /* Partner: the consumer's acquire load of prod in xm_ring_peek(). */
    atomic_store_explicit(&ring->index->prod, end, memory_order_release);
    uint32_t half = ring->bytes / 2;
    return used < half && used + need >= half ? XM_RING_HIGH_WATER : XM_RING_PUT;
}

/* ---- t_info. */

#define TINFO_FIRST_BYTES 2u

static uint32_t list_offset(const struct xm_tinfo *info, uint32_t cpu)
{
    uint16_t words;
    if (cpu >= info->cpus)
        return 0;
    memcpy(&words, info->bytes + TINFO_FIRST_BYTES + 2u * cpu, sizeof words);
    return 4u * words;
}

enum xm_status xm_tinfo_read(struct xm_tinfo *info, const void *bytes, size_t size, struct xm_error *err)
{
    *info = (struct xm_tinfo){.bytes = bytes, .size = size};
    if (size < 4)
        return xm_fail(err, XM_DAMAGED, 0, "the table of trace buffers is %zu bytes long", size);
    uint16_t pages;
    memcpy(&pages, info->bytes, sizeof pages);
    info->pages = pages;
    if (pages == 0)
        return XM_AGAIN;
    /* How many slots there are is nowhere written: the table ends where the first list begins. */
    uint32_t end = (uint32_t)(size < 2 * 65536 + 2 ? size : 2 * 65536 + 2);
    for (uint32_t cpu = 0; TINFO_FIRST_BYTES + 2u * cpu + 2 <= end; cpu++) {
        info->cpus = cpu + 1;
        uint32_t offset = list_offset(info, cpu);
        if (offset == 0)
            continue;
        if (offset < TINFO_FIRST_BYTES + 2u * cpu + 2 || offset + 4u * (size_t)pages > size)
            return xm_fail(err, XM_DAMAGED, TINFO_FIRST_BYTES + 2u * cpu,
                           "the trace buffer of CPU %u is said to be listed at byte %u of %zu", cpu, offset, size);
        if (offset < end)
            end = offset;
    }
    for (uint32_t cpu = 0; cpu < info->cpus; cpu++)
        if (list_offset(info, cpu))
            return XM_OK;
    return XM_AGAIN;
}

bool xm_tinfo_frame(const struct xm_tinfo *info, uint32_t cpu, uint32_t page, uint32_t *frame)
{
    uint32_t offset = list_offset(info, cpu);
    if (offset == 0 || page >= info->pages)
        return false;
    *frame = xm_load32(info->bytes + offset + 4u * (size_t)page);
    return true;
}

size_t xm_tinfo_write(void *bytes, size_t size, uint32_t cpus, uint32_t pages, const bool *present,
                      const uint32_t *frames)
{
    size_t first = (TINFO_FIRST_BYTES + 2u * (size_t)cpus + 3) / 4 * 4;
    size_t need = first + (size_t)cpus * pages * 4;
    if (pages == 0 || pages > MAX_PAGES || need / 4 > UINT16_MAX || size < need)
        return need;
    unsigned char *out = bytes;
    memset(out, 0, need);
    uint16_t count = (uint16_t)pages;
    memcpy(out, &count, sizeof count);
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        if (!present[cpu])
            continue;
        size_t at = first + (size_t)cpu * pages * 4;
        uint16_t words = (uint16_t)(at / 4);
        memcpy(out + TINFO_FIRST_BYTES + 2u * cpu, &words, sizeof words);
        memcpy(out + at, frames + (size_t)cpu * pages, 4u * pages);
    }
    return need;
}
