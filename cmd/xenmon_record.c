/* SPDX-License-Identifier: MIT */
/*
 * xenmon record: what a running xenbaked reads from the hypervisor, as it is, to files that xentrace could have written.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "options.h"
#include "own.h"
#include "source/listener.h"
#include "source/recording.h"
#include "source/tee.h"
#include "xenmon.h"
#include "xenmon/units.h"

#define PROGRAM "xenmon record"
#define MS UINT64_C(1000000)
#define MAX_TIME_NS (UINT64_C(10) * 366 * 86400 * XM_NS_PER_S) /* ten years, which a clock of 64 bits can hold */
#define WAIT_MS 200                      /* how long a pass is waited for before signals and clocks are looked at */
#define START_NS (5 * XM_NS_PER_S)       /* for a xenbaked that has a region to open its socket too */
#define RELENT_NS (10 * XM_NS_PER_S)     /* how long to ask again one that has refused us */
#define ANSWER_NS (65 * XM_NS_PER_S)     /* xenbaked answers after a pass, and passes are at most a minute apart */

struct rotation {
    uint64_t bytes, ns; /* one of them, or none */
};

struct config {
    const char *output, *region, *control;
    uint64_t duration_ns, max_bytes, keep, level, sync_ns;
    struct rotation rotate;
    bool force, no_wait, help;
};

/* "10m" is ten minutes, "10M" ten megabytes. */
static const char *set_rotation(const struct xm_option *option, const char *text, void *where)
{
    struct rotation r = {0, 0};
    bool understood = xm_read_duration(text, 0, &r.ns) || xm_read_size(text, &r.bytes);
    if (!understood || (r.bytes < 4096 && r.ns < XM_NS_PER_S) || r.ns > MAX_TIME_NS)
        return "a size such as 64M, or a time such as 1h (at least 4K or 1s)";
    *(struct rotation *)where = r;
    return NULL;
}

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {.help = "Where it goes:"},
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "FILE", "the recording; packed if it ends in .zst; - is standard output, never packed", 0, 0, 0},
    {"force", 'f', XM_ARG_NONE, xm_set_flag, AT(force), NULL, "replace files that exist", 0, 0, 0},
    {"rotate", 0, XM_ARG_NEEDED, set_rotation, AT(rotate), "SIZE|TIME", "go on in FILE.1, FILE.2, ... (in .zst: FILE.1.zst) when one is that large (64M), or that old (1h)", 0, 0, 0},
    {"keep", 0, XM_ARG_NEEDED, xm_set_count, AT(keep), "N", "of these, remove the oldest when there are more", 1, XM_RECORDING_MAX_KEEP, 0},
    {"level", 0, XM_ARG_NEEDED, xm_set_count, AT(level), "N", "how hard to pack: 1 to 19 (3)", 1, XM_RECORDING_MAX_LEVEL, 0},
    {"sync", 0, XM_ARG_NEEDED, xm_set_duration, AT(sync_ns), "TIME", "how often what is written is forced to the disk; 0: when a file ends (5s)", 0, MAX_TIME_NS, XM_NS_PER_S},
    {.help = "When it ends (or with Ctrl-C, or SIGTERM):"},
    {"duration", 0, XM_ARG_NEEDED, xm_set_duration, AT(duration_ns), "TIME", "after so long", MS, MAX_TIME_NS, XM_NS_PER_S},
    {"size", 0, XM_ARG_NEEDED, xm_set_size, AT(max_bytes), "SIZE", "before all files together are larger than this", 4096, 0, 0},
    {"no-wait", 0, XM_ARG_NONE, xm_set_flag, AT(no_wait), NULL, "when xenbaked ends; else the next one is waited for", 0, 0, 0},
    {.help = "From where:"},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH", "of the xenbaked to record; by default the system's, or the user's", 0, 0, 0},
    {"control", 0, XM_ARG_NEEDED, xm_set_text, AT(control), "PATH", "its socket, if not the region's name with .control behind it", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] -o FILE[.zst]\n"
           "Writes the raw trace that a running xenbaked reads to a file, as xentrace would; in dom0\n"
           "it starts a xenbaked where none runs, and stops it at exit.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static int check_config(const struct config *c)
{
    if (!c->output || !*c->output)
        return xm_usage_error(PROGRAM, "where to? Name a file with -o, or - for standard output");
    bool to_stdout = strcmp(c->output, "-") == 0;
    bool rotates = c->rotate.bytes || c->rotate.ns;
    if (to_stdout && isatty(STDOUT_FILENO))
        return xm_usage_error(PROGRAM, "a trace is nothing for a terminal: name a file with -o, or use a pipe");
    if (to_stdout && rotates)
        return xm_usage_error(PROGRAM, "--rotate is for files");
    if (c->keep && !rotates)
        return xm_usage_error(PROGRAM, "--keep is for --rotate");
    if (c->level && !xm_recording_is_packed(c->output))
        return xm_usage_error(PROGRAM, "--level is for a file that is packed: FILE.zst");
    if (c->control && c->region)
        return xm_usage_error(PROGRAM, "either --region or --control, not both");
    return XM_EXIT_DONE;
}

