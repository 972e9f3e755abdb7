/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct xm_account_of xm_user(const char *name)
{
    const struct passwd *p = getpwnam(name);
    if (!p)
        return (struct xm_account_of){.found = false};
    return (struct xm_account_of){true, p->pw_uid, p->pw_gid};
}

/* Root's own, and no file that has another name elsewhere. */
static bool is_to_give(const struct stat *st)
{
    bool file = S_ISREG(st->st_mode) && st->st_nlink == 1;
    return st->st_uid == 0 && (file || S_ISDIR(st->st_mode) || S_ISSOCK(st->st_mode));
}

/*
 * By descriptor and never through a link: the directory may be one that others write to.  The group goes too
 * where it is still root's: one that was chosen stays, as the region's.
 */
static void hand_over(const char *path, struct xm_account_of user)
{
    struct stat st;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && is_to_give(&st) &&
        fchownat(fd, "", user.uid, st.st_gid == 0 ? user.gid : (gid_t)-1, AT_EMPTY_PATH) != 0)
        errno = 0; /* it stays root's: all that fails then is to remove it at the end */
    close(fd);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    return (int)syscall(SYS_capset, &header, none);
}

enum xm_status xm_become(struct xm_account_of user, const char *const *paths, struct xm_error *err)
{
    for (; *paths; paths++)
        hand_over(*paths, user);
    if (setgroups(0, NULL) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "setgroups: %s", strerror(errno));
    if (setresgid(user.gid, user.gid, user.gid) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "setresgid: %s", strerror(errno));
    if (setresuid(user.uid, user.uid, user.uid) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "setresuid: %s", strerror(errno));
    if (drop_capabilities() != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "capset: %s", strerror(errno));
    if (user.uid != 0 && setuid(0) == 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "root could be had back");
    return XM_OK;
}

void xm_confine(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
