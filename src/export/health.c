/* SPDX-License-Identifier: MIT */
#include "export/health.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_SECOND_NS (XM_NS_PER_S - XM_NS_PER_S / 10)

static unsigned status_of(const struct xm_host_snapshot *snapshot, bool ready)
{
    bool good =
        snapshot->data && (snapshot->state == XM_HOST_RUNNING || snapshot->state == XM_HOST_RESTARTED);
    if (good && ready)
        good = snapshot->window_ns[XM_HOST_1S] >= WHOLE_SECOND_NS;
    return good ? 200 : 503;
}

static json_t *seconds(bool known, uint64_t ns)
{
    return known ? json_real((double)ns / 1e9) : json_null();
}

static int write_part(const char *buffer, size_t bytes, void *user)
{
    return xm_http_write(user, buffer, bytes) ? 0 : -1;
}

static void answer(const struct xm_host_snapshot *s, bool ready, struct xm_http_response *response)
{
    bool live = s->data && s->info.source == XM_SOURCE_LIVE;
    json_t *o = json_object();
    json_object_set_new(o, "schema", json_string("xenmon/1"));
    json_object_set_new(o, "status", json_string(xm_host_state_name(s->state)));
    json_object_set_new(o, "reason", s->reason[0] ? json_string(s->reason) : json_null());
    json_object_set_new(o, "age_s", seconds(live, s->age_ns));
    json_object_set_new(o, "window_s", seconds(s->data, s->window_ns[XM_HOST_1S]));
    json_object_set_new(o, "since_restart_s",
                        seconds(s->since_restart_ns != UINT64_MAX, s->since_restart_ns));
    json_object_set_new(o, "restarts", json_integer((json_int_t)s->reading.restarts));
    xm_http_set_status(response, status_of(s, ready));
    xm_http_set_type(response, "application/json");
    /* A path in the reason that is no UTF-8 makes it null. */
    if (!o || json_dump_callback(o, write_part, response, JSON_COMPACT | JSON_REAL_PRECISION(12)) != 0)
        xm_http_fail(response, 500, "no_memory", "out of memory");
    else
        xm_http_write(response, "\n", 1);
    json_decref(o);
}

static void handle_health(void *user, const struct xm_http_request *request,
                          struct xm_http_response *response)
{
    answer(xm_http_snapshot(request), false, response);
}

static void handle_ready(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    answer(xm_http_snapshot(request), true, response);
}

const struct xm_http_route xm_health_routes[XM_HEALTH_ROUTES] = {
    {XM_HTTP_GET, "/healthz", NULL, NULL, handle_health},
    {XM_HTTP_GET, "/readyz", NULL, NULL, handle_ready},
};
