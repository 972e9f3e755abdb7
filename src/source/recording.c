/* SPDX-License-Identifier: MIT */
#include "source/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/pack.h"
#include "source/pass.h"

#define ZST ".zst"
#define MOST_NUMBERS 1000000u /* tried for a free name */
#define WAIT_MS 200           /* for a full pipe, before `stop` is asked: its signal may have come just before the wait */

/* What can be taken back when the disk turns out to be full. */
struct point {
    uint64_t file_bytes;
    bool complete; /* nothing needs to come behind it: a frame of zstd has its end */
    struct xm_recording_status status;
};

struct xm_recording {
    struct xm_recording_config config;
    char path[PATH_MAX]; /* as given */
    char name[PATH_MAX]; /* of the file at hand */
    int fd;
    bool regular;
    uint32_t *kept;      /* numbers of the files that are there: ring of config.keep */
    uint32_t number;     /* of the file at hand */
    struct xm_pack *pack;
    uint64_t file_bytes, unflushed_bytes; /* written of this file; given to the packer since the last flush */
    uint64_t began_ns, flushed_ns, synced_ns;
    struct xm_recording_status status;
    struct point safe;   /* up to where the file can be read */
    struct xm_pass pass; /* the one at hand, looked through */
    struct xm_pass seen; /* all before */
    bool gap;            /* the source was gone since */
    unsigned char *scratch;
    size_t scratch_room;
    enum xm_status ended; /* not XM_OK: nothing more is written */
};

/* ---- Files. */

bool xm_recording_is_packed(const char *path)
{
    size_t length = strlen(path);
    return length > strlen(ZST) && strcmp(path + length - strlen(ZST), ZST) == 0;
}

static bool name_file(const struct xm_recording *r, uint32_t number, char name[PATH_MAX])
{
    int stem = (int)strlen(r->path);
    bool zst = xm_recording_is_packed(r->path);
    if (zst)
        stem -= (int)strlen(ZST);
    int n = number ? snprintf(name, PATH_MAX, "%.*s.%u%s", stem, r->path, number, zst ? ZST : "")
                   : snprintf(name, PATH_MAX, "%s", r->path);
    return n >= 0 && n < PATH_MAX;
}

static enum xm_status fail_io(const struct xm_recording *r, struct xm_error *err)
{
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", r->name, strerror(errno));
}

/* XM_FULL: there is one of that name, and it may not be replaced. */
static enum xm_status create_file(struct xm_recording *r, struct xm_error *err)
{
    struct stat st;
    if (r->config.force && lstat(r->name, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s exists, and is no file", r->name);
        /* Not emptied: whoever has it open, or another name for it, keeps what it was. */
        if (unlink(r->name) != 0)
            return fail_io(r, err);
    }
    r->fd = open(r->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->fd < 0 && errno == EEXIST)
        return XM_FULL;
    return r->fd < 0 ? fail_io(r, err) : XM_OK;
}

static void begin_file(struct xm_recording *r, uint64_t now_ns)
{
    r->file_bytes = r->unflushed_bytes = 0;
    r->began_ns = r->flushed_ns = r->synced_ns = now_ns;
    r->status.files++;
    r->safe = (struct point){.status = r->status};
}

/* The oldest goes where there would be one too many.  If it stays the disk fills up, which `keep` is there to prevent. */
static enum xm_status keep_file(struct xm_recording *r, struct xm_error *err)
{
    char name[PATH_MAX];
    if (r->config.keep == 0)
        return XM_OK;
    uint32_t *place = &r->kept[(r->status.files - 1) % r->config.keep];
    bool one_too_many = r->status.files > r->config.keep && name_file(r, *place, name);
    *place = r->number;
    if (one_too_many && unlink(name) != 0 && errno != ENOENT) /* gone already is as good */
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", name, strerror(errno));
    return XM_OK;
}

/* XM_OK: it may go on; XM_END: it may not. */
static enum xm_status after_signal(const struct xm_recording *r)
{
    return r->config.stop && r->config.stop(r->config.user) ? XM_END : XM_OK;
}

/* Standard output may be non-blocking: that belongs to all who share it, so it is not ours to change. */
static enum xm_status await_room(const struct xm_recording *r, struct xm_error *err)
{
    struct pollfd p = {.fd = r->fd, .events = POLLOUT};
    if (poll(&p, 1, WAIT_MS) < 0 && errno != EINTR)
        return fail_io(r, err);
    return after_signal(r);
}

static enum xm_status write_some(struct xm_recording *r, const unsigned char *bytes, size_t size, struct xm_error *err)
{
    enum xm_status status = XM_OK;
    while (size > 0 && status == XM_OK) {
        ssize_t n = write(r->fd, bytes, size);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
            r->file_bytes += (uint64_t)n;
            r->status.bytes += (uint64_t)n;
        } else if (errno == EINTR) {
            status = after_signal(r);
        } else if (errno == EAGAIN) {
            status = await_room(r, err);
        } else {
            status = errno == EPIPE ? XM_END : fail_io(r, err);
        }
    }
    return status;
}

