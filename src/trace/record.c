/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "trace/format.h"

enum xm_status xm_record_read(const void *bytes, size_t size, struct xm_record *record, size_t *used)
{
    const unsigned char *p = bytes;
    if (size < 4)
        return XM_AGAIN;
    uint32_t header = xm_load32(p);
    size_t length = XM_HEADER_BYTES(header);
    if (size < length)
        return XM_AGAIN;
    *record = (struct xm_record){.event = XM_HEADER_EVENT(header),
                                 .has_tsc = XM_HEADER_TSC(header),
                                 .words = (uint8_t)XM_HEADER_WORDS(header)};
    p += 4;
    if (record->has_tsc) {
        record->tsc = xm_cycles_of(xm_load64(p));
        p += 8;
    }
    memcpy(record->word, p, 4u * record->words);
    *used = length;
    return XM_OK;
}

size_t xm_record_write(const struct xm_record *record, void *bytes, size_t size)
{
    unsigned char *p = bytes;
    if (record->words > 7)
        return 0;
    uint32_t header = XM_HEADER(XM_HEADER_EVENT(record->event), record->words, record->has_tsc);
    size_t length = XM_HEADER_BYTES(header);
    if (size < length)
        return 0;
    memcpy(p, &header, 4);
    p += 4;
    if (record->has_tsc) {
        memcpy(p, &record->tsc.v, 8);
        p += 8;
    }
    memcpy(p, record->word, 4u * record->words);
    return length;
}
