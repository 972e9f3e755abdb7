/* SPDX-License-Identifier: MIT */
#include "export/mirror.h"

#include <endian.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#ifdef XM_HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/clock.h"
#include "export/mirror_format.h"
#include "xenmon/region.h"

#define BUDGET_BYTES (UINT32_C(1) << 20) /* of an answer, before it is packed */
#define TRIES        3
#define LEVEL        1

/* Handlers are called by several threads, and a region's handle is for one: they take turns. */
struct xm_mirror {
    const char *path;
    pthread_mutex_t lock;
    struct xm_region *region; /* NULL: not open */
    struct xm_region_info info;
    bool gone;
    struct xm_sample sample; /* of the capacity of `info` */
    uint64_t schema;
    unsigned char *data; /* the answer in the making */
    size_t used, size;
    bool full; /* no memory for it */
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
#ifdef XM_HAVE_ZSTD
    ZSTD_CCtx *packer;
    unsigned char *packed;
    size_t packed_size;
#endif
};

/* ---- Bytes. */

static unsigned char *room(struct xm_mirror *m, size_t bytes)
{
    if (!m->full && m->size - m->used < bytes) {
        size_t size = m->size ? m->size : 65536;
        while (size - m->used < bytes)
            size *= 2;
        unsigned char *data = realloc(m->data, size);
        m->full = !data;
        if (data) {
            m->data = data;
            m->size = size;
        }
    }
    if (m->full)
        return NULL;
    unsigned char *at = m->data + m->used;
    m->used += bytes;
    return at;
}

static void put_bytes(struct xm_mirror *m, const void *from, size_t bytes)
{
    unsigned char *at = room(m, bytes);
    if (at)
        memcpy(at, from, bytes);
}

static void put_u16(struct xm_mirror *m, unsigned value)
{
    uint16_t v = htole16((uint16_t)value);
    put_bytes(m, &v, sizeof v);
}

static void put_u32(struct xm_mirror *m, uint32_t value)
{
    uint32_t v = htole32(value);
    put_bytes(m, &v, sizeof v);
}

static void put_u64(struct xm_mirror *m, uint64_t value)
{
    uint64_t v = htole64(value);
    put_bytes(m, &v, sizeof v);
}

static void put_text(struct xm_mirror *m, const char *text, size_t bytes)
{
    unsigned char *at = room(m, bytes);
    size_t length = strnlen(text, bytes);
    if (!at)
        return;
    memcpy(at, text, length);
    memset(at + length, 0, bytes - length);
}

/* ---- The head. */

static uint64_t silent_ns(const struct xm_region_info *info)
{
    uint64_t now_ns = xm_clock_ns();
    return now_ns > info->heartbeat_ns ? now_ns - info->heartbeat_ns : 0;
}

static void put_head(struct xm_mirror *m, enum xm_mirror_kind kind)
{
    m->used = 0;
    m->full = false;
    put_bytes(m, XM_MIRROR_MAGIC, 8);
    put_u32(m, XM_MIRROR_VERSION);
    put_u32(m, kind);
    put_u64(m, 0); /* the length, once it is known */
    put_u64(m, m->schema);
    put_u64(m, m->info.creation_id);
    put_u64(m, m->info.lineage_id);
    put_u32(m, m->info.state);
    put_u32(m, m->gone);
    put_u64(m, silent_ns(&m->info));
    put_u64(m, m->info.series[XM_SERIES_FAST].newest);
    put_u64(m, m->info.series[XM_SERIES_SLOW].newest);
    put_u32(m, m->info.writer_pid);
    put_u32(m, 0);
}

/* ---- The description. */

static unsigned in_series(const struct xm_metric *metric)
{
    return (metric->count == 1 ? XM_MIRROR_IN_FAST : 0) | (metric->slow ? XM_MIRROR_IN_SLOW : 0);
}

static void put_metrics(struct xm_mirror *m)
{
    size_t count;
    const struct xm_metric *metric = xm_metrics(&count);
    for (size_t i = 0; i < count; i++, metric++) {
        const unsigned char words[] = {(unsigned char)metric->scope, (unsigned char)metric->kind,
                                       (unsigned char)metric->unit, (unsigned char)in_series(metric)};
        put_bytes(m, words, sizeof words);
        put_u16(m, metric->count);
        put_u16(m, metric->bytes);
        put_text(m, metric->name, 32);
    }
}

