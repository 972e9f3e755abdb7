/* SPDX-License-Identifier: MIT */
/* A live host from its buffers to the region: the loop, names and facts, domains without a record, the clocks. */
#include <inttypes.h>
#include <time.h>

#include "baked.h"
#include "live_world.h"
#include "region/writer.h"
#include "source/loop.h"
#include "source/xen/facts.h"
#include "source/xen/host.h"
#include "xenmon/region.h"

#define HZ 2793439000u /* of the captures */
#define CPU_BEFORE UINT64_C(86400000000000) /* that domains 0 and 1 have used when the test begins */
#define SILENT 9u      /* a domain that the capture does not know */

struct live {
    struct world *w;
    struct xm_facts *facts;
    struct xm_host *host;
    struct xm_writer *writer;
    struct xm_loop *loop;
    struct xt_bytes capture;
    struct fakexen_play *play;
    struct xm_region *region;
    struct xm_sample sample;
    char path[96];
    struct xm_moment began;
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void add_domains(struct fakexen *fake)
{
    fakexen_domain(fake, &(struct fakexen_domain){.domid = 0, .vcpus = 2, .online = 2, .weight = 512, .cpu_ns = CPU_BEFORE});
    fakexen_domain(fake, &(struct fakexen_domain){.domid = 1, .vcpus = 2, .online = 2, .weight = 256, .cap = 50, .cpu_ns = CPU_BEFORE});
    fakexen_domain(fake, &(struct fakexen_domain){.domid = SILENT, .vcpus = 3, .online = 2, .weight = 100});
}

/* On pCPUs 0 and 1, which the captures have; 2 is idle. */
static struct live live_on(const char *capture, uint32_t events, bool all_traced)
{
    static const char *const no_library[] = {"/nonexistent/libxenstore.so", NULL};
    struct live l = {.w = world(&(struct fakexen_config){.cpus = 3}), .capture = xt_capture(capture)};
    struct xm_error err;
    xm_error_clear(&err);
    add_domains(l.w->fake);
    l.w->config.pages = 64;
    l.w->config.events = events;
    open_live(l.w);
    const struct xm_facts_config facts = {.control = l.w->control, .sys = l.w->dir, .libraries = no_library};
    assert_int_equal(xm_facts_open(&facts, &l.facts, NULL), XM_OK);
    const struct xm_host_config host = {.source = l.w->source, .control = l.w->control, .facts = l.facts,
                                        .cpus = 3, .all_traced = all_traced};
    assert_int_equal(xm_host_create(&host, &l.host, &err), XM_OK);
    snprintf(l.path, sizeof l.path, "%s/shm", l.w->dir);
    const struct xm_writer_config writer = {.path = l.path, .source = XM_SOURCE_LIVE,
                                            .source_name = "Xen of the tests"};
    assert_int_equal(xm_writer_create(&writer, &l.writer, &err), XM_OK);
    const struct xm_loop_config loop = {.source = l.w->source, .writer = l.writer, .hz = HZ, .hz_from = "host",
                                        .stream = {.order = XM_ORDER_PROMPT}, .speed = XM_SPEED_MAX, .passes = 1,
                                        .facts = {.hypervisor = "Xen 4.17.1", .scheduler = "credit2"},
                                        .around = xm_host_surroundings(l.host)};
    assert_int_equal(xm_loop_create(&loop, &l.loop, &err), XM_OK);
    l.play = fakexen_play(l.w->fake, l.capture.data, l.capture.size);
    assert_int_equal(xm_region_open(l.path, &l.region, &err), XM_OK);
    assert_int_equal(xm_sample_init(&l.sample, (struct xm_capacity){32, 100, 8}), XM_OK);
    l.began = (struct xm_moment){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME)};
    return l;
}

static void live_end(struct live *l)
{
    xm_region_close(l->region);
    xm_sample_fini(&l->sample);
    fakexen_play_end(l->play);
    xm_loop_destroy(l->loop);
    xm_writer_close(l->writer, true);
    xm_host_destroy(l->host);
    xm_facts_close(l->facts);
    xt_free(&l->capture);
    world_end(l->w);
}

