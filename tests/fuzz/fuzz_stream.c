/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a trace, in any split.  The first four bytes choose order, split and limits.  Events must come in
 * order, and cut differently the same bytes must give the same events.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xenmon/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct digest {
    uint64_t hash, events, last;
    uint64_t clamped; /* came too late for its place */
};

static void demand(int condition)
{
    if (!condition)
        abort();
}

static void drain(struct xm_stream *s, struct digest *d)
{
    const struct xm_event *e;
    size_t count;
    while (xm_stream_run(s, &e, &count) == XM_OK) {
        demand(count > 0);
        for (size_t i = 0; i < count; i++) {
            demand(e[i].kind > XM_EV_NONE && e[i].kind < XM_EV_KINDS && e[i].tsc.v >= d->last);
            d->last = e[i].tsc.v;
            d->hash = (d->hash ^ e[i].tsc.v ^ (uint64_t)e[i].kind << 56 ^ (uint64_t)e[i].cpu << 32) * 1099511628211u;
            for (unsigned k = 0; k < 4 && k < e[i].words; k++)
                d->hash = (d->hash ^ e[i].word[k]) * 1099511628211u;
        }
        d->events += count;
    }
}

static struct digest run(const uint8_t *data, size_t size, const struct xm_stream_config *config, size_t piece)
{
    struct digest d = {.hash = 14695981039346656037u};
    struct xm_stream *s = xm_stream_create(config);
    demand(s != NULL);
    for (size_t at = 0; at < size;) {
        size_t n = size - at < piece ? size - at : piece;
        unsigned char *exact = malloc(n);
        size_t used;
        memcpy(exact, data + at, n);
        enum xm_status status = xm_stream_push(s, exact, n, &used);
        free(exact);
        demand(used <= n);
        drain(s, &d);
        if (status != XM_OK)
            break;
        at += used;
    }
    (void)!xm_stream_finish(s);
    drain(s, &d);
    const struct xm_stream_stats *stats = xm_stream_stats(s);
    demand(stats->bytes <= size && stats->first_tsc.v <= stats->last_tsc.v);
    demand(stats->damaged_bytes <= size);
    demand((stats->damages != 0) == (xm_stream_error(s)->status != XM_OK));
    d.clamped = stats->stragglers + stats->late_gaps;
    xm_stream_destroy(s);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 65536)
        return 0;
    const struct xm_stream_config config = {
        .order = data[0] & 1 ? XM_ORDER_PROMPT : XM_ORDER_STRICT,
        .max_cpus = data[0] & 2 ? 4 : 0,
        .max_held = data[0] & 4 ? 4096 : 0,
        .max_jump = {data[0] & 8 ? 1000000 : 0},
        .shift = {data[0] & 16 ? UINT64_C(1) << 40 : 0},
    };
    size_t piece = 1 + data[1] + (size_t)data[2] * 64;
    struct digest one = run(data + 4, size - 4, &config, piece);
    /* Where nothing is forced out early, the order does not hang on how the bytes came. */
    if (config.order == XM_ORDER_STRICT && !config.max_held) {
        struct digest other = run(data + 4, size - 4, &config, size);
        if (one.clamped == 0 && other.clamped == 0)
            demand(one.events == other.events && one.hash == other.hash);
    }
    return 0;
}
