/* SPDX-License-Identifier: MIT */
/* Cells of domains and vCPUs: shares of time, bars, names. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/terminal/chart.h"
#include "front/screen/table_int.h"
#include "view/format.h"

/* ---- Names. */

/* Without its number, which stands in brackets after a name. */
static void bare_name(const struct xm_painter *p, uint32_t domain, char *text, size_t size)
{
    xm_screen_domain_name(p->model, domain, text, size);
    char *number = strrchr(text, '(');
    if (number && number > text)
        number[-1] = '\0';
}

void xm_table_name_cell(const struct xm_painter *p, const struct xm_table_line *line,
                        struct xm_table_cell *cell)
{
    char name[96];
    cell->known = true;
    cell->meaning = line->depth ? XM_MEANING_LABEL : XM_MEANING_SUBJECT;
    cell->key = xm_row_vcpu(line->item.id);
    cell->by_text = line->depth == 0;
    if (line->depth) {
        snprintf(cell->text, sizeof cell->text, "v%u", xm_row_vcpu(line->item.id));
        return;
    }
    bare_name(p, line->domain, name, sizeof name);
    /* vCPUs of one domain are equals: they keep their natural order. */
    if (line->item.kind == XM_ITEM_VCPU && !cell->key_only)
        snprintf(cell->text, sizeof cell->text, "%.80s v%u", name, xm_row_vcpu(line->item.id));
    else
        snprintf(cell->text, sizeof cell->text, "%s", name);
}

void xm_table_name_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                         unsigned end, unsigned y)
{
    char name[96];
    char vcpu[16] = "";
    if (line->item.kind == XM_ITEM_VCPU)
        snprintf(vcpu, sizeof vcpu, line->depth ? "v%u" : " v%u", xm_row_vcpu(line->item.id));
    if (line->depth) {
        xm_grid_put_within(p->grid, x, end, y, XM_MEANING_LABEL, vcpu);
        return;
    }
    unsigned suffix = (unsigned)strlen(vcpu);
    unsigned room = end > x + suffix ? end - suffix : end;
    /* The name says enough where there is little room. */
    if (p->grid->width >= XM_TABLE_NUMBERS_FROM)
        xm_screen_domain_name(p->model, line->domain, name, sizeof name);
    else
        bare_name(p, line->domain, name, sizeof name);
    x = xm_grid_put_within(p->grid, x, room, y, XM_MEANING_SUBJECT, name);
    xm_grid_put_within(p->grid, x, end, y, XM_MEANING_SUBJECT, vcpu);
}

/* ---- Shares of time. */

struct share {
    const char *id; /* as of view's column: whether it is known goes by it */
    size_t part;    /* member of struct xm_usage */
    bool on_cpu;    /* of that pCPU's time in the view of one */
    bool of_window; /* never of all vCPUs' */
    enum xm_meaning meaning;
};

static uint64_t member(const struct xm_usage *u, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)u + offset, sizeof value);
    return value;
}

static void share_cell(const struct xm_painter *p, const struct xm_table_line *line,
                       struct xm_table_cell *cell, const struct share *share)
{
    struct xm_usage u;
    if (!xm_table_usage_for(p, line, share->id, &u) || !xm_table_is_known(p, line, &u, share->id)) {
        snprintf(cell->text, sizeof cell->text, "-");
        return;
    }
    bool of_cpu = share->on_cpu && xm_screen_one_cpu(p->choice) && line->item.kind == XM_ITEM_DOMAIN;
    uint64_t whole = of_cpu || share->of_window ? u.window_ns : u.window_ns * u.vcpus;
    xm_table_share(p, member(&u, share->part), whole, u.window_ns, share->meaning, cell);
}

#define SHARE(name, ...)                                                                                     \
    void xm_table_##name(const struct xm_painter *p, const struct xm_table_line *line,                       \
                         struct xm_table_cell *cell)                                                         \
    {                                                                                                        \
        static const struct share share = {__VA_ARGS__};                                                     \
        share_cell(p, line, cell, &share);                                                                   \
    }

SHARE(running, "running_ns", offsetof(struct xm_usage, running_ns), true, false, XM_MEANING_RUNNING)
SHARE(waiting, "runnable_ns", offsetof(struct xm_usage, runnable_ns), true, false, XM_MEANING_WAITING)
SHARE(blocked, "blocked_ns", offsetof(struct xm_usage, blocked_ns), false, false, XM_MEANING_BLOCKED)
SHARE(offline, "offline_ns", offsetof(struct xm_usage, offline_ns), false, false, XM_MEANING_OFFLINE)
SHARE(unknown, "unknown_ns", offsetof(struct xm_usage, unknown_ns), false, false, XM_MEANING_UNKNOWN)
SHARE(any, "wait_any_ns", offsetof(struct xm_usage, wait_any_ns), false, true, XM_MEANING_WAITING)
SHARE(wake, "wait_after_wake_ns", offsetof(struct xm_usage, wait_wake_ns), false, false, XM_MEANING_WAITING)
SHARE(preempt, "wait_after_preemption_ns", offsetof(struct xm_usage, wait_preempt_ns), false, false,
      XM_MEANING_WAITING)
