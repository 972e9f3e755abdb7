/* SPDX-License-Identifier: MIT */
#include "history/thin.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "history/schema.h"
#include "xenmon/units.h"

#define MINUTE_NS     (60 * XM_NS_PER_S)
#define HOUR_NS       (60 * MINUTE_NS)
#define DAY_NS        (24 * HOUR_NS)
#define UNTOUCHED_NS  (10 * MINUTE_NS)
#define PIECE         2000 /* samples looked at in one go */
#define MOST_HALVINGS 12

struct xm_retention xm_retention_default(void)
{
    return (struct xm_retention){
        .rule = {{XM_NS_PER_S, DAY_NS}, {MINUTE_NS, 31 * DAY_NS}, {HOUR_NS, 731 * DAY_NS}},
        .rules = 3,
        .max_bytes = UINT64_C(1) << 30,
    };
}

const char *xm_retention_fault(const struct xm_retention *r)
{
    if (r->rules == 0)
        return "there is no rule";
    for (size_t i = 0; i < r->rules; i++) {
        if (r->rule[i].step_ns == 0 || r->rule[i].age_ns == 0)
            return "a step or an age is 0";
        if (i && (r->rule[i].step_ns <= r->rule[i - 1].step_ns || r->rule[i].age_ns <= r->rule[i - 1].age_ns))
            return "from rule to rule both the step and the age must grow";
    }
    return NULL;
}

/* What must not be thinned, sorted: samples at which a run or a life begins or ends. */
struct kept {
    int64_t *sample;
    size_t count;
};

static enum xm_status read_kept(sqlite3 *db, struct kept *kept, struct xm_error *err)
{
    sqlite3_stmt *stmt;
    size_t room = 0;
    int code;
    enum xm_status status = xm_history_prepare(
        db,
        "SELECT first_sample FROM domain UNION SELECT last_sample FROM domain UNION "
        "SELECT min(id) FROM sample GROUP BY run UNION SELECT max(id) FROM sample GROUP BY run ORDER BY 1",
        &stmt, err);
    if (status != XM_OK)
        return status;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (kept->count == room) {
            room = room ? 2 * room : 256;
            int64_t *more = realloc(kept->sample, room * sizeof *more);
            if (!more) {
                sqlite3_finalize(stmt);
                return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
            }
            kept->sample = more;
        }
        kept->sample[kept->count++] = sqlite3_column_int64(stmt, 0);
    }
    if (code != SQLITE_DONE)
        status = xm_history_fault(db, err);
    sqlite3_finalize(stmt);
    return status;
}

static int compare_samples(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_kept(const struct kept *kept, int64_t sample)
{
    return kept->count && bsearch(&sample, kept->sample, kept->count, sizeof sample, compare_samples) != NULL;
}

/* ---- Deleting. */

/* Samples from `first` to before `end`, with all their rows. */
static enum xm_status delete_samples(sqlite3 *db, int64_t first, int64_t end, struct xm_error *err)
{
    static const char *const tables[][2] = {
        {"vcpu_sample", "sample"}, {"domain_sample", "sample"}, {"pcpu_sample", "sample"}, {"sample", "id"}};
    enum xm_status status = XM_OK;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && status == XM_OK; i++) {
        char sql[160];
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s >= %lld AND %s < %lld", tables[i][0], tables[i][1],
                 (long long)first, tables[i][1], (long long)end);
        status = xm_history_exec(db, sql, err);
    }
    return status;
}

/* All samples before `end`, and what existed then only. */
static enum xm_status expire(sqlite3 *db, int64_t end, struct xm_error *err)
{
    char sql[320];
    /* A run whose beginning is gone begins with what is left. */
    snprintf(sql, sizeof sql,
             "UPDATE run SET origin = 0 WHERE id IN (SELECT run FROM sample WHERE id < %lld)",
             (long long)end);
    enum xm_status status = xm_history_exec(db, sql, err);
    if (status == XM_OK)
        status = delete_samples(db, 0, end, err);
    snprintf(sql, sizeof sql,
             "DELETE FROM domain WHERE last_sample < %lld; "
             "UPDATE domain SET first_sample = %lld WHERE first_sample < %lld; "
             "DELETE FROM run WHERE id NOT IN (SELECT run FROM sample) AND id <> (SELECT max(id) FROM run)",
             (long long)end, (long long)end, (long long)end);
    return status == XM_OK ? xm_history_exec(db, sql, err) : status;
}

