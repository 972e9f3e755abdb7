/* SPDX-License-Identifier: MIT */
#include "front/terminal/terminal.h"

#define NCURSES_WIDECHAR 1 /* get_wch() */
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <term.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/text.h"
#include "front/terminal/keys.h"
#include "front/terminal/theme.h"

#define DOUBLE_CLICK_NS 400000000u
#define ESCAPE_DELAY_MS 50
#define SLOW_BAUD       19200
#define SEQUENCE_MAX    32 /* bytes of an escape sequence that nobody knows */

struct xm_terminal {
    SCREEN *screen;
    int signals; /* a descriptor that reads the blocked signals */
    sigset_t saved_mask;
    struct sigaction saved_stop;
    bool utf8;
    bool ascii; /* the locale knows no other characters */
    unsigned colours; /* 0: none, or none wanted */
    bool own_colours; /* pairs can have the terminal's own colours in them */
    unsigned theme;
    attr_t attributes[XM_MEANINGS];
    bool plain[XM_MEANINGS]; /* a blank in it cannot be seen */

    struct xm_grid shown; /* what was drawn last; empty: nothing, or it does not count any more */

    unsigned mouse_x, mouse_y;
    uint64_t clicked_ns; /* 0: the next click is a first one */

    int next; /* a key that came right after an Esc; XM_KEY_NONE: none */
};

/* ---- Looks. */

static attr_t attributes_of(struct xm_look look)
{
    return (look.attributes & XM_LOOK_BOLD ? A_BOLD : 0) | (look.attributes & XM_LOOK_DIM ? A_DIM : 0) |
           (look.attributes & XM_LOOK_UNDERLINE ? A_UNDERLINE : 0) |
           (look.attributes & XM_LOOK_REVERSE ? A_REVERSE : 0);
}

/* Where a pair cannot have the terminal's own colours in it, they are taken for white on black. */
static bool set_pair(const struct xm_terminal *t, short pair, struct xm_look look)
{
    if (!t->own_colours) {
        look.ink = look.ink < 0 ? COLOR_WHITE : look.ink;
        look.paper = look.paper < 0 ? COLOR_BLACK : look.paper;
    }
    return init_pair(pair, look.ink, look.paper) == OK;
}

static void find_colours(struct xm_terminal *t, bool colour)
{
    if (!colour || !has_colors() || start_color() != OK)
        return;
    t->own_colours = use_default_colors() == OK;
    /* Pair 0 is the terminal's own colours. */
    if (COLOR_PAIRS > XM_MEANINGS && COLORS > 0)
        t->colours = (unsigned)COLORS;
    /* The names of the first 16 colours are half as long, which is much of a refresh on a serial line. */
    if (t->colours > 16 && baudrate() > 0 && baudrate() <= SLOW_BAUD)
        t->colours = 16;
}

/*
 * Normal text has a pair of its own, though it may be that of the terminal's colours: to pair 0 curses
 * goes by way of resetting everything, which is twice as long.
 */
static void set_theme(struct xm_terminal *terminal, unsigned theme)
{
    terminal->theme = theme;
    for (unsigned i = 0; i < XM_MEANINGS; i++) {
        struct xm_look look = xm_theme_look(theme, (enum xm_meaning)i, terminal->colours);
        terminal->attributes[i] = attributes_of(look);
        terminal->plain[i] = look.paper < 0 && !(look.attributes & (XM_LOOK_UNDERLINE | XM_LOOK_REVERSE));
        if (terminal->colours && set_pair(terminal, (short)(i + 1), look))
            terminal->attributes[i] |= (attr_t)COLOR_PAIR(i + 1);
    }
    bkgdset((chtype)' ' | terminal->attributes[XM_MEANING_NORMAL]);
    xm_grid_fini(&terminal->shown);
}

void xm_terminal_theme(struct xm_terminal *terminal, unsigned theme)
{
    if (theme != terminal->theme)
        set_theme(terminal, theme);
}

/* ---- The rescue. */

