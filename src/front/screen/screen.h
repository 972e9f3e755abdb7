/* SPDX-License-Identifier: MIT */
/*
 * The content of the live screen: a model and a choice in, a grid out.
 *
 * From top to bottom: the title (source, time, rates, a character that changes with every new sample), a line that
 * says what the percentages are of, warnings where there are any, the header of the columns, the body that
 * scrolls, the totals, the keys.  Where there is little room the body keeps it: first the second header line, the
 * totals and the keys go, then the rest; columns go by importance, and "+N" says how many.
 *
 * Pure: no terminal, no clock.  Allocates while it builds, and frees again.
 */
#ifndef XM_SCREEN_H
#define XM_SCREEN_H

#include <stdbool.h>

#include "front/screen/choice.h"
#include "front/terminal/grid.h"
#include "front/feed/model.h"

/* The least that shows something useful; below it the screen says how small it is. */
#define XM_SCREEN_MIN_WIDTH  20u
#define XM_SCREEN_MIN_HEIGHT 5u

/* Domains that ended stay on the screen, marked, for so long. */
#define XM_SCREEN_ENDED_NS (10 * XM_NS_PER_S)

/*
 * Fills the grid, whatever its size.  choice->scroll is clamped to what there is and choice->page set.
 * keys: with the line of keys (a frame of plain text has no use for it).
 */
void xm_screen_build(const struct xm_model *model, struct xm_choice *choice, bool keys, struct xm_grid *grid);

/* Rows that a grid of this width needs for everything to be on it at once. */
unsigned xm_screen_height(const struct xm_model *model, const struct xm_choice *choice, bool keys,
                          unsigned width);

/*
 * A click at column x, row y of the grid that was built last with these arguments: on a name in the bar of views, a
 * column's title (sorts by it; again: the other way round), a line (the cursor goes there; twice: as Enter), a key
 * in the line of keys.  False: there is nothing there.
 */
bool xm_screen_click(const struct xm_model *model, struct xm_choice *choice, const struct xm_grid *grid, unsigned x,
                     unsigned y, bool twice);

#endif
