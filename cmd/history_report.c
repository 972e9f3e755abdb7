/* SPDX-License-Identifier: MIT */
/*
 * xenmon history report: what each domain used, hour by hour, to account for.
 *
 * A life of a domain is one subject, also where xenbaked was restarted in it; an id used again is another
 * life.
 * What a stretch of it lacks, because xenbaked did not run, is missing from its coverage and from nothing
 * else.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "history_out.h"
#include "view/format.h"

#define PROGRAM "xenmon history report"

#define LEAST_NOTED_NS UINT64_C(500000) /* what is not 0.000 on paper */

enum { BY_HOUR, BY_DAY, BY_MONTH, BY_TOTAL };

struct config {
    struct xm_list domains;
    struct xm_range range;
    unsigned by, format;
    bool help;
};

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {"by", 0, XM_ARG_NEEDED, xm_set_choice, AT(by), "hour|day|month|total",
     "a row for each domain and hour (the default), day or month of the clock, or all of it", 0, 0, 0},
    {"domain", 'd', XM_ARG_NEEDED, xm_set_list, AT(domains), "NAME|ID|UUID",
     "this domain alone; can be given again", 0, 0, 0},
    {"from", 'b', XM_ARG_NEEDED, xm_set_text, AT(range.from), "TIME",
     "2026-11-26T10:00:00Z, \"2026-11-26 10:00\", 10:00, or -2h (the beginning)", 0, 0, 0},
    {"to", 'e', XM_ARG_NEEDED, xm_set_text, AT(range.to), "TIME", "likewise (the end)", 0, 0, 0},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, AT(format), XM_OUT_FORMATS,
     "text (the default), comma-separated, or a JSON object a line", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] [DIR]\n"
           "What every domain used, in vCPU seconds, executions and bytes, how far that is off from what\n"
           "Xen itself counts, and how much of its life is known.  doc/history.md says what can be billed.\n");
    xm_options_print(options, OPTIONS, stdout);
    return xm_history_flush(PROGRAM, XM_EXIT_DONE);
}

/* ---- Sums. */

/* A sum that is known as long as everything that went into it was. */
struct sum {
    uint64_t value;
    bool lacking, any;
};

enum { IO, RECEIVED, SENT, READ, WRITTEN, CPU_TIME, SUMS };

struct line {
    size_t subject;          /* index of the life's first domain; SIZE_MAX: the totals */
    size_t domain;           /* the newest piece of that life */
    uint64_t line_ns;        /* when the hour begins */
    uint64_t from_ns, to_ns; /* the samples that bound what is known; 0: nothing is */
    uint64_t running_ns, runnable_ns, blocked_ns, offline_ns, unknown_ns;
    uint64_t executions;
    struct sum sum[SUMS];
    /* Of the windows whose CPU time is known: what is held against it, and what may be missing from that. */
    uint64_t held_ns, held_unknown_ns;
    uint64_t life_ns, known_ns; /* of wall time */
    uint64_t vcpus, weight, cap;
    bool weighted;
};

struct report {
    const struct config *c;
    struct xm_history *history;
    struct xm_grid grid;
    struct line *line;
    size_t lines, room;
    struct xm_out out;
};

static size_t subject_of(const struct xm_history *h, size_t domain)
{
    while (h->domain[domain].before != domain)
        domain = h->domain[domain].before;
    return domain;
}

/* A line more; those of one subject and hour are brought together in the end. */
static struct line *new_line(struct report *r, size_t domain, uint64_t real_ns)
{
    if (r->lines == r->room) {
        size_t room = r->room ? 2 * r->room : 256;
        struct line *more = realloc(r->line, room * sizeof *more);
        if (!more)
            return NULL;
        r->line = more;
        r->room = room;
    }
    r->line[r->lines] =
        (struct line){.subject = subject_of(r->history, domain),
                      .domain = domain,
                      .line_ns = r->grid.kind == XM_GRID_WHOLE ? 0 : xm_grid_floor(&r->grid, real_ns)};
    return &r->line[r->lines++];
}

