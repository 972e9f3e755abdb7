/* SPDX-License-Identifier: MIT */
/* The report's formats, from totals made by hand, and the JSON and CSV writers below them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/histogram.h"
#include "front/print/csv.h"
#include "front/print/json.h"
#include "front/report/report.h"
#include "xenmon/region.h"

#define DOM(domid, instance)        (XM_ROW_USED | (uint64_t)(instance) << 32 | (domid))
#define VCPU(domid, vcpu, instance) (DOM(domid, instance) | (uint64_t)(vcpu) << 16)

/* What `write` prints, in memory of the caller's. */
struct printed {
    char *text;
    size_t size;
    FILE *out;
};

static FILE *printed_open(struct printed *p)
{
    p->out = open_memstream(&p->text, &p->size);
    assert_non_null(p->out);
    return p->out;
}

static const char *printed_text(struct printed *p)
{
    assert_int_equal(fclose(p->out), 0);
    return p->text;
}

static void json_writer(void **state)
{
    struct printed p;
    struct xm_json json;
    xm_json_init(&json, printed_open(&p));
    xm_json_object(&json, NULL, true);
    xm_json_u64(&json, "largest", UINT64_MAX);
    xm_json_array(&json, "list", false);
    xm_json_u64(&json, NULL, 1);
    xm_json_null(&json, NULL);
    xm_json_bool(&json, NULL, true);
    xm_json_object(&json, NULL, false);
    xm_json_close(&json);
    xm_json_close(&json);
    xm_json_array(&json, "empty", true);
    xm_json_close(&json);
    xm_json_text(&json, "text",
                 "a\"b\\c\n\x01\xff\xe2\x80\xae"
                 "k\xc3\xa4se");
    xm_json_text(&json, "nothing", NULL);
    xm_json_close(&json);
    assert_string_equal(printed_text(&p), "{\n"
                                          "  \"largest\": 18446744073709551615,\n"
                                          "  \"list\": [1, null, true, {}],\n"
                                          "  \"empty\": [],\n"
                                          "  \"text\": \"a\\\"b\\\\c????k\xc3\xa4se\",\n"
                                          "  \"nothing\": null\n"
                                          "}\n");
    free(p.text);
}

static void csv_writer(void **state)
{
    struct printed p;
    struct xm_csv csv = {.out = printed_open(&p)};
    xm_csv_text(&csv, "plain text");
    xm_csv_text(&csv, "a,b");
    xm_csv_text(&csv, "say \"hi\"");
    xm_csv_text(&csv, "two\nlines");
    xm_csv_text(&csv, "");
    xm_csv_text(&csv, NULL);
    xm_csv_end(&csv);
    xm_csv_u64(&csv, UINT64_MAX);
    xm_csv_maybe(&csv, false, 5);
    xm_csv_maybe(&csv, true, 0);
    xm_csv_end(&csv);
    assert_string_equal(printed_text(&p), "plain text,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",,\n"
                                          "18446744073709551615,,0\n");
    free(p.text);
}

/* ---- A small host: d0 of one vCPU, d5 twice, the second one of two vCPUs, pCPUs 0 and 2. */

struct host {
    struct xm_sample totals;
    struct xm_scale scale;
    uint64_t classes[XM_CLASSES], anomalies[2];
    uint64_t waits[XM_HIST_BUCKETS];
    struct xm_stream_stats stats;
    struct xm_error damage;
    struct xm_report report;
};

static const char *anomaly_name(unsigned kind)
{
    static const char *const names[] = {"state", "skew"};
    return kind < 2 ? names[kind] : NULL;
}

static const uint64_t *waits_of(void *user, uint32_t slot)
{
    struct host *h = user;
    return slot == 3 ? h->waits : NULL;
}

static struct xm_report_domain domain_of(void *user, uint32_t slot)
{
    return (struct xm_report_domain){slot == 0 ? "web, \"big\"\x1b[31m" : NULL};
}

