/* SPDX-License-Identifier: MIT */
#include "front/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenmon/units.h"

#define STALE_NS  (3 * XM_NS_PER_S)
#define NOTICE_NS (5 * XM_NS_PER_S)
#define NO_INDEX  UINT64_MAX
/* Samples whose peaks are kept: 10 s at up to 400 a second.  Above, peaks cover what is kept. */
#define MAX_RECENT 4096u

static const uint64_t span_ns[XM_SPANS] = {XM_NS_PER_S, 10 * XM_NS_PER_S};

/* The peaks of one sample: only rows in use are kept, so this is as large as the host, not as the region. */
struct recent {
    uint64_t index; /* NO_INDEX: empty */
    struct xm_sample sample;
};

struct xm_feed {
    char *path;
    struct xm_region *region;
    struct xm_model model;
    struct xm_error error;
    char notice[96];
    uint64_t notice_until_ns;
    uint64_t newest; /* index of the sample on show */
    uint64_t newest_at_ns;
    struct xm_scale scale;
    struct xm_sample newest_sample;
    struct xm_sample to[XM_SPANS];
    struct xm_sample from[XM_SPANS];
    struct recent *recent; /* sample i is at i modulo recent_count */
    uint32_t recent_count;
    struct xm_region_domain *fact;
};

struct xm_feed *xm_feed_create(const char *path)
{
    struct xm_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return NULL;
    feed->path = strdup(path);
    if (!feed->path) {
        free(feed);
        return NULL;
    }
    feed->newest = NO_INDEX;
    feed->model.path = feed->path;
    feed->model.reason = "";
    feed->model.notice = "";
    return feed;
}

static void drop_recent(struct xm_feed *feed)
{
    for (uint32_t i = 0; i < feed->recent_count; i++)
        xm_sample_fini(&feed->recent[i].sample);
    free(feed->recent);
    feed->recent = NULL;
    feed->recent_count = 0;
}

static void drop_samples(struct xm_feed *feed)
{
    xm_sample_fini(&feed->newest_sample);
    for (unsigned i = 0; i < XM_SPANS; i++) {
        xm_sample_fini(&feed->to[i]);
        xm_sample_fini(&feed->from[i]);
    }
    free(feed->fact);
    feed->fact = NULL;
    feed->model.data = false;
    feed->newest = NO_INDEX;
}

void xm_feed_destroy(struct xm_feed *feed)
{
    if (!feed)
        return;
    drop_recent(feed);
    drop_samples(feed);
    xm_region_close(feed->region);
    free(feed->path);
    free(feed);
}

const struct xm_model *xm_feed_model(const struct xm_feed *feed)
{
    return &feed->model;
}

static void set_link(struct xm_feed *feed, enum xm_link link, const char *reason)
{
    feed->model.link = link;
    feed->model.reason = reason;
}

static void set_notice(struct xm_feed *feed, uint64_t now_ns, const char *text)
{
    snprintf(feed->notice, sizeof feed->notice, "%s", text);
    feed->model.notice = feed->notice;
    feed->notice_until_ns = now_ns + NOTICE_NS;
}

/* ---- Room for samples. */

static enum xm_status make_room(struct xm_feed *feed, struct xm_capacity capacity)
{
    struct xm_capacity have = feed->newest_sample.capacity;
    if (have.domains == capacity.domains && have.vcpus == capacity.vcpus && have.pcpus == capacity.pcpus)
        return XM_OK;
    drop_samples(feed);
    enum xm_status status = xm_sample_init(&feed->newest_sample, capacity);
    for (unsigned i = 0; i < XM_SPANS && status == XM_OK; i++) {
        status = xm_sample_init(&feed->to[i], capacity);
        if (status == XM_OK)
            status = xm_sample_init(&feed->from[i], capacity);
    }
    feed->fact = calloc(capacity.domains, sizeof *feed->fact);
    if (status == XM_OK && feed->fact)
        return XM_OK;
    drop_samples(feed);
    return XM_NOMEM;
}

static enum xm_status make_recent(struct xm_feed *feed, uint64_t interval_ns)
{
    uint64_t want = interval_ns ? span_ns[XM_SPAN_10S] / interval_ns + 2 : MAX_RECENT;
    uint32_t count = want < MAX_RECENT ? (uint32_t)want : MAX_RECENT;
    if (count == feed->recent_count)
        return XM_OK;
    drop_recent(feed);
    feed->recent = calloc(count, sizeof *feed->recent);
    if (!feed->recent)
        return XM_NOMEM;
    feed->recent_count = count;
    for (uint32_t i = 0; i < count; i++)
        feed->recent[i].index = NO_INDEX;
    return XM_OK;
}

