/* SPDX-License-Identifier: MIT */
/* index.html: one file that needs nothing from anywhere. */
#include <math.h>
#include <string.h>

#include "front/study/study_figures.h"

/* gnuplot's ink is the page's, so that the pictures follow it into the dark; their paper is none. */
static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>XenMon: the performance study of HPL-2005-187</title>\n<style>\n"
    ":root{--ink:#1c1c1e;--paper:#ffffff;--faint:#6b6b70;--rule:#d9d9de;--card:#f6f6f8;--good:#15803d;--bad:#b91c1c}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#ececf0;--paper:#141417;--faint:#a0a0a8;--rule:#3a3a40;"
    "--card:#1e1e22;--good:#4ade80;--bad:#f87171}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--paper);color:var(--ink);"
    "font:1rem/1.55 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25}h2{margin-top:2.5rem;font-size:1.25rem}p,li{max-width:46rem}\n"
    ".faint{color:var(--faint)}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}\n"
    "figure{margin:0;border:1px solid var(--rule);border-radius:.5rem;padding:.25rem}\n"
    "svg{display:block;width:100%;height:auto}\n"
    "svg [stroke=\"rgb( 34,  34,  34)\"]{stroke:var(--ink)}svg [fill=\"rgb(34,34,34)\"]{fill:var(--ink)}\n"
    "svg [color=\"rgb( 34,  34,  34)\"],svg [color=\"black\"]{color:var(--ink)}\n"
    /* gnuplot clears the place of a mark, in white */
    "svg rect[fill=\"#ffffff\"]{fill:none}svg use[color=\"#FFFFFF\"]{display:none}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.875rem}\n"
    "th,td{padding:.3rem .55rem;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}\n"
    "th:first-child,td:first-child{text-align:left}\n"
    ".statement{border:1px solid var(--rule);border-left-width:.35rem;border-radius:.4rem;background:var(--card);"
    "padding:.5rem .8rem;margin:.6rem 0}\n"
    ".statement b{display:block}.holds{border-left-color:var(--good)}.not{border-left-color:var(--bad)}\n"
    ".not .verdict{color:var(--bad)}.holds .verdict{color:var(--good)}\n"
    ".statement p{margin:.2rem 0}\n"
    "</style>\n</head>\n<body>\n";

/* Our own words, but for what HTML gives a meaning to. */
static void put(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc(*text, out);
    }
}

/* ---- Pictures. */

/* The drawing as it stands, without what only a file by itself needs.  False: there is none. */
static bool put_picture(FILE *out, const char *directory, const char *name)
{
    char line[4096];
    bool inside = false;
    snprintf(line, sizeof line, "%.3000s/%s.svg", directory, name);
    FILE *in = fopen(line, "re");
    if (!in)
        return false;
    while (fgets(line, sizeof line, in)) {
        inside = inside || strncmp(line, "<svg", 4) == 0;
        if (inside && strncmp(line, " xmlns", 6) != 0)
            fputs(line, out);
    }
    fclose(in);
    return inside;
}

static void put_figures(const char *directory, FILE *out)
{
    const struct xm_figure *f;
    char number = 0;
    for (unsigned i = 0; (f = xm_figure_at(i)) != NULL; i++) {
        if (f->number[0] != number) {
            if (number)
                fprintf(out, "</div>\n");
            number = f->number[0];
            fprintf(out, "<h2>Figure %c</h2>\n<div class=\"figures\">\n", number);
        }
        fprintf(out, "<figure role=\"img\" aria-label=\"Figure %s %s\">\n", f->number, f->title);
        if (!put_picture(out, directory, f->name))
            fprintf(
                out,
                "<p class=\"faint\">Figure %s %s: no picture (gnuplot was not there, or had nothing to draw); %s.gp draws it.</p>\n",
                f->number, f->title, f->name);
        fprintf(out, "</figure>\n");
    }
    fprintf(out, "</div>\n");
}

static void put_bars(const struct xm_study *study, const char *directory, FILE *out)
{
    const struct xm_bars *b;
    if (!xm_study_find(study, XM_STUDY_EXACT, 1))
        return;
    fprintf(out, "<h2>Beyond the paper</h2>\n<div class=\"figures\">\n");
    for (unsigned i = 0; (b = xm_bars_at(i)) != NULL; i++) {
        fprintf(out, "<figure role=\"img\" aria-label=\"%s\">\n", b->title);
        if (!put_picture(out, directory, b->name))
            fprintf(out, "<p class=\"faint\">%s: no picture (gnuplot was not there, or had nothing to draw).</p>\n", b->title);
        fprintf(out, "</figure>\n");
    }
    fprintf(out, "</div>\n");
}

/* ---- Tables. */

static void put_cell(FILE *out, const struct xm_estimate *e, int digits)
{
    if (isfinite(e->mean))
        fprintf(out, "<td>%.*f", digits, e->mean);
    else
        fprintf(out, "<td>&#8211;");
    if (!isnan(e->half))
        fprintf(out, " <span class=\"faint\">&#177;%.*f</span>", digits, e->half);
    fprintf(out, "</td>");
}

