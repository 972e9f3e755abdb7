/* SPDX-License-Identifier: MIT */
/* The tee and its listeners: everybody gets every byte, or is told exactly what not; nobody can hurt anybody. */
#include "source/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "baked.h"
#include "passes.h"
#include "source/listener.h"
#include "source/pass.h"

#define HZ 2793439000u

static bool taken_all;       /* a listener that reads as fast as anybody can write */
static size_t taken;         /* of it: bytes */
static int bind_error;       /* what the system has against a name */
static const char *planted;  /* somebody else makes a link to it of a socket that has just got its name */

/* These take the place of the system's. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t size = 0;
    if (!taken_all)
        return syscall(SYS_sendmsg, fd, message, flags);
    for (size_t i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    taken += size;
    return (ssize_t)size;
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    const char *path = ((const struct sockaddr_un *)(const void *)address)->sun_path;
    if (bind_error) {
        errno = bind_error;
        return -1;
    }
    long result = syscall(SYS_bind, fd, address, size);
    if (planted && result == 0 && (unlink(path) != 0 || symlink(planted, path) != 0))
        return -1;
    return (int)result;
}

struct fixture {
    char directory[64];
    char path[96];
    struct xt_bytes capture;
    struct xm_tee *tee;
    struct xt_rng rng;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/xm-tee-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/shm.control", f->directory);
    f->capture = xt_capture("credit2-contend");
    f->rng = xt_rng(xt_seed(), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    xm_tee_close(f->tee);
    unlink(f->path);
    rmdir(f->directory);
    xt_free(&f->capture);
    free(f);
    return 0;
}

static void open_tee(struct fixture *f, uint64_t backlog_bytes)
{
    struct xm_error err;
    const struct xm_tee_config config = {
        .path = f->path, .hypervisor = "Xen\t4.17", .hz = HZ, .events = 0x169000, .backlog_bytes = backlog_bytes};
    xm_error_clear(&err);
    if (xm_tee_open(&config, &f->tee, &err) != XM_OK)
        fail_msg("%s", err.text);
}

static struct xm_listener *join(struct fixture *f)
{
    struct xm_listener *l;
    struct xm_error err;
    xm_error_clear(&err);
    if (xm_listener_open(f->path, &l, &err) != XM_OK)
        fail_msg("%s", err.text);
    return l;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool is_closed(int fd)
{
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, MSG_DONTWAIT)) > 0)
        ;
    return n == 0;
}

/* Hands out a pass in pieces of any size. */
static void feed(struct fixture *f, const unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t piece = 1 + (size_t)xt_below(&f->rng, 65536);
        if (piece > size - at)
            piece = size - at;
        xm_tee_bytes(f->tee, bytes + at, piece);
        at += piece;
    }
    xm_tee_pass(f->tee);
}

struct heard {
    struct xt_bytes bytes;
    uint64_t marked; /* records that marks speak of */
    unsigned mark_frames;
    enum xm_status ended;
};

static void note(struct heard *h, const struct xm_listener_pass *pass)
{
    struct xm_pass look = {0};
    assert_int_equal(xm_pass_add(&look, pass->bytes, pass->size, NULL), XM_OK);
    assert_int_equal(xm_pass_end(&look, NULL), XM_OK);
    if (pass->marks) {
        h->marked += xm_pass_lost(&look);
        h->mark_frames++;
    }
    xm_pass_free(&look);
    xt_put(&h->bytes, pass->bytes, pass->size);
}

/* Takes in what is there, at most `frames`. */
static void hear(struct xm_listener *l, struct heard *h, size_t frames)
{
    struct xm_error err;
    struct xm_listener_pass pass;
    xm_error_clear(&err);
    while (frames-- > 0 && (h->ended = xm_listener_next(l, 0, &pass, &err)) == XM_OK)
        note(h, &pass);
    if (h->ended < 0)
        fail_msg("%s", err.text);
}

/* Lets the tee send what it has until the listener has it all; the tee's last pass was before. */
static void hear_all(struct fixture *f, struct xm_listener *l, struct heard *h)
{
    for (unsigned idle = 0; idle < 3; idle++) {
        size_t before = h->bytes.size;
        xm_tee_pass(f->tee);
        hear(l, h, SIZE_MAX);
        if (h->bytes.size != before)
            idle = 0;
    }
}

/* ---- */

