/* SPDX-License-Identifier: MIT */
/*
 * A pass is copied once and shared by all who still have to send it.  A listener is a queue of such frames; what cannot
 * be queued is counted, CPU by CPU, in its `lost`, which becomes a frame of marks before the next pass that fits.
 */
#include "source/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "source/pass.h"
#include "trace/format.h"

#define SUFFIX ".control"
#define GROUP "xenmon"
#define FIRST_ROOM (64u << 10)
#define SEND_FRAMES 16          /* one sendmsg(2) takes */
#define SEND_BUFFER (1 << 20)   /* wished for: what a busy host makes between two passes */
#define SEND_MOST (4u << 20)    /* at once: one who reads as fast as we write must not keep us in the middle of a pass */
#define NEWCOMERS 16            /* looked at after one pass: whoever only knocks must not keep us */

static const char request[] = XM_TEE_REQUEST;

struct frame {
    unsigned users;
    size_t size; /* of bytes, the count included */
    unsigned char bytes[];
};

enum stage { FREE, ASKING, LISTENING };

struct listener {
    int fd;
    enum stage stage;
    unsigned waited;                  /* passes that it has said nothing for */
    size_t asked;                     /* bytes of its request */
    char asks[sizeof request];
    struct frame **queue;             /* ring of `room`, `count` of them from `first` */
    size_t room, first, count;
    size_t sent;                      /* bytes of the first frame */
    uint64_t backlog_bytes;           /* what the frames of the queue cost */
    struct xm_pass lost;              /* what was left out since the last frame */
};

struct xm_tee {
    int fd;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    dev_t dev;
    ino_t ino;
    char answer[160];
    uint64_t backlog_bytes;
    uint64_t passes_dropped;
    unsigned listening;
    struct frame *pass; /* under way; NULL: nothing yet, or it is not kept */
    size_t room;        /* of it, in all */
    bool spilt;         /* it is not kept: only looked through, in `counts` */
    bool counted;       /* `counts` is of all that there is of it */
    struct xm_pass counts;
    struct listener listener[XM_TEE_LISTENERS];
};

bool xm_tee_path(const char *region, char *path, size_t size)
{
    int n = snprintf(path, size, "%s" SUFFIX, region);
    return n >= 0 && (size_t)n < size && (size_t)n < sizeof((struct sockaddr_un *)0)->sun_path;
}

/* ---- The socket. */

static enum xm_status refuse(struct xm_error *err, const char *path, const char *why)
{
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, why);
}

/* What the system refused, in its words. */
static enum xm_status failed(struct xm_error *err, const char *path)
{
    bool denied = errno == EACCES || errno == EPERM;
    return xm_fail(err, denied ? XM_DENIED : XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
}

static enum xm_status make_way(const char *path, struct xm_error *err)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? XM_OK : failed(err, path);
    if (!S_ISSOCK(st.st_mode))
        return refuse(err, path, "this is no socket, so it is not replaced by one");
    return unlink(path) == 0 ? XM_OK : failed(err, path);
}

static void give_to_group(int fd)
{
    char buffer[4096];
    struct group group;
    struct group *found = NULL;
    if (getgrnam_r(GROUP, &group, buffer, sizeof buffer, &found) == 0 && found)
        (void)!fchownat(fd, "", (uid_t)-1, found->gr_gid, AT_EMPTY_PATH); /* who may not has listeners of their own */
}

/*
 * bind(2) gives the name the mode of the socket less the umask; so it is right at once and no chmod(2) is needed, which
 * would follow a link that somebody else who may write to the directory has put there.
 */
static int bind_to(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0117);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int error = errno;
    umask(before);
    errno = error;
    return result;
}

