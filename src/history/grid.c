/* SPDX-License-Identifier: MIT */
#include "history/grid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S        86400
#define DAY_NS       (DAY_S * XM_NS_PER_S)
#define STEPPED_NS   (XM_NS_PER_S / 4)
#define MOST_REAL_NS (UINT64_C(9000000000) * XM_NS_PER_S) /* the year 2255 */

/* ---- Lines. */

bool xm_grid_step_fits(uint64_t step_ns)
{
    return step_ns != 0 && step_ns <= DAY_NS && DAY_NS % step_ns == 0;
}

static bool local(uint64_t real_ns, struct tm *tm)
{
    time_t seconds = (time_t)((real_ns < MOST_REAL_NS ? real_ns : MOST_REAL_NS) / XM_NS_PER_S);
    return localtime_r(&seconds, tm) != NULL;
}

static uint64_t of_tm(struct tm *tm)
{
    tm->tm_isdst = -1;
    time_t seconds = mktime(tm);
    return seconds > 0 ? (uint64_t)seconds * XM_NS_PER_S : 0;
}

/* The beginning of the day or month, `ahead` of them further. */
static uint64_t calendar(enum xm_grid_kind kind, uint64_t real_ns, int ahead)
{
    struct tm tm;
    if (!local(real_ns, &tm))
        return real_ns;
    struct tm line = {
        .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = kind == XM_GRID_DAY ? tm.tm_mday : 1};
    *(kind == XM_GRID_DAY ? &line.tm_mday : &line.tm_mon) += ahead;
    return of_tm(&line);
}

static uint64_t step_floor(uint64_t step_ns, uint64_t real_ns)
{
    struct tm tm;
    if (!local(real_ns, &tm))
        return real_ns - real_ns % step_ns;
    /* Of a clock ahead of UTC time is later, and 0 is the midnight of a day. */
    int64_t offset = (int64_t)tm.tm_gmtoff * (int64_t)XM_NS_PER_S;
    int64_t wall = (int64_t)(real_ns < MOST_REAL_NS ? real_ns : MOST_REAL_NS) + offset;
    int64_t line = wall - wall % (int64_t)step_ns - offset;
    return line > 0 ? (uint64_t)line : 0;
}

uint64_t xm_grid_floor(const struct xm_grid *grid, uint64_t real_ns)
{
    switch (grid->kind) {
    case XM_GRID_EVEN:
        return real_ns < grid->origin_ns ? 0 : real_ns - (real_ns - grid->origin_ns) % grid->step_ns;
    case XM_GRID_STEP:
        return step_floor(grid->step_ns, real_ns);
    case XM_GRID_DAY:
    case XM_GRID_MONTH:
        return calendar(grid->kind, real_ns, 0);
    default:
        return 0;
    }
}

uint64_t xm_grid_next(const struct xm_grid *grid, uint64_t real_ns)
{
    uint64_t next;
    if (grid->kind == XM_GRID_WHOLE || real_ns >= MOST_REAL_NS)
        return UINT64_MAX;
    if (grid->kind == XM_GRID_EVEN)
        return real_ns < grid->origin_ns ? grid->origin_ns : xm_grid_floor(grid, real_ns) + grid->step_ns;
    if (grid->kind == XM_GRID_STEP)
        next = step_floor(grid->step_ns, step_floor(grid->step_ns, real_ns) + grid->step_ns);
    else
        next = calendar(grid->kind, real_ns, 1);
    /* Clocks are put back once a year. */
    return next > real_ns ? next : real_ns + (grid->kind == XM_GRID_STEP ? grid->step_ns : DAY_NS);
}

/* ---- Times as people write them. */

static bool digits(const char **text, int least, int most, int *value)
{
    int n = 0;
    *value = 0;
    while (n < most && **text >= '0' && **text <= '9') {
        *value = *value * 10 + *(*text)++ - '0';
        n++;
    }
    return n >= least;
}

static bool skip(const char **text, char c)
{
    if (**text != c)
        return false;
    ++*text;
    return true;
}

