/* SPDX-License-Identifier: MIT */
/*
 * The log as a table for each interval, for those who come from xentop -b and top -b: a line that sums up, a
 * header, a line for each domain.  Fields stand between blanks and contain none, but for names that do.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "front/log/log_int.h"
#include "view/format.h"

#define NAME_MIN   10u
#define NAME_SHORT 20u /* without full names: the first and the last 9 letters, and .. */
#define KEPT       9u
#define SECTOR     512u
#define KIB        1024u
#define RUNNING    0u
#define RUNNABLE   1u
#define BLOCKED    2u

/* What a line is made of; total: since the trace began. */
struct line {
    const struct xm_usage *u, *total;
    const char *state;
};

typedef void put_field(const struct line *line, char *text, size_t size);

static void put_real(bool known, double value, int decimals, char *text, size_t size)
{
    if (known && isfinite(value))
        snprintf(text, size, "%.*f", decimals, value);
    else
        snprintf(text, size, "-");
}

static void put_maybe(bool known, uint64_t value, char *text, size_t size)
{
    if (known)
        snprintf(text, size, "%" PRIu64, value);
    else
        snprintf(text, size, "-");
}

static void put_column(const char *id, const struct line *line, double factor, char *text, size_t size)
{
    struct xm_cell cell;
    xm_column_find(id)->get(line->u, &cell);
    put_real(cell.known, cell.value * factor, 1, text, size);
}

static void put_state(const struct line *line, char *text, size_t size)
{
    snprintf(text, size, "%s", line->state);
}

static void put_cpu_s(const struct line *line, char *text, size_t size)
{
    put_real(true, (double)line->total->running_ns / (double)XM_NS_PER_S, 3, text, size);
}

static void put_vcpus(const struct line *line, char *text, size_t size)
{
    const struct xm_maybe *online = &line->u->told.online;
    put_maybe(true, online->known ? online->count : line->u->vcpus, text, size);
}

#define COLUMN(name, id, factor)                                                                             \
    static void put_##name(const struct line *line, char *text, size_t size)                                 \
    {                                                                                                        \
        put_column(id, line, factor, text, size);                                                            \
    }
COLUMN(cpu, "running_pct", 1)
COLUMN(wait, "runnable_pct", 1)
COLUMN(blocked, "blocked_pct", 1)
COLUMN(unknown, "unknown_pct", 1)
COLUMN(executions, "executions_per_s", 1)
COLUMN(wait_us, "runnable_per_execution_ns", 1e-3)
COLUMN(io, "io_per_s", 1)

#define TOTAL(name, member, unit)                                                                            \
    static void put_##name(const struct line *line, char *text, size_t size)                                 \
    {                                                                                                        \
        put_maybe(line->total->told.member.known, line->total->told.member.count / (unit), text, size);      \
    }
TOTAL(sent, sent_bytes, KIB)
TOTAL(received, received_bytes, KIB)
TOTAL(reads, disk_reads, 1)
TOTAL(writes, disk_writes, 1)
TOTAL(read_sectors, disk_read_bytes, SECTOR)
TOTAL(write_sectors, disk_write_bytes, SECTOR)

/* The titles that xentop has too mean what they mean there, but for where counting begins. */
static const struct {
    const char *title;
    int width;
    unsigned only; /* with one of XM_LOG_TABLE_*; 0: always */
    put_field *put;
} columns[] = {
    {"STATE", 6, 0, put_state},
    {"CPU(sec)", 10, 0, put_cpu_s},
    {"CPU(%)", 6, 0, put_cpu},
    {"WAIT(%)", 7, 0, put_wait},
    {"BLKD(%)", 7, 0, put_blocked},
    {"UNKN(%)", 7, 0, put_unknown},
    {"VCPUS", 5, 0, put_vcpus},
    {"EX/s", 8, 0, put_executions},
    {"WAIT/ex(us)", 11, 0, put_wait_us},
    {"IO/s", 8, 0, put_io},
    {"NETTX(k)", 8, XM_LOG_TABLE_NETWORKS, put_sent},
    {"NETRX(k)", 8, XM_LOG_TABLE_NETWORKS, put_received},
    {"VBD_RD", 8, XM_LOG_TABLE_DISKS, put_reads},
    {"VBD_WR", 8, XM_LOG_TABLE_DISKS, put_writes},
    {"VBD_RSECT", 10, XM_LOG_TABLE_DISKS, put_read_sectors},
    {"VBD_WSECT", 10, XM_LOG_TABLE_DISKS, put_write_sectors},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

/* ---- Names. */

static bool is_inside(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80; /* of a UTF-8 character, not its first byte */
}

static size_t letters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += !is_inside(*text);
    return n;
}

