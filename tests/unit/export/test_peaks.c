/* SPDX-License-Identifier: MIT */
/* The longest wait and its like are those of all of a window, or are not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/host.h"
#include "export/http_int.h"
#include "export/metrics.h"
#include "region/writer.h"
#include "xenmon/units.h"

#define HZ   UINT64_C(1000000000)
#define STEP (HZ / 10)

struct made {
    char folder[64], path[80];
    struct xm_writer *writer;
    struct xm_sample sample;
    struct xm_host *host;
};

/* A region that holds so many seconds of samples, ten of which are made each second. */
static void make(struct made *m, uint32_t fast_s)
{
    struct xm_error err = {0};
    snprintf(m->folder, sizeof m->folder, "/tmp/test_peaks.XXXXXX");
    assert_non_null(mkdtemp(m->folder));
    snprintf(m->path, sizeof m->path, "%s/shm", m->folder);
    struct xm_writer_config config = {.path = m->path, .source = XM_SOURCE_LIVE, .source_name = "made"};
    config.settings = (struct xm_region_settings){.capacity = {2, 2, 1}, .fast_s = fast_s};
    assert_int_equal(xm_writer_create(&config, &m->writer, &err), XM_OK);
    struct xm_writer_facts facts = {
        .tsc_hz = HZ, .tsc_hz_from = "host", .states_from = "runstate", .host_cpus = 1};
    xm_writer_facts(m->writer, &facts);
    xm_writer_state(m->writer, XM_WRITER_RUNNING);
    assert_int_equal(xm_sample_init(&m->sample, config.settings.capacity), XM_OK);
    m->sample.used = (struct xm_capacity){1, 1, 1};
    m->sample.domain[0] = (struct xm_domain_row){.id = XM_ROW_USED | 7, .vcpus = 1};
    m->sample.vcpu[0].id = m->sample.domain[0].id;
    m->sample.pcpu[0].id = XM_ROW_USED;
}

/* One more sample, in whose tenth of a second the longest wait was that many ms. */
static void step(struct made *m, unsigned wait_ms)
{
    struct xm_sample *s = &m->sample;
    s->host.window += STEP;
    s->host.tsc = s->host.window;
    s->host.mono = xm_clock_ns();
    s->host.real = UINT64_C(1700000000) * HZ + s->host.window;
    s->host.passes++;
    s->domain[0].runnable += STEP;
    s->domain[0].wait_max = s->vcpu[0].wait_max = wait_ms * (HZ / 1000);
    s->vcpu[0].runnable += STEP;
    s->pcpu[0].idle += STEP;
    s->pcpu[0].buffer_fill = wait_ms;
    assert_int_equal(xm_writer_publish(m->writer, XM_SERIES_FAST, s), XM_OK);
    xm_writer_heartbeat(m->writer, s->host.mono);
}

static void drop(struct made *m)
{
    xm_writer_close(m->writer, true);
    xm_sample_fini(&m->sample);
    char lock[96];
    snprintf(lock, sizeof lock, "%s.lock", m->path);
    unlink(lock);
    rmdir(m->folder);
}

/* What a server that begins now has to say of it. */
static char *scrape(struct made *m)
{
    static const struct xm_metrics_config all = {
        .collectors = (1u << XM_COLLECTORS) - 1, .domains = 10, .version = "1"};
    struct xm_error err = {0};
    struct xm_http *http = calloc(1, sizeof *http);
    struct xm_http_response *r = calloc(1, sizeof *r);
    struct xm_host_config config = {.path = m->path,
                                    .interval_ns = XM_NS_PER_S,
                                    .linger_ns = XM_NS_PER_S,
                                    .stale_ns = XM_NS_PER_S,
                                    .pool = 3};
    http->config.limits.answer_bytes = 1 << 20;
    pthread_mutex_init(&http->lock, NULL);
    r->http = http;
    assert_int_equal(xm_host_create(&config, &m->host, &err), XM_OK);
    const struct xm_host_snapshot *s = xm_host_take(m->host);
    assert_true(s->data);
    xm_metrics_write(&all, s, false, r);
    char *text = calloc(1, r->body->used + 1);
    memcpy(text, r->body->data, r->body->used);
    xm_http_buffer_put(r->body);
    while (http->shelf) {
        struct xm_http_buffer *b = http->shelf;
        http->shelf = b->next;
        free(b->data);
        free(b);
    }
    xm_host_give_back(m->host, s);
    xm_host_destroy(m->host);
    free(r);
    free(http);
    return text;
}

#define WAIT_MAX "\nxen_domain_wait_max_seconds{domain=\"dom7\",domid=\"7\"} "
#define FILL     "\nxenmon_trace_buffer_fill_ratio{cpu=\"0\"} "

static void check(uint32_t fast_s, unsigned samples, unsigned longest_at, const char *wait, const char *fill)
{
    struct made m = {0};
    make(&m, fast_s);
    for (unsigned i = 0; i < samples; i++)
        step(&m, i == longest_at ? 80 : 5);
    char *text = scrape(&m);
    const char *at = strstr(text, WAIT_MAX);
    if (wait) {
        assert_non_null(at);
        assert_memory_equal(at + strlen(WAIT_MAX), wait, strlen(wait));
    } else {
        assert_null(at);
    }
    at = strstr(text, FILL);
    assert_non_null(at);
    assert_memory_equal(at + strlen(FILL), fill, strlen(fill));
    free(text);
    drop(&m);
}

static void of_a_whole_window(void **state)
{
    check(60, 200, 110, "0.08\n", "0.005\n");
    check(60, 200, 195, "0.08\n", "0.08\n");
    check(60, 200, 90, "0.005\n", "0.005\n"); /* longer ago than ten seconds */
}

static void since_the_trace_began(void **state)
{
    check(60, 30, 1, "0.08\n", "0.005\n");
}

/* The region forgets after two seconds: of the rest nobody knows, and 5 ms would be a lie. */
static void of_a_region_with_a_short_memory(void **state)
{
    check(2, 60, 10, NULL, "0.005\n");
    check(2, 200, 150, NULL, "0.005\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_whole_window),
        cmocka_unit_test(since_the_trace_began),
        cmocka_unit_test(of_a_region_with_a_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
