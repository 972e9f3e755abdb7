/* SPDX-License-Identifier: MIT */
#include "sim/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/driver.h"
#include "sim/hog.h"
#include "sim/web.h"
#include "trace/format.h"
#include "trace/ring.h"

/*
 * A domain, from when it is planned.  One of the scenario's stays when it has ended, without its software; any other goes:
 * whoever creates and destroys for ever must not make the host grow.
 */
struct member {
    struct xm_simhost *host;
    struct member *next;
    struct xm_scenario_domain spec;
    struct xm_sim_domain *domain; /* NULL: not yet, or no more */
    uint64_t before;              /* domains of its id that were planned or created before */
    uint64_t began_ns, ended_ns;
    bool planned;                 /* by the scenario */
    struct xm_served served;      /* when it ended */
    struct xm_alarm from, to;
    void *guest;                  /* struct xm_web, xm_reader or xm_hog by its role; NULL: none, or the driver's */
};

struct xm_simhost {
    struct xm_scenario scenario;
    struct xm_machine *machine;
    enum xm_status status; /* of what alarms have tried */
    struct xm_driver driver;
    bool has_driver;
    struct member *first, **last; /* the scenario's come first, in its order */
    uint32_t forgotten[XM_DOMID_FIRST_RESERVED]; /* members that are no more, by id */
    struct xm_ring_producer ring[XM_SIM_CPUS];
    void *buffer[XM_SIM_CPUS];
};

/* ---- Trace buffers. */

static void put(void *user, uint32_t cpu, const struct xm_record *record, xm_cycles now, uint32_t current)
{
    struct xm_simhost *h = user;
    (void)xm_ring_put(&h->ring[cpu], record, now, current); /* what does not fit is counted there */
}

static enum xm_status make_buffers(struct xm_simhost *h, struct xm_error *err)
{
    const size_t bytes = (size_t)h->scenario.pages * XM_RING_PAGE_BYTES;
    for (uint32_t cpu = 0; cpu < h->scenario.cpus; cpu++) {
        h->buffer[cpu] = bytes ? aligned_alloc(XM_RING_PAGE_BYTES, bytes) : NULL;
        if (bytes && !h->buffer[cpu])
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        if (!bytes || xm_ring_produce(&h->ring[cpu], h->buffer[cpu], h->scenario.pages) != XM_OK)
            return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "trace buffers of %" PRIu32 " pages", h->scenario.pages);
    }
    return XM_OK;
}

void *xm_simhost_buffer(struct xm_simhost *h, uint32_t cpu)
{
    return cpu < h->scenario.cpus ? h->buffer[cpu] : NULL;
}

uint32_t xm_simhost_pages(const struct xm_simhost *h)
{
    return h->scenario.pages;
}

uint64_t xm_simhost_lost(const struct xm_simhost *h)
{
    uint64_t lost = 0;
    for (uint32_t cpu = 0; cpu < h->scenario.cpus; cpu++)
        lost += h->ring[cpu].lost_total;
    return lost;
}

/* ---- Domains come. */

/* Every domain draws from a sequence of its own, so that one more leaves the others as they were. */
static uint64_t seed_of(const struct member *m)
{
    struct xm_rng rng;
    xm_rng_seed(&rng, m->host->scenario.seed, 'M' | (uint64_t)m->spec.domid << 8 | m->before << 32);
    return xm_rng_next(&rng);
}

/* Where its software's state goes; NULL: out of memory. */
static void *room_for(const struct member *m)
{
    static const size_t bytes[] = {[XM_ROLE_DRIVER] = 1,
                                   [XM_ROLE_WEB] = sizeof(struct xm_web),
                                   [XM_ROLE_HOG] = sizeof(struct xm_hog),
                                   [XM_ROLE_NAP] = sizeof(struct xm_hog),
                                   [XM_ROLE_READER] = sizeof(struct xm_reader)};
    return calloc(1, bytes[m->spec.role]);
}

