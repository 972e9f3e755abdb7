/* SPDX-License-Identifier: MIT */
#include "source/xen/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

struct xm_machine_paths xm_machine_paths(void)
{
    return (struct xm_machine_paths){.type = "/sys/hypervisor/type",
                                     .capabilities = "/proc/xen/capabilities",
                                     .privcmd = "/dev/xen/privcmd",
                                     .privcmd_old = "/proc/xen/privcmd",
                                     .evtchn = "/dev/xen/evtchn"};
}

/* The beginning of a small file as a string.  0 or errno. */
static int read_text(const char *path, char *text, size_t room)
{
    text[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    ssize_t got = read(fd, text, room - 1);
    int error = got < 0 ? errno : 0;
    text[got < 0 ? 0 : got] = 0;
    close(fd);
    return error;
}

/* Opening says more than access(2): a node without its driver, the rights in effect, not the real user's. */
static int try_device(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static bool is_missing(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ENODEV || error == ENXIO;
}

static enum xm_status check_device(const char *path, int error, const char *module, struct xm_error *err)
{
    if (!error)
        return XM_OK;
    if (is_missing(error))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "no %s: the kernel's driver is not loaded (modprobe %s)", path, module);
    if (error == EACCES || error == EPERM)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "no permission to open %s: run as root", path);
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "cannot open %s: %s", path, strerror(error));
}

static enum xm_status check_dom0(const struct xm_machine_paths *paths, struct xm_error *err)
{
    char type[32], capabilities[128];
    int no_type = read_text(paths->type, type, sizeof type);
    int no_capabilities = read_text(paths->capabilities, capabilities, sizeof capabilities);
    type[strcspn(type, "\n")] = 0;

    /* A kernel built without /sys/hypervisor still has xenfs, and only under Xen. */
    if (no_type && no_capabilities)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "this machine does not run under Xen (no %s): only files can be read here",
                       paths->type);
    if (!no_type && strcmp(type, "xen") != 0)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "this machine runs under '%.16s', not under Xen (%s)",
                       type, paths->type);
    if (is_missing(no_capabilities))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "no %s: xenfs is not mounted (mount -t xenfs xenfs /proc/xen)", paths->capabilities);
    if (no_capabilities == EACCES || no_capabilities == EPERM)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "no permission to read %s: run as root",
                       paths->capabilities);
    if (no_capabilities)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "cannot read %s: %s", paths->capabilities,
                       strerror(no_capabilities));
    if (!strstr(capabilities, "control_d"))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "this is a guest, not Xen's control domain (no control_d in %s): run it in dom0",
                       paths->capabilities);
    return XM_OK;
}

enum xm_status xm_machine_check(const struct xm_machine_paths *paths, struct xm_error *err)
{
    enum xm_status status = check_dom0(paths, err);
    if (status != XM_OK)
        return status;
    int error = try_device(paths->privcmd);
    if (is_missing(error) && !try_device(paths->privcmd_old))
        error = 0;
    status = check_device(paths->privcmd, error, "xen-privcmd", err);
    if (status != XM_OK)
        return status;
    return check_device(paths->evtchn, try_device(paths->evtchn), "xen-evtchn", err);
}
