/* SPDX-License-Identifier: MIT */
/* Values over time: what the region has of them, and the document. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/past_int.h"

#define POINTS_UNASKED 300u
#define NO_LINE        SIZE_MAX
#define ROWS           (1u << XM_SCOPE_VCPU | 1u << XM_SCOPE_DOMAIN | 1u << XM_SCOPE_PCPU)

struct walk {
    struct xm_past *past; /* NULL: there is no region */
    const struct xm_shape *shape;
    const struct xm_past_question *question;
    struct xm_past_table table;
    enum xm_series series;
    uint64_t newest_real_ns, newest_window;
    bool peaks;       /* a metric is asked for that is kept by interval: what lies between is read too */
    uint64_t held[2]; /* index of the sample in past->sample[0], [1]; UINT64_MAX: none */
    size_t *line_at;  /* [slot] line of the domain that was last seen there; NO_LINE: of none */
};

/* ---- What is asked. */

static enum xm_status check_time(struct walk *w, struct xm_error *err)
{
    const struct xm_past_question *q = w->question;
    if (q->from_ns >= q->to_ns)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "'from' must be before 'to'");
    uint64_t span = q->to_ns - q->from_ns;
    w->table.step_ns = q->step_ns;
    if (!w->table.step_ns)
        w->table.step_ns = ((span - 1) / (POINTS_UNASKED * XM_NS_PER_S) + 1) * XM_NS_PER_S;
    if (w->table.step_ns < XM_PAST_STEP_MIN_NS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a step must be at least 100ms");
    uint64_t points = (span - 1) / w->table.step_ns + 1; /* both may be near what 64 bits hold */
    if (points > XM_PAST_POINTS)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%" PRIu64 " steps, and at most %u: ask for longer steps",
                       points, XM_PAST_POINTS);
    w->table.points = (size_t)points;
    return XM_OK;
}

/* A few shown of many cost what is read of all. */
static enum xm_status check_size(const struct walk *w, struct xm_error *err)
{
    const struct xm_past_question *q = w->question;
    const struct xm_past_table *t = &w->table;
    uint64_t rows = 0, reads = t->points;
    size_t shown = q->top && q->top < t->lines ? q->top : t->lines;
    if (w->past) {
        const struct xm_sample *now = w->shape->snapshot->window[0].to;
        rows = (uint64_t)now->used.domains + now->used.vcpus;
        if (w->peaks && w->past->info.series[XM_SERIES_FAST].interval_ns)
            reads += (q->to_ns - q->from_ns) / w->past->info.series[XM_SERIES_FAST].interval_ns;
    }
    if (reads * rows > XM_PAST_ROWS)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET,
                       "%" PRIu64 " samples of %" PRIu64
                       " domains and vCPUs are too many to read: ask for longer steps, or a shorter time",
                       reads, rows);
    if (t->points * shown * q->metrics <= XM_PAST_VALUES)
        return XM_OK;
    return xm_fail(
        err, XM_LIMIT, XM_NO_OFFSET,
        "%zu steps of %zu domains are too many: ask for longer steps, for one domain, or for the top few",
        t->points, shown);
}

/* ---- The region. */

/* Which samples know all that is asked for: the slow ones reach further back. */
static enum xm_status choose_series(struct walk *w, struct xm_error *err)
{
    struct xm_past *p = w->past;
    struct xm_host_row host;
    bool fast = w->table.step_ns < p->info.series[XM_SERIES_SLOW].interval_ns ||
                p->info.series[XM_SERIES_SLOW].newest == UINT64_MAX;
    for (size_t m = 0; m < w->question->metrics; m++)
        fast |= w->shape->fields.field[w->question->metric[m]].series < XM_FIELD_SLOW_DOMAIN;
    w->series = fast ? XM_SERIES_FAST : XM_SERIES_SLOW;
    enum xm_region_outcome outcome =
        xm_region_host(p->region, w->series, p->info.series[w->series].newest, &host);
    if (outcome != XM_REGION_OK)
        return xm_past_not_now(outcome, err);
    w->newest_real_ns = host.real;
    w->newest_window = host.window;
    return XM_OK;
}