static void add(struct sum *sum, bool known, uint64_t value)
{
    sum->any |= known;
    sum->lacking |= !known;
    sum->value += known ? value : 0;
}

/* Of the window, how much the domain did not exist for. */
static uint64_t lifeless_ns(const struct xm_history_view *v, const struct xm_history_domain *d)
{
    uint64_t end = v->window.to->host.tsc;
    uint64_t cycles = v->window.to->host.window - (v->window.from ? v->window.from->host.window : 0);
    uint64_t begin = end > cycles ? end - cycles : 0;
    uint64_t not = 0;
    if (d->created_tsc > begin)
        not += (d->created_tsc < end ? d->created_tsc : end) - begin;
    if (d->ended_tsc && d->ended_tsc < end)
        not += end - (d->ended_tsc > begin ? d->ended_tsc : begin);
    return xm_scale_to_ns(v->window.scale, xm_cycles_of(not < cycles ? not : cycles)).v;
}

static void add_usage(struct line *l, const struct xm_history_view *v, const struct xm_history_domain *d,
                      const struct xm_usage *u)
{
    uint64_t without = lifeless_ns(v, d);
    uint64_t life = u->window_ns - (without < u->window_ns ? without : u->window_ns);
    uint64_t not = without * u->vcpus;
    uint64_t unknown = u->vcpus ? u->unknown_ns / u->vcpus : 0;
    struct xm_cell io;
    l->running_ns += u->running_ns;
    l->runnable_ns += u->runnable_ns;
    l->blocked_ns += u->blocked_ns;
    l->offline_ns += u->offline_ns - (not < u->offline_ns ? not : u->offline_ns);
    l->unknown_ns += u->unknown_ns;
    l->executions += u->executions;
    l->life_ns += life;
    l->known_ns += life - (unknown < life ? unknown : life);
    xm_column_find("io_count")->get(u, &io);
    add(&l->sum[IO], v->detail && io.known, io.exact);
    add(&l->sum[RECEIVED], v->detail && u->told.received_bytes.known, u->told.received_bytes.count);
    add(&l->sum[SENT], v->detail && u->told.sent_bytes.known, u->told.sent_bytes.count);
    add(&l->sum[READ], v->detail && u->told.disk_read_bytes.known, u->told.disk_read_bytes.count);
    add(&l->sum[WRITTEN], v->detail && u->told.disk_write_bytes.known, u->told.disk_write_bytes.count);
    bool counted = v->detail && u->told.cpu_time_ns.known;
    add(&l->sum[CPU_TIME], counted, u->told.cpu_time_ns.count);
    l->held_ns += counted ? u->running_ns : 0;
    l->held_unknown_ns += counted ? u->unknown_ns : 0;
    l->vcpus = u->vcpus > l->vcpus ? u->vcpus : l->vcpus;
    if (u->told.weight.known) {
        l->weighted = true;
        l->weight = u->told.weight.count;
        l->cap = u->told.cap.count;
    }
    l->from_ns = v->bounds->from_ns;
    l->to_ns = v->bounds->to_ns;
}

static enum xm_status add_window(void *user, const struct xm_history_view *v, struct xm_error *err)
{
    struct report *r = user;
    for (uint32_t slot = 0; slot < v->window.to->used.domains; slot++) {
        struct xm_usage u;
        size_t domain = v->stretch->domain[slot];
        const struct xm_history_domain *d = &r->history->domain[domain];
        if (!xm_usage_domain(&v->window, slot, &u) || !xm_history_selects(&r->c->domains, d))
            continue;
        struct line *l = new_line(r, domain, v->bounds->line_ns);
        if (!l)
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        add_usage(l, v, d, &u);
    }
    return XM_OK;
}

/* ---- Time that nobody watched. */

