/* SPDX-License-Identifier: MIT */
#include "history/keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "history/store.h"
#include "xenmon/region.h"
#include "xenmon/units.h"

#define MS       UINT64_C(1000000)
#define LOOK_NS  (100 * MS)  /* for a region, and for its end */
#define RETRY_NS XM_NS_PER_S /* after a transaction that failed */
#define THIN_NS  (60 * XM_NS_PER_S)
#define PIECE    600 /* samples in one transaction at most */
#define NO_INDEX UINT64_MAX

struct xm_keeper {
    struct xm_keeper_config config;
    struct xm_store *store;
    /* `probe` follows the region's name; `data` stays with the region until all of it is read. */
    struct xm_region *probe, *data;
    struct xm_region_info info; /* of `data` */
    struct xm_sample sample;
    struct xm_region_domain *fact;
    uint64_t due_ns;  /* when the next transaction is */
    uint64_t thin_ns; /* when retention is looked after */
    uint64_t samples;
    bool troubled;        /* it has been said that nothing can be written */
    bool region_troubled; /* ... or read */
    bool over;            /* all of `data` is kept, and it has ended */
    bool final;           /* `data` gets no more samples */
};

static void say(struct xm_keeper *k, bool bad, const char *text)
{
    if (k->config.say)
        k->config.say(k->config.user, bad, text);
}

enum xm_status xm_keeper_create(const struct xm_keeper_config *config, struct xm_keeper **keeper,
                                struct xm_error *err)
{
    const char *fault = xm_retention_fault(&config->retention);
    *keeper = NULL;
    if (fault)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "what to keep: %s", fault);
    struct xm_keeper *k = calloc(1, sizeof *k);
    if (!k)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    k->config = *config;
    enum xm_status status = xm_store_open(config->directory, &k->store, err);
    if (status != XM_OK) {
        free(k);
        return status;
    }
    *keeper = k;
    return XM_OK;
}

static void close_data(struct xm_keeper *k)
{
    xm_region_close(k->data);
    k->data = NULL;
    xm_sample_fini(&k->sample);
    k->sample = (struct xm_sample){.vcpu = NULL};
    free(k->fact);
    k->fact = NULL;
}

void xm_keeper_destroy(struct xm_keeper *k)
{
    if (!k)
        return;
    close_data(k);
    xm_region_close(k->probe);
    xm_store_close(k->store);
    free(k);
}

uint64_t xm_keeper_samples(const struct xm_keeper *k)
{
    return k->samples;
}

/* ---- The region. */

static enum xm_status make_room(struct xm_keeper *k, struct xm_error *err)
{
    struct xm_capacity c = k->info.capacity;
    if (k->sample.vcpu)
        return XM_OK;
    enum xm_status status = xm_sample_init(&k->sample, c);
    if (status == XM_OK)
        k->fact = calloc(c.domains, sizeof *k->fact);
    if (status == XM_OK && k->fact)
        return XM_OK;
    xm_sample_fini(&k->sample);
    k->sample = (struct xm_sample){.vcpu = NULL};
    return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "no memory for what the region may hold");
}

/* Opens what has the region's name now.  False: nothing that can be read. */
static bool attach(struct xm_keeper *k)
{
    struct xm_error err = {.offset = XM_NO_OFFSET};
    enum xm_status status = XM_OK;
    if (!k->probe)
        status = xm_region_open(k->config.region, &k->probe, &err);
    if (status == XM_OK)
        status = xm_region_open(k->config.region, &k->data, &err);
    k->over = k->final = false;
    if (status == XM_OK) {
        if (k->region_troubled)
            say(k, false, "the region can be read again");
        k->region_troubled = false;
        return true;
    }
    xm_region_close(k->probe);
    k->probe = NULL;
    k->data = NULL;
    /* That it is not there yet is no trouble; that we may not look is. */
    bool denied = access(k->config.region, R_OK) != 0 && errno == EACCES;
    if ((denied || (status != XM_IO && status != XM_AGAIN)) && !k->region_troubled) {
        say(k, true, err.text);
        k->region_troubled = true;
    }
    return false;
}

