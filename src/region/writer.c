/* SPDX-License-Identifier: MIT */
#include "region/writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "account/account.h"
#include "base/clock.h"
#include "region/place.h"
#include "region/process.h"
#include "region/text.h"
#include "region/words.h"
#include "xenmon/trace.h"

#define AT(member) offsetof(struct xm_layout_header, member)

/* A region as its writer has it. */
struct mapping {
    int fd;
    void *base;
    struct xm_region_plan plan;
};

struct xm_writer {
    char *path; /* owned */
    struct xm_region_settings settings;
    int lock;
    struct mapping map;
    uint64_t next[XM_SERIES_COUNT];
};

static unsigned char *byte_at(const struct mapping *m, uint64_t offset)
{
    return (unsigned char *)m->base + offset;
}

static _Atomic uint64_t *word_at(const struct mapping *m, uint64_t offset)
{
    return xm_word(m->base, offset);
}

static uint64_t slot_at(const struct xm_plan_ring *ring, uint64_t index)
{
    return ring->offset + index % ring->slots * ring->stride;
}

static uint64_t element_at(const struct mapping *m, enum xm_section section, uint64_t index)
{
    const struct xm_layout_section *s = &m->plan.section[section];
    return s->offset + s->stride * index;
}

/* ---- Publishing. */

static void store_rows(const struct mapping *m, uint64_t at, const struct xm_rows *rows, const void *from,
                       size_t row_bytes, uint64_t count)
{
    const unsigned char *row = from;
    uint64_t to = at + rows->offset;
    for (uint64_t i = 0; i < count; i++, row += row_bytes, to += rows->stride)
        for (unsigned k = 0; k < rows->runs; k++)
            xm_words_store(word_at(m, to + rows->run[k].row), row + rows->run[k].member, rows->run[k].bytes);
}

static void store_sample(const struct mapping *m, const struct xm_plan_ring *ring, uint64_t at,
                         uint64_t index, const struct xm_sample *s)
{
    const struct xm_rows *rows = ring->rows;
    const uint64_t head[] = {index, s->used.domains, s->used.vcpus, s->used.pcpus};
    xm_words_store(word_at(m, at + offsetof(struct xm_layout_slot, index)), head, sizeof head);
    store_rows(m, at, &rows[XM_SCOPE_HOST], &s->host, sizeof s->host, 1);
    store_rows(m, at, &rows[XM_SCOPE_VCPU], s->vcpu, sizeof *s->vcpu, s->used.vcpus);
    xm_words_store(word_at(m, at + ring->vcpu_domain), s->vcpu_domain,
                   s->used.vcpus * sizeof *s->vcpu_domain);
    store_rows(m, at, &rows[XM_SCOPE_DOMAIN], s->domain, sizeof *s->domain, s->used.domains);
    store_rows(m, at, &rows[XM_SCOPE_PCPU], s->pcpu, sizeof *s->pcpu, s->used.pcpus);
    const struct xm_rows *pairs = &rows[XM_SCOPE_PAIR];
    for (uint64_t d = 0; pairs->count && d < s->used.domains; d++)
        store_rows(m, at + d * m->plan.capacity.pcpus * pairs->stride, pairs, s->pair + d * s->capacity.pcpus,
                   sizeof *s->pair, s->used.pcpus);
}

enum xm_status xm_writer_publish(struct xm_writer *writer, enum xm_series series,
                                 const struct xm_sample *sample)
{
    const struct mapping *m = &writer->map;
    const struct xm_plan_ring *ring = &m->plan.ring[series];
    struct xm_capacity room = m->plan.capacity;
    if (sample->used.domains > room.domains || sample->used.vcpus > room.vcpus ||
        sample->used.pcpus > room.pcpus)
        return XM_LIMIT;
    uint64_t index = writer->next[series]++;
    uint64_t at = slot_at(ring, index);
    _Atomic uint64_t *seq = word_at(m, at + offsetof(struct xm_layout_slot, seq));
    xm_seq_begin(seq, 2 * index + 1);
    store_sample(m, ring, at, index, sample);
    xm_seq_end(seq, 2 * index + 2);
    /* Partner: the fence in xm_region_live(); who sees the index finds the slot complete, or overwritten. */
    atomic_store_explicit(word_at(m, AT(newest) + 8 * (uint64_t)series), index, memory_order_release);
    return XM_OK;
}

