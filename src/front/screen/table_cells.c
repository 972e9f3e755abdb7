/* SPDX-License-Identifier: MIT */
/* Cells that several tables have. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/screen/table_int.h"
#include "view/format.h"

/* ---- Usages. */

bool xm_table_window(const struct xm_painter *p, struct xm_window *w, bool *coarse, bool *last)
{
    const struct xm_model *m = p->model;
    enum xm_choice_window window = p->choice->window;
    *coarse = m->coarse;
    *last = window == XM_WINDOW_LAST;
    *w = m->window[window == XM_WINDOW_10S ? XM_SPAN_10S : XM_SPAN_1S];
    if (window == XM_WINDOW_1MIN || window == XM_WINDOW_FREE) {
        *w = m->chosen;
        *coarse = *coarse || m->chosen_coarse;
    }
    return m->data && w->to != NULL;
}

static bool get_usage(const struct xm_painter *p, const struct xm_table_line *line, struct xm_usage *usage)
{
    struct xm_window w;
    bool coarse;
    bool last;
    uint32_t cpu;
    if (!xm_table_window(p, &w, &coarse, &last))
        return false;
    bool domain = line->item.kind == XM_ITEM_DOMAIN;
    if (line->slot >= (domain ? w.to->used.domains : w.to->used.vcpus))
        return false;
    if (last && coarse)
        return false;
    if (last)
        return (domain ? xm_usage_last_domain(&w, line->slot, usage)
                       : xm_usage_last_vcpu(&w, line->slot, usage)) &&
               usage->executions > 0;
    if (domain && xm_screen_one_cpu(p->choice))
        return !coarse && xm_screen_cpu_slot(p->model, p->choice, &cpu) &&
               xm_usage_pair(&w, line->slot, cpu, usage);
    return domain ? xm_usage_domain(&w, line->slot, usage) : xm_usage_vcpu(&w, line->slot, usage);
}

/* Of what left no record nothing is known but that; its times and executions are no zeros. */
static bool is_silent(const struct xm_usage *u)
{
    return u->unknown_ns == u->span_ns && u->executions == 0;
}

bool xm_table_usage(const struct xm_painter *p, const struct xm_table_line *line, struct xm_usage *usage)
{
    struct xm_usage_cache *cache = p->cache;
    if (line->item.kind != XM_ITEM_DOMAIN && line->item.kind != XM_ITEM_VCPU)
        return false;
    if (!cache)
        return get_usage(p, line, usage);
    if (cache->item.kind != line->item.kind || cache->item.id != line->item.id) {
        cache->item = line->item;
        cache->there = get_usage(p, line, &cache->usage);
    }
    if (cache->there)
        *usage = cache->usage;
    return cache->there;
}

static bool begins_with(const char *id, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(id, list[i], strlen(list[i])) == 0)
            return true;
    return false;
}

/* The domain's running, waiting and executions: there is a figure for each pCPU. */
static bool is_of_pairs(const char *id)
{
    static const char *const pairs[] = {"running_", "runnable_", "executions"};
    return strcmp(id, "run") == 0 || strcmp(id, "wait") == 0 ||
           begins_with(id, pairs, sizeof pairs / sizeof pairs[0]);
}

bool xm_table_anywhere(const struct xm_choice *choice, const char *id)
{
    /* Names, numbers, what the scheduler was told, what is so now, how long the window is. */
    static const char *const none[] = {"name",   "state",  "domid",  "vcpu",  "cpu",
                                       "weight", "online", "paused", "window"};
    if (!xm_screen_one_cpu(choice) ||
        (strcmp(id, "states") != 0 && begins_with(id, none, sizeof none / sizeof none[0])))
        return false;
    bool cap = strcmp(id, "cap_pct") == 0;
    return !cap && (choice->view == XM_VIEW_VCPUS || choice->window == XM_WINDOW_LAST || !is_of_pairs(id));
}

bool xm_table_of_pairs(const struct xm_choice *choice, const char *id)
{
    return xm_screen_one_cpu(choice) && is_of_pairs(id) && !xm_table_anywhere(choice, id);
}

