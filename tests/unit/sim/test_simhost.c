/* SPDX-License-Identifier: MIT */
/* The simulated host and its source: what it writes is what it did. */
#include "world.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

#define MS UINT64_C(1000000)

static const char mixed[] = "[host]\ncpus = 3\nscheduler = rr\nslice = 3ms\nseed = 7\npages = 128\n"
                            "[domain Domain-0]\nid = 0\nrole = driver\nvcpus = 2\n"
                            "[domain web]\nid = 1\nrole = web\nrate = 400\n"
                            "[domain disk]\nid = 2\nrole = reader\n"
                            "[domain hog]\nid = 3\nrole = hog\nvcpus = 2\n"
                            "[domain nap]\nid = 4\nrole = nap\nvcpus = 2\ncpus = 1-2\nwork = 300us\npause = 2ms\n"
                            "[domain late]\nid = 5\nrole = web\nrate = 100\nfrom = 300ms\nto = 900ms\n"
                            "[domain again]\nid = 5\nrole = hog\nfrom = 900ms\n"
                            "[domain early]\nid = 6\nrole = nap\nto = 500ms\n";

static const char one_cpu[] = "[host]\nscheduler = bvt\npages = 64\n"
                              "[domain Domain-0]\nid = 0\nrole = driver\nmcu_advance = 20\n"
                              "[domain web]\nid = 1\nrole = web\nrate = 700\n";

static void run_and_compare(const char *text, uint64_t until_ns)
{
    struct xm_scenario s = scenario_of(text);
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, until_ns);
    unsigned passes = 0;
    struct xt_bytes bytes = bytes_of(source, &passes);
    struct xt_baked b = xt_bake(bytes.data, bytes.size, 10 * MS, s.hz, 0);
    assert_int_equal(passes, (until_ns + s.poll_ns - 1) / s.poll_ns);
    assert_int_equal(xm_simhost_lost(host), 0);
    assert_no_anomaly(&b);
    assert_null(xt_broken_sum(&b.end));
    assert_true(b.stats.records > 1000);
    assert_int_equal(b.stats.records, xm_machine_records(xm_simhost_machine(host)));
    assert_truth(host, &b, b.end.host.tsc - b.end.host.window);
    xt_baked_free(&b);
    xt_free(&bytes);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

static void what_it_writes_is_what_it_did(void **state)
{
    run_and_compare(mixed, 2000 * MS);
    run_and_compare(one_cpu, 1500 * MS);
}

/* As a live host is read: in prompt order, with the ends of passes. */
static void live_it_is_the_same(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, 1000 * MS);
    struct xm_surroundings around = xm_sim_source_surroundings(source);
    struct xm_sample sample;
    const struct xm_capacity room = {32, XT_VCPUS, 8};
    const struct xm_bake_config config = {.hz = s.hz, .capacity = room, .stream = {.order = XM_ORDER_PROMPT}};
    struct xm_bake *bake = xm_bake_create(&config);
    struct xt_baked b = {0};
    enum xm_status status;
    assert_non_null(bake);
    do {
        const void *bytes = NULL;
        size_t size = 0, used;
        status = xm_source_next(source, -1, &bytes, &size, NULL);
        for (size_t at = 0; at < size; at += used)
            assert_int_equal(xm_bake_run(bake, (const char *)bytes + at, size - at, &used), XM_OK);
        if (status == XM_AGAIN && xm_source_pass_ended(source))
            xm_bake_pass_end(bake);
    } while (status != XM_END);
    assert_int_equal(xm_bake_finish(bake), XM_OK);
    assert_int_equal(xm_sample_init(&sample, room), XM_OK);
    xm_bake_sample(bake, xm_bake_now(bake), false, &sample);
    around.fill(around.user, &sample);
    xm_account_total(&sample);
    b.end = sample;
    assert_int_equal(sample.host.passes, 10);
    assert_truth(host, &b, sample.host.tsc - sample.host.window);
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        assert_int_equal(xm_account_anomalies(xm_bake_account(bake), (enum xm_anomaly)i), 0);
    const struct xm_domain_row *web = xt_domain(&sample, XM_ROW_USED | 1);
    assert_true(web && web->weight == 256 && web->online == 1 && !web->paused);
    char name[64] = "", uuid[40] = "";
    around.name(around.user, 1, name, uuid);
    assert_string_equal(name, "web");
    around.name(around.user, 5, name, uuid);
    assert_string_equal(name, "again");
    xm_sample_fini(&sample);
    xm_bake_destroy(bake);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

