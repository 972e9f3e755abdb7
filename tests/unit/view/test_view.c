/* SPDX-License-Identifier: MIT */
/* Windows over samples made by hand: what is exact must be exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "view/view.h"
#include "xenmon/region.h"

#define DOM(domid, instance)        (XM_ROW_USED | (uint64_t)(instance) << 32 | (domid))
#define VCPU(domid, vcpu, instance) (DOM(domid, instance) | (uint64_t)(vcpu) << 16)

struct world {
    struct xm_sample from, to;
    struct xm_scale scale;
    struct xm_window w;
};

static int setup(void **state)
{
    static struct world world; /* cmocka hands it from test to test */
    struct xm_capacity capacity = {4, 8, 4};
    assert_int_equal(xm_sample_init(&world.from, capacity), XM_OK);
    assert_int_equal(xm_sample_init(&world.to, capacity), XM_OK);
    world.from.used = world.to.used = capacity;
    assert_true(xm_scale_init(&world.scale, UINT64_C(1000000000)));
    world.w = (struct xm_window){.from = &world.from, .to = &world.to, .scale = &world.scale};
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    xm_sample_fini(&world->from);
    xm_sample_fini(&world->to);
    return 0;
}

static uint64_t sum_of_states(const struct xm_usage *u)
{
    return u->running_ns + u->runnable_ns + u->blocked_ns + u->offline_ns + u->unknown_ns;
}

static void one_window(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->from.host.window = 1000;
    t->to.host.window = 3000;
    t->from.vcpu[2] = (struct xm_vcpu_row){.id = VCPU(1, 3, 0),
                                           .running = 100,
                                           .runnable = 200,
                                           .blocked = 300,
                                           .offline = 150,
                                           .unknown = 250,
                                           .wait_wake = 50,
                                           .wait_preempt = 100,
                                           .wait_other = 50,
                                           .executions = 7,
                                           .slices = 2,
                                           .slice_sum = 20,
                                           .wait_max = 9999,
                                           .slice_max = 9999};
    t->to.vcpu[2] = (struct xm_vcpu_row){.id = VCPU(1, 3, 0),
                                         .running = 600,
                                         .runnable = 900,
                                         .blocked = 700,
                                         .offline = 350,
                                         .unknown = 450,
                                         .wait_wake = 450,
                                         .wait_preempt = 300,
                                         .wait_other = 150,
                                         .executions = 17,
                                         .migrations = 3,
                                         .preemptions = 4,
                                         .yields = 1,
                                         .slices = 5,
                                         .slice_sum = 80,
                                         .slice_min = 10,
                                         .slice_max = 40,
                                         .wait_max = 333,
                                         .state = 2,
                                         .pcpu = 2};
    assert_true(xm_usage_vcpu(&t->w, 2, &u));
    assert_int_equal(u.window_ns, 2000);
    assert_int_equal(u.span_ns, 2000);
    assert_int_equal(u.running_ns, 500);
    assert_int_equal(u.runnable_ns, 700);
    assert_int_equal(u.blocked_ns, 400);
    assert_int_equal(u.offline_ns, 200);
    assert_int_equal(u.unknown_ns, 200);
    assert_int_equal(u.wait_wake_ns, 400);
    assert_int_equal(u.wait_preempt_ns, 200);
    assert_int_equal(u.wait_other_ns, 100);
    assert_int_equal(u.wait_any_ns, 700);
    assert_int_equal(u.wait_max_ns, 333);
    assert_int_equal(u.executions, 10);
    assert_int_equal(u.migrations, 3);
    assert_int_equal(u.preemptions, 4);
    assert_int_equal(u.yields, 1);
    assert_int_equal(u.slices, 3);
    assert_int_equal(u.slice_sum_ns, 60);
    assert_int_equal(u.slice_min_ns, 10);
    assert_int_equal(u.slice_max_ns, 40);
    assert_int_equal(u.state, 2);
    assert_int_equal(u.pcpu, 2);
    assert_int_equal(xm_row_domid(u.id), 1);
    assert_int_equal(xm_row_vcpu(u.id), 3);

    /* Since the trace began. */
    t->w.from = NULL;
    assert_true(xm_usage_vcpu(&t->w, 2, &u));
    assert_int_equal(u.window_ns, 3000);
    assert_int_equal(sum_of_states(&u), 3000);
    assert_int_equal(u.executions, 17);

    /* No such row: nothing is left over from before. */
    assert_false(xm_usage_vcpu(&t->w, 3, &u));
    assert_int_equal(u.executions, 0);
    assert_false(xm_usage_vcpu(&t->w, 8, &u));
    assert_false(xm_usage_domain(&t->w, 0, &u));
    assert_false(xm_usage_pair(&t->w, 0, 0, &u));
    assert_false(xm_usage_last_vcpu(&t->w, 0, &u));
    assert_false(xm_usage_last_domain(&t->w, 0, &u));
}

