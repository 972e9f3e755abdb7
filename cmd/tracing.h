/* SPDX-License-Identifier: MIT */
/* How people write what is to be traced: event masks and sets of CPUs, as xentrace takes them and by name. */
#ifndef XM_CMD_TRACING_H
#define XM_CMD_TRACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XM_CPU_SET_BITS 4096u

/* A set of CPUs: bit n % 8 of byte n / 8. */
struct xm_cpu_set {
    bool given;
    uint8_t bitmap[XM_CPU_SET_BITS / 8];
};

/*
 * "0x169000", "1478656", or names joined by commas, also with numbers: "sched,mem,0x41000".  False: not understood, or
 * nothing at all would be traced by it (a mask needs a class and a subclass, reference in xenbaked(8)).
 */
bool xm_read_events(const char *text, uint32_t *mask);

/* The names that xm_read_events() knows; NULL past the last.  *mask: what each stands for. */
const char *xm_events_name(unsigned index, uint32_t *mask);

/* What a mask lets through, in words, for people: "runstates, scheduling, memory, domains". */
void xm_events_text(uint32_t mask, char *text, size_t size);

/* "all", a list "0-3,7,12-" (to the last), or a hexadecimal mask "0x3".  False: not understood, or empty. */
bool xm_read_cpus(const char *text, struct xm_cpu_set *set);

#endif
