/* SPDX-License-Identifier: MIT */
#include "export/query.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S    UINT64_C(1000000000)
#define SECONDS_MAX (UINT64_C(100) * 366 * 86400)
#define EPOCH_MAX   UINT64_C(18000000000) /* the year 2540: in ns it fits 64 bits */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits from *at on, which moves behind them: false where there are none, or more than `max` comes out. */
static bool read_digits(const char **at, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    if (!is_digit(**at))
        return false;
    for (; is_digit(**at); (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

/* ".25" -> 250000000, in parts of 10^9; what is finer is dropped.  Nothing there: 0. */
static bool read_fraction(const char **at, uint64_t *parts)
{
    uint64_t sum = 0, place = NS_PER_S / 10;
    *parts = 0;
    if (**at != '.')
        return true;
    (*at)++;
    if (!is_digit(**at))
        return false;
    for (; is_digit(**at); (*at)++) {
        sum += (uint64_t)(**at - '0') * place;
        place /= 10;
    }
    *parts = sum;
    return true;
}

bool xm_query_count(const char *text, uint64_t max, uint64_t *count)
{
    uint64_t value;
    if (!read_digits(&text, max, &value) || *text || value > max)
        return false;
    *count = value;
    return true;
}

bool xm_query_duration(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"", NS_PER_S},       {"s", NS_PER_S},        {"ms", 1000000},        {"us", 1000},
                 {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S}};
    uint64_t whole, parts;
    if (!read_digits(&text, SECONDS_MAX * 1000, &whole) || !read_fraction(&text, &parts))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (whole > SECONDS_MAX * NS_PER_S / units[i].ns)
            return false;
        *ns = whole * units[i].ns + (uint64_t)((double)parts * ((double)units[i].ns / (double)NS_PER_S));
        return true;
    }
    return false;
}

/* Two digits, then `after` (0: nothing is asked of what follows). */
static bool two_digits(const char **at, char after, int most, int *value)
{
    const char *text = *at;
    if (!is_digit(text[0]) || !is_digit(text[1]))
        return false;
    *value = (text[0] - '0') * 10 + (text[1] - '0');
    if (*value > most || (after && text[2] != after))
        return false;
    *at += after ? 3 : 2;
    return true;
}

/* "Z", "+01:00", "-05:30": seconds east of Greenwich. */
static bool read_zone(const char **at, int64_t *east)
{
    int hours, minutes;
    char sign = **at;
    *east = 0;
    (*at)++;
    if (sign == 'Z' || sign == 'z')
        return true;
    /* In a query "+" that nobody encoded arrives as a blank. */
    if ((sign != '+' && sign != '-' && sign != ' ') || !two_digits(at, ':', 23, &hours) ||
        !two_digits(at, 0, 59, &minutes))
        return false;
    *east = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* "2026-01-02" */
static bool read_day(const char **at, struct tm *tm)
{
    int century, years;
    if (!two_digits(at, 0, 99, &century) || !two_digits(at, '-', 99, &years) ||
        !two_digits(at, '-', 12, &tm->tm_mon) || !two_digits(at, 0, 31, &tm->tm_mday))
        return false;
    tm->tm_year = century * 100 + years - 1900;
    tm->tm_mon -= 1;
    return tm->tm_mon >= 0 && tm->tm_mday > 0;
}

/* "03:04:05.25": a leap second counts as the second before it. */
static bool read_clock(const char **at, struct tm *tm, uint64_t *parts)
{
    if (!two_digits(at, ':', 23, &tm->tm_hour) || !two_digits(at, ':', 59, &tm->tm_min) ||
        !two_digits(at, 0, 60, &tm->tm_sec))
        return false;
    tm->tm_sec -= tm->tm_sec == 60;
    return read_fraction(at, parts);
}

static bool read_rfc3339(const char *text, uint64_t *ns)
{
    struct tm tm = {0};
    uint64_t parts;
    int64_t east;
    if (!read_day(&text, &tm) || !strchr("Tt ", *text) || !*text)
        return false;
    text++;
    if (!read_clock(&text, &tm, &parts) || !read_zone(&text, &east) || *text)
        return false;
    int day = tm.tm_mday;
    int64_t seconds = (int64_t)timegm(&tm) - east;
    if (tm.tm_mday != day) /* the 31st of a month that has 30 days */
        return false;
    if (seconds < 0 || (uint64_t)seconds > EPOCH_MAX)
        return false;
    *ns = (uint64_t)seconds * NS_PER_S + parts;
    return true;
}

bool xm_query_time(const char *text, uint64_t now_ns, uint64_t *ns)
{
    uint64_t value, parts;
    if (strcmp(text, "now") == 0) {
        *ns = now_ns;
        return true;
    }
    if (*text == '-') {
        if (!xm_query_duration(text + 1, &value))
            return false;
        *ns = now_ns > value ? now_ns - value : 0;
        return true;
    }
    const char *at = text;
    if (read_digits(&at, EPOCH_MAX, &value) && read_fraction(&at, &parts) && !*at) {
        *ns = value * NS_PER_S + parts;
        return true;
    }
    return read_rfc3339(text, ns);
}

bool xm_query_next(const char **rest, char *name, size_t size)
{
    if (!*rest)
        return false;
    const char *end = strchr(*rest, ',');
    int length =
        end ? (int)(end - *rest) : (int)strnlen(*rest, size); /* of interest only as far as it fits */
    snprintf(name, size, "%.*s", length, *rest);
    *rest = end ? end + 1 : NULL;
    return true;
}