/* At any rate: the five parts add up to the window, the causes to the waiting, windows to what spans them. */
static void sums_at_odd_rates(void **state)
{
    struct world *t = *state;
    const char *given = getenv("XM_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    print_message("# XM_SEED=%u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t hz = 1 + (uint64_t)rand() * 3;
        struct xm_vcpu_row *from = &t->from.vcpu[0];
        struct xm_vcpu_row *to = &t->to.vcpu[0];
        uint64_t part[2][6];
        assert_true(xm_scale_init(&t->scale, hz));
        for (unsigned i = 0; i < 2; i++)
            for (unsigned j = 0; j < 6; j++)
                part[i][j] = (uint64_t)rand() >> rand() % 31;
        *from = (struct xm_vcpu_row){.id = VCPU(0, 0, 0),
                                     .running = part[0][0],
                                     .runnable = part[0][1] + part[0][2],
                                     .wait_wake = part[0][1],
                                     .wait_preempt = part[0][2],
                                     .blocked = part[0][3],
                                     .offline = part[0][4],
                                     .unknown = part[0][5]};
        *to = (struct xm_vcpu_row){.id = VCPU(0, 0, 0),
                                   .running = from->running + part[1][0],
                                   .runnable = from->runnable + part[1][1] + part[1][2],
                                   .wait_wake = from->wait_wake + part[1][1],
                                   .wait_preempt = from->wait_preempt + part[1][2],
                                   .blocked = from->blocked + part[1][3],
                                   .offline = from->offline + part[1][4],
                                   .unknown = from->unknown + part[1][5]};
        t->from.host.window = part[0][0] + part[0][1] + part[0][2] + part[0][3] + part[0][4] + part[0][5];
        t->to.host.window =
            t->from.host.window + part[1][0] + part[1][1] + part[1][2] + part[1][3] + part[1][4] + part[1][5];

        struct xm_usage u;
        assert_true(xm_usage_vcpu(&t->w, 0, &u));
        assert_int_equal(u.window_ns,
                         xm_scale_to_ns(&t->scale, xm_cycles_of(t->to.host.window - t->from.host.window)).v);
        assert_int_equal(sum_of_states(&u), u.window_ns);
        assert_int_equal(u.span_ns, u.window_ns);
        assert_int_equal(u.wait_wake_ns + u.wait_preempt_ns + u.wait_other_ns, u.runnable_ns);
        assert_int_equal(u.running_ns, xm_scale_to_ns(&t->scale, xm_cycles_of(part[1][0])).v);
    }
}

