/* SPDX-License-Identifier: MIT */
#include "front/screen/live.h"

#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "front/feed/feed.h"
#include "front/screen/screen.h"
#include "front/screen/travel.h"

/* While there is nothing to show, it is looked for more often. */
#define WAIT_NS (XM_NS_PER_S / 5)
/* Keys that are there already are all heard before the terminal gets a frame, for so long at most. */
#define BURST_NS (XM_NS_PER_S / 10)

static void sleep_until(uint64_t ns)
{
    while (xm_clock_sleep_until(ns)) {
    }
}

/* ---- The terminal. */

struct live {
    struct xm_terminal *terminal;
    struct xm_feed *feed;
    const struct xm_model *model;
    struct xm_travel travel;
    struct xm_choice *choice;
    const struct xm_live_keep *keep;
    struct xm_grid grid;
    bool fresh; /* the grid is not on the terminal yet */
    uint64_t updated_ns;
};

/* The frame; what the next key means depends on it. */
static enum xm_status build(struct live *live)
{
    unsigned width;
    unsigned height;
    xm_terminal_size(live->terminal, &width, &height);
    if (width != live->grid.width || height != live->grid.height) {
        enum xm_status status = xm_grid_resize(&live->grid, width, height);
        if (status != XM_OK)
            return status;
    }
    xm_screen_build(live->model, live->choice, true, &live->grid);
    live->fresh = true;
    return XM_OK;
}

/* Sends it, which on a slow line takes longer than all else. */
static void draw(struct live *live)
{
    if (!live->fresh)
        return;
    xm_terminal_theme(live->terminal, live->choice->theme);
    if (live->choice->redraw)
        xm_terminal_redraw(live->terminal);
    live->choice->redraw = false;
    xm_terminal_draw(live->terminal, &live->grid);
    live->fresh = false;
}

/* What the feed has to know of a choice. */
struct wanted {
    bool frozen, travelling;
    uint64_t window_ns;
};

static struct wanted wanted(const struct xm_choice *choice)
{
    return (struct wanted){choice->frozen, choice->travelling, xm_choice_window_ns(choice)};
}

/* Whether another sample or another window is to be shown now: other keys leave the numbers as they are. */
static bool wants_other(const struct xm_choice *choice, struct wanted before)
{
    struct wanted now = wanted(choice);
    return choice->jump.kind != XM_JUMP_NONE || choice->watch_anew || now.frozen != before.frozen ||
           now.travelling != before.travelling || now.window_ns != before.window_ns;
}

static bool hear(struct live *live, int key)
{
    unsigned x;
    unsigned y;
    if (key != XM_KEY_CLICK && key != XM_KEY_DOUBLE)
        return xm_choice_key(live->choice, live->model, key);
    xm_terminal_mouse(live->terminal, &x, &y);
    return xm_screen_click(live->model, live->choice, &live->grid, x, y, key == XM_KEY_DOUBLE);
}

static enum xm_status answer(struct live *live, int key)
{
    struct xm_choice *choice = live->choice;
    struct wanted before = wanted(choice);
    bool known = hear(live, key);
    if (choice->save && live->keep)
        live->keep->keep(live->keep->user, choice);
    choice->save = false;
    if (!known || choice->quit)
        return XM_OK;
    if (wants_other(choice, before))
        xm_travel_update(&live->travel, live->feed, choice, xm_clock_ns());
    return build(live);
}

/* The first key, and those behind it that have come already: one frame for all of them. */
static enum xm_status answer_burst(struct live *live, int key)
{
    uint64_t end_ns = xm_clock_ns() + BURST_NS;
    enum xm_status status = answer(live, key);
    while (status == XM_OK && !live->choice->quit && xm_clock_ns() < end_ns) {
        key = xm_terminal_key(live->terminal, 0);
        if (key == XM_KEY_NONE)
            break;
        status = answer(live, key);
    }
    if (status == XM_OK && !live->choice->quit)
        draw(live);
    return status;
}

