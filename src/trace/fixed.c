/* SPDX-License-Identifier: MIT */
/*
 * The fixed records of Xen 3.0 and 3.1 as their xentrace wrote them: u32 cpu, u64 tsc, u32 event, five
 * unsigned longs; 36 bytes from a 32-bit Xen, 60 from a 64-bit one, which pads after the event
 * (doc/trace-format.md 1.4).  No windows, no marks: a damaged record is left out and the next one stands
 * where it stands.
 */
#include <string.h>

#include "trace/stream_int.h"

#define BYTES_32 36u
#define BYTES_64 60u
#define FIXED_WORDS 5u
/* With one CPU nothing marks a pass; this many records of one CPU in a row are taken for one. */
#define PASS_RECORDS 4096u
/* Nonsense for this long ends the reading. */
#define LIMIT_BYTES (UINT64_C(16) << 20)

struct fixed_record {
    uint32_t cpu;
    uint64_t tsc;
    uint32_t event;
    uint32_t word[FIXED_WORDS];
};

static struct fixed_record read_fixed(const unsigned char *bytes, uint32_t size)
{
    struct fixed_record r = {.cpu = xm_load32(bytes), .tsc = xm_load64(bytes + 4), .event = xm_load32(bytes + 12)};
    for (unsigned i = 0; i < FIXED_WORDS; i++)
        r.word[i] = size == BYTES_64 ? xm_load32(bytes + 20 + 8 * i) : xm_load32(bytes + 16 + 4 * i);
    if ((r.event & ~0xfu) == XM_LEGACY_MEM)
        r.event = (XM_TRC_GRANT_MAP & ~0xfu) | (r.event & 0xfu);
    return r;
}

static bool plausible(const struct fixed_record *r, uint32_t max_cpus)
{
    return r->cpu < max_cpus && r->event >> 28 == 0 && xm_event_plausible(r->event) && r->tsc != 0;
}

uint32_t xm_fixed_probe(const unsigned char *bytes, size_t size, uint32_t max_cpus)
{
    static const uint32_t sizes[] = {BYTES_64, BYTES_32};
    uint32_t best = 0;
    size_t best_score = 0;
    for (unsigned i = 0; i < 2; i++) {
        size_t at = 0;
        bool good = true;
        for (; good && at + sizes[i] <= size; at += sizes[i]) {
            struct fixed_record r = read_fixed(bytes + at, sizes[i]);
            good = plausible(&r, max_cpus);
        }
        /* Of a file so short that both make sense: who sees more whole records in it, then who leaves nothing over. */
        size_t score = 2 * (at / sizes[i]) + (at == size);
        if (good && at > 0 && score > best_score) {
            best = sizes[i];
            best_score = score;
        }
    }
    return best;
}

static void pass_over(struct xm_stream *s, uint32_t cpu)
{
    bool wrapped = s->last_window != UINT32_MAX && cpu < s->last_window;
    s->left = cpu == s->last_window ? s->left + 1 : 0;
    if (wrapped || s->left >= PASS_RECORDS) {
        xm_merge_pass(&s->merge);
        s->merge.pass_max = 0;
        s->left = 0;
    }
    s->last_window = cpu;
}

static enum xm_status take(struct xm_stream *s, const struct fixed_record *r)
{
    enum xm_status status = xm_merge_reserve(&s->merge, r->cpu, 8);
    if (status != XM_OK)
        return status;
    pass_over(s, r->cpu);
    s->cpu = r->cpu;
    if (r->cpu >= s->stats.cpus)
        s->stats.cpus = r->cpu + 1;
    struct xm_cpu *c = &s->merge.cpu[r->cpu];
    if (c->seen && c->last < s->merge.released)
        c->last = s->merge.released;
    if (r->event == XM_TRC_LOST && c->seen) {
        status = xm_stream_gap(s, r->cpu, r->word[0]);
        if (status != XM_OK)
            return status;
    }
    if (xm_stream_tsc(s, r->cpu, r->tsc) != XM_TSC_GOOD) {
        xm_stream_damage(s, s->offset, s->fixed_bytes,
                         "the time of a record of CPU %u leaps ahead by more than is believable", r->cpu);
        return s->merge.cpu[r->cpu].seen ? xm_stream_gap(s, r->cpu, 0) : XM_OK;
    }
    s->by_class[r->event >> 16]++;
    if (r->event == XM_TRC_LOST)
        s->stats.lost_records += r->word[0];
    const struct xm_wanted *w = &s->wanted.entry[xm_wanted_index(r->event)];
    if (w->event != r->event || w->words == XM_WORDS_LOOK_CLOSER)
        return XM_OK;
    /* All five words are always there; only as many as the event had then mean anything. */
    struct xm_event event = {.tsc = {s->merge.cpu[r->cpu].last},
                             .cpu = (uint16_t)r->cpu,
                             .kind = (uint8_t)xm_meta_kind(w->meta),
                             .words = (uint8_t)w->words,
                             .legacy = 1};
    memcpy(event.word, r->word, sizeof event.word);
    xm_merge_append(&s->merge, &event);
    return XM_OK;
}

enum xm_status xm_fixed_push(struct xm_stream *s, const unsigned char *bytes, size_t size, size_t *used)
{
    unsigned char whole[BYTES_64];
    size_t from_carry = s->carried;
    size_t want = s->fixed_bytes - from_carry;
    if (size < want) {
        memcpy(s->carry + from_carry, bytes, size);
        s->carried += size;
        *used = size;
        return XM_OK;
    }
    memcpy(whole, s->carry, from_carry);
    memcpy(whole + from_carry, bytes, want);
    s->carried = 0;
    *used = want;
    struct fixed_record r = read_fixed(whole, s->fixed_bytes);
    r.tsc += s->shift;
    enum xm_status status = XM_OK;
    if (plausible(&r, s->max_cpus)) {
        s->scanned = 0;
        status = take(s, &r);
    } else {
        if (s->scanned == 0)
            xm_stream_damage(s, s->offset, 0, "a record that makes no sense");
        s->stats.damaged_bytes += s->fixed_bytes;
        s->scanned += s->fixed_bytes;
        for (uint32_t i = 0; i < s->merge.cpus && status == XM_OK; i++)
            if (s->merge.cpu[i].seen)
                status = xm_stream_gap(s, i, 0);
        if (status == XM_OK && s->scanned >= LIMIT_BYTES) {
            s->state = XM_DEAD;
            status = XM_DAMAGED;
        }
    }
    s->offset += s->fixed_bytes;
    return status;
}
