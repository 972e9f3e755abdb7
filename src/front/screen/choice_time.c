/* SPDX-License-Identifier: MIT */
/* Back and forth in time, and how a person writes a time. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "front/screen/choice_int.h"

/* ---- Keys. */

static void go_on(struct xm_choice *choice)
{
    choice->frozen = false;
    choice->travelling = false;
    choice->jump = (struct xm_jump){XM_JUMP_NONE, 0};
}

/* Nothing is live in a replay: there it is the end of what is baked. */
void xm_choice_live(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    go_on(choice);
    if (choice->replay)
        choice->jump = (struct xm_jump){XM_JUMP_BY, INT64_MAX};
    else
        choice->speed = 1;
}

void xm_choice_freeze(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (choice->frozen) {
        go_on(choice);
        if (!choice->replay)
            choice->speed = 1;
        return;
    }
    choice->frozen = true;
    if (model->data && !choice->travelling) {
        choice->travelling = true;
        choice->position = model->window[XM_SPAN_1S].to->host.window;
    }
}

void xm_choice_steps(struct xm_choice *choice, const struct xm_model *model, int steps)
{
    choice->frozen = true;
    /* Keys that come faster than frames add up. */
    if (choice->jump.kind != XM_JUMP_STEPS)
        choice->jump = (struct xm_jump){XM_JUMP_STEPS, 0};
    choice->jump.value += steps;
}

void xm_choice_minutes(struct xm_choice *choice, const struct xm_model *model, int minutes)
{
    choice->frozen = true;
    if (choice->jump.kind != XM_JUMP_BY)
        choice->jump = (struct xm_jump){XM_JUMP_BY, 0};
    choice->jump.value += minutes * 60 * (int64_t)XM_NS_PER_S;
}

/* On from where it is; what is live already has nothing to play but the present. */
void xm_choice_play(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (!choice->frozen && !choice->travelling) {
        xm_choice_freeze(choice, model, argument);
        return;
    }
    choice->frozen = !choice->frozen;
}

void xm_choice_speed(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    double speed = direction > 0 ? choice->speed * 2 : choice->speed / 2;
    if (speed >= 1.0 / 64 && speed <= 1024)
        choice->speed = speed;
    xm_choice_say(choice, "speed x%g", choice->speed);
}

/* ---- Words. */

bool xm_choice_parse_duration(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9},   {"s", 1e9},    {"ms", 1e6},   {"us", 1e3},
                 {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    char *end;
    while (*text == ' ')
        text++;
    /* Digits alone: no sign, no exponent, no "inf", no hexadecimal number. */
    char number[32];
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    double value = strtod(number, &end);
    if (*end)
        return false;
    text += digits;
    while (*text == ' ')
        text++;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        length--;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) != length || strncmp(text, units[i].name, length) != 0)
            continue;
        double result = value * units[i].ns;
        if (!isfinite(result) || result < 0.5 || result > 1e18)
            return false;
        *ns = (uint64_t)(result + 0.5);
        return true;
    }
    return false;
}

/* One to `most` digits; *text goes on after them. */
static bool parse_digits(const char **text, unsigned most, int *value)
{
    unsigned digits = 0;
    *value = 0;
    while (digits < most && **text >= '0' && **text <= '9') {
        *value = *value * 10 + (**text - '0');
        (*text)++;
        digits++;
    }
    return digits > 0;
}

static bool parse_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* "05", "05.25". */
static bool parse_seconds(const char **text, int *whole, uint64_t *fraction_ns)
{
    uint64_t place = XM_NS_PER_S;
    if (!parse_digits(text, 2, whole) || *whole > 59)
        return false;
    if (!parse_char(text, '.'))
        return true;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        place /= 10;
        *fraction_ns += place * (uint64_t)(**text - '0');
    }
    return true;
}

/* "10:42", "10:42:05", "10:42:05.25"; *text goes on after it. */
static bool parse_clock(const char **text, struct tm *tm, uint64_t *fraction_ns)
{
    *fraction_ns = 0;
    tm->tm_sec = 0;
    if (!parse_digits(text, 2, &tm->tm_hour) || !parse_char(text, ':') ||
        !parse_digits(text, 2, &tm->tm_min) || tm->tm_hour > 23 || tm->tm_min > 59)
        return false;
    return !parse_char(text, ':') || parse_seconds(text, &tm->tm_sec, fraction_ns);
}

