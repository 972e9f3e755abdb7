/* SPDX-License-Identifier: MIT */
#include "front/conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef XM_HAVE_INIH
#include <ini.h>
#endif

#define MAX_SECTION  64u
#define MAX_DROP_INS 256

bool xm_conf_is_section(const char *name)
{
    static const char *const names[] = {"screen", "live", "xenbaked", "serve"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* ---- Trust. */

/*
 * Root does what its files say, so nobody else may be able to write them, or to put others in their
 * place.  In a sticky directory (/tmp) nobody can rename or remove what is root's.
 */
static const char *distrust(const struct stat *st, bool directory)
{
    if (st->st_uid != 0)
        return "is not root's";
    if (st->st_mode & (S_IWGRP | S_IWOTH) && !(directory && st->st_mode & S_ISVTX))
        return "can be written by others than root";
    return NULL;
}

static enum xm_status check_directories(const char *path, struct xm_error *err)
{
    struct stat st;
    char place[PATH_MAX];
    if (!realpath(path, place))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    for (char *slash = strrchr(place, '/'); slash; slash = strrchr(place, '/')) {
        slash[slash == place] = '\0'; /* "/" itself is the last */
        const char *cause = stat(place, &st) == 0 ? distrust(&st, true) : strerror(errno);
        if (cause)
            return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "%s: not read: %s %s", path, place, cause);
        if (slash == place)
            break;
    }
    return XM_OK;
}

static enum xm_status check_trust(const char *path, const struct stat *st, struct xm_error *err)
{
    if (geteuid() != 0)
        return XM_OK;
    const char *cause = distrust(st, false);
    if (cause)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "%s: not read: it %s", path, cause);
    return check_directories(path, err);
}

/* ---- The whole text. */

static enum xm_status read_all(int fd, const char *path, char *text, size_t *length, struct xm_error *err)
{
    *length = 0;
    for (;;) {
        ssize_t n = read(fd, text + *length, XM_CONF_MAX_BYTES + 1 - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
        *length += (size_t)n;
        if (*length > XM_CONF_MAX_BYTES)
            return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%s: it has more than 1 MiB", path);
        if (n == 0)
            break;
    }
    text[*length] = '\0';
    return XM_OK;
}

static enum xm_status read_open(int fd, const char *path, char **text, size_t *length, struct xm_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: it is no regular file", path);
    }
    enum xm_status status = check_trust(path, &st, err);
    if (status != XM_OK)
        return status;
    *text = malloc(XM_CONF_MAX_BYTES + 2);
    if (!*text)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    status = read_all(fd, path, *text, length, err);
    if (status != XM_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

enum xm_status xm_conf_text(const char *path, char **text, size_t *length, struct xm_error *err)
{
    *text = NULL;
    *length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO is not waited for */
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    enum xm_status status = read_open(fd, path, text, length, err);
    int kept = errno;
    close(fd);
    errno = kept;
    return status;
}

/* ---- Lines. */

struct reading {
    const struct xm_conf_reader *reader;
    const char *path;
    const char *at, *end; /* what is still to be read */
    unsigned line;        /* the number of the one before it */
    char section[MAX_SECTION];
    enum {
        BEFORE,
        WITHIN,
        SKIPPED
    } place; /* SKIPPED: in a section whose title was wrong, which has been said */
};

static void say(const struct reading *r, const char *subject, const char *cause)
{
    char text[400];
    if (!r->reader->wrong)
        return;
    if (subject)
        snprintf(text, sizeof text, "%s:%u: [%s] %.60s: %s", r->path, r->line, r->section, subject, cause);
    else
        snprintf(text, sizeof text, "%s:%u: %s", r->path, r->line, cause);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    r->reader->wrong(r->reader->user, text);
}

static void begin_section(struct reading *r, const char *line, size_t length)
{
    const char *close = memchr(line, ']', length);
    r->place = SKIPPED;
    if (!close)
        say(r, NULL, "a section ends in ]");
    else if ((size_t)(close - line) > MAX_SECTION)
        say(r, NULL, "a section's name is at most 63 bytes long");
    else {
        snprintf(r->section, sizeof r->section, "%.*s", (int)(close - line - 1), line + 1);
        r->place = WITHIN;
    }
}

/* What is wrong with a line that is neither empty, a comment nor a section; NULL: nothing. */
static const char *fault(const struct reading *r, const char *line, size_t length)
{
    if (memchr(line, '\0', length))
        return "a zero byte: this is no text";
    if (length > XM_CONF_MAX_LINE)
        return "a line of at most 198 bytes is right";
    if (r->place == BEFORE)
        return "a section comes first: " XM_CONF_SECTIONS " are right";
    if (line[0] == '=' || (!memchr(line, '=', length) && !memchr(line, ':', length)))
        return "neither [section] nor name = value";
    return NULL;
}

#ifdef XM_HAVE_INIH

/* The next line without what stands before and behind it (a byte order mark, blanks, its end). */
static const char *next_piece(struct reading *r, size_t *length)
{
    const char *from = r->at;
    const char *newline = memchr(from, '\n', (size_t)(r->end - from));
    const char *end = newline ? newline : r->end;
    r->at = newline ? newline + 1 : r->end;
    if (r->line++ == 0 && end - from >= 3 && memcmp(from, "\xef\xbb\xbf", 3) == 0)
        from += 3;
    while (from < end && (*from == ' ' || *from == '\t' || *from == '\r'))
        from++;
    *length = (size_t)(end - from);
    return from;
}

/* Whether inih is to see the line; if it is a title, or none that can be, that is seen to. */
static bool is_given(struct reading *r, const char *line, size_t length)
{
    if (length == 0 || line[0] == ';' || line[0] == '#')
        return false;
    if (line[0] == '[') {
        begin_section(r, line, length);
        return false;
    }
    if (r->place == SKIPPED)
        return false;
    const char *cause = fault(r, line, length);
    if (cause)
        say(r, NULL, cause);
    return !cause;
}

/*
 * A line for inih, which splits it.  What it would make something else of (a long line, an indented one,
 * a long title) never reaches it: an empty line goes in its place.
 */
static char *next_line(char *line, int size, void *user)
{
    struct reading *r = user;
    size_t length;
    if (r->at >= r->end)
        return NULL;
    const char *from = next_piece(r, &length);
    bool given = is_given(r, from, length) && length + 2 <= (size_t)size;
    snprintf(line, (size_t)size, "%.*s\n", given ? (int)length : 0, from);
    return line;
}

static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    (void)section;
    const struct xm_conf_line line = {r->path, r->line, r->section, name, value};
    const char *cause = r->reader->take(r->reader->user, &line);
    if (cause)
        say(r, name, cause);
    return 1;
}

static enum xm_status split(struct reading *r, struct xm_error *err)
{
    if (ini_parse_stream(next_line, r, take_line, r) < 0)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    return XM_OK;
}

#else

static enum xm_status split(struct reading *r, struct xm_error *err)
{
    (void)begin_section;
    (void)fault;
    return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                   "%s: reading configuration (inih) was left out of this build", r->path);
}

