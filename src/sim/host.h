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

/*
 * Of domains that have ended so many keep their account, the truth, those created last; of an older one it is known only
 * that it was, and when the last of its id ended.  So a host does not grow, whatever comes and goes.
 */
#define XM_SIMHOST_DEAD 256u

/* scenario is copied, and looked through with xm_scenario_check().  XM_OK; XM_INVALID: what cannot be, in words; XM_NOMEM. */
enum xm_status xm_simhost_create(const struct xm_scenario *scenario, struct xm_simhost **host,
                                 struct xm_error *err) XM_MUST_CHECK;
void xm_simhost_destroy(struct xm_simhost *host); /* NULL is fine */

/* Simulates up to this time and including it.  XM_OK; XM_NOMEM: the host cannot go on. */
enum xm_status xm_simhost_run(struct xm_simhost *host, uint64_t until_ns) XM_MUST_CHECK;

/*
 * Nothing more will happen: where records have been lost since the last one that fitted, LOST_RECORDS and that whoever is on
 * the pCPU goes on are written, so that the end of a trace does not hide them.  True: something was.  The buffers ought to
 * have been emptied.
 */
bool xm_simhost_end(struct xm_simhost *host);

struct xm_machine *xm_simhost_machine(struct xm_simhost *host); /* for its clock, its truth, pause and the like */

/* As it was when the host began. */
const struct xm_scenario *xm_simhost_scenario(const struct xm_simhost *host);

/* The trace buffer of a pCPU: pages, see trace/ring.h. */
void *xm_simhost_buffer(struct xm_simhost *host, uint32_t cpu);
uint32_t xm_simhost_pages(const struct xm_simhost *host);

/* Records that the buffers had no room for so far. */
uint64_t xm_simhost_lost(const struct xm_simhost *host);

/* The domain of this id that lives; NULL: none. */
struct xm_sim_domain *xm_simhost_domain(struct xm_simhost *host, uint16_t domid);

/* What the clients of a web server have got so far; all 0 where it is none. */
struct xm_served xm_simhost_served(const struct xm_simhost *host, uint16_t domid);

/* How long the scenario's domain of this index has been there so far, and if it is a web server what its clients have got. */
struct xm_simhost_life {
    uint64_t lived_ns; /* 0: it has not come */
    struct xm_served served;
};
struct xm_simhost_life xm_simhost_life(const struct xm_simhost *host, uint32_t index);

/* XM_INVALID: no such domain, or no web server. */
enum xm_status xm_simhost_rate(struct xm_simhost *host, uint16_t domid, double rate, struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_simhost_share(struct xm_simhost *host, uint16_t domid, const struct xm_sched_share *share,
                                struct xm_error *err) XM_MUST_CHECK;

/* When the last domain of this id ended; 0: there was none, or one lives. */
xm_cycles xm_simhost_ended(const struct xm_simhost *host, uint16_t domid);

/* The name of the domain that has or had this id last; NULL: none had, or XM_SIMHOST_DEAD have ended since. */
const char *xm_simhost_name(const struct xm_simhost *host, uint16_t domid);

/* What the domain of this id that lives was asked to be, with its share and rate as they are now; NULL: none. */
const struct xm_scenario_domain *xm_simhost_spec(const struct xm_simhost *host, uint16_t domid);

/*
 * As in a scenario, now: from_ns is not looked at, and a to_ns that has passed neither.  XM_INVALID: its id or its name is
 * taken, no driver domain for its role, another driver domain, XM_SCENARIO_DOMAINS are there; XM_NOMEM.
 */
enum xm_status xm_simhost_add(struct xm_simhost *host, const struct xm_scenario_domain *domain,
                              struct xm_error *err) XM_MUST_CHECK;
/* XM_INVALID: there is none, or it is the driver domain. */
enum xm_status xm_simhost_remove(struct xm_simhost *host, uint16_t domid, struct xm_error *err) XM_MUST_CHECK;

#endif
