/* SPDX-License-Identifier: MIT */
#include "source/pass.h"

#include <stdlib.h>
#include <string.h>

void xm_pass_clear(struct xm_pass *pass)
{
    struct xm_pass empty = {.cpu = pass->cpu, .room = pass->room};
    *pass = empty;
}

void xm_pass_free(struct xm_pass *pass)
{
    free(pass->cpu);
    *pass = (struct xm_pass){0};
}

static bool reserve(struct xm_pass *pass, uint32_t cpus)
{
    if (cpus > pass->room) {
        uint32_t room = cpus < 16 ? 16 : 2 * cpus;
        struct xm_pass_cpu *grown = realloc(pass->cpu, room * sizeof *grown);
        if (!grown)
            return false;
        pass->cpu = grown;
        pass->room = room;
    }
    for (; pass->cpus < cpus; pass->cpus++)
        pass->cpu[pass->cpus] = (struct xm_pass_cpu){.current = XM_PASS_NOBODY};
    return true;
}

/* RUNSTATE has the vCPU in the low half, LOST_RECORDS the domain. */
static uint32_t halves_swapped(uint32_t word)
{
    return word << 16 | word >> 16;
}

/* Who runs on this CPU after this record, as far as it says. */
static void follow_current(struct xm_pass_cpu *c, uint32_t event, uint32_t word)
{
    uint32_t who = halves_swapped(word);
    bool runstate = (event & 0xfffffc0fu) == XM_TRC_RUNSTATE;
    if (event == XM_TRC_CONTINUE || (runstate && (event >> 4 & 3) == XM_RUNNING))
        c->current = who;
    else if (runstate && c->current == who)
        c->current = XM_PASS_NOBODY;
}

static void note_lost(struct xm_pass_cpu *c, const unsigned char *payload, unsigned words, uint64_t *since)
{
    uint32_t count = words ? xm_load32(payload) : 0;
    c->records += count;
    c->lost += count;
    if (words < 4)
        return;
    c->current = xm_load32(payload + 4);
    uint64_t first = xm_load64(payload + 8);
    if (first && first < *since)
        *since = first;
}

static void note_record(struct xm_pass_cpu *c, const unsigned char *record)
{
    uint32_t header = xm_load32(record);
    uint32_t event = XM_HEADER_EVENT(header);
    unsigned words = XM_HEADER_WORDS(header);
    const unsigned char *payload = record + 4 + 8 * (size_t)XM_HEADER_TSC(header);
    if (event == XM_TRC_WRAP)
        return;
    uint64_t tsc = XM_HEADER_TSC(header) ? xm_load64(record + 4) : 0;
    uint64_t since = tsc;
    c->untimed |= event == XM_TRC_LOST && !tsc;
    if (event == XM_TRC_LOST)
        note_lost(c, payload, words, &since);
    else
        c->records++;
    if (words)
        follow_current(c, event, xm_load32(payload));
    if (!tsc)
        return;
    if (!c->first_tsc) {
        c->first_tsc = tsc;
        c->since_tsc = since;
    }
    if (tsc > c->last_tsc)
        c->last_tsc = tsc;
}

static enum xm_status begin_window(struct xm_pass *pass, const unsigned char *header, struct xm_error *err)
{
    uint32_t cpu = xm_load32(header + 4);
    uint32_t bytes = xm_load32(header + 8);
    if (xm_load32(header) != XM_WINDOW_HEADER || cpu >= XM_PASS_CPUS || bytes > XM_WINDOW_MAX_BYTES || bytes % 4)
        return xm_fail(err, XM_DAMAGED, pass->offset, "byte %llu of a pass: no CPU_CHANGE record where a window must begin",
                       (unsigned long long)pass->offset);
    if (!reserve(pass, cpu + 1))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    pass->at = cpu;
    pass->left = bytes;
    pass->offset += XM_WINDOW_HEADER_BYTES;
    return XM_OK;
}

/* Bytes of what begins at `item`, of which `have` are there: 4 until a record's header is. */
static size_t item_bytes(const struct xm_pass *pass, const unsigned char *item, size_t have)
{
    if (pass->left == 0)
        return XM_WINDOW_HEADER_BYTES;
    return have < 4 ? 4 : XM_HEADER_BYTES(xm_load32(item));
}

