/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum xm_status xm_log_open(struct xm_log *log, const char *program, const char *where, enum xm_log_level level,
                           struct xm_error *err)
{
    *log = (struct xm_log){.program = program, .level = level};
    if (strcmp(where, "stderr") == 0)
        return XM_OK;
    if (strcmp(where, "syslog") == 0) {
        log->to_syslog = true;
        openlog(program, LOG_PID, LOG_DAEMON);
        return XM_OK;
    }
    log->path = where;
    log->file = fopen(where, "ae");
    return log->file ? XM_OK : xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", where, strerror(errno));
}

static void write_line(struct xm_log *log, const char *text)
{
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    if (!log->file) {
        fprintf(stderr, "%s: %s\n", log->program, text);
        return;
    }
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    fprintf(log->file, "%s %s[%d]: %s\n", when, log->program, (int)getpid(), text);
    fflush(log->file);
}

static void write_text(struct xm_log *log, enum xm_log_level level, const char *text)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    if (log->to_syslog)
        syslog(priorities[level], "%s", text);
    else
        write_line(log, text);
}

void xm_log_reopen(struct xm_log *log)
{
    FILE *file = log->path ? fopen(log->path, "ae") : NULL;
    if (!file) {
        char text[PATH_MAX + 128];
        if (!log->path || log->level < XM_LOG_WARNING)
            return;
        /* Better the old file than none; in it, who moved it away can see where it went on. */
        snprintf(text, sizeof text, "%s cannot be opened again: %s", log->path, strerror(errno));
        write_text(log, XM_LOG_WARNING, text);
        return;
    }
    fclose(log->file);
    log->file = file;
}

void xm_log_close(struct xm_log *log)
{
    if (log->file)
        fclose(log->file);
    if (log->to_syslog)
        closelog();
    *log = (struct xm_log){.program = log->program};
}

void xm_log_write(struct xm_log *log, enum xm_log_level level, const char *format, ...)
{
    if (level > log->level)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_text(log, level, text);
}

enum xm_status xm_background(int *ready, struct xm_error *err)
{
    int ends[2];
    *ready = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "fork: %s", strerror(errno));
    if (pid > 0) {
        unsigned char status;
        close(ends[1]);
        ssize_t n;
        while ((n = read(ends[0], &status, 1)) < 0 && errno == EINTR)
            ;
        _exit(n == 1 ? status : EXIT_FAILURE); /* no byte: it died while starting */
    }
    close(ends[0]);
    setsid();
    *ready = ends[1];
    return XM_OK;
}

void xm_background_ready(int ready, int status)
{
    unsigned char byte = (unsigned char)status;
    if (ready < 0)
        return;
    if (chdir("/") != 0)
        byte = EXIT_FAILURE; /* as good as impossible */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        if (isatty(STDIN_FILENO)) /* a pipe there may be the trace */
            dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    ssize_t n = write(ready, &byte, 1);
    (void)n; /* whoever waited has gone: nobody to tell */
    close(ready);
}

enum xm_status xm_pid_file(const char *path, struct xm_error *err)
{
    /* The directory may be that of the user whom we become, and what a link in it leads to is not his to overwrite. */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return XM_IO;
    }
    fprintf(out, "%d\n", (int)getpid());
    if (fclose(out) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    return XM_OK;
}

static struct xm_signals signals;

static void on_signal(int number)
{
    if (number == SIGHUP)
        signals.reload = 1;
    else
        signals.stop = number;
}

struct xm_signals *xm_signals_install(void)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits must end */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
        sigaction(handled[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    return &signals;
}
