/* SPDX-License-Identifier: MIT */
/*
 * Who may do what is dear when few may at once: fair by address, and nobody's thread waits.
 *
 * Who finds no place is sent away, and remembered for XM_PLACES_WAIT_NS from the last time that it asked: it
 * goes before those that were sent away later, and before those that were not sent away.  So a place that
 * becomes free is kept for who comes again for it, and clients that ask without a pause take turns with the
 * others.  Who does not come again leaves a place empty for that long at most.  The last XM_PLACES_KNOWN
 * addresses are remembered.
 *
 * Threads: one at a time, the caller sees to that.  Never allocates.
 */
#ifndef XM_PLACES_H
#define XM_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#define XM_PLACES_KEY     16u /* bytes of an address, as xm_limits_key() makes them */
#define XM_PLACES_KNOWN   64u
#define XM_PLACES_WAIT_NS UINT64_C(3000000000) /* it was told to come again in one second */

struct xm_places {
    unsigned taken;
    uint64_t events;
    struct {
        uint8_t key[XM_PLACES_KEY];
        uint64_t since; /* the event at which it was sent away first; 0: nobody is here */
        uint64_t asked_ns;
    } known[XM_PLACES_KNOWN];
}; /* all zero: nobody was here yet */

/*
 * Asks for one of `most` places.  now_ns: CLOCK_MONOTONIC.  True: it has one, until it is given back; false:
 * all are taken, or those that are free are kept for others.
 */
bool xm_places_take(struct xm_places *places, unsigned most, const uint8_t key[XM_PLACES_KEY],
                    uint64_t now_ns);
void xm_places_give_back(struct xm_places *places);

#endif
