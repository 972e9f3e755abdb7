/* SPDX-License-Identifier: MIT */
#include "export/answers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "export/called.h"
#include "export/past.h"
#include "export/query.h"
#include "export/shapes.h"
#include "view/format.h"

#define WINDOWS_UNASKED    "exec,1s,10s"
#define STATES_UNASKED     "running_ratio,wait_ratio,blocked_ratio,offline_ratio,unknown_ratio"
#define HISTORY_UNASKED_NS (UINT64_C(300) * 1000000000u)

static json_t *refuse(struct xm_refusal *refusal, unsigned status, const char *code, const char *format, ...)
    XM_PRINTF(4, 5);
static json_t *refuse(struct xm_refusal *refusal, unsigned status, const char *code, const char *format, ...)
{
    va_list arguments;
    refusal->status = status;
    refusal->code = code;
    va_start(arguments, format);
    vsnprintf(refusal->text, sizeof refusal->text, format, arguments);
    va_end(arguments);
    return NULL;
}

/* A text of the client's, cut and made fit to be shown back. */
static const char *quoted(const char *text, char fit[48])
{
    return xm_format_name(text, strlen(text), fit, 48);
}

static json_t *finished(json_t *document, bool good, struct xm_refusal *refusal)
{
    if (good)
        return document;
    json_decref(document);
    return refuse(refusal, 500, "out_of_memory", "out of memory");
}

/* ---- Windows. */

struct answer {
    struct xm_shape shape;
    struct xm_past *past; /* NULL until a window asks for it */
};

static void answer_end(struct answer *a)
{
    xm_past_close(a->past);
}

static bool has_data(const struct xm_ask *ask, struct xm_refusal *refusal)
{
    const struct xm_host_snapshot *s = ask->snapshot;
    if (s->data)
        return true;
    refuse(refusal, 503, "no_data", "there is no data: %s",
           *s->reason ? s->reason : xm_host_state_name(s->state));
    return false;
}

static bool open_past(const struct xm_ask *ask, struct answer *a, struct xm_refusal *refusal)
{
    struct xm_error err = {0};
    enum xm_status status = xm_past_open(ask->snapshot, ask->path, &a->past, &err);
    if (status == XM_NOMEM)
        refuse(refusal, 500, "out_of_memory", "out of memory");
    else if (status != XM_OK)
        refuse(refusal, 503, "no_data", "%s", err.text);
    return status == XM_OK;
}

static bool bad_window(const char *name, struct xm_refusal *refusal)
{
    char fit[48];
    refuse(refusal, 400, "bad_window", "'%s' is no window: exec, 1s, 10s, or one duration of 100ms to 1d",
           quoted(name, fit));
    return false;
}

/* A window that the snapshot does not have: read from the region. */
static bool add_past_window(const struct xm_ask *ask, struct answer *a, const char *name,
                            struct xm_refusal *refusal)
{
    struct xm_shape_window *w = &a->shape.window[a->shape.windows];
    struct xm_error err = {0};
    uint64_t ns;
    if (!xm_query_duration(name, &ns) || ns < XM_PAST_WINDOW_MIN_NS || ns > XM_PAST_WINDOW_MAX_NS || a->past)
        return bad_window(name, refusal);
    if (!open_past(ask, a, refusal))
        return false;
    *w = (struct xm_shape_window){0};
    if (xm_past_window(a->past, ns, w, &err) != XM_OK) {
        refuse(refusal, 503, "no_data", "%s", err.text);
        return false;
    }
    snprintf(w->name, sizeof w->name, "%s", name);
    a->shape.windows++;
    return true;
}

static bool answer_begin(const struct xm_ask *ask, const char *windows, struct answer *a,
                         struct xm_refusal *refusal)
{
    char name[24];
    *a = (struct answer){0};
    if (!has_data(ask, refusal))
        return false;
    xm_shape_init(&a->shape, ask->snapshot, ask->hostname);
    while (xm_query_next(&windows, name, sizeof name)) {
        bool known = a->shape.windows < XM_SHAPE_WINDOWS;
        for (size_t i = 0; i < a->shape.windows; i++)
            known &= strcmp(a->shape.window[i].name, name) != 0; /* the same twice */
        if (!known ? bad_window(name, refusal)
                   : xm_shape_add_window(&a->shape, name) || add_past_window(ask, a, name, refusal))
            continue;
        answer_end(a);
        return false;
    }
    return true;
}

