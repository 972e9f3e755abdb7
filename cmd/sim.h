/* SPDX-License-Identifier: MIT */
/* The subcommands of xenmon that xenmon-sim carries. */
#ifndef XM_CMD_SIM_H
#define XM_CMD_SIM_H

/* argv[0] is the subcommand's own name, the rest its options and operands.  Return the exit code. */
int xenmon_sim_main(int argc, char **argv);
int xenmon_sim_ctl_main(int argc, char **argv);

#endif
