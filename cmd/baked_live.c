/* SPDX-License-Identifier: MIT */
#include "baked_live.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "privileges.h"
#include "xenmon/region.h"

#define USER "xenmon"

/* Classes and subclasses whose records carry the components of the I/O count. */
#define CLASS_MEM 0x00100000u
#define CLASS_PV 0x00200000u
#define SUBCLASS_ANY 0x0000f000u /* the memory class has all of them */
#define SUBCLASS_ENTRY 0x00001000u

uint32_t xm_baked_io_seen(uint32_t events)
{
    uint32_t seen = 0;
    if (events & CLASS_MEM && events & SUBCLASS_ANY)
        seen |= XM_IO_SEEN_TRANSFERS | XM_IO_SEEN_GRANTS;
    if (events & CLASS_PV && events & SUBCLASS_ENTRY)
        seen |= XM_IO_SEEN_COPIES;
    return seen;
}

static void say(void *user, bool warning, const char *text)
{
    const struct xm_baked_live *live = user;
    xm_log_write(live->log, warning ? XM_LOG_WARNING : XM_LOG_INFO, "%s", text);
}

static bool beside(char path[PATH_MAX], const char *region, const char *suffix)
{
    int n = snprintf(path, PATH_MAX, "%s%s", region, suffix);
    return n > 0 && n < PATH_MAX;
}

enum xm_status xm_baked_live_open(struct xm_baked_live *live, struct xm_log *log, const struct xm_live_choice *choice,
                                  const char *region, struct xm_error *err)
{
    *live = (struct xm_baked_live){.log = log, .choice = choice};
    if (!beside(live->note, region, ".tracing"))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: the name is too long", region);
    if (choice->no_record)
        live->socket[0] = '\0';
    else if (!xm_tee_path(region, live->socket, sizeof live->socket))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                       "%s: the name is too long for the socket of recorders beside it; choose a shorter one, or --no-record",
                       region);
    enum xm_status status = xm_hyper_open(&live->hyper, err);
    if (status == XM_OK)
        status = xm_control_open(&live->hyper, &live->control, err);
    if (status != XM_OK)
        return status;
    xm_control_host(live->control, &live->host);
    snprintf(live->title, sizeof live->title, live->host.scheduler[0] ? "%s (%s)" : "%s", live->host.hypervisor,
             live->host.scheduler);
    return XM_OK;
}

static enum xm_status take_over(struct xm_baked_live *live, struct xm_error *err)
{
    const struct xm_live_choice *c = live->choice;
    const struct xm_live_config config = {
        .hyper = &live->hyper,
        .control = live->control,
        .pages = (uint32_t)c->pages,
        .events = c->events,
        .cpus = c->cpus.given ? c->cpus.bitmap : NULL,
        .cpus_bits = XM_CPU_SET_BITS,
        .poll_ns = c->poll_ns,
        .poll_fixed = c->poll_fixed,
        .state_path = live->note,
        .proc = "/proc",
        .say = say,
        .user = live,
    };
    return xm_live_open(&config, &live->source, err);
}

static void report_start(const struct xm_baked_live *live)
{
    const struct xm_live_status s = xm_live_status(live->source);
    char events[160];
    xm_events_text(live->choice->events, events, sizeof events);
    xm_log_write(live->log, XM_LOG_INFO,
                 "%s: %u pCPUs with trace buffers of %u pages, event mask 0x%08x (%s), clock %" PRIu64
                 " Hz, sysctl version 0x%x, domctl version 0x%x",
                 live->title, s.cpus, s.pages, live->choice->events, events, live->host.tsc_hz,
                 live->host.sysctl_version, live->host.domctl_version);
    if (live->choice->pages != s.pages)
        xm_log_write(live->log, XM_LOG_WARNING,
                     "trace buffers have %u pages, not %" PRIu64 ": Xen allocates them once a boot", s.pages,
                     live->choice->pages);
    if (s.cpus < live->host.cpus)
        xm_log_write(live->log, XM_LOG_WARNING,
                     "%u of %u pCPUs have no trace buffer (they came online after the buffers were allocated): what runs "
                     "there is not seen",
                     live->host.cpus - s.cpus, live->host.cpus);
}

static enum xm_status open_facts(struct xm_baked_live *live, struct xm_error *err)
{
    struct xm_error said;
    const struct xm_facts_config config = {.control = live->control, .sys = "/sys"};
    xm_error_clear(&said);
    if (xm_facts_open(&config, &live->facts, &said) != XM_OK)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (said.status != XM_OK)
        xm_log_write(live->log, XM_LOG_WARNING, "%s", said.text);
    return XM_OK;
}

