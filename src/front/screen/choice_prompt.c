/* SPDX-License-Identifier: MIT */
/* Keys in the prompt, in the sort menu and in the chooser of columns. */
#include <stdio.h>
#include <string.h>

#include "front/screen/choice_int.h"
#include "view/format.h"

/* ---- The prompt. */

void xm_choice_ask(struct xm_choice *choice, const struct xm_model *model, int kind)
{
    choice->prompt = (struct xm_prompt){.kind = (enum xm_prompt_kind)kind};
    if (kind == XM_PROMPT_FILTER)
        memcpy(choice->prompt.text, choice->filter, sizeof choice->prompt.text);
    if (kind == XM_PROMPT_SEARCH)
        choice->search[0] = '\0';
}

/* What is typed takes effect at once. */
static void take_text(struct xm_choice *choice, const struct xm_model *model)
{
    struct xm_prompt *prompt = &choice->prompt;
    prompt->error[0] = '\0';
    if (prompt->kind == XM_PROMPT_FILTER)
        memcpy(choice->filter, prompt->text, sizeof choice->filter);
    if (prompt->kind != XM_PROMPT_SEARCH)
        return;
    memcpy(choice->search, prompt->text, sizeof choice->search);
    if (choice->search[0] && !xm_choice_find(choice, model, false))
        snprintf(prompt->error, sizeof prompt->error, "no line has it");
}

static void answer_time(struct xm_choice *choice, const struct xm_model *model)
{
    struct xm_prompt *prompt = &choice->prompt;
    struct xm_jump jump;
    uint64_t ahead = 0;
    const struct xm_window *w = &model->window[XM_SPAN_1S];
    if (!model->data) {
        snprintf(prompt->error, sizeof prompt->error, "there are no samples yet");
        return;
    }
    if (model->newest > w->to->host.window)
        ahead = xm_scale_to_ns(w->scale, xm_cycles_of(model->newest - w->to->host.window)).v;
    if (!xm_choice_parse_time(prompt->text, model->real_ns, model->real_ns + ahead, &jump, prompt->error,
                              sizeof prompt->error))
        return;
    choice->jump = jump;
    choice->frozen = true;
    prompt->kind = XM_PROMPT_NONE;
}

static void answer_duration(struct xm_choice *choice)
{
    struct xm_prompt *prompt = &choice->prompt;
    bool window = prompt->kind == XM_PROMPT_WINDOW;
    uint64_t least = window ? UINT64_C(1000000) : XM_CHOICE_MIN_INTERVAL_NS;
    uint64_t most = window ? 7 * 86400 * XM_NS_PER_S : XM_CHOICE_MAX_INTERVAL_NS;
    uint64_t ns;
    if (!xm_choice_parse_duration(prompt->text, &ns)) {
        snprintf(prompt->error, sizeof prompt->error, "a time is meant, such as 0.5, 2s, 500ms, 5m");
        return;
    }
    if (ns < least || ns > most) {
        snprintf(prompt->error, sizeof prompt->error, window ? "from 1ms to 7d" : "from 0.1s to 60s");
        return;
    }
    if (window) {
        choice->free_ns = ns;
        choice->window = XM_WINDOW_FREE;
    } else {
        choice->interval_ns = ns;
        xm_choice_say(choice, "refreshed every %g s", (double)ns / (double)XM_NS_PER_S);
    }
    prompt->kind = XM_PROMPT_NONE;
}

/* What no line has is not kept: the next Esc would do nothing that is seen. */
static void drop_search(struct xm_choice *choice)
{
    xm_choice_say(choice, "no line has \"%.60s\"", choice->search);
    choice->search[0] = '\0';
}

static void answer(struct xm_choice *choice, const struct xm_model *model)
{
    bool nothing = choice->prompt.text[0] == '\0';
    switch (choice->prompt.kind) {
    case XM_PROMPT_TIME:
        if (!nothing)
            answer_time(choice, model);
        break;
    case XM_PROMPT_WINDOW:
    case XM_PROMPT_DELAY:
        if (!nothing)
            answer_duration(choice);
        break;
    case XM_PROMPT_SEARCH:
        if (choice->search[0] && choice->prompt.error[0])
            drop_search(choice);
        nothing = true;
        break;
    case XM_PROMPT_NONE:
    case XM_PROMPT_FILTER:
        nothing = true;
        break;
    }
    if (nothing)
        choice->prompt.kind = XM_PROMPT_NONE;
}

