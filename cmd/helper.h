/* SPDX-License-Identifier: MIT */
/* Programs that xenmon runs for subcommands whose libraries it does not carry itself. */
#ifndef XM_CMD_HELPER_H
#define XM_CMD_HELPER_H

#include <limits.h>
#include <stdbool.h>

/* Where `program` lies: beside our own executable, or in libexec.  False: it is not there, and `path` is where it should be. */
bool xm_helper_find(const char *program, char path[PATH_MAX]);

/*
 * Becomes `program` ("xenmon-sim"), which lies beside xenmon's own executable or in its libexec directory, with
 * argv[0] (the subcommand) and the rest as its arguments.  Returns only where it cannot, what to exit with: it has been said why.
 */
int xm_helper_run(const char *program, int argc, char **argv);

#endif
