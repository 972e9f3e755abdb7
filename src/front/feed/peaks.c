/* SPDX-License-Identifier: MIT */
#include "front/feed/peaks.h"

#include <stdlib.h>
#include <string.h>

#define NO_INDEX     UINT64_MAX
#define FAN_BITS     4u /* samples of a fold, folds of a larger one: 16 */
#define LEVELS       4u
#define MOST_PEAKS   8u
#define ROWS_A_ROUND 1000000u
#define LEAST_READ   128u
#define FAILED_ROWS  16u /* what a sample that is gone costs, in rows */

/*
 * How many are kept at each level: 10 s of samples at 10 a second and some; a minute of folds; hours of
 * larger ones.
 */
static const uint32_t kept[LEVELS] = {128, 64, 64, 256};

#define ROWS (1u << XM_SCOPE_VCPU | 1u << XM_SCOPE_DOMAIN | 1u << XM_SCOPE_PCPU)
enum { VCPU, DOMAIN, PCPU, KINDS };
static const enum xm_scope scope_of[KINDS] = {XM_SCOPE_VCPU, XM_SCOPE_DOMAIN, XM_SCOPE_PCPU};

/*
 * The peaks of 16^level samples.  A row is its id and its peaks, troughs inverted so that the larger one
 * always wins. All vCPUs, all domains, all pCPUs follow each other.
 */
struct fold {
    uint64_t place; /* the first sample / 16^level; NO_INDEX: empty */
    uint32_t rows[KINDS];
    uint64_t *words;
    size_t room; /* words */
};

struct peak {
    uint16_t offset; /* in the row structure */
    bool trough;
};

struct xm_peaks {
    struct fold *level[LEVELS]; /* place p is at p modulo kept[] */
    struct peak peak[KINDS][MOST_PEAKS];
    unsigned count[KINDS];     /* words of a row are one more */
    struct fold spare[LEVELS]; /* where folds are made: one that is not whole is not kept */
    uint32_t left;             /* rows that may be read in this round */
    uint32_t read;             /* samples that were */
    enum xm_status whole;      /* what the fold under way has come to: XM_OK, nothing was left out so far */
};

/* ---- Life. */

static void learn_metrics(struct xm_peaks *p)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        for (unsigned kind = 0; kind < KINDS; kind++) {
            bool is = metrics[i].kind == XM_KIND_PEAK || metrics[i].kind == XM_KIND_TROUGH;
            if (is && metrics[i].scope == scope_of[kind] && p->count[kind] < MOST_PEAKS)
                p->peak[kind][p->count[kind]++] =
                    (struct peak){metrics[i].offset, metrics[i].kind == XM_KIND_TROUGH};
        }
}

struct xm_peaks *xm_peaks_create(void)
{
    struct xm_peaks *p = calloc(1, sizeof *p);
    for (unsigned level = 0; p && level < LEVELS; level++) {
        p->level[level] = calloc(kept[level], sizeof *p->level[level]);
        if (!p->level[level]) {
            xm_peaks_destroy(p);
            return NULL;
        }
    }
    if (p) {
        learn_metrics(p);
        xm_peaks_forget(p);
    }
    return p;
}

void xm_peaks_destroy(struct xm_peaks *p)
{
    if (!p)
        return;
    for (unsigned level = 0; level < LEVELS; level++) {
        for (uint32_t i = 0; p->level[level] && i < kept[level]; i++)
            free(p->level[level][i].words);
        free(p->level[level]);
        free(p->spare[level].words);
    }
    free(p);
}

void xm_peaks_forget(struct xm_peaks *p)
{
    for (unsigned level = 0; level < LEVELS; level++)
        for (uint32_t i = 0; i < kept[level]; i++) {
            free(p->level[level][i].words);
            p->level[level][i] = (struct fold){.place = NO_INDEX};
        }
}

void xm_peaks_begin(struct xm_peaks *p)
{
    p->left = ROWS_A_ROUND;
    p->read = 0;
}

/* ---- Folds. */

static size_t stride(const struct xm_peaks *p, unsigned kind)
{
    return p->count[kind] + 1;
}

