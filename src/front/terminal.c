/* SPDX-License-Identifier: MIT */
#include "front/terminal.h"

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
#include <unistd.h>

#include "front/keys.h"

struct xm_terminal {
    SCREEN *screen;
    int signals; /* a descriptor that reads the blocked signals */
    sigset_t saved_mask;
    bool utf8;
    attr_t attributes[XM_MEANINGS];
};

/* How a meaning looks: with colours, and without, where bold, dim, underline and reverse must do. */
struct look {
    short colour; /* -1: the terminal's own */
    attr_t with_colour;
    attr_t without;
};

static const struct look looks[XM_MEANINGS] = {
    [XM_MEANING_NORMAL] = {-1, A_NORMAL, A_NORMAL},
    [XM_MEANING_TITLE] = {-1, A_BOLD, A_BOLD},
    [XM_MEANING_HEADER] = {-1, A_REVERSE, A_REVERSE},
    [XM_MEANING_SUBJECT] = {-1, A_BOLD, A_BOLD},
    [XM_MEANING_LABEL] = {-1, A_NORMAL, A_NORMAL},
    [XM_MEANING_FAINT] = {-1, A_DIM, A_DIM},
    [XM_MEANING_RUNNING] = {COLOR_GREEN, A_NORMAL, A_NORMAL},
    [XM_MEANING_WAITING] = {COLOR_YELLOW, A_NORMAL, A_NORMAL},
    [XM_MEANING_BLOCKED] = {COLOR_CYAN, A_NORMAL, A_NORMAL},
    [XM_MEANING_WARNING] = {COLOR_RED, A_BOLD, A_BOLD | A_REVERSE},
    [XM_MEANING_KEY] = {-1, A_REVERSE, A_REVERSE},
};

static void choose_looks(struct xm_terminal *t, bool colour)
{
    colour = colour && has_colors() && start_color() == OK;
    if (colour)
        use_default_colors();
    for (unsigned i = 0; i < XM_MEANINGS; i++) {
        t->attributes[i] = colour ? looks[i].with_colour : looks[i].without;
        /* Pair 0 is the terminal's own colours, so pairs begin at 1. */
        if (colour && looks[i].colour >= 0 && init_pair((short)(i + 1), looks[i].colour, -1) == OK)
            t->attributes[i] |= (attr_t)COLOR_PAIR(i + 1);
    }
}

/* ---- The rescue. */

/* Adds a terminal string; its "$<5>" delays are for machines that are gone, and are left out. */
static void rescue_add(struct xm_terminal_rescue *rescue, const char *capability)
{
    const char *s = tigetstr(capability);
    if (!s || s == (const char *)-1)
        return;
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

void xm_terminal_rescue(const struct xm_terminal_rescue *rescue)
{
    if (!rescue || rescue->fd < 0)
        return;
    if (write(rescue->fd, rescue->bytes, rescue->size) < 0)
        return; /* there is nobody left to tell */
    tcsetattr(rescue->fd, TCSANOW, &rescue->saved);
}

/* ---- Open and close. */

static enum xm_status take_signals(struct xm_terminal *t, struct xm_error *err)
{
    static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        sigaddset(&set, taken[i]);
    t->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (t->signals < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "signals cannot be read: %s", strerror(errno));
    sigprocmask(SIG_BLOCK, &set, &t->saved_mask);
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
    set_escdelay(50);
    curs_set(0);
    choose_looks(t, colour);
    t->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
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
    if (rescue) {
        *rescue = (struct xm_terminal_rescue){.fd = STDOUT_FILENO, .saved = saved};
        static const char *const capabilities[] = {"sgr0", "rmkx", "rmcup", "cnorm"};
        for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
            rescue_add(rescue, capabilities[i]);
    }
    *terminal = t;
    return XM_OK;
}

void xm_terminal_close(struct xm_terminal *terminal)
{
    if (!terminal)
        return;
    if (terminal->screen) {
        endwin();
        delscreen(terminal->screen);
    }
    close(terminal->signals);
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

/* Cells of one meaning go out in one piece. */
static void draw_row(struct xm_terminal *t, const struct xm_grid *grid, unsigned y)
{
    const struct xm_grid_cell *row = &grid->cells[(size_t)y * grid->width];
    unsigned width = grid->width < (unsigned)COLS ? grid->width : (unsigned)COLS;
    move((int)y, 0);
    for (unsigned x = 0; x < width; x++) {
        if (x == 0 || row[x].meaning != row[x - 1].meaning)
            attrset((int)t->attributes[row[x].meaning < XM_MEANINGS ? row[x].meaning : 0]);
        if (row[x].text[0])
            addstr(row[x].text);
    }
}

void xm_terminal_draw(struct xm_terminal *terminal, const struct xm_grid *grid)
{
    erase();
    for (unsigned y = 0; y < grid->height && y < (unsigned)LINES; y++)
        draw_row(terminal, grid, y);
    attrset(A_NORMAL);
    refresh();
}

void xm_terminal_redraw(struct xm_terminal *terminal)
{
    clearok(curscr, TRUE);
}

/* ---- Keys. */

static int translate_key(int key)
{
    static const struct {
        int curses;
        int key;
    } keys[] = {
        {KEY_UP, XM_KEY_UP},         {KEY_DOWN, XM_KEY_DOWN},
        {KEY_PPAGE, XM_KEY_PAGE_UP}, {KEY_NPAGE, XM_KEY_PAGE_DOWN},
        {KEY_HOME, XM_KEY_HOME},     {KEY_END, XM_KEY_LAST},
        {KEY_F(1), XM_KEY_F1},       {KEY_F(10), XM_KEY_F10},
        {27, XM_KEY_ESCAPE},         {3, XM_KEY_END},
        {KEY_RESIZE, XM_KEY_RESIZE},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].curses == key)
            return keys[i].key;
    return key < 256 ? key : 0; /* 0: a key that means nothing here */
}

static int read_signal(struct xm_terminal *t)
{
    struct signalfd_siginfo info;
    struct winsize size;
    if (read(t->signals, &info, sizeof info) != sizeof info)
        return XM_KEY_NONE;
    if (info.ssi_signo != SIGWINCH)
        return XM_KEY_END;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    return XM_KEY_RESIZE;
}

/* curses may hold keys that it has read already, so it is asked before anybody waits. */
int xm_terminal_key(struct xm_terminal *terminal, int timeout_ms)
{
    int key = getch();
    if (key != ERR)
        return translate_key(key);
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = terminal->signals, .events = POLLIN}};
    int ready = poll(fds, 2, timeout_ms);
    if (ready < 0)
        return errno == EINTR ? XM_KEY_NONE : XM_KEY_END;
    if (fds[1].revents & POLLIN)
        return read_signal(terminal);
    if (!fds[0].revents)
        return XM_KEY_NONE;
    key = getch();
    if (key != ERR)
        return translate_key(key);
    /* Readable and nothing to read: the other side of the terminal is closed. */
    return fds[0].revents & (POLLHUP | POLLERR | POLLNVAL) ? XM_KEY_END : XM_KEY_NONE;
}
