/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "source/experiment.h"
#include "source/study.h"

#define LOOK_NS 100000000

/* All runs in their order, handed out one by one; whoever takes one writes to a place that is nobody else's. */
struct work {
    struct xm_study *study;
    xm_study_reader *reader;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    unsigned next, done, all, working;
    enum xm_status status;
    struct xm_error err;
};

/* ---- One run. */

/* Of a rate and a repetition, the same in every configuration; what is drawn after that depends on what is answered. */
static uint64_t seed_of(const struct xm_study *study, double rate, unsigned repetition)
{
    struct xm_rng rng;
    xm_rng_seed(&rng, study->config.seed, (uint64_t)rate << 16 | repetition);
    return xm_rng_next(&rng);
}

/* scenario: room for a copy of the series', which is shared. */
static enum xm_status run_one(struct work *w, unsigned series, unsigned point, unsigned repetition,
                              struct xm_scenario *scenario, struct xm_error *err)
{
    struct xm_study *study = w->study;
    struct xm_study_point *p = &study->series[series].point[point];
    struct xm_outcome outcome;
    double value[XM_STUDY_MEASURES];
    *scenario = *study->series[series].scenario;
    scenario->seed = seed_of(study, p->rate, repetition);
    scenario->domain[1].rate = p->rate;
    const struct xm_experiment experiment = {scenario, scenario->domain[1].domid, study->config.warm_up_ns,
                                             study->config.length_ns};
    enum xm_status status = xm_experiment_run(&experiment, &outcome, err);
    if (status != XM_OK)
        return status;
    w->reader(&outcome, value);
    for (unsigned i = 0; i < XM_STUDY_MEASURES; i++)
        p->value[i][repetition] = value[i];
    pthread_mutex_lock(&w->lock);
    study->records += outcome.records;
    study->lost += outcome.lost;
    study->anomalies += outcome.anomalies;
    pthread_mutex_unlock(&w->lock);
    xm_outcome_free(&outcome);
    return XM_OK;
}

/* ---- All of them. */

/* Which run is the number `index`. */
static void find_run(const struct xm_study *study, unsigned index, unsigned *series, unsigned *point,
                     unsigned *repetition)
{
    *repetition = index % study->config.repetitions;
    index /= study->config.repetitions;
    *series = 0;
    while (index >= study->series[*series].points)
        index -= study->series[(*series)++].points;
    *point = index;
}

static void *worker(void *user)
{
    struct work *w = user;
    struct xm_scenario *scenario = malloc(sizeof *scenario);
    pthread_mutex_lock(&w->lock);
    if (!scenario && w->status == XM_OK)
        w->status = xm_fail(&w->err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    while (scenario && w->status == XM_OK && w->next < w->all) {
        unsigned series, point, repetition;
        struct xm_error err;
        find_run(w->study, w->next++, &series, &point, &repetition);
        pthread_mutex_unlock(&w->lock);
        xm_error_clear(&err);
        enum xm_status status = run_one(w, series, point, repetition, scenario, &err);
        pthread_mutex_lock(&w->lock);
        w->done++;
        if (status != XM_OK && w->status == XM_OK) {
            w->status = status;
            w->err = err;
        }
    }
    w->working--;
    pthread_cond_signal(&w->finished);
    pthread_mutex_unlock(&w->lock);
    free(scenario);
    return NULL;
}

static void await(struct work *w, xm_study_progress *progress, void *user)
{
    pthread_mutex_lock(&w->lock);
    while (w->working > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&w->finished, &w->lock, &until);
        unsigned done = w->done;
        pthread_mutex_unlock(&w->lock);
        if (progress)
            progress(user, done, w->all);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

static void estimate(struct xm_study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        for (unsigned k = 0; k < study->series[i].points; k++)
            for (unsigned n = 0; n < XM_STUDY_MEASURES; n++) {
                struct xm_study_point *p = &study->series[i].point[k];
                p->estimate[n] = xm_estimate_of(p->value[n], study->config.repetitions);
            }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

enum xm_status xm_study_run(struct xm_study *study, xm_study_reader *reader, xm_study_progress *progress,
                            void *user, struct xm_error *err)
{
    struct work w = {.study = study, .reader = reader, .status = XM_OK, .working = study->config.jobs};
    pthread_t *thread = calloc(study->config.jobs, sizeof *thread);
    unsigned started = 0;
    double began = now_s();
    if (!thread)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    for (unsigned i = 0; i < study->count; i++)
        w.all += study->series[i].points * study->config.repetitions;
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.finished, NULL);
    while (started < study->config.jobs && pthread_create(&thread[started], NULL, worker, &w) == 0)
        started++;
    pthread_mutex_lock(&w.lock);
    w.working -= study->config.jobs - started;
    pthread_mutex_unlock(&w.lock);
    await(&w, progress, user);
    for (unsigned i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    free(thread);
    pthread_cond_destroy(&w.finished);
    pthread_mutex_destroy(&w.lock);
    study->wall_s = now_s() - began;
    if (started == 0)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "no thread can be started");
    if (w.status != XM_OK)
        return xm_fail(err, w.status, XM_NO_OFFSET, "%s", w.err.text);
    estimate(study);
    return XM_OK;
}
