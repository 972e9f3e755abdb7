/* SPDX-License-Identifier: MIT */
/* What a client makes of a remote region's bytes: metrics by name, and nothing believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "export/mirror_read.h"

#define MOST 65536

/* An answer in the making. */
struct answer {
    unsigned char data[MOST];
    size_t used;
};

static void put(struct answer *a, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        a->data[a->used++] = (unsigned char)(value >> 8 * i);
}

static void put_text(struct answer *a, const char *text, size_t bytes)
{
    memset(a->data + a->used, 0, bytes);
    memcpy(a->data + a->used, text, strlen(text));
    a->used += bytes;
}

static void head(struct answer *a, enum xm_mirror_kind kind)
{
    a->used = 0;
    put_text(a, XM_MIRROR_MAGIC, 8);
    put(a, XM_MIRROR_VERSION, 4);
    put(a, kind, 4);
    put(a, 0, 8);
    put(a, 0x5eed, 8);
    put(a, 11, 8);
    put(a, 12, 8);
    put(a, XM_WRITER_RUNNING, 4);
    put(a, 0, 4);
    put(a, 5, 8);
    put(a, 41, 8);
    put(a, UINT64_MAX, 8);
    put(a, 1234, 4);
    put(a, 0, 4);
}

static void finish(struct answer *a)
{
    size_t used = a->used;
    a->used = 16;
    put(a, used, 8);
    a->used = used;
}

static void metric(struct answer *a, enum xm_scope scope, unsigned series, unsigned values, unsigned bytes,
                   const char *name)
{
    put(a, scope, 1);
    put(a, XM_KIND_COUNTER, 1);
    put(a, XM_UNIT_CYCLES, 1);
    put(a, series, 1);
    put(a, values, 2);
    put(a, bytes, 2);
    put_text(a, name, 32);
}

#define METRICS 12

/* Another program's metrics: some that are not known here, in another order, and few. */
static void region(struct answer *a)
{
    head(a, XM_MIRROR_REGION);
    put(a, XM_SOURCE_LIVE, 4);
    put(a, 7, 4);
    put(a, 1 << 16, 4);
    put(a, XM_HIST_BUCKETS, 4);
    put(a, 2000000000, 8);
    put(a, 0, 8);
    put(a, 0, 8);
    put(a, 2, 8);
    put(a, 4, 4);
    put(a, 6, 4);
    put(a, 2, 4);
    put(a, 0, 4);
    put(a, 100000000, 8);
    put(a, 602, 8);
    put(a, 1000000000, 8);
    put(a, 3602, 8);
    for (unsigned i = 0; i < 2 * XM_MIRROR_WORDS; i++)
        put(a, i, 8);
    put_text(a, "host", 16);
    put_text(a, "runstate", 16);
    put_text(a, "", 128);
    put_text(a, "Xen 4.99", 32);
    put_text(a, "credit3", 16);
    put(a, METRICS, 4);
    put(a, 1, 4);
    metric(a, XM_SCOPE_HOST, 3, 1, 8, "window");
    metric(a, XM_SCOPE_HOST, 3, 3, 8, "of another day");
    metric(a, XM_SCOPE_HOST, 1, 1, 8, "records");
    metric(a, XM_SCOPE_DOMAIN, 3, 1, 8, "running");
    metric(a, XM_SCOPE_DOMAIN, 3, 1, 4, "narrow");
    metric(a, XM_SCOPE_DOMAIN, 3, 1, 8, "id");
    metric(a, XM_SCOPE_DOMAIN, 2, 3, 4, "wait_coarse");
    metric(a, XM_SCOPE_VCPU, 3, 1, 8, "id");
    metric(a, XM_SCOPE_VCPU, 1, 1, 4, "running"); /* of another width than here */
    metric(a, XM_SCOPE_PCPU, 3, 1, 8, "busy");
    metric(a, XM_SCOPE_PAIR, 1, 1, 8, "waited");
    metric(a, XM_SCOPE_PCPU, 3, 1, 8, "id");
    put(a, 3, 4);
    put(a, 0, 4);
    put(a, XM_ROW_USED | 9, 8);
    put(a, 100, 8);
    put(a, 0, 8);
    put_text(a, "web", 64);
    put_text(a, "", 40);
    finish(a);
}

static void sample(struct answer *a, uint64_t index, bool fast)
{
    put(a, index, 8);
    put(a, 1, 4);
    put(a, 1, 4);
    put(a, 2, 4);
    put(a, fast, 4);
    put(a, 1000 + index, 8);
    put(a, 1, 8);
    put(a, 2, 8);
    put(a, 3, 8);
    if (fast)
        put(a, 77, 8);
    put(a, 500, 8);
    put(a, 0xffffffff, 4);
    put(a, XM_ROW_USED | 9, 8);
    if (!fast)
        for (unsigned i = 0; i < 3; i++)
            put(a, 30 + i, 4);
    put(a, 3, 4);
    put(a, XM_ROW_USED | 1 << 16 | 9, 8);
    if (fast)
        put(a, 4321, 4);
    for (unsigned p = 0; p < 2; p++) {
        put(a, 60 + p, 8);
        put(a, XM_ROW_USED | p, 8);
    }
    if (fast) {
        put(a, 0, 4);
        put(a, 1, 4);
        put(a, 99, 8);
    }
}

