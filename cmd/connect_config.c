/* SPDX-License-Identifier: MIT */
#include "connect_config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "options.h"
#include "xenmon/units.h"

#define SECRET_BYTES 4096
#define MS           UINT64_C(1000000)

static const char *set_url(const struct xm_option *option, const char *text, void *where)
{
    struct xm_connect_config *c = where;
    (void)option;
    if (!xm_fetch_is_url(text))
        return "a URL that begins with https://, http:// or http+unix://";
    if (c->urls == XM_HOSTS_MOST)
        return "one of at most 64 URLs";
    c->url[c->urls++] = text;
    return NULL;
}

static const char *set_sort(const struct xm_option *option, const char *text, void *where)
{
    static const char *const words[XM_HOSTS_COLUMNS] = {
        [XM_HOSTS_NAME] = "host",       [XM_HOSTS_LINK] = "link",         [XM_HOSTS_BUSY] = "pcpu",
        [XM_HOSTS_WAITING] = "waiting", [XM_HOSTS_DOMAINS] = "doms",      [XM_HOSTS_VCPUS] = "vcpus",
        [XM_HOSTS_AGE] = "age",         [XM_HOSTS_LOST_RECORDS] = "lost", [XM_HOSTS_WORST] = "worst",
    };
    (void)option;
    for (unsigned i = 0; i < XM_HOSTS_COLUMNS; i++)
        if (strcmp(words[i], text) == 0) {
            *(unsigned *)where = i;
            return NULL;
        }
    return "host, link, pcpu, waiting, doms, vcpus, lost, age or worst";
}

#define AT(member) offsetof(struct xm_connect_config, member)
static const struct xm_option options[] = {
    {.help = "Which hosts:"},
    {"connect", 'c', XM_ARG_NEEDED, set_url, 0, "URL",
     "https://HOST:PORT, http://HOST:PORT or http+unix://PATH; repeatable: several are a table", 0, 0, 0},
    {"token-file", 0, XM_ARG_NEEDED, xm_set_text, AT(token_file), "FILE",
     "its first line is the bearer token", 0, 0, 0},
    {"user-file", 0, XM_ARG_NEEDED, xm_set_text, AT(user_file), "FILE", "its first line is NAME:PASSWORD", 0,
     0, 0},
    {"netrc", 0, XM_ARG_OPTIONAL, xm_set_text, AT(netrc), "FILE",
     "names and passwords of hosts from a netrc file (~/.netrc)", 0, 0, 0},
    {"ca-file", 0, XM_ARG_NEEDED, xm_set_text, AT(ca_file), "FILE",
     "certificates to trust, PEM, in place of the system's", 0, 0, 0},
    {"history", 0, XM_ARG_NEEDED, xm_set_duration, AT(history_ns), "TIME",
     "how much of the past is fetched at first; ten times that of the coarse one (30s)", 0,
     3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"max-copy", 0, XM_ARG_NEEDED, xm_set_size, AT(copy_bytes), "SIZE",
     "of the copy of one host in /dev/shm; who needs more is refused (1G)", UINT64_C(1) << 20,
     UINT64_C(1) << 40, 0},
    {.help = "How it is shown (options of 'xenmon live' are handed on to a host's screen):"},
    {"sort", 0, XM_ARG_NEEDED, set_sort, AT(sort), "COLUMN",
     "the table's order: host, link, pcpu, waiting, doms, vcpus, lost, age or worst (host)", 0, 0, 0},
    {"filter", 0, XM_ARG_NEEDED, xm_set_text, AT(filter), "TEXT", "only hosts with this in name or state", 0,
     0, 0},
    {"interval", 'd', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "TIME", "between refreshes (1s)",
     100 * MS, 3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"frames", 0, XM_ARG_NEEDED, xm_set_count, AT(frames), "N", "print N frames as text and exit", 1,
     1000000000, 0},
    {"once", 0, XM_ARG_NONE, xm_set_flag, AT(once), NULL, "the same as --frames=1", 0, 0, 0},
    {"width", 0, XM_ARG_NEEDED, xm_set_count, AT(width), "COLUMNS", "of a frame ($COLUMNS, or 80)", 20, 1000,
     0},
    {"color", 0, XM_ARG_NEEDED, xm_set_choice, AT(colour), "auto|always|never",
     "colours; auto: unless NO_COLOR is set", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

/* What the screen of one host understands too; of several, sort and filter are the table's alone. */
static const char *const shared[] = {"interval", "frames", "once", "width", "color", NULL};
static const char *const of_one[] = {"sort", "filter", NULL};

static bool is_in(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

int xm_connect_help(void)
{
    printf("Usage: xenmon --connect URL [--connect URL...] [options]\n"
           "       " XM_CONNECT_PROGRAM " URL... [options]\n"
           "Shows hosts that run 'xenmon serve': one as if it were here, several as a table\n"
           "first, where Enter goes into a host's screen and q comes back.\n"
           "Secrets come from files: others see command lines.\n");
    xm_options_print(options, OPTIONS, stdout);
    printf("\n"
           "Exit status: 0 done; 1 failed while running; 2 wrong usage; 3 not permitted,\n"
           "nobody answers, or nothing traces there.\n");
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* The option that an argument names, its value joined to it or not; NULL: none of ours. */
static const struct xm_option *own_option(const char *argument)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct xm_option *o = &options[i];
        if (!o->name)
            continue;
        size_t length = strlen(o->name);
        if (strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, o->name, length) == 0 &&
            (argument[2 + length] == '\0' || argument[2 + length] == '='))
            return o;
        if (o->letter && argument[0] == '-' && argument[1] == o->letter)
            return o;
    }
    return NULL;
}

static bool has_value(const struct xm_option *option, const char *argument)
{
    if (option->argument != XM_ARG_NEEDED)
        return true;
    return argument[1] == '-' ? strchr(argument, '=') != NULL : argument[2] != '\0';
}

static unsigned count_urls(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        const struct xm_option *o = own_option(argv[i]);
        count += o ? o->set == set_url : argv[i][0] != '-' && xm_fetch_is_url(argv[i]);
        i += o && !has_value(o, argv[i]); /* its value is no operand */
    }
    return count;
}

