/* SPDX-License-Identifier: MIT */
/* What the account is told by others than the trace: a live host's own list of its domains. */
#include "account/account_int.h"

static bool holds(const struct xm_account *a, uint64_t told)
{
    /* Where no runstate record has come so far, a change may leave none. */
    return told && !a->gaps_open && a->gap_closed <= told && a->from == FROM_RUNSTATE;
}

enum xm_status xm_account_introduce(struct xm_account *a, uint32_t domid, uint32_t vcpu, enum xm_runstate state,
                                    xm_cycles told, xm_cycles now, struct xm_capacity *want)
{
    uint32_t word = domid << 16 | vcpu;
    uint64_t at = now.v > a->now ? now.v : a->now;
    if (domid >= XM_DOMID_FIRST_RESERVED || vcpu >= XM_MAX_VCPU_NUMBER || xm_known_vcpu(a, word) != NOBODY)
        return XM_OK;
    uint32_t slot = xm_find_vcpu(a, word);
    if (slot == NOBODY && xm_table_full(a)) {
        *want = a->want;
        a->want = a->capacity;
        return XM_FULL;
    }
    if (slot == NOBODY)
        return XM_OK;
    struct vcpu *v = &a->vcpu[slot];
    a->now = at; /* a record that comes after all, and is older, is taken as of now */
    v->assumed = (uint8_t)state;
    /* Of one that runs the pCPU would have to be known too. */
    if (state != XM_RUNNING && holds(a, told.v))
        xm_vcpu_is(a, v, state, at);
    return XM_OK;
}

bool xm_account_knows(const struct xm_account *a, uint32_t domid, uint32_t vcpu)
{
    return domid < XM_DOMID_FIRST_RESERVED && vcpu < XM_MAX_VCPU_NUMBER &&
           xm_known_vcpu(a, domid << 16 | vcpu) != NOBODY;
}

void xm_account_gone(struct xm_account *a, uint32_t domid, xm_cycles now)
{
    if (now.v > a->now)
        a->now = now.v;
    xm_domain_removed(a, domid, a->now, false);
}
