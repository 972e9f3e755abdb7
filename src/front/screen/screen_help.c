/* SPDX-License-Identifier: MIT */
/* The help: keys and what every figure means; and the screen that has no figures yet. */
#include <stdio.h>
#include <string.h>

#include "front/terminal/chart.h"
#include "front/screen/choice_int.h"
#include "front/screen/screen_frame.h"
#include "front/screen/table.h"

/* A term and its definition; without a definition a heading. */
struct entry {
    const char *term;
    const char *text;
};

/* What each view shows, first of all. */
static const char *const views[XM_VIEWS] = {
    [XM_VIEW_DOMAINS] =
        "A line for each domain: how much of its vCPUs' time it ran, waited for a pCPU and slept, in the "
        "window that the line above names. Space shows its vCPUs, Enter all that is known of it.",
    [XM_VIEW_VCPUS] =
        "A line for each vCPU: what it does, where, and how its time went in the window that the line "
        "above names. Enter goes to its domain.",
    [XM_VIEW_PCPUS] =
        "A line for each pCPU: who is on it, how its time went, and who waits for it. Enter shows the vCPUs "
        "that were on it last.",
    [XM_VIEW_DOMAIN] =
        "One domain in depth: its vCPUs, what it waited for, how long its executions, waits and sleeps "
        "were, its I/O, and its last seconds. Left and Right go to the domain before and after.",
    [XM_VIEW_LATENCY] =
        "How long waits, executions and sleeps were, a line for each domain: half of them are shorter than "
        "p50, 99 of 100 than p99.",
    [XM_VIEW_PAPER] =
        "The screen of HPL-2005-187, Figure 2: for each domain what it had of the CPU, over its last "
        "execution, one second and ten.",
    [XM_VIEW_HELP] = "",
};

/* What the figures of the paper's screen, of the frame and of the warnings mean. */
static const struct entry entries[] = {
    {"Time: every instant of a vCPU is in exactly one of these", NULL},
    {"Gotten", "running: on a pCPU. /exec: the average length of an execution, from dispatch to leaving."},
    {"Waited", "runnable: ready to run, and no pCPU for it. /exec: waiting per execution."},
    {"Blocked",
     "asleep until an event, such as the end of an I/O. /exec: per execution; per I/O: per page exchanged."},
    {"Offline", "paused, unplugged, or not existing then. Shown where there is any."},
    {"Unknown", "lost trace records make it unknowable; never guessed. Shown where there is any."},

    {"Other rows", NULL},
    {"Allocated", "the time slice that the scheduler gave at dispatch: smallest..largest, and /exec the "
                  "average. It is often "
                  "cut short: a domain blocks, or another one preempts it."},
    {"Execution count",
     "dispatches: how often a vCPU of the domain was put on a pCPU; in all, and per second."},
    {"I/O count",
     "memory pages exchanged: flipped, or mapped through grants; with the domain's own pages, and those of "
     "others that it handled (a driver domain). In all, per second, per execution. Pages copied leave no "
     "record in most traces."},
    {"net, disk",
     "beside the rows, where the terminal is wide: bytes and requests (ops) per second through the domain's "
     "own "
     "network interfaces and disks, as the domain sees them: in is received and read, out is sent and "
     "written; "
     "ops are packets and requests. Counted by the kernel that serves them, so that copied pages are in it. "
     "Of a "
     "domain none of whose devices dom0's kernel serves it is not known. With * wherever the domain ran."},
    {"-", "not seen, or not to be told: the trace has no such records, or there was nothing to divide by. "
          "Not the same as 0."},

    {"The domain's line", NULL},
    {"no record yet", "it exists, and has neither run nor changed its state since the trace began."},
    {"online", "so many of its vCPUs are not unplugged, where that is not what was seen."},
    {"weight, cap", "what the scheduler was told: its share, and the most it may use of one CPU's time."},
    {"paused", "by the toolstack: xl pause, or a save or migration under way."},
    {"starved", "at the top right: ready to run for the last ten seconds, never ran, and out of sight here."},

    {"Windows", NULL},
    {"last execution",
     "the last one that ended: its length, the wait before it, the sleep before that; % of these three "
     "together. Of any vCPU of the domain, on any pCPU."},
    {"1 s, 10 s", "the last second and the last ten; another length where there is less to look back on."},

    {"Percentages", NULL},
    {"of the vCPUs' time",
     "the window times the domain's vCPUs: running, waited, blocked, offline and unknown add up to 100."},
    {"of one CPU's time", "the window: a domain with two busy vCPUs shows 200."},
    {"one pCPU (key c)",
     "gotten and waited are of that pCPU's time; a wait counts on the pCPU where it ended, that is where the "
     "vCPU was dispatched. Rows with * are the domain's own figures, wherever it ran; blocked is of the "
     "vCPUs' time or, after the key u, of one CPU's. In tables the columns with * are of all pCPUs; so is a "
     "figure with * of a vCPU under its domain. Esc: all pCPUs again."},
    {"All", "the lines at the bottom: the sums over all domains; CPUs idle and busy are of the pCPUs' time."},

    {"Trace", "how the trace buffers are read: the highest fill that was found (records are lost at 100), "
              "and what xenbaked "
              "itself takes: CPU time, wake-ups, passes over the buffers."},

    {"Tables", NULL},
    {">", "the line that the cursor is on."},
    {"mouse", "views, titles, lines and keys can be clicked on; a title sorts, a triangle shows the vCPUs, a line twice is Enter."},
    {"+ - before a name", "its vCPUs are not shown, are shown (Space)."},
    {"* or a triangle", "before a column's title: the lines are sorted by it."},
    {"+12", "so many columns more are chosen; a wider terminal shows them."},
    {"state?", "a state with a question mark is a guess: it is unknown since records were lost."},

    {"The host", NULL},
    {"busy", "of the time of all pCPUs together, in the last second, how much a domain was on them."},
    {"vCPUs waiting", "how many there were on average, of all domains."},
    {"some",
     "some vCPU waiting: how much of the time at least one vCPU of the host waited; >=: at least so much, "
     "the most that any one "
     "domain's did, as which domains waited at the same time is not kept."},
    {"lost, unknown",
     "records that Xen could not write in the last ten seconds, and how much of all vCPUs' time is "
     "unknown for it."},
    {"1 min", "how busy the pCPUs were in the last minute, newest at the right."},

    {"Position in time", NULL},
    {"FROZEN", "what is shown stays; the region goes on. z: back to now."},
    {"-12.3 s", "so long before the newest sample is what is shown."},
    {"PLAYING x2", "the past goes on from where it was, at twice the speed. L: back to now. Played on from a "
                   "trace's end it begins again."},

    {"Warnings", NULL},
    {"records lost", "Xen had no room for them in its trace buffers: what happened meanwhile is unknown."},
    {"another consumer", "xentrace or another monitor reads the same buffers: what it took is missing here."},
    {"others switched",
     "tracing was switched off, or some CPUs or events masked, by others; xenbaked switched it on "
     "again."},
    {"indices", "what a trace buffer says of itself made no sense; it was read afresh."},
    {"a recorder",
     "what xenmon record writes has a gap there, as it says itself; the figures here have none."},
    {"anomalies", "records that contradict what was known before; the record wins."},
    {"damaged bytes", "parts of the trace that are no records; they were skipped."},
    {"stale", "xenbaked gives no sign of life: the figures are old."},
};

