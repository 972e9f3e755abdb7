/* SPDX-License-Identifier: MIT */
#include "history_out.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "history/grid.h"

#define ROOM     80u
#define MORE     4u /* "  +9" behind the titles */
#define TIME     19
#define NAME_MAX_CELLS 40
#define TEXT_BYTES     512
#define BETWEEN  2u

/* $COLUMNS is how somebody says it who pipes this elsewhere. */
static unsigned room_of(FILE *file)
{
    struct winsize size;
    const char *set = getenv("COLUMNS");
    char *end = NULL;
    unsigned long columns = set && *set >= '0' && *set <= '9' ? strtoul(set, &end, 10) : 0;
    if (columns > 0 && columns < 100000 && *end == '\0')
        return (unsigned)columns;
    if (isatty(fileno(file)) && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return ROOM;
}

void xm_out_init(struct xm_out *out, FILE *file, unsigned format)
{
    *out = (struct xm_out){.out = file, .format = format, .room = room_of(file), .csv = {.out = file}};
    xm_json_init(&out->json, file);
}

void xm_out_fit(struct xm_out *out, const char *const *first, const char *const *last)
{
    out->first = first;
    out->last = last;
}

bool xm_out_heading(struct xm_out *out)
{
    out->heading = true;
    out->begun = false;
    out->columns = 0;
    out->times = 0;
    return out->format != XM_OUT_JSONL;
}

void xm_out_row(struct xm_out *out)
{
    out->heading = false;
    out->begun = false;
    out->at = 0;
    if (out->format == XM_OUT_JSONL)
        xm_json_object(&out->json, NULL, false);
}

/* Cells of a UTF-8 text: good enough for padding. */
static int cells(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void put(struct xm_out *out, int width, const char *text)
{
    int room = width < 0 ? -width : width;
    int pad = room > cells(text) ? room - cells(text) : 0;
    fprintf(out->out, "%s%*s%s%*s", out->begun ? "  " : "", width < 0 ? 0 : pad, "", text,
            width < 0 ? pad : 0, "");
    out->begun = true;
}

/* ---- Which columns there are on paper. */

static void add_column(struct xm_out *out, const char *key, const char *title, int width)
{
    int least = cells(title);
    if (out->columns == XM_OUT_COLUMNS)
        return;
    if (least > (width < 0 ? -width : width))
        width = width < 0 ? -least : least;
    out->column[out->columns++] = (struct xm_out_column){key, title, width, true};
}

static unsigned width_of(const struct xm_out *out)
{
    unsigned width = 0;
    for (size_t i = 0; i < out->columns; i++)
        if (out->column[i].shown)
            width += (unsigned)abs(out->column[i].width) + (width ? BETWEEN : 0);
    return width;
}

static bool is_in(const char *const *keys, const char *key)
{
    for (; keys && *keys; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return false;
}

/* What is left of the line is for long names. */
static void widen_names(struct xm_out *out, unsigned room)
{
    unsigned used = width_of(out);
    for (size_t i = 0; i < out->columns && used < room; i++) {
        int *width = &out->column[i].width;
        if (strcmp(out->column[i].key, "name") != 0)
            continue;
        *width -= (int)(room - used);
        *width = *width < -NAME_MAX_CELLS ? -NAME_MAX_CELLS : *width;
    }
}

static void leave_out(struct xm_out *out, unsigned room)
{
    for (const char *const *key = out->first; key && *key; key++)
        for (size_t i = 0; i < out->columns && width_of(out) > room; i++)
            if (strcmp(out->column[i].key, *key) == 0 && !is_in(out->last, *key))
                out->column[i].shown = false;
    for (size_t i = out->columns; i-- > 0 && width_of(out) > room;)
        if (!is_in(out->last, out->column[i].key))
            out->column[i].shown = false;
}

static unsigned left_out(const struct xm_out *out)
{
    unsigned count = 0;
    for (size_t i = 0; i < out->columns; i++)
        count += !out->column[i].shown;
    return count;
}

static void fit(struct xm_out *out)
{
    unsigned room = out->room;
    if (width_of(out) > room) {
        room = room > MORE ? room - MORE : 0;
        leave_out(out, room);
    }
    if (left_out(out) > 9 && room > 0) /* "+10" */
        leave_out(out, --room);
    widen_names(out, room);
}

static void put_titles(struct xm_out *out)
{
    fit(out);
    for (size_t i = 0; i < out->columns; i++)
        if (out->column[i].shown)
            put(out, out->column[i].width, out->column[i].title);
    if (left_out(out))
        fprintf(out->out, "  +%u", left_out(out));
}

/* Where the cell number n begins. */
static const char *cell(const char *text, int n)
{
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80 && n-- == 0)
            break;
    return text;
}

/* A text of too many cells loses its middle: names differ at their ends.  Returns text, or `cut`. */
static const char *shortened(const char *text, int width, char cut[TEXT_BYTES])
{
    int length = cells(text);
    if (length <= width || width < 4)
        return text;
    int head = (width - 2) / 2;
    snprintf(cut, TEXT_BYTES, "%.*s..%s", (int)(cell(text, head) - text), text,
             cell(text, length - (width - 2 - head)));
    return cut;
}

/* A field on paper; text NULL: not known.  The heading learns of it, the rows follow the heading. */
static void put_cell(struct xm_out *out, const char *key, const char *title, int width, const char *text)
{
    if (!title)
        return;
    if (out->heading) {
        add_column(out, key, title, width);
        return;
    }
    char cut[TEXT_BYTES];
    size_t at = out->at++;
    if (at >= out->columns || !out->column[at].shown)
        return;
    text = text && *text ? text : "-";
    width = out->column[at].width;
    put(out, width, width < 0 ? shortened(text, -width, cut) : text);
}

void xm_out_end(struct xm_out *out)
{
    if (out->format == XM_OUT_CSV) {
        xm_csv_end(&out->csv);
    } else if (out->format == XM_OUT_TEXT) {
        if (out->heading)
            put_titles(out);
        fputc('\n', out->out);
    } else {
        xm_json_close(&out->json);
    }
}

/* ---- Fields. */

void xm_out_text(struct xm_out *out, const char *key, const char *title, int width, const char *text)
{
    if (out->format == XM_OUT_CSV)
        xm_csv_text(&out->csv, out->heading ? key : text);
    else if (out->format == XM_OUT_JSONL)
        xm_json_text(&out->json, key, text);
    else
        put_cell(out, key, title, width, text);
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
    else
        put_cell(out, key, title, width, known ? shown : NULL);
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
    else
        put_cell(out, key, title, width, known ? shown : NULL);
}

void xm_out_time(struct xm_out *out, const char *key, const char *title, uint64_t real_ns)
{
    char text[40] = "";
    char zone[32];
    if (out->format != XM_OUT_TEXT) {
        if (real_ns)
            xm_grid_write_time(real_ns, text, sizeof text);
        xm_out_text(out, key, NULL, 0, real_ns ? text : NULL);
        return;
    }
    if (title && out->heading && out->times < XM_OUT_TIMES) {
        char *full = out->time_title[out->times++];
        snprintf(full, sizeof out->time_title[0], "%s (%s)", title, xm_grid_zone(zone, sizeof zone));
        title = full;
    }
    if (real_ns)
        xm_grid_write_short(real_ns, text, sizeof text);
    put_cell(out, key, title, -TIME, text);
}

bool xm_out_note(struct xm_out *out, const char *text)
{
    if (out->format != XM_OUT_TEXT)
        return false;
    fprintf(out->out, "-- %s\n", text);
    return true;
}
