/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor inside the test program: a struct xm_hyper whose answers are those of a given Xen, with real
 * trace buffers behind it that records are written into under Xen's rules (event mask, CPU mask, lost
 * records, half-full event, impossible indices).
 *
 * It outlives who asks it: closing the xm_hyper leaves tracing as it was set, as a killed xenbaked would.
 * Its layouts are written by byte offset from Xen's public headers and know nothing of src/source/xen.
 *
 * Running out of memory ends the program.  Threads: one that asks and one that writes records
 * (fakexen_record(), fakexen_play_*()); what describes domains and refusals belongs to the one that asks.
 */
#ifndef XM_TEST_FAKEXEN_H
#define XM_TEST_FAKEXEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/xen/hyper.h"
#include "xenmon/trace.h"

enum fakexen_version {
    FAKEXEN_4_17, /* what a zeroed configuration means */
    FAKEXEN_4_6,  /* older than what is supported */
    FAKEXEN_4_7,
    FAKEXEN_4_11,
    FAKEXEN_4_14,
    FAKEXEN_4_20,
    FAKEXEN_4_21,
    FAKEXEN_4_22,
    FAKEXEN_NEXT, /* one not written yet: newer versions, the layouts of 4.22 */
    FAKEXEN_FAR   /* so new that no version tried is its own */
};

/* Scheduler numbers of Xen. */
#define FAKEXEN_CREDIT 5u
#define FAKEXEN_CREDIT2 6u
#define FAKEXEN_RTDS 8u
#define FAKEXEN_NULL 9u

#define FAKEXEN_CPUS 256u /* NR_CPUS of its build */
#define FAKEXEN_DOMAINS 64u

struct fakexen_config {
    enum fakexen_version version;
    uint32_t cpus;        /* CPU ids 0 .. cpus - 1 there can be; 0: 2 */
    bool offline[FAKEXEN_CPUS]; /* ids that are not online, and so without a buffer */
    uint32_t khz;         /* 0: 2 000 000 */
    uint32_t scheduler;   /* 0: credit2 */
    uint32_t boot_pages;  /* buffers allocated at boot (tbuf_size=), 0: none */
    uint32_t boot_events; /* and tracing on with this mask (tevt_mask=), 0: off */
};

struct fakexen;

/* NULL: all zero.  Domain 0 is there, with 2 vCPUs. */
struct fakexen *fakexen_create(const struct fakexen_config *config);
void fakexen_destroy(struct fakexen *fake);

/* A way to ask it, as xm_hyper_open() gives one; closed by xm_hyper_close().  One at a time. */
struct xm_hyper fakexen_hyper(struct fakexen *fake);

/* ---- What it refuses: errno values, 0 for none.  May be changed at any time. */

struct fakexen_refusals {
    int sysctl;     /* every sysctl: EACCES is a foreign version, or FLASK; ENOSYS no sysctl at all */
    int tbuf;       /* tbuf_op of its own version: ENOSYS compiled out, EPERM or EACCES a security policy */
    int allocate;   /* set_size alone: ENOMEM */
    int enable;     /* enable alone */
    int events;     /* set_evt_mask alone */
    int cpus;       /* set_cpu_mask alone */
    int physinfo, scheduler, list; /* those sysctls */
    int domctl;     /* every domctl */
    int weight;     /* scheduler_op */
    int version;    /* XENVER_* */
    int bind;       /* VIRQ_TBUF; that another one has it is fakexen_other_bind() */
    int map;        /* mappings, */
    unsigned maps;  /* after so many that succeed */
    bool memory;    /* alloc gives NULL */
};
struct fakexen_refusals *fakexen_refusals(struct fakexen *fake);

/* ---- What became of it. */

struct fakexen_state {
    uint32_t pages;      /* of each buffer; 0: none allocated */
    uint32_t events;     /* the mask */
    bool enabled;
    bool bound;          /* by who asks through fakexen_hyper() */
    unsigned mappings;   /* there now */
    unsigned memory;     /* pieces of alloc not released */
    unsigned opened;     /* xm_hyper not closed */
    uint64_t sysctls, domctls; /* asked, refused ones too */
    uint64_t virqs;      /* raised to who asks */
};
struct fakexen_state fakexen_state(struct fakexen *fake);
bool fakexen_traces_cpu(struct fakexen *fake, uint32_t cpu); /* the CPU mask */

