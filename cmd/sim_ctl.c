/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include "options.h"
#include "sim.h"
int xenmon_sim_ctl_main(int argc, char **argv)
{
    return xm_usage_error("xenmon sim-ctl", "not yet");
}