/* A vCPU that appears within the window: the sums hold, and nothing is claimed to be known that is not. */
static void rows_that_began(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->from.host.window = 1000;
    t->to.host.window = 3000;
    /* Created at 1500: offline before that. */
    t->to.vcpu[0] =
        (struct xm_vcpu_row){.id = VCPU(5, 0, 0), .running = 1200, .blocked = 300, .offline = 1500};
    assert_true(xm_usage_vcpu(&t->w, 0, &u));
    assert_int_equal(u.offline_ns, 500);
    assert_int_equal(u.running_ns, 1200);
    assert_int_equal(sum_of_states(&u), 2000);
    /* First seen at 1400, then paused for a while. */
    t->to.vcpu[1] =
        (struct xm_vcpu_row){.id = VCPU(5, 1, 0), .running = 900, .offline = 700, .unknown = 1400};
    assert_true(xm_usage_vcpu(&t->w, 1, &u));
    assert_int_equal(u.offline_ns, 700);
    assert_int_equal(u.unknown_ns, 400);
    assert_int_equal(sum_of_states(&u), 2000);
    /* A row that claims more than there can be still adds up. */
    t->to.vcpu[2] = (struct xm_vcpu_row){.id = VCPU(5, 2, 0), .running = 2900, .unknown = 100};
    assert_true(xm_usage_vcpu(&t->w, 2, &u));
    assert_int_equal(sum_of_states(&u), 2000);

    /* Their domain: one vCPU was there before, three are new. */
    t->from.vcpu[3] = (struct xm_vcpu_row){.id = VCPU(5, 3, 0), .blocked = 1000};
    t->to.vcpu[3] = (struct xm_vcpu_row){.id = VCPU(5, 3, 0), .blocked = 1500, .runnable = 1500};
    t->to.vcpu[4] = (struct xm_vcpu_row){.id = VCPU(6, 0, 0), .blocked = 3000};
    t->to.vcpu_domain[4] = 1;
    t->from.domain[0] =
        (struct xm_domain_row){.id = DOM(5, 0), .vcpus = 1, .blocked = 1000, .wait_any = 40, .executions = 5};
    t->to.domain[0] = (struct xm_domain_row){.id = DOM(5, 0),
                                             .vcpus = 4,
                                             .running = 5000,
                                             .blocked = 1800,
                                             .runnable = 1500,
                                             .offline = 2200,
                                             .unknown = 1500,
                                             .wait_any = 1540,
                                             .executions = 25};
    assert_true(xm_usage_domain(&t->w, 0, &u));
    assert_int_equal(u.vcpus, 4);
    assert_int_equal(u.window_ns, 2000);
    assert_int_equal(u.span_ns, 8000);
    assert_int_equal(u.running_ns, 1200 + 900 + 2000);
    assert_int_equal(u.runnable_ns, 1500);
    assert_int_equal(u.blocked_ns, 300 + 500);
    assert_int_equal(u.offline_ns, 500 + 700);
    assert_int_equal(u.unknown_ns, 400);
    assert_int_equal(u.wait_any_ns, 1500);
    assert_int_equal(u.executions, 20);
}

/* The slot's new owner owes nothing to the old one. */
static void slots_used_again(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->from.host.window = 1000;
    t->to.host.window = 1100;
    t->from.vcpu[0] = (struct xm_vcpu_row){.id = VCPU(7, 0, 0), .running = 1000, .executions = 500};
    t->to.vcpu[0] =
        (struct xm_vcpu_row){.id = VCPU(7, 0, 1), .running = 60, .offline = 1040, .executions = 4};
    t->from.domain[0] = (struct xm_domain_row){
        .id = DOM(7, 0), .vcpus = 1, .running = 1000, .executions = 500, .grant_maps = 9};
    t->to.domain[0] = (struct xm_domain_row){
        .id = DOM(7, 1), .vcpus = 1, .running = 60, .offline = 1040, .executions = 4, .grant_maps = 3};
    t->to.pcpu[0].id = t->from.pcpu[0].id = XM_ROW_USED;
    t->from.pair[0] = (struct xm_pair_row){.running = 1000, .waited = 30, .executions = 500};
    t->to.pair[0] = (struct xm_pair_row){.running = 60, .waited = 2, .executions = 4};
    t->w.io_seen = XM_IO_SEEN_GRANTS;
    assert_true(xm_usage_vcpu(&t->w, 0, &u));
    assert_int_equal(u.executions, 4);
    assert_int_equal(u.running_ns, 60);
    assert_int_equal(u.offline_ns, 40);
    assert_true(xm_usage_domain(&t->w, 0, &u));
    assert_int_equal(u.executions, 4);
    assert_int_equal(u.offline_ns, 40);
    assert_int_equal(u.io.maps.count, 3);
    assert_true(xm_usage_pair(&t->w, 0, 0, &u));
    assert_int_equal(u.executions, 4);
    assert_int_equal(u.runnable_ns, 2);
}

