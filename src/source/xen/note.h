/* SPDX-License-Identifier: MIT */
/*
 * The note that a live source keeps while it traces: how tracing was set before, so that whoever starts after a writer
 * that was killed can put it back.
 *
 * A text file of a few lines, replaced as a whole.  It counts only within the boot that it was written in: what a
 * hypervisor was told is gone with it.
 *
 * Threads: one.
 */
#ifndef XM_NOTE_H
#define XM_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "xenmon/status.h"

enum xm_note_tracing { XM_NOTE_OFF, XM_NOTE_ON, XM_NOTE_UNKNOWN };

struct xm_note {
    uint64_t pid;                 /* of the writer, */
    uint64_t start;               /* and when it began, as xm_process_start(); 0: not known */
    uint32_t events;              /* event mask before */
    enum xm_note_tracing tracing; /* before; unknown: the writer had not found out, and had not switched it on */
};

/*
 * Reads the note at `path`; proc: "/proc", where this boot's name is found.
 * XM_OK; XM_END: there is none, or it is from another boot; XM_DAMAGED, XM_IO: err says why it cannot be used.
 */
enum xm_status xm_note_read(const char *path, const char *proc, struct xm_note *note, struct xm_error *err) XM_MUST_CHECK;

/*
 * Writes a note of this process with mode 0600, whole or not at all; pid and start are filled in.
 * XM_OK; XM_DENIED, XM_IO: err says why, an earlier note is as it was.
 */
enum xm_status xm_note_write(const char *path, const char *proc, const struct xm_note *note, struct xm_error *err) XM_MUST_CHECK;

/* Removes it.  XM_OK, also where there is none; XM_DENIED, XM_IO. */
enum xm_status xm_note_remove(const char *path, struct xm_error *err) XM_MUST_CHECK;

/* Whether the writer still runs. */
bool xm_note_alive(const struct xm_note *note);

#endif