static int make_host(void **state)
{
    static struct host h;
    h = (struct host){0};
    assert_int_equal(xm_sample_init(&h.totals, (struct xm_capacity){4, 6, 3}), XM_OK);
    assert_true(xm_scale_init(&h.scale, 1000000000));
    struct xm_sample *s = &h.totals;
    s->used = s->capacity;
    s->host = (struct xm_host_row){.tsc = 5000,
                                   .window = 4000,
                                   .records = 77,
                                   .lost_records = 3,
                                   .gap = 100,
                                   .anomalies = 2,
                                   .damaged_bytes = 16};
    /* Slots in no order, one of them free. */
    s->domain[0] = (struct xm_domain_row){.id = DOM(5, 1),
                                          .vcpus = 2,
                                          .running = 1500,
                                          .runnable = 2500,
                                          .blocked = 4000,
                                          .wait_any = 2400,
                                          .executions = 8,
                                          .grant_maps = 6,
                                          .page_transfers = 9};
    s->domain[2] = (struct xm_domain_row){
        .id = DOM(0, 0), .vcpus = 1, .running = 4000, .executions = 2, .done_maps = 6, .done_copies = 4};
    s->domain[3] = (struct xm_domain_row){.id = DOM(5, 0), .vcpus = 1, .offline = 4000, .ended = 1};
    s->vcpu[0] = (struct xm_vcpu_row){.id = VCPU(5, 1, 1), .blocked = 4000, .state = 2};
    s->vcpu[1] = (struct xm_vcpu_row){.id = VCPU(0, 0, 0), .running = 4000, .executions = 2};
    s->vcpu[3] = (struct xm_vcpu_row){.id = VCPU(5, 0, 1),
                                      .running = 1500,
                                      .runnable = 2500,
                                      .wait_wake = 500,
                                      .wait_preempt = 1900,
                                      .wait_other = 100,
                                      .executions = 8,
                                      .migrations = 1,
                                      .wait_max = 640,
                                      .slices = 8,
                                      .slice_sum = 8000,
                                      .slice_min = 900,
                                      .slice_max = 1100,
                                      .state = 4 | 16 | XM_RUNNABLE << 8};
    s->vcpu[5] =
        (struct xm_vcpu_row){.id = VCPU(5, 0, 0), .offline = 4000, .slice_min = UINT64_MAX, .state = 3};
    s->pcpu[0] = (struct xm_pcpu_row){
        .id = XM_ROW_USED | 2, .busy = 1000, .idle = 2900, .switching = 60, .unknown = 40};
    s->pcpu[2] = (struct xm_pcpu_row){.id = XM_ROW_USED | 0, .busy = 4000, .lost_records = 3, .gap = 100};
    h.classes[1] = 77;
    h.anomalies[1] = 2;
    h.waits[xm_hist_index(100)] = 90;
    h.waits[xm_hist_index(640)] = 10;
    h.damage =
        (struct xm_error){.status = XM_DAMAGED, .offset = 4096, .text = "byte 4096: a window of no CPU"};
    h.report = (struct xm_report){
        .source = "some\nfile",
        .totals = s,
        .scale = &h.scale,
        .hz_from = "option",
        .states_from = "runstate",
        .io_seen = XM_IO_SEEN_GRANTS,
        .classes = h.classes,
        .anomalies = h.anomalies,
        .anomaly_name = anomaly_name,
        .stats = &h.stats,
        .damage = &h.damage,
        .ends = 1,
        .peaks_complete = true,
        .waits = waits_of,
        .domain = domain_of,
        .user = &h,
    };
    *state = &h;
    return 0;
}

static int free_host(void **state)
{
    struct host *h = *state;
    xm_sample_fini(&h->totals);
    return 0;
}

static char *print(struct host *h, enum xm_report_format format)
{
    struct printed p;
    assert_int_equal(xm_report_print(&h->report, format, printed_open(&p)), XM_OK);
    (void)printed_text(&p);
    return p.text;
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        fail_msg("%s is no integer", key);
    return json_integer_value(value);
}

static const json_t *member(const json_t *object, const char *key, size_t index)
{
    const json_t *array = json_object_get(object, key);
    assert_true(json_is_array(array) && index < json_array_size(array));
    return json_array_get(array, index);
}

static void expect_null(const json_t *object, const char *key)
{
    if (!json_is_null(json_object_get(object, key)))
        fail_msg("%s is not null", key);
}