/* The newest sample that is not after an instant; false: the region has none. */
static bool sample_at(struct walk *w, uint64_t real_ns, uint64_t *index)
{
    uint64_t window = w->newest_window;
    if (real_ns < w->newest_real_ns)
        window = xm_past_back_by(w->past, w->series, window, w->newest_real_ns - real_ns);
    return window && xm_region_find(w->past->region, w->series, window, index) == XM_REGION_OK;
}

/* Which of the two samples holds that index, read where neither does; the one in `keep` stays. */
static int hold(struct walk *w, uint64_t index, int keep)
{
    for (int i = 0; i < 2; i++)
        if (w->held[i] == index)
            return i;
    int at = keep == 0 ? 1 : 0;
    w->held[at] = UINT64_MAX;
    if (xm_region_rows(w->past->region, w->series, index, ROWS, &w->past->sample[at]) != XM_REGION_OK)
        return -1;
    w->held[at] = index;
    return at;
}

/* The peaks of the samples within a step, into the one at its end; false: one of them could not be read. */
static bool fold_between(struct walk *w, uint64_t first, uint64_t last, int to)
{
    struct xm_past *p = w->past;
    for (uint64_t i = first + 1; i < last; i++) {
        if (xm_region_rows(p->region, w->series, i, ROWS, &p->sample[2]) != XM_REGION_OK)
            return false;
        xm_window_peaks(&p->sample[to], &p->sample[2]);
    }
    return true;
}

/* Of a domain that is no more, and that the list of now may not have: it is found by its samples. */
static enum xm_status add_gone_line(struct walk *w, uint32_t slot, uint64_t row, size_t *line,
                                    struct xm_error *err)
{
    const struct xm_host_snapshot *s = w->shape->snapshot;
    struct xm_past_line like = {.lineage = s->info.lineage_id, .row = row, .slot = UINT32_MAX};
    if (slot < s->window[0].to->used.domains && s->domain[slot].fact.id == row)
        snprintf(like.name, sizeof like.name, "%s", s->domain[slot].fact.name);
    return xm_past_add_line(&w->table, &like, line, err);
}

/* The line of that domain, which was last seen in that slot; NO_LINE: there is none. */
static size_t find_line(const struct walk *w, uint32_t slot, uint64_t row)
{
    const struct xm_past_table *t = &w->table;
    size_t at = w->line_at[slot];
    if (at < t->lines && t->line[at].row == row)
        return at;
    for (at = 0; at < t->lines; at++)
        if (t->line[at].row == row)
            return at;
    return NO_LINE;
}

/* Whether the domain in that slot had ended before the window began. */
static bool was_over(const struct xm_window *window, uint32_t slot)
{
    const struct xm_domain_row *now = &window->to->domain[slot];
    const struct xm_domain_row *then = &window->from->domain[slot];
    return slot < window->from->used.domains && then->id == now->id && then->ended && now->ended;
}

/* The line of the domain in that slot, made where there is none; NO_LINE: it is not asked for. */
static enum xm_status line_of(struct walk *w, const struct xm_window *window, uint32_t slot, size_t *line,
                              struct xm_error *err)
{
    uint64_t row = window->to->domain[slot].id;
    enum xm_status status = XM_OK;
    *line = NO_LINE;
    if (!w->question->all && xm_row_domid(row) != w->question->domid)
        return XM_OK;
    *line = find_line(w, slot, row);
    if (*line == NO_LINE && !was_over(window, slot))
        status = add_gone_line(w, slot, row, line, err);
    w->line_at[slot] = *line;
    return status;
}

/* What happened between two samples. */
static enum xm_status put_values(struct walk *w, size_t point, const struct xm_window *window, bool no_peaks,
                                 bool no_sums, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    xm_past_put_cpus(&w->table, point, 1, window);
    for (uint32_t slot = 0; slot < window->to->used.domains && status == XM_OK; slot++) {
        struct xm_usage u;
        size_t line;
        if (!window->to->domain[slot].id || !xm_usage_domain(window, slot, &u))
            continue;
        status = line_of(w, window, slot, &line, err);
        if (status == XM_OK && line != NO_LINE) {
            xm_past_put(&w->table, line, point, 1, &u, w->series == XM_SERIES_SLOW, no_peaks);
            w->table.line[line].step.no_sums = no_sums;
        }
    }
    return status;
}

/*
 * One step: between the samples at its two ends.  Where both are the same one, as when steps are as long as
 * the series' interval and the two drift, its shares are those of the interval that the sample ends, whose
 * sums are another step's already.
 */
