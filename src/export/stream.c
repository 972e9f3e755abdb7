/* SPDX-License-Identifier: MIT */
#include "export/stream.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "export/query.h"

#define KEPT         64u /* events of one kind */
#define HEARTBEAT_NS (UINT64_C(10) * 1000000000u)
#define WANTED_NS    (UINT64_C(60) * 1000000000u)

/* An event as it goes out; its bytes follow. */
struct event {
    unsigned holders; /* under the stream's lock */
    uint64_t number;  /* of the snapshot */
    uint64_t made_mono_ns;
    size_t bytes;
    char text[];
};

struct kind {
    struct event *kept[KEPT]; /* [n % KEPT], the n-th of `count`: NULL where it was dropped */
    uint64_t count;
    uint64_t wanted_ns; /* when somebody last asked */
};

struct xm_stream {
    struct xm_host *host;
    const char *hostname, *version;
    size_t kept_bytes, bytes;
    uint64_t run; /* what ids of this server begin with */
    pthread_mutex_t lock;
    struct kind kind[XM_STREAM_KINDS];
};

struct xm_stream_client {
    struct xm_stream *stream;
    int kind;
    uint64_t interval_ns;
    uint64_t last_number, last_made_ns; /* of the last event sent; 0: none yet */
    uint64_t quiet_since_ns;
    struct event *event; /* being sent; NULL: none */
    size_t sent;         /* bytes of it */
    bool greeted;
};

static const char *const kinds[XM_STREAM_KINDS] = {"exec", "1s", "10s"};

struct xm_stream *xm_stream_create(struct xm_host *host, const char *hostname, const char *version,
                                   size_t kept_bytes)
{
    struct timespec now;
    struct xm_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    stream->host = host;
    stream->hostname = hostname;
    stream->version = version;
    stream->kept_bytes = kept_bytes;
    stream->run = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    if (pthread_mutex_init(&stream->lock, NULL) != 0) {
        free(stream);
        return NULL;
    }
    return stream;
}

/* ---- Events.  All of this under the lock. */

static void let_go(struct event *event)
{
    if (event && --event->holders == 0)
        free(event);
}

static void drop(struct xm_stream *stream, struct event **kept)
{
    if (!*kept)
        return;
    stream->bytes -= (*kept)->bytes;
    let_go(*kept);
    *kept = NULL;
}

/* The oldest events go, of whatever kind, until there is room; the newest of each kind stays. */
static void make_room(struct xm_stream *stream)
{
    while (stream->bytes > stream->kept_bytes) {
        struct event **oldest = NULL;
        for (size_t k = 0; k < XM_STREAM_KINDS; k++) {
            struct kind *kind = &stream->kind[k];
            for (size_t i = 0; i < KEPT; i++) {
                struct event **at = &kind->kept[i];
                bool newest = kind->count && i == (kind->count - 1) % KEPT;
                if (*at && !newest && (!oldest || (*at)->number < (*oldest)->number))
                    oldest = at;
            }
        }
        if (!oldest)
            return;
        drop(stream, oldest);
    }
}

