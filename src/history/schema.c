/* SPDX-License-Identifier: MIT */
#include "history/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS   5000
#define SQL_BYTES 4096

#define BOTH(type, member)                                                                                   \
    {                                                                                                        \
#member, offsetof(struct type, member), false                                                        \
    }
#define FAST(type, member)                                                                                   \
    {                                                                                                        \
#member, offsetof(struct type, member), true                                                         \
    }

/* The columns of version 1, and not "all metrics": a metric more in metrics.def changes no database. */
static const struct xm_history_column host_columns[] = {
    BOTH(xm_host_row, tsc),     BOTH(xm_host_row, mono),      BOTH(xm_host_row, real),
    BOTH(xm_host_row, window),  BOTH(xm_host_row, records),   BOTH(xm_host_row, lost_records),
    BOTH(xm_host_row, gap),     BOTH(xm_host_row, anomalies), BOTH(xm_host_row, damaged_bytes),
    FAST(xm_host_row, refused), FAST(xm_host_row, passes),    FAST(xm_host_row, wakeups),
    FAST(xm_host_row, own_cpu), FAST(xm_host_row, virqs),     FAST(xm_host_row, bogus),
    FAST(xm_host_row, stolen),  FAST(xm_host_row, repaired),  FAST(xm_host_row, dropped),
};

static const struct xm_history_column domain_columns[] = {
    BOTH(xm_domain_row, vcpus),
    BOTH(xm_domain_row, running),
    BOTH(xm_domain_row, runnable),
    BOTH(xm_domain_row, blocked),
    BOTH(xm_domain_row, offline),
    BOTH(xm_domain_row, unknown),
    BOTH(xm_domain_row, wait_any),
    BOTH(xm_domain_row, executions),
    BOTH(xm_domain_row, page_transfers),
    BOTH(xm_domain_row, grant_maps),
    BOTH(xm_domain_row, grant_unmaps),
    FAST(xm_domain_row, ended),
    FAST(xm_domain_row, late_running),
    FAST(xm_domain_row, late_runnable),
    FAST(xm_domain_row, late_blocked),
    FAST(xm_domain_row, late_offline),
    FAST(xm_domain_row, wait_wake),
    FAST(xm_domain_row, wait_preempt),
    FAST(xm_domain_row, wait_other),
    FAST(xm_domain_row, migrations),
    FAST(xm_domain_row, preemptions),
    FAST(xm_domain_row, yields),
    FAST(xm_domain_row, slices),
    FAST(xm_domain_row, slice_sum),
    FAST(xm_domain_row, done_transfers),
    FAST(xm_domain_row, done_maps),
    FAST(xm_domain_row, done_unmaps),
    FAST(xm_domain_row, done_copies),
    FAST(xm_domain_row, online),
    FAST(xm_domain_row, paused),
    FAST(xm_domain_row, weight),
    FAST(xm_domain_row, cap),
    FAST(xm_domain_row, vifs),
    FAST(xm_domain_row, vbds),
    FAST(xm_domain_row, received_bytes),
    FAST(xm_domain_row, received_packets),
    FAST(xm_domain_row, sent_bytes),
    FAST(xm_domain_row, sent_packets),
    FAST(xm_domain_row, disk_reads),
    FAST(xm_domain_row, disk_writes),
    FAST(xm_domain_row, disk_read_bytes),
    FAST(xm_domain_row, disk_write_bytes),
    FAST(xm_domain_row, cpu_time),
};

static const struct xm_history_column vcpu_columns[] = {
    BOTH(xm_vcpu_row, running),       BOTH(xm_vcpu_row, runnable),     BOTH(xm_vcpu_row, blocked),
    BOTH(xm_vcpu_row, offline),       BOTH(xm_vcpu_row, unknown),      FAST(xm_vcpu_row, late_running),
    FAST(xm_vcpu_row, late_runnable), FAST(xm_vcpu_row, late_blocked), FAST(xm_vcpu_row, late_offline),
    FAST(xm_vcpu_row, wait_wake),     FAST(xm_vcpu_row, wait_preempt), FAST(xm_vcpu_row, wait_other),
    FAST(xm_vcpu_row, executions),    FAST(xm_vcpu_row, migrations),   FAST(xm_vcpu_row, preemptions),
    FAST(xm_vcpu_row, yields),        FAST(xm_vcpu_row, slices),       FAST(xm_vcpu_row, slice_sum),
    FAST(xm_vcpu_row, state),         FAST(xm_vcpu_row, pcpu),
};

