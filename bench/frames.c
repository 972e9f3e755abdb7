/* SPDX-License-Identifier: MIT */
/*
 * What a frame of the live screen costs: frames [DOMAINS [VCPUS]], 1000 x 4 without.
 *
 * CPU time of xm_screen_build() alone, of each view on a grid of 200 x 60; of 51 frames the median and the worst.
 * What the terminal is sent, and how samples come out of the region, is not in it.
 */
#include <locale.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crowd.h"
#include "front/screen/screen.h"

#define RUNS 51

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct crowd *crowd, struct xm_choice *choice, struct xm_grid *grid,
                    const char *what)
{
    double ms[RUNS];
    for (unsigned i = 0; i < RUNS; i++) {
        double before = cpu_ms();
        xm_screen_build(&crowd->model, choice, true, grid);
        ms[i] = cpu_ms() - before;
    }
    qsort(ms, RUNS, sizeof ms[0], compare);
    printf("  %-44s%10.2f%10.2f\n", what, ms[RUNS / 2], ms[RUNS - 1]);
}

static void measure_views(const struct crowd *crowd, struct xm_grid *grid)
{
    static const char *const names[XM_VIEW_HELP] = {
        "domains", "vCPUs", "pCPUs", "one domain in depth", "latency", "the paper's screen"};
    struct xm_choice choice;
    for (unsigned view = 0; view < XM_VIEW_HELP; view++) {
        xm_choice_init(&choice);
        choice.view = (enum xm_screen_view)view;
        measure(crowd, &choice, grid, names[view]);
    }
    xm_choice_init(&choice);
    choice.expand_all = true;
    measure(crowd, &choice, grid, "domains, expanded");
    choice.cursor[XM_VIEW_DOMAINS] =
        (struct xm_item){XM_ITEM_DOMAIN, crowd->to.domain[crowd->to.used.domains - 1].id};
    measure(crowd, &choice, grid, "domains, expanded, cursor far down");
    choice.pin_dom0 = true;
    choice.hide_idle = true;
    snprintf(choice.filter, sizeof choice.filter, "guest");
    measure(crowd, &choice, grid, "domains, expanded, filtered, not idle");
    choice.table[XM_VIEW_DOMAINS] =
        (struct xm_choice_table){.sort = 0, .chosen = true, .columns = 1, .column = {3}};
    measure(crowd, &choice, grid, "domains, expanded, filtered, by name");
}

int main(int argc, char **argv)
{
    long domains = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    long vcpus = argc > 2 ? strtol(argv[2], NULL, 10) : 4;
    struct crowd crowd;
    struct xm_grid grid = {.utf8 = true};
    setlocale(LC_CTYPE, "C.UTF-8");
#ifdef __GLIBC__ /* as the program does */
    mallopt(M_MMAP_THRESHOLD, 16 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
    if (domains < 1 || domains > 10000 || vcpus < 1 || vcpus > 64) {
        fprintf(stderr, "frames: 1 to 10000 domains, 1 to 64 vCPUs each\n");
        return 2;
    }
    if (!crowd_make(&crowd, (uint32_t)domains, (uint32_t)vcpus, 16) ||
        xm_grid_resize(&grid, 200, 60) != XM_OK) {
        fprintf(stderr, "frames: out of memory\n");
        return 1;
    }
    printf("a frame of the live screen, %ld domains x %ld vCPUs, 200 x 60\n  %-44s%10s%10s\n", domains, vcpus,
           "", "CPU ms", "worst");
    measure_views(&crowd, &grid);
    xm_grid_fini(&grid);
    crowd_free(&crowd);
    return 0;
}