static void everybody_gets_every_byte(void **state)
{
    struct fixture *f = *state;
    struct heard fast = {0};
    struct heard slow = {0};
    open_tee(f, 0);
    struct xm_listener *quick = join(f);
    struct xm_listener *lazy = join(f);
    struct xm_listener *dying = join(f);
    int silent = connect_to(f->path);
    xm_tee_pass(f->tee);
    assert_int_equal(xm_tee_status(f->tee).listeners, 3);
    size_t number = 0;
    for (size_t at = 0, size; (size = xt_pass_bytes(&f->capture, at)) > 0; at += size, number++) {
        feed(f, f->capture.data + at, size);
        hear(quick, &fast, SIZE_MAX);
        if (number % 8 == 7)
            hear(lazy, &slow, 1);
        if (number == 5) {
            xm_listener_close(dying);
            dying = NULL;
        }
    }
    assert_null(dying);
    assert_int_equal(xm_tee_status(f->tee).listeners, 2);
    hear_all(f, quick, &fast);
    hear_all(f, lazy, &slow);
    assert_int_equal(fast.bytes.size, f->capture.size);
    assert_memory_equal(fast.bytes.data, f->capture.data, f->capture.size);
    assert_int_equal(slow.bytes.size, f->capture.size);
    assert_memory_equal(slow.bytes.data, f->capture.data, f->capture.size);
    assert_int_equal(fast.mark_frames + slow.mark_frames, 0);
    assert_int_equal(xm_tee_status(f->tee).passes_dropped, 0);
    const struct xm_listener_greeting *g = xm_listener_greeting(quick);
    assert_string_equal(g->hypervisor, "Xen?4.17");
    assert_int_equal(g->hz, HZ);
    assert_int_equal(g->events, 0x169000);
    xm_listener_close(quick);
    xm_listener_close(lazy);
    close(silent);
    xt_free(&fast.bytes);
    xt_free(&slow.bytes);
}

static void one_who_comes_later_begins_with_a_pass(void **state)
{
    struct fixture *f = *state;
    struct heard h = {0};
    open_tee(f, 0);
    struct xm_listener *first = join(f);
    xm_tee_pass(f->tee);
    size_t one = xt_pass_bytes(&f->capture, 0);
    size_t two = xt_pass_bytes(&f->capture, one);
    /* Half a pass is out when the second one knocks. */
    xm_tee_bytes(f->tee, f->capture.data, one / 2);
    struct xm_listener *second = join(f);
    xm_tee_bytes(f->tee, f->capture.data + one / 2, one - one / 2);
    xm_tee_pass(f->tee);
    feed(f, f->capture.data + one, two);
    hear_all(f, second, &h);
    assert_int_equal(h.bytes.size, two);
    assert_memory_equal(h.bytes.data, f->capture.data + one, two);
    xm_listener_close(first);
    xm_listener_close(second);
    xt_free(&h.bytes);
}

/* What a stream finds: gaps of each CPU, what they say, and how much of the trace is there. */
struct found {
    unsigned gaps[8];
    uint64_t since[8], until[8];
    uint64_t lost, records;
    struct xm_stream_stats stats;
};

static struct found look_into(const struct xt_bytes *b)
{
    struct found found = {.lost = 0};
    struct xm_stream_config config = {.order = XM_ORDER_STRICT};
    struct xt_events e = xt_run(b->data, b->size, &config, NULL, NULL, XT_DRAIN_AT_END);
    assert_int_equal(e.ended, XM_OK);
    for (size_t i = 0; i < e.count; i++) {
        const struct xm_event *event = &e.event[i];
        assert_true(event->cpu < 8);
        if (event->kind == XM_EV_GAP_OPEN) {
            found.gaps[event->cpu]++;
            found.since[event->cpu] = event->tsc.v;
        } else if (event->kind == XM_EV_GAP_CLOSE) {
            found.until[event->cpu] = event->tsc.v;
            found.lost += event->word[0];
        }
    }
    found.stats = e.stats;
    xt_events_free(&e);
    return found;
}

/* Every vCPU's and pCPU's time adds up, and time known to be running is not more than in the whole trace. */
static void account_accepts(const struct xt_bytes *whole, const struct xt_bytes *heard)
{
    struct xt_baked all = xt_bake(whole->data, whole->size, 0, 1000000000, 0);
    struct xt_baked some = xt_bake(heard->data, heard->size, 0, 1000000000, 0);
    assert_int_equal(some.ended, XM_OK);
    assert_null(xt_broken_sum(&some.end));
    for (size_t i = 0; i < XM_ANOMALIES; i++)
        assert_true(some.anomaly[i] <= all.anomaly[i]);
    for (uint32_t i = 0; i < some.end.used.vcpus; i++) {
        const struct xm_vcpu_row *v = xt_vcpu(&all.end, some.end.vcpu[i].id);
        if (!some.end.vcpu[i].id)
            continue;
        assert_non_null(v);
        assert_true(some.end.vcpu[i].running <= v->running);
        assert_true(some.end.vcpu[i].runnable <= v->runnable);
        assert_true(some.end.vcpu[i].blocked <= v->blocked);
    }
    xt_baked_free(&all);
    xt_baked_free(&some);
}

