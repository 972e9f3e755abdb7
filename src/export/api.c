/* SPDX-License-Identifier: MIT */
#include "export/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "export/answers.h"
#include "export/page.h"
#include "export/past.h"
#include "export/query.h"
#include "export/rpc.h"
#include "export/stream.h"

#define JSON_TYPE "application/json"
/* Into one request so long no dear answer is begun; the last one may take some ten seconds more. */
#define DEAR_NS (20 * XM_NS_PER_S)
/* Nothing but what this server itself serves, and no other page may frame it. */
#define PAGE_POLICY                                                                                          \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "    \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct xm_api {
    struct xm_api_config config;
    struct xm_stream *stream;
    struct xm_rpc *rpc;
};

/* ---- JSON. */

static int write_json(const char *text, size_t bytes, void *response)
{
    return xm_http_write(response, text, bytes) ? 0 : -1;
}

/* Takes the document's reference. */
static void send_json(struct xm_http_response *response, json_t *document, const struct xm_refusal *refusal)
{
    if (!document) {
        xm_http_fail(response, refusal->status, refusal->code, "%s", refusal->text);
        return;
    }
    xm_http_set_type(response, JSON_TYPE);
    /* An answer that is too large is the server's to refuse. */
    (void)json_dump_callback(document, write_json, response, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(document);
}

static bool take_turn(void *response)
{
    return xm_http_take_turn(response);
}

static bool is_put_off(void *response)
{
    return xm_http_is_put_off(response);
}

static struct xm_ask ask_of(const struct xm_api *api, const struct xm_http_request *request,
                            struct xm_http_response *response)
{
    return (struct xm_ask){.snapshot = xm_http_snapshot(request),
                           .path = xm_host_path(api->config.host),
                           .hostname = api->config.hostname,
                           .version = api->config.version,
                           .history = api->config.history,
                           .turn = take_turn,
                           .put_off = is_put_off,
                           .turn_user = response,
                           .until_ns = xm_clock_ns() + DEAR_NS};
}

/* The answers to one question are the same for as long as the snapshot is. */
static void set_tag(const struct xm_http_request *request, struct xm_http_response *response)
{
    const struct xm_host_snapshot *s = xm_http_snapshot(request);
    char tag[48];
    xm_http_add_header(response, "Cache-Control", "no-cache");
    snprintf(tag, sizeof tag, "%" PRIx64 "-%" PRIx64, s->made_real_ns, s->number);
    xm_http_set_tag(response, tag);
}

static void get_version(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_ask ask = ask_of(user, request, response);
    struct xm_refusal refusal;
    set_tag(request, response);
    send_json(response, xm_answer_version(&ask, &refusal), &refusal);
}

static void get_metrics(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_ask ask = ask_of(user, request, response);
    struct xm_refusal refusal;
    set_tag(request, response);
    send_json(response, xm_answer_metrics(&ask, &refusal), &refusal);
}

typedef json_t *answer_fn(const struct xm_ask *ask, const char *windows, struct xm_refusal *refusal);

static void get_list(struct xm_api *api, const struct xm_http_request *request,
                     struct xm_http_response *response, answer_fn *answer)
{
    struct xm_ask ask = ask_of(api, request, response);
    struct xm_refusal refusal;
    set_tag(request, response);
    send_json(response, answer(&ask, xm_http_query(request, "window"), &refusal), &refusal);
}

static void get_host(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    get_list(user, request, response, xm_answer_host);
}

static void get_domains(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    get_list(user, request, response, xm_answer_domains);
}

static void get_cpus(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    get_list(user, request, response, xm_answer_cpus);
}

static void get_windows(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    get_list(user, request, response, xm_answer_windows);
}

static void get_domain(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_ask ask = ask_of(user, request, response);
    struct xm_refusal refusal;
    const char *windows = xm_http_query(request, "window");
    set_tag(request, response);
    send_json(response, xm_answer_domain(&ask, xm_http_segment(request, 0), windows, &refusal), &refusal);
}

static void get_vcpus(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_ask ask = ask_of(user, request, response);
    struct xm_refusal refusal;
    const char *windows = xm_http_query(request, "window");
    set_tag(request, response);
    send_json(response, xm_answer_vcpus(&ask, xm_http_segment(request, 0), windows, &refusal), &refusal);
}

static void get_history(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_ask ask = ask_of(user, request, response);
    struct xm_refusal refusal;
    struct xm_history_words words = {.domain = xm_http_query(request, "domain"),
                                     .metric = xm_http_query(request, "metric"),
                                     .from = xm_http_query(request, "from"),
                                     .to = xm_http_query(request, "to"),
                                     .step = xm_http_query(request, "step"),
                                     .top = xm_http_query(request, "top")};
    set_tag(request, response);
    send_json(response, xm_answer_history(&ask, &words, &refusal), &refusal);
}

static void get_ranges(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_ask ask = ask_of(user, request, response);
    struct xm_refusal refusal;
    set_tag(request, response);
    send_json(response, xm_answer_ranges(&ask, &refusal), &refusal);
}

/* ---- The stream. */

static long stream_next(void *state, char *buffer, size_t bytes)
{
    return xm_stream_next(state, buffer, bytes);
}

static void stream_end(void *state)
{
    xm_stream_leave(state);
}

static void get_stream(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_api *api = user;
    const char *window = xm_http_query(request, "window");
    const char *interval = xm_http_query(request, "interval");
    uint64_t interval_ns = 0;
    int kind = xm_stream_kind(window ? window : "1s");
    if (kind < 0) {
        xm_http_fail(response, 400, "bad_window", "a stream has the windows exec, 1s and 10s");
        return;
    }
    if (interval && (!xm_query_duration(interval, &interval_ns) || interval_ns < XM_STREAM_INTERVAL_MIN_NS ||
                     interval_ns > XM_STREAM_INTERVAL_MAX_NS)) {
        xm_http_fail(response, 400, "bad_interval", "an interval is a duration of 100ms to 60s");
        return;
    }
    struct xm_stream_client *client =
        xm_stream_join(api->stream, kind, interval_ns, xm_http_header(request, "Last-Event-ID"));
    if (!client) {
        xm_http_fail(response, 500, "out_of_memory", "out of memory");
        return;
    }
    struct xm_http_stream stream = {.next = stream_next, .end = stream_end, .state = client};
    xm_http_set_type(response, "text/event-stream");
    xm_http_add_header(response, "Cache-Control", "no-store");
    xm_http_add_header(response, "X-Accel-Buffering", "no");
    if (!xm_http_set_stream(request, response, &stream))
        xm_stream_leave(client);
}

/* ---- XML-RPC. */

static bool write_rpc(void *response, const void *data, size_t bytes)
{
    return xm_http_write(response, data, bytes);
}

static void post_rpc(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_api *api = user;
    struct xm_ask ask = ask_of(api, request, response);
    size_t bytes;
    const char *xml = xm_http_body(request, &bytes);
    xm_http_set_type(response, "text/xml; charset=utf-8");
    xm_http_add_header(response, "Cache-Control", "no-store");
    if (xm_rpc_call(api->rpc, &ask, xml, bytes, write_rpc, response) != XM_OK)
        xm_http_fail(response, 500, "out_of_memory", "out of memory");
}

/* ---- Files that are built in. */

static void get_file(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    const struct xm_page_file *file = xm_page_find(xm_http_path(request));
    (void)user;
    if (!file) {
        xm_http_fail(response, 404, "not_found", "there is no such page");
        return;
    }
    xm_http_add_header(response, "Cache-Control", "no-cache");
    xm_http_add_header(response, "Content-Security-Policy", PAGE_POLICY);
    xm_http_add_header(response, "X-Content-Type-Options", "nosniff");
    xm_http_add_header(response, "Referrer-Policy", "no-referrer");
    xm_http_set_tag(response, file->tag);
    xm_http_set_type(response, file->type);
    xm_http_set_static(response, file->data, file->bytes);
}

/* ---- The table. */

static const char *const window_query[] = {"window", NULL};
static const char *const history_query[] = {"domain", "metric", "from", "to", "step", "top", NULL};
static const char *const stream_query[] = {"window", "interval", NULL};

static const struct xm_http_route routes[] = {
    {XM_HTTP_GET, "/api/v1/version", NULL, NULL, get_version},
    {XM_HTTP_GET, "/api/v1/host", window_query, NULL, get_host},
    {XM_HTTP_GET, "/api/v1/domains", window_query, NULL, get_domains},
    {XM_HTTP_GET, "/api/v1/domains/{domid}", window_query, NULL, get_domain},
    {XM_HTTP_GET, "/api/v1/domains/{domid}/vcpus", window_query, NULL, get_vcpus},
    {XM_HTTP_GET, "/api/v1/cpus", window_query, NULL, get_cpus},
    {XM_HTTP_GET, "/api/v1/windows", window_query, NULL, get_windows},
    {XM_HTTP_GET, "/api/v1/metrics", NULL, NULL, get_metrics},
    {XM_HTTP_GET, "/api/v1/history", history_query, NULL, get_history},
    {XM_HTTP_GET, "/api/v1/history/ranges", NULL, NULL, get_ranges},
    {XM_HTTP_GET, "/api/v1/stream", stream_query, NULL, get_stream},
    {XM_HTTP_GET, "/api/v1/openapi.json", NULL, NULL, get_file},
    {XM_HTTP_POST, "/RPC2", NULL, "text/xml", post_rpc},
    {XM_HTTP_GET, "/", NULL, NULL, get_file},
    {XM_HTTP_GET, "/app.js", NULL, NULL, get_file},
    {XM_HTTP_GET, "/style.css", NULL, NULL, get_file},
    {XM_HTTP_GET, "/icon.svg", NULL, NULL, get_file},
};

struct xm_http_table xm_api_table(struct xm_api *api)
{
    return (struct xm_http_table){.route = routes, .count = sizeof routes / sizeof routes[0], .user = api};
}

enum xm_status xm_api_create(const struct xm_api_config *config, struct xm_api **api, struct xm_error *err)
{
    struct xm_api *a = calloc(1, sizeof *a);
    *api = NULL;
    if (!a)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    a->config = *config;
    a->stream = xm_stream_create(config->host, config->hostname, config->version, config->stream_bytes);
    enum xm_status status =
        a->stream ? xm_rpc_create(&a->rpc, err) : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status == XM_OK)
        *api = a;
    else
        xm_api_destroy(a);
    return status;
}

void xm_api_destroy(struct xm_api *api)
{
    if (!api)
        return;
    xm_stream_destroy(api->stream);
    xm_rpc_destroy(api->rpc);
    free(api);
}

enum xm_status xm_api_try_history(const struct xm_api *api, struct xm_error *err)
{
    return api->config.history ? xm_past_durable_try(api->config.history, err) : XM_OK;
}

void xm_api_made(struct xm_api *api)
{
    xm_stream_made(api->stream);
}
