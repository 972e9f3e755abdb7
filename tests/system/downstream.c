/* SPDX-License-Identifier: MIT */
/*
 * A program of somebody else's: it knows the installed headers and `pkg-config xenmon`, nothing of this tree.
 * It writes a trace of one record, decodes it again and asks for a region that is not there.
 */
#include <stdio.h>
#include <string.h>

#include <xenmon/region.h>
#include <xenmon/sample.h>
#include <xenmon/status.h>
#include <xenmon/trace.h>
#include <xenmon/units.h>

#define TRC_SCHED_RUNSTATE_CHANGE 0x00021001u
#define TRC_TRACE_CPU_CHANGE 0x0001f003u

static int fault(const char *what)
{
    printf("downstream: %s\n", what);
    return 1;
}

/* A CPU_CHANGE window with one record: vCPU 0 of domain 1 from runnable to running. */
static size_t write_trace(unsigned char *bytes, size_t size)
{
    struct xm_record run = {.event = TRC_SCHED_RUNSTATE_CHANGE | XM_RUNNABLE << 8 | XM_RUNNING << 4,
                            .has_tsc = true,
                            .words = 1,
                            .tsc = {1000},
                            .word = {1u << 16}};
    unsigned char body[XM_RECORD_MAX_BYTES];
    size_t length = xm_record_write(&run, body, sizeof body);
    struct xm_record window = {.event = TRC_TRACE_CPU_CHANGE, .words = 2, .word = {0, (uint32_t)length}};
    size_t head = xm_record_write(&window, bytes, size);
    memcpy(bytes + head, body, length);
    return head + length;
}

static int decode(void)
{
    unsigned char bytes[2 * XM_RECORD_MAX_BYTES];
    size_t size = write_trace(bytes, sizeof bytes), used, count, found = 0;
    const struct xm_event *events;
    struct xm_stream *stream = xm_stream_create(NULL);
    if (!stream || xm_stream_push(stream, bytes, size, &used) != XM_OK || used != size)
        return fault("the stream does not take its bytes");
    if (xm_stream_finish(stream) != XM_OK)
        return fault("the stream does not end well");
    while (xm_stream_run(stream, &events, &count) == XM_OK)
        for (size_t i = 0; i < count; i++)
            found += events[i].kind == XM_EV_RUNSTATE && events[i].tsc.v == 1000 && events[i].word[0] == 1u << 16;
    xm_stream_destroy(stream);
    return found == 1 ? 0 : fault("the event did not come out");
}

int main(void)
{
    struct xm_region *region = NULL;
    struct xm_error err;
    struct xm_scale scale;
    size_t metrics = 0;
    xm_error_clear(&err);
    if (xm_region_open("/nonexistent/xenmon", &region, &err) != XM_IO || region || !err.text[0])
        return fault("a region that is not there was opened");
    if (!xm_metrics(&metrics) || metrics < 50)
        return fault("no metrics");
    if (!xm_scale_init(&scale, 2000000000) || xm_scale_to_ns(&scale, xm_cycles_of(2000)).v != 1000)
        return fault("2000 cycles at 2 GHz are not 1000 ns");
    return decode();
}
