/* SPDX-License-Identifier: MIT */
/* How an interval is written. */
#ifndef XM_LOG_INT_H
#define XM_LOG_INT_H

#include "front/log.h"
#include "view/view.h"

#define XM_LOG_DOMIDS 65536u

struct xm_log_interval {
    const struct xm_log_config *config;
    struct xm_window window; /* its `to` has the interval's peaks */
    uint64_t passed_ns;      /* since logging began */
    struct xm_place *places; /* room for the larger of used.vcpus and used.domains */
    uint8_t *begun;          /* [XM_LOG_DOMIDS / 8] a bit for each domid whose file has been begun; idle's is 32767 */
};

/* XM_OK or XM_IO: errno says why, `err` which file. */
enum xm_status xm_log_print_xenmon(const struct xm_log_interval *interval, struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_log_print_csv(const struct xm_log_interval *interval, struct xm_error *err) XM_MUST_CHECK;

/* The header line of the CSV. */
void xm_log_csv_header(FILE *out);

#endif
