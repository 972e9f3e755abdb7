/* SPDX-License-Identifier: MIT */
/*
 * xenmon-serve: what xenmon runs for `xenmon serve`. Arguments -> configuration -> host, routes, server;
 * signals.
 */
#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon.h"
#include "export/access_log.h"
#include "export/api.h"
#include "export/auth.h"
#include "export/health.h"
#include "export/host.h"
#include "export/http.h"
#include "export/metrics.h"
#include "export/mirror.h"
#include "notify.h"
#include "options.h"
#include "privileges.h"
#include "serve_config.h"
#include "serve_listen.h"
#include "serve_rights.h"
#include "xenmon/units.h"

#define POOL         6u
#define STREAM_BYTES (UINT64_C(8) << 20)
#define TICK_NS      (XM_NS_PER_S / 2)
/* The updater may be late by so many of its intervals before the watchdog hears nothing. */
#define LATE_INTERVALS 5u
/* Files beside those of clients: listeners, the region, the log, the history, what libraries open. */
#define FILES_OF_ITS_OWN 128u
/* So long it may take to end, of which answers that are under way have two seconds to arrive. */
#define STOP_S 10u
/*
 * Memory that large answers took goes back to the system when they are gone: blocks of this size are mapped
 * for themselves, and what threads share is shared by many.
 */
#define MAPPED_BYTES (1 << 20)
#define ARENAS       2

struct serve {
    const struct xm_serve_config *config;
    struct xm_serve_sockets sockets;
    bool fenced;
    char hostname[256];
    struct xm_host *host;
    struct xm_auth *auth;
    struct xm_access_log *log;
    struct xm_metrics_config metrics;
    struct xm_api *api;
    struct xm_mirror *mirror;
    struct xm_http *http;
    /* Whom the updater tells; it begins before they are there, and ends after them. */
    pthread_mutex_t lock;
    struct xm_api *told_api;
    struct xm_http *told_http;
};

static void made(void *user)
{
    struct serve *s = user;
    pthread_mutex_lock(&s->lock);
    if (s->told_api)
        xm_api_made(s->told_api);
    if (s->told_http)
        xm_http_wake(s->told_http);
    pthread_mutex_unlock(&s->lock);
}

static void tell(struct serve *s, struct xm_api *api, struct xm_http *http)
{
    pthread_mutex_lock(&s->lock);
    s->told_api = api;
    s->told_http = http;
    pthread_mutex_unlock(&s->lock);
}

/* ---- Beginning. */

static enum xm_status open_files(struct serve *s, struct xm_error *err)
{
    const struct xm_serve_config *c = s->config;
    enum xm_status status = XM_OK;
    if (c->token_file || c->users)
        status = xm_auth_create(c->token_file, c->users, &s->auth, err);
    if (status == XM_OK && c->access_log)
        status = xm_access_log_open(c->access_log, &s->log, err);
    if (status == XM_OK)
        status = xm_serve_listen(c, &s->sockets, err);
    return status;
}

static enum xm_status begin_host(struct serve *s, struct xm_error *err)
{
    const struct xm_serve_config *c = s->config;
    struct xm_host_config host = {
        .path = c->region_path,
        .interval_ns = c->interval_ns,
        .linger_ns = c->linger_ns,
        .stale_ns = c->stale_ns,
        .pool = POOL,
        .made = made,
        .user = s,
    };
    enum xm_status status = xm_host_create(&host, &s->host, err);
    if (status != XM_OK)
        return status;
    if (gethostname(s->hostname, sizeof s->hostname - 1) != 0)
        s->hostname[0] = '\0';
    struct xm_api_config api = {
        .host = s->host,
        .hostname = s->hostname,
        .version = XM_VERSION,
        .history = c->history,
        .stream_bytes = STREAM_BYTES,
    };
    s->mirror = xm_mirror_create(c->region_path);
    if (!s->mirror)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    return xm_api_create(&api, &s->api, err);
}

/* A descriptor for each connection: more of them than the usual limit of a process. */
static void raise_files(unsigned connections)
{
    struct rlimit files;
    rlim_t wanted = (rlim_t)connections + FILES_OF_ITS_OWN;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < wanted)
        xm_complain(XM_SERVE_PROGRAM,
                    "%u connections need %llu open files, and it may have %llu (RLIMIT_NOFILE): those that "
                    "are over it will not be taken up",
                    connections, (unsigned long long)wanted, (unsigned long long)files.rlim_cur);
}

