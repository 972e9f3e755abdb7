/* SPDX-License-Identifier: MIT */
#include "source/xen/facts.h"

#include <stdlib.h>
#include <string.h>

#include "source/xen/devices.h"
#include "source/xen/names.h"

#define TURN 10u /* refreshes between two questions for the same name */

struct rows {
    struct xm_facts_domain *domain; /* by ascending id */
    size_t count, room;
};

struct xm_facts {
    struct xm_control *control; /* borrowed */
    struct xm_names *names;     /* NULL: no xenstore */
    struct xm_devices *devices;
    struct rows now, next;
    bool from_xenstore; /* where domains come from, this time */
    bool is_listed;     /* and whether they do: they may be those of before */
    uint64_t refreshes; /* done */
    uint64_t asked;     /* `refreshes` when the names' work was handed over */
    uint8_t listed[XM_DOMIDS / 8]; /* the domains that xenstore listed last */
};

enum xm_status xm_facts_open(const struct xm_facts_config *config, struct xm_facts **facts,
                             struct xm_error *said)
{
    struct xm_error ignored;
    said = said ? said : &ignored;
    xm_error_clear(said);
    *facts = NULL;
    struct xm_facts *f = calloc(1, sizeof *f);
    if (!f || xm_devices_open(config->sys, &f->devices) != XM_OK) {
        free(f);
        return xm_fail(said, XM_NOMEM, XM_NO_OFFSET, "no memory for the facts of domains");
    }
    f->control = config->control;
    if (xm_names_open(config->libraries, &f->names, said) == XM_NOMEM) {
        xm_facts_close(f);
        return XM_NOMEM;
    }
    *facts = f;
    return XM_OK;
}

void xm_facts_close(struct xm_facts *f)
{
    if (!f)
        return;
    xm_names_close(f->names);
    xm_devices_close(f->devices);
    free(f->now.domain);
    free(f->next.domain);
    free(f);
}

/* ---- Which domains there are: `next`, in which those of `now` go on. */

static struct xm_facts_domain *find(const struct rows *rows, uint32_t domid)
{
    size_t low = 0, high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows->domain[middle].domain.domid < domid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rows->count && rows->domain[low].domain.domid == domid ? &rows->domain[low] : NULL;
}

/* False: the hypervisor has no UUID for it, as for dom0. */
static bool write_uuid(const uint8_t handle[16], char uuid[40])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t any = 0;
    for (unsigned i = 0; i < 16; i++)
        any |= handle[i];
    if (!any)
        return false;
    char *at = uuid;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[handle[i] >> 4];
        *at++ = digits[handle[i] & 15];
    }
    *at = 0;
    return true;
}

/* Ids ascend.  A domain that was not there the last time is a new one, and all of it begins at 0. */
static enum xm_status append(struct xm_facts *f, const struct xm_control_domain *domain)
{
    struct rows *next = &f->next;
    if (next->count == next->room) {
        size_t room = next->room ? 2 * next->room : 32;
        struct xm_facts_domain *grown = realloc(next->domain, room * sizeof *grown);
        if (!grown)
            return XM_NOMEM;
        next->domain = grown;
        next->room = room;
    }
    struct xm_facts_domain *row = &next->domain[next->count++];
    const struct xm_facts_domain *before = find(&f->now, domain->domid);
    *row = before ? *before : (struct xm_facts_domain){0};
    row->seen += row->seen < UINT32_MAX;
    row->domain = *domain;
    (void)write_uuid(domain->handle, row->uuid);
    return XM_OK;
}

/* XM_OK, XM_NOMEM; XM_UNSUPPORTED: the hypervisor tells nothing about domains; XM_IO: not now. */
static enum xm_status list_from_control(struct xm_facts *f)
{
    uint32_t first = 0;
    f->next.count = 0;
    while (first < XM_DOMIDS) {
        struct xm_control_domain domain;
        enum xm_status status = xm_control_domain(f->control, first, &domain);
        if (status == XM_END)
            break;
        if (status != XM_OK)
            return status == XM_UNSUPPORTED ? status : XM_IO;
        if (domain.domid < first || domain.domid >= XM_DOMIDS)
            return XM_IO; /* an answer that would have no end */
        status = append(f, &domain);
        if (status != XM_OK)
            return status;
        first = domain.domid + 1u;
    }
    return XM_OK;
}

