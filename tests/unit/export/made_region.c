/* SPDX-License-Identifier: MIT */
/*
 * Writes a region of any size, for tests of those who read it: made_region PATH DOMAINS VCPUS PCPUS [NAME]
 *
 * Every domain has VCPUS vCPUs.  Ten samples a second until SIGTERM, whose counters move: of each vCPU's time a
 * share that depends on its number is running, waiting and blocked, and a wait of 1 ms ends in each sample.
 * NAME: what the first domain is called, any bytes.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/histogram.h"
#include "region/writer.h"

#define HZ   UINT64_C(1000000000)
#define STEP (HZ / 10)

struct made {
    struct xm_writer *writer;
    struct xm_sample sample;
    uint32_t domains, vcpus, pcpus;
    uint64_t *counts;
    uint64_t samples;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * HZ + (uint64_t)t.tv_nsec;
}

static void step_vcpu(struct made *m, uint32_t domain, uint32_t slot)
{
    struct xm_vcpu_row *v = &m->sample.vcpu[slot];
    struct xm_domain_row *d = &m->sample.domain[domain];
    uint64_t running = STEP / (2 + slot % 7);
    uint64_t waiting = STEP / (4 + slot % 5);
    v->running += running;
    v->runnable += waiting;
    v->wait_preempt += waiting;
    v->blocked += STEP - running - waiting;
    v->executions += 1 + slot % 3;
    d->running += running;
    d->cpu_time += running;
    d->runnable += waiting;
    d->wait_preempt += waiting;
    d->blocked += STEP - running - waiting;
    d->executions += 1 + slot % 3;
    m->counts[xm_hist_index(HZ / 1000)] = m->samples;
    const uint64_t *const all[XM_HISTS] = {m->counts, m->counts, m->counts};
    if (xm_writer_histograms(m->writer, slot, v->id, all) != XM_OK)
        stop = 1;
}

static void step(struct made *m)
{
    struct xm_sample *s = &m->sample;
    m->samples++;
    s->host.window += STEP;
    s->host.tsc = s->host.window;
    s->host.mono = clock_ns(CLOCK_MONOTONIC);
    s->host.real = clock_ns(CLOCK_REALTIME);
    s->host.records += 1000;
    s->host.passes++;
    for (uint32_t slot = 0; slot < m->domains * m->vcpus; slot++)
        step_vcpu(m, slot / m->vcpus, slot);
    for (uint32_t i = 0; i < m->pcpus; i++) {
        s->pcpu[i].busy += STEP / 2;
        s->pcpu[i].idle += STEP / 2;
        s->pcpu[i].executions += 10;
    }
    if (xm_writer_publish(m->writer, XM_SERIES_FAST, s) != XM_OK)
        stop = 1;
    xm_writer_heartbeat(m->writer, s->host.mono);
}

static void set_rows(struct made *m, const char *name)
{
    m->sample.used = (struct xm_capacity){m->domains, m->domains * m->vcpus, m->pcpus};
    for (uint32_t d = 0; d < m->domains; d++) {
        struct xm_region_domain fact = {.id = XM_ROW_USED | d};
        m->sample.domain[d] = (struct xm_domain_row){.id = fact.id,
                                                     .vcpus = m->vcpus,
                                                     .online = m->vcpus,
                                                     .weight = 256,
                                                     .cap = d == 1 ? 150 : 0,
                                                     .vifs = 1,
                                                     .vbds = 1};
        if (d == 0 && name)
            snprintf(fact.name, sizeof fact.name, "%s", name);
        else
            snprintf(fact.name, sizeof fact.name, d ? "guest-%u" : "Domain-0", (unsigned)d);
        snprintf(fact.uuid, sizeof fact.uuid, "00000000-0000-4000-8000-%012u", (unsigned)d);
        if (xm_writer_domain(m->writer, d, &fact) != XM_OK)
            stop = 1;
        for (uint32_t v = 0; v < m->vcpus; v++) {
            m->sample.vcpu[d * m->vcpus + v].id = fact.id | (uint64_t)v << 16;
            m->sample.vcpu_domain[d * m->vcpus + v] = d;
        }
    }
    for (uint32_t i = 0; i < m->pcpus; i++)
        m->sample.pcpu[i].id = XM_ROW_USED | i;
}

static uint32_t number(const char *text)
{
    unsigned long n = strtoul(text, NULL, 10);
    return n >= 1 && n <= 16384 ? (uint32_t)n : 1;
}

int main(int argc, char **argv)
{
    struct xm_error err = {0};
    struct made m = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: made_region PATH DOMAINS VCPUS PCPUS [NAME]\n");
        return 2;
    }
    m.domains = number(argv[2]);
    m.vcpus = number(argv[3]);
    m.pcpus = number(argv[4]);
    struct xm_writer_config config = {.path = argv[1], .source = XM_SOURCE_LIVE, .source_name = "made up"};
    config.settings.capacity = (struct xm_capacity){m.domains, m.domains * m.vcpus, m.pcpus};
    m.counts = calloc(XM_HIST_BUCKETS, sizeof *m.counts);
    if (!m.counts || xm_sample_init(&m.sample, config.settings.capacity) != XM_OK ||
        xm_writer_create(&config, &m.writer, &err) != XM_OK) {
        fprintf(stderr, "made_region: %s\n", err.text);
        return 1;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    struct xm_writer_facts facts = {.tsc_hz = HZ,
                                    .tsc_hz_from = "host",
                                    .states_from = "runstate",
                                    .io_seen = XM_IO_SEEN_GRANTS,
                                    .hypervisor = "Xen 4.17.7",
                                    .scheduler = "credit2",
                                    .host_cpus = m.pcpus};
    xm_writer_facts(m.writer, &facts);
    set_rows(&m, argc > 5 ? argv[5] : NULL);
    xm_writer_state(m.writer, XM_WRITER_RUNNING);
    struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    while (!stop) {
        step(&m);
        nanosleep(&pause, NULL);
    }
    xm_writer_close(m.writer, true);
    xm_sample_fini(&m.sample);
    free(m.counts);
    return stop == 1 ? 1 : 0;
}
