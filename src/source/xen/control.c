/* SPDX-License-Identifier: MIT */
#include "source/xen/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/xen/abi.h"

#define CPU_BYTES 2048u
#define PAGE_BYTES 4096u
#define MOST_VCPUS 8192u  /* of any domain in any Xen; more is nonsense */
#define DOMAINS_END 0x7ff0u /* ids from here on are Xen's own */

/* Everything a hypercall reads or writes: one page, which no call comes back from half written. */
struct scratch {
    union {
        struct abi_sysctl sysctl;
        uint8_t sysctl_room[256];
    };
    union {
        struct abi_domctl domctl;
        uint8_t domctl_room[256];
    };
    char extra[ABI_EXTRAVERSION_BYTES];
    uint8_t cpus[CPU_BYTES];
    union {
        struct abi_domain domain;
        uint8_t domain_room[ABI_DOMAIN_ROOM];
    };
};

struct xm_control {
    struct xm_hyper hyper; /* a copy: the table and its self are borrowed */
    struct scratch *scratch;
    uint32_t sysctl_version;
    uint32_t domctl_version; /* 0: none is accepted */
    uint32_t scheduler;      /* 0: not known */
    unsigned major, minor;   /* 0.0: not known */
    char hypervisor[32];
};

/* ---- Calls. */

static struct abi_sysctl *sysctl_of(struct xm_control *control, uint32_t command)
{
    struct abi_sysctl *sysctl = &control->scratch->sysctl;
    memset(sysctl, 0, sizeof *sysctl);
    sysctl->command = command;
    sysctl->version = control->sysctl_version;
    return sysctl;
}

static int call_sysctl(struct xm_control *control)
{
    return control->hyper.ops->sysctl(control->hyper.self, &control->scratch->sysctl);
}

static struct abi_tbuf *tbuf_of(struct xm_control *control, uint32_t command)
{
    struct abi_tbuf *tbuf = &sysctl_of(control, ABI_SYSCTL_TBUF)->u.tbuf;
    tbuf->command = command;
    return tbuf;
}

static struct abi_domctl *domctl_of(struct xm_control *control, uint32_t command, uint16_t domid)
{
    struct abi_domctl *domctl = &control->scratch->domctl;
    memset(domctl, 0, sizeof *domctl);
    domctl->command = command;
    domctl->version = control->domctl_version;
    domctl->domid = domid;
    return domctl;
}

static int call_domctl(struct xm_control *control)
{
    return control->hyper.ops->domctl(control->hyper.self, &control->scratch->domctl);
}

/* ---- Which hypervisor, which versions. */

static void read_version(struct xm_control *control)
{
    char *extra = control->scratch->extra;
    const struct xm_hyper_ops *ops = control->hyper.ops;
    int version = ops->version(control->hyper.self, ABI_VERSION, NULL);
    snprintf(control->hypervisor, sizeof control->hypervisor, "Xen");
    if (version <= 0)
        return;
    control->major = (unsigned)version >> 16;
    control->minor = (unsigned)version & 0xffff;
    if (ops->version(control->hyper.self, ABI_EXTRAVERSION, extra) < 0)
        extra[0] = 0;
    extra[ABI_EXTRAVERSION_BYTES - 1] = 0;
    /* It is printed: ".7", "-unstable"; "<denied>" where a policy hides it. */
    size_t plain = 0;
    while (extra[plain] > ' ' && extra[plain] <= '~' && extra[plain] != '<')
        plain++;
    snprintf(control->hypervisor, sizeof control->hypervisor, "Xen %u.%u%.*s", control->major,
             control->minor, (int)plain, extra);
}

/*
 * The one version that `command` is not refused under, newest first (only one can be accepted, the order
 * decides nothing else); -EACCES: none.  *error: what the call came to.
 */
static int probe_sysctl(struct xm_control *control, uint32_t command, int *error)
{
    for (uint32_t version = XM_SYSCTL_NEWEST; version >= XM_SYSCTL_OLDEST; version--) {
        struct abi_sysctl *sysctl = sysctl_of(control, command);
        sysctl->version = version;
        *error = call_sysctl(control);
        if (*error != -EACCES)
            return (int)version;
    }
    return -EACCES;
}

