/* SPDX-License-Identifier: MIT */
/*
 * A queue of vCPUs, for schedulers: a ring of links that lie in what they carry of their own.
 *
 * Nothing allocates.  All O(1) but a walk.
 */
#ifndef XM_SIM_QUEUE_H
#define XM_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct xm_sim_vcpu;

struct xm_link {
    struct xm_link *next, *prev; /* NULL: in no queue */
    struct xm_sim_vcpu *vcpu;    /* NULL: the queue's own end */
};

static inline void xm_queue_init(struct xm_link *queue)
{
    *queue = (struct xm_link){queue, queue, NULL};
}

static inline bool xm_queue_is_empty(const struct xm_link *queue)
{
    return queue->next == queue;
}

static inline bool xm_link_is_queued(const struct xm_link *link)
{
    return link->next != NULL;
}

/* A link that is in no queue, before another; before the queue's own end is its tail, before its first its head. */
static inline void xm_link_put(struct xm_link *link, struct xm_link *before)
{
    XM_ASSERT(!link->next && before->prev);
    link->next = before;
    link->prev = before->prev;
    before->prev->next = link;
    before->prev = link;
}

/* Nothing where it is in no queue. */
static inline void xm_link_take(struct xm_link *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

#endif