static enum xm_status packed_bytes(void *user, const void *bytes, size_t size, struct xm_error *err)
{
    return write_some(user, bytes, size, err);
}

static void is_safe(struct xm_recording *r, bool complete)
{
    r->unflushed_bytes = 0;
    r->safe = (struct point){r->file_bytes, complete, r->status};
}

/* After a failure: the file ends where it could be read up to, and is complete. */
static void take_back(struct xm_recording *r)
{
    if (!r->regular || ftruncate(r->fd, (off_t)r->safe.file_bytes) != 0 ||
        lseek(r->fd, 0, SEEK_END) != (off_t)r->safe.file_bytes)
        return;
    r->file_bytes = r->safe.file_bytes;
    r->status = r->safe.status;
    if (r->safe.complete || r->file_bytes == 0)
        return;
    if (write(r->fd, xm_pack_end, XM_PACK_END_BYTES) == (ssize_t)XM_PACK_END_BYTES)
        r->status.bytes += XM_PACK_END_BYTES;
    else if (ftruncate(r->fd, (off_t)r->file_bytes) != 0) /* not even for that is there room */
        return;
}

static enum xm_status ended(struct xm_recording *r, enum xm_status status)
{
    if (status != XM_OK && r->ended == XM_OK) {
        r->ended = status;
        if (status == XM_IO || status == XM_NOMEM)
            take_back(r);
    }
    return status;
}

static enum xm_status flush(struct xm_recording *r, enum xm_pack_step step, struct xm_error *err)
{
    if (r->pack) {
        enum xm_status status = xm_pack_run(r->pack, NULL, 0, step, err);
        if (status != XM_OK)
            return status;
    }
    is_safe(r, !r->pack || step == XM_PACK_END);
    return XM_OK;
}

static enum xm_status sync_file(struct xm_recording *r, struct xm_error *err)
{
    return r->regular && fdatasync(r->fd) != 0 && errno != EINVAL ? fail_io(r, err) : XM_OK;
}

/* Completes the file at hand. */
static enum xm_status end_file(struct xm_recording *r, struct xm_error *err)
{
    enum xm_status status = r->file_bytes || r->unflushed_bytes ? flush(r, XM_PACK_END, err) : XM_OK;
    if (status == XM_OK)
        status = sync_file(r, err);
    return status;
}

static enum xm_status next_file(struct xm_recording *r, uint64_t now_ns, struct xm_error *err)
{
    enum xm_status status = end_file(r, err);
    if (status != XM_OK)
        return status;
    close(r->fd);
    r->fd = -1;
    uint32_t last = r->number + MOST_NUMBERS;
    for (status = XM_FULL; status == XM_FULL && r->number < last;) {
        if (!name_file(r, ++r->number, r->name))
            return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", r->path, strerror(ENAMETOOLONG));
        status = create_file(r, err);
    }
    if (status == XM_FULL)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", r->name, strerror(EEXIST));
    if (status != XM_OK)
        return status;
    begin_file(r, now_ns);
    return keep_file(r, err);
}

/* ---- Beginning and end. */

static enum xm_status open_first(struct xm_recording *r, struct xm_error *err)
{
    struct stat st;
    if (!name_file(r, 0, r->name))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", r->path, strerror(ENAMETOOLONG));
    if (r->config.fd >= 0) {
        r->fd = r->config.fd;
        /* A pipe or file of others is not cut back. */
        return XM_OK;
    }
    enum xm_status status = create_file(r, err);
    if (status == XM_FULL && lstat(r->name, &st) == 0 && !S_ISREG(st.st_mode))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s exists, and is no file", r->name);
    if (status == XM_FULL)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s exists already: --force replaces it", r->name);
    r->regular = status == XM_OK;
    return status;
}

static enum xm_status prepare(struct xm_recording *r, struct xm_error *err)
{
    const struct xm_recording_config *c = &r->config;
    if (c->keep > XM_RECORDING_MAX_KEEP || (c->packed && (c->level < 1 || c->level > XM_RECORDING_MAX_LEVEL)))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a number of files or a level out of range");
    if (strlen(c->path) >= sizeof r->path)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", c->path, strerror(ENAMETOOLONG));
    memcpy(r->path, c->path, strlen(c->path) + 1);
    if (c->keep && !(r->kept = calloc(c->keep, sizeof *r->kept)))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    return c->packed ? xm_pack_create(c->level, packed_bytes, r, &r->pack, err) : XM_OK;
}

