/* SPDX-License-Identifier: MIT */
/* Themes: every meaning can be read, states can be told apart, and a warning from everything. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "front/terminal/theme.h"

static const unsigned depths[] = {0, 1, 8, 16, 88, 256, 16777216};
#define DEPTHS (sizeof depths / sizeof depths[0])

static const enum xm_meaning states[] = {XM_MEANING_RUNNING, XM_MEANING_WAITING, XM_MEANING_BLOCKED,
                                         XM_MEANING_OFFLINE, XM_MEANING_UNKNOWN};
#define STATES (sizeof states / sizeof states[0])

static bool same(struct xm_look a, struct xm_look b)
{
    return a.ink == b.ink && a.paper == b.paper && a.attributes == b.attributes;
}

static void test_names(void **state)
{
    unsigned count = 0;
    for (const char *name; (name = xm_theme_name(count)); count++) {
        unsigned found = 99;
        assert_true(xm_theme_find(name, &found));
        assert_int_equal(found, count);
    }
    assert_int_equal(count, 5);
    assert_null(xm_theme_name(count + 1000));
    unsigned kept = 3;
    assert_false(xm_theme_find("Dark", &kept));
    assert_false(xm_theme_find("", &kept));
    assert_int_equal(kept, 3);
}

static void test_states_differ(void **state)
{
    for (unsigned theme = 0; xm_theme_name(theme); theme++)
        for (size_t d = 0; d < DEPTHS; d++)
            for (size_t i = 0; i < STATES; i++)
                for (size_t j = 0; j < i; j++)
                    if (same(xm_theme_look(theme, states[i], depths[d]),
                             xm_theme_look(theme, states[j], depths[d])))
                        fail_msg("%s, %u colours: states %zu and %zu look the same", xm_theme_name(theme),
                                 depths[d], i, j);
}

static void test_warning_differs(void **state)
{
    for (unsigned theme = 0; xm_theme_name(theme); theme++)
        for (size_t d = 0; d < DEPTHS; d++)
            for (unsigned m = 0; m < XM_MEANINGS; m++) {
                struct xm_look warning = xm_theme_look(theme, XM_MEANING_WARNING, depths[d]);
                struct xm_look other = xm_theme_look(theme, (enum xm_meaning)m, depths[d]);
                if (m != XM_MEANING_WARNING && same(warning, other))
                    fail_msg("%s, %u colours: meaning %u looks like a warning", xm_theme_name(theme),
                             depths[d], m);
            }
}

/* Where one is and where one could go; the cursor's line; what is sorted by. */
static void test_places_differ(void **state)
{
    static const enum xm_meaning pairs[][2] = {
        {XM_MEANING_TAB, XM_MEANING_TAB_HERE}, {XM_MEANING_NORMAL, XM_MEANING_CURSOR},
        {XM_MEANING_POPUP, XM_MEANING_CURSOR}, {XM_MEANING_NORMAL, XM_MEANING_FOUND},
        {XM_MEANING_CURSOR, XM_MEANING_FOUND}, {XM_MEANING_HEADER, XM_MEANING_SORTED}};
    for (unsigned theme = 0; xm_theme_name(theme); theme++)
        for (size_t d = 0; d < DEPTHS; d++)
            for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
                if (same(xm_theme_look(theme, pairs[i][0], depths[d]),
                         xm_theme_look(theme, pairs[i][1], depths[d])))
                    fail_msg("%s, %u colours: meanings %u and %u look the same", xm_theme_name(theme),
                             depths[d], pairs[i][0], pairs[i][1]);
}

static void test_within_palette(void **state)
{
    for (unsigned theme = 0; xm_theme_name(theme); theme++)
        for (size_t d = 0; d < DEPTHS; d++)
            for (unsigned m = 0; m <= XM_MEANINGS; m++) {
                struct xm_look look = xm_theme_look(theme, (enum xm_meaning)m, depths[d]);
                int most = depths[d] < 8 ? -1 : depths[d] < 16 ? 7 : depths[d] < 256 ? 15 : 255;
                assert_in_range(look.ink + 1, 0, most + 1);
                assert_in_range(look.paper + 1, 0, most + 1);
            }
    /* A theme that is not there is the first. */
    assert_true(same(xm_theme_look(77, XM_MEANING_WAITING, 256), xm_theme_look(0, XM_MEANING_WAITING, 256)));
}

