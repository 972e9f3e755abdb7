/* SPDX-License-Identifier: MIT */
#include "front/terminal/chart.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/histogram.h"
#include "view/format.h"

#define MAX_PARTS 16u

static const struct {
    const char *utf8, *ascii;
    enum xm_meaning meaning;
} states[XM_CHART_STATES] = {
    [XM_CHART_RUNNING] = {"\u2588", "#", XM_MEANING_RUNNING},
    [XM_CHART_WAITING] = {"\u2592", "w", XM_MEANING_WAITING},
    [XM_CHART_BLOCKED] = {"\u00b7", ".", XM_MEANING_BLOCKED},
    [XM_CHART_OFFLINE] = {" ", "-", XM_MEANING_OFFLINE},
    [XM_CHART_UNKNOWN] = {"?", "?", XM_MEANING_UNKNOWN},
};

/* Waiting of less than half a cell. */
#define WAITING_LITTLE "\u2591"

static const char *const across[9] = {"",       "\u258f", "\u258e", "\u258d", "\u258c",
                                      "\u258b", "\u258a", "\u2589", "\u2588"};
static const char *const upwards[9] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
static const char *const levels[8] = {" ", ".", ":", "-", "=", "+", "*", "#"};

const char *xm_chart_glyph(enum xm_chart_state state, bool utf8)
{
    return utf8 ? states[state].utf8 : states[state].ascii;
}

enum xm_meaning xm_chart_meaning(enum xm_chart_state state)
{
    return states[state].meaning;
}

/* ---- Who gets how many cells. */

static unsigned largest(const unsigned *value, unsigned count)
{
    unsigned best = 0;
    for (unsigned i = 1; i < count; i++)
        if (value[i] > value[best])
            best = i;
    return best;
}

/* Each part's whole cells; what is left over goes to the largest remainders. */
static void share_out(const uint64_t *part, unsigned count, unsigned cells, unsigned *share)
{
    unsigned __int128 sum = 0;
    unsigned __int128 rest[MAX_PARTS];
    unsigned given = 0;
    for (unsigned i = 0; i < count; i++)
        sum += part[i];
    for (unsigned i = 0; i < count; i++) {
        unsigned __int128 exact = (unsigned __int128)part[i] * cells;
        share[i] = sum ? (unsigned)(exact / sum) : 0;
        rest[i] = sum ? exact % sum : 0;
        given += share[i];
    }
    /* Fewer cells are left over than there are parts with a remainder. */
    for (; sum && given < cells; given++) {
        unsigned best = 0;
        for (unsigned i = 1; i < count; i++)
            if (rest[i] > rest[best])
                best = i;
        share[best]++;
        rest[best] = 0;
    }
}

void xm_chart_share(const uint64_t *part, unsigned count, unsigned cells, unsigned *share)
{
    unsigned there = 0;
    for (unsigned i = 0; i < count; i++)
        there += part[i] != 0;
    share_out(part, count, cells, share);
    for (unsigned i = 0; there <= cells && i < count; i++) {
        if (part[i] && share[i] == 0) {
            share[largest(share, count)]--;
            share[i] = 1;
        }
    }
}

/* `part` of `whole` in so many steps: none only for 0, all only for all. */
static unsigned steps_of(uint64_t part, uint64_t whole, unsigned steps)
{
    if (part == 0 || whole == 0 || steps == 0)
        return 0;
    if (part >= whole)
        return steps;
    unsigned n = (unsigned)(((unsigned __int128)part * steps + whole / 2) / whole);
    if (n >= steps)
        n = steps - 1;
    return n ? n : 1;
}

/* ---- Text. */

static size_t append(char *text, size_t used, size_t size, const char *glyph)
{
    size_t length = strlen(glyph);
    if (used + length + 1 > size)
        return used;
    memcpy(text + used, glyph, length + 1);
    return used + length;
}

const char *xm_chart_bar(bool utf8, unsigned width, uint64_t part, uint64_t whole, char *text, size_t size)
{
    unsigned per_cell = utf8 ? 8 : 1;
    unsigned steps = steps_of(part, whole, width * per_cell);
    size_t used = 0;
    if (size)
        text[0] = '\0';
    for (unsigned i = 0; i < width; i++) {
        unsigned here = steps >= per_cell ? per_cell : steps;
        steps -= here;
        used = append(text, used, size, here == 0 ? " " : utf8 ? across[here] : "#");
    }
    return text;
}

