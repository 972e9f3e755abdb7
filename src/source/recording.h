/* SPDX-License-Identifier: MIT */
/*
 * A recording: passes as they come, into a file as xentrace writes it (doc/trace-format.md 1.6), plain or packed with
 * zstd, or into one such file after the other.
 *
 * Each file begins with a whole pass and can be read on its own.  At any moment, also after a crash, it can be read up
 * to the last pass (plain) or the last second (packed) before.  Where the disk is full the file is cut back to what
 * is whole, and closed as if it had ended there.
 *
 * Files are made with mode 0600, for what guests do can be read off a trace; links are not followed.
 *
 * Threads: one.  The clock is the caller's.
 */
#ifndef XM_RECORDING_H
#define XM_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

#define XM_RECORDING_LEVEL 3       /* zstd's own default */
#define XM_RECORDING_MAX_LEVEL 19
#define XM_RECORDING_MAX_KEEP 10000u
#define XM_RECORDING_FLUSH_NS UINT64_C(1000000000)

struct xm_recording;

struct xm_recording_config {
    const char *path;      /* of the first file; copied */
    int fd;                /* not -1: write there, plain, and close nothing; `path` is its name in messages */
    bool packed;           /* with zstd */
    int level;             /* 1 to XM_RECORDING_MAX_LEVEL */
    bool force;            /* replace files that exist */
    uint64_t max_bytes;    /* of all files together, as they lie on the disk; 0: no limit */
    uint64_t rotate_bytes; /* go on in another file before this one grows beyond; 0: never */
    uint64_t rotate_ns;    /* or when it is so old; 0: never */
    uint32_t keep;         /* files; the oldest is removed when there is one more, and where it cannot be that is an
                              XM_IO; 0: all, at most XM_RECORDING_MAX_KEEP */
    uint64_t sync_ns;      /* between calls of fdatasync(2); 0: at the end of each file only */
    /* Asked where a signal interrupts a write that waits (a pipe), and while it waits: true gives up.  May be NULL. */
    bool (*stop)(void *user);
    void *user;
};

/* Whether a file of this name is to be packed: it ends in .zst, and has a name before that. */
bool xm_recording_is_packed(const char *path);

/*
 * The file names of a rotation: PATH, PATH.1, PATH.2 ...; where PATH ends in .zst the number comes before that.  Numbers
 * whose file exists are left out unless `force`.
 *
 * XM_OK; XM_INVALID: a file of that name exists (without `force`), or something that is no file; XM_UNSUPPORTED: packed, in
 * a build without zstd; XM_IO, XM_NOMEM.
 */
enum xm_status xm_recording_open(const struct xm_recording_config *config, uint64_t now_ns, struct xm_recording **recording,
                                 struct xm_error *err) XM_MUST_CHECK;

/*
 * Writes a whole pass; marks: it tells of records that were left out on the way (source/tee.h).
 * XM_OK; XM_END: max_bytes would be exceeded, or whoever read a pipe has gone, or `stop` said so: nothing more is to be
 * written; XM_DAMAGED: this is no pass, or its clock is not that of the ones before; XM_IO: the system's words, and what was
 * written before is complete; XM_NOMEM.  After anything but XM_OK only xm_recording_close() may follow.
 */
enum xm_status xm_recording_pass(struct xm_recording *recording, const void *bytes, size_t size, bool marks, uint64_t now_ns,
                                 struct xm_error *err) XM_MUST_CHECK;

/*
 * The source was gone, and from the last pass to the next one nothing is known: with that one, a LOST_RECORDS is written
 * for every CPU that was seen so far, from its last record to its next, or to the beginning of the pass where it has none in it.
 * How many were lost is not known either: each says 1.  Records that had been written already are left out.
 */
void xm_recording_gap(struct xm_recording *recording);

/* Time goes on: flushes and syncs what is due.  XM_OK, XM_END, XM_IO as above. */
enum xm_status xm_recording_tick(struct xm_recording *recording, uint64_t now_ns, struct xm_error *err) XM_MUST_CHECK;

struct xm_recording_status {
    uint64_t bytes;   /* in files, as they lie on the disk, those removed by `keep` included */
    uint64_t passes;  /* marks not counted */
    uint64_t records;
    uint64_t lost;    /* by the hypervisor: told by LOST_RECORDS */
    uint64_t dropped; /* told by marks */
    uint64_t gaps;    /* times the source was gone in between */
    uint32_t files;
};

/* Completes the file and frees all.  XM_OK; XM_IO.  NULL is fine. */
enum xm_status xm_recording_close(struct xm_recording *recording, struct xm_recording_status *status,
                                  struct xm_error *err) XM_MUST_CHECK;

#endif
