/* SPDX-License-Identifier: MIT */
#include "history/query.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "history/schema.h"

#define SQL_BYTES  4096
#define OPERATIONS 20000  /* of the database's machine, between looks at the clock: about a millisecond */
#define MOST_VCPUS 65536u /* of a domain: its number has 16 bits */
#define MOST_ROWS  (1u << 20)

static void copy_text(sqlite3_stmt *stmt, int at, char *text, size_t size)
{
    const unsigned char *from = sqlite3_column_text(stmt, at);
    snprintf(text, size, "%s", from ? (const char *)from : "");
}

static uint64_t u64_of(sqlite3_stmt *stmt, int at)
{
    return (uint64_t)sqlite3_column_int64(stmt, at);
}

static enum xm_status no_memory(struct xm_error *err)
{
    return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
}

/*
 * The array with room for one element more, and for another; it doubles.  NULL: out of memory, and it is as
 * it was.
 */
static void *grown(void *array, size_t count, size_t bytes)
{
    bool full = count == 0 || (count >= 14 && ((count + 2) & (count + 1)) == 0);
    return full ? realloc(array, (count ? 2 * (count + 2) : 16) * bytes) : array;
}

/* ---- Runs and domains. */

static enum xm_status read_runs(struct xm_history *h, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    int code;
    enum xm_status status = xm_history_prepare(h->db,
                                               "SELECT id, lineage, source, source_name, hypervisor, "
                                               "scheduler, states_from, tsc_hz_from, tsc_hz, io_seen, "
                                               "host_cpus, origin, ended FROM run ORDER BY id",
                                               &stmt, err);
    if (status != XM_OK)
        return status;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct xm_history_run *more = grown(h->run, h->runs, sizeof *h->run);
        if (!more) {
            status = no_memory(err);
            break;
        }
        h->run = more;
        struct xm_history_run *r = &h->run[h->runs++];
        *r = (struct xm_history_run){.id = sqlite3_column_int64(stmt, 0), .lineage = u64_of(stmt, 1)};
        int source = sqlite3_column_int(stmt, 2);
        r->source = source >= 0 && source <= XM_SOURCE_PIPE ? (enum xm_source_kind)source : XM_SOURCE_PIPE;
        copy_text(stmt, 3, r->source_name, sizeof r->source_name);
        copy_text(stmt, 4, r->hypervisor, sizeof r->hypervisor);
        copy_text(stmt, 5, r->scheduler, sizeof r->scheduler);
        copy_text(stmt, 6, r->states_from, sizeof r->states_from);
        copy_text(stmt, 7, r->tsc_hz_from, sizeof r->tsc_hz_from);
        r->tsc_hz = u64_of(stmt, 8);
        r->io_seen = (uint32_t)u64_of(stmt, 9);
        r->host_cpus = u64_of(stmt, 10);
        r->origin = sqlite3_column_int(stmt, 11) != 0;
        r->ended = sqlite3_column_int(stmt, 12) != 0;
        if (!xm_scale_init(&r->scale, r->tsc_hz))
            r->tsc_hz = 0;
    }
    if (status == XM_OK && code != SQLITE_DONE)
        status = xm_history_fault(h->db, err);
    sqlite3_finalize(stmt);
    return status;
}

static uint64_t to_ns(const struct xm_history_run *run, uint64_t cycles)
{
    return xm_scale_to_ns(&run->scale, xm_cycles_of(cycles)).v;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* When it began and ended, of its first and last sample. */
static enum xm_status read_span(struct xm_history *h, struct xm_history_run *r, struct xm_error *err)
{
    char sql[320];
    sqlite3_stmt *stmt;
    snprintf(sql, sizeof sql,
             "SELECT a.real, a.window, b.real, b.window, b.lost_records, (SELECT count(*) FROM sample WHERE "
             "run = %lld) "
             "FROM sample a, sample b WHERE a.id = (SELECT min(id) FROM sample WHERE run = %lld) "
             "AND b.id = (SELECT max(id) FROM sample WHERE run = %lld)",
             (long long)r->id, (long long)r->id, (long long)r->id);
    enum xm_status status = xm_history_prepare(h->db, sql, &stmt, err);
    if (status != XM_OK)
        return status;
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        uint64_t before = r->origin ? to_ns(r, u64_of(stmt, 1)) : 0;
        r->first_real_ns = less(u64_of(stmt, 0), before);
        r->last_real_ns = u64_of(stmt, 2);
        r->span_ns = to_ns(r, u64_of(stmt, 3)) - (r->origin ? 0 : to_ns(r, u64_of(stmt, 1)));
        r->lost_records = u64_of(stmt, 4);
        r->samples = u64_of(stmt, 5);
    } else if (code != SQLITE_DONE) {
        status = xm_history_fault(h->db, err);
    }
    sqlite3_finalize(stmt);
    return status;
}