static void the_same_seed_is_the_same_trace(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    struct xt_bytes bytes[3];
    for (unsigned i = 0; i < 3; i++) {
        unsigned passes = 0;
        s.seed = i < 2 ? 7 : 8;
        struct xm_simhost *host = host_of(&s);
        struct xm_source *source = source_of(host, &s, 300 * MS);
        bytes[i] = bytes_of(source, &passes);
        xm_source_close(source);
        xm_simhost_destroy(host);
    }
    assert_true(bytes[0].size == bytes[1].size && memcmp(bytes[0].data, bytes[1].data, bytes[0].size) == 0);
    assert_true(bytes[0].size != bytes[2].size || memcmp(bytes[0].data, bytes[2].data, bytes[0].size) != 0);
    for (unsigned i = 0; i < 3; i++)
        xt_free(&bytes[i]);
}

/* What does not fit is told, to the last record, and contradicts nothing. */
static void small_buffers_lose(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    unsigned passes = 0;
    s.pages = 2;
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, 2000 * MS);
    struct xt_bytes bytes = bytes_of(source, &passes);
    struct xt_baked b = xt_bake(bytes.data, bytes.size, 0, s.hz, 0);
    assert_true(xm_simhost_lost(host) > 100);
    assert_int_equal(b.stats.lost_records, xm_simhost_lost(host));
    assert_null(xt_broken_sum(&b.end));
    assert_no_anomaly(&b);
    xt_baked_free(&b);
    xt_free(&bytes);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

/* The record of a domain's end may be lost: who knows the host says so. */
static void an_end_that_was_lost_is_told(void **state)
{
    static const char text[] = "[host]\nscheduler = rr\nslice = 100us\npages = 1\n"
                               "[domain busy]\nid = 1\nrole = nap\nwork = 50us\npause = 50us\n"
                               "[domain short]\nid = 2\nrole = hog\nto = 350ms\n";
    struct xm_scenario s = scenario_of(text);
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, 1500 * MS);
    struct xm_surroundings around = xm_sim_source_surroundings(source);
    const struct xm_bake_config config = {.hz = s.hz, .stream = {.order = XM_ORDER_PROMPT}};
    struct xm_bake *bake = xm_bake_create(&config);
    enum xm_status status;
    uint64_t by_trace = 0;
    assert_non_null(bake);
    do {
        const void *bytes = NULL;
        size_t size = 0, used;
        status = xm_source_next(source, -1, &bytes, &size, NULL);
        for (size_t at = 0; at < size; at += used)
            assert_int_equal(xm_bake_run(bake, (const char *)bytes + at, size - at, &used), XM_OK);
        if (status != XM_AGAIN || !xm_source_pass_ended(source))
            continue;
        xm_bake_pass_end(bake);
        by_trace += xm_account_ends(xm_bake_account(bake)); /* before anybody tells it */
        if (xm_machine_now(xm_simhost_machine(host)) > 1000 * MS)
            assert_int_equal(around.before(around.user, bake, xm_bake_now(bake), (struct xm_moment){0, 0}), XM_OK);
        else
            assert_int_equal(by_trace, 0);
    } while (status != XM_END);
    assert_true(xm_simhost_lost(host) > 0);
    assert_false(xm_account_knows(xm_bake_account(bake), 2, 0));
    assert_true(xm_account_knows(xm_bake_account(bake), 1, 0));
    xm_bake_destroy(bake);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

static void domains_come_and_go(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    struct xm_simhost *host = host_of(&s);
    assert_non_null(xm_simhost_domain(host, 6));
    assert_null(xm_simhost_domain(host, 5));
    assert_int_equal(xm_simhost_run(host, 300 * MS), XM_OK);
    assert_string_equal(xm_simhost_domain(host, 5)->name, "late");
    assert_int_equal(xm_simhost_run(host, 899 * MS), XM_OK);
    assert_true(xm_simhost_served(host, 5).answered > 0);
    assert_null(xm_simhost_domain(host, 6));
    assert_true(xm_simhost_ended(host, 6).v >= xm_machine_tsc(xm_simhost_machine(host), 500 * MS).v);
    assert_true(xm_simhost_ended(host, 6).v < xm_machine_tsc(xm_simhost_machine(host), 501 * MS).v);
    assert_int_equal(xm_simhost_ended(host, 5).v, 0);
    assert_int_equal(xm_simhost_run(host, 900 * MS), XM_OK);
    assert_string_equal(xm_simhost_domain(host, 5)->name, "again");
    assert_int_equal(xm_simhost_domain(host, 5)->instance, 1);
    xm_simhost_destroy(host);
}

