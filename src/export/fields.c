/* SPDX-License-Identifier: MIT */
#include "export/fields.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "view/format.h"

#define NS_PER_S   1e9
#define NAME_BYTES 256u

static void share(uint64_t part, const struct xm_usage *u, struct xm_cell *cell)
{
    *cell = (struct xm_cell){.type = XM_COL_PERCENT, .known = u->span_ns != 0};
    if (u->span_ns)
        cell->value = 100 * (double)part / (double)u->span_ns;
}

static void get_offline_share(const struct xm_usage *u, struct xm_cell *cell)
{
    share(u->offline_ns, u, cell);
}

static void get_unknown_share(const struct xm_usage *u, struct xm_cell *cell)
{
    share(u->unknown_ns, u, cell);
}

#define PEAK   XM_FIELD_PEAK
#define FAST   XM_FIELD_FAST
#define SLOW   XM_FIELD_SLOW
#define SLOW_D XM_FIELD_SLOW_DOMAIN
#define ALL    false
#define DOMAIN true

static const struct xm_field table[] = {
    {"running_s", NULL, "running_s", "running_ns", NULL, NULL, SLOW, ALL},
    {"wait_s", NULL, "wait_s", "runnable_ns", NULL, NULL, SLOW, ALL},
    {"blocked_s", NULL, "blocked_s", "blocked_ns", NULL, NULL, SLOW, ALL},
    {"offline_s", NULL, "offline_s", "offline_ns", NULL, NULL, SLOW, ALL},
    {"unknown_s", NULL, "unknown_s", "unknown_ns", NULL, NULL, SLOW, ALL},
    {"running_ratio", NULL, "running_ratio", "running_of_vcpus_pct", NULL, NULL, SLOW, ALL},
    {"wait_ratio", NULL, "wait_ratio", "runnable_of_vcpus_pct", NULL, NULL, SLOW, ALL},
    {"blocked_ratio", NULL, "blocked_ratio", "blocked_of_vcpus_pct", NULL, NULL, SLOW, ALL},
    {"offline_ratio", NULL, "offline_ratio", NULL, get_offline_share, "time offline, of vCPUs x window", SLOW,
     ALL},
    {"unknown_ratio", NULL, "unknown_ratio", NULL, get_unknown_share, "unknown time, of vCPUs x window", SLOW,
     ALL},
    {"wait_any_s", NULL, "wait_any_s", "wait_any_ns", NULL, NULL, SLOW_D, DOMAIN},
    {"wait_any_ratio", NULL, "wait_any_ratio", "wait_any_pct", NULL, NULL, SLOW_D, DOMAIN},
    {"wait_max_s", NULL, "wait_max_s", "wait_max_ns", NULL, NULL, PEAK, ALL},
    {"wait_after_wake_s", "wait_by_cause_s", "wake", "wait_after_wake_ns", NULL, NULL, FAST, ALL},
    {"wait_after_preemption_s", "wait_by_cause_s", "preemption", "wait_after_preemption_ns", NULL, NULL, FAST,
     ALL},
    {"wait_other_s", "wait_by_cause_s", "other", "wait_other_ns", NULL, NULL, FAST, ALL},
    {"executions", NULL, "executions", "executions", NULL, NULL, SLOW_D, ALL},
    {"executions_per_s", NULL, "executions_per_s", "executions_per_s", NULL, NULL, SLOW_D, ALL},
    {"run_per_exec_s", NULL, "run_per_exec_s", "running_per_execution_ns", NULL, NULL, SLOW_D, ALL},
    {"wait_per_exec_s", NULL, "wait_per_exec_s", "runnable_per_execution_ns", NULL, NULL, SLOW_D, ALL},
    {"blocked_per_exec_s", NULL, "blocked_per_exec_s", "blocked_per_execution_ns", NULL, NULL, SLOW_D, ALL},
    {"migrations", NULL, "migrations", "migrations", NULL, NULL, FAST, ALL},
    {"preemptions", NULL, "preemptions", "preemptions", NULL, NULL, FAST, ALL},
    {"yields", NULL, "yields", "yields", NULL, NULL, FAST, ALL},
    {"alloc_count", "alloc_s", "count", "allocated_count", NULL, NULL, FAST, ALL},
    {"alloc_avg_s", "alloc_s", "avg", "allocated_avg_ns", NULL, NULL, FAST, ALL},
    {"alloc_min_s", "alloc_s", "min", "allocated_min_ns", NULL, NULL, PEAK, ALL},
    {"alloc_max_s", "alloc_s", "max", "allocated_max_ns", NULL, NULL, PEAK, ALL},
    {"io_count", "io", "count", "io_count", NULL, NULL, FAST, DOMAIN},
    {"io_per_s", "io", "per_s", "io_per_s", NULL, NULL, FAST, DOMAIN},
    {"io_per_exec", "io", "per_exec", "io_per_execution", NULL, NULL, FAST, DOMAIN},
    {"blocked_per_io_s", NULL, "blocked_per_io_s", "blocked_per_io_ns", NULL, NULL, FAST, DOMAIN},
    {"page_transfers", "io", "page_transfers", "page_transfers", NULL, NULL, SLOW_D, DOMAIN},
    {"grant_maps", "io", "grant_maps", "grant_maps", NULL, NULL, SLOW_D, DOMAIN},
    {"grant_unmaps", "io", "grant_unmaps", "grant_unmaps", NULL, NULL, SLOW_D, DOMAIN},
    {"grant_copies_issued", "io", "grant_copies_issued", "grant_copies_issued", NULL, NULL, FAST, DOMAIN},
    {"done_page_transfers", "io_done", "page_transfers", "done_page_transfers", NULL, NULL, FAST, DOMAIN},
    {"done_grant_maps", "io_done", "grant_maps", "done_grant_maps", NULL, NULL, FAST, DOMAIN},
    {"done_grant_unmaps", "io_done", "grant_unmaps", "done_grant_unmaps", NULL, NULL, FAST, DOMAIN},
    {"net_received_bytes", "net", "received_bytes", "net_received_bytes", NULL, NULL, FAST, DOMAIN},
    {"net_sent_bytes", "net", "sent_bytes", "net_sent_bytes", NULL, NULL, FAST, DOMAIN},
    {"net_received_packets", "net", "received_packets", "net_received_packets", NULL, NULL, FAST, DOMAIN},
    {"net_sent_packets", "net", "sent_packets", "net_sent_packets", NULL, NULL, FAST, DOMAIN},
    {"net_received_bytes_per_s", "net", "received_bytes_per_s", "net_received_bytes_per_s", NULL, NULL, FAST,
     DOMAIN},
    {"net_sent_bytes_per_s", "net", "sent_bytes_per_s", "net_sent_bytes_per_s", NULL, NULL, FAST, DOMAIN},
    {"disk_reads", "disk", "reads", "disk_reads", NULL, NULL, FAST, DOMAIN},
    {"disk_writes", "disk", "writes", "disk_writes", NULL, NULL, FAST, DOMAIN},
    {"disk_read_bytes", "disk", "read_bytes", "disk_read_bytes", NULL, NULL, FAST, DOMAIN},
    {"disk_write_bytes", "disk", "write_bytes", "disk_write_bytes", NULL, NULL, FAST, DOMAIN},
    {"disk_read_bytes_per_s", "disk", "read_bytes_per_s", "disk_read_bytes_per_s", NULL, NULL, FAST, DOMAIN},
    {"disk_write_bytes_per_s", "disk", "write_bytes_per_s", "disk_write_bytes_per_s", NULL, NULL, FAST,
     DOMAIN},
};
#define FIELDS (sizeof table / sizeof table[0])
_Static_assert(FIELDS <= XM_FIELDS, "room for every field");

