/* SPDX-License-Identifier: MIT */
#include "source/xen/names.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/xen/xenstore.h"

#define OPEN_NS UINT64_C(1000000000)
#define CLOSE_NS UINT64_C(500000000)
#define VCPUS 8192u /* no domain can have more */

struct xm_names {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    atomic_bool stop; /* also read within a list of questions, without the lock */

    /* Under the lock. */
    bool busy;      /* the thread has store and work; at first it connects */
    bool ended;     /* the thread has left both for good */
    bool abandoned; /* the thread frees all of this */
    struct xm_error connection; /* why there was none at the start */

    /* Of whom `busy` says. */
    struct xm_xenstore *store;
    struct xm_names_work work;
    size_t room; /* rows; the owner's alone */
};

static void destroy(struct xm_names *n)
{
    xm_xenstore_unload(n->store);
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    free(n->work.row);
    free(n);
}

/* ---- The thread: answers. */

/* A number as xenstore writes it, without a sign or leading zeros, below `limit`. */
static bool read_number(const char *text, unsigned long limit, unsigned *number)
{
    unsigned long value = 0;
    if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && text[1]))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        value = value * 10 + (unsigned long)(*text - '0');
        if (value >= limit)
            return false;
    }
    *number = (unsigned)value;
    return *text == 0;
}

static void set_bit(uint8_t *bits, unsigned at)
{
    bits[at / 8] |= (uint8_t)(1u << at % 8);
}

static void visit_domain(void *user, const char *name)
{
    struct xm_names_work *w = user;
    unsigned domid;
    if (read_number(name, XM_DOMIDS, &domid))
        set_bit(w->domains, domid);
}

static void visit_vcpu(void *user, const char *name)
{
    unsigned vcpu;
    if (read_number(name, VCPUS, &vcpu))
        set_bit(user, vcpu);
}

/* The toolstack writes "/vm/UUID", some append "-1", "-2", ...; what looks otherwise is no UUID. */
static void take_uuid(char uuid[40], const char *value)
{
    static const char form[] = "/vm/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t at = 0;
    for (; form[at]; at++)
        if (form[at] == 'x' ? !isxdigit((unsigned char)value[at]) : value[at] != form[at])
            return;
    if (value[at] == 0 || value[at] == '-')
        memcpy(uuid, value + 4, at - 4);
}

static enum xm_status read_vcpus(struct xm_names *n, struct xm_names_row *row)
{
    uint8_t there[VCPUS / 8] = {0};
    char path[64], value[16];
    snprintf(path, sizeof path, "/local/domain/%u/cpu", (unsigned)row->domid);
    enum xm_status status = xm_xenstore_list(n->store, path, visit_vcpu, there);
    for (unsigned i = 0; i < VCPUS && status == XM_OK && !atomic_load(&n->stop); i++) {
        if (!(there[i / 8] & 1u << i % 8))
            continue;
        snprintf(path, sizeof path, "/local/domain/%u/cpu/%u/availability", (unsigned)row->domid, i);
        status = xm_xenstore_read(n->store, path, value, sizeof value);
        row->vcpus++;
        row->online += status == XM_OK && strcmp(value, "online") == 0;
        status = status == XM_END ? XM_OK : status;
    }
    return status == XM_END ? XM_OK : status;
}

/* XM_OK: answered; XM_AGAIN: not, go on; XM_IO: the connection is gone. */
static enum xm_status answer_row(struct xm_names *n, struct xm_names_row *row)
{
    char path[64], value[128];
    snprintf(path, sizeof path, "/local/domain/%u/name", (unsigned)row->domid);
    enum xm_status status = xm_xenstore_read(n->store, path, row->name, sizeof row->name);
    if (status != XM_OK && status != XM_END)
        return status;
    snprintf(path, sizeof path, "/local/domain/%u/vm", (unsigned)row->domid);
    status = xm_xenstore_read(n->store, path, value, sizeof value);
    if (status != XM_OK && status != XM_END)
        return status;
    take_uuid(row->uuid, value);
    return n->work.cpus ? read_vcpus(n, row) : XM_OK;
}

static enum xm_status answer_list(struct xm_names *n)
{
    memset(n->work.domains, 0, sizeof n->work.domains);
    enum xm_status status = xm_xenstore_list(n->store, "/local/domain", visit_domain, &n->work);
    n->work.listed = status == XM_OK || status == XM_END;
    return status;
}