static void pairs(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->from.host.window = 1000;
    t->to.host.window = 2000;
    t->from.domain[1] = (struct xm_domain_row){.id = DOM(2, 0), .vcpus = 1, .blocked = 1000};
    t->to.domain[1] =
        (struct xm_domain_row){.id = DOM(2, 0), .vcpus = 1, .blocked = 1700, .running = 200, .runnable = 100};
    t->from.pcpu[3].id = t->to.pcpu[3].id = XM_ROW_USED | 17;
    t->from.pair[1 * 4 + 3] = (struct xm_pair_row){.running = 5, .waited = 6, .executions = 7};
    t->to.pair[1 * 4 + 3] = (struct xm_pair_row){.running = 105, .waited = 66, .executions = 17};
    assert_true(xm_usage_pair(&t->w, 1, 3, &u));
    assert_int_equal(u.running_ns, 100);
    assert_int_equal(u.runnable_ns, 60);
    assert_int_equal(u.executions, 10);
    assert_int_equal(u.blocked_ns, 700);
    assert_int_equal(u.window_ns, 1000);
    assert_int_equal(u.pcpu, 18);
    assert_false(xm_usage_pair(&t->w, 1, 2, &u));
    assert_int_equal(u.blocked_ns, 0);
}

/* A sample of the slow series, or one of the history, has a domain that ran and no pairs. */
static void no_pairs_no_zeros(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->from.host.window = 1000;
    t->to.host.window = 2000;
    t->from.domain[1] = (struct xm_domain_row){.id = DOM(2, 0), .vcpus = 1, .blocked = 1000};
    t->to.domain[1] = (struct xm_domain_row){.id = DOM(2, 0), .vcpus = 1, .blocked = 1700, .running = 300};
    t->from.pcpu[3].id = t->to.pcpu[3].id = XM_ROW_USED | 17;
    assert_false(xm_window_has_pairs(&t->w, 1));
    assert_false(xm_usage_pair(&t->w, 1, 3, &u));
    assert_int_equal(u.blocked_ns, 0);

    /* On another pCPU it ran: this one's zero is true. */
    t->to.pair[1 * 4 + 2] = (struct xm_pair_row){.running = 300};
    assert_true(xm_window_has_pairs(&t->w, 1));
    assert_true(xm_usage_pair(&t->w, 1, 3, &u));
    assert_int_equal(u.running_ns, 0);

    /* Who never ran has no pair that could say so. */
    t->to.pair[1 * 4 + 2] = (struct xm_pair_row){0};
    t->to.domain[1].running = 0;
    assert_true(xm_usage_pair(&t->w, 1, 3, &u));
    assert_int_equal(u.running_ns, 0);
}

/* Never a false zero: what was not recorded is not known. */
static void io_not_seen(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    struct xm_cell cell;
    t->w.from = NULL;
    t->to.host.window = 1000;
    t->to.domain[0] = (struct xm_domain_row){.id = DOM(0, 0),
                                             .vcpus = 1,
                                             .blocked = 1000,
                                             .page_transfers = 1,
                                             .grant_maps = 2,
                                             .grant_unmaps = 3,
                                             .done_transfers = 4,
                                             .done_maps = 50,
                                             .done_unmaps = 6,
                                             .done_copies = 7,
                                             .executions = 26};
    assert_true(xm_usage_domain(&t->w, 0, &u));
    assert_false(u.io.transfers.known || u.io.maps.known || u.io.unmaps.known || u.io.copies.known);
    assert_false(u.io_done.transfers.known || u.io_done.maps.known || u.io_done.copies.known);
    assert_int_equal(u.io.maps.count, 0);
    assert_false(xm_io_exchanges(&u.io).known);
    static const char *const ids[] = {"io_count",          "io_per_s",   "io_per_execution",
                                      "blocked_per_io_ns", "grant_maps", "grant_copies_issued"};
    for (unsigned i = 0; i < 6; i++) {
        xm_column_find(ids[i])->get(&u, &cell);
        assert_false(cell.known);
    }
    t->w.io_seen = XM_IO_SEEN_GRANTS;
    assert_true(xm_usage_domain(&t->w, 0, &u));
    assert_true(u.io.maps.known && u.io.unmaps.known && !u.io.transfers.known && !u.io.copies.known);
    assert_true(xm_io_exchanges(&u.io).known);
    assert_int_equal(xm_io_exchanges(&u.io).count, 2);
    xm_column_find("io_count")->get(&u, &cell);
    assert_true(cell.known);
    assert_int_equal(cell.exact, 52);
    xm_column_find("io_per_execution")->get(&u, &cell);
    assert_true(cell.known && cell.value > 1.999 && cell.value < 2.001);
    t->w.io_seen = XM_IO_SEEN_GRANTS | XM_IO_SEEN_COPIES | XM_IO_SEEN_TRANSFERS;
    assert_true(xm_usage_domain(&t->w, 0, &u));
    assert_int_equal(xm_io_exchanges(&u.io).count, 3);
    assert_int_equal(u.io_done.copies.count, 7);
    assert_int_equal(u.io_done.unmaps.count, 6);
}