static const struct xm_history_run *run_of(const struct xm_history *h, const struct xm_history_domain *d)
{
    for (size_t i = 0; i < h->runs; i++)
        if (h->run[i].id == d->run)
            return &h->run[i];
    return NULL;
}

/* A domain that lived from one run into the next lived in between, and nothing is known of that. */
static bool add_gap(struct report *r, size_t domain, uint64_t from_ns, uint64_t to_ns)
{
    while (from_ns < to_ns) {
        uint64_t end = xm_grid_next(&r->grid, from_ns);
        struct line *l = new_line(r, domain, from_ns);
        if (!l)
            return false;
        end = end < to_ns ? end : to_ns;
        l->life_ns = end - from_ns;
        from_ns = end;
    }
    return true;
}

static bool add_gaps(struct report *r)
{
    const struct xm_history *h = r->history;
    for (size_t i = 0; i < h->domains; i++) {
        const struct xm_history_domain *d = &h->domain[i];
        if (d->before == i || !xm_history_selects(&r->c->domains, d))
            continue;
        const struct xm_history_run *before = run_of(h, &h->domain[d->before]), *run = run_of(h, d);
        if (!before || !run)
            continue;
        uint64_t from = before->last_real_ns, to = run->first_real_ns;
        from = from > r->c->range.from_ns ? from : r->c->range.from_ns;
        to = to < r->c->range.to_ns ? to : r->c->range.to_ns;
        if (!add_gap(r, i, from, to))
            return false;
    }
    return true;
}

/* ---- Printing. */

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->line_ns != y->line_ns)
        return x->line_ns < y->line_ns ? -1 : 1;
    if (x->subject != y->subject)
        return x->subject < y->subject ? -1 : 1;
    return x->domain < y->domain ? -1 : x->domain > y->domain;
}

static void put_seconds(struct xm_out *out, const char *key, const char *title, bool known, uint64_t ns)
{
    char text[32];
    snprintf(text, sizeof text, "%.3f", (double)ns / (double)XM_NS_PER_S);
    xm_out_u64(out, key, title, 11, known, ns, text);
}

static void put_sum(struct xm_out *out, const char *key, const char *title, const struct sum *sum)
{
    char text[32];
    xm_format_count(sum->value, 9, text, sizeof text);
    xm_out_u64(out, key, title, 9, sum->any && !sum->lacking, sum->value, text);
}

static void put_identity(struct xm_out *out, const struct xm_history_domain *d, bool total)
{
    char name[64] = "total", id[16] = "";
    uint64_t row = d ? d->row : 0;
    if (d) {
        xm_format_name(d->name, sizeof d->name, name, sizeof name);
        snprintf(id, sizeof id, "%u", xm_row_domid(row));
    }
    xm_out_u64(out, "domid", "Id", 5, d != NULL, xm_row_domid(row), id);
    xm_out_u64(out, "instance", NULL, 0, d != NULL, xm_row_instance(row), NULL);
    xm_out_text(out, "name", "Name", -12, total || (d && d->name[0]) ? name : NULL);
    xm_out_text(out, "uuid", NULL, 0, d && d->uuid[0] ? d->uuid : NULL);
}

/* Running time less the hypervisor's own account of it. */
static void put_difference(struct xm_out *out, const struct line *l)
{
    const struct sum *cpu = &l->sum[CPU_TIME];
    bool known = cpu->any && !cpu->lacking;
    double apart = (double)l->held_ns - (double)cpu->value;
    double percent = cpu->value ? 100 * apart / (double)cpu->value : 0;
    char text[32];
    put_seconds(out, "cpu_time_ns", "Xen CPU s", known, cpu->value);
    snprintf(text, sizeof text, "%+.3f", apart / (double)XM_NS_PER_S);
    xm_out_real(out, "difference_s", "Off s", 9, known, apart / (double)XM_NS_PER_S, text);
    snprintf(text, sizeof text, "%+.3f%%", percent);
    xm_out_real(out, "difference_pct", "Off", 9, known && cpu->value, percent, text);
}