static void a_host_can_be_changed(void **state)
{
    struct xm_scenario s = scenario_of(one_cpu);
    struct xm_simhost *host = host_of(&s);
    struct xm_scenario_domain hog;
    assert_int_equal(xm_simhost_run(host, 200 * MS), XM_OK);
    uint64_t offered = xm_simhost_served(host, 1).offered;
    assert_true(offered > 50);
    assert_int_equal(xm_simhost_rate(host, 1, 0, NULL), XM_OK);
    assert_int_equal(xm_simhost_run(host, 400 * MS), XM_OK);
    assert_int_equal(xm_simhost_served(host, 1).offered, offered);
    assert_int_equal(xm_simhost_rate(host, 1, -1, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_rate(host, 1, NAN, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_rate(host, 1, INFINITY, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_rate(host, 1, 1e-300, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_rate(host, 0, 1, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_rate(host, 9, 1, NULL), XM_INVALID);

    xm_scenario_domain_init(&hog, "hog");
    assert_int_equal(xm_simhost_add(host, &hog, NULL), XM_INVALID); /* without an id */
    hog.domid = 1;
    assert_int_equal(xm_simhost_add(host, &hog, NULL), XM_INVALID);
    hog.domid = 2;
    hog.to_ns = 600 * MS;
    assert_int_equal(xm_simhost_add(host, &hog, NULL), XM_OK);
    assert_int_equal(xm_simhost_run(host, 599 * MS), XM_OK);
    assert_non_null(xm_simhost_domain(host, 2));
    struct xm_sched_share share = xm_simhost_spec(host, 2)->share;
    share.mcu_advance = 77;
    assert_int_equal(xm_simhost_share(host, 2, &share, NULL), XM_OK);
    assert_int_equal(xm_simhost_domain(host, 2)->share.mcu_advance, 77);
    share.mcu_advance = 0;
    assert_int_equal(xm_simhost_share(host, 2, &share, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_run(host, 600 * MS), XM_OK);
    assert_null(xm_simhost_domain(host, 2));
    hog.to_ns = 0;
    assert_int_equal(xm_simhost_add(host, &hog, NULL), XM_OK);
    assert_int_equal(xm_simhost_remove(host, 2, NULL), XM_OK);
    assert_int_equal(xm_simhost_remove(host, 2, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_remove(host, 0, NULL), XM_INVALID);
    assert_int_equal(xm_simhost_remove(host, 1, NULL), XM_OK);
    assert_int_equal(xm_simhost_run(host, 900 * MS), XM_OK);
    xm_simhost_destroy(host);
}

/* One for ever: what comes and goes leaves nothing behind in the lists, and the others do not notice. */
static void come_and_go(const char *scheduler)
{
    struct xm_scenario s = scenario_of("[host]\ncpus = 2\npages = 256\n[domain Domain-0]\nid = 0\nrole = driver\n"
                                       "[domain web]\nid = 1\nrole = web\nrate = 500\n");
    s.sched = xm_sched_named(scheduler);
    struct xm_simhost *host = host_of(&s);
    struct xt_rng rng = xt_rng(xt_seed(), 5);
    const unsigned rounds = 4200;
    uint64_t now = 0;
    for (unsigned i = 0; i < rounds; i++) {
        struct xm_scenario_domain d;
        xm_scenario_domain_init(&d, "guest");
        d.domid = (uint16_t)(2 + i % 2);
        d.role = (enum xm_sim_role)(XM_ROLE_WEB + i % 4);
        d.rate = 2000;
        d.to_ns = i % 3 ? 0 : now + 3 * MS;
        assert_int_equal(xm_simhost_add(host, &d, NULL), XM_OK);
        assert_int_equal(xm_simhost_domain(host, d.domid)->instance, i / 2);
        now += d.to_ns ? 4 * MS : xt_below(&rng, 2 * MS); /* packets and requests are under way */
        assert_int_equal(xm_simhost_run(host, now), XM_OK);
        assert_string_equal(xm_simhost_name(host, d.domid), "guest");
        if (!d.to_ns)
            assert_int_equal(xm_simhost_remove(host, d.domid, NULL), XM_OK);
        assert_true(xm_simhost_ended(host, d.domid).v > 0);
    }
    unsigned left = 0;
    for (const struct xm_sim_domain *d = xm_machine_domains(xm_simhost_machine(host)); d; d = d->next)
        left += d->ended;
    assert_int_equal(left, XM_SIMHOST_DEAD);
    assert_int_equal(xm_simhost_run(host, now + 1000 * MS), XM_OK);
    struct xm_simhost_life life = xm_simhost_life(host, 1);
    assert_true(life.lived_ns == now + 1000 * MS && life.served.offered > life.lived_ns / 2200000);
    assert_true(life.served.answered + life.served.turned_away + s.costs.in_flight >= life.served.offered);
    xm_simhost_destroy(host);
}

static void whatever_comes_goes(void **state)
{
    static const char *const schedulers[] = {"bvt", "sedf", "credit", "credit2", "rr"};
    for (unsigned i = 0; i < 5; i++)
        come_and_go(schedulers[i]);
}

static void a_life_is_counted(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    struct xm_simhost *host = host_of(&s);
    assert_int_equal(xm_simhost_run(host, 899 * MS), XM_OK);
    uint64_t answered = xm_simhost_served(host, 5).answered;
    for (uint32_t i = 0; i < s.domains; i++) {
        const struct xm_scenario_domain *d = &s.domain[i];
        uint64_t end = d->to_ns && d->to_ns < 899 * MS ? d->to_ns : 899 * MS;
        assert_int_equal(xm_simhost_life(host, i).lived_ns, d->from_ns < end ? end - d->from_ns : 0);
    }
    assert_int_equal(xm_simhost_run(host, 1200 * MS), XM_OK);
    for (uint32_t i = 0; i < s.domains; i++)
        if (strcmp(s.domain[i].name, "late") == 0) /* has ended, and is not forgotten */
            assert_true(xm_simhost_life(host, i).served.answered >= answered && answered > 0);
    assert_int_equal(xm_simhost_life(host, s.domains).lived_ns, 0);
    xm_simhost_destroy(host);
}

#define INTERVAL_NS (100 * MS)

struct counted {
    struct xm_surroundings around;
    struct xm_sample sample;
    uint64_t poll_ns;
    unsigned samples, known;
};

/*
 * cpu_time is of the last pass that ended before the sample: so running is never less, and never more than what its vCPUs
 * can run from one pass to the next.  One that has ended may have been listed before the sample before, and no more since.
 */
static enum xm_status hold_against(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct counted *c = user;
    struct xm_scale hz;
    const char *from;
    assert_true(xm_scale_init(&hz, xm_bake_hz(bake, &from)));
    assert_int_equal(c->around.before(c->around.user, bake, now, (struct xm_moment){0, 0}), XM_OK);
    xm_bake_sample(bake, now, true, &c->sample);
    c->around.fill(c->around.user, &c->sample);
    c->samples++;
    for (uint32_t i = 0; i < c->sample.used.domains; i++) {
        const struct xm_domain_row *d = &c->sample.domain[i];
        if (!d->id || !d->cpu_time)
            continue;
        uint64_t running = xm_scale_to_ns(&hz, xm_cycles_of(d->running + d->late_running)).v;
        uint64_t most = d->cpu_time + d->vcpus * (c->poll_ns + (d->ended ? INTERVAL_NS : 0));
        if (running + 1 < d->cpu_time || running > most)
            fail_msg("sample %u, domain %u: running %" PRIu64 ", by the host's account %" PRIu64, c->samples,
                     xm_row_domid(d->id), running, (uint64_t)d->cpu_time);
        c->known++;
    }
    return XM_OK;
}

static void it_is_what_the_host_counts(void **state)
{
    static const uint64_t polls[] = {10 * MS, 100 * MS, 350 * MS};
    for (size_t i = 0; i < sizeof polls / sizeof polls[0]; i++) {
        struct xm_scenario s = scenario_of(mixed);
        s.poll_ns = polls[i];
        struct xm_simhost *host = host_of(&s);
        struct xm_source *source = source_of(host, &s, 2000 * MS);
        struct counted c = {.around = xm_sim_source_surroundings(source), .poll_ns = polls[i]};
        const struct xm_capacity room = {32, XT_VCPUS, 8};
        const struct xm_bake_config config = {.hz = s.hz, .capacity = room, .interval_ns = INTERVAL_NS, .due = hold_against,
                                              .user = &c, .stream = {.order = XM_ORDER_PROMPT}};
        struct xm_bake *bake = xm_bake_create(&config);
        enum xm_status status;
        assert_int_equal(xm_sample_init(&c.sample, room), XM_OK);
        do {
            const void *bytes = NULL;
            size_t size = 0, used;
            status = xm_source_next(source, -1, &bytes, &size, NULL);
            for (size_t at = 0; at < size; at += used)
                assert_int_equal(xm_bake_run(bake, (const char *)bytes + at, size - at, &used), XM_OK);
            if (status == XM_AGAIN && xm_source_pass_ended(source))
                xm_bake_pass_end(bake);
        } while (status != XM_END);
        assert_int_equal(xm_bake_finish(bake), XM_OK);
        assert_true(c.samples >= 20 && c.known > 60);
        xm_sample_fini(&c.sample);
        xm_bake_destroy(bake);
        xm_source_close(source);
        xm_simhost_destroy(host);
    }
}

static uint64_t process_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* What the simulation takes is no cost of reading a trace. */
static void its_own_cost_is_told(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    s.events = 0x28000; /* much to simulate, little to read */
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, 20000 * MS);
    struct xm_surroundings around = xm_sim_source_surroundings(source);
    struct xm_sample before = {0}, after = {0};
    enum xm_status status;
    around.fill(around.user, &before);
    uint64_t begun = process_ns();
    do {
        const void *bytes;
        size_t size;
        status = xm_source_next(source, -1, &bytes, &size, NULL);
    } while (status >= 0 && status != XM_END);
    uint64_t took = process_ns() - begun;
    around.fill(around.user, &after);
    assert_int_equal(status, XM_END);
    assert_true(took > 20 * MS);
    assert_true(after.host.own_cpu >= before.host.own_cpu);
    assert_true(after.host.own_cpu - before.host.own_cpu < took / 2);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

/* In the middle of a pass or between two: what has been lost by then is told, and it is over. */
static void it_stops_when_told(void **state)
{
    struct xm_scenario s = scenario_of(mixed);
    s.pages = 2;
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source = source_of(host, &s, 0);
    struct xt_bytes all = {0};
    unsigned passes = 0;
    enum xm_status status;
    do {
        const void *bytes = NULL;
        size_t size = 0;
        status = xm_source_next(source, 0, &bytes, &size, NULL);
        if (status == XM_OK)
            xt_put(&all, bytes, size);
        else if (status == XM_AGAIN && xm_source_pass_ended(source))
            passes++;
        if (passes == 3)
            xm_sim_source_stop(source);
    } while (status >= 0 && status != XM_END);
    assert_int_equal(status, XM_END);
    assert_in_range(passes, 3, 4);
    assert_int_equal(xm_machine_now(xm_simhost_machine(host)), 3 * s.poll_ns);
    struct xt_baked b = xt_bake(all.data, all.size, 0, s.hz, 0);
    assert_true(xm_simhost_lost(host) > 0);
    assert_int_equal(b.stats.lost_records, xm_simhost_lost(host));
    xt_baked_free(&b);
    xt_free(&all);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

static void real_time_is_kept(void **state)
{
    struct xm_scenario s = scenario_of(one_cpu);
    struct xm_simhost *host = host_of(&s);
    struct xm_source *source;
    const struct xm_sim_source_config config = {.host = host, .name = "test", .poll_ns = 20 * MS, .speed = XM_SIM_SPEED_ONE,
                                                .until_ns = 200 * MS, .wake_fd = -1};
    struct timespec t0, t1;
    unsigned passes = 0;
    assert_int_equal(xm_sim_source_open(&config, &source, NULL), XM_OK);
    assert_true(xm_source_is_live(source) && !xm_source_is_file(source));
    clock_gettime(CLOCK_MONOTONIC, &t0);
    struct xt_bytes bytes = bytes_of(source, &passes);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    double ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6;
    assert_int_equal(passes, 10);
    assert_true(ms >= 199); /* later it may be, on a busy machine */
    xt_free(&bytes);
    xm_source_close(source);
    xm_simhost_destroy(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_is_what_it_did), cmocka_unit_test(live_it_is_the_same),
        cmocka_unit_test(the_same_seed_is_the_same_trace), cmocka_unit_test(small_buffers_lose),
        cmocka_unit_test(an_end_that_was_lost_is_told),
        cmocka_unit_test(domains_come_and_go), cmocka_unit_test(a_host_can_be_changed), cmocka_unit_test(real_time_is_kept),
        cmocka_unit_test(whatever_comes_goes), cmocka_unit_test(a_life_is_counted), cmocka_unit_test(it_is_what_the_host_counts), cmocka_unit_test(its_own_cost_is_told),
        cmocka_unit_test(it_stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
