/* SPDX-License-Identifier: MIT */
#include "fakexen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "support.h"
#include "trace/ring.h"

#define PAGE 4096u
#define INFO_FRAME UINT64_C(0x41000)    /* t_info's frames go up from here, */
#define BUFFER_FRAME UINT64_C(0x7ffff0) /* those of the buffers down: no two pages of one follow each other */
#define MEMORIES 16u
#define IDLE_DOMAIN 32767u

/* What differs between versions. */
struct model {
    uint16_t minor;
    const char *extra;
    uint32_t sysctl, domctl;
    uint32_t info_bytes;  /* sizeof(struct xen_domctl_getdomaininfo), x86-64 */
    uint32_t pvh, stores; /* bits of its flags */
    bool next_domain;     /* domctl getdomaininfo goes on to the next id */
    bool credit2_cap;
    int no_vcpu;          /* what asking for one that is not there gives */
};

#define HVM (1u << 1)
static const struct model models[] = {
    [FAKEXEN_4_6] = {6, ".6", 0x0c, 0x0a, 96, 1u << 7, 1u << 8, true, false, -EINVAL},
    [FAKEXEN_4_7] = {7, ".0", 0x0d, 0x0b, 96, 1u << 7, 1u << 8, true, false, -EINVAL},
    [FAKEXEN_4_11] = {11, ".4", 0x11, 0x10, 104, HVM, 1u << 7, true, true, -EINVAL},
    [FAKEXEN_4_14] = {14, ".6", 0x13, 0x12, 104, HVM, 1u << 7, true, true, -EINVAL},
    [FAKEXEN_4_17] = {17, ".7", 0x15, 0x15, 112, HVM, 1u << 7, true, true, -EINVAL},
    [FAKEXEN_4_20] = {20, ".0", 0x15, 0x17, 112, HVM, 1u << 7, false, true, -EINVAL},
    [FAKEXEN_4_21] = {21, ".1", 0x16, 0x17, 112, HVM, 1u << 7, false, true, -EINVAL},
    [FAKEXEN_4_22] = {22, ".0-rc", 0x16, 0x18, 112, HVM, 1u << 7, false, true, -ENOENT},
    [FAKEXEN_NEXT] = {23, "-unstable", 0x17, 0x19, 160, HVM, 1u << 7, false, true, -ENOENT},
    [FAKEXEN_FAR] = {40, ".0", 0x40, 0x40, 160, HVM, 1u << 7, false, true, -ENOENT},
};

struct cpu {
    struct xm_ring_producer ring;
    atomic_bool has;     /* a buffer */
    atomic_bool traced;  /* the CPU mask */
    atomic_bool forget;  /* switching tracing off forgets what was lost */
    uint64_t tsc;        /* of its last record */
    uint32_t current;    /* vcpu << 16 | dom */
};

struct fakexen {
    struct fakexen_config config;
    const struct model *model;
    struct fakexen_refusals refusals;

    int file;                 /* every page that is shared, so that it can be mapped in any order */
    unsigned char *pages;     /* all of it, as the hypervisor sees it */
    uint32_t info_pages, buffer_pages_all;
    _Atomic uint32_t size;    /* pages of each buffer; 0: none.  Stored with release once they are there */
    _Atomic uint32_t events;
    atomic_bool enabled;
    struct cpu cpu[FAKEXEN_CPUS];

    int event;
    atomic_bool bound;
    bool other_bound;
    _Atomic uint64_t virqs;

    struct {
        unsigned char *at;
        size_t bytes;
    } memory[MEMORIES];
    unsigned mappings, maps_done, opened;
    uint64_t sysctls, domctls;
    struct fakexen_domain domain[FAKEXEN_DOMAINS]; /* ascending */
    unsigned domains;
};

/* ---- Bytes as guests' handles lead to them. */

static uint16_t get16(const void *p, unsigned at)
{
    uint16_t v;
    memcpy(&v, (const char *)p + at, sizeof v);
    return v;
}

static uint32_t get32(const void *p, unsigned at)
{
    uint32_t v;
    memcpy(&v, (const char *)p + at, sizeof v);
    return v;
}

static uint64_t get64(const void *p, unsigned at)
{
    uint64_t v;
    memcpy(&v, (const char *)p + at, sizeof v);
    return v;
}

