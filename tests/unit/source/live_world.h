/* SPDX-License-Identifier: MIT */
/* A live source on the hypervisor of the tests: what it said, what it gave, and what that bakes to. */
#ifndef XM_TEST_LIVE_WORLD_H
#define XM_TEST_LIVE_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakexen.h"
#include "source/bake.h"
#include "source/xen/live.h"
#include "source/xen/live_int.h"
#include "support.h"

#define EVERYTHING 0x0ffff000u
#define MS UINT64_C(1000000)

struct world {
    struct fakexen *fake;
    struct xm_hyper hyper;
    struct xm_control *control;
    struct xm_live_config config;
    struct xm_source *source;
    char dir[64];        /* of this world: its proc and its note */
    char proc[96], note[96];
    unsigned said, warned;
    char last[512];      /* said last */
    struct xt_bytes out; /* all that came */
    struct xm_bake *bake; /* where it goes too; NULL: nowhere */
    unsigned passes;
};

static inline void world_says(void *user, bool warning, const char *text)
{
    struct world *w = user;
    w->said++;
    w->warned += warning;
    snprintf(w->last, sizeof w->last, "%s", text);
    assert_null(strchr(text, '\n'));
}

static inline void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static inline void make_dirs(const char *root, const char *below)
{
    char path[256];
    snprintf(path, sizeof path, "%s/", root);
    mkdir(root, 0700);
    for (const char *c = below; *c; c++) {
        size_t at = strlen(path);
        if (*c == '/')
            mkdir(path, 0700);
        path[at] = *c;
        path[at + 1] = 0;
    }
    mkdir(path, 0700);
}

/* A process in the world's proc; device: it has the event channels open. */
static inline void add_process(struct world *w, int pid, const char *name, bool device)
{
    char below[64], path[256], text[64];
    snprintf(below, sizeof below, "%d/fd", pid);
    make_dirs(w->proc, below);
    snprintf(path, sizeof path, "%s/%d/comm", w->proc, pid);
    snprintf(text, sizeof text, "%s\n", name);
    write_file(path, text);
    snprintf(path, sizeof path, "%s/%d/fd/3", w->proc, pid);
    unlink(path);
    assert_int_equal(symlink(device ? "/dev/xen/evtchn" : "/dev/null", path), 0);
}

static inline void set_boot(struct world *w, const char *boot)
{
    char path[256];
    make_dirs(w->proc, "sys/kernel/random");
    snprintf(path, sizeof path, "%s/sys/kernel/random/boot_id", w->proc);
    write_file(path, boot);
}

static inline void connect_world(struct world *w)
{
    struct xm_error err;
    xm_error_clear(&err);
    w->hyper = fakexen_hyper(w->fake);
    assert_int_equal(xm_control_open(&w->hyper, &w->control, &err), XM_OK);
    w->config.hyper = &w->hyper;
    w->config.control = w->control;
}

static inline void disconnect_world(struct world *w)
{
    xm_source_close(w->source);
    w->source = NULL;
    xm_control_close(w->control);
    xm_hyper_close(&w->hyper);
}

/* Events of every kind, small buffers, a pass every millisecond. */
static inline struct world *world(const struct fakexen_config *fake)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    snprintf(w->dir, sizeof w->dir, "/tmp/xm-live-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->proc, sizeof w->proc, "%s/proc", w->dir);
    snprintf(w->note, sizeof w->note, "%s/note", w->dir);
    set_boot(w, "11111111-2222-3333-4444-555555555555\n");
    w->fake = fakexen_create(fake);
    w->config = (struct xm_live_config){.pages = 4, .events = EVERYTHING, .poll_ns = MS, .state_path = w->note,
                                        .proc = w->proc, .say = world_says, .user = w};
    connect_world(w);
    return w;
}

static inline void remove_below(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static inline void world_end(struct world *w)
{
    disconnect_world(w);
    struct fakexen_state left = fakexen_state(w->fake);
    assert_int_equal(left.mappings, 0);
    assert_int_equal(left.memory, 0);
    assert_int_equal(left.opened, 0);
    assert_int_not_equal(access(w->note, F_OK), 0);
    fakexen_destroy(w->fake);
    xm_bake_destroy(w->bake);
    xt_free(&w->out);
    remove_below(w->dir);
    free(w);
}

static inline void open_live(struct world *w)
{
    struct xm_error err;
    xm_error_clear(&err);
    enum xm_status status = xm_live_open(&w->config, &w->source, &err);
    if (status != XM_OK)
        print_error("%s\n", err.text);
    assert_int_equal(status, XM_OK);
}

/* One pass: all that it gives goes to out and bake. */
static inline void pass(struct world *w)
{
    const void *bytes;
    size_t size, used;
    struct xm_error err;
    enum xm_status status;
    while ((status = xm_source_next(w->source, -1, &bytes, &size, &err)) == XM_OK) {
        assert_in_range(size, 4, 65536);
        assert_int_equal(size % 4, 0);
        xt_put(&w->out, bytes, size);
        for (size_t at = 0; w->bake && at < size; at += used)
            assert_int_equal(xm_bake_run(w->bake, (const char *)bytes + at, size - at, &used), XM_OK);
    }
    assert_int_equal(status, XM_AGAIN);
    assert_true(xm_source_pass_ended(w->source));
    assert_false(xm_source_pass_ended(w->source));
    if (w->bake)
        xm_bake_pass_end(w->bake);
    w->passes++;
}

/* Forgets what came so far. */
static inline void forget(struct world *w)
{
    w->out.size = 0;
}

static inline struct xm_live *inside(struct world *w)
{
    return (struct xm_live *)w->source;
}

/* LOST_RECORDS in windows of their own that came for a CPU. */
static inline unsigned marks(const struct world *w, uint32_t cpu)
{
    const uint32_t mark[5] = {0x2001f003, cpu, 8, 0x1001f001, 1};
    unsigned count = 0;
    for (size_t at = 0; at + sizeof mark <= w->out.size; at += 4)
        count += memcmp(w->out.data + at, mark, sizeof mark) == 0;
    return count;
}

#endif