/* ---- Levels. */

struct thinning {
    sqlite3 *db;
    const struct xm_retention *retention;
    int64_t newest_ns; /* CLOCK_REALTIME of the newest sample */
    struct kept kept;
    bool kept_read;
};

static int64_t cutoff(const struct thinning *t, size_t level, unsigned halvings)
{
    uint64_t age = t->retention->rule[level].age_ns >> halvings;
    age = age < UNTOUCHED_NS ? UNTOUCHED_NS : age;
    return age < (uint64_t)t->newest_ns ? t->newest_ns - (int64_t)age : 0;
}

/*
 * The first sample behind `after` that is not older than `limit_ns`; one of the future, by a clock that was
 * wrong,
 * hides none.
 */
static enum xm_status first_since(const struct thinning *t, int64_t after, int64_t limit_ns, int64_t *sample,
                                  struct xm_error *err)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT id FROM sample WHERE id > %lld AND real >= %lld AND real <= %lld ORDER BY id LIMIT 1",
             (long long)after, (long long)limit_ns, (long long)t->newest_ns);
    return xm_history_number(t->db, sql, 0, sample, err);
}

static enum xm_status read_marker(const struct thinning *t, size_t level, int64_t *reached,
                                  struct xm_error *err)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT reached FROM thinned WHERE level = %zu", level);
    return xm_history_number(t->db, sql, 0, reached, err);
}

static enum xm_status write_marker(const struct thinning *t, size_t level, int64_t reached,
                                   struct xm_error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO thinned(level, reached) VALUES (%zu, %lld)", level,
             (long long)reached);
    return xm_history_exec(t->db, sql, err);
}

/* Where a sample falls on the grid of a level, so that the first one of each cell stays. */
struct cell {
    int64_t run, number;
};

static enum xm_status cell_before(const struct thinning *t, int64_t reached, int64_t step_ns,
                                  struct cell *cell, struct xm_error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT run FROM sample WHERE id <= %lld ORDER BY id DESC LIMIT 1",
             (long long)reached);
    enum xm_status status = xm_history_number(t->db, sql, -1, &cell->run, err);
    snprintf(sql, sizeof sql, "SELECT real / %lld FROM sample WHERE id <= %lld ORDER BY id DESC LIMIT 1",
             (long long)step_ns, (long long)reached);
    return status == XM_OK ? xm_history_number(t->db, sql, -1, &cell->number, err) : status;
}

/*
 * Walks over the samples after *reached, up to `limit_ns`, and deletes all but the first of each cell.  *reached
 * moves on.
 */