static void put16(void *p, unsigned at, uint16_t v)
{
    memcpy((char *)p + at, &v, sizeof v);
}

static void put32(void *p, unsigned at, uint32_t v)
{
    memcpy((char *)p + at, &v, sizeof v);
}

static void put64(void *p, unsigned at, uint64_t v)
{
    memcpy((char *)p + at, &v, sizeof v);
}

/* A hypercall reaches memory of alloc only: elsewhere a page might not be there. */
static bool reachable(const struct fakexen *fake, uint64_t address, size_t bytes)
{
    for (unsigned i = 0; i < MEMORIES; i++) {
        uint64_t begin = (uintptr_t)fake->memory[i].at;
        if (begin && address >= begin && address - begin <= fake->memory[i].bytes &&
            bytes <= fake->memory[i].bytes - (address - begin))
            return true;
    }
    return false;
}

/* ---- Allocating the buffers. */

static uint32_t first_list(void)
{
    return (2 + 2 * FAKEXEN_CPUS + 3) / 4; /* in words, behind an array of NR_CPUS offsets */
}

static bool online(const struct fakexen *fake, uint32_t cpu)
{
    return cpu < fake->config.cpus && !fake->config.offline[cpu];
}

static uint32_t online_count(const struct fakexen *fake)
{
    uint32_t count = 0;
    for (uint32_t cpu = 0; cpu < fake->config.cpus; cpu++)
        count += online(fake, cpu);
    return count;
}

static void write_info(struct fakexen *fake, uint32_t pages)
{
    uint32_t page = fake->info_pages;
    put16(fake->pages, 0, (uint16_t)pages);
    for (uint32_t cpu = 0; cpu < fake->config.cpus; cpu++) {
        uint32_t words = first_list() + cpu * pages;
        if (!online(fake, cpu))
            continue;
        put16(fake->pages, 2 + 2 * cpu, (uint16_t)words);
        if (xm_ring_produce(&fake->cpu[cpu].ring, fake->pages + (size_t)page * PAGE, pages) != XM_OK)
            xt_die("fakexen: a buffer of %u pages", pages);
        fake->cpu[cpu].has = true;
        for (uint32_t i = 0; i < pages; i++, page++)
            put32(fake->pages, 4 * (words + i), (uint32_t)(BUFFER_FRAME - (page - fake->info_pages)));
    }
}

static int allocate(struct fakexen *fake, uint32_t pages)
{
    uint32_t now = atomic_load(&fake->size), cpus = fake->config.cpus;
    if (now)
        return now == pages ? -EBUSY : -EINVAL;
    if (pages == 0)
        return -EINVAL;
    uint32_t most = (65535 - first_list()) / (cpus > 1 ? cpus - 1 : 1);
    pages = pages > most ? most : pages;
    fake->info_pages = ((first_list() + cpus * pages) * 4 + PAGE - 1) / PAGE;
    fake->buffer_pages_all = online_count(fake) * pages;
    size_t bytes = (size_t)(fake->info_pages + fake->buffer_pages_all) * PAGE;
    fake->file = memfd_create("fakexen", MFD_CLOEXEC);
    if (fake->file < 0 || ftruncate(fake->file, (off_t)bytes) != 0)
        xt_die("fakexen: no memory for %zu bytes", bytes);
    fake->pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fake->file, 0);
    if (fake->pages == MAP_FAILED)
        xt_die("fakexen: no mapping of %zu bytes", bytes);
    write_info(fake, pages);
    atomic_store_explicit(&fake->size, pages, memory_order_release);
    atomic_store(&fake->enabled, true);
    return 0;
}

/* ---- sysctl. */

static int set_cpus(struct fakexen *fake, const void *op)
{
    uint64_t bitmap = get64(op, 16);
    uint32_t bits = get32(op, 24);
    uint32_t take = bits < FAKEXEN_CPUS ? bits : FAKEXEN_CPUS;
    if (take && !reachable(fake, bitmap, (take + 7) / 8))
        return -EFAULT;
    const uint8_t *byte = (const uint8_t *)(uintptr_t)bitmap;
    for (uint32_t cpu = 0; cpu < FAKEXEN_CPUS; cpu++)
        atomic_store(&fake->cpu[cpu].traced, cpu < take && (byte[cpu / 8] >> cpu % 8 & 1));
    return 0;
}

