/* SPDX-License-Identifier: MIT */
/* The log against a region that this test writes: seams, restarts, growth, overruns, ends. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/log/log.h"
#include "region/writer.h"
#include "xenmon/region.h"

#define DOM(domid, instance)        (XM_ROW_USED | (uint64_t)(instance) << 32 | (domid))
#define VCPU(domid, vcpu, instance) (DOM(domid, instance) | (uint64_t)(vcpu) << 16)
#define MS                          UINT64_C(1000000)
#define MAX_FILES                   8

/* A region, its writer, what the log says and writes. */
struct scene {
    char directory[64], path[96];
    struct xm_writer *writer;
    struct xm_sample sample;
    struct xm_log *log;
    struct xm_log_config config;
    char said[2048];
    uint64_t now; /* ns, the log's clock */
    char *text;              /* what the stream or a file was found to hold */
    char name[MAX_FILES][16]; /* of the files, in the order of their opening; "stream" is one */
    unsigned files;
    bool no_room; /* what is opened takes nothing */
};

static void say(void *user, const char *text)
{
    struct scene *s = user;
    snprintf(s->said + strlen(s->said), sizeof s->said - strlen(s->said), "%s\n", text);
}

static void path_of(void *user, const char *name, char *text, size_t size)
{
    const struct scene *s = user;
    snprintf(text, size, "%s/%s.log", s->directory, name ? name : "stream");
}

static int open_file(void *user, const char *name, bool again)
{
    struct scene *s = user;
    char path[128];
    unsigned i = 0;
    path_of(s, name, path, sizeof path);
    name = name ? name : "stream";
    while (i < s->files && strcmp(s->name[i], name) != 0)
        i++;
    assert_true(i < MAX_FILES);
    assert_int_equal(again, i < s->files);
    if (i == s->files)
        snprintf(s->name[s->files++], sizeof s->name[0], "%s", name);
    if (s->no_room)
        return open("/dev/full", O_WRONLY | O_CLOEXEC);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (again ? 0 : O_TRUNC), 0600);
}

/* What a file holds; NULL: there is none.  Valid until the next call. */
static const char *file_text(struct scene *s, const char *name)
{
    char path[128];
    size_t size = 1 << 20;
    path_of(s, name, path, sizeof path);
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    free(s->text);
    s->text = calloc(1, size);
    assert_non_null(s->text);
    assert_true(fread(s->text, 1, size - 1, f) < size - 1);
    fclose(f);
    return s->text;
}

static void forget_files(struct scene *s)
{
    char path[128];
    for (unsigned i = 0; i < s->files; i++) {
        path_of(s, s->name[i], path, sizeof path);
        unlink(path);
    }
    s->files = 0;
}