static const struct xm_history_run *run_of(const struct xm_history *h, int64_t id)
{
    for (size_t i = 0; i < h->runs; i++)
        if (h->run[i].id == id)
            return &h->run[i];
    return NULL;
}

static enum xm_status read_domains(struct xm_history *h, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    int code;
    enum xm_status status = xm_history_prepare(
        h->db,
        "SELECT id, run, row, name, uuid, created_tsc, ended_tsc, first_sample, last_sample FROM domain "
        "ORDER BY run, id",
        &stmt, err);
    if (status != XM_OK)
        return status;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct xm_history_domain *more = grown(h->domain, h->domains, sizeof *h->domain);
        if (!more) {
            status = no_memory(err);
            break;
        }
        h->domain = more;
        struct xm_history_domain *d = &h->domain[h->domains];
        *d = (struct xm_history_domain){.id = sqlite3_column_int64(stmt, 0),
                                        .run = sqlite3_column_int64(stmt, 1),
                                        .row = u64_of(stmt, 2) | XM_ROW_USED,
                                        .before = h->domains};
        copy_text(stmt, 3, d->name, sizeof d->name);
        copy_text(stmt, 4, d->uuid, sizeof d->uuid);
        d->created_tsc = u64_of(stmt, 5);
        d->ended_tsc = u64_of(stmt, 6);
        d->first_sample = sqlite3_column_int64(stmt, 7);
        d->last_sample = sqlite3_column_int64(stmt, 8);
        h->domains += run_of(h, d->run) != NULL;
    }
    if (status == XM_OK && code != SQLITE_DONE)
        status = xm_history_fault(h->db, err);
    sqlite3_finalize(stmt);
    return status;
}

/* The live run before this one; NULL: there is none. */
static const struct xm_history_run *live_before(const struct xm_history *h, const struct xm_history_run *run)
{
    while (run-- > h->run)
        if (run->source == XM_SOURCE_LIVE)
            return run;
    return NULL;
}

/*
 * Lives that a restart of xenbaked cut in two: there when the later run began, not ended when the earlier
 * one did, and the
 * same id, name and uuid.  A replay is a world of its own.
 */
static void join_lives(struct xm_history *h)
{
    for (size_t i = 0; i < h->domains; i++) {
        struct xm_history_domain *d = &h->domain[i];
        const struct xm_history_run *run = run_of(h, d->run);
        const struct xm_history_run *before = run->source == XM_SOURCE_LIVE ? live_before(h, run) : NULL;
        for (size_t j = i; before && !d->created_tsc && j-- > 0;) {
            const struct xm_history_domain *e = &h->domain[j];
            if (e->run != before->id || e->ended_tsc || xm_row_domid(e->row) != xm_row_domid(d->row))
                continue;
            if (strcmp(e->name, d->name) != 0 || strcmp(e->uuid, d->uuid) != 0 || !(d->name[0] || d->uuid[0]))
                continue;
            d->before = j;
            break;
        }
    }
}

static int is_late(void *user)
{
    struct xm_history_deadline *deadline = user;
    deadline->passed = deadline->passed || xm_clock_ns() > deadline->mono_ns;
    return deadline->passed;
}

enum xm_status xm_history_open(const char *directory, struct xm_history *h, struct xm_error *err)
{
    return xm_history_open_until(directory, NULL, h, err);
}

enum xm_status xm_history_open_until(const char *directory, struct xm_history_deadline *deadline,
                                     struct xm_history *h, struct xm_error *err)
{
    *h = (struct xm_history){.db = NULL};
    enum xm_status status = xm_history_open_reader(directory, &h->db, err);
    if (status == XM_OK && deadline)
        sqlite3_progress_handler(h->db, OPERATIONS, is_late, deadline);
    if (status == XM_OK)
        status = xm_history_exec(h->db, "BEGIN", err);
    if (status == XM_OK)
        status = read_runs(h, err);
    for (size_t i = 0; i < h->runs && status == XM_OK; i++)
        status = read_span(h, &h->run[i], err);
    if (status == XM_OK)
        status = read_domains(h, err);
    if (status == XM_OK)
        join_lives(h);
    else
        xm_history_end(h);
    return status;
}

