/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"
#include "options.h"
#include "privileges.h"
#include "xenmon/units.h"

#define HELPER         "xenmon-history"
#define FIRST_PAUSE_NS XM_NS_PER_S
#define MOST_PAUSE_NS  (600 * XM_NS_PER_S)
#define WELL_NS        (30 * XM_NS_PER_S) /* who lives so long is well */
#define PATIENCE_MS    5000
#define OPTION_BYTES   (PATH_MAX + 32)

void xm_keeper_prepare(struct xm_keeper_process *k)
{
    char program[PATH_MAX];
    if (!k->directory)
        return;
    if (!xm_helper_find(HELPER, program)) {
        xm_log_write(k->log, XM_LOG_ERROR, "no history is kept: " HELPER " is not installed here (%s)",
                     program);
        k->directory = NULL;
        return;
    }
    if (mkdir(k->directory, 0750) != 0 && errno != EEXIST)
        xm_log_write(k->log, XM_LOG_ERROR, "%s: %s", k->directory, strerror(errno));
}

size_t xm_keeper_paths(const struct xm_keeper_process *k, const char *paths[XM_KEEPER_PATHS])
{
    static const char *const names[XM_KEEPER_PATHS - 1] = {
        "history.db", "history.db-wal", "history.db-shm", "history.lock"};
    static char files[XM_KEEPER_PATHS - 1][PATH_MAX];
    size_t count = 0;
    if (!k->directory)
        return 0;
    for (size_t i = 0; i < XM_KEEPER_PATHS - 1; i++) {
        int n = snprintf(files[i], PATH_MAX, "%s/%s", k->directory, names[i]);
        if (n > 0 && n < PATH_MAX)
            paths[count++] = files[i];
    }
    paths[count++] = k->directory;
    return count;
}

/* ---- The child. */

/*
 * On a live host xenbaked is no root any more by now.  Where it still is (a replay, --user=none), the child is
 * root without any of its powers, now or after exec: it reads and writes what is root's own.
 */
static void drop_powers(void)
{
    for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    (void)syscall(SYS_capset, &header, none);
}

/* An option with its value; NULL: it is not given. */
static int put(const char **arguments, int count, char buffer[OPTION_BYTES], const char *name,
               const char *value)
{
    if (!value)
        return count;
    snprintf(buffer, OPTION_BYTES, "--%s=%s", name, value);
    arguments[count] = buffer;
    return count + 1;
}

static void run_child(const struct xm_keeper_process *k, const char *program, pid_t parent)
{
    char text[6][OPTION_BYTES];
    const char *arguments[16] = {HELPER, "keep"};
    int count = 2;
    setpgid(0, 0); /* Ctrl-C is meant for us; we stop it */
    if (geteuid() == 0)
        drop_powers();
    xm_confine();
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* should we be killed, it writes the rest and goes too */
    if (getppid() != parent)
        raise(SIGTERM); /* which is held back until it is heard */
    /* What we hold of the hypervisor is not for it. */
    syscall(SYS_close_range, 3u, ~0u, 0u);
    count = put(arguments, count, text[0], "region", k->region);
    count = put(arguments, count, text[1], "log-to", k->log_to);
    count = put(arguments, count, text[2], "step", k->step);
    count = put(arguments, count, text[3], "sync", k->sync);
    count = put(arguments, count, text[4], "keep", k->keep);
    count = put(arguments, count, text[5], "max-size", k->max_size);
    if (k->said)
        arguments[count++] = "--again";
    arguments[count++] = "--";
    arguments[count++] = k->directory;
    execv(program, (char *const *)(uintptr_t)arguments);
    xm_complain(HELPER, "%s: %s", program, strerror(errno));
    _exit(XM_EXIT_FAILED);
}

static void start(struct xm_keeper_process *k, uint64_t now_ns)
{
    char program[PATH_MAX];
    sigset_t held, before;
    pid_t parent = getpid();
    k->started_ns = now_ns;
    (void)xm_helper_find(HELPER, program);
    /* Held back until it hears them: one that comes before that must not be lost, nor end it. */
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(k, program, parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    k->pid = pid > 0 ? pid : 0;
    if (pid < 0) {
        xm_log_write(k->log, XM_LOG_ERROR, "the history: fork: %s", strerror(errno));
        k->again_ns = now_ns + MOST_PAUSE_NS;
    }
}

/* ---- Looking after it. */

static void describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was ended by a signal: %s", strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "ended with code %d", WEXITSTATUS(status));
}

static void bury(struct xm_keeper_process *k, int status, uint64_t now_ns)
{
    char how[96];
    bool was_well = now_ns - k->started_ns >= WELL_NS;
    describe(status, how, sizeof how);
    k->pid = 0;
    k->pause_ns = was_well || !k->pause_ns ? FIRST_PAUSE_NS : 2 * k->pause_ns;
    k->pause_ns = k->pause_ns < MOST_PAUSE_NS ? k->pause_ns : MOST_PAUSE_NS;
    k->again_ns = now_ns + k->pause_ns;
    if (!k->said || was_well)
        xm_log_write(k->log, XM_LOG_ERROR,
                     "what keeps the history %s; it is started again, after longer and longer", how);
    k->said = true;
}

void xm_keeper_look_after(struct xm_keeper_process *k, uint64_t now_ns)
{
    int status;
    if (!k->directory)
        return;
    if (k->pid > 0 && waitpid(k->pid, &status, WNOHANG) == k->pid)
        bury(k, status, now_ns);
    if (k->pid == 0 && now_ns >= k->again_ns)
        start(k, now_ns);
    if (k->pid > 0 && k->said && now_ns - k->started_ns >= WELL_NS) {
        xm_log_write(k->log, XM_LOG_INFO, "the history is kept again");
        k->said = false;
        k->pause_ns = 0;
    }
}

void xm_keeper_reload(const struct xm_keeper_process *k)
{
    if (k->pid > 0)
        kill(k->pid, SIGHUP);
}

void xm_keeper_stop(struct xm_keeper_process *k)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    int status;
    if (k->pid <= 0)
        return;
    kill(k->pid, SIGTERM);
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        if (waitpid(k->pid, &status, WNOHANG) != 0) {
            k->pid = 0;
            return;
        }
        nanosleep(&pause, NULL);
    }
    xm_log_write(k->log, XM_LOG_WARNING,
                 "what keeps the history did not end in time: the last of it may be missing");
    kill(k->pid, SIGKILL);
    waitpid(k->pid, &status, 0);
    k->pid = 0;
}
