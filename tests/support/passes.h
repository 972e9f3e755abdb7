/* SPDX-License-Identifier: MIT */
/* A capture, pass by pass. */
#ifndef XM_TEST_PASSES_H
#define XM_TEST_PASSES_H

#include "support.h"
#include "trace/format.h"

/* Bytes of the pass that begins at `at`, 0 at the end: the CPUs of its windows ascend. */
static inline size_t xt_pass_bytes(const struct xt_bytes *b, size_t at)
{
    size_t end = at;
    uint32_t last = 0;
    while (end + XM_WINDOW_HEADER_BYTES <= b->size) {
        uint32_t cpu = xm_load32(b->data + end + 4);
        if (end > at && cpu <= last)
            break;
        last = cpu;
        end += XM_WINDOW_HEADER_BYTES + xm_load32(b->data + end + 8);
    }
    return end - at;
}

#endif