/* Takes off the last character, all of its bytes. */
static void rub_out(struct xm_prompt *prompt)
{
    size_t length = strlen(prompt->text);
    while (length > 0 && ((unsigned char)prompt->text[length - 1] & 0xc0) == 0x80)
        length--;
    prompt->text[length ? length - 1 : 0] = '\0';
}

static void type(struct xm_prompt *prompt, int key)
{
    uint32_t c = (uint32_t)key;
    char bytes[5] = "";
    char clean[8];
    if (c < 0x80) {
        bytes[0] = (char)c;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
    } else {
        bytes[0] = (char)(0xf0 | c >> 18);
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (c & 0x3f));
    }
    /* What draws nothing, or turns the text round, is not taken: a pasted text may have it. */
    if (strcmp(xm_format_name(bytes, sizeof bytes, clean, sizeof clean), bytes) != 0)
        return;
    size_t used = strlen(prompt->text);
    if (used + strlen(bytes) < sizeof prompt->text)
        memcpy(prompt->text + used, bytes, strlen(bytes) + 1);
}

bool xm_choice_prompt_key(struct xm_choice *choice, const struct xm_model *model, int key)
{
    struct xm_prompt *prompt = &choice->prompt;
    switch (key) {
    case XM_KEY_ENTER:
        answer(choice, model);
        return true;
    case XM_KEY_ESCAPE:
        prompt->text[0] = '\0';
        take_text(choice, model);
        prompt->kind = XM_PROMPT_NONE;
        return true;
    case XM_KEY_BACKSPACE:
    case XM_KEY_DELETE:
        rub_out(prompt);
        break;
    case XM_KEY_CLEAR:
        prompt->text[0] = '\0';
        break;
    case XM_KEY_F3:
    case 14: /* Ctrl-N */
        if (prompt->kind == XM_PROMPT_SEARCH)
            xm_choice_find(choice, model, true);
        return true;
    default:
        /* Cursor and function keys close nothing and mean nothing here. */
        if (key < ' ' || key == 0x7f || key >= XM_KEY_FIRST)
            return key == XM_KEY_REDRAW ? (choice->redraw = true) : false;
        type(prompt, key);
        break;
    }
    take_text(choice, model);
    return true;
}

/* ---- Pop-ups. */

unsigned xm_choice_column_order(const struct xm_table *table, const struct xm_choice *choice,
                                uint8_t order[XM_TABLE_MAX_COLUMNS])
{
    struct xm_choice_table t = xm_table_choice(table, choice);
    bool taken[XM_TABLE_MAX_COLUMNS] = {true}; /* the first is always there */
    unsigned count = 0;
    const struct xm_popup *popup = &choice->popup;
    bool kept = popup->kind == XM_POPUP_COLUMNS && popup->columns && popup->columns + 1 == table->count;
    for (unsigned i = 0; kept && i < popup->columns; i++) {
        uint8_t column = popup->column[i];
        if (column >= table->count || taken[column])
            continue;
        order[count++] = column;
        taken[column] = true;
    }
    for (unsigned i = 0; i < t.columns; i++) {
        if (taken[t.column[i]])
            continue;
        order[count++] = t.column[i];
        taken[t.column[i]] = true;
    }
    for (unsigned i = 0; i < table->count; i++)
        if (!taken[i])
            order[count++] = (uint8_t)i;
    return count;
}

static void open_columns(struct xm_choice *choice, const struct xm_table *table)
{
    choice->popup.columns = 0;
    unsigned count = xm_choice_column_order(table, choice, choice->popup.column);
    choice->popup.columns = count;
}

void xm_choice_sort_menu(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    const struct xm_table *table = xm_table_of(choice->view);
    choice->popup = (struct xm_popup){.kind = XM_POPUP_SORT, .line = xm_table_choice(table, choice).sort};
}

void xm_choice_columns(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->popup = (struct xm_popup){.kind = XM_POPUP_COLUMNS};
    open_columns(choice, xm_table_of(choice->view));
}

/* The shown ones are in the order of the chooser's lines. */
static void show_columns(struct xm_choice *choice, const struct xm_table *table, const bool *shown)
{
    struct xm_choice_table t = xm_table_choice(table, choice);
    t.columns = 0;
    for (unsigned i = 0; i < choice->popup.columns; i++)
        if (shown[choice->popup.column[i]])
            t.column[t.columns++] = choice->popup.column[i];
    t.chosen = true;
    choice->table[table->view] = t;
}

