/* SPDX-License-Identifier: MIT */
/* A host made up for the tests of the screen: three domains on two pCPUs over ten seconds, at 1 GHz. */
#ifndef XM_TEST_FAKE_H
#define XM_TEST_FAKE_H

#include "front/screen/choice.h"
#include "front/terminal/grid.h"
#include "front/feed/model.h"

/* Slots of the domains, not in the order of their ids. */
enum { FAKE_WEB, FAKE_DOM0, FAKE_STARVED, FAKE_DOMAINS };

struct fake {
    struct xm_model model;
    struct xm_sample from[XM_SPANS], to;
    struct xm_scale scale;
    struct xm_region_domain fact[8];
};

/*
 * In the last second, of which 10 s are ten times as much:
 *   Domain-0 (dom 0), 2 vCPUs: v0 running 300 ms, waiting 100 ms, blocked 600 ms; v1 blocked throughout
 *   web (dom 1), 1 vCPU: running 500 ms (200 on cpu 0, 300 on cpu 2), waiting 250 ms, blocked 250 ms
 *   dom 7, 1 vCPU: waiting throughout, never dispatched
 * pCPUs are 0 and 2.  web has 100 executions a second and 50 grant maps of its pages, done by Domain-0, which has 200
 * executions; slices of 1 to 10 ms, 5 ms on average.
 */
void fake_make(struct fake *f);
void fake_free(struct fake *f);

/* The screen as lines: line y, without trailing blanks, in a buffer of the caller's. */
const char *fake_line(const struct xm_grid *grid, unsigned y, char text[4096]);

/* The first line that contains `what`, from line `first` on; fails the test where there is none. */
unsigned fake_find(const struct xm_grid *grid, unsigned first, const char *what);

#endif
