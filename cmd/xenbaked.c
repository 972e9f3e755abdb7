/* SPDX-License-Identifier: MIT */
/*
 * xenbaked: keeps the region that every front end reads.
 *
 * Arguments -> configuration -> library; the loop, its waits and its signals.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "options.h"
#include "region/plan.h"
#include "region/writer.h"
#include "source/replay.h"
#include "xenmon/region.h"

#define PROGRAM "xenbaked"
#define MS UINT64_C(1000000)
#define WAIT_MS 100            /* how long a pipe or the clock is waited for before signals are looked at */
#define HEARTBEAT_NS (250 * MS)
#define FOREVER UINT64_MAX

enum source_kind { SOURCE_AUTO, SOURCE_FILE, SOURCE_PIPE };
enum order { ORDER_STRICT, ORDER_PROMPT, ORDER_AUTO };

struct config {
    const char *input; /* NULL: none given */
    const char *region, *log_to, *pid_file;
    char region_path[PATH_MAX], log_path[PATH_MAX], pid_path[PATH_MAX];
    uint64_t interval_ns, per_second, history_ns, slow_history_ns, memory_bytes;
    uint64_t domains, vcpus, pcpus;
    uint64_t hz, speed, passes, linger_ns, max_jump_ns, poll_sleep_ns, log_thresh;
    unsigned source, order, log_level;
    bool foreground, background, exit_at_end, show, version, help;
};

#define SPEED_UNSET UINT64_MAX

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

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {.help = "What is replayed:"},
    {"speed", 0, XM_ARG_NEEDED, set_speed, AT(speed), "FACTOR", "1 is real time, the default for files; max waits for nothing, the default for pipes", 0, 0, 0},
    {"repeat", 0, XM_ARG_NEEDED, set_passes, AT(passes), "N", "replay a file N times, or forever", 0, 0, 0},
    {"cpu-hz", 0, XM_ARG_NEEDED, xm_set_hz, AT(hz), "HZ", "rate of the trace's clock; found in the trace if not given", 0, 0, 0},
    {"order", 0, XM_ARG_NEEDED, xm_set_choice, AT(order), "strict|prompt", "when events are released: strict waits for every CPU (files), prompt for a pass (pipes)", 0, 0, 0},
    {"max-jump", 0, XM_ARG_NEEDED, xm_set_duration, AT(max_jump_ns), "TIME", "a clock that leaps further than this is damage (1h)", 0, 0, XM_NS_PER_S},
    {"source", 0, XM_ARG_NEEDED, xm_set_choice, AT(source), "auto|file|pipe", "what the operand must be", 0, 0, 0},
    {"exit-at-end", 0, XM_ARG_NONE, xm_set_flag, AT(exit_at_end), NULL, "end when the trace does", 0, 0, 0},
    {"linger", 0, XM_ARG_NEEDED, xm_set_duration, AT(linger_ns), "TIME", "keep the region so long after the trace's end (until SIGTERM)", 0, 0, XM_NS_PER_S},
    {.help = "What is kept:"},
    {"ms_per_sample", 'm', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "MS", "time between samples (100)", MS, 60000 * MS, MS},
    {"samples-per-second", 0, XM_ARG_NEEDED, xm_set_count, AT(per_second), "N", "the same as a rate (10)", 1, 1000, 0},
    {"history", 0, XM_ARG_NEEDED, xm_set_duration, AT(history_ns), "TIME", "how far back samples are kept (60s)", XM_NS_PER_S, 86400 * XM_NS_PER_S, XM_NS_PER_S},
    {"slow-history", 0, XM_ARG_NEEDED, xm_set_duration, AT(slow_history_ns), "TIME", "how far back one sample a second is kept (1h)", XM_NS_PER_S, 604800 * XM_NS_PER_S, XM_NS_PER_S},
    {"memory", 0, XM_ARG_NEEDED, xm_set_size, AT(memory_bytes), "SIZE", "history is cut short so as to need no more (64M)", UINT64_C(1) << 20, UINT64_C(1) << 40, 0},
    {"max-domains", 0, XM_ARG_NEEDED, xm_set_count, AT(domains), "N", "room to begin with; more makes a larger region (32)", 1, 8192, 0},
    {"max-vcpus", 0, XM_ARG_NEEDED, xm_set_count, AT(vcpus), "N", "likewise (100)", 1, 16384, 0},
    {"max-pcpus", 0, XM_ARG_NEEDED, xm_set_count, AT(pcpus), "N", "likewise (8)", 1, 4096, 0},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH", "where the region is", 0, 0, 0},
    {"show-config", 0, XM_ARG_NONE, xm_set_flag, AT(show), NULL, "print all this and the memory it needs, and exit", 0, 0, 0},
    {.help = "How it runs:"},
    {"foreground", 0, XM_ARG_NONE, xm_set_flag, AT(foreground), NULL, "stay in the foreground (the default)", 0, 0, 0},
    {"daemon", 0, XM_ARG_NONE, xm_set_flag, AT(background), NULL, "go into the background once the region is there", 0, 0, 0},
    {"pid-file", 0, XM_ARG_NEEDED, xm_set_text, AT(pid_file), "PATH", "write the process id there", 0, 0, 0},
    {"log-to", 0, XM_ARG_NEEDED, xm_set_text, AT(log_to), "WHERE", "stderr, syslog (the default with --daemon), or a file", 0, 0, 0},
    {"log-level", 0, XM_ARG_NEEDED, xm_set_choice, AT(log_level), XM_LOG_LEVELS, "how much is said (info)", 0, 0, 0},
    {"poll-sleep", 's', XM_ARG_NEEDED, xm_set_duration, AT(poll_sleep_ns), "MS", "accepted for older scripts; a pipe needs no polling", 0, 0, MS},
    {"log-thresh", 't', XM_ARG_NEEDED, xm_set_count, AT(log_thresh), "N", "accepted for older scripts", 0, 0, 0},
    {"version", 'V', XM_ARG_NONE, xm_set_flag, AT(version), NULL, "print the version and exit", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] FILE|-\n"
           "Turns a Xen trace into numbers in shared memory, for xenmon and others to show.\n"
           "FILE is what xentrace wrote, plain or packed with zstd, or a FIFO; - is standard input.\n");
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