/* The sequence of an element that only we write: the even value before, whatever a reader sees. */
static uint64_t own_seq(const _Atomic uint64_t *seq)
{
    return atomic_load_explicit(seq, memory_order_relaxed); /* our own last store */
}

enum xm_status xm_writer_histograms(struct xm_writer *writer, uint32_t slot, uint64_t id,
                                    const uint64_t *const counts[XM_HISTS])
{
    const struct mapping *m = &writer->map;
    const size_t bytes = XM_HIST_BUCKETS * sizeof counts[0][0];
    if (slot >= m->plan.capacity.vcpus)
        return XM_LIMIT;
    uint64_t at = element_at(m, XM_SECTION_HISTOGRAMS, slot);
    _Atomic uint64_t *seq = word_at(m, at);
    uint64_t even = own_seq(seq);
    xm_seq_begin(seq, even + 1);
    xm_words_store(word_at(m, at + offsetof(struct xm_layout_histogram, id)), &id, sizeof id);
    for (unsigned k = 0; k < XM_HISTS && id; k++)
        xm_words_store(word_at(m, at + offsetof(struct xm_layout_histogram, counts) + k * bytes), counts[k],
                       bytes);
    xm_seq_end(seq, even + 2);
    return XM_OK;
}

enum xm_status xm_writer_domain(struct xm_writer *writer, uint32_t slot,
                                const struct xm_region_domain *domain)
{
    const struct mapping *m = &writer->map;
    struct xm_layout_domain d = {
        .id = domain->id, .created_tsc = domain->created_tsc, .ended_tsc = domain->ended_tsc};
    if (slot >= m->plan.capacity.domains)
        return XM_LIMIT;
    xm_text_clean(d.name, sizeof d.name, domain->name, sizeof domain->name);
    xm_text_clean(d.uuid, sizeof d.uuid, domain->uuid, sizeof domain->uuid);
    uint64_t at = element_at(m, XM_SECTION_DOMAINS, slot);
    _Atomic uint64_t *seq = word_at(m, at);
    uint64_t even = own_seq(seq);
    xm_seq_begin(seq, even + 1);
    xm_words_store(word_at(m, at + offsetof(struct xm_layout_domain, id)), &d.id,
                   sizeof d - offsetof(struct xm_layout_domain, id));
    xm_seq_end(seq, even + 2);
    return XM_OK;
}

static void clean(char *to, size_t size, const char *from)
{
    xm_text_clean(to, size, from ? from : "", from ? strlen(from) : 0);
}

void xm_writer_facts(struct xm_writer *writer, const struct xm_writer_facts *facts)
{
    const struct mapping *m = &writer->map;
    struct xm_layout_header h = {.tsc_hz = facts->tsc_hz,
                                 .io_seen = facts->io_seen,
                                 .events = facts->events,
                                 .buffer_bytes = facts->buffer_bytes,
                                 .host_cpus = facts->host_cpus};
    clean(h.tsc_hz_from, sizeof h.tsc_hz_from, facts->tsc_hz_from);
    clean(h.states_from, sizeof h.states_from, facts->states_from);
    clean(h.hypervisor, sizeof h.hypervisor, facts->hypervisor);
    clean(h.scheduler, sizeof h.scheduler, facts->scheduler);
    if (facts->classes)
        memcpy(h.records, facts->classes, XM_CLASSES * sizeof h.records[0]);
    if (facts->anomaly)
        memcpy(h.anomaly, facts->anomaly, XM_ANOMALIES * sizeof h.anomaly[0]);
    _Atomic uint64_t *seq = word_at(m, AT(facts_seq));
    uint64_t even = own_seq(seq);
    xm_seq_begin(seq, even + 1);
    /* All but the source and its name, which never change. */
    xm_words_store(word_at(m, AT(tsc_hz)), &h.tsc_hz, AT(source_name) - AT(tsc_hz));
    xm_words_store(word_at(m, AT(records)), h.records, AT(reserved) - AT(records));
    xm_seq_end(seq, even + 2);
}

