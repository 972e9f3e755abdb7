/* SPDX-License-Identifier: MIT */
#include "history/check.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history/schema.h"

struct checking {
    struct xm_history *history;
    const struct xm_history_run *run;
    struct xm_history_stretch stretch;
    struct xm_sample now, seen; /* the row that was seen last of everybody */
    const struct xm_history_instant *instant;
    void (*fault)(void *user, const char *text);
    void *user;
    struct xm_history_findings *found;
};

static void say(struct checking *c, const char *text)
{
    c->found->faults++;
    c->fault(c->user, text);
}

static void say_row(struct checking *c, const char *who, const char *what)
{
    char text[320];
    snprintf(text, sizeof text, "run %lld, sample %lld%s%s: %s", (long long)c->run->id,
             (long long)c->instant->sample, who[0] ? ", " : "", who, what);
    say(c, text);
}

/* ---- One row. */

/* The order of xm_metrics() by scope does not matter here: a column's kind does. */
static bool is_counter(enum xm_scope scope, const struct xm_history_column *column)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (m[i].scope == scope && m[i].offset == column->offset)
            return m[i].kind == XM_KIND_COUNTER;
    return false;
}

static uint64_t word(const void *row, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)row + offset);
}

/* Counters go on from the row that was seen last, which becomes this one. */
static void check_progress(struct checking *c, enum xm_scope scope, const char *who, const void *row,
                           void *seen)
{
    size_t count;
    const struct xm_history_column *column = xm_history_columns(scope, &count);
    c->found->rows++;
    for (size_t i = 0; i < count; i++) {
        size_t at = column[i].offset;
        char text[160];
        if (column[i].detail && !c->instant->detail)
            continue;
        if (word(row, at) < word(seen, at) && is_counter(scope, &column[i])) {
            snprintf(text, sizeof text, "%s goes back, from %" PRIu64 " to %" PRIu64, column[i].name,
                     word(seen, at), word(row, at));
            say_row(c, who, text);
        }
        *(uint64_t *)(void *)((char *)seen + at) = word(row, at);
    }
}

static void check_sum(struct checking *c, const char *who, uint64_t sum, uint64_t should, const char *of)
{
    char text[160];
    if (sum == should)
        return;
    snprintf(text, sizeof text, "its states add up to %" PRIu64 " cycles, and not to %s, %" PRIu64, sum, of,
             should);
    say_row(c, who, text);
}

static void check_vcpu(struct checking *c, uint32_t slot, uint64_t sum[5])
{
    const struct xm_vcpu_row *v = &c->now.vcpu[slot];
    char who[64];
    if (v->id == 0)
        return;
    snprintf(who, sizeof who, "vCPU %u of domain %u", xm_row_vcpu(v->id), xm_row_domid(v->id));
    check_sum(c, who, v->running + v->runnable + v->blocked + v->offline + v->unknown, c->now.host.window,
              "the window");
    check_progress(c, XM_SCOPE_VCPU, who, v, &c->seen.vcpu[slot]);
    const uint64_t part[5] = {v->running, v->runnable, v->blocked, v->offline, v->unknown};
    for (unsigned i = 0; i < 5; i++)
        sum[i] += part[i];
}

static void check_domain(struct checking *c, uint32_t slot)
{
    static const char *const names[5] = {"running", "runnable", "blocked", "offline", "unknown"};
    const struct xm_domain_row *d = &c->now.domain[slot];
    uint64_t sum[5] = {0};
    char who[64], text[160];
    if (d->id == 0)
        return;
    snprintf(who, sizeof who, "domain %u (instance %u)", xm_row_domid(d->id), xm_row_instance(d->id));
    for (uint32_t v = c->stretch.first_vcpu[slot]; v < c->stretch.first_vcpu[slot + 1]; v++)
        check_vcpu(c, v, sum);
    const uint64_t part[5] = {d->running, d->runnable, d->blocked, d->offline, d->unknown};
    for (unsigned i = 0; i < 5; i++) {
        if (part[i] == sum[i])
            continue;
        snprintf(text, sizeof text, "%s is %" PRIu64 " cycles, and that of its vCPUs %" PRIu64, names[i],
                 part[i], sum[i]);
        say_row(c, who, text);
    }
    check_progress(c, XM_SCOPE_DOMAIN, who, d, &c->seen.domain[slot]);
}

static void check_pcpu(struct checking *c, uint32_t slot)
{
    const struct xm_pcpu_row *p = &c->now.pcpu[slot];
    char who[64];
    if (p->id == 0)
        return;
    snprintf(who, sizeof who, "pCPU %" PRIu64, p->id & ~XM_ROW_USED);
    check_sum(c, who, p->busy + p->idle + p->switching + p->unknown, c->now.host.window, "the window");
    check_progress(c, XM_SCOPE_PCPU, who, p, &c->seen.pcpu[slot]);
}

/* ---- A run. */