/* Copies the rows in use: a region may have room for far more. */
static void copy_sample(struct xm_sample *to, const struct xm_sample *from)
{
    struct xm_capacity used = from->used;
    to->used = used;
    to->host = from->host;
    memcpy(to->vcpu, from->vcpu, used.vcpus * sizeof *to->vcpu);
    memcpy(to->domain, from->domain, used.domains * sizeof *to->domain);
    memcpy(to->pcpu, from->pcpu, used.pcpus * sizeof *to->pcpu);
    memcpy(to->vcpu_domain, from->vcpu_domain, used.vcpus * sizeof *to->vcpu_domain);
    for (size_t d = 0; d < used.domains; d++)
        memcpy(&to->pair[d * to->capacity.pcpus], &from->pair[d * from->capacity.pcpus],
               used.pcpus * sizeof *to->pair);
}

/* ---- Peaks. */

static enum xm_status keep_recent(struct xm_feed *feed, uint64_t index, const struct xm_sample *sample)
{
    struct recent *r = &feed->recent[index % feed->recent_count];
    struct xm_capacity used = sample->used;
    r->index = NO_INDEX;
    if (r->sample.capacity.vcpus < used.vcpus || r->sample.capacity.domains < used.domains ||
        !r->sample.vcpu) {
        struct xm_capacity want = {.domains = used.domains + 4, .vcpus = used.vcpus + 8, .pcpus = 1};
        xm_sample_fini(&r->sample);
        if (xm_sample_init(&r->sample, want) != XM_OK)
            return XM_NOMEM;
    }
    r->sample.used = (struct xm_capacity){.domains = used.domains, .vcpus = used.vcpus};
    memcpy(r->sample.vcpu, sample->vcpu, used.vcpus * sizeof *sample->vcpu);
    memcpy(r->sample.domain, sample->domain, used.domains * sizeof *sample->domain);
    r->index = index;
    return XM_OK;
}

/* Reads the samples between the last one kept and `newest`, as far back as 10 s.  Uses `scratch`. */
static enum xm_status keep_new(struct xm_feed *feed, uint64_t newest, struct xm_sample *scratch)
{
    uint64_t first = newest >= feed->recent_count ? newest - feed->recent_count + 1 : 0;
    if (feed->newest != NO_INDEX && feed->newest >= first && feed->newest <= newest)
        first = feed->newest + 1;
    for (uint64_t i = first; i < newest; i++) {
        /* One that is overwritten already has no peaks to give: the window is shorter, and says so. */
        if (xm_region_sample(feed->region, XM_SERIES_FAST, i, scratch) != XM_REGION_OK)
            continue;
        if (keep_recent(feed, i, scratch) != XM_OK)
            return XM_NOMEM;
    }
    return keep_recent(feed, newest, &feed->newest_sample);
}

/* Folds the peaks of samples [first, newest) into a copy of the newest one. */
static void fold_recent(const struct xm_feed *feed, uint64_t first, uint64_t newest, struct xm_sample *into)
{
    if (feed->recent_count == 0)
        return;
    if (newest > feed->recent_count && first < newest - feed->recent_count)
        first = newest - feed->recent_count;
    for (uint64_t i = first; i < newest; i++) {
        const struct recent *r = &feed->recent[i % feed->recent_count];
        if (r->index == i)
            xm_window_peaks(into, &r->sample);
    }
}

/* ---- Windows. */

/*
 * Finds the sample nearest to where a window of `cycles` begins, and copies it.  *first: index of the first
 * sample within the window; 0 for a window since the trace began, which has no sample before it.
 */
static bool read_from(struct xm_feed *feed, uint64_t cycles, struct xm_sample *from, uint64_t *first)
{
    const struct xm_region_info *info = &feed->model.info;
    uint64_t now = feed->newest_sample.host.window;
    uint64_t half =
        xm_scale_to_cycles(&feed->scale, xm_ns_of(info->series[XM_SERIES_FAST].interval_ns / 2)).v;
    *first = 0;
    if (now + half <= cycles)
        return true;
    for (unsigned tries = 0; tries < 3; tries++) {
        uint64_t index = 0;
        enum xm_region_outcome found =
            xm_region_find(feed->region, XM_SERIES_FAST, now + half - cycles, &index);
        if (found != XM_REGION_OK && found != XM_REGION_OVERRUN)
            return false;
        if (found == XM_REGION_OVERRUN && index == 0)
            return true; /* nothing was overwritten: the first sample is younger than the window */
        if (xm_region_sample(feed->region, XM_SERIES_FAST, index, from) == XM_REGION_OK) {
            *first = index + 1;
            return from->host.window < now;
        }
    }
    return false;
}

static bool make_window(struct xm_feed *feed, enum xm_span span, uint64_t newest)
{
    uint64_t cycles = xm_scale_to_cycles(&feed->scale, xm_ns_of(span_ns[span])).v;
    uint64_t first;
    if (!read_from(feed, cycles, &feed->from[span], &first))
        return false;
    copy_sample(&feed->to[span], &feed->newest_sample);
    fold_recent(feed, first, newest, &feed->to[span]);
    feed->model.window[span] = (struct xm_window){
        .from = first ? &feed->from[span] : NULL,
        .to = &feed->to[span],
        .scale = &feed->scale,
        .io_seen = feed->model.info.io_seen,
    };
    return true;
}