static int set_enabled(struct fakexen *fake, bool on)
{
    if (on && atomic_load(&fake->size) == 0)
        return -EINVAL;
    atomic_store(&fake->enabled, on);
    for (uint32_t cpu = 0; !on && cpu < FAKEXEN_CPUS; cpu++)
        atomic_store(&fake->cpu[cpu].forget, true);
    return 0;
}

static int tbuf_op(struct fakexen *fake, void *op)
{
    const struct fakexen_refusals *no = &fake->refusals;
    if (no->tbuf)
        return -no->tbuf;
    switch (get32(op, 8)) {
    case 0:
        put32(op, 32, atomic_load(&fake->events));
        put64(op, 40, atomic_load(&fake->size) ? INFO_FRAME : 0);
        put32(op, 48, fake->info_pages * PAGE);
        return 0;
    case 1:
        return no->cpus ? -no->cpus : set_cpus(fake, op);
    case 2:
        if (!no->events)
            atomic_store(&fake->events, get32(op, 32));
        return -no->events;
    case 3:
        if (no->allocate) {
            fake->info_pages = 1; /* as Xen, which has worked its size out by then */
            return -no->allocate;
        }
        return allocate(fake, get32(op, 48));
    case 4:
        return no->enable ? -no->enable : set_enabled(fake, true);
    case 5:
        return set_enabled(fake, false);
    default:
        return -EINVAL;
    }
}

static int physinfo(const struct fakexen *fake, void *op)
{
    memset((char *)op + 8, 0xa5, 128);
    put32(op, 16, online_count(fake));
    put32(op, 20, fake->config.cpus - 1);
    put32(op, 32, fake->config.khz);
    return -fake->refusals.physinfo;
}

static const struct fakexen_domain *domain_from(const struct fakexen *fake, uint32_t first)
{
    for (unsigned i = 0; i < fake->domains; i++)
        if (fake->domain[i].domid >= first)
            return &fake->domain[i];
    return NULL;
}

static void write_domain(const struct fakexen *fake, const struct fakexen_domain *domain, void *info)
{
    const struct model *model = fake->model;
    memset(info, 0xa5, model->info_bytes); /* what nobody said is there may be anything */
    put16(info, 0, domain->domid);
    put32(info, 4, (domain->dying ? 1u << 0 : 0) | (domain->shut_down ? 1u << 2 : 0) |
          (domain->paused ? 1u << 3 : 1u << 5) | 1u << 16 |
          (domain->hvm ? HVM : 0) | (domain->pvh ? model->pvh : 0) | (domain->stores ? model->stores : 0));
    put64(info, 56, domain->cpu_ns);
    put32(info, 64, domain->online);
    put32(info, 68, domain->vcpus - 1); /* ~0 for none, as Xen has it */
    for (unsigned i = 0; i < 16; i++)
        ((unsigned char *)info)[76 + i] = (unsigned char)(domain->domid + i);
}

static int list_domains(const struct fakexen *fake, void *op)
{
    uint32_t room = get32(op, 12), count = 0, first = get16(op, 8);
    uint64_t buffer = get64(op, 16);
    const struct fakexen_domain *domain;
    if (fake->refusals.list)
        return -fake->refusals.list;
    while (count < room && (domain = domain_from(fake, first)) != NULL) {
        uint64_t at = buffer + (uint64_t)count * fake->model->info_bytes;
        if (!reachable(fake, at, fake->model->info_bytes))
            return -EFAULT;
        write_domain(fake, domain, (void *)(uintptr_t)at);
        first = domain->domid + 1u;
        count++;
    }
    put32(op, 24, count);
    return 0;
}

static int fake_sysctl(void *self, void *op)
{
    struct fakexen *fake = self;
    fake->sysctls++;
    if (fake->refusals.sysctl)
        return -fake->refusals.sysctl;
    if (!reachable(fake, (uintptr_t)op, 136))
        return -EFAULT;
    if (get32(op, 4) != fake->model->sysctl)
        return -EACCES;
    switch (get32(op, 0)) {
    case 2:
        return tbuf_op(fake, op);
    case 3:
        return physinfo(fake, op);
    case 4:
        put32(op, 8, fake->config.scheduler);
        return -fake->refusals.scheduler;
    case 6:
        return list_domains(fake, op);
    default:
        return -ENOSYS;
    }
}

