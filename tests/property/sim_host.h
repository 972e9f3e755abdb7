/* SPDX-License-Identifier: MIT */
/*
 * A random host for the property test of trace and account: a simulated machine with guests that are up to anything,
 * trace buffers of which somebody empties one now and then, and what became of all its records.
 *
 * Everything hangs on the seed; a host stopped after fewer steps did the same up to there.
 */
#ifndef XM_TEST_SIM_HOST_H
#define XM_TEST_SIM_HOST_H

#include "baked.h"
#include "base/rng.h"
#include "sim/machine.h"
#include "trace/ring.h"

#define SH_CPUS 8u
#define SH_LIVE 12u   /* domains at a time */
#define SH_EVER 64u   /* and over all the time */
#define SH_VCPUS 4u

/* What a guest's vCPU does when a piece of work is done, in percent. */
struct sh_vcpu {
    struct sh_domain *domain;
    struct xm_alarm alarm;       /* ends its nap */
    uint64_t work_ns, nap_ns;    /* on average; nap 0: sleeps until somebody wakes it */
    unsigned naps, notifies, exchanges;
    bool sleepy;                 /* will nap instead of working on */
    struct xm_truth_vcpu before; /* when tracing began */
    uint8_t state_before;
};

struct sh_domain {
    struct sh_host *host;
    struct xm_sim_domain *d;
    bool over;                   /* before tracing began */
    bool named;                  /* a record let the account know of it */
    struct xm_truth_io io_before, done_before;
    struct xm_truth_io nobody;   /* of what it did: before a record said that it is there */
    struct sh_vcpu vcpu[SH_VCPUS];
};

struct sh_gap {
    uint32_t cpu;
    uint64_t from, to;           /* first drop; LOST_RECORDS */
};

/* What was drawn. */
struct sh_plan {
    struct xm_machine_config machine;
    uint32_t pages;              /* of each trace buffer */
    uint64_t step_ns;            /* on average, between two things that the toolstack does */
    uint64_t look_ns;            /* on average, between two looks at the buffers */
    unsigned steps, warm_up;     /* in all; before tracing began */
    uint64_t interval_ns;        /* of the live reader's samples */
    bool tells_ends;             /* the mask lets creation and end of domains through */
    bool whole_passes;           /* the reader says where a pass ends */
    char sched[16];
};

/* A bake, and the samples that it asks for. */
struct sh_reading {
    struct xm_bake *bake;
    struct xm_sample sample;
    const char *broken;          /* what does not add up; NULL */
    struct xm_stream_stats stats;
    uint64_t anomalies;
    const char *contradiction;   /* which kind of them there is */
};

struct sh_cpu {
    void *buffer;
    struct xm_ring_producer producer;
    struct xm_ring reader;
    uint64_t records;            /* that were to be written */
    uint64_t lost;
    bool occupant_seen;          /* a record told who is on it */
    bool losing;                 /* the last of `gap` is its own, and goes on */
    size_t losing_gap;
    struct xm_truth_cpu before;
    bool idle_before;
};

/* A record that says what a vCPU does, as it got into a buffer. */
struct sh_told {
    uint64_t tsc;
    uint32_t word;               /* vcpu | dom << 16 */
};

struct sh_host {
    uint64_t seed;
    struct xm_rng rng;
    struct sh_plan plan;
    struct xm_machine *m;
    struct sh_domain domain[SH_EVER];
    unsigned domains;
    struct sh_cpu cpu[SH_CPUS];
    bool tracing;
    uint64_t began;              /* the TSC at which it did, */
    uint64_t first, last;        /* and of the first and the last record */
    uint64_t lost;
    struct sh_gap *gap;
    size_t gaps, gap_room;
    struct sh_told *told;
    size_t tolds, told_room;
    struct xt_bytes file;        /* all windows, as xentrace would write them */
    struct sh_reading live;      /* prompt order */
    uint64_t next_look_ns;
    const char *wrong;           /* what should never happen did */
    uint32_t show_word;          /* records of this vCPU are printed, */
    uint64_t show_from;          /* from this time on; UINT64_MAX: none */
};

/* Draws a host and runs it, at most so many steps.  Ends the program when out of memory. */
struct sh_host *sh_run(uint64_t seed, unsigned most_steps, uint32_t show_word, uint64_t show_from);
void sh_free(struct sh_host *h);

/* The same bytes as a file, in strict order; with hindsight, as the report has it. */
struct sh_reading sh_read_file(const struct sh_host *h);
void sh_reading_free(struct sh_reading *r);

/* One line of what was drawn. */
void sh_describe(const struct sh_host *h);

#endif
