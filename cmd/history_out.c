/* SPDX-License-Identifier: MIT */
#include "history_out.h"

#include <string.h>

void xm_out_init(struct xm_out *out, FILE *file, unsigned format)
{
    *out = (struct xm_out){.out = file, .format = format, .csv = {.out = file}};
    xm_json_init(&out->json, file);
}

bool xm_out_heading(struct xm_out *out)
{
    out->heading = true;
    out->begun = false;
    return out->format != XM_OUT_JSONL;
}

void xm_out_row(struct xm_out *out)
{
    out->heading = false;
    out->begun = false;
    if (out->format == XM_OUT_JSONL)
        xm_json_object(&out->json, NULL, false);
}

void xm_out_end(struct xm_out *out)
{
    if (out->format == XM_OUT_CSV)
        xm_csv_end(&out->csv);
    else if (out->format == XM_OUT_TEXT)
        fputc('\n', out->out);
    else
        xm_json_close(&out->json);
}

/* Cells of a UTF-8 text: good enough for padding. */
static int cells(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* width: negative: to the left. */
static void put(struct xm_out *out, int width, const char *text)
{
    int room = width < 0 ? -width : width;
    int pad = room > cells(text) ? room - cells(text) : 0;
    fprintf(out->out, "%s%*s%s%*s", out->begun ? "  " : "", width < 0 ? 0 : pad, "", text,
            width < 0 ? pad : 0, "");
    out->begun = true;
}

void xm_out_text(struct xm_out *out, const char *key, const char *title, int width, const char *text)
{
    if (out->format == XM_OUT_CSV)
        xm_csv_text(&out->csv, out->heading ? key : text);
    else if (out->format == XM_OUT_JSONL)
        xm_json_text(&out->json, key, text);
    else if (title)
        put(out, width, out->heading ? title : text && *text ? text : "-");
}

void xm_out_u64(struct xm_out *out, const char *key, const char *title, int width, bool known, uint64_t value,
                const char *shown)
{
    if (out->heading && out->format == XM_OUT_CSV)
        xm_csv_text(&out->csv, key);
    else if (out->format == XM_OUT_CSV)
        xm_csv_maybe(&out->csv, known, value);
    else if (out->format == XM_OUT_JSONL && known)
        xm_json_u64(&out->json, key, value);
    else if (out->format == XM_OUT_JSONL)
        xm_json_null(&out->json, key);
    else if (title)
        put(out, width, out->heading ? title : known && shown ? shown : "-");
}

void xm_out_real(struct xm_out *out, const char *key, const char *title, int width, bool known, double value,
                 const char *shown)
{
    if (out->heading && out->format == XM_OUT_CSV)
        xm_csv_text(&out->csv, key);
    else if (out->format == XM_OUT_CSV)
        xm_csv_real(&out->csv, known, value);
    else if (out->format == XM_OUT_JSONL && known)
        xm_json_real(&out->json, key, value);
    else if (out->format == XM_OUT_JSONL)
        xm_json_null(&out->json, key);
    else if (title)
        put(out, width, out->heading ? title : known && shown ? shown : "-");
}

bool xm_out_note(struct xm_out *out, const char *text)
{
    if (out->format != XM_OUT_TEXT)
        return false;
    fprintf(out->out, "-- %s\n", text);
    return true;
}
