/* SPDX-License-Identifier: MIT */
/*
 * The variable format of Xen 3.2 to today, as xentrace writes it: windows of one CPU's records, each behind a
 * CPU_CHANGE record (our notes, 1.2, 1.3, 1.6).
 *
 * Records that mean something are written to their CPU's queue as they are decoded; all others are only
 * counted.  The decoding loop has no branch that depends on which of the two a record is.
 */
#include "trace/stream_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define DEFAULT_MAX_CPUS 4096u
#define DEFAULT_MAX_HELD (UINT32_C(1) << 21)
#define LEAST_MAX_HELD 4096u
#define DEFAULT_MAX_JUMP (UINT64_C(3600) * 2400000000u)
#define SCAN_LIMIT_BYTES (UINT64_C(16) << 20)

/* Bytes decoded between two looks at how much is queued; also bounds the room reserved for them. */
#define PIECE_BYTES 16384u
#define PUSH_BYTES 65536u
/* A payload is copied as 16 bytes whatever its length, so the last bytes of a piece are moved first. */
#define PAYLOAD_BYTES 16u

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
    s->shift = config->shift.v;
    s->merge.order = config->order;
    s->merge.max_held = config->max_held ? config->max_held : DEFAULT_MAX_HELD;
    xm_error_clear(&s->error);
    xm_stream_want(s, config->kinds);
    return s;
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

void xm_stream_damage(struct xm_stream *s, uint64_t offset, uint64_t bytes, const char *format, ...)
{
    s->stats.damages++;
    s->stats.damaged_bytes += bytes;
    if (s->error.status != XM_OK)
        return;
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    xm_fail(&s->error, XM_DAMAGED, offset, "byte %llu: %s", (unsigned long long)offset, text);
}

static void append(struct xm_stream *s, uint32_t cpu, uint8_t kind, uint64_t tsc, const uint32_t word[3])
{
    struct xm_event event = {.tsc = {tsc}, .cpu = (uint16_t)cpu, .kind = kind};
    if (word) {
        event.words = 3;
        memcpy(event.word, word, 3 * sizeof *word);
    }
    xm_merge_append(&s->merge, &event);
}

enum xm_status xm_stream_gap(struct xm_stream *s, uint32_t cpu, uint32_t lost)
{
    enum xm_status status = xm_merge_reserve(&s->merge, cpu, 4);
    if (status != XM_OK)
        return status;
    struct xm_cpu *c = &s->merge.cpu[cpu];
    if (c->last < s->merge.released)
        c->last = s->merge.released;
    if (!c->gap)
        append(s, cpu, XM_EV_GAP_OPEN, c->last, NULL);
    c->gap = true;
    c->gap_lost += lost;
    return XM_OK;
}

static void close_gap(struct xm_stream *s, uint32_t cpu, uint64_t tsc)
{
    struct xm_cpu *c = &s->merge.cpu[cpu];
    const uint32_t word[3] = {c->gap_lost, XM_NO_DOM, XM_NO_VCPU};
    append(s, cpu, XM_EV_GAP_CLOSE, tsc, word);
    c->gap = false;
    c->gap_lost = 0;
}

