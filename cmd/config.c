/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/conf.h"

struct reading {
    struct xm_config *config;
    void (*say)(void *user, const char *text);
    void *user;
    bool wrong;
};

/* A copy that lasts as long as the configuration; NULL when out of memory. */
static char *keep(struct xm_config *c, const char *text)
{
    char **larger = realloc(c->texts, (c->text_count + 1) * sizeof *larger);
    if (!larger)
        return NULL;
    c->texts = larger;
    char *copy = strdup(text);
    if (copy)
        c->texts[c->text_count++] = copy;
    return copy;
}

/* A flag: yes is what the option does, and no that it is not given. */
static const char *take_flag(const struct xm_option *option, const char *text, void *config)
{
    bool value;
    bool *where = (bool *)((char *)config + option->offset);
    if (!xm_conf_read_bool(text, &value))
        return "yes or no is right";
    if (value)
        (void)option->set(option, NULL, where);
    else if (option->set == xm_set_flag || option->set == xm_set_no)
        *where = option->set == xm_set_no;
    return NULL;
}

static const char *take_value(struct xm_config *c, const struct xm_option *option, const char *text,
                              void *config)
{
    if (!*text && option->argument == XM_ARG_NEEDED)
        return "it needs a value";
    const char *copy = keep(c, text);
    if (!copy)
        return "out of memory";
    return xm_option_apply(option, copy, config, c->cause, sizeof c->cause) ? NULL : c->cause;
}

static const char *take_option(struct xm_config *c, const struct xm_option *option, const char *text)
{
    bool skip = c->skip && c->skip[option - c->options];
    void *config = skip ? c->scratch : c->config;
    for (const char *const *name = c->never; *name; name++)
        if (strcmp(*name, option->name) == 0)
            return "it cannot be set here";
    return option->argument == XM_ARG_NONE ? take_flag(option, text, config)
                                           : take_value(c, option, text, config);
}

static const char *find_and_take(struct xm_config *c, const struct xm_conf_line *line)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->options[i].name && strcmp(c->options[i].name, line->name) == 0)
            return take_option(c, &c->options[i], line->value);
    return "there is no such option";
}

static const char *take(void *user, const struct xm_conf_line *line)
{
    struct reading *r = user;
    char text[400];
    if (strcmp(line->section, r->config->section) != 0)
        return xm_conf_is_section(line->section) ? NULL : XM_CONF_NO_SECTION;
    const char *cause = find_and_take(r->config, line);
    if (!cause || r->config->whole)
        return cause;
    snprintf(text, sizeof text, "%s:%u: [%s] %s: %s", line->path, line->line, line->section, line->name,
             cause);
    r->wrong = true;
    r->say(r->user, text);
    return NULL;
}

static void wrong(void *user, const char *text)
{
    struct reading *r = user;
    if (!r->config->whole)
        return;
    r->wrong = true;
    r->say(r->user, text);
}

enum xm_status xm_config_read(struct xm_config *config, const char *path,
                              void (*say)(void *user, const char *text), void *user, struct xm_error *err)
{
    struct reading r = {.config = config, .say = say, .user = user};
    const struct xm_conf_reader reader = {.take = take, .wrong = wrong, .user = &r};
    enum xm_status status = xm_conf_read(path, &reader, err);
    if (status == XM_OK && r.wrong)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: it has lines that are wrong", path);
    return status;
}

void xm_config_fini(struct xm_config *config)
{
    for (size_t i = 0; i < config->text_count; i++)
        free(config->texts[i]);
    free(config->texts);
    config->texts = NULL;
    config->text_count = 0;
}
