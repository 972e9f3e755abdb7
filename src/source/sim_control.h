/* SPDX-License-Identifier: MIT */
/*
 * A socket through which a simulated host that runs is looked at and changed: lines of source/sim_command.h, and their
 * answers, as many as a client likes.
 *
 * Whoever may connect is not trusted to behave: nothing waits for a client, a line that is too long ends its connection,
 * who does not read the answers is asked nothing more, and where there are XM_SIM_CLIENTS a new one takes the place of
 * the one that has been silent longest.
 *
 * Threads: the host's one.
 */
#ifndef XM_SIM_CONTROL_H
#define XM_SIM_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/host.h"
#include "xenmon/status.h"

#define XM_SIM_CLIENTS 8u

struct xm_sim_control;

/* Where the socket of the xenbaked that writes this region is: beside it.  False where that does not fit. */
bool xm_sim_control_path(const char *region, char *path, size_t size);

/*
 * host: borrowed.  The socket is the owner's alone (mode 0600); a stale one of that name is replaced, which the caller knows
 * to be stale.  XM_OK; XM_IO: err says why not; XM_NOMEM.
 */
enum xm_status xm_sim_control_open(const char *path, struct xm_simhost *host, struct xm_sim_control **control,
                                   struct xm_error *err) XM_MUST_CHECK;
void xm_sim_control_close(struct xm_sim_control *control); /* removes the socket; NULL is fine */

/* Can be read from while somebody wants something. */
int xm_sim_control_fd(const struct xm_sim_control *control);

/* Does what clients have asked for, XM_SIM_COMMAND_BYTES of each at most.  Never blocks. */
void xm_sim_control_serve(struct xm_sim_control *control);

#endif
