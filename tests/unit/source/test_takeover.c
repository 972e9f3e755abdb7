/* SPDX-License-Identifier: MIT */
/* Taking over tracing: every refusal leaves all as it was, and whoever ends puts back what it found. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "live_world.h"
#include "source/xen/note.h"
#include "source/xen/rivals.h"

/* What a hypervisor is set to. */
static void is_set(struct world *w, uint32_t events, bool enabled)
{
    struct fakexen_state state = fakexen_state(w->fake);
    assert_int_equal(state.events, events);
    assert_int_equal(state.enabled, enabled);
}

/* Opening fails with this status, and says one line that has all of these in it. */
static void refuses(struct world *w, enum xm_status status, const char *has, const char *too)
{
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_live_open(&w->config, &w->source, &err), status);
    assert_null(w->source);
    assert_int_equal(err.status, status);
    if (!strstr(err.text, has) || (too && !strstr(err.text, too)) || strchr(err.text, '\n'))
        fail_msg("it says: %s", err.text);
    assert_int_equal(fakexen_state(w->fake).mappings, 0);
}

/* ---- A hypervisor in which something happens, and another consumer. */

struct life {
    struct world *w;
    pthread_t thread;
    atomic_bool stop;
    uint32_t cpu;
    bool steals;
};

static void *live_on(void *user)
{
    struct life *life = user;
    for (uint64_t tsc = 1000; !atomic_load(&life->stop); tsc += 1000) {
        (void)fakexen_runstate(life->w->fake, life->cpu, tsc, 0, 0, XM_BLOCKED, XM_RUNNABLE);
        if (life->steals)
            fakexen_other_take(life->w->fake, life->cpu);
        usleep(2000);
    }
    return NULL;
}

static void begin_life(struct life *life, struct world *w, uint32_t cpu, bool steals)
{
    life->w = w;
    life->cpu = cpu;
    life->steals = steals;
    atomic_init(&life->stop, false);
    assert_int_equal(pthread_create(&life->thread, NULL, live_on, life), 0);
}

static void end_life(struct life *life)
{
    atomic_store(&life->stop, true);
    pthread_join(life->thread, NULL);
}

/* ---- Taking over and giving back. */

static void test_nothing_before(void **state)
{
    struct world *w = world(NULL);
    w->config.events = XM_LIVE_EVENTS;
    open_live(w);
    assert_true(xm_source_is_live(w->source));
    assert_false(xm_source_is_file(w->source));
    assert_int_equal(xm_source_rewind(w->source), XM_UNSUPPORTED);
    is_set(w, XM_LIVE_EVENTS, true);
    assert_int_equal(fakexen_state(w->fake).pages, 4);
    assert_true(fakexen_state(w->fake).bound);
    assert_int_equal(access(w->note, F_OK), 0);
    struct stat st;
    assert_int_equal(stat(w->note, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(w->said, 0);
    disconnect_world(w);
    is_set(w, EVERYTHING, false);
    assert_int_not_equal(access(w->note, F_OK), 0);
    /* The second time the buffers are there, and have the size they have. */
    connect_world(w);
    w->config.pages = 8;
    open_live(w);
    assert_int_equal(xm_live_status(w->source).pages, 4);
    disconnect_world(w);
    is_set(w, EVERYTHING, false);
    connect_world(w);
    world_end(w);
}

static void test_settings(void **state)
{
    static const uint8_t mask[] = {0xa, 0x1};
    struct world *w = world(&(struct fakexen_config){.cpus = 12});
    w->config.cpus = mask;
    w->config.cpus_bits = 16;
    open_live(w);
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(fakexen_traces_cpu(w->fake, i), i == 1 || i == 3 || i == 8);
    disconnect_world(w);
    for (uint32_t i = 0; i < 12; i++)
        assert_true(fakexen_traces_cpu(w->fake, i));
    connect_world(w);
    world_end(w);
}

/* The largest table that Xen makes, 512 KiB, is read: what fails is what comes after it. */
static void test_largest_table(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 65535});
    fakexen_refusals(w->fake)->map = EPERM;
    fakexen_refusals(w->fake)->maps = 1;
    refuses(w, XM_DENIED, "a trace buffer cannot be mapped", NULL);
    fakexen_refusals(w->fake)->map = 0;
    world_end(w);
}

