/* SPDX-License-Identifier: MIT */
#include "region/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

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
    return code < least[length] || xm_text_is_hidden(code) ? 0 : length;
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
