/* SPDX-License-Identifier: MIT */
/*
 * The themes.  A meaning's row has its colours for 256 and for 16 colours; terminals of 8 get the dark
 * half of those, in bold where it was the bright one.  Text has a contrast of 4.5 or more to what is
 * behind it (7 in high-contrast), and the states of time stay apart: tests/unit/front/test_theme.c
 * computes both.
 */
#include "front/terminal/theme.h"

#include <stddef.h>
#include <string.h>

#define OWN (-1) /* the terminal's own colour */

/* Colours with 256 and with 16 of them; the attributes are for both. */
struct row {
    int16_t ink, paper, ink16, paper16;
    uint8_t attributes;
};

struct theme {
    const char *name;
    const struct row *rows; /* by meaning; NULL: no colours at all */
};

/* Without colours.  Nothing else is bold in reverse, so that a warning cannot be overlooked. */
static const uint8_t without_colours[XM_MEANINGS] = {
    [XM_MEANING_TITLE] = XM_LOOK_BOLD,
    [XM_MEANING_HEADER] = XM_LOOK_REVERSE,
    [XM_MEANING_SUBJECT] = XM_LOOK_BOLD,
    [XM_MEANING_FAINT] = XM_LOOK_DIM,
    [XM_MEANING_RUNNING] = XM_LOOK_BOLD,
    [XM_MEANING_WAITING] = XM_LOOK_REVERSE,
    [XM_MEANING_WARNING] = XM_LOOK_BOLD | XM_LOOK_REVERSE,
    [XM_MEANING_KEY] = XM_LOOK_REVERSE,
    [XM_MEANING_OFFLINE] = XM_LOOK_DIM,
    [XM_MEANING_UNKNOWN] = XM_LOOK_UNDERLINE,
    [XM_MEANING_TAB_HERE] = XM_LOOK_REVERSE,
    [XM_MEANING_CURSOR] = XM_LOOK_REVERSE,
    [XM_MEANING_FOUND] = XM_LOOK_BOLD | XM_LOOK_UNDERLINE,
    [XM_MEANING_SORTED] = XM_LOOK_REVERSE | XM_LOOK_UNDERLINE,
    [XM_MEANING_PROMPT] = XM_LOOK_BOLD,
};

/* On a dark background. */
static const struct row dark[XM_MEANINGS] = {
    [XM_MEANING_NORMAL] = {OWN, OWN, OWN, OWN, 0}, [XM_MEANING_TITLE] = {OWN, OWN, OWN, OWN, XM_LOOK_BOLD},
    [XM_MEANING_HEADER] = {252, 238, 0, 7, 0},     [XM_MEANING_SUBJECT] = {OWN, OWN, OWN, OWN, XM_LOOK_BOLD},
    [XM_MEANING_LABEL] = {250, OWN, OWN, OWN, 0},  [XM_MEANING_FAINT] = {245, OWN, 7, OWN, XM_LOOK_DIM},
    [XM_MEANING_RUNNING] = {78, OWN, 2, OWN, 0},   [XM_MEANING_WAITING] = {214, OWN, 3, OWN, 0},
    [XM_MEANING_BLOCKED] = {75, OWN, 6, OWN, 0},   [XM_MEANING_WARNING] = {231, 124, 15, 1, XM_LOOK_BOLD},
    [XM_MEANING_KEY] = {252, 240, 0, 7, 0},        [XM_MEANING_OFFLINE] = {246, OWN, 7, OWN, 0},
    [XM_MEANING_UNKNOWN] = {176, OWN, 5, OWN, 0},  [XM_MEANING_TAB] = {250, OWN, OWN, OWN, 0},
    [XM_MEANING_TAB_HERE] = {16, 75, 0, 6, 0},     [XM_MEANING_CURSOR] = {231, 24, 7, 4, XM_LOOK_BOLD},
    [XM_MEANING_FOUND] = {16, 220, 0, 3, 0},       [XM_MEANING_SORTED] = {221, 238, 0, 7, XM_LOOK_UNDERLINE},
    [XM_MEANING_POPUP] = {252, 236, OWN, OWN, 0},  [XM_MEANING_PROMPT] = {231, OWN, 15, OWN, XM_LOOK_BOLD},
};

