/* SPDX-License-Identifier: MIT */
/*
 * The TSC rate from SWITCH_INFPREV, which says in ns how long the execution lasted whose cycles were seen
 * (doc/accounting.md): the median of cycles per ns, weighted by duration.  A bounded set of samples, thinned out
 * evenly as the trace grows longer.
 */
#include <string.h>

#include "account/account_int.h"

#define LEAST_NS 100000u
#define LEAST_SAMPLES 4u
#define WRAP_NS 4294967296.0

void xm_rate_note(struct xm_account *a, uint64_t cycles, uint32_t ran_ns)
{
    if (ran_ns < LEAST_NS || cycles == 0)
        return;
    if (++a->rate_skip < a->rate_stride)
        return;
    a->rate_skip = 0;
    if (a->rate_count == RATE_SAMPLES) {
        for (unsigned i = 0; i < RATE_SAMPLES / 2; i++)
            a->rate[i] = a->rate[2 * i];
        a->rate_count = RATE_SAMPLES / 2;
        a->rate_stride *= 2;
    }
    a->rate[a->rate_count++] = (struct rate_sample){(float)((double)cycles / ran_ns), (float)ran_ns};
}

static float ratio_of(const struct rate_sample *sample)
{
    return sample->ratio;
}

static float cycles_of(const struct rate_sample *sample)
{
    return sample->ratio * sample->weight;
}

typedef float (*sort_key)(const struct rate_sample *);

static void sift_down(struct rate_sample *heap, unsigned at, unsigned count, sort_key key)
{
    for (unsigned child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && key(&heap[child + 1]) > key(&heap[child]))
            child++;
        if (key(&heap[child]) <= key(&heap[at]))
            return;
        struct rate_sample t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
    }
}

/* In place: qsort() allocates. */
static void sort(struct rate_sample *sample, unsigned count, sort_key key)
{
    for (unsigned at = count / 2; at-- > 0;)
        sift_down(sample, at, count, key);
    while (count > 1) {
        struct rate_sample t = sample[--count];
        sample[count] = sample[0];
        sample[0] = t;
        sift_down(sample, 0, count, key);
    }
}

/* Samples sorted by ratio; those that took so long that their ns must have wrapped are left out. */
static double weighted_median(const struct rate_sample *sorted, unsigned count, double longest_cycles)
{
    double total = 0;
    for (unsigned i = 0; i < count; i++)
        if ((double)sorted[i].ratio * sorted[i].weight < longest_cycles)
            total += sorted[i].weight;
    double sum = 0;
    for (unsigned i = 0; i < count; i++) {
        if ((double)sorted[i].ratio * sorted[i].weight >= longest_cycles)
            continue;
        sum += sorted[i].weight;
        if (sum * 2 >= total)
            return sorted[i].ratio;
    }
    return 0;
}

uint64_t xm_account_calibrate(const struct xm_account *a)
{
    if (a->rate_count < LEAST_SAMPLES)
        return 0;
    struct rate_sample *sorted = a->sorted;
    memcpy(sorted, a->rate, a->rate_count * sizeof *sorted);
    /*
     * How long is too long hangs on the rate itself.  The shortest quarter has not wrapped; all together may say
     * anything where most pCPUs idle for seconds at a time.
     */
    unsigned shortest = a->rate_count / 4 > LEAST_SAMPLES ? a->rate_count / 4 : LEAST_SAMPLES;
    sort(sorted, a->rate_count, cycles_of);
    sort(sorted, shortest, ratio_of);
    double first = weighted_median(sorted, shortest, 1e300);
    sort(sorted, a->rate_count, ratio_of);
    double ratio = weighted_median(sorted, a->rate_count, first * WRAP_NS);
    return (uint64_t)((ratio > 0 ? ratio : first) * 1e9 + 0.5);
}
