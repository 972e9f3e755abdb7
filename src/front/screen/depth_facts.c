/* SPDX-License-Identifier: MIT */
/* What a domain is, its vCPUs, who else is on its pCPUs, and its I/O. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/depth_int.h"
#include "view/format.h"

/* ---- What it is. */

/* A moment of the trace as time since it began; "" where it is not in it. */
static const char *moment_text(const struct xm_depth *d, uint64_t tsc, char *text, size_t size)
{
    const struct xm_window *w = &d->p->model->window[XM_SPAN_1S];
    const struct xm_host_row *host = &w->to->host;
    text[0] = '\0';
    if (tsc == 0 || tsc > host->tsc || host->tsc - tsc > host->window || d->p->model->info.tsc_hz == 0)
        return text;
    uint64_t ns = xm_scale_to_ns(w->scale, xm_cycles_of(host->window - (host->tsc - tsc))).v;
    uint64_t s = ns / XM_NS_PER_S;
    snprintf(text, size, "%02" PRIu64 ":%02u:%02u.%u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60),
             (unsigned)(ns % XM_NS_PER_S / (XM_NS_PER_S / 10)));
    return text;
}

static void add_maybe(struct xm_flow *flow, const char *word, struct xm_maybe m, const char *unit)
{
    char text[32] = "-";
    if (m.known)
        snprintf(text, sizeof text, "%" PRIu64 "%s", m.count, unit);
    xm_flow_add(flow, word, XM_MEANING_NORMAL, text);
}

void xm_depth_facts(const struct xm_depth *d, struct xm_sheet *sheet)
{
    const struct xm_model *m = d->p->model;
    const struct xm_domain_row *row = &m->window[XM_SPAN_1S].to->domain[d->slot];
    const struct xm_region_domain *fact = &m->fact[d->slot];
    const struct xm_told *told = &d->told;
    bool facts = fact->id == row->id;
    struct xm_flow flow;
    char text[96];
    char clean[48];
    xm_flow_begin(&flow, sheet, "Domain");
    snprintf(text, sizeof text, "%u", xm_row_domid(row->id));
    xm_flow_add(&flow, "number", XM_MEANING_NORMAL, text);
    if (xm_row_instance(row->id)) {
        snprintf(text, sizeof text, "#%u", xm_row_instance(row->id));
        xm_flow_add(&flow, "which others had before:", XM_MEANING_NORMAL, text);
    }
    add_maybe(&flow, "weight", told->weight, "");
    if (told->cap.known && told->cap.count == 0)
        xm_flow_add(&flow, "cap", XM_MEANING_NORMAL, "none");
    else
        add_maybe(&flow, "cap", told->cap, "% of a pCPU");
    if (row->paused)
        xm_flow_add(&flow, "", XM_MEANING_WARNING, "paused by the toolstack");
    if (facts && moment_text(d, fact->created_tsc, text, sizeof text)[0])
        xm_flow_add(&flow, "created at", XM_MEANING_NORMAL, text);
    if (row->ended) {
        bool when = facts && moment_text(d, fact->ended_tsc, text, sizeof text)[0];
        xm_flow_add(&flow, when ? "ended at" : "", XM_MEANING_WARNING, when ? text : "ended");
    }
    if (facts && fact->uuid[0])
        xm_flow_add(&flow, "uuid", XM_MEANING_NORMAL,
                    xm_format_name(fact->uuid, sizeof fact->uuid, clean, sizeof clean));
    xm_flow_end(&flow);
}

/* ---- Its vCPUs. */

