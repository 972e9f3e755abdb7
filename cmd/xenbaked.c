/* SPDX-License-Identifier: MIT */
/*
 * xenbaked: keeps the region that every front end reads.
 *
 * Arguments -> configuration -> library; the loop, its waits and its signals.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "baked_config.h"
#include "baked_live.h"
#include "baked_sim.h"
#include "daemon.h"
#include "keeper.h"
#include "notify.h"
#include "options.h"
#include "region/writer.h"
#include "source/loop.h"
#include "source/preview.h"
#include "xenmon/region.h"

#define PROGRAM "xenbaked"
#define MS UINT64_C(1000000)
#define WAIT_MS 100            /* how long a pipe or the clock is waited for before signals are looked at */
#define HEARTBEAT_NS (250 * MS)

/* ---- Running. */

struct daemon {
    const struct xm_baked_config *config;
    struct xm_log log;
    struct xm_signals *signals;
    struct xm_source *source; /* a live one belongs to `live` */
    struct xm_baked_live live;
    struct xm_baked_sim *sim; /* NULL: none; is live too */
    struct xm_writer *writer;
    struct xm_loop *loop;
    struct xm_keeper_process keeper;
    bool owns_pid_file;
    bool cramped; /* it has been said that the region is too small */
    uint64_t heartbeat_ns;
    uint64_t looked_ns;   /* after the live host */
    uint64_t watchdog_ns; /* how often the service manager wants to hear of us at least; 0: not at all */
};

static bool is_live(const struct daemon *d)
{
    return !d->config->input;
}

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
    struct xm_loop_status s = xm_loop_status(d->loop);
    char duration[32];
    xm_log_write(&d->log, XM_LOG_INFO,
                 "%s: %s s of trace, %" PRIu64 " records, %" PRIu64 " lost, %" PRIu64 " anomalies, %" PRIu64
                 " damaged bytes, %" PRIu64 " samples, %" PRIu64 " passes, %" PRIu64 " Hz",
                 what, xm_baked_seconds(s.trace_ns, duration), s.records, s.lost_records, s.anomalies, s.damaged_bytes,
                 s.samples, s.passes, s.hz);
}

/* Says once when the region cannot grow as it should, and once when it can. */
static void watch_room(struct daemon *d)
{
    struct xm_loop_status s = xm_loop_status(d->loop);
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
        xm_keeper_reload(&d->keeper);
        if (d->loop)
            log_status(d, "SIGHUP");
    }
    if (now_ns - d->heartbeat_ns >= HEARTBEAT_NS) {
        if (d->loop)
            watch_room(d);
        xm_writer_heartbeat(d->writer, now_ns);
        xm_keeper_look_after(&d->keeper, now_ns);
        if (d->watchdog_ns)
            xm_notify("WATCHDOG=1");
        d->heartbeat_ns = now_ns;
    }
    if (d->sim)
        xm_baked_sim_serve(d->sim);
    if (is_live(d) && now_ns - d->looked_ns >= XM_NS_PER_S) {
        if (d->sim)
            xm_baked_sim_look_after(d->sim);
        else
            xm_baked_live_look_after(&d->live);
        d->looked_ns = now_ns;
    }
    return !d->signals->stop;
}

/* After the trace's end the region stays until a signal, or as long as it was asked for. */
static void linger(struct daemon *d)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    uint64_t until = d->config->linger_ns > XM_BAKED_FOREVER - now ? XM_BAKED_FOREVER : now + d->config->linger_ns;
    while (look_after(d, now) && now < until) {
        sleep_until(until, now);
        now = clock_ns(CLOCK_MONOTONIC);
    }
}

/* A live source waits in vain only for as long as the heartbeat allows: each time is a wake-up of the host it watches. */
static int patience_ms(const struct daemon *d)
{
    return is_live(d) ? (int)(HEARTBEAT_NS / MS) : WAIT_MS;
}

static int bake(struct daemon *d)
{
    struct xm_error err;
    enum xm_status status = XM_OK;
    xm_error_clear(&err);
    while (status >= 0 && status != XM_END) {
        struct xm_moment now = moment();
        uint64_t wake_ns;
        if (!look_after(d, now.mono_ns)) {
            xm_log_write(&d->log, XM_LOG_INFO, "%s: stopping", strsignal(d->signals->stop));
            if (is_live(d))
                log_status(d, "seen");
            return XM_EXIT_DONE;
        }
        status = xm_loop_step(d->loop, now, patience_ms(d), &wake_ns, &err);
        if (status == XM_AGAIN && wake_ns > now.mono_ns)
            sleep_until(wake_ns, now.mono_ns);
    }
    if (status < 0)
        xm_log_write(&d->log, XM_LOG_ERROR, "%s: %s", xm_source_name(d->source), err.text);
    watch_room(d);
    log_status(d, "the trace has ended");
    xm_writer_state(d->writer, XM_WRITER_ENDED);
    if (xm_loop_status(d->loop).records > 0)
        linger(d);
    return status < 0 ? XM_EXIT_FAILED : XM_EXIT_DONE;
}

