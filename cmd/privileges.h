/* SPDX-License-Identifier: MIT */
/* Giving up what is not needed any more once everything is open. */
#ifndef XM_CMD_PRIVILEGES_H
#define XM_CMD_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "xenmon/status.h"

struct xm_account_of {
    bool found;
    uid_t uid;
    gid_t gid;
};

/* The system's user of that name. */
struct xm_account_of xm_user(const char *name);

/*
 * From root to `user`: groups, ids, every capability, and no way back.  paths (NULL-terminated) are given to
 * the user first, in their order, where they exist and are root's own: directories, sockets, files of one
 * name, so that they can be written and removed from then on; and to the user's group where their group is
 * root's, so that who may read there does not depend on when a file was made.  What is open stays open.  XM_OK;
 * XM_IO: err says what was refused, and the process must not go on.
 */
enum xm_status xm_become(struct xm_account_of user, const char *const *paths, struct xm_error *err) XM_MUST_CHECK;

/* New programs get no privileges, memory cannot be read by others of the same user.  For everybody. */
void xm_confine(void);

#endif
