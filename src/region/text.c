/* SPDX-License-Identifier: MIT */
#include "region/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

void xm_text_clean(char *to, size_t size, const char *from, size_t most)
{
    const char *s = from;
    size_t left = strnlen(from, most);
    size_t n = 0;
    while (left > 0) {
        uint32_t code = 0;
        size_t length = xm_text_decode(s, left, &code);
        if (length && xm_text_is_hidden(code))
            length = 0;
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
