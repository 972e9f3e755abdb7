/* SPDX-License-Identifier: MIT */
#include "fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__NR_landlock_create_ruleset) && !defined(XM_NO_FENCE)

/* linux/landlock.h, as it is today: the header of the machine that builds may be older than the kernel that
 * runs. */
#define CREATE_VERSION  1u
#define RULE_BENEATH    1
#define FS_WRITE_FILE   (UINT64_C(1) << 1)
#define FS_READ_FILE    (UINT64_C(1) << 2)
#define FS_READ_DIR     (UINT64_C(1) << 3)
#define FS_REMOVE_FILE  (UINT64_C(1) << 5)
#define FS_MAKE_REG     (UINT64_C(1) << 8)
#define FS_ALL          ((UINT64_C(1) << 13) - 1) /* of the first version */
#define FS_REFER        (UINT64_C(1) << 13)       /* 2 */
#define FS_TRUNCATE     (UINT64_C(1) << 14)       /* 3 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)        /* 4 */
#define OF_FILES        (FS_WRITE_FILE | FS_READ_FILE)

struct ruleset {
    uint64_t fs, net;
};
#define SIZE_FIRST  8u  /* of it, for versions 1 to 3 */
#define SIZE_FOURTH 16u /* from 4 on */

struct beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

int xm_fence_version(void)
{
    return (int)syscall(__NR_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
}

int xm_fence_begin(void)
{
    int version = xm_fence_version(); /* sets errno where it is below 1 */
    if (version < 1)
        return -1;
    struct ruleset all = {.fs = FS_ALL | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0),
                          .net = version >= 4 ? NET_CONNECT_TCP : 0};
    return (int)syscall(__NR_landlock_create_ruleset, &all, version >= 4 ? SIZE_FOURTH : SIZE_FIRST, 0);
}

bool xm_fence_allow(int fence, const char *path, unsigned what)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    uint64_t bits = (what & XM_FENCE_READ ? FS_READ_FILE | FS_READ_DIR : 0) |
                    (what & XM_FENCE_WRITE ? FS_WRITE_FILE | FS_MAKE_REG : 0) |
                    (what & XM_FENCE_REMOVE ? FS_REMOVE_FILE : 0);
    bool good = fstat(fd, &st) == 0;
    struct beneath rule = {.allowed = good && S_ISDIR(st.st_mode) ? bits : bits & OF_FILES, .parent_fd = fd};
    good = good && syscall(__NR_landlock_add_rule, fence, RULE_BENEATH, &rule, 0) == 0;
    int why = errno;
    close(fd);
    errno = why;
    return good;
}

bool xm_fence_close(int fence, bool keep)
{
    bool stands = fence >= 0 && keep && syscall(__NR_landlock_restrict_self, fence, 0) == 0;
    int why = errno;
    if (fence >= 0)
        close(fence);
    errno = why;
    return stands;
}

/* What the user may do: the kernel looks at rights here, and not at the fence. */
static bool has_right(const char *path, unsigned what)
{
    char folder[PATH_MAX];
    if (what & XM_FENCE_READ)
        return access(path, R_OK) == 0;
    if (access(path, F_OK) == 0)
        return access(path, W_OK) == 0;
    const char *slash = strrchr(path, '/');
    int n = snprintf(folder, sizeof folder, "%.*s/", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return n > 0 && n < (int)sizeof folder && access(folder, W_OK | X_OK) == 0;
}

bool xm_fence_shuts(const char *path, unsigned what)
{
    int flags = what & XM_FENCE_READ ? O_RDONLY : O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    int why = errno;
    if (fd >= 0)
        close(fd);
    return fd < 0 && why == EACCES && has_right(path, what);
}

#else

int xm_fence_version(void)
{
    return -1;
}

int xm_fence_begin(void)
{
    errno = ENOSYS;
    return -1;
}

bool xm_fence_allow(int fence, const char *path, unsigned what)
{
    return false;
}

bool xm_fence_close(int fence, bool keep)
{
    return false;
}

bool xm_fence_shuts(const char *path, unsigned what)
{
    return false;
}

#endif
