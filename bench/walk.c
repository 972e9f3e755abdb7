/* SPDX-License-Identifier: MIT */
/*
 * The floor: a walk over a trace that reads nothing but record headers.
 *
 *     walk TRACE          maps the file and walks it
 *     walk --read TRACE   reads it piece by piece, as `xenmon report` does
 *
 * Prints the number of records; who wants to know what it costs measures the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)
#define TRC_CPU_CHANGE 0x0001f003u /* these two are no records to count */
#define TRC_FILLER 0x0001f002u

struct walk {
    uint64_t records;
    size_t skip; /* bytes of a record that lie in the next piece */
};

static void walk_over(struct walk *walk, const unsigned char *bytes, size_t size)
{
    uint64_t records = 0;
    size_t at = walk->skip;
    while (at + 4 <= size) {
        uint32_t header;
        memcpy(&header, bytes + at, sizeof header);
        uint32_t event = header & 0x0fffffffu;
        records += event != TRC_CPU_CHANGE && event != TRC_FILLER;
        at += 4 + (header >> 28 & 7) * 4 + (header >> 31) * 8;
    }
    walk->skip = at - size;
    walk->records += records;
}

static int walk_mapped(struct walk *walk, int fd)
{
    struct stat facts;
    if (fstat(fd, &facts) || facts.st_size == 0)
        return -1;
    size_t size = (size_t)facts.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED)
        return -1;
    walk_over(walk, bytes, size);
    munmap(bytes, size);
    return 0;
}

static int walk_read(struct walk *walk, int fd)
{
    unsigned char *piece = malloc(PIECE);
    ssize_t got = -1;
    while (piece && (got = read(fd, piece, PIECE)) > 0)
        walk_over(walk, piece, (size_t)got);
    free(piece);
    return got ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct walk walk = {0};
    int reads = argc == 3 && !strcmp(argv[1], "--read");
    if (argc != 2 + reads) {
        fprintf(stderr, "usage: walk [--read] TRACE\n");
        return 2;
    }
    int fd = open(argv[1 + reads], O_RDONLY);
    if (fd < 0 || (reads ? walk_read(&walk, fd) : walk_mapped(&walk, fd))) {
        fprintf(stderr, "walk: %s: %s\n", argv[1 + reads], strerror(errno));
        return 1;
    }
    close(fd);
    printf("%llu\n", (unsigned long long)walk.records);
    return 0;
}