/* What is at the path now: ours, by which it is known again at the end, and the group's.  Not what a link leads to. */
static enum xm_status settle(struct xm_tee *tee, struct xm_error *err)
{
    struct stat st;
    int fd = open(tee->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed(err, tee->path);
    bool good = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid();
    if (good) {
        tee->dev = st.st_dev;
        tee->ino = st.st_ino;
        give_to_group(fd);
    }
    close(fd);
    return good ? XM_OK : refuse(err, tee->path, "somebody else has put something in the socket's place");
}

static enum xm_status open_socket(struct xm_tee *tee, const char *path, struct xm_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return refuse(err, path, "too long a name for a socket");
    enum xm_status status = make_way(path, err);
    if (status != XM_OK)
        return status;
    tee->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (tee->fd < 0)
        return failed(err, path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (bind_to(tee->fd, &address) != 0)
        return failed(err, path);
    memcpy(tee->path, path, strlen(path) + 1);
    /* At once: whoever sees the name is to find somebody behind it. */
    if (listen(tee->fd, (int)XM_TEE_LISTENERS) != 0)
        return failed(err, path);
    return settle(tee, err);
}

static void set_answer(struct xm_tee *tee, const struct xm_tee_config *config)
{
    char name[64];
    snprintf(name, sizeof name, "%s", config->hypervisor);
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    snprintf(tee->answer, sizeof tee->answer, "ok %s\t%llu\t0x%x\n", name, (unsigned long long)config->hz,
             config->events);
}

enum xm_status xm_tee_open(const struct xm_tee_config *config, struct xm_tee **tee, struct xm_error *err)
{
    struct xm_tee *t = calloc(1, sizeof *t);
    *tee = NULL;
    if (!t)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    t->fd = -1;
    t->backlog_bytes = config->backlog_bytes ? config->backlog_bytes : XM_TEE_BACKLOG;
    set_answer(t, config);
    enum xm_status status = open_socket(t, config->path, err);
    if (status != XM_OK) {
        xm_tee_close(t);
        return status;
    }
    *tee = t;
    return XM_OK;
}

/* ---- Frames. */

static void let_go(struct frame *frame)
{
    if (frame && --frame->users == 0)
        free(frame);
}

static struct frame *new_frame(size_t bytes)
{
    struct frame *frame = malloc(sizeof *frame + bytes);
    if (frame)
        *frame = (struct frame){.users = 1, .size = 0};
    return frame;
}

/* What a frame counts for: small ones would take many times the memory of their bytes. */
static uint64_t cost_of(size_t frame_bytes)
{
    return (uint64_t)frame_bytes + XM_TEE_FRAME_BYTES;
}

static void set_count(struct frame *frame, uint32_t flags)
{
    uint32_t count = (uint32_t)(frame->size - XM_TEE_COUNT_BYTES) | flags;
    memcpy(frame->bytes, &count, XM_TEE_COUNT_BYTES);
}

/* Makes room for `size` more bytes of the pass under way.  False: it is not to be kept. */
static bool make_room(struct xm_tee *tee, size_t size)
{
    size_t have = tee->pass ? tee->pass->size : XM_TEE_COUNT_BYTES;
    if (have + size > tee->backlog_bytes || have + size > XM_PASS_MAX_BYTES)
        return false;
    if (tee->pass && have + size <= tee->room)
        return true;
    size_t room = tee->pass ? tee->room : FIRST_ROOM;
    while (room < have + size)
        room *= 2;
    struct frame *grown = realloc(tee->pass, sizeof *grown + room);
    if (!grown)
        return false;
    if (!tee->pass)
        *grown = (struct frame){.users = 1, .size = XM_TEE_COUNT_BYTES};
    tee->pass = grown;
    tee->room = room;
    return true;
}

/* What makes no sense in what was left out cannot be counted: what came before it is. */
static void count(struct xm_tee *tee, const void *bytes, size_t size)
{
    (void)!xm_pass_add(&tee->counts, bytes, size, NULL);
}

/* The pass is whole: what it has not needed of its memory would stay with it in the queues. */
static void cut_to_size(struct xm_tee *tee)
{
    struct frame *cut = realloc(tee->pass, sizeof *cut + tee->pass->size);
    if (cut)
        tee->pass = cut;
    tee->room = 0; /* nothing is added any more */
}

static void spill(struct xm_tee *tee)
{
    xm_pass_clear(&tee->counts);
    if (tee->pass)
        count(tee, tee->pass->bytes + XM_TEE_COUNT_BYTES, tee->pass->size - XM_TEE_COUNT_BYTES);
    let_go(tee->pass);
    tee->pass = NULL;
    tee->spilt = tee->counted = true;
}

/* ---- Listeners. */

static void drop(struct xm_tee *tee, struct listener *l)
{
    for (; l->count > 0; l->count--) {
        let_go(l->queue[l->first]);
        l->first = (l->first + 1) % l->room;
    }
    if (l->stage == LISTENING)
        tee->listening--;
    free(l->queue);
    xm_pass_free(&l->lost);
    close(l->fd);
    *l = (struct listener){.fd = -1, .stage = FREE};
}

static bool enqueue(struct listener *l, struct frame *frame)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        struct frame **grown = malloc(room * sizeof(struct frame *));
        if (!grown)
            return false;
        for (size_t i = 0; i < l->count; i++)
            grown[i] = l->queue[(l->first + i) % l->room];
        free(l->queue);
        l->queue = grown;
        l->room = room;
        l->first = 0;
    }
    l->queue[(l->first + l->count++) % l->room] = frame;
    l->backlog_bytes += cost_of(frame->size);
    frame->users++;
    return true;
}