/* A live host: d0 without devices, the second d5 with both kinds. */
static void make_live(struct host *h, struct xm_region_info *info)
{
    struct xm_domain_row *web = &h->totals.domain[0];
    *info = (struct xm_region_info){.events = 0x169000, .buffer_bytes = 131072, .host_cpus = 4};
    snprintf(info->hypervisor, sizeof info->hypervisor, "Xen 4.17.7");
    snprintf(info->scheduler, sizeof info->scheduler, "credit2");
    h->report.region = info;
    web->online = 2;
    web->weight = 512;
    web->paused = 1;
    web->vifs = web->vbds = 1;
    web->received_bytes = 1500;
    web->sent_packets = 3;
    web->disk_writes = 7;
    web->disk_write_bytes = 28672;
    h->totals.host.passes = 40;
    h->totals.host.own_cpu = 123;
    h->totals.host.stolen = 2;
    h->totals.pcpu[0].buffer_fill = 250;
}

/* A trace says nothing of what only a live host knows: null, and no zeros. */
static void report_json_live(void **state)
{
    struct host *h = *state;
    struct xm_region_info info;
    for (int live = 0; live < 2; live++) {
        if (live)
            make_live(h, &info);
        char *text = print(h, XM_REPORT_JSON);
        json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(report);
        const json_t *host = json_object_get(report, "host");
        const json_t *d0 = member(report, "domains", 0);
        const json_t *web = member(report, "domains", 2);
        expect_null(json_object_get(d0, "net"), "received_bytes");
        expect_null(json_object_get(d0, "disk"), "writes");
        expect_null(d0, "weight");
        if (live) {
            assert_string_equal(json_string_value(json_object_get(host, "hypervisor")), "Xen 4.17.7");
            assert_int_equal(number(host, "events"), 0x169000);
            assert_int_equal(number(host, "passes"), 40);
            assert_int_equal(number(host, "stolen"), 2);
            assert_int_equal(number(host, "repaired"), 0);
            assert_int_equal(number(member(report, "cpus", 1), "buffer_fill_permille"), 250);
            assert_int_equal(number(web, "weight"), 512);
            assert_int_equal(number(web, "cap_pct"), 0);
            assert_true(json_is_true(json_object_get(web, "paused")));
            assert_int_equal(number(json_object_get(web, "net"), "received_bytes"), 1500);
            assert_int_equal(number(json_object_get(web, "net"), "sent_packets"), 3);
            assert_int_equal(number(json_object_get(web, "disk"), "write_bytes"), 28672);
        } else {
            static const char *const keys[] = {"hypervisor", "scheduler", "events", "passes", "own_cpu_ns", "stolen"};
            for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
                expect_null(host, keys[i]);
            expect_null(member(report, "cpus", 1), "buffer_fill_permille");
            expect_null(json_object_get(web, "net"), "received_bytes");
            expect_null(web, "paused");
        }
        json_decref(report);
        free(text);
    }
}

/* New columns stand behind all that there were. */
static void report_csv_live(void **state)
{
    static const char tail[] = ",domain_done_grant_unmaps,domain_online_vcpus,domain_paused,domain_weight,domain_cap_pct,"
                               "domain_net_received_bytes,domain_net_received_packets,domain_net_sent_bytes,"
                               "domain_net_sent_packets,domain_disk_reads,domain_disk_writes,domain_disk_read_bytes,"
                               "domain_disk_write_bytes\n";
    struct host *h = *state;
    struct xm_region_info info;
    make_live(h, &info);
    char *text = print(h, XM_REPORT_CSV);
    assert_non_null(strstr(text, tail));
    assert_non_null(strstr(text, ",2,1,512,0,1500,0,0,3,0,7,0,28672\n"));
    assert_non_null(strstr(text, ",,,,,,,,,,,,\n"));
    free(text);
}

