/* SPDX-License-Identifier: MIT */
/* The text formats: numbers, labels, heads of families. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "export/http_int.h"
#include "export/metrics_int.h"

#define BLOCK 65536u
/* Past this many bytes a buffer gets huge pages, and those that are to be written to next at once. */
#define MANY_FROM (UINT64_C(1) << 20)
#define HUGE_PAGE (UINT64_C(2) << 20) /* where they are of another size they are that many small ones */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/*
 * A page that is made when it is first written to takes longer than what is written there, most of all in a
 * guest.  Where the kernel knows no such advice nothing is lost: pages come one by one then.  Those that are
 * there already cost a look.
 */
static void advise(char *from, char *to, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t past = (uintptr_t)from % page;
    size_t bytes = (size_t)(to - from) + past;
    (void)madvise(from - past, bytes - bytes % page, advice);
}

/* As xm_http_buffer_reserve(); a large one begins where a huge page can. */
static bool grow(struct xm_http_buffer *buffer, size_t bytes, size_t most)
{
    size_t used = buffer->used;
    size_t size = HUGE_PAGE;
    if (bytes <= most && used <= most - bytes && used + bytes <= buffer->size)
        return true;
    if (bytes > most || used > most - bytes || used + bytes <= MANY_FROM || used > MANY_FROM)
        return xm_http_buffer_reserve(buffer, bytes, most);
    while (size < used + bytes)
        size *= 2;
    char *data = aligned_alloc(HUGE_PAGE, size);
    if (!data)
        return false;
    advise(data, data + size, MADV_HUGEPAGE); /* before the first byte: a small page would be in the way */
    if (used)
        memcpy(data, buffer->data, used);
    free(buffer->data);
    buffer->data = data;
    buffer->size = size;
    return true;
}

bool xm_metrics_reserve(struct xm_http_buffer *buffer, size_t bytes, size_t most)
{
    if (!grow(buffer, bytes, most))
        return false;
    if (buffer->size > MANY_FROM)
        advise(buffer->data + buffer->used, buffer->data + buffer->used + bytes, MADV_POPULATE_WRITE);
    return true;
}

void xm_metrics_expect(struct xm_metrics_out *out, size_t bytes)
{
    struct xm_http_response *r = out->response;
    size_t most = r->http->config.limits.answer_bytes;
    if (out->full || !r->body)
        return;
    if (out->at)
        r->body->used = (size_t)(out->at - r->body->data);
    out->at = out->end = NULL; /* it may move */
    (void)grow(r->body, bytes, most);
}

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
    if (!r->body || (!grow(r->body, bytes < BLOCK ? BLOCK : bytes, most) && !grow(r->body, bytes, most))) {
        out->full = true;
        r->overflow = true;
        return false;
    }
    size_t room = r->body->size - r->body->used;
    if (r->body->size > MANY_FROM && room > HUGE_PAGE && bytes <= HUGE_PAGE)
        room = HUGE_PAGE;
    out->at = r->body->data + r->body->used;
    out->end = out->at + room;
    if (r->body->size > MANY_FROM)
        advise(out->at, out->end, MADV_POPULATE_WRITE);
    return true;
}

static const char pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* At most 20 bytes to `at`; returns where they end. */
static char *format_u64(char *at, uint64_t value)
{
    char text[20];
    unsigned from = sizeof text;
    while (value >= 100) {
        from -= 2;
        memcpy(text + from, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        from -= 2;
        memcpy(text + from, pairs + value * 2, 2);
    } else {
        text[--from] = (char)('0' + value);
    }
    memcpy(at, text + from, sizeof text - from);
    return at + sizeof text - from;
}

static char *format_ns(char *at, uint64_t ns)
{
    uint32_t rest = (uint32_t)(ns % XM_NS_PER_S);
    at = format_u64(at, ns / XM_NS_PER_S);
    if (rest == 0)
        return at;
    *at = '.';
    at[9] = (char)('0' + rest % 10);
    rest /= 10;
    for (unsigned i = 7; i < 8; i -= 2) { /* 7, 5, 3, 1 */
        memcpy(at + i, pairs + rest % 100 * 2, 2);
        rest /= 100;
    }
    at += 9;
    while (*at == '0')
        at--;
    return at + 1;
}

static char *format_ratio(char *at, uint64_t value, unsigned divisor)
{
    uint64_t rest = value % divisor;
    at = format_u64(at, value / divisor);
    if (rest)
        *at++ = '.';
    for (unsigned i = 0; rest && i < 9; i++) {
        rest *= 10;
        *at++ = (char)('0' + rest / divisor);
        rest %= divisor;
    }
    return at;
}

static void put_u64(struct xm_metrics_out *out, uint64_t value)
{
    if (xm_has_room(out, XM_NUMBER_BYTES))
        out->at = format_u64(out->at, value);
}

void xm_put_ns(struct xm_metrics_out *out, uint64_t ns)
{
    if (xm_has_room(out, XM_NUMBER_BYTES))
        out->at = format_ns(out->at, ns);
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
    put_u64(out, value);
    xm_end(out);
}

/* ---- Many series of one kind. */

static void append(char *text, size_t size, uint32_t *bytes, const char *more)
{
    size_t length = strlen(more);
    XM_ASSERT(*bytes + length < size); /* names are our own */
    while (*more)
        text[(*bytes)++] = *more++;
}

void xm_lead_init(struct xm_metrics_lead *lead, const char *name, const char *suffix, bool labels,
                  const char *more)
{
    lead->head_bytes = lead->tail_bytes = 0;
    append(lead->head, sizeof lead->head, &lead->head_bytes, name);
    append(lead->head, sizeof lead->head, &lead->head_bytes, suffix);
    if (labels || *more)
        append(lead->head, sizeof lead->head, &lead->head_bytes, "{");
    if (labels && *more)
        append(lead->tail, sizeof lead->tail, &lead->tail_bytes, ",");
    append(lead->tail, sizeof lead->tail, &lead->tail_bytes, more);
    append(lead->tail, sizeof lead->tail, &lead->tail_bytes, labels || *more ? "} " : " ");
}

void xm_lead_series(struct xm_metrics_out *out, const struct xm_metrics_lead *lead, const char *labels,
                    size_t bytes, enum xm_number kind, uint64_t value)
{
    if (!out->begun)
        head(out);
    if (!xm_has_room(out, sizeof lead->head + sizeof lead->tail + bytes + XM_NUMBER_BYTES + 1))
        return;
    char *at = out->at;
    if (!at)
        return; /* cannot be: for who reads this without running it */
    memcpy(at, lead->head, lead->head_bytes);
    at += lead->head_bytes;
    memcpy(at, labels, bytes);
    at += bytes;
    memcpy(at, lead->tail, lead->tail_bytes);
    at += lead->tail_bytes;
    at = kind == XM_NUMBER_NS ? format_ns(at, value)
         : kind               ? format_ratio(at, value, kind)
                              : format_u64(at, value);
    *at++ = '\n';
    out->at = at;
}
