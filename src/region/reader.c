/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "region/process.h"
#include "region/reader_int.h"
#include "region/text.h"
#include "region/words.h"
#include "xenmon/region.h"

#define TRIES      100
#define AT(member) offsetof(struct xm_layout_header, member)

_Static_assert(AT(newest) - AT(state) == offsetof(struct xm_live, newest),
               "struct xm_live is a copy of these words");

/* ---- Opening. */

static enum xm_status open_file(const char *path, struct xm_region *r, struct xm_error *err)
{
    /* O_NONBLOCK: the name may be a FIFO's. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s: not a regular file", path);
    }
    r->device = st.st_dev;
    r->inode = st.st_ino;
    r->a.bytes = (struct xm_bytes){.fd = fd, .size = (uint64_t)st.st_size};
    return XM_OK;
}

/* Attaches to r->a.bytes, whose file is closed on failure. */
static enum xm_status attach(struct xm_region *r, struct xm_error *err)
{
    struct xm_bytes bytes = r->a.bytes;
    enum xm_status status = xm_attach(&r->a, &bytes, err);
    if (status == XM_OK) {
        r->scratch = malloc(r->a.largest);
        if (!r->scratch)
            status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    if (status != XM_OK && bytes.fd >= 0)
        close(bytes.fd);
    return status;
}

static enum xm_status attach_path(const char *path, struct xm_region *r, struct xm_error *err)
{
    struct xm_error why = {.offset = XM_NO_OFFSET};
    enum xm_status status = open_file(path, r, err);
    if (status != XM_OK)
        return status;
    status = attach(r, &why);
    return status == XM_OK ? XM_OK : xm_fail(err, status, why.offset, "%s: %s", path, why.text);
}

enum xm_status xm_region_open(const char *path, struct xm_region **region, struct xm_error *err)
{
    *region = NULL;
    struct xm_region *r = calloc(1, sizeof *r);
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    r->path = strdup(path);
    enum xm_status status =
        r->path ? attach_path(path, r, err) : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status != XM_OK) {
        free(r->path);
        free(r);
        return status;
    }
    *region = r;
    return XM_OK;
}

enum xm_status xm_region_open_memory(const void *memory, uint64_t size, struct xm_region **region,
                                     struct xm_error *err)
{
    *region = NULL;
    struct xm_region *r = calloc(1, sizeof *r);
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    r->a.bytes = (struct xm_bytes){.fd = -1, .memory = memory, .size = size / 8 * 8};
    enum xm_status status = attach(r, err);
    if (status != XM_OK) {
        free(r);
        return status;
    }
    *region = r;
    return XM_OK;
}

static void detach(struct xm_region *r)
{
    free(r->scratch);
    if (r->a.bytes.fd >= 0)
        close(r->a.bytes.fd);
}

void xm_region_close(struct xm_region *region)
{
    if (!region)
        return;
    detach(region);
    free(region->path);
    free(region);
}

/* ---- The header. */

bool xm_region_live(const struct xm_region *region, struct xm_live *live)
{
    /* Twice, until both agree: whether a copy made by the kernel takes a word in one piece is nobody's promise. */
    struct xm_live again;
    for (int i = 0; i < TRIES; i++) {
        if (!xm_bytes_read(&region->a.bytes, AT(state), live, sizeof *live))
            return false;
        atomic_thread_fence(
            memory_order_acquire); /* partner: xm_seq_end() and the release of newest in the writer */
        if (!xm_bytes_read(&region->a.bytes, AT(state), &again, sizeof again))
            return false;
        if (memcmp(live, &again, sizeof again) == 0)
            break;
    }
    return true;
}

/* Copies the header's facts, which are sequenced, to `h`. */
static enum xm_region_outcome read_facts(const struct xm_region *r, struct xm_layout_header *h)
{
    const size_t bytes = AT(reserved) - AT(source);
    for (int i = 0; i < TRIES; i++) {
        uint64_t before;
        uint64_t after;
        if (!xm_bytes_read(&r->a.bytes, AT(facts_seq), &before, sizeof before))
            return XM_REGION_INCOMPATIBLE;
        if (before & 1)
            continue;
        xm_seq_before();
        if (!xm_bytes_read(&r->a.bytes, AT(source), &h->source, bytes))
            return XM_REGION_INCOMPATIBLE;
        xm_seq_after();
        if (!xm_bytes_read(&r->a.bytes, AT(facts_seq), &after, sizeof after))
            return XM_REGION_INCOMPATIBLE;
        if (before == after)
            return XM_REGION_OK;
    }
    return XM_REGION_RETRY;
}

static void fill_info(const struct xm_attach *a, const struct xm_layout_header *facts,
                      const struct xm_live *live, struct xm_region_info *info)
{
    const struct xm_layout_header *h = &a->header;
    memset(info, 0, sizeof *info);
    info->creation_id = h->creation_id;
    info->lineage_id = h->lineage_id;
    info->writer_pid = (uint32_t)h->writer_pid;
    info->version = h->version;
    info->state = live->state <= XM_WRITER_SUPERSEDED ? (enum xm_writer_state)live->state : XM_WRITER_RUNNING;
    info->source = facts->source <= XM_SOURCE_PIPE ? (enum xm_source_kind)facts->source : XM_SOURCE_PIPE;
    info->heartbeat_ns = live->heartbeat_ns;
    info->tsc_hz = facts->tsc_hz;
    info->io_seen = (uint32_t)facts->io_seen;
    xm_text_clean(info->tsc_hz_from, sizeof info->tsc_hz_from, facts->tsc_hz_from, sizeof facts->tsc_hz_from);
    xm_text_clean(info->states_from, sizeof info->states_from, facts->states_from, sizeof facts->states_from);
    xm_text_clean(info->source_name, sizeof info->source_name, facts->source_name, sizeof facts->source_name);
    xm_text_clean(info->hypervisor, sizeof info->hypervisor, facts->hypervisor, sizeof facts->hypervisor);
    xm_text_clean(info->scheduler, sizeof info->scheduler, facts->scheduler, sizeof facts->scheduler);
    info->events = facts->events;
    info->buffer_bytes = facts->buffer_bytes;
    info->host_cpus = facts->host_cpus;
    info->capacity = a->capacity;
    info->bytes = h->region_bytes;
    for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++) {
        info->series[s].slots = (uint32_t)(a->ring[s].slots < UINT32_MAX ? a->ring[s].slots : UINT32_MAX);
        info->series[s].interval_ns = h->interval_ns[s];
        info->series[s].newest = live->newest[s];
    }
    memcpy(info->classes, facts->records, sizeof info->classes);
    memcpy(info->anomaly, facts->anomaly, sizeof info->anomaly);
}