static bool older_than_supported(const struct xm_control *control)
{
    return control->major && (control->major < 4 || (control->major == 4 && control->minor < 7));
}

static enum xm_status all_refused(struct xm_control *control, struct xm_error *err)
{
    int error;
    /* FLASK's refusal is -EACCES too.  A harmless call that it allows tells it from an unknown version. */
    if (probe_sysctl(control, ABI_SYSCTL_SCHEDULER, &error) >= 0)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "%s's security policy (XSM/FLASK) does not let this domain trace",
                       control->hypervisor);
    if (older_than_supported(control))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "%s is too old: 4.7 is the oldest that can be read live",
                       control->hypervisor);
    return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                   "%s refuses every sysctl version from %#x to %#x: it is newer than this xenmon, or its "
                   "security policy (XSM/FLASK) forbids them all",
                   control->hypervisor, XM_SYSCTL_OLDEST, XM_SYSCTL_NEWEST);
}

/* Why a tracing call failed, in one line. */
static enum xm_status tbuf_failed(const struct xm_control *control, const char *what, int error,
                                  struct xm_error *err)
{
    switch (-error) {
    case ENOSYS:
    case EOPNOTSUPP:
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "%s was built without tracing (CONFIG_TRACEBUFFER)",
                       control->hypervisor);
    case EPERM:
    case EACCES:
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "%s does not let this domain %s: its security policy (XSM) forbids it",
                       control->hypervisor, what);
    default:
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s cannot %s: %s", control->hypervisor, what,
                       strerror(-error));
    }
}

static enum xm_status find_sysctl_version(struct xm_control *control, struct xm_error *err)
{
    int error;
    int version = probe_sysctl(control, ABI_SYSCTL_TBUF, &error);
    if (version < 0)
        return all_refused(control, err);
    if (error < 0)
        return tbuf_failed(control, "trace", error, err);
    control->sysctl_version = (uint32_t)version;
    /* An answer under a version that nobody knew when this was written has to make sense first. */
    struct xm_control_tbuf tbuf;
    return xm_control_tbuf(control, &tbuf, err);
}

static void find_domctl_version(struct xm_control *control)
{
    for (uint32_t version = XM_DOMCTL_NEWEST; version >= XM_DOMCTL_OLDEST; version--) {
        struct abi_domctl *domctl = domctl_of(control, ABI_DOMCTL_DOMAIN, 0);
        domctl->version = version;
        int error = call_domctl(control);
        if (error == -EACCES)
            continue;
        control->domctl_version = error < 0 ? 0 : version;
        return;
    }
}

static void find_scheduler(struct xm_control *control)
{
    const struct abi_sysctl *sysctl = sysctl_of(control, ABI_SYSCTL_SCHEDULER);
    control->scheduler = call_sysctl(control) < 0 ? 0 : sysctl->u.scheduler;
}

enum xm_status xm_control_open(const struct xm_hyper *hyper, struct xm_control **control,
                               struct xm_error *err)
{
    _Static_assert(sizeof(struct scratch) <= PAGE_BYTES, "one page");
    *control = NULL;
    struct xm_control *made = calloc(1, sizeof *made);
    if (made)
        made->scratch = hyper->ops->alloc(hyper->self, sizeof *made->scratch);
    if (!made || !made->scratch) {
        free(made);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory for hypercalls");
    }
    made->hyper = *hyper;
    read_version(made);
    enum xm_status status = find_sysctl_version(made, err);
    if (status != XM_OK) {
        xm_control_close(made);
        return status;
    }
    find_domctl_version(made);
    find_scheduler(made);
    *control = made;
    return XM_OK;
}

void xm_control_close(struct xm_control *control)
{
    if (!control)
        return;
    control->hyper.ops->release(control->hyper.self, control->scratch, sizeof *control->scratch);
    free(control);
}

/* ---- Tracing. */

