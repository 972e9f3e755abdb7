/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef unsigned __int128 u128;

#define HELP_INDENT 26
#define HELP_WIDTH  80
#define MAX_RATE_HZ (UINT64_C(1) << 40)
#define MILLIONTHS  1000000u

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit durations[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60000000000)},
    {"min", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
    {"d", UINT64_C(86400000000000)},
};
static const struct unit sizes[] = {
    {"", 1},
    {"b", 1},
    {"k", UINT64_C(1) << 10},
    {"kib", UINT64_C(1) << 10},
    {"m", UINT64_C(1) << 20},
    {"mib", UINT64_C(1) << 20},
    {"g", UINT64_C(1) << 30},
    {"gib", UINT64_C(1) << 30},
    {"t", UINT64_C(1) << 40},
    {"tib", UINT64_C(1) << 40},
};
static const struct unit rates[] = {
    {"", 1}, {"hz", 1}, {"khz", 1000}, {"mhz", 1000000}, {"ghz", 1000000000},
};

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/*
 * A decimal number with at most 12 digits after the point: whole + fraction / 10^digits.  NULL: there is
 * none.
 */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale;
};

static const char *read_decimal(const char *text, struct decimal *d)
{
    *d = (struct decimal){.scale = 1};
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(d->whole, 10, &d->whole) ||
            __builtin_add_overflow(d->whole, (unsigned)(*text - '0'), &d->whole))
            return NULL;
    }
    if (*text != '.')
        return text;
    text++;
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        if (d->scale >= UINT64_C(1000000000000))
            return NULL;
        d->fraction = d->fraction * 10 + (unsigned)(*text - '0');
        d->scale *= 10;
    }
    return text;
}

static bool times(const struct decimal *d, uint64_t factor, uint64_t *result)
{
    u128 value = (u128)d->whole * factor + (u128)d->fraction * factor / d->scale;
    if (value >> 64)
        return false;
    *result = (uint64_t)value;
    return true;
}

typedef int compare_names(const char *a, const char *b);

static bool read_unit(const char *text, const struct unit *units, size_t count, compare_names *compare,
                      uint64_t *result)
{
    struct decimal d;
    const char *rest = read_decimal(text, &d);
    if (!rest)
        return false;
    for (size_t i = 0; i < count; i++)
        if (compare(rest, units[i].name) == 0)
            return times(&d, units[i].factor, result);
    return false;
}

bool xm_read_count(const char *text, uint64_t *count)
{
    struct decimal d;
    const char *rest = read_decimal(text, &d);
    if (!rest || *rest || d.scale != 1)
        return false;
    *count = d.whole;
    return true;
}

bool xm_read_duration(const char *text, uint64_t unit_ns, uint64_t *ns)
{
    struct decimal d;
    const char *rest = read_decimal(text, &d);
    if (rest && !*rest && (unit_ns || (d.whole == 0 && d.fraction == 0)))
        return times(&d, unit_ns, ns);
    return read_unit(text, durations, ELEMENTS(durations), strcmp,
                     ns); /* 1m is a minute, 1M is no duration */
}

bool xm_read_size(const char *text, uint64_t *bytes)
{
    return read_unit(text, sizes, ELEMENTS(sizes), strcasecmp, bytes);
}

bool xm_read_hz(const char *text, uint64_t *hz)
{
    uint64_t value;
    if (!read_unit(text, rates, ELEMENTS(rates), strcasecmp, &value) || value == 0 || value > MAX_RATE_HZ)
        return false;
    *hz = value;
    return true;
}

bool xm_read_loss(const char *text, struct xm_max_loss *loss)
{
    struct decimal d;
    struct xm_max_loss result = {.limited = true};
    if (strcmp(text, "none") == 0) {
        *loss = (struct xm_max_loss){0};
        return true;
    }
    const char *rest = read_decimal(text, &d);
    if (!rest)
        return false;
    if (strcmp(rest, "%") == 0) {
        result.percentage = true;
        if (!times(&d, MILLIONTHS, &result.value) || result.value > UINT64_C(100) * MILLIONTHS)
            return false;
    } else if (*rest || d.scale != 1) {
        return false;
    } else {
        result.value = d.whole;
    }
    *loss = result;
    return true;
}

bool xm_loss_exceeds(const struct xm_max_loss *loss, uint64_t lost, uint64_t records)
{
    if (!loss->limited)
        return false;
    if (!loss->percentage)
        return lost > loss->value;
    return (u128)lost * 100 * MILLIONTHS > (u128)loss->value * ((u128)records + lost);
}

/* ---- Setters. */

static bool in_range(const struct xm_option *option, uint64_t value)
{
    return value >= option->min && (option->max == 0 || value <= option->max);
}

/* What a duration that is one is not. */
static const char out_of_range[] = "within the range";

const char *xm_set_flag(const struct xm_option *option, const char *text, void *where)
{
    *(bool *)where = true;
    return NULL;
}

