/* SPDX-License-Identifier: MIT */
/* Values over time, put together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/past_int.h"

uint64_t xm_past_begin(const struct xm_past_table *t, size_t point)
{
    return t->question->from_ns + point * t->step_ns;
}

uint64_t xm_past_end(const struct xm_past_table *t, size_t point)
{
    uint64_t begin = xm_past_begin(t, point);
    return t->question->to_ns - begin < t->step_ns ? t->question->to_ns : begin + t->step_ns;
}

enum xm_status xm_past_add_line(struct xm_past_table *t, const struct xm_past_line *like, size_t *line,
                                struct xm_error *err)
{
    size_t cells = (t->question->metrics + 1) * t->points;
    if ((t->lines + 1) * cells > XM_PAST_CELLS)
        return xm_fail(
            err, XM_LIMIT, XM_NO_OFFSET,
            "%zu steps of more than %zu domains are too many: ask for longer steps, or for one domain",
            t->points, t->lines);
    if (t->lines == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct xm_past_line *more = realloc(t->line, room * sizeof *more);
        if (!more)
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        t->line = more;
        t->room = room;
    }
    struct xm_past_line *l = &t->line[t->lines];
    *l = *like;
    l->value = malloc(cells * sizeof *l->value);
    if (!l->value)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    for (size_t i = 0; i < cells; i++)
        l->value[i] = i < t->question->metrics * t->points ? (double)NAN : 0;
    *line = t->lines++;
    return XM_OK;
}

/* ---- Adding up. */

static void add_maybe(struct xm_maybe *sum, const struct xm_maybe *more)
{
    sum->known = sum->known && more->known;
    sum->count = sum->known ? sum->count + more->count : 0;
}

static void add_io(struct xm_io *sum, const struct xm_io *more)
{
    add_maybe(&sum->transfers, &more->transfers);
    add_maybe(&sum->maps, &more->maps);
    add_maybe(&sum->unmaps, &more->unmaps);
    add_maybe(&sum->copies, &more->copies);
}

