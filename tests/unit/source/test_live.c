/* SPDX-License-Identifier: MIT */
/* Passes over the buffers of a hypervisor: what comes out is what was written, and where not, it says so. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "baked.h"
#include "live_world.h"

/* ---- Allocations are counted. */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

static unsigned allocations;

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    allocations++;
    return __real_realloc(p, size);
}

/* ---- Captures through the buffers. */

static const struct xm_capacity room = {32, XT_VCPUS, 8};

static struct xm_bake *bake_live(const struct world *w)
{
    const struct xm_bake_config config = {.hz = XM_NS_PER_S, .capacity = room, .limit = room,
                                          .stream = {.order = XM_ORDER_PROMPT, .buffer_bytes = w->config.pages * 4096 - 8}};
    struct xm_bake *bake = xm_bake_create(&config);
    assert_non_null(bake);
    return bake;
}

/* What the file itself says, and what came through the buffers. */
struct twins {
    struct xt_bytes capture;
    struct xt_baked file;
    struct xm_sample live;
    struct xm_stream_stats stats;
};

typedef void (*mischief)(struct world *w, unsigned pass);

/* Plays a capture, `step` records between passes; `harm` (may be NULL) happens before each pass. */
static struct twins play(struct world *w, const char *name, size_t step, mischief harm)
{
    struct twins t = {.capture = xt_capture(name)};
    t.file = xt_bake(t.capture.data, t.capture.size, 0, XM_NS_PER_S, 0);
    w->bake = bake_live(w);
    open_live(w);
    struct fakexen_play *play = fakexen_play(w->fake, t.capture.data, t.capture.size);
    for (unsigned i = 0; fakexen_play_records(play, step); i++) {
        if (harm)
            harm(w, i);
        pass(w);
    }
    pass(w);
    pass(w);
    fakexen_play_end(play);
    assert_int_equal(xm_bake_finish(w->bake), XM_OK);
    assert_int_equal(xm_sample_init(&t.live, room), XM_OK);
    xm_bake_sample(w->bake, xm_bake_now(w->bake), false, &t.live);
    xm_account_total(&t.live);
    t.stats = xm_bake_stats(w->bake);
    return t;
}

static void twins_end(struct twins *t)
{
    xt_free(&t->capture);
    xt_baked_free(&t->file);
    xm_sample_fini(&t->live);
}

static void same_figures(const struct twins *t)
{
    const struct xm_sample *a = &t->file.end, *b = &t->live;
    assert_int_equal(b->used.vcpus, a->used.vcpus);
    for (uint32_t i = 0; i < a->used.vcpus; i++)
        if (a->vcpu[i].id) {
            const struct xm_vcpu_row *row = xt_vcpu(b, a->vcpu[i].id);
            assert_non_null(row);
            assert_memory_equal(row, &a->vcpu[i], sizeof *row);
        }
    for (uint32_t i = 0; i < a->used.domains; i++)
        if (a->domain[i].id)
            assert_memory_equal(xt_domain(b, a->domain[i].id), &a->domain[i], sizeof a->domain[i]);
    for (uint32_t i = 0; i < a->used.pcpus; i++)
        if (a->pcpu[i].id)
            assert_memory_equal(xt_pcpu(b, a->pcpu[i].id), &a->pcpu[i], sizeof a->pcpu[i]);
    assert_int_equal(t->stats.records, t->file.stats.records);
}

/* Buffers that hold several passes, and others that wrap all the time: nothing is lost, and the figures are the file's. */
static void test_captures(void **state)
{
    static const struct {
        uint32_t pages;
        size_t step;
    } way[] = {{256, 20000}, {4, 250}};
    for (const char *const *name = xt_captures; *name; name++) {
        if (strcmp(*name, xt_lost_capture) == 0)
            continue;
        for (unsigned i = 0; i < sizeof way / sizeof way[0]; i++) {
            struct world *w = world(NULL);
            w->config.pages = way[i].pages;
            struct twins t = play(w, *name, way[i].step, NULL);
            same_figures(&t);
            assert_int_equal(t.stats.lost_records, 0);
            assert_int_equal(t.stats.stragglers, 0);
            assert_int_equal(xm_live_status(w->source).stolen + xm_live_status(w->source).bogus, 0);
            twins_end(&t);
            world_end(w);
        }
    }
}

