/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t test_seed(void)
{
    const char *given = getenv("XM_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
    seed = seed ? seed : 1;
    printf("# XM_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

void place_make(struct place *p)
{
    snprintf(p->directory, sizeof p->directory, "/dev/shm/xm-region-XXXXXX");
    if (!mkdtemp(p->directory)) {
        snprintf(p->directory, sizeof p->directory, "/tmp/xm-region-XXXXXX");
        if (!mkdtemp(p->directory)) {
            perror("mkdtemp");
            exit(99);
        }
    }
    snprintf(p->path, sizeof p->path, "%s/shm", p->directory);
}

void place_remove(struct place *p)
{
    static const char *const suffixes[] = {"", ".lock", ".new"};
    char name[128];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", p->path, suffixes[i]);
        unlink(name);
    }
    rmdir(p->directory);
}

struct xm_region_settings tiny_settings(void)
{
    return (struct xm_region_settings){
        .capacity = {3, 5, 2}, .interval_ns = 1000000000, .fast_s = 1, .slow_s = 1, .limit_bytes = 1};
}

struct xm_writer *writer_make(const char *path, const struct xm_region_settings *settings)
{
    struct xm_writer_config config = {
        .path = path, .settings = *settings, .source = XM_SOURCE_REPLAY, .source_name = "stamps"};
    struct xm_error err = {0};
    struct xm_writer *writer;
    if (xm_writer_create(&config, &writer, &err) != XM_OK) {
        printf("# no region: %s\n", err.text);
        exit(99);
    }
    return writer;
}

/* ---- Stamps. */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t stamp_word(uint64_t n, enum xm_scope scope, uint64_t row, const struct xm_metric *m,
                           unsigned element)
{
    if (scope == XM_SCOPE_HOST && strcmp(m->name, "window") == 0)
        return stamp_window(n);
    uint64_t word = mix(n * 0x9e3779b97f4a7c15u +
                        ((uint64_t)scope << 56 | row << 24 | (uint64_t)m->offset << 8 | element));
    return m->kind == XM_KIND_ID ? word | XM_ROW_USED : word;
}

uint64_t stamp_window(uint64_t n)
{
    return n * 1000 + 7;
}

static struct xm_capacity stamp_used(struct xm_capacity room, uint64_t n)
{
    uint64_t r = mix(n + 1);
    return (struct xm_capacity){1 + (uint32_t)(r % room.domains), 1 + (uint32_t)((r >> 20) % room.vcpus),
                                1 + (uint32_t)((r >> 40) % room.pcpus)};
}

static uint32_t stamp_slot(struct xm_capacity room, uint64_t n, uint32_t vcpu)
{
    return (uint32_t)(mix(n * 31 + vcpu) % room.domains);
}

static void fill_row(void *row, enum xm_scope scope, uint64_t n, uint64_t number)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < m[i].count && m[i].scope == scope; k++) {
            uint64_t word = stamp_word(n, scope, number, &m[i], k);
            uint32_t half = (uint32_t)word;
            memcpy((char *)row + m[i].offset + k * m[i].bytes,
                   m[i].bytes == 4 ? (void *)&half : (void *)&word, m[i].bytes);
        }
}

void stamp_fill(struct xm_sample *s, struct xm_capacity room, uint64_t n)
{
    s->used = stamp_used(room, n);
    fill_row(&s->host, XM_SCOPE_HOST, n, 0);
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        fill_row(&s->vcpu[i], XM_SCOPE_VCPU, n, i);
        s->vcpu_domain[i] = stamp_slot(room, n, i);
    }
    for (uint32_t i = 0; i < s->used.domains; i++)
        fill_row(&s->domain[i], XM_SCOPE_DOMAIN, n, i);
    for (uint32_t i = 0; i < s->used.pcpus; i++)
        fill_row(&s->pcpu[i], XM_SCOPE_PCPU, n, i);
    for (uint32_t d = 0; d < s->used.domains; d++)
        for (uint32_t p = 0; p < s->used.pcpus; p++)
            fill_row(&s->pair[(size_t)d * s->capacity.pcpus + p], XM_SCOPE_PAIR, n, (uint64_t)d << 12 | p);
}

/* A row in use holds the stamp where the series carries the metric, and 0 everywhere else. */
static bool row_is(const void *row, enum xm_scope scope, enum xm_series series, uint64_t n, uint64_t number,
                   bool used)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < m[i].count && m[i].scope == scope; k++) {
            uint64_t word =
                used && xm_series_carries(series, &m[i]) ? stamp_word(n, scope, number, &m[i], k) : 0;
            uint32_t half = (uint32_t)word;
            if (memcmp((const char *)row + m[i].offset + k * m[i].bytes,
                       m[i].bytes == 4 ? (void *)&half : (void *)&word, m[i].bytes))
                return false;
        }
    return true;
}

const char *stamp_check(const struct xm_sample *s, struct xm_capacity room, enum xm_series series, uint64_t n)
{
    struct xm_capacity used = stamp_used(room, n);
    if (used.domains != s->used.domains || used.vcpus != s->used.vcpus || used.pcpus != s->used.pcpus)
        return "used";
    if (!row_is(&s->host, XM_SCOPE_HOST, series, n, 0, true))
        return "host row";
    for (uint32_t i = 0; i < s->capacity.vcpus; i++)
        if (!row_is(&s->vcpu[i], XM_SCOPE_VCPU, series, n, i, i < used.vcpus) ||
            s->vcpu_domain[i] != (i < used.vcpus ? stamp_slot(room, n, i) : 0))
            return "vcpu row";
    for (uint32_t i = 0; i < s->capacity.domains; i++)
        if (!row_is(&s->domain[i], XM_SCOPE_DOMAIN, series, n, i, i < used.domains))
            return "domain row";
    for (uint32_t i = 0; i < s->capacity.pcpus; i++)
        if (!row_is(&s->pcpu[i], XM_SCOPE_PCPU, series, n, i, i < used.pcpus))
            return "pcpu row";
    for (uint32_t d = 0; d < s->capacity.domains; d++)
        for (uint32_t p = 0; p < s->capacity.pcpus; p++)
            if (!row_is(&s->pair[(size_t)d * s->capacity.pcpus + p], XM_SCOPE_PAIR, series, n,
                        (uint64_t)d << 12 | p,
                        series == XM_SERIES_FAST && d < used.domains && p < used.pcpus))
                return "pair row";
    return NULL;
}

void stamp_histogram(uint64_t n, enum xm_hist_kind kind, uint64_t counts[XM_HIST_BUCKETS])
{
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
        counts[i] = mix(n * 77 + i * 3 + (unsigned)kind);
}