void xm_fields_init(struct xm_fields *fields)
{
    *fields = (struct xm_fields){.count = FIELDS, .field = table};
    for (size_t i = 0; i < FIELDS; i++) {
        fields->column[i] = table[i].column ? xm_column_find(table[i].column) : NULL;
        XM_ASSERT(fields->column[i] || table[i].get);
    }
}

size_t xm_fields_find(const struct xm_fields *fields, const char *id)
{
    size_t i = 0;
    while (i < fields->count && strcmp(fields->field[i].id, id) != 0)
        i++;
    return i;
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* What a column's value is multiplied by. */
static double factor_of(const struct xm_column *column, enum xm_column_type type)
{
    if (type == XM_COL_PERCENT)
        return 0.01;
    return column && ends_in(column->id, "_ns") ? 1 / NS_PER_S : 1;
}

const char *xm_field_unit(const struct xm_fields *fields, size_t index)
{
    const struct xm_column *column = fields->column[index];
    if (!column || column->type == XM_COL_PERCENT)
        return "ratio";
    if (ends_in(column->id, "_ns"))
        return "seconds";
    bool bytes = strstr(column->id, "_bytes") != NULL;
    if (column->type == XM_COL_RATE)
        return bytes ? "bytes_per_second" : "per_second";
    return bytes ? "bytes" : "count";
}

const char *xm_field_help(const struct xm_fields *fields, size_t index)
{
    return fields->field[index].help ? fields->field[index].help : fields->column[index]->help;
}

static bool cell_of(const struct xm_fields *fields, size_t index, const struct xm_usage_of *of,
                    struct xm_cell *cell)
{
    const struct xm_field *field = &fields->field[index];
    enum xm_field_series least = of->vcpu ? XM_FIELD_SLOW : XM_FIELD_SLOW_DOMAIN;
    *cell = (struct xm_cell){0};
    if ((of->coarse && field->series < least) || (of->no_peaks && field->series == XM_FIELD_PEAK))
        return false;
    if (field->get)
        field->get(of->usage, cell);
    else
        fields->column[index]->get(of->usage, cell);
    return cell->known;
}

bool xm_field_value(const struct xm_fields *fields, size_t index, const struct xm_usage_of *of, double *value)
{
    struct xm_cell cell;
    bool known = cell_of(fields, index, of, &cell);
    *value = known ? cell.value * factor_of(fields->column[index], cell.type) : 0;
    return known;
}

static json_t *field_json(const struct xm_fields *fields, size_t index, const struct xm_usage_of *of)
{
    struct xm_cell cell;
    if (!cell_of(fields, index, of, &cell))
        return json_null();
    if (cell.type == XM_COL_COUNT)
        return json_integer(cell.exact <= INT64_MAX ? (json_int_t)cell.exact : INT64_MAX);
    if (cell.type == XM_COL_NS)
        return xm_json_seconds(cell.exact);
    return json_real(cell.value * factor_of(fields->column[index], cell.type));
}

/* The window's object itself, or the one within it that is made when first asked for; NULL: out of memory. */
static json_t *home_of(json_t *object, const char *group)
{
    json_t *home = group ? json_object_get(object, group) : object;
    if (home || json_object_set_new(object, group, json_object()) != 0)
        return home;
    return json_object_get(object, group);
}

json_t *xm_fields_object(const struct xm_fields *fields, const struct xm_usage_of *of)
{
    json_t *object = json_object();
    if (!object)
        return NULL;
    int bad = json_object_set_new(object, "span_s", xm_json_seconds(of->usage->window_ns));
    bad |= json_object_set_new(object, "coarse", json_boolean(of->coarse));
    for (size_t i = 0; i < fields->count && !bad; i++) {
        const struct xm_field *field = &fields->field[i];
        if (of->vcpu && field->of_domain)
            continue;
        /* A home or a value that could not be had makes it fail. */
        bad = json_object_set_new(home_of(object, field->group), field->key, field_json(fields, i, of));
    }
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

json_t *xm_json_seconds(uint64_t ns)
{
    return json_real((double)ns / NS_PER_S);
}

json_t *xm_json_maybe(struct xm_maybe maybe)
{
    if (!maybe.known)
        return json_null();
    return json_integer(maybe.count <= INT64_MAX ? (json_int_t)maybe.count : INT64_MAX);
}

json_t *xm_json_name(const char *text)
{
    char fit[NAME_BYTES];
    if (!*text)
        return json_null();
    return json_string(xm_format_name(text, strlen(text), fit, sizeof fit));
}

json_t *xm_json_time(uint64_t real_ns)
{
    char day[32], text[48];
    struct tm tm;
    time_t seconds = (time_t)(real_ns / 1000000000u);
    if (!real_ns || !gmtime_r(&seconds, &tm) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm))
        return json_null();
    snprintf(text, sizeof text, "%s.%03" PRIu64 "Z", day, real_ns / 1000000u % 1000u);
    return json_string(text);
}
