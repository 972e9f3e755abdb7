/* SPDX-License-Identifier: MIT */
/*
 * Text found whatever its case: names of domains are UTF-8, in any script.
 *
 * A character for a character, as Unicode pairs them (libutf8proc; built without it, only ASCII folds): a final sigma is a
 * sigma, a dotless i an i, a sharp s itself, not two s.  The locale plays no part: in LANG=C the same is found.
 * Pure.  Nothing allocates.
 */
#ifndef XM_FOLD_H
#define XM_FOLD_H

#include <stddef.h>

/*
 * Where `what` stands in `text`, letters in either case; NULL: nowhere, or it is empty.  Both are terminated, meant as
 * UTF-8; a byte that is none is found where the same byte stands.  *bytes: how many of `text` it takes there, which can
 * be other than the length of `what`; unchanged on NULL; may be NULL.  O(length of text * length of what).
 */
const char *xm_fold_find(const char *text, const char *what, size_t *bytes);

#endif
