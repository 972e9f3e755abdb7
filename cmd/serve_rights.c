/* SPDX-License-Identifier: MIT */
#include "serve_rights.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "privileges.h"

#define USER "xenmon"
/* Where that one was not made: no rights at all are better than all of them. */
#define LAST_USER "nobody"

/* Whom to become, and its name; found false and XM_OK: nobody, it stays. */
static enum xm_status settle_user(const struct xm_serve_config *c, const char **name, struct xm_account_of *user,
                                  struct xm_error *err)
{
    *name = c->user ? c->user : USER;
    *user = (struct xm_account_of){.found = false};
    if (geteuid() != 0 || strcmp(*name, "none") == 0)
        return XM_OK;
    *user = xm_user(*name);
    if (user->found)
        return XM_OK;
    if (c->user)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is no user '%s'", *name);
    *name = LAST_USER;
    *user = xm_user(*name);
    if (!user->found)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "root becomes xenmon or nobody, and there is no such user: make one, or say --user=none");
    xm_complain(XM_SERVE_PROGRAM, "there is no user xenmon: it becomes nobody");
    return XM_OK;
}

/* What is read again later is read by that user: who cannot is told now, not when a token is taken back. */
static enum xm_status can_read(const struct xm_serve_config *c, const char *name, struct xm_error *err)
{
    const char *const paths[] = {c->token_file, c->users, c->tls_cert, c->tls_key};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i] && access(paths[i], R_OK) != 0)
            return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                           "%s: user '%s' cannot read it: %s (chgrp it to that user's group, chmod 640)", paths[i], name,
                           strerror(errno));
    return XM_OK;
}

/* What may be as it should, or become so: it is said, and no reason to stay away. */
static void warn(const struct xm_serve_config *c, const char *name)
{
    if (access(c->region_path, R_OK) != 0 && errno == EACCES)
        xm_complain(XM_SERVE_PROGRAM, "the region %s: user '%s' cannot read it", c->region_path, name);
    if (!c->access_log || strcmp(c->access_log, "-") == 0)
        return;
    const char *slash = strrchr(c->access_log, '/');
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - c->access_log) + 1 : 1,
                     slash ? c->access_log : ".");
    if (n > 0 && (size_t)n < sizeof folder && access(folder, W_OK | X_OK) != 0)
        xm_complain(XM_SERVE_PROGRAM,
                    "%s: user '%s' cannot make a file there: it writes on in the old log once that is renamed", folder,
                    name);
}

enum xm_status xm_serve_step_down(const struct xm_serve_config *c, const struct xm_serve_sockets *sockets,
                                  struct xm_error *err)
{
    const char *paths[XM_HTTP_LISTENERS + 3] = {NULL};
    const char *name;
    struct xm_account_of user;
    unsigned n = 0;
    enum xm_status status = settle_user(c, &name, &user, err);
    if (status != XM_OK || !user.found)
        return status;
    for (unsigned i = 0; i < XM_HTTP_LISTENERS; i++)
        if (sockets->made[i][0])
            paths[n++] = sockets->made[i];
    if (n == 1 && strcmp(paths[0], XM_SERVE_SOCKET) == 0)
        paths[n++] = XM_SERVE_FOLDER; /* else it could not be removed at the end */
    if (c->access_log && strcmp(c->access_log, "-") != 0)
        paths[n++] = c->access_log;
    status = xm_become(user, paths, err);
    if (status == XM_OK)
        status = can_read(c, name, err);
    if (status == XM_OK)
        warn(c, name);
    return status;
}
