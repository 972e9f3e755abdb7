/* SPDX-License-Identifier: MIT */
/*
 * xenmon-connect: what xenmon runs for `xenmon --connect URL` and `xenmon connect URL...`.
 *
 * A link to each host keeps a copy of its region in a private directory; one host is shown by `xenmon live`
 * on its copy, several by a table first.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "beside.h"
#include "connect_config.h"
#include "connect_link.h"
#include "front/terminal/keys.h"
#include "front/terminal/terminal.h"
#include "options.h"
#include "scratch.h"
#include "xenmon/units.h"

#define PATIENCE_NS   (15 * XM_NS_PER_S) /* for a first sample */
#define SECOND_NS     (XM_NS_PER_S * 5 / 4)
#define TICK_NS       (XM_NS_PER_S / 20)
#define FRAMES        3
#define DEFAULT_WIDTH 80
#define COPY_BYTES    (UINT64_C(64) << 20) /* for all copies together, but that each has its least history */
#define COPY_LEAST    (UINT64_C(8) << 20)

struct host {
    struct xm_link *link;
    struct xm_hosts_reader *reader;
    char region[80];
};

struct connect {
    struct xm_connect_config config;
    struct xm_scratch place;
    struct host host[XM_HOSTS_MOST];
    struct xm_hosts_row row[XM_HOSTS_MOST];
    unsigned hosts;
    struct xm_hosts_choice choice;
    struct xm_grid grid;
};

/* Handlers of signals can reach nothing else. */
static struct xm_terminal_rescue rescue = {.fd = -1};
static volatile sig_atomic_t stopped, child;

static void stop(int signal_number)
{
    stopped = signal_number;
    if (child > 0)
        kill((pid_t)child, SIGTERM);
}

static void crash(int signal_number)
{
    xm_terminal_rescue(&rescue);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void handle_signals(void)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    static const int crashing[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_handler = stop};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        sigaction(ending[i], &action, NULL);
    action = (struct sigaction){.sa_handler = crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < sizeof crashing / sizeof crashing[0]; i++)
        sigaction(crashing[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void sleep_ns(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / XM_NS_PER_S), .tv_nsec = (long)(ns % XM_NS_PER_S)};
    nanosleep(&t, NULL); /* a signal ends it */
}

/* ---- Beginning and end. */

/* Each URL that is wrong is named, and nobody is asked before all are right. */
static int check_urls(const struct xm_connect_config *config)
{
    static atomic_bool never;
    int code = XM_EXIT_DONE;
    for (unsigned i = 0; i < config->urls && code != XM_EXIT_FAILED; i++) {
        struct xm_error err;
        struct xm_fetch *fetch;
        xm_error_clear(&err);
        enum xm_status status = xm_fetch_create(config->url[i], &config->credentials, &never, &fetch, &err);
        if (status == XM_INVALID) {
            code = xm_usage_error(XM_CONNECT_PROGRAM, "%s", err.text);
        } else if (status != XM_OK) {
            xm_complain(XM_CONNECT_PROGRAM, "%s", err.text);
            code = XM_EXIT_FAILED;
        }
        xm_fetch_destroy(fetch);
    }
    return code;
}

static bool begin_host(struct connect *c, unsigned i)
{
    struct host *h = &c->host[i];
    struct xm_error err;
    uint64_t limit_bytes = COPY_BYTES / c->config.urls;
    xm_error_clear(&err);
    snprintf(h->region, sizeof h->region, "%s/%u", c->place.path, i);
    const struct xm_link_config link = {.url = c->config.url[i],
                                        .region = h->region,
                                        .credentials = &c->config.credentials,
                                        .history_ns = c->config.history_ns,
                                        .most_bytes = c->config.copy_bytes,
                                        .limit_bytes = limit_bytes > COPY_LEAST ? limit_bytes : COPY_LEAST};
    if (xm_link_start(&link, &h->link, &err) == XM_OK)
        h->reader = xm_hosts_reader_create(h->region);
    c->hosts = i + 1;
    if (!h->reader) {
        xm_complain(XM_CONNECT_PROGRAM, "%s", err.text[0] ? err.text : "out of memory");
        return false;
    }
    snprintf(c->row[i].name, sizeof c->row[i].name, "%.95s", xm_link_name(h->link));
    return true;
}

static int begin(struct connect *c)
{
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_fetch_begin(&err) != XM_OK) {
        xm_complain(XM_CONNECT_PROGRAM, "%s", err.text);
        return XM_EXIT_FAILED;
    }
    int code = check_urls(&c->config);
    if (code != XM_EXIT_DONE)
        return code;
    if (!xm_scratch_make(&c->place)) {
        xm_complain(XM_CONNECT_PROGRAM, "no private directory can be made: %s", strerror(errno));
        return XM_EXIT_FAILED;
    }
    for (unsigned i = 0; i < c->config.urls; i++)
        if (!begin_host(c, i))
            return XM_EXIT_FAILED;
    return XM_EXIT_DONE;
}