static void answer(struct xm_names *n)
{
    struct xm_names_work *w = &n->work;
    if (xm_xenstore_connect(n->store, NULL) != XM_OK)
        return;
    enum xm_status status = w->list ? answer_list(n) : XM_OK;
    for (size_t i = 0; i < w->count && status != XM_IO && !atomic_load(&n->stop); i++) {
        status = answer_row(n, &w->row[i]);
        w->row[i].answered = status == XM_OK;
    }
    w->reached = status != XM_IO;
}

static void *run(void *user)
{
    struct xm_names *n = user;
    struct xm_error said;
    xm_error_clear(&said);
    n->work.reached = xm_xenstore_connect(n->store, &said) == XM_OK;
    pthread_mutex_lock(&n->lock);
    n->connection = said;
    n->busy = false;
    pthread_cond_broadcast(&n->changed);
    while (!atomic_load(&n->stop)) {
        if (!n->busy) {
            pthread_cond_wait(&n->changed, &n->lock);
            continue;
        }
        pthread_mutex_unlock(&n->lock);
        answer(n);
        pthread_mutex_lock(&n->lock);
        n->busy = false;
    }
    n->ended = true;
    bool mine = n->abandoned;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    if (mine)
        destroy(n);
    return NULL;
}

/* ---- Its owner. */

/* Waits until *flag is `wanted`, with the lock held.  False: it was not in time. */
static bool wait_for(struct xm_names *n, const bool *flag, bool wanted, uint64_t limit_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + limit_ns;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    while (*flag != wanted)
        if (pthread_cond_timedwait(&n->changed, &n->lock, &until) == ETIMEDOUT)
            return *flag == wanted;
    return true;
}

static void init_locks(struct xm_names *n)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* a host's clock may be set at any time */
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Signals are for the thread that waits for them.  0 or an error number. */
static int start_thread(struct xm_names *n)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&n->thread, NULL, run, n);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

enum xm_status xm_names_open(const char *const *libraries, struct xm_names **names, struct xm_error *said)
{
    *names = NULL;
    struct xm_names *n = calloc(1, sizeof *n);
    if (!n)
        return xm_fail(said, XM_NOMEM, XM_NO_OFFSET, "no memory for names of domains");
    enum xm_status status = xm_xenstore_load(libraries, &n->store, said);
    if (status != XM_OK) {
        free(n);
        return status;
    }
    init_locks(n);
    n->busy = true;
    int error = start_thread(n);
    if (error) {
        destroy(n);
        return xm_fail(said, XM_IO, XM_NO_OFFSET, "xenstore cannot be read: no thread for it: %s",
                       strerror(error));
    }
    pthread_mutex_lock(&n->lock);
    bool heard = wait_for(n, &n->busy, false, OPEN_NS);
    if (!heard || n->connection.status != XM_OK)
        (void)xm_fail(said, XM_IO, XM_NO_OFFSET, "%s",
                      heard ? n->connection.text : "xenstore cannot be read: xenstored does not answer");
    pthread_mutex_unlock(&n->lock);
    *names = n;
    return XM_OK;
}

void xm_names_close(struct xm_names *n)
{
    if (!n)
        return;
    pthread_t thread = n->thread;
    pthread_mutex_lock(&n->lock);
    atomic_store(&n->stop, true);
    pthread_cond_broadcast(&n->changed);
    bool ended = wait_for(n, &n->ended, true, CLOSE_NS);
    n->abandoned = !ended;
    if (!ended)
        pthread_detach(thread); /* under the lock: it cannot have gone */
    pthread_mutex_unlock(&n->lock);
    if (!ended)
        return;
    pthread_join(thread, NULL);
    destroy(n);
}

struct xm_names_work *xm_names_work(struct xm_names *n)
{
    pthread_mutex_lock(&n->lock);
    bool busy = n->busy;
    pthread_mutex_unlock(&n->lock);
    return busy ? NULL : &n->work;
}

enum xm_status xm_names_room(struct xm_names *n, size_t rows)
{
    if (rows <= n->room)
        return XM_OK;
    size_t room = rows + rows / 2;
    struct xm_names_row *grown = realloc(n->work.row, room * sizeof *grown);
    if (!grown)
        return XM_NOMEM;
    n->work.row = grown;
    n->room = room;
    return XM_OK;
}

void xm_names_ask(struct xm_names *n)
{
    n->work.reached = n->work.listed = false;
    for (size_t i = 0; i < n->work.count; i++)
        n->work.row[i] = (struct xm_names_row){.domid = n->work.row[i].domid};
    pthread_mutex_lock(&n->lock);
    n->busy = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}
