/* SPDX-License-Identifier: MIT */
/*
 * xenmon log: numbers at an interval, to files or as CSV (the paper's xenmon -n).
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "front/log.h"
#include "options.h"
#include "own.h"
#include "xenmon.h"
#include "xenmon/region.h"

#define PROGRAM "xenmon log"
#define MS UINT64_C(1000000)
#define MAX_TIME_NS (UINT64_C(100) * 366 * 86400 * XM_NS_PER_S / 10) /* ten years, which a clock of 64 bits can hold */

struct config {
    const char *region, *prefix, *output;
    uint64_t duration_ns, interval_ns, hz;
    int64_t cpu;
    unsigned format;
    bool from_start, exit_at_end, help;
    bool ignored; /* what upstream's options set that mean nothing here */
    uint64_t ignored_ns;
};

static const char *set_cpu(const struct xm_option *option, const char *text, void *where)
{
    uint64_t cpu = 0;
    int64_t value;
    if (strcmp(text, "all") == 0)
        value = XM_LOG_ALL_CPUS;
    else if (strcmp(text, "each") == 0)
        value = XM_LOG_EACH_CPU;
    else if (xm_read_count(text, &cpu) && cpu < 65536)
        value = (int64_t)cpu;
    else
        return "a pCPU's number, all, or each";
    *(int64_t *)where = value;
    return NULL;
}

#define AT(member) offsetof(struct config, member)
#define IGNORED(name) {name, 0, XM_ARG_NONE, xm_set_flag, AT(ignored), NULL, NULL, 0, 0, 0}
static const struct xm_option options[] = {
    {.help = "What is written:"},
    {"prefix", 'p', XM_ARG_NEEDED, xm_set_text, AT(prefix), "PREFIX", "the files are PREFIX-domN.log and PREFIX-idle.log (log)", 0, 0, 0},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, AT(format), "xenmon|csv", "xenmon: a file for each domain, 16 columns (the default); csv: all in one stream, a row for each vCPU", 0, 0, 0},
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "FILE", "csv to FILE, not standard output", 0, 0, 0},
    {"cpu", 0, XM_ARG_NEEDED, set_cpu, AT(cpu), "N|all|each", "one pCPU, all together (-1 in the cpu column, the default), or a row for each", 0, 0, 0},
    {.help = "When:"},
    {"time", 't', XM_ARG_NEEDED, xm_set_duration, AT(duration_ns), "SEC", "end after so long; 0: never (10)", 0, MAX_TIME_NS, XM_NS_PER_S},
    {"interval", 'i', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "MS", "between lines (1000)", MS, 86400 * XM_NS_PER_S, MS},
    {"from-start", 0, XM_ARG_NONE, xm_set_flag, AT(from_start), NULL, "begin with the trace, or with what the region still holds of it", 0, 0, 0},
    {"exit-at-end", 0, XM_ARG_NONE, xm_set_flag, AT(exit_at_end), NULL, "end when xenbaked does; with a replayed trace that is so anyway", 0, 0, 0},
    {.help = "From where:"},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH", "the region to read; by default that of the system's, or the user's, xenbaked", 0, 0, 0},
    {"cpu-hz", 0, XM_ARG_NEEDED, xm_set_hz, AT(hz), "HZ", "rate of the trace's clock, where xenbaked does not know it", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
    {"notlive", 'n', XM_ARG_NONE, xm_set_flag, AT(ignored), NULL, NULL, 0, 0, 0},
    {"live", 'l', XM_ARG_NONE, xm_set_flag, AT(ignored), NULL, NULL, 0, 0, 0},
    {"ms_per_sample", 0, XM_ARG_NEEDED, xm_set_duration, AT(ignored_ns), "MS", NULL, 0, 0, MS},
    IGNORED("allocated"), IGNORED("noallocated"), IGNORED("blocked"), IGNORED("noblocked"), IGNORED("waited"),
    IGNORED("nowaited"), IGNORED("excount"), IGNORED("noexcount"), IGNORED("iocount"), IGNORED("noiocount"),
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options]\n"
           "Writes what every domain got, waited for and did, interval by interval, as a running\n"
           "xenbaked counts it; in dom0 it starts one where none runs, and stops it at exit.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* Returns XM_EXIT_DONE to go on. */