SHARE(other, "wait_other_ns", offsetof(struct xm_usage, wait_other_ns), false, false, XM_MEANING_WAITING)

/* The states side by side: of the window times the vCPUs, whatever the units. */
void xm_table_states_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                           unsigned end, unsigned y)
{
    struct xm_usage u;
    if (!xm_table_usage_for(p, line, "states", &u)) {
        xm_grid_put_within(p->grid, x, end, y, XM_MEANING_FAINT, "-");
        return;
    }
    uint64_t part[XM_CHART_STATES] = {
        [XM_CHART_RUNNING] = u.running_ns, [XM_CHART_WAITING] = u.runnable_ns,
        [XM_CHART_BLOCKED] = u.blocked_ns, [XM_CHART_OFFLINE] = u.offline_ns,
        [XM_CHART_UNKNOWN] = u.unknown_ns,
    };
    xm_chart_states(p->grid, x, end, y, part);
}

/* ---- The last minute. */

/* The mean of the known steps that a cell of the strip stands for, in thousandths; false: none is. */
static bool mean_of(const struct xm_trail_step *steps, unsigned from, unsigned to, bool waiting,
                    unsigned *mean)
{
    unsigned sum = 0;
    unsigned known = 0;
    for (unsigned i = from; i < to; i++) {
        sum += !steps[i].known ? 0 : waiting ? steps[i].runnable : steps[i].running;
        known += steps[i].known;
    }
    *mean = known ? (sum + known - 1) / known : 0;
    return known > 0;
}

void xm_table_sparkline(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                        const struct xm_trail_step *steps, bool waiting)
{
    unsigned width = end > x ? end - x : 0;
    if (width > XM_TRAIL_STEPS)
        width = XM_TRAIL_STEPS;
    for (unsigned i = 0; i < width; i++) {
        unsigned mean;
        if (mean_of(steps, i * XM_TRAIL_STEPS / width, (i + 1) * XM_TRAIL_STEPS / width, waiting, &mean))
            xm_grid_put(grid, end - width + i, y, waiting ? XM_MEANING_WAITING : XM_MEANING_RUNNING,
                        xm_chart_level(grid->utf8, mean, 1000));
    }
}

static const struct xm_trail_step *steps_of(const struct xm_painter *p, const struct xm_table_line *line)
{
    const struct xm_trail *trail = p->model->trail;
    if (!trail || line->item.kind != XM_ITEM_DOMAIN || line->slot >= trail->domains)
        return NULL;
    return trail->domain[line->slot];
}

static void spark_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                        unsigned end, unsigned y, bool waiting)
{
    const struct xm_trail_step *steps = steps_of(p, line);
    if (steps)
        xm_table_sparkline(p->grid, x, end, y, steps, waiting);
    else
        xm_grid_put_right(p->grid, end, y, XM_MEANING_FAINT, "-");
}

void xm_table_spark_run_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                              unsigned end, unsigned y)
{
    spark_paint(p, line, x, end, y, false);
}

void xm_table_spark_wait_paint(const struct xm_painter *p, const struct xm_table_line *line, unsigned x,
                               unsigned end, unsigned y)
{
    spark_paint(p, line, x, end, y, true);
}

/* ---- Counts and the like. */

static void rate_cell(const struct xm_painter *p, const struct xm_table_line *line, const char *id,
                      struct xm_table_cell *cell)
{
    const struct xm_column *column = xm_column_find(id);
    xm_table_view_cell(p, column, line, cell);
    if (!cell->known || cell->key_only)
        return;
    if (cell->key < 99999.5)
        snprintf(cell->text, sizeof cell->text, "%.*f", cell->key < 99.95 ? 1 : 0, cell->key);
    else
        xm_format_count(cell->key < 1.8e19 ? (uint64_t)cell->key : UINT64_MAX, 5, cell->text,
                        sizeof cell->text);
}

void xm_table_executions(const struct xm_painter *p, const struct xm_table_line *line,
                         struct xm_table_cell *cell)
{
    rate_cell(p, line, "executions_per_s", cell);
}

void xm_table_io(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    rate_cell(p, line, "io_per_s", cell);
    if (line->item.kind != XM_ITEM_DOMAIN) {
        cell->known = false;
        snprintf(cell->text, sizeof cell->text, "-");
    }
}

