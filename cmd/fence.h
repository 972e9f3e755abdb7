/* SPDX-License-Identifier: MIT */
/*
 * A fence around the process that the kernel keeps (Landlock, Linux 5.13 and later): files that it was not
 * told to leave open cannot be opened, made, removed or run any more, whatever the process is made to do, and
 * no TCP connection is begun (6.7 and later).  What is open already stays usable.
 */
#ifndef XM_CMD_FENCE_H
#define XM_CMD_FENCE_H

#include <stdbool.h>

#define XM_FENCE_READ   1u /* files, and what directories hold */
#define XM_FENCE_WRITE  2u /* files are written, and made in directories */
#define XM_FENCE_REMOVE 4u /* files of a directory, and sockets */

/* The version of the kernel's interface; below 1: this kernel has none, or the program was built without
 * (XM_NO_FENCE). */
int xm_fence_version(void);

/*
 * A fence to be built: a descriptor.  -1: there is none to be had, and errno says why: ENOSYS and
 * EOPNOTSUPP where this kernel has none or has it switched off.
 */
int xm_fence_begin(void);

/*
 * Leaves a file, or all beneath a directory, open for XM_FENCE_ bits.  A link is followed.  False: there is
 * no such path, or the kernel refuses: errno says which.
 */
bool xm_fence_allow(int fence, const char *path, unsigned what);

/*
 * Closes it behind the calling thread and all that it begins later: to be called before there are others.
 * There is no way back.  It needs xm_confine() first.  `fence` is used up; with `keep` false it is only given
 * up.  True: it stands; false: errno says why, where it was to be kept.
 */
bool xm_fence_close(int fence, bool keep);

/*
 * Behind a fence: whether the fence alone keeps a file from being opened, to be read (XM_FENCE_READ), or to
 * be written and made where it is not there (XM_FENCE_WRITE): the user has the right to.  Tries to open it,
 * as who asks was about to; what could be opened is closed again.  False also where there is no fence.
 */
bool xm_fence_shuts(const char *path, unsigned what);

#endif
