/* SPDX-License-Identifier: MIT */
#include "scenarios.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool find(const char *name, char path[PATH_MAX])
{
    static const char *const directories[] = {"scenarios", XM_SCENARIOS};
    static const char *const endings[] = {"", ".ini"};
    for (unsigned d = 0; d < sizeof directories / sizeof directories[0]; d++)
        for (unsigned e = 0; e < sizeof endings / sizeof endings[0]; e++) {
            int n = snprintf(path, PATH_MAX, "%s/%s%s", directories[d], name, endings[e]);
            if (n > 0 && n < PATH_MAX && is_file(path))
                return true;
        }
    return false;
}

enum xm_status xm_scenarios_read(const char *name, struct xm_scenario *scenario, struct xm_error *err)
{
    char path[PATH_MAX];
    struct stat st;
    bool bare = *name && !strchr(name, '/');
    if (bare && !is_file(name) && find(name, path))
        return xm_scenario_read(path, scenario, err);
    if (bare && stat(name, &st) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "there is no scenario '%.60s' here, in ./scenarios or in " XM_SCENARIOS, name);
    return xm_scenario_read(name, scenario, err);
}
