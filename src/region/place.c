/* SPDX-License-Identifier: MIT */
#include "region/layout.h"
#include "region/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP      "xenmon"
#define USER       "xenmon" /* whom a xenbaked that root has started becomes */
#define PATH_BYTES 4096

static enum xm_status refuse(struct xm_error *err, const char *path, const char *why)
{
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, why);
}

/* What the system refused, in its words: whoever lacks a permission is told so by the status. */
static enum xm_status failed(struct xm_error *err, const char *path, int error)
{
    bool denied = error == EACCES || error == EPERM;
    return xm_fail(err, denied ? XM_DENIED : XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(error));
}

static bool join(char *to, const char *path, const char *suffix)
{
    return snprintf(to, PATH_BYTES, "%s%s", path, suffix) < PATH_BYTES;
}

/* ---- The directory. */

static bool ours(uid_t owner)
{
    if (owner == geteuid() || owner == 0)
        return true;
    const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;
    return user && owner == user->pw_uid;
}

enum xm_status xm_place_directory(const char *path, struct xm_error *err)
{
    char directory[PATH_BYTES];
    struct stat st;
    if (!join(directory, path, ""))
        return refuse(err, path, "the name is too long");
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = 0;
    else
        snprintf(directory, sizeof directory, ".");

    if (mkdir(directory, geteuid() == 0 ? 0755 : 0700) != 0 && errno != EEXIST)
        return failed(err, directory, errno);
    /* A link that somebody else made could be made to lead elsewhere any time. */
    if (lstat(directory, &st) != 0)
        return failed(err, directory, errno);
    if (S_ISLNK(st.st_mode) && !ours(st.st_uid))
        return refuse(err, directory, "a link that belongs to another user");
    if (stat(directory, &st) != 0)
        return failed(err, directory, errno);
    if (!S_ISDIR(st.st_mode))
        return refuse(err, directory, "not a directory");
    if (!ours(st.st_uid))
        return refuse(err, directory, "belongs to another user");
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
        return refuse(err, directory, "others may write to it, so they could exchange the region");
    return XM_OK;
}

enum xm_status xm_place_replaces(const char *path, struct xm_error *err)
{
    char magic[sizeof XM_LAYOUT_MAGIC - 1] = "";
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? XM_OK : failed(err, path, errno);
    bool region = false;
    if (S_ISREG(st.st_mode)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            return failed(err, path, errno);
        region = pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
                 memcmp(magic, XM_LAYOUT_MAGIC, sizeof magic) == 0;
        close(fd);
    }
    return region ? XM_OK
                  : xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: this is no region, so it is not replaced by one", path);
}

/* ---- The lock. */

static enum xm_status name_holder(int fd, const char *path, struct xm_error *err)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%s: process %ld is writing this region", path, pid);
    return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%s: another process is writing this region", path);
}

/* Opens the lock file and takes its lock.  XM_AGAIN: another process removed it meanwhile. */
static enum xm_status try_lock(const char *path, const char *name, int *fd, struct xm_error *err)
{
    struct stat st, named;
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (*fd < 0)
        return failed(err, name, errno);
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode) || !ours(st.st_uid))
        return refuse(err, name, "not a file of ours");
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? name_holder(*fd, path, err) : failed(err, name, errno);
    /* Whoever gives a lock back removes the file first: a lock on a file without its name keeps nobody out. */
    bool same = lstat(name, &named) == 0 && named.st_dev == st.st_dev && named.st_ino == st.st_ino;
    return same ? XM_OK : XM_AGAIN;
}

enum xm_status xm_place_lock(const char *path, int *fd, struct xm_error *err)
{
    char name[PATH_BYTES];
    char text[32];
    enum xm_status status;
    *fd = -1;
    if (!join(name, path, ".lock"))
        return refuse(err, path, "the name is too long");
    while ((status = try_lock(path, name, fd, err)) != XM_OK) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        if (status != XM_AGAIN)
            return status;
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The pid is there for the message above only: the lock is what counts. */
    if (ftruncate(*fd, 0) == 0)
        (void)!pwrite(*fd, text, (size_t)n, 0);
    return XM_OK;
}

void xm_place_unlock(const char *path, int fd)
{
    char name[PATH_BYTES];
    if (join(name, path, ".lock"))
        xm_place_remove(name, fd);
    close(fd);
}

/* ---- The file. */

static void give_to_group(int fd)
{
    char buffer[4096];
    struct group group;
    struct group *found = NULL;
    if (getgrnam_r(GROUP, &group, buffer, sizeof buffer, &found) == 0 && found)
        (void)!fchown(fd, (uid_t)-1, found->gr_gid); /* who may not has a region of their own */
}

/* EINTR is the caller's signal, not a reason to have no region. */
static int allocate(int fd, uint64_t bytes)
{
    int error;
    do
        error = posix_fallocate(fd, 0, (off_t)bytes);
    while (error == EINTR);
    return error;
}

static enum xm_status fill(int fd, const char *name, uint64_t bytes, void **base, struct xm_error *err)
{
    int error = allocate(fd, bytes);
    if (error)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: no room for %llu MiB: %s", name,
                       (unsigned long long)((bytes + (1 << 20) - 1) >> 20), strerror(error));
    give_to_group(fd);
    if (fchmod(fd, 0640) != 0)
        return failed(err, name, errno);
    /* Populated, so that publishing a sample does not stop at pages seen for the first time. */
    *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    return *base == MAP_FAILED ? failed(err, name, errno) : XM_OK;
}

enum xm_status xm_place_create(const char *path, uint64_t bytes, int *fd, void **base, struct xm_error *err)
{
    char name[PATH_BYTES];
    if (!join(name, path, ".new"))
        return refuse(err, path, "the name is too long");
    /* One that a killed writer left; whoever has the lock may remove it. */
    unlink(name);
    *fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return failed(err, name, errno);
    enum xm_status status = fill(*fd, name, bytes, base, err);
    if (status != XM_OK) {
        close(*fd);
        unlink(name);
    }
    return status;
}

enum xm_status xm_place_publish(const char *path, struct xm_error *err)
{
    char name[PATH_BYTES];
    if (!join(name, path, ".new"))
        return refuse(err, path, "the name is too long");
    if (rename(name, path) == 0)
        return XM_OK;
    enum xm_status status = failed(err, path, errno);
    unlink(name);
    return status;
}

void xm_place_remove(const char *path, int fd)
{
    struct stat named;
    struct stat own;
    if (stat(path, &named) == 0 && fstat(fd, &own) == 0 && named.st_dev == own.st_dev &&
        named.st_ino == own.st_ino)
        unlink(path);
}
