/* SPDX-License-Identifier: MIT */
/*
 * xenmon live, xenmon replay: the screen, or frames of text where there is no terminal.
 *
 * Attaches to the region of a running xenbaked, or starts a xenbaked of its own and stops it at exit.
 */
#include "xenmon_live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/screen/live.h"
#include "live_config.h"
#include "options.h"
#include "own.h"
#include "replay.h"
#include "xenmon/region.h"

#define PROGRAM          "xenmon"
#define PATIENCE_NS      (5 * XM_NS_PER_S)
#define FILE_PATIENCE_NS (60 * XM_NS_PER_S) /* it is looked through first */
#define FRAMES           3
#define DEFAULT_WIDTH    80

/* ---- What must be put right when the process ends, in whatever way. */

/* Handlers of signals can reach nothing else. */
static struct xm_terminal_rescue rescue = {.fd = -1};

static void end_by_signal(int signal_number)
{
    xm_terminal_rescue(&rescue);
    xm_own_stop();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/*
 * Crashes, and the signals that end a program while no terminal is open to take them in as keys.  What is ignored, as under
 * nohup or in a script's background, stays so.
 */
static void handle_signals(void (*handler)(int))
{
    static const int ending[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    struct sigaction before;
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(ending[i], &action, NULL);
}

/* ---- The two ways to show it. */

/*
 * Each frame takes and gives back the same memory.  Left with the C library it costs nothing; torn from the system each
 * time it doubles what a frame of thousands of lines takes (bench/frames).
 */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 16 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

static int show_screen(struct xm_live_config *config, const char *region)
{
    struct xm_terminal *terminal;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_terminal_open(xm_live_colour(config), &terminal, &rescue, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s: '%s live --frames=3' prints frames of text", err.text, PROGRAM);
        return err.status == XM_UNSUPPORTED ? XM_EXIT_USAGE : XM_EXIT_FAILED;
    }
    const struct xm_live_keep keep = {.keep = xm_live_keep_settings, .user = config};
    xm_terminal_use_mouse(terminal, config->mouse);
    keep_memory();
    enum xm_status status = xm_live_screen(terminal, region, &config->choice, &keep);
    xm_terminal_close(terminal);
    rescue.fd = -1;
    if (status == XM_OK)
        return XM_EXIT_DONE;
    xm_complain(PROGRAM, "out of memory");
    return XM_EXIT_FAILED;
}

static unsigned frame_width(const struct xm_live_config *config)
{
    uint64_t width = DEFAULT_WIDTH;
    const char *columns = getenv("COLUMNS");
    if (config->width)
        return (unsigned)config->width;
    if (columns && xm_read_count(columns, &width) && (width < 20 || width > 1000))
        width = DEFAULT_WIDTH;
    return (unsigned)width;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int print_frames(struct xm_live_config *config, const char *region)
{
    struct xm_error err;
    char said[512];
    struct xm_live_frames frames = {
        .count = config->frames ? (unsigned)config->frames : FRAMES,
        .width = frame_width(config),
        .patience_ns = config->replay && is_file(config->replay) ? FILE_PATIENCE_NS : PATIENCE_NS,
        .own = config->replay != NULL,
    };
    xm_error_clear(&err);
    switch (xm_live_print(region, &config->choice, &frames, stdout, &err)) {
    case XM_OK:
        return XM_EXIT_DONE;
    case XM_AGAIN:
        if (xm_own_says(said, sizeof said)) {
            xm_complain(PROGRAM, "nothing to show: %s", said);
            return XM_EXIT_FAILED;
        }
        xm_complain(PROGRAM, "nothing to show: %s; 'xenbaked FILE' makes numbers from a trace", err.text);
        return XM_EXIT_ACCESS;
    case XM_IO:
        if (errno == EPIPE)
            return XM_EXIT_DONE; /* the reader has had enough */
        break;
    default:
        break;
    }
    xm_complain(PROGRAM, "%s", err.text);
    return XM_EXIT_FAILED;
}

static bool is_stdin(const char *trace)
{
    return strcmp(trace, "-") == 0;
}

/* The trace is xenbaked's to read: what is typed comes from the terminal itself. */
static bool give_stdin_away(void)
{
    int keys = open("/dev/tty", O_RDWR);
    if (keys < 0)
        keys = open("/dev/null", O_RDONLY);
    bool good = keys >= 0 && dup2(keys, STDIN_FILENO) >= 0;
    if (keys > STDERR_FILENO)
        close(keys);
    return good;
}

/*
 * Settles how a trace is shown: whole, to go back and forth in, where it is a file; as it comes where it can be read
 * once only, or xenbaked has to say what is wrong with it.
 */
static void plan_replay(struct xm_live_config *config, struct xm_replay *replay)
{
    struct xm_choice *choice = &config->choice;
    replay->options[0] = NULL;
    choice->replay = config->replay && !is_stdin(config->replay) &&
                     xm_replay_plan(config->replay, config->ms_per_sample_ns, replay);
    if (!choice->replay)
        return;
    choice->frozen = config->paused;
    if (!choice->said[0])
        xm_replay_describe(replay, choice->said, sizeof choice->said);
}

static int run(struct xm_live_config *config)
{
    struct xm_replay replay;
    char buffer[PATH_MAX];
    const char *region;
    if (config->help)
        return xm_live_help();
    if (xm_live_wants_columns(config))
        return xm_live_columns(config);
    setlocale(LC_CTYPE, ""); /* names of domains; numbers stay as they are everywhere */
    handle_signals(end_by_signal);
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
    plan_replay(config, &replay);
    const struct xm_own_config own = {
        .program = PROGRAM,
        .replay = config->replay,
        .region = config->region,
        .ms_per_sample_ns = config->choice.replay ? 0 : config->ms_per_sample_ns,
        .options = replay.options,
        .hint = "show a trace with '" PROGRAM " FILE', or start 'xenbaked FILE'",
    };
    bool piped = config->replay && is_stdin(config->replay);
    if (piped && isatty(STDIN_FILENO))
        return xm_usage_error(PROGRAM, "-: standard input is a terminal, and a trace is needed");
    int code = xm_own_find(&own, buffer, &region);
    if (code != XM_EXIT_DONE)
        return code;
    if (piped && !give_stdin_away()) {
        xm_complain(PROGRAM, "standard input: %s", strerror(errno));
        xm_own_stop();
        return XM_EXIT_FAILED;
    }
    bool text = config->frames || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
    code = text ? print_frames(config, region) : show_screen(config, region);
    xm_own_stop();
    return code;
}

int xenmon_live_main(int argc, char **argv)
{
    struct xm_live_config config;
    int code = xm_live_config_read(argc, argv, &config);
    if (code == XM_EXIT_DONE)
        code = run(&config);
    xm_live_config_fini(&config);
    return code;
}