static void add_told(struct xm_told *sum, const struct xm_told *more)
{
    add_maybe(&sum->received_bytes, &more->received_bytes);
    add_maybe(&sum->received_packets, &more->received_packets);
    add_maybe(&sum->sent_bytes, &more->sent_bytes);
    add_maybe(&sum->sent_packets, &more->sent_packets);
    add_maybe(&sum->disk_reads, &more->disk_reads);
    add_maybe(&sum->disk_writes, &more->disk_writes);
    add_maybe(&sum->disk_read_bytes, &more->disk_read_bytes);
    add_maybe(&sum->disk_write_bytes, &more->disk_write_bytes);
    add_maybe(&sum->cpu_time_ns, &more->cpu_time_ns);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Two windows of one domain that do not overlap, as one. */
static void add_usage(struct xm_usage *sum, const struct xm_usage *more)
{
    sum->vcpus = more->vcpus > sum->vcpus ? more->vcpus : sum->vcpus;
    sum->window_ns += more->window_ns;
    sum->span_ns += more->span_ns;
    sum->running_ns += more->running_ns;
    sum->runnable_ns += more->runnable_ns;
    sum->blocked_ns += more->blocked_ns;
    sum->offline_ns += more->offline_ns;
    sum->unknown_ns += more->unknown_ns;
    sum->wait_wake_ns += more->wait_wake_ns;
    sum->wait_preempt_ns += more->wait_preempt_ns;
    sum->wait_other_ns += more->wait_other_ns;
    sum->wait_any_ns += more->wait_any_ns;
    sum->no_peaks = sum->no_peaks || more->no_peaks;
    sum->wait_max_ns = larger(sum->wait_max_ns, more->wait_max_ns);
    sum->executions += more->executions;
    sum->migrations += more->migrations;
    sum->preemptions += more->preemptions;
    sum->yields += more->yields;
    sum->slices += more->slices;
    sum->slice_sum_ns += more->slice_sum_ns;
    sum->slice_max_ns = larger(sum->slice_max_ns, more->slice_max_ns);
    add_io(&sum->io, &more->io);
    add_io(&sum->io_done, &more->io_done);
    add_told(&sum->told, &more->told);
}

/* The time that a usage is known for; as xenmon-history(1) counts it. */
static uint64_t known_ns(const struct xm_usage *u)
{
    return u->vcpus ? (u->span_ns - u->unknown_ns) / u->vcpus : u->window_ns;
}

/* ---- Settling. */

/* A sum is that of the whole stretch between two samples; what it is in a part of it nobody knows. */
static bool is_sum(const struct xm_fields *fields, size_t metric)
{
    const struct xm_column *column = fields->column[metric];
    return column && (column->type == XM_COL_NS || column->type == XM_COL_COUNT);
}

static void settle_line(struct xm_past_table *t, struct xm_past_line *l)
{
    const struct xm_past_question *q = t->question;
    const struct xm_past_step *s = &l->step;
    struct xm_usage_of of = {&s->usage, .vcpu = false, .coarse = s->coarse, .no_peaks = s->no_peaks};
    if (!s->begun)
        return;
    uint64_t asked_ns = xm_past_end(t, s->at + s->steps - 1) - xm_past_begin(t, s->at);
    double coverage = asked_ns ? (double)s->known_ns / (double)asked_ns : 0;
    for (size_t m = 0; m < q->metrics; m++) {
        double value;
        bool known = ((s->steps == 1 && !s->no_sums) || !is_sum(t->fields, q->metric[m])) &&
                     xm_field_value(t->fields, q->metric[m], &of, &value);
        for (size_t i = s->at; i < s->at + s->steps; i++)
            l->value[m * t->points + i] = known ? value : (double)NAN;
    }
    for (size_t i = s->at; i < s->at + s->steps; i++)
        l->value[q->metrics * t->points + i] = coverage < 1 ? coverage : 1;
    l->running_ns += s->usage.running_ns;
    l->step.begun = false;
}

void xm_past_put(struct xm_past_table *t, size_t line, size_t at, size_t steps, const struct xm_usage *usage,
                 bool coarse, bool no_peaks)
{
    struct xm_past_line *l = &t->line[line];
    struct xm_past_step *s = &l->step;
    if (s->begun && s->at == at && s->steps == 1 && steps == 1) {
        add_usage(&s->usage, usage);
        s->coarse = s->coarse || coarse;
        s->no_peaks = s->no_peaks || no_peaks;
        s->known_ns += known_ns(usage);
        return;
    }
    settle_line(t, l);
    *s = (struct xm_past_step){.begun = true,
                               .at = at,
                               .steps = steps,
                               .coarse = coarse,
                               .no_peaks = no_peaks,
                               .known_ns = known_ns(usage),
                               .usage = *usage};
}

static void settle_cpus(struct xm_past_table *t)
{
    uint64_t span_ns = 0;
    for (size_t k = 0; k < XM_PAST_CPU; k++)
        span_ns += t->cpu_ns[k];
    for (size_t k = 0; k < XM_PAST_CPU && span_ns; k++)
        for (size_t i = t->cpu_at; i < t->cpu_at + t->cpu_steps; i++)
            t->cpu[k][i] = (double)t->cpu_ns[k] / (double)span_ns;
    memset(t->cpu_ns, 0, sizeof t->cpu_ns);
    t->cpu_steps = 0;
}

void xm_past_put_cpus(struct xm_past_table *t, size_t at, size_t steps, const struct xm_window *window)
{
    struct xm_pcpu_usage u;
    if (t->cpu_steps != 1 || steps != 1 || t->cpu_at != at)
        settle_cpus(t);
    t->cpu_at = at;
    t->cpu_steps = steps;
    for (uint32_t slot = 0; slot < window->to->used.pcpus; slot++) {
        if (!xm_usage_pcpu(window, slot, &u))
            continue;
        t->cpu_ns[XM_PAST_BUSY] += u.busy_ns;
        t->cpu_ns[XM_PAST_SWITCHING] += u.switching_ns;
        t->cpu_ns[XM_PAST_IDLE] += u.idle_ns;
        t->cpu_ns[XM_PAST_UNKNOWN] += u.unknown_ns;
    }
}

void xm_past_settle(struct xm_past_table *t)
{
    for (size_t i = 0; i < t->lines; i++)
        settle_line(t, &t->line[i]);
    settle_cpus(t);
}
