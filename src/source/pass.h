/* SPDX-License-Identifier: MIT */
/*
 * A pass over the trace buffers (doc/trace-format.md 1.6), looked through without being decoded: do its windows add
 * up, and how many records of which time are in it, CPU by CPU.  It is what must be known of records that are left out
 * (the tee) or go to a file as they are (a recording).
 *
 * Threads: one pass, one thread.
 */
#ifndef XM_PASS_H
#define XM_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/format.h"
#include "xenmon/status.h"
#include "xenmon/trace.h"

#define XM_PASS_CPUS 4096u /* what a stream believes in unless told otherwise */

/* A window that holds nothing but a LOST_RECORDS. */
#define XM_PASS_MARK_BYTES (XM_WINDOW_HEADER_BYTES + 28u)

/* All buffers together (doc/trace-format.md 1.1), with a header for each, and a mark. */
#define XM_PASS_MAX_BYTES ((UINT32_C(1) << 28) + XM_PASS_CPUS * (XM_WINDOW_HEADER_BYTES + XM_PASS_MARK_BYTES))

/*
 * Nobody is known to be current: a reserved id, which no domain has.  Among those it is the one by which xenalyze means the
 * same, with the CPU's number for a vCPU, so that it does not list a domain that never was.
 */
#define XM_PASS_NOBODY 0x8000u

/* Of one CPU.  Times are TSC cycles; 0: no record had one. */
struct xm_pass_cpu {
    uint64_t records;   /* all but fillers; a LOST_RECORDS counts for as many as it says */
    uint64_t lost;      /* of them, those that LOST_RECORDS speaks of */
    uint64_t first_tsc; /* of the first record that has one */
    uint64_t since_tsc; /* the same, but a LOST_RECORDS reaches back to its first drop */
    uint64_t last_tsc;  /* of the last record that has one */
    bool untimed;       /* a LOST_RECORDS without a time is among them: it reaches to the records around it */
    uint32_t current;   /* who ran last, vcpu << 16 | dom as LOST_RECORDS has it; XM_PASS_NOBODY: not known */
};

/* Zeroed is empty; released by xm_pass_free(). */
struct xm_pass {
    struct xm_pass_cpu *cpu; /* [0 .. cpus-1] */
    uint32_t cpus;           /* highest CPU in it + 1 */
    uint32_t room;
    uint64_t offset;         /* bytes looked through */
    uint64_t damaged_bytes;  /* of windows that do not consist of whole records: skipped to the window's end */
    uint32_t at, left;       /* the window at hand: its CPU, and its bytes still to come */
    bool skipping;           /* the window at hand makes no sense any more */
    size_t carried;          /* bytes of a record or header that was cut by the end of a piece */
    unsigned char carry[XM_RECORD_MAX_BYTES];
};

void xm_pass_clear(struct xm_pass *pass); /* empties it, keeps its memory */
void xm_pass_free(struct xm_pass *pass);

/*
 * Looks through the next bytes of a pass, in any split.  XM_OK; XM_DAMAGED: where a window must begin there is none (err
 * says at which byte of the pass), and nothing more can be told; XM_NOMEM.  Cost: some ns a record; allocates when a CPU
 * with a higher number comes.
 */
enum xm_status xm_pass_add(struct xm_pass *pass, const void *bytes, size_t size, struct xm_error *err) XM_MUST_CHECK;

/* No more bytes.  XM_OK; XM_DAMAGED: it ends within a window. */
enum xm_status xm_pass_end(const struct xm_pass *pass, struct xm_error *err) XM_MUST_CHECK;

/* Adds what is known of a later pass to `pass`: one span of time becomes of two.  XM_OK, XM_NOMEM. */
enum xm_status xm_pass_merge(struct xm_pass *pass, const struct xm_pass *later) XM_MUST_CHECK;

/* Smallest and largest time in it; 0: there is none.  Sums over its CPUs. */
uint64_t xm_pass_first_tsc(const struct xm_pass *pass);
uint64_t xm_pass_last_tsc(const struct xm_pass *pass);
uint64_t xm_pass_records(const struct xm_pass *pass);
uint64_t xm_pass_lost(const struct xm_pass *pass);

/*
 * Copies a pass, which xm_pass_add() and xm_pass_end() found good, to `out` (`size` bytes, may be `bytes` itself) but for
 * those first records of each window that are not newer than what `seen` knows of their CPU; returns its new size.  A
 * LOST_RECORDS without a time is as old as the record behind it.
 */
size_t xm_pass_newer(const void *bytes, size_t size, const struct xm_pass *seen, void *out);

/* Writes XM_PASS_MARK_BYTES: a window of `cpu` with a LOST_RECORDS written at `tsc`. */
void xm_pass_mark(void *out, uint32_t cpu, uint32_t count, uint64_t tsc, uint32_t current, uint64_t first_tsc);

/*
 * What was left out, as marks: a window with a LOST_RECORDS for each CPU that has records in `lost`.  It says how many, from
 * the time of the first to that of the last, with which it is written, and who was running then as far as they say.  Where
 * they do not say when they were, all of them, it has no time either and reaches from the CPU's record before to the
 * one after.  out: room for XM_PASS_MARK_BYTES for each of lost->cpus, or NULL to learn the size.  Returns bytes.
 */
size_t xm_pass_marks(const struct xm_pass *lost, void *out);

#endif
