/* SPDX-License-Identifier: MIT */
#include "live_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/conf.h"
#include "front/screen/settings.h"
#include "front/screen/table.h"

#define PROGRAM "xenmon"
#define MS      UINT64_C(1000000)
#define NO_CPU  UINT64_MAX

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

#define AT(member)  offsetof(struct xm_live_config, member)
#define ROWS(which) (AT(choice.rows) + (which) * sizeof(bool))

/* What settings files have under the same name; `where` is the choice. */
static const char *set_setting(const struct xm_option *option, const char *text, void *where)
{
    char cause[200];
    return xm_settings_set(where, option->name, text, cause, sizeof cause) ? NULL : option->value;
}

/* double: as fast as the keys go. */
static const char *set_speed(const struct xm_option *option, const char *text, void *where)
{
    char *end;
    double speed = strtod(text, &end);
    (void)option;
    if (end == text || (*end && strcmp(end, "x") != 0) || !(speed >= 1.0 / 64 && speed <= 1024))
        return "a factor from 0.015625 to 1024";
    *(double *)where = speed;
    return NULL;
}

static const struct xm_option options[] = {
    {.help = "What is shown:"},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH",
     "the region to read; by default that of the system's, or the user's, xenbaked", 0, 0, 0},
    {"replay", 0, XM_ARG_NEEDED, xm_set_text, AT(replay), "FILE",
     "play this trace, with a xenbaked of its own; a FILE alone does the same", 0, 0, 0},
    {"speed", 0, XM_ARG_NEEDED, set_speed, AT(choice.speed), "FACTOR", "how fast it is played (1)", 0, 0, 0},
    {"start", 0, XM_ARG_NEEDED, xm_set_duration, AT(choice.start_ns), "TIME",
     "how far from its beginning (0s)", 0, 0, XM_NS_PER_S},
    {"paused", 0, XM_ARG_NONE, xm_set_flag, AT(paused), NULL, "not played yet: y or Ctrl-P does that", 0, 0,
     0},
    {"view", 0, XM_ARG_NEEDED, set_setting, AT(choice), "domains|vcpus|pcpus|domain|latency|paper",
     "what to begin with (domains)", 0, 0, 0},
    {"cpu", 0, XM_ARG_NEEDED, xm_set_count, AT(cpu), "N", "one physical CPU, not all", 0, UINT32_MAX, 0},
    {"window", 0, XM_ARG_NEEDED, set_setting, AT(choice), "last|1s|10s|1min|TIME",
     "what the tables are about: the last execution, or so long (1s)", 0, 0, 0},
    {"sort", 0, XM_ARG_NEEDED, xm_set_text, AT(sort), "COLUMN",
     "sort the view by it; -COLUMN: the largest first, +COLUMN: the smallest; 'list' names the columns", 0, 0,
     0},
    {"columns", 0, XM_ARG_NEEDED, xm_set_text, AT(columns), "LIST",
     "columns of the view, separated by commas, the most important first", 0, 0, 0},
    {"filter", 0, XM_ARG_NEEDED, xm_set_text, AT(filter), "TEXT",
     "only lines with this in their name, number or state", 0, 0, 0},
    {.help = "Rows of the paper's view (all are shown, unless it says --no...):"},
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
    {"interval", 'd', XM_ARG_NEEDED, xm_set_duration, AT(choice.interval_ns), "TIME",
     "between refreshes (1s)", XM_CHOICE_MIN_INTERVAL_NS, XM_CHOICE_MAX_INTERVAL_NS, XM_NS_PER_S},
    {"units", 0, XM_ARG_NEEDED, set_setting, AT(choice), "vcpus|cpu|ms",
     "% of the vCPUs' time (the default), % of one CPU's, or ms a second", 0, 0, 0},
    {"theme", 0, XM_ARG_NEEDED, set_setting, AT(choice), "dark|light|high-contrast|colour-blind|mono",
     "which colours (dark)", 0, 0, 0},
    {"frames", 0, XM_ARG_NEEDED, xm_set_count, AT(frames), "N",
     "print N frames as text and exit; 3 where there is no terminal", 1, 1000000000, 0},
    {"once", 0, XM_ARG_NONE, xm_set_flag, AT(once), NULL, "the same as --frames=1", 0, 0, 0},
    {"width", 0, XM_ARG_NEEDED, xm_set_count, AT(width), "COLUMNS", "of a frame ($COLUMNS, or 80)", 20, 1000,
     0},
    {"color", 0, XM_ARG_NEEDED, xm_set_choice, AT(colour), "auto|always|never",
     "colours; auto: unless NO_COLOR is set", 0, 0, 0},
    {"no-mouse", 0, XM_ARG_NONE, xm_set_no, AT(mouse), NULL,
     "leave the mouse to the terminal; else marking text there takes Shift", 0, 0, 0},
    {"config", 0, XM_ARG_NEEDED, xm_set_text, AT(file), "FILE",
     "read and keep settings in FILE, not where xenmon.conf(5) says", 0, 0, 0},
    {"no-config", 0, XM_ARG_NONE, xm_set_flag, AT(no_file), NULL, "read and keep none", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
    {"live", 'l', XM_ARG_NONE, xm_set_flag, AT(live), NULL, NULL, 0, 0, 0},
    {"prefix", 'p', XM_ARG_NEEDED, xm_set_text, AT(ignored), "PREFIX", NULL, 0, 0, 0},
    {"time", 't', XM_ARG_NEEDED, xm_set_text, AT(ignored), "SEC", NULL, 0, 0, 0},
    {"interval-ms", 'i', XM_ARG_NEEDED, xm_set_text, AT(ignored), "MS", NULL, 0, 0, 0},
    {"ms_per_sample", 0, XM_ARG_NEEDED, xm_set_duration, AT(ms_per_sample_ns), "MS",
     "between samples, of a xenbaked of its own", MS, 60000 * MS,
     MS},
};
#define OPTIONS (sizeof options / sizeof options[0])