static void test_invalid(void **state)
{
    struct world *w = world(NULL);
    const struct xm_live_config good = w->config;
#define BAD(member, value)                                                                                             \
    w->config = good;                                                                                                  \
    w->config.member = (value);                                                                                        \
    refuses(w, XM_INVALID, "out of range", NULL)
    BAD(pages, 0);
    BAD(pages, 65536);
    BAD(events, 0);
    BAD(poll_ns, MS - 1);
    BAD(poll_ns, 60000 * MS + 1);
    BAD(cpus_bits, XM_LIVE_CPUS + 1);
    w->config = good;
    assert_int_equal(fakexen_state(w->fake).pages, 0);
    world_end(w);
}

/* Buffers from an earlier consumer that is gone, with what it left in them: off stays off. */
static void test_off_before(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 2, .boot_events = 0x00081000});
    (void)fakexen_runstate(w->fake, 0, 1000, 0, 0, XM_BLOCKED, XM_RUNNABLE);
    fakexen_other_events(w->fake, EVERYTHING);
    for (unsigned i = 0; i < 600; i++)
        (void)fakexen_runstate(w->fake, 0, 1000 + i, 0, 0, XM_BLOCKED, XM_RUNNABLE); /* some are lost */
    fakexen_other_events(w->fake, 0x00081000);
    fakexen_other_enable(w->fake, false);
    open_live(w);
    is_set(w, EVERYTHING, true);
    struct xm_note note;
    struct xm_error err;
    assert_int_equal(xm_note_read(w->note, w->proc, &note, &err), XM_OK);
    assert_int_equal(note.events, 0x00081000);
    assert_int_equal(note.tracing, XM_NOTE_OFF);
    pass(w);
    assert_int_equal(w->out.size, 0); /* no false past */
    assert_int_equal(fakexen_runstate(w->fake, 0, 5000, 0, 0, XM_BLOCKED, XM_RUNNABLE), FAKEXEN_WROTE);
    pass(w);
    struct xt_trace trace = xt_take_apart(&w->out);
    for (size_t i = 0; i < trace.records; i++) /* and nothing about what was lost then: at most a filler */
        assert_in_set(trace.record[i].event, ((const LargestIntegralType[]){0x0001f002, 0x00021211}), 2);
    xt_trace_free(&trace);
    disconnect_world(w);
    is_set(w, 0x00081000, false);
    connect_world(w);
    world_end(w);
}

/* Tracing was on, and nobody read: seen while watching, or where its buffer was full once there is room. */
static void test_on_before(void **state)
{
    static const struct {
        bool full;    /* CPU 0's buffer, so that records are lost there */
        uint32_t cpu; /* that is alive */
    } way[] = {{false, 0}, {true, 0}, {true, 1}};
    for (unsigned i = 0; i < sizeof way / sizeof way[0]; i++) {
        struct world *w = world(&(struct fakexen_config){.boot_pages = 1, .boot_events = 0x00021000});
        for (uint64_t tsc = 0; way[i].full && tsc < 300; tsc++)
            (void)fakexen_runstate(w->fake, 0, tsc, 0, 0, XM_BLOCKED, XM_RUNNABLE);
        struct life life;
        begin_life(&life, w, way[i].cpu, false);
        open_live(w);
        end_life(&life);
        is_set(w, EVERYTHING, true);
        fakexen_runstate(w->fake, 0, 1000000, 0, 0, XM_BLOCKED, XM_RUNNABLE);
        pass(w);
        struct xt_trace trace = xt_take_apart(&w->out);
        for (size_t k = 0; k < trace.records; k++)
            assert_int_not_equal(trace.record[k].event, 0x0001f001);
        xt_trace_free(&trace);
        if (i == 2)
            fakexen_other_enable(w->fake, false);
        disconnect_world(w);
        is_set(w, 0x00021000, true);
        connect_world(w);
        world_end(w);
    }
}

/* Off for a moment, and then a call fails: it is on again. */
static void test_on_before_and_refused(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 1, .boot_events = 0x00021000});
    struct life life;
    begin_life(&life, w, 0, false);
    fakexen_refusals(w->fake)->events = EINVAL;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_live_open(&w->config, &w->source, &err), XM_IO);
    end_life(&life);
    is_set(w, 0x00021000, true);
    fakexen_refusals(w->fake)->events = 0;
    world_end(w);
}

/* VIRQ_TBUF is bound once for each hyper. */
static void test_twice_on_one_hyper(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    xm_source_close(w->source);
    w->source = NULL;
    fakexen_refusals(w->fake)->bind = EEXIST;
    open_live(w);
    fakexen_refusals(w->fake)->bind = 0;
    world_end(w);
}

/* ---- Refusals. */

