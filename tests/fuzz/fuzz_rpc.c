/* SPDX-License-Identifier: MIT */
/* Any bytes, as a call of XML-RPC, are answered: by a fault, or by what a small host that has data says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "export/rpc.h"
#include "region/writer.h"
#include "xenmon/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HZ      UINT64_C(1000000000)
#define STEP    (HZ / 10)
#define SAMPLES 40u
#define DOMAINS 2u
#define VCPUS   3u
#define YEAR_NS (365 * 86400 * XM_NS_PER_S)

/* The host, and whom its questions are put to: made once, and there until the end. */
static struct {
    char directory[32], path[48];
    struct xm_writer *writer;
    struct xm_host *host;
    struct xm_rpc *rpc;
} here;

static void demand(bool good)
{
    if (!good)
        abort();
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * HZ + (uint64_t)t.tv_nsec;
}

static void set_rows(struct xm_sample *s)
{
    s->used = s->capacity;
    for (uint32_t d = 0; d < DOMAINS; d++) {
        struct xm_region_domain fact = {.id = XM_ROW_USED | d};
        snprintf(fact.name, sizeof fact.name, d ? "web & <\"more\">" : "Domain-0");
        s->domain[d].id = fact.id;
        demand(xm_writer_domain(here.writer, d, &fact) == XM_OK);
    }
    for (uint32_t v = 0; v < VCPUS; v++) {
        s->vcpu_domain[v] = v ? 1 : 0;
        s->vcpu[v].id = s->domain[s->vcpu_domain[v]].id | (uint64_t)(v ? v - 1 : 0) << 16;
    }
    s->pcpu[0].id = XM_ROW_USED;
}

static void step(struct xm_sample *s, uint64_t mono_ns, uint64_t real_ns)
{
    s->host.window += STEP;
    s->host.tsc = s->host.window;
    s->host.mono = mono_ns;
    s->host.real = real_ns;
    for (uint32_t v = 0; v < VCPUS; v++) {
        s->vcpu[v].running += STEP / 4;
        s->vcpu[v].blocked += STEP - STEP / 4;
        s->domain[s->vcpu_domain[v]].running += STEP / 4;
    }
    s->pcpu[0].busy += STEP;
    demand(xm_writer_publish(here.writer, XM_SERIES_FAST, s) == XM_OK);
    if (s->host.window % HZ == 0)
        demand(xm_writer_publish(here.writer, XM_SERIES_SLOW, s) == XM_OK);
}

static void leave(void)
{
    xm_rpc_destroy(here.rpc);
    xm_host_destroy(here.host);
    xm_writer_close(here.writer, true);
    rmdir(here.directory);
}

static void begin(void)
{
    struct xm_sample sample = {0};
    uint64_t mono_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t real_ns = clock_ns(CLOCK_REALTIME);
    snprintf(here.directory, sizeof here.directory, "/tmp/xenmon-fuzz-XXXXXX");
    demand(mkdtemp(here.directory) != NULL);
    snprintf(here.path, sizeof here.path, "%s/shm", here.directory);
    const struct xm_writer_config config = {.path = here.path,
                                            .settings = {.capacity = {DOMAINS, VCPUS, 1}},
                                            .source = XM_SOURCE_LIVE,
                                            .source_name = "fuzz"};
    demand(xm_writer_create(&config, &here.writer, NULL) == XM_OK);
    atexit(leave);
    demand(xm_sample_init(&sample, config.settings.capacity) == XM_OK);
    const struct xm_writer_facts facts = {
        .tsc_hz = HZ, .tsc_hz_from = "host", .states_from = "runstate", .host_cpus = 1};
    xm_writer_facts(here.writer, &facts);
    set_rows(&sample);
    xm_writer_state(here.writer, XM_WRITER_RUNNING);
    for (unsigned i = 0; i < SAMPLES; i++)
        step(&sample, mono_ns - (SAMPLES - 1 - i) * STEP, real_ns - (SAMPLES - 1 - i) * STEP);
    xm_writer_heartbeat(here.writer, mono_ns);
    xm_sample_fini(&sample);
    const struct xm_host_config host = {.path = here.path,
                                        .interval_ns = 60 * XM_NS_PER_S,
                                        .linger_ns = 60 * XM_NS_PER_S,
                                        .stale_ns = YEAR_NS,
                                        .pool = 4};
    demand(xm_host_create(&host, &here.host, NULL) == XM_OK);
    demand(xm_rpc_create(&here.rpc, NULL) == XM_OK);
}

struct answer {
    char *text;
    size_t bytes;
};

static bool keep(void *user, const void *data, size_t bytes)
{
    struct answer *answer = user;
    demand(answer->text == NULL); /* in one piece */
    answer->text = malloc(bytes + 1);
    demand(answer->text != NULL);
    memcpy(answer->text, data, bytes);
    answer->text[bytes] = '\0';
    answer->bytes = bytes;
    return true;
}

static bool is_utf8(const char *text, size_t bytes)
{
    json_t *checked = json_stringn(text, bytes);
    bool good = checked != NULL;
    json_decref(checked);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer answer = {0};
    if (!here.host)
        begin();
    char *xml = malloc(size ? size : 1); /* exactly as long: a sanitizer sees one byte too far */
    demand(xml != NULL);
    if (size)
        memcpy(xml, data, size);
    const struct xm_host_snapshot *snapshot = xm_host_take(here.host);
    demand(snapshot->data);
    const struct xm_ask ask = {.snapshot = snapshot, .path = here.path, .hostname = "h", .version = "1"};
    demand(xm_rpc_call(here.rpc, &ask, xml, size, keep, &answer) == XM_OK);
    xm_host_give_back(here.host, snapshot);
    demand(answer.text && strlen(answer.text) == answer.bytes && is_utf8(answer.text, answer.bytes));
    demand(strncmp(answer.text, "<?xml", 5) == 0 && strstr(answer.text, "</methodResponse>"));
    demand(xm_rpc_fits(xml, size) || strstr(answer.text, "bad_call"));
    free(answer.text);
    free(xml);
    return 0;
}