const char *xm_chart_level(bool utf8, uint64_t value, uint64_t top)
{
    unsigned most = utf8 ? 8 : 7;
    if (value == 0 || top == 0)
        return " ";
    if (value >= top)
        return utf8 ? upwards[most] : levels[most];
    unsigned level = (unsigned)(((unsigned __int128)value * most + top - 1) / top);
    return utf8 ? upwards[level] : levels[level];
}

/* ---- States. */

void xm_chart_states(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                     const uint64_t part[XM_CHART_STATES])
{
    unsigned share[XM_CHART_STATES];
    xm_chart_share(part, XM_CHART_STATES, end > x ? end - x : 0, share);
    for (unsigned state = 0; state < XM_CHART_STATES; state++)
        for (unsigned i = 0; i < share[state]; i++)
            x = xm_grid_put(grid, x, y, states[state].meaning,
                            xm_chart_glyph((enum xm_chart_state)state, grid->utf8));
}

static void put_running(struct xm_grid *grid, unsigned x, unsigned bottom, unsigned steps, unsigned per_cell)
{
    for (; steps; bottom--) {
        unsigned here = steps >= per_cell ? per_cell : steps;
        steps -= here;
        xm_grid_put(grid, x, bottom, XM_MEANING_RUNNING, per_cell == 1 ? "#" : upwards[here]);
    }
}

/* Cells of the states above running, the lowest first; waiting is not left out where there is any room. */
static void share_above(const struct xm_chart_moment *m, unsigned cells, unsigned share[XM_CHART_STATES])
{
    uint64_t part[XM_CHART_STATES] = {0};
    for (unsigned i = XM_CHART_WAITING; i < XM_CHART_STATES; i++)
        part[i] = m->part[i];
    share_out(part, XM_CHART_STATES, cells, share);
    if (part[XM_CHART_WAITING] && cells && share[XM_CHART_WAITING] == 0) {
        share[largest(share, XM_CHART_STATES)]--;
        share[XM_CHART_WAITING] = 1;
    }
}

static void put_moment(struct xm_grid *grid, unsigned x, unsigned y, unsigned rows,
                       const struct xm_chart_moment *m)
{
    unsigned share[XM_CHART_STATES];
    unsigned per_cell = grid->utf8 ? 8 : 1;
    uint64_t whole = 0;
    for (unsigned i = 0; i < XM_CHART_STATES; i++)
        whole += m->part[i];
    if (whole == 0)
        return;
    uint64_t waiting = m->part[XM_CHART_WAITING];
    unsigned run = steps_of(m->part[XM_CHART_RUNNING], whole, rows * per_cell);
    if (waiting && rows > 1 && run > (rows - 1) * per_cell)
        run = (rows - 1) * per_cell;
    unsigned left = rows - (run + per_cell - 1) / per_cell;
    bool little = waiting * rows * 2 < whole;
    share_above(m, left, share);
    put_running(grid, x, y + rows - 1, run, per_cell);
    unsigned row = y + left;
    for (unsigned state = XM_CHART_WAITING; state < XM_CHART_STATES; state++) {
        const char *glyph = xm_chart_glyph((enum xm_chart_state)state, grid->utf8);
        if (state == XM_CHART_WAITING && little && grid->utf8)
            glyph = WAITING_LITTLE;
        for (unsigned i = 0; i < share[state]; i++)
            xm_grid_put(grid, x, --row, states[state].meaning, glyph);
    }
}

void xm_chart_strip(struct xm_grid *grid, unsigned x, unsigned end, unsigned y, unsigned rows,
                    const struct xm_chart_moment *moment, unsigned count)
{
    unsigned shown = end > x ? end - x : 0;
    if (shown > count)
        shown = count;
    for (unsigned i = 0; i < shown && rows; i++) {
        const struct xm_chart_moment *m = &moment[count - shown + i];
        if (m->known)
            put_moment(grid, end - shown + i, y, rows, m);
    }
}

/* ---- Distributions. */

#define FIRST_NS UINT64_C(1000)
#define LAST_NS  (10 * XM_NS_PER_S)

static void add_bin(struct xm_chart_bins *bins, uint64_t low_ns)
{
    if (bins->count < XM_CHART_BINS)
        bins->low_ns[bins->count++] = low_ns;
}

void xm_chart_bins(const uint64_t *counts, const struct xm_scale *scale, bool fine,
                   struct xm_chart_bins *bins)
{
    *bins = (struct xm_chart_bins){.count = 0};
    add_bin(bins, 0);
    for (uint64_t ns = FIRST_NS; ns <= LAST_NS; ns *= 10) {
        add_bin(bins, ns);
        if (fine && ns < LAST_NS) {
            add_bin(bins, 2 * ns);
            add_bin(bins, 5 * ns);
        }
    }
    unsigned bin = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++) {
        uint64_t ns = xm_scale_to_ns(scale, xm_cycles_of(xm_hist_low(i) + xm_hist_width(i) / 2)).v;
        while (bin + 1 < bins->count && ns >= bins->low_ns[bin + 1])
            bin++;
        bins->n[bin] += counts[i];
        bins->total += counts[i];
    }
}

