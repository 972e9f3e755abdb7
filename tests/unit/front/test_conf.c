/* SPDX-License-Identifier: MIT */
/* Configuration files: lines, what is no line, what is no file, and whom root believes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/conf.h"

static char directory[64], path[80];

/* What was taken, "section.name=value;", and what was wrong, a line each. */
static char taken[4096], said[4096];

static void note(char *where, size_t size, const char *text)
{
    size_t length = strlen(where);
    snprintf(where + length, size - length, "%s", text);
}

static const char *take(void *user, const struct xm_conf_line *line)
{
    char text[400];
    (void)user;
    if (strcmp(line->name, "bad") == 0)
        return "it is bad";
    snprintf(text, sizeof text, "%s.%s=%s;", line->section, line->name, line->value);
    note(taken, sizeof taken, text);
    return NULL;
}

static void wrong(void *user, const char *text)
{
    (void)user;
    assert_memory_equal(text, path, strlen(path));
    note(said, sizeof said, text + strlen(path));
    note(said, sizeof said, "\n");
}

static const struct xm_conf_reader reader = {take, wrong, NULL};

static void put(const char *where, const void *bytes, size_t length)
{
    FILE *f = fopen(where, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(where, 0644), 0);
}

static enum xm_status read_file(struct xm_error *err)
{
    taken[0] = said[0] = '\0';
    xm_error_clear(err);
    return xm_conf_read(path, &reader, err);
}

static void expect(const char *text, const char *lines, const char *wrongs)
{
    struct xm_error err;
    put(path, text, strlen(text));
    assert_int_equal(read_file(&err), XM_OK);
    assert_string_equal(taken, lines);
    assert_string_equal(said, wrongs);
}

static void test_lines(void **state)
{
    (void)state;
    expect("", "", "");
    expect("# nothing\n; at all\n\n[live]\n", "", "");
    expect("[live]\nview = vcpus\n", "live.view=vcpus;", "");
    expect("[live]\r\nview = vcpus\r\n", "live.view=vcpus;", "");
    expect("[live]\nview=vcpus", "live.view=vcpus;", "");
    expect("\xef\xbb\xbf[a]\nb = c ; why\n  d : e  # f\n", "a.b=c;a.d=e  # f;", "");
    expect("[a]\nb = c\n   d = e\n\tf=\n", "a.b=c;a.d=e;a.f=;", "");
    expect("[a]\nb=1\n[b]\nb=2\n[a]\nb=3\n", "a.b=1;b.b=2;a.b=3;", "");
}

static void test_wrong_lines(void **state)
{
    (void)state;
    expect("[a]\nb = c\nnonsense\nd = e\n", "a.b=c;a.d=e;", ":3: neither [section] nor name = value\n");
    expect("b = c\n[a]\nd = e\n", "a.d=e;",
           ":1: a section comes first: [screen], [live], [xenbaked] and [serve] are right\n");
    expect("[a]\nbad = 1\nd = e\n", "a.d=e;", ":2: [a] bad: it is bad\n");
    expect("[a\nb = c\n[d]\ne = f\n", "d.e=f;", ":1: a section ends in ]\n");
    expect("[a]\n= c\nd = e\n", "a.d=e;", ":2: neither [section] nor name = value\n");
    expect("[0123456789012345678901234567890123456789012345678901234567890123]\nb = c\n", "",
           ":1: a section's name is at most 63 bytes long\n");
    expect("[\033[31m]\nbad = 1\n", "", ":2: [?[31m] bad: it is bad\n");
}

static void test_long_lines(void **state)
{
    static char text[100000];
    (void)state;
    /* The longest that there can be, and one more. */
    int n = snprintf(text, sizeof text, "[a]\nb = %0194d\nd = e\n", 1);
    put(path, text, (size_t)n);
    struct xm_error err;
    assert_int_equal(read_file(&err), XM_OK);
    assert_int_equal(strlen(taken), strlen("a.b=;a.d=e;") + 194);
    assert_string_equal(said, "");
    n = snprintf(text, sizeof text, "[a]\nb = %0195d\nd = e\n", 1);
    put(path, text, (size_t)n);
    assert_int_equal(read_file(&err), XM_OK);
    assert_string_equal(taken, "a.d=e;");
    assert_string_equal(said, ":2: a line of at most 198 bytes is right\n");
    memset(text, 'x', sizeof text);
    memcpy(text, "[a]\nb = ", 8);
    memcpy(text + sizeof text - 7, "\nd = e\n", 7);
    put(path, text, sizeof text);
    assert_int_equal(read_file(&err), XM_OK);
    assert_string_equal(taken, "a.d=e;");
    assert_string_equal(said, ":2: a line of at most 198 bytes is right\n");
}

static void test_zero_bytes(void **state)
{
    static const char text[] = "[a]\nb = c\nd\0 = e\n\0\nf = g\n";
    struct xm_error err;
    (void)state;
    put(path, text, sizeof text - 1);
    assert_int_equal(read_file(&err), XM_OK);
    assert_string_equal(taken, "a.b=c;a.f=g;");
    assert_string_equal(said, ":3: a zero byte: this is no text\n:4: a zero byte: this is no text\n");
}

/* Any bytes: it ends, and says something or not. */
static void test_random(void **state)
{
    static unsigned char bytes[3000];
    uint64_t seed = 88172645463325252u;
    struct xm_error err;
    (void)state;
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes[i] = round % 2 ? (unsigned char)seed : (unsigned char)"[]=:\n\n a;#\r\0"[seed % 12];
        }
        put(path, bytes, sizeof bytes);
        assert_int_equal(read_file(&err), XM_OK);
    }
}

