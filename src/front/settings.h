/* SPDX-License-Identifier: MIT */
/*
 * What of a choice is kept from one day to the next, as an INI file (xenmon.conf(5)): view, columns, order, window,
 * units, theme, interval, what is hidden or pinned.
 *
 * A line that makes no sense is said, with file and line, and left out; the rest holds.
 */
#ifndef XM_SETTINGS_H
#define XM_SETTINGS_H

#include <stddef.h>

#include "front/choice.h"
#include "xenmon/status.h"

/*
 * Reads `path` over what `choice` has.  say: is called for each line that makes no sense, with "PATH:LINE: cause";
 * may be NULL.  XM_OK; XM_IO: it cannot be read (err says why; ENOENT too, with errno set); XM_DENIED: root, and
 * somebody else can write it: not read; XM_NOMEM.  On failure the choice is as it was.
 */
enum xm_status xm_settings_read(const char *path, struct xm_choice *choice, void (*say)(void *user, const char *text),
                                void *user, struct xm_error *err) XM_MUST_CHECK;

/*
 * Writes the choice to `path`, by way of a new file that takes its name: what was there stays whole where that
 * fails.  Directories that are missing are made (0700).  XM_OK; XM_IO, XM_DENIED, XM_NOMEM: err says why.
 */
enum xm_status xm_settings_write(const char *path, const struct xm_choice *choice, struct xm_error *err) XM_MUST_CHECK;

#endif
