/* SPDX-License-Identifier: MIT */
/*
 * What a request says: path, Accept, Host, and then keys and values of its query by turns, with a NUL between
 * each.  Whatever is let through is what it is said to be, and so is the line about it in the access log.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "export/http_int.h"
#include "export/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOO_LONG UINT64_C(0xffffffffffff)

static void demand(bool good)
{
    if (!good)
        abort();
}

static void nothing(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
}

static const struct xm_http_route routes[] = {
    {XM_HTTP_GET, "/", NULL, NULL, nothing},
    {XM_HTTP_GET, "/metrics", NULL, NULL, nothing},
    {XM_HTTP_GET, "/api/v1/domains", NULL, NULL, nothing},
    {XM_HTTP_GET, "/api/v1/domains/{domid}", NULL, NULL, nothing},
    {XM_HTTP_GET, "/api/v1/domains/{domid}/vcpus", NULL, NULL, nothing},
    {XM_HTTP_POST, "/RPC2", NULL, "text/xml", nothing},
    {XM_HTTP_GET, "/{a}/{b}/{c}/{d}", NULL, NULL, nothing},
};

/* By somebody else's rules. */
static bool is_utf8(const char *text)
{
    json_t *checked = json_string(text);
    bool good = checked != NULL;
    json_decref(checked);
    return good;
}

static void look_for_route(struct xm_http_request *r)
{
    static const struct xm_http_table table = {routes, sizeof routes / sizeof routes[0], NULL};
    for (unsigned method = 0; method <= XM_HTTP_POST; method++) {
        unsigned allowed = 0;
        r->route = NULL;
        memset(r->segment, 0, sizeof r->segment);
        size_t before = r->texts_used;
        bool found = xm_http_find_route(r, &table, 1, method, &allowed);
        demand(found == (allowed != 0) && (!r->route || (r->route->methods & method)));
        for (unsigned i = 0; i < XM_HTTP_SEGMENTS && r->route; i++) {
            const char *segment = xm_http_segment(r, i);
            demand(!strchr(segment, '/') && strlen(segment) <= strlen(r->path));
        }
        demand(r->texts_used <= sizeof r->texts);
        r->texts_used = before;
    }
}

static const char *decode(struct xm_http_request *r, const char *text)
{
    const char *decoded = xm_http_decode(r, text);
    demand(r->texts_used <= sizeof r->texts);
    if (decoded)
        demand(is_utf8(decoded) && strlen(decoded) <= strlen(text));
    else
        demand(strchr(text, '%') || !is_utf8(text) || strlen(text) + 1 >= sizeof r->texts - r->texts_used);
    return decoded;
}

/* Nothing that is not an address or localhost, whatever stands before or behind it. */
static void look_at_host(const char *host)
{
    if (!xm_http_host_is_plain(host))
        return;
    const char *rest = host;
    if (*host == '[')
        rest += 1 + strspn(host + 1, "0123456789abcdefABCDEF:.") + 1;
    else if (strncasecmp(host, "localhost", 9) == 0)
        rest += 9;
    else
        rest += strspn(host, "0123456789.");
    demand(!*rest || (*rest == ':' && strspn(rest + 1, "0123456789") == strlen(rest + 1)));
}

static void look_at_value(const char *text)
{
    uint64_t n = TOO_LONG;
    char name[32];
    const char *rest = text;
    demand(!xm_query_count(text, 1000, &n) || n <= 1000);
    (void)xm_query_duration(text, &n);
    (void)xm_query_time(text, UINT64_C(1700000000000000000), &n);
    size_t left = strlen(text) + 2;
    while (xm_query_next(&rest, name, sizeof name)) {
        demand(strlen(name) < sizeof name && !strchr(name, ',') && left > 0);
        left--;
    }
}

static void look_at_log(const char *path, const char *user)
{
    char line[2048];
    const struct xm_access access = {
        .user = user, .method = path, .target = path, .version = user, .status = 200, .bytes = 1};
    size_t bytes = xm_access_format(&access, line, sizeof line);
    demand(bytes < sizeof line && strlen(line) == bytes && strchr(line, '\n') == line + bytes - 1);
    unsigned quotes = 0;
    for (size_t i = 0; i + 1 < bytes; i++) {
        demand(line[i] >= ' ' && line[i] <= '~');
        quotes += line[i] == '"';
    }
    demand(quotes == 2);
}

/* The next text of the input; "" behind the last. */
static const char *next(const char **at, const char *end)
{
    const char *text = *at;
    if (text >= end)
        return "";
    *at += strlen(text) + 1;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct xm_http_request request;
    char *texts = malloc(size + 1);
    demand(texts != NULL);
    if (size)
        memcpy(texts, data, size);
    texts[size] = '\0';
    const char *at = texts;
    const char *end = texts + size;
    memset(&request, 0, sizeof request);
    const char *path = next(&at, end);
    const char *accept = next(&at, end);
    const char *host = next(&at, end);
    request.path = decode(&request, path);
    if (request.path)
        look_for_route(&request);
    demand(xm_http_quality(accept, "text/plain") <= 1000);
    demand(xm_http_quality(accept, "application/openmetrics-text") <= 1000);
    look_at_host(host);
    look_at_log(path, host);
    while (at < end) {
        const char *value = decode(&request, next(&at, end));
        if (value)
            look_at_value(value);
    }
    free(texts);
    return 0;
}
