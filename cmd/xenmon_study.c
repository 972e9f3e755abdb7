/* SPDX-License-Identifier: MIT */
/*
 * xenmon-study: the performance study of HPL-2005-187 on a simulated host.  xenmon runs it as its subcommand 'study'.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "front/study/study.h"
#include "options.h"
#include "xenmon/units.h"

#define PROGRAM "xenmon study"
#define BAR 40

enum format { FORMAT_TEXT, FORMAT_JSON };

struct config {
    unsigned format;
    const char *output;
    bool quick, paper_only, help;
    uint64_t seed, repetitions, warm_up_ns, length_ns, jobs;
    struct xm_costs costs;
};

/* --cost NAME=VALUE, as often as wanted: as a scenario has it, and a time without a unit in ns too, as the JSON has it. */
static const char *set_cost(const struct xm_option *option, const char *text, void *where)
{
    char name[64], assignment[160];
    size_t length = strcspn(text, "=");
    struct xm_scenario scenario;
    struct xm_error err;
    (void)option;
    if (text[length] != '=' || length >= sizeof name)
        return "NAME=VALUE";
    memcpy(name, text, length);
    name[length] = '\0';
    const struct xm_cost_name *cost = xm_cost_named(name);
    if (!cost)
        return "a cost of xenmon-scenario(5) with its value";
    const char *value = text + length + 1;
    bool time = strcmp(cost->unit, "ns") == 0;
    bool bare = *value && value[strspn(value, "0123456789")] == '\0';
    int n = snprintf(assignment, sizeof assignment, "costs.%s=%s%s", name, value, time && bare ? "ns" : "");
    xm_scenario_init(&scenario);
    scenario.costs = *(const struct xm_costs *)where;
    xm_error_clear(&err);
    if (n < 0 || (size_t)n >= sizeof assignment || xm_scenario_set(&scenario, assignment, &err) != XM_OK)
        return time ? "a time that this cost can have, such as 208us or, in ns, 208000 (xenmon-scenario(5))"
                    : "a number that this cost can have (xenmon-scenario(5))";
    *(struct xm_costs *)where = scenario.costs;
    return NULL;
}

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {.help = "What comes out:"},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, AT(format), "text|json", "text is for people (the default), json for programs", 0, 0, 0},
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "DIR", "figures too: data, gnuplot scripts, SVG, and index.html with all of it", 0, 0, 0},
    {.help = "What is run:"},
    {"quick", 'q', XM_ARG_NONE, xm_set_flag, AT(quick), NULL, "2 repetitions of 4 s each", 0, 0, 0},
    {"paper-only", 0, XM_ARG_NONE, xm_set_flag, AT(paper_only), NULL, "nothing beyond the paper: no ablation, no other scheduler", 0, 0, 0},
    {"repetitions", 'r', XM_ARG_NEEDED, xm_set_count, AT(repetitions), "N", "of each run, with other seeds (5)", 1, XM_STUDY_REPETITIONS, 0},
    {"duration", 'd', XM_ARG_NEEDED, xm_set_duration, AT(length_ns), "TIME", "simulated time of each that is measured (10s)", 100000000, 3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"warm-up", 0, XM_ARG_NEEDED, xm_set_duration, AT(warm_up_ns), "TIME", "and that goes before (2s)", 1000000, 3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"seed", 0, XM_ARG_NEEDED, xm_set_count, AT(seed), "N", "another draw of the same dice (1)", 0, 0, 0},
    {"cost", 0, XM_ARG_NEEDED, set_cost, AT(costs), "NAME=VALUE", "a cost of the model, in all configurations (can be repeated)", 0, 0, 0},
    {"jobs", 'j', XM_ARG_NEEDED, xm_set_count, AT(jobs), "N", "runs at a time (as many as there are CPUs)", 1, 256, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options]\n"
           "Does the performance study of HPL-2005-187 again, on a simulated host: a web server under\n"
           "four weightings of the driver domain, measured by XenMon, beside the paper's numbers.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static uint64_t cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
}