/* When trace time `tsc` is on the host of the test, `late_ns` after it was. */
static struct xm_moment moment_at(const struct live *l, uint64_t tsc, uint64_t late_ns)
{
    uint64_t ns = (uint64_t)((double)(tsc - fakexen_play_first(l->play)) * 1e9 / HZ) + late_ns;
    return (struct xm_moment){l->began.mono_ns + ns, l->began.real_ns + ns};
}

/* Everything up to `tsc` is written and passes are taken, `late_ns` later. */
static void run_to(struct live *l, uint64_t tsc, uint64_t late_ns)
{
    uint64_t passes = xm_live_status(l->w->source).passes;
    struct xm_error err;
    xm_error_clear(&err);
    fakexen_play_until(l->play, tsc);
    /* A pass is complete when the next one has begun. */
    for (int steps = 0; xm_live_status(l->w->source).passes < passes + 2; steps++) {
        uint64_t wake;
        enum xm_status status = xm_loop_step(l->loop, moment_at(l, tsc, late_ns), 20, &wake, &err);
        assert_true(status == XM_OK || status == XM_AGAIN);
        assert_true(steps < 10000);
    }
}

static void newest(struct live *l)
{
    struct xm_region_info info;
    assert_int_equal(xm_region_info(l->region, &info), XM_REGION_OK);
    assert_int_not_equal(info.series[XM_SERIES_FAST].newest, UINT64_MAX);
    assert_int_equal(xm_region_sample(l->region, XM_SERIES_FAST, info.series[XM_SERIES_FAST].newest, &l->sample),
                     XM_REGION_OK);
    assert_null(xt_broken_sum(&l->sample));
}

static void play_all(struct live *l, uint64_t late_ns)
{
    uint64_t last = fakexen_play_last(l->play);
    uint64_t step = HZ / 20;
    for (uint64_t tsc = fakexen_play_first(l->play) + step; tsc < last; tsc += step)
        run_to(l, tsc, late_ns);
    run_to(l, last, late_ns);
    newest(l);
}

static const struct xm_domain_row *domain_row(const struct live *l, uint32_t domid)
{
    return xt_domain(&l->sample, XM_ROW_USED | domid);
}

static const struct xm_vcpu_row *vcpu_row(const struct live *l, uint32_t domid, uint32_t vcpu)
{
    return xt_vcpu(&l->sample, xt_vcpu_id(0, domid, vcpu));
}

static void test_samples(void **state)
{
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, true);
    play_all(&l, 300000);
    const struct xm_host_row *h = &l.sample.host;
    assert_true(h->passes > 10 && h->wakeups > 0 && h->own_cpu > 0);
    assert_int_equal(h->lost_records + h->anomalies + h->bogus + h->stolen + h->damaged_bytes, 0);
    assert_int_equal(domain_row(&l, 0)->weight, 512);
    assert_int_equal(domain_row(&l, 0)->online, 2);
    assert_int_equal(domain_row(&l, 1)->cap, 50);
    assert_true(l.sample.pcpu[0].buffer_fill < 1000);
    struct xm_region_info info;
    assert_int_equal(xm_region_info(l.region, &info), XM_REGION_OK);
    assert_int_equal(info.source, XM_SOURCE_LIVE);
    assert_string_equal(info.hypervisor, "Xen 4.17.1");
    assert_string_equal(info.tsc_hz_from, "host");
    live_end(&l);
}

/* Nothing was ever recorded of it: it waits, and one of its vCPUs is unplugged. */
static void test_silent_domain(void **state)
{
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, true);
    play_all(&l, 300000);
    const struct xm_domain_row *d = domain_row(&l, SILENT);
    assert_non_null(d);
    assert_int_equal(d->weight, 100);
    assert_int_equal(d->online, 2);
    const struct xm_vcpu_row *v = vcpu_row(&l, SILENT, 0);
    assert_int_equal(v->state, XM_RUNNABLE);
    assert_int_equal(v->runnable + v->late_runnable, l.sample.host.window);
    assert_true(v->runnable > l.sample.host.window / 2);
    assert_int_equal(vcpu_row(&l, SILENT, 2)->state, XM_OFFLINE);
    live_end(&l);
}

