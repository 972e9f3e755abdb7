/* SPDX-License-Identifier: MIT */
/* Upstream's log: a file for each domain, 16 columns of numbers, times in ns. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "front/log/log_int.h"
#include "xenmon/trace.h"

#define ALL_CPUS_NUMBER (-1) /* what stands for a pCPU where the row is about all of them */
#define IDLE_NUMBER     (-1) /* what upstream writes for the idle domain */

static const char header[] =
    "# passed(ms) cpu dom cpu(tot) cpu(%) cpu/ex allocated/ex blocked(tot) blocked(%) blocked/io "
    "waited(tot) waited(%) waited/ex ex/s io(tot) io/ex\n";

/* The columns behind passed, cpu and dom. */
static const char *const columns[] = {
    "running_ns",
    "running_pct",
    "running_per_execution_ns",
    "allocated_avg_ns",
    "blocked_ns",
    "blocked_pct",
    "blocked_per_io_ns",
    "runnable_ns",
    "runnable_pct",
    "runnable_per_execution_ns",
    "executions_per_s",
    "io_count",
    "io_per_execution",
};
/*
 * What these are of: a quotient of nothing is 0, as upstream has it, but what was not recorded is no
 * number.
 */
static bool needs_io(const char *id)
{
    return strncmp(id, "io_", 3) == 0 || strcmp(id, "blocked_per_io_ns") == 0;
}

struct file {
    const struct xm_log_interval *interval;
    char name[16];
    FILE *out; /* where to print what goes into it */
};

/* Opens the file of a domain, with its header where nothing stands in it. */
static enum xm_status open_file(const struct xm_log_interval *i, uint32_t domid, struct file *f,
                                struct xm_error *err)
{
    uint8_t *byte = &i->begun[domid / 8 % (XM_LOG_DOMIDS / 8)];
    uint8_t bit = (uint8_t)(1u << domid % 8);
    bool empty = false;
    f->interval = i;
    if (domid == XM_DOMID_IDLE)
        snprintf(f->name, sizeof f->name, "idle");
    else
        snprintf(f->name, sizeof f->name, "dom%" PRIu32, domid);
    int fd = i->config->open(i->config->user, f->name, *byte & bit);
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s", f->name);
    xm_sink_attach(i->sink, fd);
    f->out = xm_sink_begin(i->sink, &empty);
    if (i->sink->regular ? empty : !(*byte & bit))
        fputs(header, f->out);
    *byte |= bit;
    return XM_OK;
}

/* Closing may be what tells that a disk is full. */
static enum xm_status close_file(const struct file *f, struct xm_error *err)
{
    const struct xm_log_config *c = f->interval->config;
    enum xm_status status = xm_sink_commit(f->interval->sink, c->enough, c->user);
    int why = errno;
    enum xm_status closed = xm_sink_close(f->interval->sink);
    if (status == XM_OK)
        status = closed;
    else
        errno = why;
    return status == XM_OK ? XM_OK : xm_fail(err, status, XM_NO_OFFSET, "%s", f->name);
}

static void put_row(const struct xm_log_interval *i, int64_t cpu, int64_t dom, const struct xm_usage *u,
                    FILE *f)
{
    bool io_known = xm_io_exchanges(&u->io).known || xm_io_exchanges(&u->io_done).known;
    fprintf(f, "%.3f %" PRId64 " %" PRId64, (double)i->passed_ns / 1e6, cpu, dom);
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        struct xm_cell cell;
        xm_column_find(columns[c])->get(u, &cell);
        if (!cell.known && needs_io(columns[c]) && !io_known)
            fputs(" nan", f);
        else
            fprintf(f, " %.3f", cell.known ? cell.value : 0.0);
    }
    fputc('\n', f);
}

static void put_each_cpu(const struct xm_log_interval *i, uint32_t slot, uint32_t domid, FILE *f)
{
    const struct xm_sample *to = i->window.to;
    for (uint32_t p = 0; p < to->used.pcpus; p++) {
        struct xm_usage u;
        uint32_t cpu = xm_row_domid(to->pcpu[p].id);
        if (!xm_usage_pair(&i->window, slot, p, &u))
            continue;
        bool asked = i->config->cpu == (int64_t)cpu;
        if (asked || (i->config->cpu == XM_LOG_EACH_CPU && (u.running_ns || u.runnable_ns)))
            put_row(i, cpu, domid, &u, f);
    }
}

static enum xm_status put_domain(const struct xm_log_interval *i, uint32_t slot, struct xm_error *err)
{
    struct xm_usage u;
    struct file f;
    xm_usage_domain(&i->window, slot, &u);
    uint32_t domid = xm_row_domid(u.id);
    enum xm_status status = open_file(i, domid, &f, err);
    if (status != XM_OK)
        return status;
    if (i->config->cpu == XM_LOG_ALL_CPUS)
        put_row(i, ALL_CPUS_NUMBER, domid, &u, f.out);
    else
        put_each_cpu(i, slot, domid, f.out);
    return close_file(&f, err);
}

/* Idle time is its pCPU's; nothing else is known of it, and no I/O can be. */
static struct xm_usage idle_usage(const struct xm_pcpu_usage *p)
{
    return (struct xm_usage){.vcpus = 1,
                             .window_ns = p->window_ns,
                             .running_ns = p->idle_ns,
                             .io = {.transfers = {.known = true}}};
}

static enum xm_status put_idle(const struct xm_log_interval *i, struct xm_error *err)
{
    struct xm_usage all = {.io = {.transfers = {.known = true}}};
    struct file f;
    enum xm_status status = open_file(i, XM_DOMID_IDLE, &f, err);
    if (status != XM_OK)
        return status;
    for (uint32_t slot = 0; slot < i->window.to->used.pcpus; slot++) {
        struct xm_pcpu_usage p;
        if (!xm_usage_pcpu(&i->window, slot, &p))
            continue;
        struct xm_usage u = idle_usage(&p);
        all.window_ns = p.window_ns;
        all.running_ns += p.idle_ns;
        if (i->config->cpu == XM_LOG_EACH_CPU || i->config->cpu == (int64_t)p.pcpu)
            put_row(i, p.pcpu, IDLE_NUMBER, &u, f.out);
    }
    if (i->config->cpu == XM_LOG_ALL_CPUS)
        put_row(i, ALL_CPUS_NUMBER, IDLE_NUMBER, &all, f.out);
    return close_file(&f, err);
}

/* The first failure is what counts; true: no more files. */
static bool stops(const struct xm_log_interval *i, enum xm_status status, enum xm_status *first, int *why)
{
    if (status == XM_OK)
        return false;
    if (*first == XM_OK) {
        *first = status;
        *why = errno;
    }
    return !i->config->keep_going;
}

enum xm_status xm_log_print_xenmon(const struct xm_log_interval *i, struct xm_error *err)
{
    enum xm_status first = XM_OK;
    int why = 0;
    bool stop = false;
    struct xm_log_walk walk;
    struct xm_log_domain domain;
    xm_log_walk_init(&walk, i);
    while (!stop && xm_log_walk_next(&walk, &domain))
        if (!xm_window_was_over(&i->window, domain.slot))
            stop = stops(i, put_domain(i, domain.slot, err), &first, &why);
    if (!stop && xm_selection_has(&i->config->selection, XM_DOMID_IDLE, "idle", ""))
        (void)stops(i, put_idle(i, err), &first, &why);
    errno = why;
    return first;
}