static const struct xm_history_column pcpu_columns[] = {
    BOTH(xm_pcpu_row, busy),           BOTH(xm_pcpu_row, idle),
    BOTH(xm_pcpu_row, switching),      BOTH(xm_pcpu_row, unknown),
    FAST(xm_pcpu_row, late_busy),      FAST(xm_pcpu_row, late_idle),
    FAST(xm_pcpu_row, late_switching), FAST(xm_pcpu_row, executions),
    FAST(xm_pcpu_row, lost_records),   FAST(xm_pcpu_row, gap),
};

const struct xm_history_column *xm_history_columns(enum xm_scope scope, size_t *count)
{
    static const struct {
        const struct xm_history_column *column;
        size_t count;
    } all[XM_SCOPES] = {
        [XM_SCOPE_HOST] = {host_columns, sizeof host_columns / sizeof host_columns[0]},
        [XM_SCOPE_DOMAIN] = {domain_columns, sizeof domain_columns / sizeof domain_columns[0]},
        [XM_SCOPE_VCPU] = {vcpu_columns, sizeof vcpu_columns / sizeof vcpu_columns[0]},
        [XM_SCOPE_PCPU] = {pcpu_columns, sizeof pcpu_columns / sizeof pcpu_columns[0]},
    };
    *count = all[scope].count;
    return all[scope].column;
}

bool xm_history_names(enum xm_scope scope, const char *before, char *text, size_t size)
{
    size_t count;
    size_t used = strlen(text);
    const struct xm_history_column *column = xm_history_columns(scope, &count);
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(text + used, size - used, ", %s%s", before, column[i].name);
        if (n < 0 || (size_t)n >= size - used)
            return false;
        used += (size_t)n;
    }
    return true;
}

/* ---- Faults. */

static enum xm_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return XM_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return XM_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return XM_AGAIN;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return XM_DENIED;
    case SQLITE_NOMEM:
        return XM_NOMEM;
    default:
        return XM_IO;
    }
}

enum xm_status xm_history_fault(struct sqlite3 *db, struct xm_error *err)
{
    int code = sqlite3_extended_errcode(db);
    int system = sqlite3_system_errno(db);
    const char *path = sqlite3_db_filename(db, NULL);
    enum xm_status status = status_of(code);
    /* A write that the file system has no room for is an I/O error to SQLite where it is not a page's. */
    if (status == XM_IO && (system == ENOSPC || system == EDQUOT))
        status = XM_FULL;
    /* A schema that cannot be understood is damage as well. */
    if ((code & 0xff) == SQLITE_ERROR)
        status = XM_DAMAGED;
    bool more = status == XM_IO && system != 0;
    return xm_fail(err, status, XM_NO_OFFSET, "%s: %s%s%s", path && *path ? path : XM_HISTORY_FILE,
                   sqlite3_errmsg(db), more ? ": " : "", more ? strerror(system) : "");
}

enum xm_status xm_history_exec(struct sqlite3 *db, const char *sql, struct xm_error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? XM_OK : xm_history_fault(db, err);
}

enum xm_status xm_history_prepare(struct sqlite3 *db, const char *sql, struct sqlite3_stmt **stmt,
                                  struct xm_error *err)
{
    return sqlite3_prepare_v2(db, sql, -1, stmt, NULL) == SQLITE_OK ? XM_OK : xm_history_fault(db, err);
}

enum xm_status xm_history_number(struct sqlite3 *db, const char *sql, int64_t otherwise, int64_t *number,
                                 struct xm_error *err)
{
    sqlite3_stmt *stmt;
    enum xm_status status = xm_history_prepare(db, sql, &stmt, err);
    if (status != XM_OK)
        return status;
    int code = sqlite3_step(stmt);
    *number = code == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL
                  ? sqlite3_column_int64(stmt, 0)
                  : otherwise;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = xm_history_fault(db, err);
    sqlite3_finalize(stmt);
    return status;
}

/* ---- Tables. */

static const char plain_tables[] =
    "CREATE TABLE run(id INTEGER PRIMARY KEY, lineage INTEGER NOT NULL, source INTEGER NOT NULL, source_name "
    "TEXT NOT NULL,"
    " hypervisor TEXT NOT NULL, scheduler TEXT NOT NULL, states_from TEXT NOT NULL, tsc_hz INTEGER NOT NULL,"
    " tsc_hz_from TEXT NOT NULL, io_seen INTEGER NOT NULL, host_cpus INTEGER NOT NULL, origin INTEGER NOT "
    "NULL,"
    " ended INTEGER NOT NULL);"
    "CREATE TABLE domain(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, row INTEGER NOT NULL, name TEXT NOT "
    "NULL,"
    " uuid TEXT NOT NULL, created_tsc INTEGER NOT NULL, ended_tsc INTEGER NOT NULL, first_sample INTEGER NOT "
    "NULL,"
    " last_sample INTEGER NOT NULL, UNIQUE(run, row));"
    "CREATE TABLE thinned(level INTEGER PRIMARY KEY, reached INTEGER NOT NULL);";