/* Whose an argument is. */
struct whose {
    bool ours, live;
    bool pair; /* its value is the next one */
};

static struct whose whose(const char *argument, bool several)
{
    const struct xm_option *o = own_option(argument);
    bool url = !o && argument[0] != '-' && xm_fetch_is_url(argument);
    if (!o)
        return (struct whose){url, !url, false};
    bool ones = !several && is_in(of_one, o->name);
    return (struct whose){!ones, ones || is_in(shared, o->name), !has_value(o, argument)};
}

/* Splits the arguments: *own of ours stand in `ours`, the live screen's in config->live; some are both's. */
static void split(int argc, char **argv, struct xm_connect_config *config, char **ours, int *own)
{
    bool several = count_urls(argc, argv) > 1;
    ours[(*own)++] = argv[0];
    for (int i = 1; i < argc; i++) {
        struct whose w = whose(argv[i], several);
        int last = w.pair && i + 1 < argc ? i + 1 : i;
        for (; i <= last; i++) {
            if (w.live)
                config->live[config->lives++] = argv[i];
            if (w.ours)
                ours[(*own)++] = argv[i];
        }
        i = last;
    }
}

/* ---- Secrets. */

/* What keeps a line from being a secret; NULL: nothing. */
static const char *fault_of(const char *line)
{
    if (!line[0])
        return "its first line is empty";
    for (; *line; line++)
        if ((unsigned char)*line < ' ' || *line == 127)
            return "a control character in its first line";
    return NULL;
}