static void not_more(const char *what, uint64_t known, uint64_t truth)
{
    if (known > truth)
        fail_msg("%s: %llu is known, %llu is true", what, (unsigned long long)known, (unsigned long long)truth);
}

/* Known time is never wrong: no more of any state than there really was, and what is missing is unknown. */
static void nothing_wrong(const struct twins *t)
{
    const struct xm_sample *a = &t->file.end, *b = &t->live;
    uint64_t missed = a->host.window - b->host.window; /* before the first record, and after the last */
    assert_null(xt_broken_sum(b));
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        const struct xm_vcpu_row *truth = &a->vcpu[i];
        const struct xm_vcpu_row *known = truth->id ? xt_vcpu(b, truth->id) : NULL;
        if (!known)
            continue;
        not_more("running", known->running, truth->running);
        not_more("runnable", known->runnable, truth->runnable);
        not_more("blocked", known->blocked, truth->blocked);
        not_more("running, the rest", truth->running, known->running + known->unknown + missed);
        not_more("blocked, the rest", truth->blocked, known->blocked + known->unknown + missed);
    }
    for (uint32_t i = 0; i < a->used.pcpus; i++) {
        const struct xm_pcpu_row *known = a->pcpu[i].id ? xt_pcpu(b, a->pcpu[i].id) : NULL;
        if (!known)
            continue;
        not_more("busy", known->busy, a->pcpu[i].busy);
        not_more("idle", known->idle, a->pcpu[i].idle);
    }
}

static void test_loss(void **state)
{
    static const char *const names[] = {"credit2-contend", "credit2-web-c16", "credit-mix"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct world *w = world(NULL);
        w->config.pages = 1;
        struct twins t = play(w, names[i], 700, NULL);
        assert_true(t.stats.lost_records > 0);
        nothing_wrong(&t);
        twins_end(&t);
        world_end(w);
    }
}

static void thief(struct world *w, unsigned pass)
{
    if (pass % 50 == 7)
        fakexen_other_take(w->fake, 1);
    if (pass % 70 == 30)
        fakexen_other_take(w->fake, 0);
}

static void test_thief(void **state)
{
    struct world *w = world(NULL);
    w->config.pages = 16;
    add_process(w, 4242, "xentrace", true);
    struct twins t = play(w, "credit2-contend", 200, thief);
    assert_true(xm_live_status(w->source).stolen > 10);
    assert_true(t.stats.lost_records >= xm_live_status(w->source).stolen);
    assert_int_equal(t.stats.stragglers, 0);
    nothing_wrong(&t);
    assert_int_equal(w->warned, 1); /* once */
    assert_non_null(strstr(w->last, "xentrace (pid 4242)"));
    twins_end(&t);
    world_end(w);
}

/* cons as another consumer would leave it that had slept: behind ours, so that old records seem to be there again. */
static void turns_back(struct world *w, unsigned pass)
{
    uint32_t cons, prod;
    if (pass % 40 != 17)
        return;
    fakexen_indices(w->fake, 0, &cons, &prod);
    if (cons >= 4096)
        fakexen_set_indices(w->fake, 0, cons - 400, prod);
}

static void test_turned_back(void **state)
{
    struct world *w = world(NULL);
    w->config.pages = 16;
    struct twins t = play(w, "credit2-contend", 200, turns_back);
    assert_true(xm_live_status(w->source).stolen > 10);
    assert_int_equal(t.stats.damages, 0);
    assert_int_equal(t.stats.backwards, 0);
    nothing_wrong(&t);
    twins_end(&t);
    world_end(w);
}

