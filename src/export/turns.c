/* SPDX-License-Identifier: MIT */
#include "export/turns.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Ranks: whose is lower goes first.  That of one who was sent away is the number of that event. */
#define RANK_NEW    (UINT64_MAX - 1)
#define RANK_HOLDER UINT64_MAX

struct known {
    uint8_t key[XM_TURNS_KEY];
    uint64_t since; /* 0: a free place */
};

struct xm_turns {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t events;
    bool busy;
    uint8_t holder[XM_TURNS_KEY];
    bool waiting;
    uint64_t waiter, waiter_rank; /* which call waits */
    uint8_t waiter_key[XM_TURNS_KEY];
    uint64_t granted; /* which waiting call has the turn, whether it has woken up yet or not */
    struct known known[XM_TURNS_KNOWN];
};

struct xm_turns *xm_turns_create(void)
{
    struct xm_turns *turns = calloc(1, sizeof *turns);
    if (!turns)
        return NULL;
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->changed, NULL);
    return turns;
}

void xm_turns_destroy(struct xm_turns *turns)
{
    if (!turns)
        return;
    pthread_mutex_destroy(&turns->lock);
    pthread_cond_destroy(&turns->changed);
    free(turns);
}

static struct known *find(struct xm_turns *turns, const uint8_t *key)
{
    for (unsigned i = 0; i < XM_TURNS_KNOWN; i++)
        if (turns->known[i].since && memcmp(turns->known[i].key, key, XM_TURNS_KEY) == 0)
            return &turns->known[i];
    return NULL;
}

static uint64_t rank_of(struct xm_turns *turns, const uint8_t *key)
{
    if (turns->busy && memcmp(turns->holder, key, XM_TURNS_KEY) == 0)
        return RANK_HOLDER;
    const struct known *k = find(turns, key);
    return k ? k->since : RANK_NEW;
}

/* A place for one more: a free one, else any.  Not the oldest: a crowd would push out who is patient. */
static struct known *place(struct xm_turns *turns)
{
    for (unsigned i = 0; i < XM_TURNS_KNOWN; i++)
        if (!turns->known[i].since)
            return &turns->known[i];
    return &turns->known[(turns->events * UINT64_C(0x9e3779b97f4a7c15) >> 32) % XM_TURNS_KNOWN];
}

static bool send_away(struct xm_turns *turns, const uint8_t *key)
{
    turns->events++;
    if (!find(turns, key)) {
        struct known *k = place(turns);
        memcpy(k->key, key, XM_TURNS_KEY);
        k->since = turns->events;
    }
    return false;
}

static void hand_over(struct xm_turns *turns, const uint8_t *key)
{
    struct known *k = find(turns, key);
    if (k)
        k->since = 0;
    turns->busy = true;
    memcpy(turns->holder, key, XM_TURNS_KEY);
}

static bool take(struct xm_turns *turns, const uint8_t *key)
{
    if (!turns->busy) {
        hand_over(turns, key);
        return true;
    }
    uint64_t rank = rank_of(turns, key);
    if (turns->waiting && rank >= turns->waiter_rank)
        return send_away(turns, key);
    uint64_t me = ++turns->events;
    turns->waiting = true;
    turns->waiter = me;
    turns->waiter_rank = rank;
    memcpy(turns->waiter_key, key, XM_TURNS_KEY);
    pthread_cond_broadcast(&turns->changed); /* who waited until now leaves */
    while (turns->granted != me && turns->waiter == me)
        pthread_cond_wait(&turns->changed, &turns->lock);
    return turns->granted == me || send_away(turns, key);
}

bool xm_turns_take(struct xm_turns *turns, const uint8_t key[XM_TURNS_KEY])
{
    pthread_mutex_lock(&turns->lock);
    bool mine = take(turns, key);
    pthread_mutex_unlock(&turns->lock);
    return mine;
}

void xm_turns_give_back(struct xm_turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    turns->busy = false;
    if (turns->waiting) { /* at once: who gives it back may be here again before the other has woken up */
        turns->waiting = false;
        turns->granted = turns->waiter;
        hand_over(turns, turns->waiter_key);
    }
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
}
