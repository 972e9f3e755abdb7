/* SPDX-License-Identifier: MIT */
/* Answers, before libmicrohttpd gets them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "export/http_int.h"

#define FIRST_BYTES 16384u

/* ---- Buffers. */

struct xm_http_buffer *xm_http_buffer_get(struct xm_http *http)
{
    pthread_mutex_lock(&http->lock);
    struct xm_http_buffer *buffer = http->shelf;
    if (buffer) {
        http->shelf = buffer->next;
        http->shelved--;
        http->shelved_bytes -= buffer->size;
    }
    pthread_mutex_unlock(&http->lock);
    if (!buffer)
        buffer = calloc(1, sizeof *buffer);
    if (buffer) {
        buffer->http = http;
        buffer->next = NULL;
        buffer->used = 0;
    }
    return buffer;
}

void xm_http_buffer_put(struct xm_http_buffer *buffer)
{
    if (!buffer)
        return;
    struct xm_http *http = buffer->http;
    pthread_mutex_lock(&http->lock);
    bool keep = http->shelved < XM_HTTP_BUFFERS_KEPT &&
                buffer->size <= XM_HTTP_BYTES_KEPT - http->shelved_bytes;
    if (keep) {
        buffer->next = http->shelf;
        http->shelf = buffer;
        http->shelved++;
        http->shelved_bytes += buffer->size;
    }
    pthread_mutex_unlock(&http->lock);
    if (!keep) {
        free(buffer->data);
        free(buffer);
    }
}

bool xm_http_buffer_reserve(struct xm_http_buffer *buffer, size_t bytes, size_t most)
{
    if (bytes > most || buffer->used > most - bytes)
        return false;
    size_t needed = buffer->used + bytes;
    if (needed <= buffer->size)
        return true;
    size_t size = buffer->size ? buffer->size : FIRST_BYTES;
    while (size < needed)
        size *= 2;
    char *data = realloc(buffer->data, size);
    if (!data)
        return false;
    buffer->data = data;
    buffer->size = size;
    return true;
}

/* ---- The answer. */

void xm_http_set_status(struct xm_http_response *response, unsigned status)
{
    response->status = status;
}

void xm_http_set_type(struct xm_http_response *response, const char *type)
{
    snprintf(response->type, sizeof response->type, "%s", type);
}

static const char *keep_text(struct xm_http_response *response, const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (bytes > sizeof response->texts - response->texts_used || bytes > 2001)
        return NULL;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return NULL;
    char *copy = response->texts + response->texts_used;
    memcpy(copy, text, bytes);
    response->texts_used += bytes;
    return copy;
}

void xm_http_add_header(struct xm_http_response *response, const char *name, const char *value)
{
    if (response->headers == XM_HTTP_HEADERS)
        return;
    const char *kept_name = keep_text(response, name);
    const char *kept_value = kept_name ? keep_text(response, value) : NULL;
    if (!kept_value)
        return;
    response->header[response->headers].name = kept_name;
    response->header[response->headers].value = kept_value;
    response->headers++;
}

bool xm_http_has_header(const struct xm_http_response *response, const char *name)
{
    for (unsigned i = 0; i < response->headers; i++)
        if (strcasecmp(response->header[i].name, name) == 0)
            return true;
    return false;
}

static bool reserve(struct xm_http_response *response, size_t bytes)
{
    if (response->overflow)
        return false;
    if (!response->body)
        response->body = xm_http_buffer_get(response->http);
    if (response->body &&
        xm_http_buffer_reserve(response->body, bytes, response->http->config.limits.answer_bytes))
        return true;
    response->overflow = true;
    return false;
}

bool xm_http_write(struct xm_http_response *response, const void *data, size_t bytes)
{
    if (!reserve(response, bytes))
        return false;
    if (bytes)
        memcpy(response->body->data + response->body->used, data, bytes);
    response->body->used += bytes;
    return true;
}