static enum xm_status gap_everywhere(struct xm_stream *s)
{
    for (uint32_t i = 0; i < s->merge.cpus; i++) {
        if (!s->merge.cpu[i].seen)
            continue;
        enum xm_status status = xm_stream_gap(s, i, 0);
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

static void note_time(struct xm_stream *s, uint64_t tsc)
{
    if (tsc > s->stats.last_tsc.v)
        s->stats.last_tsc.v = tsc;
    if (tsc > s->merge.pass_max)
        s->merge.pass_max = tsc;
}

/* A CPU's first TSC.  One that leaps ahead of all others is as suspicious as any other leap. */
static bool first_leaps(const struct xm_stream *s, const struct xm_cpu *c, uint64_t tsc)
{
    return !c->seen && s->stats.last_tsc.v && tsc > s->stats.last_tsc.v && tsc - s->stats.last_tsc.v > s->max_jump;
}

enum xm_tsc_verdict xm_stream_tsc(struct xm_stream *s, uint32_t cpu, uint64_t tsc)
{
    struct xm_cpu *c = &s->merge.cpu[cpu];
    bool leaps = c->seen ? tsc > c->last && tsc - c->last > s->max_jump : first_leaps(s, c, tsc);
    if (leaps) {
        /* Two in a row that agree with each other are a real jump of the clock; one alone is a bad record. */
        bool again = c->leap && tsc >= c->leap && tsc - c->leap <= s->max_jump;
        if (!again) {
            c->leap = tsc;
            return XM_TSC_LEAPT;
        }
    }
    c->leap = 0;
    if (c->seen && tsc < c->last) {
        if (tsc < c->last_recorded)
            s->stats.backwards++;
        else
            s->stats.stragglers++;
        tsc = c->last;
    } else if (!c->seen && tsc < s->merge.released) {
        s->stats.stragglers++;
        tsc = s->merge.released;
    } else {
        c->last_recorded = tsc;
    }
    if (!c->seen && (s->stats.first_tsc.v == 0 || tsc < s->stats.first_tsc.v))
        s->stats.first_tsc.v = tsc;
    c->seen = true;
    c->quiet = false;
    c->last = tsc;
    if (c->gap)
        close_gap(s, cpu, tsc);
    note_time(s, tsc);
    return XM_TSC_GOOD;
}

/* LOST_RECORDS: 28 bytes since 3.4, with when the first drop was and who was current; 8 bytes before. */
static enum xm_status lost_records(struct xm_stream *s, const struct xm_record *r)
{
    struct xm_cpu *c = &s->merge.cpu[s->cpu];
    uint32_t count = r->words ? r->word[0] : 0;
    s->stats.lost_records += count;
    if (!r->has_tsc || r->words < 4)
        return xm_stream_gap(s, s->cpu, count);
    uint64_t first = ((uint64_t)r->word[3] << 32 | r->word[2]) + s->shift;
    uint64_t floor = c->seen ? c->last : s->stats.first_tsc.v;
    if (floor < s->merge.released)
        floor = s->merge.released;
    if (first > r->tsc.v || first < floor)
        first = floor < r->tsc.v ? floor : r->tsc.v;
    if (xm_merge_reserve(&s->merge, s->cpu, 4) != XM_OK)
        return XM_NOMEM;
    c = &s->merge.cpu[s->cpu];
    bool was_open = c->gap;
    c->gap = false;
    if (xm_stream_tsc(s, s->cpu, r->tsc.v) == XM_TSC_LEAPT) {
        c->gap = was_open;
        return XM_DAMAGED;
    }
    if (!was_open)
        append(s, s->cpu, XM_EV_GAP_OPEN, first < c->last ? first : c->last, NULL);
    const uint32_t word[3] = {count + c->gap_lost, r->word[1] & 0xffffu, r->word[1] >> 16};
    c->gap_lost = 0;
    append(s, s->cpu, XM_EV_GAP_CLOSE, c->last, word);
    return XM_OK;
}

/* Why the fast loop stopped. */
enum stop {
    STOP_END,     /* no whole record left in the piece */
    STOP_OVERRUN, /* the record at hand is longer than its window, */
    STOP_SPECIAL  /* or not an ordinary one: of the tracing infrastructure, impossible, odd in time */
};

struct piece {
    const unsigned char *at;
    const unsigned char *end;        /* of the bytes in hand; PAYLOAD_BYTES more can be read */
    const unsigned char *window_end; /* of the window; may be behind `end` */
};

/* Until a CPU's clock is known, and while a gap waits for its end, every record goes the slow way. */
static enum stop first_record(const struct piece *piece)
{
    size_t left = (size_t)(piece->end - piece->at);
    if (left < 4)
        return STOP_END;
    uint32_t bytes = XM_HEADER_BYTES(xm_load32(piece->at));
    if (bytes > left)
        return piece->at + bytes > piece->window_end ? STOP_OVERRUN : STOP_END;
    return STOP_SPECIAL;
}

/* A record that matched but is too short, or of a kind that has to be looked at: does it become an event? */
static bool look_closer(struct xm_stream *s, const struct xm_wanted *w, struct xm_event *event, unsigned words)
{
    uint32_t copies;
    if (w->words != XM_WORDS_LOOK_CLOSER || words == 0) {
        s->stats.short_records++;
        return false;
    }
    copies = xm_hypercall_copies(event->word, words < 4 ? words : 4);
    event->words = 1;
    event->word[0] = copies;
    return copies != 0;
}

static enum stop decode(struct xm_stream *s, struct piece *piece)
{
    struct xm_cpu *c = &s->merge.cpu[s->cpu];
    if (!c->seen || c->gap)
        return first_record(piece);
    const struct xm_wanted *wanted = s->wanted.entry;
    const uint64_t cpu = s->cpu;
    const uint64_t shift = s->shift;
    const uint64_t max_jump = s->max_jump;
    const unsigned char *at = piece->at;
    const unsigned char *const end = piece->end;
    struct xm_event *out = c->queue + c->tail;
    struct xm_event *const first = out;
    uint64_t last = c->last;
    uint64_t *const by_class = s->by_class;
    enum stop stop = STOP_END;

    while (end - at >= 4) {
        uint32_t header = xm_load32(at);
        uint32_t words = XM_HEADER_WORDS(header);
        uint32_t with_tsc = XM_HEADER_TSC(header);
        uint32_t event = XM_HEADER_EVENT(header);
        const unsigned char *payload = at + 4 + 8 * (size_t)with_tsc;
        const unsigned char *next = payload + 4 * (size_t)words;
        if (XM_UNLIKELY(next > end)) {
            stop = next > piece->window_end ? STOP_OVERRUN : STOP_END;
            break;
        }
        uint32_t class = event >> 16;
        if (XM_UNLIKELY((class & (class - 1)) || class <= XM_CLASS_GEN || !(event & 0xf000u))) {
            stop = STOP_SPECIAL;
            break;
        }
        if (XM_LIKELY(with_tsc)) {
            uint64_t tsc = xm_load64(at + 4) + shift;
            if (XM_UNLIKELY(tsc - last > max_jump)) {
                stop = STOP_SPECIAL;
                break;
            }
            last = tsc;
        }
        by_class[class]++;
        const struct xm_wanted *w = &wanted[xm_wanted_index(event)];
        uint64_t meta = w->meta | cpu | (uint64_t)words << 24;
        out->tsc.v = last;
        memcpy((unsigned char *)out + offsetof(struct xm_event, cpu), &meta, sizeof meta);
        memcpy(out->word, payload, PAYLOAD_BYTES);
        uint32_t match = (w->event == event) & ((out->word[0] & w->mask) == w->value);
        if (XM_UNLIKELY(match & (words < w->words)))
            match = look_closer(s, w, out, words);
        out += match;
        at = next;
    }
    if (at != piece->at)
        c->quiet = false;
    piece->at = at;
    if (last > c->last)
        c->last_recorded = last;
    c->last = last;
    note_time(s, last);
    xm_merge_commit(&s->merge, s->cpu, (size_t)(out - first));
    return stop;
}

/* One record that the fast loop would not take.  *bytes: its length. */
static enum xm_status slow_record(struct xm_stream *s, const struct piece *piece, size_t *bytes)
{
    struct xm_record r;
    enum xm_status status = xm_record_read(piece->at, (size_t)(piece->end - piece->at), &r, bytes);
    XM_ASSERT(status == XM_OK);
    r.tsc.v += s->shift;
    if (r.event == XM_TRC_WRAP)
        return XM_OK;
    if (r.event == XM_TRC_CPU_CHANGE || !xm_event_plausible(r.event))
        return XM_DAMAGED;
    s->by_class[r.event >> 16]++;
    if (r.event == XM_TRC_LOST) {
        status = lost_records(s, &r);
    } else if (r.has_tsc) {
        status = xm_stream_tsc(s, s->cpu, r.tsc.v) == XM_TSC_GOOD ? XM_OK : XM_DAMAGED;
    }
    if (status == XM_DAMAGED) {
        /* The record itself is damaged, its length is not: only it is left out. */
        s->by_class[r.event >> 16]--;
        xm_stream_damage(s, s->offset, *bytes, "the time of a record of CPU %u leaps ahead by more than is believable",
                         s->cpu);
        return s->merge.cpu[s->cpu].seen ? xm_stream_gap(s, s->cpu, 0) : XM_OK;
    }
    if (status != XM_OK || r.event == XM_TRC_LOST)
        return status;
    const struct xm_wanted *w = &s->wanted.entry[xm_wanted_index(r.event)];
    struct xm_cpu *c = &s->merge.cpu[s->cpu];
    if (w->event != r.event || !c->seen)
        return XM_OK;
    struct xm_event event = {.tsc = {c->last}};
    uint64_t meta = w->meta | s->cpu | (uint64_t)r.words << 24;
    memcpy((unsigned char *)&event + offsetof(struct xm_event, cpu), &meta, sizeof meta);
    memcpy(event.word, r.word, sizeof event.word);
    bool match = (event.word[0] & w->mask) == w->value;
    if (match && (r.words >= w->words || look_closer(s, w, &event, r.words)))
        xm_merge_append(&s->merge, &event);
    return XM_OK;
}

/* The rest of this window makes no sense: it is skipped, and the CPU's records are missing until its next. */
static enum xm_status give_up_window(struct xm_stream *s, const char *why)
{
    xm_stream_damage(s, s->offset, s->left, "%s in the window of CPU %u; %u bytes of it are skipped", why, s->cpu,
                     s->left);
    s->state = s->left ? XM_SKIPPING : XM_AT_WINDOW;
    return s->merge.cpu[s->cpu].seen ? xm_stream_gap(s, s->cpu, 0) : XM_OK;
}

static bool window_plausible(const struct xm_stream *s, const unsigned char *header)
{
    uint32_t cpu = xm_load32(header + 4);
    uint32_t bytes = xm_load32(header + 8);
    return xm_load32(header) == XM_WINDOW_HEADER && cpu < s->max_cpus && bytes <= XM_WINDOW_MAX_BYTES && bytes % 4 == 0;
}

/* A window begins before the one at hand has ended: some of this one is missing. */
static enum xm_status window_inside(struct xm_stream *s)
{
    xm_stream_damage(s, s->offset, 0, "a window begins %u bytes before the end of another one of CPU %u", s->left,
                     s->cpu);
    s->left = 0;
    s->state = XM_AT_WINDOW;
    return s->merge.cpu[s->cpu].seen ? xm_stream_gap(s, s->cpu, 0) : XM_OK;
}

/*
 * Decodes what is whole in [bytes, bytes + size), of which PAYLOAD_BYTES more can be read.  *used: bytes that
 * are done with.
 */
static enum xm_status decode_piece(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    if (size > s->left)
        size = s->left;
    struct piece piece = {bytes, bytes + size, bytes + s->left};
    const unsigned char *done = bytes;
    enum xm_status status = xm_merge_reserve(&s->merge, s->cpu, size / 4 + 8);
    if (status != XM_OK)
        return status;
    struct xm_cpu *c = &s->merge.cpu[s->cpu];
    if (c->seen && c->last < s->merge.released)
        c->last = s->merge.released;
    *used = 0;
    for (;;) {
        enum stop stop = decode(s, &piece);
        s->offset += (uint64_t)(piece.at - done);
        s->left -= (uint32_t)(piece.at - done);
        done = piece.at;
        *used = (size_t)(done - bytes);
        if (stop == STOP_END)
            return XM_OK;
        if (stop == STOP_OVERRUN)
            return give_up_window(s, "a record longer than what is left");
        /* A slow record may queue four events (gap opened and closed, itself), more than its bytes stand for. */
        size_t length;
        status = xm_merge_reserve(&s->merge, s->cpu, (size_t)(piece.end - piece.at) / 4 + 8);
        if (status != XM_OK)
            return status;
        status = slow_record(s, &piece, &length);
        if (status == XM_DAMAGED)
            return *used + XM_WINDOW_HEADER_BYTES <= size && window_plausible(s, piece.at)
                       ? window_inside(s)
                       : give_up_window(s, "an impossible event number");
        if (status != XM_OK)
            return status;
        s->offset += length;
        s->left -= (uint32_t)length;
        piece.at += length;
        done = piece.at;
        *used = (size_t)(done - bytes);
    }
}

static void window_ends(struct xm_stream *s)
{
    s->merge.cpu[s->cpu].window_end = s->merge.cpu[s->cpu].last;
    s->state = XM_AT_WINDOW;
}

/* Bytes in a window: straight from the caller's memory, but for what lies across two pushes or at its end. */
static enum xm_status in_window(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    enum xm_status status;
    unsigned char pad[XM_RECORD_MAX_BYTES * 2 + PAYLOAD_BYTES];
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
        status = decode_piece(s, pad, before + want, &take);
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
        if (piece + PAYLOAD_BYTES <= size) {
            status = decode_piece(s, bytes, piece, &take);
            *used = take;
        } else if (size > XM_RECORD_MAX_BYTES + PAYLOAD_BYTES) {
            status = decode_piece(s, bytes, size - PAYLOAD_BYTES, &take);
            *used = take;
        } else {
            memset(pad, 0, sizeof pad);
            size_t have = size < 2 * XM_RECORD_MAX_BYTES ? size : 2 * XM_RECORD_MAX_BYTES;
            memcpy(pad, bytes, have);
            status = decode_piece(s, pad, have, &take);
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

/*
 * A buffer of N pages holds 4096 N - 8 bytes (our notes, 1.1).  A window that comes within two records of such
 * a size was full when it was drained, so that records after it may have been dropped.
 */
static bool was_full(struct xm_stream *s, uint32_t window_bytes)
{
    if (window_bytes > s->max_window)
        s->max_window = window_bytes;
    return window_bytes + 2 * XM_RECORD_MAX_BYTES >= s->max_window &&
           (window_bytes + 8 + 2 * XM_RECORD_MAX_BYTES) / 4096 > (window_bytes + 7) / 4096;
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
    s->merge.cpu[s->cpu].full = was_full(s, s->left) ? XM_FULL_PASSES : 0;
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
    if (window_plausible(s, s->carry)) {
        s->carried = 0;
        return begin_window(s, s->carry);
    }
    xm_stream_damage(s, s->offset, 0, "no CPU_CHANGE record where a window of records must begin");
    s->state = XM_SCANNING;
    s->scanned = 0;
    return gap_everywhere(s);
}

/* Looks for the next header, byte by byte: what was cut out or put in need not be a multiple of four. */
static enum xm_status scanning(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    *used = 0;
    while (collect(s, XM_WINDOW_HEADER_BYTES, bytes, size, used)) {
        if (window_plausible(s, s->carry)) {
            s->carried = 0;
            return begin_window(s, s->carry);
        }
        s->offset++;
        s->scanned++;
        s->stats.damaged_bytes++;
        s->carried--;
        memmove(s->carry, s->carry + 1, s->carried);
        bytes += *used;
        size -= *used;
        if (s->scanned >= SCAN_LIMIT_BYTES || size == 0)
            break;
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

enum xm_status xm_stream_finish(struct xm_stream *s)
{
    enum xm_status status = XM_OK;
    if (s->finished)
        return s->error.status;
    count_classes(s);
    if (s->state == XM_AT_START) {
        status = judge_start(s);
        if (status == XM_OK)
            status = replay_carry(s);
    }
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
