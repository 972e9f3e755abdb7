/* SPDX-License-Identifier: MIT */
/*
 * What can be asked of a simulated host while it runs: one line of words, an answer of lines.
 *
 *     status                       what is on the host
 *     rate DOM N                   requests a second of a web server
 *     weight|cap|mcu_advance|period|slice|extratime DOM VALUE
 *     pause DOM, unpause DOM
 *     create NAME [role=hog] [id=N] [vcpus=2] ...   names and values as in a scenario
 *     destroy DOM
 *     help
 *
 * DOM is a number or a name.  The answer ends in a line "ok", or "error: " and why; before "ok" there may be more lines.
 *
 * Threads: the host's one.
 */
#ifndef XM_SIM_COMMAND_H
#define XM_SIM_COMMAND_H

#include <stddef.h>

#include "sim/host.h"

#define XM_SIM_COMMAND_BYTES 512u  /* of a line, the end of it included */
#define XM_SIM_ANSWER_BYTES 65536u /* of an answer, the zero behind it included */

/*
 * Does what the line says, which may be anything.  answer: of XM_SIM_ANSWER_BYTES.  Cost: bounded by the number of domains
 * that have been on the host.
 */
void xm_sim_command(struct xm_simhost *host, const char *line, char *answer);

#endif