/*
 * CPUs go offline and come back.  Its buffer is freed with the per-CPU area then, and there is no new one until the
 * next boot: what it writes is FAKEXEN_NO_BUFFER.
 */
void fakexen_cpu_online(struct fakexen *fake, uint32_t cpu, bool online);

/* ---- Another consumer (xentrace), and damage. */

void fakexen_other_bind(struct fakexen *fake, bool bound);          /* has VIRQ_TBUF: bind gives -EEXIST */
uint32_t fakexen_other_take(struct fakexen *fake, uint32_t cpu);    /* consumes all of a buffer; bytes */
void fakexen_other_events(struct fakexen *fake, uint32_t mask);     /* as xentrace -e would */
void fakexen_other_cpu(struct fakexen *fake, uint32_t cpu, bool traced); /* as xentrace -c would, one of them */
void fakexen_other_enable(struct fakexen *fake, bool on);
void fakexen_set_indices(struct fakexen *fake, uint32_t cpu, uint32_t cons, uint32_t prod);
void fakexen_indices(struct fakexen *fake, uint32_t cpu, uint32_t *cons, uint32_t *prod);

/* ---- Domains.  vCPU n was last on CPU n % cpus and has run for fakexen_cpu_ns(domid, n). */

struct fakexen_domain {
    uint16_t domid;
    bool dying, paused, hvm;
    bool shut_down;     /* and kept, as on_crash=preserve does */
    bool pvh;           /* as 4.7 and 4.8 said it; later versions call it hvm */
    bool stores;        /* the domain that runs xenstored; a flag that has moved once */
    uint32_t vcpus;     /* highest id + 1; 0: none yet */
    uint32_t online;
    uint16_t weight, cap;
    uint32_t scheduler; /* of its cpupool; 0: the host's */
    uint64_t cpu_ns;    /* of all its vCPUs, as the list of domains says it */
    uint64_t running, blocked; /* vCPU n: bit n.  Those from `online` on are unplugged */
};
void fakexen_domain(struct fakexen *fake, const struct fakexen_domain *domain); /* new, or changed */
void fakexen_domain_gone(struct fakexen *fake, uint16_t domid);
uint64_t fakexen_cpu_ns(uint16_t domid, uint32_t vcpu);

/* ---- Records. */

enum fakexen_wrote {
    FAKEXEN_WROTE,
    FAKEXEN_LOST,     /* the buffer is full */
    FAKEXEN_MASKED,   /* by event or CPU mask */
    FAKEXEN_OFF,      /* tracing is off, or there are no buffers */
    FAKEXEN_NO_BUFFER, /* that CPU has none */
    FAKEXEN_BOGUS     /* the consumer's index makes no sense: tracing is off from here on */
};

/* One record, at its own TSC (without one: at that of the one before on its CPU). */
enum fakexen_wrote fakexen_record(struct fakexen *fake, uint32_t cpu, const struct xm_record *record);
/* The common one: states 0 running, 1 runnable, 2 blocked, 3 offline. */
enum fakexen_wrote fakexen_runstate(struct fakexen *fake, uint32_t cpu, uint64_t tsc, uint16_t dom,
                                    uint16_t vcpu, unsigned from, unsigned to);

/* ---- Playing a capture (xt_capture()) into the buffers, in the order of its TSCs over all CPUs. */

struct fakexen_play;

/* bytes: borrowed until fakexen_play_end(), a whole capture in xentrace's format. */
struct fakexen_play *fakexen_play(struct fakexen *fake, const void *bytes, size_t size);
void fakexen_play_end(struct fakexen_play *play);

uint64_t fakexen_play_first(const struct fakexen_play *play); /* TSC of its first record */
uint64_t fakexen_play_last(const struct fakexen_play *play);
size_t fakexen_play_left(const struct fakexen_play *play);    /* records not written yet */

/* At most `records`; all up to a TSC.  Returns how many were taken, 0: none left or none due. */
size_t fakexen_play_records(struct fakexen_play *play, size_t records);
size_t fakexen_play_until(struct fakexen_play *play, uint64_t tsc);

/*
 * At `speed` (1: as it was) of a clock of `hz`, until the end or *stop (may be NULL); sleeps in between, at
 * most 1 ms.  For a thread of its own.
 */
void fakexen_play_run(struct fakexen_play *play, double hz, double speed, const atomic_bool *stop);

/* What became of the records played, by enum fakexen_wrote. */
uint64_t fakexen_play_count(const struct fakexen_play *play, enum fakexen_wrote what);

#endif
