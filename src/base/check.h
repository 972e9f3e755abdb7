/* SPDX-License-Identifier: MIT */
/*
 * XM_ASSERT: our own bugs only, in every build.  Bad data is never asserted, it is a status.
 */
#ifndef XM_CHECK_H
#define XM_CHECK_H

#define XM_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

#define XM_LIKELY(x) __builtin_expect(!!(x), 1)
#define XM_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
