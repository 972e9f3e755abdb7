/* SPDX-License-Identifier: MIT */
/*
 * Files and directories of a region: what the writer does with names.
 *
 * What the system refuses for want of a permission is XM_DENIED in all of these, everything else that goes wrong XM_IO.
 */
#ifndef XM_PLACE_H
#define XM_PLACE_H

#include <stdint.h>

#include "xenmon/status.h"

/*
 * Makes the directory that `path` lies in if there is none (the last level only; 0755 for root, 0700 for
 * others) and makes sure that nobody else can exchange what is in it: it belongs to us, to root, or, where we are root,
 * to the user xenmon, and
 * others may not write to it, unless it is sticky.  XM_OK; XM_IO, XM_DENIED, and `err` say what is wrong.
 */
enum xm_status xm_place_directory(const char *path, struct xm_error *err) XM_MUST_CHECK;

/*
 * A region replaces only a region: XM_OK where `path` names nothing, or a file of ours that begins as one does; XM_INVALID for
 * anything else, be it a device, a link or somebody's file; XM_IO, XM_DENIED.
 */
enum xm_status xm_place_replaces(const char *path, struct xm_error *err) XM_MUST_CHECK;

/*
 * Takes the lock file `path`.lock and writes our pid to it; *fd holds the lock until xm_place_unlock().
 * XM_OK; XM_LIMIT: another process has it, `err` names its pid; XM_IO, XM_DENIED.
 */
enum xm_status xm_place_lock(const char *path, int *fd, struct xm_error *err) XM_MUST_CHECK;

/* Gives the lock back and removes its file. */
void xm_place_unlock(const char *path, int fd);

/*
 * Makes the file `path`.new with `bytes` bytes that really exist, mode 0640, of group xenmon where there
 * is such a group and we may, and maps it whole: *fd and *base are the caller's, the bytes are 0.
 * XM_OK; XM_IO: also when there is no room for them (which would be SIGBUS later); XM_DENIED.  On failure nothing
 * is left.
 */
enum xm_status xm_place_create(const char *path, uint64_t bytes, int *fd, void **base,
                               struct xm_error *err) XM_MUST_CHECK;

/* Gives `path`.new the name `path`, whatever had that before.  XM_OK; XM_IO, XM_DENIED: `path`.new is removed. */
enum xm_status xm_place_publish(const char *path, struct xm_error *err) XM_MUST_CHECK;

/* Removes `path` if it is the file `fd`. */
void xm_place_remove(const char *path, int fd);

#endif