static void read_facts(struct xm_feed *feed)
{
    for (uint32_t slot = 0; slot < feed->newest_sample.used.domains; slot++)
        if (xm_region_domain(feed->region, slot, &feed->fact[slot]) != XM_REGION_OK)
            feed->fact[slot] = (struct xm_region_domain){0};
    feed->model.fact = feed->fact;
}

/* Takes in the newest sample; where it slips away, what was there before stays. */
static enum xm_status read_newest(struct xm_feed *feed, uint64_t now_ns)
{
    const struct xm_region_info *info = &feed->model.info;
    uint64_t newest = info->series[XM_SERIES_FAST].newest;
    enum xm_status status = make_room(feed, info->capacity);
    if (status == XM_OK)
        status = make_recent(feed, info->series[XM_SERIES_FAST].interval_ns);
    if (status != XM_OK)
        return status;
    if (newest == feed->newest && feed->model.data)
        return XM_OK;
    if (xm_region_sample(feed->region, XM_SERIES_FAST, newest, &feed->newest_sample) != XM_REGION_OK)
        return XM_OK;
    status = keep_new(feed, newest, &feed->from[0]);
    if (status != XM_OK)
        return status;
    /* Without a rate any will do for shares of time; the screen shows no durations then. */
    if (!xm_scale_init(&feed->scale, info->tsc_hz))
        xm_scale_init(&feed->scale, XM_NS_PER_S);
    feed->model.data = make_window(feed, XM_SPAN_1S, newest) && make_window(feed, XM_SPAN_10S, newest);
    if (!feed->model.data)
        return XM_OK;
    read_facts(feed);
    if (newest != feed->newest) {
        feed->newest = newest;
        feed->newest_at_ns = now_ns;
        feed->model.beat++;
    }
    return XM_OK;
}

/* ---- The connection. */

static void attach(struct xm_feed *feed)
{
    xm_error_clear(&feed->error);
    enum xm_status status = xm_region_open(feed->path, &feed->region, &feed->error);
    if (status == XM_OK)
        return;
    feed->region = NULL;
    set_link(feed, status == XM_IO || status == XM_AGAIN ? XM_LINK_ABSENT : XM_LINK_BROKEN, feed->error.text);
}

static void detach(struct xm_feed *feed, const char *reason)
{
    xm_region_close(feed->region);
    feed->region = NULL;
    drop_samples(feed);
    drop_recent(feed);
    set_link(feed, XM_LINK_BROKEN, reason);
}

/* Another writer's samples have nothing to do with those kept; a grown region's go on. */
static void follow(struct xm_feed *feed, const struct xm_region_info *info, uint64_t now_ns)
{
    const struct xm_region_info *before = &feed->model.info;
    if (before->creation_id == 0 || before->creation_id == info->creation_id)
        return;
    if (before->lineage_id == info->lineage_id) {
        set_notice(feed, now_ns, "the region has grown");
        return;
    }
    set_notice(feed, now_ns, "xenbaked was restarted: all counters began anew");
    drop_samples(feed);
    drop_recent(feed);
}

static void judge_link(struct xm_feed *feed, enum xm_region_outcome outcome, uint64_t now_ns)
{
    struct xm_model *m = &feed->model;
    m->silent_ns = now_ns > m->info.heartbeat_ns ? now_ns - m->info.heartbeat_ns : 0;
    m->quiet_ns = m->data ? now_ns - feed->newest_at_ns : 0;
    if (outcome == XM_REGION_GONE)
        set_link(feed, XM_LINK_GONE, "");
    else if (m->info.state == XM_WRITER_ENDED)
        set_link(feed, XM_LINK_ENDED, "");
    else if (!m->data)
        set_link(feed, XM_LINK_EMPTY, "");
    else
        set_link(feed, m->silent_ns > STALE_NS ? XM_LINK_STALE : XM_LINK_LIVE, "");
}

void xm_feed_update(struct xm_feed *feed, uint64_t now_ns)
{
    struct xm_region_info info;
    if (now_ns >= feed->notice_until_ns)
        feed->model.notice = "";
    if (!feed->region)
        attach(feed);
    if (!feed->region)
        return;
    enum xm_region_outcome outcome = xm_region_check(feed->region);
    enum xm_region_outcome read =
        outcome == XM_REGION_INCOMPATIBLE ? outcome : xm_region_info(feed->region, &info);
    if (read == XM_REGION_INCOMPATIBLE) {
        detach(feed, "the region is damaged, or of a version that this xenmon does not know");
        return;
    }
    if (read == XM_REGION_OK || read == XM_REGION_GONE) {
        follow(feed, &info, now_ns);
        feed->model.info = info;
        if (info.series[XM_SERIES_FAST].newest != NO_INDEX && read_newest(feed, now_ns) != XM_OK) {
            detach(feed, "there is not enough memory for what the region may hold");
            return;
        }
    }
    judge_link(feed, outcome, now_ns);
}
