/* SPDX-License-Identifier: MIT */
/*
 * xenmon report: all of a trace, or all that a running xenbaked has counted, in one go.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/report/report.h"
#include "options.h"
#include "source/bake.h"
#include "source/source.h"
#include "xenmon.h"
#include "xenmon/region.h"

#define PROGRAM "xenmon report"

/* A trace whose rate is not known yet is read as if it were this when --max-jump is measured. */
#define PROVISIONAL_HZ UINT64_C(2400000000)

struct config {
    const char *input;
    const char *region; /* NULL: a trace is reported on; "": the default region */
    const char *output;
    unsigned format;
    uint64_t hz, max_jump_ns;
    uint64_t max_domains, max_vcpus, max_pcpus;
    struct xm_max_loss max_loss;
    bool help;
};

/* --max-loss was not given. */
static const struct xm_max_loss loss_unset = {.value = UINT64_MAX};

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {.help = "What is printed:"},
    {"format", 0, XM_ARG_NEEDED, xm_set_choice, AT(format), "text|json|csv", "text is for people (the default), json for programs, csv has one row a vCPU", 0, 0, 0},
    {"output", 'o', XM_ARG_NEEDED, xm_set_text, AT(output), "FILE", "print to FILE", 0, 0, 0},
    {.help = "How the trace is read:"},
    {"cpu-hz", 0, XM_ARG_NEEDED, xm_set_hz, AT(hz), "HZ", "rate of the trace's clock (2793439000, 2.79GHz); found in the trace if not given", 0, 0, 0},
    {"max-loss", 0, XM_ARG_NEEDED, xm_set_loss, AT(max_loss), "N|N%|none", "exit with 4 if more records were lost (0; none with --region)", 0, 0, 0},
    {"max-jump", 0, XM_ARG_NEEDED, xm_set_duration, AT(max_jump_ns), "TIME", "a clock that leaps further than this is damage (1h)", 1, 0, XM_NS_PER_S},
    {"max-domains", 0, XM_ARG_NEEDED, xm_set_count, AT(max_domains), "N", "leave out and count what is more (8192)", 1, 1u << 20, 0},
    {"max-vcpus", 0, XM_ARG_NEEDED, xm_set_count, AT(max_vcpus), "N", "likewise (16384)", 1, 1u << 20, 0},
    {"max-pcpus", 0, XM_ARG_NEEDED, xm_set_count, AT(max_pcpus), "N", "likewise (4096)", 1, 1u << 16, 0},
    {.help = "Instead of a trace:"},
    {"region", 0, XM_ARG_OPTIONAL, xm_set_text, AT(region), "PATH", "report on what a running xenbaked has counted so far", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] FILE|-\n"
           "       " PROGRAM " [options] --region [PATH]\n"
           "Says where the time of every vCPU, domain and pCPU went in a Xen trace.\n"
           "FILE is what xentrace wrote, plain or packed with zstd, or a FIFO; - is standard input.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* Returns XM_EXIT_DONE to go on. */
static int read_config(int argc, char **argv, struct config *c)
{
    struct xm_error err;
    int operands;
    xm_error_clear(&err);
    *c = (struct config){.max_loss = loss_unset};
    if (xm_options_read(options, OPTIONS, c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c->help)
        return XM_EXIT_DONE;
    if (operands > 1 || (operands && c->region && *c->region))
        return xm_usage_error(PROGRAM, "one thing at a time, and '%s' is a second one", argv[operands]);
    if (c->region && operands)
        c->region = argv[1];
    else if (operands)
        c->input = argv[1];
    if (!c->input && !c->region)
        return xm_usage_error(PROGRAM, "a trace is needed: a FILE, or - for standard input");
    bool unset = !c->max_loss.limited && c->max_loss.value == loss_unset.value;
    if (unset)
        c->max_loss = (struct xm_max_loss){.limited = !c->region};
    return XM_EXIT_DONE;
}

/* ---- Out. */

static int complain_io(const char *what)
{
    if (errno == EPIPE)
        return XM_EXIT_DONE; /* the reader has had enough */
    xm_complain(PROGRAM, "%s: %s", what, strerror(errno));
    return XM_EXIT_FAILED;
}

static int print_report(const struct config *c, const struct xm_report *report)
{
    FILE *out = stdout;
    if (c->output && strcmp(c->output, "-") != 0) {
        out = fopen(c->output, "we");
        if (!out)
            return complain_io(c->output);
    }
    const char *name = out == stdout ? "standard output" : c->output;
    enum xm_status status = xm_report_print(report, (enum xm_report_format)c->format, out);
    int code = XM_EXIT_DONE;
    if (status == XM_IO) {
        code = complain_io(name);
    } else if (status != XM_OK) {
        xm_complain(PROGRAM, "out of memory");
        code = XM_EXIT_FAILED;
    }
    if (out != stdout && fclose(out) != 0 && code == XM_EXIT_DONE)
        code = complain_io(name);
    return code;
}

/* The report is out; what its numbers mean for the exit code. */
static int judge_loss(const struct config *c, uint64_t lost, uint64_t records)
{
    if (!xm_loss_exceeds(&c->max_loss, lost, records))
        return XM_EXIT_DONE;
    xm_complain(PROGRAM, "%" PRIu64 " of %" PRIu64 " records were lost, more than --max-loss allows (none by default)", lost,
                records + lost);
    return XM_EXIT_LOSS;
}

/* ---- A trace. */

static enum xm_status bake_bytes(struct xm_bake *bake, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t used = 0;
        enum xm_status status = xm_bake_run(bake, bytes, size, &used);
        if (status != XM_OK)
            return status;
        bytes += used;
        size -= used;
    }
    return XM_OK;
}

