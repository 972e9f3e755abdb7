/* SPDX-License-Identifier: MIT */
#include "front/terminal/grid.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

enum xm_status xm_grid_resize(struct xm_grid *grid, unsigned width, unsigned height)
{
    width = width < XM_GRID_MAX ? width : XM_GRID_MAX;
    height = height < XM_GRID_MAX ? height : XM_GRID_MAX;
    size_t count = (size_t)width * height;
    struct xm_grid_cell *cells = realloc(grid->cells, (count ? count : 1) * sizeof *cells);
    if (!cells) {
        xm_grid_fini(grid);
        return XM_NOMEM;
    }
    grid->cells = cells;
    grid->width = width;
    grid->height = height;
    xm_grid_clear(grid);
    return XM_OK;
}

void xm_grid_fini(struct xm_grid *grid)
{
    free(grid->cells);
    grid->cells = NULL;
    grid->width = 0;
    grid->height = 0;
}

void xm_grid_clear(struct xm_grid *grid)
{
    static const struct xm_grid_cell blank = {.text = " ", .meaning = XM_MEANING_NORMAL};
    size_t count = (size_t)grid->width * grid->height;
    for (size_t i = 0; i < count; i++)
        grid->cells[i] = blank;
}

static struct xm_grid_cell *cell_at(const struct xm_grid *grid, unsigned x, unsigned y)
{
    return x < grid->width && y < grid->height ? &grid->cells[(size_t)y * grid->width + x] : NULL;
}

struct glyph {
    const char *bytes; /* in the text, or a literal that stands for it */
    unsigned size;     /* bytes */
    unsigned columns;  /* 0 to 2 */
    const char *next;
};

static struct glyph next_glyph(const struct xm_grid *grid, const char *text)
{
    uint32_t code = 0;
    unsigned size = xm_text_decode(text, 4, &code);
    struct glyph g = {.bytes = "?", .size = 1, .columns = 1, .next = text + (size ? size : 1)};
    if (size == 1 && code >= 0x20 && code < 0x7f) {
        g.bytes = text;
    } else if (size > 1 && grid->utf8) {
        int columns = wcwidth((wchar_t)code);
        if (columns >= 0 && columns <= 2) {
            g.bytes = text;
            g.size = size;
            g.columns = (unsigned)columns;
        }
    }
    return g;
}

/* A character's second half, or its first, must not stand alone when the other is overwritten. */
static void break_wide(struct xm_grid *grid, unsigned x, unsigned y)
{
    struct xm_grid_cell *cell = cell_at(grid, x, y);
    if (!cell)
        return;
    struct xm_grid_cell *before = x > 0 ? cell_at(grid, x - 1, y) : NULL;
    struct xm_grid_cell *after = cell_at(grid, x + 1, y);
    if (cell->text[0] == '\0' && before)
        memcpy(before->text, " ", 2);
    else if (after && after->text[0] == '\0')
        memcpy(after->text, " ", 2);
}

static void put_glyph(struct xm_grid *grid, unsigned x, unsigned y, enum xm_meaning meaning,
                      const struct glyph *g)
{
    struct xm_grid_cell *cell = cell_at(grid, x, y);
    struct xm_grid_cell *half = g->columns == 2 ? cell_at(grid, x + 1, y) : NULL;
    if (!cell)
        return;
    break_wide(grid, x, y);
    memset(cell->text, 0, sizeof cell->text);
    cell->meaning = (uint8_t)meaning;
    if (g->columns == 2 && !half) {
        cell->text[0] = ' '; /* its right half would be outside */
        return;
    }
    memcpy(cell->text, g->bytes, g->size);
    if (half) {
        break_wide(grid, x + 1, y);
        memset(half->text, 0, sizeof half->text);
        half->meaning = (uint8_t)meaning;
    }
}