int xm_live_help(void)
{
    printf("Usage: " PROGRAM " [live] [options] [FILE|-]\n"
           "       " PROGRAM " replay [options] FILE|-\n"
           "Shows how every domain's time goes, live, or how it went in a trace.\n"
           "There, ? explains keys and figures.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

bool xm_live_wants_columns(const struct xm_live_config *config)
{
    return (config->sort && strcmp(config->sort, "list") == 0) ||
           (config->columns && strcmp(config->columns, "list") == 0);
}

int xm_live_columns(const struct xm_live_config *config)
{
    const struct xm_table *table = xm_table_of(config->choice.view);
    for (unsigned i = 0; table && i < table->count; i++)
        printf("%-26s %s\n", table->columns[i].id, xm_table_help(&table->columns[i]));
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

/* NO_COLOR (no-color.org) wins over the two of bixense.com/clicolors. */
bool xm_live_colour(const struct xm_live_config *config)
{
    const char *colours = getenv("CLICOLOR");
    const char *force = getenv("CLICOLOR_FORCE");
    if (config->colour != COLOUR_AUTO)
        return config->colour == COLOUR_ALWAYS;
    if (is_set("NO_COLOR"))
        return false;
    return !colours || strcmp(colours, "0") != 0 || (force && *force && strcmp(force, "0") != 0);
}

/* ---- Settings. */

void xm_live_keep_settings(void *user, struct xm_choice *choice)
{
    const struct xm_live_config *config = user;
    struct xm_error err;
    xm_error_clear(&err);
    if (!config->keep_path[0])
        snprintf(choice->said, sizeof choice->said, "not saved: %s",
                 config->no_file ? "--no-config" : "neither $XDG_CONFIG_HOME nor $HOME says where");
    else if (xm_settings_write(config->keep_path, choice, &err) == XM_OK)
        snprintf(choice->said, sizeof choice->said, "settings saved to %.70s", config->keep_path);
    else
        snprintf(choice->said, sizeof choice->said, "not saved: %.80s", err.text);
}

/* On the screen there is room for the first; all of them stand where the shell goes on. */
static void say(void *user, const char *text)
{
    struct xm_live_config *config = user;
    xm_complain(PROGRAM, "%s", text);
    if (!config->choice.said[0])
        snprintf(config->choice.said, sizeof config->choice.said, "%.95s", text);
}

static void read_file(struct xm_live_config *config, const char *path)
{
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = xm_settings_read(path, &config->choice, say, config, &err);
    if (status == XM_OK)
        status = xm_config_read(&config->lines, path, say, config, &err);
    if (status < 0 && status != XM_INVALID) /* of which the lines have been said */
        say(config, err.text);
}

/* The system's, and over them the user's own; or those that the command line names. */
static enum xm_status find_files(struct xm_live_config *config, struct xm_conf_files *files,
                                 struct xm_error *err)
{
    enum xm_status status = XM_OK;
    if (config->no_file)
        return XM_OK;
    if (config->file) {
        snprintf(config->keep_path, sizeof config->keep_path, "%s", config->file);
        return xm_conf_files_add(files, config->file, err);
    }
    status = xm_conf_files_add(files, XM_CONF_SYSTEM, err);
    if (!xm_conf_own_path(config->keep_path))
        config->keep_path[0] = '\0';
    return status == XM_OK ? xm_conf_files_add_own(files, err) : status;
}

static void read_files(struct xm_live_config *config)
{
    struct xm_conf_files files = {0};
    struct xm_error err;
    xm_error_clear(&err);
    if (find_files(config, &files, &err) != XM_OK)
        say(config, err.text);
#ifdef XM_HAVE_INIH
    for (size_t i = 0; i < files.count; i++)
        read_file(config, files.path[i]);
#else
    if (config->file) /* it says that it cannot; else that is said when somebody wants to keep settings */
        read_file(config, config->file);
#endif
    xm_conf_files_fini(&files);
}

/* ---- The whole. */

static void set_defaults(struct xm_live_config *config)
{
    *config = (struct xm_live_config){.cpu = NO_CPU, .mouse = true};
    xm_choice_init(&config->choice);
}

static size_t index_of(const char *name)
{
    size_t i = 0;
    while (!options[i].name || strcmp(options[i].name, name) != 0)
        i++;
    return i;
}

/* Upstream's rows are those of the paper's view. */
static bool any_rows(const bool given[OPTIONS])
{
    bool any = false;
    for (size_t i = 0; i < OPTIONS; i++)
        any = any || (given[i] && options[i].offset >= ROWS(0) && options[i].offset < ROWS(XM_ROWS_COUNT));
    return any;
}

static int set_of_view(struct xm_live_config *config, const char *option, const char *value)
{
    char name[40];
    char cause[200];
    snprintf(name, sizeof name, "%s.%s", option, xm_settings_view_name(config->choice.view));
    if (!xm_table_of(config->choice.view))
        return xm_usage_error(PROGRAM, "--%s: the view %s has no columns", option,
                              xm_settings_view_name(config->choice.view));
    if (!xm_settings_set(&config->choice, name, value, cause, sizeof cause))
        return xm_usage_error(PROGRAM, "--%s: %s (--%s=list names them)", option, cause, option);
    return XM_EXIT_DONE;
}

/* What options together come to. */
static int settle(struct xm_live_config *config)
{
    struct xm_choice *choice = &config->choice;
    int code = XM_EXIT_DONE;
    if (config->once)
        config->frames = 1;
    choice->one_cpu = config->cpu != NO_CPU;
    choice->cpu = choice->one_cpu ? (uint32_t)config->cpu : 0;
    if (config->filter && strlen(config->filter) >= sizeof choice->filter)
        return xm_usage_error(PROGRAM, "--filter: at most %zu bytes", sizeof choice->filter - 1);
    if (config->filter)
        snprintf(choice->filter, sizeof choice->filter, "%s", config->filter);
    if (xm_live_wants_columns(config))
        return XM_EXIT_DONE;
    if (config->columns)
        code = set_of_view(config, "columns", config->columns);
    if (config->sort && code == XM_EXIT_DONE)
        code = set_of_view(config, "sort", config->sort);
    return code;
}

/* What of the command line must be known before files are read.  config: what it says alone. */
static int look_at_arguments(int argc, char **argv, struct xm_live_config *config, bool given[OPTIONS],
                             int *operands)
{
    struct xm_error err;
    xm_error_clear(&err);
    set_defaults(config);
    if (xm_options_look(options, OPTIONS, config, argc, argv, operands, given, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (config->file && config->no_file)
        return xm_usage_error(PROGRAM, "--config or --no-config, not both");
    if (config->file && strlen(config->file) >= PATH_MAX)
        return xm_usage_error(PROGRAM, "--config: the path is too long");
    return XM_EXIT_DONE;
}

/* The trace that is to be replayed, if there is one, and what goes with it. */
static int settle_trace(struct xm_live_config *config, char **argv, int operands, const bool given[OPTIONS])
{
    if (operands > 1 || (operands && config->replay))
        return xm_usage_error(PROGRAM, "one trace at a time, and '%s' is a second one", argv[operands]);
    if (operands)
        config->replay = argv[1];
    if (config->replay && config->region)
        return xm_usage_error(PROGRAM, "either a trace to replay or --region, not both");
    if (!config->replay && !config->help && strcmp(argv[0], "replay") == 0)
        return xm_usage_error(PROGRAM, "a trace is needed: a FILE, or - for standard input");
    bool played = given[index_of("speed")] || given[index_of("start")] || given[index_of("paused")];
    if (!config->replay && played)
        return xm_usage_error(PROGRAM, "--speed, --start and --paused are for a trace that is replayed");
    return XM_EXIT_DONE;
}

int xm_live_config_read(int argc, char **argv, struct xm_live_config *config)
{
    /* What has no place in [live]: what is of one call only, or is kept in [screen]. */
    static const char *const never[] = {
        "speed",       "start",         "paused",
        "replay",      "view",          "cpu",       "window",    "sort",      "columns",   "filter",
        "noallocated", "nowaited",      "noblocked", "noexcount", "noiocount", "allocated", "waited",
        "blocked",     "excount",       "iocount",   "interval",  "units",     "theme",     "frames",
        "once",        "config",        "no-config", "help",      "live",      "prefix",    "time",
        "interval-ms", "ms_per_sample", NULL};
    struct xm_live_config told;
    struct xm_error err;
    bool given[OPTIONS] = {false};
    bool skip[OPTIONS] = {false};
    int operands = 0;
    xm_error_clear(&err);
    set_defaults(config);
    int code = look_at_arguments(argc, argv, &told, given, &operands);
    if (code != XM_EXIT_DONE)
        return code;
    config->file = told.file;
    config->no_file = told.no_file || told.help;
    skip[index_of("region")] = operands > 0 || told.replay; /* a trace has one of its own */
    config->lines = (struct xm_config){.section = "live",
                                       .options = options,
                                       .count = OPTIONS,
                                       .config = config,
                                       .never = never,
                                       .skip = skip,
                                       .scratch = &told};
    read_files(config);
    if (any_rows(given))
        config->choice.view = XM_VIEW_PAPER;
    if (xm_options_read(options, OPTIONS, config, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    config->lines.skip = NULL;
    config->lines.scratch = NULL;
    code = settle_trace(config, argv, operands, given);
    return code == XM_EXIT_DONE ? settle(config) : code;
}

void xm_live_config_fini(struct xm_live_config *config)
{
    xm_config_fini(&config->lines);
}
