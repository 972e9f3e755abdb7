/* SPDX-License-Identifier: MIT */
/*
 * Connections: who has one, and how long each may take.
 *
 * libmicrohttpd's own time limit is for connections on which nothing moves.  A client that sends a byte now
 * and then is within it for ever, so each phase has an end of its own here.  The janitor cuts the socket,
 * libmicrohttpd does the rest.
 *
 * Places are few.  Where more than half are taken, who says nothing loses its own soon; where all are, a
 * client that has fewer takes the place of one that has more and waits.  So who holds all that it can keeps
 * nobody out.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "export/http_int.h"
#include "xenmon/units.h"

#define BEAT_NS (XM_NS_PER_S / 2)
/* An answer has a minute, and a second more for every 64 KiB. */
#define ANSWER_NS          (60 * XM_NS_PER_S)
#define ANSWER_BYTES_PER_S 65536u
/* A part of a stream that was handed out. */
#define MOVE_NS (10 * XM_NS_PER_S)
/*
 * Where places are short: how long a connection may say nothing; where there are none, how long it need not
 * fear for its own from who has as many.
 */
#define QUIET_NS (2 * XM_NS_PER_S)
#define YOUNG_NS XM_NS_PER_S
#define GRACE_NS (2 * XM_NS_PER_S) /* for who had to wait until we had made another's answer */
#define CUTS     64u /* in one beat, so that its cost has a bound */

/* ---- Places. */

static const struct sockaddr *address_of(const struct xm_http_connection *c)
{
    return (const struct sockaddr *)&c->address;
}

/* A connection leaves the list before its socket is closed, so this is its socket and no other. */
static void cut(struct xm_http_connection *c)
{
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    c->deadline_ns = 0;
    c->cut = true;
}

