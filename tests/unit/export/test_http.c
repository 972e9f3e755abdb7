/* SPDX-License-Identifier: MIT */
/* The server with handlers of the tests': one that hangs, dear ones, tags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/http.h"
#include "xenmon/units.h"

#define MS          (XM_NS_PER_S / 1000)
#define PATIENCE_NS (500 * MS)
#define THREADS     3u /* of a listener */
#define REQUEST_S   1u
#define MANY        9u

/* What the handlers and the tests share. */
struct stage {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside; /* handlers that wait to be let go */
    bool open;       /* they may go */
    struct xm_host *host;
    struct xm_http *http;
    struct sockaddr_un address;
};

static void wait_inside(struct stage *s)
{
    pthread_mutex_lock(&s->lock);
    s->inside++;
    pthread_cond_broadcast(&s->changed);
    while (!s->open)
        pthread_cond_wait(&s->changed, &s->lock);
    s->inside--;
    pthread_mutex_unlock(&s->lock);
}

static void hang(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    (void)request;
    wait_inside(user);
    xm_http_printf(response, "free");
}

static void be_dear(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    (void)request;
    bool mine = xm_http_take_turn(response);
    bool still = xm_http_take_turn(response); /* the same one: asking again takes no other */
    if (!mine || !still) {
        xm_http_fail(response, 503, "busy", "too many");
        return;
    }
    wait_inside(user);
    xm_http_printf(response, "dear");
}

static void be_tagged(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    const char *status = xm_http_query(request, "status");
    (void)user;
    xm_http_set_tag(response, "this-one");
    xm_http_printf(response, "the answer");
    if (status && strcmp(status, "404") == 0)
        xm_http_fail(response, 404, "not_found", "nothing");
}

static const char *const tagged_query[] = {"status", NULL};
static const struct xm_http_route routes[] = {
    {XM_HTTP_GET, "/hang", NULL, NULL, hang},
    {XM_HTTP_GET, "/dear", NULL, NULL, be_dear},
    {XM_HTTP_GET, "/tagged", tagged_query, NULL, be_tagged},
};

static int set_up(void **state)
{
    static struct stage s;
    struct xm_error err;
    xm_error_clear(&err);
    s = (struct stage){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    s.address.sun_family = AF_UNIX; /* an abstract name: no file is left, whatever happens */
    snprintf(s.address.sun_path + 1, sizeof s.address.sun_path - 1, "xenmon-test-http-%ld", (long)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&s.address, sizeof s.address), 0);
    assert_int_equal(listen(fd, 16), 0);
    struct xm_host_config host = {.path = "/nonexistent/region",
                                  .interval_ns = XM_NS_PER_S,
                                  .linger_ns = XM_NS_PER_S,
                                  .stale_ns = XM_NS_PER_S,
                                  .pool = 6};
    assert_int_equal(xm_host_create(&host, &s.host, &err), XM_OK);
    struct xm_http_config config = {
        .host = s.host,
        .listener = {{.fd = fd, .trusted = true}},
        .listeners = 1,
        .limits = {.connections = 64,
                   .per_address = 32,
                   .streams = 4,
                   .header_bytes = 32768,
                   .body_bytes = 4096,
                   .answer_bytes = 4096,
                   .burst = 1,
                   .timeout_s = 30,
                   .request_s = REQUEST_S},
        .table = {{routes, sizeof routes / sizeof routes[0], &s}},
        .tables = 1,
    };
    assert_int_equal(xm_http_start(&config, &s.http, &err), XM_OK);
    *state = &s;
    return 0;
}

static void let_go(struct stage *s)
{
    pthread_mutex_lock(&s->lock);
    s->open = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static int tear_down(void **state)
{
    struct stage *s = *state;
    let_go(s);
    xm_http_stop(s->http);
    xm_host_destroy(s->host);
    return 0;
}

static int connect_to(struct stage *s)
{
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->address, sizeof s->address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* Sends a request for `path`; the connection. */
static int ask(struct stage *s, const char *path, const char *header)
{
    char text[256];
    int fd = connect_to(s);
    int bytes = snprintf(text, sizeof text,
                         "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", path, header);
    assert_int_equal(write(fd, text, (size_t)bytes), bytes);
    return fd;
}

/* All that comes; the status. */
static int answer(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    close(fd);
    text[used] = '\0';
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : 0;
}

static void pause_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * MS)};
    nanosleep(&t, NULL);
}

