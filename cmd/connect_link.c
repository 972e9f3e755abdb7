/* SPDX-License-Identifier: MIT */
#include "connect_link.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/mirror_read.h"
#include "region/writer.h"
#include "view/format.h"

#define PATH          "/api/v1/region"
#define PAUSE_NS      (XM_NS_PER_S / 4)
#define REGION_NS     XM_NS_PER_S /* between looks at what is not in samples */
#define STALE_NS      (3 * XM_NS_PER_S)
#define BACK_OFF_NS   (XM_NS_PER_S / 2) /* at first, then twice as long each time */
#define BACK_OFF_MOST (8 * XM_NS_PER_S)
#define REFUSED_NS    (30 * XM_NS_PER_S) /* a server counts failed attempts, and may lock us out */
#define ROUNDS        32u /* answers of a series at a time: who has more is never caught up with */
#define HIST_ROUNDS   4u
#define SLOW_HISTORY  10u /* times as long as the fast one */
#define ANEW_MOST     3u

struct xm_link {
    struct xm_link_config config;
    struct xm_fetch *fetch;
    pthread_t thread;
    pthread_mutex_t lock; /* of state, and for the pause */
    pthread_cond_t wake;
    atomic_bool stop;
    struct xm_link_state state;
    /* The thread's own. */
    struct xm_mirror_region remote, fresh;
    struct xm_writer *writer;
    struct xm_sample sample;
    uint64_t hint[XM_SERIES_COUNT]; /* the host has no sample before this one any more */
    uint64_t region_due_ns, newest_ns;
    uint32_t hist_next;
    bool renew;    /* the copy is to be begun anew */
    unsigned anew; /* times in a row that it was */
    struct xm_region_plan plan;
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
};

/* ---- The copy. */

static void drop_copy(struct xm_link *l)
{
    xm_writer_close(l->writer, false); /* readers follow to the next one of that name */
    l->writer = NULL;
    l->hist_next = 0;
}

static uint64_t first_index(const struct xm_link *l, enum xm_series series)
{
    uint64_t newest = l->remote.info.series[series].newest;
    uint64_t history_ns = l->config.history_ns * (series == XM_SERIES_SLOW ? SLOW_HISTORY : 1);
    uint64_t back = history_ns / l->remote.info.series[series].interval_ns + 1;
    uint64_t first = newest != UINT64_MAX && newest > back ? newest - back : 0;
    return first > l->hint[series] ? first : l->hint[series];
}

static uint32_t seconds_of(const struct xm_link *l, enum xm_series series, uint32_t most)
{
    uint64_t ns = l->remote.info.series[series].slots * l->remote.info.series[series].interval_ns;
    uint64_t s = ns / XM_NS_PER_S + 1;
    return s < most ? (uint32_t)s : most;
}

static enum xm_status begin_copy(struct xm_link *l, struct xm_error *err)
{
    const struct xm_region_info *info = &l->remote.info;
    struct xm_writer_config config = {
        .path = l->config.region,
        .settings = {.capacity = info->capacity,
                     .interval_ns = info->series[XM_SERIES_FAST].interval_ns,
                     .fast_s = seconds_of(l, XM_SERIES_FAST, XM_PLAN_FAST_S),
                     .slow_s = seconds_of(l, XM_SERIES_SLOW, XM_PLAN_SLOW_S),
                     .limit_bytes = l->config.limit_bytes},
        .source = info->source,
        .source_name = xm_fetch_name(l->fetch),
        .lineage_id = info->lineage_id,
        .first = {first_index(l, XM_SERIES_FAST), first_index(l, XM_SERIES_SLOW)},
    };
    enum xm_status status = xm_region_plan(&config.settings, &l->plan, NULL);
    if (status != XM_OK || l->plan.bytes > l->config.most_bytes)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET,
                       "it says that it has room for %" PRIu32 " domains, %" PRIu32 " vCPUs and %" PRIu32
                       " pCPUs: a copy of that is too large for --max-copy",
                       info->capacity.domains, info->capacity.vcpus, info->capacity.pcpus);
    xm_sample_fini(&l->sample);
    l->sample = (struct xm_sample){0};
    if (xm_sample_init(&l->sample, info->capacity) != XM_OK)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    return xm_writer_create(&config, &l->writer, err);
}

