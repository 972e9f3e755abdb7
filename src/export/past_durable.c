/* SPDX-License-Identifier: MIT */
/* What is older than the region: out of the database that xenbaked --history keeps. */
#include "export/past_int.h"

#ifdef XM_HAVE_HISTORY

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "history/grid.h"
#include "history/query.h"
#include "history/schema.h"

#define MOST_ROWS 600000u /* read for one answer */
#define NO_LINE   SIZE_MAX

struct durable {
    struct xm_history history;
    struct xm_past_table *table;
    size_t steps;
    uint64_t lineage; /* the region's run */
    size_t *line;     /* of each of history.domain's lives, by the first of them; NO_LINE: none yet */
    uint64_t rows;    /* that may still be read */
    struct xm_history_deadline deadline;
    struct xm_history_stretch stretch;
    struct xm_sample sample[2];
};

/* ---- Whose row it is. */

/* The life that a domain's began with, before xenbaked was started anew. */
static size_t first_life(const struct xm_history *h, size_t domain)
{
    while (h->domain[domain].before != domain)
        domain = h->domain[domain].before;
    return domain;
}

static const struct xm_history_run *run_of(const struct xm_history *h, int64_t id)
{
    for (size_t i = 0; i < h->runs; i++)
        if (h->run[i].id == id)
            return &h->run[i];
    return NULL;
}

/* The newest live run that is not the region's own; NULL: none. */
static const struct xm_history_run *newest_live(const struct durable *d)
{
    for (size_t i = d->history.runs; i-- > 0;) {
        if (d->history.run[i].lineage == d->lineage)
            return NULL; /* that joins lives by itself */
        if (d->history.run[i].source == XM_SOURCE_LIVE)
            return &d->history.run[i];
    }
    return NULL;
}

/* A life that goes on in the region, whose run is not in the database yet: as history/query.c joins them. */
static bool goes_on(const struct xm_history_domain *d, const struct xm_past_line *l)
{
    return !d->ended_tsc && xm_row_domid(d->row) == xm_row_domid(l->row) && d->name[0] &&
           strncmp(d->name, l->name, sizeof d->name) == 0;
}

/* The region's domains among those of the database. */
static void match_lines(struct durable *d)
{
    const struct xm_history *h = &d->history;
    const struct xm_history_run *newest = newest_live(d);
    for (size_t i = 0; i < h->domains; i++) {
        const struct xm_history_run *run = run_of(h, h->domain[i].run);
        for (size_t l = 0; l < d->table->lines; l++) {
            struct xm_past_line *line = &d->table->line[l];
            bool same = run->lineage == line->lineage && h->domain[i].row == line->row;
            if (same && !line->name[0])
                memcpy(line->name, h->domain[i].name, sizeof line->name);
            if (same || (run == newest && goes_on(&h->domain[i], line)))
                d->line[first_life(h, i)] = l;
        }
    }
}

static void be_of(const struct durable *d, struct xm_past_line *line, const struct xm_history_domain *life)
{
    line->row = life->row;
    line->lineage = run_of(&d->history, life->run)->lineage;
    memcpy(line->name, life->name, sizeof line->name);
}

/* The line of a domain, made where there is none; NO_LINE: it is not asked for. */
static enum xm_status line_of(struct durable *d, size_t domain, size_t *line, struct xm_error *err)
{
    const struct xm_history_domain *life = &d->history.domain[domain];
    size_t *known = &d->line[first_life(&d->history, domain)];
    *line = NO_LINE;
    if (*known == NO_LINE) {
        if (!d->table->question->all && xm_row_domid(life->row) != d->table->question->domid)
            return XM_OK;
        struct xm_past_line like = {.slot = UINT32_MAX};
        be_of(d, &like, life);
        enum xm_status status = xm_past_add_line(d->table, &like, known, err);
        if (status != XM_OK)
            return status;
    }
    struct xm_past_line *l = &d->table->line[*known];
    if (l->slot == UINT32_MAX && (!d->lineage || l->lineage != d->lineage))
        be_of(d, l, life); /* the newest of its lives says what it is called: the region's where it has one */
    *line = *known;
    return XM_OK;
}