static enum xm_status check_sample(struct checking *c, struct xm_error *err)
{
    /* A window that ends where it begins: nothing is carried on, only rows that are there are read. */
    enum xm_status status = xm_history_sample(&c->stretch, c->instant, c->instant->sample - 1, &c->now, err);
    if (status != XM_OK)
        return status;
    c->found->samples++;
    check_progress(c, XM_SCOPE_HOST, "", &c->now.host, &c->seen.host);
    for (uint32_t slot = 0; slot < c->stretch.capacity.domains; slot++)
        check_domain(c, slot);
    for (uint32_t slot = 0; slot < c->stretch.capacity.pcpus; slot++)
        check_pcpu(c, slot);
    return XM_OK;
}

static enum xm_status check_stretch(struct checking *c, const struct xm_history_instant *instant,
                                    size_t count, struct xm_error *err)
{
    struct xm_capacity room = c->stretch.capacity;
    room.domains += room.domains == 0;
    room.vcpus += room.vcpus == 0;
    room.pcpus += room.pcpus == 0;
    enum xm_status status = xm_sample_init(&c->now, room);
    if (status == XM_OK)
        status = xm_sample_init(&c->seen, room);
    if (status != XM_OK)
        return xm_fail(err, status, XM_NO_OFFSET, "no memory for %u domains and %u vCPUs", room.domains,
                       room.vcpus);
    for (size_t i = 0; i < count && status == XM_OK; i++) {
        c->instant = &instant[i];
        if (instant[i].sample)
            status = check_sample(c, err);
    }
    return status;
}

static enum xm_status check_run(struct checking *c, struct xm_error *err)
{
    struct xm_history_instant *instant;
    struct xm_error why = {.offset = XM_NO_OFFSET};
    char text[320];
    size_t count;
    enum xm_status status = xm_history_instants(c->history, c->run, &instant, &count, &why);
    if (status == XM_OK) {
        status = xm_history_stretch(c->history, c->run, -1, INT64_MAX, &c->stretch, &why);
        if (status == XM_OK) {
            status = check_stretch(c, instant, count, &why);
            xm_history_stretch_end(&c->stretch);
        }
        xm_sample_fini(&c->now);
        xm_sample_fini(&c->seen);
        c->now = c->seen = (struct xm_sample){.vcpu = NULL};
        free(instant);
    }
    if (status != XM_DAMAGED)
        return status == XM_OK ? XM_OK : xm_fail(err, status, XM_NO_OFFSET, "%s", why.text);
    snprintf(text, sizeof text, "run %lld: %s", (long long)c->run->id, why.text);
    say(c, text);
    return XM_OK;
}

/* ---- The file. */

static enum xm_status check_file(struct checking *c, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    int code;
    enum xm_status status = xm_history_prepare(c->history->db, "PRAGMA integrity_check(100)", &stmt, err);
    if (status != XM_OK)
        return status;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        char line[320];
        snprintf(line, sizeof line, "%s: %s", XM_HISTORY_FILE, text ? text : "?");
        line[strcspn(line, "\n")] = '\0';
        if (!text || strcmp(text, "ok") != 0)
            say(c, line);
    }
    struct xm_error why = {.offset = XM_NO_OFFSET};
    if (code != SQLITE_DONE) {
        xm_history_fault(c->history->db, &why);
        say(c, why.text);
    }
    sqlite3_finalize(stmt);
    return XM_OK;
}

/* Rows that belong to no sample or domain. */
static enum xm_status check_strays(struct checking *c, struct xm_error *err)
{
    static const char *const queries[][2] = {
        {"SELECT count(*) FROM domain_sample WHERE sample NOT IN (SELECT id FROM sample) OR domain NOT IN "
         "(SELECT id FROM domain)",
         "domain_sample"},
        {"SELECT count(*) FROM vcpu_sample WHERE sample NOT IN (SELECT id FROM sample) OR domain NOT IN "
         "(SELECT id FROM domain)",
         "vcpu_sample"},
        {"SELECT count(*) FROM pcpu_sample WHERE sample NOT IN (SELECT id FROM sample)", "pcpu_sample"},
        {"SELECT count(*) FROM sample WHERE run NOT IN (SELECT id FROM run)", "sample"},
    };
    enum xm_status status = XM_OK;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0] && status == XM_OK; i++) {
        int64_t strays = 0;
        char text[160];
        status = xm_history_number(c->history->db, queries[i][0], 0, &strays, err);
        if (status != XM_OK || strays == 0)
            continue;
        snprintf(text, sizeof text, "%s: %lld rows belong to nothing", queries[i][1], (long long)strays);
        say(c, text);
    }
    return status;
}

enum xm_status xm_history_check(struct xm_history *history, void (*fault)(void *user, const char *text),
                                void *user, struct xm_history_findings *findings, struct xm_error *err)
{
    struct checking c = {.history = history, .fault = fault, .user = user, .found = findings};
    *findings = (struct xm_history_findings){0};
    enum xm_status status = check_file(&c, err);
    if (status == XM_OK && findings->faults == 0)
        status = check_strays(&c, err);
    for (size_t i = 0; i < history->runs && status == XM_OK; i++) {
        c.run = &history->run[i];
        status = check_run(&c, err);
    }
    return status;
}