static enum xm_status put_step(struct walk *w, size_t point, struct xm_error *err)
{
    struct xm_window window = {.scale = &w->past->snapshot->scale, .io_seen = w->past->info.io_seen};
    uint64_t first, last;
    if (!sample_at(w, xm_past_end(&w->table, point), &last) ||
        !sample_at(w, xm_past_begin(&w->table, point), &first))
        return XM_OK;
    bool borrowed = first >= last;
    if (borrowed)
        first = last ? last - 1 : 0;
    int from = hold(w, first, -1);
    int to = from < 0 || first == last ? -1 : hold(w, last, from);
    if (to < 0)
        return XM_OK;
    window.from = &w->past->sample[from];
    window.to = &w->past->sample[to];
    bool folded = w->peaks && fold_between(w, first, last, to);
    w->table.coarse[point] = borrowed;
    enum xm_status status = put_values(w, point, &window, !folded, borrowed, err);
    if (folded && last - first != 1)
        w->held[to] = UINT64_MAX; /* it has more than its own interval's peaks now */
    return status;
}

static enum xm_status add_region_line(struct walk *w, uint32_t slot, struct xm_error *err)
{
    const struct xm_host_snapshot *s = w->shape->snapshot;
    const struct xm_region_domain *fact = &s->domain[slot].fact;
    struct xm_past_line line = {
        .lineage = s->info.lineage_id, .row = s->window[0].to->domain[slot].id, .slot = slot};
    size_t index;
    if (fact->id == line.row)
        snprintf(line.name, sizeof line.name, "%s", fact->name);
    return xm_past_add_line(&w->table, &line, &index, err);
}

static enum xm_status add_region_lines(struct walk *w, struct xm_error *err)
{
    const struct xm_host_snapshot *s = w->shape->snapshot;
    const struct xm_sample *now = s->window[0].to;
    enum xm_status status = XM_OK;
    uint32_t slot;
    if (!w->question->all) {
        bool here = xm_shape_find(w->shape, w->question->domid, &slot);
        return here ? add_region_line(w, slot, err) : XM_OK;
    }
    struct xm_place *places = calloc((size_t)now->used.domains + 1, sizeof *places);
    if (!places)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    size_t count = xm_order_domains(now, places);
    for (size_t i = 0; i < count && status == XM_OK; i++)
        if (!s->domain[places[i].slot].expired)
            status = add_region_line(w, places[i].slot, err);
    free(places);
    return status;
}

/* ---- Both. */

static enum xm_status make_cpus(struct xm_past_table *t, struct xm_error *err)
{
    t->coarse = calloc(t->points + 1, sizeof *t->coarse);
    if (!t->coarse)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    for (size_t k = 0; k < XM_PAST_CPU; k++) {
        t->cpu[k] = malloc((t->points + 1) * sizeof *t->cpu[k]);
        if (!t->cpu[k])
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        for (size_t i = 0; i < t->points; i++)
            t->cpu[k][i] = (double)NAN;
    }
    return XM_OK;
}

/* The first step of which the region has the beginning. */
static size_t first_of_region(struct walk *w)
{
    uint64_t index;
    size_t point = 0;
    while (w->past && point < w->table.points && !sample_at(w, xm_past_begin(&w->table, point), &index))
        point++;
    return w->past ? point : w->table.points;
}

/* The table with the region's domains, and nothing known yet. */
static enum xm_status make_table(struct walk *w, struct xm_error *err)
{
    enum xm_status status = make_cpus(&w->table, err);
    if (status == XM_OK && w->past)
        status = add_region_lines(w, err);
    if (status == XM_OK)
        status = check_size(w, err);
    if (status == XM_OK && w->past)
        status = choose_series(w, err);
    return status;
}

/* The steps from `first` on, which the region has. */
static enum xm_status fill_from_region(struct walk *w, size_t first, struct xm_error *err)
{
    if (!w->past)
        return XM_OK;
    size_t slots = w->past->info.capacity.domains;
    w->line_at = malloc((slots + 1) * sizeof *w->line_at);
    if (!w->line_at)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    for (size_t slot = 0; slot < slots; slot++)
        w->line_at[slot] = NO_LINE;
    enum xm_status status = XM_OK;
    for (size_t i = first; i < w->table.points && status == XM_OK; i++)
        status = put_step(w, i, err);
    xm_past_settle(&w->table);
    free(w->line_at);
    return status;
}