enum xm_status xm_control_tbuf(struct xm_control *control, struct xm_control_tbuf *tbuf, struct xm_error *err)
{
    const struct abi_tbuf *op = tbuf_of(control, ABI_TBUF_INFO);
    int error = call_sysctl(control);
    *tbuf = (struct xm_control_tbuf){0};
    if (error < 0)
        return tbuf_failed(control, "say how it traces", error, err);
    tbuf->events = op->events;
    /* A size without a frame is left over from an allocation that failed. */
    if (op->frame == 0)
        return XM_OK;
    /* mfn_offset counts words in 16 bits and a list has at most 65535 of them: a larger table cannot be. */
    if (op->size == 0 || op->size % PAGE_BYTES != 0 || op->size > 2u * 65536u * 4u)
        return xm_fail(err, XM_IO, XM_NO_OFFSET,
                       "%s says nonsense of its trace buffers (a table of %u bytes at frame %#llx)",
                       control->hypervisor, op->size, (unsigned long long)op->frame);
    tbuf->info_bytes = op->size;
    tbuf->info_frame = op->frame;
    return XM_OK;
}

enum xm_status xm_control_allocate(struct xm_control *control, uint32_t pages, struct xm_error *err)
{
    char what[64];
    tbuf_of(control, ABI_TBUF_SIZE)->size = pages;
    int error = call_sysctl(control);
    if (error >= 0)
        return XM_OK;
    /* There is one size a boot: -EBUSY for the same again, -EINVAL for another, but for 0 pages too. */
    struct xm_control_tbuf tbuf;
    if (xm_control_tbuf(control, &tbuf, NULL) == XM_OK && tbuf.info_bytes)
        return XM_FULL;
    snprintf(what, sizeof what, "allocate trace buffers of %u pages for each CPU", pages);
    return tbuf_failed(control, what, error, err);
}

enum xm_status xm_control_events(struct xm_control *control, uint32_t mask, struct xm_error *err)
{
    tbuf_of(control, ABI_TBUF_EVENTS)->events = mask;
    int error = call_sysctl(control);
    return error < 0 ? tbuf_failed(control, "set the mask of events", error, err) : XM_OK;
}

enum xm_status xm_control_cpus(struct xm_control *control, const uint8_t *bitmap, uint32_t bits,
                               struct xm_error *err)
{
    uint8_t *cpus = control->scratch->cpus;
    if (!bitmap || bits > 8 * CPU_BYTES)
        bits = 8 * CPU_BYTES;
    if (bitmap)
        memcpy(cpus, bitmap, (bits + 7) / 8);
    else
        memset(cpus, 0xff, CPU_BYTES);
    struct abi_tbuf *op = tbuf_of(control, ABI_TBUF_CPUS);
    op->cpus = (uintptr_t)cpus;
    op->cpus_bits = bits;
    int error = call_sysctl(control);
    return error < 0 ? tbuf_failed(control, "set the mask of CPUs", error, err) : XM_OK;
}

enum xm_status xm_control_enable(struct xm_control *control, bool on, struct xm_error *err)
{
    tbuf_of(control, on ? ABI_TBUF_ENABLE : ABI_TBUF_DISABLE);
    int error = call_sysctl(control);
    if (error < 0)
        return tbuf_failed(control, on ? "switch tracing on" : "switch tracing off", error, err);
    return XM_OK;
}

/* ---- The host. */

static const char *scheduler_name(uint32_t scheduler)
{
    switch (scheduler) {
    case ABI_CREDIT: return "credit";
    case ABI_CREDIT2: return "credit2";
    case ABI_ARINC653: return "arinc653";
    case ABI_RTDS: return "rtds";
    case ABI_NULL: return "null";
    default: return "";
    }
}

void xm_control_host(struct xm_control *control, struct xm_control_host *host)
{
    *host = (struct xm_control_host){.sysctl_version = control->sysctl_version,
                                     .domctl_version = control->domctl_version};
    memcpy(host->hypervisor, control->hypervisor, sizeof host->hypervisor);
    snprintf(host->scheduler, sizeof host->scheduler, "%s", scheduler_name(control->scheduler));
    const struct abi_physinfo *info = &sysctl_of(control, ABI_SYSCTL_PHYSINFO)->u.physinfo;
    if (call_sysctl(control) < 0)
        return;
    host->tsc_hz = (uint64_t)info->khz * 1000;
    host->cpus = info->cpus;
    host->max_cpu = info->max_cpu;
}

/* ---- Domains. */

