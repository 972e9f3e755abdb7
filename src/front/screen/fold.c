/* SPDX-License-Identifier: MIT */
#include "front/screen/fold.h"

#include <stdint.h>

#include "front/terminal/grid.h"

/* Capitals in [first, last], every one or every other, and how far their small letters are; sorted. */
static const struct fold_range {
    uint32_t first, last;
    uint32_t step;
    int32_t distance;
} capitals[] = {
    {0xb5, 0xb5, 1, 0x3bc - 0xb5}, /* the micro sign: a mu */
    {0xc0, 0xd6, 1, 32},           /* Latin-1 */
    {0xd8, 0xde, 1, 32},
    {0x100, 0x12e, 2, 1},           /* Latin Extended-A */
    {0x130, 0x130, 1, 'i' - 0x130}, /* I with a dot */
    {0x132, 0x136, 2, 1},
    {0x139, 0x147, 2, 1},
    {0x14a, 0x176, 2, 1},
    {0x178, 0x178, 1, 0xff - 0x178}, /* Y with a diaeresis */
    {0x179, 0x17d, 2, 1},
    {0x17f, 0x17f, 1, 's' - 0x17f}, /* the long s */
    {0x1cd, 0x1db, 2, 1},           /* of Latin Extended-B what comes in pairs */
    {0x1de, 0x1ee, 2, 1},
    {0x1f8, 0x21e, 2, 1},
    {0x222, 0x232, 2, 1},
    {0x386, 0x386, 1, 38}, /* Greek */
    {0x388, 0x38a, 1, 37},
    {0x38c, 0x38c, 1, 64},
    {0x38e, 0x38f, 1, 63},
    {0x391, 0x3a1, 1, 32},
    {0x3a3, 0x3ab, 1, 32},
    {0x3c2, 0x3c2, 1, 1},  /* the final sigma */
    {0x400, 0x40f, 1, 80}, /* Cyrillic */
    {0x410, 0x42f, 1, 32},
    {0x460, 0x480, 2, 1},
    {0x48a, 0x4be, 2, 1},
    {0x4c0, 0x4c0, 1, 15},
    {0x4c1, 0x4cd, 2, 1},
    {0x4d0, 0x52e, 2, 1},
    {0x531, 0x556, 1, 48},              /* Armenian */
    {0x1e00, 0x1e94, 2, 1},             /* Latin Extended Additional */
    {0x1e9e, 0x1e9e, 1, 0xdf - 0x1e9e}, /* the capital sharp s */
    {0x1ea0, 0x1efe, 2, 1},
    {0xff21, 0xff3a, 1, 32}, /* full width */
};

static uint32_t folded(uint32_t code)
{
    if (code < 0x80)
        return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
    for (size_t i = 0; i < sizeof capitals / sizeof capitals[0] && code >= capitals[i].first; i++)
        if (code <= capitals[i].last && (code - capitals[i].first) % capitals[i].step == 0)
            return (uint32_t)((int32_t)code + capitals[i].distance);
    return code;
}

/* A byte that is no UTF-8 is beyond all characters. */
#define NO_CHARACTER 0x110000u

/* The character at *text, folded, and *text after it; 0 at the end. */
static uint32_t next_folded(const char **text)
{
    uint32_t code;
    unsigned size = xm_grid_decode(*text, &code);
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
