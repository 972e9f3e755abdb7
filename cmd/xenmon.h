/* SPDX-License-Identifier: MIT */
/* The subcommands of xenmon, each in its own file. */
#ifndef XM_CMD_XENMON_H
#define XM_CMD_XENMON_H

#include <stddef.h>

/* argv[0] is the subcommand's own name, the rest its options and operands.  Returns the exit code. */
int xenmon_report_main(int argc, char **argv);
int xenmon_log_main(int argc, char **argv);
int xenmon_batch_main(int argc, char **argv);
int xenmon_record_main(int argc, char **argv);
int xenmon_completion_main(int argc, char **argv);

/* The i-th command with a help of its own, in the order of xenmon --help; name NULL: there are no more. */
struct xenmon_command {
    const char *name, *help;
};
struct xenmon_command xenmon_command(size_t i);

#endif
