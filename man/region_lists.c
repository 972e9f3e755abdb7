/* SPDX-License-Identifier: MIT */
/*
 * Writes xenmon-region(5) from its template: the page's lists come from the tables that the region
 * itself is made from, so they cannot be out of date.
 *
 *     region_lists TEMPLATE > PAGE
 *
 * A line of the template that begins with '@' names a list: "@fields SECTION", "@metrics SCOPE",
 * "@sections".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "region/layout.h"
#include "region/plan.h"
#include "xenmon/sample.h"

#define LINE 78

/*
 * Text as mdoc wants it: lines that are not long, nothing at the beginning of one that looks like a
 * request, backslashes spelled out.
 */
static void put_text(const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        bool broken = column > 0 && column + 1 + word > LINE;
        if (column > 0)
            putchar(broken ? '\n' : ' ');
        column = broken || column == 0 ? word : column + 1 + word;
        if (column == word && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        for (; word > 0; word--, text++)
            fputs(*text == '\\' ? "\\e" : (const char[]){*text, 0}, stdout);
        text += *text == ' ';
    }
    putchar('\n');
}

static void put_type(const struct xm_field *f)
{
    if (f->count > 1)
        printf("%s[%" PRIu32 "]", f->type, f->count);
    else
        printf("%s", f->type);
}

static int list_fields(const char *section)
{
    size_t count;
    const struct xm_field *f = xm_layout_fields(&count);
    int found = 0;
    printf(".Bl -tag -width Ds -compact\n");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(xm_section_name(f[i].section), section) != 0)
            continue;
        printf(".It 0x%03" PRIx32 " Vt ", f[i].offset);
        put_type(&f[i]);
        printf(" Va %s%s%s\n", f[i].name, f[i].unit ? " , " : "", xm_unit_name(f[i].unit));
        put_text(f[i].help);
        found++;
    }
    printf(".El\n");
    return found;
}

static const char *series_of(const struct xm_metric *m)
{
    bool fast = xm_series_carries(XM_SERIES_FAST, m);
    bool slow = xm_series_carries(XM_SERIES_SLOW, m);
    return fast && slow ? "both series" : fast ? "fast series" : "slow series";
}

static int list_metrics(const char *scope)
{
    size_t count;
    const struct xm_metric *m = xm_metrics(&count);
    int found = 0;
    printf(".Bl -tag -width Ds -compact\n");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(xm_scope_name(m[i].scope), scope) != 0)
            continue;
        printf(".It Va %s Pq %s", m[i].name, xm_kind_name(m[i].kind));
        if (m[i].unit)
            printf(", %s", xm_unit_name(m[i].unit));
        if (m[i].count > 1)
            printf(", %u of %u bits", m[i].count, m[i].bytes * 8u);
        printf(", %s\n", series_of(&m[i]));
        put_text(m[i].help);
        found++;
    }
    printf(".El\n");
    return found;
}

static int list_sections(const char *argument)
{
    (void)argument;
    printf(".Bd -literal -offset indent\n");
    for (enum xm_section i = 0; i < XM_SECTIONS; i++)
        printf("%s\n", xm_section_name(i));
    printf(".Ed\n");
    return XM_SECTIONS;
}

static const struct {
    const char *name;
    int (*write)(const char *argument);
} lists[] = {
    {"@fields", list_fields},
    {"@metrics", list_metrics},
    {"@sections", list_sections},
};

/* Whether the line named a list that has something in it. */
static bool put_list(char *line)
{
    char *argument = line + strcspn(line, " \n");
    if (*argument)
        *argument++ = 0;
    argument[strcspn(argument, "\n")] = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(lists[i].name, line) == 0)
            return lists[i].write(argument) > 0;
    return false;
}

int main(int argc, char **argv)
{
    char line[512];
    FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!template) {
        fprintf(stderr, "usage: region_lists TEMPLATE\n");
        return 2;
    }
    while (fgets(line, sizeof line, template)) {
        if (line[0] != '@') {
            fputs(line, stdout);
        } else if (!put_list(line)) {
            fprintf(stderr, "%s: no such list: %s\n", argv[1], line);
            return 1;
        }
    }
    fclose(template);
    return fflush(stdout) == 0 ? 0 : 1;
}
