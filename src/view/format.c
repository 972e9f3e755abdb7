/* SPDX-License-Identifier: MIT */
#include "view/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define CELL_WIDTH 8

/*
 * value / factor with as many decimals as make four digits; rounding up into a fifth takes one decimal
 * fewer.
 */
static void four_digits(uint64_t value, uint64_t factor, const char *unit, char *text, size_t size)
{
    static const unsigned powers[] = {1, 10, 100, 1000};
    for (unsigned decimals = 3; decimals > 0; decimals--) {
        unsigned __int128 scaled = ((unsigned __int128)value * powers[decimals] + factor / 2) / factor;
        if (scaled < 10000) {
            unsigned whole = (unsigned)scaled / powers[decimals];
            unsigned rest = (unsigned)scaled % powers[decimals];
            snprintf(text, size, "%u.%0*u%s", whole, (int)decimals, rest, unit);
            return;
        }
    }
    snprintf(text, size, "%" PRIu64 "%s", value / factor + (value % factor >= (factor + 1) / 2), unit);
}

const char *xm_format_ns(uint64_t ns, char *text, size_t size)
{
    /* A unit serves up to where it would round to 1000. */
    if (ns < 1000)
        snprintf(text, size, "%" PRIu64 " ns", ns);
    else if (ns < UINT64_C(999950))
        four_digits(ns, 1000, " us", text, size);
    else if (ns < UINT64_C(999950000))
        four_digits(ns, 1000000, " ms", text, size);
    else if (ns < UINT64_C(999999) * XM_NS_PER_S)
        four_digits(ns, XM_NS_PER_S, " s", text, size);
    else
        snprintf(text, size, "%.1e s", (double)ns / (double)XM_NS_PER_S);
    return text;
}

const char *xm_format_count(uint64_t count, int width, char *text, size_t size)
{
    static const char prefixes[] = "kMGTPE";
    static const unsigned powers[] = {1, 10, 100};
    uint64_t factor = 1;
    unsigned prefix = 0;
    if (snprintf(text, size, "%" PRIu64, count) <= width)
        return text;
    do
        factor *= 1000;
    while (count / factor >= 1000 && prefixes[++prefix]);
    /* Cut off, not rounded: what is shown is never more than there was. */
    unsigned whole = (unsigned)(count / factor);
    int room = width - 2 - (whole >= 100 ? 3 : whole >= 10 ? 2 : 1);
    unsigned decimals = room > 2 ? 2 : room > 0 ? (unsigned)room : 0;
    unsigned rest = (unsigned)(count % factor / (factor / powers[decimals]));
    if (decimals)
        snprintf(text, size, "%u.%0*u%c", whole, (int)decimals, rest, prefixes[prefix]);
    else
        snprintf(text, size, "%u%c", whole, prefixes[prefix]);
    return text;
}

const char *xm_format_bytes(double bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    unsigned i = 0;
    if (!isfinite(bytes) || bytes < 0) {
        snprintf(text, size, "-");
        return text;
    }
    /* A unit serves up to where three digits of it would round to 1000. */
    while (i < 6 && bytes >= 999.5) {
        bytes /= 1000;
        i++;
    }
    int decimals = i == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
    snprintf(text, size, bytes < 1e6 ? "%.*f %s" : "%.*e %s", decimals, bytes, units[i]);
    return text;
}

const char *xm_format_percent(double percent, char *text, size_t size)
{
    if (!isfinite(percent) || percent < 0)
        snprintf(text, size, "-");
    else if (percent > 0 && percent < 0.05)
        snprintf(text, size, "<0.1%%");
    else
        snprintf(text, size, percent < 99999 ? "%.1f%%" : "%.1e%%", percent);
    return text;
}

const char *xm_format_number(double value, char *text, size_t size)
{
    if (!isfinite(value) || value < 0)
        snprintf(text, size, "-");
    else if (value < 9.9995)
        snprintf(text, size, "%.3f", value);
    else if (value < 99.995)
        snprintf(text, size, "%.2f", value);
    else if (value < 999.95)
        snprintf(text, size, "%.1f", value);
    else
        snprintf(text, size, value < 99999999 ? "%.0f" : "%.2e", value);
    return text;
}

static bool is_duration(const char *id)
{
    size_t length = strlen(id);
    return length > 3 && strcmp(id + length - 3, "_ns") == 0;
}

const char *xm_format_cell(const struct xm_column *column, const struct xm_cell *cell, char *text,
                           size_t size)
{
    if (!cell->known) {
        snprintf(text, size, "-");
        return text;
    }
    switch (cell->type) {
    case XM_COL_NS:
        return xm_format_ns(cell->exact, text, size);
    case XM_COL_COUNT:
        return xm_format_count(cell->exact, CELL_WIDTH, text, size);
    case XM_COL_PERCENT:
        return xm_format_percent(cell->value, text, size);
    case XM_COL_AVERAGE:
        if (is_duration(column->id))
            return xm_format_ns((uint64_t)llround(cell->value), text, size);
        return xm_format_number(cell->value, text, size);
    case XM_COL_RATE:
    case XM_COL_TEXT:
        break;
    }
    return xm_format_number(cell->value, text, size);
}

/* ---- Names. */

const char *xm_format_name(const char *name, size_t length, char *text, size_t size)
{
    const char *s = name;
    size_t left = strnlen(name, length);
    size_t used = 0;
    while (left) {
        uint32_t c = 0;
        size_t n = xm_text_decode(s, left, &c);
        bool good = n && !xm_text_is_hidden(c);
        size_t take = good ? n : 1;
        if (used + take + 1 > size)
            break;
        if (good)
            memcpy(text + used, s, n);
        else
            text[used] = '?';
        used += take;
        s += n ? n : 1;
        left -= n ? n : 1;
    }
    if (size)
        text[used] = '\0';
    return text;
}
