/* SPDX-License-Identifier: MIT */
#include "front/feed/feed_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/feed/digest.h"
#include "xenmon/units.h"

#define STALE_NS      (3 * XM_NS_PER_S)
#define NOTICE_NS     (5 * XM_NS_PER_S)
#define MIN_CHOSEN_NS UINT64_C(1000000)
#define MAX_CHOSEN_NS (7 * 86400 * XM_NS_PER_S)
/*
 * Facts of more domains than this are looked at in turns: each is some system calls, and they hardly
 * change.
 */
#define FACTS_AT_ONCE 128u
#define FACTS_TURNS   8u

struct xm_feed *xm_feed_create(const char *path)
{
    struct xm_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return NULL;
    feed->path = strdup(path);
    feed->peaks = xm_peaks_create();
    if (!feed->path || !feed->peaks) {
        xm_peaks_destroy(feed->peaks);
        free(feed->path);
        free(feed);
        return NULL;
    }
    feed->newest = XM_FEED_NONE;
    feed->shown.index = XM_FEED_NONE;
    feed->trail.newest = XM_FEED_NONE;
    feed->chosen_ns = XM_NS_PER_S;
    feed->chosen_at = XM_FEED_CHOSEN;
    feed->model.path = feed->path;
    feed->model.reason = "";
    feed->model.notice = "";
    feed->model.spread = xm_feed_spread;
    feed->model.spread_user = feed;
    feed->model.digests = xm_digests_create(); /* without them it is only slower */
    return feed;
}

static void drop_samples(struct xm_feed *feed)
{
    xm_sample_fini(&feed->sample);
    xm_sample_fini(&feed->scratch);
    xm_feed_windows_fini(feed);
    xm_feed_trail_drop(feed);
    free(feed->fact);
    feed->fact = NULL;
    free(feed->first_vcpu);
    free(feed->next_vcpu);
    feed->first_vcpu = feed->next_vcpu = NULL;
    feed->chained = false;
    feed->model.data = false;
    feed->newest = XM_FEED_NONE;
    feed->shown.index = XM_FEED_NONE;
    feed->settled = false;
}

/* All that is of one writer's run. */
static void drop_history(struct xm_feed *feed)
{
    drop_samples(feed);
    xm_peaks_forget(feed->peaks);
    xm_feed_spread_drop(feed);
}

void xm_feed_destroy(struct xm_feed *feed)
{
    if (!feed)
        return;
    drop_history(feed);
    xm_peaks_destroy(feed->peaks);
    xm_digests_destroy(feed->model.digests);
    xm_region_close(feed->region);
    free(feed->path);
    free(feed);
}

const struct xm_model *xm_feed_model(const struct xm_feed *feed)
{
    return &feed->model;
}

