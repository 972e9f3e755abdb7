/* SPDX-License-Identifier: MIT */
#include "sim/hog.h"

static void wakes(void *user)
{
    struct xm_hog_vcpu *w = user;
    w->sleeps = false;
    if (!w->hog->domain)
        return;
    struct xm_sim_vcpu *v = &w->hog->domain->vcpu[w->number];
    xm_machine_interrupt(w->hog->machine, v->cpu); /* a vCPU's timer is on the pCPU that it last ran on */
    xm_machine_notify(w->hog->machine, v);
}

void xm_hog_init(struct xm_hog *hog, struct xm_machine *m, uint32_t vcpus, uint64_t work_ns, uint64_t pause_ns, uint64_t seed)
{
    *hog = (struct xm_hog){.machine = m, .work_ns = work_ns, .pause_ns = pause_ns, .vcpus = vcpus};
    for (uint32_t i = 0; i < vcpus; i++) {
        struct xm_hog_vcpu *w = &hog->vcpu[i];
        w->hog = hog;
        w->number = i;
        xm_rng_seed(&w->rng, seed, 'h' | (uint64_t)i << 8);
        xm_alarm_init(&w->wakes, XM_ALARM_GUEST, wakes, w);
    }
}

void xm_hog_remove(struct xm_hog *hog)
{
    hog->domain = NULL;
    for (uint32_t i = 0; i < hog->vcpus; i++)
        xm_alarm_cancel(xm_machine_engine(hog->machine), &hog->vcpu[i].wakes);
}

static uint64_t work(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_hog *hog = guest;
    struct xm_hog_vcpu *w = &hog->vcpu[v->number];
    return w->sleeps ? 0 : xm_rng_exponential(&w->rng, hog->work_ns) + 1;
}

static void done(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_hog *hog = guest;
    struct xm_hog_vcpu *w = &hog->vcpu[v->number];
    if (hog->pause_ns == 0)
        return;
    uint64_t pause = xm_rng_exponential(&w->rng, hog->pause_ns) + 1;
    w->sleeps = true;
    xm_alarm_set(xm_machine_engine(hog->machine), &w->wakes, xm_machine_now(hog->machine) + pause);
}

const struct xm_guest_ops xm_hog_ops = {work, done};
