/* SPDX-License-Identifier: MIT */
#include "source/xen/note.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region/process.h"

#define FIRST_LINE "xenmon tracing 1\n"
#define TEXT_BYTES 512u
#define BOOT_BYTES 64u

static const char *const tracing_name[] = {"off", "on", "unknown"};

/* The file's text, terminated; -1 and errno where it cannot be read.  A FIFO or a device is no note. */
static ssize_t read_text(const char *path, int flags, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    if (fd < 0)
        return -1;
    struct stat st;
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        errno = EINVAL;
    else
        n = read(fd, text, room - 1);
    int why = errno;
    close(fd);
    errno = why;
    if (n >= 0)
        text[n] = 0;
    return n;
}

/* Linux's name of this boot; "-" where it has none. */
static void this_boot(const char *proc, char boot[BOOT_BYTES])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/sys/kernel/random/boot_id", proc);
    if (read_text(path, 0, boot, BOOT_BYTES) < 0 || boot[strcspn(boot, "\n")] == 0 || boot[0] == '\n')
        snprintf(boot, BOOT_BYTES, "-");
    boot[strcspn(boot, "\n")] = 0;
}

/* Steps over `word`, which must come next. */
static bool skip(const char **text, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(*text, word, size) != 0)
        return false;
    *text += size;
    return true;
}

static bool number(const char **text, int base, uint64_t *value)
{
    char *end;
    if (!isxdigit((unsigned char)**text))
        return false;
    errno = 0;
    *value = strtoull(*text, &end, base);
    *text = end;
    return errno == 0;
}

static bool understand_boot(const char **text, char boot[BOOT_BYTES])
{
    size_t size = strcspn(*text, "\n");
    if (size == 0 || size >= BOOT_BYTES)
        return false;
    memcpy(boot, *text, size);
    boot[size] = 0;
    *text += size;
    return true;
}

static bool understand_tracing(const char **text, enum xm_note_tracing *tracing)
{
    for (unsigned i = 0; i < sizeof tracing_name / sizeof tracing_name[0]; i++) {
        *tracing = (enum xm_note_tracing)i;
        if (skip(text, tracing_name[i]))
            return true;
    }
    return false;
}

/* All of it and nothing else: one that was cut short does not count. */
static bool understand(const char *text, char boot[BOOT_BYTES], struct xm_note *note)
{
    struct xm_note read;
    uint64_t events;
    bool good = skip(&text, FIRST_LINE "boot ") && understand_boot(&text, boot) && skip(&text, "\nwriter ") &&
                number(&text, 10, &read.pid) && skip(&text, " ") && number(&text, 10, &read.start) &&
                skip(&text, "\nevents 0x") && number(&text, 16, &events) && events <= UINT32_MAX &&
                skip(&text, "\ntracing ") && understand_tracing(&text, &read.tracing) && strcmp(text, "\n") == 0;
    if (!good)
        return false;
    read.events = (uint32_t)events;
    *note = read;
    return true;
}

enum xm_status xm_note_read(const char *path, const char *proc, struct xm_note *note, struct xm_error *err)
{
    char text[TEXT_BYTES], boot[BOOT_BYTES], now[BOOT_BYTES];
    *note = (struct xm_note){.pid = 0};
    ssize_t n = read_text(path, O_NOFOLLOW, text, sizeof text);
    if (n < 0 && errno == ENOENT)
        return XM_END;
    if (n < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    if (strlen(text) != (size_t)n || !understand(text, boot, note))
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s is no note of how tracing was set", path);
    this_boot(proc, now);
    /* Where boots have no names, none can be told from this one: better not to believe it. */
    return strcmp(boot, now) == 0 && strcmp(now, "-") != 0 ? XM_OK : XM_END;
}

static enum xm_status failed(const char *path, int error, struct xm_error *err)
{
    bool denied = error == EACCES || error == EPERM;
    return xm_fail(err, denied ? XM_DENIED : XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(error));
}

static enum xm_status write_new(const char *path, const char *text, struct xm_error *err)
{
    /* Left by a writer that was killed in this very function. */
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(path, errno, err);
    size_t size = strlen(text);
    ssize_t n = write(fd, text, size);
    int why = n < 0 ? errno : n == (ssize_t)size ? 0 : ENOSPC;
    if (why == 0 && fchmod(fd, 0600) != 0)
        why = errno;
    close(fd);
    if (why == 0)
        return XM_OK;
    (void)unlink(path);
    return failed(path, why, err);
}

enum xm_status xm_note_write(const char *path, const char *proc, const struct xm_note *note, struct xm_error *err)
{
    char fresh[4096], text[TEXT_BYTES], boot[BOOT_BYTES];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%.64s...: %s", path, strerror(ENAMETOOLONG));
    this_boot(proc, boot);
    uint64_t pid = (uint64_t)getpid();
    snprintf(text, sizeof text, FIRST_LINE "boot %s\nwriter %" PRIu64 " %" PRIu64 "\nevents 0x%08" PRIx32 "\ntracing %s\n",
             boot, pid, xm_process_start(pid), note->events, tracing_name[note->tracing]);
    enum xm_status status = write_new(fresh, text, err);
    if (status != XM_OK)
        return status;
    if (rename(fresh, path) == 0)
        return XM_OK;
    int why = errno;
    (void)unlink(fresh);
    return failed(path, why, err);
}

enum xm_status xm_note_remove(const char *path, struct xm_error *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return XM_OK;
    return failed(path, errno, err);
}

bool xm_note_alive(const struct xm_note *note)
{
    return !xm_process_dead(note->pid, note->start);
}
