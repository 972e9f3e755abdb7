/* SPDX-License-Identifier: MIT */
#include "source/sim_command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/value.h"
#include "xenmon/units.h"

#define WORDS 24u

struct command {
    struct xm_simhost *host;
    char text[XM_SIM_COMMAND_BYTES]; /* the line, cut into: */
    char *word[WORDS];
    unsigned words;
    char *answer;
    size_t length;
    struct xm_error err;
};

static void say(struct command *c, const char *format, ...) XM_PRINTF(2, 3);

/* A line that does not fit with room for the last one is left out. */
static void say(struct command *c, const char *format, ...)
{
    const size_t room = XM_SIM_ANSWER_BYTES - sizeof(struct xm_error);
    va_list args;
    if (c->length >= room)
        return;
    va_start(args, format);
    int n = vsnprintf(c->answer + c->length, room - c->length, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < room - c->length)
        c->length += (size_t)n;
    else
        c->answer[c->length] = '\0';
}

static enum xm_status refuse(struct command *c, const char *format, ...) XM_PRINTF(2, 3);

static enum xm_status refuse(struct command *c, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return xm_fail(&c->err, XM_INVALID, XM_NO_OFFSET, "%s", text);
}

/* ---- Whom it is about. */

static struct xm_sim_domain *domain_called(struct command *c, const char *text)
{
    uint64_t domid;
    if (xm_value_count(text, &domid))
        return domid <= UINT16_MAX ? xm_simhost_domain(c->host, (uint16_t)domid) : NULL;
    for (struct xm_sim_domain *d = xm_machine_domains(xm_simhost_machine(c->host)); d; d = d->next)
        if (!d->ended && strcmp(d->name, text) == 0)
            return d;
    return NULL;
}

static enum xm_status find(struct command *c, struct xm_sim_domain **d)
{
    char shown[44];
    *d = domain_called(c, c->word[1]);
    return *d ? XM_OK : refuse(c, "there is no domain '%s'", xm_value_shown(c->word[1], shown));
}

/* ---- What is done. */

static enum xm_status do_rate(struct command *c)
{
    struct xm_sim_domain *d;
    double rate;
    char shown[44];
    enum xm_status status = find(c, &d);
    if (status != XM_OK)
        return status;
    if (!xm_value_real(c->word[2], &rate) || rate > 1e6)
        return refuse(c, "a number of requests a second from 0 to 1000000 is right, not '%s'", xm_value_shown(c->word[2], shown));
    return xm_simhost_rate(c->host, d->domid, rate, &c->err);
}

static enum xm_status do_share(struct command *c)
{
    struct xm_sim_domain *d;
    enum xm_status status = find(c, &d);
    if (status != XM_OK)
        return status;
    struct xm_scenario_domain changed = *xm_simhost_spec(c->host, d->domid);
    status = xm_scenario_domain_set(&changed, c->word[0], c->word[2], &c->err);
    return status == XM_OK ? xm_simhost_share(c->host, d->domid, &changed.share, &c->err) : status;
}

static enum xm_status do_pause(struct command *c)
{
    struct xm_sim_domain *d;
    enum xm_status status = find(c, &d);
    if (status == XM_OK)
        xm_machine_pause(xm_simhost_machine(c->host), d, c->word[0][0] == 'p');
    return status;
}

static enum xm_status do_destroy(struct command *c)
{
    struct xm_sim_domain *d;
    enum xm_status status = find(c, &d);
    return status == XM_OK ? xm_simhost_remove(c->host, d->domid, &c->err) : status;
}

static uint16_t free_domid(const struct command *c)
{
    uint16_t domid = 1;
    while (domid < XM_DOMID_FIRST_RESERVED && xm_simhost_spec(c->host, domid))
        domid++;
    return domid;
}

static enum xm_status do_create(struct command *c)
{
    struct xm_scenario_domain domain;
    char shown[44];
    bool has_id = false;
    enum xm_status status = XM_OK;
    if (!xm_scenario_is_name(c->word[1]))
        return refuse(c, "a name of 1 to 31 letters, digits and . _ + - is right, not '%s'", xm_value_shown(c->word[1], shown));
    xm_scenario_domain_init(&domain, c->word[1]);
    for (unsigned i = 2; i < c->words && status == XM_OK; i++) {
        char *value = strchr(c->word[i], '=');
        if (!value)
            return refuse(c, "NAME=VALUE is right, such as role=web, not '%s'", xm_value_shown(c->word[i], shown));
        *value++ = '\0';
        if (strcmp(c->word[i], "from") == 0 || strcmp(c->word[i], "to") == 0)
            return refuse(c, "it is created now, and lives until it is destroyed");
        has_id |= strcmp(c->word[i], "id") == 0;
        status = xm_scenario_domain_set(&domain, c->word[i], value, &c->err);
    }
    if (!has_id)
        domain.domid = free_domid(c);
    if (status == XM_OK)
        status = xm_simhost_add(c->host, &domain, &c->err);
    if (status == XM_OK)
        say(c, "domain %u %s\n", domain.domid, domain.name);
    return status;
}