/* A listener that stops for a while: `from` to `to` are left out, which `backlog` is made for. */
static void what_is_left_out_is_one_exact_gap(void **state)
{
    struct fixture *f = *state;
    struct heard h = {0};
    open_tee(f, 300 << 10);
    struct xm_listener *l = join(f);
    xm_tee_pass(f->tee);
    size_t number = 0;
    for (size_t at = 0, size; (size = xt_pass_bytes(&f->capture, at)) > 0; at += size, number++) {
        feed(f, f->capture.data + at, size);
        if (number < 6 || number > 34)
            hear(l, &h, SIZE_MAX);
    }
    hear_all(f, l, &h);
    uint64_t dropped = xm_tee_status(f->tee).passes_dropped;
    print_message("# %llu passes left out\n", (unsigned long long)dropped);
    assert_true(dropped > 3 && dropped < 29);
    assert_int_equal(h.mark_frames, 1);
    struct found whole = look_into(&f->capture);
    struct found found = look_into(&h.bytes);
    struct xt_trace parts = xt_take_apart(&f->capture);
    assert_int_equal(h.marked, found.lost);
    assert_int_equal(found.stats.lost_records, h.marked);
    /* The marks are records themselves: one a CPU that has any. */
    unsigned marks = 0;
    for (unsigned cpu = 0; cpu < 8; cpu++) {
        marks += found.gaps[cpu];
        assert_in_range(found.gaps[cpu], cpu < parts.cpus, cpu < parts.cpus);
    }
    assert_int_equal(found.stats.records - marks + h.marked, whole.stats.records);
    assert_int_equal(found.stats.backwards + found.stats.stragglers + found.stats.damages, 0);
    /* A gap's ends are the times of the first and the last record that is missing. */
    for (uint32_t cpu = 0; cpu < parts.cpus; cpu++) {
        uint64_t inside = 0, at_begin = 0, at_end = 0;
        for (size_t w = 0; w < parts.windows; w++)
            for (size_t i = 0; parts.window[w].cpu == cpu && i < parts.window[w].count; i++) {
                const struct xt_record *r = &parts.record[parts.window[w].first + i];
                inside += r->tsc >= found.since[cpu] && r->tsc <= found.until[cpu] && r->event != XM_TRC_WRAP;
                at_begin += r->has_tsc && r->tsc == found.since[cpu];
                at_end += r->has_tsc && r->tsc == found.until[cpu];
            }
        assert_true(inside > 0 && at_begin > 0 && at_end > 0);
    }
    account_accepts(&f->capture, &h.bytes);
    xt_trace_free(&parts);
    xm_listener_close(l);
    xt_free(&h.bytes);
}

static void a_pass_larger_than_the_backlog_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct heard h = {0};
    size_t largest = 0;
    uint64_t passes = 0, large = 0;
    for (size_t at = 0, size; (size = xt_pass_bytes(&f->capture, at)) > 0; at += size, passes++)
        largest = size > largest ? size : largest;
    for (size_t at = 0, size; (size = xt_pass_bytes(&f->capture, at)) > 0; at += size)
        large += size + 4 + 2 * XM_PASS_MARK_BYTES + 4 + 2 * XM_TEE_FRAME_BYTES > largest;
    open_tee(f, largest);
    struct xm_listener *l = join(f);
    xm_tee_pass(f->tee);
    for (size_t at = 0, size; (size = xt_pass_bytes(&f->capture, at)) > 0; at += size) {
        feed(f, f->capture.data + at, size);
        for (unsigned i = 0; i < 8; i++) { /* so that nothing but its size keeps a pass out */
            hear(l, &h, SIZE_MAX);
            xm_tee_pass(f->tee);
        }
    }
    hear_all(f, l, &h);
    uint64_t dropped = xm_tee_status(f->tee).passes_dropped;
    assert_true(dropped > 0 && dropped <= large && dropped < passes);
    struct found whole = look_into(&f->capture);
    struct found found = look_into(&h.bytes);
    unsigned marks = 0;
    for (unsigned cpu = 0; cpu < 8; cpu++)
        marks += found.gaps[cpu];
    assert_int_equal(found.stats.records - marks + h.marked, whole.stats.records);
    account_accepts(&f->capture, &h.bytes);
    xm_listener_close(l);
    xt_free(&h.bytes);
}