/* Whether it answers, or does not, before a minute is over. */
static bool comes_to(struct stage *s, bool answers)
{
    uint64_t until_ns = xm_clock_ns() + 60 * XM_NS_PER_S;
    while (xm_http_answers(s->http, PATIENCE_NS) != answers && xm_clock_ns() < until_ns)
        pause_ms(20);
    return xm_http_answers(s->http, PATIENCE_NS) == answers;
}

static void wait_for_inside(struct stage *s, unsigned count)
{
    pthread_mutex_lock(&s->lock);
    while (s->inside < count)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/*
 * Every one of the threads is asked: with any number of them hanging it says so, and with none it never
 * does.
 */
static void a_handler_that_hangs_is_noticed(void **state)
{
    struct stage *s = *state;
    char text[1024];
    int fd[THREADS];
    unsigned alarms = 0;
    for (unsigned i = 0; i < 60; i++, pause_ms(20))
        alarms += !xm_http_answers(s->http, 60 * XM_NS_PER_S);
    assert_int_equal(alarms, 0);
    fd[0] = ask(s, "/hang", "");
    wait_for_inside(s, 1);
    assert_true(comes_to(s, false));
    let_go(s);
    assert_int_equal(answer(fd[0], text, sizeof text), 200);
    assert_true(comes_to(s, true));
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Asks on a connection that stays open. */
static void ask_on(int fd, const char *path)
{
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    send_text(fd, request);
}

/* Reads until that has come at the end. */
static void expect_on(int fd, const char *body)
{
    char text[1024] = "";
    size_t used = 0, bytes = strlen(body);
    while (used < bytes || strcmp(text + used - bytes, body) != 0) {
        ssize_t n = read(fd, text + used, sizeof text - 1 - used);
        assert_true(n > 0);
        used += (size_t)n;
        text[used] = '\0';
    }
}

/* Whichever thread has the connection of a dear one: all other connections of that thread are answered. */
static void a_dear_answer_keeps_no_thread(void **state)
{
    struct stage *s = *state;
    int fd[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = connect_to(s);
        ask_on(fd[i], "/tagged");
        expect_on(fd[i], "the answer");
    }
    for (unsigned dear = 0; dear < MANY; dear++) {
        ask_on(fd[dear], "/dear");
        wait_for_inside(s, 1);
        for (unsigned i = 0; i < MANY; i++)
            if (i != dear) {
                ask_on(fd[i], "/tagged");
                expect_on(fd[i], "the answer");
            }
        let_go(s);
        expect_on(fd[dear], "dear");
        pthread_mutex_lock(&s->lock);
        s->open = false;
        pthread_mutex_unlock(&s->lock);
    }
    for (unsigned i = 0; i < MANY; i++)
        close(fd[i]);
}

/* Two are made at once, others are refused at once, and the next one finds a place again. */
static void dear_answers_take_turns(void **state)
{
    struct stage *s = *state;
    char text[1024];
    int fd[XM_HTTP_TURNS];
    for (unsigned turn = 0; turn < XM_HTTP_TURNS; turn++) {
        fd[turn] = ask(s, "/dear", "");
        wait_for_inside(s, turn + 1);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(answer(ask(s, "/dear", ""), text, sizeof text), 503);
        assert_non_null(strstr(text, "\"busy\""));
    }
    let_go(s);
    for (unsigned turn = 0; turn < XM_HTTP_TURNS; turn++) {
        assert_int_equal(answer(fd[turn], text, sizeof text), 200);
        assert_non_null(strstr(text, "\r\n\r\ndear"));
    }
    for (unsigned i = 0; i < 2 * XM_HTTP_TURNS; i++)
        assert_int_equal(answer(ask(s, "/dear", ""), text, sizeof text), 200);
}

/* One that hangs keeps no thread of the listener, and is an alarm all the same. */
static void a_dear_answer_that_hangs_is_noticed(void **state)
{
    struct stage *s = *state;
    char text[1024];
    int fd = ask(s, "/dear", "");
    wait_for_inside(s, 1);
    assert_true(comes_to(s, false));
    let_go(s);
    assert_int_equal(answer(fd, text, sizeof text), 200);
    assert_true(comes_to(s, true));
}

/* Requests that wait on the same connection are answered after it, in their order; HEAD has no body. */
static void a_connection_goes_on_after_a_dear_answer(void **state)
{
    struct stage *s = *state;
    char text[4096];
    int fd = connect_to(s);
    let_go(s);
    send_text(fd, "HEAD /dear HTTP/1.1\r\nHost: localhost\r\n\r\n"
                  "GET /dear HTTP/1.1\r\nHost: localhost\r\n\r\n"
                  "GET /tagged HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_int_equal(answer(fd, text, sizeof text), 200);
    const char *second = strstr(text, "\r\n\r\nHTTP/1.1 200");
    assert_non_null(second);
    assert_non_null(strstr(text, "Content-Length: 4\r\n"));
    const char *third = strstr(second, "\r\n\r\ndearHTTP/1.1 200");
    assert_non_null(third);
    assert_non_null(strstr(third, "\r\n\r\nthe answer"));
}

/* Whose client goes while it waits leaves neither a connection behind nor a turn that is taken. */
static void who_asked_for_it_may_go(void **state)
{
    struct stage *s = *state;
    char text[1024];
    struct xm_http_counts counts;
    uint64_t until_ns = xm_clock_ns() + 60 * XM_NS_PER_S;
    for (unsigned turn = 0; turn < XM_HTTP_TURNS; turn++) {
        int fd = ask(s, "/dear", "");
        wait_for_inside(s, turn + 1);
        close(fd);
    }
    let_go(s);
    do {
        pause_ms(20);
        xm_http_counts(s->http, &counts);
    } while (counts.connections && xm_clock_ns() < until_ns);
    assert_int_equal(counts.connections, 0);
    for (unsigned i = 0; i < 2 * XM_HTTP_TURNS; i++)
        assert_int_equal(answer(ask(s, "/dear", ""), text, sizeof text), 200);
}

/* Longer than answers have to arrive once the server is told to stop. */
static void *let_go_late(void *user)
{
    pause_ms(2500);
    let_go(user);
    return NULL;
}

/* It waits for what is being made, and its clients get that or an end. */
static void it_stops_while_dear_answers_are_made(void **state)
{
    struct stage *s = *state;
    char text[1024];
    int fd[XM_HTTP_TURNS];
    pthread_t later;
    for (unsigned turn = 0; turn < XM_HTTP_TURNS; turn++) {
        fd[turn] = ask(s, "/dear", "");
        wait_for_inside(s, turn + 1);
    }
    assert_int_equal(pthread_create(&later, NULL, let_go_late, s), 0);
    xm_http_stop(s->http);
    s->http = NULL;
    assert_int_equal(s->inside, 0);
    for (unsigned turn = 0; turn < XM_HTTP_TURNS; turn++) {
        int status = answer(fd[turn], text, sizeof text);
        assert_true(status == 200 || status == 0);
    }
    pthread_join(later, NULL);
}

/* Who has to wait for another's answer loses none of its own time: here all are busy for longer than that. */
static void waiting_for_us_is_not_being_slow(void **state)
{
    struct stage *s = *state;
    char text[1024];
    int fd[MANY], hanging[THREADS];
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = connect_to(s);
        send_text(fd[i], "GET /tagged HTTP/1.1\r\nHost: localhost\r\n");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        hanging[i] = ask(s, "/hang", "");
        wait_for_inside(s, i + 1);
    }
    for (unsigned i = 0; i < MANY; i++)
        send_text(fd[i], "Connection: close\r\n\r\n");
    pause_ms(REQUEST_S * 1000 + 1500);
    let_go(s);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(answer(fd[i], text, sizeof text), 200);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(answer(hanging[i], text, sizeof text), 200);
    /* One that sends half a request to threads that are free is cut off. */
    fd[0] = connect_to(s);
    send_text(fd[0], "GET /tagged HTTP/1.1\r\nHost: localhost\r\n");
    assert_int_equal(answer(fd[0], text, sizeof text), 0);
}

static void only_what_is_there_has_a_tag(void **state)
{
    struct stage *s = *state;
    char text[1024];
    assert_int_equal(answer(ask(s, "/tagged", ""), text, sizeof text), 200);
    assert_non_null(strstr(text, "ETag: \"this-one\"\r\n"));
    assert_int_equal(
        answer(ask(s, "/tagged", "If-None-Match: \"other\", W/\"this-one\"\r\n"), text, sizeof text), 304);
    assert_null(strstr(text, "the answer"));
    assert_int_equal(answer(ask(s, "/tagged", "If-None-Match: *\r\n"), text, sizeof text), 304);
    assert_int_equal(answer(ask(s, "/tagged", "If-None-Match: \"this-on\"\r\n"), text, sizeof text), 200);
    assert_int_equal(answer(ask(s, "/tagged?status=404", "If-None-Match: *\r\n"), text, sizeof text), 404);
    assert_null(strstr(text, "ETag"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_handler_that_hangs_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dear_answer_keeps_no_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dear_answers_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dear_answer_that_hangs_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_goes_on_after_a_dear_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asked_for_it_may_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_stops_while_dear_answers_are_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_for_us_is_not_being_slow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_is_there_has_a_tag, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