const char *xm_set_no(const struct xm_option *option, const char *text, void *where)
{
    *(bool *)where = false;
    return NULL;
}

const char *xm_set_text(const struct xm_option *option, const char *text, void *where)
{
    *(const char **)where = text ? text : "";
    return NULL;
}

const char *xm_set_count(const struct xm_option *option, const char *text, void *where)
{
    uint64_t value;
    if (!xm_read_count(text, &value) || !in_range(option, value))
        return "a whole number";
    *(uint64_t *)where = value;
    return NULL;
}

const char *xm_set_duration(const struct xm_option *option, const char *text, void *where)
{
    uint64_t value;
    if (!xm_read_duration(text, option->unit, &value))
        return "a duration such as 500ms, 1s or 2m";
    if (!in_range(option, value))
        return out_of_range;
    *(uint64_t *)where = value;
    return NULL;
}

const char *xm_set_size(const struct xm_option *option, const char *text, void *where)
{
    uint64_t value;
    if (!xm_read_size(text, &value) || !in_range(option, value))
        return "a size such as 65536, 64K or 1M";
    *(uint64_t *)where = value;
    return NULL;
}

const char *xm_set_hz(const struct xm_option *option, const char *text, void *where)
{
    return xm_read_hz(text, where) ? NULL : "a frequency such as 2793439000, 2793439kHz or 2.79GHz";
}

const char *xm_set_loss(const struct xm_option *option, const char *text, void *where)
{
    return xm_read_loss(text, where) ? NULL : "a number of records, a percentage such as 0.5%, or none";
}

const char *xm_set_choice(const struct xm_option *option, const char *text, void *where)
{
    size_t length = strlen(text);
    unsigned index = 0;
    for (const char *word = option->value; word; index++) {
        const char *end = strchrnul(word, '|');
        if (length && (size_t)(end - word) == length && memcmp(word, text, length) == 0) {
            *(unsigned *)where = index;
            return NULL;
        }
        word = *end ? end + 1 : NULL;
    }
    return option->value;
}

/* ---- Reading a command line. */

struct reading {
    const struct xm_option *options;
    size_t count;
    void *config;
    int argc;
    char **argv;
    int next; /* argument to be read next */
    bool *given; /* may be NULL */
    struct xm_error *err;
};

/* In the largest unit that needs no fraction. */
static void describe_bound(const struct xm_option *option, uint64_t value, char text[40])
{
    const struct unit *best = NULL;
    if (option->set == xm_set_duration)
        for (size_t i = 0; i < ELEMENTS(durations); i++)
            if (value % durations[i].factor == 0 && (value || durations[i].factor == 1000000000) &&
                (!best || durations[i].factor > best->factor))
                best = &durations[i];
    snprintf(text, 40, "%" PRIu64 "%s", best ? value / best->factor : value, best ? best->name : "");
}

/* A range in the words its option is written in. */
static void describe_range(const struct xm_option *option, char *text, size_t size)
{
    char least[40];
    char most[40];
    *text = '\0';
    if (option->min == 0 && option->max == 0)
        return;
    describe_bound(option, option->min, least);
    describe_bound(option, option->max, most);
    if (option->max)
        snprintf(text, size, ", %s to %s", least, most);
    else
        snprintf(text, size, ", %s or more", least);
}

bool xm_option_apply(const struct xm_option *option, const char *text, void *config, char *cause, size_t size)
{
    const char *wanted = option->set(option, text, (char *)config + option->offset);
    char range[100];
    if (!wanted)
        return true;
    describe_range(option, range, sizeof range);
    snprintf(cause, size, "'%.60s' is not %s%s%s", text ? text : "", option->set == xm_set_choice ? "one of " : "",
             wanted, range);
    return false;
}

static enum xm_status apply(struct reading *r, const struct xm_option *option, const char *text)
{
    char cause[300];
    if (!xm_option_apply(option, text, r->config, cause, sizeof cause))
        return xm_fail(r->err, XM_INVALID, XM_NO_OFFSET, "--%s: %s", option->name, cause);
    if (r->given)
        r->given[option - r->options] = true;
    return XM_OK;
}

static enum xm_status find_long(struct reading *r, const char *name, size_t length,
                                const struct xm_option **found)
{
    unsigned matches = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct xm_option *option = &r->options[i];
        if (!option->name || strncmp(option->name, name, length) != 0)
            continue;
        *found = option;
        if (option->name[length] == '\0')
            return XM_OK;
        matches++;
    }
    if (matches == 1 && length)
        return XM_OK;
    return xm_fail(r->err, XM_INVALID, XM_NO_OFFSET,
                   matches > 1 && length ? "option '--%.*s' is ambiguous" : "there is no option '--%.*s'",
                   (int)(length > 60 ? 60 : length), name);
}

