/* SPDX-License-Identifier: MIT */
/*
 * Who may do next what is dear: one at a time, fair by address.
 *
 * While somebody has the turn, one more waits for it; all others are sent away and may ask again.  Who was
 * sent away goes before who was not, and who was sent away earlier before who was later: such a one takes the
 * waiting place over, and who had it is sent away.  An address that has the turn itself comes after all
 * others.  So whoever asks again and again gets a turn after those that were sent away before, however many
 * ask beside it; but only the last XM_TURNS_KNOWN addresses are known, and where there are more one is
 * forgotten by chance.
 *
 * Threads: any.  At most two threads are held up: one with the turn, one that waits.
 */
#ifndef XM_TURNS_H
#define XM_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#define XM_TURNS_KEY   16u  /* bytes of an address, as xm_limits_key() makes them */
#define XM_TURNS_KNOWN 256u /* addresses that were sent away and got no turn since */

struct xm_turns;

/* NULL when out of memory. */
struct xm_turns *xm_turns_create(void);
/* Nobody may be in it any more; NULL is fine. */
void xm_turns_destroy(struct xm_turns *turns);

/*
 * Asks for the turn.  True: it is the caller's until it gives it back; false: others go first.  May block as
 * long as somebody else has it; never allocates.
 */
bool xm_turns_take(struct xm_turns *turns, const uint8_t key[XM_TURNS_KEY]);
void xm_turns_give_back(struct xm_turns *turns);

#endif