unsigned xm_chart_bin_of(const struct xm_chart_bins *bins, uint64_t ns)
{
    unsigned bin = 0;
    while (bin + 1 < bins->count && ns >= bins->low_ns[bin + 1])
        bin++;
    return bin;
}

const char *xm_chart_bin_name(const struct xm_chart_bins *bins, unsigned bin, char *text, size_t size)
{
    static const char *const units[] = {"us", "ms", "s"};
    uint64_t value = bins->low_ns[bin ? bin : 1] / 1000;
    unsigned unit = 0;
    while (unit < 2 && value >= 1000) {
        value /= 1000;
        unit++;
    }
    snprintf(text, size, "%s%" PRIu64 " %s",
             bin == 0                 ? "<"
             : bin + 1 == bins->count ? ">="
                                      : "",
             value, units[unit]);
    return text;
}

/* "p50", "p95,99": those that are in the bin. */
static void marks_text(const struct xm_chart_bins *bins, unsigned bin, const struct xm_chart_marks *marks,
                       char *text, size_t size)
{
    const struct {
        uint64_t ns;
        const char *name;
    } mark[] = {{marks->p50_ns, "50"}, {marks->p95_ns, "95"}, {marks->p99_ns, "99"}};
    bool here[3];
    unsigned count = 0;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < 3; i++) {
        here[i] = xm_chart_bin_of(bins, mark[i].ns) == bin;
        count += here[i];
    }
    if (count == 3) {
        snprintf(text, size, "p50-99");
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!here[i])
            continue;
        used = append(text, used, size, used ? "," : "p");
        used = append(text, used, size, mark[i].name);
    }
}

/* What there is room for in a line of a histogram: the bin's name and its share of all, and then these. */
struct line_layout {
    unsigned bar; /* cells; 0: none */
    bool marks, count;
};

enum { NAME = 7, PERCENT = 7, MARKS = 7, COUNT = 7, LEAST_BAR = 4, MOST_BAR = 80 };

static struct line_layout lay_out(unsigned width)
{
    unsigned spare = width > NAME + PERCENT ? width - NAME - PERCENT : 0;
    struct line_layout l = {.marks = spare >= MARKS + LEAST_BAR, .count = spare >= MARKS + COUNT + LEAST_BAR};
    l.bar = spare - (l.marks ? MARKS : 0) - (l.count ? COUNT : 0);
    l.bar = l.bar < LEAST_BAR ? 0 : l.bar > MOST_BAR ? MOST_BAR : l.bar;
    return l;
}

static uint64_t fullest(const struct xm_chart_bins *bins)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < bins->count; i++)
        most = bins->n[i] > most ? bins->n[i] : most;
    return most;
}

void xm_chart_histogram_line(struct xm_grid *grid, unsigned x, unsigned end, unsigned y,
                             enum xm_meaning meaning, const struct xm_chart_bins *bins, unsigned bin,
                             const struct xm_chart_marks *marks)
{
    unsigned width = end > x ? end - x : 0;
    struct line_layout l = lay_out(width);
    char text[256];
    if (bin >= bins->count || width < NAME)
        return;
    enum xm_meaning number = bins->n[bin] ? XM_MEANING_NORMAL : XM_MEANING_FAINT;
    xm_chart_bin_name(bins, bin, text, sizeof text);
    xm_grid_put_right(grid, x + NAME - 1, y, XM_MEANING_LABEL, text);
    if (width < NAME + PERCENT)
        return;
    x += NAME;
    xm_chart_bar(grid->utf8, l.bar, bins->n[bin], fullest(bins), text, sizeof text);
    x = xm_grid_put(grid, x, y, meaning, text);
    if (l.count) {
        x += COUNT;
        xm_grid_put_right(grid, x, y, number, xm_format_count(bins->n[bin], COUNT - 1, text, sizeof text));
    }
    x += PERCENT;
    double percent = bins->total ? 100 * (double)bins->n[bin] / (double)bins->total : 0;
    xm_grid_put_right(grid, x, y, number, xm_format_percent(percent, text, sizeof text));
    if (l.marks && bins->total) {
        marks_text(bins, bin, marks, text, sizeof text);
        xm_grid_put(grid, x + 1, y, XM_MEANING_LABEL, text);
    }
}