/* Its software, before the domain is there. */
static void make_guest(struct member *m, struct xm_domain_config *config, uint64_t seed)
{
    struct xm_simhost *h = m->host;
    const struct xm_scenario_domain *spec = &m->spec;
    config->guest = m->guest;
    config->entry_ns = h->scenario.costs.server_entry;
    switch (spec->role) {
    case XM_ROLE_DRIVER:
        config->ops = &xm_driver_ops;
        config->guest = &h->driver;
        config->entry_ns = h->scenario.costs.driver_entry;
        break;
    case XM_ROLE_WEB:
        config->ops = &xm_web_ops;
        xm_web_init(m->guest, &h->driver.nic, &h->scenario.costs, seed);
        break;
    case XM_ROLE_READER:
        config->ops = &xm_reader_ops;
        xm_reader_init(m->guest, &h->driver.disk, spec->pause_ns, spec->work_ns, seed);
        break;
    case XM_ROLE_HOG:
    case XM_ROLE_NAP:
        config->ops = &xm_hog_ops;
        config->entry_ns = 0; /* nothing of it waits for an interrupt */
        xm_hog_init(m->guest, h->machine, spec->vcpus, spec->work_ns, spec->role == XM_ROLE_NAP ? spec->pause_ns : 0, seed);
        break;
    }
}

static void drop_guest(struct member *m)
{
    struct xm_web *web = m->guest;
    switch (m->spec.role) {
    case XM_ROLE_DRIVER:
        break;
    case XM_ROLE_WEB:
        m->served = web->netif.served;
        xm_driver_forget(&m->host->driver, &web->netif, NULL);
        xm_netif_remove(&web->netif);
        break;
    case XM_ROLE_READER:
        xm_driver_forget(&m->host->driver, NULL, m->guest);
        xm_reader_remove(m->guest);
        break;
    case XM_ROLE_HOG:
    case XM_ROLE_NAP:
        xm_hog_remove(m->guest);
        break;
    }
    free(m->guest);
    m->guest = NULL;
}

/* The domain is there, and is about to begin. */
static void start_guest(struct member *m, uint64_t seed)
{
    struct xm_simhost *h = m->host;
    struct xm_web *web = m->guest;
    struct xm_reader *reader = m->guest;
    struct xm_hog *hog = m->guest;
    switch (m->spec.role) {
    case XM_ROLE_DRIVER:
        xm_driver_init(&h->driver, h->machine, &h->scenario.costs, &m->domain->vcpu[0], seed);
        h->driver.nic.copies = h->scenario.copies;
        h->has_driver = true;
        break;
    case XM_ROLE_WEB:
        web->netif.domain = m->domain;
        xm_netif_rate(&web->netif, m->spec.rate);
        break;
    case XM_ROLE_READER:
        reader->domain = m->domain;
        xm_reader_start(reader);
        break;
    case XM_ROLE_HOG:
    case XM_ROLE_NAP:
        hog->domain = m->domain;
        break;
    }
}

static enum xm_status begin(struct member *m, bool before, struct xm_error *err)
{
    struct xm_simhost *h = m->host;
    struct xm_domain_config config = {.domid = m->spec.domid,
                                      .name = m->spec.name,
                                      .vcpus = m->spec.vcpus,
                                      .allowed = m->spec.allowed,
                                      .share = m->spec.share,
                                      .paused = true,
                                      .before = before};
    uint64_t seed = seed_of(m);
    if (!(m->guest = room_for(m)))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (!before)
        xm_machine_interrupt(h->machine, 0); /* the tools that create it run somewhere */
    make_guest(m, &config, seed);
    enum xm_status status = xm_machine_add(h->machine, &config, &m->domain, err);
    if (status != XM_OK) {
        m->domain = NULL;
        drop_guest(m);
        return status;
    }
    m->began_ns = xm_machine_now(h->machine);
    start_guest(m, seed);
    xm_machine_pause(h->machine, m->domain, false);
    return XM_OK;
}