static void open_writer(struct scene *s, struct xm_capacity capacity)
{
    const struct xm_writer_config config = {
        .path = s->path,
        .settings = {.capacity = capacity, .interval_ns = 100 * MS, .fast_s = 10, .slow_s = 60},
        .source = XM_SOURCE_REPLAY,
        .source_name = "test",
    };
    const struct xm_writer_facts facts = {.tsc_hz = 1000000000,
                                          .tsc_hz_from = "option",
                                          .states_from = "runstate",
                                          .io_seen = XM_IO_SEEN_GRANTS};
    struct xm_error err = {0};
    if (xm_writer_create(&config, &s->writer, &err) != XM_OK)
        fail_msg("%s", err.text);
    xm_writer_facts(s->writer, &facts);
    xm_writer_state(s->writer, XM_WRITER_RUNNING);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(s->directory, sizeof s->directory, "/tmp/xenmon-test-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    snprintf(s->path, sizeof s->path, "%s/shm", s->directory);
    assert_int_equal(xm_sample_init(&s->sample, (struct xm_capacity){16, 16, 4}), XM_OK);
    open_writer(s, (struct xm_capacity){4, 4, 2});
    s->config = (struct xm_log_config){.path = s->path,
                                       .format = XM_LOG_CSV,
                                       .interval_ns = 1000 * MS,
                                       .cpu = XM_LOG_ALL_CPUS,
                                       .open = open_file,
                                       .path_of = path_of,
                                       .say = say,
                                       .user = s};
    xm_selection_add_exact(&s->config.selection, false);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    char path[128];
    xm_log_destroy(s->log);
    xm_writer_close(s->writer, true);
    xm_sample_fini(&s->sample);
    forget_files(s);
    free(s->text);
    unlink(s->path);
    snprintf(path, sizeof path, "%s.lock", s->path);
    unlink(path);
    rmdir(s->directory);
    free(s);
    return 0;
}

static void open_log(struct scene *s)
{
    struct xm_error err = {0};
    if (xm_log_create(&s->config, &s->log, &err) != XM_OK)
        fail_msg("%s", err.text);
}

/* Steps until the log has nothing to do. */
static enum xm_status step(struct scene *s)
{
    struct xm_error err = {0};
    uint64_t wake;
    enum xm_status status;
    s->now += MS;
    while ((status = xm_log_step(s->log, s->now, &wake, &err)) == XM_OK)
        ;
    if (status == XM_AGAIN)
        assert_true(wake > s->now);
    if (status < 0)
        print_message("# %s\n", err.text);
    return status;
}

static void publish(struct scene *s)
{
    assert_int_equal(xm_writer_publish(s->writer, XM_SERIES_FAST, &s->sample), XM_OK);
}

/* The row of a vCPU of a domain, made where it is missing. */
static struct xm_vcpu_row *vcpu(struct scene *s, uint32_t slot, uint64_t id, uint32_t domain_slot)
{
    struct xm_sample *x = &s->sample;
    if (x->used.vcpus <= slot)
        x->used.vcpus = slot + 1;
    if (x->used.domains <= domain_slot)
        x->used.domains = domain_slot + 1;
    if (x->vcpu[slot].id != id) {
        x->vcpu[slot] = (struct xm_vcpu_row){.id = id, .unknown = x->host.window, .slice_min = UINT64_MAX};
        x->vcpu_domain[slot] = domain_slot;
        uint64_t domain = id & ~UINT64_C(0xffff0000);
        if (x->domain[domain_slot].id != domain)
            x->domain[domain_slot] = (struct xm_domain_row){.id = domain};
        x->domain[domain_slot].vcpus++;
    }
    return &x->vcpu[slot];
}

/* Time passes: 100 ms, all of it in which every vCPU runs and executes 3 times, but for slot 1, which waits. */
static void pass(struct scene *s)
{
    struct xm_sample *x = &s->sample;
    x->host.window += 100 * MS;
    x->host.tsc = 5000 * MS + x->host.window;
    for (uint32_t i = 0; i < x->used.vcpus; i++) {
        struct xm_vcpu_row *v = &x->vcpu[i];
        struct xm_domain_row *d = &x->domain[x->vcpu_domain[i]];
        if (!v->id)
            continue;
        if (i == 1) {
            v->runnable += 100 * MS;
            v->wait_preempt += 100 * MS;
            d->runnable += 100 * MS;
        } else {
            v->running += 100 * MS;
            v->executions += 3;
            d->running += 100 * MS;
            d->executions += 3;
            d->grant_maps += 2;
        }
        v->wait_max = x->host.window / 100 / MS; /* of this sample alone */
    }
    publish(s);
}

static const char *csv(struct scene *s)
{
    const char *text = file_text(s, NULL);
    return text ? text : "";
}

static size_t lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Field `column` of the CSV, added up over the rows of one vCPU number; UINT64_MAX in `vcpu_number`: all rows. */
static uint64_t column_sum(struct scene *s, const char *column, uint64_t vcpu_number)
{
    char *copy = strdup(csv(s));
    char *rest = copy;
    char *line = strsep(&rest, "\n");
    unsigned wanted = 0, vcpu_at = 0, n = 0;
    bool found = false;
    for (char *name; (name = strsep(&line, ",")); n++) {
        if (strcmp(name, column) == 0) {
            wanted = n;
            found = true;
        }
        if (strcmp(name, "vcpu") == 0)
            vcpu_at = n;
    }
    assert_true(found);
    uint64_t sum = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        uint64_t value = 0, number = 0;
        unsigned i = 0;
        for (char *field; (field = strsep(&line, ",")); i++) {
            value = i == wanted ? strtoull(field, NULL, 10) : value;
            number = i == vcpu_at ? strtoull(field, NULL, 10) : number;
        }
        assert_int_equal(i, n); /* as many fields as the header has */
        if (vcpu_number == UINT64_MAX || number == vcpu_number)
            sum += value;
    }
    free(copy);
    return sum;
}

static void intervals_and_end(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    vcpu(s, 1, VCPU(1, 1, 0), 0);
    s->config.from_start = true;
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN); /* no sample yet */
    for (unsigned i = 0; i < 25; i++) {
        pass(s);
        assert_int_equal(step(s), XM_AGAIN);
    }
    assert_int_equal(lines(csv(s)), 1 + 2 * 2); /* two seconds of two vCPUs */
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    assert_int_equal(step(s), XM_END); /* what is replayed ends the log */
    assert_int_equal(lines(csv(s)), 1 + 3 * 2);
    assert_int_equal(column_sum(s, "window_ns", 0), 2500 * MS);
    assert_int_equal(column_sum(s, "running_ns", 0), 2500 * MS);
    assert_int_equal(column_sum(s, "executions", 0), 75);
    assert_int_equal(column_sum(s, "wait_after_preemption_ns", 1), 2500 * MS);
    assert_int_equal(column_sum(s, "grant_maps", UINT64_MAX), 50); /* the domain's, once */
    assert_int_equal(column_sum(s, "wait_max_ns", 0),
                     10 + 20 + 25); /* each interval's own largest: the last sample's */
    assert_string_equal(s->said, "");
}

