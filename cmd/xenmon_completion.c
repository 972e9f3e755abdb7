/* SPDX-License-Identifier: MIT */
/*
 * xenmon completion: what a shell can offer, for bash, zsh and fish.
 *
 * Commands come from the table of xenmon.c, options from the option tables: by way of each program's
 * --help, as some are programs of their own.  Nothing is kept in a file that could go stale.
 */
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "own.h"
#include "xenmon.h"

#define PROGRAM     "xenmon completion"
#define HELP_BYTES  65536
#define MAX_OPTIONS 96
#define MAX_SUBS    16
#define HELP_INDENT 26 /* as xm_options_print() has it */

enum kind { NOTHING, ANYTHING, FILES, WORDS, LISTED };

struct option {
    char letter; /* 0: none */
    char name[48], help[160];
    bool optional;
    enum kind kind;
    char value[80]; /* the argument's name; or its words, separated by blanks; LISTED: the option that lists them */
};

/* A command of xenmon, or xenbaked. */
struct subject {
    const char *name, *help;
    struct option *options;
    size_t count;
    const char *parent; /* "history" of "history report", whose `name` is "report"; else NULL */
    char words[80];     /* those that can follow it, separated by blanks */
};

/* ---- What --help says. */

/* The child: its --help, and nothing else, goes to `out`. */
static void print_help_of(const char *command, const char *sub, int out)
{
    char path[PATH_MAX];
    char name[64], word[64], help[] = "--help";
    char *arguments[4] = {name, help, NULL, NULL};
    if (dup2(out, STDOUT_FILENO) < 0 || !freopen("/dev/null", "w", stderr))
        _exit(XM_EXIT_FAILED);
    snprintf(name, sizeof name, "%s", command ? command : "xenbaked");
    if (!command) {
        xm_own_program(path);
        execvp(path, arguments);
    } else {
        char self[] = "xenmon";
        snprintf(word, sizeof word, "%s", sub ? sub : "--help");
        char *of_command[] = {self, name, word, sub ? help : NULL, NULL};
        execv("/proc/self/exe", of_command);
    }
    _exit(XM_EXIT_FAILED);
}

/* The text of --help, "" where there is none.  command: of xenmon; NULL: xenbaked.  sub: what follows it; NULL: nothing. */
static void read_help(const char *command, const char *sub, char *text, size_t size)
{
    int ends[2];
    size_t length = 0;
    text[0] = '\0';
    if (pipe(ends) != 0)
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        print_help_of(command, sub, ends[1]);
    close(ends[1]);
    for (ssize_t n = 1; pid > 0 && n > 0 && length<size - 1; length += n> 0 ? (size_t)n : 0)
        n = read(ends[0], text + length, size - 1 - length);
    text[length] = '\0';
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

/* ---- One option. */

/* Words are those parts that one would type as they are: "text|json|csv", not "TIME". */
static void read_value(struct option *o, const char *value, size_t length)
{
    static const char *const files[] = {"PATH", "FILE", "DIR", "PREFIX", "WHERE", "SCENARIO"};
    o->kind = ANYTHING;
    snprintf(o->value, sizeof o->value, "%.*s", (int)length, value);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(o->value, files[i]) == 0)
            o->kind = FILES;
    if (!strchr(o->value, '|'))
        return;
    char words[sizeof o->value] = "";
    char *rest = o->value;
    for (char *word = strsep(&rest, "|"); word; word = strsep(&rest, "|")) {
        bool typed = *word != '\0';
        for (const char *c = word; *c; c++)
            typed = typed && !isupper((unsigned char)*c);
        size_t end = strlen(words);
        if (typed)
            snprintf(words + end, sizeof words - end, "%s%s", end ? " " : "", word);
    }
    o->kind = WORDS;
    snprintf(o->value, sizeof o->value, "%s", words);
}

