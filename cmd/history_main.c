/* SPDX-License-Identifier: MIT */
/*
 * xenmon-history: the durable history, which needs SQLite.  xenmon runs it for 'xenmon history', xenbaked for
 * 'xenmon-history keep'.
 */
#include <stdio.h>
#include <string.h>

#include "history.h"

#define PROGRAM "xenmon history"

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"report", xenmon_history_report_main}, {"runs", xenmon_history_runs_main},
    {"check", xenmon_history_check_main},   {"show", xenmon_history_show_main},
    {"keep", xenmon_history_keep_main},
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "history") == 0) {
        argc--;
        argv++;
    }
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    return xenmon_history_query_main(argc, argv);
}