static void samples(struct answer *a, bool fast, unsigned count)
{
    head(a, XM_MIRROR_SAMPLES);
    put(a, fast ? XM_SERIES_FAST : XM_SERIES_SLOW, 4);
    put(a, count, 4);
    for (unsigned i = 0; i < count; i++)
        sample(a, 40 + i, fast);
    finish(a);
}

static void histograms(struct answer *a)
{
    head(a, XM_MIRROR_HISTOGRAMS);
    put(a, XM_HIST_BUCKETS, 4);
    put(a, 1, 4);
    put(a, 5, 4);
    put(a, 0, 4);
    put(a, 2, 4);
    put(a, 0, 4);
    put(a, 1234, 8);
    for (unsigned k = 0; k < XM_HISTS; k++) {
        put(a, 1, 4);
        put(a, 100 * k, 4);
        put(a, 5 + k, 8);
    }
    finish(a);
}

struct here {
    struct answer asked, answer, changed;
    struct xm_mirror_region region;
    struct xm_sample sample;
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
};

static int setup(void **state)
{
    struct here *h = calloc(1, sizeof *h);
    assert_non_null(h);
    region(&h->asked);
    assert_int_equal(xm_mirror_read_region(h->asked.data, h->asked.used, &h->region, NULL), XM_OK);
    assert_int_equal(xm_sample_init(&h->sample, h->region.info.capacity), XM_OK);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct here *h = *state;
    xm_sample_fini(&h->sample);
    free(h);
    return 0;
}

static void a_region_says_what_it_is(void **state)
{
    const struct here *h = *state;
    const struct xm_region_info *info = &h->region.info;
    struct xm_region_domain domain;
    uint32_t slot;
    assert_int_equal(info->lineage_id, 12);
    assert_int_equal(info->capacity.vcpus, 6);
    assert_int_equal(info->tsc_hz, 2000000000);
    assert_int_equal(info->series[XM_SERIES_FAST].newest, 41);
    assert_true(info->series[XM_SERIES_SLOW].newest == UINT64_MAX);
    assert_int_equal(info->classes[11], 11);
    assert_int_equal(info->anomaly[15], 31);
    assert_string_equal(info->hypervisor, "Xen 4.99");
    assert_int_equal(h->region.domains, 1);
    xm_mirror_domain(&h->region, 0, &slot, &domain);
    assert_int_equal(slot, 3);
    assert_string_equal(domain.name, "web");
    assert_int_equal(domain.created_tsc, 100);
}

static void metrics_are_found_by_name(void **state)
{
    struct here *h = *state;
    struct xm_mirror_walk walk;
    uint64_t index;
    samples(&h->answer, true, 2);
    assert_int_equal(xm_mirror_samples(h->answer.data, h->answer.used, &h->region, XM_SERIES_FAST, &walk, NULL), XM_OK);
    for (uint64_t i = 40; i < 42; i++) {
        assert_int_equal(xm_mirror_next_sample(&walk, &h->sample, &index, NULL), XM_OK);
        assert_int_equal(index, i);
        assert_int_equal(h->sample.host.window, 1000 + i);
        assert_int_equal(h->sample.host.records, 77);
        assert_int_equal(h->sample.host.lost_records, 0);
        assert_int_equal(h->sample.domain[0].running, 500);
        assert_true(h->sample.domain[0].id == (XM_ROW_USED | 9));
        assert_int_equal(h->sample.vcpu_domain[0], 3);
        assert_int_equal(h->sample.vcpu[0].running, 0);
        assert_int_equal(h->sample.pcpu[1].busy, 61);
        assert_int_equal(h->sample.pair[1].waited, 99);
        assert_int_equal(h->sample.pair[0].waited, 0);
    }
    assert_int_equal(xm_mirror_next_sample(&walk, &h->sample, &index, NULL), XM_END);
    samples(&h->answer, false, 1);
    assert_int_equal(xm_mirror_samples(h->answer.data, h->answer.used, &h->region, XM_SERIES_SLOW, &walk, NULL), XM_OK);
    assert_int_equal(xm_mirror_next_sample(&walk, &h->sample, &index, NULL), XM_OK);
    assert_int_equal(h->sample.domain[0].wait_coarse[2], 32);
    assert_int_equal(h->sample.domain[0].wait_coarse[3], 0);
    assert_int_equal(h->sample.pair[1].waited, 0);
}