static bool is_nameless(const struct xm_past_table *t)
{
    for (size_t i = 0; i < t->lines; i++)
        if (t->line[i].slot == UINT32_MAX && !t->line[i].name[0])
            return true;
    return false;
}

/* The steps before `first`; and names of those that the region has no names of any more, if it has them. */
static enum xm_status fill_from_durable(struct walk *w, const char *directory, size_t first,
                                        struct xm_error *err)
{
    struct xm_error why = {0};
    uint64_t lineage = w->past ? w->past->info.lineage_id : 0;
    w->table.durable = first;
    if (first)
        return xm_past_durable(directory, &w->table, first, lineage, err);
    if (is_nameless(&w->table))
        (void)!xm_past_durable(directory, &w->table, 0, lineage, &why);
    return XM_OK;
}

static enum xm_status fill(struct walk *w, const char *directory, struct xm_error *err)
{
    enum xm_status status = make_table(w, err);
    if (status != XM_OK)
        return status;
    size_t first = first_of_region(w);
    status = fill_from_region(w, first, err);
    if (status == XM_OK && directory)
        status = fill_from_durable(w, directory, first, err);
    if (status == XM_OK && w->table.lines == 0 && !w->question->all)
        status = xm_fail(err, XM_END, XM_NO_OFFSET, "there is no domain %u", (unsigned)w->question->domid);
    return status == XM_OK ? check_size(w, err) : status; /* there may be more of them now */
}

static void table_end(struct xm_past_table *t)
{
    for (size_t i = 0; i < t->lines; i++)
        free(t->line[i].value);
    for (size_t k = 0; k < XM_PAST_CPU; k++)
        free(t->cpu[k]);
    free(t->coarse);
    free(t->line);
}

/* ---- The document. */