static size_t words_of(const struct xm_peaks *p, const uint32_t rows[KINDS])
{
    size_t words = 0;
    for (unsigned kind = 0; kind < KINDS; kind++)
        words += rows[kind] * stride(p, kind);
    return words;
}

static bool make_room(const struct xm_peaks *p, struct fold *f, const uint32_t rows[KINDS])
{
    size_t words = words_of(p, rows);
    if (words > f->room) {
        /* A little more, so that a host that grows a domain at a time does not make every fold anew. */
        uint64_t *larger = calloc(words + words / 8, sizeof *larger);
        if (!larger)
            return false;
        free(f->words);
        f->words = larger;
        f->room = words + words / 8;
    }
    memcpy(f->rows, rows, sizeof f->rows);
    return true;
}

static const char *rows_in(const struct xm_sample *s, unsigned kind, uint32_t *count)
{
    *count = kind == VCPU ? s->used.vcpus : kind == DOMAIN ? s->used.domains : s->used.pcpus;
    return kind == VCPU     ? (const char *)s->vcpu
           : kind == DOMAIN ? (const char *)s->domain
                            : (const char *)s->pcpu;
}

static uint64_t word_at(const char *row, size_t offset)
{
    return *(const uint64_t *)(const void *)(row + offset);
}

/* Every row begins with its id. */
static bool fold_of_sample(const struct xm_peaks *p, const struct xm_sample *s, struct fold *f)
{
    uint32_t rows[KINDS];
    const char *row[KINDS];
    for (unsigned kind = 0; kind < KINDS; kind++)
        row[kind] = rows_in(s, kind, &rows[kind]);
    if (!make_room(p, f, rows))
        return false;
    uint64_t *to = f->words;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        size_t bytes = xm_row_bytes(scope_of[kind]);
        for (uint32_t i = 0; i < rows[kind]; i++, row[kind] += bytes) {
            *to++ = word_at(row[kind], 0);
            for (unsigned k = 0; k < p->count[kind]; k++) {
                uint64_t word = word_at(row[kind], p->peak[kind][k].offset);
                *to++ = p->peak[kind][k].trough ? ~word : word;
            }
        }
    }
    return true;
}

/*
 * Rows of a later fold into those of an earlier one.  Where a slot has another row since, that one is what
 * lives.
 */
static void add_rows(uint64_t *to, const uint64_t *from, uint32_t rows, size_t step)
{
    for (uint32_t i = 0; i < rows; i++, to += step, from += step) {
        if (to[0] == from[0]) {
            for (size_t k = 1; k < step; k++)
                to[k] = to[k] > from[k] ? to[k] : from[k];
        } else if (from[0]) {
            memcpy(to, from, step * sizeof *to);
        }
    }
}

static void copy_rows(const struct xm_peaks *p, struct fold *to, const struct fold *from)
{
    uint64_t *t = to->words;
    const uint64_t *f = from->words;
    for (unsigned kind = 0; t && kind < KINDS; kind++) { /* a fold without rows has no words either */
        size_t step = stride(p, kind);
        if (f) {
            memcpy(t, f, from->rows[kind] * step * sizeof *t);
            f += from->rows[kind] * step;
        }
        if (to->rows[kind] > from->rows[kind])
            memset(t + from->rows[kind] * step, 0, (to->rows[kind] - from->rows[kind]) * step * sizeof *t);
        t += to->rows[kind] * step;
    }
}

/* Makes room in `to` for the rows that `from` has more, which is rare: rows come and go. */
static bool widen(const struct xm_peaks *p, struct fold *to, const struct fold *from)
{
    struct fold wide = {.place = to->place};
    uint32_t rows[KINDS];
    bool wider = false;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        wider = wider || from->rows[kind] > to->rows[kind];
        rows[kind] = from->rows[kind] > to->rows[kind] ? from->rows[kind] : to->rows[kind];
    }
    if (!wider)
        return true;
    if (!make_room(p, &wide, rows))
        return false;
    copy_rows(p, &wide, to);
    free(to->words);
    *to = wide;
    return true;
}

