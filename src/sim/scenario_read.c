/* SPDX-License-Identifier: MIT */
/*
 * Scenarios as files.  inih splits lines into names and values; which section they are in is read here, for it would
 * pass over sections without a line, cut long names and take indented lines as more of the value before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef XM_HAVE_INIH
#include <ini.h>
#endif

#include "sim/scenario_int.h"
#include "sim/value.h"

#define FILE_BYTES (1u << 20)
#define COSTS 64u

struct reader {
    struct xm_scenario *scenario;
    const char *file; /* as messages name it */
    const char *at;   /* the next line */
    unsigned line;    /* the number of the one before it */
    enum { BEFORE, HOST, COSTS_, DOMAIN } section;
    char title[48];   /* of the section, without brackets */
    unsigned domain_line[XM_SCENARIO_DOMAINS];
    /* Lines on which names of the section were given; 0: not. */
    unsigned host_given[XM_SCENARIO_KEYS], cost_given[COSTS], domain_given[XM_SCENARIO_KEYS];
    struct xm_error *err;
    bool failed;
};

static void fail(struct reader *r, unsigned line, const char *format, ...) XM_PRINTF(3, 4);

static void fail(struct reader *r, unsigned line, const char *format, ...)
{
    char text[200];
    va_list args;
    if (r->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->title[0])
        (void)xm_fail(r->err, XM_INVALID, line, "%s:%u: [%s] %s", r->file, line, r->title, text);
    else
        (void)xm_fail(r->err, XM_INVALID, line, "%s:%u: %s", r->file, line, text);
    r->failed = true;
}

/* ---- Sections. */

/* With the line of what is wrong; xm_scenario_check() would know the section alone. */
static void end_section(struct reader *r)
{
    if (r->section != DOMAIN)
        return;
    const struct xm_scenario_domain *d = &r->scenario->domain[r->scenario->domains - 1];
    unsigned header = r->domain_line[r->scenario->domains - 1];
    const char *const needed[] = {"id", "role"};
    for (unsigned i = 0; i < 2; i++)
        if (!r->domain_given[xm_scenario_key_number(xm_scenario_domain_key(needed[i]))])
            fail(r, header, "%s: it needs one", needed[i]);
    const struct xm_scenario_key *useless = xm_scenario_useless_key(d);
    if (useless)
        fail(r, r->domain_given[xm_scenario_key_number(useless)], "%s: it is not for the role %s", useless->name,
             xm_sim_role_name(d->role));
}

static void begin_domain(struct reader *r, const char *name)
{
    struct xm_scenario *s = r->scenario;
    if (!xm_scenario_is_name(name)) {
        fail(r, r->line, "a name of 1 to 31 letters, digits and . _ + - is right");
        return;
    }
    for (uint32_t i = 0; i < s->domains; i++)
        if (strcmp(s->domain[i].name, name) == 0)
            fail(r, r->line, "it is on line %u already", r->domain_line[i]);
    if (s->domains == XM_SCENARIO_DOMAINS)
        fail(r, r->line, "%u domains are the most", XM_SCENARIO_DOMAINS);
    if (r->failed)
        return;
    r->domain_line[s->domains] = r->line;
    xm_scenario_domain_init(&s->domain[s->domains++], name);
    memset(r->domain_given, 0, sizeof r->domain_given);
    r->section = DOMAIN;
}

static void begin_section(struct reader *r, const char *line)
{
    static const char prefix[] = "domain";
    const size_t length = sizeof prefix - 1;
    const char *end = strchr(line, ']');
    end_section(r);
    r->title[0] = '\0';
    r->section = BEFORE;
    if (!end || end - line > (ptrdiff_t)sizeof r->title) {
        fail(r, r->line, "%s", end ? "a section's name of at most 46 bytes is right" : "a section ends in ]");
        return;
    }
    char shown[44];
    snprintf(r->title, sizeof r->title, "%.*s", (int)(end - line - 1), line + 1);
    char name[sizeof r->title];
    snprintf(name, sizeof name, "%s", r->title);
    xm_value_shown(name, shown);
    snprintf(r->title, sizeof r->title, "%s", shown);
    if (strcmp(name, "host") == 0)
        r->section = HOST;
    else if (strcmp(name, "costs") == 0)
        r->section = COSTS_;
    else if (strncmp(name, prefix, length) == 0 && (name[length] == ' ' || name[length] == '\t'))
        begin_domain(r, name + length + strspn(name + length, " \t"));
    else
        fail(r, r->line, "there is no such section: [host], [costs] and [domain NAME] are right");
}

/* ---- Lines. */

/* False: it was given before. */
static bool give(struct reader *r, unsigned *given, const char *name)
{
    char shown[44];
    if (*given)
        fail(r, r->line, "%s: it is on line %u already", xm_value_shown(name, shown), *given);
    *given = r->line;
    return !r->failed;
}

