/* SPDX-License-Identifier: MIT */
#include "region/bytes.h"

#include <errno.h>
#include <unistd.h>

#include "region/words.h"

bool xm_bytes_read(const struct xm_bytes *b, uint64_t offset, void *to, size_t bytes)
{
    if (offset > b->size || bytes > b->size - offset)
        return false;
    if (b->fd < 0) {
        /* The last word may reach past what was asked for, never past the size, which is whole words. */
        xm_words_load(to, b->memory + offset / 8, bytes);
        return true;
    }
    unsigned char *at = to;
    while (bytes > 0) {
        ssize_t n = pread(b->fd, at, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return true;
}
