/* SPDX-License-Identifier: MIT */
#include "sim/disk.h"

#include <stddef.h>

static void rings(void *user)
{
    struct xm_reader *r = user;
    if (r->state == XM_READER_READS) {
        r->state = XM_READER_ANSWERED;
        xm_machine_interrupt(r->disk->machine, 0);
        xm_machine_notify(r->disk->machine, r->disk->driver);
    } else {
        r->state = XM_READER_ASKS;
        xm_machine_notify(r->disk->machine, &r->domain->vcpu[0]);
    }
}

void xm_disk_init(struct xm_disk *disk, struct xm_machine *m, const struct xm_costs *costs, struct xm_sim_vcpu *driver)
{
    *disk = (struct xm_disk){.machine = m, .costs = costs, .driver = driver};
}

void xm_reader_init(struct xm_reader *r, struct xm_disk *disk, uint64_t pause_ns, uint64_t work_ns, uint64_t seed)
{
    *r = (struct xm_reader){.disk = disk, .next = disk->first, .pause_ns = pause_ns, .work_ns = work_ns};
    disk->first = r;
    xm_rng_seed(&r->rng, seed, 'd');
    xm_alarm_init(&r->alarm, XM_ALARM_DEVICE, rings, r);
}

static void sleep_until(struct xm_reader *r, uint64_t mean_ns)
{
    uint64_t in = xm_rng_exponential(&r->rng, mean_ns);
    xm_alarm_set(xm_machine_engine(r->disk->machine), &r->alarm, xm_machine_now(r->disk->machine) + in + 1);
}

void xm_reader_start(struct xm_reader *r)
{
    r->state = XM_READER_PAUSES;
    sleep_until(r, r->pause_ns);
}

void xm_reader_remove(struct xm_reader *r)
{
    struct xm_reader **link = &r->disk->first;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    r->domain = NULL;
    r->state = XM_READER_PAUSES;
    xm_alarm_cancel(xm_machine_engine(r->disk->machine), &r->alarm);
}

/* ---- The guest. */

static uint64_t work(void *guest, struct xm_sim_vcpu *v)
{
    const struct xm_reader *r = guest;
    if (v->number != 0)
        return 0;
    return r->state == XM_READER_ASKS ? r->disk->costs->server_send : r->state == XM_READER_WORKS ? r->work_ns + 1 : 0;
}

static void done(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_reader *r = guest;
    (void)v;
    if (r->state == XM_READER_ASKS) {
        r->state = XM_READER_WAITS;
        xm_machine_notify(r->disk->machine, r->disk->driver);
    } else if (r->state == XM_READER_WORKS) {
        r->state = XM_READER_PAUSES;
        r->read++;
        sleep_until(r, r->pause_ns);
    }
}

const struct xm_guest_ops xm_reader_ops = {work, done};

/* ---- The driver domain. */

struct xm_reader *xm_disk_next(const struct xm_disk *disk)
{
    for (struct xm_reader *r = disk->first; r; r = r->next)
        if (r->state == XM_READER_WAITS || r->state == XM_READER_ANSWERED)
            return r;
    return NULL;
}

void xm_disk_carry(struct xm_reader *r)
{
    if (r->state == XM_READER_WAITS) {
        xm_machine_map(r->disk->machine, r->domain, XM_READER_PAGES);
        r->state = XM_READER_READS;
        sleep_until(r, r->disk->costs->disk_latency);
    } else if (r->state == XM_READER_ANSWERED) {
        xm_machine_unmap(r->disk->machine, r->domain, XM_READER_PAGES);
        r->state = XM_READER_WORKS;
        xm_machine_notify(r->disk->machine, &r->domain->vcpu[0]);
    }
}
