/* SPDX-License-Identifier: MIT */
#include "source/xen/xenstore.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What libxenstore exports, of those two sonames the same. */
struct xs_handle;
typedef struct xs_handle *(*xs_open_call)(unsigned long flags);
typedef void (*xs_close_call)(struct xs_handle *handle);
typedef void *(*xs_read_call)(struct xs_handle *handle, uint32_t transaction, const char *path,
                              unsigned *length);
typedef char **(*xs_directory_call)(struct xs_handle *handle, uint32_t transaction, const char *path,
                                    unsigned *count);

struct xm_xenstore {
    void *library;
    xs_open_call open;
    xs_close_call close;
    xs_read_call read;
    xs_directory_call directory;
    struct xs_handle *handle; /* NULL: not connected */
};

/* ISO C has no way from an object's address to a function's; POSIX says that this one works. */
static bool find_symbol(void *library, const char *name, void *call)
{
    void *symbol = dlsym(library, name);
    memcpy(call, &symbol, sizeof symbol);
    return symbol;
}

static enum xm_status load_one(struct xm_xenstore *store, const char *name, struct xm_error *err)
{
    store->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (store->library && find_symbol(store->library, "xs_open", &store->open) &&
        find_symbol(store->library, "xs_close", &store->close) &&
        find_symbol(store->library, "xs_read", &store->read) &&
        find_symbol(store->library, "xs_directory", &store->directory))
        return XM_OK;
    const char *why = dlerror();
    (void)xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "xenstore cannot be read: %s", why ? why : name);
    if (store->library)
        dlclose(store->library);
    store->library = NULL;
    return XM_UNSUPPORTED;
}

enum xm_status xm_xenstore_load(const char *const *libraries, struct xm_xenstore **store,
                                struct xm_error *err)
{
    static const char *const usual[] = {"libxenstore.so.4", "libxenstore.so.3.0", NULL};
    *store = NULL;
    struct xm_xenstore *s = calloc(1, sizeof *s);
    if (!s)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "no memory for xenstore");
    struct xm_error first;
    xm_error_clear(&first);
    for (const char *const *name = libraries ? libraries : usual; *name; name++) {
        if (load_one(s, *name, &first) == XM_OK) {
            *store = s;
            return XM_OK;
        }
    }
    free(s);
    return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET, "%s",
                   first.text[0] ? first.text : "xenstore cannot be read: no library");
}

static void disconnect(struct xm_xenstore *store)
{
    if (store->handle)
        store->close(store->handle);
    store->handle = NULL;
}

void xm_xenstore_unload(struct xm_xenstore *store)
{
    if (!store)
        return;
    disconnect(store);
    dlclose(store->library);
    free(store);
}

enum xm_status xm_xenstore_connect(struct xm_xenstore *store, struct xm_error *err)
{
    if (store->handle)
        return XM_OK;
    errno = 0;
    store->handle = store->open(0);
    if (store->handle)
        return XM_OK;
    return xm_fail(err, XM_IO, XM_NO_OFFSET, "xenstore cannot be read: no connection to xenstored: %s",
                   strerror(errno));
}

/*
 * Why a call gave nothing.  An answer of xenstored's that says no leaves the connection as it was; all else
 * means that libxenstore has closed it.  (A daemon's word that libxenstore does not know becomes EINVAL, as
 * does a broken stream.)
 */
static enum xm_status refusal(struct xm_xenstore *store, int error)
{
    switch (error) {
    case ENOENT:
        return XM_END;
    case EACCES:
    case EPERM:
    case EISDIR:
    case E2BIG: /* a directory too long for one message, in libraries that know no other way */
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
        return XM_AGAIN;
    default:
        disconnect(store);
        return XM_IO;
    }
}

/*
 * How many of a value's bytes go into a string of `most`: a character that would be cut through is left out
 * whole.
 */
static size_t cut(const unsigned char *bytes, size_t size, size_t most)
{
    const unsigned char *end = size ? memchr(bytes, 0, size) : NULL;
    size_t length = end ? (size_t)(end - bytes) : size;
    if (length <= most)
        return length;
    size_t at = most;
    while (at > 0 && most - at < 3 && (bytes[at] & 0xc0) == 0x80)
        at--;
    return (bytes[at] & 0xc0) == 0xc0 ? at : most; /* no lead there: not UTF-8 anyway */
}

enum xm_status xm_xenstore_read(struct xm_xenstore *store, const char *path, char *value, size_t room)
{
    value[0] = 0;
    if (!store->handle)
        return XM_IO;
    unsigned size = 0;
    errno = 0;
    unsigned char *bytes = store->read(store->handle, 0, path, &size);
    if (!bytes)
        return refusal(store, errno);
    size_t length = cut(bytes, size, room - 1);
    memcpy(value, bytes, length);
    value[length] = 0;
    free(bytes);
    return XM_OK;
}

enum xm_status xm_xenstore_list(struct xm_xenstore *store, const char *path,
                                void (*visit)(void *user, const char *name), void *user)
{
    if (!store->handle)
        return XM_IO;
    unsigned count = 0;
    errno = 0;
    char **names = store->directory(store->handle, 0, path, &count);
    if (!names)
        return refusal(store, errno);
    for (unsigned i = 0; i < count; i++)
        visit(user, names[i]);
    free(names); /* the strings are in the same block */
    return XM_OK;
}