/* "  -d, --interval=TIME     between refreshes"; false: the line begins no option. */
static bool read_option(const char *line, struct option *o)
{
    *o = (struct option){0};
    const char *text = line + strspn(line, " ");
    if (text - line < 2 || text - line >= HELP_INDENT)
        return false;
    if (text[0] == '-' && text[1] != '-' && text[1] && strncmp(text + 2, ", ", 2) == 0) {
        o->letter = text[1];
        text += 4;
    }
    if (strncmp(text, "--", 2) != 0)
        return false;
    text += 2;
    size_t length = strcspn(text, " =[");
    snprintf(o->name, sizeof o->name, "%.*s", (int)length, text);
    text += length;
    o->optional = *text == '[';
    text += o->optional;
    if (*text == '=') {
        length = strcspn(text + 1, " ]");
        read_value(o, text + 1, length);
        text += 1 + length + o->optional;
    }
    text += strspn(text, " ");
    snprintf(o->help, sizeof o->help, "%s", text);
    return true;
}

static void read_options(struct subject *s, char *text)
{
    char *rest = text;
    struct option o;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        size_t blanks = strspn(line, " ");
        if (read_option(line, &o) && s->count < MAX_OPTIONS) {
            s->options[s->count++] = o;
        } else if (blanks == HELP_INDENT && s->count) {
            struct option *last = &s->options[s->count - 1];
            size_t end = strlen(last->help);
            snprintf(last->help + end, sizeof last->help - end, "%s%s", end ? " " : "", line + blanks);
        }
    }
}

/* Names that the program itself can tell are asked for when they are wanted. */
static void find_lists(struct subject *s)
{
    bool metrics = false;
    for (size_t i = 0; i < s->count; i++)
        metrics = metrics || strcmp(s->options[i].name, "list-metrics") == 0;
    bool table = s->name && (strcmp(s->name, "live") == 0 || strcmp(s->name, "replay") == 0);
    for (size_t i = 0; i < s->count; i++) {
        struct option *o = &s->options[i];
        const char *list = metrics && strcmp(o->name, "metric") == 0 ? "--list-metrics"
                           : table && (strcmp(o->name, "sort") == 0 || strcmp(o->name, "columns") == 0)
                               ? "--no-config --sort=list"
                               : NULL;
        if (!list)
            continue;
        o->kind = LISTED;
        snprintf(o->value, sizeof o->value, "%s %s", table ? "live" : s->name, list);
    }
}

/* "       xenmon history report|runs|check [options] [DIR]": the words between bars. */
static void find_subcommands(struct subject *s, const char *text)
{
    char usage[80];
    snprintf(usage, sizeof usage, "       xenmon %s ", s->name);
    const char *line = strstr(text, usage);
    if (!line)
        return;
    line += strlen(usage);
    size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz|");
    if (line[length] != ' ' || !memchr(line, '|', length) || length >= sizeof s->words)
        return;
    for (size_t i = 0; i < length; i++)
        s->words[i] = (char)(line[i] == '|' ? ' ' : line[i]);
}

/* ---- All of it. */

struct all {
    struct subject *subjects; /* xenbaked is the last */
    struct option *options;   /* of them all, MAX_OPTIONS each */
    size_t count, room;       /* room: without it */
    char follow[256];         /* names of what can follow commands */
    size_t follow_used;
};

static void fini(struct all *all)
{
    free(all->options);
    free(all->subjects);
}

/* One subject more, and what its --help says. */
static void add(struct all *all, const char *parent, struct xenmon_command command, char *text)
{
    struct subject *s = &all->subjects[all->count];
    *s = (struct subject){.name = command.name, .help = command.help, .parent = parent};
    s->options = all->options + all->count++ * MAX_OPTIONS;
    /* Its own and that of help would be without options. */
    if (s->name && (strcmp(s->name, "help") == 0 || strcmp(s->name, "completion") == 0))
        return;
    read_help(parent ? parent : s->name, parent ? s->name : NULL, text, HELP_BYTES);
    if (s->name && !parent)
        find_subcommands(s, text);
    read_options(s, text);
    find_lists(s);
}