/* ---- Windows. */

static enum xm_status put_window(struct durable *d, const struct xm_history_window *bounds,
                                 const struct xm_window *window, bool detail, struct xm_error *err)
{
    struct xm_past_table *t = d->table;
    uint64_t from_ns = t->question->from_ns;
    size_t at = (size_t)((bounds->line_ns - from_ns) / t->step_ns);
    size_t end = (size_t)((bounds->end_line_ns - from_ns + t->step_ns - 1) / t->step_ns);
    enum xm_status status = XM_OK;
    if (bounds->line_ns < from_ns || at >= d->steps || end <= at)
        return XM_OK;
    bool coarse = end - at > 1;
    end = end < d->steps ? end : d->steps;
    for (size_t i = at; i < end; i++)
        t->coarse[i] = t->coarse[i] || coarse;
    xm_past_put_cpus(t, at, end - at, window);
    for (uint32_t slot = 0; slot < window->to->used.domains && status == XM_OK; slot++) {
        struct xm_usage u;
        size_t line = NO_LINE;
        if (!xm_usage_domain(window, slot, &u))
            continue;
        status = line_of(d, d->stretch.domain[slot], &line, err);
        if (line != NO_LINE)
            xm_past_put(t, line, at, end - at, &u, !detail, true);
    }
    return status;
}

static uint32_t at_least_one(uint32_t n)
{
    return n ? n : 1;
}

static enum xm_status make_samples(struct durable *d, struct xm_error *err)
{
    const struct xm_capacity *c = &d->stretch.capacity;
    const struct xm_capacity room = {at_least_one(c->domains), at_least_one(c->vcpus),
                                     at_least_one(c->pcpus)};
    enum xm_status status = xm_sample_init(&d->sample[0], room);
    if (status == XM_OK)
        status = xm_sample_init(&d->sample[1], room);
    return status == XM_OK ? XM_OK : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
}

static enum xm_status too_much(struct xm_error *err)
{
    return xm_fail(
        err, XM_LIMIT, XM_NO_OFFSET,
        "that is too much of the durable history at once: ask for longer steps, or a shorter time");
}

/* Where the number of a domain's vCPUs changes, its own row is not enough: as view/usage.c adds up. */
static enum xm_status read_changed(struct durable *d, const struct xm_history_instant *a,
                                   const struct xm_history_instant *b, unsigned from, struct xm_error *err)
{
    struct xm_sample *then = &d->sample[from], *now = &d->sample[from ^ 1];
    enum xm_status status = XM_OK;
    for (uint32_t slot = 0; slot < now->used.domains && status == XM_OK; slot++) {
        if (then->domain[slot].vcpus == now->domain[slot].vcpus)
            continue;
        status = xm_history_vcpus(&d->stretch, a, slot, then, err);
        if (status == XM_OK)
            status = xm_history_vcpus(&d->stretch, b, slot, now, err);
    }
    return status;
}

/* Each window's end is the next one's beginning where they meet: every sample is read once. */
static enum xm_status walk(struct durable *d, const struct xm_history_run *run,
                           const struct xm_history_instant *instant, const struct xm_history_window *window,
                           size_t count, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    unsigned from = 0;
    for (size_t i = 0; i < count && status == XM_OK; i++) {
        const struct xm_history_instant *a = &instant[window[i].from], *b = &instant[window[i].to];
        if (xm_clock_ns() > d->deadline.mono_ns)
            return too_much(err);
        if (i && window[i - 1].to == window[i].from)
            from ^= 1;
        else
            status = xm_history_sample(&d->stretch, a, a->sample, &d->sample[from], err);
        if (status == XM_OK)
            status = xm_history_sample(&d->stretch, b, a->sample, &d->sample[from ^ 1], err);
        if (status == XM_OK && a->sample)
            status = read_changed(d, a, b, from, err);
        if (status != XM_OK)
            break;
        const struct xm_window w = {.from = a->sample ? &d->sample[from] : NULL,
                                    .to = &d->sample[from ^ 1],
                                    .scale = &run->scale,
                                    .io_seen = run->io_seen};
        status = put_window(d, &window[i], &w, a->detail && b->detail, err);
    }
    return status;
}