static const char *or_all(const char *windows)
{
    return windows ? windows : WINDOWS_UNASKED;
}

/* ---- Lists. */

json_t *xm_answer_host(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal)
{
    struct answer a;
    if (!answer_begin(ask, or_all(windows), &a, refusal))
        return NULL;
    json_t *document = xm_shape_document(&a.shape);
    bool good = xm_json_put(document, "host", xm_shape_host(&a.shape));
    good &= xm_json_put(document, "quality", xm_shape_quality(&a.shape));
    good &= xm_json_put(document, "windows", xm_shape_host_windows(&a.shape));
    answer_end(&a);
    return finished(document, good, refusal);
}

json_t *xm_answer_domains(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal)
{
    struct answer a;
    if (!answer_begin(ask, or_all(windows), &a, refusal))
        return NULL;
    json_t *document = xm_shape_document(&a.shape);
    bool good = xm_json_put(document, "domains", xm_shape_domains(&a.shape));
    answer_end(&a);
    return finished(document, good, refusal);
}

json_t *xm_answer_cpus(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal)
{
    struct answer a;
    if (!answer_begin(ask, or_all(windows), &a, refusal))
        return NULL;
    json_t *document = xm_shape_document(&a.shape);
    bool good = xm_json_put(document, "cpus", xm_shape_cpus(&a.shape));
    answer_end(&a);
    return finished(document, good, refusal);
}

json_t *xm_answer_windows(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal)
{
    struct answer a;
    if (!answer_begin(ask, windows ? windows : "1s", &a, refusal))
        return NULL;
    json_t *document = xm_shape_document(&a.shape);
    bool good = xm_json_put(document, "host", xm_shape_host(&a.shape));
    good &= xm_json_put(document, "quality", xm_shape_quality(&a.shape));
    good &= xm_json_put(document, "windows", xm_shape_host_windows(&a.shape));
    good &= xm_json_put(document, "cpus", xm_shape_cpus(&a.shape));
    good &= xm_json_put(document, "domains", xm_shape_domains(&a.shape));
    answer_end(&a);
    return finished(document, good, refusal);
}

/* ---- One domain. */

static bool find_domain(const struct xm_shape *shape, const char *domid, uint32_t *slot,
                        struct xm_refusal *refusal)
{
    char fit[48];
    uint64_t id;
    if (!xm_query_count(domid, XM_SHAPE_DOMID_MAX, &id)) {
        refuse(refusal, 400, "bad_domid", "'%s' is no domain id: a number up to %u", quoted(domid, fit),
               XM_SHAPE_DOMID_MAX);
        return false;
    }
    if (!xm_shape_find(shape, (uint32_t)id, slot)) {
        refuse(refusal, 404, "no_such_domain", "there is no domain %u", (unsigned)id);
        return false;
    }
    return true;
}

/* `detail`: the domain itself, else its vCPUs. */
static json_t *of_domain(const struct xm_ask *ask, const char *domid, const char *windows, bool detail,
                         struct xm_refusal *refusal)
{
    struct answer a;
    uint32_t slot;
    if (!answer_begin(ask, or_all(windows), &a, refusal))
        return NULL;
    if (!find_domain(&a.shape, domid ? domid : "", &slot, refusal)) {
        answer_end(&a);
        return NULL;
    }
    json_t *document = xm_shape_document(&a.shape);
    bool good = true;
    if (detail) {
        good = xm_json_put(document, "domain", xm_shape_domain(&a.shape, slot, true));
    } else {
        uint64_t id = ask->snapshot->window[0].to->domain[slot].id;
        good = xm_json_put(document, "domid", json_integer(xm_row_domid(id)));
        good &= xm_json_put(document, "instance", json_integer(xm_row_instance(id)));
        good &= xm_json_put(document, "vcpus", xm_shape_vcpus(&a.shape, slot));
    }
    answer_end(&a);
    return finished(document, good, refusal);
}

json_t *xm_answer_domain(const struct xm_ask *ask, const char *domid, const char *windows,
                         struct xm_refusal *refusal)
{
    return of_domain(ask, domid, windows, true, refusal);
}

json_t *xm_answer_vcpus(const struct xm_ask *ask, const char *domid, const char *windows,
                        struct xm_refusal *refusal)
{
    return of_domain(ask, domid, windows, false, refusal);
}

