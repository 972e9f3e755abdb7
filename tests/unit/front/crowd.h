/* SPDX-License-Identifier: MIT */
/* A host of any size, made up: what tables and their speed are tried on. */
#ifndef XM_TEST_CROWD_H
#define XM_TEST_CROWD_H

#include "front/feed/model.h"

/*
 * Domain i has the number i and the name "guest-i" (0: "Domain-0"), vCPU j of it a state, a pCPU and shares of time
 * that depend on both; every 17th domain is idle, every 50th starved.  Windows of 1 s and 10 s at 1 GHz, a window
 * chosen that is the same as that of 10 s, and a minute's trail.
 */
struct crowd {
    struct xm_model model;
    struct xm_sample from[XM_SPANS], to;
    struct xm_scale scale;
    struct xm_region_domain *fact;
    struct xm_trail_step (*trails)[XM_TRAIL_STEPS];
    struct xm_trail trail;
};

/* False: out of memory.  Either way to be freed. */
bool crowd_make(struct crowd *c, uint32_t domains, uint32_t vcpus, uint32_t pcpus);
void crowd_free(struct crowd *c);

#endif
