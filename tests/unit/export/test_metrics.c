/* SPDX-License-Identifier: MIT */
/* Families, labels and numbers of /metrics, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "export/http_int.h"
#include "export/metrics_int.h"

/* A host of two domains, the second of which has an id that was used before. */
struct made {
    struct xm_http http;
    struct xm_sample sample, from;
    struct xm_host_domain domain[2];
    struct xm_host_vcpu vcpu[3];
    struct xm_host_snapshot s;
};

static struct made *make(void)
{
    struct made *m = calloc(1, sizeof *m);
    assert_int_equal(xm_sample_init(&m->sample, (struct xm_capacity){2, 3, 1}), XM_OK);
    m->sample.used = (struct xm_capacity){2, 3, 1};
    m->sample.host.real = UINT64_C(5000000000);
    m->sample.host.tsc = m->sample.host.window = 2000;
    m->sample.domain[0] = (struct xm_domain_row){
        .id = XM_ROW_USED | 1, .vcpus = 2, .running = 1000, .weight = 256, .cap = 150, .online = 1};
    m->sample.domain[1] =
        (struct xm_domain_row){.id = XM_ROW_USED | UINT64_C(3) << 32 | 7, .vcpus = 1, .grant_maps = 4};
    for (unsigned i = 0; i < 3; i++) {
        m->sample.vcpu[i].id = m->sample.domain[i / 2].id | (i % 2) << 16;
        m->sample.vcpu[i].running = 500 + i;
        m->sample.vcpu_domain[i] = i / 2;
    }
    m->sample.pcpu[0] = (struct xm_pcpu_row){.id = XM_ROW_USED | 5, .busy = 1, .buffer_fill = 125};
    m->domain[0].fact.id = m->sample.domain[0].id;
    snprintf(m->domain[0].fact.name, sizeof m->domain[0].fact.name, "we\"b\\<script>");
    m->domain[0].of[XM_HIST_WAIT].at_most[XM_HOST_EDGES] = 9;
    m->domain[0].of[XM_HIST_WAIT].sum_ns = 1500000001;
    m->s = (struct xm_host_snapshot){.number = 1,
                                     .state = XM_HOST_RUNNING,
                                     .data = true,
                                     .domain = m->domain,
                                     .vcpu = m->vcpu,
                                     .began_real_ns = UINT64_C(3000000000)};
    assert_true(xm_scale_init(&m->s.scale, 1000));
    for (unsigned i = 0; i < XM_HOST_WINDOWS; i++)
        m->s.window[i] = (struct xm_window){.to = &m->sample, .scale = &m->s.scale};
    m->http.config.limits.answer_bytes = 1 << 20;
    pthread_mutex_init(&m->http.lock, NULL);
    return m;
}

static void drop(struct made *m)
{
    while (m->http.shelf) {
        struct xm_http_buffer *b = m->http.shelf;
        m->http.shelf = b->next;
        free(b->data);
        free(b);
    }
    xm_sample_fini(&m->sample);
    free(m);
}

static char *write_all(struct made *m, const struct xm_metrics_config *config, bool open)
{
    struct xm_http_response *r = calloc(1, sizeof *r);
    r->http = &m->http;
    xm_metrics_write(config, &m->s, open, r);
    assert_false(r->overflow);
    char *text = calloc(1, r->body->used + 1);
    memcpy(text, r->body->data, r->body->used);
    assert_int_equal(strlen(text), r->body->used);
    xm_http_buffer_put(r->body);
    free(r);
    return text;
}

static const struct xm_metrics_config all = {
    .collectors = (1u << XM_COLLECTORS) - 1, .domains = 10, .version = "1"};

#define HAS(text, line)     assert_non_null(strstr(text, "\n" line "\n"))
#define HAS_NOT(text, part) assert_null(strstr(text, part))

