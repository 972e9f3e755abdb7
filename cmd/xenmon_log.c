/* SPDX-License-Identifier: MIT */
/*
 * xenmon log: numbers at an interval, to files, as CSV or as JSON Lines (the paper's xenmon -n).
 */
#include <string.h>

#include "log_run.h"
#include "xenmon.h"

#define PROGRAM "xenmon log"
#define DEFAULT_NS (10 * XM_NS_PER_S)

struct config {
    struct xm_log_run run;
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

/* The words of --per, as they are numbered; none was given before the first. */
static const char *set_per(const struct xm_option *option, const char *text, void *where)
{
    unsigned word = 0;
    const char *wanted = xm_set_choice(option, text, &word);
    if (!wanted)
        *(unsigned *)where = word + XM_LOG_PER_GIVEN_DOMAIN;
    return wanted ? "domain or vcpu" : NULL;
}

#define AT(member) XM_LOG_AT(struct config, member)
#define IGNORED(name) {name, 0, XM_ARG_NONE, xm_set_flag, offsetof(struct config, ignored), NULL, NULL, 0, 0, 0}
static const struct xm_option options[] = {
    {.help = "What is written:"},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, AT(format), "xenmon|csv|jsonl", "xenmon: a file for each domain, 16 columns (the default); csv: all in one stream; jsonl: an object for each interval", 0, 0, 0},
    {"per", 0, XM_ARG_NEEDED, set_per, AT(per), "domain|vcpu", "csv, jsonl: a row for each domain, or for each vCPU (the default)", 0, 0, 0},
    XM_LOG_OPTIONS_WHAT(struct config),
    {"cpu", 0, XM_ARG_NEEDED, set_cpu, AT(cpu), "N|all|each", "one pCPU, all together (-1 in the cpu column, the default), or a row for each", 0, 0, 0},
    {.help = "Where to:"},
    {"prefix", 'p', XM_ARG_NEEDED, xm_set_text, AT(prefix), "PREFIX", "the files are PREFIX-domN.log and PREFIX-idle.log (log)", 0, 0, 0},
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "FILE", "csv or jsonl to FILE, not standard output", 0, 0, 0},
    XM_LOG_OPTIONS_WHERE(struct config),
    {.help = "When:"},
    {"time", 't', XM_ARG_NEEDED, xm_set_duration, AT(duration_ns), "SEC", "end after so long; 0: never (10, or never with --count)", 0, XM_LOG_MAX_TIME_NS, XM_NS_PER_S},
    {"count", 0, XM_ARG_NEEDED, xm_set_count, AT(count), "N", "end after so many intervals", 1, UINT64_C(1) << 40, 0},
    {"interval", 'i', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "MS", "between lines (1000)", XM_LOG_MS, 86400 * XM_NS_PER_S, XM_LOG_MS},
    XM_LOG_OPTIONS_WHEN(struct config),
    {.help = "From where:"},
    XM_LOG_OPTIONS_FROM(struct config),
    {"notlive", 'n', XM_ARG_NONE, xm_set_flag, offsetof(struct config, ignored), NULL, NULL, 0, 0, 0},
    {"live", 'l', XM_ARG_NONE, xm_set_flag, offsetof(struct config, ignored), NULL, NULL, 0, 0, 0},
    {"ms_per_sample", 0, XM_ARG_NEEDED, xm_set_duration, offsetof(struct config, ignored_ns), "MS", NULL, 0, 0, XM_LOG_MS},
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

int xenmon_log_main(int argc, char **argv)
{
    struct xm_error err;
    int operands;
    struct config c = {.run = {.program = PROGRAM, .prefix = "log", .duration_ns = XM_LOG_UNSET,
                               .interval_ns = 1000 * XM_LOG_MS, .cpu = XM_LOG_ALL_CPUS}};
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.run.help)
        return print_help();
    if (operands > 0)
        return xm_usage_error(PROGRAM, "it takes no operand, and '%s' is one", argv[1]);
    return xm_log_run(&c.run, DEFAULT_NS);
}