static void damages(struct world *w, unsigned pass)
{
    uint32_t cons, prod;
    fakexen_indices(w->fake, pass % 2, &cons, &prod);
    if (pass % 60 == 10)
        fakexen_set_indices(w->fake, 0, cons, 0xdeadbeef);
    if (pass % 60 == 31)
        fakexen_set_indices(w->fake, 1, 3, prod);
    if (pass % 60 == 50)
        fakexen_set_indices(w->fake, 0, cons, (cons + 40000) % (2 * (16 * 4096 - 8)) | 2);
}

static void test_bogus(void **state)
{
    struct world *w = world(NULL);
    w->config.pages = 16;
    struct twins t = play(w, "credit2-contend", 200, damages);
    assert_true(xm_live_status(w->source).bogus > 10);
    assert_true(fakexen_state(w->fake).enabled);
    assert_true(t.stats.lost_records >= xm_live_status(w->source).bogus);
    nothing_wrong(&t);
    twins_end(&t);
    world_end(w);
}

static void test_no_allocation(void **state)
{
    struct world *w = world(NULL);
    struct xt_bytes capture = xt_capture("credit2-contend");
    open_live(w);
    struct fakexen_play *play = fakexen_play(w->fake, capture.data, capture.size);
    w->config.say = NULL;
    const void *bytes;
    size_t size;
    struct xm_error err;
    (void)fakexen_play_records(play, 1000);
    unsigned before = allocations;
    for (unsigned i = 0; i < 100; i++) {
        fakexen_play_records(play, 100);
        if (i % 10 == 5)
            fakexen_other_take(w->fake, 0);
        if (i % 10 == 7)
            fakexen_set_indices(w->fake, 1, 1, 1);
        while (xm_source_next(w->source, -1, &bytes, &size, &err) == XM_OK)
            ;
        xm_live_look_after(w->source);
    }
    /* But for the look at who the other one is, once: the C library's two directory streams. */
    assert_true(allocations - before <= 2);
    fakexen_play_end(play);
    xt_free(&capture);
    world_end(w);
}

/* ---- Windows. */

static uint32_t word_at(const struct world *w, size_t at)
{
    uint32_t v;
    assert_true(at + 4 <= w->out.size);
    memcpy(&v, w->out.data + at, 4);
    return v;
}

static void write_runstates(struct world *w, uint32_t cpu, uint64_t tsc, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)fakexen_runstate(w->fake, cpu, tsc + i, 1, (uint16_t)cpu, i % 2, 1 - i % 2);
}

static void test_sparse_cpus(void **state)
{
    struct fakexen_config config = {.cpus = 201};
    for (unsigned i = 0; i < 201; i++)
        config.offline[i] = i != 3 && i != 90 && i != 200;
    struct world *w = world(&config);
    open_live(w);
    struct xm_live_status status = xm_live_status(w->source);
    assert_int_equal(status.cpus, 3);
    assert_int_equal(status.max_cpu, 200);
    assert_int_equal(status.pages, 4);
    assert_int_equal(status.buffer_bytes, 3 * 4 * 4096);
    write_runstates(w, 200, 1000, 2);
    write_runstates(w, 3, 1000, 1);
    pass(w);
    assert_int_equal(w->out.size, 12 + 16 + 12 + 32);
    assert_int_equal(word_at(w, 0), 0x2001f003);
    assert_int_equal(word_at(w, 4), 3);
    assert_int_equal(word_at(w, 8), 16);
    assert_int_equal(word_at(w, 28), 0x2001f003);
    assert_int_equal(word_at(w, 32), 200);
    assert_int_equal(word_at(w, 36), 32);
    uint32_t permille;
    assert_true(xm_live_fill(w->source, 90, &permille));
    assert_false(xm_live_fill(w->source, 4, &permille));
    assert_false(xm_live_fill(w->source, 201, &permille));
    assert_false(xm_live_fill(w->source, UINT32_MAX, &permille));
    world_end(w);
}