static enum xm_status make_table(sqlite3 *db, enum xm_scope scope, const char *head, const char *tail,
                                 struct xm_error *err)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "%s", head);
    if (!xm_history_names(scope, "", sql, sizeof sql) || strlen(sql) + strlen(tail) >= sizeof sql)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "the description of a table is too long");
    snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%s", tail);
    return xm_history_exec(db, sql, err);
}

/* From nothing to version 1. */
static enum xm_status create(sqlite3 *db, struct xm_error *err)
{
    enum xm_status status = xm_history_exec(db, plain_tables, err);
    if (status == XM_OK)
        status = make_table(db, XM_SCOPE_HOST,
                            "CREATE TABLE sample(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, "
                            "detail INTEGER NOT NULL",
                            "); CREATE INDEX sample_run ON sample(run);", err);
    if (status == XM_OK)
        status = make_table(db, XM_SCOPE_DOMAIN, "CREATE TABLE domain_sample(sample INTEGER, domain INTEGER",
                            ", PRIMARY KEY(sample, domain)) WITHOUT ROWID", err);
    if (status == XM_OK)
        status = make_table(db, XM_SCOPE_VCPU,
                            "CREATE TABLE vcpu_sample(sample INTEGER, domain INTEGER, vcpu INTEGER",
                            ", PRIMARY KEY(sample, domain, vcpu)) WITHOUT ROWID", err);
    if (status == XM_OK)
        status = make_table(db, XM_SCOPE_PCPU, "CREATE TABLE pcpu_sample(sample INTEGER, pcpu INTEGER",
                            ", PRIMARY KEY(sample, pcpu)) WITHOUT ROWID", err);
    return status;
}

/* migration[v]: from version v to v + 1, within a transaction. */
static enum xm_status (*const migration[])(sqlite3 *db, struct xm_error *err) = {create};
_Static_assert(sizeof migration / sizeof migration[0] == XM_HISTORY_VERSION, "a migration for every version");

static enum xm_status migrate(sqlite3 *db, int64_t version, struct xm_error *err)
{
    char sql[128];
    enum xm_status status = xm_history_exec(db, "BEGIN IMMEDIATE", err);
    for (int64_t v = version; v < XM_HISTORY_VERSION && status == XM_OK; v++)
        status = migration[v](db, err);
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             XM_HISTORY_APPLICATION, XM_HISTORY_VERSION);
    if (status == XM_OK)
        status = xm_history_exec(db, sql, err);
    if (status != XM_OK)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---- Opening. */

static bool database_path(const char *directory, char path[PATH_MAX], struct xm_error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/" XM_HISTORY_FILE, directory);
    if (n > 0 && n < PATH_MAX)
        return true;
    xm_fail(err, XM_INVALID, XM_NO_OFFSET, "the directory's name is too long");
    return false;
}

/* Whether it is ours and of a version that we know.  *version: 0 where it is empty. */
static enum xm_status identify(sqlite3 *db, const char *path, int64_t *version, struct xm_error *err)
{
    int64_t application = 0, tables = 0;
    enum xm_status status = xm_history_number(db, "PRAGMA application_id", 0, &application, err);
    if (status == XM_OK)
        status = xm_history_number(db, "PRAGMA user_version", 0, version, err);
    if (status == XM_OK)
        status = xm_history_number(db, "SELECT count(*) FROM sqlite_master", 0, &tables, err);
    if (status != XM_OK)
        return status;
    if (application == 0 && *version == 0 && tables == 0)
        return XM_OK;
    if (application != XM_HISTORY_APPLICATION)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "%s: a database of another program (application id 0x%08x)", path,
                       (unsigned)application);
    if (*version > XM_HISTORY_VERSION)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "%s: of version %lld, and this xenmon knows versions up to %d", path,
                       (long long)*version, XM_HISTORY_VERSION);
    return *version < 0
               ? xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s: of version %lld", path, (long long)*version)
               : XM_OK;
}

/* busy_ms: how long one that another process has locked is waited for. */
static enum xm_status open_file(const char *path, int flags, int busy_ms, sqlite3 **db, struct xm_error *err)
{
    int code = sqlite3_open_v2(path, db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(*db, 1);
        sqlite3_busy_timeout(*db, busy_ms);
        return XM_OK;
    }
    enum xm_status status = xm_fail(err, status_of(code), XM_NO_OFFSET, "%s: %s", path,
                                    *db ? sqlite3_errmsg(*db) : sqlite3_errstr(code));
    sqlite3_close(*db);
    *db = NULL;
    return status;
}