/* How many of the samples that bound a window lie in [first, last]. */
static uint64_t samples_between(const struct xm_history_instant *instant,
                                const struct xm_history_window *window, size_t count, int64_t first,
                                int64_t last)
{
    size_t bound[2];
    const int64_t line[2] = {first, last + 1};
    for (int i = 0; i < 2; i++) { /* the first window that ends at that sample or after it */
        size_t low = 0, high = count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (instant[window[middle].to].sample < line[i])
                low = middle + 1;
            else
                high = middle;
        }
        bound[i] = low;
    }
    return bound[1] - bound[0];
}

/* Rows that are read: of each domain for as long as it was there, and once more for what it did last. */
static uint64_t rows_of(const struct durable *d, const struct xm_history_instant *instant,
                        const struct xm_history_window *window, size_t count)
{
    const struct xm_history_stretch *s = &d->stretch;
    uint64_t rows = (count + 1) * (1 + (uint64_t)s->capacity.pcpus);
    for (uint32_t slot = 0; slot < s->capacity.domains; slot++) {
        const struct xm_history_domain *life = &d->history.domain[s->domain[slot]];
        rows += 2 + samples_between(instant, window, count, life->first_sample, life->last_sample);
    }
    return rows;
}

static enum xm_status read_stretch(struct durable *d, const struct xm_history_run *run,
                                   const struct xm_history_instant *instant,
                                   const struct xm_history_window *window, size_t count, struct xm_error *err)
{
    const struct xm_past_question *q = d->table->question;
    const struct xm_history_part part = {.all = q->all, .domid = q->domid, .vcpus = false};
    enum xm_status status =
        xm_history_stretch_of(&d->history, run, instant[window[0].from].sample,
                              instant[window[count - 1].to].sample, part, &d->stretch, err);
    if (status != XM_OK)
        return status;
    uint64_t rows = rows_of(d, instant, window, count);
    if (rows > d->rows)
        status = too_much(err);
    else
        d->rows -= rows;
    if (status == XM_OK)
        status = make_samples(d, err);
    if (status == XM_OK)
        status = walk(d, run, instant, window, count, err);
    xm_history_stretch_end(&d->stretch);
    xm_sample_fini(&d->sample[0]);
    xm_sample_fini(&d->sample[1]);
    return status;
}

/* A run whose clock's rate is not known has cycles, and no durations: it is left out. */
static enum xm_status read_run(struct durable *d, const struct xm_history_run *run, struct xm_error *err)
{
    const struct xm_past_table *t = d->table;
    const struct xm_grid grid = {XM_GRID_EVEN, t->step_ns, t->question->from_ns};
    struct xm_history_instant *instant = NULL;
    struct xm_history_window *window = NULL;
    size_t instants, windows = 0;
    uint64_t to_ns = xm_past_end(t, d->steps - 1);
    if (!run->samples || !run->tsc_hz || run->last_real_ns < grid.origin_ns || run->first_real_ns > to_ns)
        return XM_OK;
    enum xm_status status = xm_history_instants(&d->history, run, &instant, &instants, err);
    if (status == XM_OK)
        status = xm_history_windows(instant, instants, &grid, grid.origin_ns, to_ns, &window, &windows, err);
    if (status == XM_OK && windows)
        status = read_stretch(d, run, instant, window, windows, err);
    free(instant);
    free(window);
    return status;
}

