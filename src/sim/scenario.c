/* SPDX-License-Identifier: MIT */
/* What a scenario may say, and whether it can be. */
#include "sim/scenario.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/scenario_int.h"
#include "sim/value.h"

#define MS UINT64_C(1000000)
#define DAY_NS (86400 * XM_NS_PER_S)
#define EVENTS 0x00169000u /* what xenbaked asks Xen for */
#define NO_DOMID 65535u

/* As messages have them. */
_Static_assert(XM_DOMID_FIRST_RESERVED == 32752 && XM_SIM_VCPUS == 128, "numbers in words");

static const char *const roles[] = {"driver", "web", "hog", "nap", "reader", NULL};
static const char *const networks[] = {"flip", "copy", NULL};

#define ROLE(role) (1u << XM_ROLE_##role)
#define SHARE(member) DOMAIN(share.member)
#define DOMAIN(member) offsetof(struct xm_scenario_domain, member), sizeof(((struct xm_scenario_domain *)0)->member)
#define HOST(member) offsetof(struct xm_scenario, member), sizeof(((struct xm_scenario *)0)->member)

static const struct xm_scenario_key host_keys[] = {
    {"cpus", XM_KEY_COUNT, HOST(cpus), 1, XM_SIM_CPUS, 0},
    {"hz", XM_KEY_HZ, HOST(hz), 1000000, UINT64_C(1) << 40, 0},
    {"seed", XM_KEY_COUNT, HOST(seed), 0, UINT64_MAX, 0},
    {"duration", XM_KEY_TIME, HOST(duration_ns), MS, 7 * DAY_NS, 0},
    {"scheduler", XM_KEY_SCHED, offsetof(struct xm_scenario, sched), sizeof(void *), 0, 0, 0},
    {"slice", XM_KEY_TIME, HOST(params.slice_ns), 100000, 10 * XM_NS_PER_S, 0},
    {"ratelimit", XM_KEY_TIME, HOST(params.ratelimit_ns), 0, 500 * MS, 0},
    {"ctx_allow", XM_KEY_TIME, HOST(params.ctx_allow_ns), 10000, 10 * XM_NS_PER_S, 0},
    {"mcu", XM_KEY_TIME, HOST(params.mcu_ns), 1, 10 * XM_NS_PER_S, 0},
    {"fix_slip", XM_KEY_SWITCH, HOST(params.fix_slip), 0, 0, 0},
    {"pages", XM_KEY_COUNT, HOST(pages), 1, 4096, 0},
    {"events", XM_KEY_COUNT, HOST(events), 1, 0x0fffffff, 0},
    {"switch", XM_KEY_TIME, HOST(switch_ns), 0, MS, 0},
    {"poll", XM_KEY_TIME, HOST(poll_ns), 100000, 60 * XM_NS_PER_S, 0},
    {"batch_transfers", XM_KEY_SWITCH, HOST(batch_transfers), 0, 0, 0},
    {"network", XM_KEY_NETWORK, HOST(copies), 0, 0, 0},
    {NULL, 0, 0, 0, 0, 0, 0},
};

