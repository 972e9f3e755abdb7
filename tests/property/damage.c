/* SPDX-License-Identifier: MIT */
/*
 * Captures cut short and spoiled: never a crash or a hang, what came before the damage is what it was, and the damage
 * is named with a place inside the file.
 *
 * usage: damage [STEP of the cuts in the first 64 KiB (1: every byte) [CUTS at random places [MUTATIONS [CAPTURE]]]]
 */
#include <stdlib.h>
#include <string.h>

#include "baked.h"
#include "trace/format.h"

#define MUTATED_BYTES (200u * 1024)
#define CPUS 8

/* Of a clean capture: each CPU's runstate events in order, and where their records end. */
struct clean {
    const char *name;
    struct xt_bytes bytes;
    struct xm_event *event[CPUS];
    size_t *end[CPUS];
    size_t count[CPUS];
};

static void add(struct clean *c, uint32_t cpu, const struct xt_trace *t, const struct xt_record *r)
{
    size_t n = c->count[cpu]++;
    c->event[cpu] = realloc(c->event[cpu], (n + 1) * sizeof **c->event);
    c->end[cpu] = realloc(c->end[cpu], (n + 1) * sizeof **c->end);
    c->event[cpu][n] = (struct xm_event){.tsc = {r->tsc}, .cpu = (uint16_t)cpu, .kind = XM_EV_RUNSTATE, .words = 1,
                                         .from_to = (uint8_t)((r->event >> 8 & 3) << 2 | (r->event >> 4 & 3)),
                                         .word = {xt_word(t, r, 0)}};
    c->end[cpu][n] = r->at + r->size;
}

static struct clean load(const char *name)
{
    struct clean c = {.name = name, .bytes = xt_capture(name)};
    struct xt_trace t = xt_take_apart(&c.bytes);
    for (size_t i = 0; i < t.records; i++)
        if ((t.record[i].event & 0xff00fu) == XM_TRC_RUNSTATE)
            add(&c, t.window[t.record[i].window].cpu, &t, &t.record[i]);
    xt_trace_free(&t);
    return c;
}

static void unload(struct clean *c)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        free(c->event[cpu]);
        free(c->end[cpu]);
    }
    xt_free(&c->bytes);
}

/* ---- What must hold of any bytes at all. */

static const char *sound(const struct xt_events *e, size_t size)
{
    for (size_t i = 1; i < e->count; i++)
        if (e->event[i].tsc.v < e->event[i - 1].tsc.v)
            return "time goes back";
    if (e->ended != XM_OK && e->ended != XM_DAMAGED)
        return "a strange status";
    if ((e->ended == XM_DAMAGED) != (e->error.status == XM_DAMAGED))
        return "status and error disagree";
    if (e->ended == XM_DAMAGED && (e->error.offset > size || e->error.text[0] == 0 || e->stats.damages == 0))
        return "the damage is not named";
    if (e->ended == XM_OK && (e->stats.damages || e->stats.damaged_bytes))
        return "damage that is not said";
    if (e->stats.damaged_bytes > size)
        return "more damage than bytes";
    return NULL;
}