/* The words that can follow a command, as subjects of their own; they are cut where they stand in `all->follow`. */
static void add_subcommands(struct all *all, const struct subject *s, char *text)
{
    char *rest = all->follow + all->follow_used;
    size_t room = sizeof all->follow - all->follow_used;
    if (!s->words[0] || strlen(s->words) >= room)
        return;
    snprintf(rest, room, "%s", s->words);
    all->follow_used += strlen(s->words) + 1;
    for (char *word = strsep(&rest, " "); word && all->count < all->room; word = strsep(&rest, " "))
        add(all, s->name, (struct xenmon_command){word, ""}, text);
}

/* False when out of memory. */
static bool gather(struct all *all)
{
    size_t commands = 0;
    while (xenmon_command(commands).name)
        commands++;
    all->room = commands + MAX_SUBS;
    all->subjects = calloc(all->room + 1, sizeof *all->subjects);
    all->options = calloc((all->room + 1) * MAX_OPTIONS, sizeof *all->options);
    char *text = malloc(HELP_BYTES);
    bool good = all->subjects && all->options && text;
    for (size_t i = 0; good && i < commands; i++)
        add(all, NULL, xenmon_command(i), text);
    for (size_t i = 0; good && i < commands; i++)
        add_subcommands(all, &all->subjects[i], text);
    if (good)
        add(all, NULL, (struct xenmon_command){NULL, NULL}, text);
    free(text);
    return good;
}

static const char *subject_name(const struct subject *s)
{
    return s->name ? s->name : "xenbaked";
}

/* ---- bash. */

static void print_names(const struct all *all)
{
    for (size_t i = 0; i + 1 < all->count; i++)
        if (!all->subjects[i].parent)
            printf("%s%s", i ? " " : "", all->subjects[i].name);
}

static void print_bash_option(const struct option *o)
{
    static const char *const kinds[] = {[NOTHING] = "", [ANYTHING] = "=", [FILES] = "=f", [WORDS] = "=w ",
                                         [LISTED] = "=l "};
    printf("        echo '--%s%s%s%s'\n", o->name, o->optional ? "?" : "", kinds[o->kind],
           o->kind == WORDS || o->kind == LISTED ? o->value : "");
}

