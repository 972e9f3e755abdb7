/* SPDX-License-Identifier: MIT */
/* Data files and gnuplot scripts. */
#include "front/study/study_figures.h"

#include <math.h>
#include <string.h>

#include "front/study/study_int.h"

#define INK "#222222" /* index.html finds it by this value and gives it the colour of its text */

enum { ALL = -1 };

/* In the order of index.html. */
static const struct xm_figure figures[] = {
    {"fig3a", "3 a)", "Web server throughput", XM_STUDY_THROUGHPUT, ALL, ALL, "requests answered a second", false},
    {"fig3b", "3 b)", "Web server response time", XM_STUDY_RESPONSE, ALL, ALL, "ms", true},
    {"fig4a", "4 a)", "Gotten, Conf_0.5", XM_STUDY_GOTTEN, 0, ALL, "% of the CPU", false},
    {"fig4b", "4 b)", "Gotten, Conf_Equal", XM_STUDY_GOTTEN, 1, ALL, "% of the CPU", false},
    {"fig4c", "4 c)", "Gotten, Conf_2", XM_STUDY_GOTTEN, 2, ALL, "% of the CPU", false},
    {"fig4d", "4 d)", "Gotten, Conf_10", XM_STUDY_GOTTEN, 3, ALL, "% of the CPU", false},
    {"fig5a", "5 a)", "Blocked, Conf_0.5", XM_STUDY_BLOCKED, 0, ALL, "% of the time", false},
    {"fig5b", "5 b)", "Blocked, Conf_Equal", XM_STUDY_BLOCKED, 1, ALL, "% of the time", false},
    {"fig5c", "5 c)", "Blocked, Conf_2", XM_STUDY_BLOCKED, 2, ALL, "% of the time", false},
    {"fig5d", "5 d)", "Blocked, Conf_10", XM_STUDY_BLOCKED, 3, ALL, "% of the time", false},
    {"fig6a", "6 a)", "Waited, Conf_0.5", XM_STUDY_WAITED, 0, ALL, "% of the time", false},
    {"fig6b", "6 b)", "Waited, Conf_Equal", XM_STUDY_WAITED, 1, ALL, "% of the time", false},
    {"fig6c", "6 c)", "Waited, Conf_2", XM_STUDY_WAITED, 2, ALL, "% of the time", false},
    {"fig6d", "6 d)", "Waited, Conf_10", XM_STUDY_WAITED, 3, ALL, "% of the time", false},
    {"fig7a", "7 a)", "I/O count a second", XM_STUDY_IO, ALL, 0, "pages exchanged a second", false},
    {"fig7b", "7 b)", "I/O count an execution of Dom0", XM_STUDY_IO_EACH, ALL, 0, "pages exchanged an execution", true},
    {"fig8a", "8 a)", "Executions, Conf_0.5", XM_STUDY_EXECUTIONS, 0, ALL, "executions a second", false},
    {"fig8b", "8 b)", "Executions, Conf_Equal", XM_STUDY_EXECUTIONS, 1, ALL, "executions a second", false},
    {"fig8c", "8 c)", "Executions, Conf_2", XM_STUDY_EXECUTIONS, 2, ALL, "executions a second", false},
    {"fig8d", "8 d)", "Executions, Conf_10", XM_STUDY_EXECUTIONS, 3, ALL, "executions a second", false},
    {"fig9a", "9 a)", "Gotten an execution, Conf_0.5", XM_STUDY_LENGTH, 0, ALL, "us", true},
    {"fig9b", "9 b)", "Gotten an execution, Conf_Equal", XM_STUDY_LENGTH, 1, ALL, "us", true},
    {"fig9c", "9 c)", "Gotten an execution, Conf_2", XM_STUDY_LENGTH, 2, ALL, "us", true},
    {"fig9d", "9 d)", "Gotten an execution, Conf_10", XM_STUDY_LENGTH, 3, ALL, "us", true},
};

const struct xm_figure *xm_figure_at(unsigned index)
{
    return index < sizeof figures / sizeof figures[0] ? &figures[index] : NULL;
}

/* Of four configurations, and of two domains; of middling lightness, to be seen on white and on black. */
static const char *const colour[] = {"#3b82f6", "#e07b00", "#16a34a", "#d946a0"};
static const char *const domain_colour[] = {"#e07b00", "#3b82f6"};