/* What combines with the character before it goes into that one's cell, where it fits. */
static void combine_glyph(struct xm_grid *grid, unsigned x, unsigned y, const struct glyph *g)
{
    struct xm_grid_cell *cell = cell_at(grid, x, y);
    if (cell && cell->text[0] == '\0')
        cell = cell_at(grid, x - 1, y);
    if (!cell)
        return;
    size_t used = strlen(cell->text);
    if (used > 0 && used + g->size < sizeof cell->text) {
        memcpy(cell->text + used, g->bytes, g->size);
        cell->text[used + g->size] = '\0';
    }
}

static unsigned put_until(struct xm_grid *grid, unsigned x, unsigned end, unsigned y, enum xm_meaning meaning,
                          const char *text)
{
    unsigned start = x;
    while (*text) {
        struct glyph g = next_glyph(grid, text);
        if (x + g.columns > end)
            break;
        if (g.columns > 0)
            put_glyph(grid, x, y, meaning, &g);
        else if (x > start)
            combine_glyph(grid, x - 1, y, &g);
        x += g.columns;
        text = g.next;
    }
    return x;
}

unsigned xm_grid_put(struct xm_grid *grid, unsigned x, unsigned y, enum xm_meaning meaning, const char *text)
{
    return put_until(grid, x, UINT_MAX, y, meaning, text);
}

unsigned xm_grid_put_within(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                            enum xm_meaning meaning, const char *text)
{
    if (x >= end || x + xm_grid_columns(grid, text) <= end)
        return put_until(grid, x, end, y, meaning, text);
    put_until(grid, x, end - 1, y, meaning, text);
    return put_until(grid, end - 1, end, y, XM_MEANING_FAINT, "~");
}

unsigned xm_grid_columns(const struct xm_grid *grid, const char *text)
{
    unsigned columns = 0;
    while (*text) {
        struct glyph g = next_glyph(grid, text);
        columns += g.columns;
        text = g.next;
    }
    return columns;
}

void xm_grid_put_right(struct xm_grid *grid, unsigned end, unsigned y, enum xm_meaning meaning,
                       const char *text)
{
    unsigned columns = xm_grid_columns(grid, text);
    while (*text && columns > end) {
        struct glyph g = next_glyph(grid, text);
        columns -= g.columns;
        text = g.next;
    }
    xm_grid_put(grid, end - columns, y, meaning, text);
}

unsigned xm_grid_print(struct xm_grid *grid, unsigned x, unsigned y, enum xm_meaning meaning,
                       const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return xm_grid_put(grid, x, y, meaning, text);
}

void xm_grid_mark(struct xm_grid *grid, unsigned from, unsigned to, unsigned y, enum xm_meaning meaning)
{
    for (unsigned x = from; x < to && x < grid->width; x++) {
        struct xm_grid_cell *cell = cell_at(grid, x, y);
        if (cell)
            cell->meaning = (uint8_t)meaning;
    }
}

size_t xm_grid_line(const struct xm_grid *grid, unsigned y, char *line, size_t size)
{
    size_t used = 0;
    size_t end = 0; /* after the last character that is not a blank */
    for (unsigned x = 0; x < grid->width; x++) {
        const struct xm_grid_cell *cell = cell_at(grid, x, y);
        size_t length = cell ? strlen(cell->text) : 0;
        if (used + length + 1 > size)
            break;
        if (cell)
            memcpy(line + used, cell->text, length);
        used += length;
        if (length > 0 && line[used - 1] != ' ')
            end = used;
    }
    if (size > 0)
        line[end] = '\0';
    return end;
}

bool xm_grid_write(const struct xm_grid *grid, FILE *out)
{
    size_t size = (size_t)grid->width * sizeof grid->cells->text + 1;
    char *line = malloc(size);
    if (!line)
        return false;
    for (unsigned y = 0; y < grid->height; y++) {
        xm_grid_line(grid, y, line, size);
        fprintf(out, "%s\n", line);
    }
    free(line);
    return !ferror(out);
}