static void report_text_live(void **state)
{
    struct host *h = *state;
    struct xm_region_info info;
    char *text = print(h, XM_REPORT_TEXT);
    assert_null(strstr(text, "host  "));
    assert_null(strstr(text, "Network"));
    free(text);
    make_live(h, &info);
    text = print(h, XM_REPORT_TEXT);
    assert_non_null(strstr(text, "host         Xen 4.17.7, scheduler credit2\n"));
    assert_non_null(strstr(text, "read         in 40 passes, 0 wake-ups, 123 ns of CPU time; buffers 25.0% full at most\n"));
    assert_non_null(strstr(text, "MEDDLING     others took records 2 times and changed the tracing 0 times;\n"));
    assert_non_null(strstr(text, "d5#1           1500        0        0        3        0    28672       0       7\n"));
    assert_non_null(strstr(text, "d0                -        -        -        -        -        -       -       -\n"));
    free(text);
}

static void report_json(void **state)
{
    char *text = print(*state, XM_REPORT_JSON);
    json_error_t error;
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(report);
    const json_t *trace = json_object_get(report, "trace");
    assert_string_equal(json_string_value(json_object_get(report, "schema")), "xenmon.report/1");
    assert_int_equal(number(trace, "records"), 77);
    assert_int_equal(number(trace, "lost_records"), 3);
    assert_int_equal(number(trace, "duration_ns"), 4000);
    assert_int_equal(number(trace, "first_tsc"), 1000);
    assert_int_equal(number(trace, "tsc_hz"), 1000000000);
    assert_int_equal(number(json_object_get(trace, "damage"), "offset_bytes"), 4096);
    assert_int_equal(number(json_object_get(trace, "anomalies_by_kind"), "skew"), 2);
    assert_int_equal(number(json_object_get(trace, "records_by_class"), "sched"), 77);

    assert_int_equal(number(member(report, "cpus", 0), "cpu"), 0);
    assert_int_equal(number(member(report, "cpus", 1), "cpu"), 2);
    assert_int_equal(number(member(report, "cpus", 1), "switching_ns"), 60);

    /* Domains by id, then instance; vCPUs by number. */
    assert_int_equal(json_array_size(json_object_get(report, "domains")), 3);
    const json_t *d0 = member(report, "domains", 0);
    const json_t *first = member(report, "domains", 1);
    const json_t *second = member(report, "domains", 2);
    assert_int_equal(number(d0, "domid"), 0);
    assert_int_equal(number(first, "instance"), 0);
    assert_true(json_is_true(json_object_get(first, "ended")));
    assert_int_equal(number(second, "instance"), 1);
    assert_string_equal(json_string_value(json_object_get(second, "name")), "web, \"big\"?[31m");
    assert_true(json_is_null(json_object_get(d0, "name")));
    assert_int_equal(json_array_size(json_object_get(second, "vcpus")), 2);
    const json_t *v = member(second, "vcpus", 0);
    assert_int_equal(number(v, "vcpu"), 0);
    assert_int_equal(number(v, "running_ns"), 1500);
    assert_int_equal(number(v, "wait_after_preemption_ns"), 1900);
    assert_int_equal(number(v, "wait_max_ns"), 640);
    assert_int_equal(number(v, "wait_p50_ns"), 101);
    assert_int_equal(number(v, "wait_p95_ns"), 640); /* not the middle of its bucket, which no wait reached */
    assert_int_equal(number(json_object_get(v, "allocated"), "min_ns"), 900);
    assert_string_equal(json_string_value(json_object_get(v, "assumed_state")), "runnable");
    const json_t *idle = member(first, "vcpus", 0);
    assert_int_equal(number(json_object_get(idle, "allocated"), "min_ns"), 0);
    assert_true(json_is_null(json_object_get(idle, "assumed_state")));

    /* Maps were seen; whether pages were flipped or copied is not known. */
    const json_t *io = json_object_get(second, "io");
    assert_int_equal(number(io, "grant_maps"), 6);
    assert_true(json_is_null(json_object_get(io, "page_transfers")));
    assert_true(json_is_null(json_object_get(json_object_get(d0, "io_done"), "grant_copies_issued")));
    assert_int_equal(number(json_object_get(d0, "io_done"), "grant_maps"), 6);
    json_decref(report);
    free(text);
}