static enum xm_series series_of(const struct xm_keeper *k)
{
    return k->config.step_ns >= k->info.series[XM_SERIES_SLOW].interval_ns ? XM_SERIES_SLOW : XM_SERIES_FAST;
}

/* Transactions are so close that neither series loses what was not read yet. */
static uint64_t sync_ns(const struct xm_keeper *k)
{
    uint64_t sync = k->config.sync_ns;
    for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++) {
        uint64_t span = (uint64_t)k->info.series[s].slots * k->info.series[s].interval_ns / 3;
        if (span && span < sync)
            sync = span;
    }
    return sync < LOOK_NS ? LOOK_NS : sync;
}

/* ---- Samples. */

/* The fast sample of the same instant, which has all that the slow one lacks. */
static bool read_detail(struct xm_keeper *k, uint64_t window)
{
    struct xm_host_row host;
    uint64_t index;
    return xm_region_find(k->data, XM_SERIES_FAST, window, &index) == XM_REGION_OK &&
           xm_region_host(k->data, XM_SERIES_FAST, index, &host) == XM_REGION_OK && host.window == window &&
           xm_region_sample(k->data, XM_SERIES_FAST, index, &k->sample) == XM_REGION_OK &&
           k->sample.host.window == window;
}

static void read_facts(struct xm_keeper *k)
{
    for (uint32_t slot = 0; slot < k->sample.used.domains; slot++)
        if (xm_region_domain(k->data, slot, &k->fact[slot]) != XM_REGION_OK)
            k->fact[slot] = (struct xm_region_domain){0};
}

/* Puts sample `index` of a series.  XM_OK also where it slipped away. */
static enum xm_status keep_sample(struct xm_keeper *k, enum xm_series series, uint64_t index, uint64_t *last,
                                  struct xm_error *err)
{
    struct xm_host_row host;
    if (xm_region_host(k->data, series, index, &host) != XM_REGION_OK ||
        (*last != NO_INDEX && host.window <= *last))
        return XM_OK;
    bool detail = series == XM_SERIES_FAST || read_detail(k, host.window);
    if ((series == XM_SERIES_FAST || !detail) &&
        xm_region_sample(k->data, series, index, &k->sample) != XM_REGION_OK)
        return XM_OK;
    read_facts(k);
    enum xm_status status = xm_store_put(k->store, &k->sample, k->fact, detail, err);
    if (status == XM_OK)
        *last = k->sample.host.window;
    return status;
}

/* Whether a sample begins another step than the one stored last. */
static bool is_due(const struct xm_keeper *k, uint64_t then_ns, uint64_t now_ns)
{
    return now_ns / k->config.step_ns != then_ns / k->config.step_ns;
}

struct progress {
    uint64_t next;    /* index */
    uint64_t last;    /* window of the sample stored last; NO_INDEX: none */
    uint64_t mono_ns; /* of that */
};

/* Where to go on in a series: behind the sample that is stored already. */
static struct progress begin_at(struct xm_keeper *k, enum xm_series series, uint64_t stored)
{
    struct progress p = {.next = NO_INDEX, .last = stored};
    struct xm_host_row host;
    enum xm_region_outcome found = xm_region_find(k->data, series, stored == NO_INDEX ? 0 : stored, &p.next);
    if (found == XM_REGION_OK) {
        if (xm_region_host(k->data, series, p.next, &host) == XM_REGION_OK)
            p.mono_ns = host.mono;
        p.next += stored != NO_INDEX;
    } else if (found != XM_REGION_OVERRUN) {
        p.next = NO_INDEX;
    }
    return p;
}

