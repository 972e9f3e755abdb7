/* SPDX-License-Identifier: MIT */
/* Where scenarios of the simulated host are found. */
#ifndef XM_CMD_SCENARIOS_H
#define XM_CMD_SCENARIOS_H

#include <limits.h>

#include "sim/scenario.h"
#include "xenmon/status.h"

/*
 * Reads the scenario that `name` means: a file of that name; a bare name is looked for, with and without ".ini", in
 * ./scenarios and among the installed ones.  XM_OK; XM_IO: there is none; what xm_scenario_read() says.
 */
enum xm_status xm_scenarios_read(const char *name, struct xm_scenario *scenario, struct xm_error *err) XM_MUST_CHECK;

#endif
