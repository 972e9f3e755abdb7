/* SPDX-License-Identifier: MIT */
/* What a request line and its headers say.  Pure but for the request's own texts. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "export/http_int.h"

/* ---- Decoding. */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_utf8(const char *text)
{
    while (*text) {
        uint32_t code;
        unsigned bytes = xm_text_decode(text, 4, &code);
        if (bytes == 0)
            return false;
        text += bytes;
    }
    return true;
}

const char *xm_http_decode(struct xm_http_request *request, const char *text)
{
    char *out = request->texts + request->texts_used;
    size_t room = sizeof request->texts - request->texts_used;
    size_t used = 0;
    for (; *text; text++) {
        char c = *text;
        if (c == '%') {
            int high = hex_digit(text[1]);
            int low = high >= 0 ? hex_digit(text[2]) : -1;
            if (low < 0 || (high | low) == 0)
                return NULL;
            c = (char)(high << 4 | low);
            text += 2;
        }
        if (used + 1 >= room)
            return NULL;
        out[used++] = c;
    }
    if (room == 0)
        return NULL;
    out[used] = '\0';
    if (!is_utf8(out))
        return NULL;
    request->texts_used += used + 1;
    return out;
}

/* ---- Routes. */

/* Whether `path` fits; variables are copied into the request's texts. */
static bool fits(struct xm_http_request *request, const char *pattern, const char *path)
{
    unsigned variables = 0;
    size_t before = request->texts_used;
    while (*pattern || *path) {
        if (*pattern != '{') {
            if (*pattern != *path)
                break;
            pattern++;
            path++;
            continue;
        }
        size_t bytes = strcspn(path, "/");
        if (bytes == 0 || variables == XM_HTTP_SEGMENTS ||
            bytes >= sizeof request->texts - request->texts_used)
            break;
        char *copy = request->texts + request->texts_used;
        memcpy(copy, path, bytes);
        copy[bytes] = '\0';
        request->texts_used += bytes + 1;
        request->segment[variables++] = copy;
        path += bytes;
        pattern = strchr(pattern, '}') + 1;
    }
    if (!*pattern && !*path)
        return true;
    request->texts_used = before;
    memset(request->segment, 0, sizeof request->segment);
    return false;
}

bool xm_http_find_route(struct xm_http_request *request, const struct xm_http_table *tables, unsigned count,
                        unsigned method, unsigned *allowed)
{
    *allowed = 0;
    for (unsigned t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct xm_http_route *route = &tables[t].route[i];
            if (!fits(request, route->path, request->path))
                continue;
            *allowed |= route->methods;
            if (route->methods & method) {
                request->route = route;
                request->route_user = tables[t].user;
                return true;
            }
        }
    return *allowed != 0;
}

/* ---- Headers. */

/* q of one element in thousandths: what stands behind its first ';'. */
static unsigned element_quality(const char *parameters, const char *end)
{
    for (const char *p = parameters; p < end; p++) {
        if (*p != ';')
            continue;
        p += 1 + strspn(p + 1, " \t");
        if (p + 2 < end && (*p == 'q' || *p == 'Q') && p[1] == '=') {
            double q = strtod(p + 2, NULL);
            return q > 0 && q <= 1 ? (unsigned)(q * 1000 + 0.5) : q > 1 ? 1000 : 0;
        }
        p--;
    }
    return 1000;
}

unsigned xm_http_quality(const char *accept, const char *type)
{
    size_t type_bytes = strlen(type);
    size_t main_bytes = strcspn(type, "/") + 1;
    unsigned rank = 0; /* of the most specific element that fits: 1 any, 2 type/any, 3 this very type */
    unsigned quality = 0;
    while (*accept) {
        accept += strspn(accept, " \t,");
        const char *end = accept + strcspn(accept, ",");
        size_t bytes = strcspn(accept, ",; \t");
        unsigned fit = 0;
        if (bytes == type_bytes && strncasecmp(accept, type, bytes) == 0)
            fit = 3;
        else if (bytes == main_bytes + 1 && accept[main_bytes] == '*' &&
                 strncasecmp(accept, type, main_bytes) == 0)
            fit = 2;
        else if (bytes == 3 && strncmp(accept, "*/*", 3) == 0)
            fit = 1;
        unsigned q = element_quality(accept + bytes, end);
        if (fit > rank || (fit && fit == rank && q > quality)) {
            rank = fit;
            quality = q;
        }
        accept = end;
    }
    return quality;
}

int xm_http_negotiate(const struct xm_http_request *request, const char *const *types)
{
    const char *accept = xm_http_header(request, "Accept");
    int best = -1;
    unsigned most = 0;
    if (!accept || !*accept)
        return 0;
    for (int i = 0; types[i]; i++) {
        unsigned q = xm_http_quality(accept, types[i]);
        if (q > most) {
            most = q;
            best = i;
        }
    }
    return best;
}

/* What may follow a name: nothing, or a port. */
static bool is_port(const char *text)
{
    return !*text || (*text == ':' && strspn(text + 1, "0123456789") == strlen(text + 1));
}

bool xm_http_host_is_plain(const char *host)
{
    char name[256];
    struct in6_addr address;
    size_t bytes = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
    const char *from = host;
    if (!is_port(host + bytes + (*host == '[' && host[bytes])))
        return false;
    if (*host == '[') {
        if (host[bytes] != ']')
            return false;
        from++;
        bytes--;
    }
    if (bytes == 0 || bytes >= sizeof name)
        return false;
    memcpy(name, from, bytes);
    name[bytes] = '\0';
    if (from != host)
        return inet_pton(AF_INET6, name, &address) == 1;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &address) == 1;
}

/* ---- What handlers ask. */

const struct xm_host_snapshot *xm_http_snapshot(const struct xm_http_request *request)
{
    return request->snapshot;
}

const char *xm_http_path(const struct xm_http_request *request)
{
    return request->path;
}

const char *xm_http_segment(const struct xm_http_request *request, unsigned n)
{
    return n < XM_HTTP_SEGMENTS && request->segment[n] ? request->segment[n] : "";
}

const char *xm_http_query(const struct xm_http_request *request, const char *key)
{
    for (unsigned i = 0; i < request->queries; i++)
        if (strcmp(request->query[i].key, key) == 0)
            return request->query[i].value;
    return NULL;
}

const char *xm_http_header(const struct xm_http_request *request, const char *name)
{
    const char *value = MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
    return value && is_utf8(value) ? value : NULL;
}

const void *xm_http_body(const struct xm_http_request *request, size_t *bytes)
{
    *bytes = request->body ? request->body->used : 0;
    return request->body && request->body->used ? request->body->data : "";
}
