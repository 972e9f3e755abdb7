/* SPDX-License-Identifier: MIT */
/* The study's figures, and what it says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/study/study_int.h"

/* Every mark of the paper is in exactly one figure's panel or is of both domains' one. */
static void test_marks(void **state)
{
    (void)state;
    const struct xm_mark *m;
    for (unsigned i = 0; (m = xm_mark_at(i)) != NULL; i++) {
        unsigned shown = 0;
        const struct xm_figure *f;
        for (unsigned k = 0; (f = xm_figure_at(k)) != NULL; k++)
            shown += f->measure == m->measure && (f->configuration < 0 ? f->domain == m->domain :
                                                                         f->configuration == (int)m->configuration);
        assert_int_equal(shown, 1);
        assert_true(m->low <= m->high);
    }
}

/* ---- Sentences, whatever the numbers are. */

static void fill(struct xm_study *study, uint64_t *x, bool holes)
{
    for (unsigned i = 0; i < study->count; i++)
        for (unsigned k = 0; k < study->series[i].points; k++)
            for (unsigned n = 0; n < XM_STUDY_MEASURES; n++) {
                *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
                double value = exp((double)(*x >> 40) / 1048576.0);
                study->series[i].point[k].estimate[n] =
                    (struct xm_estimate){*x % 7 == 0 ? 0 : holes && *x % 11 == 0 ? NAN : value, NAN, 1};
            }
}

static void assert_sentences(const struct xm_study *study)
{
    struct xm_statement list[XM_STATEMENTS];
    struct xm_words words;
    unsigned count = xm_study_judge(study, list);
    assert_in_range(count, 20, XM_STATEMENTS);
    for (unsigned i = 0; i < count; i++) {
        if (!list[i].holds && !*list[i].reason)
            fail_msg("%s fails without a reason", list[i].subject);
        assert_true(xm_study_says(list[i].measured) && xm_study_says(list[i].reason));
    }
    xm_study_conclude(study, &words);
    for (unsigned i = 0; i < words.count; i++)
        assert_true(*words.paragraph[i] && xm_study_says(words.paragraph[i]));
}

static void test_sentences(void **state)
{
    (void)state;
    struct xm_study study;
    struct xm_error err;
    uint64_t x = 88172645463325252u;
    struct xm_study_config config = {.seed = 1, .repetitions = 1, .warm_up_ns = 1000000, .length_ns = 1000000, .jobs = 1,
                                     .costs = xm_costs_default()};
    xm_error_clear(&err);
    assert_int_equal(xm_study_plan(&config, &study, &err), XM_OK);
    assert_sentences(&study); /* all 0 */
    for (unsigned i = 0; i < 2000; i++) {
        fill(&study, &x, i % 2 == 0);
        study.config.costs.server_entry = i % 3 == 0 ? 0 : i % 3 == 1 ? 19000 : 60000;
        study.config.costs.driver_entry = i % 3 == 0 ? 0 : 23200;
        assert_sentences(&study);
    }
    xm_study_free(&study);
}

static void test_says(void **state)
{
    (void)state;
    assert_true(xm_study_says("") && xm_study_says("1.5 of information, a nanosecond"));
    assert_false(xm_study_says("nan") || xm_study_says("costs -inf us") || xm_study_says("(+nan %)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks), cmocka_unit_test(test_sentences), cmocka_unit_test(test_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
