/* SPDX-License-Identifier: MIT */
#include "view/view.h"

#include <string.h>

/* ---- Cells by type. */

static void set_ns(struct xm_cell *cell, uint64_t ns)
{
    *cell = (struct xm_cell){XM_COL_NS, true, ns, (double)ns};
}

static void set_count(struct xm_cell *cell, uint64_t count)
{
    *cell = (struct xm_cell){XM_COL_COUNT, true, count, (double)count};
}

static void set_maybe(struct xm_cell *cell, struct xm_maybe m)
{
    *cell = (struct xm_cell){XM_COL_COUNT, m.known, m.count, (double)m.count};
}

/* A quotient of nothing is not known. */
static void set_quotient(struct xm_cell *cell, enum xm_column_type type, double factor, uint64_t part,
                         uint64_t whole)
{
    *cell = (struct xm_cell){.type = type, .known = whole != 0};
    if (whole)
        cell->value = factor * (double)part / (double)whole;
}

static void set_percent(struct xm_cell *cell, uint64_t part, uint64_t whole)
{
    set_quotient(cell, XM_COL_PERCENT, 100, part, whole);
}

static void set_rate(struct xm_cell *cell, uint64_t count, uint64_t ns)
{
    set_quotient(cell, XM_COL_RATE, (double)XM_NS_PER_S, count, ns);
}

static void set_average(struct xm_cell *cell, uint64_t sum, uint64_t n)
{
    set_quotient(cell, XM_COL_AVERAGE, 1, sum, n);
}

/* The quotient of a count that may not be known. */
static void set_maybe_quotient(struct xm_cell *cell, enum xm_column_type type, double factor,
                               struct xm_maybe part, uint64_t whole)
{
    set_quotient(cell, type, factor, part.count, whole);
    if (!part.known)
        *cell = (struct xm_cell){.type = type};
}

/*
 * The exchanges that a domain took part in: with its own pages, and as the driver domain that handled
 * others'.
 */
static struct xm_maybe exchanges(const struct xm_usage *u)
{
    struct xm_maybe own = xm_io_exchanges(&u->io);
    struct xm_maybe done = xm_io_exchanges(&u->io_done);
    return (struct xm_maybe){own.known || done.known, own.count + done.count};
}

/* ---- One function a column. */

#define COLUMN(name, ...)                                                                                    \
    static void get_##name(const struct xm_usage *u, struct xm_cell *cell)                                   \
    {                                                                                                        \
        __VA_ARGS__;                                                                                         \
    }

COLUMN(running, set_ns(cell, u->running_ns))
COLUMN(running_pct, set_percent(cell, u->running_ns, u->window_ns))
COLUMN(running_share, set_percent(cell, u->running_ns, u->window_ns * u->vcpus))
COLUMN(running_per_execution, set_average(cell, u->running_ns, u->executions))

COLUMN(allocated_count, set_count(cell, u->slices))
COLUMN(allocated_sum, set_ns(cell, u->slice_sum_ns))
COLUMN(allocated_avg, set_average(cell, u->slice_sum_ns, u->slices))
COLUMN(allocated_min, set_ns(cell, u->slice_min_ns); cell->known = u->slices && u->slice_max_ns)
COLUMN(allocated_max, set_ns(cell, u->slice_max_ns); cell->known = u->slices && u->slice_max_ns)

COLUMN(runnable, set_ns(cell, u->runnable_ns))
COLUMN(runnable_pct, set_percent(cell, u->runnable_ns, u->window_ns))
COLUMN(runnable_share, set_percent(cell, u->runnable_ns, u->window_ns * u->vcpus))
COLUMN(runnable_per_execution, set_average(cell, u->runnable_ns, u->executions))
COLUMN(wait_wake, set_ns(cell, u->wait_wake_ns))
COLUMN(wait_preempt, set_ns(cell, u->wait_preempt_ns))
COLUMN(wait_other, set_ns(cell, u->wait_other_ns))
COLUMN(wait_max, set_ns(cell, u->wait_max_ns); cell->known = !u->no_peaks)
COLUMN(wait_any, set_ns(cell, u->wait_any_ns))
COLUMN(wait_any_pct, set_percent(cell, u->wait_any_ns, u->window_ns))