XM_PRINTF(2, 0)
static bool write_formatted(struct xm_http_response *response, const char *format, va_list arguments)
{
    va_list again;
    if (!reserve(response, 256))
        return false;
    struct xm_http_buffer *body = response->body;
    va_copy(again, arguments);
    int bytes = vsnprintf(body->data + body->used, body->size - body->used, format, arguments);
    bool good = bytes >= 0;
    if (good && (size_t)bytes >= body->size - body->used) {
        good = reserve(response, (size_t)bytes + 1);
        if (good)
            vsnprintf(body->data + body->used, body->size - body->used, format, again);
    }
    va_end(again);
    if (good)
        body->used += (size_t)bytes;
    return good;
}

bool xm_http_printf(struct xm_http_response *response, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool good = write_formatted(response, format, arguments);
    va_end(arguments);
    return good;
}

void xm_http_set_static(struct xm_http_response *response, const void *data, size_t bytes)
{
    response->fixed = data;
    response->fixed_bytes = bytes;
}

/* JSON's escapes of what is UTF-8 already. */
static void write_escaped(struct xm_http_response *response, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == '"' || c == '\\' || c == '<')
            xm_http_printf(response, "\\u%04x", c);
        else
            xm_http_write(response, text, 1);
    }
}

void xm_http_fail(struct xm_http_response *response, unsigned status, const char *code, const char *format,
                  ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (bytes >= (int)sizeof message) /* no half of a character */
        for (size_t i = sizeof message - 1; i > 0 && (message[i - 1] & 0x80); i--)
            message[i - 1] = '\0';
    if (response->body)
        response->body->used = 0;
    response->overflow = false;
    response->fixed = NULL;
    response->status = status;
    if (status == 503 && !xm_http_has_header(response, "Retry-After"))
        xm_http_add_header(response, "Retry-After", "1");
    xm_http_set_type(response, "application/json");
    xm_http_printf(response, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    write_escaped(response, message);
    xm_http_printf(response, "\"}}\n");
}

void xm_http_set_tag(struct xm_http_response *response, const char *tag)
{
    snprintf(response->tag, sizeof response->tag, "%s", tag);
}

void xm_http_settle_tag(const struct xm_http_request *request, struct xm_http_response *response)
{
    char quoted[sizeof response->tag + 2];
    if (response->status != 200 || !response->tag[0])
        return;
    snprintf(quoted, sizeof quoted, "\"%s\"", response->tag);
    xm_http_add_header(response, "ETag", quoted);
    const char *known = xm_http_header(request, "If-None-Match");
    if (!known || !xm_http_has_tag(request, response, known, quoted))
        return;
    response->status = 304;
    response->fixed = NULL;
    if (response->body)
        response->body->used = 0;
}

bool xm_http_take_turn(struct xm_http_response *response)
{
    struct xm_http *http = response->http;
    uint8_t key[XM_LIMITS_KEY];
    xm_limits_key(response->address, key);
    pthread_mutex_lock(&http->lock);
    if (!response->turn && !response->put_off && !http->draining)
        response->put_off = xm_places_take(&http->turns, XM_HTTP_TURNS, key, xm_clock_ns());
    bool mine = response->turn && !http->draining;
    pthread_mutex_unlock(&http->lock);
    return mine;
}

bool xm_http_is_put_off(const struct xm_http_response *response)
{
    return response->put_off;
}

/* A quarter of all, two at least: one client must not keep the live page from all others. */
static unsigned streams_of_one(const struct xm_http *http)
{
    unsigned quarter = http->config.limits.streams / 4;
    return quarter > 2 ? quarter : 2;
}

bool xm_http_set_stream(const struct xm_http_request *request, struct xm_http_response *response,
                        const struct xm_http_stream *stream)
{
    struct xm_http *http = request->http;
    const struct sockaddr *address = (const struct sockaddr *)&request->connection->address;
    unsigned most = streams_of_one(http);
    bool own = xm_limits_open_stream(http->limits, address, most);
    pthread_mutex_lock(&http->lock);
    bool room = own && http->streams < http->config.limits.streams && !http->stop;
    if (room)
        http->streams++;
    pthread_mutex_unlock(&http->lock);
    if (!room) {
        if (own)
            xm_limits_close_stream(http->limits, address);
        xm_http_add_header(response, "Retry-After", "10");
        xm_http_fail(response, 503, "too_many_streams",
                     "at most %u live streams are open at once, and %u of one address",
                     http->config.limits.streams, most);
        return false;
    }
    response->streaming = true;
    response->stream = *stream;
    return true;
}