static enum xm_status keep_piece(struct xm_keeper *k, enum xm_series series, struct progress *p, bool *more,
                                 uint64_t *kept, struct xm_error *err)
{
    uint64_t newest = k->info.series[series].newest;
    enum xm_status status = XM_OK;
    *more = false;
    for (; status == XM_OK && p->next != NO_INDEX && newest != NO_INDEX && p->next <= newest; p->next++) {
        struct xm_host_row host;
        if (*kept >= PIECE) {
            *more = true;
            break;
        }
        if (xm_region_host(k->data, series, p->next, &host) != XM_REGION_OK ||
            (p->last != NO_INDEX && !is_due(k, p->mono_ns, host.mono)))
            continue;
        uint64_t before = p->last;
        status = keep_sample(k, series, p->next, &p->last, err);
        if (status == XM_OK && p->last != before) {
            p->mono_ns = host.mono;
            ++*kept;
        }
    }
    return status;
}

/*
 * One transaction.  newest_too: the newest of the fast series as well, for there will be no other chance. 
 * ended: of the run.
 * *more: not all were read.
 */
static enum xm_status keep(struct xm_keeper *k, bool newest_too, bool ended, bool *more, struct xm_error *err)
{
    enum xm_series series = series_of(k);
    struct xm_host_row host;
    uint64_t stored, kept = 0;
    /* The first sample that the writer published, or one with hardly any time before it. */
    bool origin = xm_region_host(k->data, series, 0, &host) == XM_REGION_OK;
    enum xm_status status = xm_store_begin(k->store, &k->info, origin, &stored, err);
    if (status != XM_OK)
        return status;
    struct progress p = begin_at(k, series, stored);
    status = keep_piece(k, series, &p, more, &kept, err);
    uint64_t newest = k->info.series[XM_SERIES_FAST].newest;
    if (status == XM_OK && newest_too && !*more && newest != NO_INDEX) {
        uint64_t before = p.last;
        status = keep_sample(k, XM_SERIES_FAST, newest, &p.last, err);
        kept += p.last != before;
    }
    if (status != XM_OK) {
        xm_store_rollback(k->store);
        return status;
    }
    status = xm_store_commit(k->store, ended && !*more, err);
    if (status == XM_OK)
        k->samples += kept;
    return status;
}

/* ---- Trouble. */

/* A trouble that may pass is said once; XM_AGAIN then. */
static enum xm_status judge(struct xm_keeper *k, enum xm_status status, const struct xm_error *why,
                            struct xm_error *err)
{
    char text[320];
    if (status >= 0 && status != XM_FULL && status != XM_AGAIN) {
        if (k->troubled)
            say(k, false, "the history is written again");
        k->troubled = false;
        return status;
    }
    if (status == XM_DAMAGED || status == XM_NOMEM || status == XM_UNSUPPORTED)
        return xm_fail(err, status, XM_NO_OFFSET, "%s", why->text);
    if (!k->troubled) {
        snprintf(text, sizeof text,
                 "%s; it is tried again, and what the region still has by then is not lost", why->text);
        say(k, true, text);
        k->troubled = true;
    }
    return XM_AGAIN;
}

static enum xm_status look_after_size(struct xm_keeper *k, uint64_t now_ns, struct xm_error *err)
{
    struct xm_error why = {.offset = XM_NO_OFFSET};
    bool more = false;
    if (now_ns < k->thin_ns)
        return XM_OK;
    enum xm_status status = xm_history_thin(xm_store_database(k->store), &k->config.retention, &more, &why);
    k->thin_ns = more && status == XM_OK ? now_ns : now_ns + THIN_NS;
    status = judge(k, status, &why, err);
    return status == XM_OK && more ? XM_AGAIN : status == XM_AGAIN ? XM_OK : status;
}

/* ---- A step. */

/* Looks at the region; k->info is as of a moment after its end was seen. */
static enum xm_status look(struct xm_keeper *k, struct xm_error *err)
{
    enum xm_region_outcome writer = xm_region_check(k->probe);
    k->final |= writer == XM_REGION_RESTARTED || writer == XM_REGION_GONE || writer == XM_REGION_INCOMPATIBLE;
    enum xm_region_outcome outcome = xm_region_info(k->data, &k->info);
    if (outcome == XM_REGION_INCOMPATIBLE)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "the region is damaged");
    if (outcome == XM_REGION_RETRY)
        return XM_AGAIN;
    if (k->info.state == XM_WRITER_ENDED && !k->final) {
        /* Its last sample may have come between the two words. */
        k->final = true;
        return xm_region_info(k->data, &k->info) == XM_REGION_OK ? XM_OK : XM_AGAIN;
    }
    return XM_OK;
}