COLUMN(blocked, set_ns(cell, u->blocked_ns))
COLUMN(blocked_pct, set_percent(cell, u->blocked_ns, u->window_ns))
COLUMN(blocked_share, set_percent(cell, u->blocked_ns, u->window_ns * u->vcpus))
COLUMN(blocked_per_execution, set_average(cell, u->blocked_ns, u->executions))
COLUMN(blocked_per_io, struct xm_maybe io = exchanges(u);
       set_average(cell, u->blocked_ns, io.known ? io.count : 0))

COLUMN(offline, set_ns(cell, u->offline_ns))
COLUMN(offline_pct, set_percent(cell, u->offline_ns, u->window_ns))
COLUMN(unknown, set_ns(cell, u->unknown_ns))
COLUMN(unknown_pct, set_percent(cell, u->unknown_ns, u->window_ns))
COLUMN(window, set_ns(cell, u->window_ns))

COLUMN(executions, set_count(cell, u->executions))
COLUMN(executions_rate, set_rate(cell, u->executions, u->window_ns))
COLUMN(migrations, set_count(cell, u->migrations))
COLUMN(preemptions, set_count(cell, u->preemptions))
COLUMN(yields, set_count(cell, u->yields))

COLUMN(io_count, set_maybe(cell, exchanges(u)))
COLUMN(io_rate, set_maybe_quotient(cell, XM_COL_RATE, (double)XM_NS_PER_S, exchanges(u), u->window_ns))
COLUMN(io_per_execution, set_maybe_quotient(cell, XM_COL_AVERAGE, 1, exchanges(u), u->executions))
COLUMN(page_transfers, set_maybe(cell, u->io.transfers))
COLUMN(grant_maps, set_maybe(cell, u->io.maps))
COLUMN(grant_unmaps, set_maybe(cell, u->io.unmaps))
COLUMN(grant_copies_issued, set_maybe(cell, u->io_done.copies))
COLUMN(done_transfers, set_maybe(cell, u->io_done.transfers))
COLUMN(done_maps, set_maybe(cell, u->io_done.maps))
COLUMN(done_unmaps, set_maybe(cell, u->io_done.unmaps))

COLUMN(online, set_maybe(cell, u->told.online))
COLUMN(paused, set_maybe(cell, u->told.paused))
COLUMN(weight, set_maybe(cell, u->told.weight))
COLUMN(cap, set_maybe(cell, u->told.cap))
COLUMN(cpu_time, set_maybe(cell, u->told.cpu_time_ns); cell->type = XM_COL_NS)

/* What dom0's kernel counted, and the same per second. */
#define TRAFFIC(name)                                                                                        \
    COLUMN(name, set_maybe(cell, u->told.name))                                                              \
    COLUMN(name##_rate,                                                                                      \
           set_maybe_quotient(cell, XM_COL_RATE, (double)XM_NS_PER_S, u->told.name, u->window_ns))
TRAFFIC(received_bytes)
TRAFFIC(received_packets)
TRAFFIC(sent_bytes)
TRAFFIC(sent_packets)
TRAFFIC(disk_reads)
TRAFFIC(disk_writes)
TRAFFIC(disk_read_bytes)
TRAFFIC(disk_write_bytes)