/* ---- domctl. */

static int scheduler_op(const struct fakexen *fake, const struct fakexen_domain *domain, void *op)
{
    uint32_t scheduler = domain->scheduler ? domain->scheduler : fake->config.scheduler;
    if (fake->refusals.weight)
        return -fake->refusals.weight;
    if (get32(op, 16) != scheduler || get32(op, 20) > 3)
        return -EINVAL;
    if (scheduler != FAKEXEN_CREDIT && scheduler != FAKEXEN_CREDIT2)
        return -EINVAL;
    if (get32(op, 20) != 1)
        return -EOPNOTSUPP; /* this one is only ever asked */
    put16(op, 24, domain->weight);
    if (scheduler == FAKEXEN_CREDIT || fake->model->credit2_cap)
        put16(op, 26, domain->cap);
    return 0;
}

static int vcpu_info(const struct fakexen *fake, const struct fakexen_domain *domain, void *op)
{
    uint32_t vcpu = get32(op, 16);
    if (vcpu >= domain->vcpus)
        return fake->model->no_vcpu;
    unsigned char *byte = op;
    byte[20] = vcpu < domain->online;
    byte[21] = vcpu < 64 && domain->blocked >> vcpu & 1;
    byte[22] = vcpu < 64 && domain->running >> vcpu & 1;
    put64(op, 24, fakexen_cpu_ns(domain->domid, vcpu));
    put32(op, 32, vcpu % fake->config.cpus);
    return 0;
}

static int fake_domctl(void *self, void *op)
{
    struct fakexen *fake = self;
    fake->domctls++;
    if (fake->refusals.domctl)
        return -fake->refusals.domctl;
    if (!reachable(fake, (uintptr_t)op, 144))
        return -EFAULT;
    if (get32(op, 4) != fake->model->domctl)
        return -EACCES;
    uint16_t domid = get16(op, 8);
    const struct fakexen_domain *domain = domain_from(fake, domid);
    bool exact = domain && domain->domid == domid;
    switch (get32(op, 0)) {
    case 5:
        if (!domain || (!exact && !fake->model->next_domain))
            return -ESRCH;
        unsigned char info[160];
        write_domain(fake, domain, info);
        memcpy((char *)op + 16, info, fake->model->info_bytes < 128 ? fake->model->info_bytes : 128);
        put16(op, 8, domain->domid);
        return 0;
    case 14:
        return exact ? vcpu_info(fake, domain, op) : -ESRCH;
    case 16:
        return exact ? scheduler_op(fake, domain, op) : -ESRCH;
    default:
        return exact ? -ENOSYS : -ESRCH;
    }
}

/* ---- The rest of the table of calls. */

static int fake_version(void *self, unsigned command, void *buffer)
{
    struct fakexen *fake = self;
    if (fake->refusals.version)
        return -fake->refusals.version;
    if (command == 0)
        return 4 << 16 | fake->model->minor;
    if (command != 1)
        return -ENOSYS;
    if (!reachable(fake, (uintptr_t)buffer, 16))
        return -EFAULT;
    memset(buffer, 0, 16);
    memcpy(buffer, fake->model->extra, strlen(fake->model->extra));
    return 0;
}

static void *fake_alloc(void *self, size_t bytes)
{
    struct fakexen *fake = self;
    if (fake->refusals.memory)
        return NULL;
    for (unsigned i = 0; i < MEMORIES; i++) {
        if (fake->memory[i].at)
            continue;
        fake->memory[i].bytes = bytes;
        return fake->memory[i].at = calloc(1, bytes);
    }
    return NULL;
}

static void fake_release(void *self, void *memory, size_t bytes)
{
    struct fakexen *fake = self;
    for (unsigned i = 0; i < MEMORIES; i++) {
        if (fake->memory[i].at != memory)
            continue;
        if (fake->memory[i].bytes != bytes)
            xt_die("fakexen: memory of %zu bytes released as %zu", fake->memory[i].bytes, bytes);
        free(memory);
        fake->memory[i].at = NULL;
        return;
    }
    xt_die("fakexen: memory released that is not there");
}

