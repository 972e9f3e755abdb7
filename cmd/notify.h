/* SPDX-License-Identifier: MIT */
/*
 * The service manager's notifications (sd_notify(3), a datagram of lines to $NOTIFY_SOCKET): the protocol is stable and
 * three calls need no library.
 *
 * Threads: any; the environment must not change meanwhile.
 */
#ifndef XM_CMD_NOTIFY_H
#define XM_CMD_NOTIFY_H

#include <stdint.h>

/* Sends `state` ("READY=1\nSTATUS=...", "WATCHDOG=1"); nothing where nobody manages us.  Never blocks. */
void xm_notify(const char *state);

/* How often at least WATCHDOG=1 is expected; 0: not at all. */
uint64_t xm_notify_watchdog_ns(void);

#endif
