/* SPDX-License-Identifier: MIT */
/*
 * One line a pCPU: who is on it, how its time went, and who waits and was on it last.  The last line is for
 * vCPUs that wait and have been on none yet; its item's id is 0.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/terminal/chart.h"
#include "front/screen/table_int.h"
#include "view/format.h"
#include "xenmon/trace.h"

#define NAME_COLUMNS    16u
#define WAITING_COLUMNS 30u
#define TOP_COLUMNS     36u
#define TOP_DOMAINS     3u

static const struct xm_sample *now_of(const struct xm_painter *p)
{
    return p->model->window[XM_SPAN_1S].to;
}

static bool is_nowhere(const struct xm_table_line *line)
{
    return line->item.id == 0;
}

static uint32_t pcpu_of(const struct xm_table_line *line)
{
    return (uint32_t)(line->item.id & ~XM_ROW_USED);
}

static bool usage_of(const struct xm_painter *p, const struct xm_table_line *line, struct xm_pcpu_usage *u,
                     bool *coarse)
{
    struct xm_window w;
    bool last; /* an execution has no window on a pCPU: the shortest that there is stands for it */
    *u = (struct xm_pcpu_usage){0};
    return xm_table_window(p, &w, coarse, &last) && !is_nowhere(line) && xm_usage_pcpu(&w, line->slot, u) &&
           u->pcpu == pcpu_of(line);
}

static void cell_number(const struct xm_painter *p, const struct xm_table_line *line,
                        struct xm_table_cell *cell)
{
    (void)p;
    cell->known = true;
    cell->key = is_nowhere(line) ? (double)UINT32_MAX + 1 : pcpu_of(line);
    cell->meaning = XM_MEANING_SUBJECT;
    if (is_nowhere(line))
        snprintf(cell->text, sizeof cell->text, "nowhere yet");
    else
        snprintf(cell->text, sizeof cell->text, "CPU %" PRIu32, pcpu_of(line));
}

/* ---- Who is on it. */

/* The domain that has this number now; one that has ended is the last choice. */
static bool find_domain(const struct xm_sample *s, uint32_t domid, uint32_t *slot)
{
    bool found = false;
    for (uint32_t i = 0; i < s->used.domains; i++) {
        if (s->domain[i].id == 0 || xm_row_domid(s->domain[i].id) != domid || (found && s->domain[i].ended))
            continue;
        *slot = i;
        found = true;
    }
    return found;
}

static void cell_current(const struct xm_painter *p, const struct xm_table_line *line,
                         struct xm_table_cell *cell)
{
    const struct xm_sample *s = now_of(p);
    uint64_t current = is_nowhere(line) ? 0 : s->pcpu[line->slot].current;
    uint32_t slot = 0;
    char name[96];
    cell->by_text = true;
    cell->known = current != 0;
    cell->meaning = XM_MEANING_RUNNING;
    if (is_nowhere(line)) {
        xm_table_put_unknown(cell);
    } else if (current == 0) {
        snprintf(cell->text, sizeof cell->text, "unknown");
        cell->meaning = XM_MEANING_UNKNOWN;
    } else if (xm_row_domid(current) == XM_DOMID_IDLE) {
        snprintf(cell->text, sizeof cell->text, "idle");
        cell->meaning = XM_MEANING_FAINT;
    } else if (find_domain(s, xm_row_domid(current), &slot)) {
        xm_screen_short_name(p->model, p->grid, slot, NAME_COLUMNS, name, sizeof name);
        snprintf(cell->text, sizeof cell->text, "%.80s v%u", name, xm_row_vcpu(current));
    } else {
        snprintf(cell->text, sizeof cell->text, "dom %u v%u", xm_row_domid(current), xm_row_vcpu(current));
    }
}

/* ---- How its time went. */

