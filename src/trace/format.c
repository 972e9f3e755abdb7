/* SPDX-License-Identifier: MIT */
#include "trace/format.h"

#include "base/check.h"

_Static_assert(offsetof(struct xm_event, cpu) == 8 && offsetof(struct xm_event, kind) == 10 &&
                   offsetof(struct xm_event, words) == 11 && offsetof(struct xm_event, from_to) == 12 &&
                   offsetof(struct xm_event, legacy) == 13 && sizeof(struct xm_event) == 32,
               "xm_event_meta() writes these at once");
_Static_assert(XM_EV_KINDS <= 32, "kinds are bits of a 32-bit mask");

static const struct {
    uint32_t event;
    uint8_t kind;
} single[] = {
    {XM_TRC_CONTINUE, XM_EV_CONTINUE},          {XM_TRC_DOM_ADD, XM_EV_DOM_ADD},
    {XM_TRC_DOM_REM, XM_EV_DOM_REM},            {XM_TRC_GRANT_MAP, XM_EV_GRANT_MAP},
    {XM_TRC_GRANT_UNMAP, XM_EV_GRANT_UNMAP},    {XM_TRC_GRANT_TRANSFER, XM_EV_TRANSFER},
};

/* Scheduler events that kept their minor number when 3.4 moved them from 0x2f0nn to 0x280nn. */
static const struct {
    uint8_t minor, kind, words;
} verbose[] = {
    {0x01, XM_EV_SCHED_ADD, 1}, {0x02, XM_EV_SCHED_REM, 1}, {0x03, XM_EV_SLEEP, 2},
    {0x04, XM_EV_WAKE, 2},      {0x05, XM_EV_YIELD, 2},     {0x06, XM_EV_BLOCK, 2},
    {0x0a, XM_EV_SWITCH, 4},    {0x0e, XM_EV_INFPREV, 2},   {0x0f, XM_EV_INFNEXT, 3},
};

static void add(struct xm_wanted_table *table, uint32_t kinds, struct xm_wanted wanted)
{
    struct xm_wanted *entry = &table->entry[xm_wanted_index(wanted.event)];
    if (!(kinds >> xm_meta_kind(wanted.meta) & 1u))
        return;
    XM_ASSERT(entry->event == UINT32_MAX);
    *entry = wanted;
}

void xm_wanted_fill(struct xm_wanted_table *table, uint32_t kinds)
{
    for (unsigned i = 0; i < 1u << XM_WANTED_BITS; i++)
        table->entry[i] = (struct xm_wanted){.event = UINT32_MAX};
    for (unsigned i = 0; i < sizeof single / sizeof single[0]; i++)
        add(table, kinds, (struct xm_wanted){.event = single[i].event, .words = 1, .meta = xm_event_meta(single[i].kind, 0, 0)});
    for (unsigned i = 0; i < sizeof verbose / sizeof verbose[0]; i++)
        for (unsigned legacy = 0; legacy <= 1; legacy++)
            add(table, kinds,
                (struct xm_wanted){.event = (legacy ? XM_LEGACY_SCHED : XM_VERBOSE_SCHED) | verbose[i].minor,
                                   .words = verbose[i].words,
                                   .meta = xm_event_meta(verbose[i].kind, 0, legacy)});
    for (unsigned from = XM_RUNNING; from <= XM_OFFLINE; from++)
        for (unsigned to = XM_RUNNING; to <= XM_OFFLINE; to++)
            if (from != to)
                add(table, kinds,
                    (struct xm_wanted){.event = XM_TRC_RUNSTATE | from << 8 | to << 4,
                                       .words = 1,
                                       .meta = xm_event_meta(XM_EV_RUNSTATE, from << 2 | to, 0)});
    static const uint32_t hypercalls[] = {XM_TRC_PV_HYPERCALL, XM_TRC_PV_SUBCALL};
    for (unsigned i = 0; i < 2; i++)
        add(table, kinds,
            (struct xm_wanted){.event = hypercalls[i], .words = XM_WORDS_LOOK_CLOSER,
                               .mask = XM_HYPERCALL_MASK, .value = XM_HYPERCALL_GRANT_TABLE_OP,
                               .meta = xm_event_meta(XM_EV_GRANT_COPIES, 0, 0)});
}

const char *xm_class_name(unsigned index)
{
    static const char *const names[XM_CLASSES] = {"gen", "sched", "dom0op", "hvm",  "mem",   "pv",  "shadow",
                                                  "hw",  "8",     "9",      "10",   "guest"};
    return index < XM_CLASSES ? names[index] : NULL;
}

#define GNTTABOP_COPY 5u

uint32_t xm_hypercall_copies(const uint32_t *word, unsigned words)
{
    uint32_t head = word[0];
    unsigned at = 1;
    uint32_t arg[3] = {0, 0, 0};
    if ((head & XM_HYPERCALL_MASK) != XM_HYPERCALL_GRANT_TABLE_OP)
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
