/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "front/log/log_int.h"

/* ---- Domains and their vCPUs, side by side: both orders begin with domid and instance. */

#define DOMAIN_OF(key) ((key) >> 16)

void xm_log_walk_init(struct xm_log_walk *walk, const struct xm_log_interval *i)
{
    *walk = (struct xm_log_walk){.interval = i};
    walk->domain_count = xm_order_domains(i->window.to, i->domains);
    walk->vcpu_count = xm_order_vcpus(i->window.to, i->vcpus);
}

bool xm_log_walk_next(struct xm_log_walk *walk, struct xm_log_domain *domain)
{
    const struct xm_log_interval *i = walk->interval;
    while (walk->domain < walk->domain_count) {
        const struct xm_place *place = &i->domains[walk->domain++];
        uint64_t key = DOMAIN_OF(place->key);
        while (walk->vcpu < walk->vcpu_count && DOMAIN_OF(i->vcpus[walk->vcpu].key) < key)
            walk->vcpu++;
        *domain = (struct xm_log_domain){place->slot, &i->names[place->slot], &i->vcpus[walk->vcpu], 0};
        while (walk->vcpu < walk->vcpu_count && DOMAIN_OF(i->vcpus[walk->vcpu].key) == key) {
            walk->vcpu++;
            domain->vcpu_count++;
        }
        uint32_t domid = xm_row_domid(i->window.to->domain[place->slot].id);
        if (xm_selection_has(&i->config->selection, domid, domain->name->name, domain->name->uuid))
            return true;
    }
    return false;
}

/* ---- Rows. */

void xm_log_vcpu_row(const struct xm_log_interval *i, uint32_t slot, struct xm_log_row *row)
{
    static const struct xm_vcpu_row none;
    struct xm_window w = i->window;
    if (w.from && (slot >= w.from->used.vcpus || w.from->vcpu[slot].id != w.to->vcpu[slot].id))
        w.from = NULL;
    xm_usage_vcpu(&w, slot, &row->usage);
    xm_usage_vcpu(&i->window, slot, &row->within);
    const struct xm_vcpu_row *now = &w.to->vcpu[slot];
    const struct xm_vcpu_row *then = w.from ? &w.from->vcpu[slot] : &none;
    const uint64_t late[XM_LOG_LATE] = {
        xm_counted(now->late_running, then->late_running), xm_counted(now->late_runnable, then->late_runnable),
        xm_counted(now->late_blocked, then->late_blocked), xm_counted(now->late_offline, then->late_offline)};
    xm_scale_parts(w.scale, late, row->late_ns, XM_LOG_LATE);
}

static void add_states(struct xm_usage *sum, const struct xm_usage *u)
{
    sum->span_ns += u->span_ns;
    sum->running_ns += u->running_ns;
    sum->runnable_ns += u->runnable_ns;
    sum->blocked_ns += u->blocked_ns;
    sum->offline_ns += u->offline_ns;
    sum->unknown_ns += u->unknown_ns;
    sum->wait_wake_ns += u->wait_wake_ns;
    sum->wait_preempt_ns += u->wait_preempt_ns;
    sum->wait_other_ns += u->wait_other_ns;
}

void xm_log_domain_row(const struct xm_log_interval *i, const struct xm_log_domain *domain,
                       struct xm_log_row *row)
{
    struct xm_window w = i->window;
    uint32_t slot = domain->slot;
    if (w.from && (slot >= w.from->used.domains || w.from->domain[slot].id != w.to->domain[slot].id))
        w.from = NULL;
    memset(row, 0, sizeof *row);
    xm_usage_domain(&w, slot, &row->usage);
    xm_usage_domain(&i->window, slot, &row->within);
    if (domain->vcpu_count == 0)
        return;
    struct xm_usage *u = &row->usage;
    u->span_ns = u->running_ns = u->runnable_ns = u->blocked_ns = u->offline_ns = u->unknown_ns = 0;
    u->wait_wake_ns = u->wait_preempt_ns = u->wait_other_ns = 0;
    for (size_t v = 0; v < domain->vcpu_count; v++) {
        struct xm_log_row vcpu;
        xm_log_vcpu_row(i, domain->vcpus[v].slot, &vcpu);
        add_states(u, &vcpu.usage);
        for (unsigned l = 0; l < XM_LOG_LATE; l++)
            row->late_ns[l] += vcpu.late_ns[l];
    }
}

void xm_log_cell(const struct xm_log_metric *metric, const struct xm_log_row *row, struct xm_cell *cell)
{
    *cell = (struct xm_cell){.type = XM_COL_NS};
    if (!row)
        return;
    if (metric->column) {
        enum xm_column_type type = metric->column->type;
        bool derived = type == XM_COL_PERCENT || type == XM_COL_RATE || type == XM_COL_AVERAGE;
        metric->column->get(derived ? &row->within : &row->usage, cell);
        return;
    }
    cell->known = true;
    cell->exact = row->late_ns[metric->late];
    cell->value = (double)cell->exact;
}

const char *xm_log_time(uint64_t real_ns, unsigned digits, char text[48])
{
    char day[32];
    char fraction[16] = "";
    struct tm tm;
    time_t seconds = (time_t)(real_ns / XM_NS_PER_S);
    if (!gmtime_r(&seconds, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        day[0] = '\0';
    if (digits) {
        snprintf(fraction, sizeof fraction, ".%09" PRIu64, real_ns % XM_NS_PER_S);
        fraction[digits < 9 ? digits + 1 : 10] = '\0';
    }
    snprintf(text, 48, "%s%sZ", day, fraction);
    return text;
}