static void publish_facts(struct xm_link *l)
{
    const struct xm_region_info *info = &l->remote.info;
    uint64_t classes[XM_MIRROR_WORDS] = {0};
    uint64_t anomaly[XM_MIRROR_WORDS];
    memcpy(classes, info->classes, sizeof info->classes);
    memcpy(anomaly, info->anomaly, sizeof anomaly);
    const struct xm_writer_facts facts = {
        .tsc_hz = info->tsc_hz,
        .tsc_hz_from = info->tsc_hz_from,
        .states_from = info->states_from,
        .io_seen = info->io_seen,
        .classes = classes,
        .anomaly = anomaly,
        .hypervisor = info->hypervisor,
        .scheduler = info->scheduler,
        .events = info->events,
        .buffer_bytes = info->buffer_bytes,
        .host_cpus = info->host_cpus,
    };
    xm_writer_facts(l->writer, &facts);
    for (uint32_t i = 0; i < l->remote.domains; i++) {
        struct xm_region_domain domain;
        uint32_t slot;
        xm_mirror_domain(&l->remote, i, &slot, &domain);
        if (xm_writer_domain(l->writer, slot, &domain) != XM_OK)
            break; /* cannot be: slots are below the capacity */
    }
    l->remote.domains = 0; /* the answer goes */
    l->remote.facts = NULL;
}

/*
 * A sign of life over there is one here; silence over there is none.  We write the copy and live on, so of a
 * xenbaked that is gone readers hear that nothing more comes.
 */
static void pass_on_life(struct xm_link *l, const struct xm_mirror_head *head)
{
    uint64_t now_ns = xm_clock_ns();
    bool ended = head->state == XM_WRITER_ENDED || head->gone;
    l->remote.head = *head;
    xm_writer_heartbeat(l->writer, head->silent_ns < now_ns ? now_ns - head->silent_ns : 0);
    xm_writer_state(l->writer, ended ? XM_WRITER_ENDED : XM_WRITER_RUNNING);
}

/* ---- The exchange. */

static enum xm_status get(struct xm_link *l, const char *path, const void **data, size_t *bytes,
                          struct xm_error *err)
{
    return xm_fetch_get(l->fetch, path, XM_MIRROR_MOST_BYTES, data, bytes, err);
}

/* What the region is like; a copy is begun where there is none, or where it is another region. */
static enum xm_status look(struct xm_link *l, struct xm_error *err)
{
    const void *data;
    size_t bytes;
    enum xm_status status = get(l, PATH, &data, &bytes, err);
    if (status == XM_OK)
        status = xm_mirror_read_region(data, bytes, &l->fresh, err);
    if (status != XM_OK)
        return status;
    bool other_run = l->fresh.head.lineage_id != l->remote.head.lineage_id;
    if (l->renew || l->fresh.head.creation_id != l->remote.head.creation_id ||
        l->fresh.head.schema != l->remote.head.schema)
        drop_copy(l);
    l->renew = false;
    if (other_run)
        memset(l->hint, 0, sizeof l->hint);
    l->remote = l->fresh;
    if (!l->writer)
        status = begin_copy(l, err);
    if (status != XM_OK)
        return status;
    pass_on_life(l, &l->fresh.head);
    publish_facts(l);
    l->region_due_ns = xm_clock_ns() + REGION_NS;
    return XM_OK;
}

/*
 * Publishes the samples of one answer.  XM_OK: *got of them; XM_AGAIN: the region over there is another one,
 * or has lost what comes next: begin anew.
 */
static enum xm_status take_samples(struct xm_link *l, enum xm_series series, const void *data, size_t bytes,
                                   uint32_t *got, struct xm_error *err)
{
    struct xm_mirror_walk walk;
    uint64_t index;
    *got = 0;
    enum xm_status status = xm_mirror_samples(data, bytes, &l->remote, series, &walk, err);
    if (status != XM_OK)
        return status;
    pass_on_life(l, &walk.head);
    while ((status = xm_mirror_next_sample(&walk, &l->sample, &index, err)) == XM_OK) {
        if (index < xm_writer_next(l->writer, series))
            return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "it sends samples that nobody asked for");
        if (index > xm_writer_next(l->writer, series)) {
            l->hint[series] = index;
            return XM_AGAIN;
        }
        if (xm_writer_publish(l->writer, series, &l->sample) != XM_OK)
            return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "more rows than it has room for");
        ++*got;
    }
    return status == XM_END ? XM_OK : status;
}

