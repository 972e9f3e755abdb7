/* SPDX-License-Identifier: MIT */
/* Answers packed with gzip, for who says that it can read that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libdeflate.h>

#include "export/http_int.h"

#define LEAST_BYTES 1024u /* less fits into a packet anyway, and packed it would hardly be shorter */
#define TAIL        "-gz\""

/* ---- Who wants it. */

/* "0.25" after "q=", in thousandths; what is no number is 0: not wanted. */
static unsigned read_weight(const char *text)
{
    unsigned value = 0, place = 1000;
    if (*text == '1')
        return 1000;
    if (*text != '0' || text[1] != '.')
        return 0;
    for (text += 2; *text >= '0' && *text <= '9' && place > 1; text++) {
        place /= 10;
        value += (unsigned)(*text - '0') * place;
    }
    return value;
}

static size_t skip_blanks(const char *text, size_t at)
{
    return at + strspn(text + at, " \t");
}

/* One coding of the list, of `bytes` bytes: whether it is `name`, and its weight. */
static bool is_coding(const char *text, size_t bytes, const char *name, unsigned *weight)
{
    size_t length = strlen(name);
    if (bytes < length || strncasecmp(text, name, length) != 0)
        return false;
    size_t at = skip_blanks(text, length);
    if (at < bytes && text[at] != ';')
        return false;
    *weight = 1000;
    if (at >= bytes)
        return true;
    at = skip_blanks(text, at + 1);
    if (at + 1 < bytes && (text[at] == 'q' || text[at] == 'Q') && text[at + 1] == '=')
        *weight = read_weight(text + at + 2);
    return true;
}

/* The weight of the first coding of that name; false: it is not in the list. */
static bool find_coding(const char *list, const char *name, unsigned *weight)
{
    while (*list) {
        list += strspn(list, " \t,");
        size_t bytes = strcspn(list, ",");
        if (bytes && is_coding(list, bytes, name, weight))
            return true;
        list += bytes;
    }
    return false;
}

bool xm_http_wants_gzip(const char *accepted)
{
    unsigned gzip = 0, plain = 0;
    if (!accepted)
        return false;
    if (!find_coding(accepted, "gzip", &gzip) && !find_coding(accepted, "x-gzip", &gzip))
        (void)find_coding(accepted, "*", &gzip);
    (void)find_coding(accepted, "identity", &plain); /* without it: allowed, and nobody's wish */
    return gzip > 0 && gzip >= plain;
}

/* ---- Packing. */

static bool is_text(const char *type)
{
    static const char *const types[] = {"application/json", "application/openmetrics-text", "text/",
                                        "image/svg+xml"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strncasecmp(type, types[i], strlen(types[i])) == 0)
            return true;
    return false;
}

/* NULL: it does not get smaller, or there is no memory. */
static struct xm_http_buffer *pack(struct xm_http *http, const void *data, size_t bytes)
{
    struct xm_http_buffer *to = xm_http_buffer_get(http);
    struct libdeflate_compressor *packer = libdeflate_alloc_compressor((int)http->config.gzip_level);
    /* Pages of the room that it does not need are never touched. */
    if (to && packer && xm_http_buffer_reserve(to, bytes - 1, bytes))
        to->used = libdeflate_gzip_compress(packer, data, bytes, to->data, bytes - 1);
    if (packer)
        libdeflate_free_compressor(packer);
    if (to && to->used)
        return to;
    xm_http_buffer_put(to);
    return NULL;
}

/* Another encoding is another representation: a strong tag must tell them apart. */
static void mark_tag(struct xm_http_response *response)
{
    for (unsigned i = 0; i < response->headers; i++) {
        char *copy = response->texts + response->texts_used;
        size_t bytes = strlen(response->header[i].value);
        if (strcasecmp(response->header[i].name, "ETag") != 0 || bytes < 2 ||
            bytes + sizeof TAIL > sizeof response->texts - response->texts_used)
            continue;
        memcpy(copy, response->header[i].value, bytes - 1);
        memcpy(copy + bytes - 1, TAIL, sizeof TAIL);
        response->texts_used += bytes - 1 + sizeof TAIL;
        response->header[i].value = copy;
    }
}

void xm_http_pack(const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_http *http = response->http;
    size_t bytes = response->fixed ? response->fixed_bytes : response->body ? response->body->used : 0;
    if (http->config.gzip_level == 0 || response->streaming ||
        xm_http_has_header(response, "Content-Encoding"))
        return;
    if (response->status == 304)
        xm_http_add_header(response, "Vary", "Accept-Encoding");
    if (response->status != 200 || bytes < LEAST_BYTES || !is_text(response->type))
        return;
    xm_http_add_header(response, "Vary", "Accept-Encoding");
    if (!xm_http_wants_gzip(xm_http_header(request, "Accept-Encoding")))
        return;
    struct xm_http_buffer *packed =
        pack(http, response->fixed ? response->fixed : response->body->data, bytes);
    if (!packed)
        return;
    xm_http_buffer_put(response->body);
    response->body = packed;
    response->fixed = NULL;
    xm_http_add_header(response, "Content-Encoding", "gzip");
    mark_tag(response);
}

bool xm_http_has_tag(const struct xm_http_request *request, struct xm_http_response *response,
                     const char *known, const char *quoted)
{
    char packed[300];
    if (strcmp(known, "*") == 0 || strstr(known, quoted))
        return true;
    if (response->http->config.gzip_level == 0 ||
        !xm_http_wants_gzip(xm_http_header(request, "Accept-Encoding")))
        return false;
    snprintf(packed, sizeof packed, "%.*s" TAIL, (int)strlen(quoted) - 1, quoted);
    if (!strstr(known, packed))
        return false;
    mark_tag(response);
    return true;
}
