/* SPDX-License-Identifier: MIT */
/*
 * The loop's body: bytes -> stream -> account -> samples.
 *
 * trace and account do not know each other; here one's events are handed to the other, capacities grow when
 * they must, and the time at which a sample is due is watched.  No I/O, no clock: the caller brings bytes
 * and says what to do with a sample.
 */
#ifndef XM_BAKE_H
#define XM_BAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account/account.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/trace.h"
#include "xenmon/units.h"

struct xm_bake;

struct xm_bake_config {
    struct xm_stream_config stream;
    struct xm_capacity capacity; /* to begin with; zeros: 32 domains, 100 vCPUs, 8 pCPUs */
    struct xm_capacity limit;    /* growth ends here, newcomers are then refused and counted; zeros: 8192, 16384, 4096 */
    uint64_t interval_ns;        /* between samples; 0: none are due before the end */
    uint64_t hz;                 /* rate to use; 0: the trace's own, as soon as it shows one */

    /*
     * A sample is due at trace time `now`: every event up to it is in the account.  XM_OK goes on; anything else
     * stops xm_bake_run, which returns it; it is called again for the same sample when the run goes on
     * (that is how a replay waits for real time: XM_AGAIN).
     */
    enum xm_status (*due)(void *user, struct xm_bake *bake, xm_cycles now);
    /* The account has grown: samples need at least this capacity from now on.  May be NULL. */
    enum xm_status (*grown)(void *user, struct xm_bake *bake, struct xm_capacity capacity);
    void *user;
};

/* config is copied.  NULL when out of memory or out of range. */
struct xm_bake *xm_bake_create(const struct xm_bake_config *config);
void xm_bake_destroy(struct xm_bake *bake);

/*
 * Takes bytes and runs what can be run.  *used may be less than size, also 0 after XM_AGAIN from `due`: call again
 * with the rest.  XM_OK; what `due` or `grown` returned; XM_DAMAGED (reading cannot go on), XM_NOMEM.
 */
enum xm_status xm_bake_run(struct xm_bake *bake, const void *bytes, size_t size, size_t *used) XM_MUST_CHECK;

/*
 * No more bytes.  XM_OK: all is in the account, which is finished, and `due` was called for the last instant;
 * XM_DAMAGED: likewise, but the trace had damage; what `due` returned: call again.
 */
enum xm_status xm_bake_finish(struct xm_bake *bake) XM_MUST_CHECK;

/*
 * The same source begins again (a replay that repeats): the next bytes are its first ones, and their time goes
 * on from here.  A millisecond between the two is a gap on every pCPU: nobody knows what happened at the seam,
 * and no false contradiction is counted.  XM_OK; what `due` returned (call again); XM_DAMAGED where the trace had
 * no record; XM_NOMEM.
 */
enum xm_status xm_bake_again(struct xm_bake *bake) XM_MUST_CHECK;

/*
 * True once the trace has shown that its order was not known well enough when it was read: a CPU appeared late with
 * records, or with a gap, from a time that was thought complete, or a pass over the CPUs held more than max_held events.
 * Reading it again with xm_bake_expect() sets it right.
 */
bool xm_bake_hindsight(const struct xm_bake *bake);

/*
 * Tells a bake that has read nothing yet which CPUs `before` saw, and lets it hold back as much as a pass of Xen can
 * have: 1 GiB where it comes to that.  A stream borrowed before is gone.  XM_OK, XM_NOMEM.
 */
enum xm_status xm_bake_expect(struct xm_bake *bake, const struct xm_bake *before) XM_MUST_CHECK;

/*
 * What a live host says of its domains, in the account as of xm_bake_now(): see xm_account_introduce(), whose tables grow
 * here as they must, and xm_account_gone().  XM_OK, XM_NOMEM; what `grown` returned.
 */
enum xm_status xm_bake_introduce(struct xm_bake *bake, uint32_t domid, uint32_t vcpu, enum xm_runstate state,
                                 xm_cycles told) XM_MUST_CHECK;
void xm_bake_gone(struct xm_bake *bake, uint32_t domid);

/* The reader waited in vain: in prompt order lets time go on.  See xm_stream_pass_end(). */
void xm_bake_pass_end(struct xm_bake *bake);

/*
 * A sample as of `now` with every member of the host row but mono and real filled in.
 * end_interval: as in xm_account_sample().
 */
void xm_bake_sample(struct xm_bake *bake, xm_cycles now, bool end_interval, struct xm_sample *sample);

struct xm_account *xm_bake_account(struct xm_bake *bake);       /* borrowed */
struct xm_stream *xm_bake_stream(struct xm_bake *bake);         /* borrowed until xm_bake_again() */
struct xm_stream_stats xm_bake_stats(const struct xm_bake *bake); /* over all repeats */
xm_cycles xm_bake_start(const struct xm_bake *bake);            /* first TSC; 0: nothing seen yet */
xm_cycles xm_bake_now(const struct xm_bake *bake);              /* up to where events are in the account */
uint32_t xm_bake_io_seen(const struct xm_bake *bake);           /* XM_IO_SEEN_* */

/* The rate in use: config.hz, else the trace's, else 0.  *from: "option", "trace" or "". */
uint64_t xm_bake_hz(struct xm_bake *bake, const char **from);

#endif
