/* SPDX-License-Identifier: MIT */
/* The paper's conclusion, in sentences that the numbers choose. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "front/study/study_int.h"

enum { HALF, EQUAL, TWO, TEN };
#define FULL 1800.0

/* A paragraph that grows. */
struct pen {
    struct xm_words *words;
    char *text;
};

static void begin(struct pen *p)
{
    p->text = p->words->paragraph[p->words->count++];
    p->text[0] = '\0';
}

bool xm_study_says(const char *text)
{
    while (*text) {
        size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
        if (length == 3 && (memcmp(text, "nan", 3) == 0 || memcmp(text, "inf", 3) == 0))
            return false;
        text += length;
        text += strcspn(text, "abcdefghijklmnopqrstuvwxyz");
    }
    return true;
}

static void say(struct pen *p, const char *format, ...) XM_PRINTF(2, 3);

/* A sentence, or as much as shares its numbers; not said where one of them is none. */
static void say(struct pen *p, const char *format, ...)
{
    size_t length = strlen(p->text);
    va_list args;
    va_start(args, format);
    vsnprintf(p->text + length, sizeof p->words->paragraph[0] - length, format, args);
    va_end(args);
    if (!xm_study_says(p->text + length))
        p->text[length] = '\0';
}

/* A paragraph of which nothing is left is none. */
static void end(struct pen *p)
{
    if (!*p->text)
        p->words->count--;
}

static double full(const struct xm_study *s, unsigned configuration, int domain,
                   enum xm_study_measure measure)
{
    return xm_study_at(s, configuration, domain, measure, FULL);
}

static double last(const struct xm_study *study, enum xm_study_group group, unsigned configuration,
                   unsigned measure)
{
    const struct xm_study_series *s = xm_study_find(study, group, configuration);
    return s ? xm_study_last(s, measure) : NAN;
}

/* ---- The paper. */

static void throughput(struct pen *p, const struct xm_study *s)
{
    double best[XM_STUDY_CONFIGURATIONS];
    unsigned first = 0;
    bool falls = true;
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
        best[i] = xm_study_most(xm_study_find(s, XM_STUDY_PAPER, i), XM_STUDY_THROUGHPUT);
        first = best[i] > best[first] ? i : first;
        falls = falls && (i == 0 || best[i] < best[i - 1]);
    }
    begin(p);
    if (!(best[first] > 0)) {
        say(p, "Nothing was answered under any configuration.");
        return;
    }
    say(p,
        "The web server answers most requests under %s: %.0f a second, against %.0f, %.0f and %.0f under "
        "the others. ",
        xm_study_configuration(first), best[first], best[first == 0 ? 1 : 0], best[first <= 1 ? 2 : 1],
        best[first <= 2 ? 3 : 2]);
    if (falls)
        say(p,
            "The more of the CPU the driver domain is entitled to, the fewer requests are answered: the "
            "paper's surprise. "
            "Under Conf_10, where Dom0 is entitled to ten times Dom1's share, %.0f %% of Conf_0.5's are "
            "left (in the "
            "paper 51 %%).",
            100 * best[TEN] / best[HALF]);
    else
        say(p, "The order is not the paper's, in which throughput falls as Dom0's share rises.");
}

static void where_time_goes(struct pen *p, const struct xm_study *s)
{
    double us[2][2];
    for (unsigned i = 0; i < 2; i++)
        for (int d = 0; d < 2; d++)
            us[i][d] = full(s, i == 0 ? HALF : TEN, d, XM_STUDY_GOTTEN) * 1e4 /
                       full(s, i == 0 ? HALF : TEN, -1, XM_STUDY_THROUGHPUT);
    begin(p);
    say(p,
        "Where the time goes: a request costs %.0f us of Dom0 and %.0f us of Dom1 under Conf_0.5, %.0f and "
        "%.0f us under "
        "Conf_10, for the same packets. ",
        us[0][0], us[0][1], us[1][0], us[1][1]);
    bool each = full(s, TEN, 0, XM_STUDY_IO_EACH) < 2 &&
                full(s, TEN, 0, XM_STUDY_EXECUTIONS) > full(s, HALF, 0, XM_STUDY_EXECUTIONS);
    bool gathers = full(s, HALF, 0, XM_STUDY_WAITED) > full(s, TEN, 0, XM_STUDY_WAITED) &&
                   us[0][0] + us[0][1] < us[1][0] + us[1][1];
    say(p,
        "Dom0 waits %.1f %% of the time under Conf_0.5 and %.1f %% under Conf_10%s: %.2f pages an "
        "execution there against %.0f, %.0f executions a second of %.0f us against %.0f of %.0f us. ",
        full(s, HALF, 0, XM_STUDY_WAITED), full(s, TEN, 0, XM_STUDY_WAITED),
        each ? ", where it preempts Dom1 for almost every packet" : "", full(s, TEN, 0, XM_STUDY_IO_EACH),
        full(s, HALF, 0, XM_STUDY_IO_EACH), full(s, TEN, 0, XM_STUDY_EXECUTIONS),
        full(s, TEN, 0, XM_STUDY_LENGTH), full(s, HALF, 0, XM_STUDY_EXECUTIONS),
        full(s, HALF, 0, XM_STUDY_LENGTH));
    double switches = full(s, TEN, 0, XM_STUDY_EXECUTIONS) *
                      (double)(s->config.costs.driver_entry + s->config.costs.server_entry) / 1e7;
    say(p,
        "By the model's costs, what dispatches cost beside the work takes %.0f %% of the CPU under "
        "Conf_10%s.",
        switches,
        gathers ? ": a domain that waits for the CPU gathers work, and one that gets it at once pays for "
                  "getting it"
                : "");
    end(p);
}