/* The page of the file that a frame is, or -1. */
static long page_of(const struct fakexen *fake, uint64_t frame, bool writable)
{
    if (atomic_load(&fake->size) == 0)
        return -1;
    if (frame >= INFO_FRAME && frame < INFO_FRAME + fake->info_pages)
        return writable ? -1 : (long)(frame - INFO_FRAME); /* shared for reading */
    if (frame <= BUFFER_FRAME && frame > BUFFER_FRAME - fake->buffer_pages_all)
        return (long)(fake->info_pages + (BUFFER_FRAME - frame));
    return -1;
}

static void *fake_map(void *self, bool writable, const uint64_t *frames, size_t count, int *error)
{
    struct fakexen *fake = self;
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    if (fake->refusals.map && fake->maps_done++ >= fake->refusals.maps) {
        *error = fake->refusals.map;
        return NULL;
    }
    char *memory = mmap(NULL, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (count == 0 || memory == MAP_FAILED)
        xt_die("fakexen: no mapping of %zu pages", count);
    for (size_t i = 0; i < count; i++) {
        long page = page_of(fake, frames[i], writable);
        if (page < 0) {
            munmap(memory, count * PAGE);
            *error = EINVAL;
            return NULL;
        }
        if (mmap(memory + i * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED, fake->file, (off_t)page * PAGE) ==
            MAP_FAILED)
            xt_die("fakexen: no mapping of a page");
    }
    fake->mappings++;
    return memory;
}

static void fake_unmap(void *self, void *memory, size_t pages)
{
    struct fakexen *fake = self;
    if (munmap(memory, pages * PAGE) != 0 || fake->mappings == 0)
        xt_die("fakexen: unmapped what is not mapped");
    fake->mappings--;
}

static int fake_bind(void *self)
{
    struct fakexen *fake = self;
    if (fake->refusals.bind)
        return -fake->refusals.bind;
    if (fake->other_bound)
        return -EEXIST;
    atomic_store(&fake->bound, true);
    return 0;
}

static int fake_fd(void *self)
{
    struct fakexen *fake = self;
    return atomic_load(&fake->bound) ? fake->event : -1;
}

static void fake_take(void *self)
{
    struct fakexen *fake = self;
    uint64_t count;
    if (read(fake->event, &count, sizeof count) < 0 && errno != EAGAIN)
        xt_die("fakexen: no event to take");
}

static void fake_close(void *self)
{
    struct fakexen *fake = self;
    atomic_store(&fake->bound, false);
    fake_take(self);
    fake->opened--;
}

static const struct xm_hyper_ops fake_ops = {.alloc = fake_alloc,
                                             .release = fake_release,
                                             .sysctl = fake_sysctl,
                                             .domctl = fake_domctl,
                                             .version = fake_version,
                                             .map = fake_map,
                                             .unmap = fake_unmap,
                                             .bind = fake_bind,
                                             .fd = fake_fd,
                                             .take = fake_take,
                                             .close = fake_close};

struct xm_hyper fakexen_hyper(struct fakexen *fake)
{
    if (fake->opened++)
        xt_die("fakexen: opened twice");
    return (struct xm_hyper){.ops = &fake_ops, .self = fake};
}

struct fakexen *fakexen_create(const struct fakexen_config *config)
{
    struct fakexen *fake = calloc(1, sizeof *fake);
    if (!fake)
        xt_die("fakexen: out of memory");
    if (config)
        fake->config = *config;
    fake->config.cpus = fake->config.cpus ? fake->config.cpus : 2;
    fake->config.khz = fake->config.khz ? fake->config.khz : 2000000;
    fake->config.scheduler = fake->config.scheduler ? fake->config.scheduler : FAKEXEN_CREDIT2;
    fake->model = &models[fake->config.version];
    fake->file = -1;
    fake->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fake->event < 0 || fake->config.cpus > FAKEXEN_CPUS)
        xt_die("fakexen: cannot be made");
    atomic_store(&fake->events, 0x0ffff000u);
    for (uint32_t cpu = 0; cpu < FAKEXEN_CPUS; cpu++) {
        atomic_store(&fake->cpu[cpu].traced, true);
        fake->cpu[cpu].current = cpu << 16 | IDLE_DOMAIN;
    }
    if (fake->config.boot_pages) {
        (void)allocate(fake, fake->config.boot_pages);
        atomic_store(&fake->enabled, fake->config.boot_events != 0);
        if (fake->config.boot_events)
            atomic_store(&fake->events, fake->config.boot_events);
    }
    fakexen_domain(fake, &(struct fakexen_domain){.domid = 0, .vcpus = 2, .online = 2, .weight = 256});
    return fake;
}