/* Where not every pCPU is traced, silence proves nothing. */
static void test_silence_without_all_pcpus(void **state)
{
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, false);
    play_all(&l, 300000);
    const struct xm_vcpu_row *v = vcpu_row(&l, SILENT, 0);
    assert_int_equal(v->unknown, l.sample.host.window);
    assert_int_equal(v->late_runnable, 0);
    assert_int_equal(v->state, 4 | 16 | XM_RUNNABLE << 8);
    live_end(&l);
}

/* In the words of Xen's runstates: who was blocked when the domain was paused or shut down is blocked still. */
static void test_states(void **state)
{
    static const struct {
        struct fakexen_domain domain;
        enum xm_runstate is;
    } row[] = {
        {{.domid = 20, .vcpus = 1, .online = 1}, XM_RUNNABLE},
        {{.domid = 21, .vcpus = 1, .online = 1, .blocked = 1}, XM_BLOCKED},
        {{.domid = 22, .vcpus = 1, .online = 1, .paused = true}, XM_OFFLINE},
        {{.domid = 23, .vcpus = 1, .online = 1, .paused = true, .blocked = 1}, XM_BLOCKED},
        {{.domid = 24, .vcpus = 1, .online = 1, .shut_down = true}, XM_OFFLINE},
        {{.domid = 25, .vcpus = 1, .online = 1, .shut_down = true, .blocked = 1}, XM_BLOCKED},
        {{.domid = 26, .vcpus = 1, .online = 0}, XM_OFFLINE},
    };
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, true);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        fakexen_domain(l.w->fake, &row[i].domain);
    run_to(&l, fakexen_play_first(l.play) + HZ, 300000);
    newest(&l);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const struct xm_vcpu_row *v = vcpu_row(&l, row[i].domain.domid, 0);
        assert_non_null(v);
        if (v->state != row[i].is)
            fail_msg("domain %u: %" PRIu64, row[i].domain.domid, (uint64_t)v->state);
    }
    live_end(&l);
}

/* pCPUs that come while tracing have no buffer: what is introduced from then on is not known to have been silent. */
static void test_pcpus_that_come(void **state)
{
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, true);
    assert_false(xm_host_look_after(l.host));
    fakexen_cpu_online(l.w->fake, 2, false);
    assert_false(xm_host_look_after(l.host));
    fakexen_cpu_online(l.w->fake, 2, true);
    assert_int_equal(fakexen_runstate(l.w->fake, 2, 1, 1, 0, 0, 1), FAKEXEN_NO_BUFFER);
    assert_true(xm_host_look_after(l.host));
    assert_false(xm_host_look_after(l.host)); /* said once */
    play_all(&l, 300000);
    const struct xm_vcpu_row *v = vcpu_row(&l, SILENT, 0);
    assert_int_equal(v->unknown, l.sample.host.window);
    assert_int_equal(v->late_runnable, 0);
    live_end(&l);
}

/* Others than at the start, and none that went: where physinfo fails nobody knows. */
static void test_pcpus_that_stay(void **state)
{
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, true);
    fakexen_refusals(l.w->fake)->physinfo = EPERM;
    assert_false(xm_host_look_after(l.host));
    fakexen_refusals(l.w->fake)->physinfo = 0;
    assert_false(xm_host_look_after(l.host));
    fakexen_cpu_online(l.w->fake, 2, false);
    assert_false(xm_host_look_after(l.host));
    play_all(&l, 300000);
    assert_true(vcpu_row(&l, SILENT, 0)->runnable > l.sample.host.window / 2);
    live_end(&l);
}

/* Until the host has been asked for its domains once more, which it is once a second of the clock. */
static void run_to_question(struct live *l, uint64_t *tsc)
{
    uint64_t asked = fakexen_state(l->w->fake).domctls;
    do {
        *tsc += HZ / 20;
        assert_true(*tsc < fakexen_play_last(l->play));
        run_to(l, *tsc, 300000);
    } while (fakexen_state(l->w->fake).domctls == asked);
}