/* On a light background, where yellow and the terminal's bright colours cannot be read. */
static const struct row light[XM_MEANINGS] = {
    [XM_MEANING_NORMAL] = {OWN, OWN, OWN, OWN, 0},
    [XM_MEANING_TITLE] = {OWN, OWN, OWN, OWN, XM_LOOK_BOLD},
    [XM_MEANING_HEADER] = {16, 252, 7, 0, 0},
    [XM_MEANING_SUBJECT] = {OWN, OWN, OWN, OWN, XM_LOOK_BOLD},
    [XM_MEANING_LABEL] = {238, OWN, OWN, OWN, 0},
    [XM_MEANING_FAINT] = {242, OWN, OWN, OWN, XM_LOOK_DIM},
    [XM_MEANING_RUNNING] = {22, OWN, 2, OWN, XM_LOOK_BOLD},
    [XM_MEANING_WAITING] = {130, OWN, 5, OWN, XM_LOOK_BOLD},
    [XM_MEANING_BLOCKED] = {25, OWN, 4, OWN, 0},
    [XM_MEANING_WARNING] = {231, 124, 7, 1, XM_LOOK_BOLD},
    [XM_MEANING_KEY] = {16, 250, 7, 0, 0},
    [XM_MEANING_OFFLINE] = {241, OWN, OWN, OWN, 0},
    [XM_MEANING_UNKNOWN] = {90, OWN, OWN, OWN, XM_LOOK_UNDERLINE},
    [XM_MEANING_TAB] = {238, OWN, OWN, OWN, 0},
    [XM_MEANING_TAB_HERE] = {231, 25, 7, 4, XM_LOOK_BOLD},
    [XM_MEANING_CURSOR] = {16, 153, 0, 6, 0},
    [XM_MEANING_FOUND] = {16, 220, 0, 3, 0},
    [XM_MEANING_SORTED] = {19, 252, 7, 0, XM_LOOK_UNDERLINE},
    [XM_MEANING_POPUP] = {16, 254, OWN, OWN, 0},
    [XM_MEANING_PROMPT] = {16, OWN, 0, OWN, XM_LOOK_BOLD},
};

/* Its own background, whatever the terminal's is. */
static const struct row high_contrast[XM_MEANINGS] = {
    [XM_MEANING_NORMAL] = {231, 16, 15, 0, 0},
    [XM_MEANING_TITLE] = {231, 16, 15, 0, XM_LOOK_BOLD},
    [XM_MEANING_HEADER] = {16, 231, 0, 7, 0},
    [XM_MEANING_SUBJECT] = {231, 16, 15, 0, XM_LOOK_BOLD},
    [XM_MEANING_LABEL] = {231, 16, 15, 0, 0},
    [XM_MEANING_FAINT] = {250, 16, 7, 0, 0},
    [XM_MEANING_RUNNING] = {46, 16, 10, 0, XM_LOOK_BOLD},
    [XM_MEANING_WAITING] = {226, 16, 11, 0, XM_LOOK_BOLD},
    [XM_MEANING_BLOCKED] = {51, 16, 14, 0, XM_LOOK_BOLD},
    [XM_MEANING_WARNING] = {231, 88, 15, 1, XM_LOOK_BOLD},
    [XM_MEANING_KEY] = {16, 231, 0, 7, 0},
    [XM_MEANING_OFFLINE] = {250, 16, 7, 0, 0},
    [XM_MEANING_UNKNOWN] = {219, 16, 13, 0, XM_LOOK_BOLD | XM_LOOK_UNDERLINE},
    [XM_MEANING_TAB] = {231, 16, 15, 0, 0},
    [XM_MEANING_TAB_HERE] = {16, 226, 0, 3, 0},
    [XM_MEANING_CURSOR] = {16, 231, 0, 7, 0},
    [XM_MEANING_FOUND] = {16, 226, 0, 3, XM_LOOK_UNDERLINE},
    [XM_MEANING_SORTED] = {16, 226, 0, 3, XM_LOOK_UNDERLINE},
    [XM_MEANING_POPUP] = {231, 16, 15, 0, 0},
    [XM_MEANING_PROMPT] = {226, 16, 11, 0, XM_LOOK_BOLD},
};