static enum xm_status follow(struct xm_link *l, enum xm_series series, struct xm_error *err)
{
    for (unsigned i = 0; i < ROUNDS && !atomic_load(&l->stop); i++) {
        char path[120];
        const void *data;
        size_t bytes;
        uint32_t got = 0;
        snprintf(path, sizeof path, PATH "/samples?series=%s&from=%" PRIu64,
                 series == XM_SERIES_FAST ? "fast" : "slow", xm_writer_next(l->writer, series));
        enum xm_status status = get(l, path, &data, &bytes, err);
        if (status == XM_OK)
            status = take_samples(l, series, data, bytes, &got, err);
        if (got && series == XM_SERIES_FAST)
            l->newest_ns = xm_clock_ns();
        if (status != XM_OK)
            return status;
        uint64_t newest = l->remote.head.newest[series];
        if (got == 0 || newest == UINT64_MAX || xm_writer_next(l->writer, series) > newest)
            break;
    }
    return XM_OK;
}

/* Distributions of some vCPUs at a time: they are looked at now and then, and large. */
static enum xm_status follow_histograms(struct xm_link *l, struct xm_error *err)
{
    for (unsigned i = 0; i < HIST_ROUNDS && !atomic_load(&l->stop); i++) {
        char path[80];
        const void *data;
        size_t bytes;
        struct xm_mirror_walk walk;
        uint32_t slot;
        uint64_t id;
        snprintf(path, sizeof path, PATH "/histograms?first=%" PRIu32, l->hist_next);
        enum xm_status status = get(l, path, &data, &bytes, err);
        if (status == XM_OK)
            status = xm_mirror_histograms(data, bytes, &l->remote, &walk, err);
        if (status == XM_UNSUPPORTED) { /* other buckets: all else is good without them */
            xm_error_clear(err);
            return XM_OK;
        }
        if (status != XM_OK)
            return status;
        while ((status = xm_mirror_next_histogram(&walk, &slot, &id, l->counts, err)) == XM_OK) {
            const uint64_t *const counts[XM_HISTS] = {l->counts[0], l->counts[1], l->counts[2]};
            if (xm_writer_histograms(l->writer, slot, id, counts) != XM_OK)
                break; /* cannot be: slots are below the capacity */
        }
        if (status != XM_END)
            return status;
        l->hist_next = walk.next > l->hist_next ? walk.next : 0;
        if (l->hist_next == 0)
            break;
    }
    return XM_OK;
}

static enum xm_status exchange(struct xm_link *l, struct xm_error *err)
{
    bool whole = !l->writer || l->renew || xm_clock_ns() >= l->region_due_ns;
    enum xm_status status = whole ? look(l, err) : XM_OK;
    if (status == XM_OK && whole)
        status = follow(l, XM_SERIES_SLOW, err);
    if (status == XM_OK)
        status = follow(l, XM_SERIES_FAST, err);
    if (status == XM_OK && whole)
        status = follow_histograms(l, err);
    /* XM_AGAIN without words: the copy is to be begun anew.  Else it is the server's, who has nothing now. */
    if (status != XM_AGAIN || err->status != XM_OK) {
        l->anew = status == XM_OK ? 0 : l->anew;
        return status;
    }
    l->renew = true;
    if (++l->anew > ANEW_MOST)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "it is another region each time it is looked at");
    return XM_OK;
}

/* ---- The thread. */

static enum xm_hosts_link link_of(const struct xm_link *l, enum xm_status status, const struct xm_error *err)
{
    const struct xm_mirror_head *head = &l->remote.head;
    switch (status) {
    case XM_OK:
        if (head->state == XM_WRITER_ENDED)
            return XM_HOSTS_ENDED;
        if (head->gone)
            return XM_HOSTS_GONE;
        return head->silent_ns > STALE_NS ? XM_HOSTS_STALE : XM_HOSTS_LIVE;
    case XM_DENIED:
        return XM_HOSTS_REFUSED;
    case XM_AGAIN: /* nobody answers, or it answers that there is nothing */
        return strncmp(err->text, "not now", 7) == 0 ? XM_HOSTS_GONE : XM_HOSTS_LOST;
    case XM_IO:
    case XM_NOMEM:
        return XM_HOSTS_LOST;
    default:
        return XM_HOSTS_BAD;
    }
}

