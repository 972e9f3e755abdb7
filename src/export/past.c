/* SPDX-License-Identifier: MIT */
#include "export/past.h"

#include <inttypes.h>
#include <stdlib.h>

#include "xenmon/region.h"

#define NS_PER_S       UINT64_C(1000000000)
#define POINTS_UNASKED 300u
#define FOLD_ROWS      200000u
#define ALL_ROWS       (1u << XM_SCOPE_VCPU | 1u << XM_SCOPE_DOMAIN | 1u << XM_SCOPE_PCPU)
#define DOMAIN_ROWS    (1u << XM_SCOPE_VCPU | 1u << XM_SCOPE_DOMAIN)

struct xm_past {
    const struct xm_host_snapshot *snapshot; /* borrowed */
    struct xm_region *region;
    struct xm_region_info info;
    struct xm_sample sample[3]; /* two ends, and what lies between */
};

static enum xm_status not_now(enum xm_region_outcome outcome, struct xm_error *err)
{
    return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "the region cannot be read now: %s",
                   xm_region_outcome_name(outcome));
}

enum xm_status xm_past_open(const struct xm_host_snapshot *snapshot, const char *path, struct xm_past **past,
                            struct xm_error *err)
{
    struct xm_error why = {0};
    *past = NULL;
    struct xm_past *p = calloc(1, sizeof *p);
    if (!p)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    p->snapshot = snapshot;
    enum xm_status status = xm_region_open(path, &p->region, &why);
    if (status != XM_OK) {
        status = xm_fail(err, status == XM_NOMEM ? XM_NOMEM : XM_AGAIN, XM_NO_OFFSET, "%s", why.text);
    } else {
        enum xm_region_outcome outcome = xm_region_info(p->region, &p->info);
        if (outcome != XM_REGION_OK)
            status = not_now(outcome, err);
        else if (p->info.lineage_id != snapshot->info.lineage_id)
            status = xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "xenbaked has just been started anew");
        else if (p->info.series[XM_SERIES_FAST].newest == UINT64_MAX)
            status = xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "there is no sample yet");
    }
    for (size_t i = 0; i < 3 && status == XM_OK; i++)
        if (xm_sample_init(&p->sample[i], p->info.capacity) != XM_OK)
            status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status == XM_OK)
        *past = p;
    else
        xm_past_close(p);
    return status;
}

void xm_past_close(struct xm_past *past)
{
    if (!past)
        return;
    for (size_t i = 0; i < 3; i++)
        xm_sample_fini(&past->sample[i]);
    xm_region_close(past->region);
    free(past);
}

/*
 * So long before `window`, as host.window counts; 0: before the trace.  Samples do not come to the
 * microsecond: half of their interval more makes it the nearest one that is found.
 */
static uint64_t back_by(const struct xm_past *p, enum xm_series series, uint64_t window, uint64_t ns)
{
    const struct xm_scale *scale = &p->snapshot->scale;
    uint64_t cycles = xm_scale_to_cycles(scale, xm_ns_of(ns)).v;
    uint64_t half = xm_scale_to_cycles(scale, xm_ns_of(p->info.series[series].interval_ns / 2)).v;
    return window > cycles ? window - cycles + half : 0;
}

/* ---- Windows. */

/* Both ends out of one series.  *whole: all of the time that was asked for is in it. */
static enum xm_status ends_of(struct xm_past *p, enum xm_series series, uint64_t ns, struct xm_window *w,
                              uint64_t *first, uint64_t *last, bool *whole, struct xm_error *err)
{
    struct xm_region_info info;
    enum xm_region_outcome outcome = xm_region_info(p->region, &info);
    if (outcome != XM_REGION_OK || info.series[series].newest == UINT64_MAX)
        return not_now(outcome == XM_REGION_OK ? XM_REGION_RETRY : outcome, err);
    *last = info.series[series].newest;
    outcome = xm_region_rows(p->region, series, *last, ALL_ROWS, &p->sample[1]);
    if (outcome != XM_REGION_OK)
        return not_now(outcome, err);
    *w = (struct xm_window){.to = &p->sample[1], .scale = &p->snapshot->scale, .io_seen = info.io_seen};
    uint64_t target = back_by(p, series, p->sample[1].host.window, ns);
    *whole = true;
    if (target == 0) /* since the trace began */
        return XM_OK;
    outcome = xm_region_find(p->region, series, target, first);
    if (outcome == XM_REGION_OVERRUN)
        *whole = false;
    else if (outcome != XM_REGION_OK)
        return not_now(outcome, err);
    outcome = xm_region_rows(p->region, series, *first, ALL_ROWS, &p->sample[0]);
    if (outcome != XM_REGION_OK)
        return not_now(outcome, err);
    w->from = &p->sample[0];
    return XM_OK;
}