/* Returns XM_EXIT_DONE to go on. */
static int read_config(int argc, char **argv, struct config *c)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    *c = (struct config){.sync_ns = 5 * XM_NS_PER_S};
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c->help)
        return XM_EXIT_DONE;
    if (operands > 0)
        return xm_usage_error(PROGRAM, "it takes no operand, and '%s' is one: the file is named with -o", argv[1]);
    return check_config(c);
}

/* Set by the signals that mean: enough. */
static volatile sig_atomic_t enough;

static void on_signal(int number)
{
    enough = number;
}

static bool is_enough(void *user)
{
    return enough != 0;
}

static void watch_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: a wait ends */
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        struct sigaction before;
        bool ignored = sigaction(ending[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!ignored || ending[i] == SIGTERM) /* nohup(1), or a job in the background: meant to outlive those */
            sigaction(ending[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
}

static void pause_ms(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&t, NULL);
}

/* ---- Recording. */

struct recorder {
    const struct config *config;
    const char *control;
    const char *region;           /* beside it; NULL: not known */
    bool own;                     /* it is a xenbaked's that was started for us */
    struct xm_listener *listener; /* NULL: nobody is there */
    struct xm_recording *recording; /* NULL: nobody has answered yet */
    uint64_t hz;
    uint64_t began_ns, asked_ns;
    uint64_t refused_ns; /* since when; 0: it was not */
    int code;
    bool done;
};

/* It ends, with this code. */
static void finish(struct recorder *r, int code)
{
    r->done = true;
    r->code = code;
}

static void fail(struct recorder *r, int code, const char *text)
{
    xm_complain(PROGRAM, "%s", text);
    finish(r, code);
}

/*
 * Whether a refusal is for now.  Once something is recorded it is worth asking again: a xenbaked that is just starting has
 * not yet given its socket to the group, and places of other recorders become free.
 */
static bool may_relent(struct recorder *r, uint64_t now)
{
    if (!r->refused_ns)
        r->refused_ns = now;
    return r->recording && now - r->refused_ns < RELENT_NS;
}

static void connect_again(struct recorder *r, uint64_t now)
{
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = xm_listener_open(r->control, &r->listener, &err);
    r->asked_ns = now;
    if (status == XM_AGAIN || (status == XM_DENIED && may_relent(r, now)))
        pause_ms(WAIT_MS / 2);
    else if (status != XM_OK)
        fail(r, status == XM_DENIED ? XM_EXIT_ACCESS : XM_EXIT_FAILED, err.text);
}

/* Whether a socket is still to come: whoever starts has a region first. */
static bool is_starting(const struct recorder *r)
{
    return xm_own_runs() || (r->region && xm_own_is_live(r->region));
}

/* The first time: whoever is to be recorded is there now, or starting. */
static void connect_first(struct recorder *r)
{
    uint64_t since = xm_clock_ns();
    r->own = xm_own_runs();
    do {
        connect_again(r, xm_clock_ns());
        if (r->done || r->listener)
            return;
    } while (!enough && is_starting(r) && xm_clock_ns() - since < START_NS);
    char line[300];
    if (enough)
        return;
    if (r->own && !xm_own_runs() && xm_own_says(line, sizeof line))
        xm_complain(PROGRAM, "nothing to record: %s", line);
    else
        xm_complain(PROGRAM, "nobody answers at %s: no xenbaked runs here that reads a running Xen", r->control);
    finish(r, XM_EXIT_ACCESS);
}

static void open_recording(struct recorder *r, uint64_t now)
{
    const struct config *c = r->config;
    bool to_stdout = strcmp(c->output, "-") == 0;
    struct xm_error err;
    const struct xm_recording_config recording = {
        .path = to_stdout ? "standard output" : c->output,
        .fd = to_stdout ? STDOUT_FILENO : -1,
        .packed = xm_recording_is_packed(c->output),
        .level = c->level ? (int)c->level : XM_RECORDING_LEVEL,
        .force = c->force,
        .max_bytes = c->max_bytes,
        .rotate_bytes = c->rotate.bytes,
        .rotate_ns = c->rotate.ns,
        .keep = (uint32_t)c->keep,
        .sync_ns = c->sync_ns,
        .stop = is_enough,
    };
    xm_error_clear(&err);
    enum xm_status status = xm_recording_open(&recording, now, &r->recording, &err);
    if (status != XM_OK)
        fail(r, status == XM_INVALID || status == XM_UNSUPPORTED ? XM_EXIT_USAGE : XM_EXIT_FAILED, err.text);
    r->began_ns = now;
}

/* Somebody has answered, for the first time or again. */
static void meet(struct recorder *r, uint64_t now)
{
    const struct xm_listener_greeting *g = xm_listener_greeting(r->listener);
    r->refused_ns = 0;
    if (!r->recording) {
        r->hz = g->hz;
        open_recording(r, now);
    } else if (g->hz != r->hz) {
        fail(r, XM_EXIT_FAILED, "the clock has another rate now than what was recorded: it is not the same host");
    }
}

static void hang_up(struct recorder *r)
{
    xm_listener_close(r->listener);
    r->listener = NULL;
}

/* Nobody will start it again.  It goes on after its socket has: it has tracing to put back, and something to say. */
static void lose_own(struct recorder *r)
{
    char line[300];
    for (unsigned ms = 0; ms < 2000 && xm_own_runs(); ms += 10)
        pause_ms(10);
    if (xm_own_says(line, sizeof line))
        xm_complain(PROGRAM, "the xenbaked that was started for this has ended; its last words: %s", line);
    else
        xm_complain(PROGRAM, "the xenbaked that was started for this has ended");
    finish(r, XM_EXIT_FAILED);
}

static void lose(struct recorder *r)
{
    hang_up(r);
    if (r->own) {
        lose_own(r);
    } else if (r->config->no_wait || !r->recording) {
        xm_complain(PROGRAM, "xenbaked has gone");
        finish(r, XM_EXIT_FAILED);
    } else {
        xm_complain(PROGRAM, "xenbaked has gone; waiting for the next one");
        xm_recording_gap(r->recording);
    }
}

static void after_write(struct recorder *r, enum xm_status status, const struct xm_error *err)
{
    if (status == XM_END)
        finish(r, XM_EXIT_DONE);
    else if (status != XM_OK)
        fail(r, XM_EXIT_FAILED, err->text);
}

static void tick(struct recorder *r, uint64_t now)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (r->recording)
        after_write(r, xm_recording_tick(r->recording, now, &err), &err);
}

