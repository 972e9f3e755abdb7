/* SPDX-License-Identifier: MIT */
/* The keys: one table, that the screen's line of keys and the help are made from too. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "front/screen/choice_int.h"
#include "front/terminal/theme.h"

static void quit(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->quit = true;
}

static void redraw(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->redraw = true;
}

static void save(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->save = true;
}

/* ---- Views. */

static void leave_help(struct xm_choice *choice)
{
    xm_choice_show(choice, choice->before_help == XM_VIEW_HELP ? XM_VIEW_DOMAINS : choice->before_help);
}

static void toggle_help(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (choice->view == XM_VIEW_HELP) {
        leave_help(choice);
        return;
    }
    choice->before_help = choice->view;
    choice->scrolled[XM_VIEW_HELP] = 0;
    xm_choice_show(choice, XM_VIEW_HELP);
}

static void set_view(struct xm_choice *choice, const struct xm_model *model, int view)
{
    choice->came_count = 0;
    if (view == XM_VIEW_DOMAIN)
        xm_choice_point(choice, model);
    xm_choice_show(choice, (enum xm_screen_view)view);
}

/* The help is no station on the way round. */
static void step_view(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    if (choice->view == XM_VIEW_HELP)
        leave_help(choice);
    unsigned views = XM_VIEW_HELP;
    set_view(choice, model, (int)(((unsigned)choice->view + views + (unsigned)direction) % views));
}

static void go_back(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (choice->came_count == 0)
        return;
    choice->came_count--;
    choice->one_cpu = choice->came[choice->came_count].one_cpu;
    choice->cpu = choice->came[choice->came_count].cpu;
    xm_choice_show(choice, choice->came[choice->came_count].view);
}

/* Closes what was opened last: the help, a filter, a search's marks, a view that was drilled into, one pCPU's. */
static void escape(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (choice->view == XM_VIEW_HELP)
        leave_help(choice);
    else if (choice->filter[0])
        choice->filter[0] = '\0';
    else if (choice->search[0])
        choice->search[0] = '\0';
    else if (choice->came_count)
        go_back(choice, model, argument);
    else if (xm_screen_one_cpu(choice)) {
        choice->one_cpu = false;
        xm_choice_say(choice, "all CPUs again");
    }
}

/* ---- What is shown. */

static void toggle_rows(struct xm_choice *choice, const struct xm_model *model, int rows)
{
    choice->rows[rows] = !choice->rows[rows];
}

static void next_units(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->units = (enum xm_choice_units)(((unsigned)choice->units + 1) % XM_UNITS);
}

static void next_window(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->window = (enum xm_choice_window)(((unsigned)choice->window + 1) % XM_WINDOWS);
    if (choice->window == XM_WINDOW_FREE && choice->free_ns == 0)
        choice->window = XM_WINDOW_LAST;
}

static void toggle_idle(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->hide_idle = !choice->hide_idle;
    xm_choice_say(choice, choice->hide_idle ? "idle lines are left out" : "idle lines are shown");
}

static void toggle_dom0(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->pin_dom0 = !choice->pin_dom0;
    xm_choice_say(choice, choice->pin_dom0 ? "Domain-0 stays first" : "Domain-0 is sorted as others are");
}

static void toggle_since(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->watch_anew = choice->since == XM_SPREAD_START;
    choice->since = choice->since == XM_SPREAD_START ? XM_SPREAD_WATCHED : XM_SPREAD_START;
    xm_choice_say(choice, choice->since == XM_SPREAD_START ? "distributions since the start"
                                                           : "distributions since now");
}

static void next_theme(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->theme = xm_theme_name(choice->theme + 1) ? choice->theme + 1 : 0;
    xm_choice_say(choice, "theme: %s", xm_theme_name(choice->theme));
}

/* pCPU numbers can have holes, so the next one is looked for; past the last come all, then the first. */
static void step_cpu(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    const struct xm_sample *s = model->data ? model->window[XM_SPAN_1S].to : NULL;
    bool found = false;
    uint32_t best = 0;
    for (uint32_t i = 0; s && i < s->used.pcpus; i++) {
        uint32_t cpu = (uint32_t)(s->pcpu[i].id & ~XM_ROW_USED);
        bool ahead = !choice->one_cpu || (direction > 0 ? cpu > choice->cpu : cpu < choice->cpu);
        if (s->pcpu[i].id == 0 || !ahead)
            continue;
        if (!found || (direction > 0 ? cpu < best : cpu > best))
            best = cpu;
        found = true;
    }
    choice->one_cpu = found;
    choice->cpu = best;
}

/* ---- Scrolling where there is no cursor. */

static void scroll_by(struct xm_choice *choice, const struct xm_model *model, int lines)
{
    if (lines < 0 && choice->scroll < (unsigned)-lines)
        choice->scroll = 0;
    else
        choice->scroll += (unsigned)lines;
}