/* More than one piece, across the wrap, and given back as one. */
static void test_large_window(void **state)
{
    struct world *w = world(NULL);
    w->config.pages = 64;
    open_live(w);
    write_runstates(w, 0, 1000, 8000);
    pass(w);
    assert_int_equal(w->out.size, 12 + 128000);
    forget(w);
    write_runstates(w, 0, 10000, 15000); /* 240000 of 262136 bytes, of which 134136 are before the wrap */
    const void *bytes;
    size_t size, pieces = 0;
    struct xm_error err;
    uint32_t cons, prod, first;
    fakexen_indices(w->fake, 0, &first, &prod);
    while (xm_source_next(w->source, -1, &bytes, &size, &err) == XM_OK) {
        fakexen_indices(w->fake, 0, &cons, &prod);
        assert_int_equal(cons, first); /* nothing that was handed out is free yet */
        assert_true(size <= 65536);
        xt_put(&w->out, bytes, size);
        pieces++;
    }
    assert_int_equal(pieces, 1 + 3 + 2);
    fakexen_indices(w->fake, 0, &cons, &prod);
    assert_int_equal(cons, prod);
    struct xt_trace trace = xt_take_apart(&w->out);
    assert_int_equal(trace.windows, 1);
    assert_in_range(trace.records, 15000, 15001); /* a filler at the wrap */
    assert_int_equal(trace.record[trace.records - 1].tsc, 10000 + 14999);
    xt_trace_free(&trace);
    world_end(w);
}

/* What is written while a pass delivers belongs to the next one. */
static void test_looks_first(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    write_runstates(w, 0, 1000, 1);
    const void *bytes;
    size_t size;
    struct xm_error err;
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_OK);
    write_runstates(w, 0, 2000, 1);
    write_runstates(w, 1, 2000, 1);
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_OK);
    assert_int_equal(size, 16);
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_AGAIN);
    assert_true(xm_source_pass_ended(w->source));
    pass(w);
    assert_int_equal(w->out.size, 2 * (12 + 16));
    world_end(w);
}

static void test_fill(void **state)
{
    struct world *w = world(NULL);
    uint32_t permille;
    open_live(w);
    write_runstates(w, 1, 1000, 512); /* 8192 of 16376 bytes */
    pass(w);
    pass(w);
    assert_true(xm_live_fill(w->source, 1, &permille));
    assert_int_equal(permille, 500);
    assert_true(xm_live_fill(w->source, 1, &permille));
    assert_int_equal(permille, 0);
    assert_true(xm_live_fill(w->source, 0, &permille));
    assert_int_equal(permille, 0);
    world_end(w);
}

/* ---- Waiting. */

static void test_waiting(void **state)
{
    struct world *w = world(NULL);
    w->config.poll_ns = 60000 * MS;
    open_live(w);
    const void *bytes;
    size_t size;
    struct xm_error err;
    write_runstates(w, 0, 1000, 10);
    assert_int_equal(xm_source_next(w->source, 0, &bytes, &size, &err), XM_AGAIN);
    assert_false(xm_source_pass_ended(w->source));
    assert_int_equal(xm_live_status(w->source).wakeups, 0);
    assert_int_equal(xm_source_next(w->source, 1, &bytes, &size, &err), XM_AGAIN);
    assert_false(xm_source_pass_ended(w->source));
    assert_int_equal(xm_live_status(w->source).wakeups, 1);
    assert_int_equal(xm_live_status(w->source).passes, 0);
    /* Half full: the hypervisor says so, and the pass is due at once. */
    write_runstates(w, 0, 2000, 600);
    assert_int_equal(fakexen_state(w->fake).virqs, 1);
    pass(w);
    assert_int_equal(w->out.size, 12 + 610 * 16);
    struct xm_live_status status = xm_live_status(w->source);
    assert_int_equal(status.virqs, 1);
    assert_int_equal(status.wakeups, 2);
    assert_int_equal(status.passes, 1);
    assert_true(status.poll_ns < 60000 * MS / 2);
    /* And that was that. */
    assert_int_equal(xm_source_next(w->source, 0, &bytes, &size, &err), XM_AGAIN);
    assert_false(xm_source_pass_ended(w->source));
    assert_int_equal(xm_live_status(w->source).passes, 1);
    world_end(w);
}

static void nothing(int number)
{
}

static void *interrupt(void *thread)
{
    /* Until it has come in while the other one waits. */
    for (unsigned i = 0; i < 50; i++) {
        usleep(2000);
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    }
    return NULL;
}