/* The longest wait and the like are kept by interval: those between the ends count too. */
static bool fold_peaks(struct xm_past *p, uint64_t first, uint64_t last)
{
    uint64_t rows = (uint64_t)p->sample[1].used.vcpus + p->sample[1].used.domains + 1;
    if (last <= first || (last - first) * rows > FOLD_ROWS)
        return false;
    for (uint64_t i = first + 1; i < last; i++) {
        if (xm_region_rows(p->region, XM_SERIES_FAST, i, ALL_ROWS, &p->sample[2]) != XM_REGION_OK)
            return false;
        xm_window_peaks(&p->sample[1], &p->sample[2]);
    }
    return true;
}

enum xm_status xm_past_window(struct xm_past *p, uint64_t ns, struct xm_shape_window *w, struct xm_error *err)
{
    uint64_t first = 0, last = 0;
    bool whole = false;
    w->waits = -1;
    w->coarse = false;
    enum xm_status status = ends_of(p, XM_SERIES_FAST, ns, &w->window, &first, &last, &whole, err);
    if (status != XM_OK)
        return status;
    if (whole) {
        w->no_peaks = !w->window.from || !fold_peaks(p, first, last);
        return XM_OK;
    }
    w->coarse = true;
    w->no_peaks = true;
    return ends_of(p, XM_SERIES_SLOW, ns, &w->window, &first, &last, &whole, err);
}

/* ---- Values over time. */

/* One series that is being made: of the domain in `slot`, one array for each metric. */
struct line {
    uint64_t id;
    uint32_t slot;
    json_t *values[XM_PAST_METRICS]; /* borrowed of the document */
};

struct walk {
    struct xm_past *past;
    const struct xm_shape *shape;
    const struct xm_past_question *question;
    enum xm_series series;
    struct line *line;
    size_t lines;
    uint64_t step_ns, from_ns, to_ns;
    uint64_t newest_real_ns, newest_window;
    size_t points;
    bool peaks;       /* a metric is asked for that is kept by interval: what lies between is read too */
    uint64_t held[2]; /* index of the sample in past->sample[0], [1]; UINT64_MAX: none */
};

static enum xm_status check(struct walk *w, struct xm_error *err)
{
    const struct xm_past_question *q = w->question;
    const struct xm_sample *now = w->shape->snapshot->window[0].to;
    uint64_t rows = (uint64_t)now->used.domains + now->used.vcpus;
    if (q->from_ns >= q->to_ns)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "'from' must be before 'to'");
    uint64_t span = q->to_ns - q->from_ns;
    w->step_ns = q->step_ns;
    if (!w->step_ns)
        w->step_ns = ((span - 1) / (POINTS_UNASKED * NS_PER_S) + 1) * NS_PER_S;
    if (w->step_ns < XM_PAST_STEP_MIN_NS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a step must be at least 100ms");
    uint64_t points = (span - 1) / w->step_ns + 1; /* both may be near what 64 bits hold */
    if (points > XM_PAST_POINTS)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%" PRIu64 " steps, and at most %u: ask for longer steps",
                       points, XM_PAST_POINTS);
    uint64_t reads = points;
    for (size_t m = 0; m < q->metrics; m++)
        w->peaks |= w->shape->fields.field[q->metric[m]].series == XM_FIELD_PEAK;
    if (w->peaks && w->past->info.series[XM_SERIES_FAST].interval_ns)
        reads += span / w->past->info.series[XM_SERIES_FAST].interval_ns;
    if (points * w->lines * q->metrics > XM_PAST_VALUES || reads * rows > XM_PAST_ROWS)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET,
                       "%" PRIu64
                       " steps of %zu domains are too many: ask for longer steps, or for one domain",
                       points, w->lines);
    w->points = (size_t)points;
    w->from_ns = q->from_ns;
    w->to_ns = q->to_ns;
    return XM_OK;
}

