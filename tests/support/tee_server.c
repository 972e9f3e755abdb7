/* SPDX-License-Identifier: MIT */
/*
 * A xenbaked's socket without the rest of it: feeds a trace to a tee, pass by pass, so that whoever listens can be tested
 * without a Xen.
 *
 *     tee_server SOCKET TRACE [--pause MS] [--listeners N] [--backlog BYTES] [--from PASS] [--passes N] [--hz HZ] [--linger]
 *
 * Waits until so many listen (1), then hands out the passes of TRACE with a pause between them, looks after the tee
 * as long as somebody has yet to take what is his, and ends; --linger: stays until it is killed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "passes.h"
#include "source/tee.h"

struct options {
    uint64_t pause_ms, listeners, backlog, from, passes, hz;
    bool linger;
};

static struct xt_bytes read_all(const char *path)
{
    struct xt_bytes b = {0};
    unsigned char piece[65536];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        xt_die("%s cannot be read", path);
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        xt_put(&b, piece, got);
    fclose(file);
    return b;
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {.listeners = 1, .passes = UINT64_MAX, .hz = 2793439000u};
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"--pause", &o.pause_ms}, {"--listeners", &o.listeners}, {"--backlog", &o.backlog},
                   {"--from", &o.from},      {"--passes", &o.passes},       {"--hz", &o.hz}};
    for (int i = 3; i < argc; i++) {
        bool known = strcmp(argv[i], "--linger") == 0;
        o.linger |= known;
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0] && !known && i + 1 < argc; k++)
            if ((known = strcmp(argv[i], numbers[k].name) == 0))
                *numbers[k].value = strtoull(argv[++i], NULL, 0);
        if (!known)
            xt_die("what is %s?", argv[i]);
    }
    return o;
}

static void sleep_ms(uint64_t ms)
{
    const struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static void serve(struct xm_tee *tee, const struct xt_bytes *b, const struct options *o)
{
    uint64_t number = 0;
    while (xm_tee_status(tee).listeners < o->listeners) {
        xm_tee_pass(tee);
        sleep_ms(1);
    }
    for (size_t at = 0; at < b->size && (number < o->from || number - o->from < o->passes); number++) {
        size_t size = xt_pass_bytes(b, at);
        if (number >= o->from) {
            xm_tee_bytes(tee, b->data + at, size);
            xm_tee_pass(tee);
            sleep_ms(o->pause_ms);
        }
        at += size;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        xt_die("tee_server SOCKET TRACE [options]");
    struct options o = read_options(argc, argv);
    struct xt_bytes trace = read_all(argv[2]);
    struct xm_tee *tee;
    struct xm_error err;
    const struct xm_tee_config config = {
        .path = argv[1], .hypervisor = "Xen 4.17 (played)", .hz = o.hz, .events = 0x169000, .backlog_bytes = o.backlog};
    xm_error_clear(&err);
    if (xm_tee_open(&config, &tee, &err) != XM_OK)
        xt_die("%s", err.text);
    serve(tee, &trace, &o);
    /* Whoever has all leaves; whoever is slow still gets what is his. */
    for (unsigned i = 0; o.linger || (i < 20 && xm_tee_status(tee).listeners > 0); i++) {
        xm_tee_pass(tee);
        sleep_ms(10);
    }
    fprintf(stderr, "dropped %llu\n", (unsigned long long)xm_tee_status(tee).passes_dropped);
    xm_tee_close(tee);
    xt_free(&trace);
    return 0;
}