static void scroll_page(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    int lines = choice->page > 1 ? (int)choice->page - 1 : 1;
    scroll_by(choice, model, direction * lines);
}

static void scroll_end(struct xm_choice *choice, const struct xm_model *model, int last)
{
    choice->scroll = last ? INT32_MAX : 0; /* clamped when drawn */
}

/* The domain before or after the one in depth. */
static void step_domain(struct xm_choice *choice, const struct xm_model *model, int steps)
{
    if (model->data)
        choice->domain = xm_screen_depth_step(model, choice, steps);
    choice->scroll = 0;
}

static void step_interval(struct xm_choice *choice, const struct xm_model *model, int direction)
{
    static const uint32_t steps_ms[] = {100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000};
    const size_t count = sizeof steps_ms / sizeof steps_ms[0];
    size_t i = 0;
    if (direction > 0) {
        while (i < count - 1 && UINT64_C(1000000) * steps_ms[i] <= choice->interval_ns)
            i++;
    } else {
        i = count - 1;
        while (i > 0 && UINT64_C(1000000) * steps_ms[i] >= choice->interval_ns)
            i--;
    }
    choice->interval_ns = UINT64_C(1000000) * steps_ms[i];
    xm_choice_say(choice, "refreshed every %g s", (double)choice->interval_ns / (double)XM_NS_PER_S);
}

/* ---- The table. */

#define ALL      XM_IN_ALL
#define TABLES   XM_IN_TABLES
#define PAPER    XM_IN_PAPER
#define HELP     XM_IN(XM_VIEW_HELP)
#define DOMAINS  XM_IN(XM_VIEW_DOMAINS)
#define DEPTH    XM_IN(XM_VIEW_DOMAIN)
#define LATENCY  XM_IN(XM_VIEW_LATENCY)
#define NUMBERS  XM_IN_NUMBERS
#define WINDOWED (NUMBERS & ~PAPER)
#define SCROLLED (PAPER | HELP | DEPTH)