/* FNV-1a of the description. */
static void learn_schema(struct xm_mirror *m)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    m->used = 0;
    put_metrics(m);
    for (size_t i = 0; i < m->used; i++)
        hash = (hash ^ m->data[i]) * UINT64_C(0x100000001b3);
    m->schema = hash;
}

static uint32_t put_domains(struct xm_mirror *m)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < m->info.capacity.domains; slot++) {
        struct xm_region_domain domain;
        if (xm_region_domain(m->region, slot, &domain) != XM_REGION_OK || domain.id == 0)
            continue;
        put_u32(m, slot);
        put_u32(m, 0);
        put_u64(m, domain.id);
        put_u64(m, domain.created_tsc);
        put_u64(m, domain.ended_tsc);
        put_text(m, domain.name, 64);
        put_text(m, domain.uuid, 40);
        count++;
    }
    return count;
}

static void patch_u32(struct xm_mirror *m, size_t at, uint32_t value)
{
    uint32_t v = htole32(value);
    if (!m->full)
        memcpy(m->data + at, &v, sizeof v);
}

static void put_region(struct xm_mirror *m)
{
    const struct xm_region_info *info = &m->info;
    size_t metrics;
    (void)xm_metrics(&metrics);
    put_head(m, XM_MIRROR_REGION);
    put_u32(m, info->source);
    put_u32(m, info->io_seen);
    put_u32(m, info->version);
    put_u32(m, XM_HIST_BUCKETS);
    put_u64(m, info->tsc_hz);
    put_u64(m, info->events);
    put_u64(m, info->buffer_bytes);
    put_u64(m, info->host_cpus);
    put_u32(m, info->capacity.domains);
    put_u32(m, info->capacity.vcpus);
    put_u32(m, info->capacity.pcpus);
    put_u32(m, 0);
    for (unsigned s = 0; s < XM_SERIES_COUNT; s++) {
        put_u64(m, info->series[s].interval_ns);
        put_u64(m, info->series[s].slots);
    }
    for (unsigned i = 0; i < XM_MIRROR_WORDS; i++)
        put_u64(m, i < sizeof info->classes / sizeof info->classes[0] ? info->classes[i] : 0);
    for (unsigned i = 0; i < XM_MIRROR_WORDS; i++)
        put_u64(m, info->anomaly[i]);
    put_text(m, info->tsc_hz_from, 16);
    put_text(m, info->states_from, 16);
    put_text(m, info->source_name, 128);
    put_text(m, info->hypervisor, 32);
    put_text(m, info->scheduler, 16);
    put_u32(m, (uint32_t)metrics);
    size_t at = m->used;
    put_u32(m, 0);
    put_metrics(m);
    patch_u32(m, at, put_domains(m));
}

/* ---- Samples. */

static void put_row(struct xm_mirror *m, enum xm_scope scope, unsigned in, const void *row)
{
    size_t count;
    const struct xm_metric *metric = xm_metrics(&count);
    for (size_t i = 0; i < count; i++, metric++) {
        if (metric->scope != scope || !(in_series(metric) & in))
            continue;
        const unsigned char *from = (const unsigned char *)row + metric->offset;
        for (unsigned k = 0; k < metric->count; k++, from += metric->bytes) {
            uint64_t wide;
            uint32_t narrow;
            if (metric->bytes == 8) {
                memcpy(&wide, from, sizeof wide);
                put_u64(m, wide);
            } else {
                memcpy(&narrow, from, sizeof narrow);
                put_u32(m, narrow);
            }
        }
    }
}

static bool is_zero(const struct xm_pair_row *row)
{
    return (row->running | row->waited | row->executions) == 0;
}

static uint32_t put_pairs(struct xm_mirror *m)
{
    const struct xm_sample *s = &m->sample;
    uint32_t count = 0;
    for (uint32_t d = 0; d < s->used.domains; d++)
        for (uint32_t p = 0; p < s->used.pcpus; p++) {
            const struct xm_pair_row *row = &s->pair[(size_t)d * s->capacity.pcpus + p];
            if (is_zero(row))
                continue;
            put_u32(m, d);
            put_u32(m, p);
            put_row(m, XM_SCOPE_PAIR, XM_MIRROR_IN_FAST, row);
            count++;
        }
    return count;
}