void fakexen_destroy(struct fakexen *fake)
{
    if (fake->pages)
        munmap(fake->pages, (size_t)(fake->info_pages + fake->buffer_pages_all) * PAGE);
    if (fake->file >= 0)
        close(fake->file);
    close(fake->event);
    free(fake);
}

struct fakexen_refusals *fakexen_refusals(struct fakexen *fake)
{
    return &fake->refusals;
}

struct fakexen_state fakexen_state(struct fakexen *fake)
{
    struct fakexen_state state = {.pages = atomic_load(&fake->size),
                                  .events = atomic_load(&fake->events),
                                  .enabled = atomic_load(&fake->enabled),
                                  .bound = atomic_load(&fake->bound),
                                  .mappings = fake->mappings,
                                  .opened = fake->opened,
                                  .sysctls = fake->sysctls,
                                  .domctls = fake->domctls,
                                  .virqs = atomic_load(&fake->virqs)};
    for (unsigned i = 0; i < MEMORIES; i++)
        state.memory += fake->memory[i].at != NULL;
    return state;
}

bool fakexen_traces_cpu(struct fakexen *fake, uint32_t cpu)
{
    return cpu < FAKEXEN_CPUS && atomic_load(&fake->cpu[cpu].traced);
}

void fakexen_cpu_online(struct fakexen *fake, uint32_t cpu, bool online)
{
    fake->config.offline[cpu] = !online;
    if (!online)
        atomic_store(&fake->cpu[cpu].has, false);
}

/* ---- Another consumer, and damage. */

static struct cpu *buffer_of(struct fakexen *fake, uint32_t cpu)
{
    uint32_t size = atomic_load_explicit(&fake->size, memory_order_acquire);
    return size && cpu < FAKEXEN_CPUS && atomic_load(&fake->cpu[cpu].has) ? &fake->cpu[cpu] : NULL;
}

void fakexen_other_bind(struct fakexen *fake, bool bound)
{
    fake->other_bound = bound;
}

uint32_t fakexen_other_take(struct fakexen *fake, uint32_t cpu)
{
    struct cpu *c = buffer_of(fake, cpu);
    struct xm_ring ring;
    struct xm_ring_window window;
    if (!c || xm_ring_attach(&ring, c->ring.index, atomic_load(&fake->size)) != XM_OK ||
        xm_ring_peek(&ring, &window) != XM_OK)
        return 0;
    xm_ring_consume(&ring, window.size);
    return window.size;
}

void fakexen_other_events(struct fakexen *fake, uint32_t mask)
{
    atomic_store(&fake->events, mask);
}

void fakexen_other_cpu(struct fakexen *fake, uint32_t cpu, bool traced)
{
    atomic_store(&fake->cpu[cpu].traced, traced);
}

void fakexen_other_enable(struct fakexen *fake, bool on)
{
    if (set_enabled(fake, on) != 0)
        xt_die("fakexen: there are no buffers to trace into");
}

void fakexen_set_indices(struct fakexen *fake, uint32_t cpu, uint32_t cons, uint32_t prod)
{
    struct cpu *c = buffer_of(fake, cpu);
    if (!c)
        xt_die("fakexen: CPU %u has no buffer", cpu);
    atomic_store(&c->ring.index->cons, cons);
    atomic_store(&c->ring.index->prod, prod);
}

void fakexen_indices(struct fakexen *fake, uint32_t cpu, uint32_t *cons, uint32_t *prod)
{
    struct cpu *c = buffer_of(fake, cpu);
    if (!c)
        xt_die("fakexen: CPU %u has no buffer", cpu);
    *cons = atomic_load(&c->ring.index->cons);
    *prod = atomic_load(&c->ring.index->prod);
}

