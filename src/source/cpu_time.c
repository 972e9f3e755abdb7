/* SPDX-License-Identifier: MIT */
#include "source/cpu_time.h"

#include <stdlib.h>
#include <string.h>

static enum xm_status make_room(struct xm_cpu_times *t, uint32_t slots)
{
    if (slots <= t->slots)
        return XM_OK;
    struct xm_cpu_time *slot = realloc(t->slot, slots * sizeof *slot);
    if (!slot)
        return XM_NOMEM;
    memset(slot + t->slots, 0, (slots - t->slots) * sizeof *slot);
    t->slot = slot;
    t->slots = slots;
    return XM_OK;
}

/* An id is used again: of whom does a list speak that was made at `told` or soon after? */
static bool lived_at(const struct xm_account_domain *d, uint64_t told)
{
    return d->id && d->created.v <= told && (!d->ended.v || d->ended.v > told);
}

enum xm_status xm_cpu_times_take(struct xm_cpu_times *t, const struct xm_account *account, xm_cycles told,
                                 xm_cpu_time_of *of, void *user)
{
    uint32_t slots = xm_account_capacity(account).domains;
    if (make_room(t, slots) != XM_OK)
        return XM_NOMEM;
    for (uint32_t i = 0; i < slots; i++) {
        const struct xm_account_domain d = xm_account_domain(account, i);
        if (!lived_at(&d, told.v))
            continue;
        if (t->slot[i].id != d.id)
            t->slot[i] = (struct xm_cpu_time){.id = d.id};
        uint64_t ns = of(user, xm_row_domid(d.id));
        t->slot[i].ns = ns > t->slot[i].ns ? ns : t->slot[i].ns;
    }
    return XM_OK;
}

void xm_cpu_times_fill(const struct xm_cpu_times *t, struct xm_sample *sample)
{
    for (uint32_t i = 0; i < sample->used.domains && i < t->slots; i++)
        if (sample->domain[i].id && sample->domain[i].id == t->slot[i].id)
            sample->domain[i].cpu_time = t->slot[i].ns;
}

void xm_cpu_times_fini(struct xm_cpu_times *t)
{
    free(t->slot);
    *t = (struct xm_cpu_times){0};
}