/* It has said something that nobody has read yet: who is slow then is this server. */
static bool is_unheard(const struct xm_http_connection *c)
{
    int bytes = 0;
    return c->fd >= 0 && ioctl(c->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Nothing is being made for it or sent to it. */
static bool is_quiet(const struct xm_http_connection *c)
{
    return !c->cut && (c->phase == XM_HTTP_READING || (c->phase == XM_HTTP_WAITING && !is_unheard(c)));
}

/*
 * Whether `a` rather goes than `b`: who has asked nothing yet, then who is between requests; the oldest
 * first.
 */
static bool goes_first(const struct xm_http_connection *a, const struct xm_http_connection *b)
{
    int rank_a = !a->asked ? 0 : a->phase == XM_HTTP_WAITING ? 1 : 2;
    int rank_b = !b->asked ? 0 : b->phase == XM_HTTP_WAITING ? 1 : 2;
    return rank_a != rank_b ? rank_a < rank_b : a->since_ns < b->since_ns;
}

/*
 * Whoever comes gets the place of who has more of them and is quiet: from the address that has most.  False:
 * nobody is.
 */
static bool make_room(struct xm_http *http, const struct sockaddr *address, uint64_t now_ns)
{
    enum xm_limits_origin origin = xm_limits_origin(address);
    unsigned mine = xm_limits_held(http->limits, address) + 1;
    unsigned most = 0;
    struct xm_http_connection *victim = NULL;
    for (struct xm_http_connection *c = http->connections; c; c = c->next) {
        /* Unix sockets, and then this machine's own, have places that others do not get. */
        if (!is_quiet(c) || !c->counted || xm_limits_origin(address_of(c)) < origin)
            continue;
        unsigned held = xm_limits_held(http->limits, address_of(c));
        bool young = now_ns - c->since_ns < YOUNG_NS;
        if (held < mine + young || held < most || (held == most && victim && !goes_first(c, victim)))
            continue;
        most = held;
        victim = c;
    }
    if (victim) {
        cut(victim);
        http->counts.refused_connections++;
    }
    return victim;
}

enum MHD_Result xm_http_admits(void *user, const struct sockaddr *address, socklen_t bytes)
{
    struct xm_http_gate *gate = user;
    struct xm_http *http = gate->http;
    const struct sockaddr *from = bytes ? address : NULL;
    uint64_t now_ns = xm_clock_ns();
    if (xm_http_is_pulse(address, bytes))
        return MHD_YES;
    enum xm_limits_verdict verdict = xm_limits_admits(http->limits, from, now_ns);
    pthread_mutex_lock(&http->lock);
    bool admitted = !http->draining && (verdict == XM_LIMITS_YES ||
                                        (verdict == XM_LIMITS_FULL && make_room(http, from, now_ns)));
    http->counts.refused_connections += !admitted;
    pthread_mutex_unlock(&http->lock);
    return admitted ? MHD_YES : MHD_NO;
}

/* ---- Begin and end. */

static void copy_address(struct xm_http_connection *c, const struct sockaddr *address)
{
    size_t bytes = 0;
    if (address && address->sa_family == AF_INET)
        bytes = sizeof(struct sockaddr_in);
    else if (address && address->sa_family == AF_INET6)
        bytes = sizeof(struct sockaddr_in6);
    c->address.ss_family = AF_UNIX;
    if (bytes)
        memcpy(&c->address, address, bytes);
}

static void begin(struct xm_http_gate *gate, struct MHD_Connection *mhd, void **context)
{
    struct xm_http *http = gate->http;
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *context = NULL;
    if (address && xm_http_is_pulse(address->client_addr, sizeof(struct sockaddr_storage))) {
        xm_http_take_pulse(gate, address->client_addr);
        return;
    }
    struct xm_http_connection *c = calloc(1, sizeof *c);
    *context = c;
    if (!c) /* its requests are refused */
        return;
    c->http = http;
    c->listener = &gate->listener;
    c->mhd = mhd;
    c->thread = pthread_self();
    c->fd = fd ? fd->connect_fd : -1;
    copy_address(c, address ? address->client_addr : NULL);
    c->counted = xm_limits_open(http->limits, (const struct sockaddr *)&c->address);
    c->since_ns = xm_clock_ns();
    c->deadline_ns = c->since_ns + http->config.limits.request_s * XM_NS_PER_S;
    pthread_mutex_lock(&http->lock);
    c->next = http->connections;
    if (c->next)
        c->next->previous = c;
    http->connections = c;
    http->counts.connections++;
    pthread_cond_signal(&http->changed);
    pthread_mutex_unlock(&http->lock);
}

static void end(struct xm_http_connection *c)
{
    struct xm_http *http = c->http;
    pthread_mutex_lock(&http->lock);
    if (c->previous)
        c->previous->next = c->next;
    else
        http->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    http->counts.connections--;
    pthread_cond_signal(&http->changed);
    pthread_mutex_unlock(&http->lock);
    if (c->counted)
        xm_limits_close(http->limits, (const struct sockaddr *)&c->address);
    free(c);
}

void xm_http_connection_notice(void *user, struct MHD_Connection *mhd, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        begin(user, mhd, context);
    else if (*context) {
        end(*context);
        *context = NULL;
    }
}

void xm_http_set_phase(struct xm_http_connection *c, enum xm_http_phase phase, uint64_t bytes)
{
    const struct xm_http_limits *limits = &c->http->config.limits;
    uint64_t now_ns = xm_clock_ns();
    pthread_mutex_lock(&c->http->lock);
    c->phase = phase;
    c->since_ns = now_ns;
    c->asked |= phase == XM_HTTP_READING;
    if (phase == XM_HTTP_WAITING) /* the next request may be as long in coming as a connection may be quiet */
        c->deadline_ns = now_ns + limits->timeout_s * XM_NS_PER_S;
    else if (phase == XM_HTTP_READING)
        c->deadline_ns = now_ns + limits->request_s * XM_NS_PER_S;
    else if (phase == XM_HTTP_ANSWERING)
        c->deadline_ns = now_ns + ANSWER_NS + bytes / ANSWER_BYTES_PER_S * XM_NS_PER_S;
    else if (phase == XM_HTTP_STREAMING)
        c->deadline_ns = now_ns + MOVE_NS; /* its head */
    else /* what is ours to do is no fault of the client's */
        c->deadline_ns = 0;
    if (c->cut)
        c->deadline_ns = 0;
    pthread_mutex_unlock(&c->http->lock);
}

void xm_http_set_moving(struct xm_http_connection *c, bool moving)
{
    uint64_t now_ns = moving ? xm_clock_ns() : 0;
    pthread_mutex_lock(&c->http->lock);
    c->deadline_ns = moving && !c->cut ? now_ns + MOVE_NS : 0;
    pthread_mutex_unlock(&c->http->lock);
}

bool xm_http_was_cut(struct xm_http_connection *c)
{
    pthread_mutex_lock(&c->http->lock);
    bool was = c->cut;
    pthread_mutex_unlock(&c->http->lock);
    return was;
}

void xm_http_mind_deafness(const struct xm_http_connection *c)
{
    unsigned timeout_ms = (unsigned)(MOVE_NS / (XM_NS_PER_S / 1000));
    if (xm_limits_origin(address_of(c)) != XM_LIMITS_UNIX && c->fd >= 0)
        setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

/* ---- The janitor. */

/* Threads that are at work: they hear and send nothing meanwhile, and that is no fault of their clients'. */
struct busy {
    pthread_t thread[XM_HTTP_LISTENERS * XM_HTTP_THREADS];
    unsigned count;
};

static bool has_to_wait(const struct busy *busy, const struct xm_http_connection *of)
{
    for (unsigned i = 0; i < busy->count; i++)
        if (pthread_equal(busy->thread[i], of->thread))
            return true;
    return false;
}

/* Once a beat: with many connections, asking all of them about each keeps the lock for long. */
static void find_busy(const struct xm_http *http, struct busy *busy)
{
    busy->count = 0;
    for (const struct xm_http_connection *c = http->connections; c; c = c->next)
        if ((c->phase == XM_HTTP_WORKING || c->phase == XM_HTTP_CHECKING) && !has_to_wait(busy, c) &&
            busy->count < sizeof busy->thread / sizeof busy->thread[0])
            busy->thread[busy->count++] = c->thread;
}

static void cut_slow(struct xm_http *http, const struct busy *busy, uint64_t now_ns)
{
    for (struct xm_http_connection *c = http->connections; c; c = c->next)
        if (c->deadline_ns && now_ns > c->deadline_ns) {
            if (has_to_wait(busy, c))
                c->deadline_ns = now_ns + GRACE_NS;
            else
                cut(c);
        }
}

static bool goes_before(const struct xm_http_connection *a, const struct xm_http_connection *b)
{
    return a->asked != b->asked ? !a->asked : a->since_ns < b->since_ns;
}

/* Puts a connection into those that go, in their order; how many there are then. */
static unsigned insert(struct xm_http_connection *going[CUTS], unsigned count, struct xm_http_connection *c)
{
    if (count == CUTS && !goes_before(c, going[count - 1]))
        return count;
    unsigned at = count < CUTS ? count++ : count - 1;
    for (; at && goes_before(c, going[at - 1]); at--)
        going[at] = going[at - 1];
    going[at] = c;
    return count;
}

static unsigned count_open(const struct xm_http *http)
{
    unsigned open = 0;
    for (const struct xm_http_connection *c = http->connections; c; c = c->next)
        open += !c->cut;
    return open;
}

/*
 * While more than half of the places are taken: all who have said nothing at all go, and of those between
 * requests as many as are over the half; who has been quiet for longest first.
 */
static void cut_quiet(struct xm_http *http, const struct busy *busy, uint64_t now_ns)
{
    struct xm_http_connection *going[CUTS];
    unsigned count = 0;
    unsigned open = count_open(http);
    unsigned half = http->config.limits.connections / 2;
    if (open <= half)
        return;
    for (struct xm_http_connection *c = http->connections; c; c = c->next)
        if (!c->cut && c->phase == XM_HTTP_WAITING && now_ns > c->since_ns + QUIET_NS && !has_to_wait(busy, c) &&
            !is_unheard(c))
            count = insert(going, count, c);
    for (unsigned i = 0; i < count && (!going[i]->asked || open > half); i++, open--) {
        cut(going[i]);
        http->counts.refused_connections++;
    }
}

static void resume_all(struct xm_http *http)
{
    for (struct xm_http_connection *c = http->connections; c; c = c->next)
        if (c->suspended) {
            c->suspended = false;
            MHD_resume_connection(c->mhd);
        }
}

void xm_http_wake(struct xm_http *http)
{
    pthread_mutex_lock(&http->lock);
    resume_all(http);
    pthread_mutex_unlock(&http->lock);
}

void *xm_http_janitor(void *user)
{
    struct xm_http *http = user;
    pthread_mutex_lock(&http->lock);
    while (!http->stop) {
        if (!http->connections) { /* nobody there: no need to wake up */
            pthread_cond_wait(&http->changed, &http->lock);
            continue;
        }
        struct timespec due;
        uint64_t due_ns = xm_clock_ns() + BEAT_NS;
        due.tv_sec = (time_t)(due_ns / XM_NS_PER_S);
        due.tv_nsec = (long)(due_ns % XM_NS_PER_S);
        while (!http->stop && xm_clock_ns() < due_ns)
            pthread_cond_timedwait(&http->changed, &http->lock, &due);
        struct busy busy;
        find_busy(http, &busy);
        cut_slow(http, &busy, xm_clock_ns());
        cut_quiet(http, &busy, xm_clock_ns());
        resume_all(http);
    }
    /* libmicrohttpd ends no connection that is suspended. */
    resume_all(http);
    pthread_mutex_unlock(&http->lock);
    return NULL;
}
