/* SPDX-License-Identifier: MIT */
#include "options.h"
#include "xenmon.h"

int xenmon_log_main(int argc, char **argv)
{
    xm_complain("xenmon log", "not built yet");
    return XM_EXIT_FAILED;
}