#endif

enum xm_status xm_conf_read(const char *path, const struct xm_conf_reader *reader, struct xm_error *err)
{
    char *text;
    size_t length;
    enum xm_status status = xm_conf_text(path, &text, &length, err);
    if (status != XM_OK)
        return status;
    struct reading r = {.reader = reader, .path = path, .at = text, .end = text + length};
    status = split(&r, err);
    free(text);
    return status;
}

/* ---- Which files. */

static enum xm_status add(struct xm_conf_files *files, const char *path, struct xm_error *err)
{
    char **larger = realloc(files->path, (files->count + 1) * sizeof *larger);
    if (larger)
        files->path = larger;
    if (!larger || !(larger[files->count] = strdup(path)))
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    files->count++;
    return XM_OK;
}

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* In the order of their bytes, whatever the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum xm_status add_drop_ins(struct xm_conf_files *files, const char *directory, struct xm_error *err)
{
    struct dirent **entries = NULL;
    char path[PATH_MAX];
    enum xm_status status = XM_OK;
    int count = scandir(directory, &entries, is_drop_in, by_bytes);
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR))
        return XM_OK;
    if (count < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", directory, strerror(errno));
    for (int i = 0; i < count; i++) {
        int n = snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        if (status == XM_OK && i < MAX_DROP_INS && n > 0 && (size_t)n < sizeof path)
            status = add(files, path, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum xm_status xm_conf_files_add(struct xm_conf_files *files, const char *path, struct xm_error *err)
{
    struct stat st;
    char directory[PATH_MAX];
    enum xm_status status = XM_OK;
    /* One that cannot be looked at is to be complained about by who reads it. */
    if (stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
        status = add(files, path, err);
    int n = snprintf(directory, sizeof directory, "%s.d", path);
    if (status == XM_OK && n > 0 && (size_t)n < sizeof directory)
        status = add_drop_ins(files, directory, err);
    return status;
}

void xm_conf_files_fini(struct xm_conf_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->path[i]);
    free(files->path);
    *files = (struct xm_conf_files){0};
}

bool xm_conf_own_path(char path[PATH_MAX])
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (config && config[0] == '/')
        n = snprintf(path, PATH_MAX, "%s/xenmon/config", config);
    else if (home && home[0] == '/')
        n = snprintf(path, PATH_MAX, "%s/.config/xenmon/config", home);
    return n > 0 && n < PATH_MAX;
}

enum xm_status xm_conf_files_add_own(struct xm_conf_files *files, struct xm_error *err)
{
    struct stat st;
    char path[PATH_MAX];
    if (!xm_conf_own_path(path) || (stat(path, &st) != 0 && errno == EACCES))
        return XM_OK;
    return xm_conf_files_add(files, path, err);
}

bool xm_conf_read_bool(const char *text, bool *value)
{
    static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (int b = 0; b < 2; b++) {
            if (strcasecmp(text, words[i][b]) == 0) {
                *value = b != 0;
                return true;
            }
        }
    }
    return false;
}