static void put_sample(struct xm_mirror *m, enum xm_series series, uint64_t index)
{
    const struct xm_sample *s = &m->sample;
    unsigned in = series == XM_SERIES_SLOW ? XM_MIRROR_IN_SLOW : XM_MIRROR_IN_FAST;
    put_u64(m, index);
    put_u32(m, s->used.domains);
    put_u32(m, s->used.vcpus);
    put_u32(m, s->used.pcpus);
    size_t at = m->used;
    put_u32(m, 0);
    put_row(m, XM_SCOPE_HOST, in, &s->host);
    for (uint32_t i = 0; i < s->used.domains; i++)
        put_row(m, XM_SCOPE_DOMAIN, in, &s->domain[i]);
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        put_u32(m, s->vcpu_domain[i]);
        put_row(m, XM_SCOPE_VCPU, in, &s->vcpu[i]);
    }
    for (uint32_t i = 0; i < s->used.pcpus; i++)
        put_row(m, XM_SCOPE_PCPU, in, &s->pcpu[i]);
    patch_u32(m, at, series == XM_SERIES_FAST ? put_pairs(m) : 0);
}

/* Samples from `first` on, one after another: what is overwritten meanwhile is left out at the beginning. */
static bool put_samples(struct xm_mirror *m, enum xm_series series, uint64_t first, uint32_t limit)
{
    uint64_t newest = m->info.series[series].newest;
    uint64_t slots = m->info.series[series].slots;
    uint32_t count = 0;
    put_head(m, XM_MIRROR_SAMPLES);
    put_u32(m, series);
    size_t at = m->used;
    put_u32(m, 0);
    if (newest != UINT64_MAX && newest >= slots && first < newest - slots + 1)
        first = newest - slots + 1;
    size_t one = 0;
    for (uint64_t index = first; newest != UINT64_MAX && index <= newest && count < limit; index++) {
        if (count && m->used + one > BUDGET_BYTES)
            break;
        enum xm_region_outcome outcome = xm_region_sample(m->region, series, index, &m->sample);
        if (outcome == XM_REGION_OVERRUN && count == 0)
            continue;
        if (outcome == XM_REGION_INCOMPATIBLE)
            return false;
        if (outcome != XM_REGION_OK)
            break;
        size_t before = m->used;
        put_sample(m, series, index);
        one = m->used - before;
        count++;
    }
    patch_u32(m, at, count);
    return true;
}

/* ---- Histograms. */

static void put_counts(struct xm_mirror *m, const uint64_t counts[XM_HIST_BUCKETS])
{
    uint32_t n = 0;
    size_t at = m->used;
    put_u32(m, 0);
    for (uint32_t i = 0; i < XM_HIST_BUCKETS; i++)
        if (counts[i]) {
            put_u32(m, i);
            put_u64(m, counts[i]);
            n++;
        }
    patch_u32(m, at, n);
}

static void put_histograms(struct xm_mirror *m, uint32_t first, uint32_t limit)
{
    uint32_t count = 0;
    uint32_t slot = first;
    put_head(m, XM_MIRROR_HISTOGRAMS);
    put_u32(m, XM_HIST_BUCKETS);
    size_t at = m->used;
    put_u32(m, 0);
    put_u32(m, 0);
    put_u32(m, 0);
    for (; slot < m->info.capacity.vcpus && count < limit && m->used < BUDGET_BYTES; slot++) {
        uint64_t id;
        if (xm_region_histograms(m->region, slot, m->counts, &id) != XM_REGION_OK || id == 0)
            continue;
        put_u32(m, slot);
        put_u32(m, 0);
        put_u64(m, id);
        for (unsigned k = 0; k < XM_HISTS; k++)
            put_counts(m, m->counts[k]);
        count++;
    }
    patch_u32(m, at, count);
    patch_u32(m, at + 4, slot < m->info.capacity.vcpus ? slot : 0);
}

/* ---- The region. */

