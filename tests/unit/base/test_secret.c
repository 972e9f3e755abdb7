/* SPDX-License-Identifier: MIT */
/* Files with secrets: whose mode keeps others out, and what is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static char folder[] = "/tmp/xenmon-secret-XXXXXX";
static char path[64], pipe_path[64];

static int begin(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
    return mkfifo(pipe_path, 0600);
}

static int finish(void **state)
{
    unlink(path);
    unlink(pipe_path);
    return rmdir(folder);
}

static void put(const void *data, size_t bytes, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static enum xm_status reads(const char *name, size_t most, const char *says)
{
    struct xm_error err = {0};
    char *text = folder; /* anything but NULL */
    size_t bytes = 0;
    enum xm_status status = xm_secret_read(name, most, &text, &bytes, &err);
    assert_int_not_equal(status, XM_OK);
    assert_null(text);
    assert_non_null(strstr(err.text, says));
    assert_non_null(strstr(err.text, name));
    return status;
}

static void what_it_holds_is_read(void **state)
{
    static const mode_t good[] = {0600, 0640, 0400, 0440};
    struct xm_error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *text = NULL;
        size_t bytes = 0;
        put("two\nlines", 9, good[i]);
        assert_int_equal(xm_secret_check(path, &err), XM_OK);
        assert_int_equal(xm_secret_read(path, 9, &text, &bytes, &err), XM_OK);
        assert_int_equal(bytes, 9);
        assert_string_equal(text, "two\nlines");
        xm_secret_free(text, bytes);
    }
    xm_secret_free(NULL, 0);
}

static void others_are_kept_out(void **state)
{
    static const mode_t bad[] = {0644, 0604, 0602, 0620, 0660, 0666, 0777};
    struct xm_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put("secret", 6, bad[i]);
        assert_int_equal(reads(path, 100, "others may read or change it"), XM_DENIED);
        xm_error_clear(&err);
        assert_int_equal(xm_secret_check(path, &err), XM_DENIED);
    }
}

static void what_is_no_such_file_is_said(void **state)
{
    struct xm_error err = {0};
    put("longer than that", 16, 0600);
    assert_int_equal(reads(path, 15, "larger than 15 bytes"), XM_LIMIT);
    put("a\0b", 3, 0600);
    assert_int_equal(reads(path, 100, "no text"), XM_DAMAGED);
    assert_int_equal(reads(folder, 100, "no file"), XM_IO);
    assert_int_equal(reads(pipe_path, 100, "no file"), XM_IO); /* and it does not wait for a writer */
    assert_int_equal(reads("/nonexistent/file", 100, "No such file"), XM_IO);
    assert_int_equal(xm_secret_check("/nonexistent/file", &err), XM_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_holds_is_read),
        cmocka_unit_test(others_are_kept_out),
        cmocka_unit_test(what_is_no_such_file_is_said),
    };
    return cmocka_run_group_tests_name("secret", tests, begin, finish);
}