static enum xm_status walk(struct thinning *t, int64_t step_ns, int64_t limit_ns, int64_t *reached,
                           struct xm_error *err)
{
    sqlite3_stmt *stmt;
    struct cell last;
    int64_t doomed[PIECE];
    size_t count = 0;
    int code = SQLITE_DONE;
    enum xm_status status = cell_before(t, *reached, step_ns, &last, err);
    if (status == XM_OK)
        status = xm_history_prepare(t->db, "SELECT id, run, real FROM sample WHERE id > ? ORDER BY id", &stmt,
                                    err);
    if (status != XM_OK)
        return status;
    sqlite3_bind_int64(stmt, 1, *reached);
    for (int seen = 0; seen < PIECE && (code = sqlite3_step(stmt)) == SQLITE_ROW; seen++) {
        int64_t sample = sqlite3_column_int64(stmt, 0), real = sqlite3_column_int64(stmt, 2);
        struct cell cell = {sqlite3_column_int64(stmt, 1), real / step_ns};
        if (real >= limit_ns && real <= t->newest_ns)
            break;
        bool same = cell.run == last.run && cell.number == last.number;
        if (same && real < limit_ns && !is_kept(&t->kept, sample))
            doomed[count++] = sample;
        last = cell;
        *reached = sample;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = xm_history_fault(t->db, err);
    sqlite3_finalize(stmt);
    for (size_t i = 0; i < count && status == XM_OK; i++)
        status = delete_samples(t->db, doomed[i], doomed[i] + 1, err);
    return status;
}

/* One piece of deleting what is older than the last rule allows. */
static enum xm_status expire_level(struct thinning *t, bool *worked, struct xm_error *err)
{
    int64_t end = 0, oldest = 0;
    enum xm_status status = first_since(t, 0, cutoff(t, t->retention->rules - 1, 0), &end, err);
    if (status == XM_OK)
        status = xm_history_number(t->db, "SELECT min(id) FROM sample", 0, &oldest, err);
    *worked = status == XM_OK && oldest && oldest < end;
    return *worked ? expire(t->db, oldest + PIECE < end ? oldest + PIECE : end, err) : status;
}

/* One piece of thinning what is older than rule `level` allows.  *worked: there was something. */
static enum xm_status thin_level(struct thinning *t, size_t level, unsigned halvings, bool *worked,
                                 struct xm_error *err)
{
    int64_t end = 0, reached = 0;
    int64_t limit = cutoff(t, level, halvings);
    if (level + 1 == t->retention->rules)
        return expire_level(t, worked, err);
    enum xm_status status = read_marker(t, level, &reached, err);
    if (status == XM_OK)
        status = first_since(t, reached, limit, &end, err);
    int64_t before = reached;
    if (status != XM_OK || reached + 1 >= end)
        return status;
    if (!t->kept_read) {
        status = read_kept(t->db, &t->kept, err);
        t->kept_read = true;
    }
    if (status == XM_OK)
        status = walk(t, (int64_t)t->retention->rule[level + 1].step_ns, limit, &reached, err);
    *worked = reached != before;
    return status == XM_OK && *worked ? write_marker(t, level, reached, err) : status;
}

static enum xm_status thin_by_age(struct thinning *t, unsigned halvings, bool *worked, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    *worked = false;
    for (size_t level = t->retention->rules; level-- > 0 && status == XM_OK && !*worked;)
        status = thin_level(t, level, halvings, worked, err);
    return status;
}

static enum xm_status is_too_large(sqlite3 *db, uint64_t max_bytes, bool *large, struct xm_error *err)
{
    int64_t pages = 0, unused = 0, bytes = 0;
    enum xm_status status = xm_history_number(db, "PRAGMA page_count", 0, &pages, err);
    if (status == XM_OK)
        status = xm_history_number(db, "PRAGMA freelist_count", 0, &unused, err);
    if (status == XM_OK)
        status = xm_history_number(db, "PRAGMA page_size", 0, &bytes, err);
    *large = max_bytes && (uint64_t)(pages - unused) * (uint64_t)bytes > max_bytes;
    return status;
}

/* All is as coarse as it gets: the oldest must go. */
static enum xm_status give_up_oldest(struct thinning *t, bool *worked, struct xm_error *err)
{
    int64_t end = 0, oldest = 0;
    int64_t limit = t->newest_ns > (int64_t)UNTOUCHED_NS ? t->newest_ns - (int64_t)UNTOUCHED_NS : 0;
    enum xm_status status = first_since(t, 0, limit, &end, err);
    if (status == XM_OK)
        status = xm_history_number(t->db, "SELECT min(id) FROM sample", 0, &oldest, err);
    *worked = status == XM_OK && oldest < end;
    if (!*worked)
        return status;
    int64_t piece = (end - oldest) / 8 + 1;
    return expire(t->db, oldest + (piece < PIECE ? piece : PIECE), err);
}

static enum xm_status do_piece(struct thinning *t, bool *worked, struct xm_error *err)
{
    bool large = false;
    enum xm_status status = thin_by_age(t, 0, worked, err);
    if (status == XM_OK && !*worked)
        status = is_too_large(t->db, t->retention->max_bytes, &large, err);
    for (unsigned halvings = 1; large && halvings <= MOST_HALVINGS && status == XM_OK && !*worked; halvings++)
        status = thin_by_age(t, halvings, worked, err);
    if (large && status == XM_OK && !*worked)
        status = give_up_oldest(t, worked, err);
    return status;
}

enum xm_status xm_history_thin(struct sqlite3 *db, const struct xm_retention *retention, bool *more,
                               struct xm_error *err)
{
    struct thinning t = {.db = db, .retention = retention};
    *more = false;
    enum xm_status status = xm_history_exec(db, "BEGIN IMMEDIATE", err);
    if (status != XM_OK)
        return status;
    status = xm_history_number(db, "SELECT real FROM sample ORDER BY id DESC LIMIT 1", 0, &t.newest_ns, err);
    if (status == XM_OK && t.newest_ns > 0)
        status = do_piece(&t, more, err);
    if (status == XM_OK)
        status = xm_history_exec(db, "COMMIT", err);
    if (status != XM_OK)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    free(t.kept.sample);
    return status == XM_OK && *more ? xm_history_exec(db, "PRAGMA incremental_vacuum(4000)", err) : status;
}
