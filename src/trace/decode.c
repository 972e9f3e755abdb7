/* SPDX-License-Identifier: MIT */
/*
 * Records of a window (doc/trace-format.md 1.2, 1.3).
 *
 * Records that mean something are written to their CPU's queue as they are decoded; all others are only
 * counted.  The loop has no branch that depends on which of the two a record is.
 */
#include <string.h>

#include "base/check.h"
#include "trace/stream_int.h"

/* Why the fast loop stopped. */
enum stop {
    STOP_END,     /* no whole record left in the piece */
    STOP_OVERRUN, /* the record at hand is longer than its window, */
    STOP_SPECIAL  /* or not an ordinary one: of the tracing infrastructure, impossible, odd in time */
};

struct piece {
    const unsigned char *at;
    const unsigned char *end;        /* of the bytes in hand; XM_PAYLOAD_BYTES more can be read */
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
    /*
     * One comparison sees both a step back and a leap, as long as the sum cannot wrap: a clock in the upper half of its
     * range, which no host's is, goes the slow way, and from the lower half a piece cannot get to its end.
     */
    const uint64_t max_jump = c->last > UINT64_MAX / 2 ? 0 : s->max_jump;
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
        memcpy(out->word, payload, XM_PAYLOAD_BYTES);
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
    xm_stream_note_time(s, last);
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
        status = xm_stream_lost(s, &r);
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
    xm_stream_damage(s, s->offset, 0, "%s in the window of CPU %u; %u bytes of it are skipped", why, s->cpu,
                     s->left);
    s->state = s->left ? XM_SKIPPING : XM_AT_WINDOW;
    return s->merge.cpu[s->cpu].seen ? xm_stream_gap(s, s->cpu, 0) : XM_OK;
}

bool xm_window_plausible(const struct xm_stream *s, const unsigned char *header)
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

enum xm_status xm_decode_piece(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
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
            return *used + XM_WINDOW_HEADER_BYTES <= size && xm_window_plausible(s, piece.at)
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
