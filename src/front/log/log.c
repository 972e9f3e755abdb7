/* SPDX-License-Identifier: MIT */
#include "front/log/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "front/log/log_int.h"
#include "view/format.h"
#include "xenmon/region.h"

#define MIN_POLL_NS UINT64_C(5000000)
#define MAX_POLL_NS UINT64_C(100000000)

struct xm_log {
    struct xm_log_config config;
    struct xm_region *region;
    struct xm_region_info info;
    struct xm_scale scale;
    struct xm_sample base; /* where the interval began; !has_base: with the trace */
    struct xm_sample last; /* the newest sample of the interval, with the peaks of those before it */
    struct xm_sample next;
    struct xm_place *vcpus, *domains; /* [row_count] */
    struct xm_log_name *names;        /* [row_count], by domain slot */
    uint32_t row_count;
    struct xm_sink sink; /* the stream, or what upstream's files are written through */
    bool begun;          /* there is a rate, the first interval has begun */
    bool has_base, has_last;
    bool said_gone;
    bool moved;            /* the handle reads another region than log->info is of */
    uint64_t index;        /* of the sample to be read next */
    uint64_t first_window; /* where logging began */
    uint64_t began_ns;     /* real time */
    uint64_t due_from;     /* the window that the interval which is due next is counted from */
    uint64_t intervals;    /* that were due */
    uint64_t left_out;     /* of these, since the files last took one */
    uint64_t lost, records;
    bool over; /* nothing more is to be written */
    uint8_t files[XM_LOG_DOMIDS / 8];
};

static void say(const struct xm_log *log, const char *format, ...) XM_PRINTF(2, 3);
static void say(const struct xm_log *log, const char *format, ...)
{
    char text[240];
    va_list args;
    if (!log->config.say)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->config.say(log->config.user, text);
}

static bool is_stream(const struct xm_log *log)
{
    return log->config.format != XM_LOG_XENMON;
}

/* "PATH: why the system says no", of the file called `name`; NULL: the stream. */
static void describe(const struct xm_log *log, const char *name, int why, struct xm_error *err)
{
    char path[160];
    log->config.path_of(log->config.user, name, path, sizeof path);
    (void)xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(why));
    errno = why;
}

static enum xm_status open_stream(struct xm_log *log, bool again, struct xm_error *err)
{
    int fd = log->config.open(log->config.user, NULL, again);
    if (fd < 0) {
        describe(log, NULL, errno, err);
        return XM_IO;
    }
    xm_sink_attach(&log->sink, fd);
    return XM_OK;
}

enum xm_status xm_log_create(const struct xm_log_config *config, struct xm_log **out, struct xm_error *err)
{
    *out = NULL;
    struct xm_log *log = calloc(1, sizeof *log);
    if (!log)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    log->config = *config;
    enum xm_status status = xm_sink_init(&log->sink);
    if (status != XM_OK)
        (void)xm_fail(err, status, XM_NO_OFFSET, "out of memory");
    if (status == XM_OK)
        status = xm_region_open(config->path, &log->region, err);
    if (status == XM_OK && is_stream(log))
        status = open_stream(log, false, err);
    if (status != XM_OK) {
        xm_log_destroy(log);
        return status;
    }
    *out = log;
    return XM_OK;
}

void xm_log_destroy(struct xm_log *log)
{
    if (!log)
        return;
    xm_region_close(log->region);
    xm_sink_fini(&log->sink);
    xm_sample_fini(&log->base);
    xm_sample_fini(&log->last);
    xm_sample_fini(&log->next);
    free(log->vcpus);
    free(log->domains);
    free(log->names);
    free(log);
}

/* ---- Room. */

static bool is_larger(struct xm_capacity a, struct xm_capacity b)
{
    return a.domains > b.domains || a.vcpus > b.vcpus || a.pcpus > b.pcpus;
}

