/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "front/print/json.h"
#include "front/study/study_int.h"

static const struct {
    enum xm_study_measure measure;
    const char *key, *half_key;
} of_run[] = {{XM_STUDY_THROUGHPUT, "throughput", "throughput_half"},
              {XM_STUDY_RESPONSE, "response_ms", "response_ms_half"}},
  of_domain[] = {
      {XM_STUDY_GOTTEN, "gotten_pct", "gotten_pct_half"},
      {XM_STUDY_WAITED, "waited_pct", "waited_pct_half"},
      {XM_STUDY_BLOCKED, "blocked_pct", "blocked_pct_half"},
      {XM_STUDY_EXECUTIONS, "executions_per_s", "executions_per_s_half"},
      {XM_STUDY_LENGTH, "us_per_execution", "us_per_execution_half"},
      {XM_STUDY_IO, "io_per_s", "io_per_s_half"},
      {XM_STUDY_IO_EACH, "io_per_execution", "io_per_execution_half"},
};

#define ELEMENTS(array) (sizeof(array) / sizeof(array)[0])

static void put_domain(struct xm_json *json, const char *key, const struct xm_estimate *estimate)
{
    xm_json_object(json, key, false);
    for (unsigned i = 0; i < ELEMENTS(of_domain); i++) {
        xm_json_real(json, of_domain[i].key, estimate[of_domain[i].measure].mean);
        xm_json_real(json, of_domain[i].half_key, estimate[of_domain[i].measure].half);
    }
    xm_json_close(json);
}

static void put_point(struct xm_json *json, const struct xm_study_point *p)
{
    xm_json_object(json, NULL, true);
    xm_json_real(json, "rate", p->rate);
    for (unsigned i = 0; i < ELEMENTS(of_run); i++) {
        xm_json_real(json, of_run[i].key, p->estimate[of_run[i].measure].mean);
        xm_json_real(json, of_run[i].half_key, p->estimate[of_run[i].measure].half);
    }
    put_domain(json, "dom0", p->estimate);
    put_domain(json, "dom1", p->estimate + XM_STUDY_OF_DOMAIN);
    xm_json_real(json, "records_per_s", p->estimate[XM_STUDY_RECORDS].mean);
    xm_json_real(json, "own_ns_per_record", p->estimate[XM_STUDY_OWN_NS].mean);
    xm_json_close(json);
}

static void put_series(struct xm_json *json, const struct xm_study_series *s)
{
    xm_json_object(json, NULL, true);
    xm_json_text(json, "name", xm_study_configuration(s->configuration));
    if (s->group == XM_STUDY_PAPER) {
        xm_json_u64(json, "dom0_mcu_advance", s->scenario->domain[0].share.mcu_advance);
        xm_json_u64(json, "dom1_mcu_advance", s->scenario->domain[1].share.mcu_advance);
        xm_json_real(json, "paper_best_throughput", xm_paper_best(s->configuration));
    }
    xm_json_array(json, "points", true);
    for (unsigned i = 0; i < s->points; i++)
        put_point(json, &s->point[i]);
    xm_json_close(json);
    xm_json_close(json);
}

/* Groups first .. end - 1, an element each, of those that were run. */
static void put_groups(struct xm_json *json, const struct xm_study *study, const char *key, unsigned first,
                       unsigned end)
{
    xm_json_array(json, key, true);
    for (unsigned g = first; g < end; g++) {
        bool begun = false;
        for (unsigned i = 0; i < study->count; i++) {
            if (study->series[i].group != g)
                continue;
            if (!begun) {
                xm_json_object(json, NULL, true);
                xm_json_text(json, "name", xm_study_group_name((enum xm_study_group)g));
                xm_json_text(json, "what", xm_study_group_text((enum xm_study_group)g));
                xm_json_array(json, "configurations", true);
                begun = true;
            }
            put_series(json, &study->series[i]);
        }
        if (begun) {
            xm_json_close(json);
            xm_json_close(json);
        }
    }
    xm_json_close(json);
}

