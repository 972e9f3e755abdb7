/* SPDX-License-Identifier: MIT */
/*
 * xenmon history show: the live screen over a stretch of the past.
 *
 * The samples of one run become a region of their own, which has ended, and xenmon live shows it; its keys
 * that go back
 * and forth in time go over all of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "beside.h"
#include "history.h"
#include "region/writer.h"
#include "scratch.h"

#define PROGRAM      "xenmon history show"
#define MOST_SECONDS 86400
#define HOUR_NS      (3600 * XM_NS_PER_S)

struct config {
    struct xm_range range;
    const char *region;
    uint64_t run, memory_bytes;
    bool help;
};

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {"from", 'b', XM_ARG_NEEDED, xm_set_text, AT(range.from), "TIME",
     "2026-11-26T10:00:00Z, \"2026-11-26 10:00\", 10:00, or -2h (an hour before the end)", 0, 0, 0},
    {"to", 'e', XM_ARG_NEEDED, xm_set_text, AT(range.to), "TIME", "likewise (the end of the run)", 0, 0, 0},
    {"run", 0, XM_ARG_NEEDED, xm_set_count, AT(run), "N",
     "of which run, as 'xenmon history runs' numbers them (the newest one then)", 1, INT64_MAX, 0},
    {"memory", 0, XM_ARG_NEEDED, xm_set_size, AT(memory_bytes), "SIZE",
     "what is shown is cut short so as to need no more (256M)", UINT64_C(1) << 20, UINT64_C(1) << 34, 0},
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH",
     "write the region there and leave it, and show nothing", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] [DIR]\n"
           "Opens the live screen over what a run of xenbaked left in the history.\n");
    xm_options_print(options, OPTIONS, stdout);
    return xm_history_flush(PROGRAM, XM_EXIT_DONE);
}

/* ---- The region. */

struct showing {
    const struct config *c;
    const struct xm_history_run *run;
    const char *path;
    uint64_t interval_ns; /* the usual one between samples */
    struct xm_writer *writer;
};

static enum xm_status begin(void *user, struct xm_capacity capacity, size_t samples, struct xm_error *err)
{
    struct showing *s = user;
    char title[160];
    /* A region's seconds are samples times their interval; here all of them are to stay. */
    uint64_t interval = s->interval_ns < 1000000            ? 1000000
                        : s->interval_ns > 60 * XM_NS_PER_S ? 60 * XM_NS_PER_S
                                                            : s->interval_ns;
    uint64_t seconds = samples * interval / XM_NS_PER_S + 60;
    struct xm_writer_config w = {
        .path = s->path,
        .source = XM_SOURCE_REPLAY,
        .source_name = title,
        .settings = {.capacity = capacity,
                     .interval_ns = interval,
                     .limit_bytes = s->c->memory_bytes,
                     .fast_s = (uint32_t)(seconds < MOST_SECONDS ? seconds : MOST_SECONDS),
                     .slow_s = (uint32_t)(seconds < MOST_SECONDS ? seconds : MOST_SECONDS)}};
    snprintf(title, sizeof title, "history of %.100s", s->run->source_name);
    enum xm_status status = xm_writer_create(&w, &s->writer, err);
    if (status != XM_OK)
        return status;
    const struct xm_history_run *r = s->run;
    const struct xm_writer_facts facts = {.tsc_hz = r->tsc_hz,
                                          .tsc_hz_from = r->tsc_hz_from,
                                          .states_from = r->states_from,
                                          .io_seen = r->io_seen,
                                          .hypervisor = r->hypervisor,
                                          .scheduler = r->scheduler,
                                          .host_cpus = r->host_cpus};
    xm_writer_facts(s->writer, &facts);
    return XM_OK;
}

static enum xm_status each(void *user, const struct xm_sample *sample, const struct xm_region_domain *fact,
                           const struct xm_history_instant *instant, struct xm_error *err)
{
    struct showing *s = user;
    struct xm_sample shown = *sample;
    enum xm_status status = XM_OK;
    shown.host.passes = 0; /* how the buffers were read is known of passes; their fill is not kept */
    for (uint32_t slot = 0; slot < sample->used.domains && status == XM_OK; slot++)
        status = xm_writer_domain(s->writer, slot, &fact[slot]);
    if (status == XM_OK)
        status = xm_writer_publish(s->writer, XM_SERIES_SLOW, &shown);
    if (status == XM_OK)
        status = xm_writer_publish(s->writer, XM_SERIES_FAST, &shown);
    return status == XM_OK ? XM_OK
                           : xm_fail(err, status, XM_NO_OFFSET, "a sample does not fit into the region");
}

/*
 * The median of the spans between samples would be better, and the average is what the region's length
 * hangs on.
 */
