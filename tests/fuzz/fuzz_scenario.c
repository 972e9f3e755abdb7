/* SPDX-License-Identifier: MIT */
/* A scenario of any bytes is read, or refused with a line; and whatever is asked of a host has an answer. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "source/sim_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

/* Lines behind a scenario, after a line of dashes. */
static void ask_all(struct xm_simhost *host, char *line)
{
    static char answer[XM_SIM_ANSWER_BYTES];
    while (line && *line) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        xm_sim_command(host, line, answer);
        size_t length = strlen(answer);
        demand(length >= 3 && (strcmp(answer + length - 3, "ok\n") == 0 || strncmp(answer, "error: ", 7) == 0));
        demand(xm_simhost_run(host, xm_machine_now(xm_simhost_machine(host)) + 100000) == XM_OK);
        line = end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct xm_scenario scenario;
    struct xm_simhost *host;
    struct xm_error err;
    char *text = malloc(size + 1);
    demand(text != NULL);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    char *dashes = strstr(text, "\n---\n");
    if (dashes)
        dashes[1] = '\0';
    xm_error_clear(&err);
    enum xm_status status = xm_scenario_parse(text, "fuzz.ini", &scenario, &err);
    demand(status == XM_OK || status == XM_UNSUPPORTED || (status == XM_INVALID && err.offset >= 1 && err.text[0]));
    if (status == XM_OK && scenario.pages <= 16 && xm_simhost_create(&scenario, &host, &err) == XM_OK) {
        demand(xm_simhost_run(host, 1000000) == XM_OK);
        ask_all(host, dashes ? dashes + 5 : NULL);
        xm_simhost_destroy(host);
    }
    free(text);
    return 0;
}