/* Losses that the hypervisor had itself are part of what is left out. */
static void losses_within_are_counted(void **state)
{
    static const uint32_t lost_word[4] = {7, 0x00020001u, 50, 0};
    struct xm_pass pass = {0};
    struct xt_bytes b = {0};
    unsigned char mark[XM_PASS_MARK_BYTES];
    size_t w = xt_window_begin(&b, 3);
    xt_record(&b, XM_TRC_LOST, 100, 4, lost_word);
    xt_runstate(&b, 120, 5, 1, 1, 0);
    xt_record(&b, 0x00081001, XT_NO_TSC, 1, lost_word);
    xt_record(&b, XM_TRC_WRAP, XT_NO_TSC, 2, lost_word);
    xt_window_end(&b, w);
    /* In any split. */
    for (size_t cut = 0; cut <= b.size; cut++) {
        xm_pass_clear(&pass);
        assert_int_equal(xm_pass_add(&pass, b.data, cut, NULL), XM_OK);
        assert_int_equal(xm_pass_end(&pass, NULL), cut == 0 || cut == b.size ? XM_OK : XM_DAMAGED);
        assert_int_equal(xm_pass_add(&pass, b.data + cut, b.size - cut, NULL), XM_OK);
        assert_int_equal(xm_pass_end(&pass, NULL), XM_OK);
        assert_int_equal(pass.cpus, 4);
        assert_int_equal(pass.cpu[3].records, 9);
        assert_int_equal(pass.cpu[3].lost, 7);
        assert_int_equal(pass.cpu[3].first_tsc, 100);
        assert_int_equal(pass.cpu[3].since_tsc, 50);
        assert_int_equal(pass.cpu[3].last_tsc, 120);
        assert_int_equal(pass.cpu[3].current, 0x00010005u);
        assert_int_equal(pass.cpu[0].records, 0);
    }
    assert_int_equal(xm_pass_marks(&pass, mark), sizeof mark);
    struct xm_record r;
    size_t used;
    assert_int_equal(xm_record_read(mark + 12, sizeof mark - 12, &r, &used), XM_OK);
    assert_int_equal(r.event, XM_TRC_LOST);
    assert_int_equal(r.tsc.v, 120);
    assert_int_equal(r.word[0], 9);
    assert_int_equal(r.word[1], 0x00010005u);
    assert_int_equal(r.word[2], 50);
    xm_pass_free(&pass);
    xt_free(&b);
}

/* A window with a CPU's LOST_RECORDS that has no time, as a live source has it where it begins anew. */
static void put_untimed_loss(struct xt_bytes *b, uint32_t cpu, uint32_t count)
{
    size_t w = xt_window_begin(b, cpu);
    xt_record(b, XM_TRC_LOST, XT_NO_TSC, 1, &count);
    xt_window_end(b, w);
}

static void put_runstate(struct xt_bytes *b, uint32_t cpu, uint64_t tsc)
{
    size_t w = xt_window_begin(b, cpu);
    xt_runstate(b, tsc, 5, cpu, 1, 0);
    xt_window_end(b, w);
}

/* A window of CPU 0 that is too large for the backlog of the next test. */
#define BULK 24u
static void put_bulk(struct xt_bytes *b, uint64_t tsc)
{
    static const uint32_t words[7] = {0};
    size_t w = xt_window_begin(b, 0);
    for (unsigned i = 0; i < BULK; i++)
        xt_record(b, 0x00081001, tsc, 7, words);
    xt_window_end(b, w);
}

static struct heard hear_two_left_out(struct fixture *f, const uint64_t first[2], const uint64_t second[2])
{
    struct heard h = {0};
    struct xt_bytes b = {0};
    open_tee(f, 600);
    struct xm_listener *l = join(f);
    xm_tee_pass(f->tee);
    for (unsigned pass = 0; pass < 4; pass++, b.size = 0) {
        if (pass == 0 || pass == 3) {
            put_runstate(&b, 0, pass ? 900 : 100);
            put_runstate(&b, 1, pass ? 1000 : 100);
        } else {
            put_bulk(&b, first[pass - 1]);
            if (second[pass - 1] == XT_NO_TSC)
                put_untimed_loss(&b, 1, 1);
            else
                put_runstate(&b, 1, second[pass - 1]);
        }
        feed(f, b.data, b.size);
        hear(l, &h, SIZE_MAX);
    }
    hear_all(f, l, &h);
    assert_int_equal(xm_tee_status(f->tee).passes_dropped, 2);
    xm_listener_close(l);
    xm_tee_close(f->tee);
    f->tee = NULL;
    xt_free(&b);
    return h;
}

