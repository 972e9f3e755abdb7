/* SPDX-License-Identifier: MIT */
/*
 * What the person in front of the screen has chosen to see, and the keys that choose it.
 *
 * Every view keeps its own columns, order and scroll; filter, window, units and position in time are of all views.
 * What is worth keeping from one day to the next is read and written by front/screen/settings.h.
 */
#ifndef XM_CHOICE_H
#define XM_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "front/terminal/keys.h"
#include "front/feed/model.h"

/* In the order of the number keys 1 to 6, and of Tab. */
enum xm_screen_view {
    XM_VIEW_DOMAINS, /* a line for each domain, with its vCPUs where expanded */
    XM_VIEW_VCPUS,
    XM_VIEW_PCPUS,   /* and who waits there */
    XM_VIEW_DOMAIN,  /* one domain in depth */
    XM_VIEW_LATENCY, /* distributions of waits, executions and blocked times */
    XM_VIEW_PAPER,   /* HPL-2005-187, Figure 2 */
    XM_VIEW_HELP,
    XM_VIEWS
};

/* Groups of rows in the paper's view; Gotten is always there. */
enum xm_screen_rows {
    XM_ROWS_GOTTEN,
    XM_ROWS_ALLOCATED,
    XM_ROWS_WAITED,
    XM_ROWS_BLOCKED,
    XM_ROWS_EXECUTIONS,
    XM_ROWS_IO,
    XM_ROWS_COUNT
};

/* The window that tables show; the paper's view has three of its own. */
enum xm_choice_window {
    XM_WINDOW_LAST, /* the last execution that ended */
    XM_WINDOW_1S,
    XM_WINDOW_10S,
    XM_WINDOW_1MIN,
    XM_WINDOW_FREE, /* choice.free_ns */
    XM_WINDOWS
};

enum xm_choice_units {
    XM_UNITS_OF_VCPUS, /* % of vCPUs x window: states add up to 100 */
    XM_UNITS_OF_ONE,   /* % of one CPU's time: two busy vCPUs are 200 */
    XM_UNITS_MS_PER_S, /* ms of each second, of all vCPUs together */
    XM_UNITS
};

/* What a line of a table stands for.  id: as in the row of the region; stable while the row lives. */
enum xm_item_kind { XM_ITEM_NONE, XM_ITEM_DOMAIN, XM_ITEM_VCPU, XM_ITEM_PCPU };
struct xm_item {
    enum xm_item_kind kind;
    uint64_t id;
};

#define XM_TABLE_MAX_COLUMNS 96u

/* How a view's table is shown.  Columns are indices into its columns (front/screen/table.h). */
struct xm_choice_table {
    uint8_t column[XM_TABLE_MAX_COLUMNS]; /* those shown, from left to right; importance is that order too */
    uint8_t columns;
    uint8_t sort; /* a column, shown or not */
    bool descending;
    bool chosen; /* false: not set yet, the view's own defaults hold */
};

/* What is asked of the person in the line at the bottom. */
enum xm_prompt_kind {
    XM_PROMPT_NONE,
    XM_PROMPT_SEARCH, /* goes to the next line that has the text, as it is typed */
    XM_PROMPT_FILTER, /* leaves only lines that have it */
    XM_PROMPT_TIME,   /* "10:42:05", "2026-11-26 10:42", "-5m", "+30s"; of a file "0:20", "12s" */
    XM_PROMPT_WINDOW, /* "30s", "5m" */
    XM_PROMPT_DELAY   /* "0.5", "2s" */
};
struct xm_prompt {
    enum xm_prompt_kind kind;
    char text[128]; /* UTF-8 */
    char error[96]; /* why the last answer was none; "" */
};

/* What lies over the view. */
enum xm_popup_kind { XM_POPUP_NONE, XM_POPUP_SORT, XM_POPUP_COLUMNS };
struct xm_popup {
    enum xm_popup_kind kind;
    unsigned line; /* the one that the cursor is on */
    uint8_t column[XM_TABLE_MAX_COLUMNS]; /* of XM_POPUP_COLUMNS, on each line: shown or not it stays where it is */
    unsigned columns; /* so many lines; 0: as xm_choice_column_order() makes them anew */
};

/*
 * A moment that was asked for.  Whoever owns the feed finds the sample, sets `travelling` and `position`, clears the
 * request, and answers in `said` where there is no sample of then.  The choice has set `frozen` already.
 */