static bool sample_fits(struct xm_mirror *m)
{
    struct xm_capacity have = m->sample.capacity;
    struct xm_capacity want = m->info.capacity;
    if (have.domains == want.domains && have.vcpus == want.vcpus && have.pcpus == want.pcpus)
        return true;
    xm_sample_fini(&m->sample);
    m->sample = (struct xm_sample){0};
    return xm_sample_init(&m->sample, want) == XM_OK;
}

static void forget(struct xm_mirror *m)
{
    xm_region_close(m->region);
    m->region = NULL;
}

/* Opens the region or follows it.  False: the answer is why there is none. */
static bool attach(struct xm_mirror *m, struct xm_http_response *response)
{
    struct xm_error err;
    enum xm_region_outcome outcome = XM_REGION_OK;
    xm_error_clear(&err);
    if (!m->region && xm_region_open(m->path, &m->region, &err) != XM_OK) {
        xm_http_add_header(response, "Retry-After", "1");
        xm_http_fail(response, 503, "no_region", "there is nothing to read yet: %s", err.text);
        return false;
    }
    for (unsigned i = 0; i < TRIES; i++) {
        outcome = xm_region_check(m->region);
        m->gone = outcome == XM_REGION_GONE;
        if (outcome != XM_REGION_INCOMPATIBLE)
            outcome = xm_region_info(m->region, &m->info);
        if (outcome == XM_REGION_OK || outcome == XM_REGION_INCOMPATIBLE)
            break;
    }
    if (outcome == XM_REGION_OK && sample_fits(m))
        return true;
    xm_http_add_header(response, "Retry-After", "1");
    if (outcome == XM_REGION_OK)
        xm_http_fail(response, 500, "no_memory", "out of memory");
    else
        xm_http_fail(response, 503, "no_region", "the region is %s", xm_region_outcome_name(outcome));
    if (outcome == XM_REGION_INCOMPATIBLE)
        forget(m);
    return false;
}

/* ---- Answers. */

#ifdef XM_HAVE_ZSTD
static bool wants_zstd(const struct xm_http_request *request)
{
    const char *accepted = xm_http_header(request, "Accept-Encoding");
    for (const char *at = accepted; at && *at; at += strcspn(at, ","), at += *at == ',') {
        at += strspn(at, " \t");
        size_t length = strcspn(at, ",");
        const char *q = memmem(at, length, "q=", 2);
        if (strncasecmp(at, "zstd", 4) == 0 && strchr(" \t,;", at[4]))
            return !q || strtod(q + 2, NULL) > 0;
    }
    return false;
}

static size_t pack(struct xm_mirror *m)
{
    size_t bound = ZSTD_compressBound(m->used);
    if (!m->packer)
        m->packer = ZSTD_createCCtx();
    if (m->packed_size < bound) {
        unsigned char *packed = realloc(m->packed, bound);
        if (!packed)
            return 0;
        m->packed = packed;
        m->packed_size = bound;
    }
    size_t bytes =
        m->packer ? ZSTD_compressCCtx(m->packer, m->packed, m->packed_size, m->data, m->used, LEVEL) : 0;
    return ZSTD_isError(bytes) ? 0 : bytes;
}
#endif

static void answer(struct xm_mirror *m, const struct xm_http_request *request,
                   struct xm_http_response *response)
{
    if (m->full) {
        xm_http_fail(response, 500, "no_memory", "out of memory");
        return;
    }
    uint64_t bytes = htole64(m->used);
    memcpy(m->data + 16, &bytes, sizeof bytes);
    xm_http_set_type(response, XM_MIRROR_TYPE);
    xm_http_add_header(response, "Cache-Control", "no-store");
#ifdef XM_HAVE_ZSTD
    xm_http_add_header(response, "Vary", "Accept-Encoding");
    size_t packed = wants_zstd(request) ? pack(m) : 0;
    if (packed) {
        xm_http_add_header(response, "Content-Encoding", "zstd");
        xm_http_write(response, m->packed, packed);
        return;
    }
#else
    (void)request;
#endif
    xm_http_write(response, m->data, m->used);
}

static void get_region(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_mirror *m = user;
    pthread_mutex_lock(&m->lock);
    if (attach(m, response)) {
        put_region(m);
        answer(m, request, response);
    }
    pthread_mutex_unlock(&m->lock);
}

/*
 * A plain decimal number of at most `most`; *value is left alone where the key was not given.  False: it is
 * none, and the answer says so.
 */