/* The listener has ended, or cannot go on. */
static void after_end(struct recorder *r, enum xm_status status, uint64_t now, const char *why)
{
    char text[400];
    bool met = xm_listener_greeting(r->listener) != NULL;
    bool gone = status == XM_END;
    if (r->recording && !met && (gone || (status == XM_DENIED && may_relent(r, now)))) {
        hang_up(r); /* that was not yet the next one */
        pause_ms(WAIT_MS / 2);
    } else if (gone) {
        lose(r);
    } else {
        snprintf(text, sizeof text, "%s: %s", r->control, why);
        fail(r, XM_EXIT_FAILED, text);
    }
}

/* Whatever has come from xenbaked, or nothing for a while. */
static void step(struct recorder *r)
{
    struct xm_error err;
    struct xm_listener_pass pass;
    bool met = xm_listener_greeting(r->listener) != NULL;
    xm_error_clear(&err);
    enum xm_status status = xm_listener_next(r->listener, WAIT_MS, &pass, &err);
    uint64_t now = xm_clock_ns();
    if (!met && xm_listener_greeting(r->listener))
        meet(r, now);
    else if (!met && status == XM_AGAIN && now - r->asked_ns > ANSWER_NS)
        fail(r, XM_EXIT_FAILED, "xenbaked does not answer");
    if (r->done)
        return;
    if (status == XM_OK)
        after_write(r, xm_recording_pass(r->recording, pass.bytes, pass.size, pass.marks, now, &err), &err);
    else if (status == XM_AGAIN)
        tick(r, now);
    else
        after_end(r, status, now, err.text);
}