/* ---- What the program and its numbers are. */

json_t *xm_answer_version(const struct xm_ask *ask, struct xm_refusal *refusal)
{
    const struct xm_host_snapshot *s = ask->snapshot;
    struct xm_shape shape;
    char text[40];
    xm_shape_init(&shape, s, ask->hostname);
    json_t *document = xm_shape_document(&shape);
    bool good = xm_json_put(document, "program", json_string("xenmon-serve"));
    good &= xm_json_put(document, "version", json_string(ask->version));
    good &= xm_json_put(document, "api", json_string("v1"));
    json_t *region = json_null();
    if (s->data) {
        region = json_object();
        snprintf(text, sizeof text, "%u.%u", s->info.version >> 16, s->info.version & 0xffff);
        good &= xm_json_put(region, "version", json_string(text));
        snprintf(text, sizeof text, "%016llx", (unsigned long long)s->info.lineage_id);
        good &= xm_json_put(region, "run", json_string(text));
        good &= xm_json_put(region, "writer_pid", json_integer(s->info.writer_pid));
    }
    good &= xm_json_put(document, "region", region);
    return finished(document, good, refusal);
}

static json_t *field_json(const struct xm_fields *fields, size_t i)
{
    const struct xm_field *f = &fields->field[i];
    json_t *path = json_array();
    json_t *metric = json_object();
    bool good = xm_json_put(metric, "id", json_string(f->id));
    good &= xm_json_put(metric, "path", path);
    if (good && f->group)
        good = json_array_append_new(path, json_string(f->group)) == 0;
    good = good && json_array_append_new(path, json_string(f->key)) == 0;
    good &= xm_json_put(metric, "unit", json_string(xm_field_unit(fields, i)));
    good &= xm_json_put(metric, "of_vcpus", json_boolean(!f->of_domain));
    good &= xm_json_put(metric, "series", json_string(f->series >= XM_FIELD_SLOW_DOMAIN ? "slow" : "fast"));
    good &= xm_json_put(metric, "help", json_string(xm_field_help(fields, i)));
    if (good)
        return metric;
    json_decref(metric);
    return NULL;
}

static json_t *counter_json(const struct xm_metric *m)
{
    json_t *counter = json_object();
    bool good = xm_json_put(counter, "scope", json_string(xm_scope_name(m->scope)));
    good &= xm_json_put(counter, "name", json_string(m->name));
    good &= xm_json_put(counter, "kind", json_string(xm_kind_name(m->kind)));
    good &= xm_json_put(counter, "unit", json_string(xm_unit_name(m->unit)));
    good &= xm_json_put(counter, "series", json_string(m->slow ? "slow" : "fast"));
    good &= xm_json_put(counter, "help", json_string(m->help));
    if (good)
        return counter;
    json_decref(counter);
    return NULL;
}

json_t *xm_answer_metrics(const struct xm_ask *ask, struct xm_refusal *refusal)
{
    struct xm_shape shape;
    size_t count;
    const struct xm_metric *metric = xm_metrics(&count);
    xm_shape_init(&shape, ask->snapshot, ask->hostname);
    json_t *document = xm_shape_document(&shape);
    json_t *metrics = json_array();
    json_t *counters = json_array();
    bool good = xm_json_put(document, "metrics", metrics);
    good &= xm_json_put(document, "counters", counters);
    for (size_t i = 0; i < shape.fields.count && good; i++)
        good = json_array_append_new(metrics, field_json(&shape.fields, i)) == 0;
    for (size_t i = 0; i < count && good; i++)
        good = json_array_append_new(counters, counter_json(&metric[i])) == 0;
    return finished(document, good, refusal);
}

/* ---- History. */

static bool read_metrics(const struct xm_fields *fields, const char *names, struct xm_past_question *q,
                         struct xm_refusal *refusal)
{
    char name[48], fit[48];
    while (xm_query_next(&names, name, sizeof name)) {
        size_t index = xm_fields_find(fields, name);
        bool twice = false;
        for (size_t i = 0; i < q->metrics; i++)
            twice |= q->metric[i] == index;
        if (index == fields->count)
            refuse(refusal, 400, "bad_metric", "there is no metric '%s'; /api/v1/metrics lists them",
                   quoted(name, fit));
        else if (twice)
            refuse(refusal, 400, "bad_metric", "metric '%s' is there twice", quoted(name, fit));
        else if (q->metrics == XM_PAST_METRICS)
            refuse(refusal, 400, "bad_metric", "more than %u metrics at once", XM_PAST_METRICS);
        if (index == fields->count || twice || q->metrics == XM_PAST_METRICS)
            return false;
        q->metric[q->metrics++] = index;
    }
    return true;
}