/*
 * Where what was left out does not say when it was, it may have been at any time between the records that are there: before
 * and behind the times that it has, and also where it has none at all.
 */
static void losses_without_a_time_reach_to_what_is_known(void **state)
{
    static const struct {
        uint64_t first[2], second[2]; /* times of the two CPUs in the two passes that are left out */
    } cases[] = {
        {{500, 511}, {XT_NO_TSC, XT_NO_TSC}},
        {{500, 511}, {XT_NO_TSC, 520}},
        {{500, 511}, {520, XT_NO_TSC}},
        {{XT_NO_TSC, XT_NO_TSC}, {XT_NO_TSC, XT_NO_TSC}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool timed = cases[i].first[0] != XT_NO_TSC;
        struct heard h = hear_two_left_out(*state, cases[i].first, cases[i].second);
        struct found found = look_into(&h.bytes);
        assert_int_equal(h.mark_frames, 1);
        assert_int_equal(h.marked, 2 * BULK + 2);
        assert_int_equal(found.gaps[0], 1);
        assert_int_equal(found.since[0], timed ? 500 : 100);
        assert_int_equal(found.until[0], timed ? 511 : 900);
        assert_int_equal(found.gaps[1], 1);
        assert_int_equal(found.since[1], 100);
        assert_int_equal(found.until[1], 1000);
        xt_free(&h.bytes);
    }
}

/* There is no pass any more that the marks could come before. */
static void what_was_left_out_is_said_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct heard h = {0};
    open_tee(f, 1000);
    struct xm_listener *l = join(f);
    xm_tee_pass(f->tee);
    size_t size = xt_pass_bytes(&f->capture, 0);
    struct xm_pass whole = {0};
    assert_int_equal(xm_pass_add(&whole, f->capture.data, size, NULL), XM_OK);
    feed(f, f->capture.data, size);
    assert_int_equal(xm_tee_status(f->tee).passes_dropped, 1);
    xm_tee_close(f->tee);
    f->tee = NULL;
    hear(l, &h, SIZE_MAX);
    assert_int_equal(h.ended, XM_END);
    assert_int_equal(h.mark_frames, 1);
    assert_int_equal(h.marked, xm_pass_records(&whole));
    xm_pass_free(&whole);
    xm_listener_close(l);
    xt_free(&h.bytes);
}

/* What is already in a recording is left out of a pass; a loss that it ends with is of what comes next. */
static void an_untimed_loss_is_never_old(void **state)
{
    struct xm_pass seen = {0};
    struct xt_bytes b = {0};
    unsigned char out[400];
    put_runstate(&b, 0, 100);
    put_runstate(&b, 1, 100);
    assert_int_equal(xm_pass_add(&seen, b.data, b.size, NULL), XM_OK);
    size_t old = b.size;
    put_untimed_loss(&b, 0, 1);
    size_t lost = b.size - old;
    assert_int_equal(xm_pass_newer(b.data, b.size, &seen, out), lost);
    assert_memory_equal(out, b.data + old, lost);
    /* One that an old record follows is as old. */
    b.size = 0;
    size_t w = xt_window_begin(&b, 0);
    const uint32_t one = 1;
    xt_record(&b, XM_TRC_LOST, XT_NO_TSC, 1, &one);
    xt_runstate(&b, 90, 5, 0, 1, 0);
    xt_window_end(&b, w);
    assert_int_equal(xm_pass_newer(b.data, b.size, &seen, out), 0);
    xm_pass_free(&seen);
    xt_free(&b);
}

/* A window that does not consist of whole records spoils itself only. */
static void a_spoilt_window_is_skipped(void **state)
{
    static const uint32_t word = 0;
    struct xt_bytes b = {0};
    size_t w = xt_window_begin(&b, 0);
    xt_runstate(&b, 10, 1, 0, 1, 0);
    xt_put32(&b, 0xf0021001u);
    xt_put32(&b, 1);
    xt_window_end(&b, w);
    w = xt_window_begin(&b, 1);
    xt_record(&b, XM_TRC_CONTINUE, 20, 1, &word);
    xt_window_end(&b, w);
    for (size_t cut = 0; cut <= b.size; cut++) {
        struct xm_pass pass = {0};
        assert_int_equal(xm_pass_add(&pass, b.data, cut, NULL), XM_OK);
        assert_int_equal(xm_pass_add(&pass, b.data + cut, b.size - cut, NULL), XM_OK);
        assert_int_equal(xm_pass_end(&pass, NULL), XM_OK);
        assert_int_equal(xm_pass_records(&pass), 2);
        assert_int_equal(pass.damaged_bytes, 8);
        assert_int_equal(pass.offset, b.size);
        xm_pass_free(&pass);
    }
    struct xm_pass pass = {0};
    struct xm_error err;
    xm_error_clear(&err);
    b.data[b.size - 28] ^= 1; /* the second window's header */
    assert_int_equal(xm_pass_add(&pass, b.data, b.size, &err), XM_DAMAGED);
    assert_int_equal(err.offset, b.size - 28);
    xm_pass_free(&pass);
    xt_free(&b);
}

