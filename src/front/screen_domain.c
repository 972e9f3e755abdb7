/* SPDX-License-Identifier: MIT */
/* One domain in depth. */
#include "front/screen_int.h"

bool xm_screen_depth_slot(const struct xm_model *model, const struct xm_choice *choice, uint32_t *slot)
{
    (void)model;
    (void)choice;
    *slot = 0;
    return false;
}

uint64_t xm_screen_depth_step(const struct xm_model *model, const struct xm_choice *choice, int steps)
{
    (void)model;
    (void)steps;
    return choice->domain;
}

void xm_screen_domain_header(const struct xm_painter *p, unsigned y, unsigned rows)
{
    (void)rows;
    xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_HEADER);
}

void xm_screen_domain_body(struct xm_painter *p)
{
    unsigned y;
    if (xm_painter_line(p, &y))
        xm_grid_put(p->grid, 0, y, XM_MEANING_FAINT, "no domain seen yet");
}
