/* SPDX-License-Identifier: MIT */
/*
 * Options from configuration files: in the section of a program, every long option is a name
 * (xenmon.conf(5)).
 */
#ifndef XM_CMD_CONFIG_H
#define XM_CMD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "xenmon/status.h"

/* What a section can say, and where it goes. */
struct xm_config {
    const char *section;
    const struct xm_option *options;
    size_t count;
    void *config;
    /*
     * Names of options that only a command line can have; ends with NULL.  Files are read before it, so
     * a command line wins by itself; where it wins over another option too, that one is in `skip`, by
     * index: such values are checked, by way of `scratch`, which is another configuration, and not
     * taken.  skip: may be NULL.
     */
    const char *const *never;
    const bool *skip;
    void *scratch;
    /* Whether this reader is the one to speak of other sections and of lines that are none. */
    bool whole;
    char **texts; /* of values that options have borrowed; of xm_config_fini() */
    size_t text_count;
    char cause[300];
};

/*
 * Reads the section from `path`.  say: is called with "PATH:LINE: cause" for each line that is wrong;
 * the others are taken.  Returns as xm_conf_read() (front/conf.h), and XM_INVALID where a line was
 * wrong.
 */
enum xm_status xm_config_read(struct xm_config *config, const char *path,
                              void (*say)(void *user, const char *text), void *user,
                              struct xm_error *err) XM_MUST_CHECK;

/* Frees texts: options that have borrowed one are not to be used any more. */
void xm_config_fini(struct xm_config *config);

#endif
