/* SPDX-License-Identifier: MIT */
#include "view/called.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum xm_called xm_called(const char *text, uint32_t domid, const char *name, const char *uuid)
{
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, domid);
    if (strcmp(text, number) == 0)
        return XM_CALLED_ID;
    if (*uuid && strcasecmp(text, uuid) == 0)
        return XM_CALLED_UUID;
    return *name && strcmp(text, name) == 0 ? XM_CALLED_NAME : XM_CALLED_NOT;
}
