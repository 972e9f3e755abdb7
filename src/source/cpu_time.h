/* SPDX-License-Identifier: MIT */
/*
 * What a hypervisor itself counts of every domain's CPU time, brought together with the account's rows: what `running`
 * can be held against.
 *
 * The hypervisor is asked at its own time, which the account comes to later.  So a list is taken once the account has
 * come to it, and a sample carries the newest one that is not younger than the sample.  Nothing is interpolated.
 *
 * Threads: one.
 */
#ifndef XM_CPU_TIME_H
#define XM_CPU_TIME_H

#include <stdint.h>

#include "account/account.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"

/* By domain slot; zeroed to begin with. */
struct xm_cpu_times {
    struct xm_cpu_time {
        uint64_t id; /* of the row; 0: none */
        uint64_t ns; /* never goes back */
    } *slot;
    uint32_t slots;
};

/* CPU time of the domain of this id in a list, since the run began, ns; 0: it is not listed, or used none. */
typedef uint64_t xm_cpu_time_of(void *user, uint32_t domid);

/*
 * The account has come to the time of a list.  told: a TSC by which the list was not made yet: rows that began later, or
 * ended by then, are not whom it speaks of.  XM_OK; XM_NOMEM: all is as it was.  Cost: a call of `of` for each row.
 */
enum xm_status xm_cpu_times_take(struct xm_cpu_times *times, const struct xm_account *account, xm_cycles told,
                                 xm_cpu_time_of *of, void *user) XM_MUST_CHECK;

/* Sets cpu_time of the sample's domains; one that has ended keeps what the last list that had it said. */
void xm_cpu_times_fill(const struct xm_cpu_times *times, struct xm_sample *sample);

/* Frees what it holds; zeroed afterwards. */
void xm_cpu_times_fini(struct xm_cpu_times *times);

#endif
