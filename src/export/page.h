/* SPDX-License-Identifier: MIT */
/* The files of the web page, built in by web/embed.py.  Constant, static storage. */
#ifndef XM_EXPORT_PAGE_H
#define XM_EXPORT_PAGE_H

#include <stddef.h>

struct xm_page_file {
    const char *path; /* on the server: "/", "/app.js" */
    const char *type; /* Content-Type */
    const char *tag;  /* changes with the content */
    const unsigned char *data;
    size_t bytes;
};

/* NULL: no such file. */
const struct xm_page_file *xm_page_find(const char *path);

#endif