/* ---- Beyond it. */

static bool near(double a, double b)
{
    return fabs(a - b) <= 0.1 * b;
}

static void ablation(struct pen *p, const struct xm_study *s)
{
    double exact[XM_STUDY_CONFIGURATIONS], paper[XM_STUDY_CONFIGURATIONS];
    for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
        exact[i] = last(s, XM_STUDY_EXACT, i, XM_STUDY_THROUGHPUT);
        paper[i] = full(s, i, -1, XM_STUDY_THROUGHPUT);
    }
    if (isnan(exact[HALF]))
        return;
    begin(p);
    say(p,
        "Why: BVT charges every 100 us begun. Charged exactly instead, the four configurations answer "
        "%.0f, %.0f, %.0f and "
        "%.0f requests a second (%.0f, %.0f, %.0f and %.0f as it was). ",
        exact[0], exact[1], exact[2], exact[3], paper[0], paper[1], paper[2], paper[3]);
    for (unsigned i = EQUAL; i <= TEN; i++)
        if (near(exact[i], paper[HALF]) && !near(paper[i], paper[HALF]))
            say(p,
                "%s is then as good as Conf_0.5 was: there the rounding is the cause of the paper's "
                "surprise, which the "
                "paper does not say. ",
                xm_study_configuration(i));
        else if (near(exact[i], paper[i]))
            say(p, "%s stays where it was%s. ", xm_study_configuration(i),
                paper[i] < 0.9 * paper[HALF] && full(s, i, 0, XM_STUDY_IO_EACH) < 2
                    ? ": not the rounding, but the weight itself lets Dom0 preempt for every packet"
                    : "");
        else
            say(p, "%s changes by %+.0f %%. ", xm_study_configuration(i), 100 * (exact[i] / paper[i] - 1));
    say(p,
        "A context switch allowance of 1 ms gives %.0f, %.0f, %.0f and %.0f, and without the slip of units "
        "in the slice it is "
        "%.0f, %.0f, %.0f and %.0f.",
        last(s, XM_STUDY_ALLOW, 0, 0), last(s, XM_STUDY_ALLOW, 1, 0), last(s, XM_STUDY_ALLOW, 2, 0),
        last(s, XM_STUDY_ALLOW, 3, 0), last(s, XM_STUDY_SLIP, 0, 0), last(s, XM_STUDY_SLIP, 1, 0),
        last(s, XM_STUDY_SLIP, 2, 0), last(s, XM_STUDY_SLIP, 3, 0));
    end(p);
}

static void schedulers(struct pen *p, const struct xm_study *s)
{
    static const enum xm_study_group groups[] = {XM_STUDY_SEDF, XM_STUDY_CREDIT, XM_STUDY_CREDIT2,
                                                 XM_STUDY_RR};
    bool any = false;
    for (unsigned g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        double least = INFINITY, most = 0;
        for (unsigned i = 0; i < XM_STUDY_CONFIGURATIONS; i++) {
            double value = last(s, groups[g], i, XM_STUDY_THROUGHPUT);
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        if (most == 0)
            continue;
        if (!any) {
            begin(p);
            say(p, "The same load, saturated, under other schedulers with the same weights: ");
        }
        say(p, "%s%s answers %.0f", any ? "; " : "", xm_study_group_name(groups[g]), least);
        if (most > least * 1.005)
            say(p, " to %.0f", most);
        any = true;
    }
    if (any)
        say(p, " requests a second.");
}

/* Percent of the records that a record for a batch saves. */
static double saved(const struct xm_study *s, unsigned configuration)
{
    return 100 * (1 - last(s, XM_STUDY_BATCH, configuration, XM_STUDY_RECORDS) /
                          full(s, configuration, -1, XM_STUDY_RECORDS));
}

static void records(struct pen *p, const struct xm_study *s)
{
    const struct xm_study_series *ten = xm_study_find(s, XM_STUDY_PAPER, TEN);
    begin(p);
    say(p,
        "XenMon itself: Conf_10 at saturation is %.0f trace records a second, each of which took %.0f ns "
        "of CPU time of this "
        "machine from buffer to account: %.2f %% of a CPU, and %.2f %% under Conf_0.5 (in the paper about "
        "%.0f %%). ",
        xm_study_last(ten, XM_STUDY_RECORDS), xm_study_last(ten, XM_STUDY_OWN_NS), xm_study_own_pct(ten),
        xm_study_own_pct(xm_study_find(s, XM_STUDY_PAPER, HALF)), XM_PAPER_OWN_PCT);
    if (!xm_study_find(s, XM_STUDY_COPY, TEN)) {
        end(p);
        return;
    }
    say(p,
        "One record for a batch of page flips saves %.1f %% of the records under Conf_0.5 and %.1f %% "
        "under Conf_10. ",
        saved(s, HALF), saved(s, TEN));
    say(p,
        "With grant copies instead of page flips the four configurations answer %.0f, %.0f, %.0f and %.0f "
        "requests a second, "
        "and the I/O count sees only what the server sends.",
        last(s, XM_STUDY_COPY, 0, 0), last(s, XM_STUDY_COPY, 1, 0), last(s, XM_STUDY_COPY, 2, 0),
        last(s, XM_STUDY_COPY, 3, 0));
    end(p);
}

void xm_study_conclude(const struct xm_study *study, struct xm_words *words)
{
    struct pen p = {.words = words};
    words->count = 0;
    throughput(&p, study);
    where_time_goes(&p, study);
    ablation(&p, study);
    schedulers(&p, study);
    records(&p, study);
}