/* ---- Domains. */

void fakexen_domain(struct fakexen *fake, const struct fakexen_domain *domain)
{
    unsigned at = 0;
    while (at < fake->domains && fake->domain[at].domid < domain->domid)
        at++;
    if (at == fake->domains || fake->domain[at].domid != domain->domid) {
        if (fake->domains == FAKEXEN_DOMAINS)
            xt_die("fakexen: no room for domain %u", domain->domid);
        memmove(&fake->domain[at + 1], &fake->domain[at], (fake->domains - at) * sizeof fake->domain[0]);
        fake->domains++;
    }
    fake->domain[at] = *domain;
}

void fakexen_domain_gone(struct fakexen *fake, uint16_t domid)
{
    for (unsigned i = 0; i < fake->domains; i++) {
        if (fake->domain[i].domid != domid)
            continue;
        fake->domains--;
        memmove(&fake->domain[i], &fake->domain[i + 1], (fake->domains - i) * sizeof fake->domain[0]);
        return;
    }
}

uint64_t fakexen_cpu_ns(uint16_t domid, uint32_t vcpu)
{
    return UINT64_C(5000000000) * domid + UINT64_C(700) * vcpu + 1;
}

/* ---- Records. */

#define TRC_LOST 0x0001f001u
#define TRC_WRAP 0x0001f002u

/* Event and class and subclass must each share a bit with the mask; the minor bits do not count. */
static bool passes(uint32_t mask, uint32_t event)
{
    return (mask & event) && ((mask >> 16) & (event >> 16)) && ((mask >> 12 & 0xf) & (event >> 12 & 0xf));
}

/* Who runs there, known to the hypervisor whether it is traced or not. */
static void follow(struct cpu *c, const struct xm_record *record)
{
    bool dispatch = (record->event & ~0xff0u) == 0x00021001u && (record->event >> 4 & 3) == 0;
    if (record->words >= 1 && (dispatch || record->event == 0x00021002u))
        c->current = record->word[0] << 16 | record->word[0] >> 16;
}

static void raise_event(struct fakexen *fake)
{
    const uint64_t one = 1;
    if (!atomic_load(&fake->bound))
        return;
    if (write(fake->event, &one, sizeof one) != sizeof one)
        xt_die("fakexen: no event can be raised");
    atomic_fetch_add(&fake->virqs, 1);
}

static enum fakexen_wrote write_record(struct fakexen *fake, struct cpu *c, const struct xm_record *record)
{
    uint32_t prod = atomic_load(&c->ring.index->prod);
    enum xm_ring_put put = XM_RING_BOGUS;
    if (atomic_exchange(&c->forget, false))
        c->ring.lost = 0;
    if (prod % 4 == 0 && prod < 2 * c->ring.bytes)
        put = xm_ring_put(&c->ring, record, (xm_cycles){c->tsc}, c->current);
    if (put == XM_RING_BOGUS) {
        atomic_store(&fake->enabled, false);
        return FAKEXEN_BOGUS;
    }
    if (put == XM_RING_HIGH_WATER)
        raise_event(fake);
    return put == XM_RING_LOST ? FAKEXEN_LOST : FAKEXEN_WROTE;
}

enum fakexen_wrote fakexen_record(struct fakexen *fake, uint32_t cpu, const struct xm_record *record)
{
    if (cpu >= FAKEXEN_CPUS)
        return FAKEXEN_NO_BUFFER;
    struct cpu *c = &fake->cpu[cpu];
    if (record->has_tsc)
        c->tsc = record->tsc.v;
    follow(c, record);
    if (!atomic_load(&fake->enabled))
        return FAKEXEN_OFF;
    if (record->event != TRC_LOST && !passes(atomic_load(&fake->events), record->event))
        return FAKEXEN_MASKED;
    if (!atomic_load(&c->traced))
        return FAKEXEN_MASKED;
    return buffer_of(fake, cpu) ? write_record(fake, c, record) : FAKEXEN_NO_BUFFER;
}

