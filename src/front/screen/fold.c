/* SPDX-License-Identifier: MIT */
#include "front/screen/fold.h"

#include <stdint.h>
#ifdef XM_HAVE_UTF8PROC
#include <utf8proc.h>
#endif

#include "base/text.h"

/* By way of the capital: so a final sigma is a sigma, and a long s an s. */
static uint32_t folded(uint32_t code)
{
    if (code < 0x80)
        return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
#ifdef XM_HAVE_UTF8PROC
    return code < 0x110000 ? (uint32_t)utf8proc_tolower(utf8proc_toupper((utf8proc_int32_t)code)) : code;
#else
    return code;
#endif
}

/* A byte that is no UTF-8 is beyond all characters. */
#define NO_CHARACTER 0x110000u

/* The character at *text, folded, and *text after it; 0 at the end. */
static uint32_t next_folded(const char **text)
{
    uint32_t code;
    unsigned size = xm_text_decode(*text, 4, &code);
    if (size == 0)
        code = NO_CHARACTER + (unsigned char)**text;
    if (code)
        *text += size ? size : 1;
    return folded(code);
}

/* Where `what` ends in `text`, which begins with it; NULL: it does not. */
static const char *end_of_prefix(const char *text, const char *what)
{
    while (*what)
        if (next_folded(&text) != next_folded(&what))
            return NULL;
    return text;
}

const char *xm_fold_find(const char *text, const char *what, size_t *bytes)
{
    while (*what && *text) {
        const char *end = end_of_prefix(text, what);
        if (end && bytes)
            *bytes = (size_t)(end - text);
        if (end)
            return text;
        next_folded(&text);
    }
    return NULL;
}