void xm_table_longest(const struct xm_painter *p, const struct xm_table_line *line,
                      struct xm_table_cell *cell)
{
    struct xm_usage u;
    bool known = p->model->info.tsc_hz && xm_table_usage_for(p, line, "wait_max_ns", &u) &&
                 xm_table_is_known(p, line, &u, "wait_max_ns") && u.wait_max_ns;
    xm_table_duration(known, known ? u.wait_max_ns : 0, cell);
    cell->meaning = XM_MEANING_WAITING;
}

void xm_table_domid(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    unsigned domid = xm_row_domid(line->item.id);
    unsigned instance = xm_row_instance(line->item.id);
    cell->known = true;
    cell->key = (double)domid * 4294967296.0 + instance;
    snprintf(cell->text, sizeof cell->text, instance ? "%u#%u" : "%u", domid, instance);
}

void xm_table_vcpu_number(const struct xm_painter *p, const struct xm_table_line *line,
                          struct xm_table_cell *cell)
{
    cell->known = line->item.kind == XM_ITEM_VCPU;
    cell->key = xm_row_vcpu(line->item.id);
    if (cell->known)
        snprintf(cell->text, sizeof cell->text, "%u", xm_row_vcpu(line->item.id));
    else
        snprintf(cell->text, sizeof cell->text, "-");
}

/* Seen, and of how many that are online where others are. */
void xm_table_vcpus(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    if (line->item.kind != XM_ITEM_DOMAIN) {
        snprintf(cell->text, sizeof cell->text, "-");
        return;
    }
    const struct xm_domain_row *row = &s->domain[line->slot];
    cell->known = true;
    cell->key = (double)row->vcpus;
    if (row->online && row->online != row->vcpus)
        snprintf(cell->text, sizeof cell->text, "%" PRIu64 "/%" PRIu64, row->online, row->vcpus);
    else
        snprintf(cell->text, sizeof cell->text, "%" PRIu64, row->vcpus);
}

void xm_table_pcpu(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint64_t pcpu = line->item.kind == XM_ITEM_VCPU ? s->vcpu[line->slot].pcpu : 0;
    cell->known = pcpu != 0;
    cell->key = (double)pcpu;
    if (pcpu)
        snprintf(cell->text, sizeof cell->text, "%" PRIu64, pcpu - 1);
    else
        snprintf(cell->text, sizeof cell->text, "-");
}

static const char letters[] = "rwbo?";

/* A letter for each state in `mask`, in its place. */
static void put_letters(unsigned mask, char *text)
{
    for (unsigned i = 0; i < 5; i++)
        text[i] = mask & 1u << i ? letters[i] : '-';
    text[5] = '\0';
}

/* A vCPU's state in words; of a domain a letter for each state that any of its vCPUs is in. */
void xm_table_state(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    cell->known = true;
    if (line->item.kind == XM_ITEM_VCPU && line->depth) {
        /* Under its domain: its letter in the same place. */
        xm_table_vcpu_state(p, line->slot, cell->text, sizeof cell->text, &cell->meaning);
        bool guess = strchr(cell->text, '?') != NULL;
        unsigned state = s->vcpu[line->slot].state & 7;
        put_letters(1u << (state < 4 ? state : 4), cell->text);
        if (guess)
            cell->text[s->vcpu[line->slot].state >> 8 & 3] = letters[s->vcpu[line->slot].state >> 8 & 3];
        cell->key = state;
        return;
    }
    if (line->item.kind == XM_ITEM_VCPU) {
        xm_table_vcpu_state(p, line->slot, cell->text, sizeof cell->text, &cell->meaning);
        cell->key = s->vcpu[line->slot].state & 7;
        return;
    }
    const struct xm_domain_row *row = &s->domain[line->slot];
    unsigned mask = xm_table_domain_states(p, line->slot);
    cell->key = mask & 2 ? 0 : mask & 1 ? 1 : mask & 16 ? 2 : 3; /* who waits is the first to look at */
    cell->meaning = mask & 2 ? XM_MEANING_WAITING : mask & 1 ? XM_MEANING_RUNNING : XM_MEANING_BLOCKED;
    if (row->ended || row->paused) {
        cell->meaning = XM_MEANING_WARNING;
        cell->key = row->ended ? 5 : 4;
        snprintf(cell->text, sizeof cell->text, row->ended ? "ended" : "paused");
        return;
    }
    put_letters(mask, cell->text);
}

/* ---- Starved, idle. */

