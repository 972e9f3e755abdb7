/* SPDX-License-Identifier: MIT */
/* Families of this server and its process. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "export/metrics_int.h"

static void put_gauge(struct xm_metrics_out *out, const char *name, const char *unit, const char *help,
                      uint64_t value)
{
    xm_family(out, name, "gauge", unit, help);
    xm_series_u64(out, "", "", value);
}

static void put_counter(struct xm_metrics_out *out, const char *name, const char *unit, const char *help,
                        uint64_t value)
{
    xm_family(out, name, "counter", unit, help);
    xm_series_u64(out, "_total", "", value);
}

static void put_seconds(struct xm_metrics_out *out, const char *name, const char *type, const char *help,
                        uint64_t ns)
{
    xm_family(out, name, type, "seconds", help);
    xm_series(out, type[0] == 'c' ? "_total" : "", "", 0, "");
    xm_put_ns(out, ns);
    xm_end(out);
}

/* What begins so many words on; NULL: there are not so many. */
static const char *skip_words(const char *text, unsigned count)
{
    for (; text && count; count--) {
        text = strchr(text, ' ');
        text = text ? text + 1 : NULL;
    }
    return text;
}

/* proc(5): of the fields of /proc/self/stat the 22nd to the 24th; the name, the second, may have blanks in it. */
static bool read_stat(uint64_t *virtual_bytes, uint64_t *pages, uint64_t *start_ticks)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *start = skip_words(strrchr(text, ')'), 20);
    const char *bytes = skip_words(start, 1);
    const char *resident = skip_words(bytes, 1);
    if (!resident)
        return false;
    *start_ticks = strtoull(start, NULL, 10);
    *virtual_bytes = strtoull(bytes, NULL, 10);
    *pages = strtoull(resident, NULL, 10);
    return true;
}

static uint64_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* ., .. and the directory itself */
}

static void put_process(struct xm_metrics_out *out)
{
    struct timespec cpu;
    struct timespec now;
    struct timespec boot;
    struct rlimit files;
    uint64_t virtual_bytes = 0;
    uint64_t pages = 0;
    uint64_t ticks = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    put_seconds(out, "process_cpu_seconds", "counter", "CPU time of this server.",
                (uint64_t)cpu.tv_sec * XM_NS_PER_S + (uint64_t)cpu.tv_nsec);
    put_gauge(out, "process_open_fds", "", "Open files of this server.", open_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        put_gauge(out, "process_max_fds", "", "Files that this server may have open.",
                  (uint64_t)files.rlim_cur);
    if (!read_stat(&virtual_bytes, &pages, &ticks))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t up_ns = (uint64_t)boot.tv_sec * XM_NS_PER_S + (uint64_t)boot.tv_nsec;
    uint64_t start_ns = ticks / hz * XM_NS_PER_S + ticks % hz * (XM_NS_PER_S / hz);
    uint64_t now_ns = (uint64_t)now.tv_sec * XM_NS_PER_S + (uint64_t)now.tv_nsec;
    put_seconds(out, "process_start_time_seconds", "gauge", "When this server began, since the epoch.",
                (now_ns - up_ns + start_ns) / 10000000 * 10000000);
    put_gauge(out, "process_virtual_memory_bytes", "bytes", "Virtual memory of this server.", virtual_bytes);
    put_gauge(out, "process_resident_memory_bytes", "bytes", "Resident memory of this server.",
              pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void put_http(struct xm_metrics_out *out, struct xm_http *http)
{
    static const char *const codes[6] = {"code=\"none\"", "code=\"1xx\"", "code=\"2xx\"",
                                         "code=\"3xx\"",  "code=\"4xx\"", "code=\"5xx\""};
    struct xm_http_counts counts;
    xm_http_counts(http, &counts);
    xm_family(out, "xenmon_http_requests", "counter", "",
              "Requests by status; none: cut off before an answer.");
    for (unsigned i = 0; i < 6; i++)
        xm_series_u64(out, "_total", codes[i], counts.requests[i]);
    xm_family(out, "xenmon_http_refused", "counter", "", "What was refused, by why.");
    xm_series_u64(out, "_total", "reason=\"connections\"", counts.refused_connections);
    xm_series_u64(out, "_total", "reason=\"rate\"", counts.refused_rate);
    xm_series_u64(out, "_total", "reason=\"authentication\"", counts.refused_authentication);
    put_gauge(out, "xenmon_http_connections", "", "Connections that are open.", counts.connections);
    put_gauge(out, "xenmon_http_streams", "", "Live streams that are open.", counts.streams);
    put_counter(out, "xenmon_http_sent_bytes", "bytes", "Bytes of bodies sent.", counts.sent_bytes);
}

void xm_metrics_self(struct xm_metrics_out *out, const struct xm_metrics_config *config,
                     const struct xm_host_snapshot *s)
{
    put_counter(out, "xenmon_snapshots", "", "Pictures of the host made from the region.",
                s->reading.updates);
    put_counter(out, "xenmon_snapshots_skipped", "",
                "Pictures not made: all of them were held, or the region moved on.", s->reading.skipped);
    put_counter(out, "xenmon_baked_restarts", "", "Times that another run of xenbaked was found.",
                s->reading.restarts);
    put_counter(out, "xenmon_region_growths", "", "Times that the region had grown.", s->reading.growths);
    put_seconds(out, "xenmon_snapshot_duration_seconds", "gauge", "How long making the newest picture took.",
                s->reading.last_update_ns);
    if (s->data && s->info.source == XM_SOURCE_LIVE)
        put_seconds(out, "xenmon_snapshot_age_seconds", "gauge",
                    "How old the newest sample was when it was made.", s->age_ns);
    if (config->http)
        put_http(out, config->http);
    put_process(out);
}