/* ---- Data. */

/* One repetition has no interval; what there is none of is NaN in gnuplot's spelling, for which it draws nothing. */
static void put_estimate(const struct xm_estimate *e, FILE *out)
{
    if (isfinite(e->mean))
        fprintf(out, " %.9g %.9g", e->mean, isnan(e->half) ? 0 : e->half);
    else
        fprintf(out, " NaN NaN");
}

void xm_study_data(const struct xm_study_series *s, FILE *out)
{
    fprintf(out, "# %s, %s.  Columns: rate, then mean and half width of the 95 %% confidence interval of:\n"
                 "# throughput/s response_ms records/s own_ns, and of Dom0, then of Dom1: gotten%% waited%% blocked%%\n"
                 "# executions/s us/execution io/s io/execution\n",
            xm_study_configuration(s->configuration), xm_study_group_name(s->group));
    for (unsigned i = 0; i < s->points; i++) {
        fprintf(out, "%.0f", s->point[i].rate);
        for (unsigned k = 0; k < XM_STUDY_MEASURES; k++)
            put_estimate(&s->point[i].estimate[k], out);
        fputc('\n', out);
    }
}

/* ---- Scripts. */

static void put_style(FILE *out, const char *name, int width, int height)
{
    fprintf(out,
            "reset\n"
            "set terminal svg size %d,%d dynamic font 'sans-serif,13' background '#ffffff' name '%s'\n"
            "set output '%s.svg'\n"
            "set border 3 linecolor rgb '" INK "'\n"
            "set tics nomirror textcolor rgb '" INK "'\n"
            "set grid linecolor rgb '#9a9a9a' linewidth 0.5 dashtype 3\n",
            width, height, name, name);
}

/* A mark belongs to a line of the figure: -1 where it does not, else the line's number. */
static int line_of(const struct xm_figure *f, const struct xm_mark *m)
{
    if (m->measure != f->measure)
        return -1;
    if (f->configuration == ALL)
        return f->domain == m->domain ? (int)m->configuration : -1;
    return f->configuration == (int)m->configuration ? m->domain : -1;
}

/* Each line's own block of marks; returns which lines have any, a bit each. */
static unsigned put_marks(FILE *out, const struct xm_figure *f)
{
    unsigned lines = 0;
    const struct xm_mark *m;
    for (int line = 0; line < (int)XM_STUDY_CONFIGURATIONS; line++) {
        for (unsigned i = 0; (m = xm_mark_at(i)) != NULL; i++) {
            if (line_of(f, m) != line)
                continue;
            if (!(lines >> line & 1))
                fprintf(out, "$paper%d << EOD\n", line);
            lines |= 1u << line;
            fprintf(out, "%g %g %g %g\n", m->rate, (m->low + m->high) / 2, m->low, m->high);
        }
        if (lines >> line & 1)
            fprintf(out, "EOD\n");
    }
    return lines;
}

static void put_line(FILE *out, const struct xm_figure *f, unsigned line, bool first)
{
    bool all = f->configuration == ALL;
    unsigned configuration = all ? line : (unsigned)f->configuration;
    unsigned domain = all ? (f->domain < 0 ? 0 : (unsigned)f->domain) : line;
    unsigned index = f->measure < XM_STUDY_GOTTEN ? f->measure : xm_study_of(domain, f->measure);
    char title[32];
    snprintf(title, sizeof title, all ? "%s" : "Dom%s", all ? xm_study_configuration(line) : line == 0 ? "0" : "1");
    fprintf(out,
            "%s'%s.dat' using 1:%u:%u with yerrorlines linewidth 2 pointtype 7 pointsize 0.5 "
            "linecolor rgb '%s' title '%s' noenhanced",
            first ? "plot " : ", \\\n  ", xm_study_configuration(configuration), 2 + 2 * index, 3 + 2 * index,
            all ? colour[line] : domain_colour[line], title);
}

