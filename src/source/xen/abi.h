/* SPDX-License-Identifier: MIT */
/*
 * The structures of the hypercalls that control.c makes, written from Xen's public headers (sysctl.h,
 * domctl.h, version.h) and not taken from the build machine's, which are of one version.
 *
 * Every offset below was compared with those of the public headers of 4.7.0, 4.8.0, 4.9.0, ... 4.21.0 and
 * 4.22.0 (the .0 of each release), compiled for x86-64 and for 64-bit Arm: all are the same.  What differs
 * between versions is not declared: the ends of physinfo and getdomaininfo, and the meaning of the domain
 * flags from bit 7 on.
 */
#ifndef XM_ABI_H
#define XM_ABI_H

#include <stddef.h>
#include <stdint.h>

enum abi_sysctl_command {
    ABI_SYSCTL_TBUF = 2,
    ABI_SYSCTL_PHYSINFO = 3,
    ABI_SYSCTL_SCHEDULER = 4,
    ABI_SYSCTL_DOMAINS = 6
};

enum abi_tbuf_command {
    ABI_TBUF_INFO = 0,
    ABI_TBUF_CPUS = 1,
    ABI_TBUF_EVENTS = 2,
    ABI_TBUF_SIZE = 3,
    ABI_TBUF_ENABLE = 4,
    ABI_TBUF_DISABLE = 5
};

enum abi_scheduler { ABI_CREDIT = 5, ABI_CREDIT2 = 6, ABI_ARINC653 = 7, ABI_RTDS = 8, ABI_NULL = 9 };

struct abi_tbuf {
    uint32_t command;
    uint32_t gap;
    uint64_t cpus;      /* address of the bitmap */
    uint32_t cpus_bits;
    uint32_t gap2;
    uint32_t events;
    uint32_t gap3;
    uint64_t frame;     /* of t_info */
    uint32_t size;      /* in: pages of each buffer (ABI_TBUF_SIZE); out: bytes of t_info (ABI_TBUF_INFO) */
};

struct abi_physinfo {
    uint32_t threads_per_core, cores_per_socket;
    uint32_t cpus;      /* online */
    uint32_t max_cpu;
    uint32_t nodes, max_node;
    uint32_t khz;
};

struct abi_domains {
    uint16_t first;
    uint16_t gap;
    uint32_t room;      /* structures in the buffer */
    uint64_t buffer;
    uint32_t count;
};

struct abi_sysctl {
    uint32_t command;
    uint32_t version;
    union {
        struct abi_tbuf tbuf;
        struct abi_physinfo physinfo;
        struct abi_domains domains;
        uint32_t scheduler;
        uint8_t pad[128];
    } u;
};

/* getdomaininfo's beginning; the whole is 96 to 120 bytes long, by version. */
struct abi_domain {
    uint16_t domid;
    uint16_t gap;
    uint32_t flags;
    uint64_t pages[5];
    uint64_t shared_info_frame;
    uint64_t cpu_ns;
    uint32_t online;
    uint32_t max_vcpu;  /* ABI_NO_VCPU: there are none */
    uint32_t security;
    uint8_t handle[16];
};
#define ABI_DOMAIN_ROOM 1024u /* for one of them, of versions not written yet too */
#define ABI_NO_VCPU UINT32_MAX

#define ABI_DOMAIN_DYING (1u << 0)
#define ABI_DOMAIN_HVM (1u << 1)
#define ABI_DOMAIN_SHUT_DOWN (1u << 2)
#define ABI_DOMAIN_PAUSED (1u << 3)
#define ABI_DOMAIN_PVH (1u << 7) /* 4.7 and 4.8, sysctl versions up to 0x0e; since then another flag */
#define ABI_DOMAIN_PVH_LAST 0x0eu

enum abi_domctl_command { ABI_DOMCTL_DOMAIN = 5, ABI_DOMCTL_VCPU = 14, ABI_DOMCTL_SCHEDULER = 16 };

#define ABI_SCHEDULER_GET 1u

struct abi_domctl {
    uint32_t command;
    uint32_t version;
    uint16_t domid;
    uint16_t gap[3];
    union {
        struct {
            uint32_t scheduler;
            uint32_t command;
            uint16_t weight; /* credit, credit2 */
            uint16_t cap;    /* credit; credit2 since 4.10, before that it is left as it was */
        } scheduler;
        struct {
            uint32_t vcpu;
            uint8_t online, blocked, running;
            uint8_t gap;
            uint64_t cpu_ns;
            uint32_t cpu;
        } vcpu;
        uint8_t pad[128];
    } u;
};

enum abi_version_command { ABI_VERSION = 0, ABI_EXTRAVERSION = 1 };
#define ABI_EXTRAVERSION_BYTES 16u

#define ABI_AT(structure, member, at) _Static_assert(offsetof(struct structure, member) == (at), #member)
ABI_AT(abi_sysctl, u.tbuf.command, 8);
ABI_AT(abi_sysctl, u.tbuf.cpus, 16);
ABI_AT(abi_sysctl, u.tbuf.cpus_bits, 24);
ABI_AT(abi_sysctl, u.tbuf.events, 32);
ABI_AT(abi_sysctl, u.tbuf.frame, 40);
ABI_AT(abi_sysctl, u.tbuf.size, 48);
ABI_AT(abi_sysctl, u.physinfo.cpus, 16);
ABI_AT(abi_sysctl, u.physinfo.max_cpu, 20);
ABI_AT(abi_sysctl, u.physinfo.khz, 32);
ABI_AT(abi_sysctl, u.scheduler, 8);
ABI_AT(abi_sysctl, u.domains.first, 8);
ABI_AT(abi_sysctl, u.domains.room, 12);
ABI_AT(abi_sysctl, u.domains.buffer, 16);
ABI_AT(abi_sysctl, u.domains.count, 24);
ABI_AT(abi_domain, flags, 4);
ABI_AT(abi_domain, cpu_ns, 56);
ABI_AT(abi_domain, online, 64);
ABI_AT(abi_domain, max_vcpu, 68);
ABI_AT(abi_domain, handle, 76);
ABI_AT(abi_domctl, domid, 8);
ABI_AT(abi_domctl, u.scheduler.scheduler, 16);
ABI_AT(abi_domctl, u.scheduler.command, 20);
ABI_AT(abi_domctl, u.scheduler.weight, 24);
ABI_AT(abi_domctl, u.scheduler.cap, 26);
ABI_AT(abi_domctl, u.vcpu.vcpu, 16);
ABI_AT(abi_domctl, u.vcpu.online, 20);
ABI_AT(abi_domctl, u.vcpu.blocked, 21);
ABI_AT(abi_domctl, u.vcpu.running, 22);
ABI_AT(abi_domctl, u.vcpu.cpu_ns, 24);
ABI_AT(abi_domctl, u.vcpu.cpu, 32);
_Static_assert(sizeof(struct abi_sysctl) == 136 && sizeof(struct abi_domctl) == 144, "what Xen copies back");

#endif
