/* SPDX-License-Identifier: MIT */
#include "source/xen/rivals.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs that read the trace buffers, and daemons that have the event device open for other reasons. */
static const char *const readers[] = {"xentrace", "xenbaked"};
static const char *const others[] = {"xenstored", "oxenstored", "xenconsoled", "xenopsd", "xenpaging", "xl", "libxl",
                                     "libvirtd", "virtqemud", "virtxend", "xcp-rrdd", "varstored", "xenwatchdogd"};
/* Their names have the machine in them: qemu-system-i386 is cut to 15 bytes. */
static const char *const emulators[] = {"qemu", "blktap", "tapdisk", "vhost"};

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static bool is_other(const char *name)
{
    for (size_t i = 0; i < sizeof emulators / sizeof emulators[0]; i++)
        if (strncmp(name, emulators[i], strlen(emulators[i])) == 0)
            return true;
    return is_one_of(name, others, sizeof others / sizeof others[0]);
}

static bool read_name(int dir, const char *pid, char name[16])
{
    char path[64];
    snprintf(path, sizeof path, "%.20s/comm", pid);
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, name, 15);
    close(fd);
    if (n <= 0)
        return false;
    name[n] = 0;
    name[strcspn(name, "\n")] = 0;
    /* It goes into messages, and a process chooses it. */
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c == 0x7f)
            *c = '?';
    return name[0] != 0;
}

static bool has_device(int dir, const char *pid)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "%.20s/fd", pid);
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(list));) {
        ssize_t n = readlinkat(fd, entry->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        found = strcmp(target, "/dev/xen/evtchn") == 0;
    }
    closedir(list);
    return found;
}

static unsigned suspicion(int dir, const char *pid, const char *name)
{
    bool known = is_one_of(name, readers, sizeof readers / sizeof readers[0]);
    if (!known && is_other(name))
        return 0;
    return (known ? XM_RIVAL_BY_NAME : 0u) + (has_device(dir, pid) ? XM_RIVAL_BY_DEVICE : 0u);
}

bool xm_rivals_find(const char *proc, struct xm_rival *rival)
{
    unsigned most = 0;
    DIR *list = opendir(proc);
    if (!list)
        return false;
    for (struct dirent *entry; (entry = readdir(list));) {
        char name[16], *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end || pid <= 0 || pid == getpid() || !read_name(dirfd(list), entry->d_name, name))
            continue;
        unsigned found = suspicion(dirfd(list), entry->d_name, name);
        if (found <= most)
            continue;
        most = found;
        rival->by = (enum xm_rival_by)found;
        rival->pid = (int)pid;
        snprintf(rival->name, sizeof rival->name, "%s", name);
    }
    closedir(list);
    return most > 0;
}