static void values_and_labels(void **state)
{
    struct made *m = make();
    char *text = write_all(m, &all, false);
    HAS(text, "xen_vcpu_state_seconds_total{domain=\"we\\\"b\\\\<script>\",domid=\"1\",vcpu=\"1\",state="
              "\"running\"} 0.501");
    HAS(text, "xen_vcpu_state_seconds_total{domain=\"dom7\",domid=\"7\",incarnation=\"3\",vcpu=\"0\",state="
              "\"running\"} 0.502");
    HAS(text,
        "xen_domain_state_seconds_total{domain=\"we\\\"b\\\\<script>\",domid=\"1\",state=\"running\"} 1");
    HAS(text, "xen_domain_cap_ratio{domain=\"we\\\"b\\\\<script>\",domid=\"1\"} 1.5");
    HAS(text, "xen_domain_vcpus{domain=\"we\\\"b\\\\<script>\",domid=\"1\"} 1");
    HAS(text, "xen_domain_vcpus{domain=\"dom7\",domid=\"7\",incarnation=\"3\"} 1");
    HAS(text,
        "xen_domain_runqueue_latency_seconds_sum{domain=\"we\\\"b\\\\<script>\",domid=\"1\"} 1.500000001");
    HAS(text, "xen_cpu_seconds_total{cpu=\"5\",mode=\"guest\"} 0.001");
    HAS(text, "# TYPE xen_vcpu_state_seconds_total counter");
    HAS(text, "# TYPE xen_domain_info gauge");
    /* What is not seen is not 0. */
    HAS_NOT(text, "xen_domain_io_operations");
    HAS_NOT(text, "xen_domain_weight{domain=\"dom7\"");
    HAS_NOT(text, "xen_domain_network");
    HAS_NOT(text, "xenmon_trace_buffer_fill_ratio");
    HAS_NOT(text, "# EOF");
    HAS_NOT(text, "_created");
    free(text);
    m->s.info.io_seen = XM_IO_SEEN_GRANTS;
    m->sample.host.passes = 1;
    text = write_all(m, &all, false);
    HAS(text,
        "xen_domain_io_operations_total{domain=\"dom7\",domid=\"7\",incarnation=\"3\",kind=\"grant_map\"} 4");
    HAS(text, "xenmon_trace_buffer_fill_ratio{cpu=\"5\"} 0.125");
    HAS_NOT(text, "page_transfer");
    free(text);
    drop(m);
}

static void openmetrics_has_its_own_heads(void **state)
{
    struct made *m = make();
    struct xm_metrics_config config = all;
    config.created = true;
    m->domain[1].fact.id = m->sample.domain[1].id;
    m->domain[1].fact.created_tsc = 1500; /* half a second ago */
    char *text = write_all(m, &config, true);
    HAS(text, "# TYPE xen_vcpu_state_seconds counter");
    HAS(text, "# UNIT xen_vcpu_state_seconds seconds");
    HAS(text, "# TYPE xen_domain info");
    HAS(text, "xen_domain_executions_created{domain=\"dom7\",domid=\"7\",incarnation=\"3\"} 4.5");
    HAS(text, "xen_domain_executions_created{domain=\"we\\\"b\\\\<script>\",domid=\"1\"} 3");
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
    drop(m);
}

static void collectors_and_bounds(void **state)
{
    struct made *m = make();
    for (unsigned bit = 0; bit < XM_COLLECTORS; bit++) {
        struct xm_metrics_config less = all;
        less.collectors &= ~(1u << bit);
        char *with = write_all(m, &all, false);
        char *without = write_all(m, &less, false);
        if (bit != 2 && bit != 3 && bit != 7) /* nothing is seen of io, device and cpu-domain here */
            assert_true(strlen(without) < strlen(with));
        free(with);
        free(without);
    }
    struct xm_metrics_config one = all;
    one.domains = 1;
    char *text = write_all(m, &one, false);
    HAS(text, "xenmon_export_domains_left_out 1");
    HAS_NOT(text, "dom7");
    free(text);
    drop(m);
}

static void who_is_gone_is_not_shown(void **state)
{
    struct made *m = make();
    m->domain[0].expired = true;
    char *text = write_all(m, &all, false);
    HAS_NOT(text, "domid=\"1\"");
    HAS(text, "xenmon_up 1");
    free(text);
    static const enum xm_host_state gone[] = {XM_HOST_DEAD, XM_HOST_ABSENT, XM_HOST_BROKEN};
    for (unsigned i = 0; i < 3; i++) {
        m->s.state = gone[i];
        text = write_all(m, &all, false);
        HAS_NOT(text, "domid=");
        HAS(text, "xenmon_up 0");
        free(text);
    }
    drop(m);
}

static void an_answer_has_a_bound(void **state)
{
    struct made *m = make();
    struct xm_http_response *r = calloc(1, sizeof *r);
    m->http.config.limits.answer_bytes = 700;
    r->http = &m->http;
    xm_metrics_write(&all, &m->s, false, r);
    assert_true(r->overflow);
    xm_http_buffer_put(r->body);
    free(r);
    drop(m);
}

/* Each metric of the region is in a family, or it is said why not. */
static void nothing_is_forgotten(void **state)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        if (metrics[i].kind == XM_KIND_ID || strcmp(metrics[i].name, "wait_coarse") == 0)
            continue;
        const char *why = xm_metrics_left_out(metrics[i].scope, metrics[i].name);
        if (why && strcmp(why, "not known to this version") == 0)
            fail_msg("%s.%s is in no family, and nobody says why", xm_scope_name(metrics[i].scope),
                     metrics[i].name);
    }
    const struct xm_metrics_family *families = xm_metrics_families(&count);
    for (size_t i = 0; i < count; i++) {
        bool counter = false;
        for (unsigned p = 0; p < XM_METRICS_PARTS && families[i].part[p].metric; p++) {
            const struct xm_metric *metric = xm_metrics_find(families[i].scope, families[i].part[p].metric);
            if (!metric)
                fail_msg("%s: there is no metric %s", families[i].name, families[i].part[p].metric);
            counter = metric->kind == XM_KIND_COUNTER;
            bool seconds = metric->unit == XM_UNIT_CYCLES || metric->unit == XM_UNIT_NS;
            assert_int_equal(seconds, strcmp(families[i].unit, "seconds") == 0);
        }
        assert_int_equal(counter, families[i].type == XM_FAMILY_COUNTER);
        if (*families[i].unit) { /* a unit is the end of the name */
            size_t name = strlen(families[i].name);
            size_t unit = strlen(families[i].unit);
            assert_string_equal(families[i].name + name - unit, families[i].unit);
        }
    }
}

