/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/account.h"
#include "region/layout.h"
#include "xenmon/region.h"
#include "xenmon/trace.h"

const char *xm_region_outcome_name(enum xm_region_outcome outcome)
{
    static const char *const names[] = {
        [XM_REGION_OK] = "ok",
        [XM_REGION_RETRY] = "retry",
        [XM_REGION_OVERRUN] = "overrun",
        [XM_REGION_GONE] = "gone",
        [XM_REGION_RESTARTED] = "restarted",
        [XM_REGION_INCOMPATIBLE] = "incompatible",
    };
    return (unsigned)outcome < sizeof names / sizeof names[0] ? names[outcome] : "unknown";
}

_Static_assert(XM_ANOMALIES <= XM_LAYOUT_ANOMALIES, "a region has room for every kind of anomaly");
_Static_assert(XM_CLASSES <= XM_LAYOUT_CLASSES, "a region has room for every class of record");
_Static_assert(sizeof((struct xm_region_info *)0)->classes == XM_CLASSES * sizeof(uint64_t),
               "and a reader too");

/* The region's own: the installed library has readers, and no accounting. */
const char *xm_region_anomaly_name(unsigned index)
{
    static const char *const names[XM_ANOMALIES] = {
        [XM_ANOMALY_STATE] = "state",       [XM_ANOMALY_SKEW] = "skew",
        [XM_ANOMALY_EVICTED] = "evicted",   [XM_ANOMALY_TWICE] = "twice",
        [XM_ANOMALY_FOREIGN] = "foreign",   [XM_ANOMALY_REUSED] = "reused",
        [XM_ANOMALY_RESERVED] = "reserved", [XM_ANOMALY_TIME] = "time",
    };
    return index < XM_ANOMALIES ? names[index] : NULL;
}

static bool format(char *path, size_t size, const char *directory, const char *rest)
{
    int n = snprintf(path, size, "%s%s", directory, rest);
    return n >= 0 && (size_t)n < size;
}

bool xm_region_default_path(char *path, size_t size)
{
    const char *given = getenv("XENMON_REGION");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char directory[64];
    if (given && *given)
        return format(path, size, given, "");
    if (geteuid() == 0)
        return format(path, size, "/run/xenmon", "/shm");
    if (runtime && *runtime == '/')
        return format(path, size, runtime, "/xenmon/shm");
    snprintf(directory, sizeof directory, "/dev/shm/xenmon-%lu", (unsigned long)geteuid());
    return format(path, size, directory, "/shm");
}