static void discard(struct xm_recording *r)
{
    if (r->fd >= 0 && r->fd != r->config.fd)
        close(r->fd);
    xm_pack_destroy(r->pack);
    xm_pass_free(&r->pass);
    xm_pass_free(&r->seen);
    free(r->kept);
    free(r->scratch);
    free(r);
}

enum xm_status xm_recording_open(const struct xm_recording_config *config, uint64_t now_ns, struct xm_recording **recording,
                                 struct xm_error *err)
{
    struct xm_recording *r = calloc(1, sizeof *r);
    *recording = NULL;
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    r->config = *config;
    r->fd = -1;
    enum xm_status status = prepare(r, err);
    if (status == XM_OK)
        status = open_first(r, err);
    if (status == XM_OK) {
        begin_file(r, now_ns);
        status = keep_file(r, err);
    }
    if (status != XM_OK) {
        discard(r);
        return status;
    }
    *recording = r;
    return XM_OK;
}

enum xm_status xm_recording_close(struct xm_recording *recording, struct xm_recording_status *status, struct xm_error *err)
{
    enum xm_status result = XM_OK;
    if (!recording)
        return XM_OK;
    if (recording->fd >= 0 && (recording->ended == XM_OK || recording->ended == XM_END || recording->ended == XM_DAMAGED)) {
        recording->ended = XM_OK; /* what has ended it was no fault of the file's, but this may be one */
        result = ended(recording, end_file(recording, err));
    }
    if (result == XM_END) /* a pipe that nobody reads any more */
        result = XM_OK;
    if (status)
        *status = recording->status;
    discard(recording);
    return result;
}

/* ---- Passes. */

void xm_recording_gap(struct xm_recording *recording)
{
    recording->gap = true;
}

static bool reserve(struct xm_recording *r, size_t size)
{
    if (size <= r->scratch_room)
        return true;
    unsigned char *grown = realloc(r->scratch, size);
    if (!grown)
        return false;
    r->scratch = grown;
    r->scratch_room = size;
    return true;
}

static enum xm_status look_through(struct xm_recording *r, const void *bytes, size_t size, struct xm_error *err)
{
    xm_pass_clear(&r->pass);
    enum xm_status status = xm_pass_add(&r->pass, bytes, size, err);
    return status == XM_OK ? xm_pass_end(&r->pass, err) : status;
}

/* From when on nothing is known of this CPU; 0: it is not concerned. */
static uint64_t gap_since(const struct xm_recording *r, uint32_t cpu, uint64_t all_since)
{
    if (cpu < r->seen.cpus && r->seen.cpu[cpu].last_tsc)
        return r->seen.cpu[cpu].last_tsc;
    return cpu < r->pass.cpus && r->pass.cpu[cpu].first_tsc ? all_since : 0;
}

static size_t write_gap_marks(struct xm_recording *r, unsigned char *out)
{
    uint32_t cpus = r->seen.cpus > r->pass.cpus ? r->seen.cpus : r->pass.cpus;
    uint64_t all_since = xm_pass_last_tsc(&r->seen);
    uint64_t pass_begins = xm_pass_first_tsc(&r->pass);
    size_t made = 0;
    for (uint32_t i = 0; i < cpus; i++) {
        uint64_t since = gap_since(r, i, all_since);
        uint64_t until = i < r->pass.cpus && r->pass.cpu[i].first_tsc ? r->pass.cpu[i].first_tsc : pass_begins;
        if (!since)
            continue;
        xm_pass_mark(out + made, i, 1, until > since ? until : since, XM_PASS_NOBODY, since < until ? since : until);
        made += XM_PASS_MARK_BYTES;
    }
    return made;
}

/* The first pass after a gap: marks, and of the pass what is new.  XM_AGAIN: nothing in it is. */
static enum xm_status bridge(struct xm_recording *r, const void **bytes, size_t *size, struct xm_error *err)
{
    size_t marks_room = (size_t)XM_PASS_CPUS * XM_PASS_MARK_BYTES;
    uint64_t last = xm_pass_last_tsc(&r->pass);
    if (last == 0)
        return XM_OK; /* not a record yet that would say when it is: the gap goes on */
    if (last < xm_pass_first_tsc(&r->seen))
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "the clock of what comes now is behind that of what was recorded");
    if (!reserve(r, marks_room + *size))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    unsigned char *newer = r->scratch + marks_room;
    size_t left = xm_pass_newer(*bytes, *size, &r->seen, newer);
    enum xm_status status = look_through(r, newer, left, err);
    if (status != XM_OK)
        return status;
    if (xm_pass_last_tsc(&r->pass) == 0)
        return XM_AGAIN;
    size_t marks = write_gap_marks(r, r->scratch);
    memmove(r->scratch + marks, newer, left);
    *bytes = r->scratch;
    *size = marks + left;
    r->status.gaps++;
    r->gap = false;
    return XM_OK;
}

