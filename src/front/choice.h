/* SPDX-License-Identifier: MIT */
/*
 * What the person in front of the screen has chosen to see, and the keys that choose it.
 */
#ifndef XM_CHOICE_H
#define XM_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "front/keys.h"
#include "front/model.h"

enum xm_screen_view { XM_VIEW_DOMAINS, XM_VIEW_VCPUS, XM_VIEW_HELP };

/* Groups of rows in the domains view; Gotten is always there. */
enum xm_screen_rows {
    XM_ROWS_GOTTEN,
    XM_ROWS_ALLOCATED,
    XM_ROWS_WAITED,
    XM_ROWS_BLOCKED,
    XM_ROWS_EXECUTIONS,
    XM_ROWS_IO,
    XM_ROWS_COUNT
};

struct xm_choice {
    enum xm_screen_view view;
    enum xm_screen_view before_help; /* where the help goes back to */
    bool rows[XM_ROWS_COUNT];
    bool one_cpu;    /* the view of one pCPU */
    uint32_t cpu;    /* its number, where one_cpu */
    bool of_one_cpu; /* percentages are of one pCPU's time, and can pass 100; else of all the vCPUs' time */
    unsigned scroll; /* body lines scrolled off the top; the screen clamps it */
    unsigned page;   /* body lines shown, set by the screen */
    uint64_t interval_ns; /* between refreshes */
    bool redraw;          /* asked for; whoever draws clears it */
    bool quit;
};

#define XM_CHOICE_MIN_INTERVAL_NS UINT64_C(100000000)
#define XM_CHOICE_MAX_INTERVAL_NS UINT64_C(60000000000)

/* The paper's screen: all rows of all domains on all pCPUs, once a second. */
void xm_choice_init(struct xm_choice *choice);

/*
 * Does what `key` (front/keys.h) stands for.  The model says which pCPUs there are.
 * Returns false for a key that stands for nothing.
 */
bool xm_choice_key(struct xm_choice *choice, const struct xm_model *model, int key);

#endif