/* What dom0's kernel counts stands on the domain's row; of a domain without its devices nothing is known. */
static void devices(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    vcpu(s, 1, VCPU(1, 1, 0), 0);
    vcpu(s, 2, VCPU(2, 0, 0), 1);
    struct xm_domain_row *web = &s->sample.domain[0];
    web->vifs = 1;
    web->weight = 256;
    s->sample.domain[1].sent_bytes = 99;
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 20; i++) {
        web->received_bytes += 1000;
        web->sent_packets += 2;
        pass(s);
        assert_int_equal(step(s), XM_AGAIN);
    }
    assert_int_equal(column_sum(s, "net_received_bytes", UINT64_MAX), 20000);
    assert_int_equal(column_sum(s, "net_sent_packets", 0), 40);
    assert_int_equal(column_sum(s, "net_sent_packets", 1), 0);
    assert_int_equal(column_sum(s, "net_sent_bytes", UINT64_MAX), 0);
    assert_int_equal(column_sum(s, "weight", UINT64_MAX), 2 * 256);
    assert_non_null(strstr(csv(s), ",,,256,0,10000,0,0,20,,,,,,\n")); /* disks are not known, not 0 */
    assert_non_null(strstr(csv(s), ",done_grant_unmaps,online_vcpus,paused,weight,cap_pct,net_received_bytes,"));
}

/* From now on: what was before is nobody's business, and the first window is as long as the others. */
static void from_now_on(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    for (unsigned i = 0; i < 7; i++)
        pass(s);
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    for (unsigned i = 0; i < 20; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 3);
    assert_int_equal(column_sum(s, "window_ns", 0), 2000 * MS);
    /* A vCPU that comes later counts since the trace began, in its first row. */
    vcpu(s, 2, VCPU(1, 2, 0), 0);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(column_sum(s, "window_ns", 2), 3700 * MS);
    assert_int_equal(column_sum(s, "running_ns", 2), 1000 * MS);
    struct xm_error err = {0};
    pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(xm_log_finish(s->log, &err), XM_OK); /* the user ends it: 100 ms more */
    assert_int_equal(column_sum(s, "window_ns", 0), 3100 * MS);
}

/* Ten seconds fit into the ring; the reader was away for twice that. */
static void overrun(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 2);
    for (unsigned i = 0; i < 250; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_non_null(strstr(s->said, "too slow: "));
    struct xm_error err = {0};
    assert_int_equal(xm_log_finish(s->log, &err), XM_OK);
    /* The gap made one row longer; nothing is missing from the sums. */
    assert_int_equal(column_sum(s, "window_ns", 0), 26000 * MS);
    assert_int_equal(column_sum(s, "executions", 0), 780);
}

static void growth(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 13; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(xm_writer_grow(s->writer, (struct xm_capacity){8, 12, 4}, &err), XM_OK);
    for (uint32_t i = 4; i < 9; i++)
        vcpu(s, i, VCPU(7, i, 0), 5);
    for (unsigned i = 0; i < 7; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 1 + 1 + 6);
    assert_int_equal(column_sum(s, "window_ns", 0), 2000 * MS);
    assert_int_equal(column_sum(s, "executions", 0), 60);
    assert_int_equal(column_sum(s, "running_ns", 8), 700 * MS);
    assert_string_equal(s->said, ""); /* nothing the user would notice */
}

static void restart(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 14; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    xm_writer_close(s->writer, false);
    s->writer = NULL;
    xm_sample_clear(&s->sample);
    open_writer(s, (struct xm_capacity){4, 4, 2});
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_non_null(strstr(s->said, "restarted"));
    /* The old one's to its end, and the new one's from its beginning. */
    assert_int_equal(column_sum(s, "window_ns", 0), 1400 * MS + 1000 * MS);
    assert_int_equal(column_sum(s, "executions", 0), 3 * 24);
}

/* The new one's trace has not revealed its rate: nothing is written as 0 ns, and nothing of it is left out. */
static void restart_without_a_rate(void **state)
{
    struct scene *s = *state;
    static const struct xm_writer_facts unknown = {.states_from = "runstate"};
    static const struct xm_writer_facts known = {
        .tsc_hz = 1000000000, .tsc_hz_from = "trace", .states_from = "runstate"};
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 14; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    xm_writer_close(s->writer, false);
    s->writer = NULL;
    xm_sample_clear(&s->sample);
    open_writer(s, (struct xm_capacity){4, 4, 2});
    xm_writer_facts(s->writer, &unknown);
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    for (unsigned i = 0; i < 5; i++) {
        pass(s);
        assert_int_equal(step(s), XM_AGAIN);
    }
    assert_int_equal(lines(csv(s)), 1 + 2); /* of the old one only */
    xm_writer_facts(s->writer, &known);
    for (unsigned i = 0; i < 15; i++) {
        pass(s);
        assert_int_equal(step(s), XM_AGAIN);
    }
    assert_int_equal(lines(csv(s)), 1 + 2 + 2);
    assert_int_equal(column_sum(s, "window_ns", 0), 1400 * MS + 2000 * MS);
    assert_int_equal(column_sum(s, "running_ns", 0), 1400 * MS + 2000 * MS);
    assert_int_equal(column_sum(s, "executions", 0), 3 * 34);
    /* And where it ends without one, that is said. */
    xm_writer_close(s->writer, false);
    xm_sample_clear(&s->sample);
    open_writer(s, (struct xm_capacity){4, 4, 2});
    xm_writer_facts(s->writer, &unknown);
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    pass(s);
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    assert_int_equal(step(s), XM_UNSUPPORTED);
    assert_int_equal(lines(csv(s)), 1 + 2 + 2);
}