static void say_what(const struct recorder *r, const struct xm_recording_status *s)
{
    char files[40] = "";
    char gaps[60] = "";
    uint64_t ms = (xm_clock_ns() - r->began_ns) / MS;
    if (s->files > 1)
        snprintf(files, sizeof files, " in %u files", s->files);
    if (s->gaps)
        snprintf(gaps, sizeof gaps, ", interrupted %" PRIu64 " times", s->gaps);
    xm_complain(PROGRAM,
                "%s: %" PRIu64 " bytes%s, %" PRIu64 " passes, %" PRIu64 ".%03" PRIu64 " s, %" PRIu64
                " records, %" PRIu64 " lost, %" PRIu64 " dropped%s",
                r->config->output, s->bytes, files, s->passes, ms / 1000, ms % 1000, s->records, s->lost, s->dropped, gaps);
}

static int run(const struct config *c, const char *control, const char *region)
{
    struct recorder r = {.config = c, .control = control, .region = region};
    struct xm_recording_status status;
    struct xm_error err;
    xm_error_clear(&err);
    connect_first(&r);
    while (!r.done && !enough) {
        uint64_t now = xm_clock_ns();
        if (c->duration_ns && r.recording && now - r.began_ns >= c->duration_ns)
            break;
        if (r.listener) {
            step(&r);
        } else {
            tick(&r, now);
            if (!r.done)
                connect_again(&r, now);
        }
    }
    xm_listener_close(r.listener);
    if (!r.recording && !r.done)
        fail(&r, XM_EXIT_FAILED, "ended before a xenbaked has answered: nothing is recorded");
    if (!r.recording)
        return r.code;
    if (xm_recording_close(r.recording, &status, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        r.code = XM_EXIT_FAILED;
    }
    say_what(&r, &status);
    return r.code;
}

/* Where a xenbaked is to be found. */
struct place {
    char buffer[PATH_MAX], path[PATH_MAX];
    const char *region;  /* NULL: not known */
    const char *control; /* its socket */
};

/* Starts a xenbaked where there is none. */
static int find_control(const struct config *c, struct place *place)
{
    const struct xm_own_config own = {
        .program = PROGRAM, .region = c->region, .hint = "there is nothing to record; 'xentrace FILE' in dom0 records too"};
    place->region = NULL;
    place->control = c->control;
    if (c->control)
        return XM_EXIT_DONE;
    int code = xm_own_find(&own, place->buffer, &place->region);
    if (code != XM_EXIT_DONE)
        return code;
    place->control = place->path;
    if (xm_tee_path(place->region, place->path, PATH_MAX))
        return XM_EXIT_DONE;
    return xm_usage_error(PROGRAM, "the path of the region is too long for a socket beside it");
}

int xenmon_record_main(int argc, char **argv)
{
    struct config c;
    struct place place;
    int code = read_config(argc, argv, &c);
    if (code != XM_EXIT_DONE)
        return code;
    if (c.help)
        return print_help();
    watch_signals();
    code = find_control(&c, &place);
    if (code == XM_EXIT_DONE)
        code = run(&c, place.control, place.region);
    xm_own_stop();
    return code;
}
