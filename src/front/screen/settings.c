/* SPDX-License-Identifier: MIT */
#include "front/screen/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/screen/choice_int.h"
#include "front/conf.h"
#include "front/screen/table.h"
#include "front/terminal/theme.h"

#define SECTION       "screen"
#define MS            UINT64_C(1000000)
#define MIN_WINDOW_NS MS
#define MAX_WINDOW_NS (7 * 86400 * XM_NS_PER_S)
#define LIST_LINE     120u /* bytes of a list on one line; more goes on the next */

static const char *const views[] = {
    [XM_VIEW_DOMAINS] = "domains", [XM_VIEW_VCPUS] = "vcpus",     [XM_VIEW_PCPUS] = "pcpus",
    [XM_VIEW_DOMAIN] = "domain",   [XM_VIEW_LATENCY] = "latency", [XM_VIEW_PAPER] = "paper",
};
static const char *const windows[] = {
    [XM_WINDOW_LAST] = "last",
    [XM_WINDOW_1S] = "1s",
    [XM_WINDOW_10S] = "10s",
    [XM_WINDOW_1MIN] = "1min",
};
static const char *const units[] = {
    [XM_UNITS_OF_VCPUS] = "vcpus",
    [XM_UNITS_OF_ONE] = "cpu",
    [XM_UNITS_MS_PER_S] = "ms",
};
static const char *const spreads[] = {[XM_SPREAD_START] = "start", [XM_SPREAD_WATCHED] = "watched"};
static const char *const rows[] = {
    [XM_ROWS_ALLOCATED] = "allocated",   [XM_ROWS_WAITED] = "waited", [XM_ROWS_BLOCKED] = "blocked",
    [XM_ROWS_EXECUTIONS] = "executions", [XM_ROWS_IO] = "io",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Values. */

/* Where a value goes, and what to say where it cannot. */
struct target {
    struct xm_choice *choice;
    const char *value;
    enum xm_screen_view view; /* of "columns.VIEW" */
    bool adds;                /* the list goes on from the line before */
    char *cause;
    size_t size;
};

static bool wrong(struct target *t, const char *right, const char *shown)
{
    snprintf(t->cause, t->size, "'%.40s' is not %s", shown, right);
    return false;
}

/* The index of a word; `count` where it is none. */
static unsigned word(const char *const *words, size_t count, const char *text, size_t length)
{
    for (unsigned i = 0; i < count; i++)
        if (words[i] && strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
            return i;
    return (unsigned)count;
}

static bool read_time(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *where)
{
    uint64_t ns;
    if (!xm_choice_parse_duration(text, &ns) || ns < min_ns || ns > max_ns)
        return false;
    *where = ns;
    return true;
}

/* Exactly: what is saved is what was chosen. */
static void write_time(uint64_t ns, char text[32])
{
    if (ns % XM_NS_PER_S == 0) {
        snprintf(text, 32, "%" PRIu64 "s", ns / XM_NS_PER_S);
        return;
    }
    int length = snprintf(text, 32, "%" PRIu64 ".%09" PRIu64, ns / XM_NS_PER_S, ns % XM_NS_PER_S);
    while (text[length - 1] == '0')
        length--;
    snprintf(text + length, 32 - (size_t)length, "s");
}

/* The next word of a list, separated by commas or blanks; false: there is none. */
static bool next_word(const char **list, const char **from, size_t *length)
{
    *from = *list + strspn(*list, ", \t");
    *length = strcspn(*from, ", \t");
    *list = *from + *length;
    return *length > 0;
}

/* ---- One function a setting. */

static bool set_view(struct target *t)
{
    unsigned view = word(views, COUNT(views), t->value, strlen(t->value));
    if (view == COUNT(views))
        return wrong(t, "one of domains, vcpus, pcpus, domain, latency, paper", t->value);
    t->choice->view = (enum xm_screen_view)view;
    return true;
}

static bool set_interval(struct target *t)
{
    if (read_time(t->value, XM_CHOICE_MIN_INTERVAL_NS, XM_CHOICE_MAX_INTERVAL_NS, &t->choice->interval_ns))
        return true;
    return wrong(t, "a time such as 500ms or 2s, 100ms to 60s", t->value);
}

static bool set_window(struct target *t)
{
    unsigned window = word(windows, COUNT(windows), t->value, strlen(t->value));
    uint64_t ns;
    if (window < COUNT(windows)) {
        t->choice->window = (enum xm_choice_window)window;
        return true;
    }
    if (!read_time(t->value, MIN_WINDOW_NS, MAX_WINDOW_NS, &ns))
        return wrong(t, "last, 1s, 10s, 1min, or a time such as 30s", t->value);
    t->choice->window = XM_WINDOW_FREE;
    t->choice->free_ns = ns;
    return true;
}

static bool set_units(struct target *t)
{
    unsigned unit = word(units, COUNT(units), t->value, strlen(t->value));
    if (unit == COUNT(units))
        return wrong(t, "one of vcpus, cpu, ms", t->value);
    t->choice->units = (enum xm_choice_units)unit;
    return true;
}

static bool set_theme(struct target *t)
{
    char names[120] = "one of";
    size_t length = strlen(names);
    if (xm_theme_find(t->value, &t->choice->theme))
        return true;
    for (unsigned i = 0; xm_theme_name(i) && length < sizeof names; i++)
        length +=
            (size_t)snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : " ", xm_theme_name(i));
    return wrong(t, names, t->value);
}

static bool set_spread(struct target *t)
{
    unsigned since = word(spreads, COUNT(spreads), t->value, strlen(t->value));
    if (since == COUNT(spreads))
        return wrong(t, "start or watched", t->value);
    t->choice->since = (enum xm_spread_since)since;
    return true;
}

static bool set_bool(struct target *t, bool *where)
{
    return xm_conf_read_bool(t->value, where) || wrong(t, "yes or no", t->value);
}

static bool set_hide_idle(struct target *t)
{
    return set_bool(t, &t->choice->hide_idle);
}

static bool set_pin_dom0(struct target *t)
{
    return set_bool(t, &t->choice->pin_dom0);
}

static bool set_expand(struct target *t)
{
    return set_bool(t, &t->choice->expand_all);
}

static bool set_rows(struct target *t)
{
    bool shown[XM_ROWS_COUNT] = {[XM_ROWS_GOTTEN] = true};
    const char *list = t->value;
    const char *from;
    size_t length;
    while (strcmp(t->value, "none") != 0 && next_word(&list, &from, &length)) {
        unsigned row = word(rows, COUNT(rows), from, length);
        if (row == COUNT(rows))
            return wrong(t, "none, or some of allocated, waited, blocked, executions, io", from);
        shown[row] = true;
    }
    memcpy(t->choice->rows, shown, sizeof shown);
    return true;
}

/* The column of that name; table->count where there is none, and it is said. */
static unsigned find_column(struct target *t, const struct xm_table *table, const char *text, size_t length)
{
    for (unsigned i = 0; i < table->count; i++)
        if (strlen(table->columns[i].id) == length && memcmp(table->columns[i].id, text, length) == 0)
            return i;
    snprintf(t->cause, t->size, "the view %s has no column '%.*s'", views[t->view],
             (int)(length < 40 ? length : 40), text);
    return table->count;
}

static bool has_column(const struct xm_choice_table *shown, unsigned column)
{
    return memchr(shown->column, (int)column, shown->columns) != NULL;
}

/* Those of the list behind those of the line before. */
static bool set_columns(struct target *t)
{
    const struct xm_table *table = xm_table_of(t->view);
    struct xm_choice_table shown = xm_table_choice(table, t->choice);
    const char *list = t->value;
    const char *from;
    size_t length;
    if (!t->adds) {
        memset(shown.column, 0, sizeof shown.column);
        shown.columns = 0;
    }
    while (strcmp(t->value, "none") != 0 && next_word(&list, &from, &length)) {
        unsigned column = find_column(t, table, from, length);
        if (column == table->count)
            return false;
        /* The first one is there anyway. */
        if (column && !has_column(&shown, column) && shown.columns < XM_TABLE_MAX_COLUMNS)
            shown.column[shown.columns++] = (uint8_t)column;
    }
    shown.chosen = true;
    t->choice->table[t->view] = shown;
    return true;
}

/* "COLUMN" in its own order, "+COLUMN" from the least, "-COLUMN" from the most. */
static bool set_sort(struct target *t)
{
    const struct xm_table *table = xm_table_of(t->view);
    struct xm_choice_table shown = xm_table_choice(table, t->choice);
    const char *name = t->value + (t->value[0] == '+' || t->value[0] == '-');
    unsigned column = find_column(t, table, name, strlen(name));
    if (column == table->count)
        return false;
    shown.sort = (uint8_t)column;
    shown.descending = name == t->value ? !table->columns[column].ascending : t->value[0] == '-';
    shown.chosen = true;
    t->choice->table[t->view] = shown;
    return true;
}

static const struct setting {
    const char *name;
    bool (*set)(struct target *t);
    bool of_view; /* its name goes on with a view's: "sort.domains" */
} settings[] = {
    {"view", set_view, false},           {"interval", set_interval, false},
    {"window", set_window, false},       {"units", set_units, false},
    {"theme", set_theme, false},         {"distributions", set_spread, false},
    {"hide-idle", set_hide_idle, false}, {"pin-domain0", set_pin_dom0, false},
    {"expand", set_expand, false},       {"rows", set_rows, false},
    {"columns.", set_columns, true},     {"sort.", set_sort, true},
};

/* NULL: there is no such setting. */
static const struct setting *find_setting(const char *name, enum xm_screen_view *view)
{
    for (size_t i = 0; i < COUNT(settings); i++) {
        size_t length = strlen(settings[i].name);
        if (!settings[i].of_view && strcmp(name, settings[i].name) == 0)
            return &settings[i];
        if (!settings[i].of_view || strncmp(name, settings[i].name, length) != 0)
            continue;
        unsigned found = word(views, COUNT(views), name + length, strlen(name + length));
        if (found < COUNT(views) && xm_table_of((enum xm_screen_view)found)) {
            *view = (enum xm_screen_view)found;
            return &settings[i];
        }
    }
    return NULL;
}

static bool set(struct target *t, const char *name)
{
    const struct setting *setting = find_setting(name, &t->view);
    if (setting)
        return setting->set(t);
    snprintf(t->cause, t->size, "there is no such setting");
    return false;
}

bool xm_settings_set(struct xm_choice *choice, const char *name, const char *value, char *cause, size_t size)
{
    struct target t = {.choice = choice, .value = value, .cause = cause, .size = size};
    return set(&t, name);
}

const char *xm_settings_view_name(enum xm_screen_view view)
{
    return (unsigned)view < COUNT(views) ? views[view] : "help";
}

/* ---- Reading. */

struct reading {
    struct xm_choice choice;
    bool listed[XM_VIEWS]; /* its columns have begun in this file */
    void (*say)(void *user, const char *text);
    void *user;
    char cause[200];
};

static const char *take(void *user, const struct xm_conf_line *line)
{
    struct reading *r = user;
    struct target t = {
        .choice = &r->choice, .value = line->value, .cause = r->cause, .size = sizeof r->cause};
    if (strcmp(line->section, SECTION) != 0)
        return xm_conf_is_section(line->section) ? NULL : XM_CONF_NO_SECTION;
    const struct setting *setting = find_setting(line->name, &t.view);
    if (!setting)
        return "there is no such setting";
    t.adds = setting->set == set_columns && r->listed[t.view];
    if (!setting->set(&t))
        return r->cause;
    if (setting->set == set_columns)
        r->listed[t.view] = true;
    return NULL;
}

static void tell(void *user, const char *text)
{
    const struct reading *r = user;
    if (r->say)
        r->say(r->user, text);
}

enum xm_status xm_settings_read(const char *path, struct xm_choice *choice,
                                void (*say)(void *user, const char *text), void *user, struct xm_error *err)
{
    struct reading r = {.choice = *choice, .say = say, .user = user};
    const struct xm_conf_reader reader = {.take = take, .wrong = tell, .user = &r};
    enum xm_status status = xm_conf_read(path, &reader, err);
    if (status == XM_OK)
        *choice = r.choice;
    return status;
}

/* ---- Writing. */

static void write_table(FILE *f, enum xm_screen_view view, const struct xm_choice *choice)
{
    const struct xm_table *table = xm_table_of(view);
    struct xm_choice_table shown = xm_table_choice(table, choice);
    unsigned length = 0;
    fprintf(f, "columns.%s = %s", views[view], shown.columns ? "" : "none");
    for (unsigned i = 0; i < shown.columns; i++) {
        const char *id = table->columns[shown.column[i]].id;
        bool breaks = length + strlen(id) > LIST_LINE;
        if (breaks)
            fprintf(f, "\ncolumns.%s = ", views[view]);
        length = breaks ? 0 : length;
        length += (unsigned)fprintf(f, "%s%s", length ? ", " : "", id);
    }
    fprintf(f, "\nsort.%s = %c%s\n", views[view], shown.descending ? '-' : '+',
            table->columns[shown.sort].id);
}

static const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

static void write_settings(FILE *f, const struct xm_choice *c)
{
    char time[32];
    bool any = false;
    enum xm_screen_view view = c->view == XM_VIEW_HELP ? c->before_help : c->view;
    write_time(c->interval_ns, time);
    fprintf(f, "view = %s\ninterval = %s\n", xm_settings_view_name(view), time);
    write_time(c->free_ns, time);
    fprintf(f, "window = %s\n", (unsigned)c->window < COUNT(windows) ? windows[c->window] : time);
    fprintf(f, "units = %s\ntheme = %s\n", units[c->units],
            xm_theme_name(c->theme) ? xm_theme_name(c->theme) : xm_theme_name(0));
    fprintf(f, "distributions = %s\n", spreads[c->since]);
    fprintf(f, "hide-idle = %s\npin-domain0 = %s\nexpand = %s\nrows = ", yes_no(c->hide_idle),
            yes_no(c->pin_dom0), yes_no(c->expand_all));
    for (unsigned i = 0; i < COUNT(rows); i++) {
        if (rows[i] && c->rows[i]) {
            fprintf(f, "%s%s", any ? ", " : "", rows[i]);
            any = true;
        }
    }
    fputs(any ? "\n" : "none\n", f);
    for (unsigned v = 0; v < COUNT(views); v++)
        if (c->table[v].chosen && xm_table_of((enum xm_screen_view)v))
            write_table(f, (enum xm_screen_view)v, c);
}

/* Whether a line of the old file's section is one that is written anew. */
static bool is_ours(const char *line, size_t length)
{
    enum xm_screen_view view;
    char name[64];
    while (length && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    size_t end = 0;
    while (end < length && !strchr("=: \t", line[end]))
        end++;
    snprintf(name, sizeof name, "%.*s", (int)end, line);
    return length == 0 || find_setting(name, &view);
}

static bool is_title(const char *line, size_t length, bool *ours)
{
    while (length && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    if (!length || *line != '[')
        return false;
    *ours = strncmp(line, "[" SECTION "]", sizeof SECTION + 1) == 0;
    return true;
}

/* Its bytes, where the text begins with one. */
static size_t byte_order_mark(const char *text, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t size = sizeof mark - 1;
    return length >= size && memcmp(text, mark, size) == 0 ? size : 0;
}

/* The old text with our section's lines replaced; what there is no place for comes at the end. */
static void write_over(FILE *f, const char *text, size_t length, const struct xm_choice *choice)
{
    bool ours = false;
    bool written = false;
    const char *end = text + length;
    size_t mark = byte_order_mark(text, length);
    fwrite(text, 1, mark, f); /* it stays, and is no part of the first title */
    text += mark;
    for (const char *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t bytes = (size_t)((newline ? newline : end) - text);
        next = newline ? newline + 1 : end;
        bool title = is_title(text, bytes, &ours);
        if (ours && !title && is_ours(text, bytes))
            continue;
        if (ours && title && written)
            continue; /* a second one: what is kept of it goes with the first */
        fwrite(text, 1, bytes, f);
        fputc('\n', f);
        if (ours && title) {
            write_settings(f, choice);
            written = true;
        }
    }
    if (written)
        return;
    fprintf(f, "%s[" SECTION "]\n",
            length ? "\n" : "# Settings of xenmon, as F2 saved them: xenmon.conf(5)\n");
    write_settings(f, choice);
}

static enum xm_status make_directories(const char *path, struct xm_error *err)
{
    char place[PATH_MAX];
    snprintf(place, sizeof place, "%s", path);
    for (char *slash = strchr(place + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(place, 0700) != 0 && errno != EEXIST)
            return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", place, strerror(errno));
        *slash = '/';
    }
    return XM_OK;
}

/* mode: of the file that there was; 0: none. */
static enum xm_status replace(const char *path, mode_t mode, const char *text, size_t length,
                              const struct xm_choice *choice, struct xm_error *err)
{
    char fresh[PATH_MAX + 16];
    snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
    int fd = mkstemp(fresh);
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    FILE *f = fdopen(fd, "w");
    bool good = f && fchmod(fd, mode ? mode : 0600) == 0;
    if (good) {
        write_over(f, text, length, choice);
        good = fflush(f) == 0 && !ferror(f) && fsync(fd) == 0;
    }
    int cause = errno;
    if (f)
        good = fclose(f) == 0 && good;
    else
        close(fd);
    if (good && rename(fresh, path) == 0)
        return XM_OK;
    cause = good ? errno : cause;
    unlink(fresh);
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(cause));
}

enum xm_status xm_settings_write(const char *path, const struct xm_choice *choice, struct xm_error *err)
{
    char place[PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    struct stat st = {0};
#ifndef XM_HAVE_INIH
    return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                   "reading configuration (inih) was left out of this build");
#endif
    if (strlen(path) >= sizeof place)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%.60s...: %s", path, strerror(ENAMETOOLONG));
    enum xm_status status = make_directories(path, err);
    if (status != XM_OK)
        return status;
    if (!realpath(path, place)) /* a link stays one */
        snprintf(place, sizeof place, "%s", path);
    struct xm_error old;
    xm_error_clear(&old);
    status = xm_conf_text(place, &text, &length, &old);
    if (status != XM_OK && !(status == XM_IO && errno == ENOENT))
        return xm_fail(err, status, XM_NO_OFFSET, "%s", old.text);
    mode_t mode = status == XM_OK && stat(place, &st) == 0 ? st.st_mode & 0777 : 0;
    status = replace(place, mode, text ? text : "", length, choice, err);
    free(text);
    return status;
}
