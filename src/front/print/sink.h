/* SPDX-License-Identifier: MIT */
/*
 * Where a log goes: a file, pipe or terminal that gets whole pieces, one write(2) each where the system takes
 * it.
 *
 * A piece is put together in memory and written at its end, so that who reads along sees whole lines, and a
 * log that is killed ends with one.  Of a piece that does not fit on a disk nothing stays: a regular file is
 * cut back to where the piece began.  From a pipe nothing can be taken back: what has half a piece is torn, and
 * gets no more.
 *
 * Threads: one sink, one thread.
 */
#ifndef XM_SINK_H
#define XM_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "xenmon/status.h"

struct xm_sink {
    int fd;       /* owned; -1: none */
    bool regular; /* a regular file */
    bool used;    /* something has been written since it was attached */
    bool torn;    /* it has a part of a piece that could not be taken back */
    FILE *text;   /* in memory: the piece */
    char *data;
    size_t room;
};

/* An empty one without a file.  XM_OK, XM_NOMEM. */
enum xm_status xm_sink_init(struct xm_sink *sink) XM_MUST_CHECK;
void xm_sink_fini(struct xm_sink *sink); /* closes the file; one that is all 0 is fine */

/* From now on to `fd`, which belongs to the sink; -1: to none.  The one before is closed. */
void xm_sink_attach(struct xm_sink *sink, int fd);

/*
 * Begins a piece: where to print it.  Borrowed until the next call.  *empty: nothing stands there yet, which
 * is also so where somebody has emptied the file since: a header is due.
 */
FILE *xm_sink_begin(struct xm_sink *sink, bool *empty);

/*
 * Writes the piece, and waits for a slow reader, also where the file is set not to (O_NONBLOCK).  `enough`
 * (may be NULL) is asked whenever a signal interrupts that, and now and then: true ends the waiting.
 * XM_OK; XM_IO: errno says why (EINTR: enough), and sink->torn whether a part of the piece stays there; if not,
 * the file is as it was before; one that is torn already takes nothing (EIO).  XM_NOMEM: it was not written at
 * all.
 */
enum xm_status xm_sink_commit(struct xm_sink *sink, bool (*enough)(void *user), void *user) XM_MUST_CHECK;

/*
 * Closes the file.  XM_OK, also without one; XM_IO: only now the system says that it lost something (errno).
 */
enum xm_status xm_sink_close(struct xm_sink *sink) XM_MUST_CHECK;

#endif