/* So many bytes have gone out. */
static void advance(struct listener *l, size_t bytes)
{
    l->sent += bytes;
    while (l->count > 0 && l->sent >= l->queue[l->first]->size) {
        l->sent -= l->queue[l->first]->size;
        l->backlog_bytes -= cost_of(l->queue[l->first]->size);
        let_go(l->queue[l->first]);
        l->first = (l->first + 1) % l->room;
        l->count--;
    }
}

/* The next bytes of the queue, `most` of them.  Returns how many parts they are in. */
static size_t gather(const struct listener *l, struct iovec part[SEND_FRAMES], size_t most)
{
    size_t parts = 0;
    for (size_t skip = l->sent; parts < l->count && parts < SEND_FRAMES && most > 0; parts++, skip = 0) {
        struct frame *frame = l->queue[(l->first + parts) % l->room];
        size_t size = frame->size - skip < most ? frame->size - skip : most;
        part[parts] = (struct iovec){frame->bytes + skip, size};
        most -= size;
    }
    return parts;
}

/* Sends what the listener takes at once, `most` bytes of it.  False: it has gone. */
static bool send_some(struct listener *l, size_t most)
{
    while (l->count > 0 && most > 0) {
        struct iovec part[SEND_FRAMES];
        struct msghdr message = {.msg_iov = part, .msg_iovlen = gather(l, part, most)};
        ssize_t n = sendmsg(l->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        advance(l, (size_t)n);
        most -= (size_t)n;
    }
    return true;
}

static void move_backlogs(struct xm_tee *tee, size_t most)
{
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        struct listener *l = &tee->listener[i];
        if (l->stage == LISTENING && !send_some(l, most))
            drop(tee, l);
    }
}

void xm_tee_bytes(struct xm_tee *tee, const void *bytes, size_t size)
{
    if (tee->listening == 0)
        return;
    if (!tee->spilt && !make_room(tee, size))
        spill(tee);
    if (tee->spilt) {
        count(tee, bytes, size);
    } else {
        memcpy(tee->pass->bytes + tee->pass->size, bytes, size);
        tee->pass->size += size;
    }
    if (size > XM_WINDOW_HEADER_BYTES) /* its window comes right behind a header */
        move_backlogs(tee, SEND_MOST);
}

/* Leaves this pass out for one listener.  False: not even that can be remembered. */
static bool leave_out(struct xm_tee *tee, struct listener *l)
{
    if (!tee->counted) {
        xm_pass_clear(&tee->counts);
        count(tee, tee->pass->bytes + XM_TEE_COUNT_BYTES, tee->pass->size - XM_TEE_COUNT_BYTES);
        tee->counted = true;
    }
    tee->passes_dropped++;
    return xm_pass_merge(&l->lost, &tee->counts) == XM_OK;
}

/* Says what was left out.  False: there is no memory for that. */
static bool say_lost(struct listener *l)
{
    size_t size = xm_pass_marks(&l->lost, NULL);
    if (size > 0) {
        struct frame *frame = new_frame(XM_TEE_COUNT_BYTES + size);
        if (!frame)
            return false;
        frame->size = XM_TEE_COUNT_BYTES + xm_pass_marks(&l->lost, frame->bytes + XM_TEE_COUNT_BYTES);
        set_count(frame, XM_TEE_MARKS);
        bool queued = enqueue(l, frame);
        let_go(frame);
        if (!queued)
            return false;
    }
    xm_pass_clear(&l->lost);
    return true;
}

/* The pass is whole: into the queue, or into what was lost.  False: the listener must go. */
static bool offer(struct xm_tee *tee, struct listener *l)
{
    size_t marks = xm_pass_marks(&l->lost, NULL);
    uint64_t cost = marks ? cost_of(XM_TEE_COUNT_BYTES + marks) : 0;
    if (tee->spilt || l->backlog_bytes + cost + cost_of(tee->pass->size) > tee->backlog_bytes)
        return leave_out(tee, l);
    return say_lost(l) && enqueue(l, tee->pass);
}

static void deliver(struct xm_tee *tee)
{
    if (tee->pass) {
        cut_to_size(tee);
        set_count(tee->pass, 0);
    }
    for (unsigned i = 0; i < XM_TEE_LISTENERS && (tee->pass || tee->spilt); i++) {
        struct listener *l = &tee->listener[i];
        if (l->stage == LISTENING && !offer(tee, l))
            drop(tee, l);
    }
    let_go(tee->pass);
    tee->pass = NULL;
    tee->spilt = tee->counted = false;
}