static bool add(const struct xm_peaks *p, struct fold *to, const struct fold *from)
{
    if (!widen(p, to, from))
        return false;
    uint64_t *t = to->words;
    const uint64_t *f = from->words;
    for (unsigned kind = 0; t && f && kind < KINDS; kind++) {
        add_rows(t, f, from->rows[kind], stride(p, kind));
        t += to->rows[kind] * stride(p, kind);
        f += from->rows[kind] * stride(p, kind);
    }
    return true;
}

static void apply(const struct xm_peaks *p, const struct fold *f, struct xm_sample *into)
{
    const uint64_t *from = f->words;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        uint32_t rows;
        char *row = (char *)(uintptr_t)rows_in(into, kind, &rows);
        size_t bytes = xm_row_bytes(scope_of[kind]);
        for (uint32_t i = 0; i < f->rows[kind]; i++, row += bytes, from += stride(p, kind)) {
            if (i >= rows || from[0] == 0 || from[0] != word_at(row, 0))
                continue;
            for (unsigned k = 0; k < p->count[kind]; k++) {
                uint64_t *word = (uint64_t *)(void *)(row + p->peak[kind][k].offset);
                uint64_t value = p->peak[kind][k].trough ? ~from[k + 1] : from[k + 1];
                if (p->peak[kind][k].trough ? value < *word : value > *word)
                    *word = value;
            }
        }
    }
}

/* ---- Getting them. */

static struct fold *keep(struct xm_peaks *p, unsigned level, uint64_t place)
{
    struct fold *slot = &p->level[level][place % kept[level]];
    struct fold made = p->spare[level];
    p->spare[level] = *slot;
    *slot = made;
    slot->place = place;
    return slot;
}

/* The peaks of one sample; NULL: it is gone, or cannot be read in this round: p->whole says which. */
static const struct fold *read_one(struct xm_peaks *p, struct xm_region *region, uint64_t index,
                                   struct xm_sample *scratch)
{
    if (p->left == 0 && p->read >= LEAST_READ) {
        p->whole = XM_AGAIN;
        return NULL;
    }
    enum xm_region_outcome outcome = xm_region_rows(region, XM_SERIES_FAST, index, ROWS, scratch);
    uint32_t rows = outcome == XM_REGION_OK ? scratch->used.vcpus + scratch->used.domains : FAILED_ROWS;
    p->left -= rows < p->left ? rows : p->left;
    p->read++;
    if (outcome != XM_REGION_OK || !fold_of_sample(p, scratch, &p->spare[0])) {
        p->whole = outcome == XM_REGION_OVERRUN ? XM_END : XM_AGAIN;
        return NULL;
    }
    return keep(p, 0, index);
}

static const struct fold *fetch(struct xm_peaks *p, struct xm_region *region, unsigned level, uint64_t place,
                                struct xm_sample *scratch)
{
    struct fold *slot = &p->level[level][place % kept[level]];
    static const uint32_t none[KINDS];
    if (slot->place == place)
        return slot;
    if (level == 0)
        return read_one(p, region, place, scratch);
    struct fold *made = &p->spare[level];
    bool room = make_room(p, made, none);
    for (uint64_t i = place << FAN_BITS; room && i < (place + 1) << FAN_BITS; i++) {
        const struct fold *part = fetch(p, region, level - 1, i, scratch);
        if (!part)
            return NULL;
        room = add(p, made, part);
    }
    if (!room)
        p->whole = XM_AGAIN;
    return room ? keep(p, level, place) : NULL;
}

enum xm_status xm_peaks_fold(struct xm_peaks *p, struct xm_region *region, uint64_t first, uint64_t last,
                             struct xm_sample *scratch, struct xm_sample *into)
{
    uint64_t end = last + 1; /* from the newest back: where not all can be had, that part is */
    p->whole = XM_OK;
    while (end > first && p->whole == XM_OK) {
        unsigned level = LEVELS - 1;
        while (level && ((end & ((UINT64_C(1) << FAN_BITS * level) - 1)) ||
                         end - first < UINT64_C(1) << FAN_BITS * level))
            level--;
        end -= UINT64_C(1) << FAN_BITS * level;
        const struct fold *f = fetch(p, region, level, end >> FAN_BITS * level, scratch);
        if (f)
            apply(p, f, into);
    }
    return p->whole;
}
