/* SPDX-License-Identifier: MIT */
/*
 * The trace buffers of the running hypervisor as a source of bytes: what xentrace would write to a file, window by
 * window, read in place (doc/trace-format.md 1.6, 1.7).
 *
 * A pass looks at every buffer first and takes then what was there; xm_source_pass_ended() says when it is over.
 * Between passes xm_source_next() waits for VIRQ_TBUF (a buffer is half full) or for the time of the next pass, which
 * adapts: as late as `poll_ns`, so early that no buffer should come past half its size.
 *
 * What cannot be known to be complete is said in the stream as Xen says it, with a LOST_RECORDS record (the form
 * without a TSC: from its CPU's last record to its next): indices that make no sense, records that another consumer
 * took, tracing that was off or masked for a while.  What is in the buffers by then is thrown away.
 *
 * There is one stream of records on a host and so one consumer.  Opening refuses while there is another; one that comes
 * later is noticed, named, and what it changed (event mask, tracing itself) is set again.  A mask that let less
 * through is noticed when xm_live_look_after() is called: records from before may be incomplete since the last call.
 * So may they where somebody left CPUs out: Xen does not tell, and the CPU mask is set again in every such call.
 *
 * What tracing was set to before is put back by xm_source_close(), but for two things that Xen does not tell or take
 * back: the CPU mask, which is every CPU afterwards, and the buffers, which stay until the next boot.  VIRQ_TBUF is
 * bound until the hyper is closed.  A note of what was lies at state_path while tracing runs (note.h): whoever starts after
 * a writer that was killed puts back what that one found.
 *
 * Threads: one.  No allocation but in open.
 */
#ifndef XM_LIVE_H
#define XM_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "source/source.h"
#include "source/xen/control.h"
#include "source/xen/hyper.h"
#include "xenmon/status.h"

#define XM_LIVE_EVENTS 0x00169000u         /* runstates, verbose scheduling, grants, domains' creation and end */
#define XM_LIVE_EVENTS_COPIES 0x0036b000u  /* and PV hypercalls, for grant copies */
#define XM_LIVE_EVENTS_MINIMAL 0x00021000u /* runstates alone */
#define XM_LIVE_PAGES 32u
#define XM_LIVE_CPUS 4096u /* CPU ids in a mask */

struct xm_live_config {
    const struct xm_hyper *hyper; /* borrowed until the source is closed */
    struct xm_control *control;   /* borrowed likewise */
    uint32_t pages;               /* of each pCPU's buffer, if none are allocated yet: 1 to 65535 */
    uint32_t events;              /* event mask */
    /*
     * CPU mask as in xm_control_cpus(), borrowed likewise; NULL: every CPU.  With a mask, silence proves nothing: that
     * somebody switched tracing off without touching the event mask is set right every 2 s, but not noticed.
     */
    const uint8_t *cpus;
    uint32_t cpus_bits;           /* at most XM_LIVE_CPUS */
    uint64_t poll_ns;             /* longest time between passes: 1 ms to 60 s */
    bool poll_fixed;              /* always that, whatever the buffers hold */
    const char *state_path;       /* borrowed likewise; NULL: no note is kept */
    const char *proc;             /* where processes are listed: "/proc"; borrowed likewise */

    /* Something a person should know, one line; may be NULL. */
    void (*say)(void *user, bool warning, const char *text);
    void *user;
};

/*
 * Takes over tracing.  XM_DENIED, err in one line: another consumer (named, with its pid, where it can be found: what to
 * stop), no permission, also for state_path; XM_IO: the buffers cannot be mapped, state_path cannot be written;
 * XM_NOMEM, XM_INVALID.  On failure all is as it was, with the exceptions above.  Takes up to some 300 ms: whether tracing is on can only be
 * seen from what it does.
 * The source is closed by xm_source_close().
 */
enum xm_status xm_live_open(const struct xm_live_config *config, struct xm_source **source,
                            struct xm_error *err) XM_MUST_CHECK;

/* What a live source knows about itself. */
struct xm_live_status {
    uint32_t pages;           /* of each buffer, as allocated */
    uint32_t cpus;            /* that have a buffer */
    uint32_t max_cpu;         /* highest of them */
    uint64_t buffer_bytes;    /* of all buffers */
    uint64_t passes;          /* since the start */
    uint64_t wakeups;         /* times it waited and woke: passes by time, by VIRQ, and signals */
    uint64_t virqs;           /* of them by VIRQ_TBUF */
    uint64_t bogus;           /* times indices made no sense */
    uint64_t stolen;          /* times another consumer moved an index */
    uint64_t repaired;        /* times tracing had been switched off or masked by others */
    uint64_t poll_ns;         /* until the next pass, as it is now */
};
struct xm_live_status xm_live_status(const struct xm_source *source);

/*
 * Highest fill of the buffer of `cpu` that a pass has found since this was last asked for it, in thousandths.  False
 * where the CPU has no buffer.
 */
bool xm_live_fill(struct xm_source *source, uint32_t cpu, uint32_t *permille);

/*
 * Looks after what others may have changed; due once a second.  In the middle of a pass it is done at the pass's end.
 * No record at all in 2 s and three passes means that tracing was switched off: our own waiting makes some.
 * Cost: two hypercalls; where something is set right a few, and every CPU has a gap.
 */
void xm_live_look_after(struct xm_source *source);

#endif
