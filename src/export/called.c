/* SPDX-License-Identifier: MIT */
#include "export/called.h"

#include "base/clock.h"
#include "view/called.h"
#ifdef XM_HAVE_HISTORY
#include "export/past.h"
#include "history/query.h"
#endif

bool xm_called_now(const struct xm_host_snapshot *s, const char *text, uint32_t *domid)
{
    const struct xm_sample *now = s->window[0].to;
    const struct xm_region_domain *best = NULL;
    unsigned best_rank = 0;
    for (uint32_t slot = 0; s->data && slot < now->used.domains; slot++) {
        const struct xm_domain_row *row = &now->domain[slot];
        const struct xm_region_domain *fact = &s->domain[slot].fact;
        if (!row->id || fact->id != row->id)
            continue;
        enum xm_called how = xm_called(text, xm_row_domid(row->id), fact->name, fact->uuid);
        unsigned there = row->ended == 0 ? 2 : !s->domain[slot].expired;
        unsigned rank = how == XM_CALLED_NOT ? 0 : 4 * there + (unsigned)how;
        if (rank == 0 || rank < best_rank ||
            (best && rank == best_rank && fact->created_tsc < best->created_tsc))
            continue;
        best = fact;
        best_rank = rank;
        *domid = xm_row_domid(row->id);
    }
    return best != NULL;
}

#ifdef XM_HAVE_HISTORY

/* Which run of xenbaked it is of, in the order of time. */
static size_t run_of(const struct xm_history *h, const struct xm_history_domain *d)
{
    size_t i = 0;
    while (i < h->runs && h->run[i].id != d->run)
        i++;
    return i;
}

static const struct xm_history_domain *last_of(const struct xm_history *h, const char *text)
{
    const struct xm_history_domain *best = NULL;
    size_t best_run = 0;
    for (size_t i = 0; i < h->domains; i++) {
        const struct xm_history_domain *d = &h->domain[i];
        if (xm_called(text, xm_row_domid(d->row), d->name, d->uuid) == XM_CALLED_NOT)
            continue;
        size_t run = run_of(h, d);
        if (best && (run < best_run || (run == best_run && d->last_sample < best->last_sample)))
            continue;
        best = d;
        best_run = run;
    }
    return best;
}

enum xm_status xm_called_before(const char *directory, const char *text, uint32_t *domid,
                                struct xm_error *err)
{
    struct xm_history history;
    struct xm_history_deadline deadline = {.mono_ns = xm_clock_ns() + XM_PAST_READ_NS};
    struct xm_error why = {0};
    enum xm_status status = xm_history_open_until(directory, &deadline, &history, &why);
    if (status == XM_NOMEM)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status != XM_OK && deadline.passed) /* as in past_durable.c */
        return xm_fail(
            err, XM_LIMIT, XM_NO_OFFSET,
            "there is too much in the durable history to find a name in it: ask by the domain's id");
    if (status != XM_OK)
        return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "the durable history cannot be read: %.180s", why.text);
    const struct xm_history_domain *found = last_of(&history, text);
    if (found)
        *domid = xm_row_domid(found->row);
    xm_history_end(&history);
    return found ? XM_OK : XM_END;
}

#else

enum xm_status xm_called_before(const char *directory, const char *text, uint32_t *domid,
                                struct xm_error *err)
{
    return XM_END;
}

#endif