static void refused(enum xm_status status, const char *words)
{
    struct xm_error err;
    assert_int_equal(read_file(&err), status);
    assert_string_equal(taken, "");
    assert_string_equal(said, "");
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, words))
        fail_msg("\"%s\" says nothing of \"%s\"", err.text, words);
}

static void test_no_file(void **state)
{
    (void)state;
    unlink(path);
    refused(XM_IO, "No such file");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir(path, 0755), 0);
    refused(XM_IO, "no regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    refused(XM_IO, "no regular file"); /* and it has not waited */
    unlink(path);
    assert_int_equal(symlink("/dev/zero", path), 0);
    refused(XM_IO, "no regular file");
    unlink(path);
    assert_int_equal(symlink(path, path), 0);
    refused(XM_IO, "symbolic links");
    unlink(path);
}

static void test_large(void **state)
{
    static char text[XM_CONF_MAX_BYTES + 1];
    struct xm_error err;
    (void)state;
    memset(text, '\n', sizeof text);
    memcpy(text, "[a]\nb=c\n", 8);
    put(path, text, XM_CONF_MAX_BYTES);
    assert_int_equal(read_file(&err), XM_OK);
    assert_string_equal(taken, "a.b=c;");
    put(path, text, sizeof text);
    refused(XM_LIMIT, "more than 1 MiB");
    assert_int_equal(truncate(path, 10 << 20), 0);
    refused(XM_LIMIT, "more than 1 MiB");
    unlink(path);
}

static void test_trust(void **state)
{
    struct xm_error err;
    (void)state;
    if (geteuid() != 0)
        skip();
    put(path, "[a]\nb=c\n", 8);
    assert_int_equal(chmod(path, 0664), 0);
    refused(XM_DENIED, "by others than root");
    assert_int_equal(chmod(path, 0646), 0);
    refused(XM_DENIED, "by others than root");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chown(path, 12345, 0), 0);
    refused(XM_DENIED, "not root's");
    assert_int_equal(chown(path, 0, 12345), 0);
    assert_int_equal(read_file(&err), XM_OK);
    assert_int_equal(chmod(directory, 0777), 0);
    refused(XM_DENIED, "by others than root");
    assert_int_equal(chmod(directory, 01777), 0); /* nobody can replace what is root's there */
    assert_int_equal(read_file(&err), XM_OK);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(chown(directory, 12345, 0), 0);
    refused(XM_DENIED, "not root's");
    assert_int_equal(chown(directory, 0, 0), 0);
}

static void test_files(void **state)
{
    static const char *const names[] = {"b.conf", "a.conf", ".conf", ".x.conf", "c.conf~", "c.txt"};
    struct xm_conf_files files = {0};
    char drop_ins[100], name[200];
    struct xm_error err;
    (void)state;
    xm_error_clear(&err);
    unlink(path);
    assert_int_equal(xm_conf_files_add(&files, path, &err), XM_OK);
    assert_int_equal(files.count, 0);
    snprintf(drop_ins, sizeof drop_ins, "%s.d", path);
    assert_int_equal(mkdir(drop_ins, 0755), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", drop_ins, names[i]);
        put(name, "", 0);
    }
    put(path, "", 0);
    assert_int_equal(xm_conf_files_add(&files, path, &err), XM_OK);
    assert_int_equal(files.count, 3);
    assert_string_equal(files.path[0], path);
    snprintf(name, sizeof name, "%s/a.conf", drop_ins);
    assert_string_equal(files.path[1], name);
    snprintf(name, sizeof name, "%s/b.conf", drop_ins);
    assert_string_equal(files.path[2], name);
    xm_conf_files_fini(&files);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", drop_ins, names[i]);
        unlink(name);
    }
    rmdir(drop_ins);
}

static void test_own_path(void **state)
{
    char own[PATH_MAX];
    (void)state;
    setenv("XDG_CONFIG_HOME", "/x/y", 1);
    setenv("HOME", "/home/me", 1);
    assert_true(xm_conf_own_path(own));
    assert_string_equal(own, "/x/y/xenmon/config");
    setenv("XDG_CONFIG_HOME", "relative", 1); /* which the specification has ignored */
    assert_true(xm_conf_own_path(own));
    assert_string_equal(own, "/home/me/.config/xenmon/config");
    unsetenv("HOME");
    assert_false(xm_conf_own_path(own));
}

/* A home that is somebody else's; one's own file that cannot be read is another matter. */
static void test_other_home(void **state)
{
    struct xm_conf_files files = {0};
    struct xm_error err;
    char place[100];
    (void)state;
    xm_error_clear(&err);
    snprintf(place, sizeof place, "%s/home", directory);
    assert_int_equal(mkdir(place, 0700), 0);
    setenv("XDG_CONFIG_HOME", place, 1);
    assert_int_equal(xm_conf_files_add_own(&files, &err), XM_OK);
    assert_int_equal(files.count, 0);
    if (geteuid() == 0) {
        assert_int_equal(seteuid(12345), 0);
        enum xm_status status = xm_conf_files_add_own(&files, &err);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(status, XM_OK);
        assert_int_equal(files.count, 0);
    }
    xm_conf_files_fini(&files);
    rmdir(place);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/xm-conf-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/x.conf", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_random),     cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_large),      cmocka_unit_test(test_trust),
        cmocka_unit_test(test_files),      cmocka_unit_test(test_own_path),
        cmocka_unit_test(test_other_home),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
