/* SPDX-License-Identifier: MIT */
/*
 * The calls on libxencall, libxenforeignmemory and libxenevtchn.  Only functions that each had in its first
 * version (VERS_1.0, Xen 4.7): tests/system/symbols.py holds that.
 */
#include "source/xen/hyper.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xentoollog.h>

#include "source/xen/machine.h"

/* Public numbers that never change (xen.h). */
#define HYPERCALL_VERSION 17
#define HYPERCALL_SYSCTL 35
#define HYPERCALL_DOMCTL 36
#define DOMAIN_XEN 0x7ff2u
#define EVENT_TBUF 4u

#define PAGE ((size_t)4096)

_Static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t), "frames are handed over as they are");

struct machine {
    struct xentoollog_logger quiet; /* without one the libraries print to stderr */
    xencall_handle *call;
    xenforeignmemory_handle *memory;
    xenevtchn_handle *events; /* NULL: not bound */
};

static void quiet_message(struct xentoollog_logger *logger, xentoollog_level level, int error,
                          const char *context, const char *format, va_list args)
{
}

static void quiet_progress(struct xentoollog_logger *logger, const char *context, const char *what,
                           int percent, unsigned long done, unsigned long total)
{
}

static void quiet_destroy(struct xentoollog_logger *logger)
{
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE - 1) / PAGE;
}

static void *machine_alloc(void *self, size_t bytes)
{
    struct machine *machine = self;
    size_t pages = whole_pages(bytes);
    void *memory = xencall_alloc_buffer_pages(machine->call, pages);
    if (memory)
        memset(memory, 0, pages * PAGE); /* it may come from the library's cache */
    return memory;
}

static void machine_release(void *self, void *memory, size_t bytes)
{
    struct machine *machine = self;
    xencall_free_buffer_pages(machine->call, memory, whole_pages(bytes));
}

static int outcome(int result)
{
    return result >= 0 ? result : errno > 0 ? -errno : -EIO;
}

static int machine_sysctl(void *self, void *sysctl)
{
    struct machine *machine = self;
    return outcome(xencall1(machine->call, HYPERCALL_SYSCTL, (uintptr_t)sysctl));
}

static int machine_domctl(void *self, void *domctl)
{
    struct machine *machine = self;
    return outcome(xencall1(machine->call, HYPERCALL_DOMCTL, (uintptr_t)domctl));
}

static int machine_version(void *self, unsigned command, void *buffer)
{
    struct machine *machine = self;
    return outcome(xencall2(machine->call, HYPERCALL_VERSION, command, (uintptr_t)buffer));
}

static void *machine_map(void *self, bool writable, const uint64_t *frames, size_t count, int *error)
{
    struct machine *machine = self;
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    /* Without a list of errors the whole mapping fails where one frame does. */
    void *memory = xenforeignmemory_map(machine->memory, DOMAIN_XEN, prot, count, frames, NULL);
    if (!memory)
        *error = errno;
    return memory;
}

static void machine_unmap(void *self, void *memory, size_t pages)
{
    struct machine *machine = self;
    (void)xenforeignmemory_unmap(machine->memory, memory, pages);
}

static int machine_bind(void *self)
{
    struct machine *machine = self;
    if (machine->events)
        return 0;
    xenevtchn_handle *events = xenevtchn_open(&machine->quiet, 0);
    if (!events)
        return outcome(-1);
    if (xenevtchn_bind_virq(events, EVENT_TBUF) < 0) {
        int error = outcome(-1);
        xenevtchn_close(events);
        return error;
    }
    machine->events = events;
    return 0;
}

static int machine_fd(void *self)
{
    struct machine *machine = self;
    return machine->events ? xenevtchn_fd(machine->events) : -1;
}

static void machine_take(void *self)
{
    struct machine *machine = self;
    struct pollfd ready = {.fd = machine_fd(self), .events = POLLIN};
    if (!machine->events || poll(&ready, 1, 0) != 1)
        return; /* xenevtchn_pending() would wait */
    xenevtchn_port_or_error_t port = xenevtchn_pending(machine->events);
    if (port >= 0)
        (void)xenevtchn_unmask(machine->events, (evtchn_port_t)port);
}

static void machine_close(void *self)
{
    struct machine *machine = self;
    if (machine->events)
        xenevtchn_close(machine->events);
    if (machine->memory)
        xenforeignmemory_close(machine->memory);
    if (machine->call)
        xencall_close(machine->call);
    free(machine);
}

static const struct xm_hyper_ops machine_ops = {.alloc = machine_alloc,
                                                .release = machine_release,
                                                .sysctl = machine_sysctl,
                                                .domctl = machine_domctl,
                                                .version = machine_version,
                                                .map = machine_map,
                                                .unmap = machine_unmap,
                                                .bind = machine_bind,
                                                .fd = machine_fd,
                                                .take = machine_take,
                                                .close = machine_close};

static enum xm_status open_failed(const char *what, int error, struct xm_error *err)
{
    if (error == ENOMEM)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (error == EACCES || error == EPERM)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "no permission for %s: run as root", what);
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s cannot be opened: %s", what, strerror(error));
}

enum xm_status xm_hyper_open(struct xm_hyper *hyper, struct xm_error *err)
{
    memset(hyper, 0, sizeof *hyper);
    struct xm_machine_paths paths = xm_machine_paths();
    enum xm_status status = xm_machine_check(&paths, err);
    if (status != XM_OK)
        return status;

    struct machine *machine = calloc(1, sizeof *machine);
    if (!machine)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    machine->quiet = (struct xentoollog_logger){quiet_message, quiet_progress, quiet_destroy};
    machine->call = xencall_open(&machine->quiet, 0);
    if (!machine->call)
        status = open_failed("Xen's hypercalls", errno, err);
    else if (!(machine->memory = xenforeignmemory_open(&machine->quiet, 0)))
        status = open_failed("Xen's memory", errno, err);
    if (status != XM_OK) {
        machine_close(machine);
        return status;
    }
    *hyper = (struct xm_hyper){.ops = &machine_ops, .self = machine};
    return XM_OK;
}

void xm_hyper_close(struct xm_hyper *hyper)
{
    if (hyper->ops)
        hyper->ops->close(hyper->self);
    memset(hyper, 0, sizeof *hyper);
}
