/* SPDX-License-Identifier: MIT */
/*
 * Keys that are not characters.  Characters are their own code, so both fit in an int.
 */
#ifndef XM_KEYS_H
#define XM_KEYS_H

enum xm_key {
    XM_KEY_NONE = -1,
    XM_KEY_REDRAW = 12,      /* Ctrl-L */
    XM_KEY_FIRST = 0x110000, /* after the last character there is */
    XM_KEY_UP,
    XM_KEY_DOWN,
    XM_KEY_PAGE_UP,
    XM_KEY_PAGE_DOWN,
    XM_KEY_HOME,
    XM_KEY_LAST, /* the key End */
    XM_KEY_F1,
    XM_KEY_F10,
    XM_KEY_ESCAPE,
    XM_KEY_RESIZE, /* the window has another size */
    XM_KEY_END     /* the process was told to end, or the terminal has gone */
};

#endif
