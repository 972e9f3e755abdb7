/* SPDX-License-Identifier: MIT */
#include "export/places.h"

#include <string.h>

#define NOBODY XM_PLACES_KNOWN

/* Who did not come again is forgotten. */
static void forget_old(struct xm_places *places, uint64_t now_ns)
{
    for (unsigned i = 0; i < XM_PLACES_KNOWN; i++)
        if (places->known[i].since && now_ns > places->known[i].asked_ns + XM_PLACES_WAIT_NS)
            places->known[i].since = 0;
}

static unsigned find(const struct xm_places *places, const uint8_t *key)
{
    unsigned i = 0;
    while (i < XM_PLACES_KNOWN &&
           !(places->known[i].since && memcmp(places->known[i].key, key, XM_PLACES_KEY) == 0))
        i++;
    return i;
}

/* How many were sent away before that event. */
static unsigned count_before(const struct xm_places *places, uint64_t since)
{
    unsigned count = 0;
    for (unsigned i = 0; i < XM_PLACES_KNOWN; i++)
        count += places->known[i].since && places->known[i].since < since;
    return count;
}

/* Where there is no room, one is forgotten by chance: the oldest would be who is patient. */
static void send_away(struct xm_places *places, unsigned at, const uint8_t *key, uint64_t now_ns)
{
    places->events++;
    if (at == NOBODY) {
        for (at = 0; at < XM_PLACES_KNOWN && places->known[at].since; at++)
            ;
        if (at == XM_PLACES_KNOWN)
            at = (places->events * UINT64_C(0x9e3779b97f4a7c15) >> 32) % XM_PLACES_KNOWN;
        memcpy(places->known[at].key, key, XM_PLACES_KEY);
        places->known[at].since = places->events;
    }
    places->known[at].asked_ns = now_ns;
}

bool xm_places_take(struct xm_places *places, unsigned most, const uint8_t key[XM_PLACES_KEY],
                    uint64_t now_ns)
{
    forget_old(places, now_ns);
    unsigned at = find(places, key);
    uint64_t since = at == NOBODY ? UINT64_MAX : places->known[at].since;
    if (places->taken >= most || count_before(places, since) >= most - places->taken) {
        send_away(places, at, key, now_ns);
        return false;
    }
    if (at != NOBODY)
        places->known[at].since = 0;
    places->taken++;
    return true;
}

void xm_places_give_back(struct xm_places *places)
{
    places->taken--;
}
