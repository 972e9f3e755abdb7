/* SPDX-License-Identifier: MIT */
#include "front/screen/choice.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "front/screen/choice_int.h"

void xm_choice_init(struct xm_choice *choice)
{
    *choice = (struct xm_choice){.view = XM_VIEW_DOMAINS,
                                 .before_help = XM_VIEW_DOMAINS,
                                 .window = XM_WINDOW_1S,
                                 .interval_ns = XM_NS_PER_S,
                                 .speed = 1,
                                 .page = 1};
    for (unsigned i = 0; i < XM_ROWS_COUNT; i++)
        choice->rows[i] = true;
}

void xm_choice_say(struct xm_choice *choice, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(choice->said, sizeof choice->said, format, args);
    va_end(args);
}

uint64_t xm_choice_window_ns(const struct xm_choice *choice)
{
    switch (choice->window) {
    case XM_WINDOW_10S:
        return 10 * XM_NS_PER_S;
    case XM_WINDOW_1MIN:
        return 60 * XM_NS_PER_S;
    case XM_WINDOW_FREE:
        return choice->free_ns ? choice->free_ns : XM_NS_PER_S;
    case XM_WINDOW_LAST:
    case XM_WINDOW_1S:
    case XM_WINDOWS:
        break;
    }
    return XM_NS_PER_S;
}

/* ---- Which domains show their vCPUs. */

static unsigned find_expanded(const struct xm_choice *choice, uint64_t domain)
{
    unsigned i = 0;
    while (i < choice->expanded_count && choice->expanded[i] != domain)
        i++;
    return i;
}

bool xm_choice_is_expanded(const struct xm_choice *choice, uint64_t domain)
{
    return choice->expand_all != (find_expanded(choice, domain) < choice->expanded_count);
}

void xm_choice_toggle_expanded(struct xm_choice *choice, uint64_t domain)
{
    unsigned i = find_expanded(choice, domain);
    bool there = i < choice->expanded_count;
    if (!there && choice->expanded_count == XM_CHOICE_EXPANDED)
        i = 0;
    if (there || choice->expanded_count == XM_CHOICE_EXPANDED) {
        memmove(&choice->expanded[i], &choice->expanded[i + 1],
                (choice->expanded_count - i - 1) * sizeof choice->expanded[0]);
        choice->expanded_count--;
    }
    if (!there)
        choice->expanded[choice->expanded_count++] = domain;
}

/* ---- Views. */

void xm_choice_show(struct xm_choice *choice, enum xm_screen_view view)
{
    if (view == choice->view)
        return;
    choice->scrolled[choice->view] = choice->scroll;
    choice->view = view;
    choice->scroll = choice->scrolled[view];
}

void xm_choice_drill(struct xm_choice *choice, enum xm_screen_view view)
{
    /* Deeper than there is room for: the oldest is forgotten. */
    if (choice->came_count == XM_CHOICE_DEPTH) {
        memmove(&choice->came[0], &choice->came[1], (XM_CHOICE_DEPTH - 1) * sizeof choice->came[0]);
        choice->came_count--;
    }
    choice->came[choice->came_count].view = choice->view;
    choice->came[choice->came_count].one_cpu = choice->one_cpu;
    choice->came[choice->came_count++].cpu = choice->cpu;
    xm_choice_show(choice, view);
}

/* ---- Keys. */

bool xm_choice_key(struct xm_choice *choice, const struct xm_model *model, int key)
{
    size_t count;
    const struct xm_binding *bindings = xm_bindings(&count);
    if (key == XM_KEY_NONE)
        return false;
    bool over = key != XM_KEY_RESIZE && key != XM_KEY_END;
    if (over && choice->popup.kind != XM_POPUP_NONE)
        return xm_choice_popup_key(choice, model, key);
    if (over && choice->prompt.kind != XM_PROMPT_NONE)
        return xm_choice_prompt_key(choice, model, key);
    for (size_t i = 0; i < count; i++) {
        if (bindings[i].key != key || !(bindings[i].views & XM_IN(choice->view)))
            continue;
        if (over)
            choice->said[0] = '\0';
        bindings[i].action(choice, model, bindings[i].argument);
        return true;
    }
    return false;
}