/* For the most rows of any kind; what domains are called is kept. */
static enum xm_status make_rows(struct xm_log *log, struct xm_capacity want)
{
    uint32_t count = (want.domains > want.vcpus ? want.domains : want.vcpus) + 1;
    count = count > want.pcpus ? count : want.pcpus;
    if (count <= log->row_count)
        return XM_OK;
    free(log->vcpus);
    free(log->domains);
    log->vcpus = calloc(count, sizeof *log->vcpus);
    log->domains = calloc(count, sizeof *log->domains);
    struct xm_log_name *names = calloc(count, sizeof *names);
    if (!log->vcpus || !log->domains || !names) {
        free(names);
        log->row_count = 0;
        return XM_NOMEM;
    }
    if (log->names)
        memcpy(names, log->names, log->row_count * sizeof *names);
    free(log->names);
    log->names = names;
    log->row_count = count;
    return XM_OK;
}

/* Samples of different capacities can stand in one window, so only the one to be read has to grow. */
static enum xm_status make_room(struct xm_log *log)
{
    struct xm_capacity want = log->info.capacity;
    if (is_larger(want, log->next.capacity)) {
        xm_sample_fini(&log->next);
        if (xm_sample_init(&log->next, want) != XM_OK)
            return XM_NOMEM;
    }
    return make_rows(log, want);
}

static void swap(struct xm_sample *a, struct xm_sample *b)
{
    struct xm_sample keep = *a;
    *a = *b;
    *b = keep;
}

/* ---- Intervals. */

static uint64_t base_window(const struct xm_log *log)
{
    return log->has_base ? log->base.host.window : 0;
}

/* Is the interval that `next` ends long enough?  Half a sample less is: samples come when they come. */
static bool is_due(const struct xm_log *log)
{
    uint64_t slack_ns = log->info.series[XM_SERIES_FAST].interval_ns / 2;
    if (slack_ns > log->config.interval_ns / 2)
        slack_ns = log->config.interval_ns / 2;
    uint64_t need = xm_scale_to_cycles(&log->scale, xm_ns_of(log->config.interval_ns - slack_ns)).v;
    return log->next.host.window >= log->due_from && log->next.host.window - log->due_from >= need;
}

/* What the domains of a sample are called now; of one that has gone, what it was called. */
static void refresh_names(struct xm_log *log, const struct xm_sample *to)
{
    for (uint32_t slot = 0; slot < to->used.domains; slot++) {
        struct xm_region_domain fact;
        struct xm_log_name *name = &log->names[slot];
        uint64_t id = to->domain[slot].id;
        if (id == 0)
            continue;
        if (name->id != id)
            *name = (struct xm_log_name){.id = id};
        if (xm_region_domain(log->region, slot, &fact) != XM_REGION_OK || fact.id != id)
            continue;
        xm_format_name(fact.name, sizeof fact.name, name->name,
                       sizeof name->name); /* whoever wrote the region */
        xm_format_name(fact.uuid, sizeof fact.uuid, name->uuid, sizeof name->uuid);
    }
}

/*
 * What stands at the beginning of a stream, and at least of each that has begun; and how an interval is
 * printed.
 */
static const struct {
    void (*head)(const struct xm_log_config *config, FILE *out);
    const char *begins;
    void (*print)(const struct xm_log_interval *interval, FILE *out);
} formats[] = {
    [XM_LOG_XENMON] = {NULL, "", NULL},
    [XM_LOG_CSV] = {xm_log_head_csv, "", xm_log_print_csv},
    [XM_LOG_JSONL] = {NULL, "{\"schema\":\"xenmon.log/1\",", xm_log_print_jsonl},
    [XM_LOG_TABLE] = {NULL, "xenmon - ", xm_log_print_table},
};

void xm_log_beginning(const struct xm_log_config *config, FILE *out)
{
    if (formats[config->format].head)
        formats[config->format].head(config, out);
    fputs(formats[config->format].begins, out);
}

static enum xm_status print_stream(struct xm_log *log, const struct xm_log_interval *interval,
                                   struct xm_error *why)
{
    bool empty;
    if (log->sink.fd < 0) {
        enum xm_status status = open_stream(log, true, why);
        if (status != XM_OK)
            return status;
    }
    FILE *out = xm_sink_begin(&log->sink, &empty);
    if (empty && formats[log->config.format].head)
        formats[log->config.format].head(&log->config, out);
    formats[log->config.format].print(interval, out);
    enum xm_status status = xm_sink_commit(&log->sink, log->config.enough, log->config.user);
    if (status == XM_IO)
        describe(log, NULL, errno, why);
    return status;
}