static void test_signal(void **state)
{
    struct world *w = world(NULL);
    w->config.poll_ns = 60000 * MS;
    open_live(w);
    const struct sigaction action = {.sa_handler = nothing};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    pthread_t self = pthread_self(), other;
    assert_int_equal(pthread_create(&other, NULL, interrupt, &self), 0);
    const void *bytes;
    size_t size;
    struct xm_error err;
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_AGAIN);
    assert_false(xm_source_pass_ended(w->source));
    pthread_join(other, NULL);
    world_end(w);
}

/* Without the event passes come by time. */
static void test_no_virq(void **state)
{
    struct world *w = world(NULL);
    fakexen_refusals(w->fake)->bind = EINVAL;
    open_live(w);
    assert_int_equal(w->warned, 1);
    assert_non_null(strstr(w->last, "VIRQ_TBUF"));
    write_runstates(w, 0, 1000, 600);
    pass(w);
    assert_int_equal(w->out.size, 12 + 600 * 16);
    assert_int_equal(xm_live_status(w->source).virqs, 0);
    world_end(w);
}

/* ---- What others do. */

static void test_stolen_is_marked(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    write_runstates(w, 0, 1000, 10);
    write_runstates(w, 1, 1000, 10);
    pass(w);
    forget(w);
    write_runstates(w, 0, 2000, 10);
    write_runstates(w, 1, 2000, 10);
    assert_int_equal(fakexen_other_take(w->fake, 0), 160);
    write_runstates(w, 0, 3000, 10);
    pass(w);
    assert_int_equal(marks(w, 0), 1);
    assert_int_equal(marks(w, 1), 0);
    assert_int_equal(w->out.size, 20 + 12 + 160); /* what lay there behind is in the gap and not delivered */
    assert_int_equal(xm_live_status(w->source).stolen, 1);
    forget(w);
    write_runstates(w, 0, 4000, 10);
    pass(w);
    assert_int_equal(marks(w, 0), 0);
    assert_int_equal(w->out.size, 12 + 160);
    world_end(w);
}

/* Somebody takes a window while it is being delivered: an index added to theirs would stop tracing for all. */
static void test_robbed(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    write_runstates(w, 0, 1000, 10);
    const void *bytes;
    size_t size;
    struct xm_error err;
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_OK);
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_OK);
    assert_int_equal(size, 160);
    assert_int_equal(fakexen_other_take(w->fake, 0), 160);
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_AGAIN);
    assert_true(xm_source_pass_ended(w->source));
    uint32_t cons, prod;
    fakexen_indices(w->fake, 0, &cons, &prod);
    assert_int_equal(cons, prod);
    assert_int_equal(xm_live_status(w->source).stolen, 1);
    pass(w);
    assert_int_equal(marks(w, 0), 1);
    assert_int_equal(fakexen_runstate(w->fake, 0, 3000, 1, 0, 0, 1), FAKEXEN_WROTE);
    assert_int_equal(xm_live_status(w->source).bogus, 0);
    world_end(w);
}

static void test_bogus_is_repaired(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    write_runstates(w, 0, 1000, 10);
    pass(w);
    forget(w);
    write_runstates(w, 1, 1000, 1100); /* some of them are lost, and about to be told */
    uint32_t cons, prod;
    fakexen_indices(w->fake, 0, &cons, &prod);
    fakexen_set_indices(w->fake, 0, cons, prod | 2);
    assert_int_equal(fakexen_runstate(w->fake, 0, 2000, 1, 0, 0, 1), FAKEXEN_BOGUS);
    assert_false(fakexen_state(w->fake).enabled);
    pass(w);
    assert_true(fakexen_state(w->fake).enabled);
    assert_int_equal(w->out.size, 2 * 20); /* tracing was off for all of them */
    assert_int_equal(marks(w, 0) + marks(w, 1), 2);
    assert_int_equal(xm_live_status(w->source).bogus, 1);
    forget(w);
    write_runstates(w, 0, 3000, 10);
    pass(w);
    assert_int_equal(w->out.size, 12 + 160);
    assert_int_equal(w->warned, 1);
    forget(w);
    write_runstates(w, 1, 3000, 1);
    pass(w);
    struct xt_trace trace = xt_take_apart(&w->out);
    for (size_t i = 0; i < trace.records; i++)
        assert_int_not_equal(trace.record[i].event, 0x0001f001); /* it lies in the gap that was told */
    xt_trace_free(&trace);
    fakexen_indices(w->fake, 0, &cons, &prod);
    fakexen_set_indices(w->fake, 0, cons, prod | 2);
    pass(w);
    assert_int_equal(xm_live_status(w->source).bogus, 2);
    assert_int_equal(w->warned, 1);
    world_end(w);
}

