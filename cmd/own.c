/* SPDX-License-Identifier: MIT */
#include "own.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "beside.h"
#include "options.h"
#include "scratch.h"
#include "xenmon/region.h"
#include "xenmon/units.h"

#define MS          UINT64_C(1000000)
#define PATIENCE_NS (5 * XM_NS_PER_S)
/* A trace that is none is found out sooner; one that comes slowly is not waited for. */
#define SETTLED_LOOKS 25

/* A xenbaked that we started, and the private directory of its messages, and of its region in a replay. */
struct child {
    pid_t pid; /* 0: none */
    struct xm_scratch place;
    char region[80], lock[80], fresh[80], messages[80];
};

/* Handlers of signals can reach nothing else. */
static struct child own;

/* Asks it to end, and insists after a while: it has the trace buffers to put back as they were. */
static void end_process(pid_t pid)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    kill(pid, SIGTERM);
    for (int i = 0; i < 200; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        nanosleep(&pause, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void xm_own_stop(void)
{
    if (own.pid > 0)
        end_process(own.pid);
    own.pid = 0;
    if (own.place.path[0]) {
        unlink(own.region);
        unlink(own.lock);
        unlink(own.fresh);
        unlink(own.messages);
        xm_scratch_remove(&own.place);
    }
}

bool xm_own_runs(void)
{
    if (own.pid > 0 && waitpid(own.pid, NULL, WNOHANG) != 0)
        own.pid = 0;
    return own.pid > 0;
}

static bool make_place(void)
{
    if (!xm_scratch_make(&own.place))
        return false;
    snprintf(own.region, sizeof own.region, "%s/shm", own.place.path);
    snprintf(own.lock, sizeof own.lock, "%s/shm.lock", own.place.path);
    snprintf(own.fresh, sizeof own.fresh, "%s/shm.new", own.place.path);
    snprintf(own.messages, sizeof own.messages, "%s/messages", own.place.path);
    return true;
}

void xm_own_program(char path[PATH_MAX])
{
    static const char *const places[] = {"/xenbaked", "/../sbin/xenbaked", NULL};
    if (!xm_find_beside(places, path))
        snprintf(path, PATH_MAX, "xenbaked");
}

/* What the front end does about signals is not for its child. */
static void forget_signals(const sigset_t *mask)
{
    static const int handled[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,  SIGABRT,
                                  SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
        signal(handled[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
}

/* The child: what becomes of it after fork.  mask: the signals to go on with. */
static void run_xenbaked(const struct xm_own_config *config, const char *region, pid_t parent, const sigset_t *mask)
{
    char program[PATH_MAX];
    char interval[48];
    const char *arguments[XM_OWN_OPTIONS + 12] = {"xenbaked", "--foreground", "--region", region, "--log-to=stderr"};
    int count = 5;
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* should we be killed, it goes too */
    if (getppid() != parent)
        _exit(XM_EXIT_FAILED);
    setpgid(0, 0); /* Ctrl-C is meant for us; we stop it */
    forget_signals(mask);
    bool reads = config->replay && strcmp(config->replay, "-") == 0; /* the trace is our standard input */
    if (!freopen(own.messages, "w", stderr) || !freopen("/dev/null", "w", stdout) ||
        (!reads && !freopen("/dev/null", "r", stdin)))
        _exit(XM_EXIT_FAILED);
    if (config->ms_per_sample_ns) {
        snprintf(interval, sizeof interval, "--ms_per_sample=%lluus",
                 (unsigned long long)(config->ms_per_sample_ns / 1000));
        arguments[count++] = interval;
    }
    for (int i = 0; config->options && config->options[i] && i < XM_OWN_OPTIONS; i++)
        arguments[count++] = config->options[i];
    if (config->replay) {
        arguments[count++] = "--no-config"; /* that is for the host */
        arguments[count++] = "--";
        arguments[count++] = config->replay;
    }
    xm_own_program(program);
    execvp(program, (char *const *)(uintptr_t)arguments);
    fprintf(stderr, "%s: %s\n", program, strerror(errno));
    fflush(stderr);
    _exit(XM_EXIT_FAILED);
}

/* The last line of its messages, of those without `but` (NULL: of all).  False: there is none. */
static bool last_line(char *line, size_t size, const char *but)
{
    char next[512];
    bool found = false;
    FILE *f = own.place.path[0] ? fopen(own.messages, "re") : NULL;
    while (f && fgets(next, sizeof next, f)) {
        if (but && strstr(next, but))
            continue;
        next[strcspn(next, "\n")] = '\0';
        snprintf(line, size, "%s", next);
        found = true;
    }
    if (f)
        fclose(f);
    return found;
}

bool xm_own_says(char *line, size_t size)
{
    return last_line(line, size, ": the trace has ended: ");
}

/* What a xenbaked that did not come up had to say, as our own message. */
static int report_child(const char *program, bool replays, int wait_status)
{
    char line[512] = "";
    bool said = last_line(line, sizeof line, NULL);
    own.pid = 0;
    xm_own_stop();
    static const char name[] = "xenbaked: ";
    const char *cause = strncmp(line, name, sizeof name - 1) == 0 ? line + sizeof name - 1 : line;
    if (replays && said)
        xm_complain(program, "%s", cause); /* it is about the trace */
    else
        xm_complain(program, "xenbaked did not start: %s", said ? cause : "it said nothing");
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) ? WEXITSTATUS(wait_status) : XM_EXIT_FAILED;
}

/* Whether somebody writes the region: what one that was killed left behind does not count. */
static bool is_written(const char *path)
{
    struct xm_region *region;
    struct xm_error err;
    xm_error_clear(&err);
    if (access(path, F_OK) != 0)
        return false;
    if (xm_region_open(path, &region, &err) != XM_OK)
        return true; /* not permitted, not a region: whoever reads it says so */
    bool written = xm_region_check(region) != XM_REGION_GONE;
    xm_region_close(region);
    return written;
}

bool xm_own_is_live(const char *path)
{
    struct xm_region *region;
    struct xm_region_info info;
    if (xm_region_open(path, &region, NULL) != XM_OK)
        return false;
    bool live = xm_region_check(region) != XM_REGION_GONE && xm_region_info(region, &info) == XM_REGION_OK &&
                info.source == XM_SOURCE_LIVE;
    xm_region_close(region);
    return live;
}

static bool has_sample(const char *path)
{
    struct xm_region *region;
    struct xm_region_info info;
    if (xm_region_open(path, &region, NULL) != XM_OK)
        return false;
    bool has = xm_region_info(region, &info) == XM_REGION_OK && info.series[XM_SERIES_FAST].newest != UINT64_MAX;
    xm_region_close(region);
    return has;
}

/*
 * Whether the region of a replay can be shown: there is a sample, or at least none that was taken away again.  The region comes before
 * the trace is looked at, and goes with a xenbaked that cannot read it.
 */
static bool is_replayed(const char *path, bool ended, int *seen)
{
    if (access(path, F_OK) != 0)
        return false;
    return ended || ++*seen > SETTLED_LOOKS || has_sample(path);
}

/* Waits until the region is there.  XM_EXIT_DONE, or what to exit with. */
static int await_region(const struct xm_own_config *config, const char *region)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int seen = 0;
    for (int i = 0; i < (int)(PATIENCE_NS / (20 * MS)); i++) {
        int wait_status;
        bool ended = waitpid(own.pid, &wait_status, WNOHANG) == own.pid;
        /* Two that start at once: the one whose xenbaked came too late shares the other's. */
        if (config->replay ? is_replayed(region, ended, &seen) : is_written(region)) {
            if (ended)
                own.pid = 0;
            return XM_EXIT_DONE;
        }
        if (ended)
            return report_child(config->program, config->replay != NULL, wait_status);
        nanosleep(&pause, NULL);
    }
    xm_own_stop();
    xm_complain(config->program, "xenbaked made no region at %s", region);
    return XM_EXIT_FAILED;
}

/* Starts a xenbaked.  *region: where its region is; NULL to begin with: in a private directory. */
static int start(const struct xm_own_config *config, const char **region)
{
    if (!make_place()) {
        xm_complain(config->program, "no directory for a region can be made: %s", strerror(errno));
        return XM_EXIT_FAILED;
    }
    if (!*region)
        *region = own.region;
    pid_t parent = getpid();
    fflush(NULL);
    /* A signal must find the child's pid known, and the child none of our handlers. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    own.pid = fork();
    if (own.pid == 0)
        run_xenbaked(config, *region, parent, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (own.pid < 0) {
        own.pid = 0;
        xm_own_stop();
        xm_complain(config->program, "xenbaked cannot be started: %s", strerror(errno));
        return XM_EXIT_FAILED;
    }
    return await_region(config, *region);
}

/* Where a xenbaked can be started. */
static bool is_dom0(void)
{
    char text[64] = "";
    FILE *f = fopen("/proc/xen/capabilities", "re");
    if (!f)
        return false;
    bool control = fgets(text, sizeof text, f) && strstr(text, "control_d");
    fclose(f);
    return control;
}

int xm_own_find(const struct xm_own_config *config, char buffer[PATH_MAX], const char **region)
{
    *region = config->region;
    if (config->replay)
        return start(config, region);
    if (*region)
        return XM_EXIT_DONE; /* whoever names one can wait for it */
    if (!xm_region_default_path(buffer, PATH_MAX)) {
        xm_complain(config->program, "the path of the default region is too long");
        return XM_EXIT_FAILED;
    }
    *region = buffer;
    bool dom0 = is_dom0();
    if (dom0 ? is_written(buffer) : access(buffer, F_OK) == 0)
        return XM_EXIT_DONE;
    if (dom0)
        return start(config, region);
    xm_complain(config->program, "no xenbaked runs here (no region at %s), and this is no Xen dom0: %s", buffer,
                config->hint);
    return XM_EXIT_ACCESS;
}