/* Whether `more` bytes of trace are sure to keep a total within `limit`. */
static bool fits(const struct xm_recording *r, uint64_t total, size_t more, uint64_t limit)
{
    uint64_t bytes = r->pack ? xm_pack_bound(r->unflushed_bytes + more) : more;
    return total <= limit && bytes <= limit - total;
}

/* The same; asks the packer for the truth where the worst case would not. */
static enum xm_status check_fit(struct xm_recording *r, const uint64_t *total, size_t more, uint64_t limit, bool *good,
                                struct xm_error *err)
{
    enum xm_status status = XM_OK;
    *good = limit == 0 || fits(r, *total, more, limit);
    if (!*good && r->pack && r->unflushed_bytes > 0) {
        status = flush(r, XM_PACK_FLUSH, err);
        *good = fits(r, *total, more, limit);
    }
    return status;
}

/* Finds a place for a pass: this file, the next one, or none (XM_END). */
static enum xm_status find_room(struct xm_recording *r, size_t size, uint64_t now_ns, struct xm_error *err)
{
    const struct xm_recording_config *c = &r->config;
    bool empty = r->file_bytes == 0 && r->unflushed_bytes == 0;
    bool good;
    enum xm_status status = check_fit(r, &r->status.bytes, size, c->max_bytes, &good, err);
    if (status == XM_OK && !good)
        return XM_END;
    if (status != XM_OK || empty || c->fd >= 0)
        return status;
    status = check_fit(r, &r->file_bytes, size, c->rotate_bytes, &good, err);
    bool old = c->rotate_ns && now_ns - r->began_ns >= c->rotate_ns;
    return status == XM_OK && (!good || old) ? next_file(r, now_ns, err) : status;
}

static enum xm_status put(struct xm_recording *r, const void *bytes, size_t size, struct xm_error *err)
{
    if (!r->pack)
        return write_some(r, bytes, size, err);
    r->unflushed_bytes += size;
    return xm_pack_run(r->pack, bytes, size, XM_PACK_GO_ON, err);
}

static enum xm_status count_pass(struct xm_recording *r, bool marks, struct xm_error *err)
{
    uint64_t lost = xm_pass_lost(&r->pass);
    if (marks)
        r->status.dropped += lost;
    else
        r->status.lost += lost;
    r->status.passes += !marks;
    r->status.records += xm_pass_records(&r->pass) - lost;
    if (xm_pass_merge(&r->seen, &r->pass) != XM_OK)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (!r->pack)
        is_safe(r, true);
    return XM_OK;
}

static enum xm_status record(struct xm_recording *r, const void *bytes, size_t size, bool marks, uint64_t now_ns,
                             struct xm_error *err)
{
    enum xm_status status = look_through(r, bytes, size, err);
    if (status == XM_OK && r->gap && r->seen.cpus)
        status = bridge(r, &bytes, &size, err);
    if (status == XM_AGAIN)
        return XM_OK;
    if (status == XM_OK)
        status = find_room(r, size, now_ns, err);
    if (status == XM_OK)
        status = put(r, bytes, size, err);
    return status == XM_OK ? count_pass(r, marks, err) : status;
}

enum xm_status xm_recording_pass(struct xm_recording *recording, const void *bytes, size_t size, bool marks, uint64_t now_ns,
                                 struct xm_error *err)
{
    enum xm_status status = size ? record(recording, bytes, size, marks, now_ns, err) : XM_OK;
    return status == XM_OK ? xm_recording_tick(recording, now_ns, err) : ended(recording, status);
}

enum xm_status xm_recording_tick(struct xm_recording *recording, uint64_t now_ns, struct xm_error *err)
{
    struct xm_recording *r = recording;
    enum xm_status status = XM_OK;
    if (r->pack && r->unflushed_bytes && now_ns - r->flushed_ns >= XM_RECORDING_FLUSH_NS) {
        status = flush(r, XM_PACK_FLUSH, err);
        r->flushed_ns = now_ns;
    }
    if (status == XM_OK && r->config.sync_ns && now_ns - r->synced_ns >= r->config.sync_ns) {
        status = sync_file(r, err);
        r->synced_ns = now_ns;
    }
    return ended(r, status);
}
