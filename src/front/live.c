/* SPDX-License-Identifier: MIT */
#include "front/live.h"

#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <time.h>

#include "front/feed.h"
#include "front/screen.h"

/* While there is nothing to show, it is looked for more often. */
#define WAIT_NS (XM_NS_PER_S / 5)

static uint64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / XM_NS_PER_S), .tv_nsec = (long)(ns % XM_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

/* ---- The terminal. */

static enum xm_status show(struct xm_terminal *terminal, const struct xm_model *model,
                           struct xm_choice *choice, struct xm_grid *grid)
{
    unsigned width;
    unsigned height;
    xm_terminal_size(terminal, &width, &height);
    if (width != grid->width || height != grid->height) {
        enum xm_status status = xm_grid_resize(grid, width, height);
        if (status != XM_OK)
            return status;
    }
    xm_screen_build(model, choice, true, grid);
    if (choice->redraw)
        xm_terminal_redraw(terminal);
    choice->redraw = false;
    xm_terminal_draw(terminal, grid);
    return XM_OK;
}

/* Keys until `until_ns`; each one is answered at once. */
static enum xm_status hear_keys(struct xm_terminal *terminal, const struct xm_model *model,
                                struct xm_choice *choice, struct xm_grid *grid, uint64_t since_ns,
                                const struct xm_live_keep *keep)
{
    enum xm_status status = XM_OK;
    while (status == XM_OK && !choice->quit) {
        uint64_t pause_ns = model->data || choice->interval_ns < WAIT_NS ? choice->interval_ns : WAIT_NS;
        uint64_t now_ns = monotonic_ns();
        uint64_t left_ns = since_ns + pause_ns > now_ns ? since_ns + pause_ns - now_ns : 0;
        int key = xm_terminal_key(terminal, (int)((left_ns + 999999) / 1000000));
        if (key == XM_KEY_NONE && monotonic_ns() >= since_ns + pause_ns)
            break;
        bool known = xm_choice_key(choice, model, key);
        if (choice->save && keep)
            keep->keep(keep->user, choice);
        choice->save = false;
        if (known && !choice->quit)
            status = show(terminal, model, choice, grid);
    }
    return status;
}

enum xm_status xm_live_screen(struct xm_terminal *terminal, const char *path, struct xm_choice *choice,
                              const struct xm_live_keep *keep)
{
    struct xm_feed *feed = xm_feed_create(path);
    struct xm_grid grid = {.utf8 = xm_terminal_utf8(terminal)};
    enum xm_status status = feed ? XM_OK : XM_NOMEM;
    while (status == XM_OK && !choice->quit) {
        uint64_t now_ns = monotonic_ns();
        xm_feed_update(feed, now_ns);
        status = show(terminal, xm_feed_model(feed), choice, &grid);
        if (status == XM_OK)
            status = hear_keys(terminal, xm_feed_model(feed), choice, &grid, now_ns, keep);
    }
    xm_grid_fini(&grid);
    xm_feed_destroy(feed);
    return status;
}

/* ---- Frames of text. */

static bool covers_a_second(const struct xm_model *m)
{
    const struct xm_window *w = &m->window[XM_SPAN_1S];
    if (!m->data)
        return false;
    return m->link == XM_LINK_ENDED || m->info.tsc_hz == 0 ||
           xm_scale_to_ns(w->scale, xm_cycles_of(w->to->host.window)).v >= XM_NS_PER_S;
}

static enum xm_status await_data(struct xm_feed *feed, uint64_t patience_ns, struct xm_error *err)
{
    const struct xm_model *m = xm_feed_model(feed);
    uint64_t start_ns = monotonic_ns();
    for (;;) {
        uint64_t now_ns = monotonic_ns();
        xm_feed_update(feed, now_ns);
        if (covers_a_second(m))
            return XM_OK;
        if (now_ns - start_ns >= patience_ns)
            break;
        sleep_until(now_ns + WAIT_NS / 4);
    }
    if (m->data)
        return XM_OK;
    if (m->link == XM_LINK_ABSENT || m->link == XM_LINK_BROKEN)
        return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "%s", m->reason);
    return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "no sample in the region at %s", m->path);
}

static enum xm_status print_frame(const struct xm_model *model, struct xm_choice *choice, unsigned width,
                                  struct xm_grid *grid, FILE *out)
{
    enum xm_status status = xm_grid_resize(grid, width, xm_screen_height(model, choice, false, width));
    if (status != XM_OK)
        return status;
    xm_screen_build(model, choice, false, grid);
    return xm_grid_write(grid, out) && fflush(out) == 0 ? XM_OK : XM_IO;
}

static enum xm_status print_frames(struct xm_feed *feed, struct xm_choice *choice,
                                   const struct xm_live_frames *frames, FILE *out, struct xm_error *err)
{
    struct xm_grid grid = {.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    enum xm_status status = await_data(feed, frames->patience_ns, err);
    uint64_t due_ns = monotonic_ns();
    for (unsigned i = 0; i < frames->count && status == XM_OK; i++) {
        if (i) {
            due_ns += choice->interval_ns;
            sleep_until(due_ns);
            xm_feed_update(feed, due_ns);
            fputc('\n', out);
        }
        status = print_frame(xm_feed_model(feed), choice, frames->width, &grid, out);
        if (status == XM_NOMEM)
            xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        if (status == XM_IO)
            xm_fail(err, XM_IO, XM_NO_OFFSET, "the output cannot be written: %s", strerror(errno));
    }
    xm_grid_fini(&grid);
    return status;
}

enum xm_status xm_live_print(const char *path, struct xm_choice *choice, const struct xm_live_frames *frames,
                             FILE *out, struct xm_error *err)
{
    struct xm_feed *feed = xm_feed_create(path);
    if (!feed)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    enum xm_status status = print_frames(feed, choice, frames, out, err);
    xm_feed_destroy(feed);
    return status;
}