/* ---- And go. */

static void forget(struct member *m)
{
    struct xm_simhost *h = m->host;
    struct member **link = &h->first;
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    if (h->last == &m->next)
        h->last = link;
    h->forgotten[m->spec.domid]++;
    free(m);
}

/* m is no more after that unless it was planned. */
static void end(struct member *m)
{
    struct xm_simhost *h = m->host;
    if (!m->domain)
        return;
    xm_alarm_cancel(xm_machine_engine(h->machine), &m->to);
    xm_machine_interrupt(h->machine, 0);
    xm_machine_remove(h->machine, m->domain);
    drop_guest(m);
    m->domain = NULL;
    m->ended_ns = xm_machine_now(h->machine);
    xm_machine_forget(h->machine, XM_SIMHOST_DEAD);
    if (!m->planned)
        forget(m);
}

static void from_rings(void *user)
{
    struct member *m = user;
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = begin(m, false, &err);
    if (status == XM_NOMEM) /* an id that somebody else has by now: there is no such domain, then */
        m->host->status = status;
}

static void to_rings(void *user)
{
    end(user);
}

/* ---- The host. */

static struct member *new_member(struct xm_simhost *h, const struct xm_scenario_domain *spec, bool planned)
{
    struct member *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->host = h;
    m->spec = *spec;
    m->planned = planned;
    m->before = h->forgotten[spec->domid];
    for (const struct member *other = h->first; other; other = other->next)
        m->before += other->spec.domid == spec->domid;
    xm_alarm_init(&m->from, XM_ALARM_DEVICE, from_rings, m);
    xm_alarm_init(&m->to, XM_ALARM_DEVICE, to_rings, m);
    *h->last = m;
    h->last = &m->next;
    return m;
}

static enum xm_status make_machine(struct xm_simhost *h, struct xm_error *err)
{
    const struct xm_scenario *s = &h->scenario;
    const struct xm_machine_config config = {.cpus = s->cpus,
                                             .hz = s->hz,
                                             .events = s->events,
                                             .switch_ns = s->switch_ns,
                                             .batch_transfers = s->batch_transfers,
                                             .sched = s->sched,
                                             .params = s->params,
                                             .sink = {put, h}};
    return xm_machine_create(&config, &h->machine, err);
}

/* Those that are there from the start, the driver domain before all that need it. */
static enum xm_status begin_all(struct xm_simhost *h, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    for (unsigned turn = 0; turn < 2; turn++)
        for (struct member *m = h->first; m && status == XM_OK; m = m->next)
            if (m->spec.from_ns == 0 && (m->spec.role != XM_ROLE_DRIVER) == turn)
                status = begin(m, true, err);
    return status;
}

/* Ends are set first, so that an id can be used again in the nanosecond in which it becomes free. */
static enum xm_status populate(struct xm_simhost *h, struct xm_error *err)
{
    struct xm_engine *engine = xm_machine_engine(h->machine);
    for (uint32_t i = 0; i < h->scenario.domains; i++)
        if (!new_member(h, &h->scenario.domain[i], true))
            return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    enum xm_status status = begin_all(h, err);
    for (struct member *m = h->first; m; m = m->next)
        if (m->spec.to_ns)
            xm_alarm_set(engine, &m->to, m->spec.to_ns);
    for (struct member *m = h->first; m; m = m->next)
        if (m->spec.from_ns)
            xm_alarm_set(engine, &m->from, m->spec.from_ns);
    return status;
}

enum xm_status xm_simhost_create(const struct xm_scenario *scenario, struct xm_simhost **host, struct xm_error *err)
{
    *host = NULL;
    enum xm_status status = xm_scenario_check(scenario, err);
    if (status != XM_OK)
        return status;
    struct xm_simhost *h = calloc(1, sizeof *h);
    if (!h)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    h->scenario = *scenario;
    h->last = &h->first;
    status = make_machine(h, err);
    if (status == XM_OK)
        status = make_buffers(h, err);
    if (status == XM_OK)
        status = populate(h, err);
    if (status != XM_OK) {
        xm_simhost_destroy(h);
        return status;
    }
    *host = h;
    return XM_OK;
}

