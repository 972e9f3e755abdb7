/* SPDX-License-Identifier: MIT */
/*
 * Keeps a region as xenbaked would on a host of any size, without its work: hosts PATH DOMAINS VCPUS PCPUS
 * SECONDS.
 *
 * Every vCPU (VCPUS of each domain) runs, waits and blocks by shares of its own that change slowly; ten
 * samples a second, one a second into the slow series, histograms beside it.  Before it begins to keep time
 * it writes two minutes of history, so that readers find full windows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "region/writer.h"

#define INTERVAL_NS UINT64_C(100000000)
#define HISTORY     1200u /* samples */
#define HZ          UINT64_C(2000000000)
#define CYCLES      (HZ / 10) /* of an interval */

struct host {
    struct xm_writer *writer;
    struct xm_sample sample;
    uint32_t domains, vcpus, pcpus;
    uint64_t *counts[XM_HISTS]; /* of every vCPU alike */
    uint64_t samples;
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Shares of a sample's time, in cycles; they add up to it. */
static void live(struct xm_vcpu_row *v, struct xm_domain_row *d, uint64_t n, uint64_t seed)
{
    uint64_t whole = CYCLES;
    uint64_t running = whole * ((seed * 7 + n / 50) % 60) / 100;
    uint64_t waiting = whole * ((seed * 3 + n / 70) % 20) / 100;
    uint64_t executions = 20 + seed % 80;
    v->running += running;
    v->runnable += waiting;
    v->blocked += whole - running - waiting;
    v->wait_wake += waiting;
    v->executions += executions;
    v->wait_max = waiting / 8 + (seed + n * 31) % 1000;
    v->slices += executions;
    v->slice_sum += executions * 5000000;
    v->slice_min = 1000000;
    v->slice_max = 10000000;
    v->state = (seed + n) % 3;
    v->pcpu = 1 + seed % 4;
    v->last_run = running / executions;
    d->running += running;
    d->runnable += waiting;
    d->blocked += whole - running - waiting;
    d->wait_wake += waiting;
    d->wait_any += waiting / 2;
    d->executions += executions;
    d->wait_max = d->wait_max > v->wait_max ? d->wait_max : v->wait_max;
    d->slices += executions;
    d->slice_sum += executions * 5000000;
    d->slice_min = 1000000;
    d->slice_max = 10000000;
    d->grant_maps += seed % 5;
    d->last_run = v->last_run;
}

static void begin(struct host *h)
{
    struct xm_sample *s = &h->sample;
    s->used = (struct xm_capacity){h->domains, h->domains * h->vcpus, h->pcpus};
    for (uint32_t d = 0; d < h->domains; d++) {
        struct xm_region_domain fact = {.id = XM_ROW_USED | d};
        s->domain[d].id = fact.id;
        s->domain[d].vcpus = h->vcpus;
        snprintf(fact.name, sizeof fact.name, d ? "guest-%u" : "Domain-0", d);
        (void)!xm_writer_domain(h->writer, d, &fact);
        for (uint32_t v = 0; v < h->vcpus; v++) {
            s->vcpu[d * h->vcpus + v].id = XM_ROW_USED | (uint64_t)v << 16 | d;
            s->vcpu_domain[d * h->vcpus + v] = d;
        }
    }
    for (uint32_t p = 0; p < h->pcpus; p++)
        s->pcpu[p].id = XM_ROW_USED | p;
}

static bool publish(struct host *h, uint64_t at_ns)
{
    struct xm_sample *s = &h->sample;
    uint64_t n = h->samples++;
    uint64_t real_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC) + at_ns;
    uint64_t whole = CYCLES;
    s->host.window = n * whole;
    s->host.tsc = 1000 + n * whole;
    s->host.mono = at_ns;
    s->host.real = real_ns;
    s->host.records += s->used.vcpus * 50;
    for (uint32_t d = 0; n && d < h->domains; d++) {
        s->domain[d].wait_max = 0;
        for (uint32_t v = 0; v < h->vcpus; v++)
            live(&s->vcpu[d * h->vcpus + v], &s->domain[d], n, d * 17 + v);
        s->pair[(size_t)d * s->capacity.pcpus + d % h->pcpus].running += whole / 50;
    }
    for (uint32_t p = 0; n && p < h->pcpus; p++) {
        s->pcpu[p].busy += whole * (40 + p % 50) / 100;
        s->pcpu[p].idle += whole - whole * (40 + p % 50) / 100;
    }
    bool slow = n % 10 == 0;
    for (uint32_t v = 0; slow && v < s->used.vcpus; v++) {
        h->counts[XM_HIST_WAIT][300 + n % 40]++;
        (void)!xm_writer_histograms(h->writer, v, s->vcpu[v].id, (const uint64_t *const *)h->counts);
    }
    if (slow && xm_writer_publish(h->writer, XM_SERIES_SLOW, s) != XM_OK)
        return false;
    return xm_writer_publish(h->writer, XM_SERIES_FAST, s) == XM_OK;
}

