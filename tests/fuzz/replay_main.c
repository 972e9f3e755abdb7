/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files and directories, without libFuzzer: so that what the fuzzer once found is an
 * ordinary test for every compiler.  A crash is the failure; no input at all is one too.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    if (!file || fstat(fileno(file), &facts)) {
        printf("not ok - %s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t size = (size_t)facts.st_size;
    uint8_t *data = malloc(size ? size : 1); /* exactly as long as the input: a sanitizer sees one byte too far */
    if (!data || fread(data, 1, size, file) != size) {
        printf("not ok - %s: cannot be read\n", path);
        fclose(file);
        free(data);
        return -1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok - %s, %zu bytes\n", path, size);
    return 1;
}

static int replay(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOTDIR ? replay_file(path) : 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        int found = replay(name);
        if (found < 0) {
            count = -1;
            break;
        }
        count += found;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 1; /* the empty input is always one of them */
    setvbuf(stdout, NULL, _IOLBF, 0);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok - the empty input\n");
    for (int i = 1; i < argc; i++) {
        int found = replay(argv[i]);
        if (found <= 0) {
            printf("not ok - nothing to replay in %s\n", argv[i]);
            return 1;
        }
        count += found;
    }
    printf("1..%d\n", count);
    return 0;
}