/* ---- What it costs. */

/* Bytes that malloc(3) has given out; 0 under a sanitizer, which has an allocator of its own. */
static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* One who has stopped reading costs what his backlog may have, however small the passes are. */
static void a_backlog_is_what_it_costs(void **state)
{
    struct fixture *f = *state;
    const uint64_t backlog = 4 << 20;
    static const size_t sizes[] = {20, 2000, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *window = calloc(1, sizes[i]);
        const uint32_t header[3] = {XM_WINDOW_HEADER, 0, (uint32_t)sizes[i] - 12};
        memcpy(window, header, sizeof header);
        open_tee(f, backlog);
        struct xm_listener *l = join(f);
        xm_tee_pass(f->tee);
        size_t before = in_use();
        uint64_t passes = 0;
        for (; xm_tee_status(f->tee).passes_dropped == 0; passes++) {
            xm_tee_bytes(f->tee, window, sizes[i]);
            xm_tee_pass(f->tee);
        }
        size_t after = in_use();
        print_message("# %llu passes of %zu bytes in %zu bytes\n", (unsigned long long)passes, sizes[i], after - before);
        assert_true(after < before + backlog + backlog / 8);
        xm_listener_close(l);
        xm_tee_close(f->tee);
        f->tee = NULL;
        free(window);
    }
}

static void nobody_is_sent_much_at_once(void **state)
{
    struct fixture *f = *state;
    const size_t piece = 1 << 20;
    const uint32_t header[3] = {XM_WINDOW_HEADER, 0, (uint32_t)piece};
    unsigned char *records = calloc(1, piece);
    open_tee(f, 0);
    struct xm_listener *l = join(f);
    xm_tee_pass(f->tee);
    for (unsigned i = 0; i < 20; i++) {
        xm_tee_bytes(f->tee, header, sizeof header);
        xm_tee_bytes(f->tee, records, piece);
        xm_tee_pass(f->tee);
    }
    taken_all = true;
    taken = 0;
    xm_tee_bytes(f->tee, header, sizeof header);
    assert_int_equal(taken, 0);
    xm_tee_bytes(f->tee, records, piece);
    assert_int_equal(taken, 4 << 20);
    /* At the end nobody waits for us. */
    xm_tee_pass(f->tee);
    xm_tee_close(f->tee);
    f->tee = NULL;
    assert_true(taken > 16 * piece);
    taken_all = false;
    xm_listener_close(l);
    free(records);
}

/* ---- Those who do not play by the rules. */

static void the_silent_make_way(void **state)
{
    struct fixture *f = *state;
    struct xm_listener *l[XM_TEE_LISTENERS];
    int silent[XM_TEE_LISTENERS];
    open_tee(f, 0);
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++)
        silent[i] = connect_to(f->path);
    xm_tee_pass(f->tee);
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        l[i] = join(f);
        xm_tee_pass(f->tee);
    }
    assert_int_equal(xm_tee_status(f->tee).listeners, XM_TEE_LISTENERS);
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        assert_true(is_closed(silent[i]));
        close(silent[i]);
    }
    /* One too many is told so. */
    struct xm_listener_pass pass;
    struct xm_error err;
    xm_error_clear(&err);
    struct xm_listener *ninth = join(f);
    xm_tee_pass(f->tee);
    assert_int_equal(xm_listener_next(ninth, 1000, &pass, &err), XM_DENIED);
    assert_non_null(strstr(err.text, "as many listen"));
    xm_listener_close(ninth);
    assert_int_equal(xm_tee_status(f->tee).listeners, XM_TEE_LISTENERS);
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++)
        xm_listener_close(l[i]);
    xm_tee_pass(f->tee);
    assert_int_equal(xm_tee_status(f->tee).listeners, 0);
}