void xm_history_end(struct xm_history *h)
{
    free(h->run);
    free(h->domain);
    xm_history_close(h->db);
    *h = (struct xm_history){.db = NULL};
}

/* ---- Instants. */

static void set_origin(const struct xm_history_run *run, struct xm_history_instant *first,
                       const struct xm_history_instant *next)
{
    uint64_t before = to_ns(run, next->window);
    *first = (struct xm_history_instant){.mono_ns = less(next->mono_ns, before),
                                         .real_ns = less(next->real_ns, before),
                                         .tsc = less(next->tsc, next->window),
                                         .detail = true};
}

enum xm_status xm_history_instants(struct xm_history *h, const struct xm_history_run *run,
                                   struct xm_history_instant **instant, size_t *count, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    int code;
    *instant = NULL;
    *count = 0;
    enum xm_status status = xm_history_prepare(
        h->db, "SELECT id, mono, real, window, tsc, detail FROM sample WHERE run = ? ORDER BY id", &stmt,
        err);
    if (status != XM_OK)
        return status;
    sqlite3_bind_int64(stmt, 1, run->id);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct xm_history_instant *more = grown(*instant, *count, sizeof **instant);
        if (!more) {
            status = no_memory(err);
            break;
        }
        *instant = more;
        *count += *count == 0 && run->origin;
        struct xm_history_instant *i = &(*instant)[(*count)++];
        *i = (struct xm_history_instant){sqlite3_column_int64(stmt, 0),
                                         u64_of(stmt, 1),
                                         u64_of(stmt, 2),
                                         u64_of(stmt, 3),
                                         u64_of(stmt, 4),
                                         sqlite3_column_int(stmt, 5) != 0};
        if (*count == 2 && run->origin)
            set_origin(run, i - 1, i);
        bool back = *count > 1 && (i->window <= i[-1].window || i->mono_ns < i[-1].mono_ns);
        if (back && !(run->origin && *count == 2)) {
            status = xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "sample %lld: time does not go on",
                             (long long)i->sample);
            break;
        }
    }
    if (status == XM_OK && code != SQLITE_DONE)
        status = xm_history_fault(h->db, err);
    sqlite3_finalize(stmt);
    if (status != XM_OK) {
        free(*instant);
        *instant = NULL;
        *count = 0;
    }
    return status;
}

/* ---- A stretch. */

static enum xm_status prepare(struct xm_history_stretch *s, enum xm_scope scope, const char *keys,
                              const char *tail, struct xm_error *err)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "SELECT %s", keys);
    if (!xm_history_names(scope, "", sql, sizeof sql))
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "a statement is too long");
    size_t used = strlen(sql);
    snprintf(sql + used, sizeof sql - used, " FROM %s", tail);
    return xm_history_prepare(s->history->db, sql, &s->stmt[scope], err);
}

static enum xm_status prepare_all(struct xm_history_stretch *s, struct xm_error *err)
{
    enum xm_status status = prepare(s, XM_SCOPE_HOST, "id", "sample WHERE id = ?1", err);
    if (status == XM_OK)
        status = prepare(s, XM_SCOPE_DOMAIN, "domain",
                         "domain_sample WHERE sample = ?1 AND domain BETWEEN ?2 AND ?3", err);
    if (status == XM_OK)
        status = prepare(s, XM_SCOPE_VCPU, "domain, vcpu",
                         "vcpu_sample WHERE sample = ?1 AND domain BETWEEN ?2 AND ?3", err);
    if (status == XM_OK)
        status = prepare(s, XM_SCOPE_PCPU, "pcpu", "pcpu_sample WHERE sample = ?1", err);
    return status;
}