static void paint_entry(struct xm_painter *p, const struct entry *entry)
{
    unsigned y;
    unsigned indent = p->grid->width >= 60 ? 20 : 2;
    if (!entry->text) {
        if (p->line)
            xm_painter_line(p, &y);
        xm_screen_wrap(p, 0, XM_MEANING_SUBJECT, entry->term);
        return;
    }
    unsigned first = p->line;
    if (strlen(entry->term) + 1 >= indent) {
        /* Too long to stand beside its text. */
        xm_screen_wrap(p, 1, XM_MEANING_LABEL, entry->term);
        xm_screen_wrap(p, indent, XM_MEANING_NORMAL, entry->text);
        return;
    }
    xm_screen_wrap(p, indent, XM_MEANING_NORMAL, entry->text);
    if (first >= p->first && first - p->first < p->rows)
        xm_grid_put(p->grid, 1, p->top + first - p->first, XM_MEANING_LABEL, entry->term);
}

void xm_screen_help_header(const struct xm_painter *p, unsigned y, unsigned rows)
{
    xm_grid_mark(p->grid, 0, p->grid->width, y, XM_MEANING_HEADER);
    xm_grid_put(p->grid, 0, y, XM_MEANING_HEADER, "Help: keys, and what the figures mean (? goes back)");
}

/* The keys of a group, "q F10 Ctrl-C", and what they do; *i: its first binding, then the next group's. */
static void paint_group(struct xm_painter *p, const struct xm_binding *bindings, size_t count, size_t *i)
{
    char names[160] = "";
    size_t used = 0;
    struct entry entry = {names + 1, bindings[*i].help};
    do {
        const char *name = bindings[*i].name;
        char word[16];
        snprintf(word, sizeof word, " %s", name ? name : "");
        /* A key that does the same in several views is named once. */
        if (name && used < sizeof names && !strstr(names, word))
            used += (size_t)snprintf(names + used, sizeof names - used, "%s", word);
        (*i)++;
    } while (*i < count && !bindings[*i].help);
    paint_entry(p, &entry);
}