static void tell(struct xm_link *l, enum xm_status status, const struct xm_error *err)
{
    const struct xm_mirror_head *head = &l->remote.head;
    pthread_mutex_lock(&l->lock);
    struct xm_link_state *s = &l->state;
    s->heard = true;
    s->status = status;
    s->link = link_of(l, status, err);
    s->data = l->newest_ns != 0;
    s->newest_ns = l->newest_ns;
    if (status != XM_OK)
        snprintf(s->said, sizeof s->said, "%s", err->text);
    else if (s->link == XM_HOSTS_GONE)
        snprintf(s->said, sizeof s->said, "xenbaked (process %" PRIu32 " there) is gone", head->writer_pid);
    else if (s->link == XM_HOSTS_STALE)
        snprintf(s->said, sizeof s->said,
                 "xenbaked (process %" PRIu32 " there) has been silent for %" PRIu64 " s", head->writer_pid,
                 head->silent_ns / XM_NS_PER_S);
    else
        s->said[0] = '\0';
    pthread_mutex_unlock(&l->lock);
}

static void pause_for(struct xm_link *l, uint64_t ns)
{
    uint64_t until_ns = xm_clock_ns() + ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / XM_NS_PER_S),
                             .tv_nsec = (long)(until_ns % XM_NS_PER_S)};
    pthread_mutex_lock(&l->lock);
    while (!atomic_load(&l->stop))
        if (pthread_cond_timedwait(&l->wake, &l->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&l->lock);
}

static void *run(void *user)
{
    struct xm_link *l = user;
    uint64_t back_off_ns = BACK_OFF_NS;
    while (!atomic_load(&l->stop)) {
        struct xm_error err;
        xm_error_clear(&err);
        enum xm_status status = exchange(l, &err);
        if (atomic_load(&l->stop))
            break;
        tell(l, status, &err);
        if (status == XM_OK) {
            back_off_ns = BACK_OFF_NS;
            pause_for(l, PAUSE_NS);
            continue;
        }
        l->region_due_ns = 0; /* it may be another one by then */
        pause_for(l, status == XM_DENIED ? REFUSED_NS : back_off_ns);
        back_off_ns = back_off_ns * 2 < BACK_OFF_MOST ? back_off_ns * 2 : BACK_OFF_MOST;
    }
    return NULL;
}

static bool start_thread(struct xm_link *l)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool good = pthread_create(&l->thread, NULL, run, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

enum xm_status xm_link_start(const struct xm_link_config *config, struct xm_link **link, struct xm_error *err)
{
    pthread_condattr_t clock;
    *link = NULL;
    struct xm_link *l = calloc(1, sizeof *l);
    if (!l)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    l->config = *config;
    l->state.status = XM_AGAIN;
    enum xm_status status = xm_fetch_create(config->url, config->credentials, &l->stop, &l->fetch, err);
    if (status != XM_OK) {
        free(l);
        return status;
    }
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&l->lock, NULL);
    if (start_thread(l)) {
        *link = l;
        return XM_OK;
    }
    xm_fetch_destroy(l->fetch);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "no thread can be started");
}

const char *xm_link_name(const struct xm_link *link)
{
    return xm_fetch_name(link->fetch);
}

void xm_link_look(struct xm_link *link, struct xm_link_state *state)
{
    pthread_mutex_lock(&link->lock);
    *state = link->state;
    pthread_mutex_unlock(&link->lock);
}

void xm_link_stop(struct xm_link *link)
{
    if (!link)
        return;
    pthread_mutex_lock(&link->lock);
    atomic_store(&link->stop, true);
    pthread_cond_signal(&link->wake);
    pthread_mutex_unlock(&link->lock);
    pthread_join(link->thread, NULL);
    xm_writer_close(link->writer, true);
    xm_sample_fini(&link->sample);
    xm_fetch_destroy(link->fetch);
    pthread_cond_destroy(&link->wake);
    pthread_mutex_destroy(&link->lock);
    free(link);
}