/* How many vCPUs a domain had in the end: rows stay as long as it lives. */
static enum xm_status count_vcpus(struct xm_history *h, const struct xm_history_domain *d, uint32_t *vcpus,
                                  struct xm_error *err)
{
    char sql[160];
    int64_t most = -1;
    snprintf(sql, sizeof sql, "SELECT max(vcpu) FROM vcpu_sample WHERE sample = %lld AND domain = %lld",
             (long long)d->last_sample, (long long)d->id);
    enum xm_status status = xm_history_number(h->db, sql, -1, &most, err);
    if (status == XM_OK && (most < -1 || most >= MOST_VCPUS))
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "sample %lld, domain %lld: a vCPU of number %lld",
                       (long long)d->last_sample, (long long)d->id, (long long)most);
    *vcpus = (uint32_t)(most + 1);
    return status;
}

static enum xm_status place_domains(struct xm_history_stretch *s, int64_t from, int64_t to,
                                    struct xm_error *err)
{
    const struct xm_history *h = s->history;
    uint32_t slots = 0, vcpus = 0;
    s->domain = calloc(h->domains + 1, sizeof *s->domain);
    s->first_vcpu = calloc(h->domains + 1, sizeof *s->first_vcpu);
    if (!s->domain || !s->first_vcpu)
        return no_memory(err);
    for (size_t i = 0; i < h->domains; i++) {
        const struct xm_history_domain *d = &h->domain[i];
        uint32_t own = 0;
        if (d->run != s->run->id || d->last_sample <= from || d->first_sample > to)
            continue;
        if (!s->part.all && xm_row_domid(d->row) != s->part.domid)
            continue;
        enum xm_status status = count_vcpus(s->history, d, &own, err);
        if (status != XM_OK)
            return status;
        s->domain[slots] = i;
        s->first_vcpu[slots++] = vcpus;
        vcpus += own;
        if (vcpus > MOST_ROWS || slots > MOST_ROWS)
            return xm_fail(err, XM_LIMIT, XM_NO_OFFSET,
                           "more domains and vCPUs than there can be room for: take a shorter time");
    }
    s->first_vcpu[slots] = vcpus;
    s->capacity.domains = slots;
    s->capacity.vcpus = vcpus;
    return XM_OK;
}

static enum xm_status place_pcpus(struct xm_history_stretch *s, int64_t to, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    int code;
    enum xm_status status = xm_history_prepare(s->history->db,
                                               "SELECT pcpu FROM pcpu_sample WHERE sample = (SELECT max(id) "
                                               "FROM sample WHERE id <= ?1 AND run = ?2) "
                                               "ORDER BY pcpu",
                                               &stmt, err);
    if (status != XM_OK)
        return status;
    sqlite3_bind_int64(stmt, 1, to);
    sqlite3_bind_int64(stmt, 2, s->run->id);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && s->capacity.pcpus < MOST_ROWS) {
        uint64_t *more = grown(s->pcpu, s->capacity.pcpus, sizeof *s->pcpu);
        if (!more) {
            sqlite3_finalize(stmt);
            return no_memory(err);
        }
        s->pcpu = more;
        s->pcpu[s->capacity.pcpus++] = u64_of(stmt, 0);
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        status = xm_history_fault(s->history->db, err);
    sqlite3_finalize(stmt);
    return status;
}

static uint32_t at_least_one(uint32_t n)
{
    return n ? n : 1;
}

enum xm_status xm_history_stretch(struct xm_history *h, const struct xm_history_run *run, int64_t from,
                                  int64_t to, struct xm_history_stretch *s, struct xm_error *err)
{
    const struct xm_history_part whole = {.all = true, .vcpus = true};
    return xm_history_stretch_of(h, run, from, to, whole, s, err);
}

enum xm_status xm_history_stretch_of(struct xm_history *h, const struct xm_history_run *run, int64_t from,
                                     int64_t to, struct xm_history_part part, struct xm_history_stretch *s,
                                     struct xm_error *err)
{
    *s = (struct xm_history_stretch){.history = h, .run = run, .part = part};
    enum xm_status status = prepare_all(s, err);
    if (status == XM_OK)
        status = place_domains(s, from, to, err);
    if (status == XM_OK)
        status = place_pcpus(s, to, err);
    if (status != XM_OK)
        xm_history_stretch_end(s);
    return status;
}

void xm_history_stretch_end(struct xm_history_stretch *s)
{
    for (enum xm_scope scope = 0; scope < XM_SCOPES; scope++)
        sqlite3_finalize(s->stmt[scope]);
    free(s->domain);
    free(s->first_vcpu);
    free(s->pcpu);
    *s = (struct xm_history_stretch){.history = NULL};
}

