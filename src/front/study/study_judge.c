/* SPDX-License-Identifier: MIT */
/* Every statement of the paper that can be put as a number, against what was measured. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "front/study/study_int.h"

#define FULL 1800.0

/* Of pairs of executions a second under Conf_2 and Conf_10: the paper's range, and what beside it counts as in it. */
#define PAIRS_LEAST 10000.0
#define PAIRS_MOST  12000.0
#define PAIRS_OFF   500.0

#define MCU_US 100.0 /* what BVT charges at least */

enum { HALF, EQUAL, TWO, TEN }; /* the configurations */

struct judge {
    const struct xm_study *study;
    struct xm_statement *list;
    unsigned count;
};

/* ---- Looking up. */

static double at(const struct judge *j, unsigned configuration, int domain, enum xm_study_measure measure,
                 double rate)
{
    return xm_study_at(j->study, configuration, domain, measure, rate);
}

static double full(const struct judge *j, unsigned configuration, int domain, enum xm_study_measure measure)
{
    return at(j, configuration, domain, measure, FULL);
}

static const struct xm_study_series *series(const struct judge *j, unsigned configuration)
{
    return xm_study_find(j->study, XM_STUDY_PAPER, configuration);
}

static double best(const struct judge *j, unsigned configuration)
{
    return xm_study_most(series(j, configuration), XM_STUDY_THROUGHPUT);
}

/* At how many of the points the first domain has more of it than the other. */
static unsigned points_above(const struct judge *j, unsigned configuration, unsigned domain,
                             enum xm_study_measure measure)
{
    const struct xm_study_series *s = series(j, configuration);
    unsigned count = 0;
    for (unsigned i = 0; i < s->points; i++)
        count += s->point[i].estimate[xm_study_of(domain, measure)].mean >
                 s->point[i].estimate[xm_study_of(1 - domain, measure)].mean;
    return count;
}

/* Work of one request without what dispatches cost, us of both domains together, as measured under Conf_0.5. */
static double work_us(const struct xm_study *study)
{
    const struct xm_costs *c = &study->config.costs;
    double throughput = xm_study_at(study, HALF, -1, XM_STUDY_THROUGHPUT, FULL);
    double sum = 0;
    for (int d = 0; d < 2; d++) {
        double entry_us = (double)(d == 0 ? c->driver_entry : c->server_entry) / 1e3;
        sum += xm_study_at(study, HALF, d, XM_STUDY_GOTTEN, FULL) * 1e4 -
               xm_study_at(study, HALF, d, XM_STUDY_EXECUTIONS, FULL) * entry_us;
    }
    return sum / throughput;
}

static double pair_us(const struct judge *j)
{
    return (double)(j->study->config.costs.driver_entry + j->study->config.costs.server_entry) / 1e3;
}

/* ---- Writing down. */

static struct xm_statement *state(struct judge *j, const char *figure, const char *subject, bool holds)
{
    struct xm_statement *s = &j->list[j->count++];
    *s = (struct xm_statement){.figure = figure, .subject = subject, .holds = holds};
    return s;
}

#define SAY(text, ...) snprintf(text, sizeof(text), __VA_ARGS__)

static bool within(double value, double target, double part)
{
    return fabs(value - target) <= part * target;
}

/* ---- Figure 3. */