static void numbers_are_exact(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {{0, "0"},
                {1, "0.000000001"},
                {1000000000, "1"},
                {1500000000, "1.5"},
                {100, "0.0000001"},
                {UINT64_MAX, "18446744073.709551615"},
                {999999999, "0.999999999"},
                {10000000010, "10.00000001"}};
    struct made *m = make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct xm_http_response *r = calloc(1, sizeof *r);
        r->http = &m->http;
        struct xm_metrics_out out = {.response = r};
        xm_put_ns(&out, rows[i].ns);
        xm_put(&out, "", 1);
        assert_string_equal(r->body->data, rows[i].text);
        xm_http_buffer_put(r->body);
        free(r);
    }
    drop(m);
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define LINE_OF_MANY "0123456789abcdef0123456789abcde\n" /* 32 bytes */

/* Whether all of these pages are there. */
static bool are_made(const char *from, const char *to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char there[8192];
    uintptr_t at = (uintptr_t)from / page * page;
    size_t pages = ((uintptr_t)to - at) / page;
    assert_true(pages <= sizeof there);
    assert_int_equal(mincore((void *)at, pages * page, there), 0);
    size_t made = 0;
    while (made < pages && (there[made] & 1))
        made++;
    return made == pages;
}

/* Writes so many lines; how often the buffer moved. */
static unsigned write_lines(struct xm_metrics_out *out, unsigned lines, bool look)
{
    const char *data = out->response->body->data;
    unsigned moved = 0;
    for (unsigned i = 0; i < lines; i++) {
        const char *end = out->end;
        xm_put(out, LINE_OF_MANY, 32);
        moved += out->response->body->data != data;
        data = out->response->body->data;
        if (look && out->end != end)
            assert_true(are_made(out->at, out->end));
    }
    assert_true(xm_metrics_room(out, 0));
    assert_int_equal(out->response->body->used, 32 * lines);
    for (unsigned i = 0; i < lines; i++)
        assert_memory_equal(out->response->body->data + 32 * i, LINE_OF_MANY, 32);
    return moved;
}

static void a_large_answer_finds_its_pages_made(void **state)
{
    struct made *m = make();
    char *probe = aligned_alloc(4096, 65536);
    bool can = madvise(probe, 65536, MADV_POPULATE_WRITE) == 0;
    free(probe);
    m->http.config.limits.answer_bytes = 64 << 20;
    struct xm_http_response r = {.http = &m->http};
    struct xm_metrics_out out = {.response = &r};
    xm_put(&out, LINE_OF_MANY, 32);
    xm_metrics_expect(&out, 5 << 20);
    assert_true(r.body->size >= 5 << 20 && (uintptr_t)r.body->data % (2 << 20) == 0);
    r.body->used = 0;
    assert_int_equal(write_lines(&out, (5 << 20) / 32, can), 0);
    xm_http_buffer_put(r.body);
    /* A small one has no page too many. */
    r.body = NULL;
    while (m->http.shelf) {
        struct xm_http_buffer *b = m->http.shelf;
        m->http.shelf = b->next;
        free(b->data);
        free(b);
    }
    out = (struct xm_metrics_out){.response = &r};
    xm_put(&out, LINE_OF_MANY, 32);
    xm_metrics_expect(&out, 100000);
    assert_true(r.body->size < 1 << 20);
    xm_http_buffer_put(r.body);
    drop(m);
}

static void an_answer_may_outgrow_what_was_expected(void **state)
{
    static const size_t expected[] = {0, 1000, 1 << 20, 3 << 20, 100 << 20};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct made *m = make();
        m->http.config.limits.answer_bytes = 64 << 20;
        struct xm_http_response r = {.http = &m->http};
        struct xm_metrics_out out = {.response = &r};
        assert_true(xm_metrics_room(&out, 1));
        xm_metrics_expect(&out, expected[i]);
        (void)write_lines(&out, (9 << 20) / 32, false);
        assert_false(r.overflow);
        xm_http_buffer_put(r.body);
        drop(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_labels),     cmocka_unit_test(openmetrics_has_its_own_heads),
        cmocka_unit_test(collectors_and_bounds), cmocka_unit_test(who_is_gone_is_not_shown),
        cmocka_unit_test(an_answer_has_a_bound), cmocka_unit_test(nothing_is_forgotten),
        cmocka_unit_test(numbers_are_exact),     cmocka_unit_test(a_large_answer_finds_its_pages_made),
        cmocka_unit_test(an_answer_may_outgrow_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