static const struct {
    const char *title, *id;
    unsigned width;
    void (*cell)(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell);
} columns[] = {
    {"state", NULL, 9, xm_table_state},       {"pCPU", NULL, 5, xm_table_pcpu},
    {"run%", NULL, 7, xm_table_running},      {"wait%", NULL, 7, xm_table_waiting},
    {"block%", NULL, 7, xm_table_blocked},    {"max wait", "wait_max_ns", 9, xm_table_longest},
    {"exec/s", NULL, 8, xm_table_executions}, {"moved", "migrations", 7, NULL},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static struct xm_screen_ordered *list_vcpus(const struct xm_depth *d, uint32_t *count)
{
    const struct xm_sample *s = d->p->model->window[XM_SPAN_1S].to;
    struct xm_screen_ordered *list = malloc((s->used.vcpus + 1u) * sizeof *list);
    *count = 0;
    for (uint32_t i = 0; list && i < s->used.vcpus; i++)
        if (s->vcpu[i].id && s->vcpu_domain[i] == d->slot)
            list[(*count)++] = (struct xm_screen_ordered){.key = xm_row_vcpu(s->vcpu[i].id), .slot = i};
    if (*count)
        xm_screen_sort(list, *count);
    return list;
}

static void paint_vcpu(const struct xm_depth *d, struct xm_sheet *sheet, uint32_t slot)
{
    struct xm_painter p = *d->p;
    uint64_t id = p.model->window[XM_SPAN_1S].to->vcpu[slot].id;
    const struct xm_table_line line = {.item = {XM_ITEM_VCPU, id}, .slot = slot, .domain = d->slot};
    unsigned y = sheet->line++;
    unsigned end = XM_SHEET_LABEL - 2;
    p.grid = &sheet->grid;
    xm_grid_print(&sheet->grid, 1, y, XM_MEANING_SUBJECT, "v%u", xm_row_vcpu(id));
    for (unsigned i = 0; i < COLUMNS && end + columns[i].width <= sheet->grid.width; i++) {
        struct xm_table_cell cell = {.known = false};
        end += columns[i].width;
        if (columns[i].cell)
            columns[i].cell(&p, &line, &cell);
        else
            xm_table_view_cell(&p, xm_column_find(columns[i].id), &line, &cell);
        xm_grid_put_right(&sheet->grid, end, y, cell.known ? cell.meaning : XM_MEANING_FAINT, cell.text);
    }
}

void xm_depth_vcpus(const struct xm_depth *d, struct xm_sheet *sheet)
{
    const struct xm_domain_row *row = &d->p->model->window[XM_SPAN_1S].to->domain[d->slot];
    uint32_t count;
    struct xm_screen_ordered *list = list_vcpus(d, &count);
    unsigned y = sheet->line++;
    unsigned end = XM_SHEET_LABEL - 2;
    bool ms = d->p->choice->units == XM_UNITS_MS_PER_S;
    xm_grid_put(&sheet->grid, 0, y, XM_MEANING_LABEL, "vCPUs");
    for (unsigned i = 0; i < COLUMNS && end + columns[i].width <= sheet->grid.width; i++) {
        char title[16];
        end += columns[i].width;
        snprintf(title, sizeof title, "%s", columns[i].title);
        title[ms ? strcspn(title, "%") : strlen(title)] = '\0';
        xm_grid_put_right(&sheet->grid, end, y, XM_MEANING_LABEL, title);
    }
    if (row->online && row->online < row->vcpus && end + 14 < sheet->grid.width)
        xm_grid_print(&sheet->grid, end + 2, y, XM_MEANING_NORMAL, "%" PRIu64 " of %" PRIu64 " online",
                      row->online, row->vcpus);
    for (uint32_t i = 0; i < count; i++)
        paint_vcpu(d, sheet, list[i].slot);
    free(list);
}

/* ---- Who else is on its pCPUs. */

struct neighbour {
    uint64_t cycles;
    uint32_t slot;
};

static int compare_neighbours(const void *a, const void *b)
{
    const struct neighbour *x = a;
    const struct neighbour *y = b;
    if (x->cycles != y->cycles)
        return x->cycles < y->cycles ? 1 : -1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Its pCPUs: where it ran in the window, or was last and waits to be again.  Returns how many; marks them. */
static uint32_t mark_pcpus(const struct xm_depth *d, const struct xm_window *w, bool *is_its)
{
    const struct xm_sample *s = w->to;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->used.pcpus; i++)
        is_its[i] = s->pcpu[i].id && xm_screen_pair_running(w, d->slot, i);
    for (uint32_t v = 0; v < s->used.vcpus; v++) {
        if (s->vcpu[v].id == 0 || s->vcpu_domain[v] != d->slot || (s->vcpu[v].state & 15) != 1 ||
            !s->vcpu[v].pcpu)
            continue;
        for (uint32_t i = 0; i < s->used.pcpus; i++)
            if (s->pcpu[i].id == ((s->vcpu[v].pcpu - 1) | XM_ROW_USED))
                is_its[i] = true;
    }
    for (uint32_t i = 0; i < s->used.pcpus; i++)
        count += is_its[i];
    return count;
}

static void add_neighbours(const struct xm_depth *d, const struct xm_window *w, const bool *is_its,
                           uint32_t pcpus, struct neighbour *list, struct xm_flow *flow)
{
    const struct xm_sample *s = w->to;
    uint32_t count = 0;
    uint64_t window = s->host.window - (w->from ? w->from->host.window : 0);
    for (uint32_t i = 0; i < s->used.domains; i++) {
        struct neighbour n = {0, i};
        for (uint32_t c = 0; s->domain[i].id && c < s->used.pcpus; c++)
            n.cycles += is_its[c] ? xm_screen_pair_running(w, i, c) : 0;
        if (n.cycles)
            list[count++] = n;
    }
    if (count)
        qsort(list, count, sizeof *list, compare_neighbours);
    unsigned most = d->p->rows >= 30 ? 10 : 5;
    for (uint32_t i = 0; i < count && i < most && window; i++) {
        char name[96];
        char text[24];
        xm_screen_short_name(d->p->model, &flow->sheet->grid, list[i].slot, 24, name, sizeof name);
        xm_format_percent(100 * (double)list[i].cycles / ((double)window * pcpus), text, sizeof text);
        if (list[i].slot == d->slot)
            xm_flow_add(flow, "itself", XM_MEANING_RUNNING, text);
        else
            xm_flow_add(flow, name, XM_MEANING_NORMAL, text);
    }
    if (count > most) {
        char text[24];
        snprintf(text, sizeof text, "+%" PRIu32, count - most);
        xm_flow_add(flow, "", XM_MEANING_FAINT, text);
    }
}

/* "its CPUs 0 2 5 +3 in this window:" */
static void name_pcpus(const struct xm_sample *s, const bool *is_its, const char *when, char *text,
                       size_t size)
{
    uint32_t shown = 0;
    uint32_t count = 0;
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < s->used.pcpus; i++) {
        if (!is_its[i] || count++ >= 4)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%u", shown++ ? " " : "",
                                 xm_row_domid(s->pcpu[i].id));
    }
    if (count > shown)
        used += (size_t)snprintf(text + used, size - used, " +%" PRIu32, count - shown);
    snprintf(text + used, size - used, "%s", when);
}

