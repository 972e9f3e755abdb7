/* SPDX-License-Identifier: MIT */
/*
 * What xenstore knows of domains, asked in a thread of its own.
 *
 * A xenstored that hangs, or dom0's kernel waiting for one, makes a read last for ever, and libxenstore can
 * neither be given a time limit nor be asked whether an answer is there (xs_fileno() is about watches only).
 * So the daemon hands over a list of questions and looks later whether they have been answered: it never
 * waits for xenstored, but at the start (a second at most) and at the end (half a second at most).  A thread
 * that xenstored still holds then is left behind: it frees what it has as soon as it is let go, or ends with
 * the process.
 *
 * The thread takes no signals.  It is made by xm_names_open(): call that after forking, and with the
 * privileges that connecting to xenstored needs (root), which the connection outlives.  A broken one cannot
 * be made anew without them.
 *
 * Threads: one, besides its own.
 */
#ifndef XM_NAMES_H
#define XM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

#define XM_DOMIDS 0x7ff0u /* domains' ids are below this; above are names for others, DOMID_XEN and such */

/* A domain of whom something is asked. */
struct xm_names_row {
    uint16_t domid;  /* the question */
    bool answered;   /* and what follows is the answer; "" and 0: xenstore has none */
    char name[64];   /* any bytes */
    char uuid[40];   /* 36 characters, hexadecimal digits and hyphens */
    uint32_t vcpus, online; /* where work->cpus asked for them */
};

/* Questions and answers; it belongs to one side at a time. */
struct xm_names_work {
    bool list; /* asked: which domains there are */
    bool cpus; /* asked: vCPUs, a read for each */
    size_t count;
    struct xm_names_row *row; /* [count], in room for as many as xm_names_room() made */

    bool reached; /* xenstored answered until the end */
    bool listed;  /* `domains` is what xenstore lists */
    uint8_t domains[XM_DOMIDS / 8]; /* domain n is bit n % 8 of byte n / 8 */
};

struct xm_names;

/*
 * Starts the thread and waits up to a second for its connection; libraries as in xm_xenstore_load().  XM_OK;
 * a daemon that is not there or silent is no error, then `said` (may be NULL) says so.  XM_UNSUPPORTED: no
 * library; XM_IO: no thread; XM_NOMEM; then `said` says it too.
 */
enum xm_status xm_names_open(const char *const *libraries, struct xm_names **names,
                             struct xm_error *said) XM_MUST_CHECK;
void xm_names_close(struct xm_names *names); /* up to half a second; NULL is fine */

/* The work, with the last answers in it; NULL while the thread has it.  Never waits. */
struct xm_names_work *xm_names_work(struct xm_names *names);

/* Room for so many rows; only while the work is not the thread's.  XM_NOMEM: all is as before. */
enum xm_status xm_names_room(struct xm_names *names, size_t rows) XM_MUST_CHECK;

/*
 * Hands the work over.  Rows are answered in their order, as they come; what is not reached stays unanswered.
 */
void xm_names_ask(struct xm_names *names);

#endif
