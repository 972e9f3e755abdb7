/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum xm_status check(const char *path, const struct stat *st, struct xm_error *err)
{
    if (!S_ISREG(st->st_mode))
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: it is no file", path);
    if (st->st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "%s: others may read or change it (mode %03o); chmod 600 or 640", path,
                       (unsigned)st->st_mode & 0777);
    return XM_OK;
}

enum xm_status xm_secret_check(const char *path, struct xm_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    return check(path, &st, err);
}

/* Until the end: a read may bring less than there is. */
static enum xm_status read_all(int fd, const char *path, char *text, size_t size, size_t *bytes,
                               struct xm_error *err)
{
    ssize_t n;
    *bytes = 0;
    while ((n = read(fd, text + *bytes, size - *bytes)) != 0 && (n > 0 || errno == EINTR))
        *bytes += n > 0 ? (size_t)n : 0;
    if (n < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    if (memchr(text, '\0', *bytes))
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s: it is no text", path);
    return XM_OK;
}

enum xm_status xm_secret_read(const char *path, size_t most, char **text, size_t *bytes, struct xm_error *err)
{
    struct stat st;
    char *data = NULL;
    *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(why));
    }
    enum xm_status status = check(path, &st, err);
    if (status == XM_OK && st.st_size > (off_t)most)
        status = xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%s: it is larger than %zu bytes", path, most);
    if (status == XM_OK) {
        data = calloc(1, most + 1);
        status = data ? read_all(fd, path, data, most, bytes, err)
                      : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    close(fd);
    if (status == XM_OK)
        *text = data;
    else
        xm_secret_free(data, most);
    return status;
}

void xm_secret_free(char *text, size_t bytes)
{
    if (text)
        explicit_bzero(text, bytes);
    free(text);
}