/* Until the account has come to the time of the answer: 100 ms after the question, and what a step takes. */
static void run_to_answer(struct live *l, uint64_t *tsc)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC) + 300 * MS;
    do {
        *tsc += HZ / 20;
        assert_true(*tsc < fakexen_play_last(l->play));
        run_to(l, *tsc, 300000);
    } while (moment_at(l, *tsc, 0).mono_ns < now);
    newest(l);
}

static const struct xm_domain_row *instance(const struct live *l, uint32_t domid, uint32_t number)
{
    for (uint32_t i = 0; i < l->sample.used.domains; i++) {
        const struct xm_domain_row *d = &l->sample.domain[i];
        if (d->id && xm_row_domid(d->id) == domid && xm_row_instance(d->id) == number)
            return d;
    }
    return NULL;
}

/* The end of a domain is no record of runstates, and where it is one it can be lost: the host's list tells. */
static void end_by_the_list(uint32_t events)
{
    struct live l = live_on("credit2-contend", events, true);
    uint64_t tsc = fakexen_play_first(l.play);
    for (uint16_t id = 2; id < 8; id++)
        fakexen_domain(l.w->fake, &(struct fakexen_domain){.domid = id, .vcpus = 2, .online = 2});
    fakexen_domain_gone(l.w->fake, 1);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    assert_int_equal(instance(&l, 1, 0)->ended, 0); /* it could be about to come */
    assert_true(instance(&l, 1, 0)->executions > 0);
    usleep(1050000);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    for (uint32_t i = 0; i < l.sample.used.domains; i++) {
        const struct xm_domain_row *d = &l.sample.domain[i];
        assert_int_equal(d->ended, xm_row_domid(d->id) == 1 && xm_row_instance(d->id) == 0);
    }
    live_end(&l);
}

static void test_end_by_the_list(void **state)
{
    end_by_the_list(XM_LIVE_EVENTS_MINIMAL);
    end_by_the_list(XM_LIVE_EVENTS);
}

/* Of a list that could not be had nobody is absent, and who was in one that could is not either. */
static void test_list_that_fails(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    uint64_t tsc = fakexen_play_first(l.play);
    for (uint16_t id = 2; id < 8; id++)
        fakexen_domain(l.w->fake, &(struct fakexen_domain){.domid = id, .vcpus = 2, .online = 2});
    fakexen_domain_gone(l.w->fake, 1);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    fakexen_refusals(l.w->fake)->list = EIO;
    usleep(1050000);
    run_to_answer(&l, &tsc);
    assert_int_equal(instance(&l, 1, 0)->ended, 0);
    live_end(&l);
}

static void uses(struct live *l, uint16_t domid, uint64_t cpu_ns)
{
    fakexen_domain(l->w->fake, &(struct fakexen_domain){.domid = domid, .vcpus = 2, .online = 2, .weight = 256,
                                                        .cpu_ns = cpu_ns});
}

/*
 * CPU time by the hypervisor's account: since the run began, as of a list that is no younger than the sample, and of the
 * life that the list speaks of.
 */
static void test_cpu_time(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    uint64_t tsc = fakexen_play_first(l.play);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    assert_int_equal(domain_row(&l, 0)->cpu_time, 0); /* what add_domains() says has been used is of before */
    uses(&l, 0, CPU_BEFORE + 7 * MS);
    uses(&l, 1, CPU_BEFORE - 1); /* another domain: of the one before, less would be nonsense */
    usleep(1050000);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    assert_int_equal(domain_row(&l, 0)->cpu_time, 7 * MS);
    assert_int_equal(domain_row(&l, 1)->cpu_time, CPU_BEFORE - 1);
    uses(&l, 0, CPU_BEFORE + 5 * MS); /* a counter that goes back is not followed */
    uses(&l, 1, CPU_BEFORE + 3 * MS);
    usleep(1050000);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    assert_int_equal(domain_row(&l, 0)->cpu_time, 7 * MS);
    live_end(&l);
}

