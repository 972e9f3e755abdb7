/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "account/account_int.h"

#define MAX_ROWS (1u << 20)
#define IDS 65536u

static bool capacity_valid(struct xm_capacity c)
{
    return c.domains && c.vcpus && c.pcpus && c.domains <= MAX_ROWS && c.vcpus <= MAX_ROWS && c.pcpus <= MAX_ROWS;
}

static uint32_t hash_bits_for(uint32_t vcpus)
{
    uint32_t bits = 4;
    while ((UINT32_C(1) << bits) < 2 * vcpus)
        bits++;
    return bits;
}

size_t xm_account_bytes(struct xm_capacity c)
{
    return sizeof(struct xm_account) + RATE_SAMPLES * sizeof(struct rate_sample) +
           c.vcpus * (sizeof(struct vcpu) + XM_HISTS * XM_HIST_BUCKETS * sizeof(uint64_t)) +
           c.domains * sizeof(struct domain) + c.pcpus * sizeof(struct pcpu) +
           (size_t)c.domains * c.pcpus * sizeof(struct xm_pair_row) +
           (sizeof(struct slot_hash) << hash_bits_for(c.vcpus)) + IDS * (3 * sizeof(uint32_t) + 1 + sizeof(uint64_t));
}

static void hash_put(struct xm_account *a, uint32_t key, uint32_t slot)
{
    uint32_t mask = (UINT32_C(1) << a->hash_bits) - 1;
    uint32_t i = xm_hash_index(a, key);
    while (a->hash[i].slot)
        i = (i + 1) & mask;
    a->hash[i] = (struct slot_hash){key, slot + 1};
}

static uint32_t word_of(const struct vcpu *v)
{
    return xm_row_vcpu(v->row.id) | xm_row_domid(v->row.id) << 16;
}

/* Entries of ended domains go by building the table anew: ends are rare. */
static void hash_rebuild(struct xm_account *a)
{
    memset(a->hash, 0, sizeof *a->hash << a->hash_bits);
    for (uint32_t i = 0; i < a->used.vcpus; i++)
        if (a->vcpu[i].row.id && !a->domain[a->vcpu[i].domain].is_ended)
            hash_put(a, word_of(&a->vcpu[i]), i);
}

/* All memory there is, old contents kept.  On failure what was moved stays usable. */
static bool resize(void *array, size_t element, size_t was, size_t is)
{
    void **at = array;
    /* Fresh pages are zero already; touching them all would cost more than reading a short trace. */
    char *grown = *at ? realloc(*at, element * is) : calloc(is, element);
    if (!grown)
        return false;
    if (*at)
        memset(grown + element * was, 0, element * (is - was));
    *at = grown;
    return true;
}

static bool resize_pairs(struct xm_account *a, struct xm_capacity to)
{
    struct xm_pair_row *pair = calloc((size_t)to.domains * to.pcpus, sizeof *pair);
    if (!pair)
        return false;
    for (uint32_t d = 0; d < a->used.domains; d++)
        memcpy(pair + (size_t)d * to.pcpus, xm_pair(a, d, 0), a->used.pcpus * sizeof *pair);
    free(a->pair);
    a->pair = pair;
    return true;
}