static const char bash_rest[] =
    "_xenmon()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} program=${1##*/}\n"
    "    local command=live option='' kind='' name known='' follow='' head=''\n"
    "    COMPREPLY=()\n"
    "    if [[ $program == *xenbaked ]]; then\n"
    "        command=xenbaked\n"
    "    elif [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == -n ]]; then\n"
    "        command=log\n"
    "    elif [[ $COMP_CWORD -gt 1 && \" $_xenmon_commands \" == *\" ${COMP_WORDS[1]} \"* ]]; then\n"
    "        command=${COMP_WORDS[1]} known=yes\n"
    "        follow=$(_xenmon_follow \"$command\")\n"
    "        if [[ $COMP_CWORD -gt 2 && \" $follow \" == *\" ${COMP_WORDS[2]} \"* ]]; then\n"
    "            command+=\" ${COMP_WORDS[2]}\"\n"
    "        fi\n"
    "    fi\n"
    "    # \"=\" is a word of its own to bash\n"
    "    if [[ $current == '=' ]]; then\n"
    "        option=$previous current=''\n"
    "    elif [[ $previous == '=' ]]; then\n"
    "        option=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    elif [[ $previous == --* && $current != -* ]]; then\n"
    "        option=$previous\n"
    "    fi\n"
    "    while [[ -n $option ]] && IFS= read -r name; do\n"
    "        [[ $name == \"$option\"=* || $name == \"$option?=\"* ]] && kind=${name#*=}x\n"
    "    done < <(_xenmon_options \"$command\")\n"
    "    case $kind in\n"
    "        w*) mapfile -t COMPREPLY < <(compgen -W \"${kind:2:-1}\" -- \"$current\"); return ;;\n"
    "        fx) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); compopt -o filenames 2>/dev/null; "
    "return ;;\n"
    "        l*)\n"
    "            [[ $current == [-+]* ]] && head=${current:0:1}\n"
    "            [[ $current == *,* ]] && head=${current%,*},\n"
    "            kind=${kind:2:-1}\n"
    "            mapfile -t COMPREPLY < <(compgen -P \"$head\" -W \"$(\"$1\" $kind 2>/dev/null | sed 's/ .*//')\" -- "
    "\"${current#\"$head\"}\")\n"
    "            return ;;\n"
    "        x) return ;;\n"
    "    esac\n"
    "    if [[ $current == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(_xenmon_options \"$command\" | sed -E "
    "'s/\\?=.*//; s/=.*/=/')\" -- \"$current\"\n"
    "            [[ $command == live && $COMP_CWORD -eq 1 ]] && compgen -W --version -- \"$current\")\n"
    "        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
    "        return\n"
    "    fi\n"
    "    case $command in\n"
    "        completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh fish' -- \"$current\"); return ;;\n"
    "        help) mapfile -t COMPREPLY < <(compgen -W \"$_xenmon_commands\" -- \"$current\"); return ;;\n"
    "    esac\n"
    "    mapfile -t COMPREPLY < <([[ -z $known && $command == live && $COMP_CWORD -eq 1 ]] &&\n"
    "        compgen -W \"$_xenmon_commands\" -- \"$current\"\n"
    "        [[ $COMP_CWORD -eq 2 ]] && compgen -W \"$follow\" -- \"$current\"\n"
    "        compgen -f -- \"$current\")\n"
    "    compopt -o filenames 2>/dev/null\n"
    "}\n"
    "complete -F _xenmon xenmon xenbaked\n";

static void print_bash(const struct all *all)
{
    printf("# xenmon and xenbaked in bash: made by 'xenmon completion bash'\n_xenmon_commands='");
    print_names(all);
    printf("'\n\n# What can follow a command.\n_xenmon_follow()\n{\n    case $1 in\n");
    for (size_t i = 0; i < all->count; i++)
        if (all->subjects[i].words[0])
            printf("    %s) echo '%s' ;;\n", all->subjects[i].name, all->subjects[i].words);
    printf(
        "    esac\n}\n\n# The long options of a command: --NAME, --NAME=KIND, --NAME?=KIND; kinds: f files, w words, l "
        "what lists words\n"
        "_xenmon_options()\n{\n    case $1 in\n");
    for (size_t i = 0; i < all->count; i++) {
        const struct subject *s = &all->subjects[i];
        printf("    '%s%s%s')\n", s->parent ? s->parent : "", s->parent ? " " : "", subject_name(s));
        for (size_t j = 0; j < s->count; j++)
            print_bash_option(&s->options[j]);
        if (!s->count)
            printf("        :\n");
        printf("        ;;\n");
    }
    printf("    esac\n}\n\n%s", bash_rest);
}

/* ---- zsh. */