static void paint_keys(struct xm_painter *p)
{
    static const struct entry heading = {"Keys", NULL};
    size_t count;
    const struct xm_binding *bindings = xm_bindings(&count);
    size_t i = 0;
    paint_entry(p, &heading);
    while (i < count)
        paint_group(p, bindings, count, &i);
}

static bool has_column(const struct xm_table *table, const char *id)
{
    for (unsigned i = 0; i < table->count; i++)
        if (strcmp(table->columns[i].id, id) == 0)
            return true;
    return false;
}

/* The columns of a view's table; of vCPUs those that domains have not too. */
static void paint_columns(struct xm_painter *p, enum xm_screen_view view)
{
    const struct xm_table *table = xm_table_of(view);
    char heading[64];
    if (!table)
        return;
    snprintf(heading, sizeof heading,
             view == XM_VIEW_VCPUS ? "Columns: %s, and as of domains" : "Columns: %s",
             xm_frame_view(view).title);
    struct entry entry = {heading, NULL};
    paint_entry(p, &entry);
    for (unsigned i = 0; i < table->count; i++) {
        const struct xm_table_column *c = &table->columns[i];
        if (view == XM_VIEW_VCPUS && has_column(&xm_domains_table, c->id) && i > 1)
            continue;
        entry = (struct entry){xm_table_title(c), xm_table_help(c)};
        paint_entry(p, &entry);
    }
}

static void paint_bars(struct xm_painter *p)
{
    static const char *const states[XM_CHART_STATES] = {[XM_CHART_RUNNING] = "running",
                                                        [XM_CHART_BLOCKED] = "blocked",
                                                        [XM_CHART_OFFLINE] = "offline",
                                                        [XM_CHART_UNKNOWN] = "unknown",
                                                        [XM_CHART_WAITING] = "waiting"};
    struct entry entry = {"Bars", NULL};
    paint_entry(p, &entry);
    for (unsigned i = 0; i < XM_CHART_STATES; i++) {
        char glyph[16];
        const char *drawn = xm_chart_glyph((enum xm_chart_state)i, p->grid->utf8);
        snprintf(glyph, sizeof glyph, "%s", drawn[0] == ' ' ? "blank" : drawn);
        entry = (struct entry){glyph, states[i]};
        paint_entry(p, &entry);
    }
}

void xm_screen_help_body(struct xm_painter *p)
{
    enum xm_screen_view view = p->choice->before_help;
    struct entry entry = {xm_frame_view(view).title, NULL};
    paint_entry(p, &entry);
    xm_screen_wrap(p, 1, XM_MEANING_NORMAL, views[view]);
    paint_keys(p);
    paint_columns(p, view);
    for (unsigned i = 0; i < XM_VIEWS; i++)
        if (i != (unsigned)view)
            paint_columns(p, (enum xm_screen_view)i);
    paint_bars(p);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        paint_entry(p, &entries[i]);
}

void xm_screen_empty_body(struct xm_painter *p)
{
    const struct xm_model *m = p->model;
    char text[512];
    unsigned y;
    xm_painter_line(p, &y);
    switch (m->link) {
    case XM_LINK_ABSENT:
        snprintf(text, sizeof text, "No region yet: %s", m->reason);
        xm_screen_wrap(p, 0, XM_MEANING_WARNING, text);
        xm_screen_wrap(p, 0, XM_MEANING_NORMAL,
                       "Waiting for xenbaked: start it, for example with  xenbaked FILE");
        break;
    case XM_LINK_BROKEN:
        snprintf(text, sizeof text, "What is there cannot be read: %s", m->reason);
        xm_screen_wrap(p, 0, XM_MEANING_WARNING, text);
        xm_screen_wrap(p, 0, XM_MEANING_NORMAL, "Waiting for something better there.");
        break;
    case XM_LINK_GONE:
        snprintf(text, sizeof text, "xenbaked (pid %u) is gone, and left no sample. Waiting for another.",
                 m->info.writer_pid);
        xm_screen_wrap(p, 0, XM_MEANING_WARNING, text);
        break;
    case XM_LINK_EMPTY:
    case XM_LINK_LIVE:
    case XM_LINK_STALE:
    case XM_LINK_ENDED:
        snprintf(text, sizeof text, "xenbaked (pid %u) is there; waiting for its first sample.",
                 m->info.writer_pid);
        xm_screen_wrap(p, 0, XM_MEANING_NORMAL, text);
        break;
    }
}
