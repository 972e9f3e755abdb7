/* SPDX-License-Identifier: MIT */
/* One update: what stands in the region now, or why nothing does. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/host_int.h"

#define RESTARTED_NS (10 * XM_NS_PER_S)

static const uint64_t span_ns[XM_HOST_WINDOWS] = {XM_NS_PER_S, 10 * XM_NS_PER_S};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void XM_PRINTF(3, 4)
    set_state(struct xm_host_slot *slot, enum xm_host_state state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(slot->s.reason, sizeof slot->s.reason, format, arguments);
    va_end(arguments);
    slot->s.state = state;
}

/* ---- Room. */

void xm_host_slot_fini(struct xm_host_slot *slot)
{
    slot->to[XM_HOST_10S].pair = NULL; /* the first one's */
    slot->to[XM_HOST_10S].vcpu_domain = NULL;
    for (unsigned i = 0; i < XM_HOST_WINDOWS; i++) {
        xm_sample_fini(&slot->from[i]);
        free(slot->to[i].vcpu);
        free(slot->to[i].domain);
        free(slot->to[i].pcpu);
        free(slot->to[i].pair);
        free(slot->to[i].vcpu_domain);
        slot->to[i] = (struct xm_sample){0};
    }
    free(slot->domain);
    free(slot->vcpu);
    slot->domain = NULL;
    slot->vcpu = NULL;
    slot->capacity = (struct xm_capacity){0};
}

static bool same_capacity(struct xm_capacity a, struct xm_capacity b)
{
    return a.domains == b.domains && a.vcpus == b.vcpus && a.pcpus == b.pcpus;
}

static enum xm_status room(struct xm_host_slot *slot, struct xm_capacity capacity)
{
    if (same_capacity(slot->capacity, capacity))
        return XM_OK;
    xm_host_slot_fini(slot);
    enum xm_status status = xm_sample_init(&slot->to[0], capacity);
    for (unsigned i = 0; i < XM_HOST_WINDOWS && status == XM_OK; i++)
        status = xm_sample_init(&slot->from[i], capacity);
    struct xm_sample *second = &slot->to[XM_HOST_10S];
    second->capacity = capacity;
    second->vcpu = calloc(capacity.vcpus, sizeof *second->vcpu);
    second->domain = calloc(capacity.domains, sizeof *second->domain);
    second->pcpu = calloc(capacity.pcpus, sizeof *second->pcpu);
    slot->domain = calloc(capacity.domains, sizeof *slot->domain);
    slot->vcpu = calloc(capacity.vcpus, sizeof *slot->vcpu);
    if (status != XM_OK || !second->vcpu || !second->domain || !second->pcpu || !slot->domain ||
        !slot->vcpu) {
        xm_host_slot_fini(slot);
        return XM_NOMEM;
    }
    slot->capacity = capacity;
    return XM_OK;
}

static enum xm_status reader_room(struct xm_host_reader *r, struct xm_capacity capacity)
{
    if (same_capacity(r->scratch.capacity, capacity))
        return XM_OK;
    xm_sample_fini(&r->scratch);
    free(r->ended);
    r->ended = calloc(capacity.domains, sizeof *r->ended);
    enum xm_status status = r->ended ? xm_sample_init(&r->scratch, capacity) : XM_NOMEM;
    if (status == XM_OK)
        status = xm_host_spread_init(&r->spread, capacity);
    if (status != XM_OK)
        xm_sample_fini(&r->scratch);
    return status;
}

/* ---- Whose region it is. */

static void forget(struct xm_host_reader *r)
{
    r->scale = (struct xm_scale){0};
    r->index_mono_ns = 0;
    xm_peaks_forget(r->peaks);
    xm_host_spread_forget(&r->spread);
}

/* Another run of xenbaked begins with counters of its own; a region that has grown goes on. */
static void follow(struct xm_host_reader *r, const struct xm_region_info *info, uint64_t now_ns)
{
    if (r->known && r->lineage == info->lineage_id) {
        r->reading.growths += r->creation != info->creation_id;
    } else {
        if (r->known) {
            r->restart_mono_ns = now_ns;
            r->reading.restarts++;
        }
        forget(r);
    }
    r->known = true;
    r->lineage = info->lineage_id;
    r->creation = info->creation_id;
}

/* The region cannot be opened: whether there is one all the same, and what can be done about it. */
static void tell_why(const struct xm_host_reader *r, struct xm_host_slot *slot, const char *said)
{
    int why = access(r->path, R_OK) == 0 ? 0 : errno;
    if (why == EACCES)
        set_state(slot, XM_HOST_BROKEN,
                  "%s to the server's user: xenbaked gives it to the group xenmon where there is one", said);
    else
        set_state(slot, XM_HOST_ABSENT, "%s%s", said, why == ENOENT ? ": start xenbaked" : "");
}

static bool attach(struct xm_host_reader *r, struct xm_host_slot *slot)
{
    struct xm_error err;
    if (r->region)
        return true;
    xm_error_clear(&err);
    enum xm_status status = xm_region_open(r->path, &r->region, &err);
    if (status == XM_OK)
        return true;
    if (status == XM_IO)
        tell_why(r, slot, err.text);
    else
        set_state(slot, XM_HOST_BROKEN, "%s", err.text);
    return false;
}