/*
 * Reads all there is.  XM_OK; else err says what ended it early.  What the trace itself has of damage is no
 * reason to end: the stream remembers it.
 */
static enum xm_status read_source(struct xm_source *source, struct xm_bake *bake, struct xm_error *err)
{
    for (;;) {
        const void *bytes;
        size_t size;
        enum xm_status status = xm_source_next(source, -1, &bytes, &size, err);
        if (status == XM_AGAIN)
            continue;
        if (status != XM_OK)
            return status == XM_END ? XM_OK : status;
        status = bake_bytes(bake, bytes, size);
        if (status == XM_DAMAGED)
            return XM_OK;
        if (status != XM_OK)
            return xm_fail(err, status, XM_NO_OFFSET, "out of memory");
    }
}

static const uint64_t *waits_of_account(void *user, uint32_t slot)
{
    return xm_account_histogram(user, slot, XM_HIST_WAIT);
}

static struct xm_bake *make_bake(const struct config *c)
{
    uint64_t hz = c->hz ? c->hz : PROVISIONAL_HZ;
    struct xm_scale scale;
    (void)xm_scale_init(&scale, hz);
    struct xm_bake_config config = {
        .stream = {.max_jump = xm_scale_to_cycles(&scale, xm_ns_of(c->max_jump_ns))},
        .limit = {(uint32_t)c->max_domains, (uint32_t)c->max_vcpus, (uint32_t)c->max_pcpus},
        .hz = c->hz,
    };
    /* A limit below what a bake begins with is where it has to begin. */
    config.capacity.domains = c->max_domains && c->max_domains < 32 ? (uint32_t)c->max_domains : 0;
    config.capacity.vcpus = c->max_vcpus && c->max_vcpus < 100 ? (uint32_t)c->max_vcpus : 0;
    config.capacity.pcpus = c->max_pcpus && c->max_pcpus < 8 ? (uint32_t)c->max_pcpus : 0;
    return xm_bake_create(&config);
}

/* Prints what is in the bake.  `name` is the trace's. */
static int report_bake(const struct config *c, struct xm_bake *bake, const char *name)
{
    struct xm_account *account = xm_bake_account(bake);
    struct xm_stream_stats stats = xm_bake_stats(bake);
    uint64_t anomalies[XM_ANOMALIES];
    struct xm_sample sample;
    struct xm_scale scale;
    struct xm_report report = {
        .source = name, .totals = &sample, .scale = &scale,
        .states_from = xm_account_from_switch(account) ? "switch" : "runstate",
        .io_seen = xm_bake_io_seen(bake), .classes = stats.by_class, .anomalies = anomalies,
        .anomaly_name = xm_anomaly_name, .stats = &stats, .damage = xm_stream_error(xm_bake_stream(bake)),
        .ends = xm_account_ends(account), .peaks_complete = true, .waits = waits_of_account, .user = account,
    };
    if (!xm_scale_init(&scale, xm_bake_hz(bake, &report.hz_from))) {
        xm_complain(PROGRAM, "%s does not reveal the rate of its clock: give it with --cpu-hz (Xen's boot "
                             "messages have it: 'Detected ... MHz processor')", name);
        return XM_EXIT_USAGE;
    }
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        anomalies[i] = xm_account_anomalies(account, (enum xm_anomaly)i);
    if (xm_sample_init(&sample, xm_account_capacity(account)) != XM_OK) {
        xm_complain(PROGRAM, "out of memory");
        return XM_EXIT_FAILED;
    }
    xm_bake_sample(bake, xm_bake_now(bake), true, &sample);
    xm_account_total(&sample);
    int code = print_report(c, &report);
    xm_sample_fini(&sample);
    return code == XM_EXIT_DONE ? judge_loss(c, stats.lost_records, stats.records) : code;
}

