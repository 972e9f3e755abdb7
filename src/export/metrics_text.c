/* SPDX-License-Identifier: MIT */
/* The text formats: numbers, labels, heads of families. */
#include "export/http_int.h"
#include "export/metrics_int.h"

#define BLOCK 65536u

bool xm_metrics_room(struct xm_metrics_out *out, size_t bytes)
{
    struct xm_http_response *r = out->response;
    if (out->full)
        return false;
    if (out->at) /* what was written so far */
        r->body->used = (size_t)(out->at - r->body->data);
    out->at = out->end = NULL;
    if (!r->body)
        r->body = xm_http_buffer_get(r->http);
    if (bytes == 0)
        return true;
    size_t most = r->http->config.limits.answer_bytes;
    if (!r->body || (!xm_http_buffer_reserve(r->body, bytes < BLOCK ? BLOCK : bytes, most) &&
                     !xm_http_buffer_reserve(r->body, bytes, most))) {
        out->full = true;
        r->overflow = true;
        return false;
    }
    out->at = r->body->data + r->body->used;
    out->end = r->body->data + r->body->size;
    return true;
}

void xm_put_u64(struct xm_metrics_out *out, uint64_t value)
{
    char text[20];
    unsigned at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    xm_put(out, text + at, sizeof text - at);
}

void xm_put_ratio(struct xm_metrics_out *out, uint64_t value, unsigned divisor)
{
    char text[10];
    unsigned bytes = 0;
    xm_put_u64(out, value / divisor);
    uint64_t rest = value % divisor;
    if (rest == 0)
        return;
    text[bytes++] = '.';
    while (rest && bytes < sizeof text) {
        rest *= 10;
        text[bytes++] = (char)('0' + rest / divisor);
        rest %= divisor;
    }
    xm_put(out, text, bytes);
}

void xm_put_ns(struct xm_metrics_out *out, uint64_t ns)
{
    char text[10] = ".000000000";
    unsigned rest = (unsigned)(ns % XM_NS_PER_S);
    unsigned last = 0;
    xm_put_u64(out, ns / XM_NS_PER_S);
    for (unsigned i = 9; i > 0 && rest; i--, rest /= 10) {
        text[i] = (char)('0' + rest % 10);
        if (!last && rest % 10)
            last = i;
    }
    if (last)
        xm_put(out, text, last + 1);
}

size_t xm_metrics_escape(const char *text, char *to, size_t size)
{
    size_t used = 0;
    for (; *text && used + 2 < size; text++) {
        if (*text == '\\' || *text == '"')
            to[used++] = '\\';
        to[used++] = *text == '\n' ? ' ' : *text; /* names are sanitised: there is none */
    }
    to[used] = '\0';
    return used;
}

void xm_family(struct xm_metrics_out *out, const char *name, const char *type, const char *unit,
               const char *help)
{
    out->name = name;
    out->type = type;
    out->unit = unit;
    out->help = help;
    out->begun = false;
}

/* In 0.0.4 a family is called as its series are; OpenMetrics leaves the suffix away, and knows more types. */
static void head(struct xm_metrics_out *out)
{
    bool counter = strcmp(out->type, "counter") == 0;
    bool info = strcmp(out->type, "info") == 0;
    const char *suffix = out->open ? "" : counter ? "_total" : info ? "_info" : "";
    out->begun = true;
    xm_puts(out, "# HELP ");
    xm_puts(out, out->name);
    xm_puts(out, suffix);
    xm_puts(out, " ");
    xm_puts(out, out->help);
    xm_puts(out, "\n# TYPE ");
    xm_puts(out, out->name);
    xm_puts(out, suffix);
    xm_puts(out, " ");
    xm_puts(out, info && !out->open ? "gauge" : out->type);
    if (out->open && *out->unit) {
        xm_puts(out, "\n# UNIT ");
        xm_puts(out, out->name);
        xm_puts(out, " ");
        xm_puts(out, out->unit);
    }
    xm_puts(out, "\n");
}

void xm_series(struct xm_metrics_out *out, const char *suffix, const char *labels, size_t label_bytes,
               const char *more)
{
    if (!out->begun)
        head(out);
    xm_puts(out, out->name);
    xm_puts(out, suffix);
    if (label_bytes || *more) {
        xm_put(out, "{", 1);
        xm_put(out, labels, label_bytes);
        if (label_bytes && *more)
            xm_put(out, ",", 1);
        xm_puts(out, more);
        xm_put(out, "}", 1);
    }
    xm_put(out, " ", 1);
}

void xm_series_u64(struct xm_metrics_out *out, const char *suffix, const char *labels, uint64_t value)
{
    xm_series(out, suffix, labels, strlen(labels), "");
    xm_put_u64(out, value);
    xm_end(out);
}