static bool number(const struct xm_http_request *request, struct xm_http_response *response, const char *key,
                   uint64_t most, uint64_t *value)
{
    const char *text = xm_http_query(request, key);
    uint64_t v = 0;
    if (!text)
        return true;
    bool good = *text != '\0' && strlen(text) <= 20;
    for (; good && *text; text++) {
        unsigned digit = (unsigned)(*text - '0');
        good = digit <= 9 && v <= (most - digit) / 10; /* most is never below 9 */
        v = v * 10 + digit;
    }
    if (good && v <= most) {
        *value = v;
        return true;
    }
    xm_http_fail(response, 400, "bad_number", "'%s' is a whole number of at most %" PRIu64, key, most);
    return false;
}

static void get_samples(void *user, const struct xm_http_request *request, struct xm_http_response *response)
{
    struct xm_mirror *m = user;
    const char *name = xm_http_query(request, "series");
    bool slow = name && strcmp(name, "slow") == 0;
    uint64_t after = UINT64_MAX;
    uint64_t from = UINT64_MAX;
    uint64_t limit = XM_MIRROR_LIMIT;
    if (name && !slow && strcmp(name, "fast") != 0) {
        xm_http_fail(response, 400, "bad_series", "a series is 'fast' or 'slow'");
        return;
    }
    if (!number(request, response, "after", INT64_MAX, &after) ||
        !number(request, response, "from", INT64_MAX, &from) ||
        !number(request, response, "limit", XM_MIRROR_LIMIT, &limit))
        return;
    pthread_mutex_lock(&m->lock);
    if (attach(m, response)) {
        enum xm_series series = slow ? XM_SERIES_SLOW : XM_SERIES_FAST;
        uint64_t newest = m->info.series[series].newest;
        uint64_t first = after != UINT64_MAX ? after + 1 : from;
        if (first == UINT64_MAX) /* the newest one */
            first = newest != UINT64_MAX ? newest : 0;
        if (put_samples(m, series, first, (uint32_t)limit)) {
            answer(m, request, response);
        } else {
            xm_http_fail(response, 503, "no_region", "the region is damaged");
            forget(m);
        }
    }
    pthread_mutex_unlock(&m->lock);
}

static void get_histograms(void *user, const struct xm_http_request *request,
                           struct xm_http_response *response)
{
    struct xm_mirror *m = user;
    uint64_t first = 0;
    uint64_t limit = XM_MIRROR_LIMIT;
    if (!number(request, response, "first", UINT32_MAX, &first) ||
        !number(request, response, "limit", XM_MIRROR_LIMIT, &limit))
        return;
    pthread_mutex_lock(&m->lock);
    if (attach(m, response)) {
        put_histograms(m, (uint32_t)first, (uint32_t)limit);
        answer(m, request, response);
    }
    pthread_mutex_unlock(&m->lock);
}

static const char *const samples_query[] = {"series", "after", "from", "limit", NULL};
static const char *const histograms_query[] = {"first", "limit", NULL};

static const struct xm_http_route routes[] = {
    {XM_HTTP_GET, "/api/v1/region", NULL, NULL, get_region},
    {XM_HTTP_GET, "/api/v1/region/samples", samples_query, NULL, get_samples},
    {XM_HTTP_GET, "/api/v1/region/histograms", histograms_query, NULL, get_histograms},
};

struct xm_http_table xm_mirror_table(struct xm_mirror *mirror)
{
    return (struct xm_http_table){.route = routes, .count = sizeof routes / sizeof routes[0], .user = mirror};
}

struct xm_mirror *xm_mirror_create(const char *path)
{
    struct xm_mirror *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->path = path;
    pthread_mutex_init(&m->lock, NULL);
    learn_schema(m);
    if (!m->full)
        return m;
    xm_mirror_destroy(m);
    return NULL;
}

void xm_mirror_destroy(struct xm_mirror *mirror)
{
    if (!mirror)
        return;
    forget(mirror);
    xm_sample_fini(&mirror->sample);
    free(mirror->data);
#ifdef XM_HAVE_ZSTD
    ZSTD_freeCCtx(mirror->packer);
    free(mirror->packed);
#endif
    pthread_mutex_destroy(&mirror->lock);
    free(mirror);
}