static bool settle_paths(struct config *c)
{
    if (!c->log_to)
        c->log_to = c->background ? "syslog" : "stderr";
    bool to_file = strcmp(c->log_to, "stderr") != 0 && strcmp(c->log_to, "syslog") != 0;
    if (to_file && !absolute(c->log_to, c->log_path, sizeof c->log_path))
        return false;
    if (to_file)
        c->log_to = c->log_path;
    if (c->pid_file && !absolute(c->pid_file, c->pid_path, sizeof c->pid_path))
        return false;
    if (!c->region)
        return xm_region_default_path(c->region_path, sizeof c->region_path);
    return absolute(c->region, c->region_path, sizeof c->region_path);
}

/* Returns XM_EXIT_DONE to go on. */
static int read_config(int argc, char **argv, struct config *c)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    *c = (struct config){.interval_ns = XM_PLAN_INTERVAL_NS,
                         .history_ns = XM_PLAN_FAST_S * XM_NS_PER_S,
                         .slow_history_ns = XM_PLAN_SLOW_S * XM_NS_PER_S,
                         .memory_bytes = XM_PLAN_LIMIT_BYTES,
                         .domains = 32,
                         .vcpus = 100,
                         .pcpus = 8,
                         .speed = SPEED_UNSET,
                         .passes = 1,
                         .linger_ns = FOREVER,
                         .order = ORDER_AUTO,
                         .log_level = XM_LOG_INFO};
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (operands > 1)
        return xm_usage_error(PROGRAM, "one trace at a time, and '%s' is a second one", argv[2]);
    if (c->foreground && c->background)
        return xm_usage_error(PROGRAM, "--foreground or --daemon, not both");
    c->input = operands ? argv[1] : NULL;
    if (c->per_second)
        c->interval_ns = XM_NS_PER_S / c->per_second;
    if (c->exit_at_end)
        c->linger_ns = 0;
    if (!settle_paths(c))
        return xm_usage_error(PROGRAM, "a path is too long");
    return XM_EXIT_DONE;
}

static struct xm_region_settings region_settings(const struct config *c)
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

static const char *seconds(uint64_t ns, char text[32])
{
    snprintf(text, 32, "%" PRIu64 ".%03" PRIu64, ns / XM_NS_PER_S, ns % XM_NS_PER_S / MS);
    return text;
}