enum fakexen_wrote fakexen_runstate(struct fakexen *fake, uint32_t cpu, uint64_t tsc, uint16_t dom,
                                    uint16_t vcpu, unsigned from, unsigned to)
{
    const struct xm_record record = {.event = 0x00021001u | from << 8 | to << 4, .has_tsc = true, .words = 1,
                                     .tsc = {tsc}, .word = {(uint32_t)dom << 16 | vcpu}};
    return fakexen_record(fake, cpu, &record);
}

/* ---- Playing. */

struct played {
    uint64_t tsc; /* the latest on its CPU up to it: the order within a CPU is kept */
    uint32_t cpu;
    uint32_t index;
};

struct fakexen_play {
    struct fakexen *fake;
    struct xt_trace trace;
    struct played *record;
    size_t records, next;
    uint64_t count[FAKEXEN_BOGUS + 1];
};

static int earlier(const void *a, const void *b)
{
    const struct played *x = a, *y = b;
    if (x->tsc != y->tsc)
        return x->tsc < y->tsc ? -1 : 1;
    if (x->cpu != y->cpu)
        return x->cpu < y->cpu ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

struct fakexen_play *fakexen_play(struct fakexen *fake, const void *bytes, size_t size)
{
    struct fakexen_play *play = calloc(1, sizeof *play);
    uint64_t *last = calloc(65536, sizeof *last);
    if (!play || !last)
        xt_die("fakexen: out of memory");
    play->fake = fake;
    const struct xt_bytes capture = {.data = (unsigned char *)(uintptr_t)bytes, .size = size};
    play->trace = xt_take_apart(&capture);
    play->record = calloc(play->trace.records, sizeof *play->record);
    if (!play->record)
        xt_die("fakexen: a capture without records");
    for (size_t i = 0; i < play->trace.records; i++) {
        const struct xt_record *r = &play->trace.record[i];
        uint32_t cpu = play->trace.window[r->window].cpu & 0xffff;
        if (r->event == TRC_WRAP)
            continue; /* the buffer makes its own */
        last[cpu] = r->tsc > last[cpu] ? r->tsc : last[cpu];
        play->record[play->records++] = (struct played){last[cpu], cpu, (uint32_t)i};
    }
    free(last);
    qsort(play->record, play->records, sizeof *play->record, earlier);
    return play;
}

void fakexen_play_end(struct fakexen_play *play)
{
    xt_trace_free(&play->trace);
    free(play->record);
    free(play);
}

uint64_t fakexen_play_first(const struct fakexen_play *play)
{
    return play->records ? play->record[0].tsc : 0;
}

uint64_t fakexen_play_last(const struct fakexen_play *play)
{
    return play->records ? play->record[play->records - 1].tsc : 0;
}

size_t fakexen_play_left(const struct fakexen_play *play)
{
    return play->records - play->next;
}

static void play_one(struct fakexen_play *play)
{
    const struct played *p = &play->record[play->next++];
    const struct xt_record *r = &play->trace.record[p->index];
    struct xm_record record;
    size_t used;
    if (xm_record_read(play->trace.data + r->at, r->size, &record, &used) != XM_OK)
        xt_die("fakexen: a record that cannot be read");
    play->count[fakexen_record(play->fake, p->cpu, &record)]++;
}

size_t fakexen_play_records(struct fakexen_play *play, size_t records)
{
    size_t done = 0;
    for (; done < records && play->next < play->records; done++)
        play_one(play);
    return done;
}

size_t fakexen_play_until(struct fakexen_play *play, uint64_t tsc)
{
    size_t done = 0;
    for (; play->next < play->records && play->record[play->next].tsc <= tsc; done++)
        play_one(play);
    return done;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void fakexen_play_run(struct fakexen_play *play, double hz, double speed, const atomic_bool *stop)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    double began = now_s();
    uint64_t first = play->next < play->records ? play->record[play->next].tsc : 0;
    while (play->next < play->records && !(stop && atomic_load(stop))) {
        (void)fakexen_play_until(play, first + (uint64_t)((now_s() - began) * speed * hz));
        if (play->next < play->records)
            nanosleep(&nap, NULL);
    }
}

uint64_t fakexen_play_count(const struct fakexen_play *play, enum fakexen_wrote what)
{
    return play->count[what];
}