static void report_csv(void **state)
{
    static const char *const begins[] = {
        "domid,instance,name,vcpu,assumed_state,window_ns,running_ns,",
        "0,0,,0,,4000,4000,",
        "5,0,,0,,4000,0,",
        "5,1,\"web, \"\"big\"\"?[31m\",0,runnable,4000,1500,2500,0,0,0,8,1,",
        "5,1,\"web, \"\"big\"\"?[31m\",1,,4000,0,0,4000,",
    };
    char *text = print(*state, XM_REPORT_CSV);
    char *rest = text;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        const char *line = strsep(&rest, "\n");
        assert_non_null(line);
        if (strncmp(line, begins[i], strlen(begins[i])) != 0)
            fail_msg("line %zu is '%s'", i, line);
    }
    assert_string_equal(rest, "");
    free(text);
}

static void contains(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("'%s' is not in\n%s", what, text);
}

static void report_text(void **state)
{
    struct host *h = *state;
    char *text = print(h, XM_REPORT_TEXT);
    contains(text, "XenMon report on some?file\n");
    contains(text, "LOST         3 records; some were missing for 100 ns, 2.5% of the trace\n");
    contains(text, "on pCPU 0: 3 records in 100 ns\n");
    contains(text, "ANOMALIES    2: 2 skew\n");
    contains(text, "DAMAGE       16 bytes made no sense\n             byte 4096: a window of no CPU\n");
    contains(text, "d5#1 web, \"big\"?[31m, 2 vCPUs: some vCPU waited for 2.400 us, 60.0% of the trace\n");
    contains(text, "all   1.500 us 18.8%"); /* of vCPUs x trace */
    contains(text, "v0    1.500 us 37.5%"); /* of the trace */
    contains(text, "probably runnable");
    contains(text, "d5, 1 vCPU, ended");
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        if (strcspn(line, "\n") > 80)
            fail_msg("wider than 80: %.*s", (int)strcspn(line, "\n"), line);
    assert_null(strchr(text, '\x1b'));
    free(text);

    h->totals.host = (struct xm_host_row){.tsc = 5000, .window = 4000};
    h->damage.status = XM_OK;
    h->totals.pcpu[2].lost_records = h->totals.pcpu[2].gap = 0;
    text = print(h, XM_REPORT_TEXT);
    contains(text, "lost         none\n");
    contains(text, "anomalies    none\n");
    contains(text, "damage       none\n");
    free(text);
}

/* Nothing at all, and a FILE that takes nothing. */
static void report_edges(void **state)
{
    struct host *h = *state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    for (int format = 0; format < XM_REPORT_FORMATS; format++)
        assert_int_equal(xm_report_print(&h->report, (enum xm_report_format)format, full), XM_IO);
    fclose(full);

    xm_sample_clear(&h->totals);
    h->report.waits = NULL;
    h->report.domain = NULL;
    h->report.classes = NULL;
    h->report.anomalies = NULL;
    h->report.stats = NULL;
    h->report.damage = NULL;
    for (int format = 0; format < XM_REPORT_FORMATS; format++) {
        char *text = print(h, (enum xm_report_format)format);
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf"));
        free(text);
    }
    /* Every counter as large as it can be. */
    h->totals.used = h->totals.capacity;
    memset(h->totals.vcpu, 0xff, h->totals.capacity.vcpus * sizeof *h->totals.vcpu);
    memset(h->totals.domain, 0xff, h->totals.capacity.domains * sizeof *h->totals.domain);
    memset(h->totals.pcpu, 0xff, h->totals.capacity.pcpus * sizeof *h->totals.pcpu);
    memset(&h->totals.host, 0xff, sizeof h->totals.host);
    char *text = print(h, XM_REPORT_JSON);
    json_t *report = json_loads(text, 0, NULL);
    free(text);
    json_decref(
        report); /* NULL for what is over 2^63, which this library does not read; it is no crash of ours */
    for (int format = 0; format < XM_REPORT_FORMATS; format++)
        free(print(h, (enum xm_report_format)format));
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, make_host, free_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_writer), cmocka_unit_test(csv_writer), HOST_TEST(report_json),
        HOST_TEST(report_json_live),  HOST_TEST(report_csv_live), HOST_TEST(report_text_live),
        HOST_TEST(report_csv),         HOST_TEST(report_text),       HOST_TEST(report_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