static const struct xm_scenario_key domain_keys[] = {
    {"id", XM_KEY_COUNT, DOMAIN(domid), 0, XM_DOMID_FIRST_RESERVED - 1, 0},
    {"role", XM_KEY_ROLE, DOMAIN(role), 0, 0, 0},
    {"vcpus", XM_KEY_COUNT, DOMAIN(vcpus), 1, XM_SIM_VCPUS, 0},
    {"cpus", XM_KEY_CPUS, DOMAIN(allowed), 0, 0, 0},
    {"weight", XM_KEY_COUNT, SHARE(weight), 1, 65535, 0},
    {"cap", XM_KEY_COUNT, SHARE(cap), 0, 100 * XM_SIM_VCPUS, 0},
    {"mcu_advance", XM_KEY_COUNT, SHARE(mcu_advance), 1, 1000, 0},
    {"period", XM_KEY_TIME, SHARE(period_ns), 100000, 4 * XM_NS_PER_S, 0},
    {"slice", XM_KEY_TIME, SHARE(slice_ns), 0, 4 * XM_NS_PER_S, 0},
    {"extratime", XM_KEY_SWITCH, SHARE(extratime), 0, 0, 0},
    {"rate", XM_KEY_REAL, DOMAIN(rate), 0, 1000000, ROLE(WEB)},
    {"work", XM_KEY_TIME, DOMAIN(work_ns), 10000, 10 * XM_NS_PER_S, ROLE(HOG) | ROLE(NAP) | ROLE(READER)},
    {"pause", XM_KEY_TIME, DOMAIN(pause_ns), 10000, 3600 * XM_NS_PER_S, ROLE(NAP) | ROLE(READER)},
    {"from", XM_KEY_TIME, DOMAIN(from_ns), 0, 7 * DAY_NS, 0},
    {"to", XM_KEY_TIME, DOMAIN(to_ns), 0, 7 * DAY_NS, 0},
    {NULL, 0, 0, 0, 0, 0, 0},
};

const struct xm_scenario_key *xm_scenario_host_key(const char *name)
{
    const struct xm_scenario_key *key = host_keys;
    while (key->name && strcmp(key->name, name) != 0)
        key++;
    return key->name ? key : NULL;
}

const struct xm_scenario_key *xm_scenario_domain_key(const char *name)
{
    const struct xm_scenario_key *key = domain_keys;
    while (key->name && strcmp(key->name, name) != 0)
        key++;
    return key->name ? key : NULL;
}

static uint32_t key_bit(const struct xm_scenario_key *key)
{
    return key->roles ? UINT32_C(1) << (key - domain_keys) : 0;
}

_Static_assert(sizeof domain_keys / sizeof domain_keys[0] <= 32, "a bit for each");

const struct xm_scenario_key *xm_scenario_useless_key(const struct xm_scenario_domain *d)
{
    for (const struct xm_scenario_key *key = domain_keys; key->name; key++)
        if ((d->given & key_bit(key)) && !(key->roles >> d->role & 1))
            return key;
    return NULL;
}

static struct xm_scenario_key cost_key(const struct xm_cost_name *cost)
{
    return (struct xm_scenario_key){cost->name, strcmp(cost->unit, "ns") == 0 ? XM_KEY_TIME : XM_KEY_COUNT, cost->offset,
                                    sizeof(uint64_t), cost->least, cost->most, 0};
}

unsigned xm_scenario_key_number(const struct xm_scenario_key *key)
{
    return (unsigned)(key - (key >= host_keys && key < host_keys + sizeof host_keys / sizeof host_keys[0] ? host_keys : domain_keys));
}

const char *xm_sim_role_name(enum xm_sim_role role)
{
    return roles[role];
}

/* ---- Values. */

static bool word_of(const char *const *words, const char *text, uint64_t *value)
{
    for (uint64_t i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *value = i;
            return true;
        }
    return false;
}

/* What is stored as a whole number. */
static bool read_whole(const struct xm_scenario_key *key, const char *text, uint64_t *value)
{
    bool on;
    switch (key->kind) {
    case XM_KEY_COUNT:
        return xm_value_count(text, value);
    case XM_KEY_TIME:
        return xm_value_time(text, value);
    case XM_KEY_HZ:
        return xm_value_hz(text, value);
    case XM_KEY_SWITCH:
        if (!xm_value_switch(text, &on))
            return false;
        *value = on;
        return true;
    case XM_KEY_CPUS:
        return xm_value_cpus(text, value);
    case XM_KEY_ROLE:
        return word_of(roles, text, value);
    case XM_KEY_NETWORK:
        return word_of(networks, text, value);
    default:
        return false;
    }
}