static void test_mask_changed(void **state)
{
    struct world *w = world(NULL);
    w->config.events = XM_LIVE_EVENTS;
    open_live(w);
    xm_live_look_after(w->source);
    assert_int_equal(xm_live_status(w->source).repaired, 0);
    /* One that lets all of ours through costs nothing. */
    fakexen_other_events(w->fake, EVERYTHING);
    xm_live_look_after(w->source);
    assert_int_equal(fakexen_state(w->fake).events, XM_LIVE_EVENTS);
    assert_int_equal(xm_live_status(w->source).repaired, 1);
    pass(w);
    assert_int_equal(w->out.size, 0);
    /* With another one records are missing. */
    fakexen_other_events(w->fake, 0x00081000);
    xm_live_look_after(w->source);
    assert_int_equal(fakexen_state(w->fake).events, XM_LIVE_EVENTS);
    assert_int_equal(xm_live_status(w->source).repaired, 2);
    write_runstates(w, 0, 1000, 5); /* before that pass: in the gap, like the others */
    pass(w);
    assert_int_equal(marks(w, 0) + marks(w, 1), 2);
    assert_int_equal(w->out.size, 2 * 20);
    world_end(w);
}

/* Said once, whatever the mask was: one that is no mask at all, and one that is another each time. */
static void test_mask_is_said_once(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    fakexen_other_events(w->fake, 0);
    xm_live_look_after(w->source);
    assert_int_equal(w->warned, 1);
    assert_non_null(strstr(w->last, "0x00000000"));
    for (unsigned i = 0; i < 6; i++) {
        fakexen_other_events(w->fake, i % 2 ? 0x00081000 : 0x00021000);
        xm_live_look_after(w->source);
    }
    assert_int_equal(xm_live_status(w->source).repaired, 7);
    assert_int_equal(w->warned, 1);
    world_end(w);
}

/* A CPU that somebody left out is back after the next look, also where CPUs are left out by us. */
static void test_cpus_changed(void **state)
{
    static const uint8_t most = 0x7;
    struct world *w = world(&(struct fakexen_config){.cpus = 4});
    for (unsigned masked = 0; masked < 2; masked++) {
        w->config.cpus = masked ? &most : NULL;
        w->config.cpus_bits = masked ? 8 : 0;
        open_live(w);
        for (uint32_t cpu = 0; cpu < 4; cpu++)
            fakexen_other_cpu(w->fake, cpu, cpu == 0 || cpu == 3);
        assert_int_equal(fakexen_runstate(w->fake, 1, 1000, 1, 0, 0, 1), FAKEXEN_MASKED);
        xm_live_look_after(w->source);
        for (uint32_t cpu = 0; cpu < 4; cpu++)
            assert_int_equal(fakexen_traces_cpu(w->fake, cpu), !masked || cpu != 3);
        assert_int_equal(fakexen_runstate(w->fake, 1, 2000, 1, 0, 0, 1), FAKEXEN_WROTE);
        assert_int_equal(w->said, 0);
        assert_int_equal(xm_live_status(w->source).repaired, 0); /* whether there was anything to repair nobody knows */
        disconnect_world(w);
        connect_world(w);
    }
    open_live(w);
    fakexen_refusals(w->fake)->cpus = EPERM;
    xm_live_look_after(w->source);
    xm_live_look_after(w->source);
    assert_int_equal(w->warned, 1);
    assert_non_null(strstr(w->last, "mask of CPUs"));
    fakexen_refusals(w->fake)->cpus = 0;
    world_end(w);
}