_Static_assert(sizeof((struct xm_region_info *)0)->classes <= sizeof((struct xm_layout_header *)0)->records,
               "");
_Static_assert(sizeof((struct xm_region_info *)0)->anomaly <= sizeof((struct xm_layout_header *)0)->anomaly,
               "");

enum xm_region_outcome xm_region_info(struct xm_region *region, struct xm_region_info *info)
{
    struct xm_layout_header facts;
    struct xm_live live;
    if (!xm_region_live(region, &live))
        return XM_REGION_INCOMPATIBLE;
    enum xm_region_outcome outcome = read_facts(region, &facts);
    if (outcome == XM_REGION_OK)
        fill_info(&region->a, &facts, &live, info);
    return outcome;
}

/* ---- The writer. */

static enum xm_region_outcome writer_outcome(const struct xm_region *r, bool named)
{
    struct xm_live live;
    if (!xm_region_live(r, &live))
        return XM_REGION_INCOMPATIBLE;
    bool over = live.state == XM_WRITER_ENDED || live.state == XM_WRITER_SUPERSEDED;
    if (over && !named)
        return XM_REGION_GONE;
    /* A heartbeat of the future is one of before the last boot. */
    uint64_t now = xm_clock_ns();
    bool fresh =
        now - live.heartbeat_ns <= XM_LAYOUT_STALE_NS || live.heartbeat_ns - now <= XM_LAYOUT_STALE_NS;
    if (fresh && !over)
        return XM_REGION_OK;
    return xm_process_dead(r->a.header.writer_pid, r->a.header.writer_start) ? XM_REGION_GONE : XM_REGION_OK;
}

/* Whether the name leads to another region than ours: another file, or the same one written anew. */
static bool replaced(const struct xm_region *r, const struct stat *st)
{
    uint64_t id;
    if (st->st_dev != r->device || st->st_ino != r->inode)
        return true;
    return xm_bytes_read(&r->a.bytes, AT(creation_id), &id, sizeof id) && id != r->a.header.creation_id;
}

enum xm_region_outcome xm_region_check(struct xm_region *region)
{
    struct stat st;
    if (!region->path)
        return writer_outcome(region, true);
    if (stat(region->path, &st) != 0)
        return writer_outcome(region, false);
    if (!replaced(region, &st))
        return writer_outcome(region, true);

    struct xm_region fresh = {.path = region->path};
    switch (attach_path(region->path, &fresh, NULL)) {
    case XM_OK:
        detach(region);
        *region = fresh;
        return XM_REGION_RESTARTED;
    case XM_IO: /* gone between the two looks, or not ours to read */
        return writer_outcome(region, false);
    case XM_NOMEM:
        return XM_REGION_RETRY;
    default:
        return XM_REGION_INCOMPATIBLE;
    }
}
