/* SPDX-License-Identifier: MIT */
/*
 * What the tests share: random numbers, growing bytes, the bundled captures, traces taken apart and written by hand.
 *
 * Running out of memory or a missing capture ends the test program: nothing here returns an error.
 */
#ifndef XM_TEST_SUPPORT_H
#define XM_TEST_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"
#include "xenmon/trace.h"

/* ---- Random numbers: a stream of them hangs on its seed alone. */

struct xt_rng {
    uint64_t state;
};

/* The seed of this run: the environment's XM_SEED, else the time.  Prints it as a TAP comment, once. */
uint64_t xt_seed(void);

/* Begins a stream of random numbers; `stream` tells the several ones of a program apart. */
struct xt_rng xt_rng(uint64_t seed, uint64_t stream);

uint64_t xt_random(struct xt_rng *r);                      /* any 64 bits */
uint64_t xt_below(struct xt_rng *r, uint64_t limit);       /* 0 .. limit - 1; 0 for limit 0 */

/* ---- Bytes that grow.  Zeroed is empty; freed by xt_free(). */

struct xt_bytes {
    unsigned char *data;
    size_t size, room;
};

void xt_put(struct xt_bytes *b, const void *bytes, size_t size);
void xt_put32(struct xt_bytes *b, uint32_t word);
void xt_put64(struct xt_bytes *b, uint64_t word);
void xt_free(struct xt_bytes *b);

/* ---- Captures. */

/* Names of the bundled captures, without directory and endings; the last element is NULL. */
extern const char *const xt_captures[];
/* The one of them in which records were lost. */
extern const char *const xt_lost_capture;

/* A capture's bytes, unpacked.  The directory is the environment's XM_TRACES, else tests/data/traces. */
struct xt_bytes xt_capture(const char *name);

/* ---- A trace in the variable format, taken apart.  The bytes are borrowed, not copied. */

struct xt_record {
    size_t at;      /* offset of its header */
    uint32_t size;  /* bytes */
    uint32_t event; /* without the header's length and TSC bits */
    uint64_t tsc;   /* its own, or that of the one before on its CPU */
    uint32_t window;
    bool has_tsc;
};

struct xt_window {
    uint32_t cpu;
    size_t first, count; /* records */
};

struct xt_trace {
    const unsigned char *data;
    size_t size;
    struct xt_record *record;
    size_t records, record_room;
    struct xt_window *window;
    size_t windows, window_room;
    uint32_t cpus;
};

/* Takes a well-formed trace apart; ends the program on any other. */
struct xt_trace xt_take_apart(const struct xt_bytes *bytes);
void xt_trace_free(struct xt_trace *t);

/* Payload word `i` of a record. */
uint32_t xt_word(const struct xt_trace *t, const struct xt_record *r, unsigned i);

/* ---- Traces written by hand. */

/* Begins a window of a CPU's records; returns where, for xt_window_end(), which fills its size in. */
size_t xt_window_begin(struct xt_bytes *b, uint32_t cpu);
void xt_window_end(struct xt_bytes *b, size_t begun);

/* A record: event number, TSC (XT_NO_TSC: none), payload. */
#define XT_NO_TSC UINT64_MAX
void xt_record(struct xt_bytes *b, uint32_t event, uint64_t tsc, unsigned words, const uint32_t *word);
/* The common ones. */
void xt_runstate(struct xt_bytes *b, uint64_t tsc, uint32_t dom, uint32_t vcpu, unsigned from, unsigned to);
void xt_lost(struct xt_bytes *b, uint64_t tsc, uint32_t count, uint32_t dom, uint32_t vcpu, uint64_t first_tsc);

/* ---- Everything that comes out of a stream. */

struct xt_events {
    struct xm_event *event;
    size_t count, room;
    enum xm_status ended; /* what push or finish said in the end */
    struct xm_stream_stats stats;
    struct xm_error error;
};

/* How many bytes the next push gets, of `left` that there are. */
typedef size_t (*xt_split)(void *user, size_t left);

enum xt_drain { XT_DRAIN_ALWAYS, XT_DRAIN_AT_END };

/*
 * Runs bytes through a stream of its own: in one piece (split NULL) or as split says, taking events out after every
 * push or, where memory allows, only at the end.  Freed by xt_events_free().
 */
struct xt_events xt_run(const void *bytes, size_t size, const struct xm_stream_config *config, xt_split split, void *user,
                        enum xt_drain drain);
void xt_events_free(struct xt_events *e);

/* The same event, unspecified words aside. */
bool xt_same_event(const struct xm_event *a, const struct xm_event *b);
/* Index of the first event that differs; the smaller count where one is the other's beginning. */
size_t xt_first_difference(const struct xt_events *a, const struct xt_events *b);

/* ---- TAP, for programs that are no cmocka groups. */

struct xt_tap {
    unsigned count, failed;
};

/* One line of the result; what is said of a failure goes before it with xt_note(). */
void xt_ok(struct xt_tap *tap, bool good, const char *format, ...) XM_PRINTF(3, 4);
void xt_note(const char *format, ...) XM_PRINTF(1, 2);
/* The plan; returns what main returns. */
int xt_done(const struct xt_tap *tap);

/* Ends the program with a TAP-proof message. */
void xt_die(const char *format, ...) __attribute__((noreturn)) XM_PRINTF(1, 2);

#endif