static void judge_throughput(struct judge *j)
{
    static const double tolerance[] = {0.1, 0.1, 0.2, 0.2};
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
        static const char *const subject[] = {"best throughput, Conf_0.5", "best throughput, Conf_Equal",
                                              "best throughput, Conf_2", "best throughput, Conf_10"};
        double paper = xm_paper_best(i), value = best(j, i), off = 100 * (value / paper - 1);
        struct xm_statement *s = state(j, "3a", subject[i], within(value, paper, tolerance[i]));
        SAY(s->paper, "%.0f requests/s", paper);
        SAY(s->measured, "%.0f requests/s (%+.1f %%; %.0f %% off counts as holding)", value, off,
            100 * tolerance[i]);
        double work = work_us(j->study), pairs = full(j, i, 0, XM_STUDY_EXECUTIONS);
        /* Only of these two does the paper give 10000 executions and more, and only too few requests speak of them. */
        if (i >= TWO && !s->holds && value < paper && (1e6 - paper * work) / pair_us(j) < PAIRS_LEAST)
            SAY(s->reason,
                "A request is %.0f us of work, and a pair of executions costs %.1f us beside it: at %.0f "
                "pairs a second that "
                "leaves room for %.0f requests/s, and the paper's %.0f would leave room for %.0f pairs, not "
                "for its %.0f to %.0f. One linear cost model cannot meet both.",
                work, pair_us(j), pairs, fmax(0, 1e6 - pairs * pair_us(j)) / work, paper,
                fmax(0, 1e6 - paper * work) / pair_us(j), PAIRS_LEAST, PAIRS_MOST);
    }
    double ratio = best(j, TEN) / best(j, HALF);
    struct xm_statement *s = state(j, "3a", "more CPU for Dom0, fewer requests",
                                   best(j, HALF) > best(j, EQUAL) && best(j, EQUAL) > best(j, TWO) &&
                                       best(j, TWO) > best(j, TEN) && ratio > 0.45 && ratio < 0.62);
    SAY(s->paper, "falls from configuration to configuration; Conf_10 has half of Conf_0.5");
    SAY(s->measured, "%.0f, %.0f, %.0f, %.0f; Conf_10 has %.2f of Conf_0.5", best(j, HALF), best(j, EQUAL),
        best(j, TWO), best(j, TEN), ratio);
}

static void judge_response(struct judge *j)
{
    double r[XM_STUDY_CONFIGURATIONS];
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++)
        r[i] = full(j, i, -1, XM_STUDY_RESPONSE);
    struct xm_statement *s = state(j, "3b", "response time", r[0] < r[1] && r[1] < r[2] && r[2] < r[3]);
    SAY(s->paper, "best under Conf_0.5, worst under Conf_10");
    SAY(s->measured, "%.1f, %.1f, %.1f, %.1f ms at saturation", r[0], r[1], r[2], r[3]);
}

/* ---- Figure 4. */

static void judge_gotten(struct judge *j)
{
    static const struct {
        const char *subject;
        unsigned configuration;
        double driver, server;
    } paper[] = {{"gotten at saturation, Conf_0.5", HALF, 30, 68},
                 {"gotten at saturation, Conf_10", TEN, 45, 55}};
    for (unsigned i = 0; i < 2; i++) {
        double d0 = full(j, paper[i].configuration, 0, XM_STUDY_GOTTEN);
        double d1 = full(j, paper[i].configuration, 1, XM_STUDY_GOTTEN);
        struct xm_statement *s = state(j, "4", paper[i].subject,
                                       fabs(d0 - paper[i].driver) <= 5 && fabs(d1 - paper[i].server) <= 5);
        SAY(s->paper, "Dom0 %s%.0f %%, Dom1 %.0f %%", paper[i].configuration == TEN ? "at most " : "",
            paper[i].driver, paper[i].server);
        SAY(s->measured, "Dom0 %.1f %%, Dom1 %.1f %% (5 off counts as holding)", d0, d1);
    }
}

/* ---- Figure 5. */

