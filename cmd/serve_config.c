/* SPDX-License-Identifier: MIT */
#include "serve_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "front/conf.h"
#include "options.h"
#include "xenmon/region.h"
#include "xenmon/units.h"

#define SECTION "serve"
#define MS UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

static const char *set_listen(const struct xm_option *option, const char *text, void *where)
{
    struct xm_serve_config *c = where;
    if (*text == '\0')
        return "an ADDRESS:PORT, or unix:PATH";
    if (c->listens == XM_HTTP_LISTENERS)
        return "at most 8 addresses";
    c->listen[c->listens++] = text;
    return NULL;
}

/* The bit stands in the option's row. */
static const char *set_collector(const struct xm_option *option, const char *text, void *where)
{
    *(unsigned *)where |= (unsigned)option->unit;
    return NULL;
}

static const char *clear_collector(const struct xm_option *option, const char *text, void *where)
{
    *(unsigned *)where &= ~(unsigned)option->unit;
    return NULL;
}

#define AT(member) offsetof(struct xm_serve_config, member)
#define COLLECTOR(name, bit, help) \
    {"collector." name, 0, XM_ARG_NONE, set_collector, AT(collectors), NULL, help, 0, 0, bit}, \
    {"no-collector." name, 0, XM_ARG_NONE, clear_collector, AT(collectors), NULL, NULL, 0, 0, bit}