/* Adds a terminal string; its "$<5>" delays are for machines that are gone, and are left out. */
static void rescue_add(struct xm_terminal_rescue *rescue, const char *s)
{
    while (*s) {
        const char *end = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL;
        if (end)
            s = end + 1;
        else if (rescue->size < sizeof rescue->bytes)
            rescue->bytes[rescue->size++] = *s++;
        else
            return;
    }
}

/* The capability's string; "" where the terminal has none. */
static const char *capability(const char *name)
{
    const char *s = tigetstr(name);
    return s && s != (const char *)-1 ? s : "";
}

static void fill_rescue(struct xm_terminal_rescue *rescue, const struct termios *saved)
{
    static const char *const names[] = {"sgr0", "rmkx", "rmcup", "cnorm"};
    *rescue = (struct xm_terminal_rescue){.fd = STDOUT_FILENO, .saved = *saved};
    if (*capability("kmous"))
        rescue_add(rescue, "\033[?1006l\033[?1000l");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        rescue_add(rescue, capability(names[i]));
}

void xm_terminal_rescue(const struct xm_terminal_rescue *rescue)
{
    if (!rescue || rescue->fd < 0)
        return;
    if (write(rescue->fd, rescue->bytes, rescue->size) < 0)
        return; /* there is nobody left to tell */
    tcsetattr(rescue->fd, TCSANOW, &rescue->saved);
}

/* ---- Open and close. */

/* It is blocked, and read from the descriptor. */
static void never_run(int number)
{
    (void)number;
}

/*
 * Where SIGTSTP has its default action, curses handles it, and ignores it for as long as it writes: one that came a
 * moment before would be dropped.  What has a handler already, it leaves alone.  Whoever started the process with the
 * signal ignored wants it to be.
 */
static enum xm_status take_signals(struct xm_terminal *t, struct xm_error *err)
{
    static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT};
    const struct sigaction ours = {.sa_handler = never_run};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        sigaddset(&set, taken[i]);
    sigaction(SIGTSTP, NULL, &t->saved_stop);
    bool stops = t->saved_stop.sa_handler != SIG_IGN;
    if (stops)
        sigaddset(&set, SIGTSTP);
    t->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (t->signals < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "signals cannot be read: %s", strerror(errno));
    sigprocmask(SIG_BLOCK, &set, &t->saved_mask);
    if (stops)
        sigaction(SIGTSTP, &ours, NULL);
    return XM_OK;
}

/* What can be told before curses touches anything. */
static enum xm_status check_terminal(struct termios *saved, struct xm_error *err)
{
    const char *term = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDOUT_FILENO, saved) != 0)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "standard input and output are not both a terminal");
    if (!term || !*term || strcmp(term, "dumb") == 0 || strcmp(term, "unknown") == 0)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "a terminal of type \"%s\" cannot show a live screen", term ? term : "");
    int status = 0;
    /* newterm() would end the process for a type it does not know. */
    if (setupterm(NULL, STDOUT_FILENO, &status) != OK || status != 1)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "the terminal type \"%s\" is not known here", term);
    const char *move = tigetstr("cup");
    bool moves = move && move != (const char *)-1;
    del_curterm(cur_term); /* newterm() looks it up for itself */
    if (!moves)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "a terminal of type \"%s\" cannot place its cursor",
                       term);
    return XM_OK;
}

static void set_up_curses(struct xm_terminal *t, bool colour)
{
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    intrflush(stdscr, FALSE);
    leaveok(stdscr, TRUE); /* nobody sees the cursor, so it need not go anywhere */
    if (!getenv("ESCDELAY"))
        set_escdelay(ESCAPE_DELAY_MS);
    curs_set(0);
    find_colours(t, colour);
    set_theme(t, 0);
    t->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t->ascii = strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968") == 0 || strcmp(nl_langinfo(CODESET), "US-ASCII") == 0;
}

