/* SPDX-License-Identifier: MIT */
/*
 * What xenmon live, or xenmon replay (argv[0] says which), was told: configuration files, and over them its command line.
 */
#ifndef XM_CMD_LIVE_CONFIG_H
#define XM_CMD_LIVE_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "front/screen/choice.h"
#include "options.h"

struct xm_live_config {
    const char *region, *replay;
    const char *ignored; /* upstream's options for its log, which it took here too */
    const char *file, *sort, *columns, *filter;
    struct xm_choice choice; /* to begin with */
    uint64_t frames, width, cpu, ms_per_sample_ns;
    unsigned colour;
    bool once, live, help, mouse, no_file, paused;
    struct xm_config lines;   /* of files: it has what `region` and the like may point to */
    char keep_path[PATH_MAX]; /* where settings are kept; "": nowhere */
};

/*
 * Reads both.  What is wrong in a file is said on stderr, and the first of it in choice.said, but keeps
 * nobody from looking at a screen.  XM_EXIT_DONE to go on, else what to exit with, and it has been said
 * why.  `config` is zeroed or not; xm_live_config_fini() frees it in either case.
 */
int xm_live_config_read(int argc, char **argv, struct xm_live_config *config);
void xm_live_config_fini(struct xm_live_config *config);

/* --help, and the columns of the view that was chosen, on stdout.  Return what to exit with. */
int xm_live_help(void);
bool xm_live_wants_columns(const struct xm_live_config *config); /* --sort=list, --columns=list */
int xm_live_columns(const struct xm_live_config *config);

/* Whether colours are wanted: --color, NO_COLOR, CLICOLOR_FORCE, CLICOLOR, in this order. */
bool xm_live_colour(const struct xm_live_config *config);

/* Keeps the settings (front/screen/live.h); user: the struct xm_live_config. */
void xm_live_keep_settings(void *user, struct xm_choice *choice);

#endif
