/* SPDX-License-Identifier: MIT */
/* Regions that are none, that lie, that change under the reader, and those of other versions. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common.h"
#include "exercise.h"
#include "region/reader_int.h"
#include "region/writer.h"

#define SAMPLES 7

/* A region with something in it, copied out of its file. */
struct image {
    struct place place;
    unsigned char *bytes; /* owned */
    uint64_t size;
    struct xm_region_plan plan;
};

static void fill_region(struct xm_writer *w, struct xm_capacity room)
{
    static uint64_t counts[XM_HIST_BUCKETS];
    const uint64_t *pointers[XM_HISTS] = {counts, counts, counts};
    struct xm_region_domain d = {.id = XM_ROW_USED | 1, .name = "guest", .uuid = "u"};
    struct xm_sample s;
    assert_int_equal(xm_sample_init(&s, room), XM_OK);
    for (uint64_t n = 0; n < SAMPLES; n++) {
        stamp_fill(&s, room, n);
        assert_int_equal(xm_writer_publish(w, XM_SERIES_FAST, &s), XM_OK);
        assert_int_equal(xm_writer_publish(w, XM_SERIES_SLOW, &s), XM_OK);
    }
    stamp_histogram(1, XM_HIST_WAIT, counts);
    assert_int_equal(xm_writer_histograms(w, 1, XM_ROW_USED | 7, pointers), XM_OK);
    assert_int_equal(xm_writer_domain(w, 1, &d), XM_OK);
    xm_sample_fini(&s);
}

static int setup(void **state)
{
    struct image *image = calloc(1, sizeof *image);
    struct xm_region_settings settings = tiny_settings();
    place_make(&image->place);
    struct xm_writer *w = writer_make(image->place.path, &settings);
    image->plan = *xm_writer_plan(w);
    fill_region(w, image->plan.capacity);
    const void *memory = xm_writer_memory(w, &image->size);
    image->bytes = malloc(image->size);
    memcpy(image->bytes, memory, image->size);
    xm_writer_close(w, true);
    *state = image;
    return 0;
}

static int teardown(void **state)
{
    struct image *image = *state;
    place_remove(&image->place);
    free(image->bytes);
    free(image);
    return 0;
}

/* A copy of exactly `size` bytes, so that a sanitizer sees one byte too far. */
static unsigned char *copy_of(const struct image *image, uint64_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, image->bytes, size);
    return copy;
}

static enum xm_status try(const unsigned char *bytes, uint64_t size, struct xm_error *err)
{
    struct xm_region *region;
    enum xm_status status = xm_region_open_memory(bytes, size, &region, err);
    if (status == XM_OK) {
        exercise(region);
        xm_region_close(region);
    } else {
        assert_null(region);
    }
    return status;
}