/* Within '...' of zsh, where "[", "]" and ":" mean something to _arguments. */
static void print_zsh_text(const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr(special, *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void print_zsh_option(const struct option *o)
{
    const char *joined = o->optional ? "=-" : "=";
    printf("        ");
    if (o->letter)
        printf("'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter,
               o->kind == NOTHING ? ""
               : o->optional      ? "-"
                                  : "+",
               o->name, o->kind == NOTHING ? "" : joined);
    else
        printf("'--%s%s[", o->name, o->kind == NOTHING ? "" : joined);
    print_zsh_text(o->help, "[]:\\");
    printf("]");
    if (o->kind != NOTHING)
        printf("%s", o->optional ? "::" : ":");
    if (o->kind == WORDS) {
        printf("%s:(", o->name);
        print_zsh_text(o->value, ":\\");
        printf(")");
    } else if (o->kind == LISTED) {
        printf("%s:{compadd -- $(xenmon %s 2>/dev/null | sed \"s/ .*//\")}", o->name, o->value);
    } else if (o->kind != NOTHING) {
        print_zsh_text(o->value, "[]:\\");
        printf(":%s", o->kind == FILES ? "_files" : " ");
    }
    printf("' \\\n");
}

static void print_zsh(const struct all *all)
{
    printf("#compdef xenmon xenbaked\n# made by 'xenmon completion zsh'\n\n_xenmon_command()\n{\n    case $1 "
           "in\n");
    for (size_t i = 0; i < all->count; i++) {
        const struct subject *s = &all->subjects[i];
        printf("    '%s%s%s')\n        _arguments -s : \\\n", s->parent ? s->parent : "", s->parent ? " " : "",
               subject_name(s));
        for (size_t j = 0; j < s->count; j++)
            print_zsh_option(&s->options[j]);
        if (s->words[0])
            printf("        '1:what:_alternative \"commands:command:(%s)\" \"files:file:_files\"' \\\n", s->words);
        if (s->name && strcmp(s->name, "completion") == 0)
            printf("        '1:shell:(bash zsh fish)'\n        ;;\n");
        else
            printf("        '*:file:%s'\n        ;;\n",
                   s->name && strcmp(s->name, "help") == 0 ? "_xenmon_names" : "_files");
    }
    printf("    esac\n}\n\n_xenmon_names()\n{\n    local -a commands=(\n");
    for (size_t i = 0; i + 1 < all->count && !all->subjects[i].parent; i++) {
        printf("        '%s:", all->subjects[i].name);
        print_zsh_text(all->subjects[i].help, ":\\");
        printf("'\n");
    }
    printf("    )\n    _describe command commands\n}\n\n"
           "_xenmon()\n{\n"
           "    if [[ ${words[1]:t} == xenbaked ]]; then\n"
           "        _xenmon_command xenbaked\n"
           "    elif (( CURRENT == 2 )) && [[ $PREFIX != -* ]]; then\n"
           "        _xenmon_names\n        _files\n"
           "    elif (( CURRENT > 2 )) && [[ ' ");
    print_names(all);
    printf(" ' == *\" ${words[2]} \"* ]]; then\n"
           "        local command=${words[2]}\n"
           "        shift words\n        (( CURRENT-- ))\n"
           "        if (( CURRENT > 2 )) && [[ ' ");
    for (size_t i = 0; i < all->count; i++)
        if (all->subjects[i].parent)
            printf("%s_%s ", all->subjects[i].parent, all->subjects[i].name);
    printf("' == *\" ${command}_${words[2]} \"* ]]; then\n"
           "            command=\"$command ${words[2]}\"\n"
           "            shift words\n            (( CURRENT-- ))\n        fi\n"
           "        _xenmon_command \"$command\"\n"
           "    else\n        _xenmon_command live\n    fi\n}\n\n"
           "if [[ ${funcstack[1]} == _xenmon ]]; then\n    _xenmon \"$@\"\n"
           "else\n    compdef _xenmon xenmon xenbaked\nfi\n");
}

/* ---- fish. */

static void print_fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

/* condition: when it is offered; NULL: always. */
static void print_fish_option(const char *program, const char *condition, const struct option *o)
{
    printf("complete -c %s", program);
    if (condition)
        printf(" -n '%s'", condition);
    if (o->letter)
        printf(" -s %c", o->letter);
    printf(" -l %s", o->name);
    if (o->kind != NOTHING && !o->optional)
        printf(o->kind == FILES ? " -rF" : " -x");
    if (o->kind == WORDS) {
        printf(" -a ");
        print_fish_text(o->value);
    } else if (o->kind == LISTED) {
        printf(" -a '(xenmon %s 2>/dev/null | string replace -r \" .*\" \"\")'", o->value);
    }
    printf(" -d ");
    print_fish_text(o->help);
    putchar('\n');
}

/* When the options of a subject are offered. */
static void fish_condition(const struct all *all, const struct subject *s, char *text, size_t size)
{
    static const char seen[] = "__fish_seen_subcommand_from";
    const char *other = NULL; /* a command that the same word can follow: "report" and "history report" */
    for (size_t i = 0; !s->parent && i + 1 < all->count; i++)
        if (all->subjects[i].parent && strcmp(all->subjects[i].name, s->name) == 0)
            other = all->subjects[i].parent;
    if (s->parent)
        snprintf(text, size, "%s %s; and %s %s", seen, s->parent, seen, s->name);
    else if (other)
        snprintf(text, size, "%s %s; and not %s %s", seen, s->name, seen, other);
    else if (s->words[0])
        snprintf(text, size, "%s %s; and not %s %s", seen, s->name, seen, s->words);
    else
        /* The options of the live screen need no command before them. */
        snprintf(text, size, "%s%s %s",
                 strcmp(s->name, "live") == 0 ? "not __fish_seen_subcommand_from $__xenmon_commands; or " : "", seen,
                 s->name);
}

static void print_fish(const struct all *all)
{
    char condition[512];
    printf("# xenmon and xenbaked in fish: made by 'xenmon completion fish'\nset -g __xenmon_commands ");
    print_names(all);
    printf("\n");
    for (size_t i = 0; i + 1 < all->count; i++) {
        const struct subject *s = &all->subjects[i];
        if (!s->parent) {
            printf("complete -c xenmon -n '__fish_use_subcommand' -a %s -d ", s->name);
            print_fish_text(s->help);
            putchar('\n');
        }
        if (s->words[0])
            printf("complete -c xenmon -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s' -a '%s'\n",
                   s->name, s->words, s->words);
        fish_condition(all, s, condition, sizeof condition);
        for (size_t j = 0; j < s->count; j++)
            print_fish_option("xenmon", condition, &s->options[j]);
    }
    printf("complete -c xenmon -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"
           "complete -c xenmon -f -n '__fish_seen_subcommand_from help' -a \"$__xenmon_commands\"\n"
           "complete -c xenmon -n __fish_use_subcommand -l version -d 'print the version and exit'\n");
    const struct subject *xenbaked = &all->subjects[all->count - 1];
    for (size_t j = 0; j < xenbaked->count; j++)
        print_fish_option("xenbaked", NULL, &xenbaked->options[j]);
}

/* ---- The command. */

static int print_usage(void)
{
    printf("Usage: " PROGRAM " bash|zsh|fish\n"
           "Prints what makes that shell complete commands and options of xenmon and xenbaked:\n"
           "  bash  eval \"$(xenmon completion bash)\"  in ~/.bashrc\n"
           "  zsh   eval \"$(xenmon completion zsh)\"   in ~/.zshrc, after compinit\n"
           "  fish  xenmon completion fish | source   in ~/.config/fish/config.fish\n"
           "\n  -h, --help              print this and exit\n");
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

int xenmon_completion_main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(const struct all *all);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    struct all all = {.count = 0};
    size_t shell = 0;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return print_usage();
    if (argc != 2)
        return xm_usage_error(PROGRAM, "one shell is to be named: bash, zsh or fish");
    while (shell < sizeof shells / sizeof shells[0] && strcmp(argv[1], shells[shell].name) != 0)
        shell++;
    if (shell == sizeof shells / sizeof shells[0])
        return xm_usage_error(PROGRAM, "'%.60s' is not bash, zsh or fish", argv[1]);
    bool good = gather(&all);
    if (good)
        shells[shell].print(&all);
    else
        xm_complain(PROGRAM, "out of memory");
    fini(&all);
    return good && fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}
