/* SPDX-License-Identifier: MIT */
/*
 * xenmon batch: a table for each interval on the standard output, as xentop -b and top -b print.
 */
#include <string.h>

#include "log_run.h"
#include "xenmon.h"

#define PROGRAM "xenmon batch"

enum { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSONL };

struct config {
    struct xm_log_run run;
    unsigned format;
    unsigned per; /* of csv and jsonl: 0 vCPU, 1 domain */
    bool full_names, repeat_header, networks, disks, vcpus;
    bool ignored; /* what it is anyway */
};

#define AT(member) XM_LOG_AT(struct config, member)
#define FLAG(name, letter, member, help) {name, letter, XM_ARG_NONE, xm_set_flag, offsetof(struct config, member), NULL, help, 0, 0, 0}
static const struct xm_option options[] = {
    {.help = "When:"},
    {"delay", 'd', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "SECONDS", "between tables (3)", XM_LOG_MS, 86400 * XM_NS_PER_S, XM_NS_PER_S},
    {"count", 'n', XM_ARG_NEEDED, xm_set_count, AT(count), "N", "end after so many tables (never)", 1, UINT64_C(1) << 40, 0},
    {"iterations", 'i', XM_ARG_NEEDED, xm_set_count, AT(count), "N", "the same, as xentop calls it", 1, UINT64_C(1) << 40, 0},
    {"time", 't', XM_ARG_NEEDED, xm_set_duration, AT(duration_ns), "SEC", "end after so long; 0: never (the default)", 0, XM_LOG_MAX_TIME_NS, XM_NS_PER_S},
    XM_LOG_OPTIONS_WHEN(struct config),
    {.help = "What is printed:"},
    FLAG("full-name", 'f', full_names, "long names in full; else the first and last 9 letters"),
    FLAG("vcpus", 'v', vcpus, "a line for each vCPU too"),
    FLAG("vbds", 'x', disks, "columns of disks"),
    FLAG("networks", 0, networks, "columns of networks"),
    FLAG("repeat-header", 'r', repeat_header, "the header before each domain"),
    XM_LOG_OPTIONS_WHAT(struct config),
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, offsetof(struct config, format), "text|csv|jsonl", "text: tables; csv, jsonl: as xenmon log has them, of vCPUs", 0, 0, 0},
    {"per", 0, XM_ARG_NEEDED, xm_set_choice, offsetof(struct config, per), "vcpu|domain", "csv, jsonl: a row for each vCPU (the default), or for each domain", 0, 0, 0},
    {.help = "Where to:"},
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "FILE", "to FILE, not standard output", 0, 0, 0},
    XM_LOG_OPTIONS_WHERE(struct config),
    {.help = "From where:"},
    XM_LOG_OPTIONS_FROM(struct config),
    FLAG("batch", 'b', ignored, NULL),
    FLAG("dom0-first", 'z', ignored, NULL),
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options]\n"
           "       xenmon -b [options]\n"
           "Prints a table of the domains for each interval, as xentop -b and top -b do.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* The flags of a table; XM_EXIT_DONE, or what to exit with. */
static int settle(struct config *c)
{
    static const unsigned formats[] = {[FORMAT_TEXT] = XM_LOG_TABLE, [FORMAT_CSV] = XM_LOG_CSV,
                                       [FORMAT_JSONL] = XM_LOG_JSONL};
    c->run.format = formats[c->format];
    c->run.table = (c->full_names ? XM_LOG_TABLE_FULL_NAMES : 0) | (c->repeat_header ? XM_LOG_TABLE_REPEAT_HEADER : 0) |
                   (c->networks ? XM_LOG_TABLE_NETWORKS : 0) | (c->disks ? XM_LOG_TABLE_DISKS : 0);
    if (c->format != FORMAT_TEXT && (c->run.table || c->vcpus))
        return xm_usage_error(PROGRAM, "-f, -r, -v, -x and --networks are for --format=text");
    if (c->format == FORMAT_TEXT && c->per)
        return xm_usage_error(PROGRAM, "--per is for --format=csv and jsonl; with text it is -v");
    if (c->run.metrics.count && (c->networks || c->disks))
        return xm_usage_error(PROGRAM, "--metric says which columns there are; -x and --networks do so too");
    c->run.per = c->vcpus ? XM_LOG_PER_GIVEN_VCPU : c->per ? XM_LOG_PER_GIVEN_DOMAIN : XM_LOG_PER_UNSET;
    return XM_EXIT_DONE;
}

int xenmon_batch_main(int argc, char **argv)
{
    struct xm_error err;
    int operands;
    struct config c = {.run = {.program = PROGRAM, .prefix = "", .duration_ns = XM_LOG_UNSET,
                               .interval_ns = 3 * XM_NS_PER_S, .cpu = XM_LOG_ALL_CPUS}};
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.run.help)
        return print_help();
    if (operands > 0)
        return xm_usage_error(PROGRAM, "it takes no operand, and '%s' is one", argv[1]);
    int code = settle(&c);
    return code == XM_EXIT_DONE ? xm_log_run(&c.run, 0) : code;
}