static void the_silent_are_dropped_in_the_end(void **state)
{
    struct fixture *f = *state;
    open_tee(f, 0);
    int fd = connect_to(f->path);
    assert_int_equal(send(fd, "rec", 3, 0), 3);
    for (unsigned i = 0; i < XM_TEE_PATIENCE_PASSES; i++) {
        xm_tee_pass(f->tee);
        assert_false(is_closed(fd));
    }
    for (unsigned i = 0; i < 3; i++)
        xm_tee_pass(f->tee);
    assert_true(is_closed(fd));
    close(fd);
}

static void who_says_too_much_is_dropped(void **state)
{
    static const char *const said[] = {"record\nand more", "hello\n", "recorder\n", "\n", "RECORD\n"};
    struct fixture *f = *state;
    char noise[4096];
    char answer[64];
    open_tee(f, 0);
    memset(noise, 'r', sizeof noise);
    for (size_t i = 0; i <= sizeof said / sizeof said[0]; i++) {
        int fd = connect_to(f->path);
        bool loud = i == sizeof said / sizeof said[0];
        size_t size = loud ? sizeof noise : strlen(said[i]);
        assert_int_equal(send(fd, loud ? noise : said[i], size, 0), size);
        xm_tee_pass(f->tee);
        ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);
        assert_true(n > 6 && strncmp(answer, "error ", 6) == 0 && answer[n - 1] == '\n');
        assert_int_equal(xm_tee_status(f->tee).listeners, 0);
        close(fd);
    }
    /* In two pieces it is the same request. */
    int fd = connect_to(f->path);
    assert_int_equal(send(fd, "rec", 3, 0), 3);
    xm_tee_pass(f->tee);
    assert_int_equal(send(fd, "ord\n", 4, 0), 4);
    xm_tee_pass(f->tee);
    assert_int_equal(xm_tee_status(f->tee).listeners, 1);
    close(fd);
    /* Nobody hears the next pass; a signal would end this program. */
    feed(f, f->capture.data, xt_pass_bytes(&f->capture, 0));
    assert_int_equal(xm_tee_status(f->tee).listeners, 0);
}

/* ---- The socket. */