static enum xm_status read_long(struct reading *r, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    const struct xm_option *option = NULL;
    const char *value = equals ? equals + 1 : NULL;
    enum xm_status status = find_long(r, text, length, &option);
    if (status != XM_OK || !option)
        return status;
    if (option->argument == XM_ARG_NONE && value)
        return xm_fail(r->err, XM_INVALID, XM_NO_OFFSET, "option '--%s' takes no value", option->name);
    if (option->argument == XM_ARG_NEEDED && !value) {
        if (r->next >= r->argc)
            return xm_fail(r->err, XM_INVALID, XM_NO_OFFSET, "option '--%s' needs a value", option->name);
        value = r->argv[r->next++];
    }
    return apply(r, option, value);
}

static const struct xm_option *find_letter(const struct reading *r, char letter)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->options[i].name && r->options[i].letter == letter)
            return &r->options[i];
    return NULL;
}

/* -abc: flags, the last of which may have its value joined or as the next argument. */
static enum xm_status read_letters(struct reading *r, const char *text)
{
    while (*text) {
        const struct xm_option *option = find_letter(r, *text);
        if (!option)
            return xm_fail(r->err, XM_INVALID, XM_NO_OFFSET, "there is no option '-%c'",
                           isprint((unsigned char)*text) ? *text : '?');
        text++;
        const char *value = NULL;
        if (option->argument != XM_ARG_NONE && *text) {
            value = text;
            text = "";
        } else if (option->argument == XM_ARG_NEEDED) {
            if (r->next >= r->argc)
                return xm_fail(r->err, XM_INVALID, XM_NO_OFFSET, "option '-%c' needs a value",
                               option->letter);
            value = r->argv[r->next++];
        }
        enum xm_status status = apply(r, option, value);
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

enum xm_status xm_options_read(const struct xm_option *options, size_t count, void *config, int argc,
                               char **argv, int *operands, struct xm_error *err)
{
    return xm_options_read_given(options, count, config, argc, argv, operands, NULL, err);
}

enum xm_status xm_options_read_given(const struct xm_option *options, size_t count, void *config, int argc,
                                     char **argv, int *operands, bool *given, struct xm_error *err)
{
    struct reading r = {options, count, config, argc, argv, 1, given, err};
    bool only_operands = false;
    int kept = 0;
    while (r.next < argc) {
        char *text = argv[r.next++];
        enum xm_status status = XM_OK;
        if (only_operands || text[0] != '-' || text[1] == '\0')
            argv[++kept] = text; /* never ahead of `next`, so nothing unread is overwritten */
        else if (strcmp(text, "--") == 0)
            only_operands = true;
        else if (text[1] == '-')
            status = read_long(&r, text + 2);
        else
            status = read_letters(&r, text + 1);
        if (status != XM_OK)
            return status;
    }
    *operands = kept;
    return XM_OK;
}

enum xm_status xm_options_look(const struct xm_option *options, size_t count, void *config, int argc,
                               char **argv, int *operands, bool *given, struct xm_error *err)
{
    char **copy = malloc(((size_t)argc + 1) * sizeof *copy);
    if (!copy)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    memcpy(copy, argv, (size_t)argc * sizeof *copy);
    copy[argc] = NULL;
    enum xm_status status = xm_options_read_given(options, count, config, argc, copy, operands, given, err);
    free(copy);
    return status;
}

/* ---- Help and messages. */

/* Words of `text` from column `at` on, continued at column HELP_INDENT. */
static void print_wrapped(const char *text, int at, FILE *out)
{
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > HELP_INDENT && at + 1 + length > HELP_WIDTH - 1) {
            fprintf(out, "\n%*s", HELP_INDENT, "");
            at = HELP_INDENT;
        } else if (at > HELP_INDENT) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", length, text);
        at += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_option(const struct xm_option *o, FILE *out)
{
    char left[80];
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    bool optional = o->argument == XM_ARG_OPTIONAL;
    int width = snprintf(left, sizeof left, "  %s--%s%s%s%s%s", letter, o->name, optional ? "[" : "",
                         o->value ? "=" : "", o->value ? o->value : "", optional ? "]" : "");
    if (width < HELP_INDENT - 1)
        fprintf(out, "%-*s", HELP_INDENT, left);
    else
        fprintf(out, "%s\n%*s", left, HELP_INDENT, "");
    print_wrapped(o->help, HELP_INDENT, out);
}

void xm_options_print(const struct xm_option *options, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!options[i].help)
            continue;
        if (options[i].name)
            print_option(&options[i], out);
        else
            fprintf(out, "\n%s\n", options[i].help);
    }
}

static void complain(const char *program, const char *format, va_list args) XM_PRINTF(2, 0);
XM_PRINTF(2, 0) static void complain(const char *program, const char *format, va_list args)
{
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, args);
}

void xm_complain(const char *program, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(program, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int xm_usage_error(const char *program, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(program, format, args);
    va_end(args);
    fprintf(stderr, " (try '%s --help')\n", program);
    return XM_EXIT_USAGE;
}
