/* SPDX-License-Identifier: MIT */
/* Files that hold a secret: tokens, hashes, passwords, the key of a certificate. */
#ifndef XM_SECRET_H
#define XM_SECRET_H

#include <stddef.h>

#include "xenmon/status.h"

/*
 * Whether the file's mode keeps others out: nobody but its owner and group may read it, nobody but its owner
 * may change it.  For files that a library reads by itself. XM_OK; XM_IO: it cannot be looked at, or is no
 * file; XM_DENIED: others may read or change it.  Err has the path.
 */
enum xm_status xm_secret_check(const char *path, struct xm_error *err) XM_MUST_CHECK;

/*
 * Reads the whole of such a file, `most` bytes at most, into *text, `most` + 1 bytes of memory; behind the
 * *bytes of the file it is all NULs.  The caller gives it back with xm_secret_free().  May block only where
 * the file system does. XM_OK; as above; XM_LIMIT: it is larger; XM_DAMAGED: a NUL is in it; XM_NOMEM.  On
 * failure *text is NULL.
 */
enum xm_status xm_secret_read(const char *path, size_t most, char **text, size_t *bytes,
                              struct xm_error *err) XM_MUST_CHECK;

/* Wipes and frees what was read; NULL is fine. */
void xm_secret_free(char *text, size_t bytes);

#endif