static enum xm_status take(struct reader *r, const char *name, const char *value, struct xm_error *err)
{
    struct xm_scenario *s = r->scenario;
    const struct xm_scenario_key *key;
    if (r->section == HOST) {
        if ((key = xm_scenario_host_key(name)) != NULL && !give(r, &r->host_given[xm_scenario_key_number(key)], name))
            return XM_OK;
        return xm_scenario_host_set(s, name, value, err);
    }
    if (r->section == COSTS_) {
        const struct xm_cost_name *cost = xm_cost_named(name);
        if (cost && !give(r, &r->cost_given[(size_t)(cost - xm_cost_at(0)) % COSTS], name))
            return XM_OK;
        return xm_scenario_cost_set(s, name, value, err);
    }
    if ((key = xm_scenario_domain_key(name)) != NULL && !give(r, &r->domain_given[xm_scenario_key_number(key)], name))
        return XM_OK;
    return xm_scenario_domain_set(&s->domain[s->domains - 1], name, value, err);
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    struct xm_error err;
    (void)section;
    xm_error_clear(&err);
    if (r->failed)
        return 0;
    if (r->section == BEFORE)
        fail(r, r->line, "a section comes first: [host], [costs] or [domain NAME]");
    else if (take(r, name, value, &err) != XM_OK)
        fail(r, r->line, "%s", err.text);
    return !r->failed;
}

/* A line for inih, less the blanks before it: it would take a line that is indented as more of the value before. */
static char *next_line(char *line, int size, void *user)
{
    struct reader *r = user;
    if (r->failed || !*r->at)
        return NULL;
    size_t length = strcspn(r->at, "\n");
    const char *from = r->at;
    r->line++;
    r->at += length + (r->at[length] == '\n');
    if (r->line == 1 && strncmp(from, "\xef\xbb\xbf", 3) == 0) {
        from += 3;
        length -= 3;
    }
    while (length && (*from == ' ' || *from == '\t')) {
        from++;
        length--;
    }
    if (length + 2 > (size_t)size) {
        fail(r, r->line, "a line of at most %d bytes is right", size - 2);
        return NULL;
    }
    snprintf(line, (size_t)size, "%.*s\n", (int)length, from);
    if (line[0] == '[')
        begin_section(r, line);
    return r->failed ? NULL : line;
}

/* ---- The whole. */

/* Which line the domain that the text is about begins on. */
static unsigned line_of(const struct reader *r, const char *text)
{
    for (uint32_t i = 0; i < r->scenario->domains; i++) {
        char title[48];
        int n = snprintf(title, sizeof title, "[domain %s]", r->scenario->domain[i].name);
        if (strncmp(text, title, (size_t)n) == 0)
            return r->domain_line[i];
    }
    return r->line;
}

static void check_all(struct reader *r)
{
    struct xm_error err;
    xm_error_clear(&err);
    end_section(r);
    r->title[0] = '\0';
    if (r->scenario->domains == 0)
        fail(r, r->line ? r->line : 1, "there is no domain: [domain NAME] is right");
    if (!r->failed && xm_scenario_check(r->scenario, &err) != XM_OK)
        fail(r, line_of(r, err.text), "%s", err.text);
}

static void name_it(struct xm_scenario *s, const char *name)
{
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    size_t length = strlen(base);
    char shown[44];
    if (length > 4 && strcmp(base + length - 4, ".ini") == 0)
        length -= 4;
    snprintf(s->name, sizeof s->name, "%.*s", (int)(length < 40 ? length : 40), base);
    snprintf(s->name, sizeof s->name, "%s", xm_value_shown(s->name, shown));
}

static int parse_stream(struct reader *r)
{
#ifdef XM_HAVE_INIH
    return ini_parse_stream(next_line, r, handle, r);
#else
    (void)next_line;
    (void)handle;
    (void)xm_fail(r->err, XM_UNSUPPORTED, XM_NO_OFFSET, "%s: reading scenarios (inih) was left out of this build", r->file);
    return 0;
#endif
}

enum xm_status xm_scenario_parse(const char *text, const char *name, struct xm_scenario *scenario, struct xm_error *err)
{
    struct xm_error own;
    xm_error_clear(&own);
    struct reader *r = calloc(1, sizeof *r);
    xm_scenario_init(scenario);
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    char shown[44];
    *r = (struct reader){.scenario = scenario, .at = text, .err = &own};
    r->file = strlen(name) <= 40 ? xm_value_shown(name, shown) : xm_value_shown(name + strlen(name) - 40, shown);
    name_it(scenario, name);
    int line = parse_stream(r);
    if (line < 0)
        (void)xm_fail(&own, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    else if (line > 0 && (!r->failed || (unsigned)line < own.offset)) {
        xm_error_clear(&own);
        r->failed = false;
        fail(r, (unsigned)line, "neither [section] nor name = value");
    }
    if (own.status == XM_OK)
        check_all(r);
    free(r);
    return own.status == XM_OK ? XM_OK : xm_fail(err, own.status, own.offset, "%s", own.text);
}

/* At most `size` - 1 bytes and a zero behind them. */
static enum xm_status read_all(int fd, const char *path, char *text, size_t size, struct xm_error *err)
{
    size_t length = 0;
    for (ssize_t n = 1; n != 0;) {
        if (length + 1 >= size)
            return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: a scenario of at most 1 MiB is right", path);
        n = read(fd, text + length, size - 1 - length);
        if (n < 0 && errno != EINTR)
            return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
        length += n > 0 ? (size_t)n : 0;
    }
    text[length] = '\0';
    if (strlen(text) != length)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: it has zero bytes, and is no text", path);
    return XM_OK;
}

enum xm_status xm_scenario_read(const char *path, struct xm_scenario *scenario, struct xm_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    enum xm_status status = XM_OK;
    char *text = malloc(FILE_BYTES);
    if (!text)
        status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: not a file", path);
    else
        status = read_all(fd, path, text, FILE_BYTES, err);
    if (status == XM_OK)
        status = xm_scenario_parse(text, path, scenario, err);
    free(text);
    close(fd);
    return status;
}
