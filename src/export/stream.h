/* SPDX-License-Identifier: MIT */
/*
 * The live stream: a snapshot after the other as server-sent events.
 *
 * An event is written once and shared by all clients that ask for the same window.  The newest events are
 * kept, so that who comes back with Last-Event-ID gets those that it missed; a client that is too slow for
 * all of them misses some.
 *
 *     id: RUN-NUMBER        RUN is another one after a restart of the server
 *     event: snapshot       data: what /api/v1/windows answers, on one line
 *     event: state          data: {"schema","time","state","reason"} while there is no data
 *     : heartbeat           where nothing else was sent for ten seconds
 *
 * Threads: all functions may be called by any thread.
 */
#ifndef XM_EXPORT_STREAM_H
#define XM_EXPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/answers.h"
#include "export/host.h"

#define XM_STREAM_KINDS           3u /* "exec", "1s", "10s" */
#define XM_STREAM_INTERVAL_MIN_NS UINT64_C(100000000)
#define XM_STREAM_INTERVAL_MAX_NS (UINT64_C(60) * 1000000000u)

struct xm_stream;

/* The texts are borrowed until destroy.  kept_bytes: of events for those who come back.  NULL: out of memory.
 */
struct xm_stream *xm_stream_create(struct xm_host *host, const char *hostname, const char *version,
                                   size_t kept_bytes);
/* NULL is fine; all clients must have left. */
void xm_stream_destroy(struct xm_stream *stream);

/*
 * There is a new snapshot: writes the events of windows that somebody asked for within the last minute.  For
 * the updater, after each one; where nobody calls it, events are written when the first client asks.
 */
void xm_stream_made(struct xm_stream *stream);

/* The kind of a window; -1: none of those that a stream has. */
int xm_stream_kind(const char *window);

struct xm_stream_client;

/*
 * A client of a window; an event every interval_ns at most (0: each).  last_id: of the event that it has
 * already; NULL or a strange one: it begins with the newest.  NULL: out of memory.
 */
struct xm_stream_client *xm_stream_join(struct xm_stream *stream, int kind, uint64_t interval_ns,
                                        const char *last_id);
void xm_stream_leave(struct xm_stream_client *client); /* NULL is fine */

/* As struct xm_http_stream has it: the next bytes for the client, 0 where there are none now. */
long xm_stream_next(struct xm_stream_client *client, char *buffer, size_t bytes);

#endif
