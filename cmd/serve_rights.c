/* SPDX-License-Identifier: MIT */
#include "serve_rights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fence.h"
#include "options.h"
#include "privileges.h"

#define USER "xenmon"
/* Where that one was not made: no rights at all are better than all of them. */
#define LAST_USER "nobody"

/* Whom to become, and its name; found false and XM_OK: nobody, it stays. */
static enum xm_status settle_user(const struct xm_serve_config *c, const char **name,
                                  struct xm_account_of *user, struct xm_error *err)
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
        return xm_fail(
            err, XM_DENIED, XM_NO_OFFSET,
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
                           "%s: user '%s' cannot read it: %s (chgrp it to that user's group, chmod 640)",
                           paths[i], name, strerror(errno));
    return XM_OK;
}

/* The directory that a file is in. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int bytes = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    int n = snprintf(folder, PATH_MAX, "%.*s", bytes, slash ? path : ".");
    return n > 0 && n < PATH_MAX;
}

/* What may be as it should, or become so: it is said, and no reason to stay away. */
static void warn(const struct xm_serve_config *c, const char *name)
{
    if (access(c->region_path, R_OK) != 0 && errno == EACCES)
        xm_complain(
            XM_SERVE_PROGRAM,
            "the region %s: user '%s' cannot read it: xenbaked gives it to the group xenmon where there is "
            "one; or say --user=none",
            c->region_path, name);
    if (!c->access_log || strcmp(c->access_log, "-") == 0)
        return;
    char folder[PATH_MAX];
    if (folder_of(c->access_log, folder) && access(folder, W_OK | X_OK) != 0)
        xm_complain(
            XM_SERVE_PROGRAM,
            "%s: user '%s' cannot make a file there: it writes on in the old log once that is renamed",
            folder, name);
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

/* ---- The fence. */

/* A file that may be replaced: where it is named, and where it lies if that is a link. */
static bool allow_around(int fence, const char *path)
{
    char folder[PATH_MAX];
    char real[PATH_MAX];
    if (!path)
        return true;
    return folder_of(path, folder) && xm_fence_allow(fence, folder, XM_FENCE_READ) && realpath(path, real) &&
           folder_of(real, folder) && xm_fence_allow(fence, folder, XM_FENCE_READ);
}

/*
 * A directory that may be made anew: with the one above it, whose entries alone tell of that.  Above that is
 * too much, and so is all that there is.  False: neither is there.
 */
static bool allow_renewed(int fence, const char *folder)
{
    char above[PATH_MAX];
    bool itself = xm_fence_allow(fence, folder, XM_FENCE_READ);
    bool climbs = folder_of(folder, above) && strcmp(above, "/") != 0 && strcmp(folder, "/") != 0 &&
                  strcmp(folder, ".") != 0;
    return (climbs && xm_fence_allow(fence, above, XM_FENCE_READ)) || itself;
}

/* The same where it is named, and where it lies if that is a link.  What is not there stays shut. */
static void allow_folder(int fence, const char *what, const char *folder)
{
    char real[PATH_MAX];
    bool good = allow_renewed(fence, folder);
    if (good && realpath(folder, real))
        good = allow_renewed(fence, real);
    if (!good)
        xm_complain(XM_SERVE_PROGRAM,
                    "%s: %s: %s, nor is the directory above it: it cannot be read later either, as the "
                    "kernel (Landlock) shuts out what is not there now; make it and start again, or say "
                    "--no-fence",
                    folder, what, strerror(errno));
}

static void allow_history(int fence, const char *directory)
{
    char folder[PATH_MAX];
    if (!directory)
        return;
    snprintf(folder, sizeof folder, "%s", directory);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    allow_folder(fence, "the history's directory", folder);
}

static bool allow_region(int fence, const char *path)
{
    char folder[PATH_MAX];
    char real[PATH_MAX];
    if (!folder_of(path, folder))
        return false;
    allow_folder(fence, "the region's directory", folder);
    /* The region itself may be a link, too. */
    return !realpath(path, real) || !folder_of(real, folder) || allow_renewed(fence, folder);
}

/* What is read again later. */
static bool allow_again(int fence, const struct xm_serve_config *c)
{
    const char *const paths[] = {c->token_file, c->users, c->tls_cert, c->tls_key};
    bool good = true;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        good = good && allow_around(fence, paths[i]);
    return good;
}

/* The access log, and sockets that are removed at the end. */
static bool allow_changes(int fence, const struct xm_serve_config *c, const struct xm_serve_sockets *sockets)
{
    char folder[PATH_MAX];
    bool good = true;
    if (c->access_log && strcmp(c->access_log, "-") != 0)
        good = folder_of(c->access_log, folder) && xm_fence_allow(fence, folder, XM_FENCE_WRITE);
    for (unsigned i = 0; i < XM_HTTP_LISTENERS; i++)
        if (sockets->made[i][0])
            good =
                good && folder_of(sockets->made[i], folder) && xm_fence_allow(fence, folder, XM_FENCE_REMOVE);
    return good;
}

bool xm_serve_fence(const struct xm_serve_config *c, const struct xm_serve_sockets *sockets)
{
    /* What libraries read: processes and their memory; seeds of hash tables; the time zone, for UTC too. */
    static const char *const common[] = {"/proc", "/dev/urandom", "/etc/localtime"};
    if (c->no_fence)
        return false;
    int fence = xm_fence_begin();
    if (fence < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        return false; /* a kernel that has none: no line each time */
    bool good = fence >= 0;
    for (size_t i = 0; good && i < sizeof common / sizeof common[0]; i++)
        (void)xm_fence_allow(fence, common[i], XM_FENCE_READ); /* not every machine has them */
    if (good)
        allow_history(fence, c->history);
    good = good && allow_region(fence, c->region_path) && allow_again(fence, c) &&
           allow_changes(fence, c, sockets);
    if (xm_fence_close(fence, good))
        return true;
    xm_complain(XM_SERVE_PROGRAM,
                "there is no fence around it, Landlock is refused: %s; it goes on, but a fault in it "
                "could open every file that its user may read",
                strerror(errno));
    return false;
}

/* Whether a message of bounded length is about that path. */
static bool is_about(const char *said, const char *path)
{
    char begin[128];
    snprintf(begin, sizeof begin, "%.120s", path);
    return strstr(said, begin) != NULL;
}

bool xm_serve_shut(const struct xm_serve_config *c, enum xm_serve_part part, const char *said, char *text,
                   size_t size)
{
    const struct {
        enum xm_serve_part part;
        const char *option, *path;
        unsigned what;
    } files[] = {{XM_SERVE_SECRETS, "token-file", c->token_file, XM_FENCE_READ},
                 {XM_SERVE_SECRETS, "users", c->users, XM_FENCE_READ},
                 {XM_SERVE_CERTIFICATE, "tls-cert", c->tls_cert, XM_FENCE_READ},
                 {XM_SERVE_CERTIFICATE, "tls-key", c->tls_key, XM_FENCE_READ},
                 {XM_SERVE_LOG, "access-log", c->access_log, XM_FENCE_WRITE},
                 {XM_SERVE_REGION, "region", c->region_path, XM_FENCE_READ}};
    char real[PATH_MAX];
    *text = '\0';
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = files[i].path;
        if (files[i].part != part || !path || !is_about(said, path) ||
            !xm_fence_shuts(path, files[i].what))
            continue;
        bool leads = realpath(path, real) && strcmp(real, path) != 0;
        snprintf(text, size,
                 "it is the fence (Landlock) that shuts out what --%s=%s names%s%s: it lies where nothing "
                 "was to be opened when the server began; start it again, or say --no-fence",
                 files[i].option, path, leads ? ", " : "", leads ? real : "");
        return true;
    }
    return false;
}