static bool told_to_stop(void *user)
{
    struct daemon *d = user;
    return !look_after(d, clock_ns(CLOCK_MONOTONIC));
}

/* ---- From start to end. */

static int code_of(const struct xm_error *err)
{
    switch (err->status) {
    case XM_INVALID:
        return XM_EXIT_USAGE;
    case XM_DENIED:
    case XM_UNSUPPORTED:
        return XM_EXIT_ACCESS;
    default:
        return XM_EXIT_FAILED;
    }
}

static int open_region(struct daemon *d)
{
    const struct xm_baked_config *c = d->config;
    struct xm_error err;
    struct xm_writer_config w = {.path = c->region_path, .settings = xm_baked_settings(c)};
    xm_error_clear(&err);
    if (is_live(d)) {
        uint32_t pcpus = d->sim ? d->sim->scenario.cpus : d->live.host.max_cpu + 1;
        w.source = XM_SOURCE_LIVE;
        w.source_name = d->sim ? d->sim->title : d->live.title;
        w.settings.capacity.pcpus = w.settings.capacity.pcpus > pcpus ? w.settings.capacity.pcpus : pcpus;
    } else {
        w.source = xm_source_is_file(d->source) ? XM_SOURCE_REPLAY : XM_SOURCE_PIPE;
        w.source_name = xm_source_name(d->source);
    }
    if (xm_writer_create(&w, &d->writer, &err) == XM_OK)
        return XM_EXIT_DONE;
    return cannot_start(d, code_of(&err), err.text);
}

/* The rate to count with; 0: the trace's own. */
static uint64_t known_hz(const struct daemon *d)
{
    if (d->config->hz || !is_live(d))
        return d->config->hz;
    return d->sim ? d->sim->scenario.hz : d->live.host.tsc_hz;
}

static struct xm_stream_config stream_config(const struct daemon *d)
{
    bool file = !is_live(d) && xm_source_is_file(d->source);
    bool strict = d->config->order == XM_BAKED_BY_SOURCE ? file : d->config->order == XM_BAKED_STRICT;
    struct xm_stream_config stream = {.order = strict ? XM_ORDER_STRICT : XM_ORDER_PROMPT};
    struct xm_scale scale;
    uint64_t hz = known_hz(d);
    if (d->config->max_jump_ns && xm_scale_init(&scale, hz ? hz : 2400000000u))
        stream.max_jump = xm_scale_to_cycles(&scale, xm_ns_of(d->config->max_jump_ns));
    return stream;
}

