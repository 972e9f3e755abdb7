/* SPDX-License-Identifier: MIT */
#include "sim/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t of;
};

static const struct unit times[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
                                    {"m", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)}, {NULL, 0}};
static const struct unit rates[] = {{"", 1}, {"Hz", 1}, {"kHz", 1000}, {"MHz", 1000000}, {"GHz", 1000000000}, {NULL, 0}};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static int digit_of(char c, unsigned base)
{
    int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    return value < (int)base ? value : -1;
}

/* Digits from *text on, which is moved behind them; false: none, or too many. */
static bool read_digits(const char **text, unsigned base, uint64_t *value)
{
    const char *at = *text;
    uint64_t sum = 0;
    for (int digit; (digit = digit_of(*at, base)) >= 0; at++) {
        if (sum > (UINT64_MAX - (uint64_t)digit) / base)
            return false;
        sum = sum * base + (uint64_t)digit;
    }
    if (at == *text)
        return false;
    *text = at;
    *value = sum;
    return true;
}

static uint64_t unit_of(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0)
            return units->of;
    return 0;
}

/* "1.5ms": what is behind the point counts as far as it makes whole numbers. */
static bool read_scaled(const char *text, const struct unit *units, uint64_t *value)
{
    uint64_t whole, part = 0;
    if (!read_digits(&text, 10, &whole))
        return false;
    const char *digits = NULL;
    if (*text == '.') {
        digits = text + 1;
        text += 1 + strspn(text + 1, "0123456789");
        if (text == digits)
            return false;
    }
    uint64_t unit = unit_of(units, text);
    if (!unit && whole == 0 && !digits && !*text)
        unit = 1;
    if (!unit || whole > UINT64_MAX / unit)
        return false;
    for (uint64_t of = unit / 10; digits && digits < text && of; of /= 10, digits++)
        part += (uint64_t)(*digits - '0') * of;
    if (whole * unit > UINT64_MAX - part)
        return false;
    *value = whole * unit + part;
    return true;
}

bool xm_value_count(const char *text, uint64_t *count)
{
    uint64_t value;
    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
        return strchr(text, '.') ? false : read_scaled(text, counts, count);
    text += 2;
    if (!read_digits(&text, 16, &value) || *text)
        return false;
    *count = value;
    return true;
}

bool xm_value_time(const char *text, uint64_t *ns)
{
    return read_scaled(text, times, ns);
}

bool xm_value_hz(const char *text, uint64_t *hz)
{
    return read_scaled(text, rates, hz);
}

bool xm_value_switch(const char *text, bool *on)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], text) == 0) {
            *on = i % 2;
            return true;
        }
    return false;
}

bool xm_value_real(const char *text, double *value)
{
    /* Millionths are near enough, and have no locale. */
    static const struct unit millionths[] = {{"", 1000000}, {NULL, 0}};
    uint64_t scaled;
    if (!read_scaled(text, millionths, &scaled) || scaled > UINT64_C(1) << 53)
        return false;
    *value = (double)scaled / 1e6;
    return true;
}

static uint64_t range_of(uint64_t from, uint64_t to)
{
    return (to < 63 ? (UINT64_C(1) << (to + 1)) - 1 : UINT64_MAX) & ~((UINT64_C(1) << from) - 1);
}

bool xm_value_cpus(const char *text, uint64_t *set)
{
    uint64_t result = 0;
    if (strcmp(text, "all") == 0) {
        *set = 0;
        return true;
    }
    for (bool more = true; more;) {
        uint64_t from, to;
        if (!read_digits(&text, 10, &from))
            return false;
        to = from;
        if (*text == '-' && (text++, !read_digits(&text, 10, &to)))
            return false;
        if (from > to || to > 63)
            return false;
        result |= range_of(from, to);
        more = *text == ',';
        text += more;
    }
    if (*text)
        return false;
    *set = result;
    return true;
}

void xm_value_time_text(uint64_t ns, char *text, size_t size)
{
    const struct unit *best = &times[0];
    for (const struct unit *unit = times; ns && unit->name; unit++)
        if (ns % unit->of == 0)
            best = unit;
    snprintf(text, size, "%" PRIu64 "%s", ns / best->of, ns ? best->name : "");
}

const char *xm_value_shown(const char *text, char shown[44])
{
    size_t i;
    for (i = 0; i < 40 && text[i]; i++)
        shown[i] = (unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x7f ? text[i] : '?';
    snprintf(shown + i, 44 - i, "%s", text[i] ? "..." : "");
    return shown;
}
