/* SPDX-License-Identifier: MIT */
#include "export/access_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "xenmon/units.h"

#define LINE 2048u

struct xm_access_log {
    char *path; /* NULL: standard error */
    int fd;
    pthread_mutex_t lock; /* the descriptor changes by reopening */
};

static int open_file(const char *path, struct xm_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
    if (fd < 0)
        xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    return fd;
}

enum xm_status xm_access_log_open(const char *path, struct xm_access_log **log, struct xm_error *err)
{
    *log = NULL;
    struct xm_access_log *l = calloc(1, sizeof *l);
    if (!l)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    l->fd = STDERR_FILENO;
    if (strcmp(path, "-") != 0) {
        l->path = strdup(path);
        l->fd = l->path ? open_file(path, err) : -1;
        if (l->fd < 0) {
            enum xm_status status = l->path ? XM_IO : XM_NOMEM;
            free(l->path);
            free(l);
            return xm_fail(err, status, XM_NO_OFFSET, "out of memory");
        }
    }
    pthread_mutex_init(&l->lock, NULL);
    *log = l;
    return XM_OK;
}

void xm_access_log_close(struct xm_access_log *log)
{
    if (!log)
        return;
    if (log->path)
        close(log->fd);
    free(log->path);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

enum xm_status xm_access_log_reopen(struct xm_access_log *log, struct xm_error *err)
{
    if (!log || !log->path)
        return XM_OK;
    int fd = open_file(log->path, err);
    if (fd < 0)
        return XM_IO;
    pthread_mutex_lock(&log->lock);
    close(log->fd);
    log->fd = fd;
    pthread_mutex_unlock(&log->lock);
    return XM_OK;
}

/* ---- A line. */

struct line {
    char *text;
    size_t used, size; /* room for the line break and the NUL is kept */
};

static void put(struct line *line, const char *text)
{
    for (; *text && line->used + 2 < line->size; text++)
        line->text[line->used++] = *text;
}

/* A name from outside: at most `most` bytes of it. */
static void put_foreign(struct line *line, const char *text, size_t most)
{
    static const char hex[] = "0123456789abcdef";
    if (!text || !*text)
        text = "-";
    for (size_t i = 0; text[i] && i < most && line->used + 6 < line->size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c > ' ' && c <= '~' && c != '"' && c != '\\') {
            line->text[line->used++] = (char)c;
            continue;
        }
        line->text[line->used++] = '\\';
        line->text[line->used++] = 'x';
        line->text[line->used++] = hex[c >> 4];
        line->text[line->used++] = hex[c & 15];
    }
}

static void put_address(struct line *line, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "unix";
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, sizeof text);
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text,
                  sizeof text);
    put(line, text);
}

static void put_time(struct line *line, uint64_t real_ns)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(real_ns / XM_NS_PER_S);
    struct tm t = {0};
    char text[64];
    gmtime_r(&seconds, &t);
    snprintf(text, sizeof text, " [%02d/%s/%04d:%02d:%02d:%02d +0000] \"", t.tm_mday, months[t.tm_mon % 12],
             t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    put(line, text);
}

size_t xm_access_format(const struct xm_access *access, char *text, size_t size)
{
    struct line line = {text, 0, size};
    char number[64];
    put_address(&line, access->address);
    put(&line, " - ");
    put_foreign(&line, access->user, 64);
    put_time(&line, access->real_ns);
    put_foreign(&line, access->method, 16);
    put(&line, " ");
    put_foreign(&line, access->target, 300);
    put(&line, " ");
    put_foreign(&line, access->version, 16);
    put(&line, "\" ");
    snprintf(number, sizeof number, "%u ", access->cut ? XM_ACCESS_CUT : access->status);
    put(&line, number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)access->bytes);
    put(&line, access->bytes == XM_ACCESS_UNKNOWN ? "-" : number);
    line.text[line.used++] = '\n';
    line.text[line.used] = '\0';
    return line.used;
}

void xm_access_log_write(struct xm_access_log *log, const struct xm_access *access)
{
    char text[LINE];
    if (!log)
        return;
    size_t bytes = xm_access_format(access, text, sizeof text);
    pthread_mutex_lock(&log->lock);
    ssize_t n = write(log->fd, text, bytes);
    (void)n; /* a full disk must not keep anybody from an answer */
    pthread_mutex_unlock(&log->lock);
}