static void show_series(const struct xm_region_plan *plan, enum xm_series series, const char *name)
{
    const struct xm_plan_ring *ring = &plan->ring[series];
    char history[32];
    printf("%s_interval_s = %s\n", name, seconds(plan->interval_ns[series], history));
    printf("%s_samples = %" PRIu64 "\n", name, ring->slots);
    printf("%s_history_s = %s\n", name, seconds(xm_plan_history_ns(plan, series), history));
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

static int show_config(const struct config *c)
{
    static const char *const orders[] = {"strict", "prompt", "strict for files, prompt for pipes"};
    struct xm_region_settings settings = region_settings(c);
    struct xm_region_plan plan;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_region_plan(&settings, &plan, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        return XM_EXIT_USAGE;
    }
    printf("region = %s\n", c->region_path);
    printf("input = %s\n", c->input ? c->input : "");
    if (c->speed == SPEED_UNSET)
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
    printf("domains = %" PRIu64 "\nvcpus = %" PRIu64 "\npcpus = %" PRIu64 "\n", c->domains, c->vcpus, c->pcpus);
    show_series(&plan, XM_SERIES_FAST, "fast");
    show_series(&plan, XM_SERIES_SLOW, "slow");
    printf("memory_limit_bytes = %" PRIu64 "\n", c->memory_bytes);
    printf("region_bytes = %" PRIu64 "\n", plan.bytes);
    printf("private_bytes = %" PRIu64 "\n", private_bytes(plan.capacity));
    printf("history_cut_short = %s\n", plan.shrunk ? "yes" : "no");
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* ---- Running. */

struct daemon {
    const struct config *config;
    struct xm_log log;
    struct xm_signals *signals;
    struct xm_source *source;
    struct xm_writer *writer;
    struct xm_replay *replay;
    bool owns_pid_file;
    bool cramped; /* it has been said that the region is too small */
    uint64_t heartbeat_ns;
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Says why the start failed, where it was asked for and in the log.  Returns `code`. */
static int cannot_start(struct daemon *d, int code, const char *text)
{
    xm_log_write(&d->log, XM_LOG_ERROR, "%s", text);
    if (d->log.to_syslog || d->log.file)
        xm_complain(PROGRAM, "%s", text);
    return code;
}

static struct xm_moment moment(void)
{
    return (struct xm_moment){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME)};
}

/* Until `wake_ns` or a signal, but no longer than readers may go without a sign of life. */
static void sleep_until(uint64_t wake_ns, uint64_t now_ns)
{
    uint64_t until = wake_ns - now_ns > WAIT_MS * MS ? now_ns + WAIT_MS * MS : wake_ns;
    struct timespec t = {(time_t)(until / XM_NS_PER_S), (long)(until % XM_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void log_status(struct daemon *d, const char *what)
{
    struct xm_replay_status s = xm_replay_status(d->replay);
    char duration[32];
    xm_log_write(&d->log, XM_LOG_INFO,
                 "%s: %s s of trace, %" PRIu64 " records, %" PRIu64 " lost, %" PRIu64 " anomalies, %" PRIu64
                 " damaged bytes, %" PRIu64 " samples, %" PRIu64 " passes, %" PRIu64 " Hz",
                 what, seconds(s.trace_ns, duration), s.records, s.lost_records, s.anomalies, s.damaged_bytes,
                 s.samples, s.passes, s.hz);
}

/* Says once when the region cannot grow as it should, and once when it can. */
static void watch_room(struct daemon *d)
{
    struct xm_replay_status s = xm_replay_status(d->replay);
    bool cramped = s.cramped->status != XM_OK;
    if (cramped && !d->cramped)
        xm_log_write(&d->log, XM_LOG_WARNING,
                     "no region for %u domains, %u vCPUs and %u pCPUs, some are left out: %s", s.wanted.domains,
                     s.wanted.vcpus, s.wanted.pcpus, s.cramped->text);
    else if (!cramped && d->cramped)
        xm_log_write(&d->log, XM_LOG_INFO, "the region has room for all again");
    d->cramped = cramped;
}

/* Looks after signals and the heartbeat; false: it is time to stop. */
static bool look_after(struct daemon *d, uint64_t now_ns)
{
    if (d->signals->reload) {
        d->signals->reload = 0;
        xm_log_reopen(&d->log);
        if (d->replay)
            log_status(d, "SIGHUP");
    }
    if (now_ns - d->heartbeat_ns >= HEARTBEAT_NS) {
        if (d->replay)
            watch_room(d);
        xm_writer_heartbeat(d->writer, now_ns);
        d->heartbeat_ns = now_ns;
    }
    return !d->signals->stop;
}

/* After the trace's end the region stays until a signal, or as long as it was asked for. */
static void linger(struct daemon *d)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    uint64_t until = d->config->linger_ns > FOREVER - now ? FOREVER : now + d->config->linger_ns;
    while (look_after(d, now) && now < until) {
        sleep_until(until, now);
        now = clock_ns(CLOCK_MONOTONIC);
    }
}

static int replay(struct daemon *d)
{
    struct xm_error err;
    enum xm_status status = XM_OK;
    xm_error_clear(&err);
    while (status >= 0 && status != XM_END) {
        struct xm_moment now = moment();
        uint64_t wake_ns;
        if (!look_after(d, now.mono_ns)) {
            xm_log_write(&d->log, XM_LOG_INFO, "%s: stopping", strsignal(d->signals->stop));
            return XM_EXIT_DONE;
        }
        status = xm_replay_step(d->replay, now, WAIT_MS, &wake_ns, &err);
        if (status == XM_AGAIN && wake_ns > now.mono_ns)
            sleep_until(wake_ns, now.mono_ns);
    }
    if (status < 0)
        xm_log_write(&d->log, XM_LOG_ERROR, "%s: %s", xm_source_name(d->source), err.text);
    watch_room(d);
    log_status(d, "the trace has ended");
    xm_writer_state(d->writer, XM_WRITER_ENDED);
    if (xm_replay_status(d->replay).records > 0)
        linger(d);
    return status < 0 ? XM_EXIT_FAILED : XM_EXIT_DONE;
}

static bool told_to_stop(void *user)
{
    struct daemon *d = user;
    return !look_after(d, clock_ns(CLOCK_MONOTONIC));
}

/* ---- From start to end. */

static int open_region(struct daemon *d)
{
    const struct config *c = d->config;
    struct xm_error err;
    struct xm_writer_config w = {
        .path = c->region_path,
        .settings = region_settings(c),
        .source = xm_source_is_file(d->source) ? XM_SOURCE_REPLAY : XM_SOURCE_PIPE,
        .source_name = xm_source_name(d->source),
    };
    xm_error_clear(&err);
    enum xm_status status = xm_writer_create(&w, &d->writer, &err);
    if (status == XM_OK)
        return XM_EXIT_DONE;
    bool denied = strstr(err.text, strerror(EACCES)) || strstr(err.text, strerror(EPERM));
    int code = status == XM_INVALID           ? XM_EXIT_USAGE
               : status == XM_IO && denied ? XM_EXIT_ACCESS
                                              : XM_EXIT_FAILED;
    return cannot_start(d, code, err.text);
}

static struct xm_stream_config stream_config(const struct daemon *d)
{
    bool strict = d->config->order == ORDER_AUTO ? xm_source_is_file(d->source) : d->config->order == ORDER_STRICT;
    struct xm_stream_config stream = {.order = strict ? XM_ORDER_STRICT : XM_ORDER_PROMPT};
    struct xm_scale scale;
    if (d->config->max_jump_ns && xm_scale_init(&scale, d->config->hz ? d->config->hz : 2400000000u))
        stream.max_jump = xm_scale_to_cycles(&scale, xm_ns_of(d->config->max_jump_ns));
    return stream;
}

/* The rate of a file is found before it is played, and which CPUs it has where that matters. */
static int look_ahead(struct daemon *d, struct xm_replay_config *replay, struct xm_replay_preview *preview)
{
    struct xm_error err;
    char text[400];
    xm_error_clear(&err);
    if (!xm_source_is_file(d->source))
        return XM_EXIT_DONE;
    enum xm_status status = xm_replay_preview(d->source, &replay->stream, told_to_stop, d, preview, &err);
    replay->hindsight = preview->hindsight;
    if (status < 0) {
        snprintf(text, sizeof text, "%s: %s", xm_source_name(d->source), err.text);
        return cannot_start(d, XM_EXIT_FAILED, text);
    }
    /* Nothing in it was ever a record: no region would ever say more than that. */
    if (status == XM_OK && preview->records == 0) {
        snprintf(text, sizeof text, "%s: %s", xm_source_name(d->source), preview->damage.text);
        return cannot_start(d, XM_EXIT_FAILED, text);
    }
    if (replay->hz)
        return XM_EXIT_DONE;
    if (status == XM_OK && !preview->hz && preview->records) {
        snprintf(text, sizeof text, "%s does not show its clock's rate: give it with --cpu-hz (Xen's boot "
                 "messages have it: 'Detected ... MHz processor'), or record with xentrace -e 0x169000",
                 xm_source_name(d->source));
        return cannot_start(d, XM_EXIT_USAGE, text);
    }
    replay->hz = preview->hz;
    replay->hz_from = preview->hz ? "trace" : NULL;
    return XM_EXIT_DONE;
}

static int open_replay(struct daemon *d)
{
    const struct config *c = d->config;
    bool file = xm_source_is_file(d->source);
    struct xm_replay_config replay = {
        .source = d->source,
        .writer = d->writer,
        .stream = stream_config(d),
        .keep_ns = file && c->passes == 1 ? 0 : c->history_ns, /* one file is shown whole */
        .hz = c->hz,
        .hz_from = c->hz ? "option" : NULL,
        .speed = c->speed == SPEED_UNSET ? (file ? XM_SPEED_ONE : XM_SPEED_MAX) : c->speed,
        .passes = c->passes,
    };
    struct xm_replay_preview preview = {.hindsight = NULL};
    struct xm_error err;
    xm_error_clear(&err);
    int code = look_ahead(d, &replay, &preview);
    if (code == XM_EXIT_DONE && xm_replay_create(&replay, &d->replay, &err) != XM_OK)
        code = cannot_start(d, XM_EXIT_FAILED, err.text);
    xm_bake_destroy(preview.hindsight);
    return code;
}

static int open_source(struct daemon *d)
{
    const struct config *c = d->config;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_source_open(c->input, &d->source, &err) != XM_OK)
        return cannot_start(d, XM_EXIT_FAILED, err.text);
    bool file = xm_source_is_file(d->source);
    if (c->source != SOURCE_AUTO && file != (c->source == SOURCE_FILE))
        return cannot_start(d, XM_EXIT_USAGE, file ? "--source=pipe: it is a file" : "--source=file: it is no file");
    if (c->passes != 1 && !file)
        return cannot_start(d, XM_EXIT_USAGE, "--repeat: only a file can be replayed again");
    return XM_EXIT_DONE;
}

static int write_pid_file(struct daemon *d)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (!d->config->pid_file)
        return XM_EXIT_DONE;
    if (xm_pid_file(d->config->pid_path, &err) != XM_OK)
        return cannot_start(d, XM_EXIT_FAILED, err.text);
    d->owns_pid_file = true;
    return XM_EXIT_DONE;
}

static int start(struct daemon *d)
{
    int (*const steps[])(struct daemon *) = {open_source, open_region, write_pid_file, open_replay};
    int code = XM_EXIT_DONE;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && code == XM_EXIT_DONE; i++)
        code = steps[i](d);
    return code;
}

static int run(const struct config *c)
{
    struct daemon d = {.config = c};
    struct xm_error err;
    int ready = -1;
    xm_error_clear(&err);
    d.signals = xm_signals_install();
    if (xm_log_open(&d.log, PROGRAM, c->log_to, (enum xm_log_level)c->log_level, &err) != XM_OK ||
        (c->background && xm_background(&ready, &err) != XM_OK)) {
        xm_complain(PROGRAM, "%s", err.text);
        return XM_EXIT_FAILED;
    }
    int code = start(&d);
    xm_background_ready(ready, code);
    if (code == XM_EXIT_DONE)
        code = replay(&d);
    xm_replay_destroy(d.replay);
    xm_writer_close(d.writer, true);
    xm_source_close(d.source);
    if (d.owns_pid_file)
        unlink(c->pid_path);
    xm_log_close(&d.log);
    return code;
}

int main(int argc, char **argv)
{
    static struct config config; /* its paths are too large for a small stack */
    int code = read_config(argc, argv, &config);
    if (code != XM_EXIT_DONE)
        return code;
    if (config.help)
        return print_help();
    if (config.version) {
        printf(PROGRAM " " XM_VERSION "\n");
        return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
    }
    if (config.show)
        return show_config(&config);
    if (!config.input) {
        xm_complain(PROGRAM, "this build reads no live Xen: name a trace to replay, or - for a pipe "
                             "(xentrace -D -e 0x169000 /dev/stdout | xenbaked -)");
        return XM_EXIT_ACCESS;
    }
    return run(&config);
}
