/* SPDX-License-Identifier: MIT */
/*
 * Makes a long trace of a short one: the same windows again and again, every repeat's TSCs moved past the one
 * before it, so that time goes on.
 *
 *     repeat TRACE TIMES > LONG
 *
 * At each seam stand the runstate records that lead from the states at the end to those at the start, so that the long
 * trace contradicts itself nowhere (xenalyze gives up on one that does).
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "xenmon/trace.h"

#define MAX_VCPUS 256u
#define MAX_CPUS 64u
#define SEAM_CYCLES 1000u
#define CPU_CHANGE 0x0001f003u
#define CONTINUE_RUNNING 0x00021002u
#define RUNSTATE(from, to) (0x00021001u | (uint32_t)(from) << 8 | (uint32_t)(to) << 4)
#define RUNSTATE_MASK 0x0ffff00fu

struct bytes {
    unsigned char *at;
    size_t size;
};

/* What a vCPU does at one end of the trace.  A file has windows of one CPU after another: only the TSC tells the order. */
struct post {
    enum xm_runstate state;
    uint32_t cpu;
    uint64_t tsc;
};

struct vcpu {
    uint32_t id; /* domid << 16 | vCPU, as in the record */
    struct post first, last;
};

struct trace {
    struct bytes all;
    struct vcpu vcpu[MAX_VCPUS];
    unsigned vcpus;
    uint64_t first_tsc, last_tsc;
};

/* Records of one CPU at the seam. */
struct window {
    unsigned char bytes[2 * MAX_VCPUS * XM_RECORD_MAX_BYTES];
    size_t size;
};

static int fault(const char *what)
{
    fprintf(stderr, "repeat: %s: %s\n", what, errno ? strerror(errno) : "not a trace this program can repeat");
    return 1;
}

static int read_whole(const char *path, struct bytes *all)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    if (!file || fstat(fileno(file), &facts))
        return fault(path);
    all->size = (size_t)facts.st_size;
    all->at = malloc(all->size + 1);
    if (!all->at || fread(all->at, 1, all->size, file) != all->size)
        return fault(path);
    fclose(file);
    return 0;
}

/* Length of the record at `offset`, or 0 at the end. */
static size_t step(const struct bytes *all, size_t offset, struct xm_record *record)
{
    size_t used;
    return xm_record_read(all->at + offset, all->size - offset, record, &used) == XM_OK ? used : 0;
}

/* NULL: no room for another one, which would begin with this post. */
static struct vcpu *find(struct trace *trace, uint32_t id, struct post first)
{
    unsigned i = 0;
    while (i < trace->vcpus && trace->vcpu[i].id != id)
        i++;
    if (i == MAX_VCPUS)
        return NULL;
    if (i == trace->vcpus)
        trace->vcpu[trace->vcpus++] = (struct vcpu){id, first, {XM_OFFLINE, 0, 0}};
    return &trace->vcpu[i];
}

static int survey(struct trace *trace)
{
    struct xm_record record;
    uint32_t cpu = 0;
    trace->first_tsc = UINT64_MAX;
    for (size_t at = 0, used; (used = step(&trace->all, at, &record)); at += used) {
        if (record.event == CPU_CHANGE)
            cpu = record.word[0];
        if (!record.has_tsc)
            continue;
        trace->first_tsc = record.tsc.v < trace->first_tsc ? record.tsc.v : trace->first_tsc;
        trace->last_tsc = record.tsc.v > trace->last_tsc ? record.tsc.v : trace->last_tsc;
        bool change = (record.event & RUNSTATE_MASK) == RUNSTATE(0, 0);
        if (!change && record.event != CONTINUE_RUNNING)
            continue;
        enum xm_runstate from = change ? record.event >> 8 & 3 : XM_RUNNING;
        enum xm_runstate to = change ? record.event >> 4 & 3 : XM_RUNNING;
        struct vcpu *vcpu = find(trace, record.word[0], (struct post){from, cpu, record.tsc.v});
        if (!vcpu || cpu >= MAX_CPUS)
            return fault("too many vCPUs or CPUs");
        if (record.tsc.v < vcpu->first.tsc)
            vcpu->first = (struct post){from, cpu, record.tsc.v};
        if (record.tsc.v >= vcpu->last.tsc)
            vcpu->last = (struct post){to, cpu, record.tsc.v};
    }
    return trace->vcpus ? 0 : fault("no runstates");
}

static void put(struct window *window, uint32_t id, enum xm_runstate from, enum xm_runstate to, uint64_t tsc)
{
    struct xm_record record = {.event = RUNSTATE(from, to), .has_tsc = true, .words = 1, .tsc = {tsc}, .word = {id}};
    window->size += xm_record_write(&record, window->bytes + window->size, sizeof window->bytes - window->size);
}

/* From the posts at the end to those at the start: first everybody leaves, then sleepers wake, then everybody enters. */
static int write_seam(const struct trace *trace, uint64_t tsc)
{
    static struct window window[MAX_CPUS];
    enum xm_runstate now[MAX_VCPUS];
    for (unsigned i = 0; i < MAX_CPUS; i++)
        window[i].size = 0;
    for (unsigned stage = 1; stage <= 3; stage++) {
        for (unsigned i = 0; i < trace->vcpus; i++) {
            const struct vcpu *v = &trace->vcpu[i];
            bool stays = v->last.state == XM_RUNNING && v->first.state == XM_RUNNING && v->last.cpu == v->first.cpu;
            enum xm_runstate rest = v->first.state == XM_RUNNING ? XM_RUNNABLE : v->first.state;
            now[i] = stage == 1 ? v->last.state : now[i];
            enum xm_runstate to = stage == 3 ? v->first.state : rest;
            if (stays || now[i] == to || (stage == 1) != (now[i] == XM_RUNNING))
                continue;
            put(&window[stage == 3 ? v->first.cpu : v->last.cpu], v->id, now[i], to, tsc + stage * 100);
            now[i] = to;
        }
    }
    for (uint32_t cpu = 0; cpu < MAX_CPUS; cpu++) {
        const uint32_t head[3] = {2u << 28 | CPU_CHANGE, cpu, (uint32_t)window[cpu].size};
        if (window[cpu].size && (fwrite(head, sizeof head, 1, stdout) != 1 ||
                                 fwrite(window[cpu].bytes, window[cpu].size, 1, stdout) != 1))
            return fault("output");
    }
    return 0;
}

static void shift(struct bytes *all, uint64_t by)
{
    struct xm_record record;
    for (size_t at = 0, used; (used = step(all, at, &record)); at += used) {
        if (!record.has_tsc)
            continue;
        record.tsc.v += by;
        xm_record_write(&record, all->at + at, used);
    }
}

int main(int argc, char **argv)
{
    static struct trace trace;
    char *end = NULL;
    unsigned long times = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
    if (!times || *end) {
        fprintf(stderr, "usage: repeat TRACE TIMES > LONG\n");
        return 2;
    }
    if (read_whole(argv[1], &trace.all) || survey(&trace))
        return 1;
    uint64_t by = trace.last_tsc - trace.first_tsc + SEAM_CYCLES;
    for (unsigned long i = 0; i < times; i++) {
        if (fwrite(trace.all.at, 1, trace.all.size, stdout) != trace.all.size)
            return fault("output");
        if (i + 1 < times && write_seam(&trace, trace.last_tsc + i * by))
            return 1;
        shift(&trace.all, by);
    }
    free(trace.all.at);
    return fflush(stdout) ? fault("output") : 0;
}
