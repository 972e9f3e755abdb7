/* SPDX-License-Identifier: MIT */
/* What the choice's own files share, and the screen shows of it: the keys. */
#ifndef XM_CHOICE_INT_H
#define XM_CHOICE_INT_H

#include <stddef.h>

#include "front/screen/choice.h"
#include "front/screen/screen_int.h"
#include "front/screen/table.h"

typedef void xm_choice_action(struct xm_choice *choice, const struct xm_model *model, int argument);

/* Views in which a key means something: a bit each, 1 << view. */
#define XM_IN(view) (1u << (view))
#define XM_IN_ALL   ((1u << XM_VIEWS) - 1)
#define XM_IN_TABLES                                                                                         \
    (XM_IN(XM_VIEW_DOMAINS) | XM_IN(XM_VIEW_VCPUS) | XM_IN(XM_VIEW_PCPUS) | XM_IN(XM_VIEW_LATENCY))
#define XM_IN_PAPER   XM_IN(XM_VIEW_PAPER)
#define XM_IN_NUMBERS (XM_IN_ALL & ~XM_IN(XM_VIEW_HELP))

/*
 * A key: what it is called and what it does.  Keys that do the same follow each other: `help` is the first one's, the
 * others have none.  The first that fits key and view counts.
 */
struct xm_binding {
    int key;
    const char *name;  /* on the keyboard: "PgUp"; NULL: said by a binding before, for other views */
    unsigned views;    /* XM_IN_... */
    const char *brief; /* for the line of keys; NULL: not there */
    const char *help;  /* a sentence; NULL: as the binding before */
    xm_choice_action *action;
    int argument;
};

/* All of them, *count; static storage. */
const struct xm_binding *xm_bindings(size_t *count);

/* Keys that keep a meaning of their own in a prompt or a pop-up, and in the help as words. */
bool xm_choice_prompt_key(struct xm_choice *choice, const struct xm_model *model, int key);
bool xm_choice_popup_key(struct xm_choice *choice, const struct xm_model *model, int key);

/* ---- Actions: functions of the type above; what `argument` is for each stands in its name. */

/* The cursor (choice_table.c): by lines, by pages, to the first (0) or last (1) line. */
void xm_choice_move(struct xm_choice *choice, const struct xm_model *model, int lines);
void xm_choice_move_page(struct xm_choice *choice, const struct xm_model *model, int direction);
void xm_choice_move_end(struct xm_choice *choice, const struct xm_model *model, int last);
/* The domain under the cursor becomes the one in depth, where the view has domains or vCPUs in its lines. */
void xm_choice_point(struct xm_choice *choice, const struct xm_model *model);
/* Into what the cursor is on; its vCPUs, and those of all.  The argument is not used. */
void xm_choice_enter(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_expand(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_expand_all(struct xm_choice *choice, const struct xm_model *model, int argument);
/* The order: by the column before (-1) or after (1), by the measure with the key P, W, B or N, reversed, by the menu. */
void xm_choice_sort_step(struct xm_choice *choice, const struct xm_model *model, int direction);
void xm_choice_sort_by(struct xm_choice *choice, const struct xm_model *model, int key);
void xm_choice_reverse(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_sort_menu(struct xm_choice *choice, const struct xm_model *model, int argument);
/* The chooser of columns; the next line that has what was searched. */
void xm_choice_columns(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_find_next(struct xm_choice *choice, const struct xm_model *model, int argument);

/* Time (choice_time.c): hold or go on; by samples; by minutes; now; play or pause; half (-1) or twice (1) as fast. */
void xm_choice_freeze(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_steps(struct xm_choice *choice, const struct xm_model *model, int steps);
void xm_choice_minutes(struct xm_choice *choice, const struct xm_model *model, int minutes);
void xm_choice_live(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_play(struct xm_choice *choice, const struct xm_model *model, int argument);
void xm_choice_speed(struct xm_choice *choice, const struct xm_model *model, int direction);

/* Shows `view`, scrolled as it was when it was left. */
void xm_choice_show(struct xm_choice *choice, enum xm_screen_view view);
/* The same, and Backspace leads back. */
void xm_choice_drill(struct xm_choice *choice, enum xm_screen_view view);

/* Moves the cursor to the first line from the cursor's own (or, `next`, the one after it) on that has the search's text. */
bool xm_choice_find(struct xm_choice *choice, const struct xm_model *model, bool next);

/* Sorts the view on show by a column of its table; the same once more: the other way round. */
void xm_choice_sort_column(struct xm_choice *choice, unsigned column);

/* Opens a prompt. */
void xm_choice_ask(struct xm_choice *choice, const struct xm_model *model, int kind);

/* An answer to the key just pressed. */
void xm_choice_say(struct xm_choice *choice, const char *format, ...) XM_PRINTF(2, 3);

/*
 * The columns in the order of the chooser: those shown when it was opened, then the others.  Returns how many there are.
 */
unsigned xm_choice_column_order(const struct xm_table *table, const struct xm_choice *choice,
                                uint8_t order[XM_TABLE_MAX_COLUMNS]);

/*
 * A duration: "0.5", "2s", "500ms", "5m", "1h", "2d"; seconds without a unit.  False: it is none, or not above 0.
 */
bool xm_choice_parse_duration(const char *text, uint64_t *ns);

/*
 * A moment: "10:42", "10:42:05.5", "2026-11-26 10:42", in local time; "-5m", "+30s" from the one on show.  real_ns: of
 * the sample on show; latest_ns: of the newest one: a time without a date is the last such one not after it.  Where
 * real_ns is 0 there is no time of day, and "0:20" (minutes, seconds), "1:02:05" and "12s" are since the trace began.
 * False: `error` says why.
 */
bool xm_choice_parse_time(const char *text, uint64_t real_ns, uint64_t latest_ns, struct xm_jump *jump,
                          char *error, size_t size);

#endif