/* l NULL: the heading. */
static void put_line(struct report *r, const struct line *l)
{
    static const struct line none;
    char text[32];
    struct xm_out *out = &r->out;
    bool total = l && l->subject == SIZE_MAX;
    const struct xm_history_domain *d = l && !total ? &r->history->domain[l->domain] : NULL;
    l = l ? l : &none;
    bool known = l->known_ns != 0;
    xm_out_time(out, "time", r->grid.kind == XM_GRID_WHOLE ? NULL : "From", l->line_ns);
    xm_out_time(out, "from", NULL, l->from_ns);
    xm_out_time(out, "to", NULL, l->to_ns);
    put_identity(out, d, total);
    snprintf(text, sizeof text, "%" PRIu64, l->vcpus);
    xm_out_u64(out, "vcpus", "vCPUs", 5, known && !total, l->vcpus, text);
    put_seconds(out, "running_ns", "Running s", known, l->running_ns);
    put_difference(out, l);
    put_seconds(out, "waiting_ns", "Waiting s", known, l->runnable_ns);
    put_seconds(out, "blocked_ns", "Blocked s", known, l->blocked_ns);
    put_seconds(out, "offline_ns", "Offline s", known, l->offline_ns);
    put_seconds(out, "unknown_ns", "Unknown s", known || l->unknown_ns, l->unknown_ns);
    snprintf(text, sizeof text, "%" PRIu64, l->executions);
    xm_out_u64(out, "executions", "Executions", 10, known, l->executions, text);
    put_sum(out, "io_count", "I/O", &l->sum[IO]);
    put_sum(out, "net_received_bytes", "Net in B", &l->sum[RECEIVED]);
    put_sum(out, "net_sent_bytes", "Net out B", &l->sum[SENT]);
    put_sum(out, "disk_read_bytes", "Read B", &l->sum[READ]);
    put_sum(out, "disk_write_bytes", "Written B", &l->sum[WRITTEN]);
    snprintf(text, sizeof text, "%" PRIu64, l->weight);
    xm_out_u64(out, "weight", "Weight", 6, l->weighted, l->weight, text);
    xm_out_u64(out, "cap_pct", NULL, 0, l->weighted, l->cap, NULL);
    xm_out_u64(out, "life_ns", NULL, 0, !total, l->life_ns, NULL);
    xm_out_u64(out, "known_ns", NULL, 0, !total, l->known_ns, NULL);
    double part = l->life_ns ? (double)l->known_ns / (double)l->life_ns : 0;
    snprintf(text, sizeof text, "%.2f%%", part * 100);
    xm_out_real(out, "coverage", "Known", 7, l->life_ns != 0, part, text);
    xm_out_end(out);
}

static void add_line(struct line *to, const struct line *l)
{
    to->running_ns += l->running_ns;
    to->runnable_ns += l->runnable_ns;
    to->blocked_ns += l->blocked_ns;
    to->offline_ns += l->offline_ns;
    to->unknown_ns += l->unknown_ns;
    to->executions += l->executions;
    to->held_ns += l->held_ns;
    to->held_unknown_ns += l->held_unknown_ns;
    to->life_ns += l->life_ns;
    to->known_ns += l->known_ns;
    to->domain = l->domain;
    to->vcpus = l->vcpus > to->vcpus ? l->vcpus : to->vcpus;
    for (unsigned i = 0; i < SUMS; i++) {
        to->sum[i].value += l->sum[i].value;
        to->sum[i].any |= l->sum[i].any;
        to->sum[i].lacking |= l->sum[i].lacking;
    }
    if (l->weighted) {
        to->weighted = true;
        to->weight = l->weight;
        to->cap = l->cap;
    }
    if (l->from_ns && (!to->from_ns || l->from_ns < to->from_ns))
        to->from_ns = l->from_ns;
    to->to_ns = l->to_ns > to->to_ns ? l->to_ns : to->to_ns;
}