static void say_domain(struct command *c, const struct xm_sim_domain *d)
{
    const struct xm_scenario_domain *spec = xm_simhost_spec(c->host, d->domid);
    const struct xm_served served = xm_simhost_served(c->host, d->domid);
    say(c, "domain %u %s %s vcpus %u weight %u cap %u mcu_advance %u%s", d->domid, d->name, xm_sim_role_name(spec->role),
        d->vcpus, d->share.weight, d->share.cap, d->share.mcu_advance, d->paused ? " paused" : "");
    if (spec->role == XM_ROLE_WEB)
        say(c, " rate %g offered %" PRIu64 " answered %" PRIu64 " turned_away %" PRIu64 " response_ms %.3f", spec->rate,
            served.offered, served.answered, served.turned_away,
            served.answered ? (double)served.response_ns / (double)served.answered / 1e6 : 0.0);
    say(c, "\n");
}

static enum xm_status do_status(struct command *c)
{
    struct xm_machine *m = xm_simhost_machine(c->host);
    const struct xm_scenario *s = xm_simhost_scenario(c->host);
    say(c, "host %s scheduler %s pcpus %u seconds %.3f records %" PRIu64 " lost %" PRIu64 "\n", s->name[0] ? s->name : "-",
        s->sched->name, s->cpus, (double)xm_machine_now(m) / XM_NS_PER_S, xm_machine_records(m), xm_simhost_lost(c->host));
    for (const struct xm_sim_domain *d = xm_machine_domains(m); d; d = d->next)
        if (!d->ended)
            say_domain(c, d);
    return XM_OK;
}

static enum xm_status do_help(struct command *c);

static const struct verb {
    const char *name;
    enum xm_status (*run)(struct command *c);
    unsigned least, most; /* words behind it */
    const char *usage;
} verbs[] = {
    {"status", do_status, 0, 0, "status"},
    {"rate", do_rate, 2, 2, "rate DOM REQUESTS_A_SECOND"},
    {"weight", do_share, 2, 2, "weight DOM N"},
    {"cap", do_share, 2, 2, "cap DOM PERCENT"},
    {"mcu_advance", do_share, 2, 2, "mcu_advance DOM N"},
    {"period", do_share, 2, 2, "period DOM TIME"},
    {"slice", do_share, 2, 2, "slice DOM TIME"},
    {"extratime", do_share, 2, 2, "extratime DOM yes|no"},
    {"pause", do_pause, 1, 1, "pause DOM"},
    {"unpause", do_pause, 1, 1, "unpause DOM"},
    {"create", do_create, 1, WORDS, "create NAME [role=web] [id=N] [NAME=VALUE...]"},
    {"destroy", do_destroy, 1, 1, "destroy DOM"},
    {"help", do_help, 0, 0, "help"},
};
#define VERBS (sizeof verbs / sizeof verbs[0])

static enum xm_status do_help(struct command *c)
{
    for (unsigned i = 0; i < VERBS; i++)
        say(c, "%s\n", verbs[i].usage);
    return XM_OK;
}

/* ---- The line. */

static bool split(struct command *c, const char *line)
{
    int n = snprintf(c->text, sizeof c->text, "%s", line);
    if (n < 0 || (size_t)n >= sizeof c->text)
        return false;
    for (char *at = c->text; *(at += strspn(at, " \t\r\n"));) {
        if (c->words == WORDS)
            return false;
        c->word[c->words++] = at;
        at += strcspn(at, " \t\r\n");
        if (*at)
            *at++ = '\0';
    }
    return true;
}

static enum xm_status run(struct command *c)
{
    char shown[44];
    for (unsigned i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, c->word[0]) != 0)
            continue;
        if (c->words - 1 < verbs[i].least || c->words - 1 > verbs[i].most)
            return refuse(c, "'%s' is right", verbs[i].usage);
        return verbs[i].run(c);
    }
    return refuse(c, "there is no command '%s'; help lists them", xm_value_shown(c->word[0], shown));
}

void xm_sim_command(struct xm_simhost *host, const char *line, char *answer)
{
    struct command c = {.host = host, .answer = answer};
    enum xm_status status;
    xm_error_clear(&c.err);
    answer[0] = '\0';
    if (!split(&c, line))
        status = refuse(&c, "a line of at most %u bytes and %u words is right", XM_SIM_COMMAND_BYTES - 1, WORDS);
    else
        status = c.words ? run(&c) : refuse(&c, "an empty line; help lists the commands");
    if (status == XM_OK)
        snprintf(answer + c.length, XM_SIM_ANSWER_BYTES - c.length, "ok\n");
    else
        snprintf(answer, XM_SIM_ANSWER_BYTES, "error: %s\n", c.err.text);
}