static void time_is_up(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    pass(s);
    s->config.duration_ns = 2000 * MS;
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    for (unsigned i = 0; i < 15; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    s->now += 2000 * MS;
    assert_int_equal(step(s), XM_AGAIN); /* the second interval is a little late */
    for (unsigned i = 0; i < 5; i++)
        pass(s);
    assert_int_equal(step(s), XM_END);
    assert_int_equal(lines(csv(s)), 3);
    /* And where nothing comes any more it ends all the same. */
    xm_log_destroy(s->log);
    s->log = NULL;
    forget_files(s);
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    s->now += 4000 * MS;
    assert_int_equal(step(s), XM_END);
}

static void already_over(void **state)
{
    struct scene *s = *state;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    for (unsigned i = 0; i < 12; i++)
        pass(s);
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    open_log(s);
    assert_int_equal(step(s), XM_END);
    assert_int_equal(column_sum(s, "window_ns", 0), 1200 * MS);
    assert_non_null(strstr(s->said, "has ended"));
}

static void no_rate(void **state)
{
    struct scene *s = *state;
    xm_writer_facts(s->writer, &(struct xm_writer_facts){.states_from = "runstate"});
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    pass(s);
    s->config.from_start = true;
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN); /* it may come yet */
    xm_writer_state(s->writer, XM_WRITER_ENDED);
    assert_int_equal(step(s), XM_UNSUPPORTED);
    xm_log_destroy(s->log);
    s->log = NULL;
    forget_files(s);
    s->config.hz = 500000000;
    open_log(s);
    assert_int_equal(step(s), XM_END);
    assert_int_equal(column_sum(s, "window_ns", 0), 200 * MS);
}

static void no_region(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    s->config.path = "/nonexistent/region";
    assert_int_equal(xm_log_create(&s->config, &s->log, &err), XM_IO);
    assert_null(s->log);
    assert_non_null(strstr(err.text, "/nonexistent/region"));
}

/* ---- Upstream's files. */

static void check_line(const char *text, unsigned line, const double *expected)
{
    for (; line; line--) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    for (unsigned i = 0; i < 16; i++) {
        char *end;
        double value = strtod(text, &end);
        assert_true(end != text);
        bool same = expected[i] != expected[i] ? value != value
                                               : value > expected[i] - 0.01 && value < expected[i] + 0.01;
        if (!same)
            fail_msg("column %u is %f, should be %f", i + 1, value, expected[i]);
        text = end;
    }
    assert_int_equal(*text, '\n');
}

static void upstream_files(void **state)
{
    struct scene *s = *state;
    struct xm_sample *x = &s->sample;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    vcpu(s, 1, VCPU(1, 1, 0), 0);
    vcpu(s, 2, VCPU(5, 0, 0), 1);
    x->used.pcpus = 2;
    x->pcpu[0] = (struct xm_pcpu_row){.id = XM_ROW_USED | 4};
    x->pcpu[1] = (struct xm_pcpu_row){.id = XM_ROW_USED | 0};
    s->config.format = XM_LOG_XENMON;
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 20; i++) {
        x->pcpu[0].idle += 100 * MS;
        x->pcpu[1].busy += 60 * MS;
        x->pcpu[1].idle += 40 * MS;
        pass(s);
    }
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(s->files, 3);
    assert_int_equal(lines(file_text(s, "dom1")), 3);
    static const char header[] =
        "# passed(ms) cpu dom cpu(tot) cpu(%) cpu/ex allocated/ex blocked(tot) blocked(%) "
        "blocked/io waited(tot) waited(%) waited/ex ex/s io(tot) io/ex\n";
    assert_memory_equal(file_text(s, "dom1"), header, strlen(header));
    const double first[16] = {1000, -1, 1,   1e9, 100,      1e9 / 30, 0,  0,
                              0,    0,  1e9, 100, 1e9 / 30, 30,       20, 20.0 / 30};
    check_line(file_text(s, "dom1"), 1, first);
    const double idle[16] = {2000, -1, -1, 1.4e9, 140};
    check_line(file_text(s, "idle"), 2, idle);
    assert_null(strstr(file_text(s, "dom5"), "nan"));

    /* A domain that has ended is written up to the interval that saw its end, and no further. */
    x->domain[1].ended = 1;
    for (unsigned i = 0; i < 20; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(file_text(s, "dom1")), 5);
    assert_int_equal(lines(file_text(s, "dom5")), 4);
}

static void upstream_one_cpu(void **state)
{
    struct scene *s = *state;
    struct xm_sample *x = &s->sample;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    x->used.pcpus = 2;
    x->pcpu[0] = (struct xm_pcpu_row){.id = XM_ROW_USED | 4, .idle = 500};
    x->pcpu[1] = (struct xm_pcpu_row){.id = XM_ROW_USED | 9};
    xm_writer_facts(s->writer, &(struct xm_writer_facts){.tsc_hz = 1000000000,
                                                         .tsc_hz_from = "trace",
                                                         .states_from = "runstate"}); /* no grants seen */
    s->config.format = XM_LOG_XENMON;
    s->config.from_start = true;
    s->config.cpu = 4;
    open_log(s);
    x->pair[0 * 4 + 0] = (struct xm_pair_row){.running = 250 * MS, .waited = 50 * MS, .executions = 5};
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(file_text(s, "dom1")), 2);
    const double nan = strtod("nan", NULL);
    const double row[16] = {1000, 4, 1, 250e6, 25, 50e6, 0, 0, 0, nan, 50e6, 5, 10e6, 5, nan, nan};
    check_line(file_text(s, "dom1"), 1, row);
    assert_int_equal(lines(file_text(s, "idle")), 2);
    xm_log_destroy(s->log);
    s->config.cpu = XM_LOG_EACH_CPU;
    forget_files(s);
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(file_text(s, "dom1")), 2); /* it was on one only */
    assert_int_equal(lines(file_text(s, "idle")), 3);
}

