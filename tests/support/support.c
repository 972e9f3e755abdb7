/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trace/format.h"

void xt_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("Bail out! ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    exit(1);
}

/* ---- TAP. */

void xt_ok(struct xt_tap *tap, bool good, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%sok %u - ", good ? "" : "not ", ++tap->count);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    tap->failed += !good;
}

void xt_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
}

int xt_done(const struct xt_tap *tap)
{
    printf("1..%u\n", tap->count);
    return tap->failed || tap->count == 0;
}

/* ---- Random numbers: splitmix64. */

uint64_t xt_seed(void)
{
    static uint64_t seed; /* one run, one seed */
    const char *set = getenv("XM_SEED");
    struct timespec now;
    if (seed)
        return seed;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = set ? strtoull(set, NULL, 0) : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    seed = seed ? seed : 1; /* 0 marks none */
    printf("# XM_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

struct xt_rng xt_rng(uint64_t seed, uint64_t stream)
{
    struct xt_rng r = {seed * 0x9e3779b97f4a7c15u ^ stream * 0xd1342543de82ef95u};
    (void)xt_random(&r);
    return r;
}

uint64_t xt_random(struct xt_rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t xt_below(struct xt_rng *r, uint64_t limit)
{
    return limit ? xt_random(r) % limit : 0;
}

/* ---- Bytes. */

static void *grow(void *array, size_t *room, size_t want, size_t element)
{
    if (want <= *room)
        return array;
    size_t to = *room ? *room : 256;
    while (to < want)
        to *= 2;
    void *grown = realloc(array, to * element);
    if (!grown)
        xt_die("out of memory");
    *room = to;
    return grown;
}

void xt_put(struct xt_bytes *b, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    b->data = grow(b->data, &b->room, b->size + size, 1);
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

void xt_put32(struct xt_bytes *b, uint32_t word)
{
    xt_put(b, &word, 4);
}

void xt_put64(struct xt_bytes *b, uint64_t word)
{
    xt_put(b, &word, 8);
}

void xt_free(struct xt_bytes *b)
{
    free(b->data);
    *b = (struct xt_bytes){0};
}

/* ---- Taking apart. */

struct xt_trace xt_take_apart(const struct xt_bytes *bytes)
{
    struct xt_trace t = {.data = bytes->data, .size = bytes->size};
    uint64_t last[64] = {0};
    size_t at = 0;
    while (at < t.size) {
        uint32_t cpu, length;
        if (at + 12 > t.size || xm_load32(t.data + at) != XM_WINDOW_HEADER)
            xt_die("no window at byte %zu", at);
        cpu = xm_load32(t.data + at + 4);
        length = xm_load32(t.data + at + 8);
        at += 12;
        if (cpu >= 64 || length > t.size - at)
            xt_die("a strange window at byte %zu", at - 12);
        t.window = grow(t.window, &t.window_room, t.windows + 1, sizeof *t.window);
        struct xt_window *w = &t.window[t.windows];
        *w = (struct xt_window){cpu, t.records, 0};
        t.cpus = cpu >= t.cpus ? cpu + 1 : t.cpus;
        for (size_t end = at + length; at < end; w->count++) {
            uint32_t header = xm_load32(t.data + at);
            if (at + XM_HEADER_BYTES(header) > end)
                xt_die("a record overruns its window at byte %zu", at);
            if (XM_HEADER_TSC(header) && XM_HEADER_EVENT(header) != XM_TRC_WRAP)
                last[cpu] = xm_load64(t.data + at + 4);
            t.record = grow(t.record, &t.record_room, t.records + 1, sizeof *t.record);
            t.record[t.records++] = (struct xt_record){at, XM_HEADER_BYTES(header), XM_HEADER_EVENT(header), last[cpu],
                                                       (uint32_t)t.windows, XM_HEADER_TSC(header)};
            at += XM_HEADER_BYTES(header);
        }
        t.windows++;
    }
    return t;
}

void xt_trace_free(struct xt_trace *t)
{
    free(t->record);
    free(t->window);
    *t = (struct xt_trace){0};
}

uint32_t xt_word(const struct xt_trace *t, const struct xt_record *r, unsigned i)
{
    return xm_load32(t->data + r->at + 4 + 8u * r->has_tsc + 4u * i);
}

/* ---- Writing. */

size_t xt_window_begin(struct xt_bytes *b, uint32_t cpu)
{
    size_t begun = b->size;
    xt_put32(b, XM_WINDOW_HEADER);
    xt_put32(b, cpu);
    xt_put32(b, 0);
    return begun;
}

void xt_window_end(struct xt_bytes *b, size_t begun)
{
    uint32_t size = (uint32_t)(b->size - begun - 12);
    memcpy(b->data + begun + 8, &size, 4);
}

void xt_record(struct xt_bytes *b, uint32_t event, uint64_t tsc, unsigned words, const uint32_t *word)
{
    xt_put32(b, XM_HEADER(event, words, tsc != XT_NO_TSC));
    if (tsc != XT_NO_TSC)
        xt_put64(b, tsc);
    xt_put(b, word, 4u * words);
}

void xt_runstate(struct xt_bytes *b, uint64_t tsc, uint32_t dom, uint32_t vcpu, unsigned from, unsigned to)
{
    const uint32_t word = vcpu | dom << 16;
    xt_record(b, XM_TRC_RUNSTATE | from << 8 | to << 4, tsc, 1, &word);
}

void xt_lost(struct xt_bytes *b, uint64_t tsc, uint32_t count, uint32_t dom, uint32_t vcpu, uint64_t first_tsc)
{
    const uint32_t word[4] = {count, dom | vcpu << 16, (uint32_t)first_tsc, (uint32_t)(first_tsc >> 32)};
    xt_record(b, XM_TRC_LOST, tsc, 4, word);
}

/* ---- Events. */

static void take_out(struct xt_events *e, struct xm_stream *s)
{
    const struct xm_event *event;
    size_t count;
    while (xm_stream_run(s, &event, &count) == XM_OK) {
        if (count == 0)
            xt_die("a run of no events");
        e->event = grow(e->event, &e->room, e->count + count, sizeof *e->event);
        memcpy(e->event + e->count, event, count * sizeof *event);
        e->count += count;
    }
}

/* A stream stops taking bytes only because it holds too much, or for good. */
static bool push_some(struct xm_stream *s, struct xt_events *e, const unsigned char *bytes, size_t size)
{
    bool stuck = false;
    while (size > 0) {
        size_t used = SIZE_MAX;
        enum xm_status status = xm_stream_push(s, bytes, size, &used);
        if (used > size)
            xt_die("a push took more than there was");
        if (status != XM_OK) {
            e->ended = status;
            return false;
        }
        if (used == 0 && stuck)
            xt_die("a push takes nothing although everything was taken out");
        stuck = used == 0;
        if (stuck)
            take_out(e, s);
        bytes += used;
        size -= used;
    }
    return true;
}

struct xt_events xt_run(const void *bytes, size_t size, const struct xm_stream_config *config, xt_split split, void *user,
                        enum xt_drain drain)
{
    struct xt_events e = {0};
    struct xm_stream *s = xm_stream_create(config);
    if (!s)
        xt_die("no stream");
    const unsigned char *at = bytes;
    size_t left = size;
    bool alive = true;
    while (alive && left > 0) {
        size_t piece = split ? split(user, left) : left;
        piece = piece < left ? piece : left;
        alive = push_some(s, &e, at, piece);
        at += piece;
        left -= piece;
        if (drain == XT_DRAIN_ALWAYS)
            take_out(&e, s);
    }
    enum xm_status finished = xm_stream_finish(s);
    e.ended = e.ended ? e.ended : finished;
    take_out(&e, s);
    const struct xm_event *none;
    size_t count;
    if (xm_stream_run(s, &none, &count) != XM_END)
        xt_die("the stream does not end");
    e.stats = *xm_stream_stats(s);
    e.error = *xm_stream_error(s);
    xm_stream_destroy(s);
    return e;
}

void xt_events_free(struct xt_events *e)
{
    free(e->event);
    *e = (struct xt_events){0};
}

bool xt_same_event(const struct xm_event *a, const struct xm_event *b)
{
    return a->tsc.v == b->tsc.v && a->cpu == b->cpu && a->kind == b->kind && a->words == b->words &&
           a->from_to == b->from_to && a->legacy == b->legacy && memcmp(a->word, b->word, 4u * (a->words < 4 ? a->words : 4)) == 0;
}

size_t xt_first_difference(const struct xt_events *a, const struct xt_events *b)
{
    size_t count = a->count < b->count ? a->count : b->count;
    size_t i = 0;
    while (i < count && xt_same_event(&a->event[i], &b->event[i]))
        i++;
    return i;
}
