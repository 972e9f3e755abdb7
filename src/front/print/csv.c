/* SPDX-License-Identifier: MIT */
#include "front/print/csv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void lead(struct xm_csv *csv)
{
    if (csv->begun)
        fputc(',', csv->out);
    csv->begun = true;
}

void xm_csv_text(struct xm_csv *csv, const char *text)
{
    lead(csv);
    if (!text)
        return;
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, csv->out);
        return;
    }
    fputc('"', csv->out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', csv->out);
        fputc(*text, csv->out);
    }
    fputc('"', csv->out);
}

void xm_csv_u64(struct xm_csv *csv, uint64_t value)
{
    lead(csv);
    fprintf(csv->out, "%" PRIu64, value);
}

void xm_csv_maybe(struct xm_csv *csv, bool known, uint64_t value)
{
    if (known)
        xm_csv_u64(csv, value);
    else
        lead(csv);
}

void xm_csv_real(struct xm_csv *csv, bool known, double value)
{
    lead(csv);
    if (known && isfinite(value))
        fprintf(csv->out, "%.9g", value);
}

void xm_csv_end(struct xm_csv *csv)
{
    fputc('\n', csv->out);
    csv->begun = false;
}
