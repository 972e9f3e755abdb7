/* SPDX-License-Identifier: MIT */
/* What the choice's own files share, and the screen shows of it: the keys. */
#ifndef XM_CHOICE_INT_H
#define XM_CHOICE_INT_H

#include <stddef.h>

#include "front/choice.h"
#include "front/screen_int.h"
#include "front/table.h"

typedef void xm_choice_action(struct xm_choice *choice, const struct xm_model *model, int argument);

/* Views in which a key means something: a bit each, 1 << view. */
#define XM_IN(view)   (1u << (view))
#define XM_IN_ALL     ((1u << XM_VIEWS) - 1)
#define XM_IN_TABLES  (XM_IN(XM_VIEW_DOMAINS) | XM_IN(XM_VIEW_VCPUS) | XM_IN(XM_VIEW_PCPUS) | XM_IN(XM_VIEW_LATENCY))
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

/* ---- Actions (choice_table.c). */
xm_choice_action xm_choice_move, xm_choice_move_page, xm_choice_move_end, xm_choice_enter, xm_choice_expand;
xm_choice_action xm_choice_expand_all, xm_choice_sort_step, xm_choice_sort_by, xm_choice_reverse, xm_choice_sort_menu;
xm_choice_action xm_choice_columns, xm_choice_find_next;

/* ---- Actions (choice_time.c). */
xm_choice_action xm_choice_freeze, xm_choice_steps, xm_choice_minutes, xm_choice_live, xm_choice_play, xm_choice_speed;

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

/* The columns in the order of the chooser: those shown, then the others.  Returns how many there are. */
unsigned xm_choice_column_order(const struct xm_table *table, const struct xm_choice *choice,
                                uint8_t order[XM_TABLE_MAX_COLUMNS]);

/*
 * A duration: "0.5", "2s", "500ms", "5m", "1h", "2d"; seconds without a unit.  False: it is none, or not above 0.
 */
bool xm_choice_parse_duration(const char *text, uint64_t *ns);

/*
 * A moment: "10:42", "10:42:05.5", "2026-11-26 10:42", in local time; "-5m", "+30s" from the one on show.  real_ns: of
 * the sample on show; latest_ns: of the newest one: a time without a date is the last such one not after it.  False:
 * `error` says why.
 */
bool xm_choice_parse_time(const char *text, uint64_t real_ns, uint64_t latest_ns, struct xm_jump *jump, char *error,
                          size_t size);

#endif
