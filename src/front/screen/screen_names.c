/* SPDX-License-Identifier: MIT */
/* Names in little room. */
#include <stdio.h>
#include <string.h>

#include "front/screen/screen_int.h"

/* Cuts whole characters off the end until `columns` suffice; what combines goes with its character. */
static void cut(const struct xm_grid *grid, unsigned columns, char *text)
{
    size_t length = strlen(text);
    if (xm_grid_columns(grid, text) <= columns)
        return;
    while (length && xm_grid_columns(grid, text) + 1 > columns) {
        do
            length--;
        while (length && ((unsigned char)text[length] & 0xc0) == 0x80);
        text[length] = '\0';
    }
    memcpy(text + length, "~", 2);
}

const char *xm_screen_short_name(const struct xm_model *model, const struct xm_grid *grid,
                                 uint32_t domain_slot, unsigned columns, char *text, size_t size)
{
    xm_screen_domain_name(model, domain_slot, text, size);
    char *number = strrchr(text, '(');
    if (number && number > text)
        number[-1] = '\0';
    cut(grid, columns, text);
    return text;
}
