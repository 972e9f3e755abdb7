/* SPDX-License-Identifier: MIT */
/* One line a domain: how long its waits, executions and blocked times were. */
#include "front/table.h"

static void cell_name(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    *cell = (struct xm_table_cell){.known = true, .by_text = true};
    xm_screen_domain_name(p->model, line->domain, cell->text, sizeof cell->text);
}

static struct xm_table_line *latency_lines(const struct xm_painter *p, uint32_t *count)
{
    (void)p;
    *count = 0;
    return NULL;
}

static const struct xm_table_column columns[] = {
    {"name", "domain", 20, true, true, true, "the domain's name and number", cell_name},
};

const struct xm_table xm_latency_table = {
    .view = XM_VIEW_LATENCY,
    .columns = columns,
    .count = sizeof columns / sizeof columns[0],
    .nothing = "no domain seen yet",
    .lines = latency_lines,
};
