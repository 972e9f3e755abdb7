/* SPDX-License-Identifier: MIT */
/*
 * The way of the bytes: which format, which window, what to skip where they make no sense
 * (doc/trace-format.md 1.6).  The records inside a window are decode.c's, those of the oldest versions fixed.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/stream_int.h"

#define DEFAULT_MAX_CPUS 4096u
#define DEFAULT_MAX_HELD (UINT32_C(1) << 21)
#define LEAST_MAX_HELD 4096u
#define DEFAULT_MAX_JUMP (UINT64_C(3600) * 2400000000u)
#define SCAN_LIMIT_BYTES (UINT64_C(16) << 20)

/* Bytes decoded between two looks at how much is queued; also bounds the room reserved for them. */
#define PIECE_BYTES 16384u
#define PUSH_BYTES 65536u

struct xm_stream *xm_stream_create(const struct xm_stream_config *config)
{
    static const struct xm_stream_config defaults;
    if (!config)
        config = &defaults;
    if (config->max_cpus > 65536 || (config->max_held && config->max_held < LEAST_MAX_HELD))
        return NULL;
    struct xm_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->last_window = UINT32_MAX;
    s->max_cpus = config->max_cpus ? config->max_cpus : DEFAULT_MAX_CPUS;
    s->max_jump = config->max_jump.v ? config->max_jump.v : DEFAULT_MAX_JUMP;
    if (s->max_jump > XM_MOST_JUMP)
        s->max_jump = XM_MOST_JUMP;
    s->shift = config->shift.v;
    s->buffer_bytes = config->buffer_bytes;
    s->merge.order = config->order;
    s->merge.max_held = config->max_held ? config->max_held : DEFAULT_MAX_HELD;
    xm_error_clear(&s->error);
    xm_stream_want(s, config->kinds);
    return s;
}

enum xm_status xm_stream_expect(struct xm_stream *s, uint32_t cpu)
{
    if (cpu >= s->max_cpus)
        return XM_INVALID;
    enum xm_status status = xm_merge_reserve(&s->merge, cpu, 0);
    if (status == XM_OK)
        s->merge.cpu[cpu].expected = true;
    return status;
}

bool xm_stream_seen(const struct xm_stream *s, uint32_t cpu)
{
    return cpu < s->merge.cpus && s->merge.cpu[cpu].seen;
}

void xm_stream_want(struct xm_stream *s, uint32_t kinds)
{
    xm_wanted_fill(&s->wanted, kinds ? kinds : UINT32_MAX);
}

void xm_stream_destroy(struct xm_stream *s)
{
    if (!s)
        return;
    xm_merge_fini(&s->merge);
    free(s);
}

static void window_ends(struct xm_stream *s)
{
    s->merge.cpu[s->cpu].window_end = s->merge.cpu[s->cpu].last;
    if (!s->losing)
        s->merge.cpu[s->cpu].full = 0;
    s->state = XM_AT_WINDOW;
}

/* Bytes in a window: straight from the caller's memory, but for what lies across two pushes or at its end. */
static enum xm_status in_window(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    enum xm_status status;
    unsigned char pad[XM_RECORD_MAX_BYTES * 2 + XM_PAYLOAD_BYTES];
    size_t take;
    if (s->carried) {
        size_t want = XM_RECORD_MAX_BYTES - s->carried;
        if (want > s->left - s->carried)
            want = s->left - s->carried;
        if (want > size)
            want = size;
        memset(pad, 0, sizeof pad);
        memcpy(pad, s->carry, s->carried);
        memcpy(pad + s->carried, bytes, want);
        size_t before = s->carried;
        status = xm_decode_piece(s, pad, before + want, &take);
        if (take >= before || s->state != XM_IN_WINDOW) {
            /* Also a window given up starts its skipping at s->offset, which is `take` into the pad. */
            s->carried = take >= before ? 0 : before - take;
            if (s->carried)
                memmove(s->carry, s->carry + take, s->carried);
            *used = take >= before ? take - before : 0;
        } else {
            memcpy(s->carry, pad + take, before + want - take);
            s->carried = before + want - take;
            *used = want;
        }
    } else {
        size_t piece = size < PIECE_BYTES ? size : PIECE_BYTES;
        if (piece + XM_PAYLOAD_BYTES <= size) {
            status = xm_decode_piece(s, bytes, piece, &take);
            *used = take;
        } else if (size > XM_RECORD_MAX_BYTES + XM_PAYLOAD_BYTES) {
            status = xm_decode_piece(s, bytes, size - XM_PAYLOAD_BYTES, &take);
            *used = take;
        } else {
            memset(pad, 0, sizeof pad);
            size_t have = size < 2 * XM_RECORD_MAX_BYTES ? size : 2 * XM_RECORD_MAX_BYTES;
            memcpy(pad, bytes, have);
            status = xm_decode_piece(s, pad, have, &take);
            *used = take;
            if (take == 0 && s->state == XM_IN_WINDOW && status == XM_OK && size < XM_RECORD_MAX_BYTES && size < s->left) {
                memcpy(s->carry, bytes, size);
                s->carried = size;
                *used = size;
            }
        }
    }
    if (status == XM_OK && s->state == XM_IN_WINDOW && s->left == 0)
        window_ends(s);
    return status;
}

