/* SPDX-License-Identifier: MIT */
/* Which domain a text of the API names, as the commands do (view/called.h): whoever has that name now, else
 * who had it last. */
#ifndef XM_EXPORT_CALLED_H
#define XM_EXPORT_CALLED_H

#include <stdbool.h>
#include <stdint.h>

#include "export/host.h"
#include "xenmon/status.h"

/*
 * The domain with that name or UUID in a snapshot (without data: none): one that lives before one that has
 * ended and is still shown, that before one that is not, a UUID before a name, the youngest of several.  False: there is none, *domid is
 * left alone.  O(domains).
 */
bool xm_called_now(const struct xm_host_snapshot *snapshot, const char *text, uint32_t *domid);

/*
 * The one that had it last in the durable history.  XM_OK; XM_END: nobody had; XM_LIMIT: there is too much
 * to be read in four seconds, the most that it takes; XM_AGAIN: it cannot be read; err says why; XM_NOMEM.
 * Cost: reads runs and domains of the database; one that another process has locked is waited for, for five
 * seconds.
 */
enum xm_status xm_called_before(const char *directory, const char *text, uint32_t *domid,
                                struct xm_error *err) XM_MUST_CHECK;

#endif
