/* SPDX-License-Identifier: MIT */
/* Tokens and passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <crypt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "export/auth.h"

static char folder[] = "/tmp/xenmon-auth-XXXXXX";
static char path[2][64];

static void put(unsigned n, const char *text, mode_t mode)
{
    FILE *f = fopen(path[n], "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path[n], mode);
}

static int begin(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(path[0], sizeof path[0], "%s/tokens", folder);
    snprintf(path[1], sizeof path[1], "%s/users", folder);
    return 0;
}

static int finish(void **state)
{
    unlink(path[0]);
    unlink(path[1]);
    return rmdir(folder);
}

static void same_is_same_only_whole(void **state)
{
    assert_true(xm_auth_same("abc", 3, "abc", 3));
    assert_false(xm_auth_same("abc", 3, "abd", 3));
    assert_false(xm_auth_same("abc", 3, "abcabc", 6));
    assert_false(xm_auth_same("abcabc", 6, "abc", 3));
    assert_false(xm_auth_same("abc", 3, "", 0));
    assert_false(xm_auth_same("", 0, "abc", 3));
    assert_true(xm_auth_same("", 0, "", 0));
}

static void tokens_are_checked(void **state)
{
    struct xm_auth *auth;
    struct xm_error err = {0};
    char user[72];
    put(0, "# ours\n\n0123456789abcdef\r\nanother-token-of-somebody\n", 0600);
    assert_int_equal(xm_auth_create(path[0], NULL, &auth, &err), XM_OK);
    assert_true(xm_auth_check(auth, NULL, "Bearer 0123456789abcdef", user, sizeof user));
    assert_string_equal(user, "token");
    assert_true(xm_auth_check(auth, NULL, "bearer   another-token-of-somebody", user, sizeof user));
    const char *const bad[] = {NULL,
                               "",
                               "Bearer",
                               "Bearer ",
                               "Bearer 0123456789abcde",
                               "Bearer 0123456789abcdef0",
                               "Bearer # ours",
                               "0123456789abcdef",
                               "Basic MDEyMzQ1Njc4OWFiY2RlZg=="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(xm_auth_check(auth, NULL, bad[i], user, sizeof user));
        assert_string_equal(user, "");
    }
    assert_string_equal(xm_auth_challenge(auth), "Bearer realm=\"xenmon\"");
    xm_auth_destroy(auth);
}

/* The password is: secret, hashed by htpasswd -B. */
static void passwords_are_checked(void **state)
{
    struct xm_auth *auth;
    struct xm_error err = {0};
    char user[72];
    put(1, "bob:$2y$05$CoESKMj8aYBW5Wdrz28Zb.KylZRt57P9bKpAASF/B9w9F8.nua2va\n", 0640);
    assert_int_equal(xm_auth_create(NULL, path[1], &auth, &err), XM_OK);
    for (int i = 0; i < 3;
         i++) { /* the second time it is remembered; a wrong one between does not change that */
        assert_int_equal(xm_auth_check(auth, NULL, "Basic Ym9iOnNlY3JldA==", user, sizeof user), XM_AUTH_YES);
        assert_string_equal(user, "bob");
        assert_false(xm_auth_check(auth, NULL, "Basic Ym9iOnNlY3JlUw==", user, sizeof user));
    }
    assert_false(xm_auth_check(auth, NULL, "Basic YWxpY2U6c2VjcmV0", user, sizeof user)); /* alice */
    const char *const bad[] = {"Basic",
                               "Basic ",
                               "Basic ====",
                               "Basic Ym9i",
                               "Basic \xff\xfe",
                               "Basic Ym9iOgA=",
                               "Bearer Ym9iOnNlY3JldA==",
                               "Digest username=bob"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(xm_auth_check(auth, NULL, bad[i], user, sizeof user));
    char *big = calloc(1, 20000);
    memcpy(big, "Basic ", 6);
    memset(big + 6, 'A', 19000);
    assert_false(xm_auth_check(auth, NULL, big, user, sizeof user));
    free(big);
    assert_memory_equal(xm_auth_challenge(auth), "Basic ", 6);
    xm_auth_destroy(auth);
}

/* A line of the users' file; the password is: secret. */
static void add_user(char *text, size_t size, const char *name, const char *method, unsigned long cost)
{
    static struct crypt_data crypt;
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    assert_non_null(crypt_gensalt_rn(method, cost, NULL, 0, salt, sizeof salt));
    const char *hash = crypt_r("secret", salt, &crypt);
    assert_non_null(hash);
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s:%s\n", name, hash);
}

static void a_bad_file_says_where(void **state)
{
    static const struct {
        unsigned file;
        const char *text, *says;
    } rows[] = {
        {0, "", "no token"},
        {0, "# nothing\n", "no token"},
        {0, "long-enough-to-be-one\nshort\n", ":2: a token has 16"},
        {0, "with a blank in between it\n", ":1: a token has printable"},
        {1, "", "no user"},
        {1, "bob\n", ":1: a line is NAME:HASH"},
        {1, ":$6$x$y\n", ":1: a line is NAME:HASH"},
        {1, "bob:secret\n", ":1: the hash is none of"},
        {1, "bob:$1$salt$abcdefghijklmnopqrstuv\n", ":1: the hash is none of"},
        {1, "bob:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=\n", ":1: the hash is none of"},
        {1,
         "bob:$2y$05$CoESKMj8aYBW5Wdrz28Zb.KylZRt57P9bKpAASF/"
         "B9w9F8.nua2va\nbob:$2y$05$CoESKMj8aYBW5Wdrz28Zb.KylZRt57P9bKpAASF/B9w9F8.nua2va\n",
         ":2: that user is there"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct xm_auth *auth;
        struct xm_error err = {0};
        put(rows[i].file, rows[i].text, 0600);
        assert_int_equal(
            xm_auth_create(rows[i].file ? NULL : path[0], rows[i].file ? path[1] : NULL, &auth, &err),
            XM_DAMAGED);
        assert_null(auth);
        assert_non_null(strstr(err.text, rows[i].says));
        assert_non_null(strstr(err.text, folder));
    }
}

/* All methods that the manual names, as libcrypt writes them. */
static void every_method_is_checked(void **state)
{
    static const struct {
        const char *method;
        unsigned long cost;
    } rows[] = {{"$y$", 1},  {"$gy$", 1},   {"$7$", 6}, {"$2b$", 4},   {"$2a$", 4},
                {"$2y$", 4}, {"$6$", 1000}, {"$6$", 0}, {"$5$", 1000}, {"$5$", 0}};
    char text[4096] = "";
    char user[72];
    struct xm_auth *auth;
    struct xm_error err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        add_user(text, sizeof text, name, rows[i].method, rows[i].cost);
    }
    put(1, text, 0600);
    assert_int_equal(xm_auth_create(NULL, path[1], &auth, &err), XM_OK);
    static const char *const right[] = {
        "YTpzZWNyZXQ=", "YjpzZWNyZXQ=", "YzpzZWNyZXQ=", "ZDpzZWNyZXQ=", "ZTpzZWNyZXQ=",
        "ZjpzZWNyZXQ=", "ZzpzZWNyZXQ=", "aDpzZWNyZXQ=", "aTpzZWNyZXQ=", "ajpzZWNyZXQ="};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        char header[64];
        snprintf(header, sizeof header, "Basic %s", right[i]);
        assert_int_equal(xm_auth_check(auth, NULL, header, user, sizeof user), XM_AUTH_YES);
        header[9] = header[9] == 'z' ? 'y' : 'z';
        assert_int_equal(xm_auth_check(auth, NULL, header, user, sizeof user), XM_AUTH_NO);
    }
    xm_auth_destroy(auth);
}