static void put_panel(FILE *out, const struct xm_figure *f)
{
    static const char *const percents[] = {"% of the CPU", "% of the time"};
    unsigned lines = f->configuration == ALL ? XM_STUDY_CONFIGURATIONS : 2, marked = put_marks(out, f);
    bool percent = strcmp(f->axis, percents[0]) == 0 || strcmp(f->axis, percents[1]) == 0;
    fprintf(out,
            "set title '%s %s' noenhanced textcolor rgb '" INK "'\n"
            "set xlabel \"requests offered a second\\n \" textcolor rgb '" INK "'\n"
            "set ylabel '%s' textcolor rgb '" INK "'\n"
            "set key below horizontal textcolor rgb '" INK "'\n"
            "set xrange [100:1900]\nset xtics 400\n",
            f->number, f->title, f->axis);
    fprintf(out, f->logarithmic ? "set logscale y\nset yrange [*:*]\n" :
                 percent        ? "unset logscale\nset yrange [0:100]\n" :
                                  "unset logscale\nset yrange [0:*]\n");
    for (unsigned i = 0; i < lines; i++)
        put_line(out, f, i, i == 0);
    for (unsigned i = 0, shown = 0; i < lines; i++)
        if (marked >> i & 1) {
            fprintf(out,
                    ", \\\n  $paper%u using 1:2:3:4 with yerrorbars pointtype 12 pointsize 1.3 linewidth 1.5 "
                    "linecolor rgb '%s' %s",
                    i, f->configuration == ALL ? colour[i] : domain_colour[i],
                    shown ? "notitle" : "title 'the paper'");
            shown = 1;
        }
    fprintf(out, "\n");
}

void xm_study_panel_script(const struct xm_figure *f, FILE *out)
{
    put_style(out, f->name, 460, 340);
    put_panel(out, f);
    fprintf(out, "unset output\n");
}

/* The four panels of one of the paper's figures: those from `f` on. */
void xm_study_sheet_script(const struct xm_figure *f, FILE *out)
{
    char name[8];
    snprintf(name, sizeof name, "%.4s", f->name);
    put_style(out, name, 920, 680);
    fprintf(out, "set multiplot layout 2,2\n");
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++)
        put_panel(out, f + i);
    fprintf(out, "unset multiplot\nunset output\n");
}

/* ---- Bars: saturated throughput of the groups first .. end - 1 beside the paper's own, and their data. */

void xm_study_bars_data(const struct xm_study *study, unsigned first, unsigned end, FILE *out)
{
    for (unsigned g = 0; g < end; g = g == 0 ? first : g + 1) {
        if (!xm_study_find(study, (enum xm_study_group)g, 1))
            continue;
        fprintf(out, "\"%s\"", g == XM_STUDY_PAPER ? "bvt" : xm_study_group_name((enum xm_study_group)g));
        for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
            const struct xm_study_series *s = xm_study_find(study, (enum xm_study_group)g, i);
            /* Round robin knows no weights: one run stands for all. */
            s = s ? s : xm_study_find(study, (enum xm_study_group)g, 1);
            put_estimate(&s->point[s->points - 1].estimate[XM_STUDY_THROUGHPUT], out);
        }
        fputc('\n', out);
    }
}

void xm_study_bars_script(const char *name, const char *title, FILE *out)
{
    put_style(out, name, 640, 380);
    fprintf(out,
            "set title '%s' textcolor rgb '" INK "'\n"
            "set ylabel 'requests answered a second' textcolor rgb '" INK "'\n"
            "set key below horizontal textcolor rgb '" INK "'\n"
            "set style data histogram\nset style histogram errorbars gap 1 linewidth 1\n"
            "set style fill solid 0.85 border\n"
            "set bars 0.5\nset yrange [0:*]\nset errorbars linecolor rgb '" INK "'\n",
            title);
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++)
        fprintf(out, "%s'%s.dat' using %u:%u:xtic(1) linecolor rgb '%s' title '%s' noenhanced",
                i ? ", \\\n  " : "plot ", name, 2 + 2 * i, 3 + 2 * i, colour[i], xm_study_configuration(i));
    fprintf(out, "\nunset output\n");
}

static const struct xm_bars bars[] = {
    {"ablation", "BVT with one property changed, saturated", XM_STUDY_EXACT, XM_STUDY_SEDF},
    {"schedulers", "The same load under other schedulers, saturated", XM_STUDY_SEDF, XM_STUDY_COPY},
    {"network", "Grant copies instead of page flips, saturated", XM_STUDY_COPY, XM_STUDY_BATCH},
};

const struct xm_bars *xm_bars_at(unsigned index)
{
    return index < sizeof bars / sizeof bars[0] ? &bars[index] : NULL;
}
