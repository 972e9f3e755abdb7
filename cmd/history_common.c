/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "view/called.h"

const char *xm_set_list(const struct xm_option *option, const char *text, void *where)
{
    struct xm_list *list = where;
    if (list->count == XM_HISTORY_LIST)
        return "at most 64 of them";
    list->item[list->count++] = text;
    return NULL;
}

static int read_range(const char *program, struct xm_range *r)
{
    static const char *const forms =
        "give a time such as 2026-11-26T10:00:00Z, \"2026-11-26 10:00\", 10:00, -2h or 10m";
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
    r->from_ns = 0;
    r->to_ns = UINT64_MAX;
    if (r->from && !xm_grid_read_time(r->from, now, &r->from_ns))
        return xm_usage_error(program, "--from=%s: %s", r->from, forms);
    if (r->to && !xm_grid_read_time(r->to, now, &r->to_ns))
        return xm_usage_error(program, "--to=%s: %s", r->to, forms);
    if (r->from_ns >= r->to_ns)
        return xm_usage_error(program, "--from is not before --to");
    return XM_EXIT_DONE;
}

const char *xm_history_directory(const char *program, int operands, char **argv)
{
    const char *set = getenv("XENMON_HISTORY");
    if (operands > 1) {
        xm_usage_error(program, "one directory at a time, and '%s' is a second one", argv[2]);
        return NULL;
    }
    return operands ? argv[1] : set && *set ? set : XM_HISTORY_DIRECTORY;
}

int xm_history_complain(const char *program, const struct xm_error *err)
{
    xm_complain(program, "%s", err->text);
    return err->status == XM_DENIED    ? XM_EXIT_ACCESS
           : err->status == XM_INVALID ? XM_EXIT_USAGE
                                       : XM_EXIT_FAILED;
}

static int attach(const char *program, const char *directory, struct xm_history *history)
{
    struct xm_error err;
    xm_error_clear(&err);
    errno = 0;
    if (xm_history_open(directory, history, &err) == XM_OK)
        return XM_EXIT_DONE;
    bool denied = errno == EACCES;
    if (errno == ENOENT) {
        xm_complain(program, "%s; no history is kept there: 'xenbaked --history=DIR' keeps one", err.text);
        return XM_EXIT_FAILED;
    }
    int code = xm_history_complain(program, &err);
    return denied ? XM_EXIT_ACCESS : code;
}

int xm_history_begin(const char *program, int operands, char **argv, struct xm_range *range,
                     struct xm_history *history)
{
    const char *directory = xm_history_directory(program, operands, argv);
    int code = directory ? XM_EXIT_DONE : XM_EXIT_USAGE;
    if (code == XM_EXIT_DONE && range)
        code = read_range(program, range);
    return code == XM_EXIT_DONE ? attach(program, directory, history) : code;
}

bool xm_history_selects(const struct xm_list *domains, const struct xm_history_domain *d)
{
    for (size_t i = 0; i < domains->count; i++)
        if (xm_called(domains->item[i], xm_row_domid(d->row), d->name, d->uuid) != XM_CALLED_NOT)
            return true;
    return domains->count == 0;
}

int xm_history_flush(const char *program, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno == EPIPE)
        return code;
    xm_complain(program, "standard output: %s", strerror(errno));
    return XM_EXIT_FAILED;
}

/* ---- Windows. */

struct walk {
    struct xm_history_stretch stretch;
    struct xm_sample sample[2];
};

static enum xm_status make_samples(struct walk *w, struct xm_error *err)
{
    struct xm_capacity c = w->stretch.capacity;
    c.domains += c.domains == 0;
    c.vcpus += c.vcpus == 0;
    c.pcpus += c.pcpus == 0;
    enum xm_status status = xm_sample_init(&w->sample[0], c);
    if (status == XM_OK)
        status = xm_sample_init(&w->sample[1], c);
    return status == XM_OK ? XM_OK
                           : xm_fail(err, status, XM_NO_OFFSET, "no memory for %u domains and %u vCPUs",
                                     c.domains, c.vcpus);
}

/* The window's end is the next one's beginning where they meet: every sample is read once. */
static enum xm_status
go(struct walk *w, const struct xm_history_run *run, const struct xm_history_instant *instant,
   const struct xm_history_window *window, size_t count,
   enum xm_status (*each)(void *user, const struct xm_history_view *view, struct xm_error *err), void *user,
   struct xm_error *err)
{
    enum xm_status status = XM_OK;
    unsigned from = 0;
    for (size_t i = 0; i < count && status == XM_OK; i++) {
        const struct xm_history_instant *a = &instant[window[i].from], *b = &instant[window[i].to];
        bool meets = i && window[i - 1].to == window[i].from;
        if (meets)
            from ^= 1;
        else
            status = xm_history_sample(&w->stretch, a, a->sample, &w->sample[from], err);
        if (status == XM_OK)
            status = xm_history_sample(&w->stretch, b, a->sample, &w->sample[from ^ 1], err);
        if (status != XM_OK)
            break;
        const struct xm_history_view view = {.run = run,
                                             .stretch = &w->stretch,
                                             .bounds = &window[i],
                                             .detail = a->detail && b->detail,
                                             .window = {.from = a->sample ? &w->sample[from] : NULL,
                                                        .to = &w->sample[from ^ 1],
                                                        .scale = &run->scale,
                                                        .io_seen = run->io_seen}};
        status = each(user, &view, err);
    }
    return status;
}

enum xm_status xm_history_each_window(struct xm_history *history, const struct xm_history_run *run,
                                      const struct xm_grid *grid, const struct xm_range *range,
                                      enum xm_status (*each)(void *user, const struct xm_history_view *view,
                                                             struct xm_error *err),
                                      void *user, struct xm_error *err)
{
    struct xm_history_instant *instant;
    struct xm_history_window *window = NULL;
    size_t instants, windows = 0;
    struct walk w = {.sample = {{.vcpu = NULL}}};
    if (run->samples && !run->tsc_hz)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "run %lld has no rate of its clock: its cycles are no durations", (long long)run->id);
    enum xm_status status = xm_history_instants(history, run, &instant, &instants, err);
    if (status == XM_OK)
        status =
            xm_history_windows(instant, instants, grid, range->from_ns, range->to_ns, &window, &windows, err);
    if (status == XM_OK && windows) {
        status = xm_history_stretch(history, run, instant[window[0].from].sample,
                                    instant[window[windows - 1].to].sample, &w.stretch, err);
        if (status == XM_OK)
            status = make_samples(&w, err);
        if (status == XM_OK)
            status = go(&w, run, instant, window, windows, each, user, err);
        xm_history_stretch_end(&w.stretch);
        xm_sample_fini(&w.sample[0]);
        xm_sample_fini(&w.sample[1]);
    }
    free(instant);
    free(window);
    return status;
}
