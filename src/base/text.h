/* SPDX-License-Identifier: MIT */
/* Characters of texts from outside, and which of them a name may show. */
#ifndef XM_BASE_TEXT_H
#define XM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether a code point draws nothing, moves or reorders what stands around it, or is no character at all
 * (surrogates, noncharacters, beyond Unicode).  Pure; a walk over some thirty ranges.
 */
static inline bool xm_text_is_hidden(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
        {0x061c, 0x061c},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x2800, 0x2800},
        {0x3164, 0x3164},   {0xd800, 0xdfff},   {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},
        {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x13430, 0x1343f},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0x110000, UINT32_MAX},
    };
    if ((code & 0xfffe) == 0xfffe)
        return true;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (code >= hidden[i].first && code <= hidden[i].last)
            return true;
    return false;
}

/*
 * The character that `text` begins with, of which `left` bytes may be read (at least 1): how many bytes of
 * well-formed UTF-8 (1 to 4), *code its code point; 0: none (*code is of no use).  A NUL is a character of
 * 1 byte, and nothing behind it is read: of a terminated text `left` may always be 4.  Pure.
 */
static inline unsigned xm_text_decode(const char *text, size_t left, uint32_t *code)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    unsigned size = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    uint32_t value = size == 1 ? s[0] : s[0] & (0x7fu >> size);
    for (unsigned i = 1; i < size; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        value = value << 6 | (s[i] & 0x3fu);
    }
    *code = value;
    bool good = value >= smallest[size] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    return good ? size : 0;
}

#endif
