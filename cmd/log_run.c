/* SPDX-License-Identifier: MIT */
#include "log_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "own.h"
#include "xenmon/region.h"

#define MODE 0666 /* and the umask, as fopen() has it */

const char *xm_set_word(const struct xm_option *option, const char *text, void *where)
{
    struct xm_words *words = where;
    if (!*text)
        return "a name";
    if (words->count == XM_LOG_WORDS)
        return "one of at most 64";
    words->word[words->count++] = text;
    return NULL;
}

/* A run and its files. */
struct job {
    const struct xm_log_run *run;
    int early; /* the stream, opened before all else; -1: the log has it */
};

/* ---- Signals. */

/* Set by the signals that mean: enough; and by the one that means: your files have other names now. */
static volatile sig_atomic_t enough;
static volatile sig_atomic_t hangup;

static void on_signal(int number)
{
    if (number == SIGHUP)
        hangup = 1;
    else
        enough = 1;
}

/* What is ignored stays so: under nohup, and in the background of a shell without job control. */
static void watch_signals(void)
{
    static const int watched[] = {SIGTERM, SIGINT, SIGHUP};
    const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: a sleep ends */
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        struct sigaction before;
        if (sigaction(watched[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(watched[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* told by the write instead */
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool is_enough(void *user)
{
    return enough != 0;
}

/* ---- Files. */

static bool is_stream(const struct xm_log_run *run)
{
    return run->format != XM_LOG_XENMON;
}

static bool to_stdout(const struct xm_log_run *run)
{
    return is_stream(run) && (!run->output || strcmp(run->output, "-") == 0);
}

static void path_of(void *user, const char *name, char *text, size_t size)
{
    const struct xm_log_run *run = ((struct job *)user)->run;
    if (name)
        snprintf(text, size, "%s-%s.log", run->prefix, name);
    else
        snprintf(text, size, "%s", to_stdout(run) ? "standard output" : run->output);
}

static int open_file(const char *path, int more)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | more, MODE);
}

static int open_log(void *user, const char *name, bool again)
{
    struct job *job = user;
    char path[PATH_MAX];
    if (name) {
        int n = snprintf(path, sizeof path, "%s-%s.log", job->run->prefix, name);
        if (n < 0 || (size_t)n >= sizeof path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        return open_file(path, again || job->run->append ? 0 : O_TRUNC);
    }
    int fd = job->early;
    job->early = -1;
    if (fd < 0)
        return open_file(job->run->output, 0);
    /* What was in it goes only now that there is something to log. */
    struct stat facts;
    bool anew = !job->run->append && !to_stdout(job->run) && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
    if (anew && ftruncate(fd, 0) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Where the last whole line of a file of `size` bytes ends: 0 where there is none; -1: cannot be read. */
static off_t whole_lines(int fd, off_t size)
{
    char tail[4096];
    off_t keep = size;
    while (keep > 0) {
        off_t from = keep > (off_t)sizeof tail ? keep - (off_t)sizeof tail : 0;
        ssize_t n = pread(fd, tail, (size_t)(keep - from), from);
        if (n != keep - from)
            return -1;
        const char *line = memrchr(tail, '\n', (size_t)n);
        keep = from;
        if (line)
            return from + (line - tail) + 1;
    }
    return 0;
}

/* Does the file begin as this log would?  Rows of other columns are no good in it. */
static bool begins_alike(int fd, const struct xm_log_config *config)
{
    char *should = NULL;
    size_t length = 0;
    FILE *f = open_memstream(&should, &length);
    if (!f)
        return false;
    xm_log_beginning(config, f);
    char *found = fclose(f) == 0 ? malloc(length + 1) : NULL;
    bool alike =
        found && pread(fd, found, length, 0) == (ssize_t)length && memcmp(found, should, length) == 0;
    free(found);
    free(should);
    return alike;
}

/*
 * Can a log go on in the file?  Its last line may have been cut off by a crash: that comes off, or rows would
 * run together.  False: it has been said why.
 */
static bool can_append(const struct xm_log_run *run, const struct xm_log_config *config)
{
    struct stat facts;
    int fd = open(run->output, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return true; /* not there, or what is wrong with it will be said */
    off_t size = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) ? facts.st_size : 0;
    off_t keep = whole_lines(fd, size);
    bool good = size == 0 || (keep > 0 && begins_alike(fd, config));
    if (!good)
        xm_complain(
            run->program,
            "%s: does not begin as this log would: --append is for one of the same format and columns",
            run->output);
    if (good && keep < size) {
        xm_complain(run->program, "%s: its last line was cut off: these %lld bytes have been removed",
                    run->output, (long long)(size - keep));
        good = ftruncate(fd, keep) == 0;
        if (!good)
            xm_complain(run->program, "%s: %s", run->output, strerror(errno));
    }
    close(fd);
    return good;
}

/* Can the files be written?  Before anything is started for them. */
static bool open_early(struct job *job, const struct xm_log_config *config)
{
    const struct xm_log_run *run = job->run;
    char folder[PATH_MAX];
    if (is_stream(run)) {
        if (to_stdout(run))
            job->early = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        else if (run->append && !can_append(run, config))
            return false;
        else
            job->early = open_file(run->output, 0);
        if (job->early < 0)
            xm_complain(run->program, "%s: %s", to_stdout(run) ? "standard output" : run->output,
                        strerror(errno));
        return job->early >= 0;
    }
    const char *slash = strrchr(run->prefix, '/');
    int length = slash ? (int)(slash - run->prefix) + 1 : 1;
    int n = snprintf(folder, sizeof folder, "%.*s", length, slash ? run->prefix : ".");
    errno = ENAMETOOLONG;
    if (n > 0 && (size_t)n < sizeof folder && access(folder, W_OK | X_OK) == 0)
        return true;
    xm_complain(run->program, "%s-*.log: %s", run->prefix, strerror(errno));
    return false;
}

/* ---- The run. */

static void say(void *user, const char *text)
{
    xm_complain(((struct job *)user)->run->program, "%s", text);
}

/*
 * SIGHUP: logrotate has renamed the files.  Or the terminal has gone, and with it whoever wanted this, or who
 * reads the standard output.
 */
static enum xm_status hear_hangup(struct xm_log *log, const struct xm_log_run *run, bool had_terminal,
                                  struct xm_error *err)
{
    if (!hangup)
        return XM_OK;
    hangup = 0;
    if (to_stdout(run) || (had_terminal && !has_terminal())) {
        enough = 1;
        return XM_OK;
    }
    return xm_log_reopen(log, err);
}

/* XM_OK; or how the log failed. */
static enum xm_status follow(struct xm_log *log, const struct xm_log_run *run, struct xm_error *err)
{
    bool had_terminal = has_terminal();
    for (;;) {
        uint64_t wake = 0;
        enum xm_status status = hear_hangup(log, run, had_terminal, err);
        if (status == XM_OK)
            status = xm_log_step(log, xm_clock_ns(), &wake, err);
        if (status == XM_END || (enough && status >= 0))
            return xm_log_finish(log, err);
        if (status < 0)
            return status;
        if (status == XM_AGAIN && !hangup && !enough)
            (void)xm_clock_sleep_until(wake);
    }
}

static int judge_loss(const struct xm_log_run *run, const struct xm_log *log)
{
    uint64_t lost;
    uint64_t records;
    xm_log_loss(log, &lost, &records);
    if (!xm_loss_exceeds(&run->max_loss, lost, records))
        return XM_EXIT_DONE;
    xm_complain(run->program, "%" PRIu64 " of %" PRIu64 " records were lost, more than --max-loss allows",
                lost, records + lost);
    return XM_EXIT_LOSS;
}

static int attach(struct job *job, const struct xm_log_config *config)
{
    struct xm_error err;
    struct xm_log *log;
    const struct xm_log_run *run = job->run;
    xm_error_clear(&err);
    if (access(config->path, F_OK) != 0) {
        xm_complain(
            run->program,
            "no xenbaked runs here (no region at %s): start 'xenbaked FILE' to make numbers of a trace",
            config->path);
        return XM_EXIT_ACCESS;
    }
    if (xm_log_create(config, &log, &err) != XM_OK) {
        xm_complain(run->program, "%s", err.text);
        return access(config->path, R_OK) == 0 ? XM_EXIT_FAILED : XM_EXIT_ACCESS;
    }
    int code = XM_EXIT_DONE;
    enum xm_status status = follow(log, run, &err);
    if (status == XM_IO && errno == EINTR && enough) {
        xm_complain(run->program, "%s: ended while nobody read it: the last interval is not whole",
                    to_stdout(run) ? "standard output" : run->output);
        code = XM_EXIT_FAILED;
    } else if (status != XM_OK &&
               !(status == XM_IO && errno == EPIPE)) { /* EPIPE: the reader has had enough */
        xm_complain(run->program, "%s", err.text);
        code = XM_EXIT_FAILED;
    }
    if (code == XM_EXIT_DONE)
        code = judge_loss(run, log);
    xm_log_destroy(log);
    return code;
}

/* ---- What is asked for. */

static int list_metrics(void)
{
    struct xm_log_metric metric;
    for (size_t i = 0; xm_log_metric(i, &metric); i++)
        printf("%-27s %-6s %s%s\n", metric.id, xm_log_metric_unit(&metric), metric.help,
               metric.of_domain ? " (domains only)" : "");
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

static int check(const struct xm_log_run *run)
{
    if (is_stream(run) && run->cpu != XM_LOG_ALL_CPUS)
        return xm_usage_error(run->program,
                              "--cpu is for --format=xenmon: the others have all pCPUs together");
    if (!is_stream(run) && run->output)
        return xm_usage_error(
            run->program,
            "--output is for --format=csv and jsonl: the other's files are named with --prefix");
    if (!is_stream(run) && run->metrics.count)
        return xm_usage_error(run->program,
                              "--metric is for --format=csv and jsonl: the other has its 16 columns");
    if (!is_stream(run) && run->per != XM_LOG_PER_UNSET)
        return xm_usage_error(run->program,
                              "--per is for --format=csv and jsonl: the other has a file for each domain");
    if (run->append && to_stdout(run))
        return xm_usage_error(run->program, "--append is for files, and this goes to the standard output");
    return XM_EXIT_DONE;
}

/* Returns XM_EXIT_DONE to go on. */
static int select_what(const struct xm_log_run *run, struct xm_log_config *config)
{
    struct xm_error err;
    xm_error_clear(&err);
    config->selection.domains = run->domains.word;
    config->selection.domain_count = run->domains.count;
    bool table = run->format == XM_LOG_TABLE;
    bool domains = run->per == XM_LOG_PER_GIVEN_DOMAIN || (table && run->per == XM_LOG_PER_UNSET);
    config->per = domains ? XM_LOG_PER_DOMAIN : XM_LOG_PER_VCPU;
    for (size_t i = 0; i < run->metrics.count; i++)
        if (xm_selection_add(&config->selection, run->metrics.word[i], &err) != XM_OK)
            return xm_usage_error(run->program, "--metric: %s", err.text);
    if (run->metrics.count == 0 && !table)
        xm_selection_add_exact(&config->selection, domains || run->format == XM_LOG_JSONL);
    return XM_EXIT_DONE;
}

int xm_log_run(struct xm_log_run *run, uint64_t default_ns)
{
    char path[PATH_MAX];
    struct job job = {.run = run, .early = -1};
    if (run->list_metrics)
        return list_metrics();
    if (run->duration_ns == XM_LOG_UNSET)
        run->duration_ns = run->count ? 0 : default_ns;
    struct xm_log_config config = {
        .format = (enum xm_log_format)run->format,
        .table = run->table,
        .interval_ns = run->interval_ns,
        .duration_ns = run->duration_ns,
        .count = run->count,
        .hz = run->hz,
        .cpu = run->cpu,
        .from_start = run->from_start,
        .exit_at_end = run->exit_at_end,
        .keep_going = run->keep_going,
        .open = open_log,
        .path_of = path_of,
        .enough = is_enough,
        .say = say,
        .user = &job,
    };
    int code = check(run);
    if (code == XM_EXIT_DONE)
        code = select_what(run, &config);
    if (code != XM_EXIT_DONE)
        return code;
    watch_signals();
    if (!open_early(&job, &config))
        return XM_EXIT_FAILED;
    const struct xm_own_config own = {.program = run->program,
                                      .region = run->region,
                                      .hint = "start 'xenbaked FILE' to make numbers of a trace"};
    code = xm_own_find(&own, path, &config.path);
    if (code == XM_EXIT_DONE)
        code = attach(&job, &config);
    xm_own_stop();
    if (job.early >= 0)
        close(job.early);
    return code;
}