/* ---- What the eye makes of it.  Only colours 16 to 255 are the same on every terminal. */

struct rgb {
    double r, g, b; /* linear */
};

static double linear(double byte)
{
    double c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static struct rgb colour(int index)
{
    static const double levels[] = {0, 95, 135, 175, 215, 255};
    assert_in_range(index, 16, 255);
    if (index >= 232) {
        double grey = linear(8 + 10 * (index - 232));
        return (struct rgb){grey, grey, grey};
    }
    int i = index - 16;
    return (struct rgb){linear(levels[i / 36]), linear(levels[i / 6 % 6]), linear(levels[i % 6])};
}

static double luminance(struct rgb c)
{
    return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
}

static double contrast(int a, int b)
{
    double la = luminance(colour(a));
    double lb = luminance(colour(b));
    return la > lb ? (la + 0.05) / (lb + 0.05) : (lb + 0.05) / (la + 0.05);
}

static void test_contrast(void **state)
{
    static const struct {
        const char *name;
        int ink, paper; /* the terminal's own, where the theme is made for it */
        double least;
    } themes[] = {{"dark", 252, 16, 4.5},
                  {"light", 16, 231, 4.5},
                  {"high-contrast", 231, 16, 7},
                  {"colour-blind", 252, 16, 4.5}};
    for (size_t i = 0; i < sizeof themes / sizeof themes[0]; i++) {
        unsigned theme = 99;
        assert_true(xm_theme_find(themes[i].name, &theme));
        for (unsigned m = 0; m < XM_MEANINGS; m++) {
            struct xm_look look = xm_theme_look(theme, (enum xm_meaning)m, 256);
            double ratio = contrast(look.ink < 0 ? themes[i].ink : look.ink,
                                    look.paper < 0 ? themes[i].paper : look.paper);
            if (ratio < themes[i].least)
                fail_msg("%s: meaning %u has a contrast of %.2f only", themes[i].name, m, ratio);
        }
    }
}

/* For who lacks the cones for red, or for green (Machado, Oliveira and Fernandes 2009, severity 1). */
static const double eyes[][9] = {
    {1, 0, 0, 0, 1, 0, 0, 0, 1},
    {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
    {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
};

static double clamp(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static double lab_curve(double t)
{
    return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

static void lab(struct rgb c, const double *eye, double out[3])
{
    double r = clamp(eye[0] * c.r + eye[1] * c.g + eye[2] * c.b);
    double g = clamp(eye[3] * c.r + eye[4] * c.g + eye[5] * c.b);
    double b = clamp(eye[6] * c.r + eye[7] * c.g + eye[8] * c.b);
    double x = lab_curve((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    double y = lab_curve(0.2126 * r + 0.7152 * g + 0.0722 * b);
    double z = lab_curve((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    out[0] = 116 * y - 16;
    out[1] = 500 * (x - y);
    out[2] = 200 * (y - z);
}

static double distance(int a, int b, const double *eye)
{
    double p[3];
    double q[3];
    lab(colour(a), eye, p);
    lab(colour(b), eye, q);
    return sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) +
                (p[2] - q[2]) * (p[2] - q[2]));
}

/* 2.3 is a difference that can just be seen; states are told apart at a glance. */
static void test_colour_blind(void **state)
{
    unsigned theme = 99;
    assert_true(xm_theme_find("colour-blind", &theme));
    for (size_t e = 0; e < sizeof eyes / sizeof eyes[0]; e++)
        for (size_t i = 0; i < STATES; i++)
            for (size_t j = 0; j < i; j++) {
                double d = distance(xm_theme_look(theme, states[i], 256).ink,
                                    xm_theme_look(theme, states[j], 256).ink, eyes[e]);
                if (d < 30)
                    fail_msg("eye %zu: states %zu and %zu are only %.0f apart", e, i, j, d);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),           cmocka_unit_test(test_states_differ),
        cmocka_unit_test(test_warning_differs), cmocka_unit_test(test_places_differ),
        cmocka_unit_test(test_within_palette),  cmocka_unit_test(test_contrast),
        cmocka_unit_test(test_colour_blind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
