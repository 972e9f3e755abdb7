/* SPDX-License-Identifier: MIT */
#ifndef XM_CMD_XENMON_LIVE_H
#define XM_CMD_XENMON_LIVE_H

/*
 * The subcommand live: argv[0] is its own name, the rest are its options.  Returns the exit code.
 * Installs signal handlers and sets the locale of characters: for a process that does nothing else.
 */
int xenmon_live_main(int argc, char **argv);

#endif