static enum xm_status list_from_xenstore(struct xm_facts *f)
{
    enum xm_status status = XM_OK;
    f->next.count = 0;
    for (uint32_t domid = 0; domid < XM_DOMIDS && status == XM_OK; domid++) {
        if (!(f->listed[domid / 8] & 1u << domid % 8))
            continue;
        const struct xm_facts_domain *before = find(&f->now, domid);
        struct xm_control_domain domain = {.domid = (uint16_t)domid};
        if (before)
            domain = before->domain;
        status = append(f, &domain);
    }
    return status;
}

static enum xm_status list_as_before(struct xm_facts *f)
{
    enum xm_status status = XM_OK;
    f->next.count = 0;
    for (size_t i = 0; i < f->now.count && status == XM_OK; i++)
        status = append(f, &f->now.domain[i].domain);
    return status;
}

/* listed: xenstore has a list that is new. */
static enum xm_status list(struct xm_facts *f, bool listed)
{
    enum xm_status status = f->control ? list_from_control(f) : XM_UNSUPPORTED;
    f->from_xenstore = status == XM_UNSUPPORTED;
    f->is_listed = status == XM_OK || (status == XM_UNSUPPORTED && listed);
    if (status == XM_UNSUPPORTED)
        return list_from_xenstore(f);
    return status == XM_IO ? list_as_before(f) : status;
}

/* ---- What xenstore has said, and what it is asked next. */

/* A domain that came after the question was asked is not whom the answer is about. */
static void take(struct xm_facts *f, struct xm_names_work *work)
{
    uint64_t age = f->refreshes - f->asked;
    for (size_t i = 0; i < work->count; i++) {
        const struct xm_names_row *said = &work->row[i];
        struct xm_facts_domain *row = said->answered ? find(&f->next, said->domid) : NULL;
        if (!row || row->seen <= age)
            continue;
        memcpy(row->name, said->name, sizeof row->name);
        if (!write_uuid(row->domain.handle, row->uuid))
            memcpy(row->uuid, said->uuid, sizeof row->uuid);
        if (work->cpus && f->from_xenstore) {
            row->domain.vcpus = said->vcpus;
            row->domain.online = said->online;
        }
    }
    work->count = 0; /* taken once */
}

/*
 * A toolstack writes a name some time after it has made the domain; one without a name is not asked for ever.
 */
static bool is_due(const struct xm_facts *f, const struct xm_facts_domain *row)
{
    bool missing = !row->name[0] || !row->uuid[0];
    return (missing && row->seen <= TURN) || (f->refreshes + row->domain.domid) % TURN == 0;
}

static void ask(struct xm_facts *f, struct xm_names_work *work)
{
    bool again = f->refreshes % TURN == 0;
    if (!work->reached && !again)
        return;
    work->list = work->cpus = f->from_xenstore;
    work->count = 0;
    for (size_t i = 0; i < f->now.count; i++)
        if (is_due(f, &f->now.domain[i]))
            work->row[work->count++].domid = f->now.domain[i].domain.domid;
    if (!work->count && !work->list && work->reached)
        return;
    f->asked = f->refreshes;
    xm_names_ask(f->names);
}

enum xm_status xm_facts_refresh(struct xm_facts *f)
{
    struct xm_names_work *work = f->names ? xm_names_work(f->names) : NULL;
    bool listed = work && work->listed;
    if (listed) {
        memcpy(f->listed, work->domains, sizeof f->listed);
        work->listed = false; /* taken once */
    }
    enum xm_status status = list(f, listed);
    if (status == XM_OK && work)
        status = xm_names_room(f->names, f->next.count);
    if (status == XM_OK)
        status = xm_devices_list(f->devices);
    if (status != XM_OK)
        return status;
    f->refreshes++;
    if (work)
        take(f, work);
    xm_devices_read(f->devices, f->next.domain, f->next.count);
    struct rows rows = f->now;
    f->now = f->next;
    f->next = rows;
    if (work)
        ask(f, work);
    return XM_OK;
}

bool xm_facts_listed(const struct xm_facts *f)
{
    return f->is_listed;
}

const struct xm_facts_domain *xm_facts_domains(const struct xm_facts *f, size_t *count)
{
    *count = f->now.count;
    return f->now.domain;
}

const struct xm_facts_domain *xm_facts_find(const struct xm_facts *f, uint32_t domid)
{
    return find(&f->now, domid);
}
