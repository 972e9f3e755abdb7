/* SPDX-License-Identifier: MIT */
/* What the region's tests share: a place for a region, and samples whose every word follows from a number. */
#ifndef XM_TEST_REGION_COMMON_H
#define XM_TEST_REGION_COMMON_H

#include <stdbool.h>
#include <stdint.h>

#include "region/writer.h"
#include "xenmon/region.h"

uint64_t next_random(uint64_t *state); /* xorshift; state is not 0 */
uint64_t test_seed(void);              /* XM_SEED, else the clock; prints it */

struct place {
    char directory[64];
    char path[96];
};
void place_make(struct place *p);   /* a directory of its own, in memory where there is /dev/shm */
void place_remove(struct place *p); /* with the files that a region leaves */

/* A few rows and three samples of each series. */
struct xm_region_settings tiny_settings(void);

struct xm_writer *writer_make(const char *path, const struct xm_region_settings *settings); /* asserts */

/* Fills `s`: how many rows are in use and what is in them follows from n alone (and from the capacity's size). */
void stamp_fill(struct xm_sample *s, struct xm_capacity room, uint64_t n);

/* Whether `s`, read from a series of a region of capacity `room`, is what stamp_fill made of n: NULL, or what is not. */
const char *stamp_check(const struct xm_sample *s, struct xm_capacity room, enum xm_series series,
                        uint64_t n);

/* host.window of stamp n. */
uint64_t stamp_window(uint64_t n);

/* Histograms: bucket values that follow from n. */
void stamp_histogram(uint64_t n, enum xm_hist_kind kind, uint64_t counts[XM_HIST_BUCKETS]);

#endif
