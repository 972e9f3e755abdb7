/* SPDX-License-Identifier: MIT */
#include "export/mirror_read.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#define MOST_ROWS  (1u << 20) /* as the region's own reader believes */
#define MOST_SLOTS (UINT64_C(1) << 24)
#define MOST_INDEX (UINT64_C(1) << 62)

/* ---- Bytes.  A reader that has run out stays so, and hands out zeros. */

struct reader {
    const unsigned char *data;
    size_t at, bytes;
    bool short_of;
};

static const unsigned char *take(struct reader *r, size_t bytes)
{
    if (r->bytes - r->at < bytes)
        r->short_of = true;
    if (r->short_of)
        return NULL;
    const unsigned char *at = r->data + r->at;
    r->at += bytes;
    return at;
}

static uint16_t get_u16(struct reader *r)
{
    uint16_t v = 0;
    const unsigned char *at = take(r, sizeof v);
    if (at)
        memcpy(&v, at, sizeof v);
    return le16toh(v);
}

static uint32_t get_u32(struct reader *r)
{
    uint32_t v = 0;
    const unsigned char *at = take(r, sizeof v);
    if (at)
        memcpy(&v, at, sizeof v);
    return le32toh(v);
}

static uint64_t get_u64(struct reader *r)
{
    uint64_t v = 0;
    const unsigned char *at = take(r, sizeof v);
    if (at)
        memcpy(&v, at, sizeof v);
    return le64toh(v);
}

/* Terminated, whatever came. */
static void get_text(struct reader *r, char *text, size_t bytes)
{
    const unsigned char *at = take(r, bytes);
    memset(text, 0, bytes);
    if (at)
        memcpy(text, at, bytes - 1);
}

static enum xm_status damaged(const struct reader *r, struct xm_error *err, const char *what)
{
    return xm_fail(err, XM_DAMAGED, r->at, "%s at byte %zu of the answer",
                   r->short_of ? "it ends too early" : what, r->at);
}

/* ---- The head. */

static bool is_possible(const struct xm_mirror_head *head, uint32_t state)
{
    bool good = state <= XM_WRITER_SUPERSEDED && head->lineage_id && head->creation_id;
    for (unsigned s = 0; s < XM_SERIES_COUNT; s++)
        good = good && (head->newest[s] == UINT64_MAX || head->newest[s] < MOST_INDEX);
    return good;
}

static enum xm_status get_head(struct reader *r, enum xm_mirror_kind kind, struct xm_mirror_head *head,
                               struct xm_error *err)
{
    const unsigned char *magic = take(r, 8);
    if (!magic || memcmp(magic, XM_MIRROR_MAGIC, 8) != 0)
        return xm_fail(err, XM_DAMAGED, 0, "it is no description of a region");
    uint32_t version = get_u32(r);
    if (version != XM_MIRROR_VERSION && !r->short_of)
        return xm_fail(err, XM_UNSUPPORTED, 8,
                       "it is of version %" PRIu32 ", and this program knows version %u", version,
                       XM_MIRROR_VERSION);
    uint32_t is = get_u32(r);
    uint64_t bytes = get_u64(r);
    head->schema = get_u64(r);
    head->creation_id = get_u64(r);
    head->lineage_id = get_u64(r);
    uint32_t state = get_u32(r);
    head->gone = get_u32(r) != 0;
    head->silent_ns = get_u64(r);
    for (unsigned s = 0; s < XM_SERIES_COUNT; s++)
        head->newest[s] = get_u64(r);
    head->writer_pid = get_u32(r);
    (void)get_u32(r);
    if (r->short_of || is != (uint32_t)kind || bytes != r->bytes)
        return damaged(r, err, is != (uint32_t)kind ? "it is an answer to something else" : "a wrong length");
    bool good = is_possible(head, state);
    head->state = good ? (enum xm_writer_state)state : XM_WRITER_STARTING;
    return good ? XM_OK : damaged(r, err, "a state that there is not");
}

/* ---- The description. */

static const struct xm_metric *known_metric(enum xm_scope scope, const char *name)
{
    size_t count;
    const struct xm_metric *metric = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (metric[i].scope == scope && strcmp(metric[i].name, name) == 0)
            return &metric[i];
    return NULL;
}

/* A metric that is not known here, or has another width, is stepped over. */
static void add_field(struct xm_mirror_rows *rows, const struct xm_metric *metric, unsigned values,
                      unsigned bytes)
{
    if (metric && metric->bytes == bytes && rows->fields < XM_MIRROR_FIELDS)
        rows->field[rows->fields++] = (struct xm_mirror_field){
            .from = rows->bytes,
            .to = metric->offset,
            .values = values < metric->count ? (uint16_t)values : metric->count,
            .bytes = (uint16_t)bytes,
        };
    rows->bytes += values * bytes;
}

