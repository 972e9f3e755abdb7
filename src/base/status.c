/* SPDX-License-Identifier: MIT */
#include "xenmon/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum xm_status xm_fail(struct xm_error *err, enum xm_status status, uint64_t offset,
                       const char *format, ...)
{
    if (err && err->status == XM_OK) {
        va_list args;
        err->status = status;
        err->offset = offset;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

void xm_error_clear(struct xm_error *err)
{
    memset(err, 0, sizeof *err);
    err->offset = XM_NO_OFFSET;
}