static void end(struct connect *c)
{
    static const char *const rest[] = {"", ".lock", ".new"};
    for (unsigned i = 0; i < c->hosts; i++) {
        struct host *h = &c->host[i];
        xm_hosts_reader_destroy(h->reader);
        xm_link_stop(h->link);
        for (size_t k = 0; k < sizeof rest / sizeof rest[0]; k++) {
            char path[96];
            snprintf(path, sizeof path, "%s%s", h->region, rest[k]);
            unlink(path);
        }
    }
    xm_scratch_remove(&c->place);
    xm_grid_fini(&c->grid);
    xm_fetch_end();
    xm_connect_config_fini(&c->config);
}

/* ---- A host's screen. */

/* Beside our own program, or where xenmon is installed, or as the shell would find it. */
static void find_xenmon(char path[PATH_MAX])
{
    static const char *const places[] = {"/xenmon", NULL};
    if (xm_find_beside(places, path))
        return;
    snprintf(path, PATH_MAX, "%s", access(XM_BINDIR "/xenmon", X_OK) == 0 ? XM_BINDIR "/xenmon" : "xenmon");
}

static void run_xenmon(struct connect *c, const char *region, pid_t parent)
{
    char program[PATH_MAX];
    char option[sizeof "--region=" + 80];
    struct xm_connect_config *config = &c->config;
    static char name[] = "xenmon";
    static char live[] = "live";
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSEGV,
                                  SIGBUS,  SIGFPE, SIGILL, SIGABRT, SIGPIPE};
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* its region goes with us */
    if (getppid() != parent)
        _exit(XM_EXIT_FAILED);
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
        signal(handled[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    snprintf(option, sizeof option, "--region=%s", region);
    char **arguments = calloc((size_t)config->lives + 4, sizeof *arguments);
    if (!arguments)
        _exit(XM_EXIT_FAILED);
    arguments[0] = name;
    arguments[1] = live;
    memcpy(arguments + 2, config->live, config->lives * sizeof *arguments);
    arguments[2 + config->lives] = option; /* the last one wins */
    find_xenmon(program);
    execvp(program, arguments);
    fprintf(stderr, "%s: %s: %s\n", XM_CONNECT_PROGRAM, program, strerror(errno));
    _exit(XM_EXIT_FAILED);
}

/* Runs the live screen of a copy to its end; what it exited with. */
static int show_host(struct connect *c, const char *region)
{
    int status = 0;
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run_xenmon(c, region, parent);
    if (pid < 0) {
        xm_complain(XM_CONNECT_PROGRAM, "no process can be started: %s", strerror(errno));
        return XM_EXIT_FAILED;
    }
    child = pid;
    if (stopped) /* before there was anybody to tell */
        kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    child = 0;
    if (stopped)
        return XM_EXIT_DONE;
    return WIFEXITED(status) ? WEXITSTATUS(status) : XM_EXIT_FAILED;
}

/* Of a host that there is nothing to see of.  XM_OK: its xenbaked has no sample. */
static int exit_code(enum xm_status status)
{
    return status == XM_OK || status == XM_DENIED || status == XM_AGAIN ? XM_EXIT_ACCESS : XM_EXIT_FAILED;
}

/*
 * Waits for a first sample.  A server that refuses, lies or is not there is no reason to wait: who looks at
 * one host wants to be told.
 */
static int show_one(struct connect *c)
{
    struct xm_link_state s;
    uint64_t until_ns = xm_clock_ns() + PATIENCE_NS;
    for (;;) {
        xm_link_look(c->host[0].link, &s);
        if (s.data || stopped || (s.heard && s.status != XM_OK) || xm_clock_ns() > until_ns)
            break;
        sleep_ns(TICK_NS);
    }
    if (stopped)
        return XM_EXIT_DONE;
    if (s.data)
        return show_host(c, c->host[0].region);
    xm_complain(XM_CONNECT_PROGRAM, "%s: %s", xm_link_name(c->host[0].link),
                s.said[0] ? s.said
                : s.heard ? "its xenbaked has no sample"
                          : "no answer in 15 s");
    return exit_code(s.status);
}

/* ---- The table. */

static void update(struct connect *c)
{
    uint64_t now_ns = xm_clock_ns();
    for (unsigned i = 0; i < c->hosts; i++) {
        struct xm_link_state s;
        struct xm_hosts_row *row = &c->row[i];
        xm_link_look(c->host[i].link, &s);
        row->link = s.heard ? s.link : XM_HOSTS_CONNECTING;
        snprintf(row->said, sizeof row->said, "%s", s.said);
        xm_hosts_read(c->host[i].reader, row);
        row->age_ns = s.newest_ns && now_ns > s.newest_ns ? now_ns - s.newest_ns : 0;
    }
}

static bool all_heard(struct connect *c)
{
    for (unsigned i = 0; i < c->hosts; i++) {
        struct xm_link_state s;
        xm_link_look(c->host[i].link, &s);
        if (!s.heard || (s.status == XM_OK && !c->row[i].rates))
            return false;
    }
    return true;
}

static unsigned frame_width(const struct connect *c)
{
    uint64_t width = DEFAULT_WIDTH;
    const char *columns = getenv("COLUMNS");
    if (c->config.width)
        return (unsigned)c->config.width;
    if (columns && xm_read_count(columns, &width) && (width < 20 || width > 1000))
        width = DEFAULT_WIDTH;
    return (unsigned)width;
}

/* Done where there was a host to see; else why there was none, the worst of them. */
static int code_of_all(struct connect *c)
{
    int code = XM_EXIT_ACCESS;
    for (unsigned i = 0; i < c->hosts; i++) {
        struct xm_link_state s;
        xm_link_look(c->host[i].link, &s);
        if (c->row[i].data)
            return XM_EXIT_DONE;
        if (exit_code(s.status) == XM_EXIT_FAILED)
            code = XM_EXIT_FAILED;
    }
    return code;
}

static int print_frames(struct connect *c)
{
    uint64_t until_ns = xm_clock_ns() + PATIENCE_NS;
    uint64_t frames = c->config.frames ? c->config.frames : FRAMES;
    for (update(c); !stopped && !all_heard(c) && xm_clock_ns() < until_ns; update(c))
        sleep_ns(TICK_NS);
    update(c); /* with what the last of them said meanwhile */
    if (xm_grid_resize(&c->grid, frame_width(c), xm_hosts_height(c->hosts)) != XM_OK) {
        xm_complain(XM_CONNECT_PROGRAM, "out of memory");
        return XM_EXIT_FAILED;
    }
    for (uint64_t i = 0; i < frames && !stopped; i++) {
        if (i) {
            sleep_ns(c->config.interval_ns);
            update(c);
            putchar('\n');
        }
        xm_hosts_draw(c->row, c->hosts, &c->choice, false, &c->grid);
        if (!xm_grid_write(&c->grid, stdout) || fflush(stdout) != 0)
            return errno == EPIPE ? XM_EXIT_DONE : XM_EXIT_FAILED;
    }
    return stopped ? XM_EXIT_DONE : code_of_all(c);
}

static bool wants_colour(const struct xm_connect_config *config)
{
    const char *none = getenv("NO_COLOR");
    if (config->colour)
        return config->colour == 1;
    return !(none && *none);
}

static enum xm_status open_terminal(const struct connect *c, struct xm_terminal **terminal,
                                    struct xm_error *err)
{
    return xm_terminal_open(wants_colour(&c->config), terminal, &rescue, err);
}

static enum xm_status draw(struct connect *c, struct xm_terminal *terminal)
{
    unsigned width;
    unsigned height;
    xm_terminal_size(terminal, &width, &height);
    c->grid.utf8 = xm_terminal_utf8(terminal);
    if (width != c->grid.width || height != c->grid.height) {
        enum xm_status status = xm_grid_resize(&c->grid, width, height);
        if (status != XM_OK)
            return status;
    }
    xm_hosts_draw(c->row, c->hosts, &c->choice, true, &c->grid);
    xm_terminal_draw(terminal, &c->grid);
    return XM_OK;
}

/* Keys until the next refresh is due, or a host is to be looked at. */
static enum xm_status hear(struct connect *c, struct xm_terminal *terminal, uint64_t due_ns)
{
    enum xm_status status = draw(c, terminal);
    while (status == XM_OK && !c->choice.quit && !c->choice.enter) {
        uint64_t now_ns = xm_clock_ns();
        if (now_ns >= due_ns)
            break;
        int key = xm_terminal_key(terminal, (int)((due_ns - now_ns + 999999) / 1000000));
        if (key == XM_KEY_NONE)
            continue;
        if (key == XM_KEY_END)
            c->choice.quit = true;
        if (key == XM_KEY_REDRAW || key == XM_KEY_RESIZE)
            xm_terminal_redraw(terminal);
        (void)xm_hosts_key(&c->choice, c->row, c->hosts, key);
        status = draw(c, terminal);
    }
    return status;
}

static int show_table(struct connect *c)
{
    struct xm_terminal *terminal;
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = open_terminal(c, &terminal, &err);
    while (status == XM_OK && !c->choice.quit && !stopped) {
        update(c);
        status = hear(c, terminal, xm_clock_ns() + c->config.interval_ns);
        if (status != XM_OK || !c->choice.enter)
            continue;
        c->choice.enter = false;
        if (!c->row[c->choice.cursor].data)
            continue; /* there is nothing to look at; the table says why */
        xm_terminal_close(terminal);
        terminal = NULL;
        (void)show_host(c, c->host[c->choice.cursor].region);
        status = open_terminal(c, &terminal, &err);
    }
    xm_terminal_close(terminal);
    rescue.fd = -1;
    if (status == XM_OK)
        return XM_EXIT_DONE;
    xm_complain(XM_CONNECT_PROGRAM, "%s", err.text[0] ? err.text : "out of memory");
    return status == XM_UNSUPPORTED ? XM_EXIT_USAGE : XM_EXIT_FAILED;
}

static int run(struct connect *c)
{
    int code = begin(c);
    if (code != XM_EXIT_DONE)
        return code;
    if (c->hosts == 1)
        return show_one(c);
    c->choice.sort = (enum xm_hosts_column)c->config.sort;
    if (c->config.filter)
        snprintf(c->choice.filter, sizeof c->choice.filter, "%s", c->config.filter);
    c->grid.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    bool text = c->config.frames || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
    return text ? print_frames(c) : show_table(c);
}

int main(int argc, char **argv)
{
    static struct connect c;
    int code = argc < 2 ? xm_usage_error(XM_CONNECT_PROGRAM, "this is for xenmon --connect")
                        : xm_connect_config_read(argc - 1, argv + 1, &c.config);
    if (code == XM_EXIT_DONE && c.config.help) {
        code = xm_connect_help();
    } else if (code == XM_EXIT_DONE) {
        setlocale(LC_CTYPE, "");
        handle_signals();
        code = run(&c);
    }
    end(&c);
    return code;
}
