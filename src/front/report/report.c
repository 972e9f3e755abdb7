/* SPDX-License-Identifier: MIT */
#include "front/report/report_int.h"

#include <errno.h>
#include <stdlib.h>

static const char *assumed_state(uint32_t state)
{
    static const char *const names[] = {"running", "runnable", "blocked", "offline"};
    uint32_t guess = state >> 8;
    return (state & 16) && guess <= XM_OFFLINE ? names[guess] : NULL;
}

void xm_report_vcpu(const struct xm_report_rows *rows, uint32_t slot, struct xm_report_vcpu *vcpu)
{
    const struct xm_report *r = rows->report;
    *vcpu = (struct xm_report_vcpu){0};
    xm_usage_vcpu(&rows->window, slot, &vcpu->usage);
    vcpu->assumed_state = assumed_state(vcpu->usage.state);
    const uint64_t *waits = r->waits ? r->waits(r->user, slot) : NULL;
    if (!waits)
        return;
    const double p[3] = {0.5, 0.95, 0.99};
    uint64_t *const ns[3] = {&vcpu->wait_p50_ns, &vcpu->wait_p95_ns, &vcpu->wait_p99_ns};
    for (unsigned i = 0; i < 3; i++) {
        *ns[i] = xm_scale_to_ns(r->scale, xm_cycles_of(xm_percentile(waits, NULL, p[i]))).v;
        /* The middle of the topmost bucket can lie above the longest wait. */
        if (r->peaks_complete && *ns[i] > vcpu->usage.wait_max_ns)
            *ns[i] = vcpu->usage.wait_max_ns;
    }
}

const char *xm_report_name(const struct xm_report_rows *rows, uint32_t domain_slot)
{
    const struct xm_report *r = rows->report;
    const char *name = r->domain ? r->domain(r->user, domain_slot).name : NULL;
    return name ? name : "";
}

/* Keys agree but for the vCPU's number, which is their lowest 16 bits. */
static uint64_t domain_of(const struct xm_place *place)
{
    return place->key >> 16;
}

size_t xm_report_vcpus_of(const struct xm_report_rows *rows, const struct xm_place *domain, size_t *next,
                          const struct xm_place **first)
{
    size_t i = *next;
    size_t n = 0;
    while (i < rows->vcpu_count && domain_of(&rows->vcpus[i]) < domain_of(domain))
        i++;
    *first = &rows->vcpus[i];
    while (i + n < rows->vcpu_count && domain_of(&rows->vcpus[i + n]) == domain_of(domain))
        n++;
    *next = i + n;
    return n;
}

static void free_rows(struct xm_report_rows *rows)
{
    free(rows->vcpus);
    free(rows->domains);
    free(rows->pcpus);
}

static enum xm_status order_rows(const struct xm_sample *s, struct xm_report_rows *rows)
{
    rows->vcpus = calloc((size_t)s->used.vcpus + 1, sizeof *rows->vcpus);
    rows->domains = calloc((size_t)s->used.domains + 1, sizeof *rows->domains);
    rows->pcpus = calloc((size_t)s->used.pcpus + 1, sizeof *rows->pcpus);
    if (!rows->vcpus || !rows->domains || !rows->pcpus)
        return XM_NOMEM;
    rows->vcpu_count = xm_order_vcpus(s, rows->vcpus);
    rows->domain_count = xm_order_domains(s, rows->domains);
    rows->pcpu_count = xm_order_pcpus(s, rows->pcpus);
    return XM_OK;
}

enum xm_status xm_report_print(const struct xm_report *report, enum xm_report_format format, FILE *out)
{
    static void (*const formats[XM_REPORT_FORMATS])(const struct xm_report_rows *,
                                                    FILE *) = {[XM_REPORT_TEXT] = xm_report_text,
                                                               [XM_REPORT_JSON] = xm_report_json,
                                                               [XM_REPORT_CSV] = xm_report_csv};
    struct xm_report_rows rows = {.report = report,
                                  .window = {.to = report->totals, .scale = report->scale, .io_seen = report->io_seen}};
    enum xm_status status = order_rows(report->totals, &rows);
    if (status == XM_OK) {
        formats[format](&rows, out);
        if (fflush(out) != 0 || ferror(out))
            status = XM_IO;
    }
    int reason = errno; /* free() may touch it */
    free_rows(&rows);
    errno = reason;
    return status;
}
