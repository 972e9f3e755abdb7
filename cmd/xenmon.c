/* SPDX-License-Identifier: MIT */
/*
 * xenmon: finds the subcommand and hands over.
 *
 * Without a subcommand it is the live screen; upstream's -n makes that the log, xentop's and top's -b the batch.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"
#include "options.h"
#include "xenmon.h"
#include "xenmon_live.h"

#define PROGRAM "xenmon"
#define HELP_INDENT 12

struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help;    /* NULL: another name of the one before */
    const char *program; /* main NULL: what carries it */
};

static int help_main(int argc, char **argv);

static const struct command commands[] = {
    {"live", xenmon_live_main, "the live screen; this is what xenmon alone does", NULL},
    {"replay", xenmon_live_main, "plays a trace on that screen, forth and back, at any speed", NULL},
    {"report", xenmon_report_main, "a summary of a whole trace: text, JSON or CSV", NULL},
    {"log", xenmon_log_main, "writes numbers at an interval to files, one for each domain", NULL},
    {"batch", xenmon_batch_main, "prints a table at an interval, as xentop -b and top -b do", NULL},
    {"record", xenmon_record_main, "writes the raw trace of the running host to a file", NULL},
    {"history", NULL, "what domains did in days past, and accounts of it", "xenmon-history"},
    {"sim", NULL, "simulates a Xen host, and writes its trace to a file", "xenmon-sim"},
    {"sim-ctl", NULL, "changes load and weights of a simulated host that runs", "xenmon-sim"},
    {"study", NULL, "the paper's performance study on a simulated host, with figures", "xenmon-study"},
    {"completion", xenmon_completion_main, "what makes bash, zsh or fish complete all this", NULL},
    {"serve", NULL, "metrics, a JSON API and a live page over HTTP", "xenmon-serve"},
    {"connect", NULL, "other hosts, live, that run the server; --connect URL is the same", "xenmon-connect"},
    {"help", help_main, "this list, or the help of a command", NULL},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

struct xenmon_command xenmon_command(size_t i)
{
    for (size_t at = 0; at < sizeof commands / sizeof commands[0]; at++)
        if (commands[at].help && i-- == 0)
            return (struct xenmon_command){commands[at].name, commands[at].help};
    return (struct xenmon_command){NULL, NULL};
}

static int run(const struct command *command, int argc, char **argv)
{
    return command->main ? command->main(argc, argv) : xm_helper_run(command->program, argc, argv);
}

static int print_help(void)
{
    printf("Usage: " PROGRAM " [live options]\n"
           "       " PROGRAM " COMMAND [options] [operands]\n"
           "Shows how the domains on a Xen host share its CPUs: running, waiting, blocked.\n"
           "\nCommands ('" PROGRAM " COMMAND --help' says more):\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].help)
            printf("  %-*s%s\n", HELP_INDENT, commands[i].name, commands[i].help);
    printf("\n"
           "  -n          the same as '" PROGRAM " log'\n"
           "  -b          the same as '" PROGRAM " batch'\n"
           "  --version   print the version and exit\n"
           "  --help      print this and exit\n"
           "\n"
           "Exit status: 0 done; 1 failed while running; 2 wrong usage; 3 no permission, not dom0,\n"
           "or nothing traces; 4 done, but more records were lost than allowed.\n");
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static int help_main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    const struct command *command = find_command(argv[1]);
    if (!command || command->main == help_main)
        return command ? print_help() : xm_usage_error(PROGRAM, "there is no command '%s'", argv[1]);
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return run(command, 2, arguments);
}

static int print_version(void)
{
    puts(PROGRAM " " XM_VERSION);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* Upstream's -n, alone or joined with -l, or in full. */
static bool wants_log(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *text = argv[i];
        if (strcmp(text, "--notlive") == 0)
            return true;
        if (text[0] == '-' && text[1 + strspn(text + 1, "l")] == 'n')
            return true;
    }
    return false;
}

/* xentop's and top's -b, alone or joined with flags that go with it, or in full. */
static bool wants_batch(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *text = argv[i];
        if (strcmp(text, "--batch") == 0)
            return true;
        if (text[0] == '-' && text[1 + strspn(text + 1, "frvxz")] == 'b')
            return true;
    }
    return false;
}

/* Of the program, or after a command: they are of one version. */
static bool wants_version(const struct command *command, int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (command)
        return argc == 3 && strcmp(argv[2], "--version") == 0;
    return strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0;
}

/* A host elsewhere, in whatever place it stands: the live screen's options may come first.  command: NULL: none is named. */
static bool wants_connect(const struct command *command, int argc, char **argv)
{
    static const char name[] = "--connect";
    if (command && command->main != xenmon_live_main)
        return false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], name) == 0 || (strncmp(argv[i], name, sizeof name - 1) == 0 && argv[i][sizeof name - 1] == '='))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    const struct command *command = find_command(first);
    if (wants_version(command, argc, argv))
        return print_version();
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return print_help();
    if (wants_connect(command, argc, argv)) {
        static char connect[] = "connect";
        int from = command ? 1 : 0;
        argv[from] = connect;
        return xm_helper_run("xenmon-connect", argc - from, argv + from);
    }
    if (command)
        return run(command, argc - 1, argv + 1);
    if (wants_batch(argc, argv))
        return xenmon_batch_main(argc, argv);
    if (wants_log(argc, argv))
        return xenmon_log_main(argc, argv);
    /* 'xenmon FILE' shows a trace. */
    if (*first && first[0] != '-' && access(first, F_OK) != 0)
        return xm_usage_error(PROGRAM, "there is no command, and no file, '%s'", first);
    return xenmon_live_main(argc, argv);
}