bool xm_table_usage_for(const struct xm_painter *p, const struct xm_table_line *line, const char *id,
                        struct xm_usage *usage)
{
    struct xm_window w;
    bool coarse;
    bool last;
    if (line->item.kind != XM_ITEM_DOMAIN || p->choice->window == XM_WINDOW_LAST ||
        !xm_screen_one_cpu(p->choice) || is_of_pairs(id))
        return xm_table_usage(p, line, usage);
    return xm_table_window(p, &w, &coarse, &last) && line->slot < w.to->used.domains &&
           xm_usage_domain(&w, line->slot, usage);
}

/* ---- Numbers. */

void xm_table_put_unknown(struct xm_table_cell *cell)
{
    cell->known = false;
    cell->meaning = XM_MEANING_FAINT;
    snprintf(cell->text, sizeof cell->text, "-");
}

void xm_table_share(const struct xm_painter *p, uint64_t part_ns, uint64_t of_ns, uint64_t window_ns,
                    enum xm_meaning meaning, struct xm_table_cell *cell)
{
    uint64_t whole = p->choice->units == XM_UNITS_OF_VCPUS ? of_ns : window_ns;
    double factor = p->choice->units == XM_UNITS_MS_PER_S ? 1000 : 100;
    cell->known = whole != 0;
    cell->key = whole ? factor * (double)part_ns / (double)whole : 0;
    cell->meaning = part_ns ? meaning : XM_MEANING_FAINT;
    if (cell->key_only)
        return;
    if (!whole)
        snprintf(cell->text, sizeof cell->text, "-");
    else if (part_ns && cell->key < 0.05)
        snprintf(cell->text, sizeof cell->text, "<0.1");
    else
        snprintf(cell->text, sizeof cell->text, "%.*f", cell->key < 999.95 ? 1 : 0, cell->key);
}

void xm_table_number(const struct xm_column *column, const struct xm_usage *usage, struct xm_table_cell *cell)
{
    struct xm_cell number = {.known = false};
    column->get(usage, &number);
    cell->known = number.known;
    cell->key = number.value;
    cell->meaning = number.known && number.value > 0 ? XM_MEANING_NORMAL : XM_MEANING_FAINT;
    if (!cell->key_only)
        xm_format_cell(column, &number, cell->text, sizeof cell->text);
}

void xm_table_duration(bool known, uint64_t ns, struct xm_table_cell *cell)
{
    cell->known = known;
    cell->key = known ? (double)ns : 0;
    cell->meaning = known && ns ? XM_MEANING_NORMAL : XM_MEANING_FAINT;
    if (cell->key_only)
        return;
    if (known)
        xm_format_ns(ns, cell->text, sizeof cell->text);
    else
        snprintf(cell->text, sizeof cell->text, "-");
}

/* What the slow series has (include/xenmon/metrics.def): nothing else is known of a coarse window. */
static bool is_in_slow_series(const char *id, bool domain)
{
    static const char *const both[] = {"window_ns",   "running_", "runnable_", "blocked_ns", "blocked_pct",
                                       "blocked_of_", "offline_", "unknown_",  "wait_any_"};
    static const char *const domains[] = {"executions", "page_transfers", "grant_maps", "grant_unmaps",
                                          "blocked_per_execution_ns"};
    if (!domain && strstr(id, "per_execution"))
        return false;
    return begins_with(id, both, sizeof both / sizeof both[0]) ||
           (domain && begins_with(id, domains, sizeof domains / sizeof domains[0]));
}

/* What is no time and no count of the vCPUs, and so is known of one that never ran. */
static bool is_told(const char *id)
{
    static const char *const told[] = {"online",   "paused", "weight", "cap_",   "net_",  "disk_",
                                       "unknown_", "window", "io_",    "grant_", "page_", "done_",
                                       "cpu_time"};
    return begins_with(id, told, sizeof told / sizeof told[0]);
}

bool xm_table_is_known_in(bool coarse, bool domain, const struct xm_usage *usage, const char *id)
{
    if (coarse && !is_in_slow_series(id, domain))
        return false;
    return !is_silent(usage) || is_told(id);
}