static enum xm_status find_interval(struct showing *s, struct xm_history *history, struct xm_error *err)
{
    struct xm_history_instant *instant;
    size_t count;
    enum xm_status status = xm_history_instants(history, s->run, &instant, &count, err);
    if (status != XM_OK)
        return status;
    size_t first = 0, last = count;
    while (first < count && instant[first].real_ns < s->c->range.from_ns)
        first++;
    while (last > first && instant[last - 1].real_ns > s->c->range.to_ns)
        last--;
    s->interval_ns = last > first + 1
                         ? (instant[last - 1].mono_ns - instant[first].mono_ns) / (last - first - 1)
                         : XM_NS_PER_S;
    if (last <= first)
        status = xm_fail(err, XM_END, XM_NO_OFFSET, "nothing is known of that time");
    free(instant);
    return status;
}

static int write_region(struct showing *s, struct xm_history *history)
{
    struct xm_error err;
    const struct xm_history_walk walk = {.begin = begin, .each = each, .user = s};
    xm_error_clear(&err);
    enum xm_status status = find_interval(s, history, &err);
    if (status == XM_OK)
        status = xm_history_walk(history, s->run, s->c->range.from_ns, s->c->range.to_ns, &walk, &err);
    if (status == XM_OK && s->writer)
        xm_writer_state(s->writer, XM_WRITER_ENDED);
    if (status == XM_OK)
        return XM_EXIT_DONE;
    if (s->writer)
        xm_writer_close(s->writer, true);
    s->writer = NULL;
    xm_complain(PROGRAM, "%s", err.text);
    return XM_EXIT_FAILED;
}

/* The run that is to be shown; NULL: there is none. */
static const struct xm_history_run *choose(const struct config *c, const struct xm_history *history)
{
    for (size_t i = history->runs; i-- > 0;) {
        const struct xm_history_run *r = &history->run[i];
        if (c->run ? (uint64_t)r->id == c->run
                   : r->samples && r->first_real_ns <= c->range.to_ns && r->last_real_ns >= c->range.from_ns)
            return r;
    }
    return NULL;
}

/* ---- The screen. */

static int run_screen(const char *region)
{
    /* In a build tree it lies beside us; we are in libexec/xenmon else. */
    static const char *const places[] = {"/xenmon", "/../../bin/xenmon", NULL};
    char program[PATH_MAX];
    int wait_status = 0;
    if (!xm_find_beside(places, program))
        snprintf(program, sizeof program, "xenmon");
    /* The screen answers Ctrl-C; we outlive it to remove the region. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(XM_EXIT_FAILED);
        execlp(program, "xenmon", "live", "--region", region, (char *)NULL);
        xm_complain(PROGRAM, "%s: %s", program, strerror(errno));
        _exit(XM_EXIT_FAILED);
    }
    if (pid < 0) {
        xm_complain(PROGRAM, "fork: %s", strerror(errno));
        return XM_EXIT_FAILED;
    }
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : XM_EXIT_FAILED;
}

static int show(struct showing *s, struct xm_history *history)
{
    struct xm_scratch place;
    char region[96];
    if (!xm_scratch_make(&place)) {
        xm_complain(PROGRAM, "no directory for the region: %s", strerror(errno));
        return XM_EXIT_FAILED;
    }
    snprintf(region, sizeof region, "%s/shm", place.path);
    s->path = region;
    int code = write_region(s, history);
    if (code == XM_EXIT_DONE)
        code = run_screen(region);
    xm_writer_close(s->writer, true);
    snprintf(region, sizeof region, "%s/shm.lock", place.path);
    unlink(region);
    xm_scratch_remove(&place);
    return code;
}

static int settle_range(struct config *c, const struct xm_history *history)
{
    const struct xm_history_run *run = choose(c, history);
    if (!run || run->samples == 0) {
        xm_complain(PROGRAM, c->run ? "there is no such run with samples" : "nothing is known of that time");
        return XM_EXIT_FAILED;
    }
    if (!c->range.from && !c->range.to && run->last_real_ns > HOUR_NS)
        c->range.from_ns = run->last_real_ns - HOUR_NS;
    return XM_EXIT_DONE;
}

int xenmon_history_show_main(int argc, char **argv)
{
    struct config c = {.memory_bytes = UINT64_C(256) << 20};
    struct xm_history history;
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.help)
        return print_help();
    int code = xm_history_begin(PROGRAM, operands, argv, &c.range, &history);
    if (code != XM_EXIT_DONE)
        return code;
    code = settle_range(&c, &history);
    struct showing s = {.c = &c, .run = choose(&c, &history), .path = c.region};
    if (code == XM_EXIT_DONE && c.region) {
        code = write_region(&s, &history);
        xm_writer_close(s.writer, false);
    } else if (code == XM_EXIT_DONE) {
        code = show(&s, &history);
    }
    xm_history_end(&history);
    return code;
}