/* The state as far as the writer goes; true: there may be samples. */
static bool look(struct xm_host_reader *r, struct xm_host_slot *slot, uint64_t now_ns)
{
    struct xm_region_info *info = &slot->s.info;
    enum xm_region_outcome outcome = xm_region_check(r->region);
    enum xm_region_outcome told = XM_REGION_INCOMPATIBLE;
    if (outcome != XM_REGION_INCOMPATIBLE)
        told = xm_region_info(r->region, info);
    if (told != XM_REGION_OK) {
        set_state(
            slot, told == XM_REGION_RETRY ? XM_HOST_STALE : XM_HOST_BROKEN, "the region at %s is %s", r->path,
            told == XM_REGION_RETRY ? "left in the middle of a change" : "damaged, or of another version");
        if (told != XM_REGION_RETRY) {
            xm_region_close(r->region);
            r->region = NULL;
        }
        return false;
    }
    follow(r, info, now_ns);
    uint64_t silent_ns = now_ns > info->heartbeat_ns ? now_ns - info->heartbeat_ns : 0;
    if (info->state == XM_WRITER_ENDED)
        set_state(slot, XM_HOST_ENDED, "what xenbaked read has ended: the last sample is final");
    else if (outcome == XM_REGION_GONE)
        set_state(slot, XM_HOST_DEAD, "xenbaked (process %u) is gone", (unsigned)info->writer_pid);
    else if (silent_ns > r->stale_ns)
        set_state(slot, XM_HOST_STALE, "xenbaked (process %u) lives, but wrote nothing for %.1f s",
                  (unsigned)info->writer_pid, (double)silent_ns / 1e9);
    else if (r->restart_mono_ns && now_ns - r->restart_mono_ns < RESTARTED_NS)
        set_state(slot, XM_HOST_RESTARTED, "xenbaked began anew %.0f s ago",
                  (double)(now_ns - r->restart_mono_ns) / 1e9);
    else
        set_state(slot, XM_HOST_RUNNING, "%s", "");
    return true;
}

/* ---- Samples. */

static void copy_rows(struct xm_sample *to, const struct xm_sample *from)
{
    to->used = from->used;
    to->host = from->host;
    to->pair = from->pair;
    to->vcpu_domain = from->vcpu_domain;
    memcpy(to->vcpu, from->vcpu, from->used.vcpus * sizeof *to->vcpu);
    memcpy(to->domain, from->domain, from->used.domains * sizeof *to->domain);
    memcpy(to->pcpu, from->pcpu, from->used.pcpus * sizeof *to->pcpu);
}

/* Finds and reads where a window begins, and folds the peaks within.  False: the region went on too fast. */
static bool read_window(struct xm_host_reader *r, struct xm_host_slot *slot, unsigned w)
{
    struct xm_host_snapshot *s = &slot->s;
    struct xm_sample *to = &slot->to[w];
    uint64_t span = xm_scale_to_cycles(&s->scale, xm_ns_of(span_ns[w])).v;
    uint64_t half = xm_scale_to_cycles(&s->scale, xm_ns_of(s->info.series[XM_SERIES_FAST].interval_ns / 2)).v;
    uint64_t first = 0;
    s->window[w] = (struct xm_window){.to = to, .scale = &s->scale, .io_seen = s->info.io_seen};
    s->window_ns[w] = xm_scale_to_ns(&s->scale, xm_cycles_of(to->host.window)).v;
    if (to->host.window + half > span && s->index > 0) {
        uint64_t wanted = to->host.window + half - span;
        enum xm_region_outcome found = xm_region_find(r->region, XM_SERIES_FAST, wanted, &first);
        bool whole = found == XM_REGION_OVERRUN && first == 0;
        if (found != XM_REGION_OK && found != XM_REGION_OVERRUN)
            return false;
        if (first >= s->index)
            first = s->index - 1;
        if (!whole) {
            if (xm_region_sample(r->region, XM_SERIES_FAST, first, &slot->from[w]) != XM_REGION_OK ||
                slot->from[w].host.window >= to->host.window)
                return false;
            s->window[w].from = &slot->from[w];
            s->window_ns[w] =
                xm_scale_to_ns(&s->scale, xm_cycles_of(to->host.window - slot->from[w].host.window)).v;
        }
    }
    xm_peaks_begin(r->peaks);
    /* What could not be folded in this round is in the next; till then the peaks are those of a part. */
    enum xm_status folded =
        xm_peaks_fold(r->peaks, r->region, s->window[w].from ? first + 1 : 0, s->index, &r->scratch, to);
    s->window[w].no_peaks = folded != XM_OK;
    return true;
}

/*
 * Whether a domain's end is long enough ago, by the trace's clock or by ours: where nothing happens any more, the
 * trace's stands still, and a replay's may run ahead.
 */