static void the_socket_is_where_it_should(void **state)
{
    struct fixture *f = *state;
    struct xm_error err;
    struct xm_tee *other;
    struct stat st;
    char path[200];
    char control[200];
    assert_true(xm_tee_path("/run/xenmon/shm", path, sizeof path));
    assert_string_equal(path, "/run/xenmon/shm.control");
    assert_false(xm_tee_path("/run/xenmon/shm", path, 20));
    /* What a socket cannot be called is no name for it. */
    memset(path, 'x', sizeof path);
    path[99] = '\0';
    assert_true(xm_tee_path(path, control, sizeof control));
    memcpy(path + 99, "x", 2);
    assert_false(xm_tee_path(path, control, sizeof control));
    open_tee(f, 0);
    assert_int_equal(lstat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    /* One that is stale is replaced, and the old owner leaves the new one's alone. */
    struct xm_tee *stale = f->tee;
    open_tee(f, 0);
    xm_tee_close(stale);
    assert_int_equal(lstat(f->path, &st), 0);
    xm_listener_close(join(f));
    xm_tee_close(f->tee);
    f->tee = NULL;
    assert_int_equal(lstat(f->path, &st), -1);
    /* What is no socket stays. */
    int fd = open(f->path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    struct xm_tee_config config = {.path = f->path, .hypervisor = "", .hz = 0};
    xm_error_clear(&err);
    assert_int_equal(xm_tee_open(&config, &other, &err), XM_IO);
    assert_non_null(strstr(err.text, "no socket"));
    assert_int_equal(lstat(f->path, &st), 0);
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    config.path = path;
    xm_error_clear(&err);
    assert_int_equal(xm_tee_open(&config, &other, &err), XM_IO);
    assert_non_null(strstr(err.text, "too long"));
    /* Who lacks a permission is told so. */
    unlink(f->path);
    config.path = f->path;
    static const int errors[] = {EACCES, EPERM, EROFS};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        bind_error = errors[i];
        xm_error_clear(&err);
        enum xm_status status = xm_tee_open(&config, &other, &err);
        bind_error = 0;
        assert_int_equal(status, errors[i] == EROFS ? XM_IO : XM_DENIED);
        assert_non_null(strstr(err.text, strerror(errors[i])));
    }
}

/* The directory may belong to a user with fewer rights, who puts a link there. */
static void a_link_in_its_place_is_not_followed(void **state)
{
    struct fixture *f = *state;
    struct xm_error err;
    struct stat st;
    char target[96];
    const struct xm_tee_config config = {.path = f->path, .hypervisor = "", .hz = 0};
    snprintf(target, sizeof target, "%s/target", f->directory);
    close(open(target, O_CREAT | O_WRONLY, 0600));
    mode_t mask = umask(022);
    planted = target;
    xm_error_clear(&err);
    enum xm_status status = xm_tee_open(&config, &f->tee, &err);
    planted = NULL;
    assert_int_equal(umask(mask), 022);
    assert_int_equal(status, XM_IO);
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(lstat(f->path, &st), 0); /* it is not ours to remove */
    unlink(target);
}

/* ---- A server that is none: what the listener makes of it. */

static void hostile_servers_are_found_out(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum xm_status status;
        const char *text;
    } cases[] = {
#define SAYS(text) text, sizeof text - 1
        {SAYS("ok Xen\t1000\t0x1\n\xfc\xff\xff\x7f"), XM_DAMAGED, "2147483644"},
        {SAYS("ok Xen\t1000\t0x1\n\x05\x00\x00\x00hello"), XM_DAMAGED, "5 bytes"},
        {SAYS("ok Xen\t1000\t0x1\n\x10\x00\x00\x00half"), XM_END, ""},
        {SAYS("ok Xen\t1000\t0x1\n"), XM_END, ""},
        {SAYS("ok Xen\t1000\t0x1"), XM_END, ""},
        {SAYS("ok Xen\n"), XM_DAMAGED, "no xenbaked: 'ok Xen'"},
        {SAYS("ok Xen\t-1\t0x1\n"), XM_DAMAGED, "no xenbaked"},
        {SAYS("ok Xen\t99999999999999999999\t0x1\n"), XM_DAMAGED, "no xenbaked"},
        {SAYS("ok Xen\t1\t0x100000000\n"), XM_DAMAGED, "no xenbaked"},
        {SAYS("ok Xen\0\t1\t0x1\n"), XM_DAMAGED, "no xenbaked"},
        {SAYS("HTTP/1.1 400 Bad Request\r\n"), XM_DAMAGED, "'HTTP/1.1 400 Bad Request?'"},
        {SAYS("error \x1b[2Jgo away\n"), XM_DENIED, "?[2Jgo away"},
        {SAYS(""), XM_END, ""},
        {NULL, 300, XM_DAMAGED, "no line"},
    };
    struct fixture *f = *state;
    char many[300];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(many, 'o', sizeof many);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server, 4), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xm_error err;
        struct xm_listener_pass pass;
        struct xm_listener *l = join(f);
        int fd = accept(server, NULL, NULL);
        enum xm_status status;
        char request[16] = "";
        assert_int_equal(recv(fd, request, sizeof request, 0), 7);
        assert_string_equal(request, "record\n");
        assert_int_equal(send(fd, cases[i].bytes ? cases[i].bytes : many, cases[i].size, MSG_NOSIGNAL), cases[i].size);
        close(fd);
        xm_error_clear(&err);
        while ((status = xm_listener_next(l, 1000, &pass, &err)) == XM_AGAIN)
            ;
        if (status != cases[i].status || !strstr(err.text, cases[i].text))
            fail_msg("case %zu: %d, '%s'", i, status, err.text);
        xm_listener_close(l);
    }
    close(server);
    struct xm_listener *nobody;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_listener_open(f->path, &nobody, &err), XM_AGAIN); /* a socket with nobody behind it */
    unlink(f->path);
    assert_int_equal(xm_listener_open(f->path, &nobody, &err), XM_AGAIN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(everybody_gets_every_byte),
        TEST(one_who_comes_later_begins_with_a_pass),
        TEST(what_is_left_out_is_one_exact_gap),
        TEST(a_pass_larger_than_the_backlog_is_left_out),
        TEST(losses_within_are_counted),
        TEST(losses_without_a_time_reach_to_what_is_known),
        TEST(what_was_left_out_is_said_at_the_end),
        TEST(an_untimed_loss_is_never_old),
        TEST(a_spoilt_window_is_skipped),
        TEST(a_backlog_is_what_it_costs),
        TEST(nobody_is_sent_much_at_once),
        TEST(the_silent_make_way),
        TEST(the_silent_are_dropped_in_the_end),
        TEST(who_says_too_much_is_dropped),
        TEST(the_socket_is_where_it_should),
        TEST(a_link_in_its_place_is_not_followed),
        TEST(hostile_servers_are_found_out),
    };
    return cmocka_run_group_tests_name("tee", tests, NULL, NULL);
}
