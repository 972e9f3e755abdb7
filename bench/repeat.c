/* SPDX-License-Identifier: MIT */
/*
 * Makes a long trace of a short one: the same windows again and again, every repeat's TSCs moved past the one
 * before it, so that time goes on.
 *
 *     repeat TRACE TIMES > LONG
 *
 * At each seam the vCPUs' states start over, which the accounting counts as a few anomalies; what a record costs is
 * not changed by that.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "xenmon/trace.h"

struct bytes {
    unsigned char *at;
    size_t size;
};

static int fault(const char *what)
{
    fprintf(stderr, "repeat: %s: %s\n", what, strerror(errno));
    return 1;
}

static int read_whole(const char *path, struct bytes *all)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    if (!file || fstat(fileno(file), &facts))
        return fault(path);
    all->size = (size_t)facts.st_size;
    all->at = malloc(all->size + 1);
    if (!all->at || fread(all->at, 1, all->size, file) != all->size)
        return fault(path);
    fclose(file);
    return 0;
}

/* Length of the record at `offset`, or 0 at the end. */
static size_t step(const struct bytes *all, size_t offset, struct xm_record *record)
{
    size_t used;
    return xm_record_read(all->at + offset, all->size - offset, record, &used) == XM_OK ? used : 0;
}

static uint64_t span(const struct bytes *all)
{
    uint64_t first = UINT64_MAX, last = 0;
    struct xm_record record;
    for (size_t at = 0, used; (used = step(all, at, &record)); at += used) {
        if (!record.has_tsc)
            continue;
        first = record.tsc.v < first ? record.tsc.v : first;
        last = record.tsc.v > last ? record.tsc.v : last;
    }
    return last > first ? last - first : 0;
}

static void shift(struct bytes *all, uint64_t by)
{
    struct xm_record record;
    for (size_t at = 0, used; (used = step(all, at, &record)); at += used) {
        if (!record.has_tsc)
            continue;
        record.tsc.v += by;
        xm_record_write(&record, all->at + at, used);
    }
}

int main(int argc, char **argv)
{
    struct bytes all = {0};
    char *end = NULL;
    unsigned long times = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
    if (!times || *end) {
        fprintf(stderr, "usage: repeat TRACE TIMES > LONG\n");
        return 2;
    }
    if (read_whole(argv[1], &all))
        return 1;
    uint64_t by = span(&all) + 1000;
    for (unsigned long i = 0; i < times; i++) {
        if (fwrite(all.at, 1, all.size, stdout) != all.size)
            return fault("output");
        shift(&all, by);
    }
    free(all.at);
    return fflush(stdout) ? fault("output") : 0;
}