static void test_another_has_virq(void **state)
{
    struct world *w = world(NULL);
    fakexen_other_bind(w->fake, true);
    refuses(w, XM_DENIED, "VIRQ_TBUF", "xentrace or another xenbaked");
    add_process(w, 99, "xenstored", true);
    add_process(w, 100, "bash", false);
    refuses(w, XM_DENIED, "VIRQ_TBUF", "xentrace or another xenbaked");
    add_process(w, 101, "odd\tone", true);
    refuses(w, XM_DENIED, "perhaps odd?one (pid 101)", "stop it");
    add_process(w, 4711, "xentrace", true);
    refuses(w, XM_DENIED, "xentrace (pid 4711) reads", "stop it");
    is_set(w, EVERYTHING, false);
    assert_int_equal(fakexen_state(w->fake).pages, 0);
    assert_int_not_equal(access(w->note, F_OK), 0);
    world_end(w);
}

static void test_another_reads(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 2, .boot_events = 0x00081000});
    fakexen_other_events(w->fake, 0x00029000);
    add_process(w, 4711, "xenbaked", true);
    struct life life;
    begin_life(&life, w, 0, true);
    refuses(w, XM_DENIED, "xenbaked (pid 4711)", "indices move");
    is_set(w, 0x00029000, true);
    end_life(&life);
    assert_int_not_equal(access(w->note, F_OK), 0);
    world_end(w);
}

/* Whatever call of the hypervisor fails: what was before is there again. */
static void test_calls_that_fail(void **state)
{
    for (unsigned boot = 0; boot < 2; boot++) {
        const struct fakexen_config config = {.boot_pages = boot ? 2 : 0};
        struct world *w = world(&config);
        struct fakexen_refusals *no = fakexen_refusals(w->fake);
        fakexen_other_events(w->fake, 0x00029000);
        if (!boot) {
            no->allocate = ENOMEM;
            refuses(w, XM_IO, "allocate", NULL);
            no->allocate = 0;
        }
        no->tbuf = EPERM;
        refuses(w, XM_DENIED, "", NULL);
        no->tbuf = 0;
        no->map = EPERM;
        refuses(w, XM_DENIED, "cannot be mapped", NULL);
        no->map = ENOMEM;
        for (unsigned maps = 0; maps < 3; maps++) {
            no->maps = maps;
            disconnect_world(w);
            struct fakexen *fresh = fakexen_create(&config);
            fakexen_other_events(fresh, 0x00029000);
            *fakexen_refusals(fresh) = *no;
            fakexen_destroy(w->fake);
            w->fake = fresh;
            connect_world(w);
            no = fakexen_refusals(w->fake);
            refuses(w, XM_IO, "cannot be mapped", NULL);
            is_set(w, 0x00029000, false);
        }
        no->map = 0;
        no->enable = ENODEV;
        refuses(w, XM_IO, "switch tracing on", NULL);
        is_set(w, 0x00029000, false);
        no->enable = 0;
        no->events = EINVAL;
        refuses(w, XM_IO, "mask of events", NULL);
        is_set(w, 0x00029000, false);
        no->events = 0;
        assert_int_not_equal(access(w->note, F_OK), 0);
        world_end(w);
    }
}

static void test_no_place_for_the_note(void **state)
{
    struct world *w = world(NULL);
    w->config.state_path = "/nonexistent-directory/note";
    refuses(w, XM_IO, "/nonexistent-directory/note", NULL);
    is_set(w, EVERYTHING, false);
    assert_int_equal(fakexen_state(w->fake).pages, 0);
    /* Without one it works, too. */
    w->config.state_path = NULL;
    open_live(w);
    assert_int_not_equal(access(w->note, F_OK), 0);
    world_end(w);
}

static void test_writer_alive(void **state)
{
    struct world *w = world(NULL);
    struct xm_error err;
    xm_error_clear(&err);
    const struct xm_note note = {.events = 1, .tracing = XM_NOTE_OFF};
    assert_int_equal(xm_note_write(w->note, w->proc, &note, &err), XM_OK); /* it is ours, and we live */
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
    refuses(w, XM_DENIED, pid, "stop it");
    assert_int_equal(access(w->note, F_OK), 0);
    unlink(w->note);
    world_end(w);
}

/* ---- After a kill. */

static pid_t dead_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