static enum xm_status open_around(struct xm_baked_live *live, struct xm_error *err)
{
    const struct xm_live_status s = xm_live_status(live->source);
    const struct xm_host_config config = {
        .source = live->source,
        .control = live->control,
        .facts = live->facts,
        .tee = live->tee,
        .cpus = live->host.cpus,
        .all_traced = !live->choice->cpus.given && live->host.cpus && s.cpus >= live->host.cpus,
    };
    return xm_host_create(&config, &live->around, err);
}

static enum xm_status open_tee(struct xm_baked_live *live, uint64_t hz, struct xm_error *err)
{
    const struct xm_tee_config config = {
        .path = live->socket,
        .hypervisor = live->title,
        .hz = hz,
        .events = live->choice->events,
        .backlog_bytes = XM_TEE_BACKLOG,
    };
    return live->choice->no_record ? XM_OK : xm_tee_open(&config, &live->tee, err);
}

/* The directory that the region lies in.  False: it is none of XenMon's own, which are called so. */
static bool own_directory(char path[PATH_MAX], const char *region)
{
    static const char name[] = "/" USER;
    if (!beside(path, region, ""))
        return false;
    char *slash = strrchr(path, '/');
    if (!slash)
        return false;
    *slash = '\0';
    size_t length = strlen(path);
    return length >= sizeof name - 1 && strcmp(path + length - (sizeof name - 1), name) == 0;
}

/* Whom to become, and the directory that goes over to that user; not found: nobody. */
static enum xm_status settle_user(const struct xm_baked_live *live, const char *region, struct xm_account_of *user,
                                  char directory[PATH_MAX], struct xm_error *err)
{
    const char *name = live->choice->user;
    *user = (struct xm_account_of){.found = false};
    if (geteuid() != 0 || (name && strcmp(name, "none") == 0))
        return XM_OK;
    *user = xm_user(name ? name : USER);
    if (name && !user->found)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "--user: there is no user '%s'", name);
    if (user->found && !own_directory(directory, region)) {
        /* What lies there could neither be replaced nor removed any more. */
        user->found = false;
        if (name)
            return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "--user: the region's directory must be called xenmon: %s", region);
    }
    return XM_OK;
}

/* Everything is open: what is still needed of root's rights is in the handles. */
static enum xm_status give_up_rights(struct xm_baked_live *live, const char *region, const char *const *others,
                                     struct xm_error *err)
{
    char directory[PATH_MAX];
    char lock[PATH_MAX];
    const char *paths[16] = {directory, region, lock, live->note, live->socket}; /* an empty one names nothing */
    size_t count = 5;
    struct xm_account_of user;
    xm_confine();
    enum xm_status status = settle_user(live, region, &user, directory, err);
    if (status != XM_OK || !user.found)
        return status;
    if (!beside(lock, region, ".lock"))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: the name is too long", region);
    for (; *others && count + 1 < sizeof paths / sizeof paths[0]; others++)
        paths[count++] = *others;
    if (xm_become(user, paths, err) != XM_OK)
        return err->status = XM_DENIED; /* a right to give up rights is missing, and another try has no more */
    xm_log_write(live->log, XM_LOG_INFO, "all is open: root's rights are given up");
    return XM_OK;
}

enum xm_status xm_baked_live_start(struct xm_baked_live *live, uint64_t hz, const char *region,
                                   const char *const *others, struct xm_error *err)
{
    enum xm_status status = take_over(live, err);
    if (status == XM_OK)
        report_start(live);
    if (status == XM_OK)
        status = open_facts(live, err);
    if (status == XM_OK)
        status = open_tee(live, hz, err);
    if (status == XM_OK)
        status = open_around(live, err);
    if (status == XM_OK)
        status = give_up_rights(live, region, others, err);
    return status;
}

void xm_baked_live_loop(const struct xm_baked_live *live, struct xm_loop_config *loop)
{
    const struct xm_live_status s = xm_live_status(live->source);
    loop->source = live->source;
    loop->tee = live->tee;
    loop->around = xm_host_surroundings(live->around);
    loop->facts = (struct xm_writer_facts){
        .io_seen = xm_baked_io_seen(live->choice->events),
        .hypervisor = live->host.hypervisor,
        .scheduler = live->host.scheduler,
        .events = live->choice->events,
        .buffer_bytes = (uint64_t)s.pages * 4096,
        .host_cpus = live->host.cpus,
    };
}

void xm_baked_live_look_after(struct xm_baked_live *live)
{
    if (live->around && xm_host_look_after(live->around))
        xm_log_write(live->log, XM_LOG_WARNING,
                     "pCPUs have come online: Xen may not trace them before the next boot, and what runs there is not "
                     "seen then");
}

void xm_baked_live_close(struct xm_baked_live *live)
{
    xm_host_destroy(live->around);
    xm_tee_close(live->tee);
    xm_facts_close(live->facts);
    xm_source_close(live->source);
    xm_control_close(live->control);
    xm_hyper_close(&live->hyper);
    *live = (struct xm_baked_live){.log = live->log};
}