/* In the middle of a pass the windows that were announced come first. */
static void test_look_after_in_a_pass(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    write_runstates(w, 0, 1000, 10);
    const void *bytes;
    size_t size;
    struct xm_error err;
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_OK);
    fakexen_other_events(w->fake, 0x00081000);
    xm_live_look_after(w->source);
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_OK);
    assert_int_equal(size, 160);
    assert_int_equal(xm_source_next(w->source, -1, &bytes, &size, &err), XM_AGAIN);
    assert_true(xm_source_pass_ended(w->source));
    assert_int_equal(fakexen_state(w->fake).events, EVERYTHING);
    pass(w);
    assert_int_equal(marks(w, 0) + marks(w, 1), 2);
    world_end(w);
}

/* As if the last record had come so long ago. */
static void let_time_pass(struct world *w, uint64_t ns)
{
    inside(w)->heard_ns -= ns;
}

static void test_silence(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    write_runstates(w, 0, 1000, 10);
    pass(w);
    forget(w);
    fakexen_other_enable(w->fake, false);
    write_runstates(w, 0, 2000, 10);
    for (unsigned i = 0; i < 3; i++)
        pass(w);
    xm_live_look_after(w->source);
    assert_false(fakexen_state(w->fake).enabled); /* too early to tell */
    let_time_pass(w, 2000 * MS);
    xm_live_look_after(w->source);
    assert_true(fakexen_state(w->fake).enabled);
    assert_int_equal(xm_live_status(w->source).repaired, 1);
    assert_int_equal(w->warned, 1);
    pass(w);
    assert_int_equal(marks(w, 0) + marks(w, 1), 2);
    /* Again and again, but it is said once. */
    pass(w);
    pass(w);
    let_time_pass(w, 2000 * MS);
    xm_live_look_after(w->source);
    assert_int_equal(xm_live_status(w->source).repaired, 2);
    assert_int_equal(w->warned, 1);
    /* A host that stood still for long, but for few passes, proves nothing. */
    pass(w);
    pass(w);
    pass(w);
    write_runstates(w, 0, 3000, 10);
    pass(w);
    let_time_pass(w, 9000 * MS);
    pass(w);
    xm_live_look_after(w->source);
    assert_int_equal(xm_live_status(w->source).repaired, 2);
    world_end(w);
}

/* What was set right is told at once, however long the next pass would have been waited for. */
static void test_repair_is_told_at_once(void **state)
{
    struct world *w = world(NULL);
    w->config.poll_ns = 60000 * MS;
    open_live(w);
    inside(w)->silent = 3;
    let_time_pass(w, 2000 * MS);
    xm_live_look_after(w->source);
    assert_int_equal(xm_live_status(w->source).repaired, 1);
    pass(w);
    assert_int_equal(marks(w, 0) + marks(w, 1), 2);
    fakexen_other_events(w->fake, 0x00081000);
    xm_live_look_after(w->source);
    pass(w);
    assert_int_equal(marks(w, 0) + marks(w, 1), 4);
    world_end(w);
}

/* With CPUs left out silence may be true: tracing is on afterwards, and nothing is said to be lost. */
static void test_silence_of_some(void **state)
{
    static const uint8_t second = 2;
    struct world *w = world(NULL);
    w->config.cpus = &second;
    w->config.cpus_bits = 8;
    open_live(w);
    assert_false(fakexen_traces_cpu(w->fake, 0));
    assert_true(fakexen_traces_cpu(w->fake, 1));
    fakexen_other_enable(w->fake, false);
    for (unsigned i = 0; i < 3; i++)
        pass(w);
    let_time_pass(w, 2000 * MS);
    xm_live_look_after(w->source);
    assert_true(fakexen_state(w->fake).enabled);
    assert_int_equal(xm_live_status(w->source).repaired, 0);
    pass(w);
    assert_int_equal(w->out.size, 0);
    world_end(w);
}