static void judge_blocked(struct judge *j)
{
    unsigned points = series(j, HALF)->points;
    unsigned above[XM_STUDY_CONFIGURATIONS];
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++)
        above[i] = points_above(j, i, 1, XM_STUDY_BLOCKED);
    struct xm_statement *s = state(j, "5", "blocked, Conf_0.5",
                                   2 * above[HALF] > points && above[EQUAL] + above[TWO] + above[TEN] == 0);
    SAY(s->paper, "the only configuration where Dom1 is blocked more than Dom0");
    SAY(s->measured, "Dom1 more at %u of %u points under Conf_0.5, at %u, %u, %u under the others",
        above[HALF], points, above[EQUAL], above[TWO], above[TEN]);
    double d0 = full(j, HALF, 0, XM_STUDY_BLOCKED), d1 = full(j, HALF, 1, XM_STUDY_BLOCKED);
    s = state(j, "5", "blocked at saturation, Conf_0.5", d1 > d0);
    SAY(s->paper, "Dom1 more than Dom0");
    SAY(s->measured, "Dom0 %.1f %%, Dom1 %.1f %%", d0, d1);
    if (!s->holds)
        SAY(s->reason,
            "Up to %.0f requests are under way at once: whenever Dom0 has run, Dom1 has a backlog to work "
            "on, and it blocks "
            "only where that runs out before its turn ends.",
            (double)j->study->config.costs.in_flight);
    s = state(j, "5", "blocked, Conf_2 and Conf_10",
              full(j, TWO, 0, XM_STUDY_BLOCKED) > 2 * full(j, TWO, 1, XM_STUDY_BLOCKED) &&
                  full(j, TEN, 0, XM_STUDY_BLOCKED) > 2 * full(j, TEN, 1, XM_STUDY_BLOCKED));
    SAY(s->paper, "Dom0 much more than Dom1");
    SAY(s->measured, "at saturation Dom0 %.1f and %.1f %%, Dom1 %.1f and %.1f %%",
        full(j, TWO, 0, XM_STUDY_BLOCKED), full(j, TEN, 0, XM_STUDY_BLOCKED),
        full(j, TWO, 1, XM_STUDY_BLOCKED), full(j, TEN, 1, XM_STUDY_BLOCKED));
    s = state(j, "5", "blocked under heavy load, Conf_10", full(j, TEN, 1, XM_STUDY_BLOCKED) < 0.5);
    SAY(s->paper, "Dom1 never blocks");
    SAY(s->measured, "%.2f %% of its time", full(j, TEN, 1, XM_STUDY_BLOCKED));
}

/* ---- Figure 6. */

static void judge_waiting_equal(struct judge *j)
{
    const struct xm_study_series *s = series(j, EQUAL);
    unsigned above = points_above(j, EQUAL, 0, XM_STUDY_WAITED);
    struct xm_statement *st = state(j, "6", "waiting, Conf_Equal", 2 * above > s->points);
    SAY(st->paper, "Dom0 above Dom1 at most points");
    SAY(st->measured,
        "at %u of %u points; at 200 requests/s Dom0 %.1f and Dom1 %.1f %%, at saturation %.1f and %.1f %%",
        above, s->points, at(j, EQUAL, 0, XM_STUDY_WAITED, 200), at(j, EQUAL, 1, XM_STUDY_WAITED, 200),
        full(j, EQUAL, 0, XM_STUDY_WAITED), full(j, EQUAL, 1, XM_STUDY_WAITED));
    double us0 = at(j, EQUAL, 0, XM_STUDY_LENGTH, 600), us1 = at(j, EQUAL, 1, XM_STUDY_LENGTH, 600);
    if (st->holds || !(us0 < MCU_US && us1 < MCU_US))
        return;
    SAY(st->reason,
        "With equal weights a domain that wakes preempts unless it has been charged for more. Below "
        "saturation both are "
        "charged %.0f us for almost every execution (they take %.0f and %.0f us at 600 requests/s), ties "
        "preempt, and it "
        "is Dom0 that is woken: it waits only once its executions outgrow that unit.",
        MCU_US, us0, us1);
}

static void judge_waiting(struct judge *j)
{
    double d0 = full(j, HALF, 0, XM_STUDY_WAITED), d1 = full(j, HALF, 1, XM_STUDY_WAITED);
    bool only = points_above(j, HALF, 0, XM_STUDY_WAITED) == series(j, HALF)->points && d0 > 1.5 * d1 &&
                full(j, EQUAL, 0, XM_STUDY_WAITED) < 1.5 * full(j, EQUAL, 1, XM_STUDY_WAITED);
    struct xm_statement *s = state(j, "6", "waiting, Conf_0.5", only);
    SAY(s->paper, "the only configuration where Dom0 waits far more than Dom1");
    SAY(s->measured, "at saturation Dom0 %.1f %%, Dom1 %.1f %%; under Conf_Equal %.1f and %.1f %%", d0, d1,
        full(j, EQUAL, 0, XM_STUDY_WAITED), full(j, EQUAL, 1, XM_STUDY_WAITED));
    judge_waiting_equal(j);
    s = state(j, "6", "waiting, Conf_2", points_above(j, TWO, 1, XM_STUDY_WAITED) == series(j, TWO)->points);
    SAY(s->paper, "reversed: Dom1 above Dom0");
    SAY(s->measured, "Dom1 above at %u of %u points; at saturation Dom0 %.1f %%, Dom1 %.1f %%",
        points_above(j, TWO, 1, XM_STUDY_WAITED), series(j, TWO)->points, full(j, TWO, 0, XM_STUDY_WAITED),
        full(j, TWO, 1, XM_STUDY_WAITED));
    d0 = full(j, TEN, 0, XM_STUDY_WAITED);
    d1 = full(j, TEN, 1, XM_STUDY_WAITED);
    s = state(j, "6", "waiting, Conf_10", d0 <= 4 && d1 >= 30 && d1 <= 45);
    SAY(s->paper, "Dom0 about 2 %%, Dom1 up to 40 %%");
    SAY(s->measured, "at saturation Dom0 %.1f %%, Dom1 %.1f %%; 4 at most and 30 to 45 count as holding", d0,
        d1);
    if (d1 > 40 && full(j, TEN, 1, XM_STUDY_BLOCKED) < 0.5)
        SAY(s->reason,
            "Dom1 never blocks there, so it waits exactly while Dom0 runs, which is %.1f %% of the time.",
            full(j, TEN, 0, XM_STUDY_GOTTEN));
}