static bool bad_time(const char *key, const char *text, struct xm_refusal *refusal)
{
    char fit[48];
    refuse(refusal, 400, "bad_time", "%s: '%s' is no time: RFC 3339, seconds since 1970, 'now', or as '-5m'",
           key, quoted(text, fit));
    return false;
}

/* The newest time that there is: the last sample's, or where there is none the clock's. */
static uint64_t now_of(const struct xm_host_snapshot *s)
{
    return s->data ? s->window[0].to->host.real : s->made_real_ns;
}

/* A number is always an id, and never a name; "" is neither. */
static bool is_number(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

static bool read_domains(const struct xm_history_words *words, struct xm_past_question *q,
                         struct xm_refusal *refusal)
{
    char fit[48];
    uint64_t domid = 0, top = 0;
    if (words->domain && is_number(words->domain) &&
        !xm_query_count(words->domain, XM_SHAPE_DOMID_MAX, &domid)) {
        refuse(refusal, 400, "bad_domid", "'%s' is no domain: a number up to %u, a name or a UUID",
               quoted(words->domain, fit), XM_SHAPE_DOMID_MAX);
        return false;
    }
    if (words->top && (!xm_query_count(words->top, XM_SHAPE_DOMID_MAX, &top) || top == 0)) {
        refuse(refusal, 400, "bad_top", "'%s' is no number of domains: 1 to %u", quoted(words->top, fit),
               XM_SHAPE_DOMID_MAX);
        return false;
    }
    q->all = !words->domain;
    q->domid = (uint32_t)domid;
    q->top = (size_t)top;
    return true;
}

static bool read_question(const struct xm_shape *shape, const struct xm_history_words *words,
                          struct xm_past_question *q, struct xm_refusal *refusal)
{
    char fit[48];
    uint64_t now_ns = now_of(shape->snapshot);
    *q = (struct xm_past_question){.to_ns = now_ns};
    if (!read_domains(words, q, refusal) ||
        !read_metrics(&shape->fields, words->metric ? words->metric : STATES_UNASKED, q, refusal))
        return false;
    if (words->to && !xm_query_time(words->to, now_ns, &q->to_ns))
        return bad_time("to", words->to, refusal);
    q->from_ns = q->to_ns > HISTORY_UNASKED_NS ? q->to_ns - HISTORY_UNASKED_NS : 0;
    if (words->from && !xm_query_time(words->from, now_ns, &q->from_ns))
        return bad_time("from", words->from, refusal);
    if (words->step && (!xm_query_duration(words->step, &q->step_ns) || q->step_ns < XM_PAST_STEP_MIN_NS)) {
        refuse(refusal, 400, "bad_step", "'%s' is no step: a duration of 100ms at least",
               quoted(words->step, fit));
        return false;
    }
    return true;
}

/* Dear answers are made a few at a time. */
static bool has_turn(const struct xm_ask *ask, struct xm_refusal *refusal)
{
    if (ask->until_ns && xm_clock_ns() > ask->until_ns) {
        refuse(refusal, 503, "busy", "the answers before this one took too long: ask for it in another call");
        return false;
    }
    if (!ask->turn || ask->turn(ask->turn_user))
        return true;
    refuse(refusal, 503, "busy", "other questions of this kind are being answered: try again");
    return false;
}

/* A domain by another word than its id becomes that id. */
static enum xm_status find_called(const struct xm_ask *ask, const char *text, struct xm_past_question *q,
                                  struct xm_error *err)
{
    char fit[48];
    if (!text || is_number(text) || xm_called_now(ask->snapshot, text, &q->domid))
        return XM_OK;
    enum xm_status status = ask->history ? xm_called_before(ask->history, text, &q->domid, err) : XM_END;
    if (status == XM_END)
        return xm_fail(err, XM_END, XM_NO_OFFSET, "there is no domain '%s'", quoted(text, fit));
    return status;
}

/* Why there are no values, in the API's words. */
static json_t *refuse_history(enum xm_status status, const struct xm_error *err, struct xm_refusal *refusal)
{
    if (status == XM_END)
        return refuse(refusal, 404, "no_such_domain", "%s", err->text);
    if (status == XM_INVALID)
        return refuse(refusal, 400, "bad_range", "%s", err->text);
    if (status == XM_LIMIT)
        return refuse(refusal, 400, "too_much", "%s", err->text);
    if (status == XM_AGAIN)
        return refuse(refusal, 503, "no_data", "%s", err->text);
    return refuse(refusal, 500, "out_of_memory", "out of memory");
}

json_t *xm_answer_history(const struct xm_ask *ask, const struct xm_history_words *words,
                          struct xm_refusal *refusal)
{
    struct answer a = {0};
    struct xm_past_question q;
    struct xm_error err = {0};
    if (!ask->history && !has_data(ask, refusal))
        return NULL;
    xm_shape_init(&a.shape, ask->snapshot, ask->hostname);
    if (!read_question(&a.shape, words, &q, refusal) || !has_turn(ask, refusal) ||
        (ask->snapshot->data && !open_past(ask, &a, refusal)))
        return NULL;
    json_t *document = xm_shape_document(&a.shape);
    enum xm_status status = document ? find_called(ask, words->domain, &q, &err) : XM_NOMEM;
    if (status == XM_OK)
        status = xm_past_history(a.past, ask->history, &a.shape, &q, document, &err);
    answer_end(&a);
    if (status == XM_OK)
        return document;
    json_decref(document);
    return refuse_history(status, &err, refusal);
}

static json_t *range_json(const char *series, const struct xm_past_range *r, const char *reason)
{
    uint64_t span_ns = r->to_ns - r->from_ns;
    double coverage = span_ns ? (double)r->known_ns / (double)span_ns : 0;
    json_t *range = json_object();
    bool good = xm_json_put(range, "series", json_string(series));
    good &= xm_json_put(range, "from", xm_json_time(r->from_ns));
    good &= xm_json_put(range, "to", xm_json_time(r->to_ns));
    good &= xm_json_put(range, "step_s", r->step_ns ? xm_json_seconds(r->step_ns) : json_null());
    good &= xm_json_put(range, "samples", json_integer((json_int_t)r->samples));
    good &= xm_json_put(range, "coverage_ratio", json_real(coverage < 1 ? coverage : 1));
    good &= xm_json_put(range, "reason", *reason ? xm_json_name(reason) : json_null());
    if (good)
        return range;
    json_decref(range);
    return NULL;
}

static json_t *region_range(struct answer *a, enum xm_series series, const char *reason)
{
    struct xm_past_range range = {0};
    struct xm_error err = {0};
    if (a->past && xm_past_region_range(a->past, series, &range, &err) != XM_OK)
        reason = err.text;
    return range_json(series == XM_SERIES_FAST ? "fast" : "slow", &range, reason);
}

static json_t *durable_range(const struct xm_ask *ask, json_t *runs)
{
    struct xm_past_range range = {0};
    struct xm_error err = {0};
    if (!ask->history)
        return range_json("durable", &range, "the server was not told of a durable history");
    if (xm_past_durable_range(ask->history, &range, runs, &err) != XM_OK)
        range = (struct xm_past_range){0};
    return range_json("durable", &range, err.text);
}

json_t *xm_answer_ranges(const struct xm_ask *ask, struct xm_refusal *refusal)
{
    struct answer a = {0};
    struct xm_refusal why = {.text = ""};
    if (ask->history && !has_turn(ask, refusal))
        return NULL;
    xm_shape_init(&a.shape, ask->snapshot, ask->hostname);
    if (has_data(ask, &why))
        (void)open_past(ask, &a, &why);
    json_t *document = xm_shape_document(&a.shape);
    json_t *ranges = json_array();
    json_t *runs = json_array();
    bool good = xm_json_put(document, "ranges", ranges);
    good &= xm_json_put(document, "runs", runs);
    good = good && json_array_append_new(ranges, region_range(&a, XM_SERIES_FAST, why.text)) == 0;
    good = good && json_array_append_new(ranges, region_range(&a, XM_SERIES_SLOW, why.text)) == 0;
    good = good && json_array_append_new(ranges, durable_range(ask, runs)) == 0;
    answer_end(&a);
    return finished(document, good, refusal);
}
