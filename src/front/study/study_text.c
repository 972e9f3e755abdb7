/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "front/study/study_int.h"

#define WIDTH 110

/* Words of a text, broken at `indent` into lines. */
static void put_wrapped(FILE *out, int indent, const char *text)
{
    int column = indent;
    fprintf(out, "%*s", indent, "");
    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, word);
        column += length;
        word += length + strspn(word + length, " ");
    }
    fputc('\n', out);
}

/* As "%*.*f"; "-" where there is nothing. */
static void put_number(FILE *out, int width, int digits, double value)
{
    if (isfinite(value))
        fprintf(out, "%*.*f", width, digits, value);
    else
        fprintf(out, "%*s", width, "-");
}

/* Some measures of a domain: which, and how. */
struct column {
    enum xm_study_measure measure;
    int width, digits;
};

static void put_columns(FILE *out, const struct xm_estimate *e, const struct column *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fputc(' ', out);
        put_number(out, c[i].width, c[i].digits, e[c[i].measure].mean);
    }
}

#define ELEMENTS(array) (sizeof(array) / sizeof(array)[0])

static void put_row(FILE *out, const struct xm_study_point *p)
{
    static const struct column columns[] = {{XM_STUDY_GOTTEN, 5, 1},  {XM_STUDY_WAITED, 5, 1},
                                            {XM_STUDY_BLOCKED, 5, 1}, {XM_STUDY_EXECUTIONS, 6, 0},
                                            {XM_STUDY_LENGTH, 7, 1},  {XM_STUDY_IO, 6, 0},
                                            {XM_STUDY_IO_EACH, 6, 2}};
    const struct xm_estimate *e = p->estimate;
    char half[16] = "";
    if (!isnan(e[XM_STUDY_THROUGHPUT].half))
        snprintf(half, sizeof half, "+-%.0f", e[XM_STUDY_THROUGHPUT].half);
    fprintf(out, "%6.0f ", p->rate);
    put_number(out, 6, 0, e[XM_STUDY_THROUGHPUT].mean);
    fprintf(out, " %-5s ", half);
    put_number(out, 7, 2, e[XM_STUDY_RESPONSE].mean);
    for (unsigned d = 0; d < 2; d++) {
        fputs(" |", out);
        put_columns(out, e + d * XM_STUDY_OF_DOMAIN, columns, ELEMENTS(columns) - (d == 0 ? 0 : 2));
    }
    fputc('\n', out);
}

static void put_series(FILE *out, const struct xm_study_series *s)
{
    fprintf(out, "\n%s\n", xm_study_configuration(s->configuration));
    fprintf(out, "%6s %6s %-5s %7s |%-48s|%s\n", "", "", "", "", " Dom0", " Dom1");
    fprintf(out, "%6s %6s %-5s %7s |%5s %5s %5s %6s %7s %6s %6s |%5s %5s %5s %6s %7s\n", "asked", "served",
            "/s", "ms", "got%", "wait%", "blk%", "exec/s", "us/exec", "io/s", "io/ex", "got%", "wait%",
            "blk%", "exec/s", "us/exec");
    for (unsigned i = 0; i < s->points; i++)
        put_row(out, &s->point[i]);
}

/* ---- What became of the paper's statements. */

static void put_statements(const struct xm_study *study, FILE *out)
{
    struct xm_statement list[XM_STATEMENTS];
    unsigned count = xm_study_judge(study, list), hold = 0;
    for (unsigned i = 0; i < count; i++)
        hold += list[i].holds;
    fprintf(out, "\nThe paper's statements: %u of %u hold\n", hold, count);
    for (unsigned i = 0; i < count; i++) {
        const struct xm_statement *s = &list[i];
        fprintf(out, "\n  %-14s %s%s%s%s\n", s->holds ? "holds" : "DOES NOT HOLD",
                s->figure[0] == '-' ? "" : "Figure ", s->figure[0] == '-' ? "" : s->figure,
                s->figure[0] == '-' ? "" : ": ", s->subject);
        fprintf(out, "    paper     %s\n    measured  %s\n", s->paper, s->measured);
        if (*s->reason)
            put_wrapped(out, 14, s->reason);
    }
}

/* ---- Beyond the paper. */

static void put_beyond_row(FILE *out, const struct xm_study_series *s)
{
    static const struct column columns[] = {{XM_STUDY_GOTTEN, 5, 1},
                                            {XM_STUDY_EXECUTIONS, 6, 0},
                                            {XM_STUDY_LENGTH, 7, 1},
                                            {XM_STUDY_IO_EACH, 6, 2}};
    const struct xm_estimate *e = s->point[s->points - 1].estimate;
    fprintf(out, "    %-11s ", s->group == XM_STUDY_RR ? "" : xm_study_configuration(s->configuration));
    put_number(out, 6, 0, e[XM_STUDY_THROUGHPUT].mean);
    fputc(' ', out);
    put_number(out, 8, 2, e[XM_STUDY_RESPONSE].mean);
    for (unsigned d = 0; d < 2; d++) {
        fputs(" |", out);
        put_columns(out, e + d * XM_STUDY_OF_DOMAIN, columns, ELEMENTS(columns) - (d == 0 ? 0 : 1));
    }
    fputs(" |", out);
    put_number(out, 8, 0, e[XM_STUDY_RECORDS].mean);
    fputc('\n', out);
}

static void put_beyond(const struct xm_study *study, FILE *out)
{
    enum xm_study_group group = XM_STUDY_PAPER;
    for (unsigned i = 0; i < study->count; i++) {
        const struct xm_study_series *s = &study->series[i];
        if (s->group == XM_STUDY_PAPER)
            continue;
        if (group == XM_STUDY_PAPER)
            fprintf(out, "\nBeyond the paper (asked: %.0f requests/s; records: trace records a second)\n",
                    s->point[s->points - 1].rate);
        if (s->group != group) {
            group = s->group;
            fprintf(out, "\n  %s: %s\n", xm_study_group_name(group), xm_study_group_text(group));
            fprintf(out, "    %-11s %6s %8s |%5s %6s %7s %6s |%5s %6s %7s |%8s\n", "", "served", "ms", "got%",
                    "exec/s", "us/exec", "io/ex", "got%", "exec/s", "us/exec", "records");
        }
        put_beyond_row(out, s);
    }
}

void xm_study_text(const struct xm_study *study, FILE *out)
{
    const struct xm_study_config *c = &study->config;
    fprintf(out,
            "HPL-2005-187 on a simulated host, measured by XenMon from its trace: %u runs of %.3g s after "
            "%.3g s each, seed %llu\n",
            c->repetitions, (double)c->length_ns / 1e9, (double)c->warm_up_ns / 1e9,
            (unsigned long long)c->seed);
    fprintf(out,
            "(throughput and response: counted by the clients); %llu trace records in %.0f s; lost: %llu, "
            "contradictions: "
            "%llu\n",
            (unsigned long long)study->records, study->wall_s, (unsigned long long)study->lost,
            (unsigned long long)study->anomalies);
    for (unsigned i = 0; i < study->count && study->series[i].group == XM_STUDY_PAPER; i++)
        put_series(out, &study->series[i]);
    put_beyond(study, out);
    put_statements(study, out);
    struct xm_words words;
    xm_study_conclude(study, &words);
    fprintf(out, "\nConclusion\n");
    for (unsigned i = 0; i < words.count; i++) {
        fputc('\n', out);
        put_wrapped(out, 2, words.paragraph[i]);
    }
}