/* ---- Figure 7. */

static void judge_io(struct judge *j)
{
    double io[XM_STUDY_CONFIGURATIONS];
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++)
        io[i] = full(j, i, 0, XM_STUDY_IO);
    struct xm_statement *s =
        state(j, "7a", "I/O count a second", io[0] > io[1] && io[1] > io[2] && io[2] > io[3]);
    SAY(s->paper, "highest under Conf_0.5, falls as Dom0's share rises");
    SAY(s->measured, "%.0f, %.0f, %.0f, %.0f at saturation", io[0], io[1], io[2], io[3]);
    s = state(j, "7a", "I/O count a second, Conf_10", io[3] > 0.4 * io[0] && io[3] < 0.6 * io[0]);
    SAY(s->paper, "half of Conf_0.5's");
    SAY(s->measured, "%.0f %% of it; 40 to 60 counts as holding", 100 * io[3] / io[0]);
    double most = xm_study_most(series(j, HALF), xm_study_of(0, XM_STUDY_IO_EACH));
    s = state(j, "7b", "I/O count an execution, Conf_0.5", most >= 50 && most <= 130);
    SAY(s->paper, "up to 100");
    SAY(s->measured, "up to %.0f; 50 to 130 counts as holding", most);
    most = xm_study_most(series(j, TEN), xm_study_of(0, XM_STUDY_IO_EACH));
    s = state(j, "7b", "I/O count an execution, Conf_10", most < 1.4);
    SAY(s->paper, "under 1.4, under heavy load too");
    SAY(s->measured, "at most %.2f", most);
    if (!s->holds)
        SAY(s->reason, "A request exchanges %.1f pages and takes %.1f executions of Dom0.",
            full(j, TEN, 0, XM_STUDY_IO) / full(j, TEN, -1, XM_STUDY_THROUGHPUT),
            full(j, TEN, 0, XM_STUDY_EXECUTIONS) / full(j, TEN, -1, XM_STUDY_THROUGHPUT));
}

/* ---- Figure 8. */

static bool near_pairs(double executions)
{
    return executions >= PAIRS_LEAST - PAIRS_OFF && executions <= PAIRS_MOST + PAIRS_OFF;
}

