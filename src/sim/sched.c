/* SPDX-License-Identifier: MIT */
#include "sim/sched.h"

#include <string.h>

static const struct xm_sched_ops *const all[] = {&xm_sched_bvt, &xm_sched_sedf, &xm_sched_credit,
                                                 &xm_sched_credit2, &xm_sched_rr};

const struct xm_sched_ops *xm_sched_named(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const char *xm_sched_names(void)
{
    return "bvt, sedf, credit, credit2, rr";
}
