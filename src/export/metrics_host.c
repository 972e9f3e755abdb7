/* SPDX-License-Identifier: MIT */
/* Families of the host and of xenbaked that are in no row of a table. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "export/metrics_int.h"
#include "xenmon/trace.h"

#define CLASSES (sizeof((struct xm_region_info *)0)->classes / sizeof(uint64_t))

static void put_state(struct xm_metrics_out *out, const struct xm_host_snapshot *s)
{
    char label[48];
    bool up = s->state == XM_HOST_RUNNING || s->state == XM_HOST_RESTARTED;
    xm_family(out, "xenmon_up", "gauge", "", "1 while xenbaked's samples can be relied upon.");
    xm_series_u64(out, "", "", up && s->data);
    xm_family(out, "xenmon_region_state", "gauge", "", "1 for how it stands with xenbaked and its region.");
    for (unsigned i = 0; i < XM_HOST_STATES; i++) {
        snprintf(label, sizeof label, "state=\"%s\"", xm_host_state_name((enum xm_host_state)i));
        xm_series_u64(out, "", label, i == s->state);
    }
}

/* Resident memory of a process; 0: not to be seen from here. */
static uint64_t resident_bytes(uint32_t pid)
{
    char path[40];
    char text[128];
    snprintf(path, sizeof path, "/proc/%u/statm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *second = strchr(text, ' '); /* all pages, those that are resident, ... */
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void put_trace(struct xm_metrics_out *out, const struct xm_host_snapshot *s)
{
    char label[64];
    xm_family(out, "xenmon_trace_records", "counter", "", "Trace records by class of event.");
    for (unsigned i = 0; i < CLASSES && xm_class_name(i); i++) {
        snprintf(label, sizeof label, "event=\"%s\"", xm_class_name(i));
        xm_series_u64(out, "_total", label, s->info.classes[i]);
    }
    xm_family(out, "xenmon_decode_errors", "counter", "",
              "Records that contradicted what was known, by how.");
    for (unsigned i = 0; i < 16 && xm_region_anomaly_name(i); i++) {
        snprintf(label, sizeof label, "reason=\"%s\"", xm_region_anomaly_name(i));
        xm_series_u64(out, "_total", label, s->info.anomaly[i]);
    }
    xm_family(out, "xenmon_last_sample_timestamp_seconds", "gauge", "seconds",
              "When the newest sample was made, since the epoch.");
    xm_series(out, "", "", 0, "");
    xm_put_ns(out, s->window[0].to->host.real);
    xm_end(out);
    if (s->info.source == XM_SOURCE_LIVE) {
        uint64_t bytes = resident_bytes(s->info.writer_pid);
        if (bytes) {
            xm_family(out, "xenmon_baked_resident_memory_bytes", "gauge", "bytes",
                      "Resident memory of xenbaked.");
            xm_series_u64(out, "", "", bytes);
        }
    }
}

void xm_metrics_host(struct xm_metrics_out *out, const struct xm_metrics_config *config,
                     const struct xm_host_snapshot *s)
{
    static const char *const sources[] = {"live", "replay", "pipe"};
    char labels[320];
    char version[72];
    char scheduler[40];
    put_state(out, s);
    xm_metrics_escape(config->version, version, sizeof version);
    snprintf(labels, sizeof labels, "version=\"%s\"", version);
    xm_family(out, "xenmon_build", "info", "", "The version of this server.");
    xm_series_u64(out, "_info", labels, 1);
    if (!s->data)
        return;
    xm_metrics_escape(s->info.hypervisor, version, sizeof version);
    xm_metrics_escape(s->info.scheduler, scheduler, sizeof scheduler);
    snprintf(labels, sizeof labels, "xen_version=\"%s\",scheduler=\"%s\",source=\"%s\",states_from=\"%s\"",
             version, scheduler, (unsigned)s->info.source < 3 ? sources[s->info.source] : "",
             s->info.states_from);
    xm_family(out, "xen_host", "info", "", "The hypervisor, and where what is known of it comes from.");
    xm_series_u64(out, "_info", labels, 1);
    uint64_t cpus = s->info.host_cpus;
    for (uint32_t i = 0; s->info.host_cpus == 0 && i < s->window[0].to->used.pcpus; i++)
        cpus += s->window[0].to->pcpu[i].id != 0;
    xm_family(out, "xen_host_cpus", "gauge", "",
              "pCPUs of the host; where that is not known, that were seen.");
    xm_series_u64(out, "", "", cpus);
    put_trace(out, s);
}
