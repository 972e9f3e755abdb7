/* SPDX-License-Identifier: MIT */
/* Whether this machine's hypervisor can be asked, found out from files before any library complains. */
#ifndef XM_MACHINE_H
#define XM_MACHINE_H

#include "xenmon/status.h"

/* Where the kernel says it, borrowed; tests have their own. */
struct xm_machine_paths {
    const char *type;         /* "/sys/hypervisor/type": "xen" */
    const char *capabilities; /* "/proc/xen/capabilities", of xenfs: "control_d" in dom0 */
    const char *privcmd;      /* "/dev/xen/privcmd": hypercalls and mappings */
    const char *privcmd_old;  /* "/proc/xen/privcmd": the same, before /dev had it */
    const char *evtchn;       /* "/dev/xen/evtchn": events */
};

struct xm_machine_paths xm_machine_paths(void); /* those of a running kernel */

/*
 * XM_OK: dom0, and its devices can be opened; XM_DENIED: err says in one line what is missing and what to do;
 * XM_IO: a file cannot be read for another reason.  Opens and closes the devices, which has no effect.
 */
enum xm_status xm_machine_check(const struct xm_machine_paths *paths, struct xm_error *err) XM_MUST_CHECK;

#endif
