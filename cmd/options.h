/* SPDX-License-Identifier: MIT */
/*
 * Command lines: one table of options a program, and the units people write values in.
 *
 * A table row names an option, the function that understands its value, and where in the program's
 * configuration the result goes.  Parsing and --help both come from the table.
 */
#ifndef XM_CMD_OPTIONS_H
#define XM_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "xenmon/status.h"

/* Exit codes of every program (the manual's EXIT STATUS). */
enum xm_exit {
    XM_EXIT_DONE = 0,
    XM_EXIT_FAILED = 1, /* while running; wins over XM_EXIT_LOSS */
    XM_EXIT_USAGE = 2,
    XM_EXIT_ACCESS = 3, /* no permission, not dom0, or no tracing */
    XM_EXIT_LOSS = 4    /* done, but more records were lost than allowed */
};

/* ---- Values.  Each reads the whole of `text`; on false the result is left alone. */

/* A plain decimal number. */
bool xm_read_count(const char *text, uint64_t *count);

/*
 * A duration: "500ms", "1.5s", "2m", "1h", "250us", "10ns"; without a unit it counts in `unit_ns` (0: a
 * unit is needed). "0" is 0 in any unit.  False past 2^64-1 ns.
 */
bool xm_read_duration(const char *text, uint64_t unit_ns, uint64_t *ns);

/* A size in bytes: "4096", "64K", "1M", "1.5GiB"; powers of 1024. */
bool xm_read_size(const char *text, uint64_t *bytes);

/* A frequency: "2793439000", "2.79GHz", "2793439kHz"; letters in any case.  1 to 2^40 Hz. */
bool xm_read_hz(const char *text, uint64_t *hz);

/* How many lost records are accepted: a number, or a percentage of all that there should have been. */
struct xm_max_loss {
    bool limited;     /* false: any number */
    bool percentage;  /* `value` is in millionths of a percent, else in records */
    uint64_t value;
};
bool xm_read_loss(const char *text, struct xm_max_loss *loss); /* "0", "100", "0.5%", "none" (no limit) */
bool xm_loss_exceeds(const struct xm_max_loss *loss, uint64_t lost, uint64_t records);

/* ---- Tables. */

enum xm_argument { XM_ARG_NONE, XM_ARG_NEEDED, XM_ARG_OPTIONAL };

struct xm_option;

/*
 * Stores the value `text` (NULL where the option was given without one) at `where`.
 * NULL: done; else what would have been right, for the message ("a duration such as 500ms, 1s or 2m").
 */
typedef const char *xm_option_set(const struct xm_option *option, const char *text, void *where);

struct xm_option {
    const char *name;  /* without dashes; NULL: `help` is a heading */
    char letter;       /* 0: none */
    enum xm_argument argument;
    xm_option_set *set;
    size_t offset;     /* of the result in the configuration */
    const char *value; /* the argument's name in --help; the words of a choice: "text|json|csv"; NULL: none */
    const char *help;  /* NULL: understood, but not shown */
    uint64_t min, max; /* of counts, durations, sizes; max 0: no bound */
    uint64_t unit;     /* durations: ns that a bare number counts in */
};

xm_option_set xm_set_flag;     /* bool, true */
xm_option_set xm_set_no;       /* bool, false */
xm_option_set xm_set_text;     /* const char *, borrowed from argv; "" without a value */
xm_option_set xm_set_count;    /* uint64_t */
xm_option_set xm_set_duration; /* uint64_t, ns */
xm_option_set xm_set_size;     /* uint64_t, bytes */
xm_option_set xm_set_hz;       /* uint64_t */
xm_option_set xm_set_loss;     /* struct xm_max_loss */
xm_option_set xm_set_choice;   /* unsigned: index of the word in `value` */

/*
 * Reads the command line argv[1 .. argc-1] into `config`.  Options and operands in any order, "--" ends the
 * options, "-" is an operand, letters can be joined (-n5), long names shortened while they stay unique.
 * Operands are moved to argv[1 .. *operands] in their order.
 * XM_OK; XM_INVALID: err->text says what is wrong in one line.
 */
enum xm_status xm_options_read(const struct xm_option *options, size_t count, void *config, int argc, char **argv,
                               int *operands, struct xm_error *err) XM_MUST_CHECK;

/* The same, and given[i], of `count` members, says which options were there. */
enum xm_status xm_options_read_given(const struct xm_option *options, size_t count, void *config, int argc, char **argv,
                                     int *operands, bool *given, struct xm_error *err) XM_MUST_CHECK;

/* The same, but argv stays as it is: for what must be known before the rest. */
enum xm_status xm_options_look(const struct xm_option *options, size_t count, void *config, int argc, char **argv,
                               int *operands, bool *given, struct xm_error *err) XM_MUST_CHECK;

/*
 * Gives one option the value `text` (NULL: none).  False: the value is none of its, and `cause` says what would have
 * been right: "'x' is not a whole number, 1 to 9"; 300 bytes suffice.
 */
bool xm_option_apply(const struct xm_option *option, const char *text, void *config, char *cause, size_t size);

/* The options' part of --help: at most 80 columns wide. */
void xm_options_print(const struct xm_option *options, size_t count, FILE *out);

/* "program: message\n" on stderr. */
void xm_complain(const char *program, const char *format, ...) XM_PRINTF(2, 3);

/* The same with " (try 'program --help')", returns XM_EXIT_USAGE. */
int xm_usage_error(const char *program, const char *format, ...) XM_PRINTF(2, 3);

#endif