/* ---- The other formats, files that fill up, and when it ends. */

static void name_domain(struct scene *s, uint32_t slot, uint64_t id, const char *name, const char *uuid)
{
    struct xm_region_domain facts = {.id = id};
    snprintf(facts.name, sizeof facts.name, "%s", name);
    snprintf(facts.uuid, sizeof facts.uuid, "%s", uuid);
    assert_int_equal(xm_writer_domain(s->writer, slot, &facts), XM_OK);
}

/* Two domains, named, in 1 s; 100 ms of it lost on one of two pCPUs. */
static void two_domains(struct scene *s)
{
    struct xm_sample *x = &s->sample;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    vcpu(s, 1, VCPU(1, 1, 0), 0);
    vcpu(s, 2, VCPU(5, 0, 3), 1);
    name_domain(s, 0, DOM(1, 0), "web \"1\", x", "0f6f4b1c-11aa-4bb2-8e0f-0123456789ab");
    x->used.pcpus = 2;
    x->pcpu[0] = (struct xm_pcpu_row){.id = XM_ROW_USED | 4};
    x->pcpu[1] = (struct xm_pcpu_row){.id = XM_ROW_USED | 0};
    for (unsigned i = 0; i < 10; i++) {
        x->host.real += 100 * MS;
        x->host.records += 7;
        x->pcpu[0].idle += 100 * MS;
        x->pcpu[1].busy += 60 * MS;
        x->pcpu[1].idle += 40 * MS;
        pass(s);
    }
}

/* The last interval of the old one has the names of its own domains, whatever the new one's are called. */
static void names_at_a_restart(void **state)
{
    struct scene *s = *state;
    s->config.per = XM_LOG_PER_DOMAIN;
    s->config.from_start = true;
    open_log(s);
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    name_domain(s, 0, DOM(1, 0), "old", "");
    for (unsigned i = 0; i < 14; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    xm_writer_close(s->writer, false);
    s->writer = NULL;
    xm_sample_clear(&s->sample);
    open_writer(s, (struct xm_capacity){4, 4, 2});
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    name_domain(s, 0, DOM(1, 0), "new", "");
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 1 + 2 + 1);
    assert_non_null(strstr(csv(s), ",1400000000,1,0,old,,"));
    assert_non_null(strstr(csv(s), ",1000000000,1,0,new,,"));
}

static void json_lines(void **state)
{
    struct scene *s = *state;
    s->config.format = XM_LOG_JSONL;
    s->config.from_start = true;
    s->config.selection.metrics = 0;
    struct xm_error err = {0};
    assert_int_equal(xm_selection_add(&s->config.selection, "running_ns,runnable_pct,grant_maps,weight,late_blocked_ns", &err), XM_OK);
    open_log(s);
    two_domains(s);
    s->sample.host.lost_records = 3;
    assert_int_equal(step(s), XM_AGAIN);
    assert_string_equal(csv(s),
        "{\"schema\":\"xenmon.log/1\",\"time\":\"1970-01-01T00:00:01.000000000Z\",\"from\":\"1970-01-01T00:00:00.000000000Z\","
        "\"span_ns\":1000000000,\"trace_ns\":1000000000,"
        "\"host\":{\"source\":\"test\",\"hypervisor\":null,\"scheduler\":null,\"cpus\":null,\"tsc_hz\":1000000000,"
        "\"states_from\":\"runstate\",\"records\":70,\"own_cpu_ns\":null},"
        "\"quality\":{\"lost_records\":0,\"unknown_ns\":0,\"coverage_ratio\":1,\"gap_ns\":0,\"anomalies\":0,\"damaged_bytes\":0},"
        "\"domains\":[{\"domid\":1,\"instance\":0,\"name\":\"web \\\"1\\\", x\",\"uuid\":\"0f6f4b1c-11aa-4bb2-8e0f-0123456789ab\","
        "\"ended\":false,\"vcpus_seen\":2,\"span_ns\":2000000000,"
        "\"running_ns\":1000000000,\"runnable_pct\":100,\"grant_maps\":20,\"weight\":null,\"late_blocked_ns\":0,"
        "\"vcpus\":[{\"vcpu\":0,\"state\":\"running\",\"cpu\":null,\"running_ns\":1000000000,\"runnable_pct\":0,\"late_blocked_ns\":0},"
        "{\"vcpu\":1,\"state\":\"running\",\"cpu\":null,\"running_ns\":0,\"runnable_pct\":100,\"late_blocked_ns\":0}]},"
        "{\"domid\":5,\"instance\":3,\"name\":null,\"uuid\":null,\"ended\":false,\"vcpus_seen\":1,\"span_ns\":1000000000,"
        "\"running_ns\":1000000000,\"runnable_pct\":0,\"grant_maps\":20,\"weight\":null,\"late_blocked_ns\":0,"
        "\"vcpus\":[{\"vcpu\":0,\"state\":\"running\",\"cpu\":null,\"running_ns\":1000000000,\"runnable_pct\":0,\"late_blocked_ns\":0}]}],"
        "\"cpus\":[{\"cpu\":0,\"window_ns\":1000000000,\"busy_ns\":600000000,\"idle_ns\":400000000,\"switching_ns\":0,\"unknown_ns\":0,"
        "\"gap_ns\":0,\"executions\":0,\"lost_records\":0,\"buffer_fill_permille\":null},"
        "{\"cpu\":4,\"window_ns\":1000000000,\"busy_ns\":0,\"idle_ns\":1000000000,\"switching_ns\":0,\"unknown_ns\":0,"
        "\"gap_ns\":0,\"executions\":0,\"lost_records\":0,\"buffer_fill_permille\":null}]}\n");
}

