/* SPDX-License-Identifier: MIT */
#include "trace/format.h"

#include "base/check.h"

static const struct xm_wanted fixed_numbers[] = {
    {XM_TRC_CONTINUE, XM_EV_CONTINUE, 1, 0, 0},
    {XM_TRC_DOM_ADD, XM_EV_DOM_ADD, 1, 0, 0},
    {XM_TRC_DOM_REM, XM_EV_DOM_REM, 1, 0, 0},
    {XM_TRC_GRANT_MAP, XM_EV_GRANT_MAP, 1, 0, 0},
    {XM_TRC_GRANT_UNMAP, XM_EV_GRANT_UNMAP, 1, 0, 0},
    {XM_TRC_GRANT_TRANSFER, XM_EV_TRANSFER, 1, 0, 0},
    {XM_TRC_PV_HYPERCALL, XM_EV_HYPERCALL, 1, 0, 0},
    {XM_TRC_PV_SUBCALL, XM_EV_HYPERCALL, 1, 0, 0},
};

/* Scheduler events that kept their minor number when 3.4 moved them from 0x2f0nn to 0x280nn. */
static const struct {
    uint8_t minor, kind, words;
} verbose[] = {
    {0x01, XM_EV_SCHED_ADD, 1}, {0x02, XM_EV_SCHED_REM, 1}, {0x03, XM_EV_SLEEP, 2},
    {0x04, XM_EV_WAKE, 2},      {0x05, XM_EV_YIELD, 2},     {0x06, XM_EV_BLOCK, 2},
    {0x0a, XM_EV_SWITCH, 4},    {0x0e, XM_EV_INFPREV, 2},   {0x0f, XM_EV_INFNEXT, 3},
};

static void add(struct xm_wanted_table *table, struct xm_wanted wanted)
{
    struct xm_wanted *entry = &table->entry[xm_wanted_index(wanted.event)];
    XM_ASSERT(entry->event == UINT32_MAX);
    *entry = wanted;
}

void xm_wanted_fill(struct xm_wanted_table *table)
{
    for (unsigned i = 0; i < 1u << XM_WANTED_BITS; i++)
        table->entry[i] = (struct xm_wanted){.event = UINT32_MAX};
    for (unsigned i = 0; i < sizeof fixed_numbers / sizeof fixed_numbers[0]; i++)
        add(table, fixed_numbers[i]);
    for (unsigned i = 0; i < sizeof verbose / sizeof verbose[0]; i++) {
        add(table, (struct xm_wanted){0x28000u | verbose[i].minor, verbose[i].kind, verbose[i].words, 0, 0});
        add(table, (struct xm_wanted){XM_LEGACY_SCHED | verbose[i].minor, verbose[i].kind, verbose[i].words, 0, 1});
    }
    for (unsigned from = XM_RUNNING; from <= XM_OFFLINE; from++)
        for (unsigned to = XM_RUNNING; to <= XM_OFFLINE; to++)
            if (from != to)
                add(table, (struct xm_wanted){XM_TRC_RUNSTATE | from << 8 | to << 4, XM_EV_RUNSTATE, 1,
                                              (uint8_t)(from << 2 | to), 0});
}

const char *xm_class_name(unsigned index)
{
    static const char *const names[XM_CLASSES] = {"gen", "sched", "dom0op", "hvm",  "mem",   "pv",  "shadow",
                                                  "hw",  "8",     "9",      "10",   "guest", "none"};
    return index < XM_CLASSES ? names[index] : NULL;
}

#define HYPERCALL_GRANT_TABLE_OP 20u
#define GNTTABOP_COPY 5u

uint32_t xm_hypercall_copies(const uint32_t *word, unsigned words)
{
    uint32_t head = word[0];
    unsigned at = 1;
    uint32_t arg[3] = {0, 0, 0};
    if ((head & 0xfffffu) != HYPERCALL_GRANT_TABLE_OP)
        return 0;
    for (unsigned i = 0; i < 3; i++) {
        unsigned size = head >> (20 + 2 * i) & 3u;
        if (size == 0)
            continue;
        if (at >= words)
            return 0;
        arg[i] = word[at];
        at += size;
    }
    return arg[0] == GNTTABOP_COPY ? arg[2] : 0;
}