/* The first line of a file, in memory of its own, SECRET_BYTES.  NULL, and it has been said why. */
static char *first_line(const char *path)
{
    struct xm_error err;
    char *line = NULL;
    size_t bytes;
    xm_error_clear(&err);
    if (xm_secret_read(path, SECRET_BYTES - 1, &line, &bytes, &err) != XM_OK) {
        xm_complain(XM_CONNECT_PROGRAM, "%s", err.text);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    const char *why = fault_of(line);
    if (!why)
        return line;
    xm_secret_free(line, SECRET_BYTES);
    xm_complain(XM_CONNECT_PROGRAM, "%s: %s", path, why);
    return NULL;
}

/* The netrc that will be read, "" for the one at home; what is not there is no fault. */
static int check_netrc(const char *named)
{
    char path[PATH_MAX];
    struct xm_error err;
    const char *home = getenv("HOME");
    int n = *named ? snprintf(path, sizeof path, "%s", named)
                   : snprintf(path, sizeof path, "%s/.netrc", home ? home : "");
    if (n < 0 || (size_t)n >= sizeof path || (!*named && access(path, F_OK) != 0))
        return XM_EXIT_DONE;
    xm_error_clear(&err);
    if (access(path, R_OK) != 0)
        xm_fail(&err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    else if (xm_secret_check(path, &err) == XM_OK)
        return XM_EXIT_DONE;
    xm_complain(XM_CONNECT_PROGRAM, "%s", err.text);
    return XM_EXIT_USAGE;
}

static int read_secrets(struct xm_connect_config *c)
{
    struct xm_fetch_credentials *k = &c->credentials;
    k->ca_file = c->ca_file;
    k->netrc = c->netrc;
    if ((c->token_file != NULL) + (c->user_file != NULL) + (c->netrc != NULL) > 1)
        return xm_usage_error(XM_CONNECT_PROGRAM, "give one of --token-file, --user-file and --netrc");
    if (c->ca_file && access(c->ca_file, R_OK) != 0) {
        xm_complain(XM_CONNECT_PROGRAM, "%s: %s", c->ca_file, strerror(errno));
        return XM_EXIT_USAGE;
    }
    if (c->netrc && check_netrc(c->netrc) != XM_EXIT_DONE)
        return XM_EXIT_USAGE;
    const char *file = c->token_file ? c->token_file : c->user_file;
    if (!file)
        return XM_EXIT_DONE;
    c->secret = first_line(file);
    if (!c->secret)
        return XM_EXIT_USAGE;
    if (c->token_file) {
        k->token = c->secret;
        return XM_EXIT_DONE;
    }
    char *colon = strchr(c->secret, ':');
    if (!colon) {
        xm_complain(XM_CONNECT_PROGRAM, "%s: its first line is not NAME:PASSWORD", file);
        return XM_EXIT_USAGE;
    }
    *colon = '\0';
    k->user = c->secret;
    k->password = colon + 1;
    return XM_EXIT_DONE;
}

int xm_connect_config_read(int argc, char **argv, struct xm_connect_config *config)
{
    struct xm_error err;
    int own = 0;
    int operands = 0;
    *config = (struct xm_connect_config){
        .history_ns = 30 * XM_NS_PER_S, .copy_bytes = UINT64_C(1) << 30, .interval_ns = XM_NS_PER_S};
    char **ours = calloc((size_t)argc + 1, sizeof *ours);
    config->live = calloc((size_t)argc + 8, sizeof *config->live);
    if (!ours || !config->live) {
        free(ours);
        xm_complain(XM_CONNECT_PROGRAM, "out of memory");
        return XM_EXIT_FAILED;
    }
    split(argc, argv, config, ours, &own);
    xm_error_clear(&err);
    enum xm_status status = xm_options_read(options, OPTIONS, config, own, ours, &operands, &err);
    for (int i = 1; status == XM_OK && i <= operands; i++) {
        const char *wrong = set_url(NULL, ours[i], config);
        if (wrong)
            status = xm_fail(&err, XM_INVALID, XM_NO_OFFSET, "'%s' is not %s", ours[i], wrong);
    }
    free(ours);
    if (status != XM_OK)
        return xm_usage_error(XM_CONNECT_PROGRAM, "%s", err.text);
    if (config->help)
        return XM_EXIT_DONE;
    if (config->urls == 0)
        return xm_usage_error(XM_CONNECT_PROGRAM, "which host?  A URL is missing, as https://HOST:8436");
    if (config->once)
        config->frames = 1;
    return read_secrets(config);
}

void xm_connect_config_fini(struct xm_connect_config *config)
{
    xm_secret_free(config->secret, SECRET_BYTES);
    free(config->live);
}
