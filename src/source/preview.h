/* SPDX-License-Identifier: MIT */
/* What a pass through a whole file reveals before it is played. */
#ifndef XM_PREVIEW_H
#define XM_PREVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "source/bake.h"
#include "source/source.h"
#include "xenmon/status.h"

/*
 * Reads the source to its end and rewinds it.  stop (may be NULL) is asked after every 64 KiB whether to give up.
 * XM_OK: preview->hz is 0 where the trace does not show its rate, preview->records where it is no trace; XM_AGAIN: given
 * up; XM_IO, XM_NOMEM.  Damage is no error here: what came before it counts, and playing it will say so.
 */
struct xm_preview {
    uint64_t hz;
    uint64_t records;
    struct xm_error damage;    /* the first; status XM_OK: none */
    struct xm_bake *hindsight; /* owned: where the CPUs ought to be known beforehand, a bake that saw them; else NULL */
};
enum xm_status xm_preview(struct xm_source *source, const struct xm_stream_config *stream, bool (*stop)(void *),
                          void *user, struct xm_preview *preview, struct xm_error *err) XM_MUST_CHECK;

#endif