/*
 * Blue, orange, pale cyan, grey, pale yellow: apart for who sees no red, or no green, and by lightness
 * too.
 */
static const struct row colour_blind[XM_MEANINGS] = {
    [XM_MEANING_NORMAL] = {OWN, OWN, OWN, OWN, 0},
    [XM_MEANING_TITLE] = {OWN, OWN, OWN, OWN, XM_LOOK_BOLD},
    [XM_MEANING_HEADER] = {252, 238, 0, 7, 0},
    [XM_MEANING_SUBJECT] = {OWN, OWN, OWN, OWN, XM_LOOK_BOLD},
    [XM_MEANING_LABEL] = {250, OWN, OWN, OWN, 0},
    [XM_MEANING_FAINT] = {245, OWN, 7, OWN, XM_LOOK_DIM},
    [XM_MEANING_RUNNING] = {75, OWN, 12, OWN, 0},
    [XM_MEANING_WAITING] = {208, OWN, 3, OWN, 0},
    [XM_MEANING_BLOCKED] = {159, OWN, 14, OWN, 0},
    [XM_MEANING_WARNING] = {16, 214, 0, 3, XM_LOOK_BOLD},
    [XM_MEANING_KEY] = {252, 240, 0, 7, 0},
    [XM_MEANING_OFFLINE] = {244, OWN, 7, OWN, 0},
    [XM_MEANING_UNKNOWN] = {229, OWN, 11, OWN, XM_LOOK_UNDERLINE},
    [XM_MEANING_TAB] = {250, OWN, OWN, OWN, 0},
    [XM_MEANING_TAB_HERE] = {16, 75, 7, 4, XM_LOOK_BOLD},
    [XM_MEANING_CURSOR] = {231, 24, 7, 4, XM_LOOK_BOLD},
    [XM_MEANING_FOUND] = {16, 229, 0, 7, XM_LOOK_UNDERLINE},
    [XM_MEANING_SORTED] = {229, 238, 0, 7, XM_LOOK_UNDERLINE},
    [XM_MEANING_POPUP] = {252, 236, OWN, OWN, 0},
    [XM_MEANING_PROMPT] = {231, OWN, 15, OWN, XM_LOOK_BOLD},
};

static const struct theme themes[] = {
    {"dark", dark}, {"light", light}, {"high-contrast", high_contrast}, {"colour-blind", colour_blind},
    {"mono", NULL},
};
#define THEMES (sizeof themes / sizeof themes[0])

const char *xm_theme_name(unsigned theme)
{
    return theme < THEMES ? themes[theme].name : NULL;
}

bool xm_theme_find(const char *name, unsigned *theme)
{
    for (unsigned i = 0; i < THEMES; i++) {
        if (strcmp(themes[i].name, name) == 0) {
            *theme = i;
            return true;
        }
    }
    return false;
}

/* Of 16 colours to 8: bright ink is the dark one in bold; there is no bright paper. */
static struct xm_look with_eight(struct xm_look look)
{
    if (look.ink >= 8) {
        look.ink = (int16_t)(look.ink - 8);
        look.attributes |= XM_LOOK_BOLD;
    }
    return look;
}

struct xm_look xm_theme_look(unsigned theme, enum xm_meaning meaning, unsigned colours)
{
    struct xm_look look = {.ink = OWN, .paper = OWN};
    const struct row *rows = themes[theme < THEMES ? theme : 0].rows;
    if ((unsigned)meaning >= XM_MEANINGS)
        meaning = XM_MEANING_NORMAL;
    if (!rows || colours < 8) {
        look.attributes = without_colours[meaning];
        return look;
    }
    look.attributes = rows[meaning].attributes;
    /* Palettes of 88 colours are not the beginning of that of 256. */
    look.ink = colours >= 256 ? rows[meaning].ink : rows[meaning].ink16;
    look.paper = colours >= 256 ? rows[meaning].paper : rows[meaning].paper16;
    return colours < 16 ? with_eight(look) : look;
}
