/* SPDX-License-Identifier: MIT */
/* How people name a domain, the same in commands and over the network. */
#ifndef XM_CALLED_H
#define XM_CALLED_H

#include <stdint.h>

/* What of a domain a text is: the later, the surer, as anybody may be given any name. */
enum xm_called {
    XM_CALLED_NOT, /* nothing of it */
    XM_CALLED_NAME,
    XM_CALLED_UUID, /* letters in any case */
    XM_CALLED_ID
};

/* Whether `text` is all of that domain's number, name or UUID.  name, uuid: "" where not known, and then no
 * text is that.  Pure; O(length). */
enum xm_called xm_called(const char *text, uint32_t domid, const char *name, const char *uuid);

#endif
