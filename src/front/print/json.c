/* SPDX-License-Identifier: MIT */
#include "front/print/json.h"

#include <inttypes.h>
#include <math.h>

#include "base/check.h"
#include "view/format.h"

void xm_json_init(struct xm_json *json, FILE *out)
{
    *json = (struct xm_json){.out = out};
}

void xm_json_init_line(struct xm_json *json, FILE *out)
{
    *json = (struct xm_json){.out = out, .compact = true};
}

/* What stands before a member: comma, line break, key. */
static void lead(struct xm_json *json, const char *key)
{
    if (json->depth) {
        bool lines = json->level[json->depth - 1].lines;
        if (json->level[json->depth - 1].begun)
            fputc(',', json->out);
        if (lines)
            fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
        else if (json->level[json->depth - 1].begun && !json->compact)
            fputc(' ', json->out);
        json->level[json->depth - 1].begun = true;
    }
    if (key)
        fprintf(json->out, json->compact ? "\"%s\":" : "\"%s\": ", key);
}

static void open_level(struct xm_json *json, const char *key, bool lines, char open, char close)
{
    XM_ASSERT(json->depth < XM_JSON_DEPTH);
    lead(json, key);
    fputc(open, json->out);
    json->level[json->depth].close = close;
    json->level[json->depth].lines = lines;
    json->level[json->depth].begun = false;
    json->depth++;
}

void xm_json_object(struct xm_json *json, const char *key, bool lines)
{
    open_level(json, key, lines, '{', '}');
}

void xm_json_array(struct xm_json *json, const char *key, bool lines)
{
    open_level(json, key, lines, '[', ']');
}

void xm_json_close(struct xm_json *json)
{
    XM_ASSERT(json->depth > 0);
    json->depth--;
    if (json->level[json->depth].lines && json->level[json->depth].begun)
        fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
    fputc(json->level[json->depth].close, json->out);
    if (json->depth == 0)
        fputc('\n', json->out);
}

void xm_json_u64(struct xm_json *json, const char *key, uint64_t value)
{
    lead(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void xm_json_real(struct xm_json *json, const char *key, double value)
{
    if (!isfinite(value)) {
        xm_json_null(json, key);
        return;
    }
    lead(json, key);
    fprintf(json->out, "%.9g", value);
}

void xm_json_bool(struct xm_json *json, const char *key, bool value)
{
    lead(json, key);
    fputs(value ? "true" : "false", json->out);
}

void xm_json_null(struct xm_json *json, const char *key)
{
    lead(json, key);
    fputs("null", json->out);
}

void xm_json_text(struct xm_json *json, const char *key, const char *text)
{
    char clean[1024];
    if (!text) {
        xm_json_null(json, key);
        return;
    }
    lead(json, key);
    fputc('"', json->out);
    /* After this only quotes and backslashes need an escape. */
    for (const char *c = xm_format_name(text, SIZE_MAX, clean, sizeof clean); *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', json->out);
        fputc(*c, json->out);
    }
    fputc('"', json->out);
}
