/* SPDX-License-Identifier: MIT */
/* One line a pCPU: who is on it, how its time went, and who was on it last and wants to be again. */
#include <stdio.h>

#include "front/table.h"

static void cell_number(const struct xm_painter *p, const struct xm_table_line *line, struct xm_table_cell *cell)
{
    (void)p;
    *cell = (struct xm_table_cell){.known = true, .key = (double)(line->item.id & ~XM_ROW_USED)};
    snprintf(cell->text, sizeof cell->text, "cpu %u", xm_row_domid(line->item.id));
}

static struct xm_table_line *pcpu_lines(const struct xm_painter *p, uint32_t *count)
{
    (void)p;
    *count = 0;
    return NULL;
}

static const struct xm_table_column columns[] = {
    {"cpu", "pCPU", 8, true, true, true, "the number of the pCPU", cell_number},
};

const struct xm_table xm_pcpus_table = {
    .view = XM_VIEW_PCPUS,
    .columns = columns,
    .count = sizeof columns / sizeof columns[0],
    .nothing = "no pCPU seen yet",
    .lines = pcpu_lines,
};
