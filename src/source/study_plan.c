/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "source/study.h"
#include "xenmon/units.h"

#define MS     UINT64_C(1000000)
#define DRIVER 0u
#define SERVER 1u

static const double rates[XM_STUDY_RATES] = {200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800};
/* A load that every configuration bears, and one that none does. */
static const double light_and_full[] = {600, 1800};

/* The paper's section 4: its weights are BVT's mcu_advance, more is less. */
static const struct {
    const char *name;
    uint32_t driver, server;
} configurations[XM_STUDY_CONFIGURATIONS] = {
    {"Conf_0.5", 20, 10}, {"Conf_Equal", 10, 10}, {"Conf_2", 5, 10}, {"Conf_10", 1, 10}};

const char *xm_study_configuration(unsigned index)
{
    return index < XM_STUDY_CONFIGURATIONS ? configurations[index].name : "";
}

static void set_domain(struct xm_scenario_domain *d, uint16_t domid, const char *name, enum xm_sim_role role,
                       uint32_t mcu_advance)
{
    xm_scenario_domain_init(d, name);
    d->domid = domid;
    d->role = role;
    d->share.mcu_advance = mcu_advance;
}

/* One of the paper's configurations, as scenarios/paper-conf-*.ini has it but for the load. */
static void make_scenario(unsigned configuration, const struct xm_costs *costs, struct xm_scenario *s)
{
    xm_scenario_init(s);
    memcpy(s->name, configurations[configuration].name, strlen(configurations[configuration].name) + 1);
    s->sched = &xm_sched_bvt;
    s->costs = *costs;
    s->hz = UINT64_C(2800000000);
    s->pages = 256;
    s->poll_ns = 20 * MS; /* no buffer is ever full */
    s->domains = 2;
    set_domain(&s->domain[DRIVER], 0, "Domain-0", XM_ROLE_DRIVER, configurations[configuration].driver);
    set_domain(&s->domain[SERVER], 1, "Domain-1", XM_ROLE_WEB, configurations[configuration].server);
    s->domain[SERVER].rate = rates[XM_STUDY_RATES - 1];
}

/* ---- Groups. */

static void exact_charging(struct xm_scenario *s)
{
    s->params.mcu_ns = 1000;
}

static void short_allowance(struct xm_scenario *s)
{
    s->params.ctx_allow_ns = MS;
}

static void no_slip(struct xm_scenario *s)
{
    s->params.fix_slip = true;
}

/* The same shares as weights: 256 for 10, and where more is less, less is more. */
static void weigh(struct xm_scenario *s)
{
    for (uint32_t i = 0; i < s->domains; i++)
        s->domain[i].share.weight = 2560 / s->domain[i].share.mcu_advance;
}

/* The same shares as slices of 20 ms, and what is left over to whoever wants it. */
static void sedf(struct xm_scenario *s)
{
    uint32_t driver = s->domain[DRIVER].share.mcu_advance, server = s->domain[SERVER].share.mcu_advance;
    s->sched = xm_sched_named("sedf");
    weigh(s);
    for (uint32_t i = 0; i < s->domains; i++) {
        struct xm_sched_share *share = &s->domain[i].share;
        share->period_ns = 20 * MS;
        share->slice_ns = 20 * MS * (driver + server - share->mcu_advance) / (driver + server);
        share->extratime = true;
    }
}

static void credit(struct xm_scenario *s)
{
    s->sched = xm_sched_named("credit");
    weigh(s);
}

static void credit2(struct xm_scenario *s)
{
    s->sched = xm_sched_named("credit2");
    weigh(s);
}

static void round_robin(struct xm_scenario *s)
{
    s->sched = xm_sched_named("rr");
}

static void copies(struct xm_scenario *s)
{
    s->copies = true;
}

static void batches(struct xm_scenario *s)
{
    s->batch_transfers = true;
}