bool xm_table_is_known(const struct xm_painter *p, const struct xm_table_line *line,
                       const struct xm_usage *usage, const char *id)
{
    struct xm_window w;
    bool coarse;
    bool last;
    return xm_table_window(p, &w, &coarse, &last) &&
           xm_table_is_known_in(coarse, line->item.kind == XM_ITEM_DOMAIN, usage, id);
}

void xm_table_view_cell(const struct xm_painter *p, const struct xm_column *column,
                        const struct xm_table_line *line, struct xm_table_cell *cell)
{
    struct xm_usage u;
    snprintf(cell->text, sizeof cell->text, "-");
    cell->known = false;
    cell->key = 0;
    if (!column || !xm_table_usage_for(p, line, column->id, &u) ||
        !xm_table_is_known(p, line, &u, column->id))
        return;
    bool timed = column->type == XM_COL_NS || column->type == XM_COL_RATE || strstr(column->id, "_ns");
    if (timed && p->model->info.tsc_hz == 0)
        return;
    xm_table_number(column, &u, cell);
    bool bytes = strstr(column->id, "_bytes") != NULL;
    if (cell->known && bytes && !cell->key_only)
        xm_format_bytes(cell->key, cell->text, sizeof cell->text);
}

/* ---- States. */

static const char *const states[] = {"running", "waiting", "blocked", "offline", "unknown"};

const char *xm_table_vcpu_state(const struct xm_painter *p, uint32_t slot, char *text, size_t size,
                                enum xm_meaning *meaning)
{
    static const enum xm_meaning meanings[] = {XM_MEANING_RUNNING, XM_MEANING_WAITING, XM_MEANING_BLOCKED,
                                               XM_MEANING_OFFLINE, XM_MEANING_UNKNOWN};
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    uint64_t value = s->vcpu[slot].state;
    unsigned state = value & 7;
    bool paused = s->vcpu_domain[slot] < s->used.domains && s->domain[s->vcpu_domain[slot]].paused;
    *meaning = meanings[state < 4 ? state : 4];
    if (paused && state >= 3)
        snprintf(text, size, "paused");
    else if (state >= 4 && value & 16)
        snprintf(text, size, "%s?", states[value >> 8 & 3]);
    else
        snprintf(text, size, "%s", states[state < 4 ? state : 4]);
    return text;
}

/* Which states the vCPUs of each domain are in, a bit each; by domain slot. */
static void fill_masks(const struct xm_sample *s, uint8_t *masks)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        unsigned state = s->vcpu[i].state & 7;
        if (s->vcpu[i].id && s->vcpu_domain[i] < s->used.domains)
            masks[s->vcpu_domain[i]] |= (uint8_t)(1u << (state < 4 ? state : 4));
    }
}

unsigned xm_table_domain_states(const struct xm_painter *p, uint32_t slot)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    unsigned mask = 0;
    if (p->cache && !p->cache->states) {
        p->cache->states = calloc(s->used.domains + 1u, sizeof *p->cache->states);
        if (p->cache->states)
            fill_masks(s, p->cache->states);
    }
    if (p->cache && p->cache->states)
        return p->cache->states[slot];
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        unsigned state = s->vcpu[i].state & 7;
        if (s->vcpu[i].id && s->vcpu_domain[i] == slot)
            mask |= 1u << (state < 4 ? state : 4);
    }
    return mask;
}

const char *xm_table_state_words(const struct xm_painter *p, const struct xm_table_line *line, char *text,
                                 size_t size)
{
    const struct xm_sample *s = p->model->window[XM_SPAN_1S].to;
    enum xm_meaning meaning;
    size_t used = 0;
    text[0] = '\0';
    if (line->item.kind == XM_ITEM_VCPU)
        return xm_table_vcpu_state(p, line->slot, text, size, &meaning);
    if (line->item.kind != XM_ITEM_DOMAIN)
        return text;
    unsigned mask = xm_table_domain_states(p, line->slot);
    for (unsigned i = 0; i < 5 && used < size; i++)
        if (mask & 1u << i)
            used += (size_t)snprintf(text + used, size - used, "%s ", states[i]);
    if (used < size && s->domain[line->slot].paused)
        used += (size_t)snprintf(text + used, size - used, "paused ");
    if (used < size && s->domain[line->slot].ended)
        snprintf(text + used, size - used, "ended");
    return text;
}
