/* SPDX-License-Identifier: MIT */
/*
 * The log as one stream of CSV: a row for each vCPU and interval, all of it in exact integers.
 *
 * I/O is a domain's and not a vCPU's: it stands on the row of the domain's first vCPU and is empty on the
 * others, so that it can be added up like everything else.  The same holds for what the toolstack says of it.
 */
#include <inttypes.h>
#include <time.h>

#include "front/csv.h"
#include "front/log_int.h"
#include "xenmon/sample.h"

static const char *const vcpu_columns[] = {
    "window_ns", "running_ns", "runnable_ns", "blocked_ns", "offline_ns", "unknown_ns",
};
static const char *const late_columns[] = {"late_running_ns", "late_runnable_ns", "late_blocked_ns",
                                           "late_offline_ns"};
static const char *const more_columns[] = {
    "wait_after_wake_ns",
    "wait_after_preemption_ns",
    "wait_other_ns",
    "executions",
    "migrations",
    "preemptions",
    "yields",
    "allocated_count",
    "allocated_sum_ns",
    "allocated_min_ns",
    "allocated_max_ns",
    "wait_max_ns",
};
static const char *const domain_columns[] = {
    "page_transfers",      "grant_maps",      "grant_unmaps",      "grant_copies_issued",
    "done_page_transfers", "done_grant_maps", "done_grant_unmaps",
};
/* What the toolstack and dom0's kernel say: behind all that older versions had. */
static const char *const told_columns[] = {
    "online_vcpus",         "paused",           "weight",           "cap_pct",    "net_received_bytes",
    "net_received_packets", "net_sent_bytes",   "net_sent_packets", "disk_reads", "disk_writes",
    "disk_read_bytes",      "disk_write_bytes",
};

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void put_names(struct xm_csv *csv, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        xm_csv_text(csv, ids[i]);
}

void xm_log_csv_header(FILE *out)
{
    static const char *const first[] = {"time", "trace_ns", "domid", "instance", "vcpu"};
    struct xm_csv csv = {.out = out};
    put_names(&csv, first, ELEMENTS(first));
    put_names(&csv, vcpu_columns, ELEMENTS(vcpu_columns));
    put_names(&csv, late_columns, ELEMENTS(late_columns));
    put_names(&csv, more_columns, ELEMENTS(more_columns));
    put_names(&csv, domain_columns, ELEMENTS(domain_columns));
    put_names(&csv, told_columns, ELEMENTS(told_columns));
    xm_csv_end(&csv);
}

/* `u` NULL: the columns stay empty. */
static void put_columns(struct xm_csv *csv, const struct xm_usage *u, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct xm_cell cell = {0};
        if (u)
            xm_column_find(ids[i])->get(u, &cell);
        xm_csv_maybe(csv, cell.known, cell.exact);
    }
}

static void put_time(struct xm_csv *csv, const struct xm_log_interval *i)
{
    const struct xm_host_row *host = &i->window.to->host;
    char text[64];
    char day[32];
    struct tm tm;
    time_t seconds = (time_t)(host->real / XM_NS_PER_S);
    if (!gmtime_r(&seconds, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        day[0] = '\0';
    snprintf(text, sizeof text, "%s.%06" PRIu64 "Z", day, host->real % XM_NS_PER_S / 1000);
    xm_csv_text(csv, text);
    xm_csv_u64(csv, xm_scale_to_ns(i->window.scale, xm_cycles_of(host->window)).v);
}

/* The window of one row: since the trace began where the row was not in the earlier sample. */
static struct xm_window vcpu_window(const struct xm_log_interval *i, uint32_t slot)
{
    struct xm_window w = i->window;
    if (w.from && (slot >= w.from->used.vcpus || w.from->vcpu[slot].id != w.to->vcpu[slot].id))
        w.from = NULL;
    return w;
}

static uint64_t diff(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static void put_late(struct xm_csv *csv, const struct xm_window *w, uint32_t slot)
{
    static const struct xm_vcpu_row none;
    const struct xm_vcpu_row *now = &w->to->vcpu[slot];
    const struct xm_vcpu_row *then = w->from ? &w->from->vcpu[slot] : &none;
    const uint64_t late[] = {
        diff(now->late_running, then->late_running), diff(now->late_runnable, then->late_runnable),
        diff(now->late_blocked, then->late_blocked), diff(now->late_offline, then->late_offline)};
    uint64_t ns[ELEMENTS(late)];
    xm_scale_parts(w->scale, late, ns, ELEMENTS(late));
    for (size_t l = 0; l < ELEMENTS(late); l++)
        xm_csv_u64(csv, ns[l]);
}

static void put_id(struct xm_csv *csv, const struct xm_log_interval *i, uint64_t id)
{
    put_time(csv, i);
    xm_csv_u64(csv, xm_row_domid(id));
    xm_csv_u64(csv, xm_row_instance(id));
}

static void put_vcpu(struct xm_csv *csv, const struct xm_log_interval *i, uint32_t slot,
                     const struct xm_usage *io)
{
    struct xm_usage u;
    struct xm_window w = vcpu_window(i, slot);
    xm_usage_vcpu(&w, slot, &u);
    put_id(csv, i, u.id);
    xm_csv_u64(csv, xm_row_vcpu(u.id));
    put_columns(csv, &u, vcpu_columns, ELEMENTS(vcpu_columns));
    put_late(csv, &w, slot);
    put_columns(csv, &u, more_columns, ELEMENTS(more_columns));
    put_columns(csv, io, domain_columns, ELEMENTS(domain_columns));
    put_columns(csv, io, told_columns, ELEMENTS(told_columns));
    xm_csv_end(csv);
}

/* A domain that has I/O and no vCPU yet. */
static void put_bare_domain(struct xm_csv *csv, const struct xm_log_interval *i, const struct xm_usage *io)
{
    put_id(csv, i, io->id);
    xm_csv_text(csv, NULL);
    put_columns(csv, NULL, vcpu_columns, ELEMENTS(vcpu_columns));
    put_columns(csv, NULL, late_columns, ELEMENTS(late_columns));
    put_columns(csv, NULL, more_columns, ELEMENTS(more_columns));
    put_columns(csv, io, domain_columns, ELEMENTS(domain_columns));
    put_columns(csv, io, told_columns, ELEMENTS(told_columns));
    xm_csv_end(csv);
}

enum xm_status xm_log_print_csv(const struct xm_log_interval *i, struct xm_error *err)
{
    struct xm_csv csv = {.out = i->config->out};
    const struct xm_sample *to = i->window.to;
    uint64_t last_domain = 0;
    size_t count = xm_order_vcpus(to, i->places);
    for (size_t v = 0; v < count; v++) {
        struct xm_usage io = {0};
        uint32_t slot = i->places[v].slot;
        uint64_t domain = i->places[v].key >> 16; /* the key but for the vCPU's number */
        bool first = v == 0 || domain != last_domain;
        last_domain = domain;
        first = first && xm_usage_domain(&i->window, to->vcpu_domain[slot], &io);
        put_vcpu(&csv, i, slot, first ? &io : NULL);
    }
    for (uint32_t slot = 0; slot < to->used.domains; slot++) {
        struct xm_usage io;
        if (xm_usage_domain(&i->window, slot, &io) && io.vcpus == 0)
            put_bare_domain(&csv, i, &io);
    }
    if (fflush(csv.out) != 0 || ferror(csv.out))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "the log takes no more");
    return XM_OK;
}
