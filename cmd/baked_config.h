/* SPDX-License-Identifier: MIT */
/* What xenbaked was told to do: its command line, --help and --show-config. */
#ifndef XM_CMD_BAKED_CONFIG_H
#define XM_CMD_BAKED_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "baked_live.h"
#include "region/plan.h"

#define XM_BAKED_FOREVER UINT64_MAX
#define XM_BAKED_SPEED_UNSET UINT64_MAX

enum xm_baked_source { XM_BAKED_AUTO, XM_BAKED_FILE, XM_BAKED_PIPE, XM_BAKED_XEN, XM_BAKED_SIM };
enum xm_baked_order { XM_BAKED_STRICT, XM_BAKED_PROMPT, XM_BAKED_BY_SOURCE };

struct xm_baked_config {
    const char *input; /* NULL: the running Xen, or a simulated one */
    const char *scenario; /* of that */
    const char *region, *log_to, *pid_file;
    char region_path[PATH_MAX], log_path[PATH_MAX], pid_path[PATH_MAX];
    uint64_t interval_ns, per_second, history_ns, slow_history_ns, memory_bytes;
    uint64_t domains, vcpus, pcpus;
    uint64_t hz, speed, passes, linger_ns, max_jump_ns, log_thresh;
    struct xm_live_choice live;
    unsigned source;    /* enum xm_baked_source */
    unsigned order;     /* enum xm_baked_order */
    unsigned log_level; /* enum xm_log_level */
    const char *durable; /* directory of the history on disk; NULL: none */
    char durable_path[PATH_MAX];
    const char *durable_step, *durable_sync, *durable_keep, *durable_size;
    bool copies, minimal, foreground, background, exit_at_end, show, version, help;
    const char *file; /* the configuration file; NULL: the system's, or the user's */
    bool no_file;
};

/*
 * Reads configuration files, and over them the command line; strings of both are borrowed and last as long as the
 * process.  XM_EXIT_DONE to go on, else what to exit with: it has been said.
 */
int xm_baked_config_read(int argc, char **argv, struct xm_baked_config *config);

/* To stdout; what to exit with. */
int xm_baked_help(void);
int xm_baked_config_show(const struct xm_baked_config *config);

/* What is asked of the region. */
struct xm_region_settings xm_baked_settings(const struct xm_baked_config *config);

/* "12.345" */
const char *xm_baked_seconds(uint64_t ns, char text[32]);

#endif