static const struct xm_binding bindings[] = {
    {'q', "q", ALL, "quit", "quit", quit, 0},
    {XM_KEY_F10, "F10", ALL, NULL, NULL, quit, 0},
    {XM_KEY_END, "Ctrl-C", ALL, NULL, NULL, quit, 0},
    {'?', "?", ALL, "help", "this help, and back", toggle_help, 0},
    {'h', "h", ALL, NULL, NULL, toggle_help, 0},
    {XM_KEY_F1, "F1", ALL, NULL, NULL, toggle_help, 0},
    {XM_KEY_ESCAPE, "Esc", ALL, NULL,
     "close what is on top: pop-up, prompt, help; then the filter, the search; then back; then all pCPUs "
     "again", escape, 0},

    {'1', "1", ALL, NULL,
     "views: domains, vCPUs, pCPUs, one domain in depth, latency, the paper's screen (HPL-2005-187, Figure "
     "2)",
     set_view, XM_VIEW_DOMAINS},
    {'2', "2", ALL, NULL, NULL, set_view, XM_VIEW_VCPUS},
    {'3', "3", ALL, NULL, NULL, set_view, XM_VIEW_PCPUS},
    {'4', "4", ALL, NULL, NULL, set_view, XM_VIEW_DOMAIN},
    {'5', "5", ALL, NULL, NULL, set_view, XM_VIEW_LATENCY},
    {'6', "6", ALL, NULL, NULL, set_view, XM_VIEW_PAPER},
    {XM_KEY_TAB, "Tab", ALL, "view", "the next view, the previous one", step_view, 1},
    {XM_KEY_BACK_TAB, "Shift-Tab", ALL, NULL, NULL, step_view, -1},
    {XM_KEY_ENTER, "Enter", TABLES, "drill",
     "into what the cursor is on: a domain, or a vCPU's, in depth; the vCPUs of a pCPU", xm_choice_enter, 0},
    {XM_KEY_BACKSPACE, "Backspace", ALL, NULL, "back to where Enter was pressed", go_back, 0},

    {' ', "Space", DOMAINS, "expand", "show or hide the vCPUs of the domain under the cursor",
     xm_choice_expand, 0},
    {'e', "e", DOMAINS, NULL, NULL, xm_choice_expand, 0},
    {'v', "v", NUMBERS, NULL, "the vCPUs of all domains, or of none", xm_choice_expand_all, 0},

    {XM_KEY_UP, "Up", TABLES, NULL,
     "the cursor, or scrolling, by a line; by a page; to the first and the last line", xm_choice_move, -1},
    {XM_KEY_DOWN, "Down", TABLES, NULL, NULL, xm_choice_move, 1},
    {'k', "k", TABLES, NULL, NULL, xm_choice_move, -1},
    {'j', "j", TABLES, NULL, NULL, xm_choice_move, 1},
    {XM_KEY_WHEEL_UP, "wheel", TABLES, NULL, NULL, xm_choice_move, -3},
    {XM_KEY_WHEEL_DOWN, NULL, TABLES, NULL, NULL, xm_choice_move, 3},
    {XM_KEY_PAGE_UP, "PgUp", TABLES, NULL, NULL, xm_choice_move_page, -1},
    {XM_KEY_PAGE_DOWN, "PgDn", TABLES, NULL, NULL, xm_choice_move_page, 1},
    {2, "Ctrl-B", TABLES, NULL, NULL, xm_choice_move_page, -1},
    {6, "Ctrl-F", TABLES, NULL, NULL, xm_choice_move_page, 1},
    {XM_KEY_HOME, "Home", TABLES, NULL, NULL, xm_choice_move_end, 0},
    {XM_KEY_LAST, "End", TABLES, NULL, NULL, xm_choice_move_end, 1},
    {'g', "g", TABLES, NULL, NULL, xm_choice_move_end, 0},
    {'G', "G", TABLES, NULL, NULL, xm_choice_move_end, 1},
    {XM_KEY_UP, NULL, SCROLLED, NULL, NULL, scroll_by, -1},
    {XM_KEY_DOWN, NULL, SCROLLED, NULL, NULL, scroll_by, 1},
    {'k', NULL, SCROLLED, NULL, NULL, scroll_by, -1},
    {'j', "j", SCROLLED, "scroll", NULL, scroll_by, 1},
    {XM_KEY_WHEEL_UP, NULL, SCROLLED, NULL, NULL, scroll_by, -3},
    {XM_KEY_WHEEL_DOWN, NULL, SCROLLED, NULL, NULL, scroll_by, 3},
    {XM_KEY_PAGE_UP, NULL, SCROLLED, NULL, NULL, scroll_page, -1},
    {XM_KEY_PAGE_DOWN, NULL, SCROLLED, NULL, NULL, scroll_page, 1},
    {' ', NULL, SCROLLED, NULL, NULL, scroll_page, 1},
    {2, NULL, SCROLLED, NULL, NULL, scroll_page, -1},
    {6, NULL, SCROLLED, NULL, NULL, scroll_page, 1},
    {XM_KEY_HOME, NULL, SCROLLED, NULL, NULL, scroll_end, 0},
    {XM_KEY_LAST, NULL, SCROLLED, NULL, NULL, scroll_end, 1},
    {'g', NULL, SCROLLED, NULL, NULL, scroll_end, 0},
    {'G', NULL, SCROLLED, NULL, NULL, scroll_end, 1},

    {XM_KEY_LEFT, "Left", TABLES, NULL, "sort by the column before, after", xm_choice_sort_step, -1},
    {XM_KEY_RIGHT, "Right", TABLES, NULL, NULL, xm_choice_sort_step, 1},
    {'<', "<", TABLES, NULL, NULL, xm_choice_sort_step, -1},
    {'>', ">", TABLES, NULL, NULL, xm_choice_sort_step, 1},
    {XM_KEY_LEFT, "Left", DEPTH, NULL, "in depth: the domain before, after", step_domain, -1},
    {XM_KEY_RIGHT, "Right", DEPTH, NULL, NULL, step_domain, 1},
    {'<', "<", DEPTH, "domain", NULL, step_domain, -1},
    {'>', ">", DEPTH, NULL, NULL, step_domain, 1},
    {'s', "s", TABLES, "sort", "the menu of columns to sort by", xm_choice_sort_menu, 0},
    {XM_KEY_F6, "F6", TABLES, NULL, NULL, xm_choice_sort_menu, 0},
    {'S', "S", TABLES, NULL, "the other way round", xm_choice_reverse, 0},
    {'r', "r", TABLES, NULL, NULL, xm_choice_reverse, 0},
    {'I', "I", TABLES, NULL, NULL, xm_choice_reverse, 0},
    {'P', "P", TABLES, NULL, "sort by running, waiting, blocked; by name or number", xm_choice_sort_by, 'P'},
    {'W', "W", TABLES, NULL, NULL, xm_choice_sort_by, 'W'},
    {'B', "B", TABLES, NULL, NULL, xm_choice_sort_by, 'B'},
    {'N', "N", TABLES, NULL, NULL, xm_choice_sort_by, 'N'},

    {'/', "/", TABLES, "search",
     "go to the line that has a text, as it is typed: name, number, uuid, d1v0, state", xm_choice_ask,
     XM_PROMPT_SEARCH},
    {XM_KEY_F3, "F3", TABLES, NULL, "to the next one", xm_choice_find_next, 0},
    {14, "Ctrl-N", TABLES, NULL, NULL, xm_choice_find_next, 0},
    {'\\', "\\", TABLES, "filter", "only lines that have a text, as it is typed; Esc: all again",
     xm_choice_ask, XM_PROMPT_FILTER},
    {XM_KEY_F4, "F4", TABLES, NULL, NULL, xm_choice_ask, XM_PROMPT_FILTER},
    {'f', "f", TABLES, "columns", "choose the columns, and their order", xm_choice_columns, 0},
    {'H', "H", TABLES, NULL, "hide what neither ran nor waited, or show it", toggle_idle, 0},
    {'V', "V", TABLES, NULL, NULL, toggle_idle, 0},
    {'0', "0", TABLES, NULL, "keep Domain-0 the first line, or not", toggle_dom0, 0},

    {'w', "w", PAPER, NULL,
     "rows of the paper's screen: Allocated, Waited, Blocked, eXecution count, I/O count", toggle_rows,
     XM_ROWS_WAITED},
    {'a', "a", PAPER, NULL, NULL, toggle_rows, XM_ROWS_ALLOCATED},
    {'b', "b", PAPER, "rows", NULL, toggle_rows, XM_ROWS_BLOCKED},
    {'x', "x", PAPER, NULL, NULL, toggle_rows, XM_ROWS_EXECUTIONS},
    {'i', "i", PAPER, NULL, NULL, toggle_rows, XM_ROWS_IO},
    {'o', "o", PAPER, NULL, NULL, toggle_rows, XM_ROWS_IO},
    {'c', "c", NUMBERS, "CPU",
     "the next pCPU, the previous one; after the last one all of them, then the first again", step_cpu, 1},
    {'n', "n", NUMBERS, NULL, NULL, step_cpu, 1},
    {'p', "p", NUMBERS, NULL, NULL, step_cpu, -1},
    {'w', "w", WINDOWED, "window",
     "elsewhere: the window of tables: last execution, 1 s, 10 s, 1 min, and one's own", next_window, 0},
    {'M', "M", WINDOWED, NULL, "a window of one's own length", xm_choice_ask, XM_PROMPT_WINDOW},
    {'u', "u", NUMBERS, "units", "% of all the vCPUs' time, % of one CPU's time, ms of each second",
     next_units, 0},
    {'D', "D", DEPTH | LATENCY, NULL, "distributions since the start, or since this key", toggle_since, 0},

    {'z', "z", NUMBERS, "freeze", "freeze the figures, and go on; sorting and drilling work meanwhile",
     xm_choice_freeze, 0},
    {'[', "[", NUMBERS, NULL, "back and forth in time: by a sample, by a minute", xm_choice_steps, -1},
    {']', "]", NUMBERS, NULL, NULL, xm_choice_steps, 1},
    {'{', "{", NUMBERS, NULL, NULL, xm_choice_minutes, -1},
    {'}', "}", NUMBERS, NULL, NULL, xm_choice_minutes, 1},
    {'t', "t", NUMBERS, "time", "to a time: 10:42, 2026-11-26 10:42, -5m, +30s; of a file 0:20, 12s", xm_choice_ask,
     XM_PROMPT_TIME},
    {'L', "L", NUMBERS, NULL, "back to now, or to a replay's end", xm_choice_live, 0},
    {'y', "y", NUMBERS, NULL, "play on from the moment on show, or pause", xm_choice_play, 0},
    {16, "Ctrl-P", NUMBERS, NULL, NULL, xm_choice_play, 0},
    {'(', "(", NUMBERS, NULL, "play at half, at twice the speed", xm_choice_speed, -1},
    {')', ")", NUMBERS, NULL, NULL, xm_choice_speed, 1},

    {'+', "+", ALL, NULL, "refresh less often, more often; d asks how often", step_interval, 1},
    {'=', "=", ALL, NULL, NULL, step_interval, 1},
    {'-', "-", ALL, NULL, NULL, step_interval, -1},
    {'d', "d", ALL, NULL, NULL, xm_choice_ask, XM_PROMPT_DELAY},
    {'T', "T", ALL, NULL, "the next theme", next_theme, 0},
    {XM_KEY_F2, "F2", ALL, NULL,
     "save view, columns, order, window, units, theme as the beginning of the next time", save, 0},
    {'O', "O", ALL, NULL, NULL, save, 0},
    {XM_KEY_REDRAW, "Ctrl-L", ALL, NULL, "draw everything again", redraw, 0},
    {'r', NULL, SCROLLED, NULL, NULL, redraw, 0},
    {26, "Ctrl-Z", ALL, NULL, "stop, and leave the terminal to the shell until it goes on", redraw, 0},
    {XM_KEY_RESIZE, NULL, ALL, NULL, NULL, redraw, 0},
};

const struct xm_binding *xm_bindings(size_t *count)
{
    *count = sizeof bindings / sizeof bindings[0];
    return bindings;
}