static void put_row(FILE *out, const char *name, const struct xm_study_point *p)
{
    static const int digits[] = {1, 1, 1, 0, 1, 0, 2};
    fprintf(out, "<tr><td>");
    put(out, name);
    fprintf(out, "</td><td>%.0f</td>", p->rate);
    put_cell(out, &p->estimate[XM_STUDY_THROUGHPUT], 0);
    put_cell(out, &p->estimate[XM_STUDY_RESPONSE], 1);
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < XM_STUDY_OF_DOMAIN; i++)
            put_cell(out, &p->estimate[xm_study_of(d, (enum xm_study_measure)(XM_STUDY_GOTTEN + i))],
                     digits[i]);
    fprintf(out, "</tr>\n");
}

static void put_tables(const struct xm_study *study, FILE *out)
{
    static const char *const columns[] = {"gotten %",     "waited %", "blocked %",    "executions/s",
                                          "us/execution", "I/O/s",    "I/O/execution"};
    fprintf(out,
            "<h2>All numbers</h2>\n<p class=\"faint\">Means and half the width of their 95 %% confidence "
            "intervals.</p>\n"
            "<div class=\"wide\"><table>\n<tr><th></th><th>offered/s</th><th>answered/s</th><th>response, "
            "ms</th>");
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < XM_STUDY_OF_DOMAIN; i++)
            fprintf(out, "<th>Dom%u %s</th>", d, columns[i]);
    fprintf(out, "</tr>\n");
    for (unsigned i = 0; i < study->count; i++) {
        const struct xm_study_series *s = &study->series[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", xm_study_configuration(s->configuration),
                 s->group == XM_STUDY_PAPER ? "" : ", ",
                 s->group == XM_STUDY_PAPER ? "" : xm_study_group_name(s->group));
        for (unsigned k = 0; k < s->points; k++)
            put_row(out, name, &s->point[k]);
    }
    fprintf(out, "</table></div>\n");
}

static void put_costs(const struct xm_study *study, FILE *out)
{
    struct xm_costs costs = study->config.costs;
    const struct xm_cost_name *c;
    fprintf(out, "<h2>What the model costs</h2>\n<p>The same for all configurations and all rates.</p>\n"
                 "<div class=\"wide\"><table>\n<tr><th>name</th><th>value</th><th></th></tr>\n");
    for (unsigned i = 0; (c = xm_cost_at(i)) != NULL; i++) {
        fprintf(out, "<tr><td>%s</td><td>%llu %s</td><td style=\"text-align:left\">", c->name,
                (unsigned long long)*xm_cost_of(&costs, c),
                strcmp(c->unit, "count") == 0   ? ""
                : strcmp(c->unit, "milli") == 0 ? "/1000"
                                                : c->unit);
        put(out, c->text);
        fprintf(out, "</td></tr>\n");
    }
    fprintf(out, "</table></div>\n");
}

/* ---- Words. */

static void put_statements(const struct xm_study *study, FILE *out)
{
    struct xm_statement list[XM_STATEMENTS];
    unsigned count = xm_study_judge(study, list), hold = 0;
    for (unsigned i = 0; i < count; i++)
        hold += list[i].holds;
    fprintf(out, "<h2>The paper's statements: %u of %u hold</h2>\n", hold, count);
    for (unsigned i = 0; i < count; i++) {
        const struct xm_statement *s = &list[i];
        fprintf(out, "<div class=\"statement %s\"><b>", s->holds ? "holds" : "not");
        put(out, s->subject);
        fprintf(out, "</b>\n<span class=\"verdict\">%s</span>", s->holds ? "holds" : "does not hold");
        if (s->figure[0] != '-')
            fprintf(out, " <span class=\"faint\">Figure %s</span>", s->figure);
        fprintf(out, "\n<p>Paper: ");
        put(out, s->paper);
        fprintf(out, "<br>Measured: ");
        put(out, s->measured);
        fprintf(out, "</p>\n<p class=\"faint\">");
        put(out, s->reason);
        fprintf(out, "</p></div>\n");
    }
}

void xm_study_html(const struct xm_study *study, const char *directory, FILE *out)
{
    const struct xm_study_config *c = &study->config;
    struct xm_words words;
    fputs(head, out);
    fprintf(out,
            "<h1>Where does the time go? HPL-2005-187 once more</h1>\n"
            "<p class=\"faint\">A simulated Xen host of October 2005: one CPU, a driver domain, a web "
            "server, open-loop clients. "
            "Every number was measured by XenMon from the host's trace, but throughput and response, which the clients "
            "count: %u runs of %.3g s each, seed %llu, "
            "%llu trace records, "
            "%llu of them lost. Diamonds and bars are the paper's values.</p>\n",
            c->repetitions, (double)c->length_ns / 1e9, (unsigned long long)c->seed,
            (unsigned long long)study->records, (unsigned long long)study->lost);
    xm_study_conclude(study, &words);
    for (unsigned i = 0; i < words.count; i++) {
        fprintf(out, "<p>");
        put(out, words.paragraph[i]);
        fprintf(out, "</p>\n");
    }
    put_figures(directory, out);
    put_bars(study, directory, out);
    put_statements(study, out);
    put_tables(study, out);
    put_costs(study, out);
    fprintf(out, "</body>\n</html>\n");
}