static bool get_metric(struct reader *r, struct xm_mirror_region *region)
{
    char name[32];
    const unsigned char *words = take(r, 4);
    unsigned values = get_u16(r);
    unsigned bytes = get_u16(r);
    get_text(r, name, sizeof name);
    if (r->short_of || words[0] >= XM_SCOPES || values == 0 || values > 64 || (bytes != 4 && bytes != 8))
        return false;
    enum xm_scope scope = (enum xm_scope)words[0];
    const struct xm_metric *metric = known_metric(scope, name);
    if (words[3] & XM_MIRROR_IN_FAST)
        add_field(&region->rows[XM_SERIES_FAST][scope], metric, values, bytes);
    if (words[3] & XM_MIRROR_IN_SLOW)
        add_field(&region->rows[XM_SERIES_SLOW][scope], metric, values, bytes);
    return true;
}

static void get_info(struct reader *r, const struct xm_mirror_head *head, struct xm_region_info *info)
{
    uint32_t source = get_u32(r);
    info->source = source <= XM_SOURCE_PIPE ? (enum xm_source_kind)source : XM_SOURCE_LIVE;
    info->creation_id = head->creation_id;
    info->lineage_id = head->lineage_id;
    info->writer_pid = head->writer_pid;
    info->state = head->state;
    info->io_seen = get_u32(r);
    info->version = get_u32(r);
    (void)get_u32(r); /* buckets: said again where histograms are */
    info->tsc_hz = get_u64(r);
    info->events = get_u64(r);
    info->buffer_bytes = get_u64(r);
    info->host_cpus = get_u64(r);
    info->capacity.domains = get_u32(r);
    info->capacity.vcpus = get_u32(r);
    info->capacity.pcpus = get_u32(r);
    (void)get_u32(r);
    for (unsigned s = 0; s < XM_SERIES_COUNT; s++) {
        info->series[s].interval_ns = get_u64(r);
        uint64_t slots = get_u64(r);
        info->series[s].slots = slots <= MOST_SLOTS ? (uint32_t)slots : 0;
        info->series[s].newest = head->newest[s];
    }
    for (unsigned i = 0; i < XM_MIRROR_WORDS; i++) {
        uint64_t records = get_u64(r);
        if (i < sizeof info->classes / sizeof info->classes[0])
            info->classes[i] = records;
    }
    for (unsigned i = 0; i < XM_MIRROR_WORDS; i++)
        info->anomaly[i] = get_u64(r);
    get_text(r, info->tsc_hz_from, sizeof info->tsc_hz_from);
    get_text(r, info->states_from, sizeof info->states_from);
    get_text(r, info->source_name, sizeof info->source_name);
    get_text(r, info->hypervisor, sizeof info->hypervisor);
    get_text(r, info->scheduler, sizeof info->scheduler);
}

static bool is_capacity(uint32_t rows)
{
    return rows >= 1 && rows <= MOST_ROWS;
}

static bool info_is_possible(const struct xm_region_info *info)
{
    bool good = is_capacity(info->capacity.domains) && is_capacity(info->capacity.vcpus) &&
                is_capacity(info->capacity.pcpus) && info->tsc_hz <= UINT64_C(1) << 40;
    for (unsigned s = 0; s < XM_SERIES_COUNT; s++)
        good = good && info->series[s].slots >= 2 && info->series[s].interval_ns >= 1000000 &&
               info->series[s].interval_ns <= 3600 * XM_NS_PER_S;
    return good;
}

void xm_mirror_domain(const struct xm_mirror_region *region, uint32_t i, uint32_t *slot,
                      struct xm_region_domain *domain)
{
    struct reader r = {.data = region->facts + (size_t)i * XM_MIRROR_DOMAIN_BYTES,
                       .bytes = XM_MIRROR_DOMAIN_BYTES};
    *slot = get_u32(&r);
    (void)get_u32(&r);
    domain->id = get_u64(&r);
    domain->created_tsc = get_u64(&r);
    domain->ended_tsc = get_u64(&r);
    get_text(&r, domain->name, sizeof domain->name);
    get_text(&r, domain->uuid, sizeof domain->uuid);
}

static bool has_metrics(const struct xm_mirror_region *region)
{
    for (unsigned s = 0; s < XM_SERIES_COUNT; s++)
        if (region->rows[s][XM_SCOPE_HOST].bytes == 0 || region->rows[s][XM_SCOPE_DOMAIN].bytes == 0)
            return false;
    return true;
}