static void expect_cell(const struct xm_usage *u, const char *id, bool known, double value)
{
    struct xm_cell cell;
    const struct xm_column *column = xm_column_find(id);
    assert_non_null(column);
    column->get(u, &cell);
    if (cell.known != known || (known && (cell.value < value * 0.999999 || cell.value > value * 1.000001)))
        fail_msg("%s is %d %g, should be %d %g", id, cell.known, cell.value, known, value);
}

/* What the toolstack and dom0's kernel say; what they do not say is not 0. */
static void told(void **state)
{
    static const char *const net[] = {"net_received_bytes",         "net_received_packets",
                                      "net_sent_bytes",             "net_sent_packets",
                                      "net_received_bytes_per_s",   "net_sent_bytes_per_s",
                                      "net_received_packets_per_s", "net_sent_packets_per_s"};
    static const char *const disk[] = {"disk_reads",            "disk_writes",
                                       "disk_read_bytes",       "disk_write_bytes",
                                       "disk_reads_per_s",      "disk_writes_per_s",
                                       "disk_read_bytes_per_s", "disk_write_bytes_per_s"};
    struct world *t = *state;
    struct xm_usage u;
    t->from.host.window = XM_NS_PER_S;
    t->to.host.window = 3 * XM_NS_PER_S;
    t->from.domain[0] = (struct xm_domain_row){.id = DOM(1, 0), .received_bytes = 1000, .disk_writes = 5};
    t->to.domain[0] = (struct xm_domain_row){.id = DOM(1, 0),
                                             .received_bytes = 5000,
                                             .received_packets = 4,
                                             .sent_bytes = 300,
                                             .sent_packets = 8,
                                             .disk_reads = 10,
                                             .disk_writes = 11,
                                             .disk_read_bytes = 4096,
                                             .disk_write_bytes = 8192};
    assert_true(xm_usage_domain(&t->w, 0, &u));
    for (size_t i = 0; i < 8; i++) {
        expect_cell(&u, net[i], false, 0);
        expect_cell(&u, disk[i], false, 0);
    }
    static const char *const facts[] = {"online_vcpus", "paused", "weight", "cap_pct"};
    for (size_t i = 0; i < 4; i++)
        expect_cell(&u, facts[i], false, 0);

    t->to.domain[0].vifs = 1;
    assert_true(xm_usage_domain(&t->w, 0, &u));
    static const double net_values[] = {4000, 4, 300, 8, 2000, 150, 2, 4};
    for (size_t i = 0; i < 8; i++) {
        expect_cell(&u, net[i], true, net_values[i]);
        expect_cell(&u, disk[i], false, 0);
    }
    t->to.domain[0].vifs = 0;
    t->to.domain[0].vbds = 2;
    t->to.domain[0].weight = 256;
    t->to.domain[0].online = 2;
    assert_true(xm_usage_domain(&t->w, 0, &u));
    static const double disk_values[] = {10, 6, 4096, 8192, 5, 3, 2048, 4096};
    for (size_t i = 0; i < 8; i++) {
        expect_cell(&u, net[i], false, 0);
        expect_cell(&u, disk[i], true, disk_values[i]);
    }
    static const double fact_values[] = {2, 0, 256, 0};
    for (size_t i = 0; i < 4; i++)
        expect_cell(&u, facts[i], true, fact_values[i]);

    expect_cell(&u, "cpu_time_ns", false, 0);
    t->to.domain[0].cpu_time = 5000;
    assert_true(xm_usage_domain(&t->w, 0, &u));
    expect_cell(&u, "cpu_time_ns", true, 5000); /* none was used before `from` */
    t->from.domain[0].cpu_time = 1500;
    assert_true(xm_usage_domain(&t->w, 0, &u));
    expect_cell(&u, "cpu_time_ns", true, 3500);
    assert_true(xm_usage_last_domain(&t->w, 0, &u));
    expect_cell(&u, "cpu_time_ns", false, 0);
}