static void put_share(const struct xm_painter *p, const struct xm_table_line *line, size_t member,
                      enum xm_meaning meaning, struct xm_table_cell *cell)
{
    struct xm_pcpu_usage u;
    bool coarse;
    uint64_t ns;
    if (!usage_of(p, line, &u, &coarse)) {
        xm_table_put_unknown(cell);
        return;
    }
    memcpy(&ns, (const char *)&u + member, sizeof ns);
    xm_table_share(p, ns, u.window_ns, u.window_ns, meaning, cell);
}

#define SHARE(name, member, meaning)                                                                         \
    static void name(const struct xm_painter *p, const struct xm_table_line *line,                           \
                     struct xm_table_cell *cell)                                                             \
    {                                                                                                        \
        put_share(p, line, offsetof(struct xm_pcpu_usage, member), meaning, cell);                           \
    }

SHARE(cell_busy, busy_ns, XM_MEANING_RUNNING)
SHARE(cell_idle, idle_ns, XM_MEANING_BLOCKED)
SHARE(cell_switching, switching_ns, XM_MEANING_NORMAL)
SHARE(cell_unknown, unknown_ns, XM_MEANING_UNKNOWN)

/* Busy, switching as waiting for it, idle, unknown. */
static void paint_bar(const struct xm_painter *p, const struct xm_table_line *line, unsigned x, unsigned end,
                      unsigned y)
{
    struct xm_pcpu_usage u;
    bool coarse;
    if (!usage_of(p, line, &u, &coarse))
        return;
    const uint64_t part[XM_CHART_STATES] = {[XM_CHART_RUNNING] = u.busy_ns,
                                            [XM_CHART_WAITING] = u.switching_ns,
                                            [XM_CHART_BLOCKED] = u.idle_ns,
                                            [XM_CHART_UNKNOWN] = u.unknown_ns};
    xm_chart_states(p->grid, x, end, y, part);
}

static void cell_rate(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell)
{
    struct xm_pcpu_usage u;
    bool coarse;
    if (!usage_of(p, line, &u, &coarse) || coarse || u.window_ns == 0 || p->model->info.tsc_hz == 0) {
        xm_table_put_unknown(cell);
        return;
    }
    double s = (double)u.window_ns / (double)XM_NS_PER_S;
    cell->known = true;
    cell->key = (double)u.executions / s;
    cell->meaning = u.executions ? XM_MEANING_NORMAL : XM_MEANING_FAINT;
    snprintf(cell->text, sizeof cell->text, "%.*f", cell->key < 99.95 ? 1 : 0, cell->key);
}

/* ---- Who waits, and was on it last. */

static bool waits_on(const struct xm_sample *s, uint32_t vcpu, uint64_t pcpu_plus_1)
{
    const struct xm_vcpu_row *row = &s->vcpu[vcpu];
    return row->id && (row->state & 15) == 1 && row->pcpu == pcpu_plus_1 &&
           s->vcpu_domain[vcpu] < s->used.domains;
}

static void cell_queue(const struct xm_painter *p, const struct xm_table_line *line,
                       struct xm_table_cell *cell)
{
    if (p->model->coarse) {
        xm_table_put_unknown(cell);
        return;
    }
    cell->known = true;
    cell->key = line->waiting;
    cell->meaning = line->waiting ? XM_MEANING_WAITING : XM_MEANING_FAINT;
    snprintf(cell->text, sizeof cell->text, "%" PRIu32, line->waiting);
}

/*
 * Adds ", part" to the text where that leaves room, in `columns`, to say how many more there are; else says
 * it, and returns false.  more: how many follow after this one.
 */
static bool add_part(const struct xm_grid *grid, unsigned columns, uint32_t more, const char *part,
                     char *text, size_t size)
{
    size_t used = strlen(text);
    const char *gap = used ? ", " : "";
    char rest[24] = "";
    if (more)
        snprintf(rest, sizeof rest, ", +%" PRIu32, more);
    bool fits =
        xm_grid_columns(grid, text) + strlen(gap) + xm_grid_columns(grid, part) + strlen(rest) <= columns;
    if (fits && used + strlen(gap) + strlen(part) + sizeof rest < size)
        snprintf(text + used, size - used, "%s%s", gap, part);
    else
        snprintf(text + used, size - used, "%s+%" PRIu32, gap, more + 1);
    return fits;
}

