/* SPDX-License-Identifier: MIT */
/* What xenmon --connect was told: URLs, credentials, and what is for the screens that it runs. */
#ifndef XM_CMD_CONNECT_CONFIG_H
#define XM_CMD_CONNECT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "connect_fetch.h"
#include "front/hosts/hosts.h"

#define XM_CONNECT_PROGRAM "xenmon connect"

struct xm_connect_config {
    const char *url[XM_HOSTS_MOST];
    unsigned urls;
    const char *token_file, *user_file, *ca_file, *netrc;
    const char *filter;
    uint64_t history_ns, copy_bytes, interval_ns, frames, width;
    unsigned colour, sort;
    bool once, help;
    struct xm_fetch_credentials credentials;
    char *secret; /* owned: what the credentials point into */
    char **live;  /* owned, as an array: options that are the live screen's, NULL at the end */
    unsigned lives;
};

/*
 * Reads the command line: argv[0] is the command's name.  What is not known here is the live screen's.
 * XM_EXIT_DONE to go on, else what to exit with, and it has been said why.  xm_connect_config_fini() in
 * either case.
 */
int xm_connect_config_read(int argc, char **argv, struct xm_connect_config *config);
void xm_connect_config_fini(struct xm_connect_config *config);

/* Prints --help; the exit status. */
int xm_connect_help(void);

#endif