/* The writer ends here and now: nothing is put back, the note stays.  It is as if it had been another process. */
static void kill_writer(struct world *w)
{
    char text[512], line[64], *at;
    int fd = open(w->note, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n > 0);
    text[n] = 0;
    at = strstr(text, "writer ");
    assert_non_null(at);
    char *rest = strchr(at, '\n');
    *at = 0;
    snprintf(line, sizeof line, "writer %d 12345", (int)dead_process());
    char whole[700];
    snprintf(whole, sizeof whole, "%s%s%s", text, line, rest);
    inside(w)->touched = false;
    inside(w)->noted = false;
    disconnect_world(w);
    write_file(w->note, whole);
    connect_world(w);
}

static void test_killed(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 4});
    fakexen_other_events(w->fake, 0x00029000);
    open_live(w);
    kill_writer(w);
    is_set(w, EVERYTHING, true); /* as it was left */
    open_live(w);
    assert_non_null(strstr(w->last, "without putting tracing back"));
    assert_int_equal(w->warned, 0);
    /* Killed again: it is still the first one's finding that counts. */
    kill_writer(w);
    open_live(w);
    disconnect_world(w);
    is_set(w, 0x00029000, false);
    connect_world(w);
    world_end(w);
}

static void test_killed_while_on(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 2, .boot_events = 0x00021000});
    struct life life;
    begin_life(&life, w, 0, false);
    open_live(w);
    end_life(&life);
    kill_writer(w);
    fakexen_other_enable(w->fake, false);
    open_live(w);
    disconnect_world(w);
    is_set(w, 0x00021000, true);
    connect_world(w);
    world_end(w);
}

/* Killed before it knew whether tracing had been on: then it had not switched it on either, and that is found out now. */
static void test_killed_early(void **state)
{
    struct world *w = world(&(struct fakexen_config){.boot_pages = 2, .boot_events = 0x00021000});
    fakexen_other_enable(w->fake, false);
    open_live(w);
    inside(w)->before.tracing = XM_NOTE_UNKNOWN;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_note_write(w->note, w->proc, &inside(w)->before, &err), XM_OK);
    kill_writer(w);
    fakexen_other_enable(w->fake, false);
    open_live(w);
    disconnect_world(w);
    is_set(w, 0x00021000, false);
    connect_world(w);
    world_end(w);
}

static void test_another_boot(void **state)
{
    struct world *w = world(NULL);
    open_live(w);
    kill_writer(w);
    set_boot(w, "99999999-2222-3333-4444-555555555555\n");
    fakexen_other_events(w->fake, 0x00029000);
    fakexen_other_enable(w->fake, false);
    open_live(w);
    assert_int_equal(w->said, 0);
    disconnect_world(w);
    is_set(w, 0x00029000, false);
    connect_world(w);
    world_end(w);
}

static void test_damaged_note(void **state)
{
    struct world *w = world(NULL);
    write_file(w->note, "xenmon tracing 1\nboot");
    open_live(w);
    assert_int_equal(w->warned, 1);
    assert_non_null(strstr(w->last, "is ignored"));
    world_end(w);
}

/* ---- The note itself. */

static const char *const good_note = "xenmon tracing 1\nboot 11111111-2222-3333-4444-555555555555\nwriter 1234 99\n"
                                     "events 0x00029000\ntracing on\n";

static void test_note(void **state)
{
    struct world *w = world(NULL);
    struct xm_note note;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_note_read(w->note, w->proc, &note, &err), XM_END);
    write_file(w->note, good_note);
    assert_int_equal(xm_note_read(w->note, w->proc, &note, &err), XM_OK);
    assert_int_equal(note.pid, 1234);
    assert_int_equal(note.start, 99);
    assert_int_equal(note.events, 0x00029000);
    assert_int_equal(note.tracing, XM_NOTE_ON);
    for (unsigned i = 0; i < 3; i++) {
        const struct xm_note mine = {.events = 0xffffffff, .tracing = (enum xm_note_tracing)i};
        assert_int_equal(xm_note_write(w->note, w->proc, &mine, &err), XM_OK);
        assert_int_equal(xm_note_read(w->note, w->proc, &note, &err), XM_OK);
        assert_int_equal(note.pid, getpid());
        assert_int_equal(note.events, 0xffffffff);
        assert_int_equal(note.tracing, i);
        assert_true(xm_note_alive(&note));
    }
    note.start++;
    assert_false(xm_note_alive(&note));
    /* Where boots have no names none is believed. */
    set_boot(w, "");
    assert_int_equal(xm_note_write(w->note, w->proc, &note, &err), XM_OK);
    assert_int_equal(xm_note_read(w->note, w->proc, &note, &err), XM_END);
    assert_int_equal(xm_note_remove(w->note, &err), XM_OK);
    assert_int_equal(xm_note_remove(w->note, &err), XM_OK);
    assert_int_equal(err.status, XM_OK);
    world_end(w);
}

