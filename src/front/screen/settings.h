/* SPDX-License-Identifier: MIT */
/*
 * What of a choice is kept from one day to the next, as the section [screen] of an INI file
 * (xenmon.conf(5)): view, columns, order, window, units, theme, interval, what is hidden or pinned.
 *
 * A line that makes no sense is said, with file and line, and left out; the rest holds.  Other sections
 * are not touched.
 */
#ifndef XM_SETTINGS_H
#define XM_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "front/screen/choice.h"
#include "xenmon/status.h"

/*
 * Reads `path` over what `choice` has.  say: is called for each line that makes no sense, with
 * "PATH:LINE: cause"; may be NULL.  XM_OK; XM_IO: it cannot be read (err says why; ENOENT too, with
 * errno set); XM_DENIED: root, and somebody else can write it: not read; XM_LIMIT: it is too large;
 * XM_UNSUPPORTED: this build reads no configuration; XM_NOMEM.  On failure the choice is as it was.
 */
enum xm_status xm_settings_read(const char *path, struct xm_choice *choice,
                                void (*say)(void *user, const char *text), void *user,
                                struct xm_error *err) XM_MUST_CHECK;

/*
 * Writes the choice to `path`, by way of a new file that takes its name: what was there stays whole
 * where that fails.  Other sections of the file stay as they are, and so do comments, and names that
 * this version does not know.  Directories that are missing are made (0700).  XM_OK; XM_IO, XM_DENIED,
 * XM_LIMIT, XM_UNSUPPORTED, XM_NOMEM: err says why.
 */
enum xm_status xm_settings_write(const char *path, const struct xm_choice *choice,
                                 struct xm_error *err) XM_MUST_CHECK;

/*
 * Sets what the file calls `name` ("view", "sort.domains", ...) to `value`.  False: it is none, or has
 * no such value; `cause` says what would have been right, in `size` bytes (200 suffice), and the choice
 * is as it was.
 */
bool xm_settings_set(struct xm_choice *choice, const char *name, const char *value, char *cause, size_t size);

/* The view's name, as in "view" and "sort.NAME". */
const char *xm_settings_view_name(enum xm_screen_view view);

#endif