/* Says it with the trace's name and the place, of which the text may have told either already. */
static void complain_damage(const char *name, const struct xm_error *err)
{
    bool has_place = strncmp(err->text, "byte ", 5) == 0;
    if (strncmp(err->text, name, strlen(name)) == 0)
        xm_complain(PROGRAM, "%s", err->text);
    else if (has_place)
        xm_complain(PROGRAM, "%s is damaged at %s", name, err->text);
    else
        xm_complain(PROGRAM, "%s: %s", name, err->text);
}

struct outcome {
    enum xm_status read, finished;
    struct xm_error err;
};

static void bake_all(struct xm_source *source, struct xm_bake *bake, struct outcome *outcome)
{
    xm_error_clear(&outcome->err);
    outcome->read = read_source(source, bake, &outcome->err);
    outcome->finished = outcome->read == XM_NOMEM ? XM_NOMEM : xm_bake_finish(bake);
}

/*
 * A CPU that appears late with a gap from before it was known of: read again, knowing of it.  Leaves *bake as it is
 * where the source cannot be read again, NULL where memory ran out.
 */
static void bake_again(const struct config *c, struct xm_source *source, struct xm_bake **bake, struct outcome *outcome)
{
    if (xm_source_rewind(source) != XM_OK)
        return;
    struct xm_bake *again = make_bake(c);
    if (again && xm_bake_expect(again, *bake) != XM_OK) {
        xm_bake_destroy(again);
        again = NULL;
    }
    xm_bake_destroy(*bake);
    *bake = again;
    if (again)
        bake_all(source, again, outcome);
}

/* Everything from the open source to the exit code.  *bake may be exchanged, NULL: out of memory. */
static int bake_and_report(const struct config *c, struct xm_source *source, struct xm_bake **the_bake)
{
    struct outcome outcome;
    const char *name = xm_source_name(source);
    bake_all(source, *the_bake, &outcome);
    if (xm_bake_hindsight(*the_bake))
        bake_again(c, source, the_bake, &outcome);
    struct xm_bake *bake = *the_bake;
    if (!bake)
        return XM_EXIT_FAILED;
    struct xm_error err = outcome.err;
    enum xm_status read = outcome.read, finished = outcome.finished;
    int code = XM_EXIT_DONE;
    if (finished == XM_NOMEM)
        (void)xm_fail(&err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    else if (xm_bake_stats(bake).records > 0)
        code = report_bake(c, bake, name);
    else if (read == XM_OK && finished == XM_OK)
        (void)xm_fail(&err, XM_DAMAGED, XM_NO_OFFSET, "there is no trace record in it");
    if (err.status != XM_OK)
        complain_damage(name, &err);
    if (finished == XM_DAMAGED)
        complain_damage(name, xm_stream_error(xm_bake_stream(bake)));
    return err.status != XM_OK || finished != XM_OK ? XM_EXIT_FAILED : code;
}

static int report_trace(const struct config *c)
{
    struct xm_error err;
    struct xm_source *source;
    xm_error_clear(&err);
    if (xm_source_open(c->input, &source, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        return XM_EXIT_FAILED;
    }
    struct xm_bake *bake = make_bake(c);
    int code = XM_EXIT_FAILED;
    if (bake)
        code = bake_and_report(c, source, &bake);
    if (!bake)
        xm_complain(PROGRAM, "out of memory");
    xm_bake_destroy(bake);
    xm_source_close(source);
    return code;
}

/* ---- A region. */

struct reading {
    struct xm_region *region;
    struct xm_region_info info;
    struct xm_region_domain domain;
    struct xm_sample totals;
    uint64_t histogram[XM_HIST_BUCKETS];
};

static const uint64_t *waits_of_region(void *user, uint32_t slot)
{
    struct reading *r = user;
    uint64_t id;
    if (xm_region_histogram(r->region, slot, XM_HIST_WAIT, r->histogram, &id) != XM_REGION_OK ||
        id != r->totals.vcpu[slot].id)
        return NULL;
    return r->histogram;
}

static struct xm_report_domain domain_of_region(void *user, uint32_t slot)
{
    struct reading *r = user;
    if (xm_region_domain(r->region, slot, &r->domain) != XM_REGION_OK || r->domain.id != r->totals.domain[slot].id)
        r->domain.name[0] = '\0';
    return (struct xm_report_domain){r->domain.name};
}

/* Folds in the peaks of the samples before the newest.  True when they reach back to the beginning. */
static bool fold_history(struct reading *r, struct xm_sample *scratch)
{
    uint64_t newest = r->info.series[XM_SERIES_FAST].newest;
    for (uint64_t index = newest; index-- > 0;) {
        if (xm_region_sample(r->region, XM_SERIES_FAST, index, scratch) != XM_REGION_OK)
            return false;
        xm_window_peaks(&r->totals, scratch);
    }
    return true;
}

static enum xm_region_outcome read_region(struct reading *r)
{
    enum xm_region_outcome outcome = XM_REGION_RETRY;
    /* The newest sample can be overwritten only by a writer that is faster than 100 tries of ours. */
    for (unsigned i = 0; i < 100 && (outcome == XM_REGION_RETRY || outcome == XM_REGION_OVERRUN); i++) {
        outcome = xm_region_info(r->region, &r->info);
        if (outcome == XM_REGION_OK && r->info.series[XM_SERIES_FAST].newest == UINT64_MAX)
            outcome = XM_REGION_RETRY;
        else if (outcome == XM_REGION_OK)
            outcome = xm_region_sample(r->region, XM_SERIES_FAST, r->info.series[XM_SERIES_FAST].newest, &r->totals);
        if (outcome != XM_REGION_OK)
            usleep(20000);
    }
    return outcome;
}

static const char *anomaly_name(unsigned kind)
{
    return xm_region_anomaly_name(kind);
}

static uint64_t count_ends(const struct xm_sample *s)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->used.domains; i++)
        n += s->domain[i].id && s->domain[i].ended;
    return n;
}

