/* SPDX-License-Identifier: MIT */
/*
 * What is simulated, as people write it: an INI file (man xenmon-scenario(5), scenarios/ in the tree).
 *
 *     [host]                      pCPUs, clock, scheduler and its parameters, trace buffers, seed, duration
 *     [costs]                     any name of costs.h
 *     [domain NAME]               one each: role, vCPUs, share, what its role needs
 *
 * Plain values; no pointers but to what is static.
 */
#ifndef XM_SIM_SCENARIO_H
#define XM_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/costs.h"
#include "sim/sched.h"
#include "xenmon/status.h"

#define XM_SCENARIO_DOMAINS 256u

enum xm_sim_role {
    XM_ROLE_DRIVER, /* carries the others' packets and disk requests; at most one */
    XM_ROLE_WEB,    /* answers `rate` requests a second that clients make */
    XM_ROLE_HOG,    /* is busy on every vCPU: bursts of `work_ns` without a pause */
    XM_ROLE_NAP,    /* every vCPU works for `work_ns`, then sleeps for `pause_ns`, both on average */
    XM_ROLE_READER  /* reads a disk: `pause_ns` between two requests, `work_ns` for each answer */
};

struct xm_scenario_domain {
    uint16_t domid;
    char name[32];
    enum xm_sim_role role;
    uint32_t vcpus;
    uint64_t allowed;      /* pCPUs, a bit each; 0: all */
    struct xm_sched_share share;
    double rate;           /* requests a second, as at the start */
    uint64_t work_ns, pause_ns;
    uint64_t from_ns, to_ns; /* is created then (0: was there before), and destroyed then (0: never) */
    uint32_t given;        /* of the names that are for some roles only, those that xm_scenario_domain_set() has seen */
};

struct xm_scenario {
    char name[64];
    uint32_t cpus;
    uint64_t hz;
    uint64_t seed;
    uint64_t duration_ns;  /* of a run that is to end; 0: none is given */
    const struct xm_sched_ops *sched;
    struct xm_sched_params params;
    struct xm_costs costs;
    uint32_t pages;        /* of each trace buffer */
    uint32_t events;       /* event mask */
    uint64_t switch_ns;
    uint64_t poll_ns;      /* between two looks of the consumer at the buffers */
    bool batch_transfers;  /* one trace record for a batch of page flips */
    bool copies;           /* grant copies instead of page flips */
    uint32_t domains;
    struct xm_scenario_domain domain[XM_SCENARIO_DOMAINS];
};

/* The empty scenario: one pCPU, credit2, 32 pages, today's event mask, no domain. */
void xm_scenario_init(struct xm_scenario *scenario);

/*
 * Reads a file, or text: err.offset is the line.  XM_IO; XM_INVALID: what is wrong, with file, line, section and name, and
 * what would be right; XM_NOMEM.  name: for messages, and less a directory and ".ini" the scenario's own.
 */
enum xm_status xm_scenario_read(const char *path, struct xm_scenario *scenario, struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_scenario_parse(const char *text, const char *name, struct xm_scenario *scenario,
                                 struct xm_error *err) XM_MUST_CHECK;

/*
 * Changes one value: "host.cpus=2", "costs.ring=64", "NAME.weight=512" with a domain's name.  What it means together with
 * the others is looked at by xm_scenario_check() alone.  XM_INVALID.
 */
enum xm_status xm_scenario_set(struct xm_scenario *scenario, const char *assignment, struct xm_error *err) XM_MUST_CHECK;

/* Whether the values go together and are in their limits; reading a file does this too.  XM_INVALID: what is wrong. */
enum xm_status xm_scenario_check(const struct xm_scenario *scenario, struct xm_error *err) XM_MUST_CHECK;

/* A domain of this name with everything at its default: id 65535, which no domain can have, and role hog. */
void xm_scenario_domain_init(struct xm_scenario_domain *domain, const char *name);

/* Whether this can be a domain's name: 1 to 31 letters, digits and "._+-". */
bool xm_scenario_is_name(const char *name);

/* As a line "name = value" in its section.  XM_INVALID. */
enum xm_status xm_scenario_domain_set(struct xm_scenario_domain *domain, const char *name, const char *value,
                                      struct xm_error *err) XM_MUST_CHECK;

/*
 * A domain by itself, on a host like that of the scenario, and that it was given nothing that is for another role; that its
 * id is free is not looked at.  XM_INVALID.
 */
enum xm_status xm_scenario_domain_check(const struct xm_scenario *scenario, const struct xm_scenario_domain *domain,
                                        struct xm_error *err) XM_MUST_CHECK;

/* Names of roles and back: "driver", "web", ... */
const char *xm_sim_role_name(enum xm_sim_role role);

#endif