void xm_writer_heartbeat(struct xm_writer *writer, uint64_t now_ns)
{
    /* A word by itself: nothing is ordered by it. */
    atomic_store_explicit(word_at(&writer->map, AT(heartbeat_ns)), now_ns, memory_order_relaxed);
}

static void set_state(const struct mapping *m, enum xm_writer_state state)
{
    /* Partner: the fence in xm_region_live(): who sees ENDED sees the last sample as the newest. */
    atomic_store_explicit(word_at(m, AT(state)), (uint64_t)state, memory_order_release);
}

void xm_writer_state(struct xm_writer *writer, enum xm_writer_state state)
{
    set_state(&writer->map, state);
}

/* ---- Making a region. */

static void unmap(struct mapping *m)
{
    munmap(m->base, m->plan.bytes);
    close(m->fd);
}

static uint64_t random_id(void)
{
    uint64_t id = 0;
    while (id == 0)
        if (getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id)
            id = xm_clock_ns() * 2654435761u + (uint64_t)getpid();
    return id;
}

static uint64_t realtime_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* A described region in a file without its final name; nobody reads it yet. */
static enum xm_status prepare(const char *path, const struct xm_region_settings *settings, struct mapping *m,
                              struct xm_error *err)
{
    enum xm_status status = xm_region_plan(settings, &m->plan, err);
    if (status == XM_OK)
        status = xm_place_create(path, m->plan.bytes, &m->fd, &m->base, err);
    if (status != XM_OK)
        return status;
    xm_plan_describe(&m->plan, m->base);
    struct xm_layout_header *h = m->base;
    h->creation_id = random_id();
    h->lineage_id = h->creation_id;
    h->writer_pid = (uint64_t)getpid();
    h->writer_start = xm_process_start((uint64_t)getpid());
    h->created_ns = realtime_ns();
    h->heartbeat_ns = xm_clock_ns();
    return XM_OK;
}

static enum xm_status open_region(struct xm_writer *w, const struct xm_writer_config *config,
                                  struct xm_error *err)
{
    enum xm_status status = xm_place_directory(w->path, err);
    if (status == XM_OK)
        status = xm_place_replaces(w->path, err);
    if (status == XM_OK)
        status = xm_place_lock(w->path, &w->lock, err);
    if (status == XM_OK)
        status = prepare(w->path, &w->settings, &w->map, err);
    if (status != XM_OK)
        return status;
    struct xm_layout_header *h = w->map.base;
    h->state = XM_WRITER_STARTING;
    h->source = config->source;
    if (config->lineage_id)
        h->lineage_id = config->lineage_id;
    memcpy(h->first, config->first, sizeof h->first);
    memcpy(w->next, config->first, sizeof w->next);
    clean(h->source_name, sizeof h->source_name, config->source_name);
    status = xm_place_publish(w->path, err);
    if (status != XM_OK)
        unmap(&w->map);
    return status;
}

enum xm_status xm_writer_create(const struct xm_writer_config *config, struct xm_writer **writer,
                                struct xm_error *err)
{
    *writer = NULL;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "a region is little-endian, and this machine is not");
    struct xm_writer *w = calloc(1, sizeof *w);
    if (!w)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    w->lock = -1;
    w->settings = config->settings;
    w->path = strdup(config->path);
    enum xm_status status =
        w->path ? open_region(w, config, err) : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status != XM_OK) {
        if (w->lock >= 0)
            xm_place_unlock(w->path, w->lock);
        free(w->path);
        free(w);
        return status;
    }
    *writer = w;
    return XM_OK;
}

void xm_writer_close(struct xm_writer *writer, bool remove)
{
    if (!writer)
        return;
    set_state(&writer->map, XM_WRITER_ENDED);
    if (remove)
        xm_place_remove(writer->path, writer->map.fd);
    unmap(&writer->map);
    xm_place_unlock(writer->path, writer->lock);
    free(writer->path);
    free(writer);
}

const struct xm_region_plan *xm_writer_plan(const struct xm_writer *writer)
{
    return &writer->map.plan;
}

uint64_t xm_writer_next(const struct xm_writer *writer, enum xm_series series)
{
    return writer->next[series];
}

const void *xm_writer_memory(const struct xm_writer *writer, uint64_t *bytes)
{
    *bytes = writer->map.plan.bytes;
    return writer->map.base;
}

