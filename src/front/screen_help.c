/* SPDX-License-Identifier: MIT */
/* The help: keys and what every figure means; and the screen that has no figures yet. */
#include <stdio.h>
#include <string.h>

#include "front/screen_int.h"

/* A term and its definition; without a definition a heading. */
static const struct entry {
    const char *term;
    const char *text;
} entries[] = {
    {"Keys", NULL},
    {"q F10 Ctrl-C", "quit"},
    {"1, 2, v", "domains (the paper's screen); vCPUs; from one to the other"},
    {"c n, p", "next pCPU, previous pCPU; after the last one all of them, then the first again"},
    {"a w b x i", "show or hide the rows Allocated, Waited, Blocked, eXecution count, I/O count"},
    {"u", "percentages of the vCPUs' time, or of one pCPU's time"},
    {"+ -", "refresh less often, more often"},
    {"j k arrows", "scroll by a line; PgUp PgDn by a page; Home End"},
    {"r Ctrl-L", "draw everything again"},
    {"? h F1 Esc", "this help, and back"},

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
     "beside the rows, where the terminal is wide: bytes and requests (ops) per second through the domain's own "
     "network interfaces and disks, as the domain sees them: in is received and read, out is sent and written; "
     "ops are packets and requests. Counted by the kernel that serves them, so that copied pages are in it. Of a "
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
     "vCPUs' time or, after the key u, of one CPU's."},
    {"All", "the lines at the bottom: the sums over all domains; CPUs idle and busy are of the pCPUs' time."},

    {"Trace",
     "how the trace buffers are read: the highest fill that was found (records are lost at 100), and what xenbaked "
     "itself takes: CPU time, wake-ups, passes over the buffers."},

    {"vCPUs", NULL},
    {"wake pree other",
     "parts of the waiting: after a wake-up, after a preemption, and where the beginning was neither or was "
     "not seen."},
    {"max wait", "the longest wait that ended in the window."},
    {"+12", "so many columns more are there; a wider terminal shows them."},
    {"state?", "a state with a question mark is a guess: it is unknown since records were lost."},

    {"Warnings", NULL},
    {"records lost", "Xen had no room for them in its trace buffers: what happened meanwhile is unknown."},
    {"another consumer", "xentrace or another monitor reads the same buffers: what it took is missing here."},
    {"others switched", "tracing was switched off, or some CPUs or events masked, by others; xenbaked switched it on "
                        "again."},
    {"indices", "what a trace buffer says of itself made no sense; it was read afresh."},
    {"a recorder", "what xenmon record writes has a gap there, as it says itself; the figures here have none."},
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

void xm_screen_help_body(struct xm_painter *p)
{
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
