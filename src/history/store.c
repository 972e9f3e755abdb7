/* SPDX-License-Identifier: MIT */
#include "history/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "history/schema.h"

#define SQL_BYTES 4096
#define ID_MASK   (XM_ROW_USED - 1)

/* What is known of the domain in a slot of the region. */
struct known {
    uint64_t id;    /* as in its rows; 0: nothing */
    int64_t domain; /* in the table of that name */
    int64_t last;   /* its newest row's sample */
    bool touched;   /* `last` is not in the table yet */
    struct xm_region_domain fact;
    struct xm_domain_row
        row; /* the newest; of an ended one's rows only those that say something new are kept */
    bool detail;
};

struct xm_store {
    sqlite3 *db;
    int lock;
    int64_t run;    /* 0: none */
    int64_t sample; /* the newest in the table, of any run */
    bool open;      /* a transaction is */
    struct known *known;
    uint32_t slots;
    sqlite3_stmt *put[XM_SCOPES]; /* a row of each scope but pairs */
};

static const char *const table[XM_SCOPES] = {
    [XM_SCOPE_HOST] = "sample(id, run, detail",
    [XM_SCOPE_DOMAIN] = "domain_sample(sample, domain",
    [XM_SCOPE_VCPU] = "vcpu_sample(sample, domain, vcpu",
    [XM_SCOPE_PCPU] = "pcpu_sample(sample, pcpu",
};
static const int keys[XM_SCOPES] = {
    [XM_SCOPE_HOST] = 3, [XM_SCOPE_DOMAIN] = 2, [XM_SCOPE_VCPU] = 3, [XM_SCOPE_PCPU] = 2};

/* ---- Opening. */

static enum xm_status take_lock(const char *directory, int *lock, struct xm_error *err)
{
    char path[PATH_MAX];
    char holder[32] = "";
    int n = snprintf(path, sizeof path, "%s/" XM_HISTORY_LOCK, directory);
    if (n < 0 || (size_t)n >= sizeof path)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "the directory's name is too long");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return xm_fail(err,
                       errno == ENOSPC                     ? XM_FULL
                       : errno == EACCES || errno == EROFS ? XM_DENIED
                                                           : XM_IO,
                       XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(fd, holder, sizeof holder - 1, 0);
        holder[got > 0 ? strspn(holder, "0123456789") : 0] = '\0';
        close(fd);
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%s: process %s writes this history already", directory,
                       holder[0] ? holder : "of an unknown number");
    }
    n = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    /* Only for messages: on a full disk the lock itself still holds. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, (size_t)n, 0) != n)
        errno = 0;
    *lock = fd;
    return XM_OK;
}

static enum xm_status prepare_put(struct xm_store *s, enum xm_scope scope, struct xm_error *err)
{
    char sql[SQL_BYTES];
    size_t columns;
    xm_history_columns(scope, &columns);
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO %s", table[scope]);
    if (!xm_history_names(scope, "", sql, sizeof sql))
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "a statement is too long");
    size_t used = strlen(sql);
    used += (size_t)snprintf(sql + used, sizeof sql - used, ") VALUES (?");
    for (size_t i = 1; i < columns + (size_t)keys[scope] && used < sizeof sql; i++)
        used += (size_t)snprintf(sql + used, sizeof sql - used, ",?");
    if (used + 2 > sizeof sql)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "a statement is too long");
    snprintf(sql + used, sizeof sql - used, ")");
    return xm_history_prepare(s->db, sql, &s->put[scope], err);
}

enum xm_status xm_store_open(const char *directory, struct xm_store **store, struct xm_error *err)
{
    struct xm_store *s = calloc(1, sizeof *s);
    *store = NULL;
    if (!s)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    s->lock = -1;
    enum xm_status status = take_lock(directory, &s->lock, err);
    if (status == XM_OK)
        status = xm_history_open_writer(directory, &s->db, err);
    if (status == XM_OK)
        status = xm_history_number(s->db, "SELECT max(id) FROM sample", 0, &s->sample, err);
    for (enum xm_scope scope = 0; scope < XM_SCOPES && status == XM_OK; scope++)
        if (table[scope])
            status = prepare_put(s, scope, err);
    if (status != XM_OK) {
        xm_store_close(s);
        return status;
    }
    *store = s;
    return XM_OK;
}

void xm_store_close(struct xm_store *s)
{
    if (!s)
        return;
    xm_store_rollback(s);
    for (enum xm_scope scope = 0; scope < XM_SCOPES; scope++)
        sqlite3_finalize(s->put[scope]);
    xm_history_close(s->db);
    if (s->lock >= 0)
        close(s->lock);
    free(s->known);
    free(s);
}

struct sqlite3 *xm_store_database(struct xm_store *s)
{
    return s->db;
}

/* ---- Statements that are needed once a transaction. */

