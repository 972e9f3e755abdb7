/* SPDX-License-Identifier: MIT */
/*
 * xenmon history runs, xenmon history check.
 */
#include <inttypes.h>
#include <stdio.h>

#include "history.h"
#include "history/check.h"
#include "history_out.h"
#include "view/format.h"

#define MOST_SAID 100

struct config {
    unsigned format;
    bool help;
};

/* Reads options and opens the history; XM_EXIT_DONE to go on.  Without `options` there is only --help. */
static int begin(const char *program, const char *usage, const struct xm_option *options, size_t count,
                 int argc, char **argv, struct config *c, struct xm_history *history)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, count, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(program, "%s", err.text);
    if (c->help) {
        printf("Usage: %s [options] [DIR]\n%s", program, usage);
        xm_options_print(options, count, stdout);
        return xm_history_flush(program, XM_EXIT_DONE);
    }
    return xm_history_begin(program, operands, argv, NULL, history);
}

/* ---- runs */

static void put_run(struct xm_out *out, const struct xm_history_run *r)
{
    static const struct xm_history_run none;
    static const char *const sources[] = {"live", "replay", "pipe"};
    char id[24] = "", samples[24] = "", lost[24] = "", span[24] = "",
         source[128] = "";
    bool row = r != NULL;
    r = r ? r : &none;
    if (row) {
        snprintf(id, sizeof id, "%lld", (long long)r->id);
        snprintf(samples, sizeof samples, "%" PRIu64, r->samples);
        snprintf(lost, sizeof lost, "%" PRIu64, r->lost_records);
        xm_format_name(r->source_name, sizeof r->source_name, source, sizeof source);
        xm_format_ns(r->span_ns, span, sizeof span);
    }
    bool known = r->samples != 0;
    xm_out_u64(out, "run", "Run", 4, row, (uint64_t)r->id, id);
    xm_out_time(out, "from", "From", known ? r->first_real_ns : 0);
    xm_out_time(out, "to", "To", known ? r->last_real_ns : 0);
    xm_out_u64(out, "span_ns", "Span", 8, known && r->tsc_hz, r->span_ns, span);
    xm_out_u64(out, "samples", "Samples", 8, row, r->samples, samples);
    xm_out_u64(out, "lost_records", "Lost", 8, known, r->lost_records, lost);
    xm_out_text(out, "state", "State", -5, r->ended ? "ended" : "open");
    xm_out_text(out, "source", "Source", -6, sources[r->source]);
    xm_out_text(out, "hypervisor", "Xen", -12, r->hypervisor[0] ? r->hypervisor : NULL);
    xm_out_text(out, "scheduler", NULL, 0, r->scheduler[0] ? r->scheduler : NULL);
    xm_out_text(out, "name", "Name", -12, source);
    xm_out_u64(out, "tsc_hz", NULL, 0, r->tsc_hz != 0, r->tsc_hz, NULL);
    xm_out_u64(out, "host_cpus", NULL, 0, r->host_cpus != 0, r->host_cpus, NULL);
    xm_out_end(out);
}

int xenmon_history_runs_main(int argc, char **argv)
{
    static const char program[] = "xenmon history runs";
    static const struct xm_option options[] = {
        {"format", 0, XM_ARG_NEEDED, xm_set_choice, offsetof(struct config, format), XM_OUT_FORMATS,
         "text (the default), comma-separated, or a JSON object a line", 0, 0, 0},
        {"help", 'h', XM_ARG_NONE, xm_set_flag, offsetof(struct config, help), NULL, "print this and exit", 0,
         0, 0},
    };
    static const char *const first[] = {"to", "hypervisor", NULL};
    struct config c = {.format = XM_OUT_TEXT};
    struct xm_history history = {.db = NULL};
    struct xm_out out;
    int code = begin(program, "Lists when xenbaked ran, and how much of it is kept.\n", options,
                     sizeof options / sizeof options[0], argc, argv, &c, &history);
    if (code != XM_EXIT_DONE || c.help)
        return code;
    xm_out_init(&out, stdout, c.format);
    xm_out_fit(&out, first, NULL);
    if (xm_out_heading(&out))
        put_run(&out, NULL);
    for (size_t i = 0; i < history.runs; i++) {
        xm_out_row(&out);
        put_run(&out, &history.run[i]);
    }
    xm_history_end(&history);
    return xm_history_flush(program, XM_EXIT_DONE);
}

/* ---- check */

struct said {
    uint64_t count;
};

static void say_fault(void *user, const char *text)
{
    struct said *said = user;
    if (said->count++ < MOST_SAID)
        printf("%s\n", text);
}

static void put_count(uint64_t count, const char *what, const char *end)
{
    printf("%" PRIu64 " %s%s%s", count, what, count == 1 ? "" : "s", end);
}

int xenmon_history_check_main(int argc, char **argv)
{
    static const char program[] = "xenmon history check";
    static const struct xm_option options[] = {
        {"help", 'h', XM_ARG_NONE, xm_set_flag, offsetof(struct config, help), NULL, "print this and exit", 0,
         0, 0},
    };
    struct config c = {.help = false};
    struct xm_history history = {.db = NULL};
    struct xm_history_findings found;
    struct xm_error err;
    struct said said = {0};
    xm_error_clear(&err);
    int code =
        begin(program, "Checks the file, that every row's states add up, and that no counter goes back.\n",
              options, sizeof options / sizeof options[0], argc, argv, &c, &history);
    if (code != XM_EXIT_DONE || c.help)
        return code;
    enum xm_status status = xm_history_check(&history, say_fault, &said, &found, &err);
    if (said.count > MOST_SAID)
        printf("... and %" PRIu64 " more\n", said.count - MOST_SAID);
    put_count(history.runs, "run", ", ");
    put_count(found.samples, "sample", ", ");
    put_count(found.rows, "row", ", ");
    put_count(found.faults, "fault", "\n");
    xm_history_end(&history);
    if (status != XM_OK)
        code = xm_history_complain(program, &err);
    else if (found.faults)
        code = XM_EXIT_FAILED;
    return xm_history_flush(program, code);
}