/* Where letter number n begins. */
static const char *letter(const char *text, size_t n)
{
    for (; *text; text++)
        if (!is_inside(*text) && n-- == 0)
            break;
    return text;
}

/* A domain's name, or what stands for it.  A long one loses its middle: names differ at their ends. */
static const char *name_of(const struct xm_log_interval *i, const struct xm_log_domain *d, char text[160])
{
    char clean[80];
    const char *name = d->name->name;
    if (!*name) {
        snprintf(text, 160, "dom%" PRIu32, xm_row_domid(i->window.to->domain[d->slot].id));
        return text;
    }
    xm_format_name(name, SIZE_MAX, clean, sizeof clean);
    size_t length = letters(clean);
    if ((i->config->table & XM_LOG_TABLE_FULL_NAMES) || length <= NAME_SHORT)
        snprintf(text, 160, "%s", clean);
    else
        snprintf(text, 160, "%.*s..%s", (int)(letter(clean, KEPT) - clean), clean,
                 letter(clean, length - KEPT));
    return text;
}

static void put_name(const char *name, unsigned width, FILE *out)
{
    size_t length = letters(name);
    fprintf(out, "%*s%s", length < width ? (int)(width - length) : 0, "", name);
}

/* ---- Lines. */

static int metric_width(const struct xm_log_metric *metric)
{
    int length = (int)strlen(metric->id);
    return length > 10 ? length : 10;
}

static void put_header(const struct xm_log_interval *i, unsigned width, FILE *out)
{
    const struct xm_selection *s = &i->config->selection;
    put_name("NAME", width, out);
    for (size_t m = 0; m < s->metrics; m++)
        fprintf(out, " %*s", metric_width(&s->metric[m]), s->metric[m].id);
    for (size_t c = 0; c < COLUMNS && s->metrics == 0; c++)
        if (columns[c].only == 0 || (i->config->table & columns[c].only))
            fprintf(out, " %*s", columns[c].width, columns[c].title);
    fputc('\n', out);
}

static void put_metric(const struct xm_log_metric *metric, const struct xm_log_row *row, FILE *out)
{
    char text[48];
    struct xm_cell cell;
    xm_log_cell(metric, row, &cell);
    if (cell.type == XM_COL_NS || cell.type == XM_COL_COUNT)
        put_maybe(cell.known, cell.exact, text, sizeof text);
    else
        put_real(cell.known, cell.value, 3, text, sizeof text);
    fprintf(out, " %*s", metric_width(metric), text);
}

static void put_line(const struct xm_log_interval *i, const struct line *line, const struct xm_log_row *row,
                     FILE *out)
{
    const struct xm_selection *s = &i->config->selection;
    for (size_t m = 0; m < s->metrics; m++)
        put_metric(&s->metric[m], row, out);
    for (size_t c = 0; c < COLUMNS && s->metrics == 0; c++) {
        char text[48];
        if (columns[c].only && !(i->config->table & columns[c].only))
            continue;
        columns[c].put(line, text, sizeof text);
        fprintf(out, " %*s", columns[c].width, text);
    }
    fputc('\n', out);
}

/*
 * xentop's six letters: dying, shut down, blocked, crashed, paused, running.  Where none runs and one wants to,
 * w stands in the place of r.
 */
static void set_letters(const struct xm_log_interval *i, const struct xm_log_domain *d,
                        const struct xm_usage *u, char state[8])
{
    bool running = false;
    bool blocked = false;
    bool waiting = false; /* or running */
    for (size_t v = 0; v < d->vcpu_count; v++) {
        uint64_t now = i->window.to->vcpu[d->vcpus[v].slot].state & 15;
        running |= now == RUNNING;
        blocked |= now == BLOCKED;
        waiting |= now < BLOCKED;
    }
    memcpy(state, "------", 7);
    state[0] = u->ended ? 'd' : '-';
    state[2] = blocked && !waiting && !u->ended ? 'b' : '-';
    state[4] = u->told.paused.known && u->told.paused.count ? 'p' : '-';
    if (!u->ended)
        state[5] = running ? 'r' : waiting ? 'w' : '-';
}