/* Which samples know all that is asked for: the slow ones reach further back. */
static enum xm_status choose_series(struct walk *w, struct xm_error *err)
{
    struct xm_past *p = w->past;
    struct xm_host_row host;
    bool fast = w->step_ns < p->info.series[XM_SERIES_SLOW].interval_ns ||
                p->info.series[XM_SERIES_SLOW].newest == UINT64_MAX;
    for (size_t m = 0; m < w->question->metrics; m++)
        fast |= w->shape->fields.field[w->question->metric[m]].series < XM_FIELD_SLOW_DOMAIN;
    w->series = fast ? XM_SERIES_FAST : XM_SERIES_SLOW;
    enum xm_region_outcome outcome =
        xm_region_host(p->region, w->series, p->info.series[w->series].newest, &host);
    if (outcome != XM_REGION_OK)
        return not_now(outcome, err);
    w->newest_real_ns = host.real;
    w->newest_window = host.window;
    return XM_OK;
}

/* The newest sample that is not after an instant; false: the region has none. */
static bool sample_at(struct walk *w, uint64_t real_ns, uint64_t *index)
{
    uint64_t window = w->newest_window;
    if (real_ns < w->newest_real_ns)
        window = back_by(w->past, w->series, window, w->newest_real_ns - real_ns);
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
    if (xm_region_rows(w->past->region, w->series, index, DOMAIN_ROWS, &w->past->sample[at]) != XM_REGION_OK)
        return -1;
    w->held[at] = index;
    return at;
}

/* What happened between two samples, or null where that is not known. */
static bool add_values(struct walk *w, const struct xm_window *window, bool no_peaks)
{
    bool coarse = w->series == XM_SERIES_SLOW;
    bool good = true;
    for (size_t i = 0; i < w->lines && good; i++) {
        struct line *line = &w->line[i];
        struct xm_usage u;
        bool there = window->to && line->slot < window->to->used.domains &&
                     window->to->domain[line->slot].id == line->id && xm_usage_domain(window, line->slot, &u);
        struct xm_usage_of of = {&u, .vcpu = false, .coarse = coarse, .no_peaks = no_peaks};
        for (size_t m = 0; m < w->question->metrics && good; m++) {
            double value;
            bool known = there && xm_field_value(&w->shape->fields, w->question->metric[m], &of, &value);
            good = json_array_append_new(line->values[m], known ? json_real(value) : json_null()) == 0;
        }
    }
    return good;
}

/* The peaks of the samples within a step, into the one at its end; false: one of them could not be read. */
static bool fold_between(struct walk *w, uint64_t first, uint64_t last, int to)
{
    struct xm_past *p = w->past;
    for (uint64_t i = first + 1; i < last; i++) {
        if (xm_region_rows(p->region, w->series, i, DOMAIN_ROWS, &p->sample[2]) != XM_REGION_OK)
            return false;
        xm_window_peaks(&p->sample[to], &p->sample[2]);
    }
    return true;
}

/*
 * One step: between the samples at its two ends.  Where both are the same one, as when steps are as long as
 * the series' interval and the two drift, it is the interval that the sample ends.
 */
static bool add_step(struct walk *w, uint64_t begin_ns, uint64_t end_ns)
{
    struct xm_window window = {.scale = &w->past->snapshot->scale, .io_seen = w->past->info.io_seen};
    uint64_t first, last;
    if (!sample_at(w, end_ns, &last) || !sample_at(w, begin_ns, &first))
        return add_values(w, &window, true);
    if (first >= last)
        first = last ? last - 1 : 0;
    int from = hold(w, first, -1);
    int to = from < 0 || first == last ? -1 : hold(w, last, from);
    if (to >= 0) {
        window.from = &w->past->sample[from];
        window.to = &w->past->sample[to];
    }
    bool folded = to >= 0 && w->peaks && fold_between(w, first, last, to);
    bool good = add_values(w, &window, !folded);
    if (folded && last - first != 1)
        w->held[to] = UINT64_MAX; /* it has more than its own interval's peaks now */
    return good;
}

