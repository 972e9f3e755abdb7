/* SPDX-License-Identifier: MIT */
/*
 * Values as people write them in scenarios: whole numbers, times, rates of clocks, sets of pCPUs.
 *
 * Each reads the whole of `text`; on false the result is left alone.  Nothing allocates, nothing depends on a locale.
 */
#ifndef XM_SIM_VALUE_H
#define XM_SIM_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool xm_value_count(const char *text, uint64_t *count); /* decimal, or hexadecimal behind 0x */
bool xm_value_time(const char *text, uint64_t *ns);     /* "250us", "1.5s", "2m"; ns, us, ms, s, m, h; "0" needs no unit */
bool xm_value_hz(const char *text, uint64_t *hz);       /* "2793439000", "2.79GHz", "1MHz" */
bool xm_value_switch(const char *text, bool *on);       /* yes, no; also on, off, true, false, 1, 0 */
bool xm_value_real(const char *text, double *value);    /* "850", "0.5": not negative, at most 2^53 */
bool xm_value_cpus(const char *text, uint64_t *set);    /* "0-3,7", "all" (0): below 64 */

/* "30ms": the largest unit in which it is whole. */
void xm_value_time_text(uint64_t ns, char *text, size_t size);

/* The text cut to 40 bytes, what a terminal could take for something else replaced: for messages. */
const char *xm_value_shown(const char *text, char shown[44]);

#endif
