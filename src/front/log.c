/* SPDX-License-Identifier: MIT */
#include "front/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "front/log_int.h"
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
    struct xm_place *places;
    uint32_t place_count;
    bool begun; /* there is a rate, the first interval has begun */
    bool has_base, has_last;
    bool said_gone;
    bool moved;            /* the handle reads another region than log->info is of */
    uint64_t index;        /* of the sample to be read next */
    uint64_t first_window; /* where logging began */
    uint64_t began_ns;     /* real time */
    uint64_t intervals;    /* written */
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

enum xm_status xm_log_create(const struct xm_log_config *config, struct xm_log **out, struct xm_error *err)
{
    *out = NULL;
    struct xm_log *log = calloc(1, sizeof *log);
    if (!log)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    log->config = *config;
    enum xm_status status = xm_region_open(config->path, &log->region, err);
    if (status != XM_OK) {
        free(log);
        return status;
    }
    if (config->format == XM_LOG_CSV)
        xm_log_csv_header(config->out);
    *out = log;
    return XM_OK;
}

void xm_log_destroy(struct xm_log *log)
{
    if (!log)
        return;
    xm_region_close(log->region);
    xm_sample_fini(&log->base);
    xm_sample_fini(&log->last);
    xm_sample_fini(&log->next);
    free(log->places);
    free(log);
}

/* ---- Room. */

static bool is_larger(struct xm_capacity a, struct xm_capacity b)
{
    return a.domains > b.domains || a.vcpus > b.vcpus || a.pcpus > b.pcpus;
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
    uint32_t places = (want.domains > want.vcpus ? want.domains : want.vcpus) + 1;
    if (places > log->place_count) {
        free(log->places);
        log->places = calloc(places, sizeof *log->places);
        log->place_count = log->places ? places : 0;
    }
    return log->places ? XM_OK : XM_NOMEM;
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
    uint64_t begin = base_window(log);
    return log->next.host.window >= begin && log->next.host.window - begin >= need;
}

static enum xm_status write_interval(struct xm_log *log, const struct xm_sample *to, struct xm_error *err)
{
    uint64_t passed = to->host.window > log->first_window ? to->host.window - log->first_window : 0;
    struct xm_log_interval interval = {
        .config = &log->config,
        .window = {log->has_base ? &log->base : NULL, to, &log->scale, log->info.io_seen},
        .passed_ns = xm_scale_to_ns(&log->scale, xm_cycles_of(passed)).v,
        .places = log->places,
        .begun = log->files,
    };
    log->intervals++;
    return log->config.format == XM_LOG_CSV ? xm_log_print_csv(&interval, err)
                                            : xm_log_print_xenmon(&interval, err);
}

/* What there is of the interval that has begun. */
static enum xm_status write_partial(struct xm_log *log, struct xm_error *err)
{
    if (!log->has_last)
        return XM_OK;
    enum xm_status status = write_interval(log, &log->last, err);
    swap(&log->base, &log->last);
    log->has_base = true;
    log->has_last = false;
    return status;
}

static enum xm_status take_next(struct xm_log *log, struct xm_error *err)
{
    if (log->has_last)
        xm_window_peaks(&log->next, &log->last);
    if (!is_due(log)) {
        swap(&log->last, &log->next);
        log->has_last = true;
        return XM_OK;
    }
    enum xm_status status = write_interval(log, &log->next, err);
    swap(&log->base, &log->next);
    log->has_base = true;
    log->has_last = false;
    return status;
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
    log->first_window = base_window(log);
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
        log->first_window = window = 0;
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
    if (ended && !log->begun && log->scale.hz == 0)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "the trace does not reveal the rate of its clock: give it with --cpu-hz");
    bool done = ended && (log->config.exit_at_end || log->info.source == XM_SOURCE_REPLAY);
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
    if (status == XM_OK)
        status = read_samples(log, err);
    return status == XM_OK ? judge(log, gone, now_ns, err) : status;
}

enum xm_status xm_log_finish(struct xm_log *log, struct xm_error *err)
{
    return write_partial(log, err);
}
