/* SPDX-License-Identifier: MIT */
/* xenmon-sim: the subcommands of xenmon that need the simulator.  xenmon runs it; its first argument is the subcommand. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "sim.h"

#define PROGRAM "xenmon-sim"

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "sim") == 0)
        return xenmon_sim_main(argc - 1, argv + 1);
    if (strcmp(name, "sim-ctl") == 0)
        return xenmon_sim_ctl_main(argc - 1, argv + 1);
    return xm_usage_error(PROGRAM, "this is for xenmon sim and xenmon sim-ctl");
}
