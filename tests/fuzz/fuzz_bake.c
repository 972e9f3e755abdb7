/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a trace, all the way into samples.  The account checks conservation itself whenever a sample is taken;
 * what is demanded here besides is that no counter goes back and that totals add up.  The first two bytes choose.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "source/bake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

struct look {
    struct xm_sample before, now;
};

static enum xm_status due(void *user, struct xm_bake *bake, xm_cycles now)
{
    struct look *l = user;
    xm_bake_sample(bake, now, true, &l->now);
    for (uint32_t i = 0; i < l->now.used.vcpus; i++) {
        const struct xm_vcpu_row *a = &l->before.vcpu[i], *b = &l->now.vcpu[i];
        if (a->id != b->id || !b->id)
            continue;
        for (const uint64_t *x = &a->running, *y = &b->running; x <= &a->slice_sum; x++, y++)
            demand(*x <= *y);
    }
    memcpy(l->before.vcpu, l->now.vcpu, l->now.capacity.vcpus * sizeof *l->now.vcpu);
    return XM_OK;
}

static enum xm_status grown(void *user, struct xm_bake *bake, struct xm_capacity capacity)
{
    struct look *l = user;
    (void)bake;
    xm_sample_fini(&l->before);
    xm_sample_fini(&l->now);
    demand(xm_sample_init(&l->before, capacity) == XM_OK && xm_sample_init(&l->now, capacity) == XM_OK);
    return XM_OK;
}

static void push(struct xm_bake *b, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t used;
        if (xm_bake_run(b, data + at, size - at, &used) != XM_OK)
            break;
        at += used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 65536)
        return 0;
    struct look l = {.before = {.capacity = {0}}};
    const struct xm_bake_config config = {
        .stream = {.order = data[0] & 1 ? XM_ORDER_PROMPT : XM_ORDER_STRICT, .max_cpus = 64},
        .capacity = {data[0] & 2 ? 1 : 8, data[0] & 2 ? 1 : 16, data[0] & 2 ? 1 : 4},
        .limit = {16, data[0] & 4 ? 4 : 64, 8},
        /* Many samples cost much time here: not for every input. */
        .interval_ns = (data[0] & 0x68) == 0x68 ? 1000000000 : 0,
        .hz = data[0] & 16 ? XM_NS_PER_S : 0,
        .due = due,
        .grown = grown,
        .user = &l,
    };
    struct xm_bake *b = xm_bake_create(&config);
    demand(b != NULL && grown(&l, b, xm_account_capacity(xm_bake_account(b))) == XM_OK);
    push(b, data + 2, size - 2);
    if (data[1] & 1 && xm_bake_again(b) == XM_OK)
        push(b, data + 2, size - 2);
    (void)!xm_bake_finish(b);
    xm_bake_sample(b, xm_bake_now(b), false, &l.now);
    xm_account_total(&l.now);
    for (uint32_t i = 0; i < l.now.used.vcpus; i++) {
        const struct xm_vcpu_row *v = &l.now.vcpu[i];
        if (v->id)
            demand(v->running + v->runnable + v->blocked + v->offline + v->unknown == l.now.host.window);
    }
    (void)xm_account_calibrate(xm_bake_account(b));
    xm_account_reap(xm_bake_account(b), xm_bake_now(b));
    xm_bake_destroy(b);
    xm_sample_fini(&l.before);
    xm_sample_fini(&l.now);
    return 0;
}