/* Of each subject and hour one line. */
static void bring_together(struct report *r)
{
    size_t kept = 0;
    if (r->lines)
        qsort(r->line, r->lines, sizeof *r->line, compare_lines);
    for (size_t i = 0; i < r->lines; i++) {
        struct line *last = kept ? &r->line[kept - 1] : NULL;
        if (last && last->line_ns == r->line[i].line_ns && last->subject == r->line[i].subject)
            add_line(last, &r->line[i]);
        else
            r->line[kept++] = r->line[i];
    }
    r->lines = kept;
}

/* Domains without what a sum is of do not make the total unknown. */
static void add_to_total(struct line *total, const struct line *l)
{
    struct line part = *l;
    for (unsigned i = 0; i < SUMS; i++)
        part.sum[i].lacking &= part.sum[i].any;
    part.weighted = false;
    add_line(total, &part);
}

/* The hypervisor counts what the trace lost, too. */
static void note_unknown(struct report *r, const struct line *total)
{
    char text[160];
    if (!total->sum[CPU_TIME].any || total->held_unknown_ns < LEAST_NOTED_NS)
        return;
    snprintf(text, sizeof text,
             "of %.3f vCPU seconds it is unknown whether they ran: running is short of Xen's by up to that",
             (double)total->held_unknown_ns / (double)XM_NS_PER_S);
    (void)xm_out_note(&r->out, text);
}

static void print_lines(struct report *r)
{
    static const char *const stay[] = {"time", "domid", "name", "running_ns", "coverage", NULL};
    static const char *const first[] = {"vcpus", "difference_s", NULL};
    struct line total = {.subject = SIZE_MAX};
    xm_out_fit(&r->out, first, stay);
    bring_together(r);
    if (xm_out_heading(&r->out))
        put_line(r, NULL);
    for (size_t i = 0; i < r->lines; i++) {
        xm_out_row(&r->out);
        put_line(r, &r->line[i]);
        add_to_total(&total, &r->line[i]);
    }
    /* On paper: a program adds up by itself, and a row that is none would be in its way. */
    if (r->c->format == XM_OUT_TEXT && r->lines) {
        xm_out_row(&r->out);
        put_line(r, &total);
        note_unknown(r, &total);
    }
}

static int print_report(const struct config *c, struct xm_history *history)
{
    static const struct xm_grid grids[] = {[BY_HOUR] = {.kind = XM_GRID_STEP, .step_ns = 3600 * XM_NS_PER_S},
                                           [BY_DAY] = {.kind = XM_GRID_DAY},
                                           [BY_MONTH] = {.kind = XM_GRID_MONTH},
                                           [BY_TOTAL] = {.kind = XM_GRID_WHOLE}};
    struct report r = {.c = c, .history = history, .grid = grids[c->by]};
    struct xm_error err;
    enum xm_status status = XM_OK;
    int code = XM_EXIT_DONE;
    xm_error_clear(&err);
    xm_out_init(&r.out, stdout, c->format);
    for (size_t i = 0; i < history->runs && status == XM_OK; i++)
        status = xm_history_each_window(history, &history->run[i], &r.grid, &c->range, add_window, &r, &err);
    if (status == XM_OK && !add_gaps(&r))
        status = xm_fail(&err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status == XM_OK)
        print_lines(&r);
    else
        code = xm_history_complain(PROGRAM, &err);
    free(r.line);
    return xm_history_flush(PROGRAM, code);
}

int xenmon_history_report_main(int argc, char **argv)
{
    struct config c = {.by = BY_HOUR};
    struct xm_history history;
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.help)
        return print_help();
    int code = xm_history_begin(PROGRAM, operands, argv, &c.range, &history);
    if (code != XM_EXIT_DONE)
        return code;
    code = print_report(&c, &history);
    xm_history_end(&history);
    return code;
}
