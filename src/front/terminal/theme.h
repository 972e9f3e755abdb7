/* SPDX-License-Identifier: MIT */
/*
 * How meanings look: a table of themes, each for terminals of 256 colours, of 8 or 16, and of none.
 *
 * Colour never says what the text does not: a theme may be changed, or lost, and nothing is.
 *
 * Pure: knows no terminal.
 */
#ifndef XM_THEME_H
#define XM_THEME_H

#include <stdbool.h>
#include <stdint.h>

#include "front/terminal/grid.h"

/* Attributes, or-ed. */
#define XM_LOOK_BOLD      1u
#define XM_LOOK_DIM       2u
#define XM_LOOK_UNDERLINE 4u
#define XM_LOOK_REVERSE   8u

/* Colours are those of the xterm palette, 0 to 255; -1: the terminal's own. */
struct xm_look {
    int16_t ink, paper;
    uint8_t attributes;
};

/* The name of a theme ("dark", "light", "high-contrast", "mono" ...); NULL past the last. */
const char *xm_theme_name(unsigned theme);

/* The theme of that name; false: there is none, *theme is left alone. */
bool xm_theme_find(const char *name, unsigned *theme);

/* How `meaning` looks on a terminal of so many colours (0 or 1: none, 8, 16, 88, 256 and more). */
struct xm_look xm_theme_look(unsigned theme, enum xm_meaning meaning, unsigned colours);

#endif