enum xm_status xm_account_grow(struct xm_account *a, struct xm_capacity to)
{
    struct xm_capacity was = a->capacity;
    to.domains = to.domains > was.domains ? to.domains : was.domains;
    to.vcpus = to.vcpus > was.vcpus ? to.vcpus : was.vcpus;
    to.pcpus = to.pcpus > was.pcpus ? to.pcpus : was.pcpus;
    if (!capacity_valid(to))
        return XM_LIMIT;
    uint32_t bits = hash_bits_for(to.vcpus);
    /* Arrays that are larger than the capacity says do no harm, so a failure half way leaves all in order. */
    if (!resize(&a->vcpu, sizeof *a->vcpu, was.vcpus, to.vcpus) ||
        !resize(&a->hist, sizeof *a->hist * XM_HISTS * XM_HIST_BUCKETS, was.vcpus, to.vcpus) ||
        !resize(&a->domain, sizeof *a->domain, was.domains, to.domains) ||
        !resize(&a->pcpu, sizeof *a->pcpu, was.pcpus, to.pcpus))
        return XM_NOMEM;
    if (bits != a->hash_bits) {
        struct slot_hash *hash = realloc(a->hash, sizeof *hash << bits);
        if (!hash)
            return XM_NOMEM;
        a->hash = hash;
        a->hash_bits = bits;
        hash_rebuild(a);
    }
    if (!resize_pairs(a, to))
        return XM_NOMEM;
    a->capacity = to;
    a->want = to;
    return XM_OK;
}

struct xm_account *xm_account_create(struct xm_capacity capacity)
{
    struct xm_account *a = capacity_valid(capacity) ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->rate_stride = 1;
    a->sorted = calloc(RATE_SAMPLES, sizeof *a->sorted);
    a->domain_slot = calloc(IDS, sizeof *a->domain_slot);
    a->instances = calloc(IDS, sizeof *a->instances);
    a->rem_due = calloc(IDS, sizeof *a->rem_due);
    a->reaped = calloc(IDS, sizeof *a->reaped);
    a->pcpu_slot = calloc(IDS, sizeof *a->pcpu_slot);
    if (a->sorted && a->domain_slot && a->instances && a->rem_due && a->reaped && a->pcpu_slot &&
        xm_account_grow(a, capacity) == XM_OK)
        return a;
    xm_account_destroy(a);
    return NULL;
}

void xm_account_destroy(struct xm_account *a)
{
    if (!a)
        return;
    free(a->vcpu);
    free(a->domain);
    free(a->pcpu);
    free(a->pair);
    free(a->hist);
    free(a->hash);
    free(a->sorted);
    free(a->domain_slot);
    free(a->instances);
    free(a->rem_due);
    free(a->reaped);
    free(a->pcpu_slot);
    free(a);
}

struct xm_capacity xm_account_capacity(const struct xm_account *a)
{
    return a->capacity;
}

void xm_account_refuse(struct xm_account *a, bool refuse)
{
    a->refuse = refuse;
}

bool xm_table_full(const struct xm_account *a)
{
    return a->want.domains > a->capacity.domains || a->want.vcpus > a->capacity.vcpus ||
           a->want.pcpus > a->capacity.pcpus;
}

static uint32_t full(struct xm_account *a, uint32_t *want)
{
    if (a->refuse)
        a->refused++;
    else
        ++*want;
    return NOBODY;
}

uint32_t xm_new_pcpu(struct xm_account *a, uint32_t cpu)
{
    if (a->used.pcpus == a->capacity.pcpus)
        return full(a, &a->want.pcpus);
    uint32_t slot = a->used.pcpus++;
    a->pcpu_slot[cpu] = slot + 1;
    /* It was there all along; who was on it will be learned from its first record. */
    uint64_t upto = a->from == FROM_SWITCH && a->forgotten > a->start ? a->forgotten : a->start;
    a->pcpu[slot] = (struct pcpu){.row = {.id = cpu | XM_ROW_USED}, .settled = a->start, .learn_from = upto,
                                  .learnable = true, .occupant = OCC_UNKNOWN, .vcpu = NOBODY};
    return slot;
}

static uint32_t new_domain(struct xm_account *a, uint32_t domid, uint64_t created)
{
    /* A full table is not searched: a trace may ask for every one of its records. */
    if (a->rows.domains == a->capacity.domains)
        return full(a, &a->want.domains);
    uint32_t slot = a->rows.domains == a->used.domains ? a->used.domains : 0;
    while (slot < a->used.domains && a->domain[slot].row.id)
        slot++;
    if (slot == a->used.domains)
        a->used.domains++;
    a->rows.domains++;
    uint64_t instance = a->instances[domid]++ & 0x7fffffffu;
    a->domain[slot] = (struct domain){.row = {.id = instance << 32 | domid | XM_ROW_USED, .slice_min = UINT64_MAX},
                                      .created = created, .any_settled = created};
    memset(xm_pair(a, slot, 0), 0, a->capacity.pcpus * sizeof *a->pair);
    a->domain_slot[domid] = slot + 1;
    return slot;
}