/* Who had ended before the interval began has no part in how far its figures can be trusted. */
static void coverage_without_the_dead(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    s->config.format = XM_LOG_JSONL;
    s->config.selection.metrics = 0;
    assert_int_equal(xm_selection_add(&s->config.selection, "unknown_ns", &err), XM_OK);
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    vcpu(s, 2, VCPU(5, 0, 0), 1);
    pass(s);
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    for (unsigned i = 0; i < 20; i++) {
        s->sample.vcpu[0].unknown += 50 * MS; /* half of the time of the one that lives */
        s->sample.domain[0].unknown += 50 * MS;
        s->sample.vcpu[0].running -= 50 * MS;
        s->sample.domain[0].running -= 50 * MS;
        s->sample.domain[1].ended = i >= 5;
        pass(s);
    }
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 2);
    assert_non_null(strstr(csv(s), "\"unknown_ns\":500000000,\"coverage_ratio\":0.75,")); /* it ends in this one */
    assert_non_null(strstr(strchr(csv(s), '\n'), "\"unknown_ns\":500000000,\"coverage_ratio\":0.5,"));
}

static void csv_of_domains(void **state)
{
    struct scene *s = *state;
    s->config.per = XM_LOG_PER_DOMAIN;
    s->config.from_start = true;
    s->config.selection.metrics = 0;
    struct xm_error err = {0};
    assert_int_equal(xm_selection_add(&s->config.selection, "runnable_ns,running_pct,weight", &err), XM_OK);
    open_log(s);
    two_domains(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_string_equal(csv(s),
        "time,trace_ns,domid,instance,name,uuid,vcpus,span_ns,runnable_ns,running_pct,weight\n"
        "1970-01-01T00:00:01.000000Z,1000000000,1,0,\"web \"\"1\"\", x\",0f6f4b1c-11aa-4bb2-8e0f-0123456789ab,2,2000000000,1000000000,100,\n"
        "1970-01-01T00:00:01.000000Z,1000000000,5,3,,,1,1000000000,0,100,\n");
    /* A vCPU that comes now counts since the trace began: in the domain's row too. */
    vcpu(s, 3, VCPU(5, 1, 3), 1);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_non_null(strstr(csv(s), ",5,3,,,2,3000000000,0,")); /* 1 s of the old one, 2 s of the new one */
}

/* Of vCPUs the names stand at the end, on every row, and are quoted where they must be. */
static void csv_of_vcpus(void **state)
{
    struct scene *s = *state;
    s->config.from_start = true;
    s->config.selection.metrics = 0;
    struct xm_error err = {0};
    assert_int_equal(xm_selection_add(&s->config.selection, "runnable_ns,weight", &err), XM_OK);
    open_log(s);
    two_domains(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_string_equal(csv(s),
        "time,trace_ns,domid,instance,vcpu,runnable_ns,weight,name,uuid\n"
        "1970-01-01T00:00:01.000000Z,1000000000,1,0,0,0,,\"web \"\"1\"\", x\",0f6f4b1c-11aa-4bb2-8e0f-0123456789ab\n"
        "1970-01-01T00:00:01.000000Z,1000000000,1,0,1,1000000000,,\"web \"\"1\"\", x\",0f6f4b1c-11aa-4bb2-8e0f-0123456789ab\n"
        "1970-01-01T00:00:01.000000Z,1000000000,5,3,0,0,,,\n");
}

/*
 * A vCPU of a known domain, and a domain, seen for the first time 3 s after the trace began: durations count
 * since then, percentages and rates are of the interval's second.
 */
static void derived_of_a_late_row(void **state, enum xm_log_per per, const char *const *rows)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    for (unsigned i = 0; i < 20; i++)
        pass(s);
    s->config.per = per;
    s->config.selection.metrics = 0;
    assert_int_equal(xm_selection_add(&s->config.selection,
                                      "window_ns,blocked_ns,running_pct,blocked_pct,unknown_pct,executions_per_s",
                                      &err), XM_OK);
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    for (unsigned i = 0; i < 10; i++) {
        if (i == 5) { /* asleep since the trace began, which its first record reveals */
            uint64_t slept = s->sample.host.window;
            *vcpu(s, 2, VCPU(1, 1, 0), 0) = (struct xm_vcpu_row){
                .id = VCPU(1, 1, 0), .blocked = slept, .slice_min = UINT64_MAX};
            *vcpu(s, 3, VCPU(7, 0, 0), 1) = (struct xm_vcpu_row){
                .id = VCPU(7, 0, 0), .blocked = slept, .slice_min = UINT64_MAX};
            s->sample.domain[0].blocked = s->sample.domain[1].blocked = slept;
        }
        pass(s);
    }
    assert_int_equal(step(s), XM_AGAIN);
    for (; *rows; rows++)
        if (!strstr(csv(s), *rows))
            fail_msg("no '%s' in\n%s", *rows, csv(s));
}

static void derived_of_a_late_vcpu(void **state)
{
    static const char *const rows[] = {",1,0,0,1000000000,0,100,0,0,30,,\n",
                                       ",1,0,1,3000000000,2500000000,50,50,0,15,,\n",
                                       ",7,0,0,3000000000,2500000000,50,50,0,15,,\n", NULL};
    derived_of_a_late_row(state, XM_LOG_PER_VCPU, rows);
}

static void derived_of_a_late_domain(void **state)
{
    static const char *const rows[] = {
        ",1,0,,,2,4000000000,1000000000,2500000000,150,50,0,45\n",
        ",7,0,,,1,3000000000,3000000000,2500000000,50,50,0,15\n", NULL};
    derived_of_a_late_row(state, XM_LOG_PER_DOMAIN, rows);
}

static void table(void **state)
{
    struct scene *s = *state;
    s->config.format = XM_LOG_TABLE;
    s->config.per = XM_LOG_PER_DOMAIN;
    s->config.from_start = true;
    s->config.selection.metrics = 0;
    open_log(s);
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    name_domain(s, 0, DOM(1, 0), "front-end-of-the-shop-01", "");
    two_domains(s);
    assert_int_equal(step(s), XM_AGAIN);
    static const char head[] = "xenmon - 1970-01-01T00:00:01.000Z, 1.000 s, 2 pCPUs 30.0% busy, 0 records lost\n";
    assert_memory_equal(csv(s), head, strlen(head));
    assert_non_null(strstr(csv(s), "      NAME  STATE   CPU(sec) CPU(%) WAIT(%) BLKD(%) UNKN(%) VCPUS     EX/s WAIT/ex(us)     IO/s\n"));
    assert_non_null(strstr(csv(s), "web \"1\", x -----r      1.000  100.0   100.0     0.0     0.0     2     30.0     33333.3     20.0\n"));
    assert_non_null(strstr(csv(s), "      dom5 -----r      1.000  100.0     0.0     0.0     0.0     1     30.0         0.0     20.0\n\n"));
    /* A long name loses its middle; all of it is there on demand; who has ended is shown dying once. */
    name_domain(s, 0, DOM(1, 0), "front-end-of-the-shop-\xc3\xbc\xc3\xbc", "");
    s->sample.domain[1].ended = 1;
    s->sample.vcpu[0].state = 2;
    s->sample.vcpu[1].state = 2;
    for (unsigned i = 0; i < 20; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_non_null(strstr(csv(s), "\nfront-end..e-shop-\xc3\xbc\xc3\xbc --b---      2.000"));
    assert_non_null(strstr(csv(s), "                dom5 d-----      2.000"));
    assert_null(strstr(csv(s), "dom5 d-----      3.000"));
}

/* The state that this program is there for has a letter; running comes first, and the dead want nothing. */
static void letters(void **state)
{
    struct scene *s = *state;
    enum { RUNNING, RUNNABLE, BLOCKED };
    s->config.format = XM_LOG_TABLE;
    s->config.from_start = true;
    s->config.selection.metrics = 0;
    open_log(s);
    two_domains(s);
    s->sample.vcpu[0].state = BLOCKED;
    s->sample.vcpu[1].state = RUNNABLE;
    s->sample.vcpu[2].state = RUNNABLE;
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    s->sample.vcpu[0].state = RUNNING;
    s->sample.domain[1].ended = 1;
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    const char *second = strstr(csv(s), "\n\nxenmon - ");
    assert_non_null(second);
    assert_non_null(strstr(second, "web \"1\", x -----w      2.000"));
    assert_non_null(strstr(second, "     vcpu0 --b---      2.000"));
    assert_non_null(strstr(second, "     vcpu1 -----w      0.000"));
    assert_non_null(strstr(second, "      dom5 -----w      2.000"));
    const char *third = strstr(second + 2, "\n\nxenmon - ");
    assert_non_null(third);
    assert_non_null(strstr(third, "web \"1\", x -----r      3.000"));
    assert_non_null(strstr(third, "      dom5 d-----      3.000"));
}

static void count_is_up(void **state)
{
    struct scene *s = *state;
    uint64_t lost;
    uint64_t records;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    s->sample.host.lost_records = 100; /* before the log */
    pass(s);
    s->config.count = 2;
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    for (unsigned i = 0; i < 35; i++) {
        s->sample.host.lost_records++;
        s->sample.host.records += 10;
        pass(s);
    }
    assert_int_equal(step(s), XM_END);
    assert_int_equal(lines(csv(s)), 3);
    struct xm_error err = {0};
    assert_int_equal(xm_log_finish(s->log, &err), XM_OK); /* writes no more than was asked for */
    assert_int_equal(lines(csv(s)), 3);
    xm_log_loss(s->log, &lost, &records);
    assert_int_equal(lost, 20);
    assert_int_equal(records, 200);
}

static void full_disk(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    uint64_t wake;
    s->no_room = true;
    s->config.from_start = true;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    open_log(s);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(xm_log_step(s->log, s->now, &wake, &err), XM_IO);
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(err.text, "/stream.log: No space left on device"));
}

static void full_disk_and_room_again(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    s->no_room = true;
    s->config.from_start = true;
    s->config.keep_going = true;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    open_log(s);
    for (unsigned i = 0; i < 35; i++) {
        pass(s);
        assert_int_equal(step(s), XM_AGAIN);
    }
    assert_int_equal(lines(s->said), 1);
    assert_non_null(strstr(s->said, "/stream.log: No space left on device; keeps going"));
    s->no_room = false;
    assert_int_equal(xm_log_reopen(s->log, &err), XM_OK);
    for (unsigned i = 0; i < 5; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_non_null(strstr(s->said, "well again: 3 intervals could not be written"));
    assert_int_equal(lines(csv(s)), 2); /* one row for all four */
    assert_int_equal(column_sum(s, "window_ns", 0), 4000 * MS);
    assert_int_equal(column_sum(s, "executions", 0), 120);
    assert_int_equal(column_sum(s, "wait_max_ns", 0), 40);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 3);
    assert_int_equal(lines(s->said), 2);
}

static void reopened(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    char path[128];
    char moved[160];
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    s->config.from_start = true;
    open_log(s);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    path_of(s, NULL, path, sizeof path);
    snprintf(moved, sizeof moved, "%s.1", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(xm_log_reopen(s->log, &err), XM_OK);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    unlink(moved);
    assert_int_equal(lines(csv(s)), 2); /* its header, and what came since */
    assert_int_equal(column_sum(s, "window_ns", 0), 1000 * MS);
}

/* Upstream's files: each is written or not, and the others go on. */
static void full_disk_of_files(void **state)
{
    struct scene *s = *state;
    struct xm_error err = {0};
    uint64_t wake;
    s->config.format = XM_LOG_XENMON;
    s->config.from_start = true;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    open_log(s);
    s->no_room = true;
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(xm_log_step(s->log, s->now, &wake, &err), XM_IO);
    assert_non_null(strstr(err.text, "/dom1.log: No space left on device"));
    xm_log_destroy(s->log);
    s->log = NULL;
    forget_files(s);
    s->config.keep_going = true;
    open_log(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(s->said), 1);
    s->no_room = false;
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_non_null(strstr(s->said, "well again: 1 intervals were left out"));
    assert_int_equal(lines(file_text(s, "dom1")), 2); /* with the header that had no room before */
}

/* Names that are not known at first, and a pattern that they match then. */
static void selected(void **state)
{
    struct scene *s = *state;
    static const char *const wanted[] = {"late*", "5"};
    s->config.selection.domains = wanted;
    s->config.selection.domain_count = 2;
    s->config.from_start = true;
    vcpu(s, 0, VCPU(1, 0, 0), 0);
    vcpu(s, 1, VCPU(5, 0, 0), 1);
    vcpu(s, 2, VCPU(7, 0, 0), 2);
    open_log(s);
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 2);
    assert_int_equal(column_sum(s, "domid", UINT64_MAX), 5);
    name_domain(s, 2, DOM(7, 0), "later", "");
    for (unsigned i = 0; i < 10; i++)
        pass(s);
    assert_int_equal(step(s), XM_AGAIN);
    assert_int_equal(lines(csv(s)), 4);
    assert_int_equal(column_sum(s, "domid", UINT64_MAX), 5 + 5 + 7);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(intervals_and_end), SCENE_TEST(devices), SCENE_TEST(from_now_on),
        SCENE_TEST(overrun),           SCENE_TEST(growth),
        SCENE_TEST(restart),           SCENE_TEST(restart_without_a_rate),
        SCENE_TEST(names_at_a_restart),
        SCENE_TEST(time_is_up),
        SCENE_TEST(already_over),      SCENE_TEST(no_rate),
        SCENE_TEST(no_region),         SCENE_TEST(upstream_files),
        SCENE_TEST(upstream_one_cpu),  SCENE_TEST(json_lines),
        SCENE_TEST(csv_of_domains),    SCENE_TEST(csv_of_vcpus), SCENE_TEST(table),
        SCENE_TEST(letters),
        SCENE_TEST(coverage_without_the_dead),
        SCENE_TEST(derived_of_a_late_vcpu),
        SCENE_TEST(derived_of_a_late_domain),
        SCENE_TEST(count_is_up),       SCENE_TEST(full_disk),
        SCENE_TEST(full_disk_and_room_again),
        SCENE_TEST(full_disk_of_files),
        SCENE_TEST(reopened),          SCENE_TEST(selected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
