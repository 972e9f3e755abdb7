/* SPDX-License-Identifier: MIT */
#include "region/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD_START 22 /* proc(5), /proc/PID/stat; the state is field 3 */

/* Fills state and start; false where /proc does not say. */
static bool read_stat(uint64_t pid, char *state, uint64_t *start)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    /* The second field is a name in parentheses, in which anything may stand. */
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || at[2] == 0)
        return false;
    *state = at[2];
    for (int field = 2; at && field < FIELD_START; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    *start = strtoull(at, NULL, 10);
    return true;
}

uint64_t xm_process_start(uint64_t pid)
{
    char state;
    uint64_t start;
    return read_stat(pid, &state, &start) ? start : 0;
}

bool xm_process_dead(uint64_t pid, uint64_t start)
{
    char state;
    uint64_t now;
    if (pid == 0 || pid > INT_MAX)
        return true;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return true;
    if (!read_stat(pid, &state, &now))
        return false;
    return state == 'Z' || state == 'X' || (start != 0 && now != 0 && start != now);
}