/* ---- Requests. */

static void turn_away(int fd, const char *why)
{
    char line[128];
    int n = snprintf(line, sizeof line, "error %s\n", why);
    (void)!send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool answer(struct xm_tee *tee, struct listener *l)
{
    size_t size = strlen(tee->answer);
    struct frame *frame = new_frame(size);
    if (!frame)
        return false;
    memcpy(frame->bytes, tee->answer, size);
    frame->size = size;
    bool queued = enqueue(l, frame);
    let_go(frame);
    if (!queued)
        return false;
    l->stage = LISTENING;
    tee->listening++;
    return send_some(l, SEND_MOST);
}

/* Reads what a client wants.  False: nothing that it can have. */
static bool hear(struct xm_tee *tee, struct listener *l)
{
    ssize_t n = recv(l->fd, l->asks + l->asked, sizeof l->asks - l->asked, MSG_DONTWAIT);
    if (n < 0)
        return (errno == EAGAIN || errno == EINTR) && l->waited++ < XM_TEE_PATIENCE_PASSES;
    l->asked += (size_t)n;
    if (l->asked == sizeof request - 1 && memcmp(l->asks, request, l->asked) == 0)
        return answer(tee, l);
    if (n > 0 && l->asked < sizeof request - 1 && memcmp(l->asks, request, l->asked) == 0)
        return true; /* the rest is to come */
    if (n > 0)
        turn_away(l->fd, "the only request is: record");
    return false;
}

/* A free place; else that of whoever has been silent for longest; NULL: all listen. */
static struct listener *find_place(struct xm_tee *tee)
{
    struct listener *silent = NULL;
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        struct listener *l = &tee->listener[i];
        if (l->stage == FREE)
            return l;
        if (l->stage == ASKING && (!silent || l->waited > silent->waited))
            silent = l;
    }
    if (silent)
        drop(tee, silent);
    return silent;
}

static void take_in(struct xm_tee *tee, int fd)
{
    const int wish = tee->backlog_bytes < SEND_BUFFER ? (int)tee->backlog_bytes : SEND_BUFFER;
    struct listener *l = find_place(tee);
    if (!l) {
        turn_away(fd, "as many listen already as may");
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wish, sizeof wish); /* as much of it as the system grants */
    *l = (struct listener){.fd = fd, .stage = ASKING};
    if (!hear(tee, l))
        drop(tee, l);
}

static void welcome(struct xm_tee *tee)
{
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        struct listener *l = &tee->listener[i];
        if (l->stage == ASKING && !hear(tee, l))
            drop(tee, l);
    }
    for (unsigned i = 0; i < NEWCOMERS; i++) {
        int fd = accept4(tee->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return; /* nobody; or out of descriptors, and then they wait */
        take_in(tee, fd);
    }
}

/* One that has closed its end is let go also when there is nothing to send. */
static void look_after(struct xm_tee *tee)
{
    char byte;
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        struct listener *l = &tee->listener[i];
        if (l->stage != LISTENING)
            continue;
        ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            drop(tee, l);
    }
}

void xm_tee_pass(struct xm_tee *tee)
{
    deliver(tee);
    move_backlogs(tee, SEND_MOST);
    look_after(tee);
    welcome(tee);
}

struct xm_tee_status xm_tee_status(const struct xm_tee *tee)
{
    return (struct xm_tee_status){.listeners = tee->listening, .passes_dropped = tee->passes_dropped};
}

/* There is no next pass that this could come before. */
static void say_all_lost(struct xm_tee *tee)
{
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++) {
        struct listener *l = &tee->listener[i];
        if (l->stage == LISTENING && !say_lost(l))
            drop(tee, l);
    }
}

void xm_tee_close(struct xm_tee *tee)
{
    struct stat st;
    if (!tee)
        return;
    /* The door first, so that nobody who is sent away comes in again.  Not if another has taken the name meanwhile. */
    if (tee->fd >= 0)
        close(tee->fd);
    if (tee->path[0] && lstat(tee->path, &st) == 0 && st.st_dev == tee->dev && st.st_ino == tee->ino)
        unlink(tee->path);
    say_all_lost(tee);
    move_backlogs(tee, SIZE_MAX);
    for (unsigned i = 0; i < XM_TEE_LISTENERS; i++)
        if (tee->listener[i].stage != FREE)
            drop(tee, &tee->listener[i]);
    let_go(tee->pass);
    xm_pass_free(&tee->counts);
    free(tee);
}
