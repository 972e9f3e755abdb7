/* SPDX-License-Identifier: MIT */
/*
 * xenmon sim: what a simulated host would have traced, to a file that xentrace could have written.
 *
 * The passes of the host's consumer are recorded as those of a live host are, in simulated time.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "scenarios.h"
#include "sim.h"
#include "sim/host.h"
#include "source/recording.h"
#include "source/sim.h"
#include "xenmon/units.h"

#define PROGRAM "xenmon sim"
#define DURATION_NS (10 * XM_NS_PER_S) /* where neither the command line nor the scenario has one */
#define MOST_NS (7 * 86400 * XM_NS_PER_S)
#define SETS 64u

struct sets {
    const char *text[SETS];
    unsigned count;
};

struct config {
    const char *output;
    uint64_t duration_ns, seed;
    struct sets sets;
    bool has_seed, force, quiet, help;
};

static const char *add_set(const struct xm_option *option, const char *text, void *where)
{
    struct sets *sets = where;
    (void)option;
    if (sets->count == SETS)
        return "at most 64 of them";
    sets->text[sets->count++] = text;
    return NULL;
}

static const char *set_seed(const struct xm_option *option, const char *text, void *where)
{
    struct config *c = where;
    (void)option;
    if (!xm_read_count(text, &c->seed))
        return "a whole number";
    c->has_seed = true;
    return NULL;
}

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "FILE", "the trace; packed if it ends in .zst; - is standard output, never packed", 0, 0, 0},
    {"force", 'f', XM_ARG_NONE, xm_set_flag, AT(force), NULL, "replace a file that exists", 0, 0, 0},
    {"duration", 0, XM_ARG_NEEDED, xm_set_duration, AT(duration_ns), "TIME", "of simulated time (the scenario's, else 10s)", 1000000, MOST_NS, XM_NS_PER_S},
    {"seed", 0, XM_ARG_NEEDED, set_seed, 0, "N", "of the random numbers (the scenario's, else 1)", 0, 0, 0},
    {"set", 0, XM_ARG_NEEDED, add_set, AT(sets), "SECTION.NAME=VALUE", "changes a value of the scenario: host.scheduler=bvt, web.rate=500; any number of times", 0, 0, 0},
    {"quiet", 'q', XM_ARG_NONE, xm_set_flag, AT(quiet), NULL, "no summary", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

struct run {
    struct config config;
    struct xm_scenario scenario;
    struct xm_simhost *host;
    struct xm_source *source;
    struct xm_recording *recording;
    unsigned char *pass;
    size_t size, room;
};

static int print_help(void)
{
    printf("Usage: " PROGRAM " SCENARIO [options] -o FILE[.zst]\n"
           "Simulates a Xen host and writes the trace that xentrace would have written on it.\n"
           "SCENARIO is a file as in xenmon-scenario(5), or the name of a bundled one, such as web.\n\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static int complain(const struct xm_error *err)
{
    xm_complain(PROGRAM, "%s", err->text);
    return err->status == XM_INVALID ? XM_EXIT_USAGE : XM_EXIT_FAILED;
}

static int read_config(int argc, char **argv, struct config *c, const char **scenario)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c->help)
        return XM_EXIT_DONE;
    if (operands != 1)
        return xm_usage_error(PROGRAM, operands ? "one scenario at a time" : "which scenario?");
    if (!c->output || !*c->output)
        return xm_usage_error(PROGRAM, "where to? Name a file with -o, or - for standard output");
    if (strcmp(c->output, "-") == 0 && isatty(STDOUT_FILENO))
        return xm_usage_error(PROGRAM, "a trace is nothing for a terminal: name a file with -o, or use a pipe");
    *scenario = argv[1];
    return XM_EXIT_DONE;
}

/* The scenario, and what the command line says otherwise. */
static int settle_scenario(struct run *r, const char *name)
{
    struct xm_scenario *s = &r->scenario;
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = xm_scenarios_read(name, s, &err);
    for (unsigned i = 0; i < r->config.sets.count && status == XM_OK; i++)
        status = xm_scenario_set(s, r->config.sets.text[i], &err);
    if (status == XM_OK && r->config.sets.count)
        status = xm_scenario_check(s, &err);
    if (status != XM_OK)
        return complain(&err);
    if (r->config.has_seed)
        s->seed = r->config.seed;
    if (r->config.duration_ns)
        s->duration_ns = r->config.duration_ns;
    if (!s->duration_ns)
        s->duration_ns = DURATION_NS;
    return XM_EXIT_DONE;
}

static int open_all(struct run *r)
{
    struct xm_error err;
    bool to_stdout = strcmp(r->config.output, "-") == 0;
    xm_error_clear(&err);
    enum xm_status status = xm_simhost_create(&r->scenario, &r->host, &err);
    const struct xm_sim_source_config source = {.host = r->host,
                                                .name = r->scenario.name,
                                                .poll_ns = r->scenario.poll_ns,
                                                .until_ns = r->scenario.duration_ns,
                                                .wake_fd = -1};
    if (status == XM_OK)
        status = xm_sim_source_open(&source, &r->source, &err);
    const struct xm_recording_config config = {.path = to_stdout ? "standard output" : r->config.output,
                                               .fd = to_stdout ? STDOUT_FILENO : -1,
                                               .packed = !to_stdout && xm_recording_is_packed(r->config.output),
                                               .level = XM_RECORDING_LEVEL,
                                               .force = r->config.force};
    if (status == XM_OK)
        status = xm_recording_open(&config, 0, &r->recording, &err);
    return status == XM_OK ? XM_EXIT_DONE : complain(&err);
}

static enum xm_status keep(struct run *r, const void *bytes, size_t size, struct xm_error *err)
{
    if (r->room - r->size < size) {
        size_t room = 2 * (r->size + size);
        unsigned char *pass = realloc(r->pass, room);
        if (!pass)
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        r->pass = pass;
        r->room = room;
    }
    memcpy(r->pass + r->size, bytes, size);
    r->size += size;
    return XM_OK;
}

/* Set by the signals that mean: enough.  One is patience with a pass that takes long; the second ends the program. */
static volatile sig_atomic_t enough;

static void on_signal(int number)
{
    enough = number;
}

static void watch_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        struct sigaction before;
        bool ignored = sigaction(ending[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!ignored || ending[i] == SIGTERM) /* nohup(1), or a job in the background: meant to outlive those */
            sigaction(ending[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
}

/* XM_END: nobody wants more. */
static enum xm_status write_pass(struct run *r, struct xm_error *err)
{
    size_t size = r->size;
    r->size = 0;
    return size ? xm_recording_pass(r->recording, r->pass, size, false, xm_machine_now(xm_simhost_machine(r->host)), err) : XM_OK;
}

static int simulate(struct run *r)
{
    struct xm_error err;
    enum xm_status status = XM_OK;
    xm_error_clear(&err);
    while (status >= 0 && status != XM_END) {
        const void *bytes = NULL;
        size_t size = 0;
        status = xm_source_next(r->source, 0, &bytes, &size, &err);
        if (status == XM_OK)
            status = keep(r, bytes, size, &err);
        else if (status == XM_AGAIN && xm_source_pass_ended(r->source))
            status = write_pass(r, &err);
        if (enough)
            xm_sim_source_stop(r->source);
    }
    return status == XM_END ? XM_EXIT_DONE : complain(&err);
}

/* ---- The summary. */

static void print_served(const struct run *r, FILE *out)
{
    for (uint32_t i = 0; i < r->scenario.domains; i++) {
        const struct xm_scenario_domain *d = &r->scenario.domain[i];
        const struct xm_simhost_life life = xm_simhost_life(r->host, i);
        const struct xm_served served = life.served;
        double seconds = (double)life.lived_ns / XM_NS_PER_S;
        if (d->role != XM_ROLE_WEB || !life.lived_ns)
            continue;
        fprintf(out, "; %s answered %.0f of %.0f requests/s", d->name, (double)served.answered / seconds,
                (double)served.offered / seconds);
        if (served.answered)
            fprintf(out, " in %.1f ms", (double)served.response_ns / (double)served.answered / 1e6);
    }
}

static void summarise(const struct run *r, const struct xm_recording_status *written)
{
    FILE *out = strcmp(r->config.output, "-") == 0 ? stderr : stdout;
    uint64_t lost = xm_simhost_lost(r->host);
    if (r->config.quiet)
        return;
    fprintf(out, "%s: %.3f s of %u pCPU%s under %s, seed %" PRIu64 ": %" PRIu64 " records", r->scenario.name,
            (double)xm_machine_now(xm_simhost_machine(r->host)) / XM_NS_PER_S, r->scenario.cpus, r->scenario.cpus == 1 ? "" : "s",
            r->scenario.sched->name, r->scenario.seed, written->records);
    if (lost)
        fprintf(out, ", %" PRIu64 " lost (more pages or a shorter poll keep them)", lost);
    fprintf(out, ", %" PRIu64 " bytes", written->bytes);
    if (xm_machine_now(xm_simhost_machine(r->host)) < r->scenario.duration_ns)
        fprintf(out, ", stopped before its %.3f s", (double)r->scenario.duration_ns / XM_NS_PER_S);
    print_served(r, out);
    fprintf(out, "\n");
}

static int finish(struct run *r, int code)
{
    struct xm_error err;
    struct xm_recording_status written = {0};
    xm_error_clear(&err);
    if (xm_recording_close(r->recording, &written, &err) != XM_OK && code == XM_EXIT_DONE)
        code = complain(&err);
    if (code == XM_EXIT_DONE)
        summarise(r, &written);
    if (r->source)
        xm_source_close(r->source);
    xm_simhost_destroy(r->host);
    free(r->pass);
    return code == XM_EXIT_DONE && fflush(stdout) != 0 ? XM_EXIT_FAILED : code;
}

int xenmon_sim_main(int argc, char **argv)
{
    static struct run r; /* a scenario is too large for a small stack */
    const char *scenario = NULL;
    int code = read_config(argc, argv, &r.config, &scenario);
    if (code != XM_EXIT_DONE)
        return code;
    if (r.config.help)
        return print_help();
    watch_signals();
    code = settle_scenario(&r, scenario);
    if (code != XM_EXIT_DONE)
        return code;
    code = open_all(&r);
    if (code == XM_EXIT_DONE)
        code = simulate(&r);
    return finish(&r, code);
}