static enum xm_status read_all(struct durable *d, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    d->line = malloc((d->history.domains + 1) * sizeof *d->line);
    if (!d->line)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    for (size_t i = 0; i < d->history.domains; i++)
        d->line[i] = NO_LINE;
    match_lines(d);
    for (size_t i = 0; d->steps && i < d->history.runs && status == XM_OK; i++)
        status = read_run(d, &d->history.run[i], err);
    xm_past_settle(d->table);
    free(d->line);
    return status;
}

/* What is wrong with a database is no fault of the question's. */
static enum xm_status as_answer(enum xm_status status, struct xm_error *err)
{
    if (status == XM_OK || status == XM_LIMIT || status == XM_NOMEM)
        return status;
    struct xm_error why = *err;
    xm_error_clear(err);
    return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "the durable history cannot be read: %.180s", why.text);
}

enum xm_status xm_past_durable(const char *directory, struct xm_past_table *table, size_t steps,
                               uint64_t lineage, struct xm_error *err)
{
    struct durable d = {.table = table,
                        .steps = steps,
                        .lineage = lineage,
                        .rows = MOST_ROWS,
                        .deadline = {.mono_ns = xm_clock_ns() + XM_PAST_READ_NS}};
    enum xm_status status = xm_history_open_until(directory, &d.deadline, &d.history, err);
    if (status == XM_OK)
        status = read_all(&d, err);
    xm_history_end(&d.history);
    if (status == XM_OK || !d.deadline.passed)
        return as_answer(status, err);
    xm_error_clear(err);
    return too_much(err);
}

/* ---- What there is. */

static json_t *run_json(const struct xm_history_run *run)
{
    json_t *object = json_object();
    bool good = xm_json_put(object, "run", xm_json_run(run->lineage));
    good &= xm_json_put(object, "from", xm_json_time(run->first_real_ns));
    good &= xm_json_put(object, "to", xm_json_time(run->last_real_ns));
    good &= xm_json_put(object, "samples", json_integer((json_int_t)run->samples));
    good &= xm_json_put(object, "lost_records", json_integer((json_int_t)run->lost_records));
    good &= xm_json_put(object, "ended", json_boolean(run->ended));
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

enum xm_status xm_past_durable_range(const char *directory, struct xm_past_range *range, json_t *runs,
                                     struct xm_error *err)
{
    struct xm_history history;
    struct xm_history_deadline deadline = {.mono_ns = xm_clock_ns() + XM_PAST_READ_NS};
    uint64_t span_ns = 0;
    bool good = true;
    enum xm_status status = xm_history_open_until(directory, &deadline, &history, err);
    if (status != XM_OK)
        return as_answer(status, err);
    for (size_t i = 0; i < history.runs && good; i++) {
        const struct xm_history_run *run = &history.run[i];
        if (run->samples == 0)
            continue;
        good = json_array_append_new(runs, run_json(run)) == 0;
        if (!range->from_ns || run->first_real_ns < range->from_ns)
            range->from_ns = run->first_real_ns;
        if (run->last_real_ns > range->to_ns)
            range->to_ns = run->last_real_ns;
        range->samples += run->samples;
        span_ns += run->span_ns;
        range->step_ns = run->span_ns / run->samples;
    }
    range->known_ns = span_ns;
    xm_history_end(&history);
    return good ? XM_OK : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
}

enum xm_status xm_past_durable_try(const char *directory, struct xm_error *err)
{
    return as_answer(xm_history_try_reader(directory, err), err);
}

#else

static enum xm_status none(struct xm_error *err)
{
    return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "this xenmon-serve was built without SQLite");
}

enum xm_status xm_past_durable(const char *directory, struct xm_past_table *table, size_t steps,
                               uint64_t lineage, struct xm_error *err)
{
    return none(err);
}

enum xm_status xm_past_durable_range(const char *directory, struct xm_past_range *range, json_t *runs,
                                     struct xm_error *err)
{
    return none(err);
}

enum xm_status xm_past_durable_try(const char *directory, struct xm_error *err)
{
    return none(err);
}

#endif
