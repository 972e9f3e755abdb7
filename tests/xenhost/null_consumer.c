/* SPDX-License-Identifier: MIT */
/*
 * The floor of what a consumer of the trace buffers costs: takes everything for SECONDS, at xenbaked's defaults, and throws it away.
 * A line of JSON: {"seconds":,"bytes":,"wakeups":,"cpu_ns":}.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "source/xen/live.h"
#include "xenmon/units.h"

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    struct xm_hyper hyper;
    struct xm_control *control;
    struct xm_source *source;
    struct xm_error err;
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 10;
    xm_error_clear(&err);
    if (xm_hyper_open(&hyper, &err) != XM_OK || xm_control_open(&hyper, &control, &err) != XM_OK) {
        fprintf(stderr, "null_consumer: %s\n", err.text);
        return 3;
    }
    const struct xm_live_config config = {.hyper = &hyper, .control = control, .pages = XM_LIVE_PAGES,
                                          .events = XM_LIVE_EVENTS, .poll_ns = 100000000, .proc = "/proc"};
    if (xm_live_open(&config, &source, &err) != XM_OK) {
        fprintf(stderr, "null_consumer: %s\n", err.text);
        return 3;
    }
    uint64_t bytes = 0, start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t end = start + (uint64_t)(seconds * 1e9);
    while (clock_ns(CLOCK_MONOTONIC) < end) {
        const void *piece;
        size_t size;
        enum xm_status status = xm_source_next(source, 250, &piece, &size, &err);
        bytes += size;
        if (status < 0)
            break;
        (void)xm_source_pass_ended(source);
    }
    uint64_t spent = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"seconds\":%.3f,\"bytes\":%" PRIu64 ",\"wakeups\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 "}\n",
           (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9, bytes, xm_live_status(source).wakeups, spent);
    xm_source_close(source);
    xm_control_close(control);
    xm_hyper_close(&hyper);
    return 0;
}
