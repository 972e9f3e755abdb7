/* SPDX-License-Identifier: MIT */
#include "baked_config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "front/conf.h"
#include "options.h"
#include "source/loop.h"
#include "xenmon/region.h"

#define PROGRAM "xenbaked"
#define MS UINT64_C(1000000)

static const char *set_speed(const struct xm_option *option, const char *text, void *where)
{
    char *end;
    if (strcmp(text, "max") == 0) {
        *(uint64_t *)where = XM_SPEED_MAX;
        return NULL;
    }
    double factor = strtod(text, &end);
    if (end == text || (*end && strcmp(end, "x") != 0) || !(factor >= 1e-3 && factor <= 1e6))
        return "max or a factor from 0.001 to 1000000";
    *(uint64_t *)where = (uint64_t)llround(factor * (double)XM_SPEED_ONE);
    return NULL;
}

static const char *set_passes(const struct xm_option *option, const char *text, void *where)
{
    uint64_t n;
    if (strcmp(text, "forever") == 0)
        n = 0;
    else if (!xm_read_count(text, &n) || n == 0)
        return "a number of passes, or forever";
    *(uint64_t *)where = n;
    return NULL;
}

static const char *set_events(const struct xm_option *option, const char *text, void *where)
{
    return xm_read_events(text, where) ? NULL
                                       : "a number such as 0x169000 or names such as runstates,slices,grants,domains "
                                         "(xenbaked(8) lists them)";
}

static const char *set_source(const struct xm_option *option, const char *text, void *where)
{
    static const char *const words[] = {"auto", "file", "pipe", "xen"};
    static const char prefix[] = "sim:";
    struct xm_baked_config *c = where;
    (void)option;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0 && text[sizeof prefix - 1]) {
        c->source = XM_BAKED_SIM;
        c->scenario = text + sizeof prefix - 1;
        return NULL;
    }
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], text) == 0) {
            c->source = i;
            return NULL;
        }
    return "auto, file, pipe, xen or sim:SCENARIO";
}

/* A time is how far back the region goes, as ever; anything else is where the history on disk lies. */
static const char *set_history(const struct xm_option *option, const char *text, void *where)
{
    struct xm_baked_config *c = where;
    uint64_t ns;
    if (!xm_read_duration(text, option->unit, &ns)) {
        c->durable = text;
        return *text ? NULL : "a directory, or a time";
    }
    if (ns < option->min || ns > option->max)
        return "a time from 1s to 86400s, or a directory (./NAME where that looks like a time)";
    c->history_ns = ns;
    return NULL;
}

static const char *set_cpus(const struct xm_option *option, const char *text, void *where)
{
    return xm_read_cpus(text, where) ? NULL : "all, a list such as 0-3,7 or a mask such as 0xf";
}

