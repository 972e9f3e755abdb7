/* SPDX-License-Identifier: MIT */
/* Where our other programs lie, so that what was built or installed together runs together. */
#ifndef XM_CMD_BESIDE_H
#define XM_CMD_BESIDE_H

#include <limits.h>
#include <stdbool.h>

/*
 * Looks for an executable at each of `places`, which are seen from the folder of this process' own
 * ("/xenbaked", "/../sbin/xenbaked") and end with NULL.  True: *path is the first that is there; false: none is, or
 * /proc does not say where we are, and *path is not to be used.
 */
bool xm_find_beside(const char *const *places, char path[PATH_MAX]);

#endif