/* Within two records of what a buffer holds: of N pages, 4096 N - 8 bytes (doc/trace-format.md 1.1). */
static bool fills_a_buffer(const struct xm_stream *s, uint64_t bytes)
{
    if (s->buffer_bytes)
        return bytes <= s->buffer_bytes && bytes + 2 * XM_RECORD_MAX_BYTES >= s->buffer_bytes;
    return bytes + 2 * XM_RECORD_MAX_BYTES >= s->max_window &&
           (bytes + 8 + 2 * XM_RECORD_MAX_BYTES) / 4096 > (bytes + 7) / 4096;
}

/*
 * Records after this window may have been dropped: it was all that the buffer holds, or was so together with the one
 * before it, to which the hypervisor had added it by the time that the first was given back.  Where more than that came,
 * some of it was written when there was room again, and would have begun with LOST_RECORDS.
 */
static bool may_be_losing(struct xm_stream *s, struct xm_cpu *c)
{
    uint64_t before = c->window_pass + 1 == s->merge.passes ? c->window_bytes : 0;
    c->window_pass = s->merge.passes;
    c->window_bytes = s->left;
    if (s->left > s->max_window)
        s->max_window = s->left;
    return fills_a_buffer(s, s->left) || fills_a_buffer(s, before + s->left);
}

static enum xm_status begin_window(struct xm_stream *s, const unsigned char *header)
{
    s->cpu = xm_load32(header + 4);
    s->left = xm_load32(header + 8);
    s->offset += XM_WINDOW_HEADER_BYTES;
    s->scanned = 0;
    enum xm_status status = xm_merge_reserve(&s->merge, s->cpu, 8);
    if (status != XM_OK)
        return status;
    if (s->last_window != UINT32_MAX && s->cpu <= s->last_window) {
        xm_merge_pass(&s->merge);
        s->merge.pass_max = 0;
    }
    s->last_window = s->cpu;
    if (s->cpu >= s->stats.cpus)
        s->stats.cpus = s->cpu + 1;
    struct xm_cpu *c = &s->merge.cpu[s->cpu];
    c->expected = true;
    /* One that no longer does is waited for until its records are in: a LOST_RECORDS may be among them. */
    s->losing = may_be_losing(s, c);
    if (s->losing)
        c->full = XM_FULL_PASSES;
    s->state = XM_IN_WINDOW;
    if (s->left == 0)
        window_ends(s);
    return XM_OK;
}

/* Collects bytes in the carry until there are `want`; false while there are fewer. */
static bool collect(struct xm_stream *s, size_t want, const unsigned char *bytes, size_t size, size_t *used)
{
    size_t take = want > s->carried ? want - s->carried : 0;
    if (take > size)
        take = size;
    memcpy(s->carry + s->carried, bytes, take);
    s->carried += take;
    *used = take;
    return s->carried >= want;
}

static enum xm_status at_window(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    if (!collect(s, XM_WINDOW_HEADER_BYTES, bytes, size, used))
        return XM_OK;
    if (xm_window_plausible(s, s->carry)) {
        s->carried = 0;
        return begin_window(s, s->carry);
    }
    xm_stream_damage(s, s->offset, 0, "no CPU_CHANGE record where a window of records must begin");
    s->state = XM_SCANNING;
    s->scanned = 0;
    return xm_stream_gap_everywhere(s);
}

