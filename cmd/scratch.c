/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "xenmon."
#define TRIES  8

static const char *const roots[] = {"/dev/shm", "/tmp"};

/* PREFIX, digits, a dot, what mkdtemp made of six X. */
static bool is_name(const char *name)
{
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
        return false;
    const char *pid = name + sizeof PREFIX - 1;
    size_t digits = strspn(pid, "0123456789");
    return digits > 0 && pid[digits] == '.' && strlen(pid + digits + 1) == 6;
}

/* The lock on a directory of our own; -1: it is none, or somebody has it. */
static int lock_it(int root, const char *name)
{
    struct stat st;
    int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

static void empty(int directory)
{
    int fd = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
    if (!files) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *file = readdir(files); file; file = readdir(files))
        if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0)
            (void)unlinkat(directory, file->d_name, 0);
    closedir(files);
}

static void sweep(const char *root)
{
    DIR *names = opendir(root);
    if (!names)
        return;
    for (const struct dirent *name = readdir(names); name; name = readdir(names)) {
        int fd = is_name(name->d_name) ? lock_it(dirfd(names), name->d_name) : -1;
        if (fd < 0)
            continue;
        empty(fd);
        (void)unlinkat(dirfd(names), name->d_name, AT_REMOVEDIR);
        close(fd);
    }
    closedir(names);
}

/* Between the making and the lock somebody who sweeps may take it for a left-over: then it is gone, and made again. */
static bool make_in(const char *root, struct xm_scratch *scratch)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct stat st;
        snprintf(scratch->path, sizeof scratch->path, "%s/" PREFIX "%ld.XXXXXX", root, (long)getpid());
        if (!mkdtemp(scratch->path))
            return false;
        scratch->lock = lock_it(AT_FDCWD, scratch->path);
        if (scratch->lock >= 0 && stat(scratch->path, &st) == 0)
            return true;
        if (scratch->lock >= 0)
            close(scratch->lock);
        (void)rmdir(scratch->path);
        errno = EAGAIN;
    }
    return false;
}

bool xm_scratch_make(struct xm_scratch *scratch)
{
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        sweep(roots[i]);
        if (make_in(roots[i], scratch))
            return true;
    }
    scratch->path[0] = '\0';
    return false;
}

void xm_scratch_remove(struct xm_scratch *scratch)
{
    if (!scratch->path[0])
        return;
    (void)rmdir(scratch->path);
    close(scratch->lock);
    scratch->path[0] = '\0';
}