static bool domid_possible(struct xm_account *a, uint32_t domid)
{
    if (domid < XM_DOMID_FIRST_RESERVED)
        return true;
    a->anomaly[XM_ANOMALY_RESERVED]++;
    return false;
}

uint32_t xm_find_domain(struct xm_account *a, uint32_t domid)
{
    if (domid >= IDS || !domid_possible(a, domid))
        return NOBODY;
    if (a->domain_slot[domid])
        return a->domain_slot[domid] - 1;
    return new_domain(a, domid, 0);
}

/*
 * Until when nothing can be known of a domain's vCPU that has no row yet: records of it may have been lost
 * or dropped; or its id was another's, whose row is gone, and its own beginning was not seen.  0: law 3 holds.
 */
static uint64_t untold_upto(const struct xm_account *a, const struct domain *d)
{
    uint64_t reaped = d->created ? 0 : a->reaped[xm_row_domid(d->row.id)];
    uint64_t upto = a->gap_closed;
    if (a->from == FROM_SWITCH && a->forgotten > upto)
        upto = a->forgotten;
    return reaped > upto ? reaped : upto;
}

uint32_t xm_new_vcpu(struct xm_account *a, uint32_t word)
{
    uint32_t domid = word >> 16;
    uint32_t number = word & 0xffffu;
    if (!domid_possible(a, domid))
        return NOBODY;
    if (number >= XM_MAX_VCPU_NUMBER) {
        a->anomaly[XM_ANOMALY_RESERVED]++;
        return NOBODY;
    }
    if (a->rows.vcpus == a->capacity.vcpus)
        return full(a, &a->want.vcpus);
    uint32_t d = a->domain_slot[domid];
    if (d == 0)
        d = new_domain(a, domid, 0);
    else if (a->domain[d - 1].is_ended)
        d = new_domain(a, domid, a->domain[d - 1].ended); /* its creation was not seen */
    else
        d--;
    if (d == NOBODY)
        return NOBODY;
    uint32_t slot = a->rows.vcpus == a->used.vcpus ? a->used.vcpus : 0;
    while (slot < a->used.vcpus && a->vcpu[slot].row.id)
        slot++;
    if (slot == a->used.vcpus)
        a->used.vcpus++;
    a->rows.vcpus++;
    uint64_t upto = untold_upto(a, &a->domain[d]);
    uint64_t born = a->domain[d].created > a->start ? a->domain[d].created : a->start;
    struct vcpu *v = &a->vcpu[slot];
    *v = (struct vcpu){.row = {.id = (a->domain[d].row.id & ~UINT64_C(0xffff0000)) | (uint64_t)number << 16,
                               .offline = born - a->start, .slice_min = UINT64_MAX},
                       .settled = born, .since = born, .learn_from = born, .domain = d, .on = NOBODY,
                       .last_on = NOBODY, .state = STATE_UNKNOWN, .unknown = NOT_YET, .assumed = STATE_UNKNOWN};
    if (a->gaps_open)
        v->unknown = IN_GAP;
    else if (upto > born) {
        v->unknown = AFTER_GAP;
        v->learn_from = upto;
    }
    a->domain[d].row.vcpus++;
    hash_put(a, word, slot);
    return slot;
}

static void end_domain(struct xm_account *a, uint32_t slot, uint64_t now)
{
    struct domain *d = &a->domain[slot];
    for (uint32_t i = 0; i < a->used.vcpus; i++)
        if (a->vcpu[i].row.id && a->vcpu[i].domain == slot)
            xm_vcpu_end(a, &a->vcpu[i], now);
    d->is_ended = true;
    d->ended = now;
    d->row.ended = 1;
    hash_rebuild(a);
}

