/* SPDX-License-Identifier: MIT */
#include "export/limits.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "xenmon/units.h"

#define SETS  512u
#define WAYS  8u
#define MILLI 1000 /* a request, in the unit of buckets */
/*
 * A new connection, in the same unit: who opens one for each request is told of its rate, and not turned
 * away.
 */
#define OPENED (MILLI / 4)

/* Fills with time, and empties by what is done. */
struct bucket {
    int64_t milli; /* what may be done at once, in thousandths; below 0: more was done than may be */
    uint64_t seen_ns;
};

struct place {
    uint8_t key[16];
    bool used;
    unsigned connections, streams;
    struct bucket requests[XM_LIMITS_KNOWN + 1], opened;
};

struct xm_limits {
    struct xm_limits_config config;
    pthread_mutex_t lock;
    unsigned connections;
    unsigned tcp, foreign; /* of them, those that no Unix socket has; and those from elsewhere */
    uint64_t seed;         /* so that nobody can choose addresses that share a set */
    struct place place[SETS][WAYS];
};

struct xm_limits *xm_limits_create(const struct xm_limits_config *config)
{
    struct xm_limits *limits = calloc(1, sizeof *limits);
    if (!limits)
        return NULL;
    limits->config = *config;
    limits->seed = (uint64_t)(uintptr_t)limits * UINT64_C(0x9e3779b97f4a7c15);
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void xm_limits_destroy(struct xm_limits *limits)
{
    if (!limits)
        return;
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

static void key_of(const struct sockaddr *address, uint8_t key[16])
{
    memset(key, 0, 16);
    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        key[10] = key[11] = 0xff;
        memcpy(key + 12, &v4->sin_addr, 4);
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        memcpy(key, &v6->sin6_addr, mapped ? 16 : 8);
    } else {
        key[15] = 1;
    }
}

enum xm_limits_origin xm_limits_origin(const struct sockaddr *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t key[16];
    if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return XM_LIMITS_UNIX;
    if (address->sa_family == AF_INET6 &&
        IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr))
        return XM_LIMITS_LOOPBACK;
    key_of(address, key);
    bool here = memcmp(key, mapped, sizeof mapped) == 0 && key[12] == 127;
    return here ? XM_LIMITS_LOOPBACK : XM_LIMITS_FOREIGN;
}

void xm_limits_key(const struct sockaddr *address, uint8_t key[XM_LIMITS_KEY])
{
    key_of(address, key);
}

static struct place *set_of(struct xm_limits *limits, const uint8_t key[16])
{
    uint64_t hash = limits->seed;
    for (unsigned i = 0; i < 16; i++)
        hash = (hash ^ key[i]) * UINT64_C(0x100000001b3);
    return limits->place[(hash >> 32) % SETS];
}

static uint64_t last_seen_ns(const struct place *p)
{
    uint64_t last = p->opened.seen_ns;
    for (unsigned i = 0; i <= XM_LIMITS_KNOWN; i++)
        last = p->requests[i].seen_ns > last ? p->requests[i].seen_ns : last;
    return last;
}

/* The place of an address, made where there is none; NULL: all have connections. */
static struct place *place_of(struct xm_limits *limits, const struct sockaddr *address)
{
    uint8_t key[16];
    key_of(address, key);
    struct place *set = set_of(limits, key);
    struct place *best = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        struct place *p = &set[i];
        if (p->used && memcmp(p->key, key, sizeof key) == 0)
            return p;
        if (!p->used ? !best || best->used
                     : p->connections == 0 &&
                           (!best || (best->used && last_seen_ns(p) < last_seen_ns(best))))
            best = p;
    }
    if (!best)
        return NULL;
    struct bucket full = {.milli = (int64_t)limits->config.burst * MILLI};
    *best = (struct place){.used = true, .requests = {full, full}, .opened = full};
    memcpy(best->key, key, sizeof key);
    return best;
}

/* Adds a connection to the counts of its kind, or takes it off. */
static void count(struct xm_limits *limits, const struct sockaddr *address, int step)
{
    enum xm_limits_origin origin = xm_limits_origin(address);
    limits->connections += (unsigned)step;
    limits->tcp += origin != XM_LIMITS_UNIX ? (unsigned)step : 0;
    limits->foreign += origin == XM_LIMITS_FOREIGN ? (unsigned)step : 0;
}

static bool has_room(const struct xm_limits *limits, const struct sockaddr *address)
{
    enum xm_limits_origin origin = xm_limits_origin(address);
    unsigned most = limits->config.connections;
    unsigned kept = most / XM_LIMITS_KEPT;
    return limits->connections < most && (origin == XM_LIMITS_UNIX || limits->tcp < most - kept) &&
           (origin != XM_LIMITS_FOREIGN || limits->foreign < most - 2 * kept);
}

