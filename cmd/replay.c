/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "region/plan.h"
#include "source/bake.h"
#include "source/source.h"
#include "xenmon/units.h"

#define MS           UINT64_C(1000000)
#define MOST_BYTES   (UINT64_C(512) << 20)
#define MOST_SAMPLES UINT64_C(20000)
#define MOST_FAST_S  86400u
#define MOST_SLOW_S  604800u

/* What a pass through the trace says. */
struct survey {
    uint64_t duration_ns;
    struct xm_capacity rows;
};

static enum xm_status run_bytes(struct xm_bake *bake, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t used = 0;
        enum xm_status status = xm_bake_run(bake, bytes, size, &used);
        if (status != XM_OK)
            return status;
        bytes += used;
        size -= used;
    }
    return XM_OK;
}

/* To its end, or to where it is damaged beyond reading on. */
static bool read_all(struct xm_source *source, struct xm_bake *bake)
{
    enum xm_status status = XM_OK;
    while (status == XM_OK || status == XM_AGAIN) {
        const void *bytes;
        size_t size;
        status = xm_source_next(source, -1, &bytes, &size, NULL);
        if (status == XM_OK)
            status = run_bytes(bake, bytes, size);
    }
    if (status != XM_END && status != XM_DAMAGED)
        return false;
    status = xm_bake_finish(bake);
    return status == XM_OK || status == XM_DAMAGED;
}

static bool conclude(struct xm_bake *bake, struct survey *s)
{
    const char *from;
    struct xm_scale scale;
    struct xm_sample sample;
    if (xm_bake_stats(bake).records == 0 || !xm_scale_init(&scale, xm_bake_hz(bake, &from)) ||
        xm_sample_init(&sample, xm_account_capacity(xm_bake_account(bake))) != XM_OK)
        return false;
    xm_bake_sample(bake, xm_bake_now(bake), false, &sample);
    s->duration_ns = xm_scale_to_ns(&scale, xm_cycles_of(sample.host.window)).v;
    s->rows = sample.used;
    xm_sample_fini(&sample);
    return s->duration_ns > 0 && s->rows.domains && s->rows.vcpus && s->rows.pcpus;
}

static bool survey(const char *path, struct survey *s)
{
    const struct xm_bake_config config = {.interval_ns = 0};
    struct xm_source *source;
    struct stat st;
    /* A pipe can be read once only. */
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || xm_source_open(path, &source, NULL) != XM_OK)
        return false;
    struct xm_bake *bake = xm_bake_create(&config);
    bool good = bake && read_all(source, bake) && conclude(bake, s);
    xm_bake_destroy(bake);
    xm_source_close(source);
    return good;
}

/* ---- The plan. */

static uint32_t seconds(uint64_t ns, uint32_t most)
{
    uint64_t s = ns / XM_NS_PER_S + 2;
    return s < most ? (uint32_t)s : most;
}

/* 10 ms, 20 ms, 50 ms, ... 60 s: as fine as there is room for. */
static bool choose_interval(const struct survey *s, uint64_t asked_ns, struct xm_region_plan *plan)
{
    static const uint64_t steps_ms[] = {10,   20,   50,    100,   200,   500,  1000,
                                        2000, 5000, 10000, 20000, 30000, 60000};
    struct xm_region_settings settings = {
        .capacity = s->rows,
        .interval_ns = asked_ns,
        .fast_s = seconds(s->duration_ns, MOST_FAST_S),
        .slow_s = seconds(s->duration_ns, MOST_SLOW_S),
        .limit_bytes = MOST_BYTES,
    };
    if (asked_ns)
        return xm_region_plan(&settings, plan, NULL) == XM_OK;
    bool good = false;
    for (size_t i = 0; i < sizeof steps_ms / sizeof steps_ms[0]; i++) {
        settings.interval_ns = steps_ms[i] * MS;
        good = xm_region_plan(&settings, plan, NULL) == XM_OK;
        if (good && !plan->shrunk && s->duration_ns / settings.interval_ns <= MOST_SAMPLES)
            return true;
    }
    return good;
}

static void put_option(struct xm_replay *r, unsigned *count, const char *format, ...) XM_PRINTF(3, 4);
static void put_option(struct xm_replay *r, unsigned *count, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->text[*count], sizeof r->text[0], format, args);
    va_end(args);
    r->options[*count] = r->text[*count];
    r->options[++*count] = NULL;
}

bool xm_replay_plan(const char *path, uint64_t interval_ns, struct xm_replay *r)
{
    struct survey s;
    struct xm_region_plan plan;
    unsigned count = 0;
    memset(r, 0, sizeof *r);
    if (!survey(path, &s) || !choose_interval(&s, interval_ns, &plan))
        return false;
    r->duration_ns = s.duration_ns;
    r->interval_ns = plan.interval_ns[XM_SERIES_FAST];
    r->bytes = plan.bytes;
    r->cut = plan.shrunk || s.duration_ns > MOST_FAST_S * XM_NS_PER_S;
    put_option(r, &count, "--speed=max");
    put_option(r, &count, "--ms_per_sample=%" PRIu64 "us", r->interval_ns / 1000);
    put_option(r, &count, "--history=%us", seconds(s.duration_ns, MOST_FAST_S));
    put_option(r, &count, "--slow-history=%us", seconds(s.duration_ns, MOST_SLOW_S));
    put_option(r, &count, "--memory=%" PRIu64, MOST_BYTES);
    put_option(r, &count, "--max-domains=%" PRIu32, s.rows.domains);
    put_option(r, &count, "--max-vcpus=%" PRIu32, s.rows.vcpus);
    put_option(r, &count, "--max-pcpus=%" PRIu32, s.rows.pcpus);
    return true;
}

void xm_replay_describe(const struct xm_replay *r, char *text, unsigned size)
{
    snprintf(text, size, "%.1f s of trace, a sample every %g ms, %.1f MiB%s", (double)r->duration_ns / 1e9,
             (double)r->interval_ns / 1e6, (double)r->bytes / (1 << 20),
             r->cut ? "; its beginning once a second only" : "");
}