static enum xm_status begin_http(struct serve *s, struct xm_error *err)
{
    const struct xm_serve_config *c = s->config;
    s->metrics = (struct xm_metrics_config){.collectors = c->collectors,
                                            .domains = (unsigned)c->domains,
                                            .created = c->created,
                                            .version = XM_VERSION};
    struct xm_http_config http = {
        .host = s->host,
        .listeners = s->sockets.count,
        .limits = {.connections = (unsigned)c->connections,
                   .per_address = (unsigned)c->per_address,
                   .streams = (unsigned)c->streams,
                   .header_bytes = c->header_bytes,
                   .body_bytes = c->body_bytes,
                   .answer_bytes = c->answer_bytes,
                   .requests_per_second = (unsigned)c->rate,
                   .burst = (unsigned)c->burst,
                   .timeout_s = xm_serve_seconds(c->timeout_ns),
                   .request_s = xm_serve_seconds(c->request_ns)},
        .table = {{xm_metrics_routes, 1, &s->metrics},
                  {xm_health_routes, XM_HEALTH_ROUTES, NULL},
                  xm_mirror_table(s->mirror),
                  xm_api_table(s->api)},
        .tables = 4,
        .auth = s->auth,
        .log = s->log,
        .gzip_level = (unsigned)c->gzip_level,
        .certificate = c->tls_cert,
        .key = c->tls_key,
    };
    memcpy(http.listener, s->sockets.listener, sizeof http.listener);
    s->sockets.count = 0; /* the server's from here on */
    enum xm_status status = xm_http_start(&http, &s->http, err);
    if (status == XM_OK)
        tell(s, s->api, s->http);
    return status;
}

static enum xm_status begin(struct serve *s, struct xm_error *err)
{
    raise_files((unsigned)s->config->connections);
    enum xm_status status = open_files(s, err);
    if (status == XM_OK)
        status = xm_serve_step_down(s->config, &s->sockets, err);
    xm_confine();
    if (status == XM_OK)
        s->fenced = xm_serve_fence(s->config, &s->sockets);
    if (status == XM_OK)
        status = begin_host(s, err);
    if (status == XM_OK)
        status = begin_http(s, err);
    return status;
}

/* A handler that does not come back cannot be ended, but the process can. */
static void give_up(int number)
{
    static const char said[] =
        XM_SERVE_PROGRAM ": an answer in the making does not end: it ends without it\n";
    ssize_t n = write(STDERR_FILENO, said, sizeof said - 1);
    (void)n;
    (void)number;
    _exit(XM_EXIT_FAILED);
}

static void end(struct serve *s)
{
    struct sigaction late = {.sa_handler = give_up};
    sigaction(SIGALRM, &late, NULL);
    alarm(STOP_S);
    tell(s, NULL, NULL);
    xm_serve_unlink(&s->sockets); /* first, whatever becomes of the rest */
    xm_http_stop(s->http);
    for (unsigned i = 0; i < s->sockets.count; i++)
        close(s->sockets.listener[i].fd);
    xm_host_destroy(s->host);
    xm_api_destroy(s->api);
    xm_mirror_destroy(s->mirror);
    xm_auth_destroy(s->auth);
    xm_access_log_close(s->log);
    alarm(0);
}

/* ---- Running. */

#define TOLD (4 * PATH_MAX)

/* How it went with one part of what is read again, behind what is in `said` already. */
static void tell_part(const struct serve *s, char said[TOLD], const char *name, enum xm_serve_part part,
                      enum xm_status status, const struct xm_error *err)
{
    char shut[2 * PATH_MAX + 256] = "";
    size_t used = strlen(said);
    const char *comma = used ? "; " : "";
    if (status == XM_OK) {
        snprintf(said + used, TOLD - used, "%s%s: read again", comma, name);
        return;
    }
    bool fence = s->fenced && xm_serve_shut(s->config, part, err->text, shut, sizeof shut);
    snprintf(said + used, TOLD - used, "%s%s: not read again, what was known stays: %s%s%s", comma, name,
             err->text, fence ? ": " : "", shut);
}

/* Each part for itself: who takes a token back must know whether that is done, whatever the others do. */
static void reload(struct serve *s)
{
    struct xm_error err;
    char said[TOLD] = "";
    const struct xm_serve_config *c = s->config;
    const char *who = !c->users ? "tokens" : !c->token_file ? "users" : "tokens and users";
    xm_error_clear(&err);
    if (s->auth)
        tell_part(s, said, who, XM_SERVE_SECRETS, xm_auth_reload(s->auth, &err), &err);
    xm_error_clear(&err);
    if (c->tls_cert)
        tell_part(s, said, "certificate", XM_SERVE_CERTIFICATE, xm_http_reload(s->http, &err), &err);
    xm_error_clear(&err);
    if (s->log)
        tell_part(s, said, "access log", XM_SERVE_LOG, xm_access_log_reopen(s->log, &err), &err);
    if (said[0] == '\0')
        snprintf(said, sizeof said, "there is nothing to be read again: no token, user, certificate or log");
    xm_complain(XM_SERVE_PROGRAM, "%s", said);
}