static enum xm_status print_files(struct xm_log *log, const struct xm_log_interval *interval,
                                  struct xm_error *why)
{
    struct xm_error file;
    xm_error_clear(&file);
    enum xm_status status = xm_log_print_xenmon(interval, &file);
    if (status == XM_IO)
        describe(log, file.text, errno, why);
    return status;
}

/* The files take intervals again, or none has been left out. */
static void say_well(struct xm_log *log)
{
    if (log->left_out)
        say(log,
            is_stream(log) ? "well again: %" PRIu64
                             " intervals could not be written; the one that now is begins with them"
                           : "well again: %" PRIu64
                             " intervals were left out where they could not be written",
            log->left_out);
    log->left_out = 0;
}

/* After a file took no more, as `why` says: does the log keep going? */
static bool can_go_on(const struct xm_log *log, struct xm_error *why)
{
    static const char torn[] = ": its last interval is not whole, so it gets no more";
    if (errno == EPIPE || errno == EINTR)
        return false;
    if (is_stream(log) && log->sink.torn) {
        size_t length = strlen(why->text);
        snprintf(why->text + length, sizeof why->text - length, "%s", torn);
        return false;
    }
    return log->config.keep_going;
}

/* *written: false where a file takes no more, and the log keeps going. */
static enum xm_status write_interval(struct xm_log *log, const struct xm_sample *to, bool *written,
                                     struct xm_error *err)
{
    uint64_t passed = to->host.window > log->first_window ? to->host.window - log->first_window : 0;
    struct xm_error why;
    struct xm_log_interval interval = {
        .config = &log->config,
        .info = &log->info,
        .window = {.from = log->has_base ? &log->base : NULL,
                   .to = to,
                   .scale = &log->scale,
                   .io_seen = log->info.io_seen},
        .passed_ns = xm_scale_to_ns(&log->scale, xm_cycles_of(passed)).v,
        .vcpus = log->vcpus,
        .domains = log->domains,
        .names = log->names,
        .sink = &log->sink,
        .begun = log->files,
    };
    xm_error_clear(&why);
    if (!log->moved) /* or the facts are another region's, and its domains may have the same ids */
        refresh_names(log, to);
    log->intervals++;
    log->due_from = to->host.window;
    enum xm_status status =
        is_stream(log) ? print_stream(log, &interval, &why) : print_files(log, &interval, &why);
    *written = status == XM_OK;
    if (status == XM_OK)
        say_well(log);
    if (status == XM_NOMEM)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status == XM_OK)
        return XM_OK;
    if (!can_go_on(log, &why))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s", why.text);
    if (log->left_out++ == 0)
        say(log, "%s; keeps going, and tries again at each interval", why.text);
    return XM_OK;
}

/* The next interval begins with `sample`, which gets what is left of the one before. */
static void begin_with(struct xm_log *log, struct xm_sample *sample)
{
    static const struct xm_host_row none;
    const struct xm_host_row *then = log->has_base ? &log->base.host : &none;
    log->lost += xm_counted(sample->host.lost_records, then->lost_records);
    log->records += xm_counted(sample->host.records, then->records);
    swap(&log->base, sample);
    log->has_base = true;
    log->has_last = false;
}

/* What there is of the interval that has begun. */
static enum xm_status write_partial(struct xm_log *log, struct xm_error *err)
{
    bool written;
    if (!log->has_last)
        return XM_OK;
    enum xm_status status = write_interval(log, &log->last, &written, err);
    begin_with(log, &log->last);
    return status;
}

static enum xm_status take_next(struct xm_log *log, struct xm_error *err)
{
    bool written = false;
    enum xm_status status = XM_OK;
    if (log->has_last)
        xm_window_peaks(&log->next, &log->last);
    bool due = is_due(log);
    if (due)
        status = write_interval(log, &log->next, &written, err);
    if (status != XM_OK)
        return status;
    if (written || (due && !is_stream(log))) {
        begin_with(log, &log->next);
    } else {
        swap(&log->last, &log->next);
        log->has_last = true;
    }
    return log->config.count && log->intervals >= log->config.count ? XM_END : XM_OK;
}

/* ---- Samples. */

