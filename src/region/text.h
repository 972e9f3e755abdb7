/* SPDX-License-Identifier: MIT */
/* Names that others chose: guests' administrators name domains, anybody names files. */
#ifndef XM_TEXT_H
#define XM_TEXT_H

#include <stddef.h>

/*
 * Copies a name so that it can be shown anywhere: valid UTF-8 without control, direction-changing or
 * invisible characters; each byte that is not that becomes '?'.  `to` has `size` bytes (> 0), is
 * terminated and filled up with zeros; `from` ends at its first zero or after `most` bytes.  A character
 * that does not fit whole is left out. `to` and `from` do not overlap.
 */
void xm_text_clean(char *to, size_t size, const char *from, size_t most);

#endif
