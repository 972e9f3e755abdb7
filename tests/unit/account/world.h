/* SPDX-License-Identifier: MIT */
/* An account and a way to tell it stories: events by hand, numbers out. */
#ifndef XM_TEST_WORLD_H
#define XM_TEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "baked.h"

#define START 1000u
#define R XM_RUNNING
#define W XM_RUNNABLE
#define B XM_BLOCKED
#define O XM_OFFLINE

struct world {
    struct xm_account *a;
    struct xm_sample s;
};

static inline struct world world_of(struct xm_capacity capacity)
{
    struct world w = {.a = xm_account_create(capacity)};
    assert_non_null(w.a);
    assert_int_equal(xm_sample_init(&w.s, (struct xm_capacity){64, 64, 16}), XM_OK);
    xm_account_begin(w.a, xm_cycles_of(START));
    return w;
}

static inline struct world world(void)
{
    return world_of((struct xm_capacity){16, 32, 8});
}

static inline void world_end(struct world *w)
{
    xm_account_destroy(w->a);
    xm_sample_fini(&w->s);
}

static inline void tell(struct world *w, const struct xm_event *e)
{
    size_t used;
    struct xm_capacity want;
    assert_int_equal(xm_account_events(w->a, e, 1, &used, &want), XM_OK);
    assert_int_equal(used, 1);
}

/* A record of that kind and payload. */
#define EV(w, kind_, tsc_, cpu_, ...)                                                                                  \
    tell(w, &(struct xm_event){.tsc = {tsc_}, .cpu = (cpu_), .kind = (kind_),                                          \
                               .words = sizeof((uint32_t[]){__VA_ARGS__}) / 4, .word = {__VA_ARGS__}})

static inline void change(struct world *w, uint64_t tsc, unsigned cpu, uint32_t dom, uint32_t vcpu, unsigned from,
                          unsigned to)
{
    tell(w, &(struct xm_event){.tsc = {tsc}, .cpu = (uint16_t)cpu, .kind = XM_EV_RUNSTATE, .words = 1,
                               .from_to = (uint8_t)(from << 2 | to), .word = {vcpu | dom << 16}});
}

static inline void idle(struct world *w, uint64_t tsc, unsigned cpu, unsigned from, unsigned to)
{
    change(w, tsc, cpu, XM_DOMID_IDLE, cpu, from, to);
}

static inline void goes_on(struct world *w, uint64_t tsc, unsigned cpu, uint32_t dom, uint32_t vcpu)
{
    EV(w, XM_EV_CONTINUE, tsc, cpu, vcpu | dom << 16);
}

static inline void gap_opens(struct world *w, uint64_t tsc, unsigned cpu)
{
    EV(w, XM_EV_GAP_OPEN, tsc, cpu, 0, 0, 0);
}

static inline void gap_closes(struct world *w, uint64_t tsc, unsigned cpu, uint32_t lost, uint32_t dom, uint32_t vcpu)
{
    EV(w, XM_EV_GAP_CLOSE, tsc, cpu, lost, dom, vcpu);
}

/* Counters as published, or totals. */
static inline void look(struct world *w, uint64_t now)
{
    xm_account_sample(w->a, xm_cycles_of(now), false, &w->s);
    assert_null(xt_broken_sum(&w->s));
}

static inline void total(struct world *w, uint64_t now)
{
    look(w, now);
    xm_account_total(&w->s);
    assert_null(xt_broken_sum(&w->s));
}

static inline void finish(struct world *w, uint64_t now)
{
    xm_account_finish(w->a, xm_cycles_of(now));
    total(w, now);
}

static inline const struct xm_vcpu_row *vcpu(const struct world *w, uint32_t dom, uint32_t number)
{
    const struct xm_vcpu_row *row = xt_vcpu(&w->s, xt_vcpu_id(0, dom, number));
    assert_non_null(row);
    return row;
}

static inline const struct xm_domain_row *domain(const struct world *w, uint32_t dom)
{
    const struct xm_domain_row *row = xt_domain(&w->s, XM_ROW_USED | dom);
    assert_non_null(row);
    return row;
}

static inline const struct xm_pcpu_row *pcpu(const struct world *w, uint32_t cpu)
{
    const struct xm_pcpu_row *row = xt_pcpu(&w->s, XM_ROW_USED | cpu);
    assert_non_null(row);
    return row;
}

static inline uint64_t anomalies(const struct world *w, enum xm_anomaly kind)
{
    return xm_account_anomalies(w->a, kind);
}

static inline uint64_t all_anomalies(const struct world *w)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        sum += xm_account_anomalies(w->a, (enum xm_anomaly)i);
    return sum;
}

/* running, runnable, blocked, offline, unknown */
#define STATES(row, r, w_, b, o, u)                                                                                    \
    do {                                                                                                               \
        const struct xm_vcpu_row *row_ = (row);                                                                        \
        assert_int_equal(row_->running, r);                                                                            \
        assert_int_equal(row_->runnable, w_);                                                                          \
        assert_int_equal(row_->blocked, b);                                                                            \
        assert_int_equal(row_->offline, o);                                                                            \
        assert_int_equal(row_->unknown, u);                                                                            \
    } while (0)
/* busy, idle, switching, unknown */
#define PCPU(row, b, i, s_, u)                                                                                         \
    do {                                                                                                               \
        const struct xm_pcpu_row *row_ = (row);                                                                        \
        assert_int_equal(row_->busy, b);                                                                               \
        assert_int_equal(row_->idle, i);                                                                               \
        assert_int_equal(row_->switching, s_);                                                                         \
        assert_int_equal(row_->unknown, u);                                                                            \
    } while (0)

#endif
