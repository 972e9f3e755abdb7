/* SPDX-License-Identifier: MIT */
/* What scenario.c (names, values, what goes together) and scenario_read.c (files) share. */
#ifndef XM_SIM_SCENARIO_INT_H
#define XM_SIM_SCENARIO_INT_H

#include "sim/scenario.h"

enum xm_key_kind {
    XM_KEY_COUNT, XM_KEY_TIME, XM_KEY_HZ, XM_KEY_SWITCH, XM_KEY_CPUS, XM_KEY_ROLE, XM_KEY_NETWORK, XM_KEY_SCHED, XM_KEY_REAL
};

/* A name that a section may have. */
struct xm_scenario_key {
    const char *name;
    enum xm_key_kind kind;
    size_t offset, size;  /* where its value goes, in the scenario or in the domain */
    uint64_t least, most; /* most 0: no bounds */
    unsigned roles;       /* that it is for, a bit each; 0: all */
};

#define XM_SCENARIO_KEYS 32u /* of a section at most, costs apart */

const struct xm_scenario_key *xm_scenario_host_key(const char *name);   /* NULL: there is none */
const struct xm_scenario_key *xm_scenario_domain_key(const char *name);
/* The first name that the domain was given and its role has no use for; NULL: none. */
const struct xm_scenario_key *xm_scenario_useless_key(const struct xm_scenario_domain *domain);
unsigned xm_scenario_key_number(const struct xm_scenario_key *key); /* of a host's or a domain's */

/* A line of these sections.  XM_INVALID: "NAME: ... is right, not '...'". */
enum xm_status xm_scenario_host_set(struct xm_scenario *s, const char *name, const char *value,
                                    struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_scenario_cost_set(struct xm_scenario *s, const char *name, const char *value,
                                    struct xm_error *err) XM_MUST_CHECK;

#endif
