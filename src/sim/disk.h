/* SPDX-License-Identifier: MIT */
/* Guests that read a disk through the driver domain: one request at a time, with a pause between two. */
#ifndef XM_SIM_DISK_H
#define XM_SIM_DISK_H

#include <stdint.h>

#include "base/rng.h"
#include "sim/costs.h"
#include "sim/machine.h"

#define XM_READER_PAGES 4u /* of a request: 16 KiB */

struct xm_reader;

/* The back end's side of all readers. */
struct xm_disk {
    struct xm_machine *machine;
    const struct xm_costs *costs;
    struct xm_sim_vcpu *driver;
    struct xm_reader *first;
};

struct xm_reader {
    struct xm_disk *disk;
    struct xm_reader *next;
    struct xm_sim_domain *domain; /* NULL: gone */
    struct xm_rng rng;
    uint64_t pause_ns, work_ns;   /* between requests; what the guest does with an answer */
    enum {
        XM_READER_PAUSES, XM_READER_ASKS, XM_READER_WAITS, /* pauses; has something to ask; the back end has not begun */
        XM_READER_READS, XM_READER_ANSWERED, XM_READER_WORKS /* at the disk; the disk is done; the guest has it */
    } state;
    struct xm_alarm alarm;
    uint64_t read;                /* requests answered */
};

extern const struct xm_guest_ops xm_reader_ops; /* guest: struct xm_reader */

void xm_disk_init(struct xm_disk *disk, struct xm_machine *m, const struct xm_costs *costs, struct xm_sim_vcpu *driver);
void xm_reader_init(struct xm_reader *r, struct xm_disk *disk, uint64_t pause_ns, uint64_t work_ns, uint64_t seed);
void xm_reader_start(struct xm_reader *r); /* once domain is set */
void xm_reader_remove(struct xm_reader *r); /* as xm_netif_remove() */

/* ---- The driver domain's software. */

/* One whose request or answer waits to be carried on; NULL: none. */
struct xm_reader *xm_disk_next(const struct xm_disk *disk);
void xm_disk_carry(struct xm_reader *r);

#endif
