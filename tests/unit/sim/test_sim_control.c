/* SPDX-License-Identifier: MIT */
/* What is asked of a simulated host that runs, by those who behave and by those who do not. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "source/sim_command.h"
#include "source/sim_control.h"

static const char text[] = "[host]\ncpus = 2\nscheduler = rr\n[domain Domain-0]\nid = 0\nrole = driver\n"
                           "[domain web]\nid = 1\nrole = web\nrate = 100\n[domain hog]\nid = 2\nrole = hog\n";

static char answer[XM_SIM_ANSWER_BYTES];

static struct xm_simhost *new_host(void)
{
    struct xm_scenario s = scenario_of(text);
    struct xm_simhost *host = host_of(&s);
    assert_int_equal(xm_simhost_run(host, 10000000), XM_OK);
    return host;
}

static const char *say(struct xm_simhost *host, const char *line)
{
    xm_sim_command(host, line, answer);
    return answer;
}

static void commands(void **state)
{
    struct xm_simhost *host = new_host();
    assert_string_equal(say(host, "rate web 700"), "ok\n");
    assert_true(xm_simhost_spec(host, 1)->rate == 700);
    assert_string_equal(say(host, " rate\t1  0.5 \r"), "ok\n");
    assert_true(xm_simhost_spec(host, 1)->rate == 0.5);
    assert_string_equal(say(host, "weight 2 1000"), "ok\n");
    assert_string_equal(say(host, "mcu_advance hog 3"), "ok\n");
    assert_string_equal(say(host, "extratime hog no"), "ok\n");
    assert_true(xm_simhost_domain(host, 2)->share.weight == 1000 && xm_simhost_domain(host, 2)->share.mcu_advance == 3);
    assert_string_equal(say(host, "pause hog"), "ok\n");
    assert_true(xm_simhost_domain(host, 2)->paused);
    assert_non_null(strstr(say(host, "status"), "domain 2 hog hog vcpus 1 weight 1000 cap 0 mcu_advance 3 paused\n"));
    assert_string_equal(answer + strlen(answer) - 4, "\nok\n");
    assert_string_equal(say(host, "unpause 2"), "ok\n");
    assert_string_equal(say(host, "create new role=web rate=5 vcpus=2"), "domain 3 new\nok\n");
    assert_string_equal(say(host, "create other id=9"), "domain 9 other\nok\n");
    assert_int_equal(xm_simhost_run(host, 50000000), XM_OK);
    assert_string_equal(say(host, "destroy new"), "ok\n");
    assert_null(xm_simhost_domain(host, 3));
    assert_string_equal(say(host, "create again"), "domain 3 again\nok\n");
    assert_int_equal(xm_simhost_run(host, 90000000), XM_OK);
    xm_simhost_destroy(host);
}

static void refusals(void **state)
{
    static const char *const bad[] = {
        "", " ", "jump", "rate", "rate 1", "rate 1 2 3", "rate 1 x", "rate 1 -1", "rate 1 1e6", "rate 1 2000000", "rate hog 1", "rate 0 1",
        "rate nobody 1", "rate 70000 1", "rate 18446744073709551617 1", "weight 1 0", "weight 1 65536", "cap 1 101", "slice 1 5s",
        "slice 1 5", "pause", "pause 9", "destroy 0", "destroy 9", "create", "create a/b", "create web", "create x id=1", "create x id=32767",
        "create x role=driver", "create x role=king", "create x vcpus=0", "create x vcpus", "create x from=1s", "create x to=1s",
        "create x cpus=2", "create x =", "status now", "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    };
    struct xm_simhost *host = new_host();
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (strncmp(say(host, bad[i]), "error: ", 7) != 0 || strchr(answer, '\n') != answer + strlen(answer) - 1)
            xt_die("'%s' was answered '%s'", bad[i], answer);
    static char longer[2000];
    memset(longer, 'a', sizeof longer - 1);
    assert_memory_equal(say(host, longer), "error: ", 7);
    assert_non_null(strstr(say(host, "\x1b[2J"), "'?[2J'"));
    xm_simhost_destroy(host);
}

/* More than there is room for, and an answer that is as long as it can be. */
static void full(void **state)
{
    struct xm_simhost *host = new_host();
    char line[64];
    unsigned made = 0;
    do {
        snprintf(line, sizeof line, "create a-name-of-thirty-one-bytes-%u role=nap", made);
        if (made > 9)
            snprintf(line, sizeof line, "create n%u role=web rate=1", made);
    } while (strncmp(say(host, line), "error", 5) != 0 && ++made < 1000);
    assert_int_equal(made, XM_SCENARIO_DOMAINS - 3);
    assert_string_equal(say(host, "status") + strlen(answer) - 4, "\nok\n");
    assert_int_equal(xm_simhost_run(host, 20000000), XM_OK);
    xm_simhost_destroy(host);
}

static void anything(void **state)
{
    static const char *const words[] = {"rate", "weight", "cap", "pause", "unpause", "create", "destroy", "status", "web", "hog", "0", "1", "2",
                                        "3", "n1", "n2", "role=web", "role=nap", "role=reader", "vcpus=3", "rate=90", "id=5", "100", "50", "5ms"};
    struct xm_simhost *host = new_host();
    struct xt_rng rng = xt_rng(xt_seed(), 2);
    for (uint64_t round = 0; round < 5000; round++) {
        char line[256];
        size_t length = 0;
        for (uint64_t n = 1 + xt_below(&rng, 4); n > 0; n--)
            length += (size_t)snprintf(line + length, sizeof line - length, "%s ", words[xt_below(&rng, sizeof words / sizeof words[0])]);
        (void)say(host, line);
        assert_true(strcmp(answer + strlen(answer) - 3, "ok\n") == 0 || strncmp(answer, "error: ", 7) == 0);
        if (round % 10 == 0)
            assert_int_equal(xm_simhost_run(host, 10000000 + round * 100000), XM_OK);
    }
    xm_simhost_destroy(host);
}