static void judge_executions(struct judge *j)
{
    double d0 = xm_study_most(series(j, HALF), xm_study_of(0, XM_STUDY_EXECUTIONS));
    double most1 = xm_study_most(series(j, HALF), xm_study_of(1, XM_STUDY_EXECUTIONS));
    struct xm_statement *s = state(j, "8", "executions under light load, Conf_0.5",
                                   d0 >= 7000 && d0 <= 8000 && most1 >= 7000 && most1 <= 8000);
    SAY(s->paper, "up to 7000 to 8000 a second, both domains");
    SAY(s->measured, "up to %.0f (Dom0) and %.0f (Dom1)", d0, most1);
    if (!s->holds && d0 < 7000 &&
        at(j, HALF, 0, XM_STUDY_EXECUTIONS, 800) / 800 <
            full(j, TEN, 0, XM_STUDY_EXECUTIONS) / full(j, TEN, -1, XM_STUDY_THROUGHPUT))
        SAY(s->reason,
            "At 800 requests/s Dom0 waits %.0f %% of the time because its virtual time runs twice as fast, "
            "and what comes in "
            "meanwhile shares one execution: a request takes %.1f of them, where under Conf_10, with the "
            "same packets and no "
            "waiting, it takes %.1f.",
            at(j, HALF, 0, XM_STUDY_WAITED, 800), at(j, HALF, 0, XM_STUDY_EXECUTIONS, 800) / 800,
            full(j, TEN, 0, XM_STUDY_EXECUTIONS) / full(j, TEN, -1, XM_STUDY_THROUGHPUT));
    d0 = full(j, HALF, 0, XM_STUDY_EXECUTIONS);
    s = state(j, "8", "executions under heavy load, Conf_0.5", d0 >= 200 && d0 <= 800);
    SAY(s->paper, "about 400 a second");
    SAY(s->measured, "%.0f (Dom0) and %.0f (Dom1); 200 to 800 of Dom0 count as holding", d0,
        full(j, HALF, 1, XM_STUDY_EXECUTIONS));
    for (unsigned i = TWO; i <= TEN; i++) {
        d0 = full(j, i, 0, XM_STUDY_EXECUTIONS);
        double d1 = full(j, i, 1, XM_STUDY_EXECUTIONS), work = work_us(j->study);
        s = state(j, "8",
                  i == TWO ? "executions under heavy load, Conf_2" : "executions under heavy load, Conf_10",
                  near_pairs(d0) && near_pairs(d1));
        SAY(s->paper, "%.0f to %.0f a second", PAIRS_LEAST, PAIRS_MOST);
        SAY(s->measured, "%.0f (Dom0) and %.0f (Dom1); %.0f off counts as holding", d0, d1, PAIRS_OFF);
        if (!s->holds && best(j, i) * work < 1e6)
            SAY(s->reason,
                "At %.0f requests/s the work of %.0f us a request leaves %.0f us a second for pairs of %.1f "
                "us.",
                best(j, i), work, 1e6 - best(j, i) * work, pair_us(j));
    }
}

/* ---- Figure 9. */

static void judge_light_length(struct judge *j)
{
    const struct xm_study_series *s = series(j, HALF);
    const struct xm_costs *c = &j->study->config.costs;
    double most[2] = {0, 0}, under[2] = {0, 0};
    for (unsigned i = 0; i < s->points && s->point[i].rate <= 800; i++)
        for (unsigned d = 0; d < 2; d++) {
            double us = s->point[i].estimate[xm_study_of(d, XM_STUDY_LENGTH)].mean;
            most[d] = us > most[d] || isnan(us) ? us : most[d];
            under[d] = us < 60 ? s->point[i].rate : under[d];
        }
    struct xm_statement *st =
        state(j, "9", "us an execution under light load, Conf_0.5", most[0] < 60 && most[1] < 60);
    SAY(st->paper, "under 60 up to 800 requests/s");
    SAY(st->measured, "Dom0 at most %.1f, Dom1 %.1f; under 60 up to %.0f (Dom0) and %.0f (Dom1) requests/s",
        most[0], most[1], under[0], under[1]);
    double entry_us = (double)c->server_entry / 1e3;
    if (st->holds || entry_us >= 60)
        return;
    double each = at(j, HALF, 1, XM_STUDY_EXECUTIONS, 800) / at(j, HALF, -1, XM_STUDY_THROUGHPUT, 800);
    double us = at(j, HALF, 1, XM_STUDY_GOTTEN, 800) * 1e4 / at(j, HALF, -1, XM_STUDY_THROUGHPUT, 800);
    double wanted = (us - each * entry_us) / (60 - entry_us);
    if (!(most[1] >= 60 && wanted > each))
        return;
    SAY(st->reason,
        "Dom1 needs %.0f us for a request at 800 requests/s, %.0f of them in the server itself, and has %.1f "
        "executions for "
        "it, each %.1f us dearer than its work: that is %.0f us each, and 60 us would take %.1f of them.",
        us, (double)c->server_request / 1e3, each, entry_us, us / each, wanted);
}