void xm_feed_set_window(struct xm_feed *feed, uint64_t ns)
{
    ns = ns < MIN_CHOSEN_NS ? MIN_CHOSEN_NS : ns > MAX_CHOSEN_NS ? MAX_CHOSEN_NS : ns;
    if (ns == feed->chosen_ns)
        return;
    feed->chosen_ns = ns;
    feed->stale = true;
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

/* ---- Samples. */

static enum xm_status make_room(struct xm_feed *feed, struct xm_capacity capacity)
{
    struct xm_capacity have = feed->sample.capacity;
    if (have.domains == capacity.domains && have.vcpus == capacity.vcpus && have.pcpus == capacity.pcpus)
        return XM_OK;
    drop_samples(feed);
    enum xm_status status = xm_sample_init(&feed->sample, capacity);
    if (status == XM_OK)
        status = xm_sample_init(&feed->scratch, capacity);
    if (status == XM_OK)
        status = xm_feed_windows_init(feed, capacity);
    feed->fact = calloc(capacity.domains, sizeof *feed->fact);
    feed->first_vcpu = calloc(capacity.domains, sizeof *feed->first_vcpu);
    feed->next_vcpu = calloc(capacity.vcpus, sizeof *feed->next_vcpu);
    if (status == XM_OK && feed->fact && feed->first_vcpu && feed->next_vcpu)
        return XM_OK;
    drop_samples(feed);
    return XM_NOMEM;
}

static void read_facts(struct xm_feed *feed)
{
    const struct xm_sample *s = &feed->sample;
    for (uint32_t slot = 0; slot < s->used.domains; slot++) {
        bool turn = s->used.domains <= FACTS_AT_ONCE || slot % FACTS_TURNS == feed->round % FACTS_TURNS;
        if (!turn && feed->fact[slot].id == s->domain[slot].id)
            continue;
        if (xm_region_domain(feed->region, slot, &feed->fact[slot]) != XM_REGION_OK)
            feed->fact[slot] = (struct xm_region_domain){0};
    }
    feed->model.fact = feed->fact;
}

/* Which sample is to be shown; false: none can be found now. */
static bool choose_place(struct xm_feed *feed, struct xm_feed_place *place)
{
    uint64_t newest = feed->model.info.series[XM_SERIES_FAST].newest;
    *place = feed->shown;
    if (!feed->held) {
        *place = (struct xm_feed_place){XM_SERIES_FAST, newest, 0};
        return true;
    }
    if (feed->settled && feed->model.data)
        return true;
    if (!xm_feed_find(feed, feed->sought, place))
        return false;
    feed->settled = place->series == XM_SERIES_FAST ? place->index < newest : place->window <= feed->sought;
    return true;
}

/* Reads the sample and makes its windows; where it slips away, what was there before stays. */
static enum xm_status show_place(struct xm_feed *feed, const struct xm_feed_place *place)
{
    const struct xm_region_info *info = &feed->model.info;
    bool settled = feed->settled;
    enum xm_status status = make_room(feed, info->capacity); /* which may begin anew */
    if (status != XM_OK)
        return status;
    feed->settled = settled;
    feed->chained = false;
    if (xm_region_sample(feed->region, place->series, place->index, &feed->sample) != XM_REGION_OK) {
        feed->settled = false;
        return XM_OK;
    }
    feed->shown = *place;
    feed->shown.window = feed->sample.host.window;
    /* Without a rate any will do for shares of time; the screen shows no durations then. */
    if (!xm_scale_init(&feed->scale, info->tsc_hz))
        xm_scale_init(&feed->scale, XM_NS_PER_S);
    feed->model.data = xm_feed_windows_make(feed);
    if (!feed->model.data)
        return XM_OK;
    /* A file's records have no time of day: the region's is that of the replay. */
    feed->model.real_ns = info->source == XM_SOURCE_REPLAY ? 0 : feed->sample.host.real;
    read_facts(feed);
    return xm_feed_trail_update(feed);
}

/* What is held stays, whether or not the region has it any more. */
static void show_again(struct xm_feed *feed, uint64_t now_ns)
{
    struct xm_capacity have = feed->sample.capacity;
    struct xm_capacity now = feed->model.info.capacity;
    bool room = have.domains >= now.domains && have.vcpus >= now.vcpus && have.pcpus >= now.pcpus;
    if (room && xm_feed_windows_remake(feed))
        return;
    feed->model.reading = feed->model.reading && room;
    feed->stale = feed->model.reading;
    set_notice(feed, now_ns, "the region no longer has a window of that length");
}

/* How far one can go. */
static void read_reach(struct xm_feed *feed)
{
    struct xm_model *m = &feed->model;
    struct xm_feed_place fast;
    struct xm_feed_place slow;
    struct xm_host_row host;
    uint64_t newest = m->info.series[XM_SERIES_FAST].newest;
    m->past = feed->held && (feed->shown.series != XM_SERIES_FAST || feed->shown.index != newest);
    if (xm_region_host(feed->region, XM_SERIES_FAST, newest, &host) == XM_REGION_OK)
        m->newest = host.window;
    bool have_fast = xm_feed_oldest(feed, XM_SERIES_FAST, &fast);
    bool have_slow = xm_feed_oldest(feed, XM_SERIES_SLOW, &slow);
    if (have_fast || have_slow)
        m->oldest = have_slow && (!have_fast || slow.window < fast.window) ? slow.window : fast.window;
}

static enum xm_status read_samples(struct xm_feed *feed, uint64_t now_ns)
{
    uint64_t newest = feed->model.info.series[XM_SERIES_FAST].newest;
    /* The oldest samples can go between the two looks at them. */
    for (unsigned tries = 0; tries < 3; tries++) {
        struct xm_feed_place place;
        if (!choose_place(feed, &place))
            return XM_OK;
        bool same =
            feed->model.data && place.series == feed->shown.series && place.index == feed->shown.index;
        bool again = feed->stale && !feed->held;
        enum xm_status status = !same || again ? show_place(feed, &place) : XM_OK;
        if (status != XM_OK)
            return status;
        if (same && feed->stale && feed->held)
            show_again(feed, now_ns);
        if (feed->model.data)
            break;
    }
    if (!feed->model.data)
        return XM_OK;
    read_reach(feed);
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
    drop_history(feed);
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
    drop_history(feed);
    xm_feed_follow(feed);
}

static void judge_link(struct xm_feed *feed, enum xm_region_outcome outcome, uint64_t now_ns)
{
    struct xm_model *m = &feed->model;
    m->silent_ns = now_ns > m->info.heartbeat_ns ? now_ns - m->info.heartbeat_ns : 0;
    m->quiet_ns = m->data ? now_ns - feed->newest_at_ns : 0;
    m->copied = m->info.writer_pid && m->info.writer_pid == (uint32_t)getppid();
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
    feed->round++;
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
        if (info.series[XM_SERIES_FAST].newest != XM_FEED_NONE && read_samples(feed, now_ns) != XM_OK) {
            detach(feed, "there is not enough memory for what the region may hold");
            return;
        }
    }
    judge_link(feed, outcome, now_ns);
}