static json_t *document_of(const struct xm_stream *stream, const struct xm_host_snapshot *s, size_t kind)
{
    struct xm_refusal refusal;
    struct xm_ask ask = {.snapshot = s, .path = "", .hostname = stream->hostname, .version = stream->version};
    if (s->data)
        return xm_answer_windows(&ask, kinds[kind], &refusal);
    json_t *document =
        json_pack("{s:s, s:n, s:s}", "schema", "xenmon/1", "time", "state", xm_host_state_name(s->state));
    /* json_pack knows no text that may be missing. */
    if (document &&
        json_object_set_new(document, "reason", *s->reason ? json_string(s->reason) : json_null()) != 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

static struct event *event_of(const struct xm_stream *stream, const struct xm_host_snapshot *s, size_t kind)
{
    char head[96];
    json_t *document = document_of(stream, s, kind);
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    struct event *event = NULL;
    json_decref(document);
    if (text) {
        int n = snprintf(head, sizeof head, "id: %016" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: ", stream->run,
                         s->number, s->data ? "snapshot" : "state");
        size_t before = (size_t)n, length = strlen(text);
        event = malloc(sizeof *event + before + length + 2);
        if (event) {
            *event = (struct event){.holders = 1,
                                    .number = s->number,
                                    .made_mono_ns = s->made_mono_ns,
                                    .bytes = before + length + 2};
            memcpy(event->text, head, before);
            memcpy(event->text + before, text, length);
            memcpy(event->text + before + length, "\n\n", 2);
        }
    }
    free(text);
    return event;
}

static struct event *newest_of(struct kind *kind)
{
    return kind->count ? kind->kept[(kind->count - 1) % KEPT] : NULL;
}

/* Writes the snapshot's event unless it is there.  Out of memory: there is none this time. */
static void keep_event(struct xm_stream *stream, const struct xm_host_snapshot *s, size_t kind)
{
    struct kind *k = &stream->kind[kind];
    struct event *newest = newest_of(k);
    if (newest && newest->number >= s->number)
        return;
    struct event *event = event_of(stream, s, kind);
    if (!event)
        return;
    struct event **at = &k->kept[k->count % KEPT];
    drop(stream, at);
    *at = event;
    k->count++;
    stream->bytes += event->bytes;
    make_room(stream);
}

void xm_stream_made(struct xm_stream *stream)
{
    const struct xm_host_snapshot *s = xm_host_take(stream->host);
    pthread_mutex_lock(&stream->lock);
    uint64_t now = xm_clock_ns();
    for (size_t k = 0; k < XM_STREAM_KINDS; k++)
        if (stream->kind[k].wanted_ns && now - stream->kind[k].wanted_ns < WANTED_NS)
            keep_event(stream, s, k);
    pthread_mutex_unlock(&stream->lock);
    xm_host_give_back(stream->host, s);
}

void xm_stream_destroy(struct xm_stream *stream)
{
    if (!stream)
        return;
    for (size_t k = 0; k < XM_STREAM_KINDS; k++)
        for (size_t i = 0; i < KEPT; i++)
            drop(stream, &stream->kind[k].kept[i]);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* ---- Clients. */

int xm_stream_kind(const char *window)
{
    for (size_t k = 0; k < XM_STREAM_KINDS; k++)
        if (strcmp(window, kinds[k]) == 0)
            return (int)k;
    return -1;
}

/* The number in an id of this server; 0: it is none. */
static uint64_t number_after(const struct xm_stream *stream, const char *id)
{
    char run[20];
    uint64_t number = 0;
    size_t length = (size_t)snprintf(run, sizeof run, "%016" PRIx64 "-", stream->run);
    if (strncmp(id, run, length) == 0)
        (void)xm_query_count(id + length, UINT64_MAX, &number);
    return number;
}

struct xm_stream_client *xm_stream_join(struct xm_stream *stream, int kind, uint64_t interval_ns,
                                        const char *last_id)
{
    struct xm_stream_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->stream = stream;
    client->kind = kind;
    client->interval_ns = interval_ns;
    client->quiet_since_ns = xm_clock_ns();
    if (last_id)
        client->last_number = number_after(stream, last_id);
    return client;
}

void xm_stream_leave(struct xm_stream_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->stream->lock);
    let_go(client->event);
    pthread_mutex_unlock(&client->stream->lock);
    free(client);
}

/*
 * The event after the one that the client has: the oldest that is newer and due; a client that is new, and
 * one from the future, gets the newest.  Under the lock.
 */
static struct event *next_event(const struct xm_stream_client *client)
{
    struct kind *kind = &client->stream->kind[client->kind];
    struct event *newest = newest_of(kind);
    if (!newest || !client->last_number || client->last_number > newest->number)
        return newest && newest->number != client->last_number ? newest : NULL;
    uint64_t first = kind->count > KEPT ? kind->count - KEPT : 0;
    for (uint64_t n = first; n < kind->count; n++) {
        struct event *event = kind->kept[n % KEPT];
        /* Snapshots are not made to the microsecond: one that is nearly due is due. */
        if (event && event->number > client->last_number &&
            event->made_mono_ns + client->interval_ns / 20 >= client->last_made_ns + client->interval_ns)
            return event;
    }
    return NULL;
}

static void take_event(struct xm_stream_client *client)
{
    struct xm_stream *stream = client->stream;
    struct kind *kind = &stream->kind[client->kind];
    const struct xm_host_snapshot *s = xm_host_take(stream->host);
    pthread_mutex_lock(&stream->lock);
    kind->wanted_ns = xm_clock_ns();
    keep_event(stream, s, (size_t)client->kind);
    client->event = next_event(client);
    if (client->event) {
        client->event->holders++;
        client->last_number = client->event->number;
        client->last_made_ns = client->event->made_mono_ns;
    }
    client->sent = 0;
    pthread_mutex_unlock(&stream->lock);
    xm_host_give_back(stream->host, s);
}

static long say(struct xm_stream_client *client, const char *text, size_t length, char *buffer, size_t bytes)
{
    if (length > bytes)
        return 0;
    memcpy(buffer, text, length);
    client->quiet_since_ns = xm_clock_ns();
    return (long)length;
}

long xm_stream_next(struct xm_stream_client *client, char *buffer, size_t bytes)
{
    static const char greeting[] = "retry: 2000\n: xenmon\n\n";
    static const char heartbeat[] = ": heartbeat\n\n";
    if (!client->greeted) {
        client->greeted = true;
        return say(client, greeting, sizeof greeting - 1, buffer, bytes);
    }
    if (!client->event)
        take_event(client);
    if (!client->event)
        return xm_clock_ns() - client->quiet_since_ns < HEARTBEAT_NS
                   ? 0
                   : say(client, heartbeat, sizeof heartbeat - 1, buffer, bytes);
    size_t left = client->event->bytes - client->sent;
    size_t now = left < bytes ? left : bytes;
    memcpy(buffer, client->event->text + client->sent, now);
    client->sent += now;
    if (now == left) {
        pthread_mutex_lock(&client->stream->lock);
        let_go(client->event);
        client->event = NULL;
        pthread_mutex_unlock(&client->stream->lock);
        client->quiet_since_ns = xm_clock_ns();
    }
    return (long)now;
}
