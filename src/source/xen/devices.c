/* SPDX-License-Identifier: MIT */
#include "source/xen/devices.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/xen/names.h"

#define SECTOR 512u
#define COUNTERS 4

enum kind { VIF, VBD };

struct device {
    uint16_t domid;
    uint8_t kind;
    bool renamed;   /* a vif that is not called vifD.N */
    bool there;     /* and was when last looked at */
    uint32_t number;
    uint64_t inode; /* of its statistics; 0: none yet.  Another is another device's, whatever counters say */
    uint64_t last[COUNTERS]; /* what some domain's totals contain already */
};

struct list {
    struct device *device; /* by domain, kind, number */
    size_t count, room;
};

struct xm_devices {
    char *net, *bus; /* the two directories */
    struct list now, next;
    size_t turn; /* index of the device whose turn is next */
};

/* A kind's counters and where each is added. */
struct counter {
    const char *file;
    size_t total; /* offset in struct xm_facts_devices */
    uint64_t unit;
};
#define TOTAL(name) offsetof(struct xm_facts_devices, name)
/* Dom0 receives on a vif what the domain sends. */
static const struct counter counters[][COUNTERS] = {
    [VIF] = {{"rx_bytes", TOTAL(sent_bytes), 1},
             {"rx_packets", TOTAL(sent_packets), 1},
             {"tx_bytes", TOTAL(received_bytes), 1},
             {"tx_packets", TOTAL(received_packets), 1}},
    [VBD] = {{"rd_req", TOTAL(reads), 1},
             {"wr_req", TOTAL(writes), 1},
             {"rd_sect", TOTAL(read_bytes), SECTOR},
             {"wr_sect", TOTAL(write_bytes), SECTOR}},
};

enum xm_status xm_devices_open(const char *sys, struct xm_devices **devices)
{
    *devices = NULL;
    struct xm_devices *d = calloc(1, sizeof *d);
    if (!d)
        return XM_NOMEM;
    if (asprintf(&d->net, "%s/class/net", sys) < 0)
        d->net = NULL;
    if (asprintf(&d->bus, "%s/bus/xen-backend/devices", sys) < 0)
        d->bus = NULL;
    if (!d->net || !d->bus) {
        xm_devices_close(d);
        return XM_NOMEM;
    }
    *devices = d;
    return XM_OK;
}

void xm_devices_close(struct xm_devices *d)
{
    if (!d)
        return;
    free(d->net);
    free(d->bus);
    free(d->now.device);
    free(d->next.device);
    free(d);
}

/* ---- Which there are. */

/* A number as the kernel writes it, no sign and no leading zeros, up to `last`; *text goes behind it. */
static bool read_number(const char **text, uint64_t last, uint64_t *number)
{
    const char *p = *text;
    uint64_t value = 0;
    if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
        return false;
    for (; isdigit((unsigned char)*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (last - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *text = p;
    *number = value;
    return true;
}

/* "vif1.0", "vif-1-0", "vbd-1-51712": prefix, domain, separator, number, and nothing after it. */
static bool read_name(const char *name, const char *prefix, char separator, struct device *device)
{
    size_t length = strlen(prefix);
    uint64_t domid, number;
    if (strncmp(name, prefix, length) != 0)
        return false;
    name += length;
    if (!read_number(&name, XM_DOMIDS - 1, &domid) || *name++ != separator ||
        !read_number(&name, UINT32_MAX, &number) || *name)
        return false;
    device->domid = (uint16_t)domid;
    device->number = (uint32_t)number;
    return true;
}

static bool is_interface(const char *name, struct device *device)
{
    *device = (struct device){.kind = VIF, .there = true};
    return read_name(name, "vif", '.', device);
}

/* A vif of the bus is met as an interface too, unless it was renamed. */
static bool is_on_bus(const char *name, struct device *device)
{
    *device = (struct device){.kind = VIF, .renamed = true, .there = true};
    if (read_name(name, "vif-", '-', device))
        return true;
    *device = (struct device){.kind = VBD};
    return read_name(name, "vbd-", '-', device);
}

static bool is_missing(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ENODEV || error == ENXIO;
}

static enum xm_status append(struct list *list, const struct device *device)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct device *grown = realloc(list->device, room * sizeof *grown);
        if (!grown)
            return XM_NOMEM;
        list->device = grown;
        list->room = room;
    }
    list->device[list->count++] = *device;
    return XM_OK;
}

/* XM_OK; XM_IO: it cannot be read to its end; XM_NOMEM. */
static enum xm_status scan(const char *path, bool (*is)(const char *, struct device *), struct list *list)
{
    DIR *directory = opendir(path);
    if (!directory)
        return is_missing(errno) ? XM_OK : errno == ENOMEM ? XM_NOMEM : XM_IO;
    enum xm_status status = XM_OK;
    while (status == XM_OK && list->count < 2 * (size_t)XM_DEVICES_MOST) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry) {
            status = errno ? XM_IO : XM_OK;
            break;
        }
        struct device device;
        if (is(entry->d_name, &device))
            status = append(list, &device);
    }
    closedir(directory);
    return status;
}

static int compare(const void *left, const void *right)
{
    const struct device *a = left, *b = right;
    if (a->domid != b->domid)
        return a->domid < b->domid ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->number == b->number ? 0 : a->number < b->number ? -1 : 1;
}

static int compare_renamed_last(const void *left, const void *right)
{
    const struct device *a = left, *b = right;
    int order = compare(a, b);
    return order ? order : (int)a->renamed - (int)b->renamed;
}