static void put32(unsigned char *bytes, uint64_t at, uint32_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

static void put64(unsigned char *bytes, uint64_t at, uint64_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

static void test_whole_image_reads(void **state)
{
    struct image *image = *state;
    struct xm_region *r;
    struct xm_sample s;
    assert_int_equal(xm_region_open_memory(image->bytes, image->size, &r, NULL), XM_OK);
    assert_int_equal(xm_sample_init(&s, image->plan.capacity), XM_OK);
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++) {
        assert_int_equal(xm_region_sample(r, series, SAMPLES - 1, &s), XM_REGION_OK);
        assert_null(stamp_check(&s, image->plan.capacity, series, SAMPLES - 1));
    }
    xm_sample_fini(&s);
    exercise(r);
    xm_region_close(r);
}

static void test_not_ours(void **state)
{
    struct image *image = *state;
    struct xm_error err = {0};
    unsigned char *bytes = copy_of(image, image->size);
    bytes[0] ^= 1;
    assert_int_equal(try(bytes, image->size, &err), XM_DAMAGED);
    bytes[0] ^= 1;

    xm_error_clear(&err);
    put32(bytes, offsetof(struct xm_layout_header, version), 2u << 16);
    assert_int_equal(try(bytes, image->size, &err), XM_UNSUPPORTED);
    assert_non_null(strstr(err.text, "version 2.0"));
    put32(bytes, offsetof(struct xm_layout_header, version), 1u << 16 | 9);
    assert_int_equal(try(bytes, image->size, NULL), XM_OK); /* a newer minor one */

    xm_error_clear(&err);
    put32(bytes, offsetof(struct xm_layout_header, byte_order), 0x04030201);
    assert_int_equal(try(bytes, image->size, &err), XM_UNSUPPORTED);
    assert_non_null(strstr(err.text, "byte order"));
    free(bytes);
}

static void test_truncated(void **state)
{
    struct image *image = *state;
    for (uint64_t size = 0; size < image->size; size += 64) {
        unsigned char *bytes = copy_of(image, size);
        assert_int_equal(try(bytes, size, NULL), XM_DAMAGED);
        free(bytes);
    }
    print_message("# truncated at %llu places\n", (unsigned long long)(image->size / 64));
}

static void write_file(const char *path, const unsigned char *bytes, uint64_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* The file shrinks while a reader has it: no signal, and an outcome for every call. */
static void test_truncated_under_the_reader(void **state)
{
    struct image *image = *state;
    const char *path = image->place.path;
    unsigned damaged = 0;
    for (uint64_t size = 0; size < image->size; size += 1021) {
        struct xm_region *r;
        struct xm_region_info info;
        write_file(path, image->bytes, image->size);
        assert_int_equal(xm_region_open(path, &r, NULL), XM_OK);
        assert_int_equal(xm_region_info(r, &info), XM_REGION_OK);
        assert_int_equal(truncate(path, (off_t)size), 0);
        exercise(r);
        damaged += xm_region_info(r, &info) == XM_REGION_INCOMPATIBLE;
        xm_region_close(r);
    }
    assert_true(damaged > 0);
    assert_int_equal(unlink(path), 0);
}

/* Values that a lie is made of. */
static uint64_t interesting(uint64_t *seed, uint64_t size)
{
    const uint64_t r = next_random(seed);
    const uint64_t choices[] = {0,
                                1,
                                2,
                                7,
                                8,
                                r % 4096,
                                size,
                                size - 1,
                                size + 1,
                                r % size,
                                UINT32_MAX,
                                UINT64_MAX,
                                UINT64_MAX - 7,
                                INT64_MAX,
                                r,
                                r << 32 | r >> 32,
                                UINT64_C(1) << (r % 64)};
    return choices[next_random(seed) % (sizeof choices / sizeof choices[0])];
}

static void mutate(unsigned char *bytes, uint64_t from, uint64_t to, uint64_t size, uint64_t *seed)
{
    uint64_t at = from + next_random(seed) % (to - from);
    uint64_t value = interesting(seed, size);
    switch (next_random(seed) % 4) {
    case 0:
        bytes[at] ^= (unsigned char)(1u << (value % 8));
        break;
    case 1:
        put32(bytes, at & ~UINT64_C(3), (uint32_t)value);
        break;
    default:
        put64(bytes, at & ~UINT64_C(7), value);
    }
}

/* Lies in the header and the tables, before it is opened. */
static void test_mutated_header(void **state)
{
    struct image *image = *state;
    uint64_t seed = test_seed();
    uint64_t metrics = image->plan.metric_offset;
    uint64_t tables = metrics + image->plan.metric_count * sizeof(struct xm_layout_metric);
    unsigned opened = 0;
    unsigned refused = 0;
    unsigned char *bytes = copy_of(image, image->size);
    for (int i = 0; i < 40000; i++) {
        /* Lies after the header: the magic number, version and order are said true, or little would be tried. */
        uint64_t to = i % 3 == 0 ? 0x100 : i % 3 == 1 ? metrics : tables;
        for (uint64_t k = 1 + next_random(&seed) % 4; k > 0; k--)
            mutate(bytes, 0x10, to, image->size, &seed);
        if (try(bytes, image->size, NULL) == XM_OK)
            opened++;
        else
            refused++;
        memcpy(bytes, image->bytes, tables);
    }
    print_message("# 40000 mutations: %u opened, %u refused\n", opened, refused);
    assert_true(opened > 1000 && refused > 1000);
    free(bytes);
}

/* Lies that come after it was opened: everything that may change, and everything that may not. */
static void test_mutated_afterwards(void **state)
{
    struct image *image = *state;
    uint64_t seed = test_seed();
    unsigned char *bytes = copy_of(image, image->size);
    const struct xm_plan_ring *ring = image->plan.ring;
    for (int i = 0; i < 10000; i++) {
        struct xm_region *r;
        assert_int_equal(xm_region_open_memory(bytes, image->size, &r, NULL), XM_OK);
        for (uint64_t k = 1 + next_random(&seed) % 6; k > 0; k--) {
            uint64_t slot = ring[k % 2].offset + next_random(&seed) % ring[k % 2].slots * ring[k % 2].stride;
            if (next_random(&seed) % 2)
                mutate(bytes, 0, 0x400, image->size, &seed);
            else
                mutate(bytes, slot, slot + sizeof(struct xm_layout_slot), image->size, &seed);
        }
        exercise(r);
        xm_region_close(r);
        memcpy(bytes, image->bytes, image->size);
    }
    free(bytes);
}

/* Random bytes anywhere, through a file: what the program does. */
static void test_mutated_files(void **state)
{
    struct image *image = *state;
    uint64_t seed = test_seed();
    unsigned char *bytes = copy_of(image, image->size);
    for (int i = 0; i < 500; i++) {
        struct xm_region *r;
        for (int k = 0; k < 20; k++)
            mutate(bytes, 0x10, image->size, image->size, &seed);
        write_file(image->place.path, bytes, image->size);
        if (xm_region_open(image->place.path, &r, NULL) == XM_OK) {
            exercise(r);
            xm_region_close(r);
        }
        memcpy(bytes, image->bytes, image->size);
    }
    assert_int_equal(unlink(image->place.path), 0);
    free(bytes);
}

/* A vCPU in use whose domain slot does not exist must not become an index. */
static void test_wild_map(void **state)
{
    struct image *image = *state;
    struct xm_region *r;
    struct xm_sample s;
    const struct xm_plan_ring *ring = &image->plan.ring[XM_SERIES_FAST];
    unsigned char *bytes = copy_of(image, image->size);
    uint64_t slot = ring->offset + (SAMPLES - 1) % ring->slots * ring->stride;
    assert_int_equal(xm_sample_init(&s, image->plan.capacity), XM_OK);
    put32(bytes, slot + ring->vcpu_domain, 3);
    assert_int_equal(xm_region_open_memory(bytes, image->size, &r, NULL), XM_OK);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, SAMPLES - 1, &s), XM_REGION_INCOMPATIBLE);
    /* Where no vCPU is, nobody looks. */
    put64(bytes, slot + ring->rows[XM_SCOPE_VCPU].offset, 0);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, SAMPLES - 1, &s), XM_REGION_OK);
    assert_int_equal(s.vcpu_domain[0], 0);
    xm_sample_fini(&s);
    xm_region_close(r);
    free(bytes);
}