/* ---- Growing.  The old region is only read, the new one is still ours alone: plain copies do. */

static void carry_slot(const struct mapping *from, const struct mapping *to, enum xm_series series,
                       uint64_t index)
{
    const struct xm_plan_ring *old = &from->plan.ring[series];
    const struct xm_plan_ring *ring = &to->plan.ring[series];
    const unsigned char *src = byte_at(from, slot_at(old, index));
    unsigned char *dst = byte_at(to, slot_at(ring, index));
    struct xm_layout_slot head;
    memcpy(&head, src, sizeof head);
    memcpy(dst, src, sizeof head);
    const uint64_t rows[XM_SCOPES] = {[XM_SCOPE_HOST] = 1,
                                      [XM_SCOPE_VCPU] = head.used_vcpus,
                                      [XM_SCOPE_DOMAIN] = head.used_domains,
                                      [XM_SCOPE_PCPU] = head.used_pcpus};
    for (enum xm_scope scope = 0; scope < XM_SCOPES; scope++)
        memcpy(dst + ring->rows[scope].offset, src + old->rows[scope].offset,
               rows[scope] * ring->rows[scope].stride);
    memcpy(dst + ring->vcpu_domain, src + old->vcpu_domain, 4 * head.used_vcpus);
    uint64_t stride = ring->rows[XM_SCOPE_PAIR].stride;
    for (uint64_t d = 0; stride && d < head.used_domains; d++)
        memcpy(dst + ring->rows[XM_SCOPE_PAIR].offset + d * to->plan.capacity.pcpus * stride,
               src + old->rows[XM_SCOPE_PAIR].offset + d * from->plan.capacity.pcpus * stride,
               head.used_pcpus * stride);
}

static void carry_series(const struct mapping *from, const struct mapping *to, enum xm_series series,
                         uint64_t next)
{
    struct xm_layout_header *h = to->base;
    const struct xm_layout_header *old = from->base;
    uint64_t slots = to->plan.ring[series].slots;
    if (from->plan.ring[series].slots < slots)
        slots = from->plan.ring[series].slots;
    uint64_t low = next > slots ? next - slots : 0;
    if (low < old->first[series])
        low = old->first[series];
    for (uint64_t index = low; index < next; index++)
        carry_slot(from, to, series, index);
    h->first[series] = low;
    h->newest[series] = old->newest[series];
}

static void carry(const struct xm_writer *w, const struct mapping *to)
{
    const struct mapping *from = &w->map;
    struct xm_layout_header *h = to->base;
    const struct xm_layout_header *old = from->base;
    h->lineage_id = old->lineage_id;
    h->state = old->state;
    h->heartbeat_ns = old->heartbeat_ns;
    memcpy(&h->facts_seq, &old->facts_seq, AT(reserved) - AT(facts_seq));
    for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++)
        carry_series(from, to, s, w->next[s]);
    const enum xm_section arrays[] = {XM_SECTION_DOMAINS, XM_SECTION_HISTOGRAMS};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memcpy(byte_at(to, element_at(to, arrays[i], 0)), byte_at(from, element_at(from, arrays[i], 0)),
               from->plan.section[arrays[i]].count * from->plan.section[arrays[i]].stride);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

enum xm_status xm_writer_grow(struct xm_writer *writer, struct xm_capacity capacity, struct xm_error *err)
{
    struct xm_region_settings settings = writer->settings;
    struct xm_capacity have = writer->map.plan.capacity;
    struct mapping grown;
    settings.capacity =
        (struct xm_capacity){larger(capacity.domains, have.domains), larger(capacity.vcpus, have.vcpus),
                             larger(capacity.pcpus, have.pcpus)};
    enum xm_status status = prepare(writer->path, &settings, &grown, err);
    if (status != XM_OK)
        return status;
    carry(writer, &grown);
    status = xm_place_publish(writer->path, err);
    if (status != XM_OK) {
        unmap(&grown);
        return status;
    }
    /* Only now: a reader that sees the mark finds the new region under the name. */
    set_state(&writer->map, XM_WRITER_SUPERSEDED);
    unmap(&writer->map);
    writer->map = grown;
    writer->settings = settings;
    return XM_OK;
}