static void put_settings(struct xm_json *json, const struct xm_study *study)
{
    const struct xm_study_config *c = &study->config;
    struct xm_costs costs = c->costs;
    xm_json_u64(json, "seed", c->seed);
    xm_json_u64(json, "repetitions", c->repetitions);
    xm_json_u64(json, "warm_up_ns", c->warm_up_ns);
    xm_json_u64(json, "length_ns", c->length_ns);
    xm_json_real(json, "confidence", 0.95);
    xm_json_object(json, "costs", true);
    const struct xm_cost_name *name;
    for (unsigned i = 0; (name = xm_cost_at(i)) != NULL; i++)
        xm_json_u64(json, name->name, *xm_cost_of(&costs, name));
    xm_json_close(json);
}

static void put_overhead(struct xm_json *json, const struct xm_study *study)
{
    xm_json_object(json, "overhead", true);
    xm_json_u64(json, "records", study->records);
    xm_json_u64(json, "lost_records", study->lost);
    xm_json_u64(json, "anomalies", study->anomalies);
    xm_json_real(json, "paper_pct", XM_PAPER_OWN_PCT);
    xm_json_array(json, "saturated", true);
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
        const struct xm_study_series *s = xm_study_find(study, XM_STUDY_PAPER, i);
        xm_json_object(json, NULL, false);
        xm_json_text(json, "name", xm_study_configuration(i));
        xm_json_real(json, "records_per_s", xm_study_last(s, XM_STUDY_RECORDS));
        xm_json_real(json, "ns_per_record", xm_study_last(s, XM_STUDY_OWN_NS));
        xm_json_real(json, "cpu_pct", xm_study_own_pct(s));
        xm_json_close(json);
    }
    xm_json_close(json);
    xm_json_close(json);
}

static void put_statements(struct xm_json *json, const struct xm_study *study)
{
    struct xm_statement list[XM_STATEMENTS];
    unsigned count = xm_study_judge(study, list);
    xm_json_array(json, "statements", true);
    for (unsigned i = 0; i < count; i++) {
        xm_json_object(json, NULL, true);
        xm_json_text(json, "figure", list[i].figure[0] == '-' ? NULL : list[i].figure);
        xm_json_text(json, "subject", list[i].subject);
        xm_json_bool(json, "holds", list[i].holds);
        xm_json_text(json, "paper", list[i].paper);
        xm_json_text(json, "measured", list[i].measured);
        xm_json_text(json, "reason", *list[i].reason ? list[i].reason : NULL);
        xm_json_close(json);
    }
    xm_json_close(json);
}

void xm_study_json(const struct xm_study *study, FILE *out)
{
    struct xm_json json;
    struct xm_words words;
    xm_json_init(&json, out);
    xm_json_object(&json, NULL, true);
    xm_json_text(&json, "schema", "xenmon.study/1");
    xm_json_array(&json, "configurations", true);
    for (unsigned i = 0; i < study->count && study->series[i].group == XM_STUDY_PAPER; i++)
        put_series(&json, &study->series[i]);
    xm_json_close(&json);
    put_settings(&json, study);
    put_groups(&json, study, "ablation", XM_STUDY_EXACT, XM_STUDY_SEDF);
    put_groups(&json, study, "schedulers", XM_STUDY_SEDF, XM_STUDY_COPY);
    put_groups(&json, study, "network", XM_STUDY_COPY, XM_STUDY_GROUPS);
    put_overhead(&json, study);
    put_statements(&json, study);
    xm_study_conclude(study, &words);
    xm_json_array(&json, "conclusion", true);
    for (unsigned i = 0; i < words.count; i++)
        xm_json_text(&json, NULL, words.paragraph[i]);
    xm_json_close(&json);
    xm_json_close(&json);
}