static bool slots_are_possible(const struct xm_mirror_region *region)
{
    for (uint32_t i = 0; i < region->domains; i++) {
        struct xm_region_domain domain;
        uint32_t slot;
        xm_mirror_domain(region, i, &slot, &domain);
        if (slot >= region->info.capacity.domains)
            return false;
    }
    return true;
}

enum xm_status xm_mirror_read_region(const void *data, size_t bytes, struct xm_mirror_region *region,
                                     struct xm_error *err)
{
    struct reader r = {.data = data, .bytes = bytes};
    memset(region, 0, sizeof *region);
    enum xm_status status = get_head(&r, XM_MIRROR_REGION, &region->head, err);
    if (status != XM_OK)
        return status;
    get_info(&r, &region->head, &region->info);
    uint32_t metrics = get_u32(&r);
    region->domains = get_u32(&r);
    if (r.short_of || !info_is_possible(&region->info))
        return damaged(&r, err, "a capacity or an interval that cannot be");
    if (metrics > XM_MIRROR_MOST_METRICS)
        return damaged(&r, err, "too many metrics");
    for (uint32_t i = 0; i < metrics; i++)
        if (!get_metric(&r, region))
            return damaged(&r, err, "a metric that cannot be");
    if (!has_metrics(region))
        return damaged(&r, err, "no metrics of the host or its domains");
    region->facts = r.data + r.at;
    if (region->domains > region->info.capacity.domains ||
        r.bytes - r.at != (size_t)region->domains * XM_MIRROR_DOMAIN_BYTES)
        return damaged(&r, err, "a wrong number of domains");
    return slots_are_possible(region) ? XM_OK : damaged(&r, err, "a domain beyond the capacity");
}

/* ---- Walks. */

static enum xm_status begin(const void *data, size_t bytes, const struct xm_mirror_region *region,
                            enum xm_mirror_kind kind, struct reader *r, struct xm_mirror_walk *walk,
                            struct xm_error *err)
{
    *r = (struct reader){.data = data, .bytes = bytes};
    *walk = (struct xm_mirror_walk){.region = region, .data = data, .bytes = bytes, .index = UINT64_MAX};
    enum xm_status status = get_head(r, kind, &walk->head, err);
    if (status != XM_OK)
        return status;
    bool same =
        walk->head.schema == region->head.schema && walk->head.creation_id == region->head.creation_id;
    return same ? XM_OK : XM_AGAIN;
}

enum xm_status xm_mirror_samples(const void *data, size_t bytes, const struct xm_mirror_region *region,
                                 enum xm_series series, struct xm_mirror_walk *walk, struct xm_error *err)
{
    struct reader r;
    enum xm_status status = begin(data, bytes, region, XM_MIRROR_SAMPLES, &r, walk, err);
    if (status != XM_OK)
        return status;
    uint32_t is = get_u32(&r);
    walk->left = get_u32(&r);
    walk->series = series;
    walk->at = r.at;
    if (r.short_of || is != (uint32_t)series)
        return damaged(&r, err, "it is of another series");
    return XM_OK;
}

static void get_row(struct reader *r, const struct xm_mirror_rows *rows, void *to)
{
    const unsigned char *from = take(r, rows->bytes);
    for (uint32_t i = 0; from && i < rows->fields; i++) {
        const struct xm_mirror_field *f = &rows->field[i];
        const unsigned char *value = from + f->from;
        unsigned char *into = (unsigned char *)to + f->to;
        for (unsigned k = 0; k < f->values; k++, value += f->bytes, into += f->bytes) {
            uint64_t wide;
            uint32_t narrow;
            if (f->bytes == 8) {
                memcpy(&wide, value, sizeof wide);
                wide = le64toh(wide);
                memcpy(into, &wide, sizeof wide);
            } else {
                memcpy(&narrow, value, sizeof narrow);
                narrow = le32toh(narrow);
                memcpy(into, &narrow, sizeof narrow);
            }
        }
    }
}

static bool get_pairs(struct reader *r, const struct xm_mirror_rows *rows, uint32_t count,
                      struct xm_sample *sample)
{
    for (uint32_t i = 0; i < count && !r->short_of; i++) {
        uint32_t domain = get_u32(r);
        uint32_t pcpu = get_u32(r);
        if (domain >= sample->used.domains || pcpu >= sample->used.pcpus)
            return false;
        get_row(r, rows, &sample->pair[(size_t)domain * sample->capacity.pcpus + pcpu]);
    }
    return true;
}

