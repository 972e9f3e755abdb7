/* SPDX-License-Identifier: MIT */
/*
 * The live front end's two loops: the screen of a terminal, and frames of plain text.
 */
#ifndef XM_LIVE_H
#define XM_LIVE_H

#include <stdio.h>

#include "front/screen/choice.h"
#include "front/terminal/terminal.h"
#include "xenmon/status.h"

/*
 * Keeps the settings of a choice, and says in choice->said what came of it.  Called where choice->save was
 * set, which is cleared then.
 */
struct xm_live_keep {
    void (*keep)(void *user, struct xm_choice *choice);
    void *user;
};

/*
 * Shows the region at `path` until the person, or a signal, says it is enough.  A region that is not there,
 * goes, or comes again is no error: the screen says so and waits.  choice: to begin with, changed by keys.
 * keep: NULL where settings cannot be kept.  XM_OK; XM_NOMEM.
 */
enum xm_status xm_live_screen(struct xm_terminal *terminal, const char *path, struct xm_choice *choice,
                              const struct xm_live_keep *keep) XM_MUST_CHECK;

/* How frames of text are printed. */
struct xm_live_frames {
    unsigned count;
    unsigned width;       /* columns */
    uint64_t patience_ns; /* how long to wait for a first sample */
    bool own; /* nobody but a xenbaked of our own writes the region: once it is gone nothing comes */
};

/*
 * Writes frames to `out`, choice->interval_ns apart, each as high as it needs to be, with an empty line
 * between.  The first waits until there is a second of data, for `patience_ns` at most.
 * XM_OK; XM_AGAIN: there was no data in all that time, `err` says why, nothing was written; XM_IO: `out`
 * failed; XM_NOMEM.
 */
enum xm_status xm_live_print(const char *path, struct xm_choice *choice, const struct xm_live_frames *frames,
                             FILE *out, struct xm_error *err) XM_MUST_CHECK;

#endif