static void store(void *where, size_t size, uint64_t value)
{
    const uint8_t byte = (uint8_t)value;
    const uint16_t half = (uint16_t)value;
    const uint32_t word = (uint32_t)value;
    memcpy(where, size == 1 ? (const void *)&byte : size == 2 ? (const void *)&half : size == 4 ? (const void *)&word : &value, size);
}

static bool set(const struct xm_scenario_key *key, const char *text, void *where)
{
    uint64_t value;
    if (key->kind == XM_KEY_REAL) {
        double real;
        if (!xm_value_real(text, &real) || real > (double)key->most)
            return false;
        memcpy(where, &real, sizeof real);
        return true;
    }
    if (key->kind == XM_KEY_SCHED) {
        const struct xm_sched_ops *sched = xm_sched_named(text);
        if (sched)
            memcpy(where, &sched, sizeof(void *));
        return sched != NULL;
    }
    if (!read_whole(key, text, &value) || (key->most && (value < key->least || value > key->most)))
        return false;
    store(where, key->size, value);
    return true;
}

static void join(const char *const *words, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (; *words && at < size; words++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", at ? ", " : "", *words);
}

/* What would be right. */
static void right(const struct xm_scenario_key *key, char *text, size_t size)
{
    char least[32], most[32];
    switch (key->kind) {
    case XM_KEY_TIME:
        xm_value_time_text(key->least, least, sizeof least);
        xm_value_time_text(key->most, most, sizeof most);
        snprintf(text, size, "a time from %s to %s, with its unit (ns, us, ms, s, m)", least, most);
        break;
    case XM_KEY_HZ:
        snprintf(text, size, "a rate from 1MHz to 1099GHz, such as 2.8GHz");
        break;
    case XM_KEY_SWITCH:
        snprintf(text, size, "yes or no");
        break;
    case XM_KEY_CPUS:
        snprintf(text, size, "all, or a list of pCPUs such as 0-3,7 (at most 63)");
        break;
    case XM_KEY_ROLE:
        join(roles, text, size);
        break;
    case XM_KEY_NETWORK:
        join(networks, text, size);
        break;
    case XM_KEY_SCHED:
        snprintf(text, size, "%s", xm_sched_names());
        break;
    case XM_KEY_REAL:
        snprintf(text, size, "a number from 0 to %" PRIu64, key->most);
        break;
    default:
        snprintf(text, size, "a whole number from %" PRIu64 " to %" PRIu64, key->least, key->most);
    }
}

static enum xm_status store_value(const struct xm_scenario_key *key, const char *value, void *base, struct xm_error *err)
{
    char what[120], shown[44];
    if (set(key, value, (char *)base + key->offset))
        return XM_OK;
    right(key, what, sizeof what);
    return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: %s is right, not '%s'", key->name, what, xm_value_shown(value, shown));
}

/* ---- Defaults. */

void xm_scenario_init(struct xm_scenario *s)
{
    const struct xm_sched_ops *sched = xm_sched_named("credit2");
    *s = (struct xm_scenario){.cpus = 1,
                              .hz = UINT64_C(2000000000),
                              .seed = 1,
                              .sched = sched ? sched : xm_sched_named("bvt"),
                              .params = {.ratelimit_ns = XM_SCHED_OWN},
                              .costs = xm_costs_default(),
                              .pages = 32,
                              .events = EVENTS,
                              .switch_ns = 500,
                              .poll_ns = 100 * MS};
}

void xm_scenario_domain_init(struct xm_scenario_domain *d, const char *name)
{
    *d = (struct xm_scenario_domain){.domid = NO_DOMID,
                                     .role = XM_ROLE_HOG,
                                     .vcpus = 1,
                                     .share = {.mcu_advance = 10, .weight = 256, .extratime = true},
                                     .work_ns = MS,
                                     .pause_ns = 5 * MS};
    snprintf(d->name, sizeof d->name, "%s", name);
}

bool xm_scenario_is_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
    return length > 0 && length < sizeof(((struct xm_scenario_domain *)0)->name) && !name[length];
}