static json_t *array_of(const double *value, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, isnan(value[i]) ? json_null() : json_real(value[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

json_t *xm_json_run(uint64_t lineage)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, lineage);
    return json_string(text);
}

static json_t *line_json(const struct walk *w, const struct xm_past_line *l)
{
    const struct xm_past_table *t = &w->table;
    json_t *domain = json_object();
    json_t *values = json_object();
    bool good = xm_json_put(domain, "domid", json_integer(xm_row_domid(l->row)));
    good &= xm_json_put(domain, "instance", json_integer(xm_row_instance(l->row)));
    good &= xm_json_put(domain, "run", xm_json_run(l->lineage));
    good &= xm_json_put(domain, "name", xm_json_name(l->name));
    good &= xm_json_put(domain, "values", values);
    for (size_t m = 0; m < w->question->metrics && good; m++)
        good = xm_json_put(values, w->shape->fields.field[w->question->metric[m]].id,
                           array_of(l->value + m * t->points, t->points));
    good &= xm_json_put(domain, "coverage_ratio",
                        array_of(l->value + w->question->metrics * t->points, t->points));
    if (good)
        return domain;
    json_decref(domain);
    return NULL;
}

static int longest_first(const void *a, const void *b)
{
    const struct xm_place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static bool put_lines(const struct walk *w, json_t *document)
{
    const struct xm_past_table *t = &w->table;
    struct xm_place *order = calloc(t->lines + 1, sizeof *order);
    json_t *domains = json_array();
    size_t top = w->question->top;
    bool good = order && domains;
    for (size_t i = 0; i < t->lines && good; i++)
        order[i] = (struct xm_place){t->line[i].running_ns, (uint32_t)i};
    if (good && top)
        qsort(order, t->lines, sizeof *order, longest_first);
    for (size_t i = 0; i < t->lines && (!top || i < top) && good; i++)
        good = json_array_append_new(domains, line_json(w, &t->line[order[i].slot])) == 0;
    free(order);
    good &= xm_json_put(document, "domains", domains);
    return good && xm_json_put(document, "domains_left_out",
                               json_integer(top && top < t->lines ? (json_int_t)(t->lines - top) : 0));
}

static bool put_cpus(const struct walk *w, json_t *document)
{
    static const char *const names[XM_PAST_CPU] = {[XM_PAST_BUSY] = "busy_ratio",
                                                   [XM_PAST_SWITCHING] = "switching_ratio",
                                                   [XM_PAST_IDLE] = "idle_ratio",
                                                   [XM_PAST_UNKNOWN] = "unknown_ratio"};
    json_t *cpus = json_object();
    bool good = xm_json_put(document, "cpus", cpus);
    for (size_t k = 0; k < XM_PAST_CPU && good; k++)
        good = xm_json_put(cpus, names[k], array_of(w->table.cpu[k], w->table.points));
    return good;
}

/* Which samples answered; durable where none of the region's did. */
static const char *series_name(const struct walk *w)
{
    if (w->table.durable == w->table.points || !w->past)
        return "durable";
    return w->series == XM_SERIES_FAST ? "fast" : "slow";
}

static bool put_document(const struct walk *w, json_t *document)
{
    const struct xm_past_question *q = w->question;
    json_t *metrics = json_array();
    json_t *times = json_array();
    json_t *coarse = json_array();
    bool good = xm_json_put(document, "from", xm_json_time(q->from_ns));
    good &= xm_json_put(document, "to", xm_json_time(q->to_ns));
    good &= xm_json_put(document, "step_s", xm_json_seconds(w->table.step_ns));
    good &= xm_json_put(document, "series", json_string(series_name(w)));
    good &= xm_json_put(document, "durable_steps", json_integer((json_int_t)w->table.durable));
    good &= xm_json_put(document, "metrics", metrics);
    good &= xm_json_put(document, "times_s", times);
    good &= xm_json_put(document, "coarse", coarse);
    for (size_t m = 0; m < q->metrics && good; m++)
        good = json_array_append_new(metrics, json_string(w->shape->fields.field[q->metric[m]].id)) == 0;
    for (size_t i = 0; i < w->table.points && good; i++)
        good = json_array_append_new(times, xm_json_seconds(xm_past_end(&w->table, i))) == 0 &&
               json_array_append_new(coarse, json_boolean(w->table.coarse[i])) == 0;
    return good && put_cpus(w, document) && put_lines(w, document);
}

enum xm_status xm_past_history(struct xm_past *past, const char *directory, const struct xm_shape *shape,
                               const struct xm_past_question *question, json_t *document,
                               struct xm_error *err)
{
    struct walk w = {.past = past,
                     .shape = shape,
                     .question = question,
                     .table = {.fields = &shape->fields, .question = question},
                     .held = {UINT64_MAX, UINT64_MAX}};
    for (size_t m = 0; m < question->metrics; m++)
        w.peaks |= shape->fields.field[question->metric[m]].series == XM_FIELD_PEAK;
    enum xm_status status = check_time(&w, err);
    if (status == XM_OK)
        status = fill(&w, directory, err);
    if (status == XM_OK && !put_document(&w, document))
        status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    table_end(&w.table);
    return status;
}

/* ---- What there is. */

enum xm_status xm_past_region_range(struct xm_past *past, enum xm_series series, struct xm_past_range *range,
                                    struct xm_error *err)
{
    struct xm_host_row oldest, newest;
    uint64_t first = 0, last = past->info.series[series].newest;
    const struct xm_scale *scale = &past->snapshot->scale;
    range->step_ns = past->info.series[series].interval_ns;
    if (last == UINT64_MAX)
        return XM_OK;
    enum xm_region_outcome outcome = xm_region_find(past->region, series, 0, &first);
    if (outcome == XM_REGION_OK || outcome == XM_REGION_OVERRUN)
        outcome = xm_region_host(past->region, series, first, &oldest);
    if (outcome == XM_REGION_OVERRUN) /* it went on meanwhile: the next one is there */
        outcome = xm_region_host(past->region, series, ++first, &oldest);
    if (outcome == XM_REGION_OK)
        outcome = xm_region_host(past->region, series, last, &newest);
    if (outcome != XM_REGION_OK)
        return xm_past_not_now(outcome, err);
    range->from_ns = oldest.real;
    range->to_ns = newest.real;
    range->samples = last - first + 1;
    uint64_t window = xm_counted(newest.window, oldest.window), gap = xm_counted(newest.gap, oldest.gap);
    range->known_ns = xm_scale_to_ns(scale, xm_cycles_of(xm_counted(window, gap))).v;
    return XM_OK;
}