/* Each CPU's events whose records end at or before `upto` come first and are unchanged; exactly: none comes after. */
static const char *beginning(const struct clean *c, const struct xt_events *e, size_t upto, bool exactly)
{
    size_t seen[CPUS] = {0};
    for (size_t i = 0; i < e->count; i++) {
        if (e->event[i].kind != XM_EV_RUNSTATE)
            continue;
        uint32_t cpu = e->event[i].cpu;
        if (cpu >= CPUS || seen[cpu] >= c->count[cpu] || c->end[cpu][seen[cpu]] > upto) {
            if (exactly)
                return "an event out of nowhere";
            continue;
        }
        if (!xt_same_event(&e->event[i], &c->event[cpu][seen[cpu]++]))
            return "an event before the damage is another one";
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (seen[cpu] < c->count[cpu] && c->end[cpu][seen[cpu]] <= upto)
            return "an event before the damage is missing";
    return NULL;
}

/* Through the account too, whose own checks trap; with samples, in both orders, and with hardly any room. */
static const char *baked(const unsigned char *bytes, size_t size, struct xt_rng *r)
{
    struct xt_baked b = xt_bake(bytes, size, 10000000, XM_NS_PER_S, 1 + (size_t)xt_below(r, 70000));
    const char *broken = xt_broken_sum(&b.end);
    xt_baked_free(&b);
    const struct xm_stream_config odd = {.order = xt_below(r, 2) ? XM_ORDER_PROMPT : XM_ORDER_STRICT, .max_held = 4096,
                                         .max_cpus = 1 + (uint32_t)xt_below(r, 100), .shift = {xt_random(r) >> 20}};
    struct xt_events e = xt_run(bytes, size, &odd, NULL, NULL, XT_DRAIN_ALWAYS);
    for (size_t i = 1; i < e.count && !broken; i++)
        if (e.event[i].tsc.v < e.event[i - 1].tsc.v)
            broken = "time goes back where little is held";
    xt_events_free(&e);
    return broken;
}

/* ---- Cuts. */

static const char *cut_at(const struct clean *c, size_t size, struct xt_rng *r)
{
    /* Exactly as long as the cut: a sanitizer sees one byte too far. */
    unsigned char *bytes = malloc(size ? size : 1);
    memcpy(bytes, c->bytes.data, size);
    struct xt_events e = xt_run(bytes, size, NULL, NULL, NULL, XT_DRAIN_AT_END);
    const char *wrong = sound(&e, size);
    wrong = wrong ? wrong : beginning(c, &e, size, true);
    if (!wrong && e.ended == XM_DAMAGED && e.error.offset != size && size >= 4)
        wrong = "the end is not where the damage is said to be";
    xt_events_free(&e);
    if (!wrong && xt_below(r, 8) == 0)
        wrong = baked(bytes, size, r);
    free(bytes);
    return wrong;
}

static void cuts(struct xt_tap *tap, const struct clean *c, struct xt_rng *r, size_t step, size_t random)
{
    unsigned failed = 0;
    size_t count = 0;
    for (size_t i = 0; i < 65536 / step + random; i++, count++) {
        size_t at = i < 65536 / step ? i * step + (size_t)xt_below(r, step) : (size_t)xt_below(r, c->bytes.size);
        at = at < c->bytes.size ? at : c->bytes.size - 1;
        const char *wrong = cut_at(c, at, r);
        if (wrong && failed++ < 5)
            xt_note("%s, cut at %zu: %s", c->name, at, wrong);
    }
    xt_ok(tap, failed == 0, "%s, cut at %zu places (%u not)", c->name, count, failed);
}

/* ---- Mutations. */

static const uint32_t specials[] = {0, UINT32_MAX, XM_WINDOW_HEADER, 0xc001f001, 0x1001f001, 0x9001f001, 0x0001f002,
                                    0xf001f002, 0x90021011, 0x80000000, 0x7fffffff, 0xc002800f, 12, 40};

static void insert(struct xt_bytes *b, size_t at, const unsigned char *bytes, size_t size)
{
    xt_put(b, bytes, size); /* for the room */
    memmove(b->data + at + size, b->data + at, b->size - size - at);
    memcpy(b->data + at, bytes, size);
}

static void delete(struct xt_bytes *b, size_t at, size_t size)
{
    size = size < b->size - at ? size : b->size - at;
    memmove(b->data + at, b->data + at + size, b->size - at - size);
    b->size -= size;
}

static void swap(struct xt_bytes *b, size_t at, size_t other, size_t size)
{
    for (size_t i = 0; i < size && at + i < b->size && other + i < b->size; i++) {
        unsigned char t = b->data[at + i];
        b->data[at + i] = b->data[other + i];
        b->data[other + i] = t;
    }
}

/* Spoils one place; returns the first byte that may have changed. */
static size_t spoil(struct xt_bytes *b, struct xt_rng *r)
{
    unsigned char random[64];
    size_t at = (size_t)xt_below(r, b->size - 64);
    size_t some = 1 + (size_t)xt_below(r, 64);
    if (xt_below(r, 2))
        at &= ~(size_t)3;
    for (unsigned i = 0; i < sizeof random; i++)
        random[i] = (unsigned char)xt_random(r);
    switch (xt_below(r, 8)) {
    case 0:
        b->data[at] ^= (unsigned char)(1u << xt_below(r, 8));
        return at;
    case 1:
        b->data[at] = random[0];
        return at;
    case 2:
        memcpy(b->data + at, random, 4);
        return at;
    case 3:
        memcpy(b->data + at, &specials[xt_below(r, sizeof specials / sizeof specials[0])], 4);
        return at;
    case 4:
        insert(b, at, random, some);
        return at;
    case 5:
        delete(b, at, some);
        return at;
    case 6: {
        size_t other = (size_t)xt_below(r, b->size - 64);
        swap(b, at, other, some);
        return at < other ? at : other;
    }
    default: {
        unsigned char copy[64];
        memcpy(copy, b->data + xt_below(r, b->size - 64), sizeof copy);
        insert(b, at, copy, some);
        return at;
    }
    }
}

static const char *mutate(const struct clean *c, uint64_t seed, uint64_t round)
{
    struct xt_rng r = xt_rng(seed, round);
    struct xt_bytes b = {0};
    size_t size = 4096 + (size_t)xt_below(&r, MUTATED_BYTES - 4096);
    xt_put(&b, c->bytes.data, size < c->bytes.size ? size : c->bytes.size);
    size_t first = b.size;
    for (uint64_t n = 1 + xt_below(&r, 4); n > 0; n--) {
        size_t at = spoil(&b, &r);
        first = at < first ? at : first;
    }
    struct xt_events e = xt_run(b.data, b.size, NULL, NULL, NULL, XT_DRAIN_AT_END);
    const char *wrong = sound(&e, b.size);
    wrong = wrong ? wrong : beginning(c, &e, first, false);
    if (!wrong && e.ended == XM_DAMAGED && e.error.offset + XM_RECORD_MAX_BYTES <= first)
        wrong = "damage is said to be where nothing was spoiled";
    xt_events_free(&e);
    if (!wrong)
        wrong = baked(b.data, b.size, &r);
    xt_free(&b);
    return wrong;
}

static void mutations(struct xt_tap *tap, const struct clean *c, uint64_t seed, uint64_t rounds)
{
    unsigned failed = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        const char *wrong = mutate(c, seed, round);
        if (wrong && failed++ < 5)
            xt_note("%s, mutation %llu: %s", c->name, (unsigned long long)round, wrong);
    }
    xt_ok(tap, failed == 0, "%s, spoiled %llu times (%u not)", c->name, (unsigned long long)rounds, failed);
}

int main(int argc, char **argv)
{
    struct xt_tap tap = {0};
    uint64_t seed = xt_seed();
    size_t step = argc > 1 ? strtoull(argv[1], NULL, 0) : 131;
    size_t random = argc > 2 ? strtoull(argv[2], NULL, 0) : 10;
    uint64_t rounds = argc > 3 ? strtoull(argv[3], NULL, 0) : 60;
    const char *only = argc > 4 ? argv[4] : NULL;
    for (unsigned i = 0; xt_captures[i]; i++) {
        if (only && strcmp(only, xt_captures[i]) != 0)
            continue;
        struct xt_rng r = xt_rng(seed, 1000 + i);
        struct clean c = load(xt_captures[i]);
        cuts(&tap, &c, &r, step ? step : 1, random);
        mutations(&tap, &c, seed, rounds);
        unload(&c);
    }
    return xt_done(&tap);
}