static void reading(void **state)
{
    struct world *t = *state;
    struct xm_reading r;
    struct xm_pcpu_usage p;
    t->from.host.window = XM_NS_PER_S;
    t->to.host.window = 3 * XM_NS_PER_S;
    t->to.pcpu[0] = (struct xm_pcpu_row){.id = XM_ROW_USED | 4, .buffer_fill = 120};
    t->to.pcpu[1] = (struct xm_pcpu_row){.buffer_fill = 999}; /* no row */
    t->to.pcpu[3] = (struct xm_pcpu_row){.id = XM_ROW_USED | 7, .buffer_fill = 480};
    /* A replay reads no buffers: nothing of this is known. */
    xm_reading(&t->w, &r);
    assert_false(r.known || r.fill.known);
    assert_true(xm_usage_pcpu(&t->w, 0, &p));
    assert_false(p.buffer_fill.known);
    t->from.host.passes = 10;
    t->to.host.passes = 50;
    t->to.host.own_cpu = 12345;
    t->to.host.stolen = 2;
    xm_reading(&t->w, &r);
    assert_true(r.known && r.fill.known);
    assert_int_equal(r.window_ns, 2 * XM_NS_PER_S);
    assert_int_equal(r.passes, 40);
    assert_int_equal(r.own_cpu_ns, 12345);
    assert_int_equal(r.stolen, 2);
    assert_int_equal(r.fill.count, 480);
    assert_int_equal(r.fill_pcpu, 7);
    assert_true(xm_usage_pcpu(&t->w, 0, &p));
    assert_true(p.buffer_fill.known);
    assert_int_equal(p.buffer_fill.count, 120);
    t->w.from = NULL;
    xm_reading(&t->w, &r);
    assert_int_equal(r.passes, 50);
}

static void starved(void **state)
{
    (void)state;
    struct xm_usage u = {.window_ns = 1000, .wait_any_ns = 1000};
    assert_true(xm_usage_starved(&u));
    u.executions = 1;
    assert_false(xm_usage_starved(&u));
    u = (struct xm_usage){.window_ns = 1000, .wait_any_ns = 900};
    assert_false(xm_usage_starved(&u));
    u = (struct xm_usage){.window_ns = 1000, .wait_any_ns = 999, .running_ns = 1};
    assert_false(xm_usage_starved(&u));
    u = (struct xm_usage){0};
    assert_false(xm_usage_starved(&u));
}

static void last_execution(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->to.vcpu[0] = (struct xm_vcpu_row){.id = VCPU(1, 0, 0),
                                         .last_run = 100,
                                         .last_wait = 50,
                                         .last_blocked = 850,
                                         .last_slice = 10000,
                                         .last_io = 12};
    t->to.vcpu[1].id = VCPU(1, 1, 0);
    t->to.domain[0] = (struct xm_domain_row){.id = DOM(1, 0), .last_run = 7};
    t->w.io_seen = XM_IO_SEEN_GRANTS;
    assert_true(xm_usage_last_vcpu(&t->w, 0, &u));
    assert_int_equal(u.executions, 1);
    assert_int_equal(u.window_ns, 1000);
    assert_int_equal(sum_of_states(&u), 1000);
    assert_int_equal(u.running_ns, 100);
    assert_int_equal(u.runnable_ns, 50);
    assert_int_equal(u.slice_max_ns, 10000);
    assert_int_equal(xm_io_exchanges(&u.io_done).count, 12);
    assert_true(xm_usage_last_vcpu(&t->w, 1, &u));
    assert_int_equal(u.executions, 0);
    assert_int_equal(u.slices, 0);
    assert_true(xm_usage_last_domain(&t->w, 0, &u));
    assert_int_equal(u.executions, 1);
    assert_int_equal(u.running_ns, 7);
}