bool xm_domain_added(struct xm_account *a, uint32_t domid, uint64_t now, bool by_scheduler)
{
    if (domid >= IDS || domid == XM_DOMID_IDLE || !domid_possible(a, domid))
        return true;
    uint32_t slot = a->domain_slot[domid];
    bool alive = slot && !a->domain[slot - 1].is_ended;
    /* SCHED_DOM_ADD follows DOM0_DOM_ADD, and before Xen 4.7 there was one for every vCPU. */
    if (alive && by_scheduler)
        return true;
    /* Room first: nothing may have changed when the same event comes again after growth. */
    uint32_t made = new_domain(a, domid, now);
    if (made == NOBODY)
        return !xm_table_full(a);
    xm_switch_forget(a);
    if (alive) {
        a->anomaly[XM_ANOMALY_REUSED]++;
        end_domain(a, slot - 1, now);
        a->domain_slot[domid] = made + 1;
    }
    return true;
}

void xm_domain_removed(struct xm_account *a, uint32_t domid, uint64_t now, bool by_scheduler)
{
    if (domid >= IDS)
        return;
    /* SCHED_DOM_REM comes late, possibly when the id is in use again: each end is owed one. */
    if (by_scheduler && a->rem_due[domid]) {
        a->rem_due[domid]--;
        return;
    }
    xm_switch_forget(a); /* also where it has no row: they may be all that names it */
    uint32_t slot = a->domain_slot[domid];
    if (!slot || a->domain[slot - 1].is_ended)
        return;
    a->ends++;
    end_domain(a, slot - 1, now);
    if (!by_scheduler && a->rem_due[domid] < UINT8_MAX)
        a->rem_due[domid]++;
}

/* Histograms of free slots are all zero. */
static void free_vcpu(struct xm_account *a, uint32_t slot)
{
    a->vcpu[slot].row.id = 0;
    a->rows.vcpus--;
    memset(xm_hist(a, slot, 0), 0, XM_HISTS * XM_HIST_BUCKETS * sizeof *a->hist);
}

void xm_account_reap(struct xm_account *a, xm_cycles before)
{
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        struct vcpu *v = &a->vcpu[i];
        if (v->row.id && a->domain[v->domain].is_ended && a->domain[v->domain].ended < before.v)
            free_vcpu(a, i);
    }
    for (uint32_t i = 0; i < a->used.domains; i++) {
        struct domain *d = &a->domain[i];
        if (!d->row.id || !d->is_ended || d->ended >= before.v)
            continue;
        uint32_t domid = xm_row_domid(d->row.id);
        if (a->domain_slot[domid] == i + 1)
            a->domain_slot[domid] = 0;
        if (d->ended > a->reaped[domid])
            a->reaped[domid] = d->ended;
        d->row.id = 0;
        a->rows.domains--;
    }
    while (a->used.vcpus && !a->vcpu[a->used.vcpus - 1].row.id)
        a->used.vcpus--;
    while (a->used.domains && !a->domain[a->used.domains - 1].row.id)
        a->used.domains--;
}

struct xm_account_domain xm_account_domain(const struct xm_account *a, uint32_t slot)
{
    struct xm_account_domain facts = {0};
    if (slot < a->used.domains && a->domain[slot].row.id) {
        const struct domain *d = &a->domain[slot];
        facts = (struct xm_account_domain){d->row.id, {d->created}, {d->ended}};
    }
    return facts;
}

uint64_t xm_account_ends(const struct xm_account *a)
{
    return a->ends;
}

const uint64_t *xm_account_histogram(const struct xm_account *a, uint32_t vcpu_slot, enum xm_hist_kind kind)
{
    return &a->hist[((size_t)vcpu_slot * XM_HISTS + kind) * XM_HIST_BUCKETS];
}
