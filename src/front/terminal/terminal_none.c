/* SPDX-License-Identifier: MIT */
/* The terminal of a build without curses: there is none.  Frames of plain text remain. */
#include "front/terminal/terminal.h"

#include "front/terminal/keys.h"

enum xm_status xm_terminal_open(bool colour, struct xm_terminal **terminal, struct xm_terminal_rescue *rescue,
                                struct xm_error *err)
{
    *terminal = NULL;
    return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                   "this xenmon was built without ncursesw: no live screen");
}

void xm_terminal_close(struct xm_terminal *terminal)
{
}

void xm_terminal_rescue(const struct xm_terminal_rescue *rescue)
{
}

void xm_terminal_size(const struct xm_terminal *terminal, unsigned *width, unsigned *height)
{
    *width = 0;
    *height = 0;
}

bool xm_terminal_utf8(const struct xm_terminal *terminal)
{
    return false;
}

void xm_terminal_draw(struct xm_terminal *terminal, const struct xm_grid *grid)
{
}

void xm_terminal_redraw(struct xm_terminal *terminal)
{
}

int xm_terminal_key(struct xm_terminal *terminal, int timeout_ms)
{
    return XM_KEY_END;
}

void xm_terminal_use_mouse(struct xm_terminal *terminal, bool use)
{
}

void xm_terminal_mouse(const struct xm_terminal *terminal, unsigned *x, unsigned *y)
{
    *x = 0;
    *y = 0;
}

void xm_terminal_theme(struct xm_terminal *terminal, unsigned theme)
{
}
