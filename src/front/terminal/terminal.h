/* SPDX-License-Identifier: MIT */
/*
 * The terminal: draws a grid, hears keys, and is left as it was found.
 *
 * The one place that knows curses.  Signals that end a program or resize its window are taken in as keys
 * (they are blocked while the terminal is open and read from a descriptor), so the loop that owns the
 * terminal ends in its own time and restores it.  For the signals of a crash there is the rescue: the
 * bytes and settings that restore the terminal, usable in a signal handler.
 *
 * Threads: one terminal a process, used by one thread; the process should have no other threads.
 */
#ifndef XM_TERMINAL_H
#define XM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "front/terminal/grid.h"
#include "xenmon/status.h"

struct xm_terminal;

/* Everything that restores the terminal without any library.  Filled by xm_terminal_open(). */
struct xm_terminal_rescue {
    int fd;               /* -1: nothing to restore */
    struct termios saved; /* settings before the terminal was opened */
    size_t size;          /* of bytes */
    char bytes[128];      /* leave the alternate screen, show the cursor, drop attributes */
};

/*
 * Takes over the terminal on standard input and output.  colour: use it where the terminal has it.
 * XM_OK: *terminal is to be closed; *rescue (may be NULL) is filled.  $ESCDELAY says for how many ms the
 * rest of a key that sends several characters is waited for (50). XM_UNSUPPORTED: no terminal, or one
 * that cannot place its cursor ($TERM is dumb, empty or not known here); XM_NOMEM, XM_IO.  `err` says it
 * in words; the terminal is untouched then.
 */
enum xm_status xm_terminal_open(bool colour, struct xm_terminal **terminal, struct xm_terminal_rescue *rescue,
                                struct xm_error *err) XM_MUST_CHECK;

/* Restores the terminal and the signal mask.  NULL is fine. */
void xm_terminal_close(struct xm_terminal *terminal);

/* Restores what it can; safe in a signal handler, from any state.  NULL is fine. */
void xm_terminal_rescue(const struct xm_terminal_rescue *rescue);

/* Columns and rows as of the last key XM_KEY_RESIZE, or of open. */
void xm_terminal_size(const struct xm_terminal *terminal, unsigned *width, unsigned *height);

/* True where it can show what is not ASCII (the locale's character set is UTF-8). */
bool xm_terminal_utf8(const struct xm_terminal *terminal);

/* Shows the grid from the upper left corner on; sends only what changed. */
void xm_terminal_draw(struct xm_terminal *terminal, const struct xm_grid *grid);

/* Sends everything again at the next draw: for a screen that something else has written on. */
void xm_terminal_redraw(struct xm_terminal *terminal);

/*
 * The next key: a character's code, or an enum xm_key (front/terminal/keys.h).  Waits at most `timeout_ms` (0:
 * not at all), then XM_KEY_NONE.  Signals come before keys.  XM_KEY_RESIZE when the window changed, XM_KEY_END when the process was
 * told to end or the terminal has gone.  SIGTSTP stops the process, with the terminal restored, inside
 * this call; coming back is XM_KEY_RESIZE, too.  A process that was started with SIGTSTP ignored goes on.
 */
int xm_terminal_key(struct xm_terminal *terminal, int timeout_ms);

/* Whether the mouse is heard (at first it is not); while it is, marking text takes the Shift key. */
void xm_terminal_use_mouse(struct xm_terminal *terminal, bool use);

/* Where the last XM_KEY_CLICK or XM_KEY_DOUBLE was: column and row of the grid. */
void xm_terminal_mouse(const struct xm_terminal *terminal, unsigned *x, unsigned *y);

/* Looks like theme number `theme` (front/terminal/theme.h) from the next draw on. */
void xm_terminal_theme(struct xm_terminal *terminal, unsigned theme);

#endif