static void names_of(const struct xm_scenario_key *keys, char *text, size_t size)
{
    const char *names[XM_SCENARIO_KEYS] = {NULL};
    for (unsigned i = 0; keys[i].name && i + 1 < XM_SCENARIO_KEYS; i++)
        names[i] = keys[i].name;
    join(names, text, size);
}

enum xm_status xm_scenario_domain_set(struct xm_scenario_domain *domain, const char *name, const char *value,
                                      struct xm_error *err)
{
    char shown[44], names[200];
    const struct xm_scenario_key *key = xm_scenario_domain_key(name);
    if (key) {
        enum xm_status status = store_value(key, value, domain, err);
        domain->given |= status == XM_OK ? key_bit(key) : 0;
        return status;
    }
    names_of(domain_keys, names, sizeof names);
    return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a domain has no '%s'; it has %s", xm_value_shown(name, shown), names);
}

enum xm_status xm_scenario_host_set(struct xm_scenario *s, const char *name, const char *value, struct xm_error *err)
{
    char shown[44], names[200];
    const struct xm_scenario_key *key = xm_scenario_host_key(name);
    if (key)
        return store_value(key, value, s, err);
    names_of(host_keys, names, sizeof names);
    return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a host has no '%s'; it has %s", xm_value_shown(name, shown), names);
}

enum xm_status xm_scenario_cost_set(struct xm_scenario *s, const char *name, const char *value, struct xm_error *err)
{
    char shown[44];
    const struct xm_cost_name *cost = xm_cost_named(name);
    if (!cost)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is no cost '%s'; xenmon-scenario(5) lists them",
                       xm_value_shown(name, shown));
    const struct xm_scenario_key key = cost_key(cost);
    return store_value(&key, value, &s->costs, err);
}

static struct xm_scenario_domain *domain_of(struct xm_scenario *s, const char *name)
{
    for (uint32_t i = 0; i < s->domains; i++)
        if (strcmp(s->domain[i].name, name) == 0)
            return &s->domain[i];
    return NULL;
}

static enum xm_status set_in(struct xm_scenario *s, const char *section, const char *name, const char *value, struct xm_error *err)
{
    char shown[44];
    if (strcmp(section, "host") == 0)
        return xm_scenario_host_set(s, name, value, err);
    if (strcmp(section, "costs") == 0)
        return xm_scenario_cost_set(s, name, value, err);
    struct xm_scenario_domain *domain = domain_of(s, section);
    if (!domain)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is no domain of that name, and no other section but host and costs, "
                       "'%s'", xm_value_shown(section, shown));
    return xm_scenario_domain_set(domain, name, value, err);
}

enum xm_status xm_scenario_set(struct xm_scenario *s, const char *assignment, struct xm_error *err)
{
    struct xm_error own;
    char text[256], shown[44];
    int n = snprintf(text, sizeof text, "%s", assignment);
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    char *name = value ? strrchr(text, '.') : NULL; /* names of domains may have dots */
    if (n < 0 || (size_t)n >= sizeof text || !name)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "SECTION.NAME=VALUE is right, such as host.seed=2, not '%s'",
                       xm_value_shown(assignment, shown));
    *name++ = '\0';
    xm_error_clear(&own);
    enum xm_status status = set_in(s, text, name, value, &own);
    return status == XM_OK ? XM_OK : xm_fail(err, status, XM_NO_OFFSET, "%s: %s", xm_value_shown(assignment, shown), own.text);
}

/* ---- What goes together. */

static enum xm_status wrong(const struct xm_scenario_domain *d, struct xm_error *err, const char *format, ...) XM_PRINTF(3, 4);

static enum xm_status wrong(const struct xm_scenario_domain *d, struct xm_error *err, const char *format, ...)
{
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "[domain %s] %s", d->name, text);
}

/* How long a period is where none is given, as to what fits into it. */
#define PERIOD_NS (100 * MS)

