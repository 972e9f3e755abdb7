/* SPDX-License-Identifier: MIT */
/*
 * What makes a program a daemon: its log, its way into the background, its pid file, its signals.
 *
 * Threads: for the main thread only.
 */
#ifndef XM_CMD_DAEMON_H
#define XM_CMD_DAEMON_H

#include <stdbool.h>
#include <stdio.h>

#include "xenmon/status.h"

enum xm_log_level { XM_LOG_ERROR, XM_LOG_WARNING, XM_LOG_INFO, XM_LOG_DEBUG };
#define XM_LOG_LEVELS "error|warning|info|debug"

/* Zeroed: everything up to errors goes to stderr. */
struct xm_log {
    const char *program;
    const char *path; /* of a log file; NULL: stderr or syslog */
    FILE *file;       /* NULL: stderr or syslog */
    bool to_syslog;
    enum xm_log_level level;
};

/*
 * where: "stderr", "syslog", or the path of a file that is appended to; borrowed, as `program` is.
 * XM_IO: the file cannot be written, err says why.
 */
enum xm_status xm_log_open(struct xm_log *log, const char *program, const char *where, enum xm_log_level level,
                           struct xm_error *err) XM_MUST_CHECK;
/*
 * A log file that was moved away is begun anew.  Where that cannot be, it goes on in the file that was open, and says so.
 * Nothing for other logs.
 */
void xm_log_reopen(struct xm_log *log);
void xm_log_close(struct xm_log *log);
void xm_log_write(struct xm_log *log, enum xm_log_level level, const char *format, ...) XM_PRINTF(3, 4);

/*
 * Goes on in the background: in a child, in a session of its own.  The starting process waits until
 * xm_background_ready() and then exits with that status, so that a failed start is seen where it was asked for.
 * *ready: for xm_background_ready().  XM_IO: no process or no pipe.
 */
enum xm_status xm_background(int *ready, struct xm_error *err) XM_MUST_CHECK;

/*
 * Lets the starting process exit with `status`, and lets go of its terminal and directory: the standard streams
 * are /dev/null, the directory is "/" from here on.  ready < 0: nobody waits, nothing is changed.
 */
void xm_background_ready(int ready, int status);

/* Writes our pid into `path`, which is no link.  XM_IO with the system's words. */
enum xm_status xm_pid_file(const char *path, struct xm_error *err) XM_MUST_CHECK;

/* What signals have asked for; each stays set until it is cleared by whoever did it. */
struct xm_signals {
    volatile int stop;   /* SIGTERM, SIGINT: the signal's number */
    volatile int reload; /* SIGHUP */
};

/* Installs the handlers, once; they end blocking calls with EINTR.  SIGPIPE is ignored. */
struct xm_signals *xm_signals_install(void);

#endif
