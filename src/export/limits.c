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

struct place {
    uint8_t key[16];
    bool used;
    unsigned connections, streams;
    int64_t milli; /* requests it may do at once, in thousandths; below 0: it did more than it may */
    uint64_t seen_ns;
};

struct xm_limits {
    struct xm_limits_config config;
    pthread_mutex_t lock;
    unsigned connections;
    unsigned remote; /* of them, those that no Unix socket has */
    uint64_t seed;   /* so that nobody can choose addresses that share a set */
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
                     : p->connections == 0 && (!best || (best->used && p->seen_ns < best->seen_ns)))
            best = p;
    }
    if (!best)
        return NULL;
    *best = (struct place){.used = true, .milli = (int64_t)limits->config.burst * MILLI};
    memcpy(best->key, key, sizeof key);
    return best;
}

static bool is_remote(const struct sockaddr *address)
{
    return address && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

/* Some places are kept for Unix sockets: a crowd of addresses must not shut out who works on this machine. */
static bool has_room(const struct xm_limits *limits, const struct sockaddr *address)
{
    unsigned most = limits->config.connections;
    return limits->connections < most &&
           (!is_remote(address) || limits->remote < most - most / XM_LIMITS_KEPT);
}

bool xm_limits_admits(struct xm_limits *limits, const struct sockaddr *address)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = has_room(limits, address) ? place_of(limits, address) : NULL;
    bool admitted = p && p->connections < limits->config.per_address;
    pthread_mutex_unlock(&limits->lock);
    return admitted;
}

bool xm_limits_open(struct xm_limits *limits, const struct sockaddr *address)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    if (p) {
        p->connections++;
        limits->connections++;
        limits->remote += is_remote(address);
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
        limits->connections--;
        limits->remote -= is_remote(address);
    }
    pthread_mutex_unlock(&limits->lock);
}

bool xm_limits_open_stream(struct xm_limits *limits, const struct sockaddr *address, unsigned most)
{
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    bool good = p && (!is_remote(address) || p->streams < most);
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

static void refill(const struct xm_limits_config *c, struct place *p, uint64_t now_ns)
{
    int64_t most = (int64_t)c->burst * MILLI;
    uint64_t passed_ns = p->seen_ns && now_ns > p->seen_ns ? now_ns - p->seen_ns : 0;
    uint64_t ns_per_milli = XM_NS_PER_S / MILLI / c->requests_per_second;
    if (ns_per_milli == 0)
        ns_per_milli = 1;
    uint64_t gained = passed_ns / ns_per_milli;
    if (p->seen_ns == 0 || gained >= (uint64_t)(most - p->milli)) {
        p->milli = p->seen_ns == 0 ? p->milli : most;
        p->seen_ns = now_ns;
        return;
    }
    p->milli += (int64_t)gained;
    p->seen_ns += gained * ns_per_milli; /* the rest counts the next time */
}

static bool take(struct xm_limits *limits, const struct sockaddr *address, unsigned cost, uint64_t now_ns,
                 bool force, unsigned *wait_s)
{
    const struct xm_limits_config *c = &limits->config;
    int64_t wanted = (int64_t)cost * MILLI;
    *wait_s = 1;
    if (c->requests_per_second == 0)
        return true;
    pthread_mutex_lock(&limits->lock);
    struct place *p = place_of(limits, address);
    bool good = false;
    if (p) {
        refill(c, p, now_ns);
        good = p->milli >= wanted;
        if (good || force)
            p->milli -= wanted;
        int64_t floor = -(int64_t)c->burst * MILLI; /* not longer than it took to fill */
        if (p->milli < floor)
            p->milli = floor;
        if (!good)
            *wait_s = (unsigned)((wanted - p->milli) / MILLI / c->requests_per_second) + 1;
    }
    pthread_mutex_unlock(&limits->lock);
    return good;
}

bool xm_limits_take(struct xm_limits *limits, const struct sockaddr *address, unsigned cost, uint64_t now_ns,
                    unsigned *wait_s)
{
    return take(limits, address, cost, now_ns, false, wait_s);
}

void xm_limits_charge(struct xm_limits *limits, const struct sockaddr *address, unsigned cost,
                      uint64_t now_ns)
{
    unsigned wait_s;
    (void)take(limits, address, cost, now_ns, true, &wait_s);
}

unsigned xm_limits_connections(struct xm_limits *limits)
{
    pthread_mutex_lock(&limits->lock);
    unsigned n = limits->connections;
    pthread_mutex_unlock(&limits->lock);
    return n;
}
