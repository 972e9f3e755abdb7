/* SPDX-License-Identifier: MIT */
#include "sim/costs.h"

#include <stddef.h>
#include <string.h>

#define ROW(name, unit, default_, least, most, text) \
    {#name, #unit, text, least, most, default_, offsetof(struct xm_costs, name)},
static const struct xm_cost_name costs[] = {XM_COSTS(ROW)};
#undef ROW

struct xm_costs xm_costs_default(void)
{
#define VALUE(name, unit, default_, least, most, text) .name = default_,
    return (struct xm_costs){XM_COSTS(VALUE)};
#undef VALUE
}

const struct xm_cost_name *xm_cost_at(unsigned index)
{
    return index < sizeof costs / sizeof costs[0] ? &costs[index] : NULL;
}

const struct xm_cost_name *xm_cost_named(const char *name)
{
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
        if (strcmp(costs[i].name, name) == 0)
            return &costs[i];
    return NULL;
}

uint64_t *xm_cost_of(struct xm_costs *all, const struct xm_cost_name *name)
{
    return (uint64_t *)(void *)((char *)all + name->offset);
}