static bool open_host(struct host *h, const char *path)
{
    struct xm_error err;
    struct xm_writer_config config = {
        .path = path,
        .settings = {.capacity = {h->domains + 8, h->domains * h->vcpus + 16, h->pcpus}},
        .source = XM_SOURCE_LIVE,
        .source_name = "a host that is made up",
    };
    const struct xm_writer_facts facts = {
        .tsc_hz = HZ, .tsc_hz_from = "host", .states_from = "runstate", .io_seen = XM_IO_SEEN_GRANTS};
    xm_error_clear(&err);
    for (unsigned i = 0; i < XM_HISTS; i++)
        h->counts[i] = calloc(XM_HIST_BUCKETS, sizeof *h->counts[i]);
    if (!h->counts[0] || !h->counts[1] || !h->counts[2] ||
        xm_sample_init(&h->sample, config.settings.capacity) != XM_OK ||
        xm_writer_create(&config, &h->writer, &err) != XM_OK) {
        fprintf(stderr, "hosts: %s\n", err.status == XM_OK ? "out of memory" : err.text);
        return false;
    }
    xm_writer_facts(h->writer, &facts);
    xm_writer_state(h->writer, XM_WRITER_RUNNING);
    begin(h);
    return true;
}

static void keep_time(struct host *h, uint64_t seconds)
{
    uint64_t due_ns = now_ns(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < seconds * 10; i++) {
        struct timespec t = {(time_t)(due_ns / XM_NS_PER_S), (long)(due_ns % XM_NS_PER_S)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        xm_writer_heartbeat(h->writer, due_ns);
        if (!publish(h, due_ns))
            return;
        due_ns += INTERVAL_NS;
    }
}

int main(int argc, char **argv)
{
    struct host h = {0};
    uint64_t number[4] = {0};
    for (int i = 0; i < 4 && argc == 6; i++)
        number[i] = strtoull(argv[i + 2], NULL, 10);
    if (argc != 6 || !number[0] || !number[1] || !number[2] || number[0] > 8000 || number[1] > 128 ||
        number[2] > 4096) {
        fputs("usage: hosts PATH DOMAINS VCPUS PCPUS SECONDS\n", stderr);
        return 2;
    }
    h.domains = (uint32_t)number[0];
    h.vcpus = (uint32_t)number[1];
    h.pcpus = (uint32_t)number[2];
    if (!open_host(&h, argv[1]))
        return 1;
    uint64_t start_ns = now_ns(CLOCK_MONOTONIC) - HISTORY * INTERVAL_NS;
    for (uint64_t i = 0; i < HISTORY; i++)
        if (!publish(&h, start_ns + i * INTERVAL_NS))
            return 1;
    puts("ready");
    fflush(stdout);
    keep_time(&h, number[3]);
    xm_writer_close(h.writer, true);
    xm_sample_fini(&h.sample);
    for (unsigned i = 0; i < XM_HISTS; i++)
        free(h.counts[i]);
    return 0;
}