bool xm_limits_open(struct xm_limits *limits, const struct sockaddr *address)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    if (p) {
        p->connections++;
        count(limits, address, 1);
    }
    pthread_mutex_unlock(&limits->lock);
    return p != NULL;
}

void xm_limits_close(struct xm_limits *limits, const struct sockaddr *address)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    if (p && p->connections) {
        p->connections--;
        count(limits, address, -1);
    }
    pthread_mutex_unlock(&limits->lock);
}

unsigned xm_limits_held(struct xm_limits *limits, const struct sockaddr *address)
{
    pthread_mutex_lock(&limits->lock);
    const struct place *p = place_of(limits, address);
    unsigned held = p ? p->connections : 0;
    pthread_mutex_unlock(&limits->lock);
    return held;
}

bool xm_limits_open_stream(struct xm_limits *limits, const struct sockaddr *address, unsigned most)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    bool good = p && (xm_limits_origin(address) == XM_LIMITS_UNIX || p->streams < most);
    if (good)
        p->streams++;
    pthread_mutex_unlock(&limits->lock);
    return good;
}

void xm_limits_close_stream(struct xm_limits *limits, const struct sockaddr *address)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    if (p && p->streams)
        p->streams--;
    pthread_mutex_unlock(&limits->lock);
}

static void refill(const struct xm_limits_config *c, struct bucket *b, uint64_t now_ns)
{
    int64_t most = (int64_t)c->burst * MILLI;
    uint64_t passed_ns = b->seen_ns && now_ns > b->seen_ns ? now_ns - b->seen_ns : 0;
    uint64_t ns_per_milli = XM_NS_PER_S / MILLI / c->requests_per_second;
    if (ns_per_milli == 0)
        ns_per_milli = 1;
    uint64_t gained = passed_ns / ns_per_milli;
    if (b->seen_ns == 0 || gained >= (uint64_t)(most - b->milli)) {
        b->milli = b->seen_ns == 0 ? b->milli : most;
        b->seen_ns = now_ns;
        return;
    }
    b->milli += (int64_t)gained;
    b->seen_ns += gained * ns_per_milli; /* the rest counts the next time */
}

/* Takes from a bucket what is in it, or, by `force`, what is not; whether it was. */
static bool pour(const struct xm_limits_config *c, struct bucket *b, int64_t wanted, uint64_t now_ns,
                 bool force)
{
    int64_t floor = -(int64_t)c->burst * MILLI; /* not longer than it took to fill */
    refill(c, b, now_ns);
    bool good = b->milli >= wanted;
    if (good || force)
        b->milli -= wanted;
    if (b->milli < floor)
        b->milli = floor;
    return good;
}

enum xm_limits_verdict xm_limits_admits(struct xm_limits *limits, const struct sockaddr *address,
                                        uint64_t now_ns)
{
    const struct xm_limits_config *c = &limits->config;
    enum xm_limits_verdict verdict = XM_LIMITS_YES;
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    if (!p) /* nobody's end would make one */
        verdict = XM_LIMITS_MANY;
    else if (c->requests_per_second && !pour(c, &p->opened, OPENED, now_ns, false))
        verdict = XM_LIMITS_FAST;
    else if (p->connections >= c->per_address)
        verdict = XM_LIMITS_MANY;
    else if (!has_room(limits, address))
        verdict = XM_LIMITS_FULL;
    pthread_mutex_unlock(&limits->lock);
    return verdict;
}

static bool take(struct xm_limits *limits, const struct sockaddr *address, enum xm_limits_who who,
                 unsigned cost, uint64_t now_ns, bool force, unsigned *wait_s)
{
    const struct xm_limits_config *c = &limits->config;
    int64_t wanted = (int64_t)cost * MILLI;
    *wait_s = 1;
    if (c->requests_per_second == 0)
        return true;
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    bool good = p && pour(c, &p->requests[who], wanted, now_ns, force);
    if (p && !good)
        *wait_s = (unsigned)((wanted - p->requests[who].milli) / MILLI / c->requests_per_second) + 1;
    pthread_mutex_unlock(&limits->lock);
    return good;
}

bool xm_limits_take(struct xm_limits *limits, const struct sockaddr *address, enum xm_limits_who who,
                    unsigned cost, uint64_t now_ns, unsigned *wait_s)
{
    return take(limits, address, who, cost, now_ns, false, wait_s);
}

void xm_limits_charge(struct xm_limits *limits, const struct sockaddr *address, enum xm_limits_who who,
                      unsigned cost, uint64_t now_ns)
{
    unsigned wait_s;
    (void)take(limits, address, who, cost, now_ns, true, &wait_s);
}

unsigned xm_limits_connections(struct xm_limits *limits)
{
    pthread_mutex_lock(&limits->lock);
    unsigned n = limits->connections;
    pthread_mutex_unlock(&limits->lock);
    return n;
}
