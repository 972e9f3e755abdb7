/* SPDX-License-Identifier: MIT */
#include "region/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Code points that draw nothing, or change how what follows is drawn. */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x034f, 0x034f},   {0x061c, 0x061c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164}, {0xd800, 0xdfff}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff}, {0x110000, UINT32_MAX},
};

static bool is_hidden(uint32_t code)
{
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (code >= hidden[i].first && code <= hidden[i].last)
            return true;
    return false;
}

/* Length of the character that begins at `s`, 0 where there is none that may be shown. */
static size_t character(const unsigned char *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    return code < least[length] || is_hidden(code) ? 0 : length;
}

void xm_text_clean(char *to, size_t size, const char *from, size_t most)
{
    const unsigned char *s = (const unsigned char *)from;
    size_t left = strnlen(from, most);
    size_t n = 0;
    while (left > 0) {
        size_t length = character(s, left);
        size_t take = length ? length : 1;
        if (n + take >= size)
            break;
        if (length)
            memcpy(to + n, s, length);
        else
            to[n] = '?';
        n += take;
        s += take;
        left -= take;
    }
    memset(to + n, 0, size - n);
}
