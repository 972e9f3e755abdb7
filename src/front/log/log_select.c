/* SPDX-License-Identifier: MIT */
#include "front/log/log_select.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "view/called.h"

#define WORD_MAX 48u

static const struct xm_log_metric late[] = {
    {"late_running_ns", "part of unknown that was later found to be running", NULL, 0, false},
    {"late_runnable_ns", "part of unknown that was later found to be waiting", NULL, 1, false},
    {"late_blocked_ns", "part of unknown that was later found to be asleep", NULL, 2, false},
    {"late_offline_ns", "part of unknown that was later found to be offline", NULL, 3, false},
};
#define LATE (sizeof late / sizeof late[0])

/* What stands in a log when nobody says otherwise; the order is the file format. */
static const char *const exact[] = {
    "window_ns",
    "running_ns",
    "runnable_ns",
    "blocked_ns",
    "offline_ns",
    "unknown_ns",
    "late_running_ns",
    "late_runnable_ns",
    "late_blocked_ns",
    "late_offline_ns",
    "wait_after_wake_ns",
    "wait_after_preemption_ns",
    "wait_other_ns",
    "executions",
    "migrations",
    "preemptions",
    "yields",
    "allocated_count",
    "allocated_sum_ns",
    "allocated_min_ns",
    "allocated_max_ns",
    "wait_max_ns",
    "page_transfers",
    "grant_maps",
    "grant_unmaps",
    "grant_copies_issued",
    "done_page_transfers",
    "done_grant_maps",
    "done_grant_unmaps",
    "online_vcpus",
    "paused",
    "weight",
    "cap_pct",
    "net_received_bytes",
    "net_received_packets",
    "net_sent_bytes",
    "net_sent_packets",
    "disk_reads",
    "disk_writes",
    "disk_read_bytes",
    "disk_write_bytes",
};
static const char *const exact_of_domains[] = {"wait_any_ns"};

/* Is it what no vCPU can ever know?  Asked of a vCPU of which everything is known that can be. */
static bool is_of_domain(const struct xm_column *column)
{
    static const struct xm_usage vcpu = {
        .vcpus = 1, .window_ns = 1, .executions = 1, .slices = 1, .slice_min_ns = 1, .slice_max_ns = 1};
    struct xm_cell cell = {0};
    column->get(&vcpu, &cell);
    return !cell.known;
}

bool xm_log_metric(size_t index, struct xm_log_metric *metric)
{
    size_t count;
    const struct xm_column *columns = xm_columns(&count);
    if (index < count) {
        const struct xm_column *c = &columns[index];
        *metric = (struct xm_log_metric){c->id, c->help, c, 0, is_of_domain(c)};
        return true;
    }
    if (index - count >= LATE)
        return false;
    *metric = late[index - count];
    return true;
}

const char *xm_log_metric_unit(const struct xm_log_metric *metric)
{
    size_t length = strlen(metric->id);
    if (length > 3 && strcmp(metric->id + length - 3, "_ns") == 0)
        return "ns";
    switch (metric->column ? metric->column->type : XM_COL_NS) {
    case XM_COL_NS:
        return "ns";
    case XM_COL_PERCENT:
        return "%";
    case XM_COL_COUNT:
        return "count";
    case XM_COL_RATE:
        return "1/s";
    case XM_COL_AVERAGE:
    case XM_COL_TEXT:
        break;
    }
    return "ratio";
}

static bool find_metric(const char *id, size_t length, struct xm_log_metric *metric)
{
    for (size_t i = 0; xm_log_metric(i, metric); i++)
        if (strncmp(metric->id, id, length) == 0 && metric->id[length] == '\0')
            return true;
    return false;
}

static void add(struct xm_selection *selection, const struct xm_log_metric *metric)
{
    for (size_t i = 0; i < selection->metrics; i++)
        if (strcmp(selection->metric[i].id, metric->id) == 0)
            return;
    if (selection->metrics < XM_LOG_METRICS_MAX) /* more than there are metrics: a test counts them */
        selection->metric[selection->metrics++] = *metric;
}

static const char *metric_word(size_t index)
{
    struct xm_log_metric metric;
    return xm_log_metric(index, &metric) ? metric.id : NULL;
}

static enum xm_status no_metric(const char *id, size_t length, struct xm_error *err)
{
    struct xm_log_metric metric;
    char word[WORD_MAX];
    size_t count = 0;
    while (xm_log_metric(count, &metric))
        count++;
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), id);
    const char *near = xm_nearest(word, metric_word, count);
    if (length == 0)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is an empty metric in the list");
    if (near)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is no metric '%s'; did you mean '%s'?", word,
                       near);
    return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is no metric '%s'; --list-metrics has them all",
                   word);
}

enum xm_status xm_selection_add(struct xm_selection *selection, const char *list, struct xm_error *err)
{
    for (const char *id = list;; id++) {
        struct xm_log_metric metric;
        size_t length = strcspn(id, ",");
        if (!find_metric(id, length, &metric))
            return no_metric(id, length, err);
        add(selection, &metric);
        id += length;
        if (*id == '\0')
            return XM_OK;
    }
}

static void add_ids(struct xm_selection *selection, const char *const *ids, size_t count)
{
    struct xm_log_metric metric;
    for (size_t i = 0; i < count; i++)
        if (find_metric(ids[i], strlen(ids[i]), &metric))
            add(selection, &metric);
}

void xm_selection_add_exact(struct xm_selection *selection, bool for_domains)
{
    add_ids(selection, exact, sizeof exact / sizeof exact[0]);
    if (for_domains)
        add_ids(selection, exact_of_domains, sizeof exact_of_domains / sizeof exact_of_domains[0]);
}

bool xm_selection_has(const struct xm_selection *selection, uint32_t domid, const char *name,
                      const char *uuid)
{
    for (size_t i = 0; i < selection->domain_count; i++) {
        const char *pattern = selection->domains[i];
        if (xm_called(pattern, domid, name, uuid) != XM_CALLED_NOT ||
            (*name && fnmatch(pattern, name, 0) == 0))
            return true;
    }
    return selection->domain_count == 0;
}

/* ---- The nearest word. */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Letters to be changed, left out or put in to make one of the other (Levenshtein); both shorter than
 * WORD_MAX.
 */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1];
    unsigned width = (unsigned)strlen(b);
    for (unsigned j = 0; j <= width; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= width; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[width];
}

const char *xm_nearest(const char *text, const char *(*word)(size_t index), size_t count)
{
    const char *best = NULL;
    size_t length = strlen(text);
    unsigned least_far = (unsigned)(length / 2 + 1); /* half of it wrong is another word */
    for (size_t i = 0; i < count && length && length < WORD_MAX; i++) {
        const char *w = word(i);
        if (!w || strlen(w) >= WORD_MAX)
            continue;
        unsigned far = distance(text, w);
        if (far < least_far) {
            least_far = far;
            best = w;
        }
    }
    return best;
}