static void cell_waiting(const struct xm_painter *p, const struct xm_table_line *line,
                         struct xm_table_cell *cell)
{
    const struct xm_sample *s = now_of(p);
    uint64_t pcpu_plus_1 = is_nowhere(line) ? 0 : (uint64_t)pcpu_of(line) + 1;
    uint32_t left = line->waiting;
    if (p->model->coarse || left == 0) {
        xm_table_put_unknown(cell);
        cell->known = !p->model->coarse;
        return;
    }
    cell->known = true;
    cell->key = left;
    cell->meaning = XM_MEANING_WAITING;
    for (uint32_t i = 0; left && !cell->key_only && i < s->used.vcpus; i++) {
        char name[96];
        char part[112];
        if (!waits_on(s, i, pcpu_plus_1))
            continue;
        xm_screen_short_name(p->model, p->grid, s->vcpu_domain[i], NAME_COLUMNS, name, sizeof name);
        snprintf(part, sizeof part, "%s v%u", name, xm_row_vcpu(s->vcpu[i].id));
        if (!add_part(p->grid, WAITING_COLUMNS - 1, --left, part, cell->text, sizeof cell->text))
            break;
    }
}

/* ---- Who had most of it. */

struct top {
    uint64_t cycles;
    uint32_t slot;
};

/* The largest in order.  Returns how many there are; *others: how many less. */
static unsigned find_top(const struct xm_window *w, uint32_t pcpu, struct top top[TOP_DOMAINS],
                         uint32_t *others)
{
    unsigned count = 0;
    uint32_t there = 0;
    for (uint32_t i = 0; i < w->to->used.domains; i++) {
        struct top t = {w->to->domain[i].id ? xm_screen_pair_running(w, i, pcpu) : 0, i};
        there += t.cycles != 0;
        if (t.cycles == 0 || (count == TOP_DOMAINS && t.cycles <= top[count - 1].cycles))
            continue;
        unsigned at = count < TOP_DOMAINS ? count++ : count - 1;
        for (; at > 0 && top[at - 1].cycles < t.cycles; at--)
            top[at] = top[at - 1];
        top[at] = t;
    }
    *others = there - count;
    return count;
}

/* "web 30%" */
static void name_top(const struct xm_painter *p, const struct xm_window *w, uint32_t pcpu, uint32_t domain,
                     char *text, size_t size)
{
    struct xm_usage u;
    char name[96];
    char percent[24] = "<1";
    xm_screen_short_name(p->model, p->grid, domain, NAME_COLUMNS, name, sizeof name);
    bool known = xm_usage_pair(w, domain, pcpu, &u) && u.window_ns;
    double share = known ? 100 * (double)u.running_ns / (double)u.window_ns : 0;
    if (share >= 1)
        snprintf(percent, sizeof percent, "%.0f", share);
    snprintf(text, size, "%s %s%%", name, percent);
}

static void cell_top(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    bool coarse;
    bool last;
    struct xm_window w;
    uint32_t others = 0;
    struct top top[TOP_DOMAINS] = {{0, 0}};
    xm_table_put_unknown(cell);
    if (!xm_table_window(p, &w, &coarse, &last) || p->model->coarse || is_nowhere(line))
        return;
    if (coarse)
        w = p->model->window[XM_SPAN_10S];
    if (line->slot >= w.to->used.pcpus)
        return;
    unsigned count = find_top(&w, line->slot, top, &others);
    cell->known = true;
    cell->key = (double)top[0].cycles;
    if (count == 0 || cell->key_only)
        return;
    cell->text[0] = '\0';
    cell->meaning = XM_MEANING_RUNNING;
    bool fits = true;
    for (unsigned i = 0; fits && i < count; i++) {
        char part[128];
        name_top(p, &w, line->slot, top[i].slot, part, sizeof part);
        fits = add_part(p->grid, TOP_COLUMNS - (coarse ? 8 : 1), others + count - i - 1, part, cell->text,
                        sizeof cell->text);
    }
    if (fits && others)
        add_part(p->grid, 0, others - 1, "", cell->text, sizeof cell->text);
    size_t used = strlen(cell->text);
    if (coarse)
        snprintf(cell->text + used, sizeof cell->text - used, " (10 s)");
}