static const struct xm_column table[] = {
    {"window_ns", "Window", XM_COL_NS, "length of the window", get_window},

    {"running_ns", "Gotten", XM_COL_NS, "time on a pCPU", get_running},
    {"running_pct", "Gotten%", XM_COL_PERCENT,
     "time on a pCPU, of the window; over all vCPUs it can pass 100", get_running_pct},
    {"running_of_vcpus_pct", "Gotten%v", XM_COL_PERCENT, "time on a pCPU, of vCPUs x window",
     get_running_share},
    {"running_per_execution_ns", "Gotten/ex", XM_COL_AVERAGE, "average length of an execution",
     get_running_per_execution},

    {"allocated_count", "Slices", XM_COL_COUNT, "time slices allocated at dispatch", get_allocated_count},
    {"allocated_sum_ns", "Alloc", XM_COL_NS, "sum of the slices allocated", get_allocated_sum},
    {"allocated_avg_ns", "Alloc/ex", XM_COL_AVERAGE, "average slice allocated at dispatch",
     get_allocated_avg},
    {"allocated_min_ns", "Alloc min", XM_COL_NS, "smallest slice allocated", get_allocated_min},
    {"allocated_max_ns", "Alloc max", XM_COL_NS, "largest slice allocated", get_allocated_max},

    {"runnable_ns", "Waited", XM_COL_NS, "time ready to run without a pCPU", get_runnable},
    {"runnable_pct", "Waited%", XM_COL_PERCENT, "time waiting, of the window; over all vCPUs it can pass 100",
     get_runnable_pct},
    {"runnable_of_vcpus_pct", "Waited%v", XM_COL_PERCENT, "time waiting, of vCPUs x window",
     get_runnable_share},
    {"runnable_per_execution_ns", "Waited/ex", XM_COL_AVERAGE, "time waiting for each execution",
     get_runnable_per_execution},
    {"wait_after_wake_ns", "Wait wake", XM_COL_NS, "part of the waiting that followed a wake-up",
     get_wait_wake},
    {"wait_after_preemption_ns", "Wait pree", XM_COL_NS, "part of the waiting that followed a preemption",
     get_wait_preempt},
    {"wait_other_ns", "Wait other", XM_COL_NS,
     "part of the waiting whose beginning was neither, or was not seen", get_wait_other},
    {"wait_max_ns", "Wait max", XM_COL_NS, "longest wait that ended", get_wait_max},
    {"wait_any_ns", "Wait any", XM_COL_NS, "time during which at least one vCPU waited", get_wait_any},
    {"wait_any_pct", "Wait any%", XM_COL_PERCENT, "time during which at least one vCPU waited, of the window",
     get_wait_any_pct},

    {"blocked_ns", "Blocked", XM_COL_NS, "time asleep", get_blocked},
    {"blocked_pct", "Blocked%", XM_COL_PERCENT, "time asleep, of the window; over all vCPUs it can pass 100",
     get_blocked_pct},
    {"blocked_of_vcpus_pct", "Blocked%v", XM_COL_PERCENT, "time asleep, of vCPUs x window",
     get_blocked_share},
    {"blocked_per_execution_ns", "Blocked/ex", XM_COL_AVERAGE, "time asleep for each execution",
     get_blocked_per_execution},
    {"blocked_per_io_ns", "Blocked/io", XM_COL_AVERAGE, "time asleep for each page exchanged",
     get_blocked_per_io},

    {"offline_ns", "Offline", XM_COL_NS, "time paused, unplugged or not existing", get_offline},
    {"offline_pct", "Offline%", XM_COL_PERCENT, "time offline, of the window; over all vCPUs it can pass 100",
     get_offline_pct},
    {"unknown_ns", "Unknown", XM_COL_NS, "time that lost records make unknowable", get_unknown},
    {"unknown_pct", "Unknown%", XM_COL_PERCENT, "unknown time, of the window; over all vCPUs it can pass 100",
     get_unknown_pct},

    {"executions", "Ex", XM_COL_COUNT, "dispatches: transitions into running", get_executions},
    {"executions_per_s", "Ex/s", XM_COL_RATE, "dispatches per second", get_executions_rate},
    {"migrations", "Migr", XM_COL_COUNT, "executions on another pCPU than the one before", get_migrations},
    {"preemptions", "Preempt", XM_COL_COUNT, "executions that ended runnable without a yield",
     get_preemptions},
    {"yields", "Yields", XM_COL_COUNT, "times it gave up its pCPU of its own will", get_yields},

    {"io_count", "I/O", XM_COL_COUNT,
     "pages exchanged (flipped or mapped): its own, and those it handled as driver domain", get_io_count},
    {"io_per_s", "I/O /s", XM_COL_RATE, "pages exchanged per second", get_io_rate},
    {"io_per_execution", "I/O /ex", XM_COL_AVERAGE, "pages exchanged for each execution",
     get_io_per_execution},
    {"page_transfers", "Flips", XM_COL_COUNT, "pages flipped to it", get_page_transfers},
    {"grant_maps", "Maps", XM_COL_COUNT, "its pages mapped by a back end", get_grant_maps},
    {"grant_unmaps", "Unmaps", XM_COL_COUNT, "its pages unmapped by a back end", get_grant_unmaps},
    {"grant_copies_issued", "Copies", XM_COL_COUNT, "grant copies that it issued", get_grant_copies_issued},
    {"done_page_transfers", "Flipped", XM_COL_COUNT, "pages flipped while it was on the pCPU",
     get_done_transfers},
    {"done_grant_maps", "Mapped", XM_COL_COUNT, "grants mapped while it was on the pCPU", get_done_maps},
    {"done_grant_unmaps", "Unmapped", XM_COL_COUNT, "grants unmapped while it was on the pCPU",
     get_done_unmaps},

    {"online_vcpus", "Online", XM_COL_COUNT, "vCPUs not unplugged", get_online},
    {"paused", "Paused", XM_COL_COUNT, "1: paused by the toolstack", get_paused},
    {"weight", "Weight", XM_COL_COUNT, "its share as the scheduler is told", get_weight},
    {"cap_pct", "Cap%", XM_COL_COUNT, "the most it may use, percent of one pCPU; 0: no cap", get_cap},
    {"net_received_bytes", "Net in", XM_COL_COUNT, "bytes received over its vifs", get_received_bytes},
    {"net_received_packets", "Net in pk", XM_COL_COUNT, "packets received over its vifs",
     get_received_packets},
    {"net_sent_bytes", "Net out", XM_COL_COUNT, "bytes sent over its vifs", get_sent_bytes},
    {"net_sent_packets", "Net out pk", XM_COL_COUNT, "packets sent over its vifs", get_sent_packets},
    {"disk_reads", "Reads", XM_COL_COUNT, "requests to its vbds that read", get_disk_reads},
    {"disk_writes", "Writes", XM_COL_COUNT, "requests to its vbds that write", get_disk_writes},
    {"disk_read_bytes", "Read", XM_COL_COUNT, "bytes read from its vbds", get_disk_read_bytes},
    {"disk_write_bytes", "Written", XM_COL_COUNT, "bytes written to its vbds", get_disk_write_bytes},
    {"net_received_bytes_per_s", "Net in/s", XM_COL_RATE, "bytes received over its vifs, per second",
     get_received_bytes_rate},
    {"net_received_packets_per_s", "In pk/s", XM_COL_RATE, "packets received over its vifs, per second",
     get_received_packets_rate},
    {"net_sent_bytes_per_s", "Net out/s", XM_COL_RATE, "bytes sent over its vifs, per second",
     get_sent_bytes_rate},
    {"net_sent_packets_per_s", "Out pk/s", XM_COL_RATE, "packets sent over its vifs, per second",
     get_sent_packets_rate},
    {"disk_reads_per_s", "Reads/s", XM_COL_RATE, "requests to its vbds that read, per second",
     get_disk_reads_rate},
    {"disk_writes_per_s", "Writes/s", XM_COL_RATE, "requests to its vbds that write, per second",
     get_disk_writes_rate},
    {"disk_read_bytes_per_s", "Read/s", XM_COL_RATE, "bytes read from its vbds, per second",
     get_disk_read_bytes_rate},
    {"disk_write_bytes_per_s", "Written/s", XM_COL_RATE, "bytes written to its vbds, per second",
     get_disk_write_bytes_rate},
    {"cpu_time_ns", "Xen CPU", XM_COL_NS, "CPU time that the hypervisor itself counted", get_cpu_time},
};

const struct xm_column *xm_columns(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const struct xm_column *xm_column_find(const char *id)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].id, id) == 0)
            return &table[i];
    return NULL;
}