static void is_damaged(struct world *w, enum xm_status status)
{
    struct xm_note note;
    struct xm_error err;
    xm_error_clear(&err);
    assert_int_equal(xm_note_read(w->note, w->proc, &note, &err), status);
    assert_non_null(strstr(err.text, w->note));
    assert_int_equal(note.events, 0);
}

static void test_note_damaged(void **state)
{
    struct world *w = world(NULL);
    char text[1024];
    /* Cut anywhere. */
    for (size_t i = 0; i < strlen(good_note); i++) {
        snprintf(text, sizeof text, "%.*s", (int)i, good_note);
        write_file(w->note, text);
        struct xm_note note;
        struct xm_error err;
        xm_error_clear(&err);
        enum xm_status got = xm_note_read(w->note, w->proc, &note, &err);
        if (got != XM_DAMAGED)
            fail_msg("%zu bytes of it are taken for all of it", i);
    }
    snprintf(text, sizeof text, "%sand more\n", good_note);
    write_file(w->note, text);
    is_damaged(w, XM_DAMAGED);
    snprintf(text, sizeof text, "%s%800s", good_note, "");
    write_file(w->note, text);
    is_damaged(w, XM_DAMAGED);
    write_file(w->note, good_note);
    int fd = open(w->note, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "\0x", 2), 2);
    close(fd);
    is_damaged(w, XM_DAMAGED);
    unlink(w->note);
    assert_int_equal(mkfifo(w->note, 0600), 0);
    is_damaged(w, XM_IO); /* and does not wait for a writer */
    unlink(w->note);
    assert_int_equal(symlink("/etc/passwd", w->note), 0);
    is_damaged(w, XM_IO);
    unlink(w->note);
    world_end(w);
}

/* A writer that was killed while it wrote leaves something behind; it is in nobody's way. */
static void test_note_half_written(void **state)
{
    struct world *w = world(NULL);
    char fresh[128];
    struct stat st;
    snprintf(fresh, sizeof fresh, "%s.new", w->note);
    write_file(fresh, "xenmon trac");
    open_live(w);
    assert_int_not_equal(stat(fresh, &st), 0);
    world_end(w);
}

/* ---- Who else there is. */

static void test_rivals(void **state)
{
    struct world *w = world(NULL);
    struct xm_rival rival;
    assert_false(xm_rivals_find("/nonexistent-directory", &rival));
    assert_false(xm_rivals_find(w->proc, &rival));
    add_process(w, (int)getpid(), "xenbaked", true);
    add_process(w, 10, "qemu-system-i38", true);
    add_process(w, 11, "xenconsoled", true);
    assert_false(xm_rivals_find(w->proc, &rival));
    add_process(w, 12, "stranger", true);
    assert_true(xm_rivals_find(w->proc, &rival));
    assert_int_equal(rival.by, XM_RIVAL_BY_DEVICE);
    assert_int_equal(rival.pid, 12);
    add_process(w, 13, "xenbaked", false); /* one that replays a file */
    assert_true(xm_rivals_find(w->proc, &rival));
    assert_int_equal(rival.by, XM_RIVAL_BY_NAME);
    assert_int_equal(rival.pid, 13);
    add_process(w, 14, "xentrace", true);
    assert_true(xm_rivals_find(w->proc, &rival));
    assert_int_equal(rival.by, XM_RIVAL_BY_BOTH);
    assert_int_equal(rival.pid, 14);
    assert_string_equal(rival.name, "xentrace");
    add_process(w, 15, "", true);
    add_process(w, 16, "a-name-longer-than-any-can-be", false);
    assert_true(xm_rivals_find(w->proc, &rival));
    assert_int_equal(rival.pid, 14);
    world_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_largest_table),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_off_before),
        cmocka_unit_test(test_on_before),
        cmocka_unit_test(test_on_before_and_refused),
        cmocka_unit_test(test_twice_on_one_hyper),
        cmocka_unit_test(test_another_has_virq),
        cmocka_unit_test(test_another_reads),
        cmocka_unit_test(test_calls_that_fail),
        cmocka_unit_test(test_no_place_for_the_note),
        cmocka_unit_test(test_writer_alive),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_while_on),
        cmocka_unit_test(test_killed_early),
        cmocka_unit_test(test_another_boot),
        cmocka_unit_test(test_damaged_note),
        cmocka_unit_test(test_note),
        cmocka_unit_test(test_note_damaged),
        cmocka_unit_test(test_note_half_written),
        cmocka_unit_test(test_rivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
