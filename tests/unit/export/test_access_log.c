/* SPDX-License-Identifier: MIT */
/* Lines of the access log that nobody outside can forge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "export/access_log.h"

static void a_line_is_common_log_format(void **state)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    char line[2048];
    inet_pton(AF_INET, "192.0.2.7", &from.sin_addr);
    struct xm_access a = {
        (const struct sockaddr *)&from,   "bob", "GET", "/metrics?x=1", "HTTP/1.1", 200, 1234,
        UINT64_C(1767323045) * 1000000000, false};
    size_t n = xm_access_format(&a, line, sizeof line);
    assert_string_equal(
        line, "192.0.2.7 - bob [02/Jan/2026:03:04:05 +0000] \"GET /metrics?x=1 HTTP/1.1\" 200 1234\n");
    assert_int_equal(n, strlen(line));
}

/*
 * What was answered, and whether it arrived: 499 where it did not, with a number of bytes where there is
 * one.
 */
static void what_was_cut_off_is_marked(void **state)
{
    char line[2048];
    struct xm_access a = {NULL, "", "GET", "/", "HTTP/1.1", 200, XM_ACCESS_UNKNOWN, 0, true};
    xm_access_format(&a, line, sizeof line);
    assert_string_equal(line, "unix - - [01/Jan/1970:00:00:00 +0000] \"GET / HTTP/1.1\" 499 -\n");
    a.bytes = 77;
    xm_access_format(&a, line, sizeof line);
    assert_non_null(strstr(line, "\" 499 77\n"));
    a.cut = false;
    xm_access_format(&a, line, sizeof line);
    assert_non_null(strstr(line, "\" 200 77\n"));
}

static void foreign_bytes_are_escaped(void **state)
{
    char line[2048];
    struct xm_access a = {NULL, "a b\n", "GET", "/x\" 200 1\n10.0.0.1 - \\ \x1b[31m\xe2\x80\xae",
                          "",   0,       0,     0,     false};
    xm_access_format(&a, line, sizeof line);
    assert_string_equal(line, "unix - a\\x20b\\x0a [01/Jan/1970:00:00:00 +0000] \"GET "
                              "/x\\x22\\x20200\\x201\\x0a10.0.0.1\\x20-\\x20\\x5c"
                              "\\x20\\x1b[31m\\xe2\\x80\\xae -\" 0 0\n");
}

static void a_line_has_an_end(void **state)
{
    char target[5000];
    char line[2048];
    char small[64];
    memset(target, '\n', sizeof target - 1);
    target[sizeof target - 1] = '\0';
    struct xm_access a = {NULL, target, target, target, target, 200, UINT64_MAX - 1, UINT64_MAX, false};
    size_t n = xm_access_format(&a, line, sizeof line);
    assert_true(n < sizeof line && line[n - 1] == '\n' && line[n] == '\0');
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    n = xm_access_format(&a, small, sizeof small);
    assert_true(n < sizeof small && small[n - 1] == '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_common_log_format),
        cmocka_unit_test(what_was_cut_off_is_marked),
        cmocka_unit_test(foreign_bytes_are_escaped),
        cmocka_unit_test(a_line_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