/* ---- The socket. */

struct room {
    char directory[32], path[64];
    struct xm_simhost *host;
    struct xm_sim_control *control;
};

static struct room open_room(void)
{
    struct room r = {.directory = "/tmp/xenmon-control.XXXXXX"};
    char region[48];
    assert_non_null(mkdtemp(r.directory));
    snprintf(region, sizeof region, "%s/shm", r.directory);
    assert_true(xm_sim_control_path(region, r.path, sizeof r.path));
    r.host = new_host();
    assert_int_equal(xm_sim_control_open(r.path, r.host, &r.control, NULL), XM_OK);
    return r;
}

static void close_room(struct room *r)
{
    struct stat st;
    xm_sim_control_close(r->control);
    assert_int_not_equal(stat(r->path, &st), 0);
    assert_int_equal(rmdir(r->directory), 0);
    xm_simhost_destroy(r->host);
}

static int join(const struct room *r)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", r->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static size_t hear(struct room *r, int fd, char *heard, size_t size)
{
    size_t length = 0;
    for (unsigned turn = 0; turn < 20; turn++) {
        xm_sim_control_serve(r->control);
        ssize_t n = recv(fd, heard + length, size - 1 - length, 0);
        length += n > 0 ? (size_t)n : 0;
    }
    heard[length] = '\0';
    return length;
}

static void clients(void **state)
{
    struct room r = open_room();
    struct stat st;
    char heard[4096];
    assert_int_equal(stat(r.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int a = join(&r), b = join(&r);
    assert_int_equal(send(a, "rate web 9\nrate web", 19, 0), 19);
    assert_int_equal(send(b, "jump\n", 5, 0), 5);
    hear(&r, a, heard, sizeof heard);
    assert_string_equal(heard, "ok\n");
    assert_int_equal(send(a, " 8\n", 3, 0), 3);
    hear(&r, a, heard, sizeof heard);
    assert_string_equal(heard, "ok\n");
    assert_true(xm_simhost_spec(r.host, 1)->rate == 8);
    hear(&r, b, heard, sizeof heard);
    assert_memory_equal(heard, "error: ", 7);
    assert_int_equal(send(a, "pause 2\nunpause 2\npause 2\n", 26, 0), 26);
    shutdown(a, SHUT_WR);
    hear(&r, a, heard, sizeof heard);
    assert_string_equal(heard, "ok\nok\nok\n");
    close(a);
    close(b);
    close_room(&r);
}

static void nuisances(void **state)
{
    struct room r = open_room();
    static char much[1 << 16], heard[1 << 20];
    int silent[XM_SIM_CLIENTS + 3];
    struct xt_rng rng = xt_rng(xt_seed(), 3);
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (char)xt_below(&rng, 256);
    /* Too long a line, and bytes that are no line. */
    int fd = join(&r);
    memset(much, 'x', 1000);
    (void)!send(fd, much, 1000, 0);
    hear(&r, fd, heard, sizeof heard);
    assert_string_equal(heard, "error: the line is too long\n");
    close(fd);
    fd = join(&r);
    (void)!send(fd, much + 1000, sizeof much - 1000, MSG_NOSIGNAL);
    hear(&r, fd, heard, sizeof heard);
    close(fd);
    /* Who asks and does not listen is asked nothing more, and what is waited for does not grow. */
    fd = join(&r);
    for (unsigned i = 0; i < 20000; i++)
        if (send(fd, "status\n", 7, MSG_NOSIGNAL) != 7)
            xm_sim_control_serve(r.control);
    /* All places are taken, and another one comes. */
    for (unsigned i = 0; i < XM_SIM_CLIENTS + 3; i++) {
        silent[i] = join(&r);
        xm_sim_control_serve(r.control);
    }
    int good = join(&r);
    assert_int_equal(send(good, "rate web 77\n", 12, 0), 12);
    hear(&r, good, heard, sizeof heard);
    assert_string_equal(heard, "ok\n");
    assert_true(xm_simhost_spec(r.host, 1)->rate == 77);
    for (unsigned i = 0; i < XM_SIM_CLIENTS + 3; i++)
        close(silent[i]);
    close(good);
    close(fd);
    close_room(&r);
}

static void the_name(void **state)
{
    struct room r = open_room();
    struct xm_sim_control *control;
    char file[64], longest[300];
    snprintf(file, sizeof file, "%s/file", r.directory);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(xm_sim_control_open(file, r.host, &control, NULL), XM_IO);
    assert_int_equal(unlink(file), 0);
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(xm_sim_control_path(longest, file, sizeof file));
    assert_int_equal(xm_sim_control_open(longest, r.host, &control, NULL), XM_IO);
    close_room(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands), cmocka_unit_test(refusals), cmocka_unit_test(full),     cmocka_unit_test(anything),
        cmocka_unit_test(clients),  cmocka_unit_test(nuisances), cmocka_unit_test(the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
