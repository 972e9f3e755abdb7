/* SPDX-License-Identifier: MIT */
/* Giving up root's rights, and talking to a service manager.  The first needs root; elsewhere it is skipped. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper.h"
#include "notify.h"
#include "privileges.h"

#define CHOSEN_GROUP 54321 /* neither root's nor nobody's: it needs no name */

static char dir[] = "/tmp/xm-rights-XXXXXX";

/* In the child: everything that must not be possible any more.  0, or the number of what was wrong. */
static int lesser(struct xm_account_of user, const char *const *paths, const char *mine, const char *chosen,
                  const char *link_target)
{
    struct xm_error err;
    struct stat st;
    char line[256];
    xm_error_clear(&err);
    xm_confine();
    if (xm_become(user, paths, &err) != XM_OK)
        return 1;
    if (getuid() != user.uid || geteuid() != user.uid || getgid() != user.gid || getgroups(0, NULL) != 0)
        return 2;
    if (setuid(0) == 0 || setgid(0) == 0)
        return 3;
    if (stat(mine, &st) != 0 || st.st_uid != user.uid || st.st_gid != user.gid || unlink(mine) != 0)
        return 4;
    if (stat(chosen, &st) != 0 || st.st_uid != user.uid || st.st_gid != CHOSEN_GROUP)
        return 7;
    if (stat(link_target, &st) != 0 || st.st_uid != 0) /* a link leads nowhere */
        return 5;
    FILE *f = fopen("/proc/self/status", "r");
    int good = 0;
    while (f && fgets(line, sizeof line, f))
        good += strcmp(line, "CapPrm:\t0000000000000000\n") == 0 || strcmp(line, "CapEff:\t0000000000000000\n") == 0 ||
                strcmp(line, "NoNewPrivs:\t1\n") == 0;
    return good == 3 ? 0 : 6;
}

static void test_become(void **state)
{
    char mine[64], chosen[64], link[64], target[64];
    struct xm_account_of user = xm_user("nobody");
    if (geteuid() != 0 || !user.found)
        skip();
    assert_non_null(mkdtemp(dir));
    snprintf(mine, sizeof mine, "%s/mine", dir);
    snprintf(chosen, sizeof chosen, "%s/chosen", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    snprintf(target, sizeof target, "%s.target", dir);
    close(open(mine, O_CREAT | O_WRONLY, 0600));
    close(open(chosen, O_CREAT | O_WRONLY, 0640));
    assert_int_equal(chown(chosen, 0, CHOSEN_GROUP), 0);
    close(open(target, O_CREAT | O_WRONLY, 0644));
    assert_int_equal(symlink(target, link), 0);
    const char *const paths[] = {dir, mine, chosen, link, "/nonexistent/file", NULL};
    pid_t pid = fork();
    if (pid == 0)
        _exit(lesser(user, paths, mine, chosen, target));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(link);
    unlink(target);
    unlink(mine);
    unlink(chosen);
    rmdir(dir);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* In the child, with no more rights than the shipped unit leaves: 0, or which path did not go over. */
static int hand_over_history(struct xm_account_of user, const char *folder)
{
    struct xm_keeper_process keeper = {.directory = folder};
    const char *paths[XM_KEEPER_PATHS + 1] = {NULL};
    struct xm_error err;
    struct stat st;
    xm_error_clear(&err);
    /* CHOWN, SETGID, SETUID; above all no DAC_OVERRIDE, which looks into any directory. */
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct few[2] = {{.effective = 0xc1, .permitted = 0xc1}, {0}};
    if (syscall(SYS_capset, &header, few) != 0)
        return 100;
    size_t count = xm_keeper_paths(&keeper, paths);
    if (count != XM_KEEPER_PATHS || xm_become(user, paths, &err) != XM_OK)
        return 101;
    for (size_t i = 0; i < count; i++)
        if (stat(paths[i], &st) != 0 || st.st_uid != user.uid || st.st_gid != user.gid)
            return (int)i + 1;
    return 0;
}

/* As after a restart of the unit: systemd has given the directory and all in it back to root. */
static void test_the_history_goes_over(void **state)
{
    static const char *const names[] = {"history.db", "history.db-wal", "history.db-shm", "history.lock"};
    char folder[] = "/tmp/xm-history-XXXXXX";
    char path[64];
    struct xm_account_of user = xm_user("nobody");
    if (geteuid() != 0 || !user.found)
        skip();
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        close(open(path, O_CREAT | O_WRONLY, 0640));
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(hand_over_history(user, folder));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_no_such_user(void **state)
{
    assert_false(xm_user("no such user, surely").found);
    assert_true(xm_user("root").found);
}

static void test_notify(void **state)
{
    char path[64], text[64] = "";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(path, sizeof path, "/tmp/xm-notify-%d", (int)getpid());
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    unsetenv("NOTIFY_SOCKET");
    xm_notify("READY=1");
    assert_int_equal(recv(fd, text, sizeof text, 0), -1);
    setenv("NOTIFY_SOCKET", path, 1);
    xm_notify("READY=1");
    assert_int_equal(recv(fd, text, sizeof text, 0), 7);
    assert_memory_equal(text, "READY=1", 7);
    close(fd);
    unlink(path);
    xm_notify("STOPPING=1"); /* nobody there: no harm */
    setenv("NOTIFY_SOCKET", "relative", 1);
    xm_notify("STOPPING=1");
    unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void **state)
{
    char pid[16];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(xm_notify_watchdog_ns(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(xm_notify_watchdog_ns(), 3000000000u);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    assert_int_equal(xm_notify_watchdog_ns(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(xm_notify_watchdog_ns(), 3000000000u);
    setenv("WATCHDOG_USEC", "3s", 1);
    assert_int_equal(xm_notify_watchdog_ns(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_become), cmocka_unit_test(test_the_history_goes_over),
                                       cmocka_unit_test(test_no_such_user), cmocka_unit_test(test_notify),
                                       cmocka_unit_test(test_watchdog)};
    return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