static void histograms_are_sparse(void **state)
{
    struct here *h = *state;
    struct xm_mirror_walk walk;
    uint32_t slot;
    uint64_t id;
    histograms(&h->answer);
    memset(h->counts, 0xff, sizeof h->counts);
    assert_int_equal(xm_mirror_histograms(h->answer.data, h->answer.used, &h->region, &walk, NULL), XM_OK);
    assert_int_equal(walk.next, 5);
    assert_int_equal(xm_mirror_next_histogram(&walk, &slot, &id, h->counts, NULL), XM_OK);
    assert_int_equal(slot, 2);
    assert_int_equal(id, 1234);
    for (unsigned k = 0; k < XM_HISTS; k++)
        for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
            assert_int_equal(h->counts[k][i], i == 100 * k ? 5 + k : 0);
    assert_int_equal(xm_mirror_next_histogram(&walk, &slot, &id, h->counts, NULL), XM_END);
}

/* Of another schema, or another region, is no damage: the description is to be asked for again. */
static void other_regions_are_noticed(void **state)
{
    struct here *h = *state;
    struct xm_mirror_walk walk;
    samples(&h->answer, true, 1);
    h->answer.data[24] ^= 1;
    assert_int_equal(xm_mirror_samples(h->answer.data, h->answer.used, &h->region, XM_SERIES_FAST, &walk, NULL),
                     XM_AGAIN);
    h->answer.data[24] ^= 1;
    h->answer.data[32] ^= 1;
    assert_int_equal(xm_mirror_samples(h->answer.data, h->answer.used, &h->region, XM_SERIES_FAST, &walk, NULL),
                     XM_AGAIN);
}

/* Reads an answer of any kind to its end, as far as it goes. */
static enum xm_status read_all(struct here *h, const struct answer *a, enum xm_mirror_kind kind)
{
    struct xm_error err;
    struct xm_mirror_walk walk;
    uint64_t index;
    uint32_t slot;
    /* Exactly as long as it is, so that a sanitizer sees a byte too much. */
    unsigned char *exact = malloc(a->used ? a->used : 1);
    assert_non_null(exact);
    memcpy(exact, a->data, a->used);
    xm_error_clear(&err);
    enum xm_status status;
    if (kind == XM_MIRROR_REGION) {
        struct xm_mirror_region other;
        status = xm_mirror_read_region(exact, a->used, &other, &err);
    } else if (kind == XM_MIRROR_SAMPLES) {
        status = xm_mirror_samples(exact, a->used, &h->region, XM_SERIES_FAST, &walk, &err);
        while (status == XM_OK)
            status = xm_mirror_next_sample(&walk, &h->sample, &index, &err);
    } else {
        status = xm_mirror_histograms(exact, a->used, &h->region, &walk, &err);
        while (status == XM_OK)
            status = xm_mirror_next_histogram(&walk, &slot, &index, h->counts, &err);
    }
    if (status < 0)
        assert_true(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
    free(exact);
    return status;
}

static void answer_of(struct here *h, enum xm_mirror_kind kind)
{
    if (kind == XM_MIRROR_REGION)
        region(&h->answer);
    else if (kind == XM_MIRROR_SAMPLES)
        samples(&h->answer, true, 2);
    else
        histograms(&h->answer);
}

/* Cut at any byte, with a length that owns up to it: never good. */
static void what_is_cut_short_is_damaged(void **state)
{
    struct here *h = *state;
    for (enum xm_mirror_kind kind = XM_MIRROR_REGION; kind <= XM_MIRROR_HISTOGRAMS; kind++) {
        answer_of(h, kind);
        assert_int_equal(read_all(h, &h->answer, kind), kind == XM_MIRROR_REGION ? XM_OK : XM_END);
        for (size_t cut = 0; cut < h->answer.used; cut++) {
            h->changed = h->answer;
            h->changed.used = cut;
            if (cut >= 24)
                finish(&h->changed);
            assert_int_equal(read_all(h, &h->changed, kind), XM_DAMAGED);
        }
        h->changed = h->answer;
        put(&h->changed, 0, 1);
        finish(&h->changed);
        assert_int_equal(read_all(h, &h->changed, kind), XM_DAMAGED);
    }
}

/* Some bytes changed, to what is likely to hurt: any end is good that is one. */
static void no_change_does_harm(void **state)
{
    static const unsigned char bad[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};
    struct here *h = *state;
    struct xm_rng rng;
    unsigned good = 0;
    unsigned wrong = 0;
    xm_rng_seed(&rng, 20261126, 0);
    for (unsigned i = 0; i < 60000; i++) {
        enum xm_mirror_kind kind = (enum xm_mirror_kind)(1 + i % 3);
        answer_of(h, kind);
        h->changed = h->answer;
        for (uint64_t n = 1 + xm_rng_below(&rng, 4); n; n--) {
            size_t at = (size_t)xm_rng_below(&rng, h->changed.used);
            h->changed.data[at] = bad[xm_rng_below(&rng, sizeof bad)];
        }
        enum xm_status status = read_all(h, &h->changed, kind);
        good += status >= 0;
        wrong += status < 0;
    }
    assert_true(good > 1000 && wrong > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_region_says_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(metrics_are_found_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(histograms_are_sparse, setup, teardown),
        cmocka_unit_test_setup_teardown(other_regions_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_cut_short_is_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(no_change_does_harm, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