static void judge_length(struct judge *j)
{
    judge_light_length(j);
    double d0 = full(j, HALF, 0, XM_STUDY_LENGTH), d1 = full(j, HALF, 1, XM_STUDY_LENGTH);
    struct xm_statement *s = state(j, "9", "us an execution under heavy load, Conf_0.5",
                                   within(d0, 1000, 0.3) && within(d1, 2000, 0.3));
    SAY(s->paper, "1000 (Dom0), 2000 (Dom1)");
    SAY(s->measured, "%.0f (Dom0), %.0f (Dom1); 30 %% off counts as holding", d0, d1);
    for (unsigned i = TWO; i <= TEN; i++) {
        d0 = full(j, i, 0, XM_STUDY_LENGTH);
        d1 = full(j, i, 1, XM_STUDY_LENGTH);
        s = state(j, "9",
                  i == TWO ? "us an execution under heavy load, Conf_2"
                           : "us an execution under heavy load, Conf_10",
                  d0 >= 35 && d0 <= 50 && d1 >= 35 && d1 <= 50);
        SAY(s->paper, "35 to 50");
        SAY(s->measured, "%.1f (Dom0), %.1f (Dom1)", d0, d1);
        double busy = full(j, i, 1, XM_STUDY_EXECUTIONS) * (d0 + d1);
        if (!s->holds && within(busy, 1e6, 0.1))
            SAY(s->reason,
                "%.0f executions of each domain share one second, so that Dom0's and Dom1's are %.0f us "
                "together; Dom1's part "
                "follows from its %.0f us of work a request at %.0f requests/s.",
                full(j, i, 1, XM_STUDY_EXECUTIONS), d0 + d1,
                full(j, HALF, 1, XM_STUDY_GOTTEN) * 1e4 / full(j, HALF, -1, XM_STUDY_THROUGHPUT), best(j, i));
    }
}

/* ---- XenMon itself. */

static void judge_own(struct judge *j)
{
    double most = 0;
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
        double pct = xm_study_own_pct(series(j, i));
        most = pct > most || isnan(pct) ? pct : most;
    }
    struct xm_statement *s = state(j, "-", "XenMon's own CPU time", most <= XM_PAPER_OWN_PCT);
    SAY(s->paper, "about %.0f %% of the CPU", XM_PAPER_OWN_PCT);
    SAY(s->measured, "at most %.2f %% of a CPU of this machine, buffer to account", most);
    if (!s->holds)
        SAY(s->reason,
            "This is the CPU time that this build took on this machine just now: %.0f ns a record under "
            "Conf_10.",
            full(j, TEN, -1, XM_STUDY_OWN_NS));
}

/* ---- What all have in common. */

/* Of what failed and of which the model says nothing: how far this study is from the one that was calibrated. */
static void give_reason(const struct xm_study *study, struct xm_statement *s)
{
    const struct xm_study_config *c = &study->config;
    const struct xm_costs costs = xm_costs_default();
    if (memcmp(&costs, &c->costs, sizeof costs) != 0)
        SAY(s->reason, "The costs of this study are not those that were calibrated: it is of another machine "
                       "than the paper's.");
    else
        SAY(s->reason,
            "No cause in the model is known: %u runs of %.3g s from seed %llu lie outside what counts as "
            "holding, "
            "and more or longer ones tell whether that is chance.",
            c->repetitions, (double)c->length_ns / 1e9, (unsigned long long)c->seed);
}

/* Nothing that could not be measured holds or is a reason, and nothing fails without one. */
static void finish(const struct xm_study *study, struct xm_statement *s)
{
    if (!xm_study_says(s->reason))
        s->reason[0] = '\0';
    if (!xm_study_says(s->measured)) {
        s->holds = false;
        SAY(s->measured, "nothing");
        SAY(s->reason,
            "What this needs could not be measured: no request was answered, or a domain did not run.");
    }
    if (!s->holds && !*s->reason)
        give_reason(study, s);
}

unsigned xm_study_judge(const struct xm_study *study, struct xm_statement *list)
{
    struct judge j = {study, list, 0};
    judge_throughput(&j);
    judge_response(&j);
    judge_gotten(&j);
    judge_blocked(&j);
    judge_waiting(&j);
    judge_io(&j);
    judge_executions(&j);
    judge_length(&j);
    judge_own(&j);
    for (unsigned i = 0; i < j.count; i++)
        finish(study, &list[i]);
    return j.count;
}