/* The slot of a domain by its number in the table. */
static uint32_t slot_of(const struct xm_history_stretch *s, int64_t id)
{
    uint32_t low = 0, high = s->capacity.domains;
    const struct xm_history_domain *domain = s->history->domain;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (domain[s->domain[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->capacity.domains && domain[s->domain[low]].id == id ? low : s->capacity.domains;
}

/* ---- A sample. */

static void fill_row(sqlite3_stmt *stmt, enum xm_scope scope, int keys, void *row)
{
    size_t count;
    const struct xm_history_column *column = xm_history_columns(scope, &count);
    for (size_t i = 0; i < count; i++)
        *(uint64_t *)(void *)((char *)row + column[i].offset) = u64_of(stmt, keys + (int)i);
}

/* domain: of the table's; EVERY_DOMAIN: what there is. */
#define EVERY_DOMAIN INT64_MIN
static sqlite3_stmt *ask(struct xm_history_stretch *s, enum xm_scope scope, int64_t sample, int64_t domain)
{
    sqlite3_stmt *stmt = s->stmt[scope];
    sqlite3_reset(stmt);
    sqlite3_bind_int64(stmt, 1, sample);
    if (scope == XM_SCOPE_DOMAIN || scope == XM_SCOPE_VCPU) {
        sqlite3_bind_int64(stmt, 2, domain);
        sqlite3_bind_int64(stmt, 3, domain == EVERY_DOMAIN ? INT64_MAX : domain);
    }
    return stmt;
}

static enum xm_status answered(struct xm_history_stretch *s, sqlite3_stmt *stmt, int code,
                               struct xm_error *err)
{
    enum xm_status status =
        code == SQLITE_DONE || code == SQLITE_ROW ? XM_OK : xm_history_fault(s->history->db, err);
    sqlite3_reset(stmt);
    return status;
}

/* vCPUs' rows of one sample: of all domains, or of one. */
static enum xm_status read_vcpus(struct xm_history_stretch *s, int64_t sample, int64_t domain,
                                 struct xm_sample *to, struct xm_error *err)
{
    int code;
    sqlite3_stmt *stmt = ask(s, XM_SCOPE_VCPU, sample, domain);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        uint32_t slot = slot_of(s, sqlite3_column_int64(stmt, 0));
        int64_t number = sqlite3_column_int64(stmt, 1);
        if (slot == s->capacity.domains || number < 0 ||
            number >= s->first_vcpu[slot + 1] - s->first_vcpu[slot])
            continue;
        uint32_t at = s->first_vcpu[slot] + (uint32_t)number;
        fill_row(stmt, XM_SCOPE_VCPU, 2, &to->vcpu[at]);
        to->vcpu[at].id = s->history->domain[s->domain[slot]].row | (uint64_t)number << 16;
        to->vcpu_domain[at] = slot;
    }
    return answered(s, stmt, code, err);
}

/* Rows of one sample, with the vCPUs' or without. */
static enum xm_status read_rows(struct xm_history_stretch *s, int64_t sample, int64_t domain, bool vcpus,
                                struct xm_sample *to, struct xm_error *err)
{
    int code;
    sqlite3_stmt *stmt = ask(s, XM_SCOPE_DOMAIN, sample, domain);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        uint32_t slot = slot_of(s, sqlite3_column_int64(stmt, 0));
        if (slot == s->capacity.domains)
            continue;
        fill_row(stmt, XM_SCOPE_DOMAIN, 1, &to->domain[slot]);
        to->domain[slot].id = s->history->domain[s->domain[slot]].row;
    }
    enum xm_status status = answered(s, stmt, code, err);
    return status == XM_OK && vcpus ? read_vcpus(s, sample, domain, to, err) : status;
}

/* Rows of the domains that the stretch is about: where those are not all, each is looked up. */
static enum xm_status read_part(struct xm_history_stretch *s, int64_t sample, struct xm_sample *to,
                                struct xm_error *err)
{
    enum xm_status status = XM_OK;
    if (s->part.all)
        return read_rows(s, sample, EVERY_DOMAIN, s->part.vcpus, to, err);
    for (uint32_t slot = 0; slot < s->capacity.domains && status == XM_OK; slot++) {
        const struct xm_history_domain *d = &s->history->domain[s->domain[slot]];
        if (d->first_sample <= sample && sample <= d->last_sample)
            status = read_rows(s, sample, d->id, s->part.vcpus, to, err);
    }
    return status;
}

enum xm_status xm_history_vcpus(struct xm_history_stretch *s, const struct xm_history_instant *instant,
                                uint32_t slot, struct xm_sample *sample, struct xm_error *err)
{
    for (uint32_t i = s->first_vcpu[slot]; i < s->first_vcpu[slot + 1]; i++)
        if (sample->vcpu[i].id)
            return XM_OK;
    if (instant->sample == 0 || !sample->domain[slot].id)
        return XM_OK;
    return read_vcpus(s, instant->sample, s->history->domain[s->domain[slot]].id, sample, err);
}

static enum xm_status read_pcpus(struct xm_history_stretch *s, int64_t sample, struct xm_sample *to,
                                 struct xm_error *err)
{
    int code;
    uint32_t slot = 0;
    sqlite3_stmt *stmt = ask(s, XM_SCOPE_PCPU, sample, 0);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        uint64_t number = u64_of(stmt, 0);
        while (slot < s->capacity.pcpus && s->pcpu[slot] < number)
            slot++;
        if (slot == s->capacity.pcpus || s->pcpu[slot] != number)
            continue;
        fill_row(stmt, XM_SCOPE_PCPU, 1, &to->pcpu[slot]);
        to->pcpu[slot].id = number | XM_ROW_USED;
    }
    return answered(s, stmt, code, err);
}

