/* SPDX-License-Identifier: MIT */
/*
 * Domains come and go, pause, are plugged, pinned and adjusted at random: the invariants of host.h hold,
 * nobody starves.
 */
#include "host.h"
#include "support.h"

#define ACTIONS 300u
#define STARVES (4 * S)

struct churn {
    struct host *h;
    struct xm_rng rng;
};

static uint64_t draw(struct churn *c, uint64_t below)
{
    return xm_rng_below(&c->rng, below);
}

/* Reservations are small: a pCPU that is promised twice may let somebody starve. */
static struct xm_sched_share random_share(struct churn *c)
{
    const uint64_t period = MS * (1 + draw(c, 50));
    return (struct xm_sched_share){.mcu_advance = (uint32_t)draw(c, 20),
                                   .weight = (uint32_t)draw(c, 5) * 200,
                                   .cap = draw(c, 4) ? 0 : 20 + (uint32_t)draw(c, 100),
                                   .period_ns = draw(c, 3) ? 0 : period,
                                   .slice_ns = period / 30,
                                   .extratime = draw(c, 2)};
}

/* A domain that lives, or NULL. */
static struct guest *any(struct churn *c)
{
    struct guest *g = &c->h->guest[draw(c, c->h->guests)];
    return g->d->ended ? NULL : g;
}

static uint64_t random_cpus(struct churn *c)
{
    return draw(c, 3) ? xm_rng_next(&c->rng) & xm_rng_next(&c->rng) : 0; /* what there are of these; 0: all */
}

static void create(struct churn *c)
{
    unsigned alive = 0;
    uint16_t domid = (uint16_t)draw(c, 12);
    for (const struct xm_sim_domain *d = xm_machine_domains(c->h->m); d; d = d->next) {
        alive += !d->ended;
        if (d->domid == domid && !d->ended)
            return;
    }
    if (alive >= 8)
        return;
    struct guest what = draw(c, 2) ? spins() : naps(10 * US + draw(c, 5 * MS), 10 * US + draw(c, 20 * MS));
    guest_add_as(c->h, domid, 1 + (uint32_t)draw(c, GUEST_VCPUS), random_cpus(c), random_share(c), what);
}

static void destroy(struct churn *c, struct guest *g)
{
    xm_machine_remove(c->h->m, g->d);
    for (unsigned i = 0; i < GUEST_VCPUS; i++)
        xm_alarm_cancel(xm_machine_engine(c->h->m), &g->nap[i].alarm);
}

static void act(struct churn *c)
{
    struct guest *g = c->h->guests ? any(c) : NULL;
    uint64_t what = draw(c, 12);
    if (!g || what == 0) {
        create(c);
        return;
    }
    struct xm_sim_vcpu *v = &g->d->vcpu[draw(c, g->d->vcpus)];
    struct xm_sched_share share = random_share(c);
    if (what <= 2)
        xm_machine_pause(c->h->m, g->d, draw(c, 2));
    else if (what <= 5)
        xm_machine_plug(c->h->m, v, draw(c, 4));
    else if (what <= 8)
        xm_machine_pin(c->h->m, v, random_cpus(c));
    else if (what <= 10)
        xm_machine_adjust(c->h->m, g->d, &share);
    else
        destroy(c, g);
}

static void nobody_starves(const struct host *h)
{
    uint64_t now = xm_machine_end(h->m).v;
    for (const struct xm_sim_domain *d = xm_machine_domains(h->m); d; d = d->next)
        for (uint32_t i = 0; i < d->vcpus; i++)
            HOLDS(d->vcpu[i].state != XM_RUNNABLE || now - d->vcpu[i].truth.since < STARVES);
}

static void churn(const char *sched, uint32_t cpus, uint64_t switch_ns, uint64_t seed)
{
    struct churn c = {.h = host_begin_slow(sched, cpus, DEFAULTS, switch_ns)};
    c.h->conserves |= c.h->instant && cpus == 1 && strcmp(sched, "bvt") == 0;
    xm_rng_seed(&c.rng, seed, cpus);
    for (unsigned i = 0; i < ACTIONS; i++) {
        for (uint64_t more = draw(&c, 3); more; more--) { /* several at one instant too */
            act(&c);
            check_host(c.h);
        }
        host_run(c.h, xm_machine_now(c.h->m) + (draw(&c, 2) ? draw(&c, 30 * MS) : draw(&c, 20 * US)));
        nobody_starves(c.h);
    }
    host_run(c.h, xm_machine_now(c.h->m) + STARVES);
    nobody_starves(c.h);
    host_end(c.h);
}

static void test_churn(void **state)
{
    const uint32_t cpus[] = {1, 2, 3, 4, 8, XM_SIM_CPUS};
    uint64_t seed = xt_seed();
    for (unsigned i = 0; i < sizeof cpus / sizeof cpus[0]; i++)
        for (unsigned k = 0; k < 4; k++)
            churn(*state, cpus[i], k < 2 ? 0 : k * US, seed + k);
}

int main(void)
{
    static const char *const names[] = {"bvt", "sedf", "credit", "credit2", "rr"};
    struct CMUnitTest tests[5];
    for (unsigned i = 0; i < 5; i++)
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = test_churn, .initial_state = (void *)(uintptr_t)names[i]};
    return cmocka_run_group_tests_name("sim churn", tests, NULL, NULL);
}