/* ---- Its trace buffer. */

static void cell_fill(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell)
{
    struct xm_pcpu_usage u;
    bool coarse;
    if (!usage_of(p, line, &u, &coarse) || coarse || !u.buffer_fill.known) {
        xm_table_put_unknown(cell);
        return;
    }
    cell->known = true;
    cell->key = (double)u.buffer_fill.count / 10;
    cell->meaning = u.buffer_fill.count >= 900 ? XM_MEANING_WARNING : XM_MEANING_NORMAL;
    xm_format_percent(cell->key, cell->text, sizeof cell->text);
}

static void cell_lost(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell)
{
    struct xm_pcpu_usage u;
    bool coarse;
    if (!usage_of(p, line, &u, &coarse) || coarse) {
        xm_table_put_unknown(cell);
        return;
    }
    cell->known = true;
    cell->key = (double)u.lost_records;
    cell->meaning = u.lost_records ? XM_MEANING_WARNING : XM_MEANING_FAINT;
    xm_format_count(u.lost_records, 6, cell->text, sizeof cell->text);
}

/* ---- The lines. */

static int compare_lines(const void *a, const void *b)
{
    uint64_t x = ((const struct xm_table_line *)a)->item.id;
    uint64_t y = ((const struct xm_table_line *)b)->item.id;
    return (x > y) - (x < y);
}

static struct xm_table_line *line_of(struct xm_table_line *lines, uint32_t count, uint64_t id)
{
    struct xm_table_line wanted = {.item = {XM_ITEM_PCPU, id}};
    return count ? bsearch(&wanted, lines, count, sizeof *lines, compare_lines) : NULL;
}

/* Shares out who waits among the pCPUs; returns how many have been on none, the first one's domain in
 * *domain. */
static uint32_t count_waiting(const struct xm_sample *s, struct xm_table_line *lines, uint32_t count,
                              uint32_t *domain)
{
    uint32_t nowhere = 0;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        uint64_t pcpu_plus_1 = s->vcpu[i].pcpu;
        if (!waits_on(s, i, pcpu_plus_1))
            continue;
        if (pcpu_plus_1 == 0) {
            *domain = nowhere++ ? *domain : s->vcpu_domain[i];
            continue;
        }
        struct xm_table_line *line = line_of(lines, count, (pcpu_plus_1 - 1) | XM_ROW_USED);
        if (line)
            line->waiting++;
    }
    return nowhere;
}

static struct xm_table_line *pcpu_lines(const struct xm_painter *p, uint32_t *count)
{
    const struct xm_sample *s = now_of(p);
    struct xm_table_line *lines = malloc((s->used.pcpus + 1u) * sizeof *lines);
    uint32_t domain = 0;
    *count = 0;
    if (!lines)
        return NULL;
    for (uint32_t i = 0; i < s->used.pcpus; i++)
        if (s->pcpu[i].id)
            lines[(*count)++] = (struct xm_table_line){.item = {XM_ITEM_PCPU, s->pcpu[i].id}, .slot = i};
    if (*count)
        qsort(lines, *count, sizeof *lines, compare_lines);
    uint32_t nowhere = count_waiting(s, lines, *count, &domain);
    if (nowhere)
        lines[(*count)++] =
            (struct xm_table_line){.item = {XM_ITEM_PCPU, 0}, .domain = domain, .waiting = nowhere};
    return lines;
}