enum xm_status xm_terminal_open(bool colour, struct xm_terminal **terminal, struct xm_terminal_rescue *rescue,
                                struct xm_error *err)
{
    struct termios saved;
    *terminal = NULL;
    enum xm_status status = check_terminal(&saved, err);
    if (status != XM_OK)
        return status;
    struct xm_terminal *t = calloc(1, sizeof *t);
    if (!t)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    t->next = XM_KEY_NONE;
    status = take_signals(t, err);
    if (status != XM_OK) {
        free(t);
        return status;
    }
    use_tioctl(TRUE); /* the window's size, whatever $LINES was when the shell began */
    t->screen = newterm(NULL, stdout, stdin);
    if (!t->screen) {
        xm_terminal_close(t);
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "the terminal cannot be opened");
    }
    set_up_curses(t, colour);
    if (rescue)
        fill_rescue(rescue, &saved);
    *terminal = t;
    return XM_OK;
}

void xm_terminal_close(struct xm_terminal *terminal)
{
    if (!terminal)
        return;
    if (terminal->screen) {
        mousemask(0, NULL);
        endwin();
        delscreen(terminal->screen);
    }
    xm_grid_fini(&terminal->shown);
    close(terminal->signals);
    sigaction(SIGTSTP, &terminal->saved_stop, NULL);
    sigprocmask(SIG_SETMASK, &terminal->saved_mask, NULL);
    free(terminal);
}

/* ---- Drawing. */

void xm_terminal_size(const struct xm_terminal *terminal, unsigned *width, unsigned *height)
{
    *width = COLS > 0 ? (unsigned)COLS : 0;
    *height = LINES > 0 ? (unsigned)LINES : 0;
}

bool xm_terminal_utf8(const struct xm_terminal *terminal)
{
    return terminal->utf8;
}

static unsigned look_of(const struct xm_grid_cell *cell)
{
    return cell->meaning < XM_MEANINGS ? cell->meaning : XM_MEANING_NORMAL;
}

static bool is_blank(const struct xm_terminal *t, const struct xm_grid_cell *cell)
{
    return cell->text[0] == ' ' && cell->text[1] == '\0' && t->plain[look_of(cell)];
}

/*
 * Cells that look alike are handed over in one piece.  A blank looks the same in any ink, so between
 * words it takes that of the one before: going back to the normal one and on to the next would be most
 * of what is sent.
 */
static void draw_row(const struct xm_terminal *t, const struct xm_grid_cell *row, unsigned width, unsigned y)
{
    char text[512];
    size_t length = 0;
    unsigned look = XM_MEANING_NORMAL;
    unsigned end = width; /* after it there are blanks only, which can be erased in one go */
    while (end && is_blank(t, &row[end - 1]))
        end--;
    move((int)y, 0);
    attrset((int)t->attributes[look]);
    for (unsigned x = 0; x < width; x++) {
        size_t bytes = strnlen(row[x].text, sizeof row[x].text);
        unsigned next = x >= end ? XM_MEANING_NORMAL : look_of(&row[x]);
        if (x < end && is_blank(t, &row[x]) && t->plain[look])
            next = look;
        if (next != look || length + bytes > sizeof text) {
            addnstr(text, (int)length);
            length = 0;
            look = next;
            attrset((int)t->attributes[look]);
        }
        memcpy(text + length, row[x].text, bytes);
        length += bytes;
    }
    addnstr(text, (int)length);
}

static bool same_row(const struct xm_grid *a, const struct xm_grid *b, unsigned y)
{
    size_t start = (size_t)y * a->width;
    return memcmp(a->cells + start, b->cells + start, a->width * sizeof *a->cells) == 0;
}

/*
 * curses sends what differs from what it sent before.  Finding that out costs more than to see that a
 * row is the one that was there, so those are not handed over.
 */