/* A CPU that has never had a record, and loses its first ones. */
static void test_lost_before_the_first(void **state)
{
    struct world *w = world(NULL);
    w->bake = bake_live(w);
    open_live(w);
    write_runstates(w, 0, 1000, 10);
    fakexen_runstate(w->fake, 1, 1000, 2, 0, XM_BLOCKED, XM_RUNNABLE);
    fakexen_other_take(w->fake, 1);
    pass(w);
    fakexen_runstate(w->fake, 1, 1500, 2, 0, XM_RUNNABLE, XM_RUNNING);
    write_runstates(w, 0, 1510, 10);
    pass(w);
    fakexen_runstate(w->fake, 1, 2000, 2, 0, XM_RUNNING, XM_BLOCKED);
    write_runstates(w, 0, 2010, 10);
    pass(w);
    pass(w);
    assert_int_equal(xm_bake_finish(w->bake), XM_OK);
    struct xm_sample s;
    assert_int_equal(xm_sample_init(&s, room), XM_OK);
    xm_bake_sample(w->bake, xm_bake_now(w->bake), false, &s);
    xm_account_total(&s);
    assert_null(xt_broken_sum(&s));
    const struct xm_vcpu_row *v = xt_vcpu(&s, xt_vcpu_id(0, 2, 0));
    assert_non_null(v);
    assert_int_equal(v->running, 500);
    assert_int_equal(v->runnable, 0); /* that it was runnable from 1000 on was in the record that was taken */
    assert_int_equal(v->unknown, 500);
    xm_sample_fini(&s);
    world_end(w);
}

/* ---- A consumer and a hypervisor at the same time. */

struct producer {
    struct fakexen_play *play;
    atomic_bool done;
};

static void *produce(void *user)
{
    struct producer *p = user;
    while (fakexen_play_records(p->play, 100))
        usleep(100);
    atomic_store(&p->done, true);
    return NULL;
}

static void test_at_the_same_time(void **state)
{
    struct world *w = world(NULL);
    w->config.pages = 16;
    struct twins t = {.capture = xt_capture("credit2-contend")};
    t.file = xt_bake(t.capture.data, t.capture.size, 0, XM_NS_PER_S, 0);
    w->bake = bake_live(w);
    open_live(w);
    struct producer p = {.play = fakexen_play(w->fake, t.capture.data, t.capture.size)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
    while (!atomic_load(&p.done))
        pass(w);
    pthread_join(thread, NULL);
    pass(w);
    pass(w);
    assert_int_equal(xm_bake_finish(w->bake), XM_OK);
    assert_int_equal(xm_sample_init(&t.live, room), XM_OK);
    xm_bake_sample(w->bake, xm_bake_now(w->bake), false, &t.live);
    xm_account_total(&t.live);
    t.stats = xm_bake_stats(w->bake);
    /* How fast either of them gets is the machine's affair; that nothing is wrong is not. */
    nothing_wrong(&t);
    if (fakexen_play_count(p.play, FAKEXEN_LOST) == 0 && t.live.host.gap == 0) /* one that was all but full is doubted */
        same_figures(&t);
    assert_int_equal(xm_live_status(w->source).bogus + xm_live_status(w->source).stolen, 0);
    fakexen_play_end(p.play);
    twins_end(&t);
    world_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_thief),
        cmocka_unit_test(test_turned_back),
        cmocka_unit_test(test_bogus),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_sparse_cpus),
        cmocka_unit_test(test_large_window),
        cmocka_unit_test(test_looks_first),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_no_virq),
        cmocka_unit_test(test_stolen_is_marked),
        cmocka_unit_test(test_robbed),
        cmocka_unit_test(test_bogus_is_repaired),
        cmocka_unit_test(test_mask_changed),
        cmocka_unit_test(test_mask_is_said_once),
        cmocka_unit_test(test_cpus_changed),
        cmocka_unit_test(test_look_after_in_a_pass),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_repair_is_told_at_once),
        cmocka_unit_test(test_silence_of_some),
        cmocka_unit_test(test_lost_before_the_first),
        cmocka_unit_test(test_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