static void a_file_for_everybody_is_refused(void **state)
{
    static const mode_t modes[] = {0604, 0602, 0620, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct xm_auth *auth;
        struct xm_error err = {0};
        put(0, "0123456789abcdef\n", modes[i]);
        assert_int_equal(xm_auth_create(path[0], NULL, &auth, &err), XM_DENIED);
        assert_non_null(strstr(err.text, "chmod"));
    }
    struct xm_auth *auth;
    struct xm_error err = {0};
    assert_int_equal(xm_auth_create(folder, NULL, &auth, &err), XM_IO);
    xm_error_clear(&err);
    assert_int_equal(xm_auth_create("/nonexistent/file", NULL, &auth, &err), XM_IO);
}

struct guesser {
    struct xm_auth *auth;
    atomic_uint no, busy;
};

static void *guess(void *user)
{
    struct guesser *g = user;
    char name[72];
    while (g->no < 4) {
        enum xm_auth_verdict verdict =
            xm_auth_check(g->auth, NULL, "Basic Ym9iOnNlY3JlUw==", name, sizeof name);
        g->no += verdict == XM_AUTH_NO;
        g->busy += verdict == XM_AUTH_BUSY;
        if (verdict == XM_AUTH_BUSY)
            usleep(1000);
    }
    return NULL;
}

