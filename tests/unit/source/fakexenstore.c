/* SPDX-License-Identifier: MIT */
#include "fakexenstore.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 512

struct xs_handle {
    unsigned generation;
};
struct entry {
    char path[96]; /* "": free */
    unsigned char *bytes; /* NULL: there is none, only counts and errors */
    size_t size;
    int error;
    unsigned reads;
};

/* What the library exports, as libxenstore declares it. */
struct xs_handle *xs_open(unsigned long flags);
void xs_close(struct xs_handle *handle);
void *xs_read(struct xs_handle *handle, uint32_t transaction, const char *path, unsigned *length);
char **xs_directory(struct xs_handle *handle, uint32_t transaction, const char *path, unsigned *count);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct entry entries[ENTRIES];
static bool refusing, hanging;
static unsigned generation, tried, opened, open_now, waiting;

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fakexenstore: %s\n", what);
        abort();
    }
}

static struct entry *entry_of(const char *path)
{
    struct entry *unused = NULL;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (strcmp(entries[i].path, path) == 0)
            return &entries[i];
        if (!unused && !entries[i].path[0])
            unused = &entries[i];
    }
    must(unused && strlen(path) < sizeof unused->path, "no room");
    strcpy(unused->path, path);
    return unused;
}

static void begin(void)
{
    pthread_mutex_lock(&lock);
    waiting++;
    while (hanging)
        pthread_cond_wait(&changed, &lock);
    waiting--;
}

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *handle = NULL;
    must(flags == 0, "flags");
    begin();
    tried++;
    if (!refusing) {
        handle = malloc(sizeof *handle);
        must(handle, "no memory");
        handle->generation = generation;
        opened++;
        open_now++;
    }
    pthread_mutex_unlock(&lock);
    errno = handle ? 0 : ECONNREFUSED;
    return handle;
}

void xs_close(struct xs_handle *handle)
{
    pthread_mutex_lock(&lock);
    open_now--;
    pthread_mutex_unlock(&lock);
    free(handle);
}

void *xs_read(struct xs_handle *handle, uint32_t transaction, const char *path, unsigned *length)
{
    unsigned char *bytes = NULL;
    must(transaction == 0, "a transaction");
    begin();
    struct entry *entry = entry_of(path);
    entry->reads++;
    int error = handle->generation != generation ? EBADF : entry->error ? entry->error : entry->bytes ? 0 : ENOENT;
    if (!error) {
        bytes = malloc(entry->size ? entry->size : 1);
        must(bytes, "no memory");
        memcpy(bytes, entry->bytes, entry->size);
        *length = (unsigned)entry->size;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return bytes;
}

/* Children by the paths there are; one that has several comes as often: a reader must not mind. */
char **xs_directory(struct xs_handle *handle, uint32_t transaction, const char *path, unsigned *count)
{
    size_t length = strlen(path);
    char **names = NULL;
    must(transaction == 0, "a transaction");
    begin();
    struct entry *own = entry_of(path);
    own->reads++;
    int error = handle->generation != generation ? EBADF : own->error;
    if (!error) {
        names = calloc(1, ENTRIES * (sizeof *names + sizeof entries->path));
        must(names, "no memory");
        char *text = (char *)(names + ENTRIES);
        unsigned found = 0;
        for (size_t i = ENTRIES; i-- > 0;) {
            const char *child = entries[i].path;
            if (!entries[i].bytes || strncmp(child, path, length) != 0 || child[length] != '/')
                continue;
            size_t size = strcspn(child + length + 1, "/");
            memcpy(text, child + length + 1, size);
            text[size] = 0;
            names[found++] = text;
            text += size + 1;
        }
        *count = found;
        error = found ? 0 : ENOENT;
        if (error) {
            free(names);
            names = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return names;
}

/* ---- The test's side. */

void fake_xs_reset(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ENTRIES; i++)
        free(entries[i].bytes);
    memset(entries, 0, sizeof entries);
    refusing = hanging = false;
    opened = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void fake_xs_put(const char *path, const void *bytes, size_t size)
{
    pthread_mutex_lock(&lock);
    struct entry *entry = entry_of(path);
    free(entry->bytes);
    entry->bytes = malloc(size ? size : 1);
    must(entry->bytes, "no memory");
    memcpy(entry->bytes, bytes, size);
    entry->size = size;
    pthread_mutex_unlock(&lock);
}

void fake_xs_remove(const char *path)
{
    pthread_mutex_lock(&lock);
    struct entry *entry = entry_of(path);
    free(entry->bytes);
    entry->bytes = NULL;
    pthread_mutex_unlock(&lock);
}

void fake_xs_fail(const char *path, int error)
{
    pthread_mutex_lock(&lock);
    entry_of(path)->error = error;
    pthread_mutex_unlock(&lock);
}

void fake_xs_refuse(bool refuse)
{
    pthread_mutex_lock(&lock);
    refusing = refuse;
    pthread_mutex_unlock(&lock);
}

void fake_xs_break(void)
{
    pthread_mutex_lock(&lock);
    generation++;
    pthread_mutex_unlock(&lock);
}

void fake_xs_hang(bool hang)
{
    pthread_mutex_lock(&lock);
    hanging = hang;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static unsigned under_lock(const unsigned *value)
{
    pthread_mutex_lock(&lock);
    unsigned copy = *value;
    pthread_mutex_unlock(&lock);
    return copy;
}

unsigned fake_xs_tried(void)
{
    return under_lock(&tried);
}

unsigned fake_xs_opened(void)
{
    return under_lock(&opened);
}

unsigned fake_xs_open(void)
{
    return under_lock(&open_now);
}

unsigned fake_xs_waiting(void)
{
    return under_lock(&waiting);
}

unsigned fake_xs_read(const char *path)
{
    pthread_mutex_lock(&lock);
    unsigned reads = entry_of(path)->reads;
    pthread_mutex_unlock(&lock);
    return reads;
}