static enum xm_status get_sample(struct reader *r, const struct xm_mirror_rows *rows,
                                 struct xm_sample *sample, struct xm_error *err)
{
    struct xm_capacity room = sample->capacity;
    struct xm_capacity used;
    used.domains = get_u32(r);
    used.vcpus = get_u32(r);
    used.pcpus = get_u32(r);
    uint32_t pairs = get_u32(r);
    if (r->short_of || used.domains > room.domains || used.vcpus > room.vcpus || used.pcpus > room.pcpus)
        return damaged(r, err, "more rows than the region has");
    xm_sample_clear(sample);
    sample->used = used;
    get_row(r, &rows[XM_SCOPE_HOST], &sample->host);
    for (uint32_t i = 0; i < used.domains && !r->short_of; i++)
        get_row(r, &rows[XM_SCOPE_DOMAIN], &sample->domain[i]);
    for (uint32_t i = 0; i < used.vcpus && !r->short_of; i++) {
        sample->vcpu_domain[i] = get_u32(r);
        if (sample->vcpu_domain[i] >= room.domains)
            return damaged(r, err, "a vCPU of a domain beyond the capacity");
        get_row(r, &rows[XM_SCOPE_VCPU], &sample->vcpu[i]);
    }
    for (uint32_t i = 0; i < used.pcpus && !r->short_of; i++)
        get_row(r, &rows[XM_SCOPE_PCPU], &sample->pcpu[i]);
    if (!get_pairs(r, &rows[XM_SCOPE_PAIR], pairs, sample))
        return damaged(r, err, "a pair of rows that are not there");
    return r->short_of ? damaged(r, err, "") : XM_OK;
}

static enum xm_status end_of(const struct reader *r, struct xm_error *err)
{
    return r->at == r->bytes ? XM_END : damaged(r, err, "something after its end");
}

enum xm_status xm_mirror_next_sample(struct xm_mirror_walk *walk, struct xm_sample *sample, uint64_t *index,
                                     struct xm_error *err)
{
    struct reader r = {.data = walk->data, .at = walk->at, .bytes = walk->bytes};
    if (walk->left == 0)
        return end_of(&r, err);
    *index = get_u64(&r);
    if (r.short_of || *index >= MOST_INDEX || (walk->index != UINT64_MAX && *index != walk->index + 1))
        return damaged(&r, err, "a sample out of its order");
    enum xm_status status = get_sample(&r, walk->region->rows[walk->series], sample, err);
    walk->index = *index;
    walk->left--;
    walk->at = r.at;
    return status;
}

enum xm_status xm_mirror_histograms(const void *data, size_t bytes, const struct xm_mirror_region *region,
                                    struct xm_mirror_walk *walk, struct xm_error *err)
{
    struct reader r;
    enum xm_status status = begin(data, bytes, region, XM_MIRROR_HISTOGRAMS, &r, walk, err);
    if (status != XM_OK)
        return status;
    uint32_t buckets = get_u32(&r);
    walk->left = get_u32(&r);
    walk->next = get_u32(&r);
    (void)get_u32(&r);
    walk->at = r.at;
    if (r.short_of || walk->next >= region->info.capacity.vcpus)
        return damaged(&r, err, "a slot beyond the capacity");
    if (buckets != XM_HIST_BUCKETS)
        return xm_fail(err, XM_UNSUPPORTED, r.at,
                       "its histograms have %" PRIu32 " buckets, and those of this program %u", buckets,
                       XM_HIST_BUCKETS);
    return XM_OK;
}

enum xm_status xm_mirror_next_histogram(struct xm_mirror_walk *walk, uint32_t *slot, uint64_t *id,
                                        uint64_t counts[XM_HISTS][XM_HIST_BUCKETS], struct xm_error *err)
{
    struct reader r = {.data = walk->data, .at = walk->at, .bytes = walk->bytes};
    if (walk->left == 0)
        return end_of(&r, err);
    *slot = get_u32(&r);
    (void)get_u32(&r);
    *id = get_u64(&r);
    if (r.short_of || *slot >= walk->region->info.capacity.vcpus)
        return damaged(&r, err, "a vCPU beyond the capacity");
    for (unsigned k = 0; k < XM_HISTS; k++) {
        uint32_t n = get_u32(&r);
        memset(counts[k], 0, XM_HIST_BUCKETS * sizeof counts[k][0]);
        for (uint32_t i = 0; i < n && !r.short_of; i++) {
            uint32_t bucket = get_u32(&r);
            uint64_t count = get_u64(&r);
            if (bucket >= XM_HIST_BUCKETS)
                return damaged(&r, err, "a bucket that there is not");
            counts[k][bucket] = count;
        }
    }
    walk->left--;
    walk->at = r.at;
    return r.short_of ? damaged(&r, err, "") : XM_OK;
}