static int report_reading(const struct config *c, struct reading *r, struct xm_sample *scratch)
{
    struct xm_scale scale;
    struct xm_report report = {
        .source = r->info.source_name, .totals = &r->totals, .scale = &scale,
        .hz_from = c->hz ? "option" : r->info.tsc_hz_from, .states_from = r->info.states_from,
        .io_seen = r->info.io_seen, .classes = r->info.classes, .anomalies = r->info.anomaly,
        .anomaly_name = anomaly_name, .ends = count_ends(&r->totals), .waits = waits_of_region,
        .domain = domain_of_region, .user = r, .region = &r->info,
    };
    if (!xm_scale_init(&scale, c->hz ? c->hz : r->info.tsc_hz)) {
        xm_complain(PROGRAM, "xenbaked does not know the rate of the trace's clock: give it with --cpu-hz");
        return XM_EXIT_USAGE;
    }
    report.peaks_complete = fold_history(r, scratch);
    xm_account_total(&r->totals);
    int code = print_report(c, &report);
    const struct xm_host_row *host = &r->totals.host;
    return code == XM_EXIT_DONE ? judge_loss(c, host->lost_records, host->records) : code;
}

static int report_open_region(const struct config *c, struct xm_region *region, const char *path)
{
    struct reading *r = calloc(1, sizeof *r);
    struct xm_sample scratch = {0};
    int code = XM_EXIT_FAILED;
    if (r) {
        r->region = region;
        enum xm_region_outcome outcome = xm_region_info(region, &r->info);
        if (outcome == XM_REGION_OK && (xm_sample_init(&r->totals, r->info.capacity) != XM_OK ||
                                        xm_sample_init(&scratch, r->info.capacity) != XM_OK))
            xm_complain(PROGRAM, "out of memory");
        else if (outcome != XM_REGION_OK || (outcome = read_region(r)) != XM_REGION_OK)
            xm_complain(PROGRAM, "%s has no sample to report on: %s", path, xm_region_outcome_name(outcome));
        else
            code = report_reading(c, r, &scratch);
        xm_sample_fini(&r->totals);
        xm_sample_fini(&scratch);
    }
    free(r);
    return code;
}

static int report_region(const struct config *c)
{
    char path[PATH_MAX];
    struct xm_error err;
    struct xm_region *region;
    xm_error_clear(&err);
    int n = snprintf(path, sizeof path, "%s", c->region);
    if (n < 0 || (size_t)n >= sizeof path || (n == 0 && !xm_region_default_path(path, sizeof path)))
        return xm_usage_error(PROGRAM, "the region's path is too long");
    if (access(path, F_OK) != 0) {
        xm_complain(PROGRAM, "no xenbaked runs here (no region at %s): report on a trace with '" PROGRAM " FILE'", path);
        return XM_EXIT_ACCESS;
    }
    if (xm_region_open(path, &region, &err) != XM_OK) {
        xm_complain(PROGRAM, "%s", err.text);
        return access(path, R_OK) == 0 ? XM_EXIT_FAILED : XM_EXIT_ACCESS;
    }
    int code = report_open_region(c, region, path);
    xm_region_close(region);
    return code;
}

int xenmon_report_main(int argc, char **argv)
{
    struct config config;
    int code = read_config(argc, argv, &config);
    if (code != XM_EXIT_DONE)
        return code;
    if (config.help)
        return print_help();
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
    return config.region ? report_region(&config) : report_trace(&config);
}