#define EVERY 15u /* configurations, a bit each */
static const struct group {
    const char *name, *text;
    void (*change)(struct xm_scenario *s);
    unsigned configurations;
    bool light; /* not at saturation alone */
} groups[XM_STUDY_GROUPS] = {
    [XM_STUDY_PAPER] = {"paper", "BVT as it was in October 2005", NULL, EVERY, true},
    [XM_STUDY_EXACT] = {"exact-charging",
                        "BVT charging what was used, in units of 1 us instead of 100 us begun",
                        exact_charging, EVERY, false},
    [XM_STUDY_ALLOW] = {"ctx-allow-1ms", "BVT with a context switch allowance of 1 ms instead of 5 ms",
                        short_allowance, EVERY, false},
    [XM_STUDY_SLIP] = {"fix-slip", "BVT without the slip of units in the slice", no_slip, EVERY, false},
    [XM_STUDY_SEDF] = {"sedf", "SEDF, slices of 20 ms in the same proportion, extra time", sedf, EVERY, true},
    [XM_STUDY_CREDIT] = {"credit", "credit, weights in the same proportion", credit, EVERY, true},
    [XM_STUDY_CREDIT2] = {"credit2", "credit2, weights in the same proportion", credit2, EVERY, true},
    [XM_STUDY_RR] = {"rr", "round robin, which knows no weights", round_robin, 2, true},
    [XM_STUDY_COPY] = {"grant-copy", "BVT, received packets copied and not flipped", copies, EVERY, false},
    [XM_STUDY_BATCH] = {"batch-records", "BVT, one trace record for a batch of page flips", batches, EVERY,
                        false},
};

const char *xm_study_group_name(enum xm_study_group group)
{
    return groups[group].name;
}

const char *xm_study_group_text(enum xm_study_group group)
{
    return groups[group].text;
}

/* ---- The plan. */

static enum xm_status plan_series(const struct xm_study_config *c, struct xm_study_series *s)
{
    const struct group *group = &groups[s->group];
    const double *rate = rates;
    s->points = XM_STUDY_RATES;
    if (s->group != XM_STUDY_PAPER) {
        s->points = group->light ? 2 : 1;
        rate = light_and_full + 2 - s->points;
    }
    s->scenario = calloc(1, sizeof *s->scenario);
    s->point = calloc(s->points, sizeof *s->point);
    if (!s->scenario || !s->point)
        return XM_NOMEM;
    make_scenario(s->configuration, &c->costs, s->scenario);
    if (group->change)
        group->change(s->scenario);
    for (unsigned i = 0; i < s->points; i++)
        s->point[i].rate = rate[i];
    return XM_OK;
}

static void free_series(struct xm_study_series *s)
{
    free(s->scenario);
    free(s->point);
    *s = (struct xm_study_series){0};
}

static void drop_last(struct xm_study *study)
{
    free_series(&study->series[--study->count]);
}

enum xm_status xm_study_plan(const struct xm_study_config *c, struct xm_study *study, struct xm_error *err)
{
    *study = (struct xm_study){.config = *c};
    if (c->repetitions < 1 || c->repetitions > XM_STUDY_REPETITIONS || c->jobs < 1)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "1 to %u repetitions, 1 job or more",
                       XM_STUDY_REPETITIONS);
    study->series = calloc((size_t)XM_STUDY_GROUPS * XM_STUDY_CONFIGURATIONS, sizeof *study->series);
    if (!study->series)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    enum xm_status status = XM_OK;
    for (unsigned g = 0; g < XM_STUDY_GROUPS && status == XM_OK; g++)
        for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS && status == XM_OK; i++)
            if (groups[g].configurations >> i & 1 && (g == XM_STUDY_PAPER || !c->paper_only)) {
                struct xm_study_series *s = &study->series[study->count++];
                s->group = (enum xm_study_group)g;
                s->configuration = i;
                status = plan_series(c, s);
                if (status == XM_OK && !s->scenario->sched)
                    drop_last(study); /* a scheduler that this build does not have */
            }
    if (status != XM_OK) {
        xm_study_free(study);
        return xm_fail(err, status, XM_NO_OFFSET, "out of memory");
    }
    return XM_OK;
}

void xm_study_free(struct xm_study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        free_series(&study->series[i]);
    free(study->series);
    *study = (struct xm_study){0};
}

const struct xm_study_series *xm_study_find(const struct xm_study *study, enum xm_study_group group,
                                            unsigned configuration)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study->series[i].group == group && study->series[i].configuration == configuration)
            return &study->series[i];
    return NULL;
}

double xm_study_last(const struct xm_study_series *s, unsigned measure)
{
    return s->point[s->points - 1].estimate[measure].mean;
}

double xm_study_most(const struct xm_study_series *s, unsigned measure)
{
    double most = NAN;
    for (unsigned i = 0; i < s->points; i++)
        most = fmax(most, s->point[i].estimate[measure].mean);
    return most;
}