/* Takes what is whole at `item`.  A record that is longer than what is left of its window spoils the rest of it. */
static enum xm_status take(struct xm_pass *pass, const unsigned char *item, size_t bytes, struct xm_error *err)
{
    if (pass->left == 0)
        return begin_window(pass, item, err);
    note_record(&pass->cpu[pass->at], item);
    pass->offset += bytes;
    pass->left -= (uint32_t)bytes;
    return XM_OK;
}

/* Leaves out the rest of a window; returns how many of the `size` bytes at hand belong to it. */
static size_t skip(struct xm_pass *pass, size_t size)
{
    size_t bytes = size < pass->left ? size : pass->left;
    pass->left -= (uint32_t)bytes;
    pass->offset += bytes;
    pass->damaged_bytes += bytes;
    pass->skipping = pass->left > 0;
    return bytes;
}

static bool overruns(const struct xm_pass *pass, const unsigned char *item, size_t have)
{
    return pass->left && have >= 4 && XM_HEADER_BYTES(xm_load32(item)) > pass->left;
}

/* Puts more of what was cut into the carry, and takes it once it is whole.  *used: of the bytes at hand. */
static enum xm_status add_carried(struct xm_pass *pass, const unsigned char *bytes, size_t size, size_t *used,
                                  struct xm_error *err)
{
    size_t more = item_bytes(pass, pass->carry, pass->carried) - pass->carried;
    if (more > size)
        more = size;
    memcpy(pass->carry + pass->carried, bytes, more);
    pass->carried += more;
    *used = more;
    if (overruns(pass, pass->carry, pass->carried)) {
        (void)skip(pass, pass->carried);
        pass->skipping = pass->left > 0;
        pass->carried = 0;
        return XM_OK;
    }
    size_t whole = item_bytes(pass, pass->carry, pass->carried);
    if (pass->carried < whole)
        return XM_OK;
    pass->carried = 0;
    return take(pass, pass->carry, whole, err);
}

enum xm_status xm_pass_add(struct xm_pass *pass, const void *bytes, size_t size, struct xm_error *err)
{
    const unsigned char *at = bytes;
    enum xm_status status = XM_OK;
    while (size > 0 && status == XM_OK) {
        size_t used;
        if (pass->skipping || (pass->carried == 0 && overruns(pass, at, size))) {
            used = skip(pass, size);
        } else if (pass->carried == 0 && item_bytes(pass, at, size) <= size) {
            used = item_bytes(pass, at, size);
            status = take(pass, at, used, err);
        } else {
            status = add_carried(pass, at, size, &used, err);
        }
        at += used;
        size -= used;
    }
    return status;
}

enum xm_status xm_pass_end(const struct xm_pass *pass, struct xm_error *err)
{
    if (pass->left == 0 && pass->carried == 0)
        return XM_OK;
    return xm_fail(err, XM_DAMAGED, pass->offset, "byte %llu of a pass: it ends within a window",
                   (unsigned long long)pass->offset);
}

enum xm_status xm_pass_merge(struct xm_pass *pass, const struct xm_pass *later)
{
    if (!reserve(pass, later->cpus))
        return XM_NOMEM;
    for (uint32_t i = 0; i < later->cpus; i++) {
        struct xm_pass_cpu *c = &pass->cpu[i];
        const struct xm_pass_cpu *l = &later->cpu[i];
        c->records += l->records;
        c->lost += l->lost;
        c->untimed |= l->untimed;
        if (!c->first_tsc) {
            c->first_tsc = l->first_tsc;
            c->since_tsc = l->since_tsc;
        }
        if (l->last_tsc > c->last_tsc)
            c->last_tsc = l->last_tsc;
        if (l->records)
            c->current = l->current;
    }
    return XM_OK;
}

uint64_t xm_pass_first_tsc(const struct xm_pass *pass)
{
    uint64_t first = 0;
    for (uint32_t i = 0; i < pass->cpus; i++)
        if (pass->cpu[i].first_tsc && (!first || pass->cpu[i].first_tsc < first))
            first = pass->cpu[i].first_tsc;
    return first;
}

uint64_t xm_pass_last_tsc(const struct xm_pass *pass)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < pass->cpus; i++)
        if (pass->cpu[i].last_tsc > last)
            last = pass->cpu[i].last_tsc;
    return last;
}

uint64_t xm_pass_records(const struct xm_pass *pass)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < pass->cpus; i++)
        records += pass->cpu[i].records;
    return records;
}

