/* SPDX-License-Identifier: MIT */
/*
 * Configuration files: INI, as xenmon.conf(5) describes them.  Which ones are read, whether they can be
 * trusted, and their lines one by one; what a line means is for others to say.
 *
 * A file is whatever somebody put there: it may be a directory, a FIFO, 10 MB long, or no text.  None of
 * that makes a reader hang or fail half-way; a line that is none is said and left out.
 *
 * Threads: any, each with its own files.
 */
#ifndef XM_CONF_H
#define XM_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "xenmon/status.h"

/* What there is to configure, and what to say of a section that is none of these. */
#define XM_CONF_SECTIONS   "[screen], [live], [xenbaked] and [serve]"
#define XM_CONF_NO_SECTION "there is no such section: " XM_CONF_SECTIONS " are right"
bool xm_conf_is_section(const char *name);

#define XM_CONF_SYSTEM    "/etc/xenmon/xenmon.conf"
#define XM_CONF_MAX_BYTES (1u << 20) /* of a file */
#define XM_CONF_MAX_LINE  198u       /* bytes, without the blanks before it */

/* Borrowed: valid during the call. */
struct xm_conf_line {
    const char *path; /* as it was given */
    unsigned line;    /* from 1 */
    const char *section, *name, *value;
};

struct xm_conf_reader {
    /*
     * A line "name = value" in a section.  NULL: it is fine; else what is wrong with it, valid until the
     * next call.
     */
    const char *(*take)(void *user, const struct xm_conf_line *line);
    /* "PATH:LINE: cause", or "PATH:LINE: [section] name: cause".  NULL: nobody wants to know. */
    void (*wrong)(void *user, const char *text);
    void *user;
};

/*
 * Reads one file.  XM_OK, whatever its lines are.  XM_IO: it cannot be read (errno is set, ENOENT: it is
 * not there) or is no regular file; XM_LIMIT: it is too large; XM_DENIED: we are root, and somebody else
 * could have written it; XM_UNSUPPORTED: this build cannot read such files; XM_NOMEM.  `err` says it
 * with the path; nothing was taken then.
 */
enum xm_status xm_conf_read(const char *path, const struct xm_conf_reader *reader,
                            struct xm_error *err) XM_MUST_CHECK;

/*
 * The text of such a file, by the same checks; *length bytes, and a zero behind them, which the caller
 * frees.
 */
enum xm_status xm_conf_text(const char *path, char **text, size_t *length,
                            struct xm_error *err) XM_MUST_CHECK;

/* Paths in the order in which they are read: what is in a later one wins. */
struct xm_conf_files {
    char **path;
    size_t count;
};

/*
 * Appends `path`, where it is there, and PATH.d/?*.conf in the order of their bytes (at most 256). 
 * XM_OK; XM_IO: that directory is there and cannot be read; XM_NOMEM.  Files are freed by
 * xm_conf_files_fini(), also after a failure.
 */
enum xm_status xm_conf_files_add(struct xm_conf_files *files, const char *path,
                                 struct xm_error *err) XM_MUST_CHECK;
void xm_conf_files_fini(struct xm_conf_files *files);

/*
 * The same with the user's own file.  Where that is a home nobody lets us into (somebody else's, as
 * after su), there is none.
 */
enum xm_status xm_conf_files_add_own(struct xm_conf_files *files, struct xm_error *err) XM_MUST_CHECK;

/*
 * The user's own file: $XDG_CONFIG_HOME/xenmon/config, else ~/.config/xenmon/config.  False: neither
 * variable says where, or it is too long.
 */
bool xm_conf_own_path(char path[PATH_MAX]);

/* "yes", "true", "on", "1"; "no", "false", "off", "0".  False: neither, *value is left alone. */
bool xm_conf_read_bool(const char *text, bool *value);

#endif