/* "2026-11-26", and the blank or T after it. */
static bool parse_date(const char **text, struct tm *tm)
{
    const char *at = *text;
    int year;
    int month;
    int day;
    if (!parse_digits(&at, 4, &year) || !parse_char(&at, '-') || !parse_digits(&at, 2, &month) ||
        !parse_char(&at, '-') || !parse_digits(&at, 2, &day))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    *text = at + strspn(at, " T");
    return true;
}

static bool parse_shift(const char *text, struct xm_jump *jump, char *error, size_t size)
{
    uint64_t ns;
    if (!xm_choice_parse_duration(text + 1, &ns)) {
        snprintf(error, size, "after %c a duration is meant, such as 30s or 5m", text[0]);
        return false;
    }
    *jump = (struct xm_jump){XM_JUMP_BY, text[0] == '-' ? -(int64_t)ns : (int64_t)ns};
    return true;
}

/*
 * Since the trace began: "0:20" and "00:00:20.5", as the title has it, or a duration.  Of two numbers the first is
 * minutes, unlike that of a time of day.
 */
static bool parse_place(const char *text, struct xm_jump *jump, char *error, size_t size)
{
    uint64_t ns = 0;
    uint64_t fraction_ns = 0;
    uint64_t s = 0;
    int part = 0;
    unsigned parts = 0;
    const char *at = text;
    while (parts < 2 && parse_digits(&at, 4, &part) && parse_char(&at, ':')) {
        s = s * 60 + (uint64_t)part;
        parts++;
        text = at;
    }
    bool good = parts == 0 ? xm_choice_parse_duration(text, &ns) : parse_seconds(&text, &part, &fraction_ns);
    if (parts && good) {
        ns = (s * 60 + (uint64_t)part) * XM_NS_PER_S + fraction_ns;
        good = text[strspn(text, " ")] == '\0';
    } else if (!good && strspn(text, "0. ") == strlen(text) && text[0] == '0') {
        good = parts == 0; /* no duration, but a place */
    }
    if (good)
        *jump = (struct xm_jump){XM_JUMP_AT, (int64_t)ns};
    else
        snprintf(error, size, "these samples have no time of day; since the start: 0:20, 1:02:05, 12s; -5m, +30s");
    return good;
}

/* What is in `tm` as CLOCK_REALTIME; false: there is no such moment. */
static bool to_real(const struct tm *wanted, uint64_t *real_ns)
{
    struct tm tm = *wanted;
    tm.tm_isdst = -1;
    time_t t = mktime(&tm);
    if (t < 0 || tm.tm_mday != wanted->tm_mday || (uint64_t)t > UINT64_MAX / XM_NS_PER_S / 4)
        return false;
    *real_ns = (uint64_t)t * XM_NS_PER_S;
    return true;
}

bool xm_choice_parse_time(const char *text, uint64_t real_ns, uint64_t latest_ns, struct xm_jump *jump,
                          char *error, size_t size)
{
    struct tm tm;
    time_t shown = (time_t)(real_ns / XM_NS_PER_S);
    uint64_t fraction_ns;
    uint64_t moment_ns;
    text += strspn(text, " ");
    if (text[0] == '-' || text[0] == '+')
        return parse_shift(text, jump, error, size);
    if (real_ns == 0 || !localtime_r(&shown, &tm))
        return parse_place(text, jump, error, size);
    bool dated = parse_date(&text, &tm);
    if (!parse_clock(&text, &tm, &fraction_ns) || text[strspn(text, " ")] != '\0') {
        snprintf(error, size, "a time is meant: 10:42, 10:42:05, 2026-11-26 10:42, -5m, +30s");
        return false;
    }
    if (!to_real(&tm, &moment_ns)) {
        snprintf(error, size, "there is no such day");
        return false;
    }
    moment_ns += fraction_ns;
    if (!dated && moment_ns > latest_ns) {
        tm.tm_mday--; /* mktime() knows what the day before the first is */
        struct tm before = tm;
        before.tm_isdst = -1;
        time_t t = mktime(&before);
        if (t > 0)
            moment_ns = (uint64_t)t * XM_NS_PER_S + fraction_ns;
    }
    *jump = (struct xm_jump){XM_JUMP_REAL, (int64_t)moment_ns};
    return true;
}