void xm_terminal_draw(struct xm_terminal *terminal, const struct xm_grid *grid)
{
    unsigned width = grid->width < (unsigned)COLS ? grid->width : (unsigned)COLS;
    unsigned height = grid->height < (unsigned)LINES ? grid->height : (unsigned)LINES;
    struct xm_grid *shown = &terminal->shown;
    bool known = shown->cells && shown->width == grid->width && shown->height == grid->height;
    if (!known) {
        erase();
        if (xm_grid_resize(shown, grid->width, grid->height) != XM_OK)
            xm_grid_fini(shown); /* everything is handed over the next time, too */
    }
    for (unsigned y = 0; y < height; y++)
        if (!known || !same_row(shown, grid, y))
            draw_row(terminal, grid->cells + (size_t)y * grid->width, width, y);
    if (shown->cells)
        memcpy(shown->cells, grid->cells, (size_t)grid->width * grid->height * sizeof *grid->cells);
    refresh();
}

void xm_terminal_redraw(struct xm_terminal *terminal)
{
    clearok(curscr, TRUE);
}

/* ---- The mouse. */

void xm_terminal_use_mouse(struct xm_terminal *terminal, bool use)
{
    mouseinterval(0); /* a press counts at once; what is a double click is decided here */
    mousemask(use ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
}

void xm_terminal_mouse(const struct xm_terminal *terminal, unsigned *x, unsigned *y)
{
    *x = terminal->mouse_x;
    *y = terminal->mouse_y;
}

static int read_click(struct xm_terminal *t, unsigned x, unsigned y)
{
    uint64_t now_ns = xm_clock_ns();
    bool twice =
        t->clicked_ns && now_ns - t->clicked_ns < DOUBLE_CLICK_NS && x == t->mouse_x && y == t->mouse_y;
    t->mouse_x = x;
    t->mouse_y = y;
    t->clicked_ns = twice ? 0 : now_ns;
    return twice ? XM_KEY_DOUBLE : XM_KEY_CLICK;
}

static int read_mouse(struct xm_terminal *t)
{
    MEVENT event;
    if (getmouse(&event) != OK || event.x < 0 || event.y < 0)
        return XM_KEY_UNKNOWN;
    if (event.bstate & BUTTON4_PRESSED)
        return XM_KEY_WHEEL_UP;
    if (event.bstate & BUTTON5_PRESSED)
        return XM_KEY_WHEEL_DOWN;
    return event.bstate & BUTTON1_PRESSED ? read_click(t, (unsigned)event.x, (unsigned)event.y)
                                          : XM_KEY_UNKNOWN;
}

/* ---- Keys. */

struct translation {
    int from, to;
};

static int translate(const struct translation *table, size_t count, int from)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].from == from)
            return table[i].to;
    return XM_KEY_UNKNOWN;
}

/* Keys that curses knows. */
static int function_key(struct xm_terminal *t, int key)
{
    static const struct translation keys[] = {
        {KEY_UP, XM_KEY_UP},
        {KEY_DOWN, XM_KEY_DOWN},
        {KEY_LEFT, XM_KEY_LEFT},
        {KEY_RIGHT, XM_KEY_RIGHT},
        {KEY_PPAGE, XM_KEY_PAGE_UP},
        {KEY_NPAGE, XM_KEY_PAGE_DOWN},
        {KEY_HOME, XM_KEY_HOME},
        {KEY_FIND, XM_KEY_HOME},
        {KEY_END, XM_KEY_LAST},
        {KEY_SELECT, XM_KEY_LAST},
        {KEY_BACKSPACE, XM_KEY_BACKSPACE},
        {KEY_DC, XM_KEY_DELETE},
        {KEY_BTAB, XM_KEY_BACK_TAB},
        {KEY_ENTER, XM_KEY_ENTER},
        {KEY_F(1), XM_KEY_F1},
        {KEY_F(2), XM_KEY_F2},
        {KEY_F(3), XM_KEY_F3},
        {KEY_F(4), XM_KEY_F4},
        {KEY_F(5), XM_KEY_F5},
        {KEY_F(6), XM_KEY_F6},
        {KEY_F(10), XM_KEY_F10},
        {KEY_RESIZE, XM_KEY_RESIZE},
    };
    return key == KEY_MOUSE ? read_mouse(t) : translate(keys, sizeof keys / sizeof keys[0], key);
}

