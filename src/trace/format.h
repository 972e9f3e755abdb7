/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the Xen trace ABI (xen/include/public/trace.h; doc/trace-format.md, sections 1 and 2), and
 * the table that says which of them mean something to accounting.
 */
#ifndef XM_TRACE_FORMAT_H
#define XM_TRACE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "xenmon/trace.h"

/* The header word of a record in the variable format. */
#define XM_HEADER_EVENT(h) ((h) & 0x0fffffffu)
#define XM_HEADER_WORDS(h) ((h) >> 28 & 7u)
#define XM_HEADER_TSC(h) ((h) >> 31)
#define XM_HEADER_BYTES(h) (4u + 8u * XM_HEADER_TSC(h) + 4u * XM_HEADER_WORDS(h))
#define XM_HEADER(event, words, tsc) ((uint32_t)(event) | (uint32_t)(words) << 28 | (uint32_t)(tsc) << 31)

#define XM_TRC_LOST 0x0001f001u
#define XM_TRC_WRAP 0x0001f002u
#define XM_TRC_CPU_CHANGE 0x0001f003u
#define XM_TRC_RUNSTATE 0x00021001u
#define XM_TRC_CONTINUE 0x00021002u
#define XM_TRC_SWITCH_INFPREV 0x0002800eu
#define XM_TRC_SWITCH_INFNEXT 0x0002800fu
#define XM_TRC_SWITCH 0x0002800au
#define XM_TRC_DOM_ADD 0x00041001u
#define XM_TRC_DOM_REM 0x00041002u
#define XM_TRC_GRANT_MAP 0x0010f001u
#define XM_TRC_GRANT_UNMAP 0x0010f002u
#define XM_TRC_GRANT_TRANSFER 0x0010f003u
#define XM_TRC_PV_HYPERCALL 0x0020100du
#define XM_TRC_PV_SUBCALL 0x0020200eu

#define XM_CLASS_GEN 0x0001u
#define XM_CLASS_MEM 0x0010u
#define XM_CLASS_PV 0x0020u

/* A CPU_CHANGE record as xentrace writes it: header, CPU, bytes in the window that follows. */
#define XM_WINDOW_HEADER XM_HEADER(XM_TRC_CPU_CHANGE, 2, 0)
#define XM_WINDOW_HEADER_BYTES 12u
/* No buffer is larger than 65535 pages (doc/trace-format.md 1.1), so no window is. */
#define XM_WINDOW_MAX_BYTES (65535u * 4096u)

/* Numbers of Xen before 3.4, whose scheduler events had all subclass bits set. */
#define XM_LEGACY_SCHED 0x0002f000u
#define XM_VERBOSE_SCHED 0x00028000u
/* TRC_MEM of Xen 3.0.0 to 3.0.3. */
#define XM_LEGACY_MEM 0x000af000u

static inline uint32_t xm_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t xm_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the trace of a little-endian Xen is read on a little-endian machine only"
#endif

#define XM_WORDS_LOOK_CLOSER 8u

/* What is known of one event number. */
struct xm_wanted {
    uint32_t event; /* ~0: free entry */
    uint32_t words; /* payload words that it needs; 8, more than any has: look closer */
    uint32_t mask;  /* and what its first payload word must be under this mask: */
    uint32_t value; /* most hypercalls are told apart here, without a branch */
    uint64_t meta;  /* an event's bytes 8 to 15 but for its CPU and words: see xm_event_meta() */
};

/* kind, from_to and legacy as they lie in struct xm_event: little endian, asserted in format.c. */
static inline uint64_t xm_event_meta(unsigned kind, unsigned from_to, unsigned legacy)
{
    return (uint64_t)kind << 16 | (uint64_t)from_to << 32 | (uint64_t)legacy << 40;
}

static inline unsigned xm_meta_kind(uint64_t meta)
{
    return meta >> 16 & 0xffu;
}

/*
 * A perfect hash of the event numbers that mean something: one multiplication, one load, one compare, no
 * branch, so that the many records that mean nothing cost next to nothing.
 */
#define XM_WANTED_BITS 8
#define XM_WANTED_FACTOR 0x1027c4d1u /* found by trying; xm_wanted_fill() asserts that nothing collides */
struct xm_wanted_table {
    struct xm_wanted entry[1u << XM_WANTED_BITS];
};

static inline uint32_t xm_wanted_index(uint32_t event)
{
    return event * XM_WANTED_FACTOR >> (32 - XM_WANTED_BITS);
}

/* Fills the table anew; any earlier content is lost. */
/* kinds: a bit for each enum xm_event_kind that is wanted. */
void xm_wanted_fill(struct xm_wanted_table *table, uint32_t kinds);

/* Exactly one class bit and some subclass bit: what every record of every Xen has. */
static inline bool xm_event_plausible(uint32_t event)
{
    uint32_t class = event >> 16;
    return (class & (class - 1)) == 0 && class != 0 && (event & 0xf000u) != 0;
}

#define XM_HYPERCALL_MASK 0xfffffu
#define XM_HYPERCALL_GRANT_TABLE_OP 20u

/* Copies in a PV hypercall record's payload, 0 where it is something else (doc/trace-format.md 3.1). */
uint32_t xm_hypercall_copies(const uint32_t *word, unsigned words);

#endif
