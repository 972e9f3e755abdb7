/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor itself says a vCPU has had, to hold a live run against: a line of JSON per vCPU of every domain,
 *
 *     {"domid":1,"vcpu":0,"online":true,"running":false,"blocked":true,"cpu":1,"cpu_time_ns":0,
 *      "tsc_before":0,"tsc_after":0,"mono_ns":0}
 *
 * cpu_time_ns was true at some TSC between tsc_before and tsc_after; mono_ns is CLOCK_MONOTONIC right after.
 * For tests only: libxenctrl belongs to one version of Xen, and nothing that is installed may need it.
 *
 *     vcpu_times [DOMID...]      exit: 0, 1 a call failed, 3 no Xen here
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>
#include <xenctrl.h>

enum { DOMAINS_MAX = 1024 };

/* Ordered: neither the call before nor the one after may be seen to happen on the other side of the reading. */
static uint64_t tsc(void)
{
    _mm_lfence();
    uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

static const char *word(bool truth)
{
    return truth ? "true" : "false";
}

static bool print_vcpu(xc_interface *xen, uint32_t domid, uint32_t vcpu)
{
    xc_vcpuinfo_t info;
    struct timespec mono;
    uint64_t before = tsc();

    if (xc_vcpu_getinfo(xen, domid, vcpu, &info) != 0)
        return false;
    uint64_t after = tsc();

    clock_gettime(CLOCK_MONOTONIC, &mono);
    printf("{\"domid\":%" PRIu32 ",\"vcpu\":%" PRIu32 ",\"online\":%s,\"running\":%s,\"blocked\":%s,\"cpu\":%u,"
           "\"cpu_time_ns\":%" PRIu64 ",\"tsc_before\":%" PRIu64 ",\"tsc_after\":%" PRIu64 ",\"mono_ns\":%" PRIu64 "}\n",
           domid, vcpu, word(info.online), word(info.running), word(info.blocked), (unsigned)info.cpu,
           (uint64_t)info.cpu_time, before, after, (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec);
    return true;
}

static bool wanted(uint32_t domid, int count, char **domids)
{
    if (count == 0)
        return true;
    for (int i = 0; i < count; i++)
        if (strtoul(domids[i], NULL, 10) == domid)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static xc_dominfo_t domains[DOMAINS_MAX];
    xc_interface *xen = xc_interface_open(NULL, NULL, 0);

    if (!xen) {
        fprintf(stderr, "vcpu_times: no Xen here\n");
        return 3;
    }
    int count = xc_domain_getinfo(xen, 0, DOMAINS_MAX, domains);

    for (int i = 0; i < count; i++) {
        if (!wanted(domains[i].domid, argc - 1, argv + 1))
            continue;
        /* A domain may go while it is being asked about: then there is no line, and that is no failure. */
        for (uint32_t vcpu = 0; vcpu <= domains[i].max_vcpu_id; vcpu++)
            print_vcpu(xen, domains[i].domid, vcpu);
    }
    xc_interface_close(xen);
    if (count < 0 || fflush(stdout) != 0) {
        fprintf(stderr, "vcpu_times: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