static int read_config(int argc, char **argv, struct config *c)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    *c = (struct config){
        .prefix = "log", .duration_ns = 10 * XM_NS_PER_S, .interval_ns = 1000 * MS, .cpu = XM_LOG_ALL_CPUS};
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (operands > 0 && !c->help)
        return xm_usage_error(PROGRAM, "it takes no operand, and '%s' is one", argv[1]);
    if (c->format == XM_LOG_CSV && c->cpu != XM_LOG_ALL_CPUS)
        return xm_usage_error(PROGRAM, "--cpu is for --format=xenmon: the csv has a row for each vCPU");
    if (c->format != XM_LOG_CSV && c->output)
        return xm_usage_error(PROGRAM, "--output is for --format=csv: the other's files are named with --prefix");
    return XM_EXIT_DONE;
}

static FILE *open_log(void *user, const char *name, bool append)
{
    const struct config *c = user;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s-%s.log", c->prefix, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(path, append ? "ae" : "we");
}

static void say(void *user, const char *text)
{
    xm_complain(PROGRAM, "%s", text);
}

/* Set by the signals that mean: enough. */
static volatile sig_atomic_t enough;

static void on_signal(int number)
{
    enough = number;
}

static void watch_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: a sleep ends */
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        sigaction(ending[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec t = {.tv_sec = (time_t)(ns / XM_NS_PER_S), .tv_nsec = (long)(ns % XM_NS_PER_S)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int run(struct xm_log *log, const struct config *c)
{
    struct xm_error err;
    uint64_t wake = 0;
    enum xm_status status;
    xm_error_clear(&err);
    while ((status = xm_log_step(log, now_ns(), &wake, &err)) == XM_AGAIN || status == XM_OK) {
        if (!enough && status == XM_AGAIN)
            sleep_until(wake);
        if (!enough)
            continue;
        status = xm_log_finish(log, &err);
        break;
    }
    if (status == XM_END || status == XM_OK || (status == XM_IO && errno == EPIPE))
        return XM_EXIT_DONE; /* with EPIPE the reader has had enough */
    if (status == XM_IO && errno && c->format != XM_LOG_CSV)
        xm_complain(PROGRAM, "%s-*.log: %s: %s", c->prefix, err.text, strerror(errno));
    else if (status == XM_IO && errno)
        xm_complain(PROGRAM, "%s: %s", err.text, strerror(errno));
    else
        xm_complain(PROGRAM, "%s", err.text);
    return XM_EXIT_FAILED;
}

static int attach(struct config *c, const char *path, FILE *out)
{
    struct xm_error err;
    struct xm_log *log;
    const struct xm_log_config config = {
        .path = path, .format = (enum xm_log_format)c->format, .interval_ns = c->interval_ns,
        .duration_ns = c->duration_ns, .hz = c->hz, .cpu = c->cpu, .from_start = c->from_start,
        .exit_at_end = c->exit_at_end, .out = out, .open = open_log, .say = say, .user = c,
    };
    xm_error_clear(&err);
    if (access(path, F_OK) != 0) {
        xm_complain(PROGRAM, "no xenbaked runs here (no region at %s): start 'xenbaked FILE' to make numbers of a trace",
                    path);
        return XM_EXIT_ACCESS;
    }
    if (xm_log_create(&config, &log, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        return access(path, R_OK) == 0 ? XM_EXIT_FAILED : XM_EXIT_ACCESS;
    }
    int code = run(log, c);
    xm_log_destroy(log);
    return code;
}

int xenmon_log_main(int argc, char **argv)
{
    struct config c;
    char path[PATH_MAX];
    int code = read_config(argc, argv, &c);
    if (code != XM_EXIT_DONE)
        return code;
    if (c.help)
        return print_help();
    FILE *out = stdout;
    if (c.output && strcmp(c.output, "-") != 0 && !(out = fopen(c.output, "we"))) {
        xm_complain(PROGRAM, "%s: %s", c.output, strerror(errno));
        return XM_EXIT_FAILED;
    }
    watch_signals();
    const struct xm_own_config own = {
        .program = PROGRAM, .region = c.region, .hint = "start 'xenbaked FILE' to make numbers of a trace"};
    const char *region;
    code = xm_own_find(&own, path, &region);
    if (code == XM_EXIT_DONE)
        code = attach(&c, region, out);
    xm_own_stop();
    if (out != stdout && fclose(out) != 0 && code == XM_EXIT_DONE) {
        xm_complain(PROGRAM, "%s: %s", c.output, strerror(errno));
        code = XM_EXIT_FAILED;
    }
    return code;
}
