/* SPDX-License-Identifier: MIT */
/* What taking over (takeover.c) and the passes (live.c) of a live source share.  See live.h. */
#ifndef XM_LIVE_INT_H
#define XM_LIVE_INT_H

#include "source/source_int.h"
#include "source/xen/live.h"
#include "source/xen/note.h"
#include "source/xen/poll.h"
#include "trace/ring.h"

#define XM_LIVE_MARK_WORDS 2u /* a LOST_RECORDS without a TSC */
#define XM_LIVE_HEADER_WORDS (3u + XM_LIVE_MARK_WORDS)

struct xm_live_cpu {
    uint32_t id;
    void *memory;                 /* its buffer, mapped */
    struct xm_ring ring;
    struct xm_ring_window window; /* what this pass delivers */
    uint32_t cons;                /* as we left it: any other value is somebody else's */
    uint32_t permille;            /* highest fill since it was last asked for */
    bool lost;                    /* records are missing, and the stream has not been told */
    bool robbed;                  /* somebody moved cons while its window was being delivered */
};

struct xm_live {
    struct xm_source base;
    struct xm_live_config config;
    struct xm_live_cpu *cpu; /* [cpus], by ascending id */
    uint32_t cpus;
    uint32_t pages;
    int virq;                /* file descriptor; -1: there is none */
    struct xm_note before;   /* how tracing was set */
    bool noted;              /* the note at state_path is ours */
    bool touched;            /* settings may differ from `before` */

    struct xm_poll poll;
    uint64_t looked_ns;      /* when the last pass began */
    uint64_t due_ns;         /* and when the next one is to */
    uint64_t heard_ns;       /* when a pass last found records */
    uint32_t silent;         /* passes since then */
    bool urgent;             /* the next pass was asked for by VIRQ_TBUF */
    bool delivering;         /* a pass is under way: */
    bool ended;              /* (it has just come to its end) */
    bool look_after;         /* others' changes are to be looked after when it is over */
    uint32_t at;             /* the CPU whose turn it is, */
    bool announced;          /* its window's header is out, */
    uint32_t given;          /* so many bytes of the window are, */
    bool held;               /* and the caller has the last of them in hand */
    uint32_t header[XM_LIVE_HEADER_WORDS];

    struct xm_live_status status;
    /* What a person has been told: whoever fights with us for ever shall not fill a log. */
    bool said_rival, said_bogus, said_silence, said_failure, said_mask;
};

extern const struct xm_source_ops xm_live_ops;

/* One line for a person, where anybody listens. */
void xm_live_say(const struct xm_live *s, bool warning, const char *format, ...) XM_PRINTF(3, 4);

/* Throws away what a buffer holds and sets its indices right. */
void xm_live_drop(struct xm_live_cpu *c);

/* Puts back what was, removes the note and frees everything. */
void xm_live_give_back(struct xm_live *s);

#endif