static bool wants_work(enum xm_sim_role role)
{
    return role == XM_ROLE_HOG || role == XM_ROLE_NAP || role == XM_ROLE_READER;
}

enum xm_status xm_scenario_domain_check(const struct xm_scenario *s, const struct xm_scenario_domain *d, struct xm_error *err)
{
    const uint64_t every = s->cpus < 64 ? (UINT64_C(1) << s->cpus) - 1 : UINT64_MAX;
    const struct {
        bool is;
        const char *text;
    } bad[] = {
        {d->domid == NO_DOMID, "id: it needs one, a number below 32752"},
        {d->domid >= XM_DOMID_FIRST_RESERVED, "id: numbers from 32752 on are reserved"},
        {d->vcpus < 1 || d->vcpus > XM_SIM_VCPUS, "vcpus: 1 to 128 are right"},
        {d->allowed && !(d->allowed & every), "cpus: the host has none of these"},
        {d->share.mcu_advance < 1 || d->share.weight < 1, "weight and mcu_advance: 1 at least"},
        {d->share.cap > 100 * d->vcpus, "cap: 100 for each vCPU at most"},
        {d->share.slice_ns > (d->share.period_ns ? d->share.period_ns : PERIOD_NS), "slice: it is longer than the period (100ms if none is given)"},
        {d->to_ns && d->to_ns <= d->from_ns, "to: it would end before it begins"},
        {d->role == XM_ROLE_DRIVER && (d->from_ns || d->to_ns), "from and to: the driver domain is always there"},
        {!(d->rate >= 0 && d->rate <= 1e6), "rate: 0 to 1000000 are right"},
        {wants_work(d->role) && d->work_ns == 0, "work: it needs some"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (bad[i].is)
            return wrong(d, err, "%s", bad[i].text);
    const struct xm_scenario_key *useless = xm_scenario_useless_key(d);
    return useless ? wrong(d, err, "%s: it is not for the role %s", useless->name, xm_sim_role_name(d->role)) : XM_OK;
}

/* Whether the two are there at the same time. */
static bool meet(const struct xm_scenario_domain *a, const struct xm_scenario_domain *b)
{
    return (!a->to_ns || b->from_ns < a->to_ns) && (!b->to_ns || a->from_ns < b->to_ns);
}

static enum xm_status check_others(const struct xm_scenario *s, uint32_t at, struct xm_error *err)
{
    const struct xm_scenario_domain *d = &s->domain[at];
    for (uint32_t i = 0; i < at; i++) {
        const struct xm_scenario_domain *other = &s->domain[i];
        if (other->domid == d->domid && meet(other, d))
            return wrong(d, err, "id: domain %s has %u at the same time", other->name, d->domid);
        if (other->role == XM_ROLE_DRIVER && d->role == XM_ROLE_DRIVER)
            return wrong(d, err, "role: one driver domain is enough, and %s is it", other->name);
    }
    return XM_OK;
}

enum xm_status xm_scenario_check(const struct xm_scenario *s, struct xm_error *err)
{
    bool driver = false;
    if (!(s->events & 0x0fff0000u) || !(s->events & 0x0000f000u))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "[host] events: 0x%08x lets nothing through: a class and a subclass are "
                       "needed, as in 0x%08x", s->events, EVENTS);
    for (uint32_t i = 0; i < s->domains; i++)
        driver |= s->domain[i].role == XM_ROLE_DRIVER;
    for (uint32_t i = 0; i < s->domains; i++) {
        const struct xm_scenario_domain *d = &s->domain[i];
        enum xm_status status = xm_scenario_domain_check(s, d, err);
        if (status == XM_OK)
            status = check_others(s, i, err);
        if (status == XM_OK && !driver && (d->role == XM_ROLE_WEB || d->role == XM_ROLE_READER))
            status = wrong(d, err, "role: a domain with the role driver is needed for that");
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}