/* A grown region's counters go on in the next one. */
static bool is_grown(const struct xm_keeper *k)
{
    return k->info.state == XM_WRITER_SUPERSEDED;
}

/* All of a region is kept: on to the next one, where there is one. */
static enum xm_status leave(struct xm_keeper *k)
{
    bool grown = is_grown(k);
    bool replaced = false;
    struct xm_region *next;
    struct xm_region_info there;
    if (xm_region_open(k->config.region, &next, NULL) == XM_OK) {
        replaced = xm_region_info(next, &there) == XM_REGION_OK && there.creation_id != k->info.creation_id;
        xm_region_close(next);
    }
    if (replaced || grown) {
        close_data(k);
        xm_region_close(k->probe);
        k->probe = NULL;
        return XM_OK;
    }
    bool news = !k->over;
    k->over = true;
    return news ? XM_END : XM_AGAIN;
}

/* The region makes no sense any more: another may come. */
static void abandon(struct xm_keeper *k, const char *why)
{
    if (!k->region_troubled)
        say(k, true, why);
    k->region_troubled = true;
    close_data(k);
}

/* Whether there is a region with something new to keep; else why not, as xm_keeper_step() returns it. */
static enum xm_status get_ready(struct xm_keeper *k, uint64_t now_ns, bool last)
{
    struct xm_error why = {.offset = XM_NO_OFFSET};
    if (!k->data && !attach(k))
        return XM_AGAIN;
    if (k->over)
        return last ? XM_AGAIN : leave(k);
    enum xm_status status = look(k, &why);
    if (status == XM_DAMAGED)
        abandon(k, why.text);
    if (status != XM_OK)
        return XM_AGAIN;
    if (now_ns < k->due_ns && !k->final && !last)
        return XM_AGAIN;
    bool empty = k->info.series[XM_SERIES_FAST].newest == NO_INDEX;
    return empty && !k->final ? XM_AGAIN : XM_OK;
}

/* Keeps what is new.  *more: not all of it yet. */
static enum xm_status keep_new(struct xm_keeper *k, uint64_t now_ns, bool last, bool *more,
                               struct xm_error *err)
{
    struct xm_error why = {.offset = XM_NO_OFFSET};
    bool ended = k->final && !is_grown(k);
    enum xm_status status = make_room(k, &why);
    if (status == XM_OK)
        status = keep(k, ended || last, ended, more, &why);
    status = judge(k, status, &why, err);
    if (status == XM_OK)
        k->due_ns = *more ? now_ns : now_ns + sync_ns(k);
    else
        k->due_ns = now_ns + RETRY_NS;
    return status;
}

/* What remains to be done behind a transaction that took all that was there. */
static enum xm_status go_on(struct xm_keeper *k, uint64_t now_ns, struct xm_error *err)
{
    enum xm_status status = look_after_size(k, now_ns, err);
    if (status < 0)
        return status;
    if (k->final)
        return leave(k);
    return status == XM_AGAIN ? XM_OK : XM_AGAIN;
}

enum xm_status xm_keeper_step(struct xm_keeper *k, uint64_t now_ns, bool last, uint64_t *wake_ns,
                              struct xm_error *err)
{
    bool more = false;
    *wake_ns = now_ns + LOOK_NS;
    enum xm_status status = get_ready(k, now_ns, last);
    if (status != XM_OK || !k->data)
        return last ? XM_END : status;
    status = keep_new(k, now_ns, last, &more, err);
    if (status == XM_AGAIN)
        *wake_ns = now_ns + RETRY_NS;
    if (status != XM_OK || more)
        return status;
    return last ? XM_END : go_on(k, now_ns, err);
}
