/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define ID(domid, vcpu) (XM_ROW_USED | (uint64_t)(vcpu) << 16 | (domid))

/* Milliseconds in each state in every second. */
static const struct {
    uint32_t domain, domid, vcpu;
    uint64_t running, runnable, blocked;
    uint64_t executions, state, pcpu;
} vcpus[] = {
    {FAKE_WEB, 1, 0, 500, 250, 250, 100, 0, 3},
    {FAKE_DOM0, 0, 0, 300, 100, 600, 200, 2, 1},
    {FAKE_DOM0, 0, 1, 0, 0, 1000, 0, 2, 1},
    {FAKE_STARVED, 7, 0, 0, 1000, 0, 0, 1, 0},
};
#define VCPUS (sizeof vcpus / sizeof vcpus[0])

static void fill_vcpu(struct xm_sample *s, uint32_t i, uint64_t seconds)
{
    struct xm_vcpu_row *v = &s->vcpu[i];
    struct xm_domain_row *d = &s->domain[vcpus[i].domain];
    s->vcpu_domain[i] = vcpus[i].domain;
    v->id = ID(vcpus[i].domid, vcpus[i].vcpu);
    v->running = seconds * vcpus[i].running * MS;
    v->runnable = seconds * vcpus[i].runnable * MS;
    v->blocked = seconds * vcpus[i].blocked * MS;
    v->wait_wake = v->runnable / 5 * 4;
    v->wait_preempt = v->runnable - v->wait_wake;
    v->executions = seconds * vcpus[i].executions;
    v->slices = v->executions;
    v->slice_sum = v->slices * 5 * MS;
    v->slice_min = v->slices ? 1 * MS : UINT64_MAX;
    v->slice_max = v->slices ? 10 * MS : 0;
    v->wait_max = v->executions ? 40 * MS : 0;
    v->state = vcpus[i].state;
    v->pcpu = vcpus[i].pcpu;

    d->id = ID(vcpus[i].domid, 0);
    d->vcpus++;
    d->running += v->running;
    d->runnable += v->runnable;
    d->wait_any += v->runnable; /* of each domain one vCPU waits */
    d->blocked += v->blocked;
    d->wait_wake += v->wait_wake;
    d->wait_preempt += v->wait_preempt;
    d->executions += v->executions;
    d->slices += v->slices;
    d->slice_sum += v->slice_sum;
    d->slice_min = d->slices ? 1 * MS : UINT64_MAX;
    d->slice_max = d->slices ? 10 * MS : 0;
}

static void fill(struct xm_sample *s, uint64_t seconds)
{
    s->used = (struct xm_capacity){.domains = FAKE_DOMAINS, .vcpus = VCPUS, .pcpus = 2};
    s->host.tsc = 1000 + seconds * 1000 * MS;
    s->host.window = seconds * 1000 * MS;
    s->host.records = seconds * 4321;
    for (uint32_t i = 0; i < VCPUS; i++)
        fill_vcpu(s, i, seconds);
    s->domain[FAKE_WEB].grant_maps = seconds * 50;
    s->domain[FAKE_DOM0].done_maps = seconds * 50;
    s->domain[FAKE_WEB].last_run = 2 * MS;
    s->domain[FAKE_WEB].last_wait = 1 * MS;
    s->domain[FAKE_WEB].last_blocked = 1 * MS;
    s->domain[FAKE_WEB].last_slice = 5 * MS;
    for (uint32_t i = 0; i < 2; i++) {
        s->pcpu[i].id = XM_ROW_USED | (i * 2);
        s->pcpu[i].busy = seconds * (i ? 300 : 500) * MS;
        s->pcpu[i].idle = seconds * (i ? 700 : 500) * MS;
    }
    struct xm_pair_row *pair = s->pair;
    uint32_t columns = s->capacity.pcpus;
    pair[FAKE_WEB * columns + 0] = (struct xm_pair_row){seconds * 200 * MS, seconds * 250 * MS, seconds * 60};
    pair[FAKE_WEB * columns + 1] = (struct xm_pair_row){seconds * 300 * MS, 0, seconds * 40};
    pair[FAKE_DOM0 * columns + 0] = (struct xm_pair_row){seconds * 300 * MS, seconds * 100 * MS, seconds * 200};
}

void fake_make(struct fake *f)
{
    static const struct xm_capacity capacity = {.domains = 8, .vcpus = 16, .pcpus = 4};
    static const uint64_t since_s[XM_SPANS] = {19, 10};
    memset(f, 0, sizeof *f);
    assert_true(xm_scale_init(&f->scale, XM_NS_PER_S));
    assert_int_equal(xm_sample_init(&f->to, capacity), XM_OK);
    fill(&f->to, 20);
    for (unsigned i = 0; i < XM_SPANS; i++) {
        assert_int_equal(xm_sample_init(&f->from[i], capacity), XM_OK);
        fill(&f->from[i], since_s[i]);
        f->model.window[i] = (struct xm_window){.from = &f->from[i], .to = &f->to,
            .scale = &f->scale, .io_seen = XM_IO_SEEN_GRANTS};
    }
    f->fact[FAKE_DOM0] = (struct xm_region_domain){.id = ID(0, 0), .name = "Domain-0"};
    f->fact[FAKE_WEB] = (struct xm_region_domain){.id = ID(1, 0), .name = "web"};
    f->model.link = XM_LINK_LIVE;
    f->model.path = "/run/xenmon/shm";
    f->model.reason = "";
    f->model.notice = "";
    f->model.data = true;
    f->model.fact = f->fact;
    f->model.info = (struct xm_region_info){.creation_id = 1, .writer_pid = 4711, .tsc_hz = XM_NS_PER_S,
        .source = XM_SOURCE_REPLAY, .tsc_hz_from = "trace", .source_name = "some.trace", .io_seen = XM_IO_SEEN_GRANTS};
}

void fake_free(struct fake *f)
{
    xm_sample_fini(&f->to);
    for (unsigned i = 0; i < XM_SPANS; i++)
        xm_sample_fini(&f->from[i]);
}

const char *fake_line(const struct xm_grid *grid, unsigned y, char text[4096])
{
    xm_grid_line(grid, y, text, 4096);
    return text;
}

unsigned fake_find(const struct xm_grid *grid, unsigned first, const char *what)
{
    char text[4096];
    for (unsigned y = first; y < grid->height; y++)
        if (strstr(fake_line(grid, y, text), what))
            return y;
    print_error("no line has \"%s\":\n", what);
    for (unsigned y = 0; y < grid->height; y++)
        print_error("%s\n", fake_line(grid, y, text));
    fail();
    return 0;
}