/* ---- Other versions. */

static struct xm_layout_metric *find_entry(const struct image *image, unsigned char *bytes,
                                           enum xm_section section, const char *name)
{
    struct xm_layout_metric *e = (void *)(bytes + image->plan.metric_offset);
    for (uint32_t i = 0; i < image->plan.metric_count; i++)
        if (e[i].section == section && strcmp(e[i].name, name) == 0)
            return &e[i];
    fail_msg("no %s", name);
    return NULL;
}

/* Metrics elsewhere, of another name, or of another type: found, or 0; the others are as they were. */
static void test_metrics_by_name(void **state)
{
    struct image *image = *state;
    struct xm_region *r;
    struct xm_sample s;
    struct xm_sample want;
    unsigned char *bytes = copy_of(image, image->size);
    struct xm_layout_metric *running = find_entry(image, bytes, XM_SECTION_FAST_VCPU, "running");
    struct xm_layout_metric *yields = find_entry(image, bytes, XM_SECTION_FAST_VCPU, "yields");
    struct xm_layout_metric *gap = find_entry(image, bytes, XM_SECTION_FAST_PCPU, "gap");
    struct xm_layout_metric *busy = find_entry(image, bytes, XM_SECTION_FAST_PCPU, "busy");
    uint32_t offset = running->offset;
    running->offset = yields->offset;
    yields->offset = offset;
    snprintf(gap->name, sizeof gap->name, "invented_later");
    busy->bytes = 4;
    assert_int_equal(xm_region_open_memory(bytes, image->size, &r, NULL), XM_OK);
    assert_int_equal(xm_sample_init(&s, image->plan.capacity), XM_OK);
    assert_int_equal(xm_sample_init(&want, image->plan.capacity), XM_OK);
    stamp_fill(&want, image->plan.capacity, SAMPLES - 1);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, SAMPLES - 1, &s), XM_REGION_OK);
    assert_int_equal(s.vcpu[0].running, want.vcpu[0].yields);
    assert_int_equal(s.vcpu[0].yields, want.vcpu[0].running);
    assert_int_equal(s.vcpu[0].runnable, want.vcpu[0].runnable);
    assert_int_equal(s.vcpu[0].last_io, want.vcpu[0].last_io);
    assert_int_equal(s.pcpu[0].gap, 0);
    assert_int_equal(s.pcpu[0].busy, 0);
    assert_int_equal(s.pcpu[0].idle, want.pcpu[0].idle);
    assert_int_equal(s.pcpu[0].current, want.pcpu[0].current);
    xm_sample_fini(&s);
    xm_sample_fini(&want);
    xm_region_close(r);
    free(bytes);
}