/* What has been on no pCPU is in no other line. */
static bool is_starved(const struct xm_painter *p, const struct xm_table_line *line)
{
    const struct xm_sample *s = now_of(p);
    for (uint32_t i = 0; is_nowhere(line) && i < s->used.vcpus; i++) {
        struct xm_usage u;
        if (waits_on(s, i, 0) && xm_usage_vcpu(&p->model->window[XM_SPAN_10S], i, &u) && xm_usage_starved(&u))
            return true;
    }
    return false;
}

static bool is_idle(const struct xm_painter *p, const struct xm_table_line *line)
{
    struct xm_pcpu_usage u;
    bool coarse;
    return line->waiting == 0 && usage_of(p, line, &u, &coarse) && u.busy_ns == 0 && u.unknown_ns == 0;
}

static const struct xm_table_column columns[] = {
    {.id = "pcpu",
     .title = "pCPU",
     .width = 12,
     .left = true,
     .shown = true,
     .ascending = true,
     .help = "the physical CPU; the line \"nowhere yet\" is of vCPUs that wait and have been on none",
     .cell = cell_number},
    {.id = "busy",
     .title = "busy%",
     .width = 7,
     .shown = true,
     .help = "time with a domain's vCPU on it, of the window",
     .cell = cell_busy},
    {.id = "queue",
     .title = "queue",
     .width = 6,
     .shown = true,
     .help = "vCPUs that wait now and were last on this pCPU; the scheduler's own queue may be shared by "
             "several pCPUs"
             " (credit2)",
     .cell = cell_queue},
    {.id = "current",
     .title = "on it now",
     .width = 20,
     .left = true,
     .shown = true,
     .ascending = true,
     .help = "the vCPU that is on it at this instant",
     .cell = cell_current},
    {.id = "waiting",
     .title = "waiting, last here",
     .width = WAITING_COLUMNS,
     .left = true,
     .shown = true,
     .help = "which vCPUs those of \"queue\" are; +2: two more",
     .cell = cell_waiting},
    {.id = "bar",
     .title = "busy, idle",
     .width = 14,
     .left = true,
     .shown = true,
     .help = "its time as a bar: busy, switching (as waiting is drawn), idle (as blocked), unknown (?)",
     .cell = cell_busy,
     .paint = paint_bar},
    {.id = "idle",
     .title = "idle%",
     .width = 7,
     .shown = true,
     .help = "time with its idle vCPU on it, of the window",
     .cell = cell_idle},
    {.id = "executions_per_s",
     .title = "exec/s",
     .width = 7,
     .shown = true,
     .help = "dispatches of domains' vCPUs on it, per second",
     .cell = cell_rate},
    {.id = "top",
     .title = "most of it had",
     .width = TOP_COLUMNS,
     .left = true,
     .shown = true,
     .help = "the domains that were on it longest in the window, with their share of it; (10 s): of the last "
             "10 s,"
             " where the window is too long for samples that know",
     .cell = cell_top},
    {.id = "switching",
     .title = "switch%",
     .width = 8,
     .shown = true,
     .help = "time between one occupant's leaving and the next one's arrival, of the window",
     .cell = cell_switching},
    {.id = "unknown",
     .title = "unkn%",
     .width = 7,
     .shown = true,
     .help = "time whose occupant lost records make unknowable, of the window",
     .cell = cell_unknown},
    {.id = "buffer_fill",
     .title = "buffer",
     .width = 7,
     .shown = true,
     .help = "highest fill of its trace buffer in the window; at 100% records are lost",
     .cell = cell_fill},
    {.id = "lost",
     .title = "lost",
     .width = 7,
     .shown = true,
     .help = "trace records lost on it in the window",
     .cell = cell_lost},
};

const struct xm_table xm_pcpus_table = {
    .view = XM_VIEW_PCPUS,
    .columns = columns,
    .count = sizeof columns / sizeof columns[0],
    .sort = 0,
    .nothing = "no pCPU seen yet",
    .lines = pcpu_lines,
    .starved = is_starved,
    .idle = is_idle,
};