static bool is_long_ago(struct xm_host_reader *r, const struct xm_host_slot *slot, uint32_t i,
                        uint64_t mono_ns)
{
    const struct xm_sample *now = &slot->to[0];
    const struct xm_region_domain *fact = &slot->domain[i].fact;
    if (r->ended[i].id != now->domain[i].id) {
        r->ended[i].id = now->domain[i].id;
        r->ended[i].seen_ns = mono_ns;
    }
    uint64_t since = fact->ended_tsc && now->host.tsc > fact->ended_tsc ? now->host.tsc - fact->ended_tsc : 0;
    return mono_ns - r->ended[i].seen_ns >= r->linger_ns ||
           xm_scale_to_ns(&slot->s.scale, xm_cycles_of(since)).v >= r->linger_ns;
}

static void read_facts(struct xm_host_reader *r, struct xm_host_slot *slot, uint64_t mono_ns)
{
    const struct xm_sample *now = &slot->to[0];
    for (uint32_t i = 0; i < now->used.domains; i++) {
        struct xm_host_domain *d = &slot->domain[i];
        const struct xm_domain_row *row = &now->domain[i];
        *d = (struct xm_host_domain){0};
        if (row->id == 0)
            continue;
        if (xm_region_domain(r->region, i, &d->fact) != XM_REGION_OK || d->fact.id != row->id)
            d->fact = (struct xm_region_domain){0};
        d->expired = row->ended && is_long_ago(r, slot, i, mono_ns);
    }
}

/* All of the newest sample.  XM_AGAIN: the region moved on meanwhile; XM_END: there is none yet. */
static enum xm_status read_data(struct xm_host_reader *r, struct xm_host_slot *slot)
{
    struct xm_host_snapshot *s = &slot->s;
    enum xm_status status = room(slot, s->info.capacity);
    if (status == XM_OK)
        status = reader_room(r, s->info.capacity);
    if (status != XM_OK)
        return status;
    if (r->scale.hz == 0 && !xm_scale_init(&r->scale, s->info.tsc_hz))
        return XM_END;
    s->scale = r->scale;
    s->index = s->info.series[XM_SERIES_FAST].newest;
    if (s->index == UINT64_MAX)
        return XM_END;
    struct xm_sample *now = &slot->to[0];
    if (xm_region_sample(r->region, XM_SERIES_FAST, s->index, now) != XM_REGION_OK)
        return XM_AGAIN;
    copy_rows(&slot->to[XM_HOST_10S], now);
    for (unsigned w = 0; w < XM_HOST_WINDOWS; w++)
        if (!read_window(r, slot, w))
            return XM_AGAIN;
    uint64_t mono_ns = clock_ns(CLOCK_MONOTONIC);
    read_facts(r, slot, mono_ns);
    if (r->index != s->index || r->index_mono_ns == 0) {
        r->index = s->index;
        r->index_mono_ns = mono_ns;
    }
    xm_host_spread_read(&r->spread, r->region, slot, r->index_mono_ns);
    s->domain = slot->domain;
    s->vcpu = slot->vcpu;
    if (s->info.source == XM_SOURCE_LIVE && mono_ns > now->host.mono)
        s->age_ns = mono_ns - now->host.mono;
    uint64_t since_ns = xm_scale_to_ns(&s->scale, xm_cycles_of(now->host.window)).v;
    s->began_real_ns = now->host.real > since_ns ? now->host.real - since_ns : 0;
    s->data = true;
    return XM_OK;
}

/* True: the slot says what there is, or why there is nothing. */
static bool settle(struct xm_host_slot *slot, enum xm_status status)
{
    if (status == XM_OK)
        return true;
    if (status == XM_AGAIN)
        return false;
    if (status == XM_END && (slot->s.state == XM_HOST_RUNNING || slot->s.state == XM_HOST_RESTARTED))
        set_state(slot, XM_HOST_STARTING, "xenbaked has begun, and has no sample yet");
    if (status == XM_NOMEM)
        set_state(slot, XM_HOST_BROKEN, "no memory for a region of %u domains, %u vCPUs and %u pCPUs",
                  (unsigned)slot->s.info.capacity.domains, (unsigned)slot->s.info.capacity.vcpus,
                  (unsigned)slot->s.info.capacity.pcpus);
    return true;
}

bool xm_host_read(struct xm_host_reader *r, struct xm_host_slot *slot)
{
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    struct xm_host_snapshot *s = &slot->s;
    *s = (struct xm_host_snapshot){.since_restart_ns = UINT64_MAX};
    bool good = true;
    if (attach(r, slot) && look(r, slot, start_ns))
        good = settle(slot, read_data(r, slot));
    if (!good)
        return false;
    if (r->restart_mono_ns)
        s->since_restart_ns = start_ns - r->restart_mono_ns;
    s->number = ++r->number;
    s->made_mono_ns = clock_ns(CLOCK_MONOTONIC);
    s->made_real_ns = clock_ns(CLOCK_REALTIME);
    r->reading.updates++;
    r->reading.last_update_ns = s->made_mono_ns - start_ns;
    s->reading = r->reading;
    return true;
}