/* Each device once, in order; what is known of those that were there before goes on. */
static void settle(struct list *next, const struct list *now)
{
    size_t kept = 0, old = 0;
    if (next->count)
        qsort(next->device, next->count, sizeof *next->device, compare_renamed_last);
    for (size_t i = 0; i < next->count; i++) {
        struct device *device = &next->device[i];
        if (kept && compare(&next->device[kept - 1], device) == 0)
            continue;
        while (old < now->count && compare(&now->device[old], device) < 0)
            old++;
        if (old < now->count && compare(&now->device[old], device) == 0) {
            bool renamed = device->renamed;
            *device = now->device[old];
            device->renamed = renamed;
        }
        next->device[kept++] = *device;
    }
    next->count = kept < XM_DEVICES_MOST ? kept : XM_DEVICES_MOST;
}

enum xm_status xm_devices_list(struct xm_devices *d)
{
    d->next.count = 0;
    enum xm_status status = scan(d->net, is_interface, &d->next);
    if (status == XM_OK)
        status = scan(d->bus, is_on_bus, &d->next);
    if (status == XM_NOMEM)
        return status;
    if (status != XM_OK)
        return XM_OK; /* to forget a device would count it twice when it is seen again */
    settle(&d->next, &d->now);
    struct list list = d->now;
    d->now = d->next;
    d->next = list;
    return XM_OK;
}

/* ---- What they have carried. */

static int open_directory(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A vif of the bus has one interface, of any name.  A descriptor, or -1 and errno. */
static int open_renamed(int bus, const struct device *device)
{
    char path[300];
    snprintf(path, sizeof path, "vif-%u-%u/net", (unsigned)device->domid, (unsigned)device->number);
    int fd = open_directory(bus, path);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    const struct dirent *entry;
    do
        entry = readdir(directory);
    while (entry && entry->d_name[0] == '.');
    fd = -1;
    errno = ENOENT;
    if (entry) {
        snprintf(path, sizeof path, "%s/statistics", entry->d_name);
        fd = open_directory(dirfd(directory), path);
    }
    int error = errno;
    closedir(directory);
    errno = error;
    return fd;
}

static int open_statistics(int net, int bus, const struct device *device)
{
    char path[64];
    unsigned domid = device->domid, number = device->number;
    if (device->kind == VIF && device->renamed)
        return open_renamed(bus, device);
    if (device->kind == VIF)
        snprintf(path, sizeof path, "vif%u.%u/statistics", domid, number);
    else
        snprintf(path, sizeof path, "vbd-%u-%u/statistics", domid, number);
    return open_directory(device->kind == VIF ? net : bus, path);
}

static bool read_counter(int statistics, const char *name, uint64_t *value)
{
    char text[32];
    int fd = openat(statistics, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = 0;
    const char *p = text;
    return read_number(&p, UINT64_MAX, value) && (*p == 0 || strcmp(p, "\n") == 0);
}

/* More than fits stays at the most there is: totals never go back. */
static void add(struct xm_facts_devices *devices, const struct counter *counter, uint64_t grown)
{
    uint64_t total, more;
    memcpy(&total, (const char *)devices + counter->total, sizeof total);
    if (__builtin_mul_overflow(grown, counter->unit, &more) || __builtin_add_overflow(total, more, &total))
        total = UINT64_MAX;
    memcpy((char *)devices + counter->total, &total, sizeof total);
}

static void begin_again(struct device *device, uint64_t inode)
{
    device->inode = inode;
    memset(device->last, 0, sizeof device->last);
}

static void read_device(int net, int bus, struct device *device, struct xm_facts_devices *totals)
{
    struct stat stat;
    int statistics = open_statistics(net, bus, device);
    if (statistics < 0) {
        if (is_missing(errno)) /* gone, or a disk that others than xen-blkback serve */
            device->there = false;
        return;
    }
    device->there = true;
    if (fstat(statistics, &stat) == 0 && device->inode != (uint64_t)stat.st_ino)
        begin_again(device, (uint64_t)stat.st_ino);
    for (unsigned i = 0; i < COUNTERS; i++) {
        const struct counter *counter = &counters[device->kind][i];
        uint64_t value;
        if (!read_counter(statistics, counter->file, &value))
            continue;
        add(totals, counter, value >= device->last[i] ? value - device->last[i] : value);
        device->last[i] = value;
    }
    close(statistics);
}

static int compare_domid(const void *key, const void *row)
{
    unsigned a = *(const uint16_t *)key, b = ((const struct xm_facts_domain *)row)->domain.domid;
    return a == b ? 0 : a < b ? -1 : 1;
}

void xm_devices_read(struct xm_devices *d, struct xm_facts_domain *rows, size_t count)
{
    int net = open_directory(AT_FDCWD, d->net);
    int bus = open_directory(AT_FDCWD, d->bus);
    size_t devices = d->now.count, first = devices ? d->turn % devices : 0;
    unsigned left = XM_DEVICES_TURN;
    for (size_t i = 0; i < count; i++)
        rows[i].devices.vifs = rows[i].devices.vbds = 0;
    for (size_t i = 0; i < devices && count; i++) {
        size_t at = (first + i) % devices;
        struct device *device = &d->now.device[at];
        struct xm_facts_domain *row = bsearch(&device->domid, rows, count, sizeof *rows, compare_domid);
        if (!row)
            continue;
        if (left) {
            read_device(net, bus, device, &row->devices);
            left--;
            d->turn = at + 1;
        }
        row->devices.vifs += device->there && device->kind == VIF;
        row->devices.vbds += device->there && device->kind == VBD;
    }
    if (net >= 0)
        close(net);
    if (bus >= 0)
        close(bus);
}
