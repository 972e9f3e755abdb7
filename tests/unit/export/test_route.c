/* SPDX-License-Identifier: MIT */
/* Paths, queries, Accept and Host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "export/http_int.h"

static void nothing(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
}

static const struct xm_http_route first[] = {
    {XM_HTTP_GET, "/api/v1/domains", NULL, NULL, nothing},
    {XM_HTTP_GET, "/api/v1/domains/{domid}", NULL, NULL, nothing},
    {XM_HTTP_GET, "/api/v1/domains/{domid}/vcpus/{vcpu}", NULL, NULL, nothing},
    {XM_HTTP_POST, "/RPC2", NULL, NULL, nothing},
};
static const struct xm_http_route second[] = {{XM_HTTP_GET | XM_HTTP_POST, "/both", NULL, NULL, nothing}};
static const struct xm_http_table tables[] = {{first, 4, NULL}, {second, 1, NULL}};

static struct xm_http_request *look(const char *url, unsigned method, bool *found, unsigned *allowed)
{
    struct xm_http_request *r = calloc(1, sizeof *r);
    r->path = xm_http_decode(r, url);
    *found = r->path && xm_http_find_route(r, tables, 2, method, allowed);
    return r;
}

static void routes_are_found(void **state)
{
    static const struct {
        const char *url;
        unsigned method, allowed;
        const char *path, *one, *two; /* path NULL: no such path; "": not with this method */
    } rows[] = {
        {"/api/v1/domains", XM_HTTP_GET, XM_HTTP_GET, "/api/v1/domains", "", ""},
        {"/api/v1/domains/", XM_HTTP_GET, 0, NULL, "", ""},
        {"/api/v1/domains/7", XM_HTTP_GET, XM_HTTP_GET, "/api/v1/domains/{domid}", "7", ""},
        {"/api/v1/domains/7/vcpus/3", XM_HTTP_GET, XM_HTTP_GET, "/api/v1/domains/{domid}/vcpus/{vcpu}", "7",
         "3"},
        {"/api/v1/domains/7/vcpus/", XM_HTTP_GET, 0, NULL, "", ""},
        {"/api/v1/domains/7/vcpu/3", XM_HTTP_GET, 0, NULL, "", ""},
        {"/RPC2", XM_HTTP_GET, XM_HTTP_POST, "", "", ""},
        {"/RPC2", 0, XM_HTTP_POST, "", "", ""},
        {"/both", XM_HTTP_POST, XM_HTTP_GET | XM_HTTP_POST, "/both", "", ""},
        {"/bot", XM_HTTP_GET, 0, NULL, "", ""},
        {"/bothx", XM_HTTP_GET, 0, NULL, "", ""},
        {"", XM_HTTP_GET, 0, NULL, "", ""},
        {"/api/v1/domains/%37", XM_HTTP_GET, XM_HTTP_GET, "/api/v1/domains/{domid}", "7", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool found;
        unsigned allowed = 0;
        struct xm_http_request *r = look(rows[i].url, rows[i].method, &found, &allowed);
        assert_int_equal(found, rows[i].path != NULL);
        assert_int_equal(allowed, rows[i].allowed);
        if (found)
            assert_string_equal(r->route ? r->route->path : "", rows[i].path);
        assert_string_equal(xm_http_segment(r, 0), rows[i].one);
        assert_string_equal(xm_http_segment(r, 1), rows[i].two);
        assert_string_equal(xm_http_segment(r, 99), "");
        free(r);
    }
}

static void escapes_are_strict(void **state)
{
    struct xm_http_request *r = calloc(1, sizeof *r);
    assert_string_equal(xm_http_decode(r, "a%20b%C3%A9%2f"), "a b\xc3\xa9/");
    const char *const bad[] = {"%",   "%4",     "%zz",       "%00",    "a%0",          "%ff",
                               "%c3", "%c3%28", "%ed%a0%80", "%c0%80", "%f4%90%80%80", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(xm_http_decode(r, bad[i]));
    char *big = calloc(1, 10000);
    memset(big, 'a', 9999);
    assert_null(xm_http_decode(r, big));
    free(big);
    for (int i = 0; i < 10000; i++) /* full is full, and no byte further */
        if (!xm_http_decode(r, "abc"))
            break;
    assert_true(r->texts_used <= sizeof r->texts);
    assert_null(xm_http_decode(r, "abcdef"));
    free(r);
}

static void accept_is_weighed(void **state)
{
#define PROMETHEUS                                                                                           \
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"     \
    "plain;version=0.0.4;q=0.5,*/*;q=0.1"
    static const struct {
        const char *accept, *type;
        unsigned quality;
    } rows[] = {
        {PROMETHEUS, "application/openmetrics-text", 1000},
        {PROMETHEUS, "text/plain", 500},
        {PROMETHEUS, "image/png", 100},
        {"text/*", "text/plain", 1000},
        {"text/*;q=0.2, text/plain;q=0.9", "text/plain", 900},
        {"text/html", "text/plain", 0},
        {"*/*;q=0", "text/plain", 0},
        {"TEXT/PLAIN", "text/plain", 1000},
        {"text/plain ; q=0.3", "text/plain", 300},
        {"", "text/plain", 0},
        {",,, ,", "text/plain", 0},
        {"text/plain;q=abc", "text/plain", 0},
        {"text/plain;q=7", "text/plain", 1000},
        {"text", "text/plain", 0},
        {"text/plainer", "text/plain", 0},
        {"application/json, */*;q=0.5", "text/plain", 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(xm_http_quality(rows[i].accept, rows[i].type), rows[i].quality);
}

static void names_of_others_are_not_plain(void **state)
{
    const char *const good[] = {"localhost",  "localhost:8436", "127.0.0.1", "127.0.0.1:8436",
                                "[::1]:8436", "[::1]",          "LOCALHOST", "192.0.2.1:1"};
    const char *const bad[] = {"",
                               ":8436",
                               "evil.example",
                               "localhost.evil.example",
                               "evil.example:8436",
                               "127.0.0.1.evil.example",
                               "[evil]",
                               "[::1",
                               "[",
                               "[]",
                               "1.2.3",
                               "localhost@evil.example",
                               "[::1].evil.example",
                               "[::1]:8436.evil.example",
                               "localhost:80.evil.example",
                               "127.0.0.1:evil"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(xm_http_host_is_plain(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(xm_http_host_is_plain(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(escapes_are_strict),
        cmocka_unit_test(accept_is_weighed),
        cmocka_unit_test(names_of_others_are_not_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