static enum xm_status read_host(struct xm_history_stretch *s, int64_t sample, struct xm_host_row *host,
                                struct xm_error *err)
{
    sqlite3_stmt *stmt = ask(s, XM_SCOPE_HOST, sample, 0);
    int code = sqlite3_step(stmt);
    bool found = code == SQLITE_ROW;
    if (found)
        fill_row(stmt, XM_SCOPE_HOST, 1, host);
    enum xm_status status = answered(s, stmt, code, err);
    return status == XM_OK && !found ? XM_END : status;
}

/* From its last row on a domain does not exist, or is not known. */
static enum xm_status carry_on(struct xm_history_stretch *s, uint32_t slot, struct xm_sample *to,
                               struct xm_error *err)
{
    const struct xm_history_domain *d = &s->history->domain[s->domain[slot]];
    struct xm_host_row then = {0};
    enum xm_status status = read_host(s, d->last_sample, &then, err);
    if (status == XM_OK)
        status = read_rows(s, d->last_sample, d->id, true, to, err);
    if (status == XM_END)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "sample %lld, the last one of domain %lld, is missing",
                       (long long)d->last_sample, (long long)d->id);
    if (status != XM_OK || to->domain[slot].id == 0)
        return status;
    uint64_t since = less(to->host.window, then.window);
    uint64_t vcpus = 0;
    for (uint32_t i = s->first_vcpu[slot]; i < s->first_vcpu[slot + 1]; i++) {
        struct xm_vcpu_row *row = &to->vcpu[i];
        if (row->id == 0)
            continue;
        *(d->ended_tsc ? &row->offline : &row->unknown) += since;
        vcpus++;
    }
    *(d->ended_tsc ? &to->domain[slot].offline : &to->domain[slot].unknown) += vcpus * since;
    to->domain[slot].ended = d->ended_tsc != 0;
    return XM_OK;
}

enum xm_status xm_history_sample(struct xm_history_stretch *s, const struct xm_history_instant *instant,
                                 int64_t from, struct xm_sample *sample, struct xm_error *err)
{
    xm_sample_clear(sample);
    sample->used = s->capacity;
    if (instant->sample == 0) {
        sample->host =
            (struct xm_host_row){.mono = instant->mono_ns, .real = instant->real_ns, .tsc = instant->tsc};
        return XM_OK;
    }
    enum xm_status status = read_host(s, instant->sample, &sample->host, err);
    if (status == XM_OK)
        status = read_part(s, instant->sample, sample, err);
    if (status == XM_OK)
        status = read_pcpus(s, instant->sample, sample, err);
    for (uint32_t slot = 0; slot < s->capacity.domains && status == XM_OK; slot++) {
        const struct xm_history_domain *d = &s->history->domain[s->domain[slot]];
        if (sample->domain[slot].id == 0 && d->last_sample > from && d->last_sample < instant->sample)
            status = carry_on(s, slot, sample, err);
    }
    return status;
}