/* The oldest sample that there still is, for one that has been overwritten.  The counters miss nothing. */
static enum xm_status skip_to_oldest(struct xm_log *log)
{
    uint64_t oldest = log->index;
    enum xm_region_outcome outcome = xm_region_find(log->region, XM_SERIES_FAST, 0, &oldest);
    if (outcome != XM_REGION_OK && outcome != XM_REGION_OVERRUN)
        return XM_AGAIN;
    if (oldest <= log->index)
        oldest = log->index + 1; /* being overwritten just now */
    say(log, "too slow: %" PRIu64 " samples were overwritten before they were read; goes on from the oldest",
        oldest - log->index);
    log->index = oldest;
    return XM_OK;
}

/* Everything up to log->info's newest.  XM_OK; XM_AGAIN: the writer is in the way. */
static enum xm_status read_samples(struct xm_log *log, struct xm_error *err)
{
    uint64_t newest = log->info.series[XM_SERIES_FAST].newest;
    while (newest != UINT64_MAX && log->index <= newest) {
        enum xm_status status = make_room(log);
        if (status != XM_OK)
            return xm_fail(err, status, XM_NO_OFFSET, "out of memory");
        switch (xm_region_sample(log->region, XM_SERIES_FAST, log->index, &log->next)) {
        case XM_REGION_OK:
            log->index++;
            status = take_next(log, err);
            break;
        case XM_REGION_OVERRUN:
            status = skip_to_oldest(log);
            break;
        case XM_REGION_INCOMPATIBLE:
            return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "%s is damaged", log->config.path);
        default:
            return XM_AGAIN;
        }
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

/* Settles where logging begins, as soon as there is a rate and a sample. */
static enum xm_status begin(struct xm_log *log, uint64_t now_ns, struct xm_error *err)
{
    uint64_t newest = log->info.series[XM_SERIES_FAST].newest;
    if (log->scale.hz == 0 || newest == UINT64_MAX)
        return XM_AGAIN;
    if (make_room(log) != XM_OK)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    log->index = 0;
    bool over = log->info.state == XM_WRITER_ENDED;
    if (over && !log->config.from_start)
        say(log, "the source has ended: this is all that the region holds of it");
    if (over || log->config.from_start) {
        /* All newer than 0: the oldest one. */
        enum xm_region_outcome outcome = xm_region_find(log->region, XM_SERIES_FAST, 0, &log->index);
        if (outcome != XM_REGION_OK && outcome != XM_REGION_OVERRUN)
            return XM_AGAIN;
    } else {
        if (xm_region_sample(log->region, XM_SERIES_FAST, newest, &log->next) != XM_REGION_OK)
            return XM_AGAIN;
        swap(&log->base, &log->next);
        log->has_base = true;
        log->index = newest + 1;
    }
    log->first_window = log->due_from = base_window(log);
    log->began_ns = now_ns;
    log->begun = true;
    return XM_OK;
}

/* ---- What happens to the region. */

/* Another region: of the same run, grown, or of another one, which begins with its trace. */
static enum xm_status follow(struct xm_log *log, uint64_t lineage, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    if (!log->begun)
        return XM_OK;
    uint64_t window = log->has_last ? log->last.host.window : base_window(log);
    if (lineage != log->info.lineage_id) {
        say(log, "xenbaked was restarted: goes on with the new one, from its beginning");
        status = write_partial(log, err);
        log->has_base = false;
        log->first_window = log->due_from = window = 0;
        memset(log->names, 0, log->row_count * sizeof *log->names); /* other domains */
    }
    log->index = 0;
    enum xm_region_outcome outcome = xm_region_find(log->region, XM_SERIES_FAST, window, &log->index);
    if (outcome == XM_REGION_OK && log->has_base)
        log->index++; /* that one has been read */
    return status;
}

/* Refreshes log->info.  XM_OK; XM_AGAIN; XM_UNSUPPORTED. */
static enum xm_status look(struct xm_log *log, bool *gone, struct xm_error *err)
{
    struct xm_region_info info;
    enum xm_region_outcome outcome = xm_region_check(log->region);
    log->moved |= outcome == XM_REGION_RESTARTED;
    *gone = outcome == XM_REGION_GONE;
    if (outcome == XM_REGION_INCOMPATIBLE)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "%s is no longer a region that can be read",
                       log->config.path);
    outcome = xm_region_info(log->region, &info);
    if (outcome == XM_REGION_INCOMPATIBLE)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "%s is damaged", log->config.path);
    if (outcome != XM_REGION_OK)
        return XM_AGAIN;
    enum xm_status status = log->moved ? follow(log, info.lineage_id, err) : XM_OK;
    log->moved = false;
    log->info = info;
    if (!*gone)
        log->said_gone = false;
    (void)xm_scale_init(&log->scale, log->config.hz ? log->config.hz : info.tsc_hz);
    return status;
}