static bool updater_lives(const struct serve *s)
{
    const struct xm_host_snapshot *snapshot = xm_host_take(s->host);
    uint64_t now_ns = xm_clock_ns();
    bool lives = now_ns < snapshot->made_mono_ns + LATE_INTERVALS * s->config->interval_ns + 10 * XM_NS_PER_S;
    xm_host_give_back(s->host, snapshot);
    return lives;
}

/* What was said last of the region. */
struct told {
    enum xm_host_state state;
    bool shut; /* the fence is why it is not read */
};

/*
 * Says once why there is no region to be read, and once when there is.  One that the fence shuts out is as
 * absent as one that is not there: the fence is asked again each time.  What is said now, for the next time.
 */
static struct told tell_region(const struct serve *s, struct told told)
{
    const struct xm_host_snapshot *snapshot = xm_host_take(s->host);
    const char *path = s->config->region_path;
    bool fault = snapshot->state == XM_HOST_BROKEN || snapshot->state == XM_HOST_ABSENT;
    char why[2 * PATH_MAX + 256] = "";
    struct told now = {.state = fault ? snapshot->state : XM_HOST_RUNNING};
    now.shut = fault && s->fenced && xm_serve_shut(s->config, XM_SERVE_REGION, path, why, sizeof why);
    if (now.shut ? !told.shut : fault && now.state != told.state)
        xm_complain(XM_SERVE_PROGRAM, "there is no data: %s", now.shut ? why : snapshot->reason);
    else if (!fault && now.state != told.state)
        xm_complain(XM_SERVE_PROGRAM, "the region %s is read", path);
    xm_host_give_back(s->host, snapshot);
    return now;
}

/* xenbaked may begin to keep one later: no reason to end, but nobody should learn of it by an empty bill. */
static void tell_history(const struct serve *s)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_api_try_history(s->api, &err) != XM_OK)
        xm_complain(XM_SERVE_PROGRAM, "--history=%s: %s", s->config->history, err.text);
}

/* told: of the region, before it answered. */
static void run(struct serve *s, struct xm_signals *signals, struct told told)
{
    uint64_t watchdog_ns = xm_notify_watchdog_ns();
    struct timespec tick = {.tv_nsec = (long)TICK_NS};
    xm_notify("READY=1\nSTATUS=answering");
    tell_history(s);
    while (!signals->stop) {
        nanosleep(&tick, NULL); /* a signal ends it */
        told = tell_region(s, told);
        if (signals->reload) {
            signals->reload = 0;
            xm_notify("RELOADING=1");
            reload(s);
            xm_notify("READY=1");
        }
        if (watchdog_ns && updater_lives(s) && xm_http_answers(s->http, watchdog_ns))
            xm_notify("WATCHDOG=1");
    }
    xm_notify("STOPPING=1");
}

static void keep_memory_small(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, ARENAS);
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
#endif
}

int main(int argc, char **argv)
{
    static struct xm_serve_config config;
    struct serve s = {.config = &config, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct xm_error err;
    xm_error_clear(&err);
    if (argc > 1 && strcmp(argv[1], "serve") == 0) { /* as xenmon calls it */
        argv++;
        argc--;
    }
    if (xm_serve_configure(&config, argc, argv) != XM_OK)
        return XM_EXIT_USAGE;
    if (config.help)
        return xm_serve_help();
    if (config.version) {
        puts(XM_SERVE_PROGRAM " " XM_VERSION);
        return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
    }
    if (config.show)
        return xm_serve_show(&config);
    keep_memory_small();
    struct xm_signals *signals = xm_signals_install();
    enum xm_status status = begin(&s, &err);
    if (status == XM_OK) {
        struct told told = tell_region(&s, (struct told){.state = XM_HOST_RUNNING});
        for (unsigned i = 0; i < XM_HTTP_LISTENERS && s.sockets.name[i][0]; i++)
            xm_complain(XM_SERVE_PROGRAM, "answering at %s", s.sockets.name[i]);
        run(&s, signals, told);
    } else {
        xm_complain(XM_SERVE_PROGRAM, "%s", err.text);
    }
    end(&s);
    return status == XM_OK        ? XM_EXIT_DONE
           : status == XM_INVALID ? XM_EXIT_USAGE
           : status == XM_DENIED  ? XM_EXIT_ACCESS
                                  : XM_EXIT_FAILED;
}