/* ---- A walk. */

static void facts_of(const struct xm_history_stretch *s, uint32_t slot, uint64_t tsc,
                     struct xm_region_domain *fact)
{
    const struct xm_history_domain *d = &s->history->domain[s->domain[slot]];
    *fact = (struct xm_region_domain){.id = d->row, .created_tsc = d->created_tsc};
    memcpy(fact->name, d->name, sizeof fact->name);
    memcpy(fact->uuid, d->uuid, sizeof fact->uuid);
    fact->ended_tsc = d->ended_tsc <= tsc ? d->ended_tsc : 0;
}

static enum xm_status walk_stretch(struct xm_history_stretch *s, const struct xm_history_instant *instant,
                                   size_t count, const struct xm_history_walk *walk, struct xm_error *err)
{
    const struct xm_capacity room = {at_least_one(s->capacity.domains), at_least_one(s->capacity.vcpus),
                                     at_least_one(s->capacity.pcpus)};
    struct xm_sample sample = {.vcpu = NULL};
    struct xm_region_domain *fact = calloc(room.domains, sizeof *fact);
    if (!fact || xm_sample_init(&sample, room) != XM_OK) {
        free(fact);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "no memory for %u domains and %u vCPUs", room.domains,
                       room.vcpus);
    }
    enum xm_status status = walk->begin ? walk->begin(walk->user, room, count, err) : XM_OK;
    for (size_t i = 0; i < count && status == XM_OK; i++) {
        status = xm_history_sample(s, &instant[i], instant[0].sample, &sample, err);
        for (uint32_t slot = 0; slot < s->capacity.domains && status == XM_OK; slot++)
            facts_of(s, slot, sample.host.tsc, &fact[slot]);
        if (status == XM_OK)
            status = walk->each(walk->user, &sample, fact, &instant[i], err);
    }
    free(fact);
    xm_sample_fini(&sample);
    return status;
}

enum xm_status xm_history_walk(struct xm_history *h, const struct xm_history_run *run, uint64_t from_ns,
                               uint64_t to_ns, const struct xm_history_walk *walk, struct xm_error *err)
{
    struct xm_history_instant *instant;
    struct xm_history_stretch stretch;
    size_t count, first = 0;
    enum xm_status status = xm_history_instants(h, run, &instant, &count, err);
    if (status != XM_OK)
        return status;
    first = count && instant[0].sample == 0; /* the beginning is no sample */
    while (first < count && instant[first].real_ns < from_ns)
        first++;
    while (count > first && instant[count - 1].real_ns > to_ns)
        count--;
    if (first < count) {
        status =
            xm_history_stretch(h, run, instant[first].sample - 1, instant[count - 1].sample, &stretch, err);
        if (status == XM_OK) {
            status = walk_stretch(&stretch, instant + first, count - first, walk, err);
            xm_history_stretch_end(&stretch);
        }
    }
    free(instant);
    return status;
}

/* ---- Columns. */

enum xm_history_need xm_history_need(const char *column, bool vcpu)
{
    static const char *const lost[] = {"allocated_min_ns", "allocated_max_ns", "wait_max_ns"};
    static const char *const always[] = {"window_ns",
                                         "running_ns",
                                         "running_pct",
                                         "running_of_vcpus_pct",
                                         "runnable_ns",
                                         "runnable_pct",
                                         "runnable_of_vcpus_pct",
                                         "blocked_ns",
                                         "blocked_pct",
                                         "blocked_of_vcpus_pct",
                                         "offline_ns",
                                         "offline_pct",
                                         "unknown_ns",
                                         "unknown_pct",
                                         "wait_any_ns",
                                         "wait_any_pct"};
    static const char *const domains[] = {"executions",
                                          "executions_per_s",
                                          "running_per_execution_ns",
                                          "runnable_per_execution_ns",
                                          "blocked_per_execution_ns",
                                          "page_transfers",
                                          "grant_maps",
                                          "grant_unmaps"};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
        if (strcmp(column, lost[i]) == 0)
            return XM_NEED_LOST;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strcmp(column, always[i]) == 0)
            return XM_NEED_NOTHING;
    for (size_t i = 0; !vcpu && i < sizeof domains / sizeof domains[0]; i++)
        if (strcmp(column, domains[i]) == 0)
            return XM_NEED_NOTHING;
    return XM_NEED_DETAIL;
}
