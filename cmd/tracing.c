/* SPDX-License-Identifier: MIT */
#include "tracing.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_BITS 0x0fff0000u
#define SUBCLASS_BITS 0x0000f000u

/* The first ones are xentrace's own words for whole classes. */
static const struct {
    const char *name;
    uint32_t mask;
    const char *text; /* NULL: not told of by itself */
} events[] = {
    {"all", 0x0ffff000u, NULL},
    {"gen", 0x0001f000u, "general"},
    {"sched", 0x0002f000u, NULL},
    {"dom0op", 0x0004f000u, NULL},
    {"hvm", 0x0008f000u, "HVM"},
    {"mem", 0x0010f000u, NULL},
    {"pv", 0x0020f000u, NULL},
    {"shadow", 0x0040f000u, "shadow paging"},
    {"hw", 0x0080f000u, "hardware"},
    {"guest", 0x0800f000u, "what guests write themselves"},
    {"runstates", 0x00021000u, "runstates"},
    {"slices", 0x00028000u, "slices"},
    {"grants", 0x00101000u, "grants"},
    {"domains", 0x00041000u, "domains"},
    {"copies", 0x00203000u, "PV hypercalls"},
};
#define EVENTS (sizeof events / sizeof events[0])

const char *xm_events_name(unsigned index, uint32_t *mask)
{
    if (index >= EVENTS)
        return NULL;
    *mask = events[index].mask;
    return events[index].name;
}

static bool read_number(const char *text, size_t length, uint32_t *mask)
{
    char digits[16];
    char *end;
    if (length == 0 || length >= sizeof digits || !isdigit((unsigned char)text[0]))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    unsigned long n = strtoul(digits, &end, 0);
    if (*end || n > UINT32_MAX)
        return false;
    *mask |= (uint32_t)n;
    return true;
}

static bool read_event(const char *text, size_t length, uint32_t *mask)
{
    for (size_t i = 0; i < EVENTS; i++) {
        if (strlen(events[i].name) == length && strncasecmp(events[i].name, text, length) == 0) {
            *mask |= events[i].mask;
            return true;
        }
    }
    return read_number(text, length, mask);
}

bool xm_read_events(const char *text, uint32_t *mask)
{
    uint32_t sum = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        if (!read_event(text, length, &sum))
            return false;
        if (!text[length])
            break;
        text += length + 1;
    }
    if (!(sum & CLASS_BITS) || !(sum & SUBCLASS_BITS))
        return false;
    *mask = sum;
    return true;
}

void xm_events_text(uint32_t mask, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < EVENTS; i++) {
        bool passes = mask & events[i].mask & CLASS_BITS && mask & events[i].mask & SUBCLASS_BITS;
        if (!passes || !events[i].text)
            continue;
        int n = snprintf(text + used, size - used, "%s%s", used ? ", " : "", events[i].text);
        if (n < 0 || (size_t)n >= size - used)
            return;
        used += (size_t)n;
    }
}

static void add_cpus(struct xm_cpu_set *set, unsigned long from, unsigned long to)
{
    for (unsigned long cpu = from; cpu <= to; cpu++)
        set->bitmap[cpu / 8] |= (uint8_t)(1u << cpu % 8);
}

/* "7", "0-3", "12-" at *text; moves it behind. */
static bool read_range(const char **text, struct xm_cpu_set *set)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    unsigned long from = strtoul(*text, &end, 10);
    unsigned long to = from;
    if (*end == '-') {
        const char *second = end + 1;
        to = XM_CPU_SET_BITS - 1;
        end++;
        if (isdigit((unsigned char)*second))
            to = strtoul(second, &end, 10);
    }
    *text = end;
    if (from > to || to >= XM_CPU_SET_BITS)
        return false;
    add_cpus(set, from, to);
    return true;
}

static bool read_mask(const char *digits, struct xm_cpu_set *set)
{
    size_t length = strlen(digits);
    if (length == 0 || length > XM_CPU_SET_BITS / 4 || strspn(digits, "0123456789abcdefABCDEF") != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char digit[] = {digits[length - 1 - i], '\0'};
        unsigned long n = strtoul(digit, NULL, 16);
        set->bitmap[i / 2] |= (uint8_t)(n << 4 * (i % 2));
    }
    return true;
}

bool xm_read_cpus(const char *text, struct xm_cpu_set *set)
{
    static const uint8_t none[sizeof set->bitmap];
    struct xm_cpu_set read = {.given = true};
    if (strcmp(text, "all") == 0) {
        *set = (struct xm_cpu_set){.given = false};
        return true;
    }
    if (strncasecmp(text, "0x", 2) == 0) {
        if (!read_mask(text + 2, &read))
            return false;
    } else {
        bool good = read_range(&text, &read);
        while (good && *text == ',') {
            text++;
            good = read_range(&text, &read);
        }
        if (!good || *text)
            return false;
    }
    if (memcmp(read.bitmap, none, sizeof none) == 0)
        return false;
    *set = read;
    return true;
}