/* More bytes of UTF-8 than `first` are there already: what they come to; 0: no character. */
static wint_t rest_of_character(struct xm_terminal *t, int first)
{
    char text[5] = {(char)first};
    unsigned size = first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 1;
    uint32_t code = 0;
    for (unsigned i = 1; i < size; i++) {
        int byte = getch();
        if (byte > 0xff)
            t->next = function_key(t, byte);
        else if (byte >= 0 && byte >> 6 != 2)
            ungetch(byte);
        if (byte < 0 || byte > 0xff || byte >> 6 != 2)
            return 0;
        text[i] = (char)byte;
    }
    return xm_text_decode(text, 4, &code) == size ? (wint_t)code : 0;
}

/*
 * As get_wch(), a character that is none as 0.  In a locale of ASCII that one waits for more after any other byte, and
 * swallows what comes; there the terminal may speak UTF-8 nevertheless, and names are UTF-8 anyway.
 */
static int read_key(struct xm_terminal *t, wint_t *c)
{
    if (!t->ascii)
        return get_wch(c);
    int key = getch();
    if (key == ERR)
        return ERR;
    *c = key < 0x80 || key > 0xff ? (wint_t)key : rest_of_character(t, key);
    return key > 0xff ? KEY_CODE_YES : OK;
}

/* The next character that is there already; 0: none, or another key, which is the next one then. */
static wint_t next_character(struct xm_terminal *t)
{
    wint_t c = 0;
    int what = read_key(t, &c);
    if (what == KEY_CODE_YES)
        t->next = function_key(t, (int)c);
    return what == OK ? c : 0;
}

/* "\033[", parameters, and `final`: a key of another kind of terminal than $TERM says. */
static int sequence_key(unsigned parameter, wint_t final)
{
    static const struct translation finals[] = {
        {'A', XM_KEY_UP},   {'B', XM_KEY_DOWN}, {'C', XM_KEY_RIGHT},    {'D', XM_KEY_LEFT},
        {'H', XM_KEY_HOME}, {'F', XM_KEY_LAST}, {'Z', XM_KEY_BACK_TAB}, {'M', XM_KEY_ENTER},
        {'P', XM_KEY_F1},   {'Q', XM_KEY_F2},   {'R', XM_KEY_F3},       {'S', XM_KEY_F4},
    };
    static const struct translation numbers[] = {
        {1, XM_KEY_HOME}, {3, XM_KEY_DELETE}, {4, XM_KEY_LAST}, {5, XM_KEY_PAGE_UP}, {6, XM_KEY_PAGE_DOWN},
        {7, XM_KEY_HOME}, {8, XM_KEY_LAST},   {11, XM_KEY_F1},  {12, XM_KEY_F2},     {13, XM_KEY_F3},
        {14, XM_KEY_F4},  {15, XM_KEY_F5},    {17, XM_KEY_F6},  {21, XM_KEY_F10},
    };
    if (final == '~')
        return translate(numbers, sizeof numbers / sizeof numbers[0], (int)parameter);
    return translate(finals, sizeof finals / sizeof finals[0], (int) final);
}

/* A character that came with an Esc and is a key of its own; 0: none. */
static void give_back(struct xm_terminal *t, wint_t c)
{
    if (c >= 0x80 && t->ascii)
        t->next = (int)c; /* curses would not take it */
    else if (c)
        unget_wch((wchar_t)c);
}

/*
 * An escape may be the key, or begin a sequence that curses does not know; its bytes must not be taken
 * for keys. Only a "[" or "O" that comes with it makes it one.
 */
static int escape_key(struct xm_terminal *t)
{
    unsigned parameter = 0;
    bool first = true;
    wint_t c = next_character(t);
    if (c != '[' && c != 'O') {
        give_back(t, c);
        return XM_KEY_ESCAPE;
    }
    if (c == 'O') {
        c = next_character(t);
        return c ? sequence_key(0, c) : XM_KEY_UNKNOWN;
    }
    for (unsigned i = 0; i < SEQUENCE_MAX; i++) {
        c = next_character(t);
        if (c < 0x20 || c >= 0x40) /* 0: it stops in the middle */
            return c >= 0x40 ? sequence_key(parameter, c) : XM_KEY_UNKNOWN;
        first = first && c != ';';
        if (first && c >= '0' && c <= '9' && parameter < 1000)
            parameter = parameter * 10 + (unsigned)(c - '0');
    }
    return XM_KEY_UNKNOWN;
}

