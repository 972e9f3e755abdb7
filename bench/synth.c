/* SPDX-License-Identifier: MIT */
/*
 * Makes a trace of any size: pCPUs that switch between their vCPUs in turn, in the records and the order in which
 * Xen 4.17 writes a switch.  Every second vCPU blocks when it leaves and is woken before its next turn; two vCPUs a
 * domain.  At 2 GHz, a switch every 25 us.
 *
 *     synth VCPUS PCPUS RECORDS > TRACE
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenmon/trace.h"

#define HZ UINT64_C(2000000000)
#define SWITCH_CYCLES UINT64_C(50000) /* 25 us */
#define SLICE_NS 10000000u
#define SWITCHES_A_WINDOW 100u
#define RECORDS_A_SWITCH 6u

#define RUNSTATE(from, to) (0x00021001u | (uint32_t)(from) << 8 | (uint32_t)(to) << 4)
#define INFPREV 0x0002800eu
#define INFNEXT 0x0002800fu
#define SWITCH 0x0002800au
#define WAKE 0x00028004u
#define CPU_CHANGE 0x0001f003u

struct window {
    unsigned char bytes[SWITCHES_A_WINDOW * (RECORDS_A_SWITCH + 1) * XM_RECORD_MAX_BYTES];
    size_t size;
    uint64_t records;
};

static uint32_t domain_of(uint32_t vcpu)
{
    return 1 + vcpu / 2;
}

static uint32_t number_of(uint32_t vcpu)
{
    return vcpu % 2;
}

static void put(struct window *window, uint32_t event, uint64_t tsc, uint8_t words, const uint32_t *word)
{
    struct xm_record record = {.event = event, .has_tsc = true, .words = words, .tsc = {tsc}};
    memcpy(record.word, word, words * sizeof *word);
    window->size += xm_record_write(&record, window->bytes + window->size, sizeof window->bytes - window->size);
    window->records++;
}

/* One switch on a pCPU from `prev` to `next`, which both are its own. */
static void put_switch(struct window *window, uint64_t tsc, uint32_t prev, uint32_t next)
{
    uint32_t pd = domain_of(prev), pv = number_of(prev), nd = domain_of(next), nv = number_of(next);
    uint32_t p = pd << 16 | pv, n = nd << 16 | nv;
    enum xm_runstate left = pv ? XM_BLOCKED : XM_RUNNABLE;
    if (nv) {
        put(window, RUNSTATE(XM_BLOCKED, XM_RUNNABLE), tsc - SWITCH_CYCLES / 2, 1, &n);
        put(window, WAKE, tsc - SWITCH_CYCLES / 2, 2, (uint32_t[]){nd, nv});
    }
    put(window, INFPREV, tsc, 3, (uint32_t[]){pd, pv, (uint32_t)(SWITCH_CYCLES * XM_NS_PER_S / HZ)});
    put(window, INFNEXT, tsc, 4, (uint32_t[]){nd, nv, 0, SLICE_NS});
    put(window, SWITCH, tsc, 4, (uint32_t[]){pd, pv, nd, nv});
    put(window, RUNSTATE(XM_RUNNING, left), tsc + 100, 1, &p);
    put(window, RUNSTATE(XM_RUNNABLE, XM_RUNNING), tsc + 200, 1, &n);
}

static int write_window(const struct window *window, uint32_t pcpu)
{
    struct xm_record change = {.event = CPU_CHANGE, .words = 2, .word = {pcpu, (uint32_t)window->size}};
    unsigned char head[XM_RECORD_MAX_BYTES];
    size_t size = xm_record_write(&change, head, sizeof head);
    return fwrite(head, 1, size, stdout) == size && fwrite(window->bytes, 1, window->size, stdout) == window->size;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    return *end ? 0 : value;
}

int main(int argc, char **argv)
{
    static struct window window;
    uint32_t vcpus = argc == 4 ? (uint32_t)number(argv[1]) : 0, pcpus = argc == 4 ? (uint32_t)number(argv[2]) : 0;
    uint64_t records = argc == 4 ? number(argv[3]) : 0, written = 0;
    if (!pcpus || vcpus < 2 * pcpus || vcpus > 30000 || !records) {
        fprintf(stderr, "usage: synth VCPUS PCPUS RECORDS > TRACE     (at least two vCPUs a pCPU)\n");
        return 2;
    }
    for (uint64_t turn = 1; written < records; turn += SWITCHES_A_WINDOW) {
        for (uint32_t pcpu = 0; pcpu < pcpus && written < records; pcpu++) {
            uint32_t own = (vcpus - pcpu - 1) / pcpus + 1; /* vCPUs pcpu, pcpu + pcpus, ... are this pCPU's */
            window.size = window.records = 0;
            for (uint64_t i = turn; i < turn + SWITCHES_A_WINDOW; i++)
                put_switch(&window, (i + 1) * SWITCH_CYCLES + pcpu, pcpu + (uint32_t)((i - 1) % own) * pcpus,
                           pcpu + (uint32_t)(i % own) * pcpus);
            written += window.records;
            if (!write_window(&window, pcpu))
                return 1;
        }
    }
    return fflush(stdout) ? 1 : 0;
}