static void mark_shown(const struct xm_choice *choice, const struct xm_table *table, bool *shown)
{
    struct xm_choice_table t = xm_table_choice(table, choice);
    for (unsigned i = 0; i < t.columns; i++)
        shown[t.column[i]] = true;
}

/* Shows or hides the column on the cursor's line, where it stands. */
static void toggle_column(struct xm_choice *choice, const struct xm_table *table)
{
    bool shown[XM_TABLE_MAX_COLUMNS] = {false};
    const struct xm_popup *popup = &choice->popup;
    if (popup->line >= popup->columns)
        return;
    mark_shown(choice, table, shown);
    shown[popup->column[popup->line]] = !shown[popup->column[popup->line]];
    show_columns(choice, table, shown);
}

static void move_column(struct xm_choice *choice, const struct xm_table *table, int direction)
{
    bool shown[XM_TABLE_MAX_COLUMNS] = {false};
    struct xm_popup *popup = &choice->popup;
    unsigned from = popup->line;
    unsigned to = from + (unsigned)direction; /* past either end: more than there are */
    if (from >= popup->columns || to >= popup->columns)
        return;
    uint8_t column = popup->column[from];
    popup->column[from] = popup->column[to];
    popup->column[to] = column;
    popup->line = to;
    mark_shown(choice, table, shown);
    show_columns(choice, table, shown);
}

/* The columns of the beginning; the order of the lines stays. */
static void reset_columns(struct xm_choice *choice, const struct xm_table *table)
{
    struct xm_choice_table before = xm_table_choice(table, choice);
    choice->table[table->view].chosen = false;
    struct xm_choice_table t = xm_table_choice(table, choice);
    t.sort = before.sort;
    t.descending = before.descending;
    t.chosen = true;
    choice->table[table->view] = t;
    choice->popup.line = 0;
    open_columns(choice, table);
}

static void move_line(struct xm_choice *choice, unsigned count, int key)
{
    static const struct {
        int key, lines;
    } moves[] = {{XM_KEY_UP, -1},        {'k', -1},
                 {XM_KEY_DOWN, 1},       {'j', 1},
                 {XM_KEY_PAGE_UP, -10},  {2, -10},
                 {XM_KEY_PAGE_DOWN, 10}, {6, 10},
                 {XM_KEY_HOME, -1000},   {'g', -1000},
                 {XM_KEY_LAST, 1000},    {'G', 1000},
                 {XM_KEY_WHEEL_UP, -3},  {XM_KEY_WHEEL_DOWN, 3}};
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        int line = (int)choice->popup.line + moves[i].lines;
        if (moves[i].key == key)
            choice->popup.line = line < 0 ? 0 : line < (int)count ? (unsigned)line : count ? count - 1 : 0;
    }
}

static void choose(struct xm_choice *choice, const struct xm_table *table, int key)
{
    enum xm_popup_kind kind = choice->popup.kind;
    switch (key) {
    case ' ':
        if (kind == XM_POPUP_COLUMNS)
            toggle_column(choice, table);
        break;
    case '[':
    case XM_KEY_LEFT:
        if (kind == XM_POPUP_COLUMNS)
            move_column(choice, table, -1);
        break;
    case ']':
    case XM_KEY_RIGHT:
        if (kind == XM_POPUP_COLUMNS)
            move_column(choice, table, 1);
        break;
    case 'r':
        if (kind == XM_POPUP_COLUMNS)
            reset_columns(choice, table);
        break;
    case XM_KEY_ENTER:
        if (kind == XM_POPUP_SORT)
            xm_choice_sort_column(choice, choice->popup.line);
        choice->popup.kind = XM_POPUP_NONE;
        break;
    case XM_KEY_ESCAPE:
    case 'q':
        choice->popup.kind = XM_POPUP_NONE;
        break;
    case XM_KEY_REDRAW:
        choice->redraw = true;
        break;
    default:
        break;
    }
}

bool xm_choice_popup_key(struct xm_choice *choice, const struct xm_model *model, int key)
{
    const struct xm_table *table = xm_table_of(choice->view);
    uint8_t order[XM_TABLE_MAX_COLUMNS];
    if (!table) {
        choice->popup.kind = XM_POPUP_NONE;
        return true;
    }
    if (choice->popup.kind == XM_POPUP_COLUMNS && choice->popup.columns + 1 != table->count)
        open_columns(choice, table);
    unsigned count =
        choice->popup.kind == XM_POPUP_SORT ? table->count : xm_choice_column_order(table, choice, order);
    move_line(choice, count, key);
    choose(choice, table, key);
    return true;
}