static int character_key(struct xm_terminal *t, wint_t c)
{
    switch (c) {
    case 3: /* Ctrl-C where the terminal makes no signal of it */
        return XM_KEY_END;
    case 8:
    case 127:
        return XM_KEY_BACKSPACE;
    case '\n':
        return XM_KEY_ENTER;
    case 27:
        return escape_key(t);
    default:
        return c && c < XM_KEY_FIRST ? (int)c : XM_KEY_UNKNOWN;
    }
}

/* XM_KEY_NONE: curses has none. */
static int curses_key(struct xm_terminal *t)
{
    wint_t c = 0;
    int next = t->next;
    t->next = XM_KEY_NONE;
    if (next != XM_KEY_NONE)
        return next;
    switch (read_key(t, &c)) {
    case OK:
        return character_key(t, c);
    case KEY_CODE_YES:
        return function_key(t, (int)c);
    default:
        return XM_KEY_NONE;
    }
}

/* ---- Signals. */

static void take_size(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resize_term(size.ws_row, size.ws_col); /* resizeterm() would make a key of it, too */
}

/* As it was before the screen; the next refresh takes it over again and draws everything. */
static void hand_back(void)
{
    if (!isendwin())
        endwin();
}

static void come_back(struct xm_terminal *t)
{
    hand_back(); /* a stop that nobody announced: curses does not know of it */
    xm_grid_fini(&t->shown);
    take_size();
}

/* Ctrl-Z: stops as any program would, with the shell's terminal as it was. */
static void suspend(struct xm_terminal *t)
{
    sigset_t stop;
    sigset_t resumed;
    struct sigaction before;
    const struct timespec now = {0};
    const struct sigaction stops = {.sa_handler = SIG_DFL};
    hand_back();
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigaction(SIGTSTP, &stops, &before);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stop, NULL); /* here it stops, and here it goes on */
    sigprocmask(SIG_BLOCK, &stop, NULL);
    sigaction(SIGTSTP, &before, NULL);
    sigemptyset(&resumed);
    sigaddset(&resumed, SIGCONT);
    sigtimedwait(&resumed, NULL, &now); /* that it goes on is known */
    come_back(t);
}

static int read_signal(struct xm_terminal *t)
{
    struct signalfd_siginfo info;
    if (read(t->signals, &info, sizeof info) != sizeof info)
        return XM_KEY_NONE;
    switch (info.ssi_signo) {
    case SIGWINCH:
        take_size();
        return XM_KEY_RESIZE;
    case SIGTSTP:
        suspend(t);
        return XM_KEY_RESIZE;
    case SIGCONT:
        come_back(t);
        return XM_KEY_RESIZE;
    default:
        return XM_KEY_END;
    }
}

/*
 * Who tells the process to end does not wait for what was typed ahead.  curses may hold keys that it has read already, so
 * it is asked before anybody waits.
 */
int xm_terminal_key(struct xm_terminal *terminal, int timeout_ms)
{
    int key = read_signal(terminal);
    if (key == XM_KEY_NONE)
        key = curses_key(terminal);
    if (key != XM_KEY_NONE)
        return key;
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = terminal->signals, .events = POLLIN}};
    int ready = poll(fds, 2, timeout_ms);
    if (ready < 0)
        return errno == EINTR ? XM_KEY_NONE : XM_KEY_END;
    if (fds[1].revents & POLLIN)
        return read_signal(terminal);
    if (!fds[0].revents)
        return XM_KEY_NONE;
    key = curses_key(terminal);
    if (key != XM_KEY_NONE)
        return key;
    /* Readable and nothing to read: the other side of the terminal is closed. */
    return fds[0].revents & (POLLHUP | POLLERR | POLLNVAL) ? XM_KEY_END : XM_KEY_NONE;
}
