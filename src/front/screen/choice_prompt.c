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
    }
    prompt->kind = XM_PROMPT_NONE;
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
    case XM_PROMPT_NONE:
    case XM_PROMPT_SEARCH:
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
    for (unsigned i = 0; i < t.columns; i++) {
        order[count++] = t.column[i];
        taken[t.column[i]] = true;
    }
    for (unsigned i = 0; i < table->count; i++)
        if (!taken[i])
            order[count++] = (uint8_t)i;
    return count;
}

void xm_choice_sort_menu(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    const struct xm_table *table = xm_table_of(choice->view);
    choice->popup = (struct xm_popup){.kind = XM_POPUP_SORT, .line = xm_table_choice(table, choice).sort};
}

void xm_choice_columns(struct xm_choice *choice, const struct xm_model *model, int argument)
{
    choice->popup = (struct xm_popup){.kind = XM_POPUP_COLUMNS};
}

/* Shows or hides the column on the cursor's line; the cursor stays with it. */
static void toggle_column(struct xm_choice *choice, const struct xm_table *table)
{
    uint8_t order[XM_TABLE_MAX_COLUMNS];
    struct xm_choice_table t = xm_table_choice(table, choice);
    unsigned count = xm_choice_column_order(table, choice, order);
    unsigned line = choice->popup.line;
    if (line >= count)
        return;
    if (line < t.columns) {
        memmove(&t.column[line], &t.column[line + 1], (size_t)(t.columns - line - 1) * sizeof t.column[0]);
        t.columns--;
    } else {
        t.column[t.columns++] = order[line];
    }
    t.chosen = true;
    choice->table[table->view] = t;
    uint8_t column = order[line];
    count = xm_choice_column_order(table, choice, order);
    for (unsigned i = 0; i < count; i++)
        if (order[i] == column)
            choice->popup.line = i;
}

static void move_column(struct xm_choice *choice, const struct xm_table *table, int direction)
{
    struct xm_choice_table t = xm_table_choice(table, choice);
    int from = (int)choice->popup.line;
    int to = from + direction;
    if (from >= t.columns || to < 0 || to >= t.columns)
        return;
    uint8_t column = t.column[from];
    t.column[from] = t.column[to];
    t.column[to] = column;
    t.chosen = true;
    choice->table[table->view] = t;
    choice->popup.line = (unsigned)to;
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
    unsigned count =
        choice->popup.kind == XM_POPUP_SORT ? table->count : xm_choice_column_order(table, choice, order);
    move_line(choice, count, key);
    choose(choice, table, key);
    return true;
}