/* False where that is not the scheduler of the domain's pool. */
static bool read_weight(struct xm_control *control, uint32_t scheduler, struct xm_control_domain *domain)
{
    struct abi_domctl *domctl = domctl_of(control, ABI_DOMCTL_SCHEDULER, domain->domid);
    domctl->u.scheduler.scheduler = scheduler;
    domctl->u.scheduler.command = ABI_SCHEDULER_GET;
    if (call_domctl(control) < 0)
        return false;
    domain->weight = domctl->u.scheduler.weight;
    domain->cap = domctl->u.scheduler.cap;
    return true;
}

static void find_weight(struct xm_control *control, struct xm_control_domain *domain)
{
    if (!control->domctl_version)
        return;
    uint32_t likely = control->scheduler == ABI_CREDIT ? ABI_CREDIT : ABI_CREDIT2;
    if (!read_weight(control, likely, domain))
        (void)read_weight(control, likely == ABI_CREDIT ? ABI_CREDIT2 : ABI_CREDIT, domain);
}

static void take_domain(const struct xm_control *control, const struct abi_domain *from,
                        struct xm_control_domain *to)
{
    uint32_t hvm = ABI_DOMAIN_HVM | (control->sysctl_version <= ABI_DOMAIN_PVH_LAST ? ABI_DOMAIN_PVH : 0);
    *to = (struct xm_control_domain){.domid = from->domid,
                                     .dying = from->flags & ABI_DOMAIN_DYING,
                                     .paused = from->flags & ABI_DOMAIN_PAUSED,
                                     .shut_down = from->flags & ABI_DOMAIN_SHUT_DOWN,
                                     .hvm = from->flags & hvm,
                                     .cpu_ns = from->cpu_ns};
    memcpy(to->handle, from->handle, sizeof to->handle);
    if (from->max_vcpu >= MOST_VCPUS) /* ABI_NO_VCPU too */
        return;
    to->vcpus = from->max_vcpu + 1;
    to->online = from->online < to->vcpus ? from->online : to->vcpus;
}

enum xm_status xm_control_domain(struct xm_control *control, uint32_t first, struct xm_control_domain *domain)
{
    memset(domain, 0, sizeof *domain);
    if (first >= DOMAINS_END)
        return XM_END;
    /*
     * The list of one domain from sysctl: domctl's getdomaininfo went on to the next higher id only until
     * 4.17.  With one structure asked for, it does not matter how long the hypervisor's is.
     */
    const struct abi_domain *from = &control->scratch->domain;
    struct abi_domains *list = &sysctl_of(control, ABI_SYSCTL_DOMAINS)->u.domains;
    memset(control->scratch->domain_room, 0, ABI_DOMAIN_ROOM);
    list->first = (uint16_t)first;
    list->room = 1;
    list->buffer = (uintptr_t)from;
    int error = call_sysctl(control);
    if (error == -EPERM || error == -EACCES || error == -ENOSYS)
        return XM_UNSUPPORTED;
    if (error < 0 || list->count > 1)
        return XM_IO;
    if (list->count == 0)
        return XM_END;
    if (from->domid < first || from->domid >= DOMAINS_END)
        return XM_IO; /* going on from there would never end */
    take_domain(control, from, domain);
    find_weight(control, domain);
    return XM_OK;
}

enum xm_status xm_control_vcpu(struct xm_control *control, uint32_t domid, uint32_t vcpu,
                               struct xm_control_vcpu *info)
{
    *info = (struct xm_control_vcpu){0};
    if (domid >= DOMAINS_END)
        return XM_END;
    if (!control->domctl_version)
        return XM_UNSUPPORTED;
    struct abi_domctl *domctl = domctl_of(control, ABI_DOMCTL_VCPU, (uint16_t)domid);
    domctl->u.vcpu.vcpu = vcpu;
    int error = call_domctl(control);
    /* -EINVAL: it never had so many; since 4.22 that is -ENOENT. */
    if (error == -ESRCH || error == -EINVAL || error == -ENOENT)
        return XM_END;
    if (error < 0)
        return XM_IO;
    *info = (struct xm_control_vcpu){.online = domctl->u.vcpu.online,
                                     .blocked = domctl->u.vcpu.blocked,
                                     .running = domctl->u.vcpu.running,
                                     .cpu = domctl->u.vcpu.cpu,
                                     .cpu_ns = domctl->u.vcpu.cpu_ns};
    return XM_OK;
}
