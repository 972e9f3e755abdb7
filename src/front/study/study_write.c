/* SPDX-License-Identifier: MIT */
/* A directory with everything. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/study/study_figures.h"

#define SCRIPTS 64u
#define LOG     "gnuplot.log"

extern char **environ;

struct place {
    const struct xm_study *study;
    const char *directory;
    char script[SCRIPTS][24]; /* in the order in which they are run */
    unsigned scripts;
    struct xm_error *err;
};

static FILE *create(struct place *p, const char *name, const char *ending)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s%s", p->directory, name, ending);
    FILE *out = length > 0 && (size_t)length < sizeof path ? fopen(path, "we") : NULL;
    if (!out)
        (void)xm_fail(p->err, XM_IO, XM_NO_OFFSET, "%.150s/%s%s: %s", p->directory, name, ending,
                      strerror(errno));
    return out;
}

static enum xm_status finish(struct place *p, FILE *out)
{
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        return xm_fail(p->err, XM_IO, XM_NO_OFFSET, "%.150s: %s", p->directory, strerror(errno));
    return XM_OK;
}

static FILE *create_script(struct place *p, const char *name)
{
    snprintf(p->script[p->scripts++], sizeof p->script[0], "%s.gp", name);
    return create(p, name, ".gp");
}

/* ---- Data and scripts. */

static enum xm_status write_data(struct place *p)
{
    for (unsigned i = 0; i < p->study->count; i++) {
        const struct xm_study_series *s = &p->study->series[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", s->group == XM_STUDY_PAPER ? "" : xm_study_group_name(s->group),
                 s->group == XM_STUDY_PAPER ? "" : "-", xm_study_configuration(s->configuration));
        FILE *out = create(p, name, ".dat");
        if (!out)
            return XM_IO;
        xm_study_data(s, out);
        if (finish(p, out) != XM_OK)
            return XM_IO;
    }
    return XM_OK;
}

static enum xm_status write_panels(struct place *p)
{
    const struct xm_figure *f;
    for (unsigned i = 0; (f = xm_figure_at(i)) != NULL; i++) {
        FILE *out = create_script(p, f->name);
        if (!out)
            return XM_IO;
        xm_study_panel_script(f, out);
        if (finish(p, out) != XM_OK)
            return XM_IO;
        if (f->configuration != 0)
            continue;
        char name[8];
        snprintf(name, sizeof name, "%.4s", f->name);
        out = create_script(p, name);
        if (!out)
            return XM_IO;
        xm_study_sheet_script(f, out);
        if (finish(p, out) != XM_OK)
            return XM_IO;
    }
    return XM_OK;
}

static enum xm_status write_bars(struct place *p)
{
    const struct xm_bars *b;
    for (unsigned i = 0; (b = xm_bars_at(i)) != NULL; i++) {
        if (!xm_study_find(p->study, (enum xm_study_group)b->first, 1))
            continue;
        FILE *out = create(p, b->name, ".dat");
        if (!out)
            return XM_IO;
        xm_study_bars_data(p->study, b->first, b->end, out);
        if (finish(p, out) != XM_OK || (out = create_script(p, b->name)) == NULL)
            return XM_IO;
        xm_study_bars_script(b->name, b->title, out);
        if (finish(p, out) != XM_OK)
            return XM_IO;
    }
    return XM_OK;
}

static enum xm_status write_index(struct place *p)
{
    FILE *out = create(p, "index", ".html");
    if (!out)
        return XM_IO;
    xm_study_html(p->study, p->directory, out);
    return finish(p, out);
}

/* ---- gnuplot. */

/* Pictures of an earlier study in the same place are not this one's. */
static void remove_pictures(const struct place *p)
{
    for (unsigned i = 0; i < p->scripts; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%.*s.svg", p->directory, (int)strcspn(p->script[i], "."),
                 p->script[i]);
        unlink(path);
    }
}

static int spawn(struct place *p, pid_t *pid)
{
    char *arguments[SCRIPTS + 2] = {(char[]){"gnuplot"}};
    posix_spawn_file_actions_t actions;
    for (unsigned i = 0; i < p->scripts; i++)
        arguments[i + 1] = p->script[i];
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    int error = posix_spawn_file_actions_addchdir_np(&actions, p->directory);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, LOG, O_WRONLY | O_CREAT | O_TRUNC,
                                                 0644);
    if (!error)
        error = posix_spawnp(pid, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static enum xm_status draw(struct place *p)
{
    pid_t pid;
    int wait_status = 0;
    remove_pictures(p);
    int error = spawn(p, &pid);
    if (error == ENOENT)
        return xm_fail(p->err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "gnuplot is not installed: %.120s has data, scripts and tables, but no pictures",
                       p->directory);
    if (error)
        return xm_fail(p->err, XM_UNSUPPORTED, XM_NO_OFFSET, "gnuplot cannot be run: %s", strerror(error));
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
        return xm_fail(p->err, XM_UNSUPPORTED, XM_NO_OFFSET, "gnuplot failed: %.150s/" LOG " says why",
                       p->directory);
    char log[4096];
    struct stat st;
    snprintf(log, sizeof log, "%s/" LOG, p->directory);
    if (stat(log, &st) == 0 && st.st_size == 0)
        unlink(log);
    return XM_OK;
}

enum xm_status xm_study_write(const struct xm_study *study, const char *directory, struct xm_error *err)
{
    struct place p = {.study = study, .directory = directory, .err = err};
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%.150s: %s", directory, strerror(errno));
    if (write_data(&p) != XM_OK || write_panels(&p) != XM_OK || write_bars(&p) != XM_OK)
        return XM_IO;
    enum xm_status drawn = draw(&p);
    enum xm_status status = write_index(&p);
    return status == XM_OK ? drawn : status;
}
