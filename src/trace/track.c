/* SPDX-License-Identifier: MIT */
/*
 * What a stream knows of each CPU: how far its clock has come, where its records are missing, and what of the
 * input made no sense.  Both formats tell it here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "trace/stream_int.h"

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

enum xm_status xm_stream_gap_everywhere(struct xm_stream *s)
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
    xm_stream_note_time(s, tsc);
    return XM_TSC_GOOD;
}

/* LOST_RECORDS: 28 bytes since 3.4, with when the first drop was and who was current; 8 bytes before. */
enum xm_status xm_stream_lost(struct xm_stream *s, const struct xm_record *r)
{
    struct xm_cpu *c = &s->merge.cpu[s->cpu];
    uint32_t count = r->words ? r->word[0] : 0;
    if (!r->has_tsc || r->words < 4) {
        s->stats.lost_records += count;
        return xm_stream_gap(s, s->cpu, count);
    }
    uint64_t first = ((uint64_t)r->word[3] << 32 | r->word[2]) + s->shift;
    /* Before a CPU's first record anything may be missing, also from before any other CPU's. */
    uint64_t floor = c->seen && c->last > s->merge.released ? c->last : s->merge.released;
    bool late = first < s->merge.released && (!c->seen || first >= c->last_recorded);
    if (xm_merge_reserve(&s->merge, s->cpu, 4) != XM_OK)
        return XM_NOMEM;
    c = &s->merge.cpu[s->cpu];
    bool was_open = c->gap;
    c->gap = false;
    if (xm_stream_tsc(s, s->cpu, r->tsc.v) == XM_TSC_LEAPT) {
        c->gap = was_open;
        return XM_DAMAGED;
    }
    s->stats.lost_records += count;
    s->stats.late_gaps += late && !was_open;
    /* c->last is when it was written, or later where that time had to be clamped. */
    if (first < floor || first > c->last)
        first = floor < c->last ? floor : c->last;
    if (!was_open)
        append(s, s->cpu, XM_EV_GAP_OPEN, first, NULL);
    const uint32_t word[3] = {count + c->gap_lost, r->word[1] & 0xffffu, r->word[1] >> 16};
    c->gap_lost = 0;
    append(s, s->cpu, XM_EV_GAP_CLOSE, c->last, word);
    return XM_OK;
}
