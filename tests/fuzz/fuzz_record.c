/* SPDX-License-Identifier: MIT */
/* One record from any bytes: what is read fits into them, and writing it again gives the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        /* A copy of its exact size: a byte too far is seen. */
        size_t left = size - at < 64 ? size - at : 64;
        unsigned char *exact = malloc(left);
        unsigned char again[XM_RECORD_MAX_BYTES];
        struct xm_record r;
        size_t used = 0;
        memcpy(exact, data + at, left);
        enum xm_status status = xm_record_read(exact, left, &r, &used);
        if (status == XM_OK) {
            demand(used >= 4 && used <= XM_RECORD_MAX_BYTES && used % 4 == 0 && used <= left && r.words <= 7);
            demand(xm_record_write(&r, again, sizeof again) == used && memcmp(again, exact, used) == 0);
            demand(xm_record_write(&r, again, used - 1) == 0);
            (void)xm_hypercall_copies(r.word, r.words ? r.words : 1);
        } else {
            demand(status == XM_AGAIN && left < XM_RECORD_MAX_BYTES);
        }
        free(exact);
        at += status == XM_OK ? used : left;
    }
    return 0;
}
