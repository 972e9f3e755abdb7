/* SPDX-License-Identifier: MIT */
/*
 * A simulated host: a scenario's machine, its domains and their software, and trace buffers as Xen shares them (struct
 * t_buf), with LOST_RECORDS when they overflow.
 *
 * Whoever consumes the buffers does so between two calls of xm_simhost_run().
 *
 * Threads: one host, one thread.  No state but in the host.
 */
#ifndef XM_SIM_HOST_H
#define XM_SIM_HOST_H

#include "sim/machine.h"
#include "sim/net.h"
#include "sim/scenario.h"

struct xm_simhost;

/* scenario is copied.  XM_OK; XM_INVALID: what cannot be, in words; XM_NOMEM. */
enum xm_status xm_simhost_create(const struct xm_scenario *scenario, struct xm_simhost **host,
                                 struct xm_error *err) XM_MUST_CHECK;
void xm_simhost_destroy(struct xm_simhost *host); /* NULL is fine */

/* Simulates up to this time and including it. */
enum xm_status xm_simhost_run(struct xm_simhost *host, uint64_t until_ns) XM_MUST_CHECK;

struct xm_machine *xm_simhost_machine(struct xm_simhost *host); /* for its clock, its truth, pause and the like */

/* The trace buffer of a pCPU: pages, see trace/ring.h. */
void *xm_simhost_buffer(struct xm_simhost *host, uint32_t cpu);
uint32_t xm_simhost_pages(const struct xm_simhost *host);

/* The domain of this id that lives; NULL: none. */
struct xm_sim_domain *xm_simhost_domain(struct xm_simhost *host, uint16_t domid);

/* What the clients of a web server have got so far; all 0 where it is none. */
struct xm_served xm_simhost_served(const struct xm_simhost *host, uint16_t domid);

/* XM_INVALID: no such domain, or no web server. */
enum xm_status xm_simhost_rate(struct xm_simhost *host, uint16_t domid, double rate, struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_simhost_share(struct xm_simhost *host, uint16_t domid, const struct xm_sched_share *share,
                                struct xm_error *err) XM_MUST_CHECK;

/* As in a scenario, now. */
enum xm_status xm_simhost_add(struct xm_simhost *host, const struct xm_scenario_domain *domain,
                              struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_simhost_remove(struct xm_simhost *host, uint16_t domid, struct xm_error *err) XM_MUST_CHECK;

#endif