bool xm_table_starved(const struct xm_painter *p, const struct xm_table_line *line)
{
    const struct xm_window *w = &p->model->window[XM_SPAN_10S];
    struct xm_usage u;
    bool domain = line->item.kind == XM_ITEM_DOMAIN;
    /* Most ran in the window, and that is quickly seen. */
    if (w->from && domain && line->slot < w->from->used.domains &&
        w->from->domain[line->slot].id == w->to->domain[line->slot].id &&
        w->from->domain[line->slot].running != w->to->domain[line->slot].running)
        return false;
    if (w->from && !domain && line->slot < w->from->used.vcpus &&
        w->from->vcpu[line->slot].id == w->to->vcpu[line->slot].id &&
        w->from->vcpu[line->slot].running != w->to->vcpu[line->slot].running)
        return false;
    return (domain ? xm_usage_domain(w, line->slot, &u) : xm_usage_vcpu(w, line->slot, &u)) &&
           xm_usage_starved(&u);
}

bool xm_table_idle(const struct xm_painter *p, const struct xm_table_line *line)
{
    struct xm_usage u;
    return xm_table_usage(p, line, &u) && u.running_ns == 0 && u.runnable_ns == 0 && u.unknown_ns < u.span_ns;
}

/* ---- Lines. */

/* vCPU slots of the domains in `slots`, by their place there and their number.  NULL: out of memory. */
static struct xm_screen_ordered *order_vcpus(const struct xm_painter *p, const uint32_t *slots,
                                             uint32_t domains, bool all, uint32_t *count)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint32_t *rank = calloc(s->used.domains + 1u, sizeof *rank);
    struct xm_screen_ordered *list = malloc((s->used.vcpus + 1u) * sizeof *list);
    *count = 0;
    for (uint32_t i = 0; rank && i < domains; i++)
        if (all || xm_choice_is_expanded(p->choice, s->domain[slots[i]].id))
            rank[slots[i]] = i + 1;
    for (uint32_t i = 0; rank && list && i < s->used.vcpus; i++) {
        uint32_t domain = s->vcpu_domain[i];
        if (s->vcpu[i].id == 0 || domain >= s->used.domains || !rank[domain])
            continue;
        /* One that never ran was last on no pCPU: it must not be out of sight in each one's view. */
        if (p->choice->one_cpu && s->vcpu[i].pcpu && s->vcpu[i].pcpu != (uint64_t)p->choice->cpu + 1)
            continue;
        list[*count].key = (uint64_t)(rank[domain] - 1) << 32 | xm_row_vcpu(s->vcpu[i].id);
        list[(*count)++].slot = i;
    }
    free(rank);
    if (list)
        xm_screen_sort(list, *count);
    return list;
}

static struct xm_table_line vcpu_line(const struct xm_sample *s, uint32_t slot, unsigned depth)
{
    return (struct xm_table_line){.item = {XM_ITEM_VCPU, s->vcpu[slot].id},
                                  .slot = slot,
                                  .domain = s->vcpu_domain[slot],
                                  .depth = depth};
}

struct xm_table_line *xm_table_vcpu_lines(const struct xm_painter *p, uint32_t *count)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint32_t domains;
    uint32_t *slots = xm_screen_domains(p->model, &domains);
    struct xm_screen_ordered *list = order_vcpus(p, slots, domains, true, count);
    struct xm_table_line *lines = list ? malloc((*count + 1u) * sizeof *lines) : NULL;
    for (uint32_t i = 0; lines && i < *count; i++)
        lines[i] = vcpu_line(s, list[i].slot, 0);
    free(list);
    free(slots);
    return lines;
}

struct xm_table_line *xm_table_domain_lines(const struct xm_painter *p, uint32_t *count)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint32_t domains;
    uint32_t vcpus = 0;
    uint32_t next = 0;
    bool some = p->choice->expand_all || p->choice->expanded_count;
    uint32_t *slots = xm_screen_domains(p->model, &domains);
    struct xm_screen_ordered *list = some ? order_vcpus(p, slots, domains, false, &vcpus) : NULL;
    struct xm_table_line *lines = malloc((domains + vcpus + 1u) * sizeof *lines);
    *count = 0;
    for (uint32_t i = 0; lines && i < domains; i++) {
        const struct xm_domain_row *row = &s->domain[slots[i]];
        bool open = some && xm_choice_is_expanded(p->choice, row->id);
        lines[(*count)++] = (struct xm_table_line){.item = {XM_ITEM_DOMAIN, row->id},
                                                   .slot = slots[i],
                                                   .domain = slots[i],
                                                   .mark = row->vcpus == 0 ? ' '
                                                           : open          ? '-'
                                                                           : '+'};
        while (list && next < vcpus && list[next].key >> 32 == i)
            lines[(*count)++] = vcpu_line(s, list[next++].slot, 1);
    }
    free(list);
    free(slots);
    return lines;
}
