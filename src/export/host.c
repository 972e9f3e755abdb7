/* SPDX-License-Identifier: MIT */
/* The pool of snapshots, and the thread that fills it. */
#include "export/host.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "export/host_int.h"

#define POOL_MIN        3u
#define POOL_MAX        16u
#define MIN_INTERVAL_NS (XM_NS_PER_S / 10)
#define MAX_INTERVAL_NS (60 * XM_NS_PER_S)
#define TRIES           3u

struct xm_host {
    struct xm_host_config config;
    struct xm_host_reader reader;
    pthread_mutex_t lock; /* `newest`, every slot's `held`, `stop` */
    pthread_cond_t stopping;
    pthread_t thread;
    bool stop;
    struct xm_host_slot *newest;
    struct xm_host_slot slot[POOL_MAX];
};

const char *xm_host_state_name(enum xm_host_state state)
{
    static const char *const names[XM_HOST_STATES] = {"running", "restarted", "starting", "ended",
                                                      "stale",   "dead",      "absent",   "broken"};
    return (unsigned)state < XM_HOST_STATES ? names[state] : "unknown";
}

const char *xm_host_path(const struct xm_host *host)
{
    return host->config.path;
}

static struct xm_host_slot *free_slot(struct xm_host *host)
{
    struct xm_host_slot *found = NULL;
    pthread_mutex_lock(&host->lock);
    for (unsigned i = 0; i < host->config.pool && !found; i++)
        if (host->slot[i].held == 0)
            found = &host->slot[i];
    pthread_mutex_unlock(&host->lock);
    return found;
}

static void publish(struct xm_host *host, struct xm_host_slot *slot)
{
    pthread_mutex_lock(&host->lock);
    slot->held++;
    if (host->newest)
        host->newest->held--;
    host->newest = slot;
    pthread_mutex_unlock(&host->lock);
    if (host->config.made)
        host->config.made(host->config.user);
}

static void update(struct xm_host *host)
{
    struct xm_host_slot *slot = free_slot(host);
    for (unsigned i = 0; slot && i < TRIES; i++)
        if (xm_host_read(&host->reader, slot)) {
            publish(host, slot);
            return;
        }
    /* Everybody holds on to old ones, or the region moved on three times: what there is stays the newest. */
    host->reader.reading.skipped++;
}

static void *run(void *user)
{
    struct xm_host *host = user;
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    pthread_mutex_lock(&host->lock);
    while (!host->stop) {
        uint64_t ns = (uint64_t)due.tv_nsec + host->config.interval_ns;
        due.tv_sec += (time_t)(ns / XM_NS_PER_S);
        due.tv_nsec = (long)(ns % XM_NS_PER_S);
        while (!host->stop && pthread_cond_timedwait(&host->stopping, &host->lock, &due) != ETIMEDOUT) {
        }
        if (host->stop)
            break;
        pthread_mutex_unlock(&host->lock);
        update(host);
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > due.tv_sec + 1) /* it was asleep: no burst to catch up */
            due = now;
        pthread_mutex_lock(&host->lock);
    }
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

static void destroy(struct xm_host *host)
{
    pthread_mutex_destroy(&host->lock);
    pthread_cond_destroy(&host->stopping);
    for (unsigned i = 0; i < POOL_MAX; i++)
        xm_host_slot_fini(&host->slot[i]);
    xm_sample_fini(&host->reader.scratch);
    free(host->reader.ended);
    xm_host_spread_fini(&host->reader.spread);
    xm_peaks_destroy(host->reader.peaks);
    xm_region_close(host->reader.region);
    free(host);
}

static void init_lock(struct xm_host *host)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&host->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&host->stopping, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Signals are for the thread that waits for them. */
static int begin(struct xm_host *host)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&host->thread, NULL, run, host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum xm_status xm_host_create(const struct xm_host_config *config, struct xm_host **host,
                              struct xm_error *err)
{
    *host = NULL;
    if (config->pool < POOL_MIN || config->pool > POOL_MAX || config->interval_ns < MIN_INTERVAL_NS ||
        config->interval_ns > MAX_INTERVAL_NS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "3 to 16 snapshots, each 100 ms to 60 s");
    struct xm_host *h = calloc(1, sizeof *h);
    if (!h)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    h->config = *config;
    init_lock(h);
    h->reader = (struct xm_host_reader){
        .path = config->path,
        .stale_ns = config->stale_ns,
        .linger_ns = config->linger_ns,
        .peaks = xm_peaks_create(),
    };
    if (!h->reader.peaks) {
        destroy(h);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    /* Nobody listens before it is made. */
    h->config.made = NULL;
    update(h);
    if (!h->newest) { /* the region moves: say so, and go on trying */
        struct xm_host_slot *slot = &h->slot[0];
        slot->s = (struct xm_host_snapshot){.state = XM_HOST_STARTING,
                                            .since_restart_ns = UINT64_MAX,
                                            .number = ++h->reader.number,
                                            .reason = "no sample was read yet"};
        publish(h, slot);
    }
    h->config.made = config->made;
    int failed = begin(h);
    if (failed) {
        destroy(h);
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "no thread for reading the region: %s", strerror(failed));
    }
    *host = h;
    return XM_OK;
}

void xm_host_destroy(struct xm_host *host)
{
    if (!host)
        return;
    pthread_mutex_lock(&host->lock);
    host->stop = true;
    pthread_cond_signal(&host->stopping);
    pthread_mutex_unlock(&host->lock);
    pthread_join(host->thread, NULL);
    destroy(host);
}

const struct xm_host_snapshot *xm_host_take(struct xm_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct xm_host_slot *slot = host->newest;
    slot->held++;
    pthread_mutex_unlock(&host->lock);
    return &slot->s;
}

void xm_host_give_back(struct xm_host *host, const struct xm_host_snapshot *snapshot)
{
    if (!snapshot)
        return;
    /* The address is compared, not converted: snapshots are constant for everybody else. */
    pthread_mutex_lock(&host->lock);
    for (unsigned i = 0; i < host->config.pool; i++)
        if (&host->slot[i].s == snapshot) {
            XM_ASSERT(host->slot[i].held > 0);
            host->slot[i].held--;
        }
    pthread_mutex_unlock(&host->lock);
}