void xm_simhost_destroy(struct xm_simhost *h)
{
    if (!h)
        return;
    xm_machine_destroy(h->machine);
    if (h->has_driver)
        xm_driver_fini(&h->driver);
    for (struct member *m = h->first, *next; m; m = next) {
        next = m->next;
        free(m->guest);
        free(m);
    }
    for (uint32_t cpu = 0; cpu < XM_SIM_CPUS; cpu++)
        free(h->buffer[cpu]);
    free(h);
}

enum xm_status xm_simhost_run(struct xm_simhost *h, uint64_t until_ns)
{
    enum xm_status status = xm_machine_run(h->machine, until_ns);
    return status == XM_OK ? h->status : status;
}

bool xm_simhost_end(struct xm_simhost *h)
{
    bool any = false;
    const xm_cycles now = xm_machine_end(h->machine);
    if ((h->scenario.events & XM_TRC_CONTINUE & 0x0fff0000u) == 0 || (h->scenario.events & XM_TRC_CONTINUE & 0xf000u) == 0)
        return false;
    for (uint32_t cpu = 0; cpu < h->scenario.cpus; cpu++) {
        const struct xm_sim_vcpu *v = xm_machine_current(h->machine, cpu);
        uint32_t domid = v ? v->domain->domid : XM_DOMID_IDLE, number = v ? v->number : cpu;
        struct xm_record record = {.event = XM_TRC_CONTINUE, .words = 1, .word = {number | domid << 16}, .has_tsc = true, .tsc = now};
        if (!h->ring[cpu].lost)
            continue;
        (void)xm_ring_put(&h->ring[cpu], &record, now, domid | number << 16);
        any = true;
    }
    return any;
}

struct xm_machine *xm_simhost_machine(struct xm_simhost *h)
{
    return h->machine;
}

/* ---- What others ask and change. */

const struct xm_scenario *xm_simhost_scenario(const struct xm_simhost *h)
{
    return &h->scenario;
}

static struct member *member_of(const struct xm_simhost *h, uint16_t domid)
{
    for (struct member *m = h->first; m; m = m->next)
        if (m->domain && m->spec.domid == domid)
            return m;
    return NULL;
}

static enum xm_status find(const struct xm_simhost *h, uint16_t domid, struct member **m, struct xm_error *err)
{
    *m = member_of(h, domid);
    return *m ? XM_OK : xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is no domain %u", domid);
}

struct xm_sim_domain *xm_simhost_domain(struct xm_simhost *h, uint16_t domid)
{
    const struct member *m = member_of(h, domid);
    return m ? m->domain : NULL;
}

const struct xm_scenario_domain *xm_simhost_spec(const struct xm_simhost *h, uint16_t domid)
{
    const struct member *m = member_of(h, domid);
    return m ? &m->spec : NULL;
}

const char *xm_simhost_name(const struct xm_simhost *h, uint16_t domid)
{
    const struct xm_sim_domain *last = NULL;
    for (const struct xm_sim_domain *d = xm_machine_domains(h->machine); d; d = d->next)
        if (d->domid == domid)
            last = d;
    return last ? last->name : NULL;
}

xm_cycles xm_simhost_ended(const struct xm_simhost *h, uint16_t domid)
{
    return member_of(h, domid) ? xm_cycles_of(0) : xm_machine_ended(h->machine, domid);
}

static struct xm_served served_of(const struct member *m)
{
    const struct xm_web *web = m->guest;
    return web && m->spec.role == XM_ROLE_WEB ? web->netif.served : m->served;
}

