/* SPDX-License-Identifier: MIT */
/*
 * The counters of the devices that the kernel of this domain serves other domains: xen-netback's interfaces
 * and xen-blkback's disks.
 *
 *   SYS/class/net/vifD.N/statistics/{rx,tx}_{bytes,packets}     an interface; rx is what the domain sent
 *   SYS/bus/xen-backend/devices/vif-D-N/net/NAME/statistics     the same, renamed by the toolstack
 *   SYS/bus/xen-backend/devices/vbd-D-N/statistics/             rd_req, wr_req; rd_sect, wr_sect of 512 bytes
 *
 * Not here: disks that a process serves (QEMU, blktap), which have no statistics; devices whose back end is
 * in a driver domain.  An HVM guest's emulated card (vifD.N-emu) is a tap beside its vif, not counted: most
 * guests leave it early.
 *
 * The kernel's counters begin again from 0 when a device is plugged anew, when a guest's driver reconnects,
 * and, those of requests alone, every 10 s where xen-blkback's parameter log_stats is set.  So what is added
 * to a domain's totals is each counter's own growth; one that is less than it was has begun again.
 *
 * Threads: one.
 */
#ifndef XM_DEVICES_H
#define XM_DEVICES_H

#include <stddef.h>

#include "source/xen/facts.h"
#include "xenmon/status.h"

#define XM_DEVICES_MOST 16384u /* devices; further ones are left out */
#define XM_DEVICES_TURN 1024u  /* devices read in one go; where there are more, each has its turn */

struct xm_devices;

/* sys: "/sys"; copied.  XM_OK, XM_NOMEM; that it is not there is no error. */
enum xm_status xm_devices_open(const char *sys, struct xm_devices **devices) XM_MUST_CHECK;
void xm_devices_close(struct xm_devices *devices); /* NULL is fine */

/*
 * Finds out which devices there are.  XM_OK; XM_NOMEM: all is as before.  A directory that cannot be read now
 * changes nothing.  Cost: two directories.
 */
enum xm_status xm_devices_list(struct xm_devices *devices) XM_MUST_CHECK;

/*
 * Adds to the domains' devices what has been carried since the last time, or, by a device not met yet, ever;
 * sets vifs and vbds.  rows: by ascending id; what belongs to others is not read.  What cannot be read now is
 * added later.  Cost: for each of XM_DEVICES_TURN devices, a directory opened and four small files read.
 */
void xm_devices_read(struct xm_devices *devices, struct xm_facts_domain *rows, size_t count);

#endif