/* A list is for samples that are not older than it: the account is behind. */
static void test_cpu_time_waits(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    uint64_t tsc = fakexen_play_first(l.play) + HZ / 5;
    /* Moments of samples stay far behind the clock: no answer is due. */
    l.began.mono_ns -= 3600 * XM_NS_PER_S;
    uses(&l, 0, CPU_BEFORE + 7 * MS);
    run_to(&l, tsc, 300000);
    run_to(&l, tsc + HZ / 2, 300000);
    newest(&l);
    assert_int_equal(domain_row(&l, 0)->cpu_time, 0);
    live_end(&l);
}

/*
 * The host is asked at most 150 ms before a sample of the slow series is due, which is one of those up to 100 ms later; and
 * here there is what two steps of the test take.
 * Domain 0 uses a pCPU all the time, by the clock of the test, so that its CPU time says when it was asked for.
 */
static void test_cpu_time_is_fresh(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    struct xm_region_info info;
    uint64_t slow = 0, longest = 0, begun = l.began.mono_ns, now = 0;
    unsigned compared = 0;
    while (now < 5 * XM_NS_PER_S) {
        uint64_t before = now;
        now = clock_ns(CLOCK_MONOTONIC) - begun;
        longest = now - before > longest ? now - before : longest;
        uint64_t tsc = fakexen_play_first(l.play) + (uint64_t)((double)now * HZ / 1e9);
        if (tsc >= fakexen_play_last(l.play))
            break;
        uses(&l, 0, CPU_BEFORE + now);
        run_to(&l, tsc, 0);
        assert_int_equal(xm_region_info(l.region, &info), XM_REGION_OK);
        uint64_t index, newest_slow = info.series[XM_SERIES_SLOW].newest;
        if (newest_slow == UINT64_MAX || newest_slow == slow || newest_slow < 2)
            continue; /* the first questions are asked at once */
        slow = newest_slow;
        struct xm_host_row host;
        assert_int_equal(xm_region_host(l.region, XM_SERIES_SLOW, slow, &host), XM_REGION_OK);
        assert_int_equal(xm_region_find(l.region, XM_SERIES_FAST, host.window, &index), XM_REGION_OK);
        assert_int_equal(xm_region_sample(l.region, XM_SERIES_FAST, index, &l.sample), XM_REGION_OK);
        assert_true(l.sample.host.tsc == host.tsc);
        uint64_t at = host.mono - begun, asked = domain_row(&l, 0)->cpu_time;
        if (asked > at || at - asked > 250 * MS + 2 * longest)
            fail_msg("a sample at %" PRIu64 " ns has an answer of %" PRIu64 ", steps take up to %" PRIu64, at, asked, longest);
        compared++;
    }
    assert_true(compared >= 2);
    live_end(&l);
}

/* Lists that cannot be had say nothing; the next one that can has all that was used meanwhile. */
static void test_cpu_time_without_list(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    uint64_t tsc = fakexen_play_first(l.play);
    fakexen_refusals(l.w->fake)->list = EIO;
    uses(&l, 0, CPU_BEFORE + 9 * MS);
    run_to_answer(&l, &tsc);
    assert_int_equal(domain_row(&l, 0)->cpu_time, 0);
    fakexen_refusals(l.w->fake)->list = 0;
    usleep(1050000);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    assert_int_equal(domain_row(&l, 0)->cpu_time, 9 * MS);
    live_end(&l);
}

static void dom0_op(struct live *l, uint64_t tsc, uint32_t event, uint16_t domid)
{
    const struct xm_record r = {.event = event, .has_tsc = true, .words = 1, .tsc = {tsc}, .word = {domid}};
    assert_int_equal(fakexen_record(l->w->fake, 0, &r), FAKEXEN_WROTE);
}