struct xm_served xm_simhost_served(const struct xm_simhost *h, uint16_t domid)
{
    const struct member *m = member_of(h, domid);
    return m ? served_of(m) : (struct xm_served){0};
}

struct xm_simhost_life xm_simhost_life(const struct xm_simhost *h, uint32_t index)
{
    const struct member *m = h->first;
    if (index >= h->scenario.domains)
        return (struct xm_simhost_life){0};
    while (index-- > 0)
        m = m->next;
    return (struct xm_simhost_life){(m->domain ? xm_machine_now(h->machine) : m->ended_ns) - m->began_ns, served_of(m)};
}

enum xm_status xm_simhost_rate(struct xm_simhost *h, uint16_t domid, double rate, struct xm_error *err)
{
    struct member *m;
    enum xm_status status = find(h, domid, &m, err);
    if (status != XM_OK)
        return status;
    if (m->spec.role != XM_ROLE_WEB)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "domain %u is no web server: it has no rate", domid);
    if (!(rate == 0 || (rate >= 1e-6 && rate <= 1e6)))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a rate from 0 to 1000000 is right");
    m->spec.rate = rate;
    xm_netif_rate(&((struct xm_web *)m->guest)->netif, rate);
    return XM_OK;
}

enum xm_status xm_simhost_share(struct xm_simhost *h, uint16_t domid, const struct xm_sched_share *share, struct xm_error *err)
{
    struct member *m;
    enum xm_status status = find(h, domid, &m, err);
    if (status != XM_OK)
        return status;
    struct xm_scenario_domain changed = m->spec;
    changed.share = *share;
    status = xm_scenario_domain_check(&h->scenario, &changed, err);
    if (status != XM_OK)
        return status;
    m->spec.share = *share;
    xm_machine_adjust(h->machine, m->domain, share);
    return XM_OK;
}

/* What the others that are there, or are still to come, leave no room for. */
static enum xm_status check_new(const struct xm_simhost *h, const struct xm_scenario_domain *d, struct xm_error *err)
{
    enum xm_status status = xm_scenario_domain_check(&h->scenario, d, err);
    if (status != XM_OK)
        return status;
    if (d->role == XM_ROLE_DRIVER && h->has_driver)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is a driver domain already");
    if ((d->role == XM_ROLE_WEB || d->role == XM_ROLE_READER) && !h->has_driver)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a domain with the role driver is needed for that");
    uint32_t alive = 0;
    for (const struct member *m = h->first; m; m = m->next) {
        alive += m->domain != NULL;
        if (m->domain && (m->spec.domid == d->domid || strcmp(m->spec.name, d->name) == 0))
            return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is a domain %s with the id %u already", m->spec.name,
                           m->spec.domid);
    }
    if (alive >= XM_SCENARIO_DOMAINS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%u domains at a time are the most", XM_SCENARIO_DOMAINS);
    return XM_OK;
}

enum xm_status xm_simhost_add(struct xm_simhost *h, const struct xm_scenario_domain *domain, struct xm_error *err)
{
    struct xm_scenario_domain spec = *domain;
    uint64_t now = xm_machine_now(h->machine);
    spec.from_ns = 0;
    if (spec.to_ns <= now)
        spec.to_ns = 0;
    enum xm_status status = check_new(h, &spec, err);
    if (status != XM_OK)
        return status;
    struct member *m = new_member(h, &spec, false);
    if (!m)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    status = begin(m, false, err);
    if (status != XM_OK)
        forget(m);
    else if (spec.to_ns)
        xm_alarm_set(xm_machine_engine(h->machine), &m->to, spec.to_ns);
    return status;
}

enum xm_status xm_simhost_remove(struct xm_simhost *h, uint16_t domid, struct xm_error *err)
{
    struct member *m;
    enum xm_status status = find(h, domid, &m, err);
    if (status != XM_OK)
        return status;
    if (m->spec.role == XM_ROLE_DRIVER)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "domain %u is the driver domain: it stays", domid);
    end(m);
    return XM_OK;
}