static void put_vcpu(const struct xm_log_interval *i, uint32_t slot, unsigned width, FILE *out)
{
    struct xm_window since_start = i->window;
    struct xm_usage u;
    struct xm_usage total;
    struct xm_log_row row;
    char name[24];
    char state[] = "------";
    since_start.from = NULL;
    xm_usage_vcpu(&i->window, slot, &u);
    xm_usage_vcpu(&since_start, slot, &total);
    xm_log_vcpu_row(i, slot, &row);
    state[2] = (u.state & 15) == BLOCKED ? 'b' : '-';
    state[5] = (u.state & 15) == RUNNING ? 'r' : (u.state & 15) == RUNNABLE ? 'w' : '-';
    snprintf(name, sizeof name, "vcpu%" PRIu32, xm_row_vcpu(u.id));
    put_name(name, width, out);
    put_line(i, &(struct line){&u, &total, state}, &row, out);
}

static void put_domain(const struct xm_log_interval *i, const struct xm_log_domain *d, unsigned width,
                       FILE *out)
{
    struct xm_window since_start = i->window;
    struct xm_usage u;
    struct xm_usage total;
    struct xm_log_row row;
    char name[160];
    char state[8];
    since_start.from = NULL;
    xm_usage_domain(&i->window, d->slot, &u);
    xm_usage_domain(&since_start, d->slot, &total);
    xm_log_domain_row(i, d, &row);
    set_letters(i, d, &u, state);
    put_name(name_of(i, d, name), width, out);
    put_line(i, &(struct line){&u, &total, state}, &row, out);
    for (size_t v = 0; v < d->vcpu_count && i->config->per == XM_LOG_PER_VCPU; v++)
        put_vcpu(i, d->vcpus[v].slot, width, out);
}

/* What top says above its table: when, of how long, and how far to trust it. */
static void put_summary(const struct xm_log_interval *i, FILE *out)
{
    static const struct xm_host_row none;
    const struct xm_sample *to = i->window.to;
    const struct xm_host_row *then = i->window.from ? &i->window.from->host : &none;
    uint64_t cycles = to->host.window > then->window ? to->host.window - then->window : 0;
    uint64_t lost =
        to->host.lost_records > then->lost_records ? to->host.lost_records - then->lost_records : 0;
    double span_s = (double)xm_scale_to_ns(i->window.scale, xm_cycles_of(cycles)).v / (double)XM_NS_PER_S;
    uint64_t busy_ns = 0;
    uint64_t all_ns = 0;
    unsigned pcpus = 0;
    char text[48];
    for (uint32_t slot = 0; slot < to->used.pcpus; slot++) {
        struct xm_pcpu_usage p;
        if (!xm_usage_pcpu(&i->window, slot, &p))
            continue;
        pcpus++;
        busy_ns += p.busy_ns;
        all_ns += p.window_ns;
    }
    fprintf(out, "xenmon - %s, %.3f s, %u pCPUs", xm_log_time(to->host.real, 3, text), span_s, pcpus);
    if (all_ns)
        fprintf(out, " %.1f%% busy", 100 * (double)busy_ns / (double)all_ns);
    fprintf(out, ", %" PRIu64 " records lost\n", lost);
}

void xm_log_print_table(const struct xm_log_interval *i, FILE *out)
{
    struct xm_log_walk walk;
    struct xm_log_domain domain;
    char name[160];
    size_t width = NAME_MIN;
    xm_log_walk_init(&walk, i);
    while (xm_log_walk_next(&walk, &domain)) {
        size_t length = letters(name_of(i, &domain, name));
        width = length > width ? length : width;
    }
    put_summary(i, out);
    bool repeat = i->config->table & XM_LOG_TABLE_REPEAT_HEADER;
    if (!repeat)
        put_header(i, (unsigned)width, out);
    xm_log_walk_init(&walk, i);
    while (xm_log_walk_next(&walk, &domain)) {
        if (xm_window_was_over(&i->window, domain.slot))
            continue;
        if (repeat)
            put_header(i, (unsigned)width, out);
        put_domain(i, &domain, (unsigned)width, out);
    }
    fputc('\n', out);
}
