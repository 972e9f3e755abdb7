/* SPDX-License-Identifier: MIT */
#include "front/choice.h"

#include <stddef.h>

typedef void xm_choice_action(struct xm_choice *choice, const struct xm_model *model, int argument);

void xm_choice_init(struct xm_choice *choice)
{
    *choice = (struct xm_choice){.view = XM_VIEW_PAPER, .interval_ns = XM_NS_PER_S, .page = 1};
    for (unsigned i = 0; i < XM_ROWS_COUNT; i++)
        choice->rows[i] = true;
}

static void quit(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->quit = true;
}

static void redraw(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->redraw = true;
}

static void set_view(struct xm_choice *choice, const struct xm_model *model, int view)
{
    choice->view = (enum xm_screen_view)view;
    choice->scroll = 0;
}

static void toggle_view(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    set_view(choice, model, choice->view == XM_VIEW_VCPUS ? XM_VIEW_PAPER : XM_VIEW_VCPUS);
}

static void toggle_help(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    enum xm_screen_view now = choice->view;
    set_view(choice, model, now == XM_VIEW_HELP ? (int)choice->before_help : XM_VIEW_HELP);
    choice->before_help = now == XM_VIEW_HELP ? XM_VIEW_PAPER : now;
}

static void close_help(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    if (choice->view == XM_VIEW_HELP)
        toggle_help(choice, model, argument);
}

static void toggle_rows(struct xm_choice *choice, const struct xm_model *model, int rows)
{
    choice->rows[rows] = !choice->rows[rows];
}

static void toggle_units(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->units = choice->units == XM_UNITS_OF_ONE ? XM_UNITS_OF_VCPUS : XM_UNITS_OF_ONE;
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
}

static const struct binding {
    int key;
    xm_choice_action *action;
    int argument;
} bindings[] = {
    {'q', quit, 0},
    {XM_KEY_F10, quit, 0},
    {XM_KEY_END, quit, 0},
    {'c', step_cpu, 1},
    {'n', step_cpu, 1},
    {'p', step_cpu, -1},
    {'1', set_view, XM_VIEW_PAPER},
    {'2', set_view, XM_VIEW_VCPUS},
    {'v', toggle_view, 0},
    {'?', toggle_help, 0},
    {'h', toggle_help, 0},
    {XM_KEY_F1, toggle_help, 0},
    {XM_KEY_ESCAPE, close_help, 0},
    {'a', toggle_rows, XM_ROWS_ALLOCATED},
    {'w', toggle_rows, XM_ROWS_WAITED},
    {'b', toggle_rows, XM_ROWS_BLOCKED},
    {'x', toggle_rows, XM_ROWS_EXECUTIONS},
    {'i', toggle_rows, XM_ROWS_IO},
    {'o', toggle_rows, XM_ROWS_IO},
    {'u', toggle_units, 0},
    {'+', step_interval, 1},
    {'=', step_interval, 1},
    {'-', step_interval, -1},
    {'r', redraw, 0},
    {XM_KEY_REDRAW, redraw, 0},
    {XM_KEY_RESIZE, redraw, 0},
    {'j', scroll_by, 1},
    {XM_KEY_DOWN, scroll_by, 1},
    {'k', scroll_by, -1},
    {XM_KEY_UP, scroll_by, -1},
    {XM_KEY_PAGE_DOWN, scroll_page, 1},
    {' ', scroll_page, 1},
    {XM_KEY_PAGE_UP, scroll_page, -1},
    {XM_KEY_HOME, scroll_end, 0},
    {XM_KEY_LAST, scroll_end, 1},
};

bool xm_choice_key(struct xm_choice *choice, const struct xm_model *model, int key)
{
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        if (bindings[i].key == key) {
            bindings[i].action(choice, model, bindings[i].argument);
            return true;
        }
    }
    return false;
}
