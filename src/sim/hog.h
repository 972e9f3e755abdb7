/* SPDX-License-Identifier: MIT */
/* Guests that only compute: hogs without a pause, naps that work and sleep in turn.  Every vCPU by itself. */
#ifndef XM_SIM_HOG_H
#define XM_SIM_HOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "sim/machine.h"

struct xm_hog_vcpu {
    struct xm_hog *hog;
    uint32_t number;
    bool sleeps;
    struct xm_rng rng; /* how long it works and sleeps: exponentially distributed */
    struct xm_alarm wakes;
};

struct xm_hog {
    struct xm_machine *machine;
    struct xm_sim_domain *domain; /* NULL: gone, or not there yet */
    uint64_t work_ns, pause_ns;   /* on average; pause_ns 0: none */
    uint32_t vcpus;
    struct xm_hog_vcpu vcpu[XM_SIM_VCPUS];
};

extern const struct xm_guest_ops xm_hog_ops; /* guest: struct xm_hog; domain is set before anything runs */

void xm_hog_init(struct xm_hog *hog, struct xm_machine *m, uint32_t vcpus, uint64_t work_ns, uint64_t pause_ns,
                 uint64_t seed);
void xm_hog_remove(struct xm_hog *hog); /* nobody wakes any more */

#endif
