/* SPDX-License-Identifier: MIT */
/*
 * How long a scrape takes, by a client that does nothing with it: scrape PORT PID [PATH [COUNT [PAUSE_MS]]]
 *
 * COUNT (30) requests of PATH (/metrics) at 127.0.0.1 on one connection, PAUSE_MS (1000) apart, each read to
 * its last byte and thrown away.  Prints the times from the request to the first and to the last byte, and
 * the CPU that the server, process PID, took for each: of all its threads, so that what it does besides is in
 * it.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST    1000u
#define BUFFER  262144u
#define NS_OF_S 1000000000u

struct times {
    uint64_t first_ns[MOST], last_ns[MOST], cpu_ns[MOST];
    unsigned count;
    size_t bytes;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_OF_S + (uint64_t)t.tv_nsec;
}

/* What all threads of a process have run; 0: it is not there. */
static uint64_t cpu_ns(const char *pid)
{
    char path[320];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        uint64_t ran = 0;
        snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (file && fscanf(file, "%" SCNu64, &ran) == 1)
            sum += ran;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

static int connect_to(const char *port)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&there, sizeof there) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Where the body begins behind the head at `text`, and its length; false: it is not whole yet, or no 200. */
static bool read_head(const char *text, size_t *body, size_t *length)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *said = strcasestr(text, "\r\nContent-Length:");
    if (!end || !said || said > end || strncmp(text, "HTTP/1.1 200", 12) != 0)
        return false;
    *body = (size_t)(end + 4 - text);
    *length = strtoull(said + strlen("\r\nContent-Length:"), NULL, 10);
    return true;
}

/* One request; false: the server does not answer as it should. */
static bool scrape(int fd, const char *request, char *buffer, struct times *t)
{
    size_t used = 0, body = 0, length = 0, got = 0;
    uint64_t begun = now_ns();
    if (write(fd, request, strlen(request)) != (ssize_t)strlen(request))
        return false;
    while (!body || got < body + length) {
        ssize_t n = read(fd, buffer + used, BUFFER - 1 - used);
        if (n <= 0)
            return false;
        if (!got)
            t->first_ns[t->count] = now_ns() - begun;
        got += (size_t)n;
        if (body)
            continue;
        used += (size_t)n;
        buffer[used] = '\0';
        if (!read_head(buffer, &body, &length) && used > BUFFER / 2)
            return false;
        used = body ? 0 : used;
    }
    t->last_ns[t->count] = now_ns() - begun;
    t->bytes = length;
    return true;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void print(const char *what, uint64_t *ns, unsigned count)
{
    qsort(ns, count, sizeof *ns, compare);
    printf("%-12s best %7.2f ms, median %7.2f ms, worst %7.2f ms\n", what, (double)ns[0] / 1e6,
           (double)ns[count / 2] / 1e6, (double)ns[count - 1] / 1e6);
}

int main(int argc, char **argv)
{
    static struct times t;
    static char buffer[BUFFER];
    char request[512];
    unsigned wanted = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 30;
    unsigned long pause_ms = argc > 5 ? strtoul(argv[5], NULL, 10) : 1000;
    if (argc < 3 || wanted == 0 || wanted > MOST) {
        fprintf(stderr, "usage: scrape PORT PID [PATH [COUNT [PAUSE_MS]]]\n");
        return 2;
    }
    snprintf(request, sizeof request, "GET %.400s HTTP/1.1\r\nHost: localhost\r\n\r\n",
             argc > 3 ? argv[3] : "/metrics");
    int fd = connect_to(argv[1]);
    for (; fd >= 0 && t.count < wanted; t.count++) {
        const struct timespec pause = {.tv_sec = (time_t)(pause_ms / 1000),
                                       .tv_nsec = (long)(pause_ms % 1000) * 1000000};
        uint64_t before = cpu_ns(argv[2]);
        if (!scrape(fd, request, buffer, &t))
            break;
        t.cpu_ns[t.count] = cpu_ns(argv[2]) - before;
        nanosleep(&pause, NULL);
    }
    if (t.count < wanted) {
        fprintf(stderr, "scrape: no answer of 200 with its length\n");
        return 1;
    }
    printf("%u scrapes of %zu bytes\n", t.count, t.bytes);
    print("first byte", t.first_ns, t.count);
    print("last byte", t.last_ns, t.count);
    print("server's CPU", t.cpu_ns, t.count);
    close(fd);
    return 0;
}
