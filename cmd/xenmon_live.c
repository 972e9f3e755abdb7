/* SPDX-License-Identifier: MIT */
/*
 * xenmon live: the screen, or frames of text where there is no terminal.
 *
 * Attaches to the region of a running xenbaked, or starts a xenbaked of its own and stops it at exit.
 */
#include "xenmon_live.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/live.h"
#include "options.h"
#include "own.h"
#include "xenmon/region.h"

#define PROGRAM       "xenmon"
#define MS            UINT64_C(1000000)
#define PATIENCE_NS   (5 * XM_NS_PER_S)
#define FRAMES        3
#define DEFAULT_WIDTH 80

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct config {
    const char *region, *replay;
    const char *ignored; /* upstream's options for its log, which it took here too */
    struct xm_choice choice;
    uint64_t frames, width, cpu, ms_per_sample_ns;
    unsigned colour, view;
    bool once, live, help;
};

#define NO_CPU UINT64_MAX

#define AT(member)  offsetof(struct config, member)
#define ROWS(which) (AT(choice.rows) + (which) * sizeof(bool))
static const struct xm_option options[] = {
    {.help = "What is shown:"},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH",
     "the region to read; by default that of the system's, or the user's, xenbaked", 0, 0, 0},
    {"replay", 0, XM_ARG_NEEDED, xm_set_text, AT(replay), "FILE",
     "start a xenbaked of its own that replays this trace; a FILE alone does the same", 0, 0, 0},
    {"cpu", 0, XM_ARG_NEEDED, xm_set_count, AT(cpu), "N", "one physical CPU, not all", 0, UINT32_MAX, 0},
    {"view", 0, XM_ARG_NEEDED, xm_set_choice, AT(view), "domains|vcpus", "what to begin with (domains)", 0, 0,
     0},
    {"interval", 'd', XM_ARG_NEEDED, xm_set_duration, AT(choice.interval_ns), "TIME",
     "between refreshes (1s)", XM_CHOICE_MIN_INTERVAL_NS, XM_CHOICE_MAX_INTERVAL_NS, XM_NS_PER_S},
    {.help = "Rows of the domains view (all are shown, unless it says --no...):"},
    {"noallocated", 0, XM_ARG_NONE, xm_set_no, ROWS(XM_ROWS_ALLOCATED), NULL,
     "without the time slices allocated", 0, 0, 0},
    {"nowaited", 0, XM_ARG_NONE, xm_set_no, ROWS(XM_ROWS_WAITED), NULL, "without waiting times", 0, 0, 0},
    {"noblocked", 0, XM_ARG_NONE, xm_set_no, ROWS(XM_ROWS_BLOCKED), NULL, "without blocked times", 0, 0, 0},
    {"noexcount", 0, XM_ARG_NONE, xm_set_no, ROWS(XM_ROWS_EXECUTIONS), NULL, "without execution counts", 0, 0,
     0},
    {"noiocount", 0, XM_ARG_NONE, xm_set_no, ROWS(XM_ROWS_IO), NULL, "without I/O counts", 0, 0, 0},
    {"allocated", 0, XM_ARG_NONE, xm_set_flag, ROWS(XM_ROWS_ALLOCATED), NULL, NULL, 0, 0, 0},
    {"waited", 0, XM_ARG_NONE, xm_set_flag, ROWS(XM_ROWS_WAITED), NULL, NULL, 0, 0, 0},
    {"blocked", 0, XM_ARG_NONE, xm_set_flag, ROWS(XM_ROWS_BLOCKED), NULL, NULL, 0, 0, 0},
    {"excount", 0, XM_ARG_NONE, xm_set_flag, ROWS(XM_ROWS_EXECUTIONS), NULL, NULL, 0, 0, 0},
    {"iocount", 0, XM_ARG_NONE, xm_set_flag, ROWS(XM_ROWS_IO), NULL, NULL, 0, 0, 0},
    {.help = "How it is shown:"},
    {"frames", 0, XM_ARG_NEEDED, xm_set_count, AT(frames), "N",
     "print N frames as text and exit; 3 where there is no terminal", 1, 1000000000, 0},
    {"once", 0, XM_ARG_NONE, xm_set_flag, AT(once), NULL, "the same as --frames=1", 0, 0, 0},
    {"width", 0, XM_ARG_NEEDED, xm_set_count, AT(width), "COLUMNS", "of a frame ($COLUMNS, or 80)", 20, 1000,
     0},
    {"color", 0, XM_ARG_NEEDED, xm_set_choice, AT(colour), "auto|always|never",
     "colours; auto: unless NO_COLOR is set", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
    {"live", 'l', XM_ARG_NONE, xm_set_flag, AT(live), NULL, NULL, 0, 0, 0},
    {"prefix", 'p', XM_ARG_NEEDED, xm_set_text, AT(ignored), "PREFIX", NULL, 0, 0, 0},
    {"time", 't', XM_ARG_NEEDED, xm_set_text, AT(ignored), "SEC", NULL, 0, 0, 0},
    {"interval-ms", 'i', XM_ARG_NEEDED, xm_set_text, AT(ignored), "MS", NULL, 0, 0, 0},
    {"ms_per_sample", 0, XM_ARG_NEEDED, xm_set_duration, AT(ms_per_sample_ns), "MS", NULL, MS, 60000 * MS,
     MS},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [live] [options] [FILE]\n"
           "Shows how every domain's time goes, live.  There, ? explains keys and figures.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

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

/* Crashes, and the signals that end a program while no terminal is open to take them in as keys. */
static void handle_signals(void (*handler)(int))
{
    static const int ending[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        sigaction(ending[i], &action, NULL);
}

/* ---- The two ways to show it. */

static bool wants_colour(const struct config *config)
{
    const char *no_color = getenv("NO_COLOR");
    if (config->colour != COLOUR_AUTO)
        return config->colour == COLOUR_ALWAYS;
    return !no_color || !*no_color;
}

static int show_screen(struct config *config, const char *region)
{
    struct xm_terminal *terminal;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_terminal_open(wants_colour(config), &terminal, &rescue, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s: '%s live --frames=3' prints frames of text", err.text, PROGRAM);
        return err.status == XM_UNSUPPORTED ? XM_EXIT_USAGE : XM_EXIT_FAILED;
    }
    enum xm_status status = xm_live_screen(terminal, region, &config->choice, NULL);
    xm_terminal_close(terminal);
    rescue.fd = -1;
    if (status == XM_OK)
        return XM_EXIT_DONE;
    xm_complain(PROGRAM, "out of memory");
    return XM_EXIT_FAILED;
}

static unsigned frame_width(const struct config *config)
{
    uint64_t width = DEFAULT_WIDTH;
    const char *columns = getenv("COLUMNS");
    if (config->width)
        return (unsigned)config->width;
    if (columns && xm_read_count(columns, &width) && (width < 20 || width > 1000))
        width = DEFAULT_WIDTH;
    return (unsigned)width;
}

static int print_frames(struct config *config, const char *region)
{
    struct xm_error err;
    char said[512];
    struct xm_live_frames frames = {
        .count = config->frames ? (unsigned)config->frames : FRAMES,
        .width = frame_width(config),
        .patience_ns = PATIENCE_NS,
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

static int read_config(int argc, char **argv, struct config *config)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    *config = (struct config){.cpu = NO_CPU};
    xm_choice_init(&config->choice);
    if (xm_options_read(options, OPTIONS, config, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (operands > 1 || (operands && config->replay))
        return xm_usage_error(PROGRAM, "one trace at a time, and '%s' is a second one", argv[operands]);
    if (operands)
        config->replay = argv[1];
    if (config->replay && config->region)
        return xm_usage_error(PROGRAM, "either a trace to replay or --region, not both");
    if (config->once)
        config->frames = 1;
    config->choice.view = config->view ? XM_VIEW_VCPUS : XM_VIEW_PAPER;
    config->choice.one_cpu = config->cpu != NO_CPU;
    config->choice.cpu = config->choice.one_cpu ? (uint32_t)config->cpu : 0;
    return XM_EXIT_DONE;
}

int xenmon_live_main(int argc, char **argv)
{
    struct config config;
    char buffer[PATH_MAX];
    const char *region;
    int code = read_config(argc, argv, &config);
    if (code != XM_EXIT_DONE)
        return code;
    if (config.help)
        return print_help();
    setlocale(LC_CTYPE, ""); /* names of domains; numbers stay as they are everywhere */
    handle_signals(end_by_signal);
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
    const struct xm_own_config own = {
        .program = PROGRAM,
        .replay = config.replay,
        .region = config.region,
        .ms_per_sample_ns = config.ms_per_sample_ns,
        .hint = "show a trace with '" PROGRAM " FILE', or start 'xenbaked FILE'",
    };
    code = xm_own_find(&own, buffer, &region);
    if (code != XM_EXIT_DONE)
        return code;
    bool text = config.frames || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
    code = text ? print_frames(&config, region) : show_screen(&config, region);
    xm_own_stop();
    return code;
}