static const struct xm_option options[] = {
    {.help = "Who can ask:"},
    {"listen", 'l', XM_ARG_NEEDED, set_listen, 0, "ADDRESS", "ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH; repeatable (localhost at port " XM_SERVE_PORT ", and a Unix socket)", 0, 0, 0},
    {"tls-cert", 0, XM_ARG_NEEDED, xm_set_text, AT(tls_cert), "FILE", "certificate chain, PEM: TCP speaks TLS then", 0, 0, 0},
    {"tls-key", 0, XM_ARG_NEEDED, xm_set_text, AT(tls_key), "FILE", "its key", 0, 0, 0},
    {"token-file", 0, XM_ARG_NEEDED, xm_set_text, AT(token_file), "FILE", "bearer tokens, one a line: TCP asks for one then", 0, 0, 0},
    {"users", 0, XM_ARG_NEEDED, xm_set_text, AT(users), "FILE", "NAME:HASH a line, as htpasswd -B or mkpasswd hash: TCP asks for a password then", 0, 0, 0},
    {"access-log", 0, XM_ARG_OPTIONAL, xm_set_text, AT(access_log), "FILE", "a line for each request, to FILE (- or nothing: standard error)", 0, 0, 0},
    {"user", 0, XM_ARG_NEEDED, xm_set_text, AT(user), "NAME", "whom root becomes once all is open: none, or a user (xenmon where there is one)", 0, 0, 0},
    {"no-fence", 0, XM_ARG_NONE, xm_set_flag, AT(no_fence), NULL, "the kernel does not hold it to the files that it was told", 0, 0, 0},
    {.help = "How much they may have:"},
    {"max-connections", 0, XM_ARG_NEEDED, xm_set_count, AT(connections), "N", "in all (128)", 1, 10000, 0},
    {"max-per-address", 0, XM_ARG_NEEDED, xm_set_count, AT(per_address), "N", "of them from one address (32)", 1, 10000, 0},
    {"max-streams", 0, XM_ARG_NEEDED, xm_set_count, AT(streams), "N", "live streams in all (32)", 0, 10000, 0},
    {"rate", 0, XM_ARG_NEEDED, xm_set_count, AT(rate), "N", "requests a second from one address; 0: any number (100)", 0, 1000000, 0},
    {"burst", 0, XM_ARG_NEEDED, xm_set_count, AT(burst), "N", "requests that may come at once (200)", 1, 1000000, 0},
    {"max-header", 0, XM_ARG_NEEDED, xm_set_size, AT(header_bytes), "SIZE", "of request line and headers (32K)", 4096, MIB, 0},
    {"max-body", 0, XM_ARG_NEEDED, xm_set_size, AT(body_bytes), "SIZE", "of a request's body (64K)", 1024, 16 * MIB, 0},
    {"max-answer", 0, XM_ARG_NEEDED, xm_set_size, AT(answer_bytes), "SIZE", "of an answer (64M)", 65536, 1024 * MIB, 0},
    {"gzip-level", 0, XM_ARG_NEEDED, xm_set_count, AT(gzip_level), "N", "how hard answers are packed for who accepts gzip, 1 to 9; 0: never (1)", 0, 9, 0},
    {"timeout", 0, XM_ARG_NEEDED, xm_set_duration, AT(timeout_ns), "TIME", "a connection on which nothing moves (30s)", XM_NS_PER_S, 3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"request-timeout", 0, XM_ARG_NEEDED, xm_set_duration, AT(request_ns), "TIME", "from a request's first line to its last byte, and to that line (10s)", XM_NS_PER_S, 600 * XM_NS_PER_S, XM_NS_PER_S},
    {.help = "What /metrics has (each also as --no-collector.NAME):"},
    COLLECTOR("domain", XM_COLLECT_DOMAIN, "sums of each domain (on)"),
    COLLECTOR("histogram", XM_COLLECT_HISTOGRAM, "distributions of each domain (on)"),
    COLLECTOR("io", XM_COLLECT_IO, "grants and page transfers of each domain (on)"),
    COLLECTOR("device", XM_COLLECT_DEVICE, "network and disk of each domain (on)"),
    COLLECTOR("vcpu", XM_COLLECT_VCPU, "each vCPU (on)"),
    COLLECTOR("vcpu-histogram", XM_COLLECT_VCPU_HISTOGRAM, "distributions of each vCPU (off)"),
    COLLECTOR("cpu", XM_COLLECT_CPU, "each pCPU (on)"),
    COLLECTOR("cpu-domain", XM_COLLECT_CPU_DOMAIN, "each domain on each pCPU (off)"),
    COLLECTOR("self", XM_COLLECT_SELF, "this server and xenbaked (on)"),
    {"max-domains", 0, XM_ARG_NEEDED, xm_set_count, AT(domains), "N", "more of them are left out of /metrics, and counted (4096)", 0, 65536, 0},
    {"created", 0, XM_ARG_NONE, xm_set_flag, AT(created), NULL, "when each counter began, in OpenMetrics (off: it doubles the series)", 0, 0, 0},
    {.help = "From where:"},
    {"region", 'r', XM_ARG_NEEDED, xm_set_text, AT(region), "PATH", "the region of another xenbaked", 0, 0, 0},
    {"history", 0, XM_ARG_NEEDED, xm_set_text, AT(history), "DIR", "what xenbaked --history=DIR keeps: /api/v1/history goes back as far (none)", 0, 0, 0},
    {"interval", 'i', XM_ARG_NEEDED, xm_set_duration, AT(interval_ns), "TIME", "between looks at it (1s)", 100 * MS, 60000 * MS, XM_NS_PER_S},
    {"linger", 0, XM_ARG_NEEDED, xm_set_duration, AT(linger_ns), "TIME", "how long a domain is shown after its end (60s)", 0, 86400 * XM_NS_PER_S, XM_NS_PER_S},
    {"stale", 0, XM_ARG_NEEDED, xm_set_duration, AT(stale_ns), "TIME", "without a sign of life for so long xenbaked is stale (5s)", XM_NS_PER_S, 3600 * XM_NS_PER_S, XM_NS_PER_S},
    {"config", 0, XM_ARG_NEEDED, xm_set_text, AT(file), "FILE", "options from the section [serve] of a file; the command line wins", 0, 0, 0},
    {"show-config", 0, XM_ARG_NONE, xm_set_flag, AT(show), NULL, "print all this, and how many series it makes, and exit", 0, 0, 0},
    {"version", 'V', XM_ARG_NONE, xm_set_flag, AT(version), NULL, "print the version and exit", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static const char *const never[] = {"config", "show-config", "version", "help", NULL};

unsigned xm_serve_seconds(uint64_t ns)
{
    uint64_t seconds = (ns + XM_NS_PER_S - 1) / XM_NS_PER_S;
    return seconds ? (unsigned)seconds : 1;
}

int xm_serve_help(void)
{
    printf("Usage: " XM_SERVE_PROGRAM " [options]\n"
           "Gives what a running xenbaked counts to programs and browsers: /metrics for\n"
           "Prometheus, /api/v1 as JSON, /RPC2 as XML-RPC, and a live page at /.\n"
           "Beyond this machine only with TLS and authentication.\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

int xm_serve_show(const struct xm_serve_config *c)
{
    struct xm_metrics_config m = {.collectors = c->collectors, .domains = (unsigned)c->domains};
    printf("region = %s\nhistory = %s\n", c->region_path, c->history ? c->history : "none");
    for (unsigned i = 0; i < c->listens; i++)
        printf("listen = %s\n", c->listen[i]);
    printf("tls_cert = %s\ntls_key = %s\ntoken_file = %s\nusers = %s\naccess_log = %s\nfence = %s\n",
           c->tls_cert ? c->tls_cert : "none", c->tls_key ? c->tls_key : "none",
           c->token_file ? c->token_file : "none", c->users ? c->users : "none", c->access_log ? c->access_log : "none",
           c->no_fence ? "off" : "on");
    printf("max_connections = %" PRIu64 "\nmax_per_address = %" PRIu64 "\nmax_streams = %" PRIu64 "\nrate = %" PRIu64
           "\nburst = %" PRIu64 "\n",
           c->connections, c->per_address, c->streams, c->rate, c->burst);
    printf("max_header_bytes = %" PRIu64 "\nmax_body_bytes = %" PRIu64 "\nmax_answer_bytes = %" PRIu64
           "\ngzip_level = %" PRIu64 "\n",
           c->header_bytes, c->body_bytes, c->answer_bytes, c->gzip_level);
    printf("timeout_s = %u\nrequest_timeout_s = %u\ninterval_ms = %" PRIu64 "\nlinger_s = %" PRIu64 "\nstale_s = %u\n",
           xm_serve_seconds(c->timeout_ns), xm_serve_seconds(c->request_ns), c->interval_ns / MS,
           c->linger_ns / XM_NS_PER_S, xm_serve_seconds(c->stale_ns));
    for (unsigned bit = 0; bit < XM_COLLECTORS; bit++)
        printf("collector.%s = %s\n", xm_collector_name(bit), c->collectors >> bit & 1 ? "on" : "off");
    printf("max_domains = %" PRIu64 "\ncreated = %s\n", c->domains, c->created ? "on" : "off");
    uint64_t base = xm_metrics_series(&m, 0, 0, 0);
    printf("series_per_host = %" PRIu64 "\nseries_per_domain = %" PRIu64 "\nseries_per_vcpu = %" PRIu64
           "\nseries_per_pcpu = %" PRIu64 "\nseries_per_domain_and_pcpu = %" PRIu64 "\n",
           base, xm_metrics_series(&m, 1, 0, 0) - base, xm_metrics_series(&m, 0, 1, 0) - base,
           xm_metrics_series(&m, 0, 0, 1) - base,
           xm_metrics_series(&m, 1, 0, 1) - xm_metrics_series(&m, 1, 0, 0) - xm_metrics_series(&m, 0, 0, 1) + base);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static void say(void *user, const char *text)
{
    xm_complain(XM_SERVE_PROGRAM, "%s", text);
}

/* A file that was named and cannot be read, or has a line that is wrong, is an error: it may be the one that closes a door. */
static enum xm_status read_file(struct xm_serve_config *c, const char *path)
{
    static struct xm_config lines; /* its texts are borrowed by `c` for good */
    struct xm_error err;
    struct xm_serve_config scratch = *c;
    xm_error_clear(&err);
    lines = (struct xm_config){.section = SECTION, .options = options, .count = OPTIONS, .config = c, .never = never,
                               .scratch = &scratch};
    enum xm_status status = xm_config_read(&lines, path, say, NULL, &err);
    if (status != XM_OK && status != XM_INVALID)
        xm_complain(XM_SERVE_PROGRAM, "%s", err.text);
    return status == XM_OK ? XM_OK : XM_INVALID;
}

static const char *contradiction(const struct xm_serve_config *c)
{
    if (!c->tls_cert != !c->tls_key)
        return "--tls-cert and --tls-key go together";
    if (c->per_address > c->connections)
        return "--max-per-address is more than --max-connections";
    return NULL;
}

static void set_defaults(struct xm_serve_config *c)
{
    *c = (struct xm_serve_config){
        .collectors = XM_COLLECT_DEFAULT, .interval_ns = XM_NS_PER_S, .linger_ns = 60 * XM_NS_PER_S,
        .stale_ns = 5 * XM_NS_PER_S, .connections = 128, .per_address = 32, .streams = 32, .rate = 100, .burst = 200,
        .header_bytes = 32768, .body_bytes = 65536, .answer_bytes = 64 * MIB, .gzip_level = 1, .timeout_ns = 30 * XM_NS_PER_S,
        .request_ns = 10 * XM_NS_PER_S, .domains = 4096,
    };
}

/* Reads the command line; a copy of it, as reading moves operands. */
static enum xm_status read_words(struct xm_serve_config *c, int argc, char **argv)
{
    struct xm_error err;
    int operands = 0;
    xm_error_clear(&err);
    char **copy = calloc((size_t)argc + 1, sizeof *copy);
    if (!copy)
        return XM_NOMEM;
    memcpy(copy, argv, (size_t)argc * sizeof *copy);
    enum xm_status status = xm_options_read(options, OPTIONS, c, argc, copy, &operands, &err);
    if (status != XM_OK)
        xm_usage_error(XM_SERVE_PROGRAM, "%s", err.text);
    else if (operands > 0)
        xm_usage_error(XM_SERVE_PROGRAM, "it takes no operand, and '%s' is one", copy[1]);
    free(copy);
    return status == XM_OK && operands == 0 ? XM_OK : XM_INVALID;
}

static bool settle_region(struct xm_serve_config *c)
{
    if (!c->region)
        return xm_region_default_path(c->region_path, sizeof c->region_path);
    int n = snprintf(c->region_path, sizeof c->region_path, "%s", c->region);
    return n >= 0 && (size_t)n < sizeof c->region_path;
}

/* The directory, or the database in it: either is how people name it. */
static bool settle_history(struct xm_serve_config *c)
{
    static const char file[] = "history.db";
    if (!c->history)
        return true;
    int n = snprintf(c->history_path, sizeof c->history_path, "%s", c->history);
    if (n <= 0 || (size_t)n >= sizeof c->history_path)
        return false;
    size_t bytes = (size_t)n, tail = sizeof file - 1;
    if (strcmp(c->history_path, file) == 0)
        snprintf(c->history_path, sizeof c->history_path, ".");
    else if (bytes > tail + 1 && c->history_path[bytes - tail - 1] == '/' &&
             strcmp(c->history_path + bytes - tail, file) == 0)
        c->history_path[bytes - tail - 1] = '\0';
    c->history = c->history_path;
    return true;
}

/* The first reading finds the file, the second lets the command line win over it. */
static enum xm_status read_all(struct xm_serve_config *c, int argc, char **argv)
{
    struct xm_serve_config told;
    set_defaults(&told);
    enum xm_status status = read_words(&told, argc, argv);
    if (status != XM_OK)
        return status;
    if (told.file && !told.help && !told.version) {
        status = read_file(c, told.file);
        if (told.listens)
            c->listens = 0;
    }
    return status == XM_OK ? read_words(c, argc, argv) : status;
}

enum xm_status xm_serve_configure(struct xm_serve_config *c, int argc, char **argv)
{
    set_defaults(c);
    enum xm_status status = read_all(c, argc, argv);
    if (status != XM_OK)
        return status;
    if (c->access_log && *c->access_log == '\0')
        c->access_log = "-";
    const char *wrong = contradiction(c);
    if (!wrong && !settle_region(c))
        wrong = "the region's path is too long";
    if (!wrong && !settle_history(c))
        wrong = "--history: that is no directory's name";
    if (!wrong)
        return XM_OK;
    xm_usage_error(XM_SERVE_PROGRAM, "%s", wrong);
    return XM_INVALID;
}
