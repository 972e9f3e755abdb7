/* SPDX-License-Identifier: MIT */
/*
 * The database of the durable history: its tables, its version, how it is opened.
 *
 * DIR/history.db is SQLite in WAL mode; doc/history.md explains every table and column.  Every counter is
 * cumulative since its run began, in cycles, so that any row between two others can be deleted and the
 * difference of what remains is as exact as before.
 *
 * Threads: a handle is used by one thread.
 */
#ifndef XM_HISTORY_SCHEMA_H
#define XM_HISTORY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/sample.h"
#include "xenmon/status.h"

struct sqlite3;
struct sqlite3_stmt;

#define XM_HISTORY_FILE        "history.db"
#define XM_HISTORY_LOCK        "history.lock"
#define XM_HISTORY_APPLICATION 0x584d4844 /* "XMHD": PRAGMA application_id */
#define XM_HISTORY_VERSION     1          /* PRAGMA user_version */

/* A metric that is kept: its column, and where the row structure has it. */
struct xm_history_column {
    const char *name;
    size_t offset; /* in struct xm_*_row, bytes */
    bool detail;   /* of the fast series: NULL where only the slow sample was left to read */
};

/* The columns of a scope's rows in their order; *count elements.  Pairs are not kept: none. */
const struct xm_history_column *xm_history_columns(enum xm_scope scope, size_t *count);

/*
 * Opens DIR/history.db to read.  A database that nobody writes is read where it lies, also from a directory
 * that is not ours.  On failure *db is NULL and err names the file: XM_IO (not there, not permitted),
 * XM_UNSUPPORTED (of a newer version, or of another program), XM_DAMAGED (no database, with SQLite's words).
 */
enum xm_status xm_history_open_reader(const char *directory, struct sqlite3 **db,
                                      struct xm_error *err) XM_MUST_CHECK;

/*
 * Whether it could be opened so, without waiting: one that another process has locked at the moment can.  XM_OK, and
 * what xm_history_open_reader() says.
 */
enum xm_status xm_history_try_reader(const char *directory, struct xm_error *err) XM_MUST_CHECK;

/*
 * Opens it to write, and makes it (mode 0640) where there is none; an older version is brought up to date in
 * one transaction.  Who calls this holds the lock of the directory.  Never overwrites what it does not know:
 * the same statuses, and XM_FULL where the file system has no room.
 */
enum xm_status xm_history_open_writer(const char *directory, struct sqlite3 **db,
                                      struct xm_error *err) XM_MUST_CHECK;

/* NULL is fine. */
void xm_history_close(struct sqlite3 *db);

/*
 * What SQLite's last result on `db` means, with its words in err and `path` (may be NULL: the main file)
 * before them.
 * XM_FULL: no room; XM_DAMAGED; XM_AGAIN: busy; XM_DENIED: read-only; XM_NOMEM; XM_IO for all else.
 */
enum xm_status xm_history_fault(struct sqlite3 *db, struct xm_error *err);

/* Runs statements that return nothing.  Statuses of xm_history_fault(). */
enum xm_status xm_history_exec(struct sqlite3 *db, const char *sql, struct xm_error *err) XM_MUST_CHECK;

/* Prepares one; finalised by sqlite3_finalize(). */
enum xm_status xm_history_prepare(struct sqlite3 *db, const char *sql, struct sqlite3_stmt **stmt,
                                  struct xm_error *err) XM_MUST_CHECK;

/* The first column of the first row of a query, or `otherwise` where it has none. */
enum xm_status xm_history_number(struct sqlite3 *db, const char *sql, int64_t otherwise, int64_t *number,
                                 struct xm_error *err) XM_MUST_CHECK;

/*
 * Appends the names of a scope's columns, each with `before` in front: ", running, runnable".  False: no
 * room.
 */
bool xm_history_names(enum xm_scope scope, const char *before, char *text, size_t size);

#endif
