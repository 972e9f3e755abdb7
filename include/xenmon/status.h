/* SPDX-License-Identifier: MIT */
/*
 * Status codes and error detail shared by every XenMon library.
 *
 * Zero is success, positive values are ordinary outcomes that are not errors, negative values are
 * errors.  The libraries never print and never exit: they return a status, and where a caller asked
 * for detail they fill a struct xm_error (first cause wins).
 */
#ifndef XENMON_STATUS_H
#define XENMON_STATUS_H

#include <stdint.h>

#if defined(__GNUC__)
#define XM_MUST_CHECK __attribute__((warn_unused_result))
#define XM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define XM_MUST_CHECK
#define XM_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum xm_status {
    XM_OK = 0,
    XM_END = 1,   /* nothing more will come */
    XM_AGAIN = 2, /* nothing now: feed more, or wait, and call again */
    XM_FULL = 3,  /* a capacity is reached: grow it and call again, nothing was lost */

    XM_DAMAGED = -1,     /* the bytes contradict their format; position in xm_error.offset */
    XM_UNSUPPORTED = -2, /* well formed, but not something this version reads */
    XM_LIMIT = -3,       /* a configured bound was reached; what came before is good */
    XM_IO = -4,          /* the operating system said no; xm_error.text has its words */
    XM_NOMEM = -5,
    XM_INVALID = -6, /* an argument or an option out of range */
    XM_DENIED = -7   /* not permitted, not a Xen host's control domain, or it cannot be traced */
};

#define XM_NO_OFFSET UINT64_MAX

/* Detail of the first error in an operation.  Owned by the caller; `text` is always terminated. */
struct xm_error {
    enum xm_status status;
    uint64_t offset; /* bytes from the start of the input, or XM_NO_OFFSET */
    char text[240];
};

/*
 * Records an error unless `err` already holds one.  `err` may be NULL.
 * Returns `status`, so that a failing function can end in `return xm_fail(...)`.
 */
enum xm_status xm_fail(struct xm_error *err, enum xm_status status, uint64_t offset,
                       const char *format, ...) XM_PRINTF(4, 5);

/* Empties `err`. */
void xm_error_clear(struct xm_error *err);

#ifdef __cplusplus
}
#endif
#endif