static uint64_t next_update_ns(const struct live *live)
{
    uint64_t pause_ns = live->choice->interval_ns;
    return live->updated_ns + (live->model->data || pause_ns < WAIT_NS ? pause_ns : WAIT_NS);
}

/* Keys until the next refresh is due; each one is answered at once. */
static enum xm_status hear_keys(struct live *live)
{
    enum xm_status status = XM_OK;
    uint64_t now_ns = xm_clock_ns();
    do {
        uint64_t left_ns = next_update_ns(live) > now_ns ? next_update_ns(live) - now_ns : 0;
        int key = xm_terminal_key(live->terminal, (int)((left_ns + 999999) / 1000000));
        if (key != XM_KEY_NONE)
            status = answer_burst(live, key);
        now_ns = xm_clock_ns();
    } while (status == XM_OK && !live->choice->quit && now_ns < next_update_ns(live));
    return status;
}

enum xm_status xm_live_screen(struct xm_terminal *terminal, const char *path, struct xm_choice *choice,
                              const struct xm_live_keep *keep)
{
    struct live live = {
        .terminal = terminal,
        .feed = xm_feed_create(path),
        .choice = choice,
        .keep = keep,
        .grid = {.utf8 = xm_terminal_utf8(terminal)},
    };
    enum xm_status status = live.feed ? XM_OK : XM_NOMEM;
    if (live.feed)
        live.model = xm_feed_model(live.feed);
    while (status == XM_OK && !choice->quit) {
        live.updated_ns = xm_clock_ns();
        xm_travel_update(&live.travel, live.feed, choice, live.updated_ns);
        status = build(&live);
        if (status != XM_OK)
            break;
        draw(&live);
        status = hear_keys(&live);
    }
    xm_grid_fini(&live.grid);
    xm_feed_destroy(live.feed);
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

/* A replay is baked as far as it is to begin, or will not be. */
static bool baked(const struct xm_model *m, const struct xm_choice *choice)
{
    return !choice->replay || m->link == XM_LINK_ENDED || m->link == XM_LINK_GONE ||
           (choice->travelling && m->newest >= choice->position);
}

/*
 * Xenbaked is at it: a long trace takes its time before there is a sample, and until `position` is reached.
 */
static bool bakes(const struct xm_model *m, const struct xm_choice *choice)
{
    return choice->replay && (m->link == XM_LINK_EMPTY || (m->data && !baked(m, choice)));
}

/* Of one that was there: nothing more comes. */
static bool has_gone(enum xm_link link)
{
    return link == XM_LINK_GONE || link == XM_LINK_ENDED || link == XM_LINK_ABSENT;
}

static enum xm_status await_data(struct xm_feed *feed, struct xm_travel *travel, struct xm_choice *choice,
                                 const struct xm_live_frames *frames, struct xm_error *err)
{
    const struct xm_model *m = xm_feed_model(feed);
    uint64_t start_ns = xm_clock_ns();
    for (;;) {
        uint64_t now_ns = xm_clock_ns();
        xm_travel_update(travel, feed, choice, now_ns);
        if (covers_a_second(m) && baked(m, choice) && !m->reading)
            return XM_OK;
        if (frames->own && !m->data && has_gone(m->link))
            break;
        if (now_ns - start_ns >= frames->patience_ns && !bakes(m, choice))
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
    struct xm_travel travel = {0};
    if (choice->replay && choice->start_ns < XM_NS_PER_S)
        choice->start_ns = XM_NS_PER_S; /* the first frame has a second to show */
    enum xm_status status = await_data(feed, &travel, choice, frames, err);
    uint64_t due_ns = xm_clock_ns();
    for (unsigned i = 0; i < frames->count && status == XM_OK; i++) {
        if (i) {
            due_ns += choice->interval_ns;
            sleep_until(due_ns);
            xm_travel_update(&travel, feed, choice, due_ns);
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
