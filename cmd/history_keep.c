/* SPDX-License-Identifier: MIT */
/*
 * xenmon history keep: follows a region and keeps its samples.  xenbaked runs it beside itself, anybody can
 * by hand.
 */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon.h"
#include "history.h"
#include "history/keep.h"
#include "xenmon/region.h"

#define PROGRAM "xenmon history keep"
#define MS      UINT64_C(1000000)

struct config {
    const char *region, *log_to;
    uint64_t step_ns, sync_ns;
    struct xm_retention retention;
    unsigned log_level;
    bool again, at_end, help;
};

/* "1s", "31d", "2y": a number and a unit. */
static bool read_age(const char **text, uint64_t *ns)
{
    static const struct {
        const char *unit;
        double s;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400.0}, {"y", 365.25 * 86400}};
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    double value = strtod(*text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].unit);
        if (strncmp(end, units[i].unit, length) != 0)
            continue;
        double s = value * units[i].s;
        if (!(s > 0) || s > 9e9)
            return false;
        *ns = (uint64_t)llround(s * (double)XM_NS_PER_S);
        *text = end + length;
        return true;
    }
    return false;
}

static const char *set_keep(const struct xm_option *option, const char *text, void *where)
{
    static const char *const form =
        "rules such as 1s:1d,1m:31d,1h:2y: a sample each so often, for so long; at most 8";
    struct xm_retention *r = where;
    r->rules = 0;
    for (;; text++) {
        struct xm_retention_rule *rule = &r->rule[r->rules];
        if (r->rules == XM_RETENTION_RULES || !read_age(&text, &rule->step_ns) || *text++ != ':' ||
            !read_age(&text, &rule->age_ns))
            return form;
        r->rules++;
        if (*text == '\0')
            break;
        if (*text != ',')
            return form;
    }
    const char *fault = xm_retention_fault(r);
    return fault ? "rules in order: from one to the next both the step and the age must grow" : NULL;
}

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {.help = "What is kept:"},
    {"step", 's', XM_ARG_NEEDED, xm_set_duration, AT(step_ns), "TIME", "between samples (1s)", 10 * MS,
     3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"sync", 0, XM_ARG_NEEDED, xm_set_duration, AT(sync_ns), "TIME",
     "between transactions: so much a crash can lose, unless the region still has it (10s)", 100 * MS,
     3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"keep", 0, XM_ARG_NEEDED, set_keep, AT(retention), "RULES",
     "how long, and how coarse with age (1s:1d,1m:31d,1h:2y)", 0, 0, 0},
    {"max-size", 0, XM_ARG_NEEDED, xm_set_size, AT(retention.max_bytes), "SIZE",
     "of the database; past it the oldest is thinned before its time (1G)", UINT64_C(1) << 18,
     UINT64_C(1) << 50, 0},
    {.help = "How it runs:"},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH",
     "the region to read; by default that of the system's, or the user's, xenbaked", 0, 0, 0},
    {"exit-at-end", 0, XM_ARG_NONE, xm_set_flag, AT(at_end), NULL, "end when the region's writer has", 0, 0,
     0},
    {"log-to", 0, XM_ARG_NEEDED, xm_set_text, AT(log_to), "WHERE", "stderr (the default), syslog, or a file",
     0, 0, 0},
    {"log-level", 0, XM_ARG_NEEDED, xm_set_choice, AT(log_level), XM_LOG_LEVELS, "how much is said (info)", 0,
     0, 0},
    {"again", 0, XM_ARG_NONE, xm_set_flag, AT(again), NULL, NULL, 0, 0,
     0}, /* by xenbaked: why it cannot start has been said */
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] [DIR]\n"
           "Keeps what xenbaked counts in DIR/history.db, until it is told to stop; it waits for\n"
           "a xenbaked that does not run yet, and for the next one where one ends.\n"
           "'xenbaked --history=DIR' starts it.\n");
    xm_options_print(options, OPTIONS, stdout);
    return xm_history_flush(PROGRAM, XM_EXIT_DONE);
}

static void say(void *user, bool bad, const char *text)
{
    xm_log_write(user, bad ? XM_LOG_ERROR : XM_LOG_INFO, "%s", text);
}

/* Whoever starts us holds signals back until there is somebody to hear them. */
static struct xm_signals *hear_signals(void)
{
    struct xm_signals *signals = xm_signals_install();
    sigset_t heard;
    sigemptyset(&heard);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGINT);
    sigaddset(&heard, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &heard, NULL);
    return signals;
}

static int run(struct xm_keeper *keeper, const struct config *c, struct xm_log *log,
               struct xm_signals *signals)
{
    struct xm_error err;
    enum xm_status status = XM_AGAIN;
    xm_error_clear(&err);
    for (;;) {
        uint64_t now = xm_clock_ns(), wake;
        bool last = signals->stop != 0;
        if (signals->reload) {
            signals->reload = 0;
            xm_log_reopen(log);
        }
        status = xm_keeper_step(keeper, now, last, &wake, &err);
        if (status < 0 || (status == XM_END && (last || c->at_end)) || (status == XM_AGAIN && last))
            break;
        if (status != XM_OK && !signals->stop)
            (void)xm_clock_sleep_until(wake);
    }
    if (status < 0) {
        xm_log_write(log, XM_LOG_ERROR, "%s", err.text);
        return XM_EXIT_FAILED;
    }
    xm_log_write(log, XM_LOG_INFO, "%" PRIu64 " samples were kept", xm_keeper_samples(keeper));
    return XM_EXIT_DONE;
}

static int keep(const struct config *c, const char *directory, const char *region)
{
    struct xm_signals *signals = hear_signals();
    struct xm_error err;
    struct xm_log log;
    struct xm_keeper *keeper;
    xm_error_clear(&err);
    if (xm_log_open(&log, PROGRAM, c->log_to ? c->log_to : "stderr", (enum xm_log_level)c->log_level, &err) !=
        XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        return XM_EXIT_FAILED;
    }
    const struct xm_keeper_config config = {.region = region,
                                            .directory = directory,
                                            .step_ns = c->step_ns,
                                            .sync_ns = c->sync_ns,
                                            .retention = c->retention,
                                            .say = say,
                                            .user = &log};
    int code = XM_EXIT_DONE;
    if (xm_keeper_create(&config, &keeper, &err) == XM_OK) {
        code = run(keeper, c, &log, signals);
        xm_keeper_destroy(keeper);
    } else {
        if (!c->again)
            xm_log_write(&log, XM_LOG_ERROR, "%s", err.text);
        code = err.status == XM_DENIED ? XM_EXIT_ACCESS : XM_EXIT_FAILED;
    }
    xm_log_close(&log);
    return code;
}

int xenmon_history_keep_main(int argc, char **argv)
{
    struct config c = {.step_ns = XM_NS_PER_S,
                       .sync_ns = 10 * XM_NS_PER_S,
                       .retention = xm_retention_default(),
                       .log_level = XM_LOG_INFO};
    char path[PATH_MAX];
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.help)
        return print_help();
    const char *directory = xm_history_directory(PROGRAM, operands, argv);
    if (!directory)
        return XM_EXIT_USAGE;
    if (!c.region && !xm_region_default_path(path, sizeof path))
        return xm_usage_error(PROGRAM, "the region's default path is too long");
    umask(umask(0) | 0027);
    return keep(&c, directory, c.region ? c.region : path);
}