/* ":SS" and ".frac" are optional. */
static bool read_clock(const char **text, struct tm *tm, uint64_t *rest_ns)
{
    *rest_ns = 0;
    if (!digits(text, 1, 2, &tm->tm_hour) || !skip(text, ':') || !digits(text, 2, 2, &tm->tm_min))
        return false;
    if (skip(text, ':') && !digits(text, 2, 2, &tm->tm_sec))
        return false;
    if (skip(text, '.')) {
        uint64_t unit = XM_NS_PER_S / 10;
        if (**text < '0' || **text > '9')
            return false;
        for (; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
            *rest_ns += (uint64_t)(**text - '0') * unit;
    }
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

static bool read_date(const char **text, struct tm *tm)
{
    if (!digits(text, 4, 4, &tm->tm_year) || !skip(text, '-') || !digits(text, 1, 2, &tm->tm_mon) ||
        !skip(text, '-') || !digits(text, 1, 2, &tm->tm_mday))
        return false;
    if (tm->tm_year < 1970 || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_mday > 31)
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon--;
    return true;
}

/* "Z" or "+01:00"; *zoned: there is one. */
static bool read_zone(const char **text, int *offset_s, bool *zoned)
{
    int hours, minutes;
    *offset_s = 0;
    *zoned = **text != '\0';
    if (!*zoned || skip(text, 'Z') || skip(text, 'z'))
        return true;
    int sign = **text == '-' ? -1 : 1;
    if (!skip(text, '+') && !skip(text, '-'))
        return false;
    if (!digits(text, 2, 2, &hours) || (skip(text, ':'), false) || !digits(text, 2, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* The day: the text's, or that of `now_ns`; *more: a time of day must follow. */
static bool read_day(const char **text, uint64_t now_ns, struct tm *tm, bool *more)
{
    struct tm now;
    const char *dash = strchr(*text, '-');
    *more = true;
    if (!dash || dash - *text != 4) {
        if (!local(now_ns, &now))
            return false;
        *tm = (struct tm){.tm_year = now.tm_year, .tm_mon = now.tm_mon, .tm_mday = now.tm_mday};
        return true;
    }
    if (!read_date(text, tm))
        return false;
    *more = **text != '\0';
    return !*more || skip(text, 'T') || skip(text, 't') || skip(text, ' ');
}

static bool read_absolute(const char *text, uint64_t now_ns, uint64_t *real_ns)
{
    struct tm tm = {0};
    uint64_t rest_ns = 0;
    int offset_s;
    bool zoned = false, more;
    if (!read_day(&text, now_ns, &tm, &more) || (more && !read_clock(&text, &tm, &rest_ns)) ||
        !read_zone(&text, &offset_s, &zoned) || *text)
        return false;
    /* The 31st of February is no date, in whatever zone. */
    struct tm check = tm;
    if (timegm(&check) < 0 || check.tm_mday != tm.tm_mday)
        return false;
    tm.tm_isdst = -1;
    time_t seconds = zoned ? timegm(&tm) - offset_s : mktime(&tm);
    if (seconds < 0 || (uint64_t)seconds >= MOST_REAL_NS / XM_NS_PER_S)
        return false;
    *real_ns = (uint64_t)seconds * XM_NS_PER_S + rest_ns;
    return true;
}

static bool read_ago(const char *text, uint64_t now_ns, uint64_t *real_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6},   {"s", 1e9},     {"m", 60e9},    {"min", 60e9},
                 {"h", 3600e9}, {"d", 86400e9}, {"w", 604800e9}};
    char *end;
    text += *text == '-';
    if (*text < '0' || *text > '9')
        return false;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        double ago = value * units[i].ns;
        if (!(ago >= 0) || ago >= 9e18)
            return false;
        *real_ns = (uint64_t)ago < now_ns ? now_ns - (uint64_t)ago : 0;
        return true;
    }
    return false;
}

bool xm_grid_read_time(const char *text, uint64_t now_ns, uint64_t *real_ns)
{
    if (strcmp(text, "now") == 0) {
        *real_ns = now_ns;
        return true;
    }
    return read_ago(text, now_ns, real_ns) || read_absolute(text, now_ns, real_ns);
}

const char *xm_grid_write_time(uint64_t real_ns, char *text, size_t size)
{
    struct tm tm;
    char day[32];
    char zone[16] = "Z";
    if (!local(real_ns, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        snprintf(text, size, "-");
        return text;
    }
    long minutes = tm.tm_gmtoff / 60;
    if (minutes)
        snprintf(zone, sizeof zone, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', labs(minutes) / 60 % 100,
                 labs(minutes) % 60);
    snprintf(text, size, "%s.%03u%s", day, (unsigned)(real_ns % XM_NS_PER_S / 1000000), zone);
    return text;
}

const char *xm_grid_write_short(uint64_t real_ns, char *text, size_t size)
{
    struct tm tm;
    uint64_t nearest = real_ns < MOST_REAL_NS ? real_ns + XM_NS_PER_S / 2 : real_ns;
    if (!local(nearest, &tm) || strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(text, size, "-");
    return text;
}

const char *xm_grid_zone(char *text, size_t size)
{
    tzset();
    if (daylight && strcmp(tzname[0], tzname[1]) != 0)
        snprintf(text, size, "%s/%s", tzname[0], tzname[1]);
    else
        snprintf(text, size, "%s", tzname[0]);
    return text;
}

/* ---- Windows. */

/* A sample at which windows meet, and the line that it stands for. */
struct cut {
    size_t instant;
    uint64_t line_ns, wall_ns;
    bool begins;  /* no window ends here */
    bool stepped; /* the one that begins here does so by a clock that was set */
};

struct cuts {
    const struct xm_history_instant *instant;
    const struct xm_grid *grid;
    uint64_t from_ns, to_ns; /* what was asked for */
    struct cut *cut;
    size_t count, room;
};

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Two lines may have the same nearest sample: it stands for the nearer one. */
static bool add_cut(struct cuts *c, size_t instant, uint64_t line_ns, uint64_t wall_ns, bool begins)
{
    struct cut *last = c->count ? &c->cut[c->count - 1] : NULL;
    if (last && last->instant == instant && !begins) {
        if (distance(line_ns, wall_ns) < distance(last->line_ns, last->wall_ns))
            last->line_ns = line_ns;
        return true;
    }
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        struct cut *more = realloc(c->cut, room * sizeof *more);
        if (!more)
            return false;
        c->cut = more;
        c->room = room;
    }
    c->cut[c->count++] = (struct cut){instant, line_ns, wall_ns, begins, false};
    return true;
}

/*
 * A stretch without a step of the clock: instants first to last, the first one's wall time by the clock of
 * the others.
 */
struct piece {
    size_t first, last;
    uint64_t first_wall_ns;
    bool stepped;
};

static uint64_t wall_of(const struct cuts *c, const struct piece *p, size_t i)
{
    return i == p->first ? p->first_wall_ns : c->instant[i].real_ns;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The instant nearest to `line_ns`, not before *at, which is moved on to it. */
static size_t nearest(const struct cuts *c, const struct piece *p, size_t *at, uint64_t line_ns)
{
    while (*at < p->last && wall_of(c, p, *at + 1) <= line_ns)
        ++*at;
    if (*at < p->last && distance(wall_of(c, p, *at + 1), line_ns) < distance(wall_of(c, p, *at), line_ns))
        return *at + 1;
    return *at;
}

/*
 * The next line for which another sample than `here` can be the nearest: those in between are left out at
 * once.
 */
static uint64_t line_after(const struct cuts *c, const struct piece *p, size_t at, size_t here, uint64_t line)
{
    uint64_t next = xm_grid_next(c->grid, line);
    if (at == p->last || wall_of(c, p, at + 1) <= next)
        return next;
    uint64_t middle = wall_of(c, p, at) + (wall_of(c, p, at + 1) - wall_of(c, p, at)) / 2;
    return later(next, xm_grid_floor(c->grid, here == at ? middle : wall_of(c, p, at + 1)));
}

/*
 * The wall time that a piece's first and last window stand for begins and ends at a line, or where it was
 * asked for.
 */
static uint64_t first_line(const struct cuts *c, uint64_t begin, uint64_t low)
{
    if (c->grid->kind == XM_GRID_WHOLE)
        return low;
    return c->from_ns > begin ? c->from_ns : later(xm_grid_floor(c->grid, begin), c->from_ns);
}

static uint64_t last_line(const struct cuts *c, uint64_t end, uint64_t high)
{
    if (c->grid->kind == XM_GRID_WHOLE)
        return high;
    return c->to_ns < end ? c->to_ns : sooner(xm_grid_next(c->grid, end ? end - 1 : 0), c->to_ns);
}

static bool cut_piece(struct cuts *c, const struct piece *p)
{
    uint64_t begin = wall_of(c, p, p->first), end = wall_of(c, p, p->last);
    size_t at = p->first;
    if (end < c->from_ns || begin > c->to_ns || end < begin)
        return true;
    uint64_t low = later(begin, c->from_ns), high = sooner(end, c->to_ns);
    size_t first = nearest(c, p, &at, low);
    uint64_t line = first_line(c, begin, low);
    /* Windows do not go from one piece into the next. */
    if (!add_cut(c, first, line, wall_of(c, p, first), true))
        return false;
    c->cut[c->count - 1].stepped = p->stepped;
    size_t here = first;
    for (line = xm_grid_next(c->grid, low); line < high; line = line_after(c, p, at, here, line)) {
        here = nearest(c, p, &at, line);
        if (here >= first && !add_cut(c, here, line, wall_of(c, p, here), false))
            return false;
    }
    line = last_line(c, end, high);
    size_t last = nearest(c, p, &at, high);
    return last < here || add_cut(c, last, line, wall_of(c, p, last), false);
}

static bool steps(const struct xm_history_instant *a, const struct xm_history_instant *b)
{
    int64_t shift = (int64_t)(b->real_ns - a->real_ns) - (int64_t)(b->mono_ns - a->mono_ns);
    return shift > (int64_t)STEPPED_NS || shift < -(int64_t)STEPPED_NS;
}

static bool cut_all(struct cuts *c, size_t count)
{
    struct piece p = {.first = 0};
    p.first_wall_ns = count ? c->instant[0].real_ns : 0;
    for (size_t i = 1; i < count; i++) {
        const struct xm_history_instant *a = &c->instant[i - 1], *b = &c->instant[i];
        if (steps(a, b)) {
            p.last = i - 1;
            if (p.last > p.first && !cut_piece(c, &p))
                return false;
            uint64_t passed = b->mono_ns - a->mono_ns;
            p = (struct piece){.first = i - 1,
                               .first_wall_ns = b->real_ns > passed ? b->real_ns - passed : 0,
                               .stepped = true};
        }
    }
    p.last = count ? count - 1 : 0;
    return p.last <= p.first || cut_piece(c, &p);
}

enum xm_status xm_history_windows(const struct xm_history_instant *instant, size_t count,
                                  const struct xm_grid *grid, uint64_t from_ns, uint64_t to_ns,
                                  struct xm_history_window **window, size_t *windows, struct xm_error *err)
{
    struct cuts c = {.instant = instant, .grid = grid, .from_ns = from_ns, .to_ns = to_ns};
    bool good = cut_all(&c, count);
    *windows = 0;
    *window = good ? calloc(c.count + 1, sizeof **window) : NULL;
    if (!*window) {
        free(c.cut);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    for (size_t i = 1; i < c.count; i++) {
        const struct cut *a = &c.cut[i - 1], *b = &c.cut[i];
        if (b->begins || b->instant <= a->instant)
            continue;
        (*window)[(*windows)++] = (struct xm_history_window){.from = a->instant,
                                                             .to = b->instant,
                                                             .line_ns = a->line_ns,
                                                             .end_line_ns = b->line_ns,
                                                             .from_ns = a->wall_ns,
                                                             .to_ns = b->wall_ns,
                                                             .stepped = a->stepped};
    }
    free(c.cut);
    return XM_OK;
}
