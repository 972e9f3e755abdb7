/* SPDX-License-Identifier: MIT */
/*
 * Keys that are not characters.  Characters are their own code (Unicode), so both fit in an int.
 */
#ifndef XM_KEYS_H
#define XM_KEYS_H

enum xm_key {
    XM_KEY_NONE = -1,
    XM_KEY_UNKNOWN = 0, /* a key, but none that means anything */
    XM_KEY_TAB = 9,
    XM_KEY_REDRAW = 12, /* Ctrl-L */
    XM_KEY_ENTER = 13,
    XM_KEY_CLEAR = 21,       /* Ctrl-U */
    XM_KEY_FIRST = 0x110000, /* after the last character there is */
    XM_KEY_UP,
    XM_KEY_DOWN,
    XM_KEY_LEFT,
    XM_KEY_RIGHT,
    XM_KEY_PAGE_UP,
    XM_KEY_PAGE_DOWN,
    XM_KEY_HOME,
    XM_KEY_LAST, /* the key End */
    XM_KEY_BACKSPACE,
    XM_KEY_DELETE,
    XM_KEY_BACK_TAB,
    XM_KEY_F1,
    XM_KEY_F2,
    XM_KEY_F3,
    XM_KEY_F4,
    XM_KEY_F5,
    XM_KEY_F6,
    XM_KEY_F10,
    XM_KEY_ESCAPE,
    XM_KEY_WHEEL_UP,
    XM_KEY_WHEEL_DOWN,
    XM_KEY_CLICK,  /* xm_terminal_mouse() says where */
    XM_KEY_DOUBLE, /* a second click in the same place */
    XM_KEY_RESIZE, /* the window has another size */
    XM_KEY_END     /* the process was told to end, or the terminal has gone */
};

#endif