#define AT(member) offsetof(struct xm_baked_config, member)
static const struct xm_option options[] = {
    {.help = "What the running Xen is asked for (without FILE):"},
    {"evt-mask", 'e', XM_ARG_NEEDED, set_events, AT(live.events), "MASK", "events to trace: a number or names (0x169000: runstates,slices,grants,domains)", 0, 0, 0},
    {"minimal", 0, XM_ARG_NONE, xm_set_flag, AT(minimal), NULL, "runstates alone (0x21000): no slices, no I/O", 0, 0, 0},
    {"copies", 0, XM_ARG_NONE, xm_set_flag, AT(copies), NULL, "PV hypercalls too (0x36b000), for grant copies: a record for every hypercall", 0, 0, 0},
    {"trace-buf-size", 'S', XM_ARG_NEEDED, xm_set_count, AT(live.pages), "PAGES", "of 4 KiB for each pCPU, if Xen has none yet: it allocates them once a boot (32)", 1, 65535, 0},
    {"cpu-mask", 'c', XM_ARG_NEEDED, set_cpus, AT(live.cpus), "CPUS", "pCPUs to trace: all, 0-3,7 or 0xf (all)", 0, 0, 0},
    {"poll-sleep", 's', XM_ARG_NEEDED, xm_set_duration, AT(live.poll_ns), "MS", "longest time between looks at the buffers (100); less where they fill", MS, 60000 * MS, MS},
    {"poll-fixed", 0, XM_ARG_NONE, xm_set_flag, AT(live.poll_fixed), NULL, "always that time, however full they are", 0, 0, 0},
    {"no-record", 0, XM_ARG_NONE, xm_set_flag, AT(live.no_record), NULL, "no socket for xenmon record", 0, 0, 0},
    {"user", 0, XM_ARG_NEEDED, xm_set_text, AT(live.user), "NAME", "whom root becomes once all is open: none, or a user (xenmon where there is one)", 0, 0, 0},
    {.help = "What is replayed:"},
    {"speed", 0, XM_ARG_NEEDED, set_speed, AT(speed), "FACTOR", "1 is real time, the default for files; max waits for nothing, the default for pipes", 0, 0, 0},
    {"repeat", 0, XM_ARG_NEEDED, set_passes, AT(passes), "N", "replay a file N times, or forever", 0, 0, 0},
    {"cpu-hz", 0, XM_ARG_NEEDED, xm_set_hz, AT(hz), "HZ", "rate of the trace's clock; found in the trace if not given", 0, 0, 0},
    {"order", 0, XM_ARG_NEEDED, xm_set_choice, AT(order), "strict|prompt", "when events are released: strict waits for every CPU (files), prompt for a pass (pipes)", 0, 0, 0},
    {"max-jump", 0, XM_ARG_NEEDED, xm_set_duration, AT(max_jump_ns), "TIME", "a clock that leaps further than this is damage (1h)", 0, 0, XM_NS_PER_S},
    {"source", 0, XM_ARG_NEEDED, set_source, 0, "auto|file|pipe|xen|sim:SCENARIO", "what must be read; auto: FILE, or without one Xen; sim: a simulated host, as xenmon-scenario(5) describes it", 0, 0, 0},
    {"exit-at-end", 0, XM_ARG_NONE, xm_set_flag, AT(exit_at_end), NULL, "end when the trace does", 0, 0, 0},
    {"linger", 0, XM_ARG_NEEDED, xm_set_duration, AT(linger_ns), "TIME", "keep the region so long after the trace's end (until SIGTERM)", 0, 0, XM_NS_PER_S},
    {.help = "What is kept:"},
    {"ms_per_sample", 'm', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "MS", "time between samples (100)", MS, 60000 * MS, MS},
    {"samples-per-second", 0, XM_ARG_NEEDED, xm_set_count, AT(per_second), "N", "the same as a rate (10)", 1, 1000, 0},
    {"fast-history", 0, XM_ARG_NEEDED, xm_set_duration, AT(history_ns), "TIME", "how far back samples are kept in memory (60s)", XM_NS_PER_S, 86400 * XM_NS_PER_S, XM_NS_PER_S},
    {"slow-history", 0, XM_ARG_NEEDED, xm_set_duration, AT(slow_history_ns), "TIME", "how far back one sample a second is kept (1h)", XM_NS_PER_S, 604800 * XM_NS_PER_S, XM_NS_PER_S},
    {"memory", 0, XM_ARG_NEEDED, xm_set_size, AT(memory_bytes), "SIZE", "history is cut short so as to need no more (64M)", UINT64_C(1) << 20, UINT64_C(1) << 40, 0},
    {"max-domains", 0, XM_ARG_NEEDED, xm_set_count, AT(domains), "N", "room to begin with; more makes a larger region (32)", 1, 8192, 0},
    {"max-vcpus", 0, XM_ARG_NEEDED, xm_set_count, AT(vcpus), "N", "likewise (100)", 1, 16384, 0},
    {"max-pcpus", 0, XM_ARG_NEEDED, xm_set_count, AT(pcpus), "N", "likewise (8)", 1, 4096, 0},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH", "where the region is", 0, 0, 0},
    {"show-config", 0, XM_ARG_NONE, xm_set_flag, AT(show), NULL, "print all this and the memory it needs, and exit", 0, 0, 0},
    {.help = "What is kept on disk (xenmon-history(1)):"},
    {"history", 0, XM_ARG_NEEDED, set_history, 0, "DIR", "keep a sample a second there, for xenmon history; a time is --fast-history", XM_NS_PER_S, 86400 * XM_NS_PER_S, XM_NS_PER_S},
    {"history-step", 0, XM_ARG_NEEDED, xm_set_text, AT(durable_step), "TIME", "between samples (1s)", 0, 0, 0},
    {"history-sync", 0, XM_ARG_NEEDED, xm_set_text, AT(durable_sync), "TIME", "between transactions (10s)", 0, 0, 0},
    {"history-keep", 0, XM_ARG_NEEDED, xm_set_text, AT(durable_keep), "RULES", "how long, and how coarse with age (1s:1d,1m:31d,1h:2y)", 0, 0, 0},
    {"history-max-size", 0, XM_ARG_NEEDED, xm_set_text, AT(durable_size), "SIZE", "past it the oldest is thinned before its time (1G)", 0, 0, 0},
    {.help = "How it runs:"},
    {"foreground", 0, XM_ARG_NONE, xm_set_flag, AT(foreground), NULL, "stay in the foreground (the default)", 0, 0, 0},
    {"daemon", 0, XM_ARG_NONE, xm_set_flag, AT(background), NULL, "go into the background once the region is there", 0, 0, 0},
    {"pid-file", 0, XM_ARG_NEEDED, xm_set_text, AT(pid_file), "PATH", "write the process id there", 0, 0, 0},
    {"log-to", 0, XM_ARG_NEEDED, xm_set_text, AT(log_to), "WHERE", "stderr, syslog (the default with --daemon), or a file", 0, 0, 0},
    {"log-level", 0, XM_ARG_NEEDED, xm_set_choice, AT(log_level), XM_LOG_LEVELS, "how much is said (info)", 0, 0, 0},
    {"log-thresh", 't', XM_ARG_NEEDED, xm_set_count, AT(log_thresh), "N", "accepted for older scripts", 0, 0, 0},
    {"config", 0, XM_ARG_NEEDED, xm_set_text, AT(file), "FILE", "read this configuration file, and FILE.d/*.conf, instead of those in xenmon.conf(5)", 0, 0, 0},
    {"no-config", 0, XM_ARG_NONE, xm_set_flag, AT(no_file), NULL, "read no configuration file", 0, 0, 0},
    {"version", 'V', XM_ARG_NONE, xm_set_flag, AT(version), NULL, "print the version and exit", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

int xm_baked_help(void)
{
    printf("Usage: " PROGRAM " [options] [FILE|-]\n"
           "Turns the trace of the running Xen into numbers in shared memory, for xenmon\n"
           "and others to show; with FILE, that trace: what xentrace or xenmon record\n"
           "wrote, plain or packed with zstd, or a FIFO; - is standard input.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* The daemon leaves its directory, so that the names it was given must not depend on it. */
static bool absolute(const char *path, char *buffer, size_t size)
{
    char cwd[PATH_MAX];
    int n;
    if (path[0] == '/')
        n = snprintf(buffer, size, "%s", path);
    else if (getcwd(cwd, sizeof cwd))
        n = snprintf(buffer, size, "%s/%s", cwd, path);
    else
        return false;
    return n >= 0 && (size_t)n < size;
}

static bool settle_paths(struct xm_baked_config *c)
{
    if (!c->log_to)
        c->log_to = c->background ? "syslog" : "stderr";
    bool to_file = strcmp(c->log_to, "stderr") != 0 && strcmp(c->log_to, "syslog") != 0;
    if (to_file && !absolute(c->log_to, c->log_path, sizeof c->log_path))
        return false;
    if (to_file)
        c->log_to = c->log_path;
    if (c->durable && !absolute(c->durable, c->durable_path, sizeof c->durable_path))
        return false;
    if (c->pid_file && !absolute(c->pid_file, c->pid_path, sizeof c->pid_path))
        return false;
    if (!c->region)
        return xm_region_default_path(c->region_path, sizeof c->region_path);
    return absolute(c->region, c->region_path, sizeof c->region_path);
}

/* What does not go together; NULL: all does. */
static const char *contradiction(const struct xm_baked_config *c)
{
    const struct {
        bool is;
        const char *text;
    } wrong[] = {
        {c->foreground && c->background, "--foreground or --daemon, not both"},
        {c->minimal && c->copies, "--minimal or --copies, not both"},
        {c->input && c->source == XM_BAKED_XEN, "either a trace to replay or --source=xen, not both"},
        {c->input && c->source == XM_BAKED_SIM, "either a trace to replay or a scenario to simulate, not both"},
        {!c->input && c->source == XM_BAKED_FILE, "--source=file: name it"},
        {!c->input && c->source == XM_BAKED_PIPE, "--source=pipe: name it, or - for standard input"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (wrong[i].is)
            return wrong[i].text;
    return NULL;
}

/* --minimal is a mask of its own, --copies adds to what there is. */
static void settle_events(struct xm_baked_config *c)
{
    if (c->minimal)
        c->live.events = XM_LIVE_EVENTS_MINIMAL;
    if (c->copies)
        c->live.events |= XM_LIVE_EVENTS_COPIES;
}

/* ---- Configuration files. */

/* Which of these was given on the command line, there the others of files are left out, too. */
static const char *const rivals[][4] = {
    {"foreground", "daemon"},
    {"minimal", "copies", "evt-mask"},
    {"ms_per_sample", "samples-per-second"},
    {"exit-at-end", "linger"},
};
#define RIVALS (sizeof rivals / sizeof rivals[0])

static const char *const never[] = {"config", "no-config", "help", "version", "show-config", NULL};

static size_t index_of(const char *name)
{
    size_t i = 0;
    while (!options[i].name || strcmp(options[i].name, name) != 0)
        i++;
    return i;
}

static void skip_rivals(const bool given[OPTIONS], bool operand, bool skip[OPTIONS])
{
    for (size_t group = 0; group < RIVALS; group++) {
        bool any = false;
        for (size_t i = 0; i < 4 && rivals[group][i]; i++)
            any = any || given[index_of(rivals[group][i])];
        for (size_t i = 0; i < 4 && rivals[group][i]; i++)
            skip[index_of(rivals[group][i])] = any;
    }
    skip[index_of("source")] = operand;
}

static void say(void *user, const char *text)
{
    (void)user;
    xm_complain(PROGRAM, "%s", text);
}

/* The system's files for root, the user's own for others; or those that the command line names. */
static enum xm_status find_files(const struct xm_baked_config *told, struct xm_conf_files *files, struct xm_error *err)
{
    if (told->no_file)
        return XM_OK;
    if (told->file)
        return xm_conf_files_add(files, told->file, err);
    if (geteuid() == 0)
        return xm_conf_files_add(files, XM_CONF_SYSTEM, err);
    return xm_conf_files_add_own(files, err);
}

/* told: the command line alone.  A daemon does not begin with what somebody did not mean: each wrong line is said. */
static int read_files(struct xm_baked_config *c, struct xm_baked_config *told, const bool *skip)
{
    static struct xm_config config; /* its texts are borrowed by `c` for good */
    struct xm_conf_files files = {0};
    struct xm_error err;
    xm_error_clear(&err);
    config = (struct xm_config){.section = PROGRAM, .options = options, .count = OPTIONS, .config = c, .never = never,
                                .skip = skip, .scratch = told, .whole = true};
    enum xm_status status = find_files(told, &files, &err);
    if (status == XM_OK && told->file && files.count == 0)
        status = xm_fail(&err, XM_IO, XM_NO_OFFSET, "%s: %s", told->file, strerror(ENOENT));
    for (size_t i = 0; i < files.count && status >= 0; i++)
        status = xm_config_read(&config, files.path[i], say, NULL, &err);
    xm_conf_files_fini(&files);
    if (status >= 0)
        return XM_EXIT_DONE;
    if (status == XM_UNSUPPORTED && !told->file) {
        xm_complain(PROGRAM, "%s", err.text); /* it runs as its command line says */
        return XM_EXIT_DONE;
    }
    if (status != XM_INVALID) /* else the lines have been said */
        xm_complain(PROGRAM, "%s", err.text);
    return status == XM_DENIED ? XM_EXIT_ACCESS : status == XM_NOMEM ? XM_EXIT_FAILED : XM_EXIT_USAGE;
}

/* ---- The whole. */

static void set_defaults(struct xm_baked_config *c)
{
    *c = (struct xm_baked_config){.interval_ns = XM_PLAN_INTERVAL_NS,
                         .history_ns = XM_PLAN_FAST_S * XM_NS_PER_S,
                         .slow_history_ns = XM_PLAN_SLOW_S * XM_NS_PER_S,
                         .memory_bytes = XM_PLAN_LIMIT_BYTES,
                         .domains = 32,
                         .vcpus = 100,
                         .pcpus = 8,
                         .speed = XM_BAKED_SPEED_UNSET,
                         .passes = 1,
                         .linger_ns = XM_BAKED_FOREVER,
                         .live = {.events = XM_LIVE_EVENTS, .pages = XM_LIVE_PAGES, .poll_ns = 100 * MS},
                         .order = XM_BAKED_BY_SOURCE,
                         .log_level = XM_LOG_INFO};
}

/* What the command line says alone: which files are to be read, and which of their values not to be taken. */
static int look_at_arguments(int argc, char **argv, struct xm_baked_config *told, bool skip[OPTIONS])
{
    struct xm_error err;
    bool given[OPTIONS] = {false};
    int operands = 0;
    xm_error_clear(&err);
    set_defaults(told);
    enum xm_status status = xm_options_look(options, OPTIONS, told, argc, argv, &operands, given, &err);
    if (status != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (told->file && told->no_file)
        return xm_usage_error(PROGRAM, "--config or --no-config, not both");
    skip_rivals(given, operands > 0, skip);
    return XM_EXIT_DONE;
}

/* What several options together come to. */
static int settle(struct xm_baked_config *c)
{
    const char *wrong = contradiction(c);
    if (wrong)
        return xm_usage_error(PROGRAM, "%s", wrong);
    settle_events(c);
    if (c->per_second)
        c->interval_ns = XM_NS_PER_S / c->per_second;
    if (c->exit_at_end)
        c->linger_ns = 0;
    if (!settle_paths(c))
        return xm_usage_error(PROGRAM, "a path is too long");
    return XM_EXIT_DONE;
}

int xm_baked_config_read(int argc, char **argv, struct xm_baked_config *c)
{
    static struct xm_baked_config told; /* its paths are too large for a small stack */
    bool skip[OPTIONS] = {false};
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    set_defaults(c);
    int code = look_at_arguments(argc, argv, &told, skip);
    if (code == XM_EXIT_DONE && !told.help && !told.version)
        code = read_files(c, &told, skip);
    if (code != XM_EXIT_DONE)
        return code;
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (operands > 1)
        return xm_usage_error(PROGRAM, "one trace at a time, and '%s' is a second one", argv[2]);
    c->input = operands ? argv[1] : NULL;
    return settle(c);
}

struct xm_region_settings xm_baked_settings(const struct xm_baked_config *c)
{
    return (struct xm_region_settings){
        .capacity = {(uint32_t)c->domains, (uint32_t)c->vcpus, (uint32_t)c->pcpus},
        .interval_ns = c->interval_ns,
        .fast_s = (uint32_t)((c->history_ns + XM_NS_PER_S - 1) / XM_NS_PER_S),
        .slow_s = (uint32_t)((c->slow_history_ns + XM_NS_PER_S - 1) / XM_NS_PER_S),
        .limit_bytes = c->memory_bytes,
    };
}

/* ---- --show-config */

const char *xm_baked_seconds(uint64_t ns, char text[32])
{
    snprintf(text, 32, "%" PRIu64 ".%03" PRIu64, ns / XM_NS_PER_S, ns % XM_NS_PER_S / MS);
    return text;
}

static void show_series(const struct xm_region_plan *plan, enum xm_series series, const char *name)
{
    const struct xm_plan_ring *ring = &plan->ring[series];
    char history[32];
    printf("%s_interval_s = %s\n", name, xm_baked_seconds(plan->interval_ns[series], history));
    printf("%s_samples = %" PRIu64 "\n", name, ring->slots);
    printf("%s_history_s = %s\n", name, xm_baked_seconds(xm_plan_history_ns(plan, series), history));
    printf("%s_bytes = %" PRIu64 "\n", name, ring->slots * ring->stride);
}

/* Memory that is not the region's: the account, a sample, the source's and the stream's buffers. */
static uint64_t private_bytes(struct xm_capacity c)
{
    uint64_t sample = (uint64_t)c.vcpus * (sizeof(struct xm_vcpu_row) + sizeof(uint32_t)) +
                      (uint64_t)c.domains * sizeof(struct xm_domain_row) +
                      (uint64_t)c.pcpus * sizeof(struct xm_pcpu_row) +
                      (uint64_t)c.domains * c.pcpus * sizeof(struct xm_pair_row);
    return xm_account_bytes(c) + sample;
}

int xm_baked_config_show(const struct xm_baked_config *c)
{
    static const char *const orders[] = {"strict", "prompt", "strict for files, prompt for pipes"};
    struct xm_region_settings settings = xm_baked_settings(c);
    struct xm_region_plan plan;
    struct xm_error err;
    char text[32];
    xm_error_clear(&err);
    if (xm_region_plan(&settings, &plan, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        return XM_EXIT_USAGE;
    }
    printf("region = %s\n", c->region_path);
    printf("input = %s%s\n", c->scenario ? "sim:" : "", c->scenario ? c->scenario : c->input ? c->input : "xen");
    if (!c->input && !c->scenario)
        printf("event_mask = 0x%08x\ntrace_buffer_pages = %" PRIu64 "\npoll_s = %s\n", c->live.events, c->live.pages,
               xm_baked_seconds(c->live.poll_ns, text));
    if (c->speed == XM_BAKED_SPEED_UNSET)
        printf("speed = 1 for files, max for pipes\n");
    else if (c->speed == XM_SPEED_MAX)
        printf("speed = max\n");
    else
        printf("speed = %g\n", (double)c->speed / (double)XM_SPEED_ONE);
    if (c->passes)
        printf("repeat = %" PRIu64 "\n", c->passes);
    else
        printf("repeat = forever\n");
    printf("order = %s\n", orders[c->order]);
    printf("cpu_hz = %" PRIu64 "\n", c->hz);
    printf("log_to = %s\n", c->log_to);
    printf("history = %s\n", c->durable ? c->durable_path : "none");
    printf("domains = %" PRIu64 "\nvcpus = %" PRIu64 "\npcpus = %" PRIu64 "\n", c->domains, c->vcpus, c->pcpus);
    show_series(&plan, XM_SERIES_FAST, "fast");
    show_series(&plan, XM_SERIES_SLOW, "slow");
    printf("memory_limit_bytes = %" PRIu64 "\n", c->memory_bytes);
    printf("region_bytes = %" PRIu64 "\n", plan.bytes);
    printf("private_bytes = %" PRIu64 "\n", private_bytes(plan.capacity));
    printf("history_cut_short = %s\n", plan.shrunk ? "yes" : "no");
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}