/* What version 1.0 did not have: its header was zeros there, and its table had no such entries. */
static void make_older(const struct image *image, unsigned char *bytes)
{
    static const char *const later[] = {"hypervisor",  "scheduler", "events",  "buffer_bytes", "host_cpus",
                                        "buffer_fill", "passes",    "own_cpu", "online",       "disk_write_bytes"};
    struct xm_layout_header *h = (void *)bytes;
    struct xm_layout_metric *e = (void *)(bytes + image->plan.metric_offset);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < image->plan.metric_count; i++) {
        bool is_later = false;
        for (size_t k = 0; k < sizeof later / sizeof later[0]; k++)
            is_later |= strcmp(e[i].name, later[k]) == 0;
        if (!is_later)
            e[kept++] = e[i];
    }
    assert_true(kept < image->plan.metric_count);
    h->metric_count = kept;
    h->version = 1u << 16;
    memset(h->hypervisor, 0, offsetof(struct xm_layout_header, reserved) -
                                 offsetof(struct xm_layout_header, hypervisor));
}

/* A region of before these metrics and facts reads, with 0 and "" for them. */
static void test_older_minor(void **state)
{
    struct image *image = *state;
    struct xm_region *r;
    struct xm_sample s;
    struct xm_sample want;
    struct xm_region_info info;
    unsigned char *bytes = copy_of(image, image->size);
    make_older(image, bytes);
    assert_int_equal(xm_region_open_memory(bytes, image->size, &r, NULL), XM_OK);
    assert_int_equal(xm_region_info(r, &info), XM_REGION_OK);
    assert_int_equal(info.version, 1u << 16);
    assert_string_equal(info.hypervisor, "");
    assert_int_equal(info.events | info.buffer_bytes | info.host_cpus, 0);
    assert_int_equal(xm_sample_init(&s, image->plan.capacity), XM_OK);
    assert_int_equal(xm_sample_init(&want, image->plan.capacity), XM_OK);
    stamp_fill(&want, image->plan.capacity, SAMPLES - 1);
    assert_int_equal(xm_region_sample(r, XM_SERIES_FAST, SAMPLES - 1, &s), XM_REGION_OK);
    assert_true(want.domain[0].online && want.host.passes && want.pcpu[0].buffer_fill);
    assert_int_equal(s.domain[0].online | s.domain[0].disk_write_bytes, 0);
    assert_int_equal(s.host.passes | s.host.own_cpu | s.pcpu[0].buffer_fill, 0);
    assert_int_equal(s.domain[0].running, want.domain[0].running);
    assert_int_equal(s.domain[0].disk_read_bytes, want.domain[0].disk_read_bytes);
    assert_int_equal(s.host.refused, want.host.refused);
    assert_int_equal(s.host.dropped, want.host.dropped);
    assert_int_equal(s.pcpu[0].current, want.pcpu[0].current);
    xm_sample_fini(&s);
    xm_sample_fini(&want);
    xm_region_close(r);
    free(bytes);
}