enum xm_jump_kind {
    XM_JUMP_NONE,
    XM_JUMP_STEPS, /* so many samples on from the one on show; negative: back */
    XM_JUMP_BY,    /* so many ns on from the one on show */
    XM_JUMP_REAL,  /* CLOCK_REALTIME, in ns */
    XM_JUMP_AT     /* ns since the trace began */
};
struct xm_jump {
    enum xm_jump_kind kind;
    int64_t value;
};

#define XM_CHOICE_EXPANDED 256u
#define XM_CHOICE_DEPTH    4u

struct xm_choice {
    enum xm_screen_view view;
    enum xm_screen_view before_help; /* where the help goes back to */
    struct {
        enum xm_screen_view view;
        bool one_cpu;
        uint32_t cpu;
    } came[XM_CHOICE_DEPTH]; /* from where the view on show was drilled into: where Backspace goes back to */
    unsigned came_count;
    struct xm_choice_table table[XM_VIEWS];

    bool rows[XM_ROWS_COUNT]; /* of the paper's view */
    bool one_cpu;             /* the view of one pCPU */
    uint32_t cpu;             /* its number, where one_cpu */
    enum xm_choice_units units;
    enum xm_choice_window window;
    uint64_t free_ns; /* length of XM_WINDOW_FREE; 0: none set yet */

    char filter[128]; /* lines without it in their name, number or state are left out; "": none */
    char search[128];
    bool hide_idle;    /* leave out what neither ran nor waited in the window */
    bool pin_dom0;     /* Domain-0 is the first line, whatever the order */
    bool expand_all;   /* all domains show their vCPUs but those in expanded[]; else only those */
    uint64_t expanded[XM_CHOICE_EXPANDED]; /* ids of domains; the oldest makes room for a new one */
    unsigned expanded_count;

    struct xm_item cursor[XM_VIEWS]; /* the line that the cursor is on; none: the first */
    unsigned cursor_line[XM_VIEWS];  /* where that was in the last frame: what follows it when it dies; by the screen */
    unsigned scrolled[XM_VIEWS];     /* `scroll` of the views that are not on show */
    uint64_t domain;                 /* id of the domain of XM_VIEW_DOMAIN; 0: the first one there is */
    enum xm_spread_since since;      /* of the distributions */

    bool frozen;     /* nothing new is shown; sorting and drilling go on */
    bool travelling; /* `position` is shown, not the newest sample; frozen or played from there */
    uint64_t position; /* cycles since the trace began */
    double speed;      /* of playing on from `position`; 1: as time went */
    bool replay;       /* a whole trace is played: z plays on from where it stands, L goes to its end */
    uint64_t start_ns; /* where a replay begins, since the trace began */
    struct xm_jump jump; /* asked for; whoever owns the feed clears it */
    bool watch_anew;     /* XM_SPREAD_WATCHED is to begin anew; whoever owns the feed clears it */

    struct xm_prompt prompt;
    struct xm_popup popup;
    unsigned theme;  /* index of xm_theme_name() */
    unsigned scroll; /* body lines scrolled off the top; the screen clamps it */
    unsigned page;   /* body lines shown, set by the screen */
    uint64_t interval_ns; /* between refreshes */
    char said[96];   /* an answer to the last key ("saved to ..."), shown until the next one */

    bool save;   /* asked for; whoever saves clears it */
    bool redraw; /* asked for; whoever draws clears it */
    bool quit;
};

#define XM_CHOICE_MIN_INTERVAL_NS UINT64_C(100000000)
#define XM_CHOICE_MAX_INTERVAL_NS UINT64_C(60000000000)

/* The domains, on all pCPUs, over the last second, once a second. */
void xm_choice_init(struct xm_choice *choice);

/*
 * Does what `key` (front/terminal/keys.h) stands for: in the prompt, the pop-up or the view, whichever is on top.  The
 * model says what there is.  Returns false for a key that stands for nothing.
 */
bool xm_choice_key(struct xm_choice *choice, const struct xm_model *model, int key);

/* What the chosen window's length is; XM_WINDOW_LAST has none: 1 s. */
uint64_t xm_choice_window_ns(const struct xm_choice *choice);

/* Whether the domain with this row id shows its vCPUs; and the other way round. */
bool xm_choice_is_expanded(const struct xm_choice *choice, uint64_t domain);
void xm_choice_toggle_expanded(struct xm_choice *choice, uint64_t domain);

#endif