static void pcpu_windows(void **state)
{
    struct world *t = *state;
    struct xm_pcpu_usage u;
    t->from.host.window = 1000;
    t->to.host.window = 2000;
    t->from.pcpu[1] = (struct xm_pcpu_row){
        .id = XM_ROW_USED | 9, .busy = 500, .idle = 300, .switching = 100, .unknown = 100};
    t->to.pcpu[1] = (struct xm_pcpu_row){.id = XM_ROW_USED | 9,
                                         .busy = 800,
                                         .idle = 900,
                                         .switching = 150,
                                         .unknown = 150,
                                         .lost_records = 6,
                                         .gap = 70,
                                         .executions = 3,
                                         .current = XM_ROW_USED | 5};
    t->to.pcpu[2] = (struct xm_pcpu_row){.id = XM_ROW_USED | 10, .idle = 600, .unknown = 1400};
    assert_true(xm_usage_pcpu(&t->w, 1, &u));
    assert_int_equal(u.pcpu, 9);
    assert_int_equal(u.busy_ns, 300);
    assert_int_equal(u.idle_ns, 600);
    assert_int_equal(u.switching_ns, 50);
    assert_int_equal(u.unknown_ns, 50);
    assert_int_equal(u.window_ns, 1000);
    assert_int_equal(u.gap_ns, 70);
    assert_int_equal(u.lost_records, 6);
    assert_true(xm_usage_pcpu(&t->w, 2, &u));
    assert_int_equal(u.unknown_ns, 400);
    assert_int_equal(u.window_ns, 1000);
    assert_false(xm_usage_pcpu(&t->w, 0, &u));
    assert_true(xm_scale_init(&t->scale, 2793439000));
    assert_true(xm_usage_pcpu(&t->w, 1, &u));
    assert_int_equal(u.busy_ns + u.idle_ns + u.switching_ns + u.unknown_ns,
                     357); /* 1000 / 2.793439, rounded down */
}

static void peaks_of_a_window(void **state)
{
    struct world *t = *state;
    struct xm_usage u;
    t->to.host.window = 1000;
    t->to.vcpu[0] =
        (struct xm_vcpu_row){.id = VCPU(1, 0, 0), .wait_max = 5, .slices = 2, .slice_min = UINT64_MAX};
    t->to.vcpu[1] = (struct xm_vcpu_row){.id = VCPU(1, 1, 1), .wait_max = 5};
    t->to.domain[0] = (struct xm_domain_row){.id = DOM(1, 0), .wait_max = 70};
    t->from.vcpu[0] = (struct xm_vcpu_row){
        .id = VCPU(1, 0, 0), .wait_max = 40, .slice_min = 3, .slice_max = 9, .running = 1};
    t->from.vcpu[1] = (struct xm_vcpu_row){.id = VCPU(1, 1, 0), .wait_max = 99};
    t->from.domain[0] = (struct xm_domain_row){.id = DOM(1, 0), .wait_max = 60};
    /* Slices there were, but in none of the intervals looked at: no minimum is made up. */
    t->w.from = NULL;
    assert_true(xm_usage_vcpu(&t->w, 0, &u));
    assert_int_equal(u.slice_min_ns, 0);
    assert_int_equal(u.slice_max_ns, 0);
    xm_window_peaks(&t->to, &t->from);
    assert_true(xm_usage_vcpu(&t->w, 0, &u));
    assert_int_equal(u.wait_max_ns, 40);
    assert_int_equal(u.slice_min_ns, 3);
    assert_int_equal(u.slice_max_ns, 9);
    assert_int_equal(u.running_ns, 0);           /* counters are not peaks */
    assert_int_equal(t->to.vcpu[1].wait_max, 5); /* another instance */
    assert_int_equal(t->to.domain[0].wait_max, 70);
}

