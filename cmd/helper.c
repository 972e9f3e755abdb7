/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beside.h"
#include "options.h"

bool xm_helper_find(const char *program, char path[PATH_MAX])
{
    char place[64];
    const char *const places[] = {place, NULL};
    snprintf(place, sizeof place, "/%s", program);
    if (xm_find_beside(places, path))
        return true;
    snprintf(path, PATH_MAX, XM_LIBEXEC "/%s", program);
    return access(path, X_OK) == 0;
}

int xm_helper_run(const char *program, int argc, char **argv)
{
    char path[PATH_MAX];
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    char *name = strdup(program);
    if (!arguments || !name) {
        free(arguments);
        free(name);
        xm_complain("xenmon", "out of memory");
        return XM_EXIT_FAILED;
    }
    arguments[0] = name;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
    (void)xm_helper_find(program, path);
    execv(path, arguments);
    int why = errno;
    free(arguments);
    free(name);
    if (why == ENOENT)
        xm_complain("xenmon", "%s is not installed here, which the command '%s' needs (%s)", program, argv[0], path);
    else
        xm_complain("xenmon", "%s: %s", path, strerror(why));
    return XM_EXIT_FAILED;
}