/* While somebody guesses, one hash is made at a time, and who is known does not wait for it. */
static void guessing_keeps_nobody_waiting(void **state)
{
    static struct crypt_data crypt;
    struct xm_error err = {0};
    struct guesser g = {0};
    pthread_t thread[3]; /* one hashes, one waits, one is sent away */
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    char line[256];
    char user[72];
    assert_non_null(crypt_gensalt_rn("$2b$", 11, NULL, 0, salt, sizeof salt));
    const char *hash = crypt_r("secret", salt, &crypt);
    assert_non_null(hash);
    snprintf(line, sizeof line, "bob:%s\n", hash);
    put(0, "0123456789abcdef\n", 0600);
    put(1, line, 0600);
    assert_int_equal(xm_auth_create(path[0], path[1], &g.auth, &err), XM_OK);
    assert_int_equal(xm_auth_check(g.auth, NULL, "Basic Ym9iOnNlY3JldA==", user, sizeof user), XM_AUTH_YES);
    assert_int_equal(xm_auth_reload(g.auth, &err), XM_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, guess, &g), 0);
    unsigned known = 0;
    while (g.no < 3) {
        assert_int_equal(xm_auth_check(g.auth, NULL, "Bearer 0123456789abcdef", user, sizeof user),
                         XM_AUTH_YES);
        assert_int_equal(xm_auth_check(g.auth, NULL, "Basic Ym9iOnNlY3JldA==", user, sizeof user), XM_AUTH_YES);
        known++;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_true(g.busy > 0);
    assert_true(known > 100);
    xm_auth_destroy(g.auth);
}

/* The least CPU time of some tries at a wrong password. */
static uint64_t wrong_ns(struct xm_auth *auth, const char *authorization)
{
    uint64_t least = UINT64_MAX;
    char user[72];
    for (int i = 0; i < 3; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        assert_int_equal(xm_auth_check(auth, NULL, authorization, user, sizeof user), XM_AUTH_NO);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        uint64_t ns =
            (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u + (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
        least = ns < least ? ns : least;
    }
    return least;
}

static void an_unknown_user_costs_as_much_as_the_dearest(void **state)
{
    struct xm_auth *auth;
    struct xm_error err = {0};
    char text[1024] = "";
    add_user(text, sizeof text, "ann", "$5$", 1000);
    add_user(text, sizeof text, "bob", "$2b$", 9);
    add_user(text, sizeof text, "cyd", "$2b$", 4);
    add_user(text, sizeof text, "dot", "$6$", 1000);
    put(1, text, 0600);
    assert_int_equal(xm_auth_create(NULL, path[1], &auth, &err), XM_OK);
    uint64_t ann_ns = wrong_ns(auth, "Basic YW5uOng=");
    uint64_t bob_ns = wrong_ns(auth, "Basic Ym9iOng=");
    uint64_t nobody_ns = wrong_ns(auth, "Basic YWxpY2U6eA==");
    print_message("# CPU us: cheap %u, dear %u, unknown %u\n", (unsigned)(ann_ns / 1000),
                  (unsigned)(bob_ns / 1000), (unsigned)(nobody_ns / 1000));
    assert_true(bob_ns > 4 * ann_ns);
    assert_true(nobody_ns > bob_ns / 2 && nobody_ns < bob_ns * 2);
    /* Of a method alone there is nothing to be measured, and the cost is its own. */
    text[0] = '\0';
    add_user(text, sizeof text, "ann", "$5$", 1000);
    add_user(text, sizeof text, "cyd", "$5$", 1000);
    put(1, text, 0600);
    assert_int_equal(xm_auth_reload(auth, &err), XM_OK);
    assert_true(wrong_ns(auth, "Basic YWxpY2U6eA==") < bob_ns / 2);
    xm_auth_destroy(auth);
}

struct hasty {
    struct xm_auth *auth;
    struct sockaddr_in from;
    atomic_bool *stop;
    atomic_uint *hashes, busy;
    pthread_t thread;
};

static void *guess_on(void *user)
{
    struct hasty *h = user;
    char name[72];
    while (!*h->stop) {
        enum xm_auth_verdict verdict = xm_auth_check(h->auth, (const struct sockaddr *)&h->from,
                                                     "Basic Ym9iOnNlY3JlUw==", name, sizeof name);
        *h->hashes += verdict == XM_AUTH_NO;
        h->busy += verdict == XM_AUTH_BUSY;
    }
    return NULL;
}

/* Of two that hash all the time each waits for the other, and none is sent away. */
static void one_more_waits_for_its_turn(void **state)
{
    struct xm_error err = {0};
    struct hasty h = {.from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6336401)}};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000209)};
    atomic_bool stop = false;
    atomic_uint hashes = 0;
    unsigned no = 0;
    char text[1024] = "";
    char user[72];
    add_user(text, sizeof text, "bob", "$2b$", 8);
    put(1, text, 0600);
    assert_int_equal(xm_auth_create(NULL, path[1], &h.auth, &err), XM_OK);
    h.stop = &stop;
    h.hashes = &hashes;
    assert_int_equal(pthread_create(&h.thread, NULL, guess_on, &h), 0);
    while (hashes < 2)
        usleep(1000);
    for (int i = 0; i < 30; i++)
        no += xm_auth_check(h.auth, (const struct sockaddr *)&from, "Basic Ym9iOnNlY3JlUw==", user,
                            sizeof user) == XM_AUTH_NO;
    enum xm_auth_verdict right =
        xm_auth_check(h.auth, (const struct sockaddr *)&from, "Basic Ym9iOnNlY3JldA==", user, sizeof user);
    stop = true;
    pthread_join(h.thread, NULL);
    assert_int_equal(no, 30);
    assert_int_equal(right, XM_AUTH_YES);
    assert_int_equal(h.busy, 0);
    xm_auth_destroy(h.auth);
}