/* The rate of a file is found before it is played, and which CPUs it has where that matters. */
static int look_ahead(struct daemon *d, struct xm_loop_config *replay, struct xm_preview *preview)
{
    struct xm_error err;
    char text[400];
    xm_error_clear(&err);
    if (!xm_source_is_file(d->source))
        return XM_EXIT_DONE;
    enum xm_status status = xm_preview(d->source, &replay->stream, told_to_stop, d, preview, &err);
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

static int open_loop(struct daemon *d)
{
    const struct xm_baked_config *c = d->config;
    struct xm_loop_config loop = {
        .source = d->source,
        .writer = d->writer,
        .stream = stream_config(d),
        .keep_ns = c->history_ns,
        .hz = known_hz(d),
        .hz_from = c->hz ? "option" : known_hz(d) ? "host" : NULL,
        .speed = XM_SPEED_MAX,
        .passes = 1,
    };
    struct xm_preview preview = {.hindsight = NULL};
    struct xm_error err;
    int code = XM_EXIT_DONE;
    xm_error_clear(&err);
    if (d->sim) {
        xm_baked_sim_loop(d->sim, &loop);
    } else if (is_live(d)) {
        xm_baked_live_loop(&d->live, &loop);
    } else {
        bool file = xm_source_is_file(d->source);
        loop.speed = c->speed == XM_BAKED_SPEED_UNSET ? (file ? XM_SPEED_ONE : XM_SPEED_MAX) : c->speed;
        loop.passes = c->passes;
        if (file && c->passes == 1)
            loop.keep_ns = 0; /* one file is shown whole */
        code = look_ahead(d, &loop, &preview);
    }
    if (code == XM_EXIT_DONE && xm_loop_create(&loop, &d->loop, &err) != XM_OK)
        code = cannot_start(d, XM_EXIT_FAILED, err.text);
    xm_bake_destroy(preview.hindsight);
    return code;
}

static int open_sim(struct daemon *d)
{
    static struct xm_baked_sim sim; /* a scenario is too large for a small stack */
    struct xm_error err;
    xm_error_clear(&err);
    d->sim = &sim;
    if (xm_baked_sim_open(d->sim, &d->log, d->config->scenario, d->config->region_path, &err) == XM_OK)
        return XM_EXIT_DONE;
    return cannot_start(d, code_of(&err), err.text);
}

static int open_live(struct daemon *d)
{
    struct xm_error err;
    char text[400];
    xm_error_clear(&err);
    if (xm_baked_live_open(&d->live, &d->log, &d->config->live, d->config->region_path, &err) == XM_OK)
        return XM_EXIT_DONE;
    snprintf(text, sizeof text, "%s%s", err.text,
             d->config->source == XM_BAKED_XEN ? "" : "; name a trace to replay, or - for a pipe");
    return cannot_start(d, code_of(&err), text);
}

/* Last of all: what comes after it can still be had, what it gives up cannot. */
static int start_live(struct daemon *d)
{
    struct xm_error err;
    const char *others[XM_KEEPER_PATHS + 3] = {NULL};
    size_t count = 0;
    if (d->config->pid_file)
        others[count++] = d->config->pid_path;
    if (d->log.path)
        others[count++] = d->log.path;
    (void)xm_keeper_paths(&d->keeper, others + count);
    xm_error_clear(&err);
    if (!is_live(d))
        return XM_EXIT_DONE;
    if (d->sim) {
        if (xm_baked_sim_start(d->sim, d->config->live.no_record, d->config->exit_at_end, &err) != XM_OK)
            return cannot_start(d, code_of(&err), err.text);
        d->source = d->sim->source;
        return XM_EXIT_DONE;
    }
    if (xm_baked_live_start(&d->live, known_hz(d), d->config->region_path, others, &err) != XM_OK)
        return cannot_start(d, code_of(&err), err.text);
    d->source = d->live.source;
    return XM_EXIT_DONE;
}

static int open_source(struct daemon *d)
{
    const struct xm_baked_config *c = d->config;
    struct xm_error err;
    xm_error_clear(&err);
    if (is_live(d))
        return c->source == XM_BAKED_SIM ? open_sim(d) : open_live(d);
    if (xm_source_open(c->input, &d->source, &err) != XM_OK)
        return cannot_start(d, XM_EXIT_FAILED, err.text);
    bool file = xm_source_is_file(d->source);
    if (c->source != XM_BAKED_AUTO && file != (c->source == XM_BAKED_FILE))
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

/* What is kept on disk is another process's business: nothing that goes wrong with it ends this one. */
static int prepare_history(struct daemon *d)
{
    const struct xm_baked_config *c = d->config;
    d->keeper = (struct xm_keeper_process){
        .log = &d->log, .directory = c->durable ? c->durable_path : NULL, .region = c->region_path, .log_to = c->log_to,
        .step = c->durable_step, .sync = c->durable_sync, .keep = c->durable_keep, .max_size = c->durable_size};
    xm_keeper_prepare(&d->keeper);
    return XM_EXIT_DONE;
}

static int start(struct daemon *d)
{
    int (*const steps[])(struct daemon *) = {open_source, open_region, write_pid_file, prepare_history,
                                                  start_live, open_loop};
    int code = XM_EXIT_DONE;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && code == XM_EXIT_DONE; i++)
        code = steps[i](d);
    return code;
}

static int run(const struct xm_baked_config *c)
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
    if (code == XM_EXIT_DONE) {
        d.watchdog_ns = xm_notify_watchdog_ns();
        xm_notify("READY=1");
        xm_keeper_look_after(&d.keeper, clock_ns(CLOCK_MONOTONIC));
        code = bake(&d);
        xm_notify("STOPPING=1");
        xm_writer_state(d.writer, XM_WRITER_ENDED);
        xm_keeper_stop(&d.keeper);
    }
    xm_loop_destroy(d.loop);
    xm_writer_close(d.writer, true);
    if (d.sim)
        xm_baked_sim_close(d.sim);
    else if (is_live(&d))
        xm_baked_live_close(&d.live);
    else
        xm_source_close(d.source);
    if (d.owns_pid_file)
        unlink(c->pid_path);
    xm_log_close(&d.log);
    return code;
}

int main(int argc, char **argv)
{
    static struct xm_baked_config config; /* its paths are too large for a small stack */
    int code = xm_baked_config_read(argc, argv, &config);
    if (code != XM_EXIT_DONE)
        return code;
    if (config.help)
        return xm_baked_help();
    if (config.version) {
        printf(PROGRAM " " XM_VERSION "\n");
        return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
    }
    if (config.show)
        return xm_baked_config_show(&config);
    return run(&config);
}