void xm_depth_neighbours(const struct xm_depth *d, struct xm_sheet *sheet)
{
    const struct xm_window *w = d->coarse ? &d->p->model->window[XM_SPAN_10S] : &d->window;
    struct xm_flow flow;
    char text[96];
    xm_flow_begin(&flow, sheet, "On CPUs");
    if (d->p->model->coarse || !w->to || !xm_window_has_pairs(w, d->slot)) {
        xm_flow_add(&flow, "", XM_MEANING_FAINT, "-");
        xm_flow_end(&flow);
        return;
    }
    bool *is_its = calloc(w->to->used.pcpus + 1u, sizeof *is_its);
    struct neighbour *list = malloc((w->to->used.domains + 1u) * sizeof *list);
    uint32_t pcpus = is_its && list ? mark_pcpus(d, w, is_its) : 0;
    if (pcpus) {
        /* An execution has no window on a pCPU: the shortest that there is stands for it. */
        const char *when = d->coarse ? ", last 10 s:" : d->last ? ", last 1 s:" : ", of their time:";
        name_pcpus(w->to, is_its, when, text, sizeof text);
        xm_flow_add(&flow, text, XM_MEANING_NORMAL, "");
        add_neighbours(d, w, is_its, pcpus, list, &flow);
    } else {
        xm_flow_add(&flow, "", XM_MEANING_FAINT, "on none in this window");
    }
    xm_flow_end(&flow);
    free(list);
    free(is_its);
}

/* ---- I/O. */

struct number {
    const char *word, *id;
};

static void add_numbers(const struct xm_depth *d, struct xm_sheet *sheet, const char *label,
                        const struct number *numbers, unsigned count)
{
    struct xm_flow flow;
    xm_flow_begin(&flow, sheet, label);
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        xm_flow_add(&flow, numbers[i].word, XM_MEANING_NORMAL,
                    xm_depth_number(d, numbers[i].id, text, sizeof text));
    }
    xm_flow_end(&flow);
}

/* A component that no record could have shown is "-", never 0. */
void xm_depth_io(const struct xm_depth *d, struct xm_sheet *sheet)
{
    static const struct number pages[] = {{"pages", "io_per_s"},
                                          {"per execution", "io_per_execution"},
                                          {"blocked per page", "blocked_per_io_ns"}};
    static const struct number own[] = {
        {"flipped", "page_transfers"}, {"mapped", "grant_maps"}, {"unmapped", "grant_unmaps"}};
    static const struct number done[] = {{"flipped", "done_page_transfers"},
                                         {"mapped", "done_grant_maps"},
                                         {"unmapped", "done_grant_unmaps"},
                                         {"copies", "grant_copies_issued"}};
    static const struct number devices[] = {{"in", "net_received_bytes_per_s"},
                                            {"out", "net_sent_bytes_per_s"},
                                            {"packets in", "net_received_packets_per_s"},
                                            {"out", "net_sent_packets_per_s"}};
    static const struct number disks[] = {{"read", "disk_read_bytes_per_s"},
                                          {"written", "disk_write_bytes_per_s"},
                                          {"requests to read", "disk_reads_per_s"},
                                          {"to write", "disk_writes_per_s"}};
    add_numbers(d, sheet, "I/O", pages, sizeof pages / sizeof pages[0]);
    add_numbers(d, sheet, " own", own, sizeof own / sizeof own[0]);
    add_numbers(d, sheet, " did", done, sizeof done / sizeof done[0]);
    add_numbers(d, sheet, "Net", devices, sizeof devices / sizeof devices[0]);
    add_numbers(d, sheet, "Disk", disks, sizeof disks / sizeof disks[0]);
}
