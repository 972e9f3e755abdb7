/* SPDX-License-Identifier: MIT */
/*
 * The log as one stream of CSV: a row for each vCPU, or each domain, and interval.
 *
 * Of vCPUs, what only a domain has stands on the row of the domain's first vCPU and is empty on the others,
 * so that it can be added up like everything else.  Their name and uuid stand at the end: the columns before
 * them are where they were when there were no names.
 */
#include "front/print/csv.h"
#include "front/log/log_int.h"

static bool of_domains(const struct xm_log_config *config)
{
    return config->per == XM_LOG_PER_DOMAIN;
}

void xm_log_head_csv(const struct xm_log_config *config, FILE *out)
{
    static const char *const vcpu[] = {"time", "trace_ns", "domid", "instance", "vcpu"};
    static const char *const domain[] = {"time", "trace_ns", "domid", "instance",
                                         "name", "uuid",     "vcpus", "span_ns"};
    const struct xm_selection *s = &config->selection;
    struct xm_csv csv = {.out = out};
    size_t count = of_domains(config) ? sizeof domain / sizeof domain[0] : sizeof vcpu / sizeof vcpu[0];
    for (size_t c = 0; c < count; c++)
        xm_csv_text(&csv, of_domains(config) ? domain[c] : vcpu[c]);
    for (size_t m = 0; m < s->metrics; m++)
        xm_csv_text(&csv, s->metric[m].id);
    if (!of_domains(config)) {
        xm_csv_text(&csv, "name");
        xm_csv_text(&csv, "uuid");
    }
    xm_csv_end(&csv);
}

static void put_name(struct xm_csv *csv, const struct xm_log_name *name)
{
    xm_csv_text(csv, *name->name ? name->name : NULL);
    xm_csv_text(csv, *name->uuid ? name->uuid : NULL);
}

static void put_id(struct xm_csv *csv, const struct xm_log_interval *i, uint64_t id)
{
    const struct xm_host_row *host = &i->window.to->host;
    char text[48];
    xm_csv_text(csv, xm_log_time(host->real, 6, text));
    xm_csv_u64(csv, xm_scale_to_ns(i->window.scale, xm_cycles_of(host->window)).v);
    xm_csv_u64(csv, xm_row_domid(id));
    xm_csv_u64(csv, xm_row_instance(id));
}

/* own, of_domain: whose the values are; NULL: the fields stay empty. */
static void put_metrics(struct xm_csv *csv, const struct xm_log_interval *i, const struct xm_log_row *own,
                        const struct xm_log_row *of_domain)
{
    const struct xm_selection *s = &i->config->selection;
    for (size_t m = 0; m < s->metrics; m++) {
        struct xm_cell cell;
        xm_log_cell(&s->metric[m], s->metric[m].of_domain ? of_domain : own, &cell);
        if (cell.type == XM_COL_NS || cell.type == XM_COL_COUNT)
            xm_csv_maybe(csv, cell.known, cell.exact);
        else
            xm_csv_real(csv, cell.known, cell.value);
    }
}

static void put_domain(struct xm_csv *csv, const struct xm_log_interval *i, const struct xm_log_domain *d)
{
    struct xm_log_row row;
    xm_log_domain_row(i, d, &row);
    put_id(csv, i, row.usage.id);
    put_name(csv, d->name);
    xm_csv_u64(csv, row.usage.vcpus);
    xm_csv_u64(csv, row.usage.span_ns);
    put_metrics(csv, i, &row, &row);
    xm_csv_end(csv);
}

static void put_vcpus(struct xm_csv *csv, const struct xm_log_interval *i, const struct xm_log_domain *d)
{
    struct xm_log_row domain;
    xm_log_domain_row(i, d, &domain);
    for (size_t v = 0; v < d->vcpu_count; v++) {
        struct xm_log_row row;
        xm_log_vcpu_row(i, d->vcpus[v].slot, &row);
        put_id(csv, i, row.usage.id);
        xm_csv_u64(csv, xm_row_vcpu(row.usage.id));
        put_metrics(csv, i, &row, v == 0 ? &domain : NULL);
        put_name(csv, d->name);
        xm_csv_end(csv);
    }
    if (d->vcpu_count)
        return;
    /* A domain that has I/O and no vCPU yet. */
    put_id(csv, i, domain.usage.id);
    xm_csv_text(csv, NULL);
    put_metrics(csv, i, NULL, &domain);
    put_name(csv, d->name);
    xm_csv_end(csv);
}

void xm_log_print_csv(const struct xm_log_interval *i, FILE *out)
{
    struct xm_csv csv = {.out = out};
    struct xm_log_walk walk;
    struct xm_log_domain domain;
    xm_log_walk_init(&walk, i);
    while (xm_log_walk_next(&walk, &domain)) {
        if (of_domains(i->config))
            put_domain(&csv, i, &domain);
        else
            put_vcpus(&csv, i, &domain);
    }
}