/* Looks for the next header, byte by byte: what was cut out or put in need not be a multiple of four. */
static enum xm_status scanning(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    size_t took;
    *used = 0;
    while (s->scanned < SCAN_LIMIT_BYTES) {
        bool whole = collect(s, XM_WINDOW_HEADER_BYTES, bytes + *used, size - *used, &took);
        *used += took;
        if (!whole)
            break;
        if (xm_window_plausible(s, s->carry)) {
            s->carried = 0;
            return begin_window(s, s->carry);
        }
        s->offset++;
        s->scanned++;
        s->stats.damaged_bytes++;
        s->carried--;
        memmove(s->carry, s->carry + 1, s->carried);
    }
    return XM_OK;
}

static enum xm_status dead(struct xm_stream *s)
{
    s->state = XM_DEAD;
    s->carried = 0;
    return XM_DAMAGED;
}

static enum xm_status judge_start(struct xm_stream *s)
{
    if (s->carried >= 4 && xm_load32(s->carry) == XM_WINDOW_HEADER) {
        s->state = XM_AT_WINDOW;
        return XM_OK;
    }
    s->fixed_bytes = xm_fixed_probe(s->carry, s->carried, s->max_cpus);
    if (s->fixed_bytes) {
        s->state = XM_IN_FIXED;
        s->stats.fixed_format = true;
        return XM_OK;
    }
    xm_stream_damage(s, 0, s->carried, "%s", s->carried ? "this is no Xen trace" : "it is empty");
    return dead(s);
}

/* The first bytes tell the formats apart; they are read again by whoever is responsible. */
static enum xm_status at_start(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    size_t had = s->carried;
    bool enough = collect(s, had < 4 ? 4 : XM_FIXED_PROBE_BYTES, bytes, size, used);
    bool variable = s->carried >= 4 && xm_load32(s->carry) == XM_WINDOW_HEADER;
    if (!enough || (!variable && s->carried < XM_FIXED_PROBE_BYTES))
        return XM_OK;
    return judge_start(s);
}

/* What sits in the carry when the format is known is pushed like any other bytes. */
static enum xm_status replay_carry(struct xm_stream *s);

static enum xm_status step(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    switch (s->state) {
    case XM_AT_START: {
        enum xm_status status = at_start(s, bytes, size, used);
        if (status == XM_OK && s->state != XM_AT_START)
            status = replay_carry(s);
        return status;
    }
    case XM_AT_WINDOW:
        return at_window(s, bytes, size, used);
    case XM_IN_WINDOW:
        return in_window(s, bytes, size, used);
    case XM_SKIPPING: {
        /* The carry may hold bytes of what is skipped. */
        size_t from_carry = s->carried < s->left ? s->carried : s->left;
        size_t take = s->left - from_carry < size ? s->left - from_carry : size;
        s->offset += from_carry + take;
        s->stats.damaged_bytes += from_carry + take;
        s->left -= (uint32_t)(from_carry + take);
        s->carried = 0;
        *used = take;
        if (s->left == 0)
            s->state = XM_AT_WINDOW;
        return XM_OK;
    }
    case XM_SCANNING: {
        enum xm_status status = scanning(s, bytes, size, used);
        if (status == XM_OK && s->scanned >= SCAN_LIMIT_BYTES)
            return dead(s);
        return status;
    }
    case XM_IN_FIXED:
        return xm_fixed_push(s, bytes, size, used);
    case XM_DEAD:
    default:
        *used = 0;
        return XM_DAMAGED;
    }
}

static enum xm_status push_all(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    enum xm_status status = XM_OK;
    *used = 0;
    while (*used < size && status == XM_OK) {
        size_t took = 0;
        status = step(s, bytes + *used, size - *used, &took);
        *used += took;
    }
    return status;
}

static enum xm_status replay_carry(struct xm_stream *s)
{
    unsigned char start[XM_CARRY_BYTES];
    size_t size = s->carried;
    size_t used;
    memcpy(start, s->carry, size);
    s->carried = 0;
    return push_all(s, start, size, &used);
}