/* A newer minor version has longer entries in its tables, more of them, and the tables somewhere else. */
static void test_longer_tables(void **state)
{
    struct image *image = *state;
    const uint64_t section_stride = sizeof(struct xm_layout_section) + 64;
    const uint64_t metric_stride = sizeof(struct xm_layout_metric) + 8;
    uint64_t sections = image->size;
    uint64_t metrics = sections + section_stride * (XM_SECTIONS + 1);
    uint64_t size = metrics + metric_stride * (image->plan.metric_count + 1);
    unsigned char *bytes = calloc(1, size);
    struct xm_region *r;
    struct xm_sample s;
    assert_non_null(bytes);
    memcpy(bytes, image->bytes, image->size);
    /* The new section comes first: what refers to sections by index must be moved on by one. */
    snprintf((char *)bytes + sections, 24, "novelty");
    for (unsigned i = 0; i < XM_SECTIONS; i++) {
        struct xm_layout_section e = image->plan.section[i];
        e.parent += e.parent != XM_LAYOUT_TOP;
        memcpy(bytes + sections + (i + 1) * section_stride, &e, sizeof e);
    }
    for (uint32_t i = 0; i < image->plan.metric_count; i++) {
        struct xm_layout_metric e;
        memcpy(&e, image->bytes + image->plan.metric_offset + i * sizeof e, sizeof e);
        e.section++;
        memcpy(bytes + metrics + (i + 1) * metric_stride, &e, sizeof e);
    }
    struct xm_layout_header *h = (void *)bytes;
    h->version = 1u << 16 | 3;
    h->region_bytes = size;
    h->section_offset = sections;
    h->section_stride = (uint32_t)section_stride;
    h->section_count = XM_SECTIONS + 1;
    h->metric_offset = metrics;
    h->metric_stride = (uint32_t)metric_stride;
    h->metric_count = image->plan.metric_count + 1;
    assert_int_equal(xm_region_open_memory(bytes, size, &r, NULL), XM_OK);
    assert_int_equal(xm_sample_init(&s, image->plan.capacity), XM_OK);
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++)
        for (uint64_t i = SAMPLES - 3; i < SAMPLES; i++) {
            assert_int_equal(xm_region_sample(r, series, i, &s), XM_REGION_OK);
            assert_null(stamp_check(&s, image->plan.capacity, series, i));
        }
    xm_sample_fini(&s);
    xm_region_close(r);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole_image_reads), TEST(test_not_ours),
        TEST(test_truncated),         TEST(test_truncated_under_the_reader),
        TEST(test_mutated_header),    TEST(test_mutated_afterwards),
        TEST(test_mutated_files),     TEST(test_wild_map),
        TEST(test_metrics_by_name),   TEST(test_older_minor),
        TEST(test_longer_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