static void percentiles(void **state)
{
    static uint64_t after[XM_HIST_BUCKETS], before[XM_HIST_BUCKETS];
    assert_int_equal(xm_percentile(after, NULL, 0.5), 0);
    for (uint64_t v = 1; v <= 10; v++)
        after[xm_hist_index(v)]++;
    assert_int_equal(xm_percentile(after, NULL, 0.1), 1);
    assert_int_equal(xm_percentile(after, NULL, 0.11), 2);
    assert_int_equal(xm_percentile(after, NULL, 0.5), 5);
    assert_int_equal(xm_percentile(after, NULL, 0.95), 10);
    assert_int_equal(xm_percentile(after, NULL, 1.0), 10);
    assert_int_equal(xm_percentile(after, NULL, 0.0001), 1);
    memcpy(before, after, sizeof before);
    assert_int_equal(xm_percentile(after, before, 0.5), 0);
    after[xm_hist_index(1000000)] += 99;
    after[xm_hist_index(50)] += 1;
    assert_int_equal(xm_percentile(after, before, 0.01), 50);
    uint64_t p = xm_percentile(after, before, 0.02);
    assert_in_range(p, 1000000 - 1000000 / 64, 1000000 + 1000000 / 64);
    assert_int_equal(p, xm_percentile(after, before, 0.99));
    /* Every bucket's middle is at most 1/64 away from every value in it. */
    for (unsigned i = 0; i + 1 < XM_HIST_BUCKETS; i++) {
        memset(after, 0, sizeof after);
        after[i] = 1;
        uint64_t low = xm_hist_low(i), high = low + xm_hist_width(i) - 1,
                 middle = xm_percentile(after, NULL, 0.5);
        assert_true(middle >= low && middle <= high);
        assert_true((middle - low) * 64 <= low && (high - middle) * 64 <= high);
    }
}

static void columns(void **state)
{
    size_t count;
    const struct xm_column *table = xm_columns(&count);
    assert_true(count > 30);
    struct xm_usage nothing = {0};
    for (size_t i = 0; i < count; i++) {
        struct xm_cell cell = {.known = true, .value = -1};
        assert_ptr_equal(xm_column_find(table[i].id), &table[i]); /* ids are unique */
        assert_in_range(strlen(table[i].title), 1, 10);
        assert_true(strlen(table[i].help) > 5);
        if (table[i].type == XM_COL_PERCENT)
            assert_non_null(strstr(table[i].help, ", of ")); /* law 10 */
        table[i].get(&nothing, &cell);
        assert_int_equal(cell.type, table[i].type);
        assert_true(cell.value >= 0); /* also of nothing: no 0 / 0 */
        if (table[i].type == XM_COL_PERCENT || table[i].type == XM_COL_RATE ||
            table[i].type == XM_COL_AVERAGE)
            assert_false(cell.known);
    }
    assert_null(xm_column_find("no_such_column"));

    struct xm_usage u = {.vcpus = 2,
                         .window_ns = 1000,
                         .running_ns = 1500,
                         .runnable_ns = 200,
                         .blocked_ns = 300,
                         .executions = 30,
                         .slices = 4,
                         .slice_sum_ns = 10,
                         .slice_min_ns = 1,
                         .slice_max_ns = 4,
                         .wait_any_ns = 150};
    static const struct {
        const char *id;
        double value;
    } expected[] = {
        {"running_ns", 1500},
        {"running_pct", 150},
        {"running_of_vcpus_pct", 75},
        {"running_per_execution_ns", 50},
        {"runnable_pct", 20},
        {"runnable_of_vcpus_pct", 10},
        {"blocked_per_execution_ns", 10},
        {"allocated_avg_ns", 2.5},
        {"allocated_min_ns", 1},
        {"allocated_max_ns", 4},
        {"executions_per_s", 3e7},
        {"wait_any_pct", 15},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct xm_cell cell;
        xm_column_find(expected[i].id)->get(&u, &cell);
        assert_true(cell.known);
        assert_true(cell.value > expected[i].value * 0.999999 && cell.value < expected[i].value * 1.000001);
    }
}

#define VIEW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(one_window),
        VIEW_TEST(sums_at_odd_rates),
        VIEW_TEST(rows_that_began),
        VIEW_TEST(slots_used_again),
        VIEW_TEST(pairs),
        VIEW_TEST(no_pairs_no_zeros),
        VIEW_TEST(io_not_seen),
        VIEW_TEST(told),
        VIEW_TEST(reading),
        VIEW_TEST(starved),
        VIEW_TEST(last_execution),
        VIEW_TEST(pcpu_windows),
        VIEW_TEST(peaks_of_a_window),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
