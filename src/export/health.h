/* SPDX-License-Identifier: MIT */
/*
 * /healthz and /readyz: whether there is anything to see, for who starts, balances and watches.
 *
 * Both answer {"status":"running","reason":null,...}; the status is a name of enum xm_host_state, so that a
 * dead, a stale, a restarted and an absent xenbaked are told apart.
 *   /healthz  200 while samples come; 503 else
 *   /readyz   200 once they do and a whole second is known; 503 else
 */
#ifndef XM_HEALTH_H
#define XM_HEALTH_H

#include "export/http.h"

#define XM_HEALTH_ROUTES 2u
extern const struct xm_http_route xm_health_routes[XM_HEALTH_ROUTES]; /* user: NULL */

#endif