uint64_t xm_pass_lost(const struct xm_pass *pass)
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < pass->cpus; i++)
        lost += pass->cpu[i].lost;
    return lost;
}

/*
 * How many bytes at the beginning of a window are not newer than `tsc`: up to the first record that is, or to a LOST_RECORDS
 * without a time that none with one follows: it speaks of what comes next.
 */
static uint32_t old_bytes(const unsigned char *window, uint32_t size, uint64_t tsc)
{
    uint32_t at = 0;
    uint32_t old = size;
    while (at + 4 <= size) {
        uint32_t header = xm_load32(window + at);
        uint32_t bytes = XM_HEADER_BYTES(header);
        if (bytes > size - at)
            break;
        if (XM_HEADER_TSC(header) && XM_HEADER_EVENT(header) != XM_TRC_WRAP && xm_load64(window + at + 4) > tsc)
            return at;
        if (XM_HEADER_TSC(header))
            old = size;
        else if (XM_HEADER_EVENT(header) == XM_TRC_LOST && old == size)
            old = at;
        at += bytes;
    }
    return old;
}

size_t xm_pass_newer(const void *bytes, size_t size, const struct xm_pass *seen, void *out)
{
    const unsigned char *from = bytes;
    unsigned char *to = out;
    size_t made = 0;
    for (size_t at = 0; at < size;) {
        const uint32_t cpu = xm_load32(from + at + 4);
        uint32_t window = xm_load32(from + at + 8);
        uint64_t last = cpu < seen->cpus ? seen->cpu[cpu].last_tsc : 0;
        uint32_t old = last ? old_bytes(from + at + XM_WINDOW_HEADER_BYTES, window, last) : 0;
        const uint32_t header[3] = {XM_WINDOW_HEADER, cpu, window - old};
        const unsigned char *kept = from + at + XM_WINDOW_HEADER_BYTES + old;
        at += XM_WINDOW_HEADER_BYTES + window;
        if (old == window)
            continue;
        /* In place this goes down only, and the header is in hand before its place is written over. */
        memcpy(to + made, header, sizeof header);
        memmove(to + made + sizeof header, kept, window - old);
        made += sizeof header + window - old;
    }
    return made;
}

static size_t write_mark(unsigned char *out, uint32_t cpu, const struct xm_record *lost)
{
    uint32_t bytes = 4 + 8 * lost->has_tsc + 4 * (uint32_t)lost->words;
    const uint32_t header[3] = {XM_WINDOW_HEADER, cpu, bytes};
    memcpy(out, header, sizeof header);
    (void)xm_record_write(lost, out + sizeof header, bytes);
    return sizeof header + bytes;
}

void xm_pass_mark(void *out, uint32_t cpu, uint32_t count, uint64_t tsc, uint32_t current, uint64_t first_tsc)
{
    if (current == XM_PASS_NOBODY)
        current |= cpu << 16;
    const struct xm_record lost = {.event = XM_TRC_LOST, .has_tsc = true, .words = 4, .tsc = {tsc},
                                   .word = {count, current, (uint32_t)first_tsc, (uint32_t)(first_tsc >> 32)}};
    (void)write_mark(out, cpu, &lost);
}

/* Of one CPU.  out may be NULL.  Returns bytes. */
static size_t mark_of(unsigned char *out, uint32_t cpu, const struct xm_pass_cpu *c)
{
    uint32_t count = c->records < UINT32_MAX ? (uint32_t)c->records : UINT32_MAX;
    const struct xm_record untimed = {.event = XM_TRC_LOST, .words = 1, .word = {count}};
    unsigned char unwanted[XM_PASS_MARK_BYTES];
    if (!c->first_tsc || c->untimed)
        return write_mark(out ? out : unwanted, cpu, &untimed);
    xm_pass_mark(out ? out : unwanted, cpu, count, c->last_tsc, c->current, c->since_tsc);
    return XM_PASS_MARK_BYTES;
}

size_t xm_pass_marks(const struct xm_pass *lost, void *out)
{
    size_t made = 0;
    for (uint32_t i = 0; i < lost->cpus; i++)
        if (lost->cpu[i].records > 0)
            made += mark_of(out ? (unsigned char *)out + made : NULL, i, &lost->cpu[i]);
    return made;
}