/* Listed with vCPUs that no record has named, and gone before the account comes to the time of the list. */
static void test_gone_before_the_answer(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    uint64_t tsc = fakexen_play_first(l.play);
    fakexen_domain(l.w->fake, &(struct fakexen_domain){.domid = 20, .vcpus = 2, .online = 2, .paused = true});
    run_to(&l, tsc, 300000);
    dom0_op(&l, tsc, 0x00041001, 20);
    run_to_question(&l, &tsc);
    dom0_op(&l, tsc, 0x00041002, 20);
    fakexen_domain_gone(l.w->fake, 20);
    run_to_answer(&l, &tsc);
    assert_true(instance(&l, 20, 0)->ended);
    assert_null(instance(&l, 20, 1));
    assert_null(instance(&l, SILENT, 0)); /* it was noted at the same time */
    usleep(1050000);
    run_to_question(&l, &tsc);
    run_to_answer(&l, &tsc);
    assert_null(instance(&l, 20, 1));
    assert_non_null(instance(&l, SILENT, 0));
    live_end(&l);
}

/* The trace has been silent for longer than a pipe would be believed, as nobody has looked: that is no pass. */
static void test_no_look_is_no_pass(void **state)
{
    struct live l = live_on("credit2-contend", XM_LIVE_EVENTS, true);
    struct xm_live *inside_source = inside(l.w);
    struct xm_error err;
    uint64_t wake, tsc = fakexen_play_first(l.play) + HZ / 2;
    xm_error_clear(&err);
    run_to(&l, tsc, 300000);
    tsc += HZ / 20;
    fakexen_play_until(l.play, tsc);
    inside_source->due_ns = 0;
    while (xm_loop_step(l.loop, moment_at(&l, tsc, 300000), 0, &wake, &err) == XM_OK)
        ;
    uint64_t reached = xm_loop_status(l.loop).trace_ns;
    for (unsigned quiet_ms = 250; quiet_ms < 1000; quiet_ms += 250) {
        inside_source->due_ns = UINT64_MAX;
        assert_int_equal(xm_loop_step(l.loop, moment_at(&l, tsc, quiet_ms * MS), 0, &wake, &err), XM_AGAIN);
        assert_int_equal(xm_loop_status(l.loop).trace_ns, reached);
    }
    inside_source->due_ns = 0;
    while (xm_loop_step(l.loop, moment_at(&l, tsc, 1000 * MS), 0, &wake, &err) == XM_OK)
        ;
    assert_true(xm_loop_status(l.loop).trace_ns > reached);
    live_end(&l);
}

/*
 * A sample's time by the clocks is never before its instant, and no later than the newest record was old at the least:
 * a pass that comes late does not move it.
 */
static void test_clocks(void **state)
{
    struct live l = live_on("credit2-web-c1", XM_LIVE_EVENTS, true);
    uint64_t last = fakexen_play_last(l.play);
    uint64_t step = HZ / 20;
    uint64_t before = 0;
    unsigned late = 0;
    for (uint64_t tsc = fakexen_play_first(l.play) + step; tsc < last; tsc += step) {
        run_to(&l, tsc, ++late % 5 ? 1000000 : 100000000);
        if (late < 10)
            continue;
        newest(&l);
        uint64_t due = moment_at(&l, l.sample.host.tsc, 0).mono_ns;
        assert_true(l.sample.host.mono >= before);
        assert_in_range(l.sample.host.mono, due, due + 20000000);
        assert_in_range(l.sample.host.real - l.sample.host.mono, l.began.real_ns - l.began.mono_ns - 1000,
                        l.began.real_ns - l.began.mono_ns + 1000);
        before = l.sample.host.mono;
    }
    assert_true(before > 0);
    live_end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),         cmocka_unit_test(test_silent_domain),
        cmocka_unit_test(test_silence_without_all_pcpus), cmocka_unit_test(test_end_by_the_list),
        cmocka_unit_test(test_clocks),          cmocka_unit_test(test_states),
        cmocka_unit_test(test_pcpus_that_come), cmocka_unit_test(test_pcpus_that_stay),
        cmocka_unit_test(test_list_that_fails), cmocka_unit_test(test_gone_before_the_answer),
        cmocka_unit_test(test_no_look_is_no_pass), cmocka_unit_test(test_cpu_time),
        cmocka_unit_test(test_cpu_time_waits),  cmocka_unit_test(test_cpu_time_without_list),
        cmocka_unit_test(test_cpu_time_is_fresh),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