/* The loop counts by the class bits as they are; every record that got there has exactly one of them. */
static void count_classes(struct xm_stream *s)
{
    uint64_t records = 0;
    for (unsigned i = 0; i < XM_CLASSES; i++) {
        s->stats.by_class[i] = s->by_class[1u << i];
        records += s->by_class[1u << i];
    }
    s->stats.records = records;
    s->stats.seen_mem = s->by_class[XM_CLASS_MEM] != 0;
    s->stats.seen_pv = s->by_class[XM_CLASS_PV] != 0;
}

enum xm_status xm_stream_push(struct xm_stream *s, const void *bytes, size_t size, size_t *used)
{
    *used = 0;
    if (s->finished)
        return XM_INVALID;
    if (s->state != XM_DEAD && s->merge.held >= s->merge.max_held)
        return XM_OK;
    enum xm_status status = push_all(s, bytes, size < PUSH_BYTES ? size : PUSH_BYTES, used);
    s->stats.bytes += *used;
    count_classes(s);
    xm_merge_changed(&s->merge);
    return status;
}

/* The file ends in the middle: nothing is known of the CPUs whose windows were still to come in this pass. */
static enum xm_status cut_short(struct xm_stream *s)
{
    uint32_t from = s->state == XM_AT_WINDOW ? s->last_window + 1 : s->cpu;
    for (uint32_t i = s->state == XM_IN_FIXED ? 0 : from; i < s->merge.cpus; i++) {
        if (!s->merge.cpu[i].seen)
            continue;
        enum xm_status status = xm_stream_gap(s, i, 0);
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

/* What a live stream may have lost at its end nothing tells any more; a file is taken at its word. */
static enum xm_status doubt_the_end(struct xm_stream *s)
{
    enum xm_status status = XM_OK;
    for (uint32_t i = 0; i < s->merge.cpus && s->merge.order == XM_ORDER_PROMPT && status == XM_OK; i++)
        if (s->merge.cpu[i].full)
            status = xm_stream_gap(s, i, 0);
    return status;
}

enum xm_status xm_stream_finish(struct xm_stream *s)
{
    enum xm_status status = XM_OK;
    if (s->finished)
        return s->error.status;
    if (s->state == XM_AT_START) {
        status = judge_start(s);
        if (status == XM_OK)
            status = replay_carry(s);
    }
    count_classes(s);
    if (s->state == XM_IN_WINDOW || s->state == XM_SKIPPING) {
        xm_stream_damage(s, s->offset + s->carried, s->carried,
                         "the trace ends %u bytes before the end of a window of CPU %u",
                         s->left - (uint32_t)s->carried, s->cpu);
        status = cut_short(s);
    } else if (s->carried) {
        xm_stream_damage(s, s->offset + s->carried, s->carried, "the trace ends in the middle of a %s",
                         s->state == XM_IN_FIXED ? "record" : "window's header");
        status = cut_short(s);
    } else if (s->state != XM_DEAD && s->stats.records == 0 && s->error.status == XM_OK) {
        xm_stream_damage(s, s->offset, 0, "it holds no record");
    }
    count_classes(s);
    if (status == XM_OK)
        status = doubt_the_end(s);
    s->finished = true;
    s->merge.finished = true;
    xm_merge_changed(&s->merge);
    if (status == XM_NOMEM)
        return status;
    return s->error.status;
}

void xm_stream_pass_end(struct xm_stream *s)
{
    if (s->state == XM_IN_WINDOW || s->state == XM_SKIPPING || s->carried)
        return; /* the writer of a pipe was interrupted: the rest of the pass is still to come */
    xm_merge_pass(&s->merge);
    s->merge.pass_max = 0;
    s->last_window = UINT32_MAX;
}

enum xm_status xm_stream_run(struct xm_stream *s, const struct xm_event **events, size_t *count)
{
    return xm_merge_run(&s->merge, events, count);
}

xm_cycles xm_stream_watermark(const struct xm_stream *s)
{
    if (s->merge.finished && s->merge.heap_size == 0)
        return s->stats.last_tsc;
    return xm_cycles_of(s->merge.released);
}

const struct xm_stream_stats *xm_stream_stats(const struct xm_stream *s)
{
    return &s->stats;
}

const struct xm_error *xm_stream_error(const struct xm_stream *s)
{
    return &s->error;
}