void xm_history_close(struct sqlite3 *db)
{
    sqlite3_close(db);
}

/* As SQLite wants the name of a file in a URI: "%", "?" and "#" are its own. */
static bool as_uri(const char *path, char *uri, size_t size)
{
    int n = snprintf(uri, size, "file:");
    size_t used = (size_t)n;
    for (; *path; path++) {
        bool own = strchr("%?#", *path) != NULL;
        if (used + 4 + sizeof "?immutable=1" > size)
            return false;
        n = snprintf(uri + used, size - used, own ? "%%%02x" : "%c", (unsigned char)*path);
        used += (size_t)n;
    }
    snprintf(uri + used, size - used, "?immutable=1");
    return true;
}

/* Where nobody writes there is no log beside it, and nothing to make one with in a directory of others. */
static enum xm_status open_still(const char *path, int busy_ms, sqlite3 **db, struct xm_error *err)
{
    char beside[PATH_MAX + 8];
    char uri[3 * PATH_MAX + 32];
    snprintf(beside, sizeof beside, "%s-wal", path);
    if (access(beside, F_OK) == 0 || !as_uri(path, uri, sizeof uri))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: it cannot be read without writing to its directory",
                       path);
    return open_file(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, busy_ms, db, err);
}

static enum xm_status open_reader(const char *directory, int busy_ms, struct sqlite3 **db, struct xm_error *err)
{
    char path[PATH_MAX];
    int64_t version = 0;
    *db = NULL;
    if (!database_path(directory, path, err))
        return XM_INVALID;
    if (access(path, R_OK) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    struct xm_error first = {.offset = XM_NO_OFFSET};
    enum xm_status status = open_file(path, SQLITE_OPEN_READONLY, busy_ms, db, &first);
    if (status == XM_OK)
        status = identify(*db, path, &version, &first);
    if (status == XM_IO || status == XM_DENIED) {
        sqlite3_close(*db);
        *db = NULL;
        xm_error_clear(&first);
        status = open_still(path, busy_ms, db, &first);
        if (status == XM_OK)
            status = identify(*db, path, &version, &first);
    }
    if (status == XM_OK && version == 0)
        status = xm_fail(&first, XM_IO, XM_NO_OFFSET, "%s: nothing has been written to it yet", path);
    if (status == XM_OK)
        status = xm_history_exec(*db, "PRAGMA query_only = 1; PRAGMA cache_size = -16384", &first);
    if (status == XM_OK)
        return XM_OK;
    sqlite3_close(*db);
    *db = NULL;
    return xm_fail(err, status, XM_NO_OFFSET, "%s", first.text);
}

enum xm_status xm_history_open_reader(const char *directory, struct sqlite3 **db, struct xm_error *err)
{
    return open_reader(directory, BUSY_MS, db, err);
}

enum xm_status xm_history_try_reader(const char *directory, struct xm_error *err)
{
    sqlite3 *db;
    struct xm_error why = {.offset = XM_NO_OFFSET};
    enum xm_status status = open_reader(directory, 0, &db, &why);
    sqlite3_close(db);
    return status == XM_OK || status == XM_AGAIN ? XM_OK : xm_fail(err, status, XM_NO_OFFSET, "%s", why.text);
}

/* The file itself, so that it has the mode that its log and its index get too. */
static enum xm_status make_file(const char *path, struct xm_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd >= 0) {
        close(fd);
        return XM_OK;
    }
    enum xm_status status = errno == ENOSPC || errno == EDQUOT  ? XM_FULL
                            : errno == EACCES || errno == EROFS ? XM_DENIED
                                                                : XM_IO;
    return xm_fail(err, status, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
}

enum xm_status xm_history_open_writer(const char *directory, struct sqlite3 **db, struct xm_error *err)
{
    char path[PATH_MAX];
    int64_t version = 0;
    *db = NULL;
    if (!database_path(directory, path, err))
        return XM_INVALID;
    enum xm_status status = make_file(path, err);
    if (status == XM_OK)
        status = open_file(path, SQLITE_OPEN_READWRITE, BUSY_MS, db, err);
    if (status != XM_OK)
        return status;
    status = identify(*db, path, &version, err);
    /* Before the first table: how pages come back cannot be changed later. */
    if (status == XM_OK && version == 0)
        status = xm_history_exec(*db, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (status == XM_OK)
        status = xm_history_exec(*db,
                                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                                 "PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -8192",
                                 err);
    if (status == XM_OK && version < XM_HISTORY_VERSION)
        status = migrate(*db, version, err);
    if (status != XM_OK) {
        sqlite3_close(*db);
        *db = NULL;
    }
    return status;
}