/* However hard three addresses try, a fourth comes to its turn: counted in hashes, whatever a hash takes
 * here. */
static void guessing_keeps_nobody_out(void **state)
{
    struct xm_error err = {0};
    struct xm_auth *auth;
    struct hasty h[3];
    atomic_bool stop = false;
    atomic_uint hashes = 0;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000209)};
    enum xm_auth_verdict verdict = XM_AUTH_BUSY;
    char text[1024] = "";
    char user[72];
    add_user(text, sizeof text, "bob", "$2b$", 10);
    put(1, text, 0600);
    assert_int_equal(xm_auth_create(NULL, path[1], &auth, &err), XM_OK);
    for (unsigned i = 0; i < 3; i++) {
        h[i] = (struct hasty){.auth = auth, .from = from, .stop = &stop, .hashes = &hashes};
        h[i].from.sin_addr.s_addr = htonl(0xc6336401 + i);
        assert_int_equal(pthread_create(&h[i].thread, NULL, guess_on, &h[i]), 0);
    }
    while (hashes < 4) /* they are at it */
        usleep(1000);
    unsigned before = hashes;
    while (verdict == XM_AUTH_BUSY && hashes < before + 40) {
        verdict =
            xm_auth_check(auth, (const struct sockaddr *)&from, "Basic Ym9iOnNlY3JldA==", user, sizeof user);
        usleep(20000);
    }
    unsigned after = hashes;
    stop = true;
    for (unsigned i = 0; i < 3; i++)
        pthread_join(h[i].thread, NULL);
    print_message("# a right password got its turn after %u wrong ones\n", after - before);
    assert_int_equal(verdict, XM_AUTH_YES);
    assert_string_equal(user, "bob");
    xm_auth_destroy(auth);
}

static void a_bad_reload_changes_nothing(void **state)
{
    struct xm_auth *auth;
    struct xm_error err = {0};
    char user[72];
    put(0, "0123456789abcdef\n", 0600);
    assert_int_equal(xm_auth_create(path[0], NULL, &auth, &err), XM_OK);
    put(0, "bad\n", 0600);
    assert_int_equal(xm_auth_reload(auth, &err), XM_DAMAGED);
    assert_true(xm_auth_check(auth, NULL, "Bearer 0123456789abcdef", user, sizeof user));
    put(0, "the-new-token-of-today\n", 0600);
    assert_int_equal(xm_auth_reload(auth, &err), XM_OK);
    assert_false(xm_auth_check(auth, NULL, "Bearer 0123456789abcdef", user, sizeof user));
    assert_true(xm_auth_check(auth, NULL, "Bearer the-new-token-of-today", user, sizeof user));
    xm_auth_destroy(auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_is_same_only_whole),         cmocka_unit_test(tokens_are_checked),
        cmocka_unit_test(every_method_is_checked),
        cmocka_unit_test(passwords_are_checked),           cmocka_unit_test(a_bad_file_says_where),
        cmocka_unit_test(a_file_for_everybody_is_refused), cmocka_unit_test(a_bad_reload_changes_nothing),
        cmocka_unit_test(guessing_keeps_nobody_waiting),   cmocka_unit_test(guessing_keeps_nobody_out),
        cmocka_unit_test(one_more_waits_for_its_turn),
        cmocka_unit_test(an_unknown_user_costs_as_much_as_the_dearest),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