/* Runs a prepared statement to its end and frees it.  *value (may be NULL): the first column of its row. */
static enum xm_status finish(struct xm_store *s, sqlite3_stmt *stmt, int64_t *value, struct xm_error *err)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW && value)
        *value = sqlite3_column_int64(stmt, 0);
    while (code == SQLITE_ROW)
        code = sqlite3_step(stmt);
    enum xm_status status = code == SQLITE_DONE ? XM_OK : xm_history_fault(s->db, err);
    sqlite3_finalize(stmt);
    return status;
}

static void bind_u64(sqlite3_stmt *stmt, int at, uint64_t value)
{
    sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

/* ---- The run. */

static enum xm_status find_run(struct xm_store *s, uint64_t lineage, int64_t *run, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    *run = 0;
    enum xm_status status = xm_history_prepare(
        s->db, "SELECT id FROM run WHERE lineage = ? ORDER BY id DESC LIMIT 1", &stmt, err);
    if (status != XM_OK)
        return status;
    bind_u64(stmt, 1, lineage);
    return finish(s, stmt, run, err);
}

static enum xm_status add_run(struct xm_store *s, const struct xm_region_info *info, bool origin,
                              struct xm_error *err)
{
    sqlite3_stmt *stmt;
    enum xm_status status = xm_history_prepare(
        s->db,
        "INSERT INTO run(lineage, source, source_name, hypervisor, scheduler, states_from, tsc_hz, "
        "tsc_hz_from, "
        "io_seen, host_cpus, origin, ended) VALUES (?, ?, ?, '', '', '', 0, '', 0, 0, ?, 0)",
        &stmt, err);
    if (status != XM_OK)
        return status;
    bind_u64(stmt, 1, info->lineage_id);
    sqlite3_bind_int(stmt, 2, (int)info->source);
    bind_text(stmt, 3, info->source_name);
    sqlite3_bind_int(stmt, 4, origin);
    status = finish(s, stmt, NULL, err);
    s->run = sqlite3_last_insert_rowid(s->db);
    return status;
}

/* What may be learned, or change, while it runs. */
static enum xm_status update_run(struct xm_store *s, const struct xm_region_info *info, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    enum xm_status status = xm_history_prepare(s->db,
                                               "UPDATE run SET hypervisor = ?, scheduler = ?, states_from = "
                                               "?, tsc_hz = ?, tsc_hz_from = ?, io_seen = ?, "
                                               "host_cpus = ?, ended = 0 WHERE id = ?",
                                               &stmt, err);
    if (status != XM_OK)
        return status;
    bind_text(stmt, 1, info->hypervisor);
    bind_text(stmt, 2, info->scheduler);
    bind_text(stmt, 3, info->states_from);
    bind_u64(stmt, 4, info->tsc_hz);
    bind_text(stmt, 5, info->tsc_hz_from);
    bind_u64(stmt, 6, info->io_seen);
    bind_u64(stmt, 7, info->host_cpus);
    sqlite3_bind_int64(stmt, 8, s->run);
    return finish(s, stmt, NULL, err);
}

static enum xm_status last_window(struct xm_store *s, uint64_t *window, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    int64_t value = -1;
    enum xm_status status = xm_history_prepare(
        s->db, "SELECT window FROM sample WHERE run = ? ORDER BY id DESC LIMIT 1", &stmt, err);
    if (status != XM_OK)
        return status;
    sqlite3_bind_int64(stmt, 1, s->run);
    status = finish(s, stmt, &value, err);
    *window = value < 0 ? UINT64_MAX : (uint64_t)value;
    return status;
}

static void forget(struct xm_store *s)
{
    free(s->known);
    s->known = NULL;
    s->slots = 0;
}

enum xm_status xm_store_begin(struct xm_store *s, const struct xm_region_info *info, bool origin,
                              uint64_t *window, struct xm_error *err)
{
    int64_t run = 0;
    enum xm_status status = xm_history_exec(s->db, "BEGIN IMMEDIATE", err);
    if (status != XM_OK)
        return status;
    s->open = true;
    status = find_run(s, info->lineage_id, &run, err);
    if (status == XM_OK && run != s->run)
        forget(s);
    s->run = run;
    if (status == XM_OK && run == 0)
        status = add_run(s, info, origin, err);
    if (status == XM_OK)
        status = update_run(s, info, err);
    if (status == XM_OK)
        status = last_window(s, window, err);
    if (status != XM_OK)
        xm_store_rollback(s);
    return status;
}

/* ---- Domains. */

static enum xm_status add_domain(struct xm_store *s, struct known *k, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    enum xm_status status = xm_history_prepare(
        s->db,
        "INSERT INTO domain(run, row, name, uuid, created_tsc, ended_tsc, first_sample, last_sample) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        &stmt, err);
    if (status != XM_OK)
        return status;
    sqlite3_bind_int64(stmt, 1, s->run);
    bind_u64(stmt, 2, k->id & ID_MASK);
    bind_text(stmt, 3, k->fact.name);
    bind_text(stmt, 4, k->fact.uuid);
    bind_u64(stmt, 5, k->fact.created_tsc);
    bind_u64(stmt, 6, k->fact.ended_tsc);
    sqlite3_bind_int64(stmt, 7, s->sample);
    sqlite3_bind_int64(stmt, 8, s->sample);
    status = finish(s, stmt, NULL, err);
    k->domain = sqlite3_last_insert_rowid(s->db);
    k->touched = true;
    return status;
}

static enum xm_status update_domain(struct xm_store *s, struct known *k, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    enum xm_status status = xm_history_prepare(
        s->db,
        "UPDATE domain SET name = ?, uuid = ?, created_tsc = ?, ended_tsc = ?, last_sample = ? WHERE id = ?",
        &stmt, err);
    if (status != XM_OK)
        return status;
    bind_text(stmt, 1, k->fact.name);
    bind_text(stmt, 2, k->fact.uuid);
    bind_u64(stmt, 3, k->fact.created_tsc);
    bind_u64(stmt, 4, k->fact.ended_tsc);
    sqlite3_bind_int64(stmt, 5, k->last);
    sqlite3_bind_int64(stmt, 6, k->domain);
    k->touched = false;
    return finish(s, stmt, NULL, err);
}

/* The domain's number in the table; 0: it is not there. */
static enum xm_status find_domain(struct xm_store *s, struct known *k, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    k->domain = 0;
    enum xm_status status =
        xm_history_prepare(s->db, "SELECT id FROM domain WHERE run = ? AND row = ?", &stmt, err);
    if (status != XM_OK)
        return status;
    sqlite3_bind_int64(stmt, 1, s->run);
    bind_u64(stmt, 2, k->id & ID_MASK);
    return finish(s, stmt, &k->domain, err);
}

static bool make_room(struct xm_store *s, uint32_t slots)
{
    if (slots <= s->slots)
        return true;
    struct known *known = realloc(s->known, slots * sizeof *known);
    if (!known)
        return false;
    memset(known + s->slots, 0, (slots - s->slots) * sizeof *known);
    s->known = known;
    s->slots = slots;
    return true;
}

/* Makes s->known[slot] the domain that is there now. */
static enum xm_status know(struct xm_store *s, uint32_t slot, uint64_t id,
                           const struct xm_region_domain *fact, struct xm_error *err)
{
    struct known *k = &s->known[slot];
    enum xm_status status = XM_OK;
    if (k->id == id) {
        bool stale = fact->id == id && memcmp(&k->fact, fact, sizeof *fact) != 0;
        if (stale)
            k->fact = *fact;
        k->touched |= stale;
        return XM_OK;
    }
    if (k->id && k->touched)
        status = update_domain(s, k, err);
    *k = (struct known){.id = id, .fact.id = id};
    if (fact->id == id)
        k->fact = *fact;
    if (status == XM_OK)
        status = find_domain(s, k, err);
    if (status == XM_OK && k->domain == 0)
        status = add_domain(s, k, err);
    return status;
}

/*
 * What an ended domain's later rows would say is that it does not exist: they are not kept, and who reads
 * counts that time as offline (doc/history.md).  A row that says anything else is.
 */
static bool says_nothing(const struct known *k, const struct xm_domain_row *row,
                         const struct xm_sample *sample, bool detail)
{
    bool over = k->fact.ended_tsc && sample->host.tsc > k->fact.ended_tsc;
    struct xm_domain_row a = k->row, b = *row;
    if (!over || !k->last || (detail && !k->detail) || a.ended == 0)
        return false;
    if (!detail) /* what it does not show is what it was */
        return a.running == b.running && a.runnable == b.runnable && a.blocked == b.blocked &&
               a.unknown == b.unknown && a.executions == b.executions;
    a.offline = b.offline = 0;
    memset(a.wait_coarse, 0, sizeof a.wait_coarse);
    memset(b.wait_coarse, 0, sizeof b.wait_coarse);
    /* The extremes of an interval without executions. */
    a.slice_min = b.slice_min;
    a.slice_max = b.slice_max;
    a.wait_max = b.wait_max;
    return memcmp(&a, &b, sizeof a) == 0;
}

/* ---- Rows. */

static enum xm_status put_row(struct xm_store *s, enum xm_scope scope, const int64_t *key, const void *row,
                              bool detail, struct xm_error *err)
{
    size_t count;
    sqlite3_stmt *stmt = s->put[scope];
    const struct xm_history_column *column = xm_history_columns(scope, &count);
    for (int i = 0; i < keys[scope]; i++)
        sqlite3_bind_int64(stmt, i + 1, key[i]);
    for (size_t i = 0; i < count; i++) {
        int at = keys[scope] + (int)i + 1;
        if (column[i].detail && !detail)
            sqlite3_bind_null(stmt, at);
        else
            bind_u64(stmt, at, *(const uint64_t *)(const void *)((const char *)row + column[i].offset));
    }
    int code = sqlite3_step(stmt);
    enum xm_status status = code == SQLITE_DONE ? XM_OK : xm_history_fault(s->db, err);
    sqlite3_reset(stmt);
    return status;
}

static enum xm_status put_domain(struct xm_store *s, const struct xm_sample *sample, uint32_t slot,
                                 const struct xm_region_domain *fact, bool detail, bool *kept,
                                 struct xm_error *err)
{
    const struct xm_domain_row *row = &sample->domain[slot];
    *kept = false;
    if (row->id == 0)
        return XM_OK;
    enum xm_status status = know(s, slot, row->id, fact, err);
    struct known *k = &s->known[slot];
    if (status != XM_OK || says_nothing(k, row, sample, detail))
        return status;
    int64_t key[2] = {s->sample, k->domain};
    *kept = true;
    k->last = s->sample;
    k->touched = true;
    k->row = *row;
    k->detail = detail;
    /* The slow series does not say so, and the facts do. */
    if (!detail)
        k->row.ended = k->fact.ended_tsc != 0 && sample->host.tsc > k->fact.ended_tsc;
    return put_row(s, XM_SCOPE_DOMAIN, key, row, detail, err);
}

static enum xm_status put_rows(struct xm_store *s, const struct xm_sample *sample,
                               const struct xm_region_domain *fact, bool detail, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    for (uint32_t slot = 0; slot < sample->used.domains && status == XM_OK; slot++) {
        bool kept;
        status = put_domain(s, sample, slot, &fact[slot], detail, &kept, err);
    }
    for (uint32_t i = 0; i < sample->used.vcpus && status == XM_OK; i++) {
        const struct xm_vcpu_row *row = &sample->vcpu[i];
        uint32_t slot = sample->vcpu_domain[i];
        if (row->id == 0 || slot >= sample->used.domains || s->known[slot].last != s->sample)
            continue;
        int64_t key[3] = {s->sample, s->known[slot].domain, xm_row_vcpu(row->id)};
        status = put_row(s, XM_SCOPE_VCPU, key, row, detail, err);
    }
    for (uint32_t i = 0; i < sample->used.pcpus && status == XM_OK; i++) {
        const struct xm_pcpu_row *row = &sample->pcpu[i];
        int64_t key[2] = {s->sample, (int64_t)(row->id & ID_MASK)};
        if (row->id)
            status = put_row(s, XM_SCOPE_PCPU, key, row, detail, err);
    }
    return status;
}

enum xm_status xm_store_put(struct xm_store *s, const struct xm_sample *sample,
                            const struct xm_region_domain *fact, bool detail, struct xm_error *err)
{
    if (!make_room(s, sample->used.domains))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    s->sample++;
    int64_t key[3] = {s->sample, s->run, detail};
    enum xm_status status = put_row(s, XM_SCOPE_HOST, key, &sample->host, detail, err);
    return status == XM_OK ? put_rows(s, sample, fact, detail, err) : status;
}

/* ---- The transaction's end. */

void xm_store_rollback(struct xm_store *s)
{
    int64_t newest = 0;
    if (!s->open)
        return;
    s->open = false;
    forget(s);
    s->run = 0;
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    if (xm_history_number(s->db, "SELECT max(id) FROM sample", 0, &newest, NULL) == XM_OK)
        s->sample = newest;
}

enum xm_status xm_store_commit(struct xm_store *s, bool ended, struct xm_error *err)
{
    char sql[80];
    enum xm_status status = XM_OK;
    for (uint32_t i = 0; i < s->slots && status == XM_OK; i++)
        if (s->known[i].id && s->known[i].touched && s->known[i].last)
            status = update_domain(s, &s->known[i], err);
    snprintf(sql, sizeof sql, "UPDATE run SET ended = 1 WHERE id = %lld", (long long)s->run);
    if (status == XM_OK && ended)
        status = xm_history_exec(s->db, sql, err);
    if (status == XM_OK)
        status = xm_history_exec(s->db, "COMMIT", err);
    if (status != XM_OK)
        xm_store_rollback(s);
    else
        s->open = false;
    return status;
}
