/* SPDX-License-Identifier: MIT */
/* The fence, from inside: each try is a child's.  Skipped where the kernel has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fence.h"
#include "privileges.h"

static char dir[] = "/tmp/xm-fence-XXXXXX";
static char path[5][64];
static struct sockaddr_in server = {.sin_family = AF_INET};

enum { READ, WRITE, OTHER, OTHER_FILE, WRITTEN };

static int begin(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    snprintf(path[READ], sizeof path[0], "%s/read", dir);
    snprintf(path[WRITE], sizeof path[0], "%s/write", dir);
    snprintf(path[OTHER], sizeof path[0], "%s/other", dir);
    snprintf(path[OTHER_FILE], sizeof path[0], "%s/other/file", dir);
    snprintf(path[WRITTEN], sizeof path[0], "%s/write/file", dir);
    for (int i = READ; i <= OTHER; i++)
        if (mkdir(path[i], 0755) != 0)
            return -1;
    int fd = open(path[OTHER_FILE], O_CREAT | O_WRONLY, 0755);
    return fd < 0 ? -1 : close(fd);
}

static int finish(void **state)
{
    unlink(path[WRITTEN]);
    unlink(path[OTHER_FILE]);
    for (int i = READ; i <= OTHER; i++)
        rmdir(path[i]);
    return rmdir(dir);
}

static bool opens(const char *name, int flags)
{
    int fd = open(name, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void *try_elsewhere(void *user)
{
    *(bool *)user = opens(path[OTHER_FILE], O_RDONLY);
    return NULL;
}

static bool connects(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool done = connect(fd, (const struct sockaddr *)&server, sizeof server) == 0;
    close(fd);
    return done;
}

/* 0, or the number of what was wrong. */
static int behind_it(int version)
{
    char *const words[] = {path[OTHER_FILE], NULL};
    char own[80];
    bool elsewhere = true;
    pthread_t thread;
    int kept = open(path[OTHER_FILE], O_RDONLY);
    xm_confine();
    int fence = xm_fence_begin();
    if (!xm_fence_allow(fence, path[READ], XM_FENCE_READ) ||
        !xm_fence_allow(fence, path[WRITE], XM_FENCE_WRITE) ||
        xm_fence_allow(fence, "/nonexistent/file", XM_FENCE_READ) || !xm_fence_close(fence, true))
        return 1;
    snprintf(own, sizeof own, "%s/file", path[READ]);
    if (!opens(path[READ], O_RDONLY) || opens(own, O_RDONLY | O_CREAT) || errno != EACCES)
        return 2;
    if (!opens(path[WRITTEN], O_WRONLY | O_CREAT) || opens(path[WRITTEN], O_RDONLY) ||
        unlink(path[WRITTEN]) == 0)
        return 3;
    if (opens(path[OTHER_FILE], O_RDONLY) || errno != EACCES || opens("/etc/passwd", O_RDONLY))
        return 4;
    if (unlink(path[OTHER_FILE]) == 0 || rename(path[OTHER_FILE], path[WRITTEN]) == 0 ||
        mkdir(own, 0700) == 0)
        return 5;
    /* The fence is to blame for what the user has the right to, and for nothing else. */
    char missing[80];
    snprintf(missing, sizeof missing, "%s/file", path[OTHER]);
    if (!xm_fence_shuts(missing, XM_FENCE_READ) || !xm_fence_shuts(missing, XM_FENCE_WRITE) ||
        xm_fence_shuts(path[READ], XM_FENCE_READ) || xm_fence_shuts(path[WRITTEN], XM_FENCE_WRITE))
        return 10;
    snprintf(missing, sizeof missing, "%s/missing", path[OTHER]);
    if (xm_fence_shuts(missing, XM_FENCE_READ) || !xm_fence_shuts(missing, XM_FENCE_WRITE) ||
        access(missing, F_OK) == 0)
        return 11;
    char byte;
    if (read(kept, &byte, 1) != 0) /* an empty file, and no error */
        return 6;
    if (pthread_create(&thread, NULL, try_elsewhere, &elsewhere) != 0 || pthread_join(thread, NULL) != 0 ||
        elsewhere)
        return 7;
    if (version >= 4 && (connects() || errno != EACCES))
        return 8;
    execv(path[OTHER_FILE], words);
    return errno == EACCES ? 0 : 9;
}

static void nothing_else_can_be_opened(void **state)
{
    int fence = xm_fence_begin();
    if (fence < 0)
        skip();
    assert_false(xm_fence_close(fence, false));
    assert_false(xm_fence_close(-1, true));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t bytes = sizeof server;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (const struct sockaddr *)&server, sizeof server), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&server, &bytes), 0);
    assert_true(connects());
    pid_t pid = fork();
    if (pid == 0)
        _exit(behind_it(xm_fence_version()));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(listener);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A user without rights, and no fence at all. */
static int without_rights(void)
{
    struct xm_account_of nobody = xm_user("nobody");
    const char *const none[] = {NULL};
    if (geteuid() == 0 && (!nobody.found || xm_become(nobody, none, NULL) != XM_OK))
        return 77;
    if (opens(path[OTHER_FILE], O_RDONLY) || errno != EACCES)
        return 1;
    return xm_fence_shuts(path[OTHER_FILE], XM_FENCE_READ) || xm_fence_shuts(path[OTHER_FILE], XM_FENCE_WRITE);
}

static void missing_rights_are_not_the_fence(void **state)
{
    assert_int_equal(chmod(path[OTHER_FILE], 0), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(without_rights());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_else_can_be_opened),
                                       cmocka_unit_test(missing_rights_are_not_the_fence)};
    return cmocka_run_group_tests_name("fence", tests, begin, finish);
}