static bool time_is_up(const struct xm_log *log, uint64_t now_ns)
{
    if (log->config.duration_ns == 0 || !log->begun || now_ns - log->began_ns < log->config.duration_ns)
        return false;
    /* The last interval may be a little late. */
    uint64_t interval = log->config.interval_ns ? log->config.interval_ns : 1;
    uint64_t grace = 2 * log->info.series[XM_SERIES_FAST].interval_ns + MAX_POLL_NS;
    return log->intervals >= log->config.duration_ns / interval ||
           now_ns - log->began_ns - log->config.duration_ns >= grace;
}

static void say_gone(struct xm_log *log, bool ended)
{
    if (!log->said_gone)
        say(log,
            ended ? "xenbaked has ended; waits for another one" : "xenbaked is gone; waits for another one");
    log->said_gone = true;
}

/* What becomes of the log now that what there was to write is written. */
static enum xm_status judge(struct xm_log *log, bool gone, uint64_t now_ns, struct xm_error *err)
{
    bool ended = log->info.state == XM_WRITER_ENDED;
    bool done = ended && (log->config.exit_at_end || log->info.source == XM_SOURCE_REPLAY);
    if (ended && log->scale.hz == 0 && (done || !log->begun))
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "the trace does not reveal the rate of its clock: give it with --cpu-hz");
    bool died = gone && !ended && log->config.exit_at_end;
    if (done || died) {
        enum xm_status status = write_partial(log, err);
        if (status != XM_OK)
            return status;
        if (done)
            return XM_END;
        errno = 0; /* no reason of the system's */
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "xenbaked died");
    }
    if (gone)
        say_gone(log, ended);
    return time_is_up(log, now_ns) ? XM_END : XM_AGAIN;
}

enum xm_status xm_log_step(struct xm_log *log, uint64_t now_ns, uint64_t *wake_ns, struct xm_error *err)
{
    bool gone = false;
    uint64_t poll = log->info.series[XM_SERIES_FAST].interval_ns;
    poll = poll < MIN_POLL_NS ? MIN_POLL_NS : poll > MAX_POLL_NS ? MAX_POLL_NS : poll;
    *wake_ns = now_ns + poll;
    enum xm_status status = look(log, &gone, err);
    if (status == XM_OK && !log->begun) {
        status = begin(log, now_ns, err);
        if (status == XM_AGAIN)
            return judge(log, gone, now_ns, err);
    }
    /* A restarted xenbaked may not know its rate yet: its samples stay in the region until it does. */
    if (status == XM_OK && log->scale.hz != 0)
        status = read_samples(log, err);
    if (status == XM_OK)
        status = judge(log, gone, now_ns, err);
    log->over |= status == XM_END;
    return status;
}

enum xm_status xm_log_finish(struct xm_log *log, struct xm_error *err)
{
    enum xm_status status = log->over ? XM_OK : write_partial(log, err);
    log->over = true;
    if (log->left_out)
        say(log, "ends with %" PRIu64 " intervals that could not be written", log->left_out);
    log->left_out = 0;
    if (xm_sink_close(&log->sink) != XM_OK && status == XM_OK) {
        describe(log, NULL, errno, err);
        status = XM_IO;
    }
    return status;
}

enum xm_status xm_log_reopen(struct xm_log *log, struct xm_error *err)
{
    struct xm_error why;
    xm_error_clear(&why);
    if (!is_stream(log))
        return XM_OK;
    if (xm_sink_close(&log->sink) != XM_OK)
        describe(log, NULL, errno, &why);
    else if (open_stream(log, true, &why) == XM_OK)
        return XM_OK;
    if (!log->config.keep_going)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s", why.text);
    say(log, "%s; keeps going, and tries again at each interval", why.text);
    return XM_OK;
}

void xm_log_loss(const struct xm_log *log, uint64_t *lost, uint64_t *records)
{
    *lost = log->lost;
    *records = log->records;
}