static bool add_line(struct walk *w, json_t *domains, uint32_t slot)
{
    const struct xm_host_snapshot *s = w->shape->snapshot;
    const struct xm_region_domain *fact = &s->domain[slot].fact;
    struct line *line = &w->line[w->lines++];
    line->id = s->window[0].to->domain[slot].id;
    line->slot = slot;
    json_t *domain = json_object();
    json_t *values = json_object();
    bool good = xm_json_put(domain, "domid", json_integer(xm_row_domid(line->id)));
    good &= xm_json_put(domain, "instance", json_integer(xm_row_instance(line->id)));
    good &= xm_json_put(domain, "name", xm_json_name(fact->id == line->id ? fact->name : ""));
    good &= xm_json_put(domain, "values", values);
    for (size_t m = 0; m < w->question->metrics && good; m++) {
        line->values[m] = json_array();
        good = xm_json_put(values, w->shape->fields.field[w->question->metric[m]].id, line->values[m]);
    }
    return json_array_append_new(domains, domain) == 0 && good;
}

static enum xm_status add_lines(struct walk *w, json_t *domains, struct xm_error *err)
{
    const struct xm_host_snapshot *s = w->shape->snapshot;
    const struct xm_sample *now = s->window[0].to;
    struct xm_place *places = calloc((size_t)now->used.domains + 1, sizeof *places);
    w->line = calloc((size_t)now->used.domains + 1, sizeof *w->line);
    bool good = places && w->line && domains;
    size_t count = good && w->question->all ? xm_order_domains(now, places) : 0;
    for (size_t i = 0; i < count && good; i++)
        if (!s->domain[places[i].slot].expired)
            good = add_line(w, domains, places[i].slot);
    if (good && !w->question->all)
        good = add_line(w, domains, w->question->slot);
    free(places);
    return good ? XM_OK : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
}

static bool add_steps(struct walk *w, json_t *times)
{
    bool good = times != NULL;
    for (size_t i = 0; i < w->points && good; i++) {
        uint64_t begin = w->from_ns + i * w->step_ns;
        uint64_t end = w->to_ns - begin < w->step_ns ? w->to_ns : begin + w->step_ns;
        good = json_array_append_new(times, xm_json_seconds(end)) == 0 && add_step(w, begin, end);
    }
    return good;
}

static bool put_question(const struct walk *w, json_t *document)
{
    json_t *metrics = json_array();
    bool good = xm_json_put(document, "from", xm_json_time(w->from_ns));
    good &= xm_json_put(document, "to", xm_json_time(w->to_ns));
    good &= xm_json_put(document, "step_s", xm_json_seconds(w->step_ns));
    good &= xm_json_put(document, "series", json_string(w->series == XM_SERIES_FAST ? "fast" : "slow"));
    good &= xm_json_put(document, "metrics", metrics);
    for (size_t m = 0; m < w->question->metrics && good; m++)
        good = json_array_append_new(metrics,
                                     json_string(w->shape->fields.field[w->question->metric[m]].id)) == 0;
    return good;
}

enum xm_status xm_past_history(struct xm_past *past, const struct xm_shape *shape,
                               const struct xm_past_question *question, json_t *document,
                               struct xm_error *err)
{
    struct walk w = {.past = past, .shape = shape, .question = question, .held = {UINT64_MAX, UINT64_MAX}};
    json_t *domains = json_array();
    json_t *times = json_array();
    enum xm_status status = add_lines(&w, domains, err);
    if (status == XM_OK)
        status = check(&w, err);
    if (status == XM_OK)
        status = choose_series(&w, err);
    bool good = status == XM_OK && put_question(&w, document) && add_steps(&w, times);
    free(w.line);
    if (!good) {
        json_decref(times);
        json_decref(domains);
        return status != XM_OK ? status : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    good = xm_json_put(document, "times_s", times);
    good &= xm_json_put(document, "domains", domains);
    return good ? XM_OK : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
}