/* Returns XM_EXIT_DONE to go on. */
static int read_config(int argc, char **argv, struct config *c)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    *c = (struct config){.seed = 1, .costs = xm_costs_default()};
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c->help)
        return XM_EXIT_DONE;
    if (operands > 0)
        return xm_usage_error(PROGRAM, "'%s' is of no use here", argv[1]);
    if (c->output && !*c->output)
        return xm_usage_error(PROGRAM, "--output needs the name of a directory");
    c->repetitions = c->repetitions ? c->repetitions : c->quick ? 2 : 5;
    c->length_ns = c->length_ns ? c->length_ns : (c->quick ? 4 : 10) * XM_NS_PER_S;
    c->warm_up_ns = c->warm_up_ns ? c->warm_up_ns : 2 * XM_NS_PER_S;
    c->jobs = c->jobs ? c->jobs : cpus();
    return XM_EXIT_DONE;
}

/* ---- The bar. */

static void show_progress(void *user, unsigned done, unsigned all)
{
    (void)user;
    int full = all ? (int)((uint64_t)BAR * done / all) : BAR;
    fprintf(stderr, "\r[%.*s%*s] %u of %u runs", full, "########################################", BAR - full, "", done, all);
    fflush(stderr);
}

static void clear_progress(void)
{
    fprintf(stderr, "\r%*s\r", BAR + 30, "");
    fflush(stderr);
}

/* ---- */

static int fail_io(const char *what)
{
    if (errno == EPIPE)
        return XM_EXIT_DONE; /* the reader has had enough */
    xm_complain(PROGRAM, "%s: %s", what, strerror(errno));
    return XM_EXIT_FAILED;
}

static int print_study(const struct config *c, const struct xm_study *study)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (c->format == FORMAT_JSON)
        xm_study_json(study, stdout);
    else
        xm_study_text(study, stdout);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail_io("standard output");
    if (!c->output)
        return XM_EXIT_DONE;
    enum xm_status status = xm_study_write(study, c->output, &err);
    if (status != XM_OK)
        xm_complain(PROGRAM, "%s", err.text);
    else if (isatty(STDERR_FILENO))
        xm_complain(PROGRAM, "the figures are in %s/index.html", c->output);
    return status == XM_OK || status == XM_UNSUPPORTED ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static int run(const struct config *c)
{
    const struct xm_study_config config = {
        .seed = c->seed, .repetitions = (unsigned)c->repetitions, .warm_up_ns = c->warm_up_ns, .length_ns = c->length_ns,
        .jobs = (unsigned)c->jobs, .paper_only = c->paper_only, .costs = c->costs,
    };
    struct xm_study study;
    struct xm_error err;
    bool bar = isatty(STDERR_FILENO);
    xm_error_clear(&err);
    enum xm_status status = xm_study_plan(&config, &study, &err);
    if (status == XM_OK)
        status = xm_study_run(&study, xm_study_read, bar ? show_progress : NULL, NULL, &err);
    if (bar)
        clear_progress();
    if (status != XM_OK)
        xm_complain(PROGRAM, "%s", err.text);
    int code = status == XM_OK ? print_study(c, &study) : XM_EXIT_FAILED;
    if (status == XM_OK && code == XM_EXIT_DONE && study.lost > 0) {
        xm_complain(PROGRAM, "%llu trace records were lost: the figures are not to be relied on",
                    (unsigned long long)study.lost);
        code = XM_EXIT_LOSS;
    }
    xm_study_free(&study);
    return code;
}

int main(int argc, char **argv)
{
    struct config config;
    /* xenmon gives the subcommand's name first. */
    if (argc < 2 || strcmp(argv[1], "study") != 0)
        return xm_usage_error("xenmon-study", "this is for xenmon study");
    int code = read_config(argc - 1, argv + 1, &config);
    if (code != XM_EXIT_DONE)
        return code;
    return config.help ? print_help() : run(&config);
}
